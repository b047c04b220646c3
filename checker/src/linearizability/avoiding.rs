//! Puts calls that avoid a value, as a cas does that fails, into an order of all
//! others, where every value is written once.
//!
//! Each is put in as early as it is possible, those that were invoked first first:
//! the earlier one stands, the more room have those that come after it. One that
//! has no room because of another that came before it may find some if that one
//! moves forward: a write of unknown outcome that nobody saw can stand just before
//! the next write, and the other behind it.
//!
//! A call is refuted if what it avoids was there before it began and is seen after
//! it ended: a value that is written once is not there twice. Otherwise, where one
//! does not fit, nothing is known: another order may have room for it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::{FxHashMap, FxHashSet};

use super::guard::Guard;
use super::object::{Call, Object, State};
use super::zones::Zones;
use crate::specification::Effect;

/// A place in the order: twice the number of others that come before, and one more
/// behind a write that nobody saw and that was put there.
type Place = u32;

/// So many bytes a call takes that is put in: as such, open or over, and in the order
/// of all.
const PLACED: usize = size_of::<Placed>() + 4 * size_of::<usize>() + size_of::<(Place, u32)>();

/// Puts calls in.
pub(super) struct Avoiding<'a> {
    object: &'a Object,
    calls: &'a [Call],
    order: Vec<u32>,
    /// By number in the order, the first completion from there on, and the last
    /// invocation up to there: both grow with the number.
    completed: Vec<u32>,
    invoked: Vec<u32>,
    /// By how many come before, what the register holds, and before which next one
    /// it holds something else.
    held: Vec<State>,
    changes: Vec<u32>,
    /// The writes that nobody saw and that are not put in, the last to be invoked
    /// first.
    spare: Vec<u32>,
    /// By how many come before, the write that was put in there.
    put_in: FxHashMap<u32, u32>,
    placed: Vec<Placed>,
}

/// A call that was put in.
struct Placed {
    call: u32,
    place: Place,
    /// Whether what it avoids was there when it began, so that it stands behind the
    /// next change.
    waited: bool,
}

impl<'a> Avoiding<'a> {
    /// `order` is of all calls that avoid nothing and must have taken effect;
    /// `spare` are writes that need not have.
    pub(super) fn new(
        object: &'a Object,
        calls: &'a [Call],
        order: Vec<u32>,
        mut spare: Vec<u32>,
    ) -> Option<Self> {
        let ends = order.iter().map(|&call| calls[call as usize]);
        let mut completed: Vec<u32> = ends.clone().map(|call| call.completed).collect();
        for place in (1..completed.len()).rev() {
            completed[place - 1] = completed[place - 1].min(completed[place]);
        }
        let mut invoked: Vec<u32> = ends.map(|call| call.invoked).collect();
        for place in 1..invoked.len() {
            invoked[place] = invoked[place].max(invoked[place - 1]);
        }
        let mut held = vec![object.initial];
        for &call in &order {
            let state = *held.last()?;
            held.push(object.step(calls[call as usize].class, state)?);
        }
        let mut changes: Vec<u32> = (1..=held.len() as u32).collect();
        for place in (1..held.len()).rev() {
            if held[place - 1] == held[place] {
                changes[place - 1] = changes[place];
            }
        }
        let effect = |call: &Call| object.effect(call.class);
        let avoided: FxHashSet<State> = calls
            .iter()
            .filter_map(|call| match effect(call) {
                Effect::Avoid(state) => Some(state),
                _ => None,
            })
            .collect();
        // What is avoided itself would only be in the way.
        spare.retain(|&call| {
            let written = effect(&calls[call as usize]).leaves();
            written.is_some_and(|state| !avoided.contains(&state))
        });
        spare.reverse();
        Some(Avoiding {
            object,
            calls,
            order,
            completed,
            invoked,
            held,
            changes,
            spare,
            put_in: FxHashMap::default(),
            placed: Vec::new(),
        })
    }

