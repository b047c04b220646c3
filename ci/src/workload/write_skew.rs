//! Pairs of keys of which each transaction reads both and writes one (the
//! write skew of Berenson et al., "A Critique of ANSI SQL Isolation Levels",
//! 1995).
//!
//! Two transactions that each miss what the other writes are what no order
//! explains and most ways of saving locks allow. Every value is written once
//! and every writer has read what it overwrites, so that the versions of a key
//! are known with their order.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tribunal_histories::Value;
use tribunal_impls::adapter::{Completion, Invocation};

use super::transactions::{first_key, micro, probe, read, txn};
use super::{Shape, Workload};

/// Of a hundred transactions so many only read.
const READERS_IN_100: u32 = 25;

/// The generator of the workload `write-skew`.
pub struct WriteSkew {
    shape: Shape,
    worker_streams: Vec<ChaCha8Rng>,
    /// The first key of each pair in use, and how often it was asked for; the
    /// second key follows the first, and belongs to another node.
    pairs: Vec<(i64, u64)>,
    next_key: i64,
    next_value: i64,
}

impl WriteSkew {
    /// A generator whose every draw follows from `shape.seed` and the order of
    /// the calls.
    pub fn new(shape: Shape) -> Self {
        let mut workload = WriteSkew {
            worker_streams: shape.worker_streams(),
            pairs: Vec::new(),
            next_key: first_key(shape.nodes),
            next_value: 0,
            shape,
        };
        for _ in 0..(workload.shape.keys / 2).max(1) {
            let pair = workload.new_pair();
            workload.pairs.push(pair);
        }
        workload
    }

    fn new_pair(&mut self) -> (i64, u64) {
        let key = self.next_key;
        self.next_key += 2;
        (key, 0)
    }
}

impl Workload for WriteSkew {
    fn next(&mut self, worker: usize) -> Invocation {
        let slot = self.worker_streams[worker].random_range(0..self.pairs.len());
        // A transaction asks each of the two keys at least once.
        if self.pairs[slot].1 >= self.shape.operations_per_key {
            self.pairs[slot] = self.new_pair();
        }
        self.pairs[slot].1 += 1;
        let (first, _) = self.pairs[slot];
        let mut micros = vec![read(first), read(first + 1)];
        let stream = &mut self.worker_streams[worker];
        if stream.random_range(0..100) >= READERS_IN_100 {
            let key = first + i64::from(stream.random_bool(0.5));
            self.next_value += 1;
            micros.push(micro("w", key, Value::Int(self.next_value)));
        }
        txn(micros)
    }

    fn observe(&mut self, _: &Invocation, _: &Completion) {}

    fn final_reads(&self) -> Vec<Invocation> {
        let pairs = (first_key(self.shape.nodes)..self.next_key).step_by(2);
        pairs
            .map(|first| txn(vec![read(first), read(first + 1)]))
            .collect()
    }

    fn probe(&self) -> Invocation {
        probe(self.shape.nodes)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn workload(seed: u64) -> WriteSkew {
        WriteSkew::new(Shape {
            nodes: 3,
            seed,
            workers: 4,
            keys: 4,
            operations_per_key: 50,
        })
    }

    fn drawn(seed: u64) -> Vec<Invocation> {
        let mut workload = workload(seed);
        (0..500).map(|at| workload.next(at % 4)).collect()
    }

    #[test]
    fn the_same_seed_draws_the_same_transactions() {
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
    }

    #[test]
    fn every_transaction_reads_a_pair_and_writes_at_most_one_of_it() {
        let mut written = BTreeSet::new();
        for invocation in drawn(3) {
            let Value::List(micros) = invocation.value else {
                panic!("a transaction is a list")
            };
            let parts: Vec<(Value, i64, Value)> = micros
                .iter()
                .map(|micro| match micro {
                    Value::List(parts) => match &parts[..] {
                        [f, Value::Int(key), value] => (f.clone(), *key, value.clone()),
                        _ => panic!("{micro} is no micro-operation"),
                    },
                    _ => panic!("{micro} is no micro-operation"),
                })
                .collect();
            assert_eq!(parts[0].1 + 1, parts[1].1);
            assert!(parts[..2].iter().all(|(f, ..)| *f == "r".into()));
            if let Some((f, key, value)) = parts.get(2) {
                assert_eq!(*f, "w".into());
                assert!([parts[0].1, parts[1].1].contains(key));
                assert!(written.insert(value.clone()));
            }
        }
        assert!(written.len() > 300);
    }

    #[test]
    fn every_pair_is_read_once_more() {
        let mut workload = workload(1);
        let used: BTreeSet<i64> = (0..500)
            .map(|at| {
                workload.next(at % 4);
                workload.pairs.iter().map(|pair| pair.0).max().unwrap()
            })
            .collect();
        let reads = workload.final_reads();
        assert!(reads.len() >= used.len() && used.len() > 3);
    }
}
