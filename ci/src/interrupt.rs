//! Ctrl-C: the first one ends the work early, the second one everything.

use std::ops::ControlFlow;

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::exit;

/// Whether the user wants the command to end. Clones see the same.
#[derive(Clone)]
pub struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Begins to listen for SIGINT, SIGTERM and SIGHUP. Within a runtime.
    /// Says after the first one what is done now, and after the second one
    /// what is left.
    pub fn listen(first: &'static str, second: &'static str) -> std::io::Result<Interrupt> {
        let (asked, seen) = watch::channel(false);
        let mut signals = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ]
        .map(signal)
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
        tokio::spawn(async move {
            next(&mut signals).await;
            eprintln!("interrupted: {first}; once more ends at once");
            asked.send_replace(true);
            next(&mut signals).await;
            eprintln!("interrupted twice: ended without a verdict{second}");
            // Nodes die with the thread that started them.
            std::process::exit(exit::HARNESS.into());
        });
        Ok(Interrupt(seen))
    }

    /// The same outside a runtime, as long as the one that comes with it is
    /// kept.
    pub fn listen_alone(first: &'static str) -> anyhow::Result<(Interrupt, Runtime)> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .context("start the runtime")?;
        let guard = runtime.enter();
        let interrupt = Interrupt::listen(first, "").context("listen for Ctrl-C")?;
        drop(guard);
        Ok((interrupt, runtime))
    }

    /// Whether to go on.
    pub fn flow(&self) -> ControlFlow<()> {
        match self.is_asked() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    /// Whether it was asked for.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once it is asked for.
    pub async fn asked(&mut self) {
        if self.0.wait_for(|asked| *asked).await.is_err() {
            // Nobody listens any more, so nobody will ever ask.
            std::future::pending::<()>().await;
        }
    }
}

/// The next of any of three signals.
async fn next(signals: &mut [Signal]) {
    let [interrupt, terminate, hangup] = signals else {
        return;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}
