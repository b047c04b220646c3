//! Random walks of two-phase commit.
//!
//! Messages are lost, repeated and reordered, nodes crash with any part of
//! what they were writing. Behind each command all that is durable must agree,
//! and locks must be held as they may be. At the end nothing is lost any more
//! and every timer expires: then nothing may be left under way, and what
//! clients were told and what the keys hold must come from one order of whole
//! transactions, in which none is before one that ended before it began.

use std::collections::{BTreeMap, BTreeSet};

use tribunal_protocol::two_phase::{
    BUGS, Committed, Mode, Record, Seen as Read, TwoPhase, TxnId, Value,
};
use tribunal_protocol::{NodeId, Outcome};

use super::Draw;
use crate::cluster::{Cluster, Event};

const SEEDS: u64 = 150;
const COMMANDS: usize = 500;
/// After so many rounds nobody waits any longer for all to come to an end.
const ROUNDS_MAX: usize = 40;
/// Keys below are lists, to which every transaction appends its own number.
const ACCOUNTS: u64 = 100;
/// No account holds less.
const LEAST: i64 = -3;

/// What a client asked for.
#[derive(Debug)]
struct Asked {
    /// The lists that it read, before everything else, in order.
    reads: Vec<u64>,
    /// The lists that it appended its number to.
    appends: BTreeSet<u64>,
    began: usize,
    /// When it was answered, and how.
    ended: Option<(usize, Outcome<Committed>)>,
}

impl Asked {
    fn is_committed(&self) -> bool {
        matches!(self.ended, Some((_, Outcome::Ok(_))))
    }
}

/// What a walk has seen so far.
#[derive(Default)]
struct Seen {
    now: usize,
    asked: BTreeMap<u64, Asked>,
    decisions: BTreeMap<TxnId, bool>,
    /// Who had prepared a transaction on disk.
    prepared: BTreeSet<(TxnId, NodeId)>,
    /// How many were decided to commit.
    committed: usize,
}

impl Seen {
    /// Looks at every node, and at what happened; what is wrong, if anything.
    fn look(&mut self, cluster: &mut Cluster<TwoPhase>) -> Result<(), String> {
        self.now += 1;
        for event in cluster.take_events() {
            self.look_at_event(event)?;
        }
        for (id, node, _) in cluster.nodes() {
            look_at_locks(id, node)?;
        }
        Ok(())
    }

    fn look_at_event(&mut self, event: Event<TwoPhase>) -> Result<(), String> {
        match event {
            Event::Durable(at, Record::Prepared { txn, .. }) => {
                self.prepared.insert((txn, at));
            }
            Event::Durable(_, Record::Commit { txn, writers }) => {
                let lacks = writers
                    .iter()
                    .find(|at| !self.prepared.contains(&(txn, **at)));
                if let Some(at) = lacks {
                    return Err(format!("{txn} commits, and {at} has not prepared it"));
                }
                self.committed += 1;
                self.decide(txn, true)?;
            }
            Event::Durable(_, Record::Decided { txn, commit }) => self.decide(txn, commit)?,
            Event::Durable(..) => {}
            Event::Answered(id, outcome) => {
                let asked = self.asked.get_mut(&id.0).expect("a request");
                if let Some((_, before)) = asked.ended.replace((self.now, outcome)) {
                    return Err(format!("{} was answered before: {before:?}", id.0));
                }
            }
        }
        Ok(())
    }

    fn decide(&mut self, txn: TxnId, commit: bool) -> Result<(), String> {
        let decided = *self.decisions.entry(txn).or_insert(commit);
        (decided == commit)
            .then_some(())
            .ok_or(format!("{txn} both commits and aborts"))
    }

    /// Whether what clients were told and what the keys hold at the end comes
    /// from one order of whole transactions.
    fn judge(&self, cluster: &Cluster<TwoPhase>) -> Result<(), String> {
        let (lists, total) = contents(cluster);
        if total != 0 {
            return Err(format!("accounts sum up to {total}"));
        }
        let is_in = |id: u64, key: &u64| {
            let list = lists.get(key);
            list.is_some_and(|list| list.contains(&(id as i64)))
        };
        let mut took_effect = BTreeSet::new();
        for (id, asked) in &self.asked {
            let count = asked.appends.iter().filter(|key| is_in(*id, key)).count();
            let is_aborted = matches!(asked.ended, Some((_, Outcome::Never(_))));
            if count > 0 && (is_aborted || count < asked.appends.len())
                || count < asked.appends.len() && asked.is_committed()
            {
                return Err(format!("{id} is in {count} lists: {asked:?}"));
            }
            if count > 0 || asked.is_committed() {
                took_effect.insert(*id);
            }
        }
        let mut order = self.order_of_effects(&lists)?;
        for earlier in &took_effect {
            let Some((ended, _)) = self.asked[earlier].ended else {
                continue;
            };
            let later = took_effect.iter();
            let later = later.filter(|later| self.asked[later].began > ended);
            order.extend(later.map(|later| (*earlier, *later)));
        }
        sorted(took_effect, order)
    }

