//! The faults in a history, as the page shows them.

use serde::Serialize;
use tribunal_histories::{FaultSpan, History, Value};

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
    let faults = tribunal_histories::faults::faults(history, until);
    faults.iter().map(Fault::new).collect()
}

impl Fault {
    fn new(span: &FaultSpan<'_>) -> Self {
        let FaultSpan {
            first,
            last,
            is_moment,
            words,
        } = span;
        let words = words.iter().map(|value| match is_moment {
            true => brief(value),
            false => word(value),
        });
        let label: Vec<String> = [first.f.clone()].into_iter().chain(words).collect();
        let evidence = last.and_then(|last| last.field("evidence"));
        let says = match evidence {
            Some(Value::Map(evidence)) => evidence.get("says").map(word),
            _ => None,
        };
        let says = says.or_else(|| first.error.clone().filter(|_| *is_moment));
        Fault {
            label: cut(&label.join(" ")),
            first: first.index,
            last: last.map(|event| event.index),
            first_ns: first.time,
            last_ns: last.map(|event| event.time),
            moment: *is_moment,
            says: says.map(|says| cut(&says)),
        }
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
    fn a_fault_is_called_what_it_was_and_whom_it_hit() {
        let history = history(
            r#"{"index":0,"time":5,"process":"nemesis","type":"info","f":"partition","value":{"edge":"begin","shape":"isolate-leader","targets":["n1"]},"fault":0}
{"index":1,"time":6,"process":"nemesis","type":"info","f":"start-partition","value":"halves"}
{"index":2,"time":9,"process":"nemesis","type":"info","f":"partition","value":{"edge":"end","outcome":"installed","evidence":{"says":"held"}},"fault":0}
"#,
        );
        let faults = faults(&history, 9);
        let labels: Vec<&str> = faults.iter().map(|fault| fault.label.as_str()).collect();
        assert_eq!(
            labels,
            ["partition isolate-leader n1", "start-partition \"halves\""]
        );
        assert_eq!((faults[0].first, faults[0].last), (0, Some(2)));
        assert_eq!(faults[0].says.as_deref(), Some("held"));
        assert!(faults[1].moment);
    }
}
