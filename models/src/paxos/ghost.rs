//! What no single state of a Paxos cluster tells: what was ever proposed and
//! accepted, what anybody took for decided, what clients were told.

use tribunal_protocol::NodeId;
use tribunal_protocol::machine::Outcome;
use tribunal_protocol::object::Answer;
use tribunal_protocol::paxos::{Ballot, Command, Durable, Message, Paxos, Slot};

use super::PaxosSystem;
use crate::system::{Broken, Draft, Seen};
use crate::votes::{Ledger, Votes, Voting};

/// What is remembered of the past.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ghost {
    /// What was ever proposed, accepted and taken for decided.
    pub votes: Votes<Ballot, Command>,
    /// The last slot that somebody took for decided when a client was last
    /// told what its operation returned.
    pub acknowledged: Slot,
}

impl Voting for Ghost {
    type Ballot = Ballot;
    type Value = Command;

    fn votes(&self) -> &Votes<Ballot, Command> {
        &self.votes
    }

    fn votes_mut(&mut self) -> &mut Votes<Ballot, Command> {
        &mut self.votes
    }
}

/// Takes note of what happened, and judges it.
pub(super) fn observe(
    system: &PaxosSystem,
    ghost: &mut Draft<'_, Ghost>,
    seen: Seen<'_, Paxos>,
    broken: &mut Vec<Broken>,
) {
    let mut notes = Notes {
        wanted: &system.wanted,
        ledger: Ledger {
            ghost,
            quorums: &system.quorums,
            broken,
        },
    };
    match seen {
        Seen::Persisted { node, durable } => notes.on_disk(node, durable),
        Seen::Shown { node, after, .. } => notes.learned(node, after),
        Seen::Sent { from, message, .. } => notes.message(from, message),
        Seen::Answered { outcome, .. } => notes.answer(outcome),
        Seen::Crashed { .. } => {}
    }
}

struct Notes<'a, 'g> {
    /// What clients may want to have decided.
    wanted: &'a [Command],
    ledger: Ledger<'a, 'g, Ghost>,
}

impl Notes<'_, '_> {
    fn message(&mut self, from: NodeId, message: &Message) {
        match message {
            Message::Prepare { ballot, .. } | Message::Promise { ballot, .. } => {
                self.ledger.promise(from, *ballot);
            }
            Message::Accept {
                ballot,
                first,
                commands,
                ..
            } => {
                self.ledger.promise(from, *ballot);
                for (slot, command) in (*first..).zip(commands) {
                    self.proposal(slot, *ballot, command);
                }
            }
            Message::Accepted {
                ballot,
                first,
                count,
            } => {
                self.ledger.promise(from, *ballot);
                for slot in *first..first + count {
                    self.ledger.vote(slot, *ballot, from);
                }
            }
            _ => {}
        }
    }

    /// No-ops are proposed without being asked for.
    fn proposal(&mut self, slot: Slot, ballot: Ballot, command: &Command) {
        let is_wanted = *command == Command::Noop || self.wanted.contains(command);
        self.ledger.proposal(slot, ballot, command, is_wanted);
    }

    /// What a node has accepted durably it has voted for, whether or not it
    /// says so: a leader says so to nobody.
    fn on_disk(&mut self, node: NodeId, durable: &Durable) {
        for (slot, accepted) in durable.log.from(0) {
            self.proposal(slot, accepted.ballot, &accepted.command);
            self.ledger.vote(slot, accepted.ballot, node);
        }
    }

    /// State Machine Safety: no two nodes apply different commands in one
    /// slot.
    fn learned(&mut self, node: NodeId, after: &Paxos) {
        for slot in after.log().base() + 1..=after.decided() {
            let Some(accepted) = after.log().get(slot) else {
                let why = format!("{node} applied slot {slot} and no longer has it");
                let broken = Broken::new("State Machine Safety", why);
                return self.ledger.broken.push(broken);
            };
            let command = &accepted.command;
            self.ledger
                .learn(slot, command, node, "State Machine Safety");
        }
    }

    fn answer(&mut self, outcome: &Outcome<Answer>) {
        let ghost = &mut *self.ledger.ghost;
        let learned = ghost.votes.learned().last_key_value();
        let last = learned.map_or(0, |(slot, _)| *slot);
        if matches!(outcome, Outcome::Ok(_)) && ghost.acknowledged < last {
            ghost.acknowledged = last;
        }
    }
}
