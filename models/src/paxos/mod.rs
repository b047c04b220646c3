//! Multi-Paxos as a system to check: who the nodes are, what clients ask, what
//! must hold.
//!
//! | file | holds |
//! |---|---|
//! | `describe.rs` | nodes and messages in words |
//! | `ghost.rs` | what is remembered of the past, and the properties of steps |
//! | `properties.rs` | the properties of states, and the goals |
//! | `prefixes.rs` | ways to states worth starting from |

mod describe;
mod ghost;
mod prefixes;
mod properties;

use tribunal_protocol::NodeId;
use tribunal_protocol::bugs::Bug;
use tribunal_protocol::machine::Outcome;
use tribunal_protocol::object::Operation;
use tribunal_protocol::paxos::{
    BUGS, Command, Config, DRIFT, Durable, Message, Paxos, Request, Timer, Wrong,
};
use tribunal_protocol::quorum::{Phase, QuorumError, Quorums, Rule};

use self::ghost::Ghost;
use crate::bounds::{Bounds, Limit, Setting};
use crate::cluster::Cluster;
use crate::register;
use crate::system::{
    Administration, Broken, Draft, Draws, Goal, ModelSystem, Planned, Prefix, Property, Response,
    Seen,
};

/// Multi-Paxos within bounds.
#[derive(Clone, Debug)]
pub struct PaxosSystem {
    bounds: Bounds,
    bug: Option<Wrong>,
    quorums: Quorums,
    /// What clients may want to have decided.
    wanted: Vec<Command>,
}

const PHASE_1: Setting = Setting {
    name: "phase1",
    about: "nodes in a quorum of phase 1; 0 for a majority, or for what phase2 leaves",
    default: 0,
    least: 0,
    most: 9,
};
const PHASE_2: Setting = Setting {
    name: "phase2",
    about: "nodes in a quorum of phase 2; 0 for a majority, or for what phase1 leaves",
    default: 0,
    least: 0,
    most: 9,
};
const WINDOW: Setting = Setting {
    name: "window",
    about: "slots that are open at the same time",
    default: 1,
    least: 1,
    most: u8::MAX,
};
const LEASE: Setting = Setting {
    name: "lease",
    about: "length of a leader's lease in ticks; 0 for reads by a slot",
    default: 0,
    least: 0,
    most: u8::MAX,
};
const CHECK_QUORUM: Setting = Setting {
    name: "check-quorum",
    about: "leaders give up that hear no quorum, 0 or 1",
    default: 0,
    least: 0,
    most: 1,
};
const CHUNK: Setting = Setting {
    name: "chunk",
    about: "parts of a snapshot in one message",
    default: 2,
    least: 1,
    most: u8::MAX,
};
const KEEP: Setting = Setting {
    name: "keep",
    about: "decided slots that a compaction by itself leaves",
    default: 0,
    least: 0,
    most: u8::MAX,
};
const COMPACT_AFTER: Setting = Setting {
    name: "compact-after",
    about: "decided slots after which a node compacts by itself; 0 for never",
    default: 0,
    least: 0,
    most: u8::MAX,
};

impl PaxosSystem {
    fn setting(&self, setting: &Setting) -> u8 {
        self.bounds.setting(Self::settings(), setting.name)
    }
}

/// The quorums that the bounds ask for.
fn quorums(bounds: &Bounds) -> Result<Quorums, QuorumError> {
    let size =
        |setting: &Setting| usize::from(bounds.setting(PaxosSystem::settings(), setting.name));
    let count = usize::from(bounds.nodes);
    let rest = |given: usize| (count + 1).saturating_sub(given);
    let rule = match (size(&PHASE_1), size(&PHASE_2)) {
        (0, 0) => Rule::Majority,
        (one, 0) => Rule::Counts {
            one,
            two: rest(one),
        },
        (0, two) => Rule::Counts {
            one: rest(two),
            two,
        },
        (one, two) => Rule::Counts { one, two },
    };
    Quorums::new((1..=bounds.nodes).map(NodeId), rule)
}

impl ModelSystem for PaxosSystem {
    type Machine = Paxos;
    type Operation = Operation;
    type Object = register::OneKey;
    type Ghost = Ghost;

    const NAME: &'static str = "paxos";
    const ABOUT: &'static str = "Multi-Paxos: slots decided under one leader a ballot, with \
                                 flexible quorums, leases and client sessions (Lamport 1998, \
                                 2001; van Renesse & Altınbüken 2015)";

    fn default_bounds() -> Bounds {
        Bounds::of(3)
            .with(Limit::Elections, 2)
            .with(Limit::Operations, 2)
            .with(Limit::Crashes, 1)
    }

    fn wide_bounds() -> Bounds {
        Self::default_bounds().with(Limit::Compactions, 1)
    }

