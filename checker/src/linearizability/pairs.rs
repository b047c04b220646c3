//! Two calls that are enough to refute: what the first leaves cannot become what the
//! second finds, whatever takes effect between. Or one alone: nothing leads to what it
//! tells.
//!
//! Either an object only grows in some sense, and the second tells of less or of something
//! else than the first (a log of which one read saw no beginning of what another did, a
//! version with two values), or it counts, and [`super::bounded`] knows how far that can
//! have come.

use super::bounded::out_of_bounds;
use super::certificate::{Claimed, Rechecked, recheck};
use super::evidence::Evidence;
use super::object::{Call, Object};
use super::rounds::Meter;
use super::subhistory::Start;

/// Two calls, and what matters of what may have taken effect between.
pub(super) struct Pair {
    /// None if what is held at first is enough.
    pub(super) first: Option<u32>,
    /// By invocation.
    pub(super) needed: Vec<u32>,
    pub(super) optional: Vec<u32>,
    /// Whether it was found by going over all calls, from which it follows already.
    pub(super) is_bound: bool,
}

/// The evidence of calls that have no order, if the last of the `blamed` ones and another
/// show it.
pub(super) fn evidence_of_two(
    object: &Object,
    calls: &[Call],
    blamed: &[u32],
    meter: &Meter<'_>,
) -> Option<Evidence> {
    let few = foreign(object, calls, blamed).or_else(|| contradiction(object, calls, blamed));
    let pair = few.or_else(|| out_of_bounds(object, calls, blamed, meter))?;
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
    Some(Evidence {
        needed: pair.needed,
        optional: pair.optional,
        elements: Vec::new(),
        start,
        smallest: false,
        rechecked: match rechecked {
            Rechecked::TooLarge if pair.is_bound => Rechecked::OutOfBounds,
            other => other,
        },
    })
}

/// The last of the `blamed` calls, if no call leads to what it tells.
fn foreign(object: &Object, calls: &[Call], blamed: &[u32]) -> Option<Pair> {
    let &last = blamed.last()?;
    let call = &calls[last as usize];
    let is_foreign = !call.is_unknown() && object.steps.is_foreign(call.class);
    is_foreign.then(|| Pair {
        first: None,
        needed: vec![last],
        optional: Vec::new(),
        is_bound: false,
    })
}

/// Two of the `blamed` calls that have no order, one after the other or, if they overlap,
/// both ways round.
fn contradiction(object: &Object, calls: &[Call], blamed: &[u32]) -> Option<Pair> {
    let may_follow = |first: u32, second: u32| {
        let (first, second) = (&calls[first as usize], &calls[second as usize]);
        first.invoked <= second.completed && object.steps.may_follow(first.class, second.class)
    };
    let (&last, others) = blamed.split_last()?;
    let of_last = |&other: &u32| {
        let known = [other, last]
            .iter()
            .all(|&it| !calls[it as usize].is_unknown());
        known && !may_follow(other, last) && !may_follow(last, other)
    };
    let first = others.iter().copied().rfind(of_last)?;
    Some(Pair {
        first: Some(first),
        needed: vec![first.min(last), first.max(last)],
        optional: Vec::new(),
        is_bound: false,
    })
}
