//! The answer of `tribunal check`.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};
use tabled::builder::Builder;
use tabled::settings::Style;
use tribunal_models::Report;
use tribunal_models::report::{PathStep, PropertyKind, PropertyReport, PropertyResult, Verdict};

use super::seconds;
use crate::exit::Conclusion;
use crate::output::Answer;

/// What is a check's own in the answer for `--format json`.
#[derive(Serialize)]
pub struct Checked {
    system: &'static str,
    bug: Option<&'static str>,
    host: &'static str,
    from: Option<&'static str>,
    salt: u64,
    bounds: Map<String, Value>,
    states: Value,
    depth: u64,
    memory_bytes: Option<u64>,
    collision_probability: f64,
    limits_hit: Vec<&'static str>,
    coverage: Value,
    properties: Vec<Value>,
    repeat: String,
}

/// The answer that a report gives.
pub fn answer(report: &Report, repeat: &str) -> Answer<Checked> {
    let bounds = report.bounds.iter();
    let own = Checked {
        system: report.system,
        bug: report.bug,
        host: report.host.name(),
        from: report.from,
        salt: report.salt,
        bounds: bounds
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect(),
        states: json!({
            "generated": report.states_generated,
            "unique": report.states_unique,
            "on_ways": report.states_on_ways,
        }),
        depth: report.depth,
        memory_bytes: report.memory_peak,
        collision_probability: report.collision_probability(),
        limits_hit: report.limits_hit.iter().map(|limit| limit.name()).collect(),
        coverage: coverage(actions(report), &report.properties),
        properties: report.properties.iter().map(property).collect(),
        repeat: repeat.to_owned(),
    };
    judged("check", &report.verdict, report.time, own)
}

/// The answer of a command that judges a model.
pub(crate) fn judged<T>(
    command: &'static str,
    verdict: &Verdict,
    time: Duration,
    own: T,
) -> Answer<T> {
    let (conclusion, reason) = match verdict {
        Verdict::Valid => (Conclusion::Valid, None),
        Verdict::Invalid => (Conclusion::Invalid, None),
        Verdict::Unknown(reason) => (Conclusion::Unknown, Some(reason.clone())),
    };
    Answer::new(command, conclusion, reason, time, own)
}

/// How often each kind of action was taken.
fn actions(report: &Report) -> impl Iterator<Item = (&'static str, u64)> {
    let actions = report.actions.iter();
    actions.map(|(kind, count)| (kind.name(), *count))
}

