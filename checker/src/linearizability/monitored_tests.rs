//! Every specification of recorded operations, from a history to its verdict,
//! against brute force, on random histories.
//!
//! A history is what clients see of an object that works, mostly: now and then
//! an answer is drawn at random from those that it could have had somewhere.

use tribunal_histories::{Event, FailedCas, Header, History, Kind, Nil, Outcome, Process, Value};

use super::dialect::{self, KeyHistory};
use super::guard::Guard;
use super::judge::Judge;
use super::object::NEVER;
use super::online::Online;
use super::oracle::brute_force::brute_force;
use super::search::Progress;
use super::{Engine, Options, check};
use crate::monitors::Decided;
use crate::monitors::simulation::Random;
use crate::spec::{Spec, by_type};
use crate::specification::{Asked, Recorded, TimedCall, TimedCallOf};
use crate::verdict::Verdict;

/// So many histories of each specification.
const HISTORIES: usize = 3_000;

/// An operation to come, and what it could answer somewhere.
struct Drawn {
    f: &'static str,
    argument: Value,
    answers: Vec<Value>,
}

/// What operations are drawn from.
struct Draw<'a> {
    spec: Spec,
    random: &'a mut Random,
    /// How many operations there were.
    fresh: i64,
    /// Whether no value is put in twice, and steps are equal.
    is_plain: bool,
    /// Whether nothing is removed from a set.
    grows: bool,
    /// What the object holds.
    held: Value,
}

fn ints(values: impl IntoIterator<Item = i64>) -> Vec<Value> {
    values.into_iter().map(Value::Int).collect()
}

fn list(values: impl IntoIterator<Item = Value>) -> Value {
    Value::List(values.into_iter().collect())
}

