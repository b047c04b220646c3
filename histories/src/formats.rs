//! How histories are written: ours, and those of other tools.
//!
//! | format | module | what it is |
//! |---|---|---|
//! | `jsonl` | [`jsonl`] | ours: JSON Lines with a header |
//! | `edn` | [`jepsen_edn`] | Jepsen's `history.edn`: maps in a row, in a vector or a list |
//! | `json` | [`json`] | the same operations as JSON, an array or in a row |
//! | `porcupine-kv` | [`porcupine_kv`] | Porcupine's logs of a key-value store |
//! | `porcupine-etcd` | [`porcupine_etcd`] | logs of Jepsen's etcd test, as Porcupine has them |
//! | `knossos` | [`jepsen_edn`] | EDN in which a read of nothing says nothing |
//! | `limo` | [`limo`] | LiMo's calls and returns |
//! | `polylin` | [`polylin`] | operations with a begin and an end, as of PolyLin and fptlin |
//!
//! What none but ours says is the header: the workload is what the operations
//! show, every key holds nothing at first, a read of nothing finds that, and a
//! cas that failed says nothing.
//!
//! Readers take one pass over a file, and hold nothing of its text beside the
//! events. Any bytes give a history or an error with its place: nesting, texts,
//! names and lines are bounded.

pub mod edn;
pub mod jepsen;
pub mod jepsen_edn;
pub mod json;
pub mod jsonl;
pub mod limo;
mod lines;
pub mod polylin;
pub mod porcupine_etcd;
pub mod porcupine_kv;
mod source;

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use self::source::{Fault, Source};
use crate::{Event, Header, History, HistoryError, Nil, Truncated};

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// JSON Lines with a header, as histories are recorded.
    Jsonl,
    /// Jepsen's EDN.
    Edn,
    /// Jepsen's operations as JSON.
    Json,
    /// Porcupine's logs of a key-value store.
    PorcupineKv,
    /// Logs of Jepsen's etcd test, as Porcupine has them.
    PorcupineEtcd,
    /// EDN in which a read of nothing says nothing.
    Knossos,
    /// LiMo's calls and returns.
    Limo,
    /// PolyLin's and fptlin's operations, each with a begin and an end.
    Polylin,
}

/// The formats that are written, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// JSON Lines with a header.
    Jsonl,
    /// Jepsen's EDN, with the header in a comment.
    Edn,
}

