//! How many lines a second are recorded: `cargo bench -p tribunal-histories`.

use std::time::Instant;

use tribunal_histories::{Header, History, Kind, Recorder, Value};

const OPERATIONS: u64 = 100_000;
const THREADS: u64 = 4;

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("history.jsonl");
    let recorder = Recorder::create(&path, &Header::new("register")).expect("a recorder");
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for process in 0..THREADS {
            let recorder = recorder.clone();
            scope.spawn(move || record(&recorder, process));
        }
    });
    rate("recorded", begun, 2 * OPERATIONS);
    let begun = Instant::now();
    let history = History::open(&path).expect("a history");
    rate("read", begun, history.events.len() as u64);
    let begun = Instant::now();
    let operations = history.operations().expect("operations");
    rate("paired", begun, 2 * operations.len() as u64);
}

fn record(recorder: &Recorder, process: u64) {
    let key = Value::Int(3);
    for value in 0..OPERATIONS / THREADS {
        let value = Value::Int(value as i64);
        let invoked = recorder
            .invoke(process, "write", Some(&key), &value, Some("n1"))
            .expect("recorded");
        recorder
            .complete(invoked, Kind::Ok, &value, None, Some("n1"))
            .expect("recorded");
    }
}

fn rate(what: &str, begun: Instant, lines: u64) {
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{lines} lines {what} in {seconds:.2} s: {:.0} a second",
        lines as f64 / seconds
    );
}
