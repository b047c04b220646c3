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
//! | `deliver [FROM TO]` | delivers the messages now under way, in order |
//! | `drop [FROM TO]` | loses them |
//! | `repeat FROM TO` | delivers the oldest message and keeps it |
//! | `settle` | persists and delivers until nothing is left to do |
//! | `request NODE ID REQUEST [as SESSION.SERIAL]` | asks a node |
//! | `crash NODE [KEPT]` | crashes it with the oldest KEPT outstanding persists done, and recovers it |
//! | `show` | shows every node |
//!
//! What a protocol adds stands beside the commands that its file reads:
//! `raft.rs`, `paxos.rs`.

mod cluster;
mod paxos;
mod raft;

use std::path::Path;

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

fn check<M: Scripted>() {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata");
    let mut paths: Vec<_> = std::fs::read_dir(scripts.join(<M as Machine>::NAME))
        .expect("the folder of scripts")
        .map(|entry| entry.expect("a script").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
        let script = std::fs::read_to_string(&path).expect("a readable script");
        expect_test::expect_file![&path].assert_eq(&run::<M>(&script));
    }
}

/// The script with its output written anew.
fn run<M: Scripted>(script: &str) -> String {
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
            let words: Vec<&str> = line.split_whitespace().collect();
            let said = cluster.command(&words);
            shown += &format!("{line}\n----\n{said}");
        }
    }
    shown
}
