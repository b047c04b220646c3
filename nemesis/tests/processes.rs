//! Node processes, with real ones.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;
use tribunal_nemesis::Processes;
use tribunal_nemesis::process::{
    Asked, Exit, ExitEvent, NodeCommand, ProcessError, ProcessState, Supervisor,
};

const LIMIT: Duration = Duration::from_secs(20);
const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;

/// A node whose program is a shell script, in a folder of its own.
fn script(folder: &Path, text: &str) -> NodeCommand {
    NodeCommand {
        program: PathBuf::from("/bin/sh"),
        arguments: vec!["-c".to_owned(), text.to_owned()],
        environment: BTreeMap::from([("GREETING".to_owned(), "hello".to_owned())]),
        directory: folder.to_owned(),
        log: folder.join("log"),
    }
}

struct Fixture {
    folder: TempDir,
    supervisor: Supervisor,
    ends: UnboundedReceiver<ExitEvent>,
}

fn fixture() -> Fixture {
    let (supervisor, ends) = Supervisor::new().unwrap();
    Fixture {
        folder: tempfile::tempdir().unwrap(),
        supervisor,
        ends,
    }
}

impl Fixture {
    async fn start(&self, text: &str) -> u32 {
        self.supervisor
            .start(1, script(self.folder.path(), text))
            .await
            .unwrap()
    }

