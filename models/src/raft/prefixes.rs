//! Ways to states of a Raft cluster that are worth starting from.

use tribunal_protocol::NodeId;
use tribunal_protocol::raft::{Message, Raft, Timer};

use super::RaftSystem;
use crate::system::{Cue, Prefix};

const N1: NodeId = NodeId(1);
const N2: NodeId = NodeId(2);
const N3: NodeId = NodeId(3);

pub(super) fn prefixes() -> Vec<Prefix<RaftSystem>> {
    vec![
        Prefix {
            name: "elected",
            about: "n1 leads term 1, and everybody knows that its first entry is committed",
            nodes: 3,
            needs: &[],
            cues: [elect(N1, N3), vec![
                Cue::Settle(vec![N1, N2, N3]),
                Cue::Expire(N1, Timer::Heartbeat),
                Cue::Settle(vec![N1, N2, N3]),
            ]]
            .concat(),
        },
        Prefix {
            name: "rivals",
            about: "n1 led term 1 and n2 leads term 2, each with an entry that nobody else has; \
                    n2's appends are under way",
            nodes: 3,
            needs: &[],
            cues: [
                elect(N1, N3),
                vec![Cue::Deliver(N1, N2, is_vote), Cue::Persist(N1), Cue::LoseAll],
                elect(N2, N3),
                vec![Cue::Deliver(N2, N1, is_vote), Cue::Persist(N2)],
            ]
            .concat(),
        },
    ]
}

/// `node` stands for election and is elected by `voter`. Its request to the
/// others, and its first appends, stay under way.
fn elect(node: NodeId, voter: NodeId) -> Vec<Cue<Raft>> {
    vec![
        Cue::Expire(node, Timer::Election),
        Cue::Deliver(node, voter, is_vote),
        Cue::Deliver(voter, node, is_vote_reply),
    ]
}

fn is_vote(message: &Message) -> bool {
    matches!(message, Message::Vote { .. })
}

fn is_vote_reply(message: &Message) -> bool {
    matches!(message, Message::VoteReply { .. })
}
