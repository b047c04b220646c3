//! Counters of any kind: what is told must lie between bounds.
//!
//! Between two operations that tell what they leave, the second of which began when the
//! first had ended, the counter moves by what is added between. What begins and ends
//! between them is; what overlaps with one of them, or whose outcome is unknown, may
//! be. So the first bounds what the second can find, from below by all that must raise
//! it and all that may lower it. What is out of these bounds has no order; what is
//! within may have none either, so this only refutes.
//!
//! The bounds from above are those from below of all numbers with the other sign.

use super::trees::Raised;
use super::{Decided, End, Interval, NONE, ends, go_on};
use crate::linearizability::guard::Guard;

/// What is done to a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Operation {
    /// What it adds; an operation of unknown outcome may have added that.
    pub adds: i128,
    /// What the counter holds then, if that is told.
    pub leaves: Option<i128>,
}

/// So many bytes are held of each operation, about.
const BYTES: usize = 512;

/// Refutes a history of one counter, which holds `initial` at first, in O(n log n).
///
/// None if all that is told lies between bounds. No number may be beyond 2^100, nor what
/// all add together. Those that are blamed are the one that is out of bounds, and the one
/// that bounds it, if it is not the initial value.
pub fn refute(intervals: &[Interval<Operation>], initial: i128) -> Option<Decided> {
    refute_within(intervals, initial, &mut Guard::none())
}

/// The same as long as `guard` allows it.
pub(crate) fn refute_within(
    intervals: &[Interval<Operation>],
    initial: i128,
    guard: &mut Guard<'_>,
) -> Option<Decided> {
    if !guard.holds(BYTES * intervals.len()) {
        return None;
    }
    let ends = ends(intervals);
    let mut below = Below::new(intervals, initial, 1);
    let mut above = Below::new(intervals, initial, -1);
    for &end in &ends {
        go_on(guard, 0).ok()?;
        for bounds in [&mut below, &mut above] {
            if let Some(blame) = bounds.out_of_bounds(end) {
                return Some(Decided::refuted(blame));
            }
        }
    }
    None
}

/// The bounds from below.
struct Below<'a> {
    intervals: &'a [Interval<Operation>],
    /// 1, or -1 if all numbers have the other sign.
    sign: i128,
    /// What those lower that have begun, and those of them that are open.
    begun: i128,
    open: i128,
    /// How many that tell have ended.
    ended: usize,
    /// What those must have left by now, but for what has lowered it.
    least: Raised,
    /// By operation, what it was when it began.
    began: Vec<Began>,
}

#[derive(Clone, Copy, Default)]
struct Began {
    /// The highest bound, but for what has lowered it, and which set it.
    bound: (i128, u32),
    /// How many that tell had ended.
    ended: usize,
    /// What may have been lowered after it, less all that was by then.
    lowers: i128,
}

impl<'a> Below<'a> {
    fn new(intervals: &'a [Interval<Operation>], initial: i128, sign: i128) -> Self {
        let tell = intervals.iter().filter(|it| it.operation.leaves.is_some());
        let mut least = Raised::new(1 + tell.count());
        least.set(0, (sign * initial, NONE));
        Below {
            intervals,
            sign,
            begun: 0,
            open: 0,
            ended: 1,
            least,
            began: vec![Began::default(); intervals.len()],
        }
    }

    /// Goes on to this end; what is to blame, if an operation has ended that is out of
    /// bounds.
    fn out_of_bounds(&mut self, end: End) -> Option<Vec<u32>> {
        let number = end.operation;
        let operation = self.intervals[number as usize].operation;
        let (adds, leaves) = (self.sign * operation.adds, operation.leaves);
        let began = &mut self.began[number as usize];
        if !end.completes {
            self.begun += adds.min(0);
            *began = Began {
                bound: self.least.highest(),
                ended: self.ended,
                lowers: self.open - self.begun,
            };
            self.open += adds.min(0);
            return None;
        }
        self.open -= adds.min(0);
        if adds > 0 {
            self.least.raise_before(began.ended, adds);
        }
        let leaves = self.sign * leaves?;
        let (bound, by) = began.bound;
        if bound + self.begun - adds.min(0) > leaves - adds {
            let blame = [by, number].into_iter();
            return Some(blame.filter(|&it| it != NONE).collect());
        }
        self.least.set(self.ended, (leaves + began.lowers, number));
        self.ended += 1;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitors::oracle::{Case, refutes};
    use crate::monitors::simulation::{Random, Teller};

    const CASE: Case<Teller> = Case {
        decide: |intervals| refute(intervals, 0),
        any: |random: &mut Random| Operation {
            adds: random.below(4) as i128 - 1,
            leaves: random.one_in(2).then(|| random.below(9) as i128 - 2),
        },
        qualifies: |_| false,
        blames_what_has_no_order: false,
    };

    #[test]
    fn what_it_refutes_has_no_order() {
        refutes(&CASE);
    }
}
