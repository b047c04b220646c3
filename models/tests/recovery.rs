//! Whether there is always a way: asked of a toy that is right, and of wrong
//! ones.

mod explore;
mod toys;

use std::ops::ControlFlow;

use explore::verdicts_stay;
use serde::{Deserialize, Serialize};
use toys::Commitment;
use tribunal_models::object::Unjudged;
use tribunal_models::report::{PropertyReport, PropertyResult, Report, Verdict};
use tribunal_models::search::Order;
use tribunal_models::system::{Broken, Check, Draft, Goal, Planned, Property, Recovery, Seen};
use tribunal_models::{Bounds, CheckOptions, Cluster, Granularity, Limit, ModelSystem, check};
use tribunal_protocol::bugs::Bug;
use tribunal_protocol::machine::*;

/// How the machine goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Flaw {
    None,
    /// Node 1 tells once, and relies on it.
    Once,
    /// Whoever crashed before it knew takes nothing any more.
    Sulks,
    /// Whoever is told passes it on, and only that, for ever.
    Gossips,
}

/// Node 1 has news for all others, and tells them whenever its timer expires.
/// The first time only wakes them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Herald {
    is_awake: bool,
    knows: Knows,
}

/// What a node keeps: whether it was woken, and whether it knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Knows {
    was_woken: bool,
    all: bool,
}

impl Machine for Herald {
    const NAME: &'static str = "herald";
    const FORMAT: u32 = 1;
    const CHANNEL: Channel = Channel::Unordered;
    const CLOCK: ClockUse = ClockUse::Untimed;
    type Config = (NodeId, u8, Flaw);
    type Message = u8; // How often the news was passed on.
    type Timer = ();
    type Request = u8;
    type Response = u8;
    type Record = bool;
    type Durable = Knows;

    fn apply(durable: &mut Knows, all: &bool) {
        durable.was_woken = true;
        durable.all = *all;
    }

    fn recover(context: Context<'_, Self>, durable: &Knows, out: &mut Outputs<Self>) -> Self {
        if context.config.0 == NodeId(1) {
            out.set_timer((), Span::Heartbeat);
        }
        Herald {
            is_awake: false,
            knows: *durable,
        }
    }

    fn step(&mut self, context: Context<'_, Self>, input: Input<Self>, out: &mut Outputs<Self>) {
        let (me, nodes, flaw) = *context.config;
        match input {
            Input::Timer(()) => {
                let times = if flaw == Flaw::Once { 2 } else { 1 };
                for peer in (2..=nodes).map(NodeId) {
                    (0..times).for_each(|_| out.send(peer, 0));
                }
                if flaw != Flaw::Once {
                    out.set_timer((), Span::Heartbeat);
                }
            }
            Input::Message { message, .. } if flaw == Flaw::Gossips => {
                out.send(NodeId(2 + me.0 % (nodes - 1)), message + 1);
            }
            Input::Message { .. } if !self.is_awake => {
                if flaw == Flaw::Sulks && self.knows.was_woken {
                    return;
                }
                self.is_awake = true;
                out.persist(vec![self.knows.all]);
            }
            Input::Message { .. } if !self.knows.all => {
                self.knows.all = true;
                out.persist(vec![true]);
            }
            _ => {}
        }
    }

    fn view(&self, _: &Self::Config) -> View {
        View::default()
    }
}

/// What the system with the flaw "leaks" breaks wherever anybody comes to know.
const KEPT: &str = "Secrets Are Kept";

const BUGS: [Bug; 4] = {
    const fn bug(name: &'static str) -> Bug {
        Bug {
            name,
            about: "",
            source: "own: for tests",
            property: "Everybody Knows",
            hosts: &[],
            check_args: &[],
            run_args: &[],
        }
    }
    [
        bug("once"),
        bug("sulks"),
        bug("gossips"),
        Bug {
            property: KEPT,
            ..bug("leaks")
        },
    ]
};

#[derive(Clone, Debug)]
struct News {
    nodes: u8,
    is_secret: bool,
    flaw: Flaw,
}

impl ModelSystem for News {
    type Machine = Herald;
    type Operation = ();
    type Object = Unjudged;
    type Ghost = ();
    const NAME: &'static str = "news";
    const ABOUT: &'static str = "news, for tests";

    fn default_bounds() -> Bounds {
        Bounds::of(3)
            .with(Limit::Elections, 3)
            .with(Limit::Crashes, 1)
    }

    fn bugs() -> &'static [Bug] {
        &BUGS
    }

    fn new(bounds: &Bounds, bug: Option<&'static str>) -> Self {
        News {
            nodes: bounds.nodes,
            is_secret: bug == Some("leaks"),
            flaw: match bug {
                Some("once") => Flaw::Once,
                Some("sulks") => Flaw::Sulks,
                Some("gossips") => Flaw::Gossips,
                _ => Flaw::None,
            },
        }
    }

    fn config(&self, node: NodeId) -> (NodeId, u8, Flaw) {
        (node, self.nodes, self.flaw)
    }

    fn plan(&self) -> Vec<Planned<()>> {
        Vec::new()
    }

    fn request(&self, _: usize, (): &()) -> u8 {
        0
    }

    fn timer_limit(&self, (): ()) -> Limit {
        Limit::Elections
    }

    fn observe(&self, _: &mut Draft<'_, ()>, seen: Seen<'_, Herald>, broken: &mut Vec<Broken>) {
        let told = matches!(seen, Seen::Persisted { durable, .. } if durable.all);
        if told && self.is_secret {
            broken.push(Broken::new(KEPT, "somebody knows"));
        }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let kept: Property<Self> = Property {
            name: KEPT,
            about: "nobody comes to know, if it is a secret",
            check: Check::Observed,
        };
        let known: Property<Self> = Property {
            name: "Everybody Knows",
            about: "everybody can still come to know",
            check: Check::Recoverable(Recovery {
                from: |_, _| true,
                to: |_, cluster| {
                    (2..=cluster.size() as u8).all(|node| cluster.durable(NodeId(node)).all)
                },
                goal: "one in which everybody knows",
                grant: |bounds| bounds.with(Limit::Elections, 2),
                repairs: false,
                exists: true,
            }),
        };
        vec![kept, known]
    }

    fn goals(&self) -> Vec<Goal<Self>> {
        Vec::new()
    }

    /// News that is passed on for ever.
    fn is_beyond(&self, _: &Cluster<Self>, cluster: &Cluster<Self>) -> bool {
        cluster.messages().any(|envelope| envelope.message > 3)
    }
}

