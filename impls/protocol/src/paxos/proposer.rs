//! The proposer: phase 1 once for all slots, then phase 2 slot by slot
//! (PMS §2.2, §3; PMMC §2.2).
//!
//! Called for election timeouts, answers to its proposals and new commands.
//!
//! Invariant: a value is proposed in a slot only if no lower ballot can decide
//! another one there. So of the values that a quorum of phase 1 reports, the
//! one of the highest ballot is proposed again; a slot of which none is
//! reported, below one of which some are, gets a no-op (PMS §3).
//!
//! Many slots are open at once, at most [`Config::window`](super::Config::window)
//! beyond what is decided, so that a new leader has few to fill. Slots are
//! decided in any order and applied in theirs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use super::{Accepted, Ballot, Command, Config, Message, Paxos, Role, Slot, Step, Timer, Wrong};
use crate::machine::{Gate, NodeId, Outcome, RequestId, Span};
use crate::quorum::Phase;

/// What a node knows that wants to lead.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Preparing {
    /// Who promised, beside itself.
    promised_by: BTreeSet<NodeId>,
    /// Of every slot the value with the highest ballot of those reported.
    reported: BTreeMap<Slot, Accepted>,
    /// The last slot that somebody has only as a snapshot, and who.
    compacted: (Slot, NodeId),
}

/// What only a leader knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Leadership {
    /// The next slot to propose something in.
    next: Slot,
    /// The last slot in which an earlier leader's value may be decided.
    recovered: Slot,
    /// The slots in which something is proposed that is not yet applied.
    open: BTreeMap<Slot, Open>,
    /// What waits for a slot.
    waiting: VecDeque<(Command, RequestId)>,
    /// Who was heard since the last [`Timer::Quorum`].
    heard: BTreeSet<NodeId>,
    /// Before its clock shows this, a node promises no other ballot.
    pub(super) leases: BTreeMap<NodeId, u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Open {
    /// Who accepted it, beside the leader.
    accepted_by: BTreeSet<NodeId>,
    asked_by: Option<RequestId>,
}

impl Leadership {
    /// Whoever waits for an answer, and whether what it asked was proposed.
    pub(super) fn asked_by(self) -> impl Iterator<Item = (RequestId, bool)> {
        let open = self.open.into_values().filter_map(|open| open.asked_by);
        let waiting = self.waiting.into_iter().map(|(_, id)| (id, false));
        open.map(|id| (id, true)).chain(waiting)
    }
}

impl Paxos {
    /// No sign of a leader for too long: prepares a ballot of its own.
    pub(super) fn on_election_timeout(&mut self, step: &mut Step<'_>) {
        if self.leads() {
            return;
        }
        self.leader = None;
        step.outputs.set_timer(Timer::Election, Span::Election);
        if !self.is_bound_by_lease(step) {
            self.prepare(step);
        }
    }

    /// Phase 1a. The ballot is promised by this node itself, durably, before
    /// anybody hears of it: so it is never used twice.
    fn prepare(&mut self, step: &mut Step<'_>) {
        let config = step.config;
        let highest = self.promised.round.max(self.seen_round);
        let ballot = Ballot {
            round: highest + 1,
            node: config.id,
        };
        self.follow(ballot, step);
        if config.breaks(Wrong::ProposerReusesBallotAfterRestart) {
            step.promises = false;
        }
        let from = self.decided + 1;
        let own = self.log.from(from);
        self.role = Role::Preparing(Preparing {
            promised_by: BTreeSet::new(),
            reported: own.map(|(slot, value)| (slot, value.clone())).collect(),
            compacted: (self.log.base(), config.id),
        });
        let prepare = Message::Prepare {
            ballot: self.promised,
            from,
        };
        step.send_peers(&prepare, Gate::Durable);
    }

    /// An acceptor promises this node's ballot (1b).
    pub(super) fn on_promise(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        base: Slot,
        accepted: BTreeMap<Slot, Accepted>,
        step: &mut Step<'_>,
    ) {
        let current = ballot == self.promised || step.config.breaks(Wrong::StalePromiseCounted);
        let Role::Preparing(preparing) = &mut self.role else {
            return;
        };
        if !current {
            return;
        }
        preparing.promised_by.insert(from);
        preparing.compacted = preparing.compacted.max((base, from));
        for (slot, value) in accepted {
            let known = preparing.reported.get(&slot);
            let is_higher = known.is_none_or(|known| known.ballot < value.ballot);
            if is_higher || step.config.breaks(Wrong::AdoptAnyReportedValue) {
                preparing.reported.insert(slot, value);
            }
        }
        self.lead_if_promised(step);
    }

