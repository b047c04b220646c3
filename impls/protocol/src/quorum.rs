//! Quorums: which sets of nodes are enough for a decision.
//!
//! Two phases need quorums: the first asks what may have been decided, the
//! second decides. A decision is never contradicted if every quorum of the
//! first phase meets every quorum of the second; quorums of one phase need
//! not meet each other (Howard, Malkhi & Spiegelman, "Flexible Paxos: Quorum
//! Intersection Revisited", 2016, §3). With majorities for both, all meet.
//!
//! [`Quorums::new`] is the only way to make them and refuses what does not
//! meet.

use std::collections::{BTreeMap, BTreeSet};

use crate::machine::NodeId;

/// How many of `voters` are more than half of them.
pub fn majority(voters: usize) -> usize {
    voters / 2 + 1
}

/// The greatest position that a majority has reached, given each voter's.
///
/// Zero for no voters.
pub fn majority_position(mut positions: Vec<u64>) -> u64 {
    if positions.is_empty() {
        return 0;
    }
    positions.sort_unstable_by(|a, b| b.cmp(a));
    positions[majority(positions.len()) - 1]
}

/// What a quorum is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// To find out what may have been decided.
    One,
    /// To decide.
    Two,
}

/// What makes a set of nodes a quorum.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rule {
    /// More than half of the members, in both phases.
    #[default]
    Majority,
    /// So many members, whichever they are.
    Counts {
        /// In the first phase.
        one: usize,
        /// In the second.
        two: usize,
    },
    /// The members in order of their names, laid out in rows of so many: a
    /// whole row in the first phase, a whole column in the second.
    Grid {
        /// Members in a row.
        columns: usize,
    },
    /// Members that together weigh so much.
    Weights {
        /// What each member weighs; nothing where it is not named.
        weights: BTreeMap<NodeId, u64>,
        /// In the first phase.
        one: u64,
        /// In the second.
        two: u64,
    },
}

/// Quorums of both phases that are known to meet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Quorums {
    members: BTreeSet<NodeId>,
    rule: Rule,
}

/// Why quorums are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuorumError {
    /// Nobody could decide anything.
    #[error("find a quorum of phase {}: not even all {members} members are one", number(*.phase))]
    OutOfReach {
        /// Which phase.
        phase: Phase,
        /// How many members there are.
        members: usize,
    },
    /// No member need be asked.
    #[error("accept quorums of phase {} without a member", number(*.0))]
    Empty(Phase),
    /// A decision could be missed, and contradicted.
    #[error("let quorums meet: {}", .0)]
    DoNotMeet(String),
    /// The last row would be shorter than the others.
    #[error("lay {members} members out in rows of {columns}")]
    NotAGrid {
        /// How many members there are.
        members: usize,
        /// How long a row would be.
        columns: usize,
    },
}

fn number(phase: Phase) -> u8 {
    match phase {
        Phase::One => 1,
        Phase::Two => 2,
    }
}

impl Quorums {
    /// Majorities, which always meet.
    pub fn majorities(members: impl IntoIterator<Item = NodeId>) -> Self {
        Quorums {
            members: members.into_iter().collect(),
            rule: Rule::Majority,
        }
    }

    /// The quorums that `rule` makes of the members.
    ///
    /// # Errors
    ///
    /// If a quorum of the first phase need not meet one of the second, or a
    /// phase has no quorum, or an empty one.
    pub fn new(members: impl IntoIterator<Item = NodeId>, rule: Rule) -> Result<Self, QuorumError> {
        let quorums = Quorums {
            members: members.into_iter().collect(),
            rule,
        };
        quorums.validate()?;
        Ok(quorums)
    }

    /// Who may be counted.
    pub fn members(&self) -> &BTreeSet<NodeId> {
        &self.members
    }

    /// Whether `nodes` are enough; whoever is no member is not counted.
    pub fn is_quorum(&self, phase: Phase, nodes: &BTreeSet<NodeId>) -> bool {
        let count = || self.members.intersection(nodes).count();
        let of_phase = |one, two| match phase {
            Phase::One => one,
            Phase::Two => two,
        };
        match &self.rule {
            Rule::Majority => count() >= majority(self.members.len()),
            Rule::Counts { one, two } => count() as u64 >= of_phase(*one as u64, *two as u64),
            Rule::Grid { columns } => self.has_whole_line(phase, *columns, nodes),
            Rule::Weights { weights, one, two } => {
                let weight = |node| u128::from(weights.get(node).copied().unwrap_or(0));
                let counted = self.members.intersection(nodes).map(weight);
                counted.sum::<u128>() >= of_phase(*one, *two).into()
            }
        }
    }

    /// Whether every quorum of a phase has one of `nodes`.
    pub fn meets_every(&self, phase: Phase, nodes: &BTreeSet<NodeId>) -> bool {
        let others = self.members.difference(nodes).copied().collect();
        !self.is_quorum(phase, &others)
    }

    /// Whether `nodes` hold a whole row, or in the second phase a column.
    fn has_whole_line(&self, phase: Phase, columns: usize, nodes: &BTreeSet<NodeId>) -> bool {
        let places = || self.members.iter().enumerate();
        let line = |place: usize| match phase {
            Phase::One => place / columns,
            Phase::Two => place % columns,
        };
        let lines: BTreeSet<usize> = places().map(|(place, _)| line(place)).collect();
        let whole = |wanted: &usize| {
            let mut members = places().filter(|(place, _)| line(*place) == *wanted);
            members.all(|(_, member)| nodes.contains(member))
        };
        lines.iter().any(whole)
    }

