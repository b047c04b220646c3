//! Failure detectors: whom a node suspects of having failed (Chandra and
//! Toueg, "Unreliable Failure Detectors for Reliable Distributed Systems",
//! J. ACM 43(2), 1996).
//!
//! | machine | suspects |
//! |---|---|
//! | [`Heartbeat`] | who was silent for longer than a timeout, fixed or one that learns from mistakes (§6.2, Figure 10) |
//! | [`Accrual`] | who is silent for longer than is likely after the silences before (Hayashibara et al., SRDS 2004) |
//! | [`Observer`] | whom its one observer, or whoever it observes, does not hear of; suspicion travels and is refuted (after SWIM: Das, Gupta and Motivala, DSN 2002) |
//!
//! Every node wants to know of every other one. A node that restarts begins
//! anew: nothing is durable, so that it makes no difference when a disk has
//! written.
//!
//! # What is promised
//!
//! Under partial synchrony, that is if from some time on a message takes no
//! longer than `delay`, a node does in time what is due every `period`, and no
//! two clocks differ by more than [`DRIFT`]:
//!
//! - *strong completeness*: who has stopped for good is in the end suspected by
//!   everybody who has not, for ever;
//! - *eventual strong accuracy*: in the end nobody who has not stopped is
//!   suspected by anybody who has not.
//!
//! Both make an eventually perfect detector, ◇P. Where the bounds hold from the
//! start, and the timeouts are no less than they ask for, accuracy is not
//! eventual: *strong accuracy*.
//!
//! # Embedding one
//!
//! [`Pulse`], of which [`Heartbeat`] and [`Accrual`] are two kinds, is a plain
//! value that another machine can own: [`Pulse::hear`] for each message that
//! came from a peer, [`Pulse::beat`] when its own timer expires,
//! [`Pulse::suspects`] for what follows. It takes a clock. A machine that
//! knows none embeds a [`RollCall`], whose timeout is a timer of that machine:
//! so do the leaders of [Raft](crate::raft) and of [Zab](crate::zab), which
//! give up when they hear of no quorum.

mod accrual;
mod bugs;
mod heartbeat;
mod observer;
mod pulse;
mod roll_call;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use self::accrual::{Accrual, Likelihood, PHI_MAX, Window};
pub use self::bugs::{ACCRUAL_BUGS, HEARTBEAT_BUGS, OBSERVER_BUGS, Wrong};
pub use self::heartbeat::{Heartbeat, Timeout, Timeouts};
pub use self::observer::{Observer, ObserverConfig, ObserverMessage};
pub use self::pulse::{Config, Patience, Pulse, PulseMessage};
pub use self::roll_call::RollCall;
use crate::machine::NodeId;

/// How far clocks may differ, in their units.
pub const DRIFT: u64 = 1;

/// The request to tell whom the node suspects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Suspects;

/// Whom a node suspects.
pub type Suspected = BTreeSet<NodeId>;

/// Time to show that one is there, and to look who else is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Beat;

/// What a detector keeps on its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Nothing {}

/// The others among so many nodes.
fn others(id: NodeId, nodes: impl IntoIterator<Item = NodeId>) -> BTreeSet<NodeId> {
    nodes.into_iter().filter(|node| *node != id).collect()
}
