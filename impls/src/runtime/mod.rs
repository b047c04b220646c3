//! Makes a machine a server process.
//!
//! One task owns the machine and steps it; transport, disk and clients are
//! tasks around it, joined by queues. Written once, generically: nothing here
//! knows a protocol.
//!
//! ```text
//!   peers.rs    links to other nodes ──┐                     ┌── gate.rs ──> peers, clients
//!   sessions.rs (where order counts)   ├─ events ─> host.rs ─┤
//!   port.rs     the client port ───────┘            machine  └── disk.rs ──> journal/
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `host.rs` | the task that owns the machine |
//! | `gate.rs` | what may leave, and when: the promise of every host |
//! | `timers.rs` | named timers, lengths drawn from a seed |
//! | `writer.rs`, `journal/` | one frame in flight, written, synced, recovered; on a disk that is a trait |
//! | `peers.rs`, `sessions.rs`, `incarnations.rs`, `wire.rs`, `framing.rs`, `outbox.rs` | links |
//! | `port.rs` | clients |
//! | `crash.rs` | crashes on demand, between two outputs |
//! | `kinds.rs` | the kinds of a machine's messages and records |
//! | `mutant.rs` | wrong versions of all this |
//! | `process.rs` | the process around it: signals, panics, exit codes |
//!
//! Never here: protocol decisions.

mod crash;
mod event;
mod framing;
mod gate;
mod host;
mod incarnations;
mod journal;
mod kinds;
mod mutant;
mod outbox;
mod peers;
mod port;
mod process;
mod sessions;
mod timers;
mod wire;
mod writer;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tribunal_protocol::NodeId;

pub use self::crash::CrashAfter;
pub use self::host::ClockOptions;
use self::host::{Host, Parts};
pub use self::journal::{
    Disk, DiskFile, FileSystem, Identity, Journal, JournalError, Recovery, Settings,
};
pub use self::kinds::kinds;
pub use self::mutant::Mutant;
use self::peers::Peers;
pub use self::process::{EXIT_CRASH_AT, EXIT_DISK, EXIT_PANIC, EXIT_REFUSED, serve};
pub use self::timers::Spans;
use self::timers::Timers;
use self::wire::Card;
pub use self::writer::SlowDisk;
use self::writer::Writer;
use crate::Compaction;
use crate::service::Service;
use crate::trace::Recorder;
use crate::trace::recorder::RecordError;

/// How many inputs wait for the machine before their senders must.
const EVENTS_MAX: usize = 1024;

/// What a node is told about its surroundings; what the protocol needs to
/// know is in the machine's own configuration.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which node it is.
    pub node: NodeId,
    /// The cluster's name.
    pub cluster: String,
    /// Where it listens for peers.
    pub peer_listen: SocketAddr,
    /// Where it listens for clients.
    pub client_listen: SocketAddr,
    /// Where it dials each other node.
    pub peers: BTreeMap<NodeId, SocketAddr>,
    /// Its data folder.
    pub data: PathBuf,
    /// How long its timers run.
    pub spans: Spans,
    /// What their jitter is drawn from, together with node and incarnation.
    pub seed: u64,
    /// How long the journal grows before a checkpoint replaces it.
    pub checkpoint_bytes: u64,
    /// How slow its disk is made.
    pub disk: SlowDisk,
    /// Whether it ends itself at a place, if it is asked to: for harnesses.
    pub crashable: bool,
    /// The node's clock, for machines that use one.
    pub clock: ClockOptions,
    /// Where to record what the node does, if anywhere.
    pub trace: Option<PathBuf>,
    /// Which wrong version of the protocol it plays, if any.
    pub bug: Option<String>,
    /// When it compacts its log by itself, where its machine has one.
    pub compaction: Compaction,
    /// A rule of the runtime to break; none in a node that is right.
    pub mutant: Option<Mutant>,
}

/// The journal's length at which a checkpoint replaces it, unless told.
pub const CHECKPOINT_BYTES: u64 = 16 << 20;

/// A node that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Where it listens for peers.
    pub peers: SocketAddr,
    /// Where it listens for clients.
    pub clients: SocketAddr,
    /// What it found in its data folder.
    pub recovery: Recovery,
}

