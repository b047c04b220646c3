//! Faults on processes: kill and pause.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tribunal_histories::Value;

use super::{Shared, join_all, within};
use crate::fault::{FaultKind, Node, node_name};
use crate::process::{Killed, Paused, ProcessError, ProcessState, Resumed};
use crate::report::{Edge, FaultReport, Outcome};

/// How often a restarted node is asked whether it is ready.
const ASK_READY: Duration = Duration::from_millis(10);

/// A node that runs again after a kill.
pub(super) struct Restarted {
    pid: u32,
    ready_after: Duration,
}

impl Shared {
    /// Kills or pauses `nodes` until `heal_at`.
    pub(super) async fn on_processes(
        &self,
        mut report: FaultReport,
        nodes: &[Node],
        heal_at: Instant,
    ) {
        let claimed = self.claim(&mut report, nodes);
        if claimed.is_empty() {
            return self.skip(report, "no target could take it");
        }
        report.aim(&claimed);
        self.begin(&mut report);
        let hit = match report.fault {
            FaultKind::Pause => self.pause(&mut report, &claimed).await,
            _ => self.kill(&mut report, &claimed).await,
        };
        if hit.len() < claimed.len() {
            report.outcome = Outcome::Indeterminate;
        }
        self.note_effective(&mut report, !hit.is_empty());
        self.until(heal_at).await;
        report.times.heal_began_ns = Some(self.now_ns());
        let healed = match report.fault {
            FaultKind::Pause => self.resume(&mut report, &claimed).await,
            _ => self.restart(&mut report, &claimed).await,
        };
        self.note_healed(&mut report, healed);
        self.release(&claimed);
        self.announce(&report, Edge::End);
    }

    /// Takes those of `nodes` that run and are under no other fault; the
    /// report says why the others are left out.
    pub(super) fn claim(&self, report: &mut FaultReport, nodes: &[Node]) -> Vec<Node> {
        let mut state = self.lock();
        let mut taken = Vec::new();
        for node in nodes.iter().copied() {
            let name = node_name(node);
            match (
                state.claims.get(&node),
                self.cluster.processes().state(node),
            ) {
                (Some((id, fault)), _) => {
                    report.because(format!("{name} is under fault {id} ({fault})"));
                }
                (None, ProcessState::Running { .. }) => {
                    state.claims.insert(node, (report.id, report.fault));
                    taken.push(node);
                }
                (None, ProcessState::Stopped { .. }) => {
                    report.because(format!("{name} is stopped, by none of the faults"));
                }
                (None, ProcessState::Exited { exit, .. }) => {
                    report.because(format!("{name} {exit} before"));
                }
                (None, ProcessState::Absent) => report.because(format!("{name} was never started")),
            }
        }
        taken
    }

    pub(super) fn release(&self, nodes: &[Node]) {
        let mut state = self.lock();
        state.claims.retain(|node, _| !nodes.contains(node));
    }

    pub(super) async fn kill(&self, report: &mut FaultReport, nodes: &[Node]) -> Vec<Node> {
        self.lock().killed.extend(nodes);
        let tries = nodes
            .iter()
            .map(|node| self.bounded(self.cluster.processes().kill(*node)));
        let mut pids = BTreeMap::new();
        for (node, result) in nodes.iter().copied().zip(join_all(tries).await) {
            match result {
                Ok(Killed { pid, exit }) => {
                    let name = node_name(node);
                    report
                        .evidence
                        .say(format!("{name} (process {pid}) {exit}"));
                    pids.insert(node, Value::Int(i64::from(pid)));
                }
                Err(why) => report.because(why),
            }
        }
        let hit = pids.keys().copied().collect();
        report.evidence.fact("killed", by_name(pids));
        hit
    }

    pub(super) async fn restart(&self, report: &mut FaultReport, nodes: &[Node]) -> bool {
        let tries = nodes.iter().map(|node| self.restart_node(*node));
        let mut pids = BTreeMap::new();
        let mut ready_after = BTreeMap::new();
        for (node, result) in nodes.iter().copied().zip(join_all(tries).await) {
            match result {
                Ok(restarted) => {
                    let (name, ms) = (node_name(node), restarted.ready_after.as_millis());
                    report
                        .evidence
                        .say(format!("{name} ready again after {ms} ms"));
                    pids.insert(node, Value::Int(i64::from(restarted.pid)));
                    ready_after.insert(node, Value::Int(ms as i64));
                }
                Err(why) => report.because(format!("{}: {why}", node_name(node))),
            }
        }
        let all = pids.len() == nodes.len();
        report.evidence.fact("restarted", by_name(pids));
        report.evidence.fact("ready_after_ms", by_name(ready_after));
        all
    }

