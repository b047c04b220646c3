//! Sets to which elements are only added, and which are read whole.
//!
//! An element is there from the first add that took effect, so all that is done to
//! it bounds one moment: not before an add that may be the first has begun, or one
//! that did not find it; not after any add has ended, or one that found it. Reads
//! are ordered by inclusion, or there is no order. So each moment stands between two
//! reads, and each read between two moments, and what no read saw comes last. That
//! leaves an order of all but what stands between the same two reads, where any will
//! do; it is right if nothing stands before another that had to be over when it
//! began.

use rustc_hash::FxHashMap;

use super::{Decided, Interval, NEVER, NONE, Place, Stopped, go_on};
use crate::linearizability::guard::Guard;

/// What is done to a set, which is empty at first. Lists are of any type that can
/// be seen as a slice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operation<L> {
    /// Makes the element a member.
    Add {
        /// Of which element.
        element: u32,
        /// Whether it was none before; none if that was not said.
        added: Option<bool>,
    },
    /// Asks whether the element is a member.
    Contains {
        /// Of which element.
        element: u32,
        /// Whether it is.
        present: bool,
    },
    /// Returns all members.
    Read(L),
}

/// So many bytes are held of each operation, beside what was read, about.
const BYTES: usize = 256;

/// Decides a history of one set, in O(n log n) and the length of what is read.
pub fn decide<L: AsRef<[u32]>>(intervals: &[Interval<Operation<L>>]) -> Decided {
    let decided = decide_within(intervals, &mut Guard::none());
    decided.expect("nothing ends it")
}

/// The same as long as `guard` allows it.
pub(crate) fn decide_within<L: AsRef<[u32]>>(
    intervals: &[Interval<Operation<L>>],
    guard: &mut Guard<'_>,
) -> Option<Decided> {
    let mut set = GrowingSet::new(intervals, guard).ok()?;
    let decided = set.nest(guard).ok()?;
    let decided = decided.and_then(|()| set.order());
    Some(match decided {
        Ok(order) => Decided::Order(order),
        Err(blame) => Decided::refuted(blame),
    })
}

/// A moment before or after which something cannot be, and the operation that says
/// so.
type Bound = (Place, u32);

/// What is known of an element.
#[derive(Clone, Debug)]
struct Element {
    /// The add that said that it was the first.
    told: Option<u32>,
    /// Of the adds that may have been the first, the one that began first.
    earliest: Bound,
    /// It is not there before this.
    not_before: Bound,
    /// It is there after this.
    until: Bound,
    /// The smallest read that saw it.
    read: Option<u32>,
    /// How many sizes of reads are smaller than all that saw it.
    group: u32,
    /// The last read that was seen to list it.
    listed: u32,
    /// When it came to be there, once that is chosen.
    since: Option<Place>,
}

impl Element {
    const NEW: Element = Element {
        told: None,
        earliest: (NEVER, NONE),
        not_before: (0, NONE),
        until: (NEVER, NONE),
        read: None,
        group: u32::MAX,
        listed: NONE,
        since: None,
    };

    /// The add that makes it a member.
    fn maker(&self) -> Option<u32> {
        let earliest = (self.earliest.1 != NONE).then_some(self.earliest.1);
        self.told.or(earliest)
    }

    /// Whether somebody says that it was there.
    fn must_be(&self) -> bool {
        self.read.is_some() || self.until.1 != NONE
    }
}

struct GrowingSet<'a, L> {
    intervals: &'a [Interval<Operation<L>>],
    elements: Vec<Element>,
    /// By operation, the element that it is about.
    about: Vec<u32>,
    places: FxHashMap<u32, u32>,
    /// The reads that completed, the smallest first, with their groups: those of one
    /// group have seen the same.
    reads: Vec<(u32, u32)>,
    /// The adds that said to be the first where another had said so.
    twice: Option<Vec<u32>>,
}

