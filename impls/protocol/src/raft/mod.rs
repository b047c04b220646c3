//! Raft: a replicated log under one leader a term.
//!
//! From Ongaro & Ousterhout, "In Search of an Understandable Consensus
//! Algorithm" (extended version, 2014), cited here as §n, and Ongaro's
//! dissertation "Consensus: Bridging Theory and Practice" (2014), cited as
//! diss. §n.
//!
//! | file | decides |
//! |---|---|
//! | `election.rs` | who leads: pre-vote, votes, terms |
//! | `replication.rs` | what stands in the logs, and what is committed |
//! | `snapshot.rs` | what may be dropped from a log, and how a follower does without |
//! | `membership.rs` | who belongs to the cluster |
//! | `transfer.rs` | how a leader makes way for another |
//! | `reads.rs` | when a leader may answer a read without the log |
//! | `clients.rs` | what becomes of a client's request |
//! | `message.rs` | what nodes say to each other |
//! | `log.rs` | the log itself |
//! | `bugs.rs` | the wrong versions, and where each was published |
//!
//! Every step asks for at most one persist, and asks for it first: a decision
//! is one durable fact or none. Everything else follows behind it.
//!
//! ```text
//!              timeout             majority would       majority
//!   Follower ----------> Pre-cand. ------------> Candidate ------> Leader
//!      ^ ^__________________|_______________________|                |
//!      |_________ higher term, or silent majority ___________________|
//! ```

mod bugs;
mod clients;
mod election;
mod log;
mod membership;
mod message;
mod reads;
mod replication;
mod snapshot;
mod transfer;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::bugs::{BUGS, ELECTION_BUGS, Wrong};
pub use self::log::{Command, Entry, Log, Position};
use self::membership::Memberships;
pub use self::membership::{Change, Membership};
pub use self::message::{Appended, Message};
use self::reads::WaitingRead;
use self::snapshot::{Arriving, Sending};
pub use self::snapshot::{Chunk, Head, Receipt, Snapshot};
use self::transfer::Transfer;
use crate::detector::RollCall;
use crate::machine::{
    Channel, ClockUse, Context, Gate, Input, Machine, NodeId, Outcome, Outputs, RequestId, Span,
    View,
};
use crate::object::{Answer, Call, Key, Store};

/// What a node is told at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Who it is.
    pub id: NodeId,
    /// Everybody who votes in the founding membership. Who belongs to the
    /// cluster later stands in the log.
    pub voters: BTreeSet<NodeId>,
    /// Whether a node asks if it could win before it raises its term
    /// (diss. §9.6).
    pub pre_vote: bool,
    /// Whether a leader steps down that has not heard from a majority for an
    /// election timeout (diss. §6.2).
    pub check_quorum: bool,
    /// How many entries one append carries at most.
    pub batch_max: usize,
    /// How many parts of a snapshot one message carries at most.
    pub chunk_max: usize,
    /// After how many committed entries a node compacts its log by itself;
    /// `None` for never.
    pub compact_after: Option<u64>,
    /// How many committed entries such a compaction leaves, for followers that
    /// lag only a little.
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
            pre_vote: true,
            check_quorum: true,
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
}

/// The timers of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// Nothing was heard of a leader for too long.
    Election,
    /// Followers must hear of the leader.
    Heartbeat,
    /// Has the leader heard of a majority since the last time?
    Quorum,
    /// A transfer of leadership takes too long.
    Transfer,
}

/// What clients ask.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Request {
    /// Let the object do this, through the log.
    Call(Call),
    /// Read without the log (§8).
    Read {
        /// Which key.
        key: Key,
    },
    /// Drop the entries that a snapshot can stand for (§7); any node does.
    Compact,
    /// Change who belongs to the cluster (diss. §4).
    Reconfigure(Change),
    /// Let another voter lead (diss. §3.10).
    Transfer(NodeId),
}

