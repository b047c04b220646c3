//! The calls of unknown outcome of one object's history.

use super::object::{Object, State};
use super::timeline::{Moment, Timeline};
use crate::specification::Effect;

/// No kind.
const NONE: u32 = u32::MAX;

/// So many moments are a block, as a power of two.
const BLOCK: u32 = 10;

/// What can be told for more blocks than these is in no block.
const BLOCKS_MAX: u32 = 64;

/// The calls of unknown outcome, by what they are: those that are as good as each
/// other are one *kind*. So are equal ones, and all writes of what no call ever
/// tells from anything else.
#[derive(Debug, Default)]
pub(crate) struct Unknown {
    /// By kind, the calls in the order of invocation.
    pub(crate) calls: Vec<Vec<u32>>,
    /// The kinds of which more is not known.
    pub(crate) others: Vec<u32>,
    /// By kind, what one of it does.
    effects: Vec<Effect<State>>,
    /// By class, its kind.
    kinds: Vec<u32>,
    /// By state, the kinds that can leave it.
    leaving: Vec<Vec<u32>>,
    /// By state, the kinds that change it.
    changing: Vec<Vec<u32>>,
    /// The kind of the writes of what is never told.
    untold: Option<u32>,
    /// The other kinds of writes, those that begin first first.
    writes: Vec<u32>,
    /// By block of moments, the writes of what can be told in it.
    told: Vec<Vec<u32>>,
    /// The writes of what can be told for long.
    told_for_long: Vec<u32>,
}

impl Unknown {
    pub(super) fn new(object: &Object, timeline: &Timeline) -> Self {
        let mut unknown = Unknown::default();
        for (at, moment) in (0..).zip(&timeline.moments) {
            if let Moment::BeginUnknown(call) = *moment {
                unknown.add(object, timeline, call, at);
            }
        }
        unknown
    }

    /// How many bytes they hold.
    pub(super) fn bytes(&self) -> usize {
        let lists = [&self.calls, &self.leaving, &self.changing, &self.told];
        let lists = lists.into_iter().flat_map(|lists| {
            let each = lists.iter().map(|list| list.capacity() * size_of::<u32>());
            each.chain([lists.capacity() * size_of::<Vec<u32>>()])
        });
        let numbers = [&self.others, &self.kinds, &self.writes, &self.told_for_long];
        let numbers = numbers.map(|list| list.capacity() * size_of::<u32>());
        lists.sum::<usize>()
            + numbers.iter().sum::<usize>()
            + self.effects.capacity() * size_of::<Effect<State>>()
    }

    fn add(&mut self, object: &Object, timeline: &Timeline, call: u32, at: u32) {
        let class = timeline.class(call) as usize;
        if self.kinds.len() <= class {
            self.kinds.resize(class + 1, NONE);
        }
        let effect = object.effect(class as u32);
        let is_untold = matches!(effect, Effect::Replace(to) if timeline.seen_until(to) == 0);
        if self.kinds[class] == NONE {
            self.kinds[class] = match self.untold.filter(|_| is_untold) {
                Some(untold) => untold,
                None => self.add_kind(effect, timeline, at),
            };
        }
        let kind = self.kinds[class];
        if is_untold {
            self.untold = Some(kind);
        }
        self.calls[kind as usize].push(call);
    }

    fn add_kind(&mut self, effect: Effect<State>, timeline: &Timeline, at: u32) -> u32 {
        let kind = self.effects.len() as u32;
        self.effects.push(effect);
        self.calls.push(Vec::new());
        match effect.leaves() {
            Some(to) => add_to(&mut self.leaving, to, kind),
            None => self.others.push(kind),
        }
        match effect {
            Effect::Change { from, .. } => add_to(&mut self.changing, from, kind),
            Effect::Replace(to) if timeline.seen_until(to) > 0 => {
                self.writes.push(kind);
                let last = timeline.moments.len() as u32;
                let blocks = at >> BLOCK..(timeline.seen_until(to).min(last) >> BLOCK) + 1;
                match blocks.len() as u32 > BLOCKS_MAX {
                    true => self.told_for_long.push(kind),
                    false => blocks.for_each(|block| add_to(&mut self.told, block, kind)),
                }
            }
            _ => {}
        }
        kind
    }

    /// The kind of a class.
    pub(crate) fn kind(&self, class: u32) -> u32 {
        self.kinds[class as usize]
    }

    /// What one of a kind does.
    pub(crate) fn effect(&self, kind: u32) -> Effect<State> {
        self.effects[kind as usize]
    }

    /// The kinds that can leave a state.
    pub(crate) fn leaving(&self, state: State) -> &[u32] {
        listed(&self.leaving, state)
    }

    /// The kinds that can leave a state from this one, and are worth it at the
    /// moment `at`: writes of what nobody can tell any more are as good as each
    /// other, and there is one of them at most that `is_left`.
    pub(crate) fn away_from(
        &self,
        state: State,
        at: u32,
        timeline: &Timeline,
        is_left: impl Fn(u32) -> bool,
    ) -> impl Iterator<Item = u32> {
        let is_told = move |kind: &u32| match self.effect(*kind) {
            Effect::Replace(to) => timeline.seen_until(to) >= at,
            _ => true,
        };
        let untold = self.untold.filter(|&kind| is_left(kind)).or_else(|| {
            let writes = self.writes.iter().copied();
            writes
                .filter(|kind| !is_told(kind))
                .find(|&kind| is_left(kind))
        });
        let told = listed(&self.told, at >> BLOCK).iter();
        let told = told.chain(&self.told_for_long).copied().filter(is_told);
        let changing = listed(&self.changing, state).iter().copied();
        untold.into_iter().chain(told).chain(changing)
    }
}

fn add_to(lists: &mut Vec<Vec<u32>>, place: u32, kind: u32) {
    let place = place as usize;
    if lists.len() <= place {
        lists.resize(place + 1, Vec::new());
    }
    lists[place].push(kind);
}

fn listed(lists: &[Vec<u32>], place: u32) -> &[u32] {
    lists.get(place as usize).map_or(&[], Vec::as_slice)
}
