//! All orders at once, moment by moment.
//!
//! What every order of the calls so far has come to is a configuration; the
//! frontier is the set of those that are left after each completion. Nothing is
//! gone back to, and nothing is kept but the frontier and how each of its
//! configurations came about. Where few calls are open at a time and values
//! repeat, it stays narrow, and what is refuted is refuted at once.
//!
//! (Lowe's just-in-time search of a graph, "Testing for Linearizability", 2017,
//! §5, breadth first.)
//!
//! The rules are those of [`super::search`]: reads are placed as soon as they
//! are possible; a write that replaces the state makes every other open call
//! optional that is possible everywhere, and a call that changes nothing is
//! optional at once; calls of unknown outcome are counted; a write that owes
//! nothing is placed only where a call waits for its value or, at its completion,
//! where a state is avoided later that the object holds, that an open call leads to
//! or that appends can lead to: nothing else could need it. An append after which no call sees the state, or
//! what it can become, is placed only at its completion: until another write nothing
//! can be seen then, so that it can as well come later; unless a state is avoided
//! later, which is not met there. And two that only a set of configurations allows:
//!
//! - One configuration dominates another if whatever can follow the other can
//!   follow it as well: the same state and the same cas placed, no read less
//!   placed, every write whose standing differs optional, no more calls of
//!   unknown outcome used.
//! - States of which no call can see any more what they are or become are one.

mod renumber;

use super::antichain::Antichain;
use super::crashed::{Used, UsedSets};
use super::guard::Guard;
use super::mask::Mask;
use super::object::{Does, Object, State};
use super::timeline::{Moment, Timeline};
use crate::bytes;
use crate::specification::Effect;

/// No decision.
const NONE: u32 = u32::MAX;

/// So often two configurations are compared in the time in which one is looked
/// at.
const COMPARISONS: u64 = 16;

/// So many configurations are looked at before a completion for each that a
/// beam keeps.
const BEAM_FACTOR: usize = 20;

/// So many decisions are kept before it is looked which still matter. Few in
/// tests, whose histories are short.
const DECISIONS_MAX: usize = if cfg!(test) { 8 } else { 1 << 18 };

/// All orders at once, as the calls begin and complete.
pub(crate) struct Frontier<M> {
    /// The number of the next moment.
    at: u32,
    configurations: Vec<Configuration<M>>,
    open: Open<M>,
    unknown: Unknown,
    used_sets: UsedSets,
    seen: Box<dyn Seen>,
    /// How many configurations are kept after a completion, if not all.
    beam: Option<usize>,
    /// Whether some were not.
    is_cut: bool,
    /// Whether decisions are kept, so that an order can be told.
    keeps_decisions: bool,
    decisions: Vec<Decision>,
    decisions_live: usize,
    /// How many configurations were looked at; comparisons count as well.
    looked_at: u64,
    out: Antichain<M>,
    met: Antichain<M>,
    stack: Vec<usize>,
    found: Vec<Configuration<M>>,
    goals: Goals,
}

/// The states that an open call waits for, or that lead to one by calls of
/// unknown outcome.
#[derive(Default)]
struct Goals {
    states: Vec<State>,
    /// A call waits for any state but the present one.
    other: bool,
    /// A call may wait for any state.
    any: bool,
}

impl Goals {
    fn add(&mut self, state: State) {
        if !self.states.contains(&state) {
            self.states.push(state);
        }
    }

    /// Whether it may be of use that the object holds `state`; where another than
    /// the present one is wanted even this may be, from which a call leads away.
    fn include(&self, state: State) -> bool {
        self.any || self.other || self.states.contains(&state)
    }
}

/// Knows when a state can be seen.
pub(crate) trait Seen: Send {
    /// The last moment at which a call may see `state`, or what calls that are
    /// possible everywhere make of it; 0 for none.
    fn until(&mut self, state: State) -> u32;
    /// The last moment at which a call may be possible in every state but `state`,
    /// so that leaving it is of use; 0 for none.
    fn avoided_until(&mut self, state: State) -> u32;
    /// The same of any state.
    fn any_avoided_until(&mut self) -> u32;
}

