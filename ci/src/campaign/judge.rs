//! What the record of a run says about the system: one function per checker.
//!
//! | checker | invalid | unknown |
//! |---|---|---|
//! | `linearizability` | some key's operations fit no order | a limit of time or memory |
//! | `isolation` | no order of the transactions explains what they read | – |
//! | `bank` | a read of all accounts finds another total, or an overdrawn one | – |
//! | `termination` | a transaction was not over long after the heal | a node could not be asked |
//! | `detection` | who failed is not suspected, or somebody else for ever | a node could not be asked |
//! | `local-reads` | a read is not what it says it is | – |
//! | `digest` | two replicas differ at one position | replicas stayed apart |
//! | `crash` | a node ended or panicked unasked | a node was ended by somebody else |
//! | `activity` | – | too little happened |
//!
//! Reads files, starts nothing.

use std::fs::File;
use std::io::{BufRead, BufReader};

use serde_json::json;
use tribunal_nemesis::FaultKind;
use tribunal_nemesis::process::ExitEvent;

use super::conduct::Record;
use super::config::Campaign;
use super::digests::Digests;
use super::doubts::{self, Termination};
use super::folder::Folder;
use super::report::Check;
use crate::exit::Conclusion;
use crate::units::Human;

/// What a Rust program writes when it panics; other runtimes end instead,
/// which is seen without reading logs.
const PANIC: &str = "panicked at";

/// How many lines from a panic on are worth showing.
const PANIC_LINES: usize = 12;

/// A node must neither end nor panic unless it is asked to.
pub fn crash(record: &Record, folder: &Folder, nodes: u8) -> Check {
    let about = format!("no node of {nodes} ended or panicked unasked");
    let mut own = record
        .exits
        .iter()
        .filter(|event| !event.exit.from_outside());
    if let Some(event) = own.next() {
        return crashed(event, 1 + own.count());
    }
    for node in 1..=nodes {
        let log = folder.node(node).join("log");
        if let Some(lines) = panic_in(&log) {
            let shown = format!(
                "n{node} panicked; {} says:\n{}",
                log.display(),
                lines.join("\n")
            );
            let witness =
                json!({ "node": format!("n{node}"), "exit": null, "log": log, "lines": lines });
            return Check::invalid("crash", format!("n{node} panicked"), witness, shown);
        }
    }
    match record.exits.first() {
        Some(ended) => Check::unknown("crash", about, ended_by_others(ended)),
        None => Check::valid("crash", about),
    }
}

/// That tells nothing of the system.
fn ended_by_others(event: &ExitEvent) -> String {
    let node = tribunal_nemesis::node_name(event.node);
    format!(
        "{node} {}: a signal from another process, or from the kernel for want of memory",
        event.exit
    )
}

fn crashed(event: &ExitEvent, count: usize) -> Check {
    let node = tribunal_nemesis::node_name(event.node);
    let about = match count {
        1 => format!("{node} {} unasked", event.exit),
        _ => format!(
            "{node} {} unasked, the first of {count} such ends",
            event.exit
        ),
    };
    // Where backtraces are on, the last lines say anything but why.
    let lines = panic_in(&event.log).unwrap_or_else(|| event.last_lines.clone());
    let shown = format!(
        "{node} {}; the last it said in {}:\n{}",
        event.exit,
        event.log.display(),
        lines.join("\n")
    );
    let witness = json!({
        "node": node,
        "exit": event.exit.to_string(),
        "log": event.log,
        "lines": lines,
    });
    Check::invalid("crash", about, witness, shown)
}

/// The lines of a log from its first panic on.
fn panic_in(log: &std::path::Path) -> Option<Vec<String>> {
    // A log that is not there holds no panic; the node's absence shows elsewhere.
    let lines = BufReader::new(File::open(log).ok()?)
        .lines()
        .map_while(Result::ok);
    let found: Vec<String> = lines
        .skip_while(|line| !line.contains(PANIC))
        .take(PANIC_LINES)
        .collect();
    (!found.is_empty()).then_some(found)
}

/// What was seen while the history was recorded must show in the whole of it; a
/// checker that contradicts itself has shown nothing.
pub fn agree(record: &Record, checks: &mut [Check]) {
    let online = record.online.as_ref();
    let Some((key, event)) = online.and_then(|seen| seen.violation.as_ref()) else {
        return;
    };
    for check in checks.iter_mut() {
        if check.checker == "linearizability" && check.verdict == Conclusion::Valid {
            let why = format!(
                "the checker contradicts itself: while it was recorded, no order of key {key} \
                 was left at event {event}"
            );
            *check = Check::unknown("linearizability", check.about.clone(), why);
        }
    }
}

