//! What nodes were in doubt about: transactions that they had prepared and not
//! heard the decision of, while what those wrote was locked.
//!
//! Every node is asked again and again, from the load until all are told. A
//! transaction is blocked while a node that runs is in doubt about it, has had
//! the time to ask everybody, and cannot hear from the coordinator, which does
//! not answer us either or is cut off from it. That is what two-phase commit
//! does, and no violation; it is shown with what kept the decision away. Once
//! all faults are healed everything must be decided, and every decision arrive
//! (AC5 of Bernstein, Hadzilacos & Goodman 1987).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tribunal_impls::adapter::{Capability, Transactions};
use tribunal_nemesis::{FaultKind, FaultReport, Shape, node_name, parse_node};

use super::cluster::Stage;
use super::report::{Check, Figures};
use super::trial::Trial;
use crate::units::Human;

/// The checker's name in reports.
pub const NAME: &str = "termination";

/// How long to wait between two looks at a node.
const POLL: Duration = Duration::from_millis(50);

/// A node that gives no answer for so long does not run, or not for us.
const SILENCE: Duration = Duration::from_millis(400);

/// The intervals that the table for people has.
const SHOWN_MAX: usize = 8;

/// Looks at every node until it is dropped.
pub struct Watch {
    seen: Arc<Mutex<Doubts>>,
    blocked_after: Duration,
    _watchers: JoinSet<()>,
}

/// What was found once the faults were healed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Termination {
    /// It was not looked at: the run did not come so far.
    #[default]
    NotAsked,
    /// Everything was decided, and no node in doubt.
    Reached(Duration),
    /// After this time it was not so.
    Missed {
        /// How long was waited.
        waited: Duration,
        /// What nodes were in doubt about, each by its name.
        in_doubt: BTreeMap<String, InDoubt>,
        /// The nodes that coordinate undecided transactions, and how many.
        undecided: BTreeMap<String, u64>,
        /// The nodes that said nothing.
        silent: BTreeSet<String>,
    },
}

/// A transaction that is in doubt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InDoubt {
    /// Who coordinates it.
    pub coordinator: String,
    /// Who is in doubt.
    pub nodes: BTreeSet<String>,
}

/// Some time during which a transaction was in doubt, in nanoseconds since the
/// run began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Interval {
    /// The transaction.
    pub transaction: String,
    /// Who coordinates it.
    pub coordinator: String,
    /// Who was in doubt.
    pub nodes: BTreeSet<String>,
    /// When a node first said so.
    pub from_ns: u64,
    /// When all of them first said nothing of it any more; none if that was
    /// not seen.
    pub until_ns: Option<u64>,
    /// The faults on those nodes and on the coordinator meanwhile.
    pub faults: Vec<String>,
}

impl Watch {
    /// Watches the nodes, if the system says what they are in doubt about.
    pub fn begin(stage: &Arc<Stage>, trial: &Arc<Trial>, blocked_after: Duration) -> Option<Watch> {
        let capabilities = stage.system.capabilities();
        if !capabilities.contains(&Capability::Transactions) {
            return None;
        }
        let seen = Arc::new(Mutex::new(Doubts::default()));
        let mut watchers = JoinSet::new();
        for place in 0..stage.plans.len() {
            let (stage, trial, seen) = (Arc::clone(stage), Arc::clone(trial), Arc::clone(&seen));
            watchers.spawn(async move {
                let plan = &stage.plans[place];
                loop {
                    if let Ok(status) = stage.system.status(plan).await
                        && let Some(transactions) = status.transactions
                    {
                        let told = trial.recorder.started().elapsed();
                        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                        seen.told(plan.node, &transactions, told.as_nanos() as u64);
                    }
                    sleep(POLL).await;
                }
            });
        }
        Some(Watch {
            seen,
            blocked_after,
            _watchers: watchers,
        })
    }

    /// How long a node is in doubt until it has asked everybody.
    pub fn blocked_after(&self) -> Duration {
        self.blocked_after
    }

