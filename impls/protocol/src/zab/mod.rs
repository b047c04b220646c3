//! Zab: a replicated history under one primary an epoch.
//!
//! From Junqueira, Reed & Serafini, "Zab: High-performance broadcast for
//! primary-backup systems" (DSN 2011), cited here as DSN §n, and Medeiros,
//! "ZooKeeper's atomic broadcast protocol: theory and practice" (2012).
//!
//! | file | decides |
//! |---|---|
//! | `election.rs` | whom to follow, for now: a machine of its own |
//! | `discovery.rs` | in which epoch a leader leads: one that a quorum has promised it |
//! | `synchronization.rs` | how the leader's history becomes everybody's |
//! | `broadcast.rs` | what is proposed, and what is committed |
//! | `snapshot.rs` | what may be dropped from a history |
//! | `clients.rs`, `reads.rs` | what becomes of a client's request |
//! | `message.rs`, `log.rs`, `zxid.rs` | what they are made of |
//! | `bugs.rs` | the wrong versions, and where each was published |
//!
//! ```text
//!            settled      promises       NEWLEADER        quorum of acks
//!   Looking --------> Discovery ----> Synchronization ----------------> Broadcast
//!      ^                  |                  |                              |
//!      |__________________|__________________|______________________________|
//!        session to the leader broke, or it is silent; the leader's quorum is gone
//! ```
//!
//! # Why it is safe
//!
//! - A node promises an epoch once, to one would-be leader, and from then on
//!   takes nothing of a lower one. So an epoch has one leader with a quorum.
//! - A leader starts from its own history, committed or not, which is at least
//!   as long as any of a quorum that promised: all that was ever committed is
//!   in it. It becomes committed as a whole when a quorum has taken it over.
//! - A follower takes nothing of what a leader sends before NEWLEADER; then
//!   all of it and the epoch in one durable fact. A node whose epoch is `e`
//!   thus has all that the leader of `e` started from.
//!
//! # Sessions
//!
//! Messages to a follower arrive in order, or the session breaks and both ends
//! hear of it. Then everything that was under way is lost and nothing is said
//! again: the follower looks for a leader, the leader forgets the follower, and
//! they begin again with FOLLOWERINFO. A node that stops following or leading
//! without a break says so by looking for a leader. A session may thus outlive
//! an attempt to follow: NEWEPOCH names the attempt that it answers, and what
//! arrives before it is of an earlier one.
//!
//! # The three holes of the paper
//!
//! As Disalg-ICS-NJU/zookeeper-tla-spec found them (high-level-spec/issues.md):
//! PROPOSE goes to every follower to which the history was sent, not only to
//! those that acknowledged it; a proposal that comes twice is taken once;
//! COMMIT-LD carries the leader's last committed zxid.
//!
//! Every step asks for at most one persist, and asks for it first.

mod broadcast;
mod bugs;
mod clients;
mod discovery;
pub mod election;
mod log;
mod message;
mod reads;
mod snapshot;
mod synchronization;
mod zxid;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::bugs::{BUGS, ELECTION_BUGS, Wrong};
pub use self::clients::Reply;
use self::election::{Effect, Election, Electorate, Notification, Standing, Vote};
pub use self::log::{History, Txn};
pub use self::message::Message;
pub use self::snapshot::{Chunk, Snapshot};
use self::synchronization::Incoming;
pub use self::synchronization::Synchronized;
pub use self::zxid::{Epoch, Zxid};
use crate::detector::RollCall;
use crate::machine::{
    Channel, ClockUse, Context, Gate, Input, Machine, NodeId, Outcome, Outputs, RequestId, Span,
    View,
};
use crate::object::{Call, Key, Store};
use crate::quorum::majority;

