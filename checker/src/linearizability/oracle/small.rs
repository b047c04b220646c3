//! Random histories that brute force can judge.

use super::super::guard::Guard;
use super::super::object::Object;
use super::super::zones;
use super::brute_force::brute_force;
use super::engines::assert_judged_right;
use super::generate::{
    Call, Random, Register, Shape, WithCas, corrupt, guessed, guessed_distinct, right, spoil,
};
use super::growing::{Grow, Growing, guessed_growing, right_growing};
use super::parallel::{Tally, in_parallel};
use crate::specification::{RegisterCall, RegisterReturn};

/// So many in CI, of all shapes together.
const HISTORIES: usize = 100_000;

/// So many are one piece of work.
const PIECE: usize = 250;

/// A kind of histories.
struct Kind {
    name: &'static str,
    /// One of them, which is counted by whether it is valid.
    judge_one: fn(&mut Random) -> bool,
}

const KINDS: [Kind; 9] = [
    Kind {
        name: "few calls",
        judge_one: |random| judge_guessed(random, 5, 3, 2),
    },
    Kind {
        name: "some calls",
        judge_one: |random| judge_guessed(random, 8, 4, 2),
    },
    Kind {
        name: "more values",
        judge_one: |random| judge_guessed(random, 10, 5, 3),
    },
    Kind {
        name: "many at a time",
        judge_one: |random| judge_guessed(random, 13, 7, 3),
    },
    Kind {
        name: "values written once",
        judge_one: judge_distinct,
    },
    Kind {
        name: "values written once, and cas that fail",
        judge_one: judge_distinct_with_failing_cas,
    },
    Kind {
        name: "possible everywhere",
        judge_one: judge_growing,
    },
    Kind {
        name: "spoiled",
        judge_one: judge_spoiled,
    },
    Kind {
        name: "possible everywhere, spoiled",
        judge_one: judge_spoiled_growing,
    },
];

fn judge_guessed(random: &mut Random, length: u64, processes: u64, values: u64) -> bool {
    let count = 2 + random.below(length) as usize;
    let processes = 1 + random.below(processes);
    let values = 2 + random.below(values);
    let calls = guessed(random, count, processes, values);
    assert_judged_right(&Register { initial: 0 }, &calls)
}

fn judge_distinct(random: &mut Random) -> bool {
    let count = 2 + random.below(8) as usize;
    let processes = 1 + random.below(5);
    let cas = match random.one_in(2) {
        true => WithCas::AllSucceed,
        false => WithCas::No,
    };
    let calls = guessed_distinct(random, count, processes, cas);
    let register = Register { initial: 0 };
    let (object, numbered) = Object::of_calls(register, &calls);
    let decided = zones::decide(&object, &numbered, &mut Guard::none());
    assert!(decided.is_some(), "every value is written once: {calls:#?}");
    assert_judged_right(&register, &calls)
}

fn judge_distinct_with_failing_cas(random: &mut Random) -> bool {
    let count = 2 + random.below(8) as usize;
    let processes = 1 + random.below(5);
    let calls = guessed_distinct(random, count, processes, WithCas::HalfFail);
    assert_judged_right(&Register { initial: 0 }, &calls)
}

fn judge_growing(random: &mut Random) -> bool {
    let count = 2 + random.below(8) as usize;
    let processes = 1 + random.below(5);
    assert_judged_right(&Growing, &guessed_growing(random, count, processes))
}

fn any_shape(random: &mut Random) -> Shape {
    Shape {
        operations: 3 + random.below(9) as usize,
        processes: 2 + random.below(4),
        unknown_one_in: [0, 3, 8][random.below(3) as usize],
    }
}

/// What happened is valid; spoiled it may be.
fn judge_spoiled(random: &mut Random) -> bool {
    let shape = any_shape(random);
    let values = [0, 2, 3, 4][random.below(4) as usize];
    let mut calls = right(random, shape, values);
    let register = Register { initial: 0 };
    assert!(brute_force(&register, &calls), "it happened: {calls:#?}");
    for _ in 0..1 + random.below(3) {
        match random.one_in(3) {
            true => corrupt(random, &mut calls, values.max(4)),
            false => spoil(random, &mut calls, |call| *call == RegisterCall::Read),
        }
    }
    assert_judged_right(&register, &calls)
}

fn judge_spoiled_growing(random: &mut Random) -> bool {
    let shape = any_shape(random);
    let mut calls = right_growing(random, shape);
    assert!(brute_force(&Growing, &calls), "it happened: {calls:#?}");
    for _ in 0..1 + random.below(3) {
        spoil(random, &mut calls, |call| *call == Grow::Read);
    }
    assert_judged_right(&Growing, &calls)
}

/// Judges so many histories of each kind, others for each `seed`.
fn judge_all(seed: u64, of_each: usize) {
    let pieces = of_each.div_ceil(PIECE);
    for (number, kind) in (0..).zip(&KINDS) {
        let tally = in_parallel(pieces, |piece| {
            let mut random = Random::new((seed << 40) + (number << 32) + piece as u64);
            let mut tally = Tally::default();
            for _ in 0..PIECE {
                tally.count((kind.judge_one)(&mut random));
            }
            tally
        });
        assert!(tally.histories >= of_each);
        tally.assert_mixed(kind.name);
    }
}

/// What avoids a value may need a write of that very value first, from which a
/// call of unknown outcome leads away.
#[test]
fn a_write_of_what_is_avoided_may_be_of_use() {
    let cas = |from, to, invoked, completed| Call {
        call: RegisterCall::Cas { from, to },
        invoked,
        completed,
    };
    let calls = [
        cas(0, 1, 0, None),
        cas(0, 0, 1, Some((3, RegisterReturn::Mismatch))),
        Call {
            call: RegisterCall::Write(0),
            invoked: 2,
            completed: Some((4, RegisterReturn::Done)),
        },
        Call {
            call: RegisterCall::Read,
            invoked: 5,
            completed: Some((6, RegisterReturn::Value(1))),
        },
    ];
    assert!(assert_judged_right(&Register { initial: 0 }, &calls));
}

#[test]
fn random_histories_are_judged_as_by_brute_force() {
    judge_all(1, HISTORIES.div_ceil(KINDS.len()));
}

/// `ORACLE_HISTORIES` says how many, of all kinds together.
#[test]
#[ignore = "takes minutes"]
fn as_many_random_histories_as_asked_are_judged_as_by_brute_force() {
    let asked = std::env::var("ORACLE_HISTORIES").ok();
    let histories = asked.map_or(1_000_000, |text| text.parse().expect("a number"));
    judge_all(2, usize::div_ceil(histories, KINDS.len()));
}
