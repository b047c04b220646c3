//! What must hold of a Raft cluster, by the names of the paper's Figure 3,
//! and what must be reachable.

use tribunal_protocol::NodeId;
use tribunal_protocol::object::Answer;
use tribunal_protocol::quorum::majority;
use tribunal_protocol::raft::Raft;

use super::RaftSystem;
use crate::bounds::Limit;
use crate::cluster::Cluster;
use crate::system::{Check, Goal, Judgement, Property};

pub(super) fn properties() -> Vec<Property<RaftSystem>> {
    vec![
        Property {
            name: "Election Safety",
            about: "at most one leader is elected in a term, over time (§5.2)",
            check: Check::Observed,
        },
        Property {
            name: "Leader Append-Only",
            about: "a leader never overwrites or deletes entries in its log (§5.3)",
            check: Check::Observed,
        },
        Property {
            name: "Log Matching",
            about: "logs with an entry of the same index and term agree up to it (§5.3)",
            check: Check::Pair(log_matching),
        },
        Property {
            name: "Leader Completeness",
            about: "what was committed in a term is in the logs of the leaders of later ones (§5.4)",
            check: Check::Cluster(leader_completeness),
        },
        Property {
            name: "State Machine Safety",
            about: "no two nodes apply different entries at one index (§5.4.3)",
            check: Check::Observed,
        },
        Property {
            name: "Durability of Acknowledged Writes",
            about: "what a client was told took effect is on the disks of a majority",
            check: Check::Cluster(durability),
        },
        Property {
            name: "Fail Means Never",
            about: "an operation that failed never takes effect",
            check: Check::FailMeansNever,
        },
        Property {
            name: "Linearizability",
            about: "the clients' history fits a register",
            check: Check::Linearizable,
        },
    ]
}

pub(super) fn goals() -> Vec<Goal<RaftSystem>> {
    vec![
        Goal {
            name: "a leader is elected",
            about: "some node leads",
            needs: &[(Limit::Elections, 1)],
            reached: |_, cluster| !cluster.ghost().leaders.is_empty(),
        },
        Goal {
            name: "an operation commits",
            about: "a client is told that its command took effect",
            needs: &[(Limit::Elections, 1), (Limit::Operations, 1)],
            reached: |_, cluster| any_result(cluster, |answer| *answer == Answer::Done),
        },
        Goal {
            name: "a read is answered",
            about: "a client is told what the key holds",
            needs: &[(Limit::Elections, 1), (Limit::Reads, 1)],
            reached: |_, cluster| any_result(cluster, |answer| matches!(answer, Answer::Value(_))),
        },
        Goal {
            name: "a crashed leader's entry survives",
            about: "a later leader commits an entry whose own leader crashed",
            needs: &[(Limit::Elections, 2), (Limit::Crashes, 1)],
            reached: |_, cluster| {
                let ghost = cluster.ghost();
                let survives = |each: &super::ghost::Committed| {
                    each.term > each.entry.term && ghost.fallen.contains(&each.entry.term)
                };
                ghost.committed.iter().any(survives)
            },
        },
    ]
}

fn any_result(cluster: &Cluster<RaftSystem>, fits: impl Fn(&Answer) -> bool) -> bool {
    (0..cluster.operations().len()).any(|index| cluster.result(index).is_some_and(&fits))
}

fn log_matching(
    _: &RaftSystem,
    cluster: &Cluster<RaftSystem>,
    one: NodeId,
    other: NodeId,
) -> Judgement {
    let (Some(left), Some(right)) = (cluster.shown(one), cluster.shown(other)) else {
        return Ok(());
    };
    let (left, right) = (left.log().entries(), right.log().entries());
    let agree_at = |index: &usize| left[*index].term == right[*index].term;
    let Some(last) = (0..left.len().min(right.len())).rev().find(agree_at) else {
        return Ok(());
    };
    if left[..=last] == right[..=last] {
        return Ok(());
    }
    Err(format!(
        "{one} and {other} have an entry of term {} at index {}, and differ before it or in it",
        left[last].term,
        last + 1
    ))
}

fn leader_completeness(_: &RaftSystem, cluster: &Cluster<RaftSystem>) -> Judgement {
    let committed = &cluster.ghost().committed;
    for node in cluster.nodes() {
        let Some(leader) = cluster.shown(node).filter(|machine| machine.leads()) else {
            continue;
        };
        for (place, each) in committed.iter().enumerate() {
            let index = place as u64 + 1;
            if each.term < leader.term() && leader.log().get(index) != Some(&each.entry) {
                return Err(lacks(node, leader, index, each.term));
            }
        }
    }
    Ok(())
}

fn lacks(node: NodeId, leader: &Raft, index: u64, term: u64) -> String {
    format!(
        "{node} leads term {} without the entry at index {index} that was committed in term {term}",
        leader.term()
    )
}

fn durability(_: &RaftSystem, cluster: &Cluster<RaftSystem>) -> Judgement {
    let ghost = cluster.ghost();
    for (place, each) in ghost.committed.iter().take(ghost.acknowledged).enumerate() {
        let index = place as u64 + 1;
        let holds = |node: &NodeId| cluster.durable(*node).log.get(index) == Some(&each.entry);
        let holders = cluster.nodes().filter(holds).count();
        if holders < majority(cluster.size()) {
            return Err(format!(
                "a client was told of the entry at index {index}, and {holders} of {} disks hold it",
                cluster.size()
            ));
        }
    }
    Ok(())
}
