//! A campaign with nothing left open.

use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use tribunal_impls::systems::Tuning;
use tribunal_nemesis::schedule::{self, Schedule, ScheduleError, ScheduleOptions};
use tribunal_nemesis::{CrashChoice, Cut, FaultKind, Role, Shape};

use super::options::Options;
use super::sense;
use super::words::{Aim, Choice, List, Net, Paces};
use crate::exit::usage;
use crate::names;
use crate::oracle::Oracle;
use crate::systems;
use crate::units::{Size, Time};
use crate::workload::{self, Judge, Shape as WorkloadShape, WORKLOADS};

/// The stream of randomness that workloads draw from.
const WORKLOAD_STREAM: u64 = 0x776f_726b_6c6f_6164;

/// A campaign, fully resolved. Serialized, it is a campaign file.
///
/// It holds no "if not given" any more, and is what a run's folder keeps, so
/// that a replay cannot depend on the defaults of its day. The fields are those
/// of [`Options`], which says what each one is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Campaign {
    pub system: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bug: Option<String>,
    pub nodes: u8,
    pub workload: String,
    pub faults: List<FaultKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<List<Aim>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shapes: Option<List<Shape>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cuts: Option<List<Cut>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crash_after: Option<List<CrashChoice>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crash_within: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crash_lag: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault_interval: Option<Paces>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault_lasts: Option<Paces>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet: Option<Time>,
    pub net: Net,
    pub time: Time,
    pub seed: u64,
    pub concurrency: u16,
    pub patience: Time,
    pub rate: f64,
    pub keys: u16,
    pub ops_per_key: u32,
    pub timeout: Time,
    pub retry: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub election_timeout: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_delay: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_jitter: Option<Time>,
    pub trace: bool,
    pub compact_after: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<Choice>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stop_on_invalid: bool,
    pub check_timeout: Time,
    pub check_memory: Size,
}

