//! Whatever a file holds, a reader makes a history of it or says where it is
//! wrong. `cargo fuzz` asks the same for longer; see `fuzz/`.

use std::path::Path;

use proptest::prelude::*;
use tribunal_histories::{Format, History, HistoryError, Written, formats};

/// A file of each format.
fn sample(format: Format) -> &'static [u8] {
    match format {
        Format::Jsonl => include_bytes!("formats/ours.jsonl"),
        Format::Edn => include_bytes!("formats/register.edn"),
        Format::Json => include_bytes!("formats/list-append.json"),
        Format::PorcupineKv => include_bytes!("formats/kv.txt"),
        Format::PorcupineEtcd => include_bytes!("formats/etcd.log"),
        Format::Knossos => include_bytes!("formats/multi-register.edn"),
        Format::Limo => include_bytes!("formats/stack.hist"),
        Format::Polylin => include_bytes!("formats/queue.log"),
    }
}

/// Reads bytes, and whatever can be done with what they are.
fn read(format: Format, bytes: &[u8]) -> Result<(), TestCaseError> {
    let history = match formats::read(bytes, Path::new("h"), format) {
        Ok(history) => history,
        Err(HistoryError::Malformed { line, column, .. }) => {
            let lines = bytes.iter().filter(|&&byte| byte == b'\n').count();
            prop_assert!(line >= 1 && line <= lines + 2, "line {line} of {lines}");
            prop_assert!(column >= 1 && column <= bytes.len() + 1, "column {column}");
            return Ok(());
        }
        Err(other) => return Err(TestCaseError::fail(other.to_string())),
    };
    let _ = history.operations();
    for (written, format) in [(Written::Jsonl, Format::Jsonl), (Written::Edn, Format::Edn)] {
        let mut text = Vec::new();
        history.write_as(written, &mut text).expect("written");
        let again: History = formats::read(&text[..], Path::new("h"), format)
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(&again.header, &history.header);
        prop_assert_eq!(&again.events, &history.events);
    }
    Ok(())
}

/// What is done to a file: where, to how many bytes, and what with.
#[derive(Clone, Debug)]
enum Change {
    Remove(usize, usize),
    Insert(usize, Vec<u8>),
    Repeat(usize, usize),
    CutOff(usize),
}

fn any_change() -> impl Strategy<Value = Change> {
    let place = any::<usize>;
    let part = prop_oneof![
        any::<u8>().prop_map(|byte| vec![byte]),
        prop::sample::select(&b"{}[]()#_;:,\"\\ \n\t-0129.eN?u"[..]).prop_map(|byte| vec![byte]),
        prop::sample::select(
            &[
                "nil",
                "null",
                "#{",
                "##",
                "\\u12",
                ":f",
                "99999999999999999999"
            ][..]
        )
        .prop_map(|part| part.as_bytes().to_vec()),
    ];
    prop_oneof![
        (place(), 1..20_usize).prop_map(|(at, count)| Change::Remove(at, count)),
        (place(), part).prop_map(|(at, part)| Change::Insert(at, part)),
        (place(), 1..60_usize).prop_map(|(at, count)| Change::Repeat(at, count)),
        place().prop_map(Change::CutOff),
    ]
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let length = bytes.len();
        let at = |place: usize| place % (length + 1);
        match change {
            Change::Remove(place, count) => {
                let at = at(*place);
                bytes.drain(at..(at + count).min(length));
            }
            Change::Insert(place, part) => {
                let at = at(*place);
                bytes.splice(at..at, part.iter().copied());
            }
            Change::Repeat(place, count) => {
                let at = at(*place);
                let part = bytes[at..(at + count).min(length)].to_vec();
                bytes.splice(at..at, part);
            }
            Change::CutOff(place) => bytes.truncate(at(*place)),
        }
    }
    bytes
}

fn any_format() -> impl Strategy<Value = Format> {
    prop::sample::select(&Format::ALL[..])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_bytes_are_a_history_or_wrong_somewhere(
        format in any_format(),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        Format::guess(&bytes, Path::new("h"));
        read(format, &bytes)?;
    }

    #[test]
    fn so_is_any_file_that_was_changed(
        format in any_format(),
        changes in prop::collection::vec(any_change(), 0..8),
    ) {
        let bytes = changed(sample(format).to_vec(), &changes);
        Format::guess(&bytes, Path::new("h"));
        read(format, &bytes)?;
    }

    #[test]
    fn so_is_a_file_of_another_format(of in any_format(), as_if in any_format()) {
        read(as_if, sample(of))?;
    }
}

#[test]
fn what_is_too_long_or_too_deep_is_refused_and_not_held() {
    /// So many bytes, made while they are read.
    struct Endless(&'static [u8], usize);
    impl std::io::Read for Endless {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            for byte in into.iter_mut() {
                *byte = self.0[self.1.min(self.0.len() - 1)];
                self.1 += 1;
            }
            Ok(into.len())
        }
    }
    let begins: [&[u8]; 9] = [
        b"[",
        b"{",
        b"\"a",
        b"#_",
        b"#_a",
        b"x",
        b"9",
        b"{:f \"a",
        b"{\"f\":\"a",
    ];
    for format in Format::ALL {
        for begin in begins {
            let error = formats::read(Endless(begin, 0), Path::new("h"), format);
            assert!(error.is_err(), "{format}");
        }
    }
}
