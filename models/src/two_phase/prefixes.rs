//! Ways to states of a two-phase commit that are worth starting from.

use tribunal_protocol::NodeId;
use tribunal_protocol::two_phase::{Message, TwoPhase};

use super::TwoPhaseSystem;
use crate::bounds::Limit;
use crate::system::{Cue, Prefix};

const N1: NodeId = NodeId(1);
const N2: NodeId = NodeId(2);
const N3: NodeId = NodeId(3);

pub(super) fn prefixes() -> Vec<Prefix<TwoPhaseSystem>> {
    vec![
        Prefix {
            name: "half-executed",
            about: "n1 coordinates the first transaction; n2 has executed it, and n3 is asked to",
            nodes: 3,
            needs: &[(Limit::Operations, 1)],
            cues: vec![Cue::Request(0, N1), Cue::Settle(vec![N1, N2])],
        },
        prefix(
            "executed",
            "n1 coordinates the first transaction, n2 and n3 have executed it and are asked to \
             prepare",
            |message| matches!(message, Message::Prepare { .. }),
        ),
        prefix(
            "voted",
            "n1 coordinates the first transaction, n2 and n3 have voted, and their votes are under \
             way",
            |message| matches!(message, Message::Voted { .. }),
        ),
        prefix(
            "committed",
            "n1 has committed the first transaction, and n2 and n3 do not know yet",
            |message| matches!(message, Message::Decided { .. }),
        ),
    ]
}

/// The first transaction, coordinated by n1, up to where such messages are
/// under way.
fn prefix(
    name: &'static str,
    about: &'static str,
    stay: fn(&Message) -> bool,
) -> Prefix<TwoPhaseSystem> {
    let cues: Vec<Cue<TwoPhase>> = vec![
        Cue::Request(0, N1),
        Cue::SettleBefore(vec![N1, N2, N3], stay),
    ];
    Prefix {
        name,
        about,
        nodes: 3,
        needs: &[(Limit::Operations, 1)],
        cues,
    }
}
