//! Linearizability of a handful of operations, in well under a microsecond.
//!
//! A model checker asks this at every state it visits, of histories that a
//! bounded cluster can make: a dozen operations at most. Nothing is allocated
//! unless an order had to be given up.
//!
//! Exponential in the number of operations that overlap; the histories that
//! campaigns record belong to [`crate::linearizability`].

use rustc_hash::FxHashSet;

use crate::linearizability::{Limits, Order, check_calls};
use crate::specification::{Specification, TimedCallOf};

/// Up to so many operations are small.
pub(crate) const OPERATIONS_MAX: usize = 64;

/// Whether the operations, all on one object, can be put in an order that
/// `specification` allows and in which none stands before another that had
/// completed when it was invoked.
///
/// Takes any number of operations, but is made for a few.
pub fn is_linearizable_small<S: Specification>(
    specification: &S,
    operations: &[TimedCallOf<S>],
) -> bool {
    if operations.len() > OPERATIONS_MAX {
        let limits = Limits {
            threads: 1,
            ..Limits::default()
        };
        return match check_calls(specification, operations, &limits) {
            Order::Found(_) => true,
            Order::None(_) => false,
            Order::Unknown(limit) => panic!("nothing limits it: {limit}"),
        };
    }
    let all = first(operations.len());
    let mut search = Search::new(specification, all, |place| {
        let operation = &operations[place];
        (&operation.call, operation.returned())
    });
    for (place, operation) in operations.iter().enumerate() {
        let Some((completed, _)) = operation.completed else {
            continue;
        };
        for (other, later) in operations.iter().enumerate() {
            search.before[other] |= u64::from(completed < later.invoked) << place;
        }
    }
    search.finds_order()
}

/// The search for an order of a few operations.
pub(crate) struct Search<'a, S: Specification, F> {
    specification: &'a S,
    /// What was asked and answered, by the operation's place.
    asked: F,
    /// By operation, the set of those that must stand before it. Nothing, until it
    /// is given.
    pub(crate) before: [u64; OPERATIONS_MAX],
    /// The operations that may be placed.
    all: u64,
    /// The operations that must be placed.
    required: u64,
    /// The operations that change no state.
    read_only: u64,
    /// From where no order is left: what was placed, and the state it led to.
    refuted: FxHashSet<(u64, S::State)>,
    /// What was placed, in order.
    pub(crate) order: Placed,
}

impl<'a, S: Specification, F> Search<'a, S, F>
where
    F: Fn(usize) -> (&'a S::Call, Option<&'a S::Return>),
{
    /// A search among the operations in the places that are set in `all`; those
    /// that were answered must be placed.
    pub(crate) fn new(specification: &'a S, all: u64, asked: F) -> Self {
        let mut search = Search {
            specification,
            before: [0; OPERATIONS_MAX],
            all,
            required: 0,
            read_only: 0,
            refuted: FxHashSet::default(),
            order: Placed::default(),
            asked,
        };
        for place in bits(all) {
            let (call, returned) = (search.asked)(place);
            let effect = specification.effect(call, returned);
            search.read_only |= u64::from(effect.is_read_only()) << place;
            search.required |= u64::from(returned.is_some()) << place;
        }
        search
    }

    /// Whether there is an order, which `order` is then.
    pub(crate) fn finds_order(&mut self) -> bool {
        self.explains_rest(0, self.specification.initial())
    }

    /// Whether the operations that are not in `placed` can follow `state`.
    fn explains_rest(&mut self, placed: u64, state: S::State) -> bool {
        let placed = self.place_reads(placed, &state);
        if self.required & !placed == 0 {
            return true;
        }
        if !self.refuted.is_empty() && self.refuted.contains(&(placed, state.clone())) {
            return false;
        }
        let length = self.order.length;
        for place in bits(self.all & !self.read_only & !placed) {
            if !self.may_be_next(place, placed) {
                continue;
            }
            let Some(next) = self.step(place, &state) else {
                continue;
            };
            let idle = self.required >> place & 1 == 0 && next == state;
            if idle {
                continue;
            }
            self.order.push(place);
            if self.explains_rest(placed | 1 << place, next) {
                return true;
            }
            self.order.length = length;
        }
        self.refuted.insert((placed, state));
        false
    }

    /// What changes nothing and is possible now can only be in the way later:
    /// it is placed for good.
    fn place_reads(&mut self, mut placed: u64, state: &S::State) -> u64 {
        loop {
            let before = placed;
            for place in bits(self.read_only & self.required & !placed) {
                if self.may_be_next(place, placed) && self.step(place, state).is_some() {
                    placed |= 1 << place;
                    self.order.push(place);
                }
            }
            if placed == before {
                return placed;
            }
        }
    }

    fn may_be_next(&self, place: usize, placed: u64) -> bool {
        self.before[place] & !placed == 0
    }

    fn step(&self, place: usize, state: &S::State) -> Option<S::State> {
        let (call, returned) = (self.asked)(place);
        self.specification.step(state, call, returned)
    }
}