/// What the orders so far have come to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Configuration<M> {
    pub(super) state: State,
    /// The last moment at which a call may see the state; 0 once that is over,
    /// when all states are alike.
    pub(super) seen_until: u32,
    /// The open calls that owe nothing any more.
    pub(super) done: M,
    /// The open writes that have a place of their own.
    pub(super) placed: M,
    pub(super) used: Used,
    /// The last decision that led here.
    decided: u32,
}

/// That a call is the next in the order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decision {
    before: u32,
    pub(crate) call: u32,
    /// At which completion.
    pub(crate) moment: u32,
}

/// The calls that are open and will complete.
#[derive(Debug)]
pub(super) struct Open<M> {
    /// The slots of those that change nothing.
    pub(super) reads: M,
    /// Of those that are possible in every state and may change it.
    pub(super) writes: M,
    /// Of the writes those that do not replace the state.
    totals: M,
    /// All others.
    pub(super) others: M,
    /// Of all these, the ones that need not take effect.
    excused: M,
    /// By slot.
    calls: Vec<Held>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    call: u32,
    class: u32,
    effect: Effect<State>,
    /// When what it leaves is seen last, as far as that is one state.
    seen_until: u32,
}

/// The calls of unknown outcome that have begun.
#[derive(Debug, Default)]
struct Unknown {
    /// By class, its kind.
    kinds: Vec<u32>,
    /// By kind.
    list: Vec<Kind>,
    /// By state, the kinds that leave it.
    leaving: Vec<Vec<u32>>,
    /// The kind of the writes that nobody could tell when they began: they are as
    /// good as each other.
    untold: Option<u32>,
    /// Whether there is one of which more is not known.
    some_other: bool,
    /// How many have begun.
    calls: usize,
}

#[derive(Debug)]
struct Kind {
    held: Held,
    /// The calls, first to last.
    calls: Vec<u32>,
}

impl Unknown {
    /// How many bytes it holds.
    fn bytes(&self) -> usize {
        // Each kind has a list of its calls, and most have a place in one of what
        // leaves a state, both with room for four or for twice as many as there are.
        let few = bytes::allocated(4 * size_of::<u32>());
        self.list.capacity() * (size_of::<Kind>() + 2 * few)
            + 2 * self.calls * size_of::<u32>()
            + self.kinds.capacity() * size_of::<u32>()
            + self.leaving.capacity() * size_of::<Vec<u32>>()
    }

    /// Enters a kind where it is found by its class, and by what it leaves.
    fn enter(&mut self, kind: u32) {
        let Held { class, effect, .. } = self.list[kind as usize].held;
        if self.kinds.len() <= class as usize {
            self.kinds.resize(class as usize + 1, NONE);
        }
        self.kinds[class as usize] = kind;
        match effect {
            Effect::Replace(to) | Effect::Change { to, .. } => {
                if self.leaving.len() <= to as usize {
                    self.leaving.resize(to as usize + 1, Vec::new());
                }
                self.leaving[to as usize].push(kind);
            }
            Effect::Total | Effect::Other => self.some_other = true,
            Effect::Observe(_) | Effect::Avoid(_) => {}
        }
    }
}

/// How a completion was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Some orders account for it.
    Accounted,
    /// No order does.
    Refuted,
    /// There was not enough left to know.
    Unfinished,
}

impl<M: Mask> Frontier<M> {
    /// The frontier before the first moment.
    pub(crate) fn new(initial: State, mut seen: Box<dyn Seen>, keeps_decisions: bool) -> Self {
        let first = Configuration {
            state: initial,
            seen_until: seen.until(initial),
            done: M::EMPTY,
            placed: M::EMPTY,
            used: Used::NONE,
            decided: NONE,
        };
        Frontier {
            at: 0,
            configurations: vec![first],
            open: Open {
                reads: M::EMPTY,
                writes: M::EMPTY,
                totals: M::EMPTY,
                others: M::EMPTY,
                excused: M::EMPTY,
                calls: Vec::new(),
            },
            unknown: Unknown::default(),
            used_sets: UsedSets::default(),
            seen,
            beam: None,
            is_cut: false,
            keeps_decisions,
            decisions: Vec::new(),
            decisions_live: 0,
            looked_at: 0,
            out: Antichain::default(),
            met: Antichain::default(),
            stack: Vec::new(),
            found: Vec::new(),
            goals: Goals::default(),
        }
    }

