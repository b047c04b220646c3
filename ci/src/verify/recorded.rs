//! What a run concluded, as its folder keeps it. It looked at more than its
//! history, so that its verdict may be another one.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::campaign::detection;
use crate::campaign::folder::VERDICT;
use crate::exit::Conclusion;
use crate::oracle::Oracle;

/// What a run concluded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Its verdict.
    pub verdict: Conclusion,
    /// Why that is not known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// What its checkers concluded.
    pub checks: Vec<RecordedCheck>,
    /// In which way it differs from what is concluded now.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub differs: Option<String>,
}

/// What one checker concluded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedCheck {
    /// Its name.
    pub checker: String,
    /// What it concluded.
    pub verdict: Conclusion,
}

impl Recorded {
    /// What was concluded in a run's folder, beside what is concluded of its
    /// history now. None for a file, and for a run that was cut off.
    pub fn of(folder: &Path, now: Conclusion) -> Option<Recorded> {
        if !folder.is_dir() {
            return None;
        }
        let path = folder.join(VERDICT);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => {
                eprintln!(
                    "warning: the run's own verdict: {}: {error}",
                    path.display()
                );
                return None;
            }
        };
        match serde_json::from_str::<Recorded>(&text) {
            Ok(recorded) => Some(Recorded {
                differs: recorded.difference(now),
                ..recorded
            }),
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                let at = path.display();
                eprintln!("warning: {at}:{line}:{column}: expected a run's verdict: {error}");
                None
            }
        }
    }

    fn difference(&self, now: Conclusion) -> Option<String> {
        let of_history = |check: &&RecordedCheck| {
            Oracle::is_checker(&check.checker) || check.checker == detection::NAME
        };
        if let Some(check) = self.checks.iter().find(of_history)
            && check.verdict != now
        {
            let then = check.verdict;
            return Some(format!(
                "the run found its history {then}, and now it is {now}"
            ));
        }
        if self.verdict == now {
            return None;
        }
        let not_valid =
            |check: &&RecordedCheck| check.verdict != Conclusion::Valid && !of_history(check);
        let others: Vec<String> = self
            .checks
            .iter()
            .filter(not_valid)
            .map(|check| format!("{} {}", check.checker, check.verdict))
            .collect();
        Some(format!(
            "the run's verdict is {} ({}); here its history alone is judged",
            self.verdict,
            others.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(verdict: &str, history: &str, crash: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            r#"{{"command":"run","verdict":"{verdict}","checks":[
                {{"checker":"linearizability","verdict":"{history}","witness":null}},
                {{"checker":"crash","verdict":"{crash}","witness":null}}]}}"#
        );
        fs::write(folder.path().join(VERDICT), text).unwrap();
        folder
    }

    #[test]
    fn the_same_verdict_differs_in_nothing() {
        let folder = recorded("valid", "valid", "valid");
        let recorded = Recorded::of(folder.path(), Conclusion::Valid).unwrap();
        assert_eq!(
            (recorded.verdict, recorded.differs),
            (Conclusion::Valid, None)
        );
        assert_eq!(recorded.checks.len(), 2);
    }

    #[test]
    fn what_a_run_saw_beside_its_history_is_named() {
        let folder = recorded("invalid", "valid", "invalid");
        let recorded = Recorded::of(folder.path(), Conclusion::Valid).unwrap();
        let differs = recorded.differs.unwrap();
        assert!(differs.contains("invalid (crash invalid)"), "{differs}");
    }

    #[test]
    fn another_judgement_of_the_history_is_named_even_under_one_verdict() {
        let folder = recorded("invalid", "valid", "invalid");
        let recorded = Recorded::of(folder.path(), Conclusion::Invalid).unwrap();
        let differs = recorded.differs.unwrap();
        assert!(
            differs.contains("its history valid, and now it is invalid"),
            "{differs}"
        );
    }

    #[test]
    fn a_run_without_a_verdict_has_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Recorded::of(folder.path(), Conclusion::Valid), None);
        fs::write(folder.path().join(VERDICT), "{").unwrap();
        assert_eq!(Recorded::of(folder.path(), Conclusion::Valid), None);
    }
}
