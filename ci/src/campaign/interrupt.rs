//! Ctrl-C: the first one ends the load early, the second one ends everything.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::exit;

/// Whether the user wants the run to end. Clones see the same.
#[derive(Clone)]
pub struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Begins to listen for SIGINT, SIGTERM and SIGHUP. Within a runtime.
    pub fn listen() -> std::io::Result<Interrupt> {
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
            eprintln!(
                "interrupted: healing, stopping and judging what was recorded; once more ends at once"
            );
            asked.send_replace(true);
            next(&mut signals).await;
            eprintln!(
                "interrupted twice: ended without a verdict; `tribunal verify` judges the history"
            );
            // Nodes die with the thread that started them.
            std::process::exit(exit::HARNESS.into());
        });
        Ok(Interrupt(seen))
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
