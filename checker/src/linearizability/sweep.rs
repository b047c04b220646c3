//! A frontier that goes over one object's history, and the order it finds.

use std::sync::Arc;

use super::frontier::{Decision, Frontier, Seen, Taken};
use super::guard::Guard;
use super::mask::Mask;
use super::object::{Object, State};
use super::search::Progress;
use super::telling;
use super::timeline::Timeline;

/// So many moments are gone past for each configuration that may be looked at.
const MOMENTS_FREE: u64 = 64;

/// A completion that needs more configurations is not gone past: each time it is
/// tried it begins anew, and one order may be found long before all of them are.
pub(super) const CONFIGURATIONS_MAX: u64 = 1 << 18;

/// A frontier that goes over a history.
pub(crate) struct Sweep<M> {
    object: Arc<Object>,
    timeline: Arc<Timeline>,
    frontier: Frontier<M>,
    progress: Progress,
    /// With how many configurations a completion was last tried in vain: it
    /// begins anew, and needs more.
    tried: u64,
    /// What was given since and not spent.
    saved: u64,
}

/// What a sweep shows, whatever its width.
pub(crate) trait Sweeping: Send {
    /// Goes on for so many configurations, as long as `guard` allows it.
    fn run(&mut self, configurations: u64, guard: &mut Guard<'_>) -> Progress;
    /// How many bytes it holds.
    fn bytes(&self) -> usize;
    /// Whether it costs little more than reading the history.
    fn is_quick(&self) -> bool;
    /// Whether it has come to a completion that it cannot go past.
    fn is_stuck(&self) -> bool;
    /// Whether there may be orders that were given up, so that a refutation means
    /// nothing.
    fn is_cut(&self) -> bool;
    /// The completion that no order accounts for so far, as a moment.
    fn moment(&self) -> u32;
    /// The calls of some of the orders that come furthest, up to what is owed
    /// there; the whole of one once there is one.
    fn orders(&self, count: usize) -> Vec<Vec<u32>>;
}

/// A sweep of a history, as wide as that is concurrent, that keeps the most
/// promising configurations alone if `beam` says how many; none if too many
/// calls are open at a time.
pub(crate) fn sweep(
    object: &Arc<Object>,
    timeline: &Arc<Timeline>,
    beam: Option<usize>,
) -> Option<Box<dyn Sweeping>> {
    match timeline.slots {
        0..=64 => Some(Box::new(Sweep::<u64>::new(object, timeline, beam))),
        65..=128 => Some(Box::new(Sweep::<u128>::new(object, timeline, beam))),
        _ => None,
    }
}

impl<M: Mask + 'static> Sweep<M> {
    fn new(object: &Arc<Object>, timeline: &Arc<Timeline>, beam: Option<usize>) -> Self {
        let mut frontier = frontier(object, timeline, true);
        if let Some(beam) = beam {
            frontier.keep_only(beam);
        }
        Sweep {
            frontier,
            object: Arc::clone(object),
            timeline: Arc::clone(timeline),
            progress: Progress::Paused,
            tried: 0,
            saved: 0,
        }
    }
}

impl<M: Mask + 'static> Sweeping for Sweep<M> {
    fn run(&mut self, configurations: u64, guard: &mut Guard<'_>) -> Progress {
        self.saved = self.saved.saturating_add(configurations);
        if self.progress == Progress::Paused && (self.is_stuck() || self.saved < 2 * self.tried) {
            return Progress::Paused;
        }
        let given = std::mem::take(&mut self.saved).min(CONFIGURATIONS_MAX.max(configurations));
        let mut left = given;
        let mut moments = configurations.saturating_mul(MOMENTS_FREE);
        while self.progress == Progress::Paused && moments > 0 {
            moments -= 1;
            let Some(&moment) = self.timeline.moments.get(self.frontier.at() as usize) else {
                self.progress = Progress::Explained;
                break;
            };
            let (object, timeline) = (&self.object, &self.timeline);
            match self
                .frontier
                .pass(object, timeline, moment, &mut left, guard)
            {
                Taken::Accounted => self.tried = 0,
                Taken::Refuted => self.progress = Progress::Refuted,
                Taken::Unfinished => {
                    // Otherwise it was a limit that stopped it.
                    if left == 0 {
                        self.tried = given;
                    }
                    break;
                }
            }
        }
        self.progress
    }

    fn bytes(&self) -> usize {
        self.frontier.bytes()
    }

    fn is_quick(&self) -> bool {
        const CONFIGURATIONS_MIN: u64 = 1 << 12;
        self.frontier.looked_at() <= CONFIGURATIONS_MIN + 4 * u64::from(self.frontier.at())
    }

    fn is_stuck(&self) -> bool {
        self.tried >= CONFIGURATIONS_MAX
    }

    fn is_cut(&self) -> bool {
        self.frontier.is_cut()
    }

    fn moment(&self) -> u32 {
        self.frontier.at()
    }

    fn orders(&self, count: usize) -> Vec<Vec<u32>> {
        let decided = self.frontier.decided(count);
        let order = |decided: &Vec<Decision>| {
            telling::order(&self.object, &self.timeline, decided, self.frontier.at())
        };
        decided.iter().map(order).collect()
    }
}

/// A frontier that knows what is seen later in a history.
pub(super) fn frontier<M: Mask>(
    object: &Arc<Object>,
    timeline: &Arc<Timeline>,
    keeps_decisions: bool,
) -> Frontier<M> {
    let seen = Box::new(SeenLater(Arc::clone(timeline)));
    Frontier::new(object.initial, seen, keeps_decisions)
}

/// What is seen later is in the timeline.
struct SeenLater(Arc<Timeline>);

impl Seen for SeenLater {
    fn until(&mut self, state: State) -> u32 {
        self.0.seen_until(state)
    }

    fn avoided_until(&mut self, state: State) -> u32 {
        self.0.avoided_until(state)
    }

    fn any_avoided_until(&mut self) -> u32 {
        self.0.any_avoided_until
    }
}
