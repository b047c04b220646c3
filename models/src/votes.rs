//! What was ever proposed and accepted, for the systems that decide by Paxos,
//! and what follows from it.
//!
//! After Lamport's specifications `Voting` and `Paxos` (tlaplus/Examples): an
//! acceptor that accepts a value in a ballot votes for it; a value is chosen
//! once a quorum has voted for it in one ballot, whether or not anybody knows.
//! [`Votes`] are what is remembered; a [`Ledger`] writes into them and judges.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::hash::Hash;

use tribunal_protocol::NodeId;
use tribunal_protocol::quorum::{Phase, Quorums};

use crate::system::{Broken, Draft};

/// What was ever proposed, accepted and taken for decided. A system that
/// decides only once has one slot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Votes<B, V> {
    /// By slot and ballot.
    ballots: BTreeMap<(u64, B), Votable<V>>,
    /// Below which ballot an acceptor said that it accepts nothing any more.
    promised: BTreeMap<NodeId, B>,
    /// What somebody took for decided, by slot.
    learned: BTreeMap<u64, V>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Votable<V> {
    value: V,
    voters: BTreeSet<NodeId>,
}

impl<B, V> Default for Votes<B, V> {
    fn default() -> Self {
        Votes {
            ballots: BTreeMap::new(),
            promised: BTreeMap::new(),
            learned: BTreeMap::new(),
        }
    }
}

impl<B: Copy + Ord + Debug, V: Clone + Eq + Debug> Votes<B, V> {
    /// What somebody took for decided, by slot.
    pub fn learned(&self) -> &BTreeMap<u64, V> {
        &self.learned
    }

    /// What a slot holds for good: what somebody took for decided there, or
    /// what is chosen.
    pub fn decision<'a>(&'a self, slot: u64, quorums: &'a Quorums) -> Option<&'a V> {
        let chosen = || self.chosen(slot, quorums).next().map(|(_, value)| value);
        self.learned.get(&slot).or_else(chosen)
    }

    /// Whether a proposal is new, or another than the one before.
    fn is_news(&self, slot: u64, ballot: B, value: &V) -> bool {
        let known = self.ballots.get(&(slot, ballot));
        known.is_none_or(|known| known.value != *value)
    }

    /// A value is proposed. OneValuePerBallot: no other one is, in that slot
    /// and ballot.
    fn propose(&mut self, slot: u64, ballot: B, value: &V) -> Result<(), Broken> {
        let fresh = || Votable {
            value: value.clone(),
            voters: BTreeSet::new(),
        };
        let known = self.ballots.entry((slot, ballot)).or_insert_with(fresh);
        if known.value == *value {
            return Ok(());
        }
        let why = format!(
            "in ballot {ballot:?} {:?} was proposed in slot {slot}, and {value:?} too",
            known.value
        );
        Err(Broken::new("OneValuePerBallot", why))
    }

    /// Whether an acceptor is known to accept nothing below a ballot.
    fn has_promised(&self, node: NodeId, ballot: B) -> bool {
        let promised = self.promised.get(&node);
        promised.is_some_and(|promised| *promised >= ballot)
    }

    /// An acceptor says that it accepts nothing below a ballot.
    fn promise(&mut self, node: NodeId, ballot: B) {
        let promised = self.promised.entry(node).or_insert(ballot);
        *promised = ballot.max(*promised);
    }

    /// Whether an acceptor is known to have voted in a ballot.
    fn has_voted(&self, slot: u64, ballot: B, voter: NodeId) -> bool {
        let known = self.ballots.get(&(slot, ballot));
        known.is_some_and(|known| known.voters.contains(&voter))
    }

    /// An acceptor has accepted what was proposed in a ballot. Agreement: no
    /// two values are chosen in a slot.
    fn vote(
        &mut self,
        slot: u64,
        ballot: B,
        voter: NodeId,
        quorums: &Quorums,
    ) -> Result<(), Broken> {
        if let Some(known) = self.ballots.get_mut(&(slot, ballot)) {
            known.voters.insert(voter);
        }
        let mut chosen = self.chosen(slot, quorums);
        let Some((first, value)) = chosen.next() else {
            return Ok(());
        };
        match chosen.find(|(_, other)| *other != value) {
            None => Ok(()),
            Some((second, other)) => {
                let why = format!(
                    "in slot {slot} {value:?} is chosen in ballot {first:?}, and {other:?} in \
                     ballot {second:?}"
                );
                Err(Broken::new("Agreement", why))
            }
        }
    }

