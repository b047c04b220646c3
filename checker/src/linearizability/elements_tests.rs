//! What is said of the elements of an object, against brute force.

use tribunal_histories::{History, Kind, Nil, Value};

use super::elements::{Elements, Enough};
use super::evidence::evidence;
use super::evidence_tests::assert_refutes;
use super::monitored_tests::{random_history, timed};
use super::object::NEVER;
use super::oracle::brute_force::brute_force;
use super::rounds::Meter;
use super::subhistory::Start;
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

/// What is said of these elements: of what was read they alone, and of an append not
/// where the entry is.
fn of_elements(history: &History, elements: &[Value]) -> History {
    let mut history = history.clone();
    for event in history.events.iter_mut().filter(|it| it.kind == Kind::Ok) {
        match (event.f.as_str(), &mut event.value) {
            ("read", Value::List(listed)) => listed.retain(|it| elements.contains(it)),
            ("append", at @ Value::List(_)) => *at = Value::Null,
            _ => {}
        }
    }
    history
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
        let pairs = history.pairs().expect("a history");
        let keys = dialect::keys(&history, &pairs, spec, Nil::Initial).expect("a history");
        let [key] = &keys[..] else { continue };
        let (calls, _) = key.calls(NEVER - 1);
        let meter = Meter::new(&limits);
        // A part is one element.
        let Some(mut elements) = Elements::of(&key.object, &meter) else {
            assert!(key.part.is_some(), "{calls:?}");
            continue;
        };
        counts.refuted += usize::from(!expected);
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
        let enough = elements.shrink(&calls, part).expect("it is known which");
        let mut starts = vec![specification.initial()];
        let (of, told) = match &enough {
            Enough::These(these) => (these.len(), timed),
            Enough::Alone(alone) => {
                let history = of_elements(&history, &alone.elements);
                // What can be told from others, and what cannot.
                let lists = history
                    .events
                    .iter()
                    .filter_map(|event| match &event.value {
                        Value::List(_) => Some(event.value.clone()),
                        _ => None,
                    });
                let others = alone.elements.iter().cloned().chain([Value::Int(-1)]);
                let others = others.flat_map(|element| {
                    (1..5).map(move |count| Value::List(vec![element.clone(); count]))
                });
                let states = lists.chain(others).filter_map(|it| S::holding(&it).ok());
                starts.extend(states.map(|it| it.initial()));
                (alone.calls.len(), self::timed(&specification, &history))
            }
        };
        counts.by_fewer += usize::from(of < calls.len());
        let timeline = Timeline::unlimited(&key.object, calls);
        let evidence = evidence(&key.object, &timeline, Some(enough), &[], &meter);
        let starts = match evidence.start {
            Start::Initial => &starts[..1],
            Start::Anywhere => &starts,
        };
        assert!(evidence.smallest, "{told:#?}");
        assert_refutes(&specification, &told, &evidence, starts);
    }
    counts
}

#[test]
fn a_few_elements_are_enough_only_where_there_is_no_order() {
    let containers = [Spec::Queue, Spec::Stack, Spec::Deque, Spec::PriorityQueue];
    let listed = [Spec::Log, Spec::Set, Spec::Multiset];
    for spec in containers.into_iter().chain(listed) {
        let counts = by_type!(spec, Counts::default(), agree, spec);
        let Counts {
            refuted,
            by_elements,
            by_fewer,
        } = counts;
        // How many there are, or where one is, is said of all; parts are left out.
        let (among, share) = if listed.contains(&spec) {
            (10, 4)
        } else {
            (5, 2)
        };
        assert!(refuted > HISTORIES / among, "{spec}: {counts:?}");
        assert!(by_elements > refuted / share, "{spec}: {counts:?}");
        assert!(by_fewer > by_elements / 2, "{spec}: {counts:?}");
    }
}
