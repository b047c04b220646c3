//! Decides one object's history: without a search where that can be, else by
//! the engines that are likely to know, in turns.

use std::sync::Arc;

use super::depth_first::{DepthFirst, depth_first};
use super::engine::Engine;
use super::guard::Guard;
use super::object::{Call, Object};
use super::search::{Progress, Supply};
use super::sweep::{Sweeping, sweep};
use super::timeline::{Moment, Timeline};
use super::windows::{self, Windows};
use super::zones::{self, Zones};
use crate::monitors::Decided;

/// So many moves are an engine's turn.
const MOVES_IN_TURN: u64 = 1 << 12;

/// How many configurations the beam keeps at first, and at last.
const BEAM: (usize, usize) = (16, 1024);

/// Decides one object's history.
pub(crate) enum Judge {
    /// Nothing was done yet.
    Waits(Waiting),
    /// There is this order, which holds.
    Ordered(Vec<u32>),
    /// There is none; the calls that show it, if some do, the last to complete at
    /// the end.
    Refuted(Vec<u32>),
    /// To be decided.
    Engines(Box<Engines>),
}

/// A history that nothing was done about yet.
pub(crate) struct Waiting {
    object: Arc<Object>,
    calls: Vec<Call>,
    /// The only engine to use.
    forced: Option<Engine>,
}

/// What looks for an order, and for a refutation. The first that knows decides.
pub(crate) struct Engines {
    object: Arc<Object>,
    timeline: Arc<Timeline>,
    /// How many bytes that takes.
    timeline_bytes: usize,
    /// The only one to use.
    forced: Option<Engine>,
    sweep: Turn<Box<dyn Sweeping>>,
    /// The moment that it could not go past.
    sweep_reached: Option<u32>,
    beam: Turn<Box<dyn Sweeping>>,
    /// How many configurations the beam keeps.
    beam_width: usize,
    exact: Turn<Box<dyn DepthFirst>>,
    /// Depth first with calls of unknown outcome in any number, where there are
    /// such: it refutes sooner.
    relaxed: Turn<Box<dyn DepthFirst>>,
    windows: Turn<Windows>,
    /// Who has decided.
    decided: Option<Engine>,
}

/// An engine, and whether it has had a turn.
enum Turn<T> {
    /// It has had none.
    Waits,
    /// It is at work.
    Works(T),
    /// It cannot judge this history, or has found nothing.
    Out,
}

impl<T> Turn<T> {
    /// The engine, if it is at work; `begin` makes it, if it can judge this.
    fn work(&mut self, begin: impl FnOnce() -> Option<T>) -> Option<&mut T> {
        if matches!(self, Turn::Waits) {
            *self = begin().map_or(Turn::Out, Turn::Works);
        }
        self.working_mut()
    }

    /// The progress of an engine that can only refute: it is out once it has
    /// found an order.
    fn unless_explained(&mut self, progress: Option<Progress>) -> Progress {
        match progress {
            Some(Progress::Refuted) => return Progress::Refuted,
            Some(Progress::Explained) => *self = Turn::Out,
            Some(Progress::Paused) | None => {}
        }
        Progress::Paused
    }

    fn working(&self) -> Option<&T> {
        match self {
            Turn::Works(engine) => Some(engine),
            Turn::Waits | Turn::Out => None,
        }
    }

    fn working_mut(&mut self) -> Option<&mut T> {
        match self {
            Turn::Works(engine) => Some(engine),
            Turn::Waits | Turn::Out => None,
        }
    }
}

impl Judge {
    /// What decides `calls`; by the `engine` that is asked for, if one is.
    pub(crate) fn new(object: &Arc<Object>, calls: Vec<Call>, forced: Option<Engine>) -> Self {
        Judge::Waits(Waiting {
            object: Arc::clone(object),
            calls,
            forced,
        })
    }

    /// Goes on for at most so many moves, and as long as `goes_on` says so; it is
    /// told how many bytes are held.
    pub(crate) fn decide(
        &mut self,
        moves: u64,
        mut goes_on: impl FnMut(usize) -> bool,
    ) -> Progress {
        let mut left = moves;
        loop {
            let progress = self.run(left.min(MOVES_IN_TURN), &mut goes_on);
            left = left.saturating_sub(MOVES_IN_TURN);
            let is_over = progress != Progress::Paused || self.is_exhausted();
            if is_over || !goes_on(self.bytes()) || left == 0 {
                return progress;
            }
        }
    }

