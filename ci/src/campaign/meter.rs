//! Counts what clients were told, while it happens: the figures of progress
//! lines and of the closing table.
//!
//! Judges nothing; the history does that.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;
use tribunal_impls::adapter::Completion;

/// The slowest operation that is told apart from slower ones.
const SLOWEST_US: u64 = 600_000_000;

/// Operations by completion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Took effect.
    pub ok: u64,
    /// Did not, and never will.
    pub fail: u64,
    /// Not known.
    pub info: u64,
}

impl Counts {
    /// All of them.
    pub fn total(self) -> u64 {
        self.ok + self.fail + self.info
    }

    fn add(&mut self, completion: &Completion) {
        match completion {
            Completion::Ok(_) => self.ok += 1,
            Completion::Fail(_) | Completion::Refused(_) => self.fail += 1,
            Completion::Info(_) => self.info += 1,
        }
    }
}

/// Operations by completion, and how available they show the system to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All operations.
    pub counts: Counts,
    /// Those whose failure would tell.
    telling: Counts,
}

impl Tally {
    /// The share that took effect of the operations that a system in good
    /// health would not refuse; `None` for none.
    pub fn availability(self) -> Option<f64> {
        let Counts { ok, .. } = self.telling;
        (self.telling.total() > 0).then(|| ok as f64 / self.telling.total() as f64)
    }

    fn add(&mut self, sample: &Sample<'_>) {
        self.counts.add(sample.completion);
        if !sample.refusable {
            self.telling.add(sample.completion);
        }
    }
}

/// The figures of one kind of operation.
struct Operations {
    counts: Counts,
    ok_latency_us: Histogram<u32>,
}

/// What was counted so far.
#[derive(Default)]
pub struct Meter {
    by_f: BTreeMap<String, Operations>,
    by_phase: BTreeMap<&'static str, Tally>,
    by_condition: BTreeMap<String, Tally>,
    all: Counts,
    first_ok: Option<Duration>,
    last_ok: Option<Duration>,
    longest_without_ok: Duration,
}

/// One completed operation.
pub struct Sample<'a> {
    /// What was done.
    pub f: &'a str,
    /// Whether a system in good health may refuse it.
    pub refusable: bool,
    /// During which phase of the campaign.
    pub phase: &'static str,
    /// Under which faults, as they stood when it was asked.
    pub conditions: &'a [String],
    /// When it was completed, since the run began.
    pub at: Duration,
    /// How long it took.
    pub latency: Duration,
    /// What became of it.
    pub completion: &'a Completion,
}

/// Operations of one kind, for the report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ByOperation {
    /// What was done.
    pub f: String,
    /// How it ended.
    #[serde(flatten)]
    pub counts: Counts,
    /// Latencies of those that took effect, in milliseconds; none if none did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<Latencies>,
}

/// Latencies in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latencies {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

/// How many operations took effect, by the fault that was open.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Availability {
    /// The fault that was open.
    pub during: String,
    /// How operations ended.
    #[serde(flatten)]
    pub counts: Counts,
    /// The share that took effect of those that a system in good health would
    /// not refuse.
    pub availability: Option<f64>,
}

impl Meter {
    /// Counts one operation.
    pub fn count(&mut self, sample: &Sample<'_>) {
        self.all.add(sample.completion);
        self.by_phase.entry(sample.phase).or_default().add(sample);
        for condition in sample.conditions {
            self.by_condition
                .entry(condition.clone())
                .or_default()
                .add(sample);
        }
        let operations = self
            .by_f
            .entry(sample.f.to_owned())
            .or_insert_with(|| Operations {
                counts: Counts::default(),
                ok_latency_us: latencies(),
            });
        operations.counts.add(sample.completion);
        if let Completion::Ok(_) = sample.completion {
            let us = u64::try_from(sample.latency.as_micros()).unwrap_or(SLOWEST_US);
            operations.ok_latency_us.saturating_record(us);
            self.ok_at(sample.at);
        }
    }

    fn ok_at(&mut self, at: Duration) {
        self.first_ok.get_or_insert(at);
        if let Some(last) = self.last_ok {
            self.longest_without_ok = self.longest_without_ok.max(at.saturating_sub(last));
        }
        self.last_ok = self.last_ok.max(Some(at));
    }

    /// All operations.
    pub fn all(&self) -> Counts {
        self.all
    }

    /// When the first operation took effect.
    pub fn first_ok(&self) -> Option<Duration> {
        self.first_ok
    }

    /// The longest time between two operations that took effect.
    pub fn longest_without_ok(&self) -> Duration {
        self.longest_without_ok
    }

    /// Operations by kind.
    pub fn operations(&self) -> Vec<ByOperation> {
        let entries = self.by_f.iter();
        entries
            .map(|(f, operations)| ByOperation {
                f: f.clone(),
                counts: operations.counts,
                latency_ms: summary(&operations.ok_latency_us),
            })
            .collect()
    }

    /// Operations by the phase that they ended in.
    pub fn phase(&self, phase: &str) -> Tally {
        self.by_phase.get(phase).copied().unwrap_or_default()
    }

    /// Operations by the faults that were open when they were asked.
    pub fn conditions(&self) -> Vec<Availability> {
        let entries = self.by_condition.iter();
        entries
            .map(|(condition, tally)| Availability {
                during: condition.clone(),
                counts: tally.counts,
                availability: tally.availability(),
            })
            .collect()
    }
}

fn latencies() -> Histogram<u32> {
    Histogram::new_with_bounds(1, SLOWEST_US, 3).expect("the bounds are in order")
}

fn summary(histogram: &Histogram<u32>) -> Option<Latencies> {
    let ms = |us: u64| us as f64 / 1e3;
    (!histogram.is_empty()).then(|| Latencies {
        p50: ms(histogram.value_at_quantile(0.50)),
        p95: ms(histogram.value_at_quantile(0.95)),
        p99: ms(histogram.value_at_quantile(0.99)),
        max: ms(histogram.max()),
    })
}

#[cfg(test)]
mod tests {
    use tribunal_histories::Value;

    use super::*;

    fn count(meter: &mut Meter, at_ms: u64, completion: Completion) {
        meter.count(&Sample {
            f: "read",
            refusable: false,
            phase: "load",
            conditions: &["kill".to_owned()],
            at: Duration::from_millis(at_ms),
            latency: Duration::from_millis(4),
            completion: &completion,
        });
    }

    #[test]
    fn operations_are_counted_by_kind_phase_and_open_fault() {
        let mut meter = Meter::default();
        count(&mut meter, 10, Completion::Ok(Value::Null));
        count(&mut meter, 15, Completion::Info("timeout".to_owned()));
        count(&mut meter, 90, Completion::Ok(Value::Null));
        let expected = Counts {
            ok: 2,
            fail: 0,
            info: 1,
        };
        assert_eq!(meter.all(), expected);
        assert_eq!(meter.phase("load").counts, expected);
        assert_eq!(meter.conditions()[0].counts, expected);
        assert_eq!(meter.phase("load").availability(), Some(2.0 / 3.0));
        assert_eq!(meter.longest_without_ok(), Duration::from_millis(80));
        let latency = meter.operations()[0].latency_ms.unwrap();
        assert!((3.9..4.1).contains(&latency.p50));
    }
}
