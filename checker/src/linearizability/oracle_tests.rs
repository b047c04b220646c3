//! The search and [`crate::small`] against brute force, on random histories.
//!
//! The brute force is the definition: some of the calls of unknown outcome
//! take effect, all that completed do, and some order of these respects the
//! order of completions and invocations. It prunes nothing that the search
//! prunes.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::depth_first::depth_first;
use super::object::Object;
use super::search::{Progress, Supply};
use super::sweep::sweep;
use super::timeline::Timeline;
use super::windows::{self, Window};
use super::zones::{self, Zones};
use crate::small::is_linearizable_small;
use crate::specification::{
    Effect, Register, RegisterCall, RegisterReturn, Specification, TimedCall, TimedCallOf,
};

pub(super) type Call = TimedCallOf<Register<u8>>;

/// Whether the calls can be ordered, by trying all orders.
pub(super) fn brute_force<S: Specification>(specification: &S, calls: &[TimedCallOf<S>]) -> bool {
    fn rest<S: Specification>(
        specification: &S,
        calls: &[TimedCallOf<S>],
        placed: u32,
        state: &S::State,
        seen: &mut FxHashSet<(u32, S::State)>,
    ) -> bool {
        let left = || (0..calls.len()).filter(|place| placed >> place & 1 == 0);
        if left().all(|place| calls[place].completed.is_none()) {
            return true;
        }
        if !seen.insert((placed, state.clone())) {
            return false;
        }
        let completes = |place: usize| calls[place].completed.as_ref().map(|(at, _)| *at);
        let first = left().filter_map(completes).min().unwrap_or(u32::MAX);
        left()
            .filter(|&place| calls[place].invoked < first)
            .any(|place| {
                let call = &calls[place];
                specification
                    .step(state, &call.call, call.returned())
                    .is_some_and(|next| {
                        rest(specification, calls, placed | 1 << place, &next, seen)
                    })
            })
    }
    let state = specification.initial();
    rest(specification, calls, 0, &state, &mut FxHashSet::default())
}

/// Random numbers that are the same in every run.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % bound
    }
}

/// A history of one register with answers drawn at random, so that about half
/// are linearizable if it is short.
pub(super) fn random_calls(
    random: &mut Random,
    count: usize,
    processes: u64,
    values: u64,
) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut open: Vec<Option<usize>> = vec![None; processes as usize];
    let mut place = 0;
    while calls.len() < count || open.iter().any(Option::is_some) {
        place += 1;
        let process = random.below(processes) as usize;
        match open[process].take() {
            None if calls.len() < count => {
                open[process] = Some(calls.len());
                calls.push(Call {
                    call: random_call(random, values),
                    invoked: place,
                    completed: None,
                });
            }
            None => {}
            Some(call) if random.below(6) > 0 => {
                let returned = random_return(random, &calls[call].call, values);
                calls[call].completed = Some((place, returned));
            }
            Some(_) => {}
        }
    }
    calls
}

fn random_call(random: &mut Random, values: u64) -> RegisterCall<u8> {
    let mut value = || random.below(values) as u8;
    let (from, to) = (value(), value());
    match random.below(5) {
        0 | 1 => RegisterCall::Read,
        2 | 3 => RegisterCall::Write(to),
        _ => RegisterCall::Cas { from, to },
    }
}

fn random_return(random: &mut Random, call: &RegisterCall<u8>, values: u64) -> RegisterReturn<u8> {
    match call {
        RegisterCall::Read => RegisterReturn::Value(random.below(values) as u8),
        RegisterCall::Cas { .. } if random.below(2) == 0 => RegisterReturn::Mismatch,
        _ => RegisterReturn::Done,
    }
}

