//! The three example machines as systems of the model.

#![allow(dead_code, unused_imports, reason = "each test file uses a part of it")]

use std::collections::BTreeSet;

use tribunal_models::object::Unjudged;
pub use tribunal_models::single_decree::SingleDecreeSystem as Decree;
use tribunal_models::system::{Check, Goal, Judgement, Planned, Property, Recovery};
use tribunal_models::{Bounds, Cluster, Limit, ModelSystem};
use tribunal_protocol::bugs::Bug;
use tribunal_protocol::examples::coordinator::{self, Phase, TwoPhase};
use tribunal_protocol::examples::lock::{self, Lock};
use tribunal_protocol::{Clock, Gate, NodeId};

/// The wrong version that every example has.
pub const HASTY: Bug = Bug {
    name: "hasty",
    about: "speaks before its disk has written",
    source: "own: only a host that tells a step from its persist can notice",
    property: "Agreement",
    hosts: &["staged"],
    check_args: &[],
    run_args: &[],
};

/// The gate that the wrong version gets wrong.
fn gate(bug: Option<&str>) -> Gate {
    if bug.is_some() {
        Gate::Now
    } else {
        Gate::Durable
    }
}

fn members(bounds: &Bounds) -> BTreeSet<NodeId> {
    (1..=bounds.nodes).map(NodeId).collect()
}

/// Two-phase commit over sessions.
#[derive(Clone, Debug)]
pub struct Commitment {
    bounds: Bounds,
    gate: Gate,
}

impl ModelSystem for Commitment {
    type Machine = TwoPhase;
    type Operation = ();
    type Object = Unjudged;
    type Ghost = ();
    const NAME: &'static str = "coordinator";
    const ABOUT: &'static str = "two-phase commit of one transaction";

    fn default_bounds() -> Bounds {
        Bounds::of(3)
            .with(Limit::Operations, 1)
            .with(Limit::Elections, 1)
    }

    fn bugs() -> &'static [Bug] {
        &[HASTY]
    }

    fn new(bounds: &Bounds, bug: Option<&'static str>) -> Self {
        Commitment {
            bounds: *bounds,
            gate: gate(bug),
        }
    }

    fn config(&self, id: NodeId) -> coordinator::Config {
        let mut participants = members(&self.bounds);
        participants.remove(&coordinator::COORDINATOR);
        coordinator::Config {
            id,
            participants,
            decision: self.gate,
        }
    }

    fn plan(&self) -> Vec<Planned<()>> {
        let commit = |client| Planned {
            client,
            operation: (),
            read: false,
            follows: None,
        };
        (0..usize::from(self.bounds.get(Limit::Operations)))
            .map(commit)
            .collect()
    }

    fn request(&self, _: usize, _: &()) -> coordinator::Commit {
        coordinator::Commit
    }

    fn timer_limit(&self, _: coordinator::Impatience) -> Limit {
        Limit::Elections
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property {
                name: "Agreement",
                about: "no two nodes decide differently",
                check: Check::Pair(decisions_agree),
            },
            Property {
                name: "Termination",
                about: "once the coordinator was asked, everybody can come to decide",
                check: Check::Recoverable(Recovery {
                    from: |_, cluster| *cluster.durable(coordinator::COORDINATOR) != Phase::Idle,
                    to: |_, cluster| {
                        let decided = |node| matches!(cluster.durable(node), Phase::Decided(_));
                        cluster.nodes().all(decided)
                    },
                    goal: "one in which everybody has decided",
                    grant: |bounds| bounds.with(Limit::Elections, 0),
                    repairs: false,
                    exists: true,
                }),
            },
        ]
    }

    fn goals(&self) -> Vec<Goal<Self>> {
        vec![
            Goal {
                name: "everybody commits",
                about: "all nodes have decided to commit",
                needs: &[(Limit::Operations, 1)],
                reached: |_, cluster| all_decided(cluster, true),
            },
            Goal {
                name: "everybody aborts",
                about: "all nodes have decided to abort",
                needs: &[(Limit::Elections, 1)],
                reached: |_, cluster| all_decided(cluster, false),
            },
        ]
    }

    /// The coordinator decides alone, if it must; nobody else does.
    fn must_progress(&self, _: &Cluster<Self>, core: &[NodeId]) -> bool {
        core.contains(&coordinator::COORDINATOR)
    }
}

fn all_decided(cluster: &Cluster<Commitment>, commit: bool) -> bool {
    cluster
        .nodes()
        .all(|node| *cluster.durable(node) == Phase::Decided(commit))
}

fn decisions_agree(
    _: &Commitment,
    cluster: &Cluster<Commitment>,
    a: NodeId,
    b: NodeId,
) -> Judgement {
    let decided = |node| match cluster.shown(node).map(|machine| machine.phase) {
        Some(Phase::Decided(commit)) => Some(commit),
        _ => None,
    };
    match (decided(a), decided(b)) {
        (Some(one), Some(other)) if one != other => {
            Err(format!("{a} decided {one}, {b} decided {other}"))
        }
        _ => Ok(()),
    }
}

/// The leased lock.
#[derive(Clone, Debug)]
pub struct Leased {
    bounds: Bounds,
    gate: Gate,
}

impl ModelSystem for Leased {
    type Machine = Lock;
    type Operation = ();
    type Object = Unjudged;
    type Ghost = ();
    const NAME: &'static str = "lock";
    const ABOUT: &'static str = "a lock that is leased by clock";

    fn default_bounds() -> Bounds {
        Bounds::of(3)
            .with(Limit::Operations, 2)
            .with(Limit::Ticks, 7)
            .with(Limit::Timers, 1)
            .with(Limit::Crashes, 1)
    }

    fn bugs() -> &'static [Bug] {
        &[HASTY]
    }

    fn new(bounds: &Bounds, bug: Option<&'static str>) -> Self {
        Leased {
            bounds: *bounds,
            gate: gate(bug),
        }
    }

    fn config(&self, id: NodeId) -> lock::Config {
        lock::Config {
            id,
            grant: self.gate,
        }
    }

    fn plan(&self) -> Vec<Planned<()>> {
        let acquire = |n: usize| Planned {
            client: n,
            operation: (),
            read: false,
            follows: n.checked_sub(1),
        };
        (0..usize::from(self.bounds.get(Limit::Operations)))
            .map(acquire)
            .collect()
    }

    fn request(&self, _: usize, _: &()) -> lock::Acquire {
        lock::Acquire
    }

    fn timer_limit(&self, _: lock::AskAgain) -> Limit {
        Limit::Timers
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property {
            name: "Mutual Exclusion",
            about: "at most one node has the lock",
            check: Check::Pair(|_, cluster, a, b| {
                let both = [a, b].iter().all(|node| holds(cluster, *node));
                if both {
                    Err(format!("{a} and {b} have the lock"))
                } else {
                    Ok(())
                }
            }),
        }]
    }

    fn goals(&self) -> Vec<Goal<Self>> {
        vec![Goal {
            name: "the lock is held",
            about: "some node has the lock",
            needs: &[(Limit::Operations, 1)],
            reached: |_, cluster| cluster.nodes().any(|node| holds(cluster, node)),
        }]
    }

    /// One to grant, and one to ask.
    fn must_progress(&self, _: &Cluster<Self>, core: &[NodeId]) -> bool {
        core.contains(&lock::GRANTOR) && core.len() > 1
    }
}

fn holds(cluster: &Cluster<Leased>, node: NodeId) -> bool {
    let clock: Clock = cluster.clock(node);
    cluster
        .shown(node)
        .is_some_and(|machine| machine.holds(clock))
}
