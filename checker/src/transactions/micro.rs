//! From what a history records to transactions and their micro-operations.

use rustc_hash::FxHashMap;
use tribunal_histories::{History, HistoryError, Nil, Operation, Outcome, Value};

use super::TXN;

/// What is asked of a history that cannot be judged.
const EXPECTED: &str = "`txn` with a list of [\"r\", key, null or value], [\"w\", key, value] and \
                        [\"append\", key, value]";

/// The transactions of a history, in the order of invocation.
pub(super) struct Transactions<'a> {
    pub(super) txns: Vec<Txn<'a>>,
    /// The micro-operations, one transaction's after the other's.
    pub(super) micros: Vec<Micro<'a>>,
    /// Keys by number.
    pub(super) keys: Vec<KeyInfo<'a>>,
    /// What every key holds at first.
    pub(super) initial: &'a Value,
}

/// A key.
pub(super) struct KeyInfo<'a> {
    pub(super) name: &'a Value,
    /// Whether it is written or appended to, if it is.
    pub(super) holds: Option<Holds>,
}

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// A list, which is appended to.
    List,
    /// A value, which is written.
    Register,
}

/// A transaction.
pub(super) struct Txn<'a> {
    pub(super) operation: &'a Operation,
    pub(super) fate: Fate,
    /// Places of its micro-operations.
    pub(super) first: u32,
    pub(super) end: u32,
}

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Committed,
    Aborted,
    /// It may have taken effect.
    Open,
}

/// A micro-operation.
#[derive(Clone, Copy)]
pub(super) struct Micro<'a> {
    pub(super) key: u32,
    pub(super) does: Does<'a>,
}

/// What a micro-operation does.
#[derive(Clone, Copy)]
pub(super) enum Does<'a> {
    /// Reads; what, if that is known.
    Read(Option<&'a Value>),
    /// Writes or appends.
    Write(&'a Value),
}

impl<'a> Transactions<'a> {
    /// The transactions that `operations` of the history are.
    pub(super) fn of(
        history: &'a History,
        operations: &'a [Operation],
        nil: Nil,
    ) -> Result<Self, HistoryError> {
        let mut reading = Reading {
            transactions: Transactions {
                txns: Vec::with_capacity(operations.len()),
                micros: Vec::with_capacity(3 * operations.len()),
                keys: Vec::new(),
                initial: &history.header.initial,
            },
            numbers: FxHashMap::default(),
            nil,
        };
        for operation in operations {
            reading
                .transaction(operation)
                .map_err(|expected| history.malformed(operation.invoked, expected))?;
        }
        Ok(reading.transactions)
    }

    pub(super) fn micros_of(&self, txn: u32) -> impl Iterator<Item = (u32, Micro<'a>)> {
        let Txn { first, end, .. } = self.txns[txn as usize];
        (first..end).map(|place| (place, self.micros[place as usize]))
    }

    pub(super) fn is_list(&self, key: u32) -> bool {
        self.keys[key as usize].holds == Some(Holds::List)
    }

    /// The value that is written at a place.
    pub(super) fn written(&self, place: u32) -> &'a Value {
        match self.micros[place as usize].does {
            Does::Write(value) => value,
            Does::Read(_) => &Value::Null,
        }
    }
}

/// Transactions that are being read.
struct Reading<'a> {
    transactions: Transactions<'a>,
    numbers: FxHashMap<&'a Value, u32>,
    nil: Nil,
}

impl<'a> Reading<'a> {
    fn transaction(&mut self, operation: &'a Operation) -> Result<(), String> {
        let Value::List(asked) = &operation.argument else {
            return Err(EXPECTED.to_owned());
        };
        if operation.f != TXN {
            return Err(EXPECTED.to_owned());
        }
        let (fate, told) = match &operation.outcome {
            Outcome::Ok(Value::List(told)) if told.len() == asked.len() => {
                (Fate::Committed, Some(told))
            }
            Outcome::Ok(_) => {
                let count = asked.len();
                return Err(format!("a completion with {count} micro-operations"));
            }
            Outcome::Fail => (Fate::Aborted, None),
            Outcome::Info => (Fate::Open, None),
        };
        let first = self.transactions.micros.len() as u32;
        for (place, micro) in asked.iter().enumerate() {
            self.micro(micro, told.map(|told| &told[place]))?;
        }
        self.transactions.txns.push(Txn {
            operation,
            fate,
            first,
            end: self.transactions.micros.len() as u32,
        });
        Ok(())
    }

    fn micro(&mut self, asked: &'a Value, told: Option<&'a Value>) -> Result<(), String> {
        let (f, key, value) = parts(asked).ok_or(EXPECTED)?;
        let seen = match told {
            None => None,
            Some(told) => match parts(told) {
                Some((same, of, seen)) if (same, of) == (f, key) => Some(seen),
                _ => return Err(format!("a completion of {asked}, found {told}")),
            },
        };
        let number = self.number(key);
        let (does, holds) = match f {
            "r" => (Does::Read(seen.filter(|it| self.says(it))), None),
            "w" => (Does::Write(value), Some(Holds::Register)),
            "append" => (Does::Write(value), Some(Holds::List)),
            _ => return Err(EXPECTED.to_owned()),
        };
        if holds.is_some() && seen.is_some_and(|seen| seen != value) {
            return Err(format!("a completion of {asked} with the same value"));
        }
        self.holds(number, holds)?;
        self.transactions.micros.push(Micro { key: number, does });
        Ok(())
    }

    /// Whether a read of this says anything.
    fn says(&self, seen: &Value) -> bool {
        *seen != Value::Null || self.nil == Nil::Initial
    }

    fn number(&mut self, key: &'a Value) -> u32 {
        let keys = &mut self.transactions.keys;
        *self.numbers.entry(key).or_insert_with(|| {
            keys.push(KeyInfo {
                name: key,
                holds: None,
            });
            keys.len() as u32 - 1
        })
    }

    fn holds(&mut self, key: u32, holds: Option<Holds>) -> Result<(), String> {
        let initial = elements(self.transactions.initial);
        if holds == Some(Holds::List) && initial.is_none_or(|initial| !initial.is_empty()) {
            return Err("lists to be empty at first: an initial value of null or []".to_owned());
        }
        let key = &mut self.transactions.keys[key as usize];
        match (key.holds, holds) {
            (_, None) => Ok(()),
            (Some(before), Some(now)) if before != now => {
                Err(format!("key {} to be written or appended to", key.name))
            }
            _ => {
                key.holds = holds;
                Ok(())
            }
        }
    }
}

/// The parts of a micro-operation.
fn parts(micro: &Value) -> Option<(&str, &Value, &Value)> {
    match micro {
        Value::List(parts) => match parts.as_slice() {
            [Value::Text(f), key, value] => Some((f, key, value)),
            _ => None,
        },
        _ => None,
    }
}

/// A list as it was read; a read of nothing finds the empty one.
pub(super) fn elements(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Null => Some(&[]),
        Value::List(values) => Some(values),
        _ => None,
    }
}
