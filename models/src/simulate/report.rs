//! What a simulation established.

use std::time::Duration;

use crate::judge::{DEAD_MESSAGES, NO_PANIC};
use crate::report::{PropertyKind, PropertyReport, PropertyResult, Verdict};
use crate::system::{Check, ModelSystem};

use super::counts::Counts;
use super::seed::PROGRESS;
use super::seeds::{Ended, Ran};
use super::shorten::Shown;
use super::{Seeds, SimulateOptions};

/// What a simulation established, of the seeds that it ran.
#[derive(Clone, Debug)]
pub struct Report {
    /// Which system.
    pub system: &'static str,
    /// Which wrong version, if one.
    pub bug: Option<&'static str>,
    /// The seeds that were asked for.
    pub seeds: Seeds,
    /// How many of them were run, from the first on.
    pub seeds_run: u64,
    /// The conclusion.
    pub verdict: Verdict,
    /// How long the seeds took, without the shortening of a path.
    pub time: Duration,
    /// What happened, all seeds together.
    pub counts: Counts,
    /// A digest of every action, its virtual time and its node behind it: the
    /// same whenever the same seeds are run by the same program.
    pub digest: u64,
    /// The first seed that failed.
    pub failing: Option<Failing>,
    /// Every property, and every goal with the number of seeds that reached
    /// it.
    pub properties: Vec<PropertyReport>,
}

/// A seed that failed.
#[derive(Clone, Debug)]
pub struct Failing {
    /// The seed.
    pub seed: u64,
    /// What it drew, in words.
    pub conditions: Vec<(&'static str, String)>,
    /// How many actions it took until something broke.
    pub drawn: usize,
}

/// What is judged of every system.
const GENERAL: [(&str, &str); 3] = [
    (NO_PANIC, "no machine panics, whatever it is given"),
    (
        DEAD_MESSAGES,
        "a message that the system holds for dead has no effect",
    ),
    (
        PROGRESS,
        "nodes that suffice, once they are healed, get an operation done",
    ),
];

/// What of a failing seed is shown.
pub(super) struct Finding {
    pub(super) failing: Failing,
    pub(super) shown: Shown,
}

impl Report {
    pub(super) fn new<S: ModelSystem>(
        options: &SimulateOptions,
        bug: Option<&'static str>,
        ran: Ran,
        time: Duration,
        finding: Option<Finding>,
    ) -> Self {
        let shown = finding.as_ref().map(|finding| &finding.shown);
        let verdict = verdict(options, &ran, shown.is_some());
        let system = S::new(&S::default_bounds(), bug);
        let own = system.properties().into_iter();
        let always = own
            .filter(|property| !matches!(property.check, Check::Recoverable(_)))
            .map(|property| (property.name, property.about))
            .chain(GENERAL)
            // Where no core had to, that none failed to says nothing.
            .filter(|(name, _)| {
                let is_broken = shown.is_some_and(|shown| shown.broken.property == *name);
                *name != PROGRESS || ran.counts.healed > 0 || is_broken
            })
            .map(|(name, about)| always(name, about, &verdict, shown));
        // In the order of the system, then what only some runs may reach.
        let names: Vec<_> = system.goals().iter().map(|goal| goal.name).collect();
        let place = |name| names.iter().position(|other| *other == name);
        let mut goals: Vec<_> = ran.counts.goals.iter().collect();
        goals.sort_by_key(|(name, _)| place(**name).unwrap_or(names.len()));
        let goals = goals
            .into_iter()
            .map(|(name, reached)| sometimes(name, reached.about, reached.runs));
        Report {
            system: S::NAME,
            bug,
            seeds: options.seeds,
            seeds_run: ran.seeds,
            properties: always.chain(goals).collect(),
            verdict,
            time,
            digest: ran.digest,
            counts: ran.counts,
            failing: finding.map(|finding| finding.failing),
        }
    }

    /// Seeds a second.
    pub fn seeds_per_second(&self) -> f64 {
        self.seeds_run as f64 / self.time.as_secs_f64().max(1e-9)
    }

    /// Actions a second.
    pub fn steps_per_second(&self) -> f64 {
        self.counts.steps as f64 / self.time.as_secs_f64().max(1e-9)
    }
}

fn verdict(options: &SimulateOptions, ran: &Ran, found: bool) -> Verdict {
    let covered = format!("{} of {} seeds were run", ran.seeds, options.seeds.count());
    match ran.ended {
        _ if found => Verdict::Invalid,
        Some(Ended::Time) => {
            let limit = options.timeout.unwrap_or_default();
            Verdict::Unknown(format!("the time limit of {limit:?} was met; {covered}"))
        }
        Some(Ended::Interrupted) => Verdict::Unknown(format!("interrupted; {covered}")),
        None if ran.counts.operations[0] == 0 => {
            Verdict::Unknown("no operation was ever answered in these seeds".to_owned())
        }
        None => Verdict::Valid,
    }
}

fn always(
    name: &'static str,
    about: &'static str,
    verdict: &Verdict,
    shown: Option<&Shown>,
) -> PropertyReport {
    let shown = shown.filter(|shown| shown.broken.property == name);
    PropertyReport {
        name,
        about,
        kind: PropertyKind::Always,
        result: match (shown, verdict) {
            (Some(_), _) => PropertyResult::Violated,
            (None, Verdict::Valid) => PropertyResult::Holds,
            (None, _) => PropertyResult::Unknown,
        },
        count: None,
        why: shown.map(|shown| shown.broken.why.clone()),
        path: shown.map(|shown| shown.path.clone()).unwrap_or_default(),
        is_shortest: false,
    }
}

/// A goal that no seed reached is no finding: another might have.
fn sometimes(name: &'static str, about: &'static str, count: u64) -> PropertyReport {
    PropertyReport {
        name,
        about,
        kind: PropertyKind::Sometimes,
        result: match count {
            0 => PropertyResult::NotReached,
            1.. => PropertyResult::Reached,
        },
        count: Some(count),
        why: None,
        path: Vec::new(),
        is_shortest: false,
    }
}
