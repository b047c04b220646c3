//! The answer of `tribunal simulate`.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};
use tabled::builder::Builder;
use tribunal_models::report::{PropertyReport, PropertyResult, Verdict};
use tribunal_models::simulate::{Failing, Fault, Report};
use tribunal_models::tally::Kind;

use crate::check::seconds;
use crate::check::show::{path, properties, property, reason, table};
use crate::exit::Conclusion;

/// The answer, for `--format json`. Whatever depends on the machine's speed
/// has `second` in its name.
#[derive(Serialize)]
pub struct Answer {
    command: &'static str,
    verdict: Conclusion,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    seconds: f64,
    seeds_per_second: f64,
    steps_per_second: f64,
    system: &'static str,
    bug: Option<&'static str>,
    seeds: Value,
    steps: u64,
    virtual_time: f64,
    digest: String,
    operations: Value,
    faults: Vec<Value>,
    coverage: Value,
    healed: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    failing: Option<Value>,
    properties: Vec<Value>,
    repeat: String,
}

impl Answer {
    /// The answer that a report gives.
    pub fn new(report: &Report, verdict: Conclusion, repeat: &str) -> Self {
        let counts = &report.counts;
        let [ok, open, failed] = counts.operations;
        Answer {
            command: "simulate",
            verdict,
            reason: reason(&report.verdict),
            seconds: report.time.as_secs_f64(),
            seeds_per_second: report.seeds_per_second(),
            steps_per_second: report.steps_per_second(),
            system: report.system,
            bug: report.bug,
            seeds: json!({
                "first": report.seeds.first,
                "last": report.seeds.last,
                "run": report.seeds_run,
            }),
            steps: counts.steps,
            virtual_time: virtual_time(counts.virtual_micros).as_secs_f64(),
            digest: format!("{:016x}", report.digest),
            operations: json!({ "ok": ok, "open": open, "fail": failed }),
            faults: faults(report).map(fault).collect(),
            coverage: coverage(report),
            healed: json!({
                "runs": counts.healed,
                "slowest": virtual_time(counts.healed_slowest).as_secs_f64(),
            }),
            failing: report.failing.as_ref().map(failing),
            properties: report.properties.iter().map(property).collect(),
            repeat: repeat.to_owned(),
        }
    }
}

fn virtual_time(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

/// Every kind of fault that some seed drew: how often it struck, and how
/// often that made a difference.
fn faults(report: &Report) -> impl Iterator<Item = (Fault, u64, u64)> {
    let counts = report.counts.faults;
    let all = Fault::ALL.into_iter().zip(counts);
    all.filter(|(_, (struck, _))| *struck > 0)
        .map(|(fault, (struck, effective))| (fault, struck, effective))
}

fn fault((fault, struck, effective): (Fault, u64, u64)) -> Value {
    json!({ "fault": fault.name(), "struck": struck, "effective": effective })
}

/// Every kind of action that was taken.
fn actions(report: &Report) -> impl Iterator<Item = (&'static str, u64)> {
    let all = Kind::ALL.into_iter().zip(report.counts.actions);
    all.filter(|(_, count)| *count > 0)
        .map(|(kind, count)| (kind.name(), count))
}

fn coverage(report: &Report) -> Value {
    let actions: Map<_, _> = actions(report)
        .map(|(name, count)| (name.to_owned(), json!(count)))
        .collect();
    let goals = report.properties.iter();
    let goals: Map<_, _> = goals
        .filter_map(|goal| Some((goal.name.to_owned(), json!(goal.count?))))
        .collect();
    json!({ "actions": actions, "goals": goals })
}

fn failing(failing: &Failing) -> Value {
    let conditions = failing.conditions.iter();
    let conditions: Map<_, _> = conditions
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    json!({ "seed": failing.seed, "steps": failing.drawn, "conditions": conditions })
}

/// The answer for people.
pub fn human(report: &Report, repeat: &str) -> String {
    let mut text = format!("{}\n\n", title(report));
    text += &table(properties(&report.properties, "seeds"));
    text += &table(figures(report));
    text += &table(happened(report));
    let violated = violated(report);
    if let (Some(failing), Some(property)) = (&report.failing, violated) {
        writeln!(text, "seed {} drew", failing.seed).expect("writing to a string");
        text += &table(drawn(failing, property));
        text += &path(property);
    }
    text += &conclusion(report);
    if report.verdict == Verdict::Invalid {
        // The last line of a refutation, ready to be copied.
        write!(text, "\n{repeat}").expect("writing to a string");
    }
    text
}

fn violated(report: &Report) -> Option<&PropertyReport> {
    let mut properties = report.properties.iter();
    properties.find(|property| property.result == PropertyResult::Violated)
}

fn title(report: &Report) -> String {
    let bug = report.bug.map(|bug| format!(", wrong version {bug}"));
    let bug = bug.unwrap_or_default();
    format!("{}{bug}, simulated: seeds {}", report.system, report.seeds)
}

fn figures(report: &Report) -> Builder {
    let counts = &report.counts;
    let [ok, open, failed] = counts.operations;
    let mut rows = Builder::new();
    let mut row = |name: &str, value: String| rows.push_record([name.to_owned(), value]);
    let (seeds, steps) = (report.seeds_per_second(), report.steps_per_second());
    row("seeds", format!("{} run, {seeds:.0}/s", report.seeds_run));
    row("steps", format!("{}, {steps:.0}/s", counts.steps));
    row("time", seconds(report.time));
    row("virtual time", seconds(virtual_time(counts.virtual_micros)));
    row(
        "operations",
        format!("{ok} answered, {open} open, {failed} failed"),
    );
    let slowest = seconds(virtual_time(counts.healed_slowest));
    let healed = format!(
        "{} got an operation done, in {slowest} at most",
        counts.healed
    );
    row("healed cores", healed);
    row("digest", format!("{:016x}", report.digest));
    rows
}

fn happened(report: &Report) -> Builder {
    let mut rows = Builder::new();
    for (fault, struck, effective) in faults(report) {
        let detail = format!("{struck} times, {effective} with an effect");
        rows.push_record([format!("fault {}", fault.name()), detail]);
    }
    for (name, count) in actions(report) {
        rows.push_record([name.to_owned(), format!("{count} times")]);
    }
    rows
}

fn drawn(failing: &Failing, property: &PropertyReport) -> Builder {
    let mut rows = Builder::new();
    for (name, value) in &failing.conditions {
        rows.push_record([(*name).to_owned(), value.clone()]);
    }
    let shorter = format!(
        "{}, of which {} suffice",
        failing.drawn,
        property.path.len()
    );
    rows.push_record(["steps".to_owned(), shorter]);
    rows
}

fn conclusion(report: &Report) -> String {
    match &report.verdict {
        Verdict::Valid => "valid: every state of these seeds".to_owned(),
        Verdict::Invalid => "invalid".to_owned(),
        Verdict::Unknown(reason) => format!("unknown: {reason}"),
    }
}
