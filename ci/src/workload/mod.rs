//! Workloads: what clients ask, and which checker judges what they saw.
//!
//! A workload is a pure generator: it draws the next operation for a worker
//! from that worker's own stream, and learns from completions. It knows no
//! time, no node and no system, so it can be tested without any.

mod bank;
mod list_append;
mod local_reads;
mod register;
mod suspects;
mod transactions;
mod write_skew;

use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tribunal_checker::transactions::bank as banking;
use tribunal_checker::transactions::{Level, TXN};
use tribunal_checker::{Spec, local_reads as reads};
use tribunal_histories::{Header, Value};
use tribunal_impls::adapter::{Capability, Completion, Invocation};
use tribunal_impls::client::SUSPECTS;

pub use bank::Bank;
pub use list_append::ListAppend;
pub use local_reads::LocalReads;
pub use register::Register;
pub use suspects::Suspects;
pub use write_skew::WriteSkew;

use crate::oracle::Oracle;

/// How much a workload asks of which keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The seed of every stream.
    pub seed: u64,
    /// How many nodes there are.
    pub nodes: u8,
    /// How many workers ask; each has its own stream.
    pub workers: usize,
    /// How many keys are in use at once.
    pub keys: usize,
    /// About how many operations a key serves before a new one replaces it;
    /// short histories are judged faster.
    pub operations_per_key: u64,
}

impl Shape {
    /// One of the streams of randomness.
    fn stream(&self, number: u64) -> ChaCha8Rng {
        let mut stream = ChaCha8Rng::seed_from_u64(self.seed);
        stream.set_stream(number);
        stream
    }

    /// A stream for each worker; that of the number 0 is nobody's.
    fn worker_streams(&self) -> Vec<ChaCha8Rng> {
        let numbers = 1..=self.workers as u64;
        numbers.map(|number| self.stream(number)).collect()
    }
}

/// A generator of operations.
pub trait Workload: Send {
    /// The next operation for a worker.
    fn next(&mut self, worker: usize) -> Invocation;

    /// Learns what became of an operation.
    fn observe(&mut self, invocation: &Invocation, completion: &Completion);

    /// What every key holds when the load begins, as the history's header says
    /// it.
    fn initial(&self) -> Value {
        Value::Null
    }

    /// What lets the keys hold that; done once, before the load, off the
    /// record.
    fn set_up(&self) -> Option<Invocation> {
        None
    }

    /// The reads that ask once more for everything the run touched.
    fn final_reads(&self) -> Vec<Invocation>;

    /// Whether a final read shows that nothing is left to wait for, where the
    /// system is given time to come to rest.
    fn is_at_rest(&self, completion: &Completion) -> bool {
        let _ = completion;
        true
    }

    /// An operation without effect, on nothing that the run touches; a system
    /// that completes it is able to serve.
    fn probe(&self) -> Invocation;
}

/// A workload as the command line offers it.
pub struct Entry {
    /// The name, as `--workload` takes it.
    pub name: &'static str,
    /// What it asks, in a sentence.
    pub about: &'static str,
    /// The operations it asks for.
    pub operations: &'static [&'static str],
    /// Those of them that a system in good health may refuse without telling
    /// that it does so for what it found: their failures say nothing about how
    /// available it is.
    pub refusable: &'static [&'static str],
    /// What judges it.
    pub judge: Judge,
    /// What kind of system it asks.
    pub asks: Asks,
    /// What a system must be able to do for it beside.
    pub needs: Option<Capability>,
    /// How a run goes where nobody says.
    pub usual: Usual,
    /// Makes the generator.
    pub make: fn(Shape) -> Box<dyn Workload>,
}

/// A kind of system, by what its nodes answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// A store of keys, each on its own.
    Keys,
    /// A store with transactions.
    Transactions,
    /// Failure detectors.
    Detectors,
}

/// How a run goes where nobody says.
#[derive(Clone, Copy, Debug)]
pub struct Usual {
    /// How long the load lasts.
    pub time: Duration,
    /// About how often faults of one kind begin, and how long they last; as
    /// the time suggests, if none is given. Only in runs as long as that.
    pub faults: Option<(Duration, Duration)>,
    /// How many keys are in use at once.
    pub keys: u16,
    /// More of them cannot be asked for at once.
    pub keys_max: u16,
}

impl Usual {
    const BRIEF: Usual = Usual {
        time: Duration::from_secs(20),
        faults: None,
        keys: 6,
        keys_max: u16::MAX,
    };

