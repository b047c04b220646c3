//! Histories that have one property and not the next stronger one, and what
//! witnesses say.

use std::time::Duration;

use expect_test::{Expect, expect};
use tribunal_histories::{Event, FailedCas, Header, History, Kind, Nil, Process, Value};

use super::{Options, Property, check};
use crate::linearizability::Limits;
use crate::verdict::Verdict;

/// Events in words: `0 w x 1` is a write of 1 to x by process 0 from one event
/// to the next, `0 r x 1` a read, `0 c x 1 2` a cas; 0 is nothing. With `<` it
/// only begins, and `0 >` ends what process 0 has begun; with `?` it ends as
/// info, and with `!` it fails.
fn history(lines: &[&str]) -> History {
    let mut events: Vec<Event> = Vec::new();
    let mut begun: Vec<(u64, usize, Value)> = Vec::new();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let process: u64 = words[0].parse().expect("a process");
        let ends = match words[1] {
            ">" => Kind::Ok,
            "!" => Kind::Fail,
            "?" => Kind::Info,
            _ => {
                let (f, value, seen) = operation(&words[1..]);
                begun.push((process, events.len(), seen));
                let index = events.len() as u64;
                events.push(event(index, process, Kind::Invoke, f, words[2], value));
                match words.last() {
                    Some(&"<") => continue,
                    Some(&"?") => Kind::Info,
                    Some(&"!") => Kind::Fail,
                    _ => Kind::Ok,
                }
            }
        };
        let place = begun
            .iter()
            .rposition(|it| it.0 == process)
            .expect("it began");
        let (_, at, seen) = begun.remove(place);
        let index = events.len() as u64;
        let Event { f, key, .. } = events[at].clone();
        events.push(Event {
            key,
            ..event(index, process, ends, &f, "", seen)
        });
    }
    History::new(Header::new("register"), events)
}

/// What is called, with which value, and what is returned.
fn operation(words: &[&str]) -> (&'static str, Value, Value) {
    let value = |word: &str| match word.parse::<i64>().expect("a value") {
        0 => Value::Null,
        value => Value::Int(value),
    };
    let first = value(words[2]);
    match words[0] {
        "r" => ("read", Value::Null, first),
        "w" => ("write", first.clone(), first),
        _ => {
            let both = Value::List(vec![first, value(words[3])]);
            ("cas", both.clone(), both)
        }
    }
}

fn event(index: u64, process: u64, kind: Kind, f: &str, key: &str, value: Value) -> Event {
    Event {
        index,
        time: index,
        process: Process::Client(process),
        kind,
        f: f.to_owned(),
        key: Some(Value::Text(key.to_owned())),
        value,
        error: None,
        node: None,
        fault: None,
    }
}

fn verdict(lines: &[&str], property: Property) -> Option<bool> {
    let report = check(&history(lines), property, &Options::default()).expect("a history");
    match report.verdict {
        Verdict::Valid => Some(true),
        Verdict::Invalid(_) => Some(false),
        Verdict::Unknown(_) => None,
    }
}

/// Has these properties, and not those.
fn divides(lines: &[&str], has: &[Property], lacks: &[Property]) {
    for &property in has {
        assert_eq!(
            verdict(lines, property),
            Some(true),
            "{property} of {lines:?}"
        );
    }
    for &property in lacks {
        assert_eq!(
            verdict(lines, property),
            Some(false),
            "{property} of {lines:?}"
        );
    }
}

use Property::*;

#[test]
fn sequential_and_not_linearizable() {
    divides(
        &["0 w x 1", "0 w x 2", "1 r x 1"],
        &[Sequential, CausalConvergence, CausalMemory],
        &[KAtomicity, Regular, Safe],
    );
}

