//! What can happen next, with what comes of it.

use std::fmt;
use std::sync::Arc;

use tribunal_protocol::machine::{Machine, NodeId};

use crate::bounds::Limit;
use crate::cluster::Cluster;
use crate::memo::Reaction;
use crate::network::Envelope;
use crate::shared::Shared;
use crate::system::ModelSystem;
use crate::tally::Kind;

/// Something that can happen in a state.
pub struct Action<S: ModelSystem> {
    pub(crate) step: Step<Timer<S>>,
    /// How the node reacts that it happens to, if there is one.
    pub(crate) reaction: Option<Shared<Reaction<S::Machine>>>,
    /// Whether the answers of this step are lost.
    pub(crate) unheard: bool,
    /// What it is, in words, where somebody will read them.
    pub(crate) label: Option<Arc<str>>,
}

/// The names of a system's timers.
pub(crate) type Timer<S> = <<S as ModelSystem>::Machine as Machine>::Timer;

/// What happens, in terms of the state that it happens in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step<T> {
    /// The message in a slot of the network arrives; a copy may stay.
    Deliver { slot: u16, to: NodeId, copy: bool },
    /// A copy of the message in a slot is lost.
    Lose { slot: u16 },
    /// A timer expires.
    Expire {
        node: NodeId,
        timer: T,
        limit: Limit,
    },
    /// The oldest persists of a node complete.
    Persist { node: NodeId, count: u8 },
    /// A node crashes and recovers.
    Crash { node: NodeId, kept: u8 },
    /// A client's request is handed to a node.
    Request {
        operation: u8,
        node: NodeId,
        again: bool,
    },
    /// An operator asks something of a node: the place of the request in the
    /// system's list, and the budget that it spends.
    Administer {
        node: NodeId,
        place: u8,
        limit: Limit,
    },
    /// A node is told of a session.
    Tell {
        node: NodeId,
        peer: NodeId,
        up: bool,
    },
    /// A session breaks.
    Break { a: NodeId, b: NodeId },
    /// A node's clock advances.
    Tick { node: NodeId },
    /// A node stops for good.
    Halt { node: NodeId },
    /// Nothing happens any more, though something should.
    Stuck,
}

/// What happens, told so that it can be found again in another state.
pub(crate) enum Deed<S: ModelSystem> {
    Deliver(Shared<Envelope<S::Machine>>, bool),
    Lose(Shared<Envelope<S::Machine>>),
    Step(Step<Timer<S>>),
}

impl<T> Step<T> {
    /// The node that it happens to.
    pub(crate) fn node(&self) -> Option<NodeId> {
        match self {
            Step::Deliver { to, .. } => Some(*to),
            Step::Expire { node, .. }
            | Step::Persist { node, .. }
            | Step::Crash { node, .. }
            | Step::Request { node, .. }
            | Step::Administer { node, .. }
            | Step::Tell { node, .. }
            | Step::Tick { node }
            | Step::Halt { node } => Some(*node),
            Step::Lose { .. } | Step::Break { .. } | Step::Stuck => None,
        }
    }
}

impl<S: ModelSystem> Action<S> {
    pub(crate) fn new(step: Step<Timer<S>>) -> Self {
        Action {
            step,
            reaction: None,
            unheard: false,
            label: None,
        }
    }

    pub(crate) fn with(step: Step<Timer<S>>, reaction: Shared<Reaction<S::Machine>>) -> Self {
        Action {
            step,
            reaction: Some(reaction),
            unheard: false,
            label: None,
        }
    }

    /// What kind of action it is.
    pub fn kind(&self) -> Kind {
        match self.step {
            _ if self.unheard => Kind::LoseAnswer,
            Step::Deliver { copy: false, .. } => Kind::Deliver,
            Step::Deliver { copy: true, .. } => Kind::Duplicate,
            Step::Lose { .. } => Kind::Lose,
            Step::Expire { .. } => Kind::Expire,
            Step::Persist { .. } => Kind::Persist,
            Step::Crash { .. } => Kind::Crash,
            Step::Request { again: false, .. } => Kind::Invoke,
            Step::Request { again: true, .. } => Kind::Retry,
            Step::Administer { .. } => Kind::Administer,
            Step::Tell { .. } => Kind::Tell,
            Step::Break { .. } => Kind::Break,
            Step::Tick { .. } => Kind::Tick,
            Step::Halt { .. } => Kind::Halt,
            Step::Stuck => Kind::Stuck,
        }
    }

    /// The node that it happens to.
    pub(crate) fn node(&self) -> Option<NodeId> {
        self.step.node()
    }

    pub(crate) fn deed(&self, state: &Cluster<S>) -> (Deed<S>, bool) {
        let deed = match self.step {
            Step::Deliver { slot, copy, .. } => Deed::Deliver(state.network.at(slot).clone(), copy),
            Step::Lose { slot } => Deed::Lose(state.network.at(slot).clone()),
            step => Deed::Step(step),
        };
        (deed, self.unheard)
    }
}

impl<S: ModelSystem> Clone for Action<S> {
    fn clone(&self) -> Self {
        Action {
            step: self.step,
            reaction: self.reaction.clone(),
            unheard: self.unheard,
            label: self.label.clone(),
        }
    }
}

/// In one state, what comes of a step follows from the step.
impl<S: ModelSystem> PartialEq for Action<S> {
    fn eq(&self, other: &Self) -> bool {
        self.step == other.step && self.unheard == other.unheard
    }
}

impl<S: ModelSystem> fmt::Debug for Action<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(label) = &self.label {
            return f.write_str(label);
        }
        self.step.fmt(f)?;
        if self.unheard {
            f.write_str(", answer lost")?;
        }
        Ok(())
    }
}

impl<S: ModelSystem> PartialEq for Deed<S> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Deed::Deliver(a, copy), Deed::Deliver(b, other)) => a == b && copy == other,
            (Deed::Lose(a), Deed::Lose(b)) => a == b,
            (Deed::Step(a), Deed::Step(b)) => a == b,
            _ => false,
        }
    }
}

impl<S: ModelSystem> Clone for Deed<S> {
    fn clone(&self) -> Self {
        match self {
            Deed::Deliver(envelope, copy) => Deed::Deliver(envelope.clone(), *copy),
            Deed::Lose(envelope) => Deed::Lose(envelope.clone()),
            Deed::Step(step) => Deed::Step(*step),
        }
    }
}
