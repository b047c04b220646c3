//! What a machine is, what it may ask for, and what every host promises it.
//!
//! A machine takes an [`Input`] and gives [`Output`]s, in order. It has no
//! clock, no randomness, no file and no socket; whatever it needs of those
//! arrives as an input. Its state is ordered and its `Hash` and `Eq` are
//! derived, so that states can be stored by the million, compared and replayed.
//!
//! # What a host promises
//!
//! - An output with [`Gate::Durable`] leaves only after every persist before
//!   it, of this step or an earlier one, is durable.
//! - An output with [`Gate::Now`] waits for no persist, but overtakes no
//!   earlier output.
//! - Timers are set and cancelled at once. The expiry of a timer that was
//!   cancelled, or set anew, is never delivered.
//! - One persist is atomic. A crash keeps some prefix of the outstanding
//!   persists, each whole; every output that has not left is lost.
//! - After a crash the machine is made again by [`Machine::recover`] from the
//!   fold of the records that survived, and from nothing else.
//!
//! That is the whole crash model; a protocol that needs more says so in its
//! fault contract.

use std::fmt::{self, Debug, Display};
use std::hash::Hash;

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};

/// A member of the cluster. Numbered from 1; shown as `n1`.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize, Default,
)]
#[serde(transparent)]
pub struct NodeId(pub u8);

impl NodeId {
    /// The node that a name such as `n1` stands for.
    pub fn named(name: &str) -> Option<NodeId> {
        let number = name.strip_prefix('n')?.parse().ok()?;
        // What reads as a number in another way is not the name of a node.
        let node = NodeId(number);
        (number > 0 && node.to_string() == name).then_some(node)
    }
}

impl Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

impl Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

/// The host's name for one client request, echoed in its answer.
///
/// It has no meaning beyond one incarnation of the node: the host may reuse
/// it after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A reading of the node's own clock, in the protocol's time units.
///
/// Always zero for a machine with [`ClockUse::Untimed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Clock(pub u64);

/// What the machine expects of the links between nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Messages may be lost, repeated, and overtake each other.
    Unordered,
    /// Messages of one session arrive in order, without gaps, and none after
    /// it broke; both ends are told by [`Input::Link`].
    Fifo,
}

/// Whether safety depends on clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockUse {
    /// No: a timer may fire at any time after it was set.
    Untimed,
    /// Yes: any two nodes' clocks differ by at most `drift` units.
    BoundedDrift {
        /// The greatest difference the protocol stands, in its time units.
        drift: u64,
    },
}

/// What a machine is given beside its input: facts that never change during
/// one incarnation, and the time.
#[derive(Debug)]
pub struct Context<'a, M: Machine> {
    /// The configuration, the same at every step of an incarnation.
    pub config: &'a M::Config,
    /// The node's own clock.
    pub clock: Clock,
}

impl<M: Machine> Clone for Context<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: Machine> Copy for Context<'_, M> {}

impl<'a, M: Machine> Context<'a, M> {
    /// The context of an untimed machine.
    pub fn untimed(config: &'a M::Config) -> Self {
        Context {
            config,
            clock: Clock(0),
        }
    }
}

/// Something that can be stored in a state, compared and shown.
pub trait Plain: Clone + Eq + Ord + Hash + Debug + Send + Sync + 'static {}
impl<T: Clone + Eq + Ord + Hash + Debug + Send + Sync + 'static> Plain for T {}

/// Something that also travels over a wire or into a journal.
pub trait Wire: Plain + Serialize + DeserializeOwned {}
impl<T: Plain + Serialize + DeserializeOwned> Wire for T {}