    /// Leads once a quorum promised, this node itself durably, and nothing
    /// that they know only as a snapshot is missing here.
    pub(super) fn lead_if_promised(&mut self, step: &mut Step<'_>) {
        let config = step.config;
        let Role::Preparing(preparing) = &self.role else {
            return;
        };
        let mut promised_by = preparing.promised_by.clone();
        if !self.outstanding.iter().any(|persist| persist.promise) {
            promised_by.insert(config.id);
        }
        let phase = if config.breaks(Wrong::PhaseTwoQuorumForPhaseOne) {
            Phase::Two
        } else {
            Phase::One
        };
        if !config.quorums.is_quorum(phase, &promised_by) {
            return;
        }
        let (compacted, holder) = preparing.compacted;
        let is_behind = compacted > self.decided;
        if is_behind && !config.breaks(Wrong::CompactedSlotsTakenForEmpty) {
            return self.fetch_from(holder, step);
        }
        let reported = preparing.reported.clone();
        self.lead(&reported, step);
    }

    fn lead(&mut self, reported: &BTreeMap<Slot, Accepted>, step: &mut Step<'_>) {
        let first = self.decided + 1;
        let last = reported.last_key_value().map_or(0, |(slot, _)| *slot);
        let recovered = last.max(self.decided);
        self.leader = Some(step.config.id);
        self.arriving = None;
        self.role = Role::Leader(Leadership {
            next: first,
            recovered,
            open: BTreeMap::new(),
            waiting: VecDeque::new(),
            heard: BTreeSet::new(),
            leases: BTreeMap::new(),
        });
        step.outputs.cancel_timer(Timer::Election);
        step.outputs.set_timer(Timer::Heartbeat, Span::Heartbeat);
        if step.config.check_quorum {
            step.outputs.set_timer(Timer::Quorum, Span::Election);
        }
        let value = |slot| {
            let value = reported.get(&slot);
            let command = value.map_or(Command::Noop, |value| value.command.clone());
            (command, None)
        };
        let again = (first..=recovered).map(value).collect();
        self.propose(again, step);
    }

    /// Takes a client's command; it gets a slot when the window has one.
    pub(super) fn take(&mut self, command: Command, id: RequestId, step: &mut Step<'_>) {
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        if leadership.waiting.len() >= step.config.waiting_max {
            let why = "too many requests wait for a slot";
            return step.answer(id, Outcome::Never(why.into()));
        }
        leadership.waiting.push_back((command, id));
        self.fill_window(step);
    }

    /// Proposes what waits, as far as the window goes.
    fn fill_window(&mut self, step: &mut Step<'_>) {
        let end = self.decided.saturating_add(step.config.window);
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        let free = end.saturating_add(1).saturating_sub(leadership.next);
        let count = leadership
            .waiting
            .len()
            .min(free.try_into().unwrap_or(usize::MAX));
        let taken = leadership.waiting.drain(..count);
        let taken = taken.map(|(command, id)| (command, Some(id))).collect();
        self.propose(taken, step);
    }

    /// Phase 2a, in the next slots.
    fn propose(&mut self, commands: Vec<(Command, Option<RequestId>)>, step: &mut Step<'_>) {
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        if commands.is_empty() {
            return;
        }
        let first = leadership.next;
        let mut values = Vec::new();
        for (command, asked_by) in commands {
            let open = Open {
                asked_by,
                ..Open::default()
            };
            leadership.open.insert(leadership.next, open);
            leadership.next += 1;
            values.push(command);
        }
        self.accept(self.promised, first, &values, step);
        // The ballot is this node's for good, and durably so since it was
        // prepared: nothing in a proposal depends on what it asks of its disk
        // now.
        let accept = self.accept_message(first, values);
        step.send_peers(&accept, Gate::Now);
        if step.config.breaks(Wrong::LeaderCountsItselfBeforeSync) {
            self.advance(step);
        }
    }

    pub(super) fn accept_message(&self, first: Slot, commands: Vec<Command>) -> Message {
        Message::Accept {
            ballot: self.promised,
            first,
            commands,
            decided: self.decided,
        }
    }

    /// An acceptor has accepted (2b).
    pub(super) fn on_accepted(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        slots: Range<Slot>,
        step: &mut Step<'_>,
    ) {
        let current = ballot == self.promised || step.config.breaks(Wrong::StaleAcceptedCounted);
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        if !current {
            return;
        }
        if step.config.check_quorum {
            leadership.heard.insert(from);
        }
        for (_, open) in leadership.open.range_mut(slots) {
            open.accepted_by.insert(from);
        }
        self.advance(step);
    }

