//! Transfers between accounts, of which the total never changes (Jepsen's
//! bank). Half of the workers only read, all accounts at once; a transfer is
//! refused that would overdraw an account.

use std::collections::BTreeMap;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tribunal_checker::transactions::bank::{READ, TRANSFER};
use tribunal_histories::Value;
use tribunal_impls::adapter::{Completion, Invocation};

use super::transactions::{first_key, micro, probe, txn};
use super::{Shape, Workload};

/// What each account holds at first.
const BALANCE: i64 = 10;

/// The most that one transfer moves.
const AMOUNT_MAX: i64 = 5;

/// The generator of the workload `bank`.
pub struct Bank {
    nodes: u8,
    accounts: Vec<i64>,
    worker_streams: Vec<ChaCha8Rng>,
}

impl Bank {
    /// A generator whose every draw follows from `shape.seed` and the order of
    /// the calls.
    pub fn new(shape: &Shape) -> Self {
        let first = first_key(shape.nodes);
        Bank {
            nodes: shape.nodes,
            accounts: (first..first + shape.keys.max(2) as i64).collect(),
            worker_streams: shape.worker_streams(),
        }
    }

    fn each(&self, balance: Value) -> Value {
        let accounts = self.accounts.iter();
        Value::Map(
            accounts
                .map(|account| (account.to_string(), balance.clone()))
                .collect(),
        )
    }

    fn read(&self) -> Invocation {
        asks(READ, self.each(Value::Null))
    }
}

impl Workload for Bank {
    fn next(&mut self, worker: usize) -> Invocation {
        let stream = &mut self.worker_streams[worker];
        // Workers take turns at the nodes: every node gets both kinds.
        let only_reads = worker / usize::from(self.nodes.max(1)) % 2 == 1;
        if only_reads || stream.random_range(0..100) < 20 {
            return self.read();
        }
        let count = self.accounts.len();
        let from = stream.random_range(0..count);
        let to = (from + stream.random_range(1..count)) % count;
        let amount = stream.random_range(1..=AMOUNT_MAX);
        let parts = [
            ("from", self.accounts[from]),
            ("to", self.accounts[to]),
            ("amount", amount),
        ];
        let parts = parts.map(|(name, value)| (name.to_owned(), Value::Int(value)));
        asks(TRANSFER, Value::Map(BTreeMap::from(parts)))
    }

    fn observe(&mut self, _: &Invocation, _: &Completion) {}

    fn initial(&self) -> Value {
        self.each(Value::Int(BALANCE))
    }

    fn set_up(&self) -> Option<Invocation> {
        let accounts = self.accounts.iter();
        let deposits = accounts.map(|account| micro("w", *account, Value::Int(BALANCE)));
        Some(txn(deposits.collect()))
    }

    fn final_reads(&self) -> Vec<Invocation> {
        vec![self.read()]
    }

    fn probe(&self) -> Invocation {
        probe(self.nodes)
    }
}

fn asks(f: &str, value: Value) -> Invocation {
    Invocation {
        f: f.to_owned(),
        key: Value::Null,
        value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bank(seed: u64) -> Bank {
        Bank::new(&Shape {
            nodes: 3,
            seed,
            workers: 6,
            keys: 5,
            operations_per_key: 50,
        })
    }

    fn drawn(seed: u64) -> Vec<Invocation> {
        let mut bank = bank(seed);
        (0..600).map(|at| bank.next(at % 6)).collect()
    }

    #[test]
    fn the_same_seed_draws_the_same_operations() {
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
    }

    #[test]
    fn money_moves_between_two_accounts_that_there_are() {
        let bank = bank(1);
        let Value::Map(initial) = bank.initial() else {
            panic!("the initial balances are a map")
        };
        assert_eq!(initial.len(), 5);
        let mut transfers = 0;
        for invocation in drawn(3) {
            let Value::Map(parts) = &invocation.value else {
                panic!("every operation of a bank has a map")
            };
            if invocation.f == READ {
                assert!(parts.keys().eq(initial.keys()));
                continue;
            }
            transfers += 1;
            assert_ne!(parts["from"], parts["to"]);
            for end in ["from", "to"] {
                assert!(initial.contains_key(&parts[end].to_string()));
            }
            assert!(matches!(parts["amount"], Value::Int(1..=AMOUNT_MAX)));
        }
        assert!(transfers > 100);
    }

    #[test]
    fn what_the_accounts_hold_at_first_is_put_there_at_once() {
        let set_up = bank(1).set_up().unwrap();
        let Value::List(micros) = set_up.value else {
            panic!("a transaction is a list")
        };
        assert_eq!(micros.len(), 5);
        assert_eq!(micros[0].to_string(), r#"["w",3,10]"#);
    }
}
