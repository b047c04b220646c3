//! Who has a role, when a fault is installed that hits whoever has it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Shared, within};
use crate::cluster::Transactions;
use crate::fault::{Node, Role};

/// How long to wait before asking again who leads: an election takes a while.
const ASK_LEADER: Duration = Duration::from_millis(20);

/// The same for roles that last no longer than a transaction is open.
const ASK_TRANSACTIONS: Duration = Duration::from_millis(2);

impl Shared {
    /// Asks who has a role, again for a short while if nobody does. Of several
    /// that have it equally, faults take turns.
    pub(super) async fn find(
        &self,
        role: Role,
        fault: u64,
        patience: Duration,
    ) -> Result<Node, String> {
        let deadline = Instant::now() + patience.min(self.limits.leader);
        loop {
            match within(self.limits.leader, self.holder(role, fault)).await {
                Some(Some(node)) => return Ok(node),
                Some(None) if Instant::now() < deadline && !self.stopping() => {
                    tokio::time::sleep(match role {
                        Role::Leader => ASK_LEADER,
                        Role::Coordinator | Role::Prepared => ASK_TRANSACTIONS,
                    })
                    .await;
                }
                Some(None) => return Err(format!("no node says that it {}", role.does())),
                None => return Err(format!("who {} could not be learnt in time", role.does())),
            }
        }
    }

    async fn holder(&self, role: Role, fault: u64) -> Option<Node> {
        let count = match role {
            Role::Leader => return self.cluster.leader().await.map(|leader| leader.node),
            Role::Coordinator => |transactions: &Transactions| transactions.undecided,
            Role::Prepared => |transactions: &Transactions| transactions.in_doubt,
        };
        let known = self.cluster.transactions().await;
        let counts = known.iter().map(|(node, known)| (*node, count(known)));
        with_most(&counts.collect(), fault)
    }
}

/// The node with most, if any has some. Of several with as many `turn` decides,
/// so that it is not always the first node.
fn with_most(counts: &BTreeMap<Node, u64>, turn: u64) -> Option<Node> {
    let most = *counts.values().max()?;
    let mut nodes = counts.iter().filter(|(_, count)| **count == most);
    let place = turn % nodes.clone().count() as u64;
    let (node, _) = nodes.nth(place as usize)?;
    (most > 0).then_some(*node)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_with_most_is_taken_and_of_several_each_in_turn() {
        let taken = |counts: &[(Node, u64)], turn| {
            with_most(&BTreeMap::from_iter(counts.iter().copied()), turn)
        };
        for turn in 0..4 {
            assert_eq!(taken(&[(1, 1), (2, 3), (3, 2)], turn), Some(2));
            assert_eq!(taken(&[(1, 0), (2, 0)], turn), None);
            assert_eq!(taken(&[], turn), None);
        }
        let equal = [(1, 2), (2, 1), (4, 2)];
        let turns: Vec<_> = (0..4).map(|turn| taken(&equal, turn)).collect();
        assert_eq!(turns, [Some(1), Some(4), Some(1), Some(4)]);
    }
}
