//! Decides one object's history: without a search where that can be, else by
//! the engines that are likely to know, in turns.

use std::sync::Arc;

use super::depth_first::{DepthFirst, depth_first};
use super::engine::Engine;
use super::object::{Call, Object};
use super::search::{Progress, Supply};
use super::sweep::{Sweeping, sweep};
use super::timeline::{Moment, Timeline};
use super::zones::{self, Zones};

/// Decides one object's history.
pub(crate) enum Judge {
    /// Decided; an order that was found holds. If there is none, the call that
    /// is to blame, where one alone is.
    Decided(Progress, Option<u32>),
    /// To be decided.
    Engines(Box<Engines>),
}

/// What looks for an order, and for a refutation. The first that knows decides.
pub(crate) struct Engines {
    object: Arc<Object>,
    timeline: Arc<Timeline>,
    /// The only one to use.
    forced: Option<Engine>,
    /// All orders at once; none if too many calls are open at a time.
    sweep: Option<Box<dyn Sweeping>>,
    /// Those that have a turn only where the sweep is not quick.
    searches: Option<Searches>,
}

struct Searches {
    /// Depth first.
    exact: Option<Box<dyn DepthFirst>>,
    /// The same with calls of unknown outcome in any number, where there are
    /// such: it refutes sooner.
    relaxed: Option<Box<dyn DepthFirst>>,
}

impl Judge {
    /// What decides `calls`; by the `engine` that is asked for, if one is.
    pub(crate) fn new(object: &Arc<Object>, calls: Vec<Call>, forced: Option<Engine>) -> Self {
        let by_zones = matches!(forced, None | Some(Engine::Zones));
        match by_zones.then(|| zones::decide(object, &calls)).flatten() {
            Some(Zones::Refuted(call)) => return Judge::Decided(Progress::Refuted, call),
            Some(Zones::Order(order)) if object.replays(&calls, &order) => {
                return Judge::Decided(Progress::Explained, None);
            }
            Some(Zones::Order(_)) | None => {}
        }
        let timeline = Arc::new(Timeline::new(object, calls));
        let sweeps = matches!(forced, None | Some(Engine::Frontier));
        Judge::Engines(Box::new(Engines {
            sweep: sweeps.then(|| sweep(object, &timeline)).flatten(),
            searches: None,
            object: Arc::clone(object),
            timeline,
            forced,
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
        if let Some(sweep) = &mut self.sweep {
            let progress = sweep.run(moves);
            if progress != Progress::Paused || sweep.is_quick() {
                return progress;
            }
        }
        let searches = self
            .searches
            .get_or_insert_with(|| Searches::new(&self.object, &self.timeline, self.forced));
        match searches.exact.as_mut().map(|search| search.run(moves)) {
            Some(Progress::Paused) | None => {}
            Some(decided) => return decided,
        }
        match searches.relaxed.as_mut().map(|search| search.run(moves)) {
            Some(Progress::Refuted) => return Progress::Refuted,
            // That there is an order if calls count twice says nothing.
            Some(Progress::Explained) => searches.relaxed = None,
            Some(Progress::Paused) | None => {}
        }
        Progress::Paused
    }

    fn furthest(&self) -> Option<u32> {
        let is_refuted = |it: &&dyn DepthFirst| it.progress() == Progress::Refuted;
        let searches = self.searches.as_ref();
        let relaxed = searches.and_then(|it| it.relaxed.as_deref());
        let relaxed = relaxed.map(|it| it as &dyn DepthFirst).filter(is_refuted);
        let exact = searches.and_then(|it| it.exact.as_deref());
        let depth_first = relaxed.or(exact.map(|it| it as &dyn DepthFirst));
        match (&self.sweep, depth_first) {
            (Some(sweep), depth_first)
                if depth_first.is_none() || sweep.progress() == Progress::Refuted =>
            {
                match self.timeline.moments.get(sweep.moment() as usize) {
                    Some(&Moment::End(call)) => Some(call),
                    _ => None,
                }
            }
            (_, depth_first) => depth_first?.furthest(),
        }
    }

    fn bytes(&self) -> usize {
        let sweep = self.sweep.as_ref().map_or(0, |it| it.bytes());
        let searches = self.searches.iter();
        let searches = searches.flat_map(|it| it.exact.iter().chain(&it.relaxed));
        sweep + searches.map(|search| search.bytes()).sum::<usize>()
    }

    fn replays(&mut self) -> bool {
        let order = match (&self.sweep, &mut self.searches) {
            (Some(sweep), _) if sweep.progress() == Progress::Explained => {
                sweep.orders(1).into_iter().next()
            }
            (_, Some(searches)) => searches.exact.as_mut().map(|search| search.order()),
            (_, None) => None,
        };
        order.is_some_and(|order| self.object.replays(&self.timeline.calls, &order))
    }
}

impl Searches {
    fn new(object: &Arc<Object>, timeline: &Arc<Timeline>, forced: Option<Engine>) -> Self {
        let search = |supply| depth_first(object, timeline, supply, None);
        // Of what changes states in ways that are not known there would be
        // no end.
        let unknown = &timeline.unknown;
        let some_unknown = !unknown.calls.is_empty() && unknown.others.is_empty();
        let relaxes = match forced {
            None => some_unknown,
            Some(engine) => engine == Engine::Relaxation && unknown.others.is_empty(),
        };
        Searches {
            exact: matches!(forced, None | Some(Engine::DepthFirst)).then(|| search(Supply::Exact)),
            relaxed: relaxes.then(|| search(Supply::Unlimited)),
        }
    }
}
