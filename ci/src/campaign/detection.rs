//! Judges what nodes said of whom they suspect, by what the nemesis did.
//!
//! A node that is killed, paused or cut off must be suspected by every node
//! that is not, and in the end nobody may be. What a system promises is how
//! soon ([`tribunal_impls::adapter::System::detects`]), on a machine
//! that is not busy with other work; so it gets more time here, and is judged
//! only by what a node said that was seen to run all the while, during a fault
//! that no other one overlaps. What is suspected for a while without a cause is
//! counted, and no violation: such detectors are right in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tribunal_histories::{Event, History, Kind, Process, Value};
use tribunal_impls::adapter::Detects;
use tribunal_nemesis::{FaultKind, FaultReport, Outcome, Shape, node_name};

use super::conduct::Record;
use super::folder::Folder;
use super::report::{Check, Figures};
use crate::units::Human;

/// The checker's name in reports.
pub const NAME: &str = "detection";

/// What a busy machine gets beside what is promised.
const SLACK: Duration = Duration::from_millis(500);

/// The longest time between two answers of a node that is seen to run.
const ATTENTIVE: Duration = Duration::from_millis(500);

/// How long a failed node may go unsuspected.
pub fn allowed(within: Duration) -> Duration {
    within + SLACK
}

/// How long after everything was healed somebody may still be suspected.
pub fn settles(within: Duration) -> Duration {
    2 * allowed(within)
}

/// What happened beside what nodes said.
struct Facts<'a> {
    nodes: u8,
    faults: &'a [FaultReport],
    /// What the system promises, if it does.
    detects: Option<Detects>,
    /// When everything was healed; none if it was not.
    healed: Option<u64>,
}

/// What a node said, and when it was asked and had answered, in nanoseconds.
#[derive(Clone, Debug)]
struct Said {
    asked: u64,
    told: u64,
    suspects: BTreeSet<u8>,
}

/// What each node said, in the order of the answers.
type Answers = BTreeMap<u8, Vec<Said>>;

/// Judges the history of a run.
pub fn check(record: &Record, folder: &Folder, nodes: u8) -> anyhow::Result<Check> {
    let history = History::open(&folder.history()).context("read back the history")?;
    let whole = record.exits.is_empty() && record.healing.unhealed.is_empty();
    let healed = (whole && !record.interrupted).then_some(record.healing.healed_ns);
    let facts = Facts {
        nodes,
        faults: &record.faults,
        detects: record.trial.system.detects(nodes),
        healed: healed.filter(|at| *at > 0),
    };
    Ok(judge(&facts, &answers(&history.events)))
}

/// What a run's verdict keeps of what its history is held against.
#[derive(Deserialize)]
struct Kept {
    nodes: u8,
    faults: Vec<FaultReport>,
    checks: Vec<KeptCheck>,
}

#[derive(Deserialize)]
struct KeptCheck {
    checker: String,
    figures: Option<KeptFigures>,
}

#[derive(Deserialize)]
struct KeptFigures {
    promise: Option<Promise>,
    healed_ns: Option<u64>,
}

/// What a system promises, as a verdict keeps it.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Promise {
    within_ms: u64,
    pairwise: bool,
}

/// Judges the history of a run again, by what its verdict keeps of the faults.
///
/// # Errors
///
/// If the text is not the verdict of a run of this checker's.
pub fn check_again(history: &History, verdict: &str) -> anyhow::Result<Check> {
    let kept: Kept = serde_json::from_str(verdict).context("read the run's verdict")?;
    let mine = kept.checks.into_iter().find(|check| check.checker == NAME);
    let figures = mine.and_then(|check| check.figures);
    let figures = figures.context("find the figures of `detection` in the run's verdict")?;
    let facts = Facts {
        nodes: kept.nodes,
        faults: &kept.faults,
        detects: figures.promise.map(|promise| Detects {
            within: Duration::from_millis(promise.within_ms),
            pairwise: promise.pairwise,
        }),
        healed: figures.healed_ns,
    };
    Ok(judge(&facts, &answers(&history.events)))
}

