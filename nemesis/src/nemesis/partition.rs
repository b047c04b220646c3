//! Partitions: every link between two sides cut, both ways.

use std::time::Instant;

use super::heal::Claim;
use super::{Shared, join_all};
use crate::fault::{Cut, Node, Shape};
use crate::links::{Counters, Link, Probe};
use crate::report::{Edge, Evidence, FaultReport, Outcome};

impl Shared {
    /// Cuts the links between `side` and all other nodes until `heal_at`; or,
    /// where `side` is a bridge, between the halves that it joins.
    pub(super) async fn partition(&self, mut report: FaultReport, side: &[Node], heal_at: Instant) {
        let nodes = self.cluster.nodes();
        let links = match report.shape {
            Some(Shape::Bridge) => beside_bridge(side, &nodes),
            _ => across(side, &nodes),
        };
        if links.is_empty() {
            return self.skip(report, "there is nobody on the other side");
        }
        let how = report.cut.unwrap_or(Cut::Hold);
        report.cut = Some(how);
        report.aim(side);
        self.begin(&mut report);
        let before = self.count(&links);
        let claim = Claim::new(self, report.id, &links);
        let cut = self.cut(&mut report, &links, how);
        let probes = self.probe(&links).await;
        let stopped: Vec<bool> = probes.iter().map(|probe| probe.stopped()).collect();
        self.note_effective(&mut report, stopped.iter().any(|stopped| *stopped));
        self.until(heal_at).await;
        report.times.heal_began_ns = Some(self.now_ns());
        let kept = difference(&before, &self.count(&links));
        self.judge_effect(&mut report, how, &stopped, &kept);
        for link in cut {
            if let Err(error) = self.cluster.network().heal(link, how) {
                report.because(error.to_string());
            }
        }
        drop(claim);
        let healed = self.verify(&mut report, &links).await;
        self.note_healed(&mut report, healed);
        self.announce(&report, Edge::End);
    }

    fn cut(&self, report: &mut FaultReport, links: &[Link], how: Cut) -> Vec<Link> {
        let mut cut = Vec::new();
        for link in links {
            match self.cluster.network().cut(*link, how) {
                Ok(()) => cut.push(*link),
                Err(error) => {
                    report.outcome = Outcome::Indeterminate;
                    report.because(error.to_string());
                }
            }
        }
        cut
    }

    async fn probe(&self, links: &[Link]) -> Vec<Probe> {
        let network = self.cluster.network();
        join_all(
            links
                .iter()
                .map(|link| network.probe(*link, self.limits.probe)),
        )
        .await
    }

    fn count(&self, links: &[Link]) -> Vec<Counters> {
        links
            .iter()
            .map(|link| self.cluster.network().counters(*link))
            .collect()
    }

    /// A link was cut in effect if its probe was stopped, or anything else on
    /// it was; the partition, if all of them were.
    fn judge_effect(
        &self,
        report: &mut FaultReport,
        how: Cut,
        stopped: &[bool],
        kept: &[Counters],
    ) {
        let shown = |(stopped, kept): (&bool, &Counters)| {
            *stopped || kept.streams_held + kept.connections_reset > 0
        };
        let cut = stopped.iter().zip(kept).filter(|pair| shown(*pair)).count();
        let probes = stopped.iter().filter(|stopped| **stopped).count();
        let sum = |of: fn(&Counters) -> u64| kept.iter().map(of).sum::<u64>();
        let (bytes, streams) = (sum(|c| c.bytes_held), sum(|c| c.streams_held));
        let resets = sum(|c| c.connections_reset);
        let Evidence { says, .. } = &mut report.evidence;
        *says = match how {
            Cut::Hold => format!(
                "{probes} of {} probes held, {bytes} bytes held in {streams} streams",
                stopped.len()
            ),
            Cut::Reset => format!(
                "{probes} of {} probes reset, {resets} connections reset",
                stopped.len()
            ),
        };
        for (name, value) in [
            ("links_cut", stopped.len() as u64),
            ("probes_stopped", probes as u64),
            ("bytes_held", bytes),
            ("streams_held", streams),
            ("connections_reset", resets),
        ] {
            report.evidence.fact(name, value as i64);
        }
        if cut < stopped.len() {
            report.because(format!(
                "{} of {} links show no sign of the cut",
                stopped.len() - cut,
                stopped.len()
            ));
        }
        report.effective = cut == stopped.len();
        if report.effective && report.times.effective_ns.is_none() {
            report.times.effective_ns = Some(self.now_ns());
        }
        if !report.effective {
            report.times.effective_ns = None;
        }
    }

    /// Whether every link of the cluster carries a probe.
    pub(super) async fn all_links_carry(&self) -> bool {
        let nodes = self.cluster.nodes();
        let pairs = nodes
            .iter()
            .flat_map(|from| nodes.iter().map(move |to| (*from, *to)));
        let links: Vec<Link> = pairs
            .filter(|(from, to)| from != to)
            .map(|(from, to)| Link { from, to })
            .collect();
        self.probe(&links).await.into_iter().all(Probe::carried)
    }
}

/// The links between a side and the nodes that are not on it, both ways.
fn across(side: &[Node], nodes: &[Node]) -> Vec<Link> {
    let others = nodes.iter().filter(|node| !side.contains(node));
    let pairs = others.flat_map(|other| side.iter().map(move |own| (*own, *other)));
    pairs
        .flat_map(|(a, b)| [Link { from: a, to: b }, Link { from: b, to: a }])
        .collect()
}

/// The links between the halves of the nodes that are no bridge.
fn beside_bridge(bridge: &[Node], nodes: &[Node]) -> Vec<Link> {
    let is_bridge = |node: &Node| bridge.contains(node);
    let others: Vec<Node> = nodes.iter().copied().filter(|n| !is_bridge(n)).collect();
    across(&others[..others.len() / 2], &others)
}

fn difference(before: &[Counters], after: &[Counters]) -> Vec<Counters> {
    let pairs = before.iter().zip(after);
    let less = |(before, after): (&Counters, &Counters)| Counters {
        bytes_forwarded: after.bytes_forwarded - before.bytes_forwarded,
        bytes_held: after.bytes_held - before.bytes_held,
        streams_held: after.streams_held - before.streams_held,
        connections_reset: after.connections_reset - before.connections_reset,
        ..*after
    };
    pairs.map(less).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_keeps_every_link_and_joins_two_halves_that_have_none() {
        let links = beside_bridge(&[2], &[1, 2, 3, 4, 5]);
        assert_eq!(links.len(), 8);
        let across = |link: &Link| {
            let (one, other) = (link.from.min(link.to), link.from.max(link.to));
            [1, 3].contains(&one) && [4, 5].contains(&other)
        };
        assert!(links.iter().all(across), "{links:?}");
        assert_eq!(beside_bridge(&[3], &[1, 2, 3]), across_two());
    }

    fn across_two() -> Vec<Link> {
        vec![Link { from: 1, to: 2 }, Link { from: 2, to: 1 }]
    }
}
