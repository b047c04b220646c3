//! Short stretches of a history that have no order wherever they start.
//!
//! What was held where a stretch begins is not known: any state is taken, and
//! every call that was open there, or is of unknown outcome, may take effect in
//! it or not. That allows more orders than the whole history does, so that a
//! stretch without one refutes the whole, however hard the rest is.

use std::sync::Arc;

use super::frontier::{Frontier, Seen, Taken};
use super::guard::Guard;
use super::mask::Mask;
use super::object::{ELSEWHERE, Object, State};
use super::search::Progress;
use super::subhistory::may_start_anywhere;
use super::sweep::{CONFIGURATIONS_MAX, frontier};
use super::timeline::{Moment, Timeline};
use crate::specification::Sees;

/// The first stretch that is tried is so many moments long.
const FIRST: u32 = 24;

/// Some moments of a history, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// The first.
    pub(crate) from: u32,
    /// The one after the last.
    pub(crate) until: u32,
}

/// Whether stretches of this history can be judged by themselves.
pub(crate) fn qualify(object: &Object, timeline: &Timeline) -> bool {
    timeline.slots <= 128 && may_start_anywhere(object, &timeline.calls)
}

/// Looks for a stretch without an order: around one moment, ever longer ones.
pub(crate) struct Windows {
    object: Arc<Object>,
    timeline: Arc<Timeline>,
    /// How long the stretch is that is judged.
    length: u32,
    judging: Option<Judging>,
    /// With how many configurations a completion was last tried in vain: it begins
    /// anew, and needs more.
    tried: u64,
    /// What was given since and not spent.
    saved: u64,
}

impl Windows {
    pub(crate) fn new(object: &Arc<Object>, timeline: &Arc<Timeline>) -> Self {
        Windows {
            object: Arc::clone(object),
            timeline: Arc::clone(timeline),
            length: FIRST,
            judging: None,
            tried: 0,
            saved: 0,
        }
    }

    /// How many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.judging.as_ref().map_or(0, |it| match &it.frontier {
            Wide::One(frontier) => frontier.bytes(),
            Wide::Two(frontier) => frontier.bytes(),
        })
    }

    /// Whether it has come to a completion that it cannot go past.
    pub(crate) fn is_stuck(&self) -> bool {
        self.tried >= CONFIGURATIONS_MAX
    }

    /// Goes on for so many configurations, as long as `guard` allows it; `around`
    /// is where it is hard. It is explained only in that nothing was found.
    pub(crate) fn run(
        &mut self,
        configurations: u64,
        around: u32,
        guard: &mut Guard<'_>,
    ) -> Progress {
        self.saved = self.saved.saturating_add(configurations);
        if self.is_stuck() || self.saved < 2 * self.tried {
            return Progress::Paused;
        }
        let given = std::mem::take(&mut self.saved);
        let mut left = given;
        while left > 0 {
            let judging = self.judging.get_or_insert_with(|| {
                let all = self.timeline.moments.len() as u32;
                let window = Window {
                    from: around.saturating_sub(self.length * 2 / 3),
                    until: (around + self.length / 3).min(all),
                };
                Judging::new(&self.object, &self.timeline, window)
            });
            left = left.saturating_sub(1);
            let begun = judging.next;
            match judging.run(&self.object, &self.timeline, &mut left, guard) {
                Progress::Paused => {
                    let is_in_vain = judging.next == begun && left == 0;
                    self.tried = if is_in_vain { given } else { 0 };
                    return Progress::Paused;
                }
                Progress::Refuted => return Progress::Refuted,
                Progress::Explained if judging.is_whole => return Progress::Explained,
                Progress::Explained => {
                    self.judging = None;
                    self.length = self.length.saturating_mul(2);
                }
            }
        }
        Progress::Paused
    }
}

/// Whether a stretch is refuted, if so many configurations are enough to know.
#[cfg(test)]
pub(crate) fn is_refuted(
    object: &Arc<Object>,
    timeline: &Arc<Timeline>,
    window: Window,
    configurations: u64,
) -> Option<bool> {
    let mut left = configurations;
    let mut judging = Judging::new(object, timeline, window);
    match judging.run(object, timeline, &mut left, &mut Guard::none()) {
        Progress::Refuted => Some(true),
        Progress::Explained => Some(false),
        Progress::Paused => None,
    }
}

/// One stretch that is judged.
struct Judging {
    frontier: Wide,
    next: u32,
    until: u32,
    /// By slot, whether the call in it began before.
    began_before: u128,
    /// Whether it is all of the history.
    is_whole: bool,
}

enum Wide {
    One(Box<Frontier<u64>>),
    Two(Box<Frontier<u128>>),
}

