//! Drawing a schedule from a seed.
//!
//! Each kind of fault has a stream of randomness of its own, so that asking
//! for one more leaves the times of the others as they are. A kind's faults
//! follow one another; faults of different kinds may overlap, but no node is
//! killed and paused at once.
//!
//! One fault of each kind is *sure*: its nodes are named (unless only the
//! leader is allowed), and nothing that overlaps it could take them away. It
//! is placed first. The others are placed by time, and left out where no node
//! is free for them.

use std::collections::BTreeMap;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::{Schedule, ScheduledFault, Seconds, Targets};
use crate::fault::{Cut, FaultKind, Node, Shape, Target};

/// A fault shorter than this may be over before anything could notice it.
const LASTS_MS_MIN: u64 = 200;
/// How often a fault's targets are drawn anew when its nodes are taken.
const TRIES: usize = 8;

/// What to draw from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleOptions {
    /// The kinds of fault asked for.
    pub faults: Vec<FaultKind>,
    /// How many nodes there are.
    pub nodes: usize,
    /// How long the load lasts.
    pub duration: Duration,
    /// Whom a kind of fault may hit; any target for a kind that is not named.
    /// A partition has [`ScheduleOptions::shapes`] instead.
    pub targets: BTreeMap<FaultKind, Vec<Target>>,
    /// Which shapes a partition may have; any if empty.
    pub shapes: Vec<Shape>,
    /// How a partition may cut its links; either way if empty.
    pub cuts: Vec<Cut>,
    /// Mean time from the beginning of one fault to the beginning of the next
    /// of its kind; a fifth of the duration, 1 to 10 s, if not given.
    pub interval: Option<Duration>,
    /// Mean time that a fault lasts; half of the interval if not given.
    pub lasts: Option<Duration>,
    /// How long before the end of the load everything is healed; a seventh of
    /// the duration, at most 5 s, if not given.
    pub quiet: Option<Duration>,
}

/// Why no schedule could be drawn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DrawError {
    /// No allowed target or shape exists in so small a cluster.
    #[error("expected a target that {nodes} nodes can have for {fault}, found {allowed}")]
    NoTarget {
        /// Which fault.
        fault: FaultKind,
        /// In how many nodes.
        nodes: usize,
        /// What was allowed.
        allowed: String,
    },
    /// Faults that last so long, so often, do not fit.
    #[error("expected {what} of {limit}, found {}", Seconds(*found))]
    Pace {
        /// Which of the options.
        what: &'static str,
        /// What would do.
        limit: String,
        /// What was asked for.
        found: Duration,
    },
    /// The kinds asked for leave each other no nodes.
    #[error(
        "expected room for a {fault} beside the other faults: a longer time, shorter faults or fewer targets at once"
    )]
    NoRoom {
        /// Which fault found none.
        fault: FaultKind,
    },
}

impl ScheduleOptions {
    /// Any target, any shape, the usual pace.
    pub fn new(faults: &[FaultKind], nodes: usize, duration: Duration) -> Self {
        ScheduleOptions {
            faults: faults.to_vec(),
            nodes,
            duration,
            targets: BTreeMap::new(),
            shapes: Vec::new(),
            cuts: Vec::new(),
            interval: None,
            lasts: None,
            quiet: None,
        }
    }
}

/// The randomness of one component of a run: independent of every other
/// component's, and the same for the same seed and name.
pub fn stream(seed: u64, component: &str) -> ChaCha8Rng {
    // FNV-1a: a name's stream must not change with a build or a platform.
    let number = component
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    rng
}

/// Draws a schedule. The same seed and options give the same one.
///
/// Every kind asked for occurs at least once, or the error says why not; and
/// everything is healed before the quiet time at the end.
pub fn draw(seed: u64, options: &ScheduleOptions) -> Result<Schedule, DrawError> {
    let pace = Pace::of(options)?;
    let mut kinds = Vec::new();
    for kind in FaultKind::ALL
        .iter()
        .filter(|kind| options.faults.contains(kind))
    {
        kinds.push(KindDraw::new(*kind, seed, options)?);
    }
    let mut slots = Vec::new();
    for (index, kind) in kinds.iter_mut().enumerate() {
        slots.extend(kind.timeline(index, &pace));
    }
    slots.sort_by_key(|slot| (!slot.sure, if slot.sure { 0 } else { slot.at }, slot.kind));
    let mut placed = Placed {
        faults: Vec::new(),
        guard: pace.guard,
    };
    for slot in slots {
        kinds[slot.kind].place(slot, &pace, &mut placed)?;
    }
    let mut faults: Vec<ScheduledFault> = placed.faults.into_iter().map(|(f, _)| f).collect();
    faults.sort_by_key(|fault| (fault.at, fault.fault));
    Ok(Schedule { seed, faults })
}

