//! Multi-Paxos: a sequence of slots, each decided by Paxos, under one leader
//! a ballot.
//!
//! From Lamport, "The Part-Time Parliament" (1998) and "Paxos Made Simple"
//! (2001), cited here as PMS §n; van Renesse & Altınbüken, "Paxos Made
//! Moderately Complex" (2015), PMMC §n, for many slots; Howard, Malkhi &
//! Spiegelman, "Flexible Paxos" (2016), for its quorums.
//!
//! Every node is proposer, acceptor and learner:
//!
//! | file | decides |
//! |---|---|
//! | `proposer.rs` | which values are proposed: phase 1 once for all slots, phase 2 slot by slot |
//! | `acceptor.rs` | what may be promised and accepted |
//! | `learner.rs` | what is decided, and how a node learns what it missed |
//! | `snapshot.rs` | what may be dropped from a log, and how a node does without |
//! | `lease.rs` | when a leader may trust its clock |
//! | `clients.rs` | what becomes of a client's request |
//! | `ballot.rs`, `log.rs`, `message.rs` | what they are made of |
//! | `bugs.rs` | the wrong versions, and where each was published |
//!
//! Every step asks for at most one persist, and asks for it first.
//!
//! ```text
//!             nobody leads           quorum of promises
//!   Follower --------------> Preparing ---------------> Leader
//!      ^                         |                        |
//!      |_________ higher ballot _|________________________|
//! ```
//!
//! Raft (`crate::raft`) differs in what a leader is: there one that has every
//! decision already, here anybody, who first learns what may be decided. So
//! logs may have gaps, and a value travels from ballot to ballot.

mod acceptor;
mod ballot;
mod bugs;
mod clients;
mod learner;
mod lease;
mod log;
mod message;
mod proposer;
mod snapshot;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::proposer::{Leadership, Preparing};
use self::snapshot::Arriving;

pub use self::ballot::Ballot;
pub use self::bugs::{BUGS, Wrong};
pub use self::lease::DRIFT;
pub use self::log::{Accepted, Command, Log, Slot};
pub use self::message::Message;
pub use self::snapshot::{Chunk, Snapshot};
use crate::machine::{
    Channel, Clock, ClockUse, Context, Gate, Input, Machine, NodeId, Outcome, Outputs, RequestId,
    Span, View,
};
use crate::object::{Answer, Call, Key, Store};
use crate::quorum::Quorums;

/// What a node is told at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Who it is.
    pub id: NodeId,
    /// Who takes part, and which of them are enough.
    pub quorums: Quorums,
    /// How many slots may be open at the same time.
    pub window: u64,
    /// How many requests may wait for a slot.
    pub waiting_max: usize,
    /// How many values one message carries at most, where a node catches up.
    pub batch_max: usize,
    /// How many parts of a snapshot one message carries at most.
    pub chunk_max: usize,
    /// Whether a leader gives up that has not heard of a quorum for an
    /// election timeout.
    pub check_quorum: bool,
    /// How long a leader's lease is, in units of the nodes' clocks; `None` for
    /// reads by a slot. Only safe while no two clocks differ by more than
    /// [`DRIFT`].
    pub lease: Option<u64>,
    /// After how many decided slots a node compacts its log by itself; `None`
    /// for never.
    pub compact_after: Option<u64>,
    /// How many decided slots such a compaction leaves, for nodes that lag
    /// only a little.
    pub compact_keep: u64,
    /// How many client sessions are kept at most.
    pub sessions_max: usize,
    /// How many sessions are open from the start.
    pub sessions_founding: u64,
    /// Which rule is broken, if any.
    pub bug: Option<Wrong>,
}

impl Config {
    /// A server's configuration, with every rule kept.
    pub fn new(id: NodeId, quorums: Quorums) -> Self {
        Config {
            id,
            quorums,
            window: 256,
            waiting_max: 4096,
            batch_max: 512,
            chunk_max: 512,
            check_quorum: true,
            lease: None,
            compact_after: Some(10_000),
            compact_keep: 1_000,
            sessions_max: 4096,
            sessions_founding: 0,
            bug: None,
        }
    }

    /// Everybody else.
    fn peers(&self) -> impl Iterator<Item = NodeId> + use<'_> {
        let members = self.quorums.members().iter().copied();
        members.filter(|member| *member != self.id)
    }

    fn breaks(&self, rule: Wrong) -> bool {
        self.bug == Some(rule)
    }
}

/// The timers of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// Nothing was heard of a leader for too long.
    Election,
    /// The others must hear of the leader.
    Heartbeat,
    /// Has the leader heard of a quorum since the last time?
    Quorum,
}

/// What clients ask.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Request {
    /// Let the object do this, by a slot.
    Call(Call),
    /// Read; by a slot, or by the leader's lease.
    Read {
        /// Which key.
        key: Key,
    },
    /// Drop the slots that a snapshot can stand for; any node does.
    Compact,
}

