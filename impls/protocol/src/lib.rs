//! Protocols as deterministic machines.
//!
//! A [`Machine`] is a plain value: inputs go in, outputs come out, nothing
//! else happens. The same machine is explored by the model checker, driven by
//! the simulator and run as a server process; this crate knows none of them.
//!
//! | module | holds |
//! |---|---|
//! | [`machine`] | the trait, its inputs and outputs, what a host promises |
//! | [`object`] | the replicated object: a key-value store with client sessions |
//! | [`quorum`] | which sets of nodes are enough for a decision |
//! | [`snapshot`] | the object at a place in the order of decisions, in chunks |
//! | [`bugs`] | what a catalogue of wrong versions says about each |
//! | [`detector`] | failure detectors: heartbeat, observer, accrual |
//! | [`paxos`] | Multi-Paxos |
//! | [`raft`] | Raft |
//! | [`two_phase`] | two-phase commit: a transactional store, sharded |
//! | [`zab`] | Zab |
//! | [`examples`] | three small machines that show how to write one |
//!
//! Never here: clocks, sockets, files, threads, randomness, unordered maps.
//! `clippy.toml` beside this crate's manifest enforces it.

pub mod bugs;
pub mod detector;
pub mod examples;
pub mod machine;
pub mod object;
pub mod paxos;
pub mod quorum;
pub mod raft;
pub mod snapshot;
pub mod two_phase;
pub mod zab;

pub use machine::{
    Channel, Clock, ClockUse, Context, Gate, Input, Machine, Members, NodeId, Outcome, Output,
    Outputs, RequestId, Span, Transactions, View,
};
