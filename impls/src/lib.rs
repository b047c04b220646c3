//! Makes systems run: the runtime that turns a machine into a server process,
//! client sessions, and the adapter interface through which a campaign sees
//! any system, ours or somebody else's.
//!
//! Never here: protocol decisions.

pub mod adapter;
