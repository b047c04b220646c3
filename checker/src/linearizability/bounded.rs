//! Objects that count: two calls that tell the number are enough, with those between
//! that must have moved it.
//!
//! The same bounds as those of [`crate::monitors::bounds`], which finds the call that is
//! out of them, from their definition: of one pair of calls, by going over all others.
//! What moves the number away from where it would have to be makes no difference, so of
//! all that may have taken effect between only the rest is named.

use std::cmp::Reverse;

use super::monitored::Monitored;
use super::object::{AskedOf, Call, Object};
use super::pairs::Pair;
use super::rounds::Meter;
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

/// The pair of the last of the `blamed` calls and one that bounds it, if it is out of
/// bounds.
pub(super) fn out_of_bounds(
    object: &Object,
    calls: &[Call],
    blamed: &[u32],
    meter: &Meter<'_>,
) -> Option<Pair> {
    if !meter.goes_on() {
        return None;
    }
    let counting = object.steps.counting()?;
    let mut share = meter.share();
    let bytes = counting.does.len() * size_of::<Option<Operation>>()
        + calls.len() * (size_of::<Operation>() + 2 * size_of::<(i128, u32)>());
    if !share.goes_on(bytes) {
        return None;
    }
    let of = |call: &Call| counting.does[call.class as usize];
    let (&last, others) = blamed.split_last()?;
    let bounds = Bounds {
        initial: counting.initial,
        counted: calls.iter().map(of).collect::<Option<_>>()?,
        calls,
        last,
    };
    bounds.latest(others, meter)
}

/// Calls that count, and one that is out of bounds.
struct Bounds<'a> {
    initial: i128,
    calls: &'a [Call],
    /// What each does.
    counted: Vec<Operation>,
    last: u32,
}

impl Bounds<'_> {
    /// The latest call that bounds the last one so that it is out of bounds: of the
    /// `blamed` ones, of some that tell, and what is held at first.
    fn latest(&self, blamed: &[u32], meter: &Meter<'_>) -> Option<Pair> {
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
        if begins.is_some_and(|first| first.completed >= last.invoked) {
            return None;
        }
        let mut bound = sign * first.map_or(Some(self.initial), |first| self.tells(first))?;
        // What raises the number between, for certain, and what may lower it.
        let moves = || {
            (0..).zip(self.calls).filter_map(move |(number, call)| {
                let adds = sign * self.counted[number as usize].adds;
                let is_after = begins.is_none_or(|first| first.completed < call.invoked);
                let is_over = begins.is_some_and(|first| call.completed < first.invoked);
                let raises = adds > 0 && is_after && call.completed < last.invoked;
                let may_lower = adds < 0 && !is_over && call.invoked <= last.completed;
                let is_other = number != self.last && Some(number) != first;
                (is_other && (raises || may_lower)).then_some((adds, number))
            })
        };
        bound += moves().map(|(adds, _)| adds).sum::<i128>();
        if bound <= found {
            return None;
        }
        let (mut raises, lowers): (Vec<_>, Vec<_>) = moves().partition(|&(adds, _)| adds > 0);
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
            optional: lowers.into_iter().map(|(_, call)| call).collect(),
            is_bound: true,
        })
    }
}
