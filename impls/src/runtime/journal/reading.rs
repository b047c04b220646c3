//! What a start finds in a data folder. Reads, and changes nothing.

use std::path::Path;

use serde::de::DeserializeOwned;
use tribunal_protocol::Machine;

use super::folder::{Folder, Identity, TEMPORARY, check_preamble};
use super::frames::{self, Found};
use super::{CHECKPOINT, INCARNATION, JOURNAL, JournalError, generation_of, name};

/// What was read so far.
pub(super) struct Read<M: Machine> {
    pub(super) durable: M::Durable,
    pub(super) checkpoint_length: u64,
    /// The sequence number of the next frame.
    pub(super) sequence: u64,
    pub(super) frames: u64,
    /// Where the journal's frames begin and end.
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) torn_bytes: u64,
    /// The bytes of the last frame.
    pub(super) last_frame: Vec<u8>,
}

impl<M: Machine> Read<M> {
    pub(super) fn checkpoint(
        folder: &Folder,
        identity: &Identity,
        generation: u64,
    ) -> Result<Self, JournalError> {
        let mut read = Read {
            durable: M::Durable::default(),
            checkpoint_length: 0,
            sequence: 1,
            frames: 0,
            start: 0,
            end: 0,
            torn_bytes: 0,
            last_frame: Vec::new(),
        };
        if generation == 0 {
            return Ok(read);
        }
        let path = folder.path(&name(CHECKPOINT, generation));
        let bytes = folder.read(&name(CHECKPOINT, generation))?;
        let (sequence, start) = check_preamble::<u64>(&path, &bytes, CHECKPOINT, identity)?;
        // Written aside and renamed when whole: nothing in it can be torn.
        match frames::next(&bytes, start, sequence) {
            Found::Frame { payload, end } if end == bytes.len() => {
                read.durable = decode(&path, start, payload)?;
            }
            _ => {
                return Err(JournalError::damaged(
                    &path,
                    start,
                    "the checkpoint is broken",
                ));
            }
        }
        read.sequence = sequence;
        read.checkpoint_length = bytes.len() as u64;
        Ok(read)
    }

    pub(super) fn journal(
        &mut self,
        folder: &Folder,
        identity: &Identity,
        generation: u64,
    ) -> Result<(), JournalError> {
        let path = folder.path(&name(JOURNAL, generation));
        let bytes = folder.read(&name(JOURNAL, generation))?;
        let (sequence, start) = check_preamble::<u64>(&path, &bytes, JOURNAL, identity)?;
        if sequence != self.sequence {
            let why = format!(
                "it begins at frame {sequence} in the place of {}",
                self.sequence
            );
            return Err(JournalError::damaged(&path, start, &why));
        }
        let mut at = start;
        let mut last = start..start;
        loop {
            match frames::next(&bytes, at, self.sequence) {
                Found::Frame { payload, end } => {
                    let persists: Vec<Vec<M::Record>> = decode(&path, at, payload)?;
                    for record in persists.iter().flatten() {
                        M::apply(&mut self.durable, record);
                    }
                    self.sequence += 1;
                    self.frames += 1;
                    last = at..end;
                    at = end;
                }
                Found::End => break,
                Found::Torn => {
                    self.torn_bytes = (bytes.len() - at) as u64;
                    break;
                }
                Found::Damaged(why) => return Err(JournalError::damaged(&path, at, &why)),
            }
        }
        (self.start, self.end) = (start as u64, at as u64);
        self.last_frame = bytes[last].to_vec();
        Ok(())
    }
}

/// The generations whose files a folder holds.
#[derive(Debug, Default)]
pub(super) struct Generations {
    pub(super) journals: Vec<u64>,
    pub(super) checkpoints: Vec<u64>,
    /// Files that were never finished.
    pub(super) temporary: Vec<String>,
}

impl Generations {
    pub(super) fn of(names: &[String]) -> Self {
        let mut found = Generations::default();
        for name in names {
            if name.ends_with(TEMPORARY) {
                found.temporary.push(name.clone());
            } else if let Some(generation) = generation_of(name, JOURNAL) {
                found.journals.push(generation);
            } else if let Some(generation) = generation_of(name, CHECKPOINT) {
                found.checkpoints.push(generation);
            }
        }
        found
    }

    /// The generation that holds: that of the newest checkpoint, or the first.
    pub(super) fn newest(&self) -> u64 {
        self.checkpoints.iter().copied().max().unwrap_or(0)
    }

    /// Journals of a generation that has no checkpoint yet. They are empty,
    /// unless a checkpoint was lost.
    pub(super) fn check_unfinished(
        &self,
        folder: &Folder,
        identity: &Identity,
    ) -> Result<(), JournalError> {
        for generation in self.journals.iter().filter(|g| **g > self.newest()) {
            let path = folder.path(&name(JOURNAL, *generation));
            let bytes = folder.read(&name(JOURNAL, *generation))?;
            let (_, end) = check_preamble::<u64>(&path, &bytes, JOURNAL, identity)?;
            if end != bytes.len() {
                let why = "the checkpoint that it continues is gone";
                return Err(JournalError::damaged(&path, end, why));
            }
        }
        Ok(())
    }

    /// The files that are not needed.
    pub(super) fn superfluous(&self) -> Vec<String> {
        let holds = self.newest();
        let journals = self.journals.iter().map(|g| (JOURNAL, *g));
        let checkpoints = self.checkpoints.iter().map(|g| (CHECKPOINT, *g));
        let others = journals.chain(checkpoints).filter(|(_, g)| *g != holds);
        let named = others.map(|(kind, g)| name(kind, g));
        named.chain(self.temporary.iter().cloned()).collect()
    }
}

/// A folder with other files is not a data folder, and not ours to fill.
pub(super) fn refuse_strangers(
    folder: &Folder,
    path: &Path,
    names: &[String],
) -> Result<(), JournalError> {
    let ours = |name: &&String| {
        let whole = name.strip_suffix(TEMPORARY).unwrap_or(name);
        let numbered = |kind| generation_of(whole, kind).is_some();
        whole == INCARNATION || numbered(JOURNAL) || numbered(CHECKPOINT)
    };
    match names.iter().find(|name| !ours(name)) {
        Some(stranger) => Err(JournalError::Foreign {
            path: path.to_owned(),
            found: format!(
                "`{}`, which is no file of a node",
                folder.path(stranger).display()
            ),
        }),
        None => Ok(()),
    }
}

pub(super) fn read_incarnation(
    folder: &Folder,
    identity: &Identity,
    names: &[String],
) -> Result<Option<u64>, JournalError> {
    if !names.iter().any(|name| name == INCARNATION) {
        return Ok(None);
    }
    let path = folder.path(INCARNATION);
    let bytes = folder.read(INCARNATION)?;
    let (incarnation, end) = check_preamble::<u64>(&path, &bytes, INCARNATION, identity)?;
    if end != bytes.len() {
        return Err(JournalError::damaged(
            &path,
            end,
            "more bytes follow than were written",
        ));
    }
    Ok(Some(incarnation))
}

fn decode<T: DeserializeOwned>(
    path: &Path,
    offset: usize,
    payload: &[u8],
) -> Result<T, JournalError> {
    postcard::from_bytes(payload).map_err(|error| {
        let why = format!("the checksum is right and the content unknown: {error}");
        JournalError::damaged(path, offset, &why)
    })
}
