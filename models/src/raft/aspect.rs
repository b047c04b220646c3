//! What of Raft is looked at: all of it, or its elections alone.
//!
//! Under both aspects the machine is the very [`Raft`](tribunal_protocol::raft)
//! that a server runs. Nothing is cut out: an election reads where the log ends
//! and who belongs to the cluster, the first appends are how its outcome is
//! told, and what was elected shows in what may be committed. Elections alone
//! have no clients in their bounds, so that more of theirs fit: logs differ
//! by the entries that leaders begin with.

use std::fmt::Debug;

use tribunal_protocol::NodeId;
use tribunal_protocol::bugs::Bug;
use tribunal_protocol::quorum::majority;
use tribunal_protocol::raft::{BUGS, ELECTION_BUGS, Raft};

use super::{PRE_VOTE, RaftModel, RaftSystem, properties};
use crate::bounds::{Bounds, Limit};
use crate::cluster::Cluster;
use crate::system::{Check, Goal, ModelSystem as _, Property, Recovery};

/// What of Raft is looked at.
pub trait Aspect: Clone + Debug + Send + Sync + Sized + 'static {
    /// The name of the system.
    const NAME: &'static str;
    /// What it is, in a sentence.
    const ABOUT: &'static str;
    /// The system that it is a part of, if it is.
    const PART_OF: Option<&'static str>;
    /// The wrong versions that show.
    const BUGS: &'static [Bug];
    /// Whether it is remembered who voted for whom.
    const JUDGES_VOTES: bool;

    /// The bounds that are used where none are given.
    fn default_bounds() -> Bounds;

    /// Wider bounds, for a check that may take minutes.
    fn wide_bounds() -> Bounds;

    /// What must hold.
    fn properties() -> Vec<Property<RaftModel<Self>>>;

    /// What must be reachable.
    fn goals() -> Vec<Goal<RaftModel<Self>>>;
}

/// All of Raft.
#[derive(Clone, Copy, Debug)]
pub struct Whole;

impl Aspect for Whole {
    const NAME: &'static str = "raft";
    const ABOUT: &'static str = "replicated log under one leader a term, with linearizable reads \
                                 and client sessions (Ongaro & Ousterhout 2014)";
    const PART_OF: Option<&'static str> = None;
    const BUGS: &'static [Bug] = BUGS;
    const JUDGES_VOTES: bool = false;

    fn default_bounds() -> Bounds {
        Bounds::of(3)
            .with(Limit::Elections, 2)
            .with(Limit::Operations, 1)
            .with(Limit::Crashes, 2)
    }

    fn wide_bounds() -> Bounds {
        Self::default_bounds().with(Limit::Compactions, 1)
    }

    fn properties() -> Vec<Property<RaftSystem>> {
        properties::properties()
    }

    fn goals() -> Vec<Goal<RaftSystem>> {
        properties::goals()
    }
}

/// Raft's elections.
#[derive(Clone, Copy, Debug)]
pub struct Elections;

impl Aspect for Elections {
    const NAME: &'static str = "raft-election";
    const ABOUT: &'static str = "the elections of raft alone: one leader a term, and always a way \
                                 to one (Ongaro & Ousterhout 2014, §5.2; Ongaro 2014, §9.6)";
    const PART_OF: Option<&'static str> = Some(Whole::NAME);
    const BUGS: &'static [Bug] = ELECTION_BUGS;
    const JUDGES_VOTES: bool = true;

    fn default_bounds() -> Bounds {
        Bounds::of(3)
            .with(Limit::Elections, 2)
            .with(Limit::Crashes, 2)
    }

    /// One election more, and no crash.
    fn wide_bounds() -> Bounds {
        Bounds::of(3).with(Limit::Elections, 3)
    }

    fn properties() -> Vec<Property<RaftModel<Self>>> {
        vec![
            properties::election_safety(),
            Property {
                name: "One Vote a Term",
                about: "a node votes for one candidate in a term, over time (§5.2)",
                check: Check::Observed,
            },
            properties::completeness(),
            Property {
                name: "Termination",
                about: "whatever went wrong, once nothing does any more a leader can come to be \
                        that a majority follows",
                check: Check::Recoverable(Recovery {
                    from: has_founding_membership,
                    to: is_led,
                    goal: "a leader that a majority follows",
                    grant: what_an_election_takes,
                    repairs: false,
                    exists: true,
                }),
            },
        ]
    }

    fn goals() -> Vec<Goal<RaftModel<Self>>> {
        vec![
            properties::elected(),
            Goal {
                name: "a second leader is elected",
                about: "nodes were elected in two terms",
                needs: &[(Limit::Elections, 2)],
                reached: |_, cluster| cluster.ghost().leaders.len() > 1,
            },
            Goal {
                name: "two stand in one term",
                about: "two nodes voted for themselves in a term",
                needs: &[(Limit::Elections, 2)],
                reached: |_, cluster| {
                    let votes = &cluster.ghost().votes;
                    let own = votes.iter().filter(|((_, node), voted)| node == *voted);
                    let terms: Vec<u64> = own.map(|((term, _), _)| *term).collect();
                    terms.windows(2).any(|pair| pair[0] == pair[1])
                },
            },
            properties::made_way(),
        ]
    }
}

type Elected = Cluster<RaftModel<Elections>>;

/// Who counts while the membership changes is not for elections to say.
fn has_founding_membership(system: &RaftModel<Elections>, cluster: &Elected) -> bool {
    let founding = system.founding();
    let mut nodes = cluster.nodes();
    nodes.all(|node| cluster.believed(node).membership().voters == founding)
}

/// Whether a majority, with the leader, is in the term of a leader and knows it.
fn is_led(system: &RaftModel<Elections>, cluster: &Elected) -> bool {
    let founding = system.founding();
    let follows = |node: &NodeId, leader: NodeId, term| {
        let shown = cluster.shown(*node);
        shown.is_some_and(|node| node.term() == term && node.leader() == Some(leader))
    };
    let leads = |node| cluster.shown(node).filter(|node: &&Raft| node.leads());
    cluster.nodes().any(|leader| {
        leads(leader).is_some_and(|raft| {
            let followers = founding.iter();
            let count = followers.filter(|node| follows(node, leader, raft.term()));
            count.count() >= majority(founding.len())
        })
    })
}

/// One election tells everybody of the latest term; then whoever has the best
/// log wins another.
///
/// With pre-votes nobody hears of a later term but who asks, and who knows a
/// leader refuses. So leaders tell all that they lead, each once: the latest is
/// followed then, and others hear that they are not. If none is left, whoever
/// has the best log asks, to hear of later terms; the others lose patience, and
/// know no leader any more; then it asks again, and stands.
fn what_an_election_takes(bounds: Bounds) -> Bounds {
    match bounds.setting(RaftSystem::settings(), PRE_VOTE.name) {
        0 => bounds.with(Limit::Elections, 2).with(Limit::Timers, 0),
        _ => bounds
            .with(Limit::Elections, bounds.nodes + 1)
            .with(Limit::Timers, bounds.nodes),
    }
}
