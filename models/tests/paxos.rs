//! Multi-Paxos, exhaustively: the shipped bounds and every wrong version.

mod catalogue;

use catalogue::{checked, counts, with};
use tribunal_models::paxos::PaxosSystem;
use tribunal_models::report::Verdict;
use tribunal_models::{Bounds, CheckOptions, Granularity, Limit, ModelSystem};

#[test]
fn every_wrong_version_breaks_its_property() {
    catalogue::every_wrong_version_breaks_its_property::<PaxosSystem>();
}

#[test]
fn the_correct_machine_is_valid_with_the_same_arguments() {
    catalogue::the_correct_machine_is_valid_with_the_same_arguments::<PaxosSystem>();
}

#[test]
fn what_is_sent_before_it_is_durable_is_seen_only_where_persists_take_time() {
    catalogue::what_is_sent_too_early_is_seen_only_where_persists_take_time::<PaxosSystem>();
}

/// With one operation less than is shipped, for the sake of time.
#[test]
fn the_shipped_bounds_but_for_an_operation_have_this_many_states() {
    let bounds = PaxosSystem::default_bounds().with(Limit::Operations, 1);
    assert_eq!(
        counts::<PaxosSystem>(bounds),
        [(243_683, 77_394), (1_862_336, 465_705)]
    );
}

#[test]
#[ignore = "takes minutes: cargo test --release -p tribunal-models --test paxos -- --ignored"]
fn the_shipped_bounds_have_this_many_states() {
    let shipped = counts::<PaxosSystem>(PaxosSystem::default_bounds());
    assert_eq!(shipped, [(6_987_868, 1_942_418), (81_274_571, 17_907_245)]);
}

/// What the shipped bounds leave out: pipelined slots, reads, sessions, copies
/// that arrive late, snapshots, quorums that are no majorities.
#[test]
fn windows_reads_snapshots_and_flexible_quorums_have_this_many_states() {
    let elections = |nodes, amount| Bounds::of(nodes).with(Limit::Elections, amount);
    let two_operations = elections(3, 2).with(Limit::Operations, 2);
    let compacts = elections(3, 1)
        .with(Limit::Timers, 1)
        .with(Limit::Operations, 2);
    let compacts = with::<PaxosSystem>(compacts, "compact-after", 2);
    let configurations = [
        with::<PaxosSystem>(two_operations, "window", 2),
        elections(3, 1)
            .with(Limit::Timers, 1)
            .with(Limit::Operations, 1)
            .with(Limit::Duplicates, 1),
        elections(2, 2)
            .with(Limit::Operations, 2)
            .with(Limit::Reads, 1)
            .with(Limit::Retries, 1)
            .with(Limit::Compactions, 1),
        with::<PaxosSystem>(two_operations.with(Limit::Crashes, 1), "phase1", 1),
        with::<PaxosSystem>(two_operations.with(Limit::Crashes, 1), "phase1", 3),
        with::<PaxosSystem>(compacts, "keep", 1),
    ];
    let counts = configurations.map(|bounds| {
        let report = checked::<PaxosSystem>(&CheckOptions {
            granularity: Granularity::Atomic,
            ..CheckOptions::new(bounds)
        });
        assert_eq!(report.verdict, Verdict::Valid, "{report:#?}");
        report.states_unique
    });
    assert_eq!(
        counts,
        [593_673, 22_006, 362_528, 1_062_942, 51_387, 121_027]
    );
}

/// A read by a lease is right while no two clocks differ by more than the
/// machine says that it stands, and wrong one unit beyond.
#[test]
fn leases_hold_within_the_declared_drift_and_break_one_unit_beyond() {
    let bounds = Bounds::of(3)
        .with(Limit::Elections, 1)
        .with(Limit::Ticks, 4)
        .with(Limit::Operations, 1)
        .with(Limit::Reads, 1);
    let bounds = with::<PaxosSystem>(bounds, "lease", 2);
    let with_drift = |drift| {
        let mut bounds = bounds;
        bounds.drift = drift;
        checked::<PaxosSystem>(&CheckOptions {
            from: Some("leased".to_owned()),
            ..CheckOptions::new(bounds)
        })
    };
    assert_eq!(with_drift(None).verdict, Verdict::Valid);
    let beyond = with_drift(Some(tribunal_protocol::paxos::DRIFT + 1));
    let broken: Vec<_> = beyond.violated().map(|property| property.name).collect();
    assert_eq!(broken, ["Linearizability"]);
}

/// What a node drops in the very step that applies it is never in its log
/// when it is looked at.
#[test]
fn what_is_applied_and_compacted_at_once_is_judged_too() {
    let compacting = |limits: &[(Limit, u8)], settings: &[(&str, u8)]| {
        let bounds = PaxosSystem::default_bounds().with(Limit::Crashes, 0);
        let bounds = limits.iter().fold(bounds, |bounds, (limit, amount)| {
            bounds.with(*limit, *amount)
        });
        let bounds = with::<PaxosSystem>(bounds, "compact-after", 1);
        settings.iter().fold(bounds, |bounds, (name, value)| {
            with::<PaxosSystem>(bounds, name, *value)
        })
    };
    let learns_from_one = compacting(&[(Limit::Operations, 1)], &[("phase1", 1)]);
    let counts_itself = compacting(&[(Limit::Elections, 0), (Limit::Operations, 1)], &[]);
    for (bug, from, bounds) in [
        ("learn-from-one-is-enough", None, learns_from_one),
        (
            "leader-counts-itself-before-sync",
            Some("elected"),
            counts_itself,
        ),
    ] {
        let report = |bug: Option<&str>| {
            checked::<PaxosSystem>(&CheckOptions {
                bug: bug.map(str::to_owned),
                from: from.map(str::to_owned),
                ..CheckOptions::new(bounds)
            })
        };
        assert_eq!(report(Some(bug)).verdict, Verdict::Invalid, "{bug}");
        assert_eq!(report(None).verdict, Verdict::Valid, "{bounds:?}");
    }
}

#[test]
fn a_lease_that_nobody_could_trust_is_refused() {
    let bounds = with::<PaxosSystem>(PaxosSystem::default_bounds(), "lease", 1);
    let why = PaxosSystem::refuses(&bounds).expect("a reason");
    assert!(why.contains("by which clocks may differ"), "{why}");
}

#[test]
fn quorums_that_do_not_meet_are_refused() {
    let bounds = PaxosSystem::default_bounds();
    let bounds = with::<PaxosSystem>(bounds, "phase1", 1);
    let bounds = with::<PaxosSystem>(bounds, "phase2", 2);
    let why = PaxosSystem::refuses(&bounds).expect("a reason");
    assert!(why.contains("need not have one in common"), "{why}");
}

#[test]
fn a_compaction_that_leaves_what_it_began_with_is_refused() {
    let bounds = with::<PaxosSystem>(PaxosSystem::default_bounds(), "compact-after", 1);
    assert_eq!(PaxosSystem::refuses(&bounds), None);
    let bounds = with::<PaxosSystem>(bounds, "keep", 1);
    let why = PaxosSystem::refuses(&bounds).expect("a reason");
    assert!(why.contains("less than compact-after"), "{why}");
}
