//! A witness as a picture: a lane for each process, time from left to right.
//!
//! ```text
//!   process 1   [write 1 #1]
//!   process 2                  [write 2 #2--]
//!   process 3               [read 1 !---------]
//! ```
//!
//! Each bar is an operation from its invocation to its completion; one that
//! does not end in the prefix has no right end. The numbers are the places in
//! the order that comes furthest, `!` is the operation that has none. Only
//! what takes part in the end of that order is drawn.
//!
//! The operations that have no order by themselves are drawn alike; `?` is one
//! that may have taken effect or not. Below the lanes are the faults of that time:
//!
//! ```text
//!   fault            =========  kill n1
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;

use super::witness::{Ending, Fault, Shown, Witness};

/// Draws the end of the witness's furthest order.
pub(crate) fn draw(witness: &Witness) -> String {
    lanes(&bars(witness), &witness.faults) + &steps(witness)
}

/// Draws the operations that have no order by themselves, and those that may be there
/// as well if these are asked for.
pub(crate) fn draw_evidence(witness: &Witness, with_optional: bool) -> String {
    let bar = |operation, mark| Bar {
        operation,
        label: format!("{}{mark}", witness.label(operation)),
    };
    let needed = witness.needed.iter().map(|it| bar(it, ""));
    let optional = witness.optional.iter().filter(|_| with_optional);
    let optional = optional.map(|it| bar(it, " ?"));
    let bars: Vec<Bar<'_>> = needed.chain(optional).collect();
    lanes(&bars, &witness.faults)
}

fn lanes(bars: &[Bar<'_>], faults: &[Fault]) -> String {
    let columns = columns(bars);
    let mut lanes: BTreeMap<u64, Vec<&Bar<'_>>> = BTreeMap::new();
    for bar in bars {
        lanes.entry(bar.operation.process).or_default().push(bar);
    }
    let mut order: Vec<(u64, Vec<&Bar<'_>>)> = lanes.into_iter().collect();
    order.sort_by_key(|(_, bars)| bars.iter().map(|bar| bar.operation.invoked).min());
    let width = order
        .iter()
        .map(|(process, _)| process.to_string().len())
        .max();
    let width = width.unwrap_or(1);
    let end = columns.values().max().map_or(0, |last| last + 4);
    let mut text = String::new();
    for (process, mut bars) in order {
        bars.sort_by_key(|bar| bar.operation.invoked);
        let mut lane = String::new();
        for bar in bars {
            bar.draw(&columns, end, &mut lane);
        }
        let _ = writeln!(text, "  process {process:<width$}  {lane}");
    }
    for (from, until, label) in bands(faults, &columns, end) {
        let band = "=".repeat(until - from);
        let name = "fault";
        let width = "process ".len() + width;
        let _ = writeln!(text, "  {name:<width$}  {:from$}{band}  {label}", "");
    }
    text
}

/// From which column until which the faults last that are not over when the columns
/// begin, the last few of them.
fn bands<'a>(
    faults: &'a [Fault],
    columns: &BTreeMap<u64, usize>,
    end: usize,
) -> Vec<(usize, usize, &'a str)> {
    const FAULTS_MAX: usize = 8;
    let column = |event: u64| columns.range(event..).next().map(|(_, &column)| column);
    let begins = columns.keys().next().copied().unwrap_or(0);
    let band = |fault: &'a Fault| {
        let last = match fault.is_moment {
            true => Some(fault.first),
            false => fault.last,
        };
        if last.is_some_and(|last| last < begins) {
            return None;
        }
        let from = column(fault.first)?;
        let until = last.and_then(column).unwrap_or(end);
        Some((from, until.max(from + 1), fault.label.as_str()))
    };
    let mut bands: Vec<_> = faults
        .iter()
        .rev()
        .filter_map(band)
        .take(FAULTS_MAX)
        .collect();
    bands.reverse();
    bands
}

