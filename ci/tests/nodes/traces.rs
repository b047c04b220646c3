//! Traces of real nodes: those of right ones are held against their machine
//! after every test here; these are about what is noticed.

use std::fs;

use tokio::task::JoinSet;
use tribunal_impls::trace::{Line, Violation};

use crate::cluster::{Cluster, until, write};

/// Three nodes that have served writes of several clients at once, and one of
/// which was killed and started again meanwhile.
async fn served(arguments: &[&'static str]) -> Cluster {
    let mut cluster = Cluster::new("raft", 3);
    cluster.arguments = arguments.to_vec();
    cluster.start_all();
    cluster.leader().await;
    for round in 0..2 {
        let mut writers = JoinSet::new();
        for key in 1..=8 {
            let mut client = cluster.client(1, true);
            writers.spawn(async move {
                for value in 0..10 {
                    // Whether it took effect is for other tests to say.
                    client.invoke(&write(key, 10 * round + value)).await;
                }
            });
        }
        writers.join_all().await;
        if round == 0 {
            cluster.kill(2);
            cluster.start(2);
            until("n2 is back", async || cluster.status(2).await).await;
        }
    }
    cluster
}

/// What is wrong with nodes that break a rule of the runtime. Their disks are
/// slow enough for something to happen while a frame is written.
async fn violation_of(mutant: &'static str) -> Violation {
    let mut cluster = served(&["--mutant", mutant, "--disk-delay-ms", "10"]).await;
    let violation = cluster.judge_traces();
    let violation = violation.unwrap_or_else(|| panic!("{mutant} is not noticed"));
    println!("{mutant}: {violation}");
    violation
}

#[tokio::test]
async fn an_output_that_leaves_before_the_sync_is_noticed() {
    let violation = violation_of("outputs-before-sync").await;
    assert!(violation.what.contains("persists of which"), "{violation}");
}

#[tokio::test]
async fn an_output_that_overtakes_another_is_noticed() {
    let violation = violation_of("outputs-reordered").await;
    assert!(violation.what.contains("overtakes"), "{violation}");
}

#[tokio::test]
async fn an_incarnation_that_is_not_raised_is_noticed() {
    let violation = violation_of("incarnation-not-raised").await;
    assert_eq!(
        violation.what,
        "incarnation 1 starts, after incarnation 1 has"
    );
}

type Change = fn(&mut Vec<Line>);

/// The place of a line in the middle of those that are wanted.
fn place(lines: &[Line], wanted: fn(&Line) -> bool) -> usize {
    let places = lines.iter().enumerate().filter(|(_, line)| wanted(line));
    let places: Vec<usize> = places.map(|(place, _)| place).collect();
    places[places.len() / 2]
}

/// A trace with one line changed; what is wrong with it.
fn changed(cluster: &mut Cluster, node: u8, change: Change) -> Violation {
    let path = cluster.plan(node).trace.clone().unwrap();
    let before = fs::read_to_string(&path).unwrap();
    let whole = before
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let mut lines: Vec<Line> = whole.collect();
    change(&mut lines);
    let text = lines
        .iter()
        .map(|line| serde_json::to_string(line).unwrap() + "\n");
    fs::write(&path, text.collect::<String>()).unwrap();
    let violation = cluster.judge_traces();
    fs::write(&path, before).unwrap();
    violation.expect("the change is noticed")
}

#[tokio::test]
async fn every_kind_of_false_line_is_noticed() {
    let mut cluster = served(&[]).await;
    assert_eq!(cluster.judge_traces(), None, "untouched");

    let cases: [(u8, &str, Change); 6] = [
        (1, "its outputs:", |lines| {
            let step = place(lines, |line| matches!(line, Line::Step(_)));
            let Line::Step(step) = &mut lines[step] else {
                return;
            };
            step.outputs.0 ^= 1;
        }),
        (1, "its state:", |lines| {
            let hashed = |line: &Line| matches!(line, Line::Step(step) if step.state.is_some());
            let step = place(lines, hashed);
            let Line::Step(step) = &mut lines[step] else {
                return;
            };
            step.state.as_mut().unwrap().0 ^= 1;
        }),
        (3, "more persists", |lines| {
            let handed = place(lines, |line| matches!(line, Line::Handed(_)));
            lines.remove(handed);
        }),
        (3, "persists that are not durable", |lines| {
            let durable = place(lines, |line| matches!(line, Line::Durable(_)));
            lines.remove(durable);
        }),
        (2, "what it found", |lines| {
            let restart = lines
                .iter()
                .rposition(|line| matches!(line, Line::Start(_)));
            let Line::Start(start) = &mut lines[restart.unwrap()] else {
                return;
            };
            start.found.0 ^= 1;
        }),
        (1, "is delivered once more than", |lines| {
            // What leaves at the very end is missed by nobody.
            let leaves = place(lines, |line| matches!(line, Line::Leaves(_)));
            lines.truncate(leaves);
        }),
    ];
    for (node, what, change) in cases {
        let violation = changed(&mut cluster, node, change);
        assert!(violation.what.contains(what), "`{what}`: {violation}");
    }
}

#[tokio::test]
async fn a_line_cut_in_two_by_the_end_of_a_process_is_no_mistake_and_any_other_is() {
    let mut cluster = Cluster::new("raft", 1);
    cluster.start(1);
    cluster.leader().await;
    cluster.kill(1);
    let path = cluster.plan(1).trace.clone().unwrap();
    let mut text = fs::read_to_string(&path).unwrap();
    text.push_str("{\"step\":{\"inp");
    fs::write(&path, &text).unwrap();
    assert_eq!(cluster.judge_traces(), None, "at the end");
    cluster.start(1);
    cluster.leader().await;
    assert_eq!(cluster.judge_traces(), None, "before a start");
    let broken = fs::read_to_string(&path)
        .unwrap()
        .replacen("{\"step\":", "?", 1);
    fs::write(&path, &broken).unwrap();
    let error = cluster.try_judge_traces().unwrap_err().to_string();
    assert!(
        error.contains(".trace:2:1: expected a line of a trace"),
        "{error}"
    );
    fs::remove_file(&path).unwrap();
}
