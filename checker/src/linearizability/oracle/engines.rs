//! What each engine says of a history, and whether they agree.

use std::fmt::Write;
use std::sync::Arc;

use super::super::depth_first::depth_first;
use super::super::engine::Engine;
use super::super::guard::Guard;
use super::super::judge::Judge;
use super::super::object::{Call, Object};
use super::super::search::{Progress, Supply};
use super::super::sweep::sweep;
use super::super::timeline::Timeline;
use super::super::windows::{self, Window};
use super::super::zones::{self, Zones};
use super::brute_force::brute_force;
use crate::small::is_linearizable_small;
use crate::specification::{Specification, TimedCallOf};

/// Enough for any history that brute force can judge.
const ENOUGH: u64 = 1_000_000;

/// Up to so many calls each stretch is judged, and not a few only.
const FEW: usize = 5;

/// What an engine says of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    /// It found an order, which holds.
    Valid,
    /// It found that there is none.
    Invalid,
    /// It does not know, or never would.
    Nothing,
    /// It found an order that is none.
    Wrong,
}

impl Finding {
    fn verdict(self) -> Option<bool> {
        match self {
            Finding::Valid => Some(true),
            Finding::Invalid => Some(false),
            Finding::Nothing | Finding::Wrong => None,
        }
    }
}

/// A history that all engines are to judge.
struct Case {
    object: Arc<Object>,
    calls: Vec<Call>,
    timeline: Arc<Timeline>,
    /// How many moves each may make.
    moves: u64,
}

impl Case {
    fn new<S: Specification>(specification: &S, calls: &[TimedCallOf<S>], moves: u64) -> Self {
        let (object, calls) = Object::of_calls(specification.clone(), calls);
        let object = Arc::new(object);
        Case {
            timeline: Arc::new(Timeline::unlimited(&object, calls.clone())),
            object,
            calls,
            moves,
        }
    }

    fn found(&self, order: &[u32]) -> Finding {
        match self.object.replays(&self.calls, order) {
            true => Finding::Valid,
            false => Finding::Wrong,
        }
    }

    fn zones(&self) -> Finding {
        match zones::decide(&self.object, &self.calls, &mut Guard::none()) {
            Some(Zones::Refuted(_)) => Finding::Invalid,
            Some(Zones::Order(order)) => self.found(&order),
            None => Finding::Nothing,
        }
    }

    fn depth_first(&self) -> Finding {
        let mut search = depth_first(&self.object, &self.timeline, Supply::Exact, None);
        match search.run(self.moves, &mut Guard::none()) {
            Progress::Explained => self.found(&search.order()),
            Progress::Refuted => Finding::Invalid,
            Progress::Paused => Finding::Nothing,
        }
    }

    fn relaxation(&self) -> Finding {
        if !self.timeline.unknown.others.is_empty() {
            return Finding::Nothing;
        }
        let mut search = depth_first(&self.object, &self.timeline, Supply::Unlimited, None);
        match search.run(self.moves, &mut Guard::none()) {
            Progress::Refuted => Finding::Invalid,
            Progress::Explained | Progress::Paused => Finding::Nothing,
        }
    }

    fn frontier(&self, beam: Option<usize>) -> Finding {
        let Some(mut sweep) = sweep(&self.object, &self.timeline, beam) else {
            return Finding::Nothing;
        };
        match sweep.run(self.moves, &mut Guard::none()) {
            Progress::Explained => self.found(&sweep.orders(1).remove(0)),
            Progress::Refuted if !sweep.is_cut() => Finding::Invalid,
            Progress::Refuted | Progress::Paused => Finding::Nothing,
        }
    }

    fn windows(&self) -> Finding {
        if !windows::qualify(&self.object, &self.timeline) {
            return Finding::Nothing;
        }
        let all = self.timeline.moments.len() as u32;
        let windows: Vec<(u32, u32)> = match self.calls.len() <= FEW {
            true => (1..all).map(|from| (from, all)).collect(),
            false => vec![
                (1, all),
                (all / 4, all / 2),
                (all / 3, all),
                (all / 2, 3 * all / 4),
                (2 * all / 3, all),
            ],
        };
        let is_refuted = |&(from, until): &(u32, u32)| {
            let window = Window { from, until };
            windows::is_refuted(&self.object, &self.timeline, window, self.moves) == Some(true)
        };
        match windows.iter().any(is_refuted) {
            true => Finding::Invalid,
            false => Finding::Nothing,
        }
    }