    /// Who must be before whom, by what the lists hold and what was read.
    fn order_of_effects(
        &self,
        lists: &BTreeMap<u64, Vec<i64>>,
    ) -> Result<BTreeSet<(u64, u64)>, String> {
        let mut order = BTreeSet::new();
        for list in lists.values() {
            let pairs = list.windows(2);
            order.extend(pairs.map(|pair| (pair[0] as u64, pair[1] as u64)));
        }
        for (id, asked) in &self.asked {
            let Some((_, Outcome::Ok(Committed(seen)))) = &asked.ended else {
                continue;
            };
            for (key, seen) in asked.reads.iter().zip(seen) {
                let list = lists.get(key).map_or(&[][..], Vec::as_slice);
                let read = match seen {
                    Read::Value(None) => &[][..],
                    Read::Value(Some(Value::List(read))) => read,
                    _ => return Err(format!("{id} read {seen:?}")),
                };
                if !list.starts_with(read) {
                    return Err(format!("{id} read {read:?} of {list:?} in {key}"));
                }
                order.extend(read.last().map(|last| (*last as u64, *id)));
                let next = list.get(read.len());
                let next = next.filter(|next| **next != *id as i64);
                order.extend(next.map(|next| (*id, *next as u64)));
            }
        }
        Ok(order)
    }
}

/// Whether there is an order of all with each pair in it.
fn sorted(mut all: BTreeSet<u64>, mut pairs: BTreeSet<(u64, u64)>) -> Result<(), String> {
    loop {
        let is_first = |id: &u64| !pairs.iter().any(|(_, later)| later == id);
        let first: BTreeSet<u64> = all.iter().copied().filter(is_first).collect();
        if first.is_empty() {
            break;
        }
        all.retain(|id| !first.contains(id));
        pairs.retain(|(earlier, _)| !first.contains(earlier));
    }
    all.is_empty()
        .then_some(())
        .ok_or_else(|| format!("no order of {all:?}: {pairs:?}"))
}

/// All lists, and the sum of all accounts.
fn contents(cluster: &Cluster<TwoPhase>) -> (BTreeMap<u64, Vec<i64>>, i64) {
    let mut lists = BTreeMap::new();
    let mut total = 0;
    let values = cluster
        .nodes()
        .flat_map(|(_, node, _)| node.store().values());
    for (key, value) in values {
        match value {
            Value::List(list) => {
                lists.insert(key, list.clone());
            }
            Value::Number(number) => total += number,
        }
    }
    (lists, total)
}

/// An exclusive lock has one holder and no other beside it, and whoever waits
/// is older than whom it waits for.
fn look_at_locks(id: NodeId, node: &TwoPhase) -> Result<(), String> {
    for (key, holders) in node.locks() {
        if holders.len() > 1 && holders.values().any(|mode| *mode == Mode::Exclusive) {
            return Err(format!("{id} has lent the lock of {key} to {holders:?}"));
        }
    }
    match node.waits_for().find(|(waiting, holder)| waiting > holder) {
        Some((waiting, holder)) => Err(format!("{waiting} waits for {holder}, which is older")),
        None => Ok(()),
    }
}

/// Whether a node has nothing under way, in memory or on disk.
fn is_at_rest(
    node: &TwoPhase,
    durable: &<TwoPhase as tribunal_protocol::Machine>::Durable,
) -> bool {
    node.participations().is_empty()
        && node.remembered().is_empty()
        && node.coordinated().is_empty()
        && node.locks().is_empty()
        && durable.prepared.is_empty()
        && durable.commits.is_empty()
        && durable.remembered.is_empty()
        && durable.store == *node.store()
}

/// A transaction of some reads and appends, or a transfer.
fn request(at: &str, seen: &mut Seen, draw: &mut Draw) -> String {
    let id = seen.asked.len() as u64 + 1;
    let mut asked = Asked {
        reads: Vec::new(),
        appends: BTreeSet::new(),
        began: seen.now,
        ended: None,
    };
    let mut operations = Vec::new();
    if draw.below(4) == 0 {
        let (from, to) = (draw.below(3) as u64, draw.below(3) as u64);
        let amount = draw.below(3) as i64;
        operations.push(format!("add {} {} {LEAST}", ACCOUNTS + from, -amount));
        operations.push(format!("add {} {amount}", ACCOUNTS + to));
    } else {
        asked.reads = (0..draw.below(3)).map(|_| draw.below(4) as u64).collect();
        asked.appends = (0..draw.below(3)).map(|_| draw.below(4) as u64).collect();
        operations.extend(asked.reads.iter().map(|key| format!("read {key}")));
        let appends = asked.appends.iter();
        operations.extend(appends.map(|key| format!("append {key} {id}")));
    }
    seen.asked.insert(id, asked);
    format!("request {at} {id} {}", operations.join(" , "))
}

