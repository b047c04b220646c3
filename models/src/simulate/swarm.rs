//! What each seed draws before its run begins: how large the cluster is, what
//! clients want, how slow network and disks are, which faults strike and how
//! often.
//!
//! Swarm testing (Groce et al., ISSTA 2012): a run that can do everything
//! does a little of everything, and what needs much of one thing, or none of
//! another, is never met. So every seed leaves most kinds of trouble out and
//! overdoes others.

use crate::bounds::{Bounds, Limit};
use crate::system::ModelSystem;

use super::dice::Dice;
use super::world::WHOLLY;

/// Microseconds of virtual time.
pub(super) type Micros = u64;

const MS: Micros = 1_000;

/// What one seed drew.
#[derive(Clone, Debug)]
pub(super) struct Conditions {
    /// Nodes, operations, reads and settings; of retries and of what
    /// operators ask only whether there are any.
    pub(super) bounds: Bounds,
    /// How many operations at the end of the plan are kept for the liveness
    /// phase.
    pub(super) reserved: usize,
    /// Election timers run once to twice as long.
    pub(super) election: Micros,
    /// Heartbeat timers run exactly as long.
    pub(super) heartbeat: Micros,
    /// How often a timer expires before its time, in a thousand.
    pub(super) hasty: u64,
    /// The longest way of an ordinary message.
    pub(super) delay: Micros,
    /// How many messages in a thousand take much longer, or are lost, or
    /// arrive twice.
    pub(super) slow: u64,
    pub(super) lost: u64,
    pub(super) copied: u64,
    /// About how long one unit of a node's clock is, where clocks matter.
    pub(super) tick: Micros,
    /// The longest that a write takes to be durable.
    pub(super) disk: Micros,
    /// Which faults may strike; none, if none.
    pub(super) faults: Vec<Fault>,
    /// About how long from one fault to the next.
    pub(super) fault_every: Micros,
    /// The longest that a fault lasts.
    pub(super) fault_lasts: Micros,
    /// How often a node crashes, in a thousand times that it does something
    /// while its disk is at work; if nodes crash at all.
    pub(super) amid_writes: u64,
    /// How many faults in a thousand are aimed at a leader.
    pub(super) at_leader: u64,
    /// About how long from one request to the next.
    pub(super) think: Micros,
    /// How many operations may be open at the same time.
    pub(super) open: usize,
    /// How many requests in a thousand are sent again, where clients do that.
    pub(super) again: u64,
    /// How many answers in a thousand are lost, where clients ask again.
    pub(super) unheard: u64,
    /// About how long from one request of an operator to the next; 0 for
    /// never.
    pub(super) administered: Micros,
    /// How many clients and operators in a thousand know who leads.
    pub(super) informed: u64,
    /// How long the safety phase lasts at most.
    pub(super) lasts: Micros,
    /// How many steps it has at most.
    pub(super) steps: u64,
}

/// What strikes a cluster, by the names of the nemesis where it has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A node crashes, and recovers later or at once.
    Kill,
    /// A node stands still and goes on later.
    Pause,
    /// Links between two sides hold or lose what they are given, in one or
    /// both directions.
    Partition,
    /// Sessions between nodes break.
    Break,
    /// A node stops for good.
    Halt,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 5] = [
        Fault::Kill,
        Fault::Pause,
        Fault::Partition,
        Fault::Break,
        Fault::Halt,
    ];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Kill => "kill",
            Fault::Pause => "pause",
            Fault::Partition => "partition",
            Fault::Break => "break",
            Fault::Halt => "halt",
        }
    }
}

/// Operations kept for the liveness phase: one may be swallowed by a leader
/// that is about to step down, and another.
const RESERVED: u8 = 4;

