//! What no single state of a Paxos cluster tells: what was ever proposed and
//! accepted, what anybody took for decided, what clients were told.

use std::collections::BTreeMap;

use tribunal_protocol::NodeId;
use tribunal_protocol::machine::Outcome;
use tribunal_protocol::object::Answer;
use tribunal_protocol::paxos::{Ballot, Command, Durable, Message, Paxos, Slot};

use super::PaxosSystem;
use crate::system::{Broken, Draft, Seen};
use crate::votes::Votes;

/// What is remembered of the past.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ghost {
    /// What was ever proposed, and who accepted it.
    pub votes: Votes<Ballot, Command>,
    /// What somebody took for decided, by slot.
    pub learned: BTreeMap<Slot, Command>,
    /// The last slot that somebody took for decided when a client was last
    /// told what its operation returned.
    pub acknowledged: Slot,
}

/// Takes note of what happened, and judges it.
pub(super) fn observe(
    system: &PaxosSystem,
    ghost: &mut Draft<'_, Ghost>,
    seen: Seen<'_, Paxos>,
    broken: &mut Vec<Broken>,
) {
    let mut notes = Notes {
        system,
        ghost,
        broken,
    };
    match seen {
        Seen::Shown {
            node,
            after,
            durable,
            ..
        } => {
            notes.votes_on_disk(node, durable);
            notes.learned(node, after);
        }
        Seen::Sent { from, message, .. } => notes.message(from, message),
        Seen::Answered { outcome, .. } => notes.answer(outcome),
        Seen::Crashed { .. } => {}
    }
}

struct Notes<'a, 'g> {
    system: &'a PaxosSystem,
    ghost: &'a mut Draft<'g, Ghost>,
    broken: &'a mut Vec<Broken>,
}

impl Notes<'_, '_> {
    fn message(&mut self, from: NodeId, message: &Message) {
        match message {
            Message::Prepare { ballot, .. } | Message::Promise { ballot, .. } => {
                self.promise(from, *ballot);
            }
            Message::Accept {
                ballot,
                first,
                commands,
                ..
            } => {
                self.promise(from, *ballot);
                for (slot, command) in (*first..).zip(commands) {
                    self.proposal(slot, *ballot, command);
                }
            }
            Message::Accepted {
                ballot,
                first,
                count,
            } => {
                self.promise(from, *ballot);
                for slot in *first..first + count {
                    self.vote(slot, *ballot, from);
                }
            }
            _ => {}
        }
    }

    fn promise(&mut self, node: NodeId, ballot: Ballot) {
        if !self.ghost.votes.has_promised(node, ballot) {
            self.ghost.votes.promise(node, ballot);
        }
    }

    /// Validity: nothing is proposed that no client asked for, but for no-ops.
    fn proposal(&mut self, slot: Slot, ballot: Ballot, command: &Command) {
        if *command != Command::Noop && !self.system.wanted.contains(command) {
            let why = format!("{command:?} is proposed in slot {slot}, and nobody asked for it");
            self.broken.push(Broken::new("Validity", why));
        }
        if self.ghost.votes.is_news(slot, ballot, command) {
            let proposed = self.ghost.votes.propose(slot, ballot, command);
            self.broken.extend(proposed.err());
        }
    }

    /// What a node has accepted durably it has voted for, whether or not it
    /// says so: a leader says so to nobody.
    fn votes_on_disk(&mut self, node: NodeId, durable: &Durable) {
        for (slot, accepted) in durable.log.from(0) {
            self.proposal(slot, accepted.ballot, &accepted.command);
            self.vote(slot, accepted.ballot, node);
        }
    }

    fn vote(&mut self, slot: Slot, ballot: Ballot, voter: NodeId) {
        if self.ghost.votes.has_voted(slot, ballot, voter) {
            return;
        }
        let quorums = &self.system.quorums;
        let voted = self.ghost.votes.vote(slot, ballot, voter, quorums);
        self.broken.extend(voted.err());
        let safe = self.ghost.votes.judge_safety(slot, ballot, quorums);
        self.broken.extend(safe.err());
    }

    /// State Machine Safety: no two nodes apply different commands in one
    /// slot. Integrity: and none that is not chosen.
    fn learned(&mut self, node: NodeId, after: &Paxos) {
        for slot in after.log().base() + 1..=after.decided() {
            let Some(accepted) = after.log().get(slot) else {
                let why = format!("{node} applied slot {slot} and no longer has it");
                return self.broken.push(Broken::new("State Machine Safety", why));
            };
            let command = &accepted.command;
            match self.ghost.learned.get(&slot) {
                Some(known) if known == command => {}
                Some(known) => {
                    let why = format!(
                        "{node} applied {command:?} in slot {slot}, where {known:?} was applied \
                         before"
                    );
                    self.broken.push(Broken::new("State Machine Safety", why));
                }
                None => {
                    let quorums = &self.system.quorums;
                    let judged = self.ghost.votes.judge_learned(slot, command, node, quorums);
                    self.broken.extend(judged.err());
                    self.ghost.learned.insert(slot, command.clone());
                }
            }
        }
    }

    fn answer(&mut self, outcome: &Outcome<Answer>) {
        let learned = self.ghost.learned.last_key_value();
        let last = learned.map_or(0, |(slot, _)| *slot);
        if matches!(outcome, Outcome::Ok(_)) && self.ghost.acknowledged < last {
            self.ghost.acknowledged = last;
        }
    }
}
