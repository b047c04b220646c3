//! The built-in systems: our own machines as servers, and the adapter through
//! which a campaign reaches them.
//!
//! A campaign gets [`Local`] behind the adapter's traits and cannot tell it
//! from anybody else's system.

mod examples;
mod local;
mod raft;
pub mod store;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use tribunal_protocol::NodeId;
use tribunal_protocol::bugs::Bug;

pub use self::examples::EXAMPLES;
pub use self::local::{Local, Tuning};
use crate::runtime::{self, Options};
use crate::service::Service;
use crate::trace::{self, Judged, Role, TraceError};

/// A machine that can be served.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// Its name, as the command line takes it.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub about: &'static str,
    /// Its wrong versions.
    pub bugs: &'static [Bug],
    serve: fn(Options, bool) -> Result<u8, UnknownBug>,
    judge: fn(&BTreeMap<NodeId, PathBuf>) -> Result<Judged, TraceError>,
}

/// Every machine that can be served.
pub const BUILT_IN: &[BuiltIn] = &[raft::RAFT];

impl BuiltIn {
    /// The one of that name.
    pub fn named(name: &str) -> Option<&'static BuiltIn> {
        BUILT_IN.iter().find(|system| system.name == name)
    }

    /// A machine under a name.
    const fn new<M: Playable>(
        name: &'static str,
        about: &'static str,
        bugs: &'static [Bug],
    ) -> BuiltIn {
        BuiltIn {
            name,
            about,
            bugs,
            serve: serve::<M>,
            judge: |traces| {
                let config = |role: &Role| M::config(role).map_err(|unknown| unknown.to_string());
                trace::judge::<M>(traces, &config)
            },
        }
    }

    /// Plays a node in this process until it is told to stop; gives the exit
    /// code. See [`runtime::serve`](crate::runtime::serve).
    pub fn serve(&self, options: Options, exit_with_parent: bool) -> Result<u8, UnknownBug> {
        (self.serve)(options, exit_with_parent)
    }

    /// Holds the traces of a run's nodes against its machine.
    pub fn judge_traces(&self, traces: &BTreeMap<NodeId, PathBuf>) -> Result<Judged, TraceError> {
        (self.judge)(traces)
    }
}

/// A machine whose configuration is made from the part that a node plays.
trait Playable: Service {
    /// The configuration; an error for a wrong version that there is not.
    fn config(role: &Role) -> Result<Self::Config, UnknownBug>;
}

fn serve<M: Playable>(options: Options, exit_with_parent: bool) -> Result<u8, UnknownBug> {
    let role = Role {
        node: options.node,
        peers: options.peers.keys().copied().collect(),
        bug: options.bug.clone(),
    };
    let config = M::config(&role)?;
    Ok(runtime::serve::<M>(options, config, exit_with_parent))
}

/// A node and its peers.
fn everybody(role: &Role) -> impl Iterator<Item = NodeId> + use<> {
    let peers = role.peers.clone();
    peers.into_iter().chain([role.node])
}

/// A wrong version that no catalogue lists.
#[derive(Clone, Debug)]
pub struct UnknownBug {
    /// What was asked for.
    pub name: String,
    /// What there is.
    pub known: &'static [Bug],
}

impl fmt::Display for UnknownBug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<&str> = self.known.iter().map(|bug| bug.name).collect();
        let known = known.join(", ");
        write!(
            f,
            "find the wrong version `{}`; there are: {known}",
            self.name
        )
    }
}

impl std::error::Error for UnknownBug {}
