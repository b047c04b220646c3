//! What queues, stacks and priority queues have in common: values are put in
//! once, looked at, and taken out once.

mod gather;

use rustc_hash::FxHashSet;

use super::cover::{Cover, Stretch, chain};
use super::{Decided, Interval, NEVER, NONE, Place, Stopped};
use crate::linearizability::guard::Guard;

/// What an operation is to a container.
pub(super) enum Role {
    /// Puts the value in.
    Put(u32),
    /// Takes the value out, or finds the container empty.
    Take(Option<u32>),
    /// Sees the value at the end where values are taken, or finds the container
    /// empty.
    Look(Option<u32>),
}

/// Operations that have no order.
pub(super) type Blame = Vec<u32>;

/// Why there is no order of contents.
pub(super) enum Fault {
    /// A value was put in twice.
    NotDistinct,
    /// These have none.
    Refuted(Blame),
    /// A limit was met.
    Stopped,
}

impl From<Blame> for Fault {
    fn from(blame: Blame) -> Self {
        Fault::Refuted(blame)
    }
}

impl From<Stopped> for Fault {
    fn from(_: Stopped) -> Self {
        Fault::Stopped
    }
}

/// So many bytes are held of each operation while an order is looked for, about.
pub(super) const BYTES: usize = 100;

/// The take is one of those of unknown outcome.
const LOST: u32 = NONE - 1;

/// A value and what was done to it.
///
/// The time in which an operation can have taken effect is narrowed by the
/// other operations on the value: it was put before the first that saw it
/// ended, and taken after the last began.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub value: u32,
    pub put: u32,
    pub put_from: Place,
    pub put_until: Place,
    /// [`NONE`] if it stays inside.
    pub take: u32,
    pub take_until: Place,
    /// The first completion of what saw the value.
    pub seen: Place,
    seen_by: u32,
    /// The last invocation of all: when the value can first be taken.
    pub last: Place,
    last_by: u32,
}

impl Held {
    pub(super) fn is_taken(&self) -> bool {
        self.take != NONE
    }

    /// Whether it need not be taken.
    pub(super) fn may_stay(&self) -> bool {
        self.take == LOST
    }

    /// When it is inside, for certain.
    pub(super) fn inside(&self, of: usize) -> Stretch {
        Stretch {
            after: self.put_until,
            before: self.last,
            of,
        }
    }
}

/// A look at a value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Look {
    value: u32,
    pub from: Place,
    pub operation: u32,
}

/// Found nothing inside.
#[derive(Clone)]
struct Empty {
    from: Place,
    until: Place,
    operation: u32,
}

/// A history of a container by values.
#[derive(Clone)]
pub(super) struct Contents {
    /// In the order in which they can first be taken.
    pub held: Vec<Held>,
    looks: Vec<Look>,
    empties: Vec<Empty>,
    /// The takes of unknown outcome: when they began, in time.
    lost: Vec<(Place, u32)>,
}

