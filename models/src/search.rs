//! Runs stateright over a model and says honestly what came of it.
//!
//! stateright calls a search done after a time-out, and forgets panics of its
//! threads unless somebody joins them. Here a search is exhausted only if
//! every thread ended by itself, none panicked, and no limit was met.

use std::fmt::Debug;
use std::hash::Hash;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use stateright::Checker;

use crate::check::CheckError;
use crate::panics::caught;
use crate::tally::{Coverage, Tally};
use crate::watch::{Limits, Stop, Watch};

/// In which order states are expanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The latest first: little memory, long paths.
    DepthFirst,
    /// The earliest first: much memory; with one thread the first violation
    /// found has a shortest path.
    BreadthFirst,
}

/// How a search is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) order: Order,
    pub(crate) threads: usize,
    /// Only paths with so many actions at most. Sound for
    /// [`Order::BreadthFirst`] with one thread alone.
    pub(crate) actions_max: Option<usize>,
    pub(crate) limits: Limits,
}

/// A model that can be searched.
pub(crate) trait Explored:
    stateright::Model<
        State: Clone + Debug + Hash + PartialEq + Send + Sync,
        Action: Clone + Debug + PartialEq + Send + Sync,
    > + Send
    + Sync
    + 'static
{
    /// What is done in a step, in words that hold in other states as well.
    type Deed;

    /// What it counts while it is searched.
    fn tally(&self) -> &Arc<Tally>;

    /// Set when the search is to end: no state has actions any more.
    fn stop(&self) -> &Arc<AtomicBool>;

    /// What an action of a state does.
    fn deed(state: &Self::State, action: &Self::Action) -> Self::Deed;
}

/// What came of a search.
pub(crate) struct Found<M: Explored> {
    pub(crate) states_generated: u64,
    pub(crate) states_unique: u64,
    pub(crate) depth: u64,
    pub(crate) memory_peak: Option<u64>,
    pub(crate) stop: Option<Stop>,
    /// What leads to a state that is not right.
    pub(crate) path: Option<Vec<M::Deed>>,
    pub(crate) coverage: Coverage,
}

/// How a search is going.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// States generated so far.
    pub states_generated: u64,
    /// Different ones.
    pub states_unique: u64,
    /// Different ones that were not expanded yet.
    pub queue: u64,
    /// Different states a second, since the phase began.
    pub rate: f64,
    /// Bytes that the process holds.
    pub memory: Option<u64>,
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Every state is visited.
    Exploring,
    /// A violation was found; a shortest path to one is sought.
    Shortening,
}

pub(crate) fn search<M: Explored>(
    model: M,
    plan: Plan,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Found<M>, CheckError> {
    let tally = Arc::clone(model.tally());
    let stop = Arc::clone(model.stop());
    let mut builder = model.checker().threads(plan.threads);
    if let Some(actions) = plan.actions_max {
        // A state at this depth is dropped before it is judged, and the
        // first state has depth 1.
        builder = builder.target_max_depth(actions + 2);
    }
    let follow = Follow { tally, stop, plan };
    match plan.order {
        Order::DepthFirst => follow.run(builder.spawn_dfs(), progress),
        Order::BreadthFirst => follow.run(builder.spawn_bfs(), progress),
    }
}

/// A search under way.
struct Follow {
    tally: Arc<Tally>,
    stop: Arc<AtomicBool>,
    plan: Plan,
}

impl Follow {
    fn run<M: Explored>(
        self,
        mut checker: impl Checker<M>,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Found<M>, CheckError> {
        let begin = Instant::now();
        let mut watch = Watch::new(self.plan.limits);
        let mut stopped = None;
        let threads = checker.handles();
        while threads.iter().any(|thread| !thread.is_finished()) {
            let met = watch.look();
            let shown = progress(self.progress(&checker, begin, watch.memory_peak));
            let asked = shown.is_break().then_some(Stop::Asked);
            if let (None, Some(met)) = (stopped, met.or(asked)) {
                stopped = Some(met);
                self.stop.store(true, Ordering::Relaxed);
            }
        }
        for thread in threads {
            thread
                .join()
                .map_err(|_| CheckError::Search("a search thread panicked".into()))?;
        }
        watch.check();
        // Paths are found again by running the model, which must have actions
        // for that.
        self.stop.store(false, Ordering::Relaxed);
        let coverage = self.tally.coverage();
        let path = caught(|| checker.discoveries().into_values().next());
        let path = path.map_err(CheckError::Search)?;
        Ok(Found {
            states_generated: checker.state_count() as u64,
            states_unique: checker.unique_state_count() as u64,
            depth: checker.max_depth() as u64,
            memory_peak: watch.memory_peak,
            stop: stopped,
            path: path.map(|path| {
                let steps = path.into_vec().into_iter();
                steps
                    .filter_map(|(state, action)| Some(M::deed(&state, &action?)))
                    .collect()
            }),
            coverage,
        })
    }

    fn progress<M: Explored>(
        &self,
        checker: &impl Checker<M>,
        begin: Instant,
        memory: Option<u64>,
    ) -> Progress {
        let unique = checker.unique_state_count() as u64;
        Progress {
            phase: match self.plan.order {
                Order::DepthFirst => Phase::Exploring,
                Order::BreadthFirst => Phase::Shortening,
            },
            states_generated: checker.state_count() as u64,
            states_unique: unique,
            queue: unique.saturating_sub(self.tally.judged_count()),
            rate: unique as f64 / begin.elapsed().as_secs_f64().max(1e-6),
            memory,
        }
    }
}
