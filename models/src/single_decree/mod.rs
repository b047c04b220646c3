//! Paxos for a single value as a system to check: the example machine of
//! `tribunal_protocol`, in which every operation proposes a value of its own.
//!
//! No bound on ballots: a proposer takes a higher one with each request and
//! each expiry of its timer, as far as the budgets go.

mod specification;

use std::collections::BTreeSet;

use tribunal_protocol::bugs::Bug;
use tribunal_protocol::examples::single_decree::{
    BUGS, Ballot, Config, Message, Retry, SingleDecree,
};
use tribunal_protocol::quorum::Quorums;
use tribunal_protocol::{Gate, NodeId};

use self::specification::Consensus;
use crate::bounds::{Bounds, Limit};
use crate::cluster::Cluster;
use crate::system::{
    Broken, Check, Cue, Draft, Goal, ModelSystem, Planned, Prefix, Property, Seen,
};
use crate::votes::{Ledger, Votes};

/// The slot: there is one.
const SLOT: u64 = 1;

/// Paxos for a single value, within bounds.
#[derive(Clone, Debug)]
pub struct SingleDecreeSystem {
    bounds: Bounds,
    promise: Gate,
    quorums: Quorums,
}

/// The value that an operation proposes.
fn value_of(operation: usize) -> u64 {
    10 + operation as u64
}

impl ModelSystem for SingleDecreeSystem {
    type Machine = SingleDecree;
    type Operation = u64;
    type Object = Consensus;
    type Ghost = Votes<Ballot, u64>;

    const NAME: &'static str = "single-decree";
    const ABOUT: &'static str = "Paxos for a single value: every node accepts, and proposes what \
                                 its client wants (Lamport 2001, §2)";

    fn default_bounds() -> Bounds {
        Bounds::of(3)
            .with(Limit::Operations, 2)
            .with(Limit::Crashes, 1)
    }

    fn wide_bounds() -> Bounds {
        Self::default_bounds().with(Limit::Elections, 1)
    }

    fn bugs() -> &'static [Bug] {
        BUGS
    }

    fn new(bounds: &Bounds, bug: Option<&'static str>) -> Self {
        let promise = match bug {
            Some(_) => Gate::Now,
            None => Gate::Durable,
        };
        SingleDecreeSystem {
            bounds: *bounds,
            promise,
            quorums: Quorums::majorities(nodes(bounds)),
        }
    }

    fn config(&self, id: NodeId) -> Config {
        Config {
            id,
            nodes: nodes(&self.bounds),
            promise: self.promise,
        }
    }

    fn plan(&self) -> Vec<Planned<u64>> {
        let proposal = |client: usize| Planned {
            client,
            operation: value_of(client),
            read: false,
            follows: client.checked_sub(1),
        };
        (0..usize::from(self.bounds.get(Limit::Operations)))
            .map(proposal)
            .collect()
    }

    fn request(&self, _: usize, value: &u64) -> u64 {
        *value
    }

    fn timer_limit(&self, _: Retry) -> Limit {
        Limit::Elections
    }

    fn observe(
        &self,
        votes: &mut Draft<'_, Votes<Ballot, u64>>,
        seen: Seen<'_, SingleDecree>,
        broken: &mut Vec<Broken>,
    ) {
        let operations = usize::from(self.bounds.get(Limit::Operations));
        let is_wanted = |value| (0..operations).any(|operation| value_of(operation) == value);
        let mut ledger = Ledger {
            ghost: votes,
            quorums: &self.quorums,
            broken,
        };
        match seen {
            Seen::Persisted { node, durable } => {
                // What a node has accepted durably it has voted for: a
                // proposer says so to nobody.
                if let Some((ballot, value)) = durable.accepted {
                    ledger.proposal(SLOT, ballot, &value, is_wanted(value));
                    ledger.vote(SLOT, ballot, node);
                }
            }
            Seen::Shown { node, after, .. } => {
                if let Some(value) = after.chosen() {
                    ledger.learn(SLOT, &value, node, "Integrity");
                }
            }
            Seen::Sent { from, message, .. } => match *message {
                Message::Prepare(ballot) | Message::Promise(ballot, _) => {
                    ledger.promise(from, ballot);
                }
                Message::Accept(ballot, value) => {
                    ledger.promise(from, ballot);
                    ledger.proposal(SLOT, ballot, &value, is_wanted(value));
                }
                Message::Accepted(ballot) => {
                    ledger.promise(from, ballot);
                    ledger.vote(SLOT, ballot, from);
                }
            },
            Seen::Answered { .. } | Seen::Crashed { .. } => {}
        }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let observed = |name, about| Property {
            name,
            about,
            check: Check::Observed,
        };
        vec![
            observed("Agreement", "no two values are chosen"),
            observed("Validity", "only a value that a client wants is proposed"),
            observed(
                "Integrity",
                "nobody takes a value for chosen that is not, nor another one later",
            ),
            observed("OneValuePerBallot", "in one ballot one value is proposed"),
            observed(
                "VotesSafe",
                "below a ballot in which somebody accepted a value no other one can be chosen",
            ),
            Property {
                name: "Promises Are Kept",
                about: "nothing is accepted under a ballot above the promised one",
                check: Check::Node(|_, cluster, node| {
                    let acceptor = cluster.durable(node);
                    let is_kept = |(ballot, _)| ballot <= acceptor.promised;
                    match acceptor.accepted.is_none_or(is_kept) {
                        true => Ok(()),
                        false => Err(format!("{acceptor:?}")),
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
                reached: |_, cluster| !cluster.ghost().learned().is_empty(),
            },
            Goal {
                name: "a proposer adopts another's value",
                about: "an operation is told of a value that it did not propose",
                needs: &[(Limit::Operations, 2), (Limit::Elections, 1)],
                reached: |_, cluster| {
                    (0..cluster.operations().len()).any(|operation| {
                        let result = cluster.result(operation);
                        result.is_some_and(|value| *value != value_of(operation))
                    })
                },
            },
        ]
    }

    /// Without a timer a proposer whose ballot lost says nothing more.
    fn may_end(&self, cluster: &Cluster<Self>) -> bool {
        cluster.had_faults() || !cluster.ghost().learned().is_empty()
    }

    fn prefixes() -> Vec<Prefix<Self>> {
        let any = |_: &Message| true;
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

fn nodes(bounds: &Bounds) -> BTreeSet<NodeId> {
    (1..=bounds.nodes).map(NodeId).collect()
}
