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

use super::{Leadership, Message, Position, Raft, Role, Step, Timer, Wrong};
use crate::machine::{Gate, NodeId, Span};

impl Raft {
    /// No sign of a leader for too long (§5.2).
    pub(super) fn on_election_timeout(&mut self, step: &mut Step<'_>) {
        if self.leads() {
            return;
        }
        self.leader = None;
        if !step.config.pre_vote || step.config.voters.len() == 1 {
            return self.stand(step);
        }
        self.role = Role::PreCandidate(BTreeSet::new());
        if step.config.breaks(Wrong::PrevoteClearsVote) {
            self.vote = None;
        }
        let ask = Message::PreVote {
            asked: self.term + 1,
            last: self.log.last(),
        };
        self.ask_all(&ask, step);
    }

    /// Raises the term and asks for votes, its own first (§5.2).
    fn stand(&mut self, step: &mut Step<'_>) {
        self.term += 1;
        self.vote = Some(step.config.id);
        step.vote_changed = true;
        self.role = Role::Candidate(BTreeSet::new());
        let ask = Message::Vote {
            term: self.term,
            last: self.log.last(),
        };
        // Behind the persist: a candidate that forgot that it stood could
        // vote for another in the same term.
        self.ask_all(&ask, step);
    }

    fn ask_all(&self, ask: &Message, step: &mut Step<'_>) {
        for peer in step.config.peers() {
            step.outputs.send(peer, ask.clone());
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
        let granted = asked > self.term && self.leader.is_none() && last >= self.log.last();
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
        if term > self.term {
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
        if grants.len() + 1 >= step.config.majority() {
            self.stand(step);
        }
    }

    /// A candidate asks for this node's vote (§5.2, §5.4.1).
    pub(super) fn on_vote(&mut self, from: NodeId, term: u64, last: Position, step: &mut Step<'_>) {
        if term > self.term {
            self.follow(term, step);
        }
        let mine = self.log.last();
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
        let own = usize::from(!self.outstanding.iter().any(|persist| persist.vote));
        if grants.len() + own < step.config.majority() {
            return;
        }
        self.leader = Some(step.config.id);
        self.role = Role::Leader(Leadership::new(step.config, self.log.last_index()));
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
        if leadership.heard.len() + 1 < step.config.majority() {
            return self.follow(term, step);
        }
        leadership.heard.clear();
        step.outputs.set_timer(Timer::Quorum, Span::Election);
    }
}