impl Campaign {
    /// Fills in the defaults, and refuses what cannot be run.
    pub fn resolve(options: Options) -> anyhow::Result<Campaign> {
        let Some(system) = options.system else {
            return Err(usage("expected a system, such as `tribunal run raft`"));
        };
        let entry = systems::runnable(&system)?;
        let bug = options.bug.as_ref().map(|bug| entry.bug(bug)).transpose()?;
        let usual = entry.runs.map_or(WORKLOADS[0].name, |runs| runs.workload);
        let workload = options.workload.unwrap_or_else(|| usual.to_owned());
        let asked = names::find("workload", &workload, WORKLOADS, |entry| entry.name)?;
        let kind = WORKLOADS.iter().find(|entry| entry.name == usual);
        if kind.map(|entry| entry.asks) != Some(asked.asks) {
            let answers = WORKLOADS.iter();
            let answers = answers.filter(|entry| kind.is_some_and(|kind| kind.asks == entry.asks));
            let answers = List(answers.map(|entry| entry.name).collect());
            return Err(usage(format!(
                "{system} does not answer the workload {workload}; it answers {answers}"
            )));
        }
        let nodes = options.nodes.unwrap_or(5);
        let seconds = |seconds| Time(Duration::from_secs(seconds));
        let time = options.time.unwrap_or(Time(asked.usual.time));
        let paced = options.fault_interval.is_some() || options.fault_lasts.is_some();
        let faulty = options
            .faults
            .as_ref()
            .is_none_or(|faults| !faults.0.is_empty());
        let pace = asked.usual.faults.filter(|_| {
            faulty && !paced && options.schedule.is_none() && time.0 >= asked.usual.time
        });
        let (interval, lasts) = pace
            .map(|(interval, lasts)| (Paces::of_all(interval), Paces::of_all(lasts)))
            .unzip();
        let campaign = Campaign {
            system,
            bug: options.bug,
            nodes,
            workload,
            faults: options
                .faults
                .unwrap_or_else(|| List(FaultKind::USUAL.to_vec())),
            schedule: options.schedule,
            targets: options.targets,
            shapes: options.shapes,
            cuts: options.cuts,
            crash_after: options.crash_after,
            crash_within: options.crash_within,
            crash_lag: options.crash_lag,
            fault_interval: options.fault_interval.or(interval),
            fault_lasts: options.fault_lasts.or(lasts),
            quiet: options.quiet,
            net: options.net.unwrap_or_default(),
            time,
            seed: options.seed.unwrap_or_else(draw_seed),
            concurrency: options.concurrency.unwrap_or(2 * u16::from(nodes)),
            patience: options.patience.unwrap_or(Time(Duration::from_millis(250))),
            rate: options.rate.unwrap_or(500.0),
            keys: options.keys.unwrap_or(asked.usual.keys),
            ops_per_key: options.ops_per_key.unwrap_or(300),
            timeout: options.timeout.unwrap_or(seconds(5)),
            retry: options.retry.unwrap_or(false),
            election_timeout: options.election_timeout,
            heartbeat: options.heartbeat,
            disk_delay: options.disk_delay,
            disk_jitter: options.disk_jitter,
            trace: options.trace.unwrap_or(false),
            compact_after: options.compact_after,
            set: options.set.unwrap_or_default(),
            stop_on_invalid: options.stop_on_invalid.unwrap_or(false),
            check_timeout: options.check_timeout.unwrap_or(seconds(120)),
            check_memory: options.check_memory.unwrap_or(Size(2 << 30)),
        };
        campaign.check_times()?;
        let is_order = matches!(asked.judge, Judge::History(Oracle::Order(_)));
        if campaign.stop_on_invalid && !is_order {
            let name = asked.judge.name();
            return Err(usage(format!(
                "--stop-on-invalid is about an order of operations, and {name} is judged when the run is over"
            )));
        }
        if let Some(built_in) = entry.runs {
            let settings = Choice::settings(&campaign.set);
            let spans = campaign.tuning().spans();
            let checked = built_in.check_settings(nodes, &settings, spans);
            checked.map_err(|why| usage(format!("--set: {why}")))?;
        }
        if campaign.schedule.is_none() {
            campaign.check_aims()?;
            campaign.check_roles(&campaign.roles())?;
        }
        if let Some(bug) = bug {
            names::note_where_shown(bug, "run");
        }
        Ok(campaign)
    }

    /// Says on stderr how the wrong version that went unnoticed is known to be
    /// shown, if it is one.
    pub fn note_what_shows(&self) -> anyhow::Result<()> {
        if let Some(name) = &self.bug {
            let bug = systems::runnable(&self.system)?.bug(name)?;
            names::note_what_shows("run", &self.system, bug, "run", bug.run_args);
        }
        Ok(())
    }

    /// The faults of the run: read from a file where one is named, otherwise
    /// drawn from the seed.
    pub fn faults_of_run(&self) -> anyhow::Result<Schedule> {
        if let Some(path) = &self.schedule {
            return self.read_schedule(path);
        }
        if self.faults.0.is_empty() {
            return Ok(Schedule {
                seed: self.seed,
                faults: Vec::new(),
            });
        }
        schedule::draw(self.seed, &self.schedule_options()).map_err(|error| {
            let mend = self.mend(&error);
            usage(format!("{error}{mend}")).context("draw a schedule")
        })
    }

    fn read_schedule(&self, path: &Path) -> anyhow::Result<Schedule> {
        let schedule = Schedule::load(path, self.nodes.into()).map_err(|error| match &error {
            ScheduleError::Io { source, .. } => usage(format!("{error}: {source}")),
            _ => usage(error.to_string()),
        })?;
        if schedule.end() > self.time.0 {
            let end = Time(schedule.end());
            return Err(usage(format!(
                "{}: the last fault is healed after {end}, but the load ends after {}; try --time {end}",
                path.display(),
                self.time
            )));
        }
        self.check_roles_scheduled(path, &schedule, &self.roles())?;
        Ok(schedule)
    }