    /// Goes on for at most so many moves, of each engine, and as long as `goes_on`
    /// says so.
    pub(crate) fn run(&mut self, moves: u64, goes_on: &mut dyn FnMut(usize) -> bool) -> Progress {
        if let Judge::Waits(waiting) = self {
            let Some(begun) = waiting.begin(goes_on) else {
                return Progress::Paused;
            };
            *self = begun;
        }
        match self {
            Judge::Waits(_) => Progress::Paused,
            Judge::Ordered(_) => Progress::Explained,
            Judge::Refuted(_) => Progress::Refuted,
            Judge::Engines(engines) => engines.run(moves, goes_on),
        }
    }

    /// Whether no engine is left that could know more.
    pub(crate) fn is_exhausted(&self) -> bool {
        match self {
            Judge::Waits(_) | Judge::Ordered(_) | Judge::Refuted(_) => false,
            Judge::Engines(engines) => engines.turns().all(|engine| engines.is_out(engine)),
        }
    }

    /// The call whose completion no order accounts for so far; without a
    /// search none is known.
    pub(crate) fn furthest(&self) -> Option<u32> {
        match self {
            Judge::Waits(_) | Judge::Ordered(_) | Judge::Refuted(_) => None,
            Judge::Engines(engines) => engines.furthest(),
        }
    }

    /// The call that a refutation is due to.
    pub(crate) fn blamed(&self) -> Option<u32> {
        match self {
            Judge::Waits(_) | Judge::Ordered(_) => None,
            Judge::Refuted(calls) => calls.last().copied(),
            Judge::Engines(_) => self.furthest(),
        }
    }

    /// The calls that a refutation is due to, as far as that is known.
    pub(crate) fn blame(self) -> Vec<u32> {
        match self {
            Judge::Refuted(calls) => calls,
            judge => judge.blamed().into_iter().collect(),
        }
    }

    /// Some of the orders that come furthest, if all of them were looked at.
    pub(crate) fn furthest_orders(&self, count: usize) -> Option<Vec<Vec<u32>>> {
        match self {
            Judge::Engines(engines) if engines.decided == Some(Engine::Frontier) => {
                engines.sweep.working().map(|sweep| sweep.orders(count))
            }
            _ => None,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        match self {
            Judge::Waits(waiting) => waiting.bytes(),
            Judge::Ordered(order) => order.capacity() * size_of::<u32>(),
            Judge::Refuted(calls) => calls.capacity() * size_of::<u32>(),
            Judge::Engines(engines) => engines.bytes(),
        }
    }

    /// The order that was found, if it is one.
    pub(crate) fn order(&mut self) -> Option<Vec<u32>> {
        match self {
            Judge::Ordered(order) => Some(std::mem::take(order)),
            Judge::Waits(_) | Judge::Refuted(_) => None,
            Judge::Engines(engines) => engines.order(),
        }
    }
}

impl Waiting {
    fn bytes(&self) -> usize {
        self.calls.capacity() * size_of::<Call>()
    }

    /// Decides without a search, if that can be, or prepares one; nothing if
    /// `goes_on` ends it before.
    fn begin(&mut self, goes_on: &mut dyn FnMut(usize) -> bool) -> Option<Judge> {
        if let Some(decided) = self.decide(goes_on) {
            return Some(decided);
        }
        // Where that was ended, or it ends now.
        let bytes = self.bytes() + Timeline::bytes_of(&self.calls);
        if !goes_on(bytes) {
            return None;
        }
        let mut guard = Guard::new(goes_on, &*self.object.steps, bytes);
        let calls = std::mem::take(&mut self.calls);
        let timeline = match Timeline::new(&self.object, calls, &mut guard) {
            Ok(timeline) => Arc::new(timeline),
            Err(calls) => {
                self.calls = calls;
                return None;
            }
        };
        Some(Judge::Engines(Box::new(Engines {
            object: Arc::clone(&self.object),
            timeline_bytes: timeline.bytes(),
            timeline,
            forced: self.forced,
            sweep: Turn::Waits,
            sweep_reached: None,
            beam: Turn::Waits,
            beam_width: BEAM.0,
            exact: Turn::Waits,
            relaxed: Turn::Waits,
            windows: Turn::Waits,
            decided: None,
        })))
    }

