//! Sets of slots: which of the operations that are open at a moment.
//!
//! An operation holds a slot from its invocation to its completion, and slots
//! are used again, so a set is as wide as the history is concurrent, however
//! long it is. One word is enough for nearly all.

use std::fmt::Debug;
use std::hash::Hash;

use crate::bytes;

/// A set of slots.
pub(crate) trait Slots: Clone + Eq + Hash + Debug + Send {
    /// An empty set with room for so many slots.
    fn empty(slots: usize) -> Self;
    fn words(&self) -> &[u64];
    fn words_mut(&mut self) -> &mut [u64];
    /// How many bytes it holds on the heap.
    fn heap(&self) -> usize {
        0
    }

    fn contains(&self, slot: u32) -> bool {
        self.words()[slot as usize / 64] >> (slot % 64) & 1 == 1
    }

    fn insert(&mut self, slot: u32) {
        self.words_mut()[slot as usize / 64] |= 1 << (slot % 64);
    }

    fn remove(&mut self, slot: u32) {
        self.words_mut()[slot as usize / 64] &= !(1 << (slot % 64));
    }

    /// Calls `visit` with each slot that is in this set and not in `other`.
    fn each_without(&self, other: &Self, mut visit: impl FnMut(u32)) {
        for (word, (mine, theirs)) in (0..).zip(self.words().iter().zip(other.words())) {
            let mut left = mine & !theirs;
            while left != 0 {
                visit(word * 64 + left.trailing_zeros());
                left &= left - 1;
            }
        }
    }
}

impl<const N: usize> Slots for [u64; N] {
    fn empty(slots: usize) -> Self {
        assert!(slots <= N * 64, "{slots} slots do not fit {N} words");
        [0; N]
    }

    fn words(&self) -> &[u64] {
        self
    }

    fn words_mut(&mut self) -> &mut [u64] {
        self
    }
}

impl Slots for Box<[u64]> {
    fn heap(&self) -> usize {
        bytes::allocated(size_of_val::<[u64]>(self))
    }

    fn empty(slots: usize) -> Self {
        vec![0; slots.div_ceil(64)].into()
    }

    fn words(&self) -> &[u64] {
        self
    }

    fn words_mut(&mut self) -> &mut [u64] {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_beyond_a_word_are_told_apart() {
        let mut all: Box<[u64]> = Slots::empty(200);
        let mut some: Box<[u64]> = Slots::empty(200);
        for slot in [0, 63, 64, 199] {
            all.insert(slot);
        }
        some.insert(64);
        let mut left = Vec::new();
        all.each_without(&some, |slot| left.push(slot));
        assert_eq!(left, [0, 63, 199]);
        all.remove(63);
        assert!(!all.contains(63) && all.contains(199));
    }
}
