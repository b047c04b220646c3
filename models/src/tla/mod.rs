//! Gray and Lamport's models of transaction commit ("Consensus on Transaction
//! Commit", 2006, §2 and §3), as their TLA+ modules have them. Their counts of
//! states are published: they hold the driver to account.
//!
//! | file | holds |
//! |---|---|
//! | `tcommit.rs` | `TCommit`: what committing is |
//! | `two_phase.rs` | `TwoPhase`: how two-phase commit does it |

mod tcommit;
mod two_phase;

use std::fmt::Debug;

pub use tcommit::TCommit;
pub use two_phase::TwoPhase;

use crate::system::Judgement;

/// `rmState` of a resource manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RmState {
    /// It does its part of the transaction.
    Working,
    /// It can do what will be decided.
    Prepared,
    /// It has committed.
    Committed,
    /// It has aborted.
    Aborted,
}

/// The name of what must hold.
const TC_CONSISTENT: &str = "TCConsistent";
/// What it says.
const TC_CONSISTENT_ABOUT: &str = "no resource manager has aborted while another has committed";

fn consistent(states: impl Iterator<Item = RmState> + Clone) -> Judgement {
    let place = |state| states.clone().position(|other| other == state);
    match (place(RmState::Aborted), place(RmState::Committed)) {
        (Some(aborted), Some(committed)) => Err(format!(
            "resource manager {} has aborted, and {} has committed",
            aborted + 1,
            committed + 1
        )),
        _ => Ok(()),
    }
}
