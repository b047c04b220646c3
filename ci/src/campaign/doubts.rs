//! What nodes were in doubt about: transactions that they had prepared and not
//! heard the decision of, while what those wrote was locked.
//!
//! Every node is asked again and again, from the load until all are told. A
//! transaction that is in doubt for long is blocked: its participants have
//! asked everybody they can reach, and nobody knows. That is what two-phase
//! commit does where its coordinator is gone, and no violation; it is shown
//! with what kept the decision away. Once all faults are healed every decision
//! must arrive (AC5 of Bernstein, Hadzilacos & Goodman 1987).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tribunal_impls::adapter::{Capability, Transactions};
use tribunal_nemesis::{FaultReport, node_name};

use super::cluster::Stage;
use super::report::{Check, Figures};
use super::trial::Trial;
use crate::units::Human;

/// The checker's name in reports.
pub const NAME: &str = "termination";

/// How long to wait between two looks at a node.
const POLL: Duration = Duration::from_millis(50);

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
    /// It was not looked at: the system has no transactions, or the run did
    /// not come so far.
    #[default]
    NotAsked,
    /// After this time no node was in doubt.
    Reached(Duration),
    /// After this time some nodes were, about these transactions; others said
    /// nothing.
    Missed {
        /// How long was waited.
        waited: Duration,
        /// What nodes were in doubt about, each by its name.
        in_doubt: BTreeMap<String, BTreeSet<String>>,
        /// How many nodes said nothing.
        silent: usize,
    },
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

