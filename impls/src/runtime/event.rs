//! What reaches the task that owns the machine.

use tribunal_protocol::{Machine, NodeId};

use super::crash::CrashPoint;
use super::port::Origin;

/// Something from outside.
pub(super) enum Event<M: Machine> {
    /// A peer's message.
    Message { from: NodeId, message: M::Message },
    /// A session with a peer began, under a number of this node's, or broke.
    Link { peer: NodeId, session: Option<u64> },
    /// A client's request, and where its answer goes.
    Request { origin: Origin, request: M::Request },
    /// Somebody wants to know how the node is.
    Status { origin: Origin },
    /// The harness wants the node to end at a place, or nowhere any more.
    CrashAt {
        origin: Origin,
        point: Option<CrashPoint>,
    },
}
