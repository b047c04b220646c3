//! A few node processes on loopback, for tests. None outlives its test.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tribunal_impls::adapter::{
    Client, ClientOptions, Completion, Invocation, NodePlan, NodeStatus, System,
};
use tribunal_impls::client::Connection;
use tribunal_impls::service::Body;
use tribunal_impls::systems::{BuiltIn, EXAMPLES, Local, Tuning};
use tribunal_impls::trace::{Judged, TraceError, Violation};
use tribunal_protocol::NodeId;

/// How long anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(30);

const PROGRAM: &str = env!("CARGO_BIN_EXE_tribunal");

/// Nodes of one cluster, numbered from 1.
pub struct Cluster {
    pub system: Local,
    built_in: &'static BuiltIn,
    pub plans: Vec<NodePlan>,
    /// More arguments for every node.
    pub arguments: Vec<&'static str>,
    processes: BTreeMap<u8, Child>,
    folder: TempDir,
}

impl Cluster {
    /// Plans a cluster and starts nothing.
    pub fn new(system: &str, nodes: u8) -> Cluster {
        let example = EXAMPLES.iter().find(|example| example.name == system);
        let built_in = example.or_else(|| BuiltIn::named(system)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let addresses = free_addresses(2 * usize::from(nodes));
        let (peers, clients) = addresses.split_at(usize::from(nodes));
        let plan = |node: u8| NodePlan {
            node,
            peer_listen: peers[usize::from(node) - 1],
            client_listen: clients[usize::from(node) - 1],
            peers: (1..=nodes)
                .filter(|peer| *peer != node)
                .map(|peer| (peer, peers[usize::from(peer) - 1]))
                .collect(),
            data: folder.path().join(format!("n{node}")),
            cluster: "test".to_owned(),
            trace: Some(folder.path().join(format!("n{node}.trace"))),
        };
        Cluster {
            built_in,
            system: Local::new(built_in)
                .unwrap()
                .with_program(PROGRAM)
                .with_tuning(Tuning {
                    seed: Some(1),
                    ..Tuning::default()
                }),
            plans: (1..=nodes).map(plan).collect(),
            arguments: Vec::new(),
            processes: BTreeMap::new(),
            folder,
        }
    }

    pub fn plan(&self, node: u8) -> &NodePlan {
        &self.plans[usize::from(node) - 1]
    }

    pub fn numbers(&self) -> impl Iterator<Item = u8> + use<> {
        1..=self.plans.len() as u8
    }

    pub fn data(&self, node: u8) -> PathBuf {
        self.plan(node).data.clone()
    }

    fn log(&self, node: u8) -> PathBuf {
        self.folder.path().join(format!("n{node}.log"))
    }

    /// What the node has said on stderr, in all its incarnations.
    pub fn said(&self, node: u8) -> String {
        std::fs::read_to_string(self.log(node)).unwrap_or_default()
    }

    pub fn command(&self, node: u8) -> Command {
        let line = self.system.command(self.plan(node));
        let mut command = Command::new(line.program);
        command
            .args(line.arguments)
            .args(&self.arguments)
            .envs(line.environment);
        // Held open by this process: the node ends with it.
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        command
    }

    pub fn start(&mut self, node: u8) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.log(node))
            .unwrap();
        let child = self.command(node).stderr(log).spawn().unwrap();
        assert!(
            self.processes.insert(node, child).is_none(),
            "n{node} runs already"
        );
    }

    pub fn start_all(&mut self) {
        self.numbers().for_each(|node| self.start(node));
    }

    /// Starts a node that is expected to end by itself.
    pub fn start_in_vain(&self, node: u8) -> Output {
        let child = self.command(node).stderr(Stdio::piped()).spawn().unwrap();
        finish(child)
    }

    pub fn signal(&mut self, node: u8, signal: Signal) {
        kill(Pid::from_raw(self.processes[&node].id() as i32), signal).unwrap();
    }

    /// Kills a node with SIGKILL and waits for its end.
    pub fn kill(&mut self, node: u8) {
        self.signal(node, Signal::SIGKILL);
        self.processes.remove(&node).unwrap().wait().unwrap();
    }

    /// Takes a node that is about to end; gives its exit code.
    pub fn exit_code(&mut self, node: u8) -> Option<i32> {
        finish(self.processes.remove(&node).unwrap()).status.code()
    }

    /// Closes the node's standard input.
    pub fn close_stdin(&mut self, node: u8) {
        self.processes.get_mut(&node).unwrap().stdin.take();
    }

    pub async fn status(&self, node: u8) -> Option<NodeStatus> {
        self.system.status(self.plan(node)).await.ok()
    }

    /// Waits until a running node leads and has decided something; gives it.
    pub async fn leader(&self) -> u8 {
        until("a node leads", async || {
            for node in self.processes.keys() {
                let status = self.status(*node).await;
                if status.is_some_and(|status| status.leads && status.applied > 0) {
                    return Some(*node);
                }
            }
            None
        })
        .await
    }

    /// Waits until all running nodes have applied equally much, and gives
    /// their digests.
    pub async fn digests(&self) -> Vec<u64> {
        until("all nodes have applied the same", async || {
            let mut statuses = Vec::new();
            for node in self.processes.keys() {
                statuses.push(self.status(*node).await?);
            }
            let equal = statuses
                .iter()
                .all(|status| status.applied == statuses[0].applied);
            equal.then(|| statuses.iter().filter_map(|status| status.digest).collect())
        })
        .await
    }

    pub fn client(&self, node: u8, retry: bool) -> Box<dyn Client> {
        let options = ClientOptions {
            timeout: Duration::from_secs(5),
            retry,
        };
        self.system.client(self.plan(node), &self.plans, &options)
    }

    /// Asks a node, with as many attempts as it takes; gives the reply.
    pub async fn ask(&self, node: u8, body: &str) -> Body {
        until(body, async || {
            let mut connection = Connection::open(self.plan(node).client_listen).await.ok()?;
            let body: Body = serde_json::from_str(body).unwrap();
            let name = format!("n{node}");
            let asked = connection.ask(&name, body);
            tokio::time::timeout(Duration::from_secs(5), asked)
                .await
                .ok()?
                .ok()
        })
        .await
    }
}

