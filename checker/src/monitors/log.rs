//! Append-only lists that are read whole.
//!
//! The longest read says how the list begins, and every other read must have seen a
//! beginning of it; an append that told where its entry is says what is there. So what
//! is left to decide is which append made which of the other entries, and when.
//!
//! Entries are made as late as can be: when an append ends that has made none yet, and
//! the next entry that can be its own is still to come, or when a read ends that saw more
//! than there is. Of the appends that have begun and can have made an entry (of its
//! value, or any if nobody told what it is), the one that ends first makes it, and one of
//! unknown outcome only if there is no other; what ends with no entry left for it was
//! appended after all that is known. No order has made fewer entries at any time: where
//! one makes an entry, it does so no later, so has no other appends to choose from; and
//! of those the one that ends first is missed the least. So a read that begins when there
//! are more entries than it saw is wrong, and so is an entry that must be there before an
//! append that is left has begun.

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
    /// Puts a value at the end, and says where that is.
    AppendAt {
        /// Which value.
        value: u32,
        /// How many there were before.
        index: usize,
    },
    /// Returns all values.
    Read(L),
}

/// So many bytes are held of each operation, and of each entry, beside what was read,
/// about.
const BYTES: usize = 320;
const BYTES_OF_ENTRY: usize = 48;

/// Decides a history of one list, in O(n log n) and the length of what is read or told.
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
    let bytes = BYTES * intervals.len() + BYTES_OF_ENTRY * list.len();
    if !guard.holds(bytes) {
        return None;
    }
    for (read, seen) in completed {
        go_on(guard, 0).ok()?;
        if !list.starts_with(seen) {
            return Some(Decided::refuted(vec![read, by]));
        }
    }
    let wrong = |blame: Vec<u32>| {
        let blame = blame.into_iter().chain([by]).filter(|&it| it != NONE);
        Some(Decided::refuted(blame.collect()))
    };
    let mut sweep = match Sweep::new(intervals, list) {
        Ok(sweep) => sweep,
        Err(blame) => return wrong(blame),
    };
    for end in ends(intervals) {
        go_on(guard, 0).ok()?;
        let interval = &intervals[end.operation as usize];
        let is_known = interval.completed.is_some();
        let ok = match &interval.operation {
            Operation::AppendAt { index, .. } if is_known => sweep.append_at(end, *index),
            Operation::Append(value) | Operation::AppendAt { value, .. } => {
                sweep.append(end, *value)
            }
            Operation::Read(_) if !is_known => continue,
            Operation::Read(seen) => sweep.read(end, seen.as_ref().len()),
        };
        if let Err(blame) = ok {
            return wrong(blame);
        }
    }
    Some(Decided::Order(sweep.order))
}

impl<L: AsRef<[u32]>> Operation<L> {
    fn seen(&self) -> Option<&[u32]> {
        match self {
            Operation::Append(_) | Operation::AppendAt { .. } => None,
            Operation::Read(list) => Some(list.as_ref()),
        }
    }
}

/// Appends that have begun and made no entry, the first to end on top.
type Open = BinaryHeap<Reverse<(Place, u32)>>;

/// The appends of one value that do not tell where.
#[derive(Default)]
struct Same {
    open: Open,
    /// The entries that are still to be made by one of them.
    entries: VecDeque<usize>,
}

/// What is known of an entry.
#[derive(Clone, Copy)]
enum Entry {
    /// It was made by this append.
    By(u32),
    /// It is this value.
    Is(u32),
    /// There is one.
    Any,
}

struct Sweep<'a, L> {
    intervals: &'a [Interval<Operation<L>>],
    entries: Vec<Entry>,
    /// How many of them were made.
    made: usize,
    /// Whether something was appended after all of them.
    is_past: bool,
    same: FxHashMap<u32, Same>,
    /// All of these, if they can make entries of which nothing is told.
    open: Option<Open>,
    /// The reads that wait for the last entry that they saw, by how many these are.
    reads: FxHashMap<usize, Vec<u32>>,
    done: Vec<bool>,
    order: Vec<u32>,
    /// The last operation for which something was appended.
    moved_by: u32,
}

impl<'a, L: AsRef<[u32]>> Sweep<'a, L> {
    /// Before all that happens to a list of which the longest read saw this; what is to
    /// blame if that and what appends told do not fit.
    fn new(intervals: &'a [Interval<Operation<L>>], list: &[u32]) -> Result<Self, Vec<u32>> {
        let mut entries: Vec<Entry> = list.iter().copied().map(Entry::Is).collect();
        for (append, interval) in (0..).zip(intervals) {
            let Operation::AppendAt { value, index } = interval.operation else {
                continue;
            };
            if interval.completed.is_none() {
                continue;
            }
            if index >= intervals.len() {
                // There are not so many appends before it.
                return Err(vec![append]);
            }
            if index >= entries.len() {
                entries.resize(index + 1, Entry::Any);
            }
            match entries[index] {
                Entry::By(other) => return Err(vec![other, append]),
                Entry::Is(seen) if seen != value => return Err(vec![append]),
                Entry::Is(_) | Entry::Any => entries[index] = Entry::By(append),
            }
        }
        let mut same: FxHashMap<u32, Same> = FxHashMap::default();
        for (number, entry) in entries.iter().enumerate() {
            if let Entry::Is(value) = entry {
                same.entry(*value).or_default().entries.push_back(number);
            }
        }
        let is_any = |entry: &Entry| matches!(entry, Entry::Any);
        Ok(Sweep {
            intervals,
            open: entries.iter().any(is_any).then(Open::new),
            entries,
            made: 0,
            is_past: false,
            same,
            reads: FxHashMap::default(),
            done: vec![false; intervals.len()],
            order: Vec::with_capacity(intervals.len()),
            moved_by: NONE,
        })
    }

