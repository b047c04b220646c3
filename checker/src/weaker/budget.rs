//! The limits within which a property is judged.

use std::cell::RefCell;
use std::time::Instant;

use crate::linearizability::{Limits, describe_bytes, describe_time};

/// What is left of the limits, and which was met first.
pub(super) struct Budget<'a> {
    limits: &'a Limits,
    begun: Instant,
    reason: RefCell<Option<String>>,
}

impl<'a> Budget<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Budget {
            limits,
            begun: Instant::now(),
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

    /// Which limit was met, if one was.
    pub(super) fn reason(&self) -> Option<String> {
        self.reason.borrow().clone()
    }

    /// One of so many parts of the time, and everything else.
    pub(super) fn part(&self, parts: u32) -> Limits {
        Limits {
            time: self.limits.time.map(|time| time / parts),
            ..self.limits.clone()
        }
    }
}
