//! The log: entries in order, from index 1.

use serde::{Deserialize, Serialize};

use crate::object::{Operation, Ticket};

/// What an entry asks of the object once it is committed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Command {
    /// Nothing: a new leader's first entry, which lets it commit what earlier
    /// leaders left (§5.4.2, §8).
    Noop,
    /// Open a client session.
    Register,
    /// Execute an operation, once for each ticket.
    Execute {
        /// Which command of which session; `None` for one never repeated.
        ticket: Option<Ticket>,
        /// What to do.
        operation: Operation,
    },
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Entry {
    /// The term of the leader that made it.
    pub term: u64,
    /// What it asks.
    pub command: Command,
}

/// A place in a log, ordered as Raft compares logs: by the later term, then
/// by the longer log (§5.4.1).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Position {
    /// The term of the entry there; 0 before the first.
    pub term: u64,
    /// Its index; 0 before the first.
    pub index: u64,
}

/// The entries of a log, numbered from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Log {
    entries: Vec<Entry>,
}

impl Log {
    /// The index of the last entry; 0 for an empty log.
    pub fn last_index(&self) -> u64 {
        self.entries.len() as u64
    }

    /// The place of the last entry.
    pub fn last(&self) -> Position {
        Position {
            term: self.entries.last().map_or(0, |entry| entry.term),
            index: self.last_index(),
        }
    }

    /// The entry at an index.
    pub fn get(&self, index: u64) -> Option<&Entry> {
        let place = usize::try_from(index).ok()?.checked_sub(1)?;
        self.entries.get(place)
    }

    /// The term at an index: 0 before the first entry, `None` past the last.
    pub fn term_at(&self, index: u64) -> Option<u64> {
        if index == 0 {
            return Some(0);
        }
        self.get(index).map(|entry| entry.term)
    }

    /// Whether an entry of that term stands at that index.
    pub fn holds(&self, position: Position) -> bool {
        self.term_at(position.index) == Some(position.term)
    }

    /// At most `count` entries from `index` on.
    pub fn slice(&self, index: u64, count: usize) -> &[Entry] {
        let from = (index.max(1) - 1).min(self.last_index()) as usize;
        let to = from.saturating_add(count).min(self.entries.len());
        &self.entries[from..to]
    }

    /// All entries, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The first index whose entry has the term of the one at `index`.
    pub fn first_of_term_at(&self, index: u64) -> u64 {
        let Some(term) = self.term_at(index) else {
            return self.last_index() + 1;
        };
        let place = self.entries.partition_point(|entry| entry.term < term);
        place as u64 + 1
    }

    /// Adds entries at the end.
    pub fn extend(&mut self, entries: &[Entry]) {
        self.entries.extend_from_slice(entries);
    }

    /// Drops every entry from `index` on.
    pub fn truncate_from(&mut self, index: u64) {
        self.entries.truncate((index.max(1) - 1) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(terms: &[u64]) -> Log {
        let mut log = Log::default();
        for &term in terms {
            log.extend(&[Entry {
                term,
                command: Command::Noop,
            }]);
        }
        log
    }

    #[test]
    fn the_place_before_the_first_entry_is_held_by_every_log() {
        assert!(log(&[]).holds(Position::default()));
        assert!(log(&[1, 2]).holds(Position::default()));
        assert!(!log(&[]).holds(Position { term: 1, index: 1 }));
    }

    #[test]
    fn the_first_index_of_a_term_is_found() {
        let log = log(&[1, 1, 2, 2, 4]);
        assert_eq!(
            [1, 3, 5, 6],
            [2, 4, 5, 9].map(|index| log.first_of_term_at(index))
        );
    }

    #[test]
    fn a_slice_past_the_end_is_empty() {
        let log = log(&[1, 2, 3]);
        assert_eq!(log.slice(2, 1).len(), 1);
        assert_eq!(log.slice(2, 9).len(), 2);
        assert_eq!(log.slice(4, 9).len(), 0);
        assert_eq!(log.slice(7, 9).len(), 0);
    }

    #[test]
    fn a_later_term_outranks_a_longer_log() {
        assert!(Position { term: 2, index: 1 } > Position { term: 1, index: 9 });
        assert!(Position { term: 2, index: 3 } > Position { term: 2, index: 1 });
    }
}
