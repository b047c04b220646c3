//! Counts what a search has done: by it a model shows that it is alive.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crate::bounds::Limit;

/// The kinds of action, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A message arrives.
    Deliver,
    /// A message arrives and a copy of it stays under way.
    Duplicate,
    /// A message is lost.
    Lose,
    /// A timer expires.
    Expire,
    /// Persists become durable.
    Persist,
    /// A node crashes and recovers.
    Crash,
    /// A client asks.
    Invoke,
    /// A client asks again.
    Retry,
    /// An answer is lost.
    LoseAnswer,
    /// An operator asks.
    Administer,
    /// A node is told of the begin or end of a session.
    Tell,
    /// A session breaks.
    Break,
    /// A clock advances.
    Tick,
    /// A node stops for good.
    Halt,
    /// A process of a plain model does something by itself.
    Step,
    /// Nothing can happen any more, though something should.
    Stuck,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 16] = [
        Kind::Deliver,
        Kind::Duplicate,
        Kind::Lose,
        Kind::Expire,
        Kind::Persist,
        Kind::Crash,
        Kind::Invoke,
        Kind::Retry,
        Kind::LoseAnswer,
        Kind::Administer,
        Kind::Tell,
        Kind::Break,
        Kind::Tick,
        Kind::Halt,
        Kind::Step,
        Kind::Stuck,
    ];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Deliver => "deliver",
            Kind::Duplicate => "duplicate",
            Kind::Lose => "lose",
            Kind::Expire => "expire",
            Kind::Persist => "persist",
            Kind::Crash => "crash",
            Kind::Invoke => "invoke",
            Kind::Retry => "retry",
            Kind::LoseAnswer => "lose-answer",
            Kind::Administer => "administer",
            Kind::Tell => "tell",
            Kind::Break => "break",
            Kind::Tick => "tick",
            Kind::Halt => "halt",
            Kind::Step => "step",
            Kind::Stuck => "stuck",
        }
    }
}

/// The counters of a search.
///
/// Every thread has its own, on cache lines of its own; they are summed when
/// somebody asks.
#[derive(Debug)]
pub(crate) struct Tally {
    slots: Vec<Slot>,
    limits: AtomicU32,
}

/// What a search has covered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Coverage {
    /// How often each kind of action was taken.
    pub(crate) actions: Vec<(Kind, u64)>,
    /// How many unique states reach each goal.
    pub(crate) goals: Vec<u64>,
    /// The budgets that disabled an action.
    pub(crate) limits: Vec<Limit>,
}

#[derive(Debug)]
#[repr(align(128))]
struct Slot {
    judged: AtomicU64,
    actions: [AtomicU64; Kind::ALL.len()],
    goals: [AtomicU64; GOALS_MAX],
}

/// More threads than this share counters.
const SLOTS: usize = 32;
/// How many goals a system may have.
pub(crate) const GOALS_MAX: usize = 16;

thread_local! {
    static SLOT: Cell<usize> = const { Cell::new(usize::MAX) };
}

impl Tally {
    pub(crate) fn new() -> Self {
        let slot = |_| Slot {
            judged: AtomicU64::new(0),
            actions: Default::default(),
            goals: Default::default(),
        };
        Tally {
            slots: (0..SLOTS).map(slot).collect(),
            limits: AtomicU32::new(0),
        }
    }

    /// A unique state was judged.
    pub(crate) fn judged(&self) {
        self.slot().judged.fetch_add(1, Ordering::Relaxed);
    }

    /// An action was taken.
    pub(crate) fn action(&self, kind: Kind) {
        self.slot().actions[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A unique state reaches a goal.
    pub(crate) fn goal(&self, index: usize) {
        self.slot().goals[index].fetch_add(1, Ordering::Relaxed);
    }

    /// An action was disabled since nothing is left of a budget.
    pub(crate) fn hit(&self, limit: Limit) {
        // Nearly every state meets a budget, and threads that write to the
        // same cache line wait for each other; reading it costs nothing.
        if !self.is_hit(limit) {
            self.limits.fetch_or(1 << limit as u32, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_hit(&self, limit: Limit) -> bool {
        self.limits.load(Ordering::Relaxed) & (1 << limit as u32) != 0
    }

    pub(crate) fn judged_count(&self) -> u64 {
        self.sum(|slot| &slot.judged)
    }

    /// Everything counted so far.
    pub(crate) fn coverage(&self) -> Coverage {
        let count = |kind: Kind| (kind, self.sum(|slot| &slot.actions[kind as usize]));
        Coverage {
            actions: Kind::ALL.into_iter().map(count).collect(),
            goals: (0..GOALS_MAX)
                .map(|goal| self.sum(|slot| &slot.goals[goal]))
                .collect(),
            limits: Limit::ALL
                .into_iter()
                .filter(|limit| self.is_hit(*limit))
                .collect(),
        }
    }

    fn sum(&self, counter: impl Fn(&Slot) -> &AtomicU64) -> u64 {
        self.slots
            .iter()
            .map(|slot| counter(slot).load(Ordering::Relaxed))
            .sum()
    }

    fn slot(&self) -> &Slot {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let index = SLOT.get();
        if index < SLOTS {
            return &self.slots[index];
        }
        let index = NEXT.fetch_add(1, Ordering::Relaxed) % SLOTS;
        SLOT.set(index);
        &self.slots[index]
    }
}
