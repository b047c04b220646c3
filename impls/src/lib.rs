//! Makes systems run: the runtime that turns a machine into a server process,
//! client sessions, and the adapter interface through which a campaign sees
//! any system, ours or somebody else's.
//!
//! | module | holds |
//! |---|---|
//! | [`adapter`] | what a campaign knows of a system |
//! | [`runtime`] | a machine as a process: transport, disk, timers, clients |
//! | [`service`] | the words between clients and our own servers |
//! | [`client`] | a client of our own servers, and the rules of outcomes |
//! | [`systems`] | the built-in systems |
//! | [`trace`] | what a node did, held against its machine |
//!
//! Never here: protocol decisions.

pub mod adapter;
pub mod client;
mod compaction;
pub mod runtime;
pub mod service;
pub mod settings;
pub mod systems;
pub mod trace;

pub use compaction::Compaction;
