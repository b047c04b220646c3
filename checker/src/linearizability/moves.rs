//! What can be decided next, and what follows from a decision.
//!
//! The rules of [`super::search`], whose header says why no order is missed.

use super::object::State;
use super::search::{Configuration, Goals, Move, Search, Supply, Trace};
use super::slots::Slots;
use super::timeline::{End, Moment};
use crate::specification::Effect;

/// So many goals are told apart; beyond, anything may be of use.
const GOALS_MAX: usize = 64;

impl Goals {
    pub(super) fn new() -> Self {
        Goals {
            states: Vec::new(),
            other: false,
            any: false,
        }
    }

    fn add(&mut self, state: State) {
        if !self.states.contains(&state) {
            self.any |= self.states.len() == GOALS_MAX;
            self.states.push(state);
        }
    }

    /// Whether it may be of use that the object holds `state`; where another than
    /// the present one is wanted even this may be, from which a call leads away.
    fn include(&self, state: State) -> bool {
        self.any || self.other || self.states.contains(&state)
    }
}

impl<B: Slots> Search<B> {
    /// Carries out `next`, and all that then needs no decision.
    pub(super) fn carry_out(
        &mut self,
        configuration: &mut Configuration<B>,
        next: Move,
        trace: &mut impl Trace,
    ) {
        match next {
            Move::Place(call) => self.place(configuration, call, trace),
            Move::Use(kind) => {
                let used = self.used_sets.count(configuration.used, kind) as usize;
                let call = self.timeline.unknown.calls[kind as usize][used];
                if self.supply == Supply::Exact {
                    configuration.used = self.used_sets.add(configuration.used, kind);
                }
                self.replace_state(configuration, call, trace);
                configuration.unseen = true;
            }
            Move::Pass => {
                if let Some((_, End { slot, .. })) = self.completing() {
                    configuration.optional.remove(slot);
                    self.cursor.forward(&self.timeline);
                }
            }
        }
        self.settle(configuration, trace);
    }

    /// Does all that needs no decision: places the reads that are possible
    /// and goes past the completions that are accounted for.
    pub(super) fn settle(&mut self, configuration: &mut Configuration<B>, trace: &mut impl Trace) {
        self.place_reads(configuration, trace);
        while let Some(&moment) = self.timeline.moments.get(self.cursor.at as usize) {
            match moment {
                Moment::Begin(call) => {
                    self.cursor.forward(&self.timeline);
                    self.place_if_read(configuration, call, trace);
                }
                Moment::BeginUnknown(_) => self.cursor.forward(&self.timeline),
                Moment::End(call) => {
                    if !self.is_accounted_for(configuration, call) {
                        break;
                    }
                    let End { slot, .. } = self.end(call);
                    configuration.placed.remove(slot);
                    configuration.optional.remove(slot);
                    self.cursor.forward(&self.timeline);
                }
            }
        }
        configuration.at = self.cursor.at;
    }

    /// Lists what can be decided; what is listed last is tried first.
    pub(super) fn list_moves(&mut self, configuration: &Configuration<B>) {
        let Some((completing, _)) = self.completing() else {
            return;
        };
        self.find_goals(configuration);
        self.list_unknown(configuration);
        self.list_open(configuration, completing);
        self.list_completing(configuration, completing);
    }

    /// The call that completes at the cursor.
    fn completing(&self) -> Option<(u32, End)> {
        match self.timeline.moments.get(self.cursor.at as usize) {
            Some(&Moment::End(call)) => Some((call, self.end(call))),
            _ => None,
        }
    }

    fn effect(&self, call: u32) -> Effect<State> {
        self.object.effect(self.timeline.class(call))
    }

    fn step(&self, call: u32, state: State) -> Option<State> {
        self.object.step(self.timeline.class(call), state)
    }

    /// Where a call of known outcome ends.
    fn end(&self, call: u32) -> End {
        self.timeline.ends[call as usize]
    }

    /// Whether a call replaces any state, so that it may stand just before
    /// another that does.
    fn is_write(&self, call: u32) -> bool {
        matches!(self.effect(call), Effect::Replace(_))
    }

    fn place(&mut self, configuration: &mut Configuration<B>, call: u32, trace: &mut impl Trace) {
        let End { moment, slot } = self.end(call);
        let owed = !configuration.optional.contains(slot);
        configuration.placed.insert(slot);
        configuration.optional.remove(slot);
        self.replace_state(configuration, call, trace);
        let is_write = self.is_write(call);
        let must_be_here = owed && moment == configuration.at;
        configuration.unseen = is_write && !must_be_here;
    }

    fn replace_state(
        &mut self,
        configuration: &mut Configuration<B>,
        call: u32,
        trace: &mut impl Trace,
    ) {
        if self.is_write(call) {
            self.make_writes_optional(configuration, trace);
        }
        if let Some(state) = self.step(call, configuration.state) {
            configuration.state = state;
        }
        trace.placed(call);
    }