/// Decides by `order`, which has an order of contents, or operations that have
/// none by themselves.
///
/// A take of unknown outcome may have taken any value, or none. First none is
/// taken to have. If there is no order then, every value that no other takes
/// may go at any time after the first of them began, as if there were enough of
/// them. If there is none again, there is none at all. If there is one, it
/// stands if there are enough takes, each early enough. If not, values are let
/// go one after the other, each time one of those to blame; what that finds is
/// an order too, but if it finds none nothing is known. Nor is it if `guard` does
/// not allow more.
pub(super) fn decide<O>(
    intervals: &[Interval<O>],
    role: impl Fn(&O) -> Role,
    order: impl Fn(&Contents, &mut Guard<'_>) -> Result<Vec<u32>, Fault>,
    guard: &mut Guard<'_>,
) -> Option<Decided> {
    let mut contents = match Contents::new(intervals, &role, guard) {
        Ok(contents) => contents,
        Err(Fault::NotDistinct | Fault::Stopped) => return None,
        Err(Fault::Refuted(blame)) => return Some(Decided::refuted(blame)),
    };
    let mut order = |contents: &Contents| match order(contents, guard) {
        Ok(order) => Some(Ok(order)),
        Err(Fault::Refuted(blame)) => Some(Err(blame)),
        Err(Fault::NotDistinct | Fault::Stopped) => None,
    };
    let mut blame = match order(&contents)? {
        Ok(order) => return Some(Decided::Order(order)),
        Err(blame) => blame,
    };
    if contents.lost.is_empty() {
        return Some(Decided::refuted(blame));
    }
    let puts = |operation: u32| {
        let role = role(&intervals[operation as usize].operation);
        matches!(role, Role::Put(_))
    };
    let mut all_let_go = contents.clone();
    all_let_go.let_all_go();
    match order(&all_let_go)? {
        Ok(order) => {
            if let Some(order) = all_let_go.name_lost(intervals, puts, order) {
                return Some(Decided::Order(order));
            }
        }
        Err(blame) => return Some(Decided::refuted(blame)),
    }
    for _ in 0..STEPS_MAX / intervals.len() {
        // What must go must do so while something to blame still runs.
        let takes = blame.iter().filter(|&&operation| !puts(operation));
        let ends = takes.filter_map(|&operation| intervals[operation as usize].completed);
        contents.let_go_one(&blame, ends.max()?.into())?;
        match order(&contents)? {
            Ok(order) => return Some(Decided::Order(order)),
            Err(other) => blame = other,
        }
    }
    None
}

/// So many operations at most are ordered again when values are let go one by
/// one: a few seconds.
const STEPS_MAX: usize = 4_000_000;

impl Contents {
    /// Lets every value that stays inside be taken once the first take of
    /// unknown outcome has begun.
    fn let_all_go(&mut self) {
        let Some(&(first, _)) = self.lost.first() else {
            return;
        };
        for place in 0..self.held.len() {
            if !self.held[place].is_taken() {
                self.take(place, LOST, first);
            }
        }
        self.held.sort_by_key(|held| held.last);
    }

    /// Lets one of the values that stay inside be taken: one to blame, by the
    /// last take of unknown outcome that began early enough. None if there is
    /// no such value or no such take.
    fn let_go_one(&mut self, blame: &[u32], until: Place) -> Option<()> {
        let mut held = self.held.iter();
        let place = held.position(|held| !held.is_taken() && blame.contains(&held.put))?;
        let early = self.lost.partition_point(|(from, _)| *from <= until);
        let (from, take) = self.lost.remove(early.checked_sub(1)?);
        self.take(place, take, from);
        self.held.sort_by_key(|held| held.last);
        Some(())
    }

    fn take(&mut self, place: usize, take: u32, from: Place) {
        let looks = self.looks(&self.held[place]);
        let looked = looks.last().map_or(0, |look| look.from);
        let held = &mut self.held[place];
        held.take = take;
        held.last = from.max(held.put_from).max(looked);
    }

    /// When the takes of unknown outcome began, in time.
    pub(super) fn lost_from(&self) -> impl Iterator<Item = Place> {
        self.lost.iter().map(|(from, _)| *from)
    }

    /// A take of unknown outcome that may be used when so many are: when it
    /// began, and which it is.
    pub(super) fn lost(&self, used: usize) -> (Place, u32) {
        self.lost.get(used).copied().unwrap_or((NEVER, LOST))
    }

    /// The looks at a value, as they began.
    pub(super) fn looks(&self, held: &Held) -> &[Look] {
        let from = self.looks.partition_point(|look| look.value < held.value);
        let rest = &self.looks[from..];
        &rest[..rest.partition_point(|look| look.value == held.value)]
    }

    /// What was done to a value, or enough of it to tell when the value was
    /// inside and when in front.
    pub(super) fn blame(&self, of: impl IntoIterator<Item = usize>) -> Blame {
        let all = of.into_iter().flat_map(|place| {
            let held = &self.held[place];
            [held.put, held.take, held.seen_by, held.last_by]
        });
        all.filter(|&operation| operation < LOST).collect()
    }

    /// When the container was found empty, and by what, in time: each as early
    /// as can be.
    ///
    /// Such a moment can be chosen without regard to the rest: of any order of
    /// the other operations, those on values that can all lie before the moment
    /// make one order and those on the others another, and one after the other
    /// they are an order again. No value can be inside from one to the other.
    pub(super) fn moments_empty(&self) -> Result<Vec<(Place, u32)>, Blame> {
        if self.empties.is_empty() {
            return Ok(Vec::new());
        }
        let inside = || self.inside();
        let cover = Cover::new(inside().into_iter());
        let mut moments = Vec::with_capacity(self.empties.len());
        for empty in &self.empties {
            let moment = cover.gap(empty.from);
            if moment > empty.until {
                let chain = chain(inside(), empty.from, empty.until);
                let mut blame = self.blame(chain);
                blame.push(empty.operation);
                return Err(blame);
            }
            moments.push((moment, empty.operation));
        }
        moments.sort_unstable();
        Ok(moments)
    }

    /// When the values are inside. Of those that may stay, the first to be put
    /// can go once there is one take of unknown outcome, the second once there
    /// are two, and so on: before that not all of them can be gone.
    fn inside(&self) -> Vec<Stretch> {
        let inside = (0..).zip(&self.held);
        let mut inside: Vec<Stretch> = inside.map(|(of, held)| held.inside(of)).collect();
        let may_stay = inside.iter_mut();
        let mut may_stay: Vec<&mut Stretch> = may_stay
            .filter(|stretch| self.held[stretch.of].may_stay())
            .collect();
        may_stay.sort_by_key(|stretch| stretch.after);
        for (used, stretch) in may_stay.into_iter().enumerate() {
            stretch.before = stretch.before.max(self.lost(used).0);
        }
        inside
    }

    /// Puts takes of unknown outcome where the order needs some, earliest
    /// first. None if there are too few, or too late.
    fn name_lost<O>(
        &self,
        intervals: &[Interval<O>],
        puts: impl Fn(u32) -> bool,
        mut order: Vec<u32>,
    ) -> Option<Vec<u32>> {
        // What is taken after all else may as well stay.
        let needed = order.iter().rposition(|&it| it != LOST && !puts(it));
        let mut place = 0;
        order.retain(|&operation| {
            place += 1;
            operation != LOST || needed.is_some_and(|needed| place <= needed)
        });
        let used: FxHashSet<u32> = order.iter().copied().collect();
        let mut left = self.lost.iter().filter(|lost| !used.contains(&lost.1));
        let mut begun = 0;
        for operation in &mut order {
            if *operation == LOST {
                *operation = left.next()?.1;
            }
            let interval = &intervals[*operation as usize];
            begun = begun.max(interval.from());
            if interval.until() < begun {
                return None;
            }
        }
        Some(order)
    }
}
