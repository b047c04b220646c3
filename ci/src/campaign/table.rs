//! A run's report for people: tables, the witness, and as the last line the
//! command that repeats the run.

use std::fmt::Write;
use std::time::Duration;

use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Style};

use super::meter::{Counts, Latencies};
use super::report::{Check, Figures, Report};
use crate::exit::Conclusion;
use crate::units::Human;

/// The whole report.
pub fn show(report: &Report) -> String {
    let mut text = String::new();
    let parts = [
        operations(report),
        phases(report),
        by_fault(report),
        faults(report),
        checks(report),
    ];
    let measured = report
        .checks
        .iter()
        .filter_map(|check| check.figures.as_ref())
        .filter(|figures| figures.rows.len() > 1);
    let measured: Vec<String> = measured.map(figures).collect();
    for part in parts
        .iter()
        .chain(&measured)
        .filter(|part| !part.is_empty())
    {
        let _ = writeln!(text, "{part}\n");
    }
    for check in &report.checks {
        if let Some(shown) = &check.shown {
            let _ = writeln!(text, "{}: invalid\n{}\n", check.checker, shown.trim_end());
        }
    }
    for note in &report.notes {
        let _ = writeln!(text, "note: {note}");
    }
    text + &closing(report)
}

/// The last lines: figures, verdict, folder, the page of what was refuted, and
/// how to repeat it.
fn closing(report: &Report) -> String {
    let seconds = |seconds: f64| Human(Duration::from_secs_f64(seconds.max(0.0)));
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{:.0} ok/s; first after {}; longest time without one {}; harness {:.0}% of {:.1} s CPU; {} in all",
        report.ok_per_second,
        report
            .seconds_to_first_operation
            .map_or("never".to_owned(), |s| seconds(s).to_string()),
        seconds(report.seconds_without_ok_max),
        report.cpu.harness_share * 100.0,
        report.cpu.harness + report.cpu.nodes,
        seconds(report.seconds),
    );
    let _ = match &report.reason {
        Some(reason) => writeln!(text, "verdict: {}: {reason}", report.verdict),
        None => writeln!(text, "verdict: {}", report.verdict),
    };
    let _ = writeln!(text, "run:     {}", report.run.display());
    for page in report.checks.iter().filter_map(|check| check.page.as_ref()) {
        let _ = writeln!(text, "page:    {}", page.display());
    }
    let _ = write!(text, "again:   {}", report.replay);
    text
}

fn operations(report: &Report) -> String {
    let mut rows = Builder::default();
    rows.push_record([
        "operation",
        "ok",
        "fail",
        "info",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "max ms",
    ]);
    for operation in &report.by_operation {
        let mut row = vec![operation.f.clone()];
        row.extend(counted(operation.counts));
        row.extend(latencies(operation.latency_ms));
        rows.push_record(row);
    }
    numbers(rows, 1)
}

fn phases(report: &Report) -> String {
    let mut rows = Builder::default();
    rows.push_record(["phase", "time", "ok", "fail", "info", "available"]);
    for phase in &report.phases {
        let time = Human(Duration::from_secs_f64(phase.seconds.max(0.0))).to_string();
        let mut row = vec![phase.phase.to_owned(), time];
        row.extend(counted(phase.counts));
        row.push(percent(phase.availability));
        rows.push_record(row);
    }
    numbers(rows, 1)
}

fn by_fault(report: &Report) -> String {
    let mut rows = Builder::default();
    rows.push_record(["asked during", "ok", "fail", "info", "available"]);
    for condition in &report.by_fault {
        let mut row = vec![condition.during.clone()];
        row.extend(counted(condition.counts));
        row.push(percent(condition.availability));
        rows.push_record(row);
    }
    numbers(rows, 1)
}

