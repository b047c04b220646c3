//! What a change does to the verdict on a history of several keys, as it is
//! recorded: keys are judged apart.

use std::collections::BTreeSet;

use tribunal_histories::generate::{Object, Shape, linearizable};
use tribunal_histories::{Event, History, Kind, Process, Value};

use super::super::{Limits, Options, check};
use super::generate::Random;
use super::parallel::{Tally, in_parallel};
use crate::spec::Spec;
use crate::verdict::Verdict;

const HISTORIES: usize = 600;

/// A history of so many keys in which some reads are not what was seen.
fn any_history(random: &mut Random, keys: u32) -> History {
    let mut shape = Shape::small(Object::CasRegister);
    shape.keys = keys;
    shape.processes = 2 + random.below(3) as u32;
    let moves = 20 + random.below(60);
    let script: Vec<u32> = (0..moves).map(|_| random.below(1 << 32) as u32).collect();
    let mut history = linearizable(&shape, &script);
    for event in &mut history.events {
        if event.f == "read" && event.kind == Kind::Ok && random.one_in(16) {
            event.value = (random.below(3) as i64).into();
        }
    }
    history
}

fn is_valid(history: &History) -> bool {
    let options = Options {
        limits: Limits {
            threads: 1,
            ..Limits::default()
        },
        ..Options::new(Spec::CasRegister)
    };
    match check(history, &options).expect("a history").verdict {
        Verdict::Valid => true,
        Verdict::Invalid(_) => false,
        Verdict::Unknown(limit) => panic!("there is no limit: {limit:?}"),
    }
}

/// Asserts something of many histories; it says whether one is valid.
fn assert_of_many(assert_of: impl Fn(&mut Random) -> bool + Sync) {
    let tally = in_parallel(HISTORIES, |seed| {
        let mut tally = Tally::default();
        tally.count(assert_of(&mut Random::new(seed as u64)));
        tally
    });
    tally.assert_mixed("several keys");
}

/// The history of these events, numbered anew.
fn of_events(like: &History, mut events: Vec<Event>) -> History {
    for (index, event) in (0..).zip(&mut events) {
        event.index = index;
        event.time = index;
    }
    History::new(like.header.clone(), events)
}

/// The same by other clients, on keys of other names.
fn renamed(history: &History, by: u64) -> Vec<Event> {
    let events = history.events.iter().cloned().map(|mut event| {
        if let Process::Client(client) = &mut event.process {
            *client = by + 1_000 * *client;
        }
        event.key = event
            .key
            .map(|key| Value::List(vec![key, (by as i64).into()]));
        event
    });
    events.collect()
}

#[test]
fn names_of_clients_and_keys_do_not_matter() {
    assert_of_many(|random| {
        let history = any_history(random, 3);
        let valid = is_valid(&history);
        let events = renamed(&history, 7);
        assert_eq!(is_valid(&of_events(&history, events)), valid);
        valid
    });
}

#[test]
fn two_histories_of_different_keys_are_valid_if_both_are() {
    assert_of_many(|random| {
        let (one, other) = (any_history(random, 1), any_history(random, 2));
        let both = is_valid(&one) && is_valid(&other);
        let (first, second) = (renamed(&one, 1), renamed(&other, 2));
        // One after the other, or both at once.
        let after = [first.as_slice(), &second].concat();
        assert_eq!(is_valid(&of_events(&one, after)), both);
        let (mut first, mut second) = (first.into_iter(), second.into_iter());
        let mut mixed = Vec::new();
        while first.len() + second.len() > 0 {
            let next = match random.one_in(2) {
                true => first.next(),
                false => second.next(),
            };
            mixed.extend(next);
        }
        assert_eq!(is_valid(&of_events(&one, mixed)), both);
        both
    });
}

#[test]
fn a_history_is_valid_if_it_is_on_each_key() {
    assert_of_many(|random| {
        let history = any_history(random, 4);
        let valid = is_valid(&history);
        let keys: BTreeSet<_> = history
            .events
            .iter()
            .map(|it| format!("{:?}", it.key))
            .collect();
        let on_each = keys.iter().all(|key| {
            let on_key = |event: &&Event| format!("{:?}", event.key) == *key;
            let events = history.events.iter().filter(on_key).cloned().collect();
            is_valid(&of_events(&history, events))
        });
        assert_eq!(valid, on_each);
        valid
    });
}
