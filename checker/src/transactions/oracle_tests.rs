//! The checker against brute force, on random histories.
//!
//! The brute force is the definition: some of the transactions of unknown
//! outcome take effect, all that completed do, and in some order of these every
//! read sees what was written before it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use rustc_hash::FxHashSet;
use tribunal_histories::generate::transactions::{Isolation, Object, Shape};
use tribunal_histories::strategies::transactional;
use tribunal_histories::{History, Kind, Operation, Outcome, Value};

use super::{Level, Options, check};
use crate::Verdict;

type Store = BTreeMap<Value, Value>;

/// Whether the transactions can be ordered, by trying all orders.
fn brute_force(history: &History, level: Level) -> bool {
    let operations = history.operations().expect("operations");
    let all: Vec<Operation> = operations
        .into_iter()
        .filter(|operation| match operation.outcome {
            Outcome::Ok(_) => true,
            Outcome::Fail => false,
            Outcome::Info => writes(operation),
        })
        .collect();
    assert!(all.len() < 32, "few enough for brute force");
    rest(&all, level, 0, &Store::new(), &mut FxHashSet::default())
}

fn writes(operation: &Operation) -> bool {
    let Value::List(micros) = &operation.argument else {
        panic!("a transaction")
    };
    let is_write = |micro: &Value| matches!(micro, Value::List(parts) if parts[0] != "r".into());
    micros.iter().any(is_write)
}

fn rest(
    all: &[Operation],
    level: Level,
    placed: u32,
    store: &Store,
    seen: &mut FxHashSet<(u32, Store)>,
) -> bool {
    let left = || (0..all.len()).filter(|place| placed >> place & 1 == 0);
    let completes = |place: usize| match all[place].outcome {
        Outcome::Ok(_) => all[place].completed,
        _ => None,
    };
    if left().all(|place| completes(place).is_none()) {
        return true;
    }
    if !seen.insert((placed, store.clone())) {
        return false;
    }
    let first = left().filter_map(completes).min().unwrap_or(u64::MAX);
    let may_be_next = |place: &usize| level == Level::Serializable || all[*place].invoked < first;
    left().filter(may_be_next).any(|place| {
        performed(&all[place], store)
            .is_some_and(|next| rest(all, level, placed | 1 << place, &next, seen))
    })
}

/// What a transaction makes of the store, if it can have seen what it did.
fn performed(operation: &Operation, store: &Store) -> Option<Store> {
    let (micros, is_known) = match &operation.outcome {
        Outcome::Ok(told) => (told, true),
        _ => (&operation.argument, false),
    };
    let Value::List(micros) = micros else {
        panic!("a transaction")
    };
    let mut store = store.clone();
    for micro in micros {
        let Value::List(parts) = micro else {
            panic!("a micro-operation")
        };
        let (key, value) = (parts[1].clone(), parts[2].clone());
        match &parts[0] {
            Value::Text(f) if f == "r" => {
                let held = store.get(&key).cloned().unwrap_or_default();
                let empty = [Value::Null, Value::List(Vec::new())];
                let same = held == value || empty.contains(&held) && empty.contains(&value);
                if is_known && !same {
                    return None;
                }
            }
            Value::Text(f) if f == "append" => {
                match store.entry(key).or_insert(Value::List(Vec::new())) {
                    Value::List(list) => list.push(value),
                    _ => panic!("a list"),
                }
            }
            _ => {
                store.insert(key, value);
            }
        }
    }
    Some(store)
}

fn is_valid(history: &History, level: Level) -> bool {
    let report = check(history, &Options::new(level)).expect("transactions");
    assert_eq!(
        report.verdict == Verdict::Valid,
        report.anomalies.is_empty()
    );
    report.verdict == Verdict::Valid
}

/// The history with another value in one of its reads: an element less, one
/// more, two exchanged, or what another read of a register saw.
fn spoiled(mut history: History, choice: u32) -> History {
    let completions = history.events.iter_mut();
    let completions = completions.filter(|event| event.kind == Kind::Ok);
    let micros = completions.flat_map(|event| match &mut event.value {
        Value::List(micros) => micros.as_mut_slice(),
        _ => &mut [],
    });
    let mut reads: Vec<&mut Value> = micros
        .filter_map(|micro| match micro {
            Value::List(parts) if parts[0] == "r".into() => parts.get_mut(2),
            _ => None,
        })
        .collect();
    if reads.is_empty() || choice.is_multiple_of(3) {
        return history;
    }
    let choice = choice as usize / 3;
    let place = choice % reads.len();
    let other = reads[choice / 5 % reads.len()].clone();
    match &mut *reads[place] {
        Value::List(list) if list.len() > 1 && choice.is_multiple_of(4) => list.swap(0, 1),
        Value::List(list) if choice % 4 == 1 => drop(list.pop()),
        Value::List(list) if choice % 4 == 2 => list.push(Value::Int(1 + choice as i64 % 8)),
        read => *read = other,
    }
    history
}

fn shapes(object: Object) -> impl Strategy<Value = Shape> {
    let isolation = prop_oneof![
        Just(Isolation::StrictSerializable),
        Just(Isolation::Snapshot),
        Just(Isolation::None),
        Just(Isolation::None),
    ];
    (isolation, 2..5_u32, 1..4_u32, 1..4_u32).prop_map(
        move |(isolation, processes, keys, length_max)| Shape {
            processes,
            keys,
            length_max,
            info_one_in: 6,
            ..Shape::small(object, isolation)
        },
    )
}

fn histories(object: Object) -> impl Strategy<Value = History> {
    let made = shapes(object).prop_flat_map(|shape| transactional(shape, 4..26));
    (made, any::<u32>()).prop_map(|(history, choice)| spoiled(history, choice))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn verdicts_on_lists_agree_with_brute_force(history in histories(Object::Lists)) {
        for level in Level::ALL {
            prop_assert_eq!(
                is_valid(&history, level),
                brute_force(&history, level),
                "{}: {:?}", level, check(&history, &Options::new(level))
            );
        }
    }

    #[test]
    fn no_alarm_on_registers_is_false(history in histories(Object::Registers)) {
        for level in Level::ALL {
            if !is_valid(&history, level) {
                prop_assert!(
                    !brute_force(&history, level),
                    "{}: {:?}", level, check(&history, &Options::new(level))
                );
            }
        }
    }
}

/// How many of many random histories are wrong, and of those how many the
/// checker finds so: if either were few, the properties above would say little.
#[test]
fn many_random_histories_are_wrong_and_most_of_those_are_found() {
    for (object, found_least) in [(Object::Lists, 100), (Object::Registers, 90)] {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let strategy = histories(object);
        let (mut wrong, mut found) = (0, 0);
        for _ in 0..2000 {
            let history = strategy.new_tree(&mut runner).expect("a history").current();
            if !brute_force(&history, Level::StrictSerializable) {
                wrong += 1;
                found += u32::from(!is_valid(&history, Level::StrictSerializable));
            }
        }
        println!("{object:?}: {found} of {wrong} found");
        assert!(
            (150..1600).contains(&wrong),
            "{object:?}: {wrong} of 2000 are wrong"
        );
        assert!(
            100 * found >= found_least * wrong,
            "{object:?}: {found} of {wrong} found"
        );
    }
}
