//! Snapshots and log compaction.
//!
//! A node drops slots that its object already shows, once a snapshot of the
//! object is one durable fact with the drop. Whoever needs slots that are gone
//! fetches the snapshot chunk by chunk; it asks for each itself, so that only
//! the one that lacks something keeps count.
//!
//! What a snapshot shows is decided, so it never takes anything back.

use std::sync::Arc;

use super::{Message, Paxos, Record, Slot, Step, Wrong};
use crate::machine::{Gate, NodeId, Outcome, RequestId};
use crate::object::{Answer, Store};
use crate::snapshot;

/// The object as the slots up to its head made it.
pub type Snapshot = snapshot::Snapshot<Slot>;
/// A chunk of one.
pub type Chunk = snapshot::Chunk<Slot>;
pub(super) type Arriving = snapshot::Arriving<Slot>;

impl Paxos {
    /// Drops all that a snapshot can stand for, at the request of an operator.
    pub(super) fn on_compact(&mut self, id: RequestId, step: &mut Step<'_>) {
        let outcome = if self.decided == self.log.base() {
            Outcome::Never("nothing was decided since the last time".into())
        } else {
            self.compact(0, step);
            Outcome::Ok(Answer::Done)
        };
        step.answer(id, outcome);
    }

    /// Takes a snapshot of all that is decided once so many slots are.
    pub(super) fn compact_if_long(&mut self, step: &mut Step<'_>) {
        let decided = self.decided - self.log.base();
        let most = step.config.compact_after;
        if most.is_some_and(|most| decided >= most) {
            self.compact(step.config.compact_keep, step);
        }
    }

    /// Takes a snapshot of all that is decided, and drops the slots that it
    /// shows but for the last few.
    fn compact(&mut self, keep: u64, step: &mut Step<'_>) {
        let forgets = step.config.breaks(Wrong::DedupTableNotInSnapshot);
        let snapshot = Snapshot::of(self.decided, &self.store, forgets);
        let base = self.decided.saturating_sub(keep).max(self.log.base());
        self.adopt(snapshot, base, step);
    }

    /// The node's snapshot and the beginning of its log change in one fact.
    fn adopt(&mut self, snapshot: Snapshot, base: Slot, step: &mut Step<'_>) {
        self.log.begin_behind(base);
        self.snapshot = Arc::new(snapshot.clone());
        step.records.push(Record::Snapshot { snapshot, base });
    }

    /// Sends the next chunk of the snapshot of which so many parts have
    /// arrived, or the first of the present one.
    pub(super) fn send_chunk(
        &mut self,
        to: NodeId,
        arrived: Option<(Slot, u64)>,
        step: &mut Step<'_>,
    ) {
        // The one that was begun is kept until it has arrived: otherwise a node
        // that compacts often would start over for ever.
        let lent = self.lent.entry(to).or_insert_with(|| self.snapshot.clone());
        let offset = match arrived {
            Some((head, count)) if head == lent.head => count,
            _ => {
                *lent = self.snapshot.clone();
                0
            }
        };
        let chunk = lent.chunk(offset, step.config.chunk_max);
        // What it shows is decided: a quorum holds it, whatever this node's own
        // disk does.
        let install = Message::Install { chunk };
        step.outputs.send_gated(to, install, Gate::Now);
    }

    /// A chunk arrives that was asked for.
    pub(super) fn on_install(
        &mut self,
        from: NodeId,
        chunk: snapshot::Chunk<Slot>,
        step: &mut Step<'_>,
    ) {
        if chunk.head <= self.decided || self.leads() {
            return;
        }
        let arrived = |node: &Paxos| {
            node.arriving
                .as_ref()
                .map(|each| (*each.head(), each.count()))
        };
        let before = arrived(self);
        let whole = Arriving::gather(&mut self.arriving, chunk, false);
        // One that repeats what has arrived asks for nothing: otherwise every
        // chunk that follows would be sent as often, too.
        if whole.is_none() && arrived(self) == before {
            return;
        }
        let is_whole = whole.is_some();
        if let Some(snapshot) = whole {
            self.install(snapshot, step);
        }
        self.fetch_from(from, step);
        if is_whole {
            self.lead_if_promised(step);
        }
    }

    fn install(&mut self, snapshot: Snapshot, step: &mut Step<'_>) {
        self.store = Store::from_parts(step.config.sessions_founding, &snapshot.parts);
        self.decided = snapshot.head;
        let base = snapshot.head;
        self.adopt(snapshot, base, step);
    }
}
