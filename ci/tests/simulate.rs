//! `tribunal simulate` as a user types it.

mod support;

use serde_json::Value;
use support::{interrupted, json, tribunal};

fn simulated(arguments: &[&str]) -> (i32, Value) {
    let (code, object, _) = json(&[&["simulate", "raft"], arguments].concat());
    (code, object)
}

/// All but what depends on the machine's speed.
fn timeless(mut answer: Value) -> Value {
    let fields = answer.as_object_mut().expect("an object");
    fields.retain(|name, _| !name.contains("second"));
    answer
}

#[test]
fn the_same_seeds_give_the_same_answer_on_any_number_of_threads() {
    let (code, first) = simulated(&["--seeds", "1..100"]);
    assert_eq!((code, &first["verdict"]), (0, &"valid".into()), "{first}");
    assert_eq!(first["seeds"]["run"], 100);
    assert!(first["seeds_per_second"].as_f64() > Some(0.0));
    let (_, again) = simulated(&["--seeds", "1..100", "--threads", "3"]);
    assert_eq!(timeless(first), timeless(again));
}

#[test]
fn a_refutation_ends_in_the_command_that_repeats_it() {
    let seeds = [
        "--seeds",
        "1..2000",
        "--bug",
        "stale-append-truncates-suffix",
    ];
    let (code, answer) = simulated(&seeds);
    assert_eq!(
        (code, &answer["verdict"]),
        (1, &"invalid".into()),
        "{answer}"
    );
    let words = answer["repeat"].as_str().expect("a command").to_owned();
    let repeat: Vec<&str> = words.split(' ').skip(1).collect();
    let repeated = tribunal(&repeat);
    assert_eq!(repeated.code, 1, "{}", repeated.stderr);
    let last = repeated.stdout.trim().lines().last();
    assert_eq!(last, Some(words.as_str()));
    let path = |answer: &Value| {
        let properties = answer["properties"].as_array().expect("properties").clone();
        let mut violated = properties
            .iter()
            .filter(|each| each["result"] == "violated");
        violated.next().map(|each| each["path"].clone())
    };
    let (_, alone, _) = json(&repeat);
    assert!(path(&alone).is_some(), "{alone}");
    assert_eq!(path(&alone), path(&answer));
}

#[test]
fn ctrl_c_and_the_time_limit_end_in_unknown_with_what_was_covered() {
    let seeds = ["simulate", "raft", "--seeds", "1..1000000000"];
    let (code, broken_off) = interrupted(&seeds);
    assert_eq!(code, 2);
    let (code, late, _) = json(&[&seeds[..], &["--timeout", "300ms"]].concat());
    assert_eq!(code, 2);
    for (answer, word) in [(broken_off, "interrupted"), (late, "time limit")] {
        let reason = answer["reason"].as_str().unwrap_or_default();
        assert!(reason.contains(word), "{answer}");
        assert!(answer["seeds"]["run"].as_u64() > Some(0), "{answer}");
    }
}

#[test]
fn what_cannot_be_simulated_is_refused() {
    for (arguments, says) in [
        (["--seeds", "9..1"], "lower seed first"),
        (["--seeds", "some"], "1..200"),
        (["--bug", "no-such-bug"], "vote-not-persisted"),
        (["--threads", "0"], "--threads"),
    ] {
        let (code, answer, stderr) = json(&[&["simulate", "raft"], &arguments[..]].concat());
        assert_eq!((code, &answer), (254, &Value::Null), "{arguments:?}");
        assert!(stderr.contains(says), "{arguments:?}: {stderr}");
    }
}