#[test]
fn per_key_sequential_and_not_sequential() {
    // The store buffer's: neither sees the other's write.
    divides(
        &["0 w x 1", "1 w y 1", "0 r y 0", "1 r x 0"],
        &[PerKeySequential, CausalConvergence, CausalMemory],
        &[Sequential],
    );
    // And one that is not even causal.
    divides(
        &["0 w x 1", "0 w y 1", "1 r y 1", "1 r x 0"],
        &[
            PerKeySequential,
            MonotonicReads,
            ReadYourWrites,
            WritesFollowReads,
        ],
        &[Sequential, Causal, MonotonicWrites],
    );
}

#[test]
fn the_three_strengths_of_causal() {
    // Figure 3 of Bouajjani et al. has their like.
    divides(
        &["0 w x 1", "1 w x 2", "0 r x 2", "1 r x 1"],
        &[CausalMemory, Causal],
        &[CausalConvergence, PerKeySequential, ReadYourWrites],
    );
    // A session that changes its mind.
    divides(
        &["0 w x 1", "1 w x 2", "2 r x 1", "2 r x 2", "2 r x 1"],
        &[Causal, ReadYourWrites],
        &[CausalMemory, CausalConvergence, MonotonicReads],
    );
    // Convergent by one order of writes, which no single session's reads fit.
    divides(
        &[
            "0 w x 1", "0 w z 1", "1 w y 3", "1 w x 2", "0 r x 1", "0 r y 0", "1 r z 0", "1 r x 2",
        ],
        &[CausalConvergence, Causal],
        &[Sequential],
    );
}

#[test]
fn each_session_guarantee_and_no_other() {
    let all = [
        MonotonicReads,
        MonotonicWrites,
        ReadYourWrites,
        WritesFollowReads,
    ];
    let lacking = |lines: &[&str], lacks: &[Property]| {
        let has: Vec<Property> = all.into_iter().filter(|it| !lacks.contains(it)).collect();
        divides(lines, &has, lacks);
        assert_eq!(verdict(lines, CausalConvergence), Some(false), "{lines:?}");
    };
    lacking(&["0 w x 1", "0 r x 0"], &[ReadYourWrites]);
    lacking(
        &["0 w x 1", "0 w y 1", "1 r y 1", "1 r x 0"],
        &[MonotonicWrites],
    );
    lacking(
        &["0 w x 1", "1 r x 1", "1 w y 1", "2 r y 1", "2 r x 0"],
        &[WritesFollowReads],
    );
    // Its own order of writes is not given up.
    lacking(&["0 w x 1", "0 w x 2", "0 r x 1"], &[ReadYourWrites]);
    // Who reads backwards has neither of those that include it.
    for backwards in [
        &["0 w x 1", "1 r x 1", "1 r x 0"][..],
        &["0 w x 1", "0 w x 2", "1 r x 2", "1 r x 1"],
    ] {
        lacking(
            backwards,
            &[MonotonicReads, MonotonicWrites, WritesFollowReads],
        );
    }
}

#[test]
fn regular_and_safe() {
    // New and then old while the write goes on.
    divides(
        &["0 w x 1", "0 w x 2 <", "1 r x 2", "1 r x 1", "0 >"],
        &[Regular, Safe],
        &[KAtomicity, Sequential],
    );
    divides(
        &["0 w x 1", "0 w x 2 <", "1 r x 7", "0 >"],
        &[Safe],
        &[Regular],
    );
    // A write of unknown outcome may take effect for ever, and is not known
    // to have replaced anything.
    divides(
        &["0 w x 1", "1 w x 2 ?", "2 r x 2", "2 r x 1"],
        &[Regular, Safe],
        &[KAtomicity],
    );
}

#[test]
fn two_atomic_and_not_one_atomic() {
    let lines = ["0 w x 1", "0 w x 2", "0 w x 3", "1 r x 2", "1 r x 1"];
    for (seen, k) in [(4, 2), (5, 3)] {
        let report = check(&history(&lines[..seen]), KAtomicity, &Options::default());
        let staleness = report.expect("a history").staleness.expect("it is asked");
        assert_eq!((staleness.at_least, staleness.at_most), (Some(k), Some(k)));
        for staleness in 1..5 {
            let options = Options {
                staleness,
                ..Options::default()
            };
            let report = check(&history(&lines[..seen]), KAtomicity, &options);
            let is_valid = report.expect("a history").verdict == Verdict::Valid;
            assert_eq!(is_valid, staleness >= k);
        }
    }
}