/// What a node is told at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Who it is.
    pub id: NodeId,
    /// Those whose word counts.
    pub voters: BTreeSet<NodeId>,
    /// Those who are told what is committed and never counted.
    pub observers: BTreeSet<NodeId>,
    /// Whether an election gives a better vote time to arrive once a quorum is
    /// of one mind.
    pub settles_late: bool,
    /// Whether an established leader gives up that has not heard of a quorum
    /// for an election timeout. It always does when their sessions break, and
    /// when it is not established in time.
    pub check_quorum: bool,
    /// The last counter of an epoch; behind it another epoch must begin.
    pub counter_max: u32,
    /// How many transactions one message carries at most.
    pub batch_max: usize,
    /// How many parts of a snapshot one message carries at most.
    pub chunk_max: usize,
    /// After how many committed transactions a node compacts its history by
    /// itself; `None` for never.
    pub compact_after: Option<u64>,
    /// How many committed transactions such a compaction leaves, for followers
    /// that lag only a little.
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
    pub fn new(id: NodeId, voters: impl IntoIterator<Item = NodeId>) -> Self {
        Config {
            id,
            voters: voters.into_iter().collect(),
            observers: BTreeSet::new(),
            settles_late: true,
            check_quorum: true,
            counter_max: u32::MAX,
            batch_max: 512,
            chunk_max: 512,
            compact_after: Some(10_000),
            compact_keep: 1_000,
            sessions_max: 4096,
            sessions_founding: 0,
            bug: None,
        }
    }

    fn breaks(&self, rule: Wrong) -> bool {
        self.bug == Some(rule)
    }

    fn is_voter(&self, node: NodeId) -> bool {
        self.voters.contains(&node)
    }

    /// Whether these and the node itself are enough voters.
    fn is_quorum_with<'a>(&self, others: impl IntoIterator<Item = &'a NodeId>) -> bool {
        let others = others.into_iter().filter(|node| **node != self.id);
        let count = others.filter(|node| self.is_voter(**node)).count();
        count + usize::from(self.is_voter(self.id)) >= majority(self.voters.len())
    }
}

/// The timers of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// Nothing was heard of the leader, or of an election, for too long.
    Election,
    /// A better vote would have arrived by now.
    Settle,
    /// Followers must hear of the leader.
    Heartbeat,
    /// Has the leader heard of a quorum since the last time?
    Quorum,
}

/// What clients ask.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Request {
    /// Let the object do this, by a transaction. A read asked for so is
    /// linearizable.
    Call(Call),
    /// Read what this node has, which may be old.
    Read {
        /// Which key.
        key: Key,
        /// The latest zxid that the client has seen, of any node: what it is
        /// answered reflects that or a later one.
        seen: Zxid,
    },
    /// Drop the transactions that a snapshot can stand for; any node does.
    Compact,
}

/// The latest epoch in which a node follows, and whom.
///
/// The papers have the epoch alone. With the name beside it a node can repeat
/// its promise in another session, and can never give it twice.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Promise {
    /// It takes nothing of a lower one.
    pub epoch: Epoch,
    /// The only would-be leader of that epoch for which it counts.
    pub to: NodeId,
}

/// One durable fact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Record {
    /// The node follows in no earlier epoch (acceptedEpoch).
    Promise(Promise),
    /// The history of an epoch's leader was taken over, and the epoch with it
    /// (currentEpoch).
    ///
    /// One fact, so that no crash falls between the two: a new epoch with an
    /// old history would win elections (ZOOKEEPER-4643).
    Synchronized(Synchronized),
    /// These transactions stand behind the last.
    Append(Vec<Txn>),
    /// A snapshot replaces the one before it, and the history begins behind
    /// `base`, which is where the snapshot ends or before it.
    Snapshot {
        /// The snapshot.
        snapshot: Snapshot,
        /// The last transaction that is dropped.
        base: Zxid,
    },
}

