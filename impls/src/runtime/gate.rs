//! The gate: what may leave, and when.
//!
//! Filled by the host with everything a machine asks for, emptied towards the
//! transports and the disk. Knows no message, no socket and no file, so that
//! the one promise on which every proof rests can be tested alone.
//!
//! ```text
//!   push ──> [ held outputs, in order ] ──pop──> peers, clients
//!                 each: how many persists must be durable first
//!   persist ──> [ pending persists ] ──take_frame──> disk, one frame at a time
//!                                    <─frame_durable─
//! ```
//!
//! Order is kept across the whole node and not for each destination: an output
//! that waits for nothing still waits for its turn.

use std::collections::VecDeque;

use tribunal_protocol::Gate;

use super::mutant::Mutant;

/// Holds outputs of type `T` back until the persists, of records `R`, that
/// they wait for are durable.
#[derive(Debug)]
pub struct Gatekeeper<R, T> {
    held: VecDeque<Held<T>>,
    /// Persists that no frame carries yet, oldest first.
    pending: VecDeque<Vec<R>>,
    /// How many persists the frame in flight carries; 0 for no frame.
    in_flight: usize,
    /// How many persists were ever asked for, and how many are durable.
    asked: u64,
    durable: u64,
    /// How many outputs were ever taken, and how many have left.
    taken: u64,
    left: u64,
    /// Whether what is in flight counts as durable: never in a right runtime.
    trusts_in_flight: bool,
}

/// A moment: everything taken before it, and nothing taken since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    asked: u64,
    taken: u64,
}

/// An output that leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left<T> {
    /// The output.
    pub output: T,
    /// Whether a persist that was asked for before it is not durable.
    pub early: bool,
}

#[derive(Debug)]
struct Held<T> {
    /// How many persists must be durable before the output may leave.
    behind: u64,
    /// How many persists were asked for before it.
    after: u64,
    output: T,
}

impl<R, T> Default for Gatekeeper<R, T> {
    fn default() -> Self {
        Gatekeeper {
            held: VecDeque::new(),
            pending: VecDeque::new(),
            in_flight: 0,
            asked: 0,
            durable: 0,
            taken: 0,
            left: 0,
            trusts_in_flight: false,
        }
    }
}

impl<R, T> Gatekeeper<R, T> {
    /// A gate that is right, or one with a rule broken.
    pub fn new(mutant: Option<Mutant>) -> Self {
        Gatekeeper {
            trusts_in_flight: mutant == Some(Mutant::OutputsBeforeSync),
            ..Gatekeeper::default()
        }
    }

    /// Takes a persist: one atomic batch of records.
    pub fn persist(&mut self, records: Vec<R>) {
        self.asked += 1;
        self.pending.push_back(records);
    }

    /// Takes an output, behind everything taken before.
    pub fn push(&mut self, output: T, gate: Gate) {
        let behind = match gate {
            Gate::Durable => self.asked,
            Gate::Now => 0,
        };
        self.taken += 1;
        let after = self.asked;
        self.held.push_back(Held {
            behind,
            after,
            output,
        });
    }

    /// The next output that may leave now.
    pub fn pop(&mut self) -> Option<Left<T>> {
        let next = self.held.front()?;
        let trusted = match self.trusts_in_flight {
            true => self.in_flight as u64,
            false => 0,
        };
        if next.behind > self.durable + trusted {
            return None;
        }
        self.left += 1;
        let durable = self.durable;
        self.held.pop_front().map(|held| Left {
            early: held.after > durable,
            output: held.output,
        })
    }

    /// This moment.
    pub fn mark(&self) -> Mark {
        Mark {
            asked: self.asked,
            taken: self.taken,
        }
    }

    /// Whether every persist taken before a moment is durable and every
    /// output taken before it has left.
    pub fn has_passed(&self, mark: Mark) -> bool {
        self.durable >= mark.asked && self.left >= mark.taken
    }

    /// The persists of the next frame, at most `count_max`, oldest first;
    /// nothing while a frame is in flight.
    pub fn take_frame(&mut self, count_max: usize) -> Option<Vec<Vec<R>>> {
        if self.in_flight > 0 || self.pending.is_empty() {
            return None;
        }
        self.in_flight = self.pending.len().min(count_max.max(1));
        Some(self.pending.drain(..self.in_flight).collect())
    }

