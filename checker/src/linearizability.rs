//! Linearizability: whether there is an order of the operations that each
//! client could have seen, in which none stands before another that had
//! completed when it was invoked.
//!
//! | module | holds |
//! |---|---|
//! | `dialect`, `kv` | from what a history records to calls of single objects |
//! | `object` | one object's calls and states as numbers |
//! | `extended` | what appends make of what a key holds |
//! | `calls` | calls of one object that were made rather than recorded |
//! | [`engine`] | the engines by name |
//! | `judge` | which engines judge one object, and in which turns |
//! | `zones`, `avoiding` | registers whose values are all distinct: no search at all |
//! | `monitored` | containers, counters and logs: which have a monitor |
//! | `timeline`, `unknown` | one object's history moment by moment |
//! | `frontier`, `antichain`, `mask`, `sweep` | all orders at once, moment by moment |
//! | `search`, `moves`, `slots`, `depth_first` | one order after the other |
//! | `crashed` | which calls of unknown outcome an order has used |
//! | `order`, `telling` | the order that an engine found |
//! | `windows` | stretches of a history that have no order wherever they start |
//! | [`online`] | a history that is still recorded |
//! | `rounds`, `guard` | many keys at once, within limits |
//! | `explain` | the witness of a refutation: its shortest prefix |
//! | `furthest` | the orders of it that come furthest |
//! | `evidence`, `subhistory` | the few operations of it that refute |
//! | `certificate` | these checked once more, by trying all orders |
//! | [`witness`], `words`, `lanes` | the witness as data, in words and as a picture |
//!
//! Deciding this is NP-complete where values repeat; `search` says what
//! makes a history hard. Keys are judged apart, which changes no verdict and
//! makes long histories of many keys easy.

mod antichain;
mod anywhere;
mod avoiding;
mod bounded;
mod calls;
mod certificate;
mod crashed;
mod depth_first;
mod dialect;
mod elements;
pub mod engine;
mod evidence;
mod explain;
mod extended;
mod first_refuted;
mod frontier;
mod furthest;
pub(crate) mod guard;
mod judge;
mod kv;
mod lanes;
mod mask;
mod monitored;
mod moves;
mod object;
pub mod online;
mod order;
mod pairs;
mod rounds;
mod search;
mod slots;
mod subhistory;
mod sweep;
mod telling;
mod timeline;
mod unknown;
mod windows;
pub mod witness;
mod words;
mod zones;

#[cfg(test)]
mod anywhere_tests;
#[cfg(test)]
mod append_tests;
#[cfg(test)]
mod elements_tests;
#[cfg(test)]
mod evidence_tests;
#[cfg(test)]
mod history_tests;
#[cfg(test)]
mod monitored_tests;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod words_tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tribunal_histories::{History, HistoryError, Kind, Nil, Pair, Value};

use crate::spec::Spec;
use crate::verdict::{Limit, Verdict};
pub use calls::{Order, check_calls};
use dialect::KeyHistory;
pub use engine::Engine;
use judge::Judge;
use object::Call;
use rounds::{Job, Meter};
use search::Progress;
use witness::Witness;

/// How to judge a history.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the keys are.
    pub spec: Spec,
    /// What a read of nothing means, if not what the header says.
    pub nil: Option<Nil>,
    /// The only engine to use, if not those that are likely to know.
    pub engine: Option<Engine>,
    /// When to give up.
    pub limits: Limits,
}

impl Options {
    /// Judges by `spec`, whatever it takes.
    pub fn new(spec: Spec) -> Self {
        Options {
            spec,
            nil: None,
            engine: None,
            limits: Limits::default(),
        }
    }
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
    Ok(Prepared::new(history, options)?.check(options))
}

/// A history whose operations are paired, and whose calls and values have
/// numbers: all that is left is to judge it.
pub struct Prepared<'a> {
    history: &'a History,
    pairs: Vec<Pair>,
    keys: Vec<KeyHistory>,
    completed_ok: usize,
}

impl<'a> Prepared<'a> {
    /// Prepares a history for the specification in `options`.
    ///
    /// # Errors
    ///
    /// If it is no history, or not one of this specification.
    pub fn new(history: &'a History, options: &Options) -> Result<Self, HistoryError> {
        let pairs = history.pairs()?;
        let nil = options.nil.unwrap_or(history.header.nil);
        let keys = dialect::keys(history, &pairs, options.spec, nil)?;
        let is_ok = |pair: &&Pair| {
            let completion = pair.completed.map(|at| &history.events[at as usize]);
            completion.is_some_and(|event| event.kind == Kind::Ok)
        };
        Ok(Prepared {
            history,
            completed_ok: pairs.iter().filter(is_ok).count(),
            pairs,
            keys,
        })
    }

