//! The anomalies by name, and the evidence for one.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

/// What can be wrong with a history of transactions, the plainest first.
/// Names are those of Elle (Kingsbury & Alvaro 2020, §4; Adya 1999, §4), except
/// for the garbage read, which it does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Anomaly {
    /// A read of a value that nobody wrote.
    GarbageRead,
    /// A list in which a value stands twice.
    DuplicateElements,
    /// Two lists of a key of which neither begins the other, or one that
    /// contradicts the order in which a transaction appended.
    IncompatibleOrder,
    /// A read that contradicts what its own transaction did before.
    Internal,
    /// A read of what its own transaction writes only later.
    FutureRead,
    /// G1a, aborted read: a transaction observes a value written by one that
    /// failed.
    AbortedRead,
    /// G1b, intermediate read: a transaction observes a value that its writer
    /// overwrote or appended to.
    IntermediateRead,
    /// Two transactions read the same version of a key and both wrote it.
    LostUpdate,
    /// A cycle of transactions that each must stand before the next.
    Cycle {
        /// What the cycle is made of.
        kind: CycleKind,
        /// Whether the order of time is part of it.
        realtime: bool,
    },
}

/// What a cycle is made of, beside the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CycleKind {
    /// G0, dirty write: write-write edges alone.
    G0,
    /// G1c, circular information flow: write-write and write-read edges.
    G1c,
    /// One read-write edge (anti-dependency).
    GSingle,
    /// Several read-write edges.
    G2Item,
}

impl Anomaly {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Anomaly::GarbageRead => "garbage-read",
            Anomaly::DuplicateElements => "duplicate-elements",
            Anomaly::IncompatibleOrder => "incompatible-order",
            Anomaly::Internal => "internal",
            Anomaly::FutureRead => "future-read",
            Anomaly::AbortedRead => "G1a",
            Anomaly::IntermediateRead => "G1b",
            Anomaly::LostUpdate => "lost-update",
            Anomaly::Cycle { kind, realtime } => match (kind, realtime) {
                (CycleKind::G0, false) => "G0",
                (CycleKind::G0, true) => "G0-realtime",
                (CycleKind::G1c, false) => "G1c",
                (CycleKind::G1c, true) => "G1c-realtime",
                (CycleKind::GSingle, false) => "G-single",
                (CycleKind::GSingle, true) => "G-single-realtime",
                (CycleKind::G2Item, false) => "G2-item",
                (CycleKind::G2Item, true) => "G2-item-realtime",
            },
        }
    }
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Anomaly {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// What shows an anomaly, in words that call the transactions T1, T2 and so
/// on.
#[derive(Clone, Debug)]
pub(super) struct Evidence {
    pub(super) why: Vec<String>,
    pub(super) transactions: Vec<u32>,
}

/// Anomalies, each with what showed it first.
#[derive(Debug, Default)]
pub(super) struct Findings(pub(super) BTreeMap<Anomaly, Evidence>);

impl Findings {
    pub(super) fn add(
        &mut self,
        anomaly: Anomaly,
        transactions: &[u32],
        why: impl FnOnce() -> String,
    ) {
        self.0.entry(anomaly).or_insert_with(|| Evidence {
            why: vec![why()],
            transactions: transactions.to_vec(),
        });
    }
}
