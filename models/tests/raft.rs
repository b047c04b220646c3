//! Raft, exhaustively: the shipped bounds and every wrong version.

mod catalogue;

use std::collections::BTreeSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use catalogue::{HOSTS, counts, with};
use stateright::Model as _;
use tribunal_models::model::{Model, Settings};
use tribunal_models::raft::RaftSystem;
use tribunal_models::report::{PropertyResult, Report, Verdict};
use tribunal_models::search::Order;
use tribunal_models::{Bounds, CheckOptions, Granularity, Limit, ModelSystem, Reductions};

fn checked(options: &CheckOptions) -> Report {
    catalogue::checked::<RaftSystem>(options)
}

#[test]
fn every_wrong_version_breaks_its_property() {
    catalogue::every_wrong_version_breaks_its_property::<RaftSystem>();
}

#[test]
fn the_correct_machine_is_valid_with_the_same_arguments() {
    catalogue::the_correct_machine_is_valid_with_the_same_arguments::<RaftSystem>();
}

#[test]
fn what_is_sent_before_it_is_durable_is_seen_only_where_persists_take_time() {
    catalogue::what_is_sent_too_early_is_seen_only_where_persists_take_time::<RaftSystem>();
}

/// Whether a wrong version breaks a property, within other bounds than the
/// catalogue's.
fn breaks(bug: &str, property: &str, options: CheckOptions) -> bool {
    let report = checked(&CheckOptions {
        bug: Some(bug.to_owned()),
        property: Some(property.to_owned()),
        ..options
    });
    let mut properties = report.properties.iter();
    properties.any(|each| each.name == property && each.result == PropertyResult::Violated)
}

#[test]
fn a_snapshot_that_shows_anything_but_what_was_committed_is_refuted() {
    let elections = |nodes, amount| Bounds::of(nodes).with(Limit::Elections, amount);
    let with_sessions = elections(2, 1)
        .with(Limit::Operations, 1)
        .with(Limit::Retries, 1)
        .with(Limit::Compactions, 1);
    let atomic = |bounds| CheckOptions {
        granularity: Granularity::Atomic,
        ..CheckOptions::new(bounds)
    };
    let property = "Snapshot Integrity";
    let without_answers = atomic(with_sessions);
    assert!(breaks(
        "dedup-table-not-in-snapshot",
        property,
        without_answers
    ));
    let behind_a_snapshot_of_nothing = CheckOptions {
        from: Some("behind".to_owned()),
        ..atomic(elections(3, 2))
    };
    assert!(breaks(
        "empty-log-accepts-any-offset",
        property,
        behind_a_snapshot_of_nothing
    ));
}

#[test]
fn what_a_read_showed_must_be_durable_too() {
    let bounds = Bounds::of(3)
        .with(Limit::Elections, 1)
        .with(Limit::Reads, 1);
    let property = "Durability of Acknowledged Writes";
    let options = CheckOptions::new(bounds);
    assert!(breaks("follower-acks-before-sync", property, options));
}

#[test]
fn a_cluster_of_one_is_valid_though_nobody_hears_it() {
    let mut bounds = RaftSystem::default_bounds()
        .with(Limit::Duplicates, 1)
        .with(Limit::Changes, 1)
        .with(Limit::Transfers, 1);
    bounds.nodes = 1;
    for (_, granularity) in HOSTS {
        let report = checked(&CheckOptions {
            granularity,
            ..CheckOptions::new(bounds)
        });
        assert_eq!(report.verdict, Verdict::Valid);
    }
}

/// With one crash less than is shipped, for the sake of time.
#[test]
fn the_shipped_bounds_but_for_a_crash_have_this_many_states() {
    let bounds = RaftSystem::default_bounds().with(Limit::Crashes, 1);
    assert_eq!(
        counts::<RaftSystem>(bounds),
        [(1_038_709, 356_141), (15_156_039, 3_743_409)]
    );
}

#[test]
#[ignore = "takes a minute: cargo test --release -p tribunal-models --test raft -- --ignored"]
fn the_shipped_bounds_have_this_many_states() {
    let shipped = counts::<RaftSystem>(RaftSystem::default_bounds());
    assert_eq!(shipped, [(3_618_795, 1_122_796), (50_143_291, 11_662_178)]);
}