    /// The order with all that avoid something, or that there is none; nothing if
    /// `guard` does not allow to know.
    pub(super) fn decide(mut self, guard: &mut Guard<'_>) -> Option<Zones> {
        if !guard.holds(self.bytes()) {
            return None;
        }
        // The calls that were put in and are not known to be over, by completion.
        let mut open: BinaryHeap<Reverse<(u32, usize)>> = BinaryHeap::new();
        let mut over: Vec<usize> = Vec::new();
        let mut earliest: Place = 0;
        for (number, call) in (0..).zip(self.calls) {
            let Effect::Avoid(avoided) = self.object.effect(call.class) else {
                continue;
            };
            while let Some(&Reverse((ended, placed))) = open.peek()
                && ended < call.invoked
            {
                open.pop();
                over.push(placed);
                earliest = earliest.max(self.placed[placed].place);
            }
            let begin = self
                .completed
                .partition_point(|&ended| ended < call.invoked) as u32;
            let last = self
                .invoked
                .partition_point(|&begun| begun <= call.completed) as u32;
            loop {
                if !guard.allows(|| self.placed.len() * PLACED) {
                    return None;
                }
                let from = earliest.max(2 * begin);
                let place = self.possible_from(from, avoided);
                // Behind what changes it the place is too late; perhaps not before.
                // The very beginning is never too late.
                let change = place.div_ceil(2).saturating_sub(1);
                let place = match place / 2 <= last {
                    true => Some(place),
                    false if place > from && change == last && self.put_in(change, number) => {
                        Some(2 * change + 1)
                    }
                    false => None,
                };
                if let Some(place) = place {
                    open.push(Reverse((call.completed, self.placed.len())));
                    self.placed.push(Placed {
                        call: number,
                        place,
                        waited: place > from,
                    });
                    break;
                }
                if earliest <= 2 * begin {
                    // Whether it is what follows it that sees what it avoids.
                    let is_seen = change > last || !self.replaces(change);
                    return is_seen.then_some(Zones::Refuted(Some(number)));
                }
                let latest = over.iter().copied();
                let latest: Vec<usize> = latest
                    .filter(|&it| self.placed[it].place == earliest)
                    .collect();
                for placed in latest {
                    self.move_forward(placed)?;
                }
                let places = over.iter().map(|&it| self.placed[it].place);
                earliest = places.max().unwrap_or(0);
            }
        }
        Some(Zones::Order(self.whole()))
    }

    /// How many bytes it holds before any call is put in.
    fn bytes(&self) -> usize {
        let ends = self.completed.capacity() + self.invoked.capacity();
        let states = self.held.capacity() + self.changes.capacity();
        (self.order.capacity() + ends + states + self.spare.capacity()) * size_of::<u32>()
    }

    /// The first place from which on the register does not hold what is avoided.
    fn possible_from(&self, from: Place, avoided: State) -> Place {
        let before = from / 2;
        if from % 2 == 1 || self.held[before as usize] != avoided {
            return from;
        }
        let change = self.changes[before as usize];
        match self.put_in.contains_key(&(change - 1)) {
            true => 2 * change - 1,
            false => 2 * change,
        }
    }

    /// Moves a call that waited for a change to just before it, behind a write that
    /// nobody saw; none if that cannot be.
    fn move_forward(&mut self, placed: usize) -> Option<()> {
        let Placed {
            call,
            place,
            waited,
        } = self.placed[placed];
        if !waited || place % 2 == 1 {
            return None;
        }
        let moves = self.put_in(place / 2 - 1, call);
        self.placed[placed].place -= u32::from(moves);
        moves.then_some(())
    }

    /// Whether a write that nobody saw stands behind so many others, for `call` to
    /// stand behind it; one is put in if that can be.
    fn put_in(&mut self, before: u32, call: u32) -> bool {
        if self.put_in.contains_key(&before) {
            return true;
        }
        // It may stand wherever the call may that it stands before.
        let invoked = |it: u32| self.calls[it as usize].invoked;
        let may_stand = |spare: &u32| invoked(*spare) <= invoked(call);
        if !self.replaces(before) || !self.spare.last().is_some_and(may_stand) {
            return false;
        }
        let spare = self.spare.pop();
        spare.is_some_and(|spare| self.put_in.insert(before, spare).is_none())
    }

    /// Whether the one behind so many others is a write, so that anything may stand
    /// before it; so it may at the end.
    fn replaces(&self, before: u32) -> bool {
        self.order.get(before as usize).is_none_or(|&call| {
            let effect = self.object.effect(self.calls[call as usize].class);
            matches!(effect, Effect::Replace(_))
        })
    }

    fn whole(self) -> Vec<u32> {
        let mut placed: Vec<(Place, u32)> =
            self.placed.iter().map(|it| (it.place, it.call)).collect();
        placed.sort_unstable();
        let mut placed = placed.into_iter().peekable();
        let mut whole = Vec::with_capacity(self.calls.len());
        for before in 0..=self.order.len() as u32 {
            while let Some((_, call)) = placed.next_if(|it| it.0 == 2 * before) {
                whole.push(call);
            }
            whole.extend(self.put_in.get(&before));
            while let Some((_, call)) = placed.next_if(|it| it.0 == 2 * before + 1) {
                whole.push(call);
            }
            whole.extend(self.order.get(before as usize));
        }
        whole
    }
}
