//! The replicated object: a key-value store with client sessions.
//!
//! Every protocol that replicates commands replicates this one, so that a
//! retried command is told from a new one in one place only.
//!
//! This is deliberately not the checkers' specification: the object and what
//! judges it are written apart, since a mistake they shared would be invisible.
//!
//! A session is opened by a decided command and forgotten by the order of
//! decisions alone (the least recently used goes first), so that every
//! replica forgets the same one at the same point (Ongaro's dissertation,
//! §6.3).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Names a value in the store.
pub type Key = u64;

/// What is stored; a key that was never written holds nothing.
pub type Value = i64;

/// One client operation on the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// What does the key hold?
    Read {
        /// Which key.
        key: Key,
    },
    /// Let the key hold a value.
    Write {
        /// Which key.
        key: Key,
        /// What it holds from now on.
        value: Value,
    },
    /// Let the key hold `to` if it holds `from`.
    Cas {
        /// Which key.
        key: Key,
        /// What it must hold; `None` for nothing.
        from: Option<Value>,
        /// What it holds from now on.
        to: Value,
    },
}

/// What an operation returned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Answer {
    /// It took effect.
    Done,
    /// The key holds this.
    Value(Option<Value>),
    /// A cas found another value and changed nothing.
    Mismatch,
    /// A cas found nothing where it expected a value, and changed nothing.
    Missing,
    /// A session was opened.
    Session(SessionId),
    /// The session is not known: it was evicted, or never opened. Whether an
    /// earlier copy of the command took effect is no longer known either.
    NoSession,
    /// The session has since moved on to a later command; what this one
    /// returned is no longer known.
    Superseded,
}

/// Names a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub u64);

/// Tells the commands of a session apart; grows by one with each new one.
pub type Serial = u64;

/// Which command of which session this is. A repeated one has the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ticket {
    /// The session.
    pub session: SessionId,
    /// Which command in it.
    pub serial: Serial,
}

/// What a decided command asks of the object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Call {
    /// Open a session.
    Register,
    /// Execute an operation, once for each ticket.
    Execute {
        /// Which command of which session; `None` for one never repeated.
        ticket: Option<Ticket>,
        /// What to do.
        operation: Operation,
    },
}

impl Call {
    /// The same, as if a repeated one could not be told from it.
    pub fn without_ticket(&self) -> Call {
        match self {
            Call::Execute { operation, .. } => Call::Execute {
                ticket: None,
                operation: operation.clone(),
            },
            Call::Register => Call::Register,
        }
    }
}

/// What is remembered of a client.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Session {
    /// The latest command executed, and what it returned.
    latest: Option<(Serial, Answer)>,
    /// Position of the decision that last used the session.
    used: u64,
}

/// A piece of a store, small enough to travel in a message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Part {
    /// What a key holds.
    Value(Key, Value),
    /// An open session.
    Session(SessionId, Session),
}

impl Part {
    /// The same without what the session was last answered.
    pub fn forgetting_answers(self) -> Part {
        match self {
            Part::Session(id, session) => Part::Session(
                id,
                Session {
                    latest: None,
                    ..session
                },
            ),
            value @ Part::Value(..) => value,
        }
    }
}

/// The store: values by key, and the sessions that wrote them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Store {
    values: BTreeMap<Key, Value>,
    sessions: BTreeMap<SessionId, Session>,
    sessions_founding: u64,
    /// Sum of the digests of all values and sessions, kept up to date.
    digest: u64,
}

impl Store {
    /// An empty store with sessions `1..=sessions_founding` open from the
    /// start, as if every client had been configured rather than registered.
    pub fn new(sessions_founding: u64) -> Self {
        let mut store = Store {
            values: BTreeMap::new(),
            sessions: BTreeMap::new(),
            sessions_founding,
            digest: 0,
        };
        for id in 1..=sessions_founding {
            store.put_session(
                SessionId(id),
                Session {
                    latest: None,
                    used: 0,
                },
            );
        }
        store
    }