impl Judging {
    fn new(object: &Arc<Object>, timeline: &Arc<Timeline>, window: Window) -> Self {
        let Window { from, until } = window;
        let (frontier, began_before) = match timeline.slots {
            0..=64 => {
                let (frontier, before) = start::<u64>(object, timeline, window);
                (Wide::One(Box::new(frontier)), before)
            }
            _ => {
                let (frontier, before) = start::<u128>(object, timeline, window);
                (Wide::Two(Box::new(frontier)), before)
            }
        };
        Judging {
            frontier,
            next: from,
            until,
            began_before,
            is_whole: from == 0 && until as usize == timeline.moments.len(),
        }
    }

    fn run(
        &mut self,
        object: &Object,
        timeline: &Timeline,
        left: &mut u64,
        guard: &mut Guard<'_>,
    ) -> Progress {
        while self.next < self.until {
            let moment = timeline.moments[self.next as usize];
            if let Moment::End(call) = moment
                && let slot = timeline.ends[call as usize].slot
                && self.began_before >> slot & 1 == 1
            {
                self.began_before &= !(1 << slot);
                self.next += 1;
                match &mut self.frontier {
                    Wide::One(frontier) => frontier.set_at(self.next),
                    Wide::Two(frontier) => frontier.set_at(self.next),
                }
                continue;
            }
            let taken = match &mut self.frontier {
                Wide::One(frontier) => frontier.pass(object, timeline, moment, left, guard),
                Wide::Two(frontier) => frontier.pass(object, timeline, moment, left, guard),
            };
            match taken {
                Taken::Accounted => self.next += 1,
                Taken::Refuted => return Progress::Refuted,
                Taken::Unfinished => return Progress::Paused,
            }
        }
        Progress::Explained
    }
}

/// A frontier that may begin with anything, and the slots of the calls that are
/// open there.
fn start<M: Mask>(
    object: &Arc<Object>,
    timeline: &Arc<Timeline>,
    window: Window,
) -> (Frontier<M>, u128) {
    if window.from == 0 {
        return (frontier::<M>(object, timeline, false), 0);
    }
    let mut open: Vec<Option<u32>> = vec![None; timeline.slots];
    let mut unknown = Vec::new();
    for &moment in &timeline.moments[..window.from as usize] {
        match moment {
            Moment::Begin(call) => open[timeline.ends[call as usize].slot as usize] = Some(call),
            Moment::End(call) => open[timeline.ends[call as usize].slot as usize] = None,
            Moment::BeginUnknown(call) => unknown.push(call),
        }
    }
    let mut before = 0;
    for (slot, call) in (0_u32..).zip(open) {
        let Some(call) = call else { continue };
        before |= 1 << slot;
        unknown.push(call);
    }
    let states = states(object, timeline, window, &unknown);
    let seen = SeenInWindow {
        timeline: Arc::clone(timeline),
        for_ever: unknown
            .iter()
            .filter_map(|&call| seen_by(object, timeline, call))
            .collect(),
    };
    let mut frontier = Frontier::<M>::new(object.initial, Box::new(seen), false);
    frontier.start_in(states.into_iter());
    for call in unknown {
        let class = object.classes[timeline.class(call) as usize].unknown;
        if !object.effect(class).is_read_only() {
            frontier.begin_unknown(&**object, call, class);
        }
    }
    frontier.set_at(window.from);
    (frontier, before)
}

/// The state that a call tells from others, if there is one.
fn seen_by(object: &Object, timeline: &Timeline, call: u32) -> Option<State> {
    match object.effect(timeline.class(call)).sees() {
        Sees::One(state) => Some(state),
        Sees::None | Sees::Any => None,
    }
}

/// Knows when a state can be seen in a stretch.
struct SeenInWindow {
    timeline: Arc<Timeline>,
    /// What calls change that were open where it begins: they may take effect
    /// after they have completed.
    for_ever: Vec<State>,
}

impl Seen for SeenInWindow {
    fn until(&mut self, state: State) -> u32 {
        match self.for_ever.contains(&state) {
            true => u32::MAX,
            false => self.timeline.seen_until(state),
        }
    }

    fn avoided_until(&mut self, state: State) -> u32 {
        self.timeline.avoided_until(state)
    }

    fn any_avoided_until(&mut self) -> u32 {
        self.timeline.any_avoided_until
    }
}

/// The states that it makes a difference to start in: those that a call sees,
/// or an unknown one changes.
fn states(object: &Object, timeline: &Timeline, window: Window, unknown: &[u32]) -> Vec<State> {
    let inside = &timeline.moments[window.from as usize..window.until as usize];
    let inside = inside.iter().map(|moment| match *moment {
        Moment::Begin(call) | Moment::End(call) | Moment::BeginUnknown(call) => call,
    });
    let calls = inside.chain(unknown.iter().copied());
    let seen = calls.filter_map(|call| seen_by(object, timeline, call));
    let mut states: Vec<State> = seen.chain([object.initial, ELSEWHERE]).collect();
    states.sort_unstable();
    states.dedup();
    states
}
