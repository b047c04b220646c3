//! Simulation: the same every time, valid where the machine is right, and
//! able to notice where it is not.

mod toys;

use std::ops::ControlFlow;
use std::time::Duration;

use toys::{Commitment, Decree, Leased};
use tribunal_models::object::Unjudged;
use tribunal_models::paxos::PaxosSystem;
use tribunal_models::raft::RaftSystem;
use tribunal_models::report::{PropertyKind, PropertyReport, PropertyResult, Verdict};
use tribunal_models::simulate::{Fault, PROGRESS, Report, simulate, trace};
use tribunal_models::system::{Draws, Goal, Planned, Property};
use tribunal_models::tally::Kind;
use tribunal_models::{Bounds, Cluster, Limit, ModelSystem, Seeds, SimulateOptions};
use tribunal_protocol::bugs::Bug;
use tribunal_protocol::machine::*;

fn options(bug: Option<&str>, last: u64) -> SimulateOptions {
    SimulateOptions {
        bug: bug.map(str::to_owned),
        seeds: Seeds { first: 1, last },
        timeout: None,
        threads: 2,
    }
}

fn simulated<S: ModelSystem>(options: &SimulateOptions) -> Report {
    simulate::<S>(options, &mut |_| ControlFlow::Continue(())).expect("a simulation")
}

fn violated(report: &Report) -> &PropertyReport {
    let mut properties = report.properties.iter();
    let violated = properties.find(|each| each.result == PropertyResult::Violated);
    violated.unwrap_or_else(|| panic!("nothing is violated: {report:#?}"))
}

#[test]
fn the_same_seed_makes_the_same_run_to_the_byte() {
    let told = |seed| trace::<RaftSystem>(None, seed).expect("a trace");
    let mut lines = 0;
    for seed in 1..=30 {
        let first = told(seed);
        assert_eq!(first, told(seed), "seed {seed}");
        lines += first.len();
    }
    assert!(lines > 3_000, "{lines}");
    assert_ne!(told(1), told(2));
}

#[test]
fn the_result_does_not_depend_on_threads() {
    for bug in [
        None,
        Some("vote-not-persisted"),
        Some("stale-vote-reply-counted"),
    ] {
        let on = |threads| {
            let report = simulated::<RaftSystem>(&SimulateOptions {
                threads,
                ..options(bug, 600)
            });
            let failing = report.failing.as_ref().map(|failing| failing.seed);
            let paths: Vec<_> = report
                .properties
                .into_iter()
                .map(|each| each.path)
                .collect();
            (
                report.verdict,
                failing,
                report.seeds_run,
                report.counts,
                report.digest,
                paths,
            )
        };
        let alone = on(1);
        assert_eq!(alone, on(2), "{bug:?}");
        assert_eq!(alone, on(5), "{bug:?}");
    }
}

#[test]
fn the_correct_raft_is_valid_whatever_happens_to_it() {
    let report = simulated::<RaftSystem>(&options(None, 400));
    assert_eq!(report.verdict, Verdict::Valid, "{report:#?}");
    assert_eq!(report.seeds_run, 400);
    let healed = report.counts.healed;
    assert_eq!(healed, 400, "a healed majority makes progress");
    for (fault, (struck, effective)) in Fault::ALL.into_iter().zip(report.counts.faults) {
        let has_it = !matches!(fault, Fault::Break | Fault::Halt);
        assert_eq!(
            (struck > 100, effective > 50),
            (has_it, has_it),
            "{fault:?}"
        );
    }
    let others = [
        Kind::Tell,
        Kind::Break,
        Kind::Tick,
        Kind::Halt,
        Kind::Stuck,
        Kind::Step,
    ];
    for (kind, count) in Kind::ALL.into_iter().zip(report.counts.actions) {
        assert_eq!(count == 0, others.contains(&kind), "{kind:?}: {count}");
    }
    for goal in report.properties.iter() {
        if goal.kind == PropertyKind::Sometimes {
            assert_eq!(goal.result, PropertyResult::Reached, "{}", goal.name);
        }
    }
}

/// Each with the property by which it is found first.
const FOUND: [(&str, &str); 6] = [
    ("vote-cleared-by-same-term-append", "Election Safety"),
    ("commit-earlier-term-by-counting", "Leader Completeness"),
    ("commit-past-matched-prefix", "State Machine Safety"),
    ("local-read-at-leader", "Linearizability"),
    (
        "follower-acks-before-sync",
        "Durability of Acknowledged Writes",
    ),
    ("prevote-reply-counted-as-vote", "Election Safety"),
];

/// Which goals there are depends on what a seed draws.
#[test]
fn each_goal_is_counted_under_its_own_name() {
    let report = simulated::<PaxosSystem>(&options(None, 60));
    let reached = |name: &str| {
        let named = report.properties.iter().find(|goal| goal.name == name);
        named.map(|goal| &goal.result)
    };
    for name in ["a value is proposed again", "a snapshot is made"] {
        let is_reached = matches!(reached(name), Some(PropertyResult::Reached));
        assert!(is_reached, "{name}");
    }
    // Only where several slots are open at a time.
    assert!(reached("a gap is filled").is_some());
    let committed = report.counts.goals["an operation commits"].runs;
    assert_eq!(
        committed, report.seeds_run,
        "every core gets something done"
    );
}

