//! Logs whose appends do not tell where the entry is.

use super::translation::{Numbers, Translation, Word};
use super::{Exchange, Monitored};
use crate::bytes;
use crate::linearizability::guard::Guard;
use crate::monitors::log::{self, Operation};
use crate::monitors::{Decided, Interval};
use crate::specification::log::{LogCall as Call, LogReturn as Return};
use crate::specification::{Log, Specification};

impl Monitored for Log {
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
                (Call::Read, Some(Return::All(all))) => {
                    let all: Vec<u32> = all.iter().map(|value| numbers.number(value)).collect();
                    let bytes = bytes::allocated(size_of_val(&all[..]));
                    Word::Long(Operation::Read(all), bytes)
                }
                (Call::Read, None) if !completed => Word::Nothing,
                (Call::Append(_) | Call::Read, _) => Word::None,
            })?;
        translation.decide(guard, log::decide_within)
    }
}
