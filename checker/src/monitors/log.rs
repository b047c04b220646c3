//! Append-only lists that are read whole.
//!
//! The longest read says how the list begins, and every other read must have seen a
//! beginning of it. So what is left to decide is which append made which of its
//! entries, and when.
//!
//! Entries are made as late as can be: when an append ends that has made none yet, and
//! the next entry of its value is still to come, or when a read ends that saw more than
//! there is. Of the appends of one value that have begun, the one that ends first makes
//! the entry, and one of unknown outcome only if there is no other; what ends with no
//! entry left for it was appended after the longest read. No order has made fewer
//! entries at any time: where one makes an entry, it does so no later, so has no other
//! appends to choose from; and of those the one that ends first is missed the least. So
//! a read that begins when there are more entries than it saw is wrong, and so is an
//! entry that must be there before an append that is left has begun.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use rustc_hash::FxHashMap;

use super::{Decided, End, Interval, NONE, Place, ends, go_on};
use crate::linearizability::guard::Guard;

/// What is done to a list, which is empty at first. Lists are of any type that
/// can be seen as a slice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operation<L> {
    /// Puts a value at the end.
    Append(u32),
    /// Returns all values.
    Read(L),
}

/// So many bytes are held of each operation, beside what was read, about.
const BYTES: usize = 96;

/// Decides a history of one list, in O(n log n) and the length of what is read.
pub fn decide<L: AsRef<[u32]>>(intervals: &[Interval<Operation<L>>]) -> Decided {
    let decided = decide_within(intervals, &mut Guard::none());
    decided.expect("nothing ends it")
}

/// The same as long as `guard` allows it.
pub(crate) fn decide_within<L: AsRef<[u32]>>(
    intervals: &[Interval<Operation<L>>],
    guard: &mut Guard<'_>,
) -> Option<Decided> {
    let completed = (0..).zip(intervals).filter_map(|(operation, interval)| {
        let list = interval.operation.seen()?;
        interval.completed.map(|_| (operation, list))
    });
    let longest = completed.clone().max_by_key(|(_, list)| list.len());
    let (by, list) = longest.unwrap_or((NONE, &[]));
    for (read, seen) in completed {
        go_on(guard, BYTES * intervals.len()).ok()?;
        if !list.starts_with(seen) {
            return Some(Decided::refuted(vec![read, by]));
        }
    }
    let mut sweep = Sweep::new(intervals, list);
    for end in ends(intervals) {
        go_on(guard, BYTES * intervals.len()).ok()?;
        let interval = &intervals[end.operation as usize];
        let ok = match &interval.operation {
            Operation::Append(value) => sweep.append(end, *value),
            Operation::Read(_) if interval.completed.is_none() => continue,
            Operation::Read(seen) => sweep.read(end, seen.as_ref().len()),
        };
        if let Err(blame) = ok {
            let blame = blame.into_iter().chain([by]).filter(|&it| it != NONE);
            return Some(Decided::refuted(blame.collect()));
        }
    }
    Some(Decided::Order(sweep.order))
}

impl<L: AsRef<[u32]>> Operation<L> {
    fn seen(&self) -> Option<&[u32]> {
        match self {
            Operation::Append(_) => None,
            Operation::Read(list) => Some(list.as_ref()),
        }
    }
}

/// The appends of one value.
#[derive(Default)]
struct Same {
    /// Those that have begun and made no entry, the first to end on top.
    open: BinaryHeap<Reverse<(Place, u32)>>,
    /// The entries that are still to be made.
    entries: VecDeque<usize>,
}

struct Sweep<'a, L> {
    intervals: &'a [Interval<Operation<L>>],
    /// What the longest read saw.
    list: &'a [u32],
    /// How many of its entries were made.
    made: usize,
    /// Whether something was appended after all of them.
    is_past: bool,
    same: FxHashMap<u32, Same>,
    /// The reads that wait for the last entry that they saw, by how many these are.
    reads: FxHashMap<usize, Vec<u32>>,
    done: Vec<bool>,
    order: Vec<u32>,
    /// The last operation for which something was appended.
    moved_by: u32,
}

