//! The engines against the definition, and against each other.
//!
//! | module | holds |
//! |---|---|
//! | `brute_force` | the definition, carried out |
//! | `generate` | random histories: right ones, guessed ones, and those that are spoiled |
//! | `growing` | a list that is written as a whole, or grows |
//! | `engines` | what each engine says of a history, and whether they agree |
//! | `parallel` | many histories on a few threads |
//! | `exhaustive` | every small history there is |
//! | `small` | random histories that brute force can judge |
//! | `larger` | random histories that it cannot: the engines among themselves |
//! | `metamorphic` | what a change of a history does to its verdict |
//! | `keys` | the same of histories of several keys, as they are recorded |
//!
//! What takes minutes is ignored by default; the crate's README has the
//! command that runs it.

pub(super) mod brute_force;
mod engines;
mod exhaustive;
pub(super) mod generate;
pub(super) mod growing;
mod keys;
mod larger;
mod metamorphic;
mod parallel;
mod small;
