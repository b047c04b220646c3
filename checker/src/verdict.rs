//! What a checker concludes.

use std::fmt;

/// What a checker concluded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<W> {
    /// Every property the checker tests holds of this history.
    Valid,
    /// The checker stopped before it knew.
    Unknown(Limit),
    /// The history breaks a property, and here is the proof.
    Invalid(W),
}

/// Which limit stopped a checker, and what it had established by then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What ran out: `time`, `memory`, …, with the amount.
    pub reason: String,
    /// How many operations, counted by completion, the largest prefix held
    /// that was checked and found valid.
    pub checked: usize,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.checked {
            0 => write!(f, "{}; nothing was established before", self.reason),
            checked => write!(
                f,
                "{}; the first {checked} completed operations were checked and are valid",
                self.reason
            ),
        }
    }
}