impl<'a, L: AsRef<[u32]>> Sweep<'a, L> {
    fn new(intervals: &'a [Interval<Operation<L>>], list: &'a [u32]) -> Self {
        let mut same: FxHashMap<u32, Same> = FxHashMap::default();
        for (entry, value) in list.iter().enumerate() {
            same.entry(*value).or_default().entries.push_back(entry);
        }
        Sweep {
            intervals,
            list,
            made: 0,
            is_past: false,
            same,
            reads: FxHashMap::default(),
            done: vec![false; intervals.len()],
            order: Vec::with_capacity(intervals.len()),
            moved_by: NONE,
        }
    }

    fn append(&mut self, end: End, value: u32) -> Result<(), Vec<u32>> {
        let append = end.operation;
        if !end.completes {
            let until = self.intervals[append as usize].until();
            let same = self.same.entry(value).or_default();
            same.open.push(Reverse((until, append)));
            return Ok(());
        }
        while !self.done[append as usize] {
            let next = self.same.get(&value).and_then(|same| same.entries.front());
            match next {
                Some(&entry) => self.make(entry + 1, append)?,
                None => {
                    self.make(self.list.len(), append)?;
                    self.is_past = true;
                    self.moved_by = append;
                    self.emit(append);
                }
            }
        }
        Ok(())
    }

    fn read(&mut self, end: End, seen: usize) -> Result<(), Vec<u32>> {
        let read = end.operation;
        if end.completes {
            return self.make(seen, read);
        }
        if seen < self.made || self.is_past {
            return Err(vec![read, self.moved_by]);
        }
        match seen == self.made {
            true => self.emit(read),
            false => self.reads.entry(seen).or_default().push(read),
        }
        Ok(())
    }

    /// Makes what is missing of so many entries, for an operation that ends.
    fn make(&mut self, entries: usize, ends: u32) -> Result<(), Vec<u32>> {
        while self.made < entries {
            self.moved_by = ends;
            let value = self.list[self.made];
            let same = self.same.entry(value).or_default();
            same.entries.pop_front();
            let Some(Reverse((_, append))) = same.open.pop() else {
                return Err(vec![ends, self.later(value)]);
            };
            self.emit(append);
            self.made += 1;
            for read in self.reads.remove(&self.made).unwrap_or_default() {
                self.emit(read);
            }
        }
        Ok(())
    }

    /// The first append of a value that has not begun yet, if there is one.
    fn later(&self, value: u32) -> u32 {
        let appends = (0..).zip(self.intervals).filter(|&(append, interval)| {
            let is_same = matches!(interval.operation, Operation::Append(it) if it == value);
            is_same && !self.done[append as usize]
        });
        let first = appends.min_by_key(|(_, interval)| interval.invoked);
        first.map_or(NONE, |(append, _)| append)
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
    use crate::monitors::simulation::{Log, Random, RepetitiveLog};

    fn any(random: &mut Random) -> Operation<Vec<u32>> {
        let value = |random: &mut Random| 1 + random.below(8) as u32;
        match random.below(3) {
            0 => {
                let length = random.below(4);
                Operation::Read((0..length).map(|_| value(random)).collect())
            }
            _ => Operation::Append(value(random)),
        }
    }

    const CASE: Case<Log> = Case {
        decide: |intervals| Some(decide(intervals)),
        any,
        qualifies: |_| true,
        blames_what_has_no_order: false,
    };

    /// Of two values alone.
    const REPETITIVE: Case<RepetitiveLog> = Case {
        decide: |intervals| Some(decide(intervals)),
        any: |random| match any(random) {
            Operation::Append(value) => Operation::Append(value % 2),
            Operation::Read(list) => Operation::Read(list.iter().map(|it| it % 2).collect()),
        },
        qualifies: |_| true,
        blames_what_has_no_order: false,
    };

    #[test]
    fn it_agrees_with_brute_force() {
        agree(&CASE);
    }

    #[test]
    fn it_agrees_with_brute_force_where_values_are_repeated() {
        agree(&REPETITIVE);
    }

    #[test]
    fn long_histories_are_decided() {
        long(&CASE, 0);
        long(&CASE, 100);
        long(&REPETITIVE, 0);
        long(&REPETITIVE, 100);
    }
}
