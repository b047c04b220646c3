//! What an action makes of a state.

use tribunal_protocol::machine::NodeId;

use crate::action::{Action, Step};
use crate::bounds::Limit;
use crate::cluster::{ALL, Cluster};
use crate::judge::{DEAD_MESSAGES, NO_PANIC, NO_STUCK_STATE};
use crate::memo::{Left, Reaction};
use crate::model::Model;
use crate::panics::caught;
use crate::system::{Broken, ModelSystem};

impl<S: ModelSystem> Model<S> {
    /// The state after an action.
    pub(crate) fn perform(&self, state: &Cluster<S>, action: &Action<S>) -> Cluster<S> {
        let mut next = state.clone();
        next.touched = 0;
        // In place: a state is copied often enough by those who queue it.
        if let Err(said) = caught(|| self.take(state, &mut next, action)) {
            next = state.clone();
            self.break_property(&mut next, Broken::new(NO_PANIC, said));
        }
        next
    }

    fn take(&self, state: &Cluster<S>, next: &mut Cluster<S>, action: &Action<S>) {
        self.check_burial(state, next, action);
        self.take_step(next, action);
        let reaction = action.reaction.as_ref();
        match reaction.map(|reaction| &**reaction) {
            None | Some(Reaction::Nothing) => {}
            Some(Reaction::Panic(said)) => {
                self.break_property(next, Broken::new(NO_PANIC, said.clone()));
            }
            Some(Reaction::Something {
                node, left, wrote, ..
            }) => {
                if let Some(id) = action.node() {
                    *next.node_mut(id) = node.clone();
                    if *wrote {
                        self.bury(next, id);
                    }
                }
                self.depart(next, left);
            }
        }
        self.note(state, next, action, reaction);
    }

    /// A message that the system holds for dead, and that has an effect.
    fn check_burial(&self, state: &Cluster<S>, next: &mut Cluster<S>, action: &Action<S>) {
        let (Step::Deliver { slot, to, .. }, false) = (action.step, self.settings.reductions.dead)
        else {
            return;
        };
        let message = &state.network.at(slot).message;
        let effect = !matches!(action.reaction.as_deref(), Some(Reaction::Nothing));
        if effect && self.system.is_dead(message, state.durable(to)) {
            let why = format!("{} has an effect", self.system.describe_message(message));
            self.break_property(next, Broken::new(DEAD_MESSAGES, why));
        }
    }

    /// What the step does beside the node that it happens to.
    fn take_step(&self, next: &mut Cluster<S>, action: &Action<S>) {
        match action.step {
            Step::Deliver {
                slot, copy: false, ..
            }
            | Step::Lose { slot } => next.network.take(slot),
            Step::Deliver { copy: true, .. } => next.budget.spend(Limit::Duplicates),
            Step::Expire { limit, .. } => next.budget.spend(limit),
            Step::Persist { .. } | Step::Request { again: false, .. } => {}
            Step::Crash { node, .. } => {
                next.budget.spend(Limit::Crashes);
                next.had_faults = true;
                next.network.crash(node);
            }
            Step::Request { again: true, .. } => next.budget.spend(Limit::Retries),
            Step::Administer { limit, .. } => next.budget.spend(limit),
            Step::Tell { node, peer, up } => next.network.tell(node, peer, up),
            Step::Break { a, b } => {
                next.budget.spend(Limit::Breaks);
                next.had_faults = true;
                next.network.cut(a, b);
            }
            Step::Tick { .. } => next.budget.spend(Limit::Ticks),
            Step::Halt { node } => {
                next.budget.spend(Limit::Halts);
                next.had_faults = true;
                next.halted |= 1 << node.0;
                next.network.halt(node);
                next.touched = ALL;
            }
            Step::Stuck => {
                let why = "nothing can happen any more, and no budget is to blame";
                self.break_property(next, Broken::new(NO_STUCK_STATE, why));
            }
        }
    }

    /// Takes out messages to a node that will never have an effect there.
    fn bury(&self, next: &mut Cluster<S>, id: NodeId) {
        if !self.settings.reductions.dead {
            return;
        }
        let Cluster { nodes, network, .. } = next;
        let durable = nodes[usize::from(id.0) - 1].durable();
        network.remove_if(|envelope| {
            envelope.to == id && self.system.is_dead(&envelope.message, durable)
        });
    }

    /// What left a node goes its way.
    pub(crate) fn depart(&self, next: &mut Cluster<S>, left: &[Left<S::Machine>]) {
        for left in left {
            let Left::Send(envelope) = left else { continue };
            if next.is_halted(envelope.to) {
                continue;
            }
            let dead = || {
                let durable = next.durable(envelope.to);
                self.system.is_dead(&envelope.message, durable)
            };
            if !self.settings.reductions.dead || !dead() {
                next.network.send(envelope.clone());
            }
        }
    }

    /// The first property that breaks is the one that is told.
    pub(crate) fn break_property(&self, next: &mut Cluster<S>, broken: Broken) {
        if next.broken.is_none() && self.may_break(broken.property) {
            next.broken = Some(broken.into());
        }
    }
}
