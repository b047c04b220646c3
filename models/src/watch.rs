//! Ends a search that takes too long or too much.
//!
//! stateright's own time-out is not heard by one thread, and after it the
//! search calls itself done. So we watch from outside, and the model stops
//! having actions when a limit is met.

use std::time::{Duration, Instant};

/// What a search may take.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Until when.
    pub deadline: Option<Instant>,
    /// How many bytes the process may hold.
    pub memory: Option<u64>,
}

/// What ended a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The deadline passed.
    Time,
    /// The process held more than it may.
    Memory,
    /// Whoever watched the progress asked for it.
    Asked,
}

/// Watches time and memory.
#[derive(Debug)]
pub(crate) struct Watch {
    limits: Limits,
    pub(crate) memory_peak: Option<u64>,
    pause: Duration,
}

const PAUSE_MIN: Duration = Duration::from_micros(500);
const PAUSE_MAX: Duration = Duration::from_millis(20);

impl Watch {
    pub(crate) fn new(limits: Limits) -> Self {
        Watch {
            limits,
            memory_peak: resident(),
            pause: PAUSE_MIN,
        }
    }

    /// Waits a moment, longer each time, and looks. Nothing is waited for: a
    /// search that is over is noticed at the next look.
    pub(crate) fn look(&mut self) -> Option<Stop> {
        std::thread::sleep(self.pause);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        self.check()
    }

    /// Looks without waiting.
    pub(crate) fn check(&mut self) -> Option<Stop> {
        let memory = resident();
        self.memory_peak = self.memory_peak.max(memory);
        if self
            .limits
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
        {
            return Some(Stop::Time);
        }
        let over = |limit| memory.is_some_and(|memory| memory > limit);
        self.limits.memory.is_some_and(over).then_some(Stop::Memory)
    }
}

/// How many bytes of memory the process holds, where the system tells.
pub fn resident() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * PAGE)
}

/// Linux on every machine that we know of; a wrong guess makes the figure
/// wrong by a factor, nothing else.
const PAGE: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_noticed() {
        let passed = Limits {
            deadline: Some(Instant::now()),
            memory: None,
        };
        assert_eq!(Watch::new(passed).check(), Some(Stop::Time));
        let tight = Limits {
            deadline: None,
            memory: Some(1),
        };
        let mut watch = Watch::new(tight);
        assert_eq!(watch.check(), resident().map(|_| Stop::Memory));
        assert_eq!(Watch::new(Limits::default()).check(), None);
    }
}
