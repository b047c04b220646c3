//! What every target does with the bytes it is given.

use std::path::Path;

use tribunal_histories::{Format, HistoryError, Written, formats};

/// Reads bytes. Panics if they are neither a history, which is the same when
/// written and read again, nor wrong in some line and column of theirs.
pub fn read(format: Format, bytes: &[u8]) {
    Format::guess(bytes, Path::new("fuzzed"));
    let history = match formats::read(bytes, Path::new("fuzzed"), format) {
        Ok(history) => history,
        Err(HistoryError::Malformed { line, column, .. }) => {
            let lines = bytes.iter().filter(|&&byte| byte == b'\n').count();
            assert!(line >= 1 && line <= lines + 2, "line {line} of {lines}");
            assert!(column >= 1 && column <= bytes.len() + 1, "column {column}");
            return;
        }
        Err(other) => panic!("{other}"),
    };
    let _ = history.operations();
    for (written, format) in [(Written::Jsonl, Format::Jsonl), (Written::Edn, Format::Edn)] {
        let mut text = Vec::new();
        history.write_as(written, &mut text).expect("written");
        let again = formats::read(&text[..], Path::new("again"), format).expect("ours");
        assert_eq!(again.header, history.header);
        assert_eq!(again.events, history.events);
    }
}
