//! How fast histories are judged: `cargo bench -p tribunal-checker`.
//!
//! Recorded histories of 100,000 operations first, best of three; then the
//! dozen operations that a model checker asks about at every state.

use std::hint::black_box;
use std::time::{Duration, Instant};

use tribunal_checker::specification::{Register, RegisterCall, RegisterReturn, TimedCall};
use tribunal_checker::{Limits, Options, Spec, Verdict, check, is_linearizable_small};
use tribunal_histories::History;
use tribunal_histories::generate::{Object, Shape, linearizable, violating};

const OPERATIONS: usize = 100_000;

fn main() {
    println!(
        "{:44} {:>10} {:>9} {:>10}  verdict",
        "history", "operations", "ms", "ops/s"
    );
    large(
        "one register, 10 clients, 5 values",
        &shape(10, 1, 5, 0),
        false,
    );
    large(
        "the same with a stale read near the end",
        &shape(10, 1, 5, 0),
        true,
    );
    large(
        "the same, 1 in 100 of unknown outcome",
        &shape(10, 1, 5, 100),
        false,
    );
    large(
        "the same with a stale read near the end",
        &shape(10, 1, 5, 100),
        true,
    );
    large(
        "one register, 10 clients, distinct values",
        &shape(10, 1, 0, 0),
        false,
    );
    large(
        "the same, 1 in 20 of unknown outcome",
        &shape(10, 1, 0, 20),
        false,
    );
    large(
        "the same with a stale read near the end",
        &shape(10, 1, 0, 20),
        true,
    );
    large(
        "100 keys, 50 clients, 5 values",
        &shape(50, 100, 5, 100),
        false,
    );
    large(
        "the same with a stale read near the end",
        &shape(50, 100, 5, 100),
        true,
    );
    for operations in [4, 6, 8, 10] {
        small(operations);
    }
}

fn shape(processes: u32, keys: u32, values: u32, info_one_in: u32) -> Shape {
    Shape {
        processes,
        keys,
        values,
        info_one_in,
        ..Shape::small(Object::CasRegister)
    }
}

fn large(name: &str, shape: &Shape, wrong: bool) {
    let history = generate(shape, wrong);
    let options = Options {
        spec: Spec::CasRegister,
        nil: None,
        limits: Limits {
            time: Some(Duration::from_secs(20)),
            memory: Some(2 << 30),
            threads: 1,
        },
    };
    let mut best = Duration::MAX;
    let mut operations = 0;
    let mut verdict = "";
    for _ in 0..3 {
        let begun = Instant::now();
        let report = check(&history, &options).expect("a history");
        best = best.min(begun.elapsed());
        operations = report.operations;
        verdict = match report.verdict {
            Verdict::Valid => "valid",
            Verdict::Invalid(_) => "invalid",
            Verdict::Unknown(_) => "unknown",
        };
    }
    let rate = operations as f64 / best.as_secs_f64();
    let ms = best.as_secs_f64() * 1e3;
    println!("{name:44} {operations:>10} {ms:>9.1} {rate:>10.0}  {verdict}");
}

fn generate(shape: &Shape, wrong: bool) -> History {
    let script: Vec<u32> = numbers().take(3 * OPERATIONS).collect();
    match wrong {
        // An odd choice asks for a stale read, the half of it says where.
        true => violating(shape, &script, 2 * (9 * OPERATIONS as u32 / 10 * 2) + 1),
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
