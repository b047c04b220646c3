//! Who belongs to the cluster, and how that changes: one server at a time
//! (diss. §4.1, §4.2), a new one as a learner first.
//!
//! A membership is in force from the moment its entry stands in a node's log,
//! committed or not. Two that follow each other differ by one voter at most,
//! so that any two of their majorities meet; therefore a change waits until
//! the one before it is committed. Two leaders could still each begin a
//! change of their own from the same membership, unaware of each other: so a
//! leader begins none before an entry of its own term is committed (Ongaro's
//! correction of 2015 on the raft-dev list).
//!
//! A leader that is to be removed leads until that is committed, and does not
//! count itself meanwhile (diss. §4.2.2).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Command, Config, Progress, Raft, Role, Step, Wrong};
use crate::machine::{Members, NodeId, Outcome, RequestId};
use crate::quorum::majority;

/// The members of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Membership {
    /// Who votes and is counted.
    pub voters: BTreeSet<NodeId>,
    /// Who receives the log and is not counted (diss. §4.2.1).
    pub learners: BTreeSet<NodeId>,
}

/// How a membership changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Change {
    /// A node that is no member receives the log from now on.
    AddLearner(NodeId),
    /// A learner that has caught up votes from now on.
    Promote(NodeId),
    /// A member is one no longer.
    Remove(NodeId),
}

impl Membership {
    /// Everybody votes.
    pub fn of_voters(voters: &BTreeSet<NodeId>) -> Self {
        Membership {
            voters: voters.clone(),
            learners: BTreeSet::new(),
        }
    }

    /// Everybody who receives the log.
    pub fn members(&self) -> impl Iterator<Item = NodeId> + use<'_> {
        self.voters.union(&self.learners).copied()
    }

    /// Whether `nodes` hold a majority of the voters.
    pub fn is_majority(&self, nodes: impl IntoIterator<Item = NodeId>) -> bool {
        let counted: BTreeSet<NodeId> = nodes.into_iter().collect();
        counted.intersection(&self.voters).count() >= majority(self.voters.len())
    }

    /// The membership after a change, or why it cannot be.
    pub fn after(&self, change: Change) -> Result<Membership, &'static str> {
        let mut next = self.clone();
        match change {
            Change::AddLearner(node)
                if self.voters.contains(&node) || !next.learners.insert(node) =>
            {
                Err("it is a member already")
            }
            Change::Promote(node) if !next.learners.remove(&node) => Err("it is no learner"),
            Change::Promote(node) => {
                next.voters.insert(node);
                Ok(next)
            }
            Change::Remove(node) if next.learners.remove(&node) => Ok(next),
            Change::Remove(node) if !next.voters.remove(&node) => Err("it is no member"),
            Change::Remove(_) if next.voters.is_empty() => Err("nobody would be left"),
            Change::AddLearner(_) | Change::Remove(_) => Ok(next),
        }
    }
}

/// The memberships that a log knows, by the index of the entry that brought
/// each; the founding one stands at 0. Those below the last committed one are
/// forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Memberships(BTreeMap<u64, Membership>);

impl Memberships {
    /// One membership, brought by the entry at `index`.
    pub(super) fn new(index: u64, membership: Membership) -> Self {
        Memberships(BTreeMap::from([(index, membership)]))
    }

    /// Takes note of an entry.
    pub(super) fn note(&mut self, index: u64, command: &Command) {
        if let Command::Configure(membership) = command {
            self.0.insert(index, membership.clone());
        }
    }

    /// The entries from `index` on are gone.
    pub(super) fn truncate_from(&mut self, index: u64) {
        self.0.split_off(&index);
    }

    /// The last one, with its index.
    pub(super) fn latest(&self) -> (u64, &Membership) {
        let (index, membership) = self.0.last_key_value().expect("one is always known");
        (*index, membership)
    }

    /// The last one up to `index`, with its index.
    pub(super) fn up_to(&self, index: u64) -> (u64, &Membership) {
        let known = self.0.range(..=index).next_back();
        let (index, membership) = known.expect("the last committed one is kept");
        (*index, membership)
    }

    /// Everybody who is a member by one of them.
    fn members(&self) -> impl Iterator<Item = NodeId> {
        self.0.values().flat_map(Membership::members)
    }

    /// Forgets those below the last one up to `commit`: they cannot come back.
    pub(super) fn forget_below(&mut self, commit: u64) {
        let (first, _) = self.up_to(commit);
        self.0 = self.0.split_off(&first);
    }
}

impl Raft {
    /// The membership that this node goes by: the latest in its log.
    pub fn membership(&self) -> &Membership {
        self.memberships.latest().1
    }

    /// The latest membership up to the commit index.
    pub fn committed_membership(&self) -> &Membership {
        self.memberships.up_to(self.commit).1
    }

    /// What a harness may know of the membership: the committed one.
    pub(super) fn members(&self) -> Members {
        let Membership { voters, learners } = self.committed_membership().clone();
        Members {
            voters,
            learners,
            is_changing: self.memberships.latest().0 > self.commit,
        }
    }

    /// The membership in force (diss. §4.1).
    pub(super) fn in_force(&self, config: &Config) -> &Membership {
        if config.breaks(Wrong::ConfigEffectiveOnApply) {
            self.committed_membership()
        } else {
            self.membership()
        }
    }