impl Conditions {
    /// What the seed draws for a system.
    pub(super) fn draw<S: ModelSystem>(dice: &mut Dice, faults: &[Fault]) -> Self {
        let election = dice.one(&[20, 50, 150, 150, 300]) * MS;
        let delay = dice.one(&[MS, 5 * MS, election / 20, election / 4, election]);
        let kinds = dice.between(0, faults.len() as u64) as usize;
        Conditions {
            bounds: bounds::<S>(dice),
            reserved: RESERVED.into(),
            election,
            heartbeat: election / dice.one(&[2, 4, 6]),
            hasty: dice.one(&[0, 0, 0, 20, 150, 400]),
            delay,
            slow: dice.one(&[0, 0, 20, 100, 250]),
            lost: dice.one(&[0, 0, 10, 100, 300]),
            copied: dice.one(&[0, 0, 20, 150]),
            tick: election * dice.one(&[1, 4, 16]) / 4,
            disk: dice.one(&[1, MS, 10 * MS, delay, election / 2, 2 * election]),
            faults: dice.some(faults.to_vec(), kinds.max(1)),
            fault_every: election * dice.one(&[1, 4, 8, 16, 40]) / 4,
            fault_lasts: election * dice.one(&[1, 10, 30, 80]) / 10,
            amid_writes: dice.one(&[0, 0, 5, 40]),
            at_leader: dice.one(&[0, 300, 700]),
            think: dice.one(&[delay, election / 10, election / 2, 2 * election]),
            open: dice.between(1, 10) as usize,
            again: dice.one(&[50, 200, 500]),
            unheard: dice.one(&[0, 100, 400]),
            administered: election * dice.one(&[1, 2, 4, 16]) / 2,
            informed: dice.one(&[300, 700, 950]),
            lasts: election * dice.one(&[10, 20, 40, 100]),
            steps: dice.one(&[200, 500, 1000, 3000]),
        }
    }

    /// The same cluster when nothing troubles it any more.
    pub(super) fn calm(&self) -> Self {
        let quick = (self.election / 50).max(2);
        Conditions {
            hasty: 0,
            delay: self.delay.min(quick),
            slow: 0,
            lost: 0,
            copied: 0,
            disk: self.disk.min(quick),
            faults: Vec::new(),
            amid_writes: 0,
            administered: 0,
            heartbeat: self.election / 4,
            think: self.election / 4,
            unheard: 0,
            lasts: self.election * CALM_ELECTIONS,
            steps: u64::MAX,
            ..self.clone()
        }
    }

    /// What was drawn, in words.
    pub(super) fn named<S: ModelSystem>(&self) -> Vec<(&'static str, String)> {
        let time = |micros: Micros| format!("{:?}", std::time::Duration::from_micros(micros));
        let permille = |part: u64| format!("{} %", part as f64 / 10.0);
        let faults: Vec<&str> = self.faults.iter().map(|fault| fault.name()).collect();
        let whole = WHOLLY
            .into_iter()
            .filter(|limit| self.bounds.get(*limit) > 0);
        let whole: Vec<&str> = whole.map(Limit::name).collect();
        let drawn = ["nodes", "operations", "reads"];
        let bounds = self.bounds.named(S::settings()).into_iter();
        let own = |name: &str| S::settings().iter().any(|setting| setting.name == name);
        let mut all: Vec<_> = bounds
            .filter(|(name, _)| drawn.contains(name) || own(name))
            .map(|(name, value)| (name, value.to_string()))
            .collect();
        all.extend([
            ("of any number", whole.join(", ")),
            ("election timers from", time(self.election)),
            ("timers that expire early", permille(self.hasty)),
            ("message delay up to", time(self.delay)),
            (
                "messages slow, lost, twice",
                [self.slow, self.lost, self.copied].map(permille).join(", "),
            ),
            ("disk delay up to", time(self.disk)),
            ("faults", faults.join(", ")),
            ("faults about every", time(self.fault_every)),
            ("faults last up to", time(self.fault_lasts)),
        ]);
        all
    }
}

/// How many election timeouts a calm cluster has to get something done.
const CALM_ELECTIONS: u64 = 100;

fn bounds<S: ModelSystem>(dice: &mut Dice) -> Bounds {
    let draws = S::draws();
    let mut bounds = Bounds::of(dice.one(draws.nodes));
    for setting in S::settings() {
        let named = draws
            .settings
            .iter()
            .find(|(name, _)| *name == setting.name);
        if let Some((_, values)) = named {
            bounds = bounds.with_setting(S::settings(), setting.name, dice.one(values));
        }
    }
    let operations = dice.between(1, u64::from(draws.operations_max - RESERVED)) as u8 + RESERVED;
    let reads = dice.between(0, u64::from(draws.reads_max)) as u8;
    let bounds = bounds
        .with(Limit::Operations, operations)
        .with(Limit::Reads, reads);
    WHOLLY.into_iter().fold(bounds, |bounds, limit| {
        bounds.with(limit, u8::from(dice.chance(400)))
    })
}
