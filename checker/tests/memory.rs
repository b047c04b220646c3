//! A search ends when it holds as many bytes as it may: what it says that it
//! holds is what the allocator gave out.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use tribunal_checker::{Engine, Limits, Online, Options, Prepared, Spec, Verdict};
use tribunal_histories::{Event, Header, History, Kind, Process, Value};

/// The system's allocator; it counts what is held, and the most so far.
struct Counted;

#[global_allocator]
static COUNTED: Counted = Counted;
static HELD: AtomicUsize = AtomicUsize::new(0);
static HELD_MOST: AtomicUsize = AtomicUsize::new(0);

fn took(bytes: usize) {
    let held = HELD.fetch_add(bytes, Ordering::Relaxed) + bytes;
    HELD_MOST.fetch_max(held, Ordering::Relaxed);
}

// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        took(size);
        // SAFETY: the caller's.
        unsafe { System.realloc(place, layout, size) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's.
        unsafe { System.dealloc(place, layout) }
    }
}

/// So many clients are at work at once.
const CLIENTS: usize = 25;

/// What an object holds: elements in a row, and registers.
#[derive(Default)]
struct Held {
    row: Vec<i64>,
    registers: BTreeMap<i64, i64>,
}

/// Does what is asked; the answer.
type Does = fn(&mut Held, &str, &Value) -> Value;

/// An operation in progress.
struct Open {
    f: &'static str,
    argument: Value,
    /// Once it took effect.
    answer: Option<Value>,
}

