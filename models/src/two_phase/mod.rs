//! Two-phase commit as a system to check: which transactions clients ask for,
//! what must hold, and when it blocks.
//!
//! | file | holds |
//! |---|---|
//! | `describe.rs` | nodes and messages in words |
//! | `ghost.rs` | who has voted and decided what, and the properties of that |
//! | `prefixes.rs` | ways to states worth starting from |
//! | `properties.rs` | the properties of states and of ways, and the goals |
//! | `specification.rs` | the store as one client at a time sees it |

mod describe;
mod ghost;
mod prefixes;
mod properties;
mod specification;

use std::collections::BTreeSet;

use tribunal_protocol::NodeId;
use tribunal_protocol::bugs::Bug;
use tribunal_protocol::two_phase::{
    BUGS, Config, Durable, Key, Message, Operation, Timer, Transaction, TwoPhase, Wrong,
};

use self::ghost::Ghost;
use self::specification::Keys;
use crate::bounds::{Bounds, Limit, Setting};
use crate::cluster::Cluster;
use crate::system::{Broken, Draft, Draws, Goal, ModelSystem, Planned, Prefix, Property, Seen};

/// Two-phase commit within bounds.
#[derive(Clone, Debug)]
pub struct TwoPhaseSystem {
    bounds: Bounds,
    bug: Option<Wrong>,
}

const SKEW: Setting = Setting {
    name: "skew",
    about: "1 for transactions that read one key and append to the other, in turn; 0 for such \
            that append to both",
    default: 0,
    least: 0,
    most: 1,
};

/// The keys that transactions are about, on two nodes if there are two.
const KEYS: [Key; 2] = [1, 2];

/// What a planned transaction appends: it tells whose it is.
fn mark(operation: usize) -> i64 {
    operation as i64 + 1
}

/// The planned transaction that such operations belong to, if they append.
fn planned(operations: &[Operation]) -> Option<usize> {
    operations.iter().find_map(|operation| match operation {
        Operation::Append { value, .. } => usize::try_from(*value).ok()?.checked_sub(1),
        _ => None,
    })
}

impl TwoPhaseSystem {
    fn transaction(&self, index: usize) -> Vec<Operation> {
        let value = mark(index);
        let append = |key| Operation::Append { key, value };
        let [one, other] = KEYS;
        if self.bounds.setting(Self::settings(), SKEW.name) == 0 {
            return vec![append(one), append(other)];
        }
        let (read, written) = match index % 2 {
            0 => (one, other),
            _ => (other, one),
        };
        vec![Operation::Read { key: read }, append(written)]
    }

    /// Whose keys the planned transaction is about; of the second those that
    /// it writes.
    fn participants(&self, operation: usize) -> [BTreeSet<NodeId>; 2] {
        let config = self.config(NodeId(1));
        let operations = self.transaction(operation);
        let owners = |operations: Vec<&Operation>| {
            let keys = operations.into_iter().map(Operation::key);
            keys.map(|key| config.owner(key)).collect()
        };
        let writes = operations.iter().filter(|operation| !operation.is_read());
        [
            owners(operations.iter().collect()),
            owners(writes.collect()),
        ]
    }
}

impl ModelSystem for TwoPhaseSystem {
    type Machine = TwoPhase;
    type Operation = Vec<Operation>;
    type Object = Keys;
    type Ghost = Ghost;

    const NAME: &'static str = "two-phase";
    const ABOUT: &'static str = "two-phase commit with presumed abort over a sharded store, with \
                                 strict two-phase locking and cooperative termination (Mohan, \
                                 Lindsay and Obermarck 1986)";

    fn default_bounds() -> Bounds {
        Bounds::of(3)
            .with(Limit::Operations, 1)
            .with(Limit::Timers, 2)
            .with(Limit::Crashes, 1)
            .with(Limit::Halts, 1)
    }

    fn wide_bounds() -> Bounds {
        Bounds::of(3)
            .with(Limit::Operations, 2)
            .with(Limit::Timers, 1)
            .with(Limit::Crashes, 1)
    }

    fn settings() -> &'static [Setting] {
        &[SKEW]
    }

    fn bugs() -> &'static [Bug] {
        BUGS
    }

    fn new(bounds: &Bounds, bug: Option<&'static str>) -> Self {
        TwoPhaseSystem {
            bounds: *bounds,
            bug: bug.and_then(Wrong::named),
        }
    }

    fn config(&self, id: NodeId) -> Config {
        Config {
            bug: self.bug,
            ..Config::new(id, (1..=self.bounds.nodes).map(NodeId))
        }
    }

    /// Transactions, each by a client of its own, then such that read all keys.
    fn plan(&self) -> Vec<Planned<Vec<Operation>>> {
        let changes = usize::from(self.bounds.get(Limit::Operations));
        let reads = usize::from(self.bounds.get(Limit::Reads));
        let planned = |client: usize| Planned {
            client,
            operation: match client < changes {
                true => self.transaction(client),
                false => KEYS.map(|key| Operation::Read { key }).to_vec(),
            },
            read: client >= changes,
            follows: (client > changes).then(|| client - 1),
        };
        (0..changes + reads).map(planned).collect()
    }

    fn request(&self, _: usize, operations: &Vec<Operation>) -> Transaction {
        Transaction(operations.clone())
    }

    /// It would be another transaction.
    fn may_retry(&self, _: &Vec<Operation>) -> bool {
        false
    }

    fn timer_limit(&self, _: Timer) -> Limit {
        Limit::Timers
    }

    fn observe(
        &self,
        ghost: &mut Draft<'_, Ghost>,
        seen: Seen<'_, TwoPhase>,
        broken: &mut Vec<Broken>,
    ) {
        ghost::observe(self, ghost, seen, broken);
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::properties()
    }

    fn weaknesses(&self) -> Vec<Property<Self>> {
        properties::weaknesses()
    }

    fn goals(&self) -> Vec<Goal<Self>> {
        properties::goals()
    }

    fn draws() -> Draws {
        Draws {
            nodes: &[3, 3, 2, 4, 5],
            settings: &[("skew", &[0, 1])],
            ..Draws::USUAL
        }
    }

    /// Whoever dies by wait-die has failed and is not asked for again, so that
    /// there need be nobody left who could be answered. That transactions come
    /// to an end is AC5.
    fn must_progress(&self, _: &Cluster<Self>, _: &[NodeId]) -> bool {
        false
    }

    fn prefixes() -> Vec<Prefix<Self>> {
        prefixes::prefixes()
    }

    fn describe(&self, _: NodeId, machine: &TwoPhase, durable: &Durable) -> String {
        describe::node(machine, durable)
    }

    fn describe_message(&self, message: &Message) -> String {
        describe::message(message)
    }

    fn describe_operation(&self, operations: &Vec<Operation>) -> String {
        describe::operations(operations)
    }
}
