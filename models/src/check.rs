//! Checks a system: explores its model, and says what that establishes.
//!
//! Depth-first, since that needs little memory. Its paths are long; so after
//! a violation the path is shortened by leaving steps out, and then a search
//! in order of depth looks for a shortest one, within caps. Every path is
//! walked again, without anything remembered, before it is shown.

use std::ops::ControlFlow;
use std::time::Duration;

use tribunal_protocol::bugs::Bug;

pub use crate::error::CheckError;

use crate::bounds::{Bounds, Granularity, Limit, Reductions};
use crate::frame::{Frame, always, reached};
use crate::judge::{DEAD_MESSAGES, NO_PANIC, NO_STUCK_STATE};
use crate::model::{Model, Settings};
use crate::path::{Deeds, Walk};
use crate::prefix;
use crate::recovery::Ways;
use crate::report::{PathStep, PropertyReport, Report, Verdict};
use crate::search::{Found, Order, Progress, search};
use crate::system::{Broken, ModelSystem};
use crate::tally::Kind;

/// How a system is checked.
#[derive(Clone, Debug)]
pub struct CheckOptions {
    /// The wrong version, by name.
    pub bug: Option<String>,
    /// When persists complete.
    pub granularity: Granularity,
    /// What bounds the model.
    pub bounds: Bounds,
    /// The prefix to start from, by name.
    pub from: Option<String>,
    /// The only property to judge, by name; all, if none is named.
    pub property: Option<String>,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// How many bytes the process may hold.
    pub memory: Option<u64>,
    /// How many threads explore.
    pub threads: usize,
    /// Which states and actions others stand for.
    pub reductions: Reductions,
    /// In which order states are expanded.
    pub order: Order,
    /// What fingerprints are salted with: two states that one salt gives the
    /// same fingerprint, so that one of them is never visited, differ in it
    /// with another salt.
    pub salt: u64,
    /// Whether components of states are interned and steps remembered. The
    /// plain form establishes the same, with more time and memory; it is there
    /// to compare with.
    pub interned: bool,
}

impl CheckOptions {
    /// Everything as usual, within bounds.
    pub fn new(bounds: Bounds) -> Self {
        CheckOptions {
            bug: None,
            granularity: Granularity::Staged,
            bounds,
            from: None,
            property: None,
            timeout: None,
            memory: None,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            reductions: Reductions::ALL,
            order: Order::DepthFirst,
            salt: 0,
            interned: true,
        }
    }
}

/// The largest cluster of a model.
pub const NODES_MAX: u8 = 9;

/// Checks a system, until `progress` breaks it off.
pub fn check<S: ModelSystem>(
    options: &CheckOptions,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Report, CheckError> {
    Case::<S>::new(options)?.check(progress)
}

/// A system made ready to be explored.
pub(crate) struct Case<'a, S: ModelSystem> {
    options: &'a CheckOptions,
    bug: Option<&'static str>,
    frame: Frame<'a>,
    pub(crate) model: Model<S>,
    prefix: Option<Played<S>>,
}

/// A prefix that was played.
struct Played<S: ModelSystem> {
    name: &'static str,
    walk: Walk<S>,
    model: Model<S>,
}

/// A violation, with a path that was walked again.
struct Violation<S: ModelSystem> {
    broken: Broken,
    walk: Walk<S>,
    is_shortest: bool,
}

