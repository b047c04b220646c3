//! A cluster that takes one action after the other.
//!
//! The actions, what they do and how the state behind them is judged are the
//! model's; only that not all actions of a state are computed to draw one of
//! them. Budgets are full before every action: a simulation bounds itself by
//! what it draws.

use std::collections::BTreeMap;
use std::mem::discriminant;

use tribunal_protocol::Span;
use tribunal_protocol::machine::{Machine, NodeId};

use crate::action::{Action, Deed, Step, Timer};
use crate::bounds::{Bounds, Granularity, Limit, Reductions};
use crate::clients::Stage;
use crate::cluster::{ALL, Cluster};
use crate::enabled::is_unnoticed;
use crate::memo::{Left, Reaction};
use crate::model::{Model, Settings};
use crate::network::{Envelope, Network};
use crate::node::{Node, TimerRequest};
use crate::path::Walk;
use crate::prefix::unlimited;
use crate::react::{ATTEMPTS_MAX, Cause, is_refusal};
use crate::shared::Shared;
use crate::system::{Broken, ModelSystem};

/// A cluster, and the model that it obeys.
pub(super) struct World<S: ModelSystem> {
    pub(super) model: Model<S>,
    pub(super) state: Cluster<S>,
    /// What is broken in the state.
    pub(super) broken: Option<Broken>,
    /// How long each timer ran when it was last set.
    pub(super) spans: BTreeMap<(NodeId, Timer<S>), Span>,
}

/// An action that is possible, and what it does to timers: those that are set
/// have a span, those that are cancelled none.
pub(super) struct Possible<S: ModelSystem> {
    pub(super) action: Action<S>,
    pub(super) timers: Vec<TimerRequest<S::Machine>>,
}

/// Where a cluster stood.
pub(super) struct Mark<S: ModelSystem> {
    state: Cluster<S>,
    broken: Option<Broken>,
    spans: BTreeMap<(NodeId, Timer<S>), Span>,
}

/// A message on its way.
pub(super) type Message<S> = Shared<Envelope<<S as ModelSystem>::Machine>>;

/// A deed, and whether its answers are lost.
pub(super) type Choice<S> = (Deed<S>, bool);

/// Every message takes its own way, so that one that is dead is delivered
/// too: that it has no effect is judged. The rest of the reductions say which
/// actions a search leaves out; nothing is searched here.
const REDUCTIONS: Reductions = Reductions {
    at_once: true,
    ..Reductions::NONE
};

/// The bounds that a world of the drawn ones obeys.
fn generous(drawn: Bounds) -> Bounds {
    let left_out = WHOLLY.into_iter().filter(|limit| drawn.get(*limit) == 0);
    left_out.fold(unlimited(drawn), |bounds, limit| bounds.with(limit, 0))
}

/// What a seed has either without a limit or not at all.
pub(super) const WHOLLY: [Limit; 4] = [
    Limit::Retries,
    Limit::Compactions,
    Limit::Changes,
    Limit::Transfers,
];

impl<S: ModelSystem> World<S> {
    /// A cluster at its first start.
    pub(super) fn new(drawn: &Bounds, bug: Option<&'static str>) -> Self {
        let settings = Settings {
            bounds: generous(*drawn),
            granularity: Granularity::Staged,
            reductions: REDUCTIONS,
        };
        let model = Model::new(S::new(drawn, bug), settings);
        let state = model.start.clone();
        let mut world = World {
            broken: model.judge(&state),
            spans: BTreeMap::new(),
            model,
            state,
        };
        for node in world.state.nodes() {
            let set = Node::start(world.model.host(node)).timers;
            world.note_timers(node, &set);
        }
        world
    }

    /// Whether messages travel in a bag, and not on sessions.
    pub(super) fn is_bag(&self) -> bool {
        matches!(self.state.network, Network::Bag(_))
    }

    /// Whether links lose nothing, since time waits for what is under way.
    pub(super) fn is_lossless(&self) -> bool {
        self.model.synchrony.is_some()
    }

    /// Every message under way, once for all its copies.
    pub(super) fn under_way(&self) -> Vec<Message<S>> {
        match &self.state.network {
            Network::Bag(_) => {
                let all = self.state.network.deliverable();
                all.map(|(_, envelope)| envelope.clone()).collect()
            }
            Network::Lanes { lanes, .. } => {
                lanes.iter().flat_map(|lane| lane.queue.clone()).collect()
            }
        }
    }

    /// Whether the node holds itself for a leader.
    pub(super) fn leads(&self, node: NodeId) -> bool {
        let machine = self.state.node(node).machine();
        machine.view(self.model.host(node).config).leads
    }

    /// The action that a choice is in this state, if it is possible.
    pub(super) fn possible(&self, choice: &Choice<S>) -> Option<Possible<S>> {
        let (deed, unheard) = choice;
        let mut possible = match deed {
            Deed::Deliver(envelope, copy) => self.delivery(envelope, *copy)?,
            Deed::Lose(envelope) => {
                let slot = self.slot(envelope).filter(|_| self.is_bag())?;
                Possible::quiet(Step::Lose { slot })
            }
            Deed::Step(step) => self.step(*step)?,
        };
        possible.action.unheard = *unheard && self.may_go_unheard(&possible.action);
        Some(possible)
    }

