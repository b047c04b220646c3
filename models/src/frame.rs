//! What every check has in common, whatever kind of model it explores: what it
//! may take, and what follows from how the search ended.

use std::time::{Duration, Instant};

use crate::check::{CheckError, CheckOptions};
use crate::report::{PropertyKind, PropertyReport, PropertyResult, Verdict};
use crate::search::{Explored, Found, Order, Plan};
use crate::watch::{Limits, Stop, resident};

/// What the search for a shortest path may take.
const SHORTENING_TIME_MAX: Duration = Duration::from_secs(30);
/// By how much the process may grow in it.
const SHORTENING_MEMORY_MAX: u64 = 2 << 30;

/// A check that has begun.
pub(crate) struct Frame<'a> {
    options: &'a CheckOptions,
    begin: Instant,
}

impl<'a> Frame<'a> {
    /// Begins, if what is asked can be bounded.
    pub(crate) fn begin(options: &'a CheckOptions) -> Result<Self, CheckError> {
        if options.memory.is_some() && resident().is_none() {
            return Err(CheckError::NoMemoryFigures);
        }
        Ok(Frame {
            options,
            begin: Instant::now(),
        })
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    /// How every state is visited.
    pub(crate) fn exploring(&self) -> Plan {
        Plan {
            order: self.options.order,
            threads: self.options.threads.max(1),
            actions_max: None,
            limits: self.limits(),
        }
    }

    /// How a violation is sought that is no further away than so many actions.
    pub(crate) fn shortening(&self, actions_max: usize) -> Plan {
        let mine = self.limits();
        let now = Instant::now();
        let deadline = now + SHORTENING_TIME_MAX;
        let memory = resident().map(|held| held + SHORTENING_MEMORY_MAX);
        Plan {
            order: Order::BreadthFirst,
            threads: 1,
            actions_max: Some(actions_max),
            limits: Limits {
                deadline: Some(mine.deadline.map_or(deadline, |mine| mine.min(deadline))),
                memory: mine.memory.or(memory).min(memory.or(mine.memory)),
            },
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            deadline: self
                .options
                .timeout
                .and_then(|timeout| self.begin.checked_add(timeout)),
            memory: self.options.memory,
        }
    }

    /// What a search establishes, by what it says of each property.
    pub(crate) fn verdict<M: Explored>(
        &self,
        found: &Found<M>,
        properties: &[PropertyReport],
    ) -> Verdict {
        let refuted = |property: &PropertyReport| {
            matches!(
                property.result,
                PropertyResult::Violated | PropertyResult::NotReached
            )
        };
        if properties.iter().any(refuted) {
            return Verdict::Invalid;
        }
        match found.stop {
            None if found.states_unique < 2 => {
                Verdict::Unknown("nothing can happen within these bounds".to_owned())
            }
            None => Verdict::Valid,
            Some(Stop::Time) => Verdict::Unknown(format!(
                "the time limit of {:?} was met with states left to visit",
                self.options.timeout.unwrap_or_default()
            )),
            Some(Stop::Asked) => {
                Verdict::Unknown("interrupted, with states left to visit".to_owned())
            }
            Some(Stop::Memory) => Verdict::Unknown(format!(
                "the memory limit of {} MiB was met with states left to visit",
                self.options.memory.unwrap_or_default() >> 20
            )),
        }
    }
}

/// What is known of something that must always hold, where no violation was
/// found.
pub(crate) fn always(name: &'static str, about: &'static str, exhausted: bool) -> PropertyReport {
    PropertyReport {
        name,
        about,
        kind: PropertyKind::Always,
        result: match exhausted {
            true => PropertyResult::Holds,
            false => PropertyResult::Unknown,
        },
        count: None,
        why: None,
        path: Vec::new(),
        is_shortest: false,
    }
}

/// What is known of something that must be reachable, and was so often.
pub(crate) fn reached(
    name: &'static str,
    about: &'static str,
    count: u64,
    exhausted: bool,
) -> PropertyReport {
    PropertyReport {
        name,
        about,
        kind: PropertyKind::Sometimes,
        result: match count {
            1.. => PropertyResult::Reached,
            0 if exhausted => PropertyResult::NotReached,
            0 => PropertyResult::Unknown,
        },
        count: Some(count),
        why: None,
        path: Vec::new(),
        is_shortest: false,
    }
}
