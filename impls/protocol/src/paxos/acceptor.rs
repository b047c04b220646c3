//! The acceptor: what may be promised and accepted (PMS §2.2).
//!
//! Called for messages of phases 1a and 2a whose ballot is not below the
//! promise; the lower ones are refused before.
//!
//! P1a: a value is accepted unless a higher ballot was promised. Both the
//! promise and what was accepted are durable before they are spoken of (PMS
//! §2.5): an acceptor that forgot them could break its word.

use std::collections::BTreeMap;

use super::{Ballot, Command, Message, Paxos, Record, Role, Slot, Step, Timer, Wrong};
use crate::machine::{Gate, NodeId, Span};

impl Paxos {
    /// Somebody wants to lead (1a).
    pub(super) fn on_prepare(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        slot: Slot,
        step: &mut Step<'_>,
    ) {
        if ballot > self.promised && self.is_bound_by_lease(step) {
            return;
        }
        let before = self.promised;
        if ballot > self.promised {
            self.follow(ballot, step);
            step.outputs.set_timer(Timer::Election, Span::Election);
        }
        let promise = self.promise_from(slot, before, step);
        let gate = if step.config.breaks(Wrong::PromiseBeforePersist) {
            Gate::Now
        } else {
            Gate::Durable
        };
        step.outputs.send_gated(from, promise, gate);
    }

    /// What is promised, with all that was accepted from a slot on.
    fn promise_from(&self, slot: Slot, before: Ballot, step: &Step<'_>) -> Message {
        let mut accepted = BTreeMap::new();
        for (slot, value) in self.log.from(slot) {
            let mut value = value.clone();
            if step.config.breaks(Wrong::PromiseReportsPromisedBallot) {
                value.ballot = value.ballot.max(before);
            }
            accepted.insert(slot, value);
        }
        Message::Promise {
            ballot: self.promised,
            base: self.log.base(),
            accepted,
        }
    }

    /// A leader proposes values (2a).
    pub(super) fn on_accept(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        (first, commands): (Slot, Vec<Command>),
        decided: Slot,
        step: &mut Step<'_>,
    ) {
        self.hear_leader(from, ballot, step);
        self.accept(ballot, first, &commands, step);
        let before = self.decided;
        self.learn(ballot, decided, step);
        let end = first + commands.len() as u64;
        if end <= decided + 1 && before < self.decided && self.decided < decided {
            // Nothing in it was new to the leader: it was fetched, and there
            // is more.
            self.fetch_from(from, step);
        }
        let accepted = Message::Accepted {
            ballot,
            first,
            count: commands.len() as u64,
        };
        let gate = if step.config.breaks(Wrong::AcceptedBeforePersist) {
            Gate::Now
        } else {
            Gate::Durable
        };
        step.outputs.send_gated(from, accepted, gate);
    }

    /// Somebody leads a ballot that is not below the promise.
    pub(super) fn hear_leader(&mut self, from: NodeId, ballot: Ballot, step: &mut Step<'_>) {
        let forgets = step.config.breaks(Wrong::AcceptDoesNotRaisePromise);
        if ballot > self.promised && !forgets {
            self.follow(ballot, step);
        }
        if !matches!(self.role, Role::Follower) {
            // Only the wrong version gets here: a leader that goes on beside
            // the one it hears.
            return;
        }
        self.leader = Some(from);
        step.outputs.set_timer(Timer::Election, Span::Election);
    }

    /// Accepts values, in one fact. What it has accepted already in that
    /// ballot is the same (PMS §2.2, P2).
    pub(super) fn accept(
        &mut self,
        ballot: Ballot,
        first: Slot,
        commands: &[Command],
        step: &mut Step<'_>,
    ) {
        let end = first + commands.len() as u64;
        let is_new = |slot: &Slot| {
            *slot > self.log.base() && self.log.get(*slot).is_none_or(|had| had.ballot != ballot)
        };
        let new: Vec<Slot> = (first..end).filter(is_new).collect();
        let Some(&start) = new.first() else {
            return;
        };
        let commands = commands[(start - first) as usize..].to_vec();
        self.log.accept(ballot, start, &commands);
        step.slots.extend(new);
        step.records.push(Record::Accept {
            ballot,
            first: start,
            commands,
        });
    }
}