impl<'a, L: AsRef<[u32]>> GrowingSet<'a, L> {
    fn new(
        intervals: &'a [Interval<Operation<L>>],
        guard: &mut Guard<'_>,
    ) -> Result<Self, Stopped> {
        let mut set = GrowingSet {
            intervals,
            elements: Vec::new(),
            about: Vec::with_capacity(intervals.len()),
            places: FxHashMap::default(),
            reads: Vec::new(),
            twice: None,
        };
        for (operation, interval) in (0..).zip(intervals) {
            go_on(guard, BYTES * intervals.len())?;
            let is_known = interval.completed.is_some();
            let until = (interval.until(), operation);
            let from = (interval.from(), operation);
            let about = match interval.operation {
                Operation::Add { element, added } => {
                    let place = set.place(element);
                    let element = &mut set.elements[place as usize];
                    match added.filter(|_| is_known) {
                        Some(true) => match element.told {
                            Some(first) => {
                                set.twice.get_or_insert_with(|| vec![first, operation]);
                            }
                            None => element.told = Some(operation),
                        },
                        Some(false) => {}
                        None => element.earliest = element.earliest.min(from),
                    }
                    if is_known {
                        element.until = element.until.min(until);
                    }
                    place
                }
                Operation::Contains { element, present } if is_known => {
                    let place = set.place(element);
                    let element = &mut set.elements[place as usize];
                    match present {
                        true => element.until = element.until.min(until),
                        false => element.not_before = element.not_before.max(from),
                    }
                    place
                }
                Operation::Read(_) if is_known => {
                    set.reads.push((operation, 0));
                    NONE
                }
                Operation::Contains { .. } | Operation::Read(_) => NONE,
            };
            set.about.push(about);
        }
        Ok(set)
    }

    fn place(&mut self, element: u32) -> u32 {
        let next = self.elements.len() as u32;
        let place = *self.places.entry(element).or_insert(next);
        if place == next {
            self.elements.push(Element::NEW);
        }
        place
    }