    /// The store that consists of these parts.
    pub fn from_parts(sessions_founding: u64, parts: &[Part]) -> Self {
        let mut store = Store {
            values: BTreeMap::new(),
            sessions: BTreeMap::new(),
            sessions_founding,
            digest: 0,
        };
        for part in parts {
            match part {
                Part::Value(key, value) => store.put(*key, *value),
                Part::Session(id, session) => store.put_session(*id, session.clone()),
            }
        }
        store
    }

    /// Everything in the store, in an order that follows from its content.
    pub fn parts(&self) -> Vec<Part> {
        let values = self.values.iter();
        let sessions = self.sessions.iter();
        values
            .map(|(key, value)| Part::Value(*key, *value))
            .chain(sessions.map(|(id, session)| Part::Session(*id, session.clone())))
            .collect()
    }

    /// What a key holds.
    pub fn read(&self, key: Key) -> Option<Value> {
        self.values.get(&key).copied()
    }

    /// Digest of values and sessions: equal stores have equal digests.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Does what the command decided at `position` asks; see
    /// [`Store::register`] and [`Store::execute`].
    pub fn call(&mut self, call: &Call, position: u64, sessions_max: usize) -> Answer {
        match call {
            Call::Register => self.register(position, sessions_max),
            Call::Execute { ticket, operation } => self.execute(*ticket, operation, position),
        }
    }

    /// Opens a session by the decision at `position`, and evicts the least
    /// recently used ones so that at most `sessions_max` are left.
    pub fn register(&mut self, position: u64, sessions_max: usize) -> Answer {
        let id = SessionId(self.sessions_founding + position);
        self.put_session(
            id,
            Session {
                latest: None,
                used: position,
            },
        );
        while self.sessions.len() > sessions_max.max(1) {
            let oldest = self.sessions.iter().map(|(id, s)| (s.used, *id)).min();
            let Some((_, oldest)) = oldest else { break };
            self.remove_session(oldest);
        }
        Answer::Session(id)
    }

    /// Executes a command decided at `position`: once for each ticket, and
    /// at every call for a command without one.
    pub fn execute(
        &mut self,
        ticket: Option<Ticket>,
        operation: &Operation,
        position: u64,
    ) -> Answer {
        let Some(ticket) = ticket else {
            return self.perform(operation);
        };
        let Some(session) = self.sessions.get(&ticket.session) else {
            return Answer::NoSession;
        };
        match &session.latest {
            Some((serial, answer)) if *serial == ticket.serial => return answer.clone(),
            Some((serial, _)) if *serial > ticket.serial => return Answer::Superseded,
            _ => {}
        }
        let answer = self.perform(operation);
        let latest = Some((ticket.serial, answer.clone()));
        self.put_session(
            ticket.session,
            Session {
                latest,
                used: position,
            },
        );
        answer
    }

    /// Executes a command whether or not its ticket was used before.
    pub fn perform(&mut self, operation: &Operation) -> Answer {
        match *operation {
            Operation::Read { key } => Answer::Value(self.read(key)),
            Operation::Write { key, value } => {
                self.put(key, value);
                Answer::Done
            }
            Operation::Cas { key, from, to } => {
                let holds = self.read(key);
                if holds == from {
                    self.put(key, to);
                    Answer::Done
                } else if holds.is_none() {
                    Answer::Missing
                } else {
                    Answer::Mismatch
                }
            }
        }
    }

    fn put(&mut self, key: Key, value: Value) {
        if let Some(old) = self.values.insert(key, value) {
            self.digest = self.digest.wrapping_sub(digest_of_value(key, old));
        }
        self.digest = self.digest.wrapping_add(digest_of_value(key, value));
    }

    fn put_session(&mut self, id: SessionId, session: Session) {
        self.remove_session(id);
        self.digest = self.digest.wrapping_add(digest_of_session(id, &session));
        self.sessions.insert(id, session);
    }

    fn remove_session(&mut self, id: SessionId) {
        if let Some(old) = self.sessions.remove(&id) {
            self.digest = self.digest.wrapping_sub(digest_of_session(id, &old));
        }
    }
}

fn digest_of_value(key: Key, value: Value) -> u64 {
    mix(&[1, key, value as u64])
}

