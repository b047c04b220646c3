//! A search of one key, whatever its width, and the order that it finds.

use rustc_hash::FxHashMap;

use super::dialect::KeyHistory;
use super::frontier::Frontier;
use super::search::{Move, Progress, Search, Supply, Trace};
use super::slots::Slots;
use super::timeline::{Moment, Timeline};
use super::zones::{self, Zones};
use crate::specification::{Kv, Specification, TimedCallOf};
use crate::symbols::Symbol;

/// A search of one key.
pub(crate) trait KeySearch: Send {
    /// Tries at most so many moves more.
    fn run(&mut self, moves: u64) -> Progress;
    /// How it stands.
    fn progress(&self) -> Progress;
    /// How many bytes it holds.
    fn bytes(&self) -> usize;
    /// The call whose completion no order accounts for so far.
    fn furthest(&self) -> Option<u32>;
    /// What the key can hold there.
    fn states(&self) -> Vec<Symbol>;
    /// The furthest order, or the whole one once there is one, as calls, each
    /// with what the key holds after it.
    fn order(&mut self) -> Vec<(u32, Symbol)>;
    /// Whether the whole order is one: see [`replays`].
    fn replays(&mut self) -> bool;
    /// Its specification, which knows the symbols.
    fn specification(&self) -> &Kv;
}

/// A search that fits how concurrent the calls are. Of the orders that come
/// up to the completion of the call `watch` it keeps the longest.
pub(crate) fn key_search(
    kv: Kv,
    calls: Vec<TimedCallOf<Kv>>,
    supply: Supply,
    watch: Option<u32>,
) -> Box<dyn KeySearch> {
    let timeline = Timeline::new(&kv, calls);
    let watch = watch.and_then(|call| timeline.calls[call as usize].end);
    let watch = watch.map(|end| end.moment);
    match timeline.slots {
        0..=64 => Box::new(Search::<_, [u64; 1]>::new(kv, timeline, supply, watch)),
        65..=128 => Box::new(Search::<_, [u64; 2]>::new(kv, timeline, supply, watch)),
        _ => Box::new(Search::<_, Box<[u64]>>::new(kv, timeline, supply, watch)),
    }
}

/// One order after the other is quicker where that leads anywhere: all orders at
/// once have their turn only after so many moves.
const MOVES_DEPTH_FIRST: u64 = 1 << 20;

/// Decides a key: without a search where that can be, by one order after the
/// other, or by all at once where that leads nowhere.
pub(crate) enum Judge {
    /// Decided; an order that was found holds. If there is none, the call that
    /// is to blame, where one alone is.
    Decided(Progress, Option<u32>),
    /// To be decided.
    Engines(Box<Engines>),
}

/// What looks for an order, and for a refutation. The first that knows decides.
pub(crate) struct Engines {
    key: Kv,
    calls: Vec<TimedCallOf<Kv>>,
    /// All orders at once: none before its first turn, and none if too many
    /// calls are open at a time.
    frontier: Option<Frontier<Kv>>,
    /// Depth first.
    exact: Option<Box<dyn KeySearch>>,
    /// The same with calls of unknown outcome in any number, where there are
    /// such: it refutes sooner.
    relaxed: Option<Box<dyn KeySearch>>,
    /// The moves that depth first was given so far.
    spent: u64,
}

impl Judge {
    pub(crate) fn new(key: &KeyHistory, calls: Vec<TimedCallOf<Kv>>) -> Self {
        let kv = key.specification();
        match zones::decide(&kv, &calls) {
            Some(Zones::Refuted(call)) => return Judge::Decided(Progress::Refuted, call),
            Some(Zones::Order(order)) if replays(&kv, &calls, &order) => {
                return Judge::Decided(Progress::Explained, None);
            }
            Some(Zones::Order(_)) | None => {}
        }
        Judge::Engines(Box::new(Engines {
            frontier: None,
            exact: None,
            relaxed: None,
            spent: 0,
            key: kv,
            calls,
        }))
    }

    /// Goes on for at most so many moves, of each engine.
    pub(crate) fn run(&mut self, moves: u64) -> Progress {
        match self {
            Judge::Decided(progress, _) => *progress,
            Judge::Engines(engines) => engines.run(moves),
        }
    }

    /// The call whose completion no order accounts for so far; without a
    /// search none is known.
    pub(crate) fn furthest(&self) -> Option<u32> {
        match self {
            Judge::Decided(..) => None,
            Judge::Engines(engines) => engines.furthest(),
        }
    }

    /// The call that a refutation is due to.
    pub(crate) fn blamed(&self) -> Option<u32> {
        match self {
            Judge::Decided(_, call) => *call,
            Judge::Engines(_) => self.furthest(),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        match self {
            Judge::Decided(..) => 0,
            Judge::Engines(engines) => engines.bytes(),
        }
    }

    /// Whether the order that was found is one.
    pub(crate) fn replays(&mut self) -> bool {
        match self {
            Judge::Decided(progress, _) => *progress == Progress::Explained,
            Judge::Engines(engines) => engines.replays(),
        }
    }
}

impl Engines {
    fn run(&mut self, moves: u64) -> Progress {
        let exact = self.exact.get_or_insert_with(|| {
            let some_unknown = self.calls.iter().any(|call| call.completed.is_none());
            let search = |supply| key_search(self.key.clone(), self.calls.clone(), supply, None);
            self.relaxed = some_unknown.then(|| search(Supply::Unlimited));
            search(Supply::Exact)
        });
        let progress = exact.run(moves);
        if progress != Progress::Paused {
            return progress;
        }
        match self.relaxed.as_mut().map(|search| search.run(moves)) {
            Some(Progress::Refuted) => return Progress::Refuted,
            // That there is an order if calls count twice says nothing.
            Some(Progress::Explained) => self.relaxed = None,
            Some(Progress::Paused) | None => {}
        }
        let had_a_turn = self.spent >= MOVES_DEPTH_FIRST;
        self.spent = self.spent.saturating_add(moves);
        if !had_a_turn && self.spent >= MOVES_DEPTH_FIRST {
            let timeline = Timeline::new(&self.key, self.calls.clone());
            self.frontier = Frontier::new(self.key.clone(), timeline);
        }
        match &mut self.frontier {
            Some(frontier) => frontier.run(moves),
            None => Progress::Paused,
        }
    }

