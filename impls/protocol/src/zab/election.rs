//! Fast leader election (Medeiros, "ZooKeeper's atomic broadcast protocol:
//! theory and practice", 2012, §4.2).
//!
//! A machine of its own: it knows who votes, whom it can reach and what the
//! node itself may stand with, and nothing else of the protocol around it.
//! [`Zab`](super::Zab) embeds it.
//!
//! Everybody proposes itself, tells all, and goes over to the best vote that
//! it hears of; a vote is better with the later epoch, then with the longer
//! history, then with the higher name. Whoever sees a quorum of one mind has
//! its leader. Votes count within a round: who begins to look anew begins a
//! round, and who hears of a later round throws away what it has.
//!
//! ```text
//!               a quorum votes for one, or follows one that leads
//!   Looking ------------------------------------------------------> Settled
//!      ^________________ the leader is lost: a new round ______________|
//! ```
//!
//! Sessions lose nothing while they hold, so nothing is said twice: who begins
//! to look, or can reach another peer, asks; who is asked answers with where
//! it stands; who changes its mind tells all.
//!
//! Nothing here is safe by itself: two nodes may settle for different leaders
//! in one round, and both may hold themselves for the leader, since a voter
//! may go over to a better vote after it was counted for another. There is one
//! leader an epoch because a voter promises an epoch once (`discovery.rs`).
//! That the leader's history is the longest of a quorum is looked at there
//! again, too.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Epoch, Zxid};
use crate::machine::NodeId;
use crate::quorum::majority;

/// Who should lead, and what speaks for it; the greater is the better. Shown
/// as `n1 with 3.2 in 4`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Vote {
    /// The epoch whose leader's history it has last taken over.
    pub epoch: Epoch,
    /// Where its history ends.
    pub zxid: Zxid,
    /// Who.
    pub leader: NodeId,
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Standing {
    /// It looks for a leader.
    Looking,
    /// It follows the one that it votes for.
    Following,
    /// It leads.
    Leading,
}

/// What a node tells of its election.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Notification {
    /// The round it is in.
    pub round: u64,
    /// Whom it votes for; an observer may not know yet.
    pub vote: Option<Vote>,
    /// What it does.
    pub standing: Standing,
    /// Whether it wants to know the same of the receiver.
    pub asks: bool,
}

/// What an election must know of the world, and may not remember.
#[derive(Clone, Copy, Debug)]
pub struct Electorate<'a> {
    /// Who the node is.
    pub id: NodeId,
    /// Whose votes count.
    pub voters: &'a BTreeSet<NodeId>,
    /// Whom it can reach.
    pub linked: &'a BTreeSet<NodeId>,
    /// Whether it gives a better vote time to arrive once a quorum is of one
    /// mind and not everybody was heard.
    pub settles_late: bool,
    /// Whether votes are compared as they should be.
    pub is_order_total: bool,
}

/// What an election asks for, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Tell a peer.
    Tell(NodeId, Notification),
    /// Give a better vote a little time, then call [`Election::on_patience`].
    Wait,
    /// No more of that.
    StopWaiting,
    /// This node leads, for all that is known.
    Settled(NodeId),
}

impl fmt::Debug for Vote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} in {}", self.leader, self.zxid, self.epoch)
    }
}

/// One node's election.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Election {
    round: u64,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    Looking(Looking),
    Settled { vote: Vote, leads: bool },
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Looking {
    /// What the node itself stands with; observers do not stand.
    own: Option<Vote>,
    /// The best vote that was heard of.
    proposal: Option<Vote>,
    /// What voters last voted for in this round.
    votes: BTreeMap<NodeId, Vote>,
    /// Voters that do not look: whom they follow, and what they said.
    settled: BTreeMap<NodeId, Settled>,
    /// Whether it waits for a better vote.
    is_waiting: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Settled {
    round: u64,
    vote: Vote,
    leads: bool,
}

impl Electorate<'_> {
    fn is_voter(&self) -> bool {
        self.voters.contains(&self.id)
    }

    fn is_quorum(&self, count: usize) -> bool {
        count >= majority(self.voters.len())
    }

    /// Whether one goes over from a vote to another.
    fn is_better(&self, one: &Vote, other: &Vote) -> bool {
        if self.is_order_total {
            return one > other;
        }
        // Without the parentheses that would make the last line one of equal
        // epochs.
        let later = one.epoch > other.epoch;
        let longer = one.epoch == other.epoch && one.zxid > other.zxid;
        later || longer || one.zxid == other.zxid && one.leader > other.leader
    }
}

