//! How much of every session comes before an operation: vector clocks over a
//! graph without cycles.

use super::budget::Budget;
use super::graph::Graph;
use super::sources::{Node, Sources};

/// By node and session, how many nodes of that session, from its first on,
/// hold all that comes before.
pub(super) struct Clocks {
    sessions: usize,
    counts: Vec<u32>,
}

impl Clocks {
    /// The clocks of the nodes; `counts` says which nodes are counted at all.
    /// None if a limit is met.
    pub(super) fn of(
        sources: &Sources,
        graph: &Graph,
        order: &[u32],
        counts: impl Fn(&Node) -> bool,
        budget: &Budget<'_>,
    ) -> Option<Self> {
        let sessions = sources.sessions.len();
        let size = (graph.vertices as usize).checked_mul(sessions)?;
        if !budget.allows(size.saturating_mul(size_of::<u32>())) {
            return None;
        }
        let mut clocks = Clocks {
            sessions,
            counts: vec![0; size],
        };
        let leaving = graph.index(|edge| edge.from);
        let mut own = vec![0_u32; sessions];
        for (done, &vertex) in order.iter().enumerate() {
            if done % 4096 == 0 && !budget.allows(0) {
                return None;
            }
            own.copy_from_slice(clocks.before(vertex));
            let node = sources.node(vertex);
            if counts(&node) {
                let count = &mut own[node.session as usize];
                *count = (*count).max(node.place + 1);
            }
            for &edge in leaving.of(vertex) {
                let to = graph.edges[edge as usize].to as usize;
                let later = &mut clocks.counts[to * sessions..][..sessions];
                for (later, own) in later.iter_mut().zip(&own) {
                    *later = (*later).max(*own);
                }
            }
        }
        Some(clocks)
    }

    /// How many bytes they take.
    pub(super) fn bytes(&self) -> usize {
        self.counts.capacity() * size_of::<u32>()
    }

    /// What comes before a node, by session.
    pub(super) fn before(&self, node: u32) -> &[u32] {
        &self.counts[node as usize * self.sessions..][..self.sessions]
    }
}