    fn decide(&self, goes_on: &mut dyn FnMut(usize) -> bool) -> Option<Judge> {
        let (object, calls) = (&self.object, &self.calls);
        let may = |engine| self.forced.is_none_or(|forced| forced == engine);
        let mut guard = Guard::new(&mut *goes_on, &*object.steps, self.bytes());
        let zones = may(Engine::Zones).then(|| zones::decide(object, calls, &mut guard));
        match zones.flatten() {
            Some(Zones::Refuted(call)) => {
                return Some(Judge::Refuted(call.into_iter().collect()));
            }
            Some(Zones::Order(order)) if object.replays(calls, &order) => {
                return Some(Judge::Ordered(order));
            }
            Some(Zones::Order(_)) | None => {}
        }
        let mut guard = Guard::new(goes_on, &*object.steps, self.bytes());
        let monitor = may(Engine::Monitor).then(|| object.steps.monitor(calls, &mut guard));
        match monitor.flatten() {
            Some(Decided::Refuted { mut blame }) => {
                blame.retain(|&call| !calls[call as usize].is_unknown());
                blame.sort_unstable_by_key(|&call| calls[call as usize].completed);
                Some(Judge::Refuted(blame))
            }
            Some(Decided::Order(order)) if object.replays(calls, &order) => {
                Some(Judge::Ordered(order))
            }
            Some(Decided::Order(_)) | None => None,
        }
    }
}

impl Engines {
    /// Each engine has its turn. The first is likely to know, and is alone as
    /// long as it is quick; so is the second then.
    fn run(&mut self, moves: u64, goes_on: &mut dyn FnMut(usize) -> bool) -> Progress {
        let turns: Vec<Engine> = self.turns().collect();
        for engine in turns {
            let (progress, is_quick) = self.turn(engine, moves, goes_on);
            if progress != Progress::Paused {
                self.decided = Some(engine);
                return progress;
            }
            if is_quick || !goes_on(self.bytes()) {
                break;
            }
        }
        Progress::Paused
    }

    /// Calls of unknown outcome make many configurations, of which an order
    /// needs few.
    fn turns(&self) -> impl Iterator<Item = Engine> + use<> {
        let unknown = !self.timeline.unknown.calls.is_empty();
        let forced = self.forced;
        let turns = match unknown {
            false => [Engine::Frontier, Engine::DepthFirst],
            true => [Engine::DepthFirst, Engine::Frontier],
        };
        let later = [Engine::Relaxation, Engine::Windows, Engine::Beam];
        let all = turns.into_iter().chain(later);
        all.filter(move |&engine| forced.is_none_or(|forced| forced == engine))
    }

    /// How things stand after a turn, and whether it was a quick one.
    fn turn(
        &mut self,
        engine: Engine,
        moves: u64,
        goes_on: &mut dyn FnMut(usize) -> bool,
    ) -> (Progress, bool) {
        let beside = self.timeline_bytes + self.bytes_of_engines() - self.bytes_of(engine);
        let (object, timeline) = (&self.object, &self.timeline);
        let mut guard = Guard::new(goes_on, &*object.steps, beside);
        let unknown = &timeline.unknown;
        let around = self.hard_moment();
        match engine {
            Engine::Zones | Engine::Monitor => (Progress::Paused, false),
            Engine::Frontier => match self.sweep.work(|| sweep(object, timeline, None)) {
                Some(sweep) => {
                    let stands = (sweep.run(moves, &mut guard), sweep.is_quick());
                    if sweep.is_stuck() {
                        self.sweep_reached = Some(sweep.moment());
                        self.sweep = Turn::Out;
                    }
                    stands
                }
                None => (Progress::Paused, false),
            },
            Engine::DepthFirst => {
                let begin = || Some(depth_first(object, timeline, Supply::Exact, None));
                match self.exact.work(begin) {
                    Some(search) => (search.run(moves, &mut guard), search.is_quick()),
                    None => (Progress::Paused, false),
                }
            }
            Engine::Relaxation => {
                // Of what changes states in ways that are not known there would
                // be no end.
                let qualifies = !unknown.calls.is_empty() && unknown.others.is_empty();
                let begin = || depth_first(object, timeline, Supply::Unlimited, None);
                let relaxed = self.relaxed.work(|| qualifies.then(begin));
                let progress = relaxed.map(|search| search.run(moves, &mut guard));
                // That there is an order if calls count twice says nothing.
                (self.relaxed.unless_explained(progress), false)
            }
            Engine::Windows => {
                let qualifies = windows::qualify(&self.object, &self.timeline);
                let begin = || Windows::new(&self.object, &self.timeline);
                let windows = self.windows.work(|| qualifies.then(begin));
                let progress = windows.map(|windows| windows.run(moves, around, &mut guard));
                if self.windows.working().is_some_and(Windows::is_stuck) {
                    self.windows = Turn::Out;
                }
                (self.windows.unless_explained(progress), false)
            }
            Engine::Beam => {
                let width = self.beam_width;
                let beam = self.beam.work(|| sweep(object, timeline, Some(width)));
                let Some(beam) = beam else {
                    return (Progress::Paused, false);
                };
                match beam.run(moves, &mut guard) {
                    Progress::Refuted if beam.is_cut() => {
                        self.beam_width *= 8;
                        self.beam = match self.beam_width <= BEAM.1 {
                            true => Turn::Waits,
                            false => Turn::Out,
                        };
                        (Progress::Paused, false)
                    }
                    progress => (progress, false),
                }
            }
        }
    }

