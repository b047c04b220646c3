//! Ballots: numbers that no two leaders share.

use std::fmt::{self, Debug, Display};

use serde::{Deserialize, Serialize};

use crate::machine::NodeId;

/// A ballot: a round, and the node that leads it. Ordered by the round, then
/// by the node ("Paxos Made Simple", §2.2: "different proposers choose their
/// numbers from disjoint sets of numbers").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Ballot {
    /// The round; 0 before the first.
    pub round: u64,
    /// Whose ballot it is.
    pub node: NodeId,
}

impl Ballot {
    /// The same order as a plain number, for whoever does not know ballots.
    pub fn number(self) -> u64 {
        (self.round << 8) | u64::from(self.node.0)
    }
}

impl Display for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.round, self.node)
    }
}

impl Debug for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_round_outranks_a_greater_node() {
        let ballot = |round, node| Ballot {
            round,
            node: NodeId(node),
        };
        let ordered = [Ballot::default(), ballot(1, 1), ballot(1, 3), ballot(2, 1)];
        assert!(ordered.is_sorted_by(|a, b| a < b));
        assert!(ordered.is_sorted_by(|a, b| a.number() < b.number()));
    }
}
