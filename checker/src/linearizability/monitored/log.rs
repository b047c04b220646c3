//! Logs, all of them.

use tribunal_histories::Value;

use super::translation::{Numbers, Translation, Word};
use super::{Exchange, Monitored, only};
use crate::linearizability::anywhere::Anywhere;
use crate::linearizability::guard::Guard;
use crate::linearizability::object::About;
use crate::monitors::log::{self, Operation};
use crate::monitors::{Decided, Interval};
use crate::specification::log::{LogCall as Call, LogReturn as Return};
use crate::specification::{Log, Specification};

impl Monitored for Log {
    const SEEN_WHOLE: bool = true;
    // What is said of a few entries is mostly enough.
    const ANYWHERE: Anywhere = Anywhere::AtLast;

    fn monitor(
        &self,
        calls: &[Interval<Exchange<'_, Self>>],
        guard: &mut Guard<'_>,
    ) -> Option<Decided> {
        let initial = self.initial();
        let mut numbers = Numbers::default();
        let inside: Vec<_> = initial
            .iter()
            .map(|value| Operation::Append(numbers.number(value)))
            .collect();
        let translation =
            Translation::new(inside, calls, guard, |&(call, returned), completed| match (
                call, returned,
            ) {
                (Call::Append(value), None | Some(Return::Done)) => {
                    Word::Is(Operation::Append(numbers.number(value)))
                }
                (Call::Append(value), Some(Return::At(index))) => match usize::try_from(*index) {
                    Ok(index) => Word::Is(Operation::AppendAt {
                        value: numbers.number(value),
                        index,
                    }),
                    Err(_) => Word::None,
                },
                (Call::Read, Some(Return::All(all))) => {
                    let (all, bytes) = numbers.list(all);
                    Word::Long(Operation::Read(all), bytes)
                }
                (Call::Read, None) if !completed => Word::Nothing,
                (Call::Append(_) | Call::Read, _) => Word::None,
            })?;
        translation.decide(guard, log::decide_within)
    }

    fn may_become(&self, from: &Vec<Value>, to: &Vec<Value>) -> bool {
        from.len() < to.len() && to.starts_with(from)
    }

    fn about(&self, call: &Call, returned: Option<&Return>) -> Option<About<Value>> {
        // What it holds at first no call puts in.
        if !self.initial().is_empty() {
            return None;
        }
        Some(match (call, returned) {
            (Call::Append(entry), _) => About::Element(entry.clone()),
            (Call::Read, Some(Return::All(all))) => About::Listed(all.clone()),
            (Call::Read, _) => About::Whole,
        })
    }

    /// Where an entry is depends on all before.
    fn of_elements(&self, returned: &Return, keeps: &dyn Fn(usize) -> bool) -> Return {
        match returned {
            Return::Done | Return::At(_) => Return::Done,
            Return::All(all) => Return::All(only(all, keeps)),
        }
    }
}
