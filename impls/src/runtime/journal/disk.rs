//! The disk under a journal, as a trait: the file system of the machine, or a
//! simulated one that forgets what was not synced.
//!
//! The trait promises no more than POSIX does: what was written or named, but
//! not synced, may be on the disk after a crash or not, in any combination.

use std::any::Any;
use std::fmt::Debug;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A file system, as far as a journal uses one.
///
/// After an error nothing is known about what was done, and the caller ends.
pub trait Disk: Debug + Send + Sync {
    /// Whether there is a folder of that name.
    fn is_folder(&self, path: &Path) -> bool;

    /// Makes a folder in one that exists.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// Keeps other processes away for as long as the result lives; nothing if
    /// one of them holds the folder.
    fn lock(&self, folder: &Path) -> io::Result<Option<Lock>>;

    /// The names of all files of a folder, in any order.
    fn names(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// Makes the names in a folder durable, and what is gone from it.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// The content of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Makes a file, or empties the one that is there.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file that exists; what is written goes to its end.
    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name, in place of the file that had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// A file that is open for writing.
pub trait DiskFile: Debug + Send {
    /// Writes all bytes at the end.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Writes bytes over others, at a place inside the file.
    fn rewrite(&mut self, at: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file to a length.
    fn cut(&mut self, length: u64) -> io::Result<()>;

    /// Makes content and length durable; the file's name is its folder's.
    fn sync(&mut self) -> io::Result<()>;
}

/// Holds a folder until it is dropped.
pub type Lock = Box<dyn Any + Send>;

/// The file system of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileSystem;

impl Disk for FileSystem {
    fn is_folder(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    /// The lock is on the folder itself, so that a folder that turns out to be
    /// somebody else's is left without a trace.
    fn lock(&self, folder: &Path) -> io::Result<Option<Lock>> {
        let handle = File::open(folder)?;
        match handle.try_lock() {
            Ok(()) => Ok(Some(Box::new(handle))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(File::create(path)?))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Box::new(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}

impl DiskFile for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn rewrite(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, at)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)?;
        self.seek(SeekFrom::End(0)).map(drop)
    }

    /// fdatasync(2), which writes the length, too, when it has changed.
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