fn digest_of_session(id: SessionId, session: &Session) -> u64 {
    let serial = session.latest.as_ref().map_or(0, |(serial, _)| *serial + 1);
    mix(&[2, id.0, session.used, serial])
}

/// FNV-1a over words, with a final avalanche so that sums of digests do not
/// cancel. Stable across platforms and builds, since replicas compare it.
fn mix(words: &[u64]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in words.iter().flat_map(|word| word.to_le_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITE: Operation = Operation::Write { key: 1, value: 7 };

    fn ticket(session: u64, serial: Serial) -> Option<Ticket> {
        Some(Ticket {
            session: SessionId(session),
            serial,
        })
    }

    #[test]
    fn a_repeated_command_takes_effect_once_and_answers_the_same() {
        let mut store = Store::new(1);
        let cas = Operation::Cas {
            key: 1,
            from: None,
            to: 7,
        };
        assert_eq!(store.execute(ticket(1, 1), &cas, 1), Answer::Done);
        assert_eq!(store.execute(ticket(1, 1), &cas, 2), Answer::Done);
        assert_eq!(store.execute(ticket(1, 2), &cas, 3), Answer::Mismatch);
        assert_eq!(store.execute(ticket(1, 1), &cas, 4), Answer::Superseded);
    }

    #[test]
    fn a_command_without_a_ticket_takes_effect_each_time() {
        let mut store = Store::new(0);
        let cas = Operation::Cas {
            key: 1,
            from: None,
            to: 7,
        };
        assert_eq!(store.execute(None, &cas, 1), Answer::Done);
        assert_eq!(store.execute(None, &cas, 2), Answer::Mismatch);
    }

    #[test]
    fn a_cas_of_nothing_says_so() {
        let mut store = Store::new(0);
        let cas = Operation::Cas {
            key: 1,
            from: Some(3),
            to: 7,
        };
        assert_eq!(store.execute(None, &cas, 1), Answer::Missing);
    }

    #[test]
    fn the_least_recently_used_session_is_evicted() {
        let mut store = Store::new(0);
        assert_eq!(store.register(1, 2), Answer::Session(SessionId(1)));
        assert_eq!(store.register(2, 2), Answer::Session(SessionId(2)));
        assert_eq!(store.execute(ticket(1, 1), &WRITE, 3), Answer::Done);
        assert_eq!(store.register(4, 2), Answer::Session(SessionId(4)));
        assert_eq!(store.execute(ticket(2, 1), &WRITE, 5), Answer::NoSession);
        assert_eq!(store.execute(ticket(1, 1), &WRITE, 6), Answer::Done);
    }

    #[test]
    fn a_store_is_the_sum_of_its_parts() {
        let mut store = Store::new(1);
        store.register(1, 8);
        store.execute(ticket(1, 1), &WRITE, 2);
        store.execute(None, &Operation::Write { key: 2, value: 3 }, 3);
        let parts = store.parts();
        assert_eq!(parts.len(), 4);
        assert_eq!(Store::from_parts(1, &parts), store);
        let forgetful: Vec<Part> = parts.into_iter().map(Part::forgetting_answers).collect();
        let mut other = Store::from_parts(1, &forgetful);
        assert_eq!(other.read(1), Some(7));
        assert_eq!(other.execute(ticket(1, 1), &WRITE, 4), Answer::Done);
        assert_ne!(other.digest(), store.digest());
    }

    #[test]
    fn equal_contents_have_equal_digests_whatever_the_way_there() {
        let mut one = Store::new(0);
        one.execute(None, &Operation::Write { key: 1, value: 1 }, 1);
        one.execute(None, &Operation::Write { key: 2, value: 2 }, 2);
        let mut other = Store::new(0);
        other.execute(None, &Operation::Write { key: 2, value: 2 }, 1);
        other.execute(None, &Operation::Write { key: 1, value: 5 }, 2);
        assert_ne!(one.digest(), other.digest());
        other.execute(None, &Operation::Write { key: 1, value: 1 }, 3);
        assert_eq!(one.digest(), other.digest());
    }
}
