//! Real campaigns, short ones: real processes, sockets, disks and signals.

mod support;

use std::fs;
use std::io::BufReader;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::{
    Killed, history_with_lines, json, node_processes, object, said, spawn, start, tribunal, until,
};
use tempfile::TempDir;

/// Nodes and harness share a machine with other tests, and elections must not
/// depend on its speed.
const CALM: [&str; 4] = ["--nodes", "3", "--rate", "200"];

fn folder() -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_string_lossy().into_owned();
    (folder, path)
}

fn run(arguments: &[&str]) -> (i32, Value, String) {
    json(&[&["run", "raft"], &CALM[..], arguments].concat())
}

#[test]
fn a_campaign_under_faults_ends_in_a_verdict_and_leaves_nothing_behind() {
    let (out, path) = folder();
    let (code, report, stderr) = run(&["--time", "6s", "--seed", "1", "--trace", "--out", &path]);
    assert_eq!(code, 0, "{}: {stderr}", report["reason"]);
    assert_eq!(report["verdict"], "valid");
    assert!(
        report["operations"]["ok"].as_u64() > Some(100),
        "{}",
        report["operations"]
    );
    for kind in ["kill", "pause", "partition"] {
        let faults = report["faults"].as_array().expect("faults");
        let mine = faults.iter().filter(|fault| fault["fault"] == kind);
        let effective: Vec<&Value> = mine.filter(|fault| fault["effective"] == true).collect();
        assert!(!effective.is_empty(), "no {kind} took effect");
        assert!(
            effective.iter().all(|fault| fault["healed"] == true),
            "{effective:?}"
        );
    }
    let run = Path::new(report["run"].as_str().expect("a folder"));
    for name in [
        "campaign.toml",
        "schedule.json",
        "history.jsonl",
        "verdict.json",
        "nodes/1/log",
    ] {
        assert!(run.join(name).exists(), "{name}");
    }
    let kept: Value =
        serde_json::from_str(&fs::read_to_string(run.join("verdict.json")).unwrap()).unwrap();
    assert_eq!(kept["verdict"], "valid");
    assert!(node_processes(out.path()).is_empty());
    let run = run.to_str().expect("a path");
    let (code, judged, _) = json(&["verify", run, "--trace"]);
    assert_eq!((code, &judged["verdict"]), (0, &Value::from("valid")));
    assert_eq!(judged["files"][0]["checker"], "trace");
    let done = tribunal(&["verify", run, "/no/such/run", "--trace"]);
    assert_eq!(done.code, 254, "{}", done.stderr);
    let shown = done.stdout.contains(run) && !done.stdout.contains("verdict:");
    assert!(shown, "{}", done.stdout);
    assert!(done.stderr.contains("1 of 2 files"), "{}", done.stderr);
    let (code, judged, _) = json(&["verify", run]);
    assert_eq!((code, &judged["verdict"]), (0, &Value::from("valid")));
    let recorded = &judged["files"][0]["recorded"];
    assert_eq!(recorded["verdict"], "valid");
    assert!(recorded.get("differs").is_none(), "{recorded}");
}

#[test]
fn members_leaders_and_logs_change_under_load_and_faults() {
    let (_out, path) = folder();
    let asked = ["membership", "transfer", "compact"];
    let faults = format!("kill,partition,{}", asked.join(","));
    let more = ["--time", "8s", "--seed", "1", "--out", &path];
    let words = ["run", "raft", "--rate", "200", "--compact-after", "50"];
    let arguments = [&words[..], &["--faults", &faults], &more].concat();
    let (code, report, stderr) = json(&arguments);
    assert_eq!(code, 0, "{}: {stderr}", report["reason"]);
    for kind in asked {
        let faults = report["faults"].as_array().expect("faults");
        let took_effect = |fault: &&Value| fault["fault"] == kind && fault["effective"] == true;
        let fault = faults.iter().find(took_effect);
        let fault = fault.unwrap_or_else(|| panic!("no {kind} took effect"));
        assert_eq!(fault["healed"], true, "{fault}");
        assert_eq!(fault["outcome"], "installed", "{fault}");
    }
    let run = Path::new(report["run"].as_str().expect("a folder"));
    let campaign = fs::read_to_string(run.join("campaign.toml")).unwrap();
    assert!(campaign.contains("compact-after = 50"), "{campaign}");
}

