//! What is typed wrongly is refused in one clear error, and nothing else.

mod support;

use std::net::TcpListener;

use support::{interrupted, json, tribunal};

/// Codes 254 go with an error of a few lines and nothing on stdout.
#[track_caller]
fn refused(arguments: &[&str], says: &str) {
    let (code, object, stderr) = json(arguments);
    assert_eq!(code, 254, "{arguments:?}: {stderr}");
    assert!(object.is_null(), "{arguments:?} wrote to stdout");
    let lines = stderr.trim().lines().count();
    assert!(
        (1..=8).contains(&lines),
        "{arguments:?}: {lines} lines: {stderr}"
    );
    assert!(stderr.contains(says), "{arguments:?}: {stderr}");
    assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
}

#[test]
fn a_name_that_nothing_has_is_refused_with_the_nearest() {
    refused(&["run", "rafft"], "did you mean `raft`?");
    refused(
        &["run", "raft", "--bug", "vote-not-persistd"],
        "did you mean `vote-not-persisted`?",
    );
    refused(
        &["check", "raft", "--bug", "no-such-bug"],
        "vote-not-persisted",
    );
    refused(
        &["run", "raft", "--faults", "flood"],
        "kill, pause, partition",
    );
    refused(&["run", "raft", "--workload", "bank"], "register");
}

#[test]
fn a_value_that_cannot_be_meant_is_refused() {
    refused(&["run", "raft", "--time", "abc"], "20s");
    refused(&["run", "raft", "--nodes", "0"], "--nodes");
    refused(&["run", "raft", "--rate", "-1"], "--rate");
    refused(
        &["check", "raft", "--transfers", "many"],
        "expected a whole number",
    );
    refused(&["run", "raft", "--time", "100ms"], "a time of at least");
    refused(
        &["run", "raft", "--nodes", "2", "--targets", "minority"],
        "2 nodes",
    );
    refused(&["run", "raft", "--no-such-flag"], "--no-such-flag");
    refused(&["run"], "expected a system");
    refused(&["frobnicate"], "frobnicate");
    refused(&[], "expected a command");
}

#[test]
fn what_no_campaign_could_mean_is_refused_before_it_has_a_folder() {
    let out = tempfile::tempdir().unwrap();
    let runs = out.path().join("runs");
    let refused = |words: &str, says: &str| {
        let mut arguments = vec!["run", "raft", "--out", runs.to_str().unwrap()];
        arguments.extend(words.split(' '));
        refused(&arguments, says);
        assert!(!runs.exists(), "{words}");
    };
    refused(
        "--election-timeout 1ms --heartbeat 10s",
        "try an election timeout of several heartbeats",
    );
    refused(
        "--faults kill --targets pause:leader",
        "try --faults kill,pause",
    );
    refused(
        "--faults kill --shapes halves",
        "try --faults kill,partition",
    );
    refused(
        "--targets coordinator",
        "no node of raft has; there are the targets one,minority,majority,leader,all",
    );
    refused(
        "--shapes isolate-coordinator",
        "there are the shapes isolate-one,isolate-leader,majority-minority,halves,bridge",
    );
    refused("--nodes 1", "try more nodes, or --faults kill,pause");
    refused("--timeout 0s", "expected --timeout to be more than 0");
    refused("--seed abc", "expected a whole number from 0 to");
    refused(
        "--nodes -1",
        "expected a whole number from 1 to 64, not `-1`",
    );
    refused("--time -5s", "expected a duration such as");
    refused("--schedule s.json --faults kill", "cannot be used with");
}

#[test]
fn what_no_check_could_mean_is_refused() {
    refused(
        &["check", "raft", "--set", "pre-vote=9"],
        "expected --set pre-vote to be from 0 to 1, not 9",
    );
    refused(
        &["check", "raft", "--property", "a leader is elected"],
        "is a goal",
    );
    refused(
        &["check", "raft", "--property", "Election Safty"],
        "did you mean `Election Safety`?",
    );
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (address, why) in [(&*address, "in use"), ("nowhere", "socket address")] {
        let arguments = ["check", "raft", "--explore", address];
        refused(&arguments, why);
        let lines = tribunal(&arguments).stderr;
        assert_eq!(lines.trim().lines().count(), 1, "{lines}");
    }
}

