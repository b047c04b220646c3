//! What stands on stdout: tables for people, or exactly one JSON object.

use anyhow::Context as _;
use std::io::{self, Write};

use serde::Serialize;

/// Who reads the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Tables on stdout, progress on stderr.
    #[default]
    Human,
    /// Exactly one object on stdout.
    Json,
}

/// Writes a command's result: the object, or the text for people.
pub fn emit<T: Serialize>(
    format: Format,
    object: &T,
    text: impl FnOnce() -> String,
) -> anyhow::Result<()> {
    match format {
        Format::Json => line(&serde_json::to_string(object)?),
        Format::Human => line(text().trim_end_matches('\n')),
    }
}

/// Writes a line on stdout. A reader that went away (`| head`) is no failure.
pub fn line(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("write to stdout")
        }
        _ => Ok(()),
    }
}