/// What the shipped bounds leave out: a server's settings, reads, sessions,
/// copies that arrive late.
#[test]
fn pre_votes_quorum_checks_reads_and_retries_have_this_many_states() {
    let as_in_a_server = |bounds: Bounds| {
        ["pre-vote", "check-quorum"]
            .iter()
            .fold(bounds, |bounds, name| with::<RaftSystem>(bounds, name, 1))
    };
    let elections = |nodes, amount| Bounds::of(nodes).with(Limit::Elections, amount);
    let configurations = [
        as_in_a_server(elections(3, 1).with(Limit::Timers, 2)),
        as_in_a_server(
            elections(2, 2)
                .with(Limit::Timers, 2)
                .with(Limit::Operations, 1),
        ),
        elections(2, 2)
            .with(Limit::Operations, 2)
            .with(Limit::Reads, 1)
            .with(Limit::Retries, 1)
            .with(Limit::Duplicates, 1),
    ];
    let counts = configurations.map(|bounds| {
        let report = checked(&CheckOptions {
            granularity: Granularity::Atomic,
            ..CheckOptions::new(bounds)
        });
        assert_eq!(report.verdict, Verdict::Valid, "{bounds:?}");
        report.states_unique
    });
    assert_eq!(counts, [87_897, 16_579, 1_624_830]);
}

/// Compactions, membership changes with a spare node, and transfers.
#[test]
fn administration_has_this_many_states() {
    let elections = |amount| Bounds::of(3).with(Limit::Elections, amount);
    let with_a_spare = elections(2)
        .with(Limit::Changes, 2)
        .with(Limit::Compactions, 1)
        .with_setting(RaftSystem::settings(), "spares", 1);
    let configurations = [
        (Granularity::Atomic, with_a_spare.with(Limit::Operations, 1)),
        (Granularity::Staged, with_a_spare),
        (Granularity::Staged, elections(1).with(Limit::Transfers, 1)),
    ];
    let counts = configurations.map(|(granularity, bounds)| {
        let report = checked(&CheckOptions {
            granularity,
            ..CheckOptions::new(bounds)
        });
        assert_eq!(report.verdict, Verdict::Valid, "{bounds:?}");
        report.states_unique
    });
    assert_eq!(counts, [618_293, 220_457, 18_571]);
}

/// Logs that nodes compact by themselves, and that begin where the snapshot
/// ends or an entry before it.
#[test]
fn logs_that_begin_before_their_snapshots_end_have_this_many_states() {
    let bounds = Bounds::of(3)
        .with(Limit::Elections, 2)
        .with(Limit::Operations, 1);
    let bounds = with::<RaftSystem>(bounds, "compact-after", 2);
    let counts = [0, 1].map(|keep| {
        let report = checked(&CheckOptions {
            granularity: Granularity::Atomic,
            ..CheckOptions::new(with::<RaftSystem>(bounds, "keep", keep))
        });
        assert_eq!(report.verdict, Verdict::Valid, "{keep}");
        report.states_unique
    });
    assert_eq!(counts, [46_972, 48_210]);
}

#[test]
fn the_count_depends_neither_on_order_nor_on_threads_nor_on_the_salt() {
    let bounds = Bounds::of(3)
        .with(Limit::Elections, 2)
        .with(Limit::Operations, 1);
    let count = |order, threads, salt| {
        let report = checked(&CheckOptions {
            order,
            threads,
            salt,
            granularity: Granularity::Atomic,
            ..CheckOptions::new(bounds)
        });
        (report.states_generated, report.states_unique)
    };
    let alone = count(Order::DepthFirst, 1, 0);
    assert_eq!(alone, count(Order::DepthFirst, 2, 0));
    assert_eq!(alone, count(Order::BreadthFirst, 1, 0));
    for salt in [1, u64::MAX] {
        assert_eq!(alone, count(Order::DepthFirst, 2, salt));
    }
}

#[test]
fn another_salt_gives_every_state_another_fingerprint() {
    let bounds = Bounds::of(3).with(Limit::Elections, 1);
    let settings = Settings {
        bounds,
        granularity: Granularity::Staged,
        reductions: Reductions::ALL,
    };
    let hasher = BuildHasherDefault::<DefaultHasher>::new();
    let fingerprints = |salt| -> BTreeSet<u64> {
        let model = Model::salted(RaftSystem::new(&bounds, None), settings, salt);
        let mut open = model.init_states();
        let mut seen = BTreeSet::new();
        while let Some(state) = open.pop() {
            if seen.insert(hasher.hash_one(&state)) {
                open.extend(model.next_states(&state));
            }
        }
        seen
    };
    let (one, other) = (fingerprints(0), fingerprints(1));
    assert!(one.len() > 50, "{}", one.len());
    assert_eq!(one.len(), other.len());
    assert!(one.is_disjoint(&other));
}
