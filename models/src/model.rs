//! The bounded cluster of a system as a `stateright::Model`.
//!
//! | file | holds |
//! |---|---|
//! | `model.rs` | the model itself, and how nodes react in it |
//! | `enabled.rs` | which actions a state has |
//! | `perform.rs` | what an action makes of a state |
//! | `judge.rs` | whether a state is right |
//!
//! stateright sees one property. With several it would overwrite the path to
//! one violation by a longer path to another; which one is broken is computed
//! again from the last state of the path.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use stateright::Property as Always;
use tribunal_protocol::machine::{Input, Machine, NodeId, Outcome, RequestId};

use crate::action::{Action, Timer};
use crate::bounds::{Bounds, Budget, Granularity, Reductions};
use crate::clients::History;
use crate::cluster::{ALL, Cluster};
use crate::memo::{Key, Left, Memo, Reaction};
use crate::network::{Envelope, Network};
use crate::node::{Departure, Host, Node, Stimulus};
use crate::panics::caught;
use crate::shared::{Shared, Store, content_hash};
use crate::system::{Administration, Draft, Goal, ModelSystem, Planned, Property};
use crate::tally::{GOALS_MAX, Tally};

/// How a model is explored.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// What bounds it.
    pub bounds: Bounds,
    /// When persists complete.
    pub granularity: Granularity,
    /// Which states and actions others stand for.
    pub reductions: Reductions,
}

/// The bounded cluster of a system.
pub struct Model<S: ModelSystem> {
    pub(crate) system: S,
    pub(crate) settings: Settings,
    pub(crate) plan: Vec<Planned<S::Operation>>,
    pub(crate) administration: Vec<Administration<S::Machine>>,
    pub(crate) properties: Vec<Property<S>>,
    pub(crate) goals: Vec<Goal<S>>,
    pub(crate) start: Cluster<S>,
    /// Which property may be broken; any, if none is named.
    pub(crate) only: Option<&'static str>,
    /// Whether actions carry a text, for the explorer.
    pub(crate) labels: bool,
    pub(crate) tally: Arc<Tally>,
    /// Set when the search is to end: no state has actions any more.
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) store: Store,
    configs: Vec<<S::Machine as Machine>::Config>,
    memo: Option<Memo<S::Machine>>,
}

