//! Histories with a known verdict.
//!
//! A history is linearizable by construction if every operation takes effect
//! on one object at one moment between its ends; that is how these are made:
//! a script of plain numbers says which client makes the next move. A shorter
//! or smaller script is a simpler history, so a test that fails can shrink it.
//!
//! The object here is written apart from the checkers' specifications, which
//! are tested with what it makes.

pub mod transactions;

use std::collections::BTreeMap;

use crate::{Event, Header, Kind, Process, Value};

/// What the histories look like.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Which operations there are.
    pub object: Object,
    /// Clients at a time.
    pub processes: u32,
    /// Keys.
    pub keys: u32,
    /// Values that are written; 0 for a new one each time.
    pub values: u32,
    /// One in so many operations ends as `info`; 0 for none.
    pub info_one_in: u32,
    /// How the values are meant.
    pub header: Header,
}

/// Which operations there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// read, write
    Register,
    /// read, write, cas
    CasRegister,
    /// get, put, cas, delete, append
    Kv,
}

impl Shape {
    /// Three clients on two keys and three values, where an operation in
    /// eight ends as `info`.
    pub fn small(object: Object) -> Self {
        Shape {
            object,
            processes: 3,
            keys: if object == Object::Kv { 2 } else { 1 },
            values: 3,
            info_one_in: 8,
            header: Header::new("register"),
        }
    }
}

impl Object {
    fn functions(self) -> &'static [&'static str] {
        match self {
            Object::Register => &["read", "write"],
            Object::CasRegister => &["read", "write", "cas", "read", "cas"],
            Object::Kv => &["get", "put", "cas", "delete", "append", "get"],
        }
    }
}

/// A history that is linearizable: each number of the script is one move of
/// one client.
pub fn linearizable(shape: &Shape, script: &[u32]) -> crate::History {
    let mut cluster = Cluster::new(shape);
    for &number in script {
        cluster.step(number);
    }
    crate::History::new(shape.header.clone(), cluster.events)
}

/// The same with one violation: a read of a value that nobody wrote, or a
/// read of a value that was overwritten before the read began. `choice` says
/// which, and where.
pub fn violating(shape: &Shape, script: &[u32], choice: u32) -> crate::History {
    let mut history = linearizable(shape, script);
    let place = (choice / 2) as usize;
    let reads: Vec<usize> = (0..history.events.len())
        .filter(|&at| is_completed_read(&history.events[at]))
        .collect();
    if choice.is_multiple_of(2) && !reads.is_empty() {
        history.events[reads[place % reads.len()]].value = NEVER_WRITTEN.into();
    } else {
        let at = place % (history.events.len() + 1);
        history.events.splice(at..at, stale_read(shape));
        for (index, event) in (0..).zip(&mut history.events) {
            event.index = index;
            event.time = index;
        }
    }
    history
}

const NEVER_WRITTEN: i64 = 1_000_000;
const OVERWRITTEN: i64 = 1_000_001;
const OVERWRITING: i64 = 1_000_002;

fn is_completed_read(event: &Event) -> bool {
    event.kind == Kind::Ok && matches!(event.f.as_str(), "read" | "get")
}

/// A write, another, and a read that finds the first, by a client alone.
fn stale_read(shape: &Shape) -> Vec<Event> {
    let functions = shape.object.functions();
    let event = |kind, f: &str, value: Value| Event {
        index: 0,
        time: 0,
        process: Process::Client(u64::MAX),
        kind,
        f: f.to_owned(),
        key: Some(0.into()),
        value,
        error: None,
        node: None,
        fault: None,
    };
    let mut events = Vec::new();
    for written in [OVERWRITTEN, OVERWRITING] {
        for kind in [Kind::Invoke, Kind::Ok] {
            events.push(event(kind, functions[1], written.into()));
        }
    }
    events.push(event(Kind::Invoke, functions[0], Value::Null));
    events.push(event(Kind::Ok, functions[0], OVERWRITTEN.into()));
    events
}

struct Cluster<'a> {
    shape: &'a Shape,
    values: BTreeMap<i64, Value>,
    clients: Vec<Client>,
    /// Operations that ended as `info` and may still take effect.
    late: Vec<Call>,
    process_next: u64,
    value_next: i64,
    events: Vec<Event>,
}

struct Client {
    process: u64,
    state: State,
}

enum State {
    Idle,
    Waiting(Call),
    Done(Call, Option<Value>),
}

#[derive(Clone)]
struct Call {
    f: &'static str,
    key: i64,
    value: Value,
}

impl<'a> Cluster<'a> {
    fn new(shape: &'a Shape) -> Self {
        let processes = u64::from(shape.processes.max(1));
        let client = |process| Client {
            process,
            state: State::Idle,
        };
        Cluster {
            shape,
            values: BTreeMap::new(),
            clients: (0..processes).map(client).collect(),
            late: Vec::new(),
            process_next: processes,
            value_next: 0,
            events: Vec::new(),
        }
    }

