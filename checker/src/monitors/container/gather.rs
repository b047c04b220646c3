//! From operations to what was done to each value.

use rustc_hash::FxHashMap;

use super::{BYTES, Blame, Contents, Empty, Fault, Held, Look, Role};
use crate::linearizability::guard::Guard;
use crate::monitors::{Interval, NEVER, NONE, go_on};

impl Contents {
    /// # Errors
    ///
    /// A value was put in twice, or some operations have no order whatever else
    /// happened, or a limit was met.
    pub(super) fn new<O>(
        intervals: &[Interval<O>],
        role: impl Fn(&O) -> Role,
        guard: &mut Guard<'_>,
    ) -> Result<Self, Fault> {
        let mut gathered = Gathered::default();
        for (operation, interval) in (0..).zip(intervals) {
            go_on(guard, BYTES * operation as usize)?;
            if let Role::Put(value) = role(&interval.operation) {
                gathered.put(value, operation, interval)?;
            }
        }
        let mut contents = Contents {
            held: Vec::new(),
            looks: Vec::new(),
            empties: Vec::new(),
            lost: Vec::new(),
        };
        for (operation, interval) in (0..).zip(intervals) {
            go_on(guard, BYTES * intervals.len())?;
            let role = role(&interval.operation);
            match (role, interval.completed) {
                (Role::Put(_), _) | (Role::Look(_), None) => {}
                (Role::Take(_), None) => contents.lost.push((interval.from(), operation)),
                (Role::Take(None) | Role::Look(None), Some(_)) => contents.empties.push(Empty {
                    from: interval.from(),
                    until: interval.until(),
                    operation,
                }),
                (Role::Take(Some(value)), Some(_)) => {
                    let held = gathered.seen(value, operation, intervals)?;
                    if held.take != NONE {
                        return Err(Fault::Refuted(vec![held.put, held.take, operation]));
                    }
                    held.saw(operation, interval);
                    (held.take, held.take_until) = (operation, interval.until());
                }
                (Role::Look(Some(value)), Some(_)) => {
                    let held = gathered.seen(value, operation, intervals)?;
                    held.saw(operation, interval);
                    contents.looks.push(Look {
                        value,
                        from: interval.from(),
                        operation,
                    });
                }
            }
        }
        contents.looks.sort_unstable();
        contents.lost.sort_unstable();
        contents.held = gathered.held;
        contents.narrow()?;
        Ok(contents)
    }

    /// Narrows when each operation can have taken effect by the others of its
    /// value.
    fn narrow(&mut self) -> Result<(), Blame> {
        for held in &mut self.held {
            if held.seen < held.put_from {
                return Err(vec![held.put, held.seen_by]);
            }
            if held.take_until < held.last {
                return Err(vec![held.put, held.take, held.last_by]);
            }
            held.put_until = held.put_until.min(held.seen);
            if !held.is_taken() {
                held.last = NEVER;
            }
        }
        self.held.sort_by_key(|held| held.last);
        Ok(())
    }
}

impl Held {
    fn saw<O>(&mut self, operation: u32, interval: &Interval<O>) {
        if interval.until() < self.seen {
            (self.seen, self.seen_by) = (interval.until(), operation);
        }
        if interval.from() > self.last {
            (self.last, self.last_by) = (interval.from(), operation);
        }
    }
}

/// Values while they are gathered.
#[derive(Default)]
struct Gathered {
    held: Vec<Held>,
    places: FxHashMap<u32, u32>,
    /// Puts of unknown outcome of what was not seen: as if they had not been.
    unseen: FxHashMap<u32, u32>,
}

impl Gathered {
    fn put<O>(&mut self, value: u32, put: u32, interval: &Interval<O>) -> Result<(), Fault> {
        if self.places.contains_key(&value) || self.unseen.contains_key(&value) {
            return Err(Fault::NotDistinct);
        }
        match interval.completed {
            Some(_) => {
                self.add(value, put, interval);
            }
            None => {
                self.unseen.insert(value, put);
            }
        }
        Ok(())
    }

    fn add<O>(&mut self, value: u32, put: u32, interval: &Interval<O>) -> usize {
        let place = self.held.len();
        self.places.insert(value, place as u32);
        self.held.push(Held {
            value,
            put,
            put_from: interval.from(),
            put_until: interval.until(),
            take: NONE,
            take_until: NEVER,
            seen: NEVER,
            seen_by: NONE,
            last: interval.from(),
            last_by: put,
        });
        place
    }

    /// The value that an operation saw.
    fn seen<O>(
        &mut self,
        value: u32,
        by: u32,
        intervals: &[Interval<O>],
    ) -> Result<&mut Held, Fault> {
        let place = match self.places.get(&value) {
            Some(&place) => place as usize,
            None => match self.unseen.remove(&value) {
                Some(put) => self.add(value, put, &intervals[put as usize]),
                None => return Err(Fault::Refuted(vec![by])),
            },
        };
        Ok(&mut self.held[place])
    }
}
