//! Whether a state is right.
//!
//! A state is judged once, when it is expanded. Its predecessor was judged
//! before it, and a state that is not right is never expanded; so what the
//! last action did not touch need not be judged again.

use tribunal_checker::{TimedCall, is_linearizable_small};
use tribunal_protocol::machine::NodeId;

use crate::clients::{Progress, Stage};
use crate::cluster::Cluster;
use crate::model::Model;
use crate::object::{CallOf, HistoryOf, Object};
use crate::panics::caught;
use crate::system::{Broken, Check, ModelSystem, PairCheck, Property};

/// The property that no step of a machine panics.
pub const NO_PANIC: &str = "No Panic";
/// The property that something can happen while something should.
pub const NO_STUCK_STATE: &str = "No Stuck State";
/// The property that the system is right about which messages are dead.
/// Judged only where they are left in the network.
pub const DEAD_MESSAGES: &str = "Dead Messages Have No Effect";

impl<S: ModelSystem> Model<S> {
    /// Judges a state on its way through the search, and counts what it
    /// shows. Says whether the state is right.
    pub(crate) fn visit(&self, state: &Cluster<S>) -> bool {
        if self.is_stopped() {
            return true;
        }
        self.tally.judged();
        for (index, goal) in self.goals.iter().enumerate() {
            if (goal.reached)(&self.system, state) {
                self.tally.goal(index);
            }
        }
        self.judge(state).is_none()
    }

    /// What of a state is not right.
    pub(crate) fn judge(&self, state: &Cluster<S>) -> Option<Broken> {
        if let Some(broken) = state.broken() {
            return Some(broken.clone());
        }
        let broken = caught(|| {
            let mut properties = self.properties.iter().enumerate();
            properties.find_map(|(place, property)| self.judge_one(place, property, state))
        });
        broken.unwrap_or_else(|said| Some(Broken::new(NO_PANIC, said)))
    }

    fn judge_one(
        &self,
        place: usize,
        property: &Property<S>,
        state: &Cluster<S>,
    ) -> Option<Broken> {
        if !self.may_break(property.name) {
            return None;
        }
        let system = &self.system;
        let why = match property.check {
            Check::Observed | Check::Linearizable | Check::Serializable | Check::FailMeansNever => {
                None
            }
            Check::Recoverable(_) => {
                let ways = self.ways.get(place)?.as_ref()?;
                return ways.judge(state, || self.is_stopped());
            }
            Check::Cluster(check) => check(system, state).err(),
            Check::Node(check) => state
                .nodes()
                .filter(|node| state.is_touched(*node))
                .find_map(|node| check(system, state, node).err()),
            Check::Pair(check) => {
                let touched =
                    |(a, b): &(NodeId, NodeId)| state.is_touched(*a) || state.is_touched(*b);
                let mut wrong = pairs(state.size())
                    .filter(touched)
                    .filter(|(a, b)| !self.is_pair_right(place, check, state, *a, *b));
                wrong.find_map(|(a, b)| check(system, state, a, b).err())
            }
        };
        why.map(|why| Broken::new(property.name, why))
    }

    fn is_pair_right(
        &self,
        place: usize,
        check: PairCheck<S>,
        state: &Cluster<S>,
        a: NodeId,
        b: NodeId,
    ) -> bool {
        let judge = || check(&self.system, state, a, b).is_ok();
        let Some(memory) = &self.memory else {
            return judge();
        };
        let nodes = [a, b].map(|node| state.node(node).number());
        let key = (place as u8, a, b, nodes[0], nodes[1]);
        memory.pairs.get(key, judge)
    }

    /// Whether the property is among those that are judged.
    pub(crate) fn may_break(&self, property: &'static str) -> bool {
        self.only.is_none_or(|only| only == property)
    }

    /// What a planned operation asks of the clients' object, where it is judged.
    pub(crate) fn call(&self, index: usize) -> Option<CallOf<S>> {
        let judges = |property: &Property<S>| {
            matches!(property.check, Check::Linearizable | Check::Serializable)
        };
        let is_judged = self.properties.iter().any(judges);
        let call = || S::Object::call(&self.system, &self.plan[index].operation);
        is_judged.then(call).flatten()
    }

    /// What of the clients' history the specification does not allow.
    pub(crate) fn judge_history(&self, history: &HistoryOf<S>) -> Option<Broken> {
        debug_assert_eq!(
            history.is_linearizable(),
            self.fits(history, Reading::Strict),
            "{history:?}"
        );
        if history.is_linearizable() {
            return None;
        }
        let named = |check: fn(&Check<S>) -> bool| {
            self.properties
                .iter()
                .find(|property| check(&property.check))
                .map(|property| property.name)
        };
        let judged = |name: &&'static str| self.may_break(name);
        let fail_means_never = named(|check| matches!(check, Check::FailMeansNever));
        if let Some(property) = fail_means_never.filter(judged)
            && self.fits(history, Reading::FailedAreOpen)
        {
            let why = "an operation that was said to have failed took effect";
            return Some(Broken::new(property, why));
        }
        let serializable = named(|check| matches!(check, Check::Serializable));
        if let Some(property) = serializable.filter(judged)
            && !self.fits(history, Reading::Timeless)
        {
            let why = "no order at all of the operations fits the specification";
            return Some(Broken::new(property, why));
        }
        let why = "no order of the operations fits the specification";
        let linearizable = named(|check| matches!(check, Check::Linearizable));
        linearizable.map(|property| Broken::new(property, why))
    }

    /// Whether the history as a whole fits the specification.
    pub(crate) fn fits(&self, history: &HistoryOf<S>, reading: Reading) -> bool {
        let operations = history.operations();
        let invoked = |before: u32| match reading {
            Reading::Timeless => 0,
            _ => 2 * before.count_ones(),
        };
        let mut timed = Vec::with_capacity(operations.len());
        for (index, progress) in operations.iter().enumerate() {
            let result = match &progress.stage {
                Stage::Planned => continue,
                Stage::Failed if reading != Reading::FailedAreOpen => continue,
                Stage::Failed | Stage::Open { .. } => None,
                Stage::Ok(result) => Some(S::Object::returned(result)),
            };
            let Some(call) = self.call(index) else {
                continue;
            };
            // Completions come in one order, so what was complete at one
            // invocation is part of what was complete at a later one: an
            // operation completed just before the first that knows of it.
            let knows = |other: &&Progress<_>| other.before & (1 << index) != 0;
            let first = operations
                .iter()
                .filter(knows)
                .map(|other| invoked(other.before))
                .min();
            let known = first.filter(|_| reading != Reading::Timeless);
            let completed = known.map_or(u32::MAX, |first| first - 1);
            timed.push(TimedCall {
                call,
                invoked: invoked(progress.before),
                completed: result.map(|returned| (completed, returned)),
            });
        }
        is_linearizable_small(&S::Object::specification(), &timed)
    }
}

/// How a history is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Failed operations are left out. So are histories judged event by event
    /// ([`crate::clients::History::is_linearizable`]); this is held against it.
    Strict,
    /// Failed operations are taken for open.
    FailedAreOpen,
    /// Failed operations are left out, and nothing comes before anything.
    Timeless,
}

fn pairs(nodes: usize) -> impl Iterator<Item = (NodeId, NodeId)> {
    let nodes = nodes as u8;
    (1..=nodes).flat_map(move |a| (a + 1..=nodes).map(move |b| (NodeId(a), NodeId(b))))
}