fn answers(events: &[Event]) -> Answers {
    let mut asked: BTreeMap<u64, u64> = BTreeMap::new();
    let mut answers = Answers::new();
    for event in events {
        let Process::Client(process) = event.process else {
            continue;
        };
        if event.kind == Kind::Invoke {
            asked.insert(process, event.time);
            continue;
        }
        let (Kind::Ok, Some(asked)) = (event.kind, asked.get(&process)) else {
            continue;
        };
        let node = event.key.as_ref().and_then(number);
        if let (Some(node), Value::List(names)) = (node, &event.value) {
            answers.entry(node).or_default().push(Said {
                asked: *asked,
                told: event.time,
                suspects: names.iter().filter_map(number).collect(),
            });
        }
    }
    answers
}

fn number(name: &Value) -> Option<u8> {
    match name {
        Value::Text(name) => numbered(name),
        _ => None,
    }
}

fn numbered(name: &str) -> Option<u8> {
    name.strip_prefix('n')?.parse().ok()
}

/// Lengths of time, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Spread {
    min: f64,
    median: f64,
    p95: f64,
    max: f64,
}

impl Spread {
    /// By the nearest rank; none of nothing.
    fn of(mut lengths: Vec<u64>) -> Option<Spread> {
        lengths.sort_unstable();
        let last = lengths.len().checked_sub(1)?;
        let rank = |percent: usize| (lengths.len() * percent).div_ceil(100).max(1) - 1;
        let at = |place: usize| lengths[place.min(last)] as f64 / 1e6;
        Some(Spread {
            min: at(0),
            median: at(rank(50)),
            p95: at(rank(95)),
            max: at(last),
        })
    }

    fn shown(spread: Option<Spread>) -> String {
        spread.map_or("–".to_owned(), |spread| {
            let Spread {
                min,
                median,
                p95,
                max,
            } = spread;
            format!("{min:.0} / {median:.0} / {p95:.0} / {max:.0}")
        })
    }
}

/// What was seen of faults of one kind.
#[derive(Default)]
struct Seen {
    faults: u64,
    /// Those that nobody who should have suspected while they lasted.
    unnoticed: u64,
    /// Until the first node, and the last, suspected who had failed.
    first: Vec<u64>,
    last: Vec<u64>,
    /// Nodes of which it was judged whether they suspected another in time.
    judged: u64,
    /// Those that could not be asked.
    unasked: u64,
    /// How long nodes were suspected without a cause while it was open.
    wrong: Vec<u64>,
}

/// While no fault is open.
const NO_FAULT: &str = "no fault";

/// Somebody who should have suspected another, or should no more.
struct Broken {
    property: &'static str,
    shown: String,
    witness: serde_json::Value,
}

fn judge(facts: &Facts<'_>, answers: &Answers) -> Check {
    let mut seen: BTreeMap<&'static str, Seen> = BTreeMap::new();
    let mut broken = None;
    let in_effect = facts.faults.iter().filter(|fault| fault.effective);
    for fault in in_effect {
        let mine = seen.entry(fault.fault.name()).or_default();
        let found = facts.watch(fault, answers, mine);
        broken = broken.or(found);
    }
    for (kind, length) in facts.wrong(answers) {
        seen.entry(kind).or_default().wrong.push(length);
    }
    broken = broken.or_else(|| facts.unsettled(answers));
    let about = facts.about(&seen, answers);
    let check = match broken {
        Some(Broken {
            property,
            shown,
            witness,
        }) => {
            let witness = json!({ "property": property, "evidence": witness });
            Check::invalid(NAME, about, witness, format!("{property}: {shown}"))
        }
        None => match facts.missing(&seen, answers) {
            Some(why) => Check::unknown(NAME, about, why),
            None => Check::valid(NAME, about),
        },
    };
    Check {
        figures: Some(figures(facts, &seen)),
        ..check
    }
}

