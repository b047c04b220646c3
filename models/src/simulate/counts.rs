//! What happened in a run, in numbers.

use std::collections::BTreeMap;

use crate::action::Action;
use crate::system::ModelSystem;
use crate::tally::Kind;

use super::swarm::Fault;
use super::world::World;

/// What happened in one run, or in many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Actions that were taken.
    pub steps: u64,
    /// Virtual time that passed, in microseconds.
    pub virtual_micros: u64,
    /// Actions, by the place of their kind in [`Kind::ALL`].
    pub actions: [u64; Kind::ALL.len()],
    /// Faults that struck, and those of them that made a difference, by their
    /// place in [`Fault::ALL`].
    pub faults: [(u64, u64); Fault::ALL.len()],
    /// Runs that reached each goal, by its name; which there are depends on
    /// what a run's bounds and settings let be reached.
    pub goals: BTreeMap<&'static str, Reached>,
    /// Operations that were answered, stayed open, and failed.
    pub operations: [u64; 3],
    /// Runs whose healed core was asked to get something done, and did.
    pub healed: u64,
    /// The longest that it took, in microseconds of virtual time.
    pub healed_slowest: u64,
}

/// How often a goal was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// What reaching it means.
    pub about: &'static str,
    /// By how many runs.
    pub runs: u64,
}

impl Counts {
    /// An action was taken, and led to this state.
    pub(super) fn took<S: ModelSystem>(&mut self, action: &Action<S>, world: &World<S>) {
        self.steps += 1;
        self.actions[action.kind() as usize] += 1;
        for goal in &world.model.goals {
            let reached = self.goals.entry(goal.name).or_insert(Reached {
                about: goal.about,
                runs: 0,
            });
            if reached.runs == 0 && (goal.reached)(&world.model.system, &world.state) {
                reached.runs = 1;
            }
        }
    }

    pub(super) fn began(&mut self, fault: Fault) {
        self.faults[fault as usize].0 += 1;
    }

    pub(super) fn took_effect(&mut self, fault: Fault) {
        self.faults[fault as usize].1 += 1;
    }

    /// Both phases of a run as one.
    pub(super) fn join(&mut self, later: &Counts) {
        self.add(later);
        for reached in self.goals.values_mut() {
            reached.runs = reached.runs.min(1);
        }
    }

    /// Another run beside this one.
    pub(super) fn add(&mut self, other: &Counts) {
        self.steps += other.steps;
        self.virtual_micros += other.virtual_micros;
        self.healed += other.healed;
        self.healed_slowest = self.healed_slowest.max(other.healed_slowest);
        let add = |mine: &mut [u64], theirs: &[u64]| {
            for (mine, theirs) in mine.iter_mut().zip(theirs) {
                *mine += theirs;
            }
        };
        add(&mut self.actions, &other.actions);
        add(&mut self.operations, &other.operations);
        for (name, other) in &other.goals {
            let mine = self
                .goals
                .entry(name)
                .or_insert(Reached { runs: 0, ..*other });
            mine.runs += other.runs;
        }
        for (mine, theirs) in self.faults.iter_mut().zip(&other.faults) {
            mine.0 += theirs.0;
            mine.1 += theirs.1;
        }
    }
}