    fn validate(&self) -> Result<(), QuorumError> {
        let members = self.members.len();
        if let Rule::Grid { columns } = self.rule
            && (columns == 0 || !members.is_multiple_of(columns))
        {
            return Err(QuorumError::NotAGrid { members, columns });
        }
        for phase in [Phase::One, Phase::Two] {
            if !self.is_quorum(phase, &self.members) {
                return Err(QuorumError::OutOfReach { phase, members });
            }
            if self.is_quorum(phase, &BTreeSet::new()) {
                return Err(QuorumError::Empty(phase));
            }
        }
        let apart = match &self.rule {
            // Two majorities have a member in common, a row and a column too.
            Rule::Majority | Rule::Grid { .. } => None,
            Rule::Counts { one, two } if one.saturating_add(*two) > members => None,
            Rule::Counts { one, two } => Some(format!(
                "{one} and {two} of {members} members need not have one in common"
            )),
            Rule::Weights { weights, one, two } => {
                let counted = self.members.iter().filter_map(|node| weights.get(node));
                let total: u128 = counted.copied().map(u128::from).sum();
                // Sufficient, and not necessary: weights may leave gaps.
                (u128::from(*one) + u128::from(*two) <= total).then(|| {
                    format!(
                        "{one} and {two} of a weight of {total} need not have a member in common"
                    )
                })
            }
        };
        apart.map_or(Ok(()), |why| Err(QuorumError::DoNotMeet(why)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_majority_is_more_than_half() {
        assert_eq!([1, 2, 2, 3, 3], [1, 2, 3, 4, 5].map(majority));
    }

    #[test]
    fn the_position_is_the_one_that_a_majority_has_reached() {
        assert_eq!(majority_position(vec![5, 1, 3]), 3);
        assert_eq!(majority_position(vec![5, 1, 3, 9]), 3);
        assert_eq!(majority_position(vec![7]), 7);
        assert_eq!(majority_position(vec![]), 0);
    }

    fn nodes(count: u8) -> BTreeSet<NodeId> {
        (1..=count).map(NodeId).collect()
    }

    fn subsets(members: &BTreeSet<NodeId>) -> Vec<BTreeSet<NodeId>> {
        let chosen = |bits: u32| {
            let places = members.iter().enumerate();
            let kept = places.filter(move |(place, _)| bits & (1 << place) != 0);
            kept.map(|(_, node)| *node).collect()
        };
        (0..1 << members.len()).map(chosen).collect()
    }

    /// By trying every set and the rest.
    fn all_meet(quorums: &Quorums) -> bool {
        let subsets = subsets(&quorums.members);
        subsets
            .iter()
            .all(|one| !quorums.is_quorum(Phase::One, one) || quorums.meets_every(Phase::Two, one))
    }

    #[test]
    fn counts_are_accepted_exactly_where_every_two_quorums_meet() {
        for members in 1..=6 {
            for one in 1..=usize::from(members) {
                for two in 1..=usize::from(members) {
                    let rule = Rule::Counts { one, two };
                    let made = Quorums::new(nodes(members), rule.clone());
                    let unchecked = Quorums {
                        members: nodes(members),
                        rule,
                    };
                    assert_eq!(made.is_ok(), all_meet(&unchecked), "{unchecked:?}");
                }
            }
        }
    }

    #[test]
    fn rows_and_columns_meet_and_two_rows_do_not() {
        let grid = Quorums::new(nodes(6), Rule::Grid { columns: 3 }).expect("a grid");
        assert!(all_meet(&grid));
        let row = BTreeSet::from([1, 2, 3].map(NodeId));
        let column = BTreeSet::from([2, 5].map(NodeId));
        assert!(grid.is_quorum(Phase::One, &row) && !grid.is_quorum(Phase::Two, &row));
        assert!(grid.is_quorum(Phase::Two, &column) && !grid.is_quorum(Phase::One, &column));
        let error = Quorums::new(nodes(5), Rule::Grid { columns: 3 }).unwrap_err();
        assert_eq!(error.to_string(), "lay 5 members out in rows of 3");
    }

    #[test]
    fn what_weighs_more_than_half_meets() {
        let weights = BTreeMap::from([(NodeId(1), 3), (NodeId(2), 1), (NodeId(3), 1)]);
        let rule = |one, two| Rule::Weights {
            weights: weights.clone(),
            one,
            two,
        };
        let heavy = Quorums::new(nodes(3), rule(3, 3)).expect("quorums that meet");
        assert!(all_meet(&heavy));
        assert!(heavy.is_quorum(Phase::Two, &BTreeSet::from([NodeId(1)])));
        assert!(!heavy.is_quorum(Phase::Two, &BTreeSet::from([NodeId(2), NodeId(3)])));
        let light = Quorums::new(nodes(3), rule(2, 3));
        assert!(matches!(light, Err(QuorumError::DoNotMeet(_))));
    }

    #[test]
    fn quorums_that_nobody_can_be_or_everybody_is_are_refused() {
        let counts = |one, two| Quorums::new(nodes(3), Rule::Counts { one, two });
        let too_many = QuorumError::OutOfReach {
            phase: Phase::Two,
            members: 3,
        };
        assert_eq!(counts(1, 4), Err(too_many));
        assert_eq!(counts(0, 3), Err(QuorumError::Empty(Phase::One)));
    }

    #[test]
    fn whoever_is_no_member_is_not_counted() {
        let quorums = Quorums::majorities(nodes(3));
        assert!(!quorums.is_quorum(Phase::One, &BTreeSet::from([NodeId(1), NodeId(9)])));
        assert!(quorums.meets_every(Phase::Two, &BTreeSet::from([NodeId(1), NodeId(2)])));
    }
}
