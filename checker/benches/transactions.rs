//! How fast histories of 100,000 transactions are judged, best of three:
//! `cargo bench -p tribunal-checker --bench transactions`.

use std::time::{Duration, Instant};

use tribunal_checker::Verdict;
use tribunal_checker::transactions::{Level, Options, check};
use tribunal_histories::generate::transactions::{Isolation, Object, Shape, history};
use tribunal_histories::{Event, History, Kind};

const TRANSACTIONS: usize = 100_000;

fn main() {
    println!(
        "{:50} {:>12} {:>6} {:>10}  verdict",
        "history", "transactions", "ms", "txns/s"
    );
    for object in [Object::Lists, Object::Registers] {
        for isolation in [
            Isolation::StrictSerializable,
            Isolation::Snapshot,
            Isolation::None,
        ] {
            let history = made(object, isolation);
            for level in Level::ALL {
                let name = format!("{object:?}, {isolation:?}: {level}");
                judged(&name, &history, level);
            }
        }
    }
}

/// 20 clients, 100 keys at a time of at most 32 writes each, 1 to 4
/// micro-operations, 1 in 100 of unknown outcome.
fn made(object: Object, isolation: Isolation) -> History {
    let shape = Shape {
        processes: 20,
        keys: 100,
        writes_per_key: 32,
        length_max: 4,
        info_one_in: 100,
        ..Shape::small(object, isolation)
    };
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let script: Vec<u32> = (0..5 * TRANSACTIONS)
        .map(|_| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random >> 32) as u32
        })
        .collect();
    let mut history = history(&shape, &script);
    let mut begun = 0;
    let is_enough = |event: &Event| {
        begun += usize::from(event.kind == Kind::Invoke);
        begun > TRANSACTIONS
    };
    let end = history.events.iter().position(is_enough);
    history.events.truncate(end.unwrap_or(usize::MAX));
    history
}

fn judged(name: &str, history: &History, level: Level) {
    let mut best = Duration::MAX;
    let mut last = None;
    for _ in 0..3 {
        let begun = Instant::now();
        last = Some(check(history, &Options::new(level)).expect("transactions"));
        best = best.min(begun.elapsed());
    }
    let report = last.expect("judged");
    let verdict = match &report.verdict {
        Verdict::Valid => "valid".to_owned(),
        Verdict::Unknown(limit) => limit.to_string(),
        Verdict::Invalid(witness) => {
            let count = witness.operations.len();
            format!("{} of {count} transactions", witness.anomaly)
        }
    };
    println!(
        "{name:50} {:>12} {:>6.0} {:>10.0}  {verdict}",
        report.operations,
        best.as_secs_f64() * 1e3,
        report.operations as f64 / best.as_secs_f64()
    );
}