#[test]
fn what_failed_was_not_there_and_what_may_have_happened_was_if_it_was_seen() {
    for property in Property::ALL {
        assert_eq!(
            verdict(&["0 w x 1 !", "1 r x 1"], property),
            Some(false),
            "{property}"
        );
        assert_eq!(
            verdict(&["0 w x 1 ?", "1 r x 0"], property),
            Some(true),
            "{property}"
        );
        let seen = ["0 w x 1 ?", "1 r x 0", "1 r x 1", "2 r x 1"];
        assert_eq!(verdict(&seen, property), Some(true), "{property}");
    }
}

#[test]
fn values_mean_what_the_header_and_the_options_say() {
    let judged = |history: &History, nil: Option<Nil>, property: Property| {
        let options = Options {
            nil,
            ..Options::default()
        };
        check(history, property, &options)
            .expect("a history")
            .verdict
            == Verdict::Valid
    };
    let after = history(&["0 w x 1", "0 r x 1", "0 r x 0"]);
    let mut failed = history(&["0 w x 1", "0 c x 1 2 !"]);
    let mut first = history(&["0 r x 5", "0 w x 1", "0 r x 1"]);
    let fails = [&failed, &first].map(|it| judged(it, None, Regular));
    assert_eq!(fails, [true, false]);
    failed.header.failed_cas = FailedCas::Observed;
    first.header.initial = Value::Int(5);
    for property in Property::ALL {
        assert!(!judged(&after, None, property), "{property}");
        assert!(judged(&after, Some(Nil::Unknown), property), "{property}");
        assert!(judged(&first, None, property), "{property}");
        // The weaker ones leave such a cas out, and find no order either.
        assert!(!judged(&failed, None, property), "{property}");
    }
}

#[test]
fn who_gives_up_says_so() {
    let lines: Vec<String> = (1..400).map(|value| format!("0 w x {value}")).collect();
    let mut lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    lines.extend(["1 r x 1", "1 w y 1", "1 r y 1"]);
    let limits = Limits {
        time: Some(Duration::ZERO),
        ..Limits::default()
    };
    let options = Options {
        limits,
        staleness: 1000,
        ..Options::default()
    };
    for property in Property::ALL {
        let report = check(&history(&lines), property, &options).expect("a history");
        let is_quick = matches!(property, MonotonicReads | ReadYourWrites | Regular | Safe);
        let gave_up = matches!(&report.verdict, Verdict::Unknown(limit)
            if limit.reason.contains("the time limit of 0 s was met"));
        assert_eq!(
            (gave_up, report.limited),
            (!is_quick, !is_quick),
            "{property}"
        );
        // A bound that every history keeps is none.
        if let Verdict::Unknown(limit) = &report.verdict {
            assert!(!limit.reason.contains("smallest k"), "{limit}");
        }
    }
}

