//! Whole histories: the dialect, keys, limits and witnesses.
//!
//! The brute force here works on recorded operations and plain values, so
//! that it shares nothing with the checker but the history.

use std::collections::HashSet;
use std::time::Duration;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use tribunal_histories::generate::{Object, Shape, linearizable, violating};
use tribunal_histories::{
    Event, FailedCas, Header, History, Kind, Nil, Operation, Outcome, Process, Value, strategies,
};

use super::judge::Judge;
use super::rounds::{Job, Meter};
use super::search::Progress;
use super::witness::{Order, Shown, Witness};
use super::{Limits, Options, Report, check};
use super::{Prepared, Recording, explain, refuted_by};
use crate::Verdict;
use crate::spec::Spec;

fn options(spec: Spec) -> Options {
    let limits = Limits {
        threads: 1,
        ..Limits::default()
    };
    Options {
        spec,
        nil: None,
        engine: None,
        limits,
    }
}

fn spec_of(object: Object) -> Spec {
    match object {
        Object::Register => Spec::Register,
        Object::CasRegister => Spec::CasRegister,
        Object::Kv => Spec::Kv,
    }
}

fn judge(history: &History, spec: Spec) -> Report {
    check(history, &options(spec)).expect("a history of this specification")
}

/// Whether every key has an order, by trying all.
pub(super) fn brute_force(history: &History) -> bool {
    let operations = history.operations().expect("a whole history");
    let keys: HashSet<_> = operations.iter().map(|operation| &operation.key).collect();
    keys.into_iter().all(|key| {
        let on_key = operations.iter().filter(|operation| operation.key == *key);
        let kept: Vec<&Operation> = on_key
            .filter(|it| says_something(it, &history.header))
            .collect();
        rest(
            &history.header,
            &kept,
            0,
            &history.header.initial,
            &mut HashSet::new(),
        )
    })
}

fn says_something(operation: &Operation, header: &Header) -> bool {
    let read = matches!(operation.f.as_str(), "read" | "get");
    match &operation.outcome {
        Outcome::Fail => operation.f == "cas" && header.failed_cas == FailedCas::Observed,
        Outcome::Info => !read,
        Outcome::Ok(value) => !(read && *value == Value::Null && header.nil == Nil::Unknown),
    }
}

fn rest(
    header: &Header,
    operations: &[&Operation],
    placed: u64,
    state: &Value,
    seen: &mut HashSet<(u64, Value)>,
) -> bool {
    let left = || (0..operations.len()).filter(|place| placed >> place & 1 == 0);
    if left().all(|place| operations[place].outcome == Outcome::Info) {
        return true;
    }
    if !seen.insert((placed, state.clone())) {
        return false;
    }
    let ends = |operation: &Operation| match operation.outcome {
        Outcome::Info => u64::MAX,
        _ => operation.completed.unwrap_or(u64::MAX),
    };
    let first = left().map(|place| ends(operations[place])).min();
    left()
        .filter(|&place| Some(operations[place].invoked) < first)
        .any(|place| match after(header, operations[place], state) {
            Some(next) => rest(header, operations, placed | 1 << place, &next, seen),
            None => false,
        })
}

/// What a key holds after the operation, if it can have ended as it did.
fn after(header: &Header, operation: &Operation, state: &Value) -> Option<Value> {
    let or_initial = |value: &Value| match (value, header.nil) {
        (Value::Null, Nil::Initial) => header.initial.clone(),
        _ => value.clone(),
    };
    let unknown = operation.outcome == Outcome::Info;
    let argument = &operation.argument;
    match (operation.f.as_str(), &operation.outcome) {
        ("read" | "get", Outcome::Ok(value)) => {
            (or_initial(value) == *state).then(|| state.clone())
        }
        ("write" | "put", _) => Some(or_initial(argument)),
        ("delete", _) => Some(or_initial(&Value::Null)),
        ("append", _) => match state {
            Value::Null if matches!(argument, Value::Text(_)) => Some(argument.clone()),
            Value::Text(front) if let Value::Text(back) = argument => {
                Some(Value::Text(format!("{front}{back}")))
            }
            Value::Null => Some(Value::List(vec![or_initial(argument)])),
            Value::List(values) => {
                let more = values.iter().cloned().chain([or_initial(argument)]);
                Some(Value::List(more.collect()))
            }
            _ => unknown.then(|| state.clone()),
        },
        ("cas", outcome) => {
            let Value::List(pair) = argument else {
                return None;
            };
            let matches = or_initial(&pair[0]) == *state;
            match (outcome, matches) {
                (Outcome::Fail, true) | (Outcome::Ok(_), false) => None,
                (Outcome::Fail, false) | (Outcome::Info, false) => Some(state.clone()),
                (_, true) => Some(or_initial(&pair[1])),
            }
        }
        _ => None,
    }
}

