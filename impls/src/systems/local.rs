//! A built-in system behind the adapter's traits: every node a process of
//! this very program, `tribunal node SYSTEM …`.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::BuiltIn;
use super::administration::{administer, ask_crash, ask_status};
use crate::adapter::{
    Administration, Capability, Client, ClientError, ClientOptions, CommandLine, CrashKinds,
    CrashPlace, Detects, NodeNumber, NodePlan, NodeStatus, Pending, System,
};
use crate::runtime::EXIT_CRASH_AT;
use crate::runtime::Spans;
use crate::settings::Chosen;

/// How long a node may take to say how it is.
const STATUS_TIMEOUT: Duration = Duration::from_secs(1);

/// Arguments for each node's command line; what is not given is left to the
/// node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tuning {
    /// What the jitter of timers is drawn from.
    pub seed: Option<u64>,
    /// `--heartbeat-ms`.
    pub heartbeat_ms: Option<u64>,
    /// `--election-ms`.
    pub election_ms: Option<u64>,
    /// `--disk-delay-ms`: a slower disk.
    pub disk_delay_ms: Option<u64>,
    /// `--disk-jitter-ms`: a disk that is slower now and then.
    pub disk_jitter_ms: Option<u64>,
    /// `--checkpoint-bytes`.
    pub checkpoint_bytes: Option<u64>,
    /// `--compact-after`.
    pub compact_after: Option<u64>,
    /// `--set`, once for each.
    pub settings: Chosen,
}

impl Tuning {
    /// How long a node's timers run with these arguments.
    pub fn spans(&self) -> Spans {
        let usual = Spans::default();
        let or = |ms: Option<u64>, usual| ms.map_or(usual, Duration::from_millis);
        Spans {
            heartbeat: or(self.heartbeat_ms, usual.heartbeat),
            election: or(self.election_ms, usual.election),
            ..usual
        }
    }

    fn arguments(&self) -> impl Iterator<Item = String> + use<> {
        let flags = [
            ("--seed", self.seed),
            ("--heartbeat-ms", self.heartbeat_ms),
            ("--election-ms", self.election_ms),
            ("--disk-delay-ms", self.disk_delay_ms),
            ("--disk-jitter-ms", self.disk_jitter_ms),
            ("--checkpoint-bytes", self.checkpoint_bytes),
            ("--compact-after", self.compact_after),
        ];
        let given = flags
            .into_iter()
            .filter_map(|(flag, value)| Some((flag, value?)));
        let given = given.map(|(flag, value)| [flag.to_owned(), value.to_string()]);
        let chosen = self.settings.iter();
        let set = chosen.map(|(name, value)| ["--set".to_owned(), format!("{name}={value}")]);
        let all: Vec<String> = given.chain(set).flatten().collect();
        all.into_iter()
    }
}

/// A built-in system, run as processes on this machine.
#[derive(Clone, Debug)]
pub struct Local {
    system: &'static BuiltIn,
    program: PathBuf,
    bug: Option<String>,
    tuning: Tuning,
}

impl Local {
    /// The system, played by this very program.
    pub fn new(system: &'static BuiltIn) -> io::Result<Self> {
        Ok(Local {
            system,
            program: std::env::current_exe()?,
            bug: None,
            tuning: Tuning::default(),
        })
    }

    /// Lets another program play the nodes; it must take the same arguments.
    pub fn with_program(self, program: impl Into<PathBuf>) -> Self {
        Local {
            program: program.into(),
            ..self
        }
    }

    /// Breaks the rule of that name in every node.
    pub fn with_bug(self, bug: Option<String>) -> Self {
        Local { bug, ..self }
    }

    /// Adds arguments to every node's command line.
    pub fn with_tuning(self, tuning: Tuning) -> Self {
        Local { tuning, ..self }
    }
}

impl System for Local {
    fn name(&self) -> &str {
        self.system.name
    }

