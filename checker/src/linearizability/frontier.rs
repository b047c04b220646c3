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
//! are possible; a write that replaces the state makes every other open one
//! optional, as does one that changes nothing; calls of unknown outcome are
//! counted; a write that owes nothing is placed only where a call waits for its
//! value. And two that only a set of configurations allows:
//!
//! - One configuration dominates another if whatever can follow the other can
//!   follow it as well: the same state and the same cas placed, no read less
//!   placed, every write whose standing differs optional, no more calls of
//!   unknown outcome used.
//! - States that no call can see any more are one.

use rustc_hash::FxHashMap;

use super::crashed::{Used, UsedSets};
use super::key_search::Order;
use super::search::{Progress, Trace};
use super::timeline::{End, Moment, Timeline};
use crate::small::bits;
use crate::specification::{Effect, Specification};

/// So many calls can be open at a time.
pub(crate) const OPEN_MAX: usize = 64;

/// Up to so many configurations are looked through one by one.
const SCANNED_MAX: usize = 24;

/// No decision.
const NONE: u32 = u32::MAX;

/// A set of slots.
type Slots = u64;

/// What the orders so far have come to.
pub(crate) struct Frontier<S: Specification> {
    specification: S,
    timeline: Timeline<S>,
    /// The next moment.
    at: u32,
    configurations: Vec<Configuration<S::State>>,
    /// The slots of open calls: those that change nothing, those that replace
    /// any state, all others.
    reads: Slots,
    writes: Slots,
    others: Slots,
    /// The call in each slot that is open.
    holders: [u32; OPEN_MAX],
    /// How many calls of each class of unknown outcome have begun.
    begun: Vec<u32>,
    used_sets: UsedSets,
    decisions: Vec<Decision>,
    progress: Progress,
}

#[derive(Clone, Copy, Debug)]
struct Configuration<T> {
    state: T,
    /// The last moment at which a call may see the state; 0 once that is over,
    /// when all states are alike.
    seen_until: u32,
    /// The open calls that owe nothing any more.
    done: Slots,
    /// The open writes that have a place of their own.
    placed: Slots,
    used: Used,
    /// The last decision that led here.
    decided: u32,
}

/// That a call is the next in the order.
#[derive(Clone, Copy, Debug)]
struct Decision {
    before: u32,
    call: u32,
    /// At which completion.
    moment: u32,
}

/// Configurations of which none dominates another.
struct Antichain<T> {
    list: Vec<Configuration<T>>,
    alive: Vec<bool>,
    by_state: FxHashMap<T, Vec<u32>>,
}

impl<S: Specification<State: Copy>> Frontier<S> {
    /// The frontier before the first moment; none if too many calls are open
    /// at a time.
    pub(crate) fn new(specification: S, timeline: Timeline<S>) -> Option<Self> {
        if timeline.slots > OPEN_MAX {
            return None;
        }
        let state = specification.initial();
        let first = Configuration {
            state,
            seen_until: timeline.seen_until(&state),
            done: 0,
            placed: 0,
            used: Used::NONE,
            decided: NONE,
        };
        Some(Frontier {
            at: 0,
            configurations: vec![first],
            reads: 0,
            writes: 0,
            others: 0,
            holders: [0; OPEN_MAX],
            begun: vec![0; timeline.classes.calls.len()],
            used_sets: UsedSets::new(timeline.classes.calls.len()),
            decisions: Vec::new(),
            progress: Progress::Paused,
            specification,
            timeline,
        })
    }

    /// Goes on for so many configurations.
    pub(crate) fn run(&mut self, configurations: u64) -> Progress {
        let mut left = configurations;
        while self.progress == Progress::Paused {
            let Some(&moment) = self.timeline.moments.get(self.at as usize) else {
                self.progress = Progress::Explained;
                break;
            };
            match moment {
                Moment::Begin(call) => self.begin(call),
                Moment::BeginUnknown(call) => {
                    let class = self.timeline.calls[call as usize].class;
                    self.begun[class as usize] += 1;
                }
                Moment::End(call) => {
                    if !self.end(call, &mut left) {
                        break;
                    }
                }
            }
            if self.progress == Progress::Paused {
                self.at += 1;
            }
        }
        self.progress
    }

