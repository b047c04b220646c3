//! Whole faults: installed, shown to have taken effect, healed, verified.
//!
//! Node processes are shells that sleep; what the links lead to are echoing
//! listeners in this process, so that a link and a node can fail apart.

mod painted;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use painted::Painted;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;
use tribunal_histories::Value;
use tribunal_nemesis::links::Links;
use tribunal_nemesis::nemesis::Limits;
use tribunal_nemesis::process::{NodeCommand, ProcessState, Supervisor};
use tribunal_nemesis::schedule::Schedule;
use tribunal_nemesis::{
    Cluster, CrashPlace, Edge, FaultReport, Leader, Nemesis, Network, Node, Notice, Outcome,
    Pending, Processes, Transactions,
};

const NODES: usize = 3;

struct TestCluster {
    folder: TempDir,
    supervisor: Supervisor,
    network: Box<dyn Network>,
    leader: Mutex<Option<Leader>>,
    /// What the nodes say of transactions, from which time on.
    transactions: Mutex<(Option<Instant>, BTreeMap<Node, Transactions>)>,
    unready: Mutex<Option<Node>>,
    /// Which node cannot be told to forget a crash.
    deaf: Mutex<Option<Node>>,
    _listeners: JoinSet<()>,
}

impl Cluster for TestCluster {
    fn nodes(&self) -> Vec<Node> {
        (1..=NODES as Node).collect()
    }

    fn leader(&self) -> Pending<'_, Option<Leader>> {
        Box::pin(async { *self.leader.lock().unwrap() })
    }

    fn transactions(&self) -> Pending<'_, BTreeMap<Node, Transactions>> {
        Box::pin(async {
            let (since, said) = self.transactions.lock().unwrap().clone();
            match since.is_some_and(|since| Instant::now() < since) {
                true => BTreeMap::new(),
                false => said,
            }
        })
    }

    fn ready(&self, node: Node) -> Pending<'_, Result<(), String>> {
        Box::pin(async move {
            match *self.unready.lock().unwrap() == Some(node) {
                true => Err("still asleep".to_owned()),
                false => Ok(()),
            }
        })
    }

    fn crash_code(&self) -> Option<i32> {
        Some(86)
    }

    /// A node is asked by a file that bears its name.
    fn crash_at(&self, node: Node, place: Option<&CrashPlace>) -> Pending<'_, Result<(), String>> {
        let asked = self.folder.path().join(format!("crash-n{node}"));
        let place = place.cloned();
        Box::pin(async move {
            let done = match place {
                Some(_) => std::fs::write(asked, ""),
                None if *self.deaf.lock().unwrap() == Some(node) => {
                    return Err("no answer in time".to_owned());
                }
                None => std::fs::remove_file(asked),
            };
            done.map_err(|error| error.to_string())
        })
    }

    fn processes(&self) -> &dyn Processes {
        &self.supervisor
    }

    fn network(&self) -> &dyn Network {
        &*self.network
    }
}

async fn echoing(listeners: &mut JoinSet<()>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    listeners.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            connections.spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    address
}

struct Run {
    cluster: Arc<TestCluster>,
    /// Where node 1 reaches node 3.
    link: Option<SocketAddr>,
    nemesis: Nemesis,
    notices: UnboundedReceiver<Notice>,
}

async fn run_with(script: &str, painted: bool) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let mut listeners = JoinSet::new();
    let (supervisor, _ends) = Supervisor::new().unwrap();
    let mut addresses = BTreeMap::new();
    for node in 1..=NODES as Node {
        addresses.insert(node, echoing(&mut listeners).await);
        let command = NodeCommand {
            program: "/bin/sh".into(),
            arguments: vec!["-c".to_owned(), script.to_owned(), format!("n{node}")],
            environment: BTreeMap::new(),
            directory: folder.path().to_owned(),
            log: folder.path().join(format!("n{node}.log")),
        };
        supervisor.start(node, command).await.unwrap();
    }
    let links = Links::open(&addresses).await.unwrap();
    let link = links.address(1, 3);
    let network: Box<dyn Network> = if painted {
        Box::new(Painted)
    } else {
        Box::new(links)
    };
    let cluster = Arc::new(TestCluster {
        folder,
        supervisor,
        network,
        leader: Mutex::default(),
        transactions: Mutex::default(),
        unready: Mutex::default(),
        deaf: Mutex::default(),
        _listeners: listeners,
    });
    let (send, notices) = unbounded_channel();
    let limits = Limits {
        ready: Duration::from_millis(500),
        ..Limits::default()
    };
    let sink = move |notice| send.send(notice).unwrap();
    let nemesis = Nemesis::with_limits(cluster.clone(), Instant::now(), sink, limits);
    Run {
        cluster,
        link,
        nemesis,
        notices,
    }
}

