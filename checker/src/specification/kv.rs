//! One key of a key-value store: get, put, cas, delete, append.
//!
//! Keys do not influence each other, so a store is linearizable exactly if
//! each of its keys is (Herlihy and Wing, locality): one key is all that a
//! specification has to describe.
//!
//! Append adds an element to a list, or a text to the end of a text. A key
//! that holds nothing counts as the empty list or, for a text, the empty text.
//! Anything else refuses it, and stays as it is.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Effect, Register, RegisterCall, RegisterReturn, Specification};
use crate::symbols::{Symbol, Symbols};

/// One key of a key-value store.
#[derive(Debug)]
pub struct Kv {
    register: Register<Symbol>,
    /// Names what appends make; a step can make a value nobody wrote down.
    symbols: Mutex<Symbols>,
}

impl Clone for Kv {
    fn clone(&self) -> Self {
        Kv {
            register: self.register,
            symbols: Mutex::new(self.symbols().clone()),
        }
    }
}

/// What a key is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KvCall {
    /// Get, put (`Write`), cas; a delete is a put of what the key held at
    /// first.
    Register(RegisterCall<Symbol>),
    /// Add this at the end.
    Append(Symbol),
}

impl KvCall {
    /// The same of other values.
    pub(crate) fn map(self, mut value: impl FnMut(Symbol) -> Symbol) -> KvCall {
        match self {
            KvCall::Register(call) => KvCall::Register(call.map(value)),
            KvCall::Append(last) => KvCall::Append(value(last)),
        }
    }
}

impl Kv {
    /// A key that at first holds `initial`; `symbols` names every value in
    /// its history.
    pub fn new(initial: Symbol, symbols: Symbols) -> Self {
        Kv {
            register: Register { initial },
            symbols: Mutex::new(symbols),
        }
    }

    /// The symbols, to name more values.
    pub(crate) fn symbols_mut(&mut self) -> &mut Symbols {
        let symbols = self.symbols.get_mut();
        symbols.unwrap_or_else(PoisonError::into_inner)
    }

    /// What the key holds at first.
    pub(crate) fn value_initial(&self) -> Symbol {
        self.register.initial
    }

    /// What the symbols stand for.
    pub fn symbols(&self) -> MutexGuard<'_, Symbols> {
        self.symbols.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Specification for Kv {
    type State = Symbol;
    type Call = KvCall;
    type Return = RegisterReturn<Symbol>;

    fn initial(&self) -> Symbol {
        self.register.initial
    }

    #[inline]
    fn step(
        &self,
        state: &Symbol,
        call: &KvCall,
        returned: Option<&RegisterReturn<Symbol>>,
    ) -> Option<Symbol> {
        match call {
            KvCall::Register(call) => self.register.step(state, call, returned),
            KvCall::Append(last) => {
                let appended = self.symbols().append(*state, *last);
                match returned {
                    None => Some(appended.unwrap_or(*state)),
                    Some(RegisterReturn::Done) => appended,
                    Some(_) => None,
                }
            }
        }
    }

    #[inline]
    fn effect(&self, call: &KvCall, returned: Option<&RegisterReturn<Symbol>>) -> Effect<Symbol> {
        match call {
            KvCall::Register(call) => self.register.effect(call, returned),
            KvCall::Append(_) => Effect::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use tribunal_histories::Value;

    use super::*;

    fn appended(to: Value, last: Value) -> Option<Value> {
        let mut symbols = Symbols::default();
        let (state, last) = (symbols.name(&to), symbols.name(&last));
        let kv = Kv::new(Symbol::NULL, symbols);
        let after = kv.step(&state, &KvCall::Append(last), Some(&RegisterReturn::Done))?;
        let value = kv.symbols().value(after);
        Some(value)
    }

    fn list(values: &[i64]) -> Value {
        Value::List(values.iter().map(|&value| value.into()).collect())
    }

    #[test]
    fn append_extends_lists_and_texts_and_nothing_else() {
        assert_eq!(appended(Value::Null, 1.into()), Some(list(&[1])));
        assert_eq!(appended(list(&[1, 2]), 3.into()), Some(list(&[1, 2, 3])));
        assert_eq!(appended("ab".into(), "c".into()), Some("abc".into()));
        assert_eq!(appended(Value::Null, "c".into()), Some("c".into()));
        assert_eq!(appended(5.into(), 1.into()), None);
    }
}
