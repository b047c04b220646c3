//! Leader leases: reads without a slot, by trust in clocks (Gray & Cheriton,
//! "Leases", 1989; PMMC §4.2; Chandra, Griesemer & Redstone, "Paxos Made
//! Live", 2007, §5.2).
//!
//! A follower that hears its leader promises no other ballot before its clock
//! shows a time that the leader named. While every quorum of phase 1 has a
//! node that is so bound, nobody else can come to lead, so nothing can be
//! decided that the leader does not know.
//!
//! Clock assumption: no two clocks differ by more than [`DRIFT`]. The leader
//! stops trusting that much earlier than the others stop being bound. One unit
//! more and two leaders may answer reads.
//!
//! A grant is not on disk. A node that restarts is bound for as long as the
//! longest lease that it may have granted.

use super::{Ballot, Durable, Paxos, Role, Step, Wrong};
use crate::machine::{Clock, Context};
use crate::quorum::Phase;

/// How far clocks may differ, in their units.
pub const DRIFT: u64 = 1;

/// Until when a node is bound by what it may have granted before it crashed.
/// One that never promised anything has granted nothing.
pub(super) fn granted_before(context: Context<'_, Paxos>, durable: &Durable) -> Clock {
    match context.config.lease {
        Some(length)
            if durable.promised != Ballot::default()
                && !context.config.breaks(Wrong::LeaseOutlivesVoterRestart) =>
        {
            Clock(context.clock.0.saturating_add(length).saturating_add(DRIFT))
        }
        _ => Clock(0),
    }
}

impl Paxos {
    /// Whether a lease forbids this node to promise another ballot.
    pub(super) fn is_bound_by_lease(&self, step: &Step<'_>) -> bool {
        step.clock < self.granted
    }

    /// Promises no other ballot before the clock shows this.
    pub(super) fn grant(&mut self, lease: u64) {
        self.granted = self.granted.max(Clock(lease));
    }

    /// A leader binds itself, and gives the time until which the others
    /// should; 0 without leases.
    pub(super) fn extend_lease(&mut self, step: &Step<'_>) -> u64 {
        let Some(length) = step.config.lease else {
            return 0;
        };
        let lease = step.clock.0.saturating_add(length);
        self.grant(lease);
        lease
    }

    /// Whether nobody else can lead now.
    pub(super) fn holds_lease(&self, step: &Step<'_>) -> bool {
        let Role::Leader(leadership) = &self.role else {
            return false;
        };
        let config = step.config;
        if config.lease.is_none() {
            return false;
        }
        let drift = if config.breaks(Wrong::LeaseIgnoresDrift) {
            0
        } else {
            DRIFT
        };
        let by_timer = config.breaks(Wrong::LeaseCheckedByTimerOnly);
        let is_bound = |until: u64| step.clock.0 + drift < until || by_timer && until > 0;
        let others = leadership.leases.iter();
        let bound = others.chain([(&config.id, &self.granted.0)]);
        let bound = bound.filter(|(_, until)| is_bound(**until));
        let bound = bound.map(|(node, _)| *node).collect();
        config.quorums.meets_every(Phase::One, &bound)
    }
}
