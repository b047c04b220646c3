//! A run's folder: what is in it, under which name, and `latest` beside it.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::config::Campaign;

/// The folder of one run.
///
/// ```text
///   tribunal-runs/
///     raft-0007-seed42/
///       campaign.toml    what was asked, fully resolved
///       schedule.json    which faults, when; written before the run
///       history.jsonl    what clients and the nemesis did
///       verdict.json     what was concluded, as `--format json` prints it
///       nodes/1/         data and log of node n1
///     latest             points to the newest
/// ```
#[derive(Clone, Debug)]
pub struct Folder {
    shown: PathBuf,
    absolute: PathBuf,
}

impl Folder {
    /// Makes the folder of a new run and lets `latest` point to it.
    ///
    /// Runs are counted and not dated, so that two campaigns started in the
    /// same second do not meet, and the order is plain.
    pub fn create(out: &Path, campaign: &Campaign) -> anyhow::Result<Folder> {
        let reading = || format!("create a run's folder in {}", out.display());
        fs::create_dir_all(out).with_context(reading)?;
        let mut count = last_count(out, &campaign.system).with_context(reading)? + 1;
        loop {
            let name = format!("{}-{count:04}-seed{}", campaign.system, campaign.seed);
            let shown = out.join(&name);
            // Another campaign may be taking the same number right now.
            match fs::create_dir(&shown) {
                Ok(()) => {
                    let absolute = shown.canonicalize().with_context(reading)?;
                    point_latest(out, &name);
                    return Ok(Folder { shown, absolute });
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => count += 1,
                Err(error) => return Err(error).with_context(reading),
            }
        }
    }

    /// The folder as the user named it.
    pub fn shown(&self) -> &Path {
        &self.shown
    }

    /// `campaign.toml`.
    pub fn campaign(&self) -> PathBuf {
        self.absolute.join("campaign.toml")
    }

    /// `schedule.json`.
    pub fn schedule(&self) -> PathBuf {
        self.absolute.join("schedule.json")
    }

    /// `history.jsonl`.
    pub fn history(&self) -> PathBuf {
        self.absolute.join("history.jsonl")
    }

    /// `verdict.json`.
    pub fn verdict(&self) -> PathBuf {
        self.absolute.join("verdict.json")
    }

    /// A node's folder, which holds its data folder and its log.
    pub fn node(&self, node: u8) -> PathBuf {
        self.absolute.join("nodes").join(node.to_string())
    }
}

/// The greatest number that a run of the system has here.
fn last_count(out: &Path, system: &str) -> io::Result<u64> {
    let mut greatest = 0;
    for entry in fs::read_dir(out)? {
        let name = entry?.file_name();
        let count = name.to_str().and_then(|name| count_of(name, system));
        greatest = greatest.max(count.unwrap_or(0));
    }
    Ok(greatest)
}

/// The `7` of `raft-0007-seed42`.
fn count_of(name: &str, system: &str) -> Option<u64> {
    let rest = name.strip_prefix(system)?.strip_prefix('-')?;
    let (count, seed) = rest.split_once('-')?;
    seed.strip_prefix("seed")?;
    count.parse().ok()
}

/// Best effort: a file system without symbolic links still runs campaigns.
fn point_latest(out: &Path, name: &str) {
    let fresh = out.join(format!(".latest-{}", std::process::id()));
    let made = std::os::unix::fs::symlink(name, &fresh);
    if let Err(error) = made.and_then(|()| fs::rename(&fresh, out.join("latest"))) {
        let _ = fs::remove_file(&fresh);
        tracing::warn!(%error, "cannot point `latest` to {name}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::config::tests::campaign;

    #[test]
    fn runs_are_counted_and_latest_points_to_the_newest() {
        let out = tempfile::tempdir().unwrap();
        let one = Folder::create(out.path(), &campaign("raft", 5)).unwrap();
        let two = Folder::create(out.path(), &campaign("raft", 6)).unwrap();
        assert!(one.shown().ends_with("raft-0001-seed5"));
        assert!(two.shown().ends_with("raft-0002-seed6"));
        let latest = fs::read_link(out.path().join("latest")).unwrap();
        assert_eq!(latest, Path::new("raft-0002-seed6"));
    }

    #[test]
    fn a_count_is_read_from_its_own_system_only() {
        assert_eq!(count_of("raft-0007-seed42", "raft"), Some(7));
        assert_eq!(count_of("raft-election-0007-seed42", "raft"), None);
        assert_eq!(count_of("latest", "raft"), None);
    }
}
