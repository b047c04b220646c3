//! A simulated POSIX disk: what is visible, what is durable, and what hangs
//! between the two.
//!
//! | what was done since the last sync | after a crash |
//! |---|---|
//! | sectors written | each is old or new, in any combination; one that was never written reads as zeros |
//! | the length changed | any length it had, or one on the way |
//! | names made, moved, removed | each is so or not, in any combination; a move is never half done |
//!
//! Sectors are written whole or not at all; a longer block may so be torn.
//! A sync of a file that fails leaves its pages clean and their fate open: no
//! later sync writes them (Rebello et al., "Can Applications Recover from fsync
//! Failures?", ATC 2020). A sync of a folder that fails leaves the file system
//! read-only, as a journalling one does.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Component, Path};
use std::sync::{Arc, Mutex, MutexGuard};

use super::super::disk::{Disk, DiskFile, Lock};
use super::content::{Change, File, Folder, Inode};

const ROOT: Inode = 0;

/// Everything that the kernel and the disk know.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct State {
    pub(super) files: BTreeMap<Inode, File>,
    pub(super) folders: BTreeMap<Inode, Folder>,
    read_only: bool,
}

/// How an operation is made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The device reports an error.
    Eio,
    /// The device is full: half of a write fits.
    Enospc,
}

/// A state worth a crash, and what had been said by then.
#[derive(Clone, Debug)]
pub(super) struct Moment<T> {
    pub(super) state: State,
    pub(super) said: T,
}

/// The disk, and every state that it went through.
#[derive(Debug)]
pub(super) struct Simulated<T> {
    inner: Mutex<Inner<T>>,
}

#[derive(Debug)]
struct Inner<T> {
    state: State,
    said: T,
    moments: Vec<Moment<T>>,
    operations: usize,
    failing: Option<(usize, Failure)>,
}

impl State {
    /// An empty disk.
    pub(super) fn empty() -> State {
        State::settled(BTreeMap::new(), BTreeMap::from([(ROOT, Folder::default())]))
    }

    /// A disk of which everything is durable.
    pub(super) fn settled(files: BTreeMap<Inode, File>, folders: BTreeMap<Inode, Folder>) -> State {
        State {
            files,
            folders,
            read_only: false,
        }
    }

    /// Whether nothing can be written any more.
    pub(super) fn is_read_only(&self) -> bool {
        self.read_only
    }

    fn find(&self, path: &Path) -> io::Result<Inode> {
        let mut inode = ROOT;
        for part in path.components() {
            if let Component::Normal(name) = part {
                let folder = self.folders.get(&inode);
                let name = &*name.to_string_lossy();
                let found = folder.and_then(|folder| folder.visible.get(name));
                inode = *found.ok_or_else(|| io::Error::from(ErrorKind::NotFound))?;
            }
        }
        Ok(inode)
    }

    fn file(&mut self, path: &Path) -> io::Result<&mut File> {
        let inode = self.find(path)?;
        let file = self.files.get_mut(&inode);
        file.ok_or_else(|| ErrorKind::IsADirectory.into())
    }

    fn folder(&mut self, path: &Path) -> io::Result<&mut Folder> {
        let inode = self.find(path)?;
        let folder = self.folders.get_mut(&inode);
        folder.ok_or_else(|| ErrorKind::NotADirectory.into())
    }

    /// The folder that holds a path, and the path's name in it.
    fn place(&mut self, path: &Path) -> io::Result<(&mut Folder, String)> {
        let name = path.file_name().ok_or(ErrorKind::InvalidInput)?;
        let parent = path.parent().ok_or(ErrorKind::InvalidInput)?;
        Ok((self.folder(parent)?, name.to_string_lossy().into_owned()))
    }

    fn fresh(&self) -> Inode {
        let files = self.files.keys().copied();
        files
            .chain(self.folders.keys().copied())
            .max()
            .unwrap_or(ROOT)
            + 1
    }
}

impl<T: Clone> Simulated<T> {
    /// A disk in a state; `said` is what had been said before.
    pub(super) fn new(state: State, said: T) -> Arc<Self> {
        let inner = Inner {
            moments: vec![Moment {
                state: state.clone(),
                said: said.clone(),
            }],
            state,
            said,
            operations: 0,
            failing: None,
        };
        Arc::new(Simulated {
            inner: Mutex::new(inner),
        })
    }

    /// Makes the operation of that number, from 0, fail.
    pub(super) fn fail(&self, operation: usize, how: Failure) {
        self.lock().failing = Some((operation, how));
    }

    /// Whether an operation was made to fail.
    pub(super) fn has_failed(&self) -> bool {
        let inner = self.lock();
        inner
            .failing
            .is_some_and(|(failing, _)| failing < inner.operations)
    }

    /// How many operations were asked for.
    pub(super) fn operations(&self) -> usize {
        self.lock().operations
    }

    /// From now on this has been said, whatever happens.
    pub(super) fn say(&self, said: T) {
        let mut inner = self.lock();
        inner.said = said;
        inner.remember();
    }

    /// Every state so far, in order.
    pub(super) fn moments(&self) -> Vec<Moment<T>> {
        self.lock().moments.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner
            .lock()
            .expect("the disk's own code panics in no test")
    }
}

