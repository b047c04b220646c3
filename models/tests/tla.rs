//! Gray and Lamport's models, by their published counts of states.

use std::ops::ControlFlow;

use tribunal_models::report::{PropertyResult, Report, Verdict};
use tribunal_models::{Bounds, CheckError, CheckOptions, Granularity, Limit, System, systems};

fn system(name: &str) -> Box<dyn System> {
    let mut all = systems().into_iter();
    all.find(|system| system.name() == name).expect("a system")
}

fn check(name: &str, options: &CheckOptions) -> Result<Report, CheckError> {
    system(name).check(options, &mut |_| ControlFlow::Continue(()))
}

/// The unique states of so many resource managers, all of them right.
fn states(name: &str, bounds: Bounds) -> u64 {
    let report = check(name, &CheckOptions::new(bounds)).expect("a check");
    assert_eq!(report.verdict, Verdict::Valid, "{name}, {bounds:?}");
    report.states_unique
}

#[test]
fn tcommit_has_as_many_states_as_are_published() {
    assert_eq!(states("tla-tcommit", Bounds::of(3)), 34);
}

#[test]
fn two_phase_has_as_many_states_as_are_published() {
    for (nodes, published) in [
        (3, 288),
        (5, 8_832),
        (6, 50_816),
        (7, 296_448),
        (8, 1_745_408),
    ] {
        assert_eq!(states("tla-two-phase", Bounds::of(nodes)), published);
    }
}

#[test]
fn states_that_differ_in_names_count_once_where_that_is_asked() {
    let settings = system("tla-two-phase").settings();
    let bounds = Bounds::of(5).with_setting(settings, "symmetry", 1);
    assert_eq!(states("tla-two-phase", bounds), 314);
}

#[test]
fn both_hosts_and_every_salt_see_the_same_states() {
    for (granularity, salt) in [(Granularity::Atomic, 0), (Granularity::Staged, 7)] {
        let options = CheckOptions {
            granularity,
            salt,
            ..CheckOptions::new(Bounds::of(3))
        };
        let report = check("tla-two-phase", &options).expect("a check");
        assert_eq!((report.states_unique, report.salt), (288, salt));
    }
}

#[test]
fn every_wrong_version_is_refuted_by_a_shortest_path() {
    for (name, length) in [("tla-tcommit", 3), ("tla-two-phase", 5)] {
        for bug in system(name).bugs() {
            assert_eq!(bug.check_args, ["--nodes", "3"]);
            let options = CheckOptions {
                bug: Some(bug.name.to_owned()),
                ..CheckOptions::new(Bounds::of(3))
            };
            let report = check(name, &options).expect("a check");
            assert_eq!(report.verdict, Verdict::Invalid, "{}", bug.name);
            let violated = report.violated().next().expect("a violation");
            assert_eq!(violated.name, bug.property);
            assert!(violated.is_shortest);
            assert_eq!(violated.path.len(), length, "{:#?}", violated.path);
            assert!(violated.path.iter().all(|step| step.changes.len() == 1));
        }
    }
}

#[test]
fn one_node_is_enough_to_reach_every_goal() {
    for name in ["tla-tcommit", "tla-two-phase"] {
        let report = check(name, &CheckOptions::new(Bounds::of(1))).expect("a check");
        let results: Vec<_> = report.properties.iter().map(|it| it.result).collect();
        let expected = [
            PropertyResult::Holds,
            PropertyResult::Reached,
            PropertyResult::Reached,
        ];
        assert_eq!(results, expected);
    }
}

#[test]
fn what_these_models_do_not_have_is_refused() {
    let refused = |options: CheckOptions| {
        let error = check("tla-two-phase", &options).expect_err("refused");
        assert!(error.is_usage(), "{error}");
        error.to_string()
    };
    let bounds = Bounds::of(3);
    let mut drifting = bounds;
    drifting.drift = Some(1);
    assert_eq!(
        refused(CheckOptions::new(bounds.with(Limit::Crashes, 1))),
        "tla-two-phase is bounded by its nodes alone: it has no crashes"
    );
    assert_eq!(
        refused(CheckOptions::new(drifting)),
        "tla-two-phase is bounded by its nodes alone: it has no clocks"
    );
    refused(CheckOptions::new(Bounds::of(0)));
    let options = || CheckOptions::new(bounds);
    refused(CheckOptions {
        from: Some("elected".to_owned()),
        ..options()
    });
    refused(CheckOptions {
        bug: Some("no-such-bug".to_owned()),
        ..options()
    });
    refused(CheckOptions {
        property: Some("Agreement".to_owned()),
        ..options()
    });
}