    /// The number of the next moment.
    pub(crate) fn at(&self) -> u32 {
        self.at
    }

    /// How many configurations were looked at.
    pub(crate) fn looked_at(&self) -> u64 {
        self.looked_at
    }

    /// Keeps the most promising configurations alone, so many.
    pub(crate) fn keep_only(&mut self, beam: usize) {
        self.beam = Some(beam);
    }

    /// Whether there may be orders that were given up.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// How many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        // What is found takes the place of the configurations, and a decision
        // gets a new name, where it is looked which still matter.
        let configurations = self.configurations.capacity().max(self.out.len());
        (configurations + self.found.capacity()) * size_of::<Configuration<M>>()
            + self.decisions.capacity() * (size_of::<Decision>() + size_of::<u32>())
            + self.stack.capacity() * size_of::<usize>()
            + self.out.bytes()
            + self.met.bytes()
            + self.used_sets.bytes()
            + self.unknown.bytes()
    }

    /// The decisions of the orders that come here, first to last: a few of them.
    pub(crate) fn decided(&self, orders: usize) -> Vec<Vec<Decision>> {
        let some = self.configurations.iter().take(orders);
        some.map(|configuration| {
            let backwards = || {
                let decision = |place: u32| self.decisions.get(place as usize).copied();
                std::iter::successors(decision(configuration.decided), move |it| {
                    decision(it.before)
                })
            };
            // There may be as many as there are calls: nothing is held twice.
            let mut decided = Vec::with_capacity(backwards().count());
            decided.extend(backwards());
            decided.reverse();
            decided
        })
        .collect()
    }

    /// Gives back what is only of use while it goes on.
    pub(crate) fn rest(&mut self) {
        self.out = Antichain::default();
        self.met = Antichain::default();
        self.stack = Vec::new();
        self.found = Vec::new();
        self.configurations.shrink_to_fit();
        self.decisions.shrink_to_fit();
    }

    /// Goes on from another moment.
    pub(crate) fn set_at(&mut self, at: u32) {
        self.at = at;
    }

    /// Starts anywhere: in any of `states`.
    pub(crate) fn start_in(&mut self, states: impl Iterator<Item = State>) {
        let Some(&first) = self.configurations.first() else {
            return;
        };
        self.configurations = states
            .map(|state| Configuration {
                state,
                seen_until: self.seen.until(state),
                ..first
            })
            .collect();
    }

    fn held<D: Does + ?Sized>(&mut self, does: &D, call: u32, class: u32) -> Held {
        let effect = does.effect(class);
        let seen_until = match effect {
            Effect::Replace(to) | Effect::Change { to, .. } => self.seen.until(to),
            Effect::Observe(_) | Effect::Avoid(_) | Effect::Total | Effect::Other => 0,
        };
        Held {
            call,
            class,
            effect,
            seen_until,
        }
    }

    /// Goes past a moment of a history. Looks at no more than `left`
    /// configurations, and only as long as `guard` allows it.
    pub(super) fn pass(
        &mut self,
        object: &Object,
        timeline: &Timeline,
        moment: Moment,
        left: &mut u64,
        guard: &mut Guard<'_>,
    ) -> Taken {
        let slot = |call: u32| timeline.ends[call as usize].slot;
        match moment {
            Moment::Begin(call) => self.begin(object, call, timeline.class(call), slot(call)),
            Moment::BeginUnknown(call) => self.begin_unknown(object, call, timeline.class(call)),
            Moment::End(call) => return self.end(object, slot(call), left, guard),
        }
        Taken::Accounted
    }

    /// A call begins that will complete.
    pub(crate) fn begin<D: Does + ?Sized>(&mut self, does: &D, call: u32, class: u32, slot: u32) {
        let held = self.held(does, call, class);
        let bit = M::of(slot);
        let open = &mut self.open;
        if open.calls.len() <= slot as usize {
            open.calls.resize(slot as usize + 1, held);
        }
        open.calls[slot as usize] = held;
        match held.effect {
            Effect::Observe(_) | Effect::Avoid(_) => open.reads |= bit,
            Effect::Replace(_) => open.writes |= bit,
            Effect::Total => {
                open.writes |= bit;
                open.totals |= bit;
            }
            Effect::Change { .. } | Effect::Other => open.others |= bit,
        }
        if (open.others & bit).is_empty() {
            for configuration in &mut self.configurations {
                if owes_nothing(does, &held, configuration, self.at) {
                    configuration.done |= bit;
                }
            }
        }
        self.at += 1;
    }

    /// The call in `slot`, which has just begun, need not take effect; if it
    /// does, then before it completes.
    pub(crate) fn excuse(&mut self, slot: u32) {
        let bit = M::of(slot);
        self.open.excused |= bit;
        if !(self.open.writes & bit).is_empty() {
            for configuration in &mut self.configurations {
                configuration.done |= bit;
            }
        }
    }

    /// A call begins whose outcome is not known.
    pub(crate) fn begin_unknown<D: Does + ?Sized>(&mut self, does: &D, call: u32, class: u32) {
        let held = self.held(does, call, class);
        let unknown = &mut self.unknown;
        unknown.calls += 1;
        let is_write = matches!(held.effect, Effect::Replace(_));
        let is_untold = is_write && (held.seen_until == 0 || held.seen_until < self.at);
        let known = unknown.kinds.get(class as usize);
        let known = known.copied().unwrap_or(NONE);
        let kind = match unknown.untold.filter(|_| is_untold) {
            Some(untold) if known == NONE => untold,
            _ => known,
        };
        if kind != NONE {
            unknown.list[kind as usize].calls.push(call);
        } else {
            let kind = unknown.list.len() as u32;
            unknown.untold = unknown.untold.or(is_untold.then_some(kind));
            unknown.list.push(Kind {
                held,
                calls: vec![call],
            });
            unknown.enter(kind);
            while !self.used_sets.has_room(kind) {
                self.used_sets.double();
                for configuration in &mut self.configurations {
                    configuration.used = self.used_sets.raised(configuration.used);
                }
            }
        }
        self.at += 1;
    }

    /// The call in `slot` completes. Looks at no more than `left`
    /// configurations, and only as long as `guard` allows it.
    pub(crate) fn end<D: Does + ?Sized>(
        &mut self,
        does: &D,
        slot: u32,
        left: &mut u64,
        guard: &mut Guard<'_>,
    ) -> Taken {
        let bit = M::of(slot);
        let held = self.open.calls[slot as usize];
        let mut all = self.configurations.iter();
        if !all.all(|it| is_over(it, held, bit, &self.open, &mut *self.seen, self.at)) {
            let decisions = self.decisions.len();
            if !self.close(does, slot, left, guard) {
                self.decisions.truncate(decisions);
                return Taken::Unfinished;
            }
            if self.out.is_empty() {
                return Taken::Refuted;
            }
            self.configurations.clear();
            self.out.move_into(&mut self.configurations);
            self.keep_promising();
        }
        self.leave(slot);
        if self.decisions.len() > DECISIONS_MAX + self.decisions_live * 3 / 2 {
            self.forget_decisions();
        }
        Taken::Accounted
    }

    /// Gives up the least promising configurations, if there are too many: those
    /// that used up more, or owe more.
    fn keep_promising(&mut self) {
        let Some(beam) = self.beam.filter(|&beam| self.configurations.len() > beam) else {
            return;
        };
        let (used_sets, open) = (&self.used_sets, &self.open);
        self.configurations.sort_by_cached_key(|it| {
            let used = used_sets.total(it.used);
            let placed = (it.placed & open.writes).slots().count();
            let owed = (open.others & !it.done).slots().count();
            (used, placed, owed, it.state)
        });
        self.configurations.truncate(beam);
        self.is_cut = true;
    }

    /// Goes past the completion of the call in `slot`, which owes nothing:
    /// forgets it, and states that cannot be seen after this moment.
    fn leave(&mut self, slot: u32) {
        let bit = M::of(slot);
        let open = &mut self.open;
        open.reads &= !bit;
        open.writes &= !bit;
        open.totals &= !bit;
        open.others &= !bit;
        open.excused &= !bit;
        let is_single = self.configurations.len() == 1;
        for configuration in &mut self.configurations {
            configuration.done &= !bit;
            configuration.placed &= !bit;
            if configuration.seen_until <= self.at && configuration.seen_until != 0 {
                configuration.seen_until = 0;
                // What is not seen any more may be changed by anybody.
                configuration.done |= self.open.totals;
            }
        }
        self.at += 1;
        if is_single {
            return;
        }
        self.out.clear();
        for configuration in self.configurations.drain(..) {
            self.out.add(configuration, &self.open, &self.used_sets);
        }
        self.out.move_into(&mut self.configurations);
    }

    /// Finds the configurations in which the call in `slot`, which completes,
    /// owes nothing; false if there was not enough left to find them all.
    fn close<D: Does + ?Sized>(
        &mut self,
        does: &D,
        slot: u32,
        left: &mut u64,
        guard: &mut Guard<'_>,
    ) -> bool {
        let bit = M::of(slot);
        let completing = self.open.calls[slot as usize];
        self.out.clear();
        self.met.clear();
        self.stack.clear();
        for place in 0..self.configurations.len() {
            self.take(self.configurations[place], completing, bit);
        }
        let mut looked_at = 0;
        while let Some(place) = self.stack.pop() {
            if !self.met.is_alive(place) {
                continue;
            }
            looked_at += 1;
            if self.beam.is_some_and(|beam| looked_at > BEAM_FACTOR * beam) {
                self.is_cut = true;
                break;
            }
            if *left == 0 || !guard.allows(|| self.bytes()) {
                return false;
            }
            let compared = self.out.take_compared() + self.met.take_compared();
            let spent = 1 + compared / COMPARISONS;
            *left = left.saturating_sub(spent);
            self.looked_at += spent;
            let configuration = self.met.get(place);
            if (configuration.placed & bit).is_empty()
                && let Some(last) = self.placed(does, &configuration, completing, Some(bit))
            {
                self.out.add(last, &self.open, &self.used_sets);
            }
            self.list_next(does, &configuration, bit);
            let mut found = std::mem::take(&mut self.found);
            for found in found.drain(..) {
                self.take(found, completing, bit);
            }
            self.found = found;
        }
        true
    }

    /// Keeps a configuration that was found: as one in which the `completing`
    /// call, in `bit`, owes nothing, and as one from which there may be others.
    fn take(&mut self, configuration: Configuration<M>, completing: Held, bit: M) {
        let is_done = !(configuration.done & bit).is_empty();
        if is_done || !(self.open.excused & bit).is_empty() {
            self.out.add(configuration, &self.open, &self.used_sets);
            let (open, seen) = (&self.open, &mut *self.seen);
            if is_over(&configuration, completing, bit, open, seen, self.at) {
                return;
            }
        }
        let place = self.met.add(configuration, &self.open, &self.used_sets);
        self.stack.extend(place);
    }

    /// The configuration in which a call is the next in the order, if that is
    /// possible; it has a place of its own in `slot`, if any.
    fn placed<D: Does + ?Sized>(
        &mut self,
        does: &D,
        configuration: &Configuration<M>,
        held: Held,
        slot: Option<M>,
    ) -> Option<Configuration<M>> {
        let mut next = *configuration;
        match held.effect {
            Effect::Replace(state) => {
                next.done |= self.open.writes;
                next.state = state;
                next.seen_until = held.seen_until;
            }
            Effect::Change { from, to } => {
                if configuration.seen_until < self.at || from != configuration.state {
                    return None;
                }
                next.state = to;
                next.seen_until = held.seen_until;
            }
            Effect::Observe(_) | Effect::Avoid(_) => return None,
            Effect::Total if configuration.seen_until < self.at => {}
            Effect::Total | Effect::Other => {
                next.state = does.step(held.class, configuration.state)?;
                next.seen_until = self.seen.until(next.state);
            }
        }
        if let Some(bit) = slot {
            next.done |= bit;
            next.placed |= bit & self.open.writes;
        }
        if next.seen_until < self.at {
            next.seen_until = 0;
        }
        if self.keeps_decisions {
            next.decided = self.decisions.len() as u32;
            self.decisions.push(Decision {
                before: configuration.decided,
                call: held.call,
                moment: self.at,
            });
        }
        self.settle(does, &mut next);
        Some(next)
    }

    /// Lets open calls be done that owe nothing as things are.
    fn settle<D: Does + ?Sized>(&self, does: &D, configuration: &mut Configuration<M>) {
        let open = &self.open;
        for slot in ((open.reads | open.writes) & !configuration.done).slots() {
            if owes_nothing(does, &open.calls[slot as usize], configuration, self.at) {
                configuration.done |= M::of(slot);
            }
        }
    }

    /// The same of one of a kind of unknown outcome.
    fn used<D: Does + ?Sized>(
        &mut self,
        does: &D,
        configuration: &Configuration<M>,
        kind: u32,
    ) -> Option<Configuration<M>> {
        let used = self.used_sets.count(configuration.used, kind);
        let Kind { held, calls } = &self.unknown.list[kind as usize];
        let call = *calls.get(used as usize)?;
        let held = Held { call, ..*held };
        let mut next = self.placed(does, configuration, held, None)?;
        next.used = self.used_sets.add(configuration.used, kind);
        Some(next)
    }

    /// Finds what can come next and may be of use, other than the call in `bit`.
    fn list_next<D: Does + ?Sized>(&mut self, does: &D, configuration: &Configuration<M>, bit: M) {
        self.find_goals(configuration);
        let mut found = std::mem::take(&mut self.found);
        let others = self.open.others & !configuration.done & !bit;
        for slot in others.slots() {
            let held = self.open.calls[slot as usize];
            found.extend(self.placed(does, configuration, held, Some(M::of(slot))));
        }
        let extended = !self.open.totals.is_empty();
        // What is avoided is not met where nothing is seen any more. A write can see
        // to that itself, later; what extends the state cannot.
        let (is_other_wanted, at) = (self.goals.other, self.at);
        let any_avoided = self.seen.any_avoided_until() >= at;
        let unseen_is_of_use =
            |held: &Held| is_other_wanted || any_avoided && matches!(held.effect, Effect::Total);
        for slot in (self.open.writes & !configuration.placed & !bit).slots() {
            let held = self.open.calls[slot as usize];
            let wanted = match held.effect {
                Effect::Replace(to) => {
                    self.goals.include(to) || extended && held.seen_until >= self.at
                }
                _ => configuration.seen_until >= self.at,
            };
            if !wanted {
                continue;
            }
            let next = self.placed(does, configuration, held, Some(M::of(slot)));
            // What nobody sees can wait for its own completion.
            let is_unseen_of_use = unseen_is_of_use(&held);
            let is_of_use = |it: &Configuration<M>| is_unseen_of_use || it.seen_until >= self.at;
            found.extend(next.filter(is_of_use));
        }
        if self.goals.any || self.goals.other {
            // Writes of what nobody can tell any more are as good as each other.
            let mut has_untold = false;
            for kind in 0..self.unknown.list.len() as u32 {
                let held = self.unknown.list[kind as usize].held;
                let is_write = matches!(held.effect, Effect::Replace(_));
                let is_untold = is_write && held.seen_until < self.at;
                if is_untold && has_untold {
                    continue;
                }
                let next = self.used(does, configuration, kind);
                has_untold |= is_untold && next.is_some();
                // An append that leads to nothing that is seen need not have been.
                let is_unseen_of_use = held.effect != Effect::Total || unseen_is_of_use(&held);
                let is_of_use =
                    |it: &Configuration<M>| is_unseen_of_use || it.seen_until >= self.at;
                found.extend(next.filter(is_of_use));
            }
        } else if !self.unknown.list.is_empty() {
            for place in 0..self.goals.states.len() {
                let goal = self.goals.states[place] as usize;
                let count = self.unknown.leaving.get(goal).map_or(0, Vec::len);
                for place in 0..count {
                    let kind = self.unknown.leaving[goal][place];
                    found.extend(self.used(does, configuration, kind));
                }
            }
        }
        self.found = found;
    }

    /// Finds what an open call waits for, and what leads to that by calls of
    /// unknown outcome.
    fn find_goals(&mut self, configuration: &Configuration<M>) {
        let goals = &mut self.goals;
        let unknown = &self.unknown;
        let open = &self.open;
        goals.states.clear();
        goals.other = false;
        // What an open call leaves may be what another waits for.
        goals.any = unknown.some_other || !open.totals.is_empty() && !unknown.list.is_empty();
        for slot in ((open.reads | open.others) & !configuration.done).slots() {
            match open.calls[slot as usize].effect {
                Effect::Observe(Some(state)) | Effect::Change { from: state, .. } => {
                    goals.add(state);
                }
                Effect::Avoid(_) => goals.other = true,
                _ => goals.any = true,
            }
        }
        let mut place = 0;
        while let Some(&goal) = goals.states.get(place).filter(|_| !goals.any) {
            let leaving = unknown.leaving.get(goal as usize);
            for &kind in leaving.into_iter().flatten() {
                if let Effect::Change { from, .. } = unknown.list[kind as usize].held.effect {
                    goals.add(from);
                }
            }
            place += 1;
        }
    }

    /// Drops the decisions that lead to no configuration any more.
    fn forget_decisions(&mut self) {
        let mut names = vec![NONE; self.decisions.len()];
        for configuration in &self.configurations {
            let mut last = configuration.decided;
            while let Some(name) = names.get_mut(last as usize) {
                if *name != NONE {
                    break;
                }
                *name = 0;
                last = self.decisions[last as usize].before;
            }
        }
        let mut live = 0;
        for place in 0..names.len() {
            if names[place] == NONE {
                continue;
            }
            names[place] = live as u32;
            let mut decision = self.decisions[place];
            if let Some(&before) = names.get(decision.before as usize) {
                decision.before = before;
            }
            self.decisions[live] = decision;
            live += 1;
        }
        self.decisions.truncate(live);
        self.decisions_live = live;
        for configuration in &mut self.configurations {
            if let Some(&name) = names.get(configuration.decided as usize) {
                configuration.decided = name;
            }
        }
    }
}

