//! The writer: a thread of its own that writes and syncs frames, one at a time.
//!
//! A write or sync that blocks must not keep the node from answering what
//! waits for no disk; and a thread that does nothing else needs no locks.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

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
}

impl<M: Machine> Writer<M> {
    /// Starts the thread, which owns the journal from here on. `delay` is
    /// added to each frame before it is written: a slower disk.
    pub(super) fn start(
        journal: Journal<M>,
        delay: Duration,
        recorder: Recorder,
    ) -> std::io::Result<Self> {
        let (frames, inbox) = mpsc::channel();
        let (outbox, done) = async_mpsc::unbounded_channel();
        let work = move || write_frames(journal, &inbox, &outbox, delay, &recorder);
        let thread = thread::Builder::new().name("writer".into()).spawn(work)?;
        Ok(Writer {
            frames,
            done,
            thread,
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

    /// Lets the frame in flight finish and ends the thread.
    pub(super) fn stop(self) {
        drop(self.frames);
        let _ = self.thread.join();
    }
}

fn write_frames<M: Machine>(
    mut journal: Journal<M>,
    inbox: &mpsc::Receiver<Frame<M>>,
    outbox: &async_mpsc::UnboundedSender<Result<(), NodeError>>,
    delay: Duration,
    recorder: &Recorder,
) {
    while let Ok(frame) = inbox.recv() {
        let written = write_frame(&mut journal, &frame, delay, recorder);
        let failed = written.is_err();
        if outbox.send(written).is_err() || failed {
            return;
        }
        if journal.checkpoint_is_due()
            && let Err(error) = journal.checkpoint()
        {
            let _ = outbox.send(Err(NodeError::Disk(error)));
            return;
        }
    }
}

fn write_frame<M: Machine>(
    journal: &mut Journal<M>,
    frame: &Frame<M>,
    delay: Duration,
    recorder: &Recorder,
) -> Result<(), NodeError> {
    recorder.handed(frame.len())?;
    if !delay.is_zero() {
        thread::sleep(delay);
    }
    journal.append(frame).map_err(NodeError::Disk)?;
    recorder.durable(frame.len());
    Ok(())
}
