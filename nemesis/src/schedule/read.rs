//! A schedule read back from a file, and everything that can be wrong with it.
//!
//! Faults are read one by one from the raw text, so that an error names the
//! line and column of the fault that it is about.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::options::counted;
use super::{Schedule, ScheduledFault, Targets};
use crate::fault::{CrashAfter, Cut, FaultKind, Node, Role, Shape, node_name};

/// Why a schedule could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// The file could not be read at all.
    #[error("read the schedule {}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds something else than a schedule for this cluster.
    #[error("{}:{line}:{column}: {expected}", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// In which line, from 1.
        line: usize,
        /// In which column, from 1.
        column: usize,
        /// What was expected there.
        expected: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File<'a> {
    #[serde(default)]
    seed: u64,
    #[serde(borrow)]
    faults: Vec<&'a RawValue>,
}

impl Schedule {
    /// Reads a schedule for a cluster of `nodes` nodes.
    pub fn load(path: &Path, nodes: usize) -> Result<Self, ScheduleError> {
        let text = fs::read_to_string(path).map_err(|source| ScheduleError::Io {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(path, &text, nodes)
    }

    /// Reads the text of a schedule for a cluster of `nodes` nodes; `path` is
    /// what errors call it.
    pub fn parse(path: &Path, text: &str, nodes: usize) -> Result<Self, ScheduleError> {
        let malformed = |(line, column), expected| ScheduleError::Malformed {
            path: path.to_owned(),
            line,
            column,
            expected,
        };
        let file: File<'_> = serde_json::from_str(text)
            .map_err(|e| malformed((e.line(), e.column()), explain("a schedule", &e)))?;
        let mut faults = Vec::new();
        for raw in file.faults {
            let start = position(text, raw.get());
            let fault = serde_json::from_str(raw.get())
                .map_err(|e| malformed(within(start, &e), explain("a fault", &e)))?;
            faults.push(check(fault, nodes).map_err(|expected| malformed(start, expected))?);
        }
        faults.sort_by_key(|fault| fault.at);
        Ok(Schedule {
            seed: file.seed,
            faults,
        })
    }
}

/// Where `part` begins in the text that it was borrowed from.
fn position(text: &str, part: &str) -> (usize, usize) {
    let before = &text[..part.as_ptr().addr() - text.as_ptr().addr()];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    )
}

/// Where an error is in the whole, given where its part begins.
fn within((line, column): (usize, usize), error: &serde_json::Error) -> (usize, usize) {
    match error.line() {
        0 | 1 => (line, column + error.column().saturating_sub(1)),
        later => (line + later - 1, error.column()),
    }
}

/// What was expected, without the position that serde_json puts behind it.
fn explain(what: &str, error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(said, _)| said);
    match message.starts_with("expected ") {
        true => message.to_owned(),
        false => format!("expected {what}; {message}"),
    }
}

/// Refuses a fault that no cluster of `nodes` nodes could take, and completes
/// what a person may leave out.
fn check(mut fault: ScheduledFault, nodes: usize) -> Result<ScheduledFault, String> {
    if let Targets::Nodes(list) = &fault.targets {
        if list.is_empty() {
            return Err("expected at least one target, found []".to_owned());
        }
        if let Some(stranger) = list.iter().find(|node| usize::from(**node) > nodes) {
            let (found, last) = (node_name(*stranger), node_name(nodes as Node));
            return Err(format!("expected a node of n1 to {last}, found {found}"));
        }
    }
    match (fault.fault, &fault.crash) {
        (FaultKind::CrashAt, Some(place)) if place.ordinal > 0 => {}
        (FaultKind::CrashAt, _) => {
            let known: Vec<&str> = CrashAfter::ALL.iter().map(|after| after.name()).collect();
            return Err(format!(
                "expected `crash`: its `ordinal` from 1, and `after` one of {}",
                known.join(", ")
            ));
        }
        (kind, Some(_)) => {
            return Err(format!(
                "expected no `crash` of a {kind}: only crash-at has one"
            ));
        }
        (_, None) => {}
    }
    match (fault.fault, fault.shape) {
        (FaultKind::Partition, Some(shape)) => {
            check_side(shape, &fault.targets, nodes)?;
            fault.cut.get_or_insert(Cut::Hold);
        }
        (FaultKind::Partition, None) => {
            let known: Vec<&str> = Shape::ALL.iter().map(|shape| shape.name()).collect();
            return Err(format!(
                "expected the partition's `shape`: one of {}",
                known.join(", ")
            ));
        }
        (kind, shape) => {
            let stray = shape.map(|_| "shape").or(fault.cut.map(|_| "cut"));
            if let Some(stray) = stray {
                return Err(format!(
                    "expected no `{stray}` of a {kind}: only a partition has one"
                ));
            }
            check_targets(kind, &fault.targets)?;
        }
    }
    Ok(fault)
}