#[test]
fn wrong_versions_are_found_with_a_path_that_is_shorter_than_what_was_drawn() {
    for (bug, property) in FOUND {
        let report = simulated::<RaftSystem>(&options(Some(bug), 3_000));
        assert_eq!(report.verdict, Verdict::Invalid, "{bug}");
        let violated = violated(&report);
        assert_eq!(violated.name, property, "{bug}");
        let failing = report.failing.as_ref().expect("a failing seed");
        assert!(!failing.conditions.is_empty());
        let steps = violated.path.len();
        assert!(steps < failing.drawn, "{bug}: {steps} of {}", failing.drawn);
    }
}

#[test]
fn a_failing_seed_fails_alone_by_the_same_path() {
    let many = simulated::<RaftSystem>(&options(Some("vote-not-persisted"), 3_000));
    let seed = many.failing.as_ref().expect("a failing seed").seed;
    let alone = simulated::<RaftSystem>(&SimulateOptions {
        seeds: Seeds {
            first: seed,
            last: seed,
        },
        ..options(Some("vote-not-persisted"), seed)
    });
    assert_eq!(violated(&many).path, violated(&alone).path);
}

/// The examples have sessions, clocks, and one with every wrong gate.
fn right_is_valid_and_hasty_is_not<S: ModelSystem>(property: &str) {
    let right = simulated::<S>(&options(None, 300));
    assert_eq!(right.verdict, Verdict::Valid, "{right:#?}");
    let hasty = simulated::<S>(&options(Some("hasty"), 3_000));
    assert_eq!(violated(&hasty).name, property);
}

/// Its wrong version takes a crash in the moment of the only decision that a
/// run makes: tens of thousands of seeds.
#[test]
fn a_single_decree_is_valid() {
    let report = simulated::<Decree>(&options(None, 1_000));
    assert_eq!(report.verdict, Verdict::Valid, "{report:#?}");
}

#[test]
fn a_decision_told_too_early_breaks_agreement() {
    right_is_valid_and_hasty_is_not::<Commitment>("Agreement");
}

#[test]
fn a_lease_granted_too_early_gives_two_holders() {
    right_is_valid_and_hasty_is_not::<Leased>("Mutual Exclusion");
}

#[test]
fn sessions_break_and_clocks_advance() {
    let kinds = |report: Report, kinds: &[Kind]| {
        for kind in kinds {
            assert!(report.counts.actions[*kind as usize] > 100, "{kind:?}");
        }
    };
    let sessions = simulated::<Commitment>(&options(None, 300));
    assert!(sessions.counts.faults[Fault::Break as usize].1 > 50);
    kinds(sessions, &[Kind::Tell, Kind::Break]);
    kinds(simulated::<Leased>(&options(None, 300)), &[Kind::Tick]);
}

/// A node answers by itself, unless it crashed before and is the wrong
/// version: then it is silent for ever.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Echo {
    silent: bool,
}

impl Machine for Echo {
    const NAME: &'static str = "echo";
    const FORMAT: u32 = 1;
    const CHANNEL: Channel = Channel::Unordered;
    const CLOCK: ClockUse = ClockUse::Untimed;
    type Config = Option<&'static str>;
    type Message = ();
    type Timer = ();
    type Request = ();
    type Response = ();
    type Record = ();
    type Durable = bool;

    fn apply(durable: &mut bool, (): &()) {
        *durable = true;
    }

    fn recover(context: Context<'_, Self>, started: &bool, out: &mut Outputs<Self>) -> Self {
        out.persist(vec![()]);
        let silent = match *context.config {
            Some("mute") => true,
            Some(_) => *started,
            None => false,
        };
        Echo { silent }
    }

    fn step(&mut self, _: Context<'_, Self>, input: Input<Self>, out: &mut Outputs<Self>) {
        if let Input::Request { id, .. } = input
            && !self.silent
        {
            out.answer(id, Outcome::Ok(()), Gate::Now);
        }
    }

    fn view(&self, _: &Self::Config) -> View {
        View::default()
    }
}

#[derive(Clone, Debug)]
struct Echoes {
    operations: usize,
    bug: Option<&'static str>,
}

const fn bug(name: &'static str) -> Bug {
    Bug {
        name,
        about: "",
        source: "own: for tests",
        property: PROGRESS,
        hosts: &[],
        check_args: &[],
        run_args: &[],
    }
}

impl ModelSystem for Echoes {
    type Machine = Echo;
    type Operation = ();
    type Object = Unjudged;
    type Ghost = ();
    const NAME: &'static str = "echoes";
    const ABOUT: &'static str = "echoes, for tests";

    fn default_bounds() -> Bounds {
        Bounds::of(3)
    }

