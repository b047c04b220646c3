//! Porcupine's logs of a key-value store (its `test_data/kv`).
//!
//! An EDN map a line, with `:key`. A put replaces a key's text, an append adds
//! to its end, a get returns it; at first every key holds the empty text.
//! There are no times: the order is that of the lines. What never returns is
//! open, which for puts and appends is the same as Porcupine's return at the
//! end.

use std::io::Read;

use super::edn::Edn;
use super::source::{Fault, Place, Source, Step};
use super::{Draft, jepsen};
use crate::{Header, Value};

/// Whether a line looks like one of such a log.
pub(super) fn is_line(line: &str) -> bool {
    let has = |part: &str| line.contains(part);
    has(":key \"") && (has(":f :get") || has(":f :put") || has(":f :append"))
}

/// Reads it.
pub(super) fn read(source: impl Read) -> Step<Draft> {
    let mut draft = jepsen::read(Edn::new(Source::new(source)), None)?;
    for (event, &line) in draft.events.iter().zip(&draft.lines) {
        let is_known = matches!(event.f.as_str(), "get" | "put" | "append");
        let is_text = matches!(event.value, Value::Null | Value::Text(_));
        if !is_known || !is_text || event.key.is_none() {
            let expected = "get, put or append with a :key and a text as its :value";
            return Err(Fault::At(Place { line, column: 1 }, expected.to_owned()));
        }
    }
    draft.header = Header {
        initial: Value::Text(String::new()),
        ..Header::new("kv")
    };
    Ok(draft)
}
