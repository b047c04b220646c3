//! What a failure detector must keep, by the names of Chandra and Toueg 1996,
//! §2.3 and §2.4.

use tribunal_protocol::machine::NodeId;

use super::{Detector, DetectorSystem};
use crate::bounds::Limit;
use crate::cluster::Cluster;
use crate::system::{Check, Goal, Judgement, Property};

pub(super) fn properties<D: Detector>() -> Vec<Property<DetectorSystem<D>>> {
    vec![
        Property {
            name: "Strong Completeness",
            about: "who has stopped for good is suspected by everybody who has not, in every state from the promised time on after it stopped",
            check: Check::Node(completeness),
        },
        Property {
            name: "Strong Accuracy",
            about: "where the bounds of time hold from the start (stable-from=0), nobody who has not stopped is ever suspected by anybody who has not",
            check: Check::Node(accuracy),
        },
        Property {
            name: "Eventual Strong Accuracy",
            about: "from the promised time on after the bounds of time began to hold, nobody who has not stopped is suspected by anybody who has not, but for as many mistakes as a timeout needs to learn the bounds",
            check: Check::Node(eventual_accuracy),
        },
    ]
}

/// Nobody but this node has changed, and nobody who has stopped ever does.
fn completeness<D: Detector>(
    system: &DetectorSystem<D>,
    cluster: &Cluster<DetectorSystem<D>>,
    node: NodeId,
) -> Judgement {
    let Some(machine) = running(cluster, node) else {
        return Ok(());
    };
    if !D::watches(&system.bounds, node) {
        return Ok(());
    }
    let clock = cluster.clock(node).0;
    let from = system.stable_from(cluster.ghost(), &[node]);
    for peer in cluster.nodes().filter(|peer| cluster.is_halted(*peer)) {
        let stopped = match system.promise.in_turn {
            true => latest_stop(cluster),
            false => cluster.clock(peer).0,
        };
        let by = from.max(stopped) + system.promise.detects;
        if clock > by && !machine.is_suspected(peer) {
            let at = cluster.clock(peer).0;
            return Err(format!(
                "{peer} stopped at {at}, and {node} does not suspect it at {clock}, later than {by}"
            ));
        }
    }
    Ok(())
}

/// When the last node stopped.
fn latest_stop<D: Detector>(cluster: &Cluster<DetectorSystem<D>>) -> u64 {
    let halted = cluster.nodes().filter(|node| cluster.is_halted(*node));
    let stops = halted.map(|node| cluster.clock(node).0);
    stops.max().unwrap_or_default()
}

fn accuracy<D: Detector>(
    system: &DetectorSystem<D>,
    cluster: &Cluster<DetectorSystem<D>>,
    node: NodeId,
) -> Judgement {
    let stable = |peer| {
        let restarted = &cluster.ghost().restarted;
        let settled = system.is_settled(cluster.ghost(), &[node, peer], cluster.clock(node).0);
        settled || ![node, peer].iter().any(|node| restarted.contains_key(node))
    };
    let promised = system.timing.stable_from == 0;
    match wrongly_suspected(cluster, node).find(|peer| promised && stable(*peer)) {
        None => Ok(()),
        Some(peer) => Err(mistaken(cluster, node, peer)),
    }
}

fn eventual_accuracy<D: Detector>(
    system: &DetectorSystem<D>,
    cluster: &Cluster<DetectorSystem<D>>,
    node: NodeId,
) -> Judgement {
    let ghost = cluster.ghost();
    let clock = cluster.clock(node).0;
    let settled = |peer: &NodeId| system.is_settled(ghost, &[node, *peer], clock);
    let may_err = |peer: NodeId| {
        let mistakes = ghost.mistakes.get(&(node, peer));
        mistakes.is_some_and(|mistakes| *mistakes <= system.promise.mistakes)
    };
    let mut wrong = wrongly_suspected(cluster, node).filter(settled);
    match wrong.find(|peer| !may_err(*peer)) {
        None => Ok(()),
        Some(peer) => Err(mistaken(cluster, node, peer)),
    }
}

/// What a node that has not stopped knows.
fn running<D: Detector>(cluster: &Cluster<DetectorSystem<D>>, node: NodeId) -> Option<&D> {
    cluster.shown(node).filter(|_| !cluster.is_halted(node))
}

/// Nodes that run and are suspected by one that runs.
fn wrongly_suspected<D: Detector>(
    cluster: &Cluster<DetectorSystem<D>>,
    node: NodeId,
) -> impl Iterator<Item = NodeId> + '_ {
    let machine = running(cluster, node);
    let suspected = move |peer: &NodeId| machine.is_some_and(|it| it.is_suspected(*peer));
    cluster.running().filter(suspected)
}

fn mistaken<D: Detector>(
    cluster: &Cluster<DetectorSystem<D>>,
    node: NodeId,
    peer: NodeId,
) -> String {
    let clock = cluster.clock(node).0;
    format!("{node} suspects {peer}, which has not stopped, at {clock}")
}

pub(super) fn goals<D: Detector>(system: &DetectorSystem<D>) -> Vec<Goal<DetectorSystem<D>>> {
    let mut goals = vec![Goal {
        name: "who has stopped is suspected",
        about: "everybody who has not stopped suspects all who have",
        needs: &[(Limit::Halts, 1)],
        reached: |system: &DetectorSystem<D>, cluster: &Cluster<DetectorSystem<D>>| {
            let all = |node: NodeId| {
                let machine: &D = cluster.believed(node);
                let mut halted = cluster.nodes().filter(|peer| cluster.is_halted(*peer));
                halted.all(|peer| machine.is_suspected(peer))
            };
            let mut watching = cluster
                .running()
                .filter(|node| D::watches(&system.bounds, *node));
            cluster.running().count() < cluster.size() && watching.all(all)
        },
    }];
    if system.timing.stable_from > system.timing.needed() {
        goals.push(Goal {
            name: "a suspicion is taken back",
            about: "a node that was suspected is not any more",
            needs: &[],
            reached: |_, cluster: &Cluster<DetectorSystem<D>>| cluster.ghost().withdrawn,
        });
    }
    goals
}
