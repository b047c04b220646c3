//! Queues and stacks, whatever their operations are called: a deque that is
//! only used as one of them is one.

use tribunal_histories::Value;

use super::translation::{Numbers, Translation, Word};
use super::{Exchange, Monitored};
use crate::linearizability::guard::Guard;
use crate::linearizability::object::About;
use crate::monitors::queue::{self, Operation};
use crate::monitors::{Decided, Interval, stack};
use crate::specification::Specification;
use crate::specification::sequence::{
    End, Sequence, SequenceCall as Call, SequenceReturn as Return, Words,
};

impl<W: Words> Monitored for Sequence<W> {
    /// Elements are put in at one end and come out at one: if that is the same,
    /// it is a stack.
    fn monitor(
        &self,
        calls: &[Interval<Exchange<'_, Self>>],
        guard: &mut Guard<'_>,
    ) -> Option<Decided> {
        let mut ends = Ends::default();
        for call in calls {
            ends.see(call.operation.0)?;
        }
        let initial = self.initial();
        let mut numbers = Numbers::default();
        // What is put in last was put in last.
        let mut inside: Vec<_> = initial
            .iter()
            .map(|value| Operation::Enqueue(numbers.number(value)))
            .collect();
        if ends.puts == Some(End::Front) {
            inside.reverse();
        }
        let translation =
            Translation::new(inside, calls, guard, |&(call, returned), completed| match (
                call, returned,
            ) {
                (Call::Put(_, value), _) => Word::Is(Operation::Enqueue(numbers.number(value))),
                (Call::Look(_), _) if !completed => Word::Nothing,
                (Call::Take(_), None) if !completed => Word::Is(Operation::Dequeue(None)),
                (Call::Take(_) | Call::Look(_), None | Some(Return::Done)) => Word::None,
                (_, Some(Return::Found(found))) => {
                    let found = found.as_ref().map(|value| numbers.number(value));
                    Word::Is(match call {
                        Call::Look(_) => Operation::Peek(found),
                        Call::Put(..) | Call::Take(_) => Operation::Dequeue(found),
                    })
                }
            })?;
        match ends.puts.unwrap_or(End::Back) == ends.comes_out.unwrap_or(End::Front) {
            true => translation.decide(guard, as_stack),
            false => translation.decide(guard, queue::decide_within),
        }
    }

    fn about(&self, call: &Call, returned: Option<&Return>) -> Option<About<Value>> {
        // What it holds at first no call puts in.
        if !self.initial().is_empty() {
            return None;
        }
        Some(match (call, returned) {
            (Call::Put(_, element), _) | (_, Some(Return::Found(Some(element)))) => {
                About::Element(element.clone())
            }
            (Call::Take(_), None) => About::Any,
            _ => About::None,
        })
    }
}

/// At which ends a sequence is used.
#[derive(Default)]
struct Ends {
    puts: Option<End>,
    comes_out: Option<End>,
}

impl Ends {
    /// None if elements are put in, or come out, at both.
    fn see(&mut self, call: &Call) -> Option<()> {
        let (end, known) = match call {
            Call::Put(end, _) => (*end, &mut self.puts),
            Call::Take(end) | Call::Look(end) => (*end, &mut self.comes_out),
        };
        (*known.get_or_insert(end) == end).then_some(())
    }
}

/// The same history of a stack; its monitor knows no peeks.
fn as_stack(intervals: &[Interval<Operation>], guard: &mut Guard<'_>) -> Option<Decided> {
    let on_stack = |interval: &Interval<Operation>| {
        Some(Interval {
            operation: match interval.operation {
                Operation::Enqueue(value) => stack::Operation::Push(value),
                Operation::Dequeue(found) => stack::Operation::Pop(found),
                Operation::Peek(_) => return None,
            },
            invoked: interval.invoked,
            completed: interval.completed,
        })
    };
    if !guard.holds(size_of_val(intervals)) {
        return None;
    }
    let intervals: Option<Vec<_>> = intervals.iter().map(on_stack).collect();
    let intervals = intervals?;
    stack::decide_within(&intervals, guard)
}
