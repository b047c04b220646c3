//! What a system adds to its machine so that the model can check it.
//!
//! The machine, the bounded cluster and its faults are written once. A system
//! is the rest: who the nodes are, what clients ask, what must hold, and what
//! shows that the model is alive. To add one, implement [`ModelSystem`]:
//!
//! 1. `new` reads bounds and the name of a wrong version; `config` makes a
//!    node's configuration of them.
//! 2. `plan` lists the client operations; `request` encodes one. The
//!    [`ModelSystem::Object`] says what clients take the cluster for.
//! 3. `timer_limit` says which budget a timer's expiry spends.
//! 4. `observe` keeps the [`ModelSystem::Ghost`]: what no single state tells,
//!    such as who led which term, and judges transitions.
//! 5. `properties` names what must hold, by the published names, and says how
//!    it is judged ([`Check`]); `goals` names what must be reachable.
//! 6. `prefixes` scripts ways to states worth starting from.
//!
//! # What may be read
//!
//! Judge a node by [`Cluster::shown`], never by what a machine has in memory
//! while outputs wait for its disk: those conclusions are nobody's yet
//! ([`crate::node`] says why). What is durable ([`Cluster::durable`]), what
//! has been sent and what clients know may be read at any time.
//!
//! # Cost
//!
//! `observe` runs for every generated state, checks and goals once for every
//! unique one. A [`Check::Node`] or [`Check::Pair`] runs only for the nodes
//! that the last action touched, since the others were judged in the state
//! before; prefer them to [`Check::Cluster`].

use std::fmt::Debug;
use std::hash::Hash;
use std::ops::{Deref, DerefMut};

use tribunal_protocol::NodeId;
use tribunal_protocol::bugs::Bug;
use tribunal_protocol::machine::{Clock, Machine, Outcome};
use tribunal_protocol::quorum::majority;

use crate::bounds::{Bounds, Limit, Setting};
use crate::clients::Stage;
use crate::cluster::Cluster;
use crate::object::Object;