/// Random numbers that are the same in every run.
fn numbers(seed: u32) -> impl Iterator<Item = u32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    })
}

/// A history in which some of the answers are not what was seen.
fn spoilt(object: Object, seed: u32) -> History {
    let mut numbers = numbers(seed);
    let mut draw = |bound: u32| numbers.next().map_or(0, |number| number % bound);
    let mut shape = Shape::small(object);
    shape.processes = 1 + draw(4);
    shape.values = 2 + draw(2);
    shape.header.nil = [Nil::Initial, Nil::Unknown][draw(2) as usize];
    shape.header.failed_cas = [FailedCas::Fail, FailedCas::Observed][draw(2) as usize];
    let moves = 3 + draw(33) as usize;
    let script: Vec<u32> = std::iter::repeat_with(|| draw(u32::MAX))
        .take(moves)
        .collect();
    let mut history = linearizable(&shape, &script);
    for event in &mut history.events {
        let is_read = matches!(event.f.as_str(), "read" | "get");
        if is_read && event.kind == Kind::Ok && draw(3) == 0 {
            event.value = [Value::Null, 0.into(), 1.into()][draw(3) as usize].clone();
        }
        if event.f == "cas" && event.kind != Kind::Invoke && draw(6) == 0 {
            event.kind = [Kind::Ok, Kind::Fail][draw(2) as usize];
        }
    }
    history
}

#[test]
fn verdicts_on_histories_agree_with_brute_force() {
    let mut valid = 0;
    for seed in 0..12_000 {
        let object = [Object::Register, Object::CasRegister, Object::Kv][seed as usize % 3];
        let history = spoilt(object, seed);
        let expected = brute_force(&history);
        valid += u32::from(expected);
        let report = judge(&history, spec_of(object));
        match (&report.verdict, expected) {
            (Verdict::Valid, true) => {}
            (Verdict::Invalid(witness), false) => {
                // The prefix is refuted, and no shorter one is.
                assert!(witness.prefix.shortest, "seed {seed}");
                let last = witness.prefix.last;
                assert!(
                    !brute_force(&prefix(&history, last)),
                    "seed {seed}: {witness}"
                );
                let before = last.checked_sub(1);
                assert!(
                    before.is_none_or(|last| brute_force(&prefix(&history, last))),
                    "seed {seed}: {witness}"
                );
                assert_shown(&history, witness);
            }
            (verdict, _) => panic!("seed {seed}: {verdict:?}, expected {expected}"),
        }
    }
    assert!((3000..=9000).contains(&valid), "{valid} of 12000 are valid");
}

/// Asserts of a witness what can be seen without the checker: the operations
/// that it names have no order, and its orders are some.
fn assert_shown(history: &History, witness: &Witness) {
    assert!(witness.window.smallest, "{witness}");
    assert_eq!(witness.rechecked, Some(true), "{witness}");
    let named = |event: &&Event| {
        let ends = |it: &Shown| it.invoked == event.index || it.completed == Some(event.index);
        witness.needed.iter().any(ends)
    };
    let events: Vec<Event> = history.events.iter().filter(named).cloned().collect();
    let alone = |initial: Value, events: &[Event]| {
        let header = Header {
            initial,
            ..history.header.clone()
        };
        brute_force(&History::new(header, events.to_vec()))
    };
    assert!(!alone(history.header.initial.clone(), &events), "{witness}");
    if witness.window.from_any_state {
        // Nothing means what was held at first, wherever this starts.
        let first: Value = "first".into();
        let name = |value: &Value| match (value, history.header.nil) {
            (Value::Null, Nil::Initial) => first.clone(),
            (other, _) => other.clone(),
        };
        let named = events.iter().cloned().map(|mut event| {
            if event.f == "delete" {
                event.f = "put".to_owned();
            }
            event.value = match &event.value {
                Value::List(pair) => Value::List(pair.iter().map(name).collect()),
                other => name(other),
            };
            event
        });
        let events: Vec<Event> = named.collect();
        for start in [
            Value::Null,
            first.clone(),
            0.into(),
            1.into(),
            2.into(),
            77.into(),
        ] {
            assert!(!alone(start, &events), "{witness}");
        }
    }
    assert_eq!(witness.steps, witness.orders[0].steps);
    let refuted = witness.refuted.as_ref().map(|it| it.invoked);
    for order in &witness.orders {
        assert!(
            order.missing.iter().any(|it| Some(it.invoked) == refuted),
            "{order:#?}\n{witness}"
        );
        let last = order.steps.last().map_or(&order.before, |step| &step.state);
        assert_eq!(last, &order.state);
        assert_ne!(order.needs.as_ref(), Some(&order.state), "{witness}");
        let state = |it: &Order| it.state.clone();
        let same = witness.orders.iter().filter(|it| state(it) == order.state);
        assert_eq!(same.count(), 1, "{witness}");
    }
}

