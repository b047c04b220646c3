//! A queue: first in, first out.
//!
//! | operation | argument | answer |
//! |---|---|---|
//! | `enqueue` | the element, not null | null, true, or the element again: it is in |
//! | `dequeue` | null | the element that was first, which is gone; null if there was none |
//! | `peek` | null | the element that is first; null if there is none |
//!
//! At first it holds nothing, or the elements of a list, the first of which is
//! the next to go. A dequeue that ended as `fail` says nothing.
//!
//! Knossos' `fifo-queue`, with peek and the empty answer of PolyLin's and
//! LiMo's histories. Its `unordered-queue`, which gives out any element, is
//! none here: which one a dequeue of unknown outcome took, no state says.

use super::sequence::{Does, End, Sequence, Words};

/// A queue; see the module.
pub type Queue = Sequence<QueueWords>;

/// What a queue's operations are called.
#[derive(Clone, Debug)]
pub enum QueueWords {}

impl Words for QueueWords {
    const WORDS: &'static [(&'static str, Does, End)] = &[
        ("enqueue", Does::Put, End::Back),
        ("dequeue", Does::Take, End::Front),
        ("peek", Does::Look, End::Front),
    ];
    const FUNCTIONS: &'static [&'static str] = &["enqueue", "dequeue", "peek"];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specification::laws::{check, judge, refusals};

    #[test]
    fn a_queue_keeps_the_laws() {
        check::<Queue>(
            &["null", "[1,2]"],
            &[
                (0, "enqueue", "1", "[null,1]"),
                (0, "enqueue", "2", "[true]"),
                (0, "dequeue", "null", "[null,1,2]"),
                (0, "peek", "null", "[null,1,2]"),
            ],
        );
    }

    #[test]
    fn what_came_first_goes_first() {
        let held = "
            0 enqueue 1 -> 1
            0 enqueue 2 -> null
            1 peek null -> 1
            1 dequeue null -> ";
        assert!(judge::<Queue>("null", &format!("{held}1")));
        assert!(!judge::<Queue>("null", &format!("{held}2")));
        assert!(!judge::<Queue>("null", &format!("{held}null")));
    }

    #[test]
    fn an_open_enqueue_may_be_seen_once() {
        let seen = "
            0 invoke enqueue 1
            1 dequeue null -> 1
            1 dequeue null -> ";
        assert!(judge::<Queue>("null", &format!("{seen}null")));
        assert!(!judge::<Queue>("null", &format!("{seen}1")));
    }

    #[test]
    fn what_is_no_queue_is_refused() {
        refusals::<Queue>(
            &[
                "enqueue null",
                "enqueue 1 -> 2",
                "enqueue 1 -> false",
                "pop null",
            ],
            "
            enqueue null: expected an element, found null
            enqueue 1 -> 2: expected null, true or 1, found 2
            enqueue 1 -> false: expected null, true or 1, found false
            pop null: expected an operation (enqueue, dequeue, peek), found \"pop\"",
        );
    }
}
