//! What nodes say to each other besides the machine's messages.
//!
//! ```text
//!   dialler                           listener
//!      | ---- Hello: who, whom, what ---> |  checks
//!      | <--- Welcome, or Refused: why -- |
//!      | ---- message, message, … ------> |
//! ```
//!
//! A connection carries messages one way, from the node that dialled it, so
//! that each direction of a link can fail by itself.

use serde::{Deserialize, Serialize};
use tribunal_protocol::{Machine, NodeId};

/// The version of the words in this file.
const VERSION: u32 = 1;

/// What a dialler says first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hello {
    /// Keeps strangers' bytes from being taken for a hello.
    magic: [u8; 8],
    version: u32,
    cluster: String,
    machine: String,
    format: u32,
    pub(super) from: NodeId,
    to: NodeId,
    /// How often the dialler was started.
    pub(super) incarnation: u64,
    /// Which session the connection belongs to; none where messages may be
    /// lost and overtake each other.
    pub(super) session: Option<SessionName>,
}

/// Names a session between two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SessionName {
    /// The incarnation of the node that began it.
    pub(super) incarnation: u64,
    /// Its number in that incarnation.
    pub(super) number: u64,
}

/// What a listener answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Reply {
    /// Messages may follow.
    Welcome,
    /// They may not.
    Refused(String),
}

/// Who a node is, as far as its peers must agree.
#[derive(Clone, Debug)]
pub(super) struct Card {
    pub(super) cluster: String,
    pub(super) machine: &'static str,
    pub(super) format: u32,
    pub(super) node: NodeId,
    pub(super) incarnation: u64,
}

impl Card {
    pub(super) fn new<M: Machine>(cluster: &str, node: NodeId, incarnation: u64) -> Self {
        Card {
            cluster: cluster.to_owned(),
            machine: M::NAME,
            format: M::FORMAT,
            node,
            incarnation,
        }
    }

    /// What this node says first when it dials `to`.
    pub(super) fn hello(&self, to: NodeId, session: Option<SessionName>) -> Hello {
        Hello {
            magic: *b"TRIBUNAL",
            version: VERSION,
            cluster: self.cluster.clone(),
            machine: self.machine.to_owned(),
            format: self.format,
            from: self.node,
            to,
            incarnation: self.incarnation,
            session,
        }
    }

    /// Why a dialler must be refused; nothing if it need not.
    pub(super) fn refusal(&self, hello: &Hello, is_peer: bool) -> Option<String> {
        let expected = self.hello(self.node, None);
        if (hello.magic, hello.version) != (expected.magic, expected.version) {
            return Some(format!("peer protocol {}, not {VERSION}", hello.version));
        }
        if hello.cluster != self.cluster {
            return Some(format!(
                "cluster `{}`, not `{}`",
                hello.cluster, self.cluster
            ));
        }
        if (hello.machine.as_str(), hello.format) != (self.machine, self.format) {
            let theirs = format!("{} format {}", hello.machine, hello.format);
            return Some(format!(
                "machine {theirs}, not {} format {}",
                self.machine, self.format
            ));
        }
        if hello.to != self.node {
            return Some(format!(
                "it dialled {}, and this is {}",
                hello.to, self.node
            ));
        }
        (!is_peer).then(|| format!("{} is no peer of {}", hello.from, self.node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card() -> Card {
        Card {
            cluster: "blue".into(),
            machine: "raft",
            format: 1,
            node: NodeId(1),
            incarnation: 4,
        }
    }

    #[test]
    fn a_peer_is_welcome() {
        let two = Card {
            node: NodeId(2),
            ..card()
        };
        assert_eq!(card().refusal(&two.hello(NodeId(1), None), true), None);
    }

    #[test]
    fn each_mismatch_is_refused_with_its_reason() {
        let two = Card {
            node: NodeId(2),
            ..card()
        };
        let hello = |card: Card| card.hello(NodeId(1), None);
        let cases = [
            (
                hello(Card {
                    cluster: "red".into(),
                    ..two.clone()
                }),
                "cluster `red`, not `blue`",
            ),
            (
                hello(Card {
                    machine: "zab",
                    ..two.clone()
                }),
                "zab format 1, not raft format 1",
            ),
            (
                hello(Card {
                    format: 2,
                    ..two.clone()
                }),
                "raft format 2, not raft format 1",
            ),
            (two.hello(NodeId(3), None), "it dialled n3, and this is n1"),
            (
                Hello {
                    version: 9,
                    ..hello(two.clone())
                },
                "peer protocol 9, not 1",
            ),
        ];
        for (hello, reason) in cases {
            let refusal = card().refusal(&hello, true).unwrap();
            assert!(refusal.contains(reason), "{refusal}");
        }
        let refusal = card().refusal(&hello(two), false).unwrap();
        assert_eq!(refusal, "n2 is no peer of n1");
    }
}
