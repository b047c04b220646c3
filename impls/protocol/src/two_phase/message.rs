//! What nodes say to each other.

use std::collections::BTreeSet;
use std::fmt::{self, Debug, Display};

use serde::{Deserialize, Serialize};

use super::{Operation, Seen};
use crate::machine::NodeId;

/// Names a transaction, once and for all. Their order is that of age: the
/// stamp is a logical clock's (Lamport, "Time, Clocks, and the Ordering of
/// Events in a Distributed System", 1978), the rest breaks ties.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TxnId {
    /// When it began, by the coordinator's logical clock.
    pub stamp: u64,
    /// Who coordinates it.
    pub coordinator: NodeId,
    /// Which of the coordinator's lives it began in.
    pub incarnation: u32,
}

impl Display for TxnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TxnId {
            stamp,
            coordinator,
            incarnation,
        } = self;
        write!(f, "{stamp}.{coordinator}.{incarnation}")
    }
}

impl Debug for TxnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

/// Names one holding of locks by a transaction on one participant. Whoever let
/// its locks go and took them again has executed anew, under another name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Execution {
    /// Which of the participant's lives it is in.
    pub incarnation: u32,
    /// Which execution in it.
    pub serial: u32,
}

impl Debug for Execution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.incarnation, self.serial)
    }
}

/// Why a transaction was aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// An older transaction has or wants a lock that it needs: it died.
    Younger,
    /// An operation does not go with what its key holds.
    Mismatch,
    /// A sum would be less than it may be.
    TooLow,
    /// A sum would be too large for a number, or too small.
    Overflow,
    /// A participant no longer had it when it was to be prepared.
    Lost,
    /// A participant did not answer in time.
    Late,
}

impl Reason {
    /// All there are.
    pub const ALL: [Reason; 6] = [
        Reason::Younger,
        Reason::Mismatch,
        Reason::TooLow,
        Reason::Overflow,
        Reason::Lost,
        Reason::Late,
    ];

    /// How a client is told.
    pub fn told(self) -> String {
        format!("aborted: {self}")
    }

    /// The reason that a client was told by these words.
    pub fn of(told: &str) -> Option<Reason> {
        Reason::ALL.into_iter().find(|reason| reason.told() == told)
    }

    /// Whether it is about what the transaction found, and not about nodes or
    /// links that failed.
    pub fn is_conflict(self) -> bool {
        !matches!(self, Reason::Lost | Reason::Late)
    }
}

impl Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Younger => "an older transaction is in its way",
            Reason::Mismatch => "an operation does not go with what its key holds",
            Reason::TooLow => "a sum would be less than it may be",
            Reason::Overflow => "a sum is out of range",
            Reason::Lost => "a participant lost it",
            Reason::Late => "a participant did not answer in time",
        })
    }
}

/// What a participant says when it is asked to prepare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Vote {
    /// It can commit, whatever happens, and waits for the decision.
    Yes,
    /// It only read, and needs no decision.
    ReadOnly,
    /// It cannot commit.
    No,
}

/// What nodes say to each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Message {
    /// Lock what these need, and run them.
    Execute {
        /// The transaction.
        txn: TxnId,
        /// What it does in the receiver's shard, in order.
        operations: Vec<Operation>,
    },
    /// Done, and locked.
    Executed {
        /// The transaction.
        txn: TxnId,
        /// The holding of locks under which it was run.
        execution: Execution,
        /// What each operation saw.
        seen: Vec<Seen>,
    },
    /// It was not run, and holds nothing.
    Refused {
        /// The transaction.
        txn: TxnId,
        /// Why.
        reason: Reason,
    },
    /// PREPARE: can you commit?
    Prepare {
        /// The transaction.
        txn: TxnId,
        /// The holding of locks that must not have been interrupted.
        execution: Execution,
        /// Who takes part and writes.
        writers: BTreeSet<NodeId>,
    },
    /// The answer.
    Voted {
        /// The transaction.
        txn: TxnId,
        /// The answer.
        vote: Vote,
    },
    /// COMMIT or ABORT.
    Decided {
        /// The transaction.
        txn: TxnId,
        /// Which.
        commit: bool,
    },
    /// ACK: the commit is durable here.
    Acked {
        /// The transaction.
        txn: TxnId,
    },
    /// Everybody has acknowledged the commit; nobody will ask about it.
    Settled {
        /// The transaction.
        txn: TxnId,
    },
    /// I am prepared; what was decided?
    Inquire {
        /// The transaction.
        txn: TxnId,
    },
}
