//! The checkers against the definitions, on random histories of a few
//! operations, and what implies what.

use tribunal_histories::{Event, FailedCas, Header, History, Kind, Nil, Process, Value};

use super::{Acts, Budget, Found, Options, Property, Staleness, check, decide, definitions};
use crate::linearizability::{self, Limits};
use crate::spec::Spec;
use crate::verdict::Verdict;

/// Random numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 20) % bound as u64) as usize
    }
}

/// What histories are drawn from.
#[derive(Clone, Copy)]
struct Shape {
    operations: usize,
    sessions: usize,
    keys: usize,
    /// Values are of so many; all distinct, if of none.
    values: usize,
    cas: bool,
}

/// A history of random answers, that were all written if not to that key.
fn draw(random: &mut Random, shape: Shape) -> History {
    let mut header = Header::new("register");
    if random.below(2) == 0 {
        header.failed_cas = FailedCas::Observed;
    }
    let mut events: Vec<Event> = Vec::new();
    let mut process: Vec<u64> = (0..shape.sessions as u64).collect();
    let mut open: Vec<Option<usize>> = vec![None; shape.sessions];
    let mut begun = 0;
    let mut written = vec![vec![Value::Null]; shape.keys];
    while begun < shape.operations || open.iter().any(Option::is_some) {
        let client = random.below(shape.sessions);
        let index = events.len() as u64;
        let mut event = Event {
            index,
            time: index,
            process: Process::Client(process[client]),
            kind: Kind::Invoke,
            f: "read".to_owned(),
            key: None,
            value: Value::Null,
            error: None,
            node: None,
            fault: None,
        };
        let Some(at) = open[client].take() else {
            if begun == shape.operations {
                continue;
            }
            begun += 1;
            let key = random.below(shape.keys);
            event.key = Some(Value::Int(key as i64));
            let new = match shape.values {
                0 => begun as i64,
                values => random.below(values) as i64,
            };
            match random.below(if shape.cas { 6 } else { 5 }) {
                0..=2 => {}
                3 | 4 => {
                    event.f = "write".to_owned();
                    event.value = Value::Int(new);
                    written[key].push(event.value.clone());
                }
                _ => {
                    event.f = "cas".to_owned();
                    let old = written[key][random.below(written[key].len())].clone();
                    event.value = Value::List(vec![old, Value::Int(new)]);
                    written[key].push(Value::Int(new));
                }
            }
            open[client] = Some(events.len());
            events.push(event);
            continue;
        };
        event.f.clone_from(&events[at].f);
        event.value.clone_from(&events[at].value);
        event.kind = match random.below(12) {
            0 => Kind::Fail,
            1 => Kind::Info,
            // It never ends.
            2 => {
                process[client] += shape.sessions as u64;
                continue;
            }
            3 if event.f == "cas" => Kind::Fail,
            _ => Kind::Ok,
        };
        if event.kind == Kind::Info {
            process[client] += shape.sessions as u64;
        }
        if event.f == "read" {
            let key = match &events[at].key {
                Some(Value::Int(key)) => *key as usize,
                other => panic!("{other:?} is no key"),
            };
            let from = match random.below(20) {
                0 => &written[random.below(shape.keys)],
                _ => &written[key],
            };
            event.value = from[random.below(from.len())].clone();
        }
        events.push(event);
    }
    // Reads of what is written later, now and then.
    if let Some(last) = events.len().checked_sub(1).filter(|_| random.below(8) == 0) {
        let at = random.below(last + 1);
        if events[at].f == "read" && events[at].kind == Kind::Ok {
            let value = random.below(shape.operations) as i64;
            events[at].value = Value::Int(value);
        }
    }
    History::new(header, events)
}

/// A history as it is written.
fn shown(history: &History) -> String {
    let mut bytes = Vec::new();
    history.write(&mut bytes).expect("written");
    String::from_utf8(bytes).expect("text")
}

fn options() -> Options {
    Options {
        nil: None,
        limits: Limits {
            time: None,
            memory: None,
            threads: 1,
        },
        staleness: 1,
    }
}

