//! Why a history has not the property: as data, and in words.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::Serialize;
use tribunal_histories::{Operation, Outcome, Value};

use super::acts::{Acts, Does};
use super::graph::{Edge, Graph, Why};
use super::sessions::Broken;
use super::sources::Sources;
use super::{Property, Staleness};

/// Operations that cannot all be right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Witness {
    /// The broken property.
    pub property: &'static str,
    /// What the literature calls what is wrong, if it has a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<&'static str>,
    /// What is wrong, in a sentence that calls the operations O1, O2, ….
    pub why: String,
    /// What comes before what, and why: the proof of that sentence, as far as
    /// it is not plain.
    pub steps: Vec<String>,
    /// The operations O1, O2, …, in the order of invocation.
    pub operations: Vec<Involved>,
    /// How stale reads are, where that is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staleness: Option<Staleness>,
}

/// An operation of a witness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Involved {
    /// The session.
    pub process: u64,
    /// What was done.
    pub f: String,
    /// On which key; none if the history has one object only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Value>,
    /// What a read saw, a write wrote, or a cas was to replace and by what.
    pub value: Value,
    /// Index of the event that began it.
    pub invoked: u64,
    /// Index of the event that ended it, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed: Option<u64>,
    /// How it ended.
    #[serde(rename = "type")]
    pub ending: &'static str,
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pattern = self
            .pattern
            .map_or_else(String::new, |name| format!(" ({name})"));
        writeln!(f, "{}{pattern}: {}.", self.property, self.why)?;
        if let Some(staleness) = self.staleness {
            writeln!(f, "  {staleness}")?;
        }
        for step in &self.steps {
            writeln!(f, "  {step}")?;
        }
        for (number, operation) in (1..).zip(&self.operations) {
            writeln!(f, "  O{number}: {operation}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Involved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Involved {
            process,
            f: what,
            value,
            invoked,
            ending,
            ..
        } = self;
        write!(f, "process {process}, {what}")?;
        if let Some(key) = &self.key {
            write!(f, " of key {key}")?;
        }
        write!(f, ": {value}, {ending}, from event {invoked}")?;
        self.completed.map_or(Ok(()), |at| write!(f, " to {at}"))
    }
}

impl Involved {
    fn of(operation: &Operation) -> Self {
        let (ending, seen) = match &operation.outcome {
            Outcome::Ok(value) => ("ok", Some(value)),
            Outcome::Fail => ("fail", None),
            Outcome::Info => ("info", None),
        };
        let is_read = matches!(operation.f.as_str(), "read" | "get");
        let value = seen.filter(|_| is_read).unwrap_or(&operation.argument);
        Involved {
            process: operation.process,
            f: operation.f.clone(),
            key: operation.key.clone(),
            value: value.clone(),
            invoked: operation.invoked,
            completed: operation.completed,
            ending,
        }
    }
}

/// The operations of a witness, by their places in the history.
struct Cast<'a> {
    operations: &'a [Operation],
    numbers: BTreeMap<u32, usize>,
}

impl<'a> Cast<'a> {
    fn of(operations: &'a [Operation], involved: impl IntoIterator<Item = u32>) -> Self {
        let mut numbers: BTreeMap<u32, usize> = involved.into_iter().map(|it| (it, 0)).collect();
        for (number, place) in numbers.values_mut().zip(1..) {
            *number = place;
        }
        Cast {
            operations,
            numbers,
        }
    }

    fn name(&self, operation: u32) -> String {
        self.numbers
            .get(&operation)
            .map_or_else(String::new, |number| format!("O{number}"))
    }

    fn witness(&self, property: Property, why: String) -> Witness {
        let operations = self.numbers.keys();
        let operations = operations.map(|&place| Involved::of(&self.operations[place as usize]));
        Witness {
            property: property.name(),
            pattern: None,
            why,
            steps: Vec::new(),
            operations: operations.collect(),
            staleness: None,
        }
    }
}

const fn is_causal(property: Property) -> bool {
    matches!(
        property,
        Property::Causal | Property::CausalMemory | Property::CausalConvergence
    )
}

