//! Whether a cluster finds its way from a state to where it should be able to
//! get, once nothing goes wrong any more: what [`crate::system::Recovery`]
//! asks.
//!
//! Such a property is judged where the others are, in every state that the
//! search visits; so a state from which there is no way has a path like any
//! violation. What differs is that judging takes a search of its own, from that
//! state on, for one way. It ends with the first state that is known to have
//! one, and remembers what it found out of all that it met; so the searches
//! from millions of states together expand each state once.
//!
//! # What a way is made of
//!
//! Deliveries, expiries, persists that complete, clients' requests, sessions
//! that are told, clocks that advance: within budgets of the way's own, none of
//! which the steps before it have spent. No crash, no broken session, no copy,
//! no loss, no lost answer, and no operator: nobody need be there.
//!
//! # Why reductions change nothing
//!
//! - *loss*: a message that is never delivered stands for a lost one. A way
//!   could use it all the same, and there might be none from the state in which
//!   it is really lost. So a way begins with an empty bag: everything that was
//!   under way is lost. Of all states that differ only in what was lost this is
//!   the one with the fewest ways, since what is under way in a bag may be left
//!   there; so it answers for all of them. Sessions lose messages only by
//!   breaking, which is an action, so their lanes stay as they are.
//! - *no_ops*: a delivery without an effect takes a message out of a bag, in
//!   which nothing waits for it to be gone.
//! - *dead*: the same, of messages that will never have an effect.
//! - *timers*: an expiry without an effect leaves a cluster with less of a
//!   budget; but budgets of a way are its own.
//! - *at_once*: a node whose persist is not reported yet does the rest of the
//!   step when it is, which is a step of a way; a crash before that is one
//!   before the step. So what a recovery begins from ([`Recovery::from`]) must
//!   not cease to hold by a persist that completes.
//! - *symmetry*: of states that differ in the names of nodes only, one is
//!   asked; so it must be asked, and answered, without names.
//!
//! Where there must be no way ([`Recovery::exists`]), that is asked of the state
//! in which everything under way is lost, and of no other.
//!
//! A bound on messages in flight does not bind a way. Where a system stops a
//! search ([`ModelSystem::is_beyond`]), counted from where the way begins, a way
//! is neither found nor excluded: that leaves the property unknown.

use std::sync::atomic::{AtomicU64, Ordering};

use rustc_hash::FxHashMap;
use tribunal_protocol::NodeId;

use crate::action::{Action, Step};
use crate::bounds::Limit;
use crate::cluster::{ALL, Cluster};
use crate::model::Model;
use crate::react::Cause;
use crate::shared::content_hash;
use crate::store::Known;
use crate::system::{Broken, Check, ModelSystem, Property, Recovery};
use crate::tally::Kind;

/// What a way may not spend.
const WITHHELD: [Limit; 7] = [
    Limit::Crashes,
    Limit::Halts,
    Limit::Duplicates,
    Limit::Breaks,
    Limit::Compactions,
    Limit::Changes,
    Limit::Transfers,
];

/// A property of ways, ready to be judged.
pub(crate) struct Ways<S: ModelSystem> {
    property: &'static str,
    recovery: Recovery<S>,
    /// The cluster as it may go on.
    model: Model<S>,
    /// Whether there is a way, by the hashes of states.
    known: Known<bool>,
    asked: AtomicU64,
    open: AtomicU64,
}

/// Whether there is a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Unsettled,
    There,
    /// None is known, and the system would not let all be tried.
    Open,
}

impl<S: ModelSystem> Model<S> {
    /// The same model, which also judges properties of ways.
    pub(crate) fn asking_for_ways(mut self, bug: Option<&'static str>) -> Self {
        let ways = |property: &Property<S>| match property.check {
            Check::Recoverable(recovery) if self.may_break(property.name) => {
                Some(Ways::new(&self, bug, property.name, recovery).into())
            }
            _ => None,
        };
        self.ways = self.properties.iter().map(ways).collect();
        self
    }
}

impl<S: ModelSystem> Ways<S> {
    fn new(
        model: &Model<S>,
        bug: Option<&'static str>,
        property: &'static str,
        recovery: Recovery<S>,
    ) -> Self {
        let mut bounds = (recovery.grant)(model.settings.bounds).with(Limit::InFlight, 0);
        for limit in WITHHELD {
            bounds = bounds.with(limit, 0);
        }
        let mut model = model.within(bounds, S::new(&bounds, bug));
        model.only = Some(property);
        Ways {
            property,
            recovery,
            model,
            known: Known::new(),
            asked: AtomicU64::new(0),
            open: AtomicU64::new(0),
        }
    }