    /// What a user is told, by all in turns or by one alone.
    fn judge(&self, engine: Option<Engine>) -> Finding {
        const RUNS: u64 = 8;
        let mut judge = Judge::new(&self.object, self.calls.clone(), engine);
        for _ in 0..RUNS {
            match judge.run(self.moves.div_ceil(RUNS), &mut |_| true) {
                Progress::Explained if judge.order().is_some() => return Finding::Valid,
                Progress::Explained => return Finding::Wrong,
                Progress::Refuted => return Finding::Invalid,
                Progress::Paused if judge.is_exhausted() => break,
                Progress::Paused => {}
            }
        }
        Finding::Nothing
    }
}

/// What the engines say that are likely to know soon whether there is an order,
/// and must know if there is nothing to hinder them.
fn deciding<S: Specification>(
    case: &Case,
    specification: &S,
    calls: &[TimedCallOf<S>],
) -> [(&'static str, Finding); 4] {
    let small = || match is_linearizable_small(specification, calls) {
        true => Finding::Valid,
        false => Finding::Invalid,
    };
    [
        ("depth first", case.depth_first()),
        ("frontier", case.frontier(None)),
        ("small", small()),
        ("all in turns", case.judge(None)),
    ]
}

/// What those say that find an order or nothing, or refute or find nothing.
fn one_sided(case: &Case) -> [(&'static str, Finding); 4] {
    [
        ("zones", case.zones()),
        ("beam", case.frontier(Some(1))),
        ("relaxation", case.relaxation()),
        ("windows", case.windows()),
    ]
}

/// What is wrong with what is found, if the history is valid or not as
/// `expected`.
fn contradiction(found: &[(&'static str, Finding)], expected: bool) -> Option<String> {
    let wrong = |&&(_, finding): &&(&str, Finding)| {
        let verdict = finding.verdict();
        finding == Finding::Wrong || verdict.is_some_and(|verdict| verdict != expected)
    };
    let (engine, finding) = found.iter().find(wrong)?;
    Some(format!(
        "{engine} says {finding:?} of what is {}",
        if expected { "valid" } else { "invalid" }
    ))
}

/// Asserts that every engine says what is expected of a history which they can
/// all judge: what brute force says, which this returns.
pub(super) fn assert_judged_right<S: Specification>(
    specification: &S,
    calls: &[TimedCallOf<S>],
) -> bool {
    let valid = brute_force(specification, calls);
    assert_right(calls, |calls| {
        let expected = brute_force(specification, calls);
        let case = Case::new(specification, calls, ENOUGH);
        let deciding = deciding(&case, specification, calls);
        contradiction(&deciding, expected)
            .or_else(|| contradiction(&one_sided(&case), expected))
            .or_else(|| {
                let open = deciding.iter().find(|(_, it)| *it == Finding::Nothing)?;
                Some(format!("{} does not decide", open.0))
            })
    });
    valid
}

/// Asserts that the engines which decide within so many moves agree, also when
/// each is asked for by itself; what they say, if anything.
pub(super) fn agreed<S: Specification>(
    specification: &S,
    calls: &[TimedCallOf<S>],
    moves: u64,
) -> Option<bool> {
    let said = |calls: &[TimedCallOf<S>]| {
        let case = Case::new(specification, calls, moves);
        let mut found = vec![
            ("all in turns", case.judge(None)),
            ("depth first", case.depth_first()),
            ("frontier", case.frontier(None)),
        ];
        found.extend(one_sided(&case));
        let forced = Engine::ALL.map(|engine| (engine.name(), case.judge(Some(engine))));
        found.extend(forced);
        found
    };
    let verdict = |found: &[(&str, Finding)]| found.iter().find_map(|(_, it)| it.verdict());
    assert_right(calls, |calls| {
        let found = said(calls);
        contradiction(&found, verdict(&found).unwrap_or(true))
    });
    verdict(&said(calls))
}

/// Asserts that nothing is wrong; with what is, the calls are left out that it
/// does not need.
fn assert_right<C: Clone + std::fmt::Debug>(calls: &[C], wrong: impl Fn(&[C]) -> Option<String>) {
    let Some(mut what) = wrong(calls) else {
        return;
    };
    let mut calls = calls.to_vec();
    let mut place = 0;
    while place < calls.len() {
        let call = calls.remove(place);
        match wrong(&calls) {
            Some(still) => (what, place) = (still, 0),
            None => {
                calls.insert(place, call);
                place += 1;
            }
        }
    }
    let mut list = String::new();
    for call in calls {
        writeln!(list, "{call:?}").expect("a string takes all");
    }
    panic!("{what}:\n{list}");
}
