//! `tribunal simulate`: seeded runs of a larger cluster in virtual time.
//!
//! | file | holds |
//! |---|---|
//! | `simulate.rs` | what can be asked, and the command that repeats it |
//! | `simulate/show.rs` | the answer, as tables and as JSON |

mod show;

use clap::Args;
use tribunal_models::registry::{System, systems};
use tribunal_models::simulate::{Progress, Report};
use tribunal_models::{Seeds, SimulateOptions};

use crate::check::explained;
use crate::exit::Conclusion;
use crate::interrupt::Interrupt;
use crate::names;
use crate::output::{self, Format};
use crate::progress::Line;
use crate::units::{Time, whole};

/// `tribunal simulate`.
#[derive(Args, Clone, Debug)]
pub struct SimulateArgs {
    /// The system (see `tribunal list systems`)
    pub system: String,
    /// Simulate a wrong version (see `tribunal list bugs`)
    #[arg(long, value_name = "NAME")]
    pub bug: Option<String>,
    /// Which seeds, both ends included; or a single one
    #[arg(long, value_name = "A..B", default_value = "1..1000", value_parser = parse_seeds)]
    pub seeds: Seeds,
    /// Give up after this time, as in 90s or 10m
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<Time>,
    /// How many threads run seeds; one for each core, if not given
    #[arg(long, value_name = "N", value_parser = whole(1..=u16::MAX))]
    pub threads: Option<u16>,
}

/// Simulates a system.
pub fn run(args: &SimulateArgs, format: Format) -> anyhow::Result<Conclusion> {
    let systems = systems();
    let what = "system to simulate";
    let system = names::find(what, &args.system, &systems, |system| system.name())?;
    let options = args.options(system.as_ref())?;
    let report = simulated(system.as_ref(), &options)?;
    let repeat = args.repeat(&report);
    let answer = show::answer(&report, &repeat);
    output::emit(format, &answer, || show::human(&report, &repeat))?;
    Ok(answer.verdict)
}

fn simulated(system: &dyn System, options: &SimulateOptions) -> anyhow::Result<Report> {
    let first = "the seeds that were run so far are judged";
    let (interrupt, _runtime) = Interrupt::listen_alone(first)?;
    let mut line = Line::new();
    let report = system.simulate(options, &mut |progress| {
        line.show(|| text(&progress));
        interrupt.flow()
    });
    line.finish();
    report.map_err(explained)
}

fn text(progress: &Progress) -> String {
    if progress.shortening {
        return "a seed failed; its path is made shorter".to_owned();
    }
    format!(
        "simulating: {} seeds, {:.0}/s; {} steps, {:.0}/s",
        progress.seeds, progress.seeds_per_second, progress.steps, progress.steps_per_second,
    )
}

impl SimulateArgs {
    fn options(&self, system: &dyn System) -> anyhow::Result<SimulateOptions> {
        if let Some(bug) = &self.bug {
            names::bug(system.name(), system.bugs(), bug)?;
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(SimulateOptions {
            bug: self.bug.clone(),
            seeds: self.seeds,
            timeout: self.timeout.map(|Time(timeout)| timeout),
            threads: self.threads.map_or(cores, usize::from),
        })
    }

    /// The command line that shows the same again: of a failing seed, that
    /// one alone.
    fn repeat(&self, report: &Report) -> String {
        let mut words = vec!["tribunal simulate".to_owned(), self.system.clone()];
        words.extend(self.bug.iter().map(|bug| format!("--bug {bug}")));
        let seeds = report.failing.as_ref().map_or(self.seeds, |failing| Seeds {
            first: failing.seed,
            last: failing.seed,
        });
        words.push(format!("--seeds {seeds}"));
        words.join(" ")
    }
}

fn parse_seeds(text: &str) -> Result<Seeds, String> {
    let wrong = || format!("expected seeds such as 1..200, or a single one, not `{text}`");
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| wrong());
    let seeds = Seeds {
        first: number(first)?,
        last: number(last)?,
    };
    match seeds.first <= seeds.last {
        true => Ok(seeds),
        false => Err(format!("expected the lower seed first, not `{text}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_range_or_one() {
        let read = |text| {
            parse_seeds(text)
                .ok()
                .map(|seeds| (seeds.first, seeds.last))
        };
        assert_eq!(read("1..200"), Some((1, 200)));
        assert_eq!(read("17"), Some((17, 17)));
        assert_eq!(read("0..18446744073709551615"), Some((0, u64::MAX)));
        for wrong in ["", "2..1", "..", "1..", "a..b", "-1..3", "1...3"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn seeds_are_shown_as_they_are_read() {
        for text in ["1..200", "17"] {
            assert_eq!(
                parse_seeds(text).map(|seeds| seeds.to_string()),
                Ok(text.to_owned())
            );
        }
    }
}
