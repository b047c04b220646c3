//! What a nemesis asks of its surroundings.
//!
//! Process and link control are two traits, so that nodes on other machines
//! can be driven by the same nemesis; [`Supervisor`](crate::process::Supervisor)
//! and [`Links`](crate::links::Links) are the local ones.

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

/// The cluster under test, as a nemesis sees it.
pub trait Cluster: Send + Sync {
    /// Its nodes, in order.
    fn nodes(&self) -> Vec<Node>;

    /// The self-declared leader of the highest epoch, if any node declares
    /// itself. Asked under a time limit; nodes that do not answer must not
    /// keep it from answering for the others.
    fn leader(&self) -> Pending<'_, Option<Leader>>;

    /// Whether the node is ready now, and if not why. Asked again and again
    /// after a restart until it is, or until a limit.
    fn ready(&self, node: Node) -> Pending<'_, Result<(), String>>;

    /// The exit code of a node that has crashed at the place it was asked to;
    /// none where nodes cannot be asked.
    fn crash_code(&self) -> Option<i32>;

    /// Asks a node to crash itself at a place; or nowhere any more.
    fn crash_at(&self, node: Node, place: Option<CrashPlace>) -> Pending<'_, Result<(), String>>;

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
