//! Every anomaly by its name, and what is said of it.

use expect_test::{Expect, expect};
use tribunal_histories::{Event, Header, History, Kind, Nil, Process, Value};

use super::{Level, Options, TXN, check};
use crate::Verdict;

/// Micro-operations, as they completed.
type Micros = Vec<Value>;

fn micro(f: &str, key: &str, value: Value) -> Value {
    Value::List(vec![f.into(), key.into(), value])
}

fn append(key: &str, value: i64) -> Value {
    micro("append", key, value.into())
}

fn list(key: &str, seen: &[i64]) -> Value {
    micro(
        "r",
        key,
        Value::List(seen.iter().map(|it| Value::Int(*it)).collect()),
    )
}

fn write(key: &str, value: i64) -> Value {
    micro("w", key, value.into())
}

fn read(key: &str, seen: Option<i64>) -> Value {
    micro("r", key, seen.into())
}

/// The micro-operations before they were told of anything.
fn asked(told: &Micros) -> Micros {
    let asked = |micro: &Value| match micro {
        Value::List(parts) if parts[0] == "r".into() => {
            Value::List(vec![parts[0].clone(), parts[1].clone(), Value::Null])
        }
        other => other.clone(),
    };
    told.iter().map(asked).collect()
}

fn event(process: usize, kind: Kind, micros: Micros) -> Event {
    Event {
        index: 0,
        time: 0,
        process: Process::Client(process as u64),
        kind,
        f: TXN.to_owned(),
        key: None,
        value: Value::List(micros),
        error: None,
        node: None,
        fault: None,
    }
}

fn history(events: Vec<Event>) -> History {
    let mut history = History::new(Header::new("list-append"), events);
    for (index, event) in (0..).zip(&mut history.events) {
        event.index = index;
    }
    history
}

/// All begin before any ends.
fn together(txns: &[(Kind, Micros)]) -> History {
    let begin =
        |(place, (_, told)): (usize, &(Kind, Micros))| event(place, Kind::Invoke, asked(told));
    let end = |(place, (kind, told)): (usize, &(Kind, Micros))| match kind {
        Kind::Ok => event(place, Kind::Ok, told.clone()),
        kind => event(place, *kind, asked(told)),
    };
    let all = || txns.iter().enumerate();
    history(all().map(begin).chain(all().map(end)).collect())
}

/// Each begins when the one before has ended.
fn in_turn(txns: &[Micros]) -> History {
    let ends = |(place, told): (usize, &Micros)| {
        [
            event(place, Kind::Invoke, asked(told)),
            event(place, Kind::Ok, told.clone()),
        ]
    };
    history(txns.iter().enumerate().flat_map(ends).collect())
}

fn told(history: &History, level: Level) -> String {
    let report = check(history, &Options::new(level)).expect("transactions");
    match report.verdict {
        Verdict::Valid => "valid".to_owned(),
        Verdict::Invalid(witness) => witness.to_string(),
        Verdict::Unknown(limit) => limit.to_string(),
    }
}

/// What is said of transactions that all overlap.
fn said(txns: &[Micros], expected: &Expect) {
    let txns: Vec<_> = txns.iter().map(|it| (Kind::Ok, it.clone())).collect();
    expected.assert_eq(&told(&together(&txns), Level::Serializable));
}

#[test]
fn reads_that_no_version_explains() {
    said(
        &[vec![append("x", 1)], vec![list("x", &[1, 9])]],
        &expect!["garbage-read: T1 read 9 of key \"x\", which nobody wrote (T1 began at index 1)"],
    );
    said(
        &[vec![append("x", 1)], vec![list("x", &[1, 1])]],
        &expect![
            "duplicate-elements: T1 read a list of key \"x\" in which 1 stands twice (T1 began at index 1)"
        ],
    );
    said(
        &[
            vec![append("x", 1)],
            vec![append("x", 2)],
            vec![list("x", &[1, 2])],
            vec![list("x", &[2])],
        ],
        &expect![[
            r#"incompatible-order: T1 and T2 read lists of key "x" that differ in place 1: 2 and 1 (T1 began at index 3, T2 began at index 2)"#
        ]],
    );
    said(
        &[vec![append("x", 1), append("x", 2)], vec![list("x", &[2])]],
        &expect![[
            r#"incompatible-order: T1 read a list of key "x" in which 2 stands without what T2 had appended before it (T1 began at index 1, T2 began at index 0)"#
        ]],
    );
    said(
        &[vec![write("x", 1)], vec![read("x", Some(3))]],
        &expect![[
            r#"garbage-read: T1 read 3 of key "x", which nobody wrote (T1 began at index 1)"#
        ]],
    );
}

