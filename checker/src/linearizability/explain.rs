//! Why a key is not linearizable: its shortest refuted prefix, and how far an
//! order of that comes.
//!
//! Every prefix of a linearizable history is linearizable (what completes
//! later is open in it), so there is a shortest one that is not. The search
//! of the whole history says where to look: no order of it accounts for one
//! completion, and up to there the prefix is fine. Mostly the prefix that
//! ends with that completion is refuted; only where an operation fails later,
//! and is open in the prefix, the shortest one is longer.

use tribunal_histories::{Operation, Outcome, Value};

use super::dialect::KeyHistory;
use super::key_search::{Judge, KeySearch, key_search};
use super::rounds::{Job, Meter};
use super::search::{Progress, Supply};
use super::witness::{Ending, Prefix, Seen, Shown, Step, Witness};
use crate::specification::{Kv, KvCall, RegisterCall, TimedCallOf};
use crate::symbols::Symbol;

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
    operations: &[Operation],
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
    Some(Refutation::new(operations, key, until).witness(shortest))
}

impl KeyHistory {
    /// The event at which a search is that cannot account for the completion
    /// of `call`; the first if the search is not to be trusted.
    pub(crate) fn reached(&self, call: Option<u32>, trusted: bool) -> u32 {
        let (calls, _) = self.calls(u32::MAX);
        let completed = |call: u32| calls[call as usize].completed.as_ref();
        let place = call.and_then(completed).map(|(place, _)| *place);
        place.filter(|_| trusted).unwrap_or(0)
    }
}

/// The event that ends the shortest prefix which is refuted, and whether it
/// is known for the shortest. No prefix that ends before `from` is.
fn shortest_refuted(key: &KeyHistory, from: u32, meter: &Meter<'_>) -> (u32, bool) {
    let completed = key.operations.iter().filter_map(|it| it.completed);
    let mut places: Vec<u32> = completed.filter(|&place| place >= from).collect();
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
    let mut judge = Judge::new(key, calls);
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
    operations: &'a [Operation],
    key: &'a KeyHistory,
    until: u32,
    calls: Vec<TimedCallOf<Kv>>,
    /// The operation that each call is.
    whose: Vec<usize>,
    /// The call that no order has a place for.
    refuted: Option<u32>,
    search: Box<dyn KeySearch>,
}

impl<'a> Refutation<'a> {
    fn new(operations: &'a [Operation], key: &'a KeyHistory, until: u32) -> Self {
        let (calls, whose) = key.calls(until);
        // Only a finished search knows how far an order comes.
        let mut judge = Judge::new(key, calls.clone());
        for _ in 0..MOVES_MAX / MOVES_IN_SLICE {
            if judge.run(MOVES_IN_SLICE) != Progress::Paused {
                break;
            }
        }
        // Without a search it is what the shortest refuted prefix ends with.
        let ends_it = |call: &TimedCallOf<Kv>| call.completed.is_some_and(|(at, _)| at == until);
        let last = || calls.iter().position(ends_it).map(|call| call as u32);
        let refuted = judge.blamed().or_else(last);
        let exact = |watch| {
            let mut search = key_search(key.specification(), calls.clone(), Supply::Exact, watch);
            search.run(MOVES_TO_SHOW);
            search
        };
        let mut search = exact(refuted);
        if search.furthest() != refuted {
            search = exact(search.furthest());
        }
        Refutation {
            operations,
            key,
            until,
            calls,
            whose,
            refuted,
            search,
        }
    }

    fn witness(&mut self, shortest: bool) -> Witness {
        let order = self.search.order();
        let skipped = order.len().saturating_sub(STEPS_SHOWN);
        let before = match skipped.checked_sub(1) {
            Some(last) => order[last].1,
            None => self.search.specification().value_initial(),
        };
        let steps: Vec<Step> = order[skipped..]
            .iter()
            .map(|&(call, state)| Step {
                operation: self.show(self.whose[call as usize]),
                state: self.value(state),
            })
            .collect();
        let refuted = self.refuted.map(|call| self.whose[call as usize]);
        let in_prefix =
            |it: &&super::dialect::Recorded| it.completed.is_some_and(|at| at <= self.until);
        let mut witness = Witness {
            explanation: String::new(),
            key: self.key.key.clone(),
            prefix: Prefix {
                last: u64::from(self.until),
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

    fn value(&self, symbol: Symbol) -> Value {
        self.search.specification().symbols().value(symbol)
    }

    fn show(&self, operation: usize) -> Shown {
        let it = &self.operations[operation];
        let completed = it.completed.filter(|&at| at <= u64::from(self.until));
        let ending = match (&it.outcome, completed) {
            (_, None) => Ending::Open,
            (Outcome::Ok(_), _) => Ending::Ok,
            (Outcome::Fail, _) => Ending::Fail,
            (Outcome::Info, _) => Ending::Info,
        };
        let seen = match &it.outcome {
            Outcome::Ok(value) if matches!(it.f.as_str(), "read" | "get") => {
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
        let begun = self.key.calls(self.until).1;
        begun
            .into_iter()
            .filter(|&operation| {
                let completed = self.operations[operation].completed;
                completed.is_none_or(|at| at > u64::from(self.until))
            })
            .map(|operation| self.show(operation))
            .collect()
    }

    /// The one value with which the refuted operation is possible.
    fn wanted(&self) -> Option<Symbol> {
        let call = self.search.furthest()?;
        self.search
            .specification()
            .wants(&self.calls[call as usize])
    }

    /// Whether what the refuted operation saw was never written to the key.
    fn never_written(&self) -> bool {
        self.wanted().is_some_and(|wanted| {
            self.search.specification().value_initial() != wanted
                && !self.calls.iter().any(|call| writes(&call.call, wanted))
        })
    }

    /// An operation that failed, if it alone wrote what the refuted one saw.
    fn failed_writer(&self) -> Option<Shown> {
        let wanted = self.wanted().filter(|_| self.never_written())?;
        let failed = self.key.operations.iter().find(|recorded| {
            let completed = recorded.completed.is_some_and(|at| at <= self.until);
            let operation = &self.operations[recorded.operation];
            completed && operation.outcome == Outcome::Fail && writes(&recorded.call, wanted)
        });
        failed.map(|recorded| self.show(recorded.operation))
    }
}

/// Whether the call can leave `wanted`, as far as it tells by itself.
fn writes(call: &KvCall, wanted: Symbol) -> bool {
    match *call {
        KvCall::Register(RegisterCall::Write(to) | RegisterCall::Cas { to, .. }) => to == wanted,
        KvCall::Register(RegisterCall::Read) => false,
        KvCall::Append(_) => true,
    }
}
