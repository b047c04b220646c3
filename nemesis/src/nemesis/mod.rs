//! Carries a schedule out: installs each fault when it is due, looks for
//! evidence that it took effect, heals it when its time is over, verifies the
//! heal, and says all of it to the history.
//!
//! | module | holds |
//! |---|---|
//! | `processes` | kill and pause |
//! | `crash` | crashes at a place |
//! | `partition` | partitions |
//! | `administration` | membership, transfer, compact |
//! | `heal` | whether the links of a partition carry again |
//! | `roles` | who has a role now |
//! | `wait` | time limits, stopping early |
//!
//! ```text
//!   due ── resolve targets ──> Begin ── install ── evidence ──┐
//!            |                                            its time
//!            '-- nobody to hit: skipped, with the reason      │
//!                                 End <── verify ── heal <────┘
//! ```
//!
//! Every fault is a task of its own, so that a heal that takes long delays no
//! other fault; nodes under a fault on processes are claimed by it, so that a
//! leader found at run time is not killed while it is paused. Nothing waits
//! without a limit: what cannot be observed in time is reported as such.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tribunal_histories::Value;

use crate::cluster::Cluster;
use crate::fault::{FaultKind, Node, node_name};
use crate::process::ProcessState;
use crate::report::{Edge, FaultReport, Healing, Notice, Outcome};
use crate::schedule::{Schedule, ScheduledFault, Targets};

mod administration;
mod crash;
mod heal;
mod join;
mod partition;
mod processes;
mod roles;
mod wait;

use join::{first, join_all};
use wait::within;

/// How long things may take before they are reported as not having happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One answer to how the nodes are, so to who leads or has another role.
    pub leader: Duration,
    /// A signal's effect on one process, or its start.
    pub process: Duration,
    /// Readiness of a node after its restart.
    pub ready: Duration,
    /// One probe through a link.
    pub probe: Duration,
    /// Delivery of everything that a link had held.
    pub settle: Duration,
    /// One answer to what is asked of the cluster.
    pub administration: Duration,
    /// A removed node's being a voter again.
    pub rejoin: Duration,
    /// Everything, when all is healed at the end.
    pub all: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            leader: Duration::from_secs(1),
            process: Duration::from_secs(12),
            ready: Duration::from_secs(15),
            probe: Duration::from_secs(2),
            settle: Duration::from_secs(5),
            administration: Duration::from_secs(2),
            rejoin: Duration::from_secs(20),
            all: Duration::from_secs(40),
        }
    }
}

/// Installs and heals the faults of a schedule.
///
/// Cheap to clone; clones are the same nemesis.
#[derive(Clone)]
pub struct Nemesis {
    shared: Arc<Shared>,
}

struct Shared {
    cluster: Arc<dyn Cluster>,
    origin: Instant,
    limits: Limits,
    sink: Box<dyn Fn(Notice) + Send + Sync>,
    state: Mutex<State>,
    stop: watch::Sender<bool>,
    /// Which faults cut which links.
    cuts: watch::Sender<heal::Claims>,
    /// How many faults are being carried out or waited for.
    running: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    reports: BTreeMap<u64, FaultReport>,
    open: BTreeSet<u64>,
    /// Which fault on processes a node is under.
    claims: BTreeMap<Node, (u64, FaultKind)>,
    /// Nodes that were killed and not seen ready since.
    killed: BTreeSet<Node>,
    /// Nodes that the cluster was ever asked to remove: what was asked may
    /// take effect late.
    expelled: BTreeSet<Node>,
}

impl Nemesis {
    /// A nemesis of a cluster. Times count from `origin`, when the run began;
    /// `sink` gets the notices for the history, each before what it announces.
    pub fn new(
        cluster: Arc<dyn Cluster>,
        origin: Instant,
        sink: impl Fn(Notice) + Send + Sync + 'static,
    ) -> Self {
        Self::with_limits(cluster, origin, sink, Limits::default())
    }

    /// The same, with other time limits.
    pub fn with_limits(
        cluster: Arc<dyn Cluster>,
        origin: Instant,
        sink: impl Fn(Notice) + Send + Sync + 'static,
        limits: Limits,
    ) -> Self {
        let shared = Shared {
            cluster,
            origin,
            limits,
            sink: Box::new(sink),
            state: Mutex::default(),
            stop: watch::Sender::new(false),
            cuts: watch::Sender::default(),
            running: watch::Sender::new(0),
        };
        Nemesis {
            shared: Arc::new(shared),
        }
    }

