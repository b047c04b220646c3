//! `tribunal convert`: a history in another format.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, ErrorKind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Serialize;
use tribunal_histories::{History, Written};

use crate::exit::{Conclusion, usage};
use crate::input;
use crate::output::{self, Answer, Format};

/// What can be asked of `tribunal convert`.
#[derive(clap::Args, Debug)]
pub struct ConvertArgs {
    /// A history: a file, or the folder of a run
    #[arg(value_name = "FILE|RUN")]
    pub file: PathBuf,
    /// What to write
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub to: To,
    /// How the file is written [default: what it seems to be]
    #[arg(long, value_parser = input::format_parser(), value_name = "FORMAT")]
    pub from: Option<tribunal_histories::Format>,
    /// Where to write it, a file that is not there yet [default: stdout]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// What can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum To {
    /// JSON Lines with a header, as `run` records them.
    Jsonl,
    /// Jepsen's EDN, with the header in a comment.
    Edn,
}

impl From<To> for Written {
    fn from(to: To) -> Written {
        match to {
            To::Jsonl => Written::Jsonl,
            To::Edn => Written::Edn,
        }
    }
}

/// What was written.
#[derive(Debug, Serialize)]
struct Converted {
    file: PathBuf,
    from: &'static str,
    workload: String,
    events: usize,
    out: PathBuf,
}

/// Reads a history and writes it.
pub fn run(args: ConvertArgs, format: Format) -> anyhow::Result<Conclusion> {
    if format == Format::Json && args.out.is_none() {
        let why = "with --format json stdout is one object; name a file for the history with --out";
        return Err(usage(why));
    }
    let begun = Instant::now();
    let path = input::path_of(&args.file, "convert")?;
    let (history, from) = input::read(&path, args.from)?;
    let Some(out) = args.out else {
        eprintln!("read as {from}");
        match history.write_as(args.to.into(), BufWriter::new(io::stdout().lock())) {
            // Whoever read it has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            other => other.context("write to stdout")?,
        }
        return Ok(Conclusion::Valid);
    };
    write(&history, args.to, &out)?;
    let converted = Converted {
        file: args.file,
        from: from.name(),
        workload: history.header.workload,
        events: history.events.len(),
        out,
    };
    tell(format, converted, begun.elapsed())?;
    Ok(Conclusion::Valid)
}

fn write(history: &History, to: To, out: &PathBuf) -> anyhow::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).open(out);
    let file = file.map_err(|error| {
        let out = out.display();
        usage(match error.kind() {
            ErrorKind::AlreadyExists => {
                format!("{out} is there already; remove it first, or name another with --out")
            }
            _ => format!("cannot write {out}: {error}"),
        })
    })?;
    let written = history.write_as(to.into(), BufWriter::new(file));
    written.with_context(|| format!("write {}", out.display()))
}

fn tell(format: Format, converted: Converted, time: Duration) -> anyhow::Result<()> {
    let report = Answer::new("convert", Conclusion::Valid, None, time, converted);
    output::emit(format, &report, || {
        let Converted {
            from, events, out, ..
        } = &report.own;
        let (workload, out) = (&report.own.workload, out.display());
        format!("{events} events of `{workload}`, read as {from}, written to {out}")
    })?;
    Ok(())
}
