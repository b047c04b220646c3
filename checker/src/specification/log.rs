//! A log: a list that only grows.
//!
//! | operation | argument | answer |
//! |---|---|---|
//! | `append` | the entry | null, true, or the entry again: it is the last; `[index, entry]` tells where it is, from 0 |
//! | `read` | null | all entries, a list; null for none |
//!
//! At first it is empty, or a list.
//!
//! `[index, entry]` is how Jepsen's `kafka` workload completes a send; a bare
//! index would be taken for the entry again. Many logs that transactions
//! append to are judged by cycles instead: [`crate::transactions`].

use tribunal_histories::Value;

use super::reading::{known, list, natural, unknown};
use super::{Asked, Effect, Recorded, Specification};
use crate::bytes;

/// A log; see the module.
#[derive(Clone, Debug)]
pub struct Log {
    /// What it holds at first.
    initial: Vec<Value>,
}

/// What a log is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LogCall {
    /// Hold this behind all others.
    Append(Value),
    /// What does it hold?
    Read,
}

/// What a log answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LogReturn {
    /// It holds the entry.
    Done,
    /// It holds the entry at this index.
    At(u64),
    /// It holds this.
    All(Vec<Value>),
}

impl Specification for Log {
    type State = Vec<Value>;
    type Call = LogCall;
    type Return = LogReturn;

    fn initial(&self) -> Vec<Value> {
        self.initial.clone()
    }

    fn step(
        &self,
        state: &Vec<Value>,
        call: &LogCall,
        returned: Option<&LogReturn>,
    ) -> Option<Vec<Value>> {
        self.advance(state.clone(), call, returned)
    }

    fn advance(
        &self,
        mut after: Vec<Value>,
        call: &LogCall,
        returned: Option<&LogReturn>,
    ) -> Option<Vec<Value>> {
        use LogCall::{Append, Read};
        use LogReturn::{All, At, Done};
        let possible = match (call, returned) {
            (_, None) | (Append(_), Some(Done)) => true,
            (Append(_), Some(At(index))) => *index == after.len() as u64,
            (Read, Some(All(all))) => *all == after,
            (Append(_), Some(All(_))) | (Read, Some(Done | At(_))) => false,
        };
        possible.then(|| {
            if let Append(entry) = call {
                after.push(entry.clone());
            }
            after
        })
    }

    fn heap(&self, state: &Vec<Value>) -> usize {
        bytes::values(state)
    }

    fn effect(&self, call: &LogCall, returned: Option<&LogReturn>) -> Effect<Vec<Value>> {
        use LogCall::{Append, Read};
        use LogReturn::{All, At, Done};
        match (call, returned) {
            (Append(_), None | Some(Done)) => Effect::Total,
            (Append(entry), Some(At(0))) => Effect::Change {
                from: Vec::new(),
                to: vec![entry.clone()],
            },
            (Read, Some(All(all))) => Effect::Observe(Some(all.clone())),
            (Read, _) => Effect::Observe(None),
            (Append(_), Some(At(_) | All(_))) => Effect::Other,
        }
    }
}

impl Recorded for Log {
    const FUNCTIONS: &'static [&'static str] = &["append", "read"];

    fn holding(initial: &Value) -> Result<Self, String> {
        let initial = list(initial)?.to_vec();
        Ok(Log { initial })
    }

    fn call(&self, asked: Asked<'_>) -> Result<LogCall, String> {
        match asked.f {
            "append" => Ok(LogCall::Append(asked.argument.clone())),
            "read" => Ok(LogCall::Read),
            _ => Err(unknown(asked, Self::FUNCTIONS)),
        }
    }

    fn returned(&self, call: &LogCall, value: &Value) -> Result<Option<LogReturn>, String> {
        let LogCall::Append(entry) = call else {
            return Ok(Some(LogReturn::All(list(value)?.to_vec())));
        };
        Ok(Some(match value {
            Value::Null | Value::Bool(true) => LogReturn::Done,
            _ if value == entry => LogReturn::Done,
            Value::List(pair) if pair.len() == 2 && pair[1] == *entry => {
                LogReturn::At(natural(&pair[0], "an index from 0")?)
            }
            _ => {
                let expected = format!("null, true, {entry} or [index, {entry}]");
                return Err(format!("{expected}, found {value}"));
            }
        }))
    }

    fn returned_or_unknown(
        &self,
        call: &LogCall,
        value: &Value,
    ) -> Result<Option<LogReturn>, String> {
        if matches!(call, LogCall::Read) {
            known(value)?;
        }
        self.returned(call, value)
    }

    fn show(&self, state: &Vec<Value>) -> Value {
        Value::List(state.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specification::laws::{check, judge, refusals};

    #[test]
    fn a_log_keeps_the_laws() {
        check::<Log>(
            &["null", "[1,2]"],
            &[
                (0, "append", "1", "[null,1,[0,1],[2,1]]"),
                (0, "append", "[2]", "[true,[2],[1,[2]]]"),
                (0, "read", "null", "[null,[1],[1,2],[1,[2]]]"),
            ],
        );
    }

    #[test]
    fn entries_stay_where_they_are() {
        let appended = "0 append 7 -> [0,7]\n1 append 8 -> ";
        assert!(judge::<Log>("null", &format!("{appended}[1,8]")));
        assert!(!judge::<Log>("null", &format!("{appended}[0,8]")));
        let read = "0 append 7 -> 7\n0 append 8 -> null\n1 read null -> ";
        assert!(judge::<Log>("null", &format!("{read}[7,8]")));
        assert!(!judge::<Log>("null", &format!("{read}[8,7]")));
        assert!(!judge::<Log>("null", &format!("{read}[7]")));
    }

    #[test]
    fn what_is_no_log_is_refused() {
        refusals::<Log>(
            &[
                "append 1 -> 2",
                "append 1 -> [-1,1]",
                "read null -> 1",
                "pop null",
            ],
            "
            append 1 -> 2: expected null, true, 1 or [index, 1], found 2
            append 1 -> [-1,1]: expected an index from 0, found -1
            read null -> 1: expected a list, found 1
            pop null: expected an operation (append, read), found \"pop\"",
        );
    }
}
