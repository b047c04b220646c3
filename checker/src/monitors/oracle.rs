//! Monitors against brute force, on random histories.
//!
//! The brute force is the definition: some of the operations of unknown outcome
//! take effect, all that completed do, and some order of these respects the
//! order of completions and invocations.

use std::hash::Hash;

use rustc_hash::FxHashSet;

use super::simulation::{Object, Random, simulate};
use super::{Decided, Interval};

type History<O> = Vec<Interval<<O as Object>::Operation>>;

/// A monitor, and what the tests must know of it.
pub(super) struct Case<O: Object> {
    pub decide: fn(&[Interval<O::Operation>]) -> Option<Decided>,
    /// Any operation, right or wrong.
    pub any: fn(&mut Random) -> O::Operation,
    /// Whether it must say something.
    pub qualifies: fn(&[Interval<O::Operation>]) -> bool,
    /// Whether what it blames must have no order by itself.
    pub blames_what_has_no_order: bool,
}

/// How many histories had an order, had none, and were not decided; of these, how many
/// had none.
#[derive(Debug, Default)]
struct Counts {
    valid: usize,
    refuted: usize,
    undecided: usize,
    missed: usize,
}

fn brute_force<O: Object + Eq + Hash>(history: &[Interval<O::Operation>]) -> bool {
    fn rest<O: Object + Eq + Hash>(
        history: &[Interval<O::Operation>],
        placed: u32,
        state: &O,
        seen: &mut FxHashSet<(u32, O)>,
    ) -> bool {
        let left = || (0..history.len()).filter(|place| placed >> place & 1 == 0);
        if left().all(|place| history[place].completed.is_none()) {
            return true;
        }
        if !seen.insert((placed, state.clone())) {
            return false;
        }
        let first = left().filter_map(|place| history[place].completed).min();
        left().any(|place| {
            let interval = &history[place];
            let mut next = state.clone();
            first.is_none_or(|first| interval.invoked <= first)
                && next.step(&interval.operation, interval.completed.is_some())
                && rest(history, placed | 1 << place, &next, seen)
        })
    }
    rest(history, 0, &O::default(), &mut FxHashSet::default())
}

/// Whether the order is one of the history.
fn replays<O: Object>(history: &[Interval<O::Operation>], order: &[u32]) -> bool {
    let mut placed = vec![false; history.len()];
    let mut object = O::default();
    let mut begun = 0;
    for &operation in order {
        let interval = &history[operation as usize];
        begun = begun.max(interval.invoked);
        if std::mem::replace(&mut placed[operation as usize], true)
            || interval.completed.is_some_and(|place| place < begun)
            || !object.step(&interval.operation, interval.completed.is_some())
        {
            return false;
        }
    }
    let mut all = history.iter().zip(placed);
    all.all(|(interval, placed)| placed || interval.completed.is_none())
}

/// A history that has an order, with ends near to when things happened.
fn small<O: Object>(random: &mut Random, length: usize) -> History<O> {
    let mut object = O::default();
    let widths = [2, 4, 7, 12, 40];
    let width = widths[random.below(5) as usize];
    let places = (1..=length as u32).map(|number| {
        let operation = object.draw(random, number);
        object.step(&operation, true);
        let place = 4 * number + 40;
        Interval {
            operation,
            invoked: place - random.below(width) as u32,
            completed: Some(place + random.below(width) as u32),
        }
    });
    let mut history: History<O> = places.collect();
    // The index says nothing about when.
    for place in 1..history.len() {
        let other = random.below(place as u64 + 1) as usize;
        history.swap(place, other);
    }
    history
}

fn mutate<O: Object>(random: &mut Random, history: &mut History<O>, any: O::Operation) {
    let place = random.below(history.len() as u64) as usize;
    let other = random.below(history.len() as u64) as usize;
    match random.below(6) {
        0 => history[place].operation = any,
        1 => {
            let operation = history[place].operation.clone();
            history[place].operation = std::mem::replace(&mut history[other].operation, operation);
        }
        2 => history[place].completed = Some(history[place].invoked),
        3 => {
            if let Some(completed) = history[place].completed {
                history[place].invoked = completed;
            }
        }
        4 => {
            let moved = random.below(12) as u32;
            history[place].invoked += moved;
            history[place].completed = history[place].completed.map(|place| place + moved);
        }
        _ => {
            history.remove(place);
        }
    }
}

/// So many of each shape; `ORACLE_HISTORIES=1000000 cargo test monitors` tries
/// more of them.
const HISTORIES: usize = 10_000;

