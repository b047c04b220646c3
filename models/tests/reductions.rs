//! Reductions change neither verdicts nor what can become durable and be
//! answered, as long as the network has room.

mod toys;

use std::collections::{BTreeSet, HashSet};

use stateright::Model as _;
use toys::{Commitment, Decree, Leased};
use tribunal_models::model::{Model, Settings};
use tribunal_models::report::Verdict;
use tribunal_models::{
    Bounds, CheckOptions, Cluster, Granularity, Limit, ModelSystem, Reductions, check,
};

/// All reductions but one, and none.
fn fewer() -> Vec<(&'static str, Reductions)> {
    let all = Reductions::ALL;
    vec![
        ("loss", Reductions { loss: false, ..all }),
        (
            "at_once",
            Reductions {
                at_once: false,
                ..all
            },
        ),
        (
            "no_ops",
            Reductions {
                no_ops: false,
                ..all
            },
        ),
        (
            "timers",
            Reductions {
                timers: false,
                ..all
            },
        ),
        ("dead", Reductions { dead: false, ..all }),
        (
            "symmetry",
            Reductions {
                symmetry: false,
                ..all
            },
        ),
        ("none", Reductions::NONE),
    ]
}

/// What is durable on every node, and what clients were told.
fn projection<S: ModelSystem>(cluster: &Cluster<S>) -> String {
    let durable: Vec<_> = cluster.nodes().map(|node| cluster.durable(node)).collect();
    let told: Vec<_> = (0..cluster.operations().len())
        .map(|n| cluster.result(n))
        .collect();
    format!("{durable:?} {told:?}")
}

/// Every projection that can be reached, and how many states were visited.
fn reachable<S: ModelSystem>(
    bounds: Bounds,
    granularity: Granularity,
    reductions: Reductions,
) -> (BTreeSet<String>, usize) {
    let settings = Settings {
        bounds,
        granularity,
        reductions,
    };
    let model = Model::new(S::new(&bounds, None), settings);
    let mut open = model.init_states();
    let mut seen: HashSet<_> = open.iter().cloned().collect();
    let mut projections = BTreeSet::new();
    while let Some(state) = open.pop() {
        projections.insert(projection(&state));
        for next in model.next_steps(&state).into_iter().map(|(_, next)| next) {
            if seen.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    (projections, seen.len())
}

fn reductions_change_nothing_that_counts<S: ModelSystem>(bounds: Bounds) {
    for granularity in [Granularity::Atomic, Granularity::Staged] {
        let (usual, least) = reachable::<S>(bounds, granularity, Reductions::ALL);
        for (name, reductions) in fewer() {
            let (other, states) = reachable::<S>(bounds, granularity, reductions);
            assert_eq!(usual, other, "{} {granularity:?} without {name}", S::NAME);
            assert!(
                states >= least,
                "{} {granularity:?} without {name}",
                S::NAME
            );
        }
    }
}

fn verdicts_stay<S: ModelSystem>(bounds: Bounds) {
    for bug in [None, Some("hasty".to_owned())] {
        let right = bug.is_none();
        for (name, reductions) in fewer() {
            let options = CheckOptions {
                bug: bug.clone(),
                reductions,
                ..CheckOptions::new(bounds)
            };
            let report = check::check::<S>(&options, &mut |_| {}).expect("a check");
            let expected = if right {
                Verdict::Valid
            } else {
                Verdict::Invalid
            };
            assert_eq!(
                report.verdict,
                expected,
                "{} without {name}: {report:#?}",
                S::NAME
            );
        }
    }
}

fn decree() -> Bounds {
    Bounds::of(3)
        .with(Limit::Operations, 1)
        .with(Limit::Crashes, 1)
}

fn commitment() -> Bounds {
    let bounds = Bounds::of(2)
        .with(Limit::Operations, 1)
        .with(Limit::Elections, 1);
    bounds.with(Limit::Crashes, 1).with(Limit::Breaks, 1)
}

fn lock() -> Bounds {
    let bounds = Bounds::of(3)
        .with(Limit::Operations, 2)
        .with(Limit::Ticks, 3);
    bounds.with(Limit::Timers, 1).with(Limit::Crashes, 1)
}

#[test]
fn of_single_decree() {
    reductions_change_nothing_that_counts::<Decree>(decree());
}

#[test]
fn of_the_coordinator() {
    reductions_change_nothing_that_counts::<Commitment>(commitment());
}

#[test]
fn of_the_lock() {
    reductions_change_nothing_that_counts::<Leased>(lock());
}

#[test]
fn right_stays_right_and_wrong_stays_wrong() {
    verdicts_stay::<Commitment>(commitment());
    verdicts_stay::<Leased>(lock());
}

#[test]
fn a_full_network_loses_messages() {
    let tight = decree().with(Limit::InFlight, 2);
    let settings = Settings {
        bounds: tight,
        granularity: Granularity::Atomic,
        reductions: Reductions::ALL,
    };
    let model = Model::new(Decree::new(&tight, None), settings);
    let mut open = model.init_states();
    let mut seen: HashSet<_> = open.iter().cloned().collect();
    let (mut most, mut lost) = (0, false);
    while let Some(state) = open.pop() {
        most = most.max(state.messages().count());
        for (action, next) in model.next_steps(&state) {
            lost |= action.kind() == tribunal_models::tally::Kind::Lose;
            if seen.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    assert_eq!((most, lost), (2, true));
}