/// Operations in the order in which they take effect, by their places.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    places: [u8; OPERATIONS_MAX],
    length: u8,
}

impl Default for Placed {
    fn default() -> Self {
        Placed {
            places: [0; OPERATIONS_MAX],
            length: 0,
        }
    }
}

impl Placed {
    /// One more, behind all others.
    pub(crate) fn push(&mut self, place: usize) {
        self.places[usize::from(self.length)] = place as u8;
        self.length += 1;
    }

    /// One more, so that so many stand before it.
    pub(crate) fn insert(&mut self, at: usize, place: usize) {
        let length = usize::from(self.length);
        self.places.copy_within(at..length, at + 1);
        self.places[at] = place as u8;
        self.length += 1;
    }

    /// All but this one. Says whether it was there.
    pub(crate) fn remove(&mut self, place: usize) -> bool {
        let Some(at) = self.places().position(|other| other == place) else {
            return false;
        };
        self.places
            .copy_within(at + 1..usize::from(self.length), at);
        self.length -= 1;
        true
    }

    /// All of them, in order.
    pub(crate) fn places(&self) -> impl DoubleEndedIterator<Item = usize> + ExactSizeIterator {
        let placed = &self.places[..usize::from(self.length)];
        placed.iter().map(|place| usize::from(*place))
    }
}

/// The set of the first places.
fn first(count: usize) -> u64 {
    u64::MAX.checked_shr(64 - count as u32).unwrap_or(0)
}

/// The places of the bits that are set, from the lowest.
pub(crate) fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = (set != 0).then(|| set.trailing_zeros() as usize)?;
        set &= set - 1;
        Some(place)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specification::{Register, RegisterCall, RegisterReturn};

    type Operation = TimedCallOf<Register<u8>>;

    fn write(value: u8, invoked: u32, completed: Option<u32>) -> Operation {
        Operation {
            call: RegisterCall::Write(value),
            invoked,
            completed: completed.map(|at| (at, RegisterReturn::Done)),
        }
    }

    fn read(value: u8, invoked: u32, completed: u32) -> Operation {
        Operation {
            call: RegisterCall::Read,
            invoked,
            completed: Some((completed, RegisterReturn::Value(value))),
        }
    }

    fn linearizable(operations: &[Operation]) -> bool {
        is_linearizable_small(&Register { initial: 0 }, operations)
    }

    #[test]
    fn nothing_is_linearizable() {
        assert!(linearizable(&[]));
    }

    #[test]
    fn a_stale_read_is_refuted() {
        assert!(!linearizable(&[
            write(1, 0, Some(1)),
            write(2, 2, Some(3)),
            read(1, 4, 5)
        ]));
    }

    #[test]
    fn overlapping_writes_may_take_effect_in_either_order() {
        let writes = [write(1, 0, Some(3)), write(2, 1, Some(2))];
        for value in [1, 2] {
            assert!(linearizable(&[
                writes[0].clone(),
                writes[1].clone(),
                read(value, 4, 5)
            ]));
        }
        assert!(!linearizable(&[
            writes[0].clone(),
            writes[1].clone(),
            read(0, 4, 5)
        ]));
    }

    #[test]
    fn an_open_write_may_take_effect_once_and_late() {
        let open = write(1, 0, None);
        let later = write(2, 1, Some(2));
        assert!(linearizable(&[
            open.clone(),
            later.clone(),
            read(2, 3, 4),
            read(1, 5, 6)
        ]));
        let back = [open, later, read(1, 3, 4), read(2, 5, 6)];
        assert!(!linearizable(&back));
        assert!(linearizable(&[write(1, 5, None), read(0, 0, 1)]));
        assert!(!linearizable(&[write(1, 5, None), read(1, 0, 1)]));
    }

    #[test]
    fn the_order_in_which_operations_are_given_does_not_matter() {
        let [first, second] = [read(0, 0, 1), read(0, 2, 3)];
        assert!(linearizable(&[second, first]));
    }

    #[test]
    fn operations_that_meet_in_one_place_overlap() {
        assert!(linearizable(&[write(1, 0, Some(5)), read(0, 5, 6)]));
        assert!(!linearizable(&[write(1, 0, Some(4)), read(0, 5, 6)]));
    }

    #[test]
    fn more_operations_than_are_small_are_judged_alike() {
        for count in [32, 33] {
            let mut operations: Vec<Operation> = (0..count)
                .flat_map(|n| {
                    let at = 4 * u32::from(n);
                    [write(n, at, Some(at + 2)), read(n, at + 2, at + 3)]
                })
                .collect();
            assert!(linearizable(&operations));
            operations.push(read(0, 1000, 1001));
            assert!(!linearizable(&operations));
        }
    }
}
