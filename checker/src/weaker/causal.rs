//! Causal consistency, by the bad patterns of Bouajjani, Enea, Guerraoui and
//! Hamza ("On Verifying Causal Consistency", POPL 2017, §5), which decide it
//! where every value is written once to its key.
//!
//! Causal order is the order of sessions together with that of each write and
//! the reads that saw it. What comes causally before a read explains it:
//!
//! - `causal` (CC): each read, by some order of what comes before it. A session
//!   may change its mind about writes that are causally unrelated.
//! - `causal-memory` (CM, Ahamad et al. 1995): all that a session reads, by
//!   one order of what comes before its last operation.
//! - `causal-convergence` (CCv): all reads, by one order of all writes.
//!
//! The last two are stronger than the first, and neither implies the other.

use std::ops::Range;

use super::budget::Budget;
use super::clocks::Clocks;
use super::graph::{Graph, Why};
use super::sessions::{Broken, Judged, Shows, arbitrated, last_seen, read_from};
use super::sources::{Kind, Places, Sources};

/// The graph of causal order.
pub(super) fn order(sources: &Sources) -> Graph {
    let mut graph = read_from(sources);
    for nodes in &sources.sessions {
        for later in nodes.clone().skip(1) {
            graph.add(later - 1, later, Why::Session);
        }
    }
    graph
}

/// CC: no cycle of causal order (CyclicCO), no read of what was there at first
/// after a write (WriteCOInitRead), and no read of a write after another that
/// comes after it (WriteCORead).
pub(super) fn plain(sources: &Sources, budget: &Budget<'_>) -> Judged {
    let graph = order(sources);
    let order = match graph.order() {
        Ok(order) => order,
        Err(cycle) => return Some(Some(Broken::Cycle(graph, cycle))),
    };
    let clocks = Clocks::of(sources, &graph, &order, |_| true, budget)?;
    let places = Places::of(sources, |node| Shows::Writes.has(node));
    for (read, source) in sources.reads() {
        if !budget.allows_move(|| clocks.bytes()) {
            return None;
        }
        for write in last_seen(sources, &clocks, &places, read) {
            let Some(source) = source else {
                return Some(Some(Broken::Initial(graph, write, read)));
            };
            if write != source && precedes(sources, &clocks, source, write) {
                let broken = Broken::Overwritten(graph, [source, write, read]);
                return Some(Some(broken));
            }
        }
    }
    Some(None)
}

/// CCv: as CC, and no cycle of causal order and "seen by a read that returned
/// the other" (CyclicCF).
pub(super) fn convergence(sources: &Sources, budget: &Budget<'_>) -> Judged {
    arbitrated(sources, order(sources), Shows::Writes, budget)
}

/// CM: as CC, and for each session no cycle of what its reads say of the order
/// of writes (CyclicHB), nor a read of what was there at first after a write
/// by that order (WriteHBInitRead).
pub(super) fn memory(sources: &Sources, budget: &Budget<'_>) -> Judged {
    let places = Places::of(sources, |node| Shows::Writes.has(node));
    let first = order(sources);
    let reads = |nodes: &&Range<u32>| {
        let mut nodes = sources.nodes[nodes.start as usize..nodes.end as usize].iter();
        nodes.any(|node| node.kind != Kind::Write)
    };
    for nodes in sources.sessions.iter().filter(reads) {
        let mut graph = first.clone();
        loop {
            let order = match graph.order() {
                Ok(order) => order,
                Err(cycle) => return Some(Some(Broken::Cycle(graph, cycle))),
            };
            let clocks = Clocks::of(sources, &graph, &order, |_| true, budget)?;
            let known = graph.edges.len();
            for read in nodes.clone() {
                let Kind::Read(source) = sources.node(read).kind else {
                    continue;
                };
                if !budget.allows_move(|| clocks.bytes()) {
                    return None;
                }
                for write in last_seen(sources, &clocks, &places, read) {
                    let Some(source) = source else {
                        return Some(Some(Broken::Initial(graph, write, read)));
                    };
                    if write != source && !precedes(sources, &clocks, write, source) {
                        graph.add(write, source, Why::Seen(read));
                    }
                }
            }
            if graph.edges.len() == known {
                break;
            }
        }
    }
    Some(None)
}

/// Whether one node comes before another.
pub(super) fn precedes(sources: &Sources, clocks: &Clocks, one: u32, other: u32) -> bool {
    let one = sources.node(one);
    clocks.before(other)[one.session as usize] > one.place
}
