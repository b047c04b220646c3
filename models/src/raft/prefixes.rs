//! Ways to states of a Raft cluster that are worth starting from.

use tribunal_protocol::NodeId;
use tribunal_protocol::raft::{Change, Message, Raft, Request, Timer};

use super::RaftSystem;
use crate::system::{Cue, Prefix};

const N1: NodeId = NodeId(1);
const N2: NodeId = NodeId(2);
const N3: NodeId = NodeId(3);
const N4: NodeId = NodeId(4);

pub(super) fn prefixes() -> Vec<Prefix<RaftSystem>> {
    vec![
        prefix(
            "elected",
            "n1 leads term 1, and everybody knows that its first entry is committed",
            [
                elect(N1, N3),
                vec![settle(), Cue::Expire(N1, Timer::Heartbeat), settle()],
            ],
        ),
        prefix(
            "leading",
            "n1 leads term 1 by n3's vote; its first appends and heartbeats are under way",
            [elect(N1, N3), vec![Cue::Expire(N1, Timer::Heartbeat)]],
        ),
        prefix(
            "late-grant",
            "n1 stands in term 2 while n2's vote of term 1 is under way to it",
            [
                vec![
                    Cue::Expire(N1, Timer::Election),
                    Cue::Deliver(N1, N2, is_vote),
                    Cue::Lose(N1, N3, any),
                ],
                vec![Cue::Expire(N1, Timer::Election)],
            ],
        ),
        prefix(
            "rivals",
            "n1 led term 1 and n2 leads term 2, each with an entry that nobody \
                          else has; n2's appends are under way",
            [rivals()],
        ),
        prefix(
            "figure-8",
            "n1 led term 1, n2 led term 2, n1 leads term 3 by n3's vote; each has entries that \
             nobody else has",
            [
                rivals(),
                vec![Cue::LoseAll],
                elect(N1, N3),
                vec![Cue::Persist(N1)],
            ],
        ),
        prefix(
            "contest",
            "n1 leads term 1 by n2's vote, and n3 stands in it too, its request to n2 under way; \
             only with --set pre-vote=1",
            [
                pre_vote(N1, N2),
                pre_vote(N3, N2),
                vote(N1, N2),
                [(N1, N2), (N1, N3), (N3, N1)]
                    .map(|(from, to)| Cue::Lose(from, to, any))
                    .to_vec(),
            ],
        ),
        prefix(
            "behind",
            "n1 leads term 1 and has committed its first entry with n2; n3 heard nothing",
            [vec![
                Cue::Expire(N1, Timer::Election),
                Cue::Lose(N1, N3, any),
                Cue::Settle(vec![N1, N2]),
                Cue::Expire(N1, Timer::Heartbeat),
                Cue::Settle(vec![N1, N2]),
                Cue::Lose(N1, N3, any),
            ]],
        ),
        prefix(
            "contested",
            "n1 and n3 stand in term 1; n2 has voted for n1, and does not know of n3 yet",
            [vec![
                Cue::Expire(N1, Timer::Election),
                Cue::Expire(N3, Timer::Election),
                Cue::Deliver(N1, N2, is_vote),
                Cue::Persist(N1),
                Cue::Persist(N2),
                Cue::Persist(N3),
                Cue::Lose(N1, N3, any),
                Cue::Lose(N3, N1, any),
            ]],
        ),
        Prefix {
            nodes: 4,
            ..prefix(
                "split-change",
                "n1 leads term 1, and alone has the entry that removes n4",
                [vec![
                    Cue::Expire(N1, Timer::Election),
                    Cue::Settle(vec![N1, N2, N3, N4]),
                    Cue::Expire(N1, Timer::Heartbeat),
                    Cue::Settle(vec![N1, N2, N3, N4]),
                    Cue::Administer(N1, Request::Reconfigure(Change::Remove(N4))),
                    Cue::Persist(N1),
                    Cue::LoseAll,
                ]],
            )
        },
        prefix(
            "compacted",
            "n1 leads term 1 and has committed its first entry; n2 has compacted its log, and n1's \
             append of that entry is under way to it once more",
            [vec![
                Cue::Expire(N1, Timer::Election),
                Cue::Deliver(N1, N3, is_vote),
                Cue::Persist(N3),
                Cue::Deliver(N3, N1, any),
                Cue::Persist(N1),
                Cue::Lose(N1, N2, is_vote),
                Cue::Expire(N1, Timer::Heartbeat),
                Cue::Deliver(N1, N2, is_heartbeat),
                Cue::Persist(N2),
                Cue::Deliver(N2, N1, any),
                Cue::Deliver(N1, N2, any),
                Cue::Persist(N2),
                Cue::Settle(vec![N2, N2]),
                Cue::Deliver(N2, N1, any),
                Cue::Settle(vec![N1, N3]),
                Cue::Expire(N1, Timer::Heartbeat),
                Cue::Settle(vec![N1, N3]),
                Cue::Deliver(N1, N2, is_heartbeat),
                Cue::Deliver(N2, N1, any),
                Cue::Administer(N2, Request::Compact),
                Cue::Persist(N2),
            ]],
        ),
    ]
}

fn prefix<const N: usize>(
    name: &'static str,
    about: &'static str,
    acts: [Vec<Cue<Raft>>; N],
) -> Prefix<RaftSystem> {
    Prefix {
        name,
        about,
        nodes: 3,
        needs: &[],
        cues: acts.concat(),
    }
}

fn rivals() -> Vec<Cue<Raft>> {
    [
        elect(N1, N3),
        vec![
            Cue::Deliver(N1, N2, is_vote),
            Cue::Persist(N1),
            Cue::LoseAll,
        ],
        elect(N2, N3),
        vec![
            Cue::Deliver(N2, N1, is_vote),
            Cue::Persist(N1),
            Cue::Persist(N2),
        ],
    ]
    .concat()
}

fn settle() -> Cue<Raft> {
    Cue::Settle(vec![N1, N2, N3])
}

/// `node` finds out that `voter` would vote for it, and stands.
fn pre_vote(node: NodeId, voter: NodeId) -> Vec<Cue<Raft>> {
    vec![
        Cue::Expire(node, Timer::Election),
        Cue::Deliver(node, voter, |message| {
            matches!(message, Message::PreVote { .. })
        }),
        Cue::Deliver(voter, node, |message| {
            matches!(message, Message::PreVoteReply { .. })
        }),
    ]
}

/// `node` stands for election and is elected by `voter`. Its request to the
/// others, and its first appends, stay under way.
fn elect(node: NodeId, voter: NodeId) -> Vec<Cue<Raft>> {
    [vec![Cue::Expire(node, Timer::Election)], vote(node, voter)].concat()
}

/// `voter` is asked for its vote and gives it.
fn vote(node: NodeId, voter: NodeId) -> Vec<Cue<Raft>> {
    vec![
        Cue::Deliver(node, voter, is_vote),
        Cue::Deliver(voter, node, |message| {
            matches!(message, Message::VoteReply { .. })
        }),
    ]
}

fn is_vote(message: &Message) -> bool {
    matches!(message, Message::Vote { .. })
}

fn is_heartbeat(message: &Message) -> bool {
    matches!(message, Message::Append { entries, .. } if entries.is_empty())
}

fn any(_: &Message) -> bool {
    true
}
