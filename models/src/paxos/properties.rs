//! What must hold of a Paxos cluster, by the names of Lamport's papers and
//! specifications, and what must be reachable.

use std::collections::BTreeSet;

use tribunal_protocol::NodeId;
use tribunal_protocol::paxos::Command;
use tribunal_protocol::quorum::Phase;

use super::{LEASE, PaxosSystem, WINDOW};
use crate::bounds::Limit;
use crate::cluster::Cluster;
use crate::register;
use crate::system::{Check, Goal, Judgement, Property};

/// The name of a goal that not all quorums let be reached.
const GAP: &str = "a gap is filled";

pub(super) fn properties() -> Vec<Property<PaxosSystem>> {
    let own = [
        Property {
            name: "Agreement",
            about: "no two values are chosen in one slot (\"Paxos Made Simple\", §2.1)",
            check: Check::Observed,
        },
        Property {
            name: "Validity",
            about: "only what a client asked for is proposed, or nothing (ibid.)",
            check: Check::Observed,
        },
        Property {
            name: "Integrity",
            about: "nobody takes a value for decided that is not chosen (ibid.)",
            check: Check::Observed,
        },
        Property {
            name: "OneValuePerBallot",
            about: "in one slot and ballot one value is proposed (Lamport's specification Voting)",
            check: Check::Observed,
        },
        Property {
            name: "VotesSafe",
            about: "below a ballot in which somebody accepted a value no other one can be chosen \
                    (ibid.)",
            check: Check::Observed,
        },
        Property {
            name: "State Machine Safety",
            about: "no two nodes apply different commands in one slot",
            check: Check::Observed,
        },
        Property {
            name: "Snapshot Integrity",
            about: "a snapshot shows what was decided up to its end",
            check: Check::Observed,
        },
        Property {
            name: "Durability of Acknowledged Writes",
            about: "what a client was told took effect is on a disk of every quorum of phase 1",
            check: Check::Cluster(durability),
        },
    ];
    own.into_iter().chain(register::properties()).collect()
}

pub(super) fn goals(system: &PaxosSystem) -> Vec<Goal<PaxosSystem>> {
    let own = [
        Goal {
            name: "a leader is elected",
            about: "some node leads a ballot",
            needs: &[(Limit::Elections, 1)],
            reached: |_, cluster| leads(cluster),
        },
        Goal {
            name: "a value is proposed again",
            about: "what a client asked for is proposed in the same slot by two leaders",
            needs: &[(Limit::Elections, 2), (Limit::Operations, 1)],
            reached: |_, cluster| {
                let votes = &cluster.ghost().votes;
                votes.is_any_repeated(|command| *command != Command::Noop)
            },
        },
        Goal {
            name: GAP,
            about: "a no-op is proposed in a slot below one that may be decided",
            needs: &[(Limit::Elections, 2), (Limit::Operations, 2)],
            reached: |_, cluster| {
                let votes = &cluster.ghost().votes;
                votes.is_any_proposed(|command| *command == Command::Noop)
            },
        },
        Goal {
            name: "a snapshot is made",
            about: "some node has a snapshot in place of slots",
            needs: &[
                (Limit::Elections, 1),
                (Limit::Operations, 1),
                (Limit::Compactions, 1),
            ],
            reached: |_, cluster| {
                let mut nodes = cluster.nodes();
                nodes.any(|node| cluster.durable(node).snapshot.head > 0)
            },
        },
    ];
    let reads_by_lease = Goal {
        name: "a read is answered without a slot",
        about: "a client is told what the key holds, and no read was proposed",
        needs: &[(Limit::Elections, 1), (Limit::Timers, 1), (Limit::Reads, 1)],
        reached: |_, cluster: &Cluster<PaxosSystem>| {
            let is_answered =
                (0..cluster.operations().len()).any(|index| cluster.result(index).is_some());
            is_answered && !cluster.ghost().votes.is_any_proposed(|_| true)
        },
    };
    let has_leases = system.setting(&LEASE) > 0 && system.bounds.get(Limit::Operations) == 0;
    let leased = has_leases.then_some(reads_by_lease);
    // Where one slot is open at a time, or everybody must promise, there are
    // no gaps.
    let members = system.quorums.members();
    let without = |node| {
        members
            .iter()
            .copied()
            .filter(|other| other != node)
            .collect()
    };
    let is_dispensable = |node| system.quorums.is_quorum(Phase::One, &without(node));
    let has_gaps = system.setting(&WINDOW) > 1 && members.iter().any(is_dispensable);
    let own = own.into_iter().filter(|goal| has_gaps || goal.name != GAP);
    own.chain(register::goals()).chain(leased).collect()
}

fn leads(cluster: &Cluster<PaxosSystem>) -> bool {
    let mut nodes = cluster.nodes();
    nodes.any(|node| cluster.shown(node).is_some_and(|machine| machine.leads()))
}

fn durability(system: &PaxosSystem, cluster: &Cluster<PaxosSystem>) -> Judgement {
    let ghost = cluster.ghost();
    for slot in 1..=ghost.acknowledged {
        let Some(command) = ghost.votes.decision(slot, &system.quorums) else {
            continue;
        };
        let holds = |node: &NodeId| {
            let durable = cluster.durable(*node);
            let accepted = durable.log.get(slot);
            durable.snapshot.head >= slot
                || accepted.is_some_and(|accepted| accepted.command == *command)
        };
        let holders: BTreeSet<NodeId> = cluster.nodes().filter(holds).collect();
        if !system.quorums.meets_every(Phase::One, &holders) {
            return Err(format!(
                "a client was told of slot {slot}, and only {} of {} disks hold it",
                holders.len(),
                cluster.size()
            ));
        }
    }
    Ok(())
}