    /// The frame in flight is durable; gives how many persists it carried.
    pub fn frame_durable(&mut self) -> usize {
        let count = std::mem::take(&mut self.in_flight);
        self.durable += count as u64;
        count
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    type Gate1 = Gatekeeper<u32, u32>;

    const NOTHING: [u32; 0] = [];

    fn leave(gate: &mut Gate1) -> Vec<u32> {
        std::iter::from_fn(|| gate.pop())
            .map(|left| left.output)
            .collect()
    }

    #[test]
    fn an_output_waits_for_every_persist_before_it() {
        let mut gate = Gate1::default();
        gate.persist(vec![1]);
        gate.push(10, Gate::Durable);
        assert_eq!(leave(&mut gate), NOTHING);
        assert_eq!(gate.take_frame(9), Some(vec![vec![1]]));
        assert_eq!(leave(&mut gate), NOTHING, "written is not yet durable");
        assert_eq!(gate.frame_durable(), 1);
        assert_eq!(leave(&mut gate), [10]);
    }

    #[test]
    fn an_output_before_the_persist_does_not_wait_for_it() {
        let mut gate = Gate1::default();
        gate.push(10, Gate::Durable);
        gate.persist(vec![1]);
        assert_eq!(leave(&mut gate), [10]);
    }

    #[test]
    fn now_waits_for_no_persist_but_overtakes_nothing() {
        let mut gate = Gate1::default();
        gate.persist(vec![1]);
        gate.push(10, Gate::Now);
        gate.push(11, Gate::Durable);
        gate.push(12, Gate::Now);
        assert_eq!(leave(&mut gate), [10]);
        gate.take_frame(9);
        gate.frame_durable();
        assert_eq!(leave(&mut gate), [11, 12]);
    }

    #[test]
    fn one_frame_is_in_flight_and_the_next_carries_what_gathered() {
        let mut gate = Gate1::default();
        gate.persist(vec![1]);
        assert_eq!(gate.take_frame(9), Some(vec![vec![1]]));
        gate.persist(vec![2, 3]);
        gate.push(20, Gate::Durable);
        gate.persist(vec![4]);
        assert_eq!(gate.take_frame(9), None);
        assert_eq!(gate.frame_durable(), 1);
        assert_eq!(leave(&mut gate), NOTHING);
        assert_eq!(gate.take_frame(1), Some(vec![vec![2, 3]]));
        assert_eq!(gate.frame_durable(), 1);
        assert_eq!(leave(&mut gate), [20]);
        assert_eq!(gate.take_frame(9), Some(vec![vec![4]]));
    }

    #[test]
    fn a_moment_has_passed_when_all_before_it_is_durable_and_has_left() {
        let mut gate = Gate1::default();
        assert!(gate.has_passed(gate.mark()));
        gate.push(10, Gate::Now);
        gate.persist(vec![1]);
        let moment = gate.mark();
        gate.push(11, Gate::Now);
        gate.pop();
        assert!(!gate.has_passed(moment), "the persist is not durable");
        gate.take_frame(9);
        gate.frame_durable();
        assert!(gate.has_passed(moment));
        assert!(!gate.has_passed(gate.mark()), "11 has not left");
    }

    /// Against the promise, written down once more as plainly as possible.
    #[test]
    fn random_traffic_keeps_order_and_never_outruns_the_disk() {
        for seed in 0..200 {
            random_traffic(seed);
        }
    }

    fn random_traffic(seed: u64) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut gate = Gate1::default();
        let (mut asked, mut durable) = (0_usize, 0_usize);
        // For each output, in order: for how many persists it waits.
        let mut before: Vec<usize> = Vec::new();
        // The same, whether it waits for them or not.
        let mut stood: Vec<usize> = Vec::new();
        let mut left = 0;
        for _ in 0..300 {
            match random.random_range(0..5) {
                0 => {
                    gate.persist(vec![asked as u32]);
                    asked += 1;
                }
                1 => {
                    let waits = random.random_range(0..2) == 0;
                    gate.push(
                        before.len() as u32,
                        if waits { Gate::Durable } else { Gate::Now },
                    );
                    before.push(if waits { asked } else { 0 });
                    stood.push(asked);
                }
                2 => {
                    let frame = gate.take_frame(random.random_range(1..4));
                    for (place, records) in frame.into_iter().flatten().enumerate() {
                        assert_eq!(records[0] as usize, durable + place, "seed {seed}: order");
                    }
                }
                3 => durable += gate.frame_durable(),
                _ => {
                    for Left { output, early } in std::iter::from_fn(|| gate.pop()) {
                        assert_eq!(output as usize, left, "seed {seed}: outputs out of order");
                        assert!(before[left] <= durable, "seed {seed}: left too early");
                        assert_eq!(early, stood[left] > durable, "seed {seed}: said when");
                        left += 1;
                    }
                    let next = before.get(left);
                    assert!(
                        next.is_none_or(|n| *n > durable),
                        "seed {seed}: held too long"
                    );
                }
            }
        }
    }
}
