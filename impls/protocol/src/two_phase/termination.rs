//! Termination: what a participant in doubt asks, and what it is answered.
//!
//! One that has voted yes may neither commit nor abort by itself. It asks the
//! coordinator and, since that may be gone, the others that write (cooperative
//! termination, BHG §7.4). Of those
//!
//! - one that knows of the commit says so;
//! - one that has not voted yes never will, and says that it is aborted: it
//!   drops its execution, and what it executes later is another one, which the
//!   coordinator has not counted;
//! - one in doubt itself says nothing. If all are, and the coordinator is gone,
//!   they wait: two-phase commit blocks.
//!
//! One that knows nothing of the transaction has not voted yes, or has heard of
//! an abort. It cannot have forgotten a commit: that is forgotten only after
//! every writer, thus the one in doubt too, has acknowledged it. And it cannot
//! have only read, which is forgotten with the vote: readers are not asked.
//!
//! An answer may come late. It is then told to somebody that is not in doubt
//! any more, and to such a one a decision says nothing new.

use super::{Coordinated, Message, Participation, Prepared, Step, Timer, TwoPhase, TxnId, Wrong};
use crate::machine::{NodeId, Span};

impl TwoPhase {
    /// No decision has come for a while.
    pub(super) fn on_doubt_timeout(&mut self, txn: TxnId, step: &mut Step<'_>) {
        if step.config.breaks(Wrong::UncertainParticipantDecides) {
            return self.on_decided(txn, false, step);
        }
        if let Some(Participation::Prepared(prepared)) = self.participations.get(&txn) {
            inquire(txn, prepared, step);
        }
    }

    pub(super) fn on_inquire(&mut self, from: NodeId, txn: TxnId, step: &mut Step<'_>) {
        if txn.coordinator == step.config.id {
            self.answer_as_coordinator(from, txn, step);
        } else {
            self.answer_as_participant(from, txn, step);
        }
    }

    fn answer_as_coordinator(&mut self, from: NodeId, txn: TxnId, step: &mut Step<'_>) {
        match self.coordinated.get(&txn) {
            Some(Coordinated::Committed { .. }) => {
                step.send(from, Message::Decided { txn, commit: true });
            }
            // It will decide, and tell.
            Some(_) if !step.config.breaks(Wrong::RecoveryAbortsUndecidedInFlight) => {}
            Some(_) => step.send(from, Message::Decided { txn, commit: false }),
            None => self.presume(from, txn, step),
        }
    }

    fn answer_as_participant(&mut self, from: NodeId, txn: TxnId, step: &mut Step<'_>) {
        if let Some(Participation::Prepared(_)) = self.participations.get(&txn) {
            return;
        }
        let commit = self.remembered.contains(&txn);
        self.give_up(txn, step);
        step.send(from, Message::Decided { txn, commit });
    }

    /// What the coordinator knows nothing of was aborted: a commit would be
    /// known until whoever asks has acknowledged it (MLO §3).
    pub(super) fn presume(&self, from: NodeId, txn: TxnId, step: &mut Step<'_>) {
        let commit = step.config.breaks(Wrong::PresumedCommit);
        step.send(from, Message::Decided { txn, commit });
    }
}

/// Asks all that may know what was decided, now and again later.
pub(super) fn inquire(txn: TxnId, prepared: &Prepared, step: &mut Step<'_>) {
    let mut asked = match step.config.breaks(Wrong::OnlyTheCoordinatorIsAsked) {
        true => Default::default(),
        false => prepared.writers.clone(),
    };
    asked.insert(txn.coordinator);
    if step.config.breaks(Wrong::InDoubtNobodyIsAsked) {
        asked.clear();
    }
    asked.remove(&step.config.id);
    for node in asked {
        step.outputs.send(node, Message::Inquire { txn });
    }
    step.watch(Timer::Doubt(txn), Span::Retry);
}
