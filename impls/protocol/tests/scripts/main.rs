//! Runs the scripts under `testdata/`: whole clusters, step by step, with
//! comments that carry the argument and the output beside each command.
//!
//! A script is a list of commands; four dashes and the output follow each.
//! `UPDATE_EXPECT=1 cargo test -p tribunal-protocol` writes the output anew.
//!
//! | command | does |
//! |---|---|
//! | `cluster COUNT [OPTION ..]` | starts nodes 1 to COUNT; each protocol has options of its own |
//! | `timeout NODE TIMER` | lets a timer expire that is set |
//! | `clock NODE TIME` | lets a node's clock show this from now on |
//! | `persist NODE [COUNT]` | completes all, or the oldest, outstanding persists |
//! | `deliver [FROM TO [NTH]]` | delivers the messages now under way, in order, or one of them |
//! | `drop [FROM TO]` | loses them |
//! | `repeat FROM TO` | delivers the oldest message and keeps it |
//! | `settle` | persists and delivers until nothing is left to do |
//! | `request NODE ID REQUEST [as SESSION.SERIAL]` | asks a node |
//! | `crash NODE [KEPT]` | crashes it with the oldest KEPT outstanding persists done, and recovers it |
//! | `show` | shows every node |
//!
//! Where the machine expects sessions, all are up at the start; then:
//!
//! | command | does |
//! |---|---|
//! | `break A [B]` | breaks the session of two nodes, or all of one; what is under way on it is lost, and both ends are told |
//! | `connect A [B]` | begins one anew, and tells both ends |
//!
//! A crash breaks the sessions of the node, and its peers are told.
//!
//! What a protocol adds stands beside the commands that its file reads:
//! `raft.rs`, `paxos.rs`, `zab.rs`, `two_phase.rs`.

mod cluster;
mod paxos;
mod raft;
mod two_phase;
mod walk;
mod zab;

use std::path::{Path, PathBuf};

use tribunal_protocol::Machine;

use self::cluster::{Cluster, Scripted};

#[test]
fn scripts_of_raft_do_what_they_say() {
    check::<tribunal_protocol::raft::Raft>();
}

#[test]
fn scripts_of_paxos_do_what_they_say() {
    check::<tribunal_protocol::paxos::Paxos>();
}

#[test]
fn scripts_of_zab_do_what_they_say() {
    check::<tribunal_protocol::zab::Zab>();
}

#[test]
fn scripts_of_two_phase_commit_do_what_they_say() {
    check::<tribunal_protocol::two_phase::TwoPhase>();
}

#[test]
fn every_wrong_version_of_zab_changes_a_script() {
    let bugs = tribunal_protocol::zab::BUGS.iter();
    let shown = bugs.filter(|bug| !bug.hosts.is_empty());
    let in_scripts_too = ["observers-in-epoch-quorum", "vote-order-not-total"];
    let names = shown.map(|bug| bug.name).chain(in_scripts_too);
    check_wrong_versions::<tribunal_protocol::zab::Zab>(names);
}

#[test]
fn every_wrong_version_of_two_phase_commit_changes_a_script() {
    let bugs = tribunal_protocol::two_phase::BUGS.iter();
    let can_be_broken = bugs.filter(|bug| !bug.about.contains("; not shown: "));
    let names = can_be_broken.map(|bug| bug.name);
    check_wrong_versions::<tribunal_protocol::two_phase::TwoPhase>(names);
}

fn check<M: Scripted>() {
    for path in scripts::<M>() {
        let script = std::fs::read_to_string(&path).expect("a readable script");
        expect_test::expect_file![&path].assert_eq(&run::<M>(&script, &[]));
    }
}

/// Fails if a wrong version does what every script says.
fn check_wrong_versions<M: Scripted>(bugs: impl Iterator<Item = &'static str>) {
    let scripts = scripts::<M>();
    let read = |path| std::fs::read_to_string(path).expect("a readable script");
    let scripts: Vec<String> = scripts.iter().map(read).collect();
    let is_noticed = |bug: &&str| {
        let options = ["bug", bug];
        let differs = |script: &String| run::<M>(script, &options) != *script;
        scripts.iter().any(differs)
    };
    let unnoticed: Vec<&str> = bugs.filter(|bug| !is_noticed(bug)).collect();
    assert_eq!(unnoticed, [""; 0]);
}

fn scripts<M: Machine>() -> Vec<PathBuf> {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(scripts.join(M::NAME))
        .expect("the folder of scripts")
        .map(|entry| entry.expect("a script").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

/// The script with its output written anew, as with these options at the end of
/// `cluster`.
fn run<M: Scripted>(script: &str, options: &[&str]) -> String {
    let mut cluster = Cluster::<M>::default();
    let mut shown = String::new();
    let mut in_output = false;
    for line in script.lines() {
        if line.is_empty() {
            in_output = false;
            shown.push('\n');
        } else if line.starts_with('#') {
            shown += &format!("{line}\n");
        } else if !in_output {
            in_output = true;
            let mut words: Vec<&str> = line.split_whitespace().collect();
            if words[0] == "cluster" {
                words.extend(options);
            }
            let said = cluster.command(&words);
            shown += &format!("{line}\n----\n{said}");
        }
    }
    shown
}
