//! Which actions a state has.

use tribunal_protocol::machine::{ClockUse, Machine, NodeId};

use crate::action::{Action, Step, Timer};
use crate::bounds::Limit;
use crate::clients::{Progress, Stage};
use crate::cluster::Cluster;
use crate::memo::{Left, Reaction};
use crate::model::Model;
use crate::network::Envelope;
use crate::react::{ATTEMPTS_MAX, Cause, is_refusal};
use crate::system::{ModelSystem, Planned};

/// The actions of a state, as they are collected.
struct Offers<'a, S: ModelSystem> {
    actions: &'a mut Vec<Action<S>>,
    /// Whether something other than a fault can happen, or could if more
    /// were left of a budget.
    progress: bool,
    /// Whether a full network keeps something from happening.
    full: bool,
}

impl<S: ModelSystem> Model<S> {
    /// Collects the actions of a state.
    pub(crate) fn enabled(&self, state: &Cluster<S>, actions: &mut Vec<Action<S>>) {
        let mut offers = Offers {
            actions,
            progress: false,
            full: false,
        };
        self.offer_deliveries(state, &mut offers);
        self.offer_requests(state, &mut offers);
        self.offer_administration(state, &mut offers);
        for node in state.running() {
            self.offer_persists(state, node, &mut offers);
            self.offer_expiries(state, node, &mut offers);
        }
        self.offer_sessions(state, &mut offers);
        self.offer_ticks(state, &mut offers);
        // Whatever follows is a fault, and no reason to hope.
        let progress = offers.progress;
        self.offer_crashes(state, &mut offers);
        self.offer_halts(state, &mut offers);
        self.offer_losses(state, &mut offers);
        if !progress && !self.system.may_end(state) {
            offers.actions.push(Action::new(Step::Stuck));
        }
    }

    fn offer_deliveries(&self, state: &Cluster<S>, offers: &mut Offers<'_, S>) {
        let bag = state.network.is_bag();
        for (slot, envelope) in state.network.deliverable() {
            let to = envelope.to;
            let reaction = self.react(state, to, Cause::Message(envelope));
            let idle = matches!(*reaction, Reaction::Nothing);
            // Where time waits for a message, it is not like a lost one.
            let may_stay = self.synchrony.is_none();
            if idle && bag && may_stay && self.settings.reductions.no_ops {
                continue;
            }
            let deliver = |copy| Step::Deliver { slot, to, copy };
            self.offer(
                state,
                Action::with(deliver(false), reaction.clone()),
                1,
                offers,
            );
            if bag && !idle && self.may_spend(state, Limit::Duplicates) {
                self.offer(state, Action::with(deliver(true), reaction), 0, offers);
            }
        }
    }

    fn offer_persists(&self, state: &Cluster<S>, node: NodeId, offers: &mut Offers<'_, S>) {
        for count in 1..=state.node(node).outstanding() as u8 {
            let reaction = self.react(state, node, Cause::Persist(count));
            self.offer(
                state,
                Action::with(Step::Persist { node, count }, reaction),
                0,
                offers,
            );
        }
    }

    fn offer_expiries(&self, state: &Cluster<S>, node: NodeId, offers: &mut Offers<'_, S>) {
        if node > NodeId(1) && self.is_untold(state) {
            return;
        }
        for timer in state.node(node).timers().iter().copied() {
            if !self.may_expire(state, node, timer) {
                continue;
            }
            let limit = self.system.timer_limit(timer);
            let spent = state.left(limit) == 0;
            if spent && self.tally.is_hit(limit) && offers.progress {
                continue;
            }
            let reaction = self.react(state, node, Cause::Expire(timer));
            if self.settings.reductions.timers && matches!(*reaction, Reaction::Nothing) {
                continue;
            }
            if spent {
                self.tally.hit(limit);
                offers.progress = true;
                continue;
            }
            let expire = Step::Expire { node, timer, limit };
            self.offer(state, Action::with(expire, reaction), 0, offers);
        }
    }

    /// Whether a timer that is set may expire yet.
    pub(crate) fn may_expire(&self, state: &Cluster<S>, node: NodeId, timer: Timer<S>) -> bool {
        self.synchrony.is_none() || self.system.is_due(state, node, timer)
    }

    /// Whether no node can be told from another, so that n1 stands for all.
    fn is_untold(&self, state: &Cluster<S>) -> bool {
        self.settings.reductions.symmetry
            && state.network.is_empty()
            && state.nodes.iter().all(|node| *node == state.nodes[0])
            && *state.ghost() == S::Ghost::default()
            && self.system.is_symmetric()
    }