/// How often each action was taken and each goal reached, for `--format json`.
pub(crate) fn coverage(
    actions: impl Iterator<Item = (&'static str, u64)>,
    properties: &[PropertyReport],
) -> Value {
    let counted = |(name, count): (&str, u64)| (name.to_owned(), json!(count));
    let goals = properties.iter();
    let goals = goals.filter(|goal| goal.kind == PropertyKind::Sometimes);
    let goals = goals.filter_map(|goal| Some((goal.name, goal.count?)));
    json!({
        "actions": actions.map(counted).collect::<Map<_, _>>(),
        "goals": goals.map(counted).collect::<Map<_, _>>(),
    })
}

/// A property, for `--format json`.
pub(crate) fn property(property: &PropertyReport) -> Value {
    let mut object = json!({
        "name": property.name,
        "kind": property.kind.word(),
        "result": property.result.word(),
    });
    if property.result == PropertyResult::Violated {
        object["why"] = json!(property.why);
        object["shortest"] = json!(property.is_shortest);
        object["path"] = property.path.iter().map(step).collect();
    }
    object
}

fn step(step: &PathStep) -> Value {
    json!({
        "step": step.number,
        "prefix": step.prefix,
        "action": step.action,
        "changes": step.changes,
    })
}

/// The answer for people.
pub fn human(report: &Report, repeat: &str) -> String {
    let mut text = format!("{}\n\n", title(report));
    text += &table(properties(&report.properties, "states"));
    text += &table(figures(report));
    let mut rows = Builder::new();
    happened(&mut rows, actions(report));
    text += &table(rows);
    for property in report.violated() {
        text += &path(property);
    }
    let valid = "every state within these bounds";
    text + &ending(&report.verdict, valid, &missed(report), repeat)
}

fn title(report: &Report) -> String {
    let mut title = format!("{}, {} host", report.system, report.host.name());
    if let Some(bug) = report.bug {
        title += &format!(", wrong version {bug}");
    }
    if let Some(from) = report.from {
        title += &format!(", from {from}");
    }
    let bounds = report.bounds.iter().filter(|(_, value)| *value > 0);
    let bounds: Vec<String> = bounds
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    format!("{title}: {}", bounds.join(", ").replace('_', "-"))
}

/// What is known of each property; goals are counted in `reached_in`.
pub(crate) fn properties(properties: &[PropertyReport], reached_in: &str) -> Builder {
    let mut rows = Builder::new();
    for property in properties {
        let detail = match (property.kind, property.count) {
            (PropertyKind::Sometimes, Some(count)) => format!("in {count} {reached_in}"),
            (PropertyKind::Always, Some(count)) if property.why.is_none() => {
                format!("from {count} {reached_in}")
            }
            _ => property.why.clone().unwrap_or_default(),
        };
        let words = [
            property.kind.word(),
            property.result.word(),
            property.name,
            &detail,
        ];
        rows.push_record(words);
    }
    rows
}

fn figures(report: &Report) -> Builder {
    let mut rows = Builder::new();
    let mut row = |name: &str, value: String| rows.push_record([name.to_owned(), value]);
    let rate = report.states_unique as f64 / report.time.as_secs_f64().max(1e-9);
    row(
        "states",
        format!(
            "{} different, {} generated",
            report.states_unique, report.states_generated
        ),
    );
    if report.states_on_ways > 0 {
        row("states on ways", report.states_on_ways.to_string());
    }
    row("longest path", format!("{} states", report.depth));
    row(
        "time",
        format!("{}, {rate:.0} different states/s", seconds(report.time)),
    );
    if let Some(bytes) = report.memory_peak {
        row("memory", format!("{} MiB at most", bytes.div_ceil(1 << 20)));
    }
    row(
        "collisions",
        format!(
            "probability below {:.1e} that a state was overlooked",
            report.collision_probability()
        ),
    );
    let hit: Vec<String> = report
        .limits_hit
        .iter()
        .map(|limit| limit.name().replace('_', "-"))
        .collect();
    let hit = if hit.is_empty() {
        "none".to_owned()
    } else {
        hit.join(", ")
    };
    row("bounds that were met", hit);
    rows
}

/// How often each kind of action was taken that was taken at all.
pub(crate) fn happened(rows: &mut Builder, actions: impl Iterator<Item = (&'static str, u64)>) {
    for (name, count) in actions.filter(|(_, count)| *count > 0) {
        rows.push_record([name.to_owned(), format!("{count} times")]);
    }
}

/// Rows with a blank line behind them.
pub(crate) fn table(rows: Builder) -> String {
    format!("{}\n\n", rows.build().with(Style::blank()))
}

/// How a property came to be violated, step by step.
pub(crate) fn path(property: &PropertyReport) -> String {
    let shortest = if property.is_shortest {
        ", by a shortest path"
    } else {
        ""
    };
    let why = property.why.as_deref().unwrap_or_default();
    let mut text = format!("{} is violated{shortest}: {why}\n", property.name);
    for step in &property.path {
        let prefix = if step.prefix { " (prefix)" } else { "" };
        writeln!(text, "{:>4}.{prefix} {}", step.number, step.action).expect("writing to a string");
        for change in &step.changes {
            writeln!(text, "        {change}").expect("writing to a string");
        }
    }
    text.push('\n');
    text
}

/// The goals that were missed though nothing is violated, in words.
fn missed(report: &Report) -> String {
    let goals = report.properties.iter();
    let missed = goals.filter(|goal| goal.result == PropertyResult::NotReached);
    let missed: Vec<&str> = missed.map(|goal| goal.name).collect();
    match report.violated().next() {
        None if !missed.is_empty() => format!(": never reached: {}", missed.join(", ")),
        _ => String::new(),
    }
}

/// What was concluded: that `valid` is right, or not, and in which way; then
/// the command that shows it again.
pub(crate) fn ending(verdict: &Verdict, valid: &str, invalid: &str, repeat: &str) -> String {
    match verdict {
        Verdict::Valid => format!("valid: {valid}"),
        // The last line of a refutation, ready to be copied.
        Verdict::Invalid => format!("invalid{invalid}\n{repeat}"),
        Verdict::Unknown(reason) => format!("unknown: {reason}"),
    }
}