    /// Starts a script that says `up` when it is ready for what comes.
    async fn start_up(&self, text: &str) -> u32 {
        let pid = self.start(text).await;
        let said = async {
            while !self.log().ends_with("up\n") {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(LIMIT, said)
            .await
            .expect("it says that it is up");
        pid
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    async fn end(&mut self) -> ExitEvent {
        tokio::time::timeout(LIMIT, self.ends.recv())
            .await
            .expect("in time")
            .unwrap()
    }
}

/// A pipe by name that says when the last of its writers is gone.
struct Witness {
    path: PathBuf,
    lines: mpsc::Receiver<Option<String>>,
}

/// Whatever opens the pipe for writing writes a line; its end is passed on as
/// none.
fn witness(folder: &Path) -> Witness {
    let path = folder.join("alive");
    assert!(
        Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    let (send, lines) = mpsc::channel();
    let pipe = path.clone();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(File::open(pipe).unwrap());
        let mut line = String::new();
        while reader.read_line(&mut line).unwrap() > 0 {
            let _ = send.send(Some(std::mem::take(&mut line)));
        }
        let _ = send.send(None);
    });
    Witness { path, lines }
}

impl Witness {
    /// A script that holds the pipe open, and so does a child of its.
    fn script(&self) -> String {
        let pipe = self.path.display();
        format!("exec 3>{pipe}; sleep 1000 & echo up >&3; exec sleep 1000")
    }

    fn next(&self) -> Option<String> {
        self.lines.recv_timeout(LIMIT).expect("in time")
    }
}

#[tokio::test]
async fn a_kill_is_seen_by_its_wait_status_and_a_restart_runs_the_same_again() {
    let mut fixture = fixture();
    let pid = fixture
        .start_up("echo $GREETING; echo up; sleep 1000")
        .await;
    let killed = fixture.supervisor.kill(1).await.unwrap();
    assert_eq!((killed.pid, killed.exit), (pid, Exit::Signal(SIGKILL)));
    assert_eq!(
        fixture.supervisor.state(1),
        ProcessState::Exited {
            pid,
            exit: killed.exit
        }
    );
    let error = fixture.supervisor.kill(1).await.unwrap_err().to_string();
    assert_eq!(error, "n1 died by SIGKILL before");
    let again = fixture.supervisor.restart(1).await.unwrap();
    assert_eq!(
        fixture.supervisor.state(1),
        ProcessState::Running { pid: again }
    );
    while fixture.log() != "hello\nup\nhello\nup\n" {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(fixture.supervisor.last_lines(1), ["hello", "up"]);
    assert!(
        fixture.ends.try_recv().is_err(),
        "a kill that was asked for is no news"
    );
}

#[tokio::test]
async fn a_pause_stops_every_thread_of_the_node_and_of_what_it_started() {
    let fixture = fixture();
    let pid = fixture
        .start_up("sleep 1000 & sleep 1000 & echo up; wait")
        .await;
    let paused = fixture.supervisor.pause(1).await.unwrap();
    assert_eq!((paused.pid, paused.processes, paused.threads), (pid, 3, 3));
    assert_eq!(fixture.supervisor.state(1), ProcessState::Stopped { pid });
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    assert!(state.contains(") T "), "{state}");
    let resumed = fixture.supervisor.resume(1).await.unwrap();
    assert_eq!((resumed.threads, resumed.was_stopped), (3, true));
    assert_eq!(fixture.supervisor.state(1), ProcessState::Running { pid });
    assert!(!fixture.supervisor.resume(1).await.unwrap().was_stopped);
}

#[tokio::test]
async fn a_node_is_paused_even_while_it_starts_others() {
    // A shell that waits for its child between vfork and exec cannot stop.
    let fixture = fixture();
    fixture
        .start_up("echo up; while :; do /bin/true; done")
        .await;
    for _ in 0..30 {
        let paused = fixture.supervisor.pause(1).await.unwrap();
        assert!(paused.threads >= 1);
        assert!(fixture.supervisor.resume(1).await.unwrap().was_stopped);
    }
}

#[tokio::test]
async fn a_paused_node_can_be_killed_and_can_be_stopped() {
    let fixture = fixture();
    fixture.start_up("echo up; sleep 1000").await;
    fixture.supervisor.pause(1).await.unwrap();
    assert!(fixture.supervisor.kill(1).await.unwrap().exit.by_kill());
    fixture.supervisor.restart(1).await.unwrap();
    fixture.supervisor.pause(1).await.unwrap();
    assert_eq!(
        fixture.supervisor.stop(1, LIMIT).await.unwrap(),
        Exit::Signal(SIGTERM)
    );
}

#[tokio::test]
async fn a_node_that_ends_unasked_is_announced_with_its_last_lines() {
    let mut fixture = fixture();
    let pid = fixture
        .start("echo started; echo 'panicked at x' >&2; exit 101")
        .await;
    let end = fixture.end().await;
    assert_eq!(
        (end.node, end.pid, end.exit, end.asked),
        (1, pid, Exit::Code(101), Asked::Nothing)
    );
    assert_eq!(end.last_lines, ["started", "panicked at x"]);
    assert_eq!(end.log, fixture.folder.path().join("log"));
    assert_eq!(end.exit.to_string(), "exited with code 101");
}

#[tokio::test]
async fn a_stop_gives_time_to_end_well() {
    let mut fixture = fixture();
    fixture
        .start_up("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done")
        .await;
    assert_eq!(
        fixture.supervisor.stop(1, LIMIT).await.unwrap(),
        Exit::Code(0)
    );
    assert!(fixture.log().ends_with("bye\n"));
    assert!(
        fixture.ends.try_recv().is_err(),
        "a stop that was asked for is no news"
    );
    assert_eq!(
        fixture.supervisor.stop(1, LIMIT).await.unwrap(),
        Exit::Code(0)
    );
}

#[tokio::test]
async fn a_node_that_will_not_stop_is_killed_after_its_grace() {
    let fixture = fixture();
    fixture
        .start_up("trap '' TERM; echo up; while :; do sleep 0.01; done")
        .await;
    let ends = fixture.supervisor.stop_all(Duration::from_millis(50)).await;
    assert_eq!(ends.len(), 1);
    assert_eq!(*ends[0].1.as_ref().unwrap(), Exit::Signal(SIGKILL));
}

#[tokio::test]
async fn a_node_that_fails_while_it_is_stopped_is_announced() {
    let mut fixture = fixture();
    fixture
        .start_up("trap 'exit 3' TERM; echo up; while :; do sleep 0.01; done")
        .await;
    assert_eq!(
        fixture.supervisor.stop(1, LIMIT).await.unwrap(),
        Exit::Code(3)
    );
    assert_eq!(fixture.end().await.asked, Asked::Stop);
}

#[tokio::test]
async fn what_cannot_be_done_is_said() {
    let fixture = fixture();
    let supervisor = &fixture.supervisor;
    assert_eq!(
        supervisor.kill(4).await.unwrap_err().to_string(),
        "n4 was never started"
    );
    let mut missing = script(fixture.folder.path(), "");
    missing.program = PathBuf::from("/no/such/program");
    let error = supervisor.start(2, missing).await.unwrap_err();
    assert_eq!(error.to_string(), "start /no/such/program as n2");
    let pid = fixture.start("sleep 1000").await;
    let again = supervisor
        .start(1, script(fixture.folder.path(), ""))
        .await
        .unwrap_err();
    assert!(
        matches!(again, ProcessError::Running { node: 1, pid: p } if p == pid),
        "{again}"
    );
}

#[tokio::test]
async fn a_node_sees_the_end_of_its_input_only_when_the_harness_lets_go() {
    let fixture = fixture();
    let pid = fixture.start_up("echo up; cat; echo end of input").await;
    fixture.supervisor.pause(1).await.unwrap();
    fixture.supervisor.resume(1).await.unwrap();
    assert_eq!(fixture.supervisor.state(1), ProcessState::Running { pid });
    assert_eq!(fixture.log(), "up\n");
}

#[tokio::test]
async fn a_dropped_supervisor_leaves_no_process_behind() {
    let fixture = fixture();
    let witness = witness(fixture.folder.path());
    fixture.start(&witness.script()).await;
    assert_eq!(witness.next().as_deref(), Some("up\n"));
    drop(fixture.supervisor);
    assert_eq!(witness.next(), None);
}

#[tokio::test]
async fn what_a_node_leaves_behind_goes_with_it() {
    let mut fixture = fixture();
    let witness = witness(fixture.folder.path());
    let leaving = format!(
        "exec 3>{}; sleep 1000 & echo up >&3; exit 7",
        witness.path.display()
    );
    fixture.start(&leaving).await;
    assert_eq!(fixture.end().await.exit, Exit::Code(7));
    assert_eq!(witness.next().as_deref(), Some("up\n"));
    assert_eq!(witness.next(), None);
}

/// Not a test of its own: the harness that the next test kills.
#[test]
#[ignore = "only as a child of the test of a killed harness"]
fn a_harness() {
    let Ok(folder) = std::env::var("TRIBUNAL_TEST_FOLDER") else {
        return;
    };
    let folder = PathBuf::from(folder);
    let text = std::fs::read_to_string(folder.join("script")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (supervisor, _ends) = Supervisor::new().unwrap();
    runtime.block_on(async {
        supervisor.start(1, script(&folder, &text)).await.unwrap();
        std::future::pending::<()>().await;
    });
}

#[test]
fn a_harness_that_is_killed_leaves_no_process_behind() {
    let folder = tempfile::tempdir().unwrap();
    let witness = witness(folder.path());
    std::fs::write(folder.path().join("script"), witness.script()).unwrap();
    let mut harness = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_harness", "--ignored", "--nocapture"])
        .env("TRIBUNAL_TEST_FOLDER", folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    assert_eq!(witness.next().as_deref(), Some("up\n"));
    harness.kill().unwrap();
    harness.wait().unwrap();
    assert_eq!(witness.next(), None);
    let mut printed = String::new();
    harness
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut printed)
        .unwrap();
    assert!(!printed.contains("panicked"), "{printed}");
}
