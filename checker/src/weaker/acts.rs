//! From what a history records to reads and writes in sessions.
//!
//! Here is decided what an outcome means. What never happened and what says
//! nothing is left out, and a value becomes the number of its slot: a value of
//! a key.

use rustc_hash::FxHashMap;
use tribunal_histories::{FailedCas, History, HistoryError, Nil, Operation, Outcome, Value};

use crate::spec::Spec;
use crate::specification::reading::{done, done_or_refused};
use crate::symbols::{Symbol, Symbols};

/// A value of a key, by its number among all.
pub(super) type Slot = u32;

/// What the clients did, as far as it says something.
pub(super) struct Acts<'a> {
    pub(super) operations: &'a [Operation],
    /// In the order of invocation.
    pub(super) list: Vec<Act>,
    /// By session, its acts in order.
    pub(super) sessions: Vec<Vec<u32>>,
    /// By key, the slot that it holds at first.
    pub(super) initial: Vec<Slot>,
    /// By slot, its key.
    pub(super) key_of: Vec<u32>,
    /// Operations that would have written a slot, had they not failed.
    pub(super) failed: FxHashMap<Slot, u32>,
}

/// One operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Act {
    /// Its place among the operations of the whole history.
    pub(super) operation: u32,
    pub(super) session: u32,
    pub(super) key: u32,
    pub(super) invoked: u64,
    /// When it ended, if it happened for certain.
    pub(super) completed: Option<u64>,
    pub(super) does: Does,
}

/// What an operation does, and saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    Read(Slot),
    /// Found something else.
    ReadOther(Slot),
    Write(Slot),
    Cas {
        from: Slot,
        to: Slot,
    },
}

impl Does {
    /// What it sees.
    pub(super) fn saw(self) -> Option<Slot> {
        match self {
            Does::Read(slot) | Does::Cas { from: slot, .. } => Some(slot),
            Does::ReadOther(_) | Does::Write(_) => None,
        }
    }

    /// What it writes.
    pub(super) fn writes(self) -> Option<Slot> {
        match self {
            Does::Write(slot) | Does::Cas { to: slot, .. } => Some(slot),
            Does::Read(_) | Does::ReadOther(_) => None,
        }
    }

    fn renamed(self, slots: &[Slot]) -> Self {
        let slot = |slot: Slot| slots[slot as usize];
        match self {
            Does::Read(it) => Does::Read(slot(it)),
            Does::ReadOther(it) => Does::ReadOther(slot(it)),
            Does::Write(it) => Does::Write(slot(it)),
            Does::Cas { from, to } => Does::Cas {
                from: slot(from),
                to: slot(to),
            },
        }
    }
}

impl Act {
    /// Whether it happened for certain.
    pub(super) fn is_sure(&self) -> bool {
        self.completed.is_some()
    }

    /// What it saw, if it happened.
    pub(super) fn saw(&self) -> Option<Slot> {
        self.does.saw()
    }

    /// What it writes, if it happens.
    pub(super) fn writes(&self) -> Option<Slot> {
        self.does.writes()
    }
}

impl<'a> Acts<'a> {
    pub(super) fn of(
        history: &History,
        operations: &'a [Operation],
        nil: Nil,
    ) -> Result<Self, HistoryError> {
        let mut intake = Intake {
            acts: Acts::none(operations),
            nil,
            failed_cas: history.header.failed_cas,
            first: history.header.initial.clone(),
            symbols: Symbols::default(),
            slots: FxHashMap::default(),
            keys: FxHashMap::default(),
            processes: FxHashMap::default(),
        };
        for (number, operation) in (0..).zip(operations) {
            intake
                .add(number, operation)
                .map_err(|(event, expected)| history.malformed(event, expected))?;
        }
        Ok(intake.acts)
    }

    fn none(operations: &'a [Operation]) -> Self {
        Acts {
            operations,
            list: Vec::new(),
            sessions: Vec::new(),
            initial: Vec::new(),
            key_of: Vec::new(),
            failed: FxHashMap::default(),
        }
    }

    pub(super) fn keys(&self) -> usize {
        self.initial.len()
    }

    /// The acts of each key, as if there were no other.
    pub(super) fn by_key(&self) -> Vec<Acts<'a>> {
        let mut local = vec![0; self.key_of.len()];
        let mut parts: Vec<Acts<'a>> = (0..self.keys())
            .map(|_| Acts::none(self.operations))
            .collect();
        for (slot, &key) in self.key_of.iter().enumerate() {
            let part = &mut parts[key as usize];
            local[slot] = part.key_of.len() as Slot;
            part.key_of.push(0);
        }
        for (&slot, part) in self.initial.iter().zip(&mut parts) {
            part.initial.push(local[slot as usize]);
        }
        for (&slot, &operation) in &self.failed {
            let key = self.key_of[slot as usize];
            let failed = &mut parts[key as usize].failed;
            failed.insert(local[slot as usize], operation);
        }
        let mut renamed: FxHashMap<(u32, u32), u32> = FxHashMap::default();
        for act in &self.list {
            let part = &mut parts[act.key as usize];
            let next = part.sessions.len() as u32;
            let session = *renamed.entry((act.key, act.session)).or_insert(next);
            if session == next {
                part.sessions.push(Vec::new());
            }
            part.sessions[session as usize].push(part.list.len() as u32);
            part.list.push(Act {
                session,
                key: 0,
                does: act.does.renamed(&local),
                ..*act
            });
        }
        parts
    }

    /// By key, its acts: those of `by_key` by their numbers here.
    pub(super) fn acts_of_keys(&self) -> Vec<Vec<u32>> {
        let mut keys = vec![Vec::new(); self.keys()];
        for (number, act) in (0..).zip(&self.list) {
            keys[act.key as usize].push(number);
        }
        keys
    }
}

