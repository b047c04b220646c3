//! Witnesses of every kind of object, as people read them.

use expect_test::{Expect, expect};
use tribunal_histories::{Event, FailedCas, Header, History, Kind, Process, Value};

use super::{Options, check};
use crate::spec::Spec;
use crate::verdict::Verdict;

/// A history of lines `process invoke|ok|fail|info f value`, or `process f
/// argument -> answer`; values are JSON.
fn history(spec: Spec, initial: &str, key: Option<Value>, text: &str) -> History {
    let value = |text: &str| -> Value { serde_json::from_str(text).expect("a value") };
    let mut header = Header::new(spec.name());
    header.initial = value(initial);
    header.failed_cas = FailedCas::Observed;
    let mut events: Vec<Event> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (process, rest) = line.split_once(' ').expect("a process");
        let (word, rest) = rest.split_once(' ').expect("a word");
        let ends = match rest.split_once(" -> ") {
            Some((asked, told)) => vec![("invoke", word, asked), ("ok", word, told)],
            None => {
                let (f, value) = rest.split_once(' ').expect("a value");
                vec![(word, f, value)]
            }
        };
        for (kind, f, text) in ends {
            events.push(Event {
                index: events.len() as u64,
                time: 0,
                process: Process::Client(process.parse().expect("a number")),
                kind: match kind {
                    "invoke" => Kind::Invoke,
                    "ok" => Kind::Ok,
                    "fail" => Kind::Fail,
                    "info" => Kind::Info,
                    _ => panic!("{line}"),
                },
                f: f.to_owned(),
                key: key.clone(),
                value: value(text),
                error: None,
                node: None,
                fault: None,
            });
        }
    }
    History::new(header, events)
}

fn witness(history: &History, spec: Spec) -> super::Witness {
    let report = check(history, &Options::new(spec)).expect("a history");
    assert_eq!(report.keys, 1);
    match report.verdict {
        Verdict::Invalid(witness) => *witness,
        other => panic!("{other:?}"),
    }
}

fn explained(spec: Spec, initial: &str, text: &str, expected: &Expect) {
    let history = history(spec, initial, None, text);
    expected.assert_eq(&witness(&history, spec).explanation);
}

