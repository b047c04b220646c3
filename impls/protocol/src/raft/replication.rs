//! Log replication and commitment.
//!
//! Called for appends, their answers and heartbeats. Decides what stands in
//! the logs and what is committed; never who leads.
//!
//! The leader replicates while it writes: its appends wait for no disk of its
//! own, and it counts itself in a quorum only for what is durable
//! (diss. §10.2.1). To each follower one append with entries is on its way at
//! a time; the next carries all that gathered meanwhile, up to a bound. A
//! heartbeat finds out what was lost.

use super::{
    Appended, Command, Config, Entry, Leadership, Message, Position, Progress, Raft, Record, Role,
    Step, Timer, Wrong,
};
use crate::machine::{Gate, NodeId, Outcome, RequestId, Span};
use crate::quorum::majority_position;

impl Progress {
    /// Every log is taken to end where the leader's does (§5.3).
    pub(super) fn new(last_index: u64) -> Self {
        Progress {
            next: last_index + 1,
            matched: 0,
            in_flight: false,
            round: 0,
            sending: None,
        }
    }
}

impl Leadership {
    /// A new leader with these followers.
    pub(super) fn new(peers: impl Iterator<Item = NodeId>, last_index: u64) -> Self {
        let progress = Progress::new(last_index);
        Leadership {
            followers: peers.map(|peer| (peer, progress.clone())).collect(),
            pending: Default::default(),
            round: 0,
            reads: Vec::new(),
            roll: Default::default(),
            transfer: None,
        }
    }
}

impl Raft {
    /// A leader's first act: an entry of its own term, behind which it can
    /// commit what earlier leaders left (§5.4.2, §8).
    pub(super) fn begin_leading(&mut self, step: &mut Step<'_>) {
        self.propose(Command::Noop, None, step);
    }

    /// Appends to the leader's own log and replicates (§5.3).
    pub(super) fn propose(
        &mut self,
        command: Command,
        asked_by: Option<RequestId>,
        step: &mut Step<'_>,
    ) {
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        let entry = Entry {
            term: self.term,
            command,
        };
        let index = self.log.last_index() + 1;
        leadership.pending.extend(asked_by.map(|id| (index, id)));
        self.log.extend(std::slice::from_ref(&entry));
        self.memberships.note(index, &entry.command);
        if matches!(entry.command, Command::Configure(_)) {
            self.follow_membership(step.config);
        }
        step.persist_log(index, Record::Append(vec![entry]));
        for peer in self.followers() {
            self.send_missing(peer, step);
        }
        if step.config.breaks(Wrong::LeaderCountsItselfBeforeSync) {
            self.advance_commit(step);
        }
    }

    fn followers(&self) -> Vec<NodeId> {
        match &self.role {
            Role::Leader(leadership) => leadership.followers.keys().copied().collect(),
            _ => Vec::new(),
        }
    }

    /// Sends a follower what it lacks, unless something is on its way: entries,
    /// or a snapshot in place of those that are gone (§7).
    pub(super) fn send_missing(&mut self, to: NodeId, step: &mut Step<'_>) {
        let (base, last_index) = (self.log.base().index, self.log.last_index());
        let Some(progress) = self.progress(to) else {
            return;
        };
        if progress.in_flight || progress.next > last_index {
            return;
        }
        progress.in_flight = true;
        if progress.next <= base {
            self.send_chunk(to, step);
        } else {
            self.send_append(to, step.config.batch_max, step);
        }
    }

    /// Sends an append of at most `count` entries. Without any it is a
    /// heartbeat, whose previous entry may lie below entries not yet sent,
    /// and which carries the whole commit index all the same (§5.2).
    pub(super) fn send_append(&self, to: NodeId, count: usize, step: &mut Step<'_>) {
        let Role::Leader(leadership) = &self.role else {
            return;
        };
        // Whoever lacks entries that are gone is asked where the log begins.
        let begin = self.log.base().index + 1;
        let next = leadership.followers[&to].next.max(begin);
        let previous = self.position_of(next - 1);
        let append = Message::Append {
            term: self.term,
            previous,
            entries: self.log.slice(next, count).to_vec(),
            commit: self.commit,
            round: leadership.round,
        };
        // Nothing in it depends on this node's disk: the term has been
        // durable since the election, and what is committed a quorum holds.
        step.outputs.send_gated(to, append, Gate::Now);
    }

