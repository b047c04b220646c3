//! What a journal survives, and what it refuses.

use std::collections::BTreeMap;
use std::fs;

use tempfile::TempDir;
use tribunal_protocol::NodeId;

use super::crash::machine::{Lists, Record};
use super::*;

fn identity() -> Identity {
    Identity::new::<Lists>("blue", NodeId(1))
}

fn open(folder: &TempDir) -> Result<Journal<Lists>, JournalError> {
    open_with(folder, &identity(), 1 << 20)
}

fn open_with(
    folder: &TempDir,
    identity: &Identity,
    checkpoint_bytes: u64,
) -> Result<Journal<Lists>, JournalError> {
    Journal::open(folder.path(), identity, checkpoint_bytes)
}

/// Appends one frame, whose persists hold these entries.
fn append(journal: &mut Journal<Lists>, persists: &[Vec<u64>]) {
    let records = |entries: &Vec<u64>| entries.iter().copied().map(Record::Push).collect();
    let persists: Vec<Vec<Record>> = persists.iter().map(records).collect();
    journal.append(&persists).unwrap();
}

/// A folder in which each of `frames` was written by itself.
fn written(frames: &[&[u64]]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(&folder).unwrap();
    for frame in frames {
        append(&mut journal, &[frame.to_vec()]);
    }
    folder
}

fn numbers(folder: &TempDir) -> Vec<u64> {
    open(folder).unwrap().durable().0.clone()
}

/// Every file of a folder, so that a change shows.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let named = entries.map(|entry| entry.file_name().into_string().unwrap());
    named
        .map(|name| (name.clone(), fs::read(folder.join(&name)).unwrap()))
        .collect()
}

fn write_contents(files: &BTreeMap<String, Vec<u8>>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

/// Refused, with a reason, and nothing in the folder changed.
fn refuses(folder: &TempDir, identity: &Identity, reason: &str) {
    let before = contents(folder.path());
    let error = open_with(folder, identity, 1 << 20).err().unwrap();
    assert!(error.to_string().contains(reason), "{error}");
    assert_eq!(
        contents(folder.path()),
        before,
        "the data must be untouched"
    );
}

#[test]
fn what_was_written_is_recovered_and_each_start_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(&folder).unwrap();
    assert_eq!(journal.recovery().incarnation, 1);
    append(&mut journal, &[vec![1, 2], vec![3]]);
    append(&mut journal, &[vec![4]]);
    drop(journal);
    let journal = open(&folder).unwrap();
    assert_eq!(journal.durable().0, [1, 2, 3, 4]);
    let expected = Recovery {
        incarnation: 2,
        frames: 2,
        torn_bytes: 0,
    };
    assert_eq!(*journal.recovery(), expected);
}

#[test]
fn a_last_frame_torn_at_any_byte_is_cut_and_written_over() {
    let folder = written(&[&[1], &[2]]);
    let two = contents(folder.path())["journal-0000"].len();
    let mut journal = open(&folder).unwrap();
    append(&mut journal, &[vec![3; 40], vec![4]]);
    drop(journal);
    let files = contents(folder.path());
    for length in two..files["journal-0000"].len() {
        let mut torn = files.clone();
        torn.get_mut("journal-0000").unwrap().truncate(length);
        let folder = write_contents(&torn);
        let mut journal = open(&folder).unwrap();
        assert_eq!(journal.durable().0, [1, 2], "cut at {length}");
        assert_eq!(journal.recovery().torn_bytes, (length - two) as u64);
        append(&mut journal, &[vec![5]]);
        drop(journal);
        assert_eq!(numbers(&folder), [1, 2, 5], "cut at {length}");
    }
}

#[test]
fn every_changed_byte_is_refused_with_file_and_place() {
    let folder = written(&[&[1], &[2], &[3]]);
    let files = contents(folder.path());
    for place in 0..files["journal-0000"].len() {
        let mut damaged = files.clone();
        damaged.get_mut("journal-0000").unwrap()[place] ^= 0x10;
        let folder = write_contents(&damaged);
        refuses(&folder, &identity(), "journal-0000");
    }
}

#[test]
fn the_message_names_the_byte_where_the_broken_frame_begins() {
    let folder = written(&[&[1], &[2], &[3]]);
    let path = folder.path().join("journal-0000");
    let mut bytes = fs::read(&path).unwrap();
    let starts: Vec<usize> = bytes
        .windows(4)
        .enumerate()
        .filter(|(_, w)| *w == b"TRBF")
        .map(|(at, _)| at)
        .collect();
    let (second, third) = (starts[2], starts[3]);
    bytes[second + 26] ^= 1;
    fs::write(&path, bytes).unwrap();
    let reason =
        format!("at byte {second}: frame 2 is broken, but frame 3 follows at byte {third}");
    refuses(&folder, &identity(), &reason);
}

#[test]
fn a_folder_of_somebody_else_is_refused() {
    let folder = written(&[&[1]]);
    let node = Identity {
        node: NodeId(2),
        ..identity()
    };
    refuses(&folder, &node, "data of node n1 of cluster `blue`");
    let cluster = Identity {
        cluster: "red".into(),
        ..identity()
    };
    refuses(&folder, &cluster, "where those of node n1 of cluster `red`");
    let format = Identity {
        format: 4,
        ..identity()
    };
    refuses(&folder, &format, "lists format 1");
    let machine = Identity {
        machine: "raft".into(),
        ..identity()
    };
    refuses(&folder, &machine, "raft format 1");
}

#[test]
fn a_folder_with_other_files_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.tex"), "my only copy").unwrap();
    refuses(&folder, &identity(), "thesis.tex");
}

