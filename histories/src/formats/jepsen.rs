//! Jepsen's operations, in whatever notation they are written.
//!
//! Of each operation `:process`, `:type`, `:f`, `:value`, `:time`, `:error`
//! and `:node` are read, and `:key`, which is not Jepsen's own; everything
//! else is left out. The order is that of the file, so `:index` is not needed.
//!
//! - `:process` is a whole number or `:nemesis`.
//! - Values of clients are refused where they are [none of
//!   ours](super::edn); those of the nemesis inform and become text.
//! - An operation without `:f` is a transaction if its value is a list of
//!   micro-operations, as elle-cli has them. Their names `:read` and `:write`
//!   (Knossos) are `r` and `w`.
//! - Jepsen lifts a workload to several keys by values `[key value]`, which
//!   nothing marks. They are taken for that if every client's invocation has a
//!   pair, a cas one whose second is a pair, none is a transaction, and a read
//!   of nothing shows that pairs are not what is written, or only register's
//!   operations are there.

use std::collections::BTreeSet;

use super::Draft;
use super::source::{Fault, Place, Step, utf8};
use crate::{Event, Header, Kind, Process, Value};

/// A way to write operations.
pub(super) trait Notation {
    /// What an operation looks like.
    const SHOWN: &'static str;
    /// Goes into the next operation; where it begins, none at the end.
    fn operation(&mut self) -> Step<Option<Place>>;
    /// The name of the operation's next field; false at its end.
    fn field(&mut self, into: &mut Vec<u8>) -> Step<bool>;
    /// The value that comes next.
    fn value(&mut self) -> Step<Value>;
    /// Leaves out the value that comes next, whatever it holds.
    fn skip(&mut self) -> Step<()>;
    /// The name that comes next, if it is one.
    fn name(&mut self, into: &mut Vec<u8>) -> Step<bool>;
    /// Where the next value begins.
    fn place(&mut self) -> Step<Place>;
    /// The first thing in the operation that is no value, and what was
    /// expected in its place.
    fn odd_mut(&mut self) -> &mut Option<(Place, String)>;
}

/// What a file of our own says of itself.
pub(super) struct Own {
    pub(super) header: Header,
    /// Whether values are `[key value]`.
    pub(super) tuples: bool,
}

/// Reads operations; `own` is said by files that we have written.
pub(super) fn read(mut notation: impl Notation, own: Option<Own>) -> Step<Draft> {
    let mut draft = Draft::default();
    let mut fields = Fields::default();
    while let Some(place) = notation.operation()? {
        let mut event = fields.read(&mut notation, place, own.is_some())?;
        if own.is_none() {
            event.index = draft.events.len() as u64;
        }
        draft.push(event, place.line);
    }
    let tuples = match &own {
        Some(own) => own.tuples,
        None => are_tuples(&draft.events),
    };
    if tuples {
        draft.events.iter_mut().for_each(untuple);
    }
    draft.header = match own {
        Some(own) => own.header,
        None => {
            draft.events.iter_mut().for_each(name_as_elle);
            Header::new(&workload(&draft.events))
        }
    };
    Ok(draft)
}

/// Buffers for the names in an operation.
#[derive(Default)]
struct Fields {
    field: Vec<u8>,
    name: Vec<u8>,
}

