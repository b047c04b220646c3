//! Consistency properties of registers that are weaker than linearizability.
//!
//! | module | holds |
//! |---|---|
//! | `property` | the properties, by name, with their sources |
//! | `acts` | from what a history records to reads and writes in sessions |
//! | `regular` | regular and safe registers, read by read |
//! | `sources` | which write each read saw, and the orders that follow from it |
//! | `graph` | what must come before what, with the reasons, and cycles of it |
//! | `clocks` | how much of every session comes before an operation |
//! | `sessions` | the session guarantees |
//! | `causal` | causal consistency, of three strengths |
//! | `saturation` | all that can be inferred of an order without guessing |
//! | `sequential` | whether there is one order, by search |
//! | `staleness` | how many writes a read may have missed |
//! | `states` | states that a search has visited |
//! | `budget` | the limits |
//! | [`witness`] | why a history has not the property |
//!
//! # The histories
//!
//! Registers: `read` or `get`, `write` or `put`, and `cas`, of any number of
//! keys. A **session** is a process; one that saw `info` is retired, and a
//! client that goes on as another process is a new session, of which nothing
//! is promised about the old one.
//!
//! What `fail` ended never happened; a failed cas may be an observation, as
//! the header says. A write of unknown outcome may have happened, at any time
//! after its invocation, and has if it is certain that somebody saw its value;
//! it is the last operation of its session. A read of unknown outcome says
//! nothing. A cas that succeeded is a read of its old value and a write of its
//! new one, which it does not see itself; the properties that know one order of everything (`sequential`,
//! `per-key-sequential`, `k-atomicity`) hold the two together, and the others
//! let something come between them.
//!
//! Only `k-atomicity`, `regular` and `safe` look at when operations began and
//! ended. To the others a history is what each session did, in order: a read
//! may see what was written after it ended.
//!
//! # What implies what
//!
//! ```text
//! linearizable = 1-atomic --> regular --> safe
//!      |
//!      v
//! sequential --> causal-convergence --> causal <-- causal-memory <-- sequential
//!      |                |
//!      |                +--> monotonic-writes, writes-follow-reads --> monotonic-reads
//!      |                +--> read-your-writes
//!      v
//! per-key-sequential --> monotonic-reads, read-your-writes
//! ```
//!
//! Neither `causal` nor `causal-memory` implies a session guarantee: the
//! guarantees speak of one order of writes, and causally unrelated writes need
//! not have one (`sessions` says which definition is taken).
//!
//! # When it is not known
//!
//! A read whose value was written more than once to its key does not tell
//! which write it saw. `sequential`, `per-key-sequential` and `k-atomicity`
//! search then, within limits; `regular` and `safe` need not know. The others
//! judge what is left without such reads: what that refutes is refuted, and
//! otherwise a history that is sequentially consistent (for monotonic-reads and
//! read-your-writes: key by key) is valid, and any other is unknown.

mod acts;
mod budget;
mod causal;
mod clocks;
mod graph;
mod property;
mod regular;
mod saturation;
mod sequential;
mod sessions;
mod sources;
mod staleness;
mod states;
pub mod witness;

#[cfg(test)]
mod definitions;
#[cfg(test)]
mod named_tests;
#[cfg(test)]
mod oracle_tests;

use tribunal_histories::{History, HistoryError, Nil, Operation, Outcome};

use crate::linearizability::{self, Limits, Prepared};
use crate::spec::Spec;
use crate::verdict::{Limit, Verdict};
use acts::Acts;
use budget::Budget;
pub use property::Property;
use sessions::Judged;
use sources::Sources;
pub use staleness::Staleness;
use witness::Witness;

/// How to judge a history.
#[derive(Clone, Debug)]
pub struct Options {
    /// What a read of nothing means, if not what the header says.
    pub nil: Option<Nil>,
    /// When to give up.
    pub limits: Limits,
    /// Of how many values, the newest ones, `k-atomicity` lets a read return
    /// any; 1 is linearizability.
    pub staleness: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            nil: None,
            limits: Limits::default(),
            staleness: 1,
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
    /// In how many sessions.
    pub sessions: usize,
    /// How stale reads are, where that is asked.
    pub staleness: Option<Staleness>,
    /// Whether a limit was met, so that a larger one could tell more.
    pub limited: bool,
    /// The verdict.
    pub verdict: Verdict<Box<Witness>>,
}

/// What is concluded of a property.
enum Found {
    Valid,
    Invalid(Box<Witness>),
    /// A limit was met.
    GaveUp,
    /// Reads do not tell which write they saw: so many.
    Ambiguous(usize),
}