    /// How it stands.
    pub(crate) fn progress(&self) -> Progress {
        self.progress
    }

    /// How many bytes it holds, the history itself apart.
    pub(crate) fn bytes(&self) -> usize {
        self.configurations.capacity() * size_of::<Configuration<S::State>>()
            + self.decisions.capacity() * size_of::<Decision>()
            + self.used_sets.bytes()
    }

    /// The call whose completion no order accounts for, once there is one.
    pub(crate) fn furthest(&self) -> Option<u32> {
        match self.timeline.moments.get(self.at as usize) {
            Some(&Moment::End(call)) => Some(call),
            _ => None,
        }
    }

    /// The calls of one of the orders that come furthest, up to what is owed
    /// there; the whole of one once there is one.
    pub(crate) fn order(&self) -> Vec<u32> {
        let mut decided = Vec::new();
        let mut last = self.configurations.first().map_or(NONE, |it| it.decided);
        while let Some(decision) = self.decisions.get(last as usize) {
            decided.push(*decision);
            last = decision.before;
        }
        decided.reverse();
        let mut tracing = Tracing {
            frontier: self,
            at: 0,
            state: self.specification.initial(),
            order: Order::default(),
            open: Vec::new(),
        };
        let mut decided = decided.into_iter().peekable();
        for (place, moment) in (0..self.at).zip(&self.timeline.moments) {
            tracing.at = place;
            while let Some(decision) = decided.next_if(|it| it.moment == place) {
                tracing.place(decision.call);
            }
            match *moment {
                Moment::Begin(call) => tracing.begin(call),
                Moment::BeginUnknown(_) => {}
                Moment::End(call) => tracing.open.retain(|open| open.call != call),
            }
        }
        tracing.order.calls.into_iter().flatten().collect()
    }

    fn effect(&self, call: u32) -> &Effect<S::State> {
        self.timeline.effect(call)
    }

    fn step(&self, call: u32, state: &S::State) -> Option<S::State> {
        self.timeline.step(&self.specification, call, state)
    }

    fn begin(&mut self, call: u32) {
        let Some(End { slot, .. }) = self.timeline.calls[call as usize].end else {
            return;
        };
        self.holders[slot as usize] = call;
        let bit = 1 << slot;
        match self.effect(call) {
            Effect::Observe(_) => self.reads |= bit,
            Effect::Replace(_) => self.writes |= bit,
            Effect::Change { .. } | Effect::Total | Effect::Other => {
                self.others |= bit;
                return;
            }
        }
        let mut configurations = std::mem::take(&mut self.configurations);
        for configuration in &mut configurations {
            let Configuration {
                state, seen_until, ..
            } = configuration;
            if self.owes_nothing(state, *seen_until, self.at, call) {
                configuration.done |= bit;
            }
        }
        self.configurations = configurations;
    }

    /// Whether a call that is a read is possible where the state is seen until
    /// then, or one that is a write changes nothing that is seen.
    fn owes_nothing(&self, state: &S::State, seen_until: u32, at: u32, call: u32) -> bool {
        let is_seen = seen_until >= at;
        match self.effect(call) {
            Effect::Observe(Some(wanted)) => is_seen && wanted == state,
            Effect::Observe(None) => self.step(call, state).is_some(),
            Effect::Replace(to) if is_seen => to == state,
            Effect::Replace(_) => self.timeline.calls[call as usize].seen_until < at,
            Effect::Change { .. } | Effect::Total | Effect::Other => false,
        }
    }

