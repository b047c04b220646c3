//! Many seeds on many threads, with a result that does not depend on them.
//!
//! Threads take the seeds in order and hand in what came of them in any; it
//! is added up in order again, and only as far as the first seed that fails.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use crate::panics::caught;
use crate::shared::content_hash;
use crate::system::ModelSystem;

use super::counts::Counts;
use super::seed::{Subject, run};
use super::{Progress, Seeds};

/// What came of the seeds that were run.
pub(super) struct Ran {
    /// How many, from the first on, without a gap; the failing one included.
    pub(super) seeds: u64,
    pub(super) counts: Counts,
    pub(super) digest: u64,
    /// The first that failed.
    pub(super) failing: Option<u64>,
    /// Why not all were run, if none failed.
    pub(super) ended: Option<Ended>,
}

/// Why seeds were left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Time,
    Interrupted,
}

/// What a seed hands in.
struct Handed {
    seed: u64,
    counts: Counts,
    digest: u64,
    failed: bool,
}

/// What the threads share.
struct Work {
    seeds: Seeds,
    next: AtomicU64,
    /// The lowest seed known to fail: those behind it need not be run.
    failing: AtomicU64,
    stop: AtomicBool,
}

const PAUSE: Duration = Duration::from_millis(20);

/// Runs the seeds. An error is what our own code said when it panicked.
pub(super) fn run_all<S: ModelSystem>(
    subject: Subject,
    seeds: Seeds,
    threads: usize,
    deadline: Option<Instant>,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Ran, String> {
    let work = Work {
        seeds,
        next: AtomicU64::new(0),
        failing: AtomicU64::new(u64::MAX),
        stop: AtomicBool::new(false),
    };
    std::thread::scope(|scope| {
        let (hand_in, handed) = channel();
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                let hand_in = hand_in.clone();
                let work = &work;
                scope.spawn(move || caught(|| work.run::<S>(subject, &hand_in)))
            })
            .collect();
        drop(hand_in);
        let mut ledger = Ledger::new();
        let ended = ledger.collect(&work, &handed, deadline, progress);
        for worker in workers {
            worker
                .join()
                .unwrap_or_else(|_| Err("a thread panicked".into()))?;
        }
        // What was handed in after the last look.
        handed.try_iter().for_each(|each| ledger.enter(&work, each));
        Ok(ledger.close(&work, ended))
    })
}

impl Work {
    fn run<S: ModelSystem>(&self, subject: Subject, hand_in: &Sender<Handed>) {
        loop {
            let place = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(seed) = self.seeds.at(place) else {
                return;
            };
            let is_needless = || {
                let later = self.failing.load(Ordering::Relaxed) < seed;
                later || self.stop.load(Ordering::Relaxed)
            };
            if is_needless() {
                return;
            }
            let Some(outcome) = run::<S>(subject, seed, &is_needless) else {
                return;
            };
            let failed = outcome.broken.is_some();
            if failed {
                self.failing.fetch_min(seed, Ordering::Relaxed);
            }
            let handed = Handed {
                seed,
                counts: outcome.counts,
                digest: outcome.digest,
                failed,
            };
            if hand_in.send(handed).is_err() {
                return;
            }
        }
    }
}

/// Adds up what is handed in, in order.
struct Ledger {
    began: Instant,
    waiting: BTreeMap<u64, Handed>,
    ran: Ran,
}

impl Ledger {
    fn new() -> Self {
        Ledger {
            began: Instant::now(),
            waiting: BTreeMap::new(),
            ran: Ran {
                seeds: 0,
                counts: Counts::default(),
                digest: 0,
                failing: None,
                ended: None,
            },
        }
    }

    /// Collects until every thread is done; says why they were stopped, if
    /// they were.
    fn collect(
        &mut self,
        work: &Work,
        handed: &Receiver<Handed>,
        deadline: Option<Instant>,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Option<Ended> {
        let mut ended = None;
        let mut look = Instant::now();
        loop {
            match handed.recv_timeout(PAUSE) {
                Ok(each) => self.enter(work, each),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return ended,
            }
            if look.elapsed() < PAUSE {
                continue;
            }
            look = Instant::now();
            let asked = progress(self.progress())
                .is_break()
                .then_some(Ended::Interrupted);
            let late = deadline.is_some_and(|deadline| look >= deadline);
            ended = ended.or(asked).or(late.then_some(Ended::Time));
            if ended.is_some() {
                work.stop.store(true, Ordering::Relaxed);
            }
        }
    }

    fn progress(&self) -> Progress {
        let seconds = self.began.elapsed().as_secs_f64().max(1e-6);
        Progress {
            seeds: self.ran.seeds,
            steps: self.ran.counts.steps,
            seeds_per_second: self.ran.seeds as f64 / seconds,
            steps_per_second: self.ran.counts.steps as f64 / seconds,
            shortening: false,
        }
    }

    fn enter(&mut self, work: &Work, each: Handed) {
        self.waiting.insert(each.seed, each);
        while self.ran.failing.is_none() {
            let next = work.seeds.at(self.ran.seeds);
            let Some(each) = next.and_then(|seed| self.waiting.remove(&seed)) else {
                return;
            };
            self.ran.seeds += 1;
            self.ran.counts.add(&each.counts);
            self.ran.digest = content_hash(self.ran.digest, &each.digest);
            if each.failed {
                self.ran.failing = Some(each.seed);
            }
        }
    }

    /// A seed that fails is a finding, even where one before it was not run
    /// to its end.
    fn close(mut self, work: &Work, ended: Option<Ended>) -> Ran {
        let lowest = work.failing.load(Ordering::Relaxed);
        if self.ran.failing.is_none() && lowest < u64::MAX {
            self.ran.failing = Some(lowest);
        }
        if self.ran.failing.is_none() && self.ran.seeds < work.seeds.count() {
            self.ran.ended = ended;
        }
        self.ran
    }
}
