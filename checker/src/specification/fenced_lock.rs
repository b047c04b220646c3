//! A lock that gives out growing tokens, so that what it guards can tell a
//! holder from one that only believes to be it.
//!
//! | operation | argument | answer |
//! |---|---|---|
//! | `acquire` | null | the token, a whole number, larger than every one before; `{"fence": token}` is taken as well; false: the lock was held |
//! | `release` | null | null or true: it is free now; false: the process did not hold it |
//!
//! At first it is free and gave out no token above 0: null, or the last token,
//! or `[token, process]` if that process holds it.
//!
//! The holder is the process; a lock is not reentrant, and not lost: see
//! [`super::lease`] for one that is. This is the non-reentrant `FencedLock` of
//! Hazelcast's CP subsystem, as Jepsen's test of Hazelcast models it.
//!
//! # Acquires of unknown outcome
//!
//! Which token one got, no state says: they grow, by no fixed step. Nobody
//! sees it either: its process does nothing more, and so the lock stays held.
//! The last token that is known stays in its place. So a call of unknown
//! outcome allows whatever each of its answers allows, which is what is asked
//! of a specification, though not in one state.

use tribunal_histories::Value;

use super::reading::{done_or_refused, natural, number, unknown, whole};
use super::{Asked, Effect, Recorded, Specification};

/// A lock with tokens; see the module.
#[derive(Clone, Copy, Debug)]
pub struct FencedLock {
    /// What it is at first.
    initial: Fenced,
}

/// What a lock with tokens is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Fenced {
    /// The last token that it gave out, as far as that is known.
    pub token: i128,
    /// The process that holds it.
    pub holder: Option<u64>,
}

/// What a lock with tokens is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FencedCall {
    /// Let this process hold it.
    Acquire(u64),
    /// Let this process no longer hold it.
    Release(u64),
}

/// What a lock with tokens answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FencedReturn {
    /// It is held, with this token.
    Token(i64),
    /// It is free.
    Done,
    /// That cannot be, and nothing changed.
    Refused,
}

impl Specification for FencedLock {
    type State = Fenced;
    type Call = FencedCall;
    type Return = FencedReturn;

    fn initial(&self) -> Fenced {
        self.initial
    }

    fn step(
        &self,
        state: &Fenced,
        call: &FencedCall,
        returned: Option<&FencedReturn>,
    ) -> Option<Fenced> {
        use FencedCall::{Acquire, Release};
        use FencedReturn::{Done, Refused, Token};
        let after = match *call {
            Acquire(process) => state.holder.is_none().then_some(Fenced {
                token: match returned {
                    Some(Token(token)) => i128::from(*token),
                    _ => state.token,
                },
                holder: Some(process),
            }),
            Release(process) => (state.holder == Some(process)).then_some(Fenced {
                holder: None,
                ..*state
            }),
        };
        match (call, returned) {
            (_, None) => Some(after.unwrap_or(*state)),
            (Acquire(_), Some(Token(_))) => after.filter(|after| after.token > state.token),
            (Release(_), Some(Done)) => after,
            (_, Some(Refused)) => after.is_none().then_some(*state),
            (Acquire(_), Some(Done)) | (Release(_), Some(Token(_))) => None,
        }
    }

    fn effect(&self, _: &FencedCall, returned: Option<&FencedReturn>) -> Effect<Fenced> {
        match returned {
            None => Effect::Total,
            Some(FencedReturn::Refused) => Effect::Observe(None),
            Some(FencedReturn::Token(_) | FencedReturn::Done) => Effect::Other,
        }
    }
}