    /// Lets open calls be done that owe nothing as things are.
    fn settle(&self, configuration: &mut Configuration<S::State>) {
        for slot in bits((self.reads | self.writes) & !configuration.done) {
            let Configuration {
                state, seen_until, ..
            } = configuration;
            if self.owes_nothing(state, *seen_until, self.at, self.holders[slot]) {
                configuration.done |= 1 << slot;
            }
        }
    }

    /// The configuration in which `call` is the next in the order, if that is
    /// possible.
    fn placed(
        &mut self,
        configuration: &Configuration<S::State>,
        call: u32,
    ) -> Option<Configuration<S::State>> {
        let mut next = *configuration;
        let prepared = &self.timeline.calls[call as usize];
        match &prepared.effect {
            Effect::Replace(state) => {
                next.done |= self.writes;
                next.state = *state;
                next.seen_until = prepared.seen_until;
            }
            Effect::Change { from, to } => {
                if configuration.seen_until < self.at || *from != configuration.state {
                    return None;
                }
                next.state = *to;
                next.seen_until = prepared.seen_until;
            }
            Effect::Observe(_) => return None,
            Effect::Total | Effect::Other => {
                next.state = self.step(call, &configuration.state)?;
                next.seen_until = self.timeline.seen_until(&next.state);
            }
        }
        if let Some(End { slot, .. }) = prepared.end {
            next.done |= 1 << slot;
            next.placed |= (1 << slot) & self.writes;
        }
        next.decided = self.decisions.len() as u32;
        self.decisions.push(Decision {
            before: configuration.decided,
            call,
            moment: self.at,
        });
        self.settle(&mut next);
        Some(next)
    }

    /// The same of one of a class of unknown outcome.
    fn used(
        &mut self,
        configuration: &Configuration<S::State>,
        class: u32,
    ) -> Option<Configuration<S::State>> {
        let used = self.used_sets.count(configuration.used, class);
        if self.begun[class as usize] <= used {
            return None;
        }
        let call = self.timeline.classes.calls[class as usize][used as usize];
        let mut next = self.placed(configuration, call)?;
        next.used = self.used_sets.add(configuration.used, class);
        Some(next)
    }

    /// Goes past the completion of `call`; false if there was not enough left
    /// to see all that can come before it.
    fn end(&mut self, call: u32, left: &mut u64) -> bool {
        let Some(End { slot, .. }) = self.timeline.calls[call as usize].end else {
            return true;
        };
        let bit: Slots = 1 << slot;
        // A write that owes nothing may be used before it is over.
        let is_over = |it: &Configuration<S::State>| {
            it.done & bit != 0 && (self.writes & bit == 0 || it.placed & bit != 0)
        };
        if !self.configurations.iter().all(is_over) {
            let before = self.decisions.len();
            match self.close(call, bit, left) {
                Some(next) if next.is_empty() => {
                    self.progress = Progress::Refuted;
                    return true;
                }
                Some(next) => self.configurations = next,
                None => {
                    self.decisions.truncate(before);
                    return false;
                }
            }
        }
        self.reads &= !bit;
        self.writes &= !bit;
        self.others &= !bit;
        self.leave(bit);
        true
    }

    /// Forgets a slot, and states that cannot be seen after this moment.
    fn leave(&mut self, bit: Slots) {
        let mut configurations = std::mem::take(&mut self.configurations);
        for configuration in &mut configurations {
            configuration.done &= !bit;
            configuration.placed &= !bit;
        }
        if configurations.len() > 1 {
            let mut kept = Antichain::new();
            for configuration in configurations {
                self.add(&mut kept, configuration);
            }
            configurations = kept.into_list();
        }
        self.configurations = configurations;
    }

