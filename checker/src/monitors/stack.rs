//! LIFO stacks onto which no value is pushed twice.
//!
//! A value is inside for certain from the last moment of its push to the first
//! of its pop. Some history of a stack, taken by itself, can be
//!
//! - cut, at a moment when none of its values must be inside: what lies before
//!   has an order and what lies after has one, or the whole has none; or
//! - peeled, if it cannot be cut: then one value is pushed before all others
//!   and popped after all. Any value will do whose push begins before anything
//!   ends and whose pop ends after everything began, because a value can be
//!   moved to the bottom without disturbing the others. If there is none, there
//!   is no order.
//!
//! The idea of removing a value and deciding the rest is that of Lee and
//! Mathur, "Efficient Decrease-and-Conquer Linearizability Monitoring", OOPSLA
//! 2025.

use super::container::{self, BYTES, Contents, Fault, Held, Role};
use super::cover::{Stretch, chain};
use super::trees::{Counts, Least};
use super::{Decided, Interval, NEVER, Place, go_on};
use crate::linearizability::guard::Guard;

/// What is done to a stack, which is empty at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Puts a value on top.
    Push(u32),
    /// Takes the value on top, if there is one.
    Pop(Option<u32>),
}

/// Decides a history of one stack, in O(n log n).
///
/// None if a value is pushed twice, and for some histories with pops of unknown
/// outcome.
pub fn decide(intervals: &[Interval<Operation>]) -> Option<Decided> {
    decide_within(intervals, &mut Guard::none())
}

/// The same as long as `guard` allows it.
pub(crate) fn decide_within(
    intervals: &[Interval<Operation>],
    guard: &mut Guard<'_>,
) -> Option<Decided> {
    let role = |operation: &Operation| match *operation {
        Operation::Push(value) => Role::Put(value),
        Operation::Pop(value) => Role::Take(value),
    };
    container::decide(intervals, role, order, guard)
}

fn order(contents: &Contents, guard: &mut Guard<'_>) -> Result<Vec<u32>, Fault> {
    let moments = contents.moments_empty()?;
    let mut nest = Nest::new(&contents.held);
    // What is to be done, the next last.
    let mut tasks = Vec::new();
    let mut done = 0;
    for (place, operation) in moments {
        let gone = contents.held.partition_point(|held| held.last <= place);
        tasks.push(Task::Arrange(done, gone));
        tasks.push(Task::Emit(operation));
        done = gone;
    }
    tasks.push(Task::Arrange(done, contents.held.len()));
    tasks.reverse();
    let mut order = Vec::new();
    while let Some(task) = tasks.pop() {
        go_on(guard, BYTES * contents.held.len())?;
        let (from, to) = match task {
            Task::Arrange(from, to) => (from, to),
            Task::Emit(operation) => {
                order.push(operation);
                continue;
            }
        };
        let Some(last) = nest.last(from, to) else {
            continue;
        };
        if let Some(cut) = nest.cuts.first_free(from, last) {
            tasks.push(Task::Arrange(cut + 1, last + 1));
            tasks.push(Task::Arrange(from, cut + 1));
        } else if let Some(bottom) = nest.bottom(from, last) {
            nest.peel(bottom);
            let held = &contents.held[bottom];
            order.push(held.put);
            tasks.extend(held.is_taken().then_some(Task::Emit(held.take)));
            tasks.push(Task::Arrange(from, last + 1));
        } else {
            return Err(contents.blame(nest.blame(from, last)).into());
        }
    }
    Ok(order)
}

enum Task {
    /// Finds an order of what was done to the values in this range.
    Arrange(usize, usize),
    Emit(u32),
}

/// The values that are left, in the order in which they can first be popped.
struct Nest<'a> {
    held: &'a [Held],
    /// When each can first be popped.
    lasts: Vec<Place>,
    /// By value, how many of the others must be inside, or can only lie on the
    /// wrong side, when it and those before it are gone.
    cuts: Counts,
    /// When the push of a value ends, if it is left.
    put_until: Least,
    /// When the push begins, if it is not known to come early enough for the
    /// bottom of the part that the value is in. It remains so in smaller parts.
    put_from: Least,
    /// How far before all time the pop ends, likewise.
    take_until: Least,
    /// Zero if push and pop are both known.
    unready: Least,
    /// By value, the last that is left and not after it, or one on the way.
    left: Vec<u32>,
}

