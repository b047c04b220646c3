//! Elections as systems of their own: wrong versions, and how many states there
//! are.

mod catalogue;

use catalogue::{counts, with};
use tribunal_models::raft::RaftElectionSystem;
use tribunal_models::report::{PropertyResult, Verdict};
use tribunal_models::zab::ZabElectionSystem;
use tribunal_models::{Bounds, CheckOptions, Granularity, Limit, ModelSystem};

#[test]
fn wrong_versions_break_their_properties() {
    catalogue::every_wrong_version_breaks_its_property::<RaftElectionSystem>();
    catalogue::every_wrong_version_breaks_its_property::<ZabElectionSystem>();
}

#[test]
fn the_correct_machines_are_valid_with_the_same_arguments() {
    catalogue::the_correct_machine_is_valid_with_the_same_arguments::<RaftElectionSystem>();
    catalogue::the_correct_machine_is_valid_with_the_same_arguments::<ZabElectionSystem>();
}

#[test]
fn what_is_sent_too_early_is_seen_only_where_persists_take_time() {
    catalogue::what_is_sent_too_early_is_seen_only_where_persists_take_time::<RaftElectionSystem>();
}

/// Every property is broken by some wrong version.
#[test]
fn each_property_is_broken_by_a_wrong_version() {
    catalogue::each_property_is_broken_by_a_wrong_version::<RaftElectionSystem>(&[]);
    catalogue::each_property_is_broken_by_a_wrong_version::<ZabElectionSystem>(&[]);
}

#[test]
fn the_shipped_bounds_have_this_many_states() {
    let raft = counts::<RaftElectionSystem>(RaftElectionSystem::default_bounds());
    assert_eq!(raft, [(358_701, 123_225), (2_718_252, 690_057)]);
    let zab = counts::<ZabElectionSystem>(ZabElectionSystem::default_bounds());
    assert_eq!(zab, [(426_279, 124_098), (426_279, 124_098)]);
}

/// Termination is asked of every state, with pre-votes, quorum checks, timers
/// that have expired and sessions that have broken too.
#[test]
fn there_is_always_a_way_to_a_leader() {
    let elections = |nodes, amount| Bounds::of(nodes).with(Limit::Elections, amount);
    let asking_first = ["pre-vote", "check-quorum"].iter().fold(
        elections(2, 3)
            .with(Limit::Timers, 1)
            .with(Limit::Crashes, 1),
        |bounds, name| with::<RaftElectionSystem>(bounds, name, 1),
    );
    let states = [
        always::<RaftElectionSystem>(asking_first),
        always::<RaftElectionSystem>(with::<RaftElectionSystem>(elections(3, 2), "pre-vote", 1)),
        always::<ZabElectionSystem>(
            elections(2, 1)
                .with(Limit::Timers, 1)
                .with(Limit::Crashes, 2)
                .with(Limit::Breaks, 1),
        ),
    ];
    assert_eq!(states, [32_278, 94_944, 70_262]);
}

/// How many states there are, from each of which there is a way.
fn always<S: ModelSystem>(bounds: Bounds) -> u64 {
    let report = catalogue::checked::<S>(&CheckOptions {
        granularity: Granularity::Atomic,
        ..CheckOptions::new(bounds)
    });
    assert_eq!(report.verdict, Verdict::Valid, "{report:#?}");
    let mut properties = report.properties.iter();
    let termination = properties.find(|each| each.name == "Termination");
    let termination = termination.expect("it is asked");
    assert_eq!(termination.result, PropertyResult::Holds);
    assert_eq!(termination.count, Some(report.states_unique));
    report.states_unique
}
