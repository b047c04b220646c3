//! A set: elements that are there or not.
//!
//! | operation | argument | answer |
//! |---|---|---|
//! | `add`, `insert` | the element | true if it was not there before, false if it was; null, or the element again, if that is not told |
//! | `remove` | the element | true if it was there, false if not; null or the element again, as above |
//! | `contains` | the element | whether it is there: true or false |
//! | `read` | null | all that are there, a list in any order; null for none |
//! | `size` | null | how many there are |
//!
//! At first it holds nothing, or the elements of a list. A read that lists an
//! element twice is one that no set answers.
//!
//! Each element is a part of its own as long as nobody asks for all of them:
//! a history without `read` and `size` is judged element by element.
//!
//! `add` and `read` are Knossos' `set` and Jepsen's workloads `set` and
//! `set-full`; `insert`, `remove` and `contains` are PolyLin's and LiMo's.

use super::elements::{Elements, Kind};

/// A set; see the module.
pub type Set = Elements<SetKind>;

/// The kind that a set is.
#[derive(Clone, Debug)]
pub enum SetKind {}

impl Kind for SetKind {
    const REPEATS: bool = false;
    const FUNCTIONS: &'static [&'static str] =
        &["add", "insert", "remove", "contains", "read", "size"];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specification::laws::{cannot_hold, check, judge, refusals};

    #[test]
    fn a_set_keeps_the_laws() {
        check::<Set>(
            &["null", "[1,2]"],
            &[
                (0, "add", "1", "[null,1,true,false]"),
                (0, "insert", "2", "[true,false]"),
                (0, "add", "3", "[true,false]"),
                (0, "remove", "1", "[null,1,true,false]"),
                (0, "remove", "2", "[true,false]"),
                (0, "contains", "1", "[true,false]"),
                (0, "contains", "2", "[true,false]"),
                (0, "read", "null", "[null,[1],[2,1],[3],[1,1]]"),
                (0, "size", "null", "[0,1,2]"),
            ],
        );
    }

    #[test]
    fn an_element_is_there_once() {
        assert!(judge::<Set>("null", "0 add 1 -> true\n1 add 1 -> false"));
        assert!(!judge::<Set>("null", "0 add 1 -> true\n1 add 1 -> true"));
        let seen = "
            0 add 2 -> 2
            0 add 1 -> 1
            0 remove 3 -> false
            1 read null -> ";
        assert!(judge::<Set>("null", &format!("{seen}[1,2]")));
        assert!(!judge::<Set>("null", &format!("{seen}[1]")));
        assert!(!judge::<Set>("null", &format!("{seen}[1,2,2]")));
    }

    #[test]
    fn what_is_no_set_is_refused() {
        assert_eq!(
            cannot_hold::<Set>("[1,2,1]"),
            "each element once, found 1 twice"
        );
        refusals::<Set>(
            &[
                "add null",
                "add true",
                "add 1 -> 2",
                "contains 1 -> null",
                "read null -> 3",
                "size null -> -1",
                "count 1",
            ],
            "
            add null: expected an element that is neither null nor true or false, found null
            add true: expected an element that is neither null nor true or false, found true
            add 1 -> 2: expected true, false, null or 1, found 2
            contains 1 -> null: expected true or false, found null
            read null -> 3: expected a list, found 3
            size null -> -1: expected how many there are, from 0, found -1
            count 1: expected an operation (add, insert, remove, contains, read, size), found \"count\"",
        );
    }
}