/// When faults may be in place, and how long, in milliseconds.
struct Pace {
    start: u64,
    end: u64,
    interval: u64,
    lasts: u64,
    /// What a node is left between two faults, to become itself again.
    guard: u64,
}

impl Pace {
    fn of(options: &ScheduleOptions) -> Result<Self, DrawError> {
        let ms = |span: Duration| span.as_millis() as u64;
        let duration = ms(options.duration);
        // The cluster first elects its leader and serves a little.
        let start = (duration / 10).min(1_000);
        let quiet = options.quiet.map_or((duration / 7).min(5_000), ms);
        let end = duration.saturating_sub(quiet);
        if end < start + LASTS_MS_MIN {
            let least = Duration::from_millis(quiet + start + LASTS_MS_MIN);
            return Err(DrawError::Pace {
                what: "a time",
                limit: format!("at least {} for any fault to fit", Seconds(least)),
                found: options.duration,
            });
        }
        let usual = (duration / 5).clamp(1_000, 10_000);
        let interval = options.interval.map(ms);
        let lasts = options.lasts.map(ms);
        let (interval, lasts) = match (interval, lasts) {
            (Some(interval), lasts) => (interval, lasts.unwrap_or(interval / 2)),
            (None, Some(lasts)) => (usual.max(2 * lasts), lasts),
            (None, None) => (usual, (usual / 2).min((end - start) / 2)),
        };
        let pace = Pace {
            start,
            end,
            interval,
            lasts,
            guard: (duration / 20).min(500),
        };
        pace.check(options)?;
        Ok(pace)
    }

    fn check(&self, options: &ScheduleOptions) -> Result<(), DrawError> {
        let refuse = |what, limit: String, found_ms| {
            Err(DrawError::Pace {
                what,
                limit,
                found: Duration::from_millis(found_ms),
            })
        };
        let shown = |ms| Seconds(Duration::from_millis(ms)).to_string();
        if options.lasts.is_some() && self.lasts > self.end - self.start {
            let limit = format!("at most {}", shown(self.end - self.start));
            return refuse("a mean length of faults", limit, self.lasts);
        }
        if self.interval <= self.lasts {
            let limit = format!("more than the mean length of faults, {}", shown(self.lasts));
            return refuse("a mean interval of faults", limit, self.interval);
        }
        Ok(())
    }

    /// How long one fault lasts: half to one and a half of the mean.
    fn draw_lasts(&self, dice: &mut Dice) -> u64 {
        let drawn = dice.between(self.lasts / 2, self.lasts * 3 / 2);
        drawn.clamp(LASTS_MS_MIN, self.end - self.start)
    }
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
    nodes: usize,
}

impl KindDraw {
    fn new(fault: FaultKind, seed: u64, options: &ScheduleOptions) -> Result<Self, DrawError> {
        let nodes = options.nodes;
        let menu = match fault {
            FaultKind::Partition => Menu::Links(
                or_all(&options.shapes, Shape::ALL)
                    .into_iter()
                    .filter(|shape| shape.side_sizes(nodes).is_some())
                    .collect(),
                or_all(&options.cuts, Cut::ALL),
            ),
            FaultKind::Kill | FaultKind::Pause => {
                let allowed = options.targets.get(&fault).map_or(&[][..], Vec::as_slice);
                let mut allowed = or_all(allowed, Target::ALL);
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
            nodes,
        })
    }

