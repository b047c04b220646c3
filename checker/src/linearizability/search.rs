//! Looks for an order of one object's calls: depth first, each call as late
//! as it can be.
//!
//! A configuration is what an order so far has come to. It is as small as the
//! history is concurrent, however long that is:
//!
//! | part | what it says |
//! |---|---|
//! | `at` | the next completion that is not yet accounted for |
//! | `placed` | which of the calls open there stand in the order already |
//! | `optional` | which open writes need no place of their own any more |
//! | `used` | how many calls of each kind of unknown outcome stand in it |
//! | `state` | what the object holds |
//! | `unseen` | the state must be seen before it is replaced |
//!
//! Nothing is decided before a completion needs it, and of the orders that
//! differ in nothing a client saw only one is tried:
//!
//! - A read that is possible now is placed now; it can only be in the way
//!   later.
//! - When a write replaces the state, every other open write could have stood
//!   just before it, unseen. Those become optional: they may still be used,
//!   until they complete, but owe nothing.
//! - So a write that owes nothing is worth a place only if the next call sees
//!   it (`unseen`). While it stays open it waits for an open call that wants
//!   its value; at its completion it is used or passed over. To a call that avoids
//!   a state every other is of value, and so is a write that leaves that state, or
//!   hides one that an open call leads to, before such a call begins.
//! - Calls of unknown outcome owe nothing from the start, stay open for ever,
//!   and equal ones are interchangeable: they are counted.
//! - Of equal calls the one that completes first is taken.
//!
//! (Wing and Gong's search with Lowe's memory of configurations; "just in
//! time" is Lowe's as well. The memory is exact: no fingerprints, for a
//! collision could refute a history that is right.)
//!
//! The cost grows with the calls that are open at a time, exponentially at
//! worst; where values are written once it hardly does. What makes it bad is
//! many clients at once on few values, above all with cas.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::crashed::{Used, UsedSets};
use super::guard::Guard;
use super::object::{Object, State};
use super::order::Order;
use super::slots::Slots;
use super::timeline::{Cursor, Timeline};
use crate::bytes;

/// How a search stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// An order was found.
    Explained,
    /// There is none.
    Refuted,
    /// It may go on.
    Paused,
}

/// How often a call of unknown outcome can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Supply {
    /// Once.
    Exact,
    /// As often as is of use, once it has begun. That allows more orders, so
    /// that only a refutation means anything; but there are far fewer
    /// configurations to refute, since nothing is counted.
    Unlimited,
}

/// A search for an order of one object's calls.
pub(crate) struct Search<B> {
    pub(super) object: Arc<Object>,
    pub(super) timeline: Arc<Timeline>,
    pub(super) cursor: Cursor<B>,
    pub(super) used_sets: UsedSets,
    seen: FxHashSet<Configuration<B>>,
    frames: Vec<Frame<B>>,
    /// What is left to try: each frame's from its `moves_from` on.
    pub(super) moves: Vec<Move>,
    pub(super) goals: Goals,
    pub(super) candidates: Vec<u32>,
    progress: Progress,
    /// How many moves were tried.
    tried: u64,
    pub(super) supply: Supply,
    /// The completion whose furthest order is kept.
    watch: Option<u32>,
    furthest: Furthest,
}

/// What a configuration is, the table in the module's header says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Configuration<B> {
    pub(super) placed: B,
    pub(super) optional: B,
    pub(super) at: u32,
    pub(super) used: Used,
    pub(super) state: State,
    pub(super) unseen: bool,
}

struct Frame<B> {
    configuration: Configuration<B>,
    /// The move that led here.
    led_here: Option<Move>,
    moves_from: u32,
}

/// One decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    /// Let this call be the next.
    Place(u32),
    /// Let one of this kind of unknown outcome be the next.
    Use(u32),
    /// Let the write that completes here go unused.
    Pass,
}

/// Up to where some order comes.
#[derive(Clone, Debug)]
pub(crate) struct Furthest {
    /// The completion that no order accounts for, so far.
    pub(crate) moment: u32,
    /// The moves of an order that comes up to it, the longest such; kept only
    /// where that is the completion that is watched for.
    pub(crate) moves: Vec<Move>,
    /// What the object holds after the orders that come up to it.
    pub(crate) states: Vec<State>,
}

/// So many states are kept to explain a refutation.
const STATES_SHOWN: usize = 8;

/// The states that an open call waits for, so that a write may be of use.
pub(super) struct Goals {
    pub(super) states: Vec<State>,
    /// A call is open that waits for any state but the present one.
    pub(super) other: bool,
    /// A call is open that may wait for any state.
    pub(super) any: bool,
}

impl Trace for Order {
    fn placed(&mut self, call: u32) {
        self.placed(call);
    }

    fn became_optional(&mut self, call: u32) {
        self.became_optional(call);
    }
}

/// Is told what an order is made of.
pub(crate) trait Trace {
    /// The next in the order.
    fn placed(&mut self, _call: u32) {}
    /// Stands before the next in the order, unless it is placed later.
    fn became_optional(&mut self, _call: u32) {}
}

impl Trace for () {}

