//! Where interned values stand, and what is remembered of them.
//!
//! Tables and memos are read millions of times a second and written some
//! thousand times in all. So every thread has a front of its own, which only
//! it reads and writes; what that lacks is looked up behind it, in shards with
//! a lock each.

use std::cell::RefCell;
use std::collections::hash_map::Entry as Slot;
use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashTable;
use rustc_hash::{FxBuildHasher, FxHashMap};
use thread_local::ThreadLocal;

use crate::shared::{Entry, Shared, content_hash};

/// Enough that two threads seldom want the same one.
const SHARDS: usize = 64;

/// A front that grows beyond this is emptied, where what it held is found
/// behind it or soon computed again.
const FRONT_MAX: usize = 1 << 20;

/// Every value once.
pub(crate) struct Table<T: 'static> {
    salt: u64,
    shards: Vec<Mutex<Interned<T>>>,
    /// The number of the next value; memory ends long before the numbers do.
    next: AtomicU32,
}

/// The values whose hashes belong to one shard.
type Interned<T> = HashTable<&'static Entry<T>>;

impl<T: Hash + Eq + Clone> Table<T> {
    /// An empty table, whose hashes are salted.
    pub(crate) fn new(salt: u64) -> Self {
        Table {
            salt,
            shards: shards(),
            next: AtomicU32::new(0),
        }
    }

    /// The value, as it stands in the table.
    pub(crate) fn put(&self, value: T) -> Shared<T> {
        let hash = content_hash(self.salt, &value);
        let mut shard = lock(&self.shards[shard(hash)]);
        let equals = |entry: &&Entry<T>| entry.hash == hash && entry.value == value;
        if let Some(known) = shard.find(hash, equals) {
            return Shared::interned(known);
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let entry: &'static Entry<T> = Box::leak(Box::new(Entry {
            hash,
            number,
            value,
        }));
        shard.insert_unique(hash, entry, |entry| entry.hash);
        Shared::interned(entry)
    }

    /// The value, as it stands in the table, unless it is interned already.
    pub(crate) fn keep(&self, value: Shared<T>) -> Shared<T> {
        match value.content_hash() {
            Some(_) => value,
            None => self.put((*value).clone()),
        }
    }

    /// How many values stand in it.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let shards = self.shards.iter();
        shards.map(|shard| lock(shard).len()).sum()
    }
}

/// What is known of keys, computed once.
pub(crate) struct Memo<K: Send, V: Send> {
    fronts: ThreadLocal<Front<K, V>>,
    /// How much a front holds before it is emptied.
    front_max: usize,
    /// What is known to every thread; none if each remembers for itself.
    shards: Vec<Mutex<FxHashMap<K, V>>>,
}

/// What one thread knows. On cache lines of its own: a look marks it as
/// borrowed, which would make a neighbour wait.
#[repr(align(128))]
struct Front<K, V>(RefCell<FxHashMap<K, V>>);

impl<K: Hash + Eq + Clone + Send, V: Clone + Send> Memo<K, V> {
    /// Remembers nothing; for so many threads. One that is alone needs nothing
    /// behind its front, and keeps all there.
    pub(crate) fn new(threads: usize) -> Self {
        let alone = threads == 1;
        Memo {
            fronts: ThreadLocal::new(),
            front_max: if alone { usize::MAX } else { FRONT_MAX },
            shards: if alone { Vec::new() } else { shards() },
        }
    }

    /// The same, but each thread remembers for itself: for what is computed
    /// about as fast as it is fetched from behind the front.
    pub(crate) fn unshared() -> Self {
        Memo {
            fronts: ThreadLocal::new(),
            front_max: FRONT_MAX,
            shards: Vec::new(),
        }
    }