fn options(bug: Option<&str>) -> CheckOptions {
    CheckOptions {
        bug: bug.map(str::to_owned),
        ..CheckOptions::new(News::default_bounds())
    }
}

fn checked<S: ModelSystem>(options: &CheckOptions) -> Report {
    check::check::<S>(options, &mut |_| ControlFlow::Continue(())).expect("a check")
}

fn everybody_knows(report: &Report) -> &PropertyReport {
    let mut properties = report.properties.iter();
    let found = properties.find(|each| each.name == "Everybody Knows");
    found.expect("the property")
}

#[test]
fn a_way_is_asked_for_from_every_state() {
    for threads in [1, 2] {
        let report = checked::<News>(&CheckOptions {
            threads,
            ..options(None)
        });
        assert_eq!(report.verdict, Verdict::Valid, "{report:#?}");
        let property = everybody_knows(&report);
        assert_eq!(property.result, PropertyResult::Holds);
        assert_eq!(property.count, Some(report.states_unique));
        assert!(report.states_on_ways > 10, "{}", report.states_on_ways);
    }
}

/// The first to come upon the step is a way, on which it counts for nothing.
#[test]
fn what_was_met_on_a_way_first_is_judged_all_the_same() {
    for threads in [1, 2] {
        let report = checked::<News>(&CheckOptions {
            threads,
            ..options(Some("leaks"))
        });
        let mut properties = report.properties.iter();
        let kept = properties.find(|each| each.name == KEPT);
        let result = kept.map(|kept| kept.result);
        assert_eq!(result, Some(PropertyResult::Violated), "{report:#?}");
    }
}

/// The steps of a shortest path to a state without a way.
fn path(bug: &str, threads: usize) -> Vec<String> {
    let report = checked::<News>(&CheckOptions {
        threads,
        ..options(Some(bug))
    });
    assert_eq!(report.verdict, Verdict::Invalid);
    let property = everybody_knows(&report);
    assert!(property.is_shortest);
    let why = property.why.as_deref().unwrap_or_default();
    assert!(
        why.contains("no way leads from here to one in which everybody knows"),
        "{why}"
    );
    property
        .path
        .iter()
        .map(|step| step.action.clone())
        .collect()
}

#[test]
fn a_state_without_a_way_has_a_shortest_path() {
    for threads in [1, 2] {
        assert_eq!(path("once", threads), ["n1: timer () expires"]);
        let sulks = path("sulks", threads);
        assert_eq!(sulks.len(), 3, "{sulks:?}");
        assert!(sulks[2].contains("crashes and recovers"), "{sulks:?}");
    }
}

#[test]
fn a_way_that_was_not_followed_to_its_end_is_unknown() {
    let mut options = options(Some("gossips"));
    options.bounds = options.bounds.with(Limit::Crashes, 0);
    let report = checked::<News>(&options);
    let Verdict::Unknown(why) = &report.verdict else {
        panic!("{report:#?}");
    };
    assert!(why.contains("neither found nor excluded"), "{why}");
    assert_eq!(everybody_knows(&report).result, PropertyResult::Unknown);
}

#[test]
fn reductions_change_no_verdict() {
    for granularity in [Granularity::Atomic, Granularity::Staged] {
        let stays = |bug, verdict| {
            let mut options = CheckOptions {
                granularity,
                ..options(bug)
            };
            options.bounds.nodes = 2;
            verdicts_stay::<News>(&options, &verdict);
        };
        stays(None, Verdict::Valid);
        stays(Some("once"), Verdict::Invalid);
        stays(Some("sulks"), Verdict::Invalid);
    }
}

#[test]
fn sessions_lose_nothing_on_a_way_and_two_phase_commit_can_always_decide() {
    let bounds = Commitment::default_bounds();
    let bounds = bounds.with(Limit::Crashes, 1).with(Limit::Breaks, 1);
    for granularity in [Granularity::Atomic, Granularity::Staged] {
        let report = checked::<Commitment>(&CheckOptions {
            granularity,
            ..CheckOptions::new(bounds)
        });
        assert_eq!(report.verdict, Verdict::Valid, "{report:#?}");
        let mut properties = report.properties.iter();
        let termination = properties
            .find(|each| each.name == "Termination")
            .expect("asked");
        assert!(termination.count < Some(report.states_unique));
        assert!(termination.count > Some(100), "{:?}", termination.count);
    }
}

#[test]
fn the_order_of_the_search_changes_nothing() {
    let report = |order| {
        let report = checked::<Commitment>(&CheckOptions {
            order,
            ..CheckOptions::new(Commitment::default_bounds())
        });
        let counts: Vec<_> = report.properties.iter().map(|each| each.count).collect();
        (report.verdict, report.states_unique, counts)
    };
    assert_eq!(report(Order::DepthFirst), report(Order::BreadthFirst));
}