/// A machine with everything that a model of it needs to know.
pub trait ModelSystem: Clone + Debug + Send + Sync + Sized + 'static {
    /// What runs on the nodes.
    type Machine: Machine;
    /// What a client wants, as the specification knows it.
    type Operation: Clone + Debug + Send + Sync + 'static;
    /// What clients use it as; [`crate::object::Unjudged`] where no property asks
    /// whether their history is right ([`Check::Linearizable`],
    /// [`Check::Serializable`]).
    type Object: Object<Self>;
    /// What is remembered of the past, beside what the nodes remember.
    type Ghost: Clone + Eq + Hash + Debug + Default + Send + Sync + 'static;

    /// The name on the command line.
    const NAME: &'static str;
    /// What it is, in a sentence.
    const ABOUT: &'static str;
    /// The system whose server runs this machine, where that has another name.
    const PART_OF: Option<&'static str> = None;

    /// The bounds that are used where none are given.
    fn default_bounds() -> Bounds;

    /// Wider bounds, for a check that may take minutes.
    fn wide_bounds() -> Bounds {
        Self::default_bounds()
    }

    /// What it lets the user choose beside the common bounds, at most
    /// [`crate::bounds::SETTINGS_MAX`] of them.
    fn settings() -> &'static [Setting] {
        &[]
    }

    /// The wrong versions.
    fn bugs() -> &'static [Bug];

    /// Why the system cannot be within these bounds, if it cannot.
    fn refuses(bounds: &Bounds) -> Option<String> {
        let _ = bounds;
        None
    }

    /// The system within bounds that it does not refuse; `bug` is the name of one of
    /// [`ModelSystem::bugs`].
    fn new(bounds: &Bounds, bug: Option<&'static str>) -> Self;

    /// What a node is told at its start.
    fn config(&self, node: NodeId) -> <Self::Machine as Machine>::Config;

    /// The operations that clients want done, [`Limit::Operations`] and
    /// [`Limit::Reads`] of them. Those of one client follow each other, each
    /// invoked after the one before it was answered; give each its own client
    /// for the most orders.
    fn plan(&self) -> Vec<Planned<Self::Operation>>;

    /// The request by which a client asks for the planned operation `index`;
    /// the same for every attempt.
    fn request(
        &self,
        index: usize,
        operation: &Self::Operation,
    ) -> <Self::Machine as Machine>::Request;

    /// What an operator may ask of any node at any time, as far as the budgets
    /// go. What it is answered is not judged.
    fn administration(&self) -> Vec<Administration<Self::Machine>> {
        Vec::new()
    }

    /// Whether the client may send the request again without knowing what
    /// became of it.
    fn may_retry(&self, operation: &Self::Operation) -> bool {
        let _ = operation;
        true
    }

    /// What an answer means to the client. A response that says that nothing
    /// is known becomes [`Outcome::Unknown`] here.
    fn outcome(
        &self,
        operation: &Self::Operation,
        outcome: Outcome<Response<Self>>,
    ) -> Outcome<Response<Self>> {
        let _ = operation;
        outcome
    }

    /// Which budget the expiry of a timer spends: [`Limit::Elections`] or
    /// [`Limit::Timers`].
    fn timer_limit(&self, timer: <Self::Machine as Machine>::Timer) -> Limit;

    /// The bounds of time that the system rests on; none, unless it says so.
    fn synchrony(&self) -> Option<Synchrony> {
        None
    }

    /// Whether a timer that is set is due. Asked only of a system that rests
    /// on bounds of time.
    fn is_due(
        &self,
        cluster: &Cluster<Self>,
        node: NodeId,
        timer: <Self::Machine as Machine>::Timer,
    ) -> bool {
        let _ = (cluster, node, timer);
        true
    }

    /// Takes note of what happened, and says which properties it breaks: all
    /// of them, since somebody may ask for one alone.
    fn observe(
        &self,
        ghost: &mut Draft<'_, Self::Ghost>,
        seen: Seen<'_, Self::Machine>,
        broken: &mut Vec<Broken>,
    ) {
        let _ = (ghost, seen, broken);
    }

    /// What must hold.
    fn properties(&self) -> Vec<Property<Self>>;

    /// What is known not to hold: judged only if it is asked for by name.
    fn weaknesses(&self) -> Vec<Property<Self>> {
        Vec::new()
    }

    /// What must be reachable, lest the model prove nothing.
    fn goals(&self) -> Vec<Goal<Self>>;

    /// Whether the message can never again have an effect at `node`, whatever
    /// happens. Such messages are taken out of the network
    /// ([`crate::Reductions::dead`]). Read only what a crash cannot undo.
    fn is_dead(
        &self,
        message: &<Self::Machine as Machine>::Message,
        durable: &<Self::Machine as Machine>::Durable,
    ) -> bool {
        let _ = (message, durable);
        false
    }

    /// Whether the nodes differ in name only: exchanging two names everywhere
    /// makes of every behaviour another one. Not so where names are compared,
    /// or where one node has a part of its own.
    fn is_symmetric(&self) -> bool {
        false
    }

    /// Whether the cluster may stay as it is for ever. Asked of states in
    /// which nothing can happen but faults, and no budget is to blame.
    fn may_end(&self, cluster: &Cluster<Self>) -> bool {
        cluster.had_faults() || cluster.is_everything_answered()
    }

    /// Whether a check that began at `start` goes no further from here, though
    /// no budget is spent: for what may go on for ever without a timer, such
    /// as rounds of an election. Told as a bound on elections that was met.
    fn is_beyond(&self, start: &Cluster<Self>, cluster: &Cluster<Self>) -> bool {
        let _ = (start, cluster);
        false
    }

    /// What a simulation draws of the system.
    fn draws() -> Draws {
        Draws::USUAL
    }

    /// Whether these nodes, alive and connected while all others are cut off
    /// for good, must get done what clients ask of them. Asked of a
    /// simulation's nodes when its liveness phase begins.
    fn must_progress(&self, cluster: &Cluster<Self>, core: &[NodeId]) -> bool {
        core.len() >= majority(cluster.size())
    }

    /// Ways to states worth starting from.
    fn prefixes() -> Vec<Prefix<Self>> {
        Vec::new()
    }

    /// Behind which of them a check begins if nobody says: where the way from
    /// the first state would take most of what can be explored.
    fn usual_start(bounds: &Bounds) -> Option<&'static str> {
        let _ = bounds;
        None
    }

    /// A node in a line, for paths.
    fn describe(
        &self,
        node: NodeId,
        machine: &Self::Machine,
        durable: &<Self::Machine as Machine>::Durable,
    ) -> String {
        let _ = (node, durable);
        format!("{machine:?}")
    }

    /// A message in a line, for paths.
    fn describe_message(&self, message: &<Self::Machine as Machine>::Message) -> String {
        format!("{message:?}")
    }

    /// An operation in a few words, for paths.
    fn describe_operation(&self, operation: &Self::Operation) -> String {
        format!("{operation:?}")
    }
}

