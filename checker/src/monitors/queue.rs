//! FIFO queues into which no value is put twice.
//!
//! Values leave in the order in which they came. A value must come before
//! another if its enqueue ended before that of the other began, or if what saw
//! it in front did. Either relation alone is an interval order, and a cycle in
//! the union of two interval orders holds one of two values. So the history
//! has an order exactly if no value must come before another by one relation
//! and after it by the other (the patterns of Henzinger, Sezgin and Vafeiadis,
//! "Aspect-Oriented Linearizability Proofs", CONCUR 2013), and the order
//! of values is found by taking, again and again, one that is minimal in both.
//!
//! Beyond the paper there are peeks. Those of a value and its dequeue all
//! happen while it is in front. If the first of them to end does so before the
//! last of them begins, the value is in front all the while, and other values
//! must be so before or after.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::container::{self, BYTES, Blame, Contents, Fault, Held, Role};
use super::{Decided, Interval, Place, go_on};
use crate::linearizability::guard::Guard;

/// What is done to a queue, which is empty at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Puts a value at the back.
    Enqueue(u32),
    /// Takes the value in front, if there is one.
    Dequeue(Option<u32>),
    /// Returns the value in front, if there is one.
    Peek(Option<u32>),
}

/// Decides a history of one queue, in O(n log n).
///
/// None if a value is enqueued twice, and for some histories with dequeues of
/// unknown outcome.
pub fn decide(intervals: &[Interval<Operation>]) -> Option<Decided> {
    decide_within(intervals, &mut Guard::none())
}

/// The same as long as `guard` allows it.
pub(crate) fn decide_within(
    intervals: &[Interval<Operation>],
    guard: &mut Guard<'_>,
) -> Option<Decided> {
    let role = |operation: &Operation| match *operation {
        Operation::Enqueue(value) => Role::Put(value),
        Operation::Dequeue(value) => Role::Take(value),
        Operation::Peek(value) => Role::Look(value),
    };
    container::decide(intervals, role, order, guard)
}

fn order(contents: &Contents, guard: &mut Guard<'_>) -> Result<Vec<u32>, Fault> {
    let moments = contents.moments_empty()?;
    let mut arrangement = Arrangement {
        contents,
        fronts: fronts(contents)?,
        lost_used: 0,
        order: Vec::new(),
    };
    let mut moments: Vec<_> = moments.chunk_by(|one, other| one.0 == other.0).collect();
    // Values that can be gone when the queue is empty are, unless they need not
    // be.
    let part = |held: &Held| match held.may_stay() {
        false => moments.partition_point(|moment| moment[0].0 < held.last),
        true => moments.partition_point(|moment| moment[0].0 <= held.put_until),
    };
    let mut parts = vec![Vec::new(); moments.len() + 1];
    for (value, held) in contents.held.iter().enumerate() {
        parts[part(held)].push(value);
    }
    let mut since = 0;
    moments.push(&[]);
    for (moment, values) in moments.into_iter().zip(parts) {
        arrangement.arrange(&values, since, moment.is_empty(), guard)?;
        for &(place, operation) in moment {
            arrangement.order.push(operation);
            since = place;
        }
    }
    Ok(arrangement.order)
}

/// From where to where: before another if it ends before the other begins.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: Place,
    until: Place,
}

/// When a value is in front: at some moment of the time if it is loose, all the
/// time if not. There are two steps to a place, so that there is room between
/// what ends at one and what begins there.
struct Front {
    time: Span,
    loose: bool,
    /// The values that are in front when this one would, by itself, have to be
    /// at the beginning and at the end of its time.
    bounds: [Option<usize>; 2],
}