impl Default for Election {
    fn default() -> Self {
        Election {
            round: 0,
            state: State::Looking(Looking::default()),
        }
    }
}

impl Election {
    /// The round it is in.
    pub fn round(&self) -> u64 {
        self.round
    }

    /// Whom it settled for, or would.
    pub fn vote(&self) -> Option<Vote> {
        match &self.state {
            State::Looking(looking) => looking.proposal,
            State::Settled { vote, .. } => Some(*vote),
        }
    }

    /// What it does.
    pub fn standing(&self) -> Standing {
        match &self.state {
            State::Looking(_) => Standing::Looking,
            State::Settled { leads: true, .. } => Standing::Leading,
            State::Settled { leads: false, .. } => Standing::Following,
        }
    }

    /// Looks for a leader in a new round; `own` is what the node stands with.
    pub fn begin(&mut self, own: Option<Vote>, of: &Electorate<'_>, effects: &mut Vec<Effect>) {
        // Nobody counts an observer, so it takes the voters' round whatever
        // that is.
        self.round = if of.is_voter() { self.round + 1 } else { 0 };
        self.state = State::Looking(Looking {
            own,
            proposal: own,
            ..Looking::default()
        });
        self.ask_all(of, effects);
    }

    /// Asks everybody, in the same round if it was done before.
    pub fn ask_all(&mut self, of: &Electorate<'_>, effects: &mut Vec<Effect>) {
        self.tell_all(true, of, effects);
    }

    /// A peer tells.
    pub fn on_notification(
        &mut self,
        from: NodeId,
        heard: &Notification,
        of: &Electorate<'_>,
        effects: &mut Vec<Effect>,
    ) {
        // Only voters have a say.
        let vote = heard.vote.filter(|_| of.voters.contains(&from));
        let told_all = match (vote, heard.standing) {
            (None, _) => false,
            (Some(vote), Standing::Looking) => self.on_vote(from, heard.round, vote, of, effects),
            (Some(vote), standing) => {
                let leads = standing == Standing::Leading;
                self.on_settled_peer(from, heard.round, vote, leads);
                false
            }
        };
        if heard.asks && !told_all {
            effects.push(Effect::Tell(from, self.notification(false)));
        }
        self.settle_if_agreed(false, of, effects);
    }

    /// Nothing better was heard in the time that was given.
    pub fn on_patience(&mut self, of: &Electorate<'_>, effects: &mut Vec<Effect>) {
        self.settle_if_agreed(true, of, effects);
    }

    /// A peer can be reached.
    pub fn on_link_up(&mut self, peer: NodeId, effects: &mut Vec<Effect>) {
        if matches!(self.state, State::Looking(_)) {
            effects.push(Effect::Tell(peer, self.notification(true)));
        }
    }

    /// A peer can be reached no longer: it cannot be followed either.
    pub fn on_link_down(&mut self, peer: NodeId, of: &Electorate<'_>, effects: &mut Vec<Effect>) {
        let State::Looking(looking) = &mut self.state else {
            return;
        };
        looking.votes.remove(&peer);
        looking.settled.remove(&peer);
        if looking.proposal.is_some_and(|vote| vote.leader == peer) {
            let own = looking.own;
            stop_waiting(looking, effects);
            self.begin(own, of, effects);
            self.settle_if_agreed(false, of, effects);
        }
    }

