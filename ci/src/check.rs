//! `tribunal check`: every state of a bounded cluster.
//!
//! | file | holds |
//! |---|---|
//! | `check.rs` | what can be asked, and the command that repeats it |
//! | `check/show.rs` | the answer, as tables and as JSON |

pub(crate) mod show;

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tribunal_models::registry::{AboutProperty, System, systems};
use tribunal_models::report::PropertyKind;
use tribunal_models::search::{Phase, Progress};
use tribunal_models::{Bounds, CheckError, CheckOptions, Granularity, Limit};

use crate::exit::{Conclusion, usage};
use crate::interrupt::Interrupt;
use crate::names;
use crate::output::{self, Format};
use crate::progress::Line;
use crate::units::{Size, Time, whole};

/// `tribunal check`.
#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// The system (see `tribunal list systems`)
    pub system: String,
    /// Check a wrong version (see `tribunal list bugs`)
    #[arg(long, value_name = "NAME")]
    pub bug: Option<String>,
    /// When persists complete: with their step, or as actions of their own
    #[arg(long, value_enum, default_value_t, value_name = "HOST")]
    pub host: Host,
    #[command(flatten)]
    pub bounds: BoundArgs,
    /// Start behind a scripted prefix, or at the `start`, which is usual for
    /// most systems
    #[arg(long, value_name = "PREFIX")]
    pub from: Option<String>,
    /// Judge only this property (see `tribunal list properties`)
    #[arg(long, value_name = "NAME")]
    pub property: Option<String>,
    /// Give up after this time, as in 90s or 10m
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<Time>,
    /// Give up when the process holds more than this, as in 512MiB
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<Size>,
    /// How many threads explore; one for each core, if not given
    #[arg(long, value_name = "N", value_parser = whole(1..=u16::MAX))]
    pub threads: Option<u16>,
    /// Other fingerprints: states that one salt confused, another tells apart
    #[arg(long, value_name = "S", default_value_t)]
    pub salt: u64,
    /// Serve stateright's explorer on this address instead of checking
    #[arg(long, value_name = "ADDR")]
    pub explore: Option<String>,
}

/// What bounds the model; whatever is not given is as the system proposes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Bounds (each system proposes its own)")]
pub struct BoundArgs {
    /// The bounds to begin with; what is given beside changes them
    #[arg(long, value_enum, default_value_t, value_name = "SET")]
    pub bounds: BoundSet,
    /// Members of the cluster
    #[arg(long, value_name = "N", value_parser = whole(0..=u8::MAX))]
    pub nodes: Option<u8>,
    /// Expiries of election timers
    #[arg(long, value_name = "N", value_parser = whole(0..=u8::MAX))]
    pub elections: Option<u8>,
    /// Expiries of all other timers
    #[arg(long, value_name = "N", value_parser = whole(0..=u8::MAX))]
    pub timers: Option<u8>,
    /// Client operations that may change something
    #[arg(long, value_name = "N", value_parser = whole(0..=u8::MAX))]
    pub operations: Option<u8>,
    /// Client operations that only read
    #[arg(long, value_name = "N", value_parser = whole(0..=u8::MAX))]
    pub reads: Option<u8>,
    /// Requests that clients send again
    #[arg(long, value_name = "N", value_parser = whole(0..=u8::MAX))]
    pub retries: Option<u8>,
    /// Crashes, each followed by a recovery
    #[arg(long, value_name = "N", value_parser = whole(0..=u8::MAX))]
    pub crashes: Option<u8>,
    /// Messages delivered twice
    #[arg(long, value_name = "N", value_parser = whole(0..=u8::MAX))]
    pub duplicates: Option<u8>,
    /// Messages under way at the same time; 0 for any number
    #[arg(long, value_name = "N", value_parser = whole(0..=u8::MAX))]
    pub in_flight: Option<u8>,
    /// Units by which clocks advance, where clocks matter
    #[arg(long, value_name = "N", value_parser = whole(0..=u8::MAX))]
    pub ticks: Option<u8>,
    /// Sessions that break, where links are sessions
    #[arg(long, value_name = "N", value_parser = whole(0..=u8::MAX))]
    pub breaks: Option<u8>,
    /// Compactions of logs that an operator asks for
    #[arg(long, value_name = "N", value_parser = whole(0..=u8::MAX))]
    pub compactions: Option<u8>,
    /// Changes of the membership that an operator asks for
    #[arg(long, value_name = "N", value_parser = whole(0..=u8::MAX))]
    pub changes: Option<u8>,
    /// Transfers of leadership that an operator asks for
    #[arg(long, value_name = "N", value_parser = whole(0..=u8::MAX))]
    pub transfers: Option<u8>,
    /// Nodes that stop for good
    #[arg(long, value_name = "N", value_parser = whole(0..=u8::MAX))]
    pub halts: Option<u8>,
    /// How far clocks may differ, where it is not what the protocol stands
    #[arg(long, value_name = "N", value_parser = whole(0..=u64::MAX))]
    pub drift: Option<u64>,
    /// A choice that the system offers beside these, as in pre-vote=1
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_setting)]
    pub set: Vec<(String, u8)>,
}

