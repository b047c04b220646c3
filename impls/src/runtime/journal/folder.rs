//! A node's data folder: whose it is, who holds it, and files that are
//! replaced whole.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{self, Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tribunal_protocol::{Machine, NodeId};

use super::JournalError;
use super::disk::{Disk, DiskFile, Lock};
use super::frames::{self, Found};
use crate::runtime::Mutant;

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
pub(super) struct Folder {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// The folders in which others were made now, to hold this one.
    created_in: BTreeSet<PathBuf>,
    mutant: Option<Mutant>,
    _lock: Lock,
}

impl Folder {
    /// Opens the folder, making it if need be, and locks it.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        path: &Path,
        mutant: Option<Mutant>,
    ) -> Result<Folder, JournalError> {
        let failed = JournalError::io("open", path);
        let absolute = path::absolute(path).map_err(&failed)?;
        let created_in = create_all(&*disk, &absolute).map_err(&failed)?;
        let lock = disk.lock(path).map_err(JournalError::io("lock", path))?;
        let Some(lock) = lock else {
            return Err(JournalError::Locked {
                path: path.to_owned(),
            });
        };
        Ok(Folder {
            disk,
            path: absolute,
            created_in,
            mutant,
            _lock: lock,
        })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The names of all files, sorted.
    pub(super) fn names(&self) -> Result<Vec<String>, JournalError> {
        let names = self.disk.names(&self.path);
        let mut names = names.map_err(JournalError::io("list", &self.path))?;
        names.sort_unstable();
        Ok(names)
    }

    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, JournalError> {
        let path = self.path(name);
        self.disk
            .read(&path)
            .map_err(JournalError::io("read", &path))
    }

    /// Writes a file whole: after a crash it holds the old bytes or the new.
    pub(super) fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), JournalError> {
        let path = self.path(name);
        let temporary = self.path(&format!("{name}{TEMPORARY}"));
        let failed = JournalError::io("write", &temporary);
        let mut file = self.disk.create(&temporary).map_err(&failed)?;
        file.write(bytes).map_err(&failed)?;
        file.sync().map_err(JournalError::io("sync", &temporary))?;
        let renamed = self.disk.rename(&temporary, &path);
        renamed.map_err(JournalError::io("rename", &temporary))?;
        if self.mutant == Some(Mutant::FolderNotSynced) {
            return Ok(());
        }
        self.sync()
    }

    /// Removes files. Durable only after the next [`Folder::sync`]; what is
    /// removed is never needed again, so that its return does no harm.
    pub(super) fn remove(&self, name: &str) -> Result<(), JournalError> {
        let path = self.path(name);
        let removed = self.disk.remove(&path);
        removed.map_err(JournalError::io("remove", &path))
    }

    /// Makes the names in the folder durable.
    pub(super) fn sync(&self) -> Result<(), JournalError> {
        let synced = self.disk.sync_folder(&self.path);
        synced.map_err(JournalError::io("sync", &self.path))
    }

    /// Makes the folder's own name durable, and those of all folders above:
    /// an earlier start may have made them and ended before it synced them.
    ///
    /// Folders in which nothing was made now may keep this node from syncing
    /// them: it cannot have made anything there before, either.
    pub(super) fn sync_above(&self) -> Result<(), JournalError> {
        for folder in self.path.ancestors().skip(1) {
            match self.disk.sync_folder(folder) {
                Err(error) if self.created_in.contains(folder) || !is_not_ours(&error) => {
                    return Err(JournalError::io("sync", folder)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Opens a file for appending.
    pub(super) fn append(&self, name: &str) -> Result<Box<dyn DiskFile>, JournalError> {
        let path = self.path(name);
        self.disk
            .append(&path)
            .map_err(JournalError::io("open", &path))
    }
}

/// Makes a folder and those that it needs above it; gives the folders in
/// which one was made.
fn create_all(disk: &dyn Disk, path: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let missing = path
        .ancestors()
        .take_while(|folder| !disk.is_folder(folder));
    let missing: Vec<&Path> = missing.collect();
    let mut created_in = BTreeSet::new();
    for folder in missing.into_iter().rev() {
        match disk.create_folder(folder) {
            // Somebody else has made it just now; it must be durable as well.
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => created_in.extend(folder.parent().map(Path::to_owned)),
        }
    }
    Ok(created_in)
}

/// Whether an error says that nothing can have been made in a folder.
fn is_not_ours(error: &io::Error) -> bool {
    use ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem};
    // Some file systems that cannot be written answer a sync with EINVAL.
    matches!(
        error.kind(),
        PermissionDenied | ReadOnlyFilesystem | InvalidInput
    )
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
