//! A whole history, and what is wrong with a file. How files are written is
//! the business of [`crate::formats`].

use std::fmt;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::formats::{self, Draft, Format, Input, Written};
use crate::operation::{Expected, Misplaced, Pair, pair};
use crate::{Event, Header, Operation, Process};

/// A recorded history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// What it is and how its values are meant.
    pub header: Header,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// The last line, if it was cut off and is not among the events.
    pub truncated: Option<Truncated>,
    /// Where it was read from, to name what is wrong with it.
    path: Option<PathBuf>,
    /// The line of each event; empty if it was not read from a file.
    lines: Vec<usize>,
}

/// A last line that was cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truncated {
    /// Which line.
    pub line: usize,
    /// How many bytes of it are there.
    pub bytes: usize,
}

impl fmt::Display for Truncated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Truncated { line, bytes } = self;
        write!(
            f,
            "line {line} is truncated after {bytes} bytes and was left out; the rest was read"
        )
    }
}

/// Why a history could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// The file could not be read at all.
    #[error("read {}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something stands in it that no history has.
    #[error("{}:{line}:{column}: expected {expected}", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
        /// What should have stood there.
        expected: String,
    },
}

impl History {
    /// A history that was made rather than read.
    pub fn new(header: Header, events: Vec<Event>) -> Self {
        History {
            header,
            events,
            truncated: None,
            path: None,
            lines: Vec::new(),
        }
    }

    /// A history that was read from a file.
    pub(crate) fn of_file(draft: Draft, path: &Path) -> Self {
        History {
            header: draft.header,
            events: draft.events,
            truncated: draft.truncated,
            path: Some(path.to_owned()),
            lines: draft.lines,
        }
    }

    /// Reads a file in JSON Lines.
    pub fn open(path: &Path) -> Result<Self, HistoryError> {
        Input::open(path)?.read(Format::Jsonl)
    }

    /// Reads JSON Lines; `path` is how an error names the source.
    pub fn read(source: impl Read, path: &Path) -> Result<Self, HistoryError> {
        formats::read(source, path, Format::Jsonl)
    }

    /// Writes JSON Lines.
    pub fn write(&self, sink: impl Write) -> io::Result<()> {
        self.write_as(Written::Jsonl, sink)
    }

    /// Writes it in one of the formats that are written.
    pub fn write_as(&self, format: Written, mut sink: impl Write) -> io::Result<()> {
        match format {
            Written::Jsonl => formats::jsonl::write(self, &mut sink)?,
            Written::Edn => formats::jepsen_edn::write(self, &mut sink)?,
        }
        sink.flush()
    }

    /// The clients' operations, in the order of invocation; an error if the
    /// events do not make any.
    pub fn operations(&self) -> Result<Vec<Operation>, HistoryError> {
        let pairs = self.pairs()?;
        let operation = |pair| Operation::of(&self.events, pair);
        Ok(pairs.into_iter().map(operation).collect())
    }

    /// The two ends of each of the clients' operations, in the order of
    /// invocation; an error if the events do not make any. Nothing is copied.
    pub fn pairs(&self) -> Result<Vec<Pair>, HistoryError> {
        pair(&self.events).map_err(|Misplaced { place, expected }| {
            self.malformed_at(place, self.explain(&expected))
        })
    }

    /// The operation with these ends.
    pub fn operation(&self, pair: Pair) -> Operation {
        Operation::of(&self.events, pair)
    }

    /// The error that the event with `index` is not what a reader expects.
    pub fn malformed(&self, index: u64, expected: String) -> HistoryError {
        let place = self.events.partition_point(|event| event.index < index);
        self.malformed_at(place, expected)
    }

    /// The error that the event at `place` is not what a reader expects.
    pub fn malformed_at(&self, place: usize, expected: String) -> HistoryError {
        HistoryError::Malformed {
            path: self.path.clone().unwrap_or_else(|| "history".into()),
            line: self.line(place),
            column: 1,
            expected,
        }
    }

    /// The error that the header is not what a reader expects.
    pub fn malformed_header(&self, expected: String) -> HistoryError {
        HistoryError::Malformed {
            path: self.path.clone().unwrap_or_else(|| "history".into()),
            line: 1,
            column: 1,
            expected,
        }
    }