/// Bounds that a system proposes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum BoundSet {
    /// Done in less than a minute
    #[default]
    Usual,
    /// Done in minutes
    Wide,
}

impl BoundSet {
    fn of(self, system: &dyn System) -> Bounds {
        match self {
            BoundSet::Usual => system.default_bounds(),
            BoundSet::Wide => system.wide_bounds(),
        }
    }
}

/// When persists complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Host {
    /// With the step that asks for them
    Atomic,
    /// As actions of their own, where that can make a difference
    #[default]
    Staged,
}

impl Host {
    fn granularity(self) -> Granularity {
        match self {
            Host::Atomic => Granularity::Atomic,
            Host::Staged => Granularity::Staged,
        }
    }
}

/// Checks a system.
pub fn run(args: CheckArgs, format: Format) -> anyhow::Result<Conclusion> {
    let systems = systems();
    let system = names::find("system to check", &args.system, &systems, |system| {
        system.name()
    })?;
    let options = args.options(system.as_ref())?;
    if let Some(address) = &args.explore {
        return explore(system.as_ref(), &options, address);
    }
    let first = "the search ends, and what it covered is told";
    let (interrupt, _runtime) = Interrupt::listen_alone(first)?;
    let mut line = Line::new();
    let report = system.check(&options, &mut |progress| {
        line.show(|| text(&progress));
        interrupt.flow()
    });
    line.finish();
    let report = report.map_err(explained)?;
    let repeat = args.repeat(system.as_ref());
    let answer = show::answer(&report, &repeat);
    output::emit(format, &answer, || show::human(&report, &repeat))?;
    if let (Conclusion::Valid, Some(name)) = (answer.verdict, &args.bug) {
        let bug = names::bug(system.name(), system.bugs(), name)?;
        let host = args.host.granularity().name();
        names::note_what_shows("check", system.name(), bug, host, bug.check_args);
    }
    Ok(answer.verdict)
}

fn explore(
    system: &dyn System,
    options: &CheckOptions,
    address: &str,
) -> anyhow::Result<Conclusion> {
    let announce = &mut |address| {
        let name = system.name();
        eprintln!("explorer of {name} on http://{address}/ until interrupted");
    };
    let served = system.explore(options, address, announce);
    served.map_err(explained)?;
    Ok(Conclusion::Valid)
}

pub(crate) fn explained(error: CheckError) -> anyhow::Error {
    if error.is_usage() {
        usage(error.to_string())
    } else {
        error.into()
    }
}

/// What `--from` takes for a search behind no prefix.
const START: &str = "start";

impl CheckArgs {
    /// What the flags ask of a system; refuses what it does not have.
    pub fn options(&self, system: &dyn System) -> anyhow::Result<CheckOptions> {
        if let Some(bug) = &self.bug {
            let bug = names::bug(system.name(), system.bugs(), bug)?;
            names::note_where_shown(bug, self.host.granularity().name());
        }
        let named = self.from.as_deref().filter(|from| *from != START);
        if let Some(prefix) = named {
            let what = format!("prefix of {}", system.name());
            names::find(&what, prefix, &system.prefixes(), |(name, _)| name)?;
        }
        if let Some(property) = &self.property {
            check_property(system, property)?;
        }
        let usual = CheckOptions::new(self.bounds.bounds(system)?);
        let from = match &self.from {
            Some(_) => named,
            None => system.usual_start(&usual.bounds),
        };
        Ok(CheckOptions {
            bug: self.bug.clone(),
            granularity: self.host.granularity(),
            from: from.map(str::to_owned),
            property: self.property.clone(),
            timeout: self.timeout.map(|Time(timeout)| timeout),
            memory: self.memory.map(|Size(bytes)| bytes),
            threads: self.threads.map_or(usual.threads, usize::from),
            salt: self.salt,
            ..usual
        })
    }