/// An act saw what nobody wrote.
pub(super) fn thin_air(acts: &Acts<'_>, property: Property, act: u32) -> Box<Witness> {
    let read = acts.list[act as usize];
    let failed = read.saw().and_then(|slot| acts.failed.get(&slot).copied());
    let involved = std::iter::once(read.operation).chain(failed);
    let cast = Cast::of(acts.operations, involved);
    let seen = cast.name(read.operation);
    let why = match failed {
        Some(failed) => format!(
            "{seen} saw a value that only {} would have written, and that failed",
            cast.name(failed)
        ),
        None => format!("{seen} saw a value that was never written to its key"),
    };
    let mut witness = cast.witness(property, why);
    witness.pattern = is_causal(property).then_some("ThinAirRead");
    Box::new(witness)
}

/// A read saw what had been overwritten, or had not begun to be written.
pub(super) fn overwritten(
    acts: &Acts<'_>,
    property: Property,
    act: u32,
    (source, later): (Option<u32>, Option<u32>),
) -> Box<Witness> {
    let operation = |act: u32| acts.list[act as usize].operation;
    let read = acts.list[act as usize];
    let [source, later] = [source, later].map(|act| act.map(operation));
    let is_other = matches!(read.does, Does::ReadOther(_));
    let is_initial = read.saw() == Some(acts.initial[0]);
    let later = later.filter(|_| is_other || is_initial || source.is_some());
    if later.is_none() && !is_other {
        return thin_air_or_early(acts, property, act);
    }
    let involved = std::iter::once(read.operation).chain(source).chain(later);
    let cast = Cast::of(acts.operations, involved);
    let seen = cast.name(read.operation);
    let later = later.map(|later| cast.name(later));
    let by = later.as_deref().unwrap_or_default();
    let why = match source {
        _ if is_other => {
            let last = match &later {
                Some(last) => format!("{last} was the last write to end before, and "),
                None => String::new(),
            };
            format!(
                "{seen} found another value than its old one, but {last}no other value can have \
                 been there"
            )
        }
        None => {
            format!("{seen} saw what its key held at first, but {by} wrote to it and ended before")
        }
        Some(source) => format!(
            "{seen} saw what {0} wrote, but {by} overwrote that: it began after {0} had ended, and \
             ended before {seen} began",
            cast.name(source)
        ),
    };
    Box::new(cast.witness(property, why))
}

/// A read saw what was written later, or never.
pub(super) fn thin_air_or_early(acts: &Acts<'_>, property: Property, act: u32) -> Box<Witness> {
    let read = acts.list[act as usize];
    let mut writes = acts.list.iter();
    let write = writes.find(|it| it.writes().is_some() && it.writes() == read.saw());
    let Some(write) = write.filter(|write| write.operation != read.operation) else {
        return thin_air(acts, property, act);
    };
    let cast = Cast::of(acts.operations, [read.operation, write.operation]);
    let [seen, write] = [read.operation, write.operation].map(|it| cast.name(it));
    let why = format!("{seen} ended before {write} began, which wrote what it saw");
    Box::new(cast.witness(property, why))
}

/// All orders were tried; `of` says of what, and one that comes furthest has so
/// many operations, none of `next` being able to follow.
pub(super) fn stuck(
    acts: &Acts<'_>,
    property: Property,
    of: &str,
    placed: usize,
    next: &[u32],
) -> Box<Witness> {
    let involved = next.iter().map(|&act| acts.list[act as usize].operation);
    let cast = Cast::of(acts.operations, involved.take(INVOLVED_MAX));
    let names: Vec<String> = cast.numbers.keys().map(|it| cast.name(*it)).collect();
    let why = format!(
        "all orders of {of} were tried; the one that comes furthest has {placed} operations, and \
         none of {} can follow it",
        names.join(", ")
    );
    Box::new(cast.witness(property, why))
}

