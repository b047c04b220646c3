//! Objects that count: two calls that tell the number are enough, with those between
//! that must have moved it.
//!
//! The same bounds as those of [`crate::monitors::bounds`], which finds the call that is
//! out of them, from their definition: of one pair of calls, by going over all others.
//! What moves the number away from where it would have to be makes no difference, so of
//! all that may have taken effect between only the rest is named.

use std::cmp::Reverse;

use super::certificate::{Claimed, Rechecked, recheck};
use super::evidence::Evidence;
use super::monitored::Monitored;
use super::object::{AskedOf, Call, Object};
use super::rounds::Meter;
use super::subhistory::Start;
use crate::monitors::bounds::Operation;

/// So many of the calls are looked at that completed last before the one that is out of
/// bounds.
const PAIRS_MAX: usize = 64;

/// What calls do to a number.
#[derive(Clone, Debug)]
pub(crate) struct Counting {
    /// What it is at first.
    initial: i128,
    /// By class; none where that is not known.
    does: Vec<Option<Operation>>,
}

impl Counting {
    /// What the calls of these classes do to the number that an object counts, if it
    /// counts.
    pub(crate) fn of<S: Monitored>(specification: &S, classes: &[AskedOf<S>]) -> Option<Self> {
        let does = classes.iter().map(|asked| {
            specification.counted(&asked.call, asked.returned.as_ref(), asked.completes)
        });
        Some(Counting {
            initial: specification.counts_from()?,
            does: does.collect(),
        })
    }
}

/// The evidence of calls that have no order, if the last of the `blamed` ones is out of
/// bounds, or tells otherwise what is held at a number than another does.
pub(super) fn bounded(
    object: &Object,
    calls: &[Call],
    blamed: &[u32],
    meter: &Meter<'_>,
) -> Option<Evidence> {
    let counting = object.steps.counting()?;
    let of = |call: &Call| counting.does[call.class as usize];
    let (&last, others) = blamed.split_last()?;
    let pairs = Pairs {
        initial: counting.initial,
        counted: calls.iter().map(of).collect::<Option<_>>()?,
        calls,
        last,
    };
    let bound = pairs.out_of_bounds(others, meter);
    let is_bound = bound.is_some();
    let pair = bound.or_else(|| pairs.of_same_number(object, others.first().copied()))?;
    let (anywhere, start) = match pair.first {
        Some(_) => (Some(object.steps.anywhere()?), Start::Anywhere),
        None => (None, Start::Initial),
    };
    let judged = anywhere.as_ref().unwrap_or(object);
    let claimed = |needed: bool| {
        move |&call: &u32| Claimed {
            call: calls[call as usize],
            needed,
        }
    };
    let needed = pair.needed.iter().map(claimed(true));
    let claimed: Vec<Claimed> = needed
        .chain(pair.optional.iter().map(claimed(false)))
        .collect();
    let rechecked = meter.guarding(judged, |guard| {
        recheck(judged, &claimed, &[judged.initial], guard)
    });
    let rechecked = match rechecked {
        // That was all of the definition of bounds.
        Rechecked::TooLarge if is_bound => Rechecked::Holds,
        // They need not contradict each other.
        other if !is_bound && other != Rechecked::Holds => return None,
        other => other,
    };
    Some(Evidence {
        needed: pair.needed,
        optional: pair.optional,
        elements: Vec::new(),
        start,
        smallest: false,
        rechecked,
    })
}

/// Calls that count, and one that is out of bounds.
struct Pairs<'a> {
    initial: i128,
    calls: &'a [Call],
    /// What each does.
    counted: Vec<Operation>,
    last: u32,
}

/// Two calls, and what matters of what may have taken effect between.
struct Pair {
    /// None if that is what is held at first.
    first: Option<u32>,
    needed: Vec<u32>,
    optional: Vec<u32>,
}

impl Pairs<'_> {
    /// The latest call that bounds the last one so that it is out of bounds: of the
    /// `blamed` ones, of some that tell, and what is held at first.
    fn out_of_bounds(&self, blamed: &[u32], meter: &Meter<'_>) -> Option<Pair> {
        let last = self.calls[self.last as usize];
        let begun = self.calls.partition_point(|it| it.invoked < last.invoked);
        let before = (0..begun as u32).filter(|&call| {
            self.tells(call).is_some() && self.calls[call as usize].completed < last.invoked
        });
        let mut firsts: Vec<u32> = before.collect();
        firsts.sort_unstable_by_key(|&call| Reverse(self.calls[call as usize].completed));
        firsts.truncate(PAIRS_MAX);
        firsts.extend(blamed.iter().filter(|&&call| self.tells(call).is_some()));
        firsts.sort_unstable_by_key(|&call| Reverse(call));
        let firsts = firsts.into_iter().map(Some).chain([None]);
        firsts
            .take_while(|_| meter.goes_on())
            .find_map(|first| self.pair(first, 1).or_else(|| self.pair(first, -1)))
    }

    /// What a call tells of the number.
    fn tells(&self, call: u32) -> Option<i128> {
        let known = !self.calls[call as usize].is_unknown();
        self.counted[call as usize].leaves.filter(|_| known)
    }

    /// The pair of these two calls, if the last is out of the bounds from below, of all
    /// numbers with this sign.
    fn pair(&self, first: Option<u32>, sign: i128) -> Option<Pair> {
        let last = self.calls[self.last as usize];
        let found = sign * (self.tells(self.last)? - self.counted[self.last as usize].adds);
        let begins = first.map(|first| self.calls[first as usize]);
        let mut bound = sign * first.map_or(Some(self.initial), |first| self.tells(first))?;
        // What raises the number between, for certain, and what may lower it.
        let (mut raises, mut lowers) = (Vec::new(), Vec::new());
        for (number, call) in (0..).zip(self.calls) {
            if number == self.last || Some(number) == first {
                continue;
            }
            let adds = sign * self.counted[number as usize].adds;
            let is_after = begins.is_none_or(|first| first.completed < call.invoked);
            let is_over = begins.is_some_and(|first| call.completed < first.invoked);
            if adds > 0 && is_after && call.completed < last.invoked {
                bound += adds;
                raises.push((adds, number));
            }
            if adds < 0 && !is_over && call.invoked <= last.completed {
                bound += adds;
                lowers.push(number);
            }
        }
        if bound <= found {
            return None;
        }
        raises.sort_unstable();
        let mut needed: Vec<u32> = first.into_iter().chain([self.last]).collect();
        for (adds, call) in raises {
            match bound - adds > found {
                true => bound -= adds,
                false => needed.push(call),
            }
        }
        needed.sort_unstable();
        Some(Pair {
            first,
            needed,
            optional: lowers,
        })
    }

    /// These two, if they tell the same number: where all that is not read-only raises
    /// it, nothing changes what is held between.
    fn of_same_number(&self, object: &Object, first: Option<u32>) -> Option<Pair> {
        let told = first.map_or(Some(self.initial), |first| self.tells(first))?;
        let rises = self.calls.iter().zip(&self.counted).all(|(call, counted)| {
            counted.adds > 0 || counted.adds == 0 && object.effect(call.class).is_read_only()
        });
        let mut needed: Vec<u32> = first.into_iter().chain([self.last]).collect();
        needed.sort_unstable();
        (rises && self.tells(self.last)? == told).then_some(Pair {
            first,
            needed,
            optional: Vec::new(),
        })
    }
}