    pub(super) fn send_heartbeats(&self, step: &mut Step<'_>) {
        for peer in self.followers() {
            self.send_append(peer, 0, step);
        }
    }

    pub(super) fn on_heartbeat_timeout(&mut self, step: &mut Step<'_>) {
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        // What has not been answered by now may be lost: whoever answers the
        // heartbeat is sent it again.
        for progress in leadership.followers.values_mut() {
            progress.in_flight = false;
        }
        if let Some(transfer) = &mut leadership.transfer {
            transfer.is_told = false;
        }
        self.send_heartbeats(step);
        step.outputs.set_timer(Timer::Heartbeat, Span::Heartbeat);
    }

    /// A leader's append (§5.3); gives the answer, if one is due.
    pub(super) fn on_append(
        &mut self,
        from: NodeId,
        term: u64,
        previous: Position,
        entries: &[Entry],
        commit: u64,
        step: &mut Step<'_>,
    ) -> Option<Appended> {
        let refusal = Appended::Rejected {
            previous: previous.index,
            next: previous.index,
        };
        if term < self.term {
            return Some(refusal);
        }
        if term == self.term && self.leads() {
            return None;
        }
        self.follow(term, step);
        self.leader = Some(from);
        step.outputs.set_timer(Timer::Election, Span::Election);
        if step.config.breaks(Wrong::VoteClearedBySameTermAppend) {
            self.vote = None;
            step.vote_changed = true;
        }
        if step.config.breaks(Wrong::EmptyLogAcceptsAnyOffset) && self.log.entries().is_empty() {
            self.begin_anywhere(previous, step);
        }
        let (previous, entries) = match self.beyond_base(previous, entries, step.config) {
            Some(rest) => rest,
            None => return Some(Appended::Matched(previous.index + entries.len() as u64)),
        };
        let any = step.config.breaks(Wrong::PrevIndexZeroAlwaysMatches) && previous.index == 0;
        if !any && !self.log.holds(previous) {
            return Some(Appended::Rejected {
                previous: previous.index,
                next: self.conflict_hint(previous.index),
            });
        }
        self.store_entries(previous.index, entries, step);
        let matched = previous.index + entries.len() as u64;
        // Beyond what was compared just now the log may hold another leader's
        // entries (§5.3, "index of last new entry").
        let known = if step.config.breaks(Wrong::CommitPastMatchedPrefix) {
            self.log.last_index()
        } else {
            matched
        };
        self.commit_up_to(commit.min(known), step);
        if step.config.breaks(Wrong::AppendAckClaimsWholeLog) {
            return Some(Appended::Matched(self.log.last_index()));
        }
        Some(Appended::Matched(matched))
    }

    pub(super) fn answer_append(
        &mut self,
        to: NodeId,
        round: u64,
        result: Appended,
        step: &mut Step<'_>,
    ) {
        // The leader counts an acknowledged entry as durable here.
        let early = match result {
            _ if step.config.breaks(Wrong::FollowerAcksBeforeSync) => true,
            Appended::Matched(index) => (1..=self.stale_durable).contains(&index),
            Appended::Rejected { .. } => false,
        };
        let gate = if early { Gate::Now } else { Gate::Durable };
        let reply = Message::AppendReply {
            term: self.term,
            round,
            result,
        };
        step.outputs.send_gated(to, reply, gate);
    }

