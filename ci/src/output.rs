//! What stands on stdout: tables for people, or exactly one JSON object.

use anyhow::Context as _;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::exit::Conclusion;

/// Who reads the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Tables on stdout, progress on stderr.
    #[default]
    Human,
    /// Exactly one object on stdout.
    Json,
}

/// What a command that judges answers: what all of them say, and then what is
/// its own.
#[derive(Debug, Serialize)]
pub struct Answer<T> {
    command: &'static str,
    /// What was concluded.
    pub verdict: Conclusion,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    seconds: f64,
    /// What is the command's own.
    #[serde(flatten)]
    pub own: T,
}

impl<T> Answer<T> {
    /// The answer of `command`; `reason` says why nothing is known, where
    /// that is so.
    pub fn new(
        command: &'static str,
        verdict: Conclusion,
        reason: Option<String>,
        time: Duration,
        own: T,
    ) -> Self {
        Answer {
            command,
            verdict,
            reason: reason.filter(|_| verdict == Conclusion::Unknown),
            seconds: time.as_secs_f64(),
            own,
        }
    }
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

/// A path as a shell takes it back.
pub fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    match text.chars().all(plain) && !text.is_empty() {
        true => text,
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_can_be_typed_again() {
        assert_eq!(
            shell_word(Path::new("runs/raft-0001-seed5")),
            "runs/raft-0001-seed5"
        );
        assert_eq!(shell_word(Path::new("my runs/it's")), "'my runs/it'\\''s'");
    }
}
