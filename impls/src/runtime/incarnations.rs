//! The highest incarnation that each peer has shown.
//!
//! A peer with a lower one than before has lost what it had promised (its
//! data folder was put back to an earlier state), or is a process whose
//! successor already runs: nothing of it may reach the machine, whatever the
//! kind of channel. The same incarnation may come again: a link was lost.
//!
//! Not noticed: two processes over copies of one folder with the same count.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tribunal_protocol::NodeId;

/// What peers have shown so far, in this process.
#[derive(Debug, Default)]
pub(super) struct Incarnations {
    highest: Mutex<BTreeMap<NodeId, u64>>,
}

impl Incarnations {
    /// Takes note of a peer's incarnation; why it must be refused, if it must.
    pub(super) fn refusal(&self, peer: NodeId, incarnation: u64) -> Option<String> {
        let mut highest = self.highest.lock().unwrap_or_else(PoisonError::into_inner);
        let known = highest.entry(peer).or_default();
        if incarnation < *known {
            return Some(format!(
                "incarnation {incarnation} of {peer} is over: incarnation {known} was here"
            ));
        }
        *known = incarnation;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incarnation_may_return_and_rise_but_never_fall() {
        let seen = Incarnations::default();
        let (two, three) = (NodeId(2), NodeId(3));
        for (peer, incarnation) in [(two, 4), (two, 4), (two, 6), (three, 1)] {
            assert_eq!(seen.refusal(peer, incarnation), None);
        }
        let why = seen.refusal(two, 5).unwrap();
        assert_eq!(why, "incarnation 5 of n2 is over: incarnation 6 was here");
        assert_eq!(seen.refusal(two, 6), None, "a refusal changes nothing");
    }
}
