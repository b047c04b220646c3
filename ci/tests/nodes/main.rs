//! Nodes as real processes: they start or say why not, serve, survive
//! SIGKILL, and end when told to.

mod administration;
mod cluster;
mod traces;

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use cluster::{Cluster, contents, read, surely, until, write};
use nix::sys::signal::Signal;
use tribunal_histories::Value;
use tribunal_impls::adapter::{Completion, Invocation};

#[tokio::test]
async fn raft_serves_and_loses_nothing_when_its_leader_is_killed() {
    let mut cluster = Cluster::new("raft", 3);
    cluster.start_all();
    let leader = cluster.leader().await;
    let follower = leader % 3 + 1;
    let mut client = cluster.client(follower, false);
    assert_eq!(client.invoke(&read(1)).await, Completion::Ok(Value::Null));
    assert_eq!(
        client.invoke(&write(1, 5)).await,
        Completion::Ok(Value::Int(5))
    );
    assert_eq!(client.node(), leader, "the redirect was followed");
    let cas = |from: i64, to: i64| Invocation {
        f: "cas".to_owned(),
        key: Value::Int(1),
        value: Value::List(vec![Value::Int(from), Value::Int(to)]),
    };
    assert_eq!(
        client.invoke(&cas(5, 6)).await,
        Completion::Ok(cas(5, 6).value)
    );
    assert!(matches!(
        client.invoke(&cas(5, 7)).await,
        Completion::Refused(_)
    ));

    cluster.kill(leader);
    let mut retrying = cluster.client(follower, true);
    assert_eq!(surely(&mut *retrying, &read(1)).await, Value::Int(6));
    assert_eq!(surely(&mut *retrying, &write(2, 8)).await, Value::Int(8));

    cluster.start(leader);
    let digests = cluster.digests().await;
    assert_eq!(digests, [digests[0]; 3]);
    let said = cluster.said(leader);
    assert!(said.contains("incarnation 2"), "{said}");
}

#[tokio::test]
async fn raft_keeps_every_acknowledged_write_when_all_nodes_are_killed_again_and_again() {
    let mut cluster = Cluster::new("raft", 3);
    cluster.arguments = vec!["--checkpoint-bytes", "2000"];
    cluster.start_all();
    let mut acknowledged = 0;
    for _round in 0..5 {
        let mut client = cluster.client(1, true);
        for _ in 0..25 {
            let next = acknowledged + 1;
            surely(&mut *client, &write(next % 7, next)).await;
            acknowledged = next;
        }
        cluster.numbers().for_each(|node| cluster.kill(node));
        cluster.start_all();
    }
    let mut client = cluster.client(1, true);
    for value in acknowledged - 6..=acknowledged {
        assert_eq!(
            surely(&mut *client, &read(value % 7)).await,
            Value::Int(value)
        );
    }
    let digests = cluster.digests().await;
    assert_eq!(digests, [digests[0]; 3]);
    assert!(
        !cluster.data(1).join("journal-0000").exists(),
        "checkpoints replaced the journal"
    );
}

#[tokio::test]
async fn a_client_fails_for_certain_where_nothing_was_sent() {
    let cluster = Cluster::new("raft", 3);
    let mut client = cluster.client(2, false);
    assert!(matches!(
        client.invoke(&write(1, 5)).await,
        Completion::Fail(_)
    ));
    assert_eq!(client.node(), 2);
}

#[tokio::test]
async fn a_client_does_not_know_what_became_of_a_write_that_a_paused_leader_swallowed() {
    let mut cluster = Cluster::new("raft", 1);
    cluster.start(1);
    cluster.leader().await;
    let mut client = cluster.client(1, false);
    surely(&mut *client, &write(1, 5)).await;
    cluster.signal(1, Signal::SIGSTOP);
    let lost = write(1, 6);
    let (written, read_back) = tokio::join!(client.invoke(&lost), async {
        cluster.client(1, false).invoke(&read(1)).await
    },);
    assert!(matches!(written, Completion::Info(_)), "{written:?}");
    assert!(matches!(read_back, Completion::Fail(_)), "{read_back:?}");
    cluster.signal(1, Signal::SIGCONT);
}

