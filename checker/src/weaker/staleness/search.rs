//! Looks for an order in which reads are at most so stale.

use super::super::acts::{Does, Slot};
use super::super::budget::Budget;
use super::super::states::States;
use super::Op;

/// How a search stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is an order, in which the stalest read is so stale.
    Found(usize),
    /// There is none.
    Refuted,
    /// It may go on.
    Paused,
}

/// Visits states one after the other, the deepest first.
pub(super) struct Search<'a> {
    /// In the order of invocation.
    ops: &'a [Op],
    k: usize,
    /// What is not placed, linked: of each the next and the one before, and of
    /// a last one the first and the last.
    next: Vec<u32>,
    before: Vec<u32>,
    placed: Vec<u32>,
    /// The values so far, oldest first.
    values: Vec<Slot>,
    /// By slot, where it is among the values for the last time, each with what
    /// was there before.
    latest: Vec<Option<usize>>,
    replaced: Vec<Option<usize>>,
    /// By slot, how many that are not placed must see it.
    readers: Vec<u32>,
    /// By slot, how many that are not placed may write it.
    writers: Vec<u32>,
    /// Whether a cas failed, so that a value may matter that nobody reads.
    any: bool,
    needed: usize,
    /// By how many are placed, how stale the stalest read of these is.
    stalest: Vec<usize>,
    /// And one more than the last of them.
    reached: Vec<u32>,
    seen: States,
    pub(super) furthest: usize,
    pub(super) stuck: Vec<u32>,
}

struct Frame {
    placed: usize,
    next: Vec<u32>,
}

/// No slot that matters.
const NONE: Slot = Slot::MAX;

impl<'a> Search<'a> {
    pub(super) fn new(ops: &'a [Op], initial: Slot, slots: usize, k: usize) -> Self {
        let end = ops.len() as u32;
        let mut search = Search {
            ops,
            k,
            next: (1..=end).chain([0]).collect(),
            before: [end].into_iter().chain(0..end).collect(),
            placed: Vec::new(),
            values: vec![initial],
            latest: vec![None; slots],
            replaced: vec![None],
            readers: vec![0; slots],
            writers: vec![0; slots],
            any: ops.iter().any(|op| matches!(op.does, Does::ReadOther(_))),
            needed: ops.iter().filter(|op| op.needed).count(),
            stalest: vec![1],
            reached: vec![0],
            seen: States::default(),
            furthest: 0,
            stuck: Vec::new(),
        };
        search.latest[initial as usize] = Some(0);
        for op in ops {
            if let (Some(slot), true) = (op.does.saw(), op.needed) {
                search.readers[slot as usize] += 1;
            }
            if let Some(slot) = op.does.writes() {
                search.writers[slot as usize] += 1;
            }
        }
        search
    }

    /// Tries at most so many moves.
    pub(super) fn run(&mut self, moves: u64, budget: &Budget<'_>) -> Progress {
        let mut frames = Vec::new();
        frames.extend(self.frame());
        let mut made = 0;
        while self.needed > 0 {
            let Some(frame) = frames.last_mut() else {
                return Progress::Refuted;
            };
            let next = frame.next.pop();
            self.undo(frame.placed);
            let Some(op) = next else {
                frames.pop();
                continue;
            };
            if made >= moves || !budget.allows_move(|| self.bytes(&frames)) {
                return Progress::Paused;
            }
            made += 1;
            self.place(op);
            if !self.has_lost_a_value() {
                frames.extend(self.frame());
            }
        }
        Progress::Found(self.stalest.last().copied().unwrap_or(1))
    }

    /// How many bytes it holds, the operations apart.
    fn bytes(&self, frames: &[Frame]) -> usize {
        let next = frames.last().map_or(0, |frame| frame.next.capacity());
        self.seen.bytes() + frames.len() * (size_of::<Frame>() + next * size_of::<u32>())
    }

    /// Places reads, and says what may come next, the first choice last;
    /// nothing if all this was tried before.
    fn frame(&mut self) -> Option<Frame> {
        while let Some(read) = self.possible_read() {
            self.place(read);
        }
        let state = self.state();
        if !self.seen.insert(|row| row.extend(state)) {
            return None;
        }
        let open = self.open();
        if self.placed.len() >= self.furthest && self.needed > 0 {
            self.furthest = self.placed.len();
            let needed = open.iter().copied().filter(|&op| self.op(op).needed);
            self.stuck = needed.collect();
        }
        let mut next = open;
        next.retain(|&op| self.may_write(op));
        next.sort_unstable_by_key(|&op| std::cmp::Reverse((self.op(op).completed, op)));
        let placed = self.placed.len();
        Some(Frame { placed, next })
    }

    fn op(&self, op: u32) -> Op {
        self.ops[op as usize]
    }

