//! What a campaign is asked to do: flags, a campaign file, defaults.
//!
//! A field has one name and one spelling of its values, as a flag and in the
//! file. A flag outranks the file; [`Campaign`](super::Campaign) adds the
//! defaults.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;
use tribunal_nemesis::{CrashChoice, Cut, FaultKind, Shape};

use super::words::{Aim, Choice, List, Net, Paces};
use crate::exit::usage;
use crate::units::{Size, Time, whole};

/// Everything that can be asked of a campaign, each thing only if given.
#[derive(Args, Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Options {
    /// The system, where it comes from a file.
    #[arg(skip)]
    pub system: Option<String>,
    /// Run a wrong version of the system (see `tribunal list bugs`)
    #[arg(long, value_name = "NAME")]
    pub bug: Option<String>,
    /// How many nodes the cluster has [default: 5]
    #[arg(long, short = 'n', value_name = "N", value_parser = whole(1..=NODES_MAX))]
    pub nodes: Option<u8>,
    /// What clients ask (see `tribunal list workloads`) [default: the
    /// one that asks for what the system does]
    #[arg(long, short, value_name = "NAME", help_heading = "Clients")]
    pub workload: Option<String>,
    /// Which faults to inject (see `tribunal list faults`), or none [default: kill,pause,partition]
    #[arg(long, short, value_name = "LIST|none", help_heading = "Faults")]
    pub faults: Option<List<FaultKind>>,
    /// Inject exactly these faults, instead of drawing them from the seed
    #[arg(long, value_name = "FILE", help_heading = "Faults",
        conflicts_with_all = ["faults", "targets", "shapes", "cuts", "fault_interval", "fault_lasts", "quiet"])]
    pub schedule: Option<PathBuf>,
    /// Whom kill, pause and crash-at may hit: one, minority, majority, all; whoever has a role that the system's nodes have: leader, coordinator, prepared; for one kind of fault: kill:leader [default: any that there is]
    #[arg(long, value_name = "LIST", help_heading = "Faults")]
    pub targets: Option<List<Aim>>,
    /// How partitions divide: isolate-one, majority-minority, halves, bridge; by a role that the system's nodes have: isolate-leader, isolate-coordinator [default: any that there is]
    #[arg(long, value_name = "LIST", help_heading = "Faults")]
    pub shapes: Option<List<Shape>>,
    /// How partitions cut a link: hold, reset [default: any]
    #[arg(long, value_name = "LIST", help_heading = "Faults")]
    pub cuts: Option<List<Cut>>,
    /// After which outputs crash-at ends a node: send, answer, early-send, early-answer, persist, persist-asked; of one kind of message or record: send:vote-reply; exactly the third: persist:vote#3 [default: any]
    #[arg(long, value_name = "LIST", help_heading = "Faults")]
    pub crash_after: Option<List<CrashChoice>>,
    /// After at most so many such outputs, drawn where --crash-after does not say which [default: 32]
    #[arg(long, value_name = "N", value_parser = whole(1..=CRASH_WITHIN_MAX), help_heading = "Faults")]
    pub crash_within: Option<u32>,
    /// How long after the first of several targets of crash-at the others are taken with it [default: 0s]
    #[arg(long, value_name = "TIME", help_heading = "Faults")]
    pub crash_lag: Option<Time>,
    /// Mean time between the beginnings of two faults of a kind; for one kind: 2s,partition:5s [default: a fifth of the time, 1s to 10s]
    #[arg(long, value_name = "LIST", help_heading = "Faults")]
    pub fault_interval: Option<Paces>,
    /// Mean time that a fault lasts; for one kind: 1s,partition:3s [default: half of the interval]
    #[arg(long, value_name = "LIST", help_heading = "Faults")]
    pub fault_lasts: Option<Paces>,
    /// Time without faults before the end [default: a seventh of the time, at most 5s]
    #[arg(long, value_name = "TIME", help_heading = "Faults")]
    pub quiet: Option<Time>,
    /// How nodes are linked: proxy (stream proxies), or auto [default: auto]
    #[arg(long, value_name = "KIND", help_heading = "Faults")]
    pub net: Option<Net>,
    /// How long clients ask and faults strike [default: 20s]
    #[arg(long, short, value_name = "TIME")]
    pub time: Option<Time>,
    /// The seed of operations and faults [default: drawn, and printed]
    #[arg(long, short, value_name = "S", value_parser = whole(0..=SEED_MAX))]
    pub seed: Option<u64>,
    /// How many clients ask at the same time [default: twice the nodes]
    #[arg(long, short, value_name = "N", value_parser = whole(1..=CONCURRENCY_MAX), help_heading = "Clients")]
    pub concurrency: Option<u16>,
    /// How long a client waits before another one asks on beside it [default: 250ms]
    #[arg(long, value_name = "TIME", help_heading = "Clients")]
    pub patience: Option<Time>,
    /// How many operations a second all clients together aim at [default: 500]
    #[arg(long, value_name = "R", value_parser = positive, help_heading = "Clients")]
    pub rate: Option<f64>,
    /// How many keys are in use at the same time [default: 6; of
    /// transactions 12]
    #[arg(long, value_name = "N", value_parser = whole(1..=u16::MAX), help_heading = "Clients")]
    pub keys: Option<u16>,
    /// About how many operations a key serves until a new one replaces it [default: 300]
    #[arg(long, value_name = "N", value_parser = whole(1..=u32::MAX), help_heading = "Clients")]
    pub ops_per_key: Option<u32>,
    /// How long a client waits for one operation [default: 5s]
    #[arg(long, value_name = "TIME", help_heading = "Clients")]
    pub timeout: Option<Time>,
    /// Send an operation again while its outcome is not known, under the same session and serial
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "Clients")]
    pub retry: Option<bool>,
    /// Nodes' patience with a silent leader, drawn from this to twice this [default: the system's]
    #[arg(long, value_name = "TIME", help_heading = "Nodes")]
    pub election_timeout: Option<Time>,
    /// Time between a leader's signs of life [default: the system's]
    #[arg(long, value_name = "TIME", help_heading = "Nodes")]
    pub heartbeat: Option<Time>,
    /// Slow every node's disk down by this much a write [default: 0s]
    #[arg(long, value_name = "TIME", help_heading = "Nodes")]
    pub disk_delay: Option<Time>,
    /// Slow it down more now and then: by up to this much, drawn for each write [default: 0s]
    #[arg(long, value_name = "TIME", help_heading = "Nodes")]
    pub disk_jitter: Option<Time>,
    /// Record what every node does, for `tribunal verify RUN --trace`
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "Judging")]
    pub trace: Option<bool>,
    /// Nodes compact their logs by themselves after so many entries [default: the system's]
    #[arg(long, value_name = "N", value_parser = whole(1..=COMPACT_AFTER_MAX), help_heading = "Nodes")]
    pub compact_after: Option<u32>,
    /// Choose something of the system's own (see `tribunal list settings`)
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Nodes")]
    pub set: Option<Vec<Choice>>,
    /// End the load as soon as the operations so far have no order, which is judged while they are recorded
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "Judging")]
    pub stop_on_invalid: Option<bool>,
    /// How long one checker may take [default: 2m]
    #[arg(long, value_name = "TIME", help_heading = "Judging")]
    pub check_timeout: Option<Time>,
    /// How much memory one checker may take [default: 2GiB]
    #[arg(long, value_name = "SIZE", help_heading = "Judging")]
    pub check_memory: Option<Size>,
}

