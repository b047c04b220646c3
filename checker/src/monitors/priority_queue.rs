//! Priority queues into which no value is put twice.
//!
//! The last value in the order of priorities never keeps another inside. It can
//! itself be taken at a moment when no other is inside, and where such a moment
//! can be chosen does not depend on the rest of the history (as with an
//! operation that finds nothing inside). So a history has an order exactly if
//! for each value there is a moment, while its poll runs, at which no value
//! before it must be inside.
//!
//! The idea of removing a value and deciding the rest is that of Lee and
//! Mathur, "Efficient Decrease-and-Conquer Linearizability Monitoring", OOPSLA
//! 2025, §7.

use super::container::{self, Blame, Contents, Held, Role};
use super::cover::chain;
use super::{Decided, Interval, NONE, Place};

/// What is done to a priority queue, which is empty at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Puts a value in.
    Insert(u32),
    /// Takes the first value in the order of priorities, if there is one.
    Poll(Option<u32>),
}

/// Which value is polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// The smallest that is inside.
    Smallest,
    /// The largest that is inside.
    Largest,
}

/// Decides a history of one priority queue, in O(n log n).
///
/// None if a value is put in twice, and for some histories with polls of
/// unknown outcome.
pub fn decide(intervals: &[Interval<Operation>], first: First) -> Option<Decided> {
    let role = |operation: &Operation| match *operation {
        Operation::Insert(value) => Role::Put(value),
        Operation::Poll(value) => Role::Take(value),
    };
    let rank = |held: &Held| match first {
        First::Smallest => held.value,
        First::Largest => u32::MAX - held.value,
    };
    container::decide(intervals, role, |contents| order(contents, rank))
}

fn order(contents: &Contents, rank: impl Fn(&Held) -> u32) -> Result<Vec<u32>, Blame> {
    let held = &contents.held;
    let mut by_rank: Vec<usize> = (0..held.len()).collect();
    by_rank.sort_unstable_by_key(|&value| rank(&held[value]));
    let mut open = Open::new(held);
    let mut events = Vec::with_capacity(held.len());
    for (done, &value) in by_rank.iter().enumerate() {
        let this = &held[value];
        let first_put = |place| Event {
            place,
            rank: Event::PUT,
            put: this.put,
            take: NONE,
        };
        if !this.is_taken() {
            events.push(first_put(this.put_until));
        } else {
            let place = held[open.from(value)].last;
            if place > this.take_until {
                let before = by_rank[..done].iter();
                let inside = before.map(|&other| held[other].inside(other)).collect();
                let chain = chain(inside, this.last, this.take_until);
                return Err(contents.blame(chain.into_iter().chain([value])));
            }
            let together = place <= this.put_until;
            if !together {
                events.push(first_put(this.put_until));
            }
            events.push(Event {
                place,
                rank: rank(this).into(),
                put: if together { this.put } else { NONE },
                take: this.take,
            });
        }
        open.close(value, held);
    }
    for (place, operation) in contents.moments_empty()? {
        events.push(Event {
            place,
            rank: Event::EMPTY,
            put: NONE,
            take: operation,
        });
    }
    events.sort_unstable();
    let operations = events.iter().flat_map(|event| [event.put, event.take]);
    Ok(operations.filter(|&operation| operation != NONE).collect())
}

/// What happens at a moment. Polls come in the order of priorities, each in a
/// part of the history that those after it have cut off; then what finds
/// nothing; then what is put in as late as can be, so that it is on the far
/// side of each.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    place: Place,
    rank: u64,
    put: u32,
    take: u32,
}

impl Event {
    const EMPTY: u64 = 1 << 32;
    const PUT: u64 = 2 << 32;
}

/// The moments at which none of the values so far must be inside. Of moments,
/// those count at which some value can first be taken: a gap between stretches
/// begins at such a one.
struct Open {
    /// By value, the first open moment that is not before its own, or one on
    /// the way; the values are in the order of their moments. The moment at
    /// which a value itself can be taken is never closed by it, so that one is
    /// found up to the last value; one more stands for the end.
    next: Vec<u32>,
}

impl Open {
    fn new(held: &[Held]) -> Self {
        Open {
            next: (0..=held.len() as u32).collect(),
        }
    }

    fn from(&mut self, mut place: usize) -> usize {
        while self.next[place] as usize != place {
            let next = self.next[place] as usize;
            self.next[place] = self.next[next];
            place = next;
        }
        place
    }

    /// Closes the moments within the time that a value must be inside.
    fn close(&mut self, value: usize, held: &[Held]) {
        let inside = held[value].inside(value);
        let begin = held.partition_point(|held| held.last <= inside.after);
        let mut place = self.from(begin);
        while place < value && held[place].last < inside.before {
            self.next[place] = place as u32 + 1;
            place = self.from(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use rustc_hash::FxHashSet;

    use super::*;
    use crate::monitors::oracle::{Case, compare, long};
    use crate::monitors::simulation::{PriorityQueue, Random};

    fn any(random: &mut Random) -> Operation {
        let value = 1 + random.below(8) as u32;
        match random.below(5) {
            0 | 1 => Operation::Insert(value.wrapping_mul(0x9e37_79b1)),
            2 | 3 => Operation::Poll(Some(value.wrapping_mul(0x9e37_79b1))),
            _ => Operation::Poll(None),
        }
    }

    fn qualifies(intervals: &[Interval<Operation>]) -> bool {
        let mut seen = FxHashSet::default();
        intervals.iter().all(|interval| match interval.operation {
            Operation::Insert(value) => seen.insert(value),
            Operation::Poll(_) => interval.completed.is_some(),
        })
    }

    const CASE: Case<PriorityQueue> = Case {
        decide: |intervals| decide(intervals, First::Smallest),
        any,
        qualifies,
        blames_what_has_no_order: true,
    };

    #[test]
    fn it_agrees_with_brute_force() {
        for (seed, length) in [(1, 5), (2, 8), (3, 11)] {
            let counts = compare(&CASE, seed, 30_000, length, 0);
            assert!(counts.valid > 6_000, "{counts:?}");
            assert!(counts.refuted > 6_000, "{counts:?}");
            assert!(counts.undecided < 4_000, "{counts:?}");
        }
    }

    #[test]
    fn it_agrees_with_brute_force_if_outcomes_are_unknown() {
        for (seed, length, unknown_one_in) in [(4, 5, 4), (5, 8, 6), (6, 11, 8)] {
            let counts = compare(&CASE, seed, 30_000, length, unknown_one_in);
            assert!(counts.valid > 6_000, "{counts:?}");
            assert!(counts.refuted > 3_000, "{counts:?}");
            assert!(counts.undecided < 9_000, "{counts:?}");
        }
    }

    #[test]
    fn long_histories_are_decided() {
        long(&CASE, 0);
    }
}
