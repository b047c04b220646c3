//! Faults that ask the cluster for something: membership, transfer, compact.
//!
//! What is asked may be refused, lost, or take effect although nobody says
//! so; it is asked again until the fault's time is over, and the nodes' own
//! standings decide whether it took effect. Only the standing of the leader of
//! the highest epoch counts, and of that only what it knows to be committed.
//!
//! A removal that was never answered may take effect after its heal. So every
//! node that was to be removed is looked at once more when all is healed.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::{Duration, Instant};

use super::{Shared, join_all, within};
use crate::cluster::{Administration, Leader, Members, Standing};
use crate::fault::{FaultKind, Node, node_name};
use crate::process::ProcessState;
use crate::report::{Edge, FaultReport, Outcome};

/// How long to wait between two looks at the cluster.
const LOOK: Duration = Duration::from_millis(20);

/// Until when something is tried.
#[derive(Clone, Copy)]
enum Patience {
    /// Until then, or until all is to be healed.
    Install(Instant),
    /// Until then.
    Heal(Instant),
}

/// What became of the log of one node.
struct Compacted {
    before: u64,
    after: u64,
}

impl Shared {
    /// Asks the cluster for what the fault is about.
    pub(super) async fn administer(&self, report: FaultReport, nodes: &[Node], heal_at: Instant) {
        let Some(cluster) = self.cluster.administration() else {
            return self.skip(report, "the cluster cannot be asked for anything");
        };
        let Some(first) = nodes.first().copied() else {
            return self.skip(report, "it is about no node");
        };
        match report.fault {
            FaultKind::Membership => self.membership(cluster, report, first, heal_at).await,
            FaultKind::Transfer => self.transfer(cluster, report, first, heal_at).await,
            _ => self.compact(cluster, report, nodes, heal_at).await,
        }
    }

    async fn membership(
        &self,
        cluster: &dyn Administration,
        mut report: FaultReport,
        node: Node,
        heal_at: Instant,
    ) {
        let patience = Patience::Install(heal_at);
        let may = self.eventually(patience, || self.may_remove(cluster, node));
        if let Err(why) = may.await {
            return self.skip(report, why);
        }
        report.aim(&[node]);
        self.begin(&mut report);
        self.lock().expelled.insert(node);
        let gone = self.eventually(patience, || self.remove(cluster, node));
        let gone = gone.await;
        match &gone {
            Ok((leader, members)) => {
                let (name, left) = (node_name(node), members.voters.len());
                let Leader { node, epoch } = *leader;
                let leader = node_name(node);
                report.evidence.say(format!(
                    "{name} is no member of what {leader} (epoch {epoch}) has committed; {left} voters left"
                ));
                for (fact, value) in [("epoch", epoch as i64), ("voters_left", left as i64)] {
                    report.evidence.fact(fact, value);
                }
                report.evidence.fact("said_by", &*leader);
            }
            Err(why) => not_seen(&mut report, why),
        }
        self.note_effective(&mut report, gone.is_ok());
        self.until(heal_at).await;
        report.times.heal_began_ns = Some(self.now_ns());
        let began = Instant::now();
        let back = self.rejoin(cluster, node).await;
        match &back {
            Ok(()) => {
                let ms = began.elapsed().as_millis();
                let name = node_name(node);
                report
                    .evidence
                    .say(format!("{name} is a voter again after {ms} ms"));
                report.evidence.fact("rejoined_after_ms", ms as i64);
            }
            Err(why) => report.because(format!("{} did not rejoin: {why}", node_name(node))),
        }
        self.note_healed(&mut report, back.is_ok());
        self.announce(&report, Edge::End);
    }

    /// Whether those who would stay can do without the node.
    async fn may_remove(&self, cluster: &dyn Administration, node: Node) -> Result<(), String> {
        let (_, members) = self.members(cluster).await?;
        let name = node_name(node);
        if !members.voters.contains(&node) {
            return Err(format!("{name} is no voter"));
        }
        let stay = members.voters.iter().filter(|voter| **voter != node);
        let fit = stay.clone().filter(|voter| self.is_fit(**voter)).count();
        let stay = stay.count();
        match stay >= 2 && 2 * fit > stay {
            true => Ok(()),
            false => Err(format!(
                "without {name}, {fit} of {stay} voters would be up"
            )),
        }
    }

    /// Whether a node runs and no fault is about to keep it from that.
    fn is_fit(&self, node: Node) -> bool {
        let state = self.lock();
        let untouched = !state.claims.contains_key(&node) && !state.killed.contains(&node);
        untouched && self.runs(node)
    }