#[test]
fn transactions_are_blocked_while_their_coordinator_is_gone_and_decided_afterwards() {
    let (_out, path) = folder();
    let place = ["--faults", "crash-at", "--crash-after", "persist:commit#1"];
    let pace = ["--targets", "one", "--fault-interval", "2500ms"];
    let more = ["--fault-lasts", "1500ms", "--time", "9s", "--seed", "1"];
    let kept = ["--trace", "--out", &path];
    let words = ["run", "two-phase", "--rate", "200"];
    let arguments = [&words[..], &place, &pace, &more, &kept].concat();
    let (code, report, stderr) = json(&arguments);
    assert_eq!(code, 0, "{}: {stderr}", report["reason"]);
    let checks = report["checks"].as_array().expect("checks");
    let termination = checks.iter().find(|it| it["checker"] == "termination");
    let blocked = &termination.expect("a check of it")["figures"]["blocked"];
    let is_crash = |fault: &Value| fault.as_str().is_some_and(|it| it.starts_with("crash-at"));
    let crashed = |it: &&Value| {
        it["faults"]
            .as_array()
            .is_some_and(|all| all.iter().any(is_crash))
    };
    let longest = blocked.as_array().expect("a list").iter().find(crashed);
    let longest = longest.unwrap_or_else(|| panic!("no coordinator was missed: {blocked}"));
    let (from, until) = (longest["from_ns"].as_u64(), longest["until_ns"].as_u64());
    assert!(until > from && from.is_some(), "{blocked}");
    let coordinator = longest["coordinator"].as_str().expect("a coordinator");
    let crash = Value::from(format!("crash-at {coordinator}"));
    let meanwhile = longest["faults"].as_array().expect("faults");
    assert!(meanwhile.contains(&crash), "{longest}");
    let run = report["run"].as_str().expect("a folder");
    let (code, judged, _) = json(&["verify", run]);
    assert_eq!((code, &judged["verdict"]), (0, &Value::from("valid")));
    assert_eq!(judged["files"][0]["spec"], "strict-serializable");
    let (code, judged, _) = json(&["verify", run, "--trace"]);
    assert_eq!((code, &judged["verdict"]), (0, &Value::from("valid")));
}

#[test]
fn every_workload_of_transactions_tells_a_right_version_from_a_wrong_one() {
    let (_out, path) = folder();
    let crowded = ["--keys", "4", "--rate", "1000", "--concurrency", "20"];
    let more = ["--time", "4s", "--seed", "1", "--faults", "none"];
    let verdict = |workload: &str, bug: Option<&str>| {
        let bug: Vec<&str> = bug.iter().flat_map(|bug| ["--bug", bug]).collect();
        let words = ["run", "two-phase", "--workload", workload, "--out", &path];
        let (code, report, stderr) = json(&[&words[..], &crowded, &more, &bug].concat());
        let judged = &report["checks"][0];
        assert_eq!(code, i32::from(!bug.is_empty()), "{workload}: {stderr}");
        (
            judged["checker"].clone(),
            judged["witness"]["anomaly"].clone(),
        )
    };
    for (workload, checker) in [
        ("list-append", "isolation"),
        ("write-skew", "isolation"),
        ("bank", "bank"),
    ] {
        assert_eq!(verdict(workload, None), (checker.into(), Value::Null));
        // Reads without locks, and writes without any from the vote on.
        let bug = match workload {
            "list-append" => "locks-let-go-at-vote",
            _ => "read-locks-let-go-at-execution",
        };
        let (by, anomaly) = verdict(workload, Some(bug));
        assert_eq!(by, checker);
        assert!(anomaly.is_string(), "{workload}: {anomaly}");
    }
}

