//! The command line: what can be typed, and which module does it.
//!
//! Each command is a module with its flags as a `clap::Args` and a function
//! `run(args, format) -> anyhow::Result<Conclusion>`. It writes its result with
//! [`output::emit`](crate::output::emit), returns [`exit::usage`] errors for
//! what the user can mend, and any other error for a harness failure.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::exit::{self, Conclusion};
use crate::output::{self, Format};
use crate::{campaign, check, convert, list, node, simulate, verify};

/// Puts a distributed system on trial: checks every reachable state of a
/// bounded cluster, runs the same code as real processes under faults, and
/// judges what the clients saw.
///
/// Exit codes: 0 valid, 1 invalid, 2 unknown, 254 usage, configuration or
/// unreadable input, 255 the harness itself failed.
#[derive(Parser, Debug)]
#[command(
    name = "tribunal",
    version,
    args_override_self = true,
    max_term_width = 100
)]
#[command(infer_long_args = false, disable_help_subcommand = true)]
pub struct Cli {
    /// What to print: tables, or one JSON object on stdout
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub format: Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// List what there is: systems, bugs, faults, workloads, …
    List(list::ListArgs),
    /// Check every reachable state of a bounded cluster
    Check(Box<check::CheckArgs>),
    /// Run seeds of a larger cluster in virtual time, under drawn faults
    Simulate(simulate::SimulateArgs),
    /// Run a system as real processes under faults and judge what its clients saw
    Run(Box<campaign::RunArgs>),
    /// Judge recorded histories: files, or run folders
    Verify(Box<verify::VerifyArgs>),
    /// Write a recorded history in another format
    Convert(convert::ConvertArgs),
    /// Run the campaign of a run's folder again: same seed, same schedule
    Replay(campaign::ReplayArgs),
    /// Be one node of a cluster (started by `run`)
    #[command(hide = true)]
    Node(Box<node::NodeOptions>),
}

/// Reads the command line, does what it says, and returns the exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return explain(&error),
    };
    if let Command::Node(options) = &cli.command {
        return node::run(options);
    }
    listen_to_warnings();
    match cli.run() {
        Ok(conclusion) => conclusion.into(),
        Err(error) => exit::failed(&error),
    }
}

/// What the values of flags for quantities are called in the help.
const QUANTITIES: [&str; 6] = ["N", "R", "S", "TIME", "SIZE", "MS"];

impl Cli {
    /// Reads a command line.
    ///
    /// A flag for a quantity takes what follows it even if it is `-1`: clap
    /// would take that for a flag of its own, and advise to write `-- -1`.
    fn read(words: impl IntoIterator<Item = impl Into<OsString>>) -> Result<Cli, clap::Error> {
        let words: Vec<OsString> = words.into_iter().map(Into::into).collect();
        // Not where there is none: a flag without its value would take the
        // next flag for it.
        let negative = words.iter().any(|word| is_negative(word));
        let is_quantity = |arg: &clap::Arg| {
            let name = arg.get_value_names().and_then(|names| names.first());
            name.is_some_and(|name| QUANTITIES.contains(&name.as_str()))
        };
        let command = Cli::command().mut_subcommands(|command| {
            command.mut_args(|arg| {
                let quantity = is_quantity(&arg);
                arg.allow_hyphen_values(quantity && negative)
            })
        });
        Cli::from_arg_matches(&command.try_get_matches_from(words)?)
    }

    fn run(self) -> anyhow::Result<Conclusion> {
        match self.command {
            Command::List(args) => list::run(&args, self.format),
            Command::Check(args) => check::run(*args, self.format),
            Command::Simulate(args) => simulate::run(&args, self.format),
            Command::Run(args) => campaign::run(*args, self.format),
            Command::Verify(args) => verify::run(*args, self.format),
            Command::Convert(args) => convert::run(args, self.format),
            Command::Replay(args) => campaign::replay(args, self.format),
            Command::Node(_) => unreachable!("a node has its own exit codes, and was run before"),
        }
    }
}