/// What the monitor refutes has no order, and that is most of what has none.
pub(super) fn refutes<O: Object + Eq + Hash>(case: &Case<O>) {
    of_each_shape(case, |counts, histories, shape| {
        assert!(counts.refuted > histories / 10, "{shape}");
        assert!(counts.missed < counts.refuted / 5, "{shape}");
    });
}

/// The monitor says what brute force says.
pub(super) fn agree<O: Object + Eq + Hash>(case: &Case<O>) {
    of_each_shape(case, |counts, histories, shape| {
        assert!(counts.valid > histories / 5, "{shape}");
        assert!(counts.refuted > histories / 10, "{shape}");
        assert!(counts.undecided < histories / 5, "{shape}");
    });
}

/// Compares so many histories of each shape, and lets the counts be checked.
fn of_each_shape<O: Object + Eq + Hash>(case: &Case<O>, check: impl Fn(&Counts, usize, &str)) {
    let asked = std::env::var("ORACLE_HISTORIES").ok();
    let histories = asked.and_then(|text| text.parse().ok());
    let histories = histories.unwrap_or(HISTORIES);
    // The longest, and one in how many outcomes are unknown.
    let shapes = [(5, 0), (8, 0), (11, 0), (5, 4), (8, 6), (11, 8)];
    for (seed, (length, unknown_one_in)) in (1..).zip(shapes) {
        let counts = compare(case, seed, histories, length, unknown_one_in);
        let shape = format!("up to {length}, 1 in {unknown_one_in} unknown: {counts:?}");
        check(&counts, histories, &shape);
        println!("{shape}");
    }
}

/// About half of the operations of unknown outcome are such as never happened.
fn compare<O: Object + Eq + Hash>(
    case: &Case<O>,
    seed: u64,
    histories: usize,
    length: u64,
    unknown_one_in: u64,
) -> Counts {
    let mut random = Random(seed);
    let mut counts = Counts::default();
    for _ in 0..histories {
        let length = 1 + random.below(length) as usize;
        let mut history = small::<O>(&mut random, length);
        for _ in 0..random.below(5) {
            if !history.is_empty() {
                let any = (case.any)(&mut random);
                mutate::<O>(&mut random, &mut history, any);
            }
        }
        for interval in &mut history {
            if random.one_in(unknown_one_in) {
                interval.completed = None;
                if random.one_in(2) {
                    interval.operation = (case.any)(&mut random);
                }
            }
        }
        let expected = brute_force::<O>(&history);
        match (case.decide)(&history) {
            None => {
                assert!(!(case.qualifies)(&history), "{history:?}");
                counts.undecided += 1;
                counts.missed += usize::from(!expected);
            }
            Some(Decided::Order(order)) => {
                assert!(
                    replays::<O>(&history, &order),
                    "{history:?} not by {order:?}"
                );
                assert!(expected, "{history:?}");
                counts.valid += 1;
            }
            Some(Decided::Refuted { blame }) => {
                assert!(!expected, "{history:?}");
                assert!(!blame.is_empty());
                let blamed = blame
                    .iter()
                    .map(|&operation| history[operation as usize].clone());
                let blamed: History<O> = blamed.collect();
                assert!(
                    !case.blames_what_has_no_order || !brute_force::<O>(&blamed),
                    "{history:?} not for {blame:?}"
                );
                counts.refuted += 1;
            }
        }
    }
    counts
}

/// A long history of a simulated object has an order, and one of an object that
/// went wrong has none. Both are decided in a moment.
pub(super) fn long<O: Object>(case: &Case<O>, unknown_one_in: u64) {
    for clients in [4, 16, 64] {
        let mut random = Random(clients as u64);
        let history = simulate::<O>(&mut random, 100_000, clients, unknown_one_in, None);
        match (case.decide)(&history) {
            Some(Decided::Order(order)) => assert!(replays::<O>(&history, &order)),
            other => panic!("{clients} clients: {other:?}"),
        }
        if unknown_one_in > 0 {
            // In time, enough may have happened to explain anything.
            continue;
        }
        let mut random = Random(clients as u64);
        let wrong = simulate::<O>(&mut random, 100_000, clients, unknown_one_in, Some(50_000));
        let Some(Decided::Refuted { blame }) = (case.decide)(&wrong) else {
            panic!("{clients} clients: not refuted");
        };
        let blamed = blame
            .iter()
            .map(|&operation| wrong[operation as usize].clone());
        let blamed: History<O> = blamed.collect();
        let again = (case.decide)(&blamed);
        assert!(
            !case.blames_what_has_no_order || matches!(again, Some(Decided::Refuted { .. })),
            "{clients} clients: {blame:?}"
        );
    }
}
