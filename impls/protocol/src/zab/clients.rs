//! What becomes of a client's request.
//!
//! Only an established leader proposes; another node names the leader, or says
//! that the request will never take effect, since it was not accepted.

use serde::{Deserialize, Serialize};

use super::{Config, Request, Role, Step, Txn, Wrong, Zab, Zxid};
use crate::machine::{Outcome, RequestId};
use crate::object::{Answer, Call, Operation};

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Reply {
    /// The transaction that the answer reflects, and nothing behind it: the
    /// one that the client asked for, or the last that the node has applied.
    pub zxid: Zxid,
    /// What the object says.
    pub answer: Answer,
}

impl Zab {
    pub(super) fn on_request(&mut self, id: RequestId, request: Request, step: &mut Step<'_>) {
        let call = match request {
            Request::Compact => return self.on_compact(id, step),
            Request::Read { key, seen } => return self.on_read(id, key, seen, step),
            Request::Call(call) => call,
        };
        if let Call::Execute {
            operation: Operation::Read { key },
            ..
        } = call
        {
            let here = step.config.breaks(Wrong::LocalReadAtFollower)
                || self.is_established() && step.config.breaks(Wrong::LocalReadAtLeader);
            if here {
                return self.read_here(id, key, step);
            }
        }
        if self.is_established() {
            self.propose(call, id, step);
        } else {
            step.answer(id, self.refusal());
        }
    }

    fn refusal(&self) -> Outcome<Reply> {
        match &self.role {
            Role::Following(following) => Outcome::Redirect(following.leader),
            Role::Looking(_) => Outcome::Never("no leader is known".into()),
            Role::Leading(_) => Outcome::Never("the leader is not established yet".into()),
        }
    }

    /// Applies a committed transaction to the object.
    pub(super) fn execute(&mut self, txn: &Txn, config: &Config) -> Reply {
        let (zxid, position) = (txn.zxid, txn.zxid.number());
        let answer = if config.breaks(Wrong::RetryAppliedTwice) {
            let call = txn.call.without_ticket();
            self.store.call(&call, position, config.sessions_max)
        } else {
            self.store.call(&txn.call, position, config.sessions_max)
        };
        Reply { zxid, answer }
    }
}