/// All that recovery may see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Durable {
    /// The latest epoch that it follows in (acceptedEpoch).
    pub accepted: Promise,
    /// The epoch whose leader's history it has taken over (currentEpoch).
    pub current: Epoch,
    /// The object up to where the history begins, or later.
    pub snapshot: Snapshot,
    /// The history.
    pub history: History,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Zab {
    accepted: Promise,
    current: Epoch,
    history: History,
    snapshot: Arc<Snapshot>,
    /// The persists that are not yet durable, oldest first.
    outstanding: Vec<Outstanding>,
    /// The last transaction that is known to be committed; everything up to it
    /// has been applied to `store`.
    committed: Zxid,
    store: Store,
    /// Whom the node has a session with, and how often it has begun to follow
    /// the other end in it.
    links: BTreeMap<NodeId, u32>,
    election: Election,
    role: Role,
}

/// What an outstanding persist will make durable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Outstanding {
    /// Whether it holds an epoch.
    epoch: bool,
    /// The last transaction before those that it touches, if it touches any.
    behind: Option<Zxid>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Role {
    /// Who follows this node already, and what they have promised: others may
    /// see that the election has settled before it does.
    Looking(BTreeMap<NodeId, Informed>),
    Following(Following),
    Leading(Leading),
}

/// What only a follower or an observer knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Following {
    leader: NodeId,
    phase: Phase,
}

/// How far a follower is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// It expects NEWEPOCH.
    Discovery,
    /// It gathers the leader's history and expects NEWLEADER.
    Synchronization(Incoming),
    /// It has taken the history over and expects UPTODATE.
    Synchronized,
    /// It expects proposals and commits.
    Broadcast,
}

/// What only a leader knows. Its epoch is the one that it promised itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Leading {
    stage: Stage,
    /// Who follows, in a session that holds.
    learners: BTreeMap<NodeId, Learner>,
    /// Voters that have promised its epoch to it. A promise outlives the
    /// session in which it was given.
    promised: BTreeSet<NodeId>,
    /// Who asked for a transaction that is not committed.
    pending: BTreeMap<Zxid, RequestId>,
    /// Who is heard between two expiries of [`Timer::Quorum`].
    roll: RollCall,
}

/// How far a leader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Stage {
    /// It waits until a quorum follows, to find an epoch.
    Gathering,
    /// It waits for a quorum of promises.
    Discovery,
    /// It waits until a quorum has taken its history over.
    Synchronization,
    /// It is established.
    Broadcast,
}

/// What a node says that begins to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Informed {
    /// The latest epoch that it has promised to somebody.
    accepted: Epoch,
    /// How often it has begun to follow in this session.
    attempt: u32,
}

/// How far a leader is with a follower or an observer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Learner {
    /// It follows.
    Informed(Informed),
    /// It has promised; its history ends here.
    Promised(Zxid),
    /// It was sent the history up to here, and gets every proposal.
    Synchronizing(Zxid),
    /// It has taken it over, gets every commit, and has acknowledged up to
    /// here.
    Active(Zxid),
}

impl Zab {
    /// The promise that binds it.
    pub fn accepted(&self) -> Promise {
        self.accepted
    }

    /// The epoch whose leader's history it has taken over.
    pub fn current(&self) -> Epoch {
        self.current
    }

    /// Its history, in memory; the tail may not be durable yet.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The last transaction that it knows to be committed.
    pub fn committed(&self) -> Zxid {
        self.committed
    }

    /// Its latest snapshot; an empty one if it never took or received one.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The object, with everything committed applied.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Its election.
    pub fn election(&self) -> &Election {
        &self.election
    }

    /// Whom it follows, if anybody.
    pub fn leader(&self) -> Option<NodeId> {
        match &self.role {
            Role::Following(following) => Some(following.leader),
            _ => None,
        }
    }

    /// Whether it leads, and a quorum has taken over its history.
    pub fn is_established(&self) -> bool {
        matches!(&self.role, Role::Leading(leading) if leading.stage == Stage::Broadcast)
    }

