//! All that can be inferred of one order of everything without guessing.
//!
//! If a read saw a write, another write to the key stands before that or after
//! the read: whichever side is known of one, the other follows. Inferred until
//! nothing new follows (Gibbons and Korach, "Testing Shared Memories", 1997,
//! §5, have the rules); a cycle refutes. What is left open is for `sequential`
//! to search. Nothing stands between the read and the write of a cas.

use super::budget::Budget;
use super::causal::{order, precedes};
use super::clocks::Clocks;
use super::graph::{Graph, Why};
use super::sessions::{Broken, Shows, last_seen};
use super::sources::{Kind, Places, Sources};

/// What was inferred; nothing if a limit was met.
pub(super) type Saturated = Option<Result<Clocks, Broken>>;

pub(super) fn saturate(sources: &Sources, budget: &Budget<'_>) -> Saturated {
    let places = Places::of(sources, |node| Shows::Writes.has(node));
    let mut graph = order(sources);
    add_initial(sources, &places, &mut graph);
    loop {
        let order = match graph.order() {
            Ok(order) => order,
            Err(cycle) => return Some(Err(Broken::Cycle(graph, cycle))),
        };
        let clocks = Clocks::of(sources, &graph, &order, |_| true, budget)?;
        let known = graph.edges.len();
        for (read, source) in sources.reads() {
            if !budget.allows_move(|| clocks.bytes()) {
                return None;
            }
            let Some(source) = source else { continue };
            for write in last_seen(sources, &clocks, &places, read) {
                if write != source {
                    add(sources, &clocks, &mut graph, write, source, Why::Seen(read));
                }
            }
            for write in first_after(sources, &clocks, &places, source) {
                let why = Why::Overwritten(source);
                add(sources, &clocks, &mut graph, read, write, why);
            }
        }
        if graph.edges.len() == known {
            return Some(Ok(clocks));
        }
    }
}

/// What read the first value comes before all that write another.
fn add_initial(sources: &Sources, places: &Places, graph: &mut Graph) {
    for (read, source) in sources.reads() {
        if source.is_some() {
            continue;
        }
        for (session, places) in places.of_key(sources.node(read).key) {
            let write = sources.sessions[session as usize].start + places[0];
            if !is_one_act(sources, read, write) {
                graph.add(
                    last_of(sources, read),
                    first_of(sources, write),
                    Why::Initial,
                );
            }
        }
    }
}

fn add(sources: &Sources, clocks: &Clocks, graph: &mut Graph, from: u32, to: u32, why: Why) {
    if is_one_act(sources, from, to) {
        return;
    }
    let (from, to) = (last_of(sources, from), first_of(sources, to));
    if !precedes(sources, clocks, from, to) {
        graph.add(from, to, why);
    }
}

/// Of every session, the first write to the key of `write` that comes after
/// it.
fn first_after(
    sources: &Sources,
    clocks: &Clocks,
    places: &Places,
    write: u32,
) -> impl Iterator<Item = u32> {
    let of_key = places.of_key(sources.node(write).key);
    of_key.filter_map(move |(session, places)| {
        let start = sources.sessions[session as usize].start;
        let count =
            places.partition_point(|&place| !precedes(sources, clocks, write, start + place));
        places.get(count).map(|place| start + place)
    })
}

fn is_one_act(sources: &Sources, one: u32, other: u32) -> bool {
    sources.node(one).act == sources.node(other).act
}

/// The write of the cas whose read this is; the node itself, otherwise.
fn last_of(sources: &Sources, node: u32) -> u32 {
    let next = sources.nodes.get(node as usize + 1);
    let has_next = next.is_some_and(|next| next.act == sources.node(node).act);
    node + u32::from(has_next)
}

/// The read of the cas whose write this is; the node itself, otherwise.
pub(super) fn first_of(sources: &Sources, node: u32) -> u32 {
    let is_cas =
        node > 0 && sources.node(node).kind == Kind::Write && is_one_act(sources, node - 1, node);
    node - u32::from(is_cas)
}