/// Waits until no node is in doubt, at most so long.
pub async fn settle(stage: &Stage, limit: Duration) -> Termination {
    let began = Instant::now();
    loop {
        let statuses = stage.statuses().await;
        let mut in_doubt = BTreeMap::<String, BTreeSet<String>>::new();
        for (plan, status) in stage.plans.iter().zip(&statuses) {
            let known = status.iter().flat_map(|status| &status.transactions);
            for name in known.flat_map(|transactions| transactions.in_doubt.keys()) {
                let nodes = in_doubt.entry(name.clone()).or_default();
                nodes.insert(node_name(plan.node));
            }
        }
        let silent = statuses.iter().filter(|status| status.is_none()).count();
        let waited = began.elapsed();
        if in_doubt.is_empty() && silent == 0 {
            return Termination::Reached(waited);
        }
        if waited >= limit {
            return Termination::Missed {
                waited,
                in_doubt,
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

/// What became of what was in doubt. None where nobody looked.
pub fn check(termination: &Termination, blocked: &Blocked) -> Option<Check> {
    let about = blocked.about();
    let check = match termination {
        Termination::NotAsked => return None,
        Termination::Reached(_) => Check::valid(NAME, about),
        Termination::Missed {
            in_doubt, silent, ..
        } if in_doubt.is_empty() => {
            let reason = format!("{silent} nodes did not say what they are in doubt about");
            Check::unknown(NAME, about, reason)
        }
        Termination::Missed {
            waited, in_doubt, ..
        } => {
            let doubts = in_doubt.iter().map(|(name, nodes)| {
                let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
                format!("{name} on {}", nodes.join(", "))
            });
            let shown = format!(
                "{} after everything was healed these transactions were still in doubt:\n{}",
                Human(*waited),
                doubts.collect::<Vec<_>>().join("\n")
            );
            let witness = json!({ "waited_ms": waited.as_millis() as u64, "in_doubt": in_doubt });
            Check::invalid(NAME, "not every decision arrived", witness, shown)
        }
    };
    Some(Check {
        figures: blocked.figures(termination),
        ..check
    })
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

    fn figures(&self, termination: &Termination) -> Option<Figures> {
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
        let title = match self.intervals.len() {
            // Nothing to show for people.
            0 => String::new(),
            count if count > SHOWN_MAX => format!(
                "blocked transactions: in doubt for more than {}, the {SHOWN_MAX} longest of {count}",
                Human(self.after)
            ),
            _ => format!(
                "blocked transactions: in doubt for more than {}",
                Human(self.after)
            ),
        };
        Some(Figures {
            data: json!({
                "blocked_after_ms": self.after.as_millis() as u64,
                "settled_after_heal_ms": settled_ms,
                "blocked": self.intervals,
            }),
            title,
            rows,
        })
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

/// What every node was seen to be in doubt about.
#[derive(Debug, Default)]
struct Doubts {
    open: BTreeMap<(u8, String), Doubt>,
    over: Vec<(u8, String, Doubt)>,
}

#[derive(Clone, Debug)]
struct Doubt {
    coordinator: u8,
    from_ns: u64,
    until_ns: Option<u64>,
}

impl Doubts {
    /// A node has answered.
    fn told(&mut self, node: u8, said: &Transactions, at_ns: u64) {
        for (name, coordinator) in &said.in_doubt {
            let doubt = self.open.entry((node, name.clone()));
            doubt.or_insert(Doubt {
                coordinator: *coordinator,
                from_ns: at_ns,
                until_ns: None,
            });
        }
        let is_over = |(of, name): &(u8, String)| *of == node && !said.in_doubt.contains_key(name);
        for ((of, name), mut doubt) in self.open.extract_if(.., |key, _| is_over(key)) {
            doubt.until_ns = Some(at_ns);
            self.over.push((of, name, doubt));
        }
    }

    /// Those that lasted longer than `least`, by transaction.
    fn intervals(&self, least: Duration, faults: &[FaultReport]) -> Vec<Interval> {
        let mut all = BTreeMap::<&str, Interval>::new();
        let open = self.open.iter();
        let open = open.map(|((node, name), doubt)| (*node, name, doubt));
        let over = self.over.iter();
        let over = over.map(|(node, name, doubt)| (*node, name, doubt));
        for (node, name, doubt) in over.chain(open) {
            let lasted = doubt.until_ns.map(|until| until - doubt.from_ns);
            if lasted.is_some_and(|lasted| u128::from(lasted) < least.as_nanos()) {
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
}

impl Interval {
    /// Whether a fault kept one of its nodes from hearing the decision
    /// meanwhile.
    fn meets(&self, fault: &FaultReport) -> bool {
        let times = &fault.times;
        let overlaps = fault.effective
            && self.until_ns.is_none_or(|until| times.began_ns < until)
            && times.healed_ns.is_none_or(|healed| self.from_ns < healed);
        let concerns = |name: &String| *name == self.coordinator || self.nodes.contains(name);
        overlaps && (fault.shape.is_some() || fault.targets.iter().any(concerns))
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

    fn watched(answers: &[(u8, &[&str], u64)]) -> Doubts {
        let mut doubts = Doubts::default();
        for (node, names, at) in answers {
            doubts.told(*node, &said(names), at * MS);
        }
        doubts
    }

    #[test]
    fn a_transaction_is_blocked_from_its_first_doubt_to_its_last() {
        let doubts = watched(&[
            (1, &["a", "b"], 100),
            (2, &["a"], 120),
            (1, &["a"], 150),
            (1, &[], 900),
            (2, &["a"], 950),
            (2, &[], 1_000),
        ]);
        let intervals = doubts.intervals(Duration::from_millis(600), &[]);
        assert_eq!(intervals.len(), 1);
        let Interval {
            transaction,
            coordinator,
            nodes,
            from_ns,
            until_ns,
            ..
        } = &intervals[0];
        assert_eq!((transaction.as_str(), coordinator.as_str()), ("a", "n3"));
        assert_eq!(nodes.len(), 2);
        assert_eq!((*from_ns, *until_ns), (100 * MS, Some(1_000 * MS)));
    }

    #[test]
    fn what_did_not_end_is_shown_whatever_its_length() {
        let doubts = watched(&[(1, &["a"], 100), (2, &[], 150)]);
        let intervals = doubts.intervals(Duration::from_secs(1), &[]);
        assert_eq!(intervals[0].until_ns, None);
    }

    #[test]
    fn every_decision_must_have_arrived() {
        let missed = |names: &[&str], silent| Termination::Missed {
            waited: Duration::from_secs(30),
            in_doubt: names
                .iter()
                .map(|name| ((*name).to_owned(), BTreeSet::from(["n1".to_owned()])))
                .collect(),
            silent,
        };
        let verdict = |termination: &Termination| {
            let check = check(termination, &Blocked::default());
            check.map(|check| check.verdict.word())
        };
        assert_eq!(verdict(&Termination::NotAsked), None);
        assert_eq!(
            verdict(&Termination::Reached(Duration::ZERO)),
            Some("valid")
        );
        assert_eq!(verdict(&missed(&[], 1)), Some("unknown"));
        assert_eq!(verdict(&missed(&["a"], 1)), Some("invalid"));
    }
}
