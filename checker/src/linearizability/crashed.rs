//! Which operations of unknown outcome an order has used, as one number.
//!
//! Such operations stay possible for ever, so a bit for each would make every
//! configuration as long as the history. Equal ones are counted instead, and
//! the counts of all classes form a binary tree whose nodes are shared and
//! numbered: equal counts have equal numbers, exactly, and counting one more
//! costs the logarithm of the number of classes.

use rustc_hash::FxHashMap;

use crate::bytes;

/// How many operations of each class were used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Used(u32);

impl Used {
    /// None.
    pub(crate) const NONE: Used = Used(0);
}

/// Gives counts their numbers.
#[derive(Debug)]
pub(crate) struct UsedSets {
    /// How many levels of nodes lie above the counts.
    levels: u32,
    /// The two halves below each node; at the lowest level they are counts.
    /// Number 0 is, at every level, the node with nothing used below.
    nodes: Vec<[u32; 2]>,
    /// By node, how many are used below it.
    totals: Vec<u32>,
    numbers: FxHashMap<[u32; 2], u32>,
}

impl Default for UsedSets {
    fn default() -> Self {
        UsedSets {
            levels: 1,
            nodes: vec![[0, 0]],
            totals: vec![0],
            numbers: FxHashMap::from_iter([([0, 0], 0)]),
        }
    }
}

impl UsedSets {
    pub(crate) fn new(classes: usize) -> Self {
        UsedSets {
            levels: classes.next_power_of_two().trailing_zeros().max(1),
            ..UsedSets::default()
        }
    }

    /// Whether there is room for `class`.
    pub(crate) fn has_room(&self, class: u32) -> bool {
        class >> self.levels == 0
    }

    /// Makes room for twice as many classes; [`UsedSets::raised`] says what
    /// becomes of what was counted.
    pub(crate) fn double(&mut self) {
        self.levels += 1;
    }

    /// The same counts after the room was doubled.
    pub(crate) fn raised(&mut self, used: Used) -> Used {
        Used(self.number([used.0, 0], self.total(used)))
    }

    /// How many are used in all.
    pub(crate) fn total(&self, used: Used) -> u32 {
        self.totals[used.0 as usize]
    }

    /// How many of `class` are used.
    pub(crate) fn count(&self, used: Used, class: u32) -> u32 {
        (0..self.levels).rev().fold(used.0, |node, level| {
            self.nodes[node as usize][half(class, level)]
        })
    }

    /// The same with one more of `class`.
    pub(crate) fn add(&mut self, used: Used, class: u32) -> Used {
        Used(self.add_below(used.0, class, self.levels))
    }

    /// Whether no class is used more in one than in the other. What they share
    /// is not looked at.
    pub(crate) fn within(&self, one: Used, other: Used) -> bool {
        self.within_below(one.0, other.0, self.levels)
    }

    fn within_below(&self, one: u32, other: u32, level: u32) -> bool {
        if one == other || level == 0 {
            return one <= other;
        }
        let (mine, theirs) = (self.nodes[one as usize], self.nodes[other as usize]);
        let below = |side: usize| self.within_below(mine[side], theirs[side], level - 1);
        below(0) && below(1)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<[u32; 3]>()
            + bytes::table::<([u32; 2], u32)>(self.numbers.capacity(), self.numbers.len())
    }

    /// At level 0 a node's number is the count itself.
    fn add_below(&mut self, node: u32, class: u32, level: u32) -> u32 {
        if level == 0 {
            return node + 1;
        }
        let mut halves = self.nodes[node as usize];
        let side = half(class, level - 1);
        halves[side] = self.add_below(halves[side], class, level - 1);
        self.number(halves, self.totals[node as usize] + 1)
    }

    /// The node with these halves, below which so many are used.
    fn number(&mut self, halves: [u32; 2], total: u32) -> u32 {
        if let Some(&number) = self.numbers.get(&halves) {
            return number;
        }
        let number = u32::try_from(self.nodes.len()).expect("fewer than 2^32 nodes");
        self.nodes.push(halves);
        self.totals.push(total);
        self.numbers.insert(halves, number);
        number
    }
}

fn half(class: u32, level: u32) -> usize {
    (class >> level & 1) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_counts_are_one_number_whatever_the_order() {
        for classes in [1, 2, 3, 5, 9, 1000] {
            let mut sets = UsedSets::new(classes);
            let last = classes as u32 - 1;
            let add = |sets: &mut UsedSets, order: &[u32]| {
                order
                    .iter()
                    .fold(Used::NONE, |used, &class| sets.add(used, class))
            };
            let one = add(&mut sets, &[0, last, 0, last / 2]);
            let other = add(&mut sets, &[last / 2, 0, 0, last]);
            let less = add(&mut sets, &[0, last, last / 2]);
            assert_eq!(one, other);
            assert_ne!(one, less);
            assert!(sets.within(less, one) && !sets.within(one, less));
            let all: u32 = (0..=last).map(|class| sets.count(one, class)).sum();
            assert_eq!(all, 4);
        }
    }
}
