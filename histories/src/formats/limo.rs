//! LiMo's histories (Abdulla, Grahn, Jonsson, Krishna and Mishra, PLDI 2025):
//! calls and returns of threads on one object.
//!
//! ```text
//! # @object atomic-stack
//! [1] call push(3)
//! [2] call pop
//! [1] return
//! [2] return 3
//! ```
//!
//! There are no times: the order is that of the lines. What a pop returns may
//! stand at its call, `call pop(3)`, or at its return, where nothing, or
//! `empty`, means that there was nothing. `enq`, `deq`, `rmv` and `ctn` are
//! written out. A line `crash` is refused: whether what was open then may
//! still take effect is a question of durable linearizability, which nothing
//! here judges.

use std::collections::HashMap;
use std::io::BufRead;

use super::Draft;
use super::lines::Lines;
use super::source::{Fault, Step};
use crate::{Event, Header, Kind, Process, Value};

/// The object that a name stands for, if it is known.
fn object(name: &str) -> Option<&'static str> {
    match name.strip_prefix("atomic-").unwrap_or(name) {
        "stack" => Some("stack"),
        "queue" => Some("queue"),
        "set" => Some("set"),
        "register" | "registers" => Some("register"),
        _ => None,
    }
}

/// What an operation is called here, and what it returns.
fn operation(name: &str) -> Option<(&'static str, Returns)> {
    Some(match name {
        "push" => ("push", Returns::Nothing),
        "pop" => ("pop", Returns::Value),
        "enq" => ("enqueue", Returns::Nothing),
        "deq" => ("dequeue", Returns::Value),
        "add" => ("add", Returns::Whether),
        "rmv" => ("remove", Returns::Whether),
        "ctn" => ("contains", Returns::Whether),
        "write" => ("write", Returns::Nothing),
        "read" => ("read", Returns::Value),
        _ => return None,
    })
}

/// What an operation returns.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Returns {
    /// That it is done.
    Nothing,
    /// What was there.
    Value,
    /// Whether something was so.
    Whether,
}

/// An operation that was called and has not returned.
struct Open {
    f: &'static str,
    returns: Returns,
    /// What stood at its call.
    value: Value,
    line: usize,
}

/// Reads it.
pub(super) fn read(source: impl BufRead) -> Step<Draft> {
    let mut lines = Lines::new(source);
    let mut draft = Draft::default();
    let mut workload = None;
    let mut open = HashMap::new();
    while lines.next()? {
        let line = lines.text()?.trim();
        if let Some(comment) = line.strip_prefix('#') {
            if let Some(name) = comment.trim().strip_prefix("@object") {
                let found = object(name.trim());
                workload = Some(found.ok_or_else(|| {
                    let expected = "an object: stack, queue, set or register";
                    lines.expected(1, format!("{expected}, found {:?}", name.trim()))
                })?);
            }
            continue;
        }
        let event = event(&lines, line, &mut open)?;
        if workload.is_none() {
            let expected = "a line `# @object stack` (or queue, set, register) before the calls";
            return Err(lines.expected(1, expected.to_owned()));
        }
        draft.push(
            Event {
                index: draft.events.len() as u64,
                ..event
            },
            lines.number,
        );
    }
    let Some(workload) = workload else {
        return Err(lines.expected(1, "a line `# @object stack`".to_owned()));
    };
    draft.header = Header::new(workload);
    Ok(draft)
}

fn event<R: BufRead>(lines: &Lines<R>, line: &str, open: &mut HashMap<u64, Open>) -> Step<Event> {
    let text = lines.text()?;
    let column = |part: &str| part.as_ptr() as usize - text.as_ptr() as usize + 1;
    let refuse = |at: &str, expected: String| -> Fault { lines.expected(column(at), expected) };
    let expected = "a line such as `[1] call push(3)` or `[1] return`";
    if line == "crash" {
        let expected = "no crash: durable linearizability is not judged";
        return Err(refuse(line, expected.to_owned()));
    }
    let parts = line.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let Some((thread, rest)) = parts else {
        return Err(refuse(line, expected.to_owned()));
    };
    let process: u64 = thread
        .trim()
        .parse()
        .map_err(|_| refuse(thread, "the number of a thread".to_owned()))?;
    let rest = rest.trim();
    let end = rest.find(|it: char| !it.is_ascii_alphabetic());
    let (word, rest) = rest.split_at(end.unwrap_or(rest.len()));
    let event = |kind, f: &str, value| Event {
        index: 0,
        time: 0,
        process: Process::Client(process),
        kind,
        f: f.to_owned(),
        key: None,
        value,
        error: None,
        node: None,
        fault: None,
    };
    match word {
        "call" => {
            let rest = rest.trim();
            let end = rest.find(|it: char| !it.is_ascii_alphabetic());
            let (name, argument) = rest.split_at(end.unwrap_or(rest.len()));
            let Some((f, returns)) = operation(name) else {
                let expected = "push, pop, enq, deq, add, rmv, ctn, write or read";
                return Err(refuse(rest, format!("{expected}, found {name:?}")));
            };
            let value = value(argument);
            let asked = match returns {
                Returns::Value => Value::Null,
                _ => value.clone(),
            };
            if let Some(before) = open.get(&process) {
                let (f, line) = (before.f, before.line);
                let expected = format!("thread {process} to return from its {f} of line {line}");
                return Err(refuse(thread, expected));
            }
            let line = lines.number;
            let called = Open {
                f,
                returns,
                value,
                line,
            };
            open.insert(process, called);
            Ok(event(Kind::Invoke, f, asked))
        }
        "return" => {
            let Some(called) = open.remove(&process) else {
                return Err(refuse(
                    thread,
                    format!("a call by thread {process} before it"),
                ));
            };
            let returned = value(rest);
            let known = |value: &Value| *value != Value::Null;
            let value = match called.returns {
                Returns::Nothing => called.value,
                Returns::Value if !known(&called.value) => returned,
                Returns::Value if !known(&returned) || returned == called.value => called.value,
                Returns::Value => {
                    let (value, line) = (&called.value, called.line);
                    let expected = format!("a return of {value}, as the call on line {line} has");
                    return Err(refuse(rest.trim(), expected));
                }
                Returns::Whether if matches!(returned, Value::Bool(_)) => returned,
                Returns::Whether if !known(&returned) && called.f != "contains" => called.value,
                Returns::Whether => {
                    return Err(refuse(rest, "true or false after return".to_owned()));
                }
            };
            Ok(event(Kind::Ok, called.f, value))
        }
        _ => Err(refuse(line, expected.to_owned())),
    }
}

/// What an argument is: a number, a name, or nothing.
fn value(argument: &str) -> Value {
    let mut text = argument.trim();
    while let Some(inner) = text
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
    {
        text = inner.trim();
    }
    match text {
        "" | "empty" | "Empty" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => text
            .parse()
            .map_or_else(|_| Value::Text(text.to_owned()), Value::Int),
    }
}
