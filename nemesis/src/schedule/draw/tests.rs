use std::collections::BTreeMap;
use std::path::Path;

use expect_test::expect;

use super::*;
use crate::fault::Role;

/// The roles of a system that has a leader and nothing else.
const LEADER: &[Role] = &[Role::Leader];

/// The roles that a system may have.
const ROLES: [&[Role]; 4] = [LEADER, &[Role::Coordinator, Role::Prepared], &[], Role::ALL];

/// Every way to ask that the loops below try, with a seed for each.
fn asked() -> impl Iterator<Item = (u64, ScheduleOptions)> {
    (0..4_000_u64).map(|seed| {
        let mut dice = Dice(stream(seed, "tests"));
        let nodes = dice.between(2, 7) as usize;
        let duration = Duration::from_millis(dice.between(10_000, 60_000));
        let kinds = dice.between(1, 15);
        let faults: Vec<FaultKind> = (0..4)
            .filter(|i| kinds >> i & 1 == 1)
            .map(|i| FaultKind::ALL[i])
            .collect();
        let roles = ROLES[dice.below(ROLES.len() as u64) as usize];
        let mut options = ScheduleOptions::new(&faults, roles, nodes, duration);
        if dice.below(3) == 0 {
            let only = Target::ALL[dice.below(Target::ALL.len() as u64) as usize];
            if only.sizes(nodes).is_some() {
                options.targets = faults.iter().map(|fault| (*fault, vec![only])).collect();
            }
        }
        if dice.below(3) == 0 {
            options.interval = Some(Duration::from_millis(dice.between(800, 4_000)));
        }
        (seed, options)
    })
}

fn overlap(one: &ScheduledFault, other: &ScheduledFault) -> bool {
    one.at < other.end() && other.at < one.end()
}

fn hits(fault: &ScheduledFault, node: Node) -> bool {
    match &fault.targets {
        Targets::Nodes(nodes) => nodes.contains(&node),
        Targets::All => true,
        Targets::Role(_) => false,
    }
}

#[test]
fn the_same_inputs_give_the_same_bytes_and_they_can_be_read_back() {
    for (seed, options) in asked().take(500) {
        let schedule = draw(seed, &options).unwrap();
        let text = schedule.to_json();
        assert_eq!(text, draw(seed, &options).unwrap().to_json(), "seed {seed}");
        let read = Schedule::parse(Path::new("s.json"), &text, options.nodes).unwrap();
        assert_eq!(read, schedule, "seed {seed}");
        assert_eq!(read.to_json(), text, "seed {seed}");
    }
}

#[test]
fn every_fault_asked_for_occurs_and_is_healed_before_the_quiet_end() {
    for (seed, options) in asked() {
        let schedule =
            draw(seed, &options).unwrap_or_else(|e| panic!("seed {seed}: {e}: {options:?}"));
        assert_eq!(schedule.kinds(), options.faults, "seed {seed}");
        let quiet_ms = (options.duration.as_millis() / 7).min(5_000);
        assert!(
            schedule.end().as_millis() <= options.duration.as_millis() - quiet_ms,
            "seed {seed}"
        );
        for fault in &schedule.faults {
            assert!(
                fault.lasts >= Duration::from_millis(LASTS_MS_MIN),
                "seed {seed}"
            );
        }
    }
}