/// What is concluded, by the property's own checker alone.
fn alone(history: &History, property: Property) -> Option<bool> {
    let operations = history.operations().expect("operations");
    let acts = Acts::of(history, &operations, Nil::Initial).expect("registers");
    let limits = options().limits;
    match decide(&acts, property, &Budget::new(&limits)) {
        Found::Valid => Some(true),
        Found::Invalid(witness) => {
            assert!(
                !witness.operations.is_empty(),
                "{witness}\n{}",
                shown(history)
            );
            Some(false)
        }
        Found::Ambiguous(_) => None,
        Found::GaveUp => panic!("without limits"),
    }
}

fn concluded(history: &History, property: Property) -> Option<bool> {
    match check(history, property, &options())
        .expect("a history")
        .verdict
    {
        Verdict::Valid => Some(true),
        Verdict::Invalid(_) => Some(false),
        Verdict::Unknown(_) => None,
    }
}

fn is_linearizable(history: &History) -> bool {
    let options = linearizability::Options {
        spec: Spec::CasRegister,
        engine: None,
        nil: None,
        limits: options().limits,
    };
    let report = linearizability::check(history, &options).expect("a history");
    report.verdict == Verdict::Valid
}

fn smallest(history: &History) -> Option<usize> {
    let operations = history.operations().expect("operations");
    let acts = Acts::of(history, &operations, Nil::Initial).expect("registers");
    let limits = options().limits;
    let Staleness { at_least, at_most } =
        super::staleness::judge(&acts, false, &Budget::new(&limits)).staleness;
    assert_eq!(at_least, at_most, "{}", shown(history));
    at_least
}

const HISTORIES: usize = 4000;

const SHAPES: [Shape; 4] = [
    Shape {
        operations: 5,
        sessions: 2,
        keys: 1,
        values: 0,
        cas: false,
    },
    Shape {
        operations: 6,
        sessions: 3,
        keys: 2,
        values: 0,
        cas: false,
    },
    Shape {
        operations: 5,
        sessions: 3,
        keys: 1,
        values: 0,
        cas: true,
    },
    Shape {
        operations: 5,
        sessions: 2,
        keys: 2,
        values: 2,
        cas: true,
    },
];

/// Compares with the definition, of so many histories of each shape.
fn agrees(property: Property, histories: usize, shrink: usize) {
    for (number, mut shape) in SHAPES.into_iter().enumerate() {
        shape.operations -= shrink;
        let mut random = Random(0x5eed + number as u64);
        let mut counts = [0; 3];
        for _ in 0..histories {
            let history = draw(&mut random, shape);
            let wanted = definitions::has(&history, property, 1);
            let found = alone(&history, property);
            counts[found.map_or(2, usize::from)] += 1;
            assert_eq!(
                found.unwrap_or(wanted),
                wanted,
                "{property}: {}",
                shown(&history)
            );
            let all = concluded(&history, property);
            assert_eq!(
                all.unwrap_or(wanted),
                wanted,
                "{property}: {}",
                shown(&history)
            );
        }
        let [invalid, valid, unknown] = counts;
        assert!(
            valid > histories / 20 && invalid > histories / 50,
            "{property} {counts:?}"
        );
        let may_not_know = (shape.cas || shape.values > 0) && !is_exact(property);
        assert!(may_not_know || unknown == 0, "{property} {counts:?}");
    }
}

const fn is_exact(property: Property) -> bool {
    matches!(
        property,
        Property::Sequential | Property::PerKeySequential | Property::Regular | Property::Safe
    )
}

#[test]
fn sequential_is_as_defined() {
    agrees(Property::Sequential, HISTORIES, 0);
}

#[test]
fn per_key_sequential_is_as_defined() {
    agrees(Property::PerKeySequential, HISTORIES, 0);
}

#[test]
fn causal_is_as_defined() {
    agrees(Property::Causal, HISTORIES / 2, 1);
}

#[test]
fn causal_memory_is_as_defined() {
    agrees(Property::CausalMemory, HISTORIES / 2, 1);
}

#[test]
fn causal_convergence_is_as_defined() {
    agrees(Property::CausalConvergence, HISTORIES / 2, 1);
}

