//! The log: entries in order, from index 1.

use serde::{Deserialize, Serialize};

use super::Membership;
use crate::object::Call;

/// What an entry asks of the object once it is committed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Command {
    /// Nothing: a new leader's first entry, which lets it commit what earlier
    /// leaders left (§5.4.2, §8).
    Noop,
    /// From here on the cluster has these members (diss. §4.1).
    Configure(Membership),
    /// Let the object do this.
    Call(Call),
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

/// The entries of a log, numbered from 1, without those up to its base.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Log {
    /// The place of the last entry that was dropped because a snapshot holds
    /// what it did (§7).
    base: Position,
    entries: Vec<Entry>,
}

impl Log {
    /// The place before the first entry that is kept.
    pub fn base(&self) -> Position {
        self.base
    }

    /// The index of the last entry; that of the base if none is kept.
    pub fn last_index(&self) -> u64 {
        self.base.index + self.entries.len() as u64
    }

    /// The place of the last entry.
    pub fn last(&self) -> Position {
        match self.entries.last() {
            Some(entry) => Position {
                term: entry.term,
                index: self.last_index(),
            },
            None => self.base,
        }
    }

    /// The entry at an index, if it is kept.
    pub fn get(&self, index: u64) -> Option<&Entry> {
        let place = index.checked_sub(self.base.index + 1)?;
        self.entries.get(usize::try_from(place).ok()?)
    }

    /// The term at an index: 0 before the first entry, `None` before the base
    /// and past the last.
    pub fn term_at(&self, index: u64) -> Option<u64> {
        if index == self.base.index {
            return Some(self.base.term);
        }
        self.get(index).map(|entry| entry.term)
    }

    /// Whether an entry of that term stands at that index.
    pub fn holds(&self, position: Position) -> bool {
        self.term_at(position.index) == Some(position.term)
    }

    /// At most `count` entries from `index` on; of those that are kept.
    pub fn slice(&self, index: u64, count: usize) -> &[Entry] {
        let first = self.base.index + 1;
        let from = (index.max(first) - first).min(self.entries.len() as u64) as usize;
        let to = from.saturating_add(count).min(self.entries.len());
        &self.entries[from..to]
    }

    /// The entries that are kept, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries that are kept, with their indices.
    pub fn indexed(&self) -> impl DoubleEndedIterator<Item = (u64, &Entry)> {
        let first = self.base.index + 1;
        let places = self.entries.iter().enumerate();
        places.map(move |(place, entry)| (first + place as u64, entry))
    }

    /// The first index, of those that are kept, whose entry has the term of
    /// the one at `index`.
    pub fn first_of_term_at(&self, index: u64) -> u64 {
        let Some(term) = self.term_at(index) else {
            return self.last_index() + 1;
        };
        let place = self.entries.partition_point(|entry| entry.term < term);
        self.base.index + place as u64 + 1
    }

    /// Adds entries at the end.
    pub fn extend(&mut self, entries: &[Entry]) {
        self.entries.extend_from_slice(entries);
    }

    /// Drops every entry from `index` on.
    pub fn truncate_from(&mut self, index: u64) {
        let kept = index.saturating_sub(self.base.index + 1);
        self.entries.truncate(kept as usize);
    }

    /// Lets the log begin behind `base`. What follows an equal entry there
    /// stays; a log that has another one, or none, has nothing to keep (§7,
    /// Figure 13, rules 6 and 7).
    pub fn begin_behind(&mut self, base: Position) {
        if self.holds(base) {
            let dropped = base.index - self.base.index;
            self.entries.drain(..dropped as usize);
        } else {
            self.entries.clear();
        }
        self.base = base;
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
    fn a_log_that_begins_later_keeps_its_numbers() {
        let mut log = log(&[1, 1, 2, 2]);
        log.begin_behind(Position { term: 1, index: 2 });
        assert_eq!((log.last_index(), log.entries().len()), (4, 2));
        assert_eq!(
            [None, Some(1), Some(2)],
            [1, 2, 3].map(|at| log.term_at(at))
        );
        assert_eq!(log.slice(1, 1), log.slice(3, 1));
        assert_eq!(log.first_of_term_at(4), 3);
        log.truncate_from(1);
        assert_eq!(log.last(), Position { term: 1, index: 2 });
    }

    #[test]
    fn a_log_keeps_what_follows_its_new_beginning_only_if_it_agrees_there() {
        let mut agreeing = log(&[1, 1, 2]);
        agreeing.begin_behind(Position { term: 1, index: 2 });
        assert_eq!(agreeing.last(), Position { term: 2, index: 3 });
        let mut other = log(&[1, 1, 1]);
        other.begin_behind(Position { term: 2, index: 2 });
        assert_eq!(other.last(), Position { term: 2, index: 2 });
        let mut short = log(&[1]);
        short.begin_behind(Position { term: 2, index: 4 });
        assert_eq!(short.last_index(), 4);
        assert_eq!(short.term_at(0), None);
    }

    #[test]
    fn a_later_term_outranks_a_longer_log() {
        assert!(Position { term: 2, index: 1 } > Position { term: 1, index: 9 });
        assert!(Position { term: 2, index: 3 } > Position { term: 2, index: 1 });
    }
}
