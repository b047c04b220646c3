//! How fast histories are judged: `cargo bench -p tribunal-checker --bench
//! linearizability`, or with words after `--` only the rows whose
//! name and number of operations hold one.
//!
//! Processor time of one thread, best of three (of what takes seconds, one), without
//! reading a file: of the check alone, and before it of pairing events and of
//! giving calls and values their numbers; and how much memory both took at most,
//! beyond the history. `ENGINE=name` forces one engine. Clients think as long as
//! an operation takes, on average, unless a row says that they are always busy;
//! a failed cas is an observation. `80 operations` are small histories as a
//! campaign with crashes records them; what a model checker asks about at every
//! state is in the bench `tester` of the models. `online for long` (a minute)
//! runs only if it is asked for. It says in the end which bars were missed, and fails if
//! one was.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use tribunal_checker::{Engine, Limits, Online, Options, Prepared, Spec, Verdict};
use tribunal_histories::{Event, FailedCas, Header, History, Kind, Process, Value};

/// The system's allocator; it counts what is held, and the most since that was
/// last asked.
struct Counted;

#[global_allocator]
static COUNTED: Counted = Counted;
static HELD: AtomicUsize = AtomicUsize::new(0);
static HELD_MOST: AtomicUsize = AtomicUsize::new(0);

impl Counted {
    fn took(bytes: usize) {
        let held = HELD.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if held > HELD_MOST.load(Ordering::Relaxed) {
            HELD_MOST.fetch_max(held, Ordering::Relaxed);
        }
    }

    /// Forgets what was held at most before; how much is held now.
    fn restart() -> usize {
        let held = HELD.load(Ordering::Relaxed);
        HELD_MOST.store(held, Ordering::Relaxed);
        held
    }
}

// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Counted::took(layout.size());
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Counted::took(layout.size());
        // SAFETY: the caller's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Counted::took(size);
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's.
        unsafe { System.dealloc(block, layout) }
    }
}

/// How clients behave.
#[derive(Clone, Copy)]
struct Load {
    operations: usize,
    clients: u64,
    keys: u64,
    /// How many values are written; all distinct if none.
    values: Option<u64>,
    /// Reads, writes, cas and appends, in parts.
    mix: [u64; 4],
    /// Mean time between operations, as a share of the mean of one.
    think: f64,
    /// How many operations in a thousand crash.
    crashed: u64,
    /// Whether a read near the end is corrupted.
    bad: bool,
}

const FIVE: Load = Load {
    operations: 0,
    clients: 10,
    keys: 1,
    values: Some(5),
    mix: [2, 1, 2, 0],
    think: 1.0,
    crashed: 0,
    bad: false,
};

const DISTINCT: Load = Load {
    clients: 50,
    values: None,
    mix: [1, 1, 0, 0],
    ..FIVE
};

/// What is to be met, and what was not.
#[derive(Default)]
struct Bars {
    missed: Vec<String>,
}

impl Bars {
    fn at_most(&mut self, what: &str, measured: f64, bar: f64) {
        if measured > bar {
            let missed = format!("{what}: {measured:.2}, at most {bar}");
            self.missed.push(missed);
        }
    }

    fn at_least(&mut self, what: &str, measured: f64, bar: f64) {
        if measured < bar {
            let missed = format!("{what}: {measured:.2}, at least {bar}");
            self.missed.push(missed);
        }
    }

    fn conclude(self) -> ExitCode {
        for missed in &self.missed {
            println!("bar missed: {missed}");
        }
        match self.missed.is_empty() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        }
    }
}

/// The row that is run at three sizes.
const GROWS: &str = "five values, cas, 10 clients";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let engine = std::env::var("ENGINE").ok();
    let engine = engine.map(|name| name.parse().expect("an engine"));
    let is_asked =
        |name: &str| words.is_empty() || words.iter().any(|word| format!("{name};").contains(word));
    let mut bars = Bars::default();
    // What one of them takes, at ten times as many operations each.
    let mut decades: Vec<f64> = Vec::new();
    println!(
        "{:52} {:>10} {:>10} {:>10} {:>7} {:>7}  verdict",
        "history", "operations", "check ms", "prepare ms", "MB", "bar ms"
    );
    for (name, load, bar) in rows() {
        if is_asked(&format!("{name}, {}", load.operations)) {
            let ms = row(name, &load, bar, engine, &mut bars);
            if name == GROWS {
                decades.push(ms);
            }
        }
    }
    for (decade, pair) in decades.windows(2).enumerate() {
        let what = format!("growth of {GROWS}, decade {}", decade + 1);
        bars.at_most(&what, pair[1] / pair[0], 16.0);
    }
    if is_asked("two threads") {
        two_threads(&mut bars);
    }
    if is_asked("online") {
        for values in [FIVE.values, None] {
            online(values, 1_000_000, 5, &mut bars);
        }
    }
    if words.contains(&"online for long") {
        for values in [FIVE.values, None] {
            online(values, 10_000_000, 10, &mut bars);
        }
    }
    if is_asked("80 operations") {
        many(&mut bars);
    }
    bars.conclude()
}

