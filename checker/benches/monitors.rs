//! How fast monitors decide: `cargo bench -p tribunal-checker --bench monitors`.
//!
//! Histories of simulated objects and 16 clients that never pause, one thread,
//! best of three (of the longest, one). Each once as it is, and once of an
//! object that goes wrong half way. Milliseconds are those of the monitor
//! alone.

use std::time::{Duration, Instant};

use simulation::{
    Counter, GrowingSet, Log, Object, PriorityQueue, Queue, Random, RepetitiveLog, Set, Stack,
    Teller, TellingLog, simulate,
};
use tribunal_checker::monitors::{
    Decided, Interval, bounds, counter, growing_set, log, priority_queue, queue, set, stack,
};

#[path = "../src/monitors/simulation.rs"]
mod simulation;

const CLIENTS: usize = 16;

fn main() {
    println!(
        "{:24} {:>10} {:>9} {:>10}  verdict",
        "history", "operations", "ms", "ops/s"
    );
    all::<Queue>("queue", queue::decide);
    all::<Stack>("stack", stack::decide);
    all::<PriorityQueue>("priority queue", |history| {
        priority_queue::decide(history, priority_queue::First::Smallest)
    });
    all::<Set>("set", set::decide);
    all::<GrowingSet>("growing set", |history| Some(growing_set::decide(history)));
    all::<Counter>("counter", |history| counter::decide(history, 0));
    all::<Teller>("counter that tells", |history| bounds::refute(history, 0));
    all::<Log>("log", |history| Some(log::decide(history)));
    all::<TellingLog>("log of two values that tells", |history| {
        Some(log::decide(history))
    });
    all::<RepetitiveLog>("log of two values", |history| Some(log::decide(history)));
}

type Monitor<O> = fn(&[Interval<<O as Object>::Operation>]) -> Option<Decided>;

fn all<O: Object>(name: &str, decide: Monitor<O>) {
    for operations in [10_000, 100_000, 1_000_000] {
        one::<O>(name, decide, operations, None);
        one::<O>("  gone wrong", decide, operations, Some(operations / 2));
    }
}

fn one<O: Object>(name: &str, decide: Monitor<O>, operations: usize, wrong_at: Option<usize>) {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let history = simulate::<O>(&mut random, operations, CLIENTS, 0, wrong_at);
    let times = if operations < 1_000_000 { 3 } else { 1 };
    let judged = (0..times).map(|_| judge::<O>(&history, decide));
    let Some((best, verdict)) = judged.min_by_key(|(time, _)| *time) else {
        return;
    };
    let rate = operations as f64 / best.as_secs_f64();
    let ms = best.as_secs_f64() * 1e3;
    println!("{name:24} {operations:>10} {ms:>9.2} {rate:>10.0}  {verdict}");
}

fn judge<O: Object>(history: &[Interval<O::Operation>], decide: Monitor<O>) -> (Duration, String) {
    let begun = Instant::now();
    let decided = decide(history);
    let time = begun.elapsed();
    let verdict = match decided {
        Some(Decided::Order(_)) => "valid".to_owned(),
        Some(Decided::Refuted { blame }) => format!("invalid, by {} operations", blame.len()),
        None => "unknown".to_owned(),
    };
    (time, verdict)
}
