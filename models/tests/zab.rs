//! Zab, exhaustively: the shipped bounds, two nodes that lose and find each
//! other, and every wrong version.

mod catalogue;

use catalogue::{HOSTS, checked, counts, with};
use tribunal_models::report::Verdict;
use tribunal_models::zab::ZabSystem;
use tribunal_models::{Bounds, CheckOptions, Limit, ModelSystem};

#[test]
fn every_wrong_version_breaks_its_property() {
    catalogue::every_wrong_version_breaks_its_property::<ZabSystem>();
}

#[test]
fn each_property_is_broken_by_a_wrong_version() {
    catalogue::each_property_is_broken_by_a_wrong_version::<ZabSystem>(&[
        ("Global Primary Order", "trunc-ignored"),
        ("Local Primary Order", "propose-only-to-acked-followers"),
        ("Primary Integrity", "epoch-from-log-files-only"),
        ("Prefix Consistency", "retry-applied-twice"),
        ("Replica Agreement", "dedup-table-not-in-snapshot"),
    ]);
}

#[test]
fn the_correct_machine_is_valid_with_the_same_arguments() {
    catalogue::the_correct_machine_is_valid_with_the_same_arguments::<ZabSystem>();
}

#[test]
fn what_is_sent_before_it_is_durable_is_seen_only_where_persists_take_time() {
    catalogue::what_is_sent_too_early_is_seen_only_where_persists_take_time::<ZabSystem>();
}

#[test]
fn two_nodes_have_this_many_states_and_keep_what_they_promise() {
    let bounds = Bounds::of(2)
        .with(Limit::Elections, 1)
        .with(Limit::Operations, 2)
        .with(Limit::Crashes, 2);
    let bounds = with::<ZabSystem>(bounds, "rounds", 3);
    assert_eq!(
        counts::<ZabSystem>(bounds),
        [(164_187, 101_853), (292_185, 174_643)]
    );
}

#[test]
fn a_cluster_from_its_first_state_has_this_many_states() {
    let bounds = Bounds::of(3)
        .with(Limit::Operations, 1)
        .with(Limit::Crashes, 1);
    let bounds = with::<ZabSystem>(bounds, "rounds", 0);
    let [atomic, staged] = HOSTS.map(|(_, granularity)| {
        let report = checked::<ZabSystem>(&CheckOptions {
            granularity,
            ..CheckOptions::new(bounds)
        });
        assert_eq!(report.verdict, Verdict::Valid, "{report:#?}");
        report.states_unique
    });
    assert_eq!((atomic, staged), (249_850, 354_730));
}

/// What the shipped bounds leave out: sessions that break, observers, epochs
/// that end with their counter, elections and quorums as a server has them,
/// local reads, compaction.
#[test]
fn what_the_shipped_bounds_leave_out_has_this_many_states() {
    let bounds = |nodes| Bounds::of(nodes).with(Limit::Operations, 1);
    let two = bounds(2).with(Limit::Elections, 1).with(Limit::Crashes, 1);
    let as_a_server = with::<ZabSystem>(two.with(Limit::Timers, 2), "settle-late", 1);
    let configurations = [
        bounds(3).with(Limit::Breaks, 1),
        with::<ZabSystem>(bounds(3), "observers", 1),
        with::<ZabSystem>(
            two.with(Limit::Operations, 2).with(Limit::Timers, 1),
            "counter-max",
            1,
        ),
        with::<ZabSystem>(as_a_server, "check-quorum", 1),
        with::<ZabSystem>(two.with(Limit::Reads, 1), "local-reads", 1),
        two.with(Limit::Retries, 1).with(Limit::Compactions, 1),
    ];
    let found = configurations.map(|bounds| counts::<ZabSystem>(bounds).map(|(_, unique)| unique));
    let expected = [
        [1_306, 1_978],
        [4_710, 6_318],
        [7_559, 10_949],
        [16_543, 21_130],
        [5_719, 7_103],
        [12_555, 33_565],
    ];
    assert_eq!(found, expected);
}

#[test]
#[ignore = "takes a minute: cargo test --release -p tribunal-models --test zab -- --ignored"]
fn the_shipped_bounds_have_this_many_states() {
    let shipped = counts::<ZabSystem>(ZabSystem::default_bounds());
    assert_eq!(shipped, [(11_690_115, 3_206_641), (21_823_509, 5_924_877)]);
}
