//! The wrong versions that real processes show, over ten seeds each, beside
//! the correct system with the same arguments. Takes nearly two hours:
//!
//! ```sh
//! cargo test --release --test wrong_versions -- --ignored --nocapture
//! ```

use std::process::Command;

use tribunal_impls::systems::BUILT_IN;

const SEEDS: u64 = 10;

/// The exit code of a run of a system.
fn run(system: &str, arguments: &[&str], seed: u64) -> Option<i32> {
    let runs = tempfile::tempdir().expect("a folder for the runs");
    let output = Command::new(env!("CARGO_BIN_EXE_tribunal"))
        .args([
            "run",
            system,
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
#[ignore = "nearly two hours of campaigns"]
fn runs_refute_the_wrong_versions_in_eight_of_ten_seeds_and_never_the_correct_one() {
    let bugs = BUILT_IN
        .iter()
        .flat_map(|system| system.bugs.iter().map(|bug| (system.name, bug)));
    for (system, bug) in bugs.filter(|(_, bug)| bug.hosts.contains(&"run")) {
        let name = format!("{system} {}", bug.name);
        let wrong = [&["--bug", bug.name], bug.run_args].concat();
        let refuted = (1..=SEEDS)
            .filter(|seed| run(system, &wrong, *seed) == Some(1))
            .count();
        let right: Vec<_> = (1..=SEEDS)
            .map(|seed| run(system, bug.run_args, seed))
            .collect();
        println!("{name}: {refuted} of {SEEDS} refuted; correct: {right:?}");
        assert!(refuted >= 8, "{name}: {refuted} of {SEEDS}");
        assert!(
            right.iter().all(|code| *code == Some(0)),
            "{name}: {right:?}"
        );
    }
}
