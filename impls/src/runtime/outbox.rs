//! Bytes on their way out of the node: filled by the host without ever
//! waiting, emptied by the task that writes a connection.
//!
//! What gathers while a write is on its way leaves with the next one, in one
//! system call.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;

/// How much may wait for one peer or client.
const WAITING_MAX: usize = 16 << 20;

/// How much leaves with one write.
const WRITE_MAX: usize = 256 << 10;

/// What happens to a queue that is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// The oldest go: the protocol stands losses, and a later message says
    /// more than an earlier one.
    DropsOldest,
    /// The connection ends: whoever reads it relies on every byte.
    Breaks,
}

/// A queue of byte strings, each kept whole.
#[derive(Debug)]
pub(super) struct Outbox {
    full: Full,
    state: Mutex<State>,
    changed: Notify,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Vec<u8>>,
    bytes: usize,
    /// How many are on their way to the kernel.
    writing: usize,
    /// The session whose messages are taken.
    session: Option<u64>,
    broken: bool,
    /// Nothing more will come.
    finished: bool,
}

impl Outbox {
    pub(super) fn new(full: Full) -> Self {
        Outbox {
            full,
            state: Mutex::default(),
            changed: Notify::new(),
            emptied: Notify::new(),
        }
    }

    /// Begins a session: what is left of an earlier one is dropped.
    pub(super) fn open(&self, session: u64) {
        *self.state() = State {
            session: Some(session),
            ..State::default()
        };
    }

    /// Ends the session; what has not left is lost.
    pub(super) fn close(&self) {
        *self.state() = State::default();
    }

    /// Adds bytes; drops them if they belong to another session than the
    /// open one.
    pub(super) fn push(&self, session: Option<u64>, bytes: Vec<u8>) {
        let mut state = self.state();
        if state.session != session || state.broken {
            return;
        }
        state.bytes += bytes.len();
        state.queue.push_back(bytes);
        while state.bytes > WAITING_MAX && state.queue.len() > 1 {
            match self.full {
                Full::DropsOldest => state.drop_first(),
                Full::Breaks => {
                    *state = State {
                        broken: true,
                        session: state.session,
                        ..State::default()
                    };
                }
            }
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Lets the writer end once everything is written.
    pub(super) fn finish(&self) {
        self.state().finished = true;
        self.changed.notify_one();
    }

    /// Writes what comes, until the connection fails.
    pub(super) async fn write_to(&self, writer: &mut (impl AsyncWrite + Unpin)) -> io::Error {
        let mut chunk = Vec::new();
        loop {
            chunk.clear();
            if let Err(error) = self.take(&mut chunk).await {
                return error;
            }
            if let Err(error) = writer.write_all(&chunk).await {
                return error;
            }
            self.state().writing = 0;
            self.emptied.notify_waiters();
        }
    }

    /// Waits until the kernel has everything.
    pub(super) async fn drained(&self) {
        loop {
            let emptied = self.emptied.notified();
            {
                let state = self.state();
                if state.bytes + state.writing == 0 {
                    return;
                }
            }
            emptied.await;
        }
    }

    /// Waits for bytes and takes as many as one write carries.
    async fn take(&self, chunk: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let finished = {
                let mut state = self.state();
                if state.broken {
                    return Err(io::Error::other("more is waiting than the other end takes"));
                }
                while chunk.len() < WRITE_MAX
                    && let Some(bytes) = state.queue.pop_front()
                {
                    state.bytes -= bytes.len();
                    chunk.extend(bytes);
                }
                state.writing = chunk.len();
                state.finished
            };
            if !chunk.is_empty() {
                return Ok(());
            }
            if finished {
                return Err(io::Error::other("everything is said"));
            }
            self.changed.notified().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn drop_first(&mut self) {
        if let Some(first) = self.queue.pop_front() {
            self.bytes -= first.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(outbox: &Outbox) -> io::Result<Vec<u8>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let mut chunk = Vec::new();
        runtime.block_on(outbox.take(&mut chunk)).map(|()| chunk)
    }

    #[test]
    fn what_gathers_leaves_together_and_in_order() {
        let outbox = Outbox::new(Full::DropsOldest);
        for part in ["one ", "two ", "three"] {
            outbox.push(None, part.into());
        }
        assert_eq!(taken(&outbox).unwrap(), b"one two three");
    }

    #[test]
    fn a_full_queue_drops_the_oldest_whole() {
        let outbox = Outbox::new(Full::DropsOldest);
        outbox.push(None, vec![1; WAITING_MAX / 2]);
        outbox.push(None, vec![2; WAITING_MAX / 2]);
        outbox.push(None, vec![3; 10]);
        assert_eq!(taken(&outbox).unwrap(), vec![2; WAITING_MAX / 2]);
        assert_eq!(taken(&outbox).unwrap(), vec![3; 10]);
    }

    #[test]
    fn a_full_queue_that_may_lose_nothing_breaks() {
        let outbox = Outbox::new(Full::Breaks);
        outbox.open(1);
        outbox.push(Some(1), vec![1; WAITING_MAX]);
        outbox.push(Some(1), vec![2]);
        assert!(taken(&outbox).is_err());
        outbox.open(2);
        outbox.push(Some(2), vec![3]);
        assert_eq!(taken(&outbox).unwrap(), [3]);
    }

    #[test]
    fn nothing_of_one_session_reaches_another() {
        let outbox = Outbox::new(Full::Breaks);
        outbox.open(1);
        outbox.push(Some(1), vec![1]);
        outbox.close();
        outbox.push(Some(1), vec![2]);
        outbox.open(2);
        outbox.push(Some(1), vec![3]);
        outbox.push(Some(2), vec![4]);
        assert_eq!(taken(&outbox).unwrap(), [4]);
    }

    #[tokio::test]
    async fn it_is_drained_once_the_kernel_has_everything() {
        let outbox = Outbox::new(Full::DropsOldest);
        outbox.push(None, vec![7; 2 * WRITE_MAX]);
        outbox.push(None, vec![8; 10]);
        let (mut near, mut far) = tokio::io::duplex(64);
        let mut read = Vec::new();
        let reading = async { tokio::io::AsyncReadExt::read_to_end(&mut far, &mut read).await };
        tokio::select! {
            _ = outbox.write_to(&mut near) => unreachable!("nothing ends it"),
            _ = reading => unreachable!("nor this"),
            () = outbox.drained() => {}
        }
        drop(near);
        tokio::io::AsyncReadExt::read_to_end(&mut far, &mut read)
            .await
            .unwrap();
        assert_eq!(read.len(), 2 * WRITE_MAX + 10);
    }
}
