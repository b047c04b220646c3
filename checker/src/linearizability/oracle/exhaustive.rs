//! Every small history there is, of one register.
//!
//! A history is a *skeleton*, which says in which order calls begin and end and
//! which never end, and for each call what is asked and answered. Calls are
//! numbered as they begin; which process makes which does not matter, so the
//! number of processes bounds how many are open at a time that will complete.
//! (A process whose call is of unknown outcome goes on as another one.) The
//! values that are not held at first are interchangeable: of two histories that
//! differ in their names alone one is judged.

use super::super::evidence_tests::assert_sound;
use super::engines::assert_judged_right;
use super::generate::{Call, Register};
use super::parallel::{Tally, in_parallel};
use crate::specification::{RegisterCall, RegisterReturn};

/// Of histories of so many calls the evidence is looked at as well.
const EVIDENCE_CALLS_MAX: usize = 3;

/// The values there are, and one more.
const STATES: [u16; 4] = [0, 1, 2, 3];

/// When a call begins, and when it completes if it does.
type Interval = (u32, Option<u32>);

/// What is asked, and what is answered if that is known.
type Asked = (RegisterCall<u16>, Option<RegisterReturn<u16>>);

/// The skeletons of so many calls by so many processes.
fn skeletons(operations: usize, processes: usize) -> Vec<Vec<Interval>> {
    fn go_on(
        left: usize,
        processes: usize,
        place: u32,
        calls: &mut Vec<Interval>,
        open: &mut Vec<usize>,
        all: &mut Vec<Vec<Interval>>,
    ) {
        if left == 0 && open.is_empty() {
            all.push(calls.clone());
            return;
        }
        if left > 0 {
            calls.push((place, None));
            go_on(left - 1, processes, place + 1, calls, open, all);
            if open.len() < processes {
                open.push(calls.len() - 1);
                go_on(left - 1, processes, place + 1, calls, open, all);
                open.pop();
            }
            calls.pop();
        }
        for index in 0..open.len() {
            let call = open.remove(index);
            calls[call].1 = Some(place);
            go_on(left, processes, place + 1, calls, open, all);
            calls[call].1 = None;
            open.insert(index, call);
        }
    }
    let mut all = Vec::new();
    go_on(
        operations,
        processes,
        0,
        &mut Vec::new(),
        &mut Vec::new(),
        &mut all,
    );
    all
}

/// What can be asked and answered.
struct Alphabet {
    /// Of calls that complete.
    known: Vec<Asked>,
    /// Of calls of unknown outcome.
    unknown: Vec<Asked>,
}

impl Alphabet {
    /// All there is on the values 0, which is held at first, to `last`.
    fn of_values(last: u16) -> Self {
        use RegisterCall::{Cas, Read, Write};
        use RegisterReturn::{Done, Mismatch, Value};
        let values = || 0..=last;
        let cas = || values().flat_map(move |from| values().map(move |to| Cas { from, to }));
        let calls = || [Read].into_iter().chain(values().map(Write)).chain(cas());
        let reads = values().map(|seen| (Read, Some(Value(seen))));
        let done = calls().skip(1).map(|call| (call, Some(Done)));
        let mismatches = cas().map(|call| (call, Some(Mismatch)));
        Alphabet {
            known: reads.chain(done).chain(mismatches).collect(),
            unknown: calls().map(|call| (call, None)).collect(),
        }
    }

    fn of(&self, interval: &Interval) -> &[Asked] {
        match interval.1 {
            Some(_) => &self.known,
            None => &self.unknown,
        }
    }
}

/// Whether values are named in the order in which they come up: 1 before 2.
fn is_named_in_order(calls: &[Call]) -> bool {
    let mut last = 0;
    calls.iter().all(|call| {
        let [one, other] = match (&call.call, call.returned()) {
            (RegisterCall::Read, Some(RegisterReturn::Value(seen))) => [*seen, 0],
            (RegisterCall::Read, _) => [0, 0],
            (RegisterCall::Write(value), _) => [*value, 0],
            (RegisterCall::Cas { from, to }, _) => [*from, *to],
        };
        [one, other].into_iter().all(|value| {
            let is_in_order = value <= last + 1;
            last = last.max(value);
            is_in_order
        })
    })
}

/// Judges all histories of so many calls by so many processes.
fn judge_all(operations: usize, processes: usize, alphabet: &Alphabet) -> Tally {
    let skeletons = skeletons(operations, processes);
    in_parallel(skeletons.len(), |skeleton| {
        let mut tally = Tally::default();
        let mut calls = Vec::new();
        fill(&skeletons[skeleton], alphabet, &mut calls, &mut tally);
        tally
    })
}

/// Judges all histories with this skeleton that begin with `calls`.
fn fill(skeleton: &[Interval], alphabet: &Alphabet, calls: &mut Vec<Call>, tally: &mut Tally) {
    let register = Register { initial: 0 };
    let Some(interval) = skeleton.get(calls.len()) else {
        let is_valid = assert_judged_right(&register, calls);
        if !is_valid && calls.len() <= EVIDENCE_CALLS_MAX {
            assert_sound(&register, calls, &STATES);
        }
        tally.count(is_valid);
        return;
    };
    for (call, returned) in alphabet.of(interval) {
        calls.push(Call {
            call: *call,
            invoked: interval.0,
            completed: interval.1.zip(*returned),
        });
        if is_named_in_order(calls) {
            fill(skeleton, alphabet, calls, tally);
        }
        calls.pop();
    }
}

/// Asserts how many histories there are, and how many of them are valid.
fn assert_count(tally: Tally, histories: usize, valid: usize) {
    assert_eq!(tally, Tally { histories, valid });
}

#[test]
fn skeletons_are_counted_right() {
    // Without a bound, and without unknown outcomes, there are (2n - 1)!!.
    for (operations, count) in [(1, 1), (2, 3), (3, 15), (4, 105)] {
        let all = skeletons(operations, operations);
        let whole = |calls: &&Vec<Interval>| calls.iter().all(|call| call.1.is_some());
        assert_eq!(all.iter().filter(whole).count(), count);
    }
    // Four at a time can end in 24 orders.
    assert_eq!(skeletons(4, 4).len() - skeletons(4, 3).len(), 24);
}

#[test]
fn every_history_of_up_to_three_calls_is_judged_right() {
    let alphabet = Alphabet::of_values(2);
    assert_eq!((alphabet.known.len(), alphabet.unknown.len()), (24, 13));
    for (operations, histories, valid) in [(1, 22, 16), (2, 1_463, 703), (3, 174_068, 60_798)] {
        assert_count(judge_all(operations, 3, &alphabet), histories, valid);
    }
}

#[test]
fn every_history_of_four_calls_on_two_values_is_judged_right() {
    let tally = judge_all(4, 3, &Alphabet::of_values(1));
    assert_count(tally, 3_310_777, 1_307_918);
}

#[test]
#[ignore = "takes minutes"]
fn every_history_of_four_calls_is_judged_right() {
    assert_count(
        judge_all(4, 3, &Alphabet::of_values(2)),
        25_364_237,
        6_948_837,
    );
}