/// When the values are in front, each outside the time in which another must
/// be.
fn fronts(contents: &Contents) -> Result<Vec<Front>, Blame> {
    let all = contents.held.iter().map(|held| {
        let loose = held.last <= held.seen;
        let time = match loose {
            true => Span {
                from: 2 * held.last,
                until: 2 * held.seen,
            },
            false => Span {
                from: 2 * held.seen + 1,
                until: 2 * held.last - 1,
            },
        };
        Front {
            time,
            loose,
            bounds: [None; 2],
        }
    });
    let mut fronts: Vec<Front> = all.collect();
    let tight = (0..fronts.len()).filter(|&value| !fronts[value].loose);
    let mut tight: Vec<(Span, usize)> = tight.map(|value| (fronts[value].time, value)).collect();
    tight.sort_unstable_by_key(|(time, _)| time.from);
    for pair in tight.windows(2) {
        if pair[1].0.from <= pair[0].0.until {
            return Err(contents.blame([pair[0].1, pair[1].1]));
        }
    }
    let around = |step: Place| {
        let begun = tight.partition_point(|(time, _)| time.from < step);
        let last = begun.checked_sub(1).map(|last| tight[last]);
        last.filter(|(time, _)| step < time.until)
    };
    for (number, front) in fronts.iter_mut().enumerate() {
        if !front.loose {
            continue;
        }
        if let Some((time, value)) = around(front.time.from) {
            front.time.from = time.until + 1;
            front.bounds[0] = Some(value);
        }
        if let Some((time, value)) = around(front.time.until) {
            front.time.until = time.from - 1;
            front.bounds[1] = Some(value);
        }
        if front.time.until < front.time.from {
            let bounds = front.bounds.into_iter().flatten();
            return Err(contents.blame(bounds.chain([number])));
        }
    }
    Ok(fronts)
}

struct Arrangement<'a> {
    contents: &'a Contents,
    fronts: Vec<Front>,
    /// How many dequeues of unknown outcome are in the order.
    lost_used: usize,
    order: Vec<u32>,
}

impl Arrangement<'_> {
    /// Appends what was done to some values, all of it after `since`; nothing
    /// comes after the last part.
    ///
    /// Enqueues take the order of the values, and so do the other operations;
    /// each happens as early as it can. What must come first then began no
    /// later than this can end, or two values would have to precede each other.
    fn arrange(
        &mut self,
        part: &[usize],
        since: Place,
        is_last: bool,
        guard: &mut Guard<'_>,
    ) -> Result<(), Fault> {
        let contents = self.contents;
        let values = self.values(part, guard)?;
        // What may stay does, if nothing that comes to the front is behind it.
        let behind = values.iter().rposition(|&value| {
            let held = &contents.held[value];
            !held.may_stay() || !contents.looks(held).is_empty()
        });
        let gone = if is_last {
            behind.unwrap_or(0)
        } else {
            values.len()
        };
        let (mut put, mut seen) = (since, since);
        let mut puts = Vec::with_capacity(values.len());
        let mut sights = Vec::with_capacity(values.len());
        for (number, value) in values.into_iter().enumerate() {
            let held = &contents.held[value];
            put = put.max(held.put_from);
            puts.push((put, held.put));
            seen = seen.max(put);
            for look in contents.looks(held) {
                seen = seen.max(look.from);
                sights.push((seen, look.operation));
            }
            if held.may_stay() {
                if number < gone {
                    let (from, take) = contents.lost(self.lost_used);
                    self.lost_used += 1;
                    seen = seen.max(from);
                    sights.push((seen, take));
                }
            } else if held.is_taken() {
                seen = seen.max(held.last);
                sights.push((seen, held.take));
            }
        }
        let mut puts = puts.into_iter().peekable();
        for (seen, operation) in sights {
            while let Some((_, put)) = puts.next_if(|(put, _)| *put <= seen) {
                self.order.push(put);
            }
            self.order.push(operation);
        }
        self.order.extend(puts.map(|(_, put)| put));
        Ok(())
    }

    /// The values in the order in which they pass through the queue.
    fn values(&self, part: &[usize], guard: &mut Guard<'_>) -> Result<Vec<usize>, Fault> {
        let held = |value: usize| &self.contents.held[part[value]];
        let put = |value: &usize| Span {
            from: self.contents.held[*value].put_from,
            until: self.contents.held[*value].put_until,
        };
        let front = |value: &usize| self.fronts[*value].time;
        let mut sides = [
            Minimal::new(part.iter().map(put).collect()),
            Minimal::new(part.iter().map(front).collect()),
        ];
        let mut minimal_in = vec![0_u8; part.len()];
        let mut ready = Vec::new();
        // Of values that may stay, as few as can be are taken: only if nothing
        // else is ready, and what most keeps others from being so.
        let mut may_stay = BinaryHeap::new();
        let mut done = vec![false; part.len()];
        let mut order = Vec::with_capacity(part.len());
        while order.len() < part.len() {
            go_on(guard, BYTES * self.contents.held.len())?;
            for side in &mut sides {
                side.advance(&done, |value| {
                    minimal_in[value] += 1;
                    match held(value).may_stay() {
                        _ if minimal_in[value] < 2 => {}
                        false => ready.push(value),
                        true => may_stay.push(Reverse((held(value).put_until, value))),
                    }
                });
            }
            let blocking = || may_stay.pop().map(|Reverse((_, value))| value);
            let Some(value) = ready.pop().or_else(blocking) else {
                // The first to be put is not the first to be taken.
                let both = sides.iter().filter_map(|side| side.first_to_end(&done));
                return Err(self.blame(both.map(|value| part[value])).into());
            };
            done[value] = true;
            order.push(part[value]);
        }
        Ok(order)
    }

    /// The operations of values that must precede each other.
    fn blame(&self, values: impl Iterator<Item = usize>) -> Blame {
        let with_bounds = values.flat_map(|value| {
            let bounds = self.fronts[value].bounds.into_iter().flatten();
            bounds.chain([value])
        });
        self.contents.blame(with_bounds)
    }
}

