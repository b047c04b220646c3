//! Conducts a run: starts the cluster, lets clients and nemesis at it, heals,
//! waits until all is quiet, reads everything once more, compares replicas,
//! and stops. Judges nothing.
//!
//! ```text
//!   start ── load ── heal ── quiet ── final reads ── digests ── stop
//!             │                                                  ▲
//!             └── Ctrl-C: heal, then straight to ────────────────┘
//! ```
//!
//! An error from here is a harness failure. Whatever happens, the processes
//! and links end when what is built here is dropped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tribunal_histories::Recorder;
use tribunal_impls::adapter::{ClientOptions, NodePlan, System};
use tribunal_impls::runtime::EXIT_REFUSED;
use tribunal_nemesis::links::Links;
use tribunal_nemesis::ports::{self, PortLease};
use tribunal_nemesis::process::{Exit, ExitEvent, NodeCommand, Supervisor};
use tribunal_nemesis::schedule::Schedule;
use tribunal_nemesis::{Cluster, FaultReport, Healing, Nemesis, Notice, node_name};

use super::cluster::Stage;
use super::config::Campaign;
use super::cpu;
use super::detection;
use super::digests::{self, Digests};
use super::doubts::{self, Blocked, Termination};
use super::folder::Folder;
use super::load::{self, Pace};
use super::online::{Seen, Watch};
use super::progress::Progress;
use super::report::Cpu;
use super::trial::Trial;
use crate::interrupt::Interrupt;

/// How long a cluster may take to serve its first operation.
const START_LIMIT: Duration = Duration::from_secs(30);

/// How long a healed cluster may take to serve again.
const QUIET_LIMIT: Duration = Duration::from_secs(30);

/// How long a node may leave a final read unanswered.
const READS_LIMIT: Duration = Duration::from_secs(30);

/// How long each of these waits for a cluster of which a node ended unasked:
/// the verdict stands, and what is missing will not come back.
const CRASHED_LIMIT: Duration = Duration::from_secs(3);

/// How long replicas may take to reach the same position.
const DIGESTS_LIMIT: Duration = Duration::from_secs(10);

/// How long a node may take to end when it is asked to.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// How long to wait between two looks at the cluster.
const POLL: Duration = Duration::from_millis(20);

/// The stream of randomness of the workers' pace.
const PACE_STREAM: u64 = 0x7061_6365;

