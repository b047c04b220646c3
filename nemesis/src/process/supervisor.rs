//! The nodes by number, and what is done to their processes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::child::Child;
use super::guardian::Guardian;
use super::inspect::{self, Census, census};
use super::spawn::Spawner;
use super::{
    Asked, Exit, ExitEvent, Killed, NodeCommand, Paused, ProcessError, ProcessState, Resumed,
};
use crate::cluster::{Pending, Processes};
use crate::fault::Node;

/// How long a signal may take to be seen to work. Long, because a thread in
/// an uninterruptible sleep (a slow fsync) neither stops nor dies before it.
const CONFIRM_MS: u64 = 10_000;
const CONFIRM: Duration = Duration::from_millis(CONFIRM_MS);

/// A node that does not stop is waited for so long before it is stopped anew, and
/// what of it has stopped goes on for so long before that, at most.
const PATIENCE_MAX: Duration = Duration::from_millis(800);
const RESPITE_MAX: Duration = Duration::from_millis(64);

/// Starts and controls the node processes of one cluster.
///
/// Everything is killed and reaped when it is dropped, and if the harness dies
/// without dropping it. Must be used from within a tokio runtime.
pub struct Supervisor {
    nodes: Mutex<BTreeMap<Node, Entry>>,
    events: mpsc::UnboundedSender<ExitEvent>,
    guardian: Option<Arc<Guardian>>,
    /// One start at a time, so that no node is started twice.
    starting: tokio::sync::Mutex<()>,
    /// Last, so that its thread ends after everything was killed: nodes die
    /// with it.
    spawner: Spawner,
}

struct Entry {
    command: NodeCommand,
    child: Arc<Child>,
}

impl Supervisor {
    /// A supervisor of no nodes yet, and where ends that were not asked for
    /// are announced.
    pub fn new() -> Result<(Self, mpsc::UnboundedReceiver<ExitEvent>), ProcessError> {
        let (events, announced) = mpsc::unbounded_channel();
        let guardian = Guardian::new().map(Arc::new).inspect_err(|error| {
            tracing::warn!(%error, "no guardian: what nodes start may outlive a killed harness");
        });
        let guardian = guardian.ok();
        let supervisor = Supervisor {
            nodes: Mutex::default(),
            events,
            guardian: guardian.clone(),
            starting: tokio::sync::Mutex::default(),
            spawner: Spawner::new(guardian).map_err(ProcessError::Supervisor)?,
        };
        Ok((supervisor, announced))
    }

    /// Starts a node; returns its process id. The command is kept for
    /// [`Processes::restart`].
    pub async fn start(&self, node: Node, command: NodeCommand) -> Result<u32, ProcessError> {
        let _one_at_a_time = self.starting.lock().await;
        if let ProcessState::Running { pid } | ProcessState::Stopped { pid } = self.state(node) {
            return Err(ProcessError::Running { node, pid });
        }
        let failed = |source| ProcessError::Start {
            node,
            program: command.program.clone(),
            source,
        };
        let spawned = self.spawner.spawn(command.clone()).await.map_err(failed)?;
        let (pid, events) = (spawned.child.id(), self.events.clone());
        let guardian = self.guardian.clone();
        let announce = move |event| {
            // Without a listener nobody wants to know.
            let _ = events.send(event);
        };
        let release = move || guardian.iter().for_each(|guardian| guardian.release(pid));
        let child =
            Child::watch(node, command.log.clone(), spawned, announce, release).map_err(failed)?;
        self.lock().insert(node, Entry { command, child });
        Ok(pid)
    }

