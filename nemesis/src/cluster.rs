//! What a nemesis asks of its surroundings.
//!
//! Process and link control are two traits, so that nodes on other machines
//! can be driven by the same nemesis; [`Supervisor`](crate::process::Supervisor)
//! and [`Links`](crate::links::Links) are the local ones.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::fault::{CrashPlace, Cut, Node};
use crate::links::{Counters, Link, LinkError, Probe, Settled};
use crate::process::{Exit, Killed, Paused, ProcessError, ProcessState, Resumed};

/// A future that a trait object can return.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A node that holds itself for the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leader {
    /// Which node.
    pub node: Node,
    /// Of which term, ballot or epoch.
    pub epoch: u64,
}

/// Transactions as one node knows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transactions {
    /// How many it coordinates that are not decided.
    pub undecided: u64,
    /// How many it has prepared and not heard the decision of.
    pub in_doubt: u64,
}

/// What a node says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Term, ballot or epoch.
    pub epoch: u64,
    /// Whether it holds itself for the leader of that epoch.
    pub leads: bool,
    /// Position up to which its log was compacted; 0 where it has none.
    pub compacted: u64,
    /// Who belongs to the cluster as far as it knows that to be committed,
    /// where that can change.
    pub members: Option<Members>,
}

/// Who belongs to a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// Those whose word counts towards a decision.
    pub voters: BTreeSet<Node>,
    /// Those who are told of decisions and not counted.
    pub learners: BTreeSet<Node>,
    /// Whether a later membership is known that is not committed.
    pub is_changing: bool,
}

/// What can be asked of a cluster by whoever runs it. `Ok` says that it was
/// done, an error that it was not, or is not known to be; the nemesis limits
/// the time and looks at the nodes' standings for the effect.
pub trait Administration: Send + Sync {
    /// What each node says of itself, for those that do.
    fn standings(&self) -> Pending<'_, BTreeMap<Node, Standing>>;

    /// Asks the leader to take a node out of the cluster.
    fn remove(&self, leader: Node, node: Node) -> Pending<'_, Result<(), String>>;

    /// Asks the leader for the next step towards a node's being a voter.
    fn add(&self, leader: Node, node: Node) -> Pending<'_, Result<(), String>>;

    /// Asks the leader to let another node lead.
    fn transfer(&self, leader: Node, to: Node) -> Pending<'_, Result<(), String>>;

    /// Asks a node to compact its log as far as it goes.
    fn compact(&self, node: Node) -> Pending<'_, Result<(), String>>;
}

/// The cluster under test, as a nemesis sees it.
pub trait Cluster: Send + Sync {
    /// Its nodes, in order.
    fn nodes(&self) -> Vec<Node>;

    /// The self-declared leader of the highest epoch, if any node declares
    /// itself. Asked under a time limit; nodes that do not answer must not
    /// keep it from answering for the others.
    fn leader(&self) -> Pending<'_, Option<Leader>>;

    /// Transactions as each node knows them, for those that say so; asked as
    /// [`Cluster::leader`] is. Nothing where a cluster has none.
    fn transactions(&self) -> Pending<'_, BTreeMap<Node, Transactions>> {
        Box::pin(async { BTreeMap::new() })
    }

    /// Whether the node is ready now, and if not why. Asked again and again
    /// after a restart until it is, or until a limit.
    fn ready(&self, node: Node) -> Pending<'_, Result<(), String>>;

    /// The exit code of a node that has crashed at the place it was asked to;
    /// none where nodes cannot be asked.
    fn crash_code(&self) -> Option<i32>;

    /// Asks a node to crash itself at a place; or nowhere any more.
    fn crash_at(&self, node: Node, place: Option<&CrashPlace>) -> Pending<'_, Result<(), String>>;

    /// What can be asked of it by whoever runs it, if anything can.
    fn administration(&self) -> Option<&dyn Administration> {
        None
    }

    /// Control of its processes.
    fn processes(&self) -> &dyn Processes;

    /// Control of the links between its nodes.
    fn network(&self) -> &dyn Network;
}

/// Control of node processes.
pub trait Processes: Send + Sync {
    /// What is known of the node's process.
    fn state(&self, node: Node) -> ProcessState;

    /// Kills it with SIGKILL; returns once its wait status was seen.
    fn kill(&self, node: Node) -> Pending<'_, Result<Killed, ProcessError>>;

    /// Waits until it is dead; at once for one that is.
    fn ended(&self, node: Node) -> Pending<'_, Exit>;

    /// Starts it again with the same command; returns its new process id.
    fn restart(&self, node: Node) -> Pending<'_, Result<u32, ProcessError>>;

    /// From now on its end with this exit code is no surprise; or with none.
    fn expect_exit(&self, node: Node, code: Option<i32>) -> Result<(), ProcessError>;

    /// Stops it with SIGSTOP; returns once every thread was seen stopped.
    fn pause(&self, node: Node) -> Pending<'_, Result<Paused, ProcessError>>;

    /// Continues it with SIGCONT; returns once it was seen running.
    fn resume(&self, node: Node) -> Pending<'_, Result<Resumed, ProcessError>>;
}

/// Control of the links between nodes. Cuts are counted: a link carries again
/// when every cut of it was healed.
pub trait Network: Send + Sync {
    /// Cuts a link. When it returns, no byte sent after the call passes.
    fn cut(&self, link: Link, how: Cut) -> Result<(), LinkError>;

    /// Undoes one [`Network::cut`] of the same kind.
    fn heal(&self, link: Link, how: Cut) -> Result<(), LinkError>;

    /// Undoes every cut of every link.
    fn heal_all(&self);

    /// How the link is cut now, if it is; reset outranks hold.
    fn cut_of(&self, link: Link) -> Option<Cut>;

    /// What the link has carried and kept from passing so far.
    fn counters(&self, link: Link) -> Counters;

    /// Sends a probe through the link; answers within `limit`.
    fn probe(&self, link: Link, limit: Duration) -> Pending<'_, Probe>;

    /// Waits until nothing that was held is left to deliver, at most `limit`.
    fn settled(&self, link: Link, limit: Duration) -> Pending<'_, Settled>;
}