/// Whether nothing can be made any more of a call that completes, in `bit`. A
/// write that owes nothing may be used before it is over: if what it leaves is
/// seen, or to leave a state that is avoided.
fn is_over<M: Mask>(
    configuration: &Configuration<M>,
    completing: Held,
    bit: M,
    open: &Open<M>,
    seen: &mut dyn Seen,
    at: u32,
) -> bool {
    if (configuration.done & bit).is_empty() {
        return false;
    }
    if !(configuration.placed & bit).is_empty() {
        return true;
    }
    match completing.effect {
        Effect::Replace(_) => {
            let owing = (open.reads | open.writes | open.others) & !configuration.done;
            let mut is_avoided = |state| seen.avoided_until(state) > at;
            let leads_there = |slot: u32| {
                let effect = open.calls[slot as usize].effect;
                let about = [effect.needs(), effect.leaves()];
                about.into_iter().flatten().any(&mut is_avoided)
            };
            completing.seen_until <= at
                && !owing.slots().any(leads_there)
                && !is_avoided(configuration.state)
        }
        _ => (open.writes & bit).is_empty(),
    }
}

/// Whether a call is a read that is possible as things are, or a write that
/// changes nothing that is seen.
fn owes_nothing<M, D: Does + ?Sized>(
    does: &D,
    held: &Held,
    configuration: &Configuration<M>,
    at: u32,
) -> bool {
    let state = configuration.state;
    let is_seen = configuration.seen_until >= at;
    match held.effect {
        Effect::Observe(Some(wanted)) => is_seen && wanted == state,
        Effect::Observe(None) => does.step(held.class, state).is_some(),
        Effect::Avoid(avoided) => !is_seen || avoided != state,
        Effect::Replace(to) if is_seen => to == state,
        Effect::Replace(_) => held.seen_until < at,
        Effect::Total => !is_seen || does.step(held.class, state) == Some(state),
        Effect::Change { .. } | Effect::Other => false,
    }
}

impl<M: Mask> Open<M> {
    /// Whether whatever can follow `other` can follow `one`, of two in the same
    /// state.
    #[inline]
    pub(super) fn dominates(
        &self,
        one: &Configuration<M>,
        other: &Configuration<M>,
        used_sets: &UsedSets,
    ) -> bool {
        let differs = (one.done ^ other.done) | (one.placed ^ other.placed);
        let optional = one.done & !one.placed;
        (differs & self.others).is_empty()
            && (other.done & !one.done & self.reads).is_empty()
            && (differs & self.writes & !optional).is_empty()
            && used_sets.within(one.used, other.used)
    }
}
