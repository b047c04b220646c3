//! A deque: a row that is put to, taken from and looked at at both ends.
//!
//! | operation | argument | answer |
//! |---|---|---|
//! | `push_front`, `push_back` | the element, not null | null, true, or the element again: it is in |
//! | `pop_front`, `pop_back` | null | the element that was there, which is gone; null if there was none |
//! | `peek_front`, `peek_back` | null | the element that is there; null if there is none |
//!
//! At first it holds nothing, or the elements of a list, from its front.
//!
//! The operations are those of PolyLin's histories.

use super::sequence::{Does, End, Sequence, Words};

/// A deque; see the module.
pub type Deque = Sequence<DequeWords>;

/// What a deque's operations are called.
#[derive(Clone, Debug)]
pub enum DequeWords {}

impl Words for DequeWords {
    const WORDS: &'static [(&'static str, Does, End)] = &[
        ("push_front", Does::Put, End::Front),
        ("pop_front", Does::Take, End::Front),
        ("peek_front", Does::Look, End::Front),
        ("push_back", Does::Put, End::Back),
        ("pop_back", Does::Take, End::Back),
        ("peek_back", Does::Look, End::Back),
    ];
    const FUNCTIONS: &'static [&'static str] = &[
        "push_front",
        "pop_front",
        "peek_front",
        "push_back",
        "pop_back",
        "peek_back",
    ];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specification::laws::{check, judge, refusals};

    #[test]
    fn a_deque_keeps_the_laws() {
        check::<Deque>(
            &["null", "[1,2]"],
            &[
                (0, "push_front", "1", "[null,1]"),
                (0, "push_back", "2", "[true]"),
                (0, "pop_front", "null", "[null,1,2]"),
                (0, "pop_back", "null", "[null,1,2]"),
                (0, "peek_front", "null", "[null,1,2]"),
                (0, "peek_back", "null", "[null,1,2]"),
            ],
        );
    }

    #[test]
    fn each_end_is_its_own() {
        let held = "
            0 push_front 1 -> null
            0 push_back 3 -> null
            1 peek_front null -> 1
            1 pop_back null -> 3
            1 peek_back null -> ";
        assert!(judge::<Deque>("[2]", &format!("{held}2")));
        assert!(!judge::<Deque>("[2]", &format!("{held}1")));
    }

    #[test]
    fn what_is_no_deque_is_refused() {
        refusals::<Deque>(
            &["push_front null", "push_back 1 -> 2"],
            "
            push_front null: expected an element, found null
            push_back 1 -> 2: expected null, true or 1, found 2",
        );
    }
}
