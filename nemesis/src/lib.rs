//! Faults on node processes and on the links between nodes: drawn, installed,
//! shown to have taken effect, healed, and the heal verified.
//!
//! | module | holds |
//! |---|---|
//! | [`fault`] | the vocabulary, and what `list faults` prints |
//! | [`schedule`] | which faults, when, on whom: data, drawn from the seed before the run |
//! | [`process`] | node processes that cannot outlive the harness |
//! | [`links`] | a stream proxy for every ordered pair of nodes |
//! | [`ports`] | free ports that stay free |
//! | [`cluster`] | what a nemesis asks of its surroundings |
//! | [`report`] | what became of a fault, with its evidence |
//! | [`nemesis`] | carries a schedule out |
//!
//! ```text
//!   seed -- draw --> Schedule -- Nemesis::run --> Notice … --> history
//!                                  |    |
//!                          Processes    Network        (Cluster)
//!                         Supervisor    Links
//! ```
//!
//! Nodes are plain numbers here; nothing in this crate knows any one system.
//!
//! Invariant: a fault is never assumed to have worked. It is reported
//! effective only with evidence observed by the harness itself (a wait status,
//! a stopped thread, a probe that was held), and healed only after a check.

pub mod cluster;
pub mod fault;
pub mod links;
pub mod nemesis;
pub mod ports;
pub mod process;
pub mod report;
pub mod schedule;

pub use cluster::{
    Administration, Cluster, Leader, Members, Network, Pending, Processes, Standing, Transactions,
};
pub use fault::{
    Carrier, CrashAfter, CrashChoice, CrashOutput, CrashPlace, Cut, FaultInfo, FaultKind, Node,
    Role, Shape, Target, faults, node_name, parse_node,
};
pub use nemesis::Nemesis;
pub use report::{Edge, Evidence, FaultReport, Healing, Notice, Outcome, Times};
