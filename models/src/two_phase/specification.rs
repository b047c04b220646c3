//! The store as it is when one transaction is carried out after the other.

use std::collections::BTreeMap;

use tribunal_checker::Specification;
use tribunal_protocol::two_phase::{Key, Operation, Seen, Value};

use super::TwoPhaseSystem;
use crate::object::Object;
use crate::system::Response;

/// Keys that hold nothing at first.
#[derive(Clone, Copy, Debug)]
pub struct Keys;

impl Object<TwoPhaseSystem> for Keys {
    type Specification = Keys;

    fn specification() -> Keys {
        Keys
    }

    fn call(_: &TwoPhaseSystem, transaction: &Vec<Operation>) -> Option<Vec<Operation>> {
        Some(transaction.clone())
    }

    fn returned(response: &Response<TwoPhaseSystem>) -> Vec<Seen> {
        response.0.clone()
    }
}

impl Specification for Keys {
    type State = BTreeMap<Key, Vec<i64>>;
    type Call = Vec<Operation>;
    type Return = Vec<Seen>;

    fn initial(&self) -> Self::State {
        BTreeMap::new()
    }

    fn step(
        &self,
        state: &Self::State,
        call: &Vec<Operation>,
        returned: Option<&Vec<Seen>>,
    ) -> Option<Self::State> {
        let mut state = state.clone();
        for (place, operation) in call.iter().enumerate() {
            match operation {
                Operation::Append { key, value } => state.entry(*key).or_default().push(*value),
                Operation::Read { key } => {
                    let there = state.get(key).map(|list| Value::List(list.clone()));
                    let said = returned.map(|said| said.get(place));
                    if said.is_some_and(|said| said != Some(&Seen::Value(there))) {
                        return None;
                    }
                }
                Operation::Write { .. } | Operation::Add { .. } => {
                    unreachable!("no planned transaction has one")
                }
            }
        }
        Some(state)
    }
}
