//! One object's history, prepared for the search: what happens moment by
//! moment, and a cursor that goes forth and back over it.

use std::hash::Hash;

use rustc_hash::{FxHashMap, FxHashSet};

use super::slots::Slots;
use crate::specification::{Effect, Specification, TimedCallOf};

/// One object's history.
#[derive(Debug)]
pub(crate) struct Timeline<S: Specification> {
    pub(crate) calls: Vec<Prepared<S>>,
    pub(crate) moments: Vec<Moment>,
    /// How many slots the calls share.
    pub(crate) slots: usize,
    pub(crate) classes: Classes<S>,
    /// Up to which moment a state can still be seen, where a single state is.
    seen_until: FxHashMap<S::State, u32>,
    /// Up to which moment any state can still matter.
    any_seen_until: u32,
    /// The first completion that no order can account for, because nothing
    /// that began before it leaves the state it needs.
    pub(crate) wall: Option<u32>,
}

/// A call and what the search needs to know of it.
#[derive(Debug)]
pub(crate) struct Prepared<S: Specification> {
    pub(crate) timed: TimedCallOf<S>,
    pub(crate) effect: Effect<S::State>,
    /// Where it ends: the moment, and the slot it holds until then. None for
    /// a call of unknown outcome.
    pub(crate) end: Option<End>,
    /// Equal calls with equal answers have equal numbers.
    pub(crate) class: u32,
    /// The last moment at which the state may be seen that it leaves, as far
    /// as that is one; see [`Timeline::seen_until`].
    pub(crate) seen_until: u32,
}

/// Where a call ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) moment: u32,
    pub(crate) slot: u32,
}

/// The classes of calls of unknown outcome.
#[derive(Debug)]
pub(crate) struct Classes<S: Specification> {
    /// The calls of each class, in the order of invocation.
    pub(crate) calls: Vec<Vec<u32>>,
    /// The classes that can leave a state.
    pub(crate) leaving: FxHashMap<S::State, Vec<u32>>,
    /// The classes of which more is not known.
    pub(crate) others: Vec<u32>,
}

/// What happens at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// A call begins that will complete.
    Begin(u32),
    /// A call begins whose outcome stays unknown.
    BeginUnknown(u32),
    /// A call completes.
    End(u32),
}

impl<S: Specification> Timeline<S> {
    /// Prepares calls of one object. What changes nothing and whose answer
    /// is not known says nothing, and is left out of the moments.
    pub(crate) fn new(specification: &S, calls: Vec<TimedCallOf<S>>) -> Self {
        let mut timeline = Timeline {
            calls: Vec::with_capacity(calls.len()),
            moments: Vec::new(),
            slots: 0,
            classes: Classes {
                calls: Vec::new(),
                leaving: FxHashMap::default(),
                others: Vec::new(),
            },
            seen_until: FxHashMap::default(),
            any_seen_until: 0,
            wall: None,
        };
        let mut completed = Numbers::default();
        let mut unknown = Numbers::default();
        for timed in calls {
            let effect = specification.effect(&timed.call, timed.returned());
            let numbers = match timed.completed {
                Some(_) => &mut completed,
                None => &mut unknown,
            };
            let class = numbers.number((timed.call.clone(), timed.returned().cloned()));
            timeline.calls.push(Prepared {
                timed,
                effect,
                end: None,
                class,
                seen_until: 0,
            });
        }
        timeline.arrange();
        timeline.note_what_is_seen();
        timeline.note_what_is_left();
        timeline.wall = timeline.find_wall(specification.initial());
        timeline
    }

    /// Whether it still matters after `moment` that the object held `state`.
    pub(crate) fn may_be_seen(&self, state: &S::State, moment: u32) -> bool {
        self.any_seen_until > moment
            || self
                .seen_until
                .get(state)
                .is_some_and(|&until| until > moment)
    }