/// Replicas at equal positions must have equal digests. None where there is
/// nothing to compare.
pub fn digest(record: &Record) -> Option<Check> {
    match &record.digests {
        Digests::NotAsked | Digests::NothingToCompare => None,
        Digests::Equal(replicas) => {
            let (count, applied) = (replicas.len(), replicas[0].applied);
            Some(Check::valid(
                "digest",
                format!("{count} replicas equal at position {applied}"),
            ))
        }
        Digests::Different(one, other) => {
            let shown = format!(
                "at position {} the replica of {} has digest {:016x}, that of {} has {:016x}",
                one.applied, one.node, one.digest, other.node, other.digest
            );
            Some(Check::invalid(
                "digest",
                shown.clone(),
                json!([one, other]),
                shown,
            ))
        }
        Digests::Apart(replicas, silent) => {
            let mut where_they_are: Vec<String> = replicas
                .iter()
                .map(|r| format!("{} at {}", r.node, r.applied))
                .collect();
            if *silent > 0 {
                where_they_are.push(format!("{silent} silent"));
            }
            let reason = format!(
                "the replicas did not come to one position after the load: {}",
                where_they_are.join(", ")
            );
            Some(Check::unknown("digest", "replicas compared", reason))
        }
    }
}

/// What was in doubt must be decided once everything is healed. None where
/// there are no transactions, or no load began.
pub fn termination(record: &Record) -> Option<Check> {
    let whole = record.exits.is_empty() && record.healing.unhealed.is_empty();
    let found = match whole {
        true => &record.termination,
        // Whoever is gone may be the one who knows.
        false => &Termination::NotAsked,
    };
    Some(doubts::check(found, record.blocked.as_ref()?))
}

/// A run in which too little happened says nothing.
pub fn activity(record: &Record, campaign: &Campaign, requested: &[FaultKind]) -> Check {
    let mut missing = Vec::new();
    let operations = record.trial.meter().operations();
    for f in campaign.workload().operations {
        if !operations
            .iter()
            .any(|operation| operation.f == *f && operation.counts.ok > 0)
        {
            missing.push(format!("no {f} took effect"));
        }
    }
    for kind in requested {
        let mut mine = record.faults.iter().filter(|fault| fault.fault == *kind);
        if !mine.clone().any(|fault| fault.effective) {
            let why = mine.find_map(|fault| fault.reason.clone());
            let why = why.map_or_else(String::new, |why| format!(" ({why})"));
            missing.push(format!("no {kind} took effect{why}"));
        }
    }
    if !record.interrupted {
        missing.extend(
            record
                .healing
                .unhealed
                .iter()
                .map(|what| format!("not healed: {what}")),
        );
        missing.extend(unsettled(record));
    } else {
        let why = "interrupted: what was recorded was judged, and nothing after it happened";
        missing.push(why.to_owned());
    }
    let about = about_activity(record);
    match missing.is_empty() {
        true => Check::valid("activity", about),
        false => Check::unknown("activity", about, missing.join("; ")),
    }
}

fn unsettled(record: &Record) -> Option<String> {
    if record.never_served.is_some() {
        return record.never_served.clone();
    }
    if record.recovered.is_none() {
        return Some("the healed cluster did not serve again in time".to_owned());
    }
    let unanswered = record.unanswered_reads.filter(|count| *count > 0)?;
    Some(format!("{unanswered} final reads had no answer in time"))
}

fn about_activity(record: &Record) -> String {
    let effective = record.faults.iter().filter(|fault| fault.effective).count();
    let mut about = format!(
        "{} operations took effect, {effective} of {} faults",
        record.trial.meter().all().ok,
        record.faults.len()
    );
    if let Some(recovered) = record.recovered {
        about += &format!(", served again {} after the heal", Human(recovered));
    }
    about
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_found_in_a_log() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            file.path(),
            "fine\nthread 'main' panicked at x.rs:1:\nboom\n",
        )
        .unwrap();
        assert_eq!(panic_in(file.path()).unwrap().len(), 2);
        std::fs::write(file.path(), "fine\n").unwrap();
        assert_eq!(panic_in(file.path()), None);
    }
}
