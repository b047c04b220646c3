//! Files of every format, read; each in the style of its tool, made by hand.

use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};
use tribunal_histories::{Event, Format, Header, History, Input, Kind, Process, Written, formats};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/formats")
        .join(name)
}

/// Reads a file in the format that it seems to have.
fn open(name: &str) -> (Format, History) {
    let input = Input::open(&path(name)).expect("the file is there");
    let format = input.guess();
    (format, input.read(format).expect("a history"))
}

/// The header in brief, and each event on a line.
fn shown(history: &History) -> String {
    let header = &history.header;
    let mut text = format!(
        "{}, {} at first, nil {:?}, failed cas {:?}\n",
        header.workload, header.initial, header.nil, header.failed_cas
    );
    for event in &history.events {
        text += &line(event);
    }
    text
}

fn line(event: &Event) -> String {
    let process = match event.process {
        Process::Client(number) => number.to_string(),
        Process::Nemesis => "nemesis".to_owned(),
    };
    let kind = match event.kind {
        Kind::Invoke => "invoke",
        Kind::Ok => "ok",
        Kind::Fail => "fail",
        Kind::Info => "info",
    };
    let mut line = format!(
        "{} @{} {process} {kind} {}",
        event.index, event.time, event.f
    );
    if let Some(key) = &event.key {
        line += &format!(" [{key}]");
    }
    line += &format!(" {}", event.value);
    for (name, said) in [("error", &event.error), ("node", &event.node)] {
        if let Some(said) = said {
            line += &format!(" {name} {said:?}");
        }
    }
    line + "\n"
}

fn reads(name: &str, format: Format, expected: &Expect) {
    let (guessed, history) = open(name);
    assert_eq!(guessed, format, "{name}");
    history.operations().expect("operations");
    expected.assert_eq(&shown(&history));
    // Written and read again it is the same.
    for (written, format) in [(Written::Jsonl, Format::Jsonl), (Written::Edn, Format::Edn)] {
        let mut bytes = Vec::new();
        history.write_as(written, &mut bytes).expect("written");
        assert_eq!(Format::guess(&bytes, Path::new("h")), format);
        let again = formats::read(&bytes[..], Path::new("h"), format).expect("a history");
        assert_eq!(
            (&again.header, &again.events),
            (&history.header, &history.events)
        );
    }
}

