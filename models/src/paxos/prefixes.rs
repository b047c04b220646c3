//! Ways to states of a Paxos cluster that are worth starting from.

use tribunal_protocol::NodeId;
use tribunal_protocol::paxos::{Message, Paxos, Timer};

use super::PaxosSystem;
use crate::system::{Cue, Prefix};

const N1: NodeId = NodeId(1);
const N2: NodeId = NodeId(2);
const N3: NodeId = NodeId(3);

pub(super) fn prefixes() -> Vec<Prefix<PaxosSystem>> {
    vec![
        prefix(
            "elected",
            "n1 leads the first ballot, and everybody knows",
            [elected()],
        ),
        prefix(
            "rivals",
            "n1 leads the first ballot by n3's promise, n2 the second one by n3's; neither has \
             heard of the other",
            [
                elect(N1, N3),
                vec![Cue::LoseAll],
                elect(N2, N3),
                vec![Cue::LoseAll],
            ],
        ),
    ]
}

fn prefix<const N: usize>(
    name: &'static str,
    about: &'static str,
    acts: [Vec<Cue<Paxos>>; N],
) -> Prefix<PaxosSystem> {
    Prefix {
        name,
        about,
        nodes: 3,
        needs: &[],
        cues: acts.concat(),
    }
}

/// n1 leads, and everybody knows.
fn elected() -> Vec<Cue<Paxos>> {
    vec![
        Cue::Expire(N1, Timer::Election),
        Cue::Settle(vec![N1, N2, N3]),
    ]
}

/// `node` prepares a ballot that `acceptor` promises. What it sends to the
/// others stays under way.
fn elect(node: NodeId, acceptor: NodeId) -> Vec<Cue<Paxos>> {
    vec![
        Cue::Expire(node, Timer::Election),
        Cue::Persist(node),
        Cue::Deliver(node, acceptor, |message| {
            matches!(message, Message::Prepare { .. })
        }),
        Cue::Deliver(acceptor, node, |message| {
            matches!(message, Message::Promise { .. })
        }),
    ]
}