impl Fields {
    fn read(&mut self, notation: &mut impl Notation, begins: Place, own: bool) -> Step<Event> {
        let (mut process, mut kind, mut f) = (None, None, None);
        let (mut value, mut key) = (None, None);
        let (mut time, mut index) = (0, 0);
        let (mut error, mut node, mut fault) = (None, None, None);
        while notation.field(&mut self.field)? {
            match self.field.as_slice() {
                b"process" => process = Some(read_process(notation, &mut self.name)?),
                b"type" => kind = Some(read_kind(notation, &mut self.name)?),
                b"f" => f = self.function(notation)?,
                b"value" => value = Some(notation.value()?),
                b"key" => key = Some(notation.value()?).filter(|key| *key != Value::Null),
                b"time" => time = number(notation)?,
                b"index" if own => index = number(notation)?,
                b"error" => error = lenient(notation)?.map(shown),
                b"node" => node = lenient(notation)?.and_then(text),
                b"fault" if own => fault = Some(number(notation)?),
                _ => notation.skip()?,
            }
        }
        let lacks = |field: &str, shown: &str| {
            Fault::At(
                begins,
                format!("an operation with a field `{field}`: {shown}"),
            )
        };
        let process = process.ok_or_else(|| lacks("process", "a whole number or nemesis"))?;
        let kind = kind.ok_or_else(|| lacks("type", "invoke, ok, fail or info"))?;
        if let Some((place, expected)) = notation.odd_mut().take()
            && process != Process::Nemesis
        {
            return Err(Fault::At(place, expected));
        }
        let value = value.unwrap_or_default();
        let f = match f {
            Some(f) => f,
            None if !own && is_transaction(&value) => "txn".to_owned(),
            None => return Err(lacks("f", "what is done, such as read")),
        };
        Ok(Event {
            index,
            time,
            process,
            kind,
            f,
            key,
            value,
            error,
            node,
            fault,
        })
    }

    fn function(&mut self, notation: &mut impl Notation) -> Step<Option<String>> {
        let place = notation.place()?;
        if notation.name(&mut self.name)? {
            return Ok(Some(utf8(&self.name, place)?.to_owned()));
        }
        match notation.value()? {
            Value::Null => Ok(None),
            _ => Err(Fault::At(place, "the name of an operation".to_owned())),
        }
    }
}

/// Who did it; `name` is a buffer.
pub(super) fn read_process(notation: &mut impl Notation, name: &mut Vec<u8>) -> Step<Process> {
    let place = notation.place()?;
    let found = match notation.name(name)? {
        true => (name == b"nemesis").then_some(Process::Nemesis),
        false => match whole(notation)? {
            Ok(number) => u64::try_from(number).ok().map(Process::Client),
            Err(_) => None,
        },
    };
    let expected = "a process: a whole number, or nemesis";
    found.ok_or_else(|| Fault::At(place, expected.to_owned()))
}

/// Which end of an operation it is; `name` is a buffer.
pub(super) fn read_kind(notation: &mut impl Notation, name: &mut Vec<u8>) -> Step<Kind> {
    let place = notation.place()?;
    let kind = match notation.name(name)? {
        true => match name.as_slice() {
            b"invoke" => Some(Kind::Invoke),
            b"ok" => Some(Kind::Ok),
            b"fail" => Some(Kind::Fail),
            b"info" => Some(Kind::Info),
            _ => None,
        },
        false => None,
    };
    kind.ok_or_else(|| Fault::At(place, "a type: invoke, ok, fail or info".to_owned()))
}

/// A whole number, or what is there instead. Those of ours are above what
/// values hold.
fn whole(notation: &mut impl Notation) -> Step<Result<i128, Value>> {
    let odd = notation.odd_mut().take();
    let value = notation.value()?;
    let is_odd = std::mem::replace(notation.odd_mut(), odd).is_some();
    Ok(match value {
        Value::Int(number) => Ok(number.into()),
        Value::Text(text) if is_odd => {
            let number = text.parse::<u64>().map(i128::from);
            number.map_err(|_| Value::Text(text))
        }
        other => Err(other),
    })
}

/// A whole number; one below zero, as Jepsen has where it knows no time,
/// counts as zero.
fn number(notation: &mut impl Notation) -> Step<u64> {
    let place = notation.place()?;
    match whole(notation)? {
        Ok(number) => Ok(u64::try_from(number).unwrap_or(0)),
        Err(Value::Null) => Ok(0),
        Err(_) => Err(Fault::At(place, "a whole number".to_owned())),
    }
}

/// A value that only informs, whatever it holds.
fn lenient(notation: &mut impl Notation) -> Step<Option<Value>> {
    let odd = notation.odd_mut().take();
    let value = notation.value()?;
    *notation.odd_mut() = odd;
    Ok(Some(value).filter(|value| *value != Value::Null))
}

