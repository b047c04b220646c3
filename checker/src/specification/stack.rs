//! A stack: last in, first out.
//!
//! | operation | argument | answer |
//! |---|---|---|
//! | `push` | the element, not null | null, true, or the element again: it is on top |
//! | `pop` | null | the element that was on top, which is gone; null if there was none |
//! | `peek` | null | the element that is on top; null if there is none |
//!
//! At first it holds nothing, or the elements of a list, the last of which is
//! on top. A pop that ended as `fail` says nothing.
//!
//! The operations are those of PolyLin's and LiMo's histories.

use super::sequence::{Does, End, Sequence, Words};

/// A stack; see the module.
pub type Stack = Sequence<StackWords>;

/// What a stack's operations are called.
#[derive(Clone, Debug)]
pub enum StackWords {}

impl Words for StackWords {
    const WORDS: &'static [(&'static str, Does, End)] = &[
        ("push", Does::Put, End::Back),
        ("pop", Does::Take, End::Back),
        ("peek", Does::Look, End::Back),
    ];
    const FUNCTIONS: &'static [&'static str] = &["push", "pop", "peek"];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specification::laws::{check, judge, refusals};

    #[test]
    fn a_stack_keeps_the_laws() {
        check::<Stack>(
            &["null", "[1,2]"],
            &[
                (0, "push", "1", "[null,1]"),
                (0, "push", "2", "[true]"),
                (0, "pop", "null", "[null,1,2]"),
                (0, "peek", "null", "[null,1,2]"),
            ],
        );
    }

    #[test]
    fn what_came_last_goes_first() {
        let held = "
            0 push 2 -> null
            1 peek null -> 2
            1 pop null -> 2
            1 pop null -> ";
        assert!(judge::<Stack>("[1]", &format!("{held}1")));
        assert!(!judge::<Stack>("[1]", &format!("{held}2")));
        assert!(!judge::<Stack>("[1]", &format!("{held}null")));
    }

    #[test]
    fn what_is_no_stack_is_refused() {
        refusals::<Stack>(
            &["push null", "push 1 -> [1]", "dequeue null"],
            "
            push null: expected an element, found null
            push 1 -> [1]: expected null, true or 1, found [1]
            dequeue null: expected an operation (push, pop, peek), found \"dequeue\"",
        );
    }
}