/// Partial synchrony: from some time on, which nodes do not know, messages
/// take no longer than a bound and nodes do what is due (Dwork, Lynch and
/// Stockmeyer 1988; Chandra and Toueg 1996, §4.1). Links lose nothing.
///
/// A clock that shows `from` or more does not advance while a message to its
/// node is late or one of the node's timers is due, so that time waits for
/// what must happen in time. Timers expire when they are due, never before.
/// Before `from` anything goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Synchrony {
    /// How far a receiver's clock may be beyond the sender's at the sending
    /// when a message arrives. One that is further already waits there.
    pub delay: u64,
    /// From when on the bounds hold, by every clock.
    pub from: u64,
}

impl Synchrony {
    /// What the receiver's clock shows when a message arrives at the latest.
    pub fn arrives_by(self, sent: Clock) -> Clock {
        Clock(sent.0.max(self.from) + self.delay)
    }
}

/// What a simulation draws of a system; each seed draws anew.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    /// How many nodes, each as likely as it is often in the list.
    pub nodes: &'static [u8],
    /// Values of the system's own settings, by name; of those not named the
    /// default. Each as likely as it is often in its list.
    pub settings: &'static [(&'static str, &'static [u8])],
    /// How many operations there are at most that may change something: 5 at
    /// least, with the reads 32 at most.
    pub operations_max: u8,
    /// How many operations there are at most that only read.
    pub reads_max: u8,
    /// Whether nodes may stop for good before the rest is healed.
    pub halts: bool,
}

impl Draws {
    /// For a system that has no wishes.
    pub const USUAL: Draws = Draws {
        nodes: &[3, 3, 3, 5, 5, 4, 2],
        settings: &[],
        operations_max: 20,
        reads_max: 12,
        halts: false,
    };
}

/// What a system's machine answers.
pub type Response<S> = <<S as ModelSystem>::Machine as Machine>::Response;

/// An operation that a client wants done.
#[derive(Clone, Debug)]
pub struct Planned<O> {
    /// Who wants it, from 0.
    pub client: usize,
    /// What.
    pub operation: O,
    /// Whether it only reads: counted by [`Limit::Reads`], and refused, not
    /// doubtful, where nothing is known of it.
    pub read: bool,
    /// The operation before which it is not invoked. Where two operations are
    /// the same but for names that nothing compares, let one follow the
    /// other: the other order is the same with the names exchanged.
    pub follows: Option<usize>,
}

/// Something that an operator may ask of a node.
#[derive(Clone, Debug)]
pub struct Administration<M: Machine> {
    /// The budget that each time spends.
    pub limit: Limit,
    /// What is asked.
    pub request: M::Request,
    /// The same in words, for paths.
    pub about: String,
}