    /// The transactions that were in doubt for so long that they were blocked,
    /// the longest first.
    pub fn blocked(&self, faults: &[FaultReport]) -> Blocked {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut intervals = seen.intervals(self.blocked_after, faults);
        let length = |it: &Interval| it.until_ns.map_or(u64::MAX, |until| until - it.from_ns);
        intervals.sort_by_key(|it| std::cmp::Reverse(length(it)));
        Blocked {
            after: self.blocked_after,
            intervals,
        }
    }
}

/// Waits until everything is decided and no node in doubt, at most so long. Two
/// looks in a row must show it: the nodes are not asked all at one moment.
pub async fn settle(stage: &Stage, limit: Duration) -> Termination {
    let began = Instant::now();
    let mut clean = 0;
    loop {
        let statuses = stage.statuses().await;
        let mut in_doubt = BTreeMap::<String, InDoubt>::new();
        let mut undecided = BTreeMap::new();
        let mut silent = BTreeSet::new();
        for (plan, status) in stage.plans.iter().zip(&statuses) {
            let node = node_name(plan.node);
            let Some(known) = status.as_ref().and_then(|it| it.transactions.as_ref()) else {
                silent.insert(node);
                continue;
            };
            for (name, coordinator) in &known.in_doubt {
                let doubt = in_doubt.entry(name.clone()).or_default();
                doubt.coordinator = node_name(*coordinator);
                doubt.nodes.insert(node.clone());
            }
            if known.undecided > 0 {
                undecided.insert(node, known.undecided);
            }
        }
        let waited = began.elapsed();
        let is_clean = in_doubt.is_empty() && undecided.is_empty() && silent.is_empty();
        clean = if is_clean { clean + 1 } else { 0 };
        if clean == 2 {
            return Termination::Reached(waited);
        }
        if waited >= limit && !is_clean {
            return Termination::Missed {
                waited,
                in_doubt,
                undecided,
                silent,
            };
        }
        sleep(POLL).await;
    }
}

/// Transactions that were in doubt for long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocked {
    /// For how long.
    after: Duration,
    /// The longest first.
    intervals: Vec<Interval>,
}

/// What became of what was in doubt.
pub fn check(termination: &Termination, blocked: &Blocked) -> Check {
    let about = blocked.about();
    let check = match termination {
        Termination::NotAsked => {
            let reason = "not judged: the run ended early, or left a node or a link as no run may"
                .to_owned();
            Check::unknown(NAME, about, reason)
        }
        Termination::Reached(_) => Check::valid(NAME, about),
        Termination::Missed {
            waited,
            in_doubt,
            undecided,
            silent,
        } => missed(*waited, in_doubt, undecided, silent, about),
    };
    Check {
        figures: Some(blocked.figures(termination)),
        ..check
    }
}

/// What is not decided though whoever can decide it is there is a violation;
/// of what hangs on a node that says nothing, nothing is known.
fn missed(
    waited: Duration,
    in_doubt: &BTreeMap<String, InDoubt>,
    undecided: &BTreeMap<String, u64>,
    silent: &BTreeSet<String>,
    about: String,
) -> Check {
    let answers = |it: &InDoubt| !silent.contains(&it.coordinator);
    let stuck = in_doubt.iter().filter(|(_, doubt)| answers(doubt));
    let mut lines: Vec<String> = stuck
        .map(|(name, InDoubt { coordinator, nodes })| {
            let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
            format!("{name} of {coordinator}, in doubt on {}", nodes.join(", "))
        })
        .collect();
    if silent.is_empty() {
        let open = undecided.iter();
        lines.extend(open.map(|(node, count)| format!("{count} of {node}, which has not decided")));
    }
    if lines.is_empty() {
        let silent: Vec<&str> = silent.iter().map(String::as_str).collect();
        let reason = format!("{} did not say what is undecided", silent.join(", "));
        return Check::unknown(NAME, about, reason);
    }
    let shown = format!(
        "{} after everything was healed these transactions were not over:\n{}",
        Human(waited),
        lines.join("\n")
    );
    let witness = json!({
        "waited_ms": waited.as_millis() as u64,
        "in_doubt": in_doubt,
        "undecided": undecided,
        "silent": silent,
    });
    Check::invalid(NAME, "not every decision arrived", witness, shown)
}

