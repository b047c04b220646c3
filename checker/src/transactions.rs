//! Transactions: whether what they read can be explained by an order of them.
//!
//! | module | holds |
//! |---|---|
//! | `micro` | from what a history records to micro-operations |
//! | `versions` | the versions of each key, and who wrote and read which |
//! | `graph` | which transaction must stand before which |
//! | `cycles` | the plainest cycle among them |
//! | `explain` | that cycle in words |
//! | [`anomaly`] | what can be wrong, by name |
//! | [`bank`] | transfers between accounts, of which the total never changes |
//!
//! # The histories
//!
//! A transaction is an operation [`TXN`] whose value is a list of
//! micro-operations as Elle has them: `["append", key, value]` to a key that
//! holds a list, `["w", key, value]` to one that holds a value, and `["r", key,
//! null]`; completed, each read carries what it saw. No value is written twice
//! to a key, nor is the initial one, so that a read tells who wrote what it
//! saw. Keys hold the header's `initial` value at first; lists are empty.
//!
//! A transaction that ended as `info` counts if somebody read what it wrote,
//! and is left out otherwise: then an order with it is an order without it.
//!
//! # What is found
//!
//! Of lists, everything: a history is judged valid exactly if there is an order
//! of its transactions that explains every read and, where that is asked, in
//! which none stands before another that had completed when it began. Versions
//! that nobody read can always be put last.
//!
//! Of registers, all that can be said without guessing: which of two versions
//! came first is known only from who read the one and wrote the other. A valid
//! verdict says that no anomaly shows, and an invalid one is certain; the
//! report says of how many keys the order is not known
//! ([`Report::unordered_keys`]).
//!
//! Linear in the history but for sorting, and for the search of a witness,
//! which is bounded (`cycles` says how).

pub mod anomaly;
pub mod bank;
mod cycles;
mod explain;
mod graph;
mod micro;
mod versions;

#[cfg(test)]
mod named_tests;
#[cfg(test)]
mod oracle_tests;

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use tribunal_histories::{History, HistoryError, Nil};

use crate::Verdict;
use anomaly::{Anomaly, Evidence};
use micro::{Does, Fate, Transactions};
use versions::Versions;

/// The operation that is a transaction.
pub const TXN: &str = "txn";

/// How much of an order there must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Some order explains every read (PL-3, Adya 1999).
    Serializable,
    /// One does in which no transaction stands before another that had
    /// completed when it began.
    StrictSerializable,
}

impl Level {
    /// All there are.
    pub const ALL: [Level; 2] = [Level::Serializable, Level::StrictSerializable];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Level::Serializable => "serializable",
            Level::StrictSerializable => "strict-serializable",
        }
    }

    /// What it says, in a line.
    pub const fn about(self) -> &'static str {
        match self {
            Level::Serializable => "transactions are as if one followed the other, in some order",
            Level::StrictSerializable => {
                "the same, and none comes before another that had completed when it began"
            }
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Level::ALL.into_iter().find(|level| level.name() == text);
        named.ok_or_else(|| {
            let names: Vec<&str> = Level::ALL.iter().map(|level| level.name()).collect();
            format!("expected one of {}", names.join(", "))
        })
    }
}

/// How to judge a history.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What is asked of it.
    pub level: Level,
    /// What a read of nothing means, if not what the header says.
    pub nil: Option<Nil>,
}

impl Options {
    /// A level, with everything else as usual.
    pub const fn new(level: Level) -> Self {
        Options { level, nil: None }
    }
}

/// What was judged, and how.
#[derive(Clone, Debug)]
pub struct Report {
    /// Valid or invalid: the check never gives up.
    pub verdict: Verdict<Witness>,
    /// What else is wrong, the plainest first; the witness' anomaly is the
    /// first. Of cycles the plainest kind is named alone.
    pub anomalies: Vec<Anomaly>,
    /// Transactions.
    pub operations: usize,
    /// How many of them took effect for certain.
    pub completed_ok: usize,
    /// Micro-operations that read, and are known to have seen something.
    pub reads: usize,
    /// Keys.
    pub keys: usize,
    /// How many of them are registers whose versions have no known order, so
    /// that what depends on that was not judged.
    pub unordered_keys: usize,
}

/// Transactions that cannot all be right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Witness {
    /// What is wrong.
    pub anomaly: Anomaly,
    /// Why, in sentences that call the transactions T1, T2 and so on. Of a
    /// cycle, why each stands before the next, and the last before the first.
    pub why: Vec<String>,
    /// The transactions T1, T2, …, by the indices of the events that began
    /// them.
    pub operations: Vec<u64>,
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.anomaly, self.why.join("; "))?;
        for (place, index) in self.operations.iter().enumerate() {
            let before = if place == 0 { " (" } else { ", " };
            write!(f, "{before}T{} began at index {index}", place + 1)?;
        }
        f.write_str(")")
    }
}

/// Judges a history of transactions.
///
/// # Errors
///
/// If an operation is no transaction as described, or writes a value that is
/// not new to its key.
pub fn check(history: &History, options: &Options) -> Result<Report, HistoryError> {
    let operations = history.operations()?;
    let nil = options.nil.unwrap_or(history.header.nil);
    let all = Transactions::of(history, &operations, nil)?;
    let mut versions = Versions::of(&all).map_err(|txn| {
        let invoked = all.txns[txn as usize].operation.invoked;
        let expected = "values that nothing else writes to their keys".to_owned();
        history.malformed(invoked, expected)
    })?;
    let in_real_time = options.level == Level::StrictSerializable;
    if let Some(graph) = versions.graph(in_real_time)
        && let Some(cycle) = cycles::find(&graph, in_real_time)
    {
        let evidence = explain::evidence(&all, &graph, &cycle);
        versions.findings.0.insert(cycle.anomaly, evidence);
    }
    let found = &versions.findings.0;
    let first = found.first_key_value();
    let witness = first.map(|(anomaly, evidence)| witness(&all, *anomaly, evidence));
    let is_read = |does: &Does<'_>| matches!(does, Does::Read(Some(_)));
    Ok(Report {
        verdict: witness.map_or(Verdict::Valid, Verdict::Invalid),
        anomalies: found.keys().copied().collect(),
        operations: all.txns.len(),
        completed_ok: count(&all.txns, |txn| txn.fate == Fate::Committed),
        reads: count(&all.micros, |micro| is_read(&micro.does)),
        keys: all.keys.len(),
        unordered_keys: versions.unordered_keys(),
    })
}

fn witness(all: &Transactions<'_>, anomaly: Anomaly, evidence: &Evidence) -> Witness {
    let invoked = |txn: &u32| all.txns[*txn as usize].operation.invoked;
    Witness {
        anomaly,
        why: evidence.why.clone(),
        operations: evidence.transactions.iter().map(invoked).collect(),
    }
}

fn count<T>(all: &[T], is: impl Fn(&T) -> bool) -> usize {
    all.iter().filter(|each| is(each)).count()
}
