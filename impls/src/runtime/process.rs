//! The process around a node: signals, panics, exit codes.
//!
//! A node process is a system under trial and no judgement, so its exit codes
//! are not a verdict's: 143 after SIGTERM, 130 after SIGINT, as shells report
//! them, and those below.

use std::cell::Cell;
use std::error::Error;
use std::io::{self, Read, Write};
use std::panic;
use std::process;
use std::thread;

use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};

use super::{NodeError, Options, Ready, run};
use crate::service::Service;

/// The exit code of a node that refused to start: its options, an address or
/// its data folder.
pub const EXIT_REFUSED: u8 = 254;

/// The exit code of a node whose disk failed, or the file of its trace.
pub const EXIT_DISK: u8 = 255;

/// The exit code of a node that panicked.
pub const EXIT_PANIC: u8 = 255;

/// The exit code of a node that crashed at the place it was asked to.
pub const EXIT_CRASH_AT: u8 = 86;

/// Plays a node until it is told to stop; gives the exit code. With
/// `exit_with_parent` the end of the standard input ends the process, too.
///
/// Says on stderr when it is ready, and why it ended if it was not asked to.
/// To be called once in a process: it sets the panic hook.
pub fn serve<M: Service>(options: Options, config: M::Config, exit_with_parent: bool) -> u8 {
    panics_end_the_process();
    if exit_with_parent && let Err(error) = stdin_ends_the_process() {
        return explain(&NodeError::System(error));
    }
    let node = options.node;
    let announce = move |ready: &Ready| {
        let Ready {
            peers,
            clients,
            recovery,
        } = ready;
        let (incarnation, frames) = (recovery.incarnation, recovery.frames);
        let torn = match recovery.torn_bytes {
            0 => String::new(),
            bytes => format!(", {bytes} bytes of an interrupted write cut off"),
        };
        say(&format!(
            "{node} ready: {} incarnation {incarnation}, peers on {peers}, clients on {clients}, \
             {frames} frames recovered{torn}",
            M::NAME
        ));
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return explain(&NodeError::System(error)),
    };
    let stopped_by = Cell::new(Signal::SIGTERM);
    let ended = runtime.block_on(async {
        let stop = stop_requested()?;
        let stop = async { stopped_by.set(stop.await) };
        run::<M>(options, config, announce, stop).await
    });
    match ended {
        Ok(()) => {
            let signal = stopped_by.get();
            say(&format!("{node} stops: {}", signal.as_str()));
            128 + signal as u8
        }
        Err(error) => explain(&error),
    }
}

/// Says what went wrong, in one line, and gives the exit code.
fn explain(error: &NodeError) -> u8 {
    let mut line = format!("error: failed to {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        line += &format!(": {error}");
        cause = error.source();
    }
    say(&line);
    match error {
        NodeError::Disk(_) | NodeError::Trace(_) => EXIT_DISK,
        _ => EXIT_REFUSED,
    }
}

/// Says a line on stderr, in one write: others read it while it is written.
fn say(line: &str) {
    // With nobody left to read it, there is nothing more to be done.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Says so, and ends the process at once: nothing is cleaned up, written or
/// synced any more.
pub(super) fn crash(mark: &str) -> ! {
    say(mark);
    // SAFETY: ends the process and touches none of its memory.
    unsafe { nix::libc::_exit(EXIT_CRASH_AT.into()) }
}

/// Resolves at SIGTERM or SIGINT, to whichever came.
fn stop_requested() -> io::Result<impl Future<Output = Signal>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => Signal::SIGTERM,
            _ = interrupt.recv() => Signal::SIGINT,
        }
    })
}

/// A task that panicked would leave a node behind that looks alive.
fn panics_end_the_process() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |about| {
        report(about);
        process::exit(EXIT_PANIC.into());
    }));
}

/// Ends the process as soon as nobody holds the other end of its standard
/// input: whatever state the node is in, its harness is gone.
fn stdin_ends_the_process() -> io::Result<()> {
    let wait = || {
        let mut bytes = [0; 64];
        let mut stdin = io::stdin().lock();
        loop {
            match stdin.read(&mut bytes) {
                Ok(0) => process::exit(0),
                Err(error) if error.kind() != io::ErrorKind::Interrupted => process::exit(0),
                _ => {}
            }
        }
    };
    thread::Builder::new().name("stdin".into()).spawn(wait)?;
    Ok(())
}
