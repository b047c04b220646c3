//! What must hold of a two-phase commit, when it blocks, and what must be
//! reachable. The conditions AC1 to AC5 of atomic commitment are numbered as
//! in Bernstein, Hadzilacos & Goodman 1987, §7.

use std::collections::{BTreeMap, BTreeSet};

use tribunal_protocol::NodeId;
use tribunal_protocol::two_phase::{Key, Mode, Participation, Prepared, TwoPhase, TxnId};

use super::TwoPhaseSystem;
use crate::bounds::{Bounds, Limit};
use crate::cluster::Cluster;
use crate::system::{Check, Goal, Judgement, ModelSystem as _, Property, Recovery};

type State = Cluster<TwoPhaseSystem>;

pub(super) fn properties() -> Vec<Property<TwoPhaseSystem>> {
    let property = |name, about, check| Property { name, about, check };
    vec![
        property(
            "AC1",
            "all that decide on a transaction decide the same; who has voted yes and lost it has \
             aborted it",
            Check::Observed,
        ),
        property(
            "AC2",
            "a decision is never reversed, nor is what a client was told",
            Check::Observed,
        ),
        property(
            "AC3",
            "a transaction commits only if all participants have voted yes",
            Check::Observed,
        ),
        property(
            "AC4",
            "a transaction commits if all participants have voted yes and nothing failed: no \
             crash, no patience that ended",
            Check::Observed,
        ),
        property(
            "AC5",
            "once failures are repaired, every transaction can come to an end, and everybody knows \
             which",
            Check::Recoverable(Recovery {
                from: |_, _| true,
                to: |_, cluster| is_over(cluster),
                goal: "where every transaction is over on every node",
                grant: patient,
                repairs: true,
                exists: true,
            }),
        ),
        property(
            "Lock Safety",
            "who writes a key is alone with it; what is executed holds the locks that it needs, \
             and what is prepared those of what it writes",
            Check::Node(lock_safety),
        ),
        property(
            "Deadlock Freedom",
            "transactions do not wait for each other in a circle",
            Check::Cluster(deadlock_freedom),
        ),
        property(
            "In Doubt Means Blocked",
            "who stays in doubt though everybody else who runs can be heard is blocked: the \
             coordinator has stopped, and all others that wrote and run are in doubt too",
            Check::Recoverable(Recovery {
                from: |_, _| true,
                to: |_, cluster| doubts(cluster).all(|(_, txn, _)| is_blocked(cluster, txn)),
                goal: "where whoever is still in doubt is blocked",
                grant: patient,
                repairs: false,
                exists: true,
            }),
        ),
        property(
            "Blocked Stays Blocked",
            "who is blocked does not decide before the coordinator is repaired",
            Check::Recoverable(Recovery {
                from: |_, cluster| doubts(cluster).any(|(_, txn, _)| is_blocked(cluster, txn)),
                to: |_, cluster| doubts(cluster).all(|(_, txn, _)| !is_blocked(cluster, txn)),
                goal: "where nobody is blocked",
                grant: patient,
                repairs: false,
                exists: false,
            }),
        ),
        property(
            "Fail Means Never",
            "a transaction that was aborted never takes effect",
            Check::FailMeansNever,
        ),
        property(
            "Serializability",
            "some order of the transactions explains what clients were told",
            Check::Serializable,
        ),
        property(
            "Strict Serializability",
            "and in it none stands before one that had ended when it began",
            Check::Linearizable,
        ),
    ]
}

/// What two-phase commit is known not to do.
pub(super) fn weaknesses() -> Vec<Property<TwoPhaseSystem>> {
    vec![Property {
        name: "Non-Blocking",
        about: "whoever runs can come to a decision without those who have stopped; no two-phase \
                commit has that (Skeen 1981), so it is judged only if it is asked for by name",
        check: Check::Recoverable(Recovery {
            from: |_, _| true,
            to: |_, cluster| doubts(cluster).next().is_none(),
            goal: "where nobody who runs is in doubt",
            grant: patient,
            repairs: false,
            exists: true,
        }),
    }]
}

/// Both participants of every transaction may have to ask, or to tell, once
/// more.
fn patient(bounds: Bounds) -> Bounds {
    let transactions = bounds
        .get(Limit::Operations)
        .saturating_add(bounds.get(Limit::Reads));
    bounds.with(Limit::Timers, transactions.saturating_mul(2).max(4))
}

