//! A counter: a number that is added to.
//!
//! | operation | argument | answer |
//! |---|---|---|
//! | `add` | the delta, of either sign | null, true, or the delta again: it was added |
//! | `increment`, `decrement` | null: they add 1 and -1 | the new value; null or true if it does not tell |
//! | `add-and-get` | the delta | the new value; null or true if it does not tell |
//! | `get-and-add` | the delta | the value before; null or true if it does not tell |
//! | `read` | null | the value |
//!
//! At first it is 0, or a number. It has no bounds and does not wrap around.
//!
//! `add` never answers the new value: recorders repeat there what was asked
//! (Jepsen's `counter` does), and a 1 would be taken for the other.
//! `add-and-get` and `get-and-add` are those of Hazelcast's CP `IAtomicLong`
//! and Java's `AtomicLong`. Jepsen's checker of counters bounds each read by
//! what was added for certain and what may have been; this one asks for one
//! order of all of them, which is more.

use tribunal_histories::Value;

use super::reading::{done, number, unknown, whole};
use super::{Asked, Effect, Recorded, Specification};

/// A counter; see the module.
#[derive(Clone, Debug)]
pub struct Counter {
    /// What it is at first.
    initial: i128,
}

/// What a counter is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CounterCall {
    /// What is it?
    Read,
    /// Be so much more.
    Add {
        /// So much.
        delta: i64,
        /// What is answered.
        tells: Tells,
    },
}

/// Which value an add answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tells {
    /// None.
    Nothing,
    /// The one after it.
    After,
    /// The one before it.
    Before,
}

/// What a counter answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CounterReturn {
    /// It was added.
    Done,
    /// What it is after the call.
    Value(i128),
}

impl Specification for Counter {
    type State = i128;
    type Call = CounterCall;
    type Return = CounterReturn;

    fn initial(&self) -> i128 {
        self.initial
    }

    fn step(
        &self,
        state: &i128,
        call: &CounterCall,
        returned: Option<&CounterReturn>,
    ) -> Option<i128> {
        let after = state + call.delta();
        match returned {
            None => Some(after),
            Some(CounterReturn::Done) => (*call != CounterCall::Read).then_some(after),
            Some(CounterReturn::Value(told)) => (*told == after).then_some(after),
        }
    }

    fn effect(&self, call: &CounterCall, returned: Option<&CounterReturn>) -> Effect<i128> {
        match (call.delta(), returned) {
            (0, Some(CounterReturn::Value(told))) => Effect::Observe(Some(*told)),
            (0, _) => Effect::Observe(None),
            (delta, Some(CounterReturn::Value(told))) => Effect::Change {
                from: told - delta,
                to: *told,
            },
            (_, None | Some(CounterReturn::Done)) => Effect::Total,
        }
    }
}

impl CounterCall {
    /// How much is added.
    pub(crate) fn delta(&self) -> i128 {
        match self {
            CounterCall::Read => 0,
            CounterCall::Add { delta, .. } => i128::from(*delta),
        }
    }
}

impl Recorded for Counter {
    const FUNCTIONS: &'static [&'static str] = &[
        "add",
        "increment",
        "decrement",
        "add-and-get",
        "get-and-add",
        "read",
    ];

    fn holding(initial: &Value) -> Result<Self, String> {
        let initial = match initial {
            Value::Null => 0,
            _ => whole(initial, "a whole number to begin with")?.into(),
        };
        Ok(Counter { initial })
    }

    fn call(&self, asked: Asked<'_>) -> Result<CounterCall, String> {
        let delta = || whole(asked.argument, "a whole number to add");
        let one = |by: i64| match asked.argument {
            Value::Null => Ok((by, Tells::After)),
            other => Err(format!("null (`add` takes how much), found {other}")),
        };
        let (delta, tells) = match asked.f {
            "read" => return Ok(CounterCall::Read),
            "add" => (delta()?, Tells::Nothing),
            "increment" => one(1)?,
            "decrement" => one(-1)?,
            "add-and-get" => (delta()?, Tells::After),
            "get-and-add" => (delta()?, Tells::Before),
            _ => return Err(unknown(asked, Self::FUNCTIONS)),
        };
        Ok(CounterCall::Add { delta, tells })
    }

    fn returned(&self, call: &CounterCall, value: &Value) -> Result<Option<CounterReturn>, String> {
        let told = || whole(value, "the value, a whole number").map(i128::from);
        Ok(Some(match *call {
            CounterCall::Read if *value == Value::Null => {
                return Err(
                    "a whole number, found null, of which nothing says (`nil`) that it is not known"
                        .to_owned(),
                );
            }
            CounterCall::Read => CounterReturn::Value(told()?),
            CounterCall::Add { delta, tells } => match (tells, value) {
                (Tells::Nothing, _) => {
                    done(value, &delta.into())?;
                    CounterReturn::Done
                }
                (_, Value::Null | Value::Bool(true)) => CounterReturn::Done,
                (Tells::After, _) => CounterReturn::Value(told()?),
                (Tells::Before, _) => CounterReturn::Value(told()? + i128::from(delta)),
            },
        }))
    }

    fn returned_or_unknown(
        &self,
        call: &CounterCall,
        value: &Value,
    ) -> Result<Option<CounterReturn>, String> {
        match (call, value) {
            (CounterCall::Read, Value::Null) => Ok(None),
            _ => self.returned(call, value),
        }
    }

    fn show(&self, state: &i128) -> Value {
        number(*state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specification::laws::{check, judge, refusals};

    #[test]
    fn a_counter_keeps_the_laws() {
        check::<Counter>(
            &["null", "5", "9223372036854775807"],
            &[
                (0, "add", "2", "[null,2]"),
                (0, "add", "0", "[null]"),
                (0, "increment", "null", "[null,1,2,6,true]"),
                (0, "decrement", "null", "[null,-1,4]"),
                (0, "add-and-get", "-1", "[null,-1,4]"),
                (0, "get-and-add", "-1", "[null,0,5]"),
                (0, "read", "null", "[0,5,1]"),
            ],
        );
    }

    #[test]
    fn nothing_that_was_added_is_lost() {
        let added = "
            0 invoke add 1
            1 increment null -> null
            0 ok add 1
            1 read null -> ";
        assert!(judge::<Counter>("null", &format!("{added}2")));
        assert!(!judge::<Counter>("null", &format!("{added}1")));
        let both = "0 increment null -> 1\n1 increment null -> ";
        assert!(judge::<Counter>("null", &format!("{both}2")));
        assert!(!judge::<Counter>("null", &format!("{both}1")));
        assert!(judge::<Counter>("7", "0 get-and-add 3 -> 7"));
        assert!(!judge::<Counter>("7", "0 get-and-add 3 -> 10"));
    }

    #[test]
    fn what_is_no_counter_is_refused() {
        refusals::<Counter>(
            &[
                "add null",
                "add 1 -> 2",
                "decrement 2",
                "read null -> null",
                "add-and-get 1 -> \"x\"",
                "write 1",
            ],
            "
            add null: expected a whole number to add, found null
            add 1 -> 2: expected null, true or 1, found 2
            decrement 2: expected null (`add` takes how much), found 2
            read null -> null: expected a whole number, found null, of which nothing says (`nil`) that it is not known
            add-and-get 1 -> \"x\": expected the value, a whole number, found \"x\"
            write 1: expected an operation (add, increment, decrement, add-and-get, get-and-add, read), found \"write\"",
        );
    }
}
