//! Counters that go one way by equal steps.
//!
//! The counter is moved as late as can be: when an add ends that has not yet
//! been counted, or a read that saw more than there is. The add that ends first
//! is counted first, and one of unknown outcome only if there is no other. No
//! order has counted fewer adds at any time, so a read that began when the
//! counter had passed what it saw is wrong, and so is one that ends while too
//! few adds have begun.
//!
//! With steps of several sizes, reads ask for sums of subsets; with steps in
//! both directions, to move late is not to move little. Both are left to a
//! search.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use rustc_hash::FxBuildHasher;

use super::{Decided, End, Interval, NONE, ends, go_on};
use crate::linearizability::guard::Guard;

/// What is done to a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Adds a number and does not say to what.
    Add(i64),
    /// Returns what the counter holds.
    Read(i64),
}

/// So many bytes are held of each operation, about.
const BYTES: usize = 40;

/// Decides a history of one counter, which holds `initial` at first, in
/// O(n log n).
///
/// None if two adds are of different numbers, or one is of zero.
pub fn decide(intervals: &[Interval<Operation>], initial: i64) -> Option<Decided> {
    decide_within(intervals, initial, &mut Guard::none())
}

/// The same as long as `guard` allows it.
pub(crate) fn decide_within(
    intervals: &[Interval<Operation>],
    initial: i64,
    guard: &mut Guard<'_>,
) -> Option<Decided> {
    let step = step(intervals)?;
    let mut sweep = Sweep {
        intervals,
        count: 0,
        completed: 0,
        adds: BinaryHeap::new(),
        optional: Vec::new(),
        reads: HashMap::default(),
        done: vec![false; intervals.len()],
        order: Vec::with_capacity(intervals.len()),
        moved_by: NONE,
    };
    for end in ends(intervals) {
        go_on(guard, BYTES * intervals.len()).ok()?;
        let interval = &intervals[end.operation as usize];
        let seen = match interval.operation {
            Operation::Add(_) => None,
            Operation::Read(_) if interval.completed.is_none() => continue,
            Operation::Read(value) => match adds_seen(value, initial, step) {
                Some(count) => Some(count),
                None => return Some(Decided::refuted(vec![end.operation])),
            },
        };
        let ok = match seen {
            None => sweep.add(end),
            Some(count) => sweep.read(end, count),
        };
        if let Err(Wrong { read, before }) = ok {
            let blame = [read, before].into_iter().filter(|&it| it != NONE);
            return Some(Decided::refuted(blame.collect()));
        }
    }
    Some(Decided::Order(sweep.order))
}

/// What every add adds; one if there is none.
fn step(intervals: &[Interval<Operation>]) -> Option<i64> {
    let mut step = None;
    for interval in intervals {
        if let Operation::Add(number) = interval.operation
            && (number == 0 || *step.get_or_insert(number) != number)
        {
            return None;
        }
    }
    Some(step.unwrap_or(1))
}

/// After how many adds the counter holds a value.
fn adds_seen(value: i64, initial: i64, step: i64) -> Option<u64> {
    let moved = i128::from(value) - i128::from(initial);
    let step = i128::from(step);
    match moved % step {
        0 => u64::try_from(moved / step).ok(),
        _ => None,
    }
}

/// A read that saw what the counter cannot hold, given what completed before or
/// began, and another read if there is more to it.
struct Wrong {
    read: u32,
    before: u32,
}

struct Sweep<'a> {
    intervals: &'a [Interval<Operation>],
    /// The adds that are counted.
    count: u64,
    /// The adds that have completed.
    completed: u64,
    /// Those that must be counted before they end.
    adds: BinaryHeap<Reverse<(u32, u32)>>,
    /// Those that may be counted at any time from now on.
    optional: Vec<u32>,
    /// By count, the reads that saw it and wait for it.
    reads: HashMap<u64, Vec<u32>, FxBuildHasher>,
    done: Vec<bool>,
    order: Vec<u32>,
    /// The last read for which adds were counted.
    moved_by: u32,
}

impl Sweep<'_> {
    fn add(&mut self, end: End) -> Result<(), Wrong> {
        match self.intervals[end.operation as usize].completed {
            None => self.optional.push(end.operation),
            Some(until) if !end.completes => self.adds.push(Reverse((until, end.operation))),
            Some(_) => {
                self.completed += 1;
                while !self.done[end.operation as usize] && self.count_one() {}
            }
        }
        Ok(())
    }

    fn read(&mut self, end: End, seen: u64) -> Result<(), Wrong> {
        let read = end.operation;
        if !end.completes {
            if seen < self.count {
                let before = if seen < self.completed {
                    NONE
                } else {
                    self.moved_by
                };
                return Err(Wrong { read, before });
            }
            match seen == self.count {
                true => self.emit(read),
                false => self.reads.entry(seen).or_default().push(read),
            }
            return Ok(());
        }
        while !self.done[read as usize] {
            self.moved_by = read;
            if !self.count_one() {
                return Err(Wrong { read, before: NONE });
            }
        }
        Ok(())
    }

    /// Whether there was an add to count.
    fn count_one(&mut self) -> bool {
        let first = self.adds.pop().map(|Reverse((_, add))| add);
        let Some(add) = first.or_else(|| self.optional.pop()) else {
            return false;
        };
        self.emit(add);
        self.count += 1;
        for read in self.reads.remove(&self.count).unwrap_or_default() {
            self.emit(read);
        }
        true
    }

    fn emit(&mut self, operation: u32) {
        self.done[operation as usize] = true;
        self.order.push(operation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitors::oracle::{Case, agree, long};
    use crate::monitors::simulation::{Counter, Random};

    fn any(random: &mut Random) -> Operation {
        match random.below(8) {
            0..=2 => Operation::Add(1),
            3 => Operation::Add(random.below(4) as i64 - 1),
            _ => Operation::Read(random.below(5) as i64 - 1),
        }
    }

    fn qualifies(intervals: &[Interval<Operation>]) -> bool {
        intervals
            .iter()
            .all(|interval| matches!(interval.operation, Operation::Add(1) | Operation::Read(_)))
    }

    const CASE: Case<Counter> = Case {
        decide: |intervals| decide(intervals, 0),
        any,
        qualifies,
        blames_what_has_no_order: false,
    };

    #[test]
    fn it_agrees_with_brute_force() {
        agree(&CASE);
    }

    #[test]
    fn long_histories_are_decided() {
        long(&CASE, 0);
        long(&CASE, 100);
    }
}
