//! What our own servers are asked on behalf of whoever runs the cluster, and
//! what they say of themselves.

#[cfg(test)]
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use tribunal_protocol::NodeId;

use crate::adapter::{
    Administration, ClientError, CrashPlace, Members, NodeNumber, NodePlan, NodeStatus,
    Transactions,
};
use crate::client::Connection;
use crate::service::Body;

/// What a node says of itself.
pub(super) async fn ask_status(plan: &NodePlan) -> Result<NodeStatus, ClientError> {
    let reply = ask(plan, json!({ "type": "status" })).await?;
    let number = |field: &str| {
        let found = reply.get(field).and_then(Json::as_u64);
        found.ok_or_else(|| ClientError::Protocol(format!("expected a number in `{field}`")))
    };
    Ok(NodeStatus {
        epoch: number("epoch")?,
        leads: reply.get("leads").and_then(Json::as_bool).unwrap_or(false),
        applied: number("applied")?,
        digest: reply.get("digest").and_then(Json::as_u64),
        compacted: number("compacted")?,
        members: reply.get("members").map(members).transpose()?,
        transactions: reply.get("transactions").map(transactions).transpose()?,
    })
}

/// Asks a node to crash at a place, or nowhere any more.
pub(super) async fn ask_crash(
    plan: &NodePlan,
    place: Option<CrashPlace<'_>>,
) -> Result<(), ClientError> {
    let body = match place {
        Some(CrashPlace { after, of, ordinal }) => {
            let mut body = json!({ "type": "crash_at", "after": after, "ordinal": ordinal });
            if let Some(of) = of {
                body["of"] = of.into();
            }
            body
        }
        None => json!({ "type": "crash_at" }),
    };
    ask_for(plan, body).await
}

/// Asks for one administrative operation, and waits for the reply.
pub(super) async fn administer(
    plan: &NodePlan,
    operation: Administration,
) -> Result<(), ClientError> {
    let reconfigure =
        |change: &str, node| json!({ "type": "reconfigure", "change": change, "node": name(node) });
    let body = match operation {
        Administration::Compact => json!({ "type": "compact" }),
        Administration::Transfer(to) => json!({ "type": "transfer", "to": name(to) }),
        Administration::Remove(node) => reconfigure("remove", node),
        Administration::Add(node) => {
            let members = ask_status(plan).await?.members.unwrap_or_default();
            if members.voters.contains(&node) {
                return Ok(());
            }
            match members.learners.contains(&node) {
                true => reconfigure("promote", node),
                false => reconfigure("add-learner", node),
            }
        }
    };
    ask_for(plan, body).await
}

/// Asks for what is either done or refused.
async fn ask_for(plan: &NodePlan, body: Json) -> Result<(), ClientError> {
    let reply = ask(plan, body).await?;
    match reply.get("type").and_then(Json::as_str) {
        Some("error") => {
            let text = reply.get("text").and_then(Json::as_str).unwrap_or_default();
            Err(ClientError::Refused(text.to_owned()))
        }
        _ => Ok(()),
    }
}

async fn ask(plan: &NodePlan, body: Json) -> Result<Body, ClientError> {
    let Json::Object(body) = body else {
        return Err(ClientError::Protocol("a body is an object".to_owned()));
    };
    let mut connection = Connection::open(plan.client_listen).await?;
    connection.ask(&name(plan.node), body).await
}

fn name(node: NodeNumber) -> String {
    NodeId(node).to_string()
}

fn members(said: &Json) -> Result<Members, ClientError> {
    let expected = || ClientError::Protocol("expected names of nodes in `members`".to_owned());
    let nodes = |field: &str| {
        let names = said.get(field).and_then(Json::as_array);
        let nodes = names.ok_or_else(expected)?.iter().map(|name| {
            let node = name.as_str().and_then(NodeId::named);
            node.map(|node| node.0).ok_or_else(expected)
        });
        nodes.collect::<Result<BTreeSet<NodeNumber>, ClientError>>()
    };
    Ok(Members {
        voters: nodes("voters")?,
        learners: nodes("learners")?,
        is_changing: said.get("changing").and_then(Json::as_bool) == Some(true),
    })
}

fn transactions(said: &Json) -> Result<Transactions, ClientError> {
    let expected =
        || ClientError::Protocol("expected numbers and names in `transactions`".to_owned());
    let in_doubt = said.get("in_doubt").and_then(Json::as_object);
    let in_doubt = in_doubt.ok_or_else(expected)?.iter();
    let in_doubt = in_doubt.map(|(name, coordinator)| {
        let coordinator = coordinator.as_str().and_then(NodeId::named);
        let coordinator = coordinator.ok_or_else(expected)?;
        Ok((name.clone(), coordinator.0))
    });
    let undecided = said.get("undecided").and_then(Json::as_u64);
    Ok(Transactions {
        undecided: undecided.ok_or_else(expected)?,
        in_doubt: in_doubt.collect::<Result<_, ClientError>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_by_their_names() {
        let said = json!({ "voters": ["n1", "n3"], "learners": ["n2"], "changing": true });
        let expected = Members {
            voters: BTreeSet::from([1, 3]),
            learners: BTreeSet::from([2]),
            is_changing: true,
        };
        assert_eq!(members(&said).unwrap(), expected);
        assert!(members(&json!({ "voters": ["3"], "learners": [] })).is_err());
        assert!(members(&json!({ "voters": ["n3"] })).is_err());
    }

    #[test]
    fn transactions_are_read_with_who_coordinates_them() {
        let said = json!({ "undecided": 2, "in_doubt": { "7.n3.1": "n3" } });
        let expected = Transactions {
            undecided: 2,
            in_doubt: BTreeMap::from([("7.n3.1".to_owned(), 3)]),
        };
        assert_eq!(transactions(&said).unwrap(), expected);
        assert!(transactions(&json!({ "undecided": 2 })).is_err());
        assert!(transactions(&json!({ "undecided": 2, "in_doubt": { "7.n3.1": 3 } })).is_err());
    }
}
