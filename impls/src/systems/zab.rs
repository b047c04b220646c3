//! Zab as a server.
//!
//! Beside the words of [`store`], whose reads are transactions here, a node
//! knows
//!
//! | body | asks |
//! |---|---|
//! | `local_read`, `key`, perhaps `seen` | this node, what it has; `seen` is the latest zxid that the client was told |
//! | `compact` | this node, to drop every transaction that a snapshot can stand for |
//!
//! Every reply from the object says by `zxid` which transactions it reflects:
//! all up to that one.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use tribunal_protocol::NodeId;
use tribunal_protocol::object::Answer;
use tribunal_protocol::zab::{BUGS, Config, Reply, Request, Wrong, Zab, Zxid};

use super::store;
use super::{BuiltIn, Playable, Refused, everybody, wrong_version};
use crate::adapter::Capability;
use crate::service::{Body, Refusal, Service};
use crate::settings::Setting;
use crate::trace::Role;

/// The entry among the built-in systems.
pub(super) const ZAB: BuiltIn = BuiltIn::new::<Zab>(
    "zab",
    "Zab: a history under one primary an epoch; reads by a transaction or, older, from any node",
    BUGS,
);

const LOCAL_READ: &str = "local_read";

const OBSERVERS: &str = "observers";
const CHECK_QUORUM: &str = "check-quorum";
const SETTLE_LATE: &str = "settle-late";
const COUNTER_MAX: &str = "counter-max";

impl Service for Zab {
    fn request(kind: &str, body: &Body) -> Result<Request, Refusal> {
        Ok(match kind {
            "compact" => Request::Compact,
            LOCAL_READ => Request::Read {
                key: store::key(body)?,
                seen: seen(body)?,
            },
            _ => Request::Call(store::asked(kind, body)?),
        })
    }

    fn reply(kind: &str, response: Reply) -> Result<Body, Refusal> {
        let Reply { zxid, answer } = response;
        let mut body = match (kind, answer) {
            // A refusal could not say as of when the key held nothing.
            (LOCAL_READ, Answer::Value(None)) => Body::new(),
            (_, answer) => store::answered(answer)?,
        };
        body.insert("zxid".into(), zxid.number().into());
        Ok(body)
    }
}

fn seen(body: &Body) -> Result<Zxid, Refusal> {
    match body.get("seen").map(Json::as_u64) {
        None => Ok(Zxid::default()),
        Some(Some(number)) => Ok(Zxid::numbered(number)),
        Some(None) => Err(Refusal::malformed("a whole number from 0", "seen")),
    }
}

impl Playable for Zab {
    const CAPABILITIES: &'static [Capability] = &[
        Capability::Leader,
        Capability::Compaction,
        Capability::LocalReads,
    ];
    const SETTINGS: &'static [Setting] = &[
        Setting {
            name: OBSERVERS,
            about: "how many nodes, the last ones, are told what is committed and never vote (none)",
        },
        Setting {
            name: CHECK_QUORUM,
            about: "leaders give up that hear no quorum, 0 or 1 (1)",
        },
        Setting {
            name: SETTLE_LATE,
            about: "an election of one mind waits for a better vote, 0 or 1 (1)",
        },
        Setting {
            name: COUNTER_MAX,
            about: "proposals of a leader after which another epoch must begin (4294967295)",
        },
    ];

    fn config(role: &Role) -> Result<Config, Refused> {
        let settings = &role.settings;
        let nodes: BTreeSet<NodeId> = everybody(role).collect();
        let observers = settings.count(OBSERVERS).map_err(Refused::Setting)?;
        let observers = observers.map_or(0, |count| usize::try_from(count).unwrap_or(usize::MAX));
        let Some(voters) = nodes
            .len()
            .checked_sub(observers)
            .filter(|count| *count > 0)
        else {
            return Err(Refused::Setting(format!(
                "expected {OBSERVERS} to be less than the {} nodes, not {observers}",
                nodes.len()
            )));
        };
        let mut config = Config::new(role.node, nodes.iter().copied().take(voters));
        config.observers = nodes.into_iter().skip(voters).collect();
        let bug = role.bug.as_deref();
        config.bug = bug
            .map(|name| wrong_version(Wrong::named(name), name, BUGS))
            .transpose()?;
        if let Some(checks) = settings.switch(CHECK_QUORUM).map_err(Refused::Setting)? {
            config.check_quorum = checks;
        }
        if let Some(waits) = settings.switch(SETTLE_LATE).map_err(Refused::Setting)? {
            config.settles_late = waits;
        }
        if let Some(most) = settings.count(COUNTER_MAX).map_err(Refused::Setting)? {
            config.counter_max = u32::try_from(most).map_err(|_| {
                Refused::Setting(format!(
                    "expected {COUNTER_MAX} to be at most {}, not {most}",
                    u32::MAX
                ))
            })?;
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
    use crate::settings::Chosen;

    fn ask(text: &str) -> Result<Request, Refusal> {
        let body: Body = serde_json::from_str(text).unwrap();
        Zab::request(body["type"].as_str().unwrap(), &body)
    }

    #[test]
    fn a_local_read_says_what_was_seen() {
        let seen = Zxid {
            epoch: 2,
            counter: 3,
        };
        let text = format!(
            r#"{{"type": "local_read", "key": 5, "seen": {}}}"#,
            seen.number()
        );
        assert_eq!(ask(&text), Ok(Request::Read { key: 5, seen }));
        let wrong = ask(r#"{"type": "local_read", "key": 5, "seen": "2.3"}"#);
        assert!(wrong.unwrap_err().text.contains("`seen`"));
    }

    #[test]
    fn a_reply_says_what_it_reflects() {
        let zxid = Zxid {
            epoch: 1,
            counter: 7,
        };
        let answer = Answer::Value(Some(4));
        let body = Zab::reply("local_read", Reply { zxid, answer }).unwrap();
        assert_eq!(body["value"], 4);
        assert_eq!(body["zxid"], zxid.number());
        let answer = Answer::Value(None);
        let body = Zab::reply("local_read", Reply { zxid, answer }).unwrap();
        assert!(!body.contains_key("value") && body.contains_key("zxid"));
    }

    #[test]
    fn observers_are_the_last_and_some_node_votes() {
        let config = |observers: &str| {
            let chosen = (OBSERVERS.to_owned(), observers.to_owned());
            Zab::config(&Role {
                node: NodeId(1),
                peers: [NodeId(2), NodeId(3)].into(),
                bug: None,
                compaction: crate::Compaction::default(),
                settings: Chosen::from_iter([chosen]),
            })
        };
        let one = config("1").unwrap();
        assert_eq!(one.observers, BTreeSet::from([NodeId(3)]));
        assert_eq!(one.voters, BTreeSet::from([NodeId(1), NodeId(2)]));
        let none = config("3").unwrap_err().to_string();
        assert!(none.contains("less than the 3 nodes"), "{none}");
    }
}
