//! Reads of what a node has.
//!
//! Any node answers one from its object, at once, and says which zxid that
//! reflects. It may be old: whoever needs the latest lets the read be a
//! transaction ([`Request::Call`](super::Request::Call)). But a client never
//! sees its world go back, whichever nodes it asks, since it says what it has
//! seen and a node that is behind that refuses (as ZooKeeper refuses a client
//! that has seen a later zxid).

use super::{Reply, Step, Wrong, Zab, Zxid};
use crate::machine::{Outcome, RequestId};
use crate::object::{Answer, Key};

impl Zab {
    pub(super) fn on_read(&mut self, id: RequestId, key: Key, seen: Zxid, step: &mut Step<'_>) {
        if seen > self.committed && !step.config.breaks(Wrong::ReadIgnoresSeenZxid) {
            let why = "the client has seen more than this node has";
            return step.answer(id, Outcome::Never(why.into()));
        }
        self.read_here(id, key, step);
    }

    pub(super) fn read_here(&self, id: RequestId, key: Key, step: &mut Step<'_>) {
        let zxid = if step.config.breaks(Wrong::ReadReportsLoggedZxid) {
            self.history.last()
        } else {
            self.committed
        };
        let answer = Answer::Value(self.store.read(key));
        step.answer(id, Outcome::Ok(Reply { zxid, answer }));
    }
}