impl<'a, S: ModelSystem> Case<'a, S> {
    pub(crate) fn new(options: &'a CheckOptions) -> Result<Self, CheckError> {
        let bounds = options.bounds;
        if bounds.nodes == 0 || bounds.nodes > NODES_MAX {
            let why = format!("a model has 1 to {NODES_MAX} nodes, not {}", bounds.nodes);
            return Err(CheckError::Bounds(why));
        }
        if let Some(why) = S::refuses(&bounds) {
            return Err(CheckError::Bounds(why));
        }
        let frame = Frame::begin(options)?;
        let bug = chosen_bug::<S>(options.bug.as_deref())?;
        let settings = Settings {
            bounds,
            granularity: options.granularity,
            reductions: options.reductions,
        };
        let system = S::new(&bounds, bug);
        let only = chosen_property(&system, options)?;
        let mut model = Model::salted(system.clone(), settings, options.salt).judging_only(only);
        let prefix = match &options.from {
            Some(name) => Some(played(&system, settings, options.salt, name, model.only)?),
            None => None,
        };
        if let Some(prefix) = &prefix {
            model.start = prefix.walk.end.clone();
        }
        if options.interned {
            model = model.interning(options.threads.max(1));
        }
        model = model.asking_for_ways(bug);
        Ok(Case {
            options,
            bug,
            frame,
            model,
            prefix,
        })
    }

