//! How many lines a second are recorded, and read in each notation:
//! `cargo bench -p tribunal-histories`.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::Instant;

use tribunal_histories::{Format, Header, History, Input, Kind, Recorder, Value, Written};

const OPERATIONS: u64 = 500_000;
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
    let history = read("read", &path, Format::Jsonl);
    let edn = folder.path().join("history.edn");
    let begun = Instant::now();
    let file = File::create(&edn).expect("a file");
    let written = history.write_as(Written::Edn, BufWriter::new(file));
    written.expect("written");
    rate("written as EDN", begun, history.events.len() as u64);
    read("read as EDN", &edn, Format::Edn);
    let json = folder.path().join("history.json");
    let text = std::fs::read_to_string(&path).expect("text");
    let operations = text.split_once('\n').expect("a header").1;
    std::fs::write(&json, operations).expect("the folder is mine");
    read("read as JSON without a header", &json, Format::Json);
    let begun = Instant::now();
    let operations = history.operations().expect("operations");
    rate("paired", begun, 2 * operations.len() as u64);
}

fn read(what: &str, path: &Path, format: Format) -> History {
    let begun = Instant::now();
    let input = Input::open(path).expect("the file is there");
    let history = input.read(format).expect("a history");
    rate(what, begun, history.events.len() as u64);
    history
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
