//! Locks: one without owners, and one that is its holder's.
//!
//! | operation | argument | answer |
//! |---|---|---|
//! | `acquire` | null | null or true: it is held now; false: it was held before |
//! | `release` | null | null or true: it is free now; false: it was not held, or by somebody else |
//!
//! An acquire waits or is refused; what waits is open. At first the lock is
//! free: null, or false for [`Mutex`]. It may be held: true for [`Mutex`], the
//! process that holds it for [`OwnedMutex`].
//!
//! [`Mutex`] is Knossos' `mutex`: whoever releases it, it is free. Of
//! [`OwnedMutex`] the holder is the process, and only the holder may release
//! it; it is not reentrant. A process whose acquire ended as `info` holds the
//! lock for good if it holds it, since it does nothing any more.

use tribunal_histories::Value;

use super::reading::{done_or_refused, natural, number, unknown};
use super::{Asked, Effect, Recorded, Specification};

/// A lock without owners; see the module.
#[derive(Clone, Copy, Debug)]
pub struct Mutex {
    /// Whether it is held at first.
    initial: bool,
}

/// A lock that only its holder may release; see the module.
#[derive(Clone, Copy, Debug)]
pub struct OwnedMutex {
    /// Who holds it at first.
    initial: Option<u64>,
}

/// What a lock is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MutexCall {
    /// Let this process hold it.
    Acquire(u64),
    /// Let this process no longer hold it.
    Release(u64),
}

/// What a lock answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MutexReturn {
    /// It was done.
    Done,
    /// That cannot be, and nothing changed.
    Refused,
}

/// What a lock does that is `from` to where it is `to`.
fn change<T: Copy + PartialEq>(
    (from, to): (T, T),
    state: T,
    returned: Option<&MutexReturn>,
) -> Option<T> {
    match (from == state, returned) {
        (true, None | Some(MutexReturn::Done)) => Some(to),
        (false, None | Some(MutexReturn::Refused)) => Some(state),
        (true, Some(MutexReturn::Refused)) | (false, Some(MutexReturn::Done)) => None,
    }
}

impl MutexCall {
    /// What a lock without owners must be, and is then.
    fn held(self) -> (bool, bool) {
        match self {
            MutexCall::Acquire(_) => (false, true),
            MutexCall::Release(_) => (true, false),
        }
    }

    /// Who must hold a lock, and does then.
    fn holder(self) -> (Option<u64>, Option<u64>) {
        match self {
            MutexCall::Acquire(process) => (None, Some(process)),
            MutexCall::Release(process) => (Some(process), None),
        }
    }

    fn of(asked: Asked<'_>) -> Result<Self, String> {
        let call = match asked.f {
            "acquire" => MutexCall::Acquire(asked.process),
            "release" => MutexCall::Release(asked.process),
            _ => return Err(unknown(asked, FUNCTIONS)),
        };
        Ok(call)
    }
}

const FUNCTIONS: &[&str] = &["acquire", "release"];

fn answer(value: &Value) -> Result<Option<MutexReturn>, String> {
    Ok(Some(match done_or_refused(value, &Value::Null)? {
        true => MutexReturn::Done,
        false => MutexReturn::Refused,
    }))
}

impl Specification for Mutex {
    type State = bool;
    type Call = MutexCall;
    type Return = MutexReturn;

    fn initial(&self) -> bool {
        self.initial
    }

    fn step(&self, state: &bool, call: &MutexCall, returned: Option<&MutexReturn>) -> Option<bool> {
        change(call.held(), *state, returned)
    }

    fn effect(&self, call: &MutexCall, returned: Option<&MutexReturn>) -> Effect<bool> {
        let (from, to) = call.held();
        match returned {
            None | Some(MutexReturn::Done) => Effect::Change { from, to },
            // It is refused exactly where it is already done.
            Some(MutexReturn::Refused) => Effect::Observe(Some(to)),
        }
    }
}

impl Recorded for Mutex {
    const FUNCTIONS: &'static [&'static str] = FUNCTIONS;

    fn holding(initial: &Value) -> Result<Self, String> {
        match initial {
            Value::Null => Ok(Mutex { initial: false }),
            Value::Bool(held) => Ok(Mutex { initial: *held }),
            _ => Err(format!("true if it is held at first, found {initial}")),
        }
    }

    /// Who asks does not matter, and is left out: equal calls are judged as
    /// equal.
    fn call(&self, asked: Asked<'_>) -> Result<MutexCall, String> {
        MutexCall::of(Asked {
            process: 0,
            ..asked
        })
    }

    fn returned(&self, _: &MutexCall, value: &Value) -> Result<Option<MutexReturn>, String> {
        answer(value)
    }

    fn refused(&self, _: &MutexCall) -> Option<MutexReturn> {
        Some(MutexReturn::Refused)
    }

    fn show(&self, state: &bool) -> Value {
        Value::Bool(*state)
    }
}