    async fn pause(&self, report: &mut FaultReport, nodes: &[Node]) -> Vec<Node> {
        let tries = nodes
            .iter()
            .map(|node| self.bounded(self.cluster.processes().pause(*node)));
        let (mut pids, mut hit) = (BTreeMap::new(), Vec::new());
        let mut stopped = 0;
        for (node, result) in nodes.iter().copied().zip(join_all(tries).await) {
            match result {
                Ok(Paused { pid, threads, .. }) => {
                    let name = node_name(node);
                    report.evidence.say(format!(
                        "{name} (process {pid}) stopped, all {threads} threads"
                    ));
                    pids.insert(node, Value::Int(i64::from(pid)));
                    stopped += threads;
                    hit.push(node);
                }
                Err(why) => report.because(why),
            }
        }
        report.evidence.fact("paused", by_name(pids));
        report.evidence.fact("threads_stopped", stopped as i64);
        hit
    }

    async fn resume(&self, report: &mut FaultReport, nodes: &[Node]) -> bool {
        let tries = nodes.iter().map(|node| self.resume_node(*node));
        let (mut resumed, mut running) = (0, 0);
        for (node, result) in nodes.iter().copied().zip(join_all(tries).await) {
            match result {
                Ok(Resumed {
                    threads,
                    was_stopped,
                    ..
                }) => {
                    resumed += 1;
                    running += threads;
                    if !was_stopped {
                        let name = node_name(node);
                        report.because(format!("{name} had been continued by someone else"));
                    }
                }
                Err(why) => report.because(format!("{}: {why}", node_name(node))),
            }
        }
        report
            .evidence
            .say(format!("{resumed} of {} run again", nodes.len()));
        report
            .evidence
            .fact("threads_running_again", running as i64);
        resumed == nodes.len()
    }

    pub(super) async fn resume_node(&self, node: Node) -> Result<Resumed, String> {
        self.bounded(self.cluster.processes().resume(node)).await
    }

    /// Starts a killed node again and waits until it is ready.
    pub(super) async fn restart_node(&self, node: Node) -> Result<Restarted, String> {
        let begin = Instant::now();
        let processes = self.cluster.processes();
        let pid = match processes.state(node) {
            // The kill did not work, or a restart before was only too slow.
            ProcessState::Running { pid } => pid,
            _ => self.bounded(processes.restart(node)).await?,
        };
        self.ready(node, begin + self.limits.ready).await?;
        self.lock().killed.remove(&node);
        Ok(Restarted {
            pid,
            ready_after: begin.elapsed(),
        })
    }

    async fn ready(&self, node: Node, deadline: Instant) -> Result<(), String> {
        loop {
            if let ProcessState::Exited { exit, .. } = self.cluster.processes().state(node) {
                return Err(format!("{exit} after its restart"));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let why = match within(left, self.cluster.ready(node)).await {
                Some(Ok(())) => return Ok(()),
                Some(Err(why)) => why,
                None => "no answer".to_owned(),
            };
            if Instant::now() + ASK_READY >= deadline {
                let limit = self.limits.ready.as_secs();
                return Err(format!("not ready within {limit} s of its restart: {why}"));
            }
            tokio::time::sleep(ASK_READY).await;
        }
    }

    async fn bounded<T>(
        &self,
        action: impl Future<Output = Result<T, ProcessError>>,
    ) -> Result<T, String> {
        match within(self.limits.process, action).await {
            Some(Ok(done)) => Ok(done),
            Some(Err(error)) => Err(in_full(&error)),
            None => Err(format!(
                "nothing was seen within {} s",
                self.limits.process.as_secs()
            )),
        }
    }
}

/// An error with what caused it.
fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

fn by_name(values: BTreeMap<Node, Value>) -> Value {
    Value::Map(
        values
            .into_iter()
            .map(|(node, value)| (node_name(node), value))
            .collect(),
    )
}