/// One durable fact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Record {
    /// The node is in this term and has given this vote in it.
    Vote {
        /// The term.
        term: u64,
        /// For whom, if anybody.
        vote: Option<NodeId>,
    },
    /// Every entry from this index on is gone.
    TruncateFrom(u64),
    /// These entries stand behind the last.
    Append(Vec<Entry>),
    /// A snapshot replaces the one before it, and the log begins behind
    /// `base`, which is at the snapshot's last entry or before it.
    Snapshot {
        /// The snapshot.
        snapshot: Snapshot,
        /// The last entry that is dropped.
        base: Position,
    },
}

/// All that recovery may see (§5, Figure 2, "persistent state").
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Durable {
    /// The latest term the node has seen.
    pub term: u64,
    /// For whom it voted in that term.
    pub vote: Option<NodeId>,
    /// The object up to where the log begins, or later.
    pub snapshot: Snapshot,
    /// The log.
    pub log: Log,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Raft {
    term: u64,
    vote: Option<NodeId>,
    log: Log,
    snapshot: Arc<Snapshot>,
    /// Those that stand in the log, and the last committed one.
    memberships: Memberships,
    /// The snapshot that a leader is sending.
    arriving: Option<Arriving>,
    /// The persists that are not yet durable, oldest first.
    outstanding: Vec<Outstanding>,
    /// Up to where the log was durable before it was truncated, until it is
    /// longer again; 0 if that is of no account. Only a wrong version
    /// remembers it.
    stale_durable: u64,
    /// The highest index known to be committed; everything up to it has been
    /// applied to `store`.
    commit: u64,
    store: Store,
    /// The leader of `term`, as far as known.
    leader: Option<NodeId>,
    role: Role,
}

/// What an outstanding persist will make durable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Outstanding {
    /// Whether it holds the term and vote.
    vote: bool,
    /// The first index of the log that it touches.
    log_from: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Role {
    Follower,
    /// Asking whether it could win; who would vote for it.
    PreCandidate(BTreeSet<NodeId>),
    /// Standing; who voted for it, beside itself.
    Candidate(BTreeSet<NodeId>),
    Leader(Leadership),
}

/// What only a leader knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Leadership {
    followers: BTreeMap<NodeId, Progress>,
    /// Who asked for the entry at an index.
    pending: BTreeMap<u64, RequestId>,
    /// The latest round of asking whether it still leads.
    round: u64,
    reads: Vec<WaitingRead>,
    /// Who is heard between two expiries of [`Timer::Quorum`].
    roll: RollCall,
    /// The node that is to lead next, if one is.
    transfer: Option<Transfer>,
}

/// What a leader knows of a follower.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Progress {
    /// The next entry to send.
    next: u64,
    /// The highest index known to be replicated there.
    matched: u64,
    /// Whether entries were sent that have not been answered.
    in_flight: bool,
    /// The highest round that it answered.
    round: u64,
    /// The snapshot that it is being sent in place of entries that are gone.
    sending: Option<Sending>,
}

impl Raft {
    /// The latest term the node has seen.
    pub fn term(&self) -> u64 {
        self.term
    }

    /// For whom it voted in that term.
    pub fn vote(&self) -> Option<NodeId> {
        self.vote
    }

    /// Whether it holds itself for the leader of its term.
    pub fn leads(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }

    /// The leader of its term, as far as it knows.
    pub fn leader(&self) -> Option<NodeId> {
        self.leader
    }

    /// Its log, in memory; the tail may not be durable yet.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The highest index known to be committed.
    pub fn commit(&self) -> u64 {
        self.commit
    }