/// Something that happened, as the outside may know it.
#[derive(Debug)]
pub enum Seen<'a, M: Machine> {
    /// A persist completed, whether or not anybody was told. Comes before
    /// everything else in that action; of several persists each is seen.
    Persisted {
        /// Of which node.
        node: NodeId,
        /// What is durable.
        durable: &'a M::Durable,
    },
    /// A node did something, and all it asked for has left. Comes before what
    /// it sent and answered in that action.
    Shown {
        /// Which node.
        node: NodeId,
        /// The machine before, if it was shown then; `None` also at a start
        /// and after a crash.
        before: Option<&'a M>,
        /// The machine now.
        after: &'a M,
        /// What the node's clock shows.
        clock: Clock,
    },
    /// A message left.
    Sent {
        /// From here.
        from: NodeId,
        /// To there.
        to: NodeId,
        /// What it says.
        message: &'a M::Message,
    },
    /// An answer left. It may be lost before the client has it.
    Answered {
        /// To which planned operation.
        operation: usize,
        /// What it says.
        outcome: &'a Outcome<M::Response>,
    },
    /// A node crashed; its recovery is shown next.
    Crashed {
        /// Which node.
        node: NodeId,
        /// What survived.
        durable: &'a M::Durable,
    },
}

/// A property that something broke.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Broken {
    /// Its published name.
    pub property: &'static str,
    /// What contradicts it, in a sentence.
    pub why: String,
}

impl Broken {
    /// Says that something contradicts a property.
    pub fn new(property: &'static str, why: impl Into<String>) -> Self {
        Broken {
            property,
            why: why.into(),
        }
    }
}

/// Something that must hold in every state.
#[derive(Debug)]
pub struct Property<S: ModelSystem> {
    /// Its published name.
    pub name: &'static str,
    /// What it says.
    pub about: &'static str,
    /// How it is judged.
    pub check: Check<S>,
}

/// What a check says: the reason, if the property is broken.
pub type Judgement = Result<(), String>;

/// Judges two nodes, the one with the smaller number first.
pub type PairCheck<S> = fn(&S, &Cluster<S>, NodeId, NodeId) -> Judgement;

/// How a property is judged.
#[derive(Debug)]
pub enum Check<S: ModelSystem> {
    /// By [`ModelSystem::observe`], which names it in [`Broken`].
    Observed,
    /// On one node and the ghost.
    Node(fn(&S, &Cluster<S>, NodeId) -> Judgement),
    /// On two nodes, the one with the smaller number first, and on nothing
    /// else.
    Pair(PairCheck<S>),
    /// On the whole cluster.
    Cluster(fn(&S, &Cluster<S>) -> Judgement),
    /// The clients' history fits the specification of their object: the
    /// operations can be put in one order that it allows, each one with a result
    /// exactly once, each one without at most once, and none before one that had
    /// completed when it was invoked. Failed operations are left out.
    Linearizable,
    /// It does so if operations may stand in any order, whenever they were
    /// invoked and completed. Judged before linearizability, of which it is a
    /// part.
    Serializable,
    /// The cluster can always find its way somewhere, once nothing goes wrong
    /// any more. Judged by a check alone: a simulation sees one way of many.
    Recoverable(Recovery<S>),
    /// An operation that was said to have failed has not taken effect: the
    /// history does not fit the specification, but would if that operation
    /// were open. Judged before linearizability, of which it is a part.
    FailMeansNever,
}

/// From every state that can be reached in which `from` holds, also by faults,
/// a way without faults leads to one in which `to` holds: in the logic CTL,
/// `AG (from → EF to)`, where `EF` is of ways that [`Recovery::grant`] bounds.
/// It says that termination stays possible, whatever happened. That it comes
/// about takes fairness, too, or luck with timers: nothing is said of that.
#[derive(Debug)]
pub struct Recovery<S: ModelSystem> {
    /// Where a way must begin: wherever there is something to be brought to an
    /// end. Budgets are full when it is asked, the bag may be empty. It must not
    /// cease to hold by a persist that completes.
    pub from: fn(&S, &Cluster<S>) -> bool,
    /// Where it must lead.
    pub to: fn(&S, &Cluster<S>) -> bool,
    /// The same in words, as in "no way leads from here to …".
    pub goal: &'static str,
    /// What a way may take, made of the bounds that were asked for; limits on
    /// faults, and on what operators do, are of no account. Nothing that nodes
    /// are told may change by it.
    pub grant: fn(Bounds) -> Bounds,
    /// Whether those who have stopped for good are started again first, from
    /// what they have on disk.
    pub repairs: bool,
    /// Whether there must be a way; or there must be none.
    pub exists: bool,
}

