//! Why a key is not linearizable: its shortest refuted prefix, and how far an
//! order of that comes.
//!
//! Every prefix of a linearizable history is linearizable (what completes
//! later is open in it), so there is a shortest one that is not. The search
//! of the whole history says where to look: no order of it accounts for one
//! completion, and up to there the prefix is fine. Mostly the prefix that
//! ends with that completion is refuted; only where an operation fails later,
//! and is open in the prefix, the shortest one is longer.

use std::sync::Arc;

use tribunal_histories::{Kind, Outcome, Value};

use super::Recording;
use super::depth_first::{DepthFirst, depth_first};
use super::dialect::{Done, KeyHistory};
use super::judge::Judge;
use super::object::{Call, NEVER, Object, State};
use super::rounds::{Job, Meter};
use super::search::{Progress, Supply};
use super::timeline::Timeline;
use super::witness::{Ending, Prefix, Seen, Shown, Step, Witness};
use crate::spec::Spec;
use crate::specification::Effect;

/// A prefix is taken for not refuted if so many moves do not refute it.
const MOVES_MAX: u64 = 1 << 22;
const MOVES_IN_SLICE: u64 = 1 << 12;
/// So many moves are spent on an order to show, where only the easier search
/// refutes.
const MOVES_TO_SHOW: u64 = 1 << 18;
/// So many steps of the furthest order are shown.
const STEPS_SHOWN: usize = 12;

/// Of the keys that were refuted this many are looked at for the shortest
/// prefix of all.
const KEYS_COMPARED: usize = 8;

/// The witness that one of the `refuted` keys is not linearizable, the one
/// that shows first.
pub(crate) fn witness(
    recording: &Recording<'_>,
    refuted: Vec<(&KeyHistory, &Job)>,
    meter: &Meter<'_>,
) -> Option<Witness> {
    let reached = |(key, job): (&_, &Job)| KeyHistory::reached(key, job.furthest, true);
    let mut places: Vec<(u32, &KeyHistory)> = refuted
        .into_iter()
        .map(|(key, job)| (reached((key, job)), key))
        .collect();
    places.sort_by_key(|&(place, _)| place);
    let prefixes = places.into_iter().take(KEYS_COMPARED).map(|(place, key)| {
        let (until, shortest) = shortest_refuted(key, place, meter);
        (until, shortest, key)
    });
    let (until, shortest, key) = prefixes.min_by_key(|&(until, ..)| until)?;
    Some(Refutation::new(recording, key, until).witness(shortest))
}

impl KeyHistory {
    /// The event at which a search is that cannot account for the completion
    /// of `call`; the first if the search is not to be trusted.
    pub(crate) fn reached(&self, call: Option<u32>, trusted: bool) -> u32 {
        let (calls, _) = self.calls(NEVER - 1);
        let place = call.map(|call| calls[call as usize].completed);
        place.filter(|_| trusted).unwrap_or(0)
    }
}

/// The event that ends the shortest prefix which is refuted, and whether it
/// is known for the shortest. No prefix that ends before `from` is.
fn shortest_refuted(key: &KeyHistory, from: u32, meter: &Meter<'_>) -> (u32, bool) {
    let completed = key.operations.iter().map(|it| it.completed);
    let later = completed.filter(|&place| place != NEVER && place >= from);
    let mut places: Vec<u32> = later.collect();
    places.sort_unstable();
    let Some(&last) = places.last() else {
        return (from, false);
    };
    // The whole history is refuted; mostly the first prefix is already.
    let mut sure = true;
    let (mut low, mut high) = (0, places.len() - 1);
    let mut middle = 0;
    while low < high {
        match is_refuted(key, places[middle], meter) {
            Some(true) => high = middle,
            decided => {
                sure &= decided.is_some();
                low = middle + 1;
            }
        }
        middle = (low + high) / 2;
    }
    let place = places.get(high).copied().unwrap_or(last);
    (place, sure)
}

/// Whether the prefix up to the event `until` is refuted, if that is soon
/// known.
fn is_refuted(key: &KeyHistory, until: u32, meter: &Meter<'_>) -> Option<bool> {
    let (calls, _) = key.calls(until);
    let mut judge = Judge::new(&key.object, calls, None);
    let mut left = MOVES_MAX;
    while left > 0 {
        match judge.run(MOVES_IN_SLICE) {
            Progress::Refuted => return Some(true),
            Progress::Explained => return Some(false),
            Progress::Paused if !meter.goes_on() => return None,
            Progress::Paused => left -= MOVES_IN_SLICE,
        }
    }
    None
}

/// The refuted prefix, searched once more to keep its furthest order.
struct Refutation<'a> {
    recording: &'a Recording<'a>,
    key: &'a KeyHistory,
    object: &'a Object,
    until: u32,
    calls: Vec<Call>,
    /// The operation that each call is.
    whose: Vec<u32>,
    /// The call that no order has a place for.
    refuted: Option<u32>,
    search: Box<dyn DepthFirst>,
}