    /// Its latest snapshot; an empty one if it never took or received one.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The object, with everything committed applied.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The role, in one word.
    pub fn role(&self) -> &'static str {
        match self.role {
            Role::Follower => "follower",
            Role::PreCandidate(_) => "pre-candidate",
            Role::Candidate(_) => "candidate",
            Role::Leader(_) => "leader",
        }
    }

    /// Follows in `term`; a leader gives up what it had accepted.
    fn follow(&mut self, term: u64, step: &mut Step<'_>) {
        if term > self.term {
            self.raise_term(term, None, step);
            self.leader = None;
        }
        if let Role::Leader(leadership) = std::mem::replace(&mut self.role, Role::Follower) {
            self.leader = None;
            step.outputs.cancel_timer(Timer::Heartbeat);
            step.outputs.cancel_timer(Timer::Quorum);
            step.outputs.cancel_timer(Timer::Transfer);
            let reads = leadership.reads.into_iter().map(|read| read.id);
            let transfer = leadership.transfer.map(|transfer| transfer.id);
            let asked = leadership.pending.into_values().chain(reads);
            for id in asked.chain(transfer) {
                let why = "the leader stepped down before the outcome was known".to_owned();
                let outcome = match step.config.breaks(Wrong::DoubtToldAsFailure) {
                    true => Outcome::Never(why),
                    false => Outcome::Unknown(why),
                };
                step.answer(id, outcome);
            }
            step.outputs.set_timer(Timer::Election, Span::Election);
        }
    }

    /// Enters a later term, with a vote or none: one fact (§5.2).
    fn raise_term(&mut self, term: u64, vote: Option<NodeId>, step: &mut Step<'_>) {
        if step.config.breaks(Wrong::VoteClearedBeforeTermWritten) {
            step.records.push(Record::Vote {
                term: self.term,
                vote: None,
            });
            step.split_persist();
        }
        self.term = term;
        self.vote = match vote {
            None if step.config.breaks(Wrong::VoteOutlivesItsTerm) => self.vote,
            vote => vote,
        };
        step.vote_changed = true;
    }

    /// Hands over what a step asks for: its one persist first.
    fn finish(&mut self, mut step: Step<'_>, outputs: &mut Outputs<Raft>) {
        if step.vote_changed && !step.config.breaks(Wrong::VoteNotPersisted) {
            let vote = Record::Vote {
                term: self.term,
                vote: self.vote,
            };
            step.records.insert(0, vote);
        }
        let vote = step.vote_changed;
        step.split_persist();
        for (log_from, records) in step.persists {
            self.outstanding.push(Outstanding { vote, log_from });
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
    vote_changed: bool,
    records: Vec<Record>,
    /// The first index of the log that `records` touch.
    log_from: Option<u64>,
    /// The persists of the step, each with the first index of the log that it
    /// touches. Only a wrong version makes more than one.
    persists: Vec<(Option<u64>, Vec<Record>)>,
    outputs: Outputs<Raft>,
}

impl<'a> Step<'a> {
    fn new(config: &'a Config) -> Self {
        Step {
            config,
            vote_changed: false,
            records: Vec::new(),
            log_from: None,
            persists: Vec::new(),
            outputs: Outputs::new(),
        }
    }

    /// Changes the log from `index` on.
    fn persist_log(&mut self, index: u64, record: Record) {
        self.log_from = Some(self.log_from.map_or(index, |from| from.min(index)));
        self.records.push(record);
    }

    /// What was collected so far is one persist.
    fn split_persist(&mut self) {
        let records = std::mem::take(&mut self.records);
        let log_from = self.log_from.take();
        if !records.is_empty() {
            self.persists.push((log_from, records));
        }
    }

    /// Answers need no disk of this node: an entry is durable because a
    /// quorum holds it, and a refusal promises nothing.
    fn answer(&mut self, id: RequestId, outcome: Outcome<Answer>) {
        self.outputs.answer(id, outcome, Gate::Now);
    }
}

impl Machine for Raft {
    const NAME: &'static str = "raft";
    const FORMAT: u32 = 3;
    const CHANNEL: Channel = Channel::Unordered;
    const CLOCK: ClockUse = ClockUse::Untimed;

    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Request = Request;
    type Response = Answer;
    type Record = Record;
    type Durable = Durable;

    fn apply(durable: &mut Durable, record: &Record) {
        match record {
            Record::Vote { term, vote } => {
                durable.term = *term;
                durable.vote = *vote;
            }
            Record::TruncateFrom(index) => durable.log.truncate_from(*index),
            Record::Append(entries) => durable.log.extend(entries),
            Record::Snapshot { snapshot, base } => {
                durable.snapshot = snapshot.clone();
                durable.log.begin_behind(*base);
            }
        }
    }

    fn recover(context: Context<'_, Self>, durable: &Durable, outputs: &mut Outputs<Self>) -> Self {
        outputs.set_timer(Timer::Election, Span::Election);
        let (memberships, store) = restored(context.config, durable);
        Raft {
            term: durable.term,
            vote: durable.vote,
            log: durable.log.clone(),
            snapshot: Arc::new(durable.snapshot.clone()),
            memberships,
            arriving: None,
            outstanding: Vec::new(),
            stale_durable: 0,
            commit: durable.snapshot.head.last.index,
            store,
            leader: None,
            role: Role::Follower,
        }
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
            Input::Timer(Timer::Election) => self.on_election_timeout(&mut step),
            Input::Timer(Timer::Heartbeat) => self.on_heartbeat_timeout(&mut step),
            Input::Timer(Timer::Quorum) => self.on_quorum_timeout(&mut step),
            Input::Timer(Timer::Transfer) => self.on_transfer_timeout(&mut step),
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
            epoch: self.term,
            leads: self.leads(),
            committed: self.commit,
            applied: self.commit,
            digest: Some(self.store.digest()),
            suspects: BTreeSet::new(),
            compacted: self.log.base().index,
            members: Some(self.members()),
            transactions: None,
        }
    }
}

