//! Two-phase commit: a transactional key-value store, sharded over the nodes.
//!
//! From Mohan, Lindsay & Obermarck, "Transaction Management in the R*
//! Distributed Database Management System" (1986), cited here as MLO §n, for
//! presumed abort; Bernstein, Hadzilacos & Goodman, "Concurrency Control and
//! Recovery in Database Systems" (1987), BHG §n, for two-phase locking and
//! cooperative termination; Rosenkrantz, Stearns & Lewis, "System Level
//! Concurrency Control for Distributed Database Systems" (1978), for wait-die.
//!
//! Every key belongs to one node. Whoever is asked for a transaction
//! coordinates it; the nodes whose keys it is about take part:
//!
//! | file | decides |
//! |---|---|
//! | `coordinator.rs` | whether a transaction commits, and how long that is remembered |
//! | `participant.rs` | what is locked and run, and what a vote promises |
//! | `termination.rs` | what becomes of whoever waits for a decision in vain |
//! | `locks.rs` | who holds a lock, who waits for it, who must not |
//! | `store.rs`, `message.rs` | what they are made of |
//! | `bugs.rs` | the wrong versions, and where each was published |
//!
//! Every step asks for at most one persist, and asks for it first.
//!
//! ```text
//!   coordinator   Executing ----------> Voting ----------> Committed -----> (none)
//!                     |  all executed     |    all voted              all acked
//!                     |___________________|________________ aborted: __> (none)
//!
//!   participant   Waiting ----> Executed ----> Prepared ----> remembered ---> (none)
//!                     |  locks     |     yes      |    commit          settled
//!                     |____________|______________|__ abort, read only _> (none)
//! ```
//!
//! # What is promised, and what is not
//!
//! Transactions that commit are strictly serializable. One that is answered
//! with `Never` has no effect. A client that asks again after an abort begins
//! a new transaction, which is younger than those that made the first one die:
//! wait-die keeps transactions from waiting in a circle, and each attempt from
//! starving, but does not promise that some attempt of a client succeeds. And
//! as every two-phase commit this one blocks: what a participant in doubt has
//! locked stays locked until it hears the decision.
//!
//! What is sent before the decision is sent once. A message that is lost there
//! costs an abort, when the coordinator's patience ends.

mod bugs;
mod coordinator;
mod locks;
mod message;
mod participant;
mod store;
mod termination;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use self::locks::Table;

pub use self::bugs::{BUGS, Wrong};
pub use self::coordinator::Coordinated;
pub use self::locks::{Locks, Mode};
pub use self::message::{Execution, Message, Reason, TxnId, Vote};
pub use self::participant::Participation;
pub use self::store::{Key, Operation, Seen, Store, Value, Writes};
use crate::machine::{
    Channel, ClockUse, Context, Gate, Input, Machine, NodeId, Outcome, Outputs, RequestId, Span,
    Transactions, View,
};

/// What a node is told at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Who it is.
    pub id: NodeId,
    /// All nodes, the same on each and in every life: keys are shared out
    /// among them.
    pub nodes: BTreeSet<NodeId>,
    /// How many operations a transaction may have.
    pub operations_max: usize,
    /// Which rule is broken, if any.
    pub bug: Option<Wrong>,
}

impl Config {
    /// A server's configuration, with every rule kept.
    pub fn new(id: NodeId, nodes: impl IntoIterator<Item = NodeId>) -> Self {
        Config {
            id,
            nodes: nodes.into_iter().collect(),
            operations_max: 256,
            bug: None,
        }
    }

    /// The node that a key belongs to.
    pub fn owner(&self, key: Key) -> NodeId {
        let place = key % self.nodes.len().max(1) as u64;
        let owner = self.nodes.iter().nth(place as usize);
        owner.copied().unwrap_or(self.id)
    }

    fn breaks(&self, rule: Wrong) -> bool {
        self.bug == Some(rule)
    }
}

/// The timers of a node.
///
/// A node sets none for its part in a transaction that it coordinates itself:
/// there nothing is lost in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// The coordinator's patience with a transaction that is not decided.
    Votes(TxnId),
    /// Somebody may not have heard of the commit.
    Acks(TxnId),
    /// A participant's patience with what it has not been asked to prepare.
    Held(TxnId),
    /// A participant that has voted yes has not heard of a decision.
    Doubt(TxnId),
    /// A participant has not heard that everybody knows of the commit.
    Remembered(TxnId),
}