/// One durable fact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Record {
    /// Nothing of lower ballots will be accepted.
    Promise(Ballot),
    /// These values were accepted, in the slots from `first` on.
    Accept {
        /// In which ballot.
        ballot: Ballot,
        /// The slot of the first one.
        first: Slot,
        /// The values.
        commands: Vec<Command>,
    },
    /// A snapshot replaces the one before it, and the log begins behind
    /// `base`, which is where the snapshot ends or before it.
    Snapshot {
        /// The snapshot.
        snapshot: Snapshot,
        /// The last slot that is dropped.
        base: Slot,
    },
}

/// All that recovery may see: what an acceptor must remember (PMS §2.5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Durable {
    /// Nothing of lower ballots is accepted.
    pub promised: Ballot,
    /// The object up to where the log begins, or later.
    pub snapshot: Snapshot,
    /// What was accepted.
    pub log: Log,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Paxos {
    /// It accepts nothing of lower ballots. Its own ballot, while it prepares
    /// or leads.
    promised: Ballot,
    /// The highest round that others are known to have promised, where it is
    /// beyond this node's; 0 otherwise.
    seen_round: u64,
    log: Log,
    snapshot: Arc<Snapshot>,
    /// The snapshot that another node is sending.
    arriving: Option<Arriving>,
    /// The snapshots that others are fetching, each as it was when they began.
    lent: BTreeMap<NodeId, Arc<Snapshot>>,
    /// The persists that are not yet durable, oldest first.
    outstanding: Vec<Outstanding>,
    /// Every slot up to here is known to be decided, and was applied to
    /// `store`.
    decided: Slot,
    store: Store,
    /// Who leads `promised`, if anybody is known to.
    leader: Option<NodeId>,
    /// Before its clock shows this, the node promises no other ballot.
    granted: Clock,
    role: Role,
}

/// What an outstanding persist will make durable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Outstanding {
    /// Whether it holds a promise.
    promise: bool,
    /// The slots in which it accepts values.
    slots: BTreeSet<Slot>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Role {
    Follower,
    Preparing(Preparing),
    Leader(Leadership),
}

impl Paxos {
    /// The ballot below which the node accepts nothing.
    pub fn promised(&self) -> Ballot {
        self.promised
    }

    /// Whether it leads the ballot that it promised.
    pub fn leads(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }

    /// What it has accepted, in memory; the last may not be durable yet.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The last slot up to which it knows all decisions.
    pub fn decided(&self) -> Slot {
        self.decided
    }

    /// Its latest snapshot; an empty one if it never took or received one.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The object, with everything decided applied.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The role, in one word.
    pub fn role(&self) -> &'static str {
        match self.role {
            Role::Follower => "follower",
            Role::Preparing(_) => "preparing",
            Role::Leader(_) => "leader",
        }
    }

    /// Promises a higher ballot; whatever this node led is over.
    fn follow(&mut self, ballot: Ballot, step: &mut Step<'_>) {
        self.promised = ballot;
        if self.seen_round <= ballot.round {
            self.seen_round = 0;
        }
        step.promises = true;
        // Whoever still lacks something asks again; others never would.
        self.lent.clear();
        self.leader = None;
        self.stop_leading(step);
    }

    /// Gives up what it had accepted from clients.
    fn stop_leading(&mut self, step: &mut Step<'_>) {
        if let Role::Leader(leadership) = std::mem::replace(&mut self.role, Role::Follower) {
            step.outputs.cancel_timer(Timer::Heartbeat);
            step.outputs.cancel_timer(Timer::Quorum);
            let fails = step.config.breaks(Wrong::DoubtToldAsFailure);
            for (id, is_proposed) in leadership.asked_by() {
                step.answer(
                    id,
                    match is_proposed && !fails {
                        true => Outcome::Unknown(
                            "the leader gave up before the outcome was known".into(),
                        ),
                        false => Outcome::Never("the leader gave up before it was proposed".into()),
                    },
                );
            }
            step.outputs.set_timer(Timer::Election, Span::Election);
        }
    }

    /// Hands over what a step asks for: its one persist first.
    fn finish(&mut self, mut step: Step<'_>, outputs: &mut Outputs<Paxos>) {
        if step.promises && !step.config.breaks(Wrong::PromiseNotDurable) {
            step.records.insert(0, Record::Promise(self.promised));
        }
        if !step.records.is_empty() {
            self.outstanding.push(Outstanding {
                promise: step.promises,
                slots: step.slots,
            });
            outputs.persist(step.records);
        }
        for output in step.outputs.take() {
            outputs.push(output);
        }
    }
}

/// What one step collects before it is handed to the host.
struct Step<'a> {
    config: &'a Config,
    clock: Clock,
    /// Whether the promise changed.
    promises: bool,
    records: Vec<Record>,
    /// The slots in which `records` accept values.
    slots: BTreeSet<Slot>,
    outputs: Outputs<Paxos>,
}

impl<'a> Step<'a> {
    fn new(context: Context<'a, Paxos>) -> Self {
        Step {
            config: context.config,
            clock: context.clock,
            promises: false,
            records: Vec::new(),
            slots: BTreeSet::new(),
            outputs: Outputs::new(),
        }
    }

