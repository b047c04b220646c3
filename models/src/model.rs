//! The bounded cluster of a system as a `stateright::Model`.
//!
//! | file | holds |
//! |---|---|
//! | `model.rs` | the model itself |
//! | `boot.rs` | its first state |
//! | `enabled.rs` | which actions a state has |
//! | `react.rs` | how nodes react |
//! | `perform.rs` | what an action makes of a state |
//! | `note.rs` | what it makes of the ghost and of the clients' history |
//! | `judge.rs` | whether a state is right |
//! | `recovery.rs` | whether a way leads from it to where one should |
//! | `memo.rs` | what is remembered |
//!
//! stateright sees one property. With several it would overwrite the path to
//! one violation by a longer path to another; which one is broken is computed
//! again from the last state of the path.
//!
//! A model is made plain: every state owns its components, and everything is
//! computed each time. [`Model::interning`] makes it fast; its states are the
//! same ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use stateright::Property as Always;
use tribunal_protocol::machine::{Machine, NodeId};

use crate::action::{Action, Deed};
use crate::bounds::{Bounds, Granularity, Limit, Reductions};
use crate::cluster::Cluster;
use crate::memo::Memory;
use crate::network::Envelope;
use crate::node::{Host, Node};
use crate::object::HistoryOf;
use crate::recovery::Ways;
use crate::search::Explored;
use crate::shared::Shared;
use crate::system::{Administration, Goal, ModelSystem, Planned, Property, Synchrony};
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
    pub(crate) synchrony: Option<Synchrony>,
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
    pub(crate) configs: Vec<<S::Machine as Machine>::Config>,
    /// Nothing, if every state owns its components.
    pub(crate) memory: Option<Arc<Memory<S>>>,
    /// How each property is judged that asks for ways, by its place; empty in
    /// a model that does not judge them.
    pub(crate) ways: Vec<Option<Arc<Ways<S>>>>,
}

impl<S: ModelSystem> Model<S> {
    /// The model of a system.
    pub fn new(system: S, settings: Settings) -> Self {
        Self::salted(system, settings, 0)
    }

    /// The model of a system, with other fingerprints of its states for each
    /// salt.
    pub fn salted(system: S, settings: Settings, salt: u64) -> Self {
        let nodes = (1..=settings.bounds.nodes).map(NodeId);
        let plan = system.plan();
        let goals = system.goals();
        assert!(
            goals.len() <= GOALS_MAX,
            "a system has at most {GOALS_MAX} goals"
        );
        let mut model = Model {
            administration: system.administration(),
            synchrony: system.synchrony(),
            properties: properties(&system, None),
            goals,
            configs: nodes.map(|node| system.config(node)).collect(),
            start: Cluster::empty(&settings.bounds, plan.len(), salt),
            plan,
            system,
            settings,
            only: None,
            labels: false,
            tally: Arc::new(Tally::new()),
            stop: Arc::new(AtomicBool::new(false)),
            memory: None,
            ways: Vec::new(),
        };
        model.boot();
        model
    }

    /// The same model, with components of states that are interned and steps
    /// that are remembered, for a search by so many threads. What it interns
    /// stays until the process ends.
    pub fn interning(self, threads: usize) -> Self {
        let memory = Memory::new(self.start.salt, threads);
        let mut model = Model {
            memory: Some(Arc::new(memory)),
            ..self
        };
        model.start = model.held(&model.start);
        model
    }

    /// The same model with counters of its own, whose states own their
    /// components and that remembers nothing.
    pub(crate) fn replaying(&self) -> Self {
        let replaying = |ways: &Option<Arc<Ways<S>>>| Some(Arc::new(ways.as_ref()?.replaying()));
        let mut model = Model {
            memory: None,
            ways: self.ways.iter().map(replaying).collect(),
            ..self.afresh()
        };
        model.start = model.held(&model.start);
        model
    }

