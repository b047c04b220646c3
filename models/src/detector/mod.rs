//! The failure detectors as systems to check, under partial synchrony that the
//! bounds spell out.
//!
//! | file | holds |
//! |---|---|
//! | `kinds.rs` | what each detector adds: its settings, what it promises by when |
//! | `properties.rs` | the properties and the goals |
//!
//! # Time
//!
//! | `--set` | says |
//! |---|---|
//! | `period` | a node beats when its clock has advanced by so much since it last did, and before it advances further |
//! | `delay` | a message arrives before its receiver's clock is so far beyond the sender's at the sending |
//! | `stable-from` | both hold from this time on, by every clock; before it anything goes, but that nothing is lost |
//!
//! No two clocks differ by more than one unit (`--drift`). A node fails by
//! stopping for good (`--halts`). How far `delay` may go for a timeout is in
//! [`Timing::needed`]; one unit further and accuracy is refuted.
//!
//! # What "in the end" means
//!
//! A bounded model ends, so that what holds in the end must hold from a time on
//! that is said beforehand ([`Promise`]), in every state that follows. A
//! restarted node is one that has just stabilized.

mod kinds;
mod properties;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::marker::PhantomData;

use tribunal_protocol::bugs::Bug;
use tribunal_protocol::detector::{
    Accrual, Beat, DRIFT, Heartbeat, Observer, Suspected, Suspects, Wrong,
};
use tribunal_protocol::machine::{Machine, NodeId};

use crate::bounds::{Bounds, Limit, Setting};
use crate::cluster::Cluster;
use crate::object::Unjudged;
use crate::system::{Broken, Draft, Draws, Goal, ModelSystem, Planned, Property, Seen, Synchrony};

/// The heartbeat detector, within bounds.
pub type HeartbeatSystem = DetectorSystem<Heartbeat>;
/// The accrual detector, within bounds.
pub type AccrualSystem = DetectorSystem<Accrual>;
/// The observer detector, within bounds.
pub type ObserverSystem = DetectorSystem<Observer>;

/// A failure detector that can be checked.
pub trait Detector: Suspicion {
    /// What it is, in a sentence.
    const ABOUT: &'static str;

    /// The bounds that are used where none are given.
    fn default_bounds() -> Bounds;

    /// Those of every detector, then its own.
    fn settings() -> &'static [Setting];

    /// The wrong versions.
    fn bugs() -> &'static [Bug];

    /// Why it cannot be within these bounds, if it cannot.
    fn refuses(bounds: &Bounds) -> Option<String> {
        let _ = bounds;
        None
    }

    /// What a node is told at its start.
    fn config(node: NodeId, bounds: &Bounds, bug: Option<Wrong>) -> Self::Config;

    /// By when it keeps what it promises.
    fn promise(bounds: &Bounds) -> Promise;

    /// Whether a node watches the others.
    fn watches(bounds: &Bounds, node: NodeId) -> bool {
        let _ = (bounds, node);
        true
    }

    /// Settings that a simulation draws, beside the times.
    fn draws() -> &'static [(&'static str, &'static [u8])];

    /// Goals of its own.
    fn goals(bounds: &Bounds) -> Vec<Goal<DetectorSystem<Self>>> {
        let _ = bounds;
        Vec::new()
    }
}

/// What can be asked of a node of a detector, the same of all that beat alike.
pub trait Suspicion:
    Machine<Timer = Beat, Request = Suspects, Response = Suspected, Durable = ()> + Sized
{
    /// Whether it suspects that peer.
    fn is_suspected(&self, peer: NodeId) -> bool;

    /// When it beat last, by its clock.
    fn beaten(&self) -> u64;

    /// A node in a line, for paths.
    fn describe(&self) -> String;
}

/// By when a detector keeps what it promises, in units of clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// After a node has stopped, and the bounds of time hold, every other one
    /// suspects it when its clock has advanced further than this.
    pub detects: u64,
    /// Whether that counts from when the last node stopped, since whoever is to
    /// notice one may have to notice another first.
    pub in_turn: bool,
    /// After the bounds of time hold, nobody suspects a node that runs when
    /// its clock has advanced this far.
    pub settles: u64,
    /// But for so many mistakes, from each of which it learns.
    pub mistakes: u8,
}

/// The bounds of time, of the network and of the nodes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub(crate) period: u64,
    pub(crate) delay: u64,
    pub(crate) stable_from: u64,
    pub(crate) drift: u64,
}

pub(crate) const PERIOD: Setting = Setting {
    name: "period",
    about: "units of its clock after which a node beats again",
    default: 1,
    least: 1,
    most: 20,
};
pub(crate) const DELAY: Setting = Setting {
    name: "delay",
    about: "how far a receiver's clock may be beyond the sender's when a message arrives",
    default: 1,
    least: 0,
    most: 50,
};
pub(crate) const STABLE_FROM: Setting = Setting {
    name: "stable-from",
    about: "the time from which on delay and period hold; 0 for always",
    default: 0,
    least: 0,
    most: 200,
};

impl Timing {
    fn of<D: Detector>(bounds: &Bounds) -> Self {
        let set = |setting: &Setting| u64::from(bounds.setting(D::settings(), setting.name));
        Timing {
            period: set(&PERIOD),
            delay: set(&DELAY),
            stable_from: set(&STABLE_FROM),
            drift: bounds.drift.unwrap_or(DRIFT),
        }
    }

    /// How far a receiver's clock may be beyond the sender's when a message
    /// arrives: one that was further already when it was sent waits for it.
    pub(crate) fn reach(self) -> u64 {
        self.delay.max(self.drift)
    }

    /// The longest silence between two messages that a peer sends every
    /// period: the first comes while the receiver's clock is behind.
    pub(crate) fn needed(self) -> u64 {
        self.period + self.reach() + self.drift
    }
}

