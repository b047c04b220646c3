//! The end of a partition: whether its links carry again.
//!
//! A link may be cut by several faults at once. One that another fault still
//! cuts carries nothing, and says nothing about this heal; what this fault's
//! cut has held waits on it, and would be felt later. So such a fault is not
//! healed before the last of those others is, and that was verified as well.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use tribunal_histories::Value;

use super::{Shared, join_all};
use crate::links::{Link, Probe, Settled};
use crate::report::FaultReport;

/// Which faults cut which links now.
pub(super) type Claims = BTreeMap<Link, BTreeSet<u64>>;

/// A fault cuts links, until this is dropped.
pub(super) struct Claim<'a> {
    shared: &'a Shared,
    fault: u64,
    links: &'a [Link],
}

impl<'a> Claim<'a> {
    pub fn new(shared: &'a Shared, fault: u64, links: &'a [Link]) -> Self {
        shared.cuts.send_modify(|cuts| {
            for link in links {
                cuts.entry(*link).or_default().insert(fault);
            }
        });
        Claim {
            shared,
            fault,
            links,
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.shared.cuts.send_modify(|cuts| {
            for link in self.links {
                if let Some(faults) = cuts.get_mut(link) {
                    faults.remove(&self.fault);
                }
            }
            cuts.retain(|_, faults| !faults.is_empty());
        });
    }
}

/// What is left of a cut on one link after its heal.
enum Healed {
    /// It carries; so many bytes wait for the node at its end.
    Carries { node: Probe, waiting: u64 },
    /// Another fault cuts it.
    CutByAnother,
    /// It ought to carry and does not.
    No(String),
}

/// What was found of all links of a cut.
#[derive(Default)]
struct Found {
    carry: u64,
    down: u64,
    waiting: u64,
    /// Those that another fault cut when they were looked at.
    cut: Vec<Link>,
    /// Those that do not carry though they ought to, with the reason.
    broken: Vec<String>,
}

impl Shared {
    /// Whether everything held was let go and every link carries a probe.
    /// Links that other faults cut are waited for.
    pub(super) async fn verify(&self, report: &mut FaultReport, links: &[Link]) -> bool {
        let begin = Instant::now();
        let mut found = Found::default();
        self.look(&mut found, links).await;
        let took_us = begin.elapsed().as_micros();
        report.evidence.say(format!(
            "{} links carry again after {}",
            found.carry,
            milliseconds(took_us)
        ));
        report.evidence.fact("heal_took_us", took_us as i64);
        let others = std::mem::take(&mut found.cut);
        let count = others.len() as i64;
        report.evidence.fact("links_cut_by_others", count);
        if !others.is_empty() {
            self.wait_for_others(report, &mut found, others).await;
            let took_us = begin.elapsed().as_micros();
            report.evidence.say(format!(
                "in all {} carry again after {}",
                found.carry,
                milliseconds(took_us)
            ));
            report
                .evidence
                .fact("heal_took_us_with_others", took_us as i64);
        }
        conclude(report, &found)
    }

    /// Looks at links again whenever no other fault cuts them any more.
    async fn wait_for_others(
        &self,
        report: &mut FaultReport,
        found: &mut Found,
        mut cut: Vec<Link>,
    ) {
        let mut cuts = self.cuts.subscribe();
        while !cut.is_empty() {
            tell_who_cuts(report, &self.cuts.borrow(), &cut);
            self.lock().reports.insert(report.id, report.clone());
            let free = |cuts: &Claims| cut.iter().all(|link| !cuts.contains_key(link));
            let _ = cuts.wait_for(free).await;
            self.look(found, &cut).await;
            cut = std::mem::take(&mut found.cut);
        }
    }

    async fn look(&self, found: &mut Found, links: &[Link]) {
        let verified = join_all(links.iter().map(|link| self.verify_link(*link))).await;
        for (link, result) in links.iter().zip(verified) {
            match result {
                Healed::Carries { node, waiting } => {
                    found.carry += 1;
                    found.down += u64::from(node != Probe::Passed);
                    found.waiting += waiting;
                }
                Healed::CutByAnother => found.cut.push(*link),
                Healed::No(why) => found.broken.push(format!("{link}: {why}")),
            }
        }
    }

    async fn verify_link(&self, link: Link) -> Healed {
        let network = self.cluster.network();
        loop {
            let waiting = match network.settled(link, self.limits.settle).await {
                Settled::Delivered => 0,
                Settled::WaitsForNode { bytes } => bytes,
                Settled::StillCut(_) if self.is_cut_by_any(link) => return Healed::CutByAnother,
                Settled::StillCut(_) if network.cut_of(link).is_none() => continue,
                Settled::StillCut(_) => return Healed::No("it is still cut, by no fault".into()),
                Settled::Late { bytes } => {
                    return Healed::No(format!("{bytes} held bytes were not let go"));
                }
            };
            return match network.probe(link, self.limits.probe).await {
                node if node.carried() => Healed::Carries { node, waiting },
                // Nothing else stops a probe: another fault has cut it meanwhile.
                probe if probe.stopped() && self.is_cut_by_any(link) => Healed::CutByAnother,
                probe => Healed::No(format!("a probe was {probe}")),
            };
        }
    }

    fn is_cut_by_any(&self, link: Link) -> bool {
        self.cuts.borrow().contains_key(&link)
    }
}

/// Says which links are still cut by which faults.
fn tell_who_cuts(report: &mut FaultReport, cuts: &Claims, links: &[Link]) {
    let mut by: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for link in links {
        for fault in cuts.get(link).into_iter().flatten() {
            by.entry(*fault).or_default().push(link.to_string());
        }
    }
    let mut facts = BTreeMap::new();
    for (fault, links) in by {
        let named = links.join(", ");
        report
            .evidence
            .say(format!("fault {fault} (partition) still cuts {named}"));
        let links = links.iter().map(|link| Value::from(&**link)).collect();
        facts.insert(format!("fault {fault}"), Value::List(links));
    }
    if !facts.is_empty() {
        report.evidence.fact("cut_by_others", Value::Map(facts));
    }
}

/// Says what was found of all links; whether that is a heal.
fn conclude(report: &mut FaultReport, found: &Found) -> bool {
    let Found {
        carry,
        down,
        waiting,
        ..
    } = found;
    if *down > 0 {
        report
            .evidence
            .say(format!("{down} lead to a node that takes no connections"));
    }
    if *waiting > 0 {
        report.evidence.say(format!(
            "{waiting} bytes wait for a node that does not read"
        ));
    }
    for (name, value) in [
        ("links_carrying", carry),
        ("links_to_nodes_down", down),
        ("bytes_waiting_for_nodes", waiting),
    ] {
        report.evidence.fact(name, *value as i64);
    }
    for why in &found.broken {
        report.because(why);
    }
    found.broken.is_empty()
}

fn milliseconds(us: u128) -> String {
    format!("{}.{} ms", us / 1000, us / 100 % 10)
}
