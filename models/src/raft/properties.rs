//! What must hold of a Raft cluster, by the names of the paper's Figure 3,
//! and what must be reachable.

use std::cmp::Ordering;

use tribunal_protocol::NodeId;
use tribunal_protocol::quorum::majority;
use tribunal_protocol::raft::{Entry, Raft};

use super::{Aspect, RaftModel, RaftSystem};
use crate::bounds::Limit;
use crate::cluster::Cluster;
use crate::register;
use crate::system::{Check, Goal, Judgement, Property};

pub(super) fn properties() -> Vec<Property<RaftSystem>> {
    let own = [
        election_safety(),
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
        completeness(),
        Property {
            name: "State Machine Safety",
            about: "no two nodes apply different entries at one index (§5.4.3)",
            check: Check::Observed,
        },
        Property {
            name: "Durability of Acknowledged Writes",
            about: "what a client was told took effect, or saw, is on the disks of a majority; \
                    while the membership may change, on a disk of every majority",
            check: Check::Cluster(durability),
        },
        Property {
            name: "Snapshot Integrity",
            about: "a snapshot shows what was committed up to its end, and the log begins there \
                    or before it (§7)",
            check: Check::Observed,
        },
    ];
    own.into_iter().chain(register::properties()).collect()
}

pub(super) fn goals() -> Vec<Goal<RaftSystem>> {
    let own: [Goal<RaftSystem>; 5] = [
        elected(),
        Goal {
            name: "a crashed leader's entry survives",
            about: "a later leader commits an entry whose own leader had crashed",
            needs: &[(Limit::Elections, 2), (Limit::Crashes, 1)],
            reached: |_, cluster| {
                let ghost = cluster.ghost();
                let survives = |each: &super::ghost::Committed| {
                    each.term > each.entry.term && ghost.fallen.contains(&each.entry.term)
                };
                ghost.committed.values().any(survives)
            },
        },
        Goal {
            name: "a snapshot is made",
            about: "some node has a snapshot in place of entries",
            needs: &[(Limit::Elections, 1), (Limit::Compactions, 1)],
            reached: |_, cluster| {
                let mut nodes = cluster.nodes();
                nodes.any(|node| cluster.durable(node).snapshot.head.last.index > 0)
            },
        },
        Goal {
            name: "a membership change commits",
            about: "the entry of a change is committed",
            needs: &[(Limit::Elections, 1), (Limit::Changes, 1)],
            reached: |_, cluster| cluster.ghost().membership().is_some(),
        },
        made_way(),
    ];
    own.into_iter().chain(register::goals()).collect()
}

/// What [`super::ghost`] judges of leaders.
pub(super) fn election_safety<A: Aspect>() -> Property<RaftModel<A>> {
    Property {
        name: "Election Safety",
        about: "at most one leader is elected in a term, over time (§5.2)",
        check: Check::Observed,
    }
}

/// What was committed stays.
pub(super) fn completeness<A: Aspect>() -> Property<RaftModel<A>> {
    Property {
        name: "Leader Completeness",
        about: "what was committed in a term is in the logs of the leaders of later ones (§5.4)",
        check: Check::Cluster(leader_completeness),
    }
}

/// That elections come to an end.
pub(super) fn elected<A: Aspect>() -> Goal<RaftModel<A>> {
    Goal {
        name: "a leader is elected",
        about: "some node leads",
        needs: &[(Limit::Elections, 1)],
        reached: |_, cluster| !cluster.ghost().leaders.is_empty(),
    }
}

/// That transfers do.
pub(super) fn made_way<A: Aspect>() -> Goal<RaftModel<A>> {
    Goal {
        name: "a leader makes way",
        about: "a leader tells another node to stand, and one is elected in the next term",
        needs: &[(Limit::Elections, 1), (Limit::Transfers, 1)],
        reached: |_, cluster| {
            let ghost = cluster.ghost();
            let mut made_way = ghost.made_way.iter();
            made_way.any(|term| ghost.leaders.contains_key(&(term + 1)))
        },
    }
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
    let (left, right) = (left.log(), right.log());
    let first = left.base().index.max(right.base().index);
    let last = left.last_index().min(right.last_index());
    let agree_at = |index: &u64| left.term_at(*index) == right.term_at(*index);
    let Some(agreed) = (first..=last).rev().find(agree_at) else {
        return Ok(());
    };
    // At the first one, one of them knows the term alone.
    let same = |index: u64| left.get(index) == right.get(index);
    if (first + 1..=agreed).all(same) && agree_at(&first) {
        return Ok(());
    }
    Err(format!(
        "{one} and {other} have an entry of term {} at index {agreed}, and differ before it or in it",
        left.term_at(agreed).unwrap_or_default()
    ))
}

fn leader_completeness<A: Aspect>(_: &RaftModel<A>, cluster: &Cluster<RaftModel<A>>) -> Judgement {
    let committed = &cluster.ghost().committed;
    for node in cluster.nodes() {
        let Some(leader) = cluster.shown(node).filter(|machine| machine.leads()) else {
            continue;
        };
        for (index, each) in committed {
            if each.term < leader.term() && !has(leader, *index, &each.entry) {
                return Err(lacks(node, leader, *index, each.term));
            }
        }
    }
    Ok(())
}

/// Whether a node has an entry, or a snapshot that shows what it did; that it
/// does so rightly is for Snapshot Integrity to say.
fn has(node: &Raft, index: u64, entry: &Entry) -> bool {
    let shown = node.snapshot().head.last;
    match index.cmp(&shown.index) {
        Ordering::Less => true,
        Ordering::Equal => shown.term == entry.term,
        Ordering::Greater => node.log().get(index) == Some(entry),
    }
}

fn lacks(node: NodeId, leader: &Raft, index: u64, term: u64) -> String {
    format!(
        "{node} leads term {} without the entry at index {index} that was committed in term {term}",
        leader.term()
    )
}

/// Two memberships that follow each other have majorities of different sizes;
/// what one commits is safe where every majority of the other meets it.
fn durability(system: &RaftSystem, cluster: &Cluster<RaftSystem>) -> Judgement {
    let ghost = cluster.ghost();
    let founding = system.founding();
    let membership = ghost.membership();
    let voters = membership.map_or(&founding, |membership| &membership.voters);
    let majority = majority(voters.len());
    let needed = match system.bounds.get(Limit::Changes) {
        0 => majority,
        _ => voters.len() - majority + 1,
    };
    for (index, each) in ghost.committed.range(..=ghost.acknowledged) {
        let holds = |node: &&NodeId| {
            let durable = cluster.durable(**node);
            let shown = durable.snapshot.head.last.index >= *index;
            shown || durable.log.get(*index) == Some(&each.entry)
        };
        let holders = voters.iter().filter(holds).count();
        if holders < needed {
            return Err(format!(
                "a client was told of the entry at index {index}, and {holders} of {} disks hold it",
                voters.len()
            ));
        }
    }
    Ok(())
}
