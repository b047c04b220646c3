//! Crashes at a place: nodes that end themselves between two outputs.
//!
//! ```text
//!   ask every target ──> the first comes to its place ──> kill the others ── restart all
//!                   '──> none does in time ──> tell all to forget it, kill those
//!                                              that do not answer ── restart them
//! ```

use std::time::Instant;

use super::{Shared, first, join_all, within};
use crate::fault::{CrashPlace, Node, node_name};
use crate::process::{Exit, ProcessState};
use crate::report::{Edge, FaultReport, Outcome};

impl Shared {
    /// Lets `nodes` crash at a place, until `heal_at`.
    pub(super) async fn crash_at(
        &self,
        mut report: FaultReport,
        place: &CrashPlace,
        nodes: &[Node],
        heal_at: Instant,
    ) {
        let Some(code) = self.cluster.crash_code() else {
            return self.skip(report, "the system's nodes cannot be asked to crash");
        };
        let claimed = self.claim(&mut report, nodes);
        if claimed.is_empty() {
            return self.skip(report, "no target could take it");
        }
        report.aim(&claimed);
        self.begin(&mut report);
        self.lock().killed.extend(&claimed);
        let asked = self.ask(&mut report, &claimed, place, code).await;
        if asked.len() < claimed.len() {
            report.outcome = Outcome::Indeterminate;
        }
        let came = tokio::select! {
            ended = self.first_to_end(&asked) => Some(ended),
            _ = self.until(heal_at) => self.forget(&mut report, &asked, place).await,
        };
        let hit = match came {
            Some(end) => {
                let kill_at = heal_at.min(Instant::now() + place.lag);
                self.came(&mut report, &asked, end, code, kill_at).await
            }
            None => false,
        };
        self.note_effective(&mut report, hit);
        self.until(heal_at).await;
        report.times.heal_began_ns = Some(self.now_ns());
        let healed = self.restart(&mut report, &claimed).await;
        self.note_healed(&mut report, healed);
        self.release(&claimed);
        self.announce(&report, Edge::End);
    }

    /// Asks nodes to crash; gives those that may have understood: one that was
    /// at its place at once is gone before it could say so.
    async fn ask(
        &self,
        report: &mut FaultReport,
        nodes: &[Node],
        place: &CrashPlace,
        code: i32,
    ) -> Vec<Node> {
        let processes = self.cluster.processes();
        let expected = |node: &Node| match processes.expect_exit(*node, Some(code)) {
            Ok(()) => None,
            Err(error) => Some((*node, error.to_string())),
        };
        let gone: Vec<(Node, String)> = nodes.iter().filter_map(expected).collect();
        let is_gone = |node: &Node| gone.iter().any(|(other, _)| other == node);
        let asked: Vec<Node> = nodes.iter().copied().filter(|n| !is_gone(n)).collect();
        let told = join_all(asked.iter().map(|node| self.tell(*node, Some(place)))).await;
        let unsure = asked.iter().copied().zip(told);
        let unsure = unsure.filter_map(|(node, told)| Some((node, told.err()?)));
        for (node, why) in gone.iter().cloned().chain(unsure) {
            report.because(format!(
                "{} may not have been asked: {why}",
                node_name(node)
            ));
        }
        let names: Vec<String> = asked.iter().copied().map(node_name).collect();
        report
            .evidence
            .say(format!("{} asked to crash after {place}", names.join(", ")));
        asked
    }

    async fn tell(&self, node: Node, place: Option<&CrashPlace>) -> Result<(), String> {
        let told = within(self.limits.leader, self.cluster.crash_at(node, place)).await;
        told.unwrap_or_else(|| Err("no answer in time".to_owned()))
    }

    /// Waits for the first of nodes to end; for ever, if there are none.
    async fn first_to_end(&self, nodes: &[Node]) -> (Node, Exit) {
        let processes = self.cluster.processes();
        let ends = nodes.iter().map(|node| processes.ended(*node));
        let (place, exit) = first(ends).await;
        (nodes[place], exit)
    }

    /// A node has ended; the others are taken with it, after a lag if that is
    /// asked for. Whether it was the crash that was asked for.
    async fn came(
        &self,
        report: &mut FaultReport,
        asked: &[Node],
        (node, exit): (Node, Exit),
        code: i32,
        kill_at: Instant,
    ) -> bool {
        let name = node_name(node);
        let others = asked.iter().copied().filter(|n| *n != node);
        self.until(kill_at).await;
        // One may have come to its own place meanwhile.
        let (ended, alive): (Vec<_>, Vec<_>) = others
            .map(|node| (node, self.cluster.processes().state(node)))
            .partition(|(_, state)| matches!(state, ProcessState::Exited { .. }));
        for (node, state) in ended {
            if let ProcessState::Exited { exit, .. } = state {
                report.evidence.say(format!("{} {exit}", node_name(node)));
            }
        }
        let alive: Vec<Node> = alive.into_iter().map(|(node, _)| node).collect();
        if !alive.is_empty() {
            self.kill(report, &alive).await;
        }
        report.evidence.fact("crashed", name.as_str());
        report.evidence.say(format!("{name} {exit}"));
        let own = exit == Exit::Code(code);
        if !own {
            report.because(format!(
                "{name} {exit}, which is not the crash it was asked for"
            ));
        }
        own
    }

    /// Time is up: nodes must not crash any more. One may have done so just
    /// before it heard.
    async fn forget(
        &self,
        report: &mut FaultReport,
        nodes: &[Node],
        place: &CrashPlace,
    ) -> Option<(Node, Exit)> {
        let processes = self.cluster.processes();
        let told = join_all(nodes.iter().map(|node| self.tell(*node, None))).await;
        let mut deaf = Vec::new();
        for (node, told) in nodes.iter().copied().zip(told) {
            if let ProcessState::Exited { exit, .. } = processes.state(node) {
                return Some((node, exit));
            }
            match told {
                Ok(()) => {
                    // Alive a moment ago; an end from now on is a surprise.
                    let _ = processes.expect_exit(node, None);
                }
                Err(why) => {
                    let node_name = node_name(node);
                    report.because(format!(
                        "{node_name} is killed, since it might crash yet: {why}"
                    ));
                    deaf.push(node);
                }
            }
        }
        // Whoever may still wait for its place would crash at a time that is
        // nobody's fault, and stay down.
        if !deaf.is_empty() {
            self.kill(report, &deaf).await;
        }
        report.because(format!("no target came to {place} in time"));
        None
    }
}
