//! Containers, counters and logs whose histories are decided by sorting.
//!
//! Whether a history has an order is a search in general. For some objects,
//! used in some ways, it is not: if no value is put into a queue twice, a
//! dequeue names its enqueue, and what is left to decide is which value came
//! first.
//!
//! | module | object | qualifies if | time |
//! |---|---|---|---|
//! | [`queue`] | FIFO queue, with peeks | values are distinct | O(n log n) |
//! | [`stack`] | LIFO stack | values are distinct | O(n log n) |
//! | [`priority_queue`] | priority queue | values are distinct | O(n log n) |
//! | [`set`] | set | every add and remove says whether it did something | O(n log n) |
//! | [`growing_set`] | set that is read whole | nothing is removed | O(n log n) and what is read |
//! | [`bounds`] | counter of any kind | what is told is out of bounds; it only refutes | O(n log n) |
//! | [`counter`] | counter that goes one way | all steps are equal | O(n log n) |
//! | [`log`] | append-only list that is read whole | always | O(n log n) and what is read |
//!
//! They know no format of histories: only what was done and when. A history
//! that has an order is answered with one, so that nobody must believe the
//! reasoning behind it: it can be replayed.

pub mod bounds;
pub mod counter;
pub mod growing_set;
pub mod log;
pub mod priority_queue;
pub mod queue;
pub mod set;
pub mod stack;

mod container;
mod cover;
#[cfg(test)]
mod oracle;
#[cfg(test)]
pub(crate) mod simulation;
mod trees;

use crate::linearizability::guard::Guard;

/// An operation and when it ran.
///
/// Places are counted along one order of all invocations and completions. Two
/// ends at the same place overlap: either may have come first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval<O> {
    /// What was done, and what it returned.
    pub operation: O,
    /// The place of the invocation.
    pub invoked: u32,
    /// The place of the completion. Without one the outcome is unknown: the
    /// operation took effect at any time after the invocation, or never, and
    /// what it is said to have returned is not looked at. What failed for
    /// certain does not belong in a history.
    pub completed: Option<u32>,
}

/// What a monitor says of a history that qualifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// The history has no order.
    Refuted {
        /// The operations to look at, as indexes, in ascending order. Of a
        /// queue, a stack, a priority queue or a set (one that is not read
        /// whole) these have no order even if nothing else had happened.
        blame: Vec<u32>,
    },
    /// The operations in an order, as indexes. Every completed operation is in
    /// it; of those of unknown outcome the ones that had to take effect.
    Order(Vec<u32>),
}

impl Decided {
    pub(crate) fn refuted(mut blame: Vec<u32>) -> Self {
        blame.sort_unstable();
        blame.dedup();
        Decided::Refuted { blame }
    }
}

/// A limit was met before anything was known.
struct Stopped;

/// Goes on if the limits allow it, of which so many bytes are held.
#[inline]
fn go_on(guard: &mut Guard<'_>, bytes: usize) -> Result<(), Stopped> {
    match guard.allows(|| bytes) {
        true => Ok(()),
        false => Err(Stopped),
    }
}

/// A place in time, or [`NEVER`].
type Place = u64;

/// After all places.
const NEVER: Place = 1 << 40;

/// No operation.
const NONE: u32 = u32::MAX;

impl<O> Interval<O> {
    fn from(&self) -> Place {
        self.invoked.into()
    }

    fn until(&self) -> Place {
        self.completed.map_or(NEVER, Place::from)
    }
}

/// The places at which something begins or ends, in time, with what does.
/// At one place, beginnings come first.
fn ends<O>(intervals: &[Interval<O>]) -> Vec<End> {
    let mut ends = Vec::with_capacity(2 * intervals.len());
    for (operation, interval) in (0..).zip(intervals) {
        ends.push(End {
            place: interval.invoked,
            completes: false,
            operation,
        });
        ends.extend(interval.completed.map(|place| End {
            place,
            completes: true,
            operation,
        }));
    }
    ends.sort_unstable();
    ends
}

/// An invocation or a completion.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    place: u32,
    completes: bool,
    operation: u32,
}
