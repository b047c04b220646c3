//! A register: read, write, and cas (compare and set).
//!
//! Of recorded histories:
//!
//! | operation | argument | answer |
//! |---|---|---|
//! | `read` | null | what it holds |
//! | `write` | the value | any: it was written |
//! | `cas` | `[old, new]` | any but false: it was written; false: it held something else |
//!
//! Null is what the register held at first, wherever it stands. Knossos'
//! `register` and `cas-register`; a read of null that says nothing, as Knossos
//! has it, is left out before a specification sees it.

use std::fmt::Debug;
use std::hash::Hash;

use tribunal_histories::Value;

use super::reading::unknown;
use super::{Asked, Effect, Recorded, Specification};

/// A register that at first holds `initial`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Register<V> {
    /// What it holds at first.
    pub initial: V,
}

/// What a register is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RegisterCall<V> {
    /// What does it hold?
    Read,
    /// Let it hold this.
    Write(V),
    /// Let it hold `to` if it holds `from`.
    Cas {
        /// What it must hold.
        from: V,
        /// What it holds from now on.
        to: V,
    },
}

/// What a register answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RegisterReturn<V> {
    /// A write or a cas took effect.
    Done,
    /// A read found this.
    Value(V),
    /// A cas found something other than its `from`, and changed nothing.
    Mismatch,
}

impl<V> RegisterCall<V> {
    /// The same of other values.
    pub(crate) fn map<W>(self, mut value: impl FnMut(V) -> W) -> RegisterCall<W> {
        match self {
            RegisterCall::Read => RegisterCall::Read,
            RegisterCall::Write(to) => RegisterCall::Write(value(to)),
            RegisterCall::Cas { from, to } => RegisterCall::Cas {
                from: value(from),
                to: value(to),
            },
        }
    }
}

impl<V> RegisterReturn<V> {
    /// The same of another value.
    pub(crate) fn map<W>(self, value: impl FnOnce(V) -> W) -> RegisterReturn<W> {
        match self {
            RegisterReturn::Done => RegisterReturn::Done,
            RegisterReturn::Value(seen) => RegisterReturn::Value(value(seen)),
            RegisterReturn::Mismatch => RegisterReturn::Mismatch,
        }
    }
}

impl<V: Clone + Eq + Hash + Debug + Send + Sync + 'static> Specification for Register<V> {
    type State = V;
    type Call = RegisterCall<V>;
    type Return = RegisterReturn<V>;

    fn initial(&self) -> V {
        self.initial.clone()
    }

    #[inline]
    fn step(
        &self,
        state: &V,
        call: &RegisterCall<V>,
        returned: Option<&RegisterReturn<V>>,
    ) -> Option<V> {
        use RegisterCall::{Cas, Read, Write};
        use RegisterReturn::{Done, Mismatch, Value};
        match (call, returned) {
            (Read, None) => Some(state.clone()),
            (Read, Some(Value(seen))) => (seen == state).then(|| state.clone()),
            (Write(value), None | Some(Done)) => Some(value.clone()),
            (Cas { from, to }, None) => Some(if from == state { to } else { state }.clone()),
            (Cas { from, to }, Some(Done)) => (from == state).then(|| to.clone()),
            (Cas { from, .. }, Some(Mismatch)) => (from != state).then(|| state.clone()),
            (Read, Some(Done | Mismatch))
            | (Write(_), Some(Value(_) | Mismatch))
            | (Cas { .. }, Some(Value(_))) => None,
        }
    }

    #[inline]
    fn effect(&self, call: &RegisterCall<V>, returned: Option<&RegisterReturn<V>>) -> Effect<V> {
        use RegisterCall::{Cas, Read, Write};
        use RegisterReturn::{Done, Mismatch, Value};
        match (call, returned) {
            (Read, Some(Value(seen))) => Effect::Observe(Some(seen.clone())),
            (Cas { from, .. }, Some(Mismatch)) => Effect::Avoid(from.clone()),
            (Read, _) => Effect::Observe(None),
            (Write(value), None | Some(Done)) => Effect::Replace(value.clone()),
            (Cas { from, to }, None) if from == to => Effect::Observe(None),
            (Cas { from, to }, Some(Done)) if from == to => Effect::Observe(Some(from.clone())),
            (Cas { from, to }, None | Some(Done)) => Effect::Change {
                from: from.clone(),
                to: to.clone(),
            },
            (Write(_), Some(Value(_) | Mismatch)) | (Cas { .. }, Some(Value(_))) => Effect::Other,
        }
    }
}

impl Register<Value> {
    fn named(&self, value: &Value) -> Value {
        match value {
            Value::Null => self.initial.clone(),
            _ => value.clone(),
        }
    }
}

