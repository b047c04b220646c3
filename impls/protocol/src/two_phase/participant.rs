//! The participant: locks, execution, the vote, and what becomes of it.
//!
//! Strict two-phase locking (BHG §3): no lock is taken after one was let go,
//! and what a transaction writes is locked until its decision. The turn is the
//! second round: it begins when all participants have executed, and each votes
//! only for the very execution that was counted. So there is a moment, when
//! the coordinator asks for votes, at which every lock of a transaction that
//! commits is held; that is its place in the order of transactions. Shared
//! locks may go with the vote therefore, before the decision, and a
//! participant that only read needs no decision at all (MLO §3, the read-only
//! optimization).

use std::collections::BTreeSet;

use super::locks::{self, Mode};
use super::{
    Execution, Message, Operation, Prepared, Reason, Record, Seen, Step, Timer, TwoPhase, TxnId,
    Vote, Writes, Wrong,
};
use crate::machine::{NodeId, Span};

/// How far a transaction is that this node takes part in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Participation {
    /// It waits for locks.
    Waiting {
        /// What it does here.
        operations: Vec<Operation>,
    },
    /// It was run, and holds its locks.
    Executed {
        /// Which execution that was.
        execution: Execution,
        /// What it saw.
        seen: Vec<Seen>,
        /// What it writes if it commits.
        writes: Writes,
    },
    /// It has promised to commit it if the coordinator decides so.
    Prepared(Prepared),
}

impl TwoPhase {
    pub(super) fn on_execute(
        &mut self,
        txn: TxnId,
        operations: Vec<Operation>,
        step: &mut Step<'_>,
    ) {
        self.clock = self.clock.max(txn.stamp);
        match self.participations.get(&txn) {
            None if !self.remembered.contains(&txn) => {}
            Some(Participation::Executed {
                execution, seen, ..
            }) => {
                let (execution, seen) = (*execution, seen.clone());
                let executed = Message::Executed {
                    txn,
                    execution,
                    seen,
                };
                return step.send(txn.coordinator, executed);
            }
            _ => return,
        }
        let mut locks = locks::needed(&operations);
        if step.config.breaks(Wrong::AckBeforeParticipantsApplied) {
            locks.retain(|_, mode| *mode == Mode::Exclusive);
        }
        self.locks.ask(txn, locks);
        let waiting = Participation::Waiting { operations };
        self.participations.insert(txn, waiting);
        step.watch(Timer::Held(txn), Span::Election);
        self.serve(step);
    }

    /// Runs what can have its locks now, and refuses what must not wait.
    pub(super) fn serve(&mut self, step: &mut Step<'_>) {
        loop {
            let settled = self.locks.settle(step.config.breaks(Wrong::NoWaitDie));
            if settled.is_empty() {
                return;
            }
            for txn in settled.died {
                self.refuse(txn, Reason::Younger, step);
            }
            for txn in settled.granted {
                self.execute(txn, step);
            }
        }
    }

    fn execute(&mut self, txn: TxnId, step: &mut Step<'_>) {
        let Some(Participation::Waiting { operations }) = self.participations.get(&txn) else {
            return;
        };
        let (seen, writes) = match self.store.run(operations) {
            Ok(ran) => ran,
            Err(reason) => return self.refuse(txn, reason, step),
        };
        self.executions += 1;
        let execution = Execution {
            incarnation: self.incarnation,
            serial: self.executions,
        };
        if step.config.breaks(Wrong::ReadLocksLetGoAtExecution) {
            self.locks.let_go_shared(txn);
        }
        let executed = Message::Executed {
            txn,
            execution,
            seen: seen.clone(),
        };
        step.send(txn.coordinator, executed);
        let executed = Participation::Executed {
            execution,
            seen,
            writes,
        };
        self.participations.insert(txn, executed);
    }

    fn refuse(&mut self, txn: TxnId, reason: Reason, step: &mut Step<'_>) {
        self.drop_execution(txn, step);
        step.send(txn.coordinator, Message::Refused { txn, reason });
    }

    /// Forgets what is not prepared, and lets its locks go.
    fn drop_execution(&mut self, txn: TxnId, step: &mut Step<'_>) {
        self.participations.remove(&txn);
        self.locks.let_go(txn);
        step.outputs.cancel_timer(Timer::Held(txn));
    }

    /// Aborts what is not prepared, as a participant may at any time: it can
    /// no longer vote for that execution.
    pub(super) fn give_up(&mut self, txn: TxnId, step: &mut Step<'_>) {
        if !matches!(
            self.participations.get(&txn),
            None | Some(Participation::Prepared(_))
        ) {
            self.drop_execution(txn, step);
            self.serve(step);
        }
    }

