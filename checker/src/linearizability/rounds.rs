//! Judges many keys at once, fairly and within limits.
//!
//! In each round every key that is not decided may try so many moves, eight
//! times as many as in the round before: a key that is plainly wrong is not
//! stuck behind one that is hard. A round is finished before it is looked at,
//! so the verdict does not depend on how many threads there are.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::judge::Judge;
use super::search::Progress;
use super::{Limits, describe_bytes, describe_time};

const MOVES_IN_FIRST_ROUND: u64 = 1 << 14;
/// After so many moves the limits are looked at.
const MOVES_IN_SLICE: u64 = 1 << 12;

/// One key's search and how it stands.
pub(crate) struct Job {
    /// None once the key is decided: the search may hold a lot.
    search: Option<Judge>,
    pub(crate) progress: Progress,
    /// The call whose completion no order accounts for so far.
    pub(crate) furthest: Option<u32>,
    /// The order that was found, if it is one.
    pub(crate) order: Option<Vec<u32>>,
    /// The call that a refutation is due to, if one is known.
    pub(crate) blamed: Option<u32>,
    /// Whether the order that was found, if one was, is one.
    pub(crate) sound: bool,
    /// Whether no engine is left that could know more.
    pub(crate) exhausted: bool,
    bytes: usize,
}

impl Job {
    pub(crate) fn new(search: Judge) -> Self {
        Job {
            search: Some(search),
            progress: Progress::Paused,
            furthest: None,
            order: None,
            blamed: None,
            sound: true,
            exhausted: false,
            bytes: 0,
        }
    }

    /// Tries at most so many moves more; says how many bytes it holds then.
    fn run(&mut self, moves: u64) -> usize {
        let Some(search) = &mut self.search else {
            return 0;
        };
        self.progress = search.run(moves);
        self.furthest = search.furthest();
        match self.progress {
            Progress::Paused => {
                self.exhausted = search.is_exhausted();
                return search.bytes();
            }
            Progress::Explained => {
                self.order = search.order();
                self.sound = self.order.is_some();
            }
            Progress::Refuted => self.blamed = search.blamed(),
        }
        self.search = None;
        0
    }
}

/// What is running out, or has.
pub(crate) struct Meter<'a> {
    limits: &'a Limits,
    begun: Instant,
    bytes: AtomicUsize,
    stop: AtomicBool,
    reason: Mutex<Option<String>>,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(limits: &'a Limits) -> Self {
        Meter {
            limits,
            begun: Instant::now(),
            bytes: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            reason: Mutex::new(None),
        }
    }

    /// Which limit was met, if one was.
    pub(crate) fn reason(&self) -> Option<String> {
        let reason = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        reason.clone()
    }

    /// Whether no limit is met.
    pub(crate) fn goes_on(&self) -> bool {
        if self.stop.load(Ordering::Relaxed) {
            return false;
        }
        let spent = self.begun.elapsed();
        let bytes = self.bytes.load(Ordering::Relaxed);
        let reason = match (self.limits.time, self.limits.memory) {
            (Some(time), _) if spent >= time => {
                format!("the time limit of {} was met", describe_time(time))
            }
            (_, Some(memory)) if bytes >= memory => {
                format!("the memory limit of {} was met", describe_bytes(memory))
            }
            _ => return true,
        };
        let mut first = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(reason);
        self.stop.store(true, Ordering::Relaxed);
        false
    }

    fn account(&self, job: &mut Job, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.bytes.fetch_sub(job.bytes, Ordering::Relaxed);
        job.bytes = bytes;
    }
}

/// Runs the jobs until all are decided, one is refuted, or a limit is met.
pub(crate) fn run(jobs: &mut Vec<Job>, meter: &Meter<'_>) {
    let mut moves = MOVES_IN_FIRST_ROUND;
    let goes_on = |job: &Job| job.progress == Progress::Paused && !job.exhausted;
    while meter.goes_on() && jobs.iter().any(goes_on) {
        round(jobs, moves, meter);
        if jobs.iter().any(|job| job.progress == Progress::Refuted) {
            return;
        }
        moves = moves.saturating_mul(8);
    }
}

fn round(jobs: &mut Vec<Job>, moves: u64, meter: &Meter<'_>) {
    let paused = jobs.iter().filter(|job| job.progress == Progress::Paused);
    let threads = meter.limits.threads.clamp(1, paused.count().max(1));
    if threads == 1 {
        for job in jobs {
            take_turn(job, moves, meter);
        }
        return;
    }
    let next = AtomicUsize::new(0);
    let shared: Vec<Mutex<Job>> = std::mem::take(jobs).into_iter().map(Mutex::new).collect();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(job) = shared.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut job = job.lock().unwrap_or_else(PoisonError::into_inner);
                    take_turn(&mut job, moves, meter);
                }
            });
        }
    });
    let unlocked = |job: Mutex<Job>| job.into_inner().unwrap_or_else(PoisonError::into_inner);
    *jobs = shared.into_iter().map(unlocked).collect();
}

fn take_turn(job: &mut Job, moves: u64, meter: &Meter<'_>) {
    let mut left = moves;
    while job.progress == Progress::Paused && !job.exhausted && left > 0 && meter.goes_on() {
        let slice = left.min(MOVES_IN_SLICE);
        let bytes = job.run(slice);
        left -= slice;
        meter.account(job, bytes);
    }
}
