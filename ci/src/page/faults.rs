//! The faults in a history, as spans.
//!
//! Our nemesis tells of each fault twice, under one number: when it is about
//! to be installed, and when it is over. What other tools' nemeses tell has no
//! such number, and is drawn as moments.

use std::collections::BTreeMap;

use serde::Serialize;
use tribunal_histories::{Event, History, Process, Value};

use super::words::{brief, cut};

/// A fault, from its installation to its heal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// What it was and whom it hit: `partition isolate-leader n1`.
    label: String,
    /// Index of the event that began it.
    first: u64,
    /// Index of the event that ended it; none if none did, or if it is a
    /// moment.
    last: Option<u64>,
    first_ns: u64,
    last_ns: Option<u64>,
    /// Whether it is one event of which no end is known.
    moment: bool,
    /// What the nemesis says of it.
    says: Option<String>,
}

/// The faults of a history that begin before the event `until` is over. Left
/// out are those that were skipped.
pub fn faults(history: &History, until: u64) -> Vec<Fault> {
    let mut numbered: BTreeMap<u64, Vec<&Event>> = BTreeMap::new();
    let mut faults = Vec::new();
    let is_nemesis = |event: &&Event| event.process == Process::Nemesis;
    for event in history.events.iter().filter(is_nemesis) {
        match event.fault {
            Some(number) => numbered.entry(number).or_default().push(event),
            None => faults.push(moment(event)),
        }
    }
    faults.extend(numbered.values().filter_map(|events| span(events)));
    faults.retain(|fault| fault.first <= until);
    faults.sort_by_key(|fault| fault.first);
    faults
}

/// A fault may be told of as over more than once, where it is healed late.
fn span(events: &[&Event]) -> Option<Fault> {
    let (first, rest) = events.split_first()?;
    let last = rest.last();
    let of_last = |name: &str| field(&last?.value, name);
    if of_last("outcome") == Some(&Value::Text("skipped".to_owned())) {
        return None;
    }
    let targets = match field(&first.value, "targets").or(of_last("targets")) {
        Some(Value::List(targets)) => targets.iter().map(word).collect(),
        _ => Vec::new(),
    };
    let shape = field(&first.value, "shape").map(word);
    let mut label = vec![first.f.clone()];
    label.extend(shape);
    label.extend(targets);
    let says = match of_last("evidence") {
        Some(evidence) => field(evidence, "says").map(word),
        None => None,
    };
    Some(Fault {
        label: cut(&label.join(" ")),
        first: first.index,
        last: last.map(|event| event.index),
        first_ns: first.time,
        last_ns: last.map(|event| event.time),
        moment: false,
        says: says.map(|says| cut(&says)),
    })
}

fn moment(event: &Event) -> Fault {
    let label = match &event.value {
        Value::Null => event.f.clone(),
        value => format!("{} {}", event.f, brief(value)),
    };
    Fault {
        label,
        first: event.index,
        last: None,
        first_ns: event.time,
        last_ns: None,
        moment: true,
        says: event.error.as_deref().map(cut),
    }
}

fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Map(map) => map.get(name),
        _ => None,
    }
}

/// A text without quotes.
fn word(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        other => brief(other),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn history(lines: &str) -> History {
        let header = r#"{"format":"tribunal-history","version":1,"workload":"register"}"#;
        History::read(format!("{header}\n{lines}").as_bytes(), Path::new("h")).expect("a history")
    }

    #[test]
    fn a_fault_lasts_from_its_installation_to_its_heal() {
        let history = history(
            r#"{"index":0,"time":5,"process":"nemesis","type":"info","f":"partition","value":{"edge":"begin","shape":"isolate-leader","targets":["n1"]},"fault":0}
{"index":1,"time":6,"process":"nemesis","type":"info","f":"kill","value":{"edge":"begin","targets":[]},"fault":1}
{"index":2,"time":7,"process":"nemesis","type":"info","f":"kill","value":{"edge":"end","outcome":"skipped"},"fault":1}
{"index":3,"time":9,"process":"nemesis","type":"info","f":"partition","value":{"edge":"end","outcome":"installed","evidence":{"says":"held"}},"fault":0}
{"index":4,"time":9,"process":"nemesis","type":"info","f":"pause","value":{"edge":"begin","targets":["n2","n3"]},"fault":2}
"#,
        );
        let faults = faults(&history, 9);
        let labels: Vec<&str> = faults.iter().map(|fault| fault.label.as_str()).collect();
        assert_eq!(labels, ["partition isolate-leader n1", "pause n2 n3"]);
        assert_eq!((faults[0].first, faults[0].last), (0, Some(3)));
        assert_eq!(faults[0].says.as_deref(), Some("held"));
        assert_eq!((faults[1].last, faults[1].moment), (None, false));
        assert_eq!(super::faults(&history, 3).len(), 1);
    }

    #[test]
    fn what_has_no_number_is_a_moment() {
        let history = history(
            r#"{"index":0,"time":5,"process":"nemesis","type":"info","f":"start-partition"}
"#,
        );
        let faults = faults(&history, 9);
        assert!(faults[0].moment && faults[0].label == "start-partition");
    }
}
