//! Which transaction must stand before which, as a graph.
//!
//! Where each of many must stand before each of many others, they meet in a
//! vertex between them, which is no transaction, so that the edges stay few:
//! in real time one after each run of completions, of which each leads to the
//! next; of a key one between those that read or wrote its last version that
//! anybody read and those that wrote a later one.

use super::micro::{Fate, Transactions};

/// Sets of kinds of edges.
pub(super) type Kinds = u8;
/// Write-write: one version directly follows another, or comes later.
pub(super) const WW: Kinds = 1;
/// Write-read: a version was read.
pub(super) const WR: Kinds = 2;
/// Read-write (anti-dependency): a version was read, and a later one written.
pub(super) const RW: Kinds = 4;
/// Real time: one completed before the other began.
pub(super) const RT: Kinds = 8;
/// From a vertex between transactions on; it belongs to the edge before.
pub(super) const ON: Kinds = 16;

/// No micro-operation.
pub(super) const NOWHERE: u32 = u32::MAX;

/// That one vertex stands before another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) kind: Kinds,
    /// The micro-operation of the one in front that shows it.
    pub(super) front: u32,
    /// The micro-operation of the other.
    pub(super) back: u32,
}

/// The graph: transactions by number, then the vertices between them.
pub(super) struct Graph {
    pub(super) transactions: u32,
    /// Edges, by where they begin.
    pub(super) edges: Vec<Edge>,
    /// Where those of each vertex begin among them.
    begins: Vec<u32>,
}

impl Graph {
    pub(super) fn vertices(&self) -> u32 {
        self.begins.len() as u32 - 1
    }

    /// The edges from a vertex, by place.
    pub(super) fn from(&self, vertex: u32) -> std::ops::Range<u32> {
        self.begins[vertex as usize]..self.begins[vertex as usize + 1]
    }

    pub(super) fn is_transaction(&self, vertex: u32) -> bool {
        vertex < self.transactions
    }

    /// The strongly connected component of each vertex in the graph of these
    /// kinds of edges, and whether any has more than one vertex. Tarjan 1972,
    /// without recursion: a history can be one long cycle.
    pub(super) fn components(&self, kinds: Kinds) -> Components {
        let mut tarjan = Tarjan::new(self, kinds);
        for root in 0..self.vertices() {
            if tarjan.order[root as usize] == UNSEEN {
                tarjan.visit(root);
            }
        }
        tarjan.found
    }
}

/// Strongly connected components.
pub(super) struct Components {
    of: Vec<u32>,
    count: u32,
    pub(super) has_cycle: bool,
}

impl Components {
    pub(super) fn are_joined(&self, one: u32, other: u32) -> bool {
        self.of[one as usize] == self.of[other as usize]
    }
}

const UNSEEN: u32 = u32::MAX;

struct Tarjan<'a> {
    graph: &'a Graph,
    kinds: Kinds,
    order: Vec<u32>,
    low: Vec<u32>,
    next: u32,
    /// Vertices whose component is not known yet.
    open: Vec<u32>,
    /// The way to the vertex at hand: each with its next edge.
    way: Vec<(u32, u32)>,
    found: Components,
}

impl<'a> Tarjan<'a> {
    fn new(graph: &'a Graph, kinds: Kinds) -> Self {
        let count = graph.vertices() as usize;
        Tarjan {
            graph,
            kinds,
            order: vec![UNSEEN; count],
            low: vec![0; count],
            next: 0,
            open: Vec::new(),
            way: Vec::new(),
            found: Components {
                of: vec![UNSEEN; count],
                count: 0,
                has_cycle: false,
            },
        }
    }

