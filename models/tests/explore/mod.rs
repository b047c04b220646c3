//! Explores a model without its driver, to compare what is reachable with and
//! without reductions.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::{BTreeSet, HashSet};
use std::hash::Hash;
use std::ops::ControlFlow;

use stateright::Model as _;
use tribunal_models::model::{Model, Settings};
use tribunal_models::report::Verdict;
use tribunal_models::{CheckOptions, Cluster, ModelSystem, Reductions, check};

/// All reductions but one, and none.
pub fn fewer() -> Vec<(&'static str, Reductions)> {
    let all = Reductions::ALL;
    let without = |change: fn(&mut Reductions)| {
        let mut reductions = all;
        change(&mut reductions);
        reductions
    };
    vec![
        ("loss", without(|all| all.loss = false)),
        ("at_once", without(|all| all.at_once = false)),
        ("no_ops", without(|all| all.no_ops = false)),
        ("timers", without(|all| all.timers = false)),
        ("dead", without(|all| all.dead = false)),
        ("symmetry", without(|all| all.symmetry = false)),
        ("all", Reductions::NONE),
    ]
}

/// Every projection of a state that can be reached, and how many states were
/// visited.
pub fn reachable<S: ModelSystem, P: Eq + Hash + Ord>(
    system: S,
    settings: Settings,
    projection: impl Fn(&Cluster<S>) -> P,
) -> (BTreeSet<P>, usize) {
    let model = Model::new(system, settings).interning(1);
    let mut open = model.init_states();
    let mut seen: HashSet<_> = open.iter().cloned().collect();
    let mut projections = HashSet::new();
    while let Some(state) = open.pop() {
        projections.insert(projection(&state));
        for (_, next) in model.next_steps(&state) {
            if seen.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    (projections.into_iter().collect(), seen.len())
}

/// The verdict, and the properties that are violated, with every reduction
/// and without each must be what is expected.
pub fn verdicts_stay<S: ModelSystem>(options: &CheckOptions, expected: &Verdict) {
    let usual = CheckOptions {
        reductions: Reductions::ALL,
        ..options.clone()
    };
    for (name, reductions) in [("none", Reductions::ALL)].into_iter().chain(fewer()) {
        let options = CheckOptions {
            reductions,
            ..usual.clone()
        };
        let report =
            check::check::<S>(&options, &mut |_| ControlFlow::Continue(())).expect("a check");
        assert_eq!(
            &report.verdict,
            expected,
            "{} {:?} without {name}: {report:#?}",
            S::NAME,
            options.bug
        );
    }
}
