//! Objects that hold elements: the calls on a few of them are enough.
//!
//! If a queue, a stack, a deque or a priority queue has an order, so have the calls on
//! some of its elements alone: in that order all others can be left out. A call that
//! may have taken any element is then one that may have done nothing; what found the
//! object empty finds it so still, and can be left out as well. So where the calls on
//! some elements have no order, neither has the whole.
//!
//! So it is with a set or a log, where what was read is all that it holds: what was
//! read of some elements is all that one holds which has no others.
//!
//! (Bouajjani, Emmi, Enea and Hamza, "On Reducing Linearizability to State
//! Reachability", ICALP 2015, call that closed under projection.)

use std::sync::Arc;

use rustc_hash::FxHashSet;
use tribunal_histories::Value;

use super::dialect::KeyHistory;
use super::guard::Guard;
use super::judge::Judge;
use super::object::{About, Call, Held, Object};
use super::rounds::Meter;
use super::search::Progress;
use super::subhistory::SubHistory;

/// So many configurations are looked at for one question, and for one part.
const CONFIGURATIONS_MAX: u64 = 1 << 18;
const CONFIGURATIONS_EACH: u64 = 1 << 14;
/// So many calls are gone over in the time in which one configuration is looked at.
const CALLS_PREPARED: u64 = 64;
/// So many moves a judge makes of calls on a part.
const MOVES_EACH: u64 = 1 << 16;
/// Among so many elements those are looked for that are enough.
const ELEMENTS_MAX: usize = 64;

/// The elements of an object, and what may be spent on them. States that were met
/// before are forgotten whenever something is asked.
pub(super) struct Elements<'a> {
    object: &'a Arc<Object>,
    meter: &'a Meter<'a>,
    held: Held,
    /// How many configurations may be looked at before the question is answered.
    left: u64,
}

/// Some elements of an object.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    elements: FxHashSet<u32>,
    /// With the calls that found no element.
    with_empty: bool,
}

/// Calls that are enough to refute all.
pub(super) enum Enough {
    /// These.
    These(Vec<u32>),
    /// What these say of some elements.
    Alone(Alone),
}

/// An object that holds some elements and no others.
pub(super) struct Alone {
    pub(super) object: Arc<Object>,
    pub(super) elements: Vec<Value>,
    pub(super) calls: Vec<Call>,
    /// Which call of the whole object each is.
    pub(super) whose: Vec<u32>,
    /// The calls that a refutation is due to, as far as that is known.
    pub(super) blame: Vec<u32>,
}

impl<'a> Elements<'a> {
    /// Nothing if the object holds no elements of which each can be left out.
    pub(super) fn of(object: &'a Arc<Object>, meter: &'a Meter<'a>) -> Option<Self> {
        let held = meter.guarding(object, |guard| object.steps.elements(guard))?;
        Some(Elements {
            object,
            meter,
            held,
            left: 0,
        })
    }

    /// Elements, the calls on which have no order: those that the `blamed` calls are
    /// about, or the last before.
    pub(super) fn find(&mut self, calls: &[Call], blamed: &[u32]) -> Option<Part> {
        let mut part = Part {
            elements: self.blamed(calls, blamed),
            with_empty: false,
        };
        let last = blamed.last().map(|&call| calls[call as usize].completed);
        let begun = calls.partition_point(|call| last.is_none_or(|last| call.invoked <= last));
        let mut before = calls[..begun].iter().rev();
        self.left = CONFIGURATIONS_MAX;
        loop {
            for with_empty in [false, true] {
                part.with_empty = with_empty;
                if with_empty && self.held.is_seen_whole {
                    continue;
                }
                if self.is_refuted(calls, &part) == Some(true) {
                    return Some(part);
                }
            }
            let wanted = 2 * part.elements.len().max(1);
            let had = part.elements.len();
            while part.elements.len() < wanted
                && let Some(call) = before.next()
            {
                part.elements.extend(self.element(call));
            }
            if wanted > ELEMENTS_MAX || part.elements.len() == had {
                return None;
            }
        }
    }

    /// Which of the prefixes that end at these events is the first in which this
    /// `part` has no order; it has none in the last.
    pub(super) fn first_refuted(&mut self, key: &KeyHistory, part: &Part, ends: &[u32]) -> usize {
        self.left = CONFIGURATIONS_MAX;
        let (mut low, mut high) = (0, ends.len().saturating_sub(1));
        while low < high {
            let middle = low + (high - low) / 2;
            let (calls, _) = key.calls(ends[middle]);
            match self.is_refuted(&calls, part) {
                Some(true) => high = middle,
                Some(false) | None => low = middle + 1,
            }
        }
        high
    }

    /// Leaves out the elements without which there is no order either, and says which
    /// of the calls are left.
    pub(super) fn shrink(&mut self, calls: &[Call], mut part: Part) -> Option<Enough> {
        self.left = CONFIGURATIONS_MAX;
        let mut elements: Vec<u32> = part.elements.iter().copied().collect();
        elements.sort_unstable();
        for element in elements {
            part.elements.remove(&element);
            if self.is_refuted(calls, &part) != Some(true) {
                part.elements.insert(element);
            }
        }
        let these = self.calls_of(calls, &part);
        if !self.held.is_seen_whole {
            return Some(Enough::These(these));
        }
        let mut alone = self.alone(calls, these, &part)?;
        let mut judge = Judge::new(&alone.object, alone.calls.clone(), None);
        if self.decide(&mut judge) == Progress::Refuted {
            alone.blame = judge.blame();
        }
        Some(Enough::Alone(alone))
    }

