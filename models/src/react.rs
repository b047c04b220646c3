//! How nodes react to what happens to them.

use tribunal_protocol::machine::{Clock, Input, Machine, NodeId, Outcome, RequestId};

use crate::action::Timer;
use crate::cluster::Cluster;
use crate::memo::{Event, Left, Reaction};
use crate::model::Model;
use crate::network::Envelope;
use crate::node::{self, Departure, Node, Stimulus, TimerRequest};
use crate::panics::caught;
use crate::shared::Shared;
use crate::system::ModelSystem;

/// What happens to a node, without copies of what it carries.
pub(crate) enum Cause<'a, S: ModelSystem> {
    Message(&'a Shared<Envelope<S::Machine>>),
    Expire(Timer<S>),
    Persist(u8),
    Crash(u8),
    Request(usize, u8),
    Administer(usize),
    Tell(NodeId, bool),
    Tick,
}

impl<S: ModelSystem> Clone for Cause<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: ModelSystem> Copy for Cause<'_, S> {}

impl<S: ModelSystem> Cause<'_, S> {
    fn event(&self, node: NodeId) -> Event<Timer<S>> {
        match *self {
            Cause::Message(envelope) => Event::Message(envelope.number()),
            Cause::Expire(timer) => Event::Expire(node, timer),
            Cause::Persist(count) => Event::Persist(node, count),
            Cause::Crash(kept) => Event::Crash(node, kept),
            Cause::Request(operation, attempt) => Event::Request(node, operation as u8, attempt),
            Cause::Administer(place) => Event::Administer(node, place as u8),
            Cause::Tell(peer, up) => Event::Tell(node, peer, up),
            Cause::Tick => Event::Tick(node),
        }
    }
}

/// How many requests of one operation can be told apart.
pub(crate) const ATTEMPTS_MAX: u8 = 64;

/// The first name of an operator's request; clients' are below.
const OPERATORS: u64 = 1 << 32;

impl<S: ModelSystem> Model<S> {
    /// How a node reacts.
    pub(crate) fn react(
        &self,
        state: &Cluster<S>,
        id: NodeId,
        cause: Cause<'_, S>,
    ) -> Shared<Reaction<S::Machine>> {
        let node = state.node(id);
        let compute = || self.react_afresh(id, node, cause).0;
        let Some(memory) = &self.memory else {
            return compute().into();
        };
        memory.reaction((node.number(), cause.event(id)), compute)
    }

    /// How a node reacts, computed whatever is remembered, and what it does
    /// to its timers.
    pub(crate) fn react_afresh(
        &self,
        id: NodeId,
        node: &Shared<Node<S::Machine>>,
        cause: Cause<'_, S>,
    ) -> (Reaction<S::Machine>, Vec<TimerRequest<S::Machine>>) {
        let stimulus = self.stimulus(cause);
        match caught(|| node.react(&stimulus, self.host(id))) {
            Err(said) => (Reaction::Panic(said), Vec::new()),
            Ok(mut made) => {
                let timers = std::mem::take(&mut made.timers);
                (self.told(id, node, made), timers)
            }
        }
    }

    /// What a node made of something, ready to be put into a cluster.
    fn told(
        &self,
        id: NodeId,
        node: &Shared<Node<S::Machine>>,
        made: node::Reaction<S::Machine>,
    ) -> Reaction<S::Machine> {
        let passes = !made.passed.is_empty();
        let passed = made.passed.into_iter().map(Left::Passed);
        let departures = made.left.into_iter();
        let from = (id, made.node.clock());
        let leaving = departures.filter_map(|departure| self.leaving(from, departure));
        let left: Box<[_]> = passed.chain(leaving).collect();
        let changed = made.node != **node;
        if !changed && left.is_empty() {
            return Reaction::Nothing;
        }
        Reaction::Something {
            wrote: passes || made.node.durable() != node.durable(),
            node: if changed {
                self.hold_node(made.node)
            } else {
                node.clone()
            },
            changed,
            answers: left.iter().any(|left| matches!(left, Left::Answer { .. })),
            left,
        }
    }

    fn stimulus(&self, cause: Cause<'_, S>) -> Stimulus<S::Machine> {
        let input = match cause {
            Cause::Persist(count) => return Stimulus::Complete(usize::from(count)),
            Cause::Crash(kept) => return Stimulus::Crash(usize::from(kept)),
            Cause::Tick => return Stimulus::Tick,
            Cause::Message(envelope) => Input::Message {
                from: envelope.from,
                message: envelope.message.clone(),
            },
            Cause::Expire(timer) => Input::Timer(timer),
            Cause::Tell(peer, up) => Input::Link { peer, up },
            Cause::Administer(place) => Input::Request {
                id: RequestId(OPERATORS + place as u64),
                request: self.administration[place].request.clone(),
            },
            Cause::Request(operation, attempt) => Input::Request {
                id: RequestId(operation as u64 * u64::from(ATTEMPTS_MAX) + u64::from(attempt)),
                request: self
                    .system
                    .request(operation, &self.plan[operation].operation),
            },
        };
        Stimulus::Input(input)
    }

    /// Wraps what leaves a node when its clock shows this; nothing for an
    /// answer to an operator.
    pub(crate) fn leaving(
        &self,
        (from, clock): (NodeId, Clock),
        departure: Departure<S::Machine>,
    ) -> Option<Left<S::Machine>> {
        match departure {
            Departure::Send { to, message } => {
                let envelope = self.hold_envelope(Envelope {
                    from,
                    to,
                    message,
                    sent: self.synchrony.map_or(Clock(0), |_| clock),
                });
                Some(Left::Send(envelope))
            }
            Departure::Answer { id, .. } if id.0 >= OPERATORS => None,
            Departure::Answer { id, outcome } => Some(Left::Answer {
                operation: (id.0 / u64::from(ATTEMPTS_MAX)) as usize,
                outcome,
            }),
        }
    }
}

/// Whether the node refused a request at once and is as it was: then nothing
/// happened but that a client asked.
pub(crate) fn is_refusal<M: Machine>(reaction: &Reaction<M>) -> bool {
    match reaction {
        Reaction::Nothing => true,
        Reaction::Panic(_) => false,
        Reaction::Something { changed, left, .. } => {
            let refuses = |left: &Left<M>| {
                matches!(
                    left,
                    Left::Answer {
                        outcome: Outcome::Never(_) | Outcome::Redirect(_),
                        ..
                    }
                )
            };
            !changed && left.iter().all(refuses)
        }
    }
}
