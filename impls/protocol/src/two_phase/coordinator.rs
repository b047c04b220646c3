//! The coordinator: two rounds, the decision, and how long it is remembered.
//!
//! The first round has every participant lock and run what is its part, the
//! second asks them to prepare. Until the decision nothing is durable here, and
//! nothing is sent twice: what is lost ends in an abort when patience does.
//!
//! Presumed abort (MLO §3): an abort leaves no record and needs no
//! acknowledgement, since who asks about a transaction that nobody knows is
//! told that it was aborted. A commit is durable before it is spoken of, and is
//! told to those that wrote until all have acknowledged it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Committed, Config, Execution, Message, Operation, Reason, Record, Seen, Step, Timer, TwoPhase,
    TxnId, Vote, Wrong,
};
use crate::machine::{NodeId, Outcome, RequestId, Span};

/// How far a transaction is that this node coordinates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Coordinated {
    /// Some participants have not yet executed it.
    Executing {
        /// Who asked for it.
        id: RequestId,
        /// All its operations.
        operations: Vec<Operation>,
        /// What those have seen that executed it, and which execution that is.
        executed: BTreeMap<NodeId, (Execution, Vec<Seen>)>,
    },
    /// Some participants have not yet voted.
    Voting {
        /// Who asked for it.
        id: RequestId,
        /// What the operations have seen.
        seen: Vec<Seen>,
        /// Who takes part and writes.
        writers: BTreeSet<NodeId>,
        /// Whose vote is missing.
        awaited: BTreeSet<NodeId>,
    },
    /// It is committed, and some participants have not acknowledged that.
    Committed {
        /// Who took part and wrote.
        writers: BTreeSet<NodeId>,
        /// Whose acknowledgement is missing.
        unacked: BTreeSet<NodeId>,
    },
}

impl TwoPhase {
    pub(super) fn on_request(
        &mut self,
        id: RequestId,
        operations: Vec<Operation>,
        step: &mut Step<'_>,
    ) {
        if operations.is_empty() || operations.len() > step.config.operations_max {
            let most = step.config.operations_max;
            let why = format!("a transaction has 1 to {most} operations");
            return step.answer(id, Outcome::Never(why));
        }
        self.clock += 1;
        let txn = TxnId {
            stamp: self.clock,
            coordinator: step.config.id,
            incarnation: self.incarnation,
        };
        step.outputs.set_timer(Timer::Votes(txn), Span::Election);
        for (node, operations) in parts(&operations, step.config) {
            step.send(node, Message::Execute { txn, operations });
        }
        let executing = Coordinated::Executing {
            id,
            operations,
            executed: BTreeMap::new(),
        };
        self.coordinated.insert(txn, executing);
    }

    pub(super) fn on_executed(
        &mut self,
        from: NodeId,
        txn: TxnId,
        execution: Execution,
        seen: Vec<Seen>,
        step: &mut Step<'_>,
    ) {
        match self.coordinated.get_mut(&txn) {
            Some(Coordinated::Executing {
                operations,
                executed,
                ..
            }) => {
                executed.entry(from).or_insert((execution, seen));
                if executed.len() == participants(&*operations, step.config).len() {
                    self.ask_for_votes(txn, step);
                }
            }
            Some(_) => {}
            None => self.presume(from, txn, step),
        }
    }

    /// Everybody has executed it: all its locks are held.
    fn ask_for_votes(&mut self, txn: TxnId, step: &mut Step<'_>) {
        let Some(Coordinated::Executing {
            id,
            operations,
            executed,
        }) = self.coordinated.remove(&txn)
        else {
            return;
        };
        let writes = operations.iter().filter(|operation| !operation.is_read());
        let writers = participants(writes, step.config);
        let awaited: BTreeSet<NodeId> = executed.keys().copied().collect();
        let asked_in_doubt = match step.config.breaks(Wrong::ReadersAreAsked) {
            true => &awaited,
            false => &writers,
        };
        for (node, (execution, _)) in &executed {
            let prepare = Message::Prepare {
                txn,
                execution: *execution,
                writers: asked_in_doubt.clone(),
            };
            step.send(*node, prepare);
        }
        let voting = Coordinated::Voting {
            id,
            seen: in_order(&operations, executed, step.config),
            writers,
            awaited,
        };
        self.coordinated.insert(txn, voting);
    }

    pub(super) fn on_refused(
        &mut self,
        from: NodeId,
        txn: TxnId,
        reason: Reason,
        step: &mut Step<'_>,
    ) {
        // What comes later is of another execution than the one that counts.
        if let Some(Coordinated::Executing { .. }) = self.coordinated.get(&txn) {
            self.abort(txn, reason, Some(from), step);
        }
    }

    pub(super) fn on_voted(&mut self, from: NodeId, txn: TxnId, vote: Vote, step: &mut Step<'_>) {
        let is_no = vote == Vote::No
            || vote == Vote::ReadOnly && step.config.breaks(Wrong::ReadOnlyVoteCountedAsNo);
        match self.coordinated.get_mut(&txn) {
            Some(Coordinated::Voting { .. }) if is_no => {
                self.abort(txn, Reason::Lost, Some(from), step);
            }
            Some(Coordinated::Voting { awaited, .. }) => {
                awaited.remove(&from);
                if awaited.is_empty() {
                    self.commit(txn, step);
                }
            }
            None if vote == Vote::Yes => self.presume(from, txn, step),
            _ => {}
        }
    }

