//! The client port: lines of JSON in, lines of JSON out.
//!
//! Requests of one connection may be answered in any order; `in_reply_to`
//! tells which is meant. A client that only closes its own direction still
//! gets every answer. The words are in [`crate::service`]; `init`,
//! `status` and `crash_at` are answered here, for every system alike.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tribunal_protocol::{Machine, Members, NodeId, Transactions, View};

use super::crash::{CrashAfter, CrashPoint};
use super::event::Event;
use super::outbox::{Full, Outbox};
use crate::service::{Body, Code, Refusal, Service};

/// The longest line that is read.
const LINE_MAX: u64 = 1 << 20;

/// Where an answer goes, and what it answers.
#[derive(Debug)]
pub(super) struct Origin {
    outbox: Arc<Outbox>,
    node: NodeId,
    client: Option<String>,
    message: Option<Json>,
    kind: String,
    _unanswered: Unanswered,
}

/// Held by every request that waits for its answer.
type Unanswered = mpsc::Sender<Infallible>;

impl Origin {
    /// Where the answer waits for the connection.
    pub(super) fn outbox(&self) -> Arc<Outbox> {
        Arc::clone(&self.outbox)
    }

    /// The type of the body that is answered.
    pub(super) fn kind(&self) -> &str {
        &self.kind
    }

    /// Answers with the fields of an `…_ok`, or with an error.
    pub(super) fn reply(self, result: Result<Body, Refusal>) {
        let mut body = match result {
            Ok(mut body) => {
                body.insert("type".into(), format!("{}_ok", self.kind).into());
                body
            }
            Err(refusal) => refusal.into_body(),
        };
        if let Some(message) = self.message {
            body.insert("in_reply_to".into(), message);
        }
        let mut envelope = Body::new();
        envelope.insert("src".into(), self.node.to_string().into());
        if let Some(client) = self.client {
            envelope.insert("dest".into(), client.into());
        }
        envelope.insert("body".into(), body.into());
        let mut line = Json::from(envelope).to_string();
        line.push('\n');
        self.outbox.push(None, line.into_bytes());
    }
}

/// What a node says of itself: the fields of its [`View`]; who belongs to the
/// cluster only where that can change, and transactions only where there are.
pub(super) fn status(view: &View, incarnation: u64) -> Body {
    let mut body = Body::new();
    body.insert("epoch".into(), view.epoch.into());
    body.insert("leads".into(), view.leads.into());
    body.insert("committed".into(), view.committed.into());
    body.insert("applied".into(), view.applied.into());
    body.insert("digest".into(), view.digest.into());
    body.insert("compacted".into(), view.compacted.into());
    if let Some(members) = &view.members {
        body.insert("members".into(), membership(members));
    }
    if let Some(transactions) = &view.transactions {
        body.insert("transactions".into(), known(transactions));
    }
    body.insert("incarnation".into(), incarnation.into());
    body
}

fn membership(members: &Members) -> Json {
    let names =
        |nodes: &BTreeSet<NodeId>| Json::from_iter(nodes.iter().map(|node| node.to_string()));
    json!({
        "voters": names(&members.voters),
        "learners": names(&members.learners),
        "changing": members.is_changing,
    })
}

fn known(transactions: &Transactions) -> Json {
    let in_doubt = transactions.in_doubt.iter();
    let in_doubt = in_doubt.map(|(name, coordinator)| (name.clone(), coordinator.to_string()));
    json!({
        "undecided": transactions.undecided,
        "in_doubt": Json::from_iter(in_doubt),
    })
}

