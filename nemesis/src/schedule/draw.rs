//! Drawing a schedule from a seed.
//!
//! Each kind of fault has a stream of randomness of its own, so that asking
//! for one more leaves the times of the others as they are. A kind's faults
//! follow one another; faults of different kinds may overlap, but no node is
//! killed and paused at once. Faults that ask the cluster for something are
//! drawn without regard to the others: they are tried until their time is over.
//!
//! One fault of each kind is *sure*: its nodes are named (unless only whoever
//! has a role is allowed), and nothing that overlaps it could take them away. It
//! is placed first. The others are placed by time, and left out where no node
//! is free for them.

use std::time::Duration;

use super::dice::{Dice, stream};
use super::options::{DrawError, LASTS_MS_MIN, Pace, ScheduleOptions};
use super::{Schedule, ScheduledFault, Targets};
use crate::fault::{CrashChoice, CrashPlace, Cut, FaultKind, Node, Shape, Target};

/// How many powers of two bound the ordinals of outputs.
const ORDINALS_LOG: u64 = 6;

/// How often a fault's targets are drawn anew when its nodes are taken.
const TRIES: usize = 8;

/// Draws a schedule. The same seed and options give the same one.
///
/// Every kind asked for occurs at least once, or the error says why not; and
/// everything is healed before the quiet time at the end.
pub fn draw(seed: u64, options: &ScheduleOptions) -> Result<Schedule, DrawError> {
    let mut kinds = Vec::new();
    for kind in FaultKind::ALL
        .iter()
        .filter(|kind| options.faults.contains(kind))
    {
        kinds.push(KindDraw::new(*kind, seed, options)?);
    }
    let mut slots = Vec::new();
    for (index, kind) in kinds.iter_mut().enumerate() {
        slots.extend(kind.timeline(index));
    }
    slots.sort_by_key(|slot| (!slot.sure, if slot.sure { 0 } else { slot.at }, slot.kind));
    let mut placed = Placed {
        faults: Vec::new(),
        guard: kinds.first().map_or(0, |kind| kind.pace.guard),
    };
    for slot in slots {
        kinds[slot.kind].place(slot, &mut placed)?;
    }
    let mut faults: Vec<ScheduledFault> = placed.faults.into_iter().map(|(f, _)| f).collect();
    faults.sort_by_key(|fault| (fault.at, fault.fault));
    Ok(Schedule { seed, faults })
}

/// A time for a fault of some kind, before its targets are drawn.
#[derive(Clone, Copy)]
struct Slot {
    /// Which of the kinds asked for.
    kind: usize,
    at: u64,
    lasts: u64,
    sure: bool,
}

/// What may be drawn for one of the kinds asked for.
enum Menu {
    Processes(Vec<Target>),
    Links(Vec<Shape>, Vec<Cut>),
}

/// One kind of fault, with its randomness.
struct KindDraw {
    fault: FaultKind,
    dice: Dice,
    menu: Menu,
    /// After which outputs a node may crash itself.
    crash_after: Vec<CrashChoice>,
    crash_within: u64,
    crash_lag: Duration,
    pace: Pace,
    nodes: usize,
}

impl KindDraw {
    fn new(fault: FaultKind, seed: u64, options: &ScheduleOptions) -> Result<Self, DrawError> {
        let nodes = options.nodes;
        let menu = match fault {
            FaultKind::Partition => {
                let mut allowed = options.allowed_shapes();
                allowed.retain(|shape| shape.side_sizes(nodes).is_some());
                Menu::Links(allowed, or_all(&options.cuts, Cut::ALL))
            }
            kind => {
                let mut allowed = options.allowed_targets(kind);
                allowed.retain(|target| target.sizes(nodes).is_some());
                Menu::Processes(allowed)
            }
        };
        if menu.is_empty() {
            let allowed = asked_of(fault, options);
            return Err(DrawError::NoTarget {
                fault,
                nodes,
                allowed,
            });
        }
        let dice = Dice(stream(seed, &format!("nemesis/{fault}")));
        Ok(KindDraw {
            fault,
            dice,
            menu,
            crash_after: or_all(&options.crash_after, &CrashChoice::any()),
            crash_within: options.crash_within.unwrap_or(u64::MAX),
            crash_lag: options.crash_lag,
            pace: Pace::of(fault, options)?,
            nodes,
        })
    }

