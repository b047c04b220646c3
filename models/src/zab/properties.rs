//! What must hold of a Zab cluster, by the names of the paper and of ZooKeeper's
//! specification, and what must be reachable.

use tribunal_protocol::NodeId;
use tribunal_protocol::zab::Zab;

use super::{Aspect, ZabModel, ZabSystem};
use crate::bounds::Limit;
use crate::cluster::Cluster;
use crate::register;
use crate::system::{Check, Goal, Judgement, Property};

pub(super) fn properties() -> Vec<Property<ZabSystem>> {
    let own = [
        observed(
            "Integrity",
            "what is delivered was broadcast by a leader, as a client asked (DSN 2011, §III)",
        ),
        observed(
            "Agreement",
            "of two nodes that each deliver something one delivers both (ibid.)",
        ),
        observed(
            "Total Order",
            "whoever delivers something has delivered all that others delivered before it (ibid.)",
        ),
        observed(
            "Local Primary Order",
            "whoever delivers something has delivered all that its leader broadcast before it (ibid.)",
        ),
        observed(
            "Global Primary Order",
            "what leaders of earlier epochs broadcast is delivered earlier (ibid.)",
        ),
        observed(
            "Primary Integrity",
            "a leader that broadcasts has before delivered all that anybody delivers of earlier \
             epochs (ibid.)",
        ),
        leadership(),
        observed(
            "Leader Log Completeness",
            "who is established has all that anybody delivers of earlier epochs (ibid.)",
        ),
        observed(
            "Prefix Consistency",
            "what a node has delivered is a beginning of what all deliver, and its object shows it \
             (ibid.)",
        ),
        observed(
            "Snapshot Integrity",
            "a snapshot shows what was delivered up to its end",
        ),
        observed(
            "Local Reads",
            "what is read without a transaction is what was delivered up to the zxid that it \
             names makes (ZooKeeper's programmer's guide, consistency guarantees)",
        ),
        Property {
            name: "Committed Log Durability",
            about: "what was delivered is on the disks of a quorum (ZooKeeper's specification)",
            check: Check::Cluster(durability),
        },
    ];
    own.into_iter().chain(register::properties()).collect()
}

pub(super) fn goals() -> Vec<Goal<ZabSystem>> {
    let own = [
        established(),
        second_epoch(),
        Goal {
            name: "a snapshot is made",
            about: "some node has a snapshot in place of transactions",
            needs: &[(Limit::Operations, 1), (Limit::Compactions, 1)],
            reached: |_, cluster| {
                let mut nodes = cluster.nodes();
                nodes.any(|node| cluster.durable(node).snapshot.head.counter > 0)
            },
        },
    ];
    // A first election needs no timer.
    let usual = register::goals().map(|goal| Goal {
        needs: &goal.needs[1..],
        ..goal
    });
    own.into_iter().chain(usual).collect()
}

/// What [`super::ghost`] judges.
fn observed<A: Aspect>(name: &'static str, about: &'static str) -> Property<ZabModel<A>> {
    Property {
        name,
        about,
        check: Check::Observed,
    }
}

/// One leader an epoch.
pub(super) fn leadership<A: Aspect>() -> Property<ZabModel<A>> {
    observed(
        "Leadership",
        "one leader is established in an epoch (ZooKeeper's specification)",
    )
}

/// That elections come to an end.
pub(super) fn established<A: Aspect>() -> Goal<ZabModel<A>> {
    Goal {
        name: "a leader is established",
        about: "a quorum has taken over the history of some leader",
        needs: &[],
        reached: |_, cluster| {
            let mut nodes = cluster.nodes();
            nodes.any(|node| cluster.shown(node).is_some_and(Zab::is_established))
        },
    }
}

/// That a leader that is gone has a successor.
pub(super) fn second_epoch<A: Aspect>() -> Goal<ZabModel<A>> {
    Goal {
        name: "a second epoch begins",
        about: "leaders were established in two epochs",
        needs: &[(Limit::Crashes, 1)],
        reached: |_, cluster| cluster.ghost().primaries.len() > 1,
    }
}

fn durability(system: &ZabSystem, cluster: &Cluster<ZabSystem>) -> Judgement {
    for zxid in cluster.ghost().delivered.keys() {
        let holds = |node: &NodeId| {
            let durable = cluster.durable(*node);
            let mut kept = durable.history.txns().iter();
            durable.snapshot.head >= *zxid || kept.any(|txn| txn.zxid == *zxid)
        };
        if !system.is_quorum(cluster.nodes().filter(holds)) {
            return Err(format!(
                "{zxid} was delivered, and no quorum has it on disk"
            ));
        }
    }
    Ok(())
}
