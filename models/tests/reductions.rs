//! Reductions change neither verdicts nor what can become durable and be
//! answered, as long as the network has room.

mod explore;
mod toys;

use std::collections::HashSet;

use explore::fewer;
use stateright::Model as _;
use toys::{Commitment, Decree, Leased};
use tribunal_models::model::{Model, Settings};
use tribunal_models::report::Verdict;
use tribunal_models::{Bounds, CheckOptions, Cluster, Granularity, Limit, ModelSystem, Reductions};

/// What is durable on every node, and what clients were told.
fn projection<S: ModelSystem>(cluster: &Cluster<S>) -> String {
    let durable: Vec<_> = cluster.nodes().map(|node| cluster.durable(node)).collect();
    let told: Vec<_> = (0..cluster.operations().len())
        .map(|n| cluster.result(n))
        .collect();
    format!("{durable:?} {told:?}")
}

fn reductions_change_nothing_that_counts<S: ModelSystem>(bounds: Bounds) {
    for granularity in [Granularity::Atomic, Granularity::Staged] {
        let reachable = |reductions| {
            let settings = Settings {
                bounds,
                granularity,
                reductions,
            };
            explore::reachable(S::new(&bounds, None), settings, projection)
        };
        let (usual, least) = reachable(Reductions::ALL);
        for (name, reductions) in fewer() {
            let (other, states) = reachable(reductions);
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
    let right = CheckOptions::new(bounds);
    let wrong = CheckOptions {
        bug: Some("hasty".to_owned()),
        ..right.clone()
    };
    explore::verdicts_stay::<S>(&right, &Verdict::Valid);
    explore::verdicts_stay::<S>(&wrong, &Verdict::Invalid);
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