/// The largest cluster: links are one for every ordered pair of nodes.
const NODES_MAX: u8 = 64;

/// The greatest number of clients that ask at the same time.
const CONCURRENCY_MAX: u16 = 1024;

/// The greatest number of outputs that are drawn from.
const CRASH_WITHIN_MAX: u32 = 32;

/// The most entries that a node may be told to let its log grow by.
const COMPACT_AFTER_MAX: u32 = u32::MAX;

/// The greatest seed: TOML has no greater number.
pub const SEED_MAX: u64 = i64::MAX as u64;

fn positive(text: &str) -> Result<f64, String> {
    let number = text
        .parse()
        .ok()
        .filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
    number.ok_or_else(|| format!("expected a number above 0, not `{text}`"))
}

impl Options {
    /// Reads a campaign file. Paths in it are relative to its own folder.
    pub fn read(path: &Path) -> anyhow::Result<Options> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| usage(format!("{}: {error}", path.display())))?;
        let mut options = Options::parse(&text, path)?;
        if let Err((field, why)) = options.check() {
            let (line, column) = place_of(&text, field);
            return Err(usage(format!("{}:{line}:{column}: {why}", path.display())));
        }
        if let (Some(schedule), Some(folder)) = (&mut options.schedule, path.parent()) {
            *schedule = folder.join(&*schedule);
        }
        Ok(options)
    }

    fn parse(text: &str, path: &Path) -> anyhow::Result<Options> {
        toml::from_str(text).map_err(|error| {
            let (line, column) = line_and_column(text, error.span().map_or(0, |span| span.start));
            let message = error.message().replace('\n', " ");
            usage(format!("{}:{line}:{column}: {message}", path.display()))
        })
    }

    /// Looks at each field alone: what flags are refused for while they are
    /// parsed. The field that is wrong, and why.
    fn check(&self) -> Result<(), (&'static str, String)> {
        let within = |field, most: u32, given: Option<u32>| match given {
            Some(number) if number == 0 || number > most => Err((
                field,
                format!("expected `{field}` to be from 1 to {most}, not {number}"),
            )),
            _ => Ok(()),
        };
        within("nodes", NODES_MAX.into(), self.nodes.map(u32::from))?;
        let clients = self.concurrency.map(u32::from);
        within("concurrency", CONCURRENCY_MAX.into(), clients)?;
        within("keys", u16::MAX.into(), self.keys.map(u32::from))?;
        within("ops-per-key", u32::MAX, self.ops_per_key)?;
        within("compact-after", COMPACT_AFTER_MAX, self.compact_after)?;
        within("crash-within", CRASH_WITHIN_MAX, self.crash_within)?;
        match self.rate {
            Some(rate) => positive(&rate.to_string())
                .map(drop)
                .map_err(|why| ("rate", why)),
            None => Ok(()),
        }
    }

    /// A file's fields without those that these flags make void: its schedule,
    /// where a flag is about the faults to draw, and what it says of faults
    /// that there will not be, where a flag says which there will.
    pub fn outrank(&self, mut file: Options) -> Options {
        let draws = self.faults.is_some()
            || self.targets.is_some()
            || self.shapes.is_some()
            || self.cuts.is_some()
            || self.crash_after.is_some()
            || self.crash_within.is_some()
            || self.crash_lag.is_some()
            || self.fault_interval.is_some()
            || self.fault_lasts.is_some()
            || self.quiet.is_some();
        if draws {
            file.schedule = None;
        }
        match &self.faults {
            Some(faults) => file.aimed_at(faults),
            None => file,
        }
    }

    /// Without what is about other faults than these.
    fn aimed_at(mut self, faults: &List<FaultKind>) -> Options {
        let asked = |kind| faults.0.contains(&kind);
        if let Some(aims) = &mut self.targets {
            aims.0
                .retain(|aim| aim.kinds().iter().any(|kind| asked(*kind)));
        }
        self.targets = self.targets.filter(|aims| !aims.0.is_empty());
        self.shapes = self.shapes.filter(|_| asked(FaultKind::Partition));
        self.cuts = self.cuts.filter(|_| asked(FaultKind::Partition));
        self.crash_after = self.crash_after.filter(|_| asked(FaultKind::CrashAt));
        self.crash_within = self.crash_within.filter(|_| asked(FaultKind::CrashAt));
        self.crash_lag = self.crash_lag.filter(|_| asked(FaultKind::CrashAt));
        let any = !faults.0.is_empty();
        let of_asked =
            |paces: Paces| Some(paces.about(&faults.0)).filter(|paces| !paces.0.is_empty());
        self.fault_interval = self.fault_interval.and_then(of_asked);
        self.fault_lasts = self.fault_lasts.and_then(of_asked);
        self.quiet = self.quiet.filter(|_| any);
        self
    }

    /// These, and where one is not given, that of `other`.
    pub fn or(self, other: Options) -> Options {
        Options {
            system: self.system.or(other.system),
            bug: self.bug.or(other.bug),
            nodes: self.nodes.or(other.nodes),
            workload: self.workload.or(other.workload),
            faults: self.faults.or(other.faults),
            schedule: self.schedule.or(other.schedule),
            targets: self.targets.or(other.targets),
            shapes: self.shapes.or(other.shapes),
            cuts: self.cuts.or(other.cuts),
            crash_after: self.crash_after.or(other.crash_after),
            crash_within: self.crash_within.or(other.crash_within),
            crash_lag: self.crash_lag.or(other.crash_lag),
            fault_interval: self.fault_interval.or(other.fault_interval),
            fault_lasts: self.fault_lasts.or(other.fault_lasts),
            quiet: self.quiet.or(other.quiet),
            net: self.net.or(other.net),
            time: self.time.or(other.time),
            seed: self.seed.or(other.seed),
            concurrency: self.concurrency.or(other.concurrency),
            patience: self.patience.or(other.patience),
            rate: self.rate.or(other.rate),
            keys: self.keys.or(other.keys),
            ops_per_key: self.ops_per_key.or(other.ops_per_key),
            timeout: self.timeout.or(other.timeout),
            retry: self.retry.or(other.retry),
            election_timeout: self.election_timeout.or(other.election_timeout),
            heartbeat: self.heartbeat.or(other.heartbeat),
            disk_delay: self.disk_delay.or(other.disk_delay),
            disk_jitter: self.disk_jitter.or(other.disk_jitter),
            trace: self.trace.or(other.trace),
            compact_after: self.compact_after.or(other.compact_after),
            set: self.set.or(other.set),
            stop_on_invalid: self.stop_on_invalid.or(other.stop_on_invalid),
            check_timeout: self.check_timeout.or(other.check_timeout),
            check_memory: self.check_memory.or(other.check_memory),
        }
    }
}

