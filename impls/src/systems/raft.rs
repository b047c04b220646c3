//! Raft as a server.

use tribunal_protocol::bugs::Bug;
use tribunal_protocol::object::{Answer, Operation};
use tribunal_protocol::raft::{BUGS, Config, Raft, Request, Wrong};

use super::store::{self, Asked};
use super::{BuiltIn, Playable, UnknownBug, everybody};
use crate::service::{Body, Refusal, Service};
use crate::trace::Role;

/// The entry among the built-in systems.
pub(super) const RAFT: BuiltIn = BuiltIn::new::<Raft>(
    "raft",
    "a replicated log under one leader a term; reads by ReadIndex, client sessions",
    BUGS,
);

impl Service for Raft {
    fn request(kind: &str, body: &Body) -> Result<Request, Refusal> {
        Ok(match store::asked(kind, body)? {
            Asked::Register => Request::Register,
            // Reads change nothing, so that a ticket would tell nothing.
            Asked::Operation(_, Operation::Read { key }) => Request::Read { key },
            Asked::Operation(ticket, operation) => Request::Command { ticket, operation },
        })
    }

    fn reply(_kind: &str, response: Answer) -> Result<Body, Refusal> {
        store::answered(response)
    }
}

impl Playable for Raft {
    fn config(role: &Role) -> Result<Config, UnknownBug> {
        let bug = role.bug.as_deref();
        Ok(Config {
            bug: bug.map(|name| wrong_version(name, BUGS)).transpose()?,
            ..Config::new(role.node, everybody(role))
        })
    }
}

fn wrong_version(name: &str, bugs: &'static [Bug]) -> Result<Wrong, UnknownBug> {
    Wrong::named(name).ok_or_else(|| UnknownBug {
        name: name.to_owned(),
        known: bugs,
    })
}