    fn about(&self, call: &Call) -> &About<u32> {
        &self.held.about[call.class as usize]
    }

    fn element(&self, call: &Call) -> Option<u32> {
        match self.about(call) {
            About::Element(element) => Some(*element),
            About::Listed(_) | About::Any | About::None | About::Whole => None,
        }
    }

    /// The elements that these calls are about, or in which what they list is wrong.
    fn blamed(&self, calls: &[Call], blamed: &[u32]) -> FxHashSet<u32> {
        let blamed = || blamed.iter().map(|&call| &calls[call as usize]);
        let mut elements: FxHashSet<u32> = blamed().filter_map(|call| self.element(call)).collect();
        let lists = || {
            blamed().filter_map(|call| match self.about(call) {
                About::Listed(listed) => Some((call, &listed[..])),
                _ => None,
            })
        };
        for (call, listed) in lists() {
            let begun = calls.iter().take_while(|it| it.invoked <= call.completed);
            let mut put: FxHashSet<u32> = begun.filter_map(|it| self.element(it)).collect();
            // Listed twice, or never put in.
            elements.extend(listed.iter().find(|element| !put.remove(element)));
            let these: FxHashSet<u32> = listed.iter().copied().collect();
            for (_, others) in lists() {
                elements.extend(others.iter().find(|element| !these.contains(element)));
                let both = listed.iter().zip(others);
                let differ = both.filter(|(this, other)| this != other).take(1);
                elements.extend(differ.flat_map(|(&this, &other)| [this, other]));
            }
        }
        elements
    }

    /// The calls that are about a part, in the order of invocation.
    fn calls_of(&self, calls: &[Call], part: &Part) -> Vec<u32> {
        let is_of = |(_, call): &(u32, &Call)| match self.about(call) {
            About::Element(element) => part.elements.contains(element),
            About::Any | About::Listed(_) => true,
            About::None => part.with_empty && !call.is_unknown(),
            About::Whole => false,
        };
        let of = (0..).zip(calls).filter(is_of);
        of.map(|(number, _)| number).collect()
    }

    /// Whether the calls on a part have no order; none if that would take too long.
    fn is_refuted(&mut self, calls: &[Call], part: &Part) -> Option<bool> {
        self.left = self
            .left
            .saturating_sub(calls.len() as u64 / CALLS_PREPARED);
        if self.left == 0 || !self.meter.goes_on() {
            return None;
        }
        let these = self.calls_of(calls, part);
        if self.held.is_seen_whole {
            let alone = self.alone(calls, these, part)?;
            let mut judge = Judge::new(&alone.object, alone.calls, None);
            return match self.decide(&mut judge) {
                Progress::Refuted => Some(true),
                Progress::Explained => Some(false),
                Progress::Paused => None,
            };
        }
        let owed = |call: u32| self.object.owes(&calls[call as usize]);
        let part = SubHistory::of(calls, &these, owed);
        let given = self.left.min(CONFIGURATIONS_EACH);
        let mut left = given;
        let object = self.object;
        let judge = |guard: &mut Guard<'_>| part.is_refuted(object, &mut left, guard);
        let refuted = self.meter.guarding(object, judge);
        self.left -= given - left;
        object.steps.forget();
        refuted
    }

    /// What these of the calls say of a part; nothing if it is of no object.
    fn alone(&self, calls: &[Call], these: Vec<u32>, part: &Part) -> Option<Alone> {
        let mut elements: Vec<u32> = part.elements.iter().copied().collect();
        elements.sort_unstable();
        let elements = elements.iter().map(|&it| &self.held.elements[it as usize]);
        let elements: Vec<&Value> = elements.collect();
        let of = || these.iter().map(|&call| calls[call as usize]);
        let classes: Vec<u32> = of().map(|call| call.class).collect();
        let listed = |class: u32| match &self.held.about[class as usize] {
            About::Listed(listed) => &listed[..],
            _ => &[],
        };
        let keeps = |class, place| part.elements.contains(&listed(class)[place]);
        let (object, classes) = self.object.steps.alone(&classes, &elements, &keeps)?;
        let calls = of()
            .zip(classes)
            .map(|(call, class)| Call { class, ..call });
        Some(Alone {
            object: Arc::new(object),
            elements: elements.into_iter().cloned().collect(),
            calls: calls.collect(),
            whose: these,
            blame: Vec::new(),
        })
    }

    /// What a judge says of calls on a part, if that does not take too long.
    fn decide(&mut self, judge: &mut Judge) -> Progress {
        let mut share = self.meter.share();
        let progress = judge.decide(MOVES_EACH, |bytes| share.goes_on(bytes));
        if progress == Progress::Paused {
            self.left = self.left.saturating_sub(CONFIGURATIONS_EACH);
        }
        progress
    }
}
