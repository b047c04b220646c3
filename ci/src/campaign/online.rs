//! Judges the history of a run while it is recorded, where an order of the
//! operations is asked for.
//!
//! What it sees stops a run that is to stop at the first violation. The verdict
//! is that of the whole history, which is judged when the run is over.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::watch;
use tribunal_checker::Online;
use tribunal_histories::{Header, Recorder};

use crate::oracle::Oracle;
use crate::workload::Judge;

/// Judges while it is recorded.
pub struct Watch {
    seen: Arc<Mutex<Seen>>,
    violated: watch::Receiver<bool>,
}

/// What was seen so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// How many ends of operations were judged.
    pub judged: u64,
    /// The longest time from the record of one until it was judged.
    pub lag: Duration,
    /// How many keys could not be judged as quickly as they were recorded.
    pub given_up: usize,
    /// What was expected where the rest was not judged any more, if that is so.
    pub ended: Option<String>,
    /// The first violation: which key, and the event that showed it.
    pub violation: Option<(String, u64)>,
}

impl Watch {
    /// Begins to judge what `recorder` records; none if no order is asked for.
    pub fn begin(judge: Judge, header: &Header, recorder: &Recorder) -> Option<Watch> {
        let Judge::History(Oracle::Order(spec)) = judge else {
            return None;
        };
        let (tell, violated) = watch::channel(false);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        let events = recorder.watch();
        let mut online = Online::new(header, spec);
        // It ends with the recorder.
        thread::spawn(move || {
            for event in events {
                let violation = match online.event(&event) {
                    Ok(violation) => violation,
                    // The whole history is judged in the end, and says so too.
                    Err(expected) => {
                        tracing::warn!(expected, index = event.index, "not judged online");
                        let mut seen = shared.lock().unwrap_or_else(PoisonError::into_inner);
                        seen.ended = Some(format!("{expected}, at event {}", event.index));
                        return;
                    }
                };
                let mut seen = shared.lock().unwrap_or_else(PoisonError::into_inner);
                seen.judged = online.judged().ends;
                seen.lag = Duration::from_nanos(online.judged().lag);
                seen.given_up = online.given_up();
                if let Some(violation) = violation {
                    let key = violation
                        .key
                        .map_or_else(String::new, |key| key.to_string());
                    seen.violation.get_or_insert((key, violation.event));
                    tell.send_replace(true);
                }
            }
        });
        Some(Watch { seen, violated })
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }

    /// Waits for a violation.
    pub async fn violated(&self) {
        let mut violated = self.violated.clone();
        if violated.wait_for(|violated| *violated).await.is_err() {
            // Nobody judges any more, so nothing will be seen.
            std::future::pending::<()>().await;
        }
    }
}