/// What clients ask: all of these operations, or none of them. Those on one
/// key take effect in their order, and later ones see what earlier ones did.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Transaction(pub Vec<Operation>);

/// What a client is told of a transaction that committed: what each of its
/// operations saw, in their order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Committed(pub Vec<Seen>);

/// What a participant must not forget of a transaction before its decision.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Prepared {
    /// The execution that it has voted for.
    pub execution: Execution,
    /// Who takes part and writes.
    pub writers: BTreeSet<NodeId>,
    /// What keys hold if it commits. They are locked until it is decided.
    pub writes: Writes,
}

/// One durable fact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Record {
    /// The node lives for so many times now.
    Incarnation(u32),
    /// A participant will commit a transaction if the coordinator decides so.
    Prepared {
        /// The transaction.
        txn: TxnId,
        /// What it takes.
        prepared: Prepared,
    },
    /// A participant has carried out the decision of what it had prepared.
    Decided {
        /// The transaction.
        txn: TxnId,
        /// Whether it committed.
        commit: bool,
    },
    /// A participant needs no longer remember that a transaction committed.
    Forgotten {
        /// The transaction.
        txn: TxnId,
    },
    /// The coordinator has decided to commit a transaction. There is none for
    /// an abort, which is presumed.
    Commit {
        /// The transaction.
        txn: TxnId,
        /// Who takes part and writes.
        writers: BTreeSet<NodeId>,
    },
    /// Everybody has acknowledged the commit of a transaction.
    End {
        /// The transaction.
        txn: TxnId,
    },
}

/// All that recovery may see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Durable {
    /// How many times the node was started. Names of transactions and of
    /// executions hold it, so that none is used twice.
    pub incarnation: u32,
    /// What the node's keys hold.
    pub store: Store,
    /// What it has prepared and not heard the decision of.
    pub prepared: BTreeMap<TxnId, Prepared>,
    /// What it has committed as a participant and others may ask about.
    pub remembered: BTreeSet<TxnId>,
    /// What it has committed as the coordinator and not everybody has
    /// acknowledged, and who writes in it.
    pub commits: BTreeMap<TxnId, BTreeSet<NodeId>>,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TwoPhase {
    incarnation: u32,
    /// The logical clock: no transaction that it knows of began later.
    clock: u64,
    /// How many executions this life has had.
    executions: u32,
    store: Store,
    locks: Table,
    participations: BTreeMap<TxnId, Participation>,
    remembered: BTreeSet<TxnId>,
    coordinated: BTreeMap<TxnId, Coordinated>,
    /// The persists that are not yet durable, oldest first: what this node
    /// says to itself once each is.
    outstanding: Vec<Vec<Message>>,
}

impl TwoPhase {
    /// How many times it was started.
    pub fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// What its keys hold, with every commit that it has heard of carried out;
    /// the last may not be durable yet.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The transactions that it takes part in and has not heard the decision
    /// of, and how far each is.
    pub fn participations(&self) -> &BTreeMap<TxnId, Participation> {
        &self.participations
    }

    /// The transactions that it has committed as a participant and others may
    /// ask about.
    pub fn remembered(&self) -> &BTreeSet<TxnId> {
        &self.remembered
    }

    /// The transactions that it coordinates, and how far each is.
    pub fn coordinated(&self) -> &BTreeMap<TxnId, Coordinated> {
        &self.coordinated
    }

    /// Who holds the lock of each of its keys, and how strong.
    pub fn locks(&self) -> BTreeMap<Key, BTreeMap<TxnId, Mode>> {
        self.locks.by_key()
    }

    /// Who waits for a lock here, and for whom; a circle of such pairs over all
    /// nodes is a deadlock.
    pub fn waits_for(&self) -> impl Iterator<Item = (TxnId, TxnId)> {
        self.locks.waits_for()
    }

    /// What it knows to be decided of a transaction. What was aborted is
    /// forgotten at once, and a commit once everybody has acknowledged it.
    pub fn decision(&self, txn: TxnId) -> Option<bool> {
        let coordinated = self.coordinated.get(&txn);
        let is_committed = matches!(coordinated, Some(Coordinated::Committed { .. }))
            || self.remembered.contains(&txn);
        is_committed.then_some(true)
    }