/// What happened in a run, beside its history.
pub struct Record {
    /// What was counted, and the history's recorder.
    pub trial: Arc<Trial>,
    /// Every fault of the schedule that was reached.
    pub faults: Vec<FaultReport>,
    /// What was left of all faults.
    pub healing: Healing,
    /// Processes that ended otherwise than they were asked to.
    pub exits: Vec<ExitEvent>,
    /// Why no load began, if the cluster never served.
    pub never_served: Option<String>,
    /// How long after the heal the cluster served again; none if it did not.
    pub recovered: Option<Duration>,
    /// Final reads that no node answered; none if they were not asked.
    pub unanswered_reads: Option<usize>,
    /// The replicas compared.
    pub digests: Digests,
    /// What was blocked, where there are transactions and somebody looked.
    pub blocked: Option<Blocked>,
    /// Whether nothing was in doubt any more in the end.
    pub termination: Termination,
    /// The parts of the run, with their lengths.
    pub phases: Vec<(&'static str, Duration)>,
    /// What was judged while it was recorded, where an order is asked for.
    pub online: Option<Seen>,
    /// Whether a violation ended the load early.
    pub stopped: bool,
    /// Whether Ctrl-C ended it early.
    pub interrupted: bool,
    /// Processor time until the cluster had stopped.
    pub cpu: Cpu,
}

/// A cluster that runs, with everything that must live as long.
pub struct Running {
    stage: Arc<Stage>,
    exits: mpsc::UnboundedReceiver<ExitEvent>,
    phases: Phases,
    cpu_before: (Duration, Duration),
    doubts: Option<doubts::Watch>,
    _ports: Vec<PortLease>,
}

/// What came of starting the cluster.
enum Start {
    /// It serves.
    Serves,
    /// A node ended instead.
    Ended(ExitEvent),
    /// It does not serve, for this reason.
    Silent(String),
    /// Ctrl-C came first.
    Interrupted,
}

/// Conducts a run up to the point where the cluster could be stopped.
pub async fn conduct(
    system: Arc<dyn System>,
    campaign: &Campaign,
    schedule: &Schedule,
    folder: &Folder,
    progress: &Arc<Progress>,
    mut interrupt: Interrupt,
) -> anyhow::Result<(Record, Running)> {
    progress.phase("start");
    let mut running = Running::start(system, campaign, folder).await?;
    let trial = Arc::new(prepare(campaign, folder, &running.stage, progress)?);
    let mut record = Record::of(Arc::clone(&trial));
    let _ticker = tick(&trial);
    let start = tokio::select! {
        start = running.until_it_serves(&trial) => start?,
        () = interrupt.asked() => Start::Interrupted,
    };
    match start {
        Start::Serves => {}
        Start::Interrupted => record.interrupted = true,
        Start::Ended(event) => record.exits.push(event),
        Start::Silent(why) => record.never_served = Some(why),
    }
    let serves = record.exits.is_empty() && record.never_served.is_none();
    if serves && !record.interrupted {
        running
            .load(campaign, schedule, &mut record, &mut interrupt)
            .await?;
    }
    record.interrupted |= interrupt.is_asked();
    if serves && !record.interrupted {
        tokio::select! {
            done = running.settle(&mut record) => done?,
            () = interrupt.asked() => record.interrupted = true,
        }
    }
    Ok((record, running))
}

/// Shows where the run stands, until the set is dropped.
fn tick(trial: &Arc<Trial>) -> JoinSet<()> {
    let trial = Arc::clone(trial);
    let mut ticker = JoinSet::new();
    ticker.spawn(async move {
        loop {
            sleep(trial.progress.period()).await;
            let counts = trial.meter().all();
            trial.progress.tick(counts);
        }
    });
    ticker
}

fn prepare(
    campaign: &Campaign,
    folder: &Folder,
    stage: &Stage,
    progress: &Arc<Progress>,
) -> anyhow::Result<Trial> {
    let workload = campaign.workload();
    let generator = (workload.make)(campaign.workload_shape());
    let header = workload.header(generator.initial());
    let recorder = Recorder::create(&folder.history(), &header)
        .with_context(|| format!("write {}", folder.history().display()))?;
    let online = Watch::begin(workload.judge, &header, &recorder);
    let options = ClientOptions {
        timeout: campaign.timeout.0,
        retry: campaign.retry,
    };
    let system = Arc::clone(&stage.system);
    let plans = stage.plans.to_vec();
    Ok(Trial::new(
        system,
        plans,
        options,
        (recorder, online),
        (workload, generator),
        Arc::clone(progress),
    ))
}

impl Record {
    fn of(trial: Arc<Trial>) -> Record {
        Record {
            trial,
            faults: Vec::new(),
            healing: Healing::default(),
            exits: Vec::new(),
            never_served: None,
            recovered: None,
            unanswered_reads: None,
            digests: Digests::default(),
            blocked: None,
            termination: Termination::default(),
            phases: Vec::new(),
            online: None,
            stopped: false,
            interrupted: false,
            cpu: Cpu::default(),
        }
    }
}

impl Running {
    /// Starts links and node processes.
    async fn start(
        system: Arc<dyn System>,
        campaign: &Campaign,
        folder: &Folder,
    ) -> anyhow::Result<Running> {
        let cpu_before = cpu::used();
        let phases = Phases::new("start");
        let nodes: Vec<u8> = (1..=campaign.nodes).collect();
        let mut ports = ports::lease(2 * nodes.len()).context("find free ports")?;
        let client_ports = ports.split_off(nodes.len());
        let peer_addresses = nodes
            .iter()
            .copied()
            .zip(ports.iter().map(PortLease::address));
        let peer_addresses: BTreeMap<u8, _> = peer_addresses.collect();
        let links = Links::open(&peer_addresses)
            .await
            .context("link the nodes")?;
        let cluster = cluster_name(folder);
        let plans: Arc<[NodePlan]> = nodes
            .iter()
            .zip(&client_ports)
            .map(|(node, client_port)| NodePlan {
                node: *node,
                peer_listen: peer_addresses[node],
                client_listen: client_port.address(),
                peers: links.peers(*node),
                data: folder.node(*node).join("data"),
                cluster: cluster.clone(),
                trace: campaign.trace.then(|| folder.trace(*node)),
            })
            .collect();
        ports.extend(client_ports);
        let (supervisor, exits) = Supervisor::new()?;
        let stage = Arc::new(Stage {
            system,
            plans,
            supervisor,
            links,
        });
        for plan in stage.plans.iter() {
            stage
                .supervisor
                .start(plan.node, node_command(&stage, plan, folder)?)
                .await?;
        }
        Ok(Running {
            stage,
            exits,
            phases,
            cpu_before,
            doubts: None,
            _ports: ports,
        })
    }