impl Blocked {
    fn about(&self) -> String {
        let longest = self.intervals.first().and_then(|it| {
            let length = it.until_ns?.saturating_sub(it.from_ns);
            Some(Human(Duration::from_nanos(length)))
        });
        match (self.intervals.len(), longest) {
            (0, _) => format!("no transaction was in doubt for {}", Human(self.after)),
            (count, None) => format!("{count} transactions were blocked"),
            (1, Some(longest)) => format!("one transaction was blocked, for {longest}"),
            (count, Some(longest)) => {
                format!("{count} transactions were blocked, the longest for {longest}")
            }
        }
    }

    fn figures(&self, termination: &Termination) -> Figures {
        let settled_ms = match termination {
            Termination::Reached(after) => Some(after.as_millis() as u64),
            _ => None,
        };
        let titles = [
            "transaction",
            "coordinator",
            "in doubt on",
            "from",
            "for",
            "meanwhile",
        ];
        let mut rows = vec![titles.map(str::to_owned).to_vec()];
        rows.extend(self.intervals.iter().take(SHOWN_MAX).map(Interval::row));
        let most = match self.intervals.len() {
            count if count > SHOWN_MAX => format!(", the {SHOWN_MAX} longest of {count}"),
            _ => String::new(),
        };
        Figures {
            data: json!({
                "blocked_after_ms": self.after.as_millis() as u64,
                "settled_after_heal_ms": settled_ms,
                "blocked": self.intervals,
            }),
            title: format!(
                "blocked transactions: in doubt for more than {} and cut off from the coordinator{most}",
                Human(self.after)
            ),
            rows,
        }
    }
}

impl Interval {
    fn row(&self) -> Vec<String> {
        let nodes: Vec<&str> = self.nodes.iter().map(String::as_str).collect();
        let at = |ns: u64| Human(Duration::from_nanos(ns)).to_string();
        let lasted = match self.until_ns {
            Some(until) => at(until - self.from_ns),
            None => "no end was seen".to_owned(),
        };
        vec![
            self.transaction.clone(),
            self.coordinator.clone(),
            nodes.join(" "),
            at(self.from_ns),
            lasted,
            match self.faults.is_empty() {
                true => "–".to_owned(),
                false => self.faults.join(", "),
            },
        ]
    }
}

/// What every node was seen to be in doubt about, and when nodes said nothing.
#[derive(Debug, Default)]
struct Doubts {
    open: BTreeMap<(u8, String), Doubt>,
    over: Vec<(u8, String, Doubt)>,
    /// When each node answered last.
    told: BTreeMap<u8, u64>,
    /// Times, longer than [`SILENCE`], in which a node gave no answer.
    silences: BTreeMap<u8, Vec<(u64, u64)>>,
}

#[derive(Clone, Debug)]
struct Doubt {
    coordinator: u8,
    from_ns: u64,
    /// When the node said so last.
    last_ns: u64,
    until_ns: Option<u64>,
}

impl Doubts {
    /// A node has answered.
    fn told(&mut self, node: u8, said: &Transactions, at_ns: u64) {
        let before = self.told.insert(node, at_ns);
        let silent = before.filter(|before| is_silence(*before, at_ns));
        if let Some(before) = silent {
            self.silences.entry(node).or_default().push((before, at_ns));
        }
        // Whoever did not run meanwhile has not asked meanwhile.
        let is_over = |(of, name): &(u8, String)| {
            *of == node && (silent.is_some() || !said.in_doubt.contains_key(name))
        };
        for ((of, name), mut doubt) in self.open.extract_if(.., |key, _| is_over(key)) {
            doubt.until_ns = Some(if silent.is_some() {
                doubt.last_ns
            } else {
                at_ns
            });
            self.over.push((of, name, doubt));
        }
        for (name, coordinator) in &said.in_doubt {
            let doubt = self.open.entry((node, name.clone()));
            let doubt = doubt.or_insert(Doubt {
                coordinator: *coordinator,
                from_ns: at_ns,
                last_ns: at_ns,
                until_ns: None,
            });
            doubt.last_ns = at_ns;
        }
    }