    fn check(
        self,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Report, CheckError> {
        let plan = self.frame.exploring();
        let found = search(self.model.afresh(), plan, progress)?;
        let violations = match &found.path {
            Some(path) => self.violations(path.clone(), progress)?,
            None => Vec::new(),
        };
        Ok(self.report(&found, &violations))
    }

    /// The violation at the end of a path, by a shorter path; and the one
    /// nearest to the start, where that breaks another property.
    fn violations(
        &self,
        path: Deeds<S>,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Vec<Violation<S>>, CheckError> {
        let (_, broken) = self.verified(&path)?;
        let short = self.model.afresh().shorten(path, broken.property);
        let (walk, broken) = self.verified(&short)?;
        let mut violations = vec![Violation {
            broken,
            is_shortest: walk.steps.is_empty(),
            walk,
        }];
        if short.is_empty() {
            return Ok(violations);
        }
        // Paths as long as the known one too: of several properties that can
        // be broken in so many steps the same one is then found every time,
        // whatever the first search happened to find.
        let nearest = search(
            self.model.afresh(),
            self.frame.shortening(short.len()),
            progress,
        )?;
        if let Some(path) = nearest.path {
            let (walk, broken) = self.verified(&path)?;
            let same = broken.property == violations[0].broken.property;
            let nearest = Violation {
                broken,
                walk,
                is_shortest: true,
            };
            if same {
                violations[0] = nearest;
            } else {
                violations.insert(0, nearest);
            }
        }
        Ok(violations)
    }

    fn verified(&self, path: &Deeds<S>) -> Result<(Walk<S>, Broken), CheckError> {
        let broken =
            || CheckError::Search("a path to a violation could not be walked again".into());
        self.model.verified(path).ok_or_else(broken)
    }

    fn report(&self, found: &Found<Model<S>>, violations: &[Violation<S>]) -> Report {
        let properties = self.properties(found, violations);
        Report {
            system: S::NAME,
            bug: self.bug,
            host: self.options.granularity,
            bounds: self.options.bounds.named(S::settings()),
            from: self.prefix.as_ref().map(|prefix| prefix.name),
            salt: self.options.salt,
            verdict: self.verdict(found, &properties),
            states_generated: found.states_generated,
            states_unique: found.states_unique,
            states_on_ways: self.ways().map(Ways::met).sum(),
            depth: found.depth,
            time: self.frame.elapsed(),
            memory_peak: found.memory_peak,
            limits_hit: found.coverage.limits.clone(),
            actions: found.coverage.actions.clone(),
            properties,
        }
    }

    fn verdict(&self, found: &Found<Model<S>>, properties: &[PropertyReport]) -> Verdict {
        let verdict = self.frame.verdict(found, properties);
        match self.ways().find(|ways| ways.open() > 0) {
            Some(ways) if verdict == Verdict::Valid => Verdict::Unknown(format!(
                "from {} states the way that {} asks for was neither found nor excluded",
                ways.open(),
                ways.property()
            )),
            _ => verdict,
        }
    }

    fn properties(
        &self,
        found: &Found<Model<S>>,
        violations: &[Violation<S>],
    ) -> Vec<PropertyReport> {
        let exhausted = found.stop.is_none() && violations.is_empty();
        let mut reports = Vec::new();
        for (name, about) in self.judged() {
            let violation = violations
                .iter()
                .find(|violation| violation.broken.property == name);
            let ways = self.ways().find(|ways| ways.property() == name);
            let is_open = ways.is_some_and(|ways| ways.open() > 0);
            let mut report = PropertyReport {
                count: ways.map(Ways::asked),
                ..always(name, about, exhausted && !is_open)
            };
            if let Some(violation) = violation {
                let path = self.tell(&violation.walk);
                report.violate(violation.broken.why.clone(), path, violation.is_shortest);
            }
            reports.push(report);
        }
        let asked = |(limit, amount): &(Limit, u8)| self.options.bounds.get(*limit) >= *amount;
        for (goal, count) in self.model.goals.iter().zip(&found.coverage.goals) {
            if !goal.needs.iter().all(asked) {
                continue;
            }
            reports.push(reached(goal.name, goal.about, *count, exhausted));
        }
        reports.extend(self.happened(found, exhausted));
        reports
    }

    /// That each kind of action happened of which the bounds have some: a
    /// fault that never struck would prove nothing.
    fn happened(&self, found: &Found<Model<S>>, exhausted: bool) -> Vec<PropertyReport> {
        let asked = |(limit, amount): &(Limit, u8)| self.options.bounds.get(*limit) >= *amount;
        let count = |kind: Kind| {
            let actions = found.coverage.actions.iter();
            let searched = actions.filter(|(other, _)| *other == kind);
            let searched: u64 = searched.map(|(_, count)| *count).sum();
            let prefix = self.prefix.iter().flat_map(|prefix| &prefix.walk.steps);
            let before = prefix.filter(|(_, action)| action.kind() == kind);
            searched + before.count() as u64
        };
        let goals = HAPPENINGS
            .iter()
            .filter(|goal| goal.nodes <= self.options.bounds.nodes)
            .filter(|goal| goal.needs.iter().all(asked));
        let about = "this kind of action happened, since the bounds have some";
        goals
            .map(|goal| reached(goal.name, about, count(goal.kind), exhausted))
            .collect()
    }

    /// The properties of ways.
    fn ways(&self) -> impl Iterator<Item = &Ways<S>> {
        self.model.ways.iter().flatten().map(|ways| &**ways)
    }

    /// Every property that is judged, the system's own first.
    fn judged(&self) -> Vec<(&'static str, &'static str)> {
        let own = self
            .model
            .properties
            .iter()
            .map(|property| (property.name, property.about));
        let mut all: Vec<_> = own.chain(GENERAL).collect();
        if !self.options.reductions.dead {
            all.push((
                DEAD_MESSAGES,
                "a message that the system holds for dead has no effect",
            ));
        }
        all.retain(|(name, _)| self.model.may_break(name));
        all
    }

    fn tell(&self, walk: &Walk<S>) -> Vec<PathStep> {
        let mut steps = Vec::new();
        if let Some(prefix) = &self.prefix {
            steps = prefix.model.tell(&prefix.walk, 1, true);
        }
        let first = steps.len() + 1;
        steps.extend(self.model.tell(walk, first, false));
        steps
    }
}

/// A kind of action that must happen, and the nodes and budgets it takes.
struct Happening {
    kind: Kind,
    name: &'static str,
    nodes: u8,
    needs: &'static [(Limit, u8)],
}

const HAPPENINGS: [Happening; 6] = [
    Happening {
        kind: Kind::Deliver,
        name: "a message is delivered",
        nodes: 2,
        needs: &[(Limit::Elections, 1)],
    },
    Happening {
        kind: Kind::Expire,
        name: "a timer expires",
        nodes: 1,
        needs: &[(Limit::Elections, 1)],
    },
    Happening {
        kind: Kind::Invoke,
        name: "a client asks",
        nodes: 1,
        needs: &[(Limit::Elections, 1), (Limit::Operations, 1)],
    },
    Happening {
        kind: Kind::Retry,
        name: "a client asks again",
        nodes: 1,
        needs: &[
            (Limit::Elections, 1),
            (Limit::Operations, 1),
            (Limit::Retries, 1),
        ],
    },
    Happening {
        kind: Kind::Duplicate,
        name: "a message is delivered twice",
        nodes: 2,
        needs: &[(Limit::Elections, 1), (Limit::Duplicates, 1)],
    },
    Happening {
        kind: Kind::Crash,
        name: "a node crashes",
        nodes: 1,
        needs: &[(Limit::Elections, 1), (Limit::Crashes, 1)],
    },
];

/// What is judged of every system.
pub(crate) const GENERAL: [(&str, &str); 2] = [
    (NO_PANIC, "no machine panics, whatever it is given"),
    (NO_STUCK_STATE, "while clients wait, something can happen"),
];

/// The wrong version of that name, if one is named.
pub(crate) fn chosen_bug<S: ModelSystem>(
    name: Option<&str>,
) -> Result<Option<&'static str>, CheckError> {
    known_bug(name, S::NAME, S::bugs())
}

/// The one of a system's wrong versions that has this name, if one is named.
pub(crate) fn known_bug(
    name: Option<&str>,
    system: &'static str,
    bugs: &[Bug],
) -> Result<Option<&'static str>, CheckError> {
    let Some(name) = name else {
        return Ok(None);
    };
    let names: Vec<&str> = bugs.iter().map(|bug| bug.name).collect();
    match bugs.iter().find(|bug| bug.name == name) {
        Some(bug) => Ok(Some(bug.name)),
        None => Err(CheckError::UnknownBug {
            name: name.to_owned(),
            system,
            known: listed(&names),
        }),
    }
}

