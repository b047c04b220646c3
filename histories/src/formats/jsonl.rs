//! JSON Lines, the format that histories are recorded in: a header, then an
//! event a line.
//!
//! A line that cannot be read refuses the file, with one exception: a last
//! line without its newline is what a harness leaves that was killed while it
//! wrote, and what stands before it is a history all the same.

use std::io::{self, BufRead, Write};

use serde::de::DeserializeOwned;

use super::Draft;
use super::lines::Lines;
use super::source::Step;
use crate::{Event, Header, History, Truncated};

pub(super) fn read(source: impl BufRead) -> Step<Draft> {
    let mut lines = Lines::new(source);
    let no_header = || format!("a header: {}", Header::new("register").to_line());
    if !lines.next()? {
        return Err(lines.expected(1, no_header()));
    }
    let header = parse::<Header>(&lines.line).map_err(|(column, expected)| {
        let begins_otherwise = !text(&lines.line).contains("\"format\"");
        match begins_otherwise {
            true => lines.expected(1, no_header()),
            false => lines.expected(column, expected),
        }
    })?;
    if let Err((field, expected)) = header.check() {
        let at = text(&lines.line).find(&format!("\"{field}\""));
        return Err(lines.expected(at.map_or(1, |at| at + 1), expected));
    }
    let mut draft = Draft {
        header,
        ..Draft::default()
    };
    while lines.next()? {
        match parse::<Event>(&lines.line) {
            Ok(event) => draft.push(event, lines.number),
            Err(_) if !lines.line.ends_with(b"\n") => {
                draft.truncated = Some(Truncated {
                    line: lines.number,
                    bytes: lines.line.len(),
                });
            }
            Err((column, expected)) => return Err(lines.expected(column, expected)),
        }
    }
    Ok(draft)
}

pub(crate) fn write(history: &History, sink: &mut impl Write) -> io::Result<()> {
    writeln!(sink, "{}", history.header.to_line())?;
    for event in &history.events {
        serde_json::to_writer(&mut *sink, event)?;
        sink.write_all(b"\n")?;
    }
    Ok(())
}

/// What the line holds, or the column and what was expected there.
fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<T, (usize, String)> {
    serde_json::from_slice(line.trim_ascii_end())
        .map_err(|error| (error.column().max(1), explain(&error)))
}

fn text(line: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(line)
}

/// What a parser expected, in words that follow "expected".
fn explain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    let said = &text[..end];
    if let Some((found, expected)) = said.split_once(", expected ") {
        let found = found.trim_start_matches("invalid type: ");
        return format!(
            "{}, found {found}",
            expected.replace("u64", "a whole number")
        );
    }
    if let Some(field) = said.strip_prefix("missing field ") {
        return format!("a field {field}");
    }
    match said {
        "expected value" | "expected ident" => "a JSON value".to_owned(),
        "key must be a string" => "a field's name in double quotes".to_owned(),
        "trailing characters" => "the end of the line".to_owned(),
        "trailing comma" => "another field after the comma".to_owned(),
        _ if said.starts_with("EOF") => "the rest of the line, found its end".to_owned(),
        _ => match said.strip_prefix("expected ") {
            Some(expected) => expected.to_owned(),
            None => format!("a JSON object ({said})"),
        },
    }
}
