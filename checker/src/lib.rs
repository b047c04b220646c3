//! Judges histories: sequential specifications, and checkers that decide
//! whether what clients saw can be explained by one.
//!
//! | module | holds |
//! |---|---|
//! | [`linearizability`] | whether a recorded history has an order, and the witness if not |
//! | [`local_reads`] | reads of one node, which name the position that they reflect |
//! | [`monitors`] | containers, counters and logs that are decided by sorting |
//! | [`small`] | whether a dozen operations have an order, for model checkers |
//! | [`incremental`] | the same, event by event |
//! | [`specification`] | what an object does when used by one client at a time |
//! | [`spec`] | the specifications of recorded histories by name |
//! | [`symbols`] | values as small numbers |
//! | [`transactions`] | whether transactions have an order, the anomaly if not, and banks |
//! | [`verdict`] | what a checker concludes |
//! | [`weaker`] | properties of registers that are weaker than linearizability |
//!
//! Usable as a library on its own. Never here: files, sockets, knowledge of
//! any protocol.

mod bytes;
pub mod incremental;
pub mod linearizability;
pub mod local_reads;
pub mod monitors;
pub mod small;
pub mod spec;
pub mod specification;
pub mod symbols;
pub mod transactions;
pub mod verdict;
pub mod weaker;

pub use incremental::Incremental;
pub use linearizability::online::{Judged, Online, Violation};
pub use linearizability::{Engine, Limits, Options, Order, Prepared, Report, check, check_calls};
pub use small::is_linearizable_small;
pub use spec::Spec;
pub use specification::{
    Effect, Register, RegisterCall, RegisterReturn, Specification, TimedCall, TimedCallOf,
};
pub use symbols::{Symbol, Symbols};
pub use verdict::{Limit, Resource, Verdict};