    /// Whether a node runs now: fit, or on its way to a place to crash.
    fn is_up(&self, node: Node) -> bool {
        let claim = self.lock().claims.get(&node).map(|(_, fault)| *fault);
        match claim {
            Some(FaultKind::CrashAt) => self.runs(node),
            _ => self.is_fit(node),
        }
    }

    fn runs(&self, node: Node) -> bool {
        let state = self.cluster.processes().state(node);
        matches!(state, ProcessState::Running { .. })
    }

    async fn remove(
        &self,
        cluster: &dyn Administration,
        node: Node,
    ) -> Result<(Leader, Members), String> {
        let (leader, members) = self.members(cluster).await?;
        if members.voters.contains(&node) || members.learners.contains(&node) {
            self.answer(cluster.remove(leader.node, node)).await?;
            return Err("it is a member still".to_owned());
        }
        Ok((leader, members))
    }

    /// Makes a node a voter again, and waits until that is committed.
    async fn rejoin(&self, cluster: &dyn Administration, node: Node) -> Result<(), String> {
        let limit = Instant::now() + self.limits.rejoin;
        let attempt = || async move {
            let (leader, members) = self.members(cluster).await?;
            if members.voters.contains(&node) && !members.is_changing {
                return Ok(());
            }
            self.answer(cluster.add(leader.node, node)).await?;
            Err("it is no voter yet".to_owned())
        };
        self.eventually(Patience::Heal(limit), attempt).await
    }

    /// Makes sure that no node is left out; gives those that are.
    pub(super) async fn sweep_members(&self) -> Vec<(Node, String)> {
        let expelled = self.lock().expelled.clone();
        let Some(cluster) = self.cluster.administration() else {
            return Vec::new();
        };
        let rejoining = expelled.into_iter().map(|node| async move {
            let left = self.rejoin(cluster, node).await.err()?;
            Some((node, format!("it is not a voter again: {left}")))
        });
        join_all(rejoining).await.into_iter().flatten().collect()
    }

    async fn transfer(
        &self,
        cluster: &dyn Administration,
        mut report: FaultReport,
        wanted: Node,
        heal_at: Instant,
    ) {
        let patience = Patience::Install(heal_at);
        let chosen = self.eventually(patience, || self.successor(cluster, wanted));
        let (from, to) = match chosen.await {
            Ok(chosen) => chosen,
            Err(why) => return self.skip(report, why),
        };
        report.aim(&[to]);
        self.begin(&mut report);
        let began = Instant::now();
        let led = self.eventually(patience, || self.hand_over(cluster, from.epoch, to));
        let led = led.await;
        match &led {
            Ok(epoch) => {
                let ms = began.elapsed().as_millis();
                report.evidence.say(format!(
                    "{} led epoch {}; {} leads epoch {epoch} after {ms} ms",
                    node_name(from.node),
                    from.epoch,
                    node_name(to)
                ));
                report.evidence.fact("from", &*node_name(from.node));
                report.evidence.fact("epoch_before", from.epoch as i64);
                report.evidence.fact("epoch", *epoch as i64);
                report.evidence.fact("took_ms", ms as i64);
            }
            Err(why) => not_seen(&mut report, why),
        }
        self.conclude_at_once(report, led.is_ok());
    }

    /// Who leads, and who is to: the wanted node, or the next one that does
    /// not lead and can.
    async fn successor(
        &self,
        cluster: &dyn Administration,
        wanted: Node,
    ) -> Result<(Leader, Node), String> {
        let (leader, standing) = self.leading(cluster).await?;
        let nodes = self.cluster.nodes();
        let (before, from): (Vec<Node>, Vec<Node>) =
            nodes.into_iter().partition(|node| *node < wanted);
        let is_voter = |node: &Node| {
            let members = standing.members.as_ref();
            members.is_none_or(|members| members.voters.contains(node))
        };
        let mut candidates = from.into_iter().chain(before);
        let next =
            candidates.find(|node| *node != leader.node && is_voter(node) && self.is_up(*node));
        let next = next.ok_or("no other voter is up")?;
        Ok((leader, next))
    }

    /// Asks the leader to make way, unless the other node leads a later epoch
    /// already; gives that epoch.
    async fn hand_over(
        &self,
        cluster: &dyn Administration,
        epoch_before: u64,
        to: Node,
    ) -> Result<u64, String> {
        let (leader, _) = self.leading(cluster).await?;
        if leader.node == to && leader.epoch > epoch_before {
            return Ok(leader.epoch);
        }
        let answer = self.answer(cluster.transfer(leader.node, to)).await;
        // A leader that made way cannot say that it worked out.
        let (leader, _) = self.leading(cluster).await?;
        match leader.node == to && leader.epoch > epoch_before {
            true => Ok(leader.epoch),
            false => Err(answer
                .err()
                .unwrap_or_else(|| "it does not lead yet".to_owned())),
        }
    }