#[tokio::test]
async fn sigterm_and_the_end_of_stdin_end_a_node_cleanly() {
    let mut cluster = Cluster::new("raft", 2);
    cluster.start_all();
    cluster.leader().await;
    cluster.signal(1, Signal::SIGTERM);
    assert_eq!(cluster.exit_code(1), Some(143));
    cluster.close_stdin(2);
    assert_eq!(cluster.exit_code(2), Some(0));
}

#[tokio::test]
async fn a_port_in_use_is_refused_before_any_data_are_touched() {
    let cluster = Cluster::new("raft", 1);
    let plan = cluster.plan(1);
    for address in [plan.peer_listen, plan.client_listen] {
        let taken = std::net::TcpListener::bind(address).unwrap();
        refused(&cluster, 1, &format!("on {address}"));
        assert!(!cluster.data(1).exists());
        drop(taken);
    }
}

#[tokio::test]
async fn bad_options_are_refused() {
    let mut cluster = Cluster::new("raft", 1);
    let cases: [(&[&str], &str); 6] = [
        (&["--node", "0"], "--node"),
        (
            &["--bug", "no-such-bug"],
            "no wrong version of raft is called `no-such-bug`",
        ),
        (
            &["--peer", "1=127.0.0.1:1"],
            "n1: it is among its own peers",
        ),
        (
            &["--election-ms", "10"],
            "its heartbeat is not shorter than its election timeout",
        ),
        (&["--no-such-flag"], "--no-such-flag"),
        (
            &["--compact-after", "5", "--compact-keep", "5"],
            "expected fewer entries to keep than to compact after, found 5 and 5",
        ),
    ];
    for (arguments, reason) in cases {
        cluster.arguments = arguments.to_vec();
        refused(&cluster, 1, reason);
        assert!(!cluster.data(1).exists());
    }
}

#[tokio::test]
async fn a_foreign_or_damaged_data_folder_is_refused_and_untouched() {
    let mut cluster = Cluster::new("raft", 1);
    cluster.start(1);
    cluster.leader().await;
    surely(&mut *cluster.client(1, false), &write(1, 5)).await;
    let inside = cluster.start_in_vain(1);
    assert_eq!(
        inside.status.code(),
        Some(254),
        "the ports are taken, and the folder locked"
    );
    cluster.kill(1);

    cluster.arguments = vec!["--node", "2"];
    refused(&cluster, 1, "data of node n1 of cluster `test`");
    cluster.arguments = vec!["--cluster", "other"];
    refused(&cluster, 1, "those of node n1 of cluster `other`");
    cluster.arguments.clear();
    let journal = cluster.data(1).join("journal-0000");
    let mut bytes = fs::read(&journal).unwrap();
    let place = bytes.len() - 30;
    bytes[place] ^= 1;
    fs::write(&journal, bytes).unwrap();
    refused(&cluster, 1, &format!("trust {} at byte", journal.display()));
}

/// Starts a node that refuses: one clear line, exit code 254, data untouched.
fn refused(cluster: &Cluster, node: u8, reason: &str) {
    let data = cluster.data(node);
    let before = data.exists().then(|| contents(&data));
    let output = cluster.start_in_vain(node);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(254), "{said}");
    assert!(said.contains(reason), "expected `{reason}` in: {said}");
    assert!(said.starts_with("error: "), "{said}");
    assert_eq!(data.exists().then(|| contents(&data)), before);
}

