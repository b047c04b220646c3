//! Zab as a system to check: who the nodes are, what clients ask, what must
//! hold.
//!
//! | file | holds |
//! |---|---|
//! | `aspect.rs` | what of it is looked at: all, or elections alone |
//! | `describe.rs` | nodes and messages in words |
//! | `ghost.rs` | what is remembered of the past, and the properties of steps |
//! | `prefixes.rs` | ways to states worth starting from |
//! | `properties.rs` | the properties of states, and the goals |

mod aspect;
mod describe;
mod ghost;
mod prefixes;
mod properties;

use std::collections::BTreeSet;
use std::marker::PhantomData;

use tribunal_protocol::NodeId;
use tribunal_protocol::bugs::Bug;
use tribunal_protocol::machine::Outcome;
use tribunal_protocol::object::{Call, Operation};
use tribunal_protocol::quorum::majority;
use tribunal_protocol::zab::{Config, Durable, Message, Request, Timer, Wrong, Zab, Zxid};

pub use self::aspect::{Aspect, Elections, Whole};
use self::ghost::Ghost;
use crate::bounds::{Bounds, Limit, Setting};
use crate::cluster::Cluster;
use crate::object::{CallOf, Object, ReturnOf};
use crate::register::{self, OneKey};
use crate::system::{
    Administration, Broken, Draft, Draws, Goal, ModelSystem, Planned, Prefix, Property, Response,
    Seen,
};

/// Zab within bounds, seen under an aspect.
#[derive(Clone, Debug)]
pub struct ZabModel<A: Aspect> {
    bounds: Bounds,
    bug: Option<Wrong>,
    /// What clients may want to have delivered.
    wanted: Vec<Call>,
    aspect: PhantomData<A>,
}

/// All of Zab.
pub type ZabSystem = ZabModel<Whole>;
/// Zab's elections.
pub type ZabElectionSystem = ZabModel<Elections>;

const CHECK_QUORUM: Setting = Setting {
    name: "check-quorum",
    about: "leaders give up that hear no quorum, 0 or 1",
    default: 0,
    least: 0,
    most: 1,
};
const SETTLE_LATE: Setting = Setting {
    name: "settle-late",
    about: "an election of one mind waits for a better vote, 0 or 1",
    default: 0,
    least: 0,
    most: 1,
};
const OBSERVERS: Setting = Setting {
    name: "observers",
    about: "nodes, the last ones, that are told what is committed and never vote",
    default: 0,
    least: 0,
    most: 8,
};
const ROUNDS: Setting = Setting {
    name: "rounds",
    about: "rounds of elections beyond those at the start; a check goes no further behind them",
    default: 1,
    least: 0,
    most: u8::MAX,
};
const LOCAL_READS: Setting = Setting {
    name: "local-reads",
    about: "reads are answered by any node from what it has, 0 or 1",
    default: 0,
    least: 0,
    most: 1,
};
const COUNTER_MAX: Setting = Setting {
    name: "counter-max",
    about: "proposals of a leader after which another epoch must begin; 0 for no such end",
    default: 0,
    least: 0,
    most: u8::MAX,
};
const BATCH: Setting = Setting {
    name: "batch",
    about: "transactions of a history in one message",
    default: 2,
    least: 1,
    most: u8::MAX,
};
const CHUNK: Setting = Setting {
    name: "chunk",
    about: "parts of a snapshot in one message",
    default: 2,
    least: 1,
    most: u8::MAX,
};
const COMPACT_AFTER: Setting = Setting {
    name: "compact-after",
    about: "committed transactions after which a node compacts its history by itself; 0 for never",
    default: 0,
    least: 0,
    most: u8::MAX,
};
const KEEP: Setting = Setting {
    name: "keep",
    about: "committed transactions that such a compaction leaves",
    default: 0,
    least: 0,
    most: u8::MAX,
};

impl<A: Aspect> ZabModel<A> {
    fn setting(&self, setting: &Setting) -> u8 {
        self.bounds.setting(Self::settings(), setting.name)
    }

    fn reads_locally(&self) -> bool {
        self.setting(&LOCAL_READS) > 0
    }

