//! Broadcast: what is proposed, and what is committed (DSN §IV, phase 3).
//!
//! Called for proposals, their acknowledgements, commits and signs of life.
//! Decides nothing about who leads, but that a leader without a quorum gives
//! up.
//!
//! The leader proposes while it writes: its proposals wait for no disk of its
//! own, and it counts itself in a quorum only for what is durable. Proposals
//! and commits travel in zxid order; an acknowledgement and a commit stand for
//! all before them as well, which one session's order allows.

use super::{
    Config, Learner, Message, Phase, Record, Role, Stage, Step, Timer, Txn, Wrong, Zab, Zxid,
};
use crate::machine::{Gate, NodeId, Outcome, RequestId, Span};
use crate::object::Call;
use crate::quorum::majority_position;

impl Zab {
    /// The name of the next transaction; none if the epoch is used up.
    fn next_zxid(&self, config: &Config) -> Option<Zxid> {
        let last = match config.breaks(Wrong::ZxidAfterCommitted) {
            true => self.committed,
            false => self.history.last(),
        };
        let epoch = self.current;
        let used = if last.epoch == epoch { last.counter } else { 0 };
        let counter = used.checked_add(1)?;
        (counter <= config.counter_max).then_some(Zxid { epoch, counter })
    }

    /// An established leader makes a transaction of what a client asks.
    pub(super) fn propose(&mut self, call: Call, asked_by: RequestId, step: &mut Step<'_>) {
        let Some(zxid) = self.next_zxid(step.config) else {
            let why = "the epoch is used up and another begins";
            return step.answer(asked_by, Outcome::Never(why.into()));
        };
        let behind = self.history.last();
        let txn = Txn { zxid, call };
        self.history.extend(std::slice::from_ref(&txn));
        let Role::Leading(leading) = &mut self.role else {
            return;
        };
        leading.pending.insert(zxid, asked_by);
        for (node, learner) in &leading.learners {
            // Also to those that have not acknowledged the history yet, since
            // a later commit stands for this one too.
            let gets_it = match learner {
                Learner::Active(_) => true,
                Learner::Synchronizing(_) => {
                    !step.config.breaks(Wrong::ProposeOnlyToAckedFollowers)
                }
                Learner::Informed(_) | Learner::Promised(_) => false,
            };
            if gets_it && step.config.is_voter(*node) {
                let propose = Message::Propose(txn.clone());
                step.outputs.send_gated(*node, propose, Gate::Now);
            }
        }
        step.persist_history(behind, Record::Append(vec![txn]));
        if step.config.breaks(Wrong::LeaderCountsItselfBeforeSync) {
            self.advance(step);
        }
    }

    /// A proposal of the leader's.
    pub(super) fn on_propose(&mut self, from: NodeId, txn: Txn, step: &mut Step<'_>) {
        let Some(is_up_to_date) = self.has_taken_over() else {
            return;
        };
        let zxid = txn.zxid;
        let behind = self.history.last();
        // One that is here already is only acknowledged. Nothing is missing
        // before any other: a session has no gaps.
        if zxid > behind {
            self.history.extend(std::slice::from_ref(&txn));
            let is_dropped =
                !is_up_to_date && step.config.breaks(Wrong::CommitBeforeNewleaderAckLost);
            if !is_dropped {
                step.persist_history(behind, Record::Append(vec![txn]));
            }
        }
        // Behind the persist: the leader counts it as durable here.
        let gate = if step.config.breaks(Wrong::AckBeforeLogSync) {
            Gate::Now
        } else {
            Gate::Durable
        };
        step.outputs.send_gated(from, Message::Ack { zxid }, gate);
    }

    /// Whether it is a follower that the leader calls up to date, or one that
    /// has taken its history over at least; `None` otherwise.
    fn has_taken_over(&self) -> Option<bool> {
        match &self.role {
            Role::Following(following) => match following.phase {
                Phase::Broadcast => Some(true),
                Phase::Synchronized => Some(false),
                Phase::Discovery | Phase::Synchronization(_) => None,
            },
            Role::Looking(_) | Role::Leading(_) => None,
        }
    }

    pub(super) fn on_ack(&mut self, from: NodeId, zxid: Zxid, step: &mut Step<'_>) {
        let Role::Leading(leading) = &mut self.role else {
            return;
        };
        if let Some(Learner::Active(acknowledged)) = leading.learners.get_mut(&from) {
            *acknowledged = zxid.max(*acknowledged);
            self.advance(step);
        }
    }

    /// Up to where the leader may count itself.
    pub(super) fn own_acknowledged(&self, config: &Config) -> Zxid {
        if config.breaks(Wrong::LeaderCountsItselfBeforeSync) {
            return self.history.last();
        }
        self.durable_last()
    }