async fn run() -> Run {
    run_with("exec sleep 1000", false).await
}

fn schedule(faults: &str) -> Schedule {
    let text = format!("{{\"faults\": [{faults}]}}");
    Schedule::parse(Path::new("test"), &text, NODES).unwrap()
}

impl Run {
    async fn reports(&self, faults: &str) -> Vec<FaultReport> {
        self.nemesis.run(&schedule(faults)).await;
        self.nemesis.reports()
    }

    async fn notice(&mut self) -> Notice {
        tokio::time::timeout(Duration::from_secs(20), self.notices.recv())
            .await
            .unwrap()
            .unwrap()
    }

    fn all_run(&self) -> bool {
        let state = |node| self.cluster.supervisor.state(node);
        self.cluster
            .nodes()
            .into_iter()
            .all(|n| matches!(state(n), ProcessState::Running { .. }))
    }
}

fn assert_healed(report: &FaultReport) {
    assert_eq!(report.outcome, Outcome::Installed, "{report:?}");
    assert!(report.effective && report.healed, "{report:?}");
    let times = report.times;
    let all = [
        Some(times.began_ns),
        times.effective_ns,
        times.heal_began_ns,
        times.healed_ns,
    ];
    assert!(
        all.iter().all(Option::is_some) && all.is_sorted(),
        "{times:?}"
    );
}