/// Serves clients until the task is dropped.
pub(super) async fn serve<M: Service>(
    node: NodeId,
    listener: TcpListener,
    events: mpsc::Sender<Event<M>>,
    crashable: bool,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve_client(node, stream, events.clone(), crashable));
                }
                Err(error) => {
                    tracing::warn!(%error, "failed to accept a client");
                    tokio::time::sleep(Duration::from_millis(25)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve_client<M: Service>(
    node: NodeId,
    stream: TcpStream,
    events: mpsc::Sender<Event<M>>,
    crashable: bool,
) {
    let outbox = Arc::new(Outbox::new(Full::Breaks));
    let _ = stream.set_nodelay(true);
    let (reader, mut writer) = stream.into_split();
    let reader = BufReader::new(reader);
    let (unanswered, mut all_answered) = mpsc::channel(1);
    let reading = async {
        read_requests(node, reader, &outbox, unanswered, &events, crashable).await?;
        all_answered.recv().await;
        outbox.finish();
        pending::<io::Result<Infallible>>().await
    };
    let error = tokio::select! {
        error = outbox.write_to(&mut writer) => error,
        Err(error) = reading => error,
    };
    tracing::debug!(%error, "a client's connection ended");
}

async fn read_requests<M: Service>(
    node: NodeId,
    mut reader: impl AsyncBufReadExt + Unpin,
    outbox: &Arc<Outbox>,
    unanswered: Unanswered,
    events: &mpsc::Sender<Event<M>>,
    crashable: bool,
) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        (&mut reader)
            .take(LINE_MAX)
            .read_until(b'\n', &mut line)
            .await?;
        if line.last() != Some(&b'\n') {
            return match line.len() as u64 {
                LINE_MAX => Err(io::Error::other("a line is longer than any request")),
                _ => Ok(()),
            };
        }
        let nobody = Origin {
            outbox: outbox.clone(),
            node,
            client: None,
            message: None,
            kind: String::new(),
            _unanswered: unanswered.clone(),
        };
        let (origin, asked) = read_line::<M>(&line, nobody);
        let event = match asked {
            Ok(Asked::Nothing) => {
                origin.reply(Ok(Body::new()));
                continue;
            }
            Err(refusal) => {
                origin.reply(Err(refusal));
                continue;
            }
            Ok(Asked::Status) => Event::Status { origin },
            Ok(Asked::CrashAt(_)) if !crashable => {
                let why = "`crash_at` is for nodes that were started with --crashable";
                origin.reply(Err(Refusal::new(Code::NOT_SUPPORTED, why)));
                continue;
            }
            Ok(Asked::CrashAt(point)) => Event::CrashAt { origin, point },
            Ok(Asked::Request(request)) => Event::Request { origin, request },
        };
        if events.send(event).await.is_err() {
            return Ok(());
        }
    }
}

enum Asked<M: Service> {
    Nothing,
    Status,
    CrashAt(Option<CrashPoint>),
    Request(M::Request),
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    src: Option<String>,
    #[serde(default)]
    dest: Option<String>,
    body: Body,
}

/// What a line asks, and where its answer goes.
fn read_line<M: Service>(line: &[u8], mut origin: Origin) -> (Origin, Result<Asked<M>, Refusal>) {
    let envelope: Envelope = match serde_json::from_slice(line) {
        Ok(envelope) => envelope,
        Err(error) => {
            let why = format!("expected a line of JSON with a `body`: {error}");
            return (origin, Err(Refusal::new(Code::MALFORMED_REQUEST, why)));
        }
    };
    origin.client = envelope.src;
    origin.message = envelope.body.get("msg_id").cloned();
    let node = origin.node;
    let asked = read_body::<M>(
        node,
        envelope.dest.as_deref(),
        &envelope.body,
        &mut origin.kind,
    );
    (origin, asked)
}

fn read_body<M: Service>(
    node: NodeId,
    dest: Option<&str>,
    body: &Body,
    kind: &mut String,
) -> Result<Asked<M>, Refusal> {
    let Some(Json::String(named)) = body.get("type") else {
        return Err(Refusal::malformed("a name", "type"));
    };
    kind.clone_from(named);
    if dest.is_some_and(|dest| dest != node.to_string()) {
        let why = format!("this is {node}, not {}", dest.unwrap_or_default());
        return Err(Refusal::new(Code::NODE_NOT_FOUND, why));
    }
    match kind.as_str() {
        "init" => Ok(Asked::Nothing),
        "status" => Ok(Asked::Status),
        "crash_at" => crash_point::<M>(body).map(Asked::CrashAt),
        kind => M::request(kind, body).map(Asked::Request),
    }
}

/// Where a node is to end: `after` which output, `of` which kind if that
/// matters, and which `ordinal` of them from now on; nowhere without `after`.
fn crash_point<M: Machine>(body: &Body) -> Result<Option<CrashPoint>, Refusal> {
    let Some(after) = body.get("after") else {
        return Ok(None);
    };
    let after: CrashAfter = after
        .as_str()
        .unwrap_or_default()
        .parse()
        .map_err(|expected: String| Refusal::malformed(&expected, "after"))?;
    let ordinal = body.get("ordinal").and_then(Json::as_u64);
    let ordinal = ordinal.filter(|ordinal| *ordinal > 0);
    let ordinal = ordinal.ok_or_else(|| Refusal::malformed("a number from 1", "ordinal"))?;
    let point = CrashPoint::new(after, ordinal);
    let Some(of) = body.get("of") else {
        return Ok(Some(point));
    };
    let point = point.of::<M>(of.as_str().unwrap_or_default());
    point.map(Some).map_err(|known| match known.is_empty() {
        true => Refusal::malformed(&format!("nothing: {after} has no kinds"), "of"),
        false => Refusal::malformed(&format!("one of {}", known.join(", ")), "of"),
    })
}