/// What in an interval order has nothing before it that is not done.
struct Minimal {
    spans: Vec<Span>,
    by_from: Vec<u32>,
    by_until: Vec<u32>,
    /// How many of these are minimal.
    begun: usize,
    /// How many of these are done, at least.
    ended: usize,
}

impl Minimal {
    fn new(spans: Vec<Span>) -> Self {
        let mut by_from: Vec<u32> = (0..spans.len() as u32).collect();
        let mut by_until = by_from.clone();
        by_from.sort_by_key(|&value| spans[value as usize].from);
        by_until.sort_by_key(|&value| spans[value as usize].until);
        Minimal {
            spans,
            by_from,
            by_until,
            begun: 0,
            ended: 0,
        }
    }

    /// Finds what is minimal and was not before.
    fn advance(&mut self, done: &[bool], mut found: impl FnMut(usize)) {
        while let Some(&value) = self.by_until.get(self.ended) {
            if !done[value as usize] {
                break;
            }
            self.ended += 1;
        }
        let Some(&first) = self.by_until.get(self.ended) else {
            return;
        };
        let until = self.spans[first as usize].until;
        while let Some(&value) = self.by_from.get(self.begun) {
            if self.spans[value as usize].from > until {
                break;
            }
            self.begun += 1;
            found(value as usize);
        }
    }

    /// What ends first of what is not done.
    fn first_to_end(&self, done: &[bool]) -> Option<usize> {
        let left = self.by_until[self.ended..].iter();
        left.map(|&value| value as usize)
            .find(|&value| !done[value])
    }
}

#[cfg(test)]
mod tests {
    use rustc_hash::FxHashSet;

    use super::*;
    use crate::monitors::oracle::{Case, agree, long};
    use crate::monitors::simulation::{Queue, Random};

    fn any(random: &mut Random) -> Operation {
        let value = 1 + random.below(8) as u32;
        match random.below(8) {
            0 | 1 => Operation::Enqueue(value),
            2..=4 => Operation::Dequeue(Some(value)),
            5 => Operation::Dequeue(None),
            6 => Operation::Peek(Some(value)),
            _ => Operation::Peek(None),
        }
    }

    fn qualifies(intervals: &[Interval<Operation>]) -> bool {
        let mut seen = FxHashSet::default();
        intervals.iter().all(|interval| match interval.operation {
            Operation::Enqueue(value) => seen.insert(value),
            Operation::Dequeue(_) => interval.completed.is_some(),
            Operation::Peek(_) => true,
        })
    }

    const CASE: Case<Queue> = Case {
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