    /// What belongs to the key, computed if it is not known. Where two threads
    /// compute it at once both get what the first of them remembered.
    pub(crate) fn get(&self, key: K, compute: impl FnOnce() -> V) -> V {
        let Front(front) = self.fronts.get_or(|| Front(RefCell::default()));
        if let Some(known) = front.borrow().get(&key) {
            return known.clone();
        }
        let value = match self.shards.is_empty() {
            true => compute(),
            false => self.get_behind(&key, compute),
        };
        let mut front = front.borrow_mut();
        if front.len() >= self.front_max {
            front.clear();
        }
        front.insert(key, value.clone());
        value
    }

    /// The same, of what is not in this thread's front.
    fn get_behind(&self, key: &K, compute: impl FnOnce() -> V) -> V {
        let shard = &self.shards[shard(FxBuildHasher.hash_one(key))];
        if let Some(known) = lock(shard).get(key) {
            return known.clone();
        }
        let value = compute();
        match lock(shard).entry(key.clone()) {
            Slot::Occupied(known) => known.get().clone(),
            Slot::Vacant(slot) => slot.insert(value).clone(),
        }
    }
}

/// What several threads find out, by hashes that are as good as what they are
/// of.
pub(crate) struct Known<V> {
    shards: Vec<Mutex<FxHashMap<u64, V>>>,
}

impl<V: Copy> Known<V> {
    /// Nothing.
    pub(crate) fn new() -> Self {
        Known { shards: shards() }
    }

    /// What is known.
    pub(crate) fn get(&self, hash: u64) -> Option<V> {
        lock(&self.shards[shard(hash)]).get(&hash).copied()
    }

    /// That is known from now on.
    pub(crate) fn put(&self, hash: u64, value: V) {
        lock(&self.shards[shard(hash)]).insert(hash, value);
    }

    /// Of how many something is known.
    pub(crate) fn len(&self) -> usize {
        let shards = self.shards.iter();
        shards.map(|shard| lock(shard).len()).sum()
    }
}

fn shards<T: Default>() -> Vec<Mutex<T>> {
    (0..SHARDS).map(|_| Mutex::default()).collect()
}

/// By bits that a table uses neither for the place nor for the tag of an entry.
fn shard(hash: u64) -> usize {
    (hash >> 20) as usize % SHARDS
}

/// Nothing that a panic could leave half written is done under a lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn equal_values_stand_once_whoever_puts_them() {
        let table = Table::new(0);
        let put = || (0..1000_u64).map(|n| table.put(vec![n / 2])).collect();
        let [one, other]: [Vec<Shared<Vec<u64>>>; 2] = std::thread::scope(|scope| {
            let threads = [scope.spawn(put), scope.spawn(put)];
            threads.map(|thread| thread.join().expect("no panic"))
        });
        assert_eq!(table.len(), 500);
        for (one, other) in one.iter().zip(&other) {
            assert!(one.same(other) && one == other && one.number() == other.number());
        }
        let numbers: BTreeSet<u32> = one.iter().map(Shared::number).collect();
        assert!(numbers.into_iter().eq(0..500));
        assert_ne!(one[0], one[2]);
        let hash = content_hash(0, &one[0]);
        assert_ne!(hash, content_hash(0, &Table::new(1).put(vec![0])));
    }

    #[test]
    fn what_is_known_is_not_computed_again() {
        assert_eq!(computed_by_two_threads(&Memo::new(2)), 2);
        // 3 and 4, and 3 once more by the other thread.
        assert_eq!(computed_by_two_threads(&Memo::unshared()), 3);
    }

    /// How often squares are computed, of which one thread asks for two and
    /// another for one of them.
    fn computed_by_two_threads(memo: &Memo<u64, u64>) -> usize {
        let computed = AtomicUsize::new(0);
        let square = |n: u64| {
            memo.get(n, || {
                computed.fetch_add(1, Ordering::Relaxed);
                n * n
            })
        };
        for _ in 0..3 {
            assert_eq!((square(3), square(4)), (9, 16));
        }
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(square(3), 9));
        });
        computed.into_inner()
    }
}
