//! Records a trace while a node runs.
//!
//! Filled by the host and by the thread that writes to the disk; lines gather
//! and reach the kernel with [`Recorder::flush`], which both call before what
//! they announce happens. What was not flushed when a process dies announced
//! nothing.
//!
//! The machine's whole state is hashed where there was time for it: hashing
//! may take a twentieth of a node's life, so that a trace does not turn a
//! node with a long log into a slow one.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tribunal_protocol::{Clock, Input, Machine, Output};

use super::line::{Fingerprint, Line, Role, Start, Step, Taken, VERSION, hash_of};

/// One part in so many of the time may go into hashing states.
const HASHING_SHARE: u32 = 20;

/// Where a node's lines go; nowhere, for a node that is not traced. Clones
/// write to the same trace.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    trace: Option<Arc<Mutex<Trace>>>,
}

#[derive(Debug)]
struct Trace {
    file: File,
    path: PathBuf,
    gathered: Vec<u8>,
    began: Instant,
    hashing: Duration,
}

/// A trace could not be written; the node must not go on without.
#[derive(Debug, thiserror::Error)]
#[error("write {}", path.display())]
pub struct RecordError {
    path: PathBuf,
    source: io::Error,
}

impl Recorder {
    /// Opens a trace, or makes it; goes on behind what an earlier process has
    /// written, whose last line may be cut in two.
    pub fn open(path: &Path) -> Result<Recorder, RecordError> {
        let failed = |source| RecordError {
            path: path.to_owned(),
            source,
        };
        let mut options = OpenOptions::new();
        let file = options.create(true).read(true).append(true).open(path);
        let mut file = file.map_err(failed)?;
        let gathered = match ends_a_line(&mut file).map_err(failed)? {
            true => Vec::new(),
            false => vec![b'\n'],
        };
        let trace = Trace {
            file,
            path: path.to_owned(),
            gathered,
            began: Instant::now(),
            hashing: Duration::ZERO,
        };
        Ok(Recorder {
            trace: Some(Arc::new(Mutex::new(trace))),
        })
    }

    /// The node has recovered.
    pub fn start<M: Machine>(
        &self,
        role: impl FnOnce() -> Role,
        incarnation: u64,
        durable: &M::Durable,
        clock: Clock,
        (machine, outputs): (&M, &[Output<M>]),
    ) {
        self.add(|_| {
            Line::Start(Start {
                version: VERSION,
                machine: M::NAME.to_owned(),
                role: role(),
                incarnation,
                found: hash_of(durable),
                clock: clock.0,
                outputs: hash_of(outputs),
                state: hash_of(machine),
            })
        });
    }

    /// What an input is to be recorded as; nothing if nothing is recorded.
    pub fn taken<M: Machine>(&self, input: &Input<M>) -> Option<Taken> {
        self.trace.as_ref().map(|_| Taken::of(input))
    }

    /// The machine took that input and asked for these outputs.
    pub fn step<M: Machine>(
        &self,
        taken: Option<Taken>,
        clock: Clock,
        machine: &M,
        outputs: &[Output<M>],
    ) {
        let Some(input) = taken else { return };
        self.add(|trace| {
            Line::Step(Step {
                input,
                clock: clock.0,
                outputs: hash_of(outputs),
                state: trace.state(machine),
            })
        });
    }

    /// These outputs are about to leave, in this order.
    pub fn leaves(&self, outputs: impl Iterator<Item = Fingerprint>) {
        self.add(|_| Line::Leaves(outputs.collect()));
    }

    /// So many persists are about to be written, as one frame.
    pub fn handed(&self, persists: usize) -> Result<(), RecordError> {
        self.add(|_| Line::Handed(persists));
        self.flush()
    }

    /// The frame of so many persists was synced.
    pub fn durable(&self, persists: usize) {
        self.add(|_| Line::Durable(persists));
    }

    /// The node was told to end, and does.
    pub fn stop(&self) -> Result<(), RecordError> {
        self.add(|_| Line::Stop {});
        self.flush()
    }

    /// The node ends because it must. What has not left never will.
    pub fn crash(&self, why: &str) -> Result<(), RecordError> {
        self.add(|_| Line::Crash(why.to_owned()));
        self.flush()
    }

    /// Hands all lines to the kernel: they outlive the process.
    pub fn flush(&self) -> Result<(), RecordError> {
        let Some(trace) = &self.trace else {
            return Ok(());
        };
        let mut trace = lock(trace);
        let gathered = std::mem::take(&mut trace.gathered);
        let written = trace.file.write_all(&gathered);
        written.map_err(|source| RecordError {
            path: trace.path.clone(),
            source,
        })?;
        // Its room serves the next lines.
        trace.gathered = gathered;
        trace.gathered.clear();
        Ok(())
    }

    fn add(&self, line: impl FnOnce(&mut Trace) -> Line) {
        let Some(trace) = &self.trace else { return };
        let mut trace = lock(trace);
        let line = line(&mut trace);
        serde_json::to_writer(&mut trace.gathered, &line).expect("a line is plain data");
        trace.gathered.push(b'\n');
    }
}

impl Trace {
    /// The machine's fingerprint, if hashing has not taken its share yet.
    fn state<M: Machine>(&mut self, machine: &M) -> Option<Fingerprint> {
        let begun = Instant::now();
        if self.hashing * HASHING_SHARE > begun - self.began {
            return None;
        }
        let state = hash_of(machine);
        self.hashing += begun.elapsed();
        Some(state)
    }
}

fn lock(trace: &Mutex<Trace>) -> MutexGuard<'_, Trace> {
    trace.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a file is empty or ends with a newline.
fn ends_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == [b'\n'])
}