    /// The times of this kind's faults, one after the other, one of them sure.
    fn timeline(&mut self, kind: usize) -> Vec<Slot> {
        let pace = self.pace;
        let gap = pace.interval - pace.lasts;
        let mut slots = Vec::new();
        let mut at = pace.start + self.dice.between(0, gap);
        loop {
            let lasts = pace.draw_lasts(&mut self.dice);
            if at + lasts > pace.end {
                break;
            }
            slots.push(Slot {
                kind,
                at,
                lasts,
                sure: false,
            });
            at += lasts + self.dice.between(gap.div_ceil(2), gap * 3 / 2);
        }
        if slots.is_empty() {
            let lasts = pace.draw_lasts(&mut self.dice);
            let at = self.dice.between(pace.start, pace.end - lasts);
            slots.push(Slot {
                kind,
                at,
                lasts,
                sure: false,
            });
        }
        let sure = self.dice.below(slots.len() as u64) as usize;
        slots[sure].sure = true;
        slots
    }

    /// Finds targets for a slot. A sure one is moved, and shortened, until
    /// there are some; another is left out.
    fn place(&mut self, slot: Slot, placed: &mut Placed) -> Result<(), DrawError> {
        let pace = self.pace;
        for _ in 0..TRIES {
            if self.try_at(slot, placed) {
                return Ok(());
            }
        }
        if !slot.sure {
            return Ok(());
        }
        for lasts in [slot.lasts, LASTS_MS_MIN] {
            for at in (pace.start..=pace.end - lasts).step_by(50) {
                if self.try_at(Slot { at, lasts, ..slot }, placed) {
                    return Ok(());
                }
            }
        }
        Err(DrawError::NoRoom { fault: self.fault })
    }

    fn try_at(&mut self, slot: Slot, placed: &mut Placed) -> bool {
        let Some((shape, cut, targets)) = self.draw_what(slot, placed) else {
            return false;
        };
        let fault = ScheduledFault {
            at: Duration::from_millis(slot.at),
            lasts: Duration::from_millis(slot.lasts),
            fault: self.fault,
            shape,
            cut,
            crash: (self.fault == FaultKind::CrashAt).then(|| self.draw_place()),
            targets,
        };
        let fits = !self.fault.is_on_processes() || placed.fits(slot, &fault);
        if fits {
            placed.faults.push((fault, slot.sure));
        }
        fits
    }

    /// Draws where a node crashes itself: soon more often than late, since a
    /// place that it does not come to in time is none.
    fn draw_place(&mut self) -> CrashPlace {
        let choice = self.dice.below(self.crash_after.len() as u64) as usize;
        let most = (1 << self.dice.below(ORDINALS_LOG)).min(self.crash_within);
        let drawn = self.dice.between(1, most);
        let CrashChoice { output, ordinal } = self.crash_after[choice].clone();
        CrashPlace {
            after: output,
            ordinal: ordinal.unwrap_or(drawn),
            lag: self.crash_lag,
        }
    }

    /// Draws shape, cut and targets; none if no node is free for them.
    fn draw_what(&mut self, slot: Slot, placed: &Placed) -> Option<What> {
        let dice = &mut self.dice;
        match &self.menu {
            Menu::Processes(allowed) => {
                let by_role = |target: Target| target.role().is_some();
                let weights = weights(allowed, by_role, slot.sure, target_weight);
                let target = allowed[dice.weighted(weights.iter().copied())];
                let keep_free = |nodes: &mut Vec<Node>| {
                    if self.fault.is_on_processes() {
                        placed.free(slot, nodes);
                    }
                };
                Some((
                    None,
                    None,
                    draw_targets(dice, target, self.nodes, keep_free)?,
                ))
            }
            Menu::Links(shapes, cuts) => {
                let by_role = |shape: Shape| shape.role().is_some();
                let weights = weights(shapes, by_role, slot.sure, shape_weight);
                let shape = shapes[dice.weighted(weights.iter().copied())];
                let cut = cuts[dice.weighted(cuts.iter().map(|cut| cut_weight(*cut)))];
                let side = draw_side(dice, shape, self.nodes)?;
                Some((Some(shape), Some(cut), side))
            }
        }
    }
}

/// Shape and cut of a partition, and whom a fault hits.
type What = (Option<Shape>, Option<Cut>, Targets);

impl Menu {
    fn is_empty(&self) -> bool {
        match self {
            Menu::Processes(targets) => targets.is_empty(),
            Menu::Links(shapes, _) => shapes.is_empty(),
        }
    }
}

/// The faults that have their place, and whether each is sure.
struct Placed {
    faults: Vec<(ScheduledFault, bool)>,
    guard: u64,
}

