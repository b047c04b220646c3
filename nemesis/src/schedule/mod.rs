//! Which faults, when, on whom: plain data, known in full before the run.
//!
//! A schedule is drawn from a seed ([`draw`]) or read from a file
//! ([`Schedule::load`]); a replay uses the file. It holds no wall clock, and
//! the same inputs give the same bytes.
//!
//! ```text
//! {"seed":7,"faults":[
//!   {"at":"1.25s","for":"2s","fault":"kill","targets":["n2","n4"]},
//!   {"at":"3s","for":"1.5s","fault":"pause","targets":"leader"},
//!   {"at":"4s","for":"2s","fault":"partition","shape":"halves","cut":"hold","targets":["n1","n3"]},
//!   {"at":"5s","for":"1s","fault":"crash-at","crash":{"after":"answer","ordinal":3},"targets":["n2"]}
//! ]}
//! ```
//!
//! | `targets` | stands for |
//! |---|---|
//! | `["n1","n3"]` | these nodes |
//! | `"all"` | every node |
//! | `"leader"`, `"coordinator"`, `"prepared"` | whoever has that [`Role`] when the fault is installed |
//!
//! Those of a partition are the nodes of one side, or of a bridge the one node
//! that keeps its links; `isolate-leader` has `"leader"`, `isolate-coordinator`
//! `"coordinator"`. A `crash` may name the kind of
//! what leaves, `{"after":"send:vote-reply","ordinal":1}`, and let the other
//! targets live on for a `lag`, `"50ms"`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fault::{CrashPlace, Cut, FaultKind, Node, Role, Shape, node_name, parse_node};

mod dice;
mod draw;
mod options;
mod read;
pub(crate) mod span;

pub use dice::stream;
pub use draw::draw;
pub use options::{DrawError, ScheduleOptions};
pub use read::ScheduleError;
pub use span::{Seconds, parse_span};

/// Which faults, when, on whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// What it was drawn from; 0 where it was written by hand.
    pub seed: u64,
    /// The faults, by the time they begin. A fault's place is its id.
    pub faults: Vec<ScheduledFault>,
}

/// One fault of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduledFault {
    /// When it is installed, after the load began.
    #[serde(with = "span")]
    pub at: Duration,
    /// After which time it is healed again.
    #[serde(rename = "for", with = "span")]
    pub lasts: Duration,
    /// Which fault.
    pub fault: FaultKind,
    /// How a partition divides the cluster.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shape: Option<Shape>,
    /// How a partition cuts its links.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cut: Option<Cut>,
    /// Where a node crashes itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub crash: Option<CrashPlace>,
    /// Whom it hits; for a partition, the nodes of one side, or of a bridge the
    /// one node that keeps its links.
    pub targets: Targets,
}

/// Whom a scheduled fault hits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targets {
    /// Whoever has the role when it is installed. Written as its name.
    Role(Role),
    /// Every node. Written as `"all"`.
    All,
    /// These, in order. Written as a list of names.
    Nodes(Vec<Node>),
}

impl Schedule {
    /// The bytes of `schedule.json`: one fault a line.
    pub fn to_json(&self) -> String {
        let lines: Vec<String> = self.faults.iter().map(ScheduledFault::to_json).collect();
        let faults = match lines.len() {
            0 => String::new(),
            _ => format!("\n    {}\n  ", lines.join(",\n    ")),
        };
        format!(
            "{{\n  \"seed\": {},\n  \"faults\": [{faults}]\n}}\n",
            self.seed
        )
    }

    /// When the last fault is to be healed.
    pub fn end(&self) -> Duration {
        self.faults
            .iter()
            .map(ScheduledFault::end)
            .max()
            .unwrap_or_default()
    }

    /// The kinds of fault it asks for, each once.
    pub fn kinds(&self) -> Vec<FaultKind> {
        let asked = |kind: &FaultKind| self.faults.iter().any(|fault| fault.fault == *kind);
        FaultKind::ALL.iter().copied().filter(asked).collect()
    }
}

impl ScheduledFault {
    /// When it is to be healed.
    pub fn end(&self) -> Duration {
        self.at + self.lasts
    }

    fn to_json(&self) -> String {
        // Plain strings and lists: there is nothing in it that cannot be JSON.
        serde_json::to_string(self).expect("a fault is plain data")
    }
}

impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Targets::Role(role) => role.fmt(f),
            Targets::All => f.pad("all"),
            Targets::Nodes(nodes) => {
                let names: Vec<String> = nodes.iter().copied().map(node_name).collect();
                f.pad(&names.join(","))
            }
        }
    }
}

impl Serialize for Targets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Targets::Role(role) => role.serialize(serializer),
            Targets::All => serializer.serialize_str("all"),
            Targets::Nodes(nodes) => serializer.collect_seq(nodes.iter().copied().map(node_name)),
        }
    }
}

impl<'de> Deserialize<'de> for Targets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Targets;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let roles: Vec<String> = Role::ALL.iter().map(|r| format!("\"{r}\"")).collect();
                let roles = roles.join(", ");
                write!(
                    f,
                    "targets: {roles}, \"all\" or a list of nodes such as [\"n1\"]"
                )
            }
            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Targets, E> {
                let unknown = || E::invalid_value(serde::de::Unexpected::Str(word), &self);
                match word {
                    "all" => Ok(Targets::All),
                    role => role.parse().map(Targets::Role).map_err(|_| unknown()),
                }
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut names: A,
            ) -> Result<Targets, A::Error> {
                let mut nodes = Vec::new();
                while let Some(name) = names.next_element::<String>()? {
                    nodes.push(parse_node(&name).ok_or_else(|| {
                        serde::de::Error::custom(format!(
                            "expected a node such as \"n1\", found {name:?}"
                        ))
                    })?);
                }
                nodes.sort_unstable();
                nodes.dedup();
                Ok(Targets::Nodes(nodes))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
