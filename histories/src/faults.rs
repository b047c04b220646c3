//! The faults in a history, as spans.
//!
//! Our nemesis tells of each fault twice, under one number: when it is about to be
//! installed, and when it is over. What other tools' nemeses tell has no such
//! number, and is a moment.

use std::collections::BTreeMap;

use crate::{Event, History, Process, Value};

/// A fault, from its installation to its heal.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultSpan<'a> {
    /// The event that began it.
    pub first: &'a Event,
    /// The event that ended it; none if none did, or if it is a moment.
    pub last: Option<&'a Event>,
    /// Whether it is one event of which no end is known.
    pub is_moment: bool,
    /// How and whom it hit; of a moment, what its event holds.
    pub words: Vec<&'a Value>,
}

/// The faults of a history that begin no later than at the event with the index
/// `until`, in that order. Left out are those that were skipped.
pub fn faults(history: &History, until: u64) -> Vec<FaultSpan<'_>> {
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
    faults.retain(|fault| fault.first.index <= until);
    faults.sort_by_key(|fault| fault.first.index);
    faults
}

/// A fault may be told of as over more than once, where it is healed late.
fn span<'a>(events: &[&'a Event]) -> Option<FaultSpan<'a>> {
    let (&first, rest) = events.split_first()?;
    let last = rest.last().copied();
    let of_last = |name: &str| last.and_then(|last| last.field(name));
    if of_last("outcome") == Some(&Value::Text("skipped".to_owned())) {
        return None;
    }
    let targets = match first.field("targets").or(of_last("targets")) {
        Some(Value::List(targets)) => &targets[..],
        _ => &[],
    };
    let shape = first.field("shape").into_iter();
    Some(FaultSpan {
        first,
        last,
        is_moment: false,
        words: shape.chain(targets).collect(),
    })
}

fn moment(event: &Event) -> FaultSpan<'_> {
    FaultSpan {
        first: event,
        last: None,
        is_moment: true,
        words: match &event.value {
            Value::Null => Vec::new(),
            value => vec![value],
        },
    }
}

impl Event {
    /// What a nemesis says of a fault under this name.
    pub fn field(&self, name: &str) -> Option<&Value> {
        match &self.value {
            Value::Map(map) => map.get(name),
            _ => None,
        }
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
        let told: Vec<(u64, Option<u64>, usize)> = faults
            .iter()
            .map(|fault| {
                let last = fault.last.map(|event| event.index);
                (fault.first.index, last, fault.words.len())
            })
            .collect();
        assert_eq!(told, [(0, Some(3), 2), (4, None, 2)]);
        assert!(!faults[1].is_moment);
        assert_eq!(super::faults(&history, 3).len(), 1);
    }

    #[test]
    fn what_has_no_number_is_a_moment() {
        let history = history(
            r#"{"index":0,"time":5,"process":"nemesis","type":"info","f":"start-partition"}
"#,
        );
        let faults = faults(&history, 9);
        assert!(faults[0].is_moment && faults[0].words.is_empty());
    }
}
