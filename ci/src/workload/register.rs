//! Reads, writes and compare-and-sets of many keys, each a register of its own.
//!
//! Keys take turns at two kinds of values, because they expose different
//! mistakes. Where every value is distinct, a read names the write it saw, and
//! a lost or repeated write shows at once. Where values come from a small
//! domain, a cas often finds what it expects and takes effect twice unseen by
//! the first kind. Half of the workers only read: writers stuck behind a fault
//! must not starve the reads that would show a stale node.

use std::collections::{BTreeSet, VecDeque};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tribunal_histories::Value;
use tribunal_impls::adapter::{Completion, Invocation};

use super::{Shape, Workload, value_after};

/// How many values a key with a small domain takes.
const DOMAIN: i64 = 5;

/// How many lately seen values a key remembers for its next cas.
const REMEMBERED: usize = 4;

/// The stream that draws keys; workers' streams come after it.
const KEY_STREAM: u64 = 0;

/// A key no operation of the workload uses.
const PROBE_KEY: i64 = 0;

/// The generator of the workload `register`.
pub struct Register {
    shape: Shape,
    keys: Vec<Key>,
    key_stream: ChaCha8Rng,
    worker_streams: Vec<ChaCha8Rng>,
    next_key: i64,
    next_value: i64,
}

/// A key in use.
struct Key {
    key: i64,
    distinct: bool,
    operations_left: u64,
    /// Whether anything was asked of it.
    used: bool,
    lately_seen: VecDeque<Value>,
}

impl Register {
    /// A generator whose every draw follows from `shape.seed` and the order of
    /// the calls.
    pub fn new(shape: Shape) -> Self {
        let mut register = Register {
            keys: Vec::new(),
            key_stream: shape.stream(KEY_STREAM),
            worker_streams: shape.worker_streams(),
            next_key: PROBE_KEY + 1,
            next_value: DOMAIN,
            shape,
        };
        for _ in 0..register.shape.keys.max(1) {
            let key = register.new_key();
            register.keys.push(key);
        }
        register
    }

    fn new_key(&mut self) -> Key {
        let key = self.next_key;
        self.next_key += 1;
        // Jittered, or all keys would be replaced at the same moment and a
        // fault would meet only fresh ones.
        let most = self.shape.operations_per_key.max(1);
        let operations_left = self.key_stream.random_range(most - most / 5..=most);
        Key {
            key,
            distinct: key % 2 == 1,
            operations_left,
            used: false,
            lately_seen: VecDeque::new(),
        }
    }

    fn new_value(&mut self, worker: usize, distinct: bool) -> Value {
        if distinct {
            self.next_value += 1;
            return Value::Int(self.next_value);
        }
        Value::Int(self.worker_streams[worker].random_range(0..DOMAIN))
    }

    fn old_value(&mut self, worker: usize, slot: usize) -> Value {
        let seen = &self.keys[slot].lately_seen;
        if seen.is_empty() {
            return Value::Null;
        }
        // The newest half of the time: most cas should have a chance.
        let stream = &mut self.worker_streams[worker];
        let newest = stream.random_bool(0.5);
        let at = if newest {
            0
        } else {
            stream.random_range(0..seen.len())
        };
        seen[at].clone()
    }
}

impl Workload for Register {
    fn next(&mut self, worker: usize) -> Invocation {
        let slot = self.worker_streams[worker].random_range(0..self.keys.len());
        if self.keys[slot].operations_left == 0 {
            self.keys[slot] = self.new_key();
        }
        self.keys[slot].operations_left -= 1;
        self.keys[slot].used = true;
        let Key { key, distinct, .. } = self.keys[slot];
        let reads_in_100 = if worker % 2 == 1 { 100 } else { 25 };
        let draw = self.worker_streams[worker].random_range(0..100);
        let (f, value) = if draw < reads_in_100 {
            ("read", Value::Null)
        } else if draw % 2 == 0 {
            ("write", self.new_value(worker, distinct))
        } else {
            let old = self.old_value(worker, slot);
            let new = self.new_value(worker, distinct);
            ("cas", Value::List(vec![old, new]))
        };
        Invocation {
            f: f.to_owned(),
            key: Value::Int(key),
            value,
        }
    }

