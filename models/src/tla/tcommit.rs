//! `TCommit`: resource managers agree to commit or to abort, however they come
//! to know of each other.

use tribunal_protocol::bugs::Bug;

use super::{RmState, TC_CONSISTENT, TC_CONSISTENT_ABOUT, consistent};
use crate::bounds::Bounds;
use crate::plain::{PlainGoal, PlainModel, PlainProperty};
use crate::tally::Kind;

/// The model: as many resource managers as nodes.
#[derive(Clone, Debug)]
pub struct TCommit {
    resource_managers: u8,
    /// A wrong version: whoever is prepared commits.
    commits_alone: bool,
}

/// What a resource manager does; they are numbered from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `Prepare(rm)`.
    Prepare(u8),
    /// `Decide(rm)`, to commit.
    DecideCommit(u8),
    /// `Decide(rm)`, to abort.
    DecideAbort(u8),
}

const BUGS: &[Bug] = &[Bug {
    name: "commit-alone",
    about: "a resource manager commits once it is prepared itself",
    source: "own: `canCommit` without its quantifier",
    property: TC_CONSISTENT,
    hosts: &["atomic", "staged"],
    check_args: &["--nodes", "3"],
    run_args: &[],
}];

impl PlainModel for TCommit {
    type State = Vec<RmState>;
    type Action = Action;

    const NAME: &'static str = "tla-tcommit";
    const ABOUT: &'static str = "transaction commit by resource managers, in TLA+'s TCommit \
                                 (Gray & Lamport 2006, §2); nodes are resource managers";
    const NODES: u8 = 3;

    fn bugs() -> &'static [Bug] {
        BUGS
    }

    fn new(bounds: &Bounds, bug: Option<&'static str>) -> Self {
        TCommit {
            resource_managers: bounds.nodes,
            commits_alone: bug.is_some(),
        }
    }

    fn initial(&self) -> Vec<RmState> {
        vec![RmState::Working; usize::from(self.resource_managers)]
    }

    fn actions(&self, states: &Vec<RmState>, actions: &mut Vec<Action>) {
        let can_commit = |state: &RmState| matches!(state, RmState::Prepared | RmState::Committed);
        let can_commit = self.commits_alone || states.iter().all(can_commit);
        let not_committed = !states.contains(&RmState::Committed);
        for (rm, state) in (1..).zip(states) {
            if *state == RmState::Working {
                actions.push(Action::Prepare(rm));
            }
            if *state == RmState::Prepared && can_commit {
                actions.push(Action::DecideCommit(rm));
            }
            if matches!(state, RmState::Working | RmState::Prepared) && not_committed {
                actions.push(Action::DecideAbort(rm));
            }
        }
    }

    fn next(&self, states: &Vec<RmState>, action: &Action) -> Vec<RmState> {
        let (rm, state) = match *action {
            Action::Prepare(rm) => (rm, RmState::Prepared),
            Action::DecideCommit(rm) => (rm, RmState::Committed),
            Action::DecideAbort(rm) => (rm, RmState::Aborted),
        };
        let mut next = states.clone();
        next[usize::from(rm) - 1] = state;
        next
    }

    fn describe(&self, states: &Vec<RmState>) -> Vec<String> {
        let line = |(rm, state): (u8, &RmState)| format!("resource manager {rm}: {state:?}");
        (1..).zip(states).map(line).collect()
    }

    fn kind(_: &Action) -> Kind {
        Kind::Step
    }

    fn properties() -> &'static [PlainProperty<Self>] {
        &[PlainProperty {
            name: TC_CONSISTENT,
            about: TC_CONSISTENT_ABOUT,
            check: |states| consistent(states.iter().copied()),
        }]
    }

    fn goals() -> &'static [PlainGoal<Self>] {
        &[
            PlainGoal {
                name: "all committed",
                about: "every resource manager has committed",
                reached: |states| states.iter().all(|it| *it == RmState::Committed),
            },
            PlainGoal {
                name: "all aborted",
                about: "every resource manager has aborted",
                reached: |states| states.iter().all(|it| *it == RmState::Aborted),
            },
        ]
    }
}
