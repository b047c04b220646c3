//! Append-only lists that are read whole, to which no value is appended twice. (Where
//! one is, reads alone may have no order; nothing else is known then.)
//!
//! The longest read says how the list begins, and every other read must have
//! seen a beginning of it. So each read stands between two appends, and what no
//! read saw was appended after all of them. That leaves an order of everything,
//! but for what stands between the same two appends; it is right if nothing
//! stands before another that had ended when it began.

use rustc_hash::FxHashMap;

use super::{Decided, Interval, NONE, Place, go_on};
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
const BYTES: usize = 64;

/// Decides a history of one list, in O(n log n) and the length of what is read.
///
/// None if a value is appended twice, and the reads have an order.
pub fn decide<L: AsRef<[u32]>>(intervals: &[Interval<Operation<L>>]) -> Option<Decided> {
    decide_within(intervals, &mut Guard::none())
}

/// The same as long as `guard` allows it.
pub(crate) fn decide_within<L: AsRef<[u32]>>(
    intervals: &[Interval<Operation<L>>],
    guard: &mut Guard<'_>,
) -> Option<Decided> {
    let mut appends = FxHashMap::default();
    let mut reads: Vec<(u32, &[u32])> = Vec::new();
    let mut is_distinct = true;
    for (operation, interval) in (0..).zip(intervals) {
        go_on(guard, BYTES * operation as usize).ok()?;
        match &interval.operation {
            Operation::Append(value) => {
                is_distinct &= appends.insert(*value, operation).is_none();
            }
            Operation::Read(list) if interval.completed.is_some() => {
                reads.push((operation, list.as_ref()));
            }
            Operation::Read(_) => {}
        }
    }
    let longest = reads.iter().copied().max_by_key(|(_, list)| list.len());
    let longest = longest.unwrap_or((NONE, &[]));
    for &(read, seen) in &reads {
        go_on(guard, BYTES * intervals.len()).ok()?;
        if !longest.1.starts_with(seen) {
            return Some(Decided::refuted(vec![read, longest.0]));
        }
    }
    reads.sort_by_key(|&(read, seen)| (seen.len(), intervals[read as usize].invoked));
    if !is_distinct {
        return overtaken(intervals, &reads).map(Decided::refuted);
    }
    Some(match order(intervals, &appends, reads, longest) {
        Ok(order) => Decided::Order(order),
        Err(blame) => Decided::refuted(blame),
    })
}

/// A read that began when one had ended that saw more, and that one, if there are
/// such; the shortest comes first.
fn overtaken<L>(intervals: &[Interval<Operation<L>>], reads: &[(u32, &[u32])]) -> Option<Vec<u32>> {
    // The last to begin of those that saw less.
    let mut last: (Place, u32) = (0, NONE);
    for same in reads.chunk_by(|(_, one), (_, other)| one.len() == other.len()) {
        let intervals = |&(read, _): &(u32, &[u32])| (read, &intervals[read as usize]);
        let mut ended = same.iter().map(intervals);
        if let Some((read, _)) = ended.find(|(_, interval)| interval.until() < last.0) {
            return Some(vec![read, last.1]);
        }
        let begun = same.iter().map(intervals);
        last = begun.fold(last, |last, (read, it)| last.max((it.from(), read)));
    }
    None
}

/// An order, or the operations to blame. All `reads` have seen a beginning of what
/// the longest has.
fn order<L>(
    intervals: &[Interval<Operation<L>>],
    appends: &FxHashMap<u32, u32>,
    reads: Vec<(u32, &[u32])>,
    (by, list): (u32, &[u32]),
) -> Result<Vec<u32>, Vec<u32>> {
    let mut reads = reads.into_iter().peekable();
    let mut order = Vec::with_capacity(intervals.len());
    let mut is_seen = vec![false; intervals.len()];
    for length in 0..=list.len() {
        while let Some((read, _)) = reads.next_if(|(_, seen)| seen.len() == length) {
            order.push(read);
        }
        if let Some(value) = list.get(length) {
            let &append = appends.get(value).ok_or_else(|| vec![by])?;
            if std::mem::replace(&mut is_seen[append as usize], true) {
                return Err(vec![by, append]);
            }
            order.push(append);
        }
    }
    let unseen = appends.values().copied().filter(|&append| {
        !is_seen[append as usize] && intervals[append as usize].completed.is_some()
    });
    let mut unseen: Vec<u32> = unseen.collect();
    unseen.sort_unstable_by_key(|&append| (intervals[append as usize].invoked, append));
    order.extend(unseen);
    // The last to begin so far.
    let mut last: (Place, u32) = (0, NONE);
    for &operation in &order {
        let interval = &intervals[operation as usize];
        if interval.until() < last.0 {
            let blame = [operation, last.1, by].into_iter();
            return Err(blame.filter(|&it| it != NONE).collect());
        }
        last = last.max((interval.from(), operation));
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use rustc_hash::FxHashSet;

    use super::*;
    use crate::monitors::oracle::{Case, agree, long};
    use crate::monitors::simulation::{Log, Random};

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

    fn qualifies(intervals: &[Interval<Operation<Vec<u32>>>]) -> bool {
        let mut seen = FxHashSet::default();
        intervals.iter().all(|interval| match interval.operation {
            Operation::Append(value) => seen.insert(value),
            Operation::Read(_) => true,
        })
    }

    const CASE: Case<Log> = Case {
        decide,
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
