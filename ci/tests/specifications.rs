//! `tribunal verify` of every kind of object, as histories come.

mod support;

use std::fs;

use support::{json, tribunal};
use tempfile::TempDir;

/// A folder with this file in it, and its path.
fn file(name: &str, text: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    fs::write(&path, text).expect("the folder is mine");
    let path = path.to_string_lossy().into_owned();
    (folder, path)
}

/// What is concluded of a file: the verdict, the specification, the format and
/// the engine.
fn judged(path: &str, flags: &[&str]) -> [String; 4] {
    let (_, report, stderr) = json(&[&["verify", path], flags].concat());
    assert!(report["verdict"].is_string(), "no verdict: {stderr}");
    let of = |field: &str| report["files"][0][field].as_str();
    ["verdict", "spec", "format", "engine"].map(|field| of(field).unwrap_or("none").to_owned())
}

/// What is said of a file that cannot be judged, with these flags.
fn refused(path: &str, flags: &[&str]) -> String {
    let done = tribunal(&[&["verify", path], flags].concat());
    assert_eq!(done.code, 254, "{}{}", done.stdout, done.stderr);
    done.stderr
}

fn is(name: &str, text: &str, flags: &[&str], verdict: &str, spec: &str, format: &str) {
    let (_folder, path) = file(name, text);
    let expected = [verdict, spec, format, "none"];
    assert_eq!(judged(&path, flags), expected, "{text}");
}

#[test]
fn polylin_names_the_object() {
    // The object, its specification, a beginning, and how it goes on well and
    // not.
    let objects = [
        (
            "stack",
            "stack",
            "push 1 1 2\npush 2 3 4\npeek 2 5 6\n",
            "pop 2 7 8\npop 1 9 10\npop -1 11 12\n",
            "pop 1 7 8\n",
        ),
        (
            "queue",
            "queue",
            "enq 1 1 2\nenq 2 3 4\npeek 1 5 6\n",
            "deq 1 7 8\ndeq 2 9 10\ndeq -1 11 12\n",
            "deq 2 7 8\n",
        ),
        (
            "pqueue",
            "priority-queue",
            "insert 1 1 2\ninsert 2 3 4\npeek 2 5 6\n",
            "poll 2 7 8\npoll 1 9 10\npoll -1 11 12\n",
            "poll 1 7 8\n",
        ),
        (
            "priorityqueue",
            "priority-queue",
            "insert 5 1 4\n",
            "poll 5 2 3\n",
            "poll -1 5 6\n",
        ),
        (
            "set",
            "set",
            "insert 3 1 1 4\ncontains 3 1 5 6\n",
            "remove 3 1 7 8\ncontains 3 0 9 10\n",
            "insert 3 1 7 8\n",
        ),
        (
            "deque",
            "deque",
            "push_front 1 1 2\npush_back 2 3 4\npeek_front 1 5 6\npeek_back 2 5 6\n",
            "pop_back 2 7 8\npop_front 1 9 10\npop_front -1 11 12\n",
            "pop_front 2 7 8\n",
        ),
        (
            "rmw",
            "cas-register",
            "read_modify_write 0 1 1 2\n",
            "read_modify_write 1 2 3 4\n",
            "read_modify_write 0 2 3 4\n",
        ),
    ];
    for (object, spec, begins, well, wrong) in objects {
        for (goes_on, verdict) in [(well, "valid"), (wrong, "invalid")] {
            let text = format!("# {object}\n{begins}{goes_on}");
            is("h.txt", &text, &[], verdict, spec, "polylin");
        }
    }
    let fptlin = "# stack\n0 1 4 PUSH 3\n1 5 6 POP ";
    is(
        "h.txt",
        &format!("{fptlin}3\n"),
        &[],
        "valid",
        "stack",
        "polylin",
    );
    is(
        "h.txt",
        &format!("{fptlin}-1\n"),
        &[],
        "invalid",
        "stack",
        "polylin",
    );
}

#[test]
fn limo_names_the_object() {
    let objects = [
        (
            "stack",
            "stack",
            "push(1)|,push(2)|",
            "pop|2,pop|1,pop|empty",
            "pop|1",
        ),
        (
            "queue",
            "queue",
            "enq(1)|,enq(2)|",
            "deq|1,deq|2,deq|empty",
            "deq|2",
        ),
        (
            "set",
            "set",
            "add(1)|true,ctn(1)|true",
            "rmv(1)|true,ctn(1)|false",
            "add(1)|true",
        ),
        (
            "register",
            "cas-register",
            "write(1)|,read|1",
            "write(2)|,read|2",
            "read|2",
        ),
    ];
    for (object, spec, begins, well, wrong) in objects {
        for (goes_on, verdict) in [(well, "valid"), (wrong, "invalid")] {
            let mut text = format!("# @object atomic-{object}\n");
            for operation in begins.split(',').chain(goes_on.split(',')) {
                let (call, told) = operation.split_once('|').expect("an answer");
                text += &format!("[1] call {call}\n[1] return {told}\n");
            }
            is("h.txt", &text, &[], verdict, spec, "limo");
        }
    }
}