    /// The command line that asks the same again.
    fn repeat(&self, system: &dyn System) -> String {
        let mut words = vec!["tribunal check".to_owned(), self.system.clone()];
        words.extend(self.bug.iter().map(|bug| format!("--bug {bug}")));
        if self.host == Host::Atomic {
            words.push("--host atomic".to_owned());
        }
        words.extend(self.bounds.words(system));
        words.extend(self.from.iter().map(|from| format!("--from {from}")));
        words.extend(
            self.property
                .iter()
                .map(|name| format!("--property '{name}'")),
        );
        if self.salt > 0 {
            words.push(format!("--salt {}", self.salt));
        }
        words.join(" ")
    }
}

/// A property to be judged alone must be one that always holds: goals are
/// asked of every search, whatever it judges.
fn check_property(system: &dyn System, name: &str) -> anyhow::Result<()> {
    let properties = system.properties();
    let is_it = |property: &&AboutProperty| property.name.eq_ignore_ascii_case(name);
    let (judged, goals): (Vec<&AboutProperty>, Vec<_>) = properties
        .iter()
        .partition(|property| property.kind != PropertyKind::Sometimes);
    let names: Vec<&str> = judged.iter().map(|property| property.name).collect();
    if judged.iter().any(is_it) {
        return Ok(());
    }
    if goals.iter().any(is_it) {
        return Err(usage(format!(
            "`{name}` is a goal, and goals are asked in every check; \
             leave --property out, or judge one of: {}",
            names.join(", ")
        )));
    }
    let what = format!("property of {}", system.name());
    Err(usage(names::unknown(&what, name, &names)))
}

impl BoundArgs {
    fn bounds(&self, system: &dyn System) -> anyhow::Result<Bounds> {
        let mut bounds = self.bounds.of(system);
        bounds.nodes = self.nodes.unwrap_or(bounds.nodes);
        bounds.drift = self.drift.or(bounds.drift);
        for limit in Limit::ALL {
            bounds = bounds.with(limit, self.given(limit).unwrap_or(bounds.get(limit)));
        }
        let settings = system.settings();
        for (name, value) in &self.set {
            let what = format!("setting of {}", system.name());
            let found = names::find(&what, name, settings, |setting| setting.name)?;
            if !(found.least..=found.most).contains(value) {
                return Err(usage(format!(
                    "expected --set {name} to be from {} to {}, not {value} ({name}: {})",
                    found.least, found.most, found.about
                )));
            }
            bounds = bounds.with_setting(settings, found.name, *value);
        }
        Ok(bounds)
    }

    fn given(&self, limit: Limit) -> Option<u8> {
        match limit {
            Limit::Elections => self.elections,
            Limit::Timers => self.timers,
            Limit::Operations => self.operations,
            Limit::Reads => self.reads,
            Limit::Retries => self.retries,
            Limit::Crashes => self.crashes,
            Limit::Duplicates => self.duplicates,
            Limit::InFlight => self.in_flight,
            Limit::Ticks => self.ticks,
            Limit::Breaks => self.breaks,
            Limit::Compactions => self.compactions,
            Limit::Changes => self.changes,
            Limit::Transfers => self.transfers,
            Limit::Halts => self.halts,
        }
    }

    /// The flags for whatever differs from what the system proposes.
    fn words(&self, system: &dyn System) -> Vec<String> {
        let usual = self.bounds.of(system);
        let flag = |name: &str, value: String| format!("--{} {value}", name.replace('_', "-"));
        let nodes = self.nodes.filter(|nodes| *nodes != usual.nodes);
        let mut words: Vec<String> = nodes
            .iter()
            .map(|nodes| flag("nodes", nodes.to_string()))
            .collect();
        if self.bounds == BoundSet::Wide {
            words.insert(0, flag("bounds", "wide".to_owned()));
        }
        for limit in Limit::ALL {
            let value = self.given(limit).filter(|value| *value != usual.get(limit));
            words.extend(value.map(|value| flag(limit.name(), value.to_string())));
        }
        words.extend(self.drift.map(|drift| flag("drift", drift.to_string())));
        let last: BTreeMap<_, _> = self.set.iter().cloned().collect();
        words.extend(
            last.into_iter()
                .map(|(name, value)| flag("set", format!("{name}={value}"))),
        );
        words
    }
}

