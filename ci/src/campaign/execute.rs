//! One run, from its empty folder to its written verdict.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use tribunal_nemesis::schedule::Schedule;
use tribunal_nemesis::{FaultReport, node_name};

use super::conduct::{self, Record, Running};
use super::config::Campaign;
use super::folder::Folder;
use super::meter::Meter;
use super::progress::Progress;
use super::report::{Check, Phase, Report, conclude};
use super::{detection, history, judge};
use crate::interrupt::Interrupt;
use crate::output::shell_word;
use crate::systems;
use crate::units::Human;
use crate::workload::Judge;

/// A finished run.
pub struct Run {
    /// What was concluded.
    pub report: Report,
    /// The cluster, if it was to be left running.
    pub kept: Option<Kept>,
}

/// A cluster that outlives its verdict, though never its harness.
pub struct Kept {
    running: Running,
    record: Record,
}

/// Runs a campaign once.
pub async fn run(
    campaign: &Campaign,
    out: &Path,
    leave_running: bool,
    interrupt: Interrupt,
    began: Instant,
) -> anyhow::Result<Run> {
    let schedule = campaign.faults_of_run()?;
    let system = systems::start(&campaign.system, campaign.bug.as_deref(), campaign.tuning())?;
    campaign.check_abilities(&*system, &campaign.requested_faults(&schedule))?;
    campaign.check_crashes(&*system, &schedule)?;
    let folder = Folder::create(out, campaign)?;
    write(&folder.campaign(), &campaign.to_toml()?)?;
    write(&folder.schedule(), &schedule.to_json())?;
    let progress = Arc::new(Progress::new());
    progress.say(&format!(
        "{} with seed {} in {}",
        campaign.system,
        campaign.seed,
        folder.shown().display()
    ));
    let conducted =
        conduct::conduct(system, campaign, &schedule, &folder, &progress, interrupt).await;
    let (mut record, mut running) = conducted.inspect_err(|_| progress.finish())?;
    let running = match leave_running {
        true => {
            running.leave(&mut record);
            Some(running)
        }
        false => {
            running.stop(&mut record).await;
            None
        }
    };
    progress.phase("check");
    let check_began = Instant::now();
    let checks = checks(campaign, &schedule, &folder, &record).await;
    progress.finish();
    record.phases.push(("check", check_began.elapsed()));
    let report = summarize(campaign, &folder, &record, checks?, began);
    write(
        &folder.verdict(),
        &format!("{}\n", serde_json::to_string_pretty(&report)?),
    )?;
    let kept = running.map(|running| Kept { running, record });
    Ok(Run { report, kept })
}

impl Kept {
    /// Says where the nodes are, and keeps them until Ctrl-C.
    pub async fn until(mut self, interrupt: &mut Interrupt) {
        eprintln!("the cluster is left running until Ctrl-C; clients reach it at");
        for plan in self.running.plans() {
            eprintln!("  {} {}", node_name(plan.node), plan.client_listen);
        }
        interrupt.asked().await;
        self.running.stop(&mut self.record).await;
    }
}

/// Everything that is checked of a run.
async fn checks(
    campaign: &Campaign,
    schedule: &Schedule,
    folder: &Folder,
    record: &Record,
) -> anyhow::Result<Vec<Check>> {
    let mut checks = vec![match campaign.workload().judge {
        Judge::History(oracle) => history::check(oracle, campaign, folder).await?,
        Judge::Detection => detection::check(record, folder, campaign.nodes)?,
    }];
    judge::agree(record, &mut checks);
    checks.extend(judge::digest(record));
    checks.extend(judge::termination(record));
    checks.push(judge::crash(record, folder, campaign.nodes));
    checks.push(judge::activity(
        record,
        campaign,
        &campaign.requested_faults(schedule),
    ));
    Ok(checks)
}