    /// VotesSafe: whoever votes for a value in a ballot can rely on that no
    /// other value is, or can still be, chosen in a lower one.
    fn judge_safety(&self, slot: u64, ballot: B, quorums: &Quorums) -> Result<(), Broken> {
        let Some(votable) = self.ballots.get(&(slot, ballot)) else {
            return Ok(());
        };
        let lower = self.of_slot(slot).take_while(|(lower, _)| *lower < ballot);
        for (lower, other) in lower.filter(|(_, other)| other.value != votable.value) {
            let is_past = |node: &NodeId| {
                let promised = self.promised.get(node);
                promised.is_some_and(|promised| *promised > lower)
            };
            let may_vote = |node: &&NodeId| other.voters.contains(*node) || !is_past(node);
            let voters = quorums.members().iter().filter(may_vote).copied();
            if quorums.is_quorum(Phase::Two, &voters.collect()) {
                let why = format!(
                    "there is a vote for {:?} in slot {slot} and ballot {ballot:?}, and {:?} is \
                     or can be chosen in ballot {lower:?}",
                    votable.value, other.value
                );
                return Err(Broken::new("VotesSafe", why));
            }
        }
        Ok(())
    }

    /// The ballots of a slot, from one on, in which somebody voted.
    fn voted_from(&self, slot: u64, ballot: B) -> Vec<B> {
        let of_slot = self.of_slot(slot);
        let voted =
            of_slot.filter(|(other, votable)| *other >= ballot && !votable.voters.is_empty());
        voted.map(|(ballot, _)| ballot).collect()
    }

    /// What is chosen in a slot, by ballot.
    fn chosen<'a>(&'a self, slot: u64, quorums: &'a Quorums) -> impl Iterator<Item = (B, &'a V)> {
        let chosen = move |votable: &Votable<V>| quorums.is_quorum(Phase::Two, &votable.voters);
        self.of_slot(slot)
            .filter(move |(_, votable)| chosen(votable))
            .map(|(ballot, votable)| (ballot, &votable.value))
    }

    /// Integrity: nobody takes for decided what is not chosen.
    fn judge_learned(
        &self,
        slot: u64,
        value: &V,
        learner: NodeId,
        quorums: &Quorums,
    ) -> Result<(), Broken> {
        let mut chosen = self.chosen(slot, quorums);
        if chosen.any(|(_, chosen)| chosen == value) {
            return Ok(());
        }
        let why = format!("{learner} takes {value:?} for decided in slot {slot}: it is not chosen");
        Err(Broken::new("Integrity", why))
    }

    /// Whether a value was proposed in more than one ballot.
    pub fn is_any_repeated(&self, counts: impl Fn(&V) -> bool) -> bool {
        let proposed = || {
            self.ballots
                .iter()
                .map(|((slot, _), votable)| (slot, &votable.value))
        };
        let repeated = |(slot, value)| {
            let same = proposed().filter(|other| *other == (slot, value));
            counts(value) && same.count() > 1
        };
        proposed().any(repeated)
    }

    /// Whether some such value was ever proposed.
    pub fn is_any_proposed(&self, counts: impl Fn(&V) -> bool) -> bool {
        self.ballots.values().any(|votable| counts(&votable.value))
    }

    fn of_slot(&self, slot: u64) -> impl Iterator<Item = (B, &Votable<V>)> {
        let all = self.ballots.iter();
        let of_slot = all.filter(move |((other, _), _)| *other == slot);
        of_slot.map(|((_, ballot), votable)| (*ballot, votable))
    }
}

/// A ghost that remembers votes among other things.
pub trait Voting: Clone {
    /// What orders proposals.
    type Ballot: Copy + Ord + Debug;
    /// What is decided.
    type Value: Clone + Eq + Debug;

    /// What it remembers.
    fn votes(&self) -> &Votes<Self::Ballot, Self::Value>;

    /// The same, to be written to.
    fn votes_mut(&mut self) -> &mut Votes<Self::Ballot, Self::Value>;
}

impl<B: Copy + Ord + Debug, V: Clone + Eq + Debug> Voting for Votes<B, V> {
    type Ballot = B;
    type Value = V;

    fn votes(&self) -> &Votes<B, V> {
        self
    }

    fn votes_mut(&mut self) -> &mut Votes<B, V> {
        self
    }
}

/// Takes note of what happened, and judges it. The ghost is copied only if
/// something is news.
pub struct Ledger<'a, 'g, G: Voting> {
    /// Where it is written.
    pub ghost: &'a mut Draft<'g, G>,
    /// Who decides.
    pub quorums: &'a Quorums,
    /// What turned out to be broken.
    pub broken: &'a mut Vec<Broken>,
}

impl<G: Voting> Ledger<'_, '_, G> {
    /// An acceptor says that it accepts nothing below a ballot.
    pub fn promise(&mut self, node: NodeId, ballot: G::Ballot) {
        if !self.ghost.votes().has_promised(node, ballot) {
            self.ghost.votes_mut().promise(node, ballot);
        }
    }

    /// A value is proposed. Validity: one that somebody wants.
    pub fn proposal(&mut self, slot: u64, ballot: G::Ballot, value: &G::Value, is_wanted: bool) {
        if !is_wanted {
            let why = format!("{value:?} is proposed in slot {slot}, and nobody asked for it");
            self.broken.push(Broken::new("Validity", why));
        }
        if self.ghost.votes().is_news(slot, ballot, value) {
            let proposed = self.ghost.votes_mut().propose(slot, ballot, value);
            self.broken.extend(proposed.err());
        }
    }

