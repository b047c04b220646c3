//! Sets whose adds and removes say whether they did something.
//!
//! Elements do not matter to each other, so each is a bit. An add that did
//! something flips it up, a remove that did flips it down, and everything else
//! sees it as it is. The bit is flipped as late as can be: when an operation
//! ends that could not have happened yet. Of the operations that can flip it,
//! the one that ends first is taken; one of unknown outcome only if there is no
//! other, since it will do as well at any later time.
//!
//! This finds an order if there is one. By induction over time, no order has
//! flipped the bit fewer times: an operation forces a flip only where another
//! number of flips is not enough, and by then any order has used, of the
//! operations that flip the same way, at least as many as had begun. So what an
//! order needs is always there.
//!
//! (Abdulla et al., "Efficient Linearizability Monitoring", PLDI 2025, decide sets
//! by another algorithm, in linear time.)

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

use super::{Decided, Interval, NONE, ends, go_on};
use crate::linearizability::guard::Guard;

/// What is done to a set, which is empty at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Makes the element a member.
    Add {
        /// Of which element.
        element: u32,
        /// Whether it was none before; none if that was not said.
        added: Option<bool>,
    },
    /// Makes the element no member.
    Remove {
        /// Of which element.
        element: u32,
        /// Whether it was one before; none if that was not said.
        removed: Option<bool>,
    },
    /// Asks whether the element is a member.
    Contains {
        /// Of which element.
        element: u32,
        /// Whether it is.
        present: bool,
    },
}

/// What an operation is to the bit of its element.
#[derive(Clone, Copy, Debug)]
enum Role {
    /// Makes it this, and it was not before.
    Flip(bool),
    /// Finds it to be this.
    See(bool),
}

impl Operation {
    fn element(&self) -> u32 {
        match *self {
            Operation::Add { element, .. }
            | Operation::Remove { element, .. }
            | Operation::Contains { element, .. } => element,
        }
    }

    /// None if it could be the one or the other.
    fn role(&self) -> Option<Role> {
        Some(match *self {
            Operation::Add { added, .. } if added? => Role::Flip(true),
            Operation::Add { .. } => Role::See(true),
            Operation::Remove { removed, .. } if removed? => Role::Flip(false),
            Operation::Remove { .. } => Role::See(false),
            Operation::Contains { present, .. } => Role::See(present),
        })
    }

    /// What it makes of the bit if its outcome is unknown.
    fn may_flip(&self) -> Option<bool> {
        match self {
            Operation::Add { .. } => Some(true),
            Operation::Remove { .. } => Some(false),
            Operation::Contains { .. } => None,
        }
    }
}

/// So many bytes are held of each operation, about.
const BYTES: usize = 100;

/// Decides a history of one set, in O(n log n).
///
/// None if a completed add or remove did not say whether it did something.
pub fn decide(intervals: &[Interval<Operation>]) -> Option<Decided> {
    decide_within(intervals, &mut Guard::none())
}

/// The same as long as `guard` allows it.
pub(crate) fn decide_within(
    intervals: &[Interval<Operation>],
    guard: &mut Guard<'_>,
) -> Option<Decided> {
    let mut sweep = Sweep {
        intervals,
        elements: Vec::new(),
        done: vec![false; intervals.len()],
        order: Vec::with_capacity(intervals.len()),
    };
    let mut places = FxHashMap::default();
    let mut element_of = Vec::with_capacity(intervals.len());
    let mut roles = Vec::with_capacity(intervals.len());
    for interval in intervals {
        go_on(guard, BYTES * intervals.len()).ok()?;
        let count = places.len();
        let place = *places.entry(interval.operation.element()).or_insert(count);
        element_of.push(place);
        roles.push(match interval.completed {
            Some(_) => Some(interval.operation.role()?),
            None => None,
        });
    }
    sweep.elements.resize_with(places.len(), Element::default);
    for end in ends(intervals) {
        go_on(guard, BYTES * intervals.len()).ok()?;
        let operation = end.operation as usize;
        let element = element_of[operation];
        match (end.completes, roles[operation]) {
            (true, Some(role)) => {
                if sweep.complete(element, end.operation, role).is_err() {
                    let mut blame = std::mem::take(&mut sweep.elements[element].reason);
                    blame.push(end.operation);
                    return Some(Decided::refuted(blame));
                }
            }
            (false, Some(role)) => sweep.invoke(element, end.operation, role),
            (_, None) => {
                if let Some(to) = intervals[operation].operation.may_flip() {
                    sweep.elements[element].optional[usize::from(to)].push(end.operation);
                }
            }
        }
    }
    Some(Decided::Order(sweep.order))
}

