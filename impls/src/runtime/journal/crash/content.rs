//! Files and folders between the kernel and the disk.

use std::collections::{BTreeMap, BTreeSet};

/// What a disk writes whole or not at all.
pub(super) const SECTOR: usize = 512;

/// Names an inode.
pub(super) type Inode = u64;

/// A file's content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct File {
    pub(super) visible: Vec<u8>,
    pub(super) durable: Vec<u8>,
    /// What each sector may hold instead, oldest first.
    pub(super) written: BTreeMap<usize, Vec<Vec<u8>>>,
    /// Sectors whose pages are clean and not on the disk.
    lost: BTreeSet<usize>,
    /// Lengths that it may have instead.
    pub(super) lengths: BTreeSet<usize>,
}

/// The names in a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Folder {
    pub(super) visible: BTreeMap<String, Inode>,
    pub(super) durable: BTreeMap<String, Inode>,
    pub(super) pending: Vec<Change>,
}

/// A change of a folder's names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Change {
    Made(String, Inode),
    Moved(String, String, Inode),
    Removed(String),
}

impl Change {
    pub(super) fn apply(&self, names: &mut BTreeMap<String, Inode>) {
        match self {
            Change::Made(name, inode) => {
                names.insert(name.clone(), *inode);
            }
            Change::Moved(from, to, inode) => {
                names.remove(from);
                names.insert(to.clone(), *inode);
            }
            Change::Removed(name) => {
                names.remove(name);
            }
        }
    }
}

impl Folder {
    pub(super) fn change(&mut self, change: Change) {
        change.apply(&mut self.visible);
        self.pending.push(change);
    }

    /// A folder whose names are all durable.
    pub(super) fn settled(names: BTreeMap<String, Inode>) -> Folder {
        Folder {
            visible: names.clone(),
            durable: names,
            pending: Vec::new(),
        }
    }
}

impl File {
    /// A file whose content is all durable.
    pub(super) fn settled(bytes: Vec<u8>) -> File {
        File {
            visible: bytes.clone(),
            durable: bytes,
            ..File::default()
        }
    }

    /// One sector, as it would stand on a disk.
    pub(super) fn sector(bytes: &[u8], number: usize) -> Vec<u8> {
        let start = (number * SECTOR).min(bytes.len());
        let mut sector = bytes[start..bytes.len().min(start + SECTOR)].to_vec();
        sector.resize(SECTOR, 0);
        sector
    }

    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        if self.visible.len() < end {
            // On the way the file may have ended at any sector, or inside one.
            let from = self.visible.len();
            self.lengths.insert((from + end) / 2);
            self.lengths
                .extend((from..end).filter(|length| length % SECTOR == 0));
            self.lengths.insert(end);
            self.visible.resize(end, 0);
        }
        self.visible[at..end].copy_from_slice(bytes);
        for number in at / SECTOR..end.div_ceil(SECTOR) {
            let now = File::sector(&self.visible, number);
            self.lost.remove(&number);
            self.written.entry(number).or_default().push(now);
        }
    }

    pub(super) fn cut(&mut self, length: usize) {
        self.visible.truncate(length);
        self.lengths.insert(length);
        let last = length / SECTOR;
        let now = File::sector(&self.visible, last);
        self.written.entry(last).or_default().push(now);
    }

    pub(super) fn sync(&mut self) {
        let kept: BTreeMap<usize, Vec<Vec<u8>>> = self
            .lost
            .iter()
            .filter_map(|number| Some((*number, self.written.get(number)?.clone())))
            .collect();
        let before = std::mem::replace(&mut self.durable, self.visible.clone());
        for number in kept.keys() {
            let from = (number * SECTOR).min(self.durable.len());
            let to = self.durable.len().min(from + SECTOR);
            let old = File::sector(&before, *number);
            self.durable[from..to].copy_from_slice(&old[..to - from]);
        }
        self.written = kept;
        self.lengths.clear();
    }

    pub(super) fn fail_to_sync(&mut self) {
        self.lost.extend(self.written.keys());
    }
}