impl<'a> Nest<'a> {
    fn new(held: &'a [Held]) -> Self {
        let count = held.len();
        let mut nest = Nest {
            held,
            lasts: held.iter().map(|held| held.last).collect(),
            cuts: Counts::new(count),
            put_until: Least::new(held.iter().map(|held| held.put_until)),
            put_from: Least::new(held.iter().map(|held| held.put_from)),
            take_until: Least::new(held.iter().map(|held| NEVER - held.take_until)),
            unready: Least::new(held.iter().map(|_| 2)),
            left: (0..=count as u32).collect(),
        };
        for value in 0..count {
            nest.weigh(value, 1);
        }
        nest
    }

    /// Adds to the cuts that a value forbids: those after which it is left,
    /// but before which its push has ended.
    fn weigh(&mut self, value: usize, by: i64) {
        let put_until = self.held[value].put_until;
        let from = self.lasts.partition_point(|last| *last <= put_until);
        self.cuts.add(from, value, by);
    }

    /// The last value that is left of `from..to`.
    fn last(&mut self, from: usize, to: usize) -> Option<usize> {
        // Places are one higher here: nothing is before the first.
        let mut place = to;
        while self.left[place] as usize != place {
            let next = self.left[place] as usize;
            self.left[place] = self.left[next];
            place = next;
        }
        (place > from).then(|| place - 1)
    }

    /// A value of `from..=last` that can be below all the others.
    fn bottom(&mut self, from: usize, last: usize) -> Option<usize> {
        let to = last + 1;
        let first_put = self.put_until.least(from, to);
        while let Some(value) = self.put_from.find(from, to, first_put) {
            self.put_from.set(value, Place::MAX);
            self.unready.set(value, self.unready.get(value) - 1);
        }
        let last_take = NEVER - self.held[last].last;
        while let Some(value) = self.take_until.find(from, to, last_take) {
            self.take_until.set(value, Place::MAX);
            self.unready.set(value, self.unready.get(value) - 1);
        }
        self.unready.find(from, to, 0)
    }

    fn peel(&mut self, value: usize) {
        self.weigh(value, -1);
        self.cuts.close(value);
        self.left[value + 1] = value as u32;
        self.put_until.set(value, Place::MAX);
        self.unready.set(value, Place::MAX);
    }

    /// Values of `from..=last` that have no order: the first to be pushed, the
    /// last to be popped, and some of which one is always inside in between.
    fn blame(&mut self, from: usize, last: usize) -> Vec<usize> {
        let left: Vec<usize> = (from..=last)
            .filter(|&value| self.left[value + 1] as usize == value + 1)
            .collect();
        let Some(&first_gone) = left.first() else {
            return left;
        };
        let inside: Vec<Stretch> = left
            .iter()
            .map(|&value| self.held[value].inside(value))
            .collect();
        let (begin, end) = (self.held[first_gone].last, self.held[last].last);
        let mut blame = match begin < end {
            true => chain(inside, begin, end - 1),
            false => Vec::new(),
        };
        let first = left.iter().min_by_key(|&&value| self.held[value].put_until);
        blame.extend(first);
        if !blame.iter().any(|&value| self.held[value].last == end) {
            blame.push(last);
        }
        blame
    }
}

#[cfg(test)]
mod tests {
    use rustc_hash::FxHashSet;

    use super::*;
    use crate::monitors::oracle::{Case, agree, long};
    use crate::monitors::simulation::{Random, Stack};

    fn any(random: &mut Random) -> Operation {
        let value = 1 + random.below(8) as u32;
        match random.below(5) {
            0 | 1 => Operation::Push(value),
            2 | 3 => Operation::Pop(Some(value)),
            _ => Operation::Pop(None),
        }
    }

    fn qualifies(intervals: &[Interval<Operation>]) -> bool {
        let mut seen = FxHashSet::default();
        intervals.iter().all(|interval| match interval.operation {
            Operation::Push(value) => seen.insert(value),
            Operation::Pop(_) => interval.completed.is_some(),
        })
    }

    const CASE: Case<Stack> = Case {
        decide,
        any,
        qualifies,
        blames_what_has_no_order: true,
    };

    #[test]
    fn it_agrees_with_brute_force() {
        agree(&CASE);
    }

    #[test]
    fn long_histories_are_decided() {
        long(&CASE, 0);
    }
}
