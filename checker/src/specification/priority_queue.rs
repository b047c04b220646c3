//! A priority queue: the largest element goes first.
//!
//! | operation | argument | answer |
//! |---|---|---|
//! | `insert` | the element, not null | null, true, or the element again: it is in |
//! | `poll` | null | the largest element, which is gone; null if there was none |
//! | `peek` | null | the largest element; null if there is none |
//! | `poll-min`, `peek-min` | null | the same of the smallest |
//!
//! Numbers are ordered by size, texts by their bytes, lists by their first
//! elements that differ: `[priority, name]` is an element. Equal elements may
//! be in many times.
//!
//! At first it holds nothing, or the elements of a list.
//!
//! `insert`, `poll` and `peek` are those of PolyLin's histories, where the
//! largest goes first as well; Java's `PriorityQueue` and most heaps give out
//! the smallest, which is `poll-min`.

use tribunal_histories::Value;

use super::reading::{done, element, known, list, unknown};
use super::{Asked, Effect, Recorded, Specification};
use crate::bytes;

/// A priority queue; see the module.
#[derive(Clone, Debug)]
pub struct PriorityQueue {
    /// What it holds at first, in order.
    initial: Vec<Value>,
}

/// What a priority queue is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PriorityQueueCall {
    /// Hold this.
    Insert(Value),
    /// Give up the first.
    Poll(First),
    /// Tell the first.
    Peek(First),
}

/// Which element is first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum First {
    /// The largest.
    Largest,
    /// The smallest.
    Smallest,
}

/// What a priority queue answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PriorityQueueReturn {
    /// It holds the element.
    Done,
    /// What was first, if anything was.
    Found(Option<Value>),
}

impl Specification for PriorityQueue {
    type State = Vec<Value>;
    type Call = PriorityQueueCall;
    type Return = PriorityQueueReturn;

    fn initial(&self) -> Vec<Value> {
        self.initial.clone()
    }

    fn step(
        &self,
        state: &Vec<Value>,
        call: &PriorityQueueCall,
        returned: Option<&PriorityQueueReturn>,
    ) -> Option<Vec<Value>> {
        self.advance(state.clone(), call, returned)
    }

    fn advance(
        &self,
        mut after: Vec<Value>,
        call: &PriorityQueueCall,
        returned: Option<&PriorityQueueReturn>,
    ) -> Option<Vec<Value>> {
        use PriorityQueueCall::{Insert, Peek, Poll};
        use PriorityQueueReturn::{Done, Found};
        match (call, returned) {
            (Insert(element), None | Some(Done)) => {
                let place = after.partition_point(|it| it < element);
                after.insert(place, element.clone());
                Some(after)
            }
            (Poll(first), None | Some(Found(_))) => {
                let polled = match first {
                    First::Largest => after.pop(),
                    First::Smallest => (!after.is_empty()).then(|| after.remove(0)),
                };
                let told = returned.is_none_or(|it| *it == Found(polled));
                told.then_some(after)
            }
            (Peek(_), None) => Some(after),
            (Peek(first), Some(Found(found))) => {
                let there = match first {
                    First::Largest => after.last(),
                    First::Smallest => after.first(),
                };
                (there == found.as_ref()).then_some(after)
            }
            (Insert(_), Some(Found(_))) | (Poll(_) | Peek(_), Some(Done)) => None,
        }
    }

    fn heap(&self, state: &Vec<Value>) -> usize {
        bytes::values(state)
    }

    fn effect(
        &self,
        call: &PriorityQueueCall,
        returned: Option<&PriorityQueueReturn>,
    ) -> Effect<Vec<Value>> {
        use PriorityQueueCall::{Insert, Peek, Poll};
        use PriorityQueueReturn::{Done, Found};
        match (call, returned) {
            (Insert(_), None | Some(Done)) | (Poll(_), None) => Effect::Total,
            (Poll(_) | Peek(_), Some(Found(None))) => Effect::Observe(Some(Vec::new())),
            (Peek(_), None | Some(Found(Some(_)))) => Effect::Observe(None),
            (Poll(_), Some(Found(Some(_))))
            | (Insert(_), Some(Found(_)))
            | (Poll(_) | Peek(_), Some(Done)) => Effect::Other,
        }
    }
}

