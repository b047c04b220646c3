//! One line of a history, and its header.
//!
//! The format is JSON Lines. Line 1 is the [`Header`]; every other line is an
//! [`Event`] with Jepsen's meaning of its fields. The order of the lines is
//! the truth; times inform.

use serde::{Deserialize, Serialize};

use crate::Value;

/// What the file is and how its values are meant.
///
/// A field that is not one of these is refused: misspelt, it would change what
/// the history means without a word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Always `tribunal-history`.
    pub format: String,
    /// Version of the format.
    pub version: u32,
    /// The workload that recorded it, such as `register`.
    pub workload: String,
    /// The value of every key before the first operation; of a `bank` what
    /// each account holds, by its name.
    #[serde(default)]
    pub initial: Value,
    /// What a read of nothing means.
    #[serde(default)]
    pub nil: Nil,
    /// What a failed cas means.
    #[serde(default)]
    pub failed_cas: FailedCas,
}

/// The `format` of every header.
const FORMAT: &str = "tribunal-history";
/// The version of the format that is read and written.
const VERSION: u32 = 1;

impl Header {
    /// The header of a history of `workload`, in which every key holds
    /// nothing at first, a read of nothing finds that, and a cas that fails
    /// says nothing.
    pub fn new(workload: &str) -> Self {
        Header {
            format: FORMAT.to_owned(),
            version: VERSION,
            workload: workload.to_owned(),
            initial: Value::Null,
            nil: Nil::Initial,
            failed_cas: FailedCas::Fail,
        }
    }

    /// The line it is written as, without the newline.
    pub(crate) fn to_line(&self) -> String {
        serde_json::to_string(self).expect("a header has no map with other keys than texts")
    }

    /// The field that this version of the format does not know, and what is
    /// expected of it.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        let Header {
            format, version, ..
        } = self;
        if format != FORMAT {
            return Err(("format", format!("format {FORMAT:?}, found {format:?}")));
        }
        if *version != VERSION {
            return Err(("version", format!("version {VERSION}, found {version}")));
        }
        Ok(())
    }
}

/// What a completed read whose value is null means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nil {
    /// The key holds the initial value.
    #[default]
    Initial,
    /// The value read is not known; the read says nothing.
    Unknown,
}

/// What `fail` of a cas means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailedCas {
    /// It never happened, and says nothing.
    #[default]
    Fail,
    /// It was a read of something other than its old value.
    Observed,
}

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Process {
    /// A logical client, with one open operation at most; retired after `info`.
    Client(u64),
    /// The nemesis. Written as `"nemesis"`.
    Nemesis,
}

/// Which end of an operation an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It begins.
    Invoke,
    /// It took effect.
    Ok,
    /// It has not taken effect and never will.
    Fail,
    /// It may have taken effect, or may still.
    Info,
}

/// One line of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its place in the history, from 0.
    pub index: u64,
    /// Nanoseconds since the run began, on a monotonic clock.
    pub time: u64,
    /// Who.
    pub process: Process,
    /// Which end of the operation.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// What is done: `read`, `write`, `cas`, … or, for the nemesis, the fault.
    pub f: String,
    /// On which key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Value>,
    /// With which value; a cas has `[old, new]`; a completed read what it saw;
    /// a `txn` its micro-operations, `["r", key, seen]`, `["w", key, value]` or
    /// `["append", key, value]`.
    #[serde(default)]
    pub value: Value,
    /// Why it failed or is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Which node was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Joins the events of one fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<u64>,
}

impl Serialize for Process {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Process::Client(number) => serializer.serialize_u64(*number),
            Process::Nemesis => serializer.serialize_str("nemesis"),
        }
    }
}

impl<'de> Deserialize<'de> for Process {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Process;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a process: a whole number, or \"nemesis\"")
            }
            fn visit_u64<E>(self, number: u64) -> Result<Process, E> {
                Ok(Process::Client(number))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Process, E> {
                match text {
                    "nemesis" => Ok(Process::Nemesis),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