#[test]
fn json_lines_of_our_own() {
    reads(
        "ours.jsonl",
        Format::Jsonl,
        &expect![[r#"
        register, 0 at first, nil Initial, failed cas Fail
        0 @0 0 invoke write [3] 1
        1 @5 nemesis info kill ["n1"]
        2 @7 0 info write [3] 1 error "timed out" node "n1"
    "#]],
    );
}

#[test]
fn edn_of_jepsen() {
    reads(
        "register.edn",
        Format::Edn,
        &expect![[r#"
        register, null at first, nil Initial, failed cas Fail
        0 @1200 0 invoke write [7] 1
        1 @1300 nemesis info start-partition {"n1":["n2","n3"],"rate":"0.5"}
        2 @1400 1 invoke cas [8] [null,3]
        3 @1500 0 ok write [7] 1
        4 @1600 1 info cas [8] [null,3] error "[\"timeout\",\"no reply in 5s\"]"
        5 @1700 2 invoke read [7] null node "n2"
        6 @1800 2 ok read [7] 1
    "#]],
    );
}

#[test]
fn json_of_jepsen() {
    reads(
        "list-append.json",
        Format::Json,
        &expect![[r#"
        list-append, null at first, nil Initial, failed cas Fail
        0 @0 0 invoke txn [["append",4,1],["r",5,null]]
        1 @90 1 invoke txn [["append",5,1]]
        2 @91 1 ok txn [["append",5,1]]
        3 @0 0 ok txn [["append",4,1],["r",5,[1]]]
        4 @0 nemesis info kill null
    "#]],
    );
    reads(
        "rows.json",
        Format::Json,
        &expect![[r#"
        bank, null at first, nil Initial, failed cas Fail
        0 @0 0 invoke transfer {"amount":5,"from":0,"to":1}
        1 @0 0 ok transfer {"amount":5,"from":0,"to":1}
        2 @0 1 invoke read null
        3 @0 1 ok read {"0":5,"1":15}
    "#]],
    );
}

#[test]
fn files_of_knossos() {
    // They look like any EDN; only who reads them can say that they are not.
    reads(
        "knossos.edn",
        Format::Edn,
        &expect![[r#"
        register, null at first, nil Initial, failed cas Fail
        0 @0 3 invoke write 2
        1 @0 3 ok write 2
        2 @0 5 invoke read null
        3 @0 5 ok read null
        4 @0 4 invoke cas [0,1]
        5 @0 4 fail cas [0,1]
    "#]],
    );
    reads(
        "multi-register.edn",
        Format::Edn,
        &expect![[r#"
        rw-register, null at first, nil Initial, failed cas Fail
        0 @5 0 invoke txn [["w","x",1],["r","y",null]]
        1 @9 0 ok txn [["w","x",1],["r","y",0]]
    "#]],
    );
    let input = Input::open(&path("knossos.edn")).expect("the file is there");
    let history = input.read(Format::Knossos).expect("a history");
    assert_eq!(history.header.nil, tribunal_histories::Nil::Unknown);
}

#[test]
fn logs_of_porcupine() {
    reads(
        "kv.txt",
        Format::PorcupineKv,
        &expect![[r#"
        kv, "" at first, nil Initial, failed cas Fail
        0 @0 0 invoke append ["4"] "a 1 b"
        1 @0 1 invoke get ["4"] null
        2 @0 0 ok append ["4"] "a 1 b"
        3 @0 1 ok get ["4"] ""
        4 @0 1 invoke put ["4"] "c"
    "#]],
    );
    reads(
        "etcd.log",
        Format::PorcupineEtcd,
        &expect![[r#"
        register, null at first, nil Initial, failed cas Fail
        0 @0 0 invoke write 3
        1 @0 nemesis info start "cut off n1 from n2"
        2 @0 0 ok write 3
        3 @0 1 invoke cas [3,4]
        4 @0 2 invoke read null
        5 @0 2 fail read null error "timed-out"
        6 @0 3 invoke cas [3,0]
        7 @0 3 fail cas [3,0]
        8 @0 1 info cas null error "timed-out"
    "#]],
    );
}

#[test]
fn histories_of_limo() {
    reads(
        "stack.hist",
        Format::Limo,
        &expect![[r#"
        stack, null at first, nil Initial, failed cas Fail
        0 @0 1 invoke push 3
        1 @0 2 invoke push "b"
        2 @0 1 ok push 3
        3 @0 3 invoke pop null
        4 @0 2 ok push "b"
        5 @0 3 ok pop "b"
        6 @0 4 invoke pop null
        7 @0 4 ok pop "?<1,2>"
        8 @0 5 invoke pop null
        9 @0 5 ok pop null
        10 @0 6 invoke push 9
    "#]],
    );
    reads(
        "set.hist",
        Format::Limo,
        &expect![[r#"
        set, null at first, nil Initial, failed cas Fail
        0 @0 1 invoke add 1
        1 @0 2 invoke contains 1
        2 @0 1 ok add 1
        3 @0 2 ok contains false
        4 @0 1 invoke remove 1
        5 @0 1 ok remove true
    "#]],
    );
}

#[test]
fn histories_of_polylin_and_fptlin() {
    reads(
        "queue.log",
        Format::Polylin,
        &expect![[r#"
        queue, null at first, nil Initial, failed cas Fail
        0 @1 0 invoke enqueue 5
        1 @2 1 invoke dequeue null
        2 @3 1 ok dequeue null
        3 @4 1 invoke peek null
        4 @4 0 ok enqueue 5
        5 @4 0 invoke dequeue null
        6 @4 1 ok peek 5
        7 @6 0 ok dequeue 5
    "#]],
    );
    reads(
        "set.log",
        Format::Polylin,
        &expect![[r#"
        set, null at first, nil Initial, failed cas Fail
        0 @1 0 invoke insert 3
        1 @2 1 invoke contains 3
        2 @4 2 invoke remove 3
        3 @4 0 ok insert true
        4 @5 2 ok remove true
        5 @9 1 ok contains false
    "#]],
    );
    reads(
        "fptlin.log",
        Format::Polylin,
        &expect![[r#"
        priority-queue, null at first, nil Initial, failed cas Fail
        0 @1 0 invoke insert 10
        1 @5 1 invoke poll null
        2 @5 0 ok insert 10
        3 @9 1 ok poll 10
    "#]],
    );
}

/// What is wrong with a text.
fn refused(format: Format, text: &str, expected: &Expect) {
    let read = formats::read(text.as_bytes(), Path::new("h"), format);
    let error = read
        .and_then(|history| history.operations().map(|_| ()))
        .expect_err("refused");
    expected.assert_eq(&error.to_string());
}

#[test]
fn what_is_wrong_with_an_operation_is_told_with_its_place() {
    let of_edn = |text, expected| refused(Format::Edn, text, expected);
    of_edn(
        "{:process 0 :type :invoke\n :f :write :value 1.5}",
        &expect![
            "h:2:19: expected nil, true, false, a whole number, a string, a keyword, or a list, set or map of such, found the number 1.5"
        ],
    );
    of_edn(
        "[{:process :client :type :ok :f :read}]",
        &expect!["h:1:12: expected a process: a whole number, or nemesis"],
    );
    of_edn(
        "{:process 0 :type :done :f :read}",
        &expect!["h:1:19: expected a type: invoke, ok, fail or info"],
    );
    of_edn(
        "{:type :ok :f :read}",
        &expect!["h:1:1: expected an operation with a field `process`: a whole number or nemesis"],
    );
    of_edn(
        "\n{:process 0 :type :ok}",
        &expect!["h:2:1: expected an operation with a field `f`: what is done, such as read"],
    );
    of_edn(
        "{:process 0 :type :ok :f :read",
        &expect!["h:1:31: expected the } of an operation"],
    );
    of_edn(
        "[{:process 0 :type :invoke :f :read}",
        &expect!["h:1:37: expected an operation, or the ] of their list"],
    );
    of_edn(
        "[] 1",
        &expect!["h:1:4: expected nothing after the list of operations"],
    );
    of_edn(
        "{:valid? true}",
        &expect!["h:1:1: expected an operation with a field `process`: a whole number or nemesis"],
    );
    of_edn(
        "#inst \"2020\"",
        &expect![
            "h:1:1: expected an operation: a map such as {:process 0, :type :invoke, :f :read}, or a record #jepsen.history.Op{…}"
        ],
    );
    of_edn(
        "; {\"format\":\"tribunal-history\"}",
        &expect![
            "h:1:1: expected a header in the comment: missing field `tuples` at line 1 column 29"
        ],
    );
    // A process that crashed does not come back under its number.
    of_edn(
        "{:process 0 :type :invoke :f :read}\n{:process 0 :type :info :f :read}\n\
         {:process 0 :type :invoke :f :read}",
        &expect!["h:3:1: expected another process: process 0 is retired since its info on line 2"],
    );
    let of_json = |text, expected| refused(Format::Json, text, expected);
    of_json(
        r#"[{"process":0,"type":"invoke","f":"write","value":1e3}]"#,
        &expect!["h:1:51: expected a whole number of 64 bits, found 1e3"],
    );
    of_json(
        r#"[{"process":0,"type":"invoke","f":"read"} {}]"#,
        &expect!["h:1:43: expected a comma or the ] that ends it"],
    );
    of_json(
        r#"[{"process":0,"type":"ok","f":"read"}"#,
        &expect!["h:1:38: expected a comma or the ] that ends it"],
    );
    of_json(
        r#"{"process":0,"type":"ok","f":"read"} x"#,
        &expect![[
            r#"h:1:38: expected an object such as {"process":0,"type":"invoke","f":"read","value":null}"#
        ]],
    );
    of_json(
        "[] []",
        &expect!["h:1:4: expected nothing after the array of operations"],
    );
}

#[test]
fn what_is_wrong_with_a_log_is_told_with_its_place() {
    let of_kv = |text, expected| refused(Format::PorcupineKv, text, expected);
    of_kv(
        r#"{:process 0, :type :invoke, :f :cas, :key "0", :value "x"}"#,
        &expect!["h:1:1: expected get, put or append with a :key and a text as its :value"],
    );
    let of_etcd = |text, expected| refused(Format::PorcupineEtcd, text, expected);
    of_etcd(
        "INFO  jepsen.core - hello\n",
        &expect!["h:1:1: expected a line such as `INFO  jepsen.util - 0 :invoke :read nil`"],
    );
    of_etcd(
        "INFO  jepsen.util - 0 :invoke read nil\n",
        &expect!["h:1:31: expected an operation such as :read"],
    );
    of_etcd(
        "INFO  jepsen.util - 0 :invoke :write 1.5\n",
        &expect![
            "h:1:38: expected nil, true, false, a whole number, a string, a keyword, or a list, set or map of such, found the number 1.5"
        ],
    );
    let of_limo = |text, expected| refused(Format::Limo, text, expected);
    of_limo(
        "[1] call pop\n",
        &expect![
            "h:1:1: expected a line `# @object stack` (or queue, set, register) before the calls"
        ],
    );
    of_limo(
        "# @object heap\n",
        &expect![[r#"h:1:1: expected an object: stack, queue, set or register, found "heap""#]],
    );
    of_limo(
        "# @object stack\n[1] call peek\n",
        &expect![[
            r#"h:2:10: expected push, pop, enq, deq, add, rmv, ctn, write or read, found "peek""#
        ]],
    );
    of_limo(
        "# @object stack\n[x] call pop\n",
        &expect!["h:2:2: expected the number of a thread"],
    );
    of_limo(
        "# @object stack\n[1] return\n",
        &expect!["h:2:2: expected a call by thread 1 before it"],
    );
    of_limo(
        "# @object stack\n[1] call pop\n [1] call pop\n",
        &expect!["h:3:3: expected thread 1 to return from its pop of line 2"],
    );
    of_limo(
        "# @object stack\n[1] call pop(3)\n[1] return 4\n",
        &expect!["h:3:12: expected a return of 3, as the call on line 2 has"],
    );
    of_limo(
        "# @object set\n[1] call ctn(3)\n[1] return\n",
        &expect!["h:3:11: expected true or false after return"],
    );
    of_limo(
        "# @object stack\n[1] call pop(3)\ncrash\n",
        &expect!["h:3:1: expected no crash: durable linearizability is not judged"],
    );
    let of_polylin = |text, expected| refused(Format::Polylin, text, expected);
    of_polylin(
        "push 3 1 4\n",
        &expect![
            "h:1:1: expected a first line with the object: # stack, # queue, # pqueue, # priorityqueue, # set, # deque, # rmw"
        ],
    );
    of_polylin(
        "# stack\npush 3 1\n",
        &expect![
            "h:2:1: expected an operation: `push 3 1 4` (method, value, begin, end), with a result after the value for a set, or `0 1 4 PUSH 3`"
        ],
    );
    of_polylin(
        "# stack\npush x 1 2\n",
        &expect!["h:2:6: expected a whole number"],
    );
    of_polylin(
        "# stack\npush 3 4 1\n",
        &expect!["h:2:1: expected an end that is not before its begin"],
    );
    of_polylin(
        "# stack\nshove 3 1 4\n",
        &expect![[
            r#"h:2:1: expected push, pop, peek, enq, deq, insert, poll, remove, contains or read_modify_write, found "shove""#
        ]],
    );
    of_polylin(
        "# set\ninsert 3 2 1 4\n",
        &expect!["h:2:10: expected a result: 0 or 1"],
    );
    of_polylin(
        "# set\ninsert 3 1 1 4\n0 insert 3 1 1 4\n",
        &expect!["h:3:1: expected a process on every line, or on none"],
    );
    of_polylin(
        "# queue\n0 enq 3 1 4\n0 enq 4 2 5\n",
        &expect![
            "h:3:1: expected process 0 to complete its enqueue of line 2 before it invokes again"
        ],
    );
}

#[test]
fn operations_that_touch_are_concurrent_unless_one_process_has_both() {
    let order = |text: &str| {
        let history = formats::read(text.as_bytes(), Path::new("h"), Format::Polylin);
        let history = history.expect("a history");
        history.operations().expect("operations");
        let brief = |event: &Event| match event.kind {
            Kind::Invoke => format!("{}<", event.value),
            _ => format!(">{}", event.value),
        };
        let all: Vec<String> = history.events.iter().map(brief).collect();
        all.join(" ")
    };
    assert_eq!(order("# stack\npush 1 0 5\npush 2 5 9\n"), "1< 2< >1 >2");
    assert_eq!(
        order("# stack\n0 push 1 0 5\n0 push 2 5 9\n"),
        "1< >1 2< >2"
    );
    assert_eq!(
        order("# stack\n0 push 1 0 5\n0 push 2 5 9\n1 push 3 5 5\n"),
        "1< 3< >1 2< >3 >2"
    );
    // Here the times cannot be closed and the processes in order.
    assert_eq!(
        order("# stack\n0 push 1 0 5\n0 push 2 5 9\n1 push 3 1 5\n1 push 4 5 8\n"),
        "1< 3< >1 >3 2< 4< >4 >2"
    );
    assert_eq!(
        order("# stack\n0 push 1 5 5\n0 push 2 5 5\n0 push 3 5 5\n"),
        "1< >1 2< >2 3< >3"
    );
}

#[test]
fn a_format_is_guessed_from_the_first_line_that_shows_it() {
    let is = |text: &str, name: &str, format: Format| {
        let guessed = Format::guess(text.as_bytes(), Path::new(name));
        assert_eq!(guessed, format, "{text:?} in {name}");
    };
    is(
        r#"{"format":"tribunal-history","version":1}"#,
        "h",
        Format::Jsonl,
    );
    is(r#"{"process":0,"type":"ok"}"#, "h.jsonl", Format::Json);
    is("[\n{\"process\":0", "h", Format::Json);
    is("{\n  \"process\": 0", "h", Format::Json);
    is("[\n{:process 0", "h", Format::Edn);
    is("#jepsen.history.Op{:index 0", "h", Format::Edn);
    is("#_{} {:process 0}", "h.json", Format::Edn);
    is("[1] call pop\n", "h", Format::Limo);
    is("# from a paper\n# @object stack\n", "h", Format::Limo);
    is("# stack\n0 1 4 PUSH 3\n", "h", Format::Polylin);
    // Nothing shows it; the name may.
    is("", "h.edn", Format::Edn);
    is("[", "h.json", Format::Json);
    is("\u{0}?", "h.hist", Format::Limo);
    is("", "h", Format::Jsonl);
}

#[test]
fn a_byte_order_mark_says_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("marked");
    let line = Header::new("register");
    let line = serde_json::to_string(&line).expect("JSON");
    std::fs::write(&path, format!("\u{feff}{line}\n")).expect("written");
    let input = Input::open(&path).expect("the file is there");
    assert_eq!(input.guess(), Format::Jsonl);
    assert_eq!(input.read(Format::Jsonl).expect("a history").events, []);
}
