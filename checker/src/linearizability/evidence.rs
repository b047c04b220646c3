//! Why a history has no order, in as few operations as can be.
//!
//! Three steps, each of which only allows more orders, so that what still has
//! none refutes the whole:
//!
//! 1. The smallest window. What happened before some moment is forgotten: the
//!    object may hold anything there, and calls that were open may take effect
//!    later or not. The latest such moment is looked for, from the end in steps
//!    that double, and then by bisection. Where no window will do (or none can
//!    be judged: what appends or containers hold, a single call does not tell)
//!    it is the whole history, from its initial state.
//! 2. The fewest operations. One call after the other, at first in halves, is
//!    allowed not to take effect (Zeller and Hildebrandt, "Simplifying and
//!    Isolating Failure-Inducing Input", 2002; since nothing is ever allowed
//!    less, one pass at each size is enough). Those without which there is an
//!    order are needed.
//! 3. What is left is checked again by [`super::certificate`].

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::certificate::{Rechecked, recheck};
use super::object::Object;
use super::rounds::Meter;
use super::subhistory::{Choosing, Start, SubHistory, may_start_anywhere};
use super::timeline::{Moment, Timeline};

/// So many configurations are looked at in all, and for one sub-history.
const CONFIGURATIONS_MAX: u64 = 1 << 21;
const CONFIGURATIONS_EACH: u64 = 1 << 16;

/// What refutes a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// The calls without which there is an order, by invocation.
    pub(crate) needed: Vec<u32>,
    /// The calls that may take effect or not, and are in the way of neither: with
    /// whichever of them, the needed ones have no order.
    pub(crate) optional: Vec<u32>,
    /// Where no order starts.
    pub(crate) start: Start,
    /// Whether it is known that no later window refutes, and that no needed call
    /// can be missed.
    pub(crate) smallest: bool,
    /// What the independent check says.
    pub(crate) rechecked: Rechecked,
}

/// The evidence that these calls, of which there is no order, have none.
pub(crate) fn evidence(object: &Arc<Object>, timeline: &Timeline, meter: &Meter<'_>) -> Evidence {
    let mut shrinking = Shrinking {
        object,
        timeline,
        choosing: Choosing::new(object, &timeline.calls),
        meter,
        left: CONFIGURATIONS_MAX,
        needed: Vec::new(),
        free: Vec::new(),
        start: Start::Initial,
    };
    shrinking.run()
}

struct Shrinking<'a> {
    object: &'a Arc<Object>,
    timeline: &'a Timeline,
    choosing: Choosing<'a>,
    meter: &'a Meter<'a>,
    /// How many configurations may be looked at.
    left: u64,
    /// The calls that are needed, and those that are not any more.
    needed: Vec<u32>,
    free: Vec<u32>,
    start: Start,
}

