//! Recorded operations: what clients asked and what they were told.
//!
//! | module | holds |
//! |---|---|
//! | [`event`] | one line of a history, and the header |
//! | [`value`] | the values that operations carry |
//!
//! Never here: any judgement of what was recorded.

pub mod event;
pub mod value;

pub use event::{Event, FailedCas, Header, Kind, Nil, Process};
pub use value::Value;
