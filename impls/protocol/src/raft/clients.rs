//! What becomes of a client's request.
//!
//! Only a leader accepts one; another node names the leader, or says that the
//! request will never take effect, since it was not accepted.

use super::{Command, Config, Raft, Request, Step, Wrong};
use crate::machine::{Outcome, RequestId};
use crate::object::Answer;

impl Raft {
    pub(super) fn on_request(&mut self, id: RequestId, request: Request, step: &mut Step<'_>) {
        if let Request::Read { key } = request
            && step.config.breaks(Wrong::LocalReadAtFollower)
        {
            return step.answer(id, Outcome::Ok(Answer::Value(self.store.read(key))));
        }
        if request == Request::Compact {
            return self.on_compact(id, step);
        }
        if !self.leads() {
            return step.answer(id, self.refusal(step.config));
        }
        if self.is_transferring() && !matches!(request, Request::Read { .. }) {
            let why = "leadership is being transferred";
            return step.answer(id, Outcome::Never(why.into()));
        }
        match request {
            Request::Call(call) => self.propose(Command::Call(call), Some(id), step),
            Request::Read { key } => self.on_read(id, key, step),
            Request::Reconfigure(change) => self.on_reconfigure(id, change, step),
            Request::Transfer(to) => self.on_transfer(id, to, step),
            Request::Compact => {}
        }
    }

    fn refusal(&self, config: &Config) -> Outcome<Answer> {
        match self.leader {
            Some(leader) if leader != config.id => Outcome::Redirect(leader),
            _ => Outcome::Never("no leader is known".into()),
        }
    }

    /// Applies a committed command to the object.
    pub(super) fn execute(&mut self, command: &Command, index: u64, config: &Config) -> Answer {
        let Command::Call(call) = command else {
            return Answer::Done;
        };
        if config.breaks(Wrong::RetryAppliedTwice) {
            let call = call.without_ticket();
            return self.store.call(&call, index, config.sessions_max);
        }
        self.store.call(call, index, config.sessions_max)
    }
}