/// What happens to a node, without copies of what it carries.
pub(crate) enum Cause<'a, S: ModelSystem> {
    Message(NodeId, &'a Shared<<S::Machine as Machine>::Message>),
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

/// How many requests of one operation can be told apart.
pub(crate) const ATTEMPTS_MAX: u8 = 64;

/// The first name of an operator's request; clients' are below.
const OPERATORS: u64 = 1 << 32;

impl<S: ModelSystem> Model<S> {
    /// The model of a system.
    pub fn new(system: S, settings: Settings) -> Self {
        Self::salted(system, settings, 0)
    }

    /// The model of a system, with other fingerprints of its states for each
    /// salt.
    pub fn salted(system: S, settings: Settings, salt: u64) -> Self {
        let store = Store::new(salt);
        let nodes = (1..=settings.bounds.nodes).map(NodeId);
        let goals = system.goals();
        assert!(
            goals.len() <= GOALS_MAX,
            "a system has at most {GOALS_MAX} goals"
        );
        let mut model = Model {
            plan: system.plan(),
            administration: system.administration(),
            properties: system.properties(),
            goals,
            configs: nodes.map(|node| system.config(node)).collect(),
            start: Cluster {
                nodes: Vec::new(),
                network: store.put(Network::new(settings.bounds.nodes)),
                history: store.put(History::new(system.plan().len())),
                ghost: store.put(S::Ghost::default()),
                budget: Budget::full(&settings.bounds),
                had_faults: false,
                broken: None,
                salt,
                touched: ALL,
            },
            system,
            settings,
            only: None,
            labels: false,
            tally: Arc::new(Tally::new()),
            stop: Arc::new(AtomicBool::new(false)),
            store,
            memo: Some(Memo::new()),
        };
        model.boot();
        model
    }

    /// The same model with counters of its own, that remembers no reaction.
    pub(crate) fn replaying(&self) -> Self {
        Model {
            system: self.system.clone(),
            settings: self.settings,
            plan: self.plan.clone(),
            administration: self.administration.clone(),
            properties: self.system.properties(),
            goals: self.system.goals(),
            start: self.start.clone(),
            only: self.only,
            labels: false,
            tally: Arc::new(Tally::new()),
            stop: Arc::new(AtomicBool::new(false)),
            store: self.store,
            configs: self.configs.clone(),
            memo: None,
        }
    }

    /// The same model with counters of its own.
    pub(crate) fn afresh(&self) -> Self {
        Model {
            memo: Some(Memo::new()),
            ..self.replaying()
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(crate) fn host(&self, node: NodeId) -> Host<'_, S::Machine> {
        Host {
            config: &self.configs[usize::from(node.0) - 1],
            granularity: self.settings.granularity,
            reductions: self.settings.reductions,
        }
    }

    /// How a node reacts.
    pub(crate) fn react(
        &self,
        state: &Cluster<S>,
        id: NodeId,
        cause: Cause<'_, S>,
    ) -> Arc<Reaction<S::Machine>> {
        let node = state.node(id);
        let compute = || self.compute(id, node, cause);
        match &self.memo {
            Some(memo) => memo.get(self.key(id, node, cause), compute),
            None => Arc::new(compute()),
        }
    }

    fn key(&self, id: NodeId, node: &Shared<Node<S::Machine>>, cause: Cause<'_, S>) -> Key {
        let salt = self.store.salt();
        let cause = match cause {
            Cause::Message(from, message) => {
                content_hash(salt, &(0_u8, from, message.content_hash()))
            }
            Cause::Expire(timer) => content_hash(salt, &(1_u8, timer)),
            Cause::Persist(count) => content_hash(salt, &(2_u8, count)),
            Cause::Crash(kept) => content_hash(salt, &(3_u8, kept)),
            Cause::Request(operation, attempt) => content_hash(salt, &(4_u8, operation, attempt)),
            Cause::Tell(peer, up) => content_hash(salt, &(5_u8, peer, up)),
            Cause::Tick => content_hash(salt, &6_u8),
            Cause::Administer(place) => content_hash(salt, &(7_u8, place)),
        };
        (node.content_hash(), content_hash(salt, &(id, cause)))
    }

    fn compute(
        &self,
        id: NodeId,
        node: &Shared<Node<S::Machine>>,
        cause: Cause<'_, S>,
    ) -> Reaction<S::Machine> {
        let stimulus = self.stimulus(cause);
        match caught(|| node.react(&stimulus, self.host(id))) {
            Err(said) => Reaction::Panic(said),
            Ok(made) => {
                let left = made
                    .left
                    .into_iter()
                    .filter_map(|departure| self.leaving(id, departure));
                let left: Vec<_> = left.collect();
                let changed = made.node != **node;
                if !changed && left.is_empty() {
                    return Reaction::Nothing;
                }
                let same = || node.clone();
                Reaction::Something {
                    node: if changed {
                        self.store.put(made.node)
                    } else {
                        same()
                    },
                    changed,
                    left,
                }
            }
        }
    }

    fn stimulus(&self, cause: Cause<'_, S>) -> Stimulus<S::Machine> {
        let input = match cause {
            Cause::Persist(count) => return Stimulus::Complete(usize::from(count)),
            Cause::Crash(kept) => return Stimulus::Crash(usize::from(kept)),
            Cause::Tick => return Stimulus::Tick,
            Cause::Message(from, message) => Input::Message {
                from,
                message: (**message).clone(),
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

    /// Starts every node. With sessions, every one is up and both its ends
    /// have been told, in the order of the nodes: how a cluster gets there is
    /// explored after breaks and crashes, not at the start as well.
    fn boot(&mut self) {
        let ids: Vec<NodeId> = (1..=self.settings.bounds.nodes).map(NodeId).collect();
        let mut departures = Vec::new();
        for id in &ids {
            let reaction = Node::start(self.host(*id));
            let node = self.store.put(reaction.node);
            self.start.nodes.push(node);
            departures.extend(
                reaction
                    .left
                    .into_iter()
                    .filter_map(|departure| self.leaving(*id, departure)),
            );
        }
        if matches!(*self.start.network, Network::Lanes { .. }) {
            for node in &ids {
                for peer in ids.iter().filter(|peer| *peer != node) {
                    let told = Stimulus::Input(Input::Link {
                        peer: *peer,
                        up: true,
                    });
                    let reaction = self.start.node(*node).react(&told, self.host(*node));
                    *self.start.node_mut(*node) = self.store.put(reaction.node);
                    departures.extend(
                        reaction
                            .left
                            .into_iter()
                            .filter_map(|departure| self.leaving(*node, departure)),
                    );
                }
            }
        }
        let mut start = self.start.clone();
        let mut network = Draft::new(&*self.start.network);
        self.depart(&mut start, &mut network, &departures, false);
        start.network = self.store.put((*network).clone());
        for id in &ids {
            self.show(&mut start, *id, None);
        }
        start.touched = ALL;
        self.start = start;
    }

    /// Wraps what leaves a node; nothing for an answer to an operator.
    fn leaving(&self, from: NodeId, departure: Departure<S::Machine>) -> Option<Left<S::Machine>> {
        match departure {
            Departure::Send { to, message } => {
                let message = self.store.put(message);
                Some(Left::Send(Envelope::new(from, to, message)))
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

impl<S: ModelSystem> stateright::Model for Model<S> {
    type State = Cluster<S>;
    type Action = Action<S>;

    fn init_states(&self) -> Vec<Cluster<S>> {
        vec![self.start.clone()]
    }

    fn actions(&self, state: &Cluster<S>, actions: &mut Vec<Action<S>>) {
        if self.is_stopped() || state.broken.is_some() {
            return;
        }
        self.enabled(state, actions);
        if self.labels {
            for action in actions {
                action.label = Some(self.tell_action(state, action).into());
            }
        }
    }

    fn next_state(&self, state: &Cluster<S>, action: Action<S>) -> Option<Cluster<S>> {
        self.tally.action(action.kind());
        Some(self.perform(state, &action))
    }

    fn format_action(&self, action: &Action<S>) -> String {
        format!("{action:?}")
    }

    fn format_step(&self, state: &Cluster<S>, action: Action<S>) -> Option<String> {
        let next = self.perform(state, &action);
        Some(self.tell_changes(state, &action, &next).join("\n"))
    }

    fn properties(&self) -> Vec<Always<Self>> {
        vec![Always::always(
            "every property holds",
            |model: &Self, state| model.visit(state),
        )]
    }
}