    fn make_writes_optional(&self, configuration: &mut Configuration<B>, trace: &mut impl Trace) {
        let optional = &mut configuration.optional;
        self.cursor
            .open
            .each_without(&configuration.placed, |slot| {
                let call = self.cursor.holder(slot);
                if self.is_write(call) && !optional.contains(slot) {
                    optional.insert(slot);
                    trace.became_optional(call);
                }
            });
    }

    fn place_reads(&self, configuration: &mut Configuration<B>, trace: &mut impl Trace) {
        let before = configuration.placed.clone();
        self.cursor.open.each_without(&before, |slot| {
            self.place_if_read(configuration, self.cursor.holder(slot), trace);
        });
    }

    fn place_if_read(
        &self,
        configuration: &mut Configuration<B>,
        call: u32,
        trace: &mut impl Trace,
    ) {
        let End { slot, .. } = self.end(call);
        if self.effect(call).is_read_only() && self.step(call, configuration.state).is_some() {
            configuration.placed.insert(slot);
            configuration.unseen = false;
            trace.placed(call);
        }
    }

    /// Whether the completion of `call`, which is at the cursor, leaves
    /// nothing to decide.
    fn is_accounted_for(&self, configuration: &Configuration<B>, call: u32) -> bool {
        let End { moment, slot } = self.end(call);
        if configuration.placed.contains(slot) {
            return true;
        }
        let Effect::Replace(to) = self.effect(call) else {
            return false;
        };
        if !configuration.optional.contains(slot) {
            return false;
        }
        // It may be used only where its value is seen later, or to leave one that
        // is avoided; and now only if that makes a difference, or after open
        // calls that see a value before.
        let of_use_now = !configuration.unseen && self.makes_a_difference(configuration, to);
        let is_told = self.timeline.may_be_seen(to, moment)
            || self.may_have_to_be_left(configuration, moment);
        !is_told || !of_use_now && !self.something_waits(configuration)
    }

    /// Whether a write of `to` changes the state, or hides another write that
    /// still owes its place.
    fn makes_a_difference(&self, configuration: &Configuration<B>, to: State) -> bool {
        let mut owed = false;
        self.cursor
            .open
            .each_without(&configuration.placed, |slot| {
                let is_write = self.is_write(self.cursor.holder(slot));
                owed |= is_write && !configuration.optional.contains(slot);
            });
        owed || to != configuration.state
    }

    /// Whether the state is avoided after `moment`, or one to which an open call
    /// leads.
    fn may_have_to_be_left(&self, configuration: &Configuration<B>, moment: u32) -> bool {
        let is_avoided = |state: State| self.timeline.avoided_until(state) > moment;
        let mut leads_there = is_avoided(configuration.state);
        let each = |slot| {
            let effect = self.effect(self.cursor.holder(slot));
            let about = [effect.needs(), effect.leaves()];
            leads_there |= about.into_iter().flatten().any(is_avoided);
        };
        self.cursor.open.each_without(&configuration.placed, each);
        leads_there
    }

    /// Whether a call is open that must find some state.
    fn something_waits(&self, configuration: &Configuration<B>) -> bool {
        let mut waits = false;
        self.cursor
            .open
            .each_without(&configuration.placed, |slot| {
                waits |= !self.is_write(self.cursor.holder(slot));
            });
        waits
    }

    fn find_goals(&mut self, configuration: &Configuration<B>) {
        let mut goals = std::mem::replace(&mut self.goals, Goals::new());
        goals.states.clear();
        goals.other = false;
        goals.any = false;
        self.cursor
            .open
            .each_without(&configuration.placed, |slot| {
                match self.effect(self.cursor.holder(slot)) {
                    Effect::Observe(Some(from)) | Effect::Change { from, .. } => {
                        goals.add(from);
                    }
                    Effect::Avoid(_) => goals.other = true,
                    Effect::Observe(None) | Effect::Total | Effect::Other => goals.any = true,
                    Effect::Replace(_) => {}
                }
            });
        let others = &self.timeline.unknown.others;
        goals.any |= others.iter().any(|&kind| self.is_left(configuration, kind));
        self.find_goals_through_unknown(configuration, &mut goals);
        self.goals = goals;
    }

    /// What a goal can be reached from by calls of unknown outcome is a goal.
    fn find_goals_through_unknown(&self, configuration: &Configuration<B>, goals: &mut Goals) {
        let unknown = &self.timeline.unknown;
        let mut place = 0;
        while let Some(&goal) = goals.states.get(place).filter(|_| !goals.any) {
            for &kind in unknown.leaving(goal) {
                if let Effect::Change { from, .. } = unknown.effect(kind)
                    && self.is_left(configuration, kind)
                {
                    goals.add(from);
                }
            }
            place += 1;
        }
    }