    fn step(&mut self, number: u32) {
        let count = self.clients.len() as u32;
        let (at, choice) = ((number % count) as usize, number / count);
        match std::mem::replace(&mut self.clients[at].state, State::Idle) {
            State::Idle if choice % 11 == 1 && !self.late.is_empty() => {
                let call = self.late.swap_remove(choice as usize % self.late.len());
                self.carry_out(&call);
            }
            State::Idle => {
                let call = self.draw(choice);
                self.record(at, Kind::Invoke, &call, call.value.clone());
                self.clients[at].state = State::Waiting(call);
            }
            State::Waiting(call) if self.is_lost(choice) => {
                self.end_unknown(at, &call);
                self.late.push(call);
            }
            State::Waiting(call) if choice % 7 == 1 && call.f != "cas" => {
                self.record(at, Kind::Fail, &call, call.value.clone());
            }
            State::Waiting(call) => {
                let answer = self.carry_out(&call);
                self.clients[at].state = State::Done(call, answer);
            }
            State::Done(call, _) if self.is_lost(choice) => self.end_unknown(at, &call),
            State::Done(call, Some(value)) => self.record(at, Kind::Ok, &call, value),
            State::Done(call, None) => self.record(at, Kind::Fail, &call, call.value.clone()),
        }
    }

    /// Two moves end an operation, so each loses it half as often as asked.
    fn is_lost(&self, choice: u32) -> bool {
        let one_in = self.shape.info_one_in;
        one_in != 0 && choice % (2 * one_in) == 2
    }

    fn end_unknown(&mut self, at: usize, call: &Call) {
        self.record(at, Kind::Info, call, call.value.clone());
        self.clients[at].process = self.process_next;
        self.process_next += 1;
    }

    fn draw(&mut self, choice: u32) -> Call {
        let functions = self.shape.object.functions();
        let f = functions[choice as usize % functions.len()];
        let choice = choice / functions.len() as u32;
        let keys = self.shape.keys.max(1);
        let key = i64::from(choice % keys);
        let choice = choice / keys;
        let value = match f {
            "read" | "get" | "delete" => Value::Null,
            "cas" => {
                let old = self.cas_from(key, choice);
                Value::List(vec![old, self.value(choice / 7)])
            }
            _ => self.value(choice),
        };
        Call { f, key, value }
    }

    fn value(&mut self, choice: u32) -> Value {
        if self.shape.values > 0 {
            return i64::from(choice % self.shape.values).into();
        }
        self.value_next += 1;
        self.value_next.into()
    }

    /// What a cas expects: mostly what is there, or it would hardly succeed.
    fn cas_from(&self, key: i64, choice: u32) -> Value {
        let here = self.values.get(&key).cloned().unwrap_or_default();
        match self.shape.values {
            values if choice.is_multiple_of(3) && values > 0 => {
                i64::from(choice / 3 % values).into()
            }
            _ => here,
        }
    }

    /// What the operation returns; `None` where it is refused.
    fn carry_out(&mut self, call: &Call) -> Option<Value> {
        let held = self.values.entry(call.key).or_default();
        match call.f {
            "read" | "get" => return Some(held.clone()),
            "cas" => match &call.value {
                Value::List(pair) if pair[0] == *held => *held = pair[1].clone(),
                _ => return None,
            },
            "append" => match held {
                Value::List(values) => values.push(call.value.clone()),
                Value::Null => *held = Value::List(vec![call.value.clone()]),
                _ => return None,
            },
            _ => *held = call.value.clone(),
        }
        Some(call.value.clone())
    }

    fn record(&mut self, at: usize, kind: Kind, call: &Call, value: Value) {
        let index = self.events.len() as u64;
        self.events.push(Event {
            index,
            time: index,
            process: Process::Client(self.clients[at].process),
            kind,
            f: call.f.to_owned(),
            key: Some(call.key.into()),
            value,
            error: None,
            node: None,
            fault: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outcome;

    fn numbers(count: usize) -> Vec<u32> {
        let mut state = 1_u32;
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        })
        .take(count)
        .collect()
    }

    #[test]
    fn every_outcome_and_every_function_occurs() {
        for object in [Object::Register, Object::CasRegister, Object::Kv] {
            let history = linearizable(&Shape::small(object), &numbers(5000));
            let operations = history.operations().expect("a whole history");
            for &f in object.functions() {
                let mut outcomes = [0; 3];
                for operation in operations.iter().filter(|it| it.f == f) {
                    let outcome = match operation.outcome {
                        Outcome::Ok(_) => 0,
                        Outcome::Fail => 1,
                        Outcome::Info => 2,
                    };
                    outcomes[outcome] += 1;
                }
                assert!(outcomes.iter().all(|&count| count > 0), "{f}: {outcomes:?}");
            }
        }
    }

    #[test]
    fn a_planted_violation_leaves_a_whole_history() {
        let shape = Shape::small(Object::Kv);
        for choice in 0..40 {
            let history = violating(&shape, &numbers(100), choice);
            history.operations().expect("a whole history");
        }
        violating(&shape, &[], 0)
            .operations()
            .expect("a whole history");
    }
}
