//! Sets of slots in one machine word or two.
//!
//! As [`Slots`](super::slots::Slots) are, but copied like numbers: for engines
//! that hold many and take no more clients than fit.

use std::fmt::Debug;
use std::ops::{BitAnd, BitAndAssign, BitOr, BitOrAssign, BitXor, Not};

/// A set of slots.
pub(crate) trait Mask:
    Copy
    + Eq
    + Debug
    + Send
    + BitAnd<Output = Self>
    + BitAndAssign
    + BitOr<Output = Self>
    + BitOrAssign
    + BitXor<Output = Self>
    + Not<Output = Self>
{
    /// No slot.
    const EMPTY: Self;

    /// One slot alone.
    fn of(slot: u32) -> Self;
    /// The lowest slot; of an empty set what is no slot.
    fn lowest(self) -> u32;
    /// The same without the lowest.
    fn without_lowest(self) -> Self;

    /// Whether there is no slot.
    #[inline]
    fn is_empty(self) -> bool {
        self == Self::EMPTY
    }

    /// The slots, from the lowest.
    #[inline]
    fn slots(mut self) -> impl Iterator<Item = u32> {
        std::iter::from_fn(move || {
            let slot = (!self.is_empty()).then(|| self.lowest())?;
            self = self.without_lowest();
            Some(slot)
        })
    }
}

macro_rules! mask {
    ($word:ty) => {
        impl Mask for $word {
            const EMPTY: Self = 0;

            #[inline]
            fn of(slot: u32) -> Self {
                1 << slot
            }

            #[inline]
            fn lowest(self) -> u32 {
                self.trailing_zeros()
            }

            #[inline]
            fn without_lowest(self) -> Self {
                self & self.wrapping_sub(1)
            }
        }
    };
}

mask!(u64);
mask!(u128);
