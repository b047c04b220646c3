//! A run's folder: what is in it, under which name, and `latest` beside it.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::config::Campaign;
use crate::exit::usage;

/// What was asked, fully resolved.
pub const CAMPAIGN: &str = "campaign.toml";

/// What clients and the nemesis did.
pub const HISTORY: &str = "history.jsonl";

/// What was concluded.
pub const VERDICT: &str = "verdict.json";

/// What was refuted, as a page to look at.
const PAGE: &str = "linearizability.html";

/// Points to the newest run.
const LATEST: &str = "latest";

/// How many runs are named where one of them is to be chosen.
const NAMED: usize = 8;

/// The folder of one run.
///
/// ```text
///   tribunal-runs/
///     raft-0007-seed42/
///       campaign.toml    what was asked, fully resolved
///       schedule.json    which faults, when; written before the run
///       history.jsonl    what clients and the nemesis did
///       verdict.json     what was concluded, as `--format json` prints it
///       linearizability.html
///                        why no order fits, as a page to look at
///       nodes/1/         data, log and, if asked for, trace of node n1
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
        // Between the count and the link no other run may begin: `latest`
        // would point to the older one of the two.
        let folder = File::open(out).with_context(reading)?;
        if let Err(error) = folder.lock() {
            tracing::warn!(%error, "cannot lock {}", out.display());
        }
        let mut count = last_count(out, &campaign.system).with_context(reading)? + 1;
        loop {
            let name = format!("{}-{count:04}-seed{}", campaign.system, campaign.seed);
            let shown = out.join(&name);
            // Without a lock, another campaign may take the same number now.
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
        self.absolute.join(CAMPAIGN)
    }

    /// `schedule.json`.
    pub fn schedule(&self) -> PathBuf {
        self.absolute.join("schedule.json")
    }

    /// `history.jsonl`.
    pub fn history(&self) -> PathBuf {
        self.absolute.join(HISTORY)
    }

    /// `verdict.json`.
    pub fn verdict(&self) -> PathBuf {
        self.absolute.join(VERDICT)
    }

    /// `linearizability.html`, as the user would name it.
    pub fn page(&self) -> PathBuf {
        self.shown.join(PAGE)
    }

    /// A node's folder, which holds its data folder and its log.
    pub fn node(&self, node: u8) -> PathBuf {
        node_folder(&self.absolute, node)
    }

    /// Where a node records what it does.
    pub fn trace(&self, node: u8) -> PathBuf {
        trace_of(&self.absolute, node)
    }
}

/// A node's folder in that of a run.
fn node_folder(run: &Path, node: u8) -> PathBuf {
    run.join("nodes").join(node.to_string())
}

/// A node's trace in the folder of a run.
pub fn trace_of(run: &Path, node: u8) -> PathBuf {
    node_folder(run, node).join(tribunal_impls::trace::FILE)
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
/// Replaced in one step, so that whoever reads it finds a run.
fn point_latest(out: &Path, name: &str) {
    let fresh = out.join(format!(".{LATEST}-{}", std::process::id()));
    // Whatever a run that was cut off has left.
    let _ = fs::remove_file(&fresh);
    let made = std::os::unix::fs::symlink(name, &fresh);
    if let Err(error) = made.and_then(|()| fs::rename(&fresh, out.join(LATEST))) {
        let _ = fs::remove_file(&fresh);
        tracing::warn!(%error, "cannot point `{LATEST}` to {name}");
    }
}

/// The error for a folder that should be a run's and has no such `file`. Where
/// it is a folder of runs, it says which, and what to type.
pub fn no_run(folder: &Path, file: &str, command: &str) -> anyhow::Error {
    let shown = folder.display();
    let mut sentence = format!("{shown}: expected the folder of a run, with its {file}");
    let mut runs = runs_in(folder, file);
    if let Some(newest) = runs.first() {
        let path = folder.join(newest);
        sentence += &format!("; try `tribunal {command} {}`", path.display());
        let more = runs.len().saturating_sub(NAMED);
        runs.truncate(NAMED);
        sentence += &format!("\nruns here: {}", runs.join(", "));
        if more > 0 {
            sentence += &format!(" and {more} more");
        }
    }
    usage(sentence)
}

/// The names in a folder that are runs' and have `file`: `latest` first, then
/// backwards by name.
fn runs_in(folder: &Path, file: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut runs: Vec<String> = entries
        .filter(|entry| entry.path().join(file).is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    runs.sort_unstable_by(|one, other| other.cmp(one));
    runs.sort_by_key(|name| name != LATEST);
    runs
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
    fn of_runs_begun_at_once_latest_never_goes_back() {
        let out = tempfile::tempdir().unwrap();
        let number = |path: &Path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            count_of(&name, "raft").unwrap()
        };
        let out = out.path();
        std::thread::scope(|scope| {
            for seed in 0..8 {
                scope.spawn(move || {
                    for _ in 0..50 {
                        let mine = Folder::create(out, &campaign("raft", seed)).unwrap();
                        // Whatever it points to is there, and begun no earlier.
                        let latest = out.join(LATEST).canonicalize().unwrap();
                        assert!(number(&latest) >= number(mine.shown()));
                    }
                });
            }
        });
    }

    #[test]
    fn a_folder_of_runs_is_refused_with_the_runs_in_it() {
        let out = tempfile::tempdir().unwrap();
        for seed in 1..=10 {
            let run = Folder::create(out.path(), &campaign("raft", seed)).unwrap();
            fs::write(run.history(), "").unwrap();
        }
        let error = no_run(out.path(), HISTORY, "verify").to_string();
        assert!(error.contains("/latest`"), "{error}");
        assert!(
            error.contains("runs here: latest, raft-0010-seed10, "),
            "{error}"
        );
        assert!(error.ends_with(" and 3 more"), "{error}");
        let error = no_run(&out.path().join("latest"), CAMPAIGN, "replay").to_string();
        assert!(!error.contains("runs here"), "{error}");
    }

    #[test]
    fn a_count_is_read_from_its_own_system_only() {
        assert_eq!(count_of("raft-0007-seed42", "raft"), Some(7));
        assert_eq!(count_of("raft-election-0007-seed42", "raft"), None);
        assert_eq!(count_of("latest", "raft"), None);
    }
}