    /// What the nemesis did.
    pub fn nemesis(&self) -> impl Iterator<Item = &Event> {
        self.events
            .iter()
            .filter(|event| event.process == Process::Nemesis)
    }

    /// The line of the event at `place`; where it was not read from a file,
    /// the one it would be written to.
    fn line(&self, place: usize) -> usize {
        self.lines.get(place).copied().unwrap_or(place + 2)
    }

    fn explain(&self, expected: &Expected) -> String {
        match expected {
            Expected::Index { after, found } => {
                format!("an index above {after}, the one before it, found {found}")
            }
            Expected::Invocation { process, f } => {
                format!("an invocation of {f} by process {process} before its completion")
            }
            Expected::Completion { process, f, open } => format!(
                "process {process} to complete its {f} of line {} before it invokes again",
                self.line(*open)
            ),
            Expected::Process { process, retired } => format!(
                "another process: process {process} is retired since its info on line {}",
                self.line(*retired)
            ),
            Expected::Same {
                what,
                open,
                begun,
                found,
            } => format!(
                "{what} {begun} as in the invocation on line {}, found {found}",
                self.line(*open)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::{Outcome, Value};

    const HEADER: &str = r#"{"format":"tribunal-history","version":1,"workload":"register"}"#;

    fn read(text: &str) -> Result<History, HistoryError> {
        History::read(text.as_bytes(), Path::new("h.jsonl"))
    }

    /// Reads the header and these lines, and compares the error.
    fn refused(lines: &[&str], expected: &Expect) {
        let text = format!("{HEADER}\n{}\n", lines.join("\n"));
        let error = read(&text)
            .and_then(|history| history.operations().map(|_| ()))
            .expect_err("a broken history");
        expected.assert_eq(&error.to_string());
    }

    fn event(index: u64, process: u64, kind: &str, f: &str) -> String {
        format!(
            r#"{{"index":{index},"time":0,"process":{process},"type":"{kind}","f":"{f}","value":1}}"#
        )
    }

    #[test]
    fn operations_are_paired_across_blank_lines_and_faults() {
        let nemesis =
            r#"{"index":2,"time":0,"process":"nemesis","type":"info","f":"kill","fault":1}"#;
        let lines = [
            &event(0, 0, "invoke", "write"),
            "",
            &event(1, 1, "invoke", "read"),
            nemesis,
            &event(3, 0, "ok", "write"),
        ];
        let text = format!("{HEADER}\n{}", lines.join("\n"));
        let history = read(&text).expect("a history");
        assert_eq!(history.truncated, None);
        let operations = history.operations().expect("operations");
        let outcomes: Vec<_> = operations
            .iter()
            .map(|it| (&it.outcome, it.completed))
            .collect();
        let written = Outcome::Ok(Value::Int(1));
        assert_eq!(outcomes, [(&written, Some(3)), (&Outcome::Info, None)]);
    }

    #[test]
    fn a_history_that_was_written_is_read_back() {
        let events = vec![
            serde_json::from_str(&event(0, 0, "invoke", "write")).expect("an event"),
            serde_json::from_str(&event(1, 0, "ok", "write")).expect("an event"),
        ];
        let history = History::new(Header::new("register"), events);
        let mut bytes = Vec::new();
        history.write(&mut bytes).expect("written");
        let again = History::read(bytes.as_slice(), Path::new("h")).expect("a history");
        assert_eq!(
            (again.header, again.events),
            (history.header, history.events)
        );
    }

    #[test]
    fn a_last_line_that_was_cut_off_is_told_and_the_rest_is_read() {
        let whole = format!("{HEADER}\n{}\n", event(0, 0, "invoke", "write"));
        let text = format!("{whole}{}", &event(1, 0, "ok", "write")[..20]);
        let history = read(&text).expect("a history");
        assert_eq!(history.events.len(), 1);
        assert_eq!(history.truncated, Some(Truncated { line: 3, bytes: 20 }));
        // The same line with its newline was not cut off: it is wrong.
        assert!(read(&format!("{text}\n")).is_err());
    }

    #[test]
    fn a_last_line_that_lacks_only_its_newline_counts() {
        let text = format!("{HEADER}\n{}", event(0, 0, "invoke", "write"));
        let history = read(&text).expect("a history");
        assert_eq!((history.events.len(), history.truncated), (1, None));
    }

    #[test]
    fn a_broken_line_is_named_with_its_column() {
        refused(
            &[&event(0, 0, "invoke", "write"), r#"{"index":1,?}"#],
            &expect!["h.jsonl:3:12: expected a field's name in double quotes"],
        );
        refused(
            &[r#"{"index":1,"time":0,"process":-1,"type":"ok","f":"read"}"#],
            &expect![[
                r#"h.jsonl:2:32: expected a process: a whole number, or "nemesis", found integer `-1`"#
            ]],
        );
        refused(
            &[r#"{"index":1,"time":0,"process":1,"type":"done","f":"read"}"#],
            &expect![
                "h.jsonl:2:45: expected one of `invoke`, `ok`, `fail`, `info`, found unknown variant `done`"
            ],
        );
        refused(
            &[r#"{"index":1,"time":0,"process":1,"type":"ok"}"#],
            &expect!["h.jsonl:2:44: expected a field `f`"],
        );
        refused(
            &[r#"{"index":1.5}"#],
            &expect!["h.jsonl:2:12: expected a whole number, found floating point `1.5`"],
        );
        refused(
            &["nonsense"],
            &expect!["h.jsonl:2:2: expected a JSON value"],
        );
        refused(
            &[&format!("{} 1", event(0, 0, "invoke", "read"))],
            &expect!["h.jsonl:2:71: expected the end of the line"],
        );
    }

    #[test]
    fn a_file_without_a_header_is_refused() {
        let refused = |text: &str, expected: Expect| {
            expected.assert_eq(&read(text).expect_err("refused").to_string());
        };
        refused(
            "",
            expect![[
                r#"h.jsonl:1:1: expected a header: {"format":"tribunal-history","version":1,"workload":"register","initial":null,"nil":"initial","failed_cas":"fail"}"#
            ]],
        );
        refused(
            &event(0, 0, "invoke", "read"),
            expect![[
                r#"h.jsonl:1:1: expected a header: {"format":"tribunal-history","version":1,"workload":"register","initial":null,"nil":"initial","failed_cas":"fail"}"#
            ]],
        );
        refused(
            &HEADER.replace('}', r#","failed-cas":"observed"}"#),
            expect![
                "h.jsonl:1:75: expected one of `format`, `version`, `workload`, `initial`, `nil`, `failed_cas`, found unknown field `failed-cas`"
            ],
        );
        refused(
            &HEADER.replace(":1", ":9"),
            expect!["h.jsonl:1:30: expected version 1, found 9"],
        );
        refused(
            &HEADER.replace("tribunal-history", "other"),
            expect![[r#"h.jsonl:1:2: expected format "tribunal-history", found "other""#]],
        );
        refused(
            &HEADER[..40],
            expect!["h.jsonl:1:40: expected the rest of the line, found its end"],
        );
    }

    #[test]
    fn events_that_do_not_pair_are_named() {
        refused(
            &[&event(0, 0, "ok", "read")],
            &expect![
                "h.jsonl:2:1: expected an invocation of read by process 0 before its completion"
            ],
        );
        refused(
            &[
                &event(0, 0, "invoke", "read"),
                &event(1, 0, "invoke", "read"),
            ],
            &expect![
                "h.jsonl:3:1: expected process 0 to complete its read of line 2 before it invokes again"
            ],
        );
        refused(
            &[
                &event(0, 0, "invoke", "read"),
                &event(1, 0, "info", "read"),
                &event(2, 0, "invoke", "read"),
            ],
            &expect![
                "h.jsonl:4:1: expected another process: process 0 is retired since its info on line 3"
            ],
        );
        refused(
            &[&event(0, 0, "invoke", "read"), &event(1, 0, "ok", "write")],
            &expect!["h.jsonl:3:1: expected f read as in the invocation on line 2, found write"],
        );
        refused(
            &[&event(1, 0, "invoke", "read"), &event(1, 0, "ok", "read")],
            &expect!["h.jsonl:3:1: expected an index above 1, the one before it, found 1"],
        );
    }
}
