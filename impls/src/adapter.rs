//! What a campaign knows of a system: how to start a node, that it is ready,
//! who leads, and how to perform one operation. Nothing else.
//!
//! Our own servers are reached through it like everybody else's; nothing in a
//! campaign or a nemesis may tell them apart.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use tribunal_histories::Value;

/// A future that a trait object can return.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A node of the cluster under test, by its place: 1 is `n1`.
pub type NodeNumber = u8;

/// Where one node lives and how it reaches the others.
#[derive(Clone, Debug)]
pub struct NodePlan {
    /// Which node.
    pub node: NodeNumber,
    /// Where it listens for peers.
    pub peer_listen: SocketAddr,
    /// Where it listens for clients.
    pub client_listen: SocketAddr,
    /// The address under which it must dial each other node: a link that the
    /// harness controls, not the other node's own address.
    pub peers: BTreeMap<NodeNumber, SocketAddr>,
    /// Its data folder; kept across restarts.
    pub data: PathBuf,
    /// A name that sets this cluster apart from any other on the machine.
    pub cluster: String,
    /// Where it is to record what it does, if it is asked to.
    pub trace: Option<PathBuf>,
}

/// A command line to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Variables added to its environment.
    pub environment: BTreeMap<String, String>,
}

/// What a node says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeStatus {
    /// Term, ballot or epoch.
    pub epoch: u64,
    /// Whether it holds itself for the leader of that epoch.
    pub leads: bool,
    /// Position up to which decisions were applied.
    pub applied: u64,
    /// Digest of its object at `applied`, where the system can tell.
    pub digest: Option<u64>,
    /// Position up to which its log was compacted; 0 where it has none.
    pub compacted: u64,
    /// Who belongs to the cluster, where that can change.
    pub members: Option<Members>,
    /// Transactions as it knows them, where the system can tell.
    pub transactions: Option<Transactions>,
}

/// Transactions as one node knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transactions {
    /// How many it coordinates that are not decided.
    pub undecided: u64,
    /// Those that it has prepared and not heard the decision of, by name, and
    /// who coordinates each.
    pub in_doubt: BTreeMap<String, NodeNumber>,
}

/// Who belongs to the cluster, as far as one node knows it to be committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// Those whose word counts towards a decision.
    pub voters: BTreeSet<NodeNumber>,
    /// Those who are told of decisions and not counted.
    pub learners: BTreeSet<NodeNumber>,
    /// Whether the node knows of a later membership that is not committed.
    pub is_changing: bool,
}

/// What a system can do that not every one can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// To drop what a node's log need not hold any more; its status says up
    /// to where.
    Compaction,
    /// To change who belongs to the cluster; its nodes' status says who does.
    Membership,
    /// To let another node lead.
    Transfer,
    /// To read what one node has, which may be old, with the position in the
    /// order of all writes that it reflects.
    LocalReads,
    /// To say which node leads; its nodes' status does.
    Leader,
    /// To carry out transactions; its nodes' status says which they coordinate
    /// and which they are in doubt about.
    Transactions,
}

impl Capability {
    /// All that an operator can ask, and clients cannot.
    pub const OPERATOR: &'static [Capability] = &[
        Capability::Compaction,
        Capability::Membership,
        Capability::Transfer,
    ];
}

/// What is asked of a node on behalf of whoever runs the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Administration {
    /// Compact your log, as far as it goes.
    Compact,
    /// Take this node out of the cluster.
    Remove(NodeNumber),
    /// Take the next step towards this node's being a full member again: as
    /// a learner, then, once it has caught up, as one that is counted. Asked
    /// again until the status says that it is.
    Add(NodeNumber),
    /// Let this node lead.
    Transfer(NodeNumber),
}

/// Where a node is to crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrashPlace<'a> {
    /// After which output.
    pub after: &'a str,
    /// Of which kind, if that matters.
    pub of: Option<&'a str>,
    /// After which of them, from 1, counted from when the node is asked.
    pub ordinal: u64,
}

/// The kinds of output that a place to crash may name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrashKinds {
    /// Of messages between nodes.
    pub messages: Vec<String>,
    /// Of records on their disks.
    pub records: Vec<String>,
}

