//! What is said of the elements of an object, against brute force.

use tribunal_histories::{Nil, Value};

use super::elements::Elements;
use super::evidence::evidence;
use super::evidence_tests::assert_refutes;
use super::monitored_tests::{random_history, timed};
use super::object::NEVER;
use super::oracle::brute_force::brute_force;
use super::rounds::Meter;
use super::timeline::Timeline;
use super::{Limits, dialect};
use crate::monitors::simulation::Random;
use crate::spec::{Spec, by_type};
use crate::specification::Recorded;

/// So many of each specification.
const HISTORIES: usize = 3_000;

/// How many histories have no order, and of how many some elements show it.
#[derive(Debug, Default)]
struct Counts {
    refuted: usize,
    by_elements: usize,
    /// Of how many of these by fewer than all calls.
    by_fewer: usize,
}

/// Asserts that elements are enough only where there is no order, and that the
/// evidence that comes of them holds.
fn agree<S: Recorded>(spec: Spec) -> Counts {
    let limits = Limits::default();
    let mut random = Random(spec as u64 + 5);
    let mut counts = Counts::default();
    for _ in 0..HISTORIES {
        let operations = 2 + random.below(9) as usize;
        let mut history = random_history::<S>(spec, &mut random, operations);
        history.header.initial = Value::Null;
        let specification = S::holding(&Value::Null).expect("it can hold nothing");
        let timed = timed(&specification, &history);
        let expected = brute_force(&specification, &timed);
        counts.refuted += usize::from(!expected);
        let pairs = history.pairs().expect("a history");
        let keys = dialect::keys(&history, &pairs, spec, Nil::Initial).expect("a history");
        let [key] = &keys[..] else { continue };
        let (calls, _) = key.calls(NEVER - 1);
        let meter = Meter::new(&limits);
        let mut elements = Elements::of(&key.object, &meter).expect("elements");
        // Whoever is to blame.
        let blamed = random.below(calls.len().max(1) as u64) as u32;
        let blamed: Vec<u32> = calls
            .get(blamed as usize)
            .map(|_| blamed)
            .into_iter()
            .collect();
        let Some(part) = elements.find(&calls, &blamed) else {
            continue;
        };
        assert!(!expected, "{timed:#?}");
        counts.by_elements += 1;
        let enough = elements.shrink(&calls, part);
        counts.by_fewer += usize::from(enough.len() < calls.len());
        let timeline = Timeline::unlimited(&key.object, calls);
        let evidence = evidence(&key.object, &timeline, Some(enough), &meter);
        assert_refutes(
            &specification,
            &timed,
            &evidence,
            &[specification.initial()],
        );
    }
    counts
}

#[test]
fn a_few_elements_are_enough_only_where_there_is_no_order() {
    for spec in [Spec::Queue, Spec::Stack, Spec::Deque, Spec::PriorityQueue] {
        let counts = by_type!(spec, Counts::default(), agree, spec);
        let Counts {
            refuted,
            by_elements,
            by_fewer,
        } = counts;
        assert!(refuted > HISTORIES / 5, "{spec}: {counts:?}");
        assert!(by_elements > refuted / 2, "{spec}: {counts:?}");
        assert!(by_fewer > by_elements / 2, "{spec}: {counts:?}");
    }
}