    fn listed(&self, read: u32) -> &'a [u32] {
        match &self.intervals[read as usize].operation {
            Operation::Read(list) => list.as_ref(),
            Operation::Add { .. } | Operation::Contains { .. } => &[],
        }
    }

    fn interval(&self, operation: u32) -> &'a Interval<Operation<L>> {
        &self.intervals[operation as usize]
    }

    /// Orders the reads by inclusion, or says which are in none.
    fn nest(&mut self, guard: &mut Guard<'_>) -> Result<Result<(), Vec<u32>>, Stopped> {
        let mut reads = std::mem::take(&mut self.reads);
        reads.sort_by_key(|&(read, _)| (self.listed(read).len(), self.interval(read).invoked));
        let (mut seen, mut group, mut size) = (0, 0, None);
        for (read, of) in &mut reads {
            let listed = self.listed(*read);
            if size
                .replace(listed.len())
                .is_some_and(|size| size < listed.len())
            {
                group += 1;
            }
            *of = group;
            for &element in listed {
                go_on(guard, BYTES * self.intervals.len())?;
                // Nobody adds what nothing else is about.
                let Some(&place) = self.places.get(&element) else {
                    return Ok(Err(vec![*read]));
                };
                let element = &mut self.elements[place as usize];
                if std::mem::replace(&mut element.listed, *read) == *read {
                    return Ok(Err(vec![*read]));
                }
                if element.read.is_none() {
                    element.read = Some(*read);
                    element.group = group;
                    seen += 1;
                }
            }
            // All that smaller reads saw, and no more.
            if seen != listed.len() {
                let missing = self
                    .elements
                    .iter()
                    .find(|element| element.read.is_some() && element.listed != *read);
                let seen_by = missing.and_then(|element| element.read);
                return Ok(Err([*read].into_iter().chain(seen_by).collect()));
            }
        }
        self.reads = reads;
        Ok(Ok(()))
    }

    /// An order, or the operations to blame.
    fn order(&mut self) -> Result<Vec<u32>, Vec<u32>> {
        if let Some(twice) = self.twice.take() {
            return Err(twice);
        }
        let mut steps = self.steps()?;
        // Each element stands before the reads of its group.
        steps.sort_unstable_by_key(|step| (step.group, step.is_read, step.from));
        let mut order: Vec<(Place, u8, u32, u32)> = Vec::with_capacity(self.intervals.len());
        // What must be over before the group that is placed.
        let mut over: Bound = (0, NONE);
        let mut before = over;
        let mut of_before = u32::MAX;
        let mut last = None;
        for (number, step) in (0..).zip(&steps) {
            if last.replace((step.group, step.is_read)) != Some((step.group, step.is_read)) {
                before = over;
            }
            if step.until.0 < before.0 {
                let between = self.reads.iter().find(|(_, group)| *group == of_before);
                let between = between.map(|&(read, _)| read);
                return Err([before.1, step.until.1]
                    .into_iter()
                    .chain(between)
                    .collect());
            }
            if step.from > over {
                over = step.from;
                of_before = step.group;
            }
            let place = before.0.max(step.from.0);
            if let Some(element) = step.element {
                self.elements[element as usize].since = Some(place);
            }
            order.push((place, 1, number, step.operation));
        }
        for (operation, interval) in (0..).zip(self.intervals) {
            let Some(element) = self.elements.get(self.about[operation as usize] as usize) else {
                continue;
            };
            let is_over = interval.completed.is_some();
            match (&interval.operation, element.since) {
                (Operation::Contains { present: false, .. }, _) => {
                    order.push((interval.from(), 0, 0, operation));
                }
                (_, Some(since)) if is_over && element.maker() != Some(operation) => {
                    order.push((since.max(interval.from()), 2, 0, operation));
                }
                _ => {}
            }
        }
        order.sort_unstable();
        Ok(order.into_iter().map(|(.., operation)| operation).collect())
    }

    /// The adds that make a member, and the reads, each with its bounds.
    fn steps(&self) -> Result<Vec<Step>, Vec<u32>> {
        let mut steps = Vec::with_capacity(self.elements.len() + self.reads.len());
        for (place, element) in (0..).zip(&self.elements) {
            if !element.must_be() {
                continue;
            }
            let says = element.read.unwrap_or(element.until.1);
            let maker = element.maker().ok_or_else(|| vec![says])?;
            let from = element.not_before.max((self.interval(maker).from(), maker));
            if element.until.0 < from.0 {
                return Err(vec![from.1, element.until.1]);
            }
            steps.push(Step {
                group: element.group,
                is_read: false,
                from,
                until: element.until,
                operation: maker,
                element: Some(place),
            });
        }
        let reads = self.reads.iter().map(|&(read, group)| Step {
            group,
            is_read: true,
            from: (self.interval(read).from(), read),
            until: (self.interval(read).until(), read),
            operation: read,
            element: None,
        });
        steps.extend(reads);
        Ok(steps)
    }
}

/// What stands between others in an order.
struct Step {
    group: u32,
    is_read: bool,
    from: Bound,
    until: Bound,
    operation: u32,
    /// The element that is a member after it.
    element: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitors::oracle::{Case, agree, long};
    use crate::monitors::simulation::{GrowingSet, Random};

    fn any(random: &mut Random) -> Operation<Vec<u32>> {
        let element = |random: &mut Random| 1 + random.below(8) as u32;
        let answer = random.one_in(2);
        match random.below(4) {
            0 => {
                let length = random.below(4);
                Operation::Read((0..length).map(|_| element(random)).collect())
            }
            1 => Operation::Contains {
                element: element(random),
                present: answer,
            },
            _ => Operation::Add {
                element: element(random),
                added: random.one_in(2).then_some(answer),
            },
        }
    }

    const CASE: Case<GrowingSet> = Case {
        decide: |intervals| Some(decide(intervals)),
        any,
        qualifies: |_| true,
        blames_what_has_no_order: false,
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
