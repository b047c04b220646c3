//! One object's history, prepared for the search: what happens moment by
//! moment, and a cursor that goes forth and back over it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::guard::Guard;
use super::object::{Call, NEVER, Object, State};
use super::slots::Slots;
use super::unknown::Unknown;
use crate::specification::{Effect, Sees};

/// Before so many calls are put in order the limits are looked at.
const CALLS_IN_SLICE: usize = 1 << 12;

/// One object's history.
#[derive(Debug)]
pub(crate) struct Timeline {
    pub(crate) calls: Vec<Call>,
    /// By call, where it ends; [`End::NONE`] for a call of unknown outcome.
    pub(crate) ends: Vec<End>,
    pub(crate) moments: Vec<Moment>,
    /// How many slots the calls share.
    pub(crate) slots: usize,
    pub(crate) unknown: Unknown,
    /// By state, up to which moment it can still be seen, where a single state
    /// is.
    seen_until: Vec<u32>,
    /// By state, up to which moment a call avoids it, or what can become of it.
    avoided_until: Vec<u32>,
    /// Up to which moment a call avoids any state.
    pub(crate) any_avoided_until: u32,
    /// Up to which moment any state can still matter.
    any_seen_until: u32,
    /// The first completion that no order can account for, because nothing
    /// that began before it leaves the state it needs.
    pub(crate) wall: Option<u32>,
}

/// Where a call ends: the moment, and the slot it holds until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) moment: u32,
    pub(crate) slot: u32,
}

impl End {
    /// Of what does not end.
    pub(crate) const NONE: End = End {
        moment: u32::MAX,
        slot: u32::MAX,
    };
}

/// What happens at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// A call begins that will complete.
    Begin(u32),
    /// A call begins whose outcome stays unknown.
    BeginUnknown(u32),
    /// A call completes.
    End(u32),
}

impl Timeline {
    /// Prepares calls of one object; gives them back if `guard` ends that. What
    /// changes nothing and whose answer is not known says nothing, and is left out
    /// of the moments.
    pub(crate) fn new(
        object: &Object,
        calls: Vec<Call>,
        guard: &mut Guard<'_>,
    ) -> Result<Self, Vec<Call>> {
        let mut timeline = Timeline {
            ends: vec![End::NONE; calls.len()],
            calls,
            moments: Vec::new(),
            slots: 0,
            unknown: Unknown::default(),
            seen_until: Vec::new(),
            avoided_until: Vec::new(),
            any_avoided_until: 0,
            any_seen_until: 0,
            wall: None,
        };
        if !timeline.arrange(object, guard) {
            return Err(timeline.calls);
        }
        timeline.note_what_is_seen(object);
        timeline.unknown = Unknown::new(object, &timeline);
        timeline.wall = timeline.find_wall(object);
        Ok(timeline)
    }

    /// Prepares calls of one object, within no limits.
    #[cfg(test)]
    pub(crate) fn unlimited(object: &Object, calls: Vec<Call>) -> Self {
        let timeline = Timeline::new(object, calls, &mut Guard::none());
        timeline.expect("nothing ends it")
    }

    /// How many bytes that of `calls` takes beside them, at least and mostly.
    pub(crate) fn bytes_of(calls: &[Call]) -> usize {
        calls.len() * (size_of::<End>() + 2 * size_of::<Moment>())
    }