/// One participant of a protocol.
pub trait Machine: Clone + Eq + Hash + Debug + Send + Sync + 'static {
    /// The protocol's name; peers with another name are refused.
    const NAME: &'static str;
    /// The version of messages and records; peers and journals with another
    /// version are refused.
    const FORMAT: u32;
    /// What the machine expects of links.
    const CHANNEL: Channel;
    /// Whether safety depends on clocks.
    const CLOCK: ClockUse;

    /// What never changes during an incarnation: who the node is, who its
    /// peers are, limits. Kept outside the state, so that it is not hashed.
    type Config: Clone + Debug + Send + Sync + 'static;
    /// What nodes say to each other.
    type Message: Wire;
    /// The names of the machine's timers.
    type Timer: Plain + Copy;
    /// What a client asks.
    type Request: Wire;
    /// What a client is told when the request took effect.
    type Response: Wire;
    /// One durable fact.
    type Record: Wire;
    /// The fold of all durable facts: all that recovery may see.
    type Durable: Clone
        + Eq
        + Hash
        + Debug
        + Default
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + 'static;

    /// Adds one fact to the durable state. The only way it ever changes: in
    /// the model, in the journal's replay, and in a checkpoint.
    fn apply(durable: &mut Self::Durable, record: &Self::Record);

    /// Makes the machine from what survived. The only way to start, at the
    /// first start (from `Durable::default()`) as after a crash.
    fn recover(
        context: Context<'_, Self>,
        durable: &Self::Durable,
        outputs: &mut Outputs<Self>,
    ) -> Self;

    /// Takes one input; pushes what it asks of the host, in order.
    fn step(&mut self, context: Context<'_, Self>, input: Input<Self>, outputs: &mut Outputs<Self>);

    /// Drops the `count` oldest entries of the machine's list of outstanding
    /// persists, and changes nothing else.
    ///
    /// A host may complete a persist together with the step that asked for it
    /// where handling [`Input::Persisted`] does no more than this; that is
    /// asserted against this function. A machine that keeps no such list
    /// leaves the default.
    fn forget_outstanding(&mut self, count: usize) {
        let _ = count;
    }

    /// What a harness may know of the node.
    fn view(&self, config: &Self::Config) -> View;
}

/// Everything that can happen to a machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input<M: Machine> {
    /// A peer's message arrived.
    Message {
        /// Who sent it.
        from: NodeId,
        /// What it says.
        message: M::Message,
    },
    /// A session with a peer began or broke. Only with [`Channel::Fifo`].
    Link {
        /// The other end.
        peer: NodeId,
        /// Whether it is up now.
        up: bool,
    },
    /// A timer that was set has expired.
    Timer(M::Timer),
    /// A client asks.
    Request {
        /// To be echoed in the answer.
        id: RequestId,
        /// What it asks.
        request: M::Request,
    },
    /// The `0` oldest outstanding persists are durable. Relative, as
    /// everything in a machine's state that can be: a counter that only grows
    /// makes equal states different and the space infinite.
    Persisted(usize),
}

/// What a machine asks of its host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output<M: Machine> {
    /// Make these facts durable, all or none.
    Persist(Vec<M::Record>),
    /// Send a message; delivery is not promised.
    Send {
        /// To whom.
        to: NodeId,
        /// What.
        message: M::Message,
        /// When it may leave.
        gate: Gate,
    },
    /// Answer a client.
    Answer {
        /// Which request.
        id: RequestId,
        /// What became of it.
        outcome: Outcome<M::Response>,
        /// When it may leave.
        gate: Gate,
    },
    /// Start, or restart, a timer. The host draws the length.
    SetTimer {
        /// Its name.
        timer: M::Timer,
        /// About how long.
        span: Span,
    },
    /// Stop a timer; stopping one that is not set does nothing.
    CancelTimer(M::Timer),
}

/// When an output may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Gate {
    /// After every persist before it is durable.
    #[default]
    Durable,
    /// Without waiting for any persist, but not before an earlier output.
    Now,
}

/// What became of a client's request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome<R> {
    /// It took effect (or was read) and this is what it returned.
    Ok(R),
    /// It has not taken effect and will not, in any future.
    Never(String),
    /// It may have taken effect, or may still.
    Unknown(String),
    /// It was not accepted; that node may accept it.
    Redirect(NodeId),
}