#[tokio::test]
async fn a_kill_is_effective_by_wait_status_and_healed_when_ready() {
    let mut run = run().await;
    let reports = run
        .reports(r#"{"at":"10ms","for":"200ms","fault":"kill","targets":["n1","n2"]}"#)
        .await;
    assert_healed(&reports[0]);
    assert_eq!(reports[0].targets, ["n1", "n2"]);
    let says = &reports[0].evidence.says;
    assert!(
        says.contains("died by SIGKILL") && says.contains("ready again after"),
        "{says}"
    );
    let Value::Map(killed) = &reports[0].evidence.facts["killed"] else {
        panic!()
    };
    assert_eq!(killed.len(), 2);
    assert!(run.all_run());
    let (begin, end) = (run.notice().await, run.notice().await);
    assert_eq!((begin.edge, end.edge), (Edge::Begin, Edge::End));
    assert_eq!(
        begin.value.to_string(),
        r#"{"edge":"begin","targets":["n1","n2"]}"#
    );
    assert!(
        end.value.to_string().contains(r#""outcome":"installed""#),
        "{}",
        end.value
    );
    assert_eq!(end.report, reports[0]);
}

/// Ends with a code once it is asked to, if it is the first node.
const CRASHES: &str = r#"
    [ $0 = n1 ] || exec sleep 1000
    while [ ! -e crash-$0 ]; do sleep 0.01; done
    rm crash-$0
    exit CODE"#;

fn crash_at(targets: &str) -> String {
    format!(
        r#"{{"at":"0s","for":"300ms","fault":"crash-at","crash":{{"after":"send","ordinal":2}},"targets":{targets}}}"#
    )
}

#[tokio::test]
async fn a_crash_at_a_place_is_effective_by_its_own_exit_code_and_takes_the_others_with_it() {
    let mut run = run_with(&CRASHES.replace("CODE", "86"), false).await;
    let reports = run.reports(&crash_at("\"all\"")).await;
    assert_healed(&reports[0]);
    let says = &reports[0].evidence.says;
    for part in [
        "n1, n2, n3 asked to crash after send 2",
        "n1 exited with code 86",
        "died by SIGKILL",
        "n3 ready again after",
    ] {
        assert!(says.contains(part), "{says}");
    }
    assert!(run.all_run());
    let begin = run.notice().await.value.to_string();
    assert!(
        begin.contains(r#""crash":{"after":"send","ordinal":2}"#),
        "{begin}"
    );
}

#[tokio::test]
async fn the_others_go_after_the_lag_that_was_asked_for() {
    let run = run_with(&CRASHES.replace("CODE", "86"), false).await;
    let place = r#""ordinal":2,"lag":"100ms""#;
    let reports = run
        .reports(&crash_at("\"all\"").replace(r#""ordinal":2"#, place))
        .await;
    assert_healed(&reports[0]);
    let times = &reports[0].times;
    let waited = times.effective_ns.unwrap() - times.began_ns;
    assert!(waited >= 100_000_000, "{waited} ns");
    assert!(reports[0].evidence.says.contains("n3 ready again after"));
    assert!(run.all_run());
}

#[tokio::test]
async fn a_crash_that_nobody_comes_to_has_no_effect_and_is_forgotten() {
    let run = run().await;
    let reports = run.reports(&crash_at(r#"["n1","n2"]"#)).await;
    let report = &reports[0];
    assert!(!report.effective && report.healed, "{report:?}");
    let reason = report.reason.as_ref().unwrap();
    assert!(
        reason.contains("no target came to send 2 in time"),
        "{reason}"
    );
    assert!(!run.cluster.folder.path().join("crash-n1").exists());
    assert!(run.all_run());
}

#[tokio::test]
async fn who_cannot_be_told_to_forget_a_crash_is_killed() {
    let run = run().await;
    *run.cluster.deaf.lock().unwrap() = Some(2);
    let reports = run.reports(&crash_at(r#"["n1","n2"]"#)).await;
    let report = &reports[0];
    assert!(!report.effective && report.healed, "{report:?}");
    let reason = report.reason.as_ref().unwrap();
    let why = "n2 is killed, since it might crash yet: no answer in time";
    assert!(reason.contains(why), "{reason}");
    let says = &report.evidence.says;
    assert!(says.contains("died by SIGKILL"), "{says}");
    assert!(run.all_run());
}

#[tokio::test]
async fn an_end_of_another_kind_is_not_the_crash_that_was_asked_for() {
    let run = run_with(&CRASHES.replace("CODE", "3"), false).await;
    let reports = run.reports(&crash_at(r#"["n1"]"#)).await;
    let report = &reports[0];
    assert!(!report.effective, "{report:?}");
    let reason = report.reason.as_ref().unwrap();
    assert!(
        reason.contains("n1 exited with code 3, which is not"),
        "{reason}"
    );
    assert!(run.all_run());
}

#[tokio::test]
async fn a_pause_is_effective_when_all_threads_stopped_and_healed_when_they_run() {
    let run = run().await;
    let reports = run
        .reports(r#"{"at":"0s","for":"200ms","fault":"pause","targets":"all"}"#)
        .await;
    assert_healed(&reports[0]);
    assert_eq!(reports[0].targets, ["n1", "n2", "n3"]);
    assert_eq!(reports[0].evidence.facts["threads_stopped"], Value::Int(3));
    assert!(run.all_run());
}

#[tokio::test]
async fn a_partition_is_effective_by_held_probes_and_healed_when_all_was_delivered() {
    let mut run = run().await;
    let mut stream = TcpStream::connect(run.link.unwrap()).await.unwrap();
    let nemesis = run.nemesis.clone();
    let faults = r#"{"at":"0s","for":"300ms","fault":"partition","shape":"isolate-one","cut":"hold","targets":["n3"]}"#;
    let running = tokio::spawn(async move { nemesis.run(&schedule(faults)).await });
    assert_eq!(run.notice().await.edge, Edge::Begin);
    while !run
        .nemesis
        .open()
        .first()
        .is_some_and(|open| open.effective)
    {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stream.write_all(b"held").await.unwrap();
    running.await.unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await.unwrap();
    let report = &run.nemesis.reports()[0];
    assert_healed(report);
    let fact = |name: &str| report.evidence.facts[name].clone();
    assert_eq!(fact("links_cut"), Value::Int(4));
    assert_eq!(fact("probes_stopped"), Value::Int(4));
    assert_eq!(fact("bytes_held"), Value::Int(4));
    assert_eq!(fact("links_carrying"), Value::Int(4));
}

#[tokio::test]
async fn a_reset_partition_resets_probes() {
    let run = run().await;
    let reports = run.reports(r#"{"at":"0s","for":"100ms","fault":"partition","shape":"halves","cut":"reset","targets":["n3"]}"#).await;
    assert_healed(&reports[0]);
    let says = &reports[0].evidence.says;
    assert!(says.starts_with("4 of 4 probes reset"), "{says}");
}

#[tokio::test]
async fn overlapping_partitions_heal_when_no_other_cuts_their_links() {
    let run = run().await;
    let reports = run
        .reports(
            r#"{"at":"0s","for":"200ms","fault":"partition","shape":"isolate-one","targets":["n1"]},
               {"at":"50ms","for":"400ms","fault":"partition","shape":"isolate-one","targets":["n2"]}"#,
        )
        .await;
    reports.iter().for_each(assert_healed);
    // The links between the two were cut by both.
    let [first, second] = &reports[..] else {
        panic!("{reports:?}")
    };
    let fact = |report: &FaultReport, name: &str| report.evidence.facts[name].clone();
    assert_eq!(fact(first, "links_cut_by_others"), Value::Int(2));
    assert_eq!(
        fact(first, "cut_by_others").to_string(),
        r#"{"fault 1":["n1->n2","n2->n1"]}"#
    );
    let says = &first.evidence.says;
    assert!(
        says.contains("fault 1 (partition) still cuts n1->n2, n2->n1"),
        "{says}"
    );
    assert_eq!(fact(first, "links_carrying"), Value::Int(4));
    assert_eq!(fact(second, "links_carrying"), Value::Int(4));
    assert_eq!(fact(second, "links_cut_by_others"), Value::Int(0));
}

#[tokio::test]
async fn a_partition_under_another_one_is_not_healed_before_its_links_carry() {
    let run = run().await;
    let mut stream = TcpStream::connect(run.link.unwrap()).await.unwrap();
    let nemesis = run.nemesis.clone();
    let faults = r#"{"at":"0s","for":"100ms","fault":"partition","shape":"isolate-one","cut":"hold","targets":["n3"]},
        {"at":"50ms","for":"1h","fault":"partition","shape":"isolate-one","cut":"hold","targets":["n3"]}"#;
    let running = tokio::spawn(async move { nemesis.run(&schedule(faults)).await });
    let still_cut = || {
        let open = run.nemesis.open();
        open.into_iter()
            .find(|open| open.id == 0 && open.evidence.facts.contains_key("cut_by_others"))
    };
    while still_cut().is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stream.write_all(b"held").await.unwrap();
    let report = still_cut().unwrap();
    assert!(report.effective && !report.healed, "{report:?}");
    assert_eq!(report.times.healed_ns, None);
    let says = &report.evidence.says;
    assert!(says.contains("0 links carry again"), "{says}");
    assert!(says.contains("fault 1 (partition) still cuts"), "{says}");
    assert!(run.nemesis.heal_all().await.complete());
    running.await.unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await.unwrap();
    let reports = run.nemesis.reports();
    reports.iter().for_each(assert_healed);
    assert!(reports[0].times.healed_ns > reports[1].times.heal_began_ns);
    assert_eq!(reports[0].evidence.facts["links_carrying"], Value::Int(4));
}

#[tokio::test]
async fn a_leader_is_resolved_when_the_fault_is_installed() {
    let run = run().await;
    *run.cluster.leader.lock().unwrap() = Some(Leader { node: 2, epoch: 7 });
    let reports = run
        .reports(
            r#"{"at":"0s","for":"100ms","fault":"kill","targets":"leader"},
               {"at":"0s","for":"100ms","fault":"partition","shape":"isolate-leader","targets":"leader"}"#,
        )
        .await;
    reports.iter().for_each(assert_healed);
    assert!(reports.iter().all(|report| report.targets == ["n2"]));
}

/// What three nodes say of transactions: of how many they coordinate none is
/// decided, and about how many they are in doubt.
fn said(of_nodes: [(u64, u64); NODES]) -> BTreeMap<Node, Transactions> {
    let of_nodes = of_nodes.map(|(undecided, in_doubt)| Transactions {
        undecided,
        in_doubt,
    });
    (1..).zip(of_nodes).collect()
}

#[tokio::test]
async fn a_coordinator_and_a_prepared_node_are_those_with_most_transactions() {
    let run = run().await;
    run.cluster.transactions.lock().unwrap().1 = said([(1, 5), (4, 0), (2, 9)]);
    let reports = run
        .reports(
            r#"{"at":"0s","for":"100ms","fault":"kill","targets":"coordinator"},
               {"at":"0s","for":"100ms","fault":"pause","targets":"prepared"},
               {"at":"0s","for":"100ms","fault":"partition","shape":"isolate-coordinator","targets":"coordinator"}"#,
        )
        .await;
    reports.iter().for_each(assert_healed);
    let targets: Vec<_> = reports.iter().flat_map(|report| &report.targets).collect();
    assert_eq!(targets, ["n2", "n3", "n2"]);
}

#[tokio::test]
async fn a_role_that_nobody_has_yet_is_waited_for() {
    let run = run().await;
    let soon = Instant::now() + Duration::from_millis(100);
    *run.cluster.transactions.lock().unwrap() = (Some(soon), said([(0, 0), (0, 0), (1, 0)]));
    let reports = run
        .reports(r#"{"at":"0s","for":"1.2s","fault":"kill","targets":"coordinator"}"#)
        .await;
    assert_healed(&reports[0]);
    assert_eq!(reports[0].targets, ["n3"]);
}

#[tokio::test]
async fn a_role_that_nobody_has_is_a_reason_to_skip() {
    let run = run().await;
    run.cluster.transactions.lock().unwrap().1 = said([(0, 0); NODES]);
    let reports = run
        .reports(
            r#"{"at":"0s","for":"100ms","fault":"kill","targets":"coordinator"},
               {"at":"0s","for":"100ms","fault":"pause","targets":"prepared"}"#,
        )
        .await;
    let outcomes: Vec<_> = reports.iter().map(|report| report.outcome).collect();
    assert_eq!(outcomes, [Outcome::Skipped; 2]);
    let reasons: Vec<_> = reports.iter().filter_map(|r| r.reason.as_deref()).collect();
    let expected = [
        "no node says that it coordinates an open transaction",
        "no node says that it has prepared a transaction and not heard its decision",
    ];
    assert_eq!(reasons, expected);
}

#[tokio::test]
async fn a_fault_that_finds_no_target_is_skipped_with_its_reason() {
    let mut run = run().await;
    let reports = run
        .reports(r#"{"at":"0s","for":"100ms","fault":"kill","targets":"leader"}"#)
        .await;
    assert_eq!(reports[0].outcome, Outcome::Skipped);
    assert_eq!(
        reports[0].reason.as_deref(),
        Some("no node says that it leads")
    );
    assert!(!reports[0].effective && !reports[0].healed);
    assert_eq!(run.notice().await.edge, Edge::Begin);
    let end = run.notice().await.value.to_string();
    assert!(end.contains("no node says that it leads"), "{end}");
}

#[tokio::test]
async fn a_node_is_under_one_fault_at_a_time() {
    let run = run().await;
    *run.cluster.leader.lock().unwrap() = Some(Leader { node: 1, epoch: 7 });
    let reports = run
        .reports(
            r#"{"at":"0s","for":"300ms","fault":"pause","targets":"leader"},
               {"at":"100ms","for":"100ms","fault":"kill","targets":["n1"]},
               {"at":"100ms","for":"100ms","fault":"kill","targets":["n1","n2"]}"#,
        )
        .await;
    assert_healed(&reports[0]);
    assert_eq!(reports[1].outcome, Outcome::Skipped);
    let reason = reports[1].reason.as_deref();
    assert_eq!(
        reason,
        Some("n1 is under fault 0 (pause); no target could take it")
    );
    assert_healed(&reports[2]);
    assert_eq!(reports[2].targets, ["n2"]);
    assert_eq!(
        reports[2].reason.as_deref(),
        Some("n1 is under fault 0 (pause)")
    );
}

#[tokio::test]
async fn a_fault_without_evidence_is_not_effective() {
    let run = run_with("exec sleep 1000", true).await;
    let reports = run
        .reports(
            r#"{"at":"0s","for":"100ms","fault":"partition","shape":"halves","targets":["n1"]}"#,
        )
        .await;
    assert!(!reports[0].effective);
    assert_eq!(reports[0].times.effective_ns, None);
    assert_eq!(
        reports[0].reason.as_deref(),
        Some("4 of 4 links show no sign of the cut")
    );
}

#[tokio::test]
async fn healing_all_ends_what_is_open_and_skips_what_is_not_yet_due() {
    let mut run = run().await;
    let faults = r#"{"at":"0s","for":"1h","fault":"kill","targets":["n1"]},
        {"at":"0s","for":"1h","fault":"pause","targets":["n2"]},
        {"at":"0s","for":"1h","fault":"partition","shape":"halves","targets":["n3"]},
        {"at":"1h","for":"1h","fault":"kill","targets":"all"}"#;
    let nemesis = run.nemesis.clone();
    let running = tokio::spawn(async move { nemesis.run(&schedule(faults)).await });
    while run
        .nemesis
        .open()
        .iter()
        .filter(|open| open.effective)
        .count()
        < 3
    {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(!run.all_run());
    let healing = run.nemesis.heal_all().await;
    assert!(healing.complete(), "{healing:?}");
    running.await.unwrap();
    let reports = run.nemesis.reports();
    reports[..3].iter().for_each(assert_healed);
    assert_eq!(reports[3].outcome, Outcome::Skipped);
    assert_eq!(
        reports[3].reason.as_deref(),
        Some("the load ended before it was due")
    );
    assert!(run.all_run() && run.nemesis.open().is_empty());
    for _ in 0..8 {
        run.notice().await;
    }
}

#[tokio::test]
async fn a_node_that_does_not_become_ready_is_not_healed_until_it_is() {
    let run = run().await;
    *run.cluster.unready.lock().unwrap() = Some(1);
    let faults = r#"{"at":"0s","for":"50ms","fault":"kill","targets":["n1"]}"#;
    let report = &run.reports(faults).await[0];
    assert!(report.effective && !report.healed, "{report:?}");
    let reason = report.reason.as_deref().unwrap();
    assert!(reason.starts_with("n1: not ready within"), "{reason}");
    assert!(reason.ends_with("still asleep"), "{reason}");
    let healing = run.nemesis.heal_all().await;
    assert!(
        healing.unhealed[0].starts_with("n1: not ready within"),
        "{healing:?}"
    );
    *run.cluster.unready.lock().unwrap() = None;
    assert!(run.nemesis.heal_all().await.complete());
    assert!(run.nemesis.reports()[0].healed);
}

#[tokio::test]
async fn a_node_that_ends_after_its_restart_is_not_healed() {
    // The second start finds the first one's file, and fails.
    let run = run_with("[ -e $0 ] && exit 9; : > $0; exec sleep 1000", false).await;
    while !run.cluster.folder.path().join("n1").exists() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    *run.cluster.unready.lock().unwrap() = Some(1);
    let faults = r#"{"at":"0s","for":"50ms","fault":"kill","targets":["n1"]}"#;
    let report = &run.reports(faults).await[0];
    assert!(report.effective && !report.healed, "{report:?}");
    let reason = report.reason.as_deref().unwrap();
    assert_eq!(reason, "n1: exited with code 9 after its restart");
}

#[tokio::test]
async fn a_node_that_died_of_itself_is_not_killed_again() {
    let run = run_with("exit 0", false).await;
    for node in run.cluster.nodes() {
        while matches!(
            run.cluster.supervisor.state(node),
            ProcessState::Running { .. }
        ) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let report = &run
        .reports(r#"{"at":"0s","for":"50ms","fault":"kill","targets":["n1"]}"#)
        .await[0];
    assert_eq!(report.outcome, Outcome::Skipped);
    let reason = report.reason.as_deref();
    assert_eq!(
        reason,
        Some("n1 exited with code 0 before; no target could take it")
    );
    assert!(
        run.nemesis.heal_all().await.complete(),
        "a crash is no fault of the nemesis"
    );
}
