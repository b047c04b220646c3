//! Some calls of a history, judged by themselves.
//!
//! Of the calls of a history some are needed: an order must hold them. The
//! others need not take effect, yet if they do, then between their invocation
//! and their completion. Every order of the history is one of such a
//! sub-history too (the calls that are not needed all stay where they are), so
//! that a sub-history without an order refutes the history. So it is with a
//! start in any state at all.
//!
//! What is neither needed nor can be of use is left out:
//!
//! - what changes nothing, and
//! - what leaves a state that no other call sees in time. Where an order holds
//!   such a call, the next one is possible in every state, so that there is an
//!   order without it.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::certificate::Claimed;
use super::frontier::Taken;
use super::guard::Guard;
use super::mask::Mask;
use super::object::{Call, ELSEWHERE, NEVER, Object, State};
use super::sweep::frontier;
use super::timeline::{Moment, Timeline};
use crate::specification::{Effect, Sees};

/// Where the orders of a sub-history start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// In what the object holds at first.
    Initial,
    /// In any state.
    Anywhere,
}

/// Some calls of a history, and where their orders start.
#[derive(Clone, Debug)]
pub(crate) struct SubHistory {
    /// The calls in the order of invocation, each with its number in the
    /// history.
    pub(crate) calls: Vec<(u32, Claimed)>,
    pub(crate) start: Start,
}

impl SubHistory {
    /// These of the `calls`, from the initial state.
    pub(crate) fn of(calls: &[Call], these: &[u32], needed: impl Fn(u32) -> bool) -> Self {
        let claimed = |&call: &u32| {
            let claimed = Claimed {
                call: calls[call as usize],
                needed: needed(call),
            };
            (call, claimed)
        };
        SubHistory {
            calls: these.iter().map(claimed).collect(),
            start: Start::Initial,
        }
    }

    /// The states that it makes a difference to start in: those that a call
    /// sees, and one that none does.
    pub(crate) fn starts(&self, object: &Object) -> Vec<State> {
        if self.start == Start::Initial || object.is_anywhere {
            return vec![object.initial];
        }
        let effects = self
            .calls
            .iter()
            .map(|(_, it)| object.effect(it.call.class));
        let seen = effects.filter_map(|effect| match effect.sees() {
            Sees::One(state) => Some(state),
            Sees::None | Sees::Any => None,
        });
        let mut starts: Vec<State> = seen.chain([object.initial, ELSEWHERE]).collect();
        starts.sort_unstable();
        starts.dedup();
        starts
    }

    /// Whether it has no order; none if so many configurations are not enough to
    /// know, or `guard` does not allow that many.
    pub(crate) fn is_refuted(
        &self,
        object: &Arc<Object>,
        left: &mut u64,
        guard: &mut Guard<'_>,
    ) -> Option<bool> {
        let calls = self.calls.iter().map(|(_, it)| it.call).collect();
        let timeline = Arc::new(Timeline::new(object, calls, guard).ok()?);
        match timeline.slots {
            0..=64 => self.pass::<u64>(object, &timeline, left, guard),
            65..=128 => self.pass::<u128>(object, &timeline, left, guard),
            _ => None,
        }
    }

    fn pass<M: Mask>(
        &self,
        object: &Arc<Object>,
        timeline: &Arc<Timeline>,
        left: &mut u64,
        guard: &mut Guard<'_>,
    ) -> Option<bool> {
        let mut frontier = frontier::<M>(object, timeline, false);
        frontier.start_in(self.starts(object).into_iter());
        for &moment in &timeline.moments {
            match frontier.pass(object, timeline, moment, left, guard) {
                Taken::Accounted => {}
                Taken::Refuted => return Some(true),
                Taken::Unfinished => return None,
            }
            if let Moment::Begin(call) = moment
                && !self.calls[call as usize].1.needed
            {
                frontier.excuse(timeline.ends[call as usize].slot);
            }
        }
        Some(false)
    }
}

/// Takes sub-histories from a history.
pub(crate) struct Choosing<'a> {
    object: &'a Object,
    timeline: &'a Timeline,
    /// By state, the calls that can leave it.
    leaving: FxHashMap<State, Vec<u32>>,
    /// The other calls that may change a state.
    others: Vec<u32>,
}

