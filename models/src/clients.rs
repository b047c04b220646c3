//! What clients asked of the cluster, and what they were told.
//!
//! The history is part of the state, so it must be canonical: of the order of
//! events it keeps only which operations had completed before which were
//! invoked. That is all that linearizability asks, and histories that differ
//! in nothing else are one state.
//!
//! An operation is invoked by handing its request to a node in the same
//! action, and an answer reaches the client when it leaves the node. That is
//! the strongest order: of two histories of the same events the one with the
//! later invocations and the earlier completions has more operations that
//! precede each other, so whatever is wrong with the other is wrong with it.
//!
//! # What an answer means
//!
//! | answer | the operation |
//! |---|---|
//! | `Ok` | is complete, with that result |
//! | `Never`, `Redirect` | that request was not accepted; the operation has failed if no other request of it may have been |
//! | `Unknown`, or none | stays open: it may have taken effect, or may still |
//!
//! A failed operation may be tried again while retries are left: to its
//! client it then never failed.
//!
//! The history is judged while it is made, in the strict reading: failed
//! operations are left out.

use std::hash::{Hash, Hasher};

use tribunal_checker::{Incremental, Specification};
use tribunal_protocol::machine::Outcome;

/// Every planned operation, by its place in the plan.
#[derive(Clone, Debug)]
pub struct History<R, O: Specification> {
    operations: Vec<Progress<R>>,
    /// What is known of the judged operations' order. No part of the state: the
    /// verdict follows from the operations, and so does all that a judge says of
    /// any later history. By which order it knows, of several, depends on the way
    /// on which the history came about first.
    judge: Incremental<O>,
}

impl<R: PartialEq, O: Specification> PartialEq for History<R, O> {
    fn eq(&self, other: &Self) -> bool {
        self.operations == other.operations
    }
}

impl<R: Eq, O: Specification> Eq for History<R, O> {}

impl<R: Hash, O: Specification> Hash for History<R, O> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.operations.hash(state);
    }
}

/// How far an operation has come.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Progress<R> {
    /// What is known of its outcome.
    pub stage: Stage<R>,
    /// The operations that had completed before it was invoked, as bits.
    pub before: u32,
    /// How many requests were made for it.
    pub attempts: u8,
}

/// What is known of an operation's outcome.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Stage<R> {
    /// It has not been invoked.
    Planned,
    /// It may have taken effect, or may still.
    Open {
        /// Requests without an answer.
        pending: u8,
        /// Whether a request was answered by `Unknown`.
        doubtful: bool,
    },
    /// It took effect, with this result.
    Ok(R),
    /// No request of it was accepted.
    Failed,
}

impl<R: Clone, O: Specification> History<R, O> {
    /// Nothing has been invoked yet of so many operations on an object.
    pub fn new(planned: usize, object: O) -> Self {
        assert!(planned <= 32, "a model has at most 32 operations");
        let progress = Progress {
            stage: Stage::Planned,
            before: 0,
            attempts: 0,
        };
        History {
            operations: vec![progress; planned],
            judge: Incremental::new(object),
        }
    }

    /// Every operation, in the order of the plan.
    pub fn operations(&self) -> &[Progress<R>] {
        &self.operations
    }

    /// Whether the judged operations that have not failed are linearizable.
    pub fn is_linearizable(&self) -> bool {
        self.judge.is_linearizable()
    }

    /// A request is made for an operation, for the first time or again. Where it
    /// is judged, it is this call of the object.
    pub(crate) fn request(&mut self, index: usize, call: Option<O::Call>) {
        let completed = self.completed();
        let operation = &mut self.operations[index];
        if operation.attempts == 0 {
            operation.before = completed;
        }
        operation.attempts += 1;
        match &mut operation.stage {
            Stage::Planned | Stage::Failed => {
                operation.stage = Stage::Open {
                    pending: 1,
                    doubtful: false,
                };
                if let Some(call) = call {
                    self.judge.invoke(index, call);
                }
            }
            Stage::Open { pending, .. } => *pending += 1,
            // A copy that was sent before the answer came, and arrives late.
            Stage::Ok(_) => {}
        }
    }

