//! Histories of simulated objects, for tests and for the bench, which includes
//! this file.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Debug;

use super::{Interval, bounds, counter, growing_set, log, priority_queue, queue, set, stack};

/// Random numbers that are the same in every run.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % bound
    }

    pub fn one_in(&mut self, count: u64) -> bool {
        count > 0 && self.below(count) == 0
    }
}

/// A sequential object.
pub trait Object: Clone + Default {
    type Operation: Clone + Debug;

    /// Does the operation, and says whether it could have returned what it did;
    /// that is not looked at if the outcome is unknown.
    fn step(&mut self, operation: &Self::Operation, is_known: bool) -> bool;

    /// An operation that can be next, with what it would return. A value that
    /// must be new is `fresh`.
    fn draw(&self, random: &mut Random, fresh: u32) -> Self::Operation;

    /// Goes wrong, if there is enough inside for it to show.
    fn spoil(&mut self) -> bool;
}

/// A history of so many clients that never pause. `wrong_at` is when the object
/// goes wrong at the earliest, in operations.
pub fn simulate<O: Object>(
    random: &mut Random,
    operations: usize,
    clients: usize,
    unknown_one_in: u64,
    mut wrong_at: Option<usize>,
) -> Vec<Interval<O::Operation>> {
    let mut object = O::default();
    let mut history: Vec<Option<Interval<O::Operation>>> = Vec::new();
    // When each client's operation began, and whether it was done.
    let mut open: Vec<Option<(u32, bool, usize)>> = vec![None; clients];
    let (mut place, mut begun) = (0, 0);
    while begun < operations || open.iter().any(Option::is_some) {
        place += 1;
        let client = random.below(clients as u64) as usize;
        open[client] = match open[client] {
            None if begun < operations => {
                begun += 1;
                history.push(None);
                Some((place, false, begun - 1))
            }
            None => None,
            Some((invoked, false, number)) => {
                if wrong_at.is_some_and(|at| at <= number) && object.spoil() {
                    wrong_at = None;
                }
                let operation = object.draw(random, number as u32);
                object.step(&operation, true);
                history[number] = Some(Interval {
                    operation,
                    invoked,
                    completed: None,
                });
                (!random.one_in(unknown_one_in)).then_some((invoked, true, number))
            }
            Some((_, true, number)) => {
                if let Some(interval) = &mut history[number] {
                    interval.completed = Some(place);
                }
                None
            }
        };
    }
    history.into_iter().flatten().collect()
}

#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Queue(VecDeque<u32>);

impl Object for Queue {
    type Operation = queue::Operation;

    fn step(&mut self, operation: &queue::Operation, is_known: bool) -> bool {
        match *operation {
            queue::Operation::Enqueue(value) => self.0.push_back(value),
            queue::Operation::Dequeue(value) => {
                return self.0.pop_front() == value || !is_known;
            }
            queue::Operation::Peek(value) => {
                return self.0.front().copied() == value || !is_known;
            }
        }
        true
    }

    fn draw(&self, random: &mut Random, fresh: u32) -> queue::Operation {
        match random.below(7) {
            0..=2 => queue::Operation::Enqueue(fresh),
            3..=5 => queue::Operation::Dequeue(self.0.front().copied()),
            _ => queue::Operation::Peek(self.0.front().copied()),
        }
    }

    fn spoil(&mut self) -> bool {
        let enough = self.0.len() > 50;
        if enough {
            self.0.make_contiguous().reverse();
        }
        enough
    }
}

#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Stack(Vec<u32>);

impl Object for Stack {
    type Operation = stack::Operation;

    fn step(&mut self, operation: &stack::Operation, is_known: bool) -> bool {
        match *operation {
            stack::Operation::Push(value) => self.0.push(value),
            stack::Operation::Pop(value) => return self.0.pop() == value || !is_known,
        }
        true
    }

    fn draw(&self, random: &mut Random, fresh: u32) -> stack::Operation {
        match random.below(2) {
            0 => stack::Operation::Push(fresh),
            _ => stack::Operation::Pop(self.0.last().copied()),
        }
    }