    pub(super) fn schedule_options(&self) -> ScheduleOptions {
        let (faults, nodes) = (&self.faults.0, self.nodes.into());
        let mut options = ScheduleOptions::new(faults, &self.roles(), nodes, self.time.0);
        for aim in self.targets.iter().flat_map(|list| &list.0) {
            for kind in aim.kinds() {
                options.targets.entry(kind).or_default().push(aim.target);
            }
        }
        options.shapes = self.shapes.clone().map_or_else(Vec::new, |list| list.0);
        options.cuts = self.cuts.clone().map_or_else(Vec::new, |list| list.0);
        let after = self.crash_after.clone();
        options.crash_after = after.map_or_else(Vec::new, |list| list.0);
        options.crash_within = self.crash_within.map(u64::from);
        options.crash_lag = self.crash_lag.map_or(Duration::ZERO, |time| time.0);
        for paced in self.fault_interval.iter().flat_map(|paces| &paces.0) {
            match paced.fault {
                None => options.interval = Some(paced.time.0),
                Some(kind) => options.paces.entry(kind).or_default().0 = Some(paced.time.0),
            }
        }
        for paced in self.fault_lasts.iter().flat_map(|paces| &paces.0) {
            match paced.fault {
                None => options.lasts = Some(paced.time.0),
                Some(kind) => options.paces.entry(kind).or_default().1 = Some(paced.time.0),
            }
        }
        options.quiet = self.quiet.map(|time| time.0);
        options
    }

    /// The kinds of fault that must take effect for the run to mean something.
    pub fn requested_faults(&self, schedule: &Schedule) -> Vec<FaultKind> {
        match self.schedule {
            Some(_) => schedule.kinds(),
            None => self.faults.0.clone(),
        }
    }

    /// The roles that nodes of the system say they have.
    fn roles(&self) -> Vec<Role> {
        let served = systems::served(&self.system);
        let served = served.expect("the system was found when the campaign was resolved");
        sense::roles(served.capabilities)
    }

    /// The workload's entry.
    pub fn workload(&self) -> &'static workload::Entry {
        let named = WORKLOADS.iter().find(|entry| entry.name == self.workload);
        named.expect("the workload was found when the campaign was resolved")
    }

    /// How much the workload asks of which keys.
    pub fn workload_shape(&self) -> WorkloadShape {
        WorkloadShape {
            seed: self.seed ^ WORKLOAD_STREAM,
            nodes: self.nodes,
            workers: self.concurrency.into(),
            keys: self.keys.into(),
            operations_per_key: self.ops_per_key.into(),
        }
    }

    /// How nodes are tuned.
    pub fn tuning(&self) -> Tuning {
        let ms = |time: Option<Time>| Some(u64::try_from(time?.0.as_millis()).unwrap_or(u64::MAX));
        Tuning {
            seed: Some(self.seed),
            heartbeat_ms: ms(self.heartbeat),
            election_ms: ms(self.election_timeout),
            disk_delay_ms: ms(self.disk_delay),
            disk_jitter_ms: ms(self.disk_jitter),
            compact_after: self.compact_after.map(u64::from),
            settings: Choice::settings(&self.set),
            ..Tuning::default()
        }
    }

    /// How long a transaction may be in doubt until those in doubt have asked
    /// everybody, and asked again: an election timeout, drawn anew each time,
    /// and as much.
    pub fn blocked_after(&self) -> Duration {
        2 * self.tuning().spans().election
    }

    /// The text of a campaign file that asks for exactly this run, with its
    /// schedule beside it.
    pub fn to_toml(&self) -> anyhow::Result<String> {
        let kept = Campaign {
            schedule: Some(PathBuf::from("schedule.json")),
            ..self.clone()
        };
        let fields = toml::to_string(&kept).context("write the campaign as TOML")?;
        Ok(format!(
            "# One run, with nothing left open; `tribunal replay` runs it again.\n{fields}"
        ))
    }
}