#[test]
fn ctrl_c_ends_a_check_in_unknown_with_what_was_covered() {
    // Far more than anybody would wait for.
    let (code, answer) = interrupted(&["check", "raft", "--elections", "6", "--operations", "3"]);
    assert_eq!(code, 2, "{answer}");
    let reason = answer["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("interrupted"), "{answer}");
    assert!(answer["states"]["unique"].as_u64() > Some(0), "{answer}");
    assert_eq!(answer["properties"][0]["result"], "unknown");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    refused(
        &["verify", "/no/such/file", "--spec", "register"],
        "/no/such/file",
    );
    refused(&["replay", "/no/such/run"], "/no/such/run");
    refused(
        &["run", "raft", "--schedule", "/no/such/schedule"],
        "/no/such/schedule",
    );
    refused(
        &["run", "--campaign", "/no/such/campaign"],
        "/no/such/campaign",
    );
}

#[test]
fn a_mistake_in_a_file_is_shown_where_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let campaign = path("campaign.toml");
    std::fs::write(
        &campaign,
        "system = \"raft\"\nfaults = [\"kill\", \"flood\"]\n",
    )
    .unwrap();
    refused(&["run", "--campaign", &campaign], "campaign.toml:2:");
    let schedule = path("schedule.json");
    let fault = r#"{"at":"1s","for":"1s","fault":"kill","targets":["n9"]}"#;
    std::fs::write(&schedule, format!("{{\"faults\": [\n{fault}\n]}}")).unwrap();
    refused(
        &["run", "raft", "--schedule", &schedule],
        "schedule.json:2:",
    );
}

#[test]
fn help_is_no_error() {
    for arguments in [&["--help"][..], &["run", "--help"], &["--version"]] {
        let done = tribunal(arguments);
        assert_eq!(done.code, 0);
        assert!(done.stdout.contains("tribunal"), "{}", done.stdout);
        assert!(done.stderr.is_empty(), "{}", done.stderr);
    }
}

#[test]
fn what_a_system_cannot_serve_is_refused_with_the_mend() {
    for (arguments, says) in [
        (
            &["raft", "--workload", "local-reads"][..],
            "--workload register",
        ),
        (
            &["zab", "--workload", "local-reads", "--retry"],
            "leave out --retry",
        ),
        (
            &["heartbeat", "--workload", "register"],
            "it answers suspects",
        ),
        (
            &["heartbeat", "--targets", "leader"],
            "there are the targets one,minority,majority,all",
        ),
        (&["zab-election"], "tribunal run zab"),
        (&["zab", "--set", "observers=5"], "less than the 5 nodes"),
    ] {
        let done = tribunal(&[&["run"], arguments].concat());
        assert_eq!(done.code, 254, "{arguments:?}");
        assert!(done.stderr.contains(says), "{}", done.stderr);
    }
}

#[test]
fn everything_is_listed_by_the_names_that_flags_take() {
    let names = |what: &str| -> Vec<String> {
        let (code, object, _) = json(&["list", what]);
        assert_eq!(code, 0);
        let items = object["items"].as_array().expect("items").clone();
        assert!(items.iter().all(|item| item["about"].is_string()));
        items
            .iter()
            .map(|item| item["name"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    assert!(names("systems").contains(&"raft".to_owned()));
    let faults = "kill pause partition crash-at membership transfer compact";
    assert_eq!(names("faults").join(" "), faults);
    assert_eq!(
        names("workloads"),
        [
            "register",
            "local-reads",
            "list-append",
            "write-skew",
            "bank",
            "suspects"
        ]
    );
    assert!(names("bugs").len() >= 12);
    assert!(names("specs").contains(&"cas-register".to_owned()));
    assert!(names("properties").contains(&"Election Safety".to_owned()));
    assert_eq!(names("levels"), ["serializable", "strict-serializable"]);
}
