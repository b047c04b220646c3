//! Random histories that brute force cannot judge: the engines among
//! themselves. Each has so many moves, and those that decide must agree.

use super::engines::agreed;
use super::generate::{Call, Random, Register, Shape, corrupt, right, spoil};
use super::growing::{Grow, Growing, right_growing};
use super::parallel::{Tally, in_parallel};
use crate::specification::RegisterCall;

/// So many in CI.
const HISTORIES: usize = 1_000;

/// How many moves each engine has.
const MOVES: u64 = 4_000;

fn any_shape(random: &mut Random) -> Shape {
    // Short ones are as frequent as long ones.
    let most = [20, 60, 150, 300][random.below(4) as usize];
    Shape {
        operations: 10 + random.below(most - 9) as usize,
        processes: 2 + random.below(11),
        unknown_one_in: [0, 6, 30][random.below(3) as usize],
    }
}

fn spoil_register(random: &mut Random, calls: &mut Vec<Call>, values: u64) {
    match random.one_in(2) {
        true => corrupt(random, calls, values),
        false => spoil(random, calls, |call| *call == RegisterCall::Read),
    }
}

/// One register's history, right in one of two cases; what is said of it.
fn judge_register(random: &mut Random) -> Option<bool> {
    let shape = any_shape(random);
    let values = [0, 2, 3, 5, 40][random.below(5) as usize];
    let mut calls = right(random, shape, values);
    let is_right = random.one_in(2);
    if !is_right {
        for _ in 0..1 + random.below(3) {
            spoil_register(random, &mut calls, values.max(5));
        }
    }
    let said = agreed(&Register { initial: 0 }, &calls, MOVES);
    assert!(!is_right || said != Some(false), "it happened: {calls:#?}");
    said
}

fn judge_growing(random: &mut Random) -> Option<bool> {
    let mut shape = any_shape(random);
    // What appends leave says how many there were: little is open.
    shape.processes = 2 + shape.processes / 3;
    let mut calls = right_growing(random, shape);
    let is_right = random.one_in(2);
    if !is_right {
        for _ in 0..1 + random.below(3) {
            spoil(random, &mut calls, |call| *call == Grow::Read);
        }
    }
    let said = agreed(&Growing, &calls, MOVES);
    assert!(!is_right || said != Some(false), "it happened: {calls:#?}");
    said
}

/// Judges so many of a kind; most must be decided, or little is tested.
fn judge_all(seed: u64, histories: usize, judge_one: fn(&mut Random) -> Option<bool>) {
    let tally = in_parallel(histories, |history| {
        let mut random = Random::new((seed << 40) + history as u64);
        let mut tally = Tally::default();
        if let Some(valid) = judge_one(&mut random) {
            tally.count(valid);
        }
        tally
    });
    let percent = 100 * tally.histories / histories;
    assert!(percent >= 80, "{percent} % are decided");
    tally.assert_mixed("larger");
}

#[test]
fn the_engines_agree_on_larger_registers() {
    judge_all(3, HISTORIES, judge_register);
}

#[test]
fn the_engines_agree_on_larger_lists() {
    judge_all(4, HISTORIES, judge_growing);
}

#[test]
#[ignore = "takes minutes"]
fn the_engines_agree_on_many_larger_histories() {
    judge_all(5, 20 * HISTORIES, judge_register);
    judge_all(6, 20 * HISTORIES, judge_growing);
}