/// How long a timer runs, by purpose. The host turns it into a duration and
/// draws the jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Span {
    /// A sign of life, well below [`Span::Election`]; without jitter.
    Heartbeat,
    /// Patience with a silent leader; drawn anew each time from a range as
    /// wide as its lower end, so that rivals seldom meet (Raft §5.2).
    Election,
    /// Before asking a silent peer again.
    Retry,
}

/// What a harness may know of a node: enough to find the leader, to see that
/// replicas agree, and nothing that only one protocol has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct View {
    /// Term, ballot or epoch; 0 where the protocol has none.
    pub epoch: u64,
    /// Whether the node holds itself for the leader of `epoch`.
    pub leads: bool,
    /// Position up to which the node knows decisions to be final.
    pub committed: u64,
    /// Position up to which decisions were applied to the object.
    pub applied: u64,
    /// Digest of the object at `applied`: equal positions, equal digests; none
    /// where nodes are not replicas of one object.
    pub digest: Option<u64>,
    /// Nodes that this one suspects of having failed.
    pub suspects: BTreeSet<NodeId>,
    /// Position up to which the node's log was compacted: decisions there are
    /// known by their effect alone. 0 where there is no log, or all of it.
    pub compacted: u64,
    /// Who belongs to the cluster at `committed`; none where the protocol
    /// never changes that.
    pub members: Option<Members>,
    /// Transactions; none where the protocol has no such.
    pub transactions: Option<Transactions>,
}

/// Transactions, as the nodes that coordinate them and take part in them know
/// them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Transactions {
    /// How many the node coordinates and has not decided.
    pub undecided: usize,
    /// Those that it has prepared and not heard the decision of, by name, and
    /// who coordinates each.
    pub in_doubt: BTreeMap<String, NodeId>,
}

/// Who belongs to a cluster whose membership can change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Members {
    /// Those whose word counts towards a decision.
    pub voters: BTreeSet<NodeId>,
    /// Those who are told of decisions and not counted.
    pub learners: BTreeSet<NodeId>,
    /// Whether the node knows of a later membership that is not committed.
    pub is_changing: bool,
}

/// Collects the outputs of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outputs<M: Machine> {
    list: Vec<Output<M>>,
}

impl<M: Machine> Default for Outputs<M> {
    fn default() -> Self {
        Outputs { list: Vec::new() }
    }
}

impl<M: Machine> Outputs<M> {
    /// An empty collection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an output behind the others.
    pub fn push(&mut self, output: Output<M>) {
        self.list.push(output);
    }

    /// Asks to make `records` durable, all or none. Nothing for none.
    pub fn persist(&mut self, records: Vec<M::Record>) {
        if !records.is_empty() {
            self.push(Output::Persist(records));
        }
    }

    /// Sends once every persist before it is durable.
    pub fn send(&mut self, to: NodeId, message: M::Message) {
        self.send_gated(to, message, Gate::Durable);
    }

    /// Sends when `gate` lets it.
    pub fn send_gated(&mut self, to: NodeId, message: M::Message, gate: Gate) {
        self.push(Output::Send { to, message, gate });
    }

    /// Answers a client when `gate` lets it.
    pub fn answer(&mut self, id: RequestId, outcome: Outcome<M::Response>, gate: Gate) {
        self.push(Output::Answer { id, outcome, gate });
    }

    /// Starts, or restarts, a timer.
    pub fn set_timer(&mut self, timer: M::Timer, span: Span) {
        self.push(Output::SetTimer { timer, span });
    }

    /// Stops a timer.
    pub fn cancel_timer(&mut self, timer: M::Timer) {
        self.push(Output::CancelTimer(timer));
    }

    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The outputs, in order.
    pub fn as_slice(&self) -> &[Output<M>] {
        &self.list
    }

    /// Takes the outputs, in order, leaving none.
    pub fn take(&mut self) -> Vec<Output<M>> {
        std::mem::take(&mut self.list)
    }
}
