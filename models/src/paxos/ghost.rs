//! What no single state of a Paxos cluster tells: what was ever proposed and
//! accepted, what anybody took for decided, what clients were told.

use tribunal_protocol::NodeId;
use tribunal_protocol::machine::Outcome;
use tribunal_protocol::object::{Answer, Store};
use tribunal_protocol::paxos::{Ballot, Command, Durable, Message, Paxos, Slot, Snapshot};

use super::PaxosSystem;
use crate::system::{Broken, Draft, ModelSystem as _, Seen};
use crate::votes::{Ledger, Votes, Voting};

/// What is remembered of the past.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ghost {
    /// What was ever proposed, accepted and taken for decided.
    pub votes: Votes<Ballot, Command>,
    /// The last slot of those from the first that were decided without a gap
    /// when a client was last told what its operation returned.
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
        system,
        ledger: Ledger {
            ghost,
            quorums: &system.quorums,
            broken,
        },
    };
    match seen {
        Seen::Persisted { node, durable } => notes.on_disk(node, durable),
        Seen::Shown {
            node,
            before,
            after,
            ..
        } => {
            notes.learned(node, after);
            if before.is_none_or(|before| before.snapshot() != after.snapshot()) {
                notes.snapshot(node, after);
            }
        }
        Seen::Sent { from, message, .. } => notes.message(from, message),
        Seen::Answered { outcome, .. } => notes.answer(outcome),
        Seen::Crashed { .. } => {}
    }
}

struct Notes<'a, 'g> {
    system: &'a PaxosSystem,
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
        let is_wanted = *command == Command::Noop || self.system.wanted.contains(command);
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
        for slot in 1..=after.decided() {
            match after.log().get(slot) {
                Some(accepted) => {
                    let command = &accepted.command;
                    self.ledger
                        .learn(slot, command, node, "State Machine Safety");
                }
                None if slot <= after.log().base() => self.ledger.learn_unseen(slot, node),
                None => {
                    let why = format!("{node} applied slot {slot} and no longer has it");
                    let broken = Broken::new("State Machine Safety", why);
                    return self.ledger.broken.push(broken);
                }
            }
        }
    }

    /// Snapshot Integrity: a snapshot shows what was decided up to its end, and
    /// the log begins there or before it.
    fn snapshot(&mut self, node: NodeId, after: &Paxos) {
        let (head, base) = (after.snapshot().head, after.log().base());
        let wrong = if base > head {
            "its log begins behind that"
        } else if head > after.decided() {
            "it has not decided all of that"
        } else if head > 0 && self.differs(node, after.snapshot()) {
            "what was decided makes another one"
        } else {
            return;
        };
        let why = format!("{node} has a snapshot up to slot {head}, and {wrong}");
        self.ledger
            .broken
            .push(Broken::new("Snapshot Integrity", why));
    }

    /// Whether all that is decided up to a snapshot's end makes another one.
    fn differs(&self, node: NodeId, snapshot: &Snapshot) -> bool {
        let config = self.system.config(node);
        let mut store = Store::new(config.sessions_founding);
        for slot in 1..=snapshot.head {
            match self.ledger.ghost.votes.learned().get(&slot) {
                Some(Command::Call(call)) => {
                    store.call(call, slot, config.sessions_max);
                }
                Some(Command::Noop) => {}
                // That nothing is chosen there is what is told.
                None => return false,
            }
        }
        store.parts() != snapshot.parts
    }

    fn answer(&mut self, outcome: &Outcome<Answer>) {
        if !matches!(outcome, Outcome::Ok(_)) {
            return;
        }
        // Whoever answers need not have shown yet what it has decided.
        let votes = &self.ledger.ghost.votes;
        let mut last = self.ledger.ghost.acknowledged;
        while votes.decision(last + 1, self.ledger.quorums).is_some() {
            last += 1;
        }
        if self.ledger.ghost.acknowledged < last {
            self.ledger.ghost.acknowledged = last;
        }
    }
}