/// A read missed as many writes as it may not.
pub(super) fn stale(
    acts: &Acts<'_>,
    act: u32,
    source: Option<u32>,
    between: &[u32],
) -> Box<Witness> {
    let operation = |act: u32| acts.list[act as usize].operation;
    let writes = between.iter().take(INVOLVED_MAX).copied();
    let involved = writes.chain([act]).chain(source).map(operation);
    let cast = Cast::of(acts.operations, involved);
    let seen = cast.name(operation(act));
    let saw = match source {
        Some(source) => format!("what {} wrote", cast.name(operation(source))),
        None => "what its key held at first".to_owned(),
    };
    let writes = match between.len() {
        1 => "a write to the key lies".to_owned(),
        many => format!("{many} writes to the key lie"),
    };
    let why = format!("{seen} saw {saw}, though {writes} entirely between");
    Box::new(cast.witness(Property::KAtomicity, why))
}

/// At most so many operations are shown of many.
const INVOLVED_MAX: usize = 16;

/// At most so many steps are shown of a proof.
const STEPS_MAX: usize = 24;

/// What a graph shows to be wrong.
pub(super) fn broken(
    acts: &Acts<'_>,
    sources: &Sources,
    property: Property,
    broken: &Broken,
) -> Box<Witness> {
    let (graph, mut proof) = match broken {
        Broken::Cycle(graph, _) | Broken::Initial(graph, ..) | Broken::Overwritten(graph, _) => {
            (graph, Proof::of(graph, sources))
        }
    };
    let all = graph.edges.len() as u32;
    match broken {
        Broken::Cycle(_, cycle) => proof.add(cycle),
        Broken::Initial(_, write, read) => proof.add_path(*write, *read, all),
        Broken::Overwritten(_, [first, second, read]) => {
            proof.add_path(*first, *second, all);
            proof.add_path(*second, *read, all);
        }
    }
    let proved = proof.finish();
    let operation = |node: u32| acts.list[sources.node(node).act as usize].operation;
    let of_edge = |edge: &Edge| {
        let third = match edge.why {
            Why::Seen(node) | Why::Overwritten(node) => Some(node),
            Why::Session | Why::ReadFrom | Why::Initial => None,
        };
        [Some(edge.from), Some(edge.to), third]
            .into_iter()
            .flatten()
    };
    let ends = match broken {
        Broken::Cycle(..) => vec![],
        Broken::Initial(_, write, read) => vec![*write, *read],
        Broken::Overwritten(_, nodes) => nodes.to_vec(),
    };
    let nodes = proved.steps.iter().flat_map(of_edge).chain(ends);
    let cast = Cast::of(acts.operations, nodes.map(operation));
    let name = |node: u32| cast.name(operation(node));
    let (why, patterns) = match broken {
        Broken::Cycle(..) => {
            let cycle = &proved.steps[..proved.first];
            let mut names: Vec<String> = cycle.iter().map(|edge| name(edge.from)).collect();
            names.dedup();
            let is_plain = cycle
                .iter()
                .all(|it| matches!(it.why, Why::Session | Why::ReadFrom));
            let why = match names.as_slice() {
                [one] => format!("{one} would have to come before itself"),
                names => format!(
                    "{} would each have to come before the next, and the last before the first",
                    names.join(", ")
                ),
            };
            let derived = match property {
                Property::CausalMemory => "CyclicHB",
                _ => "CyclicCF",
            };
            (why, if is_plain { "CyclicCO" } else { derived })
        }
        Broken::Initial(_, write, read) => {
            let [write, read] = [*write, *read].map(name);
            let why = format!(
                "{read} saw what its key held at first, though {write} wrote to it and comes before"
            );
            let is_plain = proved
                .steps
                .iter()
                .all(|it| matches!(it.why, Why::Session | Why::ReadFrom));
            let pattern = match is_plain {
                true => "WriteCOInitRead",
                false => "WriteHBInitRead",
            };
            (why, pattern)
        }
        Broken::Overwritten(_, nodes) => {
            let [first, second, read] = nodes.map(name);
            let why = format!(
                "{read} saw what {first} wrote, though {second} overwrote that: it comes after \
                 {first} and before {read}"
            );
            (why, "WriteCORead")
        }
    };
    let mut witness = cast.witness(property, why);
    witness.pattern = is_causal(property).then_some(patterns);
    // Of a cas, its read comes before its write: nobody needs to be told.
    let steps = proved.steps.iter();
    let steps = steps.filter(|edge| operation(edge.from) != operation(edge.to));
    witness.steps = steps.map(|edge| step(edge, &name)).collect();
    if proved.is_cut {
        witness
            .steps
            .push("and more, of which not all is shown".to_owned());
    }
    Box::new(witness)
}