impl Recorded for PriorityQueue {
    const FUNCTIONS: &'static [&'static str] = &["insert", "poll", "peek", "poll-min", "peek-min"];

    fn holding(initial: &Value) -> Result<Self, String> {
        let elements = list(initial)?.iter().map(element);
        let mut initial = elements.collect::<Result<Vec<Value>, String>>()?;
        initial.sort_unstable();
        Ok(PriorityQueue { initial })
    }

    fn call(&self, asked: Asked<'_>) -> Result<PriorityQueueCall, String> {
        Ok(match asked.f {
            "insert" => PriorityQueueCall::Insert(element(asked.argument)?),
            "poll" => PriorityQueueCall::Poll(First::Largest),
            "peek" => PriorityQueueCall::Peek(First::Largest),
            "poll-min" => PriorityQueueCall::Poll(First::Smallest),
            "peek-min" => PriorityQueueCall::Peek(First::Smallest),
            _ => return Err(unknown(asked, Self::FUNCTIONS)),
        })
    }

    fn returned(
        &self,
        call: &PriorityQueueCall,
        value: &Value,
    ) -> Result<Option<PriorityQueueReturn>, String> {
        Ok(Some(match call {
            PriorityQueueCall::Insert(element) => {
                done(value, element)?;
                PriorityQueueReturn::Done
            }
            PriorityQueueCall::Poll(_) | PriorityQueueCall::Peek(_) => PriorityQueueReturn::Found(
                Some(value.clone()).filter(|value| *value != Value::Null),
            ),
        }))
    }

    fn returned_or_unknown(
        &self,
        call: &PriorityQueueCall,
        value: &Value,
    ) -> Result<Option<PriorityQueueReturn>, String> {
        if matches!(
            call,
            PriorityQueueCall::Poll(_) | PriorityQueueCall::Peek(_)
        ) {
            known(value)?;
        }
        self.returned(call, value)
    }

    fn show(&self, state: &Vec<Value>) -> Value {
        Value::List(state.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specification::laws::{check, judge, refusals};

    #[test]
    fn a_priority_queue_keeps_the_laws() {
        check::<PriorityQueue>(
            &["null", "[1,2]"],
            &[
                (0, "insert", "1", "[null,1]"),
                (0, "insert", "2", "[true]"),
                (0, "poll", "null", "[null,1,2]"),
                (0, "peek", "null", "[null,1,2]"),
                (0, "poll-min", "null", "[null,1,2]"),
                (0, "peek-min", "null", "[null,1,2]"),
            ],
        );
    }

    #[test]
    fn the_largest_goes_first() {
        let held = "
            0 insert 3 -> null
            0 insert 10 -> null
            1 peek null -> 10
            1 poll null -> ";
        assert!(judge::<PriorityQueue>("[5]", &format!("{held}10")));
        assert!(!judge::<PriorityQueue>("[5]", &format!("{held}3")));
        assert!(!judge::<PriorityQueue>("[5]", &format!("{held}5")));
        let smallest = "0 insert 3 -> null\n0 poll-min null -> ";
        assert!(judge::<PriorityQueue>("[5]", &format!("{smallest}3")));
        assert!(!judge::<PriorityQueue>("[5]", &format!("{smallest}5")));
    }

    #[test]
    fn what_is_no_priority_queue_is_refused() {
        refusals::<PriorityQueue>(
            &["insert null", "insert 1 -> 2"],
            "
            insert null: expected an element, found null
            insert 1 -> 2: expected null, true or 1, found 2",
        );
    }
}
