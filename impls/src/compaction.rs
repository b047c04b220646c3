//! When a node compacts its log by itself.

use serde::{Deserialize, Serialize};

/// When a node compacts its log by itself; the system's own habit where
/// nothing is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compaction {
    /// After how many committed entries.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<u64>,
    /// How many of them it leaves; a tenth if not given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub keep: Option<u64>,
}

impl Compaction {
    /// Whether nothing is given.
    pub fn is_usual(&self) -> bool {
        *self == Compaction::default()
    }

    /// After how many entries, and how many of them to leave, where given.
    pub fn lengths(self) -> Option<(u64, u64)> {
        let after = self.after?;
        Some((after, self.keep.unwrap_or(after / 10)))
    }

    /// Whether a compaction leaves less than it needs to begin.
    pub fn is_sound(self) -> bool {
        let shrinks = self.lengths().is_none_or(|(after, keep)| keep < after);
        shrinks && (self.after.is_some() || self.keep.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compaction_leaves_less_than_it_needs_to_begin() {
        let sound = |after, keep| Compaction { after, keep }.is_sound();
        assert!(sound(None, None) && sound(Some(1), None) && sound(Some(5), Some(4)));
        assert!(!sound(Some(5), Some(5)) && !sound(None, Some(5)) && !sound(Some(0), None));
        let given = Compaction {
            after: Some(200),
            keep: None,
        };
        assert_eq!(given.lengths(), Some((200, 20)));
    }
}
