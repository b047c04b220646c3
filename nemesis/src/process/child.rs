//! One node process: a thread that waits for it, and signals that can only
//! ever reach it.
//!
//! A process id is free for another process as soon as its owner was reaped.
//! Signals are therefore sent under a lock that the reaping takes too, so that
//! none is sent to a process id that is no longer this process's.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::process::ChildStdin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use tokio::sync::watch;

use super::spawn::Spawned;
use super::{Asked, Exit, ExitEvent, ProcessState};
use crate::fault::Node;

/// How many of a process's last lines are worth showing.
const LAST_LINES: usize = 20;
/// How far back they are looked for.
const LAST_BYTES: u64 = 16 * 1024;

/// One process that was started.
#[derive(Debug)]
pub(super) struct Child {
    pub node: Node,
    pub pid: u32,
    log: PathBuf,
    log_start: u64,
    state: watch::Sender<ProcessState>,
    inner: Mutex<Inner>,
    /// Closes when the waiting thread ends.
    reaped: Mutex<mpsc::Receiver<()>>,
}

#[derive(Debug)]
struct Inner {
    /// Whether the process id is still this process's.
    owned: bool,
    asked: Asked,
    /// The node sees the end of its input when this is dropped: when it is
    /// dead, or the harness is.
    _stdin: Option<ChildStdin>,
}

impl Child {
    /// Watches over a process until it ends; tells `ended` if that was not
    /// asked for, and `released` that its process id is free again.
    pub fn watch(
        node: Node,
        log: PathBuf,
        mut spawned: Spawned,
        ended: impl FnOnce(ExitEvent) + Send + 'static,
        released: impl FnOnce() + Send + 'static,
    ) -> io::Result<Arc<Self>> {
        let pid = spawned.child.id();
        let (until_reaped, reaped) = mpsc::channel::<()>();
        let child = Arc::new(Child {
            node,
            pid,
            log,
            log_start: spawned.log_start,
            state: watch::Sender::new(ProcessState::Running { pid }),
            inner: Mutex::new(Inner {
                owned: true,
                asked: Asked::Nothing,
                _stdin: spawned.child.stdin.take(),
            }),
            reaped: Mutex::new(reaped),
        });
        let watched = Arc::clone(&child);
        let wait = move || {
            let exit = watched.wait();
            released();
            if let Some(event) = watched.unexplained(exit) {
                ended(event);
            }
            watched
                .state
                .send_replace(ProcessState::Exited { pid, exit });
            drop(until_reaped);
        };
        let waiting = thread::Builder::new()
            .name(format!("wait-n{node}"))
            .spawn(wait);
        if let Err(error) = waiting {
            let _ = spawned.child.kill();
            let _ = spawned.child.wait();
            return Err(error);
        }
        Ok(child)
    }

    pub fn state(&self) -> ProcessState {
        *self.state.borrow()
    }

    /// Sends a signal to the process and everything in its group, if it still
    /// lives. A request to end is noted, so that its end is no surprise.
    pub fn signal(&self, signal: Signal, asked: Option<Asked>) -> Result<(), Errno> {
        let mut inner = self.lock();
        if !inner.owned {
            return Err(Errno::ESRCH);
        }
        if let Some(asked) = asked {
            inner.asked = match (inner.asked, asked) {
                // It may have come to its place just before.
                (Asked::Crash(code), Asked::Kill) => Asked::CrashOrKill(code),
                (_, asked) => asked,
            };
        }
        killpg(self.group(), signal)
    }

    /// Notes what was asked of the process, without a signal.
    pub fn expect(&self, asked: Asked) {
        self.lock().asked = asked;
    }

    /// Waits until the state is as wanted; the state, or none after `limit`.
    pub async fn until(
        &self,
        limit: Duration,
        wanted: impl FnMut(&ProcessState) -> bool,
    ) -> Option<ProcessState> {
        let mut seen = self.state.subscribe();
        let reached = tokio::time::timeout(limit, seen.wait_for(wanted)).await;
        reached.ok()?.ok().map(|state| *state)
    }

    /// Waits until it is dead.
    pub async fn ended(&self) -> Exit {
        let mut seen = self.state.subscribe();
        let dead = |state: &ProcessState| matches!(state, ProcessState::Exited { .. });
        match seen.wait_for(dead).await.map(|state| *state) {
            Ok(ProcessState::Exited { exit, .. }) => exit,
            _ => Exit::Unknown,
        }
    }

    /// Blocks until the process was reaped, at most `limit`.
    pub fn join(&self, limit: Duration) {
        let reaped = self.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = reaped.recv_timeout(limit);
    }

    /// The last lines that it wrote.
    pub fn last_lines(&self) -> Vec<String> {
        // A log that cannot be read has nothing to say; its absence shows.
        tail(&self.log, self.log_start).unwrap_or_default()
    }