    pub(super) fn on_prepare(
        &mut self,
        txn: TxnId,
        execution: Execution,
        writers: BTreeSet<NodeId>,
        step: &mut Step<'_>,
    ) {
        let trusts_any = step.config.breaks(Wrong::PrepareTrustsAnyExecution);
        let vote = match self.participations.get(&txn) {
            Some(Participation::Executed {
                execution: held,
                writes,
                ..
            }) if *held == execution || trusts_any => {
                let writes = writes.clone();
                if writes.is_empty() {
                    self.give_up(txn, step);
                    Vote::ReadOnly
                } else {
                    let prepared = Prepared {
                        execution,
                        writers,
                        writes,
                    };
                    self.prepare(txn, prepared, step);
                    Vote::Yes
                }
            }
            Some(Participation::Prepared(prepared)) if prepared.execution == execution => Vote::Yes,
            _ => {
                // What it holds, if anything, is not what the coordinator has
                // counted.
                self.give_up(txn, step);
                Vote::No
            }
        };
        let gate = step.gate(&[Wrong::VoteYesBeforePreparedDurable]);
        step.send_behind_records(txn.coordinator, Message::Voted { txn, vote }, gate);
    }

    fn prepare(&mut self, txn: TxnId, prepared: Prepared, step: &mut Step<'_>) {
        step.outputs.cancel_timer(Timer::Held(txn));
        step.watch(Timer::Doubt(txn), Span::Election);
        step.records.push(Record::Prepared {
            txn,
            prepared: prepared.clone(),
        });
        let prepared = Participation::Prepared(prepared);
        self.participations.insert(txn, prepared);
        if step.config.breaks(Wrong::LocksLetGoAtVote) {
            self.locks.let_go(txn);
        }
        self.locks.let_go_shared(txn);
        self.serve(step);
    }

    /// What was prepared before a restart is prepared still, and what it writes
    /// is locked still.
    pub(super) fn stay_prepared(&mut self, txn: TxnId, prepared: Prepared, step: &Step<'_>) {
        let written = prepared.writes.keys();
        let locks = written.map(|key| (*key, Mode::Exclusive)).collect();
        self.clock = self.clock.max(txn.stamp);
        if !step.config.breaks(Wrong::LocksNotTakenAgain) {
            self.locks.hold(txn, locks);
        }
        let prepared = Participation::Prepared(prepared);
        self.participations.insert(txn, prepared);
    }

    pub(super) fn on_decided(&mut self, txn: TxnId, commit: bool, step: &mut Step<'_>) {
        let Some(Participation::Prepared(prepared)) = self.participations.get(&txn) else {
            // Whatever is held here no longer counts.
            self.give_up(txn, step);
            let is_known = self.remembered.contains(&txn)
                || step.config.breaks(Wrong::CommitOfUnknownAnswersOk)
                || step.config.breaks(Wrong::UnknownMeansAbortAfterForgetting);
            if commit && is_known {
                self.acknowledge(txn, step);
            }
            return;
        };
        step.outputs.cancel_timer(Timer::Doubt(txn));
        step.records.push(Record::Decided { txn, commit });
        if commit {
            self.store.put(&prepared.writes);
            self.acknowledge(txn, step);
            self.remember(txn, step);
        }
        self.participations.remove(&txn);
        self.locks.let_go(txn);
        self.serve(step);
    }

    /// Another participant may ask about it, until everybody knows.
    fn remember(&mut self, txn: TxnId, step: &mut Step<'_>) {
        if step.config.breaks(Wrong::UnknownMeansAbortAfterForgetting) {
            return step.records.push(Record::Forgotten { txn });
        }
        self.remembered.insert(txn);
        step.watch(Timer::Remembered(txn), Span::Retry);
    }

    fn acknowledge(&self, txn: TxnId, step: &mut Step<'_>) {
        let gate = step.gate(&[Wrong::AckBeforeDecisionDurable]);
        step.send_behind_records(txn.coordinator, Message::Acked { txn }, gate);
    }

    /// Everybody knows that it was committed, or was told so.
    pub(super) fn on_settled(&mut self, txn: TxnId, step: &mut Step<'_>) {
        if self.remembered.remove(&txn) {
            step.outputs.cancel_timer(Timer::Remembered(txn));
            step.records.push(Record::Forgotten { txn });
        }
    }

    /// Whether everybody knows by now: the coordinator says so if the commit is
    /// acknowledged to it once more.
    pub(super) fn on_remembered_timeout(&mut self, txn: TxnId, step: &mut Step<'_>) {
        if self.remembered.contains(&txn) {
            self.acknowledge(txn, step);
            step.watch(Timer::Remembered(txn), Span::Retry);
        }
    }
}