#[test]
fn a_folder_that_is_in_use_is_refused() {
    let folder = written(&[&[1]]);
    let journal = open(&folder).unwrap();
    refuses(
        &folder,
        &identity(),
        "another process uses this data folder",
    );
    drop(journal);
    assert_eq!(numbers(&folder), [1]);
}

#[test]
fn a_lost_file_is_refused() {
    let folder = written(&[&[1]]);
    for lost in ["journal-0000", "incarnation"] {
        let mut files = contents(folder.path());
        files.remove(lost);
        refuses(&write_contents(&files), &identity(), "trust");
    }
    let (_, after) = around_a_checkpoint();
    for lost in ["journal-0001", "checkpoint-0001"] {
        let mut files = after.clone();
        files.remove(lost);
        let error = open(&write_contents(&files)).err().unwrap();
        assert!(error.to_string().contains("journal-000"), "{error}");
    }
}

#[test]
fn another_layout_is_refused_as_such() {
    let folder = written(&[&[1]]);
    let mut files = contents(folder.path());
    files.get_mut("journal-0000").unwrap()[8] = 9;
    refuses(
        &write_contents(&files),
        &identity(),
        "files of layout 9, where layout 1",
    );
}

/// The files before a checkpoint and after it.
fn around_a_checkpoint() -> (BTreeMap<String, Vec<u8>>, BTreeMap<String, Vec<u8>>) {
    let folder = written(&[&[1], &[2]]);
    let before = contents(folder.path());
    let mut journal = open(&folder).unwrap();
    journal.checkpoint().unwrap();
    drop(journal);
    (before, contents(folder.path()))
}

#[test]
fn a_checkpoint_replaces_the_journal_and_is_continued() {
    let folder = written(&[&[1], &[2]]);
    let mut journal = open(&folder).unwrap();
    journal.checkpoint().unwrap();
    append(&mut journal, &[vec![3]]);
    drop(journal);
    let names: Vec<String> = contents(folder.path()).into_keys().collect();
    assert_eq!(names, ["checkpoint-0001", "incarnation", "journal-0001"]);
    let mut journal = open(&folder).unwrap();
    assert_eq!(journal.durable().0, [1, 2, 3]);
    assert_eq!(journal.recovery().frames, 1);
    journal.checkpoint().unwrap();
    drop(journal);
    assert_eq!(numbers(&folder), [1, 2, 3]);
}

#[test]
fn a_checkpoint_is_due_when_the_journal_outgrows_its_size_and_the_last_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open_with(&folder, &identity(), 1).unwrap();
    assert!(!journal.checkpoint_is_due());
    append(&mut journal, &[vec![7; 500]]);
    assert!(journal.checkpoint_is_due());
    journal.checkpoint().unwrap();
    append(&mut journal, &[vec![7]]);
    assert!(
        !journal.checkpoint_is_due(),
        "the checkpoint is longer than the journal"
    );
    drop(journal);
    let journal = open_with(&folder, &identity(), 1).unwrap();
    assert!(!journal.checkpoint_is_due());
}

#[test]
fn a_crash_at_any_point_of_a_checkpoint_loses_nothing() {
    let (before, after) = around_a_checkpoint();
    let (journal, checkpoint) = (&after["journal-0001"], &after["checkpoint-0001"]);
    let mut points = vec![before.clone()];
    let mut during = before.clone();
    for length in [0, 1, journal.len() / 2, journal.len()] {
        during.insert("journal-0001.tmp".into(), journal[..length].to_vec());
        points.push(during.clone());
    }
    during.remove("journal-0001.tmp");
    during.insert("journal-0001".into(), journal.clone());
    points.push(during.clone());
    for length in 0..=checkpoint.len() {
        during.insert("checkpoint-0001.tmp".into(), checkpoint[..length].to_vec());
        points.push(during.clone());
    }
    during.remove("checkpoint-0001.tmp");
    during.insert("checkpoint-0001".into(), checkpoint.clone());
    points.push(during.clone());
    during.remove("journal-0000");
    points.push(during);
    for (place, files) in points.iter().enumerate() {
        let folder = write_contents(files);
        let mut journal = open(&folder).unwrap();
        assert_eq!(journal.durable().0, [1, 2], "point {place}");
        append(&mut journal, &[vec![3]]);
        journal.checkpoint().unwrap();
        drop(journal);
        assert_eq!(numbers(&folder), [1, 2, 3], "point {place}");
        assert_eq!(
            contents(folder.path()).len(),
            3,
            "point {place}: nothing is left over"
        );
    }
}

#[test]
fn a_journal_whose_checkpoint_is_gone_is_not_taken_for_an_unfinished_one() {
    let folder = written(&[&[1], &[2]]);
    let before = contents(folder.path());
    let mut journal = open(&folder).unwrap();
    journal.checkpoint().unwrap();
    append(&mut journal, &[vec![3]]);
    drop(journal);
    let mut files = contents(folder.path());
    files.remove("checkpoint-0001");
    files.insert("journal-0000".into(), before["journal-0000"].clone());
    refuses(
        &write_contents(&files),
        &identity(),
        "the checkpoint that it continues is gone",
    );
}

#[test]
fn a_changed_checkpoint_is_refused() {
    let (_, after) = around_a_checkpoint();
    for place in 0..after["checkpoint-0001"].len() {
        let mut files = after.clone();
        files.get_mut("checkpoint-0001").unwrap()[place] ^= 0x10;
        refuses(&write_contents(&files), &identity(), "checkpoint-0001");
    }
}
