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

use tribunal_protocol::machine::Outcome;

/// Every planned operation, by its place in the plan.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct History<R> {
    operations: Vec<Progress<R>>,
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

impl<R: Clone + std::hash::Hash> History<R> {
    /// Nothing has been invoked.
    pub fn new(planned: usize) -> Self {
        assert!(planned <= 32, "a model has at most 32 operations");
        let progress = Progress {
            stage: Stage::Planned,
            before: 0,
            attempts: 0,
        };
        History {
            operations: vec![progress; planned],
        }
    }

    /// Every operation, in the order of the plan.
    pub fn operations(&self) -> &[Progress<R>] {
        &self.operations
    }

    /// A request is made for an operation, for the first time or again.
    pub(crate) fn request(&mut self, index: usize) {
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
            }
            Stage::Open { pending, .. } => *pending += 1,
            // A copy that was sent before the answer came, and arrives late.
            Stage::Ok(_) => {}
        }
    }

    /// A request of the operation was answered. Says whether the history has
    /// another meaning now.
    pub(crate) fn answer(&mut self, index: usize, outcome: Outcome<R>) -> bool {
        let operation = &mut self.operations[index];
        let Stage::Open { pending, doubtful } = &mut operation.stage else {
            return false;
        };
        match outcome {
            Outcome::Ok(result) => operation.stage = Stage::Ok(result),
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
    use super::*;

    fn never<R>() -> Outcome<R> {
        Outcome::Never("no".into())
    }

    #[test]
    fn an_operation_fails_only_if_every_request_was_refused() {
        let mut history: History<u8> = History::new(1);
        history.request(0);
        history.request(0);
        assert!(!history.answer(0, never()));
        assert!(history.answer(0, never()));
        assert_eq!(history.operations()[0].stage, Stage::Failed);
    }

    #[test]
    fn a_refusal_after_a_doubtful_answer_leaves_the_operation_open() {
        let mut history: History<u8> = History::new(1);
        history.request(0);
        assert!(!history.answer(0, Outcome::Unknown("stepped down".into())));
        history.request(0);
        assert!(!history.answer(0, never()));
        assert!(matches!(history.operations()[0].stage, Stage::Open { .. }));
        history.request(0);
        assert!(history.answer(0, Outcome::Ok(7)));
    }

    #[test]
    fn an_operation_knows_what_was_complete_when_it_was_invoked() {
        let mut history: History<u8> = History::new(3);
        history.request(0);
        history.request(1);
        history.answer(0, Outcome::Ok(1));
        history.request(2);
        history.answer(1, Outcome::Ok(1));
        let before: Vec<u32> = history
            .operations()
            .iter()
            .map(|each| each.before)
            .collect();
        assert_eq!(before, [0, 0, 0b001]);
    }
}
