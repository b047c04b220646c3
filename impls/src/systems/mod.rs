//! The built-in systems: our own machines as servers, and the adapter through
//! which a campaign reaches them.
//!
//! A campaign gets [`Local`] behind the adapter's traits and cannot tell it
//! from anybody else's system.

mod administration;
mod detector;
mod examples;
mod local;
mod paxos;
mod raft;
pub mod store;
mod two_phase;
mod zab;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tribunal_protocol::NodeId;
use tribunal_protocol::bugs::Bug;

pub use self::examples::EXAMPLES;
pub use self::local::{Local, Tuning};
use crate::Compaction;
use crate::adapter::{Capability, Client, ClientOptions, CrashKinds, Detects, NodePlan};
use crate::client::StoreClient;
use crate::runtime::{self, Options, Spans};
use crate::service::Service;
use crate::settings::{Chosen, Setting};
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
    /// What whoever runs a cluster of it can ask.
    pub capabilities: &'static [Capability],
    /// The kinds of what its nodes send and keep.
    pub crash_kinds: fn() -> CrashKinds,
    /// What it lets whoever runs it choose.
    pub settings: &'static [Setting],
    /// The workload that asks for what it does.
    pub workload: &'static str,
    client: MakeClient,
    check: fn(&Role) -> Result<Option<Silence>, Refused>,
    serve: fn(Options, bool) -> Result<u8, Refused>,
    judge: fn(&BTreeMap<NodeId, PathBuf>) -> Result<Judged, TraceError>,
}

/// Every machine that can be served.
pub const BUILT_IN: &[BuiltIn] = &[
    raft::RAFT,
    paxos::PAXOS,
    zab::ZAB,
    two_phase::TWO_PHASE,
    detector::HEARTBEAT,
    detector::OBSERVER,
    detector::ACCRUAL,
];

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
            capabilities: M::CAPABILITIES,
            crash_kinds: || CrashKinds {
                messages: runtime::kinds::<M::Message>(),
                records: runtime::kinds::<M::Record>(),
            },
            settings: M::SETTINGS,
            workload: M::WORKLOAD,
            client: M::client,
            check: |role| M::config(role).map(|config| M::silence(&config)),
            serve: serve::<M>,
            judge: |traces| {
                let config = |role: &Role| M::config(role).map_err(|unknown| unknown.to_string());
                trace::judge::<M>(traces, &config)
            },
        }
    }

    /// Whether so many nodes, with timers of these lengths, could be what these
    /// settings ask for.
    pub fn check_settings(
        &self,
        nodes: u8,
        settings: &Chosen,
        spans: Spans,
    ) -> Result<(), Refused> {
        self.check_names(settings)?;
        match (self.check)(&founder(nodes, settings))? {
            Some(silence) => silence.check(spans),
            None => Ok(()),
        }
    }

    /// How long nodes of a cluster of so many may be silent until they are
    /// suspected, heartbeats apart; none where nodes suspect nobody.
    pub fn detects(&self, nodes: u8, settings: &Chosen) -> Option<Detects> {
        let silence = (self.check)(&founder(nodes, settings)).ok().flatten();
        silence.map(|silence| Detects {
            within: silence.longest,
            pairwise: silence.pairwise,
        })
    }

    fn check_names(&self, settings: &Chosen) -> Result<(), Refused> {
        let is_known = |name: &str| self.settings.iter().any(|setting| setting.name == name);
        match settings.iter().find(|(name, _)| !is_known(name)) {
            None => Ok(()),
            Some((name, _)) => {
                let known: Vec<_> = self.settings.iter().map(|setting| setting.name).collect();
                let system = self.name;
                Err(Refused::Setting(match known.as_slice() {
                    [] => format!("{system} has no settings, and so no `{name}`"),
                    known => format!(
                        "no setting of {system} is called `{name}`; known: {}",
                        known.join(", ")
                    ),
                }))
            }
        }
    }

    /// Plays a node in this process until it is told to stop; gives the exit
    /// code. See [`runtime::serve`](crate::runtime::serve).
    pub fn serve(&self, options: Options, exit_with_parent: bool) -> Result<u8, Refused> {
        let compacts = self.capabilities.contains(&Capability::Compaction);
        if !options.compaction.is_usual() && !compacts {
            return Err(Refused::NoCompaction(self.name));
        }
        if !options.compaction.is_sound() {
            return Err(Refused::Compaction(options.compaction));
        }
        self.check_names(&options.settings)?;
        (self.serve)(options, exit_with_parent)
    }

    /// Holds the traces of a run's nodes against its machine.
    pub fn judge_traces(&self, traces: &BTreeMap<NodeId, PathBuf>) -> Result<Judged, TraceError> {
        (self.judge)(traces)
    }
}