    fn spoil(&mut self) -> bool {
        let enough = self.0.len() > 50;
        if enough {
            self.0.reverse();
        }
        enough
    }
}

/// The smallest first.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct PriorityQueue(BTreeSet<(u32, u32)>);

impl PriorityQueue {
    fn first(&self) -> Option<u32> {
        self.0.first().map(|&(value, _)| value)
    }
}

impl Object for PriorityQueue {
    type Operation = priority_queue::Operation;

    fn step(&mut self, operation: &priority_queue::Operation, is_known: bool) -> bool {
        match *operation {
            priority_queue::Operation::Insert(value) => {
                // Of equal values, each is kept.
                let copies = self.0.range((value, 0)..=(value, u32::MAX)).count();
                self.0.insert((value, copies as u32));
            }
            priority_queue::Operation::Poll(value) => {
                let first = self.first();
                let copies = first.map(|first| self.0.range((first, 0)..=(first, u32::MAX)));
                if let Some(last) = copies.and_then(|mut copies| copies.next_back()).copied() {
                    self.0.remove(&last);
                }
                return first == value || !is_known;
            }
        }
        true
    }

    fn draw(&self, random: &mut Random, fresh: u32) -> priority_queue::Operation {
        match random.below(2) {
            // Distinct, but in no order.
            0 => priority_queue::Operation::Insert(fresh.wrapping_mul(0x9e37_79b1)),
            _ => priority_queue::Operation::Poll(self.first()),
        }
    }

    /// Loses a value.
    fn spoil(&mut self) -> bool {
        self.0.len() > 50 && self.0.pop_first().is_some()
    }
}

#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Set(BTreeSet<u32>);

/// So many elements.
const ELEMENTS: u64 = 3;

impl Object for Set {
    type Operation = set::Operation;

    fn step(&mut self, operation: &set::Operation, is_known: bool) -> bool {
        match *operation {
            set::Operation::Add { element, added } => {
                let is_new = self.0.insert(element);
                !is_known || added.is_none_or(|added| added == is_new)
            }
            set::Operation::Remove { element, removed } => {
                let was_present = self.0.remove(&element);
                !is_known || removed.is_none_or(|removed| removed == was_present)
            }
            set::Operation::Contains { element, present } => {
                !is_known || present == self.0.contains(&element)
            }
        }
    }

    fn draw(&self, random: &mut Random, _: u32) -> set::Operation {
        let element = random.below(ELEMENTS) as u32;
        let present = self.0.contains(&element);
        match random.below(3) {
            0 => set::Operation::Add {
                element,
                added: Some(!present),
            },
            1 => set::Operation::Remove {
                element,
                removed: Some(present),
            },
            _ => set::Operation::Contains { element, present },
        }
    }

    fn spoil(&mut self) -> bool {
        for element in 0..ELEMENTS as u32 {
            if !self.0.remove(&element) {
                self.0.insert(element);
            }
        }
        true
    }
}

#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct GrowingSet(BTreeSet<u32>);

impl Object for GrowingSet {
    type Operation = growing_set::Operation<Vec<u32>>;

    fn step(&mut self, operation: &Self::Operation, is_known: bool) -> bool {
        let is_right = match operation {
            growing_set::Operation::Add { element, added } => {
                let is_new = self.0.insert(*element);
                added.is_none_or(|added| added == is_new)
            }
            growing_set::Operation::Contains { element, present } => {
                *present == self.0.contains(element)
            }
            // In any order.
            growing_set::Operation::Read(list) => {
                let listed: BTreeSet<u32> = list.iter().copied().collect();
                listed.len() == list.len() && listed == self.0
            }
        };
        is_right || !is_known
    }

    /// The more there are, the more seldom they are read.
    fn draw(&self, random: &mut Random, fresh: u32) -> Self::Operation {
        let some = random.below(u64::from(fresh) + 1) as u32;
        match random.below(4 + self.0.len() as u64 / 8) {
            0 => growing_set::Operation::Read(self.0.iter().rev().copied().collect()),
            1 => growing_set::Operation::Contains {
                element: some,
                present: self.0.contains(&some),
            },
            2 => growing_set::Operation::Add {
                element: some,
                added: random.one_in(2).then_some(!self.0.contains(&some)),
            },
            _ => growing_set::Operation::Add {
                element: fresh,
                added: random.one_in(2).then_some(!self.0.contains(&fresh)),
            },
        }
    }