fn rows() -> Vec<(&'static str, Load, Option<f64>)> {
    let five = |operations| Load { operations, ..FIVE };
    let distinct = |operations| Load {
        operations,
        ..DISTINCT
    };
    let crashed = |load: Load, crashed| Load { crashed, ..load };
    let bad = |load: Load| Load { bad: true, ..load };
    let clients = |load: Load, clients| Load { clients, ..load };
    let ten = |operations| crashed(clients(distinct(operations), 10), 50);
    let keys = Load {
        keys: 100,
        clients: 50,
        mix: [2, 1, 0, 1],
        values: Some(5),
        ..FIVE
    };
    let busy = Load {
        think: 0.0,
        clients: 50,
        ..five(10_000)
    };
    vec![
        (GROWS, five(10_000), None),
        (GROWS, five(100_000), None),
        (GROWS, five(1_000_000), Some(500.0)),
        (
            "five values, cas, 10 clients, bad read",
            bad(five(1_000_000)),
            None,
        ),
        (
            "five values, cas, 20 clients",
            clients(five(100_000), 20),
            None,
        ),
        (
            "five values, cas, 50 clients",
            clients(five(10_000), 50),
            None,
        ),
        (
            "five values, cas, 10 clients, 1 % crashed",
            crashed(five(10_000), 10),
            None,
        ),
        (
            "five values, cas, 10 clients, 1 % crashed",
            crashed(five(100_000), 10),
            None,
        ),
        (
            "five values, cas, 10 clients, 5 % crashed",
            crashed(five(100_000), 50),
            None,
        ),
        (
            "distinct, 50 clients, 5 % crashed",
            crashed(distinct(1_000_000), 50),
            Some(300.0),
        ),
        (
            "distinct, 50 clients, 5 % crashed, bad read",
            bad(crashed(distinct(1_000_000), 50)),
            None,
        ),
        (
            "distinct and cas, 10 clients",
            Load {
                mix: [2, 1, 2, 0],
                ..clients(distinct(100_000), 10)
            },
            None,
        ),
        (
            "distinct and cas, 10 clients, 5 % crashed",
            Load {
                mix: [2, 1, 2, 0],
                ..ten(100_000)
            },
            None,
        ),
        (
            "distinct, 10 clients, 5 % crashed, one bad read",
            bad(ten(300)),
            Some(5.0),
        ),
        (
            "distinct, 10 clients, 5 % crashed, one bad read",
            bad(ten(1_000)),
            Some(5.0),
        ),
        (
            "distinct, 10 clients, 5 % crashed, one bad read",
            bad(ten(3_000)),
            Some(5.0),
        ),
        (
            "five values, 10 clients, 5 % crashed, one bad read",
            bad(crashed(five(300), 50)),
            Some(5.0),
        ),
        (
            "five values, 10 clients, 5 % crashed, one bad read",
            bad(crashed(five(1_000), 50)),
            Some(5.0),
        ),
        (
            "five values, 10 clients, 5 % crashed, one bad read",
            bad(crashed(five(3_000), 50)),
            Some(5.0),
        ),
        (
            "put, get, append, 100 keys, 50 clients",
            Load {
                operations: 1_000_000,
                ..keys
            },
            Some(200.0),
        ),
        (
            "put, get, append, 100 keys, 50 clients, bad read",
            bad(Load {
                operations: 100_000,
                ..keys
            }),
            None,
        ),
        (
            "read, write, cas, 100 keys, 50 clients",
            Load {
                operations: 1_000_000,
                mix: FIVE.mix,
                ..keys
            },
            Some(200.0),
        ),
        (
            "always busy, 10 clients",
            Load {
                clients: 10,
                ..busy
            },
            None,
        ),
        ("always busy, 50 clients", busy, Some(10_000.0)),
    ]
}