    /// Where operations are about several keys, and refused when they meet.
    const OF_TRANSACTIONS: Usual = Usual {
        keys: 12,
        ..Usual::BRIEF
    };
}

/// What judges what a workload recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judge {
    /// Its history alone does.
    History(Oracle),
    /// Whom nodes suspected is held against what the nemesis did.
    Detection,
}

impl Judge {
    /// The name in lists: the oracle's, or the checker's.
    pub fn name(self) -> &'static str {
        match self {
            Judge::History(oracle) => oracle.name(),
            Judge::Detection => "detection",
        }
    }
}

/// Every workload there is.
pub const WORKLOADS: &[Entry] = &[
    Entry {
        name: "register",
        about: "per-key read, write and cas; half of the keys hold distinct values, half a small domain",
        operations: &["read", "write", "cas"],
        refusable: &[],
        judge: Judge::History(Oracle::Order(Spec::CasRegister)),
        asks: Asks::Keys,
        needs: None,
        usual: Usual::BRIEF,
        make: |shape| Box::new(Register::new(shape)),
    },
    Entry {
        name: "local-reads",
        about: "per-key set, and get from what one node has; each says which position it reflects",
        operations: &[reads::SET, reads::GET],
        // A node refuses a client that has seen more than the node has.
        refusable: &[reads::GET],
        judge: Judge::History(Oracle::LocalReads),
        asks: Asks::Keys,
        needs: Some(Capability::LocalReads),
        usual: Usual::BRIEF,
        make: |shape| Box::new(LocalReads::new(shape)),
    },
    Entry {
        name: "list-append",
        about: "transactions that append to lists and read them",
        operations: &[TXN],
        refusable: &[],
        judge: Judge::History(Oracle::Level(Level::StrictSerializable)),
        asks: Asks::Transactions,
        needs: None,
        usual: Usual::OF_TRANSACTIONS,
        make: |shape| Box::new(ListAppend::new(shape)),
    },
    Entry {
        name: "write-skew",
        about: "transactions that read a pair of keys and write one of the two",
        operations: &[TXN],
        refusable: &[],
        judge: Judge::History(Oracle::Level(Level::StrictSerializable)),
        asks: Asks::Transactions,
        needs: None,
        usual: Usual::OF_TRANSACTIONS,
        make: |shape| Box::new(WriteSkew::new(shape)),
    },
    Entry {
        name: "bank",
        about: "transfers between accounts that must not be overdrawn, and reads of all accounts",
        operations: &[banking::TRANSFER, banking::READ],
        refusable: &[],
        judge: Judge::History(Oracle::BANK),
        asks: Asks::Transactions,
        needs: None,
        // Every read is of all accounts.
        usual: Usual {
            keys_max: 256,
            ..Usual::OF_TRANSACTIONS
        },
        make: |shape| Box::new(Bank::new(&shape)),
    },
    Entry {
        name: "suspects",
        about: "every node is asked whom it suspects of having failed",
        operations: &[SUSPECTS],
        refusable: &[],
        judge: Judge::Detection,
        asks: Asks::Detectors,
        needs: None,
        // A fault says something if it lasts until it must be noticed.
        usual: Usual {
            time: Duration::from_secs(60),
            faults: Some((Duration::from_secs(14), Duration::from_secs(5))),
            ..Usual::BRIEF
        },
        make: |shape| Box::new(Suspects::new(&shape)),
    },
];

impl Entry {
    /// The header of a history that this workload records of keys that hold
    /// this at first. A cas fails by
    /// mismatch, but also when a node refuses it, and only the first would be
    /// an observation; so a failed cas says nothing.
    pub fn header(&self, initial: Value) -> Header {
        Header {
            initial,
            ..Header::new(self.name)
        }
    }
}

/// Whether a completion says something about the value of its key, and which.
pub fn value_after(invocation: &Invocation, completion: &Completion) -> Option<Value> {
    match (completion, &invocation.value) {
        (Completion::Ok(value), _) if invocation.f == "read" => Some(value.clone()),
        (Completion::Ok(_) | Completion::Info(_), Value::List(pair)) => pair.last().cloned(),
        (Completion::Ok(_) | Completion::Info(_), Value::Null) => None,
        (Completion::Ok(_) | Completion::Info(_), value) => Some(value.clone()),
        (Completion::Fail(_) | Completion::Refused(_), _) => None,
    }
}

/// How long a worker waits after a failure before it asks again, so that a
/// node that refuses at once does not drown the history in refusals.
pub const REST_AFTER_FAILURE: Duration = Duration::from_millis(50);
