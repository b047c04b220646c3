//! What becomes of a client's request.
//!
//! Only a leader accepts one; another node names the leader, or says that the
//! request will never take effect, since it was not accepted.

use super::{Command, Config, Paxos, Request, Step, Wrong};
use crate::machine::{Outcome, RequestId};
use crate::object::{Answer, Call, Key, Operation};

impl Paxos {
    pub(super) fn on_request(&mut self, id: RequestId, request: Request, step: &mut Step<'_>) {
        match request {
            Request::Compact => self.on_compact(id, step),
            Request::Read { key } if step.config.breaks(Wrong::LocalReadAtFollower) => {
                self.read_here(id, key, step);
            }
            _ if !self.leads() => step.answer(id, self.refusal(step.config)),
            Request::Call(call) => self.take(Command::Call(call), id, step),
            Request::Read { key } => self.on_read(id, key, step),
        }
    }

    fn refusal(&self, config: &Config) -> Outcome<Answer> {
        match self.leader {
            Some(leader) if leader != config.id => Outcome::Redirect(leader),
            _ => Outcome::Never("no leader is known".into()),
        }
    }

    /// A read is a command like others, unless nobody else can lead and all
    /// that earlier leaders decided is known.
    fn on_read(&mut self, id: RequestId, key: Key, step: &mut Step<'_>) {
        let is_current = self.holds_lease(step) && self.has_recovered(step.config);
        if is_current || step.config.breaks(Wrong::LocalReadAtLeader) {
            return self.read_here(id, key, step);
        }
        let read = Call::Execute {
            ticket: None,
            operation: Operation::Read { key },
        };
        self.take(Command::Call(read), id, step);
    }

    fn read_here(&self, id: RequestId, key: Key, step: &mut Step<'_>) {
        let value = self.store.read(key);
        step.answer(id, Outcome::Ok(Answer::Value(value)));
    }
}
