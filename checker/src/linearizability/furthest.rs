//! How far the orders of a refuted history come.

use std::sync::Arc;

use super::depth_first::depth_first;
use super::first_refuted::Moves;
use super::judge::Judge;
use super::object::{Call, ELSEWHERE, NEVER, Object, State};
use super::rounds::Meter;
use super::search::{Progress, Supply};
use super::sweep::sweep;
use super::timeline::Timeline;

/// So many orders are shown.
const ORDERS_SHOWN: usize = 8;
/// So many moments are gone over to tell orders, one after the other.
const MOMENTS_TOLD: usize = 1 << 17;

/// The orders that come furthest, of a history that has none as a whole.
pub(crate) struct Furthest {
    /// The call whose completion they do not account for.
    pub(crate) refuted: Option<u32>,
    /// The calls of each, first to last. They leave different states. There is none
    /// if none was found in time.
    pub(crate) orders: Vec<Vec<u32>>,
    /// What the object can hold there.
    pub(crate) states: Vec<State>,
}

impl Furthest {
    /// No orders; they would not account for this call.
    pub(crate) fn untold(refuted: Option<u32>) -> Furthest {
        Furthest {
            refuted,
            orders: Vec::new(),
            states: Vec::new(),
        }
    }
}

/// The orders of these calls that come furthest, as far as `moves` allow; `judge` has
/// refuted them, and `last` completes last.
pub(crate) fn furthest(
    object: &Arc<Object>,
    timeline: &Arc<Timeline>,
    judge: &Judge,
    last: Option<u32>,
    moves: &Moves,
    meter: &Meter<'_>,
) -> Furthest {
    let blamed = judge.blamed().or(last);
    if !meter.goes_on() {
        return Furthest::untold(blamed);
    }
    let exact = |watch| {
        let mut search = depth_first(object, timeline, Supply::Exact, watch);
        let progress = meter.guarding(object, |guard| search.run(moves.to_show, guard));
        (search, progress)
    };
    let (mut search, mut progress) = exact(blamed);
    if search.furthest() != blamed {
        (search, progress) = exact(search.furthest());
    }
    if progress == Progress::Refuted {
        let order = search.order();
        let mut furthest = Furthest {
            refuted: search.furthest(),
            orders: vec![order],
            states: search.states(),
        };
        furthest.add_all(object, timeline, judge, moves.to_show, meter);
        furthest.tell_elsewhere(object, timeline);
        return furthest;
    }
    // The search did not come to an end. Where the last call is open instead
    // there is an order.
    let mut furthest = Furthest::untold(blamed);
    furthest.add_all(object, timeline, judge, moves.to_show, meter);
    if furthest.orders.is_empty() {
        let open =
            blamed.and_then(|call| order_without(object, timeline, call, moves.to_show_one, meter));
        let reached = || (search.furthest() == blamed).then(|| search.order());
        if let Some(order) = open.or_else(reached) {
            furthest.add(object, timeline, order);
        }
    }
    let left = furthest.orders.iter();
    furthest.states = left.map(|order| left_by(object, timeline, order)).collect();
    furthest
}

/// An order of the calls up to the completion of `call`, which is open in it.
fn order_without(
    object: &Arc<Object>,
    timeline: &Timeline,
    call: u32,
    moves: u64,
    meter: &Meter<'_>,
) -> Option<Vec<u32>> {
    if !meter.goes_on() {
        return None;
    }
    let until = timeline.calls[call as usize].completed;
    let opened = |it: &Call| match it.completed < until {
        true => *it,
        false => Call {
            class: object.classes[it.class as usize].unknown,
            completed: NEVER,
            ..*it
        },
    };
    let begun = timeline.calls.iter().take_while(|it| it.invoked <= until);
    let mut judge = Judge::new(object, begun.map(opened).collect(), None);
    let mut share = meter.share();
    match judge.decide(moves, |bytes| share.goes_on(bytes)) {
        Progress::Explained => judge.order(),
        Progress::Paused | Progress::Refuted => None,
    }
}

/// What an order leaves.
fn left_by(object: &Object, timeline: &Timeline, order: &[u32]) -> State {
    let left = object.left_by(&timeline.calls, order);
    left.unwrap_or(object.initial)
}

impl Furthest {
    /// Adds orders that come as far and leave other states, as long as that is
    /// soon done.
    fn add_all(
        &mut self,
        object: &Arc<Object>,
        timeline: &Arc<Timeline>,
        judge: &Judge,
        moves: u64,
        meter: &Meter<'_>,
    ) {
        let count = (MOMENTS_TOLD / timeline.moments.len().max(1)).min(ORDERS_SHOWN);
        if count == 0 {
            return;
        }
        let Some(refuted) = self.refuted else { return };
        let end = timeline.ends[refuted as usize].moment;
        let orders = match judge.blamed() == Some(refuted) {
            true => judge.furthest_orders(count),
            false => None,
        };
        let swept = || {
            let mut sweep = sweep(object, timeline, None)?;
            let progress = meter.guarding(object, |guard| sweep.run(moves, guard));
            let refutes = progress == Progress::Refuted;
            (refutes && sweep.moment() == end).then(|| sweep.orders(count))
        };
        for order in orders.or_else(swept).into_iter().flatten() {
            self.add(object, timeline, order);
        }
    }

    /// Says of a state that no call tells what it is, by the orders that leave one.
    fn tell_elsewhere(&mut self, object: &Object, timeline: &Timeline) {
        if !self.states.contains(&ELSEWHERE) {
            return;
        }
        self.states.retain(|&state| state != ELSEWHERE);
        let shown = |state: State| object.steps.show(state);
        let orders = self.orders.iter();
        for left in orders.map(|order| left_by(object, timeline, order)) {
            // What was appended can have two names.
            let is_told = self.states.iter().any(|&told| shown(told) == shown(left));
            if !is_told && self.states.len() < ORDERS_SHOWN {
                self.states.push(left);
            }
        }
    }

    /// Adds an order, unless there is one that leaves the same.
    fn add(&mut self, object: &Object, timeline: &Timeline, order: Vec<u32>) {
        let left = |order: &[u32]| left_by(object, timeline, order);
        let state = left(&order);
        if self.orders.len() < ORDERS_SHOWN && self.orders.iter().all(|it| left(it) != state) {
            self.orders.push(order);
        }
    }
}
