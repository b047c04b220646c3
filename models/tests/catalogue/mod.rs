//! A system's wrong versions, held against its catalogue; and counts of
//! states.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::HashSet;
use std::ops::ControlFlow;

use tribunal_models::report::{PropertyReport, PropertyResult, Report, Verdict};
use tribunal_models::{Bounds, CheckOptions, Granularity, Limit, ModelSystem, check};
use tribunal_protocol::bugs::Bug;

/// The hosts of a model, by the names of the catalogue.
pub const HOSTS: [(&str, Granularity); 2] = [
    ("atomic", Granularity::Atomic),
    ("staged", Granularity::Staged),
];

/// What the command line calls the first state.
const START: &str = "start";

/// Checks a system.
pub fn checked<S: ModelSystem>(options: &CheckOptions) -> Report {
    check::check::<S>(options, &mut |_| ControlFlow::Continue(())).expect("a check")
}

/// Bounds with a setting of the system's own.
pub fn with<S: ModelSystem>(bounds: Bounds, name: &str, value: u8) -> Bounds {
    bounds.with_setting(S::settings(), name, value)
}

/// What a catalogue entry's arguments ask for, as the command line reads them.
pub fn options<S: ModelSystem>(bug: &Bug, granularity: Granularity) -> CheckOptions {
    let mut bounds = S::default_bounds();
    let mut from = None;
    let mut property = None;
    for pair in bug.check_args.chunks(2) {
        let [flag, value] = pair else {
            panic!("{}: {pair:?} is no flag with a value", bug.name);
        };
        match *flag {
            "--from" => from = (*value != START).then(|| (*value).to_owned()),
            "--property" => property = Some((*value).to_owned()),
            "--nodes" => bounds.nodes = value.parse().expect("a number"),
            "--set" => {
                let (name, value) = value.split_once('=').expect("NAME=VALUE");
                bounds = with::<S>(bounds, name, value.parse().expect("a number"));
            }
            flag => {
                let named = |limit: &Limit| flag == format!("--{}", limit.name().replace('_', "-"));
                let limit = Limit::ALL.into_iter().find(named).expect("a known bound");
                bounds = bounds.with(limit, value.parse().expect("a number"));
            }
        }
    }
    CheckOptions {
        granularity,
        from,
        property,
        ..CheckOptions::new(bounds)
    }
}

fn hosts(bug: &Bug) -> impl Iterator<Item = Granularity> {
    let shown = HOSTS
        .into_iter()
        .filter(|(name, _)| bug.hosts.contains(name));
    shown.map(|(_, granularity)| granularity)
}

/// Every wrong version breaks the property that its entry names, on every
/// host that it names.
pub fn every_wrong_version_breaks_its_property<S: ModelSystem>() {
    for bug in S::bugs() {
        for granularity in hosts(bug) {
            let report = checked::<S>(&CheckOptions {
                bug: Some(bug.name.to_owned()),
                ..options::<S>(bug, granularity)
            });
            let is_named = |each: &&PropertyReport| {
                each.result == PropertyResult::Violated && each.name == bug.property
            };
            let named = report.properties.iter().find(is_named);
            let named =
                named.unwrap_or_else(|| panic!("{} {granularity:?}: {report:#?}", bug.name));
            assert!(named.path.len() > 1, "{} {granularity:?}", bug.name);
        }
    }
}

/// Each property is named by an entry, or asked for alone with the arguments of
/// one that names another, since it breaks that one as well.
pub fn each_property_is_broken_by_a_wrong_version<S: ModelSystem>(also: &[(&str, &str)]) {
    let named: HashSet<&str> = S::bugs().iter().map(|bug| bug.property).collect();
    for property in S::new(&S::default_bounds(), None).properties() {
        if named.contains(property.name) {
            continue;
        }
        let found = also.iter().find(|(name, _)| *name == property.name);
        let bug = found.and_then(|(_, bug)| S::bugs().iter().find(|each| each.name == *bug));
        let bug = bug.unwrap_or_else(|| panic!("{}: nothing breaks {}", S::NAME, property.name));
        let granularity = hosts(bug).next().expect("a model that shows it");
        let report = checked::<S>(&CheckOptions {
            bug: Some(bug.name.to_owned()),
            property: Some(property.name.to_owned()),
            ..options::<S>(bug, granularity)
        });
        assert_eq!(
            report.verdict,
            Verdict::Invalid,
            "{}: {}",
            bug.name,
            property.name
        );
    }
}

/// The correct machine is valid with the arguments of every entry.
pub fn the_correct_machine_is_valid_with_the_same_arguments<S: ModelSystem>() {
    let mut tried = HashSet::new();
    for bug in S::bugs() {
        for granularity in hosts(bug) {
            if tried.insert((bug.check_args, granularity)) {
                let report = checked::<S>(&options::<S>(bug, granularity));
                let verdict = report.verdict;
                assert_eq!(verdict, Verdict::Valid, "as {} {granularity:?}", bug.name);
            }
        }
    }
}

/// What only the staged host is said to show, the atomic one does not.
pub fn what_is_sent_too_early_is_seen_only_where_persists_take_time<S: ModelSystem>() {
    let only_staged = |bug: &&Bug| bug.hosts.contains(&"staged") && !bug.hosts.contains(&"atomic");
    for bug in S::bugs().iter().filter(only_staged) {
        let report = checked::<S>(&CheckOptions {
            bug: Some(bug.name.to_owned()),
            ..options::<S>(bug, Granularity::Atomic)
        });
        assert_eq!(report.verdict, Verdict::Valid, "{}", bug.name);
    }
}

/// States generated and different ones, atomic and staged, from where a check
/// usually begins.
pub fn counts<S: ModelSystem>(bounds: Bounds) -> [(u64, u64); 2] {
    HOSTS.map(|(_, granularity)| {
        let report = checked::<S>(&CheckOptions {
            granularity,
            from: S::usual_start(&bounds).map(str::to_owned),
            ..CheckOptions::new(bounds)
        });
        assert_eq!(report.verdict, Verdict::Valid, "{report:#?}");
        (report.states_generated, report.states_unique)
    })
}