/// Asserts that every engine says what is expected, with an order if there is
/// one.
fn assert_agreed<S: Specification>(specification: &S, calls: &[TimedCallOf<S>], expected: bool) {
    let (object, numbered) = Object::of_calls(specification.clone(), calls);
    let object = Arc::new(object);
    let timeline = Arc::new(Timeline::new(&object, numbered.clone()));
    let holds = |progress, order: &dyn Fn() -> Vec<u32>| match progress {
        Progress::Explained => {
            let order = order();
            let holds = object.replays(&numbered, &order);
            assert!(holds, "{calls:#?} not by {order:?}");
            true
        }
        Progress::Refuted => false,
        Progress::Paused => panic!("not decided: {calls:#?}"),
    };
    let mut exact = depth_first(&object, &timeline, Supply::Exact, None);
    let progress = exact.run(1_000_000);
    let order = (progress == Progress::Explained).then(|| exact.order());
    let is_valid = holds(progress, &|| order.clone().unwrap_or_default());
    assert_eq!(is_valid, expected, "depth first: {calls:#?}");
    if timeline.unknown.others.is_empty() {
        let mut relaxed = depth_first(&object, &timeline, Supply::Unlimited, None);
        let refuted = relaxed.run(1_000_000) == Progress::Refuted;
        assert!(!(refuted && expected), "relaxed: {calls:#?}");
    }
    let mut sweep = sweep(&object, &timeline, None).expect("few open calls");
    let progress = sweep.run(1_000_000);
    let is_valid = holds(progress, &|| sweep.orders(1).remove(0));
    assert_eq!(is_valid, expected, "sweep: {calls:#?}");
    let mut beam = super::sweep::sweep(&object, &timeline, Some(1)).expect("few open calls");
    match beam.run(1_000_000) {
        Progress::Explained => {
            let order = beam.orders(1).remove(0);
            assert!(
                expected && object.replays(&numbered, &order),
                "beam: {calls:#?}"
            );
        }
        Progress::Refuted if beam.is_cut() => {}
        progress => assert!(
            progress == Progress::Refuted && !expected,
            "beam: {calls:#?}"
        ),
    }
    if windows::qualify(&object, &timeline) && expected {
        let moments = timeline.moments.len() as u32;
        for (from, until) in [
            (0, moments),
            (moments / 3, moments),
            (moments / 2, 3 * moments / 4),
        ] {
            let window = Window { from, until };
            let refuted = windows::is_refuted(&object, &timeline, window, 1_000_000);
            assert_eq!(refuted, Some(false), "{window:?} of {calls:#?}");
        }
    }
    let small = is_linearizable_small(specification, calls);
    assert_eq!(small, expected, "small: {calls:#?}");
}

/// So many of each shape.
const HISTORIES: usize = 10_000;

fn compare(seed: u64, histories: usize, length: u64, processes: u64, values: u64) -> usize {
    let mut random = Random(seed);
    let register = Register { initial: 0 };
    let mut valid = 0;
    for _ in 0..histories {
        let count = 2 + random.below(length) as usize;
        let processes = 1 + random.below(processes);
        let values = 2 + random.below(values);
        let calls = random_calls(&mut random, count, processes, values);
        let expected = brute_force(&register, &calls);
        valid += usize::from(expected);
        assert_agreed(&register, &calls, expected);
    }
    valid
}

/// A list that is written as a whole, or grows.
#[derive(Clone, Debug)]
pub(super) struct Growing;

/// Writes leave a list of one; what is read is the whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Grow {
    Read,
    Write(u8),
    Append(u8),
}

impl Specification for Growing {
    type State = Vec<u8>;
    type Call = Grow;
    type Return = Vec<u8>;

    fn initial(&self) -> Vec<u8> {
        Vec::new()
    }

    fn step(&self, state: &Vec<u8>, call: &Grow, seen: Option<&Vec<u8>>) -> Option<Vec<u8>> {
        match (call, seen) {
            (Grow::Read, Some(seen)) => (seen == state).then(|| state.clone()),
            (Grow::Read, None) => Some(state.clone()),
            (Grow::Write(value), _) => Some(vec![*value]),
            (Grow::Append(value), _) => Some([state.as_slice(), &[*value]].concat()),
        }
    }

    fn effect(&self, call: &Grow, seen: Option<&Vec<u8>>) -> Effect<Vec<u8>> {
        match call {
            Grow::Read => Effect::Observe(seen.cloned()),
            Grow::Write(value) => Effect::Replace(vec![*value]),
            Grow::Append(_) => Effect::Total,
        }
    }
}

/// Calls of which most reads see a list that may have been there.
pub(super) fn random_growing(
    random: &mut Random,
    count: usize,
    processes: u64,
) -> Vec<TimedCallOf<Growing>> {
    let mut held: Vec<u8> = Vec::new();
    let mut shadows: Vec<Vec<u8>> = vec![held.clone()];
    let calls = random_calls(random, count, processes, 2);
    let growing = calls.into_iter().map(|call| {
        let value = random.below(2) as u8;
        let asked = match random.below(5) {
            0 | 1 => Grow::Read,
            2 => Grow::Write(value),
            _ => Grow::Append(value),
        };
        if random.below(4) > 0
            && let Some(next) = Growing.step(&held, &asked, None)
        {
            held = next;
            shadows.push(held.clone());
        }
        let recent = shadows.len() - 1 - random.below(2.min(shadows.len() as u64)) as usize;
        TimedCall {
            call: asked,
            invoked: call.invoked,
            completed: call.completed.map(|(at, _)| (at, shadows[recent].clone())),
        }
    });
    growing.collect()
}

