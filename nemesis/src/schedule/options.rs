//! What a schedule is drawn from, and how fast its faults follow one another.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Seconds;
use super::dice::Dice;
use crate::fault::{CrashChoice, Cut, FaultKind, Role, Shape, Target};

/// A fault shorter than this may be over before anything could notice it.
pub(super) const LASTS_MS_MIN: u64 = 200;

/// What to draw from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleOptions {
    /// The kinds of fault asked for.
    pub faults: Vec<FaultKind>,
    /// The roles that nodes of the system on trial say they have. What hits
    /// whoever has another one is drawn only where it is asked for by name.
    pub roles: Vec<Role>,
    /// How many nodes there are.
    pub nodes: usize,
    /// How long the load lasts.
    pub duration: Duration,
    /// Whom a kind of fault may hit; any target that there is for a kind that
    /// is not named. A partition has [`ScheduleOptions::shapes`] instead.
    pub targets: BTreeMap<FaultKind, Vec<Target>>,
    /// Which shapes a partition may have; any that there is if empty.
    pub shapes: Vec<Shape>,
    /// How a partition may cut its links; either way if empty.
    pub cuts: Vec<Cut>,
    /// After which outputs a node may crash itself; after any if empty.
    pub crash_after: Vec<CrashChoice>,
    /// After at most how many of them, where no choice says which; any number
    /// if not given.
    pub crash_within: Option<u64>,
    /// How long after the first of several nodes the others go.
    pub crash_lag: Duration,
    /// Mean time from the beginning of one fault to the beginning of the next
    /// of its kind; a fifth of the duration, 1 to 10 s, if not given.
    pub interval: Option<Duration>,
    /// Mean time that a fault lasts; half of the interval if not given.
    pub lasts: Option<Duration>,
    /// The same two for one kind of fault, where it has a pace of its own.
    pub paces: BTreeMap<FaultKind, (Option<Duration>, Option<Duration>)>,
    /// How long before the end of the load everything is healed; a seventh of
    /// the duration, at most 5 s, if not given.
    pub quiet: Option<Duration>,
}

/// So many nodes, in words.
pub(super) fn counted(nodes: usize) -> String {
    match nodes {
        1 => "one node".to_owned(),
        _ => format!("{nodes} nodes"),
    }
}

/// Why no schedule could be drawn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DrawError {
    /// No allowed target or shape exists in so small a cluster.
    #[error("expected a target that {} can have for {fault}, found {allowed}", counted(*nodes))]
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
    pub fn new(faults: &[FaultKind], roles: &[Role], nodes: usize, duration: Duration) -> Self {
        ScheduleOptions {
            faults: faults.to_vec(),
            roles: roles.to_vec(),
            nodes,
            duration,
            targets: BTreeMap::new(),
            shapes: Vec::new(),
            cuts: Vec::new(),
            crash_after: Vec::new(),
            crash_within: None,
            crash_lag: Duration::ZERO,
            interval: None,
            lasts: None,
            paces: BTreeMap::new(),
            quiet: None,
        }
    }

    /// Whom a kind of fault may hit, as far as the cluster is large enough.
    pub(super) fn allowed_targets(&self, fault: FaultKind) -> Vec<Target> {
        let asked = self.targets.get(&fault).filter(|asked| !asked.is_empty());
        let there_is = |target: &Target| Role::is_had(target.role(), &self.roles);
        let all = fault.targets().iter().copied().filter(there_is);
        asked.cloned().unwrap_or_else(|| all.collect())
    }

    /// Which shapes a partition may have, as far as the cluster is large enough.
    pub(super) fn allowed_shapes(&self) -> Vec<Shape> {
        let there_is = |shape: &Shape| Role::is_had(shape.role(), &self.roles);
        match self.shapes.is_empty() {
            true => Shape::ALL.iter().copied().filter(there_is).collect(),
            false => self.shapes.clone(),
        }
    }
}

/// When faults may be in place, and how long, in milliseconds.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    pub start: u64,
    pub end: u64,
    pub interval: u64,
    pub lasts: u64,
    /// What a node is left between two faults, to become itself again.
    pub guard: u64,
}

impl Pace {
    /// The pace of one kind of fault.
    pub fn of(kind: FaultKind, options: &ScheduleOptions) -> Result<Self, DrawError> {
        let own = options.paces.get(&kind).copied().unwrap_or_default();
        let asked = (own.0.or(options.interval), own.1.or(options.lasts));
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
        let (interval, lasts) = match (asked.0.map(ms), asked.1.map(ms)) {
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
        pace.check(asked.1.is_some())?;
        Ok(pace)
    }

    fn check(&self, lasts_are_asked_for: bool) -> Result<(), DrawError> {
        let refuse = |what, limit: String, found_ms| {
            Err(DrawError::Pace {
                what,
                limit,
                found: Duration::from_millis(found_ms),
            })
        };
        let shown = |ms| Seconds(Duration::from_millis(ms)).to_string();
        if lasts_are_asked_for && self.lasts > self.end - self.start {
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
    pub fn draw_lasts(&self, dice: &mut Dice) -> u64 {
        let drawn = dice.between(self.lasts / 2, self.lasts * 3 / 2);
        drawn.clamp(LASTS_MS_MIN, self.end - self.start)
    }
}