impl Recorded for FencedLock {
    const FUNCTIONS: &'static [&'static str] = &["acquire", "release"];

    fn holding(initial: &Value) -> Result<Self, String> {
        let (token, holder) = token_and_holder(initial)?;
        Ok(FencedLock {
            initial: Fenced { token, holder },
        })
    }

    fn call(&self, asked: Asked<'_>) -> Result<FencedCall, String> {
        match asked.f {
            "acquire" => Ok(FencedCall::Acquire(asked.process)),
            "release" => Ok(FencedCall::Release(asked.process)),
            _ => Err(unknown(asked, Self::FUNCTIONS)),
        }
    }

    fn returned(&self, call: &FencedCall, value: &Value) -> Result<Option<FencedReturn>, String> {
        let expected = "the token, a whole number, or false";
        Ok(Some(match (call, value) {
            (FencedCall::Acquire(_), Value::Bool(false)) => FencedReturn::Refused,
            (FencedCall::Acquire(_), Value::Map(map)) => {
                let token = map.get("fence").unwrap_or(value);
                FencedReturn::Token(whole(token, expected)?)
            }
            (FencedCall::Acquire(_), _) => FencedReturn::Token(whole(value, expected)?),
            (FencedCall::Release(_), _) => match done_or_refused(value, &Value::Null)? {
                true => FencedReturn::Done,
                false => FencedReturn::Refused,
            },
        }))
    }

    fn refused(&self, _: &FencedCall) -> Option<FencedReturn> {
        Some(FencedReturn::Refused)
    }

    fn show(&self, state: &Fenced) -> Value {
        show_token_and_holder(state.token, state.holder)
    }
}

/// What the value says that a lock is at first: its last token, and who holds
/// it.
pub(super) fn token_and_holder(initial: &Value) -> Result<(i128, Option<u64>), String> {
    let expected = "null, the last number given out, or [number, process that holds it] at first";
    Ok(match initial {
        Value::Null => (0, None),
        Value::List(pair) if pair.len() == 2 => (
            whole(&pair[0], expected)?.into(),
            Some(natural(&pair[1], expected)?),
        ),
        _ => (whole(initial, expected)?.into(), None),
    })
}

pub(super) fn show_token_and_holder(token: i128, holder: Option<u64>) -> Value {
    match holder {
        None => number(token),
        Some(process) => Value::List(vec![number(token), number(process.into())]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specification::laws::{cannot_hold, check_covering, judge, refusals};

    #[test]
    fn a_fenced_lock_keeps_the_laws() {
        check_covering::<FencedLock>(
            &["null", "5", "[5,1]"],
            &[
                (1, "acquire", "null", "[1,2,5,7,{\"fence\":8},false]"),
                (1, "release", "null", "[null,false]"),
                (2, "acquire", "null", "[1,3,6,false]"),
                (2, "release", "null", "[true,false]"),
            ],
            3,
        );
    }

    #[test]
    fn tokens_grow() {
        let held = "
            0 acquire null -> 5
            0 release null -> null
            1 acquire null -> ";
        assert!(judge::<FencedLock>("null", &format!("{held}6")));
        assert!(!judge::<FencedLock>("null", &format!("{held}5")));
        assert!(!judge::<FencedLock>("null", &format!("{held}4")));
    }

    #[test]
    fn an_open_acquire_may_hold_the_lock_for_good() {
        let refused = "
            0 acquire null -> 5
            0 release null -> null
            1 invoke acquire null
            2 acquire null -> ";
        assert!(judge::<FencedLock>("null", &format!("{refused}false")));
        assert!(judge::<FencedLock>("null", &format!("{refused}6")));
        let seen = "1 invoke acquire null\n2 acquire null -> false\n2 acquire null -> 9";
        assert!(!judge::<FencedLock>("null", seen));
    }

    #[test]
    fn only_the_holder_releases() {
        let released = "1 acquire null -> 1\n2 release null -> ";
        assert!(judge::<FencedLock>("null", &format!("{released}false")));
        assert!(!judge::<FencedLock>("null", &format!("{released}null")));
        assert!(!judge::<FencedLock>(
            "null",
            "1 acquire null -> 1\n1 acquire null -> 2"
        ));
    }

    #[test]
    fn what_is_no_fenced_lock_is_refused() {
        assert_eq!(
            cannot_hold::<FencedLock>("[1,\"x\"]"),
            "null, the last number given out, or [number, process that holds it] at first, \
             found \"x\""
        );
        refusals::<FencedLock>(
            &[
                "acquire null -> null",
                "acquire null -> {\"a\":1}",
                "release null -> 3",
            ],
            "
            acquire null -> null: expected the token, a whole number, or false, found null
            acquire null -> {\"a\":1}: expected the token, a whole number, or false, found {\"a\":1}
            release null -> 3: expected false, null or true, found 3",
        );
    }
}