impl<T: Clone> Inner<T> {
    fn remember(&mut self) {
        self.moments.push(Moment {
            state: self.state.clone(),
            said: self.said.clone(),
        });
    }

    /// Does something that may be made to fail; `fails` says what is left of
    /// it then.
    fn operate<R>(
        &mut self,
        operation: impl FnOnce(&mut State) -> io::Result<R>,
        fails: impl FnOnce(&mut State, Failure),
    ) -> io::Result<R> {
        let number = self.operations;
        self.operations += 1;
        if self.state.read_only {
            return Err(ErrorKind::ReadOnlyFilesystem.into());
        }
        let result = match self.failing {
            Some((failing, how)) if failing == number => {
                fails(&mut self.state, how);
                Err(io::Error::from_raw_os_error(match how {
                    Failure::Eio => nix::errno::Errno::EIO as i32,
                    Failure::Enospc => nix::errno::Errno::ENOSPC as i32,
                }))
            }
            _ => operation(&mut self.state),
        };
        self.remember();
        result
    }
}

fn nothing(_: &mut State, _: Failure) {}

impl<T: Clone + std::fmt::Debug + Send + 'static> Disk for Handle<T> {
    fn is_folder(&self, path: &Path) -> bool {
        self.0.lock().state.folder(path).is_ok()
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        let make = |state: &mut State| {
            let inode = state.fresh();
            let (parent, name) = state.place(path)?;
            if parent.visible.contains_key(&name) {
                return Err(ErrorKind::AlreadyExists.into());
            }
            parent.change(Change::Made(name, inode));
            state.folders.insert(inode, Folder::default());
            Ok(())
        };
        self.0.lock().operate(make, nothing)
    }

    fn lock(&self, _: &Path) -> io::Result<Option<Lock>> {
        Ok(Some(Box::new(())))
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut inner = self.0.lock();
        Ok(inner
            .state
            .folder(folder)?
            .visible
            .keys()
            .cloned()
            .collect())
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let sync = |state: &mut State| {
            let folder = state.folder(path)?;
            folder.durable = folder.visible.clone();
            folder.pending.clear();
            Ok(())
        };
        let fails = |state: &mut State, _| state.read_only = true;
        self.0.lock().operate(sync, fails)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut inner = self.0.lock();
        Ok(inner.state.file(path)?.visible.clone())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let make = |state: &mut State| {
            if let Ok(file) = state.file(path) {
                file.cut(0);
                return state.find(path);
            }
            let inode = state.fresh();
            let (parent, name) = state.place(path)?;
            parent.change(Change::Made(name, inode));
            state.files.insert(inode, File::default());
            Ok(inode)
        };
        let inode = self.0.lock().operate(make, nothing)?;
        Ok(self.open(inode))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut inner = self.0.lock();
        inner.state.file(path)?;
        let inode = inner.state.find(path)?;
        drop(inner);
        Ok(self.open(inode))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let rename = |state: &mut State| {
            let inode = state.find(from)?;
            let (_, from) = state.place(from)?;
            let (folder, to) = state.place(to)?;
            folder.change(Change::Moved(from, to, inode));
            Ok(())
        };
        self.0.lock().operate(rename, nothing)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let remove = |state: &mut State| {
            state.find(path)?;
            let (folder, name) = state.place(path)?;
            folder.change(Change::Removed(name));
            Ok(())
        };
        self.0.lock().operate(remove, nothing)
    }
}

/// A process's view of the disk.
#[derive(Debug)]
pub(super) struct Handle<T>(pub(super) Arc<Simulated<T>>);

impl<T: Clone + std::fmt::Debug + Send + 'static> Handle<T> {
    fn open(&self, inode: Inode) -> Box<dyn DiskFile> {
        Box::new(Open {
            disk: Arc::clone(&self.0),
            inode,
        })
    }
}

/// An open file.
#[derive(Debug)]
struct Open<T> {
    disk: Arc<Simulated<T>>,
    inode: Inode,
}

impl<T: Clone> Open<T> {
    fn operate(
        &self,
        operation: impl FnOnce(&mut File),
        fails: impl FnOnce(&mut File, Failure),
    ) -> io::Result<()> {
        let operation = |state: &mut State| {
            operation(self.file(state));
            Ok(())
        };
        let fails = |state: &mut State, how| fails(self.file(state), how);
        self.disk.lock().operate(operation, fails)
    }

    fn file<'a>(&self, state: &'a mut State) -> &'a mut File {
        let file = state.files.get_mut(&self.inode);
        file.expect("an open file keeps its content")
    }
}

impl<T: Clone + std::fmt::Debug + Send + 'static> DiskFile for Open<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let half = |file: &mut File, how| {
            if how == Failure::Enospc {
                file.write(file.visible.len(), &bytes[..bytes.len() / 2]);
            }
        };
        self.operate(|file| file.write(file.visible.len(), bytes), half)
    }

    fn rewrite(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.operate(|file| file.write(at as usize, bytes), |_, _| {})
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.operate(|file| file.cut(length as usize), |_, _| {})
    }

    fn sync(&mut self) -> io::Result<()> {
        self.operate(File::sync, |file, _| file.fail_to_sync())
    }
}
