//! Failure detectors as servers.
//!
//! A node answers `suspects` with the names of those whom it suspects.

use std::time::Duration;

use serde_json::Value as Json;
use tribunal_protocol::detector::{
    ACCRUAL_BUGS, Accrual, Config, HEARTBEAT_BUGS, Heartbeat, Likelihood, OBSERVER_BUGS, Observer,
    ObserverConfig, PHI_MAX, Patience, Pulse, Suspected, Suspects, Timeouts, Wrong,
};

use super::{BuiltIn, Playable, Refused, Silence, everybody, wrong_version};
use crate::adapter::{Client, ClientOptions, NodePlan};
use crate::client::{SUSPECTS, SuspectsClient};
use crate::service::{Body, Code, Refusal, Service};
use crate::settings::{Chosen, Setting};
use crate::trace::Role;

/// The entries among the built-in systems.
pub(super) const HEARTBEAT: BuiltIn = BuiltIn::new::<Heartbeat>(
    "heartbeat",
    "a failure detector: everybody shows everybody that it is there; timeouts that learn",
    HEARTBEAT_BUGS,
);
pub(super) const OBSERVER: BuiltIn = BuiltIn::new::<Observer>(
    "observer",
    "a failure detector: each node is polled by one other; suspicion travels and is refuted",
    OBSERVER_BUGS,
);
pub(super) const ACCRUAL: BuiltIn = BuiltIn::new::<Accrual>(
    "accrual",
    "a failure detector: how unlikely a silence is after those before it",
    ACCRUAL_BUGS,
);

fn asked(kind: &str) -> Result<Suspects, Refusal> {
    if kind == SUSPECTS {
        return Ok(Suspects);
    }
    let why = format!("`{kind}` is none of init, status, {SUSPECTS}");
    Err(Refusal::new(Code::NOT_SUPPORTED, why))
}

fn answered(suspected: &Suspected) -> Body {
    let names = suspected.iter().map(|node| Json::from(node.to_string()));
    Body::from_iter([(SUSPECTS.to_owned(), names.collect())])
}

impl<P: Patience> Service for Pulse<P> {
    fn request(kind: &str, _body: &Body) -> Result<Suspects, Refusal> {
        asked(kind)
    }

    fn reply(_kind: &str, suspected: Suspected) -> Result<Body, Refusal> {
        Ok(answered(&suspected))
    }
}

impl Service for Observer {
    fn request(kind: &str, _body: &Body) -> Result<Suspects, Refusal> {
        asked(kind)
    }

    fn reply(_kind: &str, suspected: Suspected) -> Result<Body, Refusal> {
        Ok(answered(&suspected))
    }
}

fn client(plan: &NodePlan, plans: &[NodePlan], options: &ClientOptions) -> Box<dyn Client> {
    let nodes = plans.iter().map(|plan| (plan.node, plan.client_listen));
    let client = SuspectsClient::new(plan.node, nodes.collect(), options.clone());
    Box::new(client)
}

fn bug(
    role: &Role,
    known: &'static [tribunal_protocol::bugs::Bug],
) -> Result<Option<Wrong>, Refused> {
    let Some(name) = role.bug.as_deref() else {
        return Ok(None);
    };
    let found = Wrong::named(name).filter(|_| known.iter().any(|bug| bug.name == name));
    wrong_version(found, name, known).map(Some)
}

fn silence(shortest_ms: u64, longest_ms: u64, pairwise: bool) -> Silence {
    Silence {
        shortest: Duration::from_millis(shortest_ms),
        longest: Duration::from_millis(longest_ms),
        pairwise,
    }
}

/// A number that is chosen, or the usual one.
fn chosen(settings: &Chosen, name: &str, usual: u64) -> Result<u64, Refused> {
    let given = settings.count(name).map_err(Refused::Setting)?;
    Ok(given.unwrap_or(usual))
}

const TIMEOUT: &str = "timeout-ms";
const STEP: &str = "timeout-step-ms";
const MOST: &str = "timeout-most-ms";
const TIMEOUT_MS: u64 = 400;