    fn visit(&mut self, root: u32) {
        self.enter(root);
        while let Some((vertex, edge)) = self.way.last_mut() {
            let (vertex, at) = (*vertex, *edge);
            if at == self.graph.from(vertex).end {
                self.way.pop();
                self.leave(vertex);
                continue;
            }
            *edge += 1;
            let Edge { to, kind, .. } = self.graph.edges[at as usize];
            if kind & self.kinds == 0 {
                continue;
            }
            if self.order[to as usize] == UNSEEN {
                self.enter(to);
            } else if self.found.of[to as usize] == UNSEEN {
                self.lower(vertex, self.order[to as usize]);
            }
        }
    }

    fn enter(&mut self, vertex: u32) {
        self.order[vertex as usize] = self.next;
        self.low[vertex as usize] = self.next;
        self.next += 1;
        self.open.push(vertex);
        self.way.push((vertex, self.graph.from(vertex).start));
    }

    fn leave(&mut self, vertex: u32) {
        let low = self.low[vertex as usize];
        if let Some(&(before, _)) = self.way.last() {
            self.lower(before, low);
        }
        if low < self.order[vertex as usize] {
            return;
        }
        let mut size = 0;
        while let Some(member) = self.open.pop() {
            self.found.of[member as usize] = self.found.count;
            size += 1;
            if member == vertex {
                break;
            }
        }
        self.found.count += 1;
        self.found.has_cycle |= size > 1;
    }

    fn lower(&mut self, vertex: u32, low: u32) {
        let mine = &mut self.low[vertex as usize];
        *mine = low.min(*mine);
    }
}

/// A graph that is being made.
pub(super) struct Builder {
    transactions: u32,
    vertices: u32,
    edges: Vec<Edge>,
}

impl Builder {
    pub(super) fn new(transactions: u32) -> Self {
        Builder {
            transactions,
            vertices: transactions,
            edges: Vec::new(),
        }
    }

    /// Adds an edge between two transactions; none from one to itself.
    pub(super) fn add(&mut self, kind: Kinds, (from, front): (u32, u32), (to, back): (u32, u32)) {
        if from != to {
            self.edges.push(Edge {
                from,
                to,
                kind,
                front,
                back,
            });
        }
    }

    /// A vertex between transactions.
    pub(super) fn between(&mut self) -> (u32, u32) {
        self.vertices += 1;
        (self.vertices - 1, NOWHERE)
    }

    /// Adds that whoever completed before another began stands before it, of
    /// the transactions that took effect.
    pub(super) fn real_time(&mut self, all: &Transactions<'_>, took_effect: &[bool]) {
        let mut ends: Vec<(u64, bool, u32)> = Vec::with_capacity(2 * all.txns.len());
        for (number, txn) in (0..).zip(&all.txns) {
            if !took_effect[number as usize] {
                continue;
            }
            ends.push((txn.operation.invoked, false, number));
            let completed = txn.operation.completed;
            if let (Fate::Committed, Some(completed)) = (txn.fate, completed) {
                ends.push((completed, true, number));
            }
        }
        ends.sort_unstable();
        let mut last: Option<(u32, u32)> = None;
        let mut run: Option<(u32, u32)> = None;
        for (_, completes, number) in ends {
            if !completes {
                last = run.take().or(last);
                if let Some(between) = last {
                    self.add(RT, between, (number, NOWHERE));
                }
                continue;
            }
            let between = run.unwrap_or_else(|| self.between());
            if let (None, Some(last)) = (run, last) {
                self.add(RT, last, between);
            }
            run = Some(between);
            self.add(RT, (number, NOWHERE), between);
        }
    }

    /// The graph of all that was added.
    pub(super) fn build(self) -> Graph {
        let mut begins = vec![0; self.vertices as usize + 1];
        for edge in &self.edges {
            begins[edge.from as usize + 1] += 1;
        }
        for vertex in 0..self.vertices as usize {
            begins[vertex + 1] += begins[vertex];
        }
        let mut edges = self.edges;
        edges.sort_by_key(|edge| edge.from);
        Graph {
            transactions: self.transactions,
            edges,
            begins,
        }
    }
}