/// What the witness says.
fn says(lines: &[&str], property: Property, expected: &Expect) {
    let report = check(&history(lines), property, &Options::default()).expect("a history");
    match report.verdict {
        Verdict::Invalid(witness) => expected.assert_eq(&witness.to_string()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn witnesses_say_why() {
    says(
        &["0 w x 1", "0 w x 2", "1 r x 2", "1 r x 1"],
        Causal,
        &expect![[r#"
            causal (WriteCORead): O4 saw what O1 wrote, though O2 overwrote that: it comes after O1 and before O4.
              O1 before O2: so they stand in their session
              O2 before O3: O3 saw what O2 wrote
              O3 before O4: so they stand in their session
              O1: process 0, write of key "x": 1, ok, from event 0 to 1
              O2: process 0, write of key "x": 2, ok, from event 2 to 3
              O3: process 1, read of key "x": 2, ok, from event 4 to 5
              O4: process 1, read of key "x": 1, ok, from event 6 to 7
        "#]],
    );
    says(
        &["0 w x 1", "0 w y 1", "1 r y 1", "1 r x 0"],
        MonotonicWrites,
        &expect![[r#"
            monotonic-writes: O4 saw what its key held at first, though O1 wrote to it and comes before.
              O1 before O2: so they stand in their session
              O2 before O3: O3 saw what O2 wrote
              O3 before O4: so they stand in their session
              O1: process 0, write of key "x": 1, ok, from event 0 to 1
              O2: process 0, write of key "y": 1, ok, from event 2 to 3
              O3: process 1, read of key "y": 1, ok, from event 4 to 5
              O4: process 1, read of key "x": null, ok, from event 6 to 7
        "#]],
    );
    says(
        &["0 w x 1", "0 w x 2", "0 r x 1"],
        ReadYourWrites,
        &expect![[r#"
            read-your-writes: O1, O2 would each have to come before the next, and the last before the first.
              O1 before O2: so they stand in their session
              O2 before O1: O3 comes after O2 and saw what O1 wrote
              O2 before O3: so they stand in their session
              O1: process 0, write of key "x": 1, ok, from event 0 to 1
              O2: process 0, write of key "x": 2, ok, from event 2 to 3
              O3: process 0, read of key "x": 1, ok, from event 4 to 5
        "#]],
    );
    says(
        &["0 w x 1", "1 w y 1", "0 r y 0", "1 r x 0"],
        Sequential,
        &expect![[r#"
            sequential: O1, O3, O2, O4 would each have to come before the next, and the last before the first.
              O1 before O3: so they stand in their session
              O3 before O2: O3 saw what the key held before O2 wrote to it
              O2 before O4: so they stand in their session
              O4 before O1: O4 saw what the key held before O1 wrote to it
              O1: process 0, write of key "x": 1, ok, from event 0 to 1
              O2: process 1, write of key "y": 1, ok, from event 2 to 3
              O3: process 0, read of key "y": null, ok, from event 4 to 5
              O4: process 1, read of key "x": null, ok, from event 6 to 7
        "#]],
    );
    says(
        &["0 c x 0 1", "1 c x 0 2"],
        PerKeySequential,
        &expect![[r#"
            per-key-sequential: O1, O2 would each have to come before the next, and the last before the first.
              O1 before O2: O1 saw what the key held before O2 wrote to it
              O2 before O1: O2 saw what the key held before O1 wrote to it
              O1: process 0, cas of key "x": [null,1], ok, from event 0 to 1
              O2: process 1, cas of key "x": [null,2], ok, from event 2 to 3
        "#]],
    );
    says(
        &["0 w x 1", "0 w x 2", "1 r x 1"],
        Regular,
        &expect![[r#"
        regular: O3 saw what O1 wrote, but O2 overwrote that: it began after O1 had ended, and ended before O3 began.
          O1: process 0, write of key "x": 1, ok, from event 0 to 1
          O2: process 0, write of key "x": 2, ok, from event 2 to 3
          O3: process 1, read of key "x": 1, ok, from event 4 to 5
    "#]],
    );
    says(
        &["0 w x 1", "0 w x 2", "1 r x 1"],
        KAtomicity,
        &expect![[r#"
            k-atomicity: O3 saw what O1 wrote, though a write to the key lies entirely between.
              the smallest k is 2
              O1: process 0, write of key "x": 1, ok, from event 0 to 1
              O2: process 0, write of key "x": 2, ok, from event 2 to 3
              O3: process 1, read of key "x": 1, ok, from event 4 to 5
        "#]],
    );
    says(
        &["0 w x 1 !", "1 r x 1"],
        CausalMemory,
        &expect![[r#"
        causal-memory (ThinAirRead): O2 saw a value that only O1 would have written, and that failed.
          O1: process 0, write of key "x": 1, fail, from event 0 to 1
          O2: process 1, read of key "x": 1, ok, from event 2 to 3
    "#]],
    );
}
