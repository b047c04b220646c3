//! Components of a cluster's state as cheap shared handles.
//!
//! Millions of cluster states are made of a few thousand different nodes,
//! messages and client histories. A [`Shared`] value is made once, hashed
//! once, and then cloned by counting.
//!
//! Its hash is the hash of its content, by a function of our own: it differs
//! neither from run to run nor from thread to thread, so that nothing depends
//! on the order in which states were discovered.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// A value that is stored once, with its hash, however often it is held.
pub struct Shared<T>(Arc<Entry<T>>);

struct Entry<T> {
    hash: u64,
    value: T,
}

/// Where the components of a model's states are stored.
#[derive(Clone, Copy, Debug)]
pub struct Store {
    salt: u64,
}

impl Store {
    /// A store with a salt: with another one every hash is another, so that
    /// values that were taken for one are so no more.
    pub fn new(salt: u64) -> Self {
        Store { salt }
    }

    /// What its hashes are salted with.
    pub fn salt(&self) -> u64 {
        self.salt
    }

    /// Stores a value.
    pub fn put<T: Hash>(&self, value: T) -> Shared<T> {
        let hash = content_hash(self.salt, &value);
        Shared(Arc::new(Entry { hash, value }))
    }
}

impl<T> Shared<T> {
    /// The hash of the value, the same in every run with the same salt.
    pub fn content_hash(&self) -> u64 {
        self.0.hash
    }

    /// Whether both are the same stored value; equal values may still be
    /// stored twice.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Shared(Arc::clone(&self.0))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        self.same(other) || (self.0.hash == other.0.hash && self.0.value == other.0.value)
    }
}

impl<T: Eq> Eq for Shared<T> {}

impl<T> Hash for Shared<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.value.fmt(f)
    }
}

/// Hashes a value, the same in every run with the same salt, on every machine
/// of one byte order.
pub fn content_hash<T: Hash + ?Sized>(salt: u64, value: &T) -> u64 {
    let mut hasher = Folding(SEED);
    hasher.fold(salt);
    value.hash(&mut hasher);
    hasher.finish()
}

const SEED: u64 = 0x243f_6a88_85a3_08d3;
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Folds each word into the state by a full multiplication, whose two halves
/// are then joined, so that every bit of the input reaches every bit of the
/// result (the principle of wyhash).
struct Folding(u64);

impl Folding {
    fn fold(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(FACTOR);
        self.0 = ((product >> 64) as u64 ^ product as u64).wrapping_add(SEED);
    }
}

impl Hasher for Folding {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.fold(u64::from_le_bytes(word));
        }
        self.fold(bytes.len() as u64);
    }

    fn write_u8(&mut self, word: u8) {
        self.fold(u64::from(word));
    }

    fn write_u16(&mut self, word: u16) {
        self.fold(u64::from(word));
    }

    fn write_u32(&mut self, word: u32) {
        self.fold(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.fold(word);
    }

    fn write_usize(&mut self, word: usize) {
        self.fold(word as u64);
    }

    fn finish(&self) -> u64 {
        let mut end = Folding(self.0);
        end.fold(FACTOR);
        end.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn equal_values_are_equal_however_they_are_stored() {
        let store = Store::new(0);
        let one = store.put(vec![1, 2, 3]);
        let other = store.put(vec![1, 2, 3]);
        assert!(!one.same(&other));
        assert_eq!(one, other);
        assert_eq!(one.content_hash(), other.content_hash());
        assert_ne!(one, store.put(vec![1, 2, 4]));
        let salted = Store::new(1).put(vec![1, 2, 3]);
        assert_ne!(one.content_hash(), salted.content_hash());
    }

    #[test]
    fn small_differences_reach_the_whole_hash() {
        let hashes: BTreeSet<u64> = (0..200_000_u64)
            .map(|n| content_hash(0, &(n % 447, n / 447)))
            .collect();
        assert_eq!(hashes.len(), 200_000);
        let low: BTreeSet<u64> = hashes.iter().map(|hash| hash & 0xfff).collect();
        let high: BTreeSet<u64> = hashes.iter().map(|hash| hash >> 52).collect();
        assert_eq!((low.len(), high.len()), (4096, 4096));
    }
}