    /// Whether a call of this kind of unknown outcome has begun and is not
    /// used.
    fn is_left(&self, configuration: &Configuration<B>, kind: u32) -> bool {
        let begun = self.cursor.begun(kind);
        begun > 0 && begun > self.used_sets.count(configuration.used, kind)
    }

    fn list_unknown(&mut self, configuration: &Configuration<B>) {
        let mut moves = std::mem::take(&mut self.moves);
        let unknown = &self.timeline.unknown;
        let is_left = |kind: u32| self.is_left(configuration, kind);
        let mut consider = |kind: u32| {
            if self.is_of_use(configuration, unknown.calls[kind as usize][0]) && is_left(kind) {
                moves.push(Move::Use(kind));
            }
        };
        if self.goals.any {
            (0..unknown.calls.len() as u32).for_each(&mut consider);
        } else if self.goals.other {
            let state = configuration.state;
            let kinds = unknown.away_from(state, self.cursor.at, &self.timeline, is_left);
            kinds.for_each(&mut consider);
        } else {
            let goals = self.goals.states.iter();
            let leaving = goals.flat_map(|&goal| unknown.leaving(goal));
            let kinds = leaving.chain(&unknown.others);
            kinds.copied().for_each(&mut consider);
        }
        self.moves = moves;
    }

    /// Whether a call that owes nothing could be followed by one that sees
    /// what it does.
    fn is_of_use(&self, configuration: &Configuration<B>, call: u32) -> bool {
        let state = configuration.state;
        match self.effect(call) {
            Effect::Observe(_) | Effect::Avoid(_) => false,
            Effect::Replace(to) => {
                !configuration.unseen
                    && self.goals.include(to)
                    && self.makes_a_difference(configuration, to)
            }
            Effect::Change { from, to } => from == state && to != from && self.goals.include(to),
            Effect::Total | Effect::Other => {
                self.step(call, state).is_some_and(|next| next != state)
            }
        }
    }

    /// The open calls other than the one that completes.
    fn list_open(&mut self, configuration: &Configuration<B>, completing: u32) {
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.clear();
        self.cursor
            .open
            .each_without(&configuration.placed, |slot| {
                let call = self.cursor.holder(slot);
                let possible = match self.effect(call) {
                    Effect::Observe(_) | Effect::Avoid(_) => false,
                    Effect::Replace(_) => self.is_of_use(configuration, call),
                    Effect::Change { .. } | Effect::Total | Effect::Other => {
                        self.step(call, configuration.state).is_some()
                    }
                };
                if possible && call != completing && !self.is_equal(call, completing) {
                    self.keep_first_to_complete(&mut candidates, call);
                }
            });
        self.moves
            .extend(candidates.iter().map(|&call| Move::Place(call)));
        self.candidates = candidates;
    }

    fn keep_first_to_complete(&self, candidates: &mut Vec<u32>, call: u32) {
        let moment = |call: u32| self.end(call).moment;
        match candidates
            .iter_mut()
            .find(|other| self.is_equal(**other, call))
        {
            Some(other) if moment(call) < moment(*other) => *other = call,
            Some(_) => {}
            None => candidates.push(call),
        }
    }

    /// Whether two calls that complete are equal.
    fn is_equal(&self, one: u32, other: u32) -> bool {
        self.timeline.class(one) == self.timeline.class(other)
    }

    fn list_completing(&mut self, configuration: &Configuration<B>, call: u32) {
        let End { slot, .. } = self.end(call);
        let optional = configuration.optional.contains(slot);
        let possible = match self.effect(call) {
            Effect::Observe(_) | Effect::Avoid(_) => false,
            Effect::Replace(to) => {
                !configuration.unseen && (!optional || self.makes_a_difference(configuration, to))
            }
            Effect::Change { .. } | Effect::Total | Effect::Other => {
                self.step(call, configuration.state).is_some()
            }
        };
        if optional {
            self.moves.push(Move::Pass);
        }
        if possible {
            self.moves.push(Move::Place(call));
        }
        if possible && optional && !self.is_wanted_next(configuration, call) {
            let last = self.moves.len() - 1;
            self.moves.swap(last - 1, last);
        }
    }

    /// Whether the next call to begin that waits for a state waits for what
    /// `call` writes rather than for what the object holds. Only a guess at
    /// what to try first.
    fn is_wanted_next(&self, configuration: &Configuration<B>, call: u32) -> bool {
        let Effect::Replace(to) = self.effect(call) else {
            return false;
        };
        let upcoming = self.timeline.moments.iter().skip(self.cursor.at as usize);
        for moment in upcoming.take(8 * self.timeline.slots) {
            let &Moment::Begin(next) = moment else {
                continue;
            };
            if let Some(from) = self.effect(next).needs() {
                if from == to {
                    return true;
                }
                if from == configuration.state {
                    return false;
                }
            }
        }
        false
    }
}