impl<'a> Choosing<'a> {
    pub(crate) fn new(object: &'a Object, timeline: &'a Timeline) -> Self {
        let mut leaving: FxHashMap<State, Vec<u32>> = FxHashMap::default();
        let mut others = Vec::new();
        for (number, call) in (0..).zip(&timeline.calls) {
            let effect = object.effect(call.class);
            match effect.leaves() {
                Some(to) => leaving.entry(to).or_default().push(number),
                None if !effect.is_read_only() => others.push(number),
                None => {}
            }
        }
        Choosing {
            object,
            timeline,
            leaving,
            others,
        }
    }

    fn effect(&self, call: u32) -> Effect<State> {
        self.object.effect(self.timeline.class(call))
    }

    /// The first place at which a call has completed. Two ends in one place
    /// overlap.
    fn until(&self, call: u32) -> u32 {
        self.timeline.calls[call as usize]
            .completed
            .saturating_add(1)
    }

    /// The sub-history of the calls that are `needed`, with those of the others
    /// that may be of use and complete at the moment `from` or later.
    pub(crate) fn choose(&self, needed: &[u32], from: u32, start: Start) -> SubHistory {
        let claim = |needed: bool| {
            move |&call: &u32| {
                let timed = self.timeline.calls[call as usize];
                (
                    call,
                    Claimed {
                        call: timed,
                        needed,
                    },
                )
            }
        };
        let useful = self.useful(needed, from);
        let useful = useful.iter().map(claim(false));
        let mut calls: Vec<_> = needed.iter().map(claim(true)).chain(useful).collect();
        calls.sort_unstable_by_key(|(number, it)| (it.call.invoked, *number));
        SubHistory { calls, start }
    }

    /// Of the calls that are not needed those that may be of use.
    fn useful(&self, needed: &[u32], from: u32) -> Vec<u32> {
        let needed: FxHashSet<u32> = needed.iter().copied().collect();
        // What is of unknown outcome has no end in the timeline.
        let is_free = |&call: &u32| {
            self.timeline.ends[call as usize].moment >= from && !needed.contains(&call)
        };
        let others = || self.others.iter().copied().filter(is_free);
        let mut seen = SeenLast::default();
        for call in needed.iter().copied().chain(others()) {
            seen.note(self.effect(call), self.until(call));
        }
        let in_time = |state: State, until: u32| {
            let leaving = self.leaving.get(&state).into_iter().flatten().copied();
            let begun = move |call: &u32| self.timeline.calls[*call as usize].invoked < until;
            leaving.filter(begun).filter(is_free)
        };
        let mut noted = 0;
        while let Some(&(state, until)) = seen.noted.get(noted) {
            noted += 1;
            for call in in_time(state, until) {
                seen.note(self.effect(call), self.until(call));
            }
        }
        let mut useful: Vec<u32> = others().collect();
        let states: Vec<State> = match seen.any {
            0 => seen.by_state.keys().copied().collect(),
            _ => self.leaving.keys().copied().collect(),
        };
        for state in states {
            useful.extend(in_time(state, seen.until(state)));
        }
        useful
    }
}

/// When states are seen last: the place at which the last call that sees one
/// has completed, 0 if none does.
#[derive(Default)]
struct SeenLast {
    by_state: FxHashMap<State, u32>,
    /// Where the last has completed that may see any.
    any: u32,
    /// Each state that was noted, as often as it came to be seen later.
    noted: Vec<(State, u32)>,
}

impl SeenLast {
    fn note(&mut self, effect: Effect<State>, until: u32) {
        match effect {
            Effect::Observe(Some(state)) | Effect::Change { from: state, .. } => {
                let last = self.by_state.entry(state).or_default();
                if *last < until {
                    *last = until;
                    self.noted.push((state, until));
                }
            }
            // Whatever leaves another state may be of use to it.
            Effect::Avoid(_) | Effect::Observe(None) | Effect::Total | Effect::Other => {
                self.any = self.any.max(until);
            }
            Effect::Replace(_) => {}
        }
    }

    fn until(&self, state: State) -> u32 {
        let seen = self.by_state.get(&state).copied();
        seen.unwrap_or_default().max(self.any)
    }
}

/// Whether sub-histories of these calls may start anywhere: what a call does in
/// a state that none names is known.
pub(crate) fn may_start_anywhere(object: &Object, calls: &[Call]) -> bool {
    let is_known = |call: &Call| match object.effect(call.class) {
        Effect::Observe(None) => object.steps.knows_elsewhere() || call.completed == NEVER,
        effect => effect.sees() != Sees::Any,
    };
    calls.iter().all(is_known)
}