impl Placed {
    /// The faults on processes that a slot would overlap.
    fn beside(&self, slot: Slot) -> impl Iterator<Item = &(ScheduledFault, bool)> {
        let (from, to) = (slot.at, slot.at + slot.lasts + self.guard);
        self.faults.iter().filter(move |(fault, _)| {
            let (at, end) = (fault.at.as_millis() as u64, fault.end().as_millis() as u64);
            fault.fault.is_on_processes() && at < to && from < end + self.guard
        })
    }

    /// Leaves in `nodes` those that no named overlapping fault hits.
    fn free(&self, slot: Slot, nodes: &mut Vec<Node>) {
        for (fault, _) in self.beside(slot) {
            match &fault.targets {
                Targets::Nodes(taken) => nodes.retain(|node| !taken.contains(node)),
                Targets::All => nodes.clear(),
                Targets::Role(_) => {}
            }
        }
    }

    /// Whether nothing can come between a sure fault and its nodes.
    fn fits(&self, slot: Slot, fault: &ScheduledFault) -> bool {
        let by_role = |fault: &ScheduledFault| matches!(fault.targets, Targets::Role(_));
        self.beside(slot).all(|(other, sure)| {
            let by_role = by_role(fault) || by_role(other);
            !(by_role && (*sure || slot.sure))
        })
    }
}

/// Draws nodes for a target among those that `keep_free` leaves.
fn draw_targets(
    dice: &mut Dice,
    target: Target,
    nodes: usize,
    keep_free: impl Fn(&mut Vec<Node>),
) -> Option<Targets> {
    let sizes = target.sizes(nodes)?;
    let mut free: Vec<Node> = (1..=nodes as Node).collect();
    keep_free(&mut free);
    if let Some(role) = target.role() {
        return Some(Targets::Role(role));
    }
    if target == Target::All {
        return (free.len() == nodes).then_some(Targets::All);
    }
    let largest = (*sizes.end()).min(free.len());
    if largest < *sizes.start() {
        return None;
    }
    let size = dice.between(*sizes.start() as u64, largest as u64) as usize;
    Some(Targets::Nodes(dice.subset(free, size)))
}

/// Draws the nodes of one side of a partition; none if there are too few.
fn draw_side(dice: &mut Dice, shape: Shape, nodes: usize) -> Option<Targets> {
    let sizes = shape.side_sizes(nodes)?;
    if let Some(role) = shape.role() {
        return Some(Targets::Role(role));
    }
    let size = dice.between(*sizes.start() as u64, *sizes.end() as u64) as usize;
    let side = dice.subset((1..=nodes as Node).collect(), size);
    Some(Targets::Nodes(side))
}

fn or_all<T: Clone>(asked: &[T], all: &[T]) -> Vec<T> {
    if asked.is_empty() {
        all.to_vec()
    } else {
        asked.to_vec()
    }
}

fn asked_of(fault: FaultKind, options: &ScheduleOptions) -> String {
    let shapes = || options.allowed_shapes().into_iter().map(Shape::name);
    let targets = || options.allowed_targets(fault).into_iter().map(Target::name);
    let names: Vec<&str> = match fault {
        FaultKind::Partition => shapes().collect(),
        _ => targets().collect(),
    };
    names.join(", ")
}

/// Who has a role most, since most of what a protocol promises hangs on them;
/// all at once seldom, since nothing is served meanwhile.
fn target_weight(target: Target) -> u64 {
    match target {
        Target::Leader | Target::Coordinator | Target::Prepared => 4,
        Target::One | Target::Minority => 3,
        Target::Majority => 2,
        Target::All => 1,
    }
}

/// The weights of what is allowed; a sure fault names its nodes where it may,
/// and leaves alone what depends on who has a role.
fn weights<T: Copy>(
    allowed: &[T],
    by_role: fn(T) -> bool,
    sure: bool,
    weight: fn(T) -> u64,
) -> Vec<u64> {
    let others = allowed.iter().any(|choice| !by_role(*choice));
    let weigh = |choice: &T| match sure && others && by_role(*choice) {
        true => 0,
        false => weight(*choice),
    };
    allowed.iter().map(weigh).collect()
}

fn shape_weight(shape: Shape) -> u64 {
    match shape {
        Shape::IsolateLeader | Shape::IsolateCoordinator => 4,
        Shape::MajorityMinority => 3,
        Shape::IsolateOne | Shape::Halves | Shape::Bridge => 2,
    }
}

fn cut_weight(cut: Cut) -> u64 {
    match cut {
        Cut::Hold => 2,
        Cut::Reset => 1,
    }
}

#[cfg(test)]
mod tests;
