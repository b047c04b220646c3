//! Priority queues of which always the largest is polled, or always the
//! smallest.

use rustc_hash::FxHashMap;
use tribunal_histories::Value;

use super::translation::{Translation, Word};
use super::{Exchange, Monitored};
use crate::linearizability::guard::Guard;
use crate::linearizability::object::About;
use crate::monitors::priority_queue::{self, Operation};
use crate::monitors::{Decided, Interval};
use crate::specification::priority_queue::{
    First, PriorityQueueCall as Call, PriorityQueueReturn as Return,
};
use crate::specification::{PriorityQueue, Specification};

impl Monitored for PriorityQueue {
    fn monitor(
        &self,
        calls: &[Interval<Exchange<'_, Self>>],
        guard: &mut Guard<'_>,
    ) -> Option<Decided> {
        let polls = || {
            calls.iter().filter_map(|call| match call.operation.0 {
                Call::Poll(first) => Some(*first),
                Call::Insert(_) | Call::Peek(_) => None,
            })
        };
        let first = polls().next().unwrap_or(First::Largest);
        if polls().any(|it| it != first) {
            return None;
        }
        let initial = self.initial();
        let inserted = calls.iter().filter_map(|call| match call.operation {
            (Call::Insert(value), _) => Some(value),
            (_, Some(Return::Found(Some(found)))) => Some(found),
            _ => None,
        });
        let mut all: Vec<&Value> = inserted.chain(&initial).collect();
        all.sort_unstable();
        all.dedup();
        let ranked = size_of::<&Value>() + 2 * size_of::<(&Value, u32)>();
        if !guard.holds(all.capacity() * ranked) {
            return None;
        }
        let ranks: FxHashMap<&Value, u32> = all.into_iter().zip(0..).collect();
        let inside: Vec<_> = initial
            .iter()
            .map(|value| Operation::Insert(ranks[value]))
            .collect();
        let translation =
            Translation::new(inside, calls, guard, |&(call, returned), completed| match (
                call, returned,
            ) {
                (Call::Insert(value), _) => Word::Is(Operation::Insert(ranks[value])),
                (Call::Poll(_), Some(Return::Found(found))) => {
                    Word::Is(Operation::Poll(found.as_ref().map(|value| ranks[value])))
                }
                (Call::Poll(_), None) if !completed => Word::Is(Operation::Poll(None)),
                (Call::Peek(_), _) if !completed => Word::Nothing,
                (Call::Poll(_) | Call::Peek(_), _) => Word::None,
            })?;
        let first = match first {
            First::Largest => priority_queue::First::Largest,
            First::Smallest => priority_queue::First::Smallest,
        };
        translation.decide(guard, |intervals, guard| {
            priority_queue::decide_within(intervals, first, guard)
        })
    }

    fn about(&self, call: &Call, returned: Option<&Return>) -> Option<About<Value>> {
        // What it holds at first no call puts in.
        if !self.initial().is_empty() {
            return None;
        }
        Some(match (call, returned) {
            (Call::Insert(element), _) | (_, Some(Return::Found(Some(element)))) => {
                About::Element(element.clone())
            }
            (Call::Poll(_), None) => About::Any,
            _ => About::None,
        })
    }
}
