//! The lines of a trace: JSON, one event each.
//!
//! Messages and requests are written as they travel, in hexadecimal; hashes
//! are those of [`hash_of`], which a toolchain computes alike in every build.

use std::fmt::{self, Debug, Write};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::Compaction;
use crate::settings::Chosen;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tribunal_protocol::{Input, Machine, NodeId, Outcome, Output};

/// The version of these lines; another one is refused.
pub const VERSION: u32 = 1;

/// Which part a node plays: all that its machine's configuration is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Which node.
    pub node: NodeId,
    /// The others.
    pub peers: Vec<NodeId>,
    /// Which wrong version of the protocol, if any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bug: Option<String>,
    /// When it compacts its log by itself.
    #[serde(skip_serializing_if = "Compaction::is_usual", default)]
    pub compaction: Compaction,
    /// What else was chosen of it.
    #[serde(skip_serializing_if = "Chosen::is_empty", default)]
    pub settings: Chosen,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Line {
    /// The node has recovered and starts.
    Start(Start),
    /// The machine took one step.
    Step(Step),
    /// These outputs leave now, in this order.
    Leaves(Vec<Fingerprint>),
    /// So many persists go to the disk, as one frame.
    Handed(usize),
    /// The frame with so many persists is durable.
    Durable(usize),
    /// The node was told to end.
    Stop {},
    /// The node ends because it must.
    Crash(String),
}

/// What a node starts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// [`VERSION`].
    pub version: u32,
    /// The machine's name.
    pub machine: String,
    /// Which part it plays.
    pub role: Role,
    /// How often it was started, this time included.
    pub incarnation: u64,
    /// What it found on its disk.
    pub found: Fingerprint,
    /// Its clock.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub clock: u64,
    /// What it asked for.
    pub outputs: Fingerprint,
    /// The machine that was made.
    pub state: Fingerprint,
}

/// One step of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What it took.
    pub input: Taken,
    /// Its clock.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub clock: u64,
    /// What it asked for.
    pub outputs: Fingerprint,
    /// The machine after it, where there was time to look.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state: Option<Fingerprint>,
}

/// An input, as a line has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of `Input`")]
pub enum Taken {
    /// A message was delivered.
    Message { from: NodeId, message: Bytes },
    /// A session began or broke.
    Link { peer: NodeId, up: bool },
    /// A timer expired. Timers do not travel: the name is for people, the
    /// fingerprint tells which of those that were set it is.
    Timer { timer: Fingerprint, name: String },
    /// A client asked.
    Request { id: u64, request: Bytes },
    /// So many persists are durable.
    Persisted(usize),
}

impl Taken {
    /// An input as a line has it.
    pub fn of<M: Machine>(input: &Input<M>) -> Taken {
        match input {
            Input::Message { from, message } => Taken::Message {
                from: *from,
                message: Bytes::of(message),
            },
            Input::Link { peer, up } => Taken::Link {
                peer: *peer,
                up: *up,
            },
            Input::Timer(timer) => Taken::Timer {
                timer: hash_of(timer),
                name: format!("{timer:?}"),
            },
            Input::Request { id, request } => Taken::Request {
                id: id.0,
                request: Bytes::of(request),
            },
            Input::Persisted(count) => Taken::Persisted(*count),
        }
    }
}

/// What tells an output that leaves from others; none for one that never
/// leaves the node.
pub fn departure<M: Machine>(output: &Output<M>) -> Option<Fingerprint> {
    match output {
        Output::Send { to, message, .. } => Some(sent::<M>(*to, message)),
        Output::Answer { id, outcome, .. } => Some(answered::<M>(id.0, outcome)),
        Output::Persist(_) | Output::SetTimer { .. } | Output::CancelTimer(_) => None,
    }
}

/// The fingerprint of a message on its way to a node.
pub fn sent<M: Machine>(to: NodeId, message: &M::Message) -> Fingerprint {
    hash_of(&(0_u8, to, message))
}

/// The fingerprint of a client's answer.
pub fn answered<M: Machine>(id: u64, outcome: &Outcome<M::Response>) -> Fingerprint {
    hash_of(&(1_u8, id, outcome))
}

/// A hash, written as sixteen hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u64);

/// The hash of a value; without a key, so that every process gets the same.
pub fn hash_of<T: Hash + ?Sized>(value: &T) -> Fingerprint {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    Fingerprint(hasher.finish())
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = u64::from_str_radix(&text, 16);
        number.map(Fingerprint).map_err(Error::custom)
    }
}

/// A value as it travels, written as hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes(Vec<u8>);

impl Bytes {
    fn of<T: Serialize>(value: &T) -> Bytes {
        Bytes(postcard::to_allocvec(value).expect("what travels can be written"))
    }

    /// The value again.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, postcard::Error> {
        postcard::from_bytes(&self.0)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(2 * self.0.len());
        for byte in &self.0 {
            let _ = write!(text, "{byte:02x}");
        }
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let pairs = text.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair)
                .ok()
                .filter(|pair| pair.len() == 2)?;
            u8::from_str_radix(pair, 16).ok()
        });
        let bytes: Option<Vec<u8>> = pairs.collect();
        bytes
            .map(Bytes)
            .ok_or_else(|| D::Error::custom("expected pairs of hexadecimal digits"))
    }
}

fn is_zero(clock: &u64) -> bool {
    *clock == 0
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use tribunal_protocol::RequestId;
    use tribunal_protocol::examples::single_decree::SingleDecree;

    use super::*;

    #[test]
    fn a_line_is_read_back_as_it_was_written() {
        let request = Input::<SingleDecree>::Request {
            id: RequestId(7),
            request: 300,
        };
        let step = Line::Step(Step {
            input: Taken::of(&request),
            clock: 0,
            outputs: Fingerprint(255),
            state: None,
        });
        let text = serde_json::to_string(&step).unwrap();
        let expected = expect![[
            r#"{"step":{"input":{"request":{"id":7,"request":"ac02"}},"outputs":"00000000000000ff"}}"#
        ]];
        expected.assert_eq(&text);
        assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), step);
        for line in [
            Line::Stop {},
            Line::Handed(3),
            Line::Leaves(vec![Fingerprint(1)]),
        ] {
            let text = serde_json::to_string(&line).unwrap();
            assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line);
        }
        assert!(serde_json::from_str::<Bytes>("\"abc\"").is_err());
    }
}