    /// A request of the operation was answered; `returned` says what that result
    /// is to the object. Says whether the history has another meaning now.
    pub(crate) fn answer(
        &mut self,
        index: usize,
        outcome: Outcome<R>,
        returned: impl FnOnce(&R) -> O::Return,
    ) -> bool {
        let is_judged = self.judge.knows(index);
        let operation = &mut self.operations[index];
        let Stage::Open { pending, doubtful } = &mut operation.stage else {
            return false;
        };
        match outcome {
            Outcome::Ok(result) => {
                if is_judged {
                    self.judge.complete(index, returned(&result));
                }
                operation.stage = Stage::Ok(result);
            }
            Outcome::Unknown(_) => {
                *pending = pending.saturating_sub(1);
                *doubtful = true;
                return false;
            }
            Outcome::Never(_) | Outcome::Redirect(_) => {
                *pending = pending.saturating_sub(1);
                if *pending > 0 || *doubtful {
                    return false;
                }
                operation.stage = Stage::Failed;
                if is_judged {
                    self.judge.fail(index);
                }
            }
        }
        true
    }

    /// An answer to the operation is lost on its way to the client.
    pub(crate) fn lose_answer(&mut self, index: usize) {
        if let Stage::Open { pending, doubtful } = &mut self.operations[index].stage {
            *pending = pending.saturating_sub(1);
            *doubtful = true;
        }
    }

    fn completed(&self) -> u32 {
        let ok = |(_, operation): &(usize, &Progress<R>)| matches!(operation.stage, Stage::Ok(_));
        let bits = self.operations.iter().enumerate().filter(ok);
        bits.fold(0, |all, (index, _)| all | 1 << index)
    }
}

#[cfg(test)]
mod tests {
    use tribunal_checker::specification::{Register, RegisterCall, RegisterReturn};

    use super::*;

    /// Operations on a register, of which the responses are its values.
    type Histories = History<u8, Register<u8>>;

    fn planned(count: usize) -> Histories {
        History::new(count, Register { initial: 0 })
    }

    impl Histories {
        fn read(&mut self, index: usize) {
            self.request(index, Some(RegisterCall::Read));
        }

        fn hear(&mut self, index: usize, outcome: Outcome<u8>) -> bool {
            self.answer(index, outcome, |value| RegisterReturn::Value(*value))
        }
    }

    fn never() -> Outcome<u8> {
        Outcome::Never("no".into())
    }

    #[test]
    fn an_operation_fails_only_if_every_request_was_refused() {
        let mut history = planned(1);
        history.read(0);
        history.read(0);
        assert!(!history.hear(0, never()));
        assert!(history.hear(0, never()));
        assert_eq!(history.operations()[0].stage, Stage::Failed);
    }

    #[test]
    fn a_refusal_after_a_doubtful_answer_leaves_the_operation_open() {
        let mut history = planned(1);
        history.read(0);
        assert!(!history.hear(0, Outcome::Unknown("stepped down".into())));
        history.read(0);
        assert!(!history.hear(0, never()));
        assert!(matches!(history.operations()[0].stage, Stage::Open { .. }));
        history.read(0);
        assert!(history.hear(0, Outcome::Ok(7)));
    }

    #[test]
    fn an_operation_knows_what_was_complete_when_it_was_invoked() {
        let mut history = planned(3);
        history.read(0);
        history.read(1);
        history.hear(0, Outcome::Ok(1));
        history.read(2);
        history.hear(1, Outcome::Ok(1));
        let before: Vec<u32> = history
            .operations()
            .iter()
            .map(|each| each.before)
            .collect();
        assert_eq!(before, [0, 0, 0b001]);
    }

    #[test]
    fn what_is_judged_is_no_part_of_a_history() {
        let open = |indices: [usize; 2]| {
            let mut history = planned(3);
            for index in indices {
                history.request(index, Some(RegisterCall::Write(index as u8)));
            }
            history
        };
        let [mut one, mut other] = [open([1, 2]), open([2, 1])];
        assert_eq!(one, other);
        for history in [&mut one, &mut other] {
            history.read(0);
            assert!(history.hear(0, Outcome::Ok(2)) && history.is_linearizable());
            history.hear(2, never());
            assert!(!history.is_linearizable());
        }
        assert_eq!(one, other);
        let mut unjudged = planned(3);
        unjudged.request(0, None);
        assert!(unjudged.hear(0, Outcome::Ok(2)) && unjudged.is_linearizable());
    }
}
