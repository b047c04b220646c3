//! Evidence of a refutation checked once more, by trying all orders.
//!
//! This is the definition and nothing else: it knows the calls, and what the
//! specification makes of one call in one state. It shares with the engines
//! neither code nor any way to try fewer orders, so that a mistake of theirs is
//! none of its own. That is why it takes a few calls only.

use rustc_hash::FxHashSet;

use super::guard::Guard;
use super::object::{Call, Object, State};

/// So many calls have a bit.
pub(crate) const CALLS_MAX: usize = 128;
/// So often a call is tried as the next.
const TRIES_MAX: u64 = 1 << 15;

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
    /// The same, but what is counted is out of bounds, of which all calls were looked at.
    OutOfBounds,
    /// A limit was met before.
    LimitMet,
}

/// Whether these calls have no order from any of the states `starts`, as long as
/// `guard` allows it. An order holds all that are needed and any of the others, none
/// after one that was invoked when it had completed.
pub(crate) fn recheck(
    object: &Object,
    calls: &[Claimed],
    starts: &[State],
    guard: &mut Guard<'_>,
) -> Rechecked {
    if calls.len() > CALLS_MAX {
        return Rechecked::TooLarge;
    }
    let set = |is_in: &dyn Fn(&Claimed) -> bool| {
        let places = (0..).zip(calls).filter(|(_, it)| is_in(it));
        places.fold(0_u128, |set, (place, _)| set | 1 << place)
    };
    let bounds = calls.iter().map(|next| Bounds {
        before: set(&|it| it.needed && it.call.completed < next.call.invoked),
        after: set(&|it| next.call.completed < it.call.invoked),
    });
    let mut trial = Trial {
        object,
        guard,
        calls,
        bounds: bounds.collect(),
        needed: set(&|it| it.needed),
        seen: FxHashSet::default(),
        left: TRIES_MAX,
    };
    for &start in starts {
        match trial.has_order(0, start) {
            Some(false) => {}
            Some(true) => return Rechecked::Fails,
            None if trial.left > 0 => return Rechecked::LimitMet,
            None => return Rechecked::TooLarge,
        }
    }
    Rechecked::Holds
}

/// Sets of calls, by their places.
struct Bounds {
    /// The needed ones that had completed when a call was invoked.
    before: u128,
    /// Those that were invoked when it had completed.
    after: u128,
}

struct Trial<'a, 'b> {
    object: &'a Object,
    guard: &'a mut Guard<'b>,
    calls: &'a [Claimed],
    bounds: Vec<Bounds>,
    needed: u128,
    /// The calls that were placed, and the state that they left: what follows
    /// has been tried.
    seen: FxHashSet<(u128, State)>,
    left: u64,
}

impl Trial<'_, '_> {
    /// Whether the calls that are not `placed` can follow `state`; none if there
    /// was not enough left to know.
    fn has_order(&mut self, placed: u128, state: State) -> Option<bool> {
        if self.needed & !placed == 0 {
            return Some(true);
        }
        if !self.seen.insert((placed, state)) {
            return Some(false);
        }
        for (place, next) in self.calls.iter().enumerate() {
            let Bounds { before, after } = self.bounds[place];
            if placed >> place & 1 == 1 || before & !placed != 0 || after & placed != 0 {
                continue;
            }
            self.left = self.left.checked_sub(1)?;
            if !self.guard.allows(|| 0) {
                return None;
            }
            let Some(left) = self.object.step_as_specified(next.call.class, state) else {
                continue;
            };
            if self.has_order(placed | 1 << place, left)? {
                return Some(true);
            }
        }
        Some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specification::{Register, RegisterCall, RegisterReturn, TimedCall};

    fn recheck_all(object: &Object, calls: &[Claimed], starts: &[State]) -> Rechecked {
        recheck(object, calls, starts, &mut Guard::none())
    }

    fn writes_and_a_read(writes: u8, seen: u8) -> (Object, Vec<Claimed>) {
        let write = |value: u8| TimedCall {
            call: RegisterCall::Write(value),
            invoked: value.into(),
            completed: Some((200, RegisterReturn::Done)),
        };
        let read = TimedCall {
            call: RegisterCall::Read,
            invoked: 201,
            completed: Some((202, RegisterReturn::Value(seen))),
        };
        let calls: Vec<_> = (1..=writes).map(write).chain([read]).collect();
        let (object, calls) = Object::of_calls(Register { initial: 0 }, &calls);
        let claimed = calls.into_iter().map(|call| Claimed { call, needed: true });
        (object, claimed.collect())
    }

    #[test]
    fn what_has_an_order_fails() {
        let (object, mut calls) = writes_and_a_read(2, 1);
        assert_eq!(recheck_all(&object, &calls, &[0]), Rechecked::Fails);
        // After the other write it has none.
        calls[1].call.invoked = 201;
        calls[1].call.completed = 201;
        calls[2].call.invoked = 202;
        assert_eq!(recheck_all(&object, &calls, &[0]), Rechecked::Holds);
        calls[1].needed = false;
        assert_eq!(recheck_all(&object, &calls, &[0]), Rechecked::Fails);
    }

    #[test]
    fn every_start_counts() {
        let (object, calls) = writes_and_a_read(0, 0);
        assert_eq!(recheck_all(&object, &calls, &[0]), Rechecked::Fails);
        let (object, calls) = writes_and_a_read(0, 1);
        assert_eq!(
            recheck_all(&object, &calls, &[object.initial]),
            Rechecked::Holds
        );
        let seen = 1;
        assert_eq!(recheck_all(&object, &calls, &[0, seen]), Rechecked::Fails);
    }

    #[test]
    fn too_many_orders_are_not_tried() {
        for writes in [30, 140] {
            let (object, calls) = writes_and_a_read(writes, 0);
            assert_eq!(recheck_all(&object, &calls, &[0]), Rechecked::TooLarge);
        }
    }
}