    /// What a call does, for all states at once.
    pub(crate) fn effect(&self, call: u32) -> &Effect<S::State> {
        &self.calls[call as usize].effect
    }

    /// What the object holds after a call, if it is possible in `state`.
    pub(crate) fn step(&self, specification: &S, call: u32, state: &S::State) -> Option<S::State> {
        let timed = &self.calls[call as usize].timed;
        specification.step(state, &timed.call, timed.returned())
    }

    /// The last moment at which a call may see `state`; 0 for none.
    pub(crate) fn seen_until(&self, state: &S::State) -> u32 {
        let seen = self.seen_until.get(state).copied().unwrap_or_default();
        seen.max(self.any_seen_until)
    }

    /// Lists the moments in order and gives out the slots.
    fn arrange(&mut self) {
        let mut events = Vec::with_capacity(2 * self.calls.len());
        for (number, call) in (0..).zip(&self.calls) {
            match call.timed.completed {
                Some((completed, _)) => {
                    events.push((call.timed.invoked, Moment::Begin(number)));
                    events.push((completed, Moment::End(number)));
                }
                None if call.effect.is_read_only() => {}
                None => events.push((call.timed.invoked, Moment::BeginUnknown(number))),
            }
        }
        // In one place calls begin before others end: they overlap.
        events.sort_by_key(|&(place, moment)| (place, matches!(moment, Moment::End(_))));
        self.moments = events.into_iter().map(|(_, moment)| moment).collect();
        let mut free = Vec::new();
        let mut slots = 0;
        let mut held = vec![0; self.calls.len()];
        for (place, &moment) in (0..).zip(&self.moments) {
            match moment {
                Moment::Begin(call) => {
                    held[call as usize] = free.pop().unwrap_or_else(|| {
                        slots += 1;
                        slots - 1
                    });
                }
                Moment::End(call) => {
                    let slot = held[call as usize];
                    self.calls[call as usize].end = Some(End {
                        moment: place,
                        slot,
                    });
                    free.push(slot);
                }
                Moment::BeginUnknown(call) => self.classes.add(call, &self.calls[call as usize]),
            }
        }
        self.slots = slots as usize;
    }

    /// Most wrong reads are found here, without a search: without this one
    /// would try every order of what came before to explain them.
    fn find_wall(&self, initial: S::State) -> Option<u32> {
        let mut left: FxHashSet<&S::State> = FxHashSet::from_iter([&initial]);
        let wall = self.moments.iter().position(|&moment| match moment {
            Moment::Begin(call) | Moment::BeginUnknown(call) => {
                match &self.calls[call as usize].effect {
                    Effect::Replace(to) | Effect::Change { to, .. } => left.insert(to),
                    Effect::Observe(_) | Effect::Total | Effect::Other => true,
                };
                false
            }
            Moment::End(call) => match &self.calls[call as usize].effect {
                Effect::Observe(Some(from)) | Effect::Change { from, .. } => !left.contains(from),
                Effect::Observe(None) | Effect::Replace(_) | Effect::Total | Effect::Other => false,
            },
        })?;
        // What a call of which nothing is known leaves, only a search can say.
        let is_known = |moment: &Moment| match *moment {
            Moment::Begin(call) | Moment::BeginUnknown(call) => {
                self.calls[call as usize].effect != Effect::Other
            }
            Moment::End(_) => true,
        };
        self.moments[..wall]
            .iter()
            .all(is_known)
            .then_some(wall as u32)
    }

    fn note_what_is_left(&mut self) {
        let mut calls = std::mem::take(&mut self.calls);
        for call in &mut calls {
            if let Effect::Replace(to) | Effect::Change { to, .. } = &call.effect {
                call.seen_until = self.seen_until(to);
            }
        }
        self.calls = calls;
    }