    /// Those that were blocked for longer than `least`, by transaction.
    fn intervals(&self, least: Duration, faults: &[FaultReport]) -> Vec<Interval> {
        let mut all = BTreeMap::<&str, Interval>::new();
        let open = self.open.iter();
        let open = open.map(|((node, name), doubt)| (*node, name, doubt));
        let over = self.over.iter();
        let over = over.map(|(node, name, doubt)| (*node, name, doubt));
        for (node, name, doubt) in over.chain(open) {
            let until = doubt.until_ns.unwrap_or(doubt.last_ns);
            let lasted = u128::from(until - doubt.from_ns);
            let apart = |fault: &FaultReport| {
                overlaps(fault, doubt.from_ns, until) && parts(fault, node, doubt.coordinator)
            };
            let is_cut_off =
                self.is_silent(doubt.coordinator, doubt.from_ns, until) || faults.iter().any(apart);
            if lasted < least.as_nanos() || !is_cut_off {
                continue;
            }
            let interval = all.entry(name).or_insert_with(|| Interval {
                transaction: name.clone(),
                coordinator: node_name(doubt.coordinator),
                nodes: BTreeSet::new(),
                from_ns: doubt.from_ns,
                until_ns: Some(0),
                faults: Vec::new(),
            });
            interval.nodes.insert(node_name(node));
            interval.from_ns = interval.from_ns.min(doubt.from_ns);
            let ends = interval.until_ns.zip(doubt.until_ns);
            interval.until_ns = ends.map(|(one, other)| one.max(other));
        }
        let mut intervals: Vec<Interval> = all.into_values().collect();
        for interval in &mut intervals {
            let met = faults.iter().filter(|fault| interval.meets(fault));
            interval.faults = met.map(in_words).collect();
        }
        intervals
    }

    /// Whether a node gave no answer during a part of this time.
    fn is_silent(&self, node: u8, from: u64, until: u64) -> bool {
        let past = self.silences.get(&node).into_iter().flatten();
        let last = self.told.get(&node).copied().unwrap_or_default();
        let now = is_silence(last, until).then_some((last, until));
        past.chain(&now)
            .any(|(begin, end)| *begin < until && from < *end)
    }
}

fn is_silence(from: u64, until: u64) -> bool {
    u128::from(until.saturating_sub(from)) > SILENCE.as_nanos()
}

fn overlaps(fault: &FaultReport, from: u64, until: u64) -> bool {
    let times = &fault.times;
    let began = match fault.fault {
        // Until then the node waits for its place to crash.
        FaultKind::CrashAt => times.effective_ns.unwrap_or(u64::MAX),
        _ => times.began_ns,
    };
    fault.effective && began < until && times.healed_ns.is_none_or(|healed| from < healed)
}

/// Whether a partition leaves the two nodes on different sides; a bridge joins
/// two sides that its report does not tell.
fn parts(fault: &FaultReport, one: u8, other: u8) -> bool {
    let is_named = |node: u8| fault.targets.contains(&node_name(node));
    match fault.shape {
        None => false,
        Some(Shape::Bridge) => !is_named(one) && !is_named(other),
        Some(_) => is_named(one) != is_named(other),
    }
}

impl Interval {
    /// Whether a fault was on the coordinator meanwhile, or between it and one
    /// in doubt.
    fn meets(&self, fault: &FaultReport) -> bool {
        let number = |name: &String| parse_node(name).unwrap_or_default();
        let coordinator = number(&self.coordinator);
        let nodes = &mut self.nodes.iter().map(number);
        overlaps(fault, self.from_ns, self.until_ns.unwrap_or(u64::MAX))
            && (fault.shape.is_none() && fault.targets.contains(&self.coordinator)
                || nodes.any(|node| parts(fault, node, coordinator)))
    }
}