    /// The same cluster within other bounds, by which its nodes are told
    /// nothing else.
    ///
    /// # Panics
    ///
    /// If they are.
    pub(crate) fn within(&self, bounds: Bounds, system: S) -> Self {
        let configs: Vec<_> = self.start.nodes().map(|node| system.config(node)).collect();
        assert_eq!(
            format!("{configs:?}"),
            format!("{:?}", self.configs),
            "other bounds may not change what nodes are told"
        );
        Model {
            settings: Settings {
                bounds,
                ..self.settings
            },
            system,
            ways: Vec::new(),
            ..self.afresh()
        }
    }

    /// The same model, which judges one property alone, also one that is known
    /// not to hold.
    pub(crate) fn judging_only(self, property: Option<&'static str>) -> Self {
        Model {
            only: property,
            properties: properties(&self.system, property),
            ..self
        }
    }

    /// The same model with counters of its own.
    pub(crate) fn afresh(&self) -> Self {
        Model {
            system: self.system.clone(),
            settings: self.settings,
            plan: self.plan.clone(),
            administration: self.administration.clone(),
            synchrony: self.synchrony,
            properties: properties(&self.system, self.only),
            goals: self.system.goals(),
            start: self.start.clone(),
            only: self.only,
            labels: false,
            tally: Arc::new(Tally::new()),
            stop: Arc::new(AtomicBool::new(false)),
            configs: self.configs.clone(),
            memory: self.memory.clone(),
            ways: self.ways.clone(),
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

    pub(crate) fn hold_node(&self, node: Node<S::Machine>) -> Shared<Node<S::Machine>> {
        match &self.memory {
            Some(memory) => {
                let node = node.holding(|durable| memory.durables.keep(durable));
                memory.nodes.put(node)
            }
            None => node.holding(Shared::into_owned).into(),
        }
    }

    pub(crate) fn hold_envelope(
        &self,
        envelope: Envelope<S::Machine>,
    ) -> Shared<Envelope<S::Machine>> {
        match &self.memory {
            Some(memory) => memory.envelopes.put(envelope),
            None => envelope.into(),
        }
    }

    pub(crate) fn hold_history(&self, history: HistoryOf<S>) -> Shared<HistoryOf<S>> {
        match &self.memory {
            Some(memory) => memory.histories.put(history),
            None => history.into(),
        }
    }

    pub(crate) fn hold_ghost(&self, ghost: S::Ghost) -> Shared<S::Ghost> {
        match &self.memory {
            Some(memory) => memory.ghosts.put(ghost),
            None => ghost.into(),
        }
    }

    /// The same state, held as this model holds states.
    fn held(&self, state: &Cluster<S>) -> Cluster<S> {
        let mut held = state.clone();
        for node in &mut held.nodes {
            *node = self.hold_node((**node).clone());
        }
        held.network = state
            .network
            .holding(|envelope| self.hold_envelope((**envelope).clone()));
        held.history = self.hold_history((*state.history).clone());
        held.ghost = self.hold_ghost((*state.ghost).clone());
        held
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
        if self.system.is_beyond(&self.start, state) {
            return self.tally.hit(Limit::Elections);
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

impl<S: ModelSystem> Explored for Model<S> {
    /// A flag says whether the answers are lost.
    type Deed = (Deed<S>, bool);

    fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    fn stop(&self) -> &Arc<AtomicBool> {
        &self.stop
    }

    fn deed(state: &Cluster<S>, action: &Action<S>) -> (Deed<S>, bool) {
        action.deed(state)
    }
}

/// What is judged, if that one alone is to be, or all that should hold.
fn properties<S: ModelSystem>(system: &S, only: Option<&'static str>) -> Vec<Property<S>> {
    let weaknesses = system.weaknesses().into_iter();
    let asked = weaknesses.filter(|property| only == Some(property.name));
    system.properties().into_iter().chain(asked).collect()
}
