//! Synchronization: how the leader's history becomes everybody's (DSN §IV,
//! phase 2).
//!
//! Called once a leader has its epoch. Decides what each follower lacks, and
//! when the leader is established; proposes nothing.
//!
//! ```text
//!   leader                                   follower
//!      | -- TRUNC, or SNAP; then DIFF ------> |  gathers, changes nothing
//!      | -- NEWLEADER(e) -------------------> |  takes all over: one fact
//!      | <----------------- ACK-NEWLEADER --- |
//!      | -- UPTODATE(committed) ------------> |  once a quorum has
//! ```
//!
//! What a follower holds that the leader does not was never committed: a
//! quorum that held it would have kept the leader from its epoch. What the two
//! share ends with the last zxid of the leader's that is not beyond the
//! follower's last: of two histories one leader made whatever stands at a zxid,
//! and all that stands before it.
//!
//! A leader that is established goes on proposing while a follower gathers;
//! those proposals follow NEWLEADER in its session. An observer is sent what
//! is committed only, and so waits until something can be.

use serde::{Deserialize, Serialize};

use super::{
    Chunk, Epoch, History, Learner, Message, Phase, Record, Role, Snapshot, Stage, Step, Timer,
    Txn, Wrong, Zab, Zxid, snapshot,
};
use crate::machine::{Gate, NodeId};

/// What a follower takes over at NEWLEADER.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Synchronized {
    /// The epoch of the leader.
    pub epoch: Epoch,
    /// What stands in place of the history before it, if anything does.
    pub snapshot: Option<Snapshot>,
    /// Otherwise: the last transaction that is kept; all of them if `None`.
    pub keep: Option<Zxid>,
    /// What follows.
    pub txns: Vec<Txn>,
}

/// What has arrived of a leader's history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Incoming {
    arriving: Option<snapshot::Arriving>,
    taken: Synchronized,
}

impl Synchronized {
    /// Changes a history accordingly.
    pub(super) fn apply(&self, history: &mut History) {
        if let Some(snapshot) = &self.snapshot {
            *history = History::behind(snapshot.head);
        }
        if let Some(keep) = self.keep {
            history.truncate_behind(keep);
        }
        history.extend(&self.txns);
    }
}

impl Incoming {
    pub(super) fn on_trunc(&mut self, to: Zxid) {
        self.taken.keep = Some(to);
    }

    pub(super) fn on_snap(&mut self, chunk: Chunk) {
        let whole = snapshot::Arriving::gather(&mut self.arriving, chunk, false);
        self.taken.snapshot = whole.or(self.taken.snapshot.take());
    }

    pub(super) fn on_diff(&mut self, txns: Vec<Txn>) {
        self.taken.txns.extend(txns);
    }
}

impl Zab {
    /// A quorum has promised the leader its epoch.
    pub(super) fn begin_synchronization(&mut self, step: &mut Step<'_>) {
        let Role::Leading(leading) = &mut self.role else {
            return;
        };
        leading.stage = Stage::Synchronization;
        let learners: Vec<NodeId> = leading.learners.keys().copied().collect();
        // It takes its own history over, which changes nothing but the epoch.
        self.current = self.accepted.epoch;
        step.persist_epoch(Record::Synchronized(Synchronized {
            epoch: self.current,
            ..Synchronized::default()
        }));
        for learner in learners {
            self.send_history(learner, step);
        }
    }

    /// Sends a learner that has promised what it lacks.
    pub(super) fn send_history(&mut self, to: NodeId, step: &mut Step<'_>) {
        let is_voter = step.config.is_voter(to);
        let Role::Leading(leading) = &mut self.role else {
            return;
        };
        let is_time = is_voter || leading.stage == Stage::Broadcast;
        let Some(Learner::Promised(last)) = leading.learners.get(&to).copied() else {
            return;
        };
        if !is_time {
            return;
        }
        // All of it: also what was proposed and not committed, by earlier
        // leaders or by this one.
        let end = if is_voter {
            self.history.last()
        } else {
            self.committed
        };
        leading.learners.insert(to, Learner::Synchronizing(end));
        // A late joiner need not wait for the leader's disk: the leader counts
        // itself apart. In the first round nothing would be gained by that.
        let gate = match leading.stage {
            Stage::Broadcast => Gate::Now,
            _ => Gate::Durable,
        };
        let new_leader = Message::NewLeader {
            epoch: self.current,
        };
        let is_gone = last < self.history.base();
        let begin = if is_gone {
            self.send_snapshot(to, gate, step);
            self.snapshot.head
        } else {
            let shared = self.history.floor(last.min(end));
            if shared < last {
                let trunc = Message::Trunc { to: shared };
                step.outputs.send_gated(to, trunc, gate);
            }
            shared
        };
        let txns = self.history.between(begin, end);
        if is_gone && step.config.breaks(Wrong::NewleaderBeforeSnapshotComplete) {
            step.outputs.send_gated(to, new_leader, gate);
            for txn in txns {
                let propose = Message::Propose(txn.clone());
                step.outputs.send_gated(to, propose, gate);
            }
            return;
        }
        for txns in txns.chunks(step.config.batch_max.max(1)) {
            let diff = Message::Diff(txns.to_vec());
            step.outputs.send_gated(to, diff, gate);
        }
        step.outputs.send_gated(to, new_leader, gate);
    }