    /// Ends a node: SIGTERM, and SIGKILL after `grace`. A paused one is
    /// continued, so that it can end. Nothing for one that is dead already.
    pub async fn stop(&self, node: Node, grace: Duration) -> Result<Exit, ProcessError> {
        let child = self.child(node)?;
        for signal in [Signal::SIGTERM, Signal::SIGCONT] {
            match child.signal(signal, Some(Asked::Stop)) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(source) => return Err(ProcessError::Signal { node, source }),
            }
        }
        if let Some(ProcessState::Exited { exit, .. }) = child.until(grace, is_exited).await {
            return Ok(exit);
        }
        let _ = child.signal(Signal::SIGKILL, Some(Asked::Stop));
        exit_of(&child).await
    }

    /// Ends every node at once, as [`Supervisor::stop`] does.
    pub async fn stop_all(&self, grace: Duration) -> Vec<(Node, Result<Exit, ProcessError>)> {
        let nodes: Vec<Node> = self.lock().keys().copied().collect();
        let children: Vec<Arc<Child>> = nodes.iter().filter_map(|n| self.child(*n).ok()).collect();
        for child in &children {
            for signal in [Signal::SIGTERM, Signal::SIGCONT] {
                let _ = child.signal(signal, Some(Asked::Stop));
            }
        }
        let deadline = Instant::now() + grace;
        let mut ends = Vec::new();
        for node in nodes {
            let left = deadline.saturating_duration_since(Instant::now());
            ends.push((node, self.stop(node, left).await));
        }
        ends
    }

    /// The last lines that the node's present or latest process wrote.
    pub fn last_lines(&self, node: Node) -> Vec<String> {
        self.child(node)
            .map(|child| child.last_lines())
            .unwrap_or_default()
    }

    async fn kill(&self, node: Node) -> Result<Killed, ProcessError> {
        let child = self.living(node)?;
        self.send(&child, Signal::SIGKILL, Some(Asked::Kill))?;
        let exit = exit_of(&child).await?;
        match exit.by_kill() {
            true => Ok(Killed {
                pid: child.pid,
                exit,
            }),
            // It had ended of itself just before.
            false => Err(ProcessError::Dead { node, exit }),
        }
    }

    async fn restart(&self, node: Node) -> Result<u32, ProcessError> {
        let command = self.lock().get(&node).map(|entry| entry.command.clone());
        self.start(node, command.ok_or(ProcessError::Absent { node })?)
            .await
    }

    async fn pause(&self, node: Node) -> Result<Paused, ProcessError> {
        let child = self.living(node)?;
        let deadline = Instant::now() + CONFIRM;
        let mut patience = Duration::from_millis(50);
        let mut respite = Duration::from_millis(2);
        loop {
            self.send(&child, Signal::SIGSTOP, None)?;
            if let Some(Census {
                processes, threads, ..
            }) = stopped(&child, patience).await
            {
                return Ok(Paused {
                    pid: child.pid,
                    processes,
                    threads,
                });
            }
            if let ProcessState::Exited { exit, .. } = child.state() {
                return Err(ProcessError::Dead { node, exit });
            }
            if Instant::now() >= deadline {
                return Err(unconfirmed(node, "stopped"));
            }
            // A process between vfork and exec holds its parent up, and once
            // stopped holds it up for good: the parent, which waits for it,
            // never stops. Who has stopped has to go on a little, the parent does
            // not: it stops as soon as it can.
            for pid in inspect::stopped(child.pid) {
                // It may have ended in between.
                let _ = kill(Pid::from_raw(pid as i32), Signal::SIGCONT);
            }
            sleep(respite).await;
            respite = (respite * 2).min(RESPITE_MAX);
            patience = (patience * 2).min(PATIENCE_MAX);
        }
    }

    async fn resume(&self, node: Node) -> Result<Resumed, ProcessError> {
        let child = self.living(node)?;
        let (pid, expected) = (child.pid, "running");
        let was_stopped = matches!(child.state(), ProcessState::Stopped { .. });
        self.send(&child, Signal::SIGCONT, None)?;
        let continued = |state: &ProcessState| !matches!(state, ProcessState::Stopped { .. });
        match child.until(CONFIRM, continued).await {
            Some(ProcessState::Exited { exit, .. }) => {
                return Err(ProcessError::Dead { node, exit });
            }
            Some(_) => {}
            None => return Err(unconfirmed(node, expected)),
        }
        let all = counted(pid, CONFIRM, |seen| seen.threads > 0 && seen.stopped == 0).await;
        let threads = all.ok_or_else(|| unconfirmed(node, expected))?.threads;
        Ok(Resumed {
            pid,
            threads,
            was_stopped,
        })
    }

    fn send(
        &self,
        child: &Child,
        signal: Signal,
        asked: Option<Asked>,
    ) -> Result<(), ProcessError> {
        child
            .signal(signal, asked)
            .map_err(|source| match (source, child.state()) {
                (Errno::ESRCH, ProcessState::Exited { exit, .. }) => ProcessError::Dead {
                    node: child.node,
                    exit,
                },
                _ => ProcessError::Signal {
                    node: child.node,
                    source,
                },
            })
    }

    fn child(&self, node: Node) -> Result<Arc<Child>, ProcessError> {
        let child = self.lock().get(&node).map(|entry| Arc::clone(&entry.child));
        child.ok_or(ProcessError::Absent { node })
    }

    fn living(&self, node: Node) -> Result<Arc<Child>, ProcessError> {
        let child = self.child(node)?;
        match child.state() {
            ProcessState::Exited { exit, .. } => Err(ProcessError::Dead { node, exit }),
            _ => Ok(child),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Node, Entry>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Processes for Supervisor {
    fn state(&self, node: Node) -> ProcessState {
        self.child(node)
            .map_or(ProcessState::Absent, |child| child.state())
    }

    fn kill(&self, node: Node) -> Pending<'_, Result<Killed, ProcessError>> {
        Box::pin(self.kill(node))
    }

    fn ended(&self, node: Node) -> Pending<'_, Exit> {
        Box::pin(async move {
            match self.child(node) {
                Ok(child) => child.ended().await,
                // What was never started never ends.
                Err(_) => std::future::pending().await,
            }
        })
    }

    fn restart(&self, node: Node) -> Pending<'_, Result<u32, ProcessError>> {
        Box::pin(self.restart(node))
    }

    fn expect_exit(&self, node: Node, code: Option<i32>) -> Result<(), ProcessError> {
        let asked = code.map_or(Asked::Nothing, Asked::Crash);
        self.living(node).map(|child| child.expect(asked))
    }

    fn pause(&self, node: Node) -> Pending<'_, Result<Paused, ProcessError>> {
        Box::pin(self.pause(node))
    }

    fn resume(&self, node: Node) -> Pending<'_, Result<Resumed, ProcessError>> {
        Box::pin(self.resume(node))
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let nodes = std::mem::take(&mut *self.lock());
        for entry in nodes.values() {
            let _ = entry.child.signal(Signal::SIGKILL, Some(Asked::Kill));
        }
        for entry in nodes.values() {
            entry.child.join(CONFIRM);
        }
    }
}

