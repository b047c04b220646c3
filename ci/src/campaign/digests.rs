//! Compares replicas: equal positions must have equal digests.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep};
use tribunal_impls::adapter::NodeStatus;
use tribunal_nemesis::node_name;

use super::cluster::Stage;

/// How long to wait between two looks at the replicas.
const POLL: Duration = Duration::from_millis(50);

/// What one node said of its object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Replica {
    /// Which node.
    pub node: String,
    /// The position up to which it has applied.
    pub applied: u64,
    /// The digest there.
    pub digest: u64,
}

/// How the comparison ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Digests {
    /// It was not made.
    #[default]
    NotAsked,
    /// The system does not tell digests, or has one node.
    NothingToCompare,
    /// Every node was at the same position with the same digest.
    Equal(Vec<Replica>),
    /// Two nodes at the same position had different digests.
    Different(Replica, Replica),
    /// The nodes did not come to the same position in time.
    Apart(Vec<Replica>, usize),
}

/// Looks at the replicas until all are at the same position, two differ at
/// the same position, or the time is up.
pub async fn compare(stage: &Stage, limit: Duration) -> Digests {
    let deadline = Instant::now() + limit;
    // What was seen of a position earlier in the comparison counts as well.
    let mut seen = BTreeMap::new();
    loop {
        let statuses = stage.statuses().await;
        let replicas = replicas(stage, &statuses);
        if let Some((one, other)) = different(&mut seen, &replicas) {
            return Digests::Different(one, other);
        }
        let silent = statuses.iter().filter(|status| status.is_none()).count();
        let telling = statuses
            .iter()
            .flatten()
            .any(|status| status.digest.is_some());
        if silent == 0 && (!telling || stage.plans.len() < 2) {
            return Digests::NothingToCompare;
        }
        if silent == 0
            && replicas
                .windows(2)
                .all(|pair| pair[0].applied == pair[1].applied)
        {
            return Digests::Equal(replicas);
        }
        if Instant::now() >= deadline {
            return Digests::Apart(replicas, silent);
        }
        sleep(POLL).await;
    }
}

fn replicas(stage: &Stage, statuses: &[Option<NodeStatus>]) -> Vec<Replica> {
    let nodes = stage.plans.iter().zip(statuses);
    nodes
        .filter_map(|(plan, status)| {
            let status = status.as_ref()?;
            Some(Replica {
                node: node_name(plan.node),
                applied: status.applied,
                digest: status.digest?,
            })
        })
        .collect()
}

/// Two replicas that differ at the same position.
fn different(
    seen: &mut BTreeMap<u64, Replica>,
    replicas: &[Replica],
) -> Option<(Replica, Replica)> {
    for replica in replicas {
        let first = seen
            .entry(replica.applied)
            .or_insert_with(|| replica.clone());
        if first.digest != replica.digest {
            return Some((first.clone(), replica.clone()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica(node: u8, applied: u64, digest: u64) -> Replica {
        Replica {
            node: node_name(node),
            applied,
            digest,
        }
    }

    #[test]
    fn replicas_are_compared_at_equal_positions_only() {
        let mut seen = BTreeMap::new();
        assert_eq!(
            different(&mut seen, &[replica(1, 5, 50), replica(2, 6, 60)]),
            None
        );
        let late = replica(2, 5, 51);
        let found = different(&mut seen, std::slice::from_ref(&late));
        assert_eq!(found, Some((replica(1, 5, 50), late)));
    }
}
