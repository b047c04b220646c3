//! Regular and safe registers, read by read (Lamport, "On Interprocess
//! Communication", 1986).
//!
//! Lamport has one writer. With several, a read of a **regular** register
//! returns the value of a write that overlaps it, or of one before it that no
//! write lies entirely between; what the key held at first counts as written
//! before everything. That is MWRegWeak of Shao, Welch, Pierce and Lee (2011):
//! for each read apart there is an order in real time of it and all writes. A
//! read of a **safe** register that overlaps a write returns anything, and is
//! as of a regular one otherwise.
//!
//! A write of unknown outcome never ends: it overlaps every read that ends
//! after it began, and lies before none. So a safe register promises nothing
//! once there is one. A cas that succeeded is a write, and a read that its own
//! write does not overlap. Which write a read saw need not be known: any that
//! it may have seen will do.

use super::acts::{Act, Acts, Does, Slot};
use super::{Found, Property, witness};

/// What is asked of a register.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Register {
    Regular,
    Safe,
}

pub(super) fn judge(acts: &Acts<'_>, register: Register) -> Found {
    for acts in &acts.by_key() {
        let writes = Writes::of(acts);
        for (number, act) in (0..).zip(&acts.list) {
            if !act.is_sure() || writes.explain(number, act, register) {
                continue;
            }
            let property = match register {
                Register::Regular => Property::Regular,
                Register::Safe => Property::Safe,
            };
            let between = writes.between(acts, act);
            return Found::Invalid(witness::overwritten(acts, property, number, between));
        }
    }
    Found::Valid
}

/// The end of a write of unknown outcome.
const NEVER: u64 = u64::MAX;
/// The end of what wrote the first value: before any event, which are counted
/// from 1 here.
const BEGINNING: u64 = 0;

#[derive(Clone, Copy)]
struct Write {
    act: u32,
    slot: Slot,
    invoked: u64,
    completed: u64,
}

/// The two latest completions of writes of different slots.
type Latest = [Option<(u64, Slot)>; 2];

/// The writes to a key, sorted for look-ups.
struct Writes {
    /// By slot, in the order of invocation, each with the latest completion up
    /// to it.
    by_slot: Vec<Vec<(Write, u64)>>,
    /// In the order of invocation, each with the latest completions up to it.
    begun: Vec<(Write, Latest)>,
    /// In the order of completion, each with the write that began last up to
    /// it.
    ended: Vec<(Write, Write)>,
}

impl Writes {
    fn of(acts: &Acts<'_>) -> Self {
        let first = Write {
            act: u32::MAX,
            slot: acts.initial[0],
            invoked: BEGINNING,
            completed: BEGINNING,
        };
        let written = (0..).zip(&acts.list).filter_map(|(number, act)| {
            Some(Write {
                act: number,
                slot: act.writes()?,
                invoked: act.invoked + 1,
                completed: act.completed.map_or(NEVER, |at| at + 1),
            })
        });
        let all: Vec<Write> = std::iter::once(first).chain(written).collect();
        let mut by_slot: Vec<Vec<(Write, u64)>> = vec![Vec::new(); acts.key_of.len()];
        let mut latest = [None; 2];
        let mut begun = Vec::with_capacity(all.len());
        for &write in &all {
            let list = &mut by_slot[write.slot as usize];
            let before = list.last().map_or(BEGINNING, |last| last.1);
            list.push((write, before.max(write.completed)));
            latest = later(latest, (write.completed, write.slot));
            begun.push((write, latest));
        }
        let mut ended: Vec<Write> = all.into_iter().skip(1).collect();
        ended.retain(|write| write.completed != NEVER);
        ended.sort_unstable_by_key(|write| write.completed);
        let mut last = first;
        let ended = ended.into_iter().map(|write| {
            if write.invoked > last.invoked {
                last = write;
            }
            (write, last)
        });
        Writes {
            by_slot,
            begun,
            ended: ended.collect(),
        }
    }

    /// The write that began last among those that ended before `act` began.
    fn last_before(&self, act: &Act) -> Option<Write> {
        let count = self.ended_before(act);
        Some(self.ended[count.checked_sub(1)?].1)
    }

    fn ended_before(&self, act: &Act) -> usize {
        self.ended
            .partition_point(|(write, _)| write.completed < act.invoked + 1)
    }

    /// Whether what an act saw is allowed.
    fn explain(&self, number: u32, act: &Act, register: Register) -> bool {
        let Some(completed) = act.completed.map(|at| at + 1) else {
            return true;
        };
        let has_begun = |write: &Write| write.invoked < completed;
        if register == Register::Safe {
            // Not counting what stands for the first value.
            let begun = self.begun.partition_point(|(write, _)| has_begun(write)) - 1;
            let own = usize::from(act.writes().is_some());
            if begun - own > self.ended_before(act) {
                return true;
            }
        }
        // What ended before this was overwritten before the read began.
        let least = self.last_before(act).map_or(BEGINNING, |last| last.invoked);
        match act.does {
            Does::Write(_) => true,
            Does::Cas { from, to } if from == to => {
                let mut list = self.by_slot[from as usize].iter().map(|(write, _)| write);
                list.any(|it| it.act != number && has_begun(it) && it.completed >= least)
            }
            Does::Read(slot) | Does::Cas { from: slot, .. } => {
                let list = &self.by_slot[slot as usize];
                let begun = list.partition_point(|(write, _)| has_begun(write));
                begun > 0 && list[begun - 1].1 >= least
            }
            Does::ReadOther(slot) => {
                let begun = self.begun.partition_point(|(write, _)| has_begun(write));
                let latest = self.begun[begun - 1].1.into_iter().flatten();
                let mut others = latest.filter(|(_, other)| *other != slot);
                others.any(|(completed, _)| completed >= least)
            }
        }
    }

    /// A write that saw slot could have come from, and the one that overwrote
    /// it before the act began.
    fn between(&self, acts: &Acts<'_>, act: &Act) -> (Option<u32>, Option<u32>) {
        let completed = act.completed.map_or(NEVER, |at| at + 1);
        let source = act.saw().and_then(|slot| {
            let writes = self.by_slot[slot as usize].iter().map(|(write, _)| *write);
            let begun = writes.filter(|it| it.invoked < completed && it.act != u32::MAX);
            begun.max_by_key(|write| write.completed)
        });
        let last = self.last_before(act).map(|last| last.act);
        let last = last.filter(|&last| (last as usize) < acts.list.len());
        (source.map(|write| write.act), last)
    }
}

/// The two latest, with one more.
fn later([first, second]: Latest, new: (u64, Slot)) -> Latest {
    let is_same = |it: Option<(u64, Slot)>| it.is_some_and(|it| it.1 == new.1);
    if is_same(first) {
        return [first.max(Some(new)), second];
    }
    let second = match is_same(second) {
        true => second.max(Some(new)),
        false => Some(new).max(second),
    };
    match second > first && is_same(second) {
        true => [second, first],
        false => [first, second],
    }
}
