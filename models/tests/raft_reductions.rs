//! Reductions leave of Raft everything that can be durable and be told, and
//! every verdict.
//!
//! Where nodes differ in name only, which of them does what first is left
//! out; so projections are compared whichever node is which.

mod explore;

use std::collections::BTreeSet;

use explore::{fewer, verdicts_stay};
use tribunal_models::clients::Stage;
use tribunal_models::model::Settings;
use tribunal_models::raft::RaftSystem;
use tribunal_models::report::Verdict;
use tribunal_models::{Bounds, CheckOptions, Cluster, Granularity, Limit, ModelSystem, Reductions};
use tribunal_protocol::NodeId;
use tribunal_protocol::object::Answer;
use tribunal_protocol::raft::Entry;

const BOTH: [Granularity; 2] = [Granularity::Atomic, Granularity::Staged];

/// What is durable on a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Disk {
    term: u64,
    vote: Option<NodeId>,
    log: Vec<Entry>,
}

/// An operation that was answered: what was complete when it was invoked, as
/// bits, and what it returned.
type Told = Option<(u32, Answer)>;

/// What the reductions must not change: what can be durable together on all
/// nodes, terms, votes and logs, while clients know what they were told.
type Projection = (Vec<Disk>, Vec<Told>);

fn projection(cluster: &Cluster<RaftSystem>) -> Projection {
    let disk = |node| {
        let durable = cluster.durable(node);
        Disk {
            term: durable.term,
            vote: durable.vote,
            log: durable.log.entries().to_vec(),
        }
    };
    let disks: Vec<Disk> = cluster.nodes().map(disk).collect();
    let told = cluster.operations().iter().map(|each| match &each.stage {
        Stage::Ok(result) => Some((each.before, result.clone())),
        _ => None,
    });
    (whichever_is_which(&disks), told.collect())
}

/// The least of what the disks are under all exchanges of the nodes' names.
fn whichever_is_which(disks: &[Disk]) -> Vec<Disk> {
    let exchanged = |names: Vec<usize>| {
        let mut renamed = disks.to_vec();
        for (place, disk) in disks.iter().enumerate() {
            let name = |node: NodeId| NodeId(names[usize::from(node.0) - 1] as u8 + 1);
            renamed[names[place]] = Disk {
                vote: disk.vote.map(name),
                ..disk.clone()
            };
        }
        renamed
    };
    let all = permutations(disks.len()).into_iter().map(exchanged);
    all.min().expect("at least one order")
}

/// Every order of the numbers below `count`.
fn permutations(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else {
        return vec![Vec::new()];
    };
    let inserted = |shorter: Vec<usize>| {
        (0..count).map(move |place| {
            let mut longer = shorter.clone();
            longer.insert(place, last);
            longer
        })
    };
    permutations(last).into_iter().flat_map(inserted).collect()
}

fn bounds(nodes: u8, limits: &[(Limit, u8)]) -> Bounds {
    let limits = limits.iter();
    limits.fold(Bounds::of(nodes), |bounds, (limit, amount)| {
        bounds.with(*limit, *amount)
    })
}

fn nothing_changes(bounds: Bounds, fewer: &[(&'static str, Reductions)]) {
    for granularity in BOTH {
        let reachable = |reductions| -> BTreeSet<Projection> {
            let settings = Settings {
                bounds,
                granularity,
                reductions,
            };
            explore::reachable(RaftSystem::new(&bounds, None), settings, projection).0
        };
        let usual = reachable(Reductions::ALL);
        assert!(usual.len() > 10, "{usual:?}");
        for (name, reductions) in fewer {
            let other = reachable(*reductions);
            assert!(usual == other, "{bounds:?} {granularity:?} without {name}");
        }
    }
}

#[test]
fn two_nodes_reach_the_same() {
    let all = [
        (Limit::Elections, 2),
        (Limit::Operations, 1),
        (Limit::Reads, 1),
        (Limit::Crashes, 1),
    ];
    nothing_changes(bounds(2, &all), &fewer());
}

#[test]
fn three_nodes_reach_the_same() {
    let one_leader = [
        (Limit::Elections, 1),
        (Limit::Operations, 1),
        (Limit::Crashes, 1),
    ];
    nothing_changes(bounds(3, &one_leader), &fewer());
    let mut each = fewer();
    each.retain(|(name, _)| *name != "all");
    nothing_changes(bounds(3, &[(Limit::Elections, 2)]), &each);
}

/// A persist that completes at once lets its messages leave at once, for which
/// a full network has no room; so that reduction stays.
#[test]
fn three_nodes_reach_the_same_through_a_full_network() {
    let at_once = |(name, reductions)| {
        let reductions = Reductions {
            at_once: true,
            ..reductions
        };
        (name, reductions)
    };
    let tight = [
        (Limit::Elections, 2),
        (Limit::Operations, 1),
        (Limit::InFlight, 2),
    ];
    let fewer: Vec<_> = fewer().into_iter().map(at_once).collect();
    nothing_changes(bounds(3, &tight), &fewer);
}

#[test]
fn right_stays_right_and_wrong_stays_wrong() {
    let votes = [
        (Limit::Elections, 2),
        (Limit::Crashes, 1),
        (Limit::InFlight, 2),
    ];
    let writes = [(Limit::Elections, 1), (Limit::Operations, 1)];
    let reads = [
        (Limit::Elections, 1),
        (Limit::Operations, 1),
        (Limit::Reads, 1),
        (Limit::InFlight, 2),
    ];
    stays(
        None,
        &votes,
        &["vote-not-persisted", "vote-reply-before-persist"],
    );
    stays(
        Some("late-grant"),
        &[(Limit::Elections, 1)],
        &["stale-vote-reply-counted"],
    );
    stays(
        None,
        &writes,
        &[
            "follower-acks-before-sync",
            "leader-counts-itself-before-sync",
        ],
    );
    stays(None, &reads, &["local-read-at-follower"]);
}

/// The correct machine is valid, the wrong versions are not, whatever is left
/// out.
fn stays(from: Option<&str>, limits: &[(Limit, u8)], wrong: &[&str]) {
    let right = CheckOptions {
        from: from.map(str::to_owned),
        ..CheckOptions::new(bounds(3, limits))
    };
    verdicts_stay::<RaftSystem>(&right, &Verdict::Valid);
    for bug in wrong {
        let wrong = CheckOptions {
            bug: Some((*bug).to_owned()),
            ..right.clone()
        };
        verdicts_stay::<RaftSystem>(&wrong, &Verdict::Invalid);
    }
}
