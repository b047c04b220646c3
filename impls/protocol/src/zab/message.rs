//! What nodes say to each other.

use serde::{Deserialize, Serialize};

use super::election::Notification;
use super::{Chunk, Epoch, Txn, Zxid};

/// What nodes say to each other; the papers' names, but for the words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Message {
    /// Of an election.
    Election(Notification),
    /// FOLLOWERINFO: I follow you.
    FollowerInfo {
        /// The latest epoch that the sender has promised to follow in.
        accepted: Epoch,
        /// How often the sender has said so in this session.
        attempt: u32,
    },
    /// NEWEPOCH: this will be the epoch in which I lead.
    NewEpoch {
        /// The epoch.
        epoch: Epoch,
        /// The attempt of the receiver's to which this is the answer.
        attempt: u32,
    },
    /// ACKEPOCH: I follow nobody in an earlier one.
    AckEpoch {
        /// The epoch whose leader's history the sender has last taken over.
        current: Epoch,
        /// Where its history ends.
        last: Zxid,
        /// Whether its promise for the epoch was given to this leader. One
        /// that was given to another counts for that one only.
        counts: bool,
    },
    /// TRUNC: drop what your history holds behind this.
    Trunc {
        /// The last transaction that stays.
        to: Zxid,
    },
    /// SNAP: this part of a snapshot stands in place of your history.
    Snap(Chunk),
    /// DIFF: these follow in my history.
    Diff(Vec<Txn>),
    /// NEWLEADER: that was all; take it over, and the epoch with it.
    NewLeader {
        /// The epoch.
        epoch: Epoch,
    },
    /// ACK-LD: both are durable.
    AckNewLeader {
        /// The epoch.
        epoch: Epoch,
    },
    /// UPTODATE, or COMMIT-LD: a quorum has taken my history over.
    UpToDate {
        /// The last transaction that is committed by now.
        committed: Zxid,
    },
    /// PROPOSE: hold this behind all before it.
    Propose(Txn),
    /// ACK: it is durable, and all before it.
    Ack {
        /// The transaction.
        zxid: Zxid,
    },
    /// COMMIT: it is committed, and all before it.
    Commit {
        /// The transaction.
        zxid: Zxid,
    },
    /// INFORM, for observers: this comes next and is committed.
    Inform(Txn),
    /// I still lead.
    Ping,
    /// I still follow.
    Pong,
}
