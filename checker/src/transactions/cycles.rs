//! Looks for a cycle, of the plainest kind that there is and as short as can
//! be.
//!
//! Whether there is one of a kind is a matter of components, linear in the
//! graph; so is the kind of all but one: whether some cycle has a single
//! read-write edge takes a search from each of them. Those searches go in an
//! order in which all other edges lead forward, and close to the order of
//! time, so that each is short. Searches are counted; where too much was
//! looked at, the shortest cycle so far is the witness, and one with a single
//! read-write edge may have been taken for one with several. That there is a
//! cycle is certain all the same.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::anomaly::{Anomaly, CycleKind};
use super::graph::{Components, Edge, Graph, Kinds, ON, RT, RW, WR, WW};

/// As many edges are looked at for the shortest cycle of a kind.
const EDGES_MAX: u64 = 50_000_000;

/// A cycle: its kind, and its edges, by place, each from where the one before
/// leads.
#[derive(Clone, Debug)]
pub(super) struct Cycle {
    pub(super) anomaly: Anomaly,
    pub(super) edges: Vec<u32>,
}

/// The plainest cycle in the graph.
pub(super) fn find(graph: &Graph, in_real_time: bool) -> Option<Cycle> {
    let found = find_beside(graph, ON).map(|found| (found, false));
    let found = found.or_else(|| {
        let found = in_real_time.then(|| find_beside(graph, ON | RT))?;
        Some((found?, true))
    });
    let ((kind, edges), realtime) = found?;
    let anomaly = Anomaly::Cycle { kind, realtime };
    Some(Cycle { anomaly, edges })
}

/// The plainest cycle, whatever it has of these kinds of edges.
fn find_beside(graph: &Graph, beside: Kinds) -> Option<(CycleKind, Vec<u32>)> {
    let whole = graph.components(WW | WR | RW | beside);
    if !whole.has_cycle {
        return None;
    }
    for (kind, closing, back) in [
        (CycleKind::G0, WW, WW | beside),
        (CycleKind::G1c, WR, WW | WR | beside),
    ] {
        let components = graph.components(back);
        if components.has_cycle {
            let search = Search::new(graph, &components, back, None);
            return Some((kind, search.shortest(closing)?));
        }
    }
    let back = WW | WR | beside;
    let single = Search::new(graph, &whole, back, Some(ranks(graph, back))).shortest(RW);
    if let Some(edges) = single {
        return Some((CycleKind::GSingle, edges));
    }
    let several = Search::new(graph, &whole, RW | back, None).shortest(RW)?;
    Some((CycleKind::G2Item, several))
}

/// A place for each vertex, such that edges of these kinds, which make no
/// cycle, lead to later ones; close to the order of invocation.
fn ranks(graph: &Graph, kinds: Kinds) -> Vec<u32> {
    let count = graph.vertices() as usize;
    let mut before = vec![0_u32; count];
    for edge in graph.edges.iter().filter(|edge| edge.kind & kinds != 0) {
        before[edge.to as usize] += 1;
    }
    // What lies between transactions comes as soon as it can.
    let entry = |vertex: u32| match graph.is_transaction(vertex) {
        true => Reverse((vertex + 1, vertex)),
        false => Reverse((0, vertex)),
    };
    let free = (0..graph.vertices()).filter(|vertex| before[*vertex as usize] == 0);
    let mut free: BinaryHeap<_> = free.map(entry).collect();
    let mut ranks = vec![0; count];
    let mut next = 0;
    while let Some(Reverse((_, vertex))) = free.pop() {
        ranks[vertex as usize] = next;
        next += 1;
        for Edge { to, kind, .. } in graph.from(vertex).map(|at| graph.edges[at as usize]) {
            if kind & kinds == 0 {
                continue;
            }
            before[to as usize] -= 1;
            if before[to as usize] == 0 {
                free.push(entry(to));
            }
        }
    }
    ranks
}

