//! What a campaign must find beside a history that fits no order: a node that
//! ends or panics unasked, and replicas that differ.
//!
//! None of the wrong versions does these in every run. So these tests spoil a
//! node from outside: they kill it, or rewrite its data while a fault of the
//! schedule keeps it down.

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::{history_with_lines, node_processes, object, start, until};
use tempfile::TempDir;
use tribunal_impls::runtime::{CHECKPOINT_BYTES, Identity, Journal, JournalError};
use tribunal_protocol::NodeId;
use tribunal_protocol::object::{Call, Operation};
use tribunal_protocol::raft::{Command, Raft, Record};

/// One kill, long enough for a test to do something meanwhile.
const N2_IS_DOWN: &str = r#"{"faults":[{"at":"1s","for":"5s","fault":"kill","targets":["n2"]}]}"#;

/// The report of a campaign whose node n2 forgets everything and remembers
/// what `spoil` makes of its log, while it is down.
fn with_n2_spoilt(spoil: impl FnOnce(&mut Journal<Raft>)) -> (Option<i32>, Value) {
    let out = tempfile::tempdir().expect("a folder");
    let path = out.path().to_string_lossy();
    let schedule = out.path().join("kill-n2.json");
    fs::write(&schedule, N2_IS_DOWN).expect("the folder is mine");
    let harness = start(
        &[
            &[
                "run", "raft", "--nodes", "3", "--rate", "200", "--time", "8s",
            ],
            &["--schedule", &schedule.to_string_lossy(), "--out", &path][..],
        ]
        .concat(),
    );
    let history = history_with_lines(out.path(), 200).expect("a history");
    let down = || node_processes(out.path()).len() == 2 && says_begin(&history);
    assert!(until(Duration::from_secs(20), down), "n2 was not killed");
    let run = out.path().join("latest").canonicalize().expect("a run");
    let name = run.file_name().expect("a name").to_string_lossy();
    let cluster = format!("{name}-{}", harness.id());
    let identity = Identity::new::<Raft>(&cluster, NodeId(2));
    let data = run.join("nodes/2/data");
    let mut journal = Journal::<Raft>::open(&data, &identity, CHECKPOINT_BYTES);
    // A process that was killed is gone from sight before its locks are.
    until(Duration::from_secs(2), || {
        if let Err(JournalError::Locked { .. }) = journal {
            journal = Journal::open(&data, &identity, CHECKPOINT_BYTES);
        }
        !matches!(journal, Err(JournalError::Locked { .. }))
    });
    spoil(&mut journal.expect("n2 is down, and its data is here"));
    let output = harness.wait_with_output().expect("the harness ends");
    assert!(node_processes(out.path()).is_empty());
    (
        output.status.code(),
        object(&String::from_utf8_lossy(&output.stdout)),
    )
}

/// Whether the nemesis has begun.
fn says_begin(history: &Path) -> bool {
    fs::read_to_string(history).is_ok_and(|text| text.contains(r#""edge":"begin""#))
}

/// What one checker concluded.
fn check<'a>(report: &'a Value, checker: &str) -> &'a Value {
    let checks = report["checks"].as_array().expect("checks");
    let mine = checks.iter().find(|check| check["checker"] == checker);
    mine.unwrap_or_else(|| panic!("no {checker}: {report}"))
}

#[test]
fn replicas_that_differ_at_one_position_are_invalid() {
    let (code, report) = with_n2_spoilt(|journal| {
        let mut entries = journal.durable().log.entries().to_vec();
        let write = entries
            .iter_mut()
            .find_map(|entry| match &mut entry.command {
                Command::Call(Call::Execute {
                    operation: Operation::Write { key, .. },
                    ..
                }) => Some(key),
                _ => None,
            });
        // A key that no client asks for, so that nothing covers it up.
        *write.expect("a write was replicated") = u64::from(u32::MAX);
        let persist = vec![Record::TruncateFrom(1), Record::Append(entries)];
        journal.append(&[persist]).expect("the disk is fine");
    });
    assert_eq!(code, Some(1), "{report}");
    assert_eq!(report["verdict"], "invalid");
    let digest = check(&report, "digest");
    assert_eq!(digest["verdict"], "invalid", "{report}");
    let witness = digest["witness"].as_array().expect("two replicas");
    assert_eq!(witness[0]["applied"], witness[1]["applied"]);
    assert_ne!(witness[0]["digest"], witness[1]["digest"]);
    assert!(
        witness.iter().any(|replica| replica["node"] == "n2"),
        "{digest}"
    );
}

#[test]
#[cfg_attr(
    not(debug_assertions),
    ignore = "a term that overflows panics in debug builds only"
)]
fn a_node_that_panics_unasked_is_invalid() {
    let (code, report) = with_n2_spoilt(|journal| {
        let vote = Record::Vote {
            term: u64::MAX,
            vote: None,
        };
        journal.append(&[vec![vote]]).expect("the disk is fine");
    });
    assert_eq!(code, Some(1), "{report}");
    let crash = check(&report, "crash");
    assert_eq!(crash["verdict"], "invalid", "{report}");
    let lines = crash["witness"]["lines"].to_string();
    assert!(lines.contains("panicked at"), "{crash}");
}

#[test]
fn a_node_that_ends_unasked_is_invalid() {
    let (code, report) = with_a_node_signalled(Signal::SIGABRT);
    assert_eq!(code, Some(1), "{report}");
    let crash = check(&report, "crash");
    assert_eq!(crash["verdict"], "invalid", "{report}");
    assert!(
        crash["witness"]["exit"].to_string().contains("SIGABRT"),
        "{crash}"
    );
}

#[test]
fn a_node_that_somebody_else_ends_is_unknown() {
    let (code, report) = with_a_node_signalled(Signal::SIGTERM);
    assert_eq!(code, Some(2), "{report}");
    let crash = check(&report, "crash");
    assert_eq!(crash["verdict"], "unknown", "{report}");
    let reason = crash["reason"].to_string();
    assert!(
        reason.contains("exited with code 143: a signal from another process"),
        "{crash}"
    );
}

/// A run without faults, one node of which gets a signal that its harness did
/// not send: the exit code, and the report.
fn with_a_node_signalled(signal: Signal) -> (Option<i32>, Value) {
    let out: TempDir = tempfile::tempdir().expect("a folder");
    let path = out.path().to_string_lossy();
    let harness = start(&[
        "run", "raft", "--nodes", "3", "--rate", "200", "--time", "4s", "--faults", "none",
        "--out", &path,
    ]);
    history_with_lines(out.path(), 200).expect("a history");
    let victim = node_processes(out.path())[0];
    kill(Pid::from_raw(victim as i32), signal).expect("the node lives");
    let output = harness.wait_with_output().expect("the harness ends");
    let report = object(&String::from_utf8_lossy(&output.stdout));
    (output.status.code(), report)
}