impl<S: ModelSystem> Clone for Recovery<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: ModelSystem> Copy for Recovery<S> {}

/// Something that must be reachable.
#[derive(Debug)]
pub struct Goal<S: ModelSystem> {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub about: &'static str,
    /// What it takes at least; not asked where the bounds have less.
    pub needs: &'static [(Limit, u8)],
    /// Whether it is reached.
    pub reached: fn(&S, &Cluster<S>) -> bool,
}

/// A scripted way to a state worth starting from.
#[derive(Debug)]
pub struct Prefix<S: ModelSystem> {
    /// Its name, as `--from` takes it.
    pub name: &'static str,
    /// What it leads to.
    pub about: &'static str,
    /// How many nodes it needs.
    pub nodes: u8,
    /// How many operations and reads of the plan it needs.
    pub needs: &'static [(Limit, u8)],
    /// The steps. They are real ones, taken with unlimited budgets; each cue
    /// must fit, or the prefix is refused.
    pub cues: Vec<Cue<S::Machine>>,
}

/// One step of a prefix.
#[derive(Clone, Debug)]
pub enum Cue<M: Machine> {
    /// A timer of a node expires.
    Expire(NodeId, M::Timer),
    /// The first message from one node to another that fits arrives.
    Deliver(NodeId, NodeId, fn(&M::Message) -> bool),
    /// All messages from one node to another that fit are lost.
    Lose(NodeId, NodeId, fn(&M::Message) -> bool),
    /// Everything under way is lost. Not with sessions.
    LoseAll,
    /// All outstanding persists of a node complete.
    Persist(NodeId),
    /// A node crashes and keeps so many of its outstanding persists.
    Crash(NodeId, usize),
    /// The session between two nodes breaks; neither knows yet.
    Break(NodeId, NodeId),
    /// A node is told what became of its session with another.
    Tell(NodeId, NodeId),
    /// The request of a planned operation is handed to a node, for the first
    /// time or again.
    Request(usize, NodeId),
    /// An operator asks something of a node.
    Administer(NodeId, M::Request),
    /// Messages between these nodes are delivered, persists completed and
    /// sessions told, until nothing has an effect; messages to and from other
    /// nodes stay.
    Settle(Vec<NodeId>),
    /// The same, but messages that fit stay as well, and with sessions what is
    /// behind them.
    SettleBefore(Vec<NodeId>, fn(&M::Message) -> bool),
}

/// A ghost that is copied only if something is written to it.
pub struct Draft<'a, G: Clone> {
    base: &'a G,
    own: Option<G>,
}

impl<'a, G: Clone> Draft<'a, G> {
    /// A draft of what stands in `base`.
    pub fn new(base: &'a G) -> Self {
        Draft { base, own: None }
    }

    /// What was written, if anything was.
    pub fn written(self) -> Option<G> {
        self.own
    }
}

impl<G: Clone> Deref for Draft<'_, G> {
    type Target = G;
    fn deref(&self) -> &G {
        self.own.as_ref().unwrap_or(self.base)
    }
}

impl<G: Clone> DerefMut for Draft<'_, G> {
    fn deref_mut(&mut self) -> &mut G {
        self.own.get_or_insert_with(|| self.base.clone())
    }
}

impl<R> Stage<R> {
    /// What the operation returned, if that is known.
    pub fn result(&self) -> Option<&R> {
        match self {
            Stage::Ok(result) => Some(result),
            _ => None,
        }
    }
}
