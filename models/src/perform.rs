//! What an action makes of a state.

use tribunal_protocol::machine::{NodeId, Outcome};

use crate::action::{Action, Step};
use crate::bounds::Limit;
use crate::cluster::Cluster;
use crate::judge::{DEAD_MESSAGES, NO_PANIC, NO_STUCK_STATE};
use crate::memo::{Left, Reaction};
use crate::model::Model;
use crate::network::{Envelope, Network};
use crate::node::Node;
use crate::panics::caught;
use crate::shared::Shared;
use crate::system::{Broken, Draft, ModelSystem, Response, Seen};

impl<S: ModelSystem> Model<S> {
    /// The state after an action.
    pub(crate) fn perform(&self, state: &Cluster<S>, action: &Action<S>) -> Cluster<S> {
        caught(|| self.performed(state, action)).unwrap_or_else(|said| {
            let mut next = state.clone();
            self.break_property(&mut next, Broken::new(NO_PANIC, said));
            next
        })
    }

    fn performed(&self, state: &Cluster<S>, action: &Action<S>) -> Cluster<S> {
        let mut next = state.clone();
        next.touched = 0;
        let mut network = Draft::new(&*state.network);
        self.check_burial(state, &mut next, action);
        self.take_step(&mut next, &mut network, action);
        match action.reaction.as_deref() {
            None | Some(Reaction::Nothing) => {}
            Some(Reaction::Panic(said)) => {
                self.break_property(&mut next, Broken::new(NO_PANIC, said.clone()));
            }
            Some(Reaction::Something { node, left, .. }) => {
                if let Some(id) = node_of(action) {
                    let crashed = matches!(action.step, Step::Crash { .. });
                    self.put(state, &mut next, id, node, crashed);
                    self.bury(&next, &mut network, id);
                }
                self.depart(&mut next, &mut network, left, action.unheard);
            }
        }
        if let Some(network) = network.written() {
            next.network = self.store.put(network);
        }
        next
    }

    /// A message that the system holds for dead, and that has an effect.
    fn check_burial(&self, state: &Cluster<S>, next: &mut Cluster<S>, action: &Action<S>) {
        let (Step::Deliver { slot, to, .. }, false) = (action.step, self.settings.reductions.dead)
        else {
            return;
        };
        let message = state.network.at(slot).message;
        let effect = !matches!(action.reaction.as_deref(), Some(Reaction::Nothing));
        if effect && self.system.is_dead(&message, state.durable(to)) {
            let why = format!("{} has an effect", self.system.describe_message(&message));
            self.break_property(next, Broken::new(DEAD_MESSAGES, why));
        }
    }

    /// What the step does beside the node that it happens to.
    fn take_step(
        &self,
        next: &mut Cluster<S>,
        network: &mut Draft<'_, Network<S::Machine>>,
        action: &Action<S>,
    ) {
        match action.step {
            Step::Deliver {
                slot, copy: false, ..
            }
            | Step::Lose { slot } => network.take(slot),
            Step::Deliver { copy: true, .. } => next.budget.spend(Limit::Duplicates),
            Step::Expire { limit, .. } => next.budget.spend(limit),
            Step::Persist { .. } => {}
            Step::Crash { node, .. } => {
                next.budget.spend(Limit::Crashes);
                next.had_faults = true;
                if matches!(**network, Network::Lanes { .. }) {
                    network.crash(node);
                }
            }
            Step::Request {
                operation, again, ..
            } => {
                let index = usize::from(operation);
                if again {
                    next.budget.spend(Limit::Retries);
                }
                let mut history = (*next.history).clone();
                history.request(index);
                next.history = self.store.put(history);
            }
            Step::Administer { limit, .. } => next.budget.spend(limit),
            Step::Tell { node, peer, up } => network.tell(node, peer, up),
            Step::Break { a, b } => {
                next.budget.spend(Limit::Breaks);
                next.had_faults = true;
                network.cut(a, b);
            }
            Step::Tick { .. } => next.budget.spend(Limit::Ticks),
            Step::Stuck => {
                let why = "nothing can happen any more, and no budget is to blame";
                self.break_property(next, Broken::new(NO_STUCK_STATE, why));
            }
        }
    }

