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
const OPERATIONS_MAX: usize = 64;

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
    let mut search = Search {
        specification,
        operations,
        before: [0; OPERATIONS_MAX],
        required: 0,
        read_only: 0,
        refuted: FxHashSet::default(),
    };
    search.prepare();
    search.explains_rest(0, specification.initial())
}

struct Search<'a, S: Specification> {
    specification: &'a S,
    operations: &'a [TimedCallOf<S>],
    /// By operation, the set of those that must stand before it.
    before: [u64; OPERATIONS_MAX],
    /// The operations that must be placed.
    required: u64,
    /// The operations that change no state.
    read_only: u64,
    /// From where no order is left: what was placed, and the state it led to.
    refuted: FxHashSet<(u64, S::State)>,
}

impl<S: Specification> Search<'_, S> {
    fn prepare(&mut self) {
        for (place, operation) in self.operations.iter().enumerate() {
            let effect = self
                .specification
                .effect(&operation.call, operation.returned());
            self.read_only |= u64::from(effect.is_read_only()) << place;
            let Some((completed, _)) = operation.completed else {
                continue;
            };
            self.required |= 1 << place;
            for (other, later) in self.operations.iter().enumerate() {
                self.before[other] |= u64::from(completed < later.invoked) << place;
            }
        }
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
        let all = u64::MAX >> (OPERATIONS_MAX - self.operations.len());
        for place in bits(all & !self.read_only & !placed) {
            if !self.may_be_next(place, placed) {
                continue;
            }
            let Some(next) = self.step(place, &state) else {
                continue;
            };
            let idle = self.required >> place & 1 == 0 && next == state;
            if !idle && self.explains_rest(placed | 1 << place, next) {
                return true;
            }
        }
        self.refuted.insert((placed, state));
        false
    }

    /// What changes nothing and is possible now can only be in the way later:
    /// it is placed for good.
    fn place_reads(&self, mut placed: u64, state: &S::State) -> u64 {
        loop {
            let before = placed;
            for place in bits(self.read_only & self.required & !placed) {
                if self.may_be_next(place, placed) && self.step(place, state).is_some() {
                    placed |= 1 << place;
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
        let operation = &self.operations[place];
        self.specification
            .step(state, &operation.call, operation.returned())
    }
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
