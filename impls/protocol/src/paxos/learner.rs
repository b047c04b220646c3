//! The learner: what is decided, and how a node learns what it missed.
//!
//! A leader knows by counting; everybody else by the leader's word that every
//! slot up to some place is decided. A value that a node has accepted in that
//! very ballot is then the decision: one value a ballot, and a leader proposes
//! in a slot what lower ballots may have decided there. One that it accepted in
//! a lower ballot says nothing.
//!
//! A node that lacks decisions fetches them from the leader, which proposes
//! them again in its own ballot: so what is learnt is accepted, and survives.

use super::{Ballot, Command, Config, Message, Paxos, Slot, Step, Wrong};
use crate::machine::{Gate, NodeId};
use crate::object::Answer;

impl Paxos {
    /// The leader of `ballot` says that every slot up to `decided` is.
    pub(super) fn learn(&mut self, ballot: Ballot, decided: Slot, step: &mut Step<'_>) {
        while self.decided < decided {
            let Some(accepted) = self.log.get(self.decided + 1) else {
                break;
            };
            let any = step.config.breaks(Wrong::SyncFromStaleAcceptedIndex);
            if accepted.ballot != ballot && !any {
                break;
            }
            self.apply_next(step.config);
        }
        let known = self.decided;
        // A snapshot that shows less is of no use any more.
        self.arriving.take_if(|arriving| *arriving.head() <= known);
        self.compact_if_long(step);
    }

    /// Applies what is decided in the next slot.
    pub(super) fn apply_next(&mut self, config: &Config) -> Answer {
        let slot = self.decided + 1;
        let accepted = self.log.get(slot);
        let command = accepted.expect("a decision is in the log").command.clone();
        self.decided = slot;
        let Command::Call(call) = command else {
            return Answer::Done;
        };
        if config.breaks(Wrong::RetryAppliedTwice) {
            let call = call.without_ticket();
            return self.store.call(&call, slot, config.sessions_max);
        }
        self.store.call(&call, slot, config.sessions_max)
    }

    /// A leader lives, and says how far decisions go.
    pub(super) fn on_heartbeat(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        decided: Slot,
        lease: u64,
        step: &mut Step<'_>,
    ) {
        self.hear_leader(from, ballot, step);
        self.learn(ballot, decided, step);
        if self.decided < decided {
            self.fetch_from(from, step);
        }
        self.grant(lease);
        step.outputs
            .send(from, Message::Following { ballot, lease });
    }

    /// Asks for what comes next.
    pub(super) fn fetch_from(&self, node: NodeId, step: &mut Step<'_>) {
        let arrived = self.arriving.as_ref();
        let fetch = Message::Fetch {
            next: self.decided + 1,
            arrived: arrived.map(|arriving| (*arriving.head(), arriving.count())),
        };
        step.outputs.send_gated(node, fetch, Gate::Now);
    }

    /// Another node lacks decisions.
    pub(super) fn on_fetch(
        &mut self,
        from: NodeId,
        next: Slot,
        arrived: Option<(Slot, u64)>,
        step: &mut Step<'_>,
    ) {
        self.lent
            .retain(|node, lent| *node != from || lent.head >= next);
        if next <= self.log.base() {
            self.send_chunk(from, arrived, step);
        } else if self.leads() {
            let count = step.config.batch_max;
            let commands = self.log.commands(next, self.decided, count);
            if !commands.is_empty() {
                let accept = self.accept_message(next, commands);
                step.outputs.send_gated(from, accept, Gate::Now);
            }
        }
    }
}