    /// The times of this kind's faults, one after the other, one of them sure.
    fn timeline(&mut self, kind: usize, pace: &Pace) -> Vec<Slot> {
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
    fn place(&mut self, slot: Slot, pace: &Pace, placed: &mut Placed) -> Result<(), DrawError> {
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
        let mut fault = ScheduledFault {
            at: Duration::from_millis(slot.at),
            lasts: Duration::from_millis(slot.lasts),
            fault: self.fault,
            shape: None,
            cut: None,
            targets: Targets::Leader,
        };
        match &self.menu {
            Menu::Processes(allowed) => {
                let weights = allowed.iter().map(|target| {
                    if slot.sure {
                        weight_if_sure(*target, allowed)
                    } else {
                        target_weight(*target)
                    }
                });
                let target = allowed[self.dice.weighted(weights)];
                let Some(targets) = draw_targets(&mut self.dice, target, self.nodes, |free| {
                    placed.free(slot, free)
                }) else {
                    return false;
                };
                fault.targets = targets;
                if !placed.fits(slot, &fault) {
                    return false;
                }
            }
            Menu::Links(shapes, cuts) => {
                let others = shapes.iter().any(|shape| *shape != Shape::IsolateLeader);
                let weights = shapes.iter().map(|shape| match shape {
                    Shape::IsolateLeader if slot.sure && others => 0,
                    shape => shape_weight(*shape),
                });
                let shape = shapes[self.dice.weighted(weights)];
                fault.shape = Some(shape);
                fault.cut = Some(cuts[self.dice.weighted(cuts.iter().map(|c| cut_weight(*c)))]);
                fault.targets = draw_side(&mut self.dice, shape, self.nodes);
            }
        }
        placed.faults.push((fault, slot.sure));
        true
    }
}

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
            fault.fault != FaultKind::Partition && at < to && from < end + self.guard
        })
    }

    /// Leaves in `nodes` those that no named overlapping fault hits.
    fn free(&self, slot: Slot, nodes: &mut Vec<Node>) {
        for (fault, _) in self.beside(slot) {
            match &fault.targets {
                Targets::Nodes(taken) => nodes.retain(|node| !taken.contains(node)),
                Targets::All => nodes.clear(),
                Targets::Leader => {}
            }
        }
    }

    /// Whether nothing can come between a sure fault and its nodes.
    fn fits(&self, slot: Slot, fault: &ScheduledFault) -> bool {
        self.beside(slot).all(|(other, sure)| {
            let by_role = [&fault.targets, &other.targets].contains(&&Targets::Leader);
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
    match target {
        Target::Leader => Some(Targets::Leader),
        Target::All => (free.len() == nodes).then_some(Targets::All),
        Target::One | Target::Minority | Target::Majority => {
            let largest = (*sizes.end()).min(free.len());
            if largest < *sizes.start() {
                return None;
            }
            let size = dice.between(*sizes.start() as u64, largest as u64) as usize;
            Some(Targets::Nodes(dice.subset(free, size)))
        }
    }
}

/// Draws the nodes of one side of a partition.
fn draw_side(dice: &mut Dice, shape: Shape, nodes: usize) -> Targets {
    match (shape, shape.side_sizes(nodes)) {
        (Shape::IsolateLeader, _) | (_, None) => Targets::Leader,
        (_, Some(sizes)) => {
            let size = dice.between(*sizes.start() as u64, *sizes.end() as u64) as usize;
            Targets::Nodes(dice.subset((1..=nodes as Node).collect(), size))
        }
    }
}

fn or_all<T: Copy>(asked: &[T], all: &[T]) -> Vec<T> {
    if asked.is_empty() {
        all.to_vec()
    } else {
        asked.to_vec()
    }
}

fn asked_of(fault: FaultKind, options: &ScheduleOptions) -> String {
    let names: Vec<&str> = match (fault, options.targets.get(&fault)) {
        (FaultKind::Partition, _) => or_all(&options.shapes, Shape::ALL)
            .iter()
            .map(|s| s.name())
            .collect(),
        (_, Some(asked)) if !asked.is_empty() => asked.iter().map(|t| t.name()).collect(),
        _ => Target::ALL.iter().map(|t| t.name()).collect(),
    };
    names.join(", ")
}

/// Leaders most, since most of what a protocol promises hangs on them; all at
/// once seldom, since nothing is served meanwhile.
fn target_weight(target: Target) -> u64 {
    match target {
        Target::Leader => 4,
        Target::One | Target::Minority => 3,
        Target::Majority => 2,
        Target::All => 1,
    }
}

/// A sure fault names its nodes where it may.
fn weight_if_sure(target: Target, allowed: &[Target]) -> u64 {
    let others = allowed.iter().any(|target| *target != Target::Leader);
    match target {
        Target::Leader if others => 0,
        target => target_weight(target),
    }
}

fn shape_weight(shape: Shape) -> u64 {
    match shape {
        Shape::IsolateLeader => 4,
        Shape::MajorityMinority => 3,
        Shape::IsolateOne | Shape::Halves => 2,
    }
}

fn cut_weight(cut: Cut) -> u64 {
    match cut {
        Cut::Hold => 2,
        Cut::Reset => 1,
    }
}

/// Draws that stay the same whatever a random number library does in its next
/// version.
struct Dice(ChaCha8Rng);

impl Dice {
    /// A number below `limit`, which must not be 0.
    fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(limit)) >> 64) as u64
    }

    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least) + 1)
    }

    /// The place of one of `weights`, which must not all be 0.
    fn weighted(&mut self, weights: impl Iterator<Item = u64> + Clone) -> usize {
        let mut left = self.below(weights.clone().sum());
        for (place, weight) in weights.enumerate() {
            match left.checked_sub(weight) {
                Some(rest) => left = rest,
                None => return place,
            }
        }
        unreachable!("less was drawn than the sum of the weights")
    }

    /// `size` of `nodes`, in order.
    fn subset(&mut self, mut nodes: Vec<Node>, size: usize) -> Vec<Node> {
        while nodes.len() > size {
            let gone = self.below(nodes.len() as u64) as usize;
            nodes.remove(gone);
        }
        nodes
    }
}

#[cfg(test)]
mod tests;
