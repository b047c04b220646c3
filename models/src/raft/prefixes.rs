//! Ways to states of a Raft cluster that are worth starting from.

use tribunal_protocol::NodeId;
use tribunal_protocol::raft::{Change, Message, Raft, Request, Timer};

use crate::bounds::Limit;
use crate::system::{Cue, ModelSystem, Prefix};

const N1: NodeId = NodeId(1);
const N2: NodeId = NodeId(2);
const N3: NodeId = NodeId(3);
const N4: NodeId = NodeId(4);

pub(super) fn prefixes<S: ModelSystem<Machine = Raft>>() -> Vec<Prefix<S>> {
    vec![
        prefix(
            "elected",
            "n1 leads term 1, and everybody knows that its first entry is committed",
            [elected()],
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
            [behind()],
        ),
        prefix(
            "fallen",
            "n1 led term 1, committed its first entry with n2, and crashed; n3 heard nothing",
            [behind(), vec![Cue::Crash(N1, 0), Cue::LoseAll]],
        ),
        prefix(
            "contested",
            "n1 and n3 stand in term 1; n2 has voted for n1 and does not know of n3 yet",
            [vec![
                Cue::Expire(N1, Timer::Election),
                Cue::Expire(N3, Timer::Election),
                Cue::Persist(N1),
                Cue::Persist(N3),
                Cue::Deliver(N1, N2, is_vote),
                Cue::Persist(N2),
                Cue::Lose(N1, N3, any),
                Cue::Lose(N3, N1, any),
            ]],
        ),
        prefix(
            "shrunk",
            "n1 leads term 1 and has committed the removal of n2, which n3 has in its log",
            [
                elected(),
                vec![
                    Cue::Administer(N1, Request::Reconfigure(Change::Remove(N2))),
                    Cue::Lose(N1, N2, any),
                    Cue::Settle(vec![N1, N3]),
                ],
            ],
        ),
        Prefix {
            needs: &[(Limit::Operations, 2), (Limit::Retries, 1)],
            ..prefix(
                "restored",
                "n1 led term 1, committed two operations, compacted its log and crashed",
                [
                    elected(),
                    vec![Cue::Request(0, N1), settle(), Cue::Request(1, N1), settle()],
                    vec![Cue::Expire(N1, Timer::Heartbeat), settle()],
                    vec![Cue::Administer(N1, Request::Compact), Cue::Persist(N1)],
                    vec![Cue::Crash(N1, 0)],
                ],
            )
        },
        Prefix {
            nodes: 4,
            ..prefix(
                "split-change",
                "n1 led term 1 and alone has the entry that removes n4; n2 leads term 2 by the \
                 votes of n3 and n4, its first appends under way",
                [
                    elected_by_all(),
                    vec![
                        Cue::Administer(N1, Request::Reconfigure(Change::Remove(N4))),
                        Cue::Persist(N1),
                        Cue::LoseAll,
                    ],
                    elect(N2, N3),
                    vote(N2, N4),
                    vec![Cue::Deliver(N2, N1, is_vote), Cue::Persist(N1)],
                ],
            )
        },
        Prefix {
            nodes: 4,
            needs: &[(Limit::Operations, 1)],
            ..prefix(
                "leaving",
                "n1 leads term 1 and is asked for a command, and then to remove itself; its \
                 appends are under way",
                [
                    elected_by_all(),
                    vec![
                        Cue::Request(0, N1),
                        Cue::Persist(N1),
                        Cue::Administer(N1, Request::Reconfigure(Change::Remove(N1))),
                        Cue::Persist(N1),
                    ],
                ],
            )
        },
    ]
}

fn prefix<S: ModelSystem<Machine = Raft>, const N: usize>(
    name: &'static str,
    about: &'static str,
    acts: [Vec<Cue<Raft>>; N],
) -> Prefix<S> {
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

/// n1 leads term 1, and n2 and n3 know that its first entry is committed.
fn elected() -> Vec<Cue<Raft>> {
    let rounds = vec![settle(), Cue::Expire(N1, Timer::Heartbeat), settle()];
    [elect(N1, N3), rounds].concat()
}

/// n1 leads term 1; n2 knows that its first entry is committed, n3 nothing.
fn behind() -> Vec<Cue<Raft>> {
    vec![
        Cue::Expire(N1, Timer::Election),
        Cue::Persist(N1),
        Cue::Lose(N1, N3, any),
        Cue::Settle(vec![N1, N2]),
        Cue::Expire(N1, Timer::Heartbeat),
        Cue::Settle(vec![N1, N2]),
        Cue::Lose(N1, N3, any),
    ]
}

/// n1 leads term 1 of four nodes that know that its first entry is committed.
fn elected_by_all() -> Vec<Cue<Raft>> {
    let everybody = || Cue::Settle(vec![N1, N2, N3, N4]);
    vec![
        Cue::Expire(N1, Timer::Election),
        everybody(),
        Cue::Expire(N1, Timer::Heartbeat),
        everybody(),
    ]
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

fn any(_: &Message) -> bool {
    true
}
