//! Whether a link carries, and what it has kept from passing.
//!
//! Cuts are counted, so that two faults may cut the same link and each heal
//! its own. Writers pass the gate with its lock held for reading
//! ([`Gate::pass`]), and cutting takes it for writing: when a cut returns, no
//! write is under way.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::{Counters, Probe, Settled};
use crate::fault::Cut;

/// How long a node that lives may take to read what it is given.
const NODE_READS: Duration = Duration::from_millis(100);

/// The state of one link.
#[derive(Debug, Default)]
pub(super) struct Gate {
    mode: watch::Sender<Mode>,
    /// Bytes in buffers that wait for a heal.
    held_now: watch::Sender<u64>,
    /// Bytes in buffers that waited for a heal and now wait for the receiver.
    blocked_now: watch::Sender<u64>,
    bytes_forwarded: AtomicU64,
    bytes_held: AtomicU64,
    streams_held: AtomicU64,
    connections_reset: AtomicU64,
    /// Probes under way, by the local port of their connection.
    pub probes: Mutex<HashMap<u16, oneshot::Sender<Probe>>>,
}

/// The cuts in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mode {
    holds: u32,
    resets: u32,
    /// How many reset cuts there ever were: a connection older than one of
    /// them must go, even if it was healed before the connection noticed.
    pub resets_ever: u64,
}

impl Mode {
    /// How the link is cut; reset outranks hold.
    pub fn cut(self) -> Option<Cut> {
        match (self.resets, self.holds) {
            (0, 0) => None,
            (0, _) => Some(Cut::Hold),
            _ => Some(Cut::Reset),
        }
    }

    fn count(&mut self, how: Cut) -> &mut u32 {
        match how {
            Cut::Hold => &mut self.holds,
            Cut::Reset => &mut self.resets,
        }
    }
}

impl Gate {
    pub fn cut(&self, how: Cut) {
        self.mode.send_modify(|mode| {
            *mode.count(how) += 1;
            mode.resets_ever += u64::from(how == Cut::Reset);
        });
    }

    /// Undoes one cut; false if there is none of that kind.
    pub fn heal(&self, how: Cut) -> bool {
        self.mode.send_if_modified(|mode| {
            let count = mode.count(how);
            let cut = *count > 0;
            *count -= u32::from(cut);
            cut
        })
    }

    pub fn heal_all(&self) {
        self.mode
            .send_modify(|mode| (mode.holds, mode.resets) = (0, 0));
    }

    pub fn mode(&self) -> Mode {
        *self.mode.borrow()
    }

    /// Does `write` if the link is open; none if it is cut. No cut can return
    /// while it is being done, so it must not block.
    pub fn pass<T>(&self, write: impl FnOnce() -> T) -> Option<T> {
        let mode = self.mode.borrow();
        mode.cut().is_none().then(write)
    }

    /// Waits until the link is open.
    pub async fn opened(&self) {
        let _ = self
            .mode
            .subscribe()
            .wait_for(|mode| mode.cut().is_none())
            .await;
    }

    /// Waits until the link is cut.
    pub async fn closed(&self) {
        let _ = self
            .mode
            .subscribe()
            .wait_for(|mode| mode.cut().is_some())
            .await;
    }

    /// Waits for a reset cut that a connection made at `since` must not survive.
    pub async fn reset_after(&self, since: Mode) {
        let later = |mode: &Mode| mode.resets_ever != since.resets_ever;
        let _ = self.mode.subscribe().wait_for(later).await;
    }

    pub fn counters(&self) -> Counters {
        Counters {
            bytes_forwarded: self.bytes_forwarded.load(Relaxed),
            bytes_held: self.bytes_held.load(Relaxed),
            streams_held: self.streams_held.load(Relaxed),
            connections_reset: self.connections_reset.load(Relaxed),
            bytes_held_now: *self.held_now.borrow(),
            bytes_blocked_now: *self.blocked_now.borrow(),
        }
    }

    pub fn count_reset_connection(&self) {
        self.connections_reset.fetch_add(1, Relaxed);
    }

    /// Takes the probe, if the connection from this local port is one.
    pub fn take_probe(&self, port: u16) -> Option<oneshot::Sender<Probe>> {
        self.probes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&port)
    }

    /// Waits until no byte waits for a heal any more, at most `limit`.
    pub async fn settled(&self, limit: Duration) -> Settled {
        let (mut held, mut blocked) = (self.held_now.subscribe(), self.blocked_now.subscribe());
        let mut mode = self.mode.subscribe();
        let empty = async {
            tokio::select! {
                _ = held.wait_for(|bytes| *bytes == 0) => {}
                _ = mode.wait_for(|mode| mode.cut().is_some()) => {}
            }
        };
        let late = timeout(limit, empty).await.is_err();
        if let Some(cut) = self.mode().cut() {
            return Settled::StillCut(cut);
        }
        if late {
            return Settled::Late {
                bytes: *self.held_now.borrow(),
            };
        }
        let taken = timeout(limit.min(NODE_READS), blocked.wait_for(|bytes| *bytes == 0)).await;
        match taken {
            Ok(_) => Settled::Delivered,
            Err(_) => Settled::WaitsForNode {
                bytes: *self.blocked_now.borrow(),
            },
        }
    }
}

/// How many bytes of one buffer were held, and whom they wait for. Forgets
/// them when the buffer goes.
#[derive(Debug)]
pub(super) struct Ledger {
    gate: Arc<Gate>,
    held: u64,
    blocked: u64,
    /// Whether the stream waits for a heal, with or without bytes.
    waits: bool,
}

impl Ledger {
    pub fn new(gate: &Arc<Gate>) -> Self {
        Ledger {
            gate: Arc::clone(gate),
            held: 0,
            blocked: 0,
            waits: false,
        }
    }

    /// The stream, with all `bytes` in its buffer, waits for a heal.
    pub fn hold(&mut self, bytes: usize) {
        if !std::mem::replace(&mut self.waits, true) {
            self.gate.streams_held.fetch_add(1, Relaxed);
        }
        let fresh = (bytes as u64).saturating_sub(self.held);
        self.gate.bytes_held.fetch_add(fresh, Relaxed);
        self.set(bytes as u64, 0);
    }

    /// The link is open; what was held now waits for the receiver.
    pub fn block(&mut self) {
        self.waits = false;
        self.set(0, self.held + self.blocked);
    }

    /// `bytes` were passed on.
    pub fn forward(&mut self, bytes: usize) {
        self.waits = false;
        self.gate.bytes_forwarded.fetch_add(bytes as u64, Relaxed);
        let left = (self.held + self.blocked).saturating_sub(bytes as u64);
        match self.held {
            0 => self.set(0, left),
            _ => self.set(left, 0),
        }
    }

    fn set(&mut self, held: u64, blocked: u64) {
        // What goes from one to the other must never be missing from both.
        let grow_first = self.blocked < blocked;
        if grow_first {
            adjust(&self.gate.blocked_now, self.blocked, blocked);
        }
        adjust(&self.gate.held_now, self.held, held);
        if !grow_first {
            adjust(&self.gate.blocked_now, self.blocked, blocked);
        }
        (self.held, self.blocked) = (held, blocked);
    }
}

fn adjust(gauge: &watch::Sender<u64>, before: u64, after: u64) {
    if before != after {
        gauge.send_modify(|now| *now = *now - before + after);
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.set(0, 0);
    }
}
