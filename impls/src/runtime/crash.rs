//! Crashes on demand: a node that ends itself between two outputs.
//!
//! A harness can kill a process at some time; only the process itself can end
//! at some place. What makes a place interesting is what has left and is not
//! durable, or is durable and has not left.
//!
//! While a node waits for such a place, outputs leave one by one and a frame
//! carries one persist, so that there is a place between any two of them. A
//! right protocol stands that, as it stands any other pace of its host.

use std::fmt;
use std::str::FromStr;

/// After which kind of output a node ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CrashAfter {
    /// A message to another node.
    Send,
    /// An answer to a client that its request took effect; a refusal promises
    /// nothing.
    Answer,
    /// A message that left ahead of a persist that was asked for before.
    EarlySend,
    /// Such an answer that left ahead of a persist that was asked for before.
    EarlyAnswer,
    /// A persist: durable, and nothing that waited for it has left.
    Persist,
}

impl CrashAfter {
    const ALL: [CrashAfter; 5] = [
        CrashAfter::Send,
        CrashAfter::Answer,
        CrashAfter::EarlySend,
        CrashAfter::EarlyAnswer,
        CrashAfter::Persist,
    ];

    /// The one spelling.
    pub const fn name(self) -> &'static str {
        match self {
            CrashAfter::Send => "send",
            CrashAfter::Answer => "answer",
            CrashAfter::EarlySend => "early-send",
            CrashAfter::EarlyAnswer => "early-answer",
            CrashAfter::Persist => "persist",
        }
    }
}

impl fmt::Display for CrashAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for CrashAfter {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = CrashAfter::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| {
            let known = CrashAfter::ALL.map(CrashAfter::name).join(", ");
            format!("one of {known}")
        })
    }
}

/// Where a node is to end: counts down what it lets out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CrashPoint {
    after: CrashAfter,
    ordinal: u64,
    left: u64,
}

impl CrashPoint {
    /// After the output of that kind and number, from 1, counted from now.
    pub(super) fn new(after: CrashAfter, ordinal: u64) -> Self {
        CrashPoint {
            after,
            ordinal,
            left: ordinal,
        }
    }

    /// Whether it is a place between a persist and what follows.
    pub(super) fn is_persist(&self) -> bool {
        self.after == CrashAfter::Persist
    }

    /// An output has left, ahead of a persist or not; whether this is the
    /// place.
    pub(super) fn passes(&mut self, output: CrashAfter, early: bool) -> bool {
        let counts = self.after == output
            || match self.after {
                CrashAfter::EarlySend => early && output == CrashAfter::Send,
                CrashAfter::EarlyAnswer => early && output == CrashAfter::Answer,
                _ => false,
            };
        if counts {
            self.left = self.left.saturating_sub(1);
        }
        counts && self.left == 0
    }
}

impl fmt::Display for CrashPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.after, self.ordinal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_of_its_kind_are_counted_and_no_others() {
        let mut point = CrashPoint::new(CrashAfter::EarlySend, 2);
        assert!(!point.passes(CrashAfter::Send, true));
        assert!(!point.passes(CrashAfter::Send, false));
        assert!(!point.passes(CrashAfter::Answer, true));
        assert!(!point.passes(CrashAfter::Persist, false));
        assert!(point.passes(CrashAfter::Send, true));
        assert_eq!(point.to_string(), "early-send 2");
        let mut point = CrashPoint::new(CrashAfter::Answer, 1);
        assert!(!point.passes(CrashAfter::Send, false));
        assert!(point.passes(CrashAfter::Answer, true));
    }

    #[test]
    fn every_kind_has_one_spelling() {
        for kind in CrashAfter::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert!(
            "sends"
                .parse::<CrashAfter>()
                .unwrap_err()
                .contains("send, answer")
        );
    }
}
