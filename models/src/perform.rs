//! What an action makes of a state.

use tribunal_protocol::machine::NodeId;

use crate::action::{Action, Step};
use crate::bounds::Limit;
use crate::cluster::Cluster;
use crate::judge::{DEAD_MESSAGES, NO_PANIC, NO_STUCK_STATE};
use crate::memo::{Left, Reaction};
use crate::model::Model;
use crate::network::Network;
use crate::node::Node;
use crate::panics::caught;
use crate::shared::Shared;
use crate::system::{Broken, Draft, ModelSystem, Seen};

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
        self.check_burial(state, &mut next, action);
        self.take_step(&mut next, action);
        let Some(reaction) = action.reaction.as_deref() else {
            return next;
        };
        match reaction {
            Reaction::Nothing => {}
            Reaction::Panic(said) => {
                self.break_property(&mut next, Broken::new(NO_PANIC, said.clone()));
            }
            Reaction::Something { node, left, .. } => {
                if let Some(id) = node_of(action) {
                    self.put(state, &mut next, id, node, matches!(action.step, Step::Crash { .. }));
                }
                self.depart(&mut next, left, action.unheard);
            }
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
    fn take_step(&self, next: &mut Cluster<S>, action: &Action<S>) {
        match action.step {
            Step::Deliver { slot, copy: false, .. } | Step::Lose { slot } => {
                edit(&mut next.network, |network| network.take(slot));
            }
            Step::Deliver { copy: true, .. } => next.budget.spend(Limit::Duplicates),
            Step::Expire { limit, .. } => next.budget.spend(limit),
            Step::Persist { .. } => {}
            Step::Crash { node, .. } => {
                next.budget.spend(Limit::Crashes);
                next.had_faults = true;
                if matches!(*next.network, Network::Lanes { .. }) {
                    edit(&mut next.network, |network| network.crash(node));
                }
            }
            Step::Request { operation, again, .. } => {
                let index = usize::from(operation);
                if again {
                    next.budget.spend(Limit::Retries);
                }
                edit(&mut next.history, |history| history.request(index));
            }
            Step::Tell { node, peer, up } => {
                edit(&mut next.network, |network| network.tell(node, peer, up));
            }
            Step::Break { a, b } => {
                next.budget.spend(Limit::Breaks);
                next.had_faults = true;
                edit(&mut next.network, |network| network.cut(a, b));
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
        let before = if crashed { None } else { state.node(id).shown() };
        self.show(next, id, before);
        if self.settings.reductions.dead {
            self.bury(next, id);
        }
    }

    /// Shows the node to the system, if nothing it concluded is held back.
    pub(crate) fn show(&self, next: &mut Cluster<S>, id: NodeId, before: Option<&S::Machine>) {
        let shown = next.node(id).clone();
        if let Some(after) = shown.shown() {
            self.see(next, Seen::Shown { node: id, before, after });
        }
    }

    /// Takes out messages to a node that will never have an effect there.
    fn bury(&self, next: &mut Cluster<S>, id: NodeId) {
        let durable = next.node(id).durable();
        let dead = |envelope: &crate::network::Envelope<S::Machine>| {
            envelope.to == id && self.system.is_dead(&envelope.message, durable)
        };
        let Network::Bag(bag) = &*next.network else {
            return;
        };
        if bag.iter().any(|(envelope, _)| dead(envelope)) {
            let mut network = (*next.network).clone();
            network.remove_if(dead);
            next.network = Shared::new(network);
        }
    }

    /// What left a node goes its way.
    pub(crate) fn depart(&self, next: &mut Cluster<S>, left: &[Left<S::Machine>], unheard: bool) {
        let mut network: Option<Network<S::Machine>> = None;
        for left in left {
            match left {
                Left::Send(envelope) => {
                    let (from, to) = (envelope.from, envelope.to);
                    let message = &*envelope.message;
                    self.see(next, Seen::Sent { from, to, message });
                    let durable = next.node(to).durable();
                    if self.settings.reductions.dead && self.system.is_dead(message, durable) {
                        continue;
                    }
                    let network = network.get_or_insert_with(|| (*next.network).clone());
                    network.send(envelope.clone());
                }
                Left::Answer { .. } => self.answer(next, left, unheard),
            }
        }
        if let Some(network) = network {
            next.network = Shared::new(network);
        }
    }

    fn answer(&self, next: &mut Cluster<S>, left: &Left<S::Machine>, unheard: bool) {
        let Left::Answer { operation, outcome } = left else {
            return;
        };
        let operation = *operation;
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
        next.history = Shared::new(history);
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
            next.ghost = Shared::new(written);
            next.touched = crate::cluster::ALL;
        }
        if let Err(broken) = judgement {
            self.break_property(next, broken);
        }
    }

    /// The first property that breaks is the one that is told.
    pub(crate) fn break_property(&self, next: &mut Cluster<S>, broken: Broken) {
        if next.broken.is_none() && self.may_break(broken.property) {
            next.broken = Some(Shared::new(broken));
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
        | Step::Tell { node, .. }
        | Step::Tick { node } => Some(node),
        Step::Lose { .. } | Step::Break { .. } | Step::Stuck => None,
    }
}

/// Changes a shared value in a copy of its own.
fn edit<T: Clone + std::hash::Hash>(shared: &mut Shared<T>, change: impl FnOnce(&mut T)) {
    let mut value = (**shared).clone();
    change(&mut value);
    *shared = Shared::new(value);
}
