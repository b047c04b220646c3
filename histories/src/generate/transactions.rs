//! Histories of transactions, by the isolation that they were given.
//!
//! A transaction is an operation `txn` whose value lists its
//! micro-operations, in the form of Jepsen and Elle: `["append", key, value]`,
//! `["w", key, value]`, `["r", key, null]`; completed, a read carries what it
//! saw. Every value is written once.

use std::collections::BTreeMap;

use crate::{Event, Header, History, Kind, Process, Value};

/// What the histories look like.
#[derive(Clone, Debug)]
pub struct Shape {
    /// What the keys hold.
    pub object: Object,
    /// What transactions may see of each other.
    pub isolation: Isolation,
    /// Clients at a time.
    pub processes: u32,
    /// Keys in use at a time.
    pub keys: u32,
    /// After so many writes another key takes the place of one.
    pub writes_per_key: u32,
    /// Micro-operations of a transaction, at most.
    pub length_max: u32,
    /// One in so many transactions ends as `info`; 0 for none.
    pub info_one_in: u32,
}

/// What the keys hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// Lists that are appended to.
    Lists,
    /// Values that are written.
    Registers,
}

/// What transactions may see of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Each takes effect at one moment between its ends.
    StrictSerializable,
    /// Each reads as of one moment and writes at another, unless somebody has
    /// written the same keys in between.
    Snapshot,
    /// Every micro-operation takes effect at a moment of its own, also of
    /// transactions that fail.
    None,
}

impl Shape {
    /// Three clients on two keys, with up to three micro-operations each.
    pub fn small(object: Object, isolation: Isolation) -> Self {
        Shape {
            object,
            isolation,
            processes: 3,
            keys: 2,
            writes_per_key: u32::MAX,
            length_max: 3,
            info_one_in: 8,
        }
    }
}

/// The history that a script makes: each number is one move of one client.
pub fn history(shape: &Shape, script: &[u32]) -> History {
    let mut cluster = Cluster::new(shape);
    for &number in script {
        cluster.step(number);
    }
    let workload = match shape.object {
        Object::Lists => "list-append",
        Object::Registers => "rw-register",
    };
    History::new(Header::new(workload), cluster.events)
}

struct Cluster<'a> {
    shape: &'a Shape,
    store: Store,
    clients: Vec<Client>,
    /// Transactions that ended as `info` and may still go on.
    late: Vec<Call>,
    process_next: u64,
    /// The keys in use, and how often each was written.
    keys: Vec<(i64, u32)>,
    value_last: i64,
    events: Vec<Event>,
}

struct Client {
    process: u64,
    call: Option<Call>,
}

#[derive(Clone)]
struct Call {
    micros: Vec<Micro>,
    /// What it has seen and done.
    done: usize,
    began: u64,
    is_over: bool,
    is_refused: bool,
}

#[derive(Clone)]
struct Micro {
    key: i64,
    /// Nothing for a read.
    write: Option<i64>,
    seen: Value,
}

/// What was written to each key, and when.
#[derive(Default)]
struct Store {
    keys: BTreeMap<i64, Vec<(u64, i64)>>,
    now: u64,
}

impl Store {
    fn read(&self, object: Object, key: i64, until: u64, own: &[i64]) -> Value {
        let written = self.keys.get(&key).into_iter().flatten();
        let before = written.filter(|(at, _)| *at <= until).map(|(_, it)| *it);
        let mut values = before.chain(own.iter().copied());
        match object {
            Object::Lists => Value::List(values.map(Value::Int).collect()),
            Object::Registers => values.next_back().into(),
        }
    }

    fn write(&mut self, key: i64, value: i64) {
        self.keys.entry(key).or_default().push((self.now, value));
    }

    fn is_changed(&self, key: i64, since: u64) -> bool {
        let last = self.keys.get(&key).and_then(|written| written.last());
        last.is_some_and(|(at, _)| *at > since)
    }
}

impl<'a> Cluster<'a> {
    fn new(shape: &'a Shape) -> Self {
        let processes = u64::from(shape.processes.max(1));
        let client = |process| Client {
            process,
            call: None,
        };
        Cluster {
            shape,
            store: Store::default(),
            clients: (0..processes).map(client).collect(),
            late: Vec::new(),
            process_next: processes,
            keys: (0..i64::from(shape.keys.max(1)))
                .map(|key| (key, 0))
                .collect(),
            value_last: 0,
            events: Vec::new(),
        }
    }

    fn step(&mut self, number: u32) {
        let count = self.clients.len() as u32;
        let (at, choice) = ((number % count) as usize, number / count);
        let Some(mut call) = self.clients[at].call.take() else {
            return self.begin(at, choice);
        };
        let one_in = self.shape.info_one_in;
        if one_in != 0 && choice % (2 * one_in) == 2 {
            self.record(at, Kind::Info, &call);
            self.clients[at].process = self.process_next;
            self.process_next += 1;
            self.late.push(call);
        } else if call.is_over || choice % 11 == 1 {
            let kind = match call.is_over && !call.is_refused {
                true => Kind::Ok,
                false => Kind::Fail,
            };
            self.record(at, kind, &call);
        } else {
            self.go_on(&mut call);
            self.clients[at].call = Some(call);
        }
    }

    /// A transaction begins, or one of unknown outcome goes on.
    fn begin(&mut self, at: usize, choice: u32) {
        if choice % 7 == 1 && !self.late.is_empty() {
            let place = choice as usize % self.late.len();
            let mut call = self.late.swap_remove(place);
            if !call.is_over {
                self.go_on(&mut call);
                self.late.push(call);
            }
            return;
        }
        let call = self.draw(choice);
        self.record(at, Kind::Invoke, &call);
        self.clients[at].call = Some(call);
    }