#[test]
fn monotonic_reads_are_as_defined() {
    agrees(Property::MonotonicReads, HISTORIES, 0);
}

#[test]
fn monotonic_writes_are_as_defined() {
    agrees(Property::MonotonicWrites, HISTORIES, 0);
}

#[test]
fn read_your_writes_is_as_defined() {
    agrees(Property::ReadYourWrites, HISTORIES, 0);
}

#[test]
fn writes_follow_reads_is_as_defined() {
    agrees(Property::WritesFollowReads, HISTORIES, 0);
}

#[test]
fn regular_is_as_defined() {
    agrees(Property::Regular, HISTORIES, 0);
}

#[test]
fn safe_is_as_defined() {
    agrees(Property::Safe, HISTORIES, 0);
}

#[test]
fn the_smallest_k_is_as_defined() {
    for (number, mut shape) in SHAPES.into_iter().enumerate() {
        shape.operations += 1;
        let mut random = Random(0x5eed + number as u64);
        let mut counts = [0; 4];
        for _ in 0..HISTORIES / 2 {
            let history = draw(&mut random, shape);
            let wanted = definitions::staleness(&history);
            assert_eq!(smallest(&history), wanted, "{}", shown(&history));
            assert_eq!(
                wanted == Some(1),
                is_linearizable(&history),
                "{}",
                shown(&history)
            );
            counts[wanted.unwrap_or(0).min(3)] += 1;
            for k in 1..4 {
                let options = Options {
                    staleness: k,
                    ..options()
                };
                let report = check(&history, Property::KAtomicity, &options).expect("a history");
                let is_valid = wanted.is_some_and(|smallest| smallest <= k);
                assert_eq!(
                    report.verdict == Verdict::Valid,
                    is_valid,
                    "{}",
                    shown(&history)
                );
            }
        }
        assert!(counts.iter().all(|count| *count > 5), "{counts:?}");
    }
}

/// What implies what, of all histories.
const IMPLIED: [(Property, Property); 13] = [
    (Property::Sequential, Property::PerKeySequential),
    (Property::Sequential, Property::CausalConvergence),
    (Property::Sequential, Property::CausalMemory),
    (Property::CausalConvergence, Property::Causal),
    (Property::CausalMemory, Property::Causal),
    (Property::CausalConvergence, Property::MonotonicWrites),
    (Property::CausalConvergence, Property::WritesFollowReads),
    (Property::CausalConvergence, Property::ReadYourWrites),
    (Property::MonotonicWrites, Property::MonotonicReads),
    (Property::WritesFollowReads, Property::MonotonicReads),
    (Property::PerKeySequential, Property::MonotonicReads),
    (Property::PerKeySequential, Property::ReadYourWrites),
    (Property::Regular, Property::Safe),
];

#[test]
fn a_weaker_property_holds_where_a_stronger_one_does() {
    for (number, mut shape) in SHAPES.into_iter().enumerate() {
        shape.operations += 4;
        let mut random = Random(0xacce + number as u64);
        let mut differ = [0; IMPLIED.len()];
        for _ in 0..HISTORIES / 2 {
            let history = draw(&mut random, shape);
            if is_linearizable(&history) {
                for property in Property::ALL {
                    assert_ne!(
                        alone(&history, property),
                        Some(false),
                        "{property} {}",
                        shown(&history)
                    );
                    assert_eq!(concluded(&history, property), Some(true), "{property}");
                }
            }
            let found = Property::ALL.map(|property| alone(&history, property));
            let of = |property| found[Property::ALL.iter().position(|it| *it == property)?];
            for (place, (strong, weak)) in IMPLIED.into_iter().enumerate() {
                let both = (of(strong), of(weak));
                let all = shown(&history);
                assert_ne!(
                    both,
                    (Some(true), Some(false)),
                    "{:?} {all}",
                    IMPLIED[place]
                );
                differ[place] += usize::from(both == (Some(false), Some(true)));
            }
        }
        if shape.keys > 1 && shape.values == 0 {
            assert!(differ.iter().all(|count| *count > 0), "{differ:?}");
        }
    }
}
