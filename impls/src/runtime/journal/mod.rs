//! The journal: all that a node remembers.
//!
//! Opened at a node's start, written by the writer alone. Decides
//! nothing about what is recorded, and nothing about when.
//!
//! ```text
//!   checkpoint-0007   the fold of everything before journal-0007
//!   journal-0007      preamble, then one frame for each group commit
//!   incarnation       how often the node was started
//! ```
//!
//! A frame carries the persists of one group commit, in order, under one
//! checksum and one sequence number: it counts whole or not at all, so that a
//! crash keeps a prefix of the persists, each whole.
//!
//! A journal that has grown past a size is followed by the next generation:
//! its empty journal first, then its checkpoint, both written aside and
//! renamed. The checkpoint's rename decides: before it the old generation
//! holds, after it the new one, and only then the old files go.
//!
//! What was read may stand in the page cache alone, if the process that wrote
//! it was killed before it synced. Recovery therefore syncs every file it
//! trusted, and the folders that name them, before the node says anything.
//!
//! A failed write or sync is never tried again: the kernel may have dropped
//! the pages and will report success the next time. The node ends instead. Its
//! next start may still read from the page cache what the disk never got
//! (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020);
//! one frame is in flight at a time, so it writes the last one once more before
//! it syncs and trusts it.

mod disk;
mod folder;
mod frames;
mod reading;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use tribunal_protocol::Machine;

pub use self::disk::{Disk, DiskFile, FileSystem};
pub use self::folder::Identity;
use self::folder::{Folder, preamble};
use self::reading::{Generations, Read, read_incarnation, refuse_strangers};
use super::mutant::Mutant;

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The operating system refused.
    #[error("{action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process holds the folder.
    #[error("lock {}: another process uses this data folder", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// The folder is somebody else's.
    #[error("use {}: it holds {found}", path.display())]
    Foreign {
        /// The file or folder.
        path: PathBuf,
        /// What is in it.
        found: String,
    },
    /// Bytes that were durable have changed, or are gone.
    #[error("trust {} at byte {offset}: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: usize,
        /// What is wrong.
        why: String,
    },
}

impl JournalError {
    fn io(action: &'static str, path: &Path) -> impl Fn(io::Error) -> JournalError + use<> {
        let path = path.to_owned();
        move |source| JournalError::Io {
            action,
            path: path.clone(),
            source,
        }
    }

    fn damaged(path: &Path, offset: usize, why: &str) -> JournalError {
        JournalError::Damaged {
            path: path.to_owned(),
            offset,
            why: why.to_owned(),
        }
    }
}

/// What a recovery found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// How often the node was started, this time included.
    pub incarnation: u64,
    /// How many frames were read behind the checkpoint.
    pub frames: u64,
    /// How many bytes of an interrupted write were cut off.
    pub torn_bytes: u64,
}

/// How a journal behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A journal longer than this, and longer than the latest checkpoint, is
    /// replaced by a checkpoint when it is next written.
    pub checkpoint_bytes: u64,
    /// A rule to break; none in a journal that is right.
    pub mutant: Option<Mutant>,
}

/// An open journal of machine `M`.
pub struct Journal<M: Machine> {
    folder: Folder,
    identity: Identity,
    generation: u64,
    /// The sequence number of the next frame.
    sequence: u64,
    file: Box<dyn DiskFile>,
    path: PathBuf,
    /// How many bytes of frames the file holds.
    bytes: u64,
    /// How many bytes it may hold before the next generation.
    bytes_max: u64,
    settings: Settings,
    durable: M::Durable,
    recovery: Recovery,
}

const INCARNATION: &str = "incarnation";
const JOURNAL: &str = "journal";
const CHECKPOINT: &str = "checkpoint";

fn name(kind: &str, generation: u64) -> String {
    format!("{kind}-{generation:04}")
}

fn generation_of(name: &str, kind: &str) -> Option<u64> {
    name.strip_prefix(kind)?.strip_prefix('-')?.parse().ok()
}

impl<M: Machine> Journal<M> {
    /// Opens the data folder of `identity` on this machine's file system, or
    /// makes it. A folder of another node, cluster, machine or format is
    /// refused and left as it is.
    pub fn open(
        path: &Path,
        identity: &Identity,
        checkpoint_bytes: u64,
    ) -> Result<Self, JournalError> {
        let settings = Settings {
            checkpoint_bytes,
            mutant: None,
        };
        Self::open_on(Arc::new(FileSystem), path, identity, settings)
    }

    /// The same on any disk, and with a rule broken if one is named.
    pub fn open_on(
        disk: Arc<dyn Disk>,
        path: &Path,
        identity: &Identity,
        settings: Settings,
    ) -> Result<Self, JournalError> {
        let folder = Folder::open(disk, path, settings.mutant)?;
        let names = folder.names()?;
        refuse_strangers(&folder, path, &names)?;
        let generations = Generations::of(&names);
        let incarnation = read_incarnation(&folder, identity, &names)?;
        if generations.journals.is_empty() && generations.checkpoints.is_empty() {
            if incarnation.is_some() {
                let gone = "the node was started before, and its journal is gone";
                return Err(JournalError::damaged(path, 0, gone));
            }
            let first = preamble(JOURNAL, identity, &1_u64);
            folder.replace(&name(JOURNAL, 0), &first)?;
            let generations = Generations::of(&folder.names()?);
            return Self::recover(folder, identity, generations, None, settings);
        }
        Self::recover(folder, identity, generations, incarnation, settings)
    }