impl Cluster {
    /// Kills what runs, and holds what the nodes have recorded against their
    /// machine: what is wrong, if anything is.
    pub fn judge_traces(&mut self) -> Option<Violation> {
        for (_, mut process) in std::mem::take(&mut self.processes) {
            let _ = process.kill();
            let _ = process.wait();
        }
        self.try_judge_traces().unwrap().violation
    }

    /// What there is, held against the machine.
    pub fn try_judge_traces(&self) -> Result<Judged, TraceError> {
        self.built_in.judge_traces(&self.traces())
    }

    /// Where nodes have recorded what they did.
    pub fn traces(&self) -> BTreeMap<NodeId, PathBuf> {
        let traces = self
            .plans
            .iter()
            .map(|plan| (NodeId(plan.node), plan.trace.clone()));
        let named = traces.filter_map(|(node, trace)| Some((node, trace?)));
        named.filter(|(_, trace)| trace.exists()).collect()
    }
}

impl Drop for Cluster {
    /// Whatever a test is about, the nodes in it must have done what their
    /// machine asked for.
    fn drop(&mut self) {
        let violation = self.judge_traces();
        let may_be_wrong = self.arguments.contains(&"--mutant");
        if !std::thread::panicking() && !may_be_wrong {
            assert_eq!(violation, None);
        }
        if std::thread::panicking() {
            for node in self.numbers() {
                eprintln!("--- n{node} said:\n{}", self.said(node));
            }
        }
    }
}

/// Waits for the end of a process, but not for ever.
fn finish(mut child: Child) -> Output {
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            let _ = child.kill();
            panic!("the process has not ended within {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let status = child.wait().unwrap();
    let mut stderr = Vec::new();
    if let Some(mut pipe) = child.stderr.take() {
        pipe.read_to_end(&mut stderr).unwrap();
    }
    Output {
        status,
        stdout: Vec::new(),
        stderr,
    }
}

/// Waits until something can be had.
pub async fn until<T>(what: &str, mut get: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = get().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Addresses that nobody else is given while they are looked for.
fn free_addresses(count: usize) -> Vec<SocketAddr> {
    let listeners: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    listeners
        .iter()
        .map(|listener| listener.local_addr().unwrap())
        .collect()
}

/// Every file of a folder, so that a change shows.
pub fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let named = entries.map(|entry| (entry.file_name().into_string().unwrap(), entry.path()));
    named
        .map(|(name, path)| (name, std::fs::read(path).unwrap()))
        .collect()
}

pub fn write(key: i64, value: i64) -> Invocation {
    Invocation {
        f: "write".to_owned(),
        key: key.into(),
        value: value.into(),
    }
}

pub fn read(key: i64) -> Invocation {
    Invocation {
        f: "read".to_owned(),
        key: key.into(),
        value: tribunal_histories::Value::Null,
    }
}

/// Performs an operation until it is `ok`.
pub async fn surely(client: &mut dyn Client, invocation: &Invocation) -> tribunal_histories::Value {
    until(&invocation.f, async || {
        match client.invoke(invocation).await {
            Completion::Ok(value) => Some(value),
            _ => None,
        }
    })
    .await
}