    /// What of an append lies behind the log's beginning: what lies before it
    /// was committed, so the leader's log has the same. `None` if nothing
    /// does.
    fn beyond_base<'e>(
        &self,
        previous: Position,
        entries: &'e [Entry],
        config: &Config,
    ) -> Option<(Position, &'e [Entry])> {
        let base = self.log.base();
        let known = base.index.saturating_sub(previous.index) as usize;
        let any = config.breaks(Wrong::PrevIndexZeroAlwaysMatches) && previous.index == 0;
        match known {
            0 => Some((previous, entries)),
            _ if any => Some((previous, entries)),
            _ => Some((base, entries.get(known..)?)),
        }
    }

    /// Where a leader should look for agreement: behind the whole term of
    /// the entry that conflicts, or behind this log's end (§5.3).
    fn conflict_hint(&self, index: u64) -> u64 {
        if index > self.log.last_index() {
            self.log.last_index() + 1
        } else {
            self.log.first_of_term_at(index).max(self.commit + 1)
        }
    }

    /// Takes over what the log lacks; drops its own entries only from the
    /// first one that differs, since a late append may be shorter than what
    /// was acknowledged meanwhile (§5.3).
    fn store_entries(&mut self, previous: u64, entries: &[Entry], step: &mut Step<'_>) {
        let places = previous + 1..;
        let agreeing = if step.config.breaks(Wrong::StaleAppendTruncatesSuffix) {
            0
        } else {
            let agrees =
                |(index, entry): &(u64, &Entry)| self.log.term_at(*index) == Some(entry.term);
            places.zip(entries).take_while(agrees).count()
        };
        let from = previous + 1 + agreeing as u64;
        let new = &entries[agreeing..];
        let differs = !new.is_empty() || step.config.breaks(Wrong::StaleAppendTruncatesSuffix);
        if differs && from <= self.log.last_index() {
            if step.config.breaks(Wrong::AckAboveDurableIndex) {
                self.stale_durable = self.stale_durable.max(self.durable_index());
            }
            self.log.truncate_from(from);
            self.memberships.truncate_from(from);
            step.persist_log(from, Record::TruncateFrom(from));
        }
        if !new.is_empty() {
            for (index, entry) in (from..).zip(new) {
                self.memberships.note(index, &entry.command);
            }
            self.log.extend(new);
            let end = self.log.last_index();
            if self.stale_durable < end {
                self.stale_durable = 0;
            }
            step.persist_log(from, Record::Append(new.to_vec()));
        } else if !entries.is_empty() && step.config.breaks(Wrong::TruncateThenRewriteWindow) {
            self.rewrite_from(previous + 1, step);
        }
    }

    /// Deletes what stands from an index on and writes it again, each a fact
    /// of its own.
    fn rewrite_from(&self, index: u64, step: &mut Step<'_>) {
        let again = self.log.slice(index, usize::MAX).to_vec();
        step.persist_log(index, Record::TruncateFrom(index));
        step.split_persist();
        step.persist_log(index, Record::Append(again));
    }

    /// A log without entries begins wherever the leader's append does.
    fn begin_anywhere(&mut self, previous: Position, step: &mut Step<'_>) {
        if previous.index > self.log.last_index() {
            self.log.begin_behind(previous);
            step.records.push(Record::Snapshot {
                snapshot: (*self.snapshot).clone(),
                base: previous,
            });
        }
    }

    pub(super) fn on_append_reply(
        &mut self,
        from: NodeId,
        term: u64,
        round: u64,
        result: Appended,
        step: &mut Step<'_>,
    ) {
        if !self.hear_reply(from, term, round, step) {
            return;
        }
        let Some(progress) = self.progress(from) else {
            return;
        };
        match result {
            // Replies may overtake each other: never go back.
            Appended::Matched(index) => {
                progress.matched = progress.matched.max(index);
                if index >= progress.next {
                    progress.next = index + 1;
                    progress.in_flight = false;
                }
                let sending = &mut progress.sending;
                sending.take_if(|sending| sending.ends_at() <= index);
            }
            // A reply to an earlier probe says nothing about this one, and a
            // late one nothing about what was matched since.
            Appended::Rejected { previous, next }
                if previous + 1 == progress.next && previous > progress.matched =>
            {
                progress.next = next.clamp(progress.matched + 1, previous);
                progress.in_flight = false;
            }
            Appended::Rejected { .. } => {}
        }
        self.advance_commit(step);
        self.send_missing(from, step);
        self.answer_reads(step);
        self.hand_over_if_caught_up(step);
    }

    /// Takes note of a follower's answer; whether it is one to this leader.
    pub(super) fn hear_reply(
        &mut self,
        from: NodeId,
        term: u64,
        round: u64,
        step: &mut Step<'_>,
    ) -> bool {
        if term > self.term {
            self.follow(term, step);
            return false;
        }
        let Role::Leader(leadership) = &mut self.role else {
            return false;
        };
        let Some(progress) = leadership.followers.get_mut(&from) else {
            return false;
        };
        if term < self.term {
            return false;
        }
        progress.round = progress.round.max(round);
        if step.config.check_quorum {
            leadership.roll.hear(from);
        }
        true
    }

    pub(super) fn progress(&mut self, of: NodeId) -> Option<&mut Progress> {
        match &mut self.role {
            Role::Leader(leadership) => leadership.followers.get_mut(&of),
            _ => None,
        }
    }

    /// Up to where this node's own log is durable.
    fn durable_index(&self) -> u64 {
        let touched = self
            .outstanding
            .iter()
            .filter_map(|persist| persist.log_from);
        touched.min().map_or(self.log.last_index(), |from| from - 1)
    }

    /// Commits what a majority holds, if it ends in the leader's own term:
    /// an earlier leader's entry may be on a majority and still be replaced
    /// (§5.4.2, Figure 8).
    pub(super) fn advance_commit(&mut self, step: &mut Step<'_>) {
        let Role::Leader(leadership) = &self.role else {
            return;
        };
        let own = if step.config.breaks(Wrong::LeaderCountsItselfBeforeSync) {
            self.log.last_index()
        } else {
            self.durable_index()
        };
        let reached = |voter: &NodeId| match leadership.followers.get(voter) {
            Some(progress) => progress.matched,
            None if *voter == step.config.id => own,
            None => 0,
        };
        let voters = &self.in_force(step.config).voters;
        let mut reached: Vec<u64> = voters.iter().map(reached).collect();
        let is_voter = voters.contains(&step.config.id);
        if !is_voter && step.config.breaks(Wrong::RemovedLeaderCountsItself) {
            // In the place of whoever is slowest.
            reached.sort_unstable();
            reached[0] = reached[0].max(own);
        }
        let index = majority_position(reached);
        let own_term = self.log.term_at(index) == Some(self.term);
        if own_term || step.config.breaks(Wrong::CommitEarlierTermByCounting) {
            self.commit_up_to(index, step);
            self.answer_reads(step);
        }
    }

    /// Applies what is newly committed, in order, and answers who asked.
    fn commit_up_to(&mut self, index: u64, step: &mut Step<'_>) {
        let mut is_new_membership = false;
        while self.commit < index {
            let at = self.commit + 1;
            let Some(entry) = self.log.get(at) else {
                return;
            };
            let command = entry.command.clone();
            self.commit = at;
            let answer = self.execute(&command, at, step.config);
            if let Role::Leader(leadership) = &mut self.role
                && let Some(id) = leadership.pending.remove(&at)
            {
                step.answer(id, Outcome::Ok(answer));
            }
            is_new_membership |= matches!(command, Command::Configure(_));
        }
        if is_new_membership {
            self.memberships.forget_below(self.commit);
            self.follow_membership(step.config);
            self.let_go(step);
        }
        let commit = self.commit;
        // A snapshot that shows less is of no use any more.
        self.arriving
            .take_if(|arriving| arriving.head().last.index <= commit);
        self.resign_if_removed(step);
        self.compact_if_long(step);
    }
}
