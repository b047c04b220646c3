//! What must come before what, and why.
//!
//! Edges are added in the order in which they are found out: each is justified
//! by what its reason says and by edges before it, so that a cycle can be
//! explained down to what the history says.

use std::collections::VecDeque;

/// Why one operation comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// So they stand in their session.
    Session,
    /// The second read what the first wrote.
    ReadFrom,
    /// This read saw the second, and comes after the first, which wrote the
    /// same key.
    Seen(u32),
    /// The first read what this one wrote, which comes before the second,
    /// which wrote the same key.
    Overwritten(u32),
    /// The first read what the key held before the second wrote it.
    Initial,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) why: Why,
}

/// Vertices are nodes, and whatever stands between several of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    pub(super) vertices: u32,
    pub(super) edges: Vec<Edge>,
}

/// The edges by where they lead from, or to.
pub(super) struct Index {
    starts: Vec<u32>,
    edges: Vec<u32>,
}

impl Index {
    /// The edges of a vertex, by their places.
    pub(super) fn of(&self, vertex: u32) -> &[u32] {
        let [from, to] = [0, 1].map(|next| self.starts[vertex as usize + next] as usize);
        &self.edges[from..to]
    }
}

/// How many cycles are compared for the shortest.
const CYCLES_MAX: usize = 64;

impl Graph {
    pub(super) fn new(vertices: usize) -> Self {
        Graph {
            vertices: vertices as u32,
            edges: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, from: u32, to: u32, why: Why) {
        self.edges.push(Edge { from, to, why });
    }

    pub(super) fn index(&self, end: impl Fn(&Edge) -> u32) -> Index {
        let mut starts = vec![0_u32; self.vertices as usize + 2];
        for edge in &self.edges {
            starts[end(edge) as usize + 2] += 1;
        }
        for place in 2..starts.len() {
            starts[place] += starts[place - 1];
        }
        let mut edges = vec![0; self.edges.len()];
        for (number, edge) in (0..).zip(&self.edges) {
            let next = &mut starts[end(edge) as usize + 1];
            edges[*next as usize] = number;
            *next += 1;
        }
        Index { starts, edges }
    }

    /// The vertices in an order in which all edges lead forward.
    ///
    /// # Errors
    ///
    /// A short cycle, as edges by their places.
    pub(super) fn order(&self) -> Result<Vec<u32>, Vec<u32>> {
        let leaving = self.index(|edge| edge.from);
        let mut before = vec![0_u32; self.vertices as usize];
        for edge in &self.edges {
            before[edge.to as usize] += 1;
        }
        let free = |vertex: &u32| before[*vertex as usize] == 0;
        let mut order: Vec<u32> = (0..self.vertices).filter(free).collect();
        let mut done = 0;
        while let Some(&vertex) = order.get(done) {
            done += 1;
            for &edge in leaving.of(vertex) {
                let to = self.edges[edge as usize].to;
                before[to as usize] -= 1;
                if before[to as usize] == 0 {
                    order.push(to);
                }
            }
        }
        if order.len() == before.len() {
            return Ok(order);
        }
        Err(self.cycle(&leaving, |vertex| before[vertex as usize] > 0))
    }

    /// A short cycle among vertices of which each has an edge from another.
    fn cycle(&self, leaving: &Index, among: impl Fn(u32) -> bool) -> Vec<u32> {
        let entering = self.index(|edge| edge.to);
        let before = |vertex: u32| {
            let edges = entering.of(vertex).iter();
            let mut from = edges.map(|&edge| self.edges[edge as usize].from);
            from.find(|&from| among(from))
        };
        // Backwards until somewhere for the second time: that is on a cycle.
        let mut seen = vec![false; self.vertices as usize];
        let mut vertex = (0..self.vertices)
            .find(|&vertex| among(vertex))
            .unwrap_or(0);
        while !std::mem::replace(&mut seen[vertex as usize], true) {
            vertex = before(vertex).unwrap_or(vertex);
        }
        let mut best: Option<Vec<u32>> = None;
        let mut start = vertex;
        for _ in 0..CYCLES_MAX {
            let longest = best.as_ref().map_or(usize::MAX, Vec::len);
            if let Some(path) = self.path(leaving, start, start, u32::MAX)
                && path.len() < longest
            {
                best = Some(path);
            }
            start = before(start).unwrap_or(start);
            if start == vertex {
                break;
            }
        }
        best.unwrap_or_default()
    }

    /// A shortest path of at least one edge, by edges before `bound`.
    pub(super) fn path(&self, leaving: &Index, from: u32, to: u32, bound: u32) -> Option<Vec<u32>> {
        let mut by = vec![u32::MAX; self.vertices as usize];
        let mut open = VecDeque::from([from]);
        while let Some(vertex) = open.pop_front() {
            for &edge in leaving.of(vertex).iter().filter(|&&edge| edge < bound) {
                let next = self.edges[edge as usize].to;
                if by[next as usize] != u32::MAX {
                    continue;
                }
                by[next as usize] = edge;
                if next != to {
                    open.push_back(next);
                    continue;
                }
                let mut path = vec![edge];
                let mut at = self.edges[edge as usize].from;
                while at != from {
                    let edge = by[at as usize];
                    path.push(edge);
                    at = self.edges[edge as usize].from;
                }
                path.reverse();
                return Some(path);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(vertices: usize, edges: &[(u32, u32)]) -> Graph {
        let mut graph = Graph::new(vertices);
        for &(from, to) in edges {
            graph.add(from, to, Why::Session);
        }
        graph
    }

    #[test]
    fn an_order_leads_all_edges_forward() {
        let graph = graph(5, &[(3, 1), (1, 0), (3, 0), (4, 3)]);
        let order = graph.order().unwrap();
        let place = |vertex: u32| order.iter().position(|&it| it == vertex);
        assert_eq!(order.len(), 5);
        for edge in &graph.edges {
            assert!(place(edge.from) < place(edge.to));
        }
    }

    #[test]
    fn of_two_cycles_the_shorter_is_found() {
        let edges = [(0, 1), (1, 2), (2, 3), (3, 0), (2, 1), (4, 0), (3, 5)];
        let mut cycle = graph(6, &edges).order().unwrap_err();
        cycle.sort_unstable();
        assert_eq!(cycle, [1, 4]);
    }
}
