//! The one thread that starts all node processes.
//!
//! `PR_SET_PDEATHSIG` fires when the *thread* that forked ends, not the
//! process; a thread of an async runtime's pool would take its nodes with it.
//! So one thread, which ends last, starts them all.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpid, getppid};
use tokio::sync::oneshot;

use super::NodeCommand;
use super::guardian::{Announcer, Guardian};

/// A process that was started, and where its part of the log begins.
pub(super) struct Spawned {
    pub child: Child,
    pub log_start: u64,
}

struct Request {
    command: NodeCommand,
    answer: oneshot::Sender<io::Result<Spawned>>,
}

/// Starts processes; ends its thread when dropped.
#[derive(Debug)]
pub(super) struct Spawner {
    requests: Option<mpsc::Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl Spawner {
    /// A spawner whose processes are told to the guardian, if there is one.
    pub fn new(guardian: Option<Arc<Guardian>>) -> io::Result<Self> {
        let (requests, asked) = mpsc::channel::<Request>();
        let serve = move || {
            for request in asked {
                if let Err(Ok(mut unwanted)) = request
                    .answer
                    .send(spawn(&request.command, guardian.as_deref()))
                {
                    // Whoever asked is gone: nobody would ever stop it.
                    let _ = unwanted.child.kill();
                    let _ = unwanted.child.wait();
                }
            }
        };
        let thread = thread::Builder::new()
            .name("spawn-nodes".to_owned())
            .spawn(serve)?;
        Ok(Spawner {
            requests: Some(requests),
            thread: Some(thread),
        })
    }

    pub async fn spawn(&self, command: NodeCommand) -> io::Result<Spawned> {
        let ended = || io::Error::other("the thread that starts nodes has ended");
        let (answer, answered) = oneshot::channel();
        let requests = self.requests.as_ref().ok_or_else(ended)?;
        requests
            .send(Request { command, answer })
            .map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn spawn(command: &NodeCommand, guardian: Option<&Guardian>) -> io::Result<Spawned> {
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&command.log)?;
    let log_start = log.metadata()?.len();
    let mut builder = Command::new(&command.program);
    builder
        .args(&command.arguments)
        .envs(&command.environment)
        .current_dir(&command.directory)
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log)
        // A group of its own: Ctrl-C at a terminal is for the harness alone,
        // and a signal to the node reaches whatever it starts.
        .process_group(0);
    let harness = getpid();
    let announcer = guardian.and_then(Guardian::announcer);
    // SAFETY: between fork and exec only async-signal-safe functions may run;
    // `die_with` makes a few system calls and allocates nothing.
    unsafe {
        builder.pre_exec(move || die_with(harness, announcer.as_ref()));
    }
    let child = builder.spawn();
    if let Some(guardian) = guardian {
        match &child {
            Ok(child) => guardian.guard(child.id()),
            Err(_) => guardian.forget(),
        }
    }
    Ok(Spawned {
        child: child?,
        log_start,
    })
}

/// Asks the kernel to kill this process when its parent ends, and the guardian
/// to kill what it will have started.
fn die_with(harness: Pid, announcer: Option<&Announcer>) -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // The parent may have died before the request was in place; then nobody
    // would ever kill this process.
    if getppid() != harness {
        return Err(nix::errno::Errno::ESRCH.into());
    }
    if let Some(announcer) = announcer {
        announcer.announce(getpid().as_raw() as u32);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[tokio::test]
    async fn a_process_dies_with_the_thread_that_started_it() {
        let folder = tempfile::tempdir().unwrap();
        let spawner = Spawner::new(None).unwrap();
        let command = NodeCommand {
            program: "sleep".into(),
            arguments: vec!["1000".to_owned()],
            environment: BTreeMap::new(),
            directory: folder.path().to_owned(),
            log: folder.path().join("log"),
        };
        let mut spawned = spawner.spawn(command).await.unwrap();
        assert!(spawned.child.try_wait().unwrap().is_none());
        drop(spawner);
        let status = spawned.child.wait().unwrap();
        assert_eq!(status.signal(), Some(Signal::SIGKILL as i32));
    }
}