    /// Commits what a quorum of voters holds, and tells who follows.
    pub(super) fn advance(&mut self, step: &mut Step<'_>) {
        let own = match step.outstanding.behind {
            Some(behind) if !step.config.breaks(Wrong::LeaderCountsItselfBeforeSync) => {
                behind.min(self.own_acknowledged(step.config))
            }
            _ => self.own_acknowledged(step.config),
        };
        let Role::Leading(leading) = &self.role else {
            return;
        };
        if leading.stage != Stage::Broadcast {
            return;
        }
        let reached = |voter: &NodeId| match leading.learners.get(voter) {
            Some(Learner::Active(acknowledged)) => acknowledged.number(),
            None if *voter == step.config.id => own.number(),
            _ => 0,
        };
        let reached = step.config.voters.iter().map(reached).collect();
        let zxid = Zxid::numbered(majority_position(reached));
        if zxid <= self.committed {
            return;
        }
        let new = self.history.between(self.committed, zxid).to_vec();
        self.commit_up_to(zxid, step);
        self.tell_committed(zxid, &new, step);
        if self.next_zxid(step.config).is_none() && zxid == self.history.last() {
            // Nothing is open any more, and nothing more can be proposed: the
            // counter must not start over within an epoch.
            self.look(step);
        }
    }

    fn tell_committed(&self, zxid: Zxid, new: &[Txn], step: &mut Step<'_>) {
        let Role::Leading(leading) = &self.role else {
            return;
        };
        for (node, learner) in &leading.learners {
            // A quorum holds it, whatever this node's own disk does.
            match learner {
                Learner::Informed(_) | Learner::Promised(_) => {}
                Learner::Synchronizing(_) | Learner::Active(_) if !step.config.is_voter(*node) => {
                    for txn in new {
                        let inform = Message::Inform(txn.clone());
                        step.outputs.send_gated(*node, inform, Gate::Now);
                    }
                }
                // UPTODATE will tell it.
                Learner::Synchronizing(_) => {}
                Learner::Active(_) => {
                    let commit = Message::Commit { zxid };
                    step.outputs.send_gated(*node, commit, Gate::Now);
                }
            }
        }
    }

    pub(super) fn on_commit(&mut self, zxid: Zxid, step: &mut Step<'_>) {
        if self.has_taken_over().is_some() {
            self.commit_up_to(zxid, step);
        }
    }

    /// An observer hears of a transaction only once that is committed.
    pub(super) fn on_inform(&mut self, txn: Txn, step: &mut Step<'_>) {
        if self.has_taken_over().is_none() {
            return;
        }
        let (zxid, behind) = (txn.zxid, self.history.last());
        if zxid > behind {
            self.history.extend(std::slice::from_ref(&txn));
            step.persist_history(behind, Record::Append(vec![txn]));
        }
        self.commit_up_to(zxid, step);
    }

    /// Applies what is newly committed, in order, and answers who asked.
    pub(super) fn commit_up_to(&mut self, zxid: Zxid, step: &mut Step<'_>) {
        let new = self.history.between(self.committed, zxid).to_vec();
        for txn in new {
            self.committed = txn.zxid;
            let reply = self.execute(&txn, step.config);
            if let Role::Leading(leading) = &mut self.role
                && let Some(id) = leading.pending.remove(&txn.zxid)
            {
                step.answer(id, Outcome::Ok(reply));
            }
        }
        self.compact_if_long(step);
    }

    pub(super) fn on_heartbeat_timeout(&mut self, step: &mut Step<'_>) {
        let Role::Leading(leading) = &self.role else {
            return;
        };
        for learner in leading.learners.keys() {
            step.outputs.send_gated(*learner, Message::Ping, Gate::Now);
        }
        step.outputs.set_timer(Timer::Heartbeat, Span::Heartbeat);
    }

    /// Gives up if no quorum was heard since the last time: a leader that is
    /// cut off must not keep its clients waiting, and one that nobody follows
    /// must look again.
    pub(super) fn on_quorum_timeout(&mut self, step: &mut Step<'_>) {
        let Role::Leading(leading) = &mut self.role else {
            return;
        };
        let heard = leading.roll.call();
        if !step.config.check_quorum {
            // Set only until it is established.
            return self.look(step);
        }
        if !step.config.is_quorum_with(&heard) {
            return self.look(step);
        }
        step.outputs.set_timer(Timer::Quorum, Span::Election);
    }

    /// Gives up if the sessions that hold are too few. A leader that has no
    /// epoch yet still waits for the first ones.
    pub(super) fn look_if_deserted(&mut self, step: &mut Step<'_>) {
        let Role::Leading(leading) = &self.role else {
            return;
        };
        let is_deserted = !step.config.is_quorum_with(leading.learners.keys());
        if is_deserted && leading.stage > Stage::Gathering {
            self.look(step);
        }
    }
}
