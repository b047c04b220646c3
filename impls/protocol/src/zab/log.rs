//! The history: transactions in the order of their zxids.

use serde::{Deserialize, Serialize};

use super::Zxid;
use crate::object::Call;

/// One transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Txn {
    /// Its name.
    pub zxid: Zxid,
    /// What it asks of the object once it is committed.
    pub call: Call,
}

/// The transactions of a node, without those up to its base.
///
/// Two histories that hold the same zxid are equal up to there, but for where
/// they begin: one leader made it, behind all that stood in its history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct History {
    /// The last transaction that was dropped because a snapshot shows it.
    base: Zxid,
    txns: Vec<Txn>,
}

impl History {
    /// A history that begins behind `base` and holds nothing yet.
    pub fn behind(base: Zxid) -> Self {
        let txns = Vec::new();
        History { base, txns }
    }

    /// The last transaction that was dropped.
    pub fn base(&self) -> Zxid {
        self.base
    }

    /// The last transaction; the base if none is kept.
    pub fn last(&self) -> Zxid {
        self.txns.last().map_or(self.base, |txn| txn.zxid)
    }

    /// The transactions that are kept, in order.
    pub fn txns(&self) -> &[Txn] {
        &self.txns
    }

    /// How many of those that are kept lie at `zxid` or before it.
    pub fn count_to(&self, zxid: Zxid) -> usize {
        self.txns.partition_point(|txn| txn.zxid <= zxid)
    }

    /// Those behind `after`, up to `to`.
    pub fn between(&self, after: Zxid, to: Zxid) -> &[Txn] {
        let end = self.count_to(to);
        &self.txns[self.count_to(after).min(end)..end]
    }

    /// The last transaction at `zxid` or before it; the base if none is kept.
    pub fn floor(&self, zxid: Zxid) -> Zxid {
        let before = self.count_to(zxid).checked_sub(1);
        before.map_or(self.base, |place| self.txns[place].zxid)
    }

    /// Adds transactions at the end.
    pub fn extend(&mut self, txns: &[Txn]) {
        self.txns.extend_from_slice(txns);
    }

    /// Drops every transaction behind `zxid`.
    pub fn truncate_behind(&mut self, zxid: Zxid) {
        self.txns.truncate(self.count_to(zxid));
    }

    /// Drops every transaction up to `base`.
    pub fn begin_behind(&mut self, base: Zxid) {
        self.txns.drain(..self.count_to(base));
        self.base = base;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zxid(epoch: u32, counter: u32) -> Zxid {
        Zxid { epoch, counter }
    }

    fn history(zxids: &[Zxid]) -> History {
        let mut history = History::default();
        for zxid in zxids {
            let (zxid, call) = (*zxid, Call::Register);
            history.extend(&[Txn { zxid, call }]);
        }
        history
    }

    fn zxids(txns: &[Txn]) -> Vec<Zxid> {
        txns.iter().map(|txn| txn.zxid).collect()
    }

    #[test]
    fn the_last_transaction_that_two_histories_share_is_found_by_its_zxid() {
        let history = history(&[zxid(1, 1), zxid(1, 2), zxid(3, 1)]);
        let floors = [zxid(0, 0), zxid(1, 2), zxid(2, 7), zxid(3, 1), zxid(4, 1)];
        assert_eq!(
            floors.map(|last| history.floor(last)),
            [zxid(0, 0), zxid(1, 2), zxid(1, 2), zxid(3, 1), zxid(3, 1)]
        );
    }

    #[test]
    fn what_lies_between_excludes_the_first_and_includes_the_last() {
        let history = history(&[zxid(1, 1), zxid(1, 2), zxid(3, 1)]);
        let between = |after, to| zxids(history.between(after, to));
        assert_eq!(between(zxid(1, 1), zxid(3, 1)), [zxid(1, 2), zxid(3, 1)]);
        assert_eq!(between(zxid(0, 0), zxid(1, 1)), [zxid(1, 1)]);
        assert_eq!(between(zxid(3, 1), zxid(1, 1)), []);
    }

    #[test]
    fn a_history_that_begins_later_ends_where_it_did() {
        let mut history = history(&[zxid(1, 1), zxid(1, 2)]);
        history.begin_behind(zxid(1, 1));
        assert_eq!(zxids(history.txns()), [zxid(1, 2)]);
        history.begin_behind(zxid(1, 2));
        assert_eq!((history.base(), history.last()), (zxid(1, 2), zxid(1, 2)));
        assert_eq!(history.floor(zxid(2, 1)), zxid(1, 2));
    }

    #[test]
    fn a_truncated_history_keeps_what_it_is_cut_behind() {
        let mut history = history(&[zxid(1, 1), zxid(1, 2), zxid(2, 1)]);
        history.truncate_behind(zxid(1, 2));
        assert_eq!(history.last(), zxid(1, 2));
        history.truncate_behind(zxid(0, 0));
        assert_eq!(history.last(), zxid(0, 0));
    }
}