/// Judges a history. An error means that it is none, or not one of registers.
pub fn check(
    history: &History,
    property: Property,
    options: &Options,
) -> Result<Report, HistoryError> {
    let budget = Budget::new(&options.limits);
    let operations = history.operations()?;
    let nil = options.nil.unwrap_or(history.header.nil);
    let acts = Acts::of(history, &operations, nil)?;
    let mut staleness = None;
    let found = match property {
        Property::KAtomicity => {
            let linearizable = is_linearizable(history, nil, &budget)?;
            let judged = staleness::judge(&acts, linearizable == Some(true), &budget);
            let found = judged.concluded(&acts, options.staleness);
            staleness = Some(judged.staleness);
            found
        }
        _ => {
            let linearizable = match property.is_searched() {
                true => is_linearizable(history, nil, &budget)?,
                false => None,
            };
            match linearizable {
                Some(true) => Found::Valid,
                _ => match decide(&acts, property, &budget) {
                    Found::Ambiguous(reads) => {
                        or_stronger(history, &acts, property, reads, nil, &budget)?
                    }
                    found => found,
                },
            }
        }
    };
    let limited = budget.reason().is_some() && !matches!(found, Found::Valid | Found::Invalid(_));
    let is_ok = |operation: &&Operation| matches!(operation.outcome, Outcome::Ok(_));
    Ok(Report {
        operations: operations.len(),
        completed_ok: operations.iter().filter(is_ok).count(),
        keys: acts.keys(),
        sessions: acts.sessions.len(),
        verdict: verdict(found, staleness, &budget),
        staleness,
        limited,
    })
}

/// Decides a property by its own checker alone; of `k-atomicity` that k is 1.
fn decide(acts: &Acts<'_>, property: Property, budget: &Budget<'_>) -> Found {
    let judge: fn(&Sources, &Budget<'_>) -> Judged = match property {
        Property::Sequential => return sequential::judge(acts, property, budget),
        Property::PerKeySequential => return sequential::per_key(acts, budget),
        Property::KAtomicity => return staleness::judge(acts, false, budget).concluded(acts, 1),
        Property::Regular => return regular::judge(acts, regular::Register::Regular),
        Property::Safe => return regular::judge(acts, regular::Register::Safe),
        Property::CausalConvergence => causal::convergence,
        Property::CausalMemory => causal::memory,
        Property::Causal => causal::plain,
        Property::MonotonicReads => |sources, _| sessions::monotonic_reads(sources),
        Property::ReadYourWrites => |sources, _| sessions::read_your_writes(sources),
        Property::MonotonicWrites => sessions::monotonic_writes,
        Property::WritesFollowReads => sessions::writes_follow_reads,
    };
    let sources = Sources::of(acts);
    if let Some(read) = sources.unexplained {
        return Found::Invalid(witness::thin_air(acts, property, read));
    }
    match judge(&sources, budget) {
        Some(Some(broken)) => Found::Invalid(witness::broken(acts, &sources, property, &broken)),
        Some(None) if sources.left_out > 0 => Found::Ambiguous(sources.left_out),
        Some(None) => Found::Valid,
        None => Found::GaveUp,
    }
}

/// What is concluded where so many operations do not tell what they saw: what
/// has a stronger property that can be searched for is valid.
fn or_stronger(
    history: &History,
    acts: &Acts<'_>,
    property: Property,
    reads: usize,
    nil: Nil,
    budget: &Budget<'_>,
) -> Result<Found, HistoryError> {
    if is_linearizable(history, nil, budget)? == Some(true) {
        return Ok(Found::Valid);
    }
    if !budget.allows(0) {
        return Ok(Found::Ambiguous(reads));
    }
    let stronger = match property {
        Property::MonotonicReads | Property::ReadYourWrites => Property::PerKeySequential,
        _ => Property::Sequential,
    };
    Ok(match decide(acts, stronger, budget) {
        Found::Valid => Found::Valid,
        _ => Found::Ambiguous(reads),
    })
}

/// Whether the history is linearizable, if that shows within half of the time
/// that is left: what is, has every weaker property, and the engines for it are
/// the stronger ones.
fn is_linearizable(
    history: &History,
    nil: Nil,
    budget: &Budget<'_>,
) -> Result<Option<bool>, HistoryError> {
    if !budget.allows(0) {
        return Ok(None);
    }
    let mut options = linearizability::Options {
        spec: Spec::CasRegister,
        engine: None,
        nil: Some(nil),
        limits: Limits::default(),
    };
    let prepared = Prepared::new(history, &options)?;
    options.limits = budget.part(2);
    Ok(match prepared.check(&options).verdict {
        Verdict::Valid => Some(true),
        Verdict::Invalid(_) => Some(false),
        Verdict::Unknown(_) => None,
    })
}

fn verdict(
    found: Found,
    staleness: Option<Staleness>,
    budget: &Budget<'_>,
) -> Verdict<Box<Witness>> {
    let limit = budget.reason();
    let reason = match found {
        Found::Valid => return Verdict::Valid,
        Found::Invalid(witness) => return Verdict::Invalid(witness),
        Found::Ambiguous(reads) => {
            let limit = limit.map_or_else(String::new, |limit| format!(" ({limit})"));
            format!(
                "{reads} operations do not tell which write they saw, since their values were \
                 written more than once or a cas failed on them; nothing is wrong with the \
                 others, and no order of all was found{limit}"
            )
        }
        Found::GaveUp => {
            let limit = limit.unwrap_or_else(|| "a limit was met".to_owned());
            let known = staleness.filter(|&staleness| staleness != Staleness::UNKNOWN);
            known.map_or(limit.clone(), |known| format!("{limit}; {known}"))
        }
    };
    Verdict::Unknown(Limit {
        reason,
        resource: None,
        checked: 0,
    })
}
