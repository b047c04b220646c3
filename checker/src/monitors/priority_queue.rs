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
//! 2025.

use std::collections::BTreeSet;

use super::container::{self, BYTES, Contents, Fault, Held, Role};
use super::cover::{Stretch, chain};
use super::trees::Counts;
use super::{Decided, Interval, NEVER, NONE, Place, go_on};
use crate::linearizability::guard::Guard;

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
    decide_within(intervals, first, &mut Guard::none())
}

/// The same as long as `guard` allows it.
pub(crate) fn decide_within(
    intervals: &[Interval<Operation>],
    first: First,
    guard: &mut Guard<'_>,
) -> Option<Decided> {
    let role = |operation: &Operation| match *operation {
        Operation::Insert(value) => Role::Put(value),
        Operation::Poll(value) => Role::Take(value),
    };
    let rank = |held: &Held| match first {
        First::Smallest => held.value,
        First::Largest => u32::MAX - held.value,
    };
    let order = |contents: &Contents, guard: &mut Guard<'_>| order(contents, rank, guard);
    container::decide(intervals, role, order, guard)
}

fn order(
    contents: &Contents,
    rank: impl Fn(&Held) -> u32,
    guard: &mut Guard<'_>,
) -> Result<Vec<u32>, Fault> {
    let held = &contents.held;
    let mut by_rank: Vec<usize> = (0..held.len()).collect();
    by_rank.sort_unstable_by_key(|&value| rank(&held[value]));
    let mut open = Open::new(contents);
    let mut moments = vec![NEVER; held.len()];
    for (done, &value) in by_rank.iter().enumerate() {
        go_on(guard, BYTES * held.len())?;
        let this = &held[value];
        if this.is_taken() && !this.may_stay() {
            moments[value] = open.from(this.last);
            if moments[value] > this.take_until {
                let before = by_rank[..done].iter();
                let inside = before.map(|&other| inside_alone(other, &held[other]));
                let chain = chain(inside.collect(), this.last, this.take_until);
                return Err(contents.blame(chain.into_iter().chain([value])).into());
            }
        }
        open.close(this);
    }
    let mut events = Vec::with_capacity(held.len());
    let mut needed = BTreeSet::new();
    for (place, operation) in contents.moments_empty()? {
        needed.insert(place);
        events.push(Event {
            place,
            rank: Event::EMPTY,
            put: NONE,
            take: operation,
        });
    }
    if held.iter().any(Held::may_stay) {
        // What may stay goes just before it would keep another inside.
        for &value in by_rank.iter().rev() {
            if held[value].may_stay() {
                let mut later = needed.range(held[value].put_until + 1..);
                moments[value] = later.next().copied().unwrap_or(NEVER);
            }
            needed.insert(moments[value]);
        }
    }
    for (this, place) in held.iter().zip(moments) {
        let together = place <= this.put_until;
        if !together {
            events.push(Event {
                place: this.put_until,
                rank: Event::PUT,
                put: this.put,
                take: NONE,
            });
        }
        if place < NEVER {
            events.push(Event {
                place,
                rank: rank(this).into(),
                put: if together { this.put } else { NONE },
                take: this.take,
            });
        }
    }
    events.sort_unstable();
    let operations = events.iter().flat_map(|event| [event.put, event.take]);
    Ok(operations.filter(|&operation| operation != NONE).collect())
}

/// When a value is inside if nothing of unknown outcome takes it.
fn inside_alone(value: usize, held: &Held) -> Stretch {
    let inside = held.inside(value);
    Stretch {
        before: if held.may_stay() {
            NEVER
        } else {
            inside.before
        },
        ..inside
    }
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

/// The moments at which none of the values so far must be inside: those that
/// stay unless a poll of unknown outcome takes them may be gone, if there are
/// as many such polls by then. Of moments, only those count at which this can
/// change for the better: when a value can first be taken, or a poll of unknown
/// outcome begins.
struct Open {
    /// In time.
    moments: Vec<Place>,
    /// Far above zero where a value must be inside; beside that, how many more
    /// there are that must have gone by then than can have.
    excess: Counts,
}

impl Open {
    fn new(contents: &Contents) -> Self {
        let lasts = contents.held.iter().map(|held| held.last);
        let mut moments: Vec<Place> = lasts.chain(contents.lost_from()).collect();
        moments.sort_unstable();
        moments.dedup();
        let mut open = Open {
            excess: Counts::new(moments.len()),
            moments,
        };
        if contents.held.iter().any(Held::may_stay) {
            for from in contents.lost_from() {
                open.add(from, NEVER + 1, -1);
            }
        }
        open
    }

    fn from(&self, place: Place) -> Place {
        let begin = self.moments.partition_point(|moment| *moment < place);
        let free = self.excess.first_free(begin, self.moments.len());
        free.map_or(NEVER, |free| self.moments[free])
    }

    /// Closes the moments at which a value must be inside.
    fn close(&mut self, held: &Held) {
        /// More than there are operations.
        const MANY: i64 = 1 << 32;
        match held.may_stay() {
            true => self.add(held.put_until + 1, NEVER + 1, 1),
            false => self.add(held.put_until + 1, held.last, MANY),
        }
    }

    /// Adds to the excess from a place until before another.
    fn add(&mut self, from: Place, before: Place, by: i64) {
        let begin = self.moments.partition_point(|moment| *moment < from);
        let end = self.moments.partition_point(|moment| *moment < before);
        self.excess.add(begin, end, by);
    }
}

#[cfg(test)]
mod tests {
    use rustc_hash::FxHashSet;

    use super::*;
    use crate::monitors::oracle::{Case, agree, long};
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
        agree(&CASE);
    }

    /// The same with the order of priorities turned round.
    fn largest_first(intervals: &[Interval<Operation>]) -> Option<Decided> {
        let turned = intervals.iter().map(|interval| Interval {
            operation: match interval.operation {
                Operation::Insert(value) => Operation::Insert(!value),
                Operation::Poll(value) => Operation::Poll(value.map(|value| !value)),
            },
            ..*interval
        });
        decide(&turned.collect::<Vec<_>>(), First::Largest)
    }

    #[test]
    fn the_largest_first_agrees_with_brute_force() {
        agree(&Case {
            decide: largest_first,
            ..CASE
        });
    }

    #[test]
    fn long_histories_are_decided() {
        long(&CASE, 0);
    }
}