pub(super) fn goals() -> Vec<Goal<TwoPhaseSystem>> {
    vec![
        Goal {
            name: "a transaction commits",
            about: "a client is told that its transaction has committed",
            needs: &[(Limit::Operations, 1)],
            reached: |_, cluster| cluster.ghost().told.values().any(|commit| *commit),
        },
        Goal {
            name: "a transaction is aborted",
            about: "a client is told that its transaction was aborted",
            needs: &[(Limit::Operations, 1), (Limit::Timers, 1)],
            reached: |_, cluster| cluster.ghost().told.values().any(|commit| !*commit),
        },
        Goal {
            name: "a participant recovers in doubt",
            about: "a node has restarted with a transaction that is prepared and not decided",
            needs: &[(Limit::Operations, 1), (Limit::Crashes, 1)],
            reached: |_, cluster| {
                doubts(cluster).any(|(node, _, prepared)| {
                    prepared.execution.incarnation < cluster.believed(node).incarnation()
                })
            },
        },
        Goal {
            name: "a participant is blocked",
            about: "the coordinator has stopped, and all others that wrote and run are in doubt",
            needs: &[(Limit::Operations, 1), (Limit::Halts, 1)],
            reached: |_, cluster| doubts(cluster).any(|(_, txn, _)| is_blocked(cluster, txn)),
        },
        Goal {
            name: "everything is over",
            about: "a transaction has committed, and everybody has forgotten it",
            needs: &[(Limit::Operations, 1)],
            reached: |_, cluster| {
                is_over(cluster) && cluster.ghost().told.values().any(|commit| *commit)
            },
        },
    ]
}

/// Who runs and is in doubt, and about what.
fn doubts(cluster: &State) -> impl Iterator<Item = (NodeId, TxnId, &Prepared)> {
    cluster.running().flat_map(|node| {
        let parts = cluster.believed(node).participations().iter();
        parts.filter_map(move |(txn, part)| match part {
            Participation::Prepared(prepared) => Some((node, *txn, prepared)),
            _ => None,
        })
    })
}

/// Whether nobody who runs may decide on a transaction: its coordinator has
/// stopped, and whoever writes in it, and runs, is in doubt.
fn is_blocked(cluster: &State, txn: TxnId) -> bool {
    let in_doubt: BTreeMap<NodeId, &Prepared> = doubts(cluster)
        .filter(|(_, of, _)| *of == txn)
        .map(|(node, _, prepared)| (node, prepared))
        .collect();
    let mut writers = in_doubt.values().flat_map(|prepared| &prepared.writers);
    cluster.is_halted(txn.coordinator)
        && writers.all(|node| cluster.is_halted(*node) || in_doubt.contains_key(node))
}

/// Whether no node holds anything of a transaction, nor has it on disk.
fn is_over(cluster: &State) -> bool {
    cluster.nodes().all(|node| {
        let (machine, durable) = (cluster.believed(node), cluster.durable(node));
        machine.participations().is_empty()
            && machine.coordinated().is_empty()
            && durable.prepared.is_empty()
            && durable.commits.is_empty()
            && durable.remembered.is_empty()
    })
}

fn lock_safety(system: &TwoPhaseSystem, cluster: &State, node: NodeId) -> Judgement {
    let Some(machine) = cluster.shown(node) else {
        return Ok(());
    };
    let locks = machine.locks();
    for (key, holders) in &locks {
        if holders.len() > 1 && holders.values().any(|mode| *mode == Mode::Exclusive) {
            return Err(format!("key {key} is locked by {holders:?} on {node}"));
        }
    }
    let holds = |txn: TxnId, key: &Key, mode: Mode| {
        let held = locks.get(key).and_then(|holders| holders.get(&txn));
        held.is_some_and(|held| *held >= mode)
    };
    for (txn, part) in machine.participations() {
        let (written, read) = match part {
            Participation::Waiting { .. } => continue,
            Participation::Executed { writes, .. } => (writes, reads(system, cluster, *txn, node)),
            Participation::Prepared(prepared) => (&prepared.writes, Vec::new()),
        };
        let written = written.keys().map(|key| (key, Mode::Exclusive));
        let read = read.iter().map(|key| (key, Mode::Shared));
        let mut needed = written.chain(read);
        if let Some((key, _)) = needed.find(|(key, mode)| !holds(*txn, key, *mode)) {
            return Err(format!(
                "{txn} needs the lock of key {key}, and {node} has let it go"
            ));
        }
    }
    Ok(())
}

/// The keys of a node that a transaction reads.
fn reads(system: &TwoPhaseSystem, cluster: &State, txn: TxnId, node: NodeId) -> Vec<Key> {
    let Some(operation) = cluster.ghost().of.get(&txn) else {
        return Vec::new();
    };
    let operations = system.transaction(*operation).into_iter();
    let keys = operations
        .filter(|operation| operation.is_read())
        .map(|operation| operation.key());
    let config = system.config(node);
    keys.filter(|key| config.owner(*key) == node).collect()
}

/// By taking away whoever waits for nobody, until all do.
fn deadlock_freedom(_: &TwoPhaseSystem, cluster: &State) -> Judgement {
    let mut waits: BTreeMap<TxnId, BTreeSet<TxnId>> = BTreeMap::new();
    for node in cluster.running() {
        for (waiting, held) in cluster
            .shown(node)
            .into_iter()
            .flat_map(TwoPhase::waits_for)
        {
            waits.entry(waiting).or_default().insert(held);
        }
    }
    loop {
        let waiting: BTreeSet<TxnId> = waits.keys().copied().collect();
        let before = waits.len();
        waits.retain(|_, held| !held.is_disjoint(&waiting));
        if waits.is_empty() {
            return Ok(());
        }
        if waits.len() == before {
            let circle: Vec<_> = waits.keys().collect();
            return Err(format!("{circle:?} wait for each other"));
        }
    }
}
