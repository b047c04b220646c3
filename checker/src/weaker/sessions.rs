//! The session guarantees (Terry et al., "Session Guarantees for Weakly
//! Consistent Replicated Data", 1994).
//!
//! There they are conditions on which writes a server holds when it answers,
//! and on the order in which servers apply them. Of a history only values are
//! known, so they are asked to exist, as Viotti and Vukolić ("Consistency in
//! Non-Transactional Distributed Storage Systems", 2016, §3) put it: **there
//! are one total order of all writes, the same for all sessions, and for each
//! read a set of writes that it sees**, such that the read returns the last
//! write to its key among those in that order, or what the key held at first
//! if there is none, and
//!
//! - read-your-writes: a read sees the writes before it in its session;
//! - monotonic-reads: a read sees what reads before it in its session saw;
//! - monotonic-writes: all writes of a session stand in its order, and who sees
//!   one of them sees those before it;
//! - writes-follow-reads: what a read saw comes, in the order, before the
//!   writes after it in its session, and who sees such a write sees that.
//!
//! In all four, what a session writes to one key stands in its order: without
//! that a client that wrote 1 and then 2 and reads 1 would see what it wrote,
//! and one that reads 2 and then 1 would read forwards.
//!
//! A lone read shows one value of one key, from which nothing follows of other
//! writes that it sees: the last two guarantees could never be broken. So they
//! include monotonic-reads here, as for a client that stays with one server.
//!
//! All four at once are `causal-convergence`. With distinct values each is
//! decided exactly: take for each read the least set that it must see; there is
//! an order exactly if "seen by a read, and to its key, hence before what the
//! read returned" has no cycle together with what the guarantee itself demands.

use rustc_hash::FxHashMap;

use super::budget::Budget;
use super::clocks::Clocks;
use super::graph::{Graph, Why};
use super::sources::{Kind, Node, Places, Sources};

/// What is wrong.
pub(super) enum Broken {
    /// Nodes each of which comes before the next, as edges of the graph.
    Cycle(Graph, Vec<u32>),
    /// A write that comes before a read of what was there at first.
    Initial(Graph, u32, u32),
    /// A write, one after it, and a read after both that saw the first.
    Overwritten(Graph, [u32; 3]),
}

/// Nothing, if a limit was met; otherwise what is wrong, if something is.
pub(super) type Judged = Option<Option<Broken>>;

/// Which nodes say that a write to their key is seen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shows {
    /// The writes themselves.
    Writes,
    /// The reads that saw them.
    Reads,
}

impl Shows {
    pub(super) fn has(self, node: &Node) -> bool {
        (node.kind == Kind::Write) == (self == Shows::Writes)
    }
}

/// What must be seen of a session that reads forwards.
pub(super) fn monotonic_reads(sources: &Sources) -> Judged {
    let mut graph = read_from(sources);
    let mut seen = Vec::new();
    for nodes in &sources.sessions {
        let mut last: FxHashMap<u32, u32> = FxHashMap::default();
        for number in nodes.clone() {
            let Node { key, kind, .. } = sources.node(number);
            let Kind::Read(source) = kind else { continue };
            let Some(before) = last.insert(key, number) else {
                continue;
            };
            graph.add(before, number, Why::Session);
            let Kind::Read(Some(write)) = sources.node(before).kind else {
                continue;
            };
            match source {
                None => return Some(Some(Broken::Initial(graph, write, number))),
                Some(source) if source != write => seen.push((write, source, number)),
                Some(_) => {}
            }
        }
    }
    for (write, source, read) in seen {
        graph.add(write, source, Why::Seen(read));
    }
    add_own_writes(sources, &mut graph);
    Some(acyclic(graph))
}

/// What must be seen of a session that sees what it wrote.
pub(super) fn read_your_writes(sources: &Sources) -> Judged {
    let mut graph = Graph::new(sources.nodes.len());
    for nodes in &sources.sessions {
        // By key, its writes so far, each with a vertex that comes after it
        // and all before it.
        let mut own: FxHashMap<u32, Vec<(u32, u32)>> = FxHashMap::default();
        for number in nodes.clone() {
            let Node { key, kind, .. } = sources.node(number);
            let own = own.entry(key).or_default();
            let last = own.last().copied();
            let Kind::Read(source) = kind else {
                let all = graph.vertices;
                graph.vertices += 1;
                graph.add(number, all, Why::Session);
                if let Some((_, before)) = last {
                    graph.add(before, all, Why::Session);
                }
                own.push((number, all));
                continue;
            };
            let Some((write, all)) = last else { continue };
            graph.add(all, number, Why::Session);
            let Some(source) = source else {
                return Some(Some(Broken::Initial(graph, write, number)));
            };
            let place = own.iter().rposition(|(write, _)| *write == source);
            let later = place.map_or(&[][..], |place| &own[place + 1..]);
            let before = match place {
                None => Some(all),
                Some(place) => place.checked_sub(1).map(|place| own[place].1),
            };
            for from in later.iter().map(|(write, _)| *write).chain(before) {
                graph.add(from, source, Why::Seen(number));
            }
        }
    }
    add_own_writes(sources, &mut graph);
    Some(acyclic(graph))
}

