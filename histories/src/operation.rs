//! Operations: the two ends of each, paired and checked.
//!
//! A process is a logical client: it has one operation open at most, and is
//! retired once it has seen `info`. A history in which that is not so was
//! recorded wrongly, and no verdict about it would mean anything.

use std::collections::HashMap;

use crate::{Event, Kind, Process, Value};

/// One operation of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The client.
    pub process: u64,
    /// What was done: `read`, `write`, `cas`, …
    pub f: String,
    /// On which key.
    pub key: Option<Value>,
    /// With which value; null for a read, `[old, new]` for a cas.
    pub argument: Value,
    /// What became of it.
    pub outcome: Outcome,
    /// Index of the event that began it.
    pub invoked: u64,
    /// Index of the event that ended it; none if there is none.
    pub completed: Option<u64>,
    /// The node that was asked.
    pub node: Option<String>,
}

/// What became of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect; a read carries what it saw.
    Ok(Value),
    /// It has not taken effect and never will.
    Fail,
    /// It may have taken effect, or may still: it ended as `info`, or not at
    /// all.
    Info,
}

/// Why events do not make a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misplaced {
    /// Place of the event among all, from 0.
    pub place: usize,
    /// What should have stood there.
    pub expected: Expected,
}

/// What should have stood in an event's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// A larger index than the one before.
    Index { after: u64, found: u64 },
    /// An invocation before a completion.
    Invocation { process: u64, f: String },
    /// The completion of the operation begun at `open`.
    Completion {
        process: u64,
        f: String,
        open: usize,
    },
    /// A process that has not seen `info` at `retired`.
    Process { process: u64, retired: usize },
    /// The same as where the operation began, at `open`.
    Same {
        what: &'static str,
        open: usize,
        begun: String,
        found: String,
    },
}

/// Pairs the ends of the clients' operations, in the order of invocation.
pub(crate) fn pair(events: &[Event]) -> Result<Vec<Operation>, Misplaced> {
    let mut pairing = Pairing::default();
    for (place, event) in events.iter().enumerate() {
        pairing
            .event(place, event)
            .map_err(|expected| Misplaced { place, expected })?;
    }
    Ok(pairing.operations)
}

#[derive(Default)]
struct Pairing {
    operations: Vec<Operation>,
    clients: HashMap<u64, Client>,
    index_last: Option<u64>,
}

enum Client {
    Idle,
    /// Place of the invocation, and of the operation.
    Open(usize, usize),
    /// Place of the `info`.
    Retired(usize),
}

impl Pairing {
    fn event(&mut self, place: usize, event: &Event) -> Result<(), Expected> {
        if let Some(after) = self.index_last.filter(|&last| event.index <= last) {
            let found = event.index;
            return Err(Expected::Index { after, found });
        }
        self.index_last = Some(event.index);
        match (event.process, event.kind) {
            (Process::Nemesis, _) => Ok(()),
            (Process::Client(process), Kind::Invoke) => self.invoke(place, process, event),
            (Process::Client(process), kind) => self.complete(place, process, kind, event),
        }
    }

    fn invoke(&mut self, place: usize, process: u64, event: &Event) -> Result<(), Expected> {
        match self.clients.get(&process) {
            None | Some(Client::Idle) => {}
            Some(&Client::Open(open, operation)) => {
                let f = self.operations[operation].f.clone();
                return Err(Expected::Completion { process, f, open });
            }
            Some(&Client::Retired(retired)) => {
                return Err(Expected::Process { process, retired });
            }
        }
        let open = Client::Open(place, self.operations.len());
        self.clients.insert(process, open);
        self.operations.push(Operation {
            process,
            f: event.f.clone(),
            key: event.key.clone(),
            argument: event.value.clone(),
            outcome: Outcome::Info,
            invoked: event.index,
            completed: None,
            node: event.node.clone(),
        });
        Ok(())
    }

    fn complete(
        &mut self,
        place: usize,
        process: u64,
        kind: Kind,
        event: &Event,
    ) -> Result<(), Expected> {
        let Some(&Client::Open(open, operation)) = self.clients.get(&process) else {
            let f = event.f.clone();
            return Err(Expected::Invocation { process, f });
        };
        let operation = &mut self.operations[operation];
        same("f", open, &operation.f, &event.f)?;
        // A completion need not repeat the key.
        if let (Some(begun), Some(found)) = (&operation.key, &event.key) {
            same("key", open, begun, found)?;
        }
        operation.completed = Some(event.index);
        operation.outcome = match kind {
            Kind::Ok => Outcome::Ok(event.value.clone()),
            Kind::Fail => Outcome::Fail,
            Kind::Info | Kind::Invoke => Outcome::Info,
        };
        let client = match kind {
            Kind::Info => Client::Retired(place),
            _ => Client::Idle,
        };
        self.clients.insert(process, client);
        Ok(())
    }
}

fn same<T: PartialEq + ToString + ?Sized>(
    what: &'static str,
    open: usize,
    begun: &T,
    found: &T,
) -> Result<(), Expected> {
    if begun == found {
        return Ok(());
    }
    Err(Expected::Same {
        what,
        open,
        begun: begun.to_string(),
        found: found.to_string(),
    })
}