struct Intake<'a> {
    acts: Acts<'a>,
    nil: Nil,
    failed_cas: FailedCas,
    first: Value,
    symbols: Symbols,
    slots: FxHashMap<(u32, Symbol), Slot>,
    keys: FxHashMap<Option<&'a Value>, u32>,
    processes: FxHashMap<u64, u32>,
}

/// The index of an event, and what was expected there instead.
type Misread = (u64, String);

impl<'a> Intake<'a> {
    fn add(&mut self, number: u32, operation: &'a Operation) -> Result<(), Misread> {
        let key = self.key(operation.key.as_ref());
        let session = self.session(operation.process);
        let does = self.does(key, operation)?;
        let (does, completed) = match (&operation.outcome, does) {
            (Outcome::Ok(_), Some(does)) => (does, operation.completed),
            (Outcome::Info, Some(does)) if !matches!(does, Does::Read(_)) => (does, None),
            (Outcome::Fail, Some(Does::Cas { from, .. }))
                if self.failed_cas == FailedCas::Observed =>
            {
                (Does::ReadOther(from), operation.completed)
            }
            (Outcome::Fail, Some(Does::Cas { to: slot, .. } | Does::Write(slot))) => {
                self.acts.failed.insert(slot, number);
                return Ok(());
            }
            _ => return Ok(()),
        };
        let act = self.acts.list.len() as u32;
        self.acts.sessions[session as usize].push(act);
        self.acts.list.push(Act {
            operation: number,
            session,
            key,
            invoked: operation.invoked,
            completed,
            does,
        });
        Ok(())
    }

    /// What the operation does; nothing of a read that says nothing.
    fn does(&mut self, key: u32, operation: &Operation) -> Result<Option<Does>, Misread> {
        let argument = &operation.argument;
        let answer = match &operation.outcome {
            Outcome::Ok(value) => Some(value),
            Outcome::Fail | Outcome::Info => None,
        };
        let misasked = |expected: String| (operation.invoked, expected);
        let misanswered =
            |expected: String| (operation.completed.unwrap_or(operation.invoked), expected);
        Ok(match Spec::CasRegister.function(&operation.f) {
            Some("read") => match answer {
                Some(Value::Null) if self.nil == Nil::Unknown => None,
                Some(value) => Some(Does::Read(self.slot(key, value))),
                None => None,
            },
            Some("write") => {
                if let Some(answer) = answer {
                    done(answer, argument).map_err(misanswered)?;
                }
                Some(Does::Write(self.slot(key, argument)))
            }
            Some(_) => {
                let pair = match argument {
                    Value::List(pair) => pair.as_slice(),
                    _ => &[],
                };
                let [from, to] = pair else {
                    return Err(misasked(format!(
                        "a cas value [old, new], found {argument}"
                    )));
                };
                let (from, to) = (self.slot(key, from), self.slot(key, to));
                let done = match answer {
                    Some(answer) => done_or_refused(answer, argument).map_err(misanswered)?,
                    None => true,
                };
                Some(match done {
                    true => Does::Cas { from, to },
                    false => Does::ReadOther(from),
                })
            }
            None => {
                return Err(misasked(format!(
                    "an operation of registers (read, write, cas; get, put), found {:?}",
                    operation.f
                )));
            }
        })
    }

    /// Nothing is what the key held at first, unless a read of it is said to
    /// mean nothing at all.
    fn slot(&mut self, key: u32, value: &Value) -> Slot {
        if *value == Value::Null && self.nil == Nil::Initial {
            return self.acts.initial[key as usize];
        }
        let symbol = self.symbols.name(value);
        let next = self.acts.key_of.len() as Slot;
        let slot = *self.slots.entry((key, symbol)).or_insert(next);
        if slot == next {
            self.acts.key_of.push(key);
        }
        slot
    }

    fn key(&mut self, key: Option<&'a Value>) -> u32 {
        if let Some(&known) = self.keys.get(&key) {
            return known;
        }
        let number = self.keys.len() as u32;
        self.keys.insert(key, number);
        let symbol = self.symbols.name(&self.first);
        let slot = self.acts.key_of.len() as Slot;
        self.slots.insert((number, symbol), slot);
        self.acts.key_of.push(number);
        self.acts.initial.push(slot);
        number
    }

    fn session(&mut self, process: u64) -> u32 {
        let next = self.acts.sessions.len() as u32;
        let session = *self.processes.entry(process).or_insert(next);
        if session == next {
            self.acts.sessions.push(Vec::new());
        }
        session
    }
}
