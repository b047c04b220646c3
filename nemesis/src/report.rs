//! What became of a fault, with its evidence.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use tribunal_histories::Value;

use crate::fault::{CrashPlace, Cut, FaultKind, Node, Shape, node_name};

/// Whether a fault was put in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was, on every target.
    Installed,
    /// It was not, and nothing was touched.
    Skipped,
    /// It was tried, and on some target it is not known to be in place.
    Indeterminate,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Outcome::Installed => "installed",
            Outcome::Skipped => "skipped",
            Outcome::Indeterminate => "indeterminate",
        })
    }
}

/// What was observed: a sentence for people, facts for programs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What was observed, in words.
    pub says: String,
    /// The same, by name.
    pub facts: BTreeMap<String, Value>,
}

impl Evidence {
    /// Adds a fact.
    pub(crate) fn fact(&mut self, name: &str, value: impl Into<Value>) {
        self.facts.insert(name.to_owned(), value.into());
    }

    /// Adds a clause to the sentence.
    pub(crate) fn say(&mut self, clause: impl AsRef<str>) {
        if !self.says.is_empty() {
            self.says.push_str("; ");
        }
        self.says.push_str(clause.as_ref());
    }
}

/// When things happened, in nanoseconds since the run began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// Installation began; nothing of the fault can be felt earlier.
    pub began_ns: u64,
    /// Its effect was observed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub effective_ns: Option<u64>,
    /// Healing began.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub heal_began_ns: Option<u64>,
    /// The heal was verified; nothing of the fault can be felt later.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub healed_ns: Option<u64>,
}

/// What became of one fault of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultReport {
    /// Its place in the schedule, from 0; joins it to the history's events.
    pub id: u64,
    /// Which fault.
    pub fault: FaultKind,
    /// How a partition divided the cluster.
    pub shape: Option<Shape>,
    /// How a partition cut its links.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cut: Option<Cut>,
    /// Where a node crashed itself, or was to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub crash: Option<CrashPlace>,
    /// The names of the nodes that it hit, as they were resolved.
    pub targets: Vec<String>,
    /// Whether it was put in place.
    pub outcome: Outcome,
    /// Why it was skipped, hit fewer nodes, is indeterminate, had no effect or
    /// did not heal.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// Whether it was observed to take effect.
    pub effective: bool,
    /// Whether it was undone, and that was verified.
    pub healed: bool,
    /// What was observed.
    pub evidence: Evidence,
    /// When.
    #[serde(flatten)]
    pub times: Times,
}

impl FaultReport {
    /// A report of a fault of which nothing is known yet.
    pub(crate) fn new(id: u64, fault: FaultKind, began_ns: u64) -> Self {
        FaultReport {
            id,
            fault,
            shape: None,
            cut: None,
            crash: None,
            targets: Vec::new(),
            outcome: Outcome::Installed,
            reason: None,
            effective: false,
            healed: false,
            evidence: Evidence::default(),
            times: Times {
                began_ns,
                ..Times::default()
            },
        }
    }

    /// Adds a reason behind those already given.
    pub(crate) fn because(&mut self, reason: impl AsRef<str>) {
        match &mut self.reason {
            Some(before) => {
                before.push_str("; ");
                before.push_str(reason.as_ref());
            }
            None => self.reason = Some(reason.as_ref().to_owned()),
        }
    }

    /// Names the nodes that it hits.
    pub(crate) fn aim(&mut self, nodes: &[Node]) {
        self.targets = nodes.iter().copied().map(node_name).collect();
    }
}

/// Which end of a fault a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edge {
    /// It is about to be installed, on these targets; or is skipped.
    Begin,
    /// It is over.
    End,
}

/// Something the history should say about a fault, as `info` of the nemesis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The fault's place in the schedule, from 0.
    pub fault: u64,
    /// Which fault; the event's `f`.
    pub kind: FaultKind,
    /// Which end of it.
    pub edge: Edge,
    /// What there is to say; the event's `value`.
    pub value: Value,
    /// Nanoseconds since the run began.
    pub time_ns: u64,
    /// All that is known by now; complete at the end.
    pub report: FaultReport,
}

/// What was left of all faults after everything was healed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Healing {
    /// What could not be healed, in words; empty if all was.
    pub unhealed: Vec<String>,
    /// When everything that could be healed was, in nanoseconds since the run
    /// began.
    pub healed_ns: u64,
}

impl Healing {
    /// Whether nothing is left of any fault.
    pub fn complete(&self) -> bool {
        self.unhealed.is_empty()
    }
}
