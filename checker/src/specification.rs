//! Sequential specifications: what one object does when it is used by one
//! client at a time.
//!
//! | module | holds |
//! |---|---|
//! | [`register`] | read, write, cas; over values of any type |
//! | [`kv`] | one key of a store: the register, and delete and append |
//! | [`key_value`] | the same over values as they are recorded |
//! | [`versioned_register`] | a register that counts its writes, as etcd does |
//! | [`multi_register`] | several registers, read and written by transactions |
//! | [`log`] | a list that only grows |
//! | [`set`], [`multiset`] | elements without an order; `elements` has what they share |
//! | [`counter`] | add, read |
//! | [`queue`], [`stack`], [`deque`] | elements in a row; `sequence` has what they share |
//! | [`priority_queue`] | elements of which the largest goes first |
//! | [`mutex`] | a lock without owners, and one with |
//! | [`fenced_lock`] | a lock that gives out growing tokens |
//! | [`lease`] | a lock that may be lost at any time |
//! | [`semaphore`] | a number of permits |
//! | [`recorded`] | what the operations of a history are to a specification |
//! | `reading` | what their values say, where several agree on it |
//!
//! Each says in a table which operations it has, what they ask and answer.
//! `laws` holds what tests ask of all of them.
//!
//! A specification says what is right and nothing about how to search. What a
//! search may use to be quick is the [`Effect`] of a call, and only that: a
//! specification that always answers [`Effect::Other`] is judged alike, more
//! slowly.
//!
//! Deliberately apart from the object that the machines replicate: a mistake
//! the two shared would be invisible.

pub mod counter;
pub mod deque;
pub mod elements;
pub mod fenced_lock;
pub mod key_value;
pub mod kv;
pub mod lease;
pub mod log;
pub mod multi_register;
pub mod multiset;
pub mod mutex;
pub mod priority_queue;
pub mod queue;
pub(crate) mod reading;
pub mod recorded;
pub mod register;
pub mod semaphore;
pub mod sequence;
pub mod set;
pub mod stack;
pub mod versioned_register;

#[cfg(test)]
mod laws;

use std::fmt::Debug;
use std::hash::Hash;

pub use counter::Counter;
pub use deque::Deque;
pub use fenced_lock::FencedLock;
pub use key_value::KeyValue;
pub use kv::{Kv, KvCall};
pub use lease::Lease;
pub use log::Log;
pub use multi_register::MultiRegister;
pub use multiset::Multiset;
pub use mutex::{Mutex, OwnedMutex};
pub use priority_queue::PriorityQueue;
pub use queue::Queue;
pub use recorded::{Asked, Recorded};
pub use register::{Register, RegisterCall, RegisterReturn};
pub use semaphore::Semaphore;
pub use set::Set;
pub use stack::Stack;
pub use versioned_register::VersionedRegister;

/// What one object does when it is used by one client at a time.
///
/// A call of which the answer is not known is carried out as the same call with
/// any answer that is possible: where `step` allows an answer, it leaves the same
/// state without it.
pub trait Specification: Clone + Debug + Send + Sync + 'static {
    /// What the object holds.
    type State: Clone + Eq + Hash + Debug + Send + Sync + 'static;
    /// What it is asked.
    type Call: Clone + Eq + Hash + Debug + Send + Sync + 'static;
    /// What it answers.
    type Return: Clone + Eq + Hash + Debug + Send + Sync + 'static;

    /// What it holds at first.
    fn initial(&self) -> Self::State;

    /// What it holds after `call` was carried out in `state`, or nothing if
    /// the call cannot have `returned` that there. A return that is not known
    /// (`None`) forbids nothing; the call is then carried out all the same.
    fn step(
        &self,
        state: &Self::State,
        call: &Self::Call,
        returned: Option<&Self::Return>,
    ) -> Option<Self::State>;

    /// What `step` says, of a state that is not needed any more: a large one may be
    /// changed where it is.
    fn advance(
        &self,
        state: Self::State,
        call: &Self::Call,
        returned: Option<&Self::Return>,
    ) -> Option<Self::State> {
        self.step(&state, call, returned)
    }

    /// What `advance` leaves after these calls, one after the other, if they are
    /// possible. Where states are large, what is changed often may be held in another
    /// way in between.
    fn carry_out<'a>(
        &self,
        state: Self::State,
        calls: &mut dyn Iterator<Item = (&'a Self::Call, Option<&'a Self::Return>)>,
    ) -> Option<Self::State> {
        let mut held = state;
        for (call, returned) in calls {
            held = self.advance(held, call, returned)?;
        }
        Some(held)
    }

    /// What `step` does with `call`, for all states at once.
    fn effect(&self, call: &Self::Call, returned: Option<&Self::Return>) -> Effect<Self::State> {
        let _ = (call, returned);
        Effect::Other
    }

    /// How many bytes `state` holds on the heap, about. A search counts them, so
    /// that it ends when it holds more than it may.
    fn heap(&self, state: &Self::State) -> usize {
        let _ = state;
        0
    }
}

