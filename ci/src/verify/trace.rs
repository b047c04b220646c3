//! `tribunal verify RUN --trace`: what the nodes of a run did, held against
//! their machine; see [`tribunal_impls::trace`].

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use tabled::builder::Builder;
use tabled::settings::Style;
use tribunal_impls::trace::replay::Tally;
use tribunal_impls::trace::{Judged, TraceError, Violation};
use tribunal_protocol::NodeId;

use super::{Report, SetAside, finish, of_all};
use crate::campaign;
use crate::campaign::folder::trace_of;
use crate::exit::{Conclusion, usage};
use crate::output::Format;
use crate::systems;
use crate::units::Human;

/// What was concluded about one.
#[derive(Debug, Serialize)]
struct Row {
    file: PathBuf,
    system: String,
    /// Steps of all machines.
    operations: usize,
    starts: usize,
    states: usize,
    outputs: usize,
    persists: usize,
    checker: &'static str,
    verdict: Conclusion,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    seconds: f64,
    witness: Option<Violation>,
}

impl super::Judged for Row {
    fn verdict(&self) -> Conclusion {
        self.verdict
    }

    fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

/// Judges the traces of runs and prints what was concluded.
pub fn run(runs: &[PathBuf], format: Format) -> anyhow::Result<Conclusion> {
    let begun = Instant::now();
    let mut set_aside = SetAside::of(runs.len());
    let mut rows = Vec::new();
    for run in runs {
        rows.extend(set_aside.unless_read(judge(run))?);
    }
    let report = of_all(begun, rows);
    finish(format, &report, &set_aside, show, files)
}

fn judge(run: &Path) -> anyhow::Result<Row> {
    let begun = Instant::now();
    let campaign = campaign::recorded(run, "verify --trace")?;
    if !campaign.trace {
        return Err(usage(format!(
            "{}: the run recorded no traces; try `tribunal run {} --trace`",
            run.display(),
            campaign.system
        )));
    }
    let nodes = 1..=campaign.nodes;
    let traces: BTreeMap<NodeId, PathBuf> = nodes
        .map(|node| (NodeId(node), trace_of(run, node)))
        .collect();
    let system = systems::served(&campaign.system)?;
    let judged = system.judge_traces(&traces).map_err(|error| match &error {
        TraceError::Io { source, .. } => usage(format!("cannot {error}: {source}")),
        _ => usage(error.to_string()),
    })?;
    let (verdict, reason) = conclude(&judged);
    let total = |of: fn(&Tally) -> usize| judged.nodes.values().map(of).sum();
    Ok(Row {
        file: run.to_owned(),
        system: campaign.system,
        operations: judged.steps(),
        starts: total(|tally| tally.starts),
        states: total(|tally| tally.states),
        outputs: total(|tally| tally.outputs),
        persists: total(|tally| tally.persists),
        checker: "trace",
        verdict,
        reason,
        seconds: begun.elapsed().as_secs_f64(),
        witness: judged.violation,
    })
}

fn conclude(judged: &Judged) -> (Conclusion, Option<String>) {
    if judged.violation.is_some() {
        return (Conclusion::Invalid, None);
    }
    let idle = judged.nodes.iter().find(|(_, tally)| tally.steps == 0);
    match idle {
        Some((node, _)) => {
            let reason = format!("{node} took no step, so there was nothing to judge of it");
            (Conclusion::Unknown, Some(reason))
        }
        None => (Conclusion::Valid, None),
    }
}

/// The report for people.
fn show(report: &Report<Row>) -> String {
    let rows = &report.own.files;
    let invalid = rows.iter().find(|row| row.witness.is_some());
    let again = invalid.map_or_else(String::new, |row| {
        format!("\nagain:   tribunal verify {} --trace", row.file.display())
    });
    format!("{}\nverdict: {}{again}", files(rows), report.verdict)
}

/// Each run with what was concluded of it.
fn files(files: &[Row]) -> String {
    let mut rows = Builder::default();
    rows.push_record([
        "run", "starts", "steps", "states", "outputs", "persists", "time", "verdict",
    ]);
    for row in files {
        rows.push_record([
            row.file.display().to_string(),
            row.starts.to_string(),
            row.operations.to_string(),
            row.states.to_string(),
            row.outputs.to_string(),
            row.persists.to_string(),
            Human(Duration::from_secs_f64(row.seconds)).to_string(),
            row.verdict.to_string(),
        ]);
    }
    let mut text = format!("{}\n", rows.build().with(Style::blank()));
    for row in files {
        let name = row.file.display();
        if let Some(violation) = &row.witness {
            let _ = writeln!(
                text,
                "\n{name}: {} and its runtime disagree: {violation}",
                row.system
            );
        }
        if let Some(reason) = &row.reason {
            let _ = writeln!(text, "\n{name}: unknown: {reason}");
        }
    }
    text
}