    fn furthest(&self) -> Option<u32> {
        let is_refuted = |it: &&dyn KeySearch| it.progress() == Progress::Refuted;
        let relaxed = self.relaxed.as_deref().map(|it| it as &dyn KeySearch);
        let exact = self.exact.as_deref().map(|it| it as &dyn KeySearch);
        let depth_first = relaxed.filter(is_refuted).or(exact);
        match (&self.frontier, depth_first) {
            (Some(frontier), None) => frontier.furthest(),
            (Some(frontier), Some(_)) if frontier.progress() == Progress::Refuted => {
                frontier.furthest()
            }
            (_, depth_first) => depth_first?.furthest(),
        }
    }

    fn bytes(&self) -> usize {
        let frontier = self.frontier.as_ref().map_or(0, Frontier::bytes);
        let searches = self.exact.iter().chain(&self.relaxed);
        frontier + searches.map(|search| search.bytes()).sum::<usize>()
    }

    fn replays(&mut self) -> bool {
        match (&self.frontier, &mut self.exact) {
            (Some(frontier), _) if frontier.progress() == Progress::Explained => {
                replays(&self.key, &self.calls, &frontier.order())
            }
            (_, Some(exact)) => exact.replays(),
            (_, None) => false,
        }
    }
}

impl<B: Slots> KeySearch for Search<Kv, B> {
    fn run(&mut self, moves: u64) -> Progress {
        self.run(moves)
    }

    fn progress(&self) -> Progress {
        self.progress()
    }

    fn bytes(&self) -> usize {
        self.bytes()
    }

    fn furthest(&self) -> Option<u32> {
        let moment = self.furthest().moment;
        match self.timeline().moments.get(moment as usize) {
            Some(&Moment::End(call)) => Some(call),
            _ => None,
        }
    }

    fn states(&self) -> Vec<Symbol> {
        self.furthest().states.clone()
    }

    fn order(&mut self) -> Vec<(u32, Symbol)> {
        let order = calls_of(self);
        let mut state = self.specification().initial();
        let step = |call| {
            let timed = &self.timeline().calls[call as usize].timed;
            if let Some(next) = self
                .specification()
                .step(&state, &timed.call, timed.returned())
            {
                state = next;
            }
            (call, state)
        };
        order.into_iter().map(step).collect()
    }

    fn replays(&mut self) -> bool {
        let order = calls_of(self);
        let prepared = &self.timeline().calls;
        let calls = |call: u32| &prepared[call as usize].timed;
        replays_by(self.specification(), calls, prepared.len(), &order)
    }

    fn specification(&self) -> &Kv {
        self.specification()
    }
}

fn calls_of<S: Specification, B: Slots>(search: &mut Search<S, B>) -> Vec<u32> {
    let moves: Vec<Move> = match search.progress() {
        Progress::Explained => search.explanation(),
        Progress::Refuted | Progress::Paused => search.furthest().moves.clone(),
    };
    let mut order = Order::default();
    search.retrace(&moves, &mut order);
    order.calls.into_iter().flatten().collect()
}

/// The calls in the order that a search found.
#[derive(Default)]
pub(crate) struct Order {
    /// None where a call that could have stood here was placed later.
    pub(crate) calls: Vec<Option<u32>>,
    optional: FxHashMap<u32, usize>,
}

impl Trace for Order {
    fn placed(&mut self, call: u32) {
        if let Some(place) = self.optional.remove(&call) {
            self.calls[place] = None;
        }
        self.calls.push(Some(call));
    }

    fn became_optional(&mut self, call: u32) {
        self.optional.insert(call, self.calls.len());
        self.calls.push(Some(call));
    }
}

/// Whether `order` is whole, respects what completed before what was invoked,
/// and is as specified. This is all that a valid verdict rests on; it knows
/// nothing of the search.
pub(crate) fn replays<S: Specification>(
    specification: &S,
    calls: &[TimedCallOf<S>],
    order: &[u32],
) -> bool {
    let call = |place: u32| &calls[place as usize];
    replays_by(specification, call, calls.len(), order)
}

/// The same of so many calls, wherever they are.
fn replays_by<'a, S: Specification>(
    specification: &S,
    calls: impl Fn(u32) -> &'a TimedCallOf<S>,
    count: usize,
    order: &[u32],
) -> bool
where
    TimedCallOf<S>: 'a,
{
    let mut left: Vec<bool> = vec![true; count];
    let mut invoked_last = 0;
    let mut state = specification.initial();
    for &place in order {
        let call = calls(place);
        let completed = call.completed.as_ref().map_or(u32::MAX, |(at, _)| *at);
        if completed < invoked_last || !std::mem::take(&mut left[place as usize]) {
            return false;
        }
        invoked_last = invoked_last.max(call.invoked);
        match specification.step(&state, &call.call, call.returned()) {
            Some(next) => state = next,
            None => return false,
        }
    }
    (0..)
        .zip(left)
        .all(|(place, left)| !left || calls(place).completed.is_none())
}