/// Why a node did not start, or could not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The options contradict each other.
    #[error("start {node}: {why}")]
    Options {
        /// Which node.
        node: NodeId,
        /// What is wrong.
        why: String,
    },
    /// An address is taken, or not ours.
    #[error("listen for {whom} on {address}")]
    Listen {
        /// Peers or clients.
        whom: &'static str,
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The data folder cannot be used; it was left as it was.
    #[error("recover from the data folder")]
    Recover(#[source] JournalError),
    /// A write or sync failed. What of it is on disk is not known, so the
    /// node must not go on.
    #[error("write to the disk")]
    Disk(#[source] JournalError),
    /// What the node does could not be recorded.
    #[error("record what it does")]
    Trace(#[from] RecordError),
    /// A thread or the like could not be made.
    #[error("get what a process needs")]
    System(#[from] io::Error),
}

/// Runs a node until `stop`: listens, recovers, calls `ready`, and serves.
///
/// Refuses before it changes anything: an address that is taken leaves the
/// data folder untouched.
pub async fn run<M: Service>(
    options: Options,
    config: M::Config,
    ready: impl FnOnce(&Ready),
    stop: impl Future<Output = ()>,
) -> Result<(), NodeError> {
    check(&options)?;
    let (node, crashable) = (options.node, options.crashable);
    let peer_listener = listen("peers", options.peer_listen).await?;
    let client_listener = listen("clients", options.client_listen).await?;
    let identity = Identity::new::<M>(&options.cluster, node);
    let disk = Arc::new(FileSystem);
    let settings = Settings {
        checkpoint_bytes: options.checkpoint_bytes,
        mutant: options.mutant,
    };
    let opened = Journal::<M>::open_on(disk, &options.data, &identity, settings);
    let journal = opened.map_err(NodeError::Recover)?;
    let ready_now = Ready {
        peers: peer_listener.local_addr()?,
        clients: client_listener.local_addr()?,
        recovery: journal.recovery().clone(),
    };
    let incarnation = journal.recovery().incarnation;
    let durable = journal.durable().clone();
    let recorder = match &options.trace {
        Some(path) => Recorder::open(path)?,
        None => Recorder::default(),
    };
    let drawn_from = seed(options.seed, node, incarnation);
    let writer = Writer::start(journal, options.disk, drawn_from, recorder.clone())?;

    let (events, inbox) = mpsc::channel(EVENTS_MAX);
    let card = Card::new::<M>(&options.cluster, node, incarnation);
    let peers = Peers::start(card, options.peers, peer_listener, events.clone());
    let host = Host::<M>::new(Parts {
        node,
        config,
        incarnation,
        durable,
        timers: Timers::new(options.spans, drawn_from),
        clock: options.clock,
        writer,
        peers,
        recorder: recorder.clone(),
        bug: options.bug,
        compaction: options.compaction,
        mutant: options.mutant,
    });
    // Dropped, and so ended, with this function.
    let mut clients = JoinSet::new();
    clients.spawn(port::serve(node, client_listener, events, crashable));
    ready(&ready_now);
    host.run(inbox, stop).await.inspect_err(|error| {
        // What ends the node is said on stderr; its trace may be what failed.
        let _ = recorder.crash(&error.to_string());
    })
}

fn check(options: &Options) -> Result<(), NodeError> {
    let node = options.node;
    let why = if node.0 == 0 {
        "nodes are numbered from 1"
    } else if options.peers.contains_key(&node) {
        "it is among its own peers"
    } else if options.peers.contains_key(&NodeId(0)) {
        "peers are numbered from 1"
    } else if let Err(why) = options.spans.check() {
        why
    } else {
        return Ok(());
    };
    Err(NodeError::Options {
        node,
        why: why.to_owned(),
    })
}

async fn listen(whom: &'static str, address: SocketAddr) -> Result<TcpListener, NodeError> {
    let refused = |source| NodeError::Listen {
        whom,
        address,
        source,
    };
    TcpListener::bind(address).await.map_err(refused)
}

/// Nodes and incarnations draw differently from one seed.
fn seed(seed: u64, node: NodeId, incarnation: u64) -> u64 {
    let salt = u64::from(node.0) << 48 ^ incarnation;
    // SplitMix64's finalizer: near seeds give far streams.
    let mut mixed = seed ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