    fn append_at(&mut self, end: End, index: usize) -> Result<(), Vec<u32>> {
        match end.completes {
            true => self.make(index + 1, end.operation),
            false => Ok(()),
        }
    }

    fn append(&mut self, end: End, value: u32) -> Result<(), Vec<u32>> {
        let append = end.operation;
        if !end.completes {
            let open = Reverse((self.intervals[append as usize].until(), append));
            self.same.entry(value).or_default().open.push(open);
            if let Some(all) = &mut self.open {
                all.push(open);
            }
            return Ok(());
        }
        while !self.done[append as usize] {
            let next = self.same.get(&value).and_then(|same| same.entries.front());
            match next.copied().or_else(|| self.next_of_any()) {
                Some(entry) => self.make(entry + 1, append)?,
                None => {
                    self.make(self.entries.len(), append)?;
                    self.is_past = true;
                    self.moved_by = append;
                    self.emit(append);
                }
            }
        }
        Ok(())
    }

    /// The next entry of which nothing is told.
    fn next_of_any(&self) -> Option<usize> {
        self.open.as_ref()?;
        let mut left = self.entries[self.made..].iter();
        let next = left.position(|entry| matches!(entry, Entry::Any))?;
        Some(self.made + next)
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
            let append = self.next(ends)?;
            self.emit(append);
            self.made += 1;
            for read in self.reads.remove(&self.made).unwrap_or_default() {
                self.emit(read);
            }
        }
        Ok(())
    }

    /// The append that makes the next entry, for an operation that ends.
    fn next(&mut self, ends: u32) -> Result<u32, Vec<u32>> {
        let (open, value) = match self.entries[self.made] {
            Entry::By(append) => {
                let end = &self.intervals[ends as usize];
                let has_begun = self.intervals[append as usize].from() <= end.until();
                return match has_begun {
                    true => Ok(append),
                    false => Err(vec![ends, append]),
                };
            }
            Entry::Is(value) => {
                let same = self.same.entry(value).or_default();
                same.entries.pop_front();
                (Some(&mut same.open), Some(value))
            }
            Entry::Any => (self.open.as_mut(), None),
        };
        let mut open = open
            .into_iter()
            .flat_map(|open| std::iter::from_fn(|| open.pop()));
        let next = open.find(|Reverse((_, append))| !self.done[*append as usize]);
        match next {
            Some(Reverse((_, append))) => Ok(append),
            None => Err(vec![ends, self.later(value)]),
        }
    }

    /// The first append of a value, if it is told which, that has not begun yet, if there
    /// is one.
    fn later(&self, value: Option<u32>) -> u32 {
        let appends = (0..).zip(self.intervals).filter(|&(append, interval)| {
            let is_it = match interval.operation {
                Operation::Append(it) => value.is_none_or(|value| value == it),
                Operation::AppendAt { .. } | Operation::Read(_) => false,
            };
            is_it && !self.done[append as usize]
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
    use crate::monitors::simulation::{Log, Random, RepetitiveLog, TellingLog};

    fn any(random: &mut Random) -> Operation<Vec<u32>> {
        let value = |random: &mut Random| 1 + random.below(8) as u32;
        match random.below(4) {
            0 => {
                let length = random.below(4);
                Operation::Read((0..length).map(|_| value(random)).collect())
            }
            1 => Operation::AppendAt {
                value: value(random),
                index: random.below(6) as usize,
            },
            _ => Operation::Append(value(random)),
        }
    }

    /// Of two values alone.
    fn any_of_two(random: &mut Random) -> Operation<Vec<u32>> {
        match any(random) {
            Operation::Append(value) => Operation::Append(value % 2),
            Operation::AppendAt { value, index } => Operation::AppendAt {
                value: value % 2,
                index,
            },
            Operation::Read(list) => Operation::Read(list.iter().map(|it| it % 2).collect()),
        }
    }

    const CASE: Case<Log> = Case {
        decide: |intervals| Some(decide(intervals)),
        any,
        qualifies: |_| true,
        blames_what_has_no_order: false,
    };

    const REPETITIVE: Case<RepetitiveLog> = Case {
        decide: |intervals| Some(decide(intervals)),
        any: any_of_two,
        qualifies: |_| true,
        blames_what_has_no_order: false,
    };

    const TELLING: Case<TellingLog> = Case {
        decide: |intervals| Some(decide(intervals)),
        any: any_of_two,
        qualifies: |_| true,
        blames_what_has_no_order: false,
    };

    #[test]
    fn it_agrees_with_brute_force() {
        agree(&CASE);
        agree(&REPETITIVE);
        agree(&TELLING);
    }

    #[test]
    fn long_histories_are_decided() {
        long(&CASE, 0);
        long(&CASE, 100);
        long(&REPETITIVE, 0);
        long(&REPETITIVE, 100);
        long(&TELLING, 0);
        long(&TELLING, 100);
    }
}