impl Specification for OwnedMutex {
    type State = Option<u64>;
    type Call = MutexCall;
    type Return = MutexReturn;

    fn initial(&self) -> Option<u64> {
        self.initial
    }

    fn step(
        &self,
        state: &Option<u64>,
        call: &MutexCall,
        returned: Option<&MutexReturn>,
    ) -> Option<Option<u64>> {
        change(call.holder(), *state, returned)
    }

    fn effect(&self, call: &MutexCall, returned: Option<&MutexReturn>) -> Effect<Option<u64>> {
        let (from, to) = call.holder();
        match returned {
            None | Some(MutexReturn::Done) => Effect::Change { from, to },
            Some(MutexReturn::Refused) => Effect::Avoid(from),
        }
    }
}

impl Recorded for OwnedMutex {
    const FUNCTIONS: &'static [&'static str] = FUNCTIONS;

    fn holding(initial: &Value) -> Result<Self, String> {
        let initial = match initial {
            Value::Null => None,
            _ => Some(natural(initial, "the process that holds it at first")?),
        };
        Ok(OwnedMutex { initial })
    }

    fn call(&self, asked: Asked<'_>) -> Result<MutexCall, String> {
        MutexCall::of(asked)
    }

    fn returned(&self, _: &MutexCall, value: &Value) -> Result<Option<MutexReturn>, String> {
        answer(value)
    }

    fn refused(&self, _: &MutexCall) -> Option<MutexReturn> {
        Some(MutexReturn::Refused)
    }

    fn show(&self, state: &Option<u64>) -> Value {
        state.map_or(Value::Null, |process| number(process.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specification::laws::{cannot_hold, check, judge, refusals};

    #[test]
    fn a_mutex_keeps_the_laws() {
        let calls = [
            (1, "acquire", "null", "[null,true,false]"),
            (1, "release", "null", "[null,false]"),
            (2, "acquire", "null", "[null]"),
            (2, "release", "null", "[null,false]"),
        ];
        check::<Mutex>(&["null", "false", "true"], &calls);
        check::<OwnedMutex>(&["null", "1", "3"], &calls);
    }

    const TWICE: &str = "0 acquire null -> null\n1 acquire null -> null";
    const HANDED_ON: &str = "0 acquire null -> null\n1 release null -> null";

    #[test]
    fn a_mutex_is_held_once() {
        assert!(!judge::<Mutex>("null", TWICE));
        assert!(judge::<Mutex>("null", HANDED_ON));
        assert!(!judge::<Mutex>("null", "0 release null -> null"));
        let waited = "
            0 acquire null -> null
            1 invoke acquire null
            0 release null -> null
            1 ok acquire null";
        assert!(judge::<Mutex>("null", waited));
        assert!(!judge::<Mutex>("true", waited));
    }

    #[test]
    fn an_owned_mutex_is_released_by_its_holder() {
        assert!(!judge::<OwnedMutex>("null", TWICE));
        assert!(!judge::<OwnedMutex>("null", HANDED_ON));
        let refused = "0 acquire null -> true\n1 release null -> false\n0 release null -> true";
        assert!(judge::<OwnedMutex>("null", refused));
        assert!(judge::<OwnedMutex>("4", "4 release null -> null"));
        assert!(!judge::<OwnedMutex>("4", "5 release null -> null"));
    }

    #[test]
    fn what_is_refused_found_the_lock_so() {
        let refused = "0 acquire null -> null\n1 invoke acquire null\n1 fail acquire null";
        assert!(judge::<Mutex>("null", refused));
        let free = "1 invoke acquire null\n1 fail acquire null";
        assert!(!judge::<Mutex>("null", free));
        assert!(!judge::<OwnedMutex>("null", free));
    }

    #[test]
    fn what_is_no_mutex_is_refused() {
        let said = cannot_hold::<Mutex>("1");
        assert_eq!(said, "true if it is held at first, found 1");
        refusals::<Mutex>(
            &["acquire null -> 7", "lock null"],
            "
            acquire null -> 7: expected false, null or true, found 7
            lock null: expected an operation (acquire, release), found \"lock\"",
        );
    }
}
