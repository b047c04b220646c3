//! Snapshots and log compaction (§7).
//!
//! A node drops entries that its object already shows, once a snapshot of the
//! object is one durable fact with the drop. A leader sends its snapshot to a
//! follower that needs entries which are gone: in chunks, one on its way at a
//! time, each naming the snapshot that it is of. A snapshot that is begun is
//! sent to its end, whatever the leader compacts meanwhile; to start over each
//! time could go on for ever.
//!
//! A snapshot ends where the node had committed, so it never takes anything
//! back: it replaces only what is missing, or what was never committed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Appended, Membership, Memberships, Message, Position, Raft, Record, Role, Step, Timer, Wrong,
};
use crate::machine::{Gate, NodeId, Outcome, RequestId, Span};
use crate::object::{Answer, Store};
use crate::snapshot;

/// The object as a prefix of the log made it.
pub type Snapshot = snapshot::Snapshot<Head>;
/// A chunk of one.
pub type Chunk = snapshot::Chunk<Head>;
pub(super) type Arriving = snapshot::Arriving<Head>;

/// What a snapshot is of.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Head {
    /// The last entry that it shows.
    pub last: Position,
    /// The latest membership up to there.
    pub membership: Membership,
    /// The index of the entry that brought that membership.
    pub membership_index: u64,
}

/// A snapshot that a leader is sending.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sending {
    snapshot: Arc<Snapshot>,
    /// How many parts of it have arrived.
    arrived: u64,
}

impl Sending {
    /// The index of the last entry that the snapshot shows.
    pub(super) fn ends_at(&self) -> u64 {
        self.snapshot.head.last.index
    }

    /// Takes note of an answer; whether it is one to the chunk on its way. A
    /// copy of an earlier answer is not, and would have every chunk behind it
    /// sent twice.
    fn hear(&mut self, receipt: &Receipt) -> bool {
        let is_due = receipt.of == self.snapshot.head.last && receipt.offset == self.arrived;
        if is_due {
            self.arrived = receipt.arrived;
        }
        is_due
    }
}

/// What a follower answers to a chunk while parts are missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Receipt {
    /// The last entry of the snapshot that the chunk is of.
    pub of: Position,
    /// How many parts come before the chunk.
    pub offset: u64,
    /// How many parts of the snapshot are there now; less than `offset` where
    /// the follower has lost some.
    pub arrived: u64,
}

impl Raft {
    /// Drops all that a snapshot can stand for, at the request of an operator.
    pub(super) fn on_compact(&mut self, id: RequestId, step: &mut Step<'_>) {
        let outcome = if self.commit == self.log.base().index {
            Outcome::Never("nothing was committed since the last time".into())
        } else {
            self.compact(0, step);
            Outcome::Ok(Answer::Done)
        };
        step.answer(id, outcome);
    }

    /// Takes a snapshot of all that is committed once so many entries are.
    pub(super) fn compact_if_long(&mut self, step: &mut Step<'_>) {
        let committed = self.commit - self.log.base().index;
        if step
            .config
            .compact_after
            .is_some_and(|most| committed >= most)
        {
            self.compact(step.config.compact_keep, step);
        }
    }

    /// Takes a snapshot of all that is committed, and drops the entries that
    /// it shows but for the last few.
    fn compact(&mut self, keep: u64, step: &mut Step<'_>) {
        let (membership_index, membership) = self.memberships.up_to(self.commit);
        let head = Head {
            last: self.position_of(self.commit),
            membership: membership.clone(),
            membership_index,
        };
        let kept = self.commit.saturating_sub(keep);
        let base = self.position_of(kept.max(self.log.base().index));
        let forgets = step.config.breaks(Wrong::DedupTableNotInSnapshot);
        self.adopt(Snapshot::of(head, &self.store, forgets), base, step);
    }

    /// The place of an entry that is kept, or of the base.
    pub(super) fn position_of(&self, index: u64) -> Position {
        let term = self.log.term_at(index).unwrap_or(0);
        Position { term, index }
    }