    /// Carries a schedule out, its times counted from now; returns when every
    /// fault of it is over. Once for each nemesis.
    ///
    /// The faults go on if the returned future is dropped; only
    /// [`Nemesis::heal_all`] ends them early.
    pub async fn run(&self, schedule: &Schedule) {
        let begin = Instant::now();
        for (id, fault) in schedule.faults.iter().enumerate() {
            let running = Running::new(&self.shared);
            let (shared, fault) = (Arc::clone(&self.shared), fault.clone());
            tokio::spawn(async move {
                shared.carry_out(id as u64, &fault, begin).await;
                drop(running);
            });
        }
        let _ = self
            .shared
            .running
            .subscribe()
            .wait_for(|count| *count == 0)
            .await;
    }

    /// Heals every fault now, skips those not yet due, and makes sure of it:
    /// every link open, no node stopped, every killed node running and ready,
    /// every removed one a member again.
    /// Ends in bounded time, whatever the nodes do.
    pub async fn heal_all(&self) -> Healing {
        self.shared.stop.send_replace(true);
        let limit = self.shared.limits.all;
        let mut running = self.shared.running.subscribe();
        let in_time = tokio::time::timeout(limit, running.wait_for(|count| *count == 0)).await;
        let late = in_time.is_err();
        let mut unhealed = self.shared.sweep().await;
        if late {
            unhealed.push(format!(
                "faults were still being healed after {} s",
                limit.as_secs()
            ));
        }
        Healing {
            unhealed,
            healed_ns: self.shared.now_ns(),
        }
    }

    /// What is known of every fault so far, by its place in the schedule.
    pub fn reports(&self) -> Vec<FaultReport> {
        self.shared.lock().reports.values().cloned().collect()
    }

    /// The faults that are in place now.
    pub fn open(&self) -> Vec<FaultReport> {
        let state = self.shared.lock();
        state
            .open
            .iter()
            .filter_map(|id| state.reports.get(id))
            .cloned()
            .collect()
    }
}

/// Counts a fault as running for as long as it lives, even if its task panics.
struct Running {
    shared: Arc<Shared>,
}

impl Running {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.running.send_modify(|count| *count += 1);
        Running {
            shared: Arc::clone(shared),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.running.send_modify(|count| *count -= 1);
    }
}

impl Shared {
    async fn carry_out(&self, id: u64, fault: &ScheduledFault, begin: Instant) {
        let due = self.until(begin + fault.at).await;
        let mut report = FaultReport::new(id, fault.fault, self.now_ns());
        report.shape = fault.shape;
        report.cut = fault.cut;
        report.crash = fault.crash.clone();
        if !due {
            return self.skip(report, "the load ended before it was due");
        }
        let nodes = match self.resolve(id, fault).await {
            Ok(nodes) => nodes,
            Err(reason) => return self.skip(report, reason),
        };
        if let Targets::Role(role) = fault.targets {
            report.evidence.fact("role", role.name());
        }
        let heal_at = begin + fault.end();
        match fault.fault {
            FaultKind::Kill | FaultKind::Pause => self.on_processes(report, &nodes, heal_at).await,
            FaultKind::Partition => self.partition(report, &nodes, heal_at).await,
            FaultKind::CrashAt => match &fault.crash {
                Some(place) => self.crash_at(report, place, &nodes, heal_at).await,
                None => self.skip(report, "the schedule does not say where"),
            },
            FaultKind::Membership | FaultKind::Transfer | FaultKind::Compact => {
                self.administer(report, &nodes, heal_at).await;
            }
        }
    }

    /// The nodes that a fault is to hit, as things are now.
    async fn resolve(&self, id: u64, fault: &ScheduledFault) -> Result<Vec<Node>, String> {
        match &fault.targets {
            Targets::Nodes(nodes) => Ok(nodes.clone()),
            Targets::All => Ok(self.cluster.nodes()),
            Targets::Role(role) => self
                .find(*role, id, fault.lasts / 4)
                .await
                .map(|node| vec![node]),
        }
    }

    fn skip(&self, mut report: FaultReport, reason: impl AsRef<str>) {
        report.outcome = Outcome::Skipped;
        report.because(reason);
        report.evidence.say("nothing was done");
        self.announce(&report, Edge::Begin);
        self.announce(&report, Edge::End);
    }

