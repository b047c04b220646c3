//! Evidence against brute force, on random histories.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::certificate::Rechecked;
use super::evidence::{Evidence, of_calls};
use super::object::Object;
use super::oracle::brute_force::brute_force;
use super::oracle::generate::{Random, WithCas, guessed, guessed_distinct};
use super::oracle::growing::{Growing, guessed_growing};
use super::subhistory::{Start, may_start_anywhere};
use crate::specification::{Register, RegisterReturn, Specification, TimedCall, TimedCallOf};

/// So many of each shape.
const HISTORIES: usize = 4_000;

/// Whether calls can be ordered from `state`, by trying all orders; of those
/// that are not `needed` any may be left out, and none takes effect after it
/// has completed.
fn has_order<S: Specification>(
    specification: &S,
    calls: &[(&TimedCallOf<S>, bool)],
    placed: u32,
    state: &S::State,
    seen: &mut FxHashSet<(u32, S::State)>,
) -> bool {
    let is_placed = |place: usize| placed >> place & 1 == 1;
    if (0..calls.len()).all(|place| is_placed(place) || !calls[place].1) {
        return true;
    }
    if !seen.insert((placed, state.clone())) {
        return false;
    }
    let precedes = |one: &TimedCallOf<S>, other: &TimedCallOf<S>| {
        let completed = one.completed.as_ref().map(|(at, _)| *at);
        completed.is_some_and(|at| at < other.invoked)
    };
    (0..calls.len()).any(|place| {
        let call = calls[place].0;
        let may_be_next = (0..calls.len()).all(|other| match is_placed(other) {
            true => !precedes(call, calls[other].0),
            false => !(calls[other].1 && precedes(calls[other].0, call)),
        });
        let step = || specification.step(state, &call.call, call.returned());
        !is_placed(place)
            && may_be_next
            && step().is_some_and(|next| {
                has_order(specification, calls, placed | 1 << place, &next, seen)
            })
    })
}

/// Whether the calls of which `role` says whether they are needed have an order
/// from one of these states.
fn has_order_from<S: Specification>(
    specification: &S,
    calls: &[TimedCallOf<S>],
    role: impl Fn(usize) -> Option<bool>,
    starts: &[S::State],
) -> bool {
    let calls: Vec<_> = calls.iter().enumerate().collect();
    let some = calls
        .iter()
        .filter_map(|&(number, call)| Some((call, role(number)?)));
    let some: Vec<_> = some.collect();
    let any =
        |state: &S::State| has_order(specification, &some, 0, state, &mut FxHashSet::default());
    starts.iter().any(any)
}

/// Where the window of the evidence begins.
fn first_of<S: Specification>(calls: &[TimedCallOf<S>], evidence: &Evidence) -> u32 {
    let needed = evidence.needed.iter();
    let first = needed.map(|&call| calls[call as usize].invoked).min();
    match evidence.start {
        Start::Initial => 0,
        Start::Anywhere => first.unwrap_or(0),
    }
}

/// Asserts that evidence refutes, and that no needed call can be missed if it says so.
pub(super) fn assert_refutes<S: Specification>(
    specification: &S,
    calls: &[TimedCallOf<S>],
    evidence: &Evidence,
    starts: &[S::State],
) {
    assert_eq!(evidence.rechecked, Rechecked::Holds, "{calls:#?}");
    let needed = |number: usize| evidence.needed.contains(&(number as u32));
    let alone = |number: usize| needed(number).then_some(true);
    assert!(
        !has_order_from(specification, calls, alone, starts),
        "alone {evidence:?} of {calls:#?}"
    );
    let listed = |number: usize| {
        let is_optional = evidence.optional.contains(&(number as u32));
        alone(number).or(is_optional.then_some(false))
    };
    assert!(
        !has_order_from(specification, calls, listed, starts),
        "{evidence:?} of {calls:#?}"
    );
    // Neither what was left out changes that, nor can any be missed.
    let first = first_of::<S>(calls, evidence);
    let inside = |number: usize| {
        let completed = calls[number].completed.as_ref();
        completed.is_none_or(|(at, _)| *at >= first)
    };
    let all_but = |without: Option<usize>| {
        move |number: usize| inside(number).then_some(needed(number) && Some(number) != without)
    };
    assert!(
        !has_order_from(specification, calls, all_but(None), starts),
        "{evidence:?} of {calls:#?}"
    );
    for &call in evidence.needed.iter().filter(|_| evidence.smallest) {
        assert!(
            has_order_from(specification, calls, all_but(Some(call as usize)), starts),
            "{call} is not needed: {evidence:?} of {calls:#?}"
        );
    }
}

/// Asserts that there is evidence of what has no order and none of what has
/// one; whether it has none. `states` are all that differ.
pub(super) fn assert_sound<S: Specification>(
    specification: &S,
    calls: &[TimedCallOf<S>],
    states: &[S::State],
) -> Option<Evidence> {
    let (object, numbered) = Object::of_calls(specification.clone(), calls);
    let object = Arc::new(object);
    let evidence = of_calls(&object, numbered.clone());
    if brute_force(specification, calls) {
        assert_eq!(evidence.rechecked, Rechecked::Fails, "{calls:#?}");
        return None;
    }
    let initial = [specification.initial()];
    let starts = match evidence.start {
        Start::Initial => &initial[..],
        Start::Anywhere => states,
    };
    assert!(evidence.smallest, "{calls:#?}");
    assert_refutes(specification, calls, &evidence, starts);
    let first = first_of::<S>(calls, &evidence);
    // The window is the last that refutes.
    let stretch = |from: u32| {
        move |number: usize| {
            let call = &calls[number];
            let completed = call.completed.as_ref().map_or(u32::MAX, |(at, _)| *at);
            (completed >= from).then_some(call.invoked >= from && call.completed.is_some())
        }
    };
    if evidence.start == Start::Anywhere {
        assert!(!has_order_from(
            specification,
            calls,
            stretch(first),
            states
        ));
        let later = first + 1;
        assert!(
            has_order_from(specification, calls, stretch(later), states),
            "a later window: {evidence:?} of {calls:#?}"
        );
    } else if may_start_anywhere(&object, &numbered) {
        assert!(has_order_from(specification, calls, stretch(0), states));
    }
    Some(evidence)
}

