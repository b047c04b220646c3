//! Why a history has no order, in as few operations as can be.
//!
//! Three steps, each of which only allows more orders, so that what still has
//! none refutes the whole:
//!
//! 1. A window. What happened before some moment is forgotten: the object may
//!    hold anything there, and calls that were open may take effect later or
//!    not. Such a moment is looked for from the end in steps that double, and
//!    where what is needed in the window begins later, between that and the
//!    end. Where what calls do is known in named states alone, an object of which
//!    nothing is known at first judges ([`super::anywhere`]; of a log, whose every state
//!    is long, only if all else shows too much). Where no window will do (or none can be
//!    judged: what appended texts or containers hold, a single call does not tell) it is
//!    the whole history, from its initial state.
//! 2. The fewest operations. One call after the other, at first in halves, is
//!    allowed not to take effect (Zeller and Hildebrandt, "Simplifying and
//!    Isolating Failure-Inducing Input", 2002; since nothing is ever allowed
//!    less, one pass at each size is enough). Those without which there is an
//!    order are needed.
//! 3. What is left is checked again by [`super::certificate`].
//!
//! Of an object that holds elements [`super::elements`] says which calls are enough.
//! Where what is found is large, two calls may be enough ([`super::pairs`]).

use std::cmp::Reverse;
use std::sync::Arc;

use rustc_hash::FxHashSet;
use tribunal_histories::Value;

use super::anywhere::Anywhere;
use super::certificate::{CALLS_MAX, Rechecked, recheck};
use super::elements::{Alone, Enough};
use super::guard::Guard;
use super::object::Object;
use super::pairs::evidence_of_two;
use super::rounds::Meter;
use super::subhistory::{Choosing, Start, SubHistory, may_start_anywhere};
use super::timeline::{Moment, Timeline};

/// So many configurations are looked at in all, and for one sub-history.
const CONFIGURATIONS_MAX: u64 = 1 << 19;
const CONFIGURATIONS_EACH: u64 = 1 << 14;
/// In all where there is no window: each is larger then, and less comes of it.
const CONFIGURATIONS_WHOLE: u64 = 1 << 16;
/// So many bytes are held by the states of an object that every call makes larger.
const BYTES_AT_LAST: u64 = 1 << 27;
/// As few needed calls as these are wanted.
const WANTED_MAX: usize = 12;
/// So many calls are made ready to be judged in the time in which one
/// configuration is looked at.
const CALLS_PREPARED: u64 = 8;

/// What refutes a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// The calls without which there is an order, by invocation.
    pub(crate) needed: Vec<u32>,
    /// The calls that may take effect or not, and are in the way of neither: with
    /// whichever of them, the needed ones have no order.
    pub(crate) optional: Vec<u32>,
    /// If there are any, the needed calls have no order for what they say of these
    /// elements alone.
    pub(crate) elements: Vec<Value>,
    /// Where no order starts.
    pub(crate) start: Start,
    /// Whether it is known that no later window refutes, and that no needed call
    /// can be missed.
    pub(crate) smallest: bool,
    /// What the independent check says.
    pub(crate) rechecked: Rechecked,
}

impl Evidence {
    /// None, because a limit was met.
    pub(crate) const NONE: Evidence = Evidence {
        needed: Vec::new(),
        optional: Vec::new(),
        elements: Vec::new(),
        start: Start::Initial,
        smallest: false,
        rechecked: Rechecked::LimitMet,
    };
}

/// The evidence that these calls, of which there is no order, have none; `enough`
/// are already some of them by themselves, if those are known. The refutation is due to
/// those to `blame`, as far as that is known.
pub(crate) fn evidence(
    object: &Arc<Object>,
    timeline: &Timeline,
    enough: Option<Enough>,
    blame: &[u32],
    meter: &Meter<'_>,
) -> Evidence {
    if !meter.goes_on() {
        return Evidence::NONE;
    }
    match enough {
        Some(Enough::These(calls)) => {
            let shrinking = Shrinking::new(object, timeline, blame, meter);
            let among = Among::These(calls);
            Shrinking { among, ..shrinking }.run()
        }
        Some(Enough::Alone(alone)) => evidence_alone(alone, meter),
        None => evidence_of_all(object, timeline, blame, meter),
    }
}