    /// Whether the action has answers that a client would miss.
    pub(super) fn may_go_unheard(&self, action: &Action<S>) -> bool {
        let Some(Reaction::Something { left, .. }) = action.reaction.as_deref() else {
            return false;
        };
        let worth = |left: &Left<S::Machine>| self.model.is_worth_losing(&self.state, left);
        self.asks_again() && left.iter().any(worth)
    }

    /// Whether clients ask again.
    pub(super) fn asks_again(&self) -> bool {
        self.model.settings.bounds.get(Limit::Retries) > 0
    }

    /// Whether the operation may be asked for; what is asked for again may
    /// have been answered already.
    pub(super) fn may_ask(&self, index: usize, again: bool) -> bool {
        let progress = &self.state.operations()[index];
        match progress.stage {
            Stage::Planned => !again && self.model.is_due(&self.state, index),
            _ => {
                let wanted = self
                    .model
                    .system
                    .may_retry(&self.model.plan[index].operation);
                again && wanted && progress.attempts < ATTEMPTS_MAX && self.asks_again()
            }
        }
    }

    fn slot(&self, envelope: &Message<S>) -> Option<u16> {
        let mut deliverable = self.state.network.deliverable();
        let found = deliverable.find(|(_, other)| *other == envelope);
        found.map(|(slot, _)| slot)
    }

    fn delivery(&self, envelope: &Message<S>, copy: bool) -> Option<Possible<S>> {
        let slot = self.slot(envelope)?;
        let to = envelope.to;
        let step = Step::Deliver { slot, to, copy };
        let possible = self.react(step, to, Cause::Message(envelope));
        // A copy is told from its message by what the message does.
        (!copy || self.is_bag() && !possible.is_idle()).then_some(possible)
    }

    fn step(&self, step: Step<Timer<S>>) -> Option<Possible<S>> {
        let state = &self.state;
        let react = |node, cause| Some(self.react(step, node, cause));
        if step.node().is_some_and(|node| state.is_halted(node)) {
            return None;
        }
        match step {
            Step::Expire { node, timer, .. }
                if state.node(node).timers().contains(&timer)
                    && self.model.may_expire(state, node, timer) =>
            {
                react(node, Cause::Expire(timer))
            }
            Step::Persist { node, count }
                if (1..=state.node(node).outstanding()).contains(&usize::from(count)) =>
            {
                react(node, Cause::Persist(count))
            }
            Step::Crash { node, kept } if usize::from(kept) <= state.node(node).outstanding() => {
                react(node, Cause::Crash(kept))
            }
            Step::Request {
                operation,
                node,
                again,
            } if self.may_ask(operation.into(), again) => {
                self.request(step, operation.into(), node)
            }
            Step::Tell { node, peer, up }
                if !self.is_bag()
                    && state.network.tellable().any(|end| end == (node, peer, up))
                    && self.model.may_tell(state, node, peer, up) =>
            {
                react(node, Cause::Tell(peer, up))
            }
            Step::Break { a, b }
                if !self.is_bag()
                    && state.network.breakable().any(|pair| pair == (a, b))
                    && !state.is_halted(a)
                    && !state.is_halted(b) =>
            {
                Some(Possible::quiet(step))
            }
            Step::Administer { node, place, limit }
                if self.model.settings.bounds.get(limit) > 0 =>
            {
                let asked = react(node, Cause::Administer(place.into()));
                asked.filter(|possible| !possible.is_idle())
            }
            Step::Tick { node } if self.model.may_tick(state, node) => react(node, Cause::Tick),
            Step::Halt { .. } => Some(Possible::quiet(step)),
            _ => None,
        }
    }

    /// A request that is refused at once has not been made: its client asks
    /// elsewhere.
    fn request(&self, step: Step<Timer<S>>, index: usize, node: NodeId) -> Option<Possible<S>> {
        let progress = &self.state.operations()[index];
        let possible = self.react(step, node, Cause::Request(index, progress.attempts));
        let reaction = possible.action.reaction.as_deref()?;
        let idle = match progress.stage {
            Stage::Ok(_) => is_unnoticed(reaction),
            _ => is_refusal(reaction),
        };
        (!idle).then_some(possible)
    }

    fn react(&self, step: Step<Timer<S>>, node: NodeId, cause: Cause<'_, S>) -> Possible<S> {
        let at = self.state.node(node);
        let (reaction, timers) = self.model.react_afresh(node, at, cause);
        Possible {
            action: Action::with(step, reaction.into()),
            timers,
        }
    }

    /// Takes an action; gives the state that it was taken in.
    pub(super) fn take(&mut self, possible: &Possible<S>) -> Cluster<S> {
        self.state.refill(&self.model.settings.bounds);
        let next = self.model.perform(&self.state, &possible.action);
        if let Some(node) = possible.action.node() {
            if matches!(possible.action.step, Step::Crash { .. }) {
                self.spans.retain(|(other, _), _| *other != node);
            }
            self.note_timers(node, &possible.timers);
        }
        let before = std::mem::replace(&mut self.state, next);
        self.broken = self.model.judge(&self.state);
        before
    }