    /// Loses an element.
    fn spoil(&mut self) -> bool {
        self.0.len() > 50 && self.0.pop_first().is_some()
    }
}

#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Counter(i64);

impl Object for Counter {
    type Operation = counter::Operation;

    fn step(&mut self, operation: &counter::Operation, is_known: bool) -> bool {
        match *operation {
            counter::Operation::Add(number) => self.0 += number,
            counter::Operation::Read(value) => return self.0 == value || !is_known,
        }
        true
    }

    fn draw(&self, random: &mut Random, _: u32) -> counter::Operation {
        match random.below(2) {
            0 => counter::Operation::Add(1),
            _ => counter::Operation::Read(self.0),
        }
    }

    fn spoil(&mut self) -> bool {
        self.0 += 100;
        true
    }
}

/// A counter of which any operation may tell what it leaves.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Teller(i128);

impl Object for Teller {
    type Operation = bounds::Operation;

    fn step(&mut self, operation: &bounds::Operation, is_known: bool) -> bool {
        self.0 += operation.adds;
        operation.leaves.is_none_or(|leaves| leaves == self.0) || !is_known
    }

    /// Mostly it rises.
    fn draw(&self, random: &mut Random, _: u32) -> bounds::Operation {
        let adds = [0, 0, 1, 1, 2, -1][random.below(6) as usize];
        bounds::Operation {
            adds,
            leaves: random.one_in(2).then_some(self.0 + adds),
        }
    }

    fn spoil(&mut self) -> bool {
        self.0 += 1000;
        true
    }
}

#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Log(Vec<u32>);

impl Object for Log {
    type Operation = log::Operation<Vec<u32>>;

    fn step(&mut self, operation: &Self::Operation, is_known: bool) -> bool {
        match operation {
            log::Operation::Append(value) => self.0.push(*value),
            log::Operation::AppendAt { value, index } => {
                self.0.push(*value);
                return *index == self.0.len() - 1 || !is_known;
            }
            log::Operation::Read(list) => return *list == self.0 || !is_known,
        }
        true
    }

    /// The longer the list, the more seldom it is read.
    fn draw(&self, random: &mut Random, fresh: u32) -> Self::Operation {
        match random.below(2 + self.0.len() as u64 / 8) {
            0 => log::Operation::Read(self.0.clone()),
            _ => log::Operation::Append(fresh),
        }
    }

    fn spoil(&mut self) -> bool {
        self.0.reverse();
        self.0.len() > 50
    }
}

/// A log of two values.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct RepetitiveLog(Log);

impl Object for RepetitiveLog {
    type Operation = log::Operation<Vec<u32>>;

    fn step(&mut self, operation: &Self::Operation, is_known: bool) -> bool {
        self.0.step(operation, is_known)
    }

    fn draw(&self, random: &mut Random, _: u32) -> Self::Operation {
        let value = random.below(2) as u32;
        self.0.draw(random, value)
    }

    fn spoil(&mut self) -> bool {
        self.0.spoil()
    }
}

/// The same, where half of the appends tell where.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct TellingLog(RepetitiveLog);

impl Object for TellingLog {
    type Operation = log::Operation<Vec<u32>>;

    fn step(&mut self, operation: &Self::Operation, is_known: bool) -> bool {
        self.0.step(operation, is_known)
    }

    fn draw(&self, random: &mut Random, fresh: u32) -> Self::Operation {
        let index = self.0.0.0.len();
        match self.0.draw(random, fresh) {
            log::Operation::Append(value) if random.one_in(2) => {
                log::Operation::AppendAt { value, index }
            }
            other => other,
        }
    }

    fn spoil(&mut self) -> bool {
        self.0.spoil()
    }
}