/// The evidence of calls of which any may be needed.
fn evidence_of_all(
    object: &Arc<Object>,
    timeline: &Timeline,
    blame: &[u32],
    meter: &Meter<'_>,
) -> Evidence {
    let found = Shrinking::new(object, timeline, blame, meter).run();
    if found.rechecked == Rechecked::Holds && found.needed.len() <= WANTED_MAX {
        return found;
    }
    let refutes = |it: &Evidence| matches!(it.rechecked, Rechecked::Holds | Rechecked::OutOfBounds);
    let is_better = |other: &Evidence| {
        let is_smaller = other.needed.len() < found.needed.len();
        refutes(other) && (is_smaller || !refutes(&found))
    };
    let two = evidence_of_two(object, &timeline.calls, blame, meter).filter(is_better);
    let other = two.or_else(|| at_last(object, timeline, meter).filter(is_better));
    other.unwrap_or(found)
}

/// The evidence in a window at the start of which nothing is known, of an object where
/// that is left for the last.
pub(crate) fn at_last(
    object: &Arc<Object>,
    timeline: &Timeline,
    meter: &Meter<'_>,
) -> Option<Evidence> {
    (object.steps.use_of_anywhere() == Anywhere::AtLast)
        .then(|| Shrinking::new(object, timeline, &[], meter).run_at_last())?
}

/// The evidence of what calls say of some elements.
fn evidence_alone(alone: Alone, meter: &Meter<'_>) -> Evidence {
    let Alone {
        object,
        elements,
        calls,
        whose,
        blame,
    } = alone;
    let prepare = |guard: &mut Guard<'_>| Timeline::new(&object, calls, guard).ok();
    let Some(timeline) = meter.guarding(&object, prepare) else {
        return Evidence::NONE;
    };
    let found = evidence_of_all(&object, &timeline, &blame, meter);
    let whose = |calls: Vec<u32>| calls.iter().map(|&call| whose[call as usize]).collect();
    Evidence {
        needed: whose(found.needed),
        optional: whose(found.optional),
        elements,
        ..found
    }
}

struct Shrinking<'a> {
    object: &'a Arc<Object>,
    /// What judges: the object, or the same of which nothing is known at first.
    judged: Arc<Object>,
    timeline: &'a Timeline,
    among: Among<'a>,
    meter: &'a Meter<'a>,
    /// How many configurations may be looked at.
    left: u64,
    start: Start,
    /// The moment at which the window begins.
    from: u32,
    /// The calls in it that are needed.
    needed: Vec<u32>,
    /// Whether nothing was left open.
    sure: bool,
}

/// The calls that evidence is taken from.
enum Among<'a> {
    All {
        choosing: Choosing<'a>,
        /// Those that the refutation is due to, as far as that is known.
        blame: Vec<u32>,
    },
    /// These, in the order of invocation; no others matter to them.
    These(Vec<u32>),
}

impl<'a> Shrinking<'a> {
    fn new(
        object: &'a Arc<Object>,
        timeline: &'a Timeline,
        blame: &[u32],
        meter: &'a Meter<'a>,
    ) -> Self {
        Shrinking {
            object,
            judged: Arc::clone(object),
            timeline,
            among: Among::All {
                choosing: Choosing::new(object, timeline),
                blame: blame.to_vec(),
            },
            meter,
            left: CONFIGURATIONS_MAX,
            start: Start::Initial,
            from: 0,
            needed: Vec::new(),
            sure: true,
        }
    }

    fn run(&mut self) -> Evidence {
        let window = match self.among {
            Among::These(_) => None,
            Among::All { .. } if may_start_anywhere(self.object, &self.timeline.calls) => {
                self.find_window()
            }
            Among::All { .. } => match self.object.steps.use_of_anywhere() {
                Anywhere::Untold | Anywhere::AtLast => None,
                Anywhere::Roughly | Anywhere::Exactly => self.find_window_from_anywhere(),
            },
        };
        let mut holds = true;
        match window {
            Some(window) => self.shrink_window(window),
            None => {
                self.left = self.left.min(CONFIGURATIONS_WHOLE);
                self.needed = match &self.among {
                    Among::All { blame, .. } => {
                        let blame = blame.clone();
                        let few = match self.is_refuted(&blame) {
                            Some(true) => Some(blame),
                            Some(false) | None => self.last_that_refute(),
                        };
                        few.unwrap_or_else(|| self.begun_from(0))
                    }
                    Among::These(calls) => {
                        let owed =
                            |call: &u32| self.object.owes(&self.timeline.calls[*call as usize]);
                        calls.iter().copied().filter(owed).collect()
                    }
                };
                holds = self.is_refuted(&self.needed.clone()) != Some(false);
                // Without what changes nothing there are no more configurations.
                let (reads, others): (Vec<u32>, Vec<u32>) =
                    self.needed.iter().partition(|&&call| self.is_read(call));
                self.drop_calls(reads);
                self.drop_calls(others);
            }
        }
        self.found(holds)
    }