impl<'a> Refutation<'a> {
    fn new(recording: &'a Recording<'a>, key: &'a KeyHistory, until: u32) -> Self {
        let (calls, whose) = key.calls(until);
        // Only a finished search knows how far an order comes.
        let mut judge = Judge::new(&key.object, calls.clone(), None);
        for _ in 0..MOVES_MAX / MOVES_IN_SLICE {
            if judge.run(MOVES_IN_SLICE) != Progress::Paused {
                break;
            }
        }
        // Without a search it is what the shortest refuted prefix ends with.
        let ends_it = |call: &Call| call.completed == until;
        let last = || calls.iter().position(ends_it).map(|call| call as u32);
        let refuted = judge.blamed().or_else(last);
        let timeline = Arc::new(Timeline::new(&key.object, calls.clone()));
        let exact = |watch| {
            let mut search = depth_first(&key.object, &timeline, Supply::Exact, watch);
            search.run(MOVES_TO_SHOW);
            search
        };
        let mut search = exact(refuted);
        if search.furthest() != refuted {
            search = exact(search.furthest());
        }
        Refutation {
            recording,
            key,
            object: &key.object,
            until,
            calls,
            whose,
            refuted,
            search,
        }
    }

    fn witness(&mut self, shortest: bool) -> Witness {
        let mut state = self.object.initial;
        let mut step = |call: u32| {
            let class = self.calls[call as usize].class;
            state = self.object.step(class, state).unwrap_or(state);
            (call, state)
        };
        let order: Vec<(u32, State)> = self.search.order().into_iter().map(&mut step).collect();
        let skipped = order.len().saturating_sub(STEPS_SHOWN);
        let before = match skipped.checked_sub(1) {
            Some(last) => order[last].1,
            None => self.object.initial,
        };
        let steps: Vec<Step> = order[skipped..]
            .iter()
            .map(|&(call, state)| Step {
                operation: self.show(self.whose[call as usize]),
                state: self.value(state),
            })
            .collect();
        let refuted = self.refuted.map(|call| self.whose[call as usize]);
        let in_prefix = |it: &&Done| it.completed != NEVER && it.completed <= self.until;
        let mut witness = Witness {
            explanation: String::new(),
            key: self.key.key.clone(),
            part: self.key.part.clone(),
            spec: self.key.spec,
            prefix: Prefix {
                last: self.recording.history.events[self.until as usize].index,
                completed: self.key.operations.iter().filter(in_prefix).count(),
                shortest,
            },
            refuted: refuted.map(|operation| self.show(operation)),
            never_written: self.never_written(),
            failed_writer: self.failed_writer(),
            states: self
                .search
                .states()
                .into_iter()
                .map(|state| self.value(state))
                .collect(),
            open: self.open(),
            skipped,
            before: self.value(before),
            steps,
        };
        witness.explanation = witness.sentence();
        witness
    }

    fn value(&self, state: State) -> Value {
        self.object.steps.show(state)
    }

    fn show(&self, operation: u32) -> Shown {
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
        open.map(|&operation| self.show(operation)).collect()
    }

    /// The one value with which the refuted operation is possible.
    fn wanted(&self) -> Option<State> {
        let call = self.search.furthest()?;
        match self.object.effect(self.calls[call as usize].class) {
            Effect::Observe(from) => from,
            Effect::Change { from, .. } => Some(from),
            Effect::Replace(_) | Effect::Total | Effect::Other => None,
        }
    }

    /// Whether what the refuted operation saw was never written to the key.
    fn never_written(&self) -> bool {
        let spec = self.key.spec;
        if spec.is_container() {
            return self.never_put().is_some();
        }
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

    /// The element that the refuted operation was given, if it was never put in.
    fn never_put(&self) -> Option<Value> {
        let refuted = self.whose[self.refuted? as usize];
        self.show(refuted).seen?;
        let element = match self.recording.answer(refuted)? {
            Value::Null => return None,
            element => element,
        };
        let initial = self.value(self.object.initial);
        let is_there = matches!(&initial, Value::List(all) if all.contains(element));
        let puts = |&operation: &u32| self.recording.argument(operation) == element;
        let is_put = is_there || self.whose.iter().any(puts);
        (!is_put).then(|| element.clone())
    }

    /// An operation that failed, if it alone wrote what the refuted one saw.
    fn failed_writer(&self) -> Option<Shown> {
        let wrote = |done: &Done| match self.key.spec.is_container() {
            true => {
                let put = self.never_put();
                put.is_some_and(|put| *self.recording.argument(done.operation) == put)
            }
            false => {
                let wanted = self.wanted().filter(|_| self.never_written());
                let class = done.class();
                wanted
                    .zip(class)
                    .is_some_and(|(wanted, class)| self.may_leave(class, wanted))
            }
        };
        let history = self.recording.history;
        let failed = self.key.operations.iter().find(|done| {
            let in_prefix = done.completed != NEVER && done.completed <= self.until;
            in_prefix && history.events[done.completed as usize].kind == Kind::Fail && wrote(done)
        });
        failed.map(|done| self.show(done.operation))
    }

    /// Whether a call can leave `wanted`, as far as it tells by itself.
    fn may_leave(&self, class: u32, wanted: State) -> bool {
        match self.object.effect(class) {
            Effect::Replace(to) | Effect::Change { to, .. } => to == wanted,
            Effect::Observe(_) => false,
            Effect::Total | Effect::Other => true,
        }
    }
}
