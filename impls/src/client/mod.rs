//! A client of the replicated store, over the client port of our servers.
//!
//! Every operation is asked at the client's own node first, so that a
//! workload decides which nodes are asked; redirects are followed from there.
//! What an attempt's end means for the operation is decided in
//! [`outcome`], never here.

mod connection;
pub mod outcome;
mod suspects;
mod transactions;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::time::{Instant, sleep, timeout_at};
use tribunal_histories::Value;

pub use self::connection::Connection;
use self::outcome::{Attempt, Course, Next, Verdict};
pub use self::suspects::{SUSPECTS, SuspectsClient};
pub use self::transactions::{TXN, TransactionsClient};
use crate::adapter::{Client, ClientOptions, Completion, Invocation, NodeNumber, Pending};
use crate::service::{Body, Code};

/// The operation that reads what one node has.
const GET: &str = "get";

/// The write whose completion says where it stands.
const SET: &str = "set";

/// Between two attempts that nobody asked for.
const REST: Duration = Duration::from_millis(25);

/// How long to wait for one node before another is asked the same; no part
/// of an operation's timeout that matters without retries.
const PATIENCE: Duration = Duration::from_millis(1000);

/// A logical client of the store.
#[derive(Debug)]
pub struct StoreClient {
    home: NodeNumber,
    nodes: BTreeMap<NodeNumber, SocketAddr>,
    options: ClientOptions,
    connections: BTreeMap<NodeNumber, Connection>,
    asked_last: NodeNumber,
    /// The session, and the serial number of its latest command.
    session: Option<(u64, u64)>,
    /// The latest position that a node named, where nodes do.
    seen: u64,
}

impl StoreClient {
    /// A client that asks `home` first; `nodes` are where all nodes serve
    /// clients.
    pub fn new(
        home: NodeNumber,
        nodes: BTreeMap<NodeNumber, SocketAddr>,
        options: ClientOptions,
    ) -> StoreClient {
        StoreClient {
            home,
            nodes,
            options,
            connections: BTreeMap::new(),
            asked_last: home,
            session: None,
            seen: 0,
        }
    }

    async fn perform(&mut self, invocation: &Invocation) -> Completion {
        let body = match body_of(invocation) {
            Ok(body) => body,
            Err(why) => return Completion::Fail(why),
        };
        let deadline = Instant::now() + self.options.timeout;
        match invocation.f.as_str() {
            "read" => return self.read(body, deadline).await,
            GET => return self.read_here(body, deadline).await,
            _ => {}
        }
        let ticket = match self.ticket(deadline).await {
            Ok(ticket) => ticket,
            // The operation itself was never sent.
            Err(why) => return Completion::Fail(format!("no session: {why}")),
        };
        let mut body = body;
        if let Some((session, serial)) = ticket {
            body.insert("session".into(), session.into());
            body.insert("serial".into(), serial.into());
        }
        let course = Course::new(false, ticket.is_some(), self.redirects_max());
        let verdict = self.pursue(course, &body, deadline).await;
        if matches!(&verdict, Verdict::Info(_)) {
            // What the session knows of this command is not known here.
            self.session = None;
        }
        if invocation.f == SET {
            return self.placed(verdict, |_| Ok(invocation.value.clone()));
        }
        verdict.completion(|_| invocation.value.clone())
    }

    async fn read(&mut self, body: Body, deadline: Instant) -> Completion {
        let course = Course::new(true, self.options.retry, self.redirects_max());
        match self.pursue(course, &body, deadline).await {
            Verdict::Ok(reply) => match value_in(&reply) {
                Ok(value) => Completion::Ok(value),
                Err(why) => Completion::Fail(why),
            },
            other => other.completion(|_| Value::Null),
        }
    }

    /// Reads what a node has; one that has less than this client has seen is
    /// to say so.
    async fn read_here(&mut self, mut body: Body, deadline: Instant) -> Completion {
        body.insert("seen".into(), self.seen.into());
        let course = Course::new(true, self.options.retry, self.redirects_max());
        let verdict = self.pursue(course, &body, deadline).await;
        self.placed(verdict, value_in)
    }

