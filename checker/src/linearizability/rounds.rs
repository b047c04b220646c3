//! Judges many keys at once, fairly and within limits.
//!
//! In each round every key that is not decided may try so many moves, eight
//! times as many as in the round before: a key that is plainly wrong is not
//! stuck behind one that is hard. A round is finished before it is looked at,
//! so the verdict does not depend on how many threads there are.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::guard::Guard;
use super::judge::Judge;
use super::object::Object;
use super::search::Progress;
use super::{Limits, describe_bytes, describe_time};
use crate::bytes;
use crate::verdict::Resource;

const MOVES_IN_FIRST_ROUND: u64 = 1 << 14;

/// One key's search and how it stands.
pub(crate) struct Job<'a> {
    object: &'a Object,
    search: Search<'a>,
    pub(crate) progress: Progress,
    /// The call whose completion no order accounts for so far.
    pub(crate) furthest: Option<u32>,
    /// The calls that a refutation is due to, as far as that is known, the last to
    /// complete at the end.
    pub(crate) blame: Vec<u32>,
    /// Whether the order that was found, if one was, is one.
    pub(crate) sound: bool,
    /// Whether no engine is left that could know more.
    pub(crate) exhausted: bool,
    bytes: usize,
}

impl Job<'_> {
    /// The last of the calls that a refutation is due to.
    pub(crate) fn blamed(&self) -> Option<u32> {
        self.blame.last().copied()
    }
}

/// A key's search takes memory only while it is at work: what the last key held
/// serves the next.
enum Search<'a> {
    /// With how many bytes it takes at first.
    Waits(usize, Box<dyn FnOnce() -> Judge + Send + 'a>),
    Works(Judge),
    Over,
}

impl<'a> Job<'a> {
    /// How many bytes one takes before its first turn, with what makes its judge.
    pub(crate) const BYTES: usize = size_of::<Self>() + bytes::allocated(4 * size_of::<usize>());

    /// The job of judging a key, which is this `object`, by what `begin` makes of so
    /// many `bytes` at its first turn.
    pub(crate) fn new(
        object: &'a Object,
        bytes: usize,
        begin: impl FnOnce() -> Judge + Send + 'a,
    ) -> Self {
        Job {
            object,
            search: Search::Waits(bytes, Box::new(begin)),
            progress: Progress::Paused,
            furthest: None,
            blame: Vec::new(),
            sound: true,
            exhausted: false,
            bytes: 0,
        }
    }

    /// Tries at most so many moves more.
    fn take_turn(&mut self, moves: u64, meter: &Meter<'_>) {
        if self.progress != Progress::Paused || self.exhausted || !meter.goes_on() {
            return;
        }
        let mut judge = match std::mem::replace(&mut self.search, Search::Over) {
            Search::Waits(bytes, begin) => {
                meter.account(&mut self.bytes, bytes);
                if !meter.goes_on() {
                    return;
                }
                begin()
            }
            Search::Works(judge) => judge,
            Search::Over => return,
        };
        let bytes = &mut self.bytes;
        self.progress = judge.decide(moves, |held| {
            meter.account(bytes, held);
            meter.goes_on()
        });
        self.furthest = judge.furthest();
        match self.progress {
            Progress::Paused => {
                self.exhausted = judge.is_exhausted();
                self.search = Search::Works(judge);
                return;
            }
            // Nothing is asked of it any more.
            Progress::Explained => {
                self.sound = judge.order().is_some();
                drop(judge);
            }
            Progress::Refuted => self.blame = judge.blame(),
        }
        self.object.steps.forget();
        meter.account(&mut self.bytes, 0);
    }
}

/// What is running out, or has.
pub(crate) struct Meter<'a> {
    limits: &'a Limits,
    begun: Instant,
    bytes: AtomicUsize,
    stop: AtomicBool,
    met: Mutex<Option<Resource>>,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(limits: &'a Limits) -> Self {
        Meter {
            limits,
            begun: Instant::now(),
            bytes: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            met: Mutex::new(None),
        }
    }

    /// Of which resource the limit was met, if one was.
    pub(crate) fn met(&self) -> Option<Resource> {
        *self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which limit was met, if one was.
    pub(crate) fn reason(&self) -> Option<String> {
        Some(match self.met()? {
            Resource::Time => {
                let time = self.limits.time.map(describe_time)?;
                format!("the time limit of {time} was met")
            }
            Resource::Memory => {
                let memory = self.limits.memory.map(describe_bytes)?;
                format!("the memory limit of {memory} was met")
            }
        })
    }

    /// Whether no limit is met.
    pub(crate) fn goes_on(&self) -> bool {
        if self.stop.load(Ordering::Relaxed) {
            return false;
        }
        let spent = self.begun.elapsed();
        let bytes = self.bytes.load(Ordering::Relaxed);
        let met = match (self.limits.time, self.limits.memory) {
            (Some(time), _) if spent >= time => Resource::Time,
            (_, Some(memory)) if bytes >= memory => Resource::Memory,
            _ => return true,
        };
        let mut first = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(met);
        self.stop.store(true, Ordering::Relaxed);
        false
    }

    /// What somebody holds, none of it so far.
    pub(crate) fn share(&self) -> Share<'_> {
        Share {
            meter: self,
            held: 0,
        }
    }

    /// What an engine that judges `object` concludes; it is told by a guard whether
    /// to go on.
    pub(crate) fn guarding<T>(&self, object: &Object, run: impl FnOnce(&mut Guard<'_>) -> T) -> T {
        let mut share = self.share();
        let mut goes_on = |bytes| share.goes_on(bytes);
        run(&mut Guard::new(&mut goes_on, &*object.steps, 0))
    }

    /// Somebody holds so many bytes now, not as many as `held` says.
    fn account(&self, held: &mut usize, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.bytes.fetch_sub(*held, Ordering::Relaxed);
        *held = bytes;
    }
}

/// What somebody holds, and no more once this is dropped.
pub(crate) struct Share<'a> {
    meter: &'a Meter<'a>,
    held: usize,
}

impl Share<'_> {
    /// Whether no limit is met if it is so many bytes now.
    pub(crate) fn goes_on(&mut self, bytes: usize) -> bool {
        self.meter.account(&mut self.held, bytes);
        self.meter.goes_on()
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.meter.account(&mut self.held, 0);
    }
}

/// Runs the jobs until all are decided, one is refuted, or a limit is met.
pub(crate) fn run(jobs: &mut Vec<Job<'_>>, meter: &Meter<'_>) {
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

fn round(jobs: &mut Vec<Job<'_>>, moves: u64, meter: &Meter<'_>) {
    let paused = jobs.iter().filter(|job| job.progress == Progress::Paused);
    let threads = meter.limits.threads.clamp(1, paused.count().max(1));
    if threads == 1 {
        for job in jobs {
            job.take_turn(moves, meter);
        }
        return;
    }
    let next = AtomicUsize::new(0);
    let shared: Vec<Mutex<Job<'_>>> = std::mem::take(jobs).into_iter().map(Mutex::new).collect();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(job) = shared.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut job = job.lock().unwrap_or_else(PoisonError::into_inner);
                    job.take_turn(moves, meter);
                }
            });
        }
    });
    let unlocked = |job: Mutex<_>| job.into_inner().unwrap_or_else(PoisonError::into_inner);
    *jobs = shared.into_iter().map(unlocked).collect();
}
