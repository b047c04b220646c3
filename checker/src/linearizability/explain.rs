//! Why a key is not linearizable: what refutes the first prefix that has no order,
//! and how far an order of that comes.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use tribunal_histories::faults::faults;
use tribunal_histories::{Kind, Outcome, Value};

use super::Recording;
use super::certificate::Rechecked;
use super::dialect::{Done, KeyHistory};
use super::elements::{Elements, Part};
use super::evidence::{Evidence, evidence};
use super::first_refuted::{FirstRefuted, first_refuted, moves_for};
use super::furthest::{Furthest, furthest};
use super::guard::Guard;
use super::judge::Judge;
use super::object::{Call, NEVER, Object, State};
use super::rounds::{Job, Meter};
use super::search::Progress;
use super::subhistory::Start;
use super::timeline::Timeline;
use super::witness::{Ending, Fault, Order, Prefix, Seen, Shown, Step, Window, Witness, brief};
use crate::spec::Spec;

/// So many steps of the furthest order are shown.
const STEPS_SHOWN: usize = 12;
/// So many operations are shown that could come next.
const NEXT_SHOWN: usize = 8;
/// Of more operations than these the evidence is not shown.
const NEEDED_SHOWN: usize = 64;
const OPTIONAL_SHOWN: usize = 512;

/// Of the keys that were refuted this many are looked at for the shortest
/// prefix of all.
const KEYS_COMPARED: usize = 8;