pub(super) fn monotonic_writes(sources: &Sources, budget: &Budget<'_>) -> Judged {
    let mut graph = read_from(sources);
    for nodes in &sources.sessions {
        let mut last = [None; 2];
        for number in nodes.clone() {
            let is_write = sources.node(number).kind == Kind::Write;
            if let Some(before) = last[usize::from(is_write)].replace(number) {
                graph.add(before, number, Why::Session);
            }
        }
    }
    arbitrated(sources, graph, Shows::Writes, budget)
}

pub(super) fn writes_follow_reads(sources: &Sources, budget: &Budget<'_>) -> Judged {
    let mut graph = read_from(sources);
    for nodes in &sources.sessions {
        let mut read = None;
        for number in nodes.clone() {
            if let Some(read) = read {
                graph.add(read, number, Why::Session);
            }
            if sources.node(number).kind != Kind::Write {
                read = Some(number);
            }
        }
    }
    arbitrated(sources, graph, Shows::Reads, budget)
}

/// The graph in which each write comes before those who read it.
pub(super) fn read_from(sources: &Sources) -> Graph {
    let mut graph = Graph::new(sources.nodes.len());
    for (read, source) in sources.reads() {
        if let Some(write) = source {
            graph.add(write, read, Why::ReadFrom);
        }
    }
    graph
}

/// Whether one order of writes explains what each read returned: it sees what
/// comes before it in `graph`. What a session writes to one key stands in its
/// order.
pub(super) fn arbitrated(
    sources: &Sources,
    mut graph: Graph,
    shows: Shows,
    budget: &Budget<'_>,
) -> Judged {
    let order = match graph.order() {
        Ok(order) => order,
        Err(cycle) => return Some(Some(Broken::Cycle(graph, cycle))),
    };
    let clocks = Clocks::of(sources, &graph, &order, |node| shows.has(node), budget)?;
    let places = Places::of(sources, |node| shows.has(node));
    for (read, source) in sources.reads() {
        if !budget.allows_move(|| clocks.bytes()) {
            return None;
        }
        for write in last_seen(sources, &clocks, &places, read) {
            match source {
                None => return Some(Some(Broken::Initial(graph, write, read))),
                Some(source) if source != write => graph.add(write, source, Why::Seen(read)),
                Some(_) => {}
            }
        }
    }
    add_own_writes(sources, &mut graph);
    Some(acyclic(graph))
}

/// Adds the order in which each session wrote to each key. This says what comes
/// first and not what is seen, so it comes after all that is inferred from that.
fn add_own_writes(sources: &Sources, graph: &mut Graph) {
    for nodes in &sources.sessions {
        let mut last: FxHashMap<u32, u32> = FxHashMap::default();
        for number in nodes.clone() {
            let Node { key, kind, .. } = sources.node(number);
            if kind != Kind::Write {
                continue;
            }
            if let Some(before) = last.insert(key, number) {
                graph.add(before, number, Why::Session);
            }
        }
    }
}

/// Of every session, the last write to the key of `read` that it must see.
pub(super) fn last_seen(
    sources: &Sources,
    clocks: &Clocks,
    places: &Places,
    read: u32,
) -> impl Iterator<Item = u32> {
    let before = clocks.before(read);
    let of_key = places.of_key(sources.node(read).key);
    of_key.filter_map(move |(session, places)| {
        let count = places.partition_point(|&place| place < before[session as usize]);
        let place = places[count.checked_sub(1)?];
        let number = sources.sessions[session as usize].start + place;
        match sources.node(number).kind {
            Kind::Write => Some(number),
            Kind::Read(source) => source,
        }
    })
}

pub(super) fn acyclic(graph: Graph) -> Option<Broken> {
    let cycle = graph.order().err()?;
    Some(Broken::Cycle(graph, cycle))
}
