//! None of the traps of the engine reaches a user.

use std::ops::ControlFlow;
use std::time::Duration;

use tribunal_models::judge::{NO_PANIC, NO_STUCK_STATE};
use tribunal_models::object::Unjudged;
use tribunal_models::report::{PropertyResult, Verdict};
use tribunal_models::system::{Broken, Check, Draft, Goal, Planned, Property, Seen};
use tribunal_models::{Bounds, CheckOptions, Limit, ModelSystem, Report, check};
use tribunal_protocol::bugs::Bug;
use tribunal_protocol::machine::*;

/// How the machine goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Flaw {
    None,
    /// The third ping is a panic.
    Panics,
    /// Nobody answers.
    Mute,
}

/// Node 1 pings for every request, the others count and answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Ping {
    pings: u8,
    asking: Vec<RequestId>,
}

impl Machine for Ping {
    const NAME: &'static str = "ping";
    const FORMAT: u32 = 1;
    const CHANNEL: Channel = Channel::Unordered;
    const CLOCK: ClockUse = ClockUse::Untimed;
    type Config = (NodeId, Flaw);
    type Message = u8;
    type Timer = ();
    type Request = u8;
    type Response = u8;
    type Record = u8;
    type Durable = u8;

    fn apply(durable: &mut u8, record: &u8) {
        *durable = *record;
    }

    fn recover(_: Context<'_, Self>, durable: &u8, _: &mut Outputs<Self>) -> Self {
        Ping {
            pings: *durable,
            asking: Vec::new(),
        }
    }

    fn step(&mut self, context: Context<'_, Self>, input: Input<Self>, out: &mut Outputs<Self>) {
        let (me, flaw) = *context.config;
        match input {
            Input::Request { id, .. } if me != NodeId(1) => {
                out.answer(id, Outcome::Redirect(NodeId(1)), Gate::Now);
            }
            Input::Request { id, request } => {
                self.asking.push(id);
                out.send(NodeId(2), request);
            }
            Input::Message {
                from: NodeId(1),
                message,
            } if flaw != Flaw::Mute => {
                self.pings += 1;
                assert!(
                    flaw != Flaw::Panics || self.pings < 3,
                    "three pings are too many"
                );
                out.persist(vec![self.pings]);
                out.send(NodeId(1), message);
            }
            Input::Message { .. } if me == NodeId(1) && !self.asking.is_empty() => {
                out.answer(self.asking.remove(0), Outcome::Ok(1), Gate::Now);
            }
            _ => {}
        }
    }

    fn view(&self, _: &Self::Config) -> View {
        View::default()
    }
}

/// The system; what it holds for wrong depends on the wrong version.
#[derive(Clone, Debug)]
struct Pings {
    operations: u8,
    bug: Option<&'static str>,
}

const fn bug(name: &'static str) -> Bug {
    Bug {
        name,
        about: "",
        source: "own: for tests",
        property: "",
        hosts: &[],
        check_args: &[],
        run_args: &[],
    }
}

impl ModelSystem for Pings {
    type Machine = Ping;
    type Operation = u8;
    type Object = Unjudged;
    /// How many answers left.
    type Ghost = u8;
    const NAME: &'static str = "pings";
    const ABOUT: &'static str = "pings, for tests";

    fn default_bounds() -> Bounds {
        Bounds::of(2)
            .with(Limit::Operations, 3)
            .with(Limit::Crashes, 1)
    }

    fn bugs() -> &'static [Bug] {
        const { &[bug("panics"), bug("mute"), bug("two"), bug("loops")] }
    }

    fn new(bounds: &Bounds, bug: Option<&'static str>) -> Self {
        let operations = bounds.get(Limit::Operations);
        Pings { operations, bug }
    }

    fn config(&self, node: NodeId) -> (NodeId, Flaw) {
        let flaw = match self.bug {
            Some("panics") => Flaw::Panics,
            Some("mute") => Flaw::Mute,
            _ => Flaw::None,
        };
        (node, flaw)
    }

    fn plan(&self) -> Vec<Planned<u8>> {
        let ping = |n: u8| Planned {
            client: n.into(),
            operation: n,
            read: false,
            follows: None,
        };
        (0..self.operations).map(ping).collect()
    }

    fn request(&self, _: usize, operation: &u8) -> u8 {
        *operation
    }

    fn timer_limit(&self, (): ()) -> Limit {
        Limit::Timers
    }

    fn observe(&self, answers: &mut Draft<'_, u8>, seen: Seen<'_, Ping>, broken: &mut Vec<Broken>) {
        if let Seen::Answered {
            outcome: Outcome::Ok(_),
            ..
        } = seen
        {
            **answers += 1;
            if self.bug == Some("two") && **answers == 2 {
                broken.push(Broken::new("One Answer", "there are two"));
            }
        }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property {
                name: "One Answer",
                about: "at most one answer is given",
                check: Check::Observed,
            },
            Property {
                name: "Two Pings",
                about: "at most two pings arrive",
                check: Check::Node(|system, cluster, node| {
                    let pings = *cluster.durable(node);
                    let wrong = system.bug == Some("two") && pings > 2;
                    if wrong {
                        Err(format!("{pings} pings arrived"))
                    } else {
                        Ok(())
                    }
                }),
            },
        ]
    }

    fn goals(&self) -> Vec<Goal<Self>> {
        vec![]
    }
}