    /// The configurations in which `call`, which completes, owes nothing; none
    /// if there was not enough left to find them all.
    fn close(
        &mut self,
        call: u32,
        bit: Slots,
        left: &mut u64,
    ) -> Option<Vec<Configuration<S::State>>> {
        let is_write = self.writes & bit != 0;
        let mut out = Antichain::new();
        let mut seen = Antichain::new();
        let mut stack = Vec::new();
        for configuration in self.configurations.clone() {
            if configuration.done & bit != 0 {
                self.add(&mut out, configuration);
                if !is_write || configuration.placed & bit != 0 {
                    continue;
                }
            }
            stack.extend(self.add(&mut seen, configuration));
        }
        let mut next = Vec::new();
        while let Some(place) = stack.pop() {
            if !seen.alive[place] {
                continue;
            }
            if *left == 0 {
                return None;
            }
            *left -= 1;
            let configuration = seen.list[place];
            if configuration.placed & bit == 0
                && let Some(last) = self.placed(&configuration, call)
            {
                self.add(&mut out, last);
            }
            self.list_next(&configuration, bit, &mut next);
            for found in next.drain(..) {
                if found.done & bit != 0 {
                    self.add(&mut out, found);
                    if !is_write || found.placed & bit != 0 {
                        continue;
                    }
                }
                stack.extend(self.add(&mut seen, found));
            }
        }
        Some(out.into_list())
    }

    /// What can come next and may be of use, other than the call in `bit`.
    fn list_next(
        &mut self,
        configuration: &Configuration<S::State>,
        bit: Slots,
        next: &mut Vec<Configuration<S::State>>,
    ) {
        let (goals, any) = self.goals(configuration);
        for slot in bits(self.others & !configuration.done & !bit) {
            next.extend(self.placed(configuration, self.holders[slot]));
        }
        for slot in bits(self.writes & !configuration.placed & !bit) {
            let call = self.holders[slot];
            let wanted = matches!(self.effect(call), Effect::Replace(to) if goals.contains(to));
            if any || wanted {
                next.extend(self.placed(configuration, call));
            }
        }
        if self.begun.is_empty() {
            return;
        }
        if any {
            for class in 0..self.begun.len() as u32 {
                next.extend(self.used(configuration, class));
            }
            return;
        }
        for goal in &goals {
            let classes = self.timeline.classes.leaving.get(goal);
            for class in classes.cloned().unwrap_or_default() {
                next.extend(self.used(configuration, class));
            }
        }
    }

    /// The states that an open call waits for, and what leads to them by calls
    /// of unknown outcome; and whether any state may be waited for.
    fn goals(&self, configuration: &Configuration<S::State>) -> (Vec<S::State>, bool) {
        let mut goals = Vec::new();
        for slot in bits((self.reads | self.others) & !configuration.done) {
            match self.effect(self.holders[slot]) {
                Effect::Observe(Some(state)) | Effect::Change { from: state, .. } => {
                    if !goals.contains(state) {
                        goals.push(*state);
                    }
                }
                _ => return (goals, true),
            }
        }
        let classes = &self.timeline.classes;
        let begun = |class: &u32| self.begun[*class as usize] > 0;
        if classes.others.iter().any(begun) {
            return (goals, true);
        }
        let mut place = 0;
        while let Some(goal) = goals.get(place) {
            for class in classes.leaving.get(goal).into_iter().flatten() {
                let call = classes.calls[*class as usize][0];
                if let Effect::Change { from, .. } = self.effect(call)
                    && begun(class)
                    && !goals.contains(from)
                {
                    goals.push(*from);
                }
            }
            place += 1;
        }
        (goals, false)
    }

    /// Adds a configuration unless another dominates it; its place.
    fn add(
        &self,
        antichain: &mut Antichain<S::State>,
        mut configuration: Configuration<S::State>,
    ) -> Option<usize> {
        if configuration.seen_until < self.at {
            configuration.seen_until = 0;
        }
        antichain.add(configuration, |one, other| self.dominates(one, other))
    }

    /// Whether whatever can follow the other can follow this one, of two in the
    /// same state.
    fn dominates(&self, one: &Configuration<S::State>, other: &Configuration<S::State>) -> bool {
        let differs = (one.done ^ other.done) | (one.placed ^ other.placed);
        let optional = one.done & !one.placed;
        differs & self.others == 0
            && other.done & !one.done & self.reads == 0
            && differs & self.writes & !optional == 0
            && self.used_sets.within(one.used, other.used)
    }
}