#[test]
fn reads_within_one_transaction() {
    said(
        &[vec![append("x", 1), list("x", &[])]],
        &expect![[
            r#"internal: T1 read [] of key "x", against what it had itself read or written (T1 began at index 0)"#
        ]],
    );
    said(
        &[vec![write("x", 1)], vec![write("x", 2), read("x", Some(1))]],
        &expect![[
            r#"internal: T1 read 1 of key "x", against what it had itself read or written (T1 began at index 1)"#
        ]],
    );
    said(
        &[vec![list("x", &[1]), append("x", 1)]],
        &expect![[
            r#"future-read: T1 read 1 of key "x" before it wrote that itself (T1 began at index 0)"#
        ]],
    );
    said(
        &[vec![
            append("x", 1),
            list("x", &[1]),
            append("x", 2),
            list("x", &[1, 2]),
        ]],
        &expect!["valid"],
    );
}

#[test]
fn aborted_and_intermediate_reads() {
    let failed = [
        (Kind::Fail, vec![append("x", 1)]),
        (Kind::Ok, vec![list("x", &[1])]),
    ];
    expect![[r#"G1a: T1 read 1 of key "x", written by T2, which failed (T1 began at index 1, T2 began at index 0)"#]]
        .assert_eq(&told(&together(&failed), Level::Serializable));
    said(
        &[vec![append("x", 1), append("x", 2)], vec![list("x", &[1])]],
        &expect![[
            r#"G1b: T1 read 1 of key "x", after which T2 wrote the key again (T1 began at index 1, T2 began at index 0)"#
        ]],
    );
    said(
        &[vec![write("x", 1), write("x", 2)], vec![read("x", Some(1))]],
        &expect![[
            r#"G1b: T1 read 1 of key "x", after which T2 wrote the key again (T1 began at index 1, T2 began at index 0)"#
        ]],
    );
}

#[test]
fn cycles_are_named_by_their_edges() {
    said(
        &[
            vec![append("x", 1), append("y", 1)],
            vec![append("x", 2), append("y", 2)],
            vec![list("x", &[1, 2]), list("y", &[2, 1])],
        ],
        &expect![[
            r#"G0: T1 appended 1 to key "x" before T2 appended 2; T2 appended 2 to key "y" before T1 appended 1 (T1 began at index 0, T2 began at index 1)"#
        ]],
    );
    // Who lies between two versions of a key is no part of the proof.
    said(
        &[
            vec![append("x", 1), append("y", 2)],
            vec![append("x", 2)],
            vec![append("x", 3), append("y", 1)],
            vec![list("x", &[1, 2, 3]), list("y", &[1, 2])],
        ],
        &expect![[
            r#"G0: T1 appended 1 to key "x" before T2 appended 3; T2 appended 1 to key "y" before T1 appended 2 (T1 began at index 0, T2 began at index 2)"#
        ]],
    );
    said(
        &[
            vec![append("x", 1), list("y", &[1])],
            vec![append("y", 1), list("x", &[1])],
        ],
        &expect![[
            r#"G1c: T1 appended 1 to key "x", and T2 read it; T2 appended 1 to key "y", and T1 read it (T1 began at index 0, T2 began at index 1)"#
        ]],
    );
    said(
        &[
            vec![append("x", 1), append("y", 1)],
            vec![list("x", &[1]), list("y", &[])],
        ],
        &expect![[
            r#"G-single: T1 read key "y" without 1, which T2 appended; T2 appended 1 to key "x", and T1 read it (T1 began at index 1, T2 began at index 0)"#
        ]],
    );
    said(
        &[
            vec![list("x", &[]), append("y", 1)],
            vec![list("y", &[]), append("x", 1)],
        ],
        &expect![[
            r#"G2-item: T1 read key "x" without 1, which T2 appended; T2 read key "y" without 1, which T1 appended (T1 began at index 0, T2 began at index 1)"#
        ]],
    );
    said(
        &[
            vec![read("x", None), write("y", 1)],
            vec![read("y", None), write("x", 1)],
        ],
        &expect![[
            r#"G2-item: T1 read null of key "x", before T2 wrote 1; T2 read null of key "y", before T1 wrote 1 (T1 began at index 0, T2 began at index 1)"#
        ]],
    );
}

#[test]
fn updates_of_one_version_are_lost() {
    said(
        &[
            vec![list("x", &[]), append("x", 1)],
            vec![list("x", &[]), append("x", 2)],
        ],
        &expect![[
            r#"lost-update: T1 and T2 both read key "x" as of its beginning, and both wrote it (T1 began at index 0, T2 began at index 1)"#
        ]],
    );
    said(
        &[
            vec![write("x", 1)],
            vec![read("x", Some(1)), write("x", 2)],
            vec![read("x", Some(1)), write("x", 3)],
        ],
        &expect![[
            r#"lost-update: T1 and T2 both read key "x" as of 1, and both wrote it (T1 began at index 1, T2 began at index 2)"#
        ]],
    );
}

#[test]
fn an_order_against_time_is_an_order_all_the_same() {
    let stale = in_turn(&[vec![append("x", 1)], vec![list("x", &[])]]);
    assert_eq!(told(&stale, Level::Serializable), "valid");
    expect![[r#"G-single-realtime: T1 read key "x" without 1, which T2 appended; T2 completed before T1 began (T1 began at index 2, T2 began at index 0)"#]]
        .assert_eq(&told(&stale, Level::StrictSerializable));
    let early = in_turn(&[vec![list("x", &[1])], vec![append("x", 1)]]);
    expect![[r#"G1c-realtime: T1 appended 1 to key "x", and T2 read it; T2 completed before T1 began (T1 began at index 2, T2 began at index 0)"#]]
        .assert_eq(&told(&early, Level::StrictSerializable));
    let turned = in_turn(&[
        vec![append("x", 1)],
        vec![append("x", 2)],
        vec![list("x", &[2, 1])],
    ]);
    expect![[r#"G0-realtime: T1 appended 2 to key "x" before T2 appended 1; T2 completed before T1 began (T1 began at index 2, T2 began at index 0)"#]]
        .assert_eq(&told(&turned, Level::StrictSerializable));
    let skewed = in_turn(&[
        vec![append("x", 1)],
        vec![append("y", 1)],
        vec![list("x", &[]), list("y", &[1])],
    ]);
    assert_eq!(told(&skewed, Level::Serializable), "valid");
}

#[test]
fn a_transaction_of_unknown_outcome_counts_once_it_was_read() {
    let half = |outcome| {
        together(&[
            (outcome, vec![append("x", 1), append("y", 1)]),
            (Kind::Ok, vec![list("x", &[1]), list("y", &[])]),
        ])
    };
    assert!(told(&half(Kind::Info), Level::Serializable).starts_with("G-single: "));
    let unread = together(&[
        (Kind::Info, vec![append("x", 1), append("y", 1)]),
        (Kind::Ok, vec![list("x", &[]), append("x", 2)]),
        (Kind::Ok, vec![list("x", &[2])]),
    ]);
    assert_eq!(told(&unread, Level::StrictSerializable), "valid");
}

#[test]
fn a_read_of_nothing_means_what_the_header_says() {
    let mut stale = in_turn(&[vec![write("x", 1)], vec![read("x", None)]]);
    let strict = Options::new(Level::StrictSerializable);
    let found = |history: &History, options: &Options| {
        let report = check(history, options).expect("transactions");
        report.verdict != Verdict::Valid
    };
    assert!(found(&stale, &strict));
    stale.header.nil = Nil::Unknown;
    assert!(!found(&stale, &strict));
    let nil = Some(Nil::Initial);
    assert!(found(&stale, &Options { nil, ..strict }));
    let mut other = in_turn(&[vec![read("x", Some(7))]]);
    assert!(found(&other, &strict));
    other.header.initial = 7.into();
    assert!(!found(&other, &strict));
}

#[test]
fn what_cannot_be_judged_is_refused() {
    let refused = |history: History, expected: Expect| {
        let error = check(&history, &Options::new(Level::Serializable));
        expected.assert_eq(&error.expect_err("refused").to_string());
    };
    refused(
        in_turn(&[vec![append("x", 1)], vec![append("x", 1)]]),
        expect!["history:4:1: expected values that nothing else writes to their keys"],
    );
    refused(
        in_turn(&[vec![append("x", 1)], vec![write("x", 2)]]),
        expect![[r#"history:4:1: expected key "x" to be written or appended to"#]],
    );
    refused(
        in_turn(&[vec![micro("cas", "x", 1.into())]]),
        expect![[
            r#"history:2:1: expected `txn` with a list of ["r", key, null or value], ["w", key, value] and ["append", key, value]"#
        ]],
    );
    let mut other = in_turn(&[vec![append("x", 1)]]);
    other.events[1].value = Value::List(vec![append("x", 2)]);
    refused(
        other,
        expect![[r#"history:2:1: expected a completion of ["append","x",1] with the same value"#]],
    );
}

#[test]
fn a_cycle_may_be_as_long_as_the_history() {
    const LENGTH: i64 = 50_000;
    let txn = |place: i64| {
        let (mine, next) = (place.to_string(), (place + 1) % LENGTH);
        vec![list(&next.to_string(), &[]), append(&mine, 1)]
    };
    let txns: Vec<_> = (0..LENGTH).map(|place| (Kind::Ok, txn(place))).collect();
    let report = check(&together(&txns), &Options::new(Level::Serializable));
    match report.expect("transactions").verdict {
        Verdict::Invalid(witness) => {
            assert_eq!(witness.anomaly.name(), "G2-item");
            assert_eq!(witness.operations.len(), LENGTH as usize);
        }
        other => panic!("{other:?}"),
    }
}