/// A seed that nobody chose: short, since people type it again.
fn draw_seed() -> u64 {
    std::hash::RandomState::new().build_hasher().finish() % 1_000_000
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A campaign with all its defaults.
    pub fn campaign(system: &str, seed: u64) -> Campaign {
        Campaign::resolve(Options {
            system: Some(system.to_owned()),
            seed: Some(seed),
            ..Options::default()
        })
        .unwrap()
    }

    #[test]
    fn a_campaign_is_read_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("campaign.toml");
        let mut written = campaign("raft", 5);
        written.targets = Some(List(vec!["kill:leader".parse().unwrap()]));
        std::fs::write(&path, written.to_toml().unwrap()).unwrap();
        written.schedule = Some(folder.path().join("schedule.json"));
        assert_eq!(
            Campaign::resolve(Options::read(&path).unwrap()).unwrap(),
            written
        );
    }

    #[test]
    fn a_schedule_longer_than_the_load_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let schedule = campaign("raft", 5).faults_of_run().unwrap();
        std::fs::write(file.path(), schedule.to_json()).unwrap();
        let short = Campaign {
            time: Time(Duration::from_secs(2)),
            schedule: Some(file.path().to_owned()),
            ..campaign("raft", 5)
        };
        assert!(
            short
                .faults_of_run()
                .unwrap_err()
                .to_string()
                .contains("try --time")
        );
    }

    #[test]
    fn what_hits_a_role_is_drawn_only_where_the_system_has_it() {
        for system in ["raft", "paxos", "zab"] {
            let options = campaign(system, 5).schedule_options();
            assert_eq!(options.roles, [Role::Leader], "{system}");
        }
        for system in ["heartbeat", "observer", "accrual"] {
            let options = campaign(system, 5).schedule_options();
            assert_eq!(options.roles, [], "{system}");
        }
        let drawn = |system: &str| -> bool {
            let mut schedules = (0..20).map(|seed| campaign(system, seed).faults_of_run().unwrap());
            schedules.any(|schedule| schedule.to_json().contains("leader"))
        };
        assert!(drawn("raft") && !drawn("heartbeat"));
    }

    #[test]
    fn a_role_that_the_system_lacks_is_refused_up_front() {
        let asked = |system: &str, set: &dyn Fn(&mut Options)| {
            let mut options = Options {
                system: Some(system.to_owned()),
                ..Options::default()
            };
            set(&mut options);
            let drawn = Campaign::resolve(options).and_then(|campaign| campaign.faults_of_run());
            drawn.err().map(|error| error.to_string())
        };
        let targets = |words: &str| {
            let aims = words.parse().unwrap();
            move |options: &mut Options| options.targets = Some(Clone::clone(&aims))
        };
        assert_eq!(asked("raft", &targets("leader")), None);
        let error = asked("raft", &targets("coordinator")).unwrap();
        assert!(error.contains("no node of raft"), "{error}");
        let error = asked("heartbeat", &targets("kill:leader")).unwrap();
        assert!(error.contains("no node of heartbeat"), "{error}");
        let file = tempfile::NamedTempFile::new().unwrap();
        let fault = r#"{"faults": [{"at":"1s","for":"1s","fault":"kill","targets":"leader"}]}"#;
        std::fs::write(file.path(), fault).unwrap();
        let schedule = |options: &mut Options| options.schedule = Some(file.path().to_owned());
        assert_eq!(asked("raft", &schedule), None);
        let error = asked("heartbeat", &schedule).unwrap();
        assert!(error.contains("no node of heartbeat"), "{error}");
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let asked = |system: &str, bug: Option<&str>| {
            let options = Options {
                system: Some(system.to_owned()),
                bug: bug.map(str::to_owned),
                ..Options::default()
            };
            Campaign::resolve(options).unwrap_err().to_string()
        };
        assert!(asked("rafft", None).contains("did you mean `raft`?"));
        assert!(asked("raft", Some("no-such-bug")).contains("known: "));
    }
}
