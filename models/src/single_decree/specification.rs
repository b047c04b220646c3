//! Consensus as one client at a time sees it.

use tribunal_checker::Specification;

use super::SingleDecreeSystem;
use crate::object::Object;

/// An object that decides for the first value proposed, and tells whoever proposes
/// one which it was (Herlihy 1991, "Wait-free synchronization").
#[derive(Clone, Copy, Debug)]
pub struct Consensus;

impl Object<SingleDecreeSystem> for Consensus {
    type Specification = Consensus;

    fn specification() -> Consensus {
        Consensus
    }

    fn call(_: &SingleDecreeSystem, proposed: &u64) -> Option<u64> {
        Some(*proposed)
    }

    fn returned(decided: &u64) -> u64 {
        *decided
    }
}

impl Specification for Consensus {
    type State = Option<u64>;
    type Call = u64;
    type Return = u64;

    fn initial(&self) -> Option<u64> {
        None
    }

    fn step(
        &self,
        decided: &Option<u64>,
        proposed: &u64,
        told: Option<&u64>,
    ) -> Option<Option<u64>> {
        let decided = decided.unwrap_or(*proposed);
        told.is_none_or(|told| *told == decided)
            .then_some(Some(decided))
    }
}
