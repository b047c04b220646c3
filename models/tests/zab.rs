//! Zab with two nodes, exhaustively: what the correct machine keeps, and wrong
//! versions that need no third.

use std::ops::ControlFlow;

use tribunal_models::report::{PropertyResult, Report, Verdict};
use tribunal_models::zab::ZabSystem;
use tribunal_models::{Bounds, CheckOptions, Granularity, Limit, check};

/// Two nodes that lose and find their leader.
fn two_nodes(granularity: Granularity, bug: Option<&str>) -> Report {
    let bounds = Bounds::of(2)
        .with(Limit::Elections, 1)
        .with(Limit::Operations, 2)
        .with(Limit::Crashes, 2);
    let options = CheckOptions {
        granularity,
        bug: bug.map(str::to_owned),
        ..CheckOptions::new(bounds)
    };
    check::<ZabSystem>(&options, &mut |_| ControlFlow::Continue(())).expect("a check")
}

#[test]
fn two_nodes_have_this_many_states_and_keep_what_they_promise() {
    let counts = [Granularity::Atomic, Granularity::Staged].map(|granularity| {
        let report = two_nodes(granularity, None);
        assert_eq!(report.verdict, Verdict::Valid, "{report:#?}");
        (report.states_generated, report.states_unique)
    });
    assert_eq!(counts, [(35_937, 19_402), (67_158, 34_703)]);
}

#[test]
fn wrong_versions_break_a_property() {
    for (bug, property) in [
        ("ack-before-log-sync", "Committed Log Durability"),
        ("ack-newleader-before-sync", "Committed Log Durability"),
        ("epoch-from-log-files-only", "Integrity"),
        (
            "leader-counts-itself-before-sync",
            "Committed Log Durability",
        ),
        ("retain-memory-behind-log", "Agreement"),
    ] {
        let report = two_nodes(Granularity::Staged, Some(bug));
        let mut properties = report.properties.iter();
        let broken = properties.find(|each| each.result == PropertyResult::Violated);
        assert_eq!(broken.map(|each| each.name), Some(property), "{bug}");
    }
}