fn step(edge: &Edge, name: &impl Fn(u32) -> String) -> String {
    let [from, to] = [edge.from, edge.to].map(name);
    let mut text = format!("{from} before {to}: ");
    let _ = match edge.why {
        Why::Session => write!(text, "so they stand in their session"),
        Why::ReadFrom => write!(text, "{to} saw what {from} wrote"),
        Why::Seen(read) => {
            let read = name(read);
            write!(text, "{read} comes after {from} and saw what {to} wrote")
        }
        Why::Overwritten(write) => {
            let write = name(write);
            write!(
                text,
                "{from} saw what {write} wrote, and {to} comes after {write}"
            )
        }
        Why::Initial => write!(text, "{from} saw what the key held before {to} wrote to it"),
    };
    text
}

/// Edges, each followed by those that its reason speaks of.
struct Proof<'a> {
    graph: &'a Graph,
    nodes: u32,
    leaving: super::graph::Index,
    /// Edges that are to be shown, and their places in the graph.
    steps: Vec<(Edge, u32)>,
    first: usize,
}

struct Proved {
    steps: Vec<Edge>,
    /// So many of them are the claim itself.
    first: usize,
    is_cut: bool,
}

impl<'a> Proof<'a> {
    fn of(graph: &'a Graph, sources: &Sources) -> Self {
        Proof {
            graph,
            nodes: sources.nodes.len() as u32,
            leaving: graph.index(|edge| edge.from),
            steps: Vec::new(),
            first: 0,
        }
    }

    fn add_path(&mut self, from: u32, to: u32, bound: u32) {
        if let Some(path) = self.graph.path(&self.leaving, from, to, bound) {
            self.add(&path);
        }
    }

    /// Adds edges in a row, or around. What stands between nodes is left out:
    /// the edge that leaves it says why.
    fn add(&mut self, row: &[u32]) {
        let is_node = |vertex: u32| vertex < self.nodes;
        let edges = row
            .iter()
            .map(|&place| (self.graph.edges[place as usize], place));
        let mut edges: Vec<(Edge, u32)> = edges.collect();
        let first = edges.iter().position(|(edge, _)| is_node(edge.from));
        edges.rotate_left(first.unwrap_or(0));
        let mut from = None;
        for (edge, place) in edges {
            let begun = from.take().unwrap_or(edge.from);
            if !is_node(edge.to) {
                from = Some(begun);
                continue;
            }
            let whole = Edge {
                from: begun,
                ..edge
            };
            let is_known = |(known, _): &(Edge, u32)| (known.from, known.to) == (begun, edge.to);
            if !self.steps.iter().any(is_known) {
                self.steps.push((whole, place));
            }
        }
    }

    fn finish(mut self) -> Proved {
        let mut proved = Proved {
            steps: Vec::new(),
            first: self.steps.len(),
            is_cut: false,
        };
        self.first = self.steps.len();
        let mut done = 0;
        while let Some(&(edge, place)) = self.steps.get(done) {
            done += 1;
            if done > self.first.max(STEPS_MAX) {
                proved.is_cut = true;
                break;
            }
            proved.steps.push(edge);
            match edge.why {
                Why::Seen(read) => self.add_path(edge.from, read, place),
                Why::Overwritten(write) => self.add_path(write, edge.to, place),
                Why::Session | Why::ReadFrom | Why::Initial => {}
            }
        }
        proved
    }
}
