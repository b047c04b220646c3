//! The generators of [`crate::generate`] as proptest strategies.

use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::{Strategy, any};

use crate::History;
use crate::generate::{self, Shape, transactions};

/// Histories that are linearizable, made of so many moves (three to an
/// operation).
pub fn linearizable(shape: Shape, moves: Range<usize>) -> impl Strategy<Value = History> {
    vec(any::<u32>(), moves).prop_map(move |script| generate::linearizable(&shape, &script))
}

/// Histories that are not linearizable, made of so many moves (three to an
/// operation) and one planted violation.
pub fn violating(shape: Shape, moves: Range<usize>) -> impl Strategy<Value = History> {
    (vec(any::<u32>(), moves), any::<u32>())
        .prop_map(move |(script, choice)| generate::violating(&shape, &script, choice))
}

/// Histories of transactions, made of so many moves.
pub fn transactional(
    shape: transactions::Shape,
    moves: Range<usize>,
) -> impl Strategy<Value = History> {
    vec(any::<u32>(), moves).prop_map(move |script| transactions::history(&shape, &script))
}
