//! What a change of a history does to its verdict. No other verdict is needed
//! to tell that one is wrong, so the histories may be of any size.

use super::engines::agreed;
use super::generate::{Call, Random, Register, Shape, answer, corrupt, right, spoil};
use super::growing::{Grow, Growing, right_growing};
use super::parallel::{Tally, in_parallel};
use crate::specification::{RegisterCall, RegisterReturn, Specification, TimedCall, TimedCallOf};

/// So many for each change.
const HISTORIES: usize = 400;

const MOVES: u64 = 20_000;

const VALUES: u64 = 4;

const REGISTER: Register = Register { initial: 0 };

fn any_shape(random: &mut Random) -> Shape {
    Shape {
        operations: 4 + random.below(30) as usize,
        processes: 2 + random.below(5),
        unknown_one_in: [0, 5, 12][random.below(3) as usize],
    }
}

/// A history that is wrong about as often as not.
fn register(random: &mut Random) -> Vec<Call> {
    let shape = any_shape(random);
    let values = [0, VALUES][random.below(2) as usize];
    let mut calls = right(random, shape, values);
    for _ in 0..random.below(4) {
        match random.one_in(2) {
            true => corrupt(random, &mut calls, VALUES),
            false => spoil(random, &mut calls, |call| *call == RegisterCall::Read),
        }
    }
    calls
}

fn list(random: &mut Random) -> Vec<TimedCallOf<Growing>> {
    let shape = any_shape(random);
    let mut calls = right_growing(random, shape);
    for _ in 0..random.below(4) {
        spoil(random, &mut calls, |call| *call == Grow::Read);
    }
    calls
}

/// Which verdicts outlast a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeps {
    Both,
    Valid,
    Invalid,
}

/// Asserts that a change keeps the verdicts that it must, of many histories.
fn assert_keeps<S: Specification>(
    keeps: Keeps,
    specification: &S,
    history: fn(&mut Random) -> Vec<TimedCallOf<S>>,
    change: impl Fn(&mut Random, &[TimedCallOf<S>]) -> Vec<TimedCallOf<S>> + Sync,
) {
    let tally = in_parallel(HISTORIES, |seed| {
        let mut tally = Tally::default();
        let mut random = Random::new(seed as u64);
        let calls = history(&mut random);
        let Some(before) = agreed(specification, &calls, MOVES) else {
            return tally;
        };
        tally.count(before);
        let changed = change(&mut random, &calls);
        let after = agreed(specification, &changed, MOVES);
        let may_change = match keeps {
            Keeps::Both => false,
            Keeps::Valid => !before,
            Keeps::Invalid => before,
        };
        assert!(
            may_change || after.is_none_or(|after| after == before),
            "{before}, then {after:?}: {calls:#?} changed to {changed:#?}"
        );
        tally
    });
    assert!(tally.histories >= HISTORIES * 9 / 10, "{tally:?}");
    tally.assert_mixed("before they are changed");
}

/// Does it to registers and to lists.
macro_rules! assert_keeps {
    ($keeps:expr, $change:expr) => {
        assert_keeps($keeps, &REGISTER, register, $change);
        assert_keeps($keeps, &Growing, list, $change);
    };
}

/// The calls with other ends: when one began and ended says when it does now.
fn with_ends<C: Clone, R: Clone>(
    calls: &[TimedCall<C, R>],
    mut ends: impl FnMut(u32, Option<u32>) -> (u32, Option<u32>),
) -> Vec<TimedCall<C, R>> {
    let changed = calls.iter().map(|call| {
        let (invoked, completed) = ends(call.invoked, call.completed.as_ref().map(|(at, _)| *at));
        TimedCall {
            call: call.call.clone(),
            invoked,
            completed: completed.zip(call.returned().cloned()),
        }
    });
    changed.collect()
}

fn shuffled<T: Clone>(random: &mut Random, list: &[T]) -> Vec<T> {
    let mut list = list.to_vec();
    for last in (1..list.len()).rev() {
        list.swap(last, random.below(last as u64 + 1) as usize);
    }
    list
}

#[test]
fn the_order_in_which_calls_are_given_does_not_matter() {
    assert_keeps!(Keeps::Both, shuffled);
}

#[test]
fn how_long_things_take_does_not_matter() {
    assert_keeps!(Keeps::Both, |_, calls| {
        with_ends(calls, |invoked, completed| {
            (5 * invoked + 3, completed.map(|at| 5 * at + 3))
        })
    });
}

#[test]
fn names_of_values_do_not_matter() {
    fn renamed(calls: &[Call], name: impl Fn(u16) -> u16) -> Vec<Call> {
        use RegisterCall::{Cas, Read, Write};
        let rename = |call: &Call| TimedCall {
            call: match call.call {
                Read => Read,
                Write(value) => Write(name(value)),
                Cas { from, to } => Cas {
                    from: name(from),
                    to: name(to),
                },
            },
            invoked: call.invoked,
            completed: call.completed.map(|(at, returned)| match returned {
                RegisterReturn::Value(seen) => (at, RegisterReturn::Value(name(seen))),
                RegisterReturn::Done | RegisterReturn::Mismatch => (at, returned),
            }),
        };
        calls.iter().map(rename).collect()
    }
    // What is held at first keeps its name, the others swap theirs.
    assert_keeps(Keeps::Both, &REGISTER, register, |_, calls| {
        renamed(calls, |value| if value == 0 { 0 } else { 1_000 - value })
    });
}