/// What a call does to an object, for all states at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect<T> {
    /// Changes no state; is possible in this one only, or, if none is given,
    /// in some.
    Observe(Option<T>),
    /// Changes no state; is possible in every one but this.
    Avoid(T),
    /// Is possible in every state, and leaves this one.
    Replace(T),
    /// Is possible in `from`, and leaves `to`. In any other state it is not
    /// possible or, where the return is not known, changes nothing.
    Change {
        /// Before.
        from: T,
        /// After.
        to: T,
    },
    /// Is possible in every state.
    Total,
    /// Anything else.
    Other,
}

impl<T> Effect<T> {
    /// The same of other names for the states.
    pub fn map<U>(self, mut name: impl FnMut(T) -> U) -> Effect<U> {
        match self {
            Effect::Observe(state) => Effect::Observe(state.map(name)),
            Effect::Avoid(state) => Effect::Avoid(name(state)),
            Effect::Replace(to) => Effect::Replace(name(to)),
            Effect::Change { from, to } => Effect::Change {
                from: name(from),
                to: name(to),
            },
            Effect::Total => Effect::Total,
            Effect::Other => Effect::Other,
        }
    }

    /// Whether it leaves every state as it is.
    pub fn is_read_only(&self) -> bool {
        matches!(self, Effect::Observe(_) | Effect::Avoid(_))
    }

    /// The only state in which it is possible or, where the return is not known,
    /// changes anything, if there is one.
    pub fn needs(self) -> Option<T> {
        match self {
            Effect::Observe(state) => state,
            Effect::Change { from, .. } => Some(from),
            Effect::Avoid(_) | Effect::Replace(_) | Effect::Total | Effect::Other => None,
        }
    }

    /// The only state that it leaves where it changes anything, if there is one.
    pub fn leaves(self) -> Option<T> {
        match self {
            Effect::Replace(to) | Effect::Change { to, .. } => Some(to),
            Effect::Observe(_) | Effect::Avoid(_) | Effect::Total | Effect::Other => None,
        }
    }

    /// Which states it tells from others.
    pub fn sees(self) -> Sees<T> {
        match self {
            Effect::Observe(Some(state)) | Effect::Avoid(state) => Sees::One(state),
            Effect::Change { from, .. } => Sees::One(from),
            Effect::Replace(_) => Sees::None,
            Effect::Observe(None) | Effect::Total | Effect::Other => Sees::Any,
        }
    }
}

/// Which states a call tells from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sees<T> {
    /// None: all are alike to it.
    None,
    /// This one from all others.
    One(T),
    /// That is not known.
    Any,
}

/// One operation on one object: what was asked and answered, and when.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimedCall<C, R> {
    /// What was asked.
    pub call: C,
    /// When it was asked: a place in the order of all invocations and
    /// completions. Two ends in one place overlap.
    pub invoked: u32,
    /// When it completed, in the same order, and what was answered. `None`
    /// while it is open or where the outcome is not known: it may have taken
    /// effect, may still, and may never. An operation that failed for certain
    /// is left out of the history altogether.
    pub completed: Option<(u32, R)>,
}

impl<C, R> TimedCall<C, R> {
    /// What was answered, if that is known.
    pub fn returned(&self) -> Option<&R> {
        self.completed.as_ref().map(|(_, returned)| returned)
    }
}

/// An operation on an object with this specification.
pub type TimedCallOf<S> = TimedCall<<S as Specification>::Call, <S as Specification>::Return>;