#[tokio::test]
async fn a_failed_write_ends_the_node_and_loses_nothing_acknowledged() {
    let mut cluster = Cluster::new("raft", 1);
    // Which would grow first.
    cluster.plans[0].trace = None;
    // No file of the node may grow beyond 16 blocks; the write that tries to
    // fails, instead of raising a signal.
    let node = cluster.command(1);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$@\"", "sh"]);
    shell.arg(node.get_program()).args(node.get_args());
    shell
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut process = shell.spawn().unwrap();
    let mut client = cluster.client(1, false);
    let mut acknowledged = 0;
    while process.try_wait().unwrap().is_none() {
        if let Completion::Ok(_) = client.invoke(&write(1, acknowledged + 1)).await {
            acknowledged += 1;
        }
    }
    let output = process.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(255), "{said}");
    assert!(
        said.contains("error: failed to write to the disk: write "),
        "{said}"
    );
    assert!(acknowledged > 10, "{acknowledged} were acknowledged");

    cluster.start(1);
    let Value::Int(found) = surely(&mut *cluster.client(1, true), &read(1)).await else {
        panic!("the value is gone");
    };
    assert!(
        found >= acknowledged,
        "{acknowledged} was acknowledged, {found} is left"
    );
}

#[tokio::test]
async fn a_peer_of_another_cluster_is_refused_and_told_why() {
    let mut cluster = Cluster::new("raft", 2);
    cluster.start(1);
    cluster.arguments = vec!["--cluster", "other"];
    cluster.start(2);
    for node in [1, 2] {
        until("the refusal is logged on both sides", async || {
            let said = cluster.said(node);
            let both = said.contains("refused a peer") && said.contains("the peer refuses this");
            both.then_some(())
        })
        .await;
    }
    assert!(cluster.said(1).contains("cluster `test`, not `other`"));
    assert!(
        cluster.said(1).lines().count() < 20,
        "a refused node does not dial in circles"
    );
}