/// How soon a failed node is suspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detects {
    /// How long after its failure all others suspect it, if they run and
    /// nothing slows them down.
    pub within: Duration,
    /// Whether what one node thinks of another depends on no third.
    pub pairwise: bool,
}

/// A kind of system under test.
pub trait System: Send + Sync {
    /// Its name, as the command line takes it.
    fn name(&self) -> &str;

    /// How to start a node.
    fn command(&self, plan: &NodePlan) -> CommandLine;

    /// What a running node says of itself; an error while it is not ready.
    fn status<'a>(&'a self, plan: &'a NodePlan) -> Pending<'a, Result<NodeStatus, ClientError>>;

    /// The exit code of a node that has crashed at the place it was asked to;
    /// none where nodes cannot be asked.
    fn crash_code(&self) -> Option<i32> {
        None
    }

    /// The kinds of messages and of records that a place to crash may name.
    fn crash_kinds(&self) -> CrashKinds {
        CrashKinds::default()
    }

    /// Asks a node to crash at a place, or nowhere any more.
    fn crash_at<'a>(
        &'a self,
        _plan: &'a NodePlan,
        _place: Option<CrashPlace<'a>>,
    ) -> Pending<'a, Result<(), ClientError>> {
        let why = "its nodes cannot be asked to crash at a place";
        Box::pin(async move { Err(ClientError::Protocol(why.to_owned())) })
    }

    /// What it can do that not every system can; nothing, unless it says so.
    fn capabilities(&self) -> &[Capability] {
        &[]
    }

    /// Asks `plan`'s node; for anything but a compaction that is the leader.
    /// `Ok` says that it was done, an error that it was not or is not known
    /// to be: whoever asks looks at the status for the effect, and limits the
    /// time.
    fn administer<'a>(
        &'a self,
        plan: &'a NodePlan,
        operation: Administration,
    ) -> Pending<'a, Result<(), ClientError>> {
        let _ = (plan, operation);
        Box::pin(async { Err(ClientError::NotSupported) })
    }

    /// How soon so many nodes suspect one of them that has failed; none for a
    /// system whose nodes do not say whom they suspect.
    fn detects(&self, nodes: NodeNumber) -> Option<Detects> {
        let _ = nodes;
        None
    }

    /// A client that talks to `plan`'s node first. `options` say how it may
    /// behave; `plans` are all nodes, for following redirects.
    fn client(
        &self,
        plan: &NodePlan,
        plans: &[NodePlan],
        options: &ClientOptions,
    ) -> Box<dyn Client>;
}

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// How long one operation may take in all.
    pub timeout: Duration,
    /// Whether an operation whose outcome is not known is sent again, under
    /// the same session and serial number, until `timeout`.
    pub retry: bool,
}

/// One operation, as a workload asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// `read`, `write`, `cas`, …
    pub f: String,
    /// On which key.
    pub key: Value,
    /// With which value; null for a read, `[old, new]` for a cas.
    pub value: Value,
}

/// What became of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completion {
    /// It took effect, or was read; the value a history records.
    Ok(Value),
    /// It has not taken effect and will not, in any future.
    Fail(String),
    /// The same, for what the system found: a cas another value, a transaction
    /// a conflict. It says nothing of how available the system is.
    Refused(String),
    /// It may have taken effect, or may still.
    Info(String),
}

/// A logical client: one operation at a time.
pub trait Client: Send {
    /// Performs one operation. Never fails otherwise than by its completion.
    fn invoke<'a>(&'a mut self, invocation: &'a Invocation) -> Pending<'a, Completion>;

    /// The node that was asked last, for the history.
    fn node(&self) -> NodeNumber;
}

/// Why a node could not be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No connection, or it broke.
    #[error("reach the node")]
    Io(#[from] std::io::Error),
    /// It answered something that the adapter does not understand.
    #[error("understand the node's answer: {0}")]
    Protocol(String),
    /// It refused, or does not know what came of it; in its words.
    #[error("get it done: {0}")]
    Refused(String),
    /// The system cannot be asked that.
    #[error("ask what the system does not support")]
    NotSupported,
    /// It did not answer in time.
    #[error("get an answer within {0:?}")]
    Timeout(Duration),
}
