//! What an action makes of those that take note of it: the ghost, and the
//! clients' history.

use tribunal_protocol::machine::NodeId;

use crate::action::{Action, Step};
use crate::cluster::{ALL, Cluster};
use crate::memo::{First, Left, Noted, Reaction};
use crate::model::Model;
use crate::node::Node;
use crate::object::{HistoryOf, Object};
use crate::shared::Shared;
use crate::system::{Broken, Draft, ModelSystem, Seen};

impl<S: ModelSystem> Model<S> {
    /// Lets the ghost and the history take note of an action, by which a node
    /// may have reacted.
    pub(crate) fn note(
        &self,
        state: &Cluster<S>,
        next: &mut Cluster<S>,
        action: &Action<S>,
        reaction: Option<&Shared<Reaction<S::Machine>>>,
    ) {
        let something = reaction.zip(action.node());
        let observed = something.and_then(|(reaction, id)| {
            let noted = self.observed(state, action, id, reaction)?;
            if noted.now != next.ghost {
                next.ghost = noted.now;
                next.touched = ALL;
            }
            noted.broken
        });
        let heard = self.heard(state, action, reaction).and_then(|noted| {
            next.history = noted.now;
            noted.broken
        });
        // What happened first is told; of one event, what the ghost says.
        let first = match (observed, heard) {
            (Some(ghost), Some(history)) if history.0 < ghost.0 => Some(history),
            (ghost, history) => ghost.or(history),
        };
        if let (Some(first), None) = (first, &next.broken) {
            next.broken = Some(first.1);
        }
    }

    /// What the ghost makes of a node's reaction.
    fn observed(
        &self,
        state: &Cluster<S>,
        action: &Action<S>,
        id: NodeId,
        reaction: &Shared<Reaction<S::Machine>>,
    ) -> Option<Noted<Shared<S::Ghost>>> {
        let Reaction::Something {
            node, left, wrote, ..
        } = &**reaction
        else {
            return None;
        };
        let compute = || {
            let before = match action.step {
                Step::Crash { .. } => None,
                _ => Some(state.node(id)),
            };
            let seen = persisted(id, left, wrote.then_some(&**node))
                .chain(shown(id, before.map(|before| &**before), node))
                .chain(departed(left));
            self.watched(&state.ghost, seen)
        };
        let noted = match &self.memory {
            Some(memory) => {
                let key = (state.ghost.number(), reaction.number(), self.only.is_some());
                memory.observed.get(key, compute)
            }
            None => compute(),
        };
        Some(noted)
    }

    /// What the ghost makes of events that come one after the other, each
    /// with its place.
    fn watched<'a>(
        &self,
        ghost: &Shared<S::Ghost>,
        seen: impl Iterator<Item = (usize, Seen<'a, S::Machine>)>,
    ) -> Noted<Shared<S::Ghost>> {
        let mut draft = Draft::new(&**ghost);
        let mut first = None;
        for (place, seen) in seen {
            let mut broken = Vec::new();
            self.system.observe(&mut draft, seen, &mut broken);
            for broken in broken {
                self.take_first(&mut first, place, Some(broken));
            }
        }
        let now = match draft.written() {
            Some(written) if written != **ghost => self.hold_ghost(written),
            _ => ghost.clone(),
        };
        Noted { now, broken: first }
    }

    /// What becomes of the clients' history, where the action is about it.
    fn heard(
        &self,
        state: &Cluster<S>,
        action: &Action<S>,
        reaction: Option<&Shared<Reaction<S::Machine>>>,
    ) -> Option<Noted<Shared<HistoryOf<S>>>> {
        let request = match action.step {
            Step::Request { operation, .. } => Some(operation),
            _ => None,
        };
        let left = match reaction.map(|reaction| &**reaction) {
            Some(Reaction::Something {
                left,
                answers: true,
                ..
            }) => &**left,
            _ => &[],
        };
        if request.is_none() && left.is_empty() {
            return None;
        }
        let compute = || self.told_clients(&state.history, request, left, action.unheard);
        Some(match (&self.memory, reaction) {
            (Some(memory), Some(reaction)) => {
                let history = state.history.number();
                let alone = self.only.is_some();
                let key = (history, request, reaction.number(), action.unheard, alone);
                memory.heard.get(key, compute)
            }
            _ => compute(),
        })
    }