    /// Waits until every node is ready, one operation can be served, and the
    /// keys hold what the workload begins with. What keeps the system from it
    /// is the system's own doing, and is judged; a node that refuses what the
    /// harness gave it is ours.
    async fn until_it_serves(&mut self, trial: &Trial) -> anyhow::Result<Start> {
        let deadline = Instant::now() + START_LIMIT;
        let stage = Arc::clone(&self.stage);
        let serving = async {
            if !(all_ready(&stage, deadline).await && load::serves(trial, deadline).await) {
                let why = unready(&stage).await;
                return Some(format!(
                    "the cluster did not serve within {START_LIMIT:?} of its start: {why}"
                ));
            }
            load::set_up(trial, deadline).await.err()
        };
        tokio::select! {
            silent = serving => Ok(silent.map_or(Start::Serves, Start::Silent)),
            Some(event) = self.exits.recv() => match event.exit {
                Exit::Code(code) if code == i32::from(EXIT_REFUSED) => bail!(
                    "{} refused to start; the last it said in {}:\n{}",
                    node_name(event.node),
                    event.log.display(),
                    event.last_lines.join("\n"),
                ),
                _ => Ok(Start::Ended(event)),
            },
        }
    }

    /// Lets clients and nemesis at the cluster until the time is up or Ctrl-C,
    /// then heals everything.
    async fn load(
        &mut self,
        campaign: &Campaign,
        schedule: &Schedule,
        record: &mut Record,
        interrupt: &mut Interrupt,
    ) -> anyhow::Result<()> {
        let trial = Arc::clone(&record.trial);
        self.phases.enter(&trial, "load");
        self.doubts = doubts::Watch::begin(&self.stage, &trial, campaign.blocked_after());
        let (stop, stopped) = watch::channel(false);
        let mut workers = spawn_workers(campaign, &trial, &stopped);
        let (nemesis, mut trouble) = unleash(&self.stage, schedule, &trial);
        tokio::select! {
            () = sleep(campaign.time.0) => {}
            () = trial.violated(), if campaign.stop_on_invalid => record.stopped = true,
            () = interrupt.asked() => record.interrupted = true,
            Some(ended) = workers.join_next() => {
                ended.context("a worker panicked")??;
                bail!("a worker ended before the load did");
            }
            Some(error) = trouble.recv() => return Err(error),
        }
        self.phases.enter(&trial, "heal");
        stop.send_replace(true);
        record.healing = nemesis.heal_all().await;
        while let Some(ended) = workers.join_next().await {
            ended.context("a worker panicked")??;
        }
        if let Ok(error) = trouble.try_recv() {
            return Err(error);
        }
        record.faults = nemesis.reports();
        Ok(())
    }

    /// After the heal: quiet, final reads, digests.
    async fn settle(&mut self, record: &mut Record) -> anyhow::Result<()> {
        let trial = Arc::clone(&record.trial);
        self.drain_exits(record);
        let crashed = !record.exits.is_empty();
        let limit = |usual: Duration| if crashed { CRASHED_LIMIT } else { usual };
        self.phases.enter(&trial, "quiet");
        let began = Instant::now();
        let deadline = began + limit(QUIET_LIMIT);
        if all_ready(&self.stage, deadline).await && load::serves(&trial, deadline).await {
            record.recovered = Some(began.elapsed());
        }
        if let Some(blocked_after) = self.doubts.as_ref().map(doubts::Watch::blocked_after) {
            let patience = limit(QUIET_LIMIT.max(3 * blocked_after));
            record.termination = doubts::settle(&self.stage, patience).await;
        }
        self.phases.enter(&trial, "final reads");
        let detects = trial.system.detects(trial.plans.len() as u8);
        let settles = detects.map_or(Duration::ZERO, |it| detection::settles(it.within));
        let unanswered = load::final_reads(&trial, limit(READS_LIMIT), settles);
        record.unanswered_reads = Some(unanswered.await?);
        self.phases.enter(&trial, "digests");
        record.digests = digests::compare(&self.stage, limit(DIGESTS_LIMIT)).await;
        Ok(())
    }

    /// Where the run stands, if the cluster is to be left as it is.
    pub fn leave(&mut self, record: &mut Record) {
        self.drain_exits(record);
        if let Some(doubts) = self.doubts.take() {
            record.blocked = Some(doubts.blocked(&record.faults));
        }
        record.online = record.trial.online.as_ref().map(Watch::seen);
        record.cpu = cpu::since(self.cpu_before);
        record.phases = self.phases.so_far();
    }

