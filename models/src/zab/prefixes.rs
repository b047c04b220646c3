//! Ways to states of a Zab cluster that are worth starting from.

use tribunal_protocol::NodeId;
use tribunal_protocol::zab::{Message, Request, Zab};

use crate::bounds::Limit;
use crate::system::{Cue, ModelSystem, Prefix};

const N1: NodeId = NodeId(1);
const N2: NodeId = NodeId(2);
const N3: NodeId = NodeId(3);

/// The name of the prefix that an ordinary check begins behind.
pub(super) const ESTABLISHED: &str = "established";

pub(super) fn prefixes<S: ModelSystem<Machine = Zab>>() -> Vec<Prefix<S>> {
    vec![
        prefix(
            ESTABLISHED,
            "n2 is established as the leader of the first epoch, and both others follow it",
            &[],
            [settle()],
        ),
        prefix(
            "deposed",
            "n2 led the first epoch and does not know that its sessions are gone; n3 leads the \
             second epoch, and n1 follows it",
            &[],
            [
                settle(),
                vec![Cue::Break(N1, N2), Cue::Break(N2, N3)],
                vec![Cue::Tell(N1, N2), Cue::Tell(N3, N2)],
                settle_among([N1, N3]),
            ],
        ),
        prefix(
            "behind",
            "n2 leads the first epoch, n3 has lost its sessions, and the first operation was \
             delivered without it",
            &[(Limit::Operations, 1)],
            [without_n3(0)],
        ),
        prefix(
            "handing-over",
            "n2 led the first epoch and delivered the first operation with n1, then crashed; n1 \
             leads the second epoch, and NEWLEADER is under way to n3, which has missed all that",
            &[(Limit::Operations, 1)],
            [
                without_n3(0),
                crash(N2, N1),
                meet(N1, N3),
                vec![Cue::SettleBefore(vec![N1, N3], is_newleader)],
            ],
        ),
        prefix(
            "uncommitted",
            "n2 led the first epoch and lost its sessions, and nobody else has the first operation; \
             n3 leads the second epoch, and n1 follows it",
            &[(Limit::Operations, 1)],
            [
                settle(),
                vec![Cue::Request(0, N2), Cue::Persist(N2)],
                cut_off(N2, [N1, N3]),
                settle_among([N1, N3]),
            ],
        ),
        prefix(
            "compacted",
            "n2 leads the first epoch, n3 has lost its sessions, and two operations were \
             delivered without it; n2 has compacted the first one",
            &[(Limit::Operations, 2)],
            [
                without_n3(0),
                vec![Cue::Administer(N2, Request::Compact), Cue::Persist(N2)],
                deliver(1, N2, N1),
            ],
        ),
        prefix(
            "tail",
            "n2 led the first epoch, compacted the first operation, which n3 has missed, and wrote \
             the second one, which nobody else has; it has lost n1 and found n3",
            &[(Limit::Operations, 2)],
            [
                without_n3(0),
                vec![Cue::Administer(N2, Request::Compact), Cue::Persist(N2)],
                vec![Cue::Request(1, N2), Cue::Persist(N2)],
                cut_off(N2, [N1]),
                meet(N2, N3),
            ],
        ),
        prefix(
            "passed-on",
            "n2 led the first epoch and wrote the first operation, which n1 took over from it in \
             the second epoch; n2 crashed, and n1 has found n3, which has missed all that",
            &[(Limit::Operations, 1)],
            [
                settle(),
                vec![Cue::Request(0, N2), Cue::Persist(N2)],
                cut_off(N2, [N1, N3]),
                cut_off(N3, [N1]),
                settle_among([N1, N2]),
                crash(N2, N1),
                meet(N1, N3),
                settle_among([N1, N3]),
            ],
        ),
    ]
}

fn prefix<S: ModelSystem<Machine = Zab>, const N: usize>(
    name: &'static str,
    about: &'static str,
    needs: &'static [(Limit, u8)],
    acts: [Vec<Cue<Zab>>; N],
) -> Prefix<S> {
    Prefix {
        name,
        about,
        nodes: 3,
        needs,
        cues: acts.concat(),
    }
}

/// All that is under way between everybody arrives, and is written.
fn settle() -> Vec<Cue<Zab>> {
    settle_among([N1, N2, N3])
}

fn settle_among<const N: usize>(nodes: [NodeId; N]) -> Vec<Cue<Zab>> {
    vec![Cue::Settle(nodes.into())]
}

/// The sessions of a node with others end, and all of them know.
fn cut_off<const N: usize>(node: NodeId, others: [NodeId; N]) -> Vec<Cue<Zab>> {
    let end = |other| {
        [
            Cue::Break(node, other),
            Cue::Tell(node, other),
            Cue::Tell(other, node),
        ]
    };
    others.into_iter().flat_map(end).collect()
}

/// Two nodes are told of their session.
fn meet(one: NodeId, other: NodeId) -> Vec<Cue<Zab>> {
    vec![Cue::Tell(one, other), Cue::Tell(other, one)]
}

/// A node crashes, and another is told.
fn crash(node: NodeId, other: NodeId) -> Vec<Cue<Zab>> {
    vec![Cue::Crash(node, 0), Cue::Tell(other, node)]
}

/// n2 is established, n3 loses its sessions, and an operation is delivered.
fn without_n3(operation: usize) -> Vec<Cue<Zab>> {
    [settle(), cut_off(N3, [N1, N2]), deliver(operation, N2, N1)].concat()
}

/// A leader has an operation delivered with one follower.
fn deliver(operation: usize, leader: NodeId, follower: NodeId) -> Vec<Cue<Zab>> {
    vec![
        Cue::Request(operation, leader),
        Cue::Settle(vec![leader, follower]),
    ]
}

fn is_newleader(message: &Message) -> bool {
    matches!(message, Message::NewLeader { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::{Bounds, Granularity, Reductions};
    use crate::cluster::Cluster;
    use crate::model::Settings;
    use crate::prefix;
    use crate::zab::ZabSystem;

    fn end_of(name: &str) -> Cluster<ZabSystem> {
        let bounds = Bounds::of(3).with(Limit::Operations, 2);
        let settings = Settings {
            bounds,
            granularity: Granularity::Staged,
            reductions: Reductions::ALL,
        };
        let system = ZabSystem::new(&bounds, None);
        let all = prefixes();
        let found = all.iter().find(|prefix| prefix.name == name);
        let (_, walk) = prefix::play(&system, settings, 0, found.expect("a prefix"), None)
            .expect("a prefix that fits");
        assert!(walk.broken.is_none());
        walk.end
    }

    #[test]
    fn prefixes_end_where_they_say() {
        for (name, roles) in [
            (ESTABLISHED, ["following", "leading", "following"]),
            ("deposed", ["following", "leading", "leading"]),
            ("behind", ["following", "leading", "looking"]),
            (
                "handing-over",
                [
                    "leading, synchronization",
                    "looking",
                    "following, synchronization",
                ],
            ),
            ("uncommitted", ["following", "looking", "leading"]),
            ("compacted", ["following", "leading", "looking"]),
            ("tail", ["looking", "looking", "looking"]),
            ("passed-on", ["leading", "looking", "following"]),
        ] {
            let end = end_of(name);
            let shown = end.nodes().map(|node| end.believed(node).role());
            assert!(shown.eq(roles), "{name}");
        }
    }
}