    /// A voter that looks has this vote; gives whether all were told of a
    /// change of mind.
    fn on_vote(
        &mut self,
        from: NodeId,
        round: u64,
        vote: Vote,
        of: &Electorate<'_>,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let State::Looking(looking) = &mut self.state else {
            return false;
        };
        let better = |of: &Electorate<'_>, than: Option<Vote>| {
            than.is_none_or(|than| of.is_better(&vote, &than))
        };
        let changes = match round.cmp(&self.round) {
            Ordering::Less => return false,
            Ordering::Equal => better(of, looking.proposal),
            Ordering::Greater => {
                self.round = round;
                looking.votes.clear();
                looking.proposal = looking.own;
                true
            }
        };
        if better(of, looking.proposal) {
            looking.proposal = Some(vote);
        }
        looking.votes.insert(from, vote);
        if changes {
            stop_waiting(looking, effects);
        }
        let tells = changes && of.is_voter();
        if tells {
            self.tell_all(false, of, effects);
        }
        tells
    }

    /// A voter has settled; within the round its vote counts like others.
    fn on_settled_peer(&mut self, from: NodeId, round: u64, vote: Vote, leads: bool) {
        if let State::Looking(looking) = &mut self.state {
            if round == self.round {
                looking.votes.insert(from, vote);
            }
            let settled = Settled { round, vote, leads };
            looking.settled.insert(from, settled);
        }
    }

    /// Settles for the one that a quorum votes for, or that leads a quorum
    /// already.
    pub fn settle_if_agreed(
        &mut self,
        was_patient: bool,
        of: &Electorate<'_>,
        effects: &mut Vec<Effect>,
    ) {
        let State::Looking(looking) = &mut self.state else {
            return;
        };
        if let Some(leader) = looking.leader_of_quorum(of) {
            let Settled { round, vote, .. } = leader.clone();
            self.round = round;
            return self.settle(vote, of, effects);
        }
        let Some(proposal) = looking.proposal else {
            return;
        };
        let votes = looking.votes.values();
        let own = usize::from(of.is_voter());
        if !of.is_quorum(votes.filter(|vote| **vote == proposal).count() + own) {
            return stop_waiting(looking, effects);
        }
        let all_heard = looking.votes.len() + own == of.voters.len();
        if of.settles_late && !all_heard && !was_patient {
            if !std::mem::replace(&mut looking.is_waiting, true) {
                effects.push(Effect::Wait);
            }
            return;
        }
        self.settle(proposal, of, effects);
    }

    fn settle(&mut self, vote: Vote, of: &Electorate<'_>, effects: &mut Vec<Effect>) {
        if let State::Looking(looking) = &mut self.state {
            stop_waiting(looking, effects);
        }
        let leads = vote.leader == of.id;
        self.state = State::Settled { vote, leads };
        effects.push(Effect::Settled(vote.leader));
    }

    fn tell_all(&self, asks: bool, of: &Electorate<'_>, effects: &mut Vec<Effect>) {
        let notification = self.notification(asks);
        let tell = |peer: &NodeId| Effect::Tell(*peer, notification.clone());
        effects.extend(of.linked.iter().map(tell));
    }

    /// What it tells others.
    pub fn notification(&self, asks: bool) -> Notification {
        Notification {
            round: self.round,
            vote: self.vote(),
            standing: self.standing(),
            asks,
        }
    }
}

impl Looking {
    /// What a leader said that a quorum of voters follows, itself with them.
    fn leader_of_quorum(&self, of: &Electorate<'_>) -> Option<&Settled> {
        let follow = |leader: &NodeId| {
            let named = |settled: &&Settled| settled.vote.leader == *leader;
            self.settled.values().filter(named).count()
        };
        let mut leaders = self.settled.iter().filter(|(_, settled)| settled.leads);
        let (_, leader) = leaders.find(|(leader, _)| of.is_quorum(follow(leader)))?;
        Some(leader)
    }
}

