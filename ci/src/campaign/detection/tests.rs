//! What is concluded of answers that were written down.

use serde_json::json;

use super::*;
use crate::exit::Conclusion;

const MS: u64 = 1_000_000;
/// What is promised, and so allowed 800 ms, with 1,600 ms to settle.
const WITHIN: Duration = Duration::from_millis(300);

/// A fault of three nodes between two times, in milliseconds.
fn fault(id: u64, kind: &str, targets: &[&str], (from, to): (u64, u64)) -> FaultReport {
    let shape = (kind == "partition").then_some("halves");
    let report = json!({
        "id": id, "fault": kind, "shape": shape, "targets": targets, "outcome": "installed",
        "effective": true, "healed": true, "evidence": { "says": "", "facts": {} },
        "began_ns": from * MS, "effective_ns": from * MS,
        "heal_began_ns": to * MS, "healed_ns": to * MS,
    });
    serde_json::from_value(report).unwrap()
}

/// Three nodes that answer every 100 ms up to `until`: whom each suspects.
fn answers(until: u64, suspects: impl Fn(u8, u64) -> Vec<u8>) -> Answers {
    let said = |node| {
        let times = (0..=until).step_by(100);
        let said = times.map(|at| Said {
            asked: at * MS,
            told: at * MS + MS,
            suspects: suspects(node, at).into_iter().collect(),
        });
        (node, said.collect())
    };
    (1..=3).map(said).collect()
}

fn judged(faults: &[FaultReport], healed: u64, answers: &Answers) -> Check {
    let detects = Detects {
        within: WITHIN,
        pairwise: true,
    };
    let facts = Facts {
        nodes: 3,
        faults,
        detects: Some(detects),
        healed: Some(healed * MS),
    };
    judge(&facts, answers)
}

fn property(check: &Check) -> &str {
    let witness = check.witness.as_ref().expect("a witness");
    witness["property"].as_str().expect("a name")
}

/// n3 is killed from 1 s to 4 s; those who notice do so after so long.
fn killed(after: [Option<u64>; 2]) -> (Vec<FaultReport>, Answers) {
    let answers = answers(8_000, |node, at| {
        let noticed = after.get(usize::from(node) - 1).copied().flatten();
        let suspects = noticed.is_some_and(|after| (1_000 + after..=4_200).contains(&at));
        if suspects { vec![3] } else { Vec::new() }
    });
    (vec![fault(0, "kill", &["n3"], (1_000, 4_000))], answers)
}

#[test]
fn who_is_killed_and_suspected_in_time_is_no_finding() {
    let (faults, answers) = killed([Some(200), Some(500)]);
    let check = judged(&faults, 4_500, &answers);
    assert_eq!(check.verdict, Conclusion::Valid, "{:?}", check.shown);
    let kill = &check.figures.expect("figures").data["by_fault"][0];
    assert_eq!(kill["fault"], "kill");
    assert_eq!(kill["first_ms"]["median"], json!(201.0));
    assert_eq!(kill["last_ms"]["max"], json!(501.0));
    assert_eq!(
        (&kill["judged"], &kill["false_suspicions"]["count"]),
        (&json!(2), &json!(0))
    );
}

#[test]
fn who_is_killed_and_not_suspected_is_missed() {
    let (faults, answers) = killed([Some(200), None]);
    let check = judged(&faults, 4_500, &answers);
    assert_eq!(check.verdict, Conclusion::Invalid);
    assert_eq!(property(&check), "Strong Completeness");
    assert!(
        check
            .shown
            .expect("words")
            .contains("n2, asked 800 ms after")
    );
}

#[test]
fn nothing_is_missed_where_another_fault_may_be_the_reason() {
    let (mut faults, answers) = killed([Some(200), None]);
    faults.push(fault(1, "pause", &["n1"], (3_000, 3_500)));
    let check = judged(&faults, 4_500, &answers);
    assert_eq!(
        property(&check),
        "Strong Completeness",
        "n2 is as well as before"
    );
    faults.push(fault(2, "pause", &["n2"], (3_000, 3_500)));
    let check = judged(&faults, 4_500, &answers);
    assert_eq!(
        check.verdict,
        Conclusion::Unknown,
        "nothing could be judged"
    );
}

#[test]
fn nothing_is_missed_by_a_node_that_was_not_seen_to_run() {
    let (faults, mut answers) = killed([Some(200), None]);
    let said = answers.get_mut(&2).expect("answers");
    said.retain(|said| !(1_500 * MS..2_200 * MS).contains(&said.asked));
    assert_eq!(judged(&faults, 4_500, &answers).verdict, Conclusion::Valid);
    let said = answers.get_mut(&1).expect("answers");
    said.retain(|said| !(1_500 * MS..2_200 * MS).contains(&said.asked));
    let check = judged(&faults, 4_500, &answers);
    assert_eq!(check.verdict, Conclusion::Unknown);
}

#[test]
fn both_sides_of_a_partition_are_to_suspect_the_other() {
    let faults = [fault(0, "partition", &["n1"], (1_000, 4_000))];
    let suspicion = |n1: bool| {
        answers(8_000, move |node, at| match node {
            _ if !(1_400..4_100).contains(&at) => Vec::new(),
            1 if n1 => vec![2, 3],
            1 => vec![2],
            _ => vec![1],
        })
    };
    assert_eq!(
        judged(&faults, 4_500, &suspicion(true)).verdict,
        Conclusion::Valid
    );
    let check = judged(&faults, 4_500, &suspicion(false));
    assert_eq!(property(&check), "Strong Completeness");
}

#[test]
fn a_suspicion_that_outlasts_every_fault_breaks_accuracy() {
    let (faults, _) = killed([None, None]);
    let stays = answers(8_000, |node, at| {
        if node < 3 && at >= 1_300 {
            vec![3]
        } else {
            Vec::new()
        }
    });
    let check = judged(&faults, 4_500, &stays);
    assert_eq!(property(&check), "Eventual Strong Accuracy");
    let early = answers(6_000, |node, at| {
        if node < 3 && at >= 1_300 {
            vec![3]
        } else {
            Vec::new()
        }
    });
    assert_eq!(
        judged(&faults, 4_500, &early).verdict,
        Conclusion::Valid,
        "there was not time enough"
    );
}

#[test]
fn a_suspicion_without_a_cause_is_counted_and_no_finding() {
    let once = answers(8_000, |node, at| {
        if node == 1 && (6_000..6_300).contains(&at) {
            vec![2]
        } else {
            Vec::new()
        }
    });
    let check = judged(&[], 5_000, &once);
    assert_eq!(check.verdict, Conclusion::Valid);
    let none = &check.figures.expect("figures").data["by_fault"][0];
    assert_eq!(none["fault"], NO_FAULT);
    assert_eq!(none["false_suspicions"]["count"], 1);
    assert_eq!(none["false_suspicions"]["lasting_ms"]["max"], json!(300.0));
}

#[test]
fn a_node_that_was_never_asked_leaves_it_unknown() {
    let (faults, mut answers) = killed([Some(200), Some(200)]);
    answers.remove(&2);
    let check = judged(&faults, 4_500, &answers);
    assert_eq!(check.verdict, Conclusion::Unknown);
    assert!(check.reason.expect("a reason").contains("n2"));
}