impl Draw<'_> {
    /// One of these.
    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.random.below(of.len() as u64) as usize].clone()
    }

    /// An element to put in.
    fn element(&mut self) -> Value {
        match self.is_plain {
            true => Value::Int(self.fresh),
            false => Value::Int(self.random.below(3) as i64),
        }
    }

    /// Every element that may be inside, or none.
    fn elements(&self) -> Vec<Value> {
        let mut all = ints(0..=self.fresh.max(3));
        all.push(Value::Null);
        all
    }

    /// What is held, and some of it.
    fn held_or_less(&self) -> Vec<Value> {
        let Value::List(held) = &self.held else {
            return vec![Value::Null];
        };
        let less = held.get(1..).unwrap_or_default().to_vec();
        let front = held[..held.len().saturating_sub(1)].to_vec();
        vec![self.held.clone(), Value::List(less), Value::List(front)]
    }

    fn drawn(&mut self) -> Drawn {
        let null = || vec![Value::Null];
        let refused = || vec![Value::Null, Value::Bool(false)];
        let told = || vec![Value::Bool(true), Value::Bool(false)];
        let (f, argument, answers) = match self.spec {
            Spec::Register | Spec::CasRegister | Spec::Kv => unreachable!("not recorded so"),
            Spec::Queue => match self.one(&["enqueue", "enqueue", "dequeue", "dequeue", "peek"]) {
                "enqueue" => ("enqueue", self.element(), null()),
                f => (f, Value::Null, self.elements()),
            },
            Spec::Stack => match self.one(&["push", "push", "push", "pop", "pop", "pop", "peek"]) {
                "push" => ("push", self.element(), null()),
                f => (f, Value::Null, self.elements()),
            },
            Spec::Deque => {
                let queue = ["push_front", "pop_back", "peek_back"];
                let all = [
                    "push_front",
                    "push_back",
                    "pop_front",
                    "pop_back",
                    "peek_front",
                    "peek_back",
                ];
                match self.is_plain {
                    true => match self.one(&queue) {
                        "push_front" => ("push_front", self.element(), null()),
                        f => (f, Value::Null, self.elements()),
                    },
                    false => match self.one(&all) {
                        f @ ("push_front" | "push_back") => (f, self.element(), null()),
                        f => (f, Value::Null, self.elements()),
                    },
                }
            }
            Spec::PriorityQueue => {
                let all = ["insert", "insert", "poll", "peek", "poll-min", "peek-min"];
                let all = if self.is_plain { &all[..3] } else { &all };
                match self.one(all) {
                    "insert" => ("insert", self.element(), null()),
                    f => (f, Value::Null, self.elements()),
                }
            }
            Spec::Set | Spec::Multiset => {
                let element = Value::Int(self.random.below(2) as i64);
                let whole = !self.is_plain;
                match self.random.below(6 + 2 * u64::from(whole)) {
                    0 | 1 if self.spec == Spec::Multiset => ("add", element, null()),
                    0 | 1 if whole => ("add", element, [null(), told()].concat()),
                    0 | 1 => ("add", element, told()),
                    2 | 3 if self.spec == Spec::Multiset && !whole => {
                        ("count", element, ints(0..4))
                    }
                    2 | 3 if whole && self.grows => ("read", Value::Null, self.held_or_less()),
                    2 if whole => ("remove", element, [null(), told()].concat()),
                    2 | 3 => ("remove", element, told()),
                    4 | 5 if self.spec == Spec::Multiset => ("count", element, ints(0..4)),
                    4 | 5 => ("contains", element, told()),
                    6 => ("size", Value::Null, ints(0..4)),
                    _ => ("read", Value::Null, self.held_or_less()),
                }
            }
            Spec::Counter => match self.is_plain {
                true => match self.one(&["add", "add", "read"]) {
                    "add" => ("add", Value::Int(2), null()),
                    _ => ("read", Value::Null, ints(-1..9)),
                },
                false => {
                    let delta = Value::Int(self.one(&[-1, 1, 2]));
                    match self.random.below(6) {
                        0 => ("add", delta, null()),
                        1 => ("increment", Value::Null, ints(-2..6)),
                        2 => ("decrement", Value::Null, ints(-2..6)),
                        3 => ("add-and-get", delta, ints(-2..6)),
                        4 => ("get-and-add", delta, ints(-2..6)),
                        _ => ("read", Value::Null, ints(-2..6)),
                    }
                }
            },
            Spec::Log => match self.one(&["append", "read"]) {
                "append" => {
                    let entry = self.element();
                    let at = |index: i64| list([Value::Int(index), entry.clone()]);
                    let answers = match self.is_plain {
                        true => null(),
                        false => vec![Value::Null, at(0), at(1), at(2), at(3)],
                    };
                    ("append", entry, answers)
                }
                _ => ("read", Value::Null, self.held_or_less()),
            },
            Spec::VersionedRegister => {
                let values = [Value::Null, Value::Int(1), Value::Int(2)];
                let value = self.one(&values[1..]);
                let version = self.random.below(4) as i64;
                let mut at: Vec<Value> = vec![Value::Null];
                at.extend((0..5).map(|version| list([Value::Int(version), value.clone()])));
                match self.random.below(5) {
                    0 | 1 => {
                        let seen = (0..5).flat_map(|version| {
                            values
                                .iter()
                                .map(move |value| list([Value::Int(version), value.clone()]))
                        });
                        ("read", Value::Null, seen.collect())
                    }
                    2 => ("write", value, at),
                    3 => {
                        let old = self.one(&values);
                        let swap = list([old, value]);
                        let mut answers = vec![Value::Null, Value::Bool(false)];
                        answers.extend((1..4).map(|at| list([Value::Int(at), swap.clone()])));
                        ("cas", list([Value::Null, swap]), answers)
                    }
                    _ => {
                        let answers = [refused(), ints(1..5)].concat();
                        ("cas", list([Value::Int(version), value]), answers)
                    }
                }
            }
            Spec::MultiRegister => self.transaction(),
            Spec::Mutex | Spec::OwnedMutex => {
                (self.one(&["acquire", "release"]), Value::Null, refused())
            }
            Spec::FencedLock => match self.one(&["acquire", "release"]) {
                "acquire" => {
                    let tokens = [ints(1..6), vec![Value::Bool(false)]].concat();
                    ("acquire", Value::Null, tokens)
                }
                f => (f, Value::Null, refused()),
            },
            Spec::Lease => match self.one(&["acquire", "renew", "guarded", "release"]) {
                "acquire" => {
                    let terms = [ints(1..5), vec![Value::Bool(false)]].concat();
                    ("acquire", Value::Null, terms)
                }
                f => (f, Value::Int(self.one(&[1, 2, 3])), refused()),
            },
            Spec::Semaphore => {
                let permits = self.one(&[Value::Null, Value::Int(2)]);
                match self.one(&["acquire", "acquire", "release"]) {
                    "acquire" => ("acquire", permits, refused()),
                    f => (f, permits, null()),
                }
            }
        };
        Drawn {
            f,
            argument,
            answers,
        }
    }

    fn transaction(&mut self) -> (&'static str, Value, Vec<Value>) {
        let values = [Value::Null, Value::Int(1), Value::Int(2)];
        let mut asked = Vec::new();
        let mut answers = vec![Vec::new()];
        for _ in 0..1 + self.random.below(1 + u64::from(!self.is_plain)) {
            let key: Value = self.one(&["x", "y"]).into();
            let micro = |f: &str, value: &Value| list([f.into(), key.clone(), value.clone()]);
            match self.random.below(2) {
                0 => {
                    asked.push(micro("r", &Value::Null));
                    let seen = |answer: Vec<Value>| {
                        let each = values.iter().map(|value| micro("r", value));
                        each.map(move |last| [answer.clone(), vec![last]].concat())
                            .collect::<Vec<_>>()
                    };
                    answers = answers.into_iter().flat_map(seen).collect();
                }
                _ => {
                    let write = micro("w", &values[1 + self.random.below(2) as usize]);
                    asked.push(write.clone());
                    answers
                        .iter_mut()
                        .for_each(|answer| answer.push(write.clone()));
                }
            }
        }
        let answers = answers.into_iter().map(Value::List).collect();
        ("txn", Value::List(asked), answers)
    }
}

