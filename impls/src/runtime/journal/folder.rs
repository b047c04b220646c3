//! A node's data folder: whose it is, who holds it, and files that are
//! replaced whole.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tribunal_protocol::{Machine, NodeId};

use super::JournalError;
use super::frames::{self, Found};

/// The layout of the files here; another one is refused.
const LAYOUT: u32 = 1;
const MAGIC: [u8; 8] = *b"TRIBUNAL";

/// Whose data a folder holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The machine's name.
    pub machine: String,
    /// The version of its records.
    pub format: u32,
    /// The cluster.
    pub cluster: String,
    /// The node.
    pub node: NodeId,
}

impl Identity {
    /// The identity of a node that plays machine `M`.
    pub fn new<M: Machine>(cluster: &str, node: NodeId) -> Self {
        Identity {
            machine: M::NAME.to_owned(),
            format: M::FORMAT,
            cluster: cluster.to_owned(),
            node,
        }
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Identity {
            machine,
            format,
            cluster,
            node,
        } = self;
        write!(
            f,
            "node {node} of cluster `{cluster}`, {machine} format {format}"
        )
    }
}

/// An open data folder, locked for as long as it lives.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// The folder itself: locked, and synced when a name in it changes.
    handle: File,
}

impl Folder {
    /// Opens the folder, making it if need be, and locks it.
    ///
    /// The lock is on the folder itself, so that a folder that turns out to
    /// be somebody else's is left without a trace.
    pub(super) fn open(path: &Path) -> Result<Folder, JournalError> {
        let failed = JournalError::io("open", path);
        fs::create_dir_all(path).map_err(&failed)?;
        let handle = File::open(path).map_err(&failed)?;
        match handle.try_lock() {
            Ok(()) => Ok(Folder {
                path: path.to_owned(),
                handle,
            }),
            Err(TryLockError::WouldBlock) => Err(JournalError::Locked {
                path: path.to_owned(),
            }),
            Err(TryLockError::Error(error)) => Err(JournalError::io("lock", path)(error)),
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The names of all files, sorted.
    pub(super) fn names(&self) -> Result<Vec<String>, JournalError> {
        let failed = JournalError::io("list", &self.path);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(&failed)? {
            let name = entry.map_err(&failed)?.file_name();
            names.push(name.to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, JournalError> {
        let path = self.path(name);
        fs::read(&path).map_err(JournalError::io("read", &path))
    }

    /// Writes a file whole: after a crash it holds the old bytes or the new.
    pub(super) fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), JournalError> {
        let path = self.path(name);
        let temporary = self.path(&format!("{name}{TEMPORARY}"));
        let failed = JournalError::io("write", &temporary);
        let mut file = File::create(&temporary).map_err(&failed)?;
        file.write_all(bytes).map_err(&failed)?;
        file.sync_all()
            .map_err(JournalError::io("sync", &temporary))?;
        fs::rename(&temporary, &path).map_err(JournalError::io("rename", &temporary))?;
        self.sync()
    }

    /// Removes files. Durable only after the next [`Folder::sync`]; what is
    /// removed is never needed again, so that its return does no harm.
    pub(super) fn remove(&self, name: &str) -> Result<(), JournalError> {
        let path = self.path(name);
        fs::remove_file(&path).map_err(JournalError::io("remove", &path))
    }

    /// Makes the names in the folder durable.
    pub(super) fn sync(&self) -> Result<(), JournalError> {
        self.handle
            .sync_all()
            .map_err(JournalError::io("sync", &self.path))
    }

    /// Makes the folder's own name durable.
    pub(super) fn sync_parent(&self) -> Result<(), JournalError> {
        let path = fs::canonicalize(&self.path).map_err(JournalError::io("find", &self.path))?;
        let Some(parent) = path.parent() else {
            return Ok(());
        };
        let failed = JournalError::io("sync", parent);
        File::open(parent)
            .and_then(|handle| handle.sync_all())
            .map_err(failed)
    }

    /// Opens a file for appending.
    pub(super) fn append(&self, name: &str) -> Result<File, JournalError> {
        let path = self.path(name);
        OpenOptions::new()
            .append(true)
            .open(&path)
            .map_err(JournalError::io("open", &path))
    }
}

/// The end of the name of a file that is not yet whole.
pub(super) const TEMPORARY: &str = ".tmp";

/// The beginning of every file: what it is and whose.
pub(super) fn preamble<T: Serialize>(kind: &str, of: &Identity, about: &T) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(LAYOUT.to_le_bytes());
    let payload = postcard::to_allocvec(&(kind, of, about));
    bytes.extend(frames::encode(
        0,
        &payload.expect("a preamble is plain data"),
    ));
    bytes
}

/// Checks a file's beginning; gives what it says of itself and where the
/// preamble ends.
pub(super) fn check_preamble<T: for<'a> Deserialize<'a>>(
    path: &Path,
    bytes: &[u8],
    kind: &str,
    expected: &Identity,
) -> Result<(T, usize), JournalError> {
    let damaged = |offset: usize, why: &str| JournalError::damaged(path, offset, why);
    let start = MAGIC.len() + 4;
    let Some(layout) = bytes.get(MAGIC.len()..start) else {
        return Err(damaged(
            0,
            "the file is shorter than its first bytes must be",
        ));
    };
    if bytes[..MAGIC.len()] != MAGIC {
        return Err(damaged(0, "the file does not begin like one of ours"));
    }
    if layout != LAYOUT.to_le_bytes() {
        let found = layout
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let found = format!("files of layout {found}, where layout {LAYOUT} is expected");
        return Err(JournalError::Foreign {
            path: path.to_owned(),
            found,
        });
    }
    let Found::Frame { payload, end } = first_frame(bytes, start) else {
        return Err(damaged(start, "the file's preamble is broken"));
    };
    let parsed = postcard::from_bytes::<(String, Identity, T)>(payload);
    let (found_kind, found, about) =
        parsed.map_err(|_| damaged(start, "its preamble is unknown"))?;
    if found != *expected {
        let found = format!("data of {found}, where those of {expected} are expected");
        return Err(JournalError::Foreign {
            path: path.to_owned(),
            found,
        });
    }
    if found_kind != kind {
        return Err(damaged(
            start,
            &format!("it is a {found_kind} in the place of a {kind}"),
        ));
    }
    Ok((about, end))
}

fn first_frame(bytes: &[u8], start: usize) -> Found<'_> {
    frames::next(bytes, start, 0)
}
