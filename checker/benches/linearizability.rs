//! How fast histories are judged: `cargo bench -p tribunal-checker --bench
//! linearizability`.
//!
//! Long histories first, one thread, best of three (of the longest, one),
//! without reading them from a file; then small ones that a campaign with
//! crashes records, and the dozen operations that a model checker asks about at
//! every state. Clients never pause, which is the hardest they can be.

use std::hint::black_box;
use std::time::{Duration, Instant};

use tribunal_checker::specification::{Register, RegisterCall, RegisterReturn, TimedCall};
use tribunal_checker::{Limits, Options, Spec, Verdict, check, is_linearizable_small};
use tribunal_histories::History;
use tribunal_histories::generate::{Object, Shape, linearizable, violating};

fn main() {
    println!(
        "{:48} {:>10} {:>9} {:>10}  verdict",
        "history", "operations", "ms", "ops/s"
    );
    let five = |clients, crashed| shape(Object::CasRegister, clients, 1, 5, crashed);
    for operations in [10_000, 100_000, 1_000_000] {
        large(
            "one register, 10 clients, 5 values, cas",
            &five(10, 0),
            operations,
            false,
        );
    }
    large(
        "  with a stale read near the end",
        &five(10, 0),
        100_000,
        true,
    );
    large(
        "  1 in 100 of unknown outcome",
        &five(10, 100),
        100_000,
        false,
    );
    large(
        "  the same with a stale read near the end",
        &five(10, 100),
        100_000,
        true,
    );
    large(
        "one register, 50 clients, 5 values, cas",
        &five(50, 0),
        10_000,
        false,
    );
    let distinct = |clients, crashed| shape(Object::Register, clients, 1, 0, crashed);
    let name = "distinct values, 50 clients, 1 in 20 unknown";
    large(name, &distinct(50, 20), 1_000_000, false);
    large(
        "  with a stale read near the end",
        &distinct(50, 20),
        1_000_000,
        true,
    );
    let with_cas = shape(Object::CasRegister, 10, 1, 0, 20);
    large(
        "distinct values and cas, 10 clients, 1 in 20",
        &with_cas,
        100_000,
        false,
    );
    for operations in [300, 1_000, 3_000] {
        let name = "10 clients, 1 in 20 unknown, one bad read";
        large(name, &five(10, 20), operations, true);
        large(name, &distinct(10, 20), operations, true);
    }
    let keys = shape(Object::CasRegister, 50, 100, 5, 100);
    large("100 keys, 50 clients, 5 values", &keys, 1_000_000, false);
    large("  with a stale read near the end", &keys, 100_000, true);
    many();
    for operations in [4, 6, 8, 10] {
        small(operations);
    }
}

fn shape(object: Object, processes: u32, keys: u32, values: u32, info_one_in: u32) -> Shape {
    Shape {
        processes,
        keys,
        values,
        info_one_in,
        ..Shape::small(object)
    }
}

fn judge(history: &History) -> (Duration, usize, &'static str) {
    let options = Options {
        spec: Spec::CasRegister,
        nil: None,
        limits: Limits {
            time: Some(Duration::from_secs(20)),
            memory: Some(2 << 30),
            threads: 1,
        },
    };
    let begun = Instant::now();
    let report = check(history, &options).expect("a history");
    let verdict = match report.verdict {
        Verdict::Valid => "valid",
        Verdict::Invalid(_) => "invalid",
        Verdict::Unknown(_) => "unknown",
    };
    (begun.elapsed(), report.operations, verdict)
}

fn large(name: &str, shape: &Shape, operations: usize, wrong: bool) {
    let history = generate(shape, operations, wrong);
    let times = if operations < 1_000_000 { 3 } else { 1 };
    let judged = (0..times).map(|_| judge(&history));
    let Some((best, operations, verdict)) = judged.min_by_key(|(time, ..)| *time) else {
        return;
    };
    let rate = operations as f64 / best.as_secs_f64();
    let ms = best.as_secs_f64() * 1e3;
    println!("{name:48} {operations:>10} {ms:>9.2} {rate:>10.0}  {verdict}");
}

/// A thousand histories of eighty operations, one in twelve of them of unknown
/// outcome.
fn many() {
    let shape = shape(Object::CasRegister, 5, 1, 5, 12);
    let mut numbers = numbers();
    let mut times: Vec<Duration> = Vec::new();
    let mut valid = 0;
    for _ in 0..1_000 {
        let script: Vec<u32> = numbers.by_ref().take(240).collect();
        let (time, _, verdict) = judge(&linearizable(&shape, &script));
        times.push(time);
        valid += usize::from(verdict == "valid");
    }
    times.sort_unstable();
    let us = |time: Duration| time.as_secs_f64() * 1e6;
    println!(
        "80 operations, 5 clients, crashes: median {:.1} µs, worst {:.1} µs of 1000, {valid} valid",
        us(times[times.len() / 2]),
        us(times[times.len() - 1])
    );
}

fn generate(shape: &Shape, operations: usize, wrong: bool) -> History {
    let script: Vec<u32> = numbers().take(3 * operations).collect();
    match wrong {
        // An odd choice asks for a stale read, the half of it says where.
        true => violating(shape, &script, 2 * (9 * operations as u32 / 10 * 2) + 1),
        false => linearizable(shape, &script),
    }
}

fn numbers() -> impl Iterator<Item = u32> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u32
    })
}

fn small(operations: usize) {
    const HISTORIES: usize = 20_000;
    let mut numbers = numbers();
    let mut draw = |bound: u32| numbers.next().map_or(0, |number| number % bound);
    let histories: Vec<_> = (0..HISTORIES)
        .map(|_| small_history(&mut draw, operations))
        .collect();
    let register = Register { initial: 0 };
    let mut best = Duration::MAX;
    let mut valid = 0;
    for _ in 0..5 {
        let begun = Instant::now();
        let judged = histories
            .iter()
            .filter(|history| is_linearizable_small(&register, history));
        valid = black_box(judged.count());
        best = best.min(begun.elapsed());
    }
    println!(
        "{operations} operations, a history in {} ns, {valid} of {HISTORIES} linearizable",
        best.as_nanos() / HISTORIES as u128
    );
}

type Call = TimedCall<RegisterCall<u8>, RegisterReturn<u8>>;

/// Each operation overlaps about two others; some stay open.
fn small_history(draw: &mut impl FnMut(u32) -> u32, operations: usize) -> Vec<Call> {
    let mut held = 0;
    let calls = (0..operations as u32).map(|number| {
        let (call, returned) = match draw(3) {
            0 => {
                held = draw(3) as u8;
                (RegisterCall::Write(held), RegisterReturn::Done)
            }
            1 => {
                let from = draw(3) as u8;
                let done = from == held;
                held = if done { 2 - from } else { held };
                let returned = if done {
                    RegisterReturn::Done
                } else {
                    RegisterReturn::Mismatch
                };
                (RegisterCall::Cas { from, to: 2 - from }, returned)
            }
            _ => (RegisterCall::Read, RegisterReturn::Value(held)),
        };
        let invoked = 4 * number + 1;
        Call {
            call,
            invoked,
            completed: (draw(8) > 0).then(|| (invoked + 2 * draw(5) + 1, returned)),
        }
    });
    calls.collect()
}