impl<B: Slots> Search<B> {
    /// Prepares a search. Of the orders that come up to the completion `watch`
    /// the longest is kept.
    pub(crate) fn new(
        object: Arc<Object>,
        timeline: Arc<Timeline>,
        supply: Supply,
        watch: Option<u32>,
    ) -> Self {
        let mut search = Search {
            cursor: Cursor::new(&timeline),
            used_sets: UsedSets::new(timeline.unknown.calls.len()),
            seen: FxHashSet::default(),
            frames: Vec::new(),
            moves: Vec::new(),
            goals: Goals::new(),
            candidates: Vec::new(),
            progress: Progress::Paused,
            tried: 0,
            supply,
            watch,
            furthest: Furthest {
                moment: 0,
                moves: Vec::new(),
                states: Vec::new(),
            },
            object,
            timeline,
        };
        let mut configuration = search.start();
        search.settle(&mut configuration, &mut ());
        search.enter(configuration, None);
        search
    }

    pub(crate) fn furthest(&self) -> &Furthest {
        &self.furthest
    }

    /// How it stands.
    pub(crate) fn progress(&self) -> Progress {
        self.progress
    }

    /// How many bytes the search holds, the history itself apart.
    pub(crate) fn bytes(&self) -> usize {
        // The two sets of slots of each.
        let beside = 2 * self.cursor.open.heap();
        bytes::table::<Configuration<B>>(self.seen.capacity(), self.seen.len())
            + (self.seen.len() + self.frames.len()) * beside
            + self.frames.capacity() * size_of::<Frame<B>>()
            + (self.moves.capacity() + self.furthest.moves.capacity()) * size_of::<Move>()
            + self.used_sets.bytes()
    }

    /// Whether it costs little more than reading the history.
    pub(crate) fn is_quick(&self) -> bool {
        const MOVES_MIN: u64 = 1 << 10;
        self.tried <= MOVES_MIN + 2 * u64::from(self.furthest.moment)
    }

    /// Tries at most so many moves more, as long as `guard` allows it.
    pub(crate) fn run(&mut self, moves: u64, guard: &mut Guard<'_>) -> Progress {
        let mut left = moves;
        while left > 0 && self.progress == Progress::Paused && guard.allows(|| self.bytes()) {
            self.try_next();
            left -= 1;
        }
        self.tried += moves - left;
        self.progress
    }

    /// The moves that led to where the search stands: those that explain the
    /// whole history, once it is explained.
    pub(crate) fn explanation(&self) -> Vec<Move> {
        self.frames
            .iter()
            .filter_map(|frame| frame.led_here)
            .collect()
    }

    /// Carries out `moves` from the start and tells `trace` of every call.
    pub(crate) fn retrace(&mut self, moves: &[Move], trace: &mut impl Trace) {
        self.cursor.back_to(&self.timeline, 0);
        let mut configuration = self.start();
        self.settle(&mut configuration, trace);
        for &next in moves {
            self.carry_out(&mut configuration, next, trace);
        }
    }

    fn start(&self) -> Configuration<B> {
        Configuration {
            placed: B::empty(self.timeline.slots),
            optional: B::empty(self.timeline.slots),
            at: 0,
            used: Used::NONE,
            state: self.object.initial,
            unseen: false,
        }
    }

    fn try_next(&mut self) {
        let Some(frame) = self.frames.last() else {
            self.progress = Progress::Refuted;
            return;
        };
        if self.moves.len() == frame.moves_from as usize {
            self.frames.pop();
            if let Some(frame) = self.frames.last() {
                self.cursor.back_to(&self.timeline, frame.configuration.at);
            }
            return;
        }
        let mut configuration = frame.configuration.clone();
        let Some(next) = self.moves.pop() else {
            return;
        };
        let at = configuration.at;
        self.carry_out(&mut configuration, next, &mut ());
        if self.is_at_end() || self.seen.insert(configuration.clone()) {
            self.enter(configuration, Some(next));
        } else {
            self.cursor.back_to(&self.timeline, at);
        }
    }

    fn is_at_end(&self) -> bool {
        self.cursor.at as usize == self.timeline.moments.len()
    }

    fn enter(&mut self, configuration: Configuration<B>, led_here: Option<Move>) {
        let moves_from = self.moves.len() as u32;
        if self.is_at_end() {
            self.progress = Progress::Explained;
        } else if Some(configuration.at) == self.timeline.wall {
            self.progress = Progress::Refuted;
        } else {
            self.list_moves(&configuration);
        }
        self.frames.push(Frame {
            configuration,
            led_here,
            moves_from,
        });
        self.note_furthest();
    }

    fn note_furthest(&mut self) {
        let Some(Frame { configuration, .. }) = self.frames.last() else {
            return;
        };
        let furthest = &mut self.furthest;
        if configuration.at > furthest.moment {
            furthest.moment = configuration.at;
            furthest.states.clear();
        }
        if configuration.at < furthest.moment {
            return;
        }
        let states = &mut furthest.states;
        if states.len() < STATES_SHOWN && !states.contains(&configuration.state) {
            states.push(configuration.state);
        }
        // Copying the order at every advance would make the search quadratic.
        let is_watched = Some(configuration.at) == self.watch;
        if is_watched && self.frames.len() > self.furthest.moves.len() + 1 {
            self.furthest.moves = self.explanation();
        }
    }
}