    /// Where each node listens for clients.
    pub fn plans(&self) -> &[NodePlan] {
        &self.stage.plans
    }

    /// Ends every node, and completes the record with what that showed.
    pub async fn stop(mut self, record: &mut Record) {
        self.phases.enter(&record.trial, "stop");
        for (node, end) in self.stage.supervisor.stop_all(STOP_GRACE).await {
            if let Err(error) = end {
                tracing::warn!(%error, node, "a node could not be stopped");
            }
        }
        self.leave(record);
    }

    fn drain_exits(&mut self, record: &mut Record) {
        while let Ok(event) = self.exits.try_recv() {
            record.exits.push(event);
        }
    }
}

fn spawn_workers(
    campaign: &Campaign,
    trial: &Arc<Trial>,
    stopped: &watch::Receiver<bool>,
) -> JoinSet<anyhow::Result<()>> {
    let workers = usize::from(campaign.concurrency);
    let mut set = JoinSet::new();
    for worker in 0..workers {
        let pace = Pace::new(campaign.seed ^ PACE_STREAM, worker, workers, campaign.rate);
        set.spawn(load::work(
            Arc::clone(trial),
            worker,
            pace,
            campaign.patience.0,
            stopped.clone(),
        ));
    }
    set
}

/// Lets the nemesis carry out the schedule from now on. The receiver gets what
/// kept a notice from the history.
fn unleash(
    stage: &Arc<Stage>,
    schedule: &Schedule,
    trial: &Arc<Trial>,
) -> (Nemesis, mpsc::UnboundedReceiver<anyhow::Error>) {
    let (trouble, troubles) = mpsc::unbounded_channel();
    let recording = Arc::clone(trial);
    let sink = move |notice: Notice| {
        if let Err(error) = recording.note(&notice) {
            // Without a listener the run is over anyway.
            let _ = trouble.send(error);
        }
    };
    let cluster: Arc<dyn Cluster> = Arc::<Stage>::clone(stage);
    let nemesis = Nemesis::new(cluster, trial.recorder.started(), sink);
    let (carrying, schedule) = (nemesis.clone(), schedule.clone());
    tokio::spawn(async move { carrying.run(&schedule).await });
    (nemesis, troubles)
}

fn node_command(stage: &Stage, plan: &NodePlan, folder: &Folder) -> anyhow::Result<NodeCommand> {
    let directory = folder.node(plan.node);
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("create {}", directory.display()))?;
    let line = stage.system.command(plan);
    Ok(NodeCommand {
        program: line.program,
        arguments: line.arguments,
        environment: line.environment,
        log: directory.join("log"),
        directory,
    })
}

/// A name that no other cluster on the machine has: the run's folder and the
/// harness's process.
fn cluster_name(folder: &Folder) -> String {
    let run = folder
        .shown()
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    format!("{run}-{}", std::process::id())
}

/// Waits until every node is ready. Whether that came before the deadline.
async fn all_ready(stage: &Stage, deadline: Instant) -> bool {
    loop {
        if stage.statuses().await.iter().all(Option::is_some) {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        sleep(POLL).await;
    }
}

/// What keeps the cluster from serving, in words.
async fn unready(stage: &Stage) -> String {
    let mut why = Vec::new();
    for plan in stage.plans.iter() {
        if let Err(error) = stage.ready(plan.node).await {
            why.push(format!("{} is not ready: {error}", node_name(plan.node)));
        }
    }
    match (why.is_empty(), stage.leader().await) {
        (false, _) => why.join("; "),
        (true, None) => "every node is ready, none says that it leads".to_owned(),
        (true, Some(leader)) => format!("every node is ready and {} leads", node_name(leader.node)),
    }
}

/// How long each part of a run took.
struct Phases {
    list: Vec<(&'static str, Duration)>,
    current: &'static str,
    since: Instant,
}

impl Phases {
    fn new(first: &'static str) -> Phases {
        Phases {
            list: Vec::new(),
            current: first,
            since: Instant::now(),
        }
    }

    fn enter(&mut self, trial: &Trial, next: &'static str) {
        self.list.push((self.current, self.since.elapsed()));
        self.current = next;
        self.since = Instant::now();
        trial.enter(next);
    }

    fn so_far(&self) -> Vec<(&'static str, Duration)> {
        let mut list = self.list.clone();
        list.push((self.current, self.since.elapsed()));
        list
    }
}
