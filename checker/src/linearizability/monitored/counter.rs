//! Counters: decided if adds do not tell what they led to, else held against bounds.

use super::translation::{Translation, Word};
use super::{Exchange, Monitored, out_of_bounds};
use crate::linearizability::anywhere::Anywhere;
use crate::linearizability::guard::Guard;
use crate::monitors::counter::{self, Operation};
use crate::monitors::{Decided, Interval, bounds};
use crate::specification::counter::{CounterCall as Call, CounterReturn as Return};
use crate::specification::{Counter, Specification};

impl Monitored for Counter {
    // What is added to any number can be any number.
    const ANYWHERE: Anywhere = Anywhere::Exactly;

    fn monitor(
        &self,
        calls: &[Interval<Exchange<'_, Self>>],
        guard: &mut Guard<'_>,
    ) -> Option<Decided> {
        let decided = self.decide(calls, guard);
        decided.or_else(|| out_of_bounds(self, calls, guard))
    }

    fn counts_from(&self) -> Option<i128> {
        Some(self.initial())
    }

    fn counted(
        &self,
        call: &Call,
        returned: Option<&Return>,
        _completes: bool,
    ) -> Option<bounds::Operation> {
        Some(bounds::Operation {
            adds: call.delta(),
            leaves: match returned {
                Some(Return::Value(value)) => Some(*value),
                Some(Return::Done) | None => None,
            },
        })
    }
}

impl Counter {
    /// Decides what adds equal numbers and tells nothing of it.
    fn decide(
        &self,
        calls: &[Interval<Exchange<'_, Self>>],
        guard: &mut Guard<'_>,
    ) -> Option<Decided> {
        let initial = i64::try_from(self.initial()).ok()?;
        let translation =
            Translation::new([], calls, guard, |&(call, returned), completed| {
                match (call, returned) {
                    (Call::Add { delta, .. }, None | Some(Return::Done)) => {
                        Word::Is(Operation::Add(*delta))
                    }
                    (Call::Read, Some(Return::Value(value))) => i64::try_from(*value)
                        .map_or(Word::None, |seen| Word::Is(Operation::Read(seen))),
                    (Call::Read, None) if !completed => Word::Nothing,
                    (Call::Add { .. } | Call::Read, _) => Word::None,
                }
            })?;
        translation.decide(guard, |intervals, guard| {
            counter::decide_within(intervals, initial, guard)
        })
    }
}