/// Line and column, from 1, of a place in a text.
fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at.min(text.len())];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}

/// Line and column, from 1, of a field in a file that has it.
fn place_of(text: &str, field: &str) -> (usize, usize) {
    let is_it = |line: &&str| {
        let rest = line.trim_start().strip_prefix(field);
        rest.is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let at = text.lines().position(|line| is_it(&line)).unwrap_or(0);
    let line = text.lines().nth(at).unwrap_or_default();
    (at + 1, line.len() - line.trim_start().len() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Options::parse(text, Path::new("campaign.toml"))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_mistake_in_a_file_is_shown_where_it_stands() {
        let error = refused("nodes = 3\ntime = \"abc\"\n");
        assert!(
            error.starts_with("campaign.toml:2:8: expected a duration"),
            "{error}"
        );
        let error = refused("system = \"raft\"\nflood = true\n");
        assert!(
            error.starts_with("campaign.toml:2:1: unknown field `flood`"),
            "{error}"
        );
        let error = refused("faults = [\"kill\", \"flood\"]\n");
        assert!(error.starts_with("campaign.toml:1:"), "{error}");
        assert!(error.contains("kill, pause, partition"), "{error}");
    }

    #[test]
    fn a_number_out_of_range_is_shown_where_it_stands() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "time = \"5s\"\nnodes = 0\n").unwrap();
        let error = Options::read(file.path()).unwrap_err().to_string();
        assert!(
            error.ends_with(":2:1: expected `nodes` to be from 1 to 64, not 0"),
            "{error}"
        );
    }

    #[test]
    fn a_flag_outranks_the_file() {
        let file = Options::parse("nodes = 3\nretry = true\n", Path::new("c.toml")).unwrap();
        let flags = Options {
            nodes: Some(7),
            ..Options::default()
        };
        let both = flags.or(file);
        assert_eq!((both.nodes, both.retry), (Some(7), Some(true)));
    }

    #[test]
    fn a_flag_for_other_faults_leaves_out_what_the_file_says_of_its_own() {
        let file = Options {
            faults: Some("kill,partition".parse().unwrap()),
            targets: Some("kill:leader".parse().unwrap()),
            cuts: Some("hold".parse().unwrap()),
            quiet: Some("1s".parse().unwrap()),
            schedule: Some("schedule.json".into()),
            ..Options::default()
        };
        let outranked = |faults: &str| {
            let flags = Options {
                faults: Some(faults.parse().unwrap()),
                ..Options::default()
            };
            flags.outrank(file.clone())
        };
        let partition = outranked("partition");
        assert_eq!((partition.targets, partition.schedule), (None, None));
        assert_eq!(
            (partition.cuts, partition.quiet),
            (file.cuts.clone(), file.quiet)
        );
        let none = outranked("none");
        assert_eq!((none.cuts, none.quiet), (None, None));
    }
}
