//! What nodes say to each other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Accepted, Ballot, Chunk, Command, Slot};

/// What nodes say to each other. 1a to 2b are the phases of "Paxos Made
/// Simple", §2.2, for many slots at once (§3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Message {
    /// Promise me this ballot, for every slot there is (1a).
    Prepare {
        /// The sender's ballot.
        ballot: Ballot,
        /// The first slot of which the sender does not know the decision.
        from: Slot,
    },
    /// I accept nothing of lower ballots any more (1b).
    Promise {
        /// The ballot that is promised.
        ballot: Ballot,
        /// The last slot of which only a snapshot is left.
        base: Slot,
        /// What was accepted last in the slots that were asked for, behind
        /// `base`.
        accepted: BTreeMap<Slot, Accepted>,
    },
    /// Accept these values (2a).
    Accept {
        /// The sender's ballot.
        ballot: Ballot,
        /// The slot of the first of `commands`; the others follow it.
        first: Slot,
        /// The values.
        commands: Vec<Command>,
        /// Every slot up to here is decided.
        decided: Slot,
    },
    /// I have accepted (2b).
    Accepted {
        /// The ballot of the values.
        ballot: Ballot,
        /// The first slot.
        first: Slot,
        /// How many slots.
        count: u64,
    },
    /// The ballot is too low.
    Refused {
        /// What the sender promised.
        promised: Ballot,
    },
    /// I lead.
    Heartbeat {
        /// The sender's ballot.
        ballot: Ballot,
        /// Every slot up to here is decided.
        decided: Slot,
        /// Do not promise another ballot before your clock shows this; 0
        /// where there are no leases.
        lease: u64,
    },
    /// I follow you; for leaders that want to know.
    Following {
        /// The ballot of the heartbeat.
        ballot: Ballot,
        /// The lease that is granted.
        lease: u64,
    },
    /// Tell me what was decided.
    Fetch {
        /// The first slot of which the sender does not know the decision.
        next: Slot,
        /// How many parts have arrived of the snapshot up to which slot, if
        /// any have.
        arrived: Option<(Slot, u64)>,
    },
    /// Take this part of a snapshot: the slots that you lack are gone.
    Install {
        /// The part.
        chunk: Chunk,
    },
}

impl Message {
    /// The ballot that the sender leads, or wants to lead.
    pub fn proposed_in(&self) -> Option<Ballot> {
        match self {
            Message::Prepare { ballot, .. }
            | Message::Accept { ballot, .. }
            | Message::Heartbeat { ballot, .. } => Some(*ballot),
            _ => None,
        }
    }
}