    /// Hands over what a step asks for: its one persist first.
    fn finish(&mut self, mut step: Step<'_>, outputs: &mut Outputs<TwoPhase>) {
        while let Some(message) = step.to_itself.pop_front() {
            self.on_message(step.config.id, message, &mut step);
        }
        if !step.records.is_empty() {
            self.outstanding.push(step.to_itself_once_durable);
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
    records: Vec<Record>,
    /// What the node says to itself, at the end of the step.
    to_itself: VecDeque<Message>,
    /// What it says to itself when `records` are durable.
    to_itself_once_durable: Vec<Message>,
    outputs: Outputs<TwoPhase>,
}

impl<'a> Step<'a> {
    fn new(context: Context<'a, TwoPhase>) -> Self {
        Step {
            config: context.config,
            records: Vec::new(),
            to_itself: VecDeque::new(),
            to_itself_once_durable: Vec::new(),
            outputs: Outputs::new(),
        }
    }

    /// Says something that needs no disk of this node: nobody can tell that it
    /// was said before a crash. It leaves in order nevertheless.
    fn send(&mut self, to: NodeId, message: Message) {
        self.send_gated(to, message, Gate::Durable);
    }

    fn send_gated(&mut self, to: NodeId, message: Message, gate: Gate) {
        if to == self.config.id {
            self.to_itself.push_back(message);
        } else {
            self.outputs.send_gated(to, message, gate);
        }
    }

    /// Says something about this step's records: to itself, too, only when
    /// they are durable.
    fn send_behind_records(&mut self, to: NodeId, message: Message, gate: Gate) {
        let is_behind = gate == Gate::Durable && !self.records.is_empty();
        if to == self.config.id && is_behind {
            self.to_itself_once_durable.push(message);
        } else {
            self.send_gated(to, message, gate);
        }
    }

    /// An answer may tell what others did whose records are not yet durable
    /// here.
    fn answer(&mut self, id: RequestId, outcome: Outcome<Committed>) {
        self.outputs.answer(id, outcome, Gate::Durable);
    }

    /// When something may leave that waits for the disk, unless one of these
    /// rules is broken.
    fn gate(&self, rules: &[Wrong]) -> Gate {
        match rules.iter().any(|rule| self.config.breaks(*rule)) {
            true => Gate::Now,
            false => Gate::Durable,
        }
    }

    /// Sets a participant's timer.
    fn watch(&mut self, timer: Timer, span: Span) {
        if timer.txn().coordinator != self.config.id {
            self.outputs.set_timer(timer, span);
        }
    }
}

impl Timer {
    /// The transaction that it is about.
    pub fn txn(self) -> TxnId {
        match self {
            Timer::Votes(txn)
            | Timer::Acks(txn)
            | Timer::Held(txn)
            | Timer::Doubt(txn)
            | Timer::Remembered(txn) => txn,
        }
    }
}

impl Machine for TwoPhase {
    const NAME: &'static str = "two-phase";
    const FORMAT: u32 = 1;
    const CHANNEL: Channel = Channel::Unordered;
    const CLOCK: ClockUse = ClockUse::Untimed;

    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Request = Transaction;
    type Response = Committed;
    type Record = Record;
    type Durable = Durable;

    fn apply(durable: &mut Durable, record: &Record) {
        match record {
            Record::Incarnation(incarnation) => durable.incarnation = *incarnation,
            Record::Prepared { txn, prepared } => {
                durable.prepared.insert(*txn, prepared.clone());
            }
            Record::Decided { txn, commit } => {
                if let Some(prepared) = durable.prepared.remove(txn)
                    && *commit
                {
                    durable.store.put(&prepared.writes);
                    durable.remembered.insert(*txn);
                }
            }
            Record::Forgotten { txn } => {
                durable.remembered.remove(txn);
            }
            Record::Commit { txn, writers } => {
                durable.commits.insert(*txn, writers.clone());
            }
            Record::End { txn } => {
                durable.commits.remove(txn);
            }
        }
    }

    fn recover(context: Context<'_, Self>, durable: &Durable, outputs: &mut Outputs<Self>) -> Self {
        let mut step = Step::new(context);
        let mut node = TwoPhase {
            incarnation: durable.incarnation,
            clock: 0,
            executions: 0,
            store: durable.store.clone(),
            locks: Table::default(),
            participations: BTreeMap::new(),
            remembered: durable.remembered.clone(),
            coordinated: BTreeMap::new(),
            outstanding: Vec::new(),
        };
        node.begin_a_life(&mut step);
        node.take_up_prepared(durable, &mut step);
        node.take_up_commits(durable, &mut step);
        node.finish(step, outputs);
        node
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
            Input::Timer(timer) => self.on_timeout(timer, &mut step),
            Input::Request {
                id,
                request: Transaction(operations),
            } => self.on_request(id, operations, &mut step),
            Input::Persisted(count) => self.on_persisted(count, &mut step),
            Input::Link { .. } => {}
        }
        self.finish(step, outputs);
    }

    fn forget_outstanding(&mut self, count: usize) {
        self.outstanding.drain(..count.min(self.outstanding.len()));
    }

    /// Every node holds other keys, so that no two objects can be compared,
    /// and there is no one order of decisions.
    fn view(&self, _config: &Config) -> View {
        let is_decided = |it: &&Coordinated| matches!(it, Coordinated::Committed { .. });
        let undecided = self.coordinated.values().filter(|it| !is_decided(it));
        // Of its own it is not in doubt: it decides.
        let in_doubt = self.participations.iter().filter_map(|(txn, part)| {
            let is_prepared = matches!(part, Participation::Prepared(_));
            let is_own = self.coordinated.contains_key(txn);
            (is_prepared && !is_own).then(|| (txn.to_string(), txn.coordinator))
        });
        View {
            transactions: Some(Transactions {
                undecided: undecided.count(),
                in_doubt: in_doubt.collect(),
            }),
            ..View::default()
        }
    }
}

impl TwoPhase {
    /// Whatever it names from now on was never named before.
    fn begin_a_life(&mut self, step: &mut Step<'_>) {
        if !step.config.breaks(Wrong::TransactionNamesReused) {
            self.incarnation += 1;
            step.records.push(Record::Incarnation(self.incarnation));
        }
    }