    /// The fault is about to touch its targets.
    fn begin(&self, report: &mut FaultReport) {
        report.times.began_ns = self.now_ns();
        self.announce(report, Edge::Begin);
    }

    fn note_effective(&self, report: &mut FaultReport, effective: bool) {
        report.effective = effective;
        report.times.effective_ns = effective.then(|| self.now_ns());
        self.lock().reports.insert(report.id, report.clone());
    }

    fn note_healed(&self, report: &mut FaultReport, healed: bool) {
        report.healed = healed;
        report.times.healed_ns = healed.then(|| self.now_ns());
    }

    fn announce(&self, report: &FaultReport, edge: Edge) {
        {
            let mut state = self.lock();
            state.reports.insert(report.id, report.clone());
            match edge {
                Edge::Begin => state.open.insert(report.id),
                Edge::End => state.open.remove(&report.id),
            };
        }
        (self.sink)(Notice {
            fault: report.id,
            kind: report.fault,
            edge,
            value: value_of(report, edge),
            time_ns: self.now_ns(),
            report: report.clone(),
        });
    }

    /// The last resort: whatever the faults' own heals have left.
    async fn sweep(&self) -> Vec<String> {
        self.cluster.network().heal_all();
        let nodes = self.cluster.nodes();
        let swept = join_all(nodes.into_iter().map(|node| self.sweep_node(node))).await;
        let mut trouble: BTreeMap<Node, String> = swept.into_iter().flatten().collect();
        trouble.extend(self.sweep_members().await);
        let unhealed: Vec<FaultReport> = self.unhealed();
        let mut left: Vec<String> = trouble
            .iter()
            .map(|(node, why)| format!("{}: {why}", node_name(*node)))
            .collect();
        for mut report in unhealed {
            let troubled = |name: &String| trouble.keys().any(|node| node_name(*node) == *name);
            let again = match report.fault {
                FaultKind::Partition => self.all_links_carry().await,
                FaultKind::Transfer | FaultKind::Compact => true,
                _ => !report.targets.iter().any(troubled),
            };
            if again {
                report.because("healed only when everything was");
                self.note_healed(&mut report, true);
                self.announce(&report, Edge::End);
            } else if report.fault == FaultKind::Partition {
                left.push(format!(
                    "fault {} (partition): some links do not carry",
                    report.id
                ));
            }
        }
        left
    }

    /// Faults that were put in place and are over without having been healed.
    fn unhealed(&self) -> Vec<FaultReport> {
        let state = self.lock();
        let stuck = |report: &&FaultReport| {
            report.outcome != Outcome::Skipped && !report.healed && !state.open.contains(&report.id)
        };
        state.reports.values().filter(stuck).cloned().collect()
    }

    async fn sweep_node(&self, node: Node) -> Option<(Node, String)> {
        let processes = self.cluster.processes();
        let killed = self.lock().killed.contains(&node);
        let swept = match processes.state(node) {
            ProcessState::Stopped { .. } => self.resume_node(node).await.map(drop),
            ProcessState::Exited { .. } | ProcessState::Running { .. } if killed => {
                self.restart_node(node).await.map(drop)
            }
            _ => Ok(()),
        };
        swept.err().map(|why| (node, why))
    }

    fn stopping(&self) -> bool {
        *self.stop.borrow()
    }

    fn now_ns(&self) -> u64 {
        self.origin.elapsed().as_nanos() as u64
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the history says: at the beginning what is about to be done, at the
/// end all that became of it.
fn value_of(report: &FaultReport, edge: Edge) -> Value {
    // Plain data without floating point, which a history's value can hold.
    let whole = serde_json::to_value(report).and_then(serde_json::from_value);
    let Ok(Value::Map(mut map)) = whole else {
        return Value::Null;
    };
    let (edge, beginning) = match edge {
        Edge::Begin => ("begin", true),
        Edge::End => ("end", false),
    };
    for name in ["id", "fault"] {
        map.remove(name);
    }
    if beginning {
        map.retain(|name, _| {
            matches!(
                name.as_str(),
                "shape" | "cut" | "crash" | "targets" | "reason"
            )
        });
    }
    map.retain(|_, value| *value != Value::Null);
    map.insert("edge".to_owned(), edge.into());
    Value::Map(map)
}
