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
//! | `reads.rs` | when a leader may answer a read without the log |
//! | `clients.rs` | what becomes of a client's request |
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
mod reads;
mod replication;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use self::bugs::{BUGS, Wrong};
pub use self::log::{Command, Entry, Log, Position};
use self::reads::WaitingRead;
use crate::machine::{
    Channel, ClockUse, Context, Gate, Input, Machine, NodeId, Outcome, Outputs, RequestId, Span,
    View,
};
use crate::object::{Answer, Key, Operation, Store, Ticket};
use crate::quorum::majority;

/// What a node is told at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Who it is.
    pub id: NodeId,
    /// Everybody who votes, itself included.
    pub voters: BTreeSet<NodeId>,
    /// Whether a node asks if it could win before it raises its term
    /// (diss. §9.6).
    pub pre_vote: bool,
    /// Whether a leader steps down that has not heard from a majority for an
    /// election timeout (diss. §6.2).
    pub check_quorum: bool,
    /// How many entries one append carries at most.
    pub batch_max: usize,
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
            sessions_max: 4096,
            sessions_founding: 0,
            bug: None,
        }
    }

    fn peers(&self) -> impl Iterator<Item = NodeId> + use<'_> {
        self.voters.iter().copied().filter(|peer| *peer != self.id)
    }

    fn majority(&self) -> usize {
        majority(self.voters.len())
    }

    fn breaks(&self, rule: Wrong) -> bool {
        self.bug == Some(rule)
    }
}

/// What nodes say to each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Message {
    /// Would you vote for me in that term? (diss. §9.6)
    PreVote {
        /// The term that the sender would stand in.
        asked: u64,
        /// Where the sender's log ends.
        last: Position,
    },
    /// The answer to [`Message::PreVote`].
    PreVoteReply {
        /// The answering node's own term.
        term: u64,
        /// The term that was asked about.
        asked: u64,
        /// Whether it would.
        granted: bool,
    },
    /// Vote for me (§5.2).
    Vote {
        /// The term that the sender stands in.
        term: u64,
        /// Where the sender's log ends.
        last: Position,
    },
    /// The answer to [`Message::Vote`].
    VoteReply {
        /// The answering node's term.
        term: u64,
        /// Whether it voted for the candidate.
        granted: bool,
    },
    /// Hold these entries behind that one (§5.3). Without entries it is a
    /// heartbeat (§5.2).
    Append {
        /// The leader's term.
        term: u64,
        /// The entry that must stand before the first of `entries`.
        previous: Position,
        /// What follows it.
        entries: Vec<Entry>,
        /// The leader's commit index.
        commit: u64,
        /// The leader's latest round of asking whether it still leads.
        round: u64,
    },
    /// The answer to [`Message::Append`].
    AppendReply {
        /// The answering node's term.
        term: u64,
        /// The round of the append that is answered.
        round: u64,
        /// What became of it.
        result: Appended,
    },
}

/// What became of an append.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Appended {
    /// The follower's log agrees with the leader's up to this index, durably.
    Matched(u64),
    /// The follower's log has another entry, or none, before the first.
    Rejected {
        /// The index of the entry that was asked for.
        previous: u64,
        /// Where the leader should try next.
        next: u64,
    },
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
}

/// What clients ask.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Request {
    /// Open a session.
    Register,
    /// Execute an operation through the log.
    Command {
        /// Which command of which session; `None` for one never repeated.
        ticket: Option<Ticket>,
        /// What to do.
        operation: Operation,
    },
    /// Read without the log (§8).
    Read {
        /// Which key.
        key: Key,
    },
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
}

/// All that recovery may see (§5, Figure 2, "persistent state").
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Durable {
    /// The latest term the node has seen.
    pub term: u64,
    /// For whom it voted in that term.
    pub vote: Option<NodeId>,
    /// The log.
    pub log: Log,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Raft {
    term: u64,
    vote: Option<NodeId>,
    log: Log,
    /// The persists that are not yet durable, oldest first.
    outstanding: Vec<Outstanding>,
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
    /// Who was heard since the last [`Timer::Quorum`].
    heard: BTreeSet<NodeId>,
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

    /// Its log, in memory; the tail may not be durable yet.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The highest index known to be committed.
    pub fn commit(&self) -> u64 {
        self.commit
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
            self.term = term;
            self.vote = None;
            self.leader = None;
            step.vote_changed = true;
        }
        if let Role::Leader(leadership) = std::mem::replace(&mut self.role, Role::Follower) {
            self.leader = None;
            step.outputs.cancel_timer(Timer::Heartbeat);
            step.outputs.cancel_timer(Timer::Quorum);
            let reads = leadership.reads.into_iter().map(|read| read.id);
            for id in leadership.pending.into_values().chain(reads) {
                let why = "the leader stepped down before the outcome was known";
                step.answer(id, Outcome::Unknown(why.into()));
            }
            step.outputs.set_timer(Timer::Election, Span::Election);
        }
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
        if !step.records.is_empty() {
            self.outstanding.push(Outstanding {
                vote: step.vote_changed,
                log_from: step.log_from,
            });
        }
        outputs.persist(step.records);
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
    outputs: Outputs<Raft>,
}

impl<'a> Step<'a> {
    fn new(config: &'a Config) -> Self {
        Step {
            config,
            vote_changed: false,
            records: Vec::new(),
            log_from: None,
            outputs: Outputs::new(),
        }
    }

    /// Changes the log from `index` on.
    fn persist_log(&mut self, index: u64, record: Record) {
        self.log_from = Some(self.log_from.map_or(index, |from| from.min(index)));
        self.records.push(record);
    }

    /// Answers need no disk of this node: an entry is durable because a
    /// quorum holds it, and a refusal promises nothing.
    fn answer(&mut self, id: RequestId, outcome: Outcome<Answer>) {
        self.outputs.answer(id, outcome, Gate::Now);
    }
}

impl Machine for Raft {
    const NAME: &'static str = "raft";
    const FORMAT: u32 = 1;
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
        }
    }

    fn recover(context: Context<'_, Self>, durable: &Durable, outputs: &mut Outputs<Self>) -> Self {
        outputs.set_timer(Timer::Election, Span::Election);
        Raft {
            term: durable.term,
            vote: durable.vote,
            log: durable.log.clone(),
            outstanding: Vec::new(),
            commit: 0,
            store: Store::new(context.config.sessions_founding),
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
            digest: self.store.digest(),
            suspects: BTreeSet::new(),
        }
    }
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