    fn offer_requests(&self, state: &Cluster<S>, offers: &mut Offers<'_, S>) {
        self.note_planned(state);
        for index in 0..self.plan.len() {
            let progress = &state.operations()[index];
            match progress.stage {
                Stage::Planned if self.is_due(state, index) => {
                    self.offer_request(state, index, false, offers);
                }
                Stage::Planned => {}
                _ if !self.system.may_retry(&self.plan[index].operation) => {}
                _ if progress.attempts >= ATTEMPTS_MAX => {}
                _ if self.may_spend(state, Limit::Retries) => {
                    self.offer_request(state, index, true, offers);
                }
                _ => {}
            }
        }
    }

    /// Notes that clients would ask for more, if more were planned.
    fn note_planned(&self, state: &Cluster<S>) {
        for (limit, reads) in [(Limit::Operations, false), (Limit::Reads, true)] {
            let mut mine = state.operations().iter().zip(&self.plan);
            let waits = |(progress, planned): (&Progress<_>, &Planned<_>)| {
                planned.read == reads && progress.attempts == 0
            };
            if !self.tally.is_hit(limit) && !mine.any(waits) {
                self.tally.hit(limit);
            }
        }
    }

    /// Whether the client of a planned operation may invoke it now.
    pub(crate) fn is_due(&self, state: &Cluster<S>, index: usize) -> bool {
        let planned = &self.plan[index];
        let is_done = |other: usize| {
            matches!(
                state.operations()[other].stage,
                Stage::Ok(_) | Stage::Failed
            )
        };
        let mut earlier = (0..index).filter(|other| self.plan[*other].client == planned.client);
        let invoked = |other: usize| state.operations()[other].attempts > 0;
        earlier.all(is_done) && planned.follows.is_none_or(invoked)
    }

    fn offer_request(
        &self,
        state: &Cluster<S>,
        index: usize,
        again: bool,
        offers: &mut Offers<'_, S>,
    ) {
        let progress = &state.operations()[index];
        let late = matches!(progress.stage, Stage::Ok(_));
        for node in state.running() {
            let reaction = self.react(state, node, Cause::Request(index, progress.attempts));
            let idle = if late {
                is_unnoticed(&reaction)
            } else {
                is_refusal(&reaction)
            };
            if idle && self.settings.reductions.no_ops {
                continue;
            }
            let request = Step::Request {
                operation: index as u8,
                node,
                again,
            };
            self.offer(state, Action::with(request, reaction), 0, offers);
        }
    }

    fn offer_administration(&self, state: &Cluster<S>, offers: &mut Offers<'_, S>) {
        for (place, each) in self.administration.iter().enumerate() {
            let limit = each.limit;
            if self.settings.bounds.get(limit) == 0 {
                continue;
            }
            for node in state.running() {
                let spent = state.left(limit) == 0;
                if spent && self.tally.is_hit(limit) {
                    break;
                }
                let reaction = self.react(state, node, Cause::Administer(place));
                if matches!(*reaction, Reaction::Nothing) {
                    continue;
                }
                if spent {
                    self.tally.hit(limit);
                    break;
                }
                let progress = offers.progress;
                let place = place as u8;
                let administer = Step::Administer { node, place, limit };
                self.offer(state, Action::with(administer, reaction), 0, offers);
                // An operator need not ask: nothing hangs on it.
                offers.progress = progress;
            }
        }
    }

    fn offer_sessions(&self, state: &Cluster<S>, offers: &mut Offers<'_, S>) {
        if state.network.is_bag() {
            return;
        }
        for (node, peer, up) in state.network.tellable() {
            if !self.may_tell(state, node, peer, up) {
                continue;
            }
            let reaction = self.react(state, node, Cause::Tell(peer, up));
            self.offer(
                state,
                Action::with(Step::Tell { node, peer, up }, reaction),
                0,
                offers,
            );
        }
        let both_run = |(a, b): &(NodeId, NodeId)| !state.is_halted(*a) && !state.is_halted(*b);
        for (a, b) in state.network.breakable().filter(both_run) {
            if self.may_spend(state, Limit::Breaks) {
                offers.actions.push(Action::new(Step::Break { a, b }));
            }
        }
    }

    /// Whether a node may be told of a session: that one with a node that has
    /// stopped is over, but not that there is another one.
    pub(crate) fn may_tell(
        &self,
        state: &Cluster<S>,
        node: NodeId,
        peer: NodeId,
        up: bool,
    ) -> bool {
        let is_told_in_vain = up && state.is_halted(peer);
        !state.is_halted(node) && !is_told_in_vain
    }

    fn offer_ticks(&self, state: &Cluster<S>, offers: &mut Offers<'_, S>) {
        for node in state.running() {
            if !self.may_tick(state, node) {
                continue;
            }
            offers.progress = true;
            if self.may_spend(state, Limit::Ticks) {
                let reaction = self.react(state, node, Cause::Tick);
                offers
                    .actions
                    .push(Action::with(Step::Tick { node }, reaction));
            }
        }
    }

