//! The limits within which a property is judged.

use std::cell::{Cell, RefCell};
use std::time::Instant;

use crate::linearizability::{Limits, describe_bytes, describe_time};

/// What is left of the limits, and which was met first.
pub(super) struct Budget<'a> {
    limits: &'a Limits,
    begun: Instant,
    /// How many moves all searches together have asked for.
    moves: Cell<u64>,
    reason: RefCell<Option<String>>,
}

/// Before the first of so many moves the limits are looked at.
const MOVES_IN_SLICE: u64 = 16;

impl<'a> Budget<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Budget {
            limits,
            begun: Instant::now(),
            moves: Cell::new(0),
            reason: RefCell::new(None),
        }
    }

    /// Whether so many bytes may be held, and there is time.
    pub(super) fn allows(&self, bytes: usize) -> bool {
        let reason = match (self.limits.time, self.limits.memory) {
            (Some(time), _) if self.begun.elapsed() >= time => {
                format!("the time limit of {} was met", describe_time(time))
            }
            (_, Some(memory)) if bytes > memory => {
                format!("the memory limit of {} was met", describe_bytes(memory))
            }
            _ => return true,
        };
        self.reason.borrow_mut().get_or_insert(reason);
        false
    }

    /// Whether a search that holds so many `bytes` may try one move more. What
    /// other searches tried before counts: many small ones do not end later than
    /// a large one.
    pub(super) fn allows_move(&self, bytes: impl FnOnce() -> usize) -> bool {
        let moves = self.moves.get();
        if moves.is_multiple_of(MOVES_IN_SLICE) && !self.allows(bytes()) {
            return false;
        }
        self.moves.set(moves + 1);
        true
    }

    /// How many moves were tried.
    #[cfg(test)]
    pub(super) fn moves(&self) -> u64 {
        self.moves.get()
    }

    /// Which limit was met, if one was.
    pub(super) fn reason(&self) -> Option<String> {
        self.reason.borrow().clone()
    }

    /// One of so many parts of the time that is left, and everything else.
    pub(super) fn part(&self, parts: u32) -> Limits {
        Limits {
            time: self
                .limits
                .time
                .map(|time| time.saturating_sub(self.begun.elapsed()) / parts),
            ..self.limits.clone()
        }
    }
}
