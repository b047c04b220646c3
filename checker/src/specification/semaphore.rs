//! A semaphore: a number of permits that are taken and given back.
//!
//! | operation | argument | answer |
//! |---|---|---|
//! | `acquire` | null for 1, or how many | null, true, or how many again: they were taken; false: there were too few |
//! | `release` | null for 1, or how many | null, true, or how many again: they were given back |
//!
//! At first there are as many permits as the header's initial value says, which
//! must be there: how many there are is what is judged.
//!
//! Nobody owns a permit: anybody may give back any number, and there may be
//! more than at first, as with Java's `Semaphore` and Hazelcast's session-less
//! one. An acquire waits or is refused; what waits is open.

use tribunal_histories::Value;

use super::reading::{done, done_or_refused, natural, number, unknown};
use super::{Asked, Effect, Recorded, Specification};

/// A semaphore; see the module.
#[derive(Clone, Debug)]
pub struct Semaphore {
    /// How many permits there are at first.
    initial: i128,
}

/// What a semaphore is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SemaphoreCall {
    /// Give so many permits.
    Acquire(u64),
    /// Take so many back.
    Release(u64),
}

/// What a semaphore answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SemaphoreReturn {
    /// It was done.
    Done,
    /// There were too few permits, and it gave none.
    TooFew,
}

impl Specification for Semaphore {
    type State = i128;
    type Call = SemaphoreCall;
    type Return = SemaphoreReturn;

    fn initial(&self) -> i128 {
        self.initial
    }

    fn step(
        &self,
        state: &i128,
        call: &SemaphoreCall,
        returned: Option<&SemaphoreReturn>,
    ) -> Option<i128> {
        let after = match call {
            SemaphoreCall::Acquire(permits) => {
                Some(state - i128::from(*permits)).filter(|left| *left >= 0)
            }
            SemaphoreCall::Release(permits) => Some(state + i128::from(*permits)),
        };
        match returned {
            None => Some(after.unwrap_or(*state)),
            Some(SemaphoreReturn::Done) => after,
            Some(SemaphoreReturn::TooFew) => after.is_none().then_some(*state),
        }
    }

    fn effect(&self, call: &SemaphoreCall, returned: Option<&SemaphoreReturn>) -> Effect<i128> {
        use SemaphoreCall::{Acquire, Release};
        use SemaphoreReturn::{Done, TooFew};
        match (call, returned) {
            (Acquire(1), Some(TooFew)) => Effect::Observe(Some(0)),
            (Acquire(0) | Release(0), None | Some(Done)) | (Acquire(_), Some(TooFew)) => {
                Effect::Observe(None)
            }
            (Acquire(_), None) | (Release(_), None | Some(Done)) => Effect::Total,
            (Acquire(_), Some(Done)) | (Release(_), Some(TooFew)) => Effect::Other,
        }
    }
}

impl Recorded for Semaphore {
    const FUNCTIONS: &'static [&'static str] = &["acquire", "release"];

    fn holding(initial: &Value) -> Result<Self, String> {
        let expected = "how many permits there are at first, a whole number not below 0";
        let initial = natural(initial, expected)?.into();
        Ok(Semaphore { initial })
    }

    fn call(&self, asked: Asked<'_>) -> Result<SemaphoreCall, String> {
        let permits = || match asked.argument {
            Value::Null => Ok(1),
            _ => natural(
                asked.argument,
                "how many permits, null or a whole number not below 0",
            ),
        };
        Ok(match asked.f {
            "acquire" => SemaphoreCall::Acquire(permits()?),
            "release" => SemaphoreCall::Release(permits()?),
            _ => return Err(unknown(asked, Self::FUNCTIONS)),
        })
    }

    fn returned(
        &self,
        call: &SemaphoreCall,
        value: &Value,
    ) -> Result<Option<SemaphoreReturn>, String> {
        let asked = |permits: u64| number(i128::from(permits));
        Ok(Some(match *call {
            SemaphoreCall::Acquire(permits) if !done_or_refused(value, &asked(permits))? => {
                SemaphoreReturn::TooFew
            }
            SemaphoreCall::Acquire(_) => SemaphoreReturn::Done,
            SemaphoreCall::Release(permits) => {
                done(value, &asked(permits))?;
                SemaphoreReturn::Done
            }
        }))
    }

    fn refused(&self, call: &SemaphoreCall) -> Option<SemaphoreReturn> {
        matches!(call, SemaphoreCall::Acquire(_)).then_some(SemaphoreReturn::TooFew)
    }

    fn show(&self, state: &i128) -> Value {
        number(*state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specification::laws::{cannot_hold, check, judge, refusals};

    #[test]
    fn a_semaphore_keeps_the_laws() {
        check::<Semaphore>(
            &["2", "0", "3"],
            &[
                (0, "acquire", "null", "[null,true,1,false]"),
                (0, "acquire", "2", "[2,false]"),
                (0, "acquire", "0", "[null]"),
                (0, "release", "null", "[null]"),
                (0, "release", "3", "[3]"),
            ],
        );
    }

    #[test]
    fn no_more_permits_are_out_than_there_are() {
        let taken = "0 acquire null -> null\n1 acquire null -> ";
        assert!(judge::<Semaphore>("2", &format!("{taken}null")));
        assert!(!judge::<Semaphore>("1", &format!("{taken}null")));
        assert!(judge::<Semaphore>("1", &format!("{taken}false")));
        assert!(!judge::<Semaphore>("2", &format!("{taken}false")));
        let back = "0 acquire 2 -> 2\n1 invoke acquire 1\n0 release 1 -> null\n1 ok acquire 1";
        assert!(judge::<Semaphore>("2", back));
    }

    #[test]
    fn what_is_no_semaphore_is_refused() {
        let expected = "how many permits there are at first, a whole number not below 0";
        for initial in ["null", "-1"] {
            let refused = cannot_hold::<Semaphore>(initial);
            assert_eq!(refused, format!("{expected}, found {initial}"));
        }
        refusals::<Semaphore>(
            &["acquire -1", "acquire 1 -> 2", "release 1 -> false"],
            "
            acquire -1: expected how many permits, null or a whole number not below 0, found -1
            acquire 1 -> 2: expected false, null, true or 1, found 2
            release 1 -> false: expected null, true or 1, found false",
        );
    }
}
