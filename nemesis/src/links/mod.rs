//! Links between nodes: a stream proxy for every ordered pair.
//!
//! Node `from` reaches node `to` by dialling the proxy of the link
//! `from -> to`. What it sends on such a connection, and what comes back on
//! it, belongs to that link; the other way round there is another proxy.
//!
//! ```text
//!   n1 ──dials──> [n1->n2] ──> n2        open:  bytes pass
//!   n1 <── [n2->n1] <──dials── n2        hold:  bytes wait, none is lost
//!                                        reset: connections are reset
//! ```
//!
//! Invariants:
//! - no byte is ever cut out of a stream: it passes, waits, or its whole
//!   connection goes;
//! - when a cut has returned, no byte passes until the heal, since the write
//!   itself is done under the gate's lock;
//! - a held stream is bounded by one buffer a direction; behind it the kernel
//!   holds the sender back.
//!
//! Packet filters were considered: dropping packets one way stalls the other
//! way of a TCP connection too, and after the heal the kernel's retransmission
//! timer keeps the stream dead for another half of the cut's length.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::cluster::{Network, Pending};
use crate::fault::{Cut, Node};

mod gate;
mod probe;
mod proxy;

use gate::Gate;

/// An ordered pair of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    /// The node that dials.
    pub from: Node,
    /// The node that is dialled.
    pub to: Node,
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}->n{}", self.from, self.to)
    }
}

/// What a link has carried and kept from passing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Bytes passed on, both ways.
    pub bytes_forwarded: u64,
    /// Bytes that had to wait for a heal.
    pub bytes_held: u64,
    /// Times that something had to wait for a heal: a new connection, or one
    /// direction of an old one that had bytes to carry.
    pub streams_held: u64,
    /// Connections reset by a cut.
    pub connections_reset: u64,
    /// Bytes that wait for a heal now.
    pub bytes_held_now: u64,
    /// Bytes that wait for the receiving node now: it does not read.
    pub bytes_blocked_now: u64,
}

/// How a probe through a link ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Probe {
    /// The link carried it to the node and back.
    Passed,
    /// The link held it.
    Held,
    /// The link reset it.
    Reset,
    /// The link carried it, and nobody listens at its end.
    NodeDown,
    /// The link carried it, and the node at its end takes no connections.
    NodeSilent,
    /// The proxy itself did not answer in time.
    Lost,
}

impl Probe {
    /// Whether the link did what an open link does, whatever the node did.
    pub fn carried(self) -> bool {
        matches!(self, Probe::Passed | Probe::NodeDown | Probe::NodeSilent)
    }

    /// Whether the link did what a cut link does.
    pub fn stopped(self) -> bool {
        matches!(self, Probe::Held | Probe::Reset)
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Probe::Passed => "passed",
            Probe::Held => "held",
            Probe::Reset => "reset",
            Probe::NodeDown => "carried to a node that is down",
            Probe::NodeSilent => "carried to a node that does not answer",
            Probe::Lost => "lost",
        })
    }
}

/// What became of the bytes that a link had held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// All were delivered, or went with their connection.
    Delivered,
    /// The link has let go of them; the node does not read.
    WaitsForNode {
        /// How many.
        bytes: u64,
    },
    /// The link is cut, by another fault too.
    StillCut(Cut),
    /// The link is open and has not let go of them in time.
    Late {
        /// How many.
        bytes: u64,
    },
}

/// Why something could not be done to a link.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// There is no such link.
    #[error("find the link {link}: there is none")]
    NoSuchLink {
        /// Which link.
        link: Link,
    },
    /// More heals than cuts.
    #[error("heal the link {link}: it is not cut by {how}")]
    NotCut {
        /// Which link.
        link: Link,
        /// In which way it is not cut.
        how: Cut,
    },
    /// Its proxy could not listen.
    #[error("listen for the link {link}")]
    Listen {
        /// Which link.
        link: Link,
        /// What the system said.
        source: io::Error,
    },
}

