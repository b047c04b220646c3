//! Snapshots and compaction.
//!
//! A node drops transactions that its object already shows, once a snapshot of
//! the object is one durable fact with the drop. A leader sends its snapshot to
//! a follower that needs transactions which are gone.
//!
//! What a snapshot shows is committed, so it never takes anything back but
//! what was not.

use super::{Config, Message, Record, Reply, Step, Wrong, Zab, Zxid};
use crate::machine::{Gate, NodeId, Outcome, RequestId};
use crate::object::{Answer, Store};
use crate::snapshot;

/// The object as the transactions up to its head made it.
pub type Snapshot = snapshot::Snapshot<Zxid>;
/// A chunk of one.
pub type Chunk = snapshot::Chunk<Zxid>;
pub(super) type Arriving = snapshot::Arriving<Zxid>;

/// The object of a snapshot; the one of the start if nothing was taken yet.
pub(super) fn restored(config: &Config, snapshot: &Snapshot) -> Store {
    if snapshot.head == Zxid::default() {
        return Store::new(config.sessions_founding);
    }
    Store::from_parts(config.sessions_founding, &snapshot.parts)
}

impl Zab {
    /// Drops all that a snapshot can stand for, at the request of an operator.
    pub(super) fn on_compact(&mut self, id: RequestId, step: &mut Step<'_>) {
        let outcome = if self.history.count_to(self.committed) == 0 {
            Outcome::Never("nothing was committed since the last time".into())
        } else {
            self.compact(0, step);
            Outcome::Ok(Reply {
                zxid: self.committed,
                answer: Answer::Done,
            })
        };
        step.answer(id, outcome);
    }

    /// Takes a snapshot of all that is committed once so many transactions
    /// are.
    pub(super) fn compact_if_long(&mut self, step: &mut Step<'_>) {
        let committed = self.history.count_to(self.committed) as u64;
        let most = step.config.compact_after;
        if most.is_some_and(|most| committed > 0 && committed >= most) {
            self.compact(step.config.compact_keep, step);
        }
    }

    /// Takes a snapshot of all that is committed, and drops the transactions
    /// that it shows but for the last few.
    fn compact(&mut self, keep: u64, step: &mut Step<'_>) {
        let forgets = step.config.breaks(Wrong::DedupTableNotInSnapshot);
        let snapshot = Snapshot::of(self.committed, &self.store, forgets);
        let committed = self.history.count_to(self.committed);
        let dropped = committed.saturating_sub(keep as usize);
        let base = match dropped.checked_sub(1) {
            Some(last) => self.history.txns()[last].zxid,
            None => self.history.base(),
        };
        self.history.begin_behind(base);
        self.snapshot = snapshot.clone().into();
        step.records.push(Record::Snapshot { snapshot, base });
    }

    /// Sends the node's snapshot, chunk by chunk. Nothing need be asked again:
    /// they arrive in order, or the session breaks and all begins anew.
    pub(super) fn send_snapshot(&self, to: NodeId, gate: Gate, step: &mut Step<'_>) {
        let mut sent = 0;
        loop {
            let chunk = self.snapshot.chunk(sent, step.config.chunk_max.max(1));
            sent += chunk.parts.len() as u64;
            let is_last = chunk.is_last;
            step.outputs.send_gated(to, Message::Snap(chunk), gate);
            if is_last {
                return;
            }
        }
    }
}
