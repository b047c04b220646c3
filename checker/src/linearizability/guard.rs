//! The limits, looked at while an engine is at work.

use super::object::Steps;

/// Before so many moves the limits are looked at.
const MOVES_IN_SLICE: u32 = 64;

/// And whenever the object's states have grown by so many bytes: one move can
/// make many, and one of them can be large.
const GROWTH: usize = 1 << 18;

/// Looks at the limits while an engine is at work.
pub(crate) struct Guard<'a>(Option<Looking<'a>>);

struct Looking<'a> {
    /// Is told how many bytes are held.
    goes_on: &'a mut dyn FnMut(usize) -> bool,
    steps: &'a dyn Steps,
    /// How many bytes are held by others than the engine and the object.
    beside: usize,
    /// How many moves are left until the limits are looked at.
    moves: u32,
    /// How many bytes the object may hold until then.
    bytes: usize,
}

impl<'a> Guard<'a> {
    /// Lets everything be.
    pub(crate) fn none() -> Self {
        Guard(None)
    }

    /// Lets an engine go on as long as `goes_on` says so. It is told how many bytes
    /// are held: by the engine, by the object whose `steps` these are, and
    /// `beside` them.
    pub(crate) fn new(
        goes_on: &'a mut dyn FnMut(usize) -> bool,
        steps: &'a dyn Steps,
        beside: usize,
    ) -> Self {
        Guard(Some(Looking {
            goes_on,
            steps,
            beside,
            moves: MOVES_IN_SLICE,
            bytes: steps.bytes() + GROWTH,
        }))
    }

    /// Whether the engine, which holds so many `bytes`, may try one move more.
    #[inline]
    pub(crate) fn allows(&mut self, bytes: impl FnOnce() -> usize) -> bool {
        let Some(looking) = &mut self.0 else {
            return true;
        };
        let states = looking.steps.bytes();
        if looking.moves > 0 && states <= looking.bytes {
            looking.moves -= 1;
            return true;
        }
        looking.bytes = states + GROWTH;
        // Where it is refused it is asked again before the next move.
        let goes_on = (looking.goes_on)(looking.beside + states + bytes());
        looking.moves = if goes_on { MOVES_IN_SLICE } else { 0 };
        goes_on
    }
}