    /// The role and the phase, in a word or two.
    pub fn role(&self) -> &'static str {
        match &self.role {
            Role::Looking(_) => "looking",
            Role::Following(following) => match following.phase {
                Phase::Discovery => "following, discovery",
                Phase::Synchronization(_) => "following, synchronization",
                Phase::Synchronized => "following, synchronized",
                Phase::Broadcast => "following",
            },
            Role::Leading(leading) => match leading.stage {
                Stage::Gathering => "leading, gathering",
                Stage::Discovery => "leading, discovery",
                Stage::Synchronization => "leading, synchronization",
                Stage::Broadcast => "leading",
            },
        }
    }

    /// Where its history ends, as it tells others.
    fn claimed_last(&self, config: &Config) -> Zxid {
        if config.breaks(Wrong::RetainMemoryBehindLog) {
            return self.committed;
        }
        self.history.last()
    }

    /// Up to where its history is durable.
    fn durable_last(&self) -> Zxid {
        let touched = self.outstanding.iter().filter_map(|persist| persist.behind);
        touched.min().map_or(self.history.last(), |behind| {
            behind.min(self.history.last())
        })
    }

    /// Whether the epochs it speaks of are durable.
    fn is_epoch_durable(&self) -> bool {
        !self.outstanding.iter().any(|persist| persist.epoch)
    }

    /// Gives up what it did and looks for a leader, in a new round.
    fn look(&mut self, step: &mut Step<'_>) {
        let looking = Role::Looking(BTreeMap::new());
        if let Role::Leading(leading) = std::mem::replace(&mut self.role, looking) {
            step.outputs.cancel_timer(Timer::Heartbeat);
            step.outputs.cancel_timer(Timer::Quorum);
            for id in leading.pending.into_values() {
                let why = "the leader gave up before the outcome was known".to_owned();
                let outcome = match step.config.breaks(Wrong::DoubtToldAsFailure) {
                    true => Outcome::Never(why),
                    false => Outcome::Unknown(why),
                };
                step.answer(id, outcome);
            }
        }
        step.outputs.set_timer(Timer::Election, Span::Election);
        let own = self.own_vote(step.config);
        self.elect(step, |election, electorate, effects| {
            election.begin(own, electorate, effects);
            election.settle_if_agreed(false, electorate, effects);
        });
    }

    /// What the node stands with; observers do not.
    fn own_vote(&self, config: &Config) -> Option<Vote> {
        let vote = Vote {
            epoch: self.current,
            zxid: self.claimed_last(config),
            leader: config.id,
        };
        config.is_voter(config.id).then_some(vote)
    }

    /// Lets the election do something, and does what it asks for.
    fn elect(
        &mut self,
        step: &mut Step<'_>,
        act: impl FnOnce(&mut Election, &Electorate<'_>, &mut Vec<Effect>),
    ) {
        let linked = self.links.keys().copied().collect();
        let electorate = Electorate {
            id: step.config.id,
            voters: &step.config.voters,
            linked: &linked,
            settles_late: step.config.settles_late,
            is_order_total: !step.config.breaks(Wrong::VoteOrderNotTotal),
        };
        let mut effects = Vec::new();
        act(&mut self.election, &electorate, &mut effects);
        for effect in effects {
            match effect {
                // Behind the persists: a vote tells of a history that a crash
                // must not take back.
                Effect::Tell(to, told) => step.outputs.send(to, Message::Election(told)),
                Effect::Wait => step.outputs.set_timer(Timer::Settle, Span::Heartbeat),
                Effect::StopWaiting => step.outputs.cancel_timer(Timer::Settle),
                Effect::Settled(leader) if leader == step.config.id => self.lead(step),
                Effect::Settled(leader) => self.follow(leader, step),
            }
        }
    }

    fn on_notification(&mut self, from: NodeId, told: &Notification, step: &mut Step<'_>) {
        // Whoever looks for a leader follows none.
        if let Role::Looking(followers) = &mut self.role
            && told.standing == Standing::Looking
        {
            followers.remove(&from);
        }
        self.elect(step, |election, electorate, effects| {
            election.on_notification(from, told, electorate, effects);
        });
        let round = self.election.round();
        let looks_again = told.standing == Standing::Looking && told.round > round;
        match &mut self.role {
            // It follows another, or looks for one. What it said in this round
            // it may have said before it led.
            Role::Following(following)
                if following.leader == from
                    && (looks_again || told.standing == Standing::Following) =>
            {
                self.look(step);
            }
            _ if told.standing != Standing::Looking => {}
            Role::Leading(leading) => {
                if leading.learners.remove(&from).is_some() {
                    self.look_if_deserted(step);
                }
            }
            Role::Looking(_) | Role::Following(_) => {}
        }
    }

    /// Tells one that follows this node that it does not lead.
    fn tell_where_it_stands(&self, to: NodeId, step: &mut Step<'_>) {
        let told = self.election.notification(false);
        step.outputs.send(to, Message::Election(told));
    }

    fn on_link(&mut self, peer: NodeId, up: bool, step: &mut Step<'_>) {
        if up {
            self.links.insert(peer, 0);
            self.elect(step, |election, _, effects| {
                election.on_link_up(peer, effects);
            });
            return self.inform_leader(peer, step);
        }
        self.links.remove(&peer);
        match &mut self.role {
            Role::Looking(followers) => {
                followers.remove(&peer);
                self.elect(step, |election, electorate, effects| {
                    election.on_link_down(peer, electorate, effects);
                });
            }
            Role::Following(following) if following.leader == peer => self.look(step),
            Role::Following(_) => {}
            Role::Leading(leading) => {
                leading.learners.remove(&peer);
                self.look_if_deserted(step);
            }
        }
    }

    fn on_election_timeout(&mut self, step: &mut Step<'_>) {
        match self.role {
            Role::Leading(_) => {}
            Role::Following(_) => self.look(step),
            Role::Looking(_) => {
                step.outputs.set_timer(Timer::Election, Span::Election);
                self.elect(step, |election, electorate, effects| {
                    election.ask_all(electorate, effects);
                    election.settle_if_agreed(false, electorate, effects);
                });
            }
        }
    }

    fn on_settle_timeout(&mut self, step: &mut Step<'_>) {
        self.elect(step, |election, electorate, effects| {
            election.on_patience(electorate, effects);
        });
    }

    /// Hands over what a step asks for: its one persist first.
    fn finish(&mut self, mut step: Step<'_>, outputs: &mut Outputs<Zab>) {
        step.split_persist();
        for (outstanding, records) in step.persists {
            self.outstanding.push(outstanding);
            outputs.persist(records);
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
    /// What `records` will make durable.
    outstanding: Outstanding,
    /// The persists of the step. Only a wrong version makes more than one.
    persists: Vec<(Outstanding, Vec<Record>)>,
    outputs: Outputs<Zab>,
}

impl<'a> Step<'a> {
    fn new(config: &'a Config) -> Self {
        Step {
            config,
            records: Vec::new(),
            outstanding: Outstanding::default(),
            persists: Vec::new(),
            outputs: Outputs::new(),
        }
    }

    /// Changes an epoch.
    fn persist_epoch(&mut self, record: Record) {
        self.outstanding.epoch = true;
        self.records.push(record);
    }

    /// Changes the history behind a transaction.
    fn persist_history(&mut self, behind: Zxid, record: Record) {
        let touched = self.outstanding.behind.get_or_insert(behind);
        *touched = behind.min(*touched);
        self.records.push(record);
    }

    /// What was collected so far is one persist.
    fn split_persist(&mut self) {
        let records = std::mem::take(&mut self.records);
        let outstanding = std::mem::take(&mut self.outstanding);
        if !records.is_empty() {
            self.persists.push((outstanding, records));
        }
    }

    /// Answers need no disk of this node: a transaction is durable because a
    /// quorum holds it, and a refusal promises nothing.
    fn answer(&mut self, id: RequestId, outcome: Outcome<Reply>) {
        self.outputs.answer(id, outcome, Gate::Now);
    }
}

impl Machine for Zab {
    const NAME: &'static str = "zab";
    const FORMAT: u32 = 1;
    const CHANNEL: Channel = Channel::Fifo;
    const CLOCK: ClockUse = ClockUse::Untimed;

    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Request = Request;
    type Response = Reply;
    type Record = Record;
    type Durable = Durable;

    fn apply(durable: &mut Durable, record: &Record) {
        match record {
            Record::Promise(promise) => durable.accepted = *promise,
            Record::Synchronized(taken) => {
                durable.current = taken.epoch;
                taken.apply(&mut durable.history);
                if let Some(snapshot) = &taken.snapshot {
                    durable.snapshot = snapshot.clone();
                }
            }
            Record::Append(txns) => durable.history.extend(txns),
            Record::Snapshot { snapshot, base } => {
                durable.snapshot = snapshot.clone();
                durable.history.begin_behind(*base);
            }
        }
    }

    fn recover(context: Context<'_, Self>, durable: &Durable, outputs: &mut Outputs<Self>) -> Self {
        outputs.set_timer(Timer::Election, Span::Election);
        let Durable {
            accepted,
            current,
            snapshot,
            history,
        } = durable.clone();
        let mut node = Zab {
            accepted,
            current,
            history,
            outstanding: Vec::new(),
            committed: snapshot.head,
            store: snapshot::restored(context.config, &snapshot),
            snapshot: Arc::new(snapshot),
            links: BTreeMap::new(),
            election: Election::default(),
            role: Role::Looking(BTreeMap::new()),
        };
        if context.config.breaks(Wrong::EpochFromLogFilesOnly) {
            let epoch = node.history.txns().last().map_or(0, |txn| txn.zxid.epoch);
            node.accepted.epoch = epoch;
            node.current = epoch;
        }
        // It tells nobody: there is no session yet. Whoever votes alone leads
        // when the timer expires.
        let mut step = Step::new(context.config);
        let own = node.own_vote(context.config);
        node.elect(&mut step, |election, electorate, effects| {
            election.begin(own, electorate, effects);
        });
        node
    }

    fn step(
        &mut self,
        context: Context<'_, Self>,
        input: Input<Self>,
        outputs: &mut Outputs<Self>,
    ) {
        let mut step = Step::new(context.config);
        match input {
            Input::Message { from, message } => self.on_message(from, message, &mut step),
            Input::Link { peer, up } => self.on_link(peer, up, &mut step),
            Input::Timer(Timer::Election) => self.on_election_timeout(&mut step),
            Input::Timer(Timer::Settle) => self.on_settle_timeout(&mut step),
            Input::Timer(Timer::Heartbeat) => self.on_heartbeat_timeout(&mut step),
            Input::Timer(Timer::Quorum) => self.on_quorum_timeout(&mut step),
            Input::Request { id, request } => self.on_request(id, request, &mut step),
            Input::Persisted(count) => self.on_persisted(count, &mut step),
        }
        self.finish(step, outputs);
    }

    fn forget_outstanding(&mut self, count: usize) {
        self.outstanding.drain(..count.min(self.outstanding.len()));
    }

    fn view(&self, _config: &Config) -> View {
        View {
            epoch: self.current.into(),
            leads: self.is_established(),
            committed: self.committed.number(),
            applied: self.committed.number(),
            digest: Some(self.store.digest()),
            suspects: BTreeSet::new(),
            compacted: self.history.base().number(),
            members: None,
            transactions: None,
        }
    }
}

impl Zab {
    fn on_message(&mut self, from: NodeId, message: Message, step: &mut Step<'_>) {
        if let Message::Election(told) = &message {
            return self.on_notification(from, told, step);
        }
        let check_quorum = step.config.check_quorum;
        match &mut self.role {
            Role::Looking(followers) => {
                if let Message::FollowerInfo { accepted, attempt } = message {
                    followers.insert(from, Informed { accepted, attempt });
                }
            }
            Role::Following(following) if following.leader == from => {
                step.outputs.set_timer(Timer::Election, Span::Election);
                self.on_leader_message(from, message, step);
            }
            // It should know whom to follow instead.
            Role::Following(_) if matches!(message, Message::FollowerInfo { .. }) => {
                self.tell_where_it_stands(from, step);
            }
            Role::Following(_) => {}
            Role::Leading(leading) => {
                if check_quorum {
                    leading.roll.hear(from);
                }
                self.on_learner_message(from, message, step);
            }
        }
    }

    /// What the leader says that this node follows.
    fn on_leader_message(&mut self, from: NodeId, message: Message, step: &mut Step<'_>) {
        match message {
            Message::NewEpoch { epoch, attempt } => {
                self.on_new_epoch(from, epoch, attempt, step);
            }
            Message::Trunc { to } => self.gather(|incoming| incoming.on_trunc(to)),
            Message::Snap(chunk) => self.gather(|incoming| incoming.on_snap(chunk)),
            Message::Diff(txns) => self.gather(|incoming| incoming.on_diff(txns)),
            Message::NewLeader { epoch } => self.on_new_leader(from, epoch, step),
            Message::UpToDate { committed } => self.on_up_to_date(committed, step),
            Message::Propose(txn) => self.on_propose(from, txn, step),
            Message::Commit { zxid } => self.on_commit(zxid, step),
            Message::Inform(txn) => self.on_inform(txn, step),
            // It promises nothing that a crash could take back.
            Message::Ping => step.outputs.send_gated(from, Message::Pong, Gate::Now),
            // Of the time when it followed this node, if ever.
            Message::Election(_)
            | Message::FollowerInfo { .. }
            | Message::AckEpoch { .. }
            | Message::AckNewLeader { .. }
            | Message::Ack { .. }
            | Message::Pong => {}
        }
    }

    /// What a node says that follows this one, or wants to.
    fn on_learner_message(&mut self, from: NodeId, message: Message, step: &mut Step<'_>) {
        match message {
            Message::FollowerInfo { accepted, attempt } => {
                self.on_follower_info(from, Informed { accepted, attempt }, step);
            }
            Message::AckEpoch {
                current,
                last,
                counts,
            } => self.on_ack_epoch(from, (current, last), counts, step),
            Message::AckNewLeader { epoch } => self.on_ack_new_leader(from, epoch, step),
            Message::Ack { zxid } => self.on_ack(from, zxid, step),
            Message::Pong => {}
            // Of the time when it led, if ever.
            Message::Election(_)
            | Message::NewEpoch { .. }
            | Message::Trunc { .. }
            | Message::Snap(_)
            | Message::Diff(_)
            | Message::NewLeader { .. }
            | Message::UpToDate { .. }
            | Message::Propose(_)
            | Message::Commit { .. }
            | Message::Inform(_)
            | Message::Ping => {}
        }
    }

    /// What became durable may complete a quorum that this node is part of.
    fn on_persisted(&mut self, count: usize, step: &mut Step<'_>) {
        self.forget_outstanding(count);
        let Role::Leading(leading) = &self.role else {
            return;
        };
        match leading.stage {
            Stage::Gathering => {}
            Stage::Discovery => self.synchronize_if_promised(step),
            Stage::Synchronization => self.establish_if_acknowledged(step),
            Stage::Broadcast => self.advance(step),
        }
    }
}

#[cfg(test)]
mod tests;