    fn settings() -> &'static [Setting] {
        &[
            PHASE_1,
            PHASE_2,
            WINDOW,
            LEASE,
            CHECK_QUORUM,
            CHUNK,
            KEEP,
            COMPACT_AFTER,
        ]
    }

    fn bugs() -> &'static [Bug] {
        BUGS
    }

    fn refuses(bounds: &Bounds) -> Option<String> {
        let set = |setting: &Setting| bounds.setting(Self::settings(), setting.name);
        let apart = quorums(bounds).err().map(|why| why.to_string());
        let short = (1..=DRIFT).contains(&set(&LEASE).into());
        let short = short.then(|| {
            format!(
                "expected lease to be 0, or more than the {DRIFT} by which clocks may differ, not {}",
                set(&LEASE)
            )
        });
        apart
            .or(short)
            .or_else(|| register::refuses_compaction(set(&COMPACT_AFTER), set(&KEEP)))
    }

    fn new(bounds: &Bounds, bug: Option<&'static str>) -> Self {
        let plan = register::plan_of_writes(bounds).into_iter().enumerate();
        let wanted = plan.map(|(index, planned)| {
            let call = match planned.read {
                true => register::unticketed(&planned.operation),
                false => register::call(bounds, index, &planned.operation),
            };
            Command::Call(call)
        });
        PaxosSystem {
            bounds: *bounds,
            bug: bug.and_then(Wrong::named),
            quorums: quorums(bounds).expect("bounds that are not refused"),
            wanted: wanted.collect(),
        }
    }

    fn config(&self, node: NodeId) -> Config {
        let given = |setting| Some(u64::from(self.setting(setting))).filter(|given| *given > 0);
        Config {
            window: u64::from(self.setting(&WINDOW)),
            batch_max: 2,
            chunk_max: usize::from(self.setting(&CHUNK)),
            check_quorum: self.setting(&CHECK_QUORUM) > 0,
            lease: given(&LEASE),
            compact_after: given(&COMPACT_AFTER),
            compact_keep: u64::from(self.setting(&KEEP)),
            sessions_founding: register::sessions_used(&self.bounds),
            bug: self.bug,
            ..Config::new(node, self.quorums.clone())
        }
    }

    fn plan(&self) -> Vec<Planned<Operation>> {
        register::plan_of_writes(&self.bounds)
    }

    fn request(&self, index: usize, operation: &Operation) -> Request {
        match *operation {
            Operation::Read { key } => Request::Read { key },
            _ => Request::Call(register::call(&self.bounds, index, operation)),
        }
    }

    fn administration(&self) -> Vec<Administration<Paxos>> {
        vec![Administration {
            limit: Limit::Compactions,
            request: Request::Compact,
            about: "compact your log".to_owned(),
        }]
    }

    fn outcome(&self, _: &Operation, outcome: Outcome<Response<Self>>) -> Outcome<Response<Self>> {
        register::outcome(outcome)
    }

    fn timer_limit(&self, timer: Timer) -> Limit {
        match timer {
            Timer::Election => Limit::Elections,
            Timer::Heartbeat | Timer::Quorum => Limit::Timers,
        }
    }

    fn observe(
        &self,
        ghost: &mut Draft<'_, Ghost>,
        seen: Seen<'_, Paxos>,
        broken: &mut Vec<Broken>,
    ) {
        ghost::observe(self, ghost, seen, broken);
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::properties()
    }

    fn goals(&self) -> Vec<Goal<Self>> {
        properties::goals(self)
    }

    /// A node does not go back below its promise, so what answers a lower
    /// ballot comes too late.
    fn is_dead(&self, message: &Message, durable: &Durable) -> bool {
        match message {
            Message::Promise { ballot, .. } => {
                *ballot < durable.promised && self.bug != Some(Wrong::StalePromiseCounted)
            }
            Message::Accepted { ballot, .. } => {
                *ballot < durable.promised && self.bug != Some(Wrong::StaleAcceptedCounted)
            }
            Message::Following { ballot, lease } => {
                let is_counted = self.setting(&CHECK_QUORUM) > 0 || *lease > 0;
                !is_counted || *ballot < durable.promised
            }
            Message::Refused { promised } => *promised <= durable.promised,
            _ => false,
        }
    }

    fn draws() -> Draws {
        Draws {
            settings: &[
                ("phase1", &[0, 0, 0, 1, 2]),
                ("window", &[1, 2, 8, 8]),
                ("lease", &[0, 0, 4]),
                ("check-quorum", &[0, 1]),
                ("chunk", &[1, 2]),
                ("keep", &[0, 2]),
                ("compact-after", &[0, 0, 3]),
            ],
            ..Draws::USUAL
        }
    }

    fn must_progress(&self, _: &Cluster<Self>, core: &[NodeId]) -> bool {
        let core = core.iter().copied().collect();
        [Phase::One, Phase::Two]
            .iter()
            .all(|phase| self.quorums.is_quorum(*phase, &core))
    }

    fn prefixes() -> Vec<Prefix<Self>> {
        prefixes::prefixes()
    }

    fn describe(&self, _: NodeId, machine: &Paxos, durable: &Durable) -> String {
        describe::node(machine, durable)
    }

    fn describe_message(&self, message: &Message) -> String {
        describe::message(message)
    }
}