fn prefix(history: &History, last: u64) -> History {
    let events = history.events.iter().filter(|event| event.index <= last);
    History::new(history.header.clone(), events.cloned().collect())
}

fn objects() -> impl Strategy<Value = Object> {
    prop_oneof![
        Just(Object::Register),
        Just(Object::CasRegister),
        Just(Object::Kv)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_is_linearizable_by_construction_is_valid(
        (object, history) in objects().prop_flat_map(|object| {
            (Just(object), strategies::linearizable(Shape::small(object), 0..200))
        })
    ) {
        prop_assert_eq!(judge(&history, spec_of(object)).verdict, Verdict::Valid);
    }

    #[test]
    fn a_planted_violation_is_found(
        (object, history) in objects().prop_flat_map(|object| {
            (Just(object), strategies::violating(Shape::small(object), 0..200))
        })
    ) {
        prop_assert!(matches!(judge(&history, spec_of(object)).verdict, Verdict::Invalid(_)));
    }
}

/// A history from a line for each event: process, type, f, value.
fn history(header: Header, lines: &[(u64, &str, &str, Value)]) -> History {
    let events = (0..)
        .zip(lines)
        .map(|(index, (process, kind, f, value))| Event {
            index,
            time: index,
            process: Process::Client(*process),
            kind: match *kind {
                "invoke" => Kind::Invoke,
                "ok" => Kind::Ok,
                "fail" => Kind::Fail,
                _ => Kind::Info,
            },
            f: (*f).to_owned(),
            key: Some("x".into()),
            value: value.clone(),
            error: None,
            node: None,
            fault: None,
        });
    let events = events.collect();
    History::new(header, events)
}

fn explained(history: &History, expected: &Expect) {
    match judge(history, Spec::CasRegister).verdict {
        Verdict::Invalid(witness) => expected.assert_eq(&witness.to_string()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stale_read_is_drawn() {
    let lines = [
        (0, "invoke", "write", 1.into()),
        (0, "ok", "write", 1.into()),
        (1, "invoke", "write", 2.into()),
        (2, "invoke", "read", Value::Null),
        (2, "ok", "read", 2.into()),
        (4, "invoke", "write", 3.into()),
        (3, "invoke", "read", Value::Null),
        (1, "ok", "write", 2.into()),
        (3, "ok", "read", 1.into()),
    ];
    explained(
        &history(Header::new("register"), &lines),
        &expect![[r#"
            process 3 read 1 from key "x", but the orders that come furthest leave 2 there.
            The shortest prefix without an order ends at event 8; 4 operations on the key complete in it.
            These 2 operations alone have no order, whatever came before, with or without the one marked ?:

              process 1  [write 2 ?]
              process 2   [read 2]
              process 3           [read 1]

            An order that comes furthest:

              process 0  [write 1 #1]
              process 1              [write 2 #2---]
              process 2               [read 2 #3]
              process 4                          [write 3------...
              process 3                           [read 1 !]

                      at first                         holds nothing
                  #1  process 0 write 1                holds 1
                  #2  process 1 write 2                holds 2
                  #3  process 2 read 2                 holds 2
                   !  process 3 read 1                 has no place
        "#]],
    );
}

#[test]
fn a_write_that_failed_and_was_read_is_refuted_where_it_fails() {
    let lines = [
        (0, "invoke", "write", 1.into()),
        (1, "invoke", "read", Value::Null),
        (1, "ok", "read", 1.into()),
        (2, "invoke", "read", Value::Null),
        (0, "fail", "write", 1.into()),
    ];
    explained(
        &history(Header::new("register"), &lines),
        &expect![[r#"
            process 1 read 1 from key "x", a value that only process 0's write wrote, and that failed.
            The shortest prefix without an order ends at event 4; 2 operations on the key complete in it.
            This operation alone has no place:

              process 1  [read 1]

            An order that comes furthest:

              process 0  [write 1 failed]
              process 1   [read 1 !]
              process 2             [read---...

                      at first                         holds nothing
                   !  process 1 read 1                 has no place
        "#]],
    );
}

#[test]
fn a_cas_that_cannot_have_succeeded_is_explained() {
    let lines = [
        (0, "invoke", "write", 1.into()),
        (0, "ok", "write", 1.into()),
        (1, "invoke", "cas", Value::List(vec![2.into(), 3.into()])),
        (2, "invoke", "write", 2.into()),
        (2, "info", "write", 2.into()),
        (3, "invoke", "cas", Value::List(vec![2.into(), 4.into()])),
        (1, "ok", "cas", Value::List(vec![2.into(), 3.into()])),
        (3, "ok", "cas", Value::List(vec![2.into(), 4.into()])),
    ];
    explained(
        &history(Header::new("register"), &lines),
        &expect![[r#"
            process 3's cas of key "x" from 2 to 4 succeeded, but the orders that come furthest leave 3 there.
            The shortest prefix without an order ends at event 7; 4 operations on the key complete in it.
            These 3 operations alone have no order, whatever came before, with or without the one marked ?:

              process 0  [write 1]
              process 1           [cas 2>3]
              process 2            [write 2 ?---...
              process 3             [cas 2>4]

            An order that comes furthest:

              process 0  [write 1 #1]
              process 1              [cas 2>3 #3]
              process 2               [write 2 #2----...
              process 3                [cas 2>4 !]

                      at first                         holds nothing
                  #1  process 0 write 1                holds 1
                  #2  process 2 write 2                holds 2
                  #3  process 1 cas 2>3                holds 3
                   !  process 3 cas 2>4                has no place
        "#]],
    );
}

#[test]
fn more_open_operations_than_a_word_has_bits_are_judged() {
    for (count, seen, valid) in [(70, 69, true), (200, 199, true), (200, 1000, false)] {
        let write = |kind| move |n: u64| (n, kind, "write", Value::Int(n as i64));
        let mut lines: Vec<_> = (0..count).map(write("invoke")).collect();
        lines.extend((0..count).map(write("ok")));
        lines.push((0, "invoke", "read", Value::Null));
        lines.push((0, "ok", "read", seen.into()));
        let report = judge(&history(Header::new("register"), &lines), Spec::Register);
        assert_eq!(
            report.verdict == Verdict::Valid,
            valid,
            "{count} open writes"
        );
    }
}

#[test]
fn an_operation_that_the_specification_does_not_know_is_named() {
    let lines = [(0, "invoke", "push", 1.into())];
    let error = check(
        &history(Header::new("register"), &lines),
        &options(Spec::Kv),
    );
    expect![[
        r#"history:2:1: expected an operation of kv (get, put, cas, delete, append), found "push""#
    ]]
    .assert_eq(&error.expect_err("refused").to_string());
}

#[test]
fn an_answer_that_an_operation_cannot_have_is_named_where_it_stands() {
    let refused = |f, asked: Value, answered: Value, expected: Expect| {
        let lines = [(0, "invoke", f, asked), (0, "ok", f, answered)];
        let error = check(
            &history(Header::new("register"), &lines),
            &options(Spec::Kv),
        );
        expected.assert_eq(&error.expect_err("refused").to_string());
    };
    let pair = || Value::List(vec![1.into(), 2.into()]);
    refused(
        "put",
        1.into(),
        2.into(),
        expect!["history:3:1: expected null, true or 1, found 2"],
    );
    refused(
        "delete",
        Value::Null,
        "x".into(),
        expect![[r#"history:3:1: expected null or true, found "x""#]],
    );
    refused(
        "append",
        "x".into(),
        Value::Bool(false),
        expect![[r#"history:3:1: expected null, true or "x", found false"#]],
    );
    refused(
        "cas",
        pair(),
        7.into(),
        expect!["history:3:1: expected false, null, true or [1,2], found 7"],
    );
}

#[test]
fn a_cas_that_answered_false_found_another_value() {
    let pair = |old: i64, new: i64| Value::List(vec![old.into(), new.into()]);
    let lines = |cas: Value, read: i64| {
        history(
            Header::new("register"),
            &[
                (0, "invoke", "write", 1.into()),
                (0, "ok", "write", 1.into()),
                (0, "invoke", "cas", cas.clone()),
                (0, "ok", "cas", Value::Bool(false)),
                (0, "invoke", "read", Value::Null),
                (0, "ok", "read", read.into()),
            ],
        )
    };
    let judged = |cas, read| judge(&lines(cas, read), Spec::CasRegister).verdict;
    assert_eq!(judged(pair(3, 2), 1), Verdict::Valid);
    assert!(matches!(judged(pair(1, 2), 2), Verdict::Invalid(_)));
    explained(
        &lines(pair(1, 2), 1),
        &expect![[r#"
        process 0's cas of key "x" from 1 to 2 found another value, but the orders that come furthest leave 1 there.
        The shortest prefix without an order ends at event 3; 2 operations on the key complete in it.
        These 2 operations alone have no order, whatever came before:

          process 0  [write 1][cas 1>2 -> false]

        An order that comes furthest:

          process 0  [write 1 #1][cas 1>2 -> false !]

                  at first                         holds nothing
              #1  process 0 write 1                holds 1
               !  process 0 cas 1>2 -> false       has no place
    "#]],
    );
}

/// Many clients at once with cas on few values, and a stale read among them:
/// more than a moment's work.
fn hard() -> History {
    let mut shape = Shape::small(Object::CasRegister);
    shape.processes = 60;
    shape.info_one_in = 0;
    shape.values = 4;
    let script: Vec<u32> = numbers(7).take(6000).collect();
    violating(&shape, &script, 2 * 3000 + 1)
}

#[test]
fn a_limit_that_is_met_is_named_with_what_was_checked() {
    let mut options = options(Spec::CasRegister);
    options.limits.time = Some(Duration::from_millis(30));
    let limited = check(&hard(), &options).expect("a history").verdict;
    let Verdict::Unknown(limit) = limited else {
        panic!("{limited:?}");
    };
    assert_eq!(limit.reason, "the time limit of 30 ms was met");
    assert!(limit.checked > 0);
    options.limits.time = None;
    options.limits.memory = Some(1 << 20);
    let limited = check(&hard(), &options).expect("a history").verdict;
    let Verdict::Unknown(limit) = limited else {
        panic!("{limited:?}");
    };
    assert_eq!(limit.reason, "the memory limit of 1 MiB was met");
}

#[test]
fn a_wrong_key_is_not_stuck_behind_a_hard_one() {
    let mut both = hard();
    let wrong = [
        (1_000, "invoke", "read", Value::Null),
        (1_000, "ok", "read", 77.into()),
    ];
    let mut wrong = history(Header::new("register"), &wrong).events;
    for (index, event) in (both.events.len() as u64..).zip(&mut wrong) {
        event.index = index;
    }
    both.events.extend(wrong);
    let mut options = options(Spec::CasRegister);
    options.limits.time = Some(Duration::from_secs(20));
    for threads in [1, 2] {
        options.limits.threads = threads;
        let verdict = check(&both, &options).expect("a history").verdict;
        let Verdict::Invalid(witness) = verdict else {
            panic!("{verdict:?}");
        };
        assert_eq!(witness.key, Some("x".into()));
        assert!(witness.never_written);
    }
}

#[test]
fn a_refutation_that_does_not_hold_is_unknown() {
    let mut unsound = 0;
    for seed in 0..300 {
        let object = [Object::Register, Object::CasRegister, Object::Kv][seed as usize % 3];
        let history = spoilt(object, seed);
        if !brute_force(&history) {
            continue;
        }
        let options = options(spec_of(object));
        let prepared = Prepared::new(&history, &options).expect("a history");
        let recording = Recording {
            history: &history,
            pairs: &prepared.pairs,
        };
        let meter = Meter::new(&options.limits);
        // As a wrong engine would have it.
        for key in &prepared.keys {
            let mut job = Job::new(&key.object, 0, || Judge::Refuted(vec![0]));
            job.progress = Progress::Refuted;
            let Some(witness) = explain::witness(&recording, vec![(key, &job)], &meter) else {
                continue;
            };
            let verdict = refuted_by(witness);
            assert!(matches!(verdict, Verdict::Unknown(_)), "seed {seed}");
            unsound += 1;
        }
    }
    assert!(unsound > 100, "{unsound}");
}

#[test]
fn the_time_of_a_limit_is_written_with_its_unit() {
    let written = [
        (Duration::ZERO, "0 s"),
        (Duration::from_nanos(5), "5 ns"),
        (Duration::from_micros(1500), "1.5 ms"),
        (Duration::from_micros(7), "7 µs"),
        (Duration::from_secs(300), "300 s"),
    ];
    for (time, text) in written {
        assert_eq!(super::describe_time(time), text);
    }
}
