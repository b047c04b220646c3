//! Random walks of Zab.

use std::collections::BTreeMap;

use tribunal_protocol::NodeId;
use tribunal_protocol::zab::{Zab, Zxid};

use super::Draw;
use crate::cluster::Cluster;

const SEEDS: u64 = 60;
const COMMANDS: usize = 900;

/// What a walk has seen so far.
#[derive(Default)]
struct Seen {
    /// Every transaction that some node knew to be committed, in order.
    order: Vec<Zxid>,
    /// The object at a position.
    digests: BTreeMap<Zxid, u64>,
    /// Who was established in an epoch.
    leaders: BTreeMap<u32, NodeId>,
    /// How many elections came that far.
    established: usize,
}

impl Seen {
    /// Looks at every node; what is wrong, if anything is.
    fn look(&mut self, cluster: &Cluster<Zab>) -> Result<(), String> {
        for (id, node, _) in cluster.nodes() {
            self.look_at(id, node)?;
        }
        Ok(())
    }

    fn look_at(&mut self, id: NodeId, node: &Zab) -> Result<(), String> {
        let committed = node.committed();
        let digest = *self
            .digests
            .entry(committed)
            .or_insert(node.store().digest());
        if digest != node.store().digest() {
            return Err(format!("{id} has another object at {committed}"));
        }
        let history = node.history();
        let known = history.between(history.base(), committed);
        let known: Vec<Zxid> = known.iter().map(|txn| txn.zxid).collect();
        let base = self.order.partition_point(|zxid| *zxid <= history.base());
        let theirs = &self.order[base..];
        let shared = known.len().min(theirs.len());
        if known[..shared] != theirs[..shared] {
            return Err(format!("{id} knows {known:?}, others {theirs:?}"));
        }
        self.order.extend(&known[shared..]);
        if node.is_established() {
            let leader = *self.leaders.entry(node.current()).or_insert_with(|| {
                self.established += 1;
                id
            });
            if leader != id {
                return Err(format!("{leader} and {id} lead in {}", node.current()));
            }
        }
        Ok(())
    }

    /// Whether a leader that was just established has all that is committed.
    fn look_at_leader(&self, node: &Zab) -> Result<(), String> {
        let has_all = self.order.last().is_none_or(|last| {
            let floor = node.history().floor(*last);
            floor == *last || node.history().base() > *last
        });
        has_all
            .then_some(())
            .ok_or("a leader lacks what is committed".into())
    }
}

/// The next command: mostly deliveries and writes to disk.
fn next(cluster: &Cluster<Zab>, nodes: u8, value: &mut u64, draw: &mut Draw) -> String {
    let id = |number: usize| format!("n{}", number + 1);
    let any = id(draw.below(usize::from(nodes)));
    let other = id(draw.below(usize::from(nodes)));
    let at = NodeId::named(&any).expect("a node");
    match draw.below(1000) {
        0..600 => {
            let lanes = cluster.lanes();
            match draw.of(&lanes) {
                Some((from, to)) => format!("deliver {from} {to} 1"),
                None => "show".into(),
            }
        }
        600..780 => format!("persist {any} 1"),
        780..870 => {
            *value += 1;
            let leader = cluster.nodes().find(|(_, node, _)| node.is_established());
            let at = leader.map_or(any, |(id, _, _)| id.to_string());
            format!("request {at} {value} write {} {value}", *value % 2)
        }
        870..900 => {
            let timers = cluster.timers(at);
            match draw.of(&timers) {
                Some(timer) => format!("timeout {any} {timer}"),
                None => "show".into(),
            }
        }
        900..915 if any != other => format!("break {any} {other}"),
        915..975 if any != other => format!("connect {any} {other}"),
        975..985 => {
            let kept = draw.below(cluster.outstanding(at) + 1);
            format!("crash {any} {kept}")
        }
        985..1000 => format!("request {any} 0 compact"),
        _ => "show".into(),
    }
}

/// Brings all together and lets timers expire until one leads and everybody
/// follows it.
fn calm_down(
    cluster: &mut Cluster<Zab>,
    nodes: u8,
    seen: &mut Seen,
    draw: &mut Draw,
    commands: &mut Vec<String>,
) -> Result<(), String> {
    let mut run = |cluster: &mut Cluster<Zab>, command: String| {
        cluster.command(&command.split(' ').collect::<Vec<_>>());
        commands.push(command);
        seen.look(cluster)
    };
    for id in 1..=nodes {
        run(cluster, format!("connect n{id}"))?;
    }
    for _ in 0..50 {
        run(cluster, "settle".into())?;
        let is_calm =
            |(_, node, _): (NodeId, &Zab, _)| ["following", "leading"].contains(&node.role());
        if cluster.nodes().all(is_calm) {
            return Ok(());
        }
        let id = NodeId(draw.below(usize::from(nodes)) as u8 + 1);
        if let Some(timer) = draw.of(&cluster.timers(id)) {
            run(cluster, format!("timeout {id} {timer}"))?;
        }
    }
    Err("no leader that all follow".into())
}

/// What is wrong at the end of a walk, and how far it came.
fn walk(seed: u64, start: &str) -> (Result<Seen, String>, Vec<String>) {
    let mut draw = Draw(seed);
    let mut cluster = Cluster::<Zab>::default();
    let mut commands = vec![start.to_owned()];
    let mut seen = Seen::default();
    let mut value = 0;
    let nodes = start.split(' ').nth(1).and_then(|count| count.parse().ok());
    let nodes: u8 = nodes.expect("cluster COUNT");
    for _ in 0..COMMANDS {
        let command = commands.last().expect("a command");
        let before = seen.established;
        cluster.command(&command.split(' ').collect::<Vec<_>>());
        if let Err(wrong) = seen.look(&cluster) {
            return (Err(wrong), commands);
        }
        if seen.established > before {
            let mut leaders = cluster.nodes().filter(|(_, node, _)| node.is_established());
            let newest = leaders.by_ref().max_by_key(|(_, node, _)| node.current());
            let (_, node, _) = newest.expect("an established leader");
            if let Err(wrong) = seen.look_at_leader(node) {
                return (Err(wrong), commands);
            }
        }
        commands.push(next(&cluster, nodes, &mut value, &mut draw));
    }
    let calm = calm_down(&mut cluster, nodes, &mut seen, &mut draw, &mut commands);
    (calm.map(|()| seen), commands)
}

/// No node compacts by itself, in the step that commits: each transaction is
/// seen in somebody's history first.
const STARTS: [&str; 3] = [
    "cluster 3 chunk 1 batch 1",
    "cluster 3 counter-max 3 chunk 2 settles-late check-quorum",
    "cluster 5 observers 2 chunk 1 batch 2",
];

#[test]
fn a_walk_of_zab_never_contradicts_itself() {
    for start in STARTS {
        let (mut committed, mut established) = (0, 0);
        for seed in 0..SEEDS {
            let (outcome, commands) = walk(seed, start);
            match outcome {
                Ok(seen) => {
                    committed += seen.order.len();
                    established += seen.established;
                }
                Err(wrong) => panic!("seed {seed}: {wrong}\n{}", commands.join("\n")),
            }
        }
        // A walk in which nothing happens shows nothing.
        assert!(
            established > SEEDS as usize,
            "{start}: {established} established"
        );
        assert!(
            committed > 2 * SEEDS as usize,
            "{start}: {committed} committed"
        );
    }
}
