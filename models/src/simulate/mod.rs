//! A cluster in virtual time, driven by a seed.
//!
//! The actions are the model's own, and so is what they do; they are drawn,
//! one after the other, in place of being tried all. So a run is much longer
//! than the paths that a search can bear, in a cluster of more nodes, clients
//! and faults, and every invariant and oracle is asked after every action.
//!
//! | file | holds |
//! |---|---|
//! | `swarm.rs` | what a seed draws before its run begins |
//! | `seed.rs` | one seed: a safety phase, then a liveness phase |
//! | `run.rs`, `agenda.rs` | what happens when, in one phase |
//! | `trouble.rs`, `clients.rs` | faults, and what clients ask |
//! | `world.rs` | the cluster, one action after the other |
//! | `shorten.rs` | shorter paths to what broke, walked again |
//! | `seeds.rs` | many seeds on many threads |
//! | `counts.rs`, `report.rs` | what it establishes |
//!
//! The same seed makes the same run, to the byte, on any number of threads,
//! as long as the program is the same.

mod agenda;
mod clients;
mod counts;
mod dice;
mod report;
mod run;
mod seed;
mod seeds;
mod shorten;
mod swarm;
mod trouble;
mod world;

use std::fmt;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

pub use self::counts::Counts;
use self::report::Finding;
pub use self::report::{Failing, Report};
pub use self::seed::PROGRESS;
use self::seed::Subject;
pub use self::swarm::Fault;
use crate::check::{CheckError, chosen_bug};
use crate::system::ModelSystem;

/// How a system is simulated.
#[derive(Clone, Debug)]
pub struct SimulateOptions {
    /// The wrong version, by name.
    pub bug: Option<String>,
    /// Which seeds.
    pub seeds: Seeds,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// How many threads run seeds.
    pub threads: usize,
}

/// Consecutive seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seeds {
    /// The first.
    pub first: u64,
    /// The last, which is run too.
    pub last: u64,
}

/// As `--seeds` takes them.
impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}..{}", self.first, self.last),
        }
    }
}

impl Seeds {
    /// How many there are.
    pub fn count(&self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }

    fn at(&self, place: u64) -> Option<u64> {
        let seed = self.first.checked_add(place)?;
        (seed <= self.last).then_some(seed)
    }
}

/// How a simulation is going.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Seeds that were run, without a gap.
    pub seeds: u64,
    /// Actions that they took.
    pub steps: u64,
    /// Seeds a second.
    pub seeds_per_second: f64,
    /// Actions a second.
    pub steps_per_second: f64,
    /// Whether a seed failed, and its path is made shorter.
    pub shortening: bool,
}

/// Runs every seed, or those before the first that fails. `progress` is told
/// several times a second, and may break it off.
pub fn simulate<S: ModelSystem>(
    options: &SimulateOptions,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Report, CheckError> {
    let bug = chosen_bug::<S>(options.bug.as_deref())?;
    let begin = Instant::now();
    let deadline = options
        .timeout
        .and_then(|timeout| begin.checked_add(timeout));
    let subject = Subject { bug, tell: false };
    let threads = options.threads.max(1);
    let ran = seeds::run_all::<S>(subject, options.seeds, threads, deadline, progress)
        .map_err(CheckError::Search)?;
    let time = begin.elapsed();
    let finding = match ran.failing {
        Some(seed) => Some(finding::<S>(subject, seed, progress)?),
        None => None,
    };
    Ok(Report::new::<S>(options, bug, ran, time, finding))
}

/// Everything that happens in one seed, a line each.
pub fn trace<S: ModelSystem>(bug: Option<&str>, seed: u64) -> Result<Vec<String>, CheckError> {
    let bug = chosen_bug::<S>(bug)?;
    let subject = Subject { bug, tell: true };
    let outcome = seed::run::<S>(subject, seed, &|| false);
    Ok(outcome.map(|outcome| outcome.lines).unwrap_or_default())
}

/// A failing seed once more, its path made shorter and walked again.
fn finding<S: ModelSystem>(
    subject: Subject,
    seed: u64,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Finding, CheckError> {
    let lost = || CheckError::Search(format!("the violation of seed {seed} did not happen again"));
    let outcome = seed::run::<S>(subject, seed, &|| false).ok_or_else(lost)?;
    let conditions = outcome.conditions.named::<S>();
    let progress = std::cell::RefCell::new(progress);
    let stopped = || {
        let shortening = Progress {
            seeds: 0,
            steps: 0,
            seeds_per_second: 0.0,
            steps_per_second: 0.0,
            shortening: true,
        };
        progress.borrow_mut()(shortening).is_break()
    };
    let shown = shorten::shown(outcome, seed, subject.bug, &stopped).ok_or_else(lost)?;
    Ok(Finding {
        failing: Failing {
            seed,
            conditions,
            drawn: shown.drawn,
        },
        shown,
    })
}

#[cfg(test)]
mod tests;
