//! The locks of one shard: who holds them, and who may wait for them.
//!
//! Wait-die (Rosenkrantz, Stearns & Lewis, "System Level Concurrency Control
//! for Distributed Database Systems", 1978): a transaction waits for younger
//! ones only, and dies if an older one is in its way. So no circle of waiting
//! transactions can close, on one node or over many, and nobody has to look
//! for one. Here an older one that waits itself is in the way as much as one
//! that holds: otherwise a transaction that wants many locks might wait
//! forever while younger ones overtake it.
//!
//! A transaction asks for all its locks on a shard at once, each as strong as
//! it will ever need it, and gets all or none. So there are no upgrades, and
//! whoever waits holds nothing here.

use std::collections::BTreeMap;

use super::{Key, Operation, TxnId};

/// How strong a lock is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// For reads: any number may hold it.
    Shared,
    /// For everything else: one may hold it, and no shared one beside it.
    Exclusive,
}

/// The locks that one transaction holds or wants.
pub type Locks = BTreeMap<Key, Mode>;

/// The locks that operations need.
pub(super) fn needed(operations: &[Operation]) -> Locks {
    let mut locks = Locks::new();
    for operation in operations {
        let mode = match operation.is_read() {
            true => Mode::Shared,
            false => Mode::Exclusive,
        };
        let lock = locks.entry(operation.key()).or_insert(mode);
        *lock = mode.max(*lock);
    }
    locks
}

/// Who holds locks and who waits for them. The order of [`TxnId`] is that of
/// age.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Table {
    held: BTreeMap<TxnId, Locks>,
    waiting: BTreeMap<TxnId, Locks>,
}

/// What became of those that waited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settled {
    /// These hold their locks now.
    pub(super) granted: Vec<TxnId>,
    /// These must not wait.
    pub(super) died: Vec<TxnId>,
}

impl Settled {
    pub(super) fn is_empty(&self) -> bool {
        self.granted.is_empty() && self.died.is_empty()
    }
}

impl Table {
    /// A transaction wants these; [`Table::settle`] says what becomes of it.
    pub(super) fn ask(&mut self, txn: TxnId, locks: Locks) {
        self.waiting.insert(txn, locks);
    }

    /// A transaction holds these, whatever others hold.
    pub(super) fn hold(&mut self, txn: TxnId, locks: Locks) {
        self.held.insert(txn, locks);
    }

    /// A transaction neither holds nor wants anything any longer.
    pub(super) fn let_go(&mut self, txn: TxnId) {
        self.held.remove(&txn);
        self.waiting.remove(&txn);
    }

    /// A transaction lets its shared locks go.
    pub(super) fn let_go_shared(&mut self, txn: TxnId) {
        if let Some(locks) = self.held.get_mut(&txn) {
            locks.retain(|_, mode| *mode == Mode::Exclusive);
        }
    }

    /// Grants what can be granted, oldest first, and tells who must not wait;
    /// with `waits_always` nobody dies.
    pub(super) fn settle(&mut self, waits_always: bool) -> Settled {
        let mut settled = Settled::default();
        for (txn, locks) in std::mem::take(&mut self.waiting) {
            // Whoever is older and waits was put back before.
            let in_the_way = self.in_the_way(&locks);
            if in_the_way.is_empty() {
                self.held.insert(txn, locks);
                settled.granted.push(txn);
            } else if waits_always || in_the_way.iter().all(|other| *other > txn) {
                self.waiting.insert(txn, locks);
            } else {
                settled.died.push(txn);
            }
        }
        settled
    }

    /// Those that hold or want something that does not go with these locks.
    fn in_the_way(&self, locks: &Locks) -> Vec<TxnId> {
        let others = self.held.iter().chain(&self.waiting);
        let rivals = others.filter(|(_, theirs)| is_conflict(locks, theirs));
        rivals.map(|(other, _)| *other).collect()
    }

    /// Who holds the lock of each key, and how strong.
    pub(super) fn by_key(&self) -> BTreeMap<Key, BTreeMap<TxnId, Mode>> {
        let mut keys = BTreeMap::<Key, BTreeMap<TxnId, Mode>>::new();
        for (txn, locks) in &self.held {
            for (key, mode) in locks {
                keys.entry(*key).or_default().insert(*txn, *mode);
            }
        }
        keys
    }

    /// Whom each waiting transaction waits for: those that hold, or want and
    /// are older, what does not go with what it wants.
    pub(super) fn waits_for(&self) -> impl Iterator<Item = (TxnId, TxnId)> {
        self.waiting.iter().flat_map(|(txn, locks)| {
            let others = self.held.iter().chain(self.waiting.range(..*txn));
            let rivals = others.filter(move |(_, theirs)| is_conflict(locks, theirs));
            rivals.map(|(other, _)| (*txn, *other))
        })
    }
}

