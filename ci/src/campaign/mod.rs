//! Campaigns: a system as real processes, a workload, faults, a verdict.
//!
//! | module | holds |
//! |---|---|
//! | [`online`] | judging what is recorded meanwhile |
//! | [`options`], [`words`], [`config`], [`sense`] | what was asked, what that resolves to, what is refused |
//! | [`folder`] | a run's folder |
//! | [`execute`], [`conduct`] | one run: from folder to verdict; from start to stop |
//! | [`cluster`], [`trial`], [`load`] | nodes and links; one operation; workers |
//! | [`digests`], [`judge`], [`history`], [`detection`], [`doubts`] | comparing replicas; checkers |
//! | [`meter`], [`progress`], [`cpu`] | figures, while it runs and after |
//! | [`report`], [`table`] | what was concluded, as data and for people |
//!
//! Nothing here may tell a built-in system from anybody else's: systems are
//! seen through `tribunal_impls::adapter` alone, faults through
//! `tribunal_nemesis`.

mod cluster;
mod conduct;
pub mod config;
mod cpu;
pub mod detection;
mod digests;
mod doubts;
mod execute;
pub mod folder;
pub mod history;
mod judge;
mod load;
mod meter;
mod online;
mod options;
mod progress;
mod report;
mod sense;
mod table;
mod trial;
mod words;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use crate::exit::{Conclusion, usage};
use crate::interrupt::Interrupt;
use crate::output::{self, Format};
use crate::units::whole;
use config::Campaign;
use folder::{CAMPAIGN, no_run};
use options::{Options, SEED_MAX};
use report::Report;
pub use words::Choice;

/// Where runs are kept if nothing else is said; ignored by git.
const OUT: &str = "tribunal-runs";

/// Threads of the harness: the cluster needs the rest of the machine.
const THREADS: usize = 2;

/// `tribunal run`.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// The system to run (see `tribunal list systems`)
    pub system: Option<String>,
    #[command(flatten)]
    pub options: Options,
    /// Read the campaign from a file; flags outrank it
    #[arg(long, value_name = "FILE")]
    pub campaign: Option<PathBuf>,
    /// The folder that keeps the folders of runs
    #[arg(long, short, value_name = "DIR", default_value = OUT)]
    pub out: PathBuf,
    /// Run the campaign N times, with seeds counted up from the first
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = whole(1..=u32::MAX))]
    pub test_count: u32,
    /// Keep the cluster up after the verdict, until Ctrl-C
    #[arg(long)]
    pub leave_running: bool,
}

/// `tribunal replay`.
#[derive(Args, Debug)]
pub struct ReplayArgs {
    /// The folder of a run
    pub run: PathBuf,
    /// The folder that keeps the folders of runs [default: where the run's is]
    #[arg(long, short, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Several runs of one campaign, for `--format json`.
#[derive(Serialize)]
struct Series<'a> {
    command: &'static str,
    verdict: Conclusion,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    seconds: f64,
    runs: &'a [Report],
}

impl RunArgs {
    /// The campaign that flags and file ask for.
    pub fn campaign(&self) -> anyhow::Result<Campaign> {
        let from_file = self.campaign.as_deref().map(Options::read).transpose()?;
        let flags = Options {
            system: self.system.clone(),
            ..self.options.clone()
        };
        let from_file = flags.outrank(from_file.unwrap_or_default());
        Campaign::resolve(flags.or(from_file))
    }
}

/// Runs a campaign, once or several times.
pub fn run(args: RunArgs, format: Format) -> anyhow::Result<Conclusion> {
    let began = Instant::now();
    let campaign = args.campaign()?;
    if args.test_count == 1 {
        return run_and_show(&campaign, &args.out, args.leave_running, format, began);
    }
    if args.leave_running {
        return Err(usage(
            "expected --leave-running with one run only, not with --test-count",
        ));
    }
    run_series(&campaign, &args.out, args.test_count, format, began)
}

/// Runs the campaign of a run's folder again.
pub fn replay(args: ReplayArgs, format: Format) -> anyhow::Result<Conclusion> {
    let began = Instant::now();
    let campaign = recorded(&args.run, "replay")?;
    let beside = || {
        let real = args.run.canonicalize().ok()?;
        Some(real.parent()?.to_owned())
    };
    let out = args
        .out
        .clone()
        .or_else(beside)
        .unwrap_or_else(|| OUT.into());
    run_and_show(&campaign, &out, false, format, began)
}

/// The campaign of a run's folder, which `command` needs.
pub fn recorded(run: &Path, command: &str) -> anyhow::Result<Campaign> {
    if !run.is_dir() {
        return Err(usage(format!(
            "{}: expected the folder of a run",
            run.display()
        )));
    }
    let asked = run.join(CAMPAIGN);
    if !asked.exists() {
        return Err(no_run(run, CAMPAIGN, command));
    }
    Campaign::resolve(Options::read(&asked)?)
}

fn run_and_show(
    campaign: &Campaign,
    out: &Path,
    leave_running: bool,
    format: Format,
    began: Instant,
) -> anyhow::Result<Conclusion> {
    runtime()?.block_on(async {
        let mut interrupt = listen()?;
        let run = execute::run(campaign, out, leave_running, interrupt.clone(), began).await?;
        output::emit(format, &run.report, || table::show(&run.report))?;
        if run.report.verdict == Conclusion::Valid {
            campaign.note_what_shows()?;
        }
        if let Some(kept) = run.kept {
            kept.until(&mut interrupt).await;
        }
        Ok(run.report.verdict)
    })
}

/// Runs the campaign with seeds counted up from its own; the worst verdict is
/// that of all.
fn run_series(
    campaign: &Campaign,
    out: &Path,
    count: u32,
    format: Format,
    began: Instant,
) -> anyhow::Result<Conclusion> {
    let runtime = runtime()?;
    let reports = runtime.block_on(async {
        let interrupt = listen()?;
        let mut reports: Vec<Report> = Vec::new();
        for number in 0..count {
            let seed = campaign.seed.wrapping_add(number.into()) & SEED_MAX;
            let campaign = Campaign {
                seed,
                ..campaign.clone()
            };
            eprintln!("run {} of {count}, seed {seed}", number + 1);
            let run =
                execute::run(&campaign, out, false, interrupt.clone(), Instant::now()).await?;
            eprintln!("run {} of {count}: {}", number + 1, run.report.verdict);
            reports.push(run.report);
            if interrupt.is_asked() {
                break;
            }
        }
        anyhow::Ok(reports)
    })?;
    let verdict = reports
        .iter()
        .map(|report| report.verdict)
        .max()
        .unwrap_or(Conclusion::Unknown);
    let reasons = reports
        .iter()
        .filter_map(|report| Some(format!("seed {}: {}", report.seed, report.reason.as_ref()?)));
    let reason = reasons.collect::<Vec<_>>().join("; ");
    let series = Series {
        command: "run",
        verdict,
        reason: (verdict == Conclusion::Unknown).then_some(reason),
        seconds: began.elapsed().as_secs_f64(),
        runs: &reports,
    };
    output::emit(format, &series, || table::show_series(&reports))?;
    Ok(verdict)
}

fn listen() -> anyhow::Result<Interrupt> {
    let first = "healing, stopping and judging what was recorded";
    let second = "; `tribunal verify` judges the history";
    Interrupt::listen(first, second).context("listen for Ctrl-C")
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .context("start the runtime")
}