/// A failure detector, within bounds.
#[derive(Clone, Debug)]
pub struct DetectorSystem<D> {
    bounds: Bounds,
    bug: Option<Wrong>,
    timing: Timing,
    promise: Promise,
    of: PhantomData<fn() -> D>,
}

/// What is remembered of the past.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ghost {
    /// When nodes restarted last, by their clocks.
    restarted: BTreeMap<NodeId, u64>,
    /// How often a node came to suspect another since the bounds of time
    /// hold, as far as it may.
    mistakes: BTreeMap<(NodeId, NodeId), u8>,
    /// Whether a suspicion was taken back.
    withdrawn: bool,
}

impl<D: Detector> DetectorSystem<D> {
    /// The time from which on the bounds of time hold for a node as if they
    /// always had.
    fn stable_from(&self, ghost: &Ghost, nodes: &[NodeId]) -> u64 {
        let restarts = nodes.iter().filter_map(|node| ghost.restarted.get(node));
        let latest = restarts.max().copied().unwrap_or_default();
        latest.max(self.timing.stable_from)
    }

    /// Whether a node should have settled when its clock shows this.
    fn is_settled(&self, ghost: &Ghost, nodes: &[NodeId], clock: u64) -> bool {
        clock >= self.stable_from(ghost, nodes) + self.promise.settles
    }

    fn note_step(
        &self,
        ghost: &mut Draft<'_, Ghost>,
        node: NodeId,
        (before, after): (&D, &D),
        clock: u64,
    ) {
        for peer in (1..=self.bounds.nodes).map(NodeId) {
            match (before.is_suspected(peer), after.is_suspected(peer)) {
                (true, false) if !ghost.withdrawn => ghost.withdrawn = true,
                (false, true) if clock >= self.stable_from(ghost, &[node, peer]) => {
                    let most = self.promise.mistakes;
                    let known = ghost.mistakes.get(&(node, peer)).copied();
                    if most > 0 && known.unwrap_or_default() <= most {
                        *ghost.mistakes.entry((node, peer)).or_default() += 1;
                    }
                }
                _ => {}
            }
        }
    }
}

impl<D: Detector> ModelSystem for DetectorSystem<D> {
    type Machine = D;
    type Operation = ();
    type Object = Unjudged;
    type Ghost = Ghost;

    const NAME: &'static str = D::NAME;
    const ABOUT: &'static str = D::ABOUT;

    fn default_bounds() -> Bounds {
        D::default_bounds()
    }

    fn settings() -> &'static [Setting] {
        D::settings()
    }

    fn bugs() -> &'static [Bug] {
        D::bugs()
    }

    fn refuses(bounds: &Bounds) -> Option<String> {
        D::refuses(bounds)
    }

    fn new(bounds: &Bounds, bug: Option<&'static str>) -> Self {
        DetectorSystem {
            bounds: *bounds,
            bug: bug.and_then(Wrong::named),
            timing: Timing::of::<D>(bounds),
            promise: D::promise(bounds),
            of: PhantomData,
        }
    }

    fn config(&self, node: NodeId) -> D::Config {
        D::config(node, &self.bounds, self.bug)
    }

    fn plan(&self) -> Vec<Planned<()>> {
        let ask = |client| Planned {
            client,
            operation: (),
            read: false,
            follows: None,
        };
        (0..usize::from(self.bounds.get(Limit::Operations)))
            .map(ask)
            .collect()
    }

    fn request(&self, _: usize, _: &()) -> Suspects {
        Suspects
    }

    fn timer_limit(&self, _: Beat) -> Limit {
        Limit::Timers
    }

    fn synchrony(&self) -> Option<Synchrony> {
        Some(Synchrony {
            delay: self.timing.delay,
            from: self.timing.stable_from,
        })
    }

    fn is_due(&self, cluster: &Cluster<Self>, node: NodeId, _: Beat) -> bool {
        let beaten = cluster.believed(node).beaten();
        cluster.clock(node).0 >= beaten + self.timing.period
    }

    fn observe(&self, ghost: &mut Draft<'_, Ghost>, seen: Seen<'_, D>, _: &mut Vec<Broken>) {
        match seen {
            Seen::Shown {
                node,
                before: Some(before),
                after,
                clock,
            } => self.note_step(ghost, node, (before, after), clock.0),
            // What it was wrong about before is over.
            Seen::Shown { node, clock, .. } if clock.0 > 0 => {
                ghost.restarted.insert(node, clock.0);
                ghost
                    .mistakes
                    .retain(|(one, other), _| ![*one, *other].contains(&node));
            }
            _ => {}
        }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::properties()
    }

    fn goals(&self) -> Vec<Goal<Self>> {
        let mut goals = properties::goals(self);
        goals.extend(D::goals(&self.bounds));
        goals
    }

    fn draws() -> Draws {
        Draws {
            settings: D::draws(),
            halts: true,
            ..Draws::USUAL
        }
    }

    /// One that runs is enough to say whom it suspects.
    fn must_progress(&self, cluster: &Cluster<Self>, core: &[NodeId]) -> bool {
        core.iter().any(|node| !cluster.is_halted(*node))
    }

    fn describe(&self, _: NodeId, machine: &D, (): &()) -> String {
        machine.describe()
    }

    fn describe_operation(&self, (): &()) -> String {
        "whom do you suspect?".to_owned()
    }
}

/// Names of nodes in a line.
fn names(nodes: &BTreeSet<NodeId>) -> String {
    let names: Vec<String> = nodes.iter().map(NodeId::to_string).collect();
    match names.is_empty() {
        true => "nobody".to_owned(),
        false => names.join(", "),
    }
}
