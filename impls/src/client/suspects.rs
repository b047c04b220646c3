//! A client that asks nodes whom they suspect.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value as Json;
use tokio::time::timeout;
use tribunal_histories::Value;

use super::connection::Connection;
use crate::adapter::{
    Client, ClientError, ClientOptions, Completion, Invocation, NodeNumber, Pending,
};
use crate::service::Body;

/// The operation, the type of its body, and the field of its reply.
pub const SUSPECTS: &str = "suspects";

/// A logical client of failure detectors. It asks the node that the key names,
/// and no other: what one suspects is no other's to say.
#[derive(Debug)]
pub struct SuspectsClient {
    nodes: BTreeMap<NodeNumber, SocketAddr>,
    options: ClientOptions,
    connections: BTreeMap<NodeNumber, Connection>,
    asked_last: NodeNumber,
}

impl SuspectsClient {
    /// A client of these nodes, by where they serve clients; of `home`, until
    /// it is asked something.
    pub fn new(
        home: NodeNumber,
        nodes: BTreeMap<NodeNumber, SocketAddr>,
        options: ClientOptions,
    ) -> SuspectsClient {
        SuspectsClient {
            nodes,
            options,
            connections: BTreeMap::new(),
            asked_last: home,
        }
    }

    async fn perform(&mut self, invocation: &Invocation) -> Completion {
        let found = self.nodes.iter().find(|(node, _)| {
            invocation.f == SUSPECTS && invocation.key == Value::Text(format!("n{node}"))
        });
        let Some((node, address)) = found.map(|(node, address)| (*node, *address)) else {
            let Invocation { f, key, .. } = invocation;
            return Completion::Fail(format!("this client knows no `{f}` of {key}"));
        };
        self.asked_last = node;
        // It changes nothing, so that no answer means that nothing was done.
        match timeout(self.options.timeout, self.ask(node, address)).await {
            Ok(Ok(suspects)) => Completion::Ok(suspects),
            Ok(Err(error)) => Completion::Fail(super::in_one_line(&error)),
            Err(_) => Completion::Fail(format!("no answer within {:?}", self.options.timeout)),
        }
    }

    /// Only a connection without an open question is used again.
    async fn ask(&mut self, node: NodeNumber, address: SocketAddr) -> Result<Value, ClientError> {
        let mut kept = self.connections.remove(&node);
        let mut connection = match kept.take_if(|kept| !kept.is_closed()) {
            Some(connection) => connection,
            None => Connection::open(address).await?,
        };
        let body = Body::from_iter([("type".to_owned(), SUSPECTS.into())]);
        let reply = connection.ask(&format!("n{node}"), body).await?;
        self.connections.insert(node, connection);
        understood(&reply)
    }
}

fn understood(reply: &Body) -> Result<Value, ClientError> {
    if let Some(text) = reply.get("text").and_then(Json::as_str) {
        return Err(ClientError::Refused(text.to_owned()));
    }
    let expected = || ClientError::Protocol("expected names of nodes in `suspects`".to_owned());
    let names = reply.get(SUSPECTS).and_then(Json::as_array);
    let name = |name: &Json| name.as_str().map(|name| Value::Text(name.to_owned()));
    let names: Option<Vec<Value>> = names.ok_or_else(expected)?.iter().map(name).collect();
    names.map(Value::List).ok_or_else(expected)
}

impl Client for SuspectsClient {
    fn invoke<'a>(&'a mut self, invocation: &'a Invocation) -> Pending<'a, Completion> {
        Box::pin(self.perform(invocation))
    }

    fn node(&self) -> NodeNumber {
        self.asked_last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> Body {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_reply_names_the_suspects() {
        let said = understood(&body(
            r#"{"type": "suspects_ok", "suspects": ["n2", "n5"]}"#,
        ));
        let names = ["n2", "n5"].map(|name| Value::Text(name.to_owned()));
        assert_eq!(said.unwrap(), Value::List(names.into()));
        assert!(understood(&body(r#"{"type": "suspects_ok", "suspects": [2]}"#)).is_err());
        assert!(understood(&body(r#"{"type": "suspects_ok"}"#)).is_err());
        assert!(understood(&body(r#"{"type": "error", "code": 11, "text": "no"}"#)).is_err());
    }
}
