//! A register: read, write, and cas (compare and set).

use std::fmt::Debug;
use std::hash::Hash;

use super::{Effect, Specification};

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
            (Read, _) | (Cas { .. }, Some(Mismatch)) => Effect::Observe(None),
            (Write(value), None | Some(Done)) => Effect::Replace(value.clone()),
            (Cas { from, to }, None | Some(Done)) => Effect::Change {
                from: from.clone(),
                to: to.clone(),
            },
            (Write(_), Some(Value(_) | Mismatch)) | (Cas { .. }, Some(Value(_))) => Effect::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
