//! Remembers how nodes react.
//!
//! The millions of steps of a model are a few thousand different ones: the
//! same node meets the same message again and again, in clusters that differ
//! elsewhere. A reaction depends on the node alone, so it is computed once.
//!
//! The key is the content hash of the node (with its number: equal nodes with
//! different numbers differ in configuration) and that of what happens, 128
//! bits in all. A path that is shown is replayed without a memo, so that even
//! a collision could only hide a state, never invent a violation.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use tribunal_protocol::machine::{Machine, Outcome};

use crate::network::Envelope;
use crate::node::Node;
use crate::shared::Shared;

/// How a node reacts, ready to be put into a cluster.
#[derive(Debug)]
pub(crate) enum Reaction<M: Machine> {
    /// The node stays as it is and says nothing.
    Nothing,
    /// What becomes of the node, and what leaves it.
    Something {
        /// The node afterwards.
        node: Shared<Node<M>>,
        /// Whether it differs from before.
        changed: bool,
        /// What leaves, in order.
        left: Vec<Left<M>>,
    },
    /// The machine panicked.
    Panic(String),
}

/// What leaves a node.
#[derive(Debug)]
pub(crate) enum Left<M: Machine> {
    /// A message to a peer.
    Send(Envelope<M>),
    /// An answer to a planned operation.
    Answer {
        /// Which.
        operation: usize,
        /// What it says.
        outcome: Outcome<M::Response>,
    },
}

/// Content hashes of a node and of what happens to it.
pub(crate) type Key = (u64, u64);

/// A map from keys to reactions that threads share.
pub(crate) struct Memo<M: Machine> {
    shards: Vec<Mutex<Shard<M>>>,
}

type Shard<M> = HashMap<Key, Arc<Reaction<M>>, BuildHasherDefault<Hashed>>;

/// Enough that two threads seldom want the same one.
const SHARDS: usize = 128;
/// A shard that grows beyond this is emptied: a memo may forget.
const SHARD_MAX: usize = 1 << 13;

impl<M: Machine> Memo<M> {
    /// Remembers nothing.
    pub(crate) fn new() -> Self {
        Memo {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// The reaction to what the key stands for, computed if it is not known.
    pub(crate) fn get(&self, key: Key, compute: impl FnOnce() -> Reaction<M>) -> Arc<Reaction<M>> {
        let shard = &self.shards[(mixed(key) >> 57) as usize % SHARDS];
        let known = lock(shard).get(&key).cloned();
        known.unwrap_or_else(|| {
            let reaction = Arc::new(compute());
            let mut shard = lock(shard);
            if shard.len() >= SHARD_MAX {
                shard.clear();
            }
            shard.insert(key, Arc::clone(&reaction));
            reaction
        })
    }
}

/// A memo holds no state that a panic could leave half written.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn mixed((node, event): Key) -> u64 {
    (node ^ event.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Keys are hashes already.
#[derive(Default)]
pub(crate) struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are words");
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = mixed((self.0, word));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