    /// The completion of what says where it stands: the value with its
    /// position.
    fn placed(
        &mut self,
        verdict: Verdict<Body>,
        value: impl FnOnce(&Body) -> Result<Value, String>,
    ) -> Completion {
        let Verdict::Ok(reply) = verdict else {
            return verdict.completion(|_| Value::Null);
        };
        let Some(position) = reply.get("zxid").and_then(Json::as_i64) else {
            return Completion::Info("the node named no position".to_owned());
        };
        self.seen = self.seen.max(position.unsigned_abs());
        match value(&reply) {
            Ok(value) => Completion::Ok(Value::List(vec![value, Value::Int(position)])),
            Err(why) => Completion::Fail(why),
        }
    }

    /// The ticket of the next command; none where commands are never sent
    /// twice.
    async fn ticket(&mut self, deadline: Instant) -> Result<Option<(u64, u64)>, String> {
        if !self.options.retry {
            return Ok(None);
        }
        let (session, serial) = match self.session {
            Some(session) => session,
            None => (self.register(deadline).await?, 0),
        };
        self.session = Some((session, serial + 1));
        Ok(self.session)
    }

    /// Opens a session. One that was opened by an attempt whose answer was
    /// lost is never used, and in time evicted.
    async fn register(&mut self, deadline: Instant) -> Result<u64, String> {
        let mut body = Body::new();
        body.insert("type".into(), "register".into());
        let course = Course::new(true, true, self.redirects_max());
        match self.pursue(course, &body, deadline).await {
            Verdict::Ok(reply) => {
                let session = reply.get("session").and_then(Json::as_u64);
                session.ok_or_else(|| "the node named no session".to_owned())
            }
            Verdict::Fail(why) | Verdict::Refused(why) | Verdict::Info(why) => Err(why),
        }
    }

    /// Asks until the course has an end, at most until `deadline`.
    async fn pursue(
        &mut self,
        mut course: Course,
        body: &Body,
        deadline: Instant,
    ) -> Verdict<Body> {
        let mut node = self.home;
        loop {
            let attempt = self.attempt(node, body, deadline).await;
            match course.after(attempt) {
                Next::End(verdict) => return verdict,
                Next::Ask(leader) if self.nodes.contains_key(&leader) => node = leader,
                Next::Ask(_) | Next::AskAgain => {
                    if Instant::now() + REST >= deadline {
                        return course.give_up();
                    }
                    sleep(REST).await;
                    node = self.node_after(node);
                }
            }
            if Instant::now() >= deadline {
                return course.give_up();
            }
        }
    }

    async fn attempt(&mut self, node: NodeNumber, body: &Body, deadline: Instant) -> Attempt<Body> {
        self.asked_last = node;
        let limit = match self.options.retry {
            true => deadline.min(Instant::now() + PATIENCE),
            false => deadline,
        };
        let mut connection = match self.connected(node, limit).await {
            Ok(connection) => connection,
            Err(why) => return Attempt::NotSent(why),
        };
        let dest = format!("n{node}");
        match timeout_at(limit, connection.ask(&dest, body.clone())).await {
            Ok(Ok(reply)) => {
                // Only a connection without an open question is used again.
                self.connections.insert(node, connection);
                understood(body, reply)
            }
            Ok(Err(error)) => Attempt::Lost(in_one_line(&error)),
            Err(_) => Attempt::Lost(format!("no answer from n{node} in time")),
        }
    }

    async fn connected(&mut self, node: NodeNumber, limit: Instant) -> Result<Connection, String> {
        let Some(address) = self.nodes.get(&node) else {
            return Err(format!("n{node} is no node of the cluster"));
        };
        let kept = self.connections.remove(&node);
        Connection::kept_or_new(kept, node, *address, limit).await
    }

    /// The next node in a circle.
    fn node_after(&self, node: NodeNumber) -> NodeNumber {
        let next = self.nodes.range(node.saturating_add(1)..).next();
        next.or_else(|| self.nodes.iter().next())
            .map_or(node, |(node, _)| *node)
    }

    fn redirects_max(&self) -> u32 {
        self.nodes.len() as u32
    }
}

