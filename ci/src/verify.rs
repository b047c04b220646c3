//! `tribunal verify`: recorded histories, judged.
//!
//! A history is a file, or the folder of a run, whose `history.jsonl` is
//! meant; what the run itself concluded is shown beside the verdict. Every
//! file is read before the first is judged, so that a mistyped name shows at
//! once. One that cannot be read keeps no other from being judged, but there
//! is no verdict of all files then.
//!
//! | module | holds |
//! |---|---|
//! | [`pages`] | where the pages of refuted histories go |
//! | [`recorded`] | what a run concluded, from its folder |
//! | [`show`] | the report for people |
//! | [`trace`] | what the nodes of a run did, held against their machine |

mod pages;
mod recorded;
mod show;
mod trace;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::ValueEnum as _;
use serde::Serialize;
use serde_json::Value as Json;
use tribunal_checker::weaker::{Property, Staleness};
use tribunal_checker::{Engine, Limits, Resource, Spec};
use tribunal_histories::{FailedCas, Format, History, Nil, Value};

use self::recorded::Recorded;
use crate::campaign::detection;
use crate::campaign::folder::VERDICT;
use crate::exit::{Conclusion, Usage, usage};
use crate::input::{self, unreadable};
use crate::names;
use crate::oracle::Oracle;
use crate::output::{self, Answer};
use crate::units::{Size, Time, show_duration, show_size};
use crate::workload::{Judge, WORKLOADS};

/// How long an order is searched for, where nobody says.
const TIMEOUT: Duration = Duration::from_secs(300);

/// How many bytes the search may hold, where nobody says.
const MEMORY: usize = 4 << 30;

/// What can be asked of `tribunal verify`.
#[derive(clap::Args, Debug)]
pub struct VerifyArgs {
    /// Histories: files, or the folders of runs
    #[arg(required = true, value_name = "FILE|RUN")]
    pub files: Vec<PathBuf>,
    /// What each key is, or all together are; `tribunal list specs` has the
    /// names [default: what the workload in the file's header says]
    #[arg(long, value_name = "SPEC")]
    pub spec: Option<String>,
    /// What transactions may see of each other: serializable or
    /// strict-serializable
    #[arg(long, value_name = "LEVEL", conflicts_with = "spec")]
    pub level: Option<String>,
    /// With --spec k-atomicity: of how many values, the newest ones, a read
    /// may return any [default: 1, which is linearizability]
    #[arg(long, value_name = "N")]
    pub staleness: Option<NonZeroUsize>,
    /// Let accounts of a bank be overdrawn
    #[arg(long)]
    pub negative_balances: bool,
    /// Judge what the nodes of a run did instead: its traces, recorded by
    /// `tribunal run --trace`, against the machine
    #[arg(long, conflicts_with_all = ["spec", "level", "staleness", "negative_balances", "from", "nil", "failed_cas", "initial", "engine", "timeout", "memory", "html"])]
    pub trace: bool,
    /// How the files are written [default: what each seems to be]
    #[arg(long, value_parser = input::format_parser(), value_name = "FORMAT")]
    pub from: Option<Format>,
    /// What a read of nothing means: the initial value, or a value that is
    /// not known [default: what the file's header says; initial, where it has
    /// none]
    #[arg(long, value_enum, value_name = "MEANING")]
    pub nil: Option<NilMeans>,
    /// What a cas that failed means: that it never happened, or that it found
    /// another value than its old one [default: what the file's header says;
    /// fail, where it has none]
    #[arg(long, value_enum, value_name = "MEANING")]
    pub failed_cas: Option<FailedCasMeans>,
    /// What every key holds at first, in JSON; of a bank what each account
    /// does, {"account": balance, …} [default: what the file's header says;
    /// null, where it has none]
    #[arg(long, value_parser = initial, value_name = "VALUE", allow_negative_numbers = true)]
    pub initial: Option<Value>,
    /// Let only this engine look for an order, to compare engines; `tribunal
    /// list engines` has the names [default: those that are likely to know]
    #[arg(long, value_name = "ENGINE")]
    pub engine: Option<String>,
    /// Give up on a file after this time, where an order is searched for
    /// [default: 5m]
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<Time>,
    /// Give up on a file when the search for an order holds so much, what was
    /// read apart [default: 4GiB]
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<Size>,
    /// Draw what has no order on a page to look at, in this file; of several
    /// histories each on its own, in this folder
    #[arg(long, value_name = "PATH")]
    pub html: Option<PathBuf>,
}

