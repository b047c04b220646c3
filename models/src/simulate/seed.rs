//! One seed: its safety phase, then its liveness phase.
//!
//! In the safety phase everything may go wrong, as far as the seed drew it.
//! Then a core of the nodes is healed: those of it that are down recover,
//! messages are quick and none is lost, and all other nodes are gone for
//! good. The core must then get an operation done within a bound of virtual
//! time. A healed whole would hide what a fault that stays does to the rest
//! (TigerBeetle's simulator goes the same two ways).

use std::collections::BTreeSet;

use tribunal_protocol::machine::{Channel, Machine, NodeId};
use tribunal_protocol::quorum::majority;

use crate::shared::content_hash;
use crate::system::{Broken, ModelSystem};

use super::counts::Counts;
use super::dice::{Dice, Stream};
use super::run::{Load, Run};
use super::swarm::{Conditions, Fault};
use super::world::{Choice, World};

/// The property that a healed core of the nodes gets something done.
pub const PROGRESS: &str = "A Healed Core Makes Progress";

/// What came of one seed.
pub(super) struct Outcome<S: ModelSystem> {
    pub(super) counts: Counts,
    /// A digest of all that happened.
    pub(super) digest: u64,
    /// What broke, if something did.
    pub(super) broken: Option<Broken>,
    /// What was done until it broke; until the liveness phase, if that is
    /// what failed.
    pub(super) taken: Vec<Choice<S>>,
    pub(super) conditions: Conditions,
    /// Who had to make progress, if somebody had to.
    pub(super) core: Vec<NodeId>,
    /// Every action, a line each, if that was wanted.
    pub(super) lines: Vec<String>,
}

/// What a seed is run with.
#[derive(Clone, Copy)]
pub(super) struct Subject {
    pub(super) bug: Option<&'static str>,
    /// Whether every action is to be told.
    pub(super) tell: bool,
}

/// Runs a seed; nothing if it was stopped.
pub(super) fn run<S: ModelSystem>(
    subject: Subject,
    seed: u64,
    stopped: &dyn Fn() -> bool,
) -> Option<Outcome<S>> {
    let mut dice = Dice::new(seed, Stream::Conditions);
    let mut conditions = Conditions::draw::<S>(&mut dice, &faults::<S>());
    let world = World::<S>::new(&conditions.bounds, subject.bug);
    if world.is_lossless() {
        conditions.lost = 0;
    }
    let reserved = conditions.reserved;
    let dice = Dice::new(seed, Stream::Safety);
    let mut safety = Run::new(world, conditions.clone(), dice, Load::Drawn { reserved });
    safety.lines = subject.tell.then(Vec::new);
    if !safety.go_on(stopped) {
        return None;
    }
    let mut core = Vec::new();
    if safety.world.broken.is_none() {
        core = draw_core(&safety.world, &mut Dice::new(seed, Stream::Core));
        safety.heal(&core);
    }
    let mut outcome = Outcome {
        counts: safety.counts,
        digest: safety.digest,
        broken: safety.world.broken.take(),
        taken: safety.taken,
        conditions,
        core,
        lines: safety.lines.unwrap_or_default(),
    };
    outcome.counts.operations = safety.world.operations();
    if outcome.broken.is_some() || outcome.core.is_empty() {
        return Some(outcome);
    }
    let liveness = Liveness {
        seed,
        conditions: &outcome.conditions,
        core: &outcome.core,
        tell: subject.tell,
    };
    let later = liveness.run(safety.world, stopped)?;
    let settled = later.world.operations();
    outcome.counts.join(&later.counts);
    outcome.counts.operations = settled;
    outcome.digest = content_hash(outcome.digest, &later.digest);
    outcome.lines.extend(later.lines.unwrap_or_default());
    match later.end {
        End::Progress => {}
        End::None => outcome.broken = Some(stalled(&outcome.conditions, &outcome.core)),
        End::Broken(broken) => {
            outcome.broken = Some(broken);
            outcome.taken.extend(later.taken);
        }
    }
    Some(outcome)
}

/// What may strike a system.
fn faults<S: ModelSystem>() -> Vec<Fault> {
    let may = |fault: &Fault| match fault {
        Fault::Break => S::Machine::CHANNEL == Channel::Fifo,
        Fault::Halt => S::draws().halts,
        Fault::Kill | Fault::Pause | Fault::Partition => true,
    };
    Fault::ALL.into_iter().filter(may).collect()
}

/// A majority or more of the nodes that must make progress together; all, if
/// fewer need not; none, if not even all need to.
fn draw_core<S: ModelSystem>(world: &World<S>, dice: &mut Dice) -> Vec<NodeId> {
    let all: Vec<NodeId> = world.state.nodes().collect();
    let least = majority(all.len()) as u64;
    let size = dice.between(least, all.len() as u64) as usize;
    let drawn = dice.some(all.clone(), size);
    let system = &world.model.system;
    let candidates = [drawn, all];
    let mut owing = candidates
        .into_iter()
        .filter(|core| system.must_progress(&world.state, core));
    owing.next().unwrap_or_default()
}

/// The liveness phase of a seed. It depends on nothing but the state that it
/// begins with, so that it can be repeated behind a shorter safety phase.
pub(super) struct Liveness<'a> {
    pub(super) seed: u64,
    pub(super) conditions: &'a Conditions,
    pub(super) core: &'a [NodeId],
    pub(super) tell: bool,
}

/// What came of a liveness phase.
pub(super) struct Lived<S: ModelSystem> {
    pub(super) end: End,
    pub(super) world: World<S>,
    counts: Counts,
    digest: u64,
    taken: Vec<Choice<S>>,
    lines: Option<Vec<String>>,
}

/// How a liveness phase ended.
pub(super) enum End {
    /// Something got done.
    Progress,
    /// Nothing did.
    None,
    /// Something broke.
    Broken(Broken),
}

impl<S: ModelSystem> Lived<S> {
    /// How many actions it took.
    pub(super) fn steps(&self) -> u64 {
        self.counts.steps
    }
}

impl Liveness<'_> {
    /// Runs it; nothing if it was stopped.
    pub(super) fn run<S: ModelSystem>(
        &self,
        world: World<S>,
        stopped: &dyn Fn() -> bool,
    ) -> Option<Lived<S>> {
        let dice = Dice::new(self.seed, Stream::Liveness);
        let load = Load::One {
            reserved: self.conditions.reserved,
            asked: BTreeSet::new(),
            at: 0,
        };
        let mut run = Run::new(world, self.conditions.calm(), dice, load);
        for node in run.world.state.nodes() {
            if !self.core.contains(&node) {
                run.trouble.remove(node);
            }
        }
        run.lines = self.tell.then(Vec::new);
        if !run.go_on(stopped) {
            return None;
        }
        let end = match run.world.broken.take() {
            Some(broken) => End::Broken(broken),
            None if run.is_done() => {
                run.counts.healed = 1;
                run.counts.healed_slowest = run.now;
                End::Progress
            }
            None => End::None,
        };
        Some(Lived {
            end,
            world: run.world,
            counts: run.counts,
            digest: run.digest,
            taken: run.taken,
            lines: run.lines,
        })
    }
}

/// That nothing got done.
pub(super) fn stalled(conditions: &Conditions, core: &[NodeId]) -> Broken {
    let names: Vec<String> = core.iter().map(NodeId::to_string).collect();
    let bound = std::time::Duration::from_micros(conditions.calm().lasts);
    let why = format!(
        "{} are alive and connected, the others are gone, and no operation is answered in {bound:?} of virtual time",
        names.join(", ")
    );
    Broken::new(PROGRESS, why)
}