impl Facts<'_> {
    fn allowed(&self) -> u64 {
        self.detects
            .map_or(0, |detects| nanos(allowed(detects.within)))
    }

    /// Who should suspect whom.
    fn pairs(&self, fault: &FaultReport) -> Vec<(u8, u8)> {
        let all = || 1..=self.nodes;
        let hit = targets(fault);
        let pairs = all().flat_map(|one| all().map(move |other| (one, other)));
        let should = |(one, other): &(u8, u8)| match fault.fault {
            FaultKind::Kill | FaultKind::Pause => !hit.contains(one) && hit.contains(other),
            FaultKind::Partition => {
                fault.shape != Some(Shape::Bridge) && hit.contains(one) != hit.contains(other)
            }
            _ => false,
        };
        pairs.filter(should).collect()
    }

    /// How soon nodes suspect those whom a fault hits; who does not in time.
    fn watch(&self, fault: &FaultReport, answers: &Answers, seen: &mut Seen) -> Option<Broken> {
        let began = fault.times.began_ns;
        let heals = fault.times.heal_began_ns.or(fault.times.healed_ns)?;
        let by = fault.times.effective_ns? + self.allowed();
        seen.faults += 1;
        let mut noticed = Vec::new();
        let mut broken = None;
        for (node, other) in self.pairs(fault) {
            let said = answers.get(&node).map_or(&[][..], Vec::as_slice);
            let suspects = |said: &&Said| said.suspects.contains(&other);
            let during = || {
                said.iter()
                    .filter(|said| (began..=heals).contains(&said.told))
            };
            let before = said.iter().rfind(|said| said.told < began);
            // Who was suspected already tells nothing of how soon.
            if before.is_none_or(|said| !suspects(&said)) {
                noticed.push(during().find(suspects).map(|first| first.told - began));
            }
            if by > heals || !self.is_judged(fault, (node, other), heals) {
                continue;
            }
            let seen_to_run =
                |last: &&Said| last.asked >= by && is_attentive(said, began, last.told);
            match during().any(|said| seen_to_run(&said)) {
                true => seen.judged += 1,
                false => seen.unasked += 1,
            }
            let mut late = during().filter(seen_to_run);
            if let Some(missed) = late.find(|said| !suspects(said)) {
                broken = broken.or(Some(self.missed(fault, (node, other), missed)));
            }
        }
        seen.unnoticed += u64::from(!noticed.is_empty() && noticed.iter().all(Option::is_none));
        seen.first.extend(noticed.iter().flatten().min());
        let all: Option<Vec<u64>> = noticed.into_iter().collect();
        seen.last.extend(all.and_then(|all| all.into_iter().max()));
        broken
    }

    /// Whether something is promised, and no other fault that was felt since
    /// shortly before this one began may be a reason to break it.
    fn is_judged(&self, fault: &FaultReport, (node, other): (u8, u8), until: u64) -> bool {
        let Some(detects) = self.detects else {
            return false;
        };
        let matters = |it: &&FaultReport| {
            let (from, to) = felt(it);
            it.id != fault.id
                && it.outcome != Outcome::Skipped
                && from <= until
                && to.saturating_add(self.allowed()) >= fault.times.began_ns
                && (!detects.pairwise || touches(it, node, other))
        };
        !self.faults.iter().any(|it| matters(&it))
    }

    fn missed(&self, fault: &FaultReport, (node, other): (u8, u8), said: &Said) -> Broken {
        let (node, other) = (node_name(node), node_name(other));
        let after = said.asked - fault.times.effective_ns.unwrap_or(fault.times.began_ns);
        let allowed = Human(Duration::from_nanos(self.allowed()));
        Broken {
            property: "Strong Completeness",
            shown: format!(
                "{node}, asked {} after fault {} ({} {}) took effect, did not suspect {other}; it had {allowed}",
                Human(Duration::from_nanos(after)),
                fault.id,
                fault.fault,
                fault.targets.join(" "),
            ),
            witness: json!({
                "fault": fault.id,
                "node": node,
                "unsuspected": other,
                "asked_ns": said.asked,
                "effective_ns": fault.times.effective_ns,
                "allowed_ns": self.allowed(),
            }),
        }
    }

    /// How long nodes were suspected that were up and within reach, and under
    /// which kind of fault that began.
    fn wrong(&self, answers: &Answers) -> Vec<(&'static str, u64)> {
        let first = answers.values().filter_map(|said| said.first());
        let began = first.map(|said| said.told).min().unwrap_or_default();
        let mut wrong = Vec::new();
        for (node, said) in answers {
            for other in (1..=self.nodes).filter(|other| other != node) {
                let mut since = None;
                for said in said {
                    let excused = said.told < began + self.allowed()
                        || self.is_excused(*node, other, said.told);
                    match (said.suspects.contains(&other) && !excused, since) {
                        (true, None) => since = Some(said.told),
                        (false, Some(from)) => {
                            wrong.push((self.open_at(from), said.told - from));
                            since = None;
                        }
                        _ => {}
                    }
                }
                if let (Some(from), Some(last)) = (since, said.last()) {
                    wrong.push((self.open_at(from), last.told - from));
                }
            }
        }
        wrong
    }

    /// Whether a fault, or the time after one, is a reason to suspect.
    fn is_excused(&self, node: u8, other: u8, at: u64) -> bool {
        self.faults.iter().any(|fault| {
            let (from, to) = felt(fault);
            (from..=to.saturating_add(self.allowed())).contains(&at) && touches(fault, node, other)
        })
    }

    /// The kind of a fault that is open, the latest if there are several.
    fn open_at(&self, at: u64) -> &'static str {
        let open = self.faults.iter().filter(|fault| {
            let (from, to) = felt(fault);
            (from..=to).contains(&at)
        });
        let latest = open.max_by_key(|fault| fault.times.began_ns);
        latest.map_or(NO_FAULT, |fault| fault.fault.name())
    }

    /// Somebody who was suspected all the time since half of what nodes get to
    /// settle had passed after everything was healed.
    fn unsettled(&self, answers: &Answers) -> Option<Broken> {
        let (healed, detects) = (self.healed?, self.detects?);
        let by = healed + nanos(settles(detects.within));
        let half = healed + nanos(settles(detects.within)) / 2;
        for (node, said) in answers {
            let after: Vec<&Said> = said.iter().filter(|said| said.asked >= half).collect();
            let last = after.last().filter(|last| last.asked >= by);
            let Some(last) = last else { continue };
            let suspected = |other: &u8| after.iter().all(|said| said.suspects.contains(other));
            if let Some(other) = last.suspects.iter().find(|other| suspected(other)) {
                let (node, other) = (node_name(*node), node_name(*other));
                let time = Human(Duration::from_nanos(last.asked - healed));
                let count = after.len();
                return Some(Broken {
                    property: "Eventual Strong Accuracy",
                    shown: format!(
                        "{node} still suspects {other} {time} after everything was healed, as in its last {count} answers"
                    ),
                    witness: json!({
                        "node": node,
                        "suspected": other,
                        "healed_ns": healed,
                        "asked_ns": last.asked,
                        "answers": count,
                    }),
                });
            }
        }
        None
    }

    fn about(&self, seen: &BTreeMap<&'static str, Seen>, answers: &Answers) -> String {
        let count: usize = answers.values().map(Vec::len).sum();
        let judged: u64 = seen.values().map(|seen| seen.judged).sum();
        let wrong: usize = seen.values().map(|seen| seen.wrong.len()).sum();
        format!(
            "{count} answers of {} nodes, {judged} times whether one suspected another in time, {wrong} false suspicions",
            answers.len()
        )
    }

    /// What there is no evidence of.
    fn missing(&self, seen: &BTreeMap<&'static str, Seen>, answers: &Answers) -> Option<String> {
        let silent = (1..=self.nodes).find(|node| !answers.contains_key(node));
        if let Some(node) = silent {
            return Some(format!("{} could not be asked", node_name(node)));
        }
        let judged = seen.values().any(|seen| seen.judged > 0);
        let mut in_effect = self.faults.iter().filter(|fault| fault.effective);
        let noticeable = in_effect.any(|fault| !self.pairs(fault).is_empty());
        if self.detects.is_none() || judged || !noticeable {
            return None;
        }
        let unasked: u64 = seen.values().map(|seen| seen.unasked).sum();
        Some(match unasked {
            0 => format!(
                "no fault lasted, without another beside it, for the {} in which it had to be \
                 noticed; try a longer --time, --fault-lasts, or fewer --faults",
                Human(Duration::from_nanos(self.allowed()))
            ),
            _ => "no node could be asked, and seen to run, at the time by which it had to notice \
                  a fault"
                .to_owned(),
        })
    }
}