    /// How many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.calls.capacity() * size_of::<Call>()
            + self.ends.capacity() * size_of::<End>()
            + self.moments.capacity() * size_of::<Moment>()
            + (self.seen_until.capacity() + self.avoided_until.capacity()) * size_of::<u32>()
            + self.unknown.bytes()
    }

    /// Whether it still matters after `moment` that the object held `state`.
    pub(crate) fn may_be_seen(&self, state: State, moment: u32) -> bool {
        self.seen_until(state) > moment
    }

    /// The last moment at which a call may see `state`; 0 for none.
    #[inline]
    pub(crate) fn seen_until(&self, state: State) -> u32 {
        let seen = self.seen_until.get(state as usize).copied();
        seen.unwrap_or_default().max(self.any_seen_until)
    }

    /// The last moment at which a call may be possible in every state but `state`,
    /// so that leaving it is of use; 0 for none.
    #[inline]
    pub(crate) fn avoided_until(&self, state: State) -> u32 {
        let avoided = self.avoided_until.get(state as usize).copied();
        avoided.unwrap_or_default()
    }

    /// The class of a call.
    #[inline]
    pub(crate) fn class(&self, call: u32) -> u32 {
        self.calls[call as usize].class
    }

    /// Lists the moments in order and gives out the slots; whether `guard` allows it
    /// to the end.
    fn arrange(&mut self, object: &Object, guard: &mut Guard<'_>) -> bool {
        let mut order: Vec<u32> = Vec::new();
        if !self.calls.is_sorted_by_key(|call| call.invoked) {
            order.extend(0..self.calls.len() as u32);
            order.sort_by_key(|&call| self.calls[call as usize].invoked);
        }
        self.moments.reserve_exact(2 * self.calls.len());
        let mut free = Vec::new();
        let mut open = BinaryHeap::new();
        for place in 0..self.calls.len() {
            if place % CALLS_IN_SLICE == 0 && !guard.holds(0) {
                return false;
            }
            let call = order.get(place).map_or(place as u32, |&call| call);
            let Call {
                class,
                invoked,
                completed,
            } = self.calls[call as usize];
            // In one place calls begin before others end: they overlap.
            self.end_those_before(invoked, &mut open, &mut free);
            if completed != NEVER {
                self.moments.push(Moment::Begin(call));
                open.push(Reverse((completed, call)));
                self.ends[call as usize].slot = free.pop().unwrap_or_else(|| {
                    self.slots += 1;
                    self.slots as u32 - 1
                });
            } else if !object.effect(class).is_read_only() {
                self.moments.push(Moment::BeginUnknown(call));
            }
        }
        self.end_those_before(NEVER, &mut open, &mut free);
        true
    }

    /// Lists the completions before `place`.
    fn end_those_before(
        &mut self,
        place: u32,
        open: &mut BinaryHeap<Reverse<(u32, u32)>>,
        free: &mut Vec<u32>,
    ) {
        while let Some(&Reverse((completed, call))) = open.peek()
            && completed < place
        {
            open.pop();
            let end = &mut self.ends[call as usize];
            end.moment = self.moments.len() as u32;
            free.push(end.slot);
            self.moments.push(Moment::End(call));
        }
    }

    /// Most wrong reads are found here, without a search: without this one
    /// would try every order of what came before to explain them.
    fn find_wall(&self, object: &Object) -> Option<u32> {
        let mut left = vec![false; object.initial as usize + 1];
        left[object.initial as usize] = true;
        let is_left = |left: &[bool], state: State| left.get(state as usize) == Some(&true);
        let mut wall = None;
        for (place, &moment) in (0..).zip(&self.moments) {
            match moment {
                Moment::Begin(call) | Moment::BeginUnknown(call) => {
                    let effect = object.effect(self.class(call));
                    if let Some(to) = effect.leaves() {
                        let to = to as usize;
                        if left.len() <= to {
                            left.resize(to + 1, false);
                        }
                        left[to] = true;
                    } else if !effect.is_read_only() {
                        // What such a call leaves, only a search can say.
                        return None;
                    }
                }
                Moment::End(call) => {
                    let needed = object.effect(self.class(call)).needs();
                    if needed.is_some_and(|state| !is_left(&left, state)) {
                        wall = Some(place);
                        break;
                    }
                }
            }
        }
        wall
    }

    fn note_what_is_seen(&mut self, object: &Object) {
        // Until when what calls that are possible everywhere make of a state may be.
        let mut extended_until = 0;
        for (number, call) in self.calls.iter().enumerate() {
            let effect = object.effect(call.class);
            let until = match call.is_unknown() {
                true if effect.is_read_only() => continue,
                true => u32::MAX,
                false => self.ends[number].moment,
            };
            if let Effect::Avoid(state) = effect {
                prolong(&mut self.avoided_until, state, until);
                self.any_avoided_until = self.any_avoided_until.max(until);
            }
            match effect.sees() {
                Sees::One(state) => prolong(&mut self.seen_until, state, until),
                Sees::Any if effect == Effect::Total => {
                    extended_until = extended_until.max(until);
                }
                Sees::Any => self.any_seen_until = self.any_seen_until.max(until),
                Sees::None => {}
            }
        }
        if extended_until == 0 {
            return;
        }
        // What leads to a state that is seen, or avoided, is so as well; where that
        // is not known, any state is seen.
        let is_known = object.steps.spread(&mut self.seen_until)
            && object.steps.spread(&mut self.avoided_until);
        if !is_known {
            self.any_seen_until = self.any_seen_until.max(extended_until);
        }
    }
}

/// Lets what is known of `state` last until a moment, if not longer.
fn prolong(lasts: &mut Vec<u32>, state: State, until: u32) {
    let state = state as usize;
    if lasts.len() <= state {
        lasts.resize(state + 1, 0);
    }
    lasts[state] = until.max(lasts[state]);
}

/// A place in a timeline, and what is open there.
#[derive(Debug)]
pub(crate) struct Cursor<B> {
    /// The next moment.
    pub(crate) at: u32,
    /// The slots of the calls that began before and end later.
    pub(crate) open: B,
    /// The call in each slot that is open.
    holders: Vec<u32>,
    /// How many calls of each kind of unknown outcome began before.
    begun: Vec<u32>,
}

impl<B: Slots> Cursor<B> {
    pub(crate) fn new(timeline: &Timeline) -> Self {
        Cursor {
            at: 0,
            open: B::empty(timeline.slots),
            holders: vec![0; timeline.slots],
            begun: vec![0; timeline.unknown.calls.len()],
        }
    }

    /// The call that holds a slot which is open.
    pub(crate) fn holder(&self, slot: u32) -> u32 {
        self.holders[slot as usize]
    }

    /// How many calls of a kind of unknown outcome began so far.
    pub(crate) fn begun(&self, kind: u32) -> u32 {
        self.begun[kind as usize]
    }

    /// Goes past the next moment.
    pub(crate) fn forward(&mut self, timeline: &Timeline) {
        match timeline.moments[self.at as usize] {
            Moment::Begin(call) => self.hold(timeline, call),
            Moment::BeginUnknown(call) => {
                self.begun[timeline.unknown.kind(timeline.class(call)) as usize] += 1;
            }
            Moment::End(call) => self.release(timeline, call),
        }
        self.at += 1;
    }

    /// Goes back to an earlier moment.
    pub(crate) fn back_to(&mut self, timeline: &Timeline, at: u32) {
        while self.at > at {
            self.at -= 1;
            match timeline.moments[self.at as usize] {
                Moment::Begin(call) => self.release(timeline, call),
                Moment::BeginUnknown(call) => {
                    self.begun[timeline.unknown.kind(timeline.class(call)) as usize] -= 1;
                }
                Moment::End(call) => self.hold(timeline, call),
            }
        }
    }

    fn hold(&mut self, timeline: &Timeline, call: u32) {
        let slot = timeline.ends[call as usize].slot;
        self.open.insert(slot);
        self.holders[slot as usize] = call;
    }

    fn release(&mut self, timeline: &Timeline, call: u32) {
        self.open.remove(timeline.ends[call as usize].slot);
    }
}