fn summarize(
    campaign: &Campaign,
    folder: &Folder,
    record: &Record,
    checks: Vec<Check>,
    began: Instant,
) -> Report {
    let (verdict, reason) = conclude(&checks);
    let meter = record.trial.meter();
    let load = meter.phase("load").counts;
    let load_seconds = seconds_of(record, "load");
    // The history's clock starts when its file is made, the user's earlier.
    let offset = record
        .trial
        .recorder
        .started()
        .saturating_duration_since(began);
    Report {
        command: "run",
        verdict,
        reason,
        run: folder.shown().to_owned(),
        system: campaign.system.clone(),
        bug: campaign.bug.clone(),
        nodes: campaign.nodes,
        seed: campaign.seed,
        operations: meter.all(),
        faults: record.faults.clone(),
        checks,
        replay: format!("tribunal replay {}", shell_word(folder.shown())),
        seconds: began.elapsed().as_secs_f64(),
        seconds_to_first_operation: meter.first_ok().map(|at| (offset + at).as_secs_f64()),
        ok_per_second: if load_seconds > 0.0 {
            load.ok as f64 / load_seconds
        } else {
            0.0
        },
        seconds_without_ok_max: meter.longest_without_ok().as_secs_f64(),
        seconds_to_recover: record.recovered.map(|time| time.as_secs_f64()),
        phases: phases(record, &meter),
        by_operation: meter.operations(),
        by_fault: meter.conditions(),
        cpu: record.cpu,
        notes: notes(record),
    }
}

fn seconds_of(record: &Record, phase: &str) -> f64 {
    let mine = record.phases.iter().filter(|(name, _)| *name == phase);
    mine.map(|(_, length)| *length)
        .sum::<Duration>()
        .as_secs_f64()
}

fn phases(record: &Record, meter: &Meter) -> Vec<Phase> {
    let phases = record.phases.iter();
    phases
        .map(|(phase, length)| {
            let tally = meter.phase(phase);
            Phase {
                phase,
                seconds: length.as_secs_f64(),
                counts: tally.counts,
                availability: tally.availability(),
            }
        })
        .collect()
}

/// What is worth knowing and changes no verdict.
fn notes(record: &Record) -> Vec<String> {
    let mut notes = Vec::new();
    if record.interrupted {
        notes.push(
            "interrupted: no final reads, replicas not compared; judged is what was recorded"
                .to_owned(),
        );
    } else if record.digests == super::digests::Digests::NothingToCompare {
        notes.push(
            "replicas not compared: the nodes tell no digests, or there is one node".to_owned(),
        );
    }
    if record.stopped {
        notes.push("the load ended at the first violation".to_owned());
    }
    if let Some(online) = &record.online {
        let seen = match &online.violation {
            Some((key, event)) => format!("no order of key {key} is left at event {event}"),
            None => "an order was left at every event".to_owned(),
        };
        let ended = match &online.ended {
            None => String::new(),
            Some(expected) => format!("; the rest was not judged: expected {expected}"),
        };
        let given_up = match online.given_up {
            0 => String::new(),
            keys => format!("; {keys} keys were too hard for that"),
        };
        notes.push(format!(
            "judged while it was recorded: {seen}; {} ends of operations, at most {} behind{given_up}{ended}",
            online.judged,
            Human(online.lag)
        ));
    }
    let without = record.faults.iter().filter(|fault| !fault.effective);
    let why = |fault: &FaultReport| fault.reason.clone().unwrap_or("no evidence".to_owned());
    let without: Vec<(&FaultReport, String)> = without.map(|fault| (fault, why(fault))).collect();
    // A load that ended early leaves many.
    for faults in without.chunk_by(|(_, one), (_, next)| one == next) {
        let (fault, why) = &faults[0];
        let who = match faults.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} later ones"),
        };
        notes.push(format!(
            "fault {} ({}){who} did not take effect: {why}",
            fault.id, fault.fault
        ));
    }
    notes
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
}