/// What an object can hold at first.
fn initials(spec: Spec) -> &'static str {
    match spec {
        Spec::Queue | Spec::Stack | Spec::Deque | Spec::PriorityQueue => "[1000,1001]",
        Spec::Log | Spec::Set | Spec::Multiset => "[1]",
        Spec::Counter => "1",
        Spec::VersionedRegister => "[2,1]",
        Spec::MultiRegister => "1",
        Spec::Mutex => "true",
        Spec::OwnedMutex => "0",
        Spec::FencedLock | Spec::Lease => "[1,0]",
        Spec::Semaphore => "2",
        Spec::Register | Spec::CasRegister | Spec::Kv => "null",
    }
}

/// What a client is doing.
enum Client {
    Idle,
    Invoked(Drawn),
    /// It was done, or refused, with this answer.
    Done(&'static str, Kind, Value),
}

fn record(events: &mut Vec<Event>, process: u64, kind: Kind, f: &str, value: &Value) {
    events.push(Event {
        index: events.len() as u64,
        time: 0,
        process: Process::Client(process),
        kind,
        f: f.to_owned(),
        key: None,
        value: value.clone(),
        error: None,
        node: None,
        fault: None,
    });
}

/// A history of so many operations.
pub(super) fn random_history<S: Recorded>(
    spec: Spec,
    random: &mut Random,
    operations: usize,
) -> History {
    let mut header = Header::new(spec.name());
    if spec == Spec::Semaphore || random.one_in(3) {
        header.initial = serde_json::from_str(initials(spec)).expect("a value");
    }
    if random.one_in(2) {
        header.failed_cas = FailedCas::Observed;
    }
    let specification = S::holding(&header.initial).expect("it can hold that");
    let mut state = specification.initial();
    let is_plain = random.one_in(2);
    let grows = random.one_in(2);
    let clients = 1 + random.below(4);
    let wrong_one_in = 2 + random.below(4);
    let mut doing: Vec<(u64, Client)> = (0..clients).map(|it| (it, Client::Idle)).collect();
    let mut events: Vec<Event> = Vec::new();
    let mut begun = 0;
    let is_idle = |(_, client): &(u64, Client)| matches!(client, Client::Idle);
    while begun < operations || !doing.iter().all(is_idle) {
        let (process, client) = &mut doing[random.below(clients) as usize];
        *client = match std::mem::replace(client, Client::Idle) {
            Client::Idle if begun == operations => Client::Idle,
            Client::Idle => {
                let held = specification.show(&state);
                let mut draw = Draw {
                    spec,
                    random,
                    fresh: begun as i64,
                    is_plain,
                    grows,
                    held,
                };
                let drawn = draw.drawn();
                begun += 1;
                record(
                    &mut events,
                    *process,
                    Kind::Invoke,
                    drawn.f,
                    &drawn.argument,
                );
                Client::Invoked(drawn)
            }
            Client::Invoked(mut drawn) => {
                let call = specification
                    .call(Asked {
                        process: *process,
                        f: drawn.f,
                        argument: &drawn.argument,
                    })
                    .expect("a call");
                if drawn.f == "read" && !matches!(spec, Spec::VersionedRegister | Spec::Counter) {
                    drawn.answers.push(specification.show(&state));
                }
                let refuses = random.one_in(10);
                let step = |answer: &Value| {
                    let returned = specification.returned(&call, answer).expect("an answer");
                    specification.step(&state, &call, returned.as_ref())
                };
                let is_wrong = random.one_in(wrong_one_in);
                let fit = drawn
                    .answers
                    .iter()
                    .filter(|it| is_wrong || step(it).is_some());
                let fit: Vec<&Value> = fit.collect();
                let answer = fit.get(random.below(fit.len().max(1) as u64) as usize);
                match answer {
                    Some(answer) if !refuses => {
                        let after = step(answer).unwrap_or_else(|| state.clone());
                        let answer = (*answer).clone();
                        state = after;
                        Client::Done(drawn.f, Kind::Ok, answer)
                    }
                    _ => Client::Done(drawn.f, Kind::Fail, Value::Null),
                }
            }
            Client::Done(f, kind, value) => {
                match random.one_in(6) {
                    true => {
                        record(&mut events, *process, Kind::Info, f, &Value::Null);
                        *process += clients;
                    }
                    false => record(&mut events, *process, kind, f, &value),
                }
                Client::Idle
            }
        };
    }
    History::new(header, events)
}

/// The calls of a history of one object.
pub(super) fn timed<S: Recorded>(specification: &S, history: &History) -> Vec<TimedCallOf<S>> {
    let observed = history.header.failed_cas == FailedCas::Observed;
    let mut timed = Vec::new();
    for operation in history.operations().expect("a history") {
        let call = specification.call(Asked {
            process: operation.process,
            f: &operation.f,
            argument: &operation.argument,
        });
        let call = call.expect("a call");
        let returned = match &operation.outcome {
            Outcome::Ok(value) => specification.returned(&call, value).expect("an answer"),
            Outcome::Fail => match specification.refused(&call).filter(|_| observed) {
                None => continue,
                refused => refused,
            },
            Outcome::Info => None,
        };
        let completed = operation.completed.map(|at| at as u32);
        timed.push(TimedCall {
            call,
            invoked: operation.invoked as u32,
            completed: completed.zip(returned),
        });
    }
    timed
}

/// What an engine says of all parts; none if it cannot know.
fn judged(keys: &[KeyHistory], engine: Option<Engine>) -> Option<bool> {
    let judged = keys.iter().map(|key| {
        let (calls, _) = key.calls(NEVER - 1);
        let mut judge = Judge::new(&key.object, calls, engine);
        for _ in 0..100 {
            match judge.run(100_000, &mut |_| true) {
                Progress::Explained => {
                    assert!(judge.order().is_some(), "{engine:?} found no order");
                    return Some(true);
                }
                Progress::Refuted => return Some(false),
                Progress::Paused if judge.is_exhausted() => return None,
                Progress::Paused => {}
            }
        }
        None
    });
    let judged: Vec<Option<bool>> = judged.collect();
    match judged.contains(&Some(false)) {
        true => Some(false),
        false => judged
            .into_iter()
            .collect::<Option<Vec<bool>>>()
            .map(|_| true),
    }
}

/// What a monitor says, itself; its orders hold.
fn monitored(keys: &[KeyHistory], expected: bool) -> usize {
    let decided = keys.iter().map(|key| {
        let (calls, _) = key.calls(NEVER - 1);
        match key.object.steps.monitor(&calls, &mut Guard::none()) {
            None => 0,
            Some(Decided::Refuted { blame }) => {
                assert!(!expected, "refuted by {blame:?} of {calls:?}");
                assert!(blame.iter().all(|&call| (call as usize) < calls.len()));
                1
            }
            Some(Decided::Order(order)) => {
                assert!(key.object.replays(&calls, &order), "{calls:?}: {order:?}");
                1
            }
        }
    });
    decided.sum()
}

/// What is said of a history while it is recorded, to its end.
fn as_recorded(history: &History, spec: Spec) -> bool {
    let mut online = Online::new(&history.header, spec);
    let mut events = history.events.iter();
    let violation = events.find_map(|event| online.event(event).expect("an event"));
    assert_eq!(online.given_up(), 0, "{history:?}");
    violation.is_none()
}

/// How many histories are valid, and how many parts a monitor has decided.
fn agree<S: Recorded>(spec: Spec) -> (usize, usize) {
    let mut random = Random(spec as u64 + 77);
    let (mut valid, mut by_monitor) = (0, 0);
    for number in 0..HISTORIES {
        let operations = 2 + random.below(9) as usize;
        let history = random_history::<S>(spec, &mut random, operations);
        let specification = S::holding(&history.header.initial).expect("it can hold that");
        let calls = timed(&specification, &history);
        let expected = brute_force(&specification, &calls);
        valid += usize::from(expected);
        let pairs = history.pairs().expect("a history");
        let keys = dialect::keys(&history, &pairs, spec, Nil::Initial).expect("a history");
        for engine in [None, Some(Engine::Frontier), Some(Engine::DepthFirst)] {
            let says = judged(&keys, engine);
            assert_eq!(says, Some(expected), "{engine:?}: {calls:#?}");
        }
        for engine in [
            Engine::Monitor,
            Engine::Zones,
            Engine::Windows,
            Engine::Beam,
        ] {
            let says = judged(&keys, Some(engine));
            assert!(says.is_none_or(|it| it == expected), "{engine}: {calls:#?}");
        }
        by_monitor += monitored(&keys, expected);
        assert_eq!(as_recorded(&history, spec), expected, "{calls:#?}");
        if number % 8 == 0 {
            let verdict = check(&history, &Options::new(spec))
                .expect("a history")
                .verdict;
            match verdict {
                Verdict::Valid => assert!(expected),
                Verdict::Invalid(witness) => {
                    assert!(!expected);
                    assert!(witness.refuted.is_some(), "{calls:#?}");
                }
                Verdict::Unknown(limit) => panic!("{limit}"),
            }
        }
    }
    (valid, by_monitor)
}

#[test]
fn every_specification_agrees_with_brute_force() {
    let mut told = Vec::new();
    for spec in Spec::ALL.into_iter().filter(|spec| !spec.is_register()) {
        let (valid, by_monitor) = by_type!(spec, (0, 0), agree, spec);
        told.push((spec, valid, by_monitor));
    }
    for &(spec, valid, by_monitor) in &told {
        let share = HISTORIES / 5..4 * HISTORIES / 5;
        assert!(share.contains(&valid), "a lopsided set: {told:?}");
        let has_one = matches!(
            spec,
            Spec::VersionedRegister
                | Spec::Log
                | Spec::Set
                | Spec::Multiset
                | Spec::Counter
                | Spec::Queue
                | Spec::Stack
                | Spec::Deque
                | Spec::PriorityQueue
        );
        let wanted = if has_one { HISTORIES / 5 } else { 0 };
        assert_eq!(by_monitor > 0, has_one, "{spec}: {told:?}");
        assert!(by_monitor >= wanted, "{spec}: {told:?}");
    }
}