    /// The evidence in a window at the start of which nothing is known.
    fn run_at_last(&mut self) -> Option<Evidence> {
        let named = self.object.steps.named();
        // All classes have to be named again.
        let mut share = self.meter.share();
        if self.is_over() || !share.goes_on(3 * named.bytes) {
            return None;
        }
        let calls = self.timeline.calls.len() as u64;
        let largest = (2 * named.bytes / named.states.max(1)) as u64;
        self.left = self.left.min(BYTES_AT_LAST / (largest + calls).max(1));
        let window = self.find_window_from_anywhere()?;
        self.shrink_window(window);
        Some(self.found(true))
    }

    fn shrink_window(&mut self, (from, until): (u32, u32)) {
        self.start = Start::Anywhere;
        self.shrink(from);
        self.narrow(until);
    }

    /// What is needed, checked again if it `holds`.
    fn found(&mut self, holds: bool) -> Evidence {
        // So many are not checked again, nor shown.
        if self.needed.len() > CALLS_MAX && !self.meter.goes_on() {
            return Evidence::NONE;
        }
        let part = self.choose(&self.needed, self.from, self.start);
        let of = |needed: bool| {
            let some = part.calls.iter().filter(|(_, it)| it.needed == needed);
            some.map(|&(call, _)| call).collect()
        };
        let claimed: Vec<_> = part.calls.iter().map(|&(_, it)| it).collect();
        Evidence {
            needed: of(true),
            optional: of(false),
            elements: Vec::new(),
            start: self.start,
            smallest: self.sure && holds,
            rechecked: match holds {
                true => self.meter.guarding(&self.judged, |guard| {
                    let starts = part.starts(&self.judged);
                    recheck(&self.judged, &claimed, &starts, guard)
                }),
                false => Rechecked::Fails,
            },
        }
    }

    /// A moment from which on there is no order wherever that starts, and a
    /// later one from which on there is one, if there is such a window.
    fn find_window(&mut self) -> Option<(u32, u32)> {
        let all = self.timeline.moments.len() as u32;
        let mut until = all;
        let mut length = 4;
        loop {
            let from = all.saturating_sub(length);
            match self.is_window(from) {
                Some(true) => return Some((from, until)),
                decided => self.sure &= decided.is_some(),
            }
            if from == 0 || self.left == 0 {
                return None;
            }
            until = from;
            length = length.saturating_mul(2);
        }
    }

    /// The same where what calls do in a state that none names is not known: where
    /// nothing is known at first.
    fn find_window_from_anywhere(&mut self) -> Option<(u32, u32)> {
        let judged = self.object.steps.anywhere()?;
        let left = self.left;
        self.left = left.min(CONFIGURATIONS_WHOLE);
        self.judged = Arc::new(judged);
        let window = self.find_window();
        self.left = left;
        self.sure &= self.object.steps.use_of_anywhere() == Anywhere::Exactly;
        if window.is_none() {
            self.judged = Arc::clone(self.object);
        }
        window
    }

    /// The calls that complete last, if these alone are needed and still have no
    /// order; as few as can be, in steps that double.
    fn last_that_refute(&mut self) -> Option<Vec<u32>> {
        let mut calls = self.begun_from(0);
        calls.sort_unstable_by_key(|&call| Reverse(self.timeline.ends[call as usize].moment));
        let given = self.left;
        let mut count = 1;
        while count < calls.len() && count <= CALLS_MAX && self.left > given / 2 {
            let mut last = calls[..count].to_vec();
            last.sort_unstable();
            if self.is_refuted(&last) == Some(true) {
                return Some(last);
            }
            count *= 2;
        }
        None
    }

    /// Looks for the latest window, that begins before the moment `until`. If none
    /// is later than what is needed, that is known at once.
    fn narrow(&mut self, until: u32) {
        let Some(&first) = self.needed.first() else {
            return;
        };
        let first = self.begin_of(first);
        // From `low` on there is no order, from `high` on there is one.
        let (mut low, mut high) = (first, until);
        let mut middle = first + 1;
        while low + 1 < high {
            match self.is_window(middle) {
                Some(true) => low = middle,
                decided => {
                    self.sure &= decided.is_some();
                    high = middle;
                }
            }
            middle = low + (high - low) / 2;
        }
        match low > first {
            true => self.shrink(low),
            // What was over before leaves some state or other.
            false => self.from = first,
        }
    }