/// By specification, operations `process f argument -> answer`, and one more
/// that is right and one that is wrong.
const HISTORIES: &[(&str, &str, &str, &str)] = &[
    (
        "register",
        "0 write 1 -> 1",
        "1 read null -> 1",
        "1 read null -> 2",
    ),
    (
        "cas-register",
        "0 write 1 -> 1; 0 cas [1,2] -> [1,2]",
        "1 read null -> 2",
        "1 read null -> 1",
    ),
    (
        "kv",
        r#"0 put "a" -> "a"; 0 append "b" -> "b""#,
        r#"1 get null -> "ab""#,
        r#"1 get null -> "a""#,
    ),
    (
        "versioned-register",
        "0 write 7 -> [1,7]",
        "1 read null -> [1,7]",
        "1 read null -> [2,7]",
    ),
    (
        "multi-register",
        r#"0 txn [["w","x",1],["w","y",1],["w","z",1]] -> [["w","x",1],["w","y",1],["w","z",1]]"#,
        r#"1 txn [["r","x",null]] -> [["r","x",1]]"#,
        r#"1 txn [["r","x",null]] -> [["r","x",2]]"#,
    ),
    (
        "log",
        r#"0 append "a" -> "a"; 0 append "b" -> null"#,
        r#"1 read null -> ["a","b"]"#,
        r#"1 read null -> ["b"]"#,
    ),
    (
        "set",
        "0 add 1 -> true; 0 remove 1 -> true",
        "1 contains 1 -> false",
        "1 contains 1 -> true",
    ),
    (
        "multiset",
        "0 add 1 -> 1; 0 add 1 -> 1",
        "1 count 1 -> 2",
        "1 count 1 -> 1",
    ),
    (
        "counter",
        "0 add 2 -> 2; 0 increment null -> 3",
        "1 read null -> 3",
        "1 read null -> 2",
    ),
    (
        "queue",
        "0 enqueue 1 -> 1; 0 enqueue 2 -> 2",
        "1 dequeue null -> 1",
        "1 dequeue null -> 2",
    ),
    (
        "stack",
        "0 push 1 -> 1; 0 push 2 -> 2",
        "1 pop null -> 2",
        "1 pop null -> null",
    ),
    (
        "deque",
        "0 push_back 1 -> 1; 0 push_back 2 -> 2",
        "1 pop_front null -> 1",
        "1 pop_back null -> 1",
    ),
    (
        "priority-queue",
        "0 insert 1 -> 1; 0 insert 2 -> 2",
        "1 poll-min null -> 1",
        "1 poll null -> 1",
    ),
    (
        "mutex",
        "0 acquire null -> null",
        "1 release null -> null",
        "1 acquire null -> null",
    ),
    (
        "owned-mutex",
        "0 acquire null -> null",
        "1 acquire null -> false",
        "1 release null -> null",
    ),
    (
        "fenced-lock",
        "0 acquire null -> 4; 0 release null -> null",
        "1 acquire null -> 7",
        "1 acquire null -> 3",
    ),
    (
        "lease",
        "0 acquire null -> 1; 1 acquire null -> 2",
        "1 renew 2 -> 2",
        "0 renew 1 -> 1",
    ),
    (
        "semaphore",
        "0 acquire null -> null",
        "1 acquire null -> null",
        "1 acquire 2 -> null",
    ),
];

/// The events of operations, one after the other: who, how, what and with what.
fn events(operations: &str) -> Vec<(String, &'static str, String, String)> {
    let mut events = Vec::new();
    for operation in operations.split("; ") {
        let (asked, told) = operation.split_once(" -> ").expect("an answer");
        let words: Vec<&str> = asked.splitn(3, ' ').collect();
        for (kind, value) in [("invoke", words[2]), ("ok", told)] {
            let [process, f] = [words[0], words[1]].map(str::to_owned);
            events.push((process, kind, f, value.to_owned()));
        }
    }
    events
}

