//! The answer of `tribunal simulate`.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};
use tabled::builder::Builder;
use tribunal_models::report::{PropertyReport, PropertyResult};
use tribunal_models::simulate::{Failing, Fault, Report};
use tribunal_models::tally::Kind;

use crate::check::seconds;
use crate::check::show::{coverage, ending, happened, judged, path, properties, property, table};
use crate::output::Answer;

/// What is a simulation's own in the answer for `--format json`. Whatever
/// depends on the machine's speed has `second` in its name.
#[derive(Serialize)]
pub struct Simulated {
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

/// The answer that a report gives.
pub fn answer(report: &Report, repeat: &str) -> Answer<Simulated> {
    let counts = &report.counts;
    let [ok, open, failed] = counts.operations;
    let own = Simulated {
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
        coverage: coverage(actions(report), &report.properties),
        healed: json!({
            "runs": counts.healed,
            "slowest": virtual_time(counts.healed_slowest).as_secs_f64(),
        }),
        failing: report.failing.as_ref().map(failing),
        properties: report.properties.iter().map(property).collect(),
        repeat: repeat.to_owned(),
    };
    judged("simulate", &report.verdict, report.time, own)
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
    text += &table(events(report));
    let violated = violated(report);
    if let (Some(failing), Some(property)) = (&report.failing, violated) {
        writeln!(text, "seed {} drew", failing.seed).expect("writing to a string");
        text += &table(drawn(failing, property));
        text += &path(property);
    }
    text + &ending(&report.verdict, "every state of these seeds", "", repeat)
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

fn events(report: &Report) -> Builder {
    let mut rows = Builder::new();
    for (fault, struck, effective) in faults(report) {
        let detail = format!("{struck} times, {effective} with an effect");
        rows.push_record([format!("fault {}", fault.name()), detail]);
    }
    happened(&mut rows, actions(report));
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