    async fn compact(
        &self,
        cluster: &dyn Administration,
        mut report: FaultReport,
        nodes: &[Node],
        heal_at: Instant,
    ) {
        let patience = Patience::Install(heal_at);
        let up = self.eventually(patience, || async {
            let is_up = nodes.iter().any(|node| self.is_fit(*node));
            is_up.then_some(()).ok_or("no target is up".to_owned())
        });
        if let Err(why) = up.await {
            return self.skip(report, why);
        }
        report.aim(nodes);
        self.begin(&mut report);
        let tries = nodes
            .iter()
            .map(|node| self.eventually(patience, move || self.compact_node(cluster, *node)));
        let mut hit = 0;
        for (node, result) in nodes.iter().zip(join_all(tries).await) {
            let name = node_name(*node);
            match result {
                Ok(Compacted { before, after }) => {
                    hit += 1;
                    let said = format!("the log of {name} begins behind {after}, not {before}");
                    report.evidence.say(said);
                    report
                        .evidence
                        .fact(&format!("{name}_before"), before as i64);
                    report.evidence.fact(&format!("{name}_after"), after as i64);
                }
                Err(why) => not_seen(&mut report, &format!("{name}: {why}")),
            }
        }
        self.conclude_at_once(report, hit > 0);
    }

    async fn compact_node(
        &self,
        cluster: &dyn Administration,
        node: Node,
    ) -> Result<Compacted, String> {
        let before = self.begins_behind(cluster, node).await?;
        self.answer(cluster.compact(node)).await?;
        let after = self.begins_behind(cluster, node).await?;
        match after > before {
            true => Ok(Compacted { before, after }),
            false => Err(format!("its log begins behind {after}, as before")),
        }
    }

    async fn begins_behind(&self, cluster: &dyn Administration, node: Node) -> Result<u64, String> {
        let standings = self.standings(cluster).await?;
        let standing = standings.get(&node).ok_or("it does not say how it is")?;
        Ok(standing.compacted)
    }

    /// Ends a fault that leaves nothing to heal.
    fn conclude_at_once(&self, mut report: FaultReport, effective: bool) {
        self.note_effective(&mut report, effective);
        self.note_healed(&mut report, true);
        self.announce(&report, Edge::End);
    }

    /// Tries until it works out or patience ends; then the last reason.
    async fn eventually<T, F: Future<Output = Result<T, String>>>(
        &self,
        patience: Patience,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, String> {
        let (deadline, heeds_stop) = match patience {
            Patience::Install(deadline) => (deadline, true),
            Patience::Heal(deadline) => (deadline, false),
        };
        let mut why = "there was no time left for it".to_owned();
        while Instant::now() < deadline && !(heeds_stop && self.stopping()) {
            let left = deadline.saturating_duration_since(Instant::now());
            match within(left, attempt()).await {
                Some(Ok(done)) => return Ok(done),
                Some(Err(reason)) => why = reason,
                None => return Err(why),
            }
            tokio::time::sleep(LOOK).await;
        }
        Err(why)
    }

    /// The leader of the highest epoch, and what it says of itself.
    async fn leading(&self, cluster: &dyn Administration) -> Result<(Leader, Standing), String> {
        let standings = self.standings(cluster).await?;
        let leaders = standings.into_iter().filter(|(_, standing)| standing.leads);
        let (node, standing) = leaders
            .max_by_key(|(_, standing)| standing.epoch)
            .ok_or("no node says that it leads")?;
        let epoch = standing.epoch;
        Ok((Leader { node, epoch }, standing))
    }

    /// The members that the leader of the highest epoch knows to be committed.
    async fn members(&self, cluster: &dyn Administration) -> Result<(Leader, Members), String> {
        let (leader, standing) = self.leading(cluster).await?;
        let members = standing.members.ok_or("the leader names no members")?;
        Ok((leader, members))
    }

    async fn standings(
        &self,
        cluster: &dyn Administration,
    ) -> Result<BTreeMap<Node, Standing>, String> {
        let said = within(self.limits.leader, cluster.standings()).await;
        said.ok_or("how the nodes are could not be learnt in time".to_owned())
    }

    async fn answer(&self, asked: impl Future<Output = Result<(), String>>) -> Result<(), String> {
        let answer = within(self.limits.administration, asked).await;
        answer.unwrap_or_else(|| Err("no answer in time".to_owned()))
    }
}

/// It was tried, and its effect was not seen.
fn not_seen(report: &mut FaultReport, why: &str) {
    report.outcome = Outcome::Indeterminate;
    report.because(why);
}