/// Whether a node answered all the while.
fn is_attentive(said: &[Said], from: u64, to: u64) -> bool {
    let answered = said.iter().map(|said| said.told);
    let mut latest = from;
    for told in answered
        .filter(|told| (from..=to).contains(told))
        .chain([to])
    {
        if told - latest > nanos(ATTENTIVE) {
            return false;
        }
        latest = told;
    }
    true
}

/// Whether a fault hits one of two nodes, or cuts them off from each other.
fn touches(fault: &FaultReport, node: u8, other: u8) -> bool {
    let hit = targets(fault);
    match fault.fault {
        FaultKind::Partition => {
            fault.shape == Some(Shape::Bridge) || hit.contains(&node) != hit.contains(&other)
        }
        _ => hit.contains(&node) || hit.contains(&other),
    }
}

/// From when to when anything of a fault could be felt.
fn felt(fault: &FaultReport) -> (u64, u64) {
    let skipped = fault.outcome == Outcome::Skipped;
    let to = match skipped {
        true => fault.times.began_ns,
        false => fault.times.healed_ns.unwrap_or(u64::MAX),
    };
    (fault.times.began_ns, to)
}

fn targets(fault: &FaultReport) -> BTreeSet<u8> {
    fault
        .targets
        .iter()
        .filter_map(|name| numbered(name))
        .collect()
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The figures, as data and for people.
fn figures(facts: &Facts<'_>, seen: &BTreeMap<&'static str, Seen>) -> Figures {
    let promise = facts.detects.map(|detects| Promise {
        within_ms: detects.within.as_millis() as u64,
        pairwise: detects.pairwise,
    });
    let allowed = facts
        .detects
        .map(|detects| allowed(detects.within).as_millis() as u64);
    let mut kinds = Vec::new();
    let mut rows = vec![
        [
            "fault",
            "count",
            "unnoticed",
            "noticed first, ms",
            "by all, ms",
            "judged",
            "false",
            "lasting, ms",
        ]
        .map(str::to_owned),
    ];
    for (kind, seen) in seen {
        let first = Spread::of(seen.first.clone());
        let last = Spread::of(seen.last.clone());
        let wrong = Spread::of(seen.wrong.clone());
        kinds.push(json!({
            "fault": kind,
            "count": seen.faults,
            "unnoticed": seen.unnoticed,
            "first_ms": first,
            "last_ms": last,
            "judged": seen.judged,
            "unasked": seen.unasked,
            "false_suspicions": { "count": seen.wrong.len(), "lasting_ms": wrong },
        }));
        rows.push([
            (*kind).to_owned(),
            seen.faults.to_string(),
            seen.unnoticed.to_string(),
            Spread::shown(first),
            Spread::shown(last),
            seen.judged.to_string(),
            seen.wrong.len().to_string(),
            Spread::shown(wrong),
        ]);
    }
    Figures {
        data: json!({
            "promise": promise,
            "allowed_ms": allowed,
            "healed_ns": facts.healed,
            "by_fault": kinds,
        }),
        title: "suspicion, as min / median / 95 % / max".to_owned(),
        rows: rows.into_iter().map(Vec::from).collect(),
    }
}

#[cfg(test)]
mod tests;