fn options(bug: Option<&str>) -> CheckOptions {
    CheckOptions {
        bug: bug.map(str::to_owned),
        ..CheckOptions::new(Pings::default_bounds())
    }
}

fn checked(options: &CheckOptions) -> Report {
    check::check::<Pings>(options, &mut |_| ControlFlow::Continue(())).expect("a check")
}

#[test]
fn the_right_version_is_valid() {
    let report = checked(&options(None));
    assert_eq!(report.verdict, Verdict::Valid);
    let holds = report
        .properties
        .iter()
        .all(|each| each.result == PropertyResult::Holds);
    assert!(holds);
}

#[test]
fn a_panic_is_a_violation_with_its_path() {
    let report = checked(&options(Some("panics")));
    assert_eq!(report.verdict, Verdict::Invalid);
    let violated: Vec<_> = report.violated().collect();
    assert_eq!(violated.len(), 1);
    assert_eq!(violated[0].name, NO_PANIC);
    let why = violated[0].why.as_deref().unwrap_or_default();
    assert!(
        why.starts_with("three pings are too many (") && why.contains("driver.rs:"),
        "{why}"
    );
    assert_eq!(violated[0].path.len(), 6, "{:#?}", violated[0].path);
    assert!(violated[0].is_shortest);
}

#[test]
fn a_state_that_nothing_leads_out_of_is_a_violation_with_its_path() {
    let report = checked(&options(Some("mute")));
    let violated: Vec<_> = report
        .violated()
        .map(|each| (each.name, each.path.len()))
        .collect();
    assert_eq!(violated, [(NO_STUCK_STATE, 4)]);
}

#[test]
fn two_violated_properties_are_not_confused() {
    let report = checked(&options(Some("two")));
    for violated in report.violated() {
        let last = violated.path.last().expect("a path");
        let expected = match violated.name {
            "One Answer" => "n2 -> n1: ",
            _ => "n1 -> n2: ",
        };
        assert!(last.action.starts_with(expected), "{violated:#?}");
    }
    let shortest = report.violated().filter(|violated| violated.is_shortest);
    let lengths: Vec<_> = shortest.map(|violated| violated.path.len()).collect();
    assert_eq!(lengths, [6]);
}

#[test]
fn a_property_can_be_judged_alone() {
    let mut options = options(Some("two"));
    options.property = Some("Two Pings".into());
    let report = checked(&options);
    let violated: Vec<_> = report
        .violated()
        .map(|each| (each.name, each.path.len()))
        .collect();
    assert_eq!(violated, [("Two Pings", 6)]);
    assert_eq!(report.properties.len(), 1);
}

/// Far more states than can be visited in the time that tests have.
fn endless() -> CheckOptions {
    let mut options = options(None);
    options.bounds = options
        .bounds
        .with(Limit::Operations, 24)
        .with(Limit::Crashes, 9);
    options
}

#[test]
fn a_check_that_runs_out_of_time_is_unknown_and_says_so() {
    for threads in [1, 2] {
        let mut options = endless();
        options.threads = threads;
        options.timeout = Some(Duration::from_millis(200));
        let report = checked(&options);
        let Verdict::Unknown(reason) = &report.verdict else {
            panic!("{:?}", report.verdict);
        };
        assert!(reason.contains("time"), "{reason}");
        assert!(report.time < Duration::from_secs(10), "{:?}", report.time);
        assert!(
            report
                .properties
                .iter()
                .all(|each| each.result == PropertyResult::Unknown)
        );
        assert!(report.states_unique > 0);
    }
}

#[test]
fn a_check_that_runs_out_of_memory_is_unknown_and_says_so() {
    let mut options = endless();
    options.memory = Some(1);
    options.timeout = Some(Duration::from_secs(60));
    let report = checked(&options);
    let Verdict::Unknown(reason) = &report.verdict else {
        panic!("{:?}", report.verdict);
    };
    assert!(reason.contains("memory"), "{reason}");
}

#[test]
fn a_check_that_is_broken_off_is_unknown_and_says_so() {
    let mut options = endless();
    options.timeout = Some(Duration::from_secs(60));
    let mut looks = 0;
    let report = check::check::<Pings>(&options, &mut |_| {
        looks += 1;
        match looks < 3 {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    });
    let report = report.expect("a check");
    let Verdict::Unknown(reason) = &report.verdict else {
        panic!("{:?}", report.verdict);
    };
    assert!(reason.contains("interrupted"), "{reason}");
    assert!(report.states_unique > 0);
}

#[test]
fn what_there_is_not_is_refused() {
    for wrong in [
        CheckOptions {
            bug: Some("nothing".into()),
            ..options(None)
        },
        CheckOptions {
            from: Some("nowhere".into()),
            ..options(None)
        },
        CheckOptions {
            property: Some("nothing".into()),
            ..options(None)
        },
        CheckOptions {
            bounds: Bounds::of(0),
            ..options(None)
        },
    ] {
        let error =
            check::check::<Pings>(&wrong, &mut |_| ControlFlow::Continue(())).expect_err("refused");
        assert!(error.is_usage(), "{error}");
    }
}
