//! Evidence from wherever a counter, a versioned register or a log was, against brute
//! force.

use tribunal_histories::{History, Nil, Value};

use super::dialect;
use super::evidence::{at_last, of_calls};
use super::evidence_tests::assert_refutes;
use super::judge::Judge;
use super::monitored_tests::{random_history, timed};
use super::object::NEVER;
use super::oracle::brute_force::brute_force;
use super::pairs::evidence_of_two;
use super::rounds::Meter;
use super::search::Progress;
use super::subhistory::Start;
use super::timeline::Timeline;
use super::{Engine, Limits};
use crate::monitors::simulation::Random;
use crate::spec::{Spec, by_type};
use crate::specification::Recorded;

/// So many of each specification.
const HISTORIES: usize = 4_000;

/// How many histories have no order, and of how many evidence starts anywhere.
#[derive(Debug, Default)]
struct Counts {
    refuted: usize,
    anywhere: usize,
    /// Of how many two calls show it.
    by_two: usize,
}

/// All that such an object can hold that makes a difference to a history.
fn states<S: Recorded>(spec: Spec, history: &History) -> Vec<S::State> {
    let read = |text: String| serde_json::from_str::<Value>(&text).expect("a value");
    let values: Vec<Value> = match spec {
        Spec::Counter => (-30..30).map(|number| read(number.to_string())).collect(),
        Spec::VersionedRegister => (0..10)
            .flat_map(|version| ["null", "1", "2", "9"].map(|it| format!("[{version},{it}]")))
            .map(read)
            .collect(),
        // Beginnings of what is read.
        _ => {
            let lists = history
                .events
                .iter()
                .filter_map(|event| match &event.value {
                    Value::List(list) => Some(list),
                    _ => None,
                });
            let beginnings = lists.flat_map(|list| {
                (0..=list.len()).map(|length| Value::List(list[..length].to_vec()))
            });
            let empty = Value::List(Vec::new());
            beginnings.chain([empty]).collect()
        }
    };
    let objects = values.iter().map(|value| S::holding(value));
    objects
        .map(|it| it.expect("it holds that").initial())
        .collect()
}

fn agree<S: Recorded>(spec: Spec) -> Counts {
    let mut random = Random(spec as u64 + 9);
    let mut counts = Counts::default();
    for _ in 0..HISTORIES {
        let operations = 2 + random.below(8) as usize;
        let history = random_history::<S>(spec, &mut random, operations);
        let specification = S::holding(&history.header.initial).expect("it can hold that");
        let timed = timed(&specification, &history);
        if brute_force(&specification, &timed) {
            continue;
        }
        let pairs = history.pairs().expect("a history");
        let keys = dialect::keys(&history, &pairs, spec, Nil::Initial).expect("a history");
        let (calls, _) = keys[0].calls(NEVER - 1);
        counts.refuted += 1;
        let limits = Limits::default();
        let meter = Meter::new(&limits);
        let mut judge = Judge::new(&keys[0].object, calls.clone(), Some(Engine::Monitor));
        let two = match judge.decide(1, |_| true) {
            Progress::Refuted => evidence_of_two(&keys[0].object, &calls, &judge.blame(), &meter),
            _ => None,
        };
        let timeline = Timeline::unlimited(&keys[0].object, calls.clone());
        let at_last = at_last(&keys[0].object, &timeline, &meter);
        let evidence = of_calls(&keys[0].object, calls);
        counts.by_two += usize::from(two.is_some());
        for evidence in [Some(evidence), two, at_last].into_iter().flatten() {
            let starts = match evidence.start {
                Start::Initial => vec![specification.initial()],
                Start::Anywhere => states::<S>(spec, &history),
            };
            counts.anywhere += usize::from(evidence.start == Start::Anywhere);
            assert_refutes(&specification, &timed, &evidence, &starts);
        }
    }
    counts
}

#[test]
fn evidence_from_anywhere_agrees_with_brute_force() {
    for spec in [Spec::Counter, Spec::VersionedRegister, Spec::Log] {
        let counts = by_type!(spec, Counts::default(), agree, spec);
        assert!(counts.refuted > HISTORIES / 5, "{spec}: {counts:?}");
        assert!(counts.anywhere > counts.refuted / 5, "{spec}: {counts:?}");
        // Entries of logs are mostly wrong that one call tells of.
        let share = if spec == Spec::Log { 20 } else { 2 };
        assert!(counts.by_two > counts.refuted / share, "{spec}: {counts:?}");
    }
}
