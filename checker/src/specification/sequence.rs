//! Elements in a row, put and taken at its ends: what queues, stacks and
//! deques share.
//!
//! What takes or looks answers null exactly where there was nothing, so no
//! element is null. What puts answers nothing: null, true, or the element
//! again. There is always room.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::marker::PhantomData;

use tribunal_histories::Value;

use super::reading::{done, element, known, list, unknown};
use super::{Asked, Effect, Recorded, Specification};
use crate::bytes;

/// What the operations of a kind of sequence are called.
pub trait Words: Clone + Debug + Send + Sync + 'static {
    /// All there are, and what they do.
    const WORDS: &'static [(&'static str, Does, End)];
    /// Their names, in the same order.
    const FUNCTIONS: &'static [&'static str];
}

/// An end of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// Where the first element is.
    Front,
    /// Where the last element is.
    Back,
}

/// What an operation does at an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Does {
    /// Adds an element.
    Put,
    /// Removes the element that is there, and answers it.
    Take,
    /// Answers the element that is there.
    Look,
}

/// A sequence.
#[derive(Clone, Debug)]
pub struct Sequence<W> {
    /// What it holds at first, from its front.
    initial: VecDeque<Value>,
    words: PhantomData<W>,
}

/// What a sequence is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SequenceCall {
    /// Hold this at an end.
    Put(End, Value),
    /// Give up what is at an end.
    Take(End),
    /// Tell what is at an end.
    Look(End),
}

/// What a sequence answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SequenceReturn {
    /// It holds the element.
    Done,
    /// What was at the end, if anything was.
    Found(Option<Value>),
}

impl<W: Words> Specification for Sequence<W> {
    type State = VecDeque<Value>;
    type Call = SequenceCall;
    type Return = SequenceReturn;

    fn initial(&self) -> VecDeque<Value> {
        self.initial.clone()
    }

    fn step(
        &self,
        state: &VecDeque<Value>,
        call: &SequenceCall,
        returned: Option<&SequenceReturn>,
    ) -> Option<VecDeque<Value>> {
        self.advance(state.clone(), call, returned)
    }

    fn advance(
        &self,
        mut after: VecDeque<Value>,
        call: &SequenceCall,
        returned: Option<&SequenceReturn>,
    ) -> Option<VecDeque<Value>> {
        use SequenceCall::{Look, Put, Take};
        use SequenceReturn::{Done, Found};
        match (call, returned) {
            (Put(end, element), None | Some(Done)) => {
                match end {
                    End::Front => after.push_front(element.clone()),
                    End::Back => after.push_back(element.clone()),
                }
                Some(after)
            }
            (Take(end), None | Some(Found(_))) => {
                let taken = match end {
                    End::Front => after.pop_front(),
                    End::Back => after.pop_back(),
                };
                let told = returned.is_none_or(|it| *it == Found(taken));
                told.then_some(after)
            }
            (Look(_), None) => Some(after),
            (Look(end), Some(Found(found))) => {
                let there = match end {
                    End::Front => after.front(),
                    End::Back => after.back(),
                };
                (there == found.as_ref()).then_some(after)
            }
            (Put(..), Some(Found(_))) | (Take(_) | Look(_), Some(Done)) => None,
        }
    }

    fn heap(&self, state: &VecDeque<Value>) -> usize {
        bytes::values(state)
    }

    fn effect(
        &self,
        call: &SequenceCall,
        returned: Option<&SequenceReturn>,
    ) -> Effect<VecDeque<Value>> {
        use SequenceCall::{Look, Put, Take};
        use SequenceReturn::{Done, Found};
        match (call, returned) {
            (Put(..), None | Some(Done)) | (Take(_), None) => Effect::Total,
            (Take(_) | Look(_), Some(Found(None))) => Effect::Observe(Some(VecDeque::new())),
            (Look(_), None | Some(Found(Some(_)))) => Effect::Observe(None),
            (Take(_), Some(Found(Some(_))))
            | (Put(..), Some(Found(_)))
            | (Take(_) | Look(_), Some(Done)) => Effect::Other,
        }
    }
}

impl<W: Words> Recorded for Sequence<W> {
    const FUNCTIONS: &'static [&'static str] = W::FUNCTIONS;

    fn holding(initial: &Value) -> Result<Self, String> {
        let elements = list(initial)?.iter().map(element);
        Ok(Sequence {
            initial: elements.collect::<Result<_, _>>()?,
            words: PhantomData,
        })
    }

    fn call(&self, asked: Asked<'_>) -> Result<SequenceCall, String> {
        let word = W::WORDS.iter().find(|(f, ..)| *f == asked.f);
        let &(_, does, end) = word.ok_or_else(|| unknown(asked, W::FUNCTIONS))?;
        Ok(match does {
            Does::Put => SequenceCall::Put(end, element(asked.argument)?),
            Does::Take => SequenceCall::Take(end),
            Does::Look => SequenceCall::Look(end),
        })
    }

    fn returned(
        &self,
        call: &SequenceCall,
        value: &Value,
    ) -> Result<Option<SequenceReturn>, String> {
        Ok(Some(match call {
            SequenceCall::Put(_, element) => {
                done(value, element)?;
                SequenceReturn::Done
            }
            SequenceCall::Take(_) | SequenceCall::Look(_) => {
                SequenceReturn::Found(Some(value.clone()).filter(|value| *value != Value::Null))
            }
        }))
    }

    fn returned_or_unknown(
        &self,
        call: &SequenceCall,
        value: &Value,
    ) -> Result<Option<SequenceReturn>, String> {
        if matches!(call, SequenceCall::Take(_) | SequenceCall::Look(_)) {
            known(value)?;
        }
        self.returned(call, value)
    }

    fn show(&self, state: &VecDeque<Value>) -> Value {
        Value::List(state.iter().cloned().collect())
    }
}
