//! Recorded operations: what clients asked and what they were told.
//!
//! | module | holds |
//! |---|---|
//! | [`event`] | one line of a history, and the header |
//! | [`value`] | the values that operations carry |
//! | [`history`] | a whole history: what it holds, and what is wrong with a file |
//! | [`operation`] | the two ends of each operation, paired |
//! | [`faults`] | what a nemesis did, from installation to heal |
//! | [`recorder`] | writing a history while it happens |
//! | [`formats`] | how histories are written, ours and those of other tools |
//! | [`generate`] | histories with a known verdict, for tests of checkers |
//! | `strategies` | the same for proptest (feature `strategies`) |
//!
//! Never here: any judgement of what was recorded.

pub mod event;
pub mod faults;
pub mod formats;
pub mod generate;
pub mod history;
pub mod operation;
pub mod recorder;
#[cfg(feature = "strategies")]
pub mod strategies;
pub mod value;

pub use event::{Event, FailedCas, Header, Kind, Nil, Process};
pub use faults::FaultSpan;
pub use formats::{Format, Input, Written};
pub use history::{History, HistoryError, Truncated};
pub use operation::{Operation, Outcome, Pair};
pub use recorder::{Invoked, Recorder};
pub use value::Value;
