//! Jepsen's histories in EDN (`history.edn`), read and written.
//!
//! Jepsen's have no header. The ones that are written here begin with it, in a
//! comment, so that nothing is lost: `; {"format":"tribunal-history",…}`. It
//! says too whether keys are written as Jepsen does, in values `[key value]`;
//! they are if every client's event has one. The first word of a
//! micro-operation is written as a keyword, as Elle expects it.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use super::Draft;
use super::edn::{self, Edn};
use super::jepsen::{self, Own};
use super::source::{Fault, Place, Source, Step};
use crate::{Event, Header, History, Kind, Process, Value};

/// The comment at the beginning.
#[derive(Serialize, Deserialize)]
struct Comment<H> {
    #[serde(flatten)]
    header: H,
    /// Whether values are `[key value]`.
    tuples: bool,
}

/// Reads it.
pub(super) fn read(source: impl Read) -> Step<Draft> {
    let mut edn = Edn::new(Source::new(source));
    let own = match edn.first_comment()? {
        Some(comment) if comment.starts_with("{\"format\"") => Some(own(&comment)?),
        _ => None,
    };
    jepsen::read(edn, own)
}

fn own(comment: &str) -> Step<Own> {
    let refuse = |expected: String| Fault::At(Place { line: 1, column: 1 }, expected);
    let comment: Comment<Header> = serde_json::from_str(comment)
        .map_err(|error| refuse(format!("a header in the comment: {error}")))?;
    comment
        .header
        .check()
        .map_err(|(_, expected)| refuse(expected))?;
    Ok(Own {
        header: comment.header,
        tuples: comment.tuples,
    })
}

pub(crate) fn write(history: &History, sink: &mut impl Write) -> io::Result<()> {
    let is_nemesis = |event: &Event| event.process == Process::Nemesis;
    let tuples = history
        .events
        .iter()
        .all(|event| event.key.is_some() != is_nemesis(event))
        && !history.events.iter().all(is_nemesis);
    let comment = Comment {
        header: &history.header,
        tuples,
    };
    writeln!(sink, "; {}", serde_json::to_string(&comment)?)?;
    for event in &history.events {
        write_event(sink, event, tuples)?;
    }
    Ok(())
}

fn write_event(sink: &mut impl Write, event: &Event, tuples: bool) -> io::Result<()> {
    let kind = match event.kind {
        Kind::Invoke => "invoke",
        Kind::Ok => "ok",
        Kind::Fail => "fail",
        Kind::Info => "info",
    };
    write!(sink, "{{:index {}, :time {}, ", event.index, event.time)?;
    match event.process {
        Process::Client(number) => write!(sink, ":process {number}")?,
        Process::Nemesis => write!(sink, ":process :nemesis")?,
    }
    write!(sink, ", :type :{kind}, :f ")?;
    edn::write_name(sink, &event.f)?;
    match &event.key {
        Some(key) if tuples => {
            sink.write_all(b", :value [")?;
            edn::write(sink, key)?;
            sink.write_all(b" ")?;
            write_value(sink, &event.f, &event.value)?;
            sink.write_all(b"]")?;
        }
        key => {
            if let Some(key) = key {
                sink.write_all(b", :key ")?;
                edn::write(sink, key)?;
            }
            sink.write_all(b", :value ")?;
            write_value(sink, &event.f, &event.value)?;
        }
    }
    for (field, text) in [(":error", &event.error), (":node", &event.node)] {
        if let Some(text) = text {
            write!(sink, ", {field} ")?;
            edn::write_text(sink, text)?;
        }
    }
    if let Some(fault) = event.fault {
        write!(sink, ", :fault {fault}")?;
    }
    sink.write_all(b"}\n")
}

/// Writes what an operation was asked or told.
fn write_value(sink: &mut impl Write, f: &str, value: &Value) -> io::Result<()> {
    let Value::List(micros) = value else {
        return edn::write(sink, value);
    };
    if f != "txn" {
        return edn::write(sink, value);
    }
    sink.write_all(b"[")?;
    for (place, micro) in micros.iter().enumerate() {
        if place > 0 {
            sink.write_all(b" ")?;
        }
        match micro {
            Value::List(parts) if matches!(parts.first(), Some(Value::Text(_))) => {
                sink.write_all(b"[")?;
                for (place, part) in parts.iter().enumerate() {
                    match part {
                        Value::Text(name) if place == 0 => edn::write_name(sink, name)?,
                        part => {
                            if place > 0 {
                                sink.write_all(b" ")?;
                            }
                            edn::write(sink, part)?;
                        }
                    }
                }
                sink.write_all(b"]")?;
            }
            micro => edn::write(sink, micro)?,
        }
    }
    sink.write_all(b"]")
}
