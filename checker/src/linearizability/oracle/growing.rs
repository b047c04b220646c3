//! A list that is written as a whole, or grows: the one specification here
//! whose calls are possible everywhere and replace nothing.

use super::generate::{Random, Shape, guessed, happened};
use crate::specification::{Effect, Specification, TimedCall, TimedCallOf};

/// A list that is written as a whole, or grows.
#[derive(Clone, Debug)]
pub(crate) struct Growing;

/// Writes leave a list of one; what is read is the whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Grow {
    Read,
    Write(u8),
    Append(u8),
}

impl Specification for Growing {
    type State = Vec<u8>;
    type Call = Grow;
    type Return = Vec<u8>;

    fn initial(&self) -> Vec<u8> {
        Vec::new()
    }

    fn step(&self, state: &Vec<u8>, call: &Grow, seen: Option<&Vec<u8>>) -> Option<Vec<u8>> {
        match (call, seen) {
            (Grow::Read, Some(seen)) => (seen == state).then(|| state.clone()),
            (Grow::Read, None) => Some(state.clone()),
            (Grow::Write(value), _) => Some(vec![*value]),
            (Grow::Append(value), _) => Some([state.as_slice(), &[*value]].concat()),
        }
    }

    fn effect(&self, call: &Grow, seen: Option<&Vec<u8>>) -> Effect<Vec<u8>> {
        match call {
            Grow::Read => Effect::Observe(seen.cloned()),
            Grow::Write(value) => Effect::Replace(vec![*value]),
            Grow::Append(_) => Effect::Total,
        }
    }
}

fn any_call(random: &mut Random) -> Grow {
    let value = random.below(2) as u8;
    match random.below(5) {
        0 | 1 => Grow::Read,
        2 => Grow::Write(value),
        _ => Grow::Append(value),
    }
}

/// Calls of which most reads see a list that may have been there.
pub(crate) fn guessed_growing(
    random: &mut Random,
    count: usize,
    processes: u64,
) -> Vec<TimedCallOf<Growing>> {
    let mut held: Vec<u8> = Vec::new();
    let mut shadows: Vec<Vec<u8>> = vec![held.clone()];
    let calls = guessed(random, count, processes, 2);
    let growing = calls.into_iter().map(|call| {
        let asked = any_call(random);
        if random.below(4) > 0
            && let Some(next) = Growing.step(&held, &asked, None)
        {
            held = next;
            shadows.push(held.clone());
        }
        let recent = shadows.len() - 1 - random.below(2.min(shadows.len() as u64)) as usize;
        TimedCall {
            call: asked,
            invoked: call.invoked,
            completed: call.completed.map(|(at, _)| (at, shadows[recent].clone())),
        }
    });
    growing.collect()
}

/// A history that happened.
pub(crate) fn right_growing(random: &mut Random, shape: Shape) -> Vec<TimedCallOf<Growing>> {
    let answer = |state: &Vec<u8>, call: &Grow| match call {
        Grow::Read => state.clone(),
        Grow::Write(_) | Grow::Append(_) => Vec::new(),
    };
    happened(random, shape, &Growing, any_call, answer)
}