impl Format {
    /// All there are.
    pub const ALL: [Format; 8] = [
        Format::Jsonl,
        Format::Edn,
        Format::Json,
        Format::PorcupineKv,
        Format::PorcupineEtcd,
        Format::Knossos,
        Format::Limo,
        Format::Polylin,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Jsonl => "jsonl",
            Format::Edn => "edn",
            Format::Json => "json",
            Format::PorcupineKv => "porcupine-kv",
            Format::PorcupineEtcd => "porcupine-etcd",
            Format::Knossos => "knossos",
            Format::Limo => "limo",
            Format::Polylin => "polylin",
        }
    }

    /// The format of that name.
    pub fn named(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }

    /// What a file that begins so is probably written in; never `knossos`,
    /// which looks like `edn`. Where its beginning does not say, its name
    /// does, and `jsonl` is meant where that does not either.
    pub fn guess(begins: &[u8], path: &Path) -> Format {
        let begins = String::from_utf8_lossy(begins);
        let lines = || {
            begins
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
        };
        if let Some(format) = lines().find_map(of_line) {
            return format;
        }
        match path.extension().and_then(OsStr::to_str) {
            Some("edn") => Format::Edn,
            Some("json") => Format::Json,
            Some("hist") => Format::Limo,
            _ => Format::Jsonl,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a line shows its file to be written in, if it does.
fn of_line(line: &str) -> Option<Format> {
    let rest = |begin: &str| line.strip_prefix(begin).map(str::trim_start);
    if let Some(rest) = rest("#") {
        let is_comment = !line.starts_with("#_") && !rest.contains('{');
        return match is_comment {
            true if rest.starts_with("@object") => Some(Format::Limo),
            true if polylin::object(rest.trim_end()).is_some() => Some(Format::Polylin),
            true => None,
            false => Some(Format::Edn),
        };
    }
    if line.starts_with(';') || line.starts_with('(') {
        return Some(Format::Edn);
    }
    if rest("{").is_some_and(|rest| rest.starts_with('"')) {
        return Some(match line.contains("\"format\"") {
            true => Format::Jsonl,
            false => Format::Json,
        });
    }
    if line.starts_with('"') {
        return Some(Format::Json);
    }
    if line.starts_with('{') && line != "{" {
        return Some(match porcupine_kv::is_line(line) {
            true => Format::PorcupineKv,
            false => Format::Edn,
        });
    }
    if let Some(rest) = rest("[") {
        let thread = rest.split_once(']').map(|(thread, _)| thread);
        let is_thread = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
        let of_object = rest.strip_prefix('{').map(str::trim_start);
        return match of_object {
            _ if thread.is_some_and(is_thread) => Some(Format::Limo),
            _ if rest.is_empty() => None,
            Some(rest) if rest.starts_with('"') => Some(Format::Json),
            _ => Some(Format::Edn),
        };
    }
    porcupine_etcd::is_line(line).then_some(Format::PorcupineEtcd)
}

/// A file that is about to be read.
pub struct Input {
    path: PathBuf,
    begins: Vec<u8>,
    file: File,
}

/// How much of a file is looked at to guess its format, in bytes.
const LOOKED_AT: u64 = 1 << 12;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

impl Input {
    /// Opens a file, and reads its beginning.
    pub fn open(path: &Path) -> Result<Self, HistoryError> {
        let failed = |source| HistoryError::Io {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(failed)?;
        let mut begins = Vec::new();
        (&file)
            .take(LOOKED_AT)
            .read_to_end(&mut begins)
            .map_err(failed)?;
        // Some editors put a mark there that says no more than "UTF-8".
        if begins.starts_with(BYTE_ORDER_MARK) {
            begins.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(Input {
            path: path.to_owned(),
            begins,
            file,
        })
    }

    /// What it is probably written in.
    pub fn guess(&self) -> Format {
        Format::guess(&self.begins, &self.path)
    }

    /// Reads it.
    pub fn read(self, format: Format) -> Result<History, HistoryError> {
        let whole = Cursor::new(self.begins).chain(self.file);
        read(whole, &self.path, format)
    }
}

/// Reads a history; `path` is how an error names the source.
pub fn read(source: impl Read, path: &Path, format: Format) -> Result<History, HistoryError> {
    let draft = match format {
        Format::Jsonl => jsonl::read(BufReader::new(source)),
        Format::Edn => jepsen_edn::read(source),
        Format::Knossos => jepsen_edn::read(source).map(knossos),
        Format::Json => jepsen::read(json::Json::new(Source::new(source)), None),
        Format::PorcupineKv => porcupine_kv::read(source),
        Format::PorcupineEtcd => porcupine_etcd::read(BufReader::new(source)),
        Format::Limo => limo::read(BufReader::new(source)),
        Format::Polylin => polylin::read(BufReader::new(source)),
    };
    match draft {
        Ok(draft) => Ok(History::of_file(draft, path)),
        Err(Fault::Io(source)) => Err(HistoryError::Io {
            path: path.to_owned(),
            source,
        }),
        Err(Fault::At(place, expected)) => Err(HistoryError::Malformed {
            path: path.to_owned(),
            line: place.line,
            column: place.column,
            expected,
        }),
    }
}

/// What a file says to Knossos, whatever it says to others.
fn knossos(mut draft: Draft) -> Draft {
    draft.header.nil = Nil::Unknown;
    draft
}

/// What a reader makes of a file.
pub(crate) struct Draft {
    pub(crate) header: Header,
    pub(crate) events: Vec<Event>,
    /// The line of each event.
    pub(crate) lines: Vec<usize>,
    pub(crate) truncated: Option<Truncated>,
}

impl Default for Draft {
    fn default() -> Self {
        Draft {
            header: Header::new("register"),
            events: Vec::new(),
            lines: Vec::new(),
            truncated: None,
        }
    }
}

impl Draft {
    fn push(&mut self, event: Event, line: usize) {
        self.events.push(event);
        self.lines.push(line);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::tests::any_value;
    use crate::{FailedCas, Kind, Process, Value, Written};

    fn any_header() -> impl Strategy<Value = Header> {
        let nil = prop_oneof![Just(Nil::Initial), Just(Nil::Unknown)];
        let failed_cas = prop_oneof![Just(FailedCas::Fail), Just(FailedCas::Observed)];
        (any::<String>(), any_value(), nil, failed_cas).prop_map(
            |(workload, initial, nil, failed_cas)| Header {
                initial,
                nil,
                failed_cas,
                ..Header::new(&workload)
            },
        )
    }

    fn any_transaction() -> impl Strategy<Value = Value> {
        let name = prop_oneof![
            Just("r".to_owned()),
            Just("append".to_owned()),
            any::<String>()
        ];
        let micro = (name, any_value(), any_value())
            .prop_map(|(name, key, value)| Value::List(vec![Value::Text(name), key, value]));
        prop::collection::vec(prop_oneof![micro, any_value()], 0..3).prop_map(Value::List)
    }

    /// An event; most have a key, so that all of a history have one at times.
    fn any_event() -> impl Strategy<Value = Event> {
        let client =
            prop_oneof![4 => any::<u64>().prop_map(Process::Client), 1 => Just(Process::Nemesis)];
        let kind = prop_oneof![
            Just(Kind::Invoke),
            Just(Kind::Ok),
            Just(Kind::Fail),
            Just(Kind::Info)
        ];
        let f = prop_oneof![
            Just("read".to_owned()),
            Just("txn".to_owned()),
            any::<String>()
        ];
        let value = prop_oneof![any_value(), any_transaction()];
        let key = prop::option::weighted(0.9, any_value());
        let others = (
            any::<Option<String>>(),
            any::<Option<String>>(),
            any::<Option<u64>>(),
        );
        (any::<[u64; 2]>(), client, kind, f, key, value, others).prop_map(
            |([index, time], process, kind, f, key, value, (error, node, fault))| Event {
                index,
                time,
                process,
                kind,
                f,
                // In JSON Lines a key of null is none.
                key: key.filter(|key| {
                    *key != Value::Null && (process != Process::Nemesis || index % 8 == 0)
                }),
                value,
                error,
                node,
                fault,
            },
        )
    }

    proptest! {
        #[test]
        fn what_was_written_and_read_again_is_the_same_history(
            header in any_header(),
            events in prop::collection::vec(any_event(), 0..6),
        ) {
            let history = History::new(header, events);
            for (written, format) in [(Written::Jsonl, Format::Jsonl), (Written::Edn, Format::Edn)] {
                let mut bytes = Vec::new();
                history.write_as(written, &mut bytes).expect("written");
                prop_assert_eq!(Format::guess(&bytes, Path::new("h")), format);
                let again = read(&bytes[..], Path::new("h"), format);
                let again = again.unwrap_or_else(|error| {
                    panic!("{error}: {}", String::from_utf8_lossy(&bytes))
                });
                prop_assert_eq!(&again.header, &history.header);
                prop_assert_eq!(&again.events, &history.events);
            }
        }
    }
}