fn is_exited(state: &ProcessState) -> bool {
    matches!(state, ProcessState::Exited { .. })
}

fn unconfirmed(node: Node, expected: &'static str) -> ProcessError {
    ProcessError::Unconfirmed {
        node,
        expected,
        limit_ms: CONFIRM_MS,
    }
}

async fn exit_of(child: &Child) -> Result<Exit, ProcessError> {
    match child.until(CONFIRM, is_exited).await {
        Some(ProcessState::Exited { exit, .. }) => Ok(exit),
        _ => Err(unconfirmed(child.node, "dead")),
    }
}

/// Waits until the process and every thread in its group was seen stopped.
async fn stopped(child: &Child, limit: Duration) -> Option<Census> {
    let is_stopped = |state: &ProcessState| matches!(state, ProcessState::Stopped { .. });
    let settled = |state: &ProcessState| is_stopped(state) || is_exited(state);
    child.until(limit, settled).await.filter(is_stopped)?;
    let all = counted(child.pid, limit, |seen| {
        seen.threads > 0 && seen.stopped == seen.threads
    });
    all.await.filter(|_| is_stopped(&child.state()))
}

/// Counts a group's threads until they are as wanted. The kernel reports the
/// group's leader to us, but not what the leader started: those are looked at.
async fn counted(group: u32, limit: Duration, wanted: impl Fn(&Census) -> bool) -> Option<Census> {
    let deadline = Instant::now() + limit;
    loop {
        let seen = tokio::task::spawn_blocking(move || census(group))
            .await
            .ok()?;
        if wanted(&seen) {
            return Some(seen);
        }
        if Instant::now() >= deadline {
            return None;
        }
        sleep(Duration::from_millis(1)).await;
    }
}
