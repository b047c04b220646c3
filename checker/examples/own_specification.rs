//! A specification of one's own: a register of which only the largest value
//! stays, and a history of it that is judged.
//!
//! `cargo run -p tribunal-checker --example own_specification`

use tribunal_checker::is_linearizable_small;
use tribunal_checker::specification::{Effect, Specification, TimedCall, TimedCallOf};

/// Holds the largest number that was ever offered to it; 0 at first.
#[derive(Clone, Debug)]
struct MaxRegister;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Call {
    Offer(u64),
    Read,
}

impl Specification for MaxRegister {
    type State = u64;
    type Call = Call;
    /// What a read found; an offer answers nothing.
    type Return = Option<u64>;

    fn initial(&self) -> u64 {
        0
    }

    fn step(&self, state: &u64, call: &Call, returned: Option<&Option<u64>>) -> Option<u64> {
        match (call, returned) {
            // Whatever it answers, and also if nobody knows: it is carried out.
            (Call::Offer(value), None | Some(None)) => Some(*state.max(value)),
            (Call::Read, None) => Some(*state),
            (Call::Read, Some(Some(seen))) => (seen == state).then_some(*state),
            (Call::Offer(_), Some(Some(_))) | (Call::Read, Some(None)) => None,
        }
    }

    // Only to be quick. Without it the verdicts are the same.
    fn effect(&self, call: &Call, returned: Option<&Option<u64>>) -> Effect<u64> {
        match (call, returned) {
            (Call::Offer(_), None | Some(None)) => Effect::Total,
            (Call::Read, Some(Some(seen))) => Effect::Observe(Some(*seen)),
            (Call::Read, _) => Effect::Observe(None),
            (Call::Offer(_), Some(Some(_))) => Effect::Other,
        }
    }
}

/// What was asked and when; what was answered and when, if that is known.
fn called(
    call: Call,
    invoked: u32,
    completed: Option<(u32, Option<u64>)>,
) -> TimedCallOf<MaxRegister> {
    TimedCall {
        call,
        invoked,
        completed,
    }
}

fn main() {
    let mut history = vec![
        called(Call::Offer(5), 0, Some((3, None))),
        called(Call::Offer(3), 1, Some((2, None))),
        // The answer was lost: it may have taken effect, and may still.
        called(Call::Offer(9), 4, None),
        called(Call::Read, 5, Some((6, Some(5)))),
        called(Call::Read, 7, Some((8, Some(9)))),
    ];
    assert!(is_linearizable_small(&MaxRegister, &history));
    println!("5, then 9: linearizable");

    history.push(called(Call::Read, 9, Some((10, Some(5)))));
    assert!(!is_linearizable_small(&MaxRegister, &history));
    println!("5, then 9, then 5 again: not linearizable");
}
