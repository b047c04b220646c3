//! Wrong versions of the runtime: one rule broken each, to see that it is
//! noticed.
//!
//! Never the default, and no part of a campaign's vocabulary: a test names
//! one, or a hidden flag of `tribunal node` does.

use std::fmt;
use std::str::FromStr;

/// A rule of the runtime that a wrong version breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutant {
    /// What waits for a persist leaves when the frame is handed to the disk.
    OutputsBeforeSync,
    /// What leaves together leaves in the wrong order.
    OutputsReordered,
    /// A folder is not synced after a file was given its name.
    FolderNotSynced,
    /// A sync that failed is tried again, and believed.
    SyncRetried,
    /// What a crash left of a write is not cut off.
    TornTailKept,
    /// A start does not count.
    IncarnationNotRaised,
}

impl Mutant {
    /// All there are.
    pub const ALL: [Mutant; 6] = [
        Mutant::OutputsBeforeSync,
        Mutant::OutputsReordered,
        Mutant::FolderNotSynced,
        Mutant::SyncRetried,
        Mutant::TornTailKept,
        Mutant::IncarnationNotRaised,
    ];

    /// The name by which it is selected.
    pub const fn name(self) -> &'static str {
        match self {
            Mutant::OutputsBeforeSync => "outputs-before-sync",
            Mutant::OutputsReordered => "outputs-reordered",
            Mutant::FolderNotSynced => "folder-not-synced",
            Mutant::SyncRetried => "sync-retried",
            Mutant::TornTailKept => "torn-tail-kept",
            Mutant::IncarnationNotRaised => "incarnation-not-raised",
        }
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Mutant {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Mutant::ALL.into_iter().find(|mutant| mutant.name() == text);
        found.ok_or_else(|| {
            let known = Mutant::ALL.map(Mutant::name).join(", ");
            format!("expected one of {known}, not `{text}`")
        })
    }
}
