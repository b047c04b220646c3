//! The order of calls that a frontier's decisions make.
//!
//! A decision says which call comes next where more than one could. What is not
//! decided follows: a read stands where it is possible first, a write that is
//! hidden by another just before that one, and what changes nothing that is seen
//! stands at once, unless it is placed later.

use super::frontier::Decision;
use super::object::{Object, State};
use super::order::Order;
use super::timeline::{Moment, Timeline};
use crate::specification::Effect;

/// Goes along one line of decisions, to say where every call stands.
struct Telling<'a> {
    object: &'a Object,
    timeline: &'a Timeline,
    state: State,
    /// Whether a call may still see the state.
    is_seen: bool,
    /// The number of the next moment.
    at: u32,
    /// The open calls that are not decided and do not stand anywhere yet.
    waiting: Vec<(u32, Effect<State>)>,
    order: Order,
}

/// The calls in the order that the decisions make of them, up to the moment
/// `until` and what is decided there.
pub(super) fn order(
    object: &Object,
    timeline: &Timeline,
    decided: &[Decision],
    until: u32,
) -> Vec<u32> {
    let mut telling = Telling {
        object,
        timeline,
        state: object.initial,
        is_seen: true,
        at: 0,
        waiting: Vec::new(),
        order: Order::of(timeline.calls.len()),
    };
    let mut decided = decided.iter().peekable();
    loop {
        while let Some(decision) = decided.next_if(|it| it.moment == telling.at) {
            telling.place(decision.call);
        }
        match timeline.moments.get(telling.at as usize) {
            Some(&moment) if telling.at < until => telling.pass(moment),
            _ => break,
        }
    }
    telling.order.calls()
}

impl Telling<'_> {
    fn pass(&mut self, moment: Moment) {
        self.at += 1;
        match moment {
            Moment::Begin(call) => {
                let effect = self.object.effect(self.timeline.class(call));
                if !self.tell(call, effect) {
                    self.waiting.push((call, effect));
                }
            }
            Moment::BeginUnknown(_) => {}
            Moment::End(_) => self.look(),
        }
    }

    /// Looks whether the state can still be seen.
    fn look(&mut self) {
        let was_seen = self.is_seen;
        self.is_seen = self.timeline.seen_until(self.state) >= self.at;
        if was_seen && !self.is_seen {
            self.tell_waiting();
        }
    }

    /// Lets `call` be the next.
    fn place(&mut self, call: u32) {
        let class = self.timeline.class(call);
        self.waiting.retain(|&(waiting, _)| waiting != call);
        if let Effect::Replace(_) = self.object.effect(class) {
            // What it hides could have stood just before.
            let order = &mut self.order;
            self.waiting.retain(|&(waiting, effect)| {
                let is_hidden = matches!(effect, Effect::Replace(_) | Effect::Total);
                if is_hidden {
                    order.became_optional(waiting);
                }
                !is_hidden
            });
        }
        self.order.placed(call);
        if let Some(next) = self.object.step(class, self.state) {
            self.state = next;
        }
        self.is_seen = self.timeline.seen_until(self.state) >= self.at;
        self.tell_waiting();
    }

    fn tell_waiting(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|&(call, effect)| !self.tell(call, effect));
        self.waiting = waiting;
    }

    /// Lets a call stand here if it is a read that is possible, or changes
    /// nothing that is seen; whether it does.
    fn tell(&mut self, call: u32, effect: Effect<State>) -> bool {
        let step = || self.object.step(self.timeline.class(call), self.state);
        match effect {
            Effect::Observe(Some(wanted)) if wanted != self.state => false,
            Effect::Observe(_) | Effect::Avoid(_) => {
                let is_possible = step().is_some();
                if is_possible {
                    self.order.placed(call);
                }
                is_possible
            }
            Effect::Replace(_) | Effect::Total => {
                let is_idle = step() == Some(self.state);
                let is_unseen = || match effect {
                    Effect::Replace(to) => self.timeline.seen_until(to) < self.at,
                    _ => true,
                };
                let stands = is_idle || !self.is_seen && is_unseen();
                if stands {
                    self.order.became_optional(call);
                }
                stands
            }
            Effect::Change { .. } | Effect::Other => false,
        }
    }
}
