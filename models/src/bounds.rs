//! What bounds a model, and what of it is left.
//!
//! Every bound is explicit. Those that limit how often something happens are
//! counted down in the state itself, so that an action which would leave the
//! bounds is not enabled. A bound on depth would be unsound: a state met
//! first at the end of a long path would hide what lies behind it.

use std::fmt;

/// Something of which a model has only so much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// Expiries of timers that begin an election, a ballot or an epoch.
    Elections,
    /// Expiries of all other timers: heartbeats, retries, leases.
    Timers,
    /// Client operations that may change something.
    Operations,
    /// Client operations that only read.
    Reads,
    /// Requests sent again by a client, copies that arrive late, and lost
    /// answers that a client may react to.
    Retries,
    /// Crashes, each followed by a recovery.
    Crashes,
    /// Messages delivered twice.
    Duplicates,
    /// Messages under way at the same time; 0 for any number.
    InFlight,
    /// Units by which node clocks advance, all nodes together.
    Ticks,
    /// Sessions between two nodes that break.
    Breaks,
    /// Compactions of a node's log that an operator asks for.
    Compactions,
    /// Changes of the membership that an operator asks for.
    Changes,
    /// Transfers of leadership that an operator asks for.
    Transfers,
    /// Nodes that stop for good.
    Halts,
}

impl Limit {
    /// All of them.
    pub const ALL: [Limit; 14] = [
        Limit::Elections,
        Limit::Timers,
        Limit::Operations,
        Limit::Reads,
        Limit::Retries,
        Limit::Crashes,
        Limit::Duplicates,
        Limit::InFlight,
        Limit::Ticks,
        Limit::Breaks,
        Limit::Compactions,
        Limit::Changes,
        Limit::Transfers,
        Limit::Halts,
    ];

    /// The name in reports; the flag is the same with dashes.
    pub fn name(self) -> &'static str {
        match self {
            Limit::Elections => "elections",
            Limit::Timers => "timers",
            Limit::Operations => "operations",
            Limit::Reads => "reads",
            Limit::Retries => "retries",
            Limit::Crashes => "crashes",
            Limit::Duplicates => "duplicates",
            Limit::InFlight => "in_flight",
            Limit::Ticks => "ticks",
            Limit::Breaks => "breaks",
            Limit::Compactions => "compactions",
            Limit::Changes => "changes",
            Limit::Transfers => "transfers",
            Limit::Halts => "halts",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// As many settings of its own as a system may have.
pub const SETTINGS_MAX: usize = 12;

/// A choice that a system offers beside the common bounds, such as how many
/// entries one message carries.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The name, as `--set NAME=VALUE` takes it.
    pub name: &'static str,
    /// What it chooses.
    pub about: &'static str,
    /// The value where none is given.
    pub default: u8,
    /// The least value that means something.
    pub least: u8,
    /// The greatest one.
    pub most: u8,
}

/// The bounds of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// Members of the cluster.
    pub nodes: u8,
    limits: [u8; Limit::ALL.len()],
    /// Values of the system's own settings, by place, where given.
    settings: [Option<u8>; SETTINGS_MAX],
    /// The greatest difference between two nodes' clocks, where it is not the
    /// one that the machine says it stands.
    pub drift: Option<u64>,
}

impl Bounds {
    /// A cluster of `nodes` in which nothing may happen yet that is counted.
    pub const fn of(nodes: u8) -> Self {
        Bounds {
            nodes,
            limits: [0; Limit::ALL.len()],
            settings: [None; SETTINGS_MAX],
            drift: None,
        }
    }

    /// The same with another limit.
    pub const fn with(mut self, limit: Limit, amount: u8) -> Self {
        self.limits[limit as usize] = amount;
        self
    }

    /// The same with another value of the system's setting of that name.
    ///
    /// # Panics
    ///
    /// If the system has no such setting.
    pub fn with_setting(mut self, settings: &[Setting], name: &str, value: u8) -> Self {
        self.settings[place_of(settings, name)] = Some(value);
        self
    }

