//! Trees over ranges.

use super::{NONE, Place};

/// Numbers of which a range can be asked for one that is small.
pub(super) struct Least {
    /// The numbers from `width` on; before them, of each two the smaller one.
    nodes: Vec<Place>,
    width: usize,
}

impl Least {
    pub(super) fn new(numbers: impl ExactSizeIterator<Item = Place>) -> Self {
        let width = numbers.len().next_power_of_two();
        let mut nodes = vec![Place::MAX; width];
        nodes.extend(numbers);
        nodes.resize(2 * width, Place::MAX);
        for node in (1..width).rev() {
            nodes[node] = nodes[2 * node].min(nodes[2 * node + 1]);
        }
        Least { nodes, width }
    }

    pub(super) fn get(&self, place: usize) -> Place {
        self.nodes[self.width + place]
    }

    pub(super) fn set(&mut self, place: usize, number: Place) {
        let mut node = self.width + place;
        self.nodes[node] = number;
        while node > 1 {
            node /= 2;
            let least = self.nodes[2 * node].min(self.nodes[2 * node + 1]);
            if self.nodes[node] == least {
                break;
            }
            self.nodes[node] = least;
        }
    }

    /// The least of the numbers at `from..to`.
    pub(super) fn least(&self, from: usize, to: usize) -> Place {
        let mut least = Place::MAX;
        self.any_node(from, to, |node| {
            least = least.min(self.nodes[node]);
            false
        });
        least
    }

    /// Where in `from..to` some number is at most `bound`.
    pub(super) fn find(&self, from: usize, to: usize, bound: Place) -> Option<usize> {
        let mut node = self.any_node(from, to, |node| self.nodes[node] <= bound)?;
        while node < self.width {
            node *= 2;
            node += usize::from(self.nodes[node] > bound);
        }
        Some(node - self.width)
    }

    /// The first that will do of the nodes that together make up a range.
    fn any_node(
        &self,
        from: usize,
        to: usize,
        mut will_do: impl FnMut(usize) -> bool,
    ) -> Option<usize> {
        let (mut from, mut to) = (from + self.width, to + self.width);
        while from < to {
            if from % 2 == 1 {
                if will_do(from) {
                    return Some(from);
                }
                from += 1;
            }
            if to % 2 == 1 {
                to -= 1;
                if will_do(to) {
                    return Some(to);
                }
            }
            from /= 2;
            to /= 2;
        }
        None
    }
}

/// Counts by place, zero at first, that rise and fall by ranges. A place is
/// free if its count is not above zero.
pub(super) struct Counts {
    /// Of what is below a node, the least count, less what was added to the
    /// whole of a node above it.
    least: Vec<i64>,
    /// What was added to the whole of a node.
    added: Vec<i64>,
    width: usize,
}

/// More than all that is taken away.
const CLOSED: i64 = i64::MAX / 2;

impl Counts {
    pub(super) fn new(count: usize) -> Self {
        let width = count.next_power_of_two();
        Counts {
            least: vec![0; 2 * width],
            added: vec![0; 2 * width],
            width,
        }
    }

    /// Adds to the counts at `from..to`.
    pub(super) fn add(&mut self, from: usize, to: usize, by: i64) {
        if from >= to {
            return;
        }
        let (mut low, mut high) = (from + self.width, to + self.width);
        let (first, last) = (low, high - 1);
        while low < high {
            if low % 2 == 1 {
                self.add_to_node(low, by);
                low += 1;
            }
            if high % 2 == 1 {
                high -= 1;
                self.add_to_node(high, by);
            }
            low /= 2;
            high /= 2;
        }
        self.renew_above(first);
        self.renew_above(last);
    }

    /// Makes a place one that is never free again.
    pub(super) fn close(&mut self, place: usize) {
        self.add_to_node(self.width + place, CLOSED);
        self.renew_above(self.width + place);
    }

    /// The first free place of `from..to`.
    pub(super) fn first_free(&self, from: usize, to: usize) -> Option<usize> {
        self.first_free_below(1, 0, self.width, 0, (from, to))
    }

    fn first_free_below(
        &self,
        node: usize,
        begin: usize,
        end: usize,
        above: i64,
        range: (usize, usize),
    ) -> Option<usize> {
        if end <= range.0 || range.1 <= begin || self.least[node] + above > 0 {
            return None;
        }
        if end - begin == 1 {
            return Some(begin);
        }
        let above = above + self.added[node];
        let middle = begin.midpoint(end);
        self.first_free_below(2 * node, begin, middle, above, range)
            .or_else(|| self.first_free_below(2 * node + 1, middle, end, above, range))
    }

    fn add_to_node(&mut self, node: usize, by: i64) {
        self.least[node] += by;
        self.added[node] += by;
    }

    fn renew_above(&mut self, mut node: usize) {
        while node > 1 {
            node /= 2;
            let below = self.least[2 * node].min(self.least[2 * node + 1]);
            self.least[node] = below + self.added[node];
        }
    }
}

/// Numbers, each with whose it is, of which all up to some place are raised at once,
/// and the highest of them. None is above [`LOWEST`] before it is set.
pub(super) struct Raised {
    nodes: Vec<Node>,
    width: usize,
}

#[derive(Clone, Copy)]
struct Node {
    /// By how much all before it are raised.
    raises: i128,
    /// The highest in it, with whose it is.
    highest: (i128, u32),
}

/// Less than any bound.
const LOWEST: i128 = i128::MIN / 4;

impl Raised {
    pub(super) fn new(count: usize) -> Self {
        let width = (count + 1).next_power_of_two();
        let none = Node {
            raises: 0,
            highest: (LOWEST, NONE),
        };
        Raised {
            nodes: vec![none; 2 * width],
            width,
        }
    }

    pub(super) fn highest(&self) -> (i128, u32) {
        self.nodes[1].highest
    }

    pub(super) fn set(&mut self, place: usize, number: (i128, u32)) {
        let node = self.width + place;
        self.nodes[node].highest = number;
        self.renew_above(node);
    }

    /// Raises all numbers before this place; what is set later is not.
    pub(super) fn raise_before(&mut self, place: usize, by: i128) {
        let node = self.width + place;
        self.nodes[node].raises += by;
        self.renew_above(node);
    }

    fn renew_above(&mut self, mut node: usize) {
        while node > 1 {
            node /= 2;
            let (left, right) = (self.nodes[2 * node], self.nodes[2 * node + 1]);
            let raised = (left.highest.0 + right.raises, left.highest.1);
            self.nodes[node] = Node {
                raises: left.raises + right.raises,
                highest: raised.max(right.highest),
            };
        }
    }
}
