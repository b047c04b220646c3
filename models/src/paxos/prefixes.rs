//! Ways to states of a Paxos cluster that are worth starting from.

use tribunal_protocol::NodeId;
use tribunal_protocol::paxos::{Message, Paxos, Request, Timer};

use super::PaxosSystem;
use crate::bounds::Limit;
use crate::system::{Cue, Prefix};

const N1: NodeId = NodeId(1);
const N2: NodeId = NodeId(2);
const N3: NodeId = NodeId(3);

pub(super) fn prefixes() -> Vec<Prefix<PaxosSystem>> {
    vec![
        prefix("elected", "n1 leads the first ballot", &[], [elected()]),
        prefix(
            "decided",
            "n1 leads the first ballot and has the first operation decided; the others have \
             accepted it, and do not know that it is decided",
            &[(Limit::Operations, 1)],
            [elected(), vec![Cue::Request(0, N1), settle()]],
        ),
        prefix(
            "half-accepted",
            "n1 leads the first ballot and has proposed the first operation, which n2 has \
             accepted: its answer is under way",
            &[(Limit::Operations, 1)],
            [
                elected(),
                vec![
                    Cue::Request(0, N1),
                    Cue::Persist(N1),
                    Cue::Deliver(N1, N2, any),
                ],
            ],
        ),
        prefix(
            "unheard",
            "n1 leads the first ballot; n2 has prepared the second one, and nobody heard: with \
             --set phase1=1 it leads",
            &[],
            [
                elected(),
                vec![
                    Cue::Expire(N2, Timer::Election),
                    Cue::Persist(N2),
                    Cue::Lose(N2, N1, any),
                    Cue::Lose(N2, N3, any),
                ],
            ],
        ),
        prefix(
            "overtaken",
            "n1 led the first ballot and alone accepted the first operation; n2 leads the second \
             ballot and has the second operation decided with n3",
            &[(Limit::Operations, 2)],
            [
                elect(N1, N3),
                vec![Cue::Request(0, N1), Cue::Persist(N1), Cue::LoseAll],
                elect(N2, N3),
                vec![Cue::LoseAll, Cue::Request(1, N2), Cue::Persist(N2)],
                vec![Cue::Lose(N2, N1, any), Cue::Settle(vec![N2, N3])],
            ],
        ),
        prefix(
            "late-promise",
            "n3 prepared the first ballot, and n2's promise of it is under way; n1 leads the \
             second ballot and has the first operation decided with n2",
            &[(Limit::Operations, 2)],
            [
                vec![
                    Cue::Expire(N3, Timer::Election),
                    Cue::Deliver(N3, N1, is_prepare),
                    Cue::Deliver(N3, N2, is_prepare),
                    Cue::Lose(N1, N3, any),
                ],
                elect(N1, N2),
                vec![
                    Cue::Lose(N1, N3, any),
                    Cue::Request(0, N1),
                    Cue::Persist(N1),
                    Cue::Lose(N1, N3, any),
                    Cue::Settle(vec![N1, N2]),
                ],
            ],
        ),
        prefix(
            "leased",
            "n1 leads the first ballot, and n2 has granted it a lease; only with --set lease=…",
            &[],
            [
                elected(),
                vec![
                    Cue::Expire(N1, Timer::Heartbeat),
                    Cue::Lose(N1, N3, any),
                    Cue::Settle(vec![N1, N2]),
                ],
            ],
        ),
        prefix(
            "restored",
            "n1 led the first ballot, had two operations decided, compacted its log and crashed",
            &[(Limit::Operations, 2), (Limit::Retries, 1)],
            [
                elected(),
                vec![Cue::Request(0, N1), settle(), Cue::Request(1, N1), settle()],
                vec![Cue::Administer(N1, Request::Compact), Cue::Persist(N1)],
                vec![Cue::Crash(N1, 0)],
            ],
        ),
    ]
}

fn prefix<const N: usize>(
    name: &'static str,
    about: &'static str,
    needs: &'static [(Limit, u8)],
    acts: [Vec<Cue<Paxos>>; N],
) -> Prefix<PaxosSystem> {
    Prefix {
        name,
        about,
        nodes: 3,
        needs,
        cues: acts.concat(),
    }
}

/// n1 leads, and everybody has promised its ballot.
fn elected() -> Vec<Cue<Paxos>> {
    vec![Cue::Expire(N1, Timer::Election), settle()]
}

fn settle() -> Cue<Paxos> {
    Cue::Settle(vec![N1, N2, N3])
}

/// `node` prepares a ballot that `acceptor` promises, and leads it. What it
/// sends to the others stays under way.
fn elect(node: NodeId, acceptor: NodeId) -> Vec<Cue<Paxos>> {
    vec![
        Cue::Expire(node, Timer::Election),
        Cue::Deliver(node, acceptor, is_prepare),
        Cue::Deliver(acceptor, node, |message| {
            matches!(message, Message::Promise { .. })
        }),
    ]
}

fn is_prepare(message: &Message) -> bool {
    matches!(message, Message::Prepare { .. })
}

fn any(_: &Message) -> bool {
    true
}