    /// The same question, with nothing known yet, asked in a model that
    /// remembers nothing.
    pub(crate) fn replaying(&self) -> Self {
        Ways {
            property: self.property,
            recovery: self.recovery,
            model: self.model.replaying(),
            known: Known::new(),
            asked: AtomicU64::new(0),
            open: AtomicU64::new(0),
        }
    }

    pub(crate) fn property(&self) -> &'static str {
        self.property
    }

    /// From how many states a way was asked for.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// From how many of them none was found nor excluded.
    pub(crate) fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// How many states on ways were met.
    pub(crate) fn met(&self) -> u64 {
        self.known.len() as u64
    }

    /// Judges a state, until `is_stopped`.
    pub(crate) fn judge(
        &self,
        state: &Cluster<S>,
        is_stopped: impl Fn() -> bool,
    ) -> Option<Broken> {
        let (start, hash) = self.start(state);
        if !(self.recovery.from)(&self.model.system, &start) {
            return None;
        }
        self.asked.fetch_add(1, Ordering::Relaxed);
        let is_there = self.known.get(hash).or_else(|| {
            let search = Search::new(self, start);
            match search.run(hash, is_stopped)? {
                Fate::There => Some(true),
                Fate::Unsettled => Some(false),
                Fate::Open => {
                    self.open.fetch_add(1, Ordering::Relaxed);
                    None
                }
            }
        });
        (is_there == Some(!self.recovery.exists))
            .then(|| Broken::new(self.property, self.why(state)))
    }

    fn why(&self, state: &Cluster<S>) -> String {
        let lost = match state.network.is_bag() {
            true => "once everything under way is lost, ",
            false => "",
        };
        let goal = self.recovery.goal;
        match self.recovery.exists {
            true => {
                format!("{lost}no way leads from here to {goal}, though nothing else goes wrong")
            }
            false => format!("{lost}a way leads from here to {goal}"),
        }
    }

    /// The state from which there must be a way, and its hash.
    fn start(&self, state: &Cluster<S>) -> (Cluster<S>, u64) {
        let mut start = state.clone();
        start.network.lose_all();
        if self.recovery.repairs {
            start = self.repaired(start);
        }
        start.refill(&self.model.settings.bounds);
        // Nothing that happens from here on depends on it.
        start.had_faults = true;
        start.touched = ALL;
        let hash = self.hash(&start);
        (start, hash)
    }

    /// The state in which whoever has stopped for good is back, with what it
    /// has on disk. It keeps no persist that is outstanding: had it kept one,
    /// it would have stopped a little later.
    fn repaired(&self, mut state: Cluster<S>) -> Cluster<S> {
        let stopped: Vec<NodeId> = state
            .nodes()
            .filter(|node| state.is_halted(*node))
            .collect();
        state.halted = 0;
        for node in stopped {
            let once = self.model.settings.bounds.with(Limit::Crashes, 1);
            state.refill(&once);
            let reaction = self.model.react(&state, node, Cause::Crash(0));
            let step = Step::Crash { node, kept: 0 };
            state = self.model.perform(&state, &Action::with(step, reaction));
        }
        state
    }

    fn hash(&self, state: &Cluster<S>) -> u64 {
        content_hash(state.salt, state)
    }

    fn is_end(&self, state: &Cluster<S>) -> bool {
        (self.recovery.to)(&self.model.system, state)
    }

    /// What may happen in a state on a way; patience is lost last, since ways
    /// are shorter without.
    fn steps(&self, state: &Cluster<S>) -> Vec<Action<S>> {
        let mut actions = Vec::new();
        self.model.enabled(state, &mut actions);
        actions.retain(|action| is_step(action.kind()));
        actions.sort_by_key(|action| matches!(action.kind(), Kind::Expire | Kind::Tick));
        actions
    }
}

