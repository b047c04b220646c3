//! Linearizability: whether there is an order of the operations that each
//! client could have seen, in which none stands before another that had
//! completed when it was invoked.
//!
//! | module | holds |
//! |---|---|
//! | `dialect` | from what a history records to calls of single objects |
//! | `zones` | registers whose values are all distinct: no search at all |
//! | `timeline` | one object's history moment by moment |
//! | `search`, `moves` | looking for an order, and the rules that keep it short |
//! | `slots`, `crashed` | the two parts of a configuration that need care to be small |
//! | `frontier` | all orders at once, moment by moment |
//! | `key_search` | what judges one key, and the check of the order that is found |
//! | `rounds` | many keys at once, within limits |
//! | `explain` | the witness of a refutation: its shortest prefix |
//! | [`witness`], `lanes` | the witness as data, and as a picture |
//!
//! Deciding this is NP-complete where values repeat; `search` says what
//! makes a history hard. Keys are judged apart, which changes no verdict and
//! makes long histories of many keys easy.

mod crashed;
mod dialect;
mod explain;
mod frontier;
mod key_search;
mod lanes;
mod moves;
mod rounds;
mod search;
mod slots;
mod timeline;
pub mod witness;
mod zones;

#[cfg(test)]
mod history_tests;
#[cfg(test)]
mod oracle_tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tribunal_histories::{History, HistoryError, Nil, Operation, Outcome};

use crate::spec::Spec;
use crate::specification::{Specification, TimedCallOf};
use crate::verdict::{Limit, Verdict};
use dialect::KeyHistory;
use key_search::Judge;
use rounds::{Job, Meter};
use search::{Progress, Search, Supply};
use timeline::Timeline;
use witness::Witness;

/// How to judge a history.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the keys are.
    pub spec: Spec,
    /// What a read of nothing means, if not what the header says.
    pub nil: Option<Nil>,
    /// When to give up.
    pub limits: Limits,
}

/// When to give up.
#[derive(Clone, Debug)]
pub struct Limits {
    /// After this time; never if none is given.
    pub time: Option<Duration>,
    /// When the searches hold so many bytes; the history itself does not
    /// count. Never if none is given.
    pub memory: Option<usize>,
    /// How many keys are judged at once.
    pub threads: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            time: None,
            memory: None,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// What was judged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How many operations the history holds.
    pub operations: usize,
    /// How many of them took effect for certain.
    pub completed_ok: usize,
    /// On how many keys.
    pub keys: usize,
    /// The verdict.
    pub verdict: Verdict<Box<Witness>>,
}

/// Judges a history. An error means that it is none, or not one of this
/// specification.
pub fn check(history: &History, options: &Options) -> Result<Report, HistoryError> {
    let meter = Meter::new(&options.limits);
    let operations = history.operations()?;
    let nil = options.nil.unwrap_or(history.header.nil);
    let keys = dialect::keys(history, &operations, options.spec, nil)?;
    let judge = || verdict(&operations, &keys, &meter);
    // A checker that fails has shown nothing, least of all about the system.
    let verdict = catch_unwind(AssertUnwindSafe(judge)).unwrap_or_else(|_| {
        Verdict::Unknown(Limit {
            reason: "the checker itself failed".to_owned(),
            checked: 0,
        })
    });
    let is_ok = |operation: &&Operation| matches!(operation.outcome, Outcome::Ok(_));
    Ok(Report {
        operations: operations.len(),
        completed_ok: operations.iter().filter(is_ok).count(),
        keys: keys.len(),
        verdict,
    })
}

/// Whether calls of one object have an order. Without limits.
pub(crate) fn is_linearizable<S: Specification>(
    specification: &S,
    calls: &[TimedCallOf<S>],
) -> bool {
    let timeline = Timeline::new(&specification, calls.to_vec());
    let mut search = Search::<&S, Box<[u64]>>::new(specification, timeline, Supply::Exact, None);
    search.run(u64::MAX) == Progress::Explained
}

fn verdict(
    operations: &[Operation],
    keys: &[KeyHistory],
    meter: &Meter<'_>,
) -> Verdict<Box<Witness>> {
    let whole = |key: &KeyHistory| key.calls(u32::MAX).0;
    let mut jobs: Vec<Job> = keys
        .iter()
        .map(|key| Job::new(Judge::new(key, whole(key))))
        .collect();
    rounds::run(&mut jobs, meter);
    let judged = || keys.iter().zip(&jobs);
    let refuted = judged().filter(|(_, job)| job.progress == Progress::Refuted);
    if let Some(witness) = explain::witness(operations, refuted.collect(), meter) {
        return Verdict::Invalid(Box::new(witness));
    }
    let unsound = |(_, job): &(&KeyHistory, &Job)| !job.sound;
    let undecided = |(_, job): &(&KeyHistory, &Job)| job.progress == Progress::Paused;
    let reason = if judged().any(|it| unsound(&it)) {
        "the checker found an order that does not hold".to_owned()
    } else if judged().any(|it| undecided(&it)) {
        meter
            .reason()
            .unwrap_or_else(|| "a limit was met".to_owned())
    } else {
        return Verdict::Valid;
    };
    let open = judged().filter(|it| undecided(it) || unsound(it));
    let reached = open
        .map(|(key, job)| key.reached(job.furthest, job.sound))
        .min();
    Verdict::Unknown(Limit {
        reason,
        checked: completed_before(operations, reached.unwrap_or(0)),
    })
}

/// How many operations had completed before the event `place`.
fn completed_before(operations: &[Operation], place: u32) -> usize {
    let completed = operations
        .iter()
        .filter_map(|operation| operation.completed);
    completed.filter(|&at| at < u64::from(place)).count()
}

pub(crate) fn describe_time(time: Duration) -> String {
    if time.is_zero() {
        return "0 s".to_owned();
    }
    format!("{time:?}")
        .replace("s", " s")
        .replace("n s", " ns")
        .replace("m s", " ms")
        .replace("µ s", " µs")
}

pub(crate) fn describe_bytes(bytes: usize) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let fitting = units.iter().find(|(_, shift)| bytes >> shift > 0);
    match fitting {
        Some((unit, shift)) if bytes.trailing_zeros() >= *shift => {
            format!("{} {unit}", bytes >> shift)
        }
        Some((unit, shift)) => format!("{:.1} {unit}", bytes as f64 / (1_u64 << shift) as f64),
        None => format!("{bytes} bytes"),
    }
}