    /// The moment at which a call begins.
    fn begin_of(&self, call: u32) -> u32 {
        let begins = |moment: &Moment| *moment == Moment::Begin(call);
        let after = self.timeline.moments[self.from as usize..].iter();
        self.from + after.take_while(|moment| !begins(moment)).count() as u32
    }

    fn is_window(&mut self, from: u32) -> Option<bool> {
        if self.is_over() {
            return None;
        }
        let needed = self.begun_from(from);
        let part = self.choose(&needed, from, Start::Anywhere);
        self.judge(&part)
    }

    /// The sub-history of the calls that are `needed`.
    fn choose(&self, needed: &[u32], from: u32, start: Start) -> SubHistory {
        match &self.among {
            Among::All { choosing, .. } => choosing.choose(needed, from, start),
            Among::These(calls) => {
                let needed: FxHashSet<u32> = needed.iter().copied().collect();
                // What changes nothing, and need not be, is in nobody's way.
                let matters = |call: &u32| needed.contains(call) || !self.is_read(*call);
                let calls: Vec<u32> = calls.iter().copied().filter(matters).collect();
                SubHistory::of(&self.timeline.calls, &calls, |call| needed.contains(&call))
            }
        }
    }

    /// The calls that begin and complete from this moment on.
    fn begun_from(&self, from: u32) -> Vec<u32> {
        let moments = self.timeline.moments[from as usize..].iter();
        let begun = moments.filter_map(|&moment| match moment {
            Moment::Begin(call) => Some(call),
            Moment::BeginUnknown(_) | Moment::End(_) => None,
        });
        begun.collect()
    }

    /// Finds what is needed in the window that begins at this moment.
    fn shrink(&mut self, from: u32) {
        self.from = from;
        self.needed = self.begun_from(from);
        self.drop_calls(self.needed.clone());
    }

    /// Drops some of these calls as long as what is needed has no order.
    fn drop_calls(&mut self, mut calls: Vec<u32>) {
        let mut size = calls.len().div_ceil(2);
        let mut sure = true;
        while size > 0 {
            sure = true;
            let mut at = 0;
            while at < calls.len() {
                let until = (at + size).min(calls.len());
                let dropped: FxHashSet<u32> = calls[at..until].iter().copied().collect();
                let kept = self.needed.iter().filter(|call| !dropped.contains(call));
                let kept: Vec<u32> = kept.copied().collect();
                match self.is_refuted(&kept) {
                    Some(true) => {
                        self.needed = kept;
                        calls.drain(at..until);
                    }
                    decided => {
                        sure &= decided.is_some();
                        at = until;
                    }
                }
                if self.left == 0 {
                    self.sure = false;
                    return;
                }
            }
            size = match size {
                1 => 0,
                _ => size.div_ceil(2),
            };
        }
        self.sure &= sure;
    }

    fn is_read(&self, call: u32) -> bool {
        let class = self.timeline.class(call);
        self.object.effect(class).is_read_only()
    }

    /// Whether these of the needed calls have no order.
    fn is_refuted(&mut self, needed: &[u32]) -> Option<bool> {
        if needed.is_empty() {
            return Some(false);
        }
        if self.is_over() {
            return None;
        }
        let part = self.choose(needed, self.from, self.start);
        self.judge(&part)
    }

    /// Whether no more may be looked at.
    fn is_over(&mut self) -> bool {
        if !self.meter.goes_on() {
            self.left = 0;
        }
        self.left == 0
    }

    fn judge(&mut self, part: &SubHistory) -> Option<bool> {
        // To prepare it costs as well.
        let prepared = part.calls.len() as u64 / CALLS_PREPARED;
        self.left = self.left.saturating_sub(prepared);
        if self.is_over() {
            return None;
        }
        let mut left = self.left.min(CONFIGURATIONS_EACH);
        let given = left;
        let object = &self.judged;
        let judge = |guard: &mut Guard<'_>| part.is_refuted(object, &mut left, guard);
        let refuted = self.meter.guarding(object, judge);
        self.left -= given - left;
        refuted
    }
}

/// The evidence of calls, within no limits but its own.
#[cfg(test)]
pub(crate) fn of_calls(object: &Arc<Object>, calls: Vec<super::object::Call>) -> Evidence {
    let limits = super::Limits::default();
    evidence(
        object,
        &Timeline::unlimited(object, calls),
        None,
        &[],
        &Meter::new(&limits),
    )
}
