//! The traces of all nodes of a run: each against its machine, and what was
//! delivered against what was sent.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tribunal_protocol::{Machine, NodeId};

use super::line::{Fingerprint, Line, Role};
use super::replay::{Replay, Tally};

/// Why traces could not be judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// A trace could not be read.
    #[error("read {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is none of a trace.
    #[error("{}:{line}:{column}: expected a line of a trace: {why}", path.display())]
    Malformed {
        /// In which trace.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// Where in it, from 1.
        column: usize,
        /// What is wrong with it.
        why: String,
    },
}

/// What was concluded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The first thing that is wrong; none if nothing is.
    pub violation: Option<Violation>,
    /// How much each node's trace holds.
    pub nodes: BTreeMap<NodeId, Tally>,
}

/// Something that a right runtime does not do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// By which node.
    pub node: NodeId,
    /// In which trace.
    pub trace: PathBuf,
    /// In which line, from 1.
    pub line: usize,
    /// What it did.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, line) = (self.trace.display(), self.line);
        write!(f, "{}, {trace}:{line}: {}", self.node, self.what)
    }
}

impl Judged {
    /// Steps of all machines together.
    pub fn steps(&self) -> usize {
        self.nodes.values().map(|tally| tally.steps).sum()
    }
}

/// Judges the traces of all nodes of a run of machine `M`; `config` makes a
/// node's configuration from its role.
pub fn judge<M: Machine>(
    traces: &BTreeMap<NodeId, PathBuf>,
    config: &dyn Fn(&Role) -> Result<M::Config, String>,
) -> Result<Judged, TraceError> {
    let mut followed = BTreeMap::new();
    for (node, path) in traces {
        let mut replay = Replay::<M>::new(config);
        if let Some(violation) = follow(*node, path, &mut replay)? {
            return Ok(Judged {
                violation: Some(violation),
                nodes: BTreeMap::from([(*node, replay.tally)]),
            });
        }
        followed.insert(*node, replay);
    }
    let nodes = followed.iter().map(|(node, replay)| (*node, replay.tally));
    Ok(Judged {
        nodes: nodes.collect(),
        violation: unsent(traces, &followed),
    })
}

/// Follows a node through its trace up to the first thing that is wrong.
fn follow<M: Machine>(
    node: NodeId,
    path: &Path,
    replay: &mut Replay<'_, M>,
) -> Result<Option<Violation>, TraceError> {
    let failed = |source| TraceError::Io {
        path: path.to_owned(),
        source,
    };
    let mut lines = BufReader::new(File::open(path).map_err(failed)?);
    let mut text = Vec::new();
    // A line that cannot be read; it may be cut in two by the end of a process.
    let mut cut: Option<(usize, serde_json::Error)> = None;
    for number in 1.. {
        text.clear();
        if lines.read_until(b'\n', &mut text).map_err(failed)? == 0 {
            break;
        }
        let line = match serde_json::from_slice::<Line>(&text) {
            Ok(line) => line,
            Err(error) if cut.is_none() => {
                cut = Some((number, error));
                continue;
            }
            Err(error) => return Err(malformed(path, number, &error)),
        };
        if let Some((number, error)) = cut.take()
            && !matches!(line, Line::Start(_))
        {
            return Err(malformed(path, number, &error));
        }
        let wrong = match &line {
            Line::Start(start) if start.role.node != node => Err(format!(
                "the trace is of {}, not of {node}",
                start.role.node
            )),
            line => replay.line(number, line),
        };
        if let Err(what) = wrong {
            return Ok(Some(Violation {
                node,
                trace: path.to_owned(),
                line: number,
                what,
            }));
        }
    }
    Ok(None)
}

fn malformed(path: &Path, line: usize, error: &serde_json::Error) -> TraceError {
    TraceError::Malformed {
        path: path.to_owned(),
        line,
        column: error.column(),
        why: error.to_string(),
    }
}

/// A message that was delivered more often than it was sent.
fn unsent<M: Machine>(
    traces: &BTreeMap<NodeId, PathBuf>,
    nodes: &BTreeMap<NodeId, Replay<'_, M>>,
) -> Option<Violation> {
    let mut under_way: BTreeMap<(NodeId, NodeId, Fingerprint), usize> = BTreeMap::new();
    for (from, replay) in nodes {
        for (to, message) in &replay.sent {
            *under_way.entry((*from, *to, *message)).or_default() += 1;
        }
    }
    for (to, replay) in nodes {
        for (from, message, line) in &replay.delivered {
            let left = under_way.get_mut(&(*from, *to, *message));
            match left.and_then(|left| left.checked_sub(1).map(|less| *left = less)) {
                Some(()) => {}
                None => {
                    return Some(Violation {
                        node: *to,
                        trace: traces[to].clone(),
                        line: *line,
                        what: format!(
                            "message {message} is delivered once more than {from} has sent it"
                        ),
                    });
                }
            }
        }
    }
    None
}