impl Recorded for Register<Value> {
    const FUNCTIONS: &'static [&'static str] = &["read", "write", "cas"];

    fn holding(initial: &Value) -> Result<Self, String> {
        let initial = initial.clone();
        Ok(Register { initial })
    }

    fn call(&self, asked: Asked<'_>) -> Result<RegisterCall<Value>, String> {
        match asked.f {
            "read" => Ok(RegisterCall::Read),
            "write" => Ok(RegisterCall::Write(self.named(asked.argument))),
            "cas" => match asked.argument {
                Value::List(pair) if pair.len() == 2 => Ok(RegisterCall::Cas {
                    from: self.named(&pair[0]),
                    to: self.named(&pair[1]),
                }),
                other => Err(format!("a cas value [old, new], found {other}")),
            },
            _ => Err(unknown(asked, Self::FUNCTIONS)),
        }
    }

    fn returned(
        &self,
        call: &RegisterCall<Value>,
        value: &Value,
    ) -> Result<Option<RegisterReturn<Value>>, String> {
        Ok(Some(match call {
            RegisterCall::Read => RegisterReturn::Value(self.named(value)),
            RegisterCall::Cas { .. } if *value == Value::Bool(false) => RegisterReturn::Mismatch,
            RegisterCall::Write(_) | RegisterCall::Cas { .. } => RegisterReturn::Done,
        }))
    }

    fn refused(&self, call: &RegisterCall<Value>) -> Option<RegisterReturn<Value>> {
        matches!(call, RegisterCall::Cas { .. }).then_some(RegisterReturn::Mismatch)
    }

    fn show(&self, state: &Value) -> Value {
        state.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specification::laws::{check, judge, refusals};

    const REGISTER: Register<u8> = Register { initial: 0 };

    #[test]
    fn a_read_returns_what_the_register_holds() {
        let seen =
            |value| REGISTER.step(&3, &RegisterCall::Read, Some(&RegisterReturn::Value(value)));
        assert_eq!(seen(3), Some(3));
        assert_eq!(seen(4), None);
    }

    #[test]
    fn a_cas_succeeds_exactly_where_its_old_value_is() {
        let cas = RegisterCall::Cas { from: 3, to: 4 };
        let done = Some(&RegisterReturn::Done);
        let mismatch = Some(&RegisterReturn::Mismatch);
        assert_eq!(REGISTER.step(&3, &cas, done), Some(4));
        assert_eq!(REGISTER.step(&2, &cas, done), None);
        assert_eq!(REGISTER.step(&3, &cas, mismatch), None);
        assert_eq!(REGISTER.step(&2, &cas, mismatch), Some(2));
        assert_eq!(REGISTER.step(&2, &cas, None), Some(2));
        assert_eq!(REGISTER.step(&3, &cas, None), Some(4));
    }

    #[test]
    fn no_call_answers_for_another() {
        let value = Some(&RegisterReturn::Value(1));
        assert_eq!(REGISTER.step(&1, &RegisterCall::Write(1), value), None);
        assert_eq!(
            REGISTER.step(&1, &RegisterCall::Read, Some(&RegisterReturn::Done)),
            None
        );
    }

    #[test]
    fn a_register_keeps_the_laws() {
        check::<Register<Value>>(
            &["null", "5", "[1]"],
            &[
                (0, "read", "null", "[null,1,2]"),
                (0, "write", "1", "[null,1]"),
                (0, "write", "null", "[null]"),
                (0, "cas", "[1,2]", "[null,[1,2],false]"),
                (0, "cas", "[2,2]", "[true]"),
                (0, "cas", "[null,1]", "[true]"),
            ],
        );
    }

    #[test]
    fn a_recorded_register_is_judged() {
        let stale = "0 write 1 -> 1\n1 cas [1,2] -> [1,2]\n0 read null -> ";
        assert!(judge::<Register<Value>>("null", &format!("{stale}2")));
        assert!(!judge::<Register<Value>>("null", &format!("{stale}1")));
        assert!(judge::<Register<Value>>(
            "5",
            "0 read null -> null\n0 read null -> 5"
        ));
        assert!(judge::<Register<Value>>("5", "0 cas [1,2] -> false"));
        assert!(!judge::<Register<Value>>("1", "0 cas [1,2] -> false"));
        let failed = "0 invoke cas [1,2]\n0 fail cas [1,2]";
        assert!(judge::<Register<Value>>("5", failed));
        assert!(!judge::<Register<Value>>("1", failed));
    }

    #[test]
    fn what_is_no_register_is_refused() {
        refusals::<Register<Value>>(
            &["cas [1]", "append 1"],
            "
            cas [1]: expected a cas value [old, new], found [1]
            append 1: expected an operation (read, write, cas), found \"append\"",
        );
    }
}