/// Whether a way may be made of it.
fn is_step(kind: Kind) -> bool {
    match kind {
        Kind::Deliver
        | Kind::Expire
        | Kind::Persist
        | Kind::Invoke
        | Kind::Retry
        | Kind::Tell
        | Kind::Tick => true,
        Kind::Duplicate
        | Kind::Lose
        | Kind::Crash
        | Kind::LoseAnswer
        | Kind::Administer
        | Kind::Break
        | Kind::Halt
        | Kind::Step
        | Kind::Stuck => false,
    }
}

/// A search for one way, the latest state first.
struct Search<'a, S: ModelSystem> {
    ways: &'a Ways<S>,
    /// Where every way begins.
    start: Cluster<S>,
    /// The states met, by their hashes: places in `fates`.
    places: FxHashMap<u64, u32>,
    hashes: Vec<u64>,
    fates: Vec<Fate>,
    /// Steps, each from a place to one that was met.
    steps: Vec<(u32, u32)>,
    /// The way that is being tried.
    trail: Vec<Stand<S>>,
}

/// A state on the way that is being tried.
struct Stand<S: ModelSystem> {
    place: u32,
    state: Cluster<S>,
    /// What was not tried yet.
    left: std::vec::IntoIter<Action<S>>,
}

impl<'a, S: ModelSystem> Search<'a, S> {
    fn new(ways: &'a Ways<S>, start: Cluster<S>) -> Self {
        Search {
            ways,
            start,
            places: FxHashMap::default(),
            hashes: Vec::new(),
            fates: Vec::new(),
            steps: Vec::new(),
            trail: Vec::new(),
        }
    }

    /// Whether there is a way from the start, of this hash; nothing if the
    /// search was stopped.
    fn run(mut self, hash: u64, is_stopped: impl Fn() -> bool) -> Option<Fate> {
        self.meet(self.start.clone(), hash);
        while let Some(stand) = self.trail.last_mut() {
            if is_stopped() {
                return None;
            }
            let Some(action) = stand.left.next() else {
                self.trail.pop();
                continue;
            };
            let from = stand.place;
            let next = self.ways.model.perform(&stand.state, &action);
            if next.broken.is_some() {
                continue;
            }
            let hash = self.ways.hash(&next);
            let to = match self.places.get(&hash) {
                Some(place) => *place,
                None => self.meet(next, hash),
            };
            self.steps.push((from, to));
            if self.fates[to as usize] == Fate::There {
                break;
            }
        }
        self.settle();
        Some(self.fates[0])
    }

    /// Meets a state for the first time, and goes on from it unless its fate is
    /// known.
    fn meet(&mut self, state: Cluster<S>, hash: u64) -> u32 {
        let place = self.fates.len() as u32;
        self.places.insert(hash, place);
        self.hashes.push(hash);
        let known = self.ways.known.get(hash);
        let system = &self.ways.model.system;
        let fate = if known == Some(true) || self.ways.is_end(&state) {
            Fate::There
        } else if known.is_none() && system.is_beyond(&self.start, &state) {
            Fate::Open
        } else {
            Fate::Unsettled
        };
        self.fates.push(fate);
        if known.is_none() && fate == Fate::Unsettled {
            let left = self.ways.steps(&state).into_iter();
            self.trail.push(Stand { place, state, left });
        }
        place
    }

    /// Whoever has a step to where there is a way has one; whoever has none and
    /// a step to where that is open is open. Of the rest every step was tried:
    /// had the search ended early, they would be on the way that it found.
    fn settle(&mut self) {
        self.steps.sort_unstable_by_key(|(_, to)| *to);
        self.spread(Fate::There);
        self.spread(Fate::Open);
        for (hash, fate) in self.hashes.iter().zip(&self.fates) {
            // What is open is so as seen from this start alone.
            if *fate != Fate::Open {
                self.ways.known.put(*hash, *fate == Fate::There);
            }
        }
    }

    fn spread(&mut self, fate: Fate) {
        let places = 0..self.fates.len() as u32;
        let mut reached: Vec<u32> = places
            .filter(|place| self.fates[*place as usize] == fate)
            .collect();
        while let Some(reached_one) = reached.pop() {
            let first = self.steps.partition_point(|(_, to)| *to < reached_one);
            let into = self.steps[first..].iter();
            for (from, _) in into.take_while(|(_, to)| *to == reached_one) {
                let known = &mut self.fates[*from as usize];
                if *known == Fate::Unsettled {
                    *known = fate;
                    reached.push(*from);
                }
            }
        }
    }
}