/// The next command: mostly deliveries and writes to disk.
fn next(cluster: &Cluster<TwoPhase>, nodes: usize, seen: &mut Seen, draw: &mut Draw) -> String {
    let any = format!("n{}", draw.below(nodes) + 1);
    let at = NodeId::named(&any).expect("a node");
    let lanes = cluster.lanes();
    let lane = draw.of(&lanes);
    match (draw.below(1000), lane) {
        (0..600, Some((from, to))) => {
            let nth = draw.below(cluster.under_way(*from, *to)) + 1;
            format!("deliver {from} {to} {nth}")
        }
        (600..650, Some((from, to))) => format!("repeat {from} {to}"),
        (650..660, Some((from, to))) => format!("drop {from} {to}"),
        (660..860, _) => format!("persist {any} 1"),
        (860..950, _) => request(&any, seen, draw),
        (950..988, _) => {
            let timers = cluster.timers(at);
            match draw.of(&timers) {
                Some(timer) => format!("timeout {any} {timer}"),
                None => "show".into(),
            }
        }
        (988..1000, _) => {
            let kept = draw.below(cluster.outstanding(at) + 1);
            format!("crash {any} {kept}")
        }
        _ => "show".into(),
    }
}

/// Lets everything come to its end.
fn come_to_rest(
    cluster: &mut Cluster<TwoPhase>,
    seen: &mut Seen,
    commands: &mut Vec<String>,
) -> Result<(), String> {
    let mut run = |cluster: &mut Cluster<TwoPhase>, command: String| {
        cluster.command(&command.split_whitespace().collect::<Vec<_>>());
        commands.push(command);
        seen.look(cluster)
    };
    for _ in 0..ROUNDS_MAX {
        run(cluster, "settle".into())?;
        if cluster
            .nodes()
            .all(|(_, node, durable)| is_at_rest(node, durable))
        {
            return seen.judge(cluster);
        }
        let ids: Vec<NodeId> = cluster.nodes().map(|(id, ..)| id).collect();
        for id in ids {
            for timer in cluster.timers(id) {
                run(cluster, format!("timeout {id} {timer}"))?;
            }
        }
    }
    Err("something never ends".into())
}

/// What is wrong at the end of a walk, and how far it came.
fn walk(seed: u64, start: &str) -> (Result<Seen, String>, Vec<String>) {
    let mut draw = Draw(seed);
    let mut cluster = Cluster::<TwoPhase>::default();
    let mut commands = vec![start.to_owned()];
    let mut seen = Seen::default();
    let nodes = start.split(' ').nth(1).and_then(|count| count.parse().ok());
    let nodes: usize = nodes.expect("cluster COUNT");
    for _ in 0..COMMANDS {
        let command = commands.last().expect("a command");
        cluster.command(&command.split_whitespace().collect::<Vec<_>>());
        if let Err(wrong) = seen.look(&mut cluster) {
            return (Err(wrong), commands);
        }
        commands.push(next(&cluster, nodes, &mut seen, &mut draw));
    }
    // What was drawn last is not done.
    commands.pop();
    seen.asked.retain(|_, asked| asked.began < seen.now);
    let rest = come_to_rest(&mut cluster, &mut seen, &mut commands);
    (rest.map(|()| seen), commands)
}

#[test]
fn a_walk_of_two_phase_commit_never_contradicts_itself() {
    for start in ["cluster 2", "cluster 3", "cluster 4 operations 3"] {
        let (mut committed, mut answered) = (0, 0);
        for seed in 0..SEEDS {
            let (outcome, commands) = walk(seed, start);
            match outcome {
                Ok(seen) => {
                    committed += seen.committed;
                    let asked = seen.asked.values();
                    answered += asked.filter(|asked| asked.is_committed()).count();
                }
                Err(wrong) => panic!("seed {seed}: {wrong}\n{}", commands.join("\n")),
            }
        }
        // A walk in which nothing happens shows nothing.
        assert!(
            committed > 3 * SEEDS as usize,
            "{start}: {committed} committed"
        );
        assert!(
            answered > 3 * SEEDS as usize,
            "{start}: {answered} answered"
        );
    }
}

/// What walks do not come upon. For the second, two messages to execute one
/// transaction have to reach a participant, and the whole of another one in
/// between; a script shows it. The others are no matter of walks: here no node
/// stops for good, and whether an abort has a reason is not asked.
const NOT_FOUND: &[&str] = &[
    "only-the-coordinator-is-asked",
    "prepare-trusts-any-execution",
    "read-only-vote-counted-as-no",
];

#[test]
fn walks_find_the_wrong_versions_of_two_phase_commit() {
    let bugs = BUGS.iter().map(|bug| (bug.name, bug.about));
    let can_be_broken = bugs.filter(|(_, about)| !about.contains("; not shown: "));
    let is_missed = |name: &&str| {
        let start = format!("cluster 3 bug {name}");
        (0..SEEDS).all(|seed| walk(seed, &start).0.is_ok())
    };
    let missed = can_be_broken.map(|(name, _)| name).filter(is_missed);
    assert_eq!(missed.collect::<Vec<_>>(), NOT_FOUND);
}
