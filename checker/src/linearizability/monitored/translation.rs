//! Calls in a monitor's words, and its answer in those of the calls.

use rustc_hash::FxHashMap;
use tribunal_histories::Value;

use crate::bytes;
use crate::linearizability::guard::Guard;
use crate::monitors::{Decided, Interval};

/// So many bytes the number of its value takes beside each interval, about.
const NUMBER: usize = size_of::<(&Value, u32)>() * 3 / 2;

/// What a call is to a monitor.
pub(super) enum Word<O> {
    /// This operation.
    Is(O),
    /// This operation, which holds so many bytes beside itself.
    Long(O, usize),
    /// It does nothing and says nothing, and need not be in the order.
    Nothing,
    /// There is no word for it.
    None,
}

/// A history in a monitor's words.
pub(super) struct Translation<O> {
    intervals: Vec<Interval<O>>,
    /// Which call each interval is; none for what was there before all calls.
    whose: Vec<Option<u32>>,
}

impl<O> Translation<O> {
    /// Calls of an object that at first holds what these operations leave, one
    /// after the other; none if a monitor has no word for one of the calls.
    /// `word` is told whether a call has completed. None as well if `guard` does not
    /// allow more.
    pub(super) fn new<C>(
        initial: impl IntoIterator<Item = O>,
        calls: &[Interval<C>],
        guard: &mut Guard<'_>,
        mut word: impl FnMut(&C, bool) -> Word<O>,
    ) -> Option<Self> {
        let before = (0_u32..).step_by(2).zip(initial);
        let before = before.map(|(place, operation)| Interval {
            operation,
            invoked: place,
            completed: Some(place + 1),
        });
        let mut intervals: Vec<Interval<O>> = before.collect();
        let mut whose = vec![None; intervals.len()];
        let before = 2 * intervals.len() as u32;
        let later = |place: u32| place.checked_add(before);
        let each = size_of::<Interval<O>>() + size_of::<Option<u32>>() + NUMBER;
        if !guard.holds(calls.len() * each) {
            return None;
        }
        intervals.reserve_exact(calls.len());
        whose.reserve_exact(calls.len());
        let mut beside = 0;
        for (number, call) in (0..).zip(calls) {
            let (operation, more) = match word(&call.operation, call.completed.is_some()) {
                Word::Is(operation) => (operation, 0),
                Word::Long(operation, bytes) => (operation, bytes),
                Word::Nothing if call.completed.is_none() => continue,
                Word::Nothing | Word::None => return None,
            };
            beside += more;
            if !guard.allows(|| beside) {
                return None;
            }
            intervals.push(Interval {
                operation,
                invoked: later(call.invoked)?,
                completed: match call.completed {
                    Some(place) => Some(later(place)?),
                    None => None,
                },
            });
            whose.push(Some(number));
        }
        if !guard.holds(beside) {
            return None;
        }
        Some(Translation { intervals, whose })
    }

    /// What a monitor says of the calls.
    pub(super) fn decide(
        &self,
        guard: &mut Guard<'_>,
        monitor: impl FnOnce(&[Interval<O>], &mut Guard<'_>) -> Option<Decided>,
    ) -> Option<Decided> {
        let calls = |operations: Vec<u32>| {
            let calls = operations.into_iter();
            calls
                .filter_map(|operation| self.whose[operation as usize])
                .collect()
        };
        Some(match monitor(&self.intervals, guard)? {
            Decided::Refuted { blame } => Decided::Refuted {
                blame: calls(blame),
            },
            Decided::Order(order) => Decided::Order(calls(order)),
        })
    }
}

/// Gives values numbers, in the order in which they come.
#[derive(Default)]
pub(super) struct Numbers<'a>(FxHashMap<&'a Value, u32>);

impl<'a> Numbers<'a> {
    pub(super) fn number(&mut self, value: &'a Value) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry(value).or_insert(next)
    }

    /// The numbers of what is listed, and how many bytes they take.
    pub(super) fn list(&mut self, values: &'a [Value]) -> (Vec<u32>, usize) {
        let numbers: Vec<u32> = values.iter().map(|value| self.number(value)).collect();
        let bytes = bytes::allocated(size_of_val(&numbers[..]));
        (numbers, bytes)
    }
}
