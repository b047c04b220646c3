//! A campaign with nothing left open.

use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use tribunal_impls::systems::Tuning;
use tribunal_nemesis::schedule::{self, DrawError, Schedule, ScheduleError, ScheduleOptions};
use tribunal_nemesis::{Cut, FaultKind, Shape};

use super::options::Options;
use super::words::{Aim, List, Net};
use crate::exit::usage;
use crate::names;
use crate::systems;
use crate::units::{Size, Time};
use crate::workload::{self, Shape as WorkloadShape, WORKLOADS};

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
    pub fault_interval: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault_lasts: Option<Time>,
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
        if let Some(bug) = &options.bug {
            names::note_where_shown(entry.bug(bug)?, "run");
        }
        let workload = options
            .workload
            .unwrap_or_else(|| WORKLOADS[0].name.to_owned());
        names::find("workload", &workload, WORKLOADS, |entry| entry.name)?;
        let nodes = options.nodes.unwrap_or(5);
        let seconds = |seconds| Time(Duration::from_secs(seconds));
        let campaign = Campaign {
            system,
            bug: options.bug,
            nodes,
            workload,
            faults: options
                .faults
                .unwrap_or_else(|| List(FaultKind::ALL.to_vec())),
            schedule: options.schedule,
            targets: options.targets,
            shapes: options.shapes,
            cuts: options.cuts,
            fault_interval: options.fault_interval,
            fault_lasts: options.fault_lasts,
            quiet: options.quiet,
            net: options.net.unwrap_or_default(),
            time: options.time.unwrap_or(seconds(20)),
            seed: options.seed.unwrap_or_else(draw_seed),
            concurrency: options.concurrency.unwrap_or(2 * u16::from(nodes)),
            patience: options.patience.unwrap_or(Time(Duration::from_millis(250))),
            rate: options.rate.unwrap_or(500.0),
            keys: options.keys.unwrap_or(6),
            ops_per_key: options.ops_per_key.unwrap_or(300),
            timeout: options.timeout.unwrap_or(seconds(5)),
            retry: options.retry.unwrap_or(false),
            election_timeout: options.election_timeout,
            heartbeat: options.heartbeat,
            disk_delay: options.disk_delay,
            check_timeout: options.check_timeout.unwrap_or(seconds(120)),
            check_memory: options.check_memory.unwrap_or(Size(2 << 30)),
        };
        campaign.check_times()?;
        if campaign.schedule.is_none() {
            campaign.check_aims()?;
        }
        Ok(campaign)
    }

    /// Refuses times with which nothing could be asked, or no node would start.
    fn check_times(&self) -> anyhow::Result<()> {
        for (flag, time) in [("--time", self.time), ("--timeout", self.timeout)] {
            if time.0.is_zero() {
                return Err(usage(format!("expected {flag} to be more than 0")));
            }
        }
        let of_nodes = [
            ("--election-timeout", self.election_timeout),
            ("--heartbeat", self.heartbeat),
            ("--disk-delay", self.disk_delay),
        ];
        for (flag, time) in of_nodes {
            let fine = time.filter(|time| !time.0.subsec_nanos().is_multiple_of(1_000_000));
            if let Some(time) = fine {
                return Err(usage(format!(
                    "expected {flag} in whole milliseconds, not {time}"
                )));
            }
        }
        let spans = self.tuning().spans();
        spans.check().map_err(|why| {
            let (heartbeat, election) = (Time(spans.heartbeat), Time(spans.election));
            usage(format!(
                "no node would start with --heartbeat {heartbeat} --election-timeout {election}: \
                 {why}; try an election timeout of several heartbeats"
            ))
        })
    }

    /// Refuses what is said about faults that there will not be.
    fn check_aims(&self) -> anyhow::Result<()> {
        let partition = [FaultKind::Partition];
        if let Some(aims) = &self.targets {
            for aim in &aims.0 {
                self.check_aim(&format!("--targets {aim}"), &aim.kinds())?;
            }
        }
        if let Some(shapes) = &self.shapes {
            self.check_aim(&format!("--shapes {shapes}"), &partition)?;
        }
        if let Some(cuts) = &self.cuts {
            self.check_aim(&format!("--cuts {cuts}"), &partition)?;
        }
        let of_any = [
            ("--fault-interval", self.fault_interval),
            ("--fault-lasts", self.fault_lasts),
            ("--quiet", self.quiet),
        ];
        for (flag, time) in of_any {
            if let Some(time) = time {
                self.check_aim(&format!("{flag} {time}"), FaultKind::ALL)?;
            }
        }
        Ok(())
    }

    /// Refuses what is about none of the faults asked for.
    fn check_aim(&self, said: &str, about: &[FaultKind]) -> anyhow::Result<()> {
        let faults = &self.faults;
        if about.iter().any(|kind| faults.0.contains(kind)) {
            return Ok(());
        }
        let about = List(about.to_vec());
        let both = List([&faults.0[..], &about.0[..]].concat());
        Err(usage(format!(
            "{said} is about {about}, but the faults are {faults}; \
             try --faults {both}, or leave it out"
        )))
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

    /// What to type instead, where too few nodes are in the way.
    fn mend(&self, error: &DrawError) -> String {
        if !matches!(error, DrawError::NoTarget { .. }) {
            return String::new();
        }
        let fits = |kind: &FaultKind| {
            let mut options = self.schedule_options();
            options.faults = vec![*kind];
            let drawn = schedule::draw(self.seed, &options);
            !matches!(drawn, Err(DrawError::NoTarget { .. }))
        };
        let faults = List(self.faults.0.iter().copied().filter(fits).collect());
        format!("; try more nodes, or --faults {faults}")
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
        Ok(schedule)
    }

    fn schedule_options(&self) -> ScheduleOptions {
        let mut options = ScheduleOptions::new(&self.faults.0, self.nodes.into(), self.time.0);
        for aim in self.targets.iter().flat_map(|list| &list.0) {
            for kind in aim.kinds() {
                options.targets.entry(kind).or_default().push(aim.target);
            }
        }
        options.shapes = self.shapes.clone().map_or_else(Vec::new, |list| list.0);
        options.cuts = self.cuts.clone().map_or_else(Vec::new, |list| list.0);
        options.interval = self.fault_interval.map(|time| time.0);
        options.lasts = self.fault_lasts.map(|time| time.0);
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

    /// The workload's entry.
    pub fn workload(&self) -> &'static workload::Entry {
        let named = WORKLOADS.iter().find(|entry| entry.name == self.workload);
        named.expect("the workload was found when the campaign was resolved")
    }

    /// How much the workload asks of which keys.
    pub fn workload_shape(&self) -> WorkloadShape {
        WorkloadShape {
            seed: self.seed ^ WORKLOAD_STREAM,
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
            ..Tuning::default()
        }
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
    fn what_is_about_other_faults_is_refused_with_the_mend() {
        let said = |faults: &str, set: fn(&mut Options)| {
            let mut options = Options {
                system: Some("raft".to_owned()),
                faults: Some(faults.parse().unwrap()),
                ..Options::default()
            };
            set(&mut options);
            Campaign::resolve(options).map_err(|error| error.to_string())
        };
        let aim: fn(&mut Options) = |o| o.targets = Some("pause:leader".parse().unwrap());
        let error = said("kill,partition", aim).unwrap_err();
        let mend = "try --faults kill,partition,pause";
        assert!(error.contains(mend), "{error}");
        assert!(said("kill,pause", aim).is_ok());
        let any: fn(&mut Options) = |o| o.targets = Some("leader".parse().unwrap());
        assert!(said("partition", any).is_err());
        assert!(said("pause", any).is_ok());
        let cuts: fn(&mut Options) = |o| o.cuts = Some("hold".parse().unwrap());
        assert!(said("kill", cuts).is_err());
        assert!(said("kill,partition", cuts).is_ok());
        let pace: fn(&mut Options) = |o| o.quiet = Some("1s".parse().unwrap());
        assert!(said("none", pace).is_err());
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

    #[test]
    fn spans_that_no_node_takes_are_refused() {
        let refused = |election: &str, heartbeat: &str| {
            let options = Options {
                system: Some("raft".to_owned()),
                election_timeout: Some(election.parse().unwrap()),
                heartbeat: Some(heartbeat.parse().unwrap()),
                ..Options::default()
            };
            Campaign::resolve(options)
                .err()
                .map(|error| error.to_string())
        };
        assert!(refused("1ms", "10s").unwrap().contains("--heartbeat 10s"));
        assert!(refused("50ms", "50ms").is_some());
        assert!(refused("50ms", "0s").is_some());
        assert!(refused("50ms", "1500us").unwrap().contains("milliseconds"));
        assert_eq!(refused("51ms", "50ms"), None);
    }

    #[test]
    fn too_few_nodes_for_a_fault_are_refused_with_the_faults_that_fit() {
        let alone = Campaign {
            nodes: 1,
            ..campaign("raft", 5)
        };
        let error = format!("{:#}", alone.faults_of_run().unwrap_err());
        assert!(
            error.ends_with("try more nodes, or --faults kill,pause"),
            "{error}"
        );
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
