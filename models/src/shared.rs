//! Components of a cluster's state as cheap handles.
//!
//! Millions of cluster states are made of a few thousand different nodes,
//! messages and client histories. A handle is either
//!
//! - interned: one of a [`crate::store::Table`], where every value stands
//!   once, with its hash. It is a pointer, equal values have equal pointers,
//!   and it is read without a lock. What is interned stays until the process
//!   ends.
//! - owned: counted, and gone with its last holder. Nothing is known of equal
//!   values elsewhere; it is compared and hashed by all of its content.
//!
//! A model's states have handles of one kind only. The hash of an interned
//! value is the hash of its content, by a function of our own: it differs
//! neither from run to run nor from thread to thread, so that nothing depends
//! on the order in which states were discovered.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// A value that costs little to hold, however large it is.
pub struct Shared<T: 'static>(Kind<T>);

enum Kind<T: 'static> {
    Interned(&'static Entry<T>),
    Owned(Arc<T>),
}

/// A value that stands once in a table, behind what is asked for most.
#[repr(C)]
pub(crate) struct Entry<T> {
    /// The hash of its content.
    pub(crate) hash: u64,
    /// How many values came into the table before it.
    pub(crate) number: u32,
    pub(crate) value: T,
}

impl<T> Entry<T> {
    /// A value that stays until the process ends, and that nobody compares or
    /// hashes. Whoever leaks several gives each its own number.
    pub(crate) fn leaked(number: u32, value: T) -> &'static Self {
        let hash = 0;
        Box::leak(Box::new(Entry {
            hash,
            number,
            value,
        }))
    }
}

impl<T> Shared<T> {
    pub(crate) fn interned(entry: &'static Entry<T>) -> Self {
        Shared(Kind::Interned(entry))
    }

    /// The same value, owned.
    pub(crate) fn into_owned(self) -> Self
    where
        T: Clone,
    {
        match self.0 {
            Kind::Interned(entry) => entry.value.clone().into(),
            Kind::Owned(_) => self,
        }
    }

    /// Whether both are the same stored value. Equal values that are interned
    /// in one table are.
    pub fn same(&self, other: &Self) -> bool {
        std::ptr::eq(&**self, &**other)
    }

    /// Where an interned value stands: half as long as a handle.
    ///
    /// # Panics
    ///
    /// If the value is owned.
    pub(crate) fn entry(&self) -> &'static Entry<T> {
        match &self.0 {
            Kind::Interned(entry) => entry,
            Kind::Owned(_) => panic!("an owned value stands in no table"),
        }
    }

    /// The number of an interned value: within its table as good as the value,
    /// and half as long as its address. Which value has which number differs
    /// from run to run.
    ///
    /// # Panics
    ///
    /// If the value is owned.
    pub(crate) fn number(&self) -> u32 {
        self.entry().number
    }

    /// The hash of an interned value's content.
    pub(crate) fn content_hash(&self) -> Option<u64> {
        match &self.0 {
            Kind::Interned(entry) => Some(entry.hash),
            Kind::Owned(_) => None,
        }
    }
}

impl<T> From<T> for Shared<T> {
    /// An owned value.
    fn from(value: T) -> Self {
        Shared(Kind::Owned(Arc::new(value)))
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        match &self.0 {
            Kind::Interned(entry) => Shared(Kind::Interned(entry)),
            Kind::Owned(value) => Shared(Kind::Owned(Arc::clone(value))),
        }
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;
    fn deref(&self) -> &T {
        match &self.0 {
            Kind::Interned(entry) => &entry.value,
            Kind::Owned(value) => value,
        }
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        self.same(other)
            || match (self.content_hash(), other.content_hash()) {
                (Some(one), Some(two)) if one != two => false,
                _ => **self == **other,
            }
    }
}

impl<T: Eq> Eq for Shared<T> {}

/// An interned value is hashed by the hash of its content: equal values of
/// different kinds have different hashes, as have those of two tables with
/// different salts.
impl<T: Hash> Hash for Shared<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            Kind::Interned(entry) => state.write_u64(entry.hash),
            Kind::Owned(value) => value.hash(state),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
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
    fn owned_values_are_compared_and_hashed_by_content() {
        let one = Shared::from(vec![1, 2, 3]);
        let other = Shared::from(vec![1, 2, 3]);
        assert!(!one.same(&other) && one.same(&one.clone()));
        assert_eq!(one, other);
        assert_ne!(one, Shared::from(vec![1, 2, 4]));
        let hash = |value: &Shared<_>| content_hash(0, value);
        assert_eq!(hash(&one), hash(&other));
        assert_eq!(hash(&one), content_hash(0, &vec![1, 2, 3]));
    }

    #[test]
    fn the_salt_changes_the_hash() {
        assert_ne!(content_hash(0, &7), content_hash(1, &7));
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
