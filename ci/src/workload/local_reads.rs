//! Writes, and reads of what single nodes have.
//!
//! Every value is written once, so that a read names the write it saw. Reads
//! and writes are those of [`tribunal_checker::local_reads`], which judges
//! them; most workers read, each at a node of its own, since it is old nodes
//! that are on trial.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tribunal_checker::local_reads::{GET, SET};
use tribunal_histories::Value;
use tribunal_impls::adapter::{Completion, Invocation};

use super::{Shape, Workload};

/// A key no operation of the workload uses.
const PROBE_KEY: i64 = 0;

/// Of a hundred operations so many read.
const READS_IN_100: u32 = 70;

/// The generator of the workload `local-reads`.
pub struct LocalReads {
    shape: Shape,
    worker_streams: Vec<ChaCha8Rng>,
    /// How often each key in use was asked for; the last keys are in use.
    asked: Vec<u64>,
    first_key: i64,
    next_value: i64,
}

impl LocalReads {
    /// A generator whose every draw follows from `shape.seed` and the order of
    /// the calls.
    pub fn new(shape: Shape) -> Self {
        LocalReads {
            worker_streams: shape.worker_streams(),
            asked: vec![0; shape.keys.max(1)],
            first_key: PROBE_KEY + 1,
            next_value: 0,
            shape,
        }
    }

    /// One of the keys in use. Once the oldest is used up another takes its
    /// place.
    fn key(&mut self, worker: usize) -> i64 {
        if self.asked[0] >= self.shape.operations_per_key.max(1) {
            self.asked.rotate_left(1);
            if let Some(last) = self.asked.last_mut() {
                *last = 0;
            }
            self.first_key += 1;
        }
        let slot = self.worker_streams[worker].random_range(0..self.asked.len());
        self.asked[slot] += 1;
        self.first_key + slot as i64
    }
}

impl Workload for LocalReads {
    fn next(&mut self, worker: usize) -> Invocation {
        let key = self.key(worker);
        if self.worker_streams[worker].random_range(0..100) < READS_IN_100 {
            return asks(GET, key, Value::Null);
        }
        self.next_value += 1;
        asks(SET, key, Value::Int(self.next_value))
    }

    fn observe(&mut self, _: &Invocation, _: &Completion) {}

    fn final_reads(&self) -> Vec<Invocation> {
        let last = self.first_key + self.asked.len() as i64;
        let keys = PROBE_KEY + 1..last;
        keys.map(|key| asks(GET, key, Value::Null)).collect()
    }

    /// By a transaction: any node that runs would answer a local read.
    fn probe(&self) -> Invocation {
        asks("read", PROBE_KEY, Value::Null)
    }
}

fn asks(f: &str, key: i64, value: Value) -> Invocation {
    Invocation {
        f: f.to_owned(),
        key: Value::Int(key),
        value,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn drawn(seed: u64, count: usize) -> Vec<Invocation> {
        let mut workload = LocalReads::new(Shape {
            nodes: 3,
            seed,
            workers: 4,
            keys: 3,
            operations_per_key: 50,
        });
        (0..count).map(|at| workload.next(at % 4)).collect()
    }

    #[test]
    fn the_same_seed_draws_the_same_operations() {
        assert_eq!(drawn(7, 500), drawn(7, 500));
        assert_ne!(drawn(7, 500), drawn(8, 500));
    }

    #[test]
    fn no_value_is_written_twice_and_keys_are_replaced() {
        let mut values = BTreeSet::new();
        let mut asked: BTreeMap<Value, u64> = BTreeMap::new();
        for invocation in drawn(3, 2_000) {
            *asked.entry(invocation.key).or_default() += 1;
            if invocation.f == SET {
                assert!(values.insert(invocation.value));
            }
        }
        assert!(values.len() > 400 && asked.len() > 10);
    }

    #[test]
    fn every_key_that_was_asked_for_is_read_once_more() {
        let mut workload = LocalReads::new(Shape {
            nodes: 3,
            seed: 1,
            workers: 1,
            keys: 2,
            operations_per_key: 5,
        });
        let asked: BTreeSet<Value> = (0..100).map(|_| workload.next(0).key).collect();
        let read = workload.final_reads().into_iter().map(|read| read.key);
        assert!(read.collect::<BTreeSet<Value>>().is_superset(&asked));
    }
}
