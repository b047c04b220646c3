//! What of Zab is looked at: all of it, or its elections alone.
//!
//! Under both aspects the machine is the very [`Zab`]. It embeds a machine for
//! elections, but that one promises nothing: two nodes may settle for different
//! leaders in one round. Who leads an epoch is decided by discovery, where a
//! quorum promises it durably, and that the leader may go on by
//! synchronization; so an election ends where a leader is established. Elections
//! alone have no clients in their bounds, so that more of theirs fit; that the
//! leader has all that was delivered is therefore asked of the whole.

use std::fmt::Debug;

use tribunal_protocol::NodeId;
use tribunal_protocol::bugs::Bug;
use tribunal_protocol::zab::{BUGS, ELECTION_BUGS, Zab};

use super::{ROUNDS, ZabModel, ZabSystem, properties};
use crate::bounds::{Bounds, Limit};
use crate::cluster::Cluster;
use crate::system::{Check, Goal, ModelSystem as _, Property, Recovery};

/// What of Zab is looked at.
pub trait Aspect: Clone + Debug + Send + Sync + Sized + 'static {
    /// The name of the system.
    const NAME: &'static str;
    /// What it is, in a sentence.
    const ABOUT: &'static str;
    /// The system that it is a part of, if it is.
    const PART_OF: Option<&'static str>;
    /// The wrong versions that show.
    const BUGS: &'static [Bug];
    /// Whether a check begins where a leader is established, if nobody says
    /// where.
    const BEGINS_BEHIND_ELECTION: bool;

    /// The bounds that are used where none are given.
    fn default_bounds() -> Bounds;

    /// Wider bounds, for a check that may take minutes.
    fn wide_bounds() -> Bounds {
        Self::default_bounds()
    }

    /// What must hold.
    fn properties() -> Vec<Property<ZabModel<Self>>>;

    /// What must be reachable.
    fn goals() -> Vec<Goal<ZabModel<Self>>>;
}

/// All of Zab.
#[derive(Clone, Copy, Debug)]
pub struct Whole;

impl Aspect for Whole {
    const NAME: &'static str = "zab";
    const ABOUT: &'static str = "Zab: a history replicated under one primary an epoch, by sessions \
                                 that break and are noticed (Junqueira, Reed & Serafini 2011; \
                                 Medeiros 2012)";
    const PART_OF: Option<&'static str> = None;
    const BUGS: &'static [Bug] = BUGS;
    const BEGINS_BEHIND_ELECTION: bool = true;

    fn default_bounds() -> Bounds {
        Bounds::of(3)
            .with(Limit::Operations, 2)
            .with(Limit::Crashes, 1)
    }

    fn wide_bounds() -> Bounds {
        Self::default_bounds().with(Limit::Breaks, 1)
    }

    fn properties() -> Vec<Property<ZabSystem>> {
        properties::properties()
    }

    fn goals() -> Vec<Goal<ZabSystem>> {
        properties::goals()
    }
}

/// Zab's elections.
#[derive(Clone, Copy, Debug)]
pub struct Elections;

impl Aspect for Elections {
    const NAME: &'static str = "zab-election";
    const ABOUT: &'static str = "the elections of zab alone, up to an established leader: one an \
                                 epoch, and always a way to one (Medeiros 2012, §4.2)";
    const PART_OF: Option<&'static str> = Some(Whole::NAME);
    const BUGS: &'static [Bug] = ELECTION_BUGS;
    const BEGINS_BEHIND_ELECTION: bool = false;

    fn default_bounds() -> Bounds {
        Bounds::of(3)
            .with(Limit::Crashes, 1)
            .with_setting(ZabSystem::settings(), ROUNDS.name, 0)
    }

    fn properties() -> Vec<Property<ZabModel<Self>>> {
        vec![
            properties::leadership(),
            Property {
                name: "Termination",
                about: "whatever went wrong, once nothing does any more a leader can be \
                        established that a quorum follows",
                check: Check::Recoverable(Recovery {
                    from: |_, _| true,
                    to: is_led,
                    goal: "an established leader that a quorum follows",
                    grant: what_an_election_takes,
                    repairs: false,
                    exists: true,
                }),
            },
        ]
    }

    fn goals() -> Vec<Goal<ZabModel<Self>>> {
        vec![properties::established(), properties::second_epoch()]
    }
}

/// Whether a quorum, with the leader, is in the epoch of an established leader
/// and follows it.
fn is_led(system: &ZabModel<Elections>, cluster: &Cluster<ZabModel<Elections>>) -> bool {
    let leads = |node| {
        cluster
            .shown(node)
            .filter(|zab: &&Zab| zab.is_established())
    };
    let follows = |node: NodeId, leader: NodeId, zab: &Zab| {
        let shown = cluster.shown(node);
        let follower = shown.is_some_and(|shown| {
            shown.leader() == Some(leader) && shown.current() == zab.current()
        });
        node == leader || follower
    };
    cluster.nodes().any(|leader| {
        leads(leader).is_some_and(|zab| {
            system.is_quorum(cluster.nodes().filter(|node| follows(*node, leader, zab)))
        })
    })
}

/// Nobody but a leader whom no quorum follows need lose patience: whoever
/// follows one that does not lead is told, and a broken session is noticed.
fn what_an_election_takes(bounds: Bounds) -> Bounds {
    bounds
        .with(Limit::Elections, 0)
        .with(Limit::Timers, bounds.nodes)
        .with_setting(ZabSystem::settings(), ROUNDS.name, ROUNDS_OF_A_WAY)
}

/// A leader that gives up begins a second round, and may still meet an earlier
/// one.
const ROUNDS_OF_A_WAY: u8 = 3;