    fn recover(
        folder: Folder,
        identity: &Identity,
        generations: Generations,
        incarnation: Option<u64>,
        settings: Settings,
    ) -> Result<Self, JournalError> {
        let generation = generations.newest();
        let mut read = Read::<M>::checkpoint(&folder, identity, generation)?;
        let path = folder.path(&name(JOURNAL, generation));
        read.journal(&folder, identity, generation)?;
        generations.check_unfinished(&folder, identity)?;
        if incarnation.is_none() && (generation > 0 || read.frames > 0) {
            let why = "the node has written since its first start, and does not know its starts";
            return Err(JournalError::damaged(&folder.path(INCARNATION), 0, why));
        }

        // Nothing was changed up to here; from here on the folder is ours.
        let mut file = folder.append(&name(JOURNAL, generation))?;
        let keeps = settings.mutant == Some(Mutant::TornTailKept);
        if read.torn_bytes > 0 && !keeps {
            file.cut(read.end).map_err(JournalError::io("cut", &path))?;
        }
        // If its sync had failed, its pages are clean and the disk has not got
        // them: without this the sync to come would do nothing.
        let again = file.rewrite(read.end - read.last_frame.len() as u64, &read.last_frame);
        again.map_err(JournalError::io("write", &path))?;
        let mut journal = Journal {
            folder,
            identity: identity.clone(),
            generation,
            sequence: read.sequence,
            file,
            path,
            bytes: read.end - read.start,
            bytes_max: settings.checkpoint_bytes.max(read.checkpoint_length),
            settings,
            durable: read.durable,
            recovery: Recovery {
                incarnation: match (incarnation, settings.mutant) {
                    (Some(same), Some(Mutant::IncarnationNotRaised)) => same,
                    (before, _) => before.unwrap_or(0) + 1,
                },
                frames: read.frames,
                torn_bytes: read.torn_bytes,
            },
        };
        journal.make_sure(&generations)?;
        Ok(journal)
    }

    /// Syncs what recovery trusted, clears what it does not need, and counts
    /// the start.
    fn make_sure(&mut self, generations: &Generations) -> Result<(), JournalError> {
        self.file
            .sync()
            .map_err(JournalError::io("sync", &self.path))?;
        if self.generation > 0 {
            let checkpoint = name(CHECKPOINT, self.generation);
            let path = self.folder.path(&checkpoint);
            let synced = self.folder.append(&checkpoint)?.sync();
            synced.map_err(JournalError::io("sync", &path))?;
        }
        // What was superseded may go only when what superseded it has its
        // name for good: the old one could vanish and the new one, too.
        self.folder.sync()?;
        for superfluous in generations.superfluous() {
            self.folder.remove(&superfluous)?;
        }
        let incarnation = self.recovery.incarnation;
        if incarnation == 1 {
            self.folder.sync_above()?;
        }
        let bytes = preamble(INCARNATION, &self.identity, &incarnation);
        // Syncs the folder, too.
        self.folder.replace(INCARNATION, &bytes)
    }

    /// What survived: the fold of every record written so far.
    pub fn durable(&self) -> &M::Durable {
        &self.durable
    }

    /// What opening it found.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Makes persists durable, all or none: one frame, synced. After an
    /// error the journal must not be used again.
    pub fn append(&mut self, persists: &[Vec<M::Record>]) -> Result<(), JournalError> {
        let payload = encode(&self.path, persists)?;
        let frame = frames::encode(self.sequence, &payload);
        self.file
            .write(&frame)
            .map_err(JournalError::io("write", &self.path))?;
        let synced = match self.file.sync() {
            Err(_) if self.settings.mutant == Some(Mutant::SyncRetried) => self.file.sync(),
            first => first,
        };
        synced.map_err(JournalError::io("sync", &self.path))?;
        self.sequence += 1;
        self.bytes += frame.len() as u64;
        for record in persists.iter().flatten() {
            M::apply(&mut self.durable, record);
        }
        Ok(())
    }

    /// Whether the journal has grown past its size.
    pub fn checkpoint_is_due(&self) -> bool {
        self.bytes > self.bytes_max
    }

    /// Begins the next generation with a checkpoint of everything so far.
    /// After an error the journal must not be used again.
    pub fn checkpoint(&mut self) -> Result<(), JournalError> {
        let next = self.generation + 1;
        let journal = preamble(JOURNAL, &self.identity, &self.sequence);
        self.folder.replace(&name(JOURNAL, next), &journal)?;
        let mut checkpoint = preamble(CHECKPOINT, &self.identity, &self.sequence);
        let path = self.folder.path(&name(CHECKPOINT, next));
        let durable = encode(&path, &self.durable)?;
        checkpoint.extend(frames::encode(self.sequence, &durable));
        self.folder.replace(&name(CHECKPOINT, next), &checkpoint)?;

        self.file = self.folder.append(&name(JOURNAL, next))?;
        self.path = self.folder.path(&name(JOURNAL, next));
        self.folder.remove(&name(JOURNAL, self.generation))?;
        if self.generation > 0 {
            self.folder.remove(&name(CHECKPOINT, self.generation))?;
        }
        self.generation = next;
        self.bytes = 0;
        self.bytes_max = self.settings.checkpoint_bytes.max(checkpoint.len() as u64);
        Ok(())
    }
}

fn encode<T: Serialize + ?Sized>(path: &Path, value: &T) -> Result<Vec<u8>, JournalError> {
    let bytes = postcard::to_allocvec(value).map_err(io::Error::other);
    let bytes = bytes.map_err(JournalError::io("encode for", path))?;
    if u32::try_from(bytes.len()).is_err() {
        let error = io::Error::other("more than 4 GiB in one frame");
        return Err(JournalError::io("encode for", path)(error));
    }
    Ok(bytes)
}

#[cfg(test)]
mod crash;
#[cfg(test)]
mod tests;
