//! Evidence of a refutation checked once more, by trying all orders.
//!
//! This is the definition and nothing else: it knows the calls, and what the
//! specification makes of one call in one state. It shares with the engines
//! neither code nor any way to try fewer orders, so that a mistake of theirs is
//! none of its own. That is why it takes a few calls only.

use rustc_hash::FxHashSet;

use super::object::{Call, Object, State};

/// So many calls have a bit.
const CALLS_MAX: usize = 128;
/// So often a call is tried as the next.
const TRIES_MAX: u64 = 1 << 18;

/// A call, as the evidence has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claimed {
    pub(crate) call: Call,
    /// Whether every order must hold it; any other may.
    pub(crate) needed: bool,
}

/// What became of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rechecked {
    /// There is no order.
    Holds,
    /// There is one.
    Fails,
    /// There are too many calls, or too many orders, to try them all.
    TooLarge,
}

/// Whether these calls have no order from any of the states `starts`. An order
/// holds all that are needed and any of the others, none after one that was
/// invoked when it had completed.
pub(crate) fn recheck(object: &Object, calls: &[Claimed], starts: &[State]) -> Rechecked {
    if calls.len() > CALLS_MAX {
        return Rechecked::TooLarge;
    }
    let mut trial = Trial {
        object,
        calls,
        seen: FxHashSet::default(),
        left: TRIES_MAX,
    };
    for &start in starts {
        match trial.has_order(0, start) {
            Some(false) => {}
            Some(true) => return Rechecked::Fails,
            None => return Rechecked::TooLarge,
        }
    }
    Rechecked::Holds
}

struct Trial<'a> {
    object: &'a Object,
    calls: &'a [Claimed],
    /// The calls that were placed, and the state that they left: what follows
    /// has been tried.
    seen: FxHashSet<(u128, State)>,
    left: u64,
}

impl Trial<'_> {
    /// Whether the calls that are not `placed` can follow `state`; none if there
    /// was not enough left to know.
    fn has_order(&mut self, placed: u128, state: State) -> Option<bool> {
        let calls = self.calls;
        let is_placed = |place: usize| placed >> place & 1 == 1;
        if (0..calls.len()).all(|place| is_placed(place) || !calls[place].needed) {
            return Some(true);
        }
        if !self.seen.insert((placed, state)) {
            return Some(false);
        }
        for (place, next) in calls.iter().enumerate() {
            let forbids = |(other, it): (usize, &Claimed)| match is_placed(other) {
                true => next.call.completed < it.call.invoked,
                false => it.needed && it.call.completed < next.call.invoked,
            };
            if is_placed(place) || calls.iter().enumerate().any(forbids) {
                continue;
            }
            self.left = self.left.checked_sub(1)?;
            let Some(after) = self.object.step_as_specified(next.call.class, state) else {
                continue;
            };
            if self.has_order(placed | 1 << place, after)? {
                return Some(true);
            }
        }
        Some(false)
    }
}