/// Small numbers that look like chance, always the same.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// Many clients at once on so many values; an answer near the end is wrong.
fn hard(asks: &[&'static str], values: usize, does: Does) -> History {
    let mut numbers = Numbers(1);
    let mut held = Held::default();
    let mut open: Vec<Option<Open>> = Vec::new();
    open.resize_with(CLIENTS, || None);
    let mut events = Vec::new();
    let mut event = |client: usize, kind, f: &str, value| {
        let index = events.len() as u64;
        events.push(Event {
            index,
            time: index,
            process: Process::Client(client as u64),
            kind,
            f: f.to_owned(),
            key: None,
            value,
            error: None,
            node: None,
            fault: None,
        });
    };
    let mut is_spoilt = false;
    for step in 0..5000 {
        let client = numbers.below(CLIENTS);
        match &mut open[client] {
            None => {
                let f = asks[numbers.below(asks.len())];
                let value = Value::Int(1 + numbers.below(values) as i64);
                let argument = match f {
                    "txn" => transaction(&mut numbers),
                    _ if takes_nothing(f) => Value::Null,
                    _ => value,
                };
                event(client, Kind::Invoke, f, argument.clone());
                open[client] = Some(Open {
                    f,
                    argument,
                    answer: None,
                });
            }
            Some(Open {
                f,
                argument,
                answer: answer @ None,
            }) => {
                let mut said = does(&mut held, f, argument);
                if step > 4500 && !is_spoilt && takes_nothing(f) {
                    is_spoilt = true;
                    said = wrong(&said);
                }
                *answer = Some(said);
            }
            Some(Open {
                f,
                answer: Some(answer),
                ..
            }) => {
                event(client, Kind::Ok, f, answer.clone());
                open[client] = None;
            }
        }
    }
    History::new(Header::new("register"), events)
}

fn takes_nothing(f: &str) -> bool {
    let take = ["pop", "dequeue", "pop_front", "pop_back", "poll", "read"];
    take.contains(&f)
}

/// Another answer of the same kind.
fn wrong(said: &Value) -> Value {
    match said {
        Value::List(_) => Value::List(vec![Value::Int(-1)]),
        Value::Int(1) => Value::Int(2),
        _ => Value::Int(1),
    }
}

/// A write of one register of a few, and a read of another.
fn transaction(numbers: &mut Numbers) -> Value {
    let mut number = |bound| Value::Int(numbers.below(bound) as i64);
    let read = vec!["r".into(), number(4), Value::Null];
    let write = vec!["w".into(), number(4), number(3)];
    Value::List(vec![Value::List(read), Value::List(write)])
}

fn list(row: &[i64]) -> Value {
    Value::List(row.iter().map(|&it| it.into()).collect())
}

fn does(held: &mut Held, f: &str, argument: &Value) -> Value {
    let row = &mut held.row;
    let taken = match (f, argument) {
        ("push" | "enqueue" | "push_back" | "append", &Value::Int(it)) => {
            row.push(it);
            return argument.clone();
        }
        ("push_front", &Value::Int(it)) => {
            row.insert(0, it);
            return argument.clone();
        }
        ("insert", &Value::Int(it)) => {
            row.insert(row.partition_point(|&other| other < it), it);
            return argument.clone();
        }
        ("read", _) => return list(row),
        ("pop" | "pop_back" | "poll", _) => row.pop(),
        _ if row.is_empty() => None,
        _ => Some(row.remove(0)),
    };
    taken.map_or(Value::Null, Value::Int)
}

fn does_in_set(held: &mut Held, f: &str, argument: &Value) -> Value {
    match (f, argument) {
        ("add", &Value::Int(it)) => {
            if let Err(place) = held.row.binary_search(&it) {
                held.row.insert(place, it);
            }
        }
        ("remove", &Value::Int(it)) => held.row.retain(|&other| other != it),
        _ => return list(&held.row),
    }
    Value::Null
}

fn does_transactions(held: &mut Held, _: &str, argument: &Value) -> Value {
    let Value::List(micros) = argument else {
        panic!("{argument}");
    };
    let one = |micro: &Value| match micro {
        Value::List(micro) => match &micro[..] {
            [f, Value::Int(key), Value::Null] => {
                let found = held.registers.get(key);
                let found = found.map_or(Value::Null, |&it| it.into());
                Value::List(vec![f.clone(), (*key).into(), found])
            }
            [_, Value::Int(key), Value::Int(value)] => {
                held.registers.insert(*key, *value);
                Value::List(micro.clone())
            }
            other => panic!("{other:?}"),
        },
        other => panic!("{other}"),
    };
    Value::List(micros.iter().map(one).collect())
}

/// What a log is asked: read seldom, since a read tells all that was done.
const LOG: [&str; 200] = {
    let mut asks = ["append"; 200];
    asks[0] = "read";
    asks
};

/// One test, since what others hold would count.
#[test]
fn no_search_holds_more_than_it_may() {
    const LIMIT: usize = 24 << 20;
    let cases: [(Spec, &[&'static str], Does); 7] = [
        (Spec::Stack, &["push", "pop"], does),
        (Spec::Queue, &["enqueue", "dequeue"], does),
        (
            Spec::Deque,
            &["push_front", "push_back", "pop_front", "pop_back"],
            does,
        ),
        (Spec::PriorityQueue, &["insert", "poll"], does),
        (Spec::Log, &LOG, does),
        (Spec::Set, &["add", "remove", "read"], does_in_set),
        (Spec::MultiRegister, &["txn"], does_transactions),
    ];
    for (spec, asks, does) in cases {
        // Of a set which elements are there is all that there is to know.
        let values = if spec == Spec::Set { 12 } else { 3 };
        let history = hard(asks, values, does);
        let mut options = Options::new(spec);
        // Sorting would decide.
        options.engine = (spec == Spec::Log).then_some(Engine::Frontier);
        options.limits = Limits {
            time: None,
            memory: Some(LIMIT),
            threads: 1,
        };
        let prepared = Prepared::new(&history, &options).expect("a history");
        let held = HELD.load(Ordering::Relaxed);
        HELD_MOST.store(held, Ordering::Relaxed);
        let verdict = prepared.check(&options).verdict;
        let most = HELD_MOST.load(Ordering::Relaxed) - held;
        println!("{spec}: {most} bytes; {verdict:?}");
        let Verdict::Unknown(limit) = verdict else {
            panic!("{spec}: {verdict:?}");
        };
        assert_eq!(limit.reason, "the memory limit of 24 MiB was met", "{spec}");
        assert!(most <= LIMIT + LIMIT / 10, "{spec}: {most} bytes");
        // A table that is about to grow counts three times.
        assert!(most >= LIMIT / 4, "{spec}: {most} bytes");
        // Nothing of it is held any more but what the history itself takes.
        let left = HELD.load(Ordering::Relaxed).saturating_sub(held);
        assert!(left < LIMIT / 100, "{spec}: {left} bytes are left");
    }
    // What one key held serves the next.
    let history = appended_texts();
    let mut options = Options::new(Spec::Kv);
    options.limits.memory = Some(LIMIT);
    options.limits.threads = 1;
    let prepared = Prepared::new(&history, &options).expect("a history");
    let held = HELD.load(Ordering::Relaxed);
    HELD_MOST.store(held, Ordering::Relaxed);
    let verdict = prepared.check(&options).verdict;
    let most = HELD_MOST.load(Ordering::Relaxed) - held;
    assert_eq!(verdict, Verdict::Valid);
    assert!(most <= LIMIT + LIMIT / 10, "{most} bytes");
    let left = HELD.load(Ordering::Relaxed).saturating_sub(held);
    assert!(left < LIMIT / 100, "{left} bytes are left");
    for (spec, put, get) in [
        (Spec::Register, "write", "read"),
        (Spec::Queue, "enqueue", "dequeue"),
        (Spec::Stack, "push", "pop"),
        (Spec::PriorityQueue, "insert", "poll"),
        (Spec::Set, "add", "contains"),
        (Spec::Counter, "add", "read"),
        (Spec::Counter, "add-and-get", "read"),
        (Spec::Log, "append", "append"),
    ] {
        sorts_within_limits(spec, put, get);
    }
    // What is over is forgotten while a history goes on, whatever it is of.
    for (spec, put, get) in [
        (Spec::Register, "write", "read"),
        (Spec::Queue, "enqueue", "dequeue"),
        (Spec::Stack, "push", "pop"),
    ] {
        forgets_what_is_over(spec, put, get);
    }
}

/// Values that are put in once and seen once, by two clients at once.
fn simple<'a>(put: &'a str, get: &'a str, rounds: u64) -> impl Iterator<Item = Event> + 'a {
    let rounds = (0..rounds).flat_map(move |round| {
        let value = Value::Int(1 + round as i64);
        let (asked, said) = match get {
            "contains" => (value.clone(), Value::Bool(true)),
            "append" => {
                let index = Value::Int(2 * round as i64 + 1);
                (Value::Null, Value::List(vec![index, Value::Null]))
            }
            _ => (Value::Null, value.clone()),
        };
        let (argument, done) = match put {
            "add" if get == "contains" => (value, Value::Bool(true)),
            "add" => (1.into(), Value::Null),
            "add-and-get" => (1.into(), value),
            _ => (value.clone(), value),
        };
        [
            (0, Kind::Invoke, put, argument),
            (1, Kind::Invoke, get, asked),
            (0, Kind::Ok, put, done),
            (1, Kind::Ok, get, said),
        ]
    });
    (0..)
        .zip(rounds)
        .map(|(index, (client, kind, f, value))| Event {
            index,
            time: index,
            process: Process::Client(client),
            kind,
            f: f.to_owned(),
            key: None,
            value,
            error: None,
            node: None,
            fault: None,
        })
}

/// What is decided by sorting says what it holds as well.
fn sorts_within_limits(spec: Spec, put: &str, get: &str) {
    let history = History::new(Header::new("register"), simple(put, get, 60_000).collect());
    let mut options = Options::new(spec);
    options.limits.threads = 1;
    let prepared = Prepared::new(&history, &options).expect("a history");
    let mut check = |memory: Option<usize>| {
        options.limits.memory = memory;
        let held = HELD.load(Ordering::Relaxed);
        HELD_MOST.store(held, Ordering::Relaxed);
        let verdict = prepared.check(&options).verdict;
        (verdict, HELD_MOST.load(Ordering::Relaxed) - held)
    };
    let (verdict, needed) = check(None);
    assert_eq!(verdict, Verdict::Valid, "{spec}");
    let mut least = None;
    for twentieth in 1..40 {
        let memory = needed / 20 * twentieth;
        let (verdict, most) = check(Some(memory));
        assert!(
            most <= memory + memory / 10 + (1 << 16),
            "{spec}: {most} of {memory} bytes"
        );
        match verdict {
            Verdict::Valid => least = least.or(Some(memory)),
            Verdict::Invalid(_) => panic!("{spec}: {verdict:?}"),
            Verdict::Unknown(limit) => {
                assert!(limit.reason.starts_with("the memory limit of"), "{limit}");
                assert_eq!(least, None, "{spec}: {memory} bytes");
            }
        }
    }
    println!("{spec}, by sorting: {needed} bytes; with {least:?}");
    assert!(
        least.is_some_and(|it| it < needed * 7 / 4),
        "{spec}: {least:?}"
    );
}

/// Judges a long history of values that are put in once and seen once.
fn forgets_what_is_over(spec: Spec, put: &str, get: &str) {
    const MOST: usize = 2 << 20;
    let held = HELD.load(Ordering::Relaxed);
    HELD_MOST.store(held, Ordering::Relaxed);
    let mut online = Online::new(&Header::new("register"), spec);
    let mut said = 0;
    for event in simple(put, get, 100_000) {
        assert_eq!(online.event(&event), Ok(None), "{spec}");
        said = said.max(online.bytes());
    }
    assert_eq!((online.given_up(), online.waiting()), (0, 0), "{spec}");
    let most = HELD_MOST.load(Ordering::Relaxed) - held;
    println!("{spec}, as it is recorded: {most} bytes, said to be {said}");
    assert!(most < MOST, "{spec}: {most} bytes");
    assert!(
        (most / 3..3 * most).contains(&said),
        "{spec}: {said} of {most} bytes"
    );
}

/// Keys to which one text after the other is appended: each holds all that it held
/// before, once more.
fn appended_texts() -> History {
    let mut events = Vec::new();
    for key in 0..20 {
        for number in 0..300 {
            let text = format!("{number:060}");
            for kind in [Kind::Invoke, Kind::Ok] {
                let index = events.len() as u64;
                events.push(Event {
                    index,
                    time: index,
                    process: Process::Client(0),
                    kind,
                    f: "append".to_owned(),
                    key: Some(Value::Int(key)),
                    value: Value::Text(text.clone()),
                    error: None,
                    node: None,
                    fault: None,
                });
            }
        }
    }
    History::new(Header::new("kv"), events)
}