    /// A part of the leader's history arrives, which changes nothing yet: a
    /// session that breaks before NEWLEADER takes it along.
    pub(super) fn gather(&mut self, add: impl FnOnce(&mut Incoming)) {
        if let Role::Following(following) = &mut self.role
            && let Phase::Synchronization(incoming) = &mut following.phase
        {
            add(incoming);
        }
    }

    pub(super) fn on_new_leader(&mut self, from: NodeId, epoch: Epoch, step: &mut Step<'_>) {
        let Role::Following(following) = &mut self.role else {
            return;
        };
        let Phase::Synchronization(incoming) = &mut following.phase else {
            return;
        };
        if epoch != self.accepted.epoch {
            return;
        }
        let mut taken = std::mem::take(&mut incoming.taken);
        taken.epoch = epoch;
        following.phase = Phase::Synchronized;
        self.take_over(taken, step);
        // Behind the persist: the leader counts the whole of its history as
        // durable here.
        let gate = if step.config.breaks(Wrong::AckNewleaderBeforeSync) {
            Gate::Now
        } else {
            Gate::Durable
        };
        step.outputs
            .send_gated(from, Message::AckNewLeader { epoch }, gate);
    }

    /// The leader's history and its epoch become this node's, in one fact.
    fn take_over(&mut self, mut taken: Synchronized, step: &mut Step<'_>) {
        if step.config.breaks(Wrong::EpochBeforeHistory) {
            step.persist_epoch(Record::Synchronized(Synchronized {
                epoch: taken.epoch,
                ..Synchronized::default()
            }));
            step.split_persist();
        }
        if step.config.breaks(Wrong::TruncIgnored) {
            taken.keep = None;
        }
        self.current = taken.epoch;
        let kept = match &taken.snapshot {
            Some(_) => Zxid::default(),
            None => taken.keep.unwrap_or(self.history.last()),
        };
        taken.apply(&mut self.history);
        if let Some(snapshot) = &taken.snapshot {
            self.committed = snapshot.head;
            self.store = snapshot::restored(step.config, snapshot);
            self.snapshot = snapshot.clone().into();
        }
        step.outstanding.epoch = true;
        step.persist_history(kept, Record::Synchronized(taken));
    }

    pub(super) fn on_ack_new_leader(&mut self, from: NodeId, epoch: Epoch, step: &mut Step<'_>) {
        let current = self.current;
        let Role::Leading(leading) = &mut self.role else {
            return;
        };
        let Some(Learner::Synchronizing(last)) = leading.learners.get(&from).copied() else {
            return;
        };
        if epoch != current {
            return;
        }
        leading.learners.insert(from, Learner::Active(last));
        if leading.stage == Stage::Broadcast {
            self.send_up_to_date(from, last, step);
            return self.advance(step);
        }
        self.establish_if_acknowledged(step);
    }

    /// Once a quorum has taken the leader's history over, itself durably, all
    /// of it is committed and the leader is established.
    pub(super) fn establish_if_acknowledged(&mut self, step: &mut Step<'_>) {
        let last = self.history.last();
        let own = self.own_acknowledged(step.config) >= last
            && (self.is_epoch_durable() || step.config.breaks(Wrong::LeaderCountsItselfBeforeSync))
            && !step.outstanding.epoch;
        let Role::Leading(leading) = &mut self.role else {
            return;
        };
        if leading.stage != Stage::Synchronization {
            return;
        }
        let active = leading
            .learners
            .iter()
            .filter_map(|(node, learner)| matches!(learner, Learner::Active(_)).then_some(node));
        if !own || !step.config.is_quorum_with(active) {
            return;
        }
        leading.stage = Stage::Broadcast;
        if !step.config.check_quorum {
            step.outputs.cancel_timer(Timer::Quorum);
        }
        let learners: Vec<_> = leading.learners.iter().map(|(n, l)| (*n, *l)).collect();
        self.commit_up_to(last, step);
        for (node, learner) in learners {
            match learner {
                Learner::Active(acknowledged) => self.send_up_to_date(node, acknowledged, step),
                Learner::Promised(_) => self.send_history(node, step),
                Learner::Informed(_) | Learner::Synchronizing(_) => {}
            }
        }
    }

    /// Tells a follower that it is one, and what is committed: also what was
    /// while it synchronized, of which it has heard nothing.
    fn send_up_to_date(&self, to: NodeId, acknowledged: Zxid, step: &mut Step<'_>) {
        let committed = if step.config.breaks(Wrong::CommitLdCarriesAckedZxid) {
            acknowledged
        } else {
            self.committed
        };
        // A quorum holds what is committed, whatever this node's own disk does.
        step.outputs
            .send_gated(to, Message::UpToDate { committed }, Gate::Now);
    }

    pub(super) fn on_up_to_date(&mut self, committed: Zxid, step: &mut Step<'_>) {
        let Role::Following(following) = &mut self.role else {
            return;
        };
        if following.phase != Phase::Synchronized {
            return;
        }
        following.phase = Phase::Broadcast;
        self.commit_up_to(committed, step);
        if step.config.breaks(Wrong::HoleInCommittedLog) {
            // In memory, where it is looked up for others; not on disk.
            self.history.begin_behind(self.committed);
        }
    }
}
