//! What a seed draws.

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Draws from one stream of a seed.
pub(super) struct Dice(ChaCha8Rng);

/// What a stream is for. Each part of a run has its own, so that what one
/// part draws does not shift what another does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stream {
    Conditions,
    Safety,
    Core,
    Liveness,
}

impl Dice {
    pub(super) fn new(seed: u64, stream: Stream) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(stream as u64);
        Dice(random)
    }

    /// A number from `least` to `most`, both included.
    pub(super) fn between(&mut self, least: u64, most: u64) -> u64 {
        self.0.random_range(least..=most.max(least))
    }

    /// Whether something happens that happens so many times in a thousand.
    pub(super) fn chance(&mut self, permille: u64) -> bool {
        permille > 0 && self.between(1, 1000) <= permille
    }

    /// One of several, if there is any.
    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.choose(&mut self.0)
    }

    /// One of several that there certainly are.
    pub(super) fn one<T: Copy>(&mut self, from: &[T]) -> T {
        *self.pick(from).expect("there is something to draw from")
    }

    /// So many of `from`, in their order.
    pub(super) fn some<T>(&mut self, mut from: Vec<T>, count: usize) -> Vec<T> {
        while from.len() > count {
            let gone = self.between(0, from.len() as u64 - 1);
            from.remove(gone as usize);
        }
        from
    }
}