    /// An acceptor accepts what was proposed in a ballot.
    pub fn vote(&mut self, slot: u64, ballot: G::Ballot, voter: NodeId) {
        if self.ghost.votes().has_voted(slot, ballot, voter) {
            return;
        }
        let voted = self
            .ghost
            .votes_mut()
            .vote(slot, ballot, voter, self.quorums);
        self.broken.extend(voted.err());
        // A late vote can make those of higher ballots unsafe.
        let votes = self.ghost.votes();
        for ballot in votes.voted_from(slot, ballot) {
            let safe = votes.judge_safety(slot, ballot, self.quorums);
            self.broken.extend(safe.err());
        }
    }

    /// A node takes a value for decided. `property`: nobody takes another one
    /// for decided.
    pub fn learn(&mut self, slot: u64, value: &G::Value, learner: NodeId, property: &'static str) {
        match self.ghost.votes().learned.get(&slot) {
            Some(known) if known == value => {}
            Some(known) => {
                let why = format!(
                    "{learner} takes {value:?} for decided in slot {slot}, where {known:?} was \
                     taken for it before"
                );
                self.broken.push(Broken::new(property, why));
            }
            None => {
                let votes = self.ghost.votes_mut();
                let judged = votes.judge_learned(slot, value, learner, self.quorums);
                votes.learned.insert(slot, value.clone());
                self.broken.extend(judged.err());
            }
        }
    }

    /// A node takes for decided what stands in a slot, and does not show any
    /// more what that is. Integrity: something is chosen there.
    pub fn learn_unseen(&mut self, slot: u64, learner: NodeId) {
        let votes = self.ghost.votes();
        if votes.learned.contains_key(&slot) {
            return;
        }
        match votes.decision(slot, self.quorums).cloned() {
            Some(value) => {
                self.ghost.votes_mut().learned.insert(slot, value);
            }
            None => {
                let why =
                    format!("{learner} takes slot {slot} for decided: nothing is chosen there");
                self.broken.push(Broken::new("Integrity", why));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Quorums {
        Quorums::majorities([1, 2, 3].map(NodeId))
    }

    /// Proposes and lets nodes vote.
    fn votes(of: &[(u8, char, &[u8])]) -> (Votes<u8, char>, Option<Broken>) {
        let mut votes = Votes::default();
        for (ballot, value, voters) in of {
            let proposed = votes.propose(1, *ballot, value);
            let voted = voters
                .iter()
                .map(|voter| votes.vote(1, *ballot, NodeId(*voter), &three()))
                .collect::<Vec<_>>();
            for done in [proposed].into_iter().chain(voted) {
                if let Err(broken) = done {
                    return (votes, Some(broken));
                }
            }
        }
        (votes, None)
    }

    fn broken(of: &[(u8, char, &[u8])]) -> Option<&'static str> {
        votes(of).1.map(|broken| broken.property)
    }

    #[test]
    fn one_value_a_ballot_and_one_chosen_a_slot() {
        assert_eq!(broken(&[(1, 'x', &[1]), (2, 'y', &[2, 3])]), None);
        assert_eq!(
            broken(&[(1, 'x', &[]), (1, 'y', &[])]),
            Some("OneValuePerBallot")
        );
        assert_eq!(
            broken(&[(1, 'x', &[1, 2]), (2, 'y', &[2, 3])]),
            Some("Agreement")
        );
        assert_eq!(broken(&[(1, 'x', &[1, 2]), (2, 'x', &[2, 3])]), None);
    }

    #[test]
    fn what_is_learned_must_be_chosen() {
        let (votes, _) = votes(&[(1, 'x', &[1]), (2, 'y', &[2, 3])]);
        let learned = |value| votes.judge_learned(1, &value, NodeId(1), &three());
        assert!(learned('y').is_ok());
        assert_eq!(learned('x').unwrap_err().property, "Integrity");
    }

    #[test]
    fn a_vote_is_unsafe_while_another_value_can_be_chosen_below_it() {
        let is_safe = |promised: &[(u8, u8)]| {
            let (mut votes, _) = votes(&[(1, 'x', &[1]), (3, 'y', &[2])]);
            for (node, ballot) in promised {
                votes.promise(NodeId(*node), *ballot);
            }
            votes.judge_safety(1, 3, &three()).is_ok()
        };
        assert!(
            is_safe(&[(2, 3), (3, 3)]),
            "2 and 3 vote in ballot 1 no more"
        );
        assert!(!is_safe(&[(2, 3), (3, 1)]), "3 still may, and 1 has");
        assert!(!is_safe(&[(1, 3), (2, 3)]), "so it is if 1 promises later");
    }
}