    fn note_timers(&mut self, node: NodeId, timers: &[TimerRequest<S::Machine>]) {
        for (timer, span) in timers {
            match span {
                Some(span) => self.spans.insert((node, *timer), *span),
                None => self.spans.remove(&(node, *timer)),
            };
        }
    }

    /// Takes a choice, if it is possible, or another that comes near to it;
    /// gives the one that was taken.
    pub(super) fn take_near(&mut self, choice: &Choice<S>) -> Option<Choice<S>> {
        let exact = self.possible(choice).map(|it| (choice.0.clone(), it));
        let (deed, possible) = exact.or_else(|| self.nearest(choice))?;
        self.take(&possible);
        Some((deed, possible.action.unheard))
    }

    /// Where the cluster stands, to return to.
    pub(super) fn mark(&self) -> Mark<S> {
        Mark {
            state: self.state.clone(),
            broken: self.broken.clone(),
            spans: self.spans.clone(),
        }
    }

    /// Returns to where the cluster stood.
    pub(super) fn rewind(&mut self, mark: &Mark<S>) {
        self.state = mark.state.clone();
        self.broken = mark.broken.clone();
        self.spans = mark.spans.clone();
    }

    /// What comes near to a choice that is not possible. Where something was
    /// left out before, messages say something else, less is outstanding, and
    /// what was asked again is asked for the first time.
    fn nearest(&self, choice: &Choice<S>) -> Option<(Deed<S>, Possible<S>)> {
        let outstanding = |node| self.state.node(node).outstanding() as u8;
        let deed = match &choice.0 {
            Deed::Deliver(envelope, copy) => Deed::Deliver(self.alike(envelope)?, *copy),
            Deed::Lose(_) => return None,
            Deed::Step(Step::Persist { node, .. }) => Deed::Step(Step::Persist {
                node: *node,
                count: outstanding(*node),
            }),
            Deed::Step(Step::Crash { node, .. }) => Deed::Step(Step::Crash {
                node: *node,
                kept: outstanding(*node),
            }),
            Deed::Step(Step::Request {
                operation,
                node,
                again,
            }) => Deed::Step(Step::Request {
                operation: *operation,
                node: *node,
                again: !again,
            }),
            Deed::Step(_) => return None,
        };
        let choice = (deed, choice.1);
        let possible = self.possible(&choice)?;
        Some((choice.0, possible))
    }

    /// A message of the same kind on the same way.
    fn alike(&self, envelope: &Message<S>) -> Option<Message<S>> {
        let kind = discriminant(&envelope.message);
        let alike = self.state.network.deliverable().filter(|(_, other)| {
            let same_way = (other.from, other.to) == (envelope.from, envelope.to);
            same_way && discriminant(&other.message) == kind
        });
        // Messages are ordered by what they say: the last one is of the
        // highest term, and says the most.
        let found = alike.last();
        found.map(|(_, other)| other.clone())
    }

    /// Takes all of the choices, with every state on the way; nothing if one
    /// of them is not possible. The last state is judged as a whole.
    pub(super) fn walk(&mut self, choices: &[Choice<S>]) -> Option<Walk<S>> {
        let mut steps = Vec::new();
        for choice in choices {
            let possible = self.possible(choice).filter(|_| self.broken.is_none())?;
            let before = self.take(&possible);
            steps.push((before, possible.action));
        }
        let mut end = self.state.clone();
        end.touched = ALL;
        Some(Walk {
            steps,
            broken: self.model.judge(&end),
            end,
        })
    }

    /// How many operations are answered, open and failed.
    pub(super) fn operations(&self) -> [u64; 3] {
        let mut counts = [0; 3];
        for progress in self.state.operations() {
            match progress.stage {
                Stage::Planned => {}
                Stage::Ok(_) => counts[0] += 1,
                Stage::Open { .. } => counts[1] += 1,
                Stage::Failed => counts[2] += 1,
            }
        }
        counts
    }
}

impl<S: ModelSystem> Possible<S> {
    /// Something that no node notices.
    fn quiet(step: Step<Timer<S>>) -> Self {
        Possible {
            action: Action::new(step),
            timers: Vec::new(),
        }
    }

    /// Whether it leaves its node as it was, and makes it say nothing.
    pub(super) fn is_idle(&self) -> bool {
        matches!(
            self.action.reaction.as_deref(),
            Some(Reaction::Nothing) | None
        )
    }

    /// The messages that leave by it.
    pub(super) fn sent(&self) -> impl Iterator<Item = &Message<S>> {
        let left = match self.action.reaction.as_deref() {
            Some(Reaction::Something { left, .. }) => &**left,
            _ => &[],
        };
        left.iter().filter_map(|left| match left {
            Left::Send(envelope) => Some(envelope),
            Left::Passed(_) | Left::Answer { .. } => None,
        })
    }
}