impl Client for StoreClient {
    fn invoke<'a>(&'a mut self, invocation: &'a Invocation) -> Pending<'a, Completion> {
        Box::pin(self.perform(invocation))
    }

    fn node(&self) -> NodeNumber {
        self.asked_last
    }
}

/// The request for an invocation, or why there is none.
fn body_of(invocation: &Invocation) -> Result<Body, String> {
    let mut body = Body::new();
    let kind = match invocation.f.as_str() {
        GET => "local_read",
        SET => "write",
        other => other,
    };
    body.insert("type".into(), kind.into());
    body.insert("key".into(), json(&invocation.key)?);
    match (kind, &invocation.value) {
        ("read" | "local_read", _) => {}
        ("write", value) => {
            body.insert("value".into(), json(value)?);
        }
        ("cas", Value::List(pair)) if pair.len() == 2 => {
            body.insert("from".into(), json(&pair[0])?);
            body.insert("to".into(), json(&pair[1])?);
        }
        (f, value) => return Err(format!("this client knows no `{f}` of {value}")),
    }
    Ok(body)
}

/// What a reply says that a key holds.
fn value_in(reply: &Body) -> Result<Value, String> {
    match reply.get("value").map(Json::as_i64) {
        Some(Some(value)) => Ok(Value::Int(value)),
        None => Ok(Value::Null),
        Some(None) => Err("the node answered no number".to_owned()),
    }
}

fn json(value: &Value) -> Result<Json, String> {
    serde_json::to_value(value).map_err(|error| error.to_string())
}

fn understood(asked: &Body, reply: Body) -> Attempt<Body> {
    let text = |field: &str| reply.get(field).and_then(Json::as_str).unwrap_or_default();
    if text("type") != "error" {
        return Attempt::Done(reply);
    }
    let Some(code) = reply.get("code").and_then(Json::as_u64).map(Code) else {
        return Attempt::Lost("the node answered an error without a code".to_owned());
    };
    let reads = asked.get("type").and_then(Json::as_str) == Some("read");
    if reads && code == Code::KEY_DOES_NOT_EXIST {
        // That nothing stands there is what the read saw.
        return Attempt::Done(Body::new());
    }
    Attempt::Refused {
        code,
        text: text("text").to_owned(),
        leader: text("leader")
            .strip_prefix('n')
            .and_then(|number| number.parse().ok()),
    }
}

fn in_one_line(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invocation(f: &str, value: Value) -> Invocation {
        Invocation {
            f: f.to_owned(),
            key: Value::Int(3),
            value,
        }
    }

    #[test]
    fn each_operation_has_its_body() {
        let text = |f, value| Json::from(body_of(&invocation(f, value)).unwrap()).to_string();
        assert_eq!(text("read", Value::Null), r#"{"key":3,"type":"read"}"#);
        assert_eq!(
            text("write", Value::Int(5)),
            r#"{"key":3,"type":"write","value":5}"#
        );
        let pair = Value::List(vec![Value::Null, Value::Int(5)]);
        assert_eq!(
            text("cas", pair),
            r#"{"from":null,"key":3,"to":5,"type":"cas"}"#
        );
        assert!(body_of(&invocation("append", Value::Int(1))).is_err());
    }

    #[test]
    fn a_leader_is_read_from_a_refusal() {
        let refusal = crate::service::Refusal::redirect(tribunal_protocol::NodeId(4));
        let attempt = understood(&Body::new(), refusal.into_body());
        assert!(matches!(
            attempt,
            Attempt::Refused {
                leader: Some(4),
                ..
            }
        ));
    }

    #[test]
    fn nothing_under_a_key_answers_a_read_and_refuses_a_cas() {
        let refusal = crate::service::Refusal::new(Code::KEY_DOES_NOT_EXIST, "nothing");
        let after = |f, value| {
            understood(
                &body_of(&invocation(f, value)).unwrap(),
                refusal.clone().into_body(),
            )
        };
        assert_eq!(after("read", Value::Null), Attempt::Done(Body::new()));
        let pair = Value::List(vec![Value::Int(1), Value::Int(2)]);
        assert!(matches!(after("cas", pair), Attempt::Refused { .. }));
    }
}
