//! Which specifications have a monitor, and what their calls are to it.
//!
//! | module | translates |
//! |---|---|
//! | `translation` | calls into a monitor's words, and its answer back |
//! | `sequence` | queues and stacks, and deques that are used as one |
//! | `priority_queue` | priority queues |
//! | `elements` | sets, those that only grow, and what is only counted of a multiset |
//! | `counter` | counters, and what they count |
//! | `log` | logs |
//! | `versioned_register` | what registers count that count their writes |
//!
//! A monitor knows fewer words than a specification. Calls that cannot be said
//! in them exactly leave the history to a search.

mod counter;
mod elements;
mod log;
mod priority_queue;
mod sequence;
mod translation;
mod versioned_register;

use tribunal_histories::Value;

use self::translation::{Translation, Word};
use super::anywhere::{self, Anywhere};
use super::guard::Guard;
use super::object::{About, AskedOf};
use crate::monitors::{Decided, Interval, bounds};
use crate::specification::{
    FencedLock, Lease, MultiRegister, Mutex, OwnedMutex, Recorded, Semaphore, Specification,
};

/// What is asked, and answered if that is known.
pub(crate) type Exchange<'a, S> = (
    &'a <S as Specification>::Call,
    Option<&'a <S as Specification>::Return>,
);

/// A specification that may have a monitor.
pub(crate) trait Monitored: Recorded {
    /// Whether answers tell of all elements that it holds, and less of some.
    const SEEN_WHOLE: bool = false;
    /// What is known of an object of which nothing is known at first.
    const ANYWHERE: Anywhere = Anywhere::Untold;

    /// Decides without a search, if these calls allow that. A call that has
    /// completed took effect; one that has not may have. None as well if `guard`
    /// does not allow more.
    fn monitor(
        &self,
        calls: &[Interval<Exchange<'_, Self>>],
        guard: &mut Guard<'_>,
    ) -> Option<Decided> {
        let _ = (calls, guard);
        None
    }

    /// Which element a call is about, if this holds elements of which each can be
    /// left out of every order, with all calls about it.
    fn about(&self, call: &Self::Call, returned: Option<&Self::Return>) -> Option<About<Value>> {
        let _ = (call, returned);
        None
    }

    /// Whether calls that change something may lead from one state to another, as far as
    /// is known without them.
    fn may_become(&self, from: &Self::State, to: &Self::State) -> bool {
        let _ = (from, to);
        true
    }

    /// Whether none of `all` calls leads to what a call tells, as far as is known without
    /// an order of them.
    fn is_foreign(&self, told: &AskedOf<Self>, all: &[AskedOf<Self>]) -> bool {
        let _ = (told, all);
        false
    }

    /// The number that it holds at first, if it counts.
    fn counts_from(&self) -> Option<i128> {
        None
    }

    /// What a call does to that number, if it takes effect; none if that is not known.
    /// `completes` says whether it did for certain.
    fn counted(
        &self,
        call: &Self::Call,
        returned: Option<&Self::Return>,
        completes: bool,
    ) -> Option<bounds::Operation> {
        let _ = (call, returned, completes);
        None
    }

    /// What is held after a call, whatever was before, if that is known.
    fn leaves(&self, call: &Self::Call, returned: Option<&Self::Return>) -> Option<Self::State> {
        anywhere::leaves(self, call, returned)
    }

    /// The same of these elements alone; nothing else is in it.
    fn of_these(&self, elements: &[&Value]) -> Self {
        let _ = elements;
        self.clone()
    }

    /// What was answered, as far as it goes for some elements: those at the places that
    /// are kept of what was listed.
    fn of_elements(&self, returned: &Self::Return, keeps: &dyn Fn(usize) -> bool) -> Self::Return {
        let _ = keeps;
        returned.clone()
    }
}

/// Whether a call may take effect after another, and others between.
pub(crate) fn may_follow<S: Monitored>(
    specification: &S,
    first: &AskedOf<S>,
    second: &AskedOf<S>,
) -> bool {
    let leaves = |asked: &AskedOf<S>| specification.leaves(&asked.call, asked.returned.as_ref());
    let (Some(from), Some(to)) = (leaves(first), leaves(second)) else {
        return true;
    };
    let at_once = specification.step(&from, &second.call, second.returned.as_ref());
    at_once.is_some() || specification.may_become(&from, &to)
}

/// Refutes what is told of a number out of bounds.
fn out_of_bounds<S: Monitored>(
    specification: &S,
    calls: &[Interval<Exchange<'_, S>>],
    guard: &mut Guard<'_>,
) -> Option<Decided> {
    let initial = specification.counts_from()?;
    let word = |&(call, returned): &Exchange<'_, S>, completed| {
        let counted = specification.counted(call, returned, completed);
        counted.map_or(Word::None, Word::Is)
    };
    Translation::new([], calls, guard, word)?.decide(guard, |intervals, guard| {
        bounds::refute_within(intervals, initial, guard)
    })
}

/// Of what is listed, what is kept.
fn only(listed: &[Value], keeps: &dyn Fn(usize) -> bool) -> Vec<Value> {
    let kept = listed.iter().enumerate().filter(|(place, _)| keeps(*place));
    kept.map(|(_, element)| element.clone()).collect()
}

impl Monitored for MultiRegister {}
impl Monitored for Mutex {}
impl Monitored for OwnedMutex {}
impl Monitored for FencedLock {}
impl Monitored for Lease {}
impl Monitored for Semaphore {}