    /// Whether this node may vote for itself.
    pub(super) fn is_voter(&self, config: &Config) -> bool {
        self.in_force(config).voters.contains(&config.id)
    }

    /// Whether it and those that answered it are a majority.
    pub(super) fn is_majority_with(
        &self,
        others: impl IntoIterator<Item = NodeId>,
        config: &Config,
    ) -> bool {
        let membership = self.in_force(config);
        membership.is_majority(others.into_iter().chain([config.id]))
    }

    /// A client asks for a change.
    pub(super) fn on_reconfigure(&mut self, id: RequestId, change: Change, step: &mut Step<'_>) {
        match self.next_membership(change, step.config) {
            Ok(next) => self.propose(Command::Configure(next), Some(id), step),
            Err(why) => step.answer(id, Outcome::Never(why.into())),
        }
    }

    fn next_membership(&self, change: Change, config: &Config) -> Result<Membership, &'static str> {
        let Role::Leader(leadership) = &self.role else {
            return Err("it does not lead");
        };
        let own_term_committed = self.log.term_at(self.commit) == Some(self.term)
            || config.breaks(Wrong::SingleServerChangeBeforeNoop);
        if !own_term_committed {
            return Err("the leader has not committed an entry of its own term yet");
        }
        if self.memberships.latest().0 > self.commit {
            return Err("the change before it is not committed yet");
        }
        let next = self.membership().after(change)?;
        if let Change::Promote(node) = change {
            let caught_up = |progress: &Progress| progress.matched >= self.commit;
            if !leadership.followers.get(&node).is_some_and(caught_up) {
                return Err("the learner has not caught up yet");
            }
        }
        Ok(next)
    }

    /// The leader's log has a new membership: whoever is new is sent the log
    /// from its end; whoever is gone is, until that is committed.
    pub(super) fn follow_membership(&mut self, config: &Config) {
        let last_index = self.log.last_index();
        let members: Vec<NodeId> = self.in_force(config).members().collect();
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        for member in members.into_iter().filter(|member| *member != config.id) {
            let followers = &mut leadership.followers;
            followers
                .entry(member)
                .or_insert_with(|| Progress::new(last_index));
        }
    }

    /// A membership is committed: whoever is a member neither of it nor of a
    /// later one is sent nothing more, but for one last append. A node that
    /// does not learn that its removal is committed would go on to stand.
    pub(super) fn let_go(&mut self, step: &mut Step<'_>) {
        let members: BTreeSet<NodeId> = self.memberships.members().collect();
        let Role::Leader(leadership) = &mut self.role else {
            return;
        };
        let mut gone = Vec::new();
        for (node, progress) in &mut leadership.followers {
            if !members.contains(node) {
                // Nothing is sent again: so it begins where they surely agree.
                progress.next = progress.matched + 1;
                gone.push(*node);
            }
        }
        for node in &gone {
            self.send_append(*node, step.config.batch_max, step);
        }
        if let Role::Leader(leadership) = &mut self.role {
            leadership.followers.retain(|node, _| !gone.contains(node));
        }
    }

    /// A leader whose removal is committed leads no longer (diss. §4.2.2).
    pub(super) fn resign_if_removed(&mut self, step: &mut Step<'_>) {
        if self.leads() && !self.may_stand(step.config) {
            self.follow(self.term, step);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn membership(voters: &[u8], learners: &[u8]) -> Membership {
        let nodes = |ids: &[u8]| ids.iter().copied().map(NodeId).collect();
        Membership {
            voters: nodes(voters),
            learners: nodes(learners),
        }
    }

    #[test]
    fn a_node_learns_before_it_votes() {
        let founding = membership(&[1, 2], &[]);
        assert!(founding.after(Change::Promote(NodeId(3))).is_err());
        let learning = founding.after(Change::AddLearner(NodeId(3))).unwrap();
        assert_eq!(learning, membership(&[1, 2], &[3]));
        let voting = learning.after(Change::Promote(NodeId(3))).unwrap();
        assert_eq!(voting, membership(&[1, 2, 3], &[]));
        assert!(voting.after(Change::AddLearner(NodeId(3))).is_err());
    }

    #[test]
    fn the_last_voter_stays() {
        let alone = membership(&[1], &[2]);
        assert!(alone.after(Change::Remove(NodeId(1))).is_err());
        assert!(alone.after(Change::Remove(NodeId(3))).is_err());
        assert_eq!(
            alone.after(Change::Remove(NodeId(2))),
            Ok(membership(&[1], &[]))
        );
    }

    #[test]
    fn only_voters_are_counted() {
        let members = membership(&[1, 2, 3], &[4, 5]);
        assert!(!members.is_majority([1, 4, 5].map(NodeId)));
        assert!(members.is_majority([1, 3, 4].map(NodeId)));
    }

    #[test]
    fn a_truncated_membership_is_in_force_no_longer() {
        let mut known = Memberships::new(0, membership(&[1, 2, 3], &[]));
        known.note(2, &Command::Configure(membership(&[1, 2], &[])));
        known.note(5, &Command::Configure(membership(&[1], &[])));
        assert_eq!(known.up_to(4).0, 2);
        known.truncate_from(5);
        assert_eq!(known.latest().0, 2);
        known.forget_below(3);
        assert_eq!(known.up_to(2).0, 2);
    }
}