impl Shrinking<'_> {
    fn run(&mut self) -> Evidence {
        let mut sure = true;
        let anywhere = may_start_anywhere(self.object, &self.timeline.calls);
        let window = match anywhere {
            true => self.window(&mut sure),
            false => None,
        };
        self.start = match window {
            Some(_) => Start::Anywhere,
            None => Start::Initial,
        };
        (self.needed, self.free) = self.split(window.unwrap_or(0));
        let holds = window.is_some() || self.is_refuted(&self.needed.clone()) != Some(false);
        sure &= self.drop_calls();
        let SubHistory { calls, start } = self.part(&self.needed);
        let of = |needed: bool| {
            let some = calls.iter().filter(move |(_, it)| it.needed == needed);
            some.map(|&(call, _)| call).collect()
        };
        let claimed: Vec<_> = calls.iter().map(|&(_, it)| it).collect();
        let starts = self.part(&self.needed).starts(self.object);
        Evidence {
            needed: of(true),
            optional: of(false),
            start,
            smallest: sure && holds,
            rechecked: match holds {
                true => recheck(self.object, &claimed, &starts),
                false => Rechecked::Fails,
            },
        }
    }

    /// The latest moment from which on there is no order wherever that starts,
    /// if there is one.
    fn window(&mut self, sure: &mut bool) -> Option<u32> {
        let all = self.timeline.moments.len() as u32;
        // From `low` on there is none, from `high` on there is one.
        let mut high = all;
        let mut length = 4;
        let mut low = loop {
            let from = all.saturating_sub(length);
            match self.is_window(from) {
                Some(true) => break from,
                decided => *sure &= decided.is_some(),
            }
            if from == 0 || self.left == 0 {
                return None;
            }
            high = from;
            length = length.saturating_mul(2);
        };
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            match self.is_window(middle) {
                Some(true) => low = middle,
                decided => {
                    *sure &= decided.is_some();
                    high = middle;
                }
            }
        }
        Some(low)
    }

    fn is_window(&mut self, from: u32) -> Option<bool> {
        let (needed, free) = self.split(from);
        let part = self.choosing.choose(&needed, &free, Start::Anywhere);
        self.judge(&part)
    }

    /// The calls that begin and complete from this moment on, and those that
    /// only complete then.
    fn split(&self, from: u32) -> (Vec<u32>, Vec<u32>) {
        let mut needed = Vec::new();
        let mut free = Vec::new();
        for &moment in &self.timeline.moments[from as usize..] {
            match moment {
                Moment::Begin(call) => needed.push(call),
                // It is needed if it began here, which is before.
                Moment::End(call) => free.push(call),
                Moment::BeginUnknown(_) => {}
            }
        }
        let mut begun = needed.clone();
        begun.sort_unstable();
        free.retain(|call| begun.binary_search(call).is_err());
        (needed, free)
    }

    /// Drops calls as long as what is needed has no order; whether none of those
    /// that are left could be dropped for certain.
    fn drop_calls(&mut self) -> bool {
        let mut size = self.needed.len().div_ceil(2);
        let mut sure = true;
        while size > 0 {
            sure = true;
            let mut at = 0;
            while at < self.needed.len() {
                let until = (at + size).min(self.needed.len());
                let fewer = [&self.needed[..at], &self.needed[until..]].concat();
                match self.is_refuted(&fewer) {
                    Some(true) => {
                        self.free.extend(&self.needed[at..until]);
                        self.needed = fewer;
                    }
                    decided => {
                        sure &= decided.is_some();
                        at = until;
                    }
                }
            }
            size = match size {
                1 => 0,
                _ => size.div_ceil(2),
            };
        }
        sure
    }

    /// Whether these of the needed calls have no order.
    fn is_refuted(&mut self, needed: &[u32]) -> Option<bool> {
        if needed.is_empty() {
            return Some(false);
        }
        let part = self.part(needed);
        self.judge(&part)
    }

    fn part(&self, needed: &[u32]) -> SubHistory {
        let kept: FxHashSet<u32> = needed.iter().copied().collect();
        let dropped = self.needed.iter().filter(|call| !kept.contains(call));
        let free: Vec<u32> = self.free.iter().chain(dropped).copied().collect();
        self.choosing.choose(needed, &free, self.start)
    }

    fn judge(&mut self, part: &SubHistory) -> Option<bool> {
        // To prepare it costs as well.
        self.left = self.left.saturating_sub(part.calls.len() as u64);
        if self.left == 0 || !self.meter.goes_on() {
            self.left = 0;
            return None;
        }
        let mut left = self.left.min(CONFIGURATIONS_EACH);
        let given = left;
        let refuted = part.is_refuted(self.object, &mut left);
        self.left -= given - left;
        refuted
    }
}

/// The calls of a history whose evidence is looked for.
#[cfg(test)]
pub(crate) fn of_calls(object: &Arc<Object>, calls: Vec<super::object::Call>) -> Evidence {
    let limits = super::Limits::default();
    evidence(object, &Timeline::new(object, calls), &Meter::new(&limits))
}
