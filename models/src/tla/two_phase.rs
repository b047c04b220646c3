//! `TwoPhase`: a transaction manager asks resource managers whether they are
//! prepared, and tells them what it decided. Messages are a set that never
//! shrinks, so that each may arrive late, often or never.

use tribunal_protocol::bugs::Bug;

use super::{RmState, TC_CONSISTENT, TC_CONSISTENT_ABOUT, consistent};
use crate::bounds::{Bounds, Setting};
use crate::plain::{PlainGoal, PlainModel, PlainProperty};
use crate::tally::Kind;

/// The model: as many resource managers as nodes, and a transaction manager.
#[derive(Clone, Debug)]
pub struct TwoPhase {
    resource_managers: u8,
    is_symmetric: bool,
    /// A wrong version: one that is prepared is enough to commit.
    commits_early: bool,
}

/// A state of the model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// `tmState`: whether it has decided to commit, if it has decided.
    decided: Option<bool>,
    resource_managers: Vec<ResourceManager>,
}

/// All that concerns one resource manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct ResourceManager {
    /// `rmState`.
    state: RmState,
    /// Whether its message `Prepared` is in `msgs`.
    said_prepared: bool,
    /// Whether it is in `tmPrepared`.
    known_prepared: bool,
}

/// What happens, by the names of the TLA+ module; resource managers are
/// numbered from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    TMCommit,
    TMAbort,
    TMRcvPrepared(u8),
    RMPrepare(u8),
    RMChooseToAbort(u8),
    RMRcvCommitMsg(u8),
    RMRcvAbortMsg(u8),
}

const SYMMETRY: &str = "symmetry";

const BUGS: &[Bug] = &[Bug {
    name: "commit-on-first-prepared",
    about: "the transaction manager commits once it knows of one that is prepared",
    source: "own: `TMCommit` with tmPrepared # {} for tmPrepared = RM",
    property: TC_CONSISTENT,
    hosts: &["atomic", "staged"],
    check_args: &["--nodes", "3"],
    run_args: &[],
}];

impl PlainModel for TwoPhase {
    type State = State;
    type Action = Action;

    const NAME: &'static str = "tla-two-phase";
    const ABOUT: &'static str = "two-phase commit in TLA+'s TwoPhase (Gray & Lamport 2006, §3); \
                                 nodes are resource managers";
    const NODES: u8 = 3;

    fn settings() -> &'static [Setting] {
        &[Setting {
            name: SYMMETRY,
            about: "whether states that differ in the names of resource managers count as one \
                    (paths then name them anew in each step)",
            default: 0,
            least: 0,
            most: 1,
        }]
    }

    fn bugs() -> &'static [Bug] {
        BUGS
    }

    fn new(bounds: &Bounds, bug: Option<&'static str>) -> Self {
        TwoPhase {
            resource_managers: bounds.nodes,
            is_symmetric: bounds.setting(Self::settings(), SYMMETRY) == 1,
            commits_early: bug.is_some(),
        }
    }

    fn initial(&self) -> State {
        let first = ResourceManager {
            state: RmState::Working,
            said_prepared: false,
            known_prepared: false,
        };
        State {
            decided: None,
            resource_managers: vec![first; usize::from(self.resource_managers)],
        }
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.decided.is_none() {
            let mut known = state.resource_managers.iter().map(|rm| rm.known_prepared);
            let may_commit = match self.commits_early {
                true => known.any(|known| known),
                false => known.all(|known| known),
            };
            actions.extend(may_commit.then_some(Action::TMCommit));
            actions.push(Action::TMAbort);
        }
        for (number, rm) in (1..).zip(&state.resource_managers) {
            if state.decided.is_none() && rm.said_prepared {
                actions.push(Action::TMRcvPrepared(number));
            }
            if rm.state == RmState::Working {
                actions.push(Action::RMPrepare(number));
                actions.push(Action::RMChooseToAbort(number));
            }
            // What the transaction manager has decided it has said.
            actions.extend(state.decided.map(|commit| match commit {
                true => Action::RMRcvCommitMsg(number),
                false => Action::RMRcvAbortMsg(number),
            }));
        }
    }

    fn next(&self, state: &State, action: &Action) -> State {
        let mut next = state.clone();
        let rms = &mut next.resource_managers;
        match *action {
            Action::TMCommit => next.decided = Some(true),
            Action::TMAbort => next.decided = Some(false),
            Action::TMRcvPrepared(number) => rms[place(number)].known_prepared = true,
            Action::RMPrepare(number) => {
                rms[place(number)].state = RmState::Prepared;
                rms[place(number)].said_prepared = true;
            }
            Action::RMChooseToAbort(number) | Action::RMRcvAbortMsg(number) => {
                rms[place(number)].state = RmState::Aborted;
            }
            Action::RMRcvCommitMsg(number) => rms[place(number)].state = RmState::Committed,
        }
        if self.is_symmetric {
            next.resource_managers.sort_unstable();
        }
        next
    }

    fn describe(&self, state: &State) -> Vec<String> {
        let decided = match state.decided {
            None => "undecided",
            Some(true) => "has decided to commit",
            Some(false) => "has decided to abort",
        };
        let manager = format!("transaction manager: {decided}");
        let line = |(number, rm): (u8, &ResourceManager)| {
            let known = match (rm.said_prepared, rm.known_prepared) {
                (_, true) => ", known to be prepared",
                (true, false) => ", has said that it is prepared",
                (false, false) => "",
            };
            format!("resource manager {number}: {:?}{known}", rm.state)
        };
        let all = (1..).zip(&state.resource_managers).map(line);
        std::iter::once(manager).chain(all).collect()
    }

    fn kind(action: &Action) -> Kind {
        match action {
            Action::TMRcvPrepared(_) | Action::RMRcvCommitMsg(_) | Action::RMRcvAbortMsg(_) => {
                Kind::Deliver
            }
            _ => Kind::Step,
        }
    }

    fn properties() -> &'static [PlainProperty<Self>] {
        &[PlainProperty {
            name: TC_CONSISTENT,
            about: TC_CONSISTENT_ABOUT,
            check: |state| consistent(state.resource_managers.iter().map(|rm| rm.state)),
        }]
    }

    fn goals() -> &'static [PlainGoal<Self>] {
        &[
            PlainGoal {
                name: "all committed",
                about: "every resource manager has committed",
                reached: |state| state.are_all(RmState::Committed),
            },
            PlainGoal {
                name: "all aborted",
                about: "every resource manager has aborted",
                reached: |state| state.are_all(RmState::Aborted),
            },
        ]
    }
}

/// The place of the resource manager with this number.
fn place(number: u8) -> usize {
    usize::from(number) - 1
}

impl State {
    fn are_all(&self, state: RmState) -> bool {
        self.resource_managers.iter().all(|rm| rm.state == state)
    }
}
