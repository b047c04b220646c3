//! What an acceptor has accepted, slot by slot.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Ballot;
use crate::object::Call;

/// A place in the order of decisions, from 1.
pub type Slot = u64;

/// What a slot may decide.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Command {
    /// Nothing: a new leader fills with it what its predecessors left open
    /// ("Paxos Made Simple", §3).
    Noop,
    /// Let the object do this.
    Call(Call),
}

/// The value that an acceptor last accepted in a slot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Accepted {
    /// In which ballot.
    pub ballot: Ballot,
    /// The value.
    pub command: Command,
}

/// Accepted values by slot, without those up to the base. There may be gaps:
/// slots are decided in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Log {
    /// The last slot that was dropped because a snapshot holds what it did.
    base: Slot,
    accepted: BTreeMap<Slot, Accepted>,
}

impl Log {
    /// The last slot that was dropped; 0 if none was.
    pub fn base(&self) -> Slot {
        self.base
    }

    /// The last slot with an accepted value; the base if there is none.
    pub fn last(&self) -> Slot {
        let last = self.accepted.last_key_value();
        last.map_or(self.base, |(slot, _)| *slot)
    }

    /// What was accepted in a slot, if that is kept.
    pub fn get(&self, slot: Slot) -> Option<&Accepted> {
        self.accepted.get(&slot)
    }

    /// Everything accepted from a slot on, in order.
    pub fn from(&self, slot: Slot) -> impl Iterator<Item = (Slot, &Accepted)> {
        self.accepted
            .range(slot..)
            .map(|(slot, each)| (*slot, each))
    }

    /// At most `count` values of the slots from `first` to `last`, up to the
    /// first gap.
    pub fn commands(&self, first: Slot, last: Slot, count: usize) -> Vec<Command> {
        let slots = (first..=last).take(count);
        let known = slots.map_while(|slot| self.get(slot));
        known.map(|accepted| accepted.command.clone()).collect()
    }

    /// Accepts values in the slots from `first` on; those that a snapshot
    /// holds are left out.
    pub fn accept(&mut self, ballot: Ballot, first: Slot, commands: &[Command]) {
        for (slot, command) in (first..).zip(commands) {
            if slot > self.base {
                let command = command.clone();
                self.accepted.insert(slot, Accepted { ballot, command });
            }
        }
    }

    /// Drops every slot up to `base`.
    pub fn begin_behind(&mut self, base: Slot) {
        self.base = self.base.max(base);
        self.accepted = self.accepted.split_off(&(self.base + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::NodeId;

    const BALLOT: Ballot = Ballot {
        round: 1,
        node: NodeId(1),
    };

    #[test]
    fn a_gap_ends_what_is_known() {
        let mut log = Log::default();
        log.accept(BALLOT, 1, &[Command::Noop, Command::Noop]);
        log.accept(BALLOT, 4, &[Command::Noop]);
        assert_eq!(log.commands(1, 9, 9).len(), 2);
        assert_eq!(log.commands(1, 9, 1).len(), 1);
        assert_eq!(log.commands(2, 2, 9).len(), 1);
        assert_eq!(log.commands(3, 9, 9).len(), 0);
        assert_eq!((log.last(), log.from(2).count()), (4, 2));
    }

    #[test]
    fn what_a_snapshot_holds_is_not_accepted_again() {
        let mut log = Log::default();
        log.accept(BALLOT, 1, &[Command::Noop, Command::Noop, Command::Noop]);
        log.begin_behind(2);
        let later = Ballot { round: 2, ..BALLOT };
        log.accept(later, 2, &[Command::Noop]);
        assert_eq!((log.base(), log.last(), log.get(2)), (2, 3, None));
        log.begin_behind(1);
        assert_eq!(log.base(), 2);
        log.begin_behind(7);
        assert_eq!(log.last(), 7);
    }
}