    /// The node's snapshot and the beginning of its log change in one fact.
    fn adopt(&mut self, snapshot: Snapshot, base: Position, step: &mut Step<'_>) {
        self.log.begin_behind(base);
        self.snapshot = snapshot.clone().into();
        step.records.push(Record::Snapshot { snapshot, base });
    }

    /// The leader sends the next chunk of the snapshot that it has begun to
    /// send, or of its latest.
    pub(super) fn send_chunk(&mut self, to: NodeId, step: &mut Step<'_>) {
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        let Some(progress) = leadership.followers.get_mut(&to) else {
            return;
        };
        let sending = progress.sending.get_or_insert_with(|| Sending {
            snapshot: self.snapshot.clone(),
            arrived: 0,
        });
        let install = Message::Install {
            term: self.term,
            round: leadership.round,
            chunk: sending
                .snapshot
                .chunk(sending.arrived, step.config.chunk_max),
        };
        // What it shows is committed: a quorum holds it, whatever this node's
        // own disk does.
        step.outputs.send_gated(to, install, Gate::Now);
    }

    /// A chunk of the leader's snapshot arrives.
    pub(super) fn on_install(
        &mut self,
        from: NodeId,
        term: u64,
        round: u64,
        chunk: Chunk,
        step: &mut Step<'_>,
    ) {
        let (of, offset) = (chunk.head.last, chunk.offset);
        let receipt = |arrived| Receipt {
            of,
            offset,
            arrived,
        };
        if term < self.term {
            let nothing = self.install_reply(round, receipt(0));
            return step.outputs.send(from, nothing);
        }
        if term == self.term && self.leads() {
            return;
        }
        self.follow(term, step);
        self.leader = Some(from);
        step.outputs.set_timer(Timer::Election, Span::Election);
        let last = chunk.head.last;
        if last.index <= self.commit {
            // All that it shows is here.
            self.arriving = None;
            return self.answer_append(from, round, Appended::Matched(last.index), step);
        }
        let any = step.config.breaks(Wrong::ChunksOfTwoSnapshotsJoined);
        if let Some(snapshot) = Arriving::gather(&mut self.arriving, chunk, any) {
            self.install(snapshot, step);
            return self.answer_append(from, round, Appended::Matched(last.index), step);
        }
        let arrived = self.arriving.as_ref().map_or(0, Arriving::count);
        let reply = self.install_reply(round, receipt(arrived));
        step.outputs.send(from, reply);
    }

    fn install(&mut self, snapshot: Snapshot, step: &mut Step<'_>) {
        let head = &snapshot.head;
        let last = head.last;
        if step.config.breaks(Wrong::SnapshotLowersTerm) && last.term < self.term {
            self.term = last.term;
            self.vote = None;
            step.vote_changed = true;
        }
        self.store = Store::from_parts(step.config.sessions_founding, &snapshot.parts);
        self.commit = last.index;
        if !self.log.holds(last) {
            // Nothing of the log stays.
            self.memberships = Memberships::new(head.membership_index, head.membership.clone());
        }
        self.memberships.forget_below(self.commit);
        let from = self.log.base().index + 1;
        step.log_from = Some(step.log_from.map_or(from, |other| other.min(from)));
        self.adopt(snapshot, last, step);
    }

    fn install_reply(&self, round: u64, receipt: Receipt) -> Message {
        Message::InstallReply {
            term: self.term,
            round,
            receipt,
        }
    }

    /// The follower says how much of a snapshot it has.
    pub(super) fn on_install_reply(
        &mut self,
        from: NodeId,
        term: u64,
        round: u64,
        receipt: Receipt,
        step: &mut Step<'_>,
    ) {
        if !self.hear_reply(from, term, round, step) {
            return;
        }
        if let Some(progress) = self.progress(from)
            && let Some(sending) = &mut progress.sending
            && sending.hear(&receipt)
        {
            progress.in_flight = false;
        }
        self.send_missing(from, step);
        self.answer_reads(step);
    }
}
