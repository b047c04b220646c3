//! Leadership transfer (diss. §3.10).
//!
//! A leader that is asked to make way accepts no more commands, waits until
//! the target's log is as long as its own, and tells it to stand at once. The
//! target wins if the others hear it first; if it has not won within an
//! election timeout the leader goes on. Safety needs none of this: the target
//! stands as any other candidate does.

use super::{Message, Raft, Role, Step, Timer};
use crate::machine::{Gate, NodeId, Outcome, RequestId, Span};

/// A transfer that has begun.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Transfer {
    /// Who asked for it.
    pub(super) id: RequestId,
    /// Who is to lead next.
    pub(super) target: NodeId,
    /// Whether the target was told to stand, since the last heartbeat.
    pub(super) is_told: bool,
}

impl Raft {
    pub(super) fn is_transferring(&self) -> bool {
        matches!(&self.role, Role::Leader(leadership) if leadership.transfer.is_some())
    }

    /// A client asks this leader to make way.
    pub(super) fn on_transfer(&mut self, id: RequestId, target: NodeId, step: &mut Step<'_>) {
        let is_voter = self.membership().voters.contains(&target);
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        if !is_voter || target == step.config.id {
            let why = "it takes another voter to lead";
            return step.answer(id, Outcome::Never(why.into()));
        }
        leadership.transfer = Some(Transfer {
            id,
            target,
            is_told: false,
        });
        step.outputs.set_timer(Timer::Transfer, Span::Election);
        self.hand_over_if_caught_up(step);
    }

    /// Tells the target to stand, once it has all that this leader has.
    pub(super) fn hand_over_if_caught_up(&mut self, step: &mut Step<'_>) {
        let (term, last_index) = (self.term, self.log.last_index());
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        let Some(transfer) = &mut leadership.transfer else {
            return;
        };
        let progress = leadership.followers.get(&transfer.target);
        let caught_up = progress.is_some_and(|progress| progress.matched == last_index);
        if caught_up && !transfer.is_told {
            transfer.is_told = true;
            let stand = Message::TimeoutNow { term };
            step.outputs.send_gated(transfer.target, stand, Gate::Now);
        }
    }

    /// The target did not take over: this leader goes on. The target may
    /// still stand, if it is told late.
    pub(super) fn on_transfer_timeout(&mut self, step: &mut Step<'_>) {
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        if let Some(transfer) = leadership.transfer.take() {
            let why = "the other node did not take over in time";
            step.answer(transfer.id, Outcome::Unknown(why.into()));
        }
    }

    /// The leader wants this node to lead. No pre-vote: it would be refused
    /// while the leader lives.
    pub(super) fn on_timeout_now(&mut self, term: u64, step: &mut Step<'_>) {
        let stands = term == self.term && !self.leads() && self.may_stand(step.config);
        if stands {
            self.leader = None;
            self.stand(step);
        }
    }
}
