//! Discovery: in which epoch a leader leads (DSN §IV, phase 1).
//!
//! Called once an election has settled. Decides nothing about histories, but
//! that the leader's is the one to take over.
//!
//! ```text
//!   follower                          leader
//!      | -- FOLLOWERINFO(accepted) -->  |  a quorum: an epoch above all of those
//!      | <-------- NEWEPOCH(e) -------- |
//!      | -- ACKEPOCH(current, last) --> |  a quorum: on to synchronization
//! ```
//!
//! Invariant: at most one leader an epoch gets past here, because a voter
//! promises an epoch to one node only and makes that durable before it says
//! so. Observers are asked like others and counted nowhere.
//!
//! In the paper the leader fetches the longest history of its quorum. Here, as
//! in ZooKeeper, the election has found who holds it already, and a leader
//! that learns better makes way.

use std::collections::BTreeMap;

use super::{
    Config, Epoch, Following, Informed, Leading, Learner, Message, Phase, Promise, Record, Role,
    Stage, Step, Timer, Wrong, Zab, Zxid,
};
use crate::machine::{NodeId, Span};
use crate::quorum::majority;

impl Leading {
    /// A leader whom these follow already.
    fn new(followers: BTreeMap<NodeId, Informed>) -> Self {
        let followers = followers.into_iter();
        let informed = followers.map(|(node, said)| (node, Learner::Informed(said)));
        Leading {
            stage: Stage::Gathering,
            learners: informed.collect(),
            promised: Default::default(),
            pending: Default::default(),
            roll: Default::default(),
        }
    }
}

impl Zab {
    /// The election has settled for this node.
    pub(super) fn lead(&mut self, step: &mut Step<'_>) {
        let followers = match &mut self.role {
            Role::Looking(followers) => std::mem::take(followers),
            Role::Following(_) | Role::Leading(_) => BTreeMap::new(),
        };
        self.role = Role::Leading(Leading::new(followers));
        step.outputs.cancel_timer(Timer::Election);
        step.outputs.set_timer(Timer::Heartbeat, Span::Heartbeat);
        if !step.config.breaks(Wrong::LeaderNeverGivesUp) {
            step.outputs.set_timer(Timer::Quorum, Span::Election);
        }
        self.choose_epoch_if_informed(step);
    }

    /// The election has settled for another node.
    pub(super) fn follow(&mut self, leader: NodeId, step: &mut Step<'_>) {
        let phase = Phase::Discovery;
        let following = Role::Following(Following { leader, phase });
        if let Role::Looking(followers) = std::mem::replace(&mut self.role, following) {
            for follower in followers.into_keys() {
                self.tell_where_it_stands(follower, step);
            }
        }
        step.outputs.set_timer(Timer::Election, Span::Election);
        self.inform_leader(leader, step);
    }

    /// Tells a leader that this node follows it, once it can be reached.
    pub(super) fn inform_leader(&mut self, leader: NodeId, step: &mut Step<'_>) {
        if let Role::Following(following) = &self.role
            && following.leader == leader
            && following.phase == Phase::Discovery
            && let Some(attempts) = self.links.get_mut(&leader)
        {
            *attempts += 1;
            let informs = Message::FollowerInfo {
                accepted: self.accepted.epoch,
                attempt: *attempts,
            };
            step.outputs.send(leader, informs);
        }
    }

    pub(super) fn on_follower_info(&mut self, from: NodeId, said: Informed, step: &mut Step<'_>) {
        let epoch = self.accepted.epoch;
        let Role::Leading(leading) = &mut self.role else {
            return;
        };
        if leading.stage == Stage::Gathering {
            leading.learners.insert(from, Learner::Informed(said));
            return self.choose_epoch_if_informed(step);
        }
        // Whoever has promised a later epoch to another can never follow in
        // this one: another must begin, or it would be left out for ever.
        if said.accepted > epoch {
            return self.look(step);
        }
        leading.learners.insert(from, Learner::Informed(said));
        let attempt = said.attempt;
        step.outputs
            .send(from, Message::NewEpoch { epoch, attempt });
    }