    /// Puts the node in its new state where the old one was.
    fn put(
        &self,
        state: &Cluster<S>,
        next: &mut Cluster<S>,
        id: NodeId,
        node: &Shared<Node<S::Machine>>,
        crashed: bool,
    ) {
        *next.node_mut(id) = node.clone();
        if crashed {
            let durable = node.durable();
            self.see(next, Seen::Crashed { node: id, durable });
        }
        let before = if crashed {
            None
        } else {
            state.node(id).shown()
        };
        self.show(next, id, before);
    }

    /// Shows the node to the system, if nothing it concluded is held back.
    pub(crate) fn show(&self, next: &mut Cluster<S>, id: NodeId, before: Option<&S::Machine>) {
        let shown = next.node(id).clone();
        if let Some(after) = shown.shown() {
            self.see(
                next,
                Seen::Shown {
                    node: id,
                    before,
                    after,
                },
            );
        }
    }

    /// Takes out messages to a node that will never have an effect there.
    fn bury(&self, next: &Cluster<S>, network: &mut Draft<'_, Network<S::Machine>>, id: NodeId) {
        let durable = next.durable(id);
        let dead = |envelope: &Envelope<S::Machine>| {
            envelope.to == id && self.system.is_dead(&envelope.message, durable)
        };
        if let Network::Bag(bag) = &**network
            && self.settings.reductions.dead
            && bag.iter().any(|(envelope, _)| dead(envelope))
        {
            network.remove_if(dead);
        }
    }

    /// What left a node goes its way.
    pub(crate) fn depart(
        &self,
        next: &mut Cluster<S>,
        network: &mut Draft<'_, Network<S::Machine>>,
        left: &[Left<S::Machine>],
        unheard: bool,
    ) {
        for left in left {
            match left {
                Left::Send(envelope) => {
                    let (from, to) = (envelope.from, envelope.to);
                    let message = &*envelope.message;
                    self.see(next, Seen::Sent { from, to, message });
                    let dead = || self.system.is_dead(message, next.durable(to));
                    if !self.settings.reductions.dead || !dead() {
                        network.send(envelope.clone());
                    }
                }
                Left::Answer { operation, outcome } => {
                    self.answer(next, *operation, outcome, unheard);
                }
            }
        }
    }

    fn answer(
        &self,
        next: &mut Cluster<S>,
        operation: usize,
        outcome: &Outcome<Response<S>>,
        unheard: bool,
    ) {
        self.see(next, Seen::Answered { operation, outcome });
        let planned = &self.plan[operation].operation;
        let outcome = self.system.outcome(planned, outcome.clone());
        let mut history = (*next.history).clone();
        let told = if unheard {
            history.lose_answer(operation);
            false
        } else {
            history.answer(operation, outcome)
        };
        next.history = self.store.put(history);
        if told && let Some(broken) = self.judge_history(&next.history) {
            self.break_property(next, broken);
        }
    }

    fn see(&self, next: &mut Cluster<S>, seen: Seen<'_, S::Machine>) {
        let mut draft = Draft::new(&*next.ghost);
        let judgement = self.system.observe(&mut draft, seen);
        if let Some(written) = draft.written()
            && written != *next.ghost
        {
            next.ghost = self.store.put(written);
            next.touched = crate::cluster::ALL;
        }
        if let Err(broken) = judgement {
            self.break_property(next, broken);
        }
    }

    /// The first property that breaks is the one that is told.
    pub(crate) fn break_property(&self, next: &mut Cluster<S>, broken: Broken) {
        if next.broken.is_none() && self.may_break(broken.property) {
            next.broken = Some(self.store.put(broken));
        }
    }
}

/// The node that an action happens to.
fn node_of<S: ModelSystem>(action: &Action<S>) -> Option<NodeId> {
    match action.step {
        Step::Deliver { to, .. } => Some(to),
        Step::Expire { node, .. }
        | Step::Persist { node, .. }
        | Step::Crash { node, .. }
        | Step::Request { node, .. }
        | Step::Administer { node, .. }
        | Step::Tell { node, .. }
        | Step::Tick { node } => Some(node),
        Step::Lose { .. } | Step::Break { .. } | Step::Stuck => None,
    }
}
