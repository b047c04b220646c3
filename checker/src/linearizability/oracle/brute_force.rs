//! The definition: some of the calls of unknown outcome take effect, all that
//! completed do, and some order of these respects the order of completions and
//! invocations. It prunes nothing that the engines prune.

use rustc_hash::FxHashSet;

use super::super::object::Object;
use super::generate::{Random, Register, guessed};
use crate::specification::{Specification, TimedCallOf};

/// Whether the calls can be ordered, by trying all orders.
pub(crate) fn brute_force<S: Specification>(specification: &S, calls: &[TimedCallOf<S>]) -> bool {
    let state = specification.initial();
    rest(specification, calls, 0, &state, &mut FxHashSet::default())
}

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
        .filter(|&place| calls[place].invoked <= first)
        .any(|place| {
            let call = &calls[place];
            specification
                .step(state, &call.call, call.returned())
                .is_some_and(|next| rest(specification, calls, placed | 1 << place, &next, seen))
        })
}

/// Whether this order is one: word for word, without any of the above.
fn holds<S: Specification>(specification: &S, calls: &[TimedCallOf<S>], order: &[usize]) -> bool {
    let is_whole =
        (0..calls.len()).all(|place| order.contains(&place) || calls[place].completed.is_none());
    let is_in_time = (0..order.len()).all(|later| {
        order[..later].iter().all(|&earlier| {
            let completed = calls[order[later]].completed.as_ref().map(|(at, _)| *at);
            completed.is_none_or(|completed| completed >= calls[earlier].invoked)
        })
    });
    let end = order
        .iter()
        .try_fold(specification.initial(), |state, &place| {
            let call = &calls[place];
            specification.step(&state, &call.call, call.returned())
        });
    is_whole && is_in_time && end.is_some()
}

/// All orders of some of so many calls.
fn orders(calls: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    let mut next = 0;
    while let Some(order) = all.get(next).cloned() {
        next += 1;
        let left = (0..calls).filter(|place| !order.contains(place));
        all.extend(left.map(|place| [order.as_slice(), &[place]].concat()));
    }
    all
}

#[test]
fn brute_force_and_replay_are_the_definition() {
    let mut random = Random::new(41);
    let register = Register { initial: 0 };
    let mut valid = 0;
    for _ in 0..2_000 {
        let (count, processes) = (1 + random.below(4), 1 + random.below(4));
        let mut calls = guessed(&mut random, count as usize, processes, 2);
        // Now and then two ends are in one place.
        for call in &mut calls {
            call.invoked /= 2;
            call.completed = call.completed.map(|(at, returned)| (at / 2, returned));
        }
        let (object, numbered) = Object::of_calls(register, &calls);
        let mut expected = false;
        for order in orders(calls.len()) {
            let is_one = holds(&register, &calls, &order);
            expected |= is_one;
            let order: Vec<u32> = order.iter().map(|&place| place as u32).collect();
            let replays = object.replays(&numbered, &order);
            assert_eq!(replays, is_one, "{calls:#?} by {order:?}");
        }
        assert_eq!(brute_force(&register, &calls), expected, "{calls:#?}");
        valid += u32::from(expected);
    }
    assert!((600..1_400).contains(&valid), "{valid} of 2000 are valid");
}