/// A search for the shortest cycle with an edge that closes it.
struct Search<'a> {
    graph: &'a Graph,
    /// No cycle leaves its component.
    components: &'a Components,
    /// What leads back to where the closing edge begins.
    back: Kinds,
    /// Where edges that lead back lead forward in this order.
    ranks: Option<Vec<u32>>,
    /// By vertex, how many transactions away it is, in which search, and by
    /// which edge.
    reached: Vec<Reached>,
    searches: u32,
    looked_at: u64,
}

#[derive(Clone, Copy, Default)]
struct Reached {
    search: u32,
    distance: u32,
    by: u32,
}

impl<'a> Search<'a> {
    fn new(
        graph: &'a Graph,
        components: &'a Components,
        back: Kinds,
        ranks: Option<Vec<u32>>,
    ) -> Self {
        Search {
            graph,
            components,
            back,
            ranks,
            reached: vec![Reached::default(); graph.vertices() as usize],
            searches: 0,
            looked_at: 0,
        }
    }

    /// The shortest cycle that an edge of this kind closes.
    fn shortest(mut self, closing: Kinds) -> Option<Vec<u32>> {
        let mut best: Option<Vec<u32>> = None;
        let mut length = u32::MAX;
        for (at, edge) in (0..).zip(&self.graph.edges) {
            let is_closing = edge.kind == closing && self.may_lead(edge.to, edge.from);
            if !is_closing || !self.components.are_joined(edge.from, edge.to) {
                continue;
            }
            if let Some(transactions) = self.way(edge, length) {
                length = transactions;
                best = Some(self.cycle(at));
            }
            if length <= 2 || self.looked_at > EDGES_MAX {
                break;
            }
        }
        best
    }

    fn may_lead(&self, from: u32, to: u32) -> bool {
        let ranks = self.ranks.as_ref();
        ranks.is_none_or(|ranks| ranks[from as usize] < ranks[to as usize])
    }

    /// How many transactions the shortest cycle with this edge has, if fewer.
    fn way(&mut self, closing: &Edge, fewer: u32) -> Option<u32> {
        self.searches += 1;
        self.reach(closing.to, self.weight(closing.to), u32::MAX);
        let mut queue = VecDeque::from([closing.to]);
        while let Some(vertex) = queue.pop_front() {
            let Reached { distance, .. } = self.reached[vertex as usize];
            if vertex == closing.from {
                return Some(distance);
            }
            for at in self.graph.from(vertex) {
                self.looked_at += 1;
                let Edge { to, kind, .. } = self.graph.edges[at as usize];
                let weight = self.weight(to);
                let leads = kind & self.back != 0
                    && distance + weight < fewer
                    && self.components.are_joined(to, closing.from)
                    && (to == closing.from || self.may_lead(to, closing.from))
                    && self.is_nearer(to, distance + weight);
                if !leads {
                    continue;
                }
                self.reach(to, distance + weight, at);
                match weight {
                    0 => queue.push_front(to),
                    _ => queue.push_back(to),
                }
            }
        }
        None
    }

    /// Transactions count, what lies between them does not.
    fn weight(&self, vertex: u32) -> u32 {
        u32::from(self.graph.is_transaction(vertex))
    }

    fn is_nearer(&self, vertex: u32, distance: u32) -> bool {
        let reached = self.reached[vertex as usize];
        reached.search != self.searches || distance < reached.distance
    }

    fn reach(&mut self, vertex: u32, distance: u32, by: u32) {
        self.reached[vertex as usize] = Reached {
            search: self.searches,
            distance,
            by,
        };
    }

    /// The cycle that was just found, from its closing edge on.
    fn cycle(&self, closing: u32) -> Vec<u32> {
        let Edge { from, to, .. } = self.graph.edges[closing as usize];
        let mut edges = Vec::new();
        let mut vertex = from;
        while vertex != to {
            let by = self.reached[vertex as usize].by;
            edges.push(by);
            vertex = self.graph.edges[by as usize].from;
        }
        edges.push(closing);
        edges.reverse();
        edges
    }
}