/// Processor time that this process has used.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("a clock");
    Duration::from(time)
}

/// What judging took.
struct Judged {
    checking: Duration,
    preparing: Duration,
    /// Bytes beyond the history, at most.
    held: usize,
    operations: usize,
    verdict: &'static str,
}

fn options(engine: Option<Engine>, threads: usize) -> Options {
    Options {
        engine,
        limits: Limits {
            time: Some(Duration::from_secs(20)),
            memory: Some(2 << 30),
            threads,
        },
        ..Options::new(Spec::Kv)
    }
}

fn judge(history: &History, engine: Option<Engine>) -> Judged {
    let options = options(engine, 1);
    let held = Counted::restart();
    let begun = processor_time();
    let prepared = Prepared::new(history, &options).expect("a history");
    let preparing = processor_time() - begun;
    let begun = processor_time();
    let report = prepared.check(&options);
    let checking = processor_time() - begun;
    Judged {
        checking,
        preparing,
        held: HELD_MOST.load(Ordering::Relaxed) - held,
        operations: report.operations,
        verdict: match report.verdict {
            Verdict::Valid => "valid",
            Verdict::Invalid(_) => "invalid",
            Verdict::Unknown(_) => "unknown",
        },
    }
}

/// Judges such a history, best of three unless that is long; what that took, in ms.
fn row(name: &str, load: &Load, bar: Option<f64>, engine: Option<Engine>, bars: &mut Bars) -> f64 {
    let history = generate(load);
    let mut judged = judge(&history, engine);
    if judged.checking < Duration::from_secs(1) {
        let again = [judge(&history, engine), judge(&history, engine)];
        judged = again.into_iter().fold(judged, |best, again| {
            if again.checking < best.checking {
                again
            } else {
                best
            }
        });
    }
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    if let Some(bar) = bar {
        let what = format!("{name}, {} operations, ms", judged.operations);
        bars.at_most(&what, ms(judged.checking), bar);
        if load.values == FIVE.values && load.clients == FIVE.clients && load.keys == 1 {
            bars.at_most(
                &format!("{what} (MB held)"),
                judged.held as f64 / 1e6,
                100.0,
            );
        }
    }
    let bar = bar.map_or(String::new(), |bar| format!("{bar}"));
    println!(
        "{name:52} {:>10} {:>10.3} {:>10.3} {:>7.1} {bar:>7}  {}",
        judged.operations,
        ms(judged.checking),
        ms(judged.preparing),
        judged.held as f64 / 1e6,
        judged.verdict
    );
    ms(judged.checking)
}

/// A hundred keys, by one thread and by two: time that passes, best of five taken
/// in turns.
fn two_threads(bars: &mut Bars) {
    let history = generate(&Load {
        operations: 1_000_000,
        keys: 100,
        clients: 50,
        ..FIVE
    });
    let mut best = [Duration::MAX; 2];
    for _ in 0..5 {
        for (place, best) in best.iter_mut().enumerate() {
            let options = options(None, place + 1);
            let prepared = Prepared::new(&history, &options).expect("a history");
            let begun = Instant::now();
            let report = prepared.check(&options);
            *best = begun.elapsed().min(*best);
            assert_eq!(report.verdict, Verdict::Valid);
        }
    }
    let [one, two] = best.map(|best| best.as_secs_f64());
    bars.at_least("two threads, times as fast", one / two, 1.7);
    println!(
        "two threads, 100 keys, 1000000 operations: {:.0} ms by one, {:.0} ms by two, {:.2} times as fast (bar 1.7)",
        one * 1e3,
        two * 1e3,
        one / two
    );
}