    /// The value of the system's setting of that name, given or default.
    ///
    /// # Panics
    ///
    /// If the system has no such setting.
    pub fn setting(&self, settings: &[Setting], name: &str) -> u8 {
        let place = place_of(settings, name);
        self.settings[place].unwrap_or(settings[place].default)
    }

    /// How much there is of something.
    pub fn get(&self, limit: Limit) -> u8 {
        self.limits[limit as usize]
    }

    /// Every bound with the name it has in reports; `settings` are those of
    /// the system.
    pub fn named(&self, settings: &[Setting]) -> Vec<(&'static str, u64)> {
        let mut named = vec![("nodes", u64::from(self.nodes))];
        named.extend(Limit::ALL.map(|limit| (limit.name(), u64::from(self.get(limit)))));
        named.extend(self.drift.map(|drift| ("drift", drift)));
        let setting = |setting: &Setting| {
            (
                setting.name,
                u64::from(self.setting(settings, setting.name)),
            )
        };
        named.extend(settings.iter().map(setting));
        named
    }
}

/// What is left of each limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget([u8; Limit::ALL.len()]);

impl Budget {
    /// All of it.
    pub fn full(bounds: &Bounds) -> Self {
        Budget(bounds.limits)
    }

    /// How much is left.
    pub fn left(&self, limit: Limit) -> u8 {
        self.0[limit as usize]
    }

    /// Takes one away.
    pub fn spend(&mut self, limit: Limit) {
        let left = &mut self.0[limit as usize];
        assert!(*left > 0, "no {limit} left to spend");
        *left -= 1;
    }
}

/// When persists complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Granularity {
    /// At once, with the step that asked for them.
    Atomic,
    /// As actions of their own, except where completing at once provably
    /// hides nothing.
    Staged,
}

impl Granularity {
    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Granularity::Atomic => "atomic",
            Granularity::Staged => "staged",
        }
    }
}

/// Which states and actions are left out because others stand for them. Each
/// is sound by the argument beside it, and tests compare models with and
/// without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reductions {
    /// A message that is never delivered stands for one that is lost, so loss
    /// is no action. Where a full network keeps a message from being sent,
    /// loss makes room and is an action all the same. Sessions lose messages
    /// only by breaking, whatever this says.
    pub loss: bool,
    /// A persist completes with its step where that hides nothing (see
    /// [`crate::node`]). What was gated behind it then leaves at once, so a
    /// full network keeps the step from happening at all; without this, such
    /// a node could write, crash, and never have sent.
    pub at_once: bool,
    /// What changes nothing is no action: a delivery that leaves the node as
    /// it was and makes it say nothing is like a message that is lost; a
    /// crash that leaves everything as it was is like none.
    pub no_ops: bool,
    /// The expiry of a timer that changes nothing is no action.
    pub timers: bool,
    /// Messages that the system declares dead are taken out of the network
    /// ([`crate::ModelSystem::is_dead`]). Without it they stay, and one that
    /// turns out to have an effect is a violation.
    pub dead: bool,
    /// While all nodes are alike and nothing is under way, the first to let a
    /// timer expire is n1: of a system whose nodes differ in name only
    /// ([`crate::ModelSystem::is_symmetric`]) the rest is the same with the
    /// names exchanged.
    pub symmetry: bool,
}

impl Reductions {
    /// All of them.
    pub const ALL: Reductions = Reductions {
        loss: true,
        at_once: true,
        no_ops: true,
        timers: true,
        dead: true,
        symmetry: true,
    };

    /// None of them.
    pub const NONE: Reductions = Reductions {
        loss: false,
        at_once: false,
        no_ops: false,
        timers: false,
        dead: false,
        symmetry: false,
    };
}

fn place_of(settings: &[Setting], name: &str) -> usize {
    let place = settings.iter().position(|setting| setting.name == name);
    place.unwrap_or_else(|| panic!("no setting named {name}"))
}