#[test]
fn every_specification_judges_histories_of_either_format() {
    let (_, listed, _) = json(&["list", "specs"]);
    let items = listed["items"].as_array().expect("a list");
    let names: Vec<&str> = items.iter().filter_map(|it| it["name"].as_str()).collect();
    let judged_here: Vec<&str> = HISTORIES.iter().map(|it| it.0).collect();
    assert_eq!(names[..judged_here.len()], judged_here);
    let next = names.get(judged_here.len());
    assert_eq!(
        next,
        Some(&"sequential"),
        "a specification without a history"
    );
    for &(spec, begins, right, wrong) in HISTORIES {
        let flags: &[&str] = match spec {
            "semaphore" => &["--initial", "2"],
            _ => &[],
        };
        for (last, verdict) in [(right, "valid"), (wrong, "invalid")] {
            let all = format!("{begins}; {last}");
            let mut lines =
                format!(r#"{{"format":"tribunal-history","version":1,"workload":"{spec}"}}"#);
            let mut edn = String::new();
            for (index, (process, kind, f, value)) in events(&all).into_iter().enumerate() {
                lines += &format!(
                    "\n{{\"index\":{index},\"time\":{index},\"process\":{process},\
                     \"type\":\"{kind}\",\"f\":\"{f}\",\"value\":{value}}}"
                );
                let value = value.replace("null", "nil");
                edn += &format!("{{:process {process}, :type :{kind}, :f :{f}, :value {value}}}\n");
            }
            // The workload register does cas as well.
            let found = if spec == "register" {
                "cas-register"
            } else {
                spec
            };
            is("h.jsonl", &lines, flags, verdict, found, "jsonl");
            let named = [&["--spec", spec], flags].concat();
            is("h.edn", &edn, &named, verdict, spec, "edn");
        }
    }
}

#[test]
fn an_engine_can_be_named() {
    let (_folder, path) = file("h.txt", "# queue\nenq 1 1 2\ndeq 1 3 4\ndeq -1 5 6\n");
    for (engine, verdict) in [
        ("monitor", "valid"),
        ("frontier", "valid"),
        ("depth-first", "valid"),
        ("beam", "valid"),
        ("zones", "unknown"),
        ("windows", "unknown"),
    ] {
        let says = judged(&path, &["--engine", engine]);
        assert_eq!(says, [verdict, "queue", "polylin", engine]);
    }
    let human = tribunal(&["verify", &path, "--engine", "zones"]).stdout;
    assert!(human.contains("the engine zones alone"), "{human}");
    let why = refused(&path, &["--engine", "sweep"]);
    assert!(why.contains("no engine is called `sweep`"), "{why}");
    let why = refused(&path, &["--engine", "beam", "--level", "serializable"]);
    assert!(why.contains("--engine is about the search"), "{why}");
    let (_, listed, _) = json(&["list", "engines"]);
    let items = listed["items"].as_array().expect("a list");
    assert_eq!(items.len(), 7);
    assert!(items.iter().all(|it| it["about"].is_string()));
}

#[test]
fn flags_of_values_are_refused_where_they_say_nothing() {
    let (_folder, path) = file("h.txt", "# queue\nenq 1 1 2\ndeq -1 3 4\n");
    assert_eq!(judged(&path, &["--nil", "initial"])[0], "invalid");
    let why = refused(&path, &["--nil", "unknown"]);
    assert!(why.contains("--nil unknown is about"), "{why}");
    let why = refused(&path, &["--failed-cas", "observed"]);
    assert!(why.contains("--failed-cas is about"), "{why}");
    // Knossos takes every null for what is not known.
    let edn = "{:process 0, :type :invoke, :f :dequeue, :value nil}
{:process 0, :type :ok, :f :dequeue, :value nil}\n";
    let (_folder, path) = file("h.edn", edn);
    let knossos = ["--spec", "queue", "--from", "knossos"];
    let why = refused(&path, &knossos);
    assert!(why.contains("there was nothing"), "{why}");
    let known = [&knossos[..], &["--nil", "initial"]].concat();
    assert_eq!(judged(&path, &known)[0], "valid");
    let (_folder, path) = file("c.edn", &edn.replace("dequeue", "read"));
    let counter = ["--spec", "counter", "--nil", "unknown"];
    assert_eq!(judged(&path, &counter)[0], "valid");
    let why = refused(&path, &["--spec", "counter"]);
    assert!(why.contains("expected a whole number, found null"), "{why}");
}

#[test]
fn a_semaphore_is_said_to_have_permits() {
    let edn = "{:process 0, :type :invoke, :f :acquire, :value nil}
{:process 0, :type :ok, :f :acquire, :value nil}\n";
    let (_folder, path) = file("h.edn", edn);
    let why = refused(&path, &["--spec", "semaphore"]);
    assert!(why.contains("--initial N does"), "{why}");
    let of =
        |permits: &str| judged(&path, &["--spec", "semaphore", "--initial", permits])[0].clone();
    assert_eq!([of("1"), of("0")], ["valid", "invalid"]);
}

#[test]
fn a_witness_names_the_object() {
    let (_folder, path) = file("h.txt", "# set\ninsert 3 1 1 2\ncontains 3 0 3 4\n");
    let done = tribunal(&["verify", &path]);
    assert_eq!(done.code, 1, "{}", done.stderr);
    let said = "process 0's contains of element 3 of the set answered false, but the orders that \
                come furthest leave it there.";
    assert!(done.stdout.contains(said), "{}", done.stdout);
    assert!(
        done.stdout.contains("[contains -> false !]"),
        "{}",
        done.stdout
    );
}
