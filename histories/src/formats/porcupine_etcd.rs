//! Logs of Jepsen's etcd test, as Porcupine has them (its `test_data/jepsen`
//! and `test_data/etcd`): `INFO  jepsen.util - 0 :invoke :read nil`.
//!
//! After the dash stand process, type, operation and value in EDN, parted by
//! blanks; what follows, such as `:hint 3`, is left out, and so are the lines
//! of other loggers. The value of an operation that ended as `:info` or
//! `:fail` may be the reason, such as `:timed-out`. There are no times: the
//! order is that of the lines.
//!
//! Porcupine's model takes a failed cas for an observation of another value,
//! and `--failed-cas observed` says so; like everywhere else, it says nothing
//! by default.

use std::io::BufRead;

use super::edn::Edn;
use super::jepsen::{self, Notation};
use super::lines::Lines;
use super::source::{Fault, Place, Source, Step, utf8};
use super::{Draft, jepsen::workload};
use crate::{Event, Header, Kind, Process, Value};

const LOGGER: &str = "jepsen.util";

/// Whether a line looks like one of such a log.
pub(super) fn is_line(line: &str) -> bool {
    line.starts_with("INFO") && operation(line).is_some()
}

/// Where the operation stands on a line, if it has one.
fn operation(line: &str) -> Option<usize> {
    let logger = line.find(LOGGER)?;
    let rest = line[logger + LOGGER.len()..].trim_start();
    let rest = rest.strip_prefix('-')?.trim_start();
    let begins = rest.starts_with(|first: char| first.is_ascii_digit());
    (begins || rest.starts_with(":nemesis")).then(|| line.len() - rest.len())
}

/// Reads it.
pub(super) fn read(source: impl BufRead) -> Step<Draft> {
    let mut lines = Lines::new(source);
    let mut draft = Draft::default();
    let mut name = Vec::new();
    while lines.next()? {
        // Other loggers write what they like.
        let line = String::from_utf8_lossy(&lines.line);
        if !line.contains(LOGGER) {
            continue;
        }
        let line = lines.text()?;
        let Some(at) = operation(line) else {
            continue;
        };
        let place = Place {
            line: lines.number,
            column: at + 1,
        };
        let edn = Edn::new(Source::of_line(&line.as_bytes()[at..], place));
        let mut event = event(edn, &mut name)?;
        event.index = draft.events.len() as u64;
        draft.push(event, lines.number);
    }
    if draft.events.is_empty() {
        let expected = format!("a line such as `INFO  {LOGGER} - 0 :invoke :read nil`");
        return Err(Fault::At(Place { line: 1, column: 1 }, expected));
    }
    draft.header = Header::new(&workload(&draft.events));
    Ok(draft)
}

fn event(mut edn: Edn<std::io::Empty>, name: &mut Vec<u8>) -> Step<Event> {
    let process = jepsen::read_process(&mut edn, name)?;
    let kind = jepsen::read_kind(&mut edn, name)?;
    let place = edn.place()?;
    if !edn.name(name)? {
        return Err(Fault::At(place, "an operation such as :read".to_owned()));
    }
    let f = utf8(name, place)?.to_owned();
    let mut value = match edn.has_ended()? {
        true => Value::Null,
        false => edn.value()?,
    };
    if let Some((place, expected)) = edn.odd_mut().take()
        && process != Process::Nemesis
    {
        return Err(Fault::At(place, expected));
    }
    let mut error = None;
    if matches!(kind, Kind::Fail | Kind::Info)
        && process != Process::Nemesis
        && let Value::Text(why) = &mut value
    {
        error = Some(std::mem::take(why));
        value = Value::Null;
    }
    Ok(Event {
        index: 0,
        time: 0,
        process,
        kind,
        f,
        key: None,
        value,
        error,
        node: None,
        fault: None,
    })
}