#[test]
fn a_valid_history_stays_valid_if_calls_take_longer() {
    assert_keeps!(Keeps::Valid, |random, calls| {
        with_ends(calls, |invoked, completed| {
            let ends = completed.filter(|_| !random.one_in(8));
            let until = ends.map(|at| at + random.below(6) as u32);
            (invoked.saturating_sub(random.below(6) as u32), until)
        })
    });
}

#[test]
fn an_invalid_history_stays_invalid_if_calls_take_less_long() {
    assert_keeps!(Keeps::Invalid, |random, calls| {
        with_ends(calls, |invoked, completed| {
            let until = completed.unwrap_or(u32::MAX);
            let invoked = (invoked + random.below(6) as u32).min(until);
            let sooner = |at: u32| at.saturating_sub(random.below(6) as u32).max(invoked);
            (invoked, completed.map(sooner))
        })
    });
}

#[test]
fn each_prefix_of_a_valid_history_is_valid() {
    assert_keeps!(Keeps::Valid, |random, calls| {
        let last = calls.iter().map(|call| call.invoked).max();
        let end = random.below(u64::from(last.unwrap_or(0)) + 1) as u32;
        let begun = calls.iter().filter(|call| call.invoked <= end);
        let begun: Vec<_> = begun.cloned().collect();
        with_ends(&begun, |invoked, completed| {
            (invoked, completed.filter(|&at| at <= end))
        })
    });
}

#[test]
fn a_call_of_unknown_outcome_more_keeps_a_history_valid() {
    assert_keeps!(Keeps::Valid, |random, calls| {
        let mut calls = calls.to_vec();
        let copied = calls[random.below(calls.len() as u64) as usize].clone();
        calls.push(TimedCall {
            invoked: random.below(100) as u32,
            completed: None,
            ..copied
        });
        calls
    });
}

#[test]
fn a_call_of_unknown_outcome_less_keeps_a_history_invalid() {
    assert_keeps!(Keeps::Invalid, |_, calls| {
        let mut calls = calls.to_vec();
        if let Some(place) = calls.iter().position(|call| call.completed.is_none()) {
            calls.remove(place);
        }
        calls
    });
}

#[test]
fn a_read_less_keeps_a_history_valid() {
    assert_keeps(Keeps::Valid, &REGISTER, register, |random, calls| {
        let reads = |call: &Call| call.call == RegisterCall::Read;
        let kept = calls
            .iter()
            .filter(|&call| !reads(call) || random.one_in(2));
        kept.cloned().collect()
    });
}

#[test]
fn what_a_client_does_alone_at_the_end_changes_nothing() {
    assert_keeps(Keeps::Both, &REGISTER, register, |random, calls| {
        let ends = |call: &Call| call.completed.map_or(call.invoked, |(at, _)| at);
        let mut at = calls.iter().map(ends).max().unwrap_or(0);
        let mut held = 7;
        let mut calls = calls.to_vec();
        for call in [
            RegisterCall::Write(held),
            RegisterCall::Read,
            RegisterCall::Cas { from: 7, to: 8 },
            RegisterCall::Write(random.below(VALUES) as u16),
        ] {
            let returned = answer(&held, &call);
            held = REGISTER
                .step(&held, &call, Some(&returned))
                .expect("it happened");
            calls.push(TimedCall {
                call,
                invoked: at + 1,
                completed: Some((at + 2, returned)),
            });
            at += 2;
        }
        calls
    });
}

/// Where nothing is open, all that one half leaves for the other is a value.
#[test]
fn a_history_is_valid_if_its_halves_are_for_some_value_between() {
    let tally = in_parallel(HISTORIES, |seed| {
        let mut tally = Tally::default();
        let mut random = Random::new(seed as u64);
        let mut half = || {
            let mut shape = any_shape(&mut random);
            shape.unknown_one_in = 0;
            let mut calls = right(&mut random, shape, VALUES);
            if random.one_in(4) {
                corrupt(&mut random, &mut calls, VALUES);
            }
            calls
        };
        let first = half();
        // It begins with a write mostly, and so with any value.
        let second = half();
        let ends = first.iter().filter_map(|call| call.completed);
        let end = ends.map(|(at, _)| at).max().unwrap_or(0);
        let moved = with_ends(&second, |invoked, completed| {
            (end + 3 + invoked, completed.map(|at| end + 3 + at))
        });
        let Some(whole) = agreed(&REGISTER, &[first.as_slice(), &moved].concat(), MOVES) else {
            return tally;
        };
        tally.count(whole);
        let parts = (0..VALUES as u16).map(|value| {
            let read = TimedCall {
                call: RegisterCall::Read,
                invoked: end + 1,
                completed: Some((end + 2, RegisterReturn::Value(value))),
            };
            let first = agreed(&REGISTER, &[first.as_slice(), &[read]].concat(), MOVES)?;
            let second = agreed(&Register { initial: value }, &second, MOVES)?;
            Some(first && second)
        });
        if let Some(parts) = parts.collect::<Option<Vec<bool>>>() {
            assert_eq!(parts.contains(&true), whole, "{first:#?} and {second:#?}");
        }
        tally
    });
    assert!(tally.histories >= HISTORIES * 9 / 10, "{tally:?}");
    tally.assert_mixed("in two halves");
}
