//! Raft as a server.
//!
//! Beside the words of [`store`], a node knows those of whoever runs the
//! cluster:
//!
//! | body | asks |
//! |---|---|
//! | `compact` | this node, to drop every entry of its log that a snapshot can stand for |
//! | `reconfigure`, `change` one of `add-learner`, `promote`, `remove`, `node` such as `n3` | the leader, to change who belongs to the cluster |
//! | `transfer`, `to` such as `n2` | the leader, to let that node lead |
//!
//! The reply to the first two has no fields of its own. A transfer that works
//! out leaves nobody to say so: the reply is then that the outcome is not
//! known. What came of each is in the nodes' `status`.

use serde_json::Value as Json;
use tribunal_protocol::NodeId;
use tribunal_protocol::object::{Answer, Call, Operation};
use tribunal_protocol::raft::{BUGS, Change, Config, Raft, Request, Wrong};

use super::store;
use super::{BuiltIn, Playable, Refused, everybody, wrong_version};
use crate::adapter::Capability;
use crate::service::{Body, Refusal, Service};
use crate::settings::Setting;
use crate::trace::Role;

/// The entry among the built-in systems.
pub(super) const RAFT: BuiltIn = BuiltIn::new::<Raft>(
    "raft",
    "a replicated log under one leader a term; reads by ReadIndex, client sessions",
    BUGS,
);

const PRE_VOTE: &str = "pre-vote";
const CHECK_QUORUM: &str = "check-quorum";

impl Service for Raft {
    fn request(kind: &str, body: &Body) -> Result<Request, Refusal> {
        match kind {
            "compact" => return Ok(Request::Compact),
            "reconfigure" => return Ok(Request::Reconfigure(change(body)?)),
            "transfer" => return Ok(Request::Transfer(node(body, "to")?)),
            _ => {}
        }
        Ok(match store::asked(kind, body)? {
            // Reads change nothing, so that a ticket would tell nothing.
            Call::Execute {
                operation: Operation::Read { key },
                ..
            } => Request::Read { key },
            call => Request::Call(call),
        })
    }

    fn reply(_kind: &str, response: Answer) -> Result<Body, Refusal> {
        store::answered(response)
    }
}

fn change(body: &Body) -> Result<Change, Refusal> {
    let change = match body.get("change").and_then(Json::as_str) {
        Some("add-learner") => Change::AddLearner,
        Some("promote") => Change::Promote,
        Some("remove") => Change::Remove,
        _ => {
            return Err(Refusal::malformed(
                "one of add-learner, promote, remove",
                "change",
            ));
        }
    };
    Ok(change(node(body, "node")?))
}

fn node(body: &Body, field: &str) -> Result<NodeId, Refusal> {
    let name = body.get(field).and_then(Json::as_str);
    name.and_then(NodeId::named)
        .ok_or_else(|| Refusal::malformed("the name of a node such as n1", field))
}

impl Playable for Raft {
    const CAPABILITIES: &'static [Capability] = &[
        Capability::Leader,
        Capability::Compaction,
        Capability::Membership,
        Capability::Transfer,
    ];
    const SETTINGS: &'static [Setting] = &[
        Setting {
            name: PRE_VOTE,
            about: "nodes ask before they stand for election, 0 or 1 (1)",
        },
        Setting {
            name: CHECK_QUORUM,
            about: "leaders step down that hear no majority, 0 or 1 (1)",
        },
    ];

    fn config(role: &Role) -> Result<Config, Refused> {
        let bug = role.bug.as_deref();
        let mut config = Config {
            bug: bug
                .map(|name| wrong_version(Wrong::named(name), name, BUGS))
                .transpose()?,
            ..Config::new(role.node, everybody(role))
        };
        let settings = &role.settings;
        if let Some(asks) = settings.switch(PRE_VOTE).map_err(Refused::Setting)? {
            config.pre_vote = asks;
        }
        if let Some(checks) = settings.switch(CHECK_QUORUM).map_err(Refused::Setting)? {
            config.check_quorum = checks;
        }
        if let Some((after, keep)) = role.compaction.lengths() {
            config.compact_after = Some(after);
            config.compact_keep = keep;
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(text: &str) -> Result<Request, Refusal> {
        let body: Body = serde_json::from_str(text).unwrap();
        Raft::request(body["type"].as_str().unwrap(), &body)
    }

    #[test]
    fn what_an_operator_asks_is_read() {
        assert_eq!(ask(r#"{"type": "compact"}"#), Ok(Request::Compact));
        assert_eq!(
            ask(r#"{"type": "transfer", "to": "n2"}"#),
            Ok(Request::Transfer(NodeId(2)))
        );
        for (word, change) in [
            ("add-learner", Change::AddLearner(NodeId(3))),
            ("promote", Change::Promote(NodeId(3))),
            ("remove", Change::Remove(NodeId(3))),
        ] {
            let text = format!(r#"{{"type": "reconfigure", "change": "{word}", "node": "n3"}}"#);
            assert_eq!(ask(&text), Ok(Request::Reconfigure(change)));
        }
    }

    #[test]
    fn what_an_operator_cannot_mean_is_refused_by_its_field() {
        for (text, field) in [
            (r#"{"type": "transfer"}"#, "`to`"),
            (r#"{"type": "transfer", "to": "n0"}"#, "`to`"),
            (r#"{"type": "reconfigure", "node": "n3"}"#, "`change`"),
            (
                r#"{"type": "reconfigure", "change": "remove", "node": 3}"#,
                "`node`",
            ),
        ] {
            assert!(ask(text).unwrap_err().text.contains(field), "{text}");
        }
    }
}