/// The witness that one of the `refuted` keys is not linearizable, the one
/// that shows first.
pub(crate) fn witness(
    recording: &Recording<'_>,
    mut refuted: Vec<(&KeyHistory, &Job<'_>)>,
    meter: &Meter<'_>,
) -> Option<Witness> {
    refuted.sort_by_cached_key(|(key, job)| key.reached(job.blamed(), true));
    let some = refuted.into_iter().take(KEYS_COMPARED);
    let prefixes = some.map(|(key, job)| (key, first_refuted(key, job, meter)));
    let (key, first) = prefixes.min_by_key(|(_, first)| first.until)?;
    let shortest = first.is_shortest;
    Some(Refutation::new(recording, key, first, meter).witness(shortest))
}

impl KeyHistory {
    /// The event at which a search is that cannot account for the completion
    /// of `call`; the first if the search is not to be trusted.
    pub(crate) fn reached(&self, call: Option<u32>, trusted: bool) -> u32 {
        let call = call
            .filter(|_| trusted)
            .and_then(|call| self.all_calls().nth(call as usize));
        call.map_or(0, |call| call.completed)
    }
}

/// How far orders of these calls come, of which `last` completes last, and what
/// refutes them; nothing if a limit was met. The elements that are `enough` to refute
/// them may be known.
fn findings(
    key: &KeyHistory,
    calls: &[Call],
    last: Option<u32>,
    enough: Option<(Elements<'_>, Part)>,
    meter: &Meter<'_>,
) -> Option<(Furthest, Evidence)> {
    if !meter.goes_on() {
        return None;
    }
    let (object, moves) = (&key.object, moves_for(key.spec, calls.len()));
    let enough = enough.and_then(|(mut elements, part)| elements.shrink(calls, part));
    // Only a finished search knows how far an order comes.
    let mut judge = Judge::new(object, calls.to_vec(), None);
    let mut share = meter.share();
    if judge.decide(moves.to_refute, |bytes| share.goes_on(bytes)) != Progress::Refuted {
        judge = Judge::Refuted(Vec::new());
    }
    let prepare = |guard: &mut Guard<'_>| Timeline::new(object, calls.to_vec(), guard).ok();
    let timeline = Arc::new(meter.guarding(object, prepare)?);
    // What follows counts the object's states itself.
    let bytes = judge.bytes().saturating_sub(object.steps.bytes());
    share.goes_on(bytes + timeline.bytes());
    let furthest = furthest(object, &timeline, &judge, last, &moves, meter);
    let evidence = evidence(object, &timeline, enough, &judge.blame(), meter);
    Some((furthest, evidence))
}

/// The refuted prefix, with what refutes it and the orders that come furthest.
struct Refutation<'a> {
    recording: &'a Recording<'a>,
    key: &'a KeyHistory,
    object: &'a Object,
    until: u32,
    calls: Vec<Call>,
    /// The operation that each call is.
    whose: Vec<u32>,
    furthest: Furthest,
    evidence: Evidence,
}

impl<'a> Refutation<'a> {
    fn new(
        recording: &'a Recording<'a>,
        key: &'a KeyHistory,
        first: FirstRefuted<'_>,
        meter: &Meter<'_>,
    ) -> Self {
        let until = first.until;
        let (calls, whose) = key.calls(until);
        // Without a search it is what the shortest refuted prefix ends with.
        let ends_it = |call: &Call| call.completed == until;
        let last = calls.iter().position(ends_it).map(|call| call as u32);
        let (furthest, evidence) = findings(key, &calls, last, first.enough, meter)
            .unwrap_or_else(|| (Furthest::untold(last), Evidence::NONE));
        Refutation {
            recording,
            key,
            object: &key.object,
            until,
            calls,
            whose,
            furthest,
            evidence,
        }
    }

    fn witness(&self, shortest: bool) -> Witness {
        let in_prefix = |it: &&Done| it.completed != NEVER && it.completed <= self.until;
        let orders = self.furthest.orders.iter();
        let orders: Vec<Order> = orders.map(|order| self.order(order)).collect();
        let first = orders.first();
        let never_put = self.never_put();
        let never_written = never_put.is_some() || self.never_written();
        let (rechecked, not_rechecked) = match self.evidence.rechecked {
            Rechecked::Holds => (Some(true), None),
            Rechecked::Fails => (Some(false), None),
            Rechecked::TooLarge => (None, Some("too many orders to try them all".to_owned())),
            Rechecked::OutOfBounds => {
                let why = "too many orders to try them all; it is out of the bounds of what can have been added";
                (None, Some(why.to_owned()))
            }
            Rechecked::LimitMet => (None, Some("a limit was met before".to_owned())),
        };
        // What is needed says nothing without what may be there as well.
        let Evidence {
            needed, optional, ..
        } = &self.evidence;
        let is_shown = needed.len() <= NEEDED_SHOWN && optional.len() <= OPTIONAL_SHOWN;
        let elements: FxHashSet<&Value> = self.evidence.elements.iter().collect();
        let shown = |calls: &[u32]| -> Vec<Shown> {
            let calls = calls.iter().filter(|_| is_shown);
            let shown = calls.map(|&call| self.show(call));
            shown.map(|shown| shown.of_elements(&elements)).collect()
        };
        let is_evident = self.furthest.refuted.is_some_and(|it| needed.contains(&it));
        let (needed, optional) = (shown(needed), shown(optional));
        let mut witness = Witness {
            explanation: String::new(),
            key: self.key.key.clone(),
            part: self.key.part.clone(),
            spec: self.key.spec,
            prefix: Prefix {
                last: self.index(self.until),
                completed: self.key.operations.iter().filter(in_prefix).count(),
                shortest,
            },
            window: self.window(),
            optional,
            elements: match needed.is_empty() {
                true => Vec::new(),
                false => self.evidence.elements.clone(),
            },
            needed,
            rechecked,
            not_rechecked,
            // Of a prefix that is longer than it need be the last call says nothing.
            refuted: match shortest || !self.furthest.orders.is_empty() || is_evident {
                true => self.furthest.refuted.map(|call| self.show(call)),
                false => None,
            },
            never_written,
            failed_writer: match never_written {
                true => self.failed_writer(never_put),
                false => None,
            },
            states: self
                .furthest
                .states
                .iter()
                .map(|&state| self.value(state))
                .collect(),
            open: self.open(),
            faults: self.faults(),
            skipped: first.map_or(0, |order| order.skipped),
            before: first.map_or(self.value(self.object.initial), |it| it.before.clone()),
            steps: first.map_or(Vec::new(), |order| order.steps.clone()),
            orders,
        };
        witness.explanation = witness.sentence();
        witness
    }

    /// Where the evidence lies.
    fn window(&self) -> Window {
        let invoked = |&call: &u32| self.calls[call as usize].invoked;
        let of_evidence = self.evidence.needed.iter().map(invoked).min();
        let of_key = self.key.operations.first().map(|it| it.invoked);
        let first = match self.evidence.start {
            Start::Anywhere => of_evidence,
            Start::Initial => of_key,
        };
        Window {
            first: self.index(first.unwrap_or(0)),
            last: self.index(self.until),
            smallest: self.evidence.smallest,
            from_any_state: self.evidence.start == Start::Anywhere,
        }
    }

    /// The end of an order, and what keeps it from going on.
    fn order(&self, order: &[u32]) -> Order {
        let reached = self.furthest.refuted.map(|call| self.completed(call));
        let reached = reached.unwrap_or(self.until);
        let mut placed = vec![false; self.calls.len()];
        for &call in order {
            placed[call as usize] = true;
        }
        let left = (0..self.calls.len() as u32).filter(|&call| !placed[call as usize]);
        let (missing, pending): (Vec<u32>, Vec<u32>) =
            left.partition(|&call| self.completed(call) <= reached);
        let skipped = order.len().saturating_sub(STEPS_SHOWN);
        let before = self.object.left_by(&self.calls, &order[..skipped]);
        let before = before.unwrap_or(self.object.initial);
        let mut state = before;
        let mut step = |&call: &u32| {
            let next = self.object.step_as_specified(self.class(call), state);
            state = next.unwrap_or(state);
            (call, state)
        };
        let steps: Vec<(u32, State)> = order[skipped..].iter().map(&mut step).collect();
        let shown = steps.iter().map(|&(call, state)| Step {
            operation: self.show(call),
            state: self.value(state),
        });
        let changes = |call: &&u32| {
            let invoked = self.calls[**call as usize].invoked;
            let next = self.object.step_as_specified(self.class(**call), state);
            invoked <= reached && next.is_some_and(|next| next != state)
        };
        let next = pending.iter().rev().filter(changes).take(NEXT_SHOWN);
        Order {
            skipped,
            before: self.value(before),
            steps: shown.collect(),
            state: self.value(state),
            needs: self.wanted().map(|state| self.value(state)),
            missing: missing.iter().map(|&call| self.show(call)).collect(),
            next: next.map(|&call| self.show(call)).collect(),
        }
    }

    fn class(&self, call: u32) -> u32 {
        self.calls[call as usize].class
    }

    fn completed(&self, call: u32) -> u32 {
        self.calls[call as usize].completed
    }

    /// The index of the event at this place.
    fn index(&self, place: u32) -> u64 {
        self.recording.history.events[place as usize].index
    }

    /// A call as its operation.
    fn show(&self, call: u32) -> Shown {
        self.show_operation(self.whose[call as usize])
    }

    fn value(&self, state: State) -> Value {
        self.object.steps.show(state)
    }

    fn show_operation(&self, operation: u32) -> Shown {
        let pair = self.recording.pairs[operation as usize];
        let it = self.recording.history.operation(pair);
        let in_prefix = pair.completed.is_some_and(|at| at <= self.until);
        let completed = it.completed.filter(|_| in_prefix);
        let ending = match (&it.outcome, completed) {
            (_, None) => Ending::Open,
            (Outcome::Ok(_), _) => Ending::Ok,
            (Outcome::Fail, _) => Ending::Fail,
            (Outcome::Info, _) => Ending::Info,
        };
        let seen = match &it.outcome {
            Outcome::Ok(value) if self.key.spec.tells(&it.f, &it.argument, value) => {
                (ending == Ending::Ok).then(|| Seen(value.clone()))
            }
            _ => None,
        };
        Shown {
            process: it.process,
            f: it.f.clone(),
            value: it.argument.clone(),
            ending,
            seen,
            invoked: it.invoked,
            completed,
            node: it.node.clone(),
        }
    }

    /// The operations that are open where the prefix ends.
    fn open(&self) -> Vec<Shown> {
        let is_open = |operation: &&u32| {
            let completed = self.recording.pairs[**operation as usize].completed;
            completed.is_none_or(|at| at > self.until)
        };
        let open = self.whose.iter().filter(is_open);
        open.map(|&operation| self.show_operation(operation))
            .collect()
    }

    /// The faults that began in the prefix.
    fn faults(&self) -> Vec<Fault> {
        let faults = faults(self.recording.history, self.index(self.until));
        let shown = faults.iter().map(|fault| {
            let words = fault.words.iter().map(|word| match word {
                Value::Text(text) => text.clone(),
                other => brief(other),
            });
            let label: Vec<String> = [fault.first.f.clone()].into_iter().chain(words).collect();
            Fault {
                label: label.join(" "),
                first: fault.first.index,
                last: fault.last.map(|event| event.index),
                is_moment: fault.is_moment,
            }
        });
        shown.collect()
    }

    /// The one value with which the refuted operation is possible.
    fn wanted(&self) -> Option<State> {
        let call = self.furthest.refuted?;
        self.object.effect(self.class(call)).needs()
    }

    /// Whether what the refuted operation saw was never written to the key.
    fn never_written(&self) -> bool {
        let spec = self.key.spec;
        if !spec.is_register() && spec != Spec::MultiRegister {
            return false;
        }
        self.wanted().is_some_and(|wanted| {
            self.object.initial != wanted
                && !self
                    .calls
                    .iter()
                    .any(|call| self.may_leave(call.class, wanted))
        })
    }

    /// The element that the refuted operation was given, if it was never put into
    /// the container; the value that it saw in a register that counts.
    fn never_put(&self) -> Option<&'a Value> {
        let refuted = self.whose[self.furthest.refuted? as usize];
        self.show_operation(refuted).seen?;
        let element = match (self.key.spec, self.recording.answer(refuted)?) {
            (Spec::VersionedRegister, Value::List(pair)) => pair.get(1)?,
            (Spec::VersionedRegister, _) => return None,
            (spec, element) if spec.is_container() => element,
            _ => return None,
        };
        let initial = self.value(self.object.initial);
        let is_there = matches!(&initial, Value::List(all) if all.contains(element));
        let puts = |&operation: &u32| self.puts(operation, element);
        let is_put = is_there || self.whose.iter().any(puts);
        (*element != Value::Null && !is_put).then_some(element)
    }

    /// Whether an operation puts this in, or may.
    fn puts(&self, operation: u32, element: &Value) -> bool {
        let argument = self.recording.argument(operation);
        match self.key.spec {
            Spec::VersionedRegister => holds(argument, element),
            _ => argument == element,
        }
    }

    /// An operation that failed, if it alone put in what was `never_put`, or wrote
    /// what the refuted one saw.
    fn failed_writer(&self, never_put: Option<&Value>) -> Option<Shown> {
        let wanted = self.wanted();
        let wrote = |done: &Done| match never_put {
            Some(put) => self.puts(done.operation, put),
            None => wanted
                .zip(done.class())
                .is_some_and(|(wanted, class)| self.may_leave(class, wanted)),
        };
        let history = self.recording.history;
        let failed = self.key.operations.iter().find(|done| {
            let in_prefix = done.completed != NEVER && done.completed <= self.until;
            in_prefix && history.events[done.completed as usize].kind == Kind::Fail && wrote(done)
        });
        failed.map(|done| self.show_operation(done.operation))
    }

    /// Whether a call can leave `wanted`, as far as it tells by itself.
    fn may_leave(&self, class: u32, wanted: State) -> bool {
        let effect = self.object.effect(class);
        match effect.leaves() {
            Some(to) => to == wanted,
            None => !effect.is_read_only(),
        }
    }
}

/// Whether a value is this one, or a list that holds it.
fn holds(value: &Value, wanted: &Value) -> bool {
    match value {
        Value::List(all) => value == wanted || all.iter().any(|it| holds(it, wanted)),
        _ => value == wanted,
    }
}