fn text(progress: &Progress) -> String {
    let phase = match progress.phase {
        Phase::Exploring => "exploring",
        Phase::Shortening => "violated; looking for a shortest path",
    };
    let memory = progress
        .memory
        .map_or(String::new(), |bytes| format!(", {} MiB", bytes >> 20));
    format!(
        "{phase}: {} states, {} different, {} in the queue, {:.0}/s{memory}",
        progress.states_generated, progress.states_unique, progress.queue, progress.rate,
    )
}

fn parse_setting(text: &str) -> Result<(String, u8), String> {
    let wrong = || format!("expected NAME=VALUE with a value from 0 to 255, not `{text}`");
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    Ok((
        name.trim().to_owned(),
        value.trim().parse().map_err(|_| wrong())?,
    ))
}

/// A time for tables, to the digit that matters.
pub(crate) fn seconds(time: Duration) -> String {
    crate::units::Human(time).to_string()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    #[command(args_override_self = true)]
    struct Command {
        #[command(flatten)]
        args: CheckArgs,
    }

    fn parsed(words: &str) -> CheckArgs {
        let words = std::iter::once("check").chain(words.split(' '));
        Command::try_parse_from(words)
            .expect("a valid command line")
            .args
    }

    fn raft() -> Box<dyn System> {
        systems()
            .into_iter()
            .find(|system| system.name() == "raft")
            .expect("raft has a model")
    }

    #[test]
    fn a_bound_is_the_systems_unless_given() {
        let args = parsed("raft --crashes 3 --in-flight 4");
        let options = args.options(raft().as_ref()).expect("valid options");
        let usual = raft().default_bounds();
        assert_eq!(options.bounds.get(Limit::Crashes), 3);
        assert_eq!(options.bounds.get(Limit::InFlight), 4);
        assert_eq!(
            options.bounds.get(Limit::Elections),
            usual.get(Limit::Elections)
        );
        assert_eq!(options.granularity, Granularity::Staged);
    }

    #[test]
    fn wide_bounds_are_wider_and_still_give_way_to_what_is_given() {
        let raft = raft();
        let args = parsed("raft --bounds wide --elections 1");
        let bounds = args.bounds.bounds(raft.as_ref()).expect("valid bounds");
        assert_eq!(bounds, raft.wide_bounds().with(Limit::Elections, 1));
        assert_ne!(raft.wide_bounds(), raft.default_bounds());
        assert_eq!(
            args.repeat(raft.as_ref()),
            "tribunal check raft --bounds wide --elections 1"
        );
    }

    #[test]
    fn the_command_that_repeats_asks_the_same() {
        let raft = raft();
        let first = parsed(
            "raft --host atomic --nodes 4 --crashes 3 --set batch=1 --set batch=2 --timeout 3s --salt 7",
        );
        let words = first.repeat(raft.as_ref());
        let again = parsed(words.strip_prefix("tribunal check ").expect("the command"));
        assert_eq!(
            words,
            "tribunal check raft --host atomic --nodes 4 --crashes 3 --set batch=2 --salt 7"
        );
        let bounds = |args: &CheckArgs| args.options(raft.as_ref()).expect("valid options").bounds;
        assert_eq!(bounds(&first), bounds(&again));
    }

    #[test]
    fn what_there_is_not_is_refused_with_what_there_is() {
        for words in [
            "raft --bug no-such-bug",
            "raft --from nowhere",
            "raft --set no=1",
            "raft --set pre-vote=9",
            "raft --set batch=0",
            "raft --property nothing",
        ] {
            let error = parsed(words).options(raft().as_ref()).expect_err(words);
            assert!(
                error.downcast_ref::<crate::exit::Usage>().is_some(),
                "{words}: {error}"
            );
        }
        assert!(parse_setting("batch").is_err());
        assert!(parse_setting("batch=many").is_err());
    }
}
