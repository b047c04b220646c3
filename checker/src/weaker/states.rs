//! States that were visited, compared in full and held close together.

use std::hash::BuildHasher;

use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::bytes;

/// A set of states, each a row of numbers.
#[derive(Default)]
pub(super) struct States {
    numbers: Vec<u32>,
    /// By state, where its numbers end, and the state before it whose hash is
    /// the same, counted from 1.
    ends: Vec<(usize, u32)>,
    /// The last state of each hash, counted from 1.
    last: FxHashMap<u64, u32>,
}

impl States {
    /// Adds the state whose numbers `write` appends; whether it is new. After
    /// 2^32 - 1 states none counts as visited any more.
    pub(super) fn insert(&mut self, write: impl FnOnce(&mut Vec<u32>)) -> bool {
        let start = self.numbers.len();
        write(&mut self.numbers);
        let (old, new) = self.numbers.split_at(start);
        let hash = FxBuildHasher.hash_one(new);
        let last = self.last.get(&hash).copied();
        let mut same = last;
        while let Some(place) = same.and_then(|it| it.checked_sub(1)) {
            let place = place as usize;
            let from = place.checked_sub(1).map_or(0, |before| self.ends[before].0);
            let (end, before) = self.ends[place];
            if old[from..end] == *new {
                self.numbers.truncate(start);
                return false;
            }
            same = Some(before);
        }
        match u32::try_from(self.ends.len() + 1) {
            Ok(number) => {
                self.last.insert(hash, number);
                self.ends.push((self.numbers.len(), last.unwrap_or(0)));
            }
            Err(_) => self.numbers.truncate(start),
        }
        true
    }

    /// How much it holds.
    pub(super) fn bytes(&self) -> usize {
        self.numbers.capacity() * size_of::<u32>()
            + self.ends.capacity() * size_of::<(usize, u32)>()
            + bytes::table::<(u64, u32)>(self.last.capacity(), self.last.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_new_once() {
        let mut states = States::default();
        let mut insert = |state: &[u32]| states.insert(|row| row.extend_from_slice(state));
        for state in [&[][..], &[1], &[1, 2], &[2, 1], &[0]] {
            assert!(insert(state));
            assert!(!insert(state));
        }
        assert!((0..10_000).all(|number| insert(&[number, 7])));
        assert!((0..10_000).all(|number| !insert(&[number, 7])));
        assert!(states.bytes() > 80_000);
    }

    #[test]
    fn states_of_one_hash_are_told_apart() {
        let mut states = States::default();
        assert!(states.insert(|row| row.push(1)));
        let hash = FxBuildHasher.hash_one([2_u32].as_slice());
        states.last = FxHashMap::from_iter([(hash, 1)]);
        assert!(states.insert(|row| row.push(2)));
        assert!(!states.insert(|row| row.push(2)));
    }
}
