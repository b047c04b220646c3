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

/// What a checker may run out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Time to search.
    Time,
    /// Memory to search in.
    Memory,
}

/// Which limit stopped a checker, and what it had established by then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Why nothing is known: what ran out, with the amount, or what is missing.
    pub reason: String,
    /// What ran out, if that is known.
    pub resource: Option<Resource>,
    /// How many operations, counted by completion, the largest prefix held
    /// that was checked and found valid.
    pub checked: usize,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.checked {
            0 => write!(f, "{}; nothing was established before that", self.reason),
            checked => write!(
                f,
                "{}; the first {checked} completed operations were checked and are valid",
                self.reason
            ),
        }
    }
}