    fn group(&self) -> Pid {
        Pid::from_raw(self.pid as i32)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows the process until it ends, and reaps it.
    fn wait(&self) -> Exit {
        let any = WaitPidFlag::WEXITED | WaitPidFlag::WSTOPPED | WaitPidFlag::WCONTINUED;
        loop {
            match waitid(Id::Pid(self.group()), any | WaitPidFlag::WNOWAIT) {
                Ok(WaitStatus::Stopped(..) | WaitStatus::Continued(..)) => {
                    self.note_stop_or_continue()
                }
                Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) => return self.reap(),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => {
                    self.lock().owned = false;
                    return Exit::Unknown;
                }
            }
        }
    }

    /// Takes the report off the kernel's hands. It may have been overtaken by
    /// another, which is then the truth.
    fn note_stop_or_continue(&self) {
        let some = WaitPidFlag::WSTOPPED | WaitPidFlag::WCONTINUED | WaitPidFlag::WNOHANG;
        let pid = self.pid;
        match waitid(Id::Pid(self.group()), some) {
            Ok(WaitStatus::Stopped(..)) => self.state.send_replace(ProcessState::Stopped { pid }),
            Ok(WaitStatus::Continued(..)) => self.state.send_replace(ProcessState::Running { pid }),
            _ => return,
        };
    }

    fn reap(&self) -> Exit {
        let mut inner = self.lock();
        // The dead leader still holds the group's number, so this reaches what
        // it left behind and nothing else.
        let _ = killpg(self.group(), Signal::SIGKILL);
        let status = waitid(Id::Pid(self.group()), WaitPidFlag::WEXITED);
        inner.owned = false;
        inner._stdin = None;
        match status {
            Ok(WaitStatus::Exited(_, code)) => Exit::Code(code),
            Ok(WaitStatus::Signaled(_, signal, _)) => Exit::Signal(signal as i32),
            _ => Exit::Unknown,
        }
    }

    fn unexplained(&self, exit: Exit) -> Option<ExitEvent> {
        let asked = self.lock().asked;
        let event = ExitEvent {
            node: self.node,
            pid: self.pid,
            exit,
            asked,
            last_lines: Vec::new(),
            log: self.log.clone(),
            at: Instant::now(),
        };
        (!explains(asked, exit)).then(|| ExitEvent {
            last_lines: self.last_lines(),
            ..event
        })
    }
}

/// Whether a process that was asked so may end so.
fn explains(asked: Asked, exit: Exit) -> bool {
    match (asked, exit) {
        (Asked::Nothing, _) => false,
        (Asked::Kill, exit) => exit.by_kill(),
        (Asked::Crash(code), exit) => exit == Exit::Code(code),
        (Asked::CrashOrKill(code), exit) => exit == Exit::Code(code) || exit.by_kill(),
        // A kill ends the grace.
        (Asked::Stop, Exit::Code(0)) => true,
        (Asked::Stop, exit) => exit.signal() == Some(Signal::SIGTERM) || exit.by_kill(),
    }
}

fn tail(log: &PathBuf, start: u64) -> io::Result<Vec<String>> {
    let mut file = File::open(log)?;
    let from = file.metadata()?.len().saturating_sub(LAST_BYTES).max(start);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    // The first line is cut in two unless the process's part begins there.
    let whole = usize::from(from > start && !lines.is_empty());
    Ok(lines[whole.max(lines.len().saturating_sub(LAST_LINES))..].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_explained_only_by_what_was_asked() {
        assert!(!explains(Asked::Nothing, Exit::Code(0)));
        assert!(explains(Asked::Kill, Exit::Signal(9)));
        assert!(!explains(Asked::Kill, Exit::Code(101)));
        assert!(explains(Asked::Crash(86), Exit::Code(86)));
        assert!(!explains(Asked::Crash(86), Exit::Code(101)));
        assert!(!explains(Asked::Crash(86), Exit::Signal(9)));
        assert!(explains(Asked::Stop, Exit::Code(0)));
        assert!(explains(Asked::Stop, Exit::Signal(15)));
        assert!(!explains(Asked::Stop, Exit::Code(101)));
        assert!(!explains(Asked::Stop, Exit::Signal(6)));
    }

    #[test]
    fn a_tail_holds_whole_lines_of_this_process_alone() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        std::fs::write(&log, "before\nmine 1\nmine 2\n").unwrap();
        assert_eq!(tail(&log, 7).unwrap(), ["mine 1", "mine 2"]);
        let long: String = (0..5_000).map(|i| format!("line {i}\n")).collect();
        std::fs::write(&log, long).unwrap();
        let lines = tail(&log, 0).unwrap();
        assert_eq!(lines.len(), LAST_LINES);
        assert_eq!(lines[0], "line 4980");
    }
}