/// Makes a client that talks to a node first; of the second all nodes.
type MakeClient = fn(&NodePlan, &[NodePlan], &ClientOptions) -> Box<dyn Client>;

/// How long a node may be silent until it is suspected, heartbeats apart.
#[derive(Clone, Copy, Debug)]
struct Silence {
    /// What may be suspicious already.
    shortest: Duration,
    /// What all others suspect, if they run and nothing slows them down.
    longest: Duration,
    /// Whether what one node thinks of another depends on no third.
    pairwise: bool,
}

impl Silence {
    /// Refuses signs of life that are as rare as what is suspicious: nobody
    /// could be told from a node that has failed.
    fn check(&self, spans: Spans) -> Result<(), Refused> {
        if self.shortest > spans.heartbeat {
            return Ok(());
        }
        Err(Refused::Setting(format!(
            "expected a silence that is suspicious to be longer than a heartbeat, {} ms, not {} ms; \
             make that longer, or heartbeats shorter",
            spans.heartbeat.as_millis(),
            self.shortest.as_millis()
        )))
    }
}

/// The first node of a cluster of so many.
fn founder(nodes: u8, settings: &Chosen) -> Role {
    Role {
        node: NodeId(1),
        peers: (2..=nodes).map(NodeId).collect(),
        bug: None,
        compaction: Compaction::default(),
        settings: settings.clone(),
    }
}

/// A machine whose configuration is made from the part that a node plays.
trait Playable: Service {
    /// What whoever runs a cluster can ask.
    const CAPABILITIES: &'static [Capability] = &[];
    /// What they can choose.
    const SETTINGS: &'static [Setting] = &[];

    /// The workload that asks for what it does.
    const WORKLOAD: &'static str = "register";

    /// The configuration; an error for a wrong version that there is not.
    fn config(role: &Role) -> Result<Self::Config, Refused>;

    /// How long a node may be silent until it is suspected, where nodes suspect
    /// each other.
    fn silence(config: &Self::Config) -> Option<Silence> {
        let _ = config;
        None
    }

    /// A client of a node, which may talk to all others as well.
    fn client(plan: &NodePlan, plans: &[NodePlan], options: &ClientOptions) -> Box<dyn Client> {
        let nodes = plans.iter().map(|plan| (plan.node, plan.client_listen));
        Box::new(StoreClient::new(
            plan.node,
            nodes.collect(),
            options.clone(),
        ))
    }
}

fn serve<M: Playable>(options: Options, exit_with_parent: bool) -> Result<u8, Refused> {
    let role = Role {
        node: options.node,
        peers: options.peers.keys().copied().collect(),
        bug: options.bug.clone(),
        compaction: options.compaction,
        settings: options.settings.clone(),
    };
    let config = M::config(&role)?;
    if let Some(silence) = M::silence(&config) {
        silence.check(options.spans)?;
    }
    Ok(runtime::serve::<M>(options, config, exit_with_parent))
}

/// A node and its peers.
fn everybody(role: &Role) -> impl Iterator<Item = NodeId> + use<> {
    let peers = role.peers.clone();
    peers.into_iter().chain([role.node])
}

/// The rule that a wrong version breaks, if a catalogue has one of that name.
fn wrong_version<W>(found: Option<W>, name: &str, known: &'static [Bug]) -> Result<W, Refused> {
    found.ok_or_else(|| Refused::UnknownBug {
        name: name.to_owned(),
        known,
    })
}

/// Why a node cannot be what it is asked to be.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// No catalogue lists such a wrong version.
    #[error("find the wrong version `{name}`; there are: {}", names(known))]
    UnknownBug {
        /// What was asked for.
        name: String,
        /// What there is.
        known: &'static [Bug],
    },
    /// A setting that there is not, or not with that value.
    #[error("{0}")]
    Setting(String),
    /// The system has no log that could be compacted.
    #[error("{0} has no log that it could compact")]
    NoCompaction(&'static str),
    /// A compaction that leaves as much as it needs to begin.
    #[error(
        "expected fewer entries to keep than to compact after, found {} and {}",
        shown(.0.keep), shown(.0.after)
    )]
    Compaction(Compaction),
}

fn names(bugs: &[Bug]) -> String {
    let names: Vec<&str> = bugs.iter().map(|bug| bug.name).collect();
    names.join(", ")
}

fn shown(number: Option<u64>) -> String {
    number.map_or("none".to_owned(), |number| number.to_string())
}
