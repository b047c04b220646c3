//! Crashes on demand: a node that ends itself between two outputs.
//!
//! A harness can kill a process at some time; only the process itself can end
//! at some place. What makes a place interesting is what has left and is not
//! durable, or is durable and has not left.
//!
//! While a node waits for such a place, outputs leave one by one and a frame
//! carries one persist, so that there is a place between any two of them. A
//! right protocol stands that, as it stands any other pace of its host.

use std::fmt::{self, Debug};
use std::str::FromStr;

use tribunal_protocol::Machine;

use super::kinds::{kind_of, kinds};

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
    /// A persist that is asked for: not begun to be written, and what waits
    /// for no persist has left.
    PersistAsked,
}

impl CrashAfter {
    const ALL: [CrashAfter; 6] = [
        CrashAfter::Send,
        CrashAfter::Answer,
        CrashAfter::EarlySend,
        CrashAfter::EarlyAnswer,
        CrashAfter::Persist,
        CrashAfter::PersistAsked,
    ];

    /// The one spelling.
    pub const fn name(self) -> &'static str {
        match self {
            CrashAfter::Send => "send",
            CrashAfter::Answer => "answer",
            CrashAfter::EarlySend => "early-send",
            CrashAfter::EarlyAnswer => "early-answer",
            CrashAfter::Persist => "persist",
            CrashAfter::PersistAsked => "persist-asked",
        }
    }

    /// Which kinds of it there are in a machine.
    fn kinds<M: Machine>(self) -> Vec<String> {
        match self {
            CrashAfter::Send | CrashAfter::EarlySend => kinds::<M::Message>(),
            CrashAfter::Persist | CrashAfter::PersistAsked => kinds::<M::Record>(),
            CrashAfter::Answer | CrashAfter::EarlyAnswer => Vec::new(),
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CrashPoint {
    after: CrashAfter,
    of: Option<String>,
    ordinal: u64,
    left: u64,
}

impl CrashPoint {
    /// After the output of that kind and number, from 1, counted from now.
    pub(super) fn new(after: CrashAfter, ordinal: u64) -> Self {
        CrashPoint {
            after,
            of: None,
            ordinal,
            left: ordinal,
        }
    }

    /// Counts only messages, or persists with a record, of that kind. If the
    /// machine has none: the kinds that it has.
    pub(super) fn of<M: Machine>(self, kind: &str) -> Result<Self, Vec<String>> {
        let known = self.after.kinds::<M>();
        if !known.iter().any(|known| known == kind) {
            return Err(known);
        }
        let of = Some(kind.to_owned());
        Ok(CrashPoint { of, ..self })
    }

    /// Whether it is a place beside a persist.
    pub(super) fn is_persist(&self) -> bool {
        matches!(self.after, CrashAfter::Persist | CrashAfter::PersistAsked)
    }

    /// Whether outputs of one kind count only.
    pub(super) fn is_picky(&self) -> bool {
        self.of.is_some()
    }

    /// Whether a message or a record is of the kind that counts.
    pub(super) fn is_of(&self, value: &impl Debug) -> bool {
        self.of.as_ref().is_none_or(|of| *of == kind_of(value))
    }

    /// An output that [is of the kind](Self::is_of) has left, ahead of a
    /// persist or not; whether this is the place.
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
        let of = self.of.iter().map(|kind| format!(" of {kind}"));
        write!(
            f,
            "{}{} {}",
            self.after,
            of.collect::<String>(),
            self.ordinal
        )
    }
}

#[cfg(test)]
mod tests {
    use tribunal_protocol::raft::{Message, Raft};

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
    fn only_outputs_of_the_kind_that_a_machine_has_are_counted() {
        let reply = Message::VoteReply {
            term: 1,
            granted: true,
        };
        let point = CrashPoint::new(CrashAfter::Send, 1).of::<Raft>("vote-reply");
        let point = point.unwrap();
        assert!(point.is_of(&reply));
        assert!(!point.is_of(&Message::TimeoutNow { term: 1 }));
        assert_eq!(point.to_string(), "send of vote-reply 1");
        let known = |after: CrashAfter| CrashPoint::new(after, 1).of::<Raft>("lunch");
        assert!(
            known(CrashAfter::EarlySend)
                .unwrap_err()
                .contains(&"vote".into())
        );
        let records = known(CrashAfter::PersistAsked).unwrap_err();
        assert!(records.contains(&"truncate-from".into()));
        assert_eq!(known(CrashAfter::Answer).unwrap_err(), [""; 0]);
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