    /// Takes the locks of what is prepared again, and asks what was decided.
    fn take_up_prepared(&mut self, durable: &Durable, step: &mut Step<'_>) {
        let drops = step.config.breaks(Wrong::PreparedDroppedOnRestart)
            || step.config.breaks(Wrong::CommitOfUnknownAnswersOk);
        for (txn, prepared) in &durable.prepared {
            let (txn, commit) = (*txn, false);
            self.stay_prepared(txn, prepared.clone(), step);
            let is_own = txn.coordinator == step.config.id;
            // It knows best that it had not decided.
            let is_aborted = is_own && !durable.commits.contains_key(&txn);
            if is_aborted || drops {
                step.to_itself.push_back(Message::Decided { txn, commit });
            } else if !is_own {
                termination::inquire(txn, prepared, step);
            }
        }
        for txn in &durable.remembered {
            step.watch(Timer::Remembered(*txn), Span::Retry);
        }
    }

    /// Tells everybody again what it has decided.
    fn take_up_commits(&mut self, durable: &Durable, step: &mut Step<'_>) {
        for (txn, writers) in &durable.commits {
            let (txn, commit) = (*txn, true);
            for node in writers {
                step.send(*node, Message::Decided { txn, commit });
            }
            self.remember_commit(txn, writers.clone(), step);
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message, step: &mut Step<'_>) {
        match message {
            Message::Execute { txn, operations } => self.on_execute(txn, operations, step),
            Message::Executed {
                txn,
                execution,
                seen,
            } => self.on_executed(from, txn, execution, seen, step),
            Message::Refused { txn, reason } => self.on_refused(from, txn, reason, step),
            Message::Prepare {
                txn,
                execution,
                writers,
            } => self.on_prepare(txn, execution, writers, step),
            Message::Voted { txn, vote } => self.on_voted(from, txn, vote, step),
            Message::Decided { txn, commit } => self.on_decided(txn, commit, step),
            Message::Acked { txn } => self.on_acked(from, txn, step),
            Message::Settled { txn } => self.on_settled(txn, step),
            Message::Inquire { txn } => self.on_inquire(from, txn, step),
        }
    }

    fn on_timeout(&mut self, timer: Timer, step: &mut Step<'_>) {
        match timer {
            Timer::Votes(txn) => self.on_votes_timeout(txn, step),
            Timer::Acks(txn) => self.on_acks_timeout(txn, step),
            Timer::Held(txn) => self.give_up(txn, step),
            Timer::Doubt(txn) => self.on_doubt_timeout(txn, step),
            Timer::Remembered(txn) => self.on_remembered_timeout(txn, step),
        }
    }

    /// What became durable may be what this node waits for to hear of itself.
    fn on_persisted(&mut self, count: usize, step: &mut Step<'_>) {
        let count = count.min(self.outstanding.len());
        step.to_itself
            .extend(self.outstanding.drain(..count).flatten());
    }
}
