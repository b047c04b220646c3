//! The wrong versions that real processes show, over ten seeds each, beside
//! the correct system with the same arguments. Takes about fifty minutes:
//!
//! ```sh
//! cargo test --release --test wrong_versions -- --ignored --nocapture
//! ```

use std::process::Command;

use tribunal_protocol::raft::BUGS;

const SEEDS: u64 = 10;

/// The exit code of a run.
fn run(arguments: &[&str], seed: u64) -> Option<i32> {
    let runs = tempfile::tempdir().expect("a folder for the runs");
    let output = Command::new(env!("CARGO_BIN_EXE_tribunal"))
        .args([
            "run",
            "raft",
            "--format",
            "json",
            "--seed",
            &seed.to_string(),
            "--out",
        ])
        .arg(runs.path())
        .args(arguments)
        .output()
        .expect("the binary starts");
    output.status.code()
}

#[test]
#[ignore = "about fifty minutes of campaigns"]
fn runs_refute_the_wrong_versions_in_eight_of_ten_seeds_and_never_the_correct_one() {
    let shown = BUGS.iter().filter(|bug| bug.hosts.contains(&"run"));
    for bug in shown {
        let wrong = [&["--bug", bug.name], bug.run_args].concat();
        let refuted = (1..=SEEDS)
            .filter(|seed| run(&wrong, *seed) == Some(1))
            .count();
        let right: Vec<_> = (1..=SEEDS).map(|seed| run(bug.run_args, seed)).collect();
        println!(
            "{}: {refuted} of {SEEDS} refuted; correct: {right:?}",
            bug.name
        );
        assert!(refuted >= 8, "{}: {refuted} of {SEEDS}", bug.name);
        assert!(
            right.iter().all(|code| *code == Some(0)),
            "{}: {right:?}",
            bug.name
        );
    }
}