/// There is nothing left that could flip the bit.
struct Stuck;

struct Sweep<'a> {
    intervals: &'a [Interval<Operation>],
    elements: Vec<Element>,
    /// By operation, whether it is in the order.
    done: Vec<bool>,
    order: Vec<u32>,
}

/// What is known of an element by now. Of pairs, the first is of operations
/// that are done when the bit goes down, the second of those when it goes up.
#[derive(Default)]
struct Element {
    present: bool,
    /// What must flip the bit before it ends.
    flips: [BinaryHeap<Reverse<(u32, u32)>>; 2],
    /// What may flip the bit at any time from now on.
    optional: [Vec<u32>; 2],
    /// What must see the bit before it ends.
    sights: [Vec<u32>; 2],
    /// Operations that by themselves lead to where the element is now.
    reason: Vec<u32>,
}

impl Sweep<'_> {
    fn invoke(&mut self, element: usize, operation: u32, role: Role) {
        let this = &mut self.elements[element];
        match role {
            Role::Flip(to) => {
                let until = self.intervals[operation as usize].completed;
                let until = until.unwrap_or(NONE);
                this.flips[usize::from(to)].push(Reverse((until, operation)));
            }
            Role::See(what) if what == this.present => {
                self.done[operation as usize] = true;
                self.order.push(operation);
            }
            Role::See(what) => this.sights[usize::from(what)].push(operation),
        }
    }

    fn complete(&mut self, element: usize, operation: u32, role: Role) -> Result<(), Stuck> {
        let is_forced = !self.done[operation as usize];
        while !self.done[operation as usize] {
            self.flip(element)?;
        }
        let this = &mut self.elements[element];
        match role {
            Role::See(_) if is_forced => this.reason.push(operation),
            Role::See(_) => {}
            Role::Flip(_) => this.forget(self.intervals),
        }
        Ok(())
    }

    fn flip(&mut self, element: usize) -> Result<(), Stuck> {
        let this = &mut self.elements[element];
        let to = usize::from(!this.present);
        let first = this.flips[to].pop().map(|Reverse((_, flip))| flip);
        let flip = first.or_else(|| this.optional[to].pop()).ok_or(Stuck)?;
        this.present = !this.present;
        this.reason.push(flip);
        for operation in std::iter::once(flip).chain(this.sights[to].drain(..)) {
            self.done[operation as usize] = true;
            self.order.push(operation);
        }
        Ok(())
    }
}

impl Element {
    /// Shortens the reason when nothing is under way: the last flip alone then
    /// leads to where the element is, or none if that is where it began.
    fn forget(&mut self, intervals: &[Interval<Operation>]) {
        let under_way = self.flips.iter().any(|flips| !flips.is_empty())
            || self.sights.iter().any(|sights| !sights.is_empty());
        if under_way {
            return;
        }
        let is_flip = |&&operation: &&u32| {
            let interval = &intervals[operation as usize];
            let role = interval.operation.role();
            interval.completed.is_none() || matches!(role, Some(Role::Flip(_)))
        };
        let last = match self.present {
            true => self.reason.iter().rev().find(is_flip).copied(),
            false => None,
        };
        let is_completed = |flip: u32| intervals[flip as usize].completed.is_some();
        if last.is_none_or(is_completed) {
            self.reason.clear();
            self.reason.extend(last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitors::oracle::{Case, agree, long};
    use crate::monitors::simulation::{Random, Set};

    fn any(random: &mut Random) -> Operation {
        let element = random.below(3) as u32;
        let answer = random.one_in(2);
        let told = (!random.one_in(8)).then_some(answer);
        match random.below(3) {
            0 => Operation::Add {
                element,
                added: told,
            },
            1 => Operation::Remove {
                element,
                removed: told,
            },
            _ => Operation::Contains {
                element,
                present: answer,
            },
        }
    }

    fn qualifies(intervals: &[Interval<Operation>]) -> bool {
        let mut all = intervals.iter();
        all.all(|interval| interval.completed.is_none() || interval.operation.role().is_some())
    }

    const CASE: Case<Set> = Case {
        decide,
        any,
        qualifies,
        blames_what_has_no_order: true,
    };

    #[test]
    fn it_agrees_with_brute_force() {
        agree(&CASE);
    }

    #[test]
    fn long_histories_are_decided() {
        long(&CASE, 0);
        long(&CASE, 100);
    }
}
