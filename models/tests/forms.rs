//! Interned handles and remembered steps establish what the plain form does:
//! the same states, of every system.

mod toys;

use std::ops::ControlFlow;

use toys::{Commitment, Decree, Leased};
use tribunal_models::raft::RaftSystem;
use tribunal_models::report::PropertyResult;
use tribunal_models::search::Order;
use tribunal_models::{Bounds, CheckOptions, Granularity, Limit, ModelSystem, check};

/// The forms agree on the verdict, on how many states there are and how many
/// of them are generated, on how often each kind of action is taken, on the
/// budgets that were met, and on how often each goal is reached.
fn agree<S: ModelSystem>(usual: &CheckOptions) {
    let found = |order, threads, interned| {
        let options = CheckOptions {
            order,
            threads,
            interned,
            ..usual.clone()
        };
        let report =
            check::check::<S>(&options, &mut |_| ControlFlow::Continue(())).expect("a check");
        let counts = report.properties.iter().map(|each| (each.name, each.count));
        let counts: Vec<_> = counts.collect();
        (
            (report.states_generated, report.states_unique),
            report.verdict,
            report.actions,
            report.limits_hit,
            counts,
        )
    };
    let plain = found(Order::BreadthFirst, 1, false);
    assert!(plain.0.1 > 100, "{}: {plain:?}", S::NAME);
    for (order, threads) in [
        (Order::BreadthFirst, 1),
        (Order::DepthFirst, 1),
        (Order::DepthFirst, 2),
    ] {
        let interned = found(order, threads, true);
        assert_eq!(plain, interned, "{} {usual:?}", S::NAME);
    }
    assert_eq!(plain, found(Order::DepthFirst, 2, false), "{}", S::NAME);
}

fn both<S: ModelSystem>(bounds: Bounds) {
    for granularity in [Granularity::Atomic, Granularity::Staged] {
        agree::<S>(&CheckOptions {
            granularity,
            ..CheckOptions::new(bounds)
        });
    }
}

#[test]
fn single_decree_is_the_same_in_both_forms() {
    both::<Decree>(Decree::default_bounds());
}

#[test]
fn the_coordinator_is_the_same_in_both_forms() {
    let bounds = Commitment::default_bounds();
    both::<Commitment>(bounds.with(Limit::Crashes, 1).with(Limit::Breaks, 1));
}

#[test]
fn the_lock_is_the_same_in_both_forms() {
    both::<Leased>(Leased::default_bounds());
}

#[test]
fn raft_is_the_same_in_both_forms() {
    let elections = |nodes, amount| Bounds::of(nodes).with(Limit::Elections, amount);
    both::<RaftSystem>(elections(3, 2).with(Limit::Crashes, 1));
    both::<RaftSystem>(
        elections(2, 2)
            .with(Limit::Operations, 1)
            .with(Limit::Reads, 1)
            .with(Limit::Retries, 1)
            .with(Limit::Duplicates, 1)
            .with(Limit::InFlight, 4),
    );
}

#[test]
fn a_violation_is_the_same_in_both_forms() {
    let usual = CheckOptions {
        bug: Some("vote-not-persisted".to_owned()),
        ..CheckOptions::new(
            Bounds::of(3)
                .with(Limit::Elections, 2)
                .with(Limit::Crashes, 1),
        )
    };
    let [plain, interned] = [false, true].map(|interned| {
        let options = CheckOptions {
            interned,
            ..usual.clone()
        };
        let report = check::check::<RaftSystem>(&options, &mut |_| ControlFlow::Continue(()))
            .expect("a check");
        let violated = report.violated().map(|each| {
            assert_eq!(each.result, PropertyResult::Violated);
            (each.name, each.path.len(), each.is_shortest)
        });
        violated.collect::<Vec<_>>()
    });
    assert!(!plain.is_empty());
    assert_eq!(plain, interned);
}
