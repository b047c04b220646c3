//! What is to happen, and when.

use std::collections::BTreeMap;

use tribunal_protocol::NodeId;

use crate::action::Timer;
use crate::system::ModelSystem;

use super::swarm::Micros;
use super::world::Message;

/// Something that is to happen. Whether it still can is found out then.
pub(super) enum Event<S: ModelSystem> {
    /// A message of a bag arrives.
    Arrive(Message<S>),
    /// A message of a bag is lost.
    Lose(Message<S>),
    /// The next message of a session arrives.
    Lane { from: NodeId, to: NodeId },
    /// A node hears of the begin or end of a session.
    Tell {
        node: NodeId,
        peer: NodeId,
        up: bool,
    },
    /// A timer expires, unless it was set anew since.
    Expire {
        node: NodeId,
        timer: Timer<S>,
        setting: u64,
    },
    /// A disk is done with some of what it was given.
    Disk(NodeId),
    /// A clock advances.
    Tick(NodeId),
    /// A client wants something.
    Ask,
    /// An operator wants something.
    Administer,
    /// The next fault strikes.
    Strike,
    /// A node that stands still goes on, or recovers.
    Thaw(NodeId),
    /// Every link works again.
    Rejoin,
}

/// What is to happen, by time; what is planned for the same time happens in
/// the order in which it was planned.
pub(super) struct Agenda<S: ModelSystem> {
    events: BTreeMap<(Micros, u64), Event<S>>,
    planned: u64,
}

impl<S: ModelSystem> Agenda<S> {
    pub(super) fn new() -> Self {
        Agenda {
            events: BTreeMap::new(),
            planned: 0,
        }
    }

    pub(super) fn plan(&mut self, at: Micros, event: Event<S>) {
        self.planned += 1;
        self.events.insert((at, self.planned), event);
    }

    /// The next event, with its time.
    pub(super) fn next(&mut self) -> Option<(Micros, Event<S>)> {
        let ((at, _), event) = self.events.pop_first()?;
        Some((at, event))
    }
}