    fn unplaced(&self) -> impl Iterator<Item = u32> {
        let end = self.ops.len() as u32;
        let first = Some(self.next[end as usize]);
        let all = std::iter::successors(first, |&op| Some(self.next[op as usize]));
        all.take_while(move |&op| op != end)
    }

    /// What had begun before anything ended that is not placed.
    fn open(&self) -> Vec<u32> {
        let mut end = u64::MAX;
        let mut open = Vec::new();
        for number in self.unplaced() {
            let op = self.op(number);
            if op.invoked > end {
                break;
            }
            open.push(number);
            if op.needed {
                end = end.min(op.completed);
            }
        }
        open.retain(|&number| self.op(number).invoked <= end);
        open
    }

    fn possible_read(&self) -> Option<u32> {
        let is_possible = |&number: &u32| match self.op(number).does {
            Does::Read(slot) => self.age(slot).is_some_and(|age| age <= self.k),
            Does::ReadOther(slot) => self.age_of_other(slot).is_some(),
            Does::Write(_) | Does::Cas { .. } => false,
        };
        self.open().into_iter().find(is_possible)
    }

    /// How stale a read of it would be: 1 if it is the newest value.
    fn age(&self, slot: Slot) -> Option<usize> {
        let latest = self.latest[slot as usize]?;
        Some(self.values.len() - latest)
    }

    /// How stale a read of something else would be, if one is possible.
    fn age_of_other(&self, slot: Slot) -> Option<usize> {
        let newest = self.values.iter().rev().take(self.k);
        let place = newest.into_iter().position(|&value| value != slot)?;
        Some(place + 1)
    }

    fn may_write(&self, number: u32) -> bool {
        match self.op(number).does {
            Does::Write(_) => true,
            Does::Cas { from, .. } => self.values.last() == Some(&from),
            Does::Read(_) | Does::ReadOther(_) => false,
        }
    }

    /// Whether a value is too old by now for who must still see it.
    fn has_lost_a_value(&self) -> bool {
        let Some(place) = self.values.len().checked_sub(self.k.saturating_add(1)) else {
            return false;
        };
        let slot = self.values[place] as usize;
        self.latest[slot] == Some(place) && self.readers[slot] > 0 && self.writers[slot] == 0
    }

    /// What is not placed up to the last that is, and the values that may
    /// still be seen.
    fn state(&self) -> Vec<u32> {
        let last = self.reached.last().copied().unwrap_or(0);
        let mut state = vec![last];
        state.extend(self.unplaced().take_while(|&op| op < last));
        state.push(NONE);
        // Where any age will do, what was placed says all of it.
        let ages = if self.k == usize::MAX { 1 } else { self.k };
        let newest = self.values.iter().rev().take(ages);
        let start = state.len();
        let shown = newest.enumerate().map(|(age, &slot)| {
            let is_seen = self.any || age == 0 || self.readers[slot as usize] > 0;
            if is_seen { slot } else { NONE }
        });
        state.extend(shown);
        while state.len() > start && state.last() == Some(&NONE) {
            state.pop();
        }
        state
    }

    fn place(&mut self, number: u32) {
        let op = self.op(number);
        let (before, next) = (self.before[number as usize], self.next[number as usize]);
        self.next[before as usize] = next;
        self.before[next as usize] = before;
        self.placed.push(number);
        self.needed -= usize::from(op.needed);
        let age = match op.does {
            Does::Read(slot) => self.age(slot),
            Does::ReadOther(slot) => self.age_of_other(slot),
            Does::Write(_) | Does::Cas { .. } => None,
        };
        let stalest = self.stalest.last().copied().unwrap_or(1);
        self.stalest.push(stalest.max(age.unwrap_or(1)));
        let reached = self.reached.last().copied().unwrap_or(0);
        self.reached.push(reached.max(number + 1));
        if let (Some(slot), true) = (op.does.saw(), op.needed) {
            self.readers[slot as usize] -= 1;
        }
        if let Some(slot) = op.does.writes() {
            self.writers[slot as usize] -= 1;
            let place = self.values.len();
            self.values.push(slot);
            self.replaced
                .push(self.latest[slot as usize].replace(place));
        }
    }

    fn undo(&mut self, placed: usize) {
        while self.placed.len() > placed {
            let Some(number) = self.placed.pop() else {
                return;
            };
            let op = self.op(number);
            let (before, next) = (self.before[number as usize], self.next[number as usize]);
            self.next[before as usize] = number;
            self.before[next as usize] = number;
            self.needed += usize::from(op.needed);
            self.stalest.pop();
            self.reached.pop();
            if let (Some(slot), true) = (op.does.saw(), op.needed) {
                self.readers[slot as usize] += 1;
            }
            if let Some(slot) = op.does.writes() {
                self.writers[slot as usize] += 1;
                self.values.pop();
                self.latest[slot as usize] = self.replaced.pop().flatten();
            }
        }
    }
}
