//! The three example machines as systems of the model.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeSet;

use tribunal_checker::{
    Register, RegisterCall, RegisterReturn, TimedCall, TimedCallOf, is_linearizable_small,
};
use tribunal_models::system::{
    Broken, Check, Cue, Draft, Goal, Judged, Judgement, Planned, Prefix, Property, Seen,
};
use tribunal_models::{Bounds, Cluster, Limit, ModelSystem};
use tribunal_protocol::bugs::Bug;
use tribunal_protocol::examples::coordinator::{self, Phase, TwoPhase};
use tribunal_protocol::examples::lock::{self, Lock};
use tribunal_protocol::examples::single_decree::{self, SingleDecree};
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

/// Paxos for one value: every operation proposes a value of its own.
#[derive(Clone, Debug)]
pub struct Decree {
    bounds: Bounds,
    gate: Gate,
}

impl ModelSystem for Decree {
    type Machine = SingleDecree;
    type Operation = u64;
    /// The value that was chosen, once somebody knows.
    type Ghost = Option<u64>;
    const NAME: &'static str = "single-decree";
    const ABOUT: &'static str = "Paxos for a single value";

    fn default_bounds() -> Bounds {
        Bounds::of(3)
            .with(Limit::Operations, 2)
            .with(Limit::Crashes, 1)
    }

    fn bugs() -> &'static [Bug] {
        &[HASTY]
    }

    fn new(bounds: &Bounds, bug: Option<&'static str>) -> Self {
        Decree {
            bounds: *bounds,
            gate: gate(bug),
        }
    }

    fn config(&self, id: NodeId) -> single_decree::Config {
        let nodes = members(&self.bounds);
        single_decree::Config {
            id,
            nodes,
            promise: self.gate,
        }
    }

    fn plan(&self) -> Vec<Planned<u64>> {
        let proposal = |n| Planned {
            client: n,
            operation: 10 + n as u64,
            read: false,
            follows: n.checked_sub(1),
        };
        (0..usize::from(self.bounds.get(Limit::Operations)))
            .map(proposal)
            .collect()
    }

    fn request(&self, _: usize, value: &u64) -> u64 {
        *value
    }

    /// A proposal is a cas from nothing followed by a read: whatever was
    /// chosen first is what everybody is told.
    fn is_linearizable(&self, operations: &[Judged<'_, Self>]) -> bool {
        let told = operations
            .iter()
            .find_map(|each| each.completed.map(|(_, value)| *value));
        let Some(told) = told else { return true };
        let mut all: Vec<TimedCallOf<Register<u64>>> = Vec::new();
        for each in operations {
            let call = RegisterCall::Write(*each.operation);
            if *each.operation == told {
                let completed = None;
                all.push(TimedCall {
                    call,
                    invoked: each.invoked,
                    completed,
                });
            }
            if let Some((at, value)) = each.completed {
                let completed = Some((at, RegisterReturn::Value(*value)));
                all.push(TimedCall {
                    call: RegisterCall::Read,
                    invoked: each.invoked,
                    completed,
                });
            }
        }
        is_linearizable_small(&Register { initial: 0 }, &all)
    }

    fn timer_limit(&self, _: single_decree::Retry) -> Limit {
        Limit::Elections
    }

    fn observe(
        &self,
        chosen: &mut Draft<'_, Option<u64>>,
        seen: Seen<'_, SingleDecree>,
        broken: &mut Vec<Broken>,
    ) {
        let Seen::Shown { after, .. } = seen else {
            return;
        };
        match (after.chosen(), **chosen) {
            (Some(value), Some(first)) if value != first => broken.push(Broken::new(
                "Agreement",
                format!("{first} was chosen, and now {value}"),
            )),
            (Some(value), None) => **chosen = Some(value),
            _ => {}
        }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property {
                name: "Agreement",
                about: "only a single value is chosen",
                check: Check::Observed,
            },
            Property {
                name: "Promises Are Kept",
                about: "nothing is accepted under a ballot above the promised one",
                check: Check::Node(|_, cluster, node| {
                    let acceptor = cluster.durable(node);
                    let kept = acceptor
                        .accepted
                        .is_none_or(|(ballot, _)| ballot <= acceptor.promised);
                    if kept {
                        Ok(())
                    } else {
                        Err(format!("{acceptor:?}"))
                    }
                }),
            },
            Property {
                name: "Linearizability",
                about: "everybody is told of the value that was chosen first",
                check: Check::Linearizable,
            },
        ]
    }

    fn goals(&self) -> Vec<Goal<Self>> {
        vec![
            Goal {
                name: "a value is chosen",
                about: "some proposer knows that its value is chosen",
                needs: &[(Limit::Operations, 1)],
                reached: |_, cluster| cluster.ghost().is_some(),
            },
            Goal {
                name: "a proposer adopts another's value",
                about: "an operation is told of a value that it did not propose",
                needs: &[(Limit::Operations, 1), (Limit::Elections, 1)],
                reached: |_, cluster| {
                    (0..cluster.operations().len()).any(|n| {
                        cluster
                            .result(n)
                            .is_some_and(|value| *value != 10 + n as u64)
                    })
                },
            },
        ]
    }

    /// Without a timer a proposer whose ballot lost says nothing more.
    fn may_end(&self, cluster: &Cluster<Self>) -> bool {
        cluster.had_faults() || cluster.ghost().is_some()
    }

    fn prefixes() -> Vec<Prefix<Self>> {
        let any = |_: &single_decree::Message| true;
        vec![Prefix {
            name: "one-promise",
            about: "the first proposer has one promise, and its other request is lost",
            nodes: 3,
            needs: &[(Limit::Operations, 1)],
            cues: vec![
                Cue::Request(0, NodeId(1)),
                Cue::Persist(NodeId(1)),
                Cue::Deliver(NodeId(1), NodeId(2), any),
                Cue::Persist(NodeId(2)),
                Cue::Lose(NodeId(1), NodeId(3), any),
            ],
        }]
    }
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
        vec![Property {
            name: "Agreement",
            about: "no two nodes decide differently",
            check: Check::Pair(decisions_agree),
        }]
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