#[test]
fn a_queue_out_of_order_is_drawn() {
    let text = "
        0 enqueue 1 -> 1
        0 invoke enqueue 2
        1 enqueue 3 -> null
        0 ok enqueue 2
        1 dequeue null -> 3
        2 invoke dequeue null";
    let history = history(Spec::Queue, "null", None, text);
    let witness = witness(&history, Spec::Queue);
    expect![[r#"
        process 1's dequeue of the queue answered 3, but the orders that come furthest leave [1,3,2] or [1,2,3] there.
        The shortest prefix without an order ends at event 7; 4 operations on the queue complete in it.
        These 2 operations alone have no order, with or without the one marked ?:

          process 0  [enqueue 1]
          process 1             [enqueue 3 ?][dequeue -> 3]

        An order that comes furthest:

          process 0  [enqueue 1 #1][enqueue 2 #3--]
          process 1                 [enqueue 3 #2] [dequeue -> 3 !]

                  at first                         holds nothing
              #1  process 0 enqueue 1              holds [1]
              #2  process 1 enqueue 3              holds [1,3]
              #3  process 0 enqueue 2              holds [1,3,2]
               !  process 1 dequeue -> 3           has no place
    "#]].assert_eq(&witness.to_string());
}

/// A history with nemesis events, each before the event at a place.
fn with_faults(mut history: History, faults: &[(usize, &str, u64, &str)]) -> History {
    for &(place, f, fault, value) in faults.iter().rev() {
        let event = Event {
            process: Process::Nemesis,
            kind: Kind::Info,
            f: f.to_owned(),
            value: serde_json::from_str(value).expect("a value"),
            fault: Some(fault),
            ..history.events[0].clone()
        };
        history.events.insert(place, event);
    }
    for (index, event) in (0..).zip(&mut history.events) {
        event.index = index;
    }
    history
}

#[test]
fn faults_are_drawn_below_the_lanes() {
    let text = "
        0 write 1 -> 1
        0 write 2 -> 2
        1 read null -> 1
        2 invoke write 3";
    let faults = [
        (0, "pause", 0, r#"{"edge":"begin","targets":["n9"]}"#),
        (0, "pause", 0, r#"{"edge":"end","outcome":"installed"}"#),
        (
            1,
            "partition",
            1,
            r#"{"edge":"begin","shape":"halves","targets":["n1","n2"]}"#,
        ),
        (3, "kill", 2, r#"{"edge":"begin","targets":["n3"]}"#),
        (4, "partition", 1, r#"{"edge":"end","outcome":"installed"}"#),
    ];
    let history = with_faults(history(Spec::Register, "null", None, text), &faults);
    expect![[r#"
        process 1 read 1 from the register, but the orders that come furthest leave 2 there.
        The shortest prefix without an order ends at event 10; 3 operations on the key complete in it.
        These 2 operations alone have no order, whatever came before:

          process 0  [write 2]
          process 1           [read 1]
          fault      =========  partition halves n1 n2
          fault              ============  kill n3

        An order that comes furthest:

          process 0  [write 1 #1][write 2 #2]
          process 1                          [read 1 !]
          fault                 =============  partition halves n1 n2
          fault                             ==============  kill n3

                  at first                         holds nothing
              #1  process 0 write 1                holds 1
              #2  process 0 write 2                holds 2
               !  process 1 read 1                 has no place
    "#]].assert_eq(&witness(&history, Spec::Register).to_string());
}

#[test]
fn what_was_appended_is_told_once() {
    // "ab" is seen as the beginning of what was read, "ba" by nobody.
    let text = r#"
        0 invoke append "a"
        1 append "b" -> null
        0 ok append "a"
        1 get null -> "abz""#;
    let told = expect![[
        r#"process 1 read "abz" from the register, but the orders that come furthest leave "ab" or "ba" there"#
    ]];
    explained(Spec::Kv, "null", text, &told);
}

#[test]
fn an_element_of_a_set_is_judged_by_itself() {
    let text = "
        0 add 3 -> true
        0 add 4 -> true
        1 remove 4 -> true
        2 contains 4 -> true";
    let history = history(Spec::Set, "null", Some("tags".into()), text);
    let witness = witness(&history, Spec::Set);
    expect![[r#"
        process 2's contains of element 4 of key "tags" (a set) answered true, but the orders that come furthest leave it absent.
        The shortest prefix without an order ends at event 7; 3 operations on element 4 of key "tags" (a set) complete in it.
        These 2 operations alone have no order, whatever came before:

          process 1  [remove -> true]
          process 2                  [contains -> true]

        An order that comes furthest:

          process 0  [add -> true #1]
          process 1                  [remove -> true #2]
          process 2                                     [contains -> true !]

                  at first                         is absent
              #1  process 0 add -> true            is there
              #2  process 1 remove -> true         is absent
               !  process 2 contains -> true       has no place
    "#]].assert_eq(&witness.to_string());
    let json = serde_json::to_value(&witness).expect("plain data");
    assert_eq!((&json["key"], &json["part"]), (&"tags".into(), &4.into()));
}

#[test]
fn what_nobody_put_in_is_called_so() {
    let text = "
        0 push 1 -> null
        1 pop null -> 2";
    explained(
        Spec::Stack,
        "null",
        text,
        &expect!["process 1's pop of the stack answered 2, an element that was never put in"],
    );
    let text = "
        0 invoke insert 2
        0 fail insert null
        1 poll null -> 2";
    explained(
        Spec::PriorityQueue,
        "[1]",
        text,
        &expect![
            "process 1's poll of the priority queue answered 2, a value that only process 0's insert put in, and that failed"
        ],
    );
    let text = "
        0 push_back 1 -> null
        0 pop_front null -> 1
        1 pop_back null -> 1";
    explained(
        Spec::Deque,
        "null",
        text,
        &expect![
            "process 1's pop_back of the deque answered 1, but the orders that come furthest leave nothing there"
        ],
    );
}

#[test]
fn locks_are_free_or_held() {
    let text = "
        0 acquire null -> null
        1 acquire null -> true";
    explained(
        Spec::Mutex,
        "null",
        text,
        &expect![
            "process 1's acquire of the lock succeeded, but the orders that come furthest leave it held"
        ],
    );
    let text = "
        0 acquire null -> null
        1 release null -> null";
    explained(
        Spec::OwnedMutex,
        "null",
        text,
        &expect![
            "process 1's release of the lock succeeded, but the orders that come furthest leave it held by process 0"
        ],
    );
    let text = "
        0 acquire null -> 5
        0 release null -> null
        1 acquire null -> 4";
    explained(
        Spec::FencedLock,
        "null",
        text,
        &expect![
            "process 1's acquire of the lock answered 4, but the orders that come furthest leave it free after 5"
        ],
    );
    let text = "
        0 acquire null -> 1
        1 acquire null -> 2
        0 renew 1 -> null";
    explained(
        Spec::Lease,
        "null",
        text,
        &expect![
            "process 0's renew 1 of the lease succeeded, but the orders that come furthest leave it held by process 1 under 2"
        ],
    );
    let text = "
        0 acquire null -> null
        1 invoke acquire 2
        1 fail acquire 2";
    explained(
        Spec::Semaphore,
        "4",
        text,
        &expect![
            "process 1's acquire 2 of the semaphore was refused, but the orders that come furthest leave 3 permits there"
        ],
    );
}

#[test]
fn values_are_what_an_object_holds() {
    let text = "
        0 add 2 -> 2
        1 read null -> 3";
    let counters = history(Spec::Counter, "null", Some("k".into()), text);
    let witness = witness(&counters, Spec::Counter);
    expect![[r#"process 1's read of key "k" (a counter) answered 3, but the orders that come furthest leave 2 there"#]].assert_eq(&witness.explanation);
    let text = r#"
        0 append "a" -> null
        1 read null -> ["b"]"#;
    explained(
        Spec::Log,
        "null",
        text,
        &expect![[
            r#"process 1's read of the log answered ["b"], but the orders that come furthest leave ["a"] there"#
        ]],
    );
    let text = "
        0 add 1 -> null
        1 count 1 -> 2";
    explained(
        Spec::Multiset,
        "[1,1]",
        text,
        &expect![
            "process 1's count of element 1 of the multiset answered 2, but the orders that come furthest leave 3 of it there"
        ],
    );
    let text = r#"
        0 txn [["w","x",1]] -> [["w","x",1]]
        1 txn [["r","x",null]] -> [["r","x",2]]"#;
    explained(
        Spec::MultiRegister,
        "null",
        text,
        &expect![[
            r#"process 1's txn of register "x" answered [["r","x",2]], a value that was never written to it"#
        ]],
    );
    let text = r#"
        0 txn [["w","x",1],["w","y",1]] -> [["w","x",1],["w","y",1]]
        1 txn [["r","x",null]] -> [["r","x",null]]"#;
    explained(
        Spec::MultiRegister,
        "null",
        text,
        &expect![[
            r#"process 1's txn of the registers answered [["r","x",null]], but the orders that come furthest leave {"x":1,"y":1} there"#
        ]],
    );
    let text = "
        0 write 7 -> [1,7]
        1 read null -> [1,9]";
    explained(
        Spec::VersionedRegister,
        "null",
        text,
        &expect![
            "process 1's read of the register answered [1,9], a value that was never written to it"
        ],
    );
    let text = "
        0 write 7 -> [1,7]
        1 cas [0,8] -> 1";
    explained(
        Spec::VersionedRegister,
        "null",
        text,
        &expect![
            "process 1's cas [0,8] of the register answered 1, but the orders that come furthest leave [1,7] there"
        ],
    );
}