    fn note_what_is_seen(&mut self) {
        for call in &self.calls {
            let until = match call.end {
                Some(end) => end.moment,
                None if call.effect.is_read_only() => continue,
                None => u32::MAX,
            };
            match &call.effect {
                Effect::Observe(Some(state)) | Effect::Change { from: state, .. } => {
                    let last = self.seen_until.entry(state.clone()).or_default();
                    *last = until.max(*last);
                }
                Effect::Observe(None) | Effect::Total | Effect::Other => {
                    self.any_seen_until = self.any_seen_until.max(until);
                }
                Effect::Replace(_) => {}
            }
        }
    }
}

impl<S: Specification> Classes<S> {
    fn add(&mut self, call: u32, prepared: &Prepared<S>) {
        let class = prepared.class as usize;
        if self.calls.len() <= class {
            self.calls.resize(class + 1, Vec::new());
        }
        self.calls[class].push(call);
        if self.calls[class].len() > 1 {
            return;
        }
        match &prepared.effect {
            Effect::Replace(to) | Effect::Change { to, .. } => {
                let leaving = self.leaving.entry(to.clone()).or_default();
                leaving.push(prepared.class);
            }
            Effect::Total | Effect::Other => self.others.push(prepared.class),
            Effect::Observe(_) => {}
        }
    }
}

/// Numbers things by what they are.
struct Numbers<T>(FxHashMap<T, u32>);

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Numbers(FxHashMap::default())
    }
}

impl<T: Eq + Hash> Numbers<T> {
    fn number(&mut self, thing: T) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry(thing).or_insert(next)
    }
}

/// A place in a timeline, and what is open there.
#[derive(Debug)]
pub(crate) struct Cursor<B> {
    /// The next moment.
    pub(crate) at: u32,
    /// The slots of the calls that began before and end later.
    pub(crate) open: B,
    /// The call in each slot that is open.
    holders: Vec<u32>,
    /// How many calls of each class of unknown outcome began before.
    begun: Vec<u32>,
}

impl<B: Slots> Cursor<B> {
    pub(crate) fn new<S: Specification>(timeline: &Timeline<S>) -> Self {
        Cursor {
            at: 0,
            open: B::empty(timeline.slots),
            holders: vec![0; timeline.slots],
            begun: vec![0; timeline.classes.calls.len()],
        }
    }

    /// The call that holds a slot which is open.
    pub(crate) fn holder(&self, slot: u32) -> u32 {
        self.holders[slot as usize]
    }

    /// How many calls of a class of unknown outcome began so far.
    pub(crate) fn begun(&self, class: u32) -> u32 {
        self.begun[class as usize]
    }

    /// Goes past the next moment.
    pub(crate) fn forward<S: Specification>(&mut self, timeline: &Timeline<S>) {
        match timeline.moments[self.at as usize] {
            Moment::Begin(call) => self.hold(timeline, call),
            Moment::BeginUnknown(call) => {
                self.begun[timeline.calls[call as usize].class as usize] += 1;
            }
            Moment::End(call) => self.release(timeline, call),
        }
        self.at += 1;
    }

    /// Goes back to an earlier moment.
    pub(crate) fn back_to<S: Specification>(&mut self, timeline: &Timeline<S>, at: u32) {
        while self.at > at {
            self.at -= 1;
            match timeline.moments[self.at as usize] {
                Moment::Begin(call) => self.release(timeline, call),
                Moment::BeginUnknown(call) => {
                    self.begun[timeline.calls[call as usize].class as usize] -= 1;
                }
                Moment::End(call) => self.hold(timeline, call),
            }
        }
    }

    fn hold<S: Specification>(&mut self, timeline: &Timeline<S>, call: u32) {
        if let Some(End { slot, .. }) = timeline.calls[call as usize].end {
            self.open.insert(slot);
            self.holders[slot as usize] = call;
        }
    }

    fn release<S: Specification>(&mut self, timeline: &Timeline<S>, call: u32) {
        if let Some(End { slot, .. }) = timeline.calls[call as usize].end {
            self.open.remove(slot);
        }
    }
}