fn shown(value: Value) -> String {
    match value {
        Value::Text(text) => text,
        other => other.to_string(),
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn is_transaction(value: &Value) -> bool {
    let is_micro = |micro: &Value| match micro {
        Value::List(parts) => matches!(parts.first(), Some(Value::Text(_))),
        _ => false,
    };
    matches!(value, Value::List(micros) if micros.iter().all(is_micro))
}

/// Knossos's names of micro-operations become Elle's.
fn name_as_elle(event: &mut Event) {
    let Value::List(micros) = &mut event.value else {
        return;
    };
    if event.f != "txn" {
        return;
    }
    for micro in micros {
        if let Value::List(parts) = micro
            && let Some(Value::Text(name)) = parts.first_mut()
        {
            match name.as_str() {
                "read" => *name = "r".to_owned(),
                "write" => *name = "w".to_owned(),
                _ => {}
            }
        }
    }
}

/// Whether values are `[key value]`, as far as can be seen.
fn are_tuples(events: &[Event]) -> bool {
    let mut reads_nothing = false;
    let mut is_register = true;
    let mut any = false;
    for event in events {
        if event.process == Process::Nemesis || event.kind != Kind::Invoke {
            continue;
        }
        let Some((_, value)) = pair(&event.value) else {
            return false;
        };
        let fits = match event.f.as_str() {
            "txn" => false,
            "cas" => pair(value).is_some(),
            _ => true,
        };
        if !fits || event.key.is_some() {
            return false;
        }
        any = true;
        reads_nothing |= *value == Value::Null;
        is_register &= matches!(event.f.as_str(), "read" | "write" | "cas");
    }
    any && (reads_nothing || is_register)
}

fn pair(value: &Value) -> Option<(&Value, &Value)> {
    match value {
        Value::List(values) => match values.as_slice() {
            [first, second] => Some((first, second)),
            _ => None,
        },
        _ => None,
    }
}

/// Makes a key and a value of `[key value]`.
fn untuple(event: &mut Event) {
    if event.process == Process::Nemesis || pair(&event.value).is_none() {
        return;
    }
    if let Value::List(mut values) = std::mem::take(&mut event.value) {
        event.value = values.pop().unwrap_or_default();
        event.key = values.pop().filter(|key| *key != Value::Null);
    }
}

/// What the operations show to have been asked. A name that nothing judges
/// where they do not: the operations' own.
pub(super) fn workload(events: &[Event]) -> String {
    let clients = || {
        events
            .iter()
            .filter(|event| event.process != Process::Nemesis)
    };
    let functions: BTreeSet<&str> = clients().map(|event| event.f.as_str()).collect();
    let all_of = |known: &[&str]| functions.iter().all(|f| known.contains(f));
    let is_bank = || clients().any(|event| matches!(event.value, Value::Map(_)));
    if all_of(&["transfer", "read"]) && is_bank() {
        return "bank".to_owned();
    }
    if all_of(&["read", "write", "cas"]) {
        return "register".to_owned();
    }
    if all_of(&["get", "put", "cas", "delete", "append"]) {
        return "kv".to_owned();
    }
    if all_of(&["txn"]) {
        let appends = clients().any(|event| has_micro(&event.value, "append"));
        return if appends {
            "list-append"
        } else {
            "rw-register"
        }
        .to_owned();
    }
    let brief = |f: &str| f.chars().take(20).collect::<String>();
    let names: Vec<String> = functions.iter().take(6).map(|f| brief(f)).collect();
    let more = if functions.len() > 6 { ", …" } else { "" };
    names.join(", ") + more
}

fn has_micro(value: &Value, wanted: &str) -> bool {
    let is_wanted = |micro: &Value| match micro {
        Value::List(parts) => matches!(parts.first(), Some(Value::Text(name)) if name == wanted),
        _ => false,
    };
    matches!(value, Value::List(micros) if micros.iter().any(is_wanted))
}