    fn bugs() -> &'static [Bug] {
        const { &[bug("sulks"), bug("mute")] }
    }

    fn new(bounds: &Bounds, bug: Option<&'static str>) -> Self {
        let operations = bounds.get(Limit::Operations).into();
        Echoes { operations, bug }
    }

    fn config(&self, _: NodeId) -> Option<&'static str> {
        self.bug
    }

    fn plan(&self) -> Vec<Planned<()>> {
        let operation = |client| Planned {
            client,
            operation: (),
            read: false,
            follows: None,
        };
        (0..self.operations).map(operation).collect()
    }

    fn request(&self, _: usize, (): &()) {}

    fn timer_limit(&self, (): ()) -> Limit {
        Limit::Timers
    }

    fn properties(&self) -> Vec<Property<Self>> {
        Vec::new()
    }

    fn goals(&self) -> Vec<Goal<Self>> {
        Vec::new()
    }

    fn draws() -> Draws {
        Draws {
            nodes: &[3],
            ..Draws::USUAL
        }
    }

    /// The mute owe nothing.
    fn must_progress(&self, _: &Cluster<Self>, core: &[NodeId]) -> bool {
        self.bug != Some("mute") && core.len() > 1
    }
}

#[test]
fn a_healed_core_that_gets_nothing_done_is_a_violation_with_its_path() {
    assert_eq!(
        simulated::<Echoes>(&options(None, 100)).verdict,
        Verdict::Valid
    );
    let report = simulated::<Echoes>(&options(Some("sulks"), 500));
    let violated = violated(&report);
    assert_eq!(violated.name, PROGRESS);
    let [crashes @ .., end] = violated.path.as_slice() else {
        panic!("{violated:#?}");
    };
    let count = |what: &str| {
        let steps = crashes.iter();
        steps.filter(|step| step.action.contains(what)).count()
    };
    let (silenced, written) = (count("crashes"), count("durable"));
    assert!(
        (2..=3).contains(&silenced),
        "each of the core: {crashes:#?}"
    );
    assert_eq!((written, crashes.len()), (silenced, 2 * silenced));
    assert!(end.action.contains("no operation is answered"), "{end:?}");
}

#[test]
fn nothing_answered_is_unknown_and_says_so() {
    let report = simulated::<Echoes>(&options(Some("mute"), 50));
    let Verdict::Unknown(reason) = &report.verdict else {
        panic!("{report:#?}");
    };
    assert!(reason.contains("no operation"), "{reason}");
}

#[test]
fn a_simulation_that_is_broken_off_is_unknown_and_says_how_far_it_came() {
    let endless = SimulateOptions {
        timeout: Some(Duration::from_millis(300)),
        ..options(None, u64::MAX)
    };
    let late = simulated::<RaftSystem>(&endless);
    let mut looks = 0;
    let mut progress = |_| match looks {
        0..5 => {
            looks += 1;
            ControlFlow::Continue(())
        }
        _ => ControlFlow::Break(()),
    };
    let interrupted = simulate::<RaftSystem>(&options(None, u64::MAX), &mut progress);
    let interrupted = interrupted.expect("a simulation");
    for (report, word) in [(late, "time limit"), (interrupted, "interrupted")] {
        let Verdict::Unknown(reason) = &report.verdict else {
            panic!("{report:#?}");
        };
        let covered = format!("{} of ", report.seeds_run);
        assert!(
            reason.contains(word) && reason.contains(&covered),
            "{reason}"
        );
        assert!(report.seeds_run > 0);
    }
}

#[test]
fn a_wrong_version_that_there_is_not_is_refused() {
    let wrong = options(Some("nothing"), 1);
    let error = simulate::<RaftSystem>(&wrong, &mut |_| ControlFlow::Continue(()));
    assert!(error.expect_err("refused").is_usage());
}
/// How many seeds it takes to find each wrong version: the table in the README.
/// `cargo test --release -p tribunal-models --test simulate -- --ignored --nocapture`
#[test]
#[ignore = "a measurement of minutes"]
fn how_many_seeds_it_takes_to_find_each_wrong_version() {
    const RANGES: u64 = 5;
    let mut found = 0;
    for bug in RaftSystem::bugs()
        .iter()
        .filter(|bug| !bug.hosts.is_empty())
    {
        let mut runs: Vec<(Option<u64>, Duration)> = Vec::new();
        for range in 0..RANGES {
            let first = 1 + range * 1_000_000;
            let report = simulated::<RaftSystem>(&SimulateOptions {
                seeds: Seeds {
                    first,
                    last: first + 999_999,
                },
                timeout: Some(Duration::from_secs(60)),
                threads: 1,
                ..options(Some(bug.name), 1)
            });
            let is_found = report.verdict == Verdict::Invalid;
            runs.push((is_found.then_some(report.seeds_run), report.time));
        }
        runs.sort_by_key(|(seeds, _)| seeds.unwrap_or(u64::MAX));
        let median = &runs[runs.len() / 2];
        let missed = runs.iter().filter(|(seeds, _)| seeds.is_none()).count();
        found += u32::from(missed == 0);
        println!("{:36} {median:?}, missed in {missed} of {RANGES}", bug.name);
    }
    assert!(
        found >= 15,
        "{found} are found in 60 s, wherever the seeds begin"
    );
}
