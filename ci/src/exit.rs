//! How the program ends: five exit codes, and what stands on which stream.

use std::fmt;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

/// What a finished command concluded; decides the exit code.
///
/// Ordered so that the greater outweighs: one invalid run among many unknown
/// ones is a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Conclusion {
    /// Nothing was broken; also said by commands that judge nothing.
    Valid,
    /// A limit was met before the truth was known.
    Unknown,
    /// Something was broken, with a witness.
    Invalid,
}

impl Conclusion {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Conclusion::Valid => "valid",
            Conclusion::Unknown => "unknown",
            Conclusion::Invalid => "invalid",
        }
    }
}

impl fmt::Display for Conclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl From<Conclusion> for ExitCode {
    fn from(conclusion: Conclusion) -> ExitCode {
        ExitCode::from(match conclusion {
            Conclusion::Valid => 0,
            Conclusion::Invalid => 1,
            Conclusion::Unknown => 2,
        })
    }
}

/// The exit code of a usage error, a bad configuration or unreadable input.
pub const USAGE: u8 = 254;

/// The exit code of a harness failure: our own side broke.
pub const HARNESS: u8 = 255;

/// Something the user can mend: wrong words, a bad configuration, a file that
/// cannot be read. Wraps the sentence that says which, so that it can travel
/// as an [`anyhow::Error`]; every other error is a harness failure.
#[derive(Debug)]
pub struct Usage(pub String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// A usage error as an [`anyhow::Error`].
pub fn usage(sentence: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Usage(sentence.into()))
}

/// Says on stderr what went wrong, in a few lines, and picks the code.
pub fn failed(error: &anyhow::Error) -> ExitCode {
    let mine = error.downcast_ref::<Usage>().is_none();
    let (label, code) = if mine {
        ("harness failure", HARNESS)
    } else {
        ("error", USAGE)
    };
    let text = format!("{error:#}");
    eprintln!("{label}: {}", first_lines(&text, 7));
    ExitCode::from(code)
}

/// The first `limit` lines of a text that are not blank.
pub fn first_lines(text: &str, limit: usize) -> String {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.take(limit).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_outranks_unknown_outranks_valid() {
        assert!(Conclusion::Invalid > Conclusion::Unknown);
        assert!(Conclusion::Unknown > Conclusion::Valid);
    }

    #[test]
    fn a_usage_error_keeps_its_kind_under_context() {
        let error = usage("no such file").context("read the schedule");
        assert!(error.downcast_ref::<Usage>().is_some());
    }
}