    /// Finds an epoch above all that a quorum of voters has promised.
    fn choose_epoch_if_informed(&mut self, step: &mut Step<'_>) {
        let Role::Leading(leading) = &mut self.role else {
            return;
        };
        if !is_quorum_for_epoch(leading.learners.keys(), step.config) {
            return;
        }
        let accepted = leading.learners.values().map(|learner| match learner {
            Learner::Informed(said) => said.accepted,
            _ => 0,
        });
        let highest = accepted.max().unwrap_or(0).max(self.accepted.epoch);
        let epoch = highest + 1;
        leading.stage = Stage::Discovery;
        self.accepted = Promise {
            epoch,
            to: step.config.id,
        };
        step.persist_epoch(Record::Promise(self.accepted));
        // Behind the persist: the leader is one of those that promise.
        for (node, learner) in &leading.learners {
            if let Learner::Informed(Informed { attempt, .. }) = *learner {
                step.outputs
                    .send(*node, Message::NewEpoch { epoch, attempt });
            }
        }
    }

    pub(super) fn on_new_epoch(
        &mut self,
        from: NodeId,
        epoch: Epoch,
        attempt: u32,
        step: &mut Step<'_>,
    ) {
        let Role::Following(following) = &mut self.role else {
            return;
        };
        if following.phase != Phase::Discovery {
            return;
        }
        // One that answers an earlier attempt is followed by a history that was
        // sent in that attempt, and what was proposed since would be missed.
        if self.links.get(&from) != Some(&attempt) {
            return;
        }
        if epoch < self.accepted.epoch {
            return self.look(step);
        }
        following.phase = Phase::Synchronization(Default::default());
        if epoch > self.accepted.epoch {
            self.accepted = Promise { epoch, to: from };
            step.persist_epoch(Record::Promise(self.accepted));
        }
        let counts = self.accepted.to == from || step.config.breaks(Wrong::EpochPromisedTwice);
        // Behind the persist: a promise that was spoken and then forgotten in a
        // crash could be given twice, and an earlier leader followed.
        let promise = Message::AckEpoch {
            current: self.current,
            last: self.claimed_last(step.config),
            counts,
        };
        step.outputs.send(from, promise);
    }

    pub(super) fn on_ack_epoch(
        &mut self,
        from: NodeId,
        (current, last): (Epoch, Zxid),
        counts: bool,
        step: &mut Step<'_>,
    ) {
        let own = (self.current, self.claimed_last(step.config));
        let Role::Leading(leading) = &mut self.role else {
            return;
        };
        let Some(learner @ Learner::Informed(_)) = leading.learners.get_mut(&from) else {
            return;
        };
        if leading.stage == Stage::Gathering {
            return;
        }
        *learner = Learner::Promised(last);
        if leading.stage > Stage::Discovery {
            return self.send_history(from, step);
        }
        let is_counted =
            step.config.is_voter(from) || step.config.breaks(Wrong::ObserversInEpochQuorum);
        if !is_counted {
            return;
        }
        // Either this node is not the one to lead, or not in this epoch:
        // another one may have a quorum of promises for it.
        if (current, last) > own || !counts {
            return self.look(step);
        }
        leading.promised.insert(from);
        self.synchronize_if_promised(step);
    }

    /// Goes on once a quorum has promised, this node among them.
    pub(super) fn synchronize_if_promised(&mut self, step: &mut Step<'_>) {
        let is_durable = self.is_epoch_durable() && !step.outstanding.epoch;
        let Role::Leading(leading) = &self.role else {
            return;
        };
        if is_durable && is_quorum_for_epoch(leading.promised.iter(), step.config) {
            self.begin_synchronization(step);
        }
    }
}

/// Whether these and the node itself are enough to fix an epoch.
fn is_quorum_for_epoch<'a>(others: impl Iterator<Item = &'a NodeId>, config: &Config) -> bool {
    if config.breaks(Wrong::ObserversInEpochQuorum) {
        return others.count() + 1 >= majority(config.voters.len());
    }
    config.is_quorum_with(others)
}