/// How many histories are refuted, and of those from anywhere.
#[derive(Debug, Default)]
struct Counts {
    refuted: usize,
    anywhere: usize,
}

impl Counts {
    fn add(&mut self, evidence: Option<Evidence>) {
        let Some(evidence) = evidence else { return };
        self.refuted += 1;
        self.anywhere += usize::from(evidence.start == Start::Anywhere);
    }
}

#[test]
fn evidence_of_registers_agrees_with_brute_force() {
    let mut counts = Counts::default();
    let register = Register { initial: 0 };
    for (seed, length, processes, values) in [(31, 8, 4, 2), (32, 10, 5, 3), (33, 12, 6, 3)] {
        let mut random = Random::new(seed);
        for _ in 0..HISTORIES {
            let count = 2 + random.below(length) as usize;
            let processes = 1 + random.below(processes);
            let values = 2 + random.below(values);
            let mut calls = guessed(&mut random, count, processes, values);
            // What refuses to change a register does not say what it held, and
            // no window is looked for.
            let refusals = random.below(4) == 0;
            for call in calls.iter_mut().filter(|_| !refusals) {
                if let Some((_, returned @ RegisterReturn::Mismatch)) = &mut call.completed {
                    *returned = RegisterReturn::Done;
                }
            }
            let states: Vec<u16> = (0..=values as u16).collect();
            counts.add(assert_sound(&register, &calls, &states));
        }
    }
    assert!(
        counts.refuted >= 8_000 && counts.anywhere >= 5_000,
        "{counts:?}: a lopsided set"
    );
}

#[test]
fn evidence_of_distinct_values_agrees_with_brute_force() {
    let mut counts = Counts::default();
    let register = Register { initial: 0 };
    let mut random = Random::new(34);
    for _ in 0..2 * HISTORIES {
        let count = 2 + random.below(8) as usize;
        let processes = 1 + random.below(5);
        let calls = guessed_distinct(&mut random, count, processes, WithCas::No);
        let states: Vec<u16> = (0..20).collect();
        counts.add(assert_sound(&register, &calls, &states));
    }
    assert!(
        counts.refuted >= 2_500 && counts.anywhere >= 2_000,
        "{counts:?}: a lopsided set"
    );
}

#[test]
fn evidence_of_growing_lists_agrees_with_brute_force() {
    let mut counts = Counts::default();
    let mut random = Random::new(35);
    let lists = (0..4_usize).flat_map(|length| {
        let list = move |bits: u8| (0..length).map(|place| bits >> place & 1).collect();
        (0..1 << length).map(list)
    });
    let lists: Vec<Vec<u8>> = lists.chain([vec![9]]).collect();
    for _ in 0..2 * HISTORIES {
        let count = 2 + random.below(8) as usize;
        let processes = 1 + random.below(5);
        let calls = guessed_growing(&mut random, count, processes);
        counts.add(assert_sound(&Growing, &calls, &lists));
    }
    assert!(
        counts.refuted >= 1_000 && counts.anywhere >= 50,
        "{counts:?}: a lopsided set"
    );
}

/// A queue of which no engine knows more than its steps.
#[derive(Clone, Debug)]
struct Fifo;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Line {
    Join(u8),
    Leave,
}

impl Specification for Fifo {
    type State = Vec<u8>;
    type Call = Line;
    type Return = Option<u8>;

    fn initial(&self) -> Vec<u8> {
        Vec::new()
    }

    fn step(&self, state: &Vec<u8>, call: &Line, seen: Option<&Option<u8>>) -> Option<Vec<u8>> {
        match call {
            Line::Join(value) => Some([state.as_slice(), &[*value]].concat()),
            Line::Leave => {
                let first = state.first().copied();
                let rest = state.get(1..).unwrap_or_default().to_vec();
                seen.is_none_or(|seen| *seen == first).then_some(rest)
            }
        }
    }
}

#[test]
fn evidence_of_a_queue_agrees_with_brute_force() {
    let mut counts = Counts::default();
    let mut random = Random::new(36);
    for _ in 0..2 * HISTORIES {
        let count = 2 + random.below(7) as usize;
        let processes = 1 + random.below(4);
        let calls = guessed(&mut random, count, processes, 2);
        let mut joined = 0;
        let calls = calls.into_iter().map(|call| {
            let asked = match random.below(2) {
                0 => Line::Leave,
                _ => {
                    joined += 1;
                    Line::Join(joined)
                }
            };
            let left = match (&asked, random.below(5)) {
                (Line::Join(_), _) | (_, 0) => None,
                (Line::Leave, lag) => Some((joined as u64).saturating_sub(lag / 2) as u8),
            };
            TimedCall {
                call: asked,
                invoked: call.invoked,
                completed: call.completed.map(|(at, _)| (at, left)),
            }
        });
        let calls: Vec<TimedCallOf<Fifo>> = calls.collect();
        counts.add(assert_sound(&Fifo, &calls, &[]));
    }
    assert!(counts.refuted >= 5_000, "{counts:?}: a lopsided set");
}
