//! Sessions between two real nodes, over links that keep breaking.
//!
//! The machine here asserts what `Channel::Fifo` promises; a broken promise
//! panics in the node and fails the test.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tribunal_impls::Compaction;
use tribunal_impls::client::Connection;
use tribunal_impls::runtime::{CHECKPOINT_BYTES, ClockOptions, Options, SlowDisk, Spans, run};
use tribunal_impls::service::{Body, Refusal, Service};
use tribunal_protocol::{
    Channel, ClockUse, Context, Input, Machine, NodeId, Output, Outputs, View,
};

/// How many messages each end sends in a session.
const SENT: u64 = 200;

/// Sends numbers in order as soon as a session begins, half of them behind a
/// persist, and insists on getting the other end's in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Counting {
    up: bool,
    expected: u64,
    sessions: u64,
    complete: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Number(u64);

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Nothing;

impl Machine for Counting {
    const NAME: &'static str = "counting";
    const FORMAT: u32 = 1;
    const CHANNEL: Channel = Channel::Fifo;
    const CLOCK: ClockUse = ClockUse::Untimed;
    type Config = ();
    type Message = Number;
    type Timer = ();
    type Request = ();
    type Response = ();
    type Record = u64;
    type Durable = Nothing;

    fn apply(_: &mut Nothing, _: &u64) {}

    fn recover(_: Context<'_, Self>, _: &Nothing, _: &mut Outputs<Self>) -> Self {
        Counting {
            up: false,
            expected: 0,
            sessions: 0,
            complete: 0,
        }
    }

    fn step(&mut self, _: Context<'_, Self>, input: Input<Self>, outputs: &mut Outputs<Self>) {
        match input {
            Input::Link { peer, up } => {
                assert_ne!(self.up, up, "sessions begin and end in turn");
                self.up = up;
                self.expected = 0;
                self.sessions += u64::from(up);
                for number in (0..SENT).filter(|_| up) {
                    if number % 20 == 10 {
                        outputs.push(Output::Persist(vec![number]));
                    }
                    outputs.send(peer, Number(number));
                }
            }
            Input::Message { message, .. } => {
                assert!(self.up, "no message arrives outside a session");
                assert_eq!(message.0, self.expected, "in order, without gaps");
                self.expected += 1;
                self.complete += u64::from(self.expected == SENT);
            }
            _ => {}
        }
    }

    fn view(&self, (): &()) -> View {
        View {
            applied: self.complete,
            committed: self.sessions,
            ..View::default()
        }
    }
}

impl Service for Counting {
    fn request(kind: &str, _: &Body) -> Result<(), Refusal> {
        Err(Refusal::malformed("nothing", kind))
    }

    fn reply(_: &str, (): ()) -> Result<Body, Refusal> {
        Ok(Body::new())
    }
}

/// Passes connections on; each change of `breaks` ends all of them.
async fn proxy(listener: TcpListener, to: SocketAddr, breaks: watch::Receiver<u64>) {
    let mut connections = JoinSet::new();
    while let Ok((mut near, _)) = listener.accept().await {
        let mut breaks = breaks.clone();
        breaks.mark_unchanged();
        connections.spawn(async move {
            let Ok(mut far) = TcpStream::connect(to).await else {
                return;
            };
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                _ = breaks.changed() => {}
            }
            let _ = (near.shutdown().await, far.shutdown().await);
        });
    }
}

async fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A free address; nobody else on this machine is given it for now.
async fn free() -> SocketAddr {
    bind().await.1
}

struct Node {
    clients: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

async fn start(node: u8, listen: SocketAddr, peer: SocketAddr, data: &std::path::Path) -> Node {
    let clients = free().await;
    let options = Options {
        node: NodeId(node),
        cluster: "blue".into(),
        peer_listen: listen,
        client_listen: clients,
        peers: BTreeMap::from([(NodeId(3 - node), peer)]),
        data: data.join(node.to_string()),
        spans: Spans::default(),
        seed: 1,
        checkpoint_bytes: CHECKPOINT_BYTES,
        // Longer than a link needs to come back: what waits for the disk when a
        // session breaks is let out during the next one.
        disk: SlowDisk {
            delay: Duration::from_millis(if node == 2 { 40 } else { 0 }),
            jitter: Duration::ZERO,
        },
        crashable: false,
        clock: ClockOptions::default(),
        trace: None,
        bug: None,
        compaction: Compaction::default(),
        settings: Default::default(),
        mutant: None,
    };
    let (stop, stopped) = oneshot::channel();
    let ended = tokio::spawn(async move {
        let stopped = async {
            let _ = stopped.await;
        };
        run::<Counting>(options, (), |_| {}, stopped).await.unwrap();
    });
    Node {
        clients,
        stop,
        ended,
    }
}

/// How many sessions the node has seen, and how many of them whole.
async fn seen(node: &Node, number: u8) -> (u64, u64) {
    let Ok(mut connection) = Connection::open(node.clients).await else {
        return (0, 0);
    };
    let body = Body::from_iter([("type".to_owned(), "status".into())]);
    match connection.ask(&format!("n{number}"), body).await {
        Ok(reply) => {
            let field = |name: &str| reply[name].as_u64().unwrap();
            (field("committed"), field("applied"))
        }
        Err(_) => (0, 0),
    }
}

/// So long the sessions may take on the slowest machine; they take seconds. Past
/// it they never come, such as where another process has taken a port.
const LIMIT: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_a_session_arrive_in_order_without_gaps_and_none_after_it_broke() {
    let done = tokio::time::timeout(LIMIT, sessions_that_break()).await;
    done.expect("every session begins");
}

async fn sessions_that_break() {
    let folder = tempfile::tempdir().unwrap();
    let (to_one, address_one) = bind().await;
    let (to_two, address_two) = bind().await;
    let (listen_one, listen_two) = (free().await, free().await);
    let (breaks_one, breaking_one) = watch::channel(0);
    let (breaks_two, breaking_two) = watch::channel(0);
    let mut proxies = JoinSet::new();
    proxies.spawn(proxy(to_one, listen_one, breaking_one));
    proxies.spawn(proxy(to_two, listen_two, breaking_two));
    let one = start(1, listen_one, address_two, folder.path()).await;
    let two = start(2, listen_two, address_one, folder.path()).await;

    // Break the one or the other direction, sooner or later after a session
    // began, until many were seen by both.
    for round in 0..60_u64 {
        let before = seen(&one, 1).await.0;
        while seen(&one, 1).await.0 == before {
            assert!(
                !one.ended.is_finished() && !two.ended.is_finished(),
                "a node panicked"
            );
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(Duration::from_micros(150 * (round % 13))).await;
        let breaks = if round % 2 == 0 {
            &breaks_one
        } else {
            &breaks_two
        };
        breaks.send_modify(|count| *count += 1);
    }
    // The session after the last break is left alone, and carries everything.
    let whole = (seen(&one, 1).await.1, seen(&two, 2).await.1);
    breaks_one.send_modify(|count| *count += 1);
    while seen(&one, 1).await.1 <= whole.0 || seen(&two, 2).await.1 <= whole.1 {
        assert!(
            !one.ended.is_finished() && !two.ended.is_finished(),
            "a node panicked"
        );
        tokio::task::yield_now().await;
    }
    for node in [one, two] {
        let _ = node.stop.send(());
        node.ended.await.unwrap();
    }
}
