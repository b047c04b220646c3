//! Histories in files, however they are written.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use tribunal_histories::{Format, History, HistoryError, Input};

use crate::campaign::folder::{HISTORY, no_run};
use crate::exit::usage;

/// Takes the formats by their names.
pub fn format_parser() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::name))
        .try_map(|name| Format::named(&name).ok_or("no such format"))
}

/// The history that a file or the folder of a run means; `command` is what
/// would be done with it.
pub fn path_of(file: &Path, command: &str) -> anyhow::Result<PathBuf> {
    let path = match file.is_dir() {
        true => file.join(HISTORY),
        false => file.to_owned(),
    };
    if file.is_dir() && !path.exists() {
        return Err(no_run(file, HISTORY, command));
    }
    Ok(path)
}

/// Reads a history in the format that is named, or in the one that it seems
/// to be written in, which is told. Warns of a line that was cut off.
pub fn read(path: &Path, from: Option<Format>) -> anyhow::Result<(History, Format)> {
    let input = Input::open(path).map_err(unreadable)?;
    let format = from.unwrap_or_else(|| input.guess());
    let history = input.read(format).map_err(|error| match &error {
        // A header shows that it is ours.
        HistoryError::Malformed { line, .. }
            if from.is_none() && (format != Format::Jsonl || *line == 1) =>
        {
            usage(format!(
                "{error}\nit was read as {format}, which is a guess; --from names another format: {}",
                Format::ALL.map(Format::name).join(", ")
            ))
        }
        _ => unreadable(error),
    })?;
    if let Some(truncated) = &history.truncated {
        eprintln!("warning: {}: {truncated}", path.display());
    }
    Ok((history, format))
}

/// What cannot be read is for the user to mend.
pub fn unreadable(error: HistoryError) -> anyhow::Error {
    match &error {
        HistoryError::Io { path, source } => {
            usage(format!("cannot read {}: {source}", path.display()))
        }
        _ => usage(error.to_string()),
    }
}