fn stop_waiting(looking: &mut Looking, effects: &mut Vec<Effect>) {
    if std::mem::take(&mut looking.is_waiting) {
        effects.push(Effect::StopWaiting);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId(1);
    const B: NodeId = NodeId(2);
    const C: NodeId = NodeId(3);

    fn vote(epoch: u32, counter: u32, leader: NodeId) -> Vote {
        let zxid = Zxid { epoch: 1, counter };
        Vote {
            epoch,
            zxid,
            leader,
        }
    }

    fn looks(round: u64, vote: Vote) -> Notification {
        Notification {
            round,
            vote: Some(vote),
            standing: Standing::Looking,
            asks: false,
        }
    }

    fn follows(round: u64, vote: Vote, standing: Standing) -> Notification {
        Notification {
            standing,
            ..looks(round, vote)
        }
    }

    /// What A, or `id`, settles for that hears this, and the effects beside
    /// what it tells others.
    fn hears(
        id: NodeId,
        own: Option<Vote>,
        settles_late: bool,
        heard: &[(NodeId, Notification)],
    ) -> (Election, Vec<Effect>) {
        let voters = BTreeSet::from([A, B, C]);
        let linked = voters.iter().copied().filter(|peer| *peer != id).collect();
        let electorate = Electorate {
            id,
            voters: &voters,
            linked: &linked,
            settles_late,
            is_order_total: true,
        };
        let mut election = Election::default();
        let mut effects = Vec::new();
        election.begin(own, &electorate, &mut effects);
        for (from, notification) in heard {
            election.on_notification(*from, notification, &electorate, &mut effects);
        }
        effects.retain(|effect| !matches!(effect, Effect::Tell(..)));
        (election, effects)
    }

    #[test]
    fn votes_are_compared_by_epoch_then_history_then_name() {
        assert!(vote(2, 1, A) > vote(1, 9, C));
        assert!(vote(1, 2, A) > vote(1, 1, C));
        assert!(vote(1, 1, B) > vote(1, 1, A));
    }

    #[test]
    fn a_node_goes_over_to_the_better_vote_and_settles_with_a_quorum() {
        let own = vote(1, 1, A);
        let (election, effects) = hears(A, Some(own), false, &[(B, looks(1, vote(1, 2, B)))]);
        assert_eq!(election.standing(), Standing::Following);
        assert_eq!(effects, [Effect::Settled(B)]);
    }

    #[test]
    fn votes_of_an_earlier_round_do_not_count_and_a_later_one_begins_anew() {
        let own = vote(1, 1, A);
        let early = (B, looks(0, own));
        let (election, _) = hears(A, Some(own), false, &[early]);
        assert_eq!(election.standing(), Standing::Looking);
        let later = [(B, looks(1, vote(0, 0, B))), (C, looks(4, vote(0, 0, C)))];
        let (election, _) = hears(A, Some(vote(1, 1, A)), true, &later);
        assert_eq!((election.round(), election.vote()), (4, Some(own)));
        assert_eq!(election.standing(), Standing::Looking);
    }

    #[test]
    fn a_better_vote_is_given_time_unless_everybody_was_heard() {
        let own = vote(1, 1, A);
        let (_, effects) = hears(A, Some(own), true, &[(B, looks(1, own))]);
        assert_eq!(effects, [Effect::Wait]);
        let better = (C, looks(1, vote(1, 1, C)));
        let (_, effects) = hears(A, Some(own), true, &[(B, looks(1, own)), better]);
        assert_eq!(
            effects,
            [Effect::Wait, Effect::StopWaiting, Effect::Settled(C)]
        );
        let all = [(B, looks(1, own)), (C, looks(1, own))];
        let (_, effects) = hears(A, Some(own), true, &all[..]);
        assert_eq!(
            effects,
            [Effect::Wait, Effect::StopWaiting, Effect::Settled(A)]
        );
    }

    #[test]
    fn a_leader_that_a_quorum_follows_is_joined_whatever_the_round() {
        let leads = (B, follows(7, vote(0, 0, B), Standing::Leading));
        let follower = (C, follows(6, vote(0, 0, B), Standing::Following));
        let own = Some(vote(1, 1, A));
        let (election, effects) = hears(A, own, false, &[follower.clone(), leads.clone()]);
        assert_eq!((election.round(), effects), (7, vec![Effect::Settled(B)]));
        // Not on the word of its followers, nor on its own alone.
        for one in [leads, follower] {
            let (election, _) = hears(A, own, false, &[one]);
            assert_eq!(election.standing(), Standing::Looking);
        }
    }

    #[test]
    fn an_observer_settles_for_what_voters_are_of_one_mind_about() {
        let observer = NodeId(4);
        let best = vote(1, 1, C);
        let heard = [(B, looks(3, best)), (A, looks(3, best))];
        let (_, effects) = hears(observer, None, false, &heard[..1]);
        assert_eq!(effects, []);
        let (election, effects) = hears(observer, None, false, &heard);
        assert_eq!((election.round(), effects), (3, vec![Effect::Settled(C)]));
    }
}
