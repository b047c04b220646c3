//! A cycle in words.

use super::anomaly::Evidence;
use super::cycles::Cycle;
use super::graph::{Edge, Graph, RT, RW, WR, WW};
use super::micro::{Does, Transactions};

/// A step of a cycle: one transaction stands before another.
struct Step {
    front: Edge,
    back: Edge,
}

/// Why each transaction of a cycle stands before the next.
pub(super) fn evidence(all: &Transactions<'_>, graph: &Graph, cycle: &Cycle) -> Evidence {
    let steps = shortened(all, steps(graph, cycle));
    let count = steps.len();
    let why = steps
        .iter()
        .enumerate()
        .map(|(place, step)| {
            let (one, other) = (place + 1, (place + 1) % count + 1);
            explained(all, step, one, other)
        })
        .collect();
    Evidence {
        why,
        transactions: steps.iter().map(|step| step.front.from).collect(),
    }
}

/// The steps from transaction to transaction, whatever lies between them.
fn steps(graph: &Graph, cycle: &Cycle) -> Vec<Step> {
    let edges = cycle.edges.iter();
    let mut edges: Vec<Edge> = edges.map(|&at| graph.edges[at as usize]).collect();
    let first = edges.iter().position(|it| graph.is_transaction(it.from));
    edges.rotate_left(first.unwrap_or(0));
    let is_over = |edge: &Edge, _: &Edge| !graph.is_transaction(edge.to);
    let steps = edges.chunk_by(is_over);
    steps
        .filter_map(|edges| {
            Some(Step {
                front: *edges.first()?,
                back: *edges.last()?,
            })
        })
        .collect()
}

/// The same with one step where several go from version to version of one key:
/// who comes before the next one comes before all after that.
fn shortened(all: &Transactions<'_>, mut steps: Vec<Step>) -> Vec<Step> {
    let key = |place: u32| all.micros[place as usize].key;
    let goes_on = |one: &Step, other: &Step| {
        [WW, RW].contains(&one.front.kind)
            && other.front.kind == WW
            && key(one.back.back) == key(other.front.front)
    };
    let count = steps.len();
    let begins = |place: &usize| !goes_on(&steps[(place + count - 1) % count], &steps[*place]);
    let first = (0..count).find(begins);
    steps.rotate_left(first.unwrap_or(0));
    let mut shorter: Vec<Step> = Vec::new();
    for step in steps {
        match shorter.last_mut() {
            Some(last) if goes_on(last, &step) => last.back = step.back,
            _ => shorter.push(step),
        }
    }
    shorter
}

fn explained(all: &Transactions<'_>, step: &Step, one: usize, other: usize) -> String {
    let Step { front, back } = step;
    if front.kind == RT {
        return format!("T{one} completed before T{other} began");
    }
    let micro = all.micros[front.front as usize];
    let key = all.keys[micro.key as usize].name;
    let wrote = match all.is_list(micro.key) {
        true => "appended",
        false => "wrote",
    };
    if front.kind == WR {
        let value = all.written(front.front);
        return format!("T{one} {wrote} {value} to key {key}, and T{other} read it");
    }
    let value = all.written(back.back);
    match (front.kind, micro.does) {
        (RW, Does::Read(Some(seen))) if !all.is_list(micro.key) => {
            format!("T{one} read {seen} of key {key}, before T{other} wrote {value}")
        }
        (RW, _) => format!("T{one} read key {key} without {value}, which T{other} appended"),
        _ => {
            let before = all.written(front.front);
            format!("T{one} {wrote} {before} to key {key} before T{other} {wrote} {value}")
        }
    }
}
