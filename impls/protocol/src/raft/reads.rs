//! Linearizable reads without the log: ReadIndex (§8, diss. §6.4).
//!
//! A leader may answer a read from its object once it knows two things: that
//! it still led after the read arrived, and that what it has applied holds
//! everything committed before then. The first takes a round of heartbeats
//! answered by a majority; the second an entry of its own term committed,
//! since a new leader cannot tell before then how far its predecessors had
//! committed.
//!
//! One round is asked at a time; reads that arrive meanwhile share the next.
//! The answer is read when it is given, not when it was asked for: what was
//! committed in between may be seen.

use super::{Raft, Role, Step, Wrong};
use crate::machine::{NodeId, Outcome, RequestId};
use crate::object::{Answer, Key};

/// A read that a leader has accepted and not answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct WaitingRead {
    pub(super) id: RequestId,
    pub(super) key: Key,
    /// The round that must be answered first.
    pub(super) round: u64,
}

impl Raft {
    pub(super) fn on_read(&mut self, id: RequestId, key: Key, step: &mut Step<'_>) {
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        if step.config.breaks(Wrong::LocalReadAtLeader) {
            return step.answer(id, Outcome::Ok(Answer::Value(self.store.read(key))));
        }
        let asking = leadership
            .reads
            .iter()
            .any(|read| read.round == leadership.round);
        let round = leadership.round + 1;
        leadership.reads.push(WaitingRead { id, key, round });
        if !asking {
            self.ask_round(step);
        }
    }

    fn ask_round(&mut self, step: &mut Step<'_>) {
        if let Role::Leader(leadership) = &mut self.role {
            leadership.round += 1;
        }
        self.send_heartbeats(step);
        self.answer_reads(step);
    }

    /// Answers the reads whose round a majority has answered.
    pub(super) fn answer_reads(&mut self, step: &mut Step<'_>) {
        let own_term_committed = self.log.term_at(self.commit) == Some(self.term)
            || step.config.breaks(Wrong::ReadIndexBeforeOwnCommit);
        let Role::Leader(leadership) = &self.role else {
            return;
        };
        if !own_term_committed || leadership.reads.is_empty() {
            return;
        }
        let round = leadership.round;
        let followers = leadership.followers.iter();
        let answered = followers.filter(|(_, progress)| progress.round >= round);
        let answered: Vec<NodeId> = answered.map(|(node, _)| *node).collect();
        if !self.is_majority_with(answered, step.config) {
            return;
        }
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        let (ready, later): (Vec<_>, Vec<_>) = leadership
            .reads
            .drain(..)
            .partition(|read| read.round <= round);
        leadership.reads = later;
        let more = !leadership.reads.is_empty();
        for read in ready {
            let value = self.store.read(read.key);
            step.answer(read.id, Outcome::Ok(Answer::Value(value)));
        }
        if more {
            self.ask_round(step);
        }
    }
}
