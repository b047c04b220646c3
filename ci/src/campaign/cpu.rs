//! Processor time, of this process and of the nodes that it waited for.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};

use super::report::Cpu;

/// Processor time used so far: by the harness, and by children that ended.
pub fn used() -> (Duration, Duration) {
    (of(UsageWho::RUSAGE_SELF), of(UsageWho::RUSAGE_CHILDREN))
}

/// What was used since.
pub fn since(before: (Duration, Duration)) -> Cpu {
    let now = used();
    let harness = now.0.saturating_sub(before.0).as_secs_f64();
    let nodes = now.1.saturating_sub(before.1).as_secs_f64();
    let both = harness + nodes;
    Cpu {
        harness,
        nodes,
        harness_share: if both > 0.0 { harness / both } else { 0.0 },
    }
}

fn of(who: UsageWho) -> Duration {
    let Ok(usage) = getrusage(who) else {
        return Duration::ZERO;
    };
    let time = |value: nix::sys::time::TimeVal| {
        let us = value.tv_sec() * 1_000_000 + value.tv_usec();
        Duration::from_micros(u64::try_from(us).unwrap_or(0))
    };
    time(usage.user_time()) + time(usage.system_time())
}
