//! The failure detectors, exhaustively: the shipped bounds, every wrong
//! version, and the bounds of time one unit beyond what timeouts stand.

mod catalogue;

use catalogue::{checked, counts, with};
use tribunal_models::detector::{AccrualSystem, HeartbeatSystem, ObserverSystem};
use tribunal_models::report::{PropertyResult, Verdict};
use tribunal_models::{Bounds, CheckOptions, Granularity, Limit, ModelSystem};

#[test]
fn every_wrong_version_breaks_its_property() {
    catalogue::every_wrong_version_breaks_its_property::<HeartbeatSystem>();
    catalogue::every_wrong_version_breaks_its_property::<ObserverSystem>();
    catalogue::every_wrong_version_breaks_its_property::<AccrualSystem>();
}

#[test]
fn each_property_is_broken_by_a_wrong_version() {
    catalogue::each_property_is_broken_by_a_wrong_version::<HeartbeatSystem>(&[]);
    catalogue::each_property_is_broken_by_a_wrong_version::<ObserverSystem>(&[]);
    catalogue::each_property_is_broken_by_a_wrong_version::<AccrualSystem>(&[]);
}

#[test]
fn the_correct_machines_are_valid_with_the_same_arguments() {
    catalogue::the_correct_machine_is_valid_with_the_same_arguments::<HeartbeatSystem>();
    catalogue::the_correct_machine_is_valid_with_the_same_arguments::<ObserverSystem>();
    catalogue::the_correct_machine_is_valid_with_the_same_arguments::<AccrualSystem>();
}

fn shipped<S: ModelSystem>(limits: &[(Limit, u8)]) -> Bounds {
    let bounds = S::default_bounds();
    let limited = |bounds: Bounds, (limit, amount): &(Limit, u8)| bounds.with(*limit, *amount);
    limits.iter().fold(bounds, limited)
}

/// Nothing is on disk, so that it makes no difference when writes complete.
#[test]
fn the_shipped_bounds_but_for_ticks_have_this_many_states() {
    let heartbeat = counts::<HeartbeatSystem>(shipped::<HeartbeatSystem>(&[(Limit::Ticks, 9)]));
    let observer = counts::<ObserverSystem>(shipped::<ObserverSystem>(&[(Limit::Ticks, 9)]));
    let accrual = counts::<AccrualSystem>(shipped::<AccrualSystem>(&[(Limit::Ticks, 9)]));
    assert_eq!(
        [heartbeat, observer, accrual],
        [
            [(4_168_757, 735_740); 2],
            [(1_967_124, 430_009); 2],
            [(429_886, 135_401); 2]
        ]
    );
}

#[test]
#[ignore = "takes a minute: cargo test --release -p tribunal-models --test detectors -- --ignored"]
fn the_shipped_bounds_have_this_many_states() {
    let heartbeat = counts::<HeartbeatSystem>(HeartbeatSystem::default_bounds());
    let observer = counts::<ObserverSystem>(ObserverSystem::default_bounds());
    let accrual = counts::<AccrualSystem>(AccrualSystem::default_bounds());
    assert_eq!(
        [heartbeat, observer, accrual],
        [
            [(8_002_501, 1_396_096); 2],
            [(17_601_061, 3_513_744); 2],
            [(2_824_190, 794_611); 2]
        ]
    );
}

/// The names of what is broken; nothing where all holds.
fn broken<S: ModelSystem>(bounds: Bounds, granularity: Granularity) -> Vec<&'static str> {
    let report = checked::<S>(&CheckOptions {
        granularity,
        ..CheckOptions::new(bounds)
    });
    let is_valid = report.verdict == Verdict::Valid;
    let broken: Vec<_> = report
        .properties
        .iter()
        .filter(|property| property.result == PropertyResult::Violated)
        .map(|property| property.name)
        .collect();
    assert_eq!(is_valid, broken.is_empty(), "{report:#?}");
    broken
}

fn pair<S: ModelSystem>(settings: &[(&str, u8)]) -> Bounds {
    let mut bounds = shipped::<S>(&[(Limit::Ticks, 18)]);
    bounds.nodes = 2;
    let set = |bounds: Bounds, (name, value): &(&str, u8)| with::<S>(bounds, name, *value);
    settings.iter().fold(bounds, set)
}