/// Refuses more nodes than a fault can hit at once.
fn check_targets(kind: FaultKind, targets: &Targets) -> Result<(), String> {
    let is_one = matches!(targets, Targets::Nodes(list) if list.len() == 1);
    let (fits, expected) = match kind {
        FaultKind::Membership => (
            is_one || *targets == Targets::Role(Role::Leader),
            "one node or \"leader\"",
        ),
        FaultKind::Transfer => (is_one, "one node, the one that is to lead,"),
        _ => return Ok(()),
    };
    match fits {
        true => Ok(()),
        false => Err(format!(
            "expected {expected} as targets of a {kind}, found {targets}"
        )),
    }
}

fn check_side(shape: Shape, targets: &Targets, nodes: usize) -> Result<(), String> {
    let Some(sizes) = shape.side_sizes(nodes) else {
        return Err(format!(
            "expected a shape that {} can have, found {shape}",
            counted(nodes)
        ));
    };
    if let Some(role) = shape.role() {
        return match *targets == Targets::Role(role) {
            true => Ok(()),
            false => Err(format!(
                "expected targets \"{role}\" for {shape}, found {targets}"
            )),
        };
    }
    match (shape, targets) {
        (Shape::Bridge, Targets::Nodes(list)) if list.len() == 1 => Ok(()),
        (Shape::Bridge, other) => Err(format!(
            "expected the one node that a {shape} leaves its links, found {other}"
        )),
        // Either side may be named, so the larger one too.
        (_, Targets::Nodes(list))
            if sizes.contains(&list.len()) || sizes.contains(&(nodes - list.len())) =>
        {
            Ok(())
        }
        (_, other) => Err(format!(
            "expected the nodes of one side of {shape}: {} to {} of {nodes}, found {other}",
            sizes.start(),
            sizes.end()
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn error(text: &str) -> String {
        Schedule::parse(Path::new("s.json"), text, 5)
            .unwrap_err()
            .to_string()
    }

    fn error_of_fault(fault: &str) -> String {
        error(&format!("{{\"seed\": 1, \"faults\": [\n  {fault}\n]}}"))
    }

    #[test]
    fn a_schedule_by_hand_may_leave_out_what_has_a_default() {
        let text = r#"{"faults": [
            {"at": "2s", "for": 500, "fault": "partition", "shape": "halves", "targets": ["n2", "n1"]},
            {"at": "300ms", "for": "1.5s", "fault": "kill", "targets": "leader"}
        ]}"#;
        let schedule = Schedule::parse(Path::new("s.json"), text, 5).unwrap();
        assert_eq!(schedule.seed, 0);
        assert_eq!(schedule.faults[0].fault, FaultKind::Kill);
        assert_eq!(schedule.faults[1].cut, Some(Cut::Hold));
        assert_eq!(schedule.faults[1].targets, Targets::Nodes(vec![1, 2]));
        assert_eq!(schedule.end(), Duration::from_millis(2_500));
    }

    #[test]
    fn a_role_is_read_as_it_is_written() {
        for role in Role::ALL {
            let fault = format!(r#"{{"at":"1s","for":"2s","fault":"kill","targets":"{role}"}}"#);
            let text = format!("{{\n  \"seed\": 3,\n  \"faults\": [\n    {fault}\n  ]\n}}\n");
            let schedule = Schedule::parse(Path::new("s.json"), &text, 5).unwrap();
            assert_eq!(schedule.faults[0].targets, Targets::Role(*role));
            assert_eq!(schedule.to_json(), text);
        }
    }

    #[test]
    fn an_error_names_the_place_and_what_was_expected() {
        let cases = [
            (
                r#"{"at":"1s","for":"1s","fault":"flood","targets":"all"}"#,
                "s.json:2:39: expected a fault, one of kill, pause, partition, crash-at, membership, transfer, compact; found \"flood\"",
            ),
            (
                r#"{"at":"1s","for":"1s","fault":"kill","targets":["n9"]}"#,
                "s.json:2:3: expected a node of n1 to n5, found n9",
            ),
            (
                r#"{"at":"1s","for":"1s","fault":"kill","targets":[]}"#,
                "s.json:2:3: expected at least one target, found []",
            ),
            (
                r#"{"at":"1s","for":"1s","fault":"partition","targets":["n1"]}"#,
                "s.json:2:3: expected the partition's `shape`: one of isolate-one, isolate-leader, isolate-coordinator, majority-minority, halves, bridge",
            ),
            (
                r#"{"at":"1s","for":"1s","fault":"partition","shape":"bridge","targets":["n1","n2"]}"#,
                "s.json:2:3: expected the one node that a bridge leaves its links, found n1,n2",
            ),
            (
                r#"{"at":"1s","for":"1s","fault":"partition","shape":"isolate-one","targets":["n1","n2"]}"#,
                "s.json:2:3: expected the nodes of one side of isolate-one: 1 to 1 of 5, found n1,n2",
            ),
            (
                r#"{"at":"1s","for":"1s","fault":"pause","shape":"halves","targets":["n1"]}"#,
                "s.json:2:3: expected no `shape` of a pause: only a partition has one",
            ),
            (
                r#"{"at":"1s","for":"1s","fault":"crash-at","targets":["n1"]}"#,
                "s.json:2:3: expected `crash`: its `ordinal` from 1, and `after` one of send, answer, early-send, early-answer, persist, persist-asked",
            ),
            (
                r#"{"at":"1s","for":"1s","fault":"kill","crash":{"after":"send","ordinal":1},"targets":["n1"]}"#,
                "s.json:2:3: expected no `crash` of a kill: only crash-at has one",
            ),
            (
                r#"{"at":"1s","for":"1s","fault":"membership","targets":"all"}"#,
                "s.json:2:3: expected one node or \"leader\" as targets of a membership, found all",
            ),
            (
                r#"{"at":"1s","for":"1s","fault":"membership","targets":"coordinator"}"#,
                "s.json:2:3: expected one node or \"leader\" as targets of a membership, found coordinator",
            ),
            (
                r#"{"at":"1s","for":"1s","fault":"partition","shape":"isolate-coordinator","targets":"leader"}"#,
                "s.json:2:3: expected targets \"coordinator\" for isolate-coordinator, found leader",
            ),
            (
                r#"{"at":"1s","for":"1s","fault":"partition","shape":"isolate-leader","targets":["n1"]}"#,
                "s.json:2:3: expected targets \"leader\" for isolate-leader, found n1",
            ),
            (
                r#"{"at":"1s","for":"1s","fault":"partition","shape":"halves","targets":"prepared"}"#,
                "s.json:2:3: expected the nodes of one side of halves: 2 to 2 of 5, found prepared",
            ),
            (
                r#"{"at":"1s","for":"1s","fault":"transfer","targets":"leader"}"#,
                "s.json:2:3: expected one node, the one that is to lead, as targets of a transfer, found leader",
            ),
        ];
        for (fault, expected) in cases {
            assert_eq!(error_of_fault(fault), expected);
        }
        let wrong_time =
            error_of_fault(r#"{"at":"soon","for":"1s","fault":"kill","targets":"all"}"#);
        assert!(wrong_time.starts_with("s.json:2:"), "{wrong_time}");
        assert!(
            wrong_time.contains("expected a length of time"),
            "{wrong_time}"
        );
        let wrong_word =
            error_of_fault(r#"{"at":"1s","for":"1s","fault":"kill","targets":"boss"}"#);
        let known = r#"targets: "leader", "coordinator", "prepared", "all" or a list of nodes"#;
        assert!(wrong_word.contains(known), "{wrong_word}");
        assert!(error("{\"seed\": 1").starts_with("s.json:1:10: expected a schedule; EOF"));
        assert!(error("{}").contains("missing field `faults`"));
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Schedule::load(Path::new("/no/such/schedule.json"), 5).unwrap_err();
        assert_eq!(
            error.to_string(),
            "read the schedule /no/such/schedule.json"
        );
    }
}
