//! Leader election.
//!
//! Called for vote messages and election timeouts. Decides nothing about the
//! log, except to compare where it ends.
//!
//! Invariant: at most one leader a term, because a node makes its vote
//! durable before it speaks it, and a candidate counts its own vote only once
//! that is durable too (§5.2).
//!
//! A pre-vote costs a round; without it a node that returns from a partition
//! deposes a healthy leader (diss. §9.6).

use std::collections::BTreeSet;

use super::{Config, Leadership, Message, Position, Raft, Role, Step, Timer, Wrong};
use crate::machine::{Gate, NodeId, Span};

impl Raft {
    /// No sign of a leader for too long (§5.2).
    pub(super) fn on_election_timeout(&mut self, step: &mut Step<'_>) {
        if self.leads() {
            return;
        }
        if !step.config.breaks(Wrong::LeaderNeverForgotten) {
            self.leader = None;
        }
        if !self.may_stand(step.config) {
            return;
        }
        if !step.config.pre_vote || self.is_majority_with([], step.config) {
            return self.stand(step);
        }
        self.role = Role::PreCandidate(BTreeSet::new());
        if step.config.breaks(Wrong::PrevoteClearsVote) {
            self.vote = None;
        }
        let ask = Message::PreVote {
            asked: self.term + 1,
            last: self.log_end(step.config),
        };
        self.ask_all(&ask, step);
    }

    /// Whether this node may become leader: also one whose removal is not
    /// committed yet may be needed to commit it (diss. §4.2.2).
    pub(super) fn may_stand(&self, config: &Config) -> bool {
        self.is_voter(config) || self.committed_membership().voters.contains(&config.id)
    }

    /// Where its log ends, as votes compare it: in a log that is empty after
    /// a compaction, where the snapshot does (§7).
    fn log_end(&self, config: &Config) -> Position {
        let last = self.log.last();
        if config.breaks(Wrong::SnapshotForgetsLastTerm) && self.log.entries().is_empty() {
            return Position { term: 0, ..last };
        }
        last
    }

    /// Raises the term and asks for votes, its own first (§5.2).
    pub(super) fn stand(&mut self, step: &mut Step<'_>) {
        self.raise_term(self.term + 1, Some(step.config.id), step);
        self.role = Role::Candidate(BTreeSet::new());
        let ask = Message::Vote {
            term: self.term,
            last: self.log_end(step.config),
        };
        // Behind the persist: a candidate that forgot that it stood could
        // vote for another in the same term.
        self.ask_all(&ask, step);
    }

    fn ask_all(&self, ask: &Message, step: &mut Step<'_>) {
        let voters = &self.in_force(step.config).voters;
        for peer in voters.iter().filter(|peer| **peer != step.config.id) {
            step.outputs.send(*peer, ask.clone());
        }
        step.outputs.set_timer(Timer::Election, Span::Election);
    }

    /// Would this node vote for the sender? Changes nothing (diss. §9.6).
    pub(super) fn on_pre_vote(
        &mut self,
        from: NodeId,
        asked: u64,
        last: Position,
        step: &mut Step<'_>,
    ) {
        // A node that hears a leader refuses: that leader is healthy enough.
        let granted =
            asked > self.term && self.leader.is_none() && last >= self.log_end(step.config);
        // A refusal tells the asker something only if it is behind.
        if granted || asked <= self.term {
            let reply = Message::PreVoteReply {
                term: self.term,
                asked,
                granted,
            };
            step.outputs.send(from, reply);
        }
    }

    pub(super) fn on_pre_vote_reply(
        &mut self,
        from: NodeId,
        term: u64,
        asked: u64,
        granted: bool,
        step: &mut Step<'_>,
    ) {
        if term > self.term && !step.config.breaks(Wrong::PrevoteRefusalNotHeeded) {
            return self.follow(term, step);
        }
        if step.config.breaks(Wrong::PrevoteReplyCountedAsVote) && granted && asked == self.term {
            return self.count_vote(from, step);
        }
        let Role::PreCandidate(grants) = &mut self.role else {
            return;
        };
        if !granted || asked != self.term + 1 {
            return;
        }
        grants.insert(from);
        let grants = grants.clone();
        if self.is_majority_with(grants, step.config) {
            self.stand(step);
        }
    }

    /// A candidate asks for this node's vote (§5.2, §5.4.1).
    pub(super) fn on_vote(&mut self, from: NodeId, term: u64, last: Position, step: &mut Step<'_>) {
        if term > self.term {
            self.follow(term, step);
        }
        let mine = self.log_end(step.config);
        let up_to_date = if step.config.breaks(Wrong::VoteComparesIndexOnly) {
            last.index >= mine.index
        } else {
            last >= mine
        };
        let free = self.vote.is_none() || self.vote == Some(from);
        let granted = term == self.term && free && up_to_date;
        if granted && self.vote.is_none() {
            self.vote = Some(from);
            step.vote_changed = true;
            step.outputs.set_timer(Timer::Election, Span::Election);
        }
        // A refusal within the term would change nothing at the candidate.
        if granted || term < self.term {
            // A vote that was spoken and then forgotten in a crash could be
            // given twice.
            let gate = if step.config.breaks(Wrong::VoteReplyBeforePersist) {
                Gate::Now
            } else {
                Gate::Durable
            };
            let reply = Message::VoteReply {
                term: self.term,
                granted,
            };
            step.outputs.send_gated(from, reply, gate);
        }
    }

    pub(super) fn on_vote_reply(
        &mut self,
        from: NodeId,
        term: u64,
        granted: bool,
        step: &mut Step<'_>,
    ) {
        if term > self.term {
            return self.follow(term, step);
        }
        let current = term == self.term || step.config.breaks(Wrong::StaleVoteReplyCounted);
        if granted && current {
            self.count_vote(from, step);
        }
    }

    fn count_vote(&mut self, from: NodeId, step: &mut Step<'_>) {
        if let Role::Candidate(grants) = &mut self.role {
            grants.insert(from);
            self.lead_if_elected(step);
        }
    }

    /// Leads once a majority voted for this node, itself durably.
    pub(super) fn lead_if_elected(&mut self, step: &mut Step<'_>) {
        let Role::Candidate(grants) = &self.role else {
            return;
        };
        let own = !self.outstanding.iter().any(|persist| persist.vote);
        let own = own.then_some(step.config.id);
        let members = self.in_force(step.config);
        if !members.is_majority(grants.iter().copied().chain(own)) {
            return;
        }
        let peers = members.members().filter(|peer| *peer != step.config.id);
        let leadership = Leadership::new(peers, self.log.last_index());
        self.leader = Some(step.config.id);
        self.arriving = None;
        self.role = Role::Leader(leadership);
        step.outputs.cancel_timer(Timer::Election);
        step.outputs.set_timer(Timer::Heartbeat, Span::Heartbeat);
        if step.config.check_quorum {
            step.outputs.set_timer(Timer::Quorum, Span::Election);
        }
        self.begin_leading(step);
    }

    /// Steps down if no majority was heard since the last time (diss. §6.2):
    /// a leader that is cut off must not keep its clients waiting.
    pub(super) fn on_quorum_timeout(&mut self, step: &mut Step<'_>) {
        let term = self.term;
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        let heard = leadership.roll.call();
        if !self.is_majority_with(heard, step.config) {
            return self.follow(term, step);
        }
        step.outputs.set_timer(Timer::Quorum, Span::Election);
    }
}