/// Goes along one line of decisions, to say where every call stands.
struct Tracing<'a, S: Specification> {
    frontier: &'a Frontier<S>,
    at: u32,
    state: S::State,
    order: Order,
    open: Vec<Open>,
}

/// A call that is open.
#[derive(Clone, Copy)]
struct Open {
    call: u32,
    /// It stands in the order already, or owes no place.
    done: bool,
}

impl<S: Specification<State: Copy>> Tracing<'_, S> {
    fn begin(&mut self, call: u32) {
        self.open.push(Open { call, done: false });
        self.settle();
    }

    /// Lets `call` be the next.
    fn place(&mut self, call: u32) {
        let is_write = |call| matches!(self.frontier.effect(call), Effect::Replace(_));
        if is_write(call) {
            for open in self.open.iter_mut() {
                if !open.done && open.call != call && is_write(open.call) {
                    self.order.became_optional(open.call);
                    open.done = true;
                }
            }
        }
        if let Some(state) = self.frontier.step(call, &self.state) {
            self.state = state;
        }
        self.order.placed(call);
        for open in self.open.iter_mut().filter(|open| open.call == call) {
            open.done = true;
        }
        self.settle();
    }

    /// Lets all stand here that owe nothing as things are.
    fn settle(&mut self) {
        let seen_until = self.frontier.timeline.seen_until(&self.state);
        for open in self.open.iter_mut().filter(|open| !open.done) {
            let frontier = self.frontier;
            if !frontier.owes_nothing(&self.state, seen_until, self.at, open.call) {
                continue;
            }
            open.done = true;
            match frontier.effect(open.call).is_read_only() {
                true => self.order.placed(open.call),
                // It may be placed later; what it leaves here nobody sees.
                false => self.order.became_optional(open.call),
            }
        }
    }
}

impl<T: Copy + Eq + std::hash::Hash> Antichain<T> {
    fn new() -> Self {
        Antichain {
            list: Vec::new(),
            alive: Vec::new(),
            by_state: FxHashMap::default(),
        }
    }

    fn add(
        &mut self,
        configuration: Configuration<T>,
        dominates: impl Fn(&Configuration<T>, &Configuration<T>) -> bool,
    ) -> Option<usize> {
        if self.list.len() == SCANNED_MAX {
            for (place, configuration) in self.list.iter().enumerate() {
                let places = self.by_state.entry(configuration.state).or_default();
                places.push(place as u32);
            }
        }
        let is_alike = |it: &Configuration<T>| match (it.seen_until, configuration.seen_until) {
            (0, 0) => true,
            (0, _) | (_, 0) => false,
            _ => it.state == configuration.state,
        };
        let len = self.list.len() as u32;
        // States that are not seen any more are alike, whatever they were.
        let indexed = len as usize >= SCANNED_MAX && configuration.seen_until != 0;
        let places = match indexed {
            true => self.by_state.get(&configuration.state),
            false => None,
        };
        let places = places.map(Vec::as_slice).unwrap_or_default();
        let scanned = if indexed { 0..0 } else { 0..len };
        for place in scanned.chain(places.iter().copied()) {
            let place = place as usize;
            let other = &self.list[place];
            if !self.alive[place] || !is_alike(other) {
                continue;
            }
            if dominates(other, &configuration) {
                return None;
            }
            if dominates(&configuration, other) {
                self.alive[place] = false;
            }
        }
        let place = self.list.len();
        if place >= SCANNED_MAX {
            let places = self.by_state.entry(configuration.state).or_default();
            places.push(place as u32);
        }
        self.list.push(configuration);
        self.alive.push(true);
        Some(place)
    }

    fn into_list(self) -> Vec<Configuration<T>> {
        let all = self.list.into_iter().zip(self.alive);
        all.filter_map(|(configuration, alive)| alive.then_some(configuration))
            .collect()
    }
}
