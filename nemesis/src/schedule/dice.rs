//! Randomness that stays the same, whatever a random number library does in
//! its next version.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::fault::Node;

/// The randomness of one component of a run: independent of every other
/// component's, and the same for the same seed and name.
pub fn stream(seed: u64, component: &str) -> ChaCha8Rng {
    // FNV-1a: a name's stream must not change with a build or a platform.
    let number = component
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    rng
}

/// Draws from one stream.
pub(super) struct Dice(pub ChaCha8Rng);

impl Dice {
    /// A number below `limit`, which must not be 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(limit)) >> 64) as u64
    }

    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least) + 1)
    }

    /// The place of one of `weights`, which must not all be 0.
    pub fn weighted(&mut self, weights: impl Iterator<Item = u64> + Clone) -> usize {
        let mut left = self.below(weights.clone().sum());
        for (place, weight) in weights.enumerate() {
            match left.checked_sub(weight) {
                Some(rest) => left = rest,
                None => return place,
            }
        }
        unreachable!("less was drawn than the sum of the weights")
    }

    /// `size` of `nodes`, in order.
    pub fn subset(&mut self, mut nodes: Vec<Node>, size: usize) -> Vec<Node> {
        while nodes.len() > size {
            let gone = self.below(nodes.len() as u64) as usize;
            nodes.remove(gone);
        }
        nodes
    }
}
