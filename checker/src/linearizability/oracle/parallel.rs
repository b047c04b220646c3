//! Many histories on a few threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// What was judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) histories: usize,
    pub(super) valid: usize,
}

impl Tally {
    pub(super) fn count(&mut self, valid: bool) {
        self.add(Tally {
            histories: 1,
            valid: usize::from(valid),
        });
    }

    fn add(&mut self, other: Tally) {
        self.histories += other.histories;
        self.valid += other.valid;
    }

    /// Asserts that neither verdict is rare: where one hardly comes up, little
    /// is tested.
    pub(super) fn assert_mixed(&self, what: &str) {
        let percent = 100 * self.valid / self.histories.max(1);
        assert!(
            (15..=85).contains(&percent),
            "{what}: {percent} % of {} are valid: a lopsided set",
            self.histories
        );
    }
}

/// Does pieces of work by their numbers, on as many threads as there are; what
/// each judges does not depend on who does it.
pub(super) fn in_parallel(pieces: usize, work: impl Fn(usize) -> Tally + Sync) -> Tally {
    let next = AtomicUsize::new(0);
    let total = Mutex::new(Tally::default());
    let threads = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads.min(pieces) {
            scope.spawn(|| {
                loop {
                    let piece = next.fetch_add(1, Ordering::Relaxed);
                    if piece >= pieces {
                        break;
                    }
                    let tally = work(piece);
                    total.lock().expect("no thread has failed").add(tally);
                }
            });
        }
    });
    total.into_inner().expect("no thread has failed")
}
