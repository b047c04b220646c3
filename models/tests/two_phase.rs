//! Two-phase commit, exhaustively: the shipped bounds, where it blocks, and
//! every wrong version.

mod catalogue;

use catalogue::{checked, counts, with};
use tribunal_models::report::{PropertyResult, Report, Verdict};
use tribunal_models::two_phase::TwoPhaseSystem;
use tribunal_models::{Bounds, CheckOptions, Limit, ModelSystem};

#[test]
fn every_wrong_version_breaks_its_property() {
    catalogue::every_wrong_version_breaks_its_property::<TwoPhaseSystem>();
}

#[test]
fn each_property_is_broken_by_a_wrong_version() {
    catalogue::each_property_is_broken_by_a_wrong_version::<TwoPhaseSystem>(&[
        ("Blocked Stays Blocked", "uncertain-participant-decides"),
        ("Fail Means Never", "presumed-commit"),
        ("Lock Safety", "locks-let-go-at-vote"),
    ]);
}

#[test]
fn the_correct_machine_is_valid_with_the_same_arguments() {
    catalogue::the_correct_machine_is_valid_with_the_same_arguments::<TwoPhaseSystem>();
}

#[test]
fn what_is_sent_before_it_is_durable_is_seen_only_where_persists_take_time() {
    catalogue::what_is_sent_too_early_is_seen_only_where_persists_take_time::<TwoPhaseSystem>();
}

#[test]
fn the_shipped_bounds_have_this_many_states() {
    let shipped = counts::<TwoPhaseSystem>(TwoPhaseSystem::default_bounds());
    assert_eq!(shipped, [(2_346_014, 501_676), (6_848_763, 1_471_680)]);
}

/// Two transactions that write the same keys, that each read what the other
/// writes, and one that reads what the other writes.
#[test]
fn transactions_that_meet_have_this_many_states() {
    let two = Bounds::of(3).with(Limit::Operations, 2);
    let skewed = with::<TwoPhaseSystem>(two, "skew", 1);
    let read = Bounds::of(3)
        .with(Limit::Operations, 1)
        .with(Limit::Reads, 1);
    let found = [
        two.with(Limit::Timers, 1),
        skewed.with(Limit::Crashes, 1),
        read.with(Limit::Crashes, 1),
    ]
    .map(|bounds| counts::<TwoPhaseSystem>(bounds).map(|(_, unique)| unique));
    assert_eq!(
        found,
        [[221_961, 632_806], [51_956, 128_866], [132_886, 298_360]]
    );
}

#[test]
fn two_phase_commit_blocks_when_a_coordinator_stops() {
    let asked = |halts| {
        checked::<TwoPhaseSystem>(&CheckOptions {
            property: Some("Non-Blocking".to_owned()),
            ..CheckOptions::new(TwoPhaseSystem::default_bounds().with(Limit::Halts, halts))
        })
    };
    let report = asked(1);
    assert_eq!(result(&report, "Non-Blocking"), PropertyResult::Violated);
    let refuted = report
        .properties
        .iter()
        .find(|each| each.name == "Non-Blocking");
    let last = refuted.and_then(|each| each.path.last());
    assert_eq!(
        last.map(|step| step.action.as_str()),
        Some("n2 stops for good")
    );
    assert_eq!(asked(0).verdict, Verdict::Valid);
}

fn result(report: &Report, name: &str) -> PropertyResult {
    let mut properties = report.properties.iter();
    let found = properties.find(|each| each.name == name);
    found.expect("the property").result
}
