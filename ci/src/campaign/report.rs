//! What a run concluded, as data: the object of `--format json`, and the file
//! `verdict.json`.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;
use tribunal_nemesis::FaultReport;

use super::meter::{Availability, ByOperation, Counts};
use crate::exit::Conclusion;

/// Everything there is to say about one run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Always `run`.
    pub command: &'static str,
    /// What was concluded of the system.
    pub verdict: Conclusion,
    /// Why that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The run's folder.
    pub run: PathBuf,
    /// The system, with the wrong version if one was asked for.
    pub system: String,
    /// The wrong version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bug: Option<String>,
    /// How many nodes there were.
    pub nodes: u8,
    /// The seed.
    pub seed: u64,
    /// Client operations by completion.
    pub operations: Counts,
    /// Every fault of the schedule.
    pub faults: Vec<FaultReport>,
    /// What each checker concluded.
    pub checks: Vec<Check>,
    /// The command line that runs it again.
    pub replay: String,
    /// How long it took in all.
    pub seconds: f64,
    /// How long from the command to the first operation that took effect.
    pub seconds_to_first_operation: Option<f64>,
    /// Operations that took effect a second, while clients asked.
    pub ok_per_second: f64,
    /// The longest time without an operation that took effect, while clients asked.
    pub seconds_without_ok_max: f64,
    /// How long after the heal the cluster served again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_to_recover: Option<f64>,
    /// The parts of the run.
    pub phases: Vec<Phase>,
    /// Operations by kind, with latencies.
    pub by_operation: Vec<ByOperation>,
    /// Operations by the faults that were open when they were asked.
    pub by_fault: Vec<Availability>,
    /// Processor time.
    pub cpu: Cpu,
    /// What is worth knowing and changes no verdict.
    pub notes: Vec<String>,
}

/// What one checker concluded.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// Its name.
    pub checker: &'static str,
    /// What it concluded.
    pub verdict: Conclusion,
    /// Why that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it looked at, in words.
    pub about: String,
    /// The evidence for `invalid`.
    pub witness: Option<Value>,
    /// The same, for people.
    #[serde(skip)]
    pub shown: Option<String>,
    /// The same as a page to look at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<PathBuf>,
    /// What it measured beside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figures: Option<Figures>,
}

/// What a checker measured.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Figures {
    /// As data.
    pub data: Value,
    /// What the table for people is about.
    #[serde(skip)]
    pub title: String,
    /// Its rows, the first of which names the columns.
    #[serde(skip)]
    pub rows: Vec<Vec<String>>,
}

/// One part of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Phase {
    /// Its name.
    pub phase: &'static str,
    /// How long it took.
    pub seconds: f64,
    /// Client operations that ended in it.
    #[serde(flatten)]
    pub counts: Counts,
    /// The share that took effect of those that a system in good health would
    /// not refuse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability: Option<f64>,
}

/// Processor time, in seconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Cpu {
    /// Of the harness: clients, links, recording, judging.
    pub harness: f64,
    /// Of the node processes.
    pub nodes: f64,
    /// The harness's share of both.
    pub harness_share: f64,
}

impl Check {
    /// Nothing was broken.
    pub fn valid(checker: &'static str, about: impl Into<String>) -> Check {
        Check {
            checker,
            verdict: Conclusion::Valid,
            reason: None,
            about: about.into(),
            witness: None,
            shown: None,
            page: None,
            figures: None,
        }
    }

    /// It is not known, and why.
    pub fn unknown(checker: &'static str, about: impl Into<String>, reason: String) -> Check {
        Check {
            verdict: Conclusion::Unknown,
            reason: Some(reason),
            ..Check::valid(checker, about)
        }
    }

    /// Something was broken, and here is the evidence: as data, and for people.
    pub fn invalid(
        checker: &'static str,
        about: impl Into<String>,
        witness: Value,
        shown: String,
    ) -> Check {
        Check {
            verdict: Conclusion::Invalid,
            witness: Some(witness),
            shown: Some(shown),
            ..Check::valid(checker, about)
        }
    }
}

/// The verdict of all checks together, and if it is unknown, why.
pub fn conclude(checks: &[Check]) -> (Conclusion, Option<String>) {
    let worst = checks.iter().map(|check| check.verdict).max();
    let verdict = worst.unwrap_or(Conclusion::Unknown);
    let unknown = checks
        .iter()
        .filter(|check| check.verdict == Conclusion::Unknown);
    let reasons = unknown.filter_map(|check| {
        let reason = check.reason.as_ref()?;
        Some(format!("{}: {reason}", check.checker))
    });
    let reason = reasons.collect::<Vec<_>>().join("; ");
    (verdict, (verdict == Conclusion::Unknown).then_some(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_witness_outweighs_any_number_of_unknowns() {
        let unknown = || Check::unknown("digest", "", "no node could tell".to_owned());
        let invalid = Check::invalid("crash", "", Value::Null, String::new());
        assert_eq!(
            conclude(&[unknown(), invalid, unknown()]),
            (Conclusion::Invalid, None)
        );
        let (verdict, reason) = conclude(&[Check::valid("crash", ""), unknown()]);
        assert_eq!(verdict, Conclusion::Unknown);
        assert_eq!(reason.as_deref(), Some("digest: no node could tell"));
    }

    #[test]
    fn no_check_at_all_is_not_valid() {
        assert_eq!(conclude(&[]).0, Conclusion::Unknown);
    }
}
