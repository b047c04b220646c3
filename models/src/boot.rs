//! The first state of a model.

use smallvec::SmallVec;
use tribunal_protocol::machine::{Input, NodeId};

use crate::bounds::{Bounds, Budget};
use crate::clients::History;
use crate::cluster::{ALL, Cluster};
use crate::memo::Left;
use crate::model::Model;
use crate::network::Network;
use crate::node::{Node, Stimulus};
use crate::object::Object;
use crate::system::ModelSystem;

impl<S: ModelSystem> Cluster<S> {
    /// A cluster without nodes yet.
    pub(crate) fn empty(bounds: &Bounds, planned: usize, salt: u64) -> Self {
        Cluster {
            nodes: SmallVec::new(),
            network: Network::new(bounds.nodes),
            history: History::new(planned, S::Object::specification()).into(),
            ghost: S::Ghost::default().into(),
            budget: Budget::full(bounds),
            had_faults: false,
            halted: 0,
            broken: None,
            salt,
            touched: ALL,
        }
    }
}

impl<S: ModelSystem> Model<S> {
    /// Starts every node. With sessions, every one is up and both its ends
    /// have been told, in the order of the nodes: how a cluster gets there is
    /// explored after breaks and crashes, not at the start as well.
    pub(crate) fn boot(&mut self) {
        let ids: Vec<NodeId> = (1..=self.settings.bounds.nodes).map(NodeId).collect();
        let mut left = Vec::new();
        for id in &ids {
            let reaction = Node::start(self.host(*id));
            let from = (*id, reaction.node.clock());
            let node = self.hold_node(reaction.node);
            self.start.nodes.push(node);
            let departures = reaction.left.into_iter();
            left.extend(departures.filter_map(|departure| self.leaving(from, departure)));
        }
        if !self.start.network.is_bag() {
            for node in &ids {
                for peer in ids.iter().filter(|peer| *peer != node) {
                    left.extend(self.tell_at_start(*node, *peer));
                }
            }
        }
        let mut start = self.start.clone();
        self.depart(&mut start, &left);
        self.note_start(&mut start, &left);
        start.touched = ALL;
        self.start = start;
    }

    fn tell_at_start(&mut self, node: NodeId, peer: NodeId) -> Vec<Left<S::Machine>> {
        let told = Stimulus::Input(Input::Link { peer, up: true });
        let reaction = self.start.node(node).react(&told, self.host(node));
        let from = (node, reaction.node.clock());
        *self.start.node_mut(node) = self.hold_node(reaction.node);
        let departures = reaction.left.into_iter();
        departures
            .filter_map(|departure| self.leaving(from, departure))
            .collect()
    }
}
