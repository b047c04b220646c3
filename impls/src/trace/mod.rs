//! Traces: what a node took in and let out, recorded by the runtime and held
//! against the machine afterwards.
//!
//! The machine is a function of its inputs, so that nothing has to be
//! searched: its inputs are given to it again, and everything that the real
//! node did must be what the machine asks for, in its order and behind its
//! gates.
//!
//! | module | holds |
//! |---|---|
//! | [`line`](mod@line) | the lines of a trace |
//! | [`recorder`] | writes them: each reaches the kernel before what it announces happens |
//! | [`replay`] | one node's trace against its machine |
//! | [`judge`] | all nodes of a run: what was delivered was sent |
//!
//! Not seen by a trace: what the threads of transports do with what has left,
//! and what a disk does with what was synced. Messages are told apart by
//! content: one that is delivered twice shows once it was sent once only.

pub mod judge;
pub mod line;
pub mod recorder;
pub mod replay;

pub use judge::{Judged, TraceError, Violation, judge};
pub use line::{Line, Role};
pub use recorder::Recorder;

/// The name of a trace in a node's folder.
pub const FILE: &str = "trace.jsonl";