    fn command(&self, plan: &NodePlan) -> CommandLine {
        let mut arguments: Vec<String> = ["node", self.system.name].map(str::to_owned).into();
        let mut flag = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        flag("--node", plan.node.to_string());
        flag("--cluster", plan.cluster.clone());
        flag("--listen", plan.peer_listen.to_string());
        flag("--client", plan.client_listen.to_string());
        for (peer, address) in &plan.peers {
            flag("--peer", format!("{peer}={address}"));
        }
        flag("--data", plan.data.to_string_lossy().into_owned());
        if let Some(trace) = &plan.trace {
            flag("--trace", trace.to_string_lossy().into_owned());
        }
        if let Some(bug) = &self.bug {
            flag("--bug", bug.clone());
        }
        arguments.extend(self.tuning.arguments());
        arguments.extend(["--crashable", "--exit-with-parent"].map(str::to_owned));
        CommandLine {
            program: self.program.clone(),
            arguments,
            environment: BTreeMap::new(),
        }
    }

    fn status<'a>(&'a self, plan: &'a NodePlan) -> Pending<'a, Result<NodeStatus, ClientError>> {
        Box::pin(async {
            let asked = tokio::time::timeout(STATUS_TIMEOUT, ask_status(plan));
            asked
                .await
                .unwrap_or(Err(ClientError::Timeout(STATUS_TIMEOUT)))
        })
    }

    fn crash_code(&self) -> Option<i32> {
        Some(EXIT_CRASH_AT.into())
    }

    fn crash_kinds(&self) -> CrashKinds {
        (self.system.crash_kinds)()
    }

    fn crash_at<'a>(
        &'a self,
        plan: &'a NodePlan,
        place: Option<CrashPlace<'a>>,
    ) -> Pending<'a, Result<(), ClientError>> {
        Box::pin(async move {
            let asked = tokio::time::timeout(STATUS_TIMEOUT, ask_crash(plan, place));
            asked
                .await
                .unwrap_or(Err(ClientError::Timeout(STATUS_TIMEOUT)))
        })
    }

    fn capabilities(&self) -> &[Capability] {
        self.system.capabilities
    }

    fn administer<'a>(
        &'a self,
        plan: &'a NodePlan,
        operation: Administration,
    ) -> Pending<'a, Result<(), ClientError>> {
        Box::pin(administer(plan, operation))
    }

    fn client(
        &self,
        plan: &NodePlan,
        plans: &[NodePlan],
        options: &ClientOptions,
    ) -> Box<dyn Client> {
        (self.system.client)(plan, plans, options)
    }

    /// Signs of life come once a heartbeat.
    fn detects(&self, nodes: NodeNumber) -> Option<Detects> {
        let silent = self.system.detects(nodes, &self.tuning.settings)?;
        let beats = 2 * u32::from(nodes);
        Some(Detects {
            within: silent.within + beats * self.tuning.spans().heartbeat,
            ..silent
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_that_of_the_node_command() {
        let plan = NodePlan {
            node: 1,
            peer_listen: "127.0.0.1:7001".parse().unwrap(),
            client_listen: "127.0.0.1:8001".parse().unwrap(),
            peers: BTreeMap::from([(2, "127.0.0.1:9002".parse().unwrap())]),
            data: "/data/1".into(),
            cluster: "blue".into(),
            trace: Some("/nodes/1/trace.jsonl".into()),
        };
        let system = Local::new(BuiltIn::named("raft").unwrap()).unwrap();
        let system = system
            .with_program("/bin/tribunal")
            .with_bug(Some("vote-not-persisted".into()))
            .with_tuning(Tuning {
                election_ms: Some(400),
                ..Tuning::default()
            });
        let command = system.command(&plan);
        assert_eq!(
            command.arguments.join(" "),
            "node raft --node 1 --cluster blue --listen 127.0.0.1:7001 --client 127.0.0.1:8001 \
             --peer 2=127.0.0.1:9002 --data /data/1 --trace /nodes/1/trace.jsonl --bug vote-not-persisted --election-ms 400 \
             --crashable --exit-with-parent"
        );
    }
}
