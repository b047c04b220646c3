//! What every specification of recorded operations must keep, asked of all
//! states that its sample calls reach in a few steps and of some further on.
//!
//! Values are JSON. A history is a line for each operation that overlaps no
//! other, `process f argument -> answer`, or for each end of one,
//! `process invoke|ok|fail|info f value`.

use std::collections::VecDeque;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rustc_hash::FxHashSet;
use tribunal_histories::{Event, FailedCas, Header, History, Kind, Outcome, Process, Value};

use super::{Asked, Effect, Recorded, TimedCall};
use crate::small::is_linearizable_small;

/// A sample of a call: who asks, what, with which argument, and a list of
/// answers.
pub(super) type Sample<'a> = (u64, &'a str, &'a str, &'a str);

/// So many states are tried at most.
const STATES_MAX: usize = 400;

pub(super) fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// What an object is that at first holds this.
pub(super) fn holds<S: Recorded>(initial: &str) -> Result<S, String> {
    S::holding(&value(initial))
}

/// What is said of an object that cannot hold this at first.
pub(super) fn cannot_hold<S: Recorded>(initial: &str) -> String {
    let refused = holds::<S>(initial).map(|_| ());
    refused.expect_err("it cannot be held")
}

/// A sample call, and what may be answered.
struct Call<S: Recorded> {
    process: u64,
    call: S::Call,
    returns: Vec<S::Return>,
}

fn calls<S: Recorded>(specification: &S, samples: &[Sample<'_>]) -> Vec<Call<S>> {
    let read = |&(process, f, argument, answers): &Sample<'_>| {
        assert!(S::FUNCTIONS.contains(&f), "{f} is not listed");
        let argument = value(argument);
        let asked = Asked {
            process,
            f,
            argument: &argument,
        };
        let call = specification.call(asked).expect("a sample call");
        let Value::List(answers) = value(answers) else {
            panic!("answers are a list")
        };
        let returned = |answer| {
            let returned = specification.returned(&call, answer);
            returned
                .expect("a sample answer")
                .expect("one that is known")
        };
        let mut returns: Vec<S::Return> = answers.iter().map(returned).collect();
        returns.extend(specification.refused(&call));
        Call {
            process,
            call,
            returns,
        }
    };
    samples.iter().map(read).collect()
}

impl<S: Recorded> Call<S> {
    /// What is known of the answer: one of the samples, or nothing.
    fn known(&self) -> impl Iterator<Item = Option<&S::Return>> {
        self.returns.iter().map(Some).chain([None])
    }
}