/// What a read of nothing means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum NilMeans {
    /// The initial value.
    Initial,
    /// The value is not known; the read says nothing.
    Unknown,
}

/// What a cas that failed means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FailedCasMeans {
    /// It never happened, and says nothing.
    Fail,
    /// It was a read of something other than its old value.
    Observed,
}

/// A value as it is typed.
fn initial(text: &str) -> Result<Value, String> {
    serde_json::from_str(text)
        .map_err(|error| format!("expected JSON such as 0, null or \"x\": {error}"))
}

/// What was concluded of several files, each judged in the same way.
#[derive(Debug, Serialize)]
struct Files<R> {
    files: Vec<R>,
}

/// What was concluded about all of them.
type Report<R> = Answer<Files<R>>;

/// What was concluded about a file, whatever it was judged by.
trait Judged {
    /// What it is.
    fn verdict(&self) -> Conclusion;
    /// Why it is not known.
    fn reason(&self) -> Option<&str>;
}

/// Of all files what outweighs the rest, with the first reason of one that is
/// unknown.
fn of_all<R: Judged>(begun: Instant, files: Vec<R>) -> Report<R> {
    let verdict = files.iter().map(R::verdict).max();
    let reason = files.iter().find_map(R::reason).map(str::to_owned);
    Answer::new(
        "verify",
        verdict.unwrap_or(Conclusion::Unknown),
        reason,
        begun.elapsed(),
        Files { files },
    )
}

/// Writes what was concluded; `show` makes text of it for people, and `rows`
/// of the files alone, where some were set aside and there is no verdict of
/// all.
fn finish<R: Serialize>(
    format: output::Format,
    report: &Report<R>,
    set_aside: &SetAside,
    show: impl FnOnce(&Report<R>) -> String,
    rows: impl FnOnce(&[R]) -> String,
) -> anyhow::Result<Conclusion> {
    let files = &report.own.files;
    if set_aside.count == 0 {
        output::emit(format, report, || show(report))?;
        return Ok(report.verdict);
    }
    match format {
        _ if files.is_empty() => {}
        output::Format::Human => output::line(rows(files).trim_end())?,
        // An object there would be taken for the answer about all of them.
        output::Format::Json => eprintln!("{}", rows(files).trim_end()),
    }
    let (count, of) = (set_aside.count, set_aside.of);
    Err(usage(format!(
        "no verdict: {count} of {of} files could not be judged"
    )))
}

/// What was concluded about one.
#[derive(Debug, Serialize)]
struct FileReport {
    file: PathBuf,
    /// How it is written.
    format: &'static str,
    operations: usize,
    keys: usize,
    spec: &'static str,
    checker: &'static str,
    /// What alone looked for an order, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    engine: Option<&'static str>,
    verdict: Conclusion,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    seconds: f64,
    witness: Option<Json>,
    /// How stale reads are, where that is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    staleness: Option<Staleness>,
    /// The witness for people.
    #[serde(skip)]
    shown: Option<String>,
    /// The witness as a page to look at.
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<PathBuf>,
    /// What the run concluded whose folder this is.
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded: Option<Recorded>,
    /// What was typed to judge it so.
    #[serde(skip)]
    typed: String,
    /// The flags that give it more time and memory, where that could tell more.
    #[serde(skip)]
    limited: Option<String>,
    /// Why the verdict says less than it seems to, though the file could be
    /// judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

impl Judged for FileReport {
    fn verdict(&self) -> Conclusion {
        self.verdict
    }

    fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

/// A history that was read, and what to judge it by.
struct Case {
    file: PathBuf,
    history: History,
    /// How it is written.
    format: Format,
    judge: Judge,
    /// Where its page goes, if one is asked for.
    page: Option<PathBuf>,
}

/// Judges the histories and prints what was concluded.
pub fn run(args: VerifyArgs, format: output::Format) -> anyhow::Result<Conclusion> {
    if args.trace {
        return trace::run(&args.files, format);
    }
    let begun = Instant::now();
    let oracle = args.oracle()?;
    args.engine()?;
    let mut set_aside = SetAside::of(args.files.len());
    let mut cases = Vec::new();
    let html = args.html.as_deref();
    let pages = html.map(|html| pages::targets(html, &args.files));
    let pages = pages.transpose()?.unwrap_or_default();
    for (number, file) in args.files.iter().enumerate() {
        if let Some(mut case) = set_aside.unless_read(read(file, &args, oracle))? {
            case.page = pages.get(number).cloned();
            cases.push(case);
        }
    }
    let mut files = Vec::new();
    for case in &cases {
        files.extend(set_aside.unless_read(judge(case, &args))?);
    }
    let report = of_all(begun, files);
    let rows =
        |files: &[FileReport]| format!("{}\n{}", show::files(files), show::pages(files, html));
    let shown = |report: &Report<FileReport>| show::report(report, html);
    finish(format, &report, &set_aside, shown, rows)
}

/// Files that could not be read, while others are judged.
struct SetAside {
    count: usize,
    of: usize,
}

impl SetAside {
    fn of(files: usize) -> SetAside {
        SetAside {
            count: 0,
            of: files,
        }
    }

