//! What a page shows, from a history and the witness against it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use tribunal_checker::linearizability::witness::{self, Prefix, Shown, Witness};
use tribunal_histories::{Event, FailedCas, History, HistoryError, Operation, Outcome};

use super::faults::{Fault, faults};
use super::words::{brief, cut, full, label, seen};

/// So many operations are on a page, and those that the witness names. A
/// browser draws ten times as many without effort; nobody looks at them.
const OPERATIONS_MAX: usize = 2_000;

/// Everything that stands on a page, as its scripts read it.
#[derive(Clone, Debug, Serialize)]
pub struct Page {
    /// What was judged, in a few words.
    pub title: String,
    /// The refutation in a sentence.
    pub explanation: String,
    /// The same with the furthest order, as the terminal shows it.
    #[serde(skip)]
    pub text: String,
    facts: Vec<Fact>,
    next: Vec<Next>,
    prefix: Prefix,
    window: Window,
    /// In the order of invocation.
    operations: Vec<Bar>,
    left_out: LeftOut,
    /// The operation that no order has a place for; like all that follow by
    /// its place in `operations`.
    refuted: Option<usize>,
    /// The operation that would have written what the refuted one saw.
    failed_writer: Option<usize>,
    /// Operations that have no order by themselves; empty if none are known.
    needed: Vec<usize>,
    /// The orders that come furthest.
    orders: Vec<Order>,
    faults: Vec<Fault>,
}

/// What the caller knows of a history.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// What was judged, in a few words.
    pub title: String,
    /// What else there is to know.
    pub facts: Vec<Fact>,
    /// What can be typed now.
    pub next: Vec<Next>,
}

/// Something to know about the history.
#[derive(Clone, Debug, Serialize)]
pub struct Fact {
    /// What it is.
    pub name: &'static str,
    /// And which.
    pub value: String,
}

impl Fact {
    /// A fact.
    pub fn new(name: &'static str, value: impl ToString) -> Fact {
        let value = value.to_string();
        Fact { name, value }
    }
}

/// Something to type.
#[derive(Clone, Debug, Serialize)]
pub struct Next {
    /// What for.
    pub about: &'static str,
    /// The command line.
    pub command: String,
}

/// The part of the history that is pointed out, by indexes of events.
#[derive(Clone, Debug, Serialize)]
struct Window {
    first: u64,
    last: u64,
    /// What it is, in a few words.
    label: &'static str,
}

/// How many operations on the key are not on the page.
#[derive(Clone, Debug, Serialize)]
struct LeftOut {
    /// They are in the prefix, and far from what is pointed out.
    before: usize,
    /// They begin after the prefix.
    after: usize,
}

/// One operation.
#[derive(Clone, Debug, Serialize)]
struct Bar {
    process: u64,
    label: String,
    f: String,
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    /// Who answered, if not who was asked first.
    #[serde(skip_serializing_if = "Option::is_none")]
    answered_by: Option<String>,
    /// How it ended, as far as the prefix knows: `ok`, `fail`, `info`, `open`.
    ending: &'static str,
    /// Whether it had no effect and says nothing of the key.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    silent: bool,
    invoked: u64,
    invoked_ns: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_ns: Option<u64>,
    /// How it ended after the prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    later: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// An order of operations that comes as far as any.
#[derive(Clone, Debug, Serialize)]
struct Order {
    /// How many of its operations stand before `steps`.
    skipped: usize,
    /// What the key holds after those.
    before: String,
    steps: Vec<Step>,
    /// What the key may hold at its end.
    states: Vec<String>,
    /// The operations that it has no place for.
    missing: Vec<usize>,
}

/// One operation of an order, and what the key holds after it.
#[derive(Clone, Debug, Serialize)]
struct Step {
    operation: usize,
    state: String,
    /// The whole of it, if `state` is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    whole: Option<String>,
}

impl Page {
    /// The page of a refuted history.
    ///
    /// # Errors
    ///
    /// If the events make no operations.
    pub fn new(history: &History, witness: &Witness, about: About) -> Result<Page, HistoryError> {
        let all = history.operations()?;
        let on_key: Vec<&Operation> = all.iter().filter(|it| it.key == witness.key).collect();
        let last = witness.prefix.last;
        let begun = on_key.partition_point(|operation| operation.invoked <= last);
        let kept = nearest(&on_key[..begun], last, &mentioned(witness));
        let places: BTreeMap<u64, usize> = kept.iter().map(|it| it.invoked).zip(0..).collect();
        let place = |shown: &Shown| places.get(&shown.invoked).copied();
        let refuted = witness.refuted.as_ref().and_then(place);
        let mut facts = about.facts;
        if let Some(key) = &witness.key {
            facts.push(Fact::new("key", brief(key)));
        }
        if !witness.elements.is_empty() {
            let elements: Vec<String> = witness.elements.iter().map(brief).collect();
            facts.push(Fact::new("evidence of", elements.join(", ")));
        }
        Ok(Page {
            title: about.title,
            explanation: format!("{}.", witness.explanation),
            text: witness.to_string(),
            facts,
            next: about.next,
            prefix: witness.prefix.clone(),
            window: window(witness),
            left_out: LeftOut {
                before: begun - kept.len(),
                after: on_key.len() - begun,
            },
            operations: kept.iter().map(|it| Bar::new(it, history, last)).collect(),
            refuted,
            failed_writer: witness.failed_writer.as_ref().and_then(place),
            needed: witness.needed.iter().filter_map(place).collect(),
            orders: orders(witness, place),
            faults: faults(history, last),
        })
    }
}

/// The operations that a witness names, by the events that began them.
fn mentioned(witness: &Witness) -> BTreeSet<u64> {
    let steps = witness.orders.iter().flat_map(|order| &order.steps);
    let placed = steps.map(|step| &step.operation);
    let missing = witness.orders.iter().flat_map(|order| &order.missing);
    let single = witness.refuted.iter().chain(&witness.failed_writer);
    let evidence = witness.needed.iter().chain(&witness.optional);
    let all = placed.chain(missing).chain(single).chain(evidence);
    all.map(|shown| shown.invoked).collect()
}

/// Of the operations in the prefix those that are over last, and those that
/// are mentioned.
fn nearest<'a>(
    begun: &[&'a Operation],
    last: u64,
    mentioned: &BTreeSet<u64>,
) -> Vec<&'a Operation> {
    // What is unknown may happen at any time after. Most likely it happened
    // soon, or never.
    let over = |operation: &Operation| match operation.completed {
        Some(_) if operation.outcome == Outcome::Info => operation.invoked,
        Some(completed) => completed.min(last),
        None => operation.invoked,
    };
    let mut ends: Vec<u64> = begun.iter().map(|operation| over(operation)).collect();
    ends.sort_unstable_by(|one, other| other.cmp(one));
    let oldest = ends.get(OPERATIONS_MAX - 1).copied().unwrap_or(0);
    let is_kept = |operation: &&&Operation| {
        over(operation) >= oldest || mentioned.contains(&operation.invoked)
    };
    begun.iter().filter(is_kept).copied().collect()
}

