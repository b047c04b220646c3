//! Every state of a bounded cluster of a machine.
//!
//! ```text
//!   machine (impls/protocol)      system: clients, ghosts, properties, goals
//!            \                      /
//!             node --- cluster --- model --- driver --- stateright
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`system`] | what a system adds to its machine |
//! | [`bounds`] | what bounds a model, granularities, reductions |
//! | [`node`] | a machine and what its host keeps for it |
//! | [`network`] | what is under way between nodes |
//! | [`clients`] | what clients asked and were told |
//! | [`object`] | what clients use a system as, which judges their history |
//! | [`cluster`] | the state that all of these make up |
//! | [`shared`] | components of a state as cheap handles |
//! | [`model`] | the cluster as a `stateright::Model` |
//! | [`judge`] | whether a state is right |
//! | [`search`], [`watch`] | stateright run honestly, within time and memory |
//! | [`mod@check`], [`report`], [`tally`] | what a search establishes |
//! | [`mod@simulate`] | long runs of larger clusters, drawn from seeds |
//! | [`registry`] | every system, by name |
//! | [`register`] | what systems that replicate the store have in common |
//! | [`votes`] | what systems that decide by Paxos have in common |
//! | [`detector`] | failure detectors under partial synchrony |
//! | [`paxos`] | Multi-Paxos' clients, properties and goals |
//! | [`plain`] | models that are no clusters of a machine |
//! | [`raft`] | Raft's clients, properties and goals |
//! | [`single_decree`] | Paxos for a single value |
//! | [`tla`] | transaction commit as TLA+ has it |
//! | [`two_phase`] | the transactions of two-phase commit, AC1 to AC5, and when it blocks |
//! | [`zab`] | Zab's clients, properties and goals |
//!
//! Never here: anything that a machine should decide.

mod action;
mod boot;
pub mod bounds;
pub mod check;
pub mod clients;
pub mod cluster;
pub mod detector;
mod enabled;
mod error;
mod frame;
pub mod judge;
mod memo;
pub mod model;
pub mod network;
pub mod node;
mod note;
pub mod object;
mod panics;
mod path;
pub mod paxos;
mod perform;
pub mod plain;
mod prefix;
pub mod raft;
mod react;
mod recovery;
pub mod register;
pub mod registry;
pub mod report;
pub mod search;
pub mod shared;
pub mod simulate;
pub mod single_decree;
mod store;
pub mod system;
pub mod tally;
pub mod tla;
pub mod two_phase;
pub mod votes;
pub mod watch;
pub mod zab;

pub use bounds::{Bounds, Granularity, Limit, Reductions};
pub use check::{CheckError, CheckOptions, check};
pub use cluster::Cluster;
pub use registry::{System, systems};
pub use report::Report;
pub use simulate::{Seeds, SimulateOptions};
pub use system::ModelSystem;