/// The timeout of the shipped bounds stands a delay of one unit, and none of
/// two; a timeout that is longer by one does.
#[test]
fn a_delay_one_unit_beyond_what_the_timeout_stands_refutes_accuracy() {
    for (_, granularity) in catalogue::HOSTS {
        let heartbeat = |settings: &[(&str, u8)]| {
            broken::<HeartbeatSystem>(pair::<HeartbeatSystem>(settings), granularity)
        };
        assert_eq!(heartbeat(&[("delay", 1)]), [""; 0]);
        assert_eq!(heartbeat(&[("delay", 2)]), ["Strong Accuracy"]);
        assert_eq!(heartbeat(&[("delay", 2), ("timeout", 4)]), [""; 0]);

        let observer = |settings: &[(&str, u8)]| {
            let settings = [&[("subjects", 1)], settings].concat();
            broken::<ObserverSystem>(pair::<ObserverSystem>(&settings), granularity)
        };
        assert_eq!(observer(&[("delay", 1)]), [""; 0]);
        assert_eq!(observer(&[("delay", 2)]), ["Strong Accuracy"]);
        assert_eq!(observer(&[("delay", 2), ("timeout", 5)]), [""; 0]);

        let accrual = |settings: &[(&str, u8)]| {
            broken::<AccrualSystem>(pair::<AccrualSystem>(settings), granularity)
        };
        assert_eq!(accrual(&[("delay", 1)]), [""; 0]);
        assert_eq!(
            accrual(&[("delay", 1), ("deviation", 2)]),
            ["Strong Accuracy"]
        );
    }
}

#[test]
fn a_clock_that_runs_further_ahead_than_declared_refutes_accuracy() {
    let mut bounds = pair::<HeartbeatSystem>(&[]);
    bounds.drift = Some(tribunal_protocol::detector::DRIFT + 1);
    let broken = broken::<HeartbeatSystem>(bounds, Granularity::Atomic);
    assert_eq!(broken, ["Strong Accuracy"]);
}

/// A timeout that is too short learns, and then makes no mistakes.
#[test]
fn an_adaptive_timeout_learns_bounds_that_it_was_not_told() {
    let settings = [("timeout", 1), ("step", 1), ("most", 3), ("stable-from", 1)];
    let bounds = pair::<HeartbeatSystem>(&settings).with(Limit::Halts, 0);
    assert_eq!(
        broken::<HeartbeatSystem>(bounds, Granularity::Atomic),
        [""; 0]
    );
    let short = with::<HeartbeatSystem>(bounds, "most", 2);
    assert_eq!(
        broken::<HeartbeatSystem>(short, Granularity::Atomic),
        ["Eventual Strong Accuracy"]
    );
}

/// A node that restarts begins anew, and is noticed if it then stops.
#[test]
fn restarted_nodes_suspect_and_are_suspected() {
    let crashing = |bounds: Bounds| bounds.with(Limit::Crashes, 1).with(Limit::Ticks, 16);
    let atomic = Granularity::Atomic;
    let heartbeat = crashing(pair::<HeartbeatSystem>(&[]));
    assert_eq!(broken::<HeartbeatSystem>(heartbeat, atomic), [""; 0]);
    let observer = crashing(pair::<ObserverSystem>(&[("subjects", 1)]));
    assert_eq!(broken::<ObserverSystem>(observer, atomic), [""; 0]);
}

#[test]
fn a_node_that_nobody_would_notice_is_refused() {
    let bounds = ObserverSystem::default_bounds();
    assert_eq!(ObserverSystem::refuses(&bounds), None);
    let two_halts = bounds.with(Limit::Halts, 2);
    let why = ObserverSystem::refuses(&two_halts).expect("a reason");
    assert!(why.contains("nobody would notice"), "{why}");
    let all = with::<ObserverSystem>(two_halts, "subjects", 0);
    assert_eq!(ObserverSystem::refuses(&all), None);
}