/// Where the operations stand that have no order; where these are of the whole
/// history, the place that the refuted one had to take.
fn window(witness: &Witness) -> Window {
    let window = &witness.window;
    let refuted = witness.refuted.as_ref();
    let (first, label) = match (window.from_any_state, refuted) {
        (true, _) => (window.first, "no order is left here, whatever came before"),
        (false, Some(refuted)) => (refuted.invoked, "no place is left here"),
        (false, None) => (window.first, "no order is left here"),
    };
    Window {
        first,
        last: window.last,
        label,
    }
}

/// The orders that come furthest.
fn orders(witness: &Witness, place: impl Fn(&Shown) -> Option<usize>) -> Vec<Order> {
    let order = |order: &witness::Order| {
        let steps = order.steps.iter().filter_map(|step| {
            let (state, whole) = (brief(&step.state), full(&step.state));
            Some(Step {
                operation: place(&step.operation)?,
                whole: Some(whole).filter(|whole| *whole != state),
                state,
            })
        });
        Order {
            skipped: order.skipped,
            before: brief(&order.before),
            steps: steps.collect(),
            states: vec![brief(&order.state)],
            missing: order.missing.iter().filter_map(&place).collect(),
        }
    };
    witness.orders.iter().map(order).collect()
}

impl Bar {
    fn new(operation: &Operation, history: &History, last: u64) -> Bar {
        let event = |index: u64| at(&history.events, index);
        let completion = operation.completed.and_then(event);
        let in_prefix = operation.completed.is_some_and(|at| at <= last);
        let became = match (&operation.outcome, completion) {
            (_, None) => None,
            (Outcome::Ok(_), _) => Some("ok"),
            (Outcome::Fail, _) => Some("fail"),
            (Outcome::Info, _) => Some("info"),
        };
        let answered_by = completion.and_then(|event| event.node.as_ref());
        let failed_cas = history.header.failed_cas;
        let observes = operation.f == "cas" && failed_cas == FailedCas::Observed;
        // What it is told later, the prefix does not know.
        let known = match in_prefix {
            true => operation.clone(),
            false => Operation {
                outcome: Outcome::Info,
                ..operation.clone()
            },
        };
        Bar {
            process: operation.process,
            label: label(&known),
            f: operation.f.clone(),
            value: full(&operation.argument),
            seen: seen(operation).map(full),
            node: operation.node.clone(),
            answered_by: answered_by
                .filter(|node| operation.node.as_ref() != Some(node))
                .cloned(),
            ending: became.filter(|_| in_prefix).unwrap_or("open"),
            silent: in_prefix && operation.outcome == Outcome::Fail && !observes,
            invoked: operation.invoked,
            invoked_ns: event(operation.invoked).map_or(0, |event| event.time),
            completed: operation.completed,
            completed_ns: completion.map(|event| event.time),
            later: became.filter(|_| !in_prefix),
            error: completion.and_then(|event| event.error.as_deref()).map(cut),
        }
    }
}

/// The event with this index.
fn at(events: &[Event], index: u64) -> Option<&Event> {
    let place = events.partition_point(|event| event.index < index);
    events.get(place).filter(|event| event.index == index)
}
