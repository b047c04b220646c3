//! Node processes: started, killed, paused, continued, stopped, and watched.
//!
//! | module | holds |
//! |---|---|
//! | `supervisor` | the nodes by number, and what is done to them |
//! | `spawn` | the one thread that starts them |
//! | `child` | one process: its wait status, signals that cannot hit another |
//! | `inspect` | thread states, as `/proc` has them |
//! | `guardian` | kills what a killed harness leaves behind |
//!
//! No node outlives the harness, not even one killed with SIGKILL:
//!
//! - each node asks the kernel for SIGKILL when the thread that started it
//!   ends (`PR_SET_PDEATHSIG`), which is why one long-lived thread starts all;
//! - its standard input is a pipe whose other end only the harness holds;
//! - the processes that a node starts itself share its process group, which
//!   the guardian kills when its own pipe to the harness closes.
//!
//! Not covered: a process that leaves its group (`setsid`) and ignores the end
//! of its standard input.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::signal::Signal;

use crate::fault::{Node, node_name};

mod child;
mod guardian;
mod inspect;
mod spawn;
mod supervisor;

pub use supervisor::Supervisor;

/// How to start a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Variables added to the harness's own environment.
    pub environment: BTreeMap<String, String>,
    /// The folder it runs in.
    pub directory: PathBuf,
    /// The file to which its standard output and error are appended.
    pub log: PathBuf,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It returned this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// Its wait status was lost.
    Unknown,
}

impl Exit {
    /// Whether SIGKILL ended it.
    pub fn by_kill(self) -> bool {
        self == Exit::Signal(Signal::SIGKILL as i32)
    }

    /// The signal that ended it, or that it stopped at and reports as shells
    /// and Java do, by 128 and its number.
    pub fn signal(self) -> Option<Signal> {
        match self {
            Exit::Signal(number) => Signal::try_from(number).ok(),
            Exit::Code(code) => Signal::try_from(code.checked_sub(128)?).ok(),
            Exit::Unknown => None,
        }
    }

    /// Whether a signal ended it that no program raises by a fault of its own:
    /// somebody sent it, or the kernel did for want of memory.
    pub fn from_outside(self) -> bool {
        const SENT: [Signal; 5] = [
            Signal::SIGHUP,
            Signal::SIGINT,
            Signal::SIGQUIT,
            Signal::SIGTERM,
            Signal::SIGKILL,
        ];
        self.signal().is_some_and(|signal| SENT.contains(&signal))
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exited with code {code}"),
            Exit::Signal(number) => match Signal::try_from(*number) {
                Ok(signal) => write!(f, "died by {}", signal.as_str()),
                Err(_) => write!(f, "died by signal {number}"),
            },
            Exit::Unknown => f.write_str("ended in a way that nobody saw"),
        }
    }
}

/// What is known of a node's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessState {
    /// It was never started.
    Absent,
    /// It runs.
    Running {
        /// Its process id.
        pid: u32,
    },
    /// It is stopped by a signal.
    Stopped {
        /// Its process id.
        pid: u32,
    },
    /// It is dead.
    Exited {
        /// The process id that it had.
        pid: u32,
        /// How it ended.
        exit: Exit,
    },
}

/// What the harness had asked of a process when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// To run.
    Nothing,
    /// To die at once.
    Kill,
    /// To crash itself, which shows by this exit code.
    Crash(i32),
    /// To crash itself, and to die at once before it had.
    CrashOrKill(i32),
    /// To end in its own time.
    Stop,
}

/// A node process ended otherwise than it was asked to: unasked, or with
/// another status than the request explains.
#[derive(Clone, Debug)]
pub struct ExitEvent {
    /// Which node.
    pub node: Node,
    /// The process id that it had.
    pub pid: u32,
    /// How it ended.
    pub exit: Exit,
    /// What it had been asked.
    pub asked: Asked,
    /// The last lines that it wrote since it was started.
    pub last_lines: Vec<String>,
    /// Where the rest of them are.
    pub log: PathBuf,
    /// When its end was seen.
    pub at: Instant,
}

/// A process died of SIGKILL, by its wait status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Killed {
    /// The process id that it had.
    pub pid: u32,
    /// Its wait status.
    pub exit: Exit,
}

/// Every thread of a node was seen stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paused {
    /// Its process id.
    pub pid: u32,
    /// How many processes are in its group.
    pub processes: usize,
    /// How many threads they have, all stopped.
    pub threads: usize,
}

/// No thread of a node is stopped any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// Its process id.
    pub pid: u32,
    /// How many threads run again.
    pub threads: usize,
    /// Whether it was still stopped when it was continued.
    pub was_stopped: bool,
}

/// Why something could not be done to a node's process.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// The supervisor's own threads could not be started.
    #[error("start the supervisor")]
    Supervisor(#[source] io::Error),
    /// The process could not be started.
    #[error("start {} as {}", program.display(), node_name(*node))]
    Start {
        /// Which node.
        node: Node,
        /// Which program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It runs already.
    #[error("{} runs already, as process {pid}", node_name(*node))]
    Running {
        /// Which node.
        node: Node,
        /// Its process id.
        pid: u32,
    },
    /// It was never started.
    #[error("{} was never started", node_name(*node))]
    Absent {
        /// Which node.
        node: Node,
    },
    /// It was dead already.
    #[error("{} {exit} before", node_name(*node))]
    Dead {
        /// Which node.
        node: Node,
        /// How it had ended.
        exit: Exit,
    },
    /// The kernel refused the signal.
    #[error("signal {}", node_name(*node))]
    Signal {
        /// Which node.
        node: Node,
        /// What the kernel said.
        source: Errno,
    },
    /// The signal was sent and nothing was seen to come of it.
    #[error("{} was not seen to be {expected} within {limit_ms} ms", node_name(*node))]
    Unconfirmed {
        /// Which node.
        node: Node,
        /// What was expected to be seen.
        expected: &'static str,
        /// How long was waited.
        limit_ms: u64,
    },
}