/// Whether a word is a number below zero, with a unit or without.
fn is_negative(word: &OsStr) -> bool {
    let digits = word.to_str().and_then(|word| word.strip_prefix('-'));
    digits.is_some_and(|digits| digits.starts_with(|c: char| c.is_ascii_digit() || c == '.'))
}

/// Shows warnings of our own libraries on stderr; `TRIBUNAL_LOG` asks for more.
fn listen_to_warnings() {
    let filter = EnvFilter::try_from_env("TRIBUNAL_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
}

/// Help goes to stdout and is no error; anything else is one, in few lines.
fn explain(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            match output::line(error.render().to_string().trim_end()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::from(exit::HARNESS),
            }
        }
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            eprintln!(
                "error: expected a command: list, check, simulate, run, verify, convert or replay; see --help"
            );
            ExitCode::from(exit::USAGE)
        }
        _ => {
            eprintln!("{}", exit::first_lines(&error.render().to_string(), 7));
            ExitCode::from(exit::USAGE)
        }
    }
}

#[cfg(test)]
mod tests {
    use tribunal_protocol::bugs::Bug;

    use super::*;
    use crate::systems;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn of_a_flag_given_twice_the_last_counts() {
        let cli = Cli::read([
            "tribunal", "run", "raft", "--format", "json", "--nodes", "3", "--nodes", "7",
            "--format", "human",
        ]);
        let cli = cli.unwrap();
        assert_eq!(cli.format, Format::Human);
        let Command::Run(args) = cli.command else {
            panic!("not `run`")
        };
        assert_eq!(args.options.nodes, Some(7));
    }

    #[test]
    fn a_quantity_below_zero_is_refused_for_what_it_is() {
        for (flag, value) in [("--nodes", "-1"), ("--time", "-5s"), ("--rate", "-0.5")] {
            let error = Cli::read(["tribunal", "run", "raft", flag, value]).unwrap_err();
            let text = error.to_string();
            let why = format!("invalid value '{value}' for '{flag}");
            assert!(text.contains(&why) && !text.contains("-- -"), "{text}");
        }
        let error = Cli::read(["tribunal", "run", "raft", "--nodes", "--seed", "3"]).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("a value is required for '--nodes")
        );
    }

    #[test]
    fn what_the_catalogue_says_shows_a_wrong_version_can_be_typed() {
        let words = |command: &'static str, system: &'static str, bug: &Bug| {
            let args = match command {
                "check" => bug.check_args,
                _ => bug.run_args,
            };
            let first = ["tribunal", command, system, "--bug", bug.name];
            Cli::read(first.iter().chain(args)).unwrap_or_else(|error| panic!("{error}"))
        };
        let entries = systems::all();
        let rows = || {
            entries
                .iter()
                .flat_map(|system| system.bugs.iter().map(move |bug| (system, bug)))
        };
        let (mut checked, mut run) = (0, 0);
        let is_built = |bug: &Bug| !bug.hosts.is_empty();
        for (system, bug) in rows().filter(|(system, bug)| system.checks && is_built(bug)) {
            let Command::Check(args) = words("check", system.name, bug).command else {
                panic!("not `check`")
            };
            let models = tribunal_models::systems();
            let model = models.iter().find(|model| model.name() == system.name);
            if let Err(error) = args.options(model.expect("it has a model").as_ref()) {
                panic!("{}: {error}", bug.name);
            }
            checked += 1;
        }
        let can_run = |bug: &Bug| bug.hosts.contains(&"run") || !bug.run_args.is_empty();
        for (system, bug) in rows().filter(|(system, bug)| system.runs.is_some() && can_run(bug)) {
            let Command::Run(args) = words("run", system.name, bug).command else {
                panic!("not `run`")
            };
            let drawn = args
                .campaign()
                .and_then(|campaign| campaign.faults_of_run());
            if let Err(error) = drawn {
                panic!("{}: {error:#}", bug.name);
            }
            run += 1;
        }
        assert!(
            checked >= 12 && run >= 5,
            "{checked} to check, {run} to run"
        );
    }
}
