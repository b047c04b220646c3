//! A multiset, or bag: elements that are there any number of times.
//!
//! | operation | argument | answer |
//! |---|---|---|
//! | `add`, `insert` | the element | null, true, or the element again: it is there once more |
//! | `remove` | the element | true if it was there, and is once less; false if not; null, or the element again, if that is not told |
//! | `contains` | the element | whether it is there: true or false |
//! | `count` | the element | how many times it is there |
//! | `read` | null | all that are there, a list in any order with repeats; null for none |
//! | `size` | null | how many there are, with repeats |
//!
//! At first it holds nothing, or the elements of a list, with repeats. An add
//! that answers false is one that no multiset answers.
//!
//! Each element is a part of its own as long as nobody asks for all of them.
//!
//! Abdulla, Grahn, Jonsson, Krishna and Mishra (PLDI 2025) have add, remove
//! and contains.

use super::elements::{Elements, Kind};

/// A multiset; see the module.
pub type Multiset = Elements<MultisetKind>;

/// The kind that a multiset is.
#[derive(Clone, Debug)]
pub enum MultisetKind {}

impl Kind for MultisetKind {
    const REPEATS: bool = true;
    const FUNCTIONS: &'static [&'static str] = &[
        "add", "insert", "remove", "contains", "count", "read", "size",
    ];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specification::laws::{check, judge, refusals};

    #[test]
    fn a_multiset_keeps_the_laws() {
        check::<Multiset>(
            &["null", "[1,1,2]"],
            &[
                (0, "add", "1", "[null,1,true,false]"),
                (0, "insert", "2", "[true]"),
                (0, "remove", "1", "[null,1,true,false]"),
                (0, "remove", "2", "[true,false]"),
                (0, "contains", "1", "[true,false]"),
                (0, "count", "1", "[0,1,2]"),
                (0, "read", "null", "[null,[1],[2,1],[1,1]]"),
                (0, "size", "null", "[0,1,2]"),
            ],
        );
    }

    #[test]
    fn an_element_is_there_as_often_as_it_was_added() {
        let added = "
            0 add 1 -> true
            0 add 1 -> 1
            1 remove 1 -> true
            1 remove 1 -> true
            1 remove 1 -> ";
        assert!(judge::<Multiset>("null", &format!("{added}false")));
        assert!(!judge::<Multiset>("null", &format!("{added}true")));
        assert!(judge::<Multiset>("[1]", "0 add 1 -> null\n0 count 1 -> 2"));
        assert!(!judge::<Multiset>("[1]", "0 add 1 -> null\n0 count 1 -> 1"));
        assert!(!judge::<Multiset>("[1]", "0 add 1 -> false"));
    }

    #[test]
    fn what_is_no_multiset_is_refused() {
        refusals::<Multiset>(
            &["add false", "remove 1 -> 0", "count 1 -> null"],
            "
            add false: expected an element that is neither null nor true or false, found false
            remove 1 -> 0: expected true, false, null or 1, found 0
            count 1 -> null: expected how many there are, from 0, found null",
        );
    }
}