/// The furthest order in words, step by step.
fn steps(witness: &Witness) -> String {
    if witness.orders.is_empty() {
        return "\n  How far an order comes is not known: it was too long to look for one.\n"
            .to_owned();
    }
    let mut text = String::new();
    let before = witness.is_in(&witness.before);
    let _ = match witness.skipped {
        0 => writeln!(text, "\n  {:>6}  {:<32} {before}", "", "at first"),
        count => writeln!(
            text,
            "\n  {:>6}  {:<32} {before}",
            "",
            format!("after {count} more in order")
        ),
    };
    for (place, step) in (1..).zip(&witness.steps) {
        let what = format!(
            "process {} {}",
            step.operation.process,
            witness.label(&step.operation)
        );
        let _ = writeln!(
            text,
            "  {:>6}  {what:<32} {}",
            format!("#{}", witness.skipped + place),
            witness.is_in(&step.state)
        );
    }
    if let Some(refuted) = &witness.refuted {
        let what = format!("process {} {}", refuted.process, witness.label(refuted));
        let _ = writeln!(text, "  {:>6}  {what:<32} has no place", "!");
    }
    text
}

struct Bar<'a> {
    operation: &'a Shown,
    label: String,
}

/// What is drawn: the end of the order, what is refuted, and what is open.
fn bars(witness: &Witness) -> Vec<Bar<'_>> {
    let mut bars: Vec<Bar<'_>> = Vec::new();
    let numbered = (witness.skipped + 1..).zip(&witness.steps);
    let placed = numbered.map(|(place, step)| (&step.operation, format!(" #{place}")));
    let refuted = witness.refuted.iter().map(|shown| (shown, " !".to_owned()));
    let open = witness.open.iter().map(|shown| (shown, String::new()));
    let failed = witness
        .failed_writer
        .iter()
        .map(|shown| (shown, " failed".to_owned()));
    for (operation, mark) in refuted.chain(failed).chain(placed).chain(open) {
        let drawn = bars
            .iter()
            .any(|bar| bar.operation.invoked == operation.invoked);
        if !drawn {
            let label = format!("{}{mark}", witness.label(operation));
            bars.push(Bar { operation, label });
        }
    }
    bars
}

/// The column of each event, so that every label fits its bar.
fn columns(bars: &[Bar<'_>]) -> BTreeMap<u64, usize> {
    let mut events: BTreeMap<u64, Option<&Bar<'_>>> = BTreeMap::new();
    for bar in bars {
        events.insert(bar.operation.invoked, None);
        if let Some(completed) = bar.completed() {
            events.insert(completed, Some(bar));
        }
    }
    let mut columns = BTreeMap::new();
    let mut next = 0;
    for (event, completes) in events {
        let fits = completes.map_or(0, |bar| {
            columns[&bar.operation.invoked] + bar.label.chars().count() + 1
        });
        let column = next.max(fits);
        columns.insert(event, column);
        next = column + 1;
    }
    columns
}

impl Bar<'_> {
    /// Where the bar ends; what ended as `info` may take effect later.
    fn completed(&self) -> Option<u64> {
        let known = matches!(self.operation.ending, Ending::Ok | Ending::Fail);
        self.operation.completed.filter(|_| known)
    }

    fn draw(&self, columns: &BTreeMap<u64, usize>, end: usize, lane: &mut String) {
        let begin = columns[&self.operation.invoked];
        let drawn = lane.chars().count();
        lane.extend(std::iter::repeat_n(' ', begin.saturating_sub(drawn)));
        let _ = write!(lane, "[{}", self.label);
        let (until, close) = match self.completed() {
            Some(completed) => (columns[&completed], "]"),
            None => (end, "..."),
        };
        let drawn = lane.chars().count();
        lane.extend(std::iter::repeat_n('-', until.saturating_sub(drawn)));
        lane.push_str(close);
    }
}