    /// Whether a node's clock may advance: it leaves no other behind that has
    /// not stopped, and nothing is late then.
    pub(crate) fn may_tick(&self, state: &Cluster<S>, node: NodeId) -> bool {
        let ClockUse::BoundedDrift { drift } = S::Machine::CLOCK else {
            return false;
        };
        let drift = self.settings.bounds.drift.unwrap_or(drift);
        let slowest = state.running().map(|node| state.clock(node)).min();
        let ahead = state.clock(node).0 + 1 - slowest.unwrap_or_default().0;
        ahead <= drift && !self.is_awaited(state, node)
    }

    /// Whether something must happen to a node before its clock may advance.
    fn is_awaited(&self, state: &Cluster<S>, node: NodeId) -> bool {
        let Some(synchrony) = self.synchrony else {
            return false;
        };
        let clock = state.clock(node);
        let late = |message: &Envelope<S::Machine>| {
            message.to == node && clock >= synchrony.arrives_by(message.sent)
        };
        let due = |timer: &Timer<S>| self.system.is_due(state, node, *timer);
        clock.0 >= synchrony.from
            && (state.messages().any(late) || state.node(node).timers().iter().any(due))
    }

    fn offer_halts(&self, state: &Cluster<S>, offers: &mut Offers<'_, S>) {
        for node in state.running() {
            if self.may_spend(state, Limit::Halts) {
                offers.actions.push(Action::new(Step::Halt { node }));
            }
        }
    }

    fn offer_crashes(&self, state: &Cluster<S>, offers: &mut Offers<'_, S>) {
        let spent = state.left(Limit::Crashes) == 0;
        if spent && self.tally.is_hit(Limit::Crashes) {
            return;
        }
        let sessions = !state.network.is_bag();
        for node in state.running() {
            for kept in 0..=state.node(node).outstanding() as u8 {
                let reaction = self.react(state, node, Cause::Crash(kept));
                let idle = matches!(*reaction, Reaction::Nothing) && !sessions;
                if idle && self.settings.reductions.no_ops {
                    continue;
                }
                if spent {
                    self.tally.hit(Limit::Crashes);
                } else {
                    let crash = Step::Crash { node, kept };
                    self.offer(state, Action::with(crash, reaction), 0, offers);
                }
            }
        }
    }

    fn offer_losses(&self, state: &Cluster<S>, offers: &mut Offers<'_, S>) {
        let lossless = self.synchrony.is_some();
        if lossless || self.settings.reductions.loss && !offers.full {
            return;
        }
        let losses = state.network.different();
        let losses = losses.map(|(slot, _)| Action::new(Step::Lose { slot }));
        offers.actions.extend(losses);
    }

    /// Adds an action that takes `taken` messages out of the network, if the
    /// network holds what the node then sends; and, where a client could
    /// react to it, the same with the answers lost.
    fn offer(
        &self,
        state: &Cluster<S>,
        action: Action<S>,
        taken: usize,
        offers: &mut Offers<'_, S>,
    ) {
        offers.progress = true;
        let answers = match action.reaction.as_deref() {
            Some(Reaction::Something { left, answers, .. }) => {
                if !self.has_room(state, left, taken) {
                    self.tally.hit(Limit::InFlight);
                    offers.full = true;
                    return;
                }
                let may = *answers && state.left(Limit::Retries) > 0;
                may && left.iter().any(|left| self.is_worth_losing(state, left))
            }
            _ => false,
        };
        if answers {
            let unheard = Action {
                unheard: true,
                ..action.clone()
            };
            offers.actions.push(unheard);
        }
        offers.actions.push(action);
    }

    fn has_room(&self, state: &Cluster<S>, left: &[Left<S::Machine>], taken: usize) -> bool {
        let room = usize::from(self.settings.bounds.get(Limit::InFlight));
        if room == 0 {
            return true;
        }
        let sent = left.iter().filter(|left| match left {
            Left::Send(envelope) => state.network.accepts(envelope.from, envelope.to),
            Left::Passed(_) | Left::Answer { .. } => false,
        });
        let sent = sent.count();
        sent == 0 || state.network.len() - taken + sent <= room
    }

    /// Whether a client that does not get this answer would ask again.
    pub(crate) fn is_worth_losing(&self, state: &Cluster<S>, left: &Left<S::Machine>) -> bool {
        let Left::Answer { operation, .. } = left else {
            return false;
        };
        let open = !matches!(state.operations()[*operation].stage, Stage::Ok(_));
        open && self.system.may_retry(&self.plan[*operation].operation)
    }

    fn may_spend(&self, state: &Cluster<S>, limit: Limit) -> bool {
        let may = state.left(limit) > 0;
        if !may {
            self.tally.hit(limit);
        }
        may
    }
}

/// Whether nobody but a client that no longer listens would notice.
pub(crate) fn is_unnoticed<M: Machine>(reaction: &Reaction<M>) -> bool {
    match reaction {
        Reaction::Nothing => true,
        Reaction::Panic(_) => false,
        Reaction::Something { changed, left, .. } => {
            !changed && left.iter().all(|left| matches!(left, Left::Answer { .. }))
        }
    }
}