    fn commit(&mut self, txn: TxnId, step: &mut Step<'_>) {
        let Some(Coordinated::Voting {
            id, seen, writers, ..
        }) = self.coordinated.remove(&txn)
        else {
            return;
        };
        step.outputs.cancel_timer(Timer::Votes(txn));
        let sent = step.gate(&[Wrong::DecisionSentBeforeLogged]);
        let answered = step.gate(&[
            Wrong::DecisionSentBeforeLogged,
            Wrong::AnswerBeforeDecisionDurable,
        ]);
        let outcome = Outcome::Ok(Committed(seen));
        step.outputs.answer(id, outcome, answered);
        if writers.is_empty() {
            return;
        }
        if !step.config.breaks(Wrong::DecisionNotLogged) {
            let writers = writers.clone();
            step.records.push(Record::Commit { txn, writers });
        }
        for node in &writers {
            step.send_gated(*node, Message::Decided { txn, commit: true }, sent);
        }
        self.remember_commit(txn, writers, step);
    }

    /// Waits until all have acknowledged a commit.
    pub(super) fn remember_commit(
        &mut self,
        txn: TxnId,
        writers: BTreeSet<NodeId>,
        step: &mut Step<'_>,
    ) {
        let unacked = writers.clone();
        let committed = Coordinated::Committed { writers, unacked };
        self.coordinated.insert(txn, committed);
        step.outputs.set_timer(Timer::Acks(txn), Span::Retry);
    }

    /// Aborts what is not decided, and tells all that may hold something for
    /// it: not who has just said that it does not.
    fn abort(&mut self, txn: TxnId, reason: Reason, refuses: Option<NodeId>, step: &mut Step<'_>) {
        let (id, mut concerned) = match self.coordinated.remove(&txn) {
            Some(Coordinated::Executing { id, operations, .. }) => {
                (id, participants(&operations, step.config))
            }
            Some(Coordinated::Voting {
                id,
                writers,
                awaited,
                ..
            }) => (id, &writers | &awaited),
            _ => return,
        };
        step.outputs.cancel_timer(Timer::Votes(txn));
        concerned.retain(|node| Some(*node) != refuses);
        for node in concerned {
            step.send(node, Message::Decided { txn, commit: false });
        }
        step.answer(id, Outcome::Never(reason.told()));
    }

    /// Not everybody has answered in time. What is not yet decided may still
    /// be aborted.
    pub(super) fn on_votes_timeout(&mut self, txn: TxnId, step: &mut Step<'_>) {
        let is_voting = matches!(self.coordinated.get(&txn), Some(Coordinated::Voting { .. }));
        if is_voting && step.config.breaks(Wrong::CommitOnTimeout) {
            return self.commit(txn, step);
        }
        self.abort(txn, Reason::Late, None, step);
    }

    /// Not everybody has acknowledged in time.
    pub(super) fn on_acks_timeout(&mut self, txn: TxnId, step: &mut Step<'_>) {
        if let Some(Coordinated::Committed { unacked, .. }) = self.coordinated.get(&txn) {
            for node in unacked.iter().filter(|node| **node != step.config.id) {
                step.outputs
                    .send(*node, Message::Decided { txn, commit: true });
            }
            step.outputs.set_timer(Timer::Acks(txn), Span::Retry);
        }
    }

    pub(super) fn on_acked(&mut self, from: NodeId, txn: TxnId, step: &mut Step<'_>) {
        match self.coordinated.get_mut(&txn) {
            Some(Coordinated::Committed { unacked, .. }) => {
                unacked.remove(&from);
                if unacked.is_empty() || step.config.breaks(Wrong::EndedBeforeAllAcks) {
                    self.end(txn, step);
                }
            }
            Some(_) => {}
            // Only a commit is acknowledged, and only one that all have
            // acknowledged is not known.
            None => step.send(from, Message::Settled { txn }),
        }
    }

    /// Nobody will ask about it any more: whoever wrote has the commit on disk.
    fn end(&mut self, txn: TxnId, step: &mut Step<'_>) {
        let Some(Coordinated::Committed { writers, .. }) = self.coordinated.remove(&txn) else {
            return;
        };
        step.outputs.cancel_timer(Timer::Acks(txn));
        step.records.push(Record::End { txn });
        for node in writers {
            step.send(node, Message::Settled { txn });
        }
    }
}

/// Whose keys the operations are about.
fn participants<'a>(
    operations: impl IntoIterator<Item = &'a Operation>,
    config: &Config,
) -> BTreeSet<NodeId> {
    let operations = operations.into_iter();
    operations
        .map(|operation| config.owner(operation.key()))
        .collect()
}

/// The operations of each participant, in order.
fn parts(operations: &[Operation], config: &Config) -> BTreeMap<NodeId, Vec<Operation>> {
    let mut parts = BTreeMap::<NodeId, Vec<Operation>>::new();
    for operation in operations {
        let owner = config.owner(operation.key());
        parts.entry(owner).or_default().push(operation.clone());
    }
    parts
}

/// What the participants have seen, in the order of the operations.
fn in_order(
    operations: &[Operation],
    executed: BTreeMap<NodeId, (Execution, Vec<Seen>)>,
    config: &Config,
) -> Vec<Seen> {
    let parts = executed.into_iter();
    let mut parts: BTreeMap<NodeId, _> = parts
        .map(|(node, (_, seen))| (node, seen.into_iter()))
        .collect();
    let owners = operations
        .iter()
        .map(|operation| config.owner(operation.key()));
    owners
        .filter_map(|owner| parts.get_mut(&owner)?.next())
        .collect()
}