/// The proxies of one cluster. They end when it is dropped.
pub struct Links {
    proxies: BTreeMap<Link, Proxy>,
    /// Accepting, and everything accepted.
    _tasks: JoinSet<()>,
}

struct Proxy {
    address: SocketAddr,
    gate: Arc<Gate>,
}

impl Links {
    /// Opens a proxy for every ordered pair of `nodes`, given where each
    /// listens for its peers. Must be called within a tokio runtime.
    pub async fn open(nodes: &BTreeMap<Node, SocketAddr>) -> Result<Self, LinkError> {
        let mut proxies = BTreeMap::new();
        let mut tasks = JoinSet::new();
        for (link, target) in pairs(nodes) {
            let failed = |source| LinkError::Listen { link, source };
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
                .await
                .map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            let gate = Arc::new(Gate::default());
            tasks.spawn(proxy::serve(listener, target, Arc::clone(&gate)));
            proxies.insert(link, Proxy { address, gate });
        }
        Ok(Links {
            proxies,
            _tasks: tasks,
        })
    }

    /// Where `from` must dial to reach `to`.
    pub fn address(&self, from: Node, to: Node) -> Option<SocketAddr> {
        self.proxies
            .get(&Link { from, to })
            .map(|proxy| proxy.address)
    }

    /// Where `from` must dial to reach each other node.
    pub fn peers(&self, from: Node) -> BTreeMap<Node, SocketAddr> {
        let own = self.proxies.iter().filter(|(link, _)| link.from == from);
        own.map(|(link, proxy)| (link.to, proxy.address)).collect()
    }

    /// Every link, in order.
    pub fn links(&self) -> impl Iterator<Item = Link> + '_ {
        self.proxies.keys().copied()
    }

    fn gate(&self, link: Link) -> Result<&Arc<Gate>, LinkError> {
        self.proxies
            .get(&link)
            .map(|proxy| &proxy.gate)
            .ok_or(LinkError::NoSuchLink { link })
    }
}

fn pairs(nodes: &BTreeMap<Node, SocketAddr>) -> impl Iterator<Item = (Link, SocketAddr)> + '_ {
    nodes.keys().flat_map(move |from| {
        let others = nodes.iter().filter(move |(to, _)| *to != from);
        others.map(move |(to, target)| {
            (
                Link {
                    from: *from,
                    to: *to,
                },
                *target,
            )
        })
    })
}

impl Network for Links {
    fn cut(&self, link: Link, how: Cut) -> Result<(), LinkError> {
        self.gate(link)?.cut(how);
        Ok(())
    }

    fn heal(&self, link: Link, how: Cut) -> Result<(), LinkError> {
        let healed = self.gate(link)?.heal(how);
        healed.then_some(()).ok_or(LinkError::NotCut { link, how })
    }

    fn heal_all(&self) {
        self.proxies
            .values()
            .for_each(|proxy| proxy.gate.heal_all());
    }

    fn cut_of(&self, link: Link) -> Option<Cut> {
        self.gate(link).ok()?.mode().cut()
    }

    fn counters(&self, link: Link) -> Counters {
        self.gate(link)
            .map(|gate| gate.counters())
            .unwrap_or_default()
    }

    fn probe(&self, link: Link, limit: Duration) -> Pending<'_, Probe> {
        Box::pin(async move {
            match self.proxies.get(&link) {
                Some(proxy) => probe::send(&proxy.gate, proxy.address, limit).await,
                None => Probe::Lost,
            }
        })
    }

    fn settled(&self, link: Link, limit: Duration) -> Pending<'_, Settled> {
        Box::pin(async move {
            match self.gate(link) {
                Ok(gate) => gate.settled(limit).await,
                Err(_) => Settled::Delivered,
            }
        })
    }
}

#[cfg(test)]
mod tests;
