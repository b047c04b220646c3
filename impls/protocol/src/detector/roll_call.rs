//! The detector of a machine that knows no clock.

use std::collections::BTreeSet;

use crate::machine::NodeId;

/// Who was heard since the roll was called last. Whoever embeds it calls the
/// roll when a timer of its own expires, so that this timer's span is the
/// timeout, and suspects who did not answer: everybody who has stopped in the
/// end, and others by mistake for as long as messages take longer than that.
///
/// Leaders of Raft and of Zab ask it whether a quorum still follows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RollCall {
    heard: BTreeSet<NodeId>,
}

impl RollCall {
    /// A peer gave a sign of life.
    pub fn hear(&mut self, from: NodeId) {
        self.heard.insert(from);
    }

    /// Calls the roll: who was heard since the last time. The others are
    /// suspected, and everybody is to be heard anew.
    pub fn call(&mut self) -> BTreeSet<NodeId> {
        std::mem::take(&mut self.heard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_silent_from_one_call_to_the_next_does_not_answer() {
        let mut roll = RollCall::default();
        roll.hear(NodeId(2));
        roll.hear(NodeId(3));
        roll.hear(NodeId(2));
        assert_eq!(roll.call(), [NodeId(2), NodeId(3)].into());
        roll.hear(NodeId(3));
        assert_eq!(roll.call(), [NodeId(3)].into());
        assert!(roll.call().is_empty());
    }
}