    /// Answers need no disk of this node: a slot is decided because a quorum
    /// has accepted its value durably, and a refusal promises nothing.
    fn answer(&mut self, id: RequestId, outcome: Outcome<Answer>) {
        self.outputs.answer(id, outcome, Gate::Now);
    }

    fn send_peers(&mut self, message: &Message, gate: Gate) {
        for peer in self.config.peers() {
            self.outputs.send_gated(peer, message.clone(), gate);
        }
    }
}

impl Machine for Paxos {
    const NAME: &'static str = "paxos";
    const FORMAT: u32 = 1;
    const CHANNEL: Channel = Channel::Unordered;
    const CLOCK: ClockUse = ClockUse::BoundedDrift { drift: DRIFT };

    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Request = Request;
    type Response = Answer;
    type Record = Record;
    type Durable = Durable;

    fn apply(durable: &mut Durable, record: &Record) {
        match record {
            Record::Promise(ballot) => durable.promised = *ballot,
            Record::Accept {
                ballot,
                first,
                commands,
            } => durable.log.accept(*ballot, *first, commands),
            Record::Snapshot { snapshot, base } => {
                durable.snapshot = snapshot.clone();
                durable.log.begin_behind(*base);
            }
        }
    }

    fn recover(context: Context<'_, Self>, durable: &Durable, outputs: &mut Outputs<Self>) -> Self {
        outputs.set_timer(Timer::Election, Span::Election);
        let Durable {
            promised,
            snapshot,
            log,
        } = durable.clone();
        let founding = context.config.sessions_founding;
        let store = match snapshot.head {
            0 => Store::new(founding),
            _ => Store::from_parts(founding, &snapshot.parts),
        };
        Paxos {
            promised,
            seen_round: 0,
            log,
            decided: snapshot.head,
            snapshot: Arc::new(snapshot),
            arriving: None,
            lent: BTreeMap::new(),
            outstanding: Vec::new(),
            store,
            leader: None,
            granted: lease::granted_before(context, durable),
            role: Role::Follower,
        }
    }

    fn step(
        &mut self,
        context: Context<'_, Self>,
        input: Input<Self>,
        outputs: &mut Outputs<Self>,
    ) {
        let mut step = Step::new(context);
        match input {
            Input::Message { from, message } => self.on_message(from, message, &mut step),
            Input::Timer(Timer::Election) => self.on_election_timeout(&mut step),
            Input::Timer(Timer::Heartbeat) => self.on_heartbeat_timeout(&mut step),
            Input::Timer(Timer::Quorum) => self.on_quorum_timeout(&mut step),
            Input::Request { id, request } => self.on_request(id, request, &mut step),
            Input::Persisted(count) => self.on_persisted(count, &mut step),
            Input::Link { .. } => {}
        }
        self.finish(step, outputs);
    }

    fn forget_outstanding(&mut self, count: usize) {
        self.outstanding.drain(..count.min(self.outstanding.len()));
    }

    fn view(&self, _config: &Config) -> View {
        View {
            epoch: self.promised.number(),
            leads: self.leads(),
            committed: self.decided,
            applied: self.decided,
            digest: Some(self.store.digest()),
            suspects: BTreeSet::new(),
            compacted: self.log.base(),
            members: None,
            transactions: None,
        }
    }
}

impl Paxos {
    fn on_message(&mut self, from: NodeId, message: Message, step: &mut Step<'_>) {
        if let Some(ballot) = message.proposed_in()
            && ballot < self.promised
        {
            let promised = self.promised;
            return step.outputs.send(from, Message::Refused { promised });
        }
        match message {
            Message::Prepare { ballot, from: slot } => self.on_prepare(from, ballot, slot, step),
            Message::Promise {
                ballot,
                base,
                accepted,
            } => self.on_promise(from, ballot, base, accepted, step),
            Message::Accept {
                ballot,
                first,
                commands,
                decided,
            } => self.on_accept(from, ballot, (first, commands), decided, step),
            Message::Accepted {
                ballot,
                first,
                count,
            } => self.on_accepted(from, ballot, first..first + count, step),
            Message::Refused { promised } => self.on_refused(promised, step),
            Message::Heartbeat {
                ballot,
                decided,
                lease,
            } => self.on_heartbeat(from, ballot, decided, lease, step),
            Message::Following { ballot, lease } => self.on_following(from, ballot, lease, step),
            Message::Fetch { next, arrived } => self.on_fetch(from, next, arrived, step),
            Message::Install { chunk } => self.on_install(from, chunk, step),
        }
    }

    /// What became durable may complete a quorum that this node is part of.
    fn on_persisted(&mut self, count: usize, step: &mut Step<'_>) {
        self.forget_outstanding(count);
        match self.role {
            Role::Preparing(_) => self.lead_if_promised(step),
            Role::Leader(_) => self.advance(step),
            Role::Follower => {}
        }
    }
}

#[cfg(test)]
mod tests;
