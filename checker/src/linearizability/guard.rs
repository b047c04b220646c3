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

    /// Whether so many bytes more may be held beside the engine; they are from now on.
    pub(crate) fn holds(&mut self, bytes: usize) -> bool {
        if let Some(looking) = &mut self.0 {
            looking.beside += bytes;
            looking.moves = 0;
        }
        self.allows(|| 0)
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tribunal_histories::Value;

    use super::super::depth_first::depth_first;
    use super::super::judge::Judge;
    use super::super::object::{Call, Object};
    use super::super::search::{Progress, Supply};
    use super::super::sweep::sweep;
    use super::super::timeline::Timeline;
    use super::*;
    use crate::specification::sequence::{End, SequenceCall, SequenceReturn};
    use crate::specification::{Recorded, Stack, TimedCall};

    /// So many pushes to a stack at once, and then a pop of what nobody pushed:
    /// every order of some of them is a state.
    const PUSHES: u32 = 60;

    /// Far more than can be tried.
    const MOVES: u64 = 1 << 18;

    fn hard() -> (Arc<Object>, Vec<Call>) {
        let stack = Stack::holding(&Value::Null).expect("an empty stack");
        let push = |value: u32| TimedCall {
            call: SequenceCall::Put(End::Back, i64::from(value / 2).into()),
            invoked: value,
            completed: Some((PUSHES + value, SequenceReturn::Done)),
        };
        let wrong = SequenceReturn::Found(Some(Value::Int(-1)));
        let pop = TimedCall {
            call: SequenceCall::Take(End::Back),
            invoked: 2 * PUSHES,
            completed: Some((2 * PUSHES + 1, wrong)),
        };
        let calls: Vec<_> = (0..PUSHES).map(push).chain([pop]).collect();
        let (object, calls) = Object::of_calls(stack, &calls);
        (Arc::new(object), calls)
    }

    /// Runs each engine, and all together, with a guard that asks `goes_on`; each
    /// has to end before it knows.
    fn run(mut each: impl FnMut(&str, &mut dyn FnMut(&mut dyn FnMut(usize) -> bool) -> Progress)) {
        let timeline = |object: &Object, calls| Arc::new(Timeline::unlimited(object, calls));
        each("depth first", &mut |goes_on| {
            let (object, calls) = hard();
            let timeline = timeline(&object, calls);
            let mut search = depth_first(&object, &timeline, Supply::Exact, None);
            search.run(MOVES, &mut Guard::new(goes_on, &*object.steps, 0))
        });
        each("frontier", &mut |goes_on| {
            let (object, calls) = hard();
            let timeline = timeline(&object, calls);
            let mut sweep = sweep(&object, &timeline, None).expect("few calls at once");
            sweep.run(MOVES, &mut Guard::new(goes_on, &*object.steps, 0))
        });
        each("all", &mut |goes_on| {
            let (object, calls) = hard();
            Judge::new(&object, calls, None).decide(MOVES, goes_on)
        });
    }

    #[test]
    fn who_may_not_go_on_does_not() {
        run(|engine, run| {
            let mut asked = 0;
            let progress = run(&mut |_| {
                asked += 1;
                false
            });
            assert_eq!(progress, Progress::Paused, "{engine}");
            // Once in the engine that has its turn, and where turns end; all together
            // ask where they would sort as well.
            assert!((1..=4).contains(&asked), "{engine}: asked {asked} times");
        });
    }

    #[test]
    fn who_holds_too_much_ends_before_it_is_much_more() {
        let most = 8 << 20;
        run(|engine, run| {
            let mut held = 0;
            let progress = run(&mut |bytes| {
                held = bytes;
                bytes < most
            });
            assert_eq!(progress, Progress::Paused, "{engine}");
            // A table that is about to grow counts three times.
            assert!((most..2 * most).contains(&held), "{engine}: {held} bytes");
        });
    }
}