#[test]
fn a_run_without_an_order_is_drawn_in_its_folder() {
    let (_out, path) = folder();
    let bug = ["run", "raft", "--bug", "local-read-at-follower"];
    let calm = ["--time", "3s", "--faults", "none", "--seed", "7"];
    let done = tribunal(&[&bug[..], &calm, &["--out", &path]].concat());
    assert_eq!(done.code, 1, "{}", done.stderr);
    let page = format!("{path}/raft-0001-seed7/linearizability.html");
    let said = format!("\npage:    {page}\nagain:");
    assert!(done.stdout.contains(&said), "{}", done.stdout);
    let text = fs::read_to_string(&page).expect("a page");
    for fact in ["tribunal replay", "local-read-at-follower", "linearizable"] {
        assert!(text.contains(fact), "{fact}");
    }
    let verdict = format!("{path}/raft-0001-seed7/verdict.json");
    let verdict = fs::read_to_string(verdict).expect("a verdict");
    let verdict: Value = serde_json::from_str(&verdict).expect("JSON");
    assert_eq!(verdict["checks"][0]["page"], page.as_str());
}

#[test]
fn a_run_that_is_to_stop_ends_at_the_first_violation_and_keeps_everything() {
    let (out, path) = folder();
    let bug = ["run", "raft", "--bug", "local-read-at-follower"];
    let stop = ["--time", "300s", "--seed", "7", "--stop-on-invalid"];
    let (code, report, stderr) = json(&[&bug[..], &stop, &["--out", &path]].concat());
    assert_eq!(code, 1, "{}: {stderr}", report["reason"]);
    let notes = report["notes"].to_string();
    for note in ["the load ended at the first violation", "no order of key"] {
        assert!(notes.contains(note), "{notes}");
    }
    for fault in report["faults"].as_array().expect("faults") {
        assert!(
            fault["effective"] != true || fault["healed"] == true,
            "{fault}"
        );
    }
    let run = Path::new(report["run"].as_str().expect("a folder"));
    for name in [
        "history.jsonl",
        "verdict.json",
        "linearizability.html",
        "nodes/1/log",
    ] {
        assert!(run.join(name).exists(), "{name}");
    }
    assert!(node_processes(out.path()).is_empty());
}

#[test]
fn a_replay_has_the_same_schedule_and_campaign() {
    let (_out, path) = folder();
    let (_, first, stderr) = run(&["--time", "3s", "--seed", "77", "--out", &path]);
    let folder = first["run"].as_str().unwrap_or_else(|| panic!("{stderr}"));
    let (_, again, stderr) = json(&["replay", folder]);
    let other = again["run"].as_str().unwrap_or_else(|| panic!("{stderr}"));
    assert_ne!(folder, other);
    for name in ["schedule.json", "campaign.toml"] {
        let read = |folder: &str| fs::read_to_string(Path::new(folder).join(name)).unwrap();
        assert_eq!(read(folder), read(other), "{name}");
    }
}

#[test]
fn ctrl_c_heals_stops_and_judges_what_was_recorded() {
    let (out, path) = folder();
    let arguments = [
        &["run", "raft"],
        &CALM[..],
        &["--time", "120s", "--out", &path],
    ]
    .concat();
    let harness = start(&arguments);
    let history = history_with_lines(out.path(), 200).expect("a history");
    kill(Pid::from_raw(harness.id() as i32), Signal::SIGINT).expect("the harness lives");
    let output = harness.wait_with_output().expect("the harness ends");
    let report = object(&String::from_utf8_lossy(&output.stdout));
    assert!(
        matches!(output.status.code(), Some(0 | 2)),
        "{:?}: {report}",
        output.status
    );
    assert!(report["operations"]["ok"].as_u64() > Some(0));
    assert!(history.with_file_name("verdict.json").exists());
    assert!(node_processes(out.path()).is_empty());
}