    fn told_clients(
        &self,
        history: &HistoryOf<S>,
        request: Option<u8>,
        left: &[Left<S::Machine>],
        unheard: bool,
    ) -> Noted<Shared<HistoryOf<S>>> {
        let mut history = history.clone();
        let mut first = None;
        if let Some(operation) = request {
            let operation = usize::from(operation);
            history.request(operation, self.call(operation));
        }
        for (place, left) in left.iter().enumerate() {
            let Left::Answer { operation, outcome } = left else {
                continue;
            };
            if unheard {
                history.lose_answer(*operation);
                continue;
            }
            let planned = &self.plan[*operation].operation;
            let outcome = self.system.outcome(planned, outcome.clone());
            if history.answer(*operation, outcome, S::Object::returned) {
                self.take_first(&mut first, place + 1, self.judge_history(&history));
            }
        }
        Noted {
            now: self.hold_history(history),
            broken: first,
        }
    }

    fn take_first(&self, first: &mut First, place: usize, broken: Option<Broken>) {
        let judged = broken.filter(|broken| self.may_break(broken.property));
        if let (Some(broken), None) = (judged, &first) {
            *first = Some(Box::new((place, broken.into())));
        }
    }

    /// Lets the ghost take note of a start: of what left, then of every node.
    pub(crate) fn note_start(&self, start: &mut Cluster<S>, left: &[Left<S::Machine>]) {
        let nodes: Vec<_> = start
            .nodes()
            .map(|id| (id, start.node(id).clone()))
            .collect();
        let shown = nodes.iter().filter_map(|(id, node)| {
            let seen = Seen::Shown {
                node: *id,
                before: None,
                after: node.shown()?,
                clock: node.clock(),
            };
            Some((0, seen))
        });
        let durable = nodes.iter().map(|(id, node)| {
            let (node, durable) = (*id, node.durable());
            (0, Seen::Persisted { node, durable })
        });
        let seen = durable.chain(departed(left)).chain(shown);
        let noted = self.watched(&start.ghost, seen);
        start.ghost = noted.now;
        start.broken = noted.broken.map(|first| first.1);
    }
}

/// What became durable, one persist after the other: what was for a while, and
/// what a node that wrote has now.
fn persisted<'a, M: tribunal_protocol::Machine>(
    id: NodeId,
    left: &'a [Left<M>],
    wrote: Option<&'a Node<M>>,
) -> impl Iterator<Item = (usize, Seen<'a, M>)> {
    let passed = left.iter().filter_map(|left| match left {
        Left::Passed(durable) => Some(&**durable),
        _ => None,
    });
    let durable = passed.chain(wrote.map(Node::durable));
    durable.map(move |durable| (0, Seen::Persisted { node: id, durable }))
}

/// A node that crashed, if it has no state before, and that is shown if
/// nothing that it concluded is held back.
fn shown<'a, M: tribunal_protocol::Machine>(
    id: NodeId,
    before: Option<&'a Node<M>>,
    node: &'a Node<M>,
) -> impl Iterator<Item = (usize, Seen<'a, M>)> {
    let crashed = before.is_none().then(|| Seen::Crashed {
        node: id,
        durable: node.durable(),
    });
    let shown = node.shown().map(|after| Seen::Shown {
        node: id,
        before: before.and_then(Node::shown),
        after,
        clock: node.clock(),
    });
    crashed.into_iter().chain(shown).map(|seen| (0, seen))
}

/// What left, each with its place, from 1.
fn departed<M: tribunal_protocol::Machine>(
    left: &[Left<M>],
) -> impl Iterator<Item = (usize, Seen<'_, M>)> {
    (1..).zip(left).filter_map(|(place, left)| {
        let seen = match left {
            Left::Passed(_) => return None,
            Left::Send(envelope) => Seen::Sent {
                from: envelope.from,
                to: envelope.to,
                message: &envelope.message,
            },
            Left::Answer { operation, outcome } => Seen::Answered {
                operation: *operation,
                outcome,
            },
        };
        Some((place, seen))
    })
}