    /// Judges it.
    pub fn check(&self, options: &Options) -> Report {
        let meter = Meter::new(&options.limits);
        let recording = Recording {
            history: self.history,
            pairs: &self.pairs,
        };
        let judge = || verdict(&recording, &self.keys, options.engine, &meter);
        // A checker that fails has shown nothing, least of all about the system.
        let verdict = catch_unwind(AssertUnwindSafe(judge)).unwrap_or_else(|_| {
            Verdict::Unknown(Limit {
                reason: "the checker itself failed".to_owned(),
                resource: None,
                checked: 0,
            })
        });
        // What was met serves nobody any more.
        for key in &self.keys {
            key.object.steps.forget();
        }
        Report {
            operations: self.pairs.len(),
            completed_ok: self.completed_ok,
            // Those of one key stand together.
            keys: self.keys.chunk_by(|one, next| one.key == next.key).count(),
            verdict,
        }
    }
}

/// A history, and the ends of its operations.
pub(crate) struct Recording<'a> {
    pub(crate) history: &'a History,
    pub(crate) pairs: &'a [Pair],
}

impl Recording<'_> {
    /// What an operation was asked with.
    fn argument(&self, operation: u32) -> &Value {
        let invoked = self.pairs[operation as usize].invoked;
        &self.history.events[invoked as usize].value
    }

    /// What an operation that took effect answered.
    fn answer(&self, operation: u32) -> Option<&Value> {
        let completed = self.pairs[operation as usize].completed?;
        let event = &self.history.events[completed as usize];
        (event.kind == Kind::Ok).then_some(&event.value)
    }
}

/// Why it is not known whether there is an order.
fn unknown_reason(meter: &Meter<'_>, is_unsound: bool, engine: Option<Engine>) -> String {
    match (is_unsound, meter.reason(), engine) {
        (true, ..) => "the checker found an order that does not hold".to_owned(),
        (_, Some(reason), _) => reason,
        (_, None, Some(engine)) => {
            format!("the engine {engine} alone cannot decide this history")
        }
        (_, None, None) => "no engine can decide this history".to_owned(),
    }
}

fn verdict(
    recording: &Recording<'_>,
    keys: &[KeyHistory],
    engine: Option<Engine>,
    meter: &Meter<'_>,
) -> Verdict<Box<Witness>> {
    let whole = |key: &KeyHistory| {
        let mut calls = Vec::with_capacity(key.operations.len());
        calls.extend(key.all_calls());
        calls
    };
    let mut share = meter.share();
    if !share.goes_on(keys.len() * Job::BYTES) {
        return Verdict::Unknown(Limit {
            reason: unknown_reason(meter, false, engine),
            resource: meter.met(),
            checked: 0,
        });
    }
    let mut jobs: Vec<Job<'_>> = keys
        .iter()
        .map(|key| {
            let bytes = key.operations.len() * size_of::<Call>();
            let begin = move || Judge::new(&key.object, whole(key), engine);
            Job::new(&key.object, bytes, begin)
        })
        .collect();
    rounds::run(&mut jobs, meter);
    let judged = || keys.iter().zip(&jobs);
    let refuted = judged().filter(|(_, job)| job.progress == Progress::Refuted);
    if let Some(witness) = explain::witness(recording, refuted.collect(), meter) {
        return refuted_by(witness);
    }
    let unsound = |(_, job): &(&KeyHistory, &Job<'_>)| !job.sound;
    let undecided = |(_, job): &(&KeyHistory, &Job<'_>)| job.progress == Progress::Paused;
    let is_unsound = judged().any(|it| unsound(&it));
    if !is_unsound && !judged().any(|it| undecided(&it)) {
        return Verdict::Valid;
    }
    let reason = unknown_reason(meter, is_unsound, engine);
    let open = judged().filter(|it| undecided(it) || unsound(it));
    let reached = open
        .map(|(key, job)| key.reached(job.furthest, job.sound))
        .min();
    let reached = reached.unwrap_or(0);
    let completed = recording.pairs.iter().filter_map(|pair| pair.completed);
    Verdict::Unknown(Limit {
        reason,
        resource: meter.met().filter(|_| !is_unsound),
        checked: completed.filter(|&at| at < reached).count(),
    })
}

/// The verdict by a witness: a refutation that does not hold is none.
fn refuted_by(witness: Witness) -> Verdict<Box<Witness>> {
    match witness.rechecked {
        Some(false) => Verdict::Unknown(Limit {
            reason: "the checker found a refutation that does not hold".to_owned(),
            resource: None,
            checked: 0,
        }),
        Some(true) | None => Verdict::Invalid(Box::new(witness)),
    }
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

/// A size in the largest unit that needs no fraction, if that is not many.
pub(crate) fn describe_bytes(bytes: usize) -> String {
    const UNITS: [(&str, usize); 6] = [
        ("GiB", 1 << 30),
        ("GB", 1_000_000_000),
        ("MiB", 1 << 20),
        ("MB", 1_000_000),
        ("KiB", 1 << 10),
        ("kB", 1_000),
    ];
    let fits = |(_, size): &&(&str, usize)| bytes >= *size && bytes.is_multiple_of(*size);
    match UNITS.iter().find(fits) {
        Some((unit, size)) => format!("{} {unit}", bytes / size),
        None if bytes >= 1 << 20 => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
        None => format!("{bytes} bytes"),
    }
}
