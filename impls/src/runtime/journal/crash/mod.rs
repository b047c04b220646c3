//! The journal on a disk that forgets: every crash of small scripts, and
//! random ones.
//!
//! | file | holds |
//! |---|---|
//! | `disk.rs`, `content.rs` | the simulated disk |
//! | `images.rs` | what a crash may leave of it |
//! | `machine.rs` | the machine whose records are written |
//! | `explore.rs` | every crash of a script, and the word that must be kept |
//! | `random.rs` | long lives of a node, drawn from a seed |

mod content;
mod disk;
mod explore;
mod images;
pub(super) mod machine;
mod random;

use self::explore::{Explorer, Step};
use self::machine::Record;
use crate::runtime::Mutant;

fn push(entries: impl IntoIterator<Item = u64>) -> Vec<Record> {
    entries.into_iter().map(Record::Push).collect()
}

/// A persist longer than a sector.
fn long(first: u64) -> Vec<Record> {
    vec![Record::Install(
        (first..first + 150).map(|n| n + (1 << 40)).collect(),
    )]
}

fn every_crash_keeps_the_word(script: &[Step]) {
    let looked = Explorer::of(None).crashes(script);
    let looked = looked.unwrap_or_else(|broken| panic!("{}", broken.0));
    println!("{looked:?}");
    assert!(looked.crashes > 20, "{looked:?}");
}

#[test]
fn the_first_start_and_appends() {
    every_crash_keeps_the_word(&[
        Step::Commit(vec![push([1, 2])]),
        Step::Commit(vec![push([3])]),
    ]);
}

#[test]
fn group_commits_of_several_sectors() {
    every_crash_keeps_the_word(&[
        Step::Commit(vec![push([1]), long(5), push([2, 3])]),
        Step::Commit(vec![push([4]), push([5])]),
    ]);
}

#[test]
fn a_snapshot_installed_in_the_place_of_entries() {
    every_crash_keeps_the_word(&[
        Step::Commit(vec![push([1, 2, 3]), vec![Record::TruncateFrom(1)]]),
        Step::Commit(vec![long(5)]),
        Step::Commit(vec![vec![Record::TruncateFrom(2), Record::Push(9)]]),
    ]);
}

#[test]
fn checkpoints_and_what_follows_them() {
    every_crash_keeps_the_word(&[
        Step::Commit(vec![push([1, 2])]),
        Step::Checkpoint,
        Step::Commit(vec![push([3])]),
        Step::Checkpoint,
        Step::Commit(vec![push([4])]),
    ]);
}

#[test]
fn restarts_between_everything() {
    every_crash_keeps_the_word(&[
        Step::Restart,
        Step::Commit(vec![push([1, 2])]),
        Step::Restart,
        Step::Checkpoint,
        Step::Restart,
        Step::Commit(vec![push([3])]),
        Step::Restart,
    ]);
}

fn every_failure_keeps_the_word(script: &[Step]) {
    let looked = Explorer::of(None).failures(script);
    let looked = looked.unwrap_or_else(|broken| panic!("{}", broken.0));
    println!("{looked:?}");
    assert!(looked.crashes > 20, "{looked:?}");
}

#[test]
fn one_operation_of_all_fails() {
    every_failure_keeps_the_word(&[
        Step::Commit(vec![push([1, 2])]),
        Step::Checkpoint,
        Step::Commit(vec![push([3])]),
        Step::Restart,
        Step::Commit(vec![push([4])]),
    ]);
}

/// What a wrong journal is refuted by.
fn refutation(mutant: Mutant) -> String {
    let script = [
        Step::Commit(vec![push([1])]),
        Step::Checkpoint,
        Step::Commit(vec![long(5)]),
        Step::Restart,
    ];
    let crashes = Explorer::of(Some(mutant)).crashes(&script);
    let failures = || Explorer::of(Some(mutant)).failures(&script);
    let broken = crashes.and_then(|_| failures()).expect_err("refuted");
    println!("{mutant}: {}", broken.0);
    broken.0
}

#[test]
fn a_folder_that_is_not_synced_is_noticed() {
    let why = refutation(Mutant::FolderNotSynced);
    assert!(why.contains("after a power loss"), "{why}");
}

#[test]
fn a_sync_that_is_tried_again_is_noticed() {
    let why = refutation(Mutant::SyncRetried);
    assert!(why.contains("fails by Eio: after a power loss"), "{why}");
    assert!(why.contains("none of the prefixes"), "{why}");
}

#[test]
fn a_torn_tail_that_is_kept_is_noticed() {
    let why = refutation(Mutant::TornTailKept);
    assert!(why.contains("the node does not go on: trust"), "{why}");
}

#[test]
fn an_incarnation_that_is_not_raised_is_noticed() {
    let why = refutation(Mutant::IncarnationNotRaised);
    assert!(why.contains("has spoken"), "{why}");
}