fn in_words(fault: &FaultReport) -> String {
    format!("{} {}", fault.fault, fault.targets.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(names: &[&str]) -> Transactions {
        Transactions {
            undecided: 0,
            in_doubt: names.iter().map(|name| ((*name).to_owned(), 3)).collect(),
        }
    }

    const MS: u64 = 1_000_000;

    /// Node, what it is in doubt about, until when it says so every 50 ms.
    fn watched(answers: &[(u8, &[&str], std::ops::Range<u64>)]) -> Doubts {
        let mut doubts = Doubts::default();
        for (node, names, when) in answers {
            for at in when.clone().step_by(50) {
                doubts.told(*node, &said(names), at * MS);
            }
        }
        doubts
    }

    fn intervals(doubts: &Doubts) -> Vec<Interval> {
        doubts.intervals(Duration::from_millis(600), &[])
    }

    #[test]
    fn a_transaction_is_blocked_from_its_first_doubt_to_its_last() {
        let doubts = watched(&[
            (3, &[], 0..101),
            (1, &["a", "b"], 100..150),
            (1, &["a"], 150..900),
            (1, &[], 900..950),
            (2, &["a"], 200..1_000),
            (2, &[], 1_000..1_050),
            (3, &[], 1_000..1_050),
        ]);
        let [interval] = &intervals(&doubts)[..] else {
            panic!("one transaction is blocked")
        };
        assert_eq!(interval.transaction, "a");
        assert_eq!(interval.coordinator, "n3");
        assert_eq!(interval.nodes.len(), 2);
        assert_eq!(interval.from_ns, 100 * MS);
        assert_eq!(interval.until_ns, Some(1_000 * MS));
    }

    #[test]
    fn whoever_hears_from_the_coordinator_is_not_blocked() {
        let doubts = watched(&[
            (3, &[], 0..1_100),
            (1, &["a"], 100..900),
            (1, &[], 900..950),
        ]);
        assert_eq!(intervals(&doubts), []);
    }

    #[test]
    fn a_node_that_does_not_run_is_not_blocked() {
        let doubts = watched(&[
            (3, &[], 0..50),
            (1, &["a"], 100..200),
            (1, &["a"], 1_500..1_600),
            (1, &[], 1_600..1_650),
        ]);
        assert_eq!(intervals(&doubts), []);
    }

    #[test]
    fn what_did_not_end_has_no_end() {
        let doubts = watched(&[(3, &[], 0..50), (1, &["a"], 100..900)]);
        assert_eq!(intervals(&doubts)[0].until_ns, None);
    }

    #[test]
    fn everything_must_be_decided_where_somebody_can() {
        let missed = |doubts: &[&str], undecided: u64, silent: &[&str]| {
            let doubt = InDoubt {
                coordinator: "n3".to_owned(),
                nodes: BTreeSet::from(["n1".to_owned()]),
            };
            let doubts = doubts
                .iter()
                .map(|name| ((*name).to_owned(), doubt.clone()));
            let undecided = [("n2".to_owned(), undecided)];
            Termination::Missed {
                waited: Duration::from_secs(30),
                in_doubt: doubts.collect(),
                undecided: undecided
                    .into_iter()
                    .filter(|(_, count)| *count > 0)
                    .collect(),
                silent: silent.iter().map(|name| (*name).to_owned()).collect(),
            }
        };
        let verdict =
            |termination: &Termination| check(termination, &Blocked::default()).verdict.word();
        assert_eq!(verdict(&Termination::NotAsked), "unknown");
        assert_eq!(verdict(&Termination::Reached(Duration::ZERO)), "valid");
        assert_eq!(verdict(&missed(&[], 0, &["n1"])), "unknown");
        assert_eq!(verdict(&missed(&["a"], 0, &["n3"])), "unknown");
        assert_eq!(verdict(&missed(&["a"], 0, &["n2"])), "invalid");
        assert_eq!(verdict(&missed(&[], 1, &[])), "invalid");
        assert_eq!(verdict(&missed(&[], 1, &["n3"])), "unknown");
    }
}
