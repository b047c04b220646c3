//! One key of a key-value store, over values as they are recorded.
//!
//! | operation | argument | answer |
//! |---|---|---|
//! | `get` | null | what the key holds |
//! | `put` | the value | any: it was put |
//! | `cas` | `[old, new]` | any but false: it was put; false: the key held something else |
//! | `delete` | any | any: the key holds what it held at first |
//! | `append` | the element or text | any: it stands at the end |
//!
//! A register's words, `read` and `write`, mean the same. Null is what the key
//! held at first, wherever it stands. Keys are judged apart, as in
//! [`super::kv`], which says the same over symbols and is what a search is
//! quick with.

use tribunal_histories::Value;

use super::reading::unknown;
use super::{Asked, Effect, Recorded, Register, RegisterCall, RegisterReturn, Specification};
use crate::bytes;

/// One key of a store; see the module.
#[derive(Clone, Debug, Default)]
pub struct KeyValue {
    register: Register<Value>,
}

/// What a key is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyValueCall {
    /// Get, put (`Write`), cas; a delete is a put of what the key held at
    /// first.
    Register(RegisterCall<Value>),
    /// Add this at the end.
    Append(Value),
}

/// `state` with `last` at its end; nothing if it has no end.
fn append(state: &Value, last: &Value) -> Option<Value> {
    match (state, last) {
        (Value::List(front), _) => {
            let all = front.iter().chain([last]);
            Some(Value::List(all.cloned().collect()))
        }
        (Value::Null, Value::Text(_)) => Some(last.clone()),
        (Value::Null, _) => Some(Value::List(vec![last.clone()])),
        (Value::Text(front), Value::Text(back)) => Some(Value::Text(format!("{front}{back}"))),
        _ => None,
    }
}

impl Specification for KeyValue {
    type State = Value;
    type Call = KeyValueCall;
    type Return = RegisterReturn<Value>;

    fn initial(&self) -> Value {
        self.register.initial.clone()
    }

    fn step(
        &self,
        state: &Value,
        call: &KeyValueCall,
        returned: Option<&RegisterReturn<Value>>,
    ) -> Option<Value> {
        match (call, returned) {
            (KeyValueCall::Register(call), _) => self.register.step(state, call, returned),
            (KeyValueCall::Append(last), None) => {
                Some(append(state, last).unwrap_or_else(|| state.clone()))
            }
            (KeyValueCall::Append(last), Some(RegisterReturn::Done)) => append(state, last),
            (KeyValueCall::Append(_), Some(_)) => None,
        }
    }

    fn heap(&self, state: &Value) -> usize {
        bytes::value(state)
    }

    fn effect(
        &self,
        call: &KeyValueCall,
        returned: Option<&RegisterReturn<Value>>,
    ) -> Effect<Value> {
        match (call, returned) {
            (KeyValueCall::Register(call), _) => self.register.effect(call, returned),
            (KeyValueCall::Append(_), None) => Effect::Total,
            (KeyValueCall::Append(_), Some(_)) => Effect::Other,
        }
    }
}

impl Recorded for KeyValue {
    const FUNCTIONS: &'static [&'static str] = &["get", "put", "cas", "delete", "append"];

    fn holding(initial: &Value) -> Result<Self, String> {
        let register = Register::holding(initial)?;
        Ok(KeyValue { register })
    }

    fn call(&self, asked: Asked<'_>) -> Result<KeyValueCall, String> {
        let f = match asked.f {
            "append" => return Ok(KeyValueCall::Append(asked.argument.clone())),
            "delete" => {
                let nothing = RegisterCall::Write(self.initial());
                return Ok(KeyValueCall::Register(nothing));
            }
            "get" | "read" => "read",
            "put" | "write" => "write",
            "cas" => "cas",
            _ => return Err(unknown(asked, Self::FUNCTIONS)),
        };
        let call = self.register.call(Asked { f, ..asked })?;
        Ok(KeyValueCall::Register(call))
    }

    fn returned(
        &self,
        call: &KeyValueCall,
        value: &Value,
    ) -> Result<Option<RegisterReturn<Value>>, String> {
        match call {
            KeyValueCall::Register(call) => self.register.returned(call, value),
            KeyValueCall::Append(_) => Ok(Some(RegisterReturn::Done)),
        }
    }

    fn refused(&self, call: &KeyValueCall) -> Option<RegisterReturn<Value>> {
        match call {
            KeyValueCall::Register(call) => self.register.refused(call),
            KeyValueCall::Append(_) => None,
        }
    }

    fn show(&self, state: &Value) -> Value {
        state.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specification::laws::{check, judge, refusals};

    #[test]
    fn a_key_keeps_the_laws() {
        check::<KeyValue>(
            &["null", "5", "[1]", "\"a\""],
            &[
                (0, "get", "null", "[null,1,[1],[1,1],\"a\",\"ab\"]"),
                (0, "put", "1", "[null,1]"),
                (0, "put", "\"a\"", "[null]"),
                (0, "cas", "[1,2]", "[null,true,false]"),
                (0, "delete", "null", "[null]"),
                (0, "append", "1", "[null,1]"),
                (0, "append", "\"b\"", "[null]"),
            ],
        );
    }

    #[test]
    fn appends_stand_one_after_the_other() {
        let held = "0 append 1 -> 1\n1 append 2 -> 2\n0 get null -> ";
        assert!(judge::<KeyValue>("null", &format!("{held}[1,2]")));
        assert!(!judge::<KeyValue>("null", &format!("{held}[2,1]")));
        let text = "0 append \"b\" -> null\n0 get null -> ";
        assert!(judge::<KeyValue>("\"a\"", &format!("{text}\"ab\"")));
        assert!(!judge::<KeyValue>("\"a\"", &format!("{text}\"b\"")));
        assert!(!judge::<KeyValue>("5", "0 append 1 -> null"));
        assert!(judge::<KeyValue>(
            "5",
            "0 put 1 -> 1\n0 delete null -> null\n0 get null -> 5"
        ));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        refusals::<KeyValue>(
            &["cas 1", "enqueue 1"],
            "
            cas 1: expected a cas value [old, new], found 1
            enqueue 1: expected an operation (get, put, cas, delete, append), found \"enqueue\"",
        );
    }
}
