//! Transactions that append to lists and read them (Elle's list-append).
//!
//! No value is appended twice to a key, so that a read of its list shows every
//! version that the key had, in order, and who made each.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tribunal_histories::Value;
use tribunal_impls::adapter::{Completion, Invocation};

use super::transactions::{first_key, micro, probe, read, txn};
use super::{Shape, Workload};

/// Micro-operations of a transaction, at most.
const LENGTH_MAX: usize = 4;

/// Of a hundred micro-operations so many read, in transactions that also
/// append.
const READS_IN_100: u32 = 50;

/// Of a hundred transactions so many only read.
const READERS_IN_100: u32 = 30;

/// The generator of the workload `list-append`.
pub struct ListAppend {
    shape: Shape,
    worker_streams: Vec<ChaCha8Rng>,
    keys: Vec<Key>,
    next_key: i64,
}

/// A key in use.
struct Key {
    key: i64,
    operations: u64,
    appended: i64,
}

impl ListAppend {
    /// A generator whose every draw follows from `shape.seed` and the order of
    /// the calls.
    pub fn new(shape: Shape) -> Self {
        let mut workload = ListAppend {
            worker_streams: shape.worker_streams(),
            keys: Vec::new(),
            next_key: first_key(shape.nodes),
            shape,
        };
        for _ in 0..workload.shape.keys.max(1) {
            let key = workload.new_key();
            workload.keys.push(key);
        }
        workload
    }

    fn new_key(&mut self) -> Key {
        let key = self.next_key;
        self.next_key += 1;
        Key {
            key,
            operations: 0,
            appended: 0,
        }
    }

    fn micro(&mut self, worker: usize, reads: bool) -> Value {
        let slot = self.worker_streams[worker].random_range(0..self.keys.len());
        if self.keys[slot].operations >= self.shape.operations_per_key {
            self.keys[slot] = self.new_key();
        }
        let key = &mut self.keys[slot];
        key.operations += 1;
        if reads {
            return read(key.key);
        }
        key.appended += 1;
        micro("append", key.key, Value::Int(key.appended))
    }
}

impl Workload for ListAppend {
    fn next(&mut self, worker: usize) -> Invocation {
        let stream = &mut self.worker_streams[worker];
        let length = stream.random_range(1..=LENGTH_MAX);
        let only_reads = stream.random_range(0..100) < READERS_IN_100;
        let mut micros = Vec::new();
        for _ in 0..length {
            let draw = self.worker_streams[worker].random_range(0..100);
            micros.push(self.micro(worker, only_reads || draw < READS_IN_100));
        }
        txn(micros)
    }

    fn observe(&mut self, _: &Invocation, _: &Completion) {}

    fn final_reads(&self) -> Vec<Invocation> {
        let keys = first_key(self.shape.nodes)..self.next_key;
        keys.map(|key| txn(vec![read(key)])).collect()
    }

    fn probe(&self) -> Invocation {
        probe(self.shape.nodes)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn workload(seed: u64) -> ListAppend {
        ListAppend::new(Shape {
            nodes: 3,
            seed,
            workers: 4,
            keys: 3,
            operations_per_key: 50,
        })
    }

    /// The parts of every micro-operation of so many transactions.
    fn drawn(workload: &mut ListAppend, count: usize) -> Vec<Vec<Value>> {
        let mut all = Vec::new();
        for at in 0..count {
            let Value::List(micros) = workload.next(at % 4).value else {
                panic!("a transaction is a list")
            };
            all.extend(micros.into_iter().map(|micro| match micro {
                Value::List(parts) => parts,
                other => panic!("{other} is no micro-operation"),
            }));
        }
        all
    }

    #[test]
    fn the_same_seed_draws_the_same_transactions() {
        let draw = |seed| drawn(&mut workload(seed), 500);
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn no_value_is_appended_twice_and_keys_are_replaced() {
        let mut appended = BTreeSet::new();
        let mut asked: BTreeMap<Value, u64> = BTreeMap::new();
        for parts in drawn(&mut workload(3), 1_000) {
            *asked.entry(parts[1].clone()).or_default() += 1;
            if parts[0] == "append".into() {
                assert!(appended.insert((parts[1].clone(), parts[2].clone())));
            }
        }
        assert!(appended.len() > 500 && asked.len() > 20);
        assert!(asked.values().all(|count| *count <= 50));
    }

    #[test]
    fn every_key_is_read_once_more_and_none_is_probed() {
        let mut workload = workload(1);
        let used: BTreeSet<Value> = drawn(&mut workload, 200)
            .into_iter()
            .map(|parts| parts[1].clone())
            .collect();
        let key_of = |micro: &Value| match micro {
            Value::List(parts) => parts[1].clone(),
            other => other.clone(),
        };
        let keys_of = |invocation: &Invocation| match &invocation.value {
            Value::List(micros) => micros.iter().map(key_of).collect::<BTreeSet<_>>(),
            _ => BTreeSet::new(),
        };
        let read: BTreeSet<Value> = workload.final_reads().iter().flat_map(keys_of).collect();
        assert!(read.is_superset(&used));
        let probed = keys_of(&workload.probe());
        assert_eq!(probed.len(), 3);
        assert!(read.is_disjoint(&probed));
    }
}
