//! What nodes say to each other.

use serde::{Deserialize, Serialize};

use super::{Chunk, Entry, Position, Receipt};

/// What nodes say to each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Message {
    /// Would you vote for me in that term? (diss. §9.6)
    PreVote {
        /// The term that the sender would stand in.
        asked: u64,
        /// Where the sender's log ends.
        last: Position,
    },
    /// The answer to [`Message::PreVote`].
    PreVoteReply {
        /// The answering node's own term.
        term: u64,
        /// The term that was asked about.
        asked: u64,
        /// Whether it would.
        granted: bool,
    },
    /// Vote for me (§5.2).
    Vote {
        /// The term that the sender stands in.
        term: u64,
        /// Where the sender's log ends.
        last: Position,
    },
    /// The answer to [`Message::Vote`].
    VoteReply {
        /// The answering node's term.
        term: u64,
        /// Whether it voted for the candidate.
        granted: bool,
    },
    /// Hold these entries behind that one (§5.3). Without entries it is a
    /// heartbeat (§5.2).
    Append {
        /// The leader's term.
        term: u64,
        /// The entry that must stand before the first of `entries`.
        previous: Position,
        /// What follows it.
        entries: Vec<Entry>,
        /// The leader's commit index.
        commit: u64,
        /// The leader's latest round of asking whether it still leads.
        round: u64,
    },
    /// The answer to [`Message::Append`].
    AppendReply {
        /// The answering node's term.
        term: u64,
        /// The round of the append that is answered.
        round: u64,
        /// What became of it.
        result: Appended,
    },
    /// Hold this part of a snapshot: the entries that you lack are gone (§7,
    /// InstallSnapshot).
    Install {
        /// The leader's term.
        term: u64,
        /// The leader's latest round of asking whether it still leads.
        round: u64,
        /// The part.
        chunk: Chunk,
    },
    /// The answer to [`Message::Install`] while parts are missing; that to
    /// the last one is a [`Message::AppendReply`].
    InstallReply {
        /// The answering node's term.
        term: u64,
        /// The round that is answered.
        round: u64,
        /// What has arrived.
        receipt: Receipt,
    },
    /// Stand for election at once (diss. §3.10).
    TimeoutNow {
        /// The leader's term.
        term: u64,
    },
}

/// What became of an append.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Appended {
    /// The follower's log agrees with the leader's up to this index, durably.
    Matched(u64),
    /// The follower's log has another entry, or none, before the first.
    Rejected {
        /// The index of the entry that was asked for.
        previous: u64,
        /// Where the leader should try next.
        next: u64,
    },
}
