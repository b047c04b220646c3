//! Judges histories: sequential specifications, and checkers that decide
//! whether what clients saw can be explained by one.
//!
//! Usable as a library on its own. Never here: files, sockets, knowledge of
//! any protocol.

pub mod verdict;

pub use verdict::{Limit, Verdict};