#[tokio::test]
async fn a_single_value_is_chosen_and_survives_all_nodes() {
    let mut cluster = Cluster::new("single-decree", 3);
    cluster.start_all();
    let chosen = |reply: &tribunal_impls::service::Body| reply.get("value").cloned();
    let (one, two) = tokio::join!(
        cluster.ask(1, r#"{"type": "propose", "value": 11}"#),
        cluster.ask(2, r#"{"type": "propose", "value": 22}"#),
    );
    assert_eq!(one["type"], "propose_ok");
    assert_eq!(chosen(&one), chosen(&two));
    cluster.numbers().for_each(|node| cluster.kill(node));
    cluster.start_all();
    let three = cluster.ask(3, r#"{"type": "propose", "value": 33}"#).await;
    assert_eq!(chosen(&three), chosen(&one));
}

#[tokio::test]
async fn a_transaction_commits_once_the_last_participant_has_come_up() {
    let mut cluster = Cluster::new("coordinator", 3);
    // So that no participant aborts out of impatience.
    cluster.arguments = vec!["--election-ms", "20000"];
    cluster.start(1);
    cluster.start(2);
    let asked = cluster.ask(2, r#"{"type": "commit"}"#).await;
    assert_eq!(asked["leader"], "n1");
    // The connection below is tried once only, so n1 must listen by then.
    cluster.ask(1, r#"{"type": "status"}"#).await;
    let plan = cluster.plan(1).client_listen;
    let waiting = tokio::spawn(async move {
        let mut connection = tribunal_impls::client::Connection::open(plan)
            .await
            .unwrap();
        let body = serde_json::from_str(r#"{"type": "commit"}"#).unwrap();
        connection.ask("n1", body).await.unwrap()
    });
    cluster.start(3);
    assert_eq!(waiting.await.unwrap()["committed"], true);
    // What was decided stays so, and reaches a participant that was away.
    cluster.numbers().for_each(|node| cluster.kill(node));
    cluster.start_all();
    for node in cluster.numbers() {
        until("the decision has reached every node", async || {
            let status = cluster.ask(node, r#"{"type": "status"}"#).await;
            (status["committed"] == 1).then_some(())
        })
        .await;
    }
    assert_eq!(
        cluster.ask(1, r#"{"type": "commit"}"#).await["committed"],
        true
    );
}

#[tokio::test]
async fn a_lock_is_never_leased_to_two_at_once() {
    let mut cluster = Cluster::new("lock", 3);
    cluster.arguments = vec!["--clock-unit-ms", "50"];
    cluster.start_all();
    let mut over = 0;
    for holder in [2, 3, 2, 3] {
        let reply = cluster.ask(holder, r#"{"type": "acquire"}"#).await;
        let until = reply["until"].as_u64().unwrap();
        // A lease lasts one unit and begins after the last one is over for
        // every clock that differs by one unit at most.
        assert!(until > over + 1, "{until} after {over}");
        over = until;
        // What the grantor has promised, it knows after a crash.
        cluster.kill(1);
        cluster.start(1);
    }
}

#[tokio::test]
async fn a_node_crashes_between_two_outputs_where_it_is_asked_to() {
    for (after, of, answered) in [
        ("persist", None, false),
        ("answer", None, true),
        ("send", None, false),
        ("send", Some("append"), false),
        ("persist", Some("append"), false),
        ("persist-asked", Some("append"), false),
    ] {
        let mut cluster = Cluster::new("raft", 2);
        cluster.start_all();
        let leader = cluster.leader().await;
        let mut client = cluster.client(leader, false);
        surely(&mut *client, &write(1, 1)).await;
        let kind = of.map_or(String::new(), |of| format!(r#""of": "{of}", "#));
        let body = format!(r#"{{"type": "crash_at", "after": "{after}", {kind}"ordinal": 1}}"#);
        let reply = cluster.ask(leader, &body).await;
        assert_eq!(reply["type"], "crash_at_ok", "{after}");
        let outcome = client.invoke(&write(1, 2)).await;
        assert_eq!(
            outcome == Completion::Ok(Value::Int(2)),
            answered,
            "{after}: {outcome:?}"
        );
        assert_eq!(cluster.exit_code(leader), Some(86), "{after}");
        let said = cluster.said(leader);
        let kind = of.map_or(String::new(), |of| format!(" of {of}"));
        let mark = format!("n{leader} crashes after {after}{kind} 1, as it was asked");
        assert!(said.contains(&mark), "{said}");
        cluster.start(leader);
        let found = surely(&mut *cluster.client(3 - leader, true), &read(1)).await;
        assert!(!answered || found == Value::Int(2), "{after}: {found:?}");
    }
}

#[tokio::test]
async fn a_place_to_crash_is_refused_where_it_cannot_be_meant() {
    let mut cluster = Cluster::new("raft", 1);
    cluster.start(1);
    let cases = [
        (
            r#"{"type": "crash_at", "after": "lunch", "ordinal": 1}"#,
            "one of send",
        ),
        (
            r#"{"type": "crash_at", "after": "send", "ordinal": 0}"#,
            "a number from 1",
        ),
        (
            r#"{"type": "crash_at", "after": "send", "of": "lunch", "ordinal": 1}"#,
            "one of pre-vote",
        ),
        (
            r#"{"type": "crash_at", "after": "answer", "of": "vote", "ordinal": 1}"#,
            "answer has no kinds",
        ),
    ];
    for (body, expected) in cases {
        let reply = cluster.ask(1, body).await;
        assert_eq!(reply["type"], "error", "{body}");
        assert!(
            reply["text"].as_str().unwrap().contains(expected),
            "{reply:?}"
        );
    }
    // Asked for and given up again.
    for body in [
        r#"{"type": "crash_at", "after": "answer", "ordinal": 3}"#,
        r#"{"type": "crash_at"}"#,
    ] {
        assert_eq!(cluster.ask(1, body).await["type"], "crash_at_ok");
    }
    cluster.leader().await;
    for value in 0..5 {
        surely(&mut *cluster.client(1, false), &write(1, value)).await;
    }
}