    /// What was read. Otherwise says why it was not; that is the end, if it
    /// was the only file or if it is our own side that broke.
    fn unless_read<T>(&mut self, read: anyhow::Result<T>) -> anyhow::Result<Option<T>> {
        match read {
            Err(error) if self.of > 1 && error.is::<Usage>() => {
                eprintln!("error: {error:#}");
                self.count += 1;
                Ok(None)
            }
            other => other.map(Some),
        }
    }
}

fn read(file: &Path, args: &VerifyArgs, oracle: Option<Oracle>) -> anyhow::Result<Case> {
    let path = input::path_of(file, "verify")?;
    let (mut history, format) = input::read(&path, args.from)?;
    let judge = match oracle {
        Some(oracle) => Judge::History(oracle),
        None => judge_of(&history, &path)?,
    };
    if judge == Judge::Detection && !file.is_dir() {
        return Err(usage(format!(
            "{}: whom nodes suspect is held against the faults of the run; name the run's folder",
            path.display()
        )));
    }
    let judge = match judge {
        Judge::History(Oracle::Weaker {
            property: property @ Property::KAtomicity,
            staleness,
        }) => Judge::History(Oracle::Weaker {
            property,
            staleness: args.staleness.map_or(staleness, NonZeroUsize::get),
        }),
        other if args.staleness.is_some() => {
            let name = other.name();
            let why = format!("--staleness is about k-atomicity, but this is judged by {name}");
            return Err(usage(why));
        }
        other => other,
    };
    let judge = match judge {
        Judge::History(Oracle::Bank { .. }) => Judge::History(Oracle::Bank {
            overdrafts: args.negative_balances,
        }),
        other if args.negative_balances => {
            let name = other.name();
            let why = format!("--negative-balances is about a bank, but this is judged by {name}");
            return Err(usage(why));
        }
        other => other,
    };
    args.dialect(judge, &mut history)?;
    let says_nothing = history.header.initial == Value::Null && format != Format::Jsonl;
    if matches!(judge, Judge::History(Oracle::Bank { .. })) && says_nothing {
        return Err(usage(format!(
            "{}: nothing says what the accounts hold at first; --initial '{{\"account\": balance, …}}' does",
            path.display()
        )));
    }
    let is_semaphore = judge == Judge::History(Oracle::Order(Spec::Semaphore));
    if is_semaphore && history.header.initial == Value::Null {
        return Err(usage(format!(
            "{}: nothing says how many permits there are at first; --initial N does",
            path.display()
        )));
    }
    Ok(Case {
        file: file.to_owned(),
        history,
        format,
        judge,
        page: None,
    })
}

impl VerifyArgs {
    /// What is to judge every file, if that is said.
    fn oracle(&self) -> anyhow::Result<Option<Oracle>> {
        let named = |what, name: &str, all: &'static [Oracle]| {
            names::find(what, name, all, |oracle| oracle.name()).copied()
        };
        match (&self.spec, &self.level) {
            (Some(name), _) => named("specification", name, Oracle::SPECS).map(Some),
            (None, Some(name)) => named("isolation level", name, Oracle::LEVELS).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// The only engine that is to look for an order, if one is named.
    fn engine(&self) -> anyhow::Result<Option<Engine>> {
        let named = |name: &String| names::find("engine", name, &Engine::ALL, |it| it.name());
        self.engine
            .as_ref()
            .map(named)
            .transpose()
            .map(Option::<&Engine>::copied)
    }

    /// Lets what is typed outrank what the header says of values; refuses what
    /// says nothing to `judge`.
    fn dialect(&self, judge: Judge, history: &mut History) -> anyhow::Result<()> {
        let refuse = |flag: &str, about: &str| {
            let name = judge.name();
            let why = format!("{flag} is about {about}, and says nothing to {name}");
            Err(usage(why))
        };
        let oracle = match judge {
            Judge::History(oracle) => Some(oracle),
            Judge::Detection => None,
        };
        let is_order = matches!(oracle, Some(Oracle::Order(_) | Oracle::Weaker { .. }));
        let is_limited = oracle.is_some_and(Oracle::is_limited);
        let is_level = matches!(oracle, Some(Oracle::Level(_)));
        let given = [
            ("--timeout", self.timeout.is_some()),
            ("--memory", self.memory.is_some()),
        ];
        if let Some((flag, _)) = given.iter().find(|(_, given)| *given && !is_limited) {
            return refuse(flag, "the search for an order");
        }
        let of_an_order = [
            ("--engine", self.engine.is_some()),
            ("--html", self.html.is_some()),
        ];
        if let Some((flag, _)) = of_an_order.iter().find(|(_, given)| *given)
            && !matches!(oracle, Some(Oracle::Order(_)))
        {
            return refuse(flag, "the search for an order");
        }
        if self.nil.is_some() && !is_order && !is_level {
            return refuse("--nil", "reads of single keys");
        }
        if let Some(Oracle::Order(spec)) = oracle
            && self.nil == Some(NilMeans::Unknown)
            && !spec.has_unknown_values()
        {
            return refuse(
                "--nil unknown",
                "values that are read; null here means that there was nothing, or that something \
                 was done,",
            );
        }
        if let Some(failed_cas) = self.failed_cas {
            if !matches!(oracle, Some(Oracle::Order(spec)) if spec.has_conditions()) {
                return refuse("--failed-cas", "operations with a condition, as a cas");
            }
            history.header.failed_cas = match failed_cas {
                FailedCasMeans::Fail => FailedCas::Fail,
                FailedCasMeans::Observed => FailedCas::Observed,
            };
        }
        if let Some(initial) = &self.initial {
            if !is_order && !is_level && !matches!(oracle, Some(Oracle::Bank { .. })) {
                return refuse("--initial", "what keys hold at first");
            }
            history.header.initial = initial.clone();
        }
        Ok(())
    }

    /// The flags that give more than there was of what ran out; of both, if that is
    /// not known. What did not run out stays as it was typed.
    fn more(&self, ran_out: Option<Resource>) -> String {
        let time = self.timeout.map_or(TIMEOUT, |time| time.0) * 12;
        let memory = self
            .memory
            .map_or(MEMORY as u64, |size| size.0)
            .saturating_mul(4);
        let (time, memory) = (show_duration(time), show_size(memory));
        let timeout = match (ran_out, self.timeout) {
            (Some(Resource::Memory), None) => String::new(),
            (Some(Resource::Memory), Some(typed)) => {
                format!(" --timeout {}", show_duration(typed.0))
            }
            _ => format!(" --timeout {time}"),
        };
        let memory = match (ran_out, self.memory) {
            (Some(Resource::Time), None) => String::new(),
            (Some(Resource::Time), Some(typed)) => format!(" --memory {}", show_size(typed.0)),
            _ => format!(" --memory {memory}"),
        };
        timeout + &memory
    }

    /// The flags that decide a verdict, as they were typed.
    fn typed(&self) -> String {
        let mut typed = String::new();
        let mut add = |flag: &str, value: Option<String>| {
            if let Some(value) = value {
                typed += &format!(" {flag} {value}");
            }
        };
        let word = |value: clap::builder::PossibleValue| value.get_name().to_owned();
        let meaning = |value: Option<clap::builder::PossibleValue>| value.map(word);
        add("--spec", self.spec.clone());
        add("--level", self.level.clone());
        add("--staleness", self.staleness.map(|it| it.to_string()));
        add("--engine", self.engine.clone());
        add("--from", self.from.map(|from| from.name().to_owned()));
        add(
            "--nil",
            meaning(self.nil.and_then(|it| it.to_possible_value())),
        );
        let failed_cas = self.failed_cas.and_then(|it| it.to_possible_value());
        add("--failed-cas", meaning(failed_cas));
        add(
            "--initial",
            self.initial.as_ref().map(|it| format!("'{it}'")),
        );
        if self.negative_balances {
            typed += " --negative-balances";
        }
        typed
    }
}

fn judge_of(history: &History, path: &Path) -> anyhow::Result<Judge> {
    let workload = &history.header.workload;
    let mut entries = WORKLOADS.iter();
    if let Some(entry) = entries.find(|entry| entry.name == workload) {
        return Ok(entry.judge);
    }
    let spec = Spec::of_workload(workload).map(Oracle::Order);
    let judge = spec.or_else(|| Oracle::of_transactions(workload));
    judge.map(Judge::History).ok_or_else(|| {
        let names = |all: &[Oracle]| {
            let names: Vec<&str> = all.iter().map(|oracle| oracle.name()).collect();
            names.join(", ")
        };
        usage(format!(
            "{}: nothing is known to judge the workload `{workload}`; name a specification with \
             --spec: {}; or, of transactions, a level with --level: {}",
            path.display(),
            names(Oracle::SPECS),
            names(Oracle::LEVELS)
        ))
    })
}

fn judge(case: &Case, args: &VerifyArgs) -> anyhow::Result<FileReport> {
    match case.judge {
        Judge::History(oracle) => judge_history(case, oracle, args),
        Judge::Detection => judge_detection(case, args),
    }
}

/// Holds a run's history against its faults once more.
fn judge_detection(case: &Case, args: &VerifyArgs) -> anyhow::Result<FileReport> {
    let begun = Instant::now();
    let path = case.file.join(VERDICT);
    let kept = std::fs::read_to_string(&path);
    let kept = kept.map_err(|error| {
        usage(format!(
            "{}: {error}; the faults that the history is held against stand there",
            path.display()
        ))
    })?;
    let check = detection::check_again(&case.history, &kept)
        .map_err(|error| usage(format!("{}: {error:#}", path.display())))?;
    let operations = case.history.operations().map_err(unreadable)?;
    let keys: BTreeSet<_> = operations.iter().map(|operation| &operation.key).collect();
    Ok(FileReport {
        limited: None,
        staleness: None,
        typed: args.typed(),
        format: case.format.name(),
        operations: operations.len(),
        keys: keys.len(),
        spec: Judge::Detection.name(),
        checker: check.checker,
        engine: None,
        reason: check.reason,
        seconds: begun.elapsed().as_secs_f64(),
        witness: check.witness,
        shown: check.shown.map(|shown| format!("{shown}\n")),
        page: None,
        recorded: Recorded::of(&case.file, check.verdict),
        verdict: check.verdict,
        warning: case.history.truncated.as_ref().map(ToString::to_string),
        file: case.file.clone(),
    })
}

fn judge_history(case: &Case, oracle: Oracle, args: &VerifyArgs) -> anyhow::Result<FileReport> {
    let begun = Instant::now();
    let nil = args.nil.map(|nil| match nil {
        NilMeans::Initial => Nil::Initial,
        NilMeans::Unknown => Nil::Unknown,
    });
    let limits = Limits {
        time: Some(args.timeout.map_or(TIMEOUT, |time| time.0)),
        memory: Some(
            args.memory
                .map_or(MEMORY, |size| usize::try_from(size.0).unwrap_or(usize::MAX)),
        ),
        ..Limits::default()
    };
    let engine = args.engine()?;
    let judged = oracle
        .judge(&case.history, nil, engine, limits)
        .map_err(unreadable)?;
    let page = pages::write(case, &judged, args)?;
    let (verdict, reason) = match judged.verdict {
        Conclusion::Valid if judged.operations == 0 => {
            let reason = "it holds no operation, so there was nothing to judge";
            (Conclusion::Unknown, Some(reason.to_owned()))
        }
        verdict => (verdict, judged.reason),
    };
    let (witness, shown) = judged.witness.unzip();
    let recorded = Recorded::of(&case.file, verdict);
    let truncated = case.history.truncated.as_ref().map(ToString::to_string);
    let idle = (judged.completed_ok == 0 && judged.operations > 0)
        .then(|| "no operation took effect for certain: any order explains that".to_owned());
    Ok(FileReport {
        limited: (judged.limited && judged.operations > 0).then(|| args.more(judged.ran_out)),
        staleness: judged.staleness,
        file: case.file.clone(),
        typed: args.typed(),
        format: case.format.name(),
        operations: judged.operations,
        keys: judged.keys,
        spec: oracle.name(),
        checker: oracle.checker(),
        engine: engine.map(Engine::name),
        verdict,
        reason,
        seconds: begun.elapsed().as_secs_f64(),
        witness,
        shown,
        page,
        recorded,
        warning: truncated.or(idle),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(file: &Path) -> VerifyArgs {
        VerifyArgs {
            files: vec![file.to_owned()],
            spec: None,
            level: None,
            staleness: None,
            negative_balances: false,
            trace: false,
            from: None,
            nil: None,
            failed_cas: None,
            initial: None,
            engine: None,
            timeout: None,
            memory: None,
            html: None,
        }
    }

    /// Judges a run's folder whose history holds these lines.
    fn judge_lines(lines: &[&str]) -> anyhow::Result<FileReport> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("history.jsonl"), lines.join("\n")).unwrap();
        let args = args(folder.path());
        judge(&read(folder.path(), &args, None)?, &args)
    }

    const HEADER: &str = r#"{"format":"tribunal-history","version":1,"workload":"register"}"#;
    const WRITE: &str = r#"{"index":0,"time":0,"process":0,"type":"invoke","f":"write","value":1}
{"index":1,"time":1,"process":0,"type":"ok","f":"write","value":1}"#;
    const READ: &str = r#"{"index":2,"time":2,"process":1,"type":"invoke","f":"read"}"#;

    #[test]
    fn a_folder_is_judged_by_the_specification_of_its_workload() {
        let seen = r#"{"index":3,"time":3,"process":1,"type":"ok","f":"read","value":1}"#;
        let report = judge_lines(&[HEADER, WRITE, READ, seen]).unwrap();
        assert_eq!((report.verdict, report.operations), (Conclusion::Valid, 2));
        assert_eq!(report.spec, "cas-register");
        let stale = seen.replace(":1}", ":null}");
        let report = judge_lines(&[HEADER, WRITE, READ, &stale]).unwrap();
        assert_eq!(report.verdict, Conclusion::Invalid);
        assert!(report.witness.is_some());
    }

    #[test]
    fn a_history_without_operations_is_unknown() {
        let report = judge_lines(&[HEADER]).unwrap();
        assert_eq!(report.verdict, Conclusion::Unknown);
        assert!(report.reason.is_some());
        let report = judge_lines(&[HEADER, READ]).unwrap();
        assert_eq!(report.verdict, Conclusion::Valid);
        assert!(report.warning.is_some());
    }

    #[test]
    fn a_truncated_line_is_a_warning() {
        let report = judge_lines(&[HEADER, WRITE, &READ[..20]]).unwrap();
        assert_eq!(report.verdict, Conclusion::Valid);
        assert!(report.warning.unwrap().contains("truncated"));
    }

    #[test]
    fn what_cannot_be_read_is_a_usage_error() {
        let is_usage = |error: anyhow::Error| error.is::<crate::exit::Usage>();
        assert!(is_usage(judge_lines(&[HEADER, "?", READ]).err().unwrap()));
        let other = HEADER.replace("register", "echo");
        assert!(is_usage(judge_lines(&[&other, WRITE]).err().unwrap()));
        let missing = Path::new("/no/such/file");
        assert!(is_usage(read(missing, &args(missing), None).err().unwrap()));
    }
}
