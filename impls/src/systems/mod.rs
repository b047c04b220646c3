//! The built-in systems: our own machines as servers, and the adapter through
//! which a campaign reaches them.
//!
//! A campaign gets [`Local`] behind the adapter's traits and cannot tell it
//! from anybody else's system.

mod examples;
mod local;
mod raft;
pub mod store;

use std::fmt;

use tribunal_protocol::NodeId;
use tribunal_protocol::bugs::Bug;

pub use self::examples::EXAMPLES;
pub use self::local::{Local, Tuning};
use crate::runtime::Options;

/// A machine that can be served.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// Its name, as the command line takes it.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub about: &'static str,
    /// Its wrong versions.
    pub bugs: &'static [Bug],
    serve: fn(Options, Option<&str>, bool) -> Result<u8, UnknownBug>,
}

/// Every machine that can be served.
pub const BUILT_IN: &[BuiltIn] = &[raft::RAFT];

impl BuiltIn {
    /// The one of that name.
    pub fn named(name: &str) -> Option<&'static BuiltIn> {
        BUILT_IN.iter().find(|system| system.name == name)
    }

    /// Plays a node in this process until it is told to stop, with the rule
    /// broken that `bug` names; gives the exit code. See
    /// [`runtime::serve`](crate::runtime::serve).
    pub fn serve(
        &self,
        options: Options,
        bug: Option<&str>,
        exit_with_parent: bool,
    ) -> Result<u8, UnknownBug> {
        (self.serve)(options, bug, exit_with_parent)
    }
}

/// A node and its peers.
fn everybody(options: &Options) -> impl Iterator<Item = NodeId> + use<> {
    let peers: Vec<NodeId> = options.peers.keys().copied().collect();
    peers.into_iter().chain([options.node])
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