#[test]
fn no_node_is_under_two_faults_at_once() {
    for (seed, options) in asked() {
        let schedule = draw(seed, &options).unwrap();
        let processes: Vec<_> = schedule
            .faults
            .iter()
            .filter(|f| f.fault != FaultKind::Partition)
            .collect();
        for (i, one) in processes.iter().enumerate() {
            for other in processes[..i].iter().filter(|other| overlap(one, other)) {
                for node in 1..=options.nodes as Node {
                    assert!(
                        !(hits(one, node) && hits(other, node)),
                        "seed {seed}: {one:?} {other:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn one_fault_of_each_kind_is_sure() {
    for (seed, options) in asked() {
        let is_by_role = |target: &Target| target.role().is_some();
        let mut targets = options.targets.values();
        if targets.any(|targets| targets.iter().all(is_by_role)) {
            continue;
        }
        let schedule = draw(seed, &options).unwrap();
        for kind in &options.faults {
            let sure = schedule
                .faults
                .iter()
                .filter(|fault| fault.fault == *kind)
                .any(|fault| {
                    let has_role =
                        |fault: &ScheduledFault| matches!(fault.targets, Targets::Role(_));
                    let by_role = |other: &&ScheduledFault| {
                        other.fault != FaultKind::Partition && has_role(other)
                    };
                    let beside = schedule
                        .faults
                        .iter()
                        .filter(by_role)
                        .any(|o| overlap(fault, o));
                    !has_role(fault) && (*kind == FaultKind::Partition || !beside)
                });
            assert!(sure, "seed {seed}: no sure {kind}: {}", schedule.to_json());
        }
    }
}

#[test]
fn only_what_is_allowed_is_drawn() {
    for seed in 0..300 {
        let mut options = ScheduleOptions::new(FaultKind::ALL, LEADER, 5, Duration::from_secs(30));
        let output: crate::fault::CrashOutput = "send:vote-reply".parse().unwrap();
        let named = CrashChoice {
            output: output.clone(),
            ordinal: Some(40),
        };
        let drawn = CrashChoice {
            ordinal: None,
            ..named.clone()
        };
        options.crash_after = vec![named, drawn];
        options.crash_within = Some(3);
        options.crash_lag = Duration::from_millis(20);
        options.targets.insert(FaultKind::Kill, vec![Target::One]);
        options
            .targets
            .insert(FaultKind::Pause, vec![Target::Leader]);
        options.shapes = vec![Shape::Halves];
        options.cuts = vec![Cut::Reset];
        for fault in draw(seed, &options).unwrap().faults {
            match fault.fault {
                FaultKind::Kill => {
                    assert!(matches!(&fault.targets, Targets::Nodes(n) if n.len() == 1))
                }
                FaultKind::Pause => assert_eq!(fault.targets, Targets::Role(Role::Leader)),
                FaultKind::CrashAt => {
                    let place = fault.crash.unwrap();
                    assert_eq!(
                        (place.after, place.lag),
                        (output.clone(), options.crash_lag)
                    );
                    assert!(matches!(place.ordinal, 1..=3 | 40));
                }
                FaultKind::Partition => {
                    assert_eq!(
                        (fault.shape, fault.cut),
                        (Some(Shape::Halves), Some(Cut::Reset))
                    );
                }
                FaultKind::Membership => assert_ne!(fault.targets, Targets::All),
                FaultKind::Transfer => {
                    assert!(matches!(&fault.targets, Targets::Nodes(n) if n.len() == 1))
                }
                FaultKind::Compact => assert_eq!((fault.shape, fault.crash), (None, None)),
            }
        }
    }
}

#[test]
fn a_kind_of_fault_may_have_a_pace_of_its_own() {
    let mut options = ScheduleOptions::new(
        &[FaultKind::Kill, FaultKind::Partition],
        LEADER,
        5,
        Duration::from_secs(60),
    );
    options.interval = Some(Duration::from_secs(2));
    options.lasts = Some(Duration::from_secs(1));
    let both = draw(7, &options).unwrap();
    let own = (Some(Duration::from_secs(12)), Some(Duration::from_secs(10)));
    options.paces.insert(FaultKind::Partition, own);
    let paced = draw(7, &options).unwrap();
    let of = |schedule: &Schedule, kind| {
        let faults = schedule.faults.iter().filter(|fault| fault.fault == kind);
        faults.map(|fault| fault.lasts).collect::<Vec<_>>()
    };
    assert_eq!(of(&paced, FaultKind::Kill), of(&both, FaultKind::Kill));
    let partitions = of(&paced, FaultKind::Partition);
    assert!((2..=6).contains(&partitions.len()), "{partitions:?}");
    assert!(partitions.iter().all(|lasts| lasts.as_secs() >= 5));
}

#[test]
fn what_is_asked_of_the_cluster_is_drawn_beside_everything_else() {
    let asking = [
        FaultKind::Membership,
        FaultKind::Transfer,
        FaultKind::Compact,
    ];
    for seed in 0..300 {
        let options = ScheduleOptions::new(FaultKind::ALL, LEADER, 5, Duration::from_secs(12));
        let with = draw(seed, &options).unwrap();
        assert_eq!(with.kinds(), FaultKind::ALL, "seed {seed}");
        let read = Schedule::parse(Path::new("s.json"), &with.to_json(), 5).unwrap();
        assert_eq!(read, with, "seed {seed}: what is drawn can be read back");
        let usual = &FaultKind::ALL[..4];
        let options = ScheduleOptions::new(usual, LEADER, 5, Duration::from_secs(12));
        let mut others = with.faults;
        others.retain(|fault| !asking.contains(&fault.fault));
        assert_eq!(others, draw(seed, &options).unwrap().faults, "seed {seed}");
    }
}

#[test]
fn everything_there_is_gets_drawn() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let options = ScheduleOptions::new(FaultKind::USUAL, LEADER, 5, Duration::from_secs(20));
        for fault in draw(seed, &options).unwrap().faults {
            let size = match &fault.targets {
                Targets::Nodes(nodes) => nodes.len().to_string(),
                word => word.to_string(),
            };
            seen.insert(format!(
                "{} {:?} {:?} {size}",
                fault.fault, fault.shape, fault.cut
            ));
        }
    }
    // Kill and pause: one to four nodes, all, the leader; partition: two cuts
    // of isolate-one, isolate-leader, halves, a bridge, and minorities of one
    // and two.
    assert_eq!(seen.len(), 2 * 6 + 2 * 6, "{seen:?}");
}

#[test]
fn of_roles_only_those_that_there_are_get_drawn() {
    let all = |options: &ScheduleOptions| {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200 {
            for fault in draw(seed, options).unwrap().faults {
                if let Targets::Role(role) = fault.targets {
                    assert_eq!(
                        fault.shape.map(Shape::role),
                        fault.shape.map(|_| Some(role))
                    );
                    let kind = fault.fault.name();
                    seen.insert(format!("{kind} {role}"));
                }
            }
        }
        seen
    };
    for roles in ROLES {
        let duration = Duration::from_secs(20);
        let mut options = ScheduleOptions::new(FaultKind::ALL, roles, 5, duration);
        let mut expected = std::collections::BTreeSet::new();
        for kind in FaultKind::ALL {
            let targets = kind.targets().iter().filter_map(|target| target.role());
            let shapes = Shape::ALL.iter().filter_map(|shape| shape.role());
            let possible: Vec<Role> = match kind {
                FaultKind::Partition => shapes.collect(),
                _ => targets.collect(),
            };
            let there_are = possible.iter().filter(|role| roles.contains(role));
            expected.extend(there_are.map(|role| format!("{kind} {role}")));
        }
        assert_eq!(all(&options), expected, "{roles:?}");
        // What is asked for by name is drawn as it was asked for.
        options.targets = BTreeMap::from([(FaultKind::Kill, vec![Target::Prepared])]);
        assert!(all(&options).contains("kill prepared"), "{roles:?}");
    }
}

#[test]
fn nothing_by_role_overlaps_what_is_sure() {
    let duration = Duration::from_secs(30);
    let kinds = [FaultKind::Kill, FaultKind::Pause];
    let mut options = ScheduleOptions::new(&kinds, Role::ALL, 5, duration);
    let by_role = Vec::from([Target::Coordinator, Target::Prepared]);
    options.targets.insert(FaultKind::Pause, by_role);
    options.targets.insert(FaultKind::Kill, vec![Target::One]);
    // Every kind has a sure fault, and those of pause all hit whoever has a
    // role; so the sure kill is apart from all of them.
    for seed in 0..300 {
        let faults = draw(seed, &options).unwrap().faults;
        let (kills, pauses): (Vec<_>, Vec<_>) = faults
            .iter()
            .partition(|fault| fault.fault == FaultKind::Kill);
        let is_apart = |kill: &&ScheduledFault| !pauses.iter().any(|pause| overlap(kill, pause));
        assert!(
            kills.iter().copied().any(|kill| is_apart(&kill)),
            "seed {seed}"
        );
    }
}

#[test]
fn asking_for_one_more_kind_leaves_the_times_of_links_as_they_are() {
    for seed in 0..100 {
        let faults_of = |kinds: &[FaultKind]| {
            let options = ScheduleOptions::new(kinds, LEADER, 5, Duration::from_secs(30));
            let mut faults = draw(seed, &options).unwrap().faults;
            faults.retain(|fault| fault.fault == FaultKind::Partition);
            faults
        };
        assert_eq!(
            faults_of(&[FaultKind::Partition]),
            faults_of(FaultKind::ALL),
            "seed {seed}"
        );
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let refused = |options: ScheduleOptions| draw(1, &options).unwrap_err().to_string();
    let lone = ScheduleOptions::new(FaultKind::USUAL, LEADER, 1, Duration::from_secs(20));
    expect!["expected a target that one node can have for partition, found isolate-one, isolate-leader, majority-minority, halves, bridge"]
        .assert_eq(&refused(lone));
    let short = ScheduleOptions::new(FaultKind::USUAL, LEADER, 5, Duration::from_millis(200));
    expect!["expected a time of at least 0.248s for any fault to fit, found 0.2s"]
        .assert_eq(&refused(short));
    let mut dense = ScheduleOptions::new(FaultKind::USUAL, LEADER, 5, Duration::from_secs(20));
    dense.interval = Some(Duration::from_secs(1));
    dense.lasts = Some(Duration::from_secs(1));
    expect![
        "expected a mean interval of faults of more than the mean length of faults, 1s, found 1s"
    ]
    .assert_eq(&refused(dense));
    let mut long = ScheduleOptions::new(FaultKind::USUAL, LEADER, 5, Duration::from_secs(20));
    long.lasts = Some(Duration::from_secs(30));
    expect!["expected a mean length of faults of at most 16.143s, found 30s"]
        .assert_eq(&refused(long));
}

#[test]
fn a_seed_gives_this_very_schedule() {
    let options = ScheduleOptions::new(FaultKind::USUAL, LEADER, 5, Duration::from_secs(12));
    expect![[r#"
        {
          "seed": 7,
          "faults": [
            {"at":"1.031s","for":"0.713s","fault":"kill","targets":["n2","n5"]},
            {"at":"1.488s","for":"0.916s","fault":"pause","targets":["n1"]},
            {"at":"1.825s","for":"1.719s","fault":"partition","shape":"halves","cut":"reset","targets":["n2","n5"]},
            {"at":"2.484s","for":"1.151s","fault":"kill","targets":["n5"]},
            {"at":"3.57s","for":"0.875s","fault":"pause","targets":["n1","n4"]},
            {"at":"4.596s","for":"1.24s","fault":"partition","shape":"bridge","cut":"hold","targets":["n3"]},
            {"at":"4.695s","for":"1.168s","fault":"kill","targets":["n3","n5"]},
            {"at":"5.121s","for":"0.945s","fault":"pause","targets":["n2"]},
            {"at":"7.053s","for":"0.959s","fault":"kill","targets":["n1","n3","n4","n5"]},
            {"at":"7.38s","for":"0.643s","fault":"partition","shape":"bridge","cut":"hold","targets":["n3"]},
            {"at":"7.655s","for":"1.199s","fault":"pause","targets":["n2"]},
            {"at":"8.725s","for":"0.744s","fault":"kill","targets":"leader"}
          ]
        }
    "#]].assert_eq(&draw(7, &options).unwrap().to_json());
}
