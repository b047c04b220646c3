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

/// The two ends of a client's operation, as places among all events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The event that began it.
    pub invoked: u32,
    /// The event that ended it; none if there is none.
    pub completed: Option<u32>,
}

impl Operation {
    /// The operation with these ends.
    pub(crate) fn of(events: &[Event], pair: Pair) -> Operation {
        let invocation = &events[pair.invoked as usize];
        let completion = pair.completed.map(|place| &events[place as usize]);
        let process = match invocation.process {
            Process::Client(process) => process,
            Process::Nemesis => u64::MAX,
        };
        Operation {
            process,
            f: invocation.f.clone(),
            key: invocation.key.clone(),
            argument: invocation.value.clone(),
            outcome: completion.map_or(Outcome::Info, |event| match event.kind {
                Kind::Ok => Outcome::Ok(event.value.clone()),
                Kind::Fail => Outcome::Fail,
                Kind::Info | Kind::Invoke => Outcome::Info,
            }),
            invoked: invocation.index,
            completed: completion.map(|event| event.index),
            node: invocation.node.clone(),
        }
    }
}

/// Pairs the ends of the clients' operations, in the order of invocation.
pub(crate) fn pair(events: &[Event]) -> Result<Vec<Pair>, Misplaced> {
    let mut pairing = Pairing {
        events,
        pairs: Vec::with_capacity(events.len() / 2),
        clients: Clients::default(),
        index_last: None,
    };
    for (place, event) in (0..).zip(events) {
        pairing.event(place, event).map_err(|expected| Misplaced {
            place: place as usize,
            expected,
        })?;
    }
    Ok(pairing.pairs)
}

struct Pairing<'a> {
    events: &'a [Event],
    pairs: Vec<Pair>,
    clients: Clients,
    index_last: Option<u64>,
}

#[derive(Clone, Copy, Default)]
enum Client {
    #[default]
    Idle,
    /// Which of the pairs.
    Open(u32),
    /// Place of the `info`.
    Retired(u32),
}

/// What each client is at; most have small numbers.
#[derive(Default)]
struct Clients {
    small: Vec<Client>,
    others: HashMap<u64, Client>,
}

/// Numbers below this are small.
const SMALL: u64 = 1 << 18;

impl Clients {
    fn of(&mut self, process: u64) -> &mut Client {
        if process >= SMALL {
            return self.others.entry(process).or_default();
        }
        let place = process as usize;
        if self.small.len() <= place {
            self.small.resize(place + 1, Client::Idle);
        }
        &mut self.small[place]
    }
}

impl Pairing<'_> {
    fn event(&mut self, place: u32, event: &Event) -> Result<(), Expected> {
        if let Some(after) = self.index_last.filter(|&last| event.index <= last) {
            let found = event.index;
            return Err(Expected::Index { after, found });
        }
        self.index_last = Some(event.index);
        let Process::Client(process) = event.process else {
            return Ok(());
        };
        let client = self.clients.of(process);
        match (event.kind, *client) {
            (Kind::Invoke, Client::Idle) => {
                *client = Client::Open(self.pairs.len() as u32);
                self.pairs.push(Pair {
                    invoked: place,
                    completed: None,
                });
                Ok(())
            }
            (Kind::Invoke, Client::Open(pair)) => {
                let open = self.pairs[pair as usize].invoked as usize;
                let f = self.events[open].f.clone();
                Err(Expected::Completion { process, f, open })
            }
            (Kind::Invoke, Client::Retired(retired)) => Err(Expected::Process {
                process,
                retired: retired as usize,
            }),
            (kind, Client::Open(pair)) => {
                *client = match kind {
                    Kind::Info => Client::Retired(place),
                    _ => Client::Idle,
                };
                self.complete(place, event, pair)
            }
            (_, Client::Idle | Client::Retired(_)) => {
                let f = event.f.clone();
                Err(Expected::Invocation { process, f })
            }
        }
    }

    fn complete(&mut self, place: u32, event: &Event, pair: u32) -> Result<(), Expected> {
        let pair = &mut self.pairs[pair as usize];
        pair.completed = Some(place);
        let open = pair.invoked as usize;
        let begun = &self.events[open];
        same("f", open, &begun.f, &event.f)?;
        // A completion need not repeat the key.
        if let (Some(begun), Some(found)) = (&begun.key, &event.key) {
            same("key", open, begun, found)?;
        }
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