    fn draw(&mut self, choice: u32) -> Call {
        let length = 1 + choice % self.shape.length_max.max(1);
        // Every micro-operation takes its own few bits of what is left.
        let mut rest = u64::from(choice / self.shape.length_max.max(1));
        let micros = (0..length).map(|_| {
            rest = rest.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let drawn = (rest >> 33) as usize;
            let slot = drawn / 2 % self.keys.len();
            let mut micro = Micro {
                key: self.keys[slot].0,
                write: None,
                seen: Value::Null,
            };
            if drawn.is_multiple_of(2) {
                self.value_last += 1;
                micro.write = Some(self.value_last);
                self.wear(slot);
            }
            micro
        });
        let micros = micros.collect();
        Call {
            micros,
            done: 0,
            began: self.store.now,
            is_over: false,
            is_refused: false,
        }
    }

    /// Counts a write, and takes a new key after the last one.
    fn wear(&mut self, slot: usize) {
        self.keys[slot].1 += 1;
        if self.keys[slot].1 >= self.shape.writes_per_key {
            self.keys[slot] = (self.keys[slot].0 + self.keys.len() as i64, 0);
        }
    }

    fn go_on(&mut self, call: &mut Call) {
        match self.shape.isolation {
            Isolation::StrictSerializable => {
                self.perform(call, self.store.now);
                self.commit(call);
            }
            Isolation::Snapshot if call.done == 0 => {
                call.began = self.store.now;
                self.perform(call, call.began);
            }
            Isolation::Snapshot => {
                let mut written = call.micros.iter().filter(|micro| micro.write.is_some());
                call.is_refused = written.any(|it| self.store.is_changed(it.key, call.began));
                match call.is_refused {
                    true => call.is_over = true,
                    false => self.commit(call),
                }
            }
            Isolation::None => self.perform_next(call),
        }
    }

    /// Reads everything as of one moment, beside what itself writes.
    fn perform(&self, call: &mut Call, until: u64) {
        for at in 0..call.micros.len() {
            let Micro { key, write, .. } = call.micros[at];
            let before = call.micros[..at].iter().filter(|micro| micro.key == key);
            let own: Vec<i64> = before.filter_map(|micro| micro.write).collect();
            if write.is_none() {
                call.micros[at].seen = self.store.read(self.shape.object, key, until, &own);
            }
        }
        call.done = call.micros.len();
    }

    fn commit(&mut self, call: &mut Call) {
        self.store.now += 1;
        for micro in &call.micros {
            if let Some(value) = micro.write {
                self.store.write(micro.key, value);
            }
        }
        call.is_over = true;
    }

    fn perform_next(&mut self, call: &mut Call) {
        let micro = &mut call.micros[call.done];
        self.store.now += 1;
        match micro.write {
            Some(value) => self.store.write(micro.key, value),
            None => {
                let Store { now, .. } = self.store;
                micro.seen = self.store.read(self.shape.object, micro.key, now, &[]);
            }
        }
        call.done += 1;
        call.is_over = call.done == call.micros.len();
    }

    fn record(&mut self, at: usize, kind: Kind, call: &Call) {
        let word = match self.shape.object {
            Object::Lists => "append",
            Object::Registers => "w",
        };
        let told = |micro: &Micro| {
            let (f, value) = match (micro.write, kind) {
                (Some(value), _) => (word, value.into()),
                (None, Kind::Ok) => ("r", micro.seen.clone()),
                (None, _) => ("r", Value::Null),
            };
            Value::List(vec![f.into(), micro.key.into(), value])
        };
        let index = self.events.len() as u64;
        self.events.push(Event {
            index,
            time: index,
            process: Process::Client(self.clients[at].process),
            kind,
            f: "txn".to_owned(),
            key: None,
            value: Value::List(call.micros.iter().map(told).collect()),
            error: None,
            node: None,
            fault: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(length: u32) -> Vec<u32> {
        (0..length)
            .map(|at| at.wrapping_mul(2_654_435_761) >> 3)
            .collect()
    }

    #[test]
    fn every_isolation_makes_transactions_that_pair() {
        for object in [Object::Lists, Object::Registers] {
            for isolation in [
                Isolation::StrictSerializable,
                Isolation::Snapshot,
                Isolation::None,
            ] {
                let made = history(&Shape::small(object, isolation), &script(4000));
                let operations = made.operations().expect("operations");
                assert!(operations.len() > 500, "{object:?} {isolation:?}");
                let kinds = [Kind::Ok, Kind::Fail, Kind::Info];
                for kind in kinds {
                    assert!(made.events.iter().any(|event| event.kind == kind));
                }
            }
        }
    }

    #[test]
    fn a_key_that_is_written_often_gives_way_to_another() {
        let shape = Shape {
            writes_per_key: 4,
            ..Shape::small(Object::Lists, Isolation::StrictSerializable)
        };
        let made = history(&shape, &script(2000));
        let longest = made.events.iter().flat_map(|event| match &event.value {
            Value::List(micros) => micros.clone(),
            _ => Vec::new(),
        });
        let read = longest.filter_map(|micro| match micro {
            Value::List(micro) => match micro.last() {
                Some(Value::List(values)) => Some(values.len()),
                _ => None,
            },
            _ => None,
        });
        assert_eq!(read.max(), Some(4));
    }
}
