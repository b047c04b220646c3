//! The example machines as servers: what a machine needs beside itself to be
//! one, which is little.

use serde_json::Value as Json;
use tribunal_protocol::bugs::Bug;
use tribunal_protocol::examples::{coordinator, lock, single_decree};
use tribunal_protocol::{Gate, NodeId};

use super::{BuiltIn, Playable, Refused, everybody};
use crate::service::{Body, Code, Refusal, Service};
use crate::trace::Role;

/// The example machines, each with its one wrong version.
pub const EXAMPLES: &[BuiltIn] = &[
    BuiltIn::new::<single_decree::SingleDecree>(
        "single-decree",
        "Paxos for one value: `propose` answers with the value that was chosen",
        single_decree::BUGS,
    ),
    BuiltIn::new::<coordinator::TwoPhase>(
        "coordinator",
        "two-phase commit of one transaction: `commit` answers whether it was committed",
        &[hasty(
            "a decision is told before it is durable",
            "Agreement",
        )],
    ),
    BuiltIn::new::<lock::Lock>(
        "lock",
        "a lock leased by clock: `acquire` answers until when it is held",
        &[hasty(
            "a lease is granted before it is durable",
            "Mutual Exclusion",
        )],
    ),
];

impl Playable for single_decree::SingleDecree {
    fn config(role: &Role) -> Result<single_decree::Config, Refused> {
        Ok(single_decree::Config {
            id: role.node,
            nodes: everybody(role).collect(),
            promise: gate(role)?,
        })
    }
}

impl Playable for coordinator::TwoPhase {
    fn config(role: &Role) -> Result<coordinator::Config, Refused> {
        let coordinates = |node: &NodeId| *node == coordinator::COORDINATOR;
        Ok(coordinator::Config {
            id: role.node,
            participants: everybody(role).filter(|node| !coordinates(node)).collect(),
            decision: gate(role)?,
        })
    }
}

impl Playable for lock::Lock {
    fn config(role: &Role) -> Result<lock::Config, Refused> {
        Ok(lock::Config {
            id: role.node,
            grant: gate(role)?,
        })
    }
}

const HASTY: &str = "hasty";

const fn hasty(about: &'static str, property: &'static str) -> Bug {
    Bug {
        name: HASTY,
        about,
        source: "own: the smallest mistake that only a host with a separate disk notices",
        property,
        hosts: &["staged"],
        check_args: &[],
        run_args: &[],
    }
}

/// The gate that decides whether a machine is the right or the wrong one.
fn gate(role: &Role) -> Result<Gate, Refused> {
    match role.bug.as_deref() {
        None => Ok(Gate::Durable),
        Some(HASTY) => Ok(Gate::Now),
        Some(other) => Err(Refused::UnknownBug {
            name: other.to_owned(),
            known: EXAMPLES[0].bugs,
        }),
    }
}

fn expect_kind(expected: &str, kind: &str) -> Result<(), Refusal> {
    if kind == expected {
        return Ok(());
    }
    let why = format!("`{kind}` is none of init, status, {expected}");
    Err(Refusal::new(Code::NOT_SUPPORTED, why))
}

fn one_field(name: &str, value: impl Into<Json>) -> Result<Body, Refusal> {
    Ok(Body::from_iter([(name.to_owned(), value.into())]))
}

impl Service for single_decree::SingleDecree {
    fn request(kind: &str, body: &Body) -> Result<u64, Refusal> {
        expect_kind("propose", kind)?;
        let value = body.get("value").and_then(Json::as_u64);
        value.ok_or_else(|| Refusal::malformed("a whole number from 0", "value"))
    }

    fn reply(_kind: &str, chosen: u64) -> Result<Body, Refusal> {
        one_field("value", chosen)
    }
}

impl Service for coordinator::TwoPhase {
    fn request(kind: &str, _body: &Body) -> Result<coordinator::Commit, Refusal> {
        expect_kind("commit", kind).map(|()| coordinator::Commit)
    }

    fn reply(_kind: &str, committed: bool) -> Result<Body, Refusal> {
        one_field("committed", committed)
    }
}

impl Service for lock::Lock {
    fn request(kind: &str, _body: &Body) -> Result<lock::Acquire, Refusal> {
        expect_kind("acquire", kind).map(|()| lock::Acquire)
    }

    fn reply(_kind: &str, until: u64) -> Result<Body, Refusal> {
        one_field("until", until)
    }
}
