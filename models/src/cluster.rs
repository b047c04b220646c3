//! The state of a bounded cluster.
//!
//! Read it by its methods. It is made of a few handles ([`Shared`]) to
//! components that millions of states share; no property and no host touches
//! that.

use std::fmt;
use std::hash::{Hash, Hasher};

use smallvec::SmallVec;
use tribunal_protocol::NodeId;
use tribunal_protocol::machine::{Clock, Machine};

use crate::bounds::{Bounds, Budget, Limit};
use crate::clients::{Progress, Stage};
use crate::network::{Envelope, Network};
use crate::node::Node;
use crate::object::HistoryOf;
use crate::shared::Shared;
use crate::system::{Broken, ModelSystem, Response};

/// Every node, everything under way, what clients know, and what is left of
/// the budgets.
pub struct Cluster<S: ModelSystem> {
    pub(crate) nodes: SmallVec<[Shared<Node<S::Machine>>; 5]>,
    pub(crate) network: Network<S::Machine>,
    pub(crate) history: Shared<HistoryOf<S>>,
    pub(crate) ghost: Shared<S::Ghost>,
    pub(crate) budget: Budget,
    /// Whether a node crashed or stopped, or a session broke. Follows from the
    /// budgets, but for what a prefix did.
    pub(crate) had_faults: bool,
    /// Which nodes have stopped for good, as bits.
    pub(crate) halted: u32,
    pub(crate) broken: Option<Shared<Broken>>,
    /// With another salt every fingerprint is another.
    pub(crate) salt: u64,
    /// Which nodes the last action touched, as bits, and `ALL` where
    /// everything must be judged. No part of the state: equal states differ
    /// in it only in what was judged already on the way to them.
    pub(crate) touched: u32,
}

/// Every node is to be judged.
pub(crate) const ALL: u32 = u32::MAX;

impl<S: ModelSystem> Cluster<S> {
    /// The members.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + use<S> {
        (1..=self.nodes.len() as u8).map(NodeId)
    }

    /// How many members there are.
    pub fn size(&self) -> usize {
        self.nodes.len()
    }

    /// A node's machine, while everything that it asked for has left.
    pub fn shown(&self, node: NodeId) -> Option<&S::Machine> {
        self.node(node).shown()
    }

    /// A node's machine, even where what it concluded is nobody's yet: for
    /// asking what may still come, never for judging.
    pub fn believed(&self, node: NodeId) -> &S::Machine {
        self.node(node).machine()
    }

    /// What of a node survives a crash, if nothing outstanding does.
    pub fn durable(&self, node: NodeId) -> &<S::Machine as Machine>::Durable {
        self.node(node).durable()
    }

    /// A node's clock.
    pub fn clock(&self, node: NodeId) -> Clock {
        self.node(node).clock()
    }

    /// What the system remembers of the past.
    pub fn ghost(&self) -> &S::Ghost {
        &self.ghost
    }

    /// How far each planned operation has come.
    pub fn operations(&self) -> &[Progress<Response<S>>] {
        self.history.operations()
    }

    /// What a planned operation returned, if that is known.
    pub fn result(&self, operation: usize) -> Option<&Response<S>> {
        self.operations()[operation].stage.result()
    }

    /// Every message under way.
    pub fn messages(&self) -> impl Iterator<Item = &Envelope<S::Machine>> + '_ {
        self.network.messages()
    }

    /// How much is left of a budget.
    pub fn left(&self, limit: Limit) -> u8 {
        self.budget.left(limit)
    }

    /// Whether a node crashed or stopped, or a session broke.
    pub fn had_faults(&self) -> bool {
        self.had_faults
    }

    /// Whether every operation was invoked, and every request answered, if
    /// only by saying that nothing is known.
    pub fn is_everything_answered(&self) -> bool {
        let waits = |each: &Progress<_>| {
            matches!(
                each.stage,
                Stage::Planned | Stage::Open { pending: 1.., .. }
            )
        };
        !self.operations().iter().any(waits)
    }

    /// Whether a node has stopped for good. Its clock stands where it stopped.
    pub fn is_halted(&self, node: NodeId) -> bool {
        self.halted & (1 << node.0) != 0
    }

    /// The members that have not stopped for good.
    pub fn running(&self) -> impl Iterator<Item = NodeId> + use<S> {
        let halted = self.halted;
        self.nodes().filter(move |node| halted & (1 << node.0) == 0)
    }

    /// What a step broke, if one did.
    pub fn broken(&self) -> Option<&Broken> {
        self.broken.as_deref()
    }

    /// What every host would see of a node, and what it keeps to itself.
    pub(crate) fn node(&self, node: NodeId) -> &Shared<Node<S::Machine>> {
        &self.nodes[usize::from(node.0) - 1]
    }

    pub(crate) fn node_mut(&mut self, node: NodeId) -> &mut Shared<Node<S::Machine>> {
        self.touched |= 1 << node.0;
        &mut self.nodes[usize::from(node.0) - 1]
    }

    pub(crate) fn is_touched(&self, node: NodeId) -> bool {
        self.touched & (1 << node.0) != 0
    }

    /// Full budgets again.
    pub(crate) fn refill(&mut self, bounds: &Bounds) {
        self.budget = Budget::full(bounds);
    }
}

impl<S: ModelSystem> Clone for Cluster<S> {
    fn clone(&self) -> Self {
        Cluster {
            nodes: self.nodes.clone(),
            network: self.network.clone(),
            history: self.history.clone(),
            ghost: self.ghost.clone(),
            budget: self.budget,
            had_faults: self.had_faults,
            halted: self.halted,
            broken: self.broken.clone(),
            salt: self.salt,
            touched: self.touched,
        }
    }
}

impl<S: ModelSystem> PartialEq for Cluster<S> {
    fn eq(&self, other: &Self) -> bool {
        self.nodes == other.nodes
            && self.network == other.network
            && self.history == other.history
            && self.ghost == other.ghost
            && self.budget == other.budget
            && self.had_faults == other.had_faults
            && self.halted == other.halted
            && self.broken == other.broken
    }
}

impl<S: ModelSystem> Eq for Cluster<S> {}

/// By the hashes of the components, all but `touched`.
impl<S: ModelSystem> Hash for Cluster<S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.salt.hash(state);
        for node in &self.nodes {
            node.hash(state);
        }
        self.network.hash(state);
        self.history.hash(state);
        self.ghost.hash(state);
        self.budget.hash(state);
        self.had_faults.hash(state);
        self.halted.hash(state);
        self.broken.hash(state);
    }
}

impl<S: ModelSystem> fmt::Debug for Cluster<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Cluster");
        for (node, id) in self.nodes.iter().zip(self.nodes()) {
            shown.field(&id.to_string(), node);
        }
        shown.field("network", &self.network);
        shown.field("operations", &self.history.operations());
        shown.field("ghost", &*self.ghost);
        shown.field("budget", &self.budget);
        if self.halted > 0 {
            let halted: Vec<_> = self.nodes().filter(|node| self.is_halted(*node)).collect();
            shown.field("halted", &halted);
        }
        if let Some(broken) = &self.broken {
            shown.field("broken", broken);
        }
        shown.finish()
    }
}
