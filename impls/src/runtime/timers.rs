//! Named timers with lengths drawn from a seed.
//!
//! A timer that was cancelled or set anew leaves no expiry behind: expiries
//! are not queued, but taken from here at the moment they are delivered.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;
use tribunal_protocol::Span;

/// How long each span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spans {
    /// [`Span::Heartbeat`], exactly.
    pub heartbeat: Duration,
    /// [`Span::Election`] is drawn evenly from this to twice this.
    pub election: Duration,
    /// [`Span::Retry`], exactly.
    pub retry: Duration,
}

impl Spans {
    /// Refuses lengths with which no node could do its work; says why.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.heartbeat >= self.election {
            Err("its heartbeat is not shorter than its election timeout")
        } else if self.heartbeat.is_zero() || self.retry.is_zero() {
            Err("a timer of no length would run in circles")
        } else {
            Ok(())
        }
    }
}

impl Default for Spans {
    fn default() -> Self {
        Spans {
            heartbeat: Duration::from_millis(50),
            election: Duration::from_millis(300),
            retry: Duration::from_millis(100),
        }
    }
}

/// The timers that are set.
#[derive(Debug)]
pub struct Timers<T> {
    spans: Spans,
    random: ChaCha8Rng,
    deadlines: BTreeMap<T, Instant>,
}

impl<T: Ord + Copy> Timers<T> {
    /// No timers; jitter comes from `seed`.
    pub fn new(spans: Spans, seed: u64) -> Self {
        Timers {
            spans,
            random: ChaCha8Rng::seed_from_u64(seed),
            deadlines: BTreeMap::new(),
        }
    }

    /// Starts, or restarts, a timer.
    pub fn set(&mut self, timer: T, span: Span, now: Instant) {
        let length = match span {
            Span::Heartbeat => self.spans.heartbeat,
            Span::Retry => self.spans.retry,
            Span::Election => {
                let base = self.spans.election;
                base + base.mul_f64(self.random.random_range(0.0..1.0))
            }
        };
        self.deadlines.insert(timer, now + length);
    }

    /// Stops a timer.
    pub fn cancel(&mut self, timer: T) {
        self.deadlines.remove(&timer);
    }

    /// When the first of them expires.
    pub fn next(&self) -> Option<Instant> {
        self.deadlines.values().min().copied()
    }

    /// Takes the timer that expired first, if one has.
    pub fn pop(&mut self, now: Instant) -> Option<T> {
        let first = self.deadlines.iter().min_by_key(|(_, deadline)| **deadline);
        let (timer, deadline) = first.map(|(timer, deadline)| (*timer, *deadline))?;
        if deadline > now {
            return None;
        }
        self.deadlines.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timers(seed: u64) -> Timers<u8> {
        Timers::new(Spans::default(), seed)
    }

    #[test]
    fn setting_a_timer_again_replaces_it() {
        let (mut timers, now) = (timers(1), Instant::now());
        timers.set(1, Span::Heartbeat, now);
        timers.set(1, Span::Heartbeat, now + Duration::from_millis(40));
        assert_eq!(timers.pop(now + Duration::from_millis(60)), None);
        assert_eq!(timers.pop(now + Duration::from_millis(90)), Some(1));
        assert_eq!(timers.pop(now + Duration::from_secs(9)), None);
    }

    #[test]
    fn a_cancelled_timer_never_expires() {
        let (mut timers, now) = (timers(1), Instant::now());
        timers.set(1, Span::Retry, now);
        timers.cancel(1);
        timers.cancel(2);
        assert_eq!(timers.pop(now + Duration::from_secs(9)), None);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn the_earliest_expires_first() {
        let (mut timers, now) = (timers(1), Instant::now());
        timers.set(1, Span::Retry, now);
        timers.set(2, Span::Heartbeat, now);
        let late = now + Duration::from_secs(9);
        assert_eq!([timers.pop(late), timers.pop(late)], [Some(2), Some(1)]);
    }

    #[test]
    fn an_election_lasts_between_once_and_twice_its_base_drawn_anew() {
        let (mut timers, now) = (timers(7), Instant::now());
        let base = Spans::default().election;
        let mut lengths: Vec<Duration> = Vec::new();
        for _ in 0..100 {
            timers.set(1, Span::Election, now);
            lengths.push(timers.next().unwrap() - now);
        }
        assert!(
            lengths
                .iter()
                .all(|length| (base..=2 * base).contains(length))
        );
        lengths.sort_unstable();
        lengths.dedup();
        assert!(lengths.len() > 90, "the length is drawn anew each time");
    }
}