    /// Applies what is decided, in the order of slots, and answers who asked.
    pub(super) fn advance(&mut self, step: &mut Step<'_>) {
        while self.is_chosen(self.decided + 1, step) {
            let answer = self.apply_next(step.config);
            let Role::Leader(leadership) = &mut self.role else {
                return;
            };
            let open = leadership.open.remove(&self.decided);
            if let Some(id) = open.and_then(|open| open.asked_by) {
                step.answer(id, Outcome::Ok(answer));
            }
        }
        self.compact_if_long(step);
        self.fill_window(step);
    }

    /// Whether a quorum has accepted what this leader proposed in a slot.
    fn is_chosen(&self, slot: Slot, step: &Step<'_>) -> bool {
        let Role::Leader(leadership) = &self.role else {
            return false;
        };
        let Some(open) = leadership.open.get(&slot) else {
            return false;
        };
        let config = step.config;
        let mut accepted_by = open.accepted_by.clone();
        if slot <= leadership.recovered
            && config.breaks(Wrong::LearnFromOneIsEnough)
            && !accepted_by.is_empty()
        {
            return true;
        }
        if self.has_durably(slot, step) || config.breaks(Wrong::LeaderCountsItselfBeforeSync) {
            accepted_by.insert(config.id);
        }
        config.quorums.is_quorum(Phase::Two, &accepted_by)
    }

    /// Whether what this node accepted in a slot is on its disk.
    fn has_durably(&self, slot: Slot, step: &Step<'_>) -> bool {
        let mut outstanding = self.outstanding.iter().map(|each| &each.slots);
        !step.slots.contains(&slot) && !outstanding.any(|slots| slots.contains(&slot))
    }

    /// What a lost message may have kept from the others is said again.
    pub(super) fn on_heartbeat_timeout(&mut self, step: &mut Step<'_>) {
        if !self.leads() {
            return;
        }
        self.send_heartbeats(step);
        for peer in step.config.peers() {
            self.propose_again(peer, step);
        }
        step.outputs.set_timer(Timer::Heartbeat, Span::Heartbeat);
    }

    fn send_heartbeats(&mut self, step: &mut Step<'_>) {
        let heartbeat = Message::Heartbeat {
            ballot: self.promised,
            decided: self.decided,
            lease: self.extend_lease(step),
        };
        step.send_peers(&heartbeat, Gate::Now);
    }

    /// Proposes to an acceptor everything from the first open slot on that it
    /// has not accepted.
    fn propose_again(&self, to: NodeId, step: &mut Step<'_>) {
        let Role::Leader(leadership) = &self.role else {
            return;
        };
        let lacks = |(slot, open): (&Slot, &Open)| {
            let lacks = !open.accepted_by.contains(&to);
            lacks.then_some(*slot)
        };
        if let Some(first) = leadership.open.iter().find_map(lacks) {
            let last = leadership.next - 1;
            let commands = self.log.commands(first, last, step.config.batch_max);
            let accept = self.accept_message(first, commands);
            step.outputs.send_gated(to, accept, Gate::Now);
        }
    }

    /// A follower says that it follows, and what lease it grants.
    pub(super) fn on_following(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        lease: u64,
        step: &mut Step<'_>,
    ) {
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        if ballot != self.promised {
            return;
        }
        if step.config.check_quorum {
            leadership.heard.insert(from);
        }
        if lease > 0 {
            let known = leadership.leases.entry(from).or_default();
            *known = lease.max(*known);
        }
    }

    /// Gives up if no quorum was heard since the last time: a leader that is
    /// cut off must not keep its clients waiting.
    pub(super) fn on_quorum_timeout(&mut self, step: &mut Step<'_>) {
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        let mut heard = std::mem::take(&mut leadership.heard);
        heard.insert(step.config.id);
        if step.config.quorums.is_quorum(Phase::Two, &heard) {
            step.outputs.set_timer(Timer::Quorum, Span::Election);
        } else {
            self.leader = None;
            self.stop_leading(step);
        }
    }

    /// Somebody promised a higher ballot: this node's is over. It need not
    /// promise that one itself, only stand above it the next time.
    pub(super) fn on_refused(&mut self, promised: Ballot, step: &mut Step<'_>) {
        if promised > self.promised {
            self.seen_round = self.seen_round.max(promised.round);
            self.leader = None;
            self.stop_leading(step);
        }
    }

    /// Whether this leader has applied all that its predecessors may have
    /// decided.
    pub(super) fn has_recovered(&self, config: &Config) -> bool {
        let Role::Leader(leadership) = &self.role else {
            return false;
        };
        self.decided >= leadership.recovered || config.breaks(Wrong::LeaseReadBeforeRecovery)
    }
}