/// Checks all laws, where a call of unknown outcome does exactly what the same
/// call does whatever it answers.
pub(super) fn check<S: Recorded>(initials: &[&str], samples: &[Sample<'_>]) {
    laws::<S>(initials, samples, 0);
}

/// Checks all laws, where a call of unknown outcome leaves a state in which
/// everything is possible for other processes that is after any of its
/// answers, as far as so many calls show; or which left the state as it was,
/// and may be left out.
pub(super) fn check_covering<S: Recorded>(initials: &[&str], samples: &[Sample<'_>], depth: u32) {
    laws::<S>(initials, samples, depth);
}

fn laws<S: Recorded>(initials: &[&str], samples: &[Sample<'_>], depth: u32) {
    let mut all = FxHashSet::default();
    for (place, initial) in initials.iter().enumerate() {
        let specification = holds::<S>(initial).expect("it can be held");
        if *initial != "null" {
            let shown = specification.show(&specification.initial());
            assert_eq!(shown, value(initial), "what is held is shown");
        }
        let calls = calls(&specification, samples);
        let states = states(&specification, &calls);
        for state in &states {
            unknown_outcomes(&specification, &calls, state, depth);
            refusals_change_nothing(&specification, &calls, state);
            parts(&specification, &calls, state);
            if place == 0 {
                let again = S::holding(&specification.show(state)).expect("what it shows");
                assert_eq!(again.initial(), *state, "what is shown can be held");
            }
        }
        all.extend(states);
    }
    let all: Vec<_> = all.into_iter().collect();
    // What an effect says it says of all states, whatever was held at first.
    for initial in initials {
        let specification = holds::<S>(initial).expect("it can be held");
        let calls = calls(&specification, samples);
        effects(&specification, &calls, &all);
        used(&specification, &calls, &all);
        alone(&specification, samples);
    }
}

/// States that a few calls reach, nearest first, and some that many do.
fn states<S: Recorded>(specification: &S, calls: &[Call<S>]) -> Vec<S::State> {
    let mut seen = FxHashSet::from_iter([specification.initial()]);
    let mut states = vec![specification.initial()];
    let mut next = VecDeque::from([specification.initial()]);
    while let Some(state) = next.pop_front()
        && states.len() < STATES_MAX / 2
    {
        for call in calls {
            for returned in call.known() {
                let after = specification.step(&state, &call.call, returned);
                let advanced = specification.advance(state.clone(), &call.call, returned);
                assert_eq!(advanced, after, "{:?} of {state:?}", call.call);
                if let Some(after) = after.filter(|after| seen.insert(after.clone())) {
                    states.push(after.clone());
                    next.push_back(after);
                }
            }
        }
    }
    let mut runner = TestRunner::deterministic();
    let walks = prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 1..60);
    for _ in 0..20 {
        let walk = walks.new_tree(&mut runner).expect("a walk").current();
        let mut state = specification.initial();
        for (call, returned) in walk {
            let call = &calls[call.index(calls.len())];
            let known: Vec<_> = call.known().collect();
            let returned = known[returned.index(known.len())];
            state = specification
                .step(&state, &call.call, returned)
                .unwrap_or(state);
            if states.len() < STATES_MAX && seen.insert(state.clone()) {
                states.push(state.clone());
            }
        }
    }
    states
}

/// A return that is not known forbids nothing, and the call is carried out all
/// the same.
fn unknown_outcomes<S: Recorded>(
    specification: &S,
    calls: &[Call<S>],
    state: &S::State,
    depth: u32,
) {
    for call in calls {
        let open = specification.step(state, &call.call, None);
        let open = open.unwrap_or_else(|| panic!("{:?} is forbidden in {state:?}", call.call));
        for returned in &call.returns {
            let Some(after) = specification.step(state, &call.call, Some(returned)) else {
                continue;
            };
            // An open call need not be carried out, which is as if it was refused.
            if depth > 0 && after == *state {
                continue;
            }
            let later: Vec<_> = calls
                .iter()
                .filter(|it| it.process != call.process)
                .collect();
            assert!(
                covers(specification, &later, &open, &after, depth),
                "{:?} in {state:?} leaves {after:?} with {returned:?} and {open:?} without",
                call.call,
            );
        }
    }
}

/// Whether everything is possible after `wider` that is after `state`, of
/// `depth` of these calls. A process whose call stays open makes no more.
fn covers<S: Recorded>(
    specification: &S,
    calls: &[&Call<S>],
    wider: &S::State,
    state: &S::State,
    depth: u32,
) -> bool {
    if wider == state {
        return true;
    }
    let possible = |call: &Call<S>, returned: Option<&S::Return>| {
        let Some(after) = specification.step(state, &call.call, returned) else {
            return true;
        };
        let Some(wider) = specification.step(wider, &call.call, returned) else {
            return false;
        };
        let goes_on = |it: &&&Call<S>| returned.is_some() || it.process != call.process;
        let later: Vec<_> = calls.iter().filter(goes_on).copied().collect();
        depth == 1 || covers(specification, &later, &wider, &after, depth - 1)
    };
    let all = |call: &&Call<S>| call.known().all(|returned| possible(call, returned));
    depth > 0 && calls.iter().all(all)
}

fn refusals_change_nothing<S: Recorded>(specification: &S, calls: &[Call<S>], state: &S::State) {
    for call in calls {
        let Some(refused) = specification.refused(&call.call) else {
            continue;
        };
        let after = specification.step(state, &call.call, Some(&refused));
        assert!(after.is_none_or(|after| after == *state), "{:?}", call.call);
    }
}

/// Calls of two parts do not influence each other, in either order.
fn parts<S: Recorded>(specification: &S, calls: &[Call<S>], state: &S::State) {
    for one in calls {
        for other in calls {
            let (part, apart) = (
                specification.part(&one.call),
                specification.part(&other.call),
            );
            if part.is_none() || apart.is_none() || part == apart {
                continue;
            }
            for first in one.known() {
                for second in other.known() {
                    let both = |a: (&S::Call, _), b: (&S::Call, _)| {
                        let between = specification.step(state, a.0, a.1)?;
                        specification.step(&between, b.0, b.1)
                    };
                    let one_way = both((&one.call, first), (&other.call, second));
                    let other_way = both((&other.call, second), (&one.call, first));
                    assert_eq!(one_way, other_way, "{:?}, {:?}", one.call, other.call);
                    let alone = |call, returned| specification.step(state, call, returned);
                    let apart =
                        alone(&one.call, first).is_some() && alone(&other.call, second).is_some();
                    assert_eq!(one_way.is_some(), apart, "{:?}, {:?}", one.call, other.call);
                }
            }
        }
    }
}

/// A part by itself allows what the whole allows to calls about it, and what
/// its effects say is what it does.
fn alone<S: Recorded>(specification: &S, samples: &[Sample<'_>]) {
    let parts = calls(specification, samples);
    let parts: FxHashSet<Value> = parts
        .iter()
        .filter_map(|it| specification.part(&it.call))
        .collect();
    for part in &parts {
        let this = specification.of_part(part);
        let mut about = calls(specification, samples);
        about.retain(|it| specification.part(&it.call).as_ref() == Some(part));
        let mut next = VecDeque::from([(specification.initial(), this.initial())]);
        let mut seen = FxHashSet::from_iter(next.iter().cloned());
        while let Some((whole, state)) = next.pop_front() {
            for call in &about {
                for returned in call.known() {
                    let whole = specification.step(&whole, &call.call, returned);
                    let state = this.step(&state, &call.call, returned);
                    let what = format!("{:?} {returned:?} of {part}", call.call);
                    assert_eq!(whole.is_some(), state.is_some(), "{what}");
                    if let Some(both) = whole.zip(state)
                        && seen.len() < STATES_MAX
                        && seen.insert(both.clone())
                    {
                        next.push_back(both);
                    }
                }
            }
        }
        let states: FxHashSet<S::State> = seen.into_iter().map(|(_, state)| state).collect();
        let states: Vec<S::State> = states.into_iter().collect();
        // Of one state nothing can be told from another.
        if states.len() > 1 {
            effects(&this, &about, &states);
        }
    }
}

/// What an effect says is what the steps do, and nothing more could be said
/// for all states.
fn effects<S: Recorded>(specification: &S, calls: &[Call<S>], states: &[S::State]) {
    for call in calls {
        for returned in call.known() {
            let what = format!("{:?} {returned:?}", call.call);
            let effect = specification.effect(&call.call, returned);
            let steps = || {
                let step = |state| specification.step(state, &call.call, returned);
                states.iter().map(move |state| (state, step(state)))
            };
            for (state, after) in steps() {
                let here = match &effect {
                    Effect::Observe(Some(from)) => (from == state).then(|| state.clone()),
                    Effect::Avoid(avoided) => (avoided != state).then(|| state.clone()),
                    Effect::Observe(None) => after.clone().map(|_| state.clone()),
                    Effect::Replace(to) => Some(to.clone()),
                    Effect::Change { from, to } if from == state => Some(to.clone()),
                    Effect::Change { .. } => returned.is_none().then(|| state.clone()),
                    Effect::Total => {
                        assert!(after.is_some(), "{what} in {state:?}");
                        after.clone()
                    }
                    Effect::Other => after.clone(),
                };
                assert_eq!(after, here, "{what} in {state:?}: {effect:?}");
            }
            if let Effect::Observe(Some(from)) = &effect {
                let after = specification.step(from, &call.call, returned);
                assert_eq!(after.as_ref(), Some(from), "{what}");
            }
            let changes_nothing = steps().all(|(state, after)| after.is_none_or(|it| it == *state));
            let mut possible = steps().filter(|(_, after)| after.is_some());
            if let (Some((only, _)), None) = (possible.next(), possible.next())
                && effect.is_read_only()
            {
                let named = Effect::Observe(Some(only.clone()));
                assert_eq!(effect, named, "{what} is possible in one state");
            }
            let happens = steps().any(|(_, after)| after.is_some());
            // Where it leaves another state, none of these is where it begins.
            let moves = matches!(&effect, Effect::Change { from, to } if from != to);
            if changes_nothing && happens && !moves {
                assert!(effect.is_read_only(), "{what} only reads: {effect:?}");
            } else if !changes_nothing && steps().all(|(_, after)| after.is_some()) {
                assert_ne!(effect, Effect::Other, "{what} is always possible");
            }
        }
    }
}

/// Every sample call is possible somewhere: a test that asks nothing of a step
/// could not fail.
fn used<S: Recorded>(specification: &S, calls: &[Call<S>], states: &[S::State]) {
    for call in calls {
        let possible = call.returns.iter().any(|returned| {
            let step = |state| specification.step(state, &call.call, Some(returned));
            states.iter().any(|state| step(state).is_some())
        });
        assert!(possible, "{:?} answers nothing anywhere", call.call);
    }
}

/// Whether a recorded history has an order; what fails was refused, where a
/// call can be.
pub(super) fn judge<S: Recorded>(initial: &str, text: &str) -> bool {
    let mut header = Header::new("test");
    header.failed_cas = FailedCas::Observed;
    let mut events = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (process, rest) = line.split_once(' ').expect("a process");
        let (word, rest) = rest.split_once(' ').expect("a word");
        let ends = match (word, rest.split_once(" -> ")) {
            (_, Some((asked, told))) => vec![("invoke", word, asked), ("ok", word, told)],
            (kind, None) => {
                let (f, value) = rest.split_once(' ').unwrap_or((rest, "null"));
                vec![(kind, f, value)]
            }
        };
        for (kind, f, text) in ends {
            events.push(Event {
                index: events.len() as u64,
                time: 0,
                process: Process::Client(process.parse().expect("a number")),
                kind: match kind {
                    "invoke" => Kind::Invoke,
                    "ok" => Kind::Ok,
                    "fail" => Kind::Fail,
                    "info" => Kind::Info,
                    _ => panic!("{line}"),
                },
                f: f.to_owned(),
                key: None,
                value: value(text),
                error: None,
                node: None,
                fault: None,
            });
        }
    }
    let specification = holds::<S>(initial).expect("it can be held");
    let operations = History::new(header, events).operations();
    let mut timed = Vec::new();
    for operation in operations.expect("a history") {
        let call = specification.call(Asked {
            process: operation.process,
            f: &operation.f,
            argument: &operation.argument,
        });
        let call = call.expect("a call");
        let returned = match &operation.outcome {
            Outcome::Ok(value) => specification.returned(&call, value).expect("an answer"),
            Outcome::Fail => match specification.refused(&call) {
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
    is_linearizable_small(&specification, &timed)
}

/// What is said of calls `f argument` and answers `f argument -> answer` that
/// are refused.
pub(super) fn refusals<S: Recorded>(refused: &[&str], expected: &str) {
    let specification = S::holding(&Value::Null)
        .or_else(|_| holds("2"))
        .expect("it can hold null, or 2");
    let said = |line: &&str| {
        let (asked, told) = match line.split_once(" -> ") {
            Some((asked, told)) => (asked, Some(value(told))),
            None => (*line, None),
        };
        let (f, argument) = asked.split_once(' ').expect("an argument");
        let argument = value(argument);
        let call = specification.call(Asked {
            process: 0,
            f,
            argument: &argument,
        });
        let refused = call.and_then(|call| match &told {
            Some(told) => specification.returned(&call, told).map(|_| ()),
            None => Ok(()),
        });
        let expected = refused.expect_err(line);
        format!("{line}: expected {expected}")
    };
    let said: Vec<String> = refused.iter().map(said).collect();
    let expected: Vec<&str> = expected.trim().lines().map(str::trim).collect();
    assert_eq!(said, expected);
}