    /// Those who vote, and those who do not.
    fn members(&self) -> (BTreeSet<NodeId>, BTreeSet<NodeId>) {
        let voters = self.bounds.nodes - self.setting(&OBSERVERS);
        let nodes = (1..=self.bounds.nodes).map(NodeId);
        nodes.partition(|node| node.0 <= voters)
    }

    /// Whether these are enough voters.
    fn is_quorum(&self, nodes: impl IntoIterator<Item = NodeId>) -> bool {
        let (voters, _) = self.members();
        let count = nodes.into_iter().filter(|node| voters.contains(node));
        count.count() >= majority(voters.len())
    }
}

impl<A: Aspect> ModelSystem for ZabModel<A> {
    type Machine = Zab;
    type Operation = Operation;
    type Object = UnlessLocal;
    type Ghost = Ghost;

    const NAME: &'static str = A::NAME;
    const ABOUT: &'static str = A::ABOUT;
    const PART_OF: Option<&'static str> = A::PART_OF;

    fn default_bounds() -> Bounds {
        A::default_bounds()
    }

    fn wide_bounds() -> Bounds {
        A::wide_bounds()
    }

    fn settings() -> &'static [Setting] {
        &[
            CHECK_QUORUM,
            SETTLE_LATE,
            OBSERVERS,
            ROUNDS,
            LOCAL_READS,
            COUNTER_MAX,
            BATCH,
            CHUNK,
            COMPACT_AFTER,
            KEEP,
        ]
    }

    fn bugs() -> &'static [Bug] {
        A::BUGS
    }

    fn refuses(bounds: &Bounds) -> Option<String> {
        let set = |setting: &Setting| bounds.setting(Self::settings(), setting.name);
        let nobody = set(&OBSERVERS) >= bounds.nodes;
        let nobody = nobody.then(|| {
            format!(
                "expected observers to be less than the {} nodes, not {}",
                bounds.nodes,
                set(&OBSERVERS)
            )
        });
        nobody.or_else(|| register::refuses_compaction(set(&COMPACT_AFTER), set(&KEEP)))
    }

    fn new(bounds: &Bounds, bug: Option<&'static str>) -> Self {
        let plan = register::plan_of_writes(bounds).into_iter().enumerate();
        let wanted = plan.map(|(index, planned)| asked(bounds, index, &planned.operation));
        ZabModel {
            aspect: PhantomData,
            bounds: *bounds,
            bug: bug.and_then(Wrong::named),
            wanted: wanted.collect(),
        }
    }

    fn config(&self, node: NodeId) -> Config {
        let given = |setting| Some(self.setting(setting)).filter(|given| *given > 0);
        let (voters, observers) = self.members();
        Config {
            observers,
            settles_late: self.setting(&SETTLE_LATE) > 0,
            check_quorum: self.setting(&CHECK_QUORUM) > 0,
            counter_max: given(&COUNTER_MAX).map_or(u32::MAX, u32::from),
            batch_max: self.setting(&BATCH).into(),
            chunk_max: self.setting(&CHUNK).into(),
            compact_after: given(&COMPACT_AFTER).map(u64::from),
            compact_keep: self.setting(&KEEP).into(),
            sessions_founding: register::sessions_used(&self.bounds),
            bug: self.bug,
            ..Config::new(node, voters)
        }
    }

    fn plan(&self) -> Vec<Planned<Operation>> {
        register::plan_of_writes(&self.bounds)
    }

    /// A read is a transaction, too, unless it is local. Every read has a
    /// client of its own, which has seen nothing yet.
    fn request(&self, index: usize, operation: &Operation) -> Request {
        match operation {
            Operation::Read { key } if self.reads_locally() => Request::Read {
                key: *key,
                seen: Zxid::default(),
            },
            _ => Request::Call(asked(&self.bounds, index, operation)),
        }
    }

    fn administration(&self) -> Vec<Administration<Zab>> {
        vec![Administration {
            limit: Limit::Compactions,
            request: Request::Compact,
            about: "compact your history".to_owned(),
        }]
    }

    fn outcome(&self, _: &Operation, outcome: Outcome<Response<Self>>) -> Outcome<Response<Self>> {
        register::outcome(outcome)
    }

    fn timer_limit(&self, timer: Timer) -> Limit {
        match timer {
            Timer::Election => Limit::Elections,
            Timer::Settle | Timer::Heartbeat | Timer::Quorum => Limit::Timers,
        }
    }

    fn observe(&self, ghost: &mut Draft<'_, Ghost>, seen: Seen<'_, Zab>, broken: &mut Vec<Broken>) {
        ghost::observe(self, ghost, seen, broken);
    }

    fn properties(&self) -> Vec<Property<Self>> {
        A::properties()
    }

    fn goals(&self) -> Vec<Goal<Self>> {
        A::goals()
    }

    /// Nodes may fail to agree for ever if messages arrive at the worst times.
    fn is_beyond(&self, start: &Cluster<Self>, cluster: &Cluster<Self>) -> bool {
        latest_round(cluster) > latest_round(start) + u64::from(self.setting(&ROUNDS))
    }

    fn prefixes() -> Vec<Prefix<Self>> {
        prefixes::prefixes()
    }

    /// The first election has most of the states, and there is a model of
    /// elections alone.
    fn usual_start(bounds: &Bounds) -> Option<&'static str> {
        let observers = bounds.setting(Self::settings(), OBSERVERS.name);
        let fits = bounds.nodes == 3 && observers == 0;
        (fits && A::BEGINS_BEHIND_ELECTION).then_some(prefixes::ESTABLISHED)
    }

    fn draws() -> Draws {
        Draws {
            settings: &[
                ("check-quorum", &[0, 1, 1]),
                ("settle-late", &[0, 1]),
                ("local-reads", &[0, 0, 1]),
                ("observers", &[0, 0, 0, 1]),
                ("counter-max", &[0, 0, 0, 4]),
                ("batch", &[1, 2, 8]),
                ("chunk", &[1, 2]),
                ("compact-after", &[0, 0, 3]),
                ("keep", &[0, 2]),
            ],
            ..Draws::USUAL
        }
    }

    /// A leader that does not ask whether a quorum still follows waits for ever
    /// for nodes that are gone without a break.
    fn must_progress(&self, cluster: &Cluster<Self>, core: &[NodeId]) -> bool {
        let asks = self.setting(&CHECK_QUORUM) > 0;
        (asks || core.len() == cluster.size()) && self.is_quorum(core.iter().copied())
    }

    fn describe(&self, _: NodeId, machine: &Zab, durable: &Durable) -> String {
        describe::node(machine, durable)
    }

    fn describe_message(&self, message: &Message) -> String {
        describe::message(message)
    }
}

