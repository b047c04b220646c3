//! What a shard holds, and what a transaction may do to it.
//!
//! Operations run against the shard as it is, with the writes of the
//! transaction put aside until it commits: later operations of the same
//! transaction see them, nobody else does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Reason;

pub use crate::object::Key;

/// What a key holds; one that was never written holds nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Value {
    /// A number.
    Number(i64),
    /// A list of numbers, in the order in which they were appended.
    List(Vec<i64>),
}

/// One operation of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// What does the key hold?
    Read {
        /// Which key.
        key: Key,
    },
    /// Let the key hold a number.
    Write {
        /// Which key.
        key: Key,
        /// What it holds from now on.
        value: i64,
    },
    /// Append to the list that the key holds; nothing counts as an empty one.
    Append {
        /// Which key.
        key: Key,
        /// What is appended.
        value: i64,
    },
    /// Add to the number that the key holds; nothing counts as 0.
    Add {
        /// Which key.
        key: Key,
        /// What is added; it may be negative.
        amount: i64,
        /// The transaction is aborted if the sum would be less.
        at_least: Option<i64>,
    },
}

impl Operation {
    /// The key that it is about.
    pub fn key(&self) -> Key {
        match self {
            Operation::Read { key }
            | Operation::Write { key, .. }
            | Operation::Append { key, .. }
            | Operation::Add { key, .. } => *key,
        }
    }

    /// Whether it leaves everything as it is.
    pub fn is_read(&self) -> bool {
        matches!(self, Operation::Read { .. })
    }
}

/// What an operation of a committed transaction saw.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Seen {
    /// It was no read.
    Done,
    /// The key held this.
    Value(Option<Value>),
}

/// What a transaction lets keys hold once it commits.
pub type Writes = BTreeMap<Key, Value>;

/// The keys of one shard.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Store(BTreeMap<Key, Value>);

impl Store {
    /// What a key holds.
    pub fn get(&self, key: Key) -> Option<&Value> {
        self.0.get(&key)
    }

    /// Every key that holds something, in order.
    pub fn values(&self) -> impl Iterator<Item = (Key, &Value)> {
        self.0.iter().map(|(key, value)| (*key, value))
    }

    /// Takes over what a committed transaction wrote.
    pub(super) fn put(&mut self, writes: &Writes) {
        for (key, value) in writes {
            self.0.insert(*key, value.clone());
        }
    }

    /// What the operations see, each what those before it did, and what they
    /// write.
    ///
    /// # Errors
    ///
    /// Why one of them refuses.
    pub(super) fn run(&self, operations: &[Operation]) -> Result<(Vec<Seen>, Writes), Reason> {
        let mut writes = Writes::new();
        let mut seen = Vec::new();
        for operation in operations {
            let key = operation.key();
            let held = writes.get(&key).or_else(|| self.get(key));
            match written(operation, held)? {
                None => seen.push(Seen::Value(held.cloned())),
                Some(value) => {
                    seen.push(Seen::Done);
                    writes.insert(key, value);
                }
            }
        }
        Ok((seen, writes))
    }
}

/// What an operation lets its key hold that holds this; nothing for a read.
fn written(operation: &Operation, held: Option<&Value>) -> Result<Option<Value>, Reason> {
    Ok(Some(match (operation, held) {
        (Operation::Read { .. }, _) => return Ok(None),
        (Operation::Write { .. }, Some(Value::List(_)))
        | (Operation::Append { .. }, Some(Value::Number(_)))
        | (Operation::Add { .. }, Some(Value::List(_))) => return Err(Reason::Mismatch),
        (Operation::Write { value, .. }, _) => Value::Number(*value),
        (Operation::Append { value, .. }, None) => Value::List(vec![*value]),
        (Operation::Append { value, .. }, Some(Value::List(list))) => {
            Value::List(list.iter().chain([value]).copied().collect())
        }
        (Operation::Add { amount, .. }, None) => Value::Number(sum(operation, 0, *amount)?),
        (Operation::Add { amount, .. }, Some(Value::Number(number))) => {
            Value::Number(sum(operation, *number, *amount)?)
        }
    }))
}

fn sum(operation: &Operation, number: i64, amount: i64) -> Result<i64, Reason> {
    let sum = number.checked_add(amount).ok_or(Reason::Overflow)?;
    match operation {
        Operation::Add {
            at_least: Some(least),
            ..
        } if sum < *least => Err(Reason::TooLow),
        _ => Ok(sum),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(values: &[(Key, Value)]) -> Store {
        Store(values.iter().cloned().collect())
    }

    fn append(key: Key, value: i64) -> Operation {
        Operation::Append { key, value }
    }

    fn add(key: Key, amount: i64, at_least: Option<i64>) -> Operation {
        Operation::Add {
            key,
            amount,
            at_least,
        }
    }

    #[test]
    fn operations_see_what_those_before_them_did_and_the_store_does_not_change() {
        let store = store(&[(1, Value::List(vec![5]))]);
        let read = |key| Operation::Read { key };
        let write = Operation::Write { key: 2, value: 3 };
        let operations = [
            read(2),
            append(1, 6),
            read(1),
            write,
            add(2, -4, Some(-1)),
            read(2),
        ];
        let list = Value::List(vec![5, 6]);
        let seen = vec![
            Seen::Value(None),
            Seen::Done,
            Seen::Value(Some(list.clone())),
            Seen::Done,
            Seen::Done,
            Seen::Value(Some(Value::Number(-1))),
        ];
        let writes = Writes::from([(1, list), (2, Value::Number(-1))]);
        assert_eq!(store.run(&operations), Ok((seen, writes)));
        assert_eq!(store.get(1), Some(&Value::List(vec![5])));
    }

    #[test]
    fn an_operation_refuses_what_does_not_go_with_its_key() {
        let store = store(&[(1, Value::List(vec![])), (2, Value::Number(i64::MAX))]);
        let write = |key| Operation::Write { key, value: 1 };
        for (operation, reason) in [
            (write(1), Reason::Mismatch),
            (append(2, 1), Reason::Mismatch),
            (add(1, 1, None), Reason::Mismatch),
            (add(2, 1, None), Reason::Overflow),
            (add(3, -1, Some(0)), Reason::TooLow),
        ] {
            assert_eq!(store.run(&[operation]), Err(reason));
        }
        assert!(store.run(&[add(3, 0, Some(0)), write(3), write(2)]).is_ok());
    }
}
