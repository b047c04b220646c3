//! Multi-Paxos as a server.
//!
//! Beside the words of [`store`], a node knows `compact`: drop every slot of
//! this node's log that a snapshot can stand for.

use std::collections::{BTreeMap, BTreeSet};

use tribunal_protocol::NodeId;
use tribunal_protocol::object::{Answer, Call, Operation};
use tribunal_protocol::paxos::{BUGS, Config, DRIFT, Paxos, Request, Wrong};
use tribunal_protocol::quorum::{Quorums, Rule};

use super::store;
use super::{BuiltIn, Playable, Refused, everybody, wrong_version};
use crate::adapter::Capability;
use crate::service::{Body, Refusal, Service};
use crate::settings::Setting;
use crate::trace::Role;

/// The entry among the built-in systems.
pub(super) const PAXOS: BuiltIn = BuiltIn::new::<Paxos>(
    "paxos",
    "Multi-Paxos: slots decided under one leader a ballot; reads by a slot or by a lease",
    BUGS,
);

const QUORUMS: &str = "quorums";
const WINDOW: &str = "window";
const LEASE: &str = "lease-ms";
const CHECK_QUORUM: &str = "check-quorum";

impl Service for Paxos {
    fn request(kind: &str, body: &Body) -> Result<Request, Refusal> {
        if kind == "compact" {
            return Ok(Request::Compact);
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

impl Playable for Paxos {
    const CAPABILITIES: &'static [Capability] = &[Capability::Leader, Capability::Compaction];
    const SETTINGS: &'static [Setting] = &[
        Setting {
            name: QUORUMS,
            about: "which nodes are enough, in phases 1 and 2: majority; counts:Q1,Q2; grid:COLUMNS \
                    (a row, a column); weights:W1,…,WN:Q1,Q2",
        },
        Setting {
            name: WINDOW,
            about: "slots that are open at the same time (256)",
        },
        Setting {
            name: LEASE,
            about: "reads without a slot, by leases of so many milliseconds: only right while no two \
                    nodes' clocks differ by more than a millisecond",
        },
        Setting {
            name: CHECK_QUORUM,
            about: "leaders give up that hear no quorum, 0 or 1 (1)",
        },
    ];

    fn config(role: &Role) -> Result<Config, Refused> {
        let settings = &role.settings;
        let members: BTreeSet<NodeId> = everybody(role).collect();
        let rule = match settings.get(QUORUMS) {
            None => Rule::Majority,
            Some(text) => rule(text, &members).ok_or_else(|| {
                Refused::Setting(format!(
                    "expected {QUORUMS}=majority, counts:Q1,Q2, grid:COLUMNS or \
                     weights:W1,…,WN:Q1,Q2 for {} nodes, not `{text}`",
                    members.len()
                ))
            })?,
        };
        let quorums = Quorums::new(members, rule);
        let quorums = quorums.map_err(|why| Refused::Setting(format!("{QUORUMS}: {why}")))?;
        let mut config = Config::new(role.node, quorums);
        let bug = role.bug.as_deref();
        config.bug = bug
            .map(|name| wrong_version(Wrong::named(name), name, BUGS))
            .transpose()?;
        if let Some(window) = settings.count(WINDOW).map_err(Refused::Setting)? {
            config.window = window;
        }
        config.lease = settings.count(LEASE).map_err(Refused::Setting)?;
        if let Some(lease) = config.lease.filter(|lease| *lease <= DRIFT) {
            return Err(Refused::Setting(format!(
                "expected {LEASE} to be more than {DRIFT}, not {lease}: clocks may differ by that much, \
                 so that nobody could trust such a lease"
            )));
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

/// Reads what makes a quorum of these members.
fn rule(text: &str, members: &BTreeSet<NodeId>) -> Option<Rule> {
    let pair = |text: &str| -> Option<(u64, u64)> {
        let (one, two) = text.split_once(',')?;
        Some((one.parse().ok()?, two.parse().ok()?))
    };
    match text.split_once(':') {
        None if text == "majority" => Some(Rule::Majority),
        Some(("counts", counts)) => {
            let (one, two) = pair(counts)?;
            let (one, two) = (usize::try_from(one).ok()?, usize::try_from(two).ok()?);
            Some(Rule::Counts { one, two })
        }
        Some(("grid", columns)) => {
            let columns = columns.parse().ok()?;
            Some(Rule::Grid { columns })
        }
        Some(("weights", rest)) => {
            let (weights, quorums) = rest.split_once(':')?;
            let weights = weights.split(',').map(|weight| weight.parse().ok());
            let weights: Vec<u64> = weights.collect::<Option<_>>()?;
            let (one, two) = pair(quorums)?;
            let fits = weights.len() == members.len();
            let weights: BTreeMap<_, _> = members.iter().copied().zip(weights).collect();
            fits.then_some(Rule::Weights { weights, one, two })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Chosen;

    fn config(nodes: u8, quorums: &str) -> Result<Config, Refused> {
        let chosen = (QUORUMS.to_owned(), quorums.to_owned());
        Paxos::config(&Role {
            node: NodeId(1),
            peers: (2..=nodes).map(NodeId).collect(),
            bug: None,
            compaction: crate::Compaction::default(),
            settings: Chosen::from_iter([chosen]),
        })
    }

    #[test]
    fn quorums_are_read_and_must_meet() {
        for fine in [
            "majority",
            "counts:4,2",
            "counts:1,5",
            "weights:3,1,1,1,1:4,4",
        ] {
            assert!(config(5, fine).is_ok(), "{fine}");
        }
        assert!(config(6, "grid:3").is_ok());
        for (wrong, says) in [
            ("counts:2,3", "meet"),
            ("grid:3", "rows"),
            ("weights:1,1:1,2", "5 nodes"),
            (
                "weights:9223372036854775808,9223372036854775808,1,0,0:1,1",
                "in common",
            ),
            ("counts:4", "counts:Q1,Q2"),
            ("half", "majority"),
        ] {
            let error = config(5, wrong).unwrap_err().to_string();
            assert!(error.contains(says), "{wrong}: {error}");
        }
    }
}