    fn is_out(&self, engine: Engine) -> bool {
        match engine {
            Engine::Zones | Engine::Monitor => true,
            Engine::Frontier => matches!(self.sweep, Turn::Out),
            Engine::Beam => matches!(self.beam, Turn::Out),
            Engine::DepthFirst => matches!(self.exact, Turn::Out),
            Engine::Relaxation => matches!(self.relaxed, Turn::Out),
            Engine::Windows => matches!(self.windows, Turn::Out),
        }
    }

    /// The moment that is hardest to come past.
    fn hard_moment(&self) -> u32 {
        let call = self.furthest();
        let wall = self.timeline.wall;
        let end = call.map(|call| self.timeline.ends[call as usize].moment);
        wall.or(end).unwrap_or(0)
    }

    fn furthest(&self) -> Option<u32> {
        let exact = || self.exact.working().and_then(|search| search.furthest());
        let sweep = || {
            let moment = self.sweep.working().map(|sweep| sweep.moment());
            let moment = moment.or(self.sweep_reached)?;
            match self.timeline.moments.get(moment as usize) {
                Some(&Moment::End(call)) => Some(call),
                _ => None,
            }
        };
        match self.decided {
            Some(Engine::Frontier) => sweep(),
            Some(Engine::Relaxation) => self.relaxed.working()?.furthest(),
            _ => {
                let later = [exact(), sweep()].into_iter().flatten();
                later.max_by_key(|&call| self.timeline.ends[call as usize].moment)
            }
        }
    }

    fn bytes(&self) -> usize {
        self.timeline_bytes + self.bytes_of_engines() + self.object.steps.bytes()
    }

    fn bytes_of_engines(&self) -> usize {
        self.turns().map(|engine| self.bytes_of(engine)).sum()
    }

    fn bytes_of(&self, engine: Engine) -> usize {
        let sweep = |turn: &Turn<Box<dyn Sweeping>>| turn.working().map(|it| it.bytes());
        let search = |turn: &Turn<Box<dyn DepthFirst>>| turn.working().map(|it| it.bytes());
        let bytes = match engine {
            Engine::Zones | Engine::Monitor => None,
            Engine::Frontier => sweep(&self.sweep),
            Engine::Beam => sweep(&self.beam),
            Engine::DepthFirst => search(&self.exact),
            Engine::Relaxation => search(&self.relaxed),
            Engine::Windows => self.windows.working().map(Windows::bytes),
        };
        bytes.unwrap_or(0)
    }

    fn order(&mut self) -> Option<Vec<u32>> {
        let order = match self.decided {
            Some(Engine::Frontier) => self.sweep.working().map(|sweep| sweep.orders(1)),
            Some(Engine::Beam) => self.beam.working().map(|beam| beam.orders(1)),
            _ => self.exact.working_mut().map(|search| vec![search.order()]),
        };
        let order = order.and_then(|orders| orders.into_iter().next());
        order.filter(|order| self.object.replays(&self.timeline.calls, order))
    }
}
