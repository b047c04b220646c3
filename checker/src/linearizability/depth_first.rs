//! A depth-first search, whatever its width, and the order that it finds.

use std::sync::Arc;

use super::guard::Guard;
use super::object::{Object, State};
use super::order::Order;
use super::search::{Progress, Search, Supply};
use super::slots::Slots;
use super::timeline::{Moment, Timeline};

/// A depth-first search of one object's history.
pub(crate) trait DepthFirst: Send {
    /// Tries at most so many moves more, as long as `guard` allows it.
    fn run(&mut self, moves: u64, guard: &mut Guard<'_>) -> Progress;
    /// How many bytes it holds.
    fn bytes(&self) -> usize;
    /// Whether it costs little more than reading the history.
    fn is_quick(&self) -> bool;
    /// The call whose completion no order accounts for so far.
    fn furthest(&self) -> Option<u32>;
    /// What the object can hold there.
    fn states(&self) -> Vec<State>;
    /// The furthest order, or the whole one once there is one.
    fn order(&mut self) -> Vec<u32>;
}

/// A search that fits how concurrent the calls are. Of the orders that come
/// up to the completion of the call `watch` it keeps the longest.
pub(crate) fn depth_first(
    object: &Arc<Object>,
    timeline: &Arc<Timeline>,
    supply: Supply,
    watch: Option<u32>,
) -> Box<dyn DepthFirst> {
    let watch = watch.map(|call| timeline.ends[call as usize].moment);
    let (object, timeline) = (Arc::clone(object), Arc::clone(timeline));
    match timeline.slots {
        0..=64 => Box::new(Search::<[u64; 1]>::new(object, timeline, supply, watch)),
        65..=128 => Box::new(Search::<[u64; 2]>::new(object, timeline, supply, watch)),
        _ => Box::new(Search::<Box<[u64]>>::new(object, timeline, supply, watch)),
    }
}

impl<B: Slots> DepthFirst for Search<B> {
    fn run(&mut self, moves: u64, guard: &mut Guard<'_>) -> Progress {
        self.run(moves, guard)
    }

    fn bytes(&self) -> usize {
        self.bytes()
    }

    fn is_quick(&self) -> bool {
        self.is_quick()
    }

    fn furthest(&self) -> Option<u32> {
        let moment = self.furthest().moment;
        match self.timeline.moments.get(moment as usize) {
            Some(&Moment::End(call)) => Some(call),
            _ => None,
        }
    }

    fn states(&self) -> Vec<State> {
        self.furthest().states.clone()
    }

    fn order(&mut self) -> Vec<u32> {
        let moves = match self.progress() {
            Progress::Explained => self.explanation(),
            Progress::Refuted | Progress::Paused => self.furthest().moves.clone(),
        };
        let mut order = Order::of(self.timeline.calls.len());
        self.retrace(&moves, &mut order);
        order.calls()
    }
}