/// Local reads promise less than a register, and are judged apart.
#[derive(Clone, Copy, Debug)]
pub enum UnlessLocal {}

impl<A: Aspect> Object<ZabModel<A>> for UnlessLocal {
    type Specification = <OneKey as Object<ZabModel<A>>>::Specification;

    fn specification() -> Self::Specification {
        <OneKey as Object<ZabModel<A>>>::specification()
    }

    fn call(system: &ZabModel<A>, operation: &Operation) -> Option<CallOf<ZabModel<A>>> {
        let is_local = system.reads_locally() && is_read(operation);
        OneKey::call(system, operation).filter(|_| !is_local)
    }

    fn returned(response: &Response<ZabModel<A>>) -> ReturnOf<ZabModel<A>> {
        <OneKey as Object<ZabModel<A>>>::returned(response)
    }
}

/// The latest round of an election that a node is in.
fn latest_round<A: Aspect>(cluster: &Cluster<ZabModel<A>>) -> u64 {
    let rounds = cluster.nodes().map(|node| cluster.believed(node));
    rounds.map(|zab| zab.election().round()).max().unwrap_or(0)
}

/// What the planned operation `index` asks for.
fn asked(bounds: &Bounds, index: usize, operation: &Operation) -> Call {
    match is_read(operation) {
        true => register::unticketed(operation),
        false => register::call(bounds, index, operation),
    }
}

fn is_read(operation: &Operation) -> bool {
    matches!(operation, Operation::Read { .. })
}