#[test]
fn a_cluster_left_running_stays_until_ctrl_c_and_leaves_nothing() {
    let (out, path) = folder();
    let more = [
        "--time",
        "2s",
        "--faults",
        "none",
        "--leave-running",
        "--out",
        &path,
    ];
    let mut harness = Killed(spawn(&[&["run", "raft"], &CALM[..], &more].concat()));
    let mut stderr = BufReader::new(harness.0.stderr.take().expect("a pipe"));
    let address = |line: &str| line.strip_prefix("  n")?.split(' ').nth(1)?.parse().ok();
    for _ in 0..3 {
        let node: SocketAddr = said(&mut stderr, address).expect("where each node listens");
        TcpStream::connect(node).expect("a node that serves");
    }
    // It is judged, and still there.
    let verdict = fs::read_to_string(out.path().join("latest/verdict.json"));
    assert!(
        verdict
            .expect("a verdict")
            .contains(r#""verdict": "valid""#)
    );
    assert_eq!(node_processes(out.path()).len(), 3);
    assert!(harness.0.try_wait().expect("it is mine").is_none());
    kill(Pid::from_raw(harness.0.id() as i32), Signal::SIGINT).expect("the harness lives");
    let status = harness.0.wait().expect("the harness ends");
    assert_eq!(status.code(), Some(0));
    assert!(node_processes(out.path()).is_empty());
}

#[test]
fn a_killed_harness_leaves_a_history_and_no_process() {
    let (out, path) = folder();
    let arguments = [
        &["run", "raft"],
        &CALM[..],
        &["--time", "120s", "--out", &path],
    ]
    .concat();
    let mut harness = start(&arguments);
    let history = history_with_lines(out.path(), 200).expect("a history");
    assert_eq!(node_processes(out.path()).len(), 3);
    harness.kill().expect("the harness lives");
    harness.wait().expect("the harness ends");
    assert!(until(Duration::from_secs(5), || node_processes(out.path())
        .is_empty()));
    let (code, judged, stderr) = json(&["verify", history.to_str().unwrap()]);
    assert!(matches!(code, 0 | 2), "{stderr}");
    assert!(judged["files"][0]["operations"].as_u64() > Some(50));
}

#[test]
fn several_runs_of_one_campaign_have_seeds_of_their_own_and_the_worst_verdict() {
    let (_out, path) = folder();
    let more = [
        "--time",
        "2s",
        "--faults",
        "none",
        "--seed",
        "5",
        "--test-count",
        "2",
    ];
    let (code, series, stderr) = run(&[&more[..], &["--out", &path]].concat());
    assert_eq!(code, 0, "{stderr}");
    let seeds: Vec<&Value> = series["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| &run["seed"])
        .collect();
    assert_eq!(seeds, [5, 6]);
}

#[test]
fn a_run_in_which_too_little_happened_is_unknown() {
    let (_out, path) = folder();
    let more = [
        "--time", "1s", "--faults", "none", "--rate", "1", "--seed", "1", "--out", &path,
    ];
    let (code, report, stderr) = run(&more);
    assert_eq!(code, 2, "{stderr}");
    assert!(report["reason"].as_str().unwrap().contains("took effect"));
}

#[test]
fn a_wrong_version_that_runs_are_not_known_to_show_is_noted() {
    let (_out, path) = folder();
    let more = ["--time", "1s", "--faults", "none", "--out", &path, "--bug"];
    let said = |bug| run(&[&more[..], &[bug]].concat()).2;
    let note = "ack-above-durable-index is known to show with: staged; not with run";
    assert!(said("ack-above-durable-index").contains(note));
    let said = said("vote-not-persisted");
    let how = "known to show it: tribunal run raft --bug vote-not-persisted --time 12s";
    assert!(said.contains(how), "{said}");
}