impl Playable for Heartbeat {
    const WORKLOAD: &'static str = SUSPECTS;
    const SETTINGS: &'static [Setting] = &[
        Setting {
            name: TIMEOUT,
            about: "the first timeout: the longest silence that is not suspicious (400)",
        },
        Setting {
            name: STEP,
            about: "by how much a mistake makes it longer (100)",
        },
        Setting {
            name: MOST,
            about: "the longest timeout; at least the first (800)",
        },
    ];

    fn config(role: &Role) -> Result<Config<Timeouts>, Refused> {
        let first = chosen(&role.settings, TIMEOUT, TIMEOUT_MS)?;
        let timeouts = Timeouts {
            first,
            step: chosen(&role.settings, STEP, 100)?,
            most: chosen(&role.settings, MOST, 2 * TIMEOUT_MS)?.max(first),
        };
        Ok(Config {
            bug: bug(role, HEARTBEAT_BUGS)?,
            ..Config::new(role.node, everybody(role), timeouts)
        })
    }

    fn silence(config: &Config<Timeouts>) -> Option<Silence> {
        let Timeouts { first, most, .. } = config.patience;
        Some(silence(first, most, true))
    }

    fn client(plan: &NodePlan, plans: &[NodePlan], options: &ClientOptions) -> Box<dyn Client> {
        client(plan, plans, options)
    }
}

const PHI: &str = "phi";
const WINDOW: &str = "window";
const EXPECTED: &str = "expected-ms";
const DEVIATION: &str = "deviation-ms";
const LONGEST: &str = "longest-ms";

impl Playable for Accrual {
    const WORKLOAD: &'static str = SUSPECTS;
    const SETTINGS: &'static [Setting] = &[
        Setting {
            name: PHI,
            about: "the phi beyond which a peer is suspected, up to 15 (8)",
        },
        Setting {
            name: WINDOW,
            about: "how many of the latest silences are looked at (100)",
        },
        Setting {
            name: EXPECTED,
            about: "how long a silence is expected to be while none is known (50)",
        },
        Setting {
            name: DEVIATION,
            about: "the least deviation of silences from their mean (60)",
        },
        Setting {
            name: LONGEST,
            about: "the longest silence that may not be suspicious (800)",
        },
    ];

    fn config(role: &Role) -> Result<Config<Likelihood>, Refused> {
        let set = |name, usual| chosen(&role.settings, name, usual);
        let threshold = 1000 * set(PHI, 8)?;
        if threshold >= PHI_MAX {
            return Err(Refused::Setting(format!(
                "expected {PHI} to be at most {}, not {}",
                PHI_MAX / 1000,
                threshold / 1000
            )));
        }
        let likelihood = Likelihood {
            threshold,
            window: usize::try_from(set(WINDOW, 100)?).unwrap_or(usize::MAX),
            expected: set(EXPECTED, 50)?,
            deviation_min: set(DEVIATION, 60)?,
            most: set(LONGEST, 800)?,
        };
        Ok(Config {
            bug: bug(role, ACCRUAL_BUGS)?,
            ..Config::new(role.node, everybody(role), likelihood)
        })
    }

    fn silence(config: &Config<Likelihood>) -> Option<Silence> {
        let most = config.patience.most;
        Some(silence(most, most, true))
    }

    fn client(plan: &NodePlan, plans: &[NodePlan], options: &ClientOptions) -> Box<dyn Client> {
        client(plan, plans, options)
    }
}

impl Playable for Observer {
    const WORKLOAD: &'static str = SUSPECTS;
    const SETTINGS: &'static [Setting] = &[Setting {
        name: TIMEOUT,
        about: "how long a subject may owe its reply, and an observer its poll (400)",
    }];

    fn config(role: &Role) -> Result<ObserverConfig, Refused> {
        let timeout = chosen(&role.settings, TIMEOUT, TIMEOUT_MS)?;
        Ok(ObserverConfig {
            bug: bug(role, OBSERVER_BUGS)?,
            ..ObserverConfig::new(role.node, everybody(role), timeout)
        })
    }

    /// Each of the others may have to be taken for an observer before the next
    /// one is.
    fn silence(config: &ObserverConfig) -> Option<Silence> {
        let others = config.peers.len() as u64;
        Some(silence(config.timeout, others * config.timeout, false))
    }

    fn client(plan: &NodePlan, plans: &[NodePlan], options: &ClientOptions) -> Box<dyn Client> {
        client(plan, plans, options)
    }
}

#[cfg(test)]
mod tests {
    use tribunal_protocol::NodeId;

    use super::*;

    #[test]
    fn whoever_asks_is_told_names() {
        assert_eq!(Heartbeat::request(SUSPECTS, &Body::new()), Ok(Suspects));
        assert!(Observer::request("read", &Body::new()).is_err());
        let reply = Accrual::reply(SUSPECTS, Suspected::from([NodeId(2), NodeId(3)]));
        let text = Json::from(reply.unwrap()).to_string();
        assert_eq!(text, r#"{"suspects":["n2","n3"]}"#);
    }
}