/// A history of ten clients on one key, of so many values or each written once,
/// judged as it comes, over and over: what is held must not grow with it.
fn online(values: Option<u64>, operations: usize, times: u64, bars: &mut Bars) {
    let load = if values.is_some() { FIVE } else { DISTINCT };
    let mut history = generate(&Load {
        operations,
        clients: FIVE.clients,
        ..load
    });
    // So that it can begin anew.
    let Some(last) = history.events.last().cloned() else {
        return;
    };
    for (place, kind) in [(1, Kind::Invoke), (2, Kind::Ok)] {
        history.events.push(Event {
            index: last.index + place,
            kind,
            f: "write".to_owned(),
            value: Value::Null,
            ..last.clone()
        });
    }
    let count = history.events.len() as u64;
    let before = Counted::restart();
    let mut online = Online::new(&history.header, Spec::CasRegister);
    for _ in 0..times {
        let begun = processor_time();
        let violations = history.events.iter().filter(|event| {
            let violation = online.event(event).expect("an event");
            violation.is_some()
        });
        assert_eq!(violations.count(), 0);
        let spent = processor_time() - begun;
        for event in &mut history.events {
            event.index += count;
            if let (None, Value::Int(value)) = (values, &mut event.value) {
                *value += operations as i64;
            }
        }
        let of = if values.is_some() { "five" } else { "distinct" };
        let rate = count as f64 / spent.as_secs_f64() / 1e6;
        bars.at_least(&format!("online, {of} values, M events/s"), rate, 2.0);
        println!(
            "online, {of} values, 10 clients: {rate:.2} M events/s (bar 2), {} bytes held, {} keys given up, of {} events",
            HELD.load(Ordering::Relaxed) - before,
            online.given_up(),
            online.judged().ends
        );
    }
}

/// A thousand histories of eighty operations, one in twelve of them of unknown
/// outcome.
fn many(bars: &mut Bars) {
    let mut times: Vec<Duration> = Vec::new();
    let mut valid = 0;
    for seed in 0..1_000 {
        let load = Load {
            operations: 80,
            clients: 5,
            crashed: 83,
            bad: seed % 2 == 1,
            ..FIVE
        };
        let history = generate_from(&load, seed);
        let options = Options {
            limits: Limits {
                threads: 1,
                ..Limits::default()
            },
            ..Options::new(Spec::CasRegister)
        };
        let prepared = Prepared::new(&history, &options).expect("a history");
        let begun = processor_time();
        let report = prepared.check(&options);
        times.push(processor_time() - begun);
        valid += usize::from(report.verdict == Verdict::Valid);
    }
    times.sort_unstable();
    let us = |time: Duration| time.as_secs_f64() * 1e6;
    let (median, worst) = (us(times[times.len() / 2]), us(times[times.len() - 1]));
    bars.at_most("80 operations, median µs", median, 50.0);
    bars.at_most("80 operations, worst µs", worst, 5_000.0);
    println!(
        "80 operations, 5 clients, crashes: median {median:.1} µs (bar 50), worst {worst:.1} µs (bar 5000) of 1000, {valid} valid"
    );
}

fn generate(load: &Load) -> History {
    generate_from(load, 1)
}

/// Random numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// A time with this mean, of what happens at random.
    fn exponential(&mut self, mean: f64) -> f64 {
        let share = (self.next() % (1 << 40)) as f64 / (1_u64 << 40) as f64;
        -mean * (1.0 - share).ln()
    }
}

/// What happens at a time; times are in billionths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Invoke(u64),
    /// An operation takes effect; whether it crashed.
    Effect(usize, bool),
    Complete(usize),
}

struct Asked {
    process: u64,
    key: u64,
    f: &'static str,
    value: Value,
    answer: Option<Value>,
}

