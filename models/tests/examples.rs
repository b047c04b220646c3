//! The example machines on the model: how many states, and what is found.

mod toys;

use std::ops::ControlFlow;

use toys::{Commitment, Decree, Leased};
use tribunal_models::report::{PropertyResult, Verdict};
use tribunal_models::search::Order;
use tribunal_models::{Bounds, CheckOptions, Granularity, Limit, ModelSystem, Report, check};

const BOTH: [Granularity; 2] = [Granularity::Atomic, Granularity::Staged];

fn checked<S: ModelSystem>(options: &CheckOptions) -> Report {
    check::check::<S>(options, &mut |_| ControlFlow::Continue(())).expect("a check")
}

fn with(bounds: Bounds, granularity: Granularity, bug: Option<&str>) -> CheckOptions {
    CheckOptions {
        granularity,
        bug: bug.map(str::to_owned),
        ..CheckOptions::new(bounds)
    }
}

fn decree() -> Bounds {
    Decree::default_bounds()
}

fn commitment() -> Bounds {
    let bounds = Commitment::default_bounds();
    bounds.with(Limit::Crashes, 1).with(Limit::Breaks, 1)
}

/// Unique states, atomic and staged.
fn states<S: ModelSystem>(bounds: Bounds) -> [u64; 2] {
    BOTH.map(|granularity| {
        let report = checked::<S>(&with(bounds, granularity, None));
        assert_eq!(report.verdict, Verdict::Valid, "{report:#?}");
        report.states_unique
    })
}

#[test]
fn the_right_versions_are_valid_and_have_so_many_states() {
    assert_eq!(states::<Decree>(decree()), [40318, 40318]);
    assert_eq!(states::<Commitment>(commitment()), [39070, 104844]);
    assert_eq!(states::<Leased>(Leased::default_bounds()), [11347, 11347]);
}

/// A wrong gate is no difference where persists complete at once.
fn only_the_staged_host_refutes<S: ModelSystem>(bounds: Bounds, property: &str, steps: usize) {
    let atomic = checked::<S>(&with(bounds, Granularity::Atomic, Some("hasty")));
    assert_eq!(atomic.verdict, Verdict::Valid);
    let staged = checked::<S>(&CheckOptions {
        property: Some(property.to_owned()),
        ..with(bounds, Granularity::Staged, Some("hasty"))
    });
    assert_eq!(staged.verdict, Verdict::Invalid);
    let violated: Vec<_> = staged.violated().collect();
    let found = violated.iter().find(|found| found.name == property);
    let found = found.unwrap_or_else(|| panic!("{property} holds: {violated:#?}"));
    assert!(found.is_shortest);
    assert_eq!(found.path.len(), steps, "{:#?}", found.path);
}

#[test]
fn a_promise_spoken_too_early_breaks_agreement() {
    only_the_staged_host_refutes::<Decree>(decree(), "Agreement", 9);
}

#[test]
fn a_decision_told_too_early_breaks_agreement() {
    only_the_staged_host_refutes::<Commitment>(commitment(), "Agreement", 7);
}

#[test]
fn a_lease_granted_too_early_gives_two_holders() {
    only_the_staged_host_refutes::<Leased>(Leased::default_bounds(), "Mutual Exclusion", 7);
}

#[test]
fn one_unit_of_drift_beyond_what_the_lock_stands_gives_two_holders() {
    let mut bounds = Leased::default_bounds();
    bounds.drift = Some(2);
    let report = checked::<Leased>(&with(bounds, Granularity::Atomic, None));
    let violated: Vec<_> = report.violated().map(|property| property.name).collect();
    assert_eq!(violated, ["Mutual Exclusion"]);
}

#[test]
fn the_order_of_the_search_and_the_number_of_threads_change_no_count() {
    let bounds = commitment();
    let usual = with(bounds, Granularity::Staged, None);
    let counts = |order, threads| {
        let report = checked::<Commitment>(&CheckOptions {
            order,
            threads,
            ..usual.clone()
        });
        (
            report.states_generated,
            report.states_unique,
            report.actions,
            report.limits_hit,
        )
    };
    let depth_first = counts(Order::DepthFirst, 1);
    assert_eq!(depth_first, counts(Order::DepthFirst, 2));
    assert_eq!(depth_first, counts(Order::BreadthFirst, 1));
}

#[test]
fn a_prefix_is_part_of_the_path() {
    let mut options = with(decree(), Granularity::Staged, Some("hasty"));
    options.from = Some("one-promise".into());
    let report = checked::<Decree>(&options);
    let violated = report.violated().next().expect("a violation");
    let prefix: Vec<_> = violated.path.iter().map(|step| step.prefix).collect();
    assert_eq!(
        prefix.iter().filter(|prefix| **prefix).count(),
        4,
        "{:#?}",
        violated.path
    );
    assert!(prefix.is_sorted_by(|a, b| a >= b), "the prefix comes first");
    options.bug = None;
    assert_eq!(checked::<Decree>(&options).verdict, Verdict::Valid);
}

#[test]
fn a_goal_is_asked_only_where_its_budgets_are_there() {
    let report = checked::<Decree>(&with(decree(), Granularity::Atomic, None));
    let names: Vec<_> = report
        .properties
        .iter()
        .map(|property| property.name)
        .collect();
    assert!(names.contains(&"a value is chosen"));
    assert!(!names.contains(&"a proposer adopts another's value"));
}

#[test]
fn a_goal_that_is_out_of_reach_is_invalid() {
    // Nobody aborts in time if the timer never expires and nobody crashes;
    // with three members and no operation nobody commits either.
    let bounds = Bounds::of(3)
        .with(Limit::Elections, 1)
        .with(Limit::Operations, 1);
    let report = checked::<Commitment>(&with(bounds, Granularity::Atomic, None));
    assert_eq!(report.verdict, Verdict::Valid);
    let lonely = Bounds::of(1)
        .with(Limit::Operations, 1)
        .with(Limit::Elections, 1);
    let report = checked::<Decree>(&with(lonely, Granularity::Atomic, None));
    let missed = report
        .properties
        .iter()
        .find(|goal| goal.result == PropertyResult::NotReached);
    assert_eq!(missed.map(|goal| goal.name), Some("a value is chosen"));
    assert_eq!(report.verdict, Verdict::Invalid);
}