fn chosen_property<S: ModelSystem>(
    system: &S,
    options: &CheckOptions,
) -> Result<Option<&'static str>, CheckError> {
    let all = system.properties().into_iter().chain(system.weaknesses());
    let own = all.map(|property| property.name);
    let names: Vec<&'static str> = own.chain(GENERAL.map(|(name, _)| name)).collect();
    known_property(options.property.as_deref(), S::NAME, &names)
}

/// The one of a system's properties that has this name, if one is named.
pub(crate) fn known_property(
    name: Option<&str>,
    system: &'static str,
    names: &[&'static str],
) -> Result<Option<&'static str>, CheckError> {
    let Some(name) = name else {
        return Ok(None);
    };
    match names.iter().find(|known| known.eq_ignore_ascii_case(name)) {
        Some(known) => Ok(Some(known)),
        None => Err(CheckError::UnknownProperty {
            name: name.to_owned(),
            system,
            known: listed(names),
        }),
    }
}

/// The error that a system has these prefixes and no other.
pub(crate) fn no_prefix(name: &str, system: &'static str, known: &[&str]) -> CheckError {
    CheckError::UnknownPrefix {
        name: name.to_owned(),
        system,
        known: listed(known),
    }
}

fn played<S: ModelSystem>(
    system: &S,
    settings: Settings,
    salt: u64,
    name: &str,
    only: Option<&'static str>,
) -> Result<Played<S>, CheckError> {
    let prefixes = S::prefixes();
    let Some(prefix) = prefixes.iter().find(|prefix| prefix.name == name) else {
        let names: Vec<&str> = prefixes.iter().map(|prefix| prefix.name).collect();
        return Err(no_prefix(name, S::NAME, &names));
    };
    let (model, walk) = prefix::play(system, settings, salt, prefix, only)?;
    Ok(Played {
        name: prefix.name,
        walk,
        model,
    })
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.join(", ")
}