/// An atomic object is stepped at a random moment within each operation.
fn generate_from(load: &Load, seed: u64) -> History {
    const UNIT: f64 = 1e9;
    let mut random = Random(0x2545_f491_4f6c_dd1d ^ (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut queue = BinaryHeap::new();
    let mut asked: Vec<Asked> = Vec::new();
    let mut held: Vec<Value> = vec![Value::Null; load.keys as usize];
    let mut events: Vec<Event> = Vec::new();
    let mut process_next = load.clients;
    let mut written = 0;
    for client in 0..load.clients {
        let at = random.exponential(load.think.max(0.01));
        queue.push(Reverse(((at * UNIT) as u64, Happening::Invoke(client))));
    }
    while let Some(Reverse((now, happening))) = queue.pop() {
        let later = |span: f64| now + (span * UNIT) as u64;
        match happening {
            Happening::Invoke(_) if asked.len() == load.operations => {}
            Happening::Invoke(process) => {
                let operation = draw(load, &mut random, process, &held, &mut written);
                record(&mut events, now, &operation, Kind::Invoke);
                let place = asked.len();
                asked.push(operation);
                let (first, second) = (random.exponential(0.5), random.exponential(0.5));
                if random.below(1000) < load.crashed {
                    if random.below(2) == 0 {
                        let span = if random.below(2) == 0 { 1.0 } else { 20.0 };
                        queue.push(Reverse((
                            later(first * span),
                            Happening::Effect(place, true),
                        )));
                    }
                    let again = later(first + second + 2.0);
                    queue.push(Reverse((again, Happening::Invoke(process_next))));
                    process_next += 1;
                } else {
                    queue.push(Reverse((later(first), Happening::Effect(place, false))));
                    queue.push(Reverse((later(first + second), Happening::Complete(place))));
                }
            }
            Happening::Effect(place, _) => {
                let operation = &mut asked[place];
                operation.answer = carry_out(operation, &mut held);
            }
            Happening::Complete(place) => {
                let operation = &asked[place];
                let kind = match operation.answer {
                    Some(_) => Kind::Ok,
                    None => Kind::Fail,
                };
                record(&mut events, now, operation, kind);
                let pause = random.exponential(load.think);
                queue.push(Reverse((
                    later(pause),
                    Happening::Invoke(operation.process),
                )));
            }
        }
    }
    if load.bad {
        corrupt(load, &mut events);
    }
    let header = Header {
        failed_cas: FailedCas::Observed,
        ..Header::new("kv")
    };
    History::new(header, events)
}

fn draw(
    load: &Load,
    random: &mut Random,
    process: u64,
    held: &[Value],
    written: &mut i64,
) -> Asked {
    let key = random.below(load.keys);
    let mut share = random.below(load.mix.iter().sum());
    let mut value = |random: &mut Random| match load.values {
        Some(values) => Value::Int(random.below(values) as i64),
        None => {
            *written += 1;
            Value::Int(*written)
        }
    };
    let mut kind = 0;
    while share >= load.mix[kind] {
        share -= load.mix[kind];
        kind += 1;
    }
    let appends = load.mix[3] > 0;
    let (f, value) = match kind {
        0 => ("read", Value::Null),
        1 if appends => ("write", Value::List(vec![value(random)])),
        1 => ("write", value(random)),
        2 => {
            let from = match load.values {
                Some(_) => value(random),
                None => held[key as usize].clone(),
            };
            ("cas", Value::List(vec![from, value(random)]))
        }
        _ => ("append", value(random)),
    };
    Asked {
        process,
        key,
        f,
        value,
        answer: None,
    }
}

/// What is answered; none if a cas does not match.
fn carry_out(operation: &Asked, held: &mut [Value]) -> Option<Value> {
    let held = &mut held[operation.key as usize];
    match (operation.f, &operation.value) {
        ("read", _) => return Some(held.clone()),
        ("cas", Value::List(pair)) if pair[0] == *held => *held = pair[1].clone(),
        ("cas", _) => return None,
        ("append", value) => match held {
            Value::List(list) => list.push(value.clone()),
            _ => *held = Value::List(vec![value.clone()]),
        },
        (_, value) => *held = value.clone(),
    }
    Some(operation.value.clone())
}

fn record(events: &mut Vec<Event>, now: u64, operation: &Asked, kind: Kind) {
    let index = events.len() as u64;
    let value = match (kind, &operation.answer) {
        (Kind::Ok, Some(answer)) => answer.clone(),
        _ => operation.value.clone(),
    };
    events.push(Event {
        index,
        time: now,
        process: Process::Client(operation.process),
        kind,
        f: operation.f.to_owned(),
        key: Some((operation.key as i64).into()),
        value,
        error: None,
        node: None,
        fault: None,
    });
}

/// Lets a read of the last tenth see what was there long before, or another of
/// few values.
fn corrupt(load: &Load, events: &mut [Event]) {
    let first = events.len() * 9 / 10;
    let mut reads = events
        .iter_mut()
        .skip(first)
        .filter(|event| event.kind == Kind::Ok && event.f == "read" && event.value != Value::Null);
    let Some(event) = reads.next() else { return };
    event.value = match (&event.value, load.values) {
        (Value::Int(seen), Some(values)) => Value::Int((seen + 2) % values as i64),
        (Value::Int(seen), None) => Value::Int((seen - 60.max(4 * load.clients as i64)).max(1)),
        (_, _) => Value::List(vec![9.into()]),
    };
}
