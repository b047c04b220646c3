//! Time limits, and waiting that stops when everything is to be healed.

use std::future::Future;
use std::time::{Duration, Instant};

use super::Shared;

/// Waits for `future`, at most `limit`.
pub(super) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(limit, future).await.ok()
}

impl Shared {
    /// Waits until `due`; false if everything is to be healed before.
    pub(super) async fn until(&self, due: Instant) -> bool {
        let mut stop = self.stop.subscribe();
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => false,
            () = tokio::time::sleep_until(due.into()) => true,
        }
    }
}