fn is_conflict(one: &Locks, other: &Locks) -> bool {
    one.iter().any(|(key, mode)| {
        let theirs = other.get(key);
        theirs.is_some_and(|theirs| (*mode).max(*theirs) == Mode::Exclusive)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::NodeId;

    fn txn(stamp: u64) -> TxnId {
        TxnId {
            stamp,
            coordinator: NodeId(1),
            incarnation: 1,
        }
    }

    fn locks(shared: &[Key], exclusive: &[Key]) -> Locks {
        let shared = shared.iter().map(|key| (*key, Mode::Shared));
        let exclusive = exclusive.iter().map(|key| (*key, Mode::Exclusive));
        shared.chain(exclusive).collect()
    }

    /// Asks for locks; who is granted some then, and who dies.
    fn ask(table: &mut Table, stamp: u64, locks: Locks) -> (Vec<u64>, Vec<u64>) {
        table.ask(txn(stamp), locks);
        settle(table)
    }

    fn settle(table: &mut Table) -> (Vec<u64>, Vec<u64>) {
        let settled = table.settle(false);
        let stamps = |txns: Vec<TxnId>| txns.into_iter().map(|txn| txn.stamp).collect();
        (stamps(settled.granted), stamps(settled.died))
    }

    #[test]
    fn an_exclusive_lock_is_alone_and_shared_ones_are_not() {
        let mut table = Table::default();
        assert_eq!(ask(&mut table, 5, locks(&[1, 2], &[])), (vec![5], vec![]));
        assert_eq!(ask(&mut table, 6, locks(&[1], &[3])), (vec![6], vec![]));
        assert_eq!(ask(&mut table, 7, locks(&[], &[2])), (vec![], vec![7]));
        assert_eq!(ask(&mut table, 8, locks(&[3], &[])), (vec![], vec![8]));
    }

    #[test]
    fn the_older_waits_and_the_younger_dies() {
        let mut table = Table::default();
        assert_eq!(ask(&mut table, 5, locks(&[], &[1])), (vec![5], vec![]));
        assert_eq!(ask(&mut table, 4, locks(&[], &[1])), (vec![], vec![]));
        assert_eq!(table.waits_for().collect::<Vec<_>>(), [(txn(4), txn(5))]);
        // Whoever waits is in the way too.
        assert_eq!(ask(&mut table, 6, locks(&[1], &[])), (vec![], vec![6]));
        table.let_go(txn(5));
        assert_eq!(settle(&mut table), (vec![4], vec![]));
    }

    #[test]
    fn one_that_waits_dies_if_an_older_one_comes_into_its_way() {
        let mut table = Table::default();
        assert_eq!(ask(&mut table, 9, locks(&[], &[1])), (vec![9], vec![]));
        assert_eq!(ask(&mut table, 5, locks(&[], &[1, 2])), (vec![], vec![]));
        assert_eq!(ask(&mut table, 4, locks(&[2], &[])), (vec![4], vec![5]));
    }

    #[test]
    fn one_gets_all_or_none() {
        let mut table = Table::default();
        assert_eq!(ask(&mut table, 5, locks(&[], &[1])), (vec![5], vec![]));
        assert_eq!(ask(&mut table, 4, locks(&[], &[1, 2])), (vec![], vec![]));
        assert_eq!(table.by_key().keys().collect::<Vec<_>>(), [&1]);
        table.let_go(txn(5));
        assert_eq!(settle(&mut table), (vec![4], vec![]));
        assert_eq!(table.by_key().keys().collect::<Vec<_>>(), [&1, &2]);
    }

    #[test]
    fn shared_locks_can_go_first() {
        let mut table = Table::default();
        assert_eq!(ask(&mut table, 5, locks(&[1], &[2])), (vec![5], vec![]));
        table.let_go_shared(txn(5));
        assert_eq!(ask(&mut table, 6, locks(&[], &[1])), (vec![6], vec![]));
        assert_eq!(ask(&mut table, 7, locks(&[2], &[])), (vec![], vec![7]));
    }

    #[test]
    fn the_strongest_lock_that_is_needed_is_asked_for() {
        let read = |key| Operation::Read { key };
        let write = |key| Operation::Write { key, value: 1 };
        let operations = [read(1), write(2), read(2), read(3), write(3)];
        assert_eq!(needed(&operations), locks(&[1], &[2, 3]));
    }
}
