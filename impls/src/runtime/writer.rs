//! The writer: a thread of its own that writes and syncs frames, one at a time.
//!
//! A write or sync that blocks must not keep the node from answering what
//! waits for no disk; and a thread that does nothing else needs no locks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::mpsc as async_mpsc;
use tribunal_protocol::Machine;

use super::NodeError;
use super::journal::Journal;
use crate::trace::Recorder;

/// The persists of one group commit.
type Frame<M> = Vec<Vec<<M as Machine>::Record>>;

/// The host's end of the writer's thread.
#[derive(Debug)]
pub(super) struct Writer<M: Machine> {
    frames: mpsc::Sender<Frame<M>>,
    done: async_mpsc::UnboundedReceiver<Result<(), NodeError>>,
    thread: JoinHandle<()>,
    halted: Arc<AtomicBool>,
}

/// How much slower than the real one a disk is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlowDisk {
    /// Added to each frame before it is written.
    pub delay: Duration,
    /// Added as well: drawn anew each time, evenly from nothing to this.
    pub jitter: Duration,
}

impl SlowDisk {
    fn draw(&self, random: &mut ChaCha8Rng) -> Duration {
        self.delay + self.jitter.mul_f64(random.random_range(0.0..1.0))
    }
}

impl<M: Machine> Writer<M> {
    /// Starts the thread, which owns the journal from here on. How slow each
    /// write is, is drawn from `seed`.
    pub(super) fn start(
        journal: Journal<M>,
        slow: SlowDisk,
        seed: u64,
        recorder: Recorder,
    ) -> std::io::Result<Self> {
        let (frames, inbox) = mpsc::channel();
        let (outbox, done) = async_mpsc::unbounded_channel();
        let halted = Arc::new(AtomicBool::new(false));
        let work = Work {
            journal,
            slow,
            random: ChaCha8Rng::seed_from_u64(seed),
            recorder,
            halted: Arc::clone(&halted),
        };
        let work = move || work.write_frames(&inbox, &outbox);
        let thread = thread::Builder::new().name("writer".into()).spawn(work)?;
        Ok(Writer {
            frames,
            done,
            thread,
            halted,
        })
    }

    /// Hands over the next frame.
    pub(super) fn write(&self, frame: Frame<M>) {
        // A thread that ended has left its error behind for `done`.
        let _ = self.frames.send(frame);
    }

    /// Waits until the frame in flight is durable, or a write has failed.
    pub(super) async fn done(&mut self) -> Result<(), NodeError> {
        match self.done.recv().await {
            Some(result) => result,
            // Only after an error, which was returned by an earlier call, or
            // after a panic, which the process's hook has reported.
            None => std::future::pending().await,
        }
    }

    /// Nothing is written any more that has not begun to be.
    pub(super) fn halt(&self) {
        self.halted.store(true, Ordering::SeqCst);
    }

    /// Lets the frame in flight finish and ends the thread.
    pub(super) fn stop(self) {
        drop(self.frames);
        let _ = self.thread.join();
    }
}

/// What the thread works with.
struct Work<M: Machine> {
    journal: Journal<M>,
    slow: SlowDisk,
    random: ChaCha8Rng,
    recorder: Recorder,
    halted: Arc<AtomicBool>,
}

impl<M: Machine> Work<M> {
    fn write_frames(
        mut self,
        inbox: &mpsc::Receiver<Frame<M>>,
        outbox: &async_mpsc::UnboundedSender<Result<(), NodeError>>,
    ) {
        while let Ok(frame) = inbox.recv() {
            let written = self.write(&frame);
            let failed = written.is_err();
            if self.is_halted() || outbox.send(written).is_err() || failed {
                return;
            }
            if self.journal.checkpoint_is_due()
                && let Err(error) = self.journal.checkpoint()
            {
                let _ = outbox.send(Err(NodeError::Disk(error)));
                return;
            }
        }
    }

    fn write(&mut self, frame: &Frame<M>) -> Result<(), NodeError> {
        self.recorder.handed(frame.len())?;
        let delay = self.slow.draw(&mut self.random);
        if !delay.is_zero() {
            thread::sleep(delay);
        }
        if !self.is_halted() {
            self.journal.append(frame).map_err(NodeError::Disk)?;
            self.recorder.durable(frame.len());
        }
        Ok(())
    }

    fn is_halted(&self) -> bool {
        self.halted.load(Ordering::SeqCst)
    }
}