    fn observe(&mut self, invocation: &Invocation, completion: &Completion) {
        let Some(value) = value_after(invocation, completion) else {
            return;
        };
        let same = |key: &&mut Key| Value::Int(key.key) == invocation.key;
        let Some(key) = self.keys.iter_mut().find(same) else {
            return;
        };
        if key.lately_seen.front() != Some(&value) {
            key.lately_seen.push_front(value);
            key.lately_seen.truncate(REMEMBERED);
        }
    }

    fn final_reads(&self) -> Vec<Invocation> {
        // A key is replaced only when it is used up.
        let fresh = self.keys.iter().filter(|key| !key.used);
        let fresh: BTreeSet<i64> = fresh.map(|key| key.key).collect();
        let used = (PROBE_KEY + 1..self.next_key).filter(|key| !fresh.contains(key));
        used.map(read).collect()
    }

    fn probe(&self) -> Invocation {
        read(PROBE_KEY)
    }
}

fn read(key: i64) -> Invocation {
    Invocation {
        f: "read".to_owned(),
        key: Value::Int(key),
        value: Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn register(seed: u64) -> Register {
        Register::new(Shape {
            nodes: 3,
            seed,
            workers: 4,
            keys: 3,
            operations_per_key: 50,
        })
    }

    fn drawn(seed: u64, count: usize) -> Vec<Invocation> {
        let mut register = register(seed);
        let ask = |at: usize| {
            let invocation = register.next(at % 4);
            let done = Completion::Ok(invocation.value.clone());
            register.observe(&invocation, &done);
            invocation
        };
        (0..count).map(ask).collect()
    }

    #[test]
    fn the_same_seed_draws_the_same_operations() {
        assert_eq!(drawn(7, 500), drawn(7, 500));
        assert_ne!(drawn(7, 500), drawn(8, 500));
    }

    #[test]
    fn one_worker_draws_the_same_however_often_others_ask() {
        let alone = register(1).next(2);
        let mut busy = register(1);
        (0..20).for_each(|_| drop(busy.next(0)));
        assert_eq!(busy.next(2).f, alone.f);
        assert_eq!(busy.next(2).f, {
            let mut alone = register(1);
            alone.next(2);
            alone.next(2).f
        });
    }

    #[test]
    fn keys_are_used_up_and_replaced() {
        let mut asked: BTreeMap<Value, u64> = BTreeMap::new();
        for invocation in drawn(3, 2_000) {
            *asked.entry(invocation.key).or_default() += 1;
        }
        assert!(asked.len() > 30);
        assert!(asked.values().all(|count| *count <= 50));
    }

    #[test]
    fn every_kind_of_operation_is_asked_of_both_kinds_of_keys() {
        let kinds: BTreeSet<(String, bool)> = drawn(5, 500)
            .into_iter()
            .map(|i| (i.f, matches!(i.key, Value::Int(key) if key % 2 == 1)))
            .collect();
        assert_eq!(kinds.len(), 6);
    }

    #[test]
    fn values_of_odd_keys_are_written_once() {
        let mut written = BTreeSet::new();
        for invocation in drawn(5, 2_000) {
            let odd = matches!(invocation.key, Value::Int(key) if key % 2 == 1);
            let new = value_after(&invocation, &Completion::Info(String::new()));
            if let (true, Some(new)) = (odd, new) {
                assert!(written.insert(new));
            }
        }
    }

    #[test]
    fn a_cas_expects_a_value_that_was_lately_seen() {
        let mut register = register(9);
        let seen = Value::Int(123_456);
        for key in 1..=3 {
            register.observe(&read(key), &Completion::Ok(seen.clone()));
        }
        let cas = (0..).map(|_| register.next(0)).find(|i| i.f == "cas");
        let Some(Value::List(pair)) = cas.map(|i| i.value) else {
            panic!("a cas has a pair")
        };
        assert_eq!(pair[0], seen);
    }

    #[test]
    fn final_reads_ask_for_every_key_that_was_used_and_for_no_other() {
        let mut register = Register::new(Shape {
            keys: 200,
            operations_per_key: 3,
            ..register(2).shape
        });
        let used: BTreeSet<Value> = (0..300).map(|at| register.next(at % 4).key).collect();
        let read: BTreeSet<Value> = register.final_reads().into_iter().map(|i| i.key).collect();
        assert_eq!(used, read);
        assert!(!used.contains(&register.probe().key));
    }
}