#[test]
fn calls_that_are_possible_everywhere_agree_with_brute_force() {
    let mut random = Random(21);
    let mut valid = 0;
    for _ in 0..2 * HISTORIES {
        let count = 2 + random.below(8) as usize;
        let processes = 1 + random.below(5);
        let calls = random_growing(&mut random, count, processes);
        let expected = brute_force(&Growing, &calls);
        valid += usize::from(expected);
        assert_agreed(&Growing, &calls, expected);
    }
    assert!(
        (HISTORIES / 4..7 * HISTORIES / 4).contains(&valid),
        "{valid}: a lopsided set"
    );
}

#[test]
fn the_search_agrees_with_brute_force() {
    let shapes = [(1, 5, 3, 2), (2, 8, 4, 2), (3, 10, 5, 3), (4, 12, 6, 3)];
    for (seed, length, processes, values) in shapes {
        let valid = compare(seed, HISTORIES, length, processes, values);
        assert!(
            (HISTORIES / 5..HISTORIES / 2).contains(&valid),
            "{valid} of {HISTORIES} are valid: a lopsided set"
        );
    }
}

/// A history in which no value is written twice; reads see what may have been
/// written before they end, mostly.
pub(super) fn random_distinct(random: &mut Random, count: usize, processes: u64) -> Vec<Call> {
    let mut calls = random_calls(random, count, processes, 2);
    let mut written = 0;
    for call in &mut calls {
        call.call = match random.below(2) {
            0 => RegisterCall::Read,
            _ => {
                written += 1;
                RegisterCall::Write(written)
            }
        };
        if let Some((_, returned)) = &mut call.completed {
            *returned = match call.call {
                RegisterCall::Read => {
                    let latest = u64::from(written);
                    let seen = latest.saturating_sub(random.below(3)) + random.below(8) / 7;
                    RegisterReturn::Value(seen as u8)
                }
                _ => RegisterReturn::Done,
            };
        }
    }
    calls
}

/// The calls as they are when the one with this number completes.
fn up_to(calls: &[Call], last: u32) -> Vec<Call> {
    let end = |call: &Call| call.completed.as_ref().map_or(u32::MAX, |(at, _)| *at);
    let until = end(&calls[last as usize]);
    let begun = calls.iter().filter(|call| call.invoked <= until).cloned();
    let opened = begun.map(|call| Call {
        completed: call.completed.filter(|(at, _)| *at <= until),
        ..call
    });
    opened.collect()
}

#[test]
fn zones_agree_with_brute_force() {
    let mut random = Random(11);
    let register = Register { initial: 0 };
    let mut valid = 0;
    for _ in 0..2 * HISTORIES {
        let count = 2 + random.below(8) as usize;
        let processes = 1 + random.below(5);
        let calls = random_distinct(&mut random, count, processes);
        let expected = brute_force(&register, &calls);
        valid += usize::from(expected);
        let (object, numbered) = Object::of_calls(register, &calls);
        match zones::decide(&object, &numbered) {
            Some(Zones::Refuted(shows)) => {
                assert!(!expected, "{calls:#?}");
                assert!(!brute_force(&register, &up_to(&calls, shows)), "{calls:#?}");
            }
            Some(Zones::Order(order)) => {
                assert!(expected, "{calls:#?}");
                assert!(object.replays(&numbered, &order), "{calls:#?} {order:?}");
            }
            None => panic!("every value is written once: {calls:#?}"),
        }
    }
    assert!(
        (HISTORIES / 2..3 * HISTORIES / 2).contains(&valid),
        "{valid}"
    );
}

/// `ORACLE_HISTORIES=1000000 cargo test oracle` tries more of them.
#[test]
#[ignore = "as many histories as ORACLE_HISTORIES says"]
fn the_search_agrees_with_brute_force_on_as_many_as_asked() {
    let asked = std::env::var("ORACLE_HISTORIES").ok();
    let histories = asked.and_then(|text| text.parse().ok()).unwrap_or(0);
    for (seed, length, processes, values) in [(5, 9, 4, 3), (6, 14, 7, 2)] {
        compare(seed, histories, length, processes, values);
    }
}