/// What a node knows at its start beside its log: the snapshot's, or what
/// there is before the first entry.
fn restored(config: &Config, durable: &Durable) -> (Memberships, Store) {
    let Durable { snapshot, log, .. } = durable;
    let founding = config.sessions_founding;
    let (mut memberships, store) = if snapshot.head.last.index == 0 {
        let membership = Membership::of_voters(&config.voters);
        (Memberships::new(0, membership), Store::new(founding))
    } else {
        let Head {
            membership_index,
            membership,
            ..
        } = &snapshot.head;
        let memberships = Memberships::new(*membership_index, membership.clone());
        (memberships, Store::from_parts(founding, &snapshot.parts))
    };
    for (index, entry) in log.indexed() {
        memberships.note(index, &entry.command);
    }
    memberships.forget_below(snapshot.head.last.index);
    (memberships, store)
}

impl Raft {
    fn on_message(&mut self, from: NodeId, message: Message, step: &mut Step<'_>) {
        match message {
            Message::PreVote { asked, last } => self.on_pre_vote(from, asked, last, step),
            Message::PreVoteReply {
                term,
                asked,
                granted,
            } => self.on_pre_vote_reply(from, term, asked, granted, step),
            Message::Vote { term, last } => self.on_vote(from, term, last, step),
            Message::VoteReply { term, granted } => {
                self.on_vote_reply(from, term, granted, step);
            }
            Message::Append {
                term,
                previous,
                entries,
                commit,
                round,
            } => {
                if let Some(result) = self.on_append(from, term, previous, &entries, commit, step) {
                    self.answer_append(from, round, result, step);
                }
            }
            Message::AppendReply {
                term,
                round,
                result,
            } => self.on_append_reply(from, term, round, result, step),
            Message::Install { term, round, chunk } => {
                self.on_install(from, term, round, chunk, step);
            }
            Message::InstallReply {
                term,
                round,
                receipt,
            } => self.on_install_reply(from, term, round, receipt, step),
            Message::TimeoutNow { term } => self.on_timeout_now(term, step),
        }
    }

    /// What became durable may complete the leader's quorum of an entry, or a
    /// candidate's of its votes.
    fn on_persisted(&mut self, count: usize, step: &mut Step<'_>) {
        self.forget_outstanding(count);
        match self.role {
            Role::Leader(_) => self.advance_commit(step),
            Role::Candidate(_) => self.lead_if_elected(step),
            Role::Follower | Role::PreCandidate(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