fn faults(report: &Report) -> String {
    if report.faults.is_empty() {
        return String::new();
    }
    let mut rows = Builder::default();
    rows.push_record([
        "fault",
        "targets",
        "from",
        "lasted",
        "outcome",
        "effective",
        "healed",
        "evidence",
    ]);
    for fault in &report.faults {
        let seconds = |ns: u64| Duration::from_nanos(ns).as_secs_f64();
        let began = seconds(fault.times.began_ns);
        let lasted = fault.times.healed_ns.map(|healed| seconds(healed) - began);
        let name = match (fault.shape, &fault.crash) {
            (Some(shape), _) => format!("{} {shape}", fault.fault),
            (None, Some(place)) => format!("{} {place}", fault.fault),
            (None, None) => fault.fault.to_string(),
        };
        let evidence = match (&fault.reason, fault.evidence.says.as_str()) {
            (Some(reason), "") => reason.clone(),
            (Some(reason), says) => format!("{says}; {reason}"),
            (None, says) => says.to_owned(),
        };
        rows.push_record([
            name,
            fault.targets.join(" "),
            format!("{began:.2} s"),
            lasted.map_or("–".to_owned(), |lasted| format!("{lasted:.2} s")),
            fault.outcome.to_string(),
            yes(fault.effective),
            yes(fault.healed),
            short(&evidence, 72),
        ]);
    }
    rows.build().with(Style::blank()).to_string()
}

fn checks(report: &Report) -> String {
    let mut rows = Builder::default();
    rows.push_record(["checker", "verdict", ""]);
    for Check {
        checker,
        verdict,
        reason,
        about,
        ..
    } in &report.checks
    {
        let said = match reason {
            Some(reason) => format!("{about}: {reason}"),
            None => about.clone(),
        };
        rows.push_record([
            (*checker).to_owned(),
            verdict.to_string(),
            short(&said, 110),
        ]);
    }
    rows.build().with(Style::blank()).to_string()
}

fn figures(figures: &Figures) -> String {
    let mut rows = Builder::default();
    figures.rows.iter().for_each(|row| rows.push_record(row));
    format!("{}\n{}", figures.title, rows.build().with(Style::blank()))
}

/// The table of several runs of one campaign.
pub fn show_series(reports: &[Report]) -> String {
    let mut rows = Builder::default();
    rows.push_record([
        "seed", "verdict", "ok", "fail", "info", "faults", "seconds", "run",
    ]);
    for report in reports {
        let effective = report.faults.iter().filter(|fault| fault.effective).count();
        let mut row = vec![report.seed.to_string(), report.verdict.to_string()];
        row.extend(counted(report.operations));
        row.push(format!("{effective} of {}", report.faults.len()));
        row.push(format!("{:.1}", report.seconds));
        row.push(report.run.display().to_string());
        rows.push_record(row);
    }
    let count = |verdict| {
        reports
            .iter()
            .filter(|report| report.verdict == verdict)
            .count()
    };
    format!(
        "{}\n\n{} runs: {} valid, {} invalid, {} unknown",
        rows.build().with(Style::blank()),
        reports.len(),
        count(Conclusion::Valid),
        count(Conclusion::Invalid),
        count(Conclusion::Unknown),
    )
}

/// A table whose columns from `first` on are numbers.
fn numbers(rows: Builder, first: usize) -> String {
    let mut table = rows.build();
    table.with(Style::blank());
    table.modify(Columns::new(first..), Alignment::right());
    table.to_string()
}

fn counted(counts: Counts) -> [String; 3] {
    [counts.ok, counts.fail, counts.info].map(|count| count.to_string())
}

fn latencies(latencies: Option<Latencies>) -> [String; 4] {
    let Some(Latencies { p50, p95, p99, max }) = latencies else {
        return std::array::from_fn(|_| "–".to_owned());
    };
    [p50, p95, p99, max].map(|ms| format!("{ms:.1}"))
}

fn percent(share: Option<f64>) -> String {
    share.map_or("–".to_owned(), |share| format!("{:.1}%", share * 100.0))
}

fn yes(it_is: bool) -> String {
    if it_is { "yes" } else { "no" }.to_owned()
}

/// At most `limit` characters of a text.
fn short(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
