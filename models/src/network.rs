//! What is under way between nodes.
//!
//! A machine with [`Channel::Unordered`] has a bag: messages overtake each
//! other, and one that is never delivered is a lost one.
//!
//! A machine with [`Channel::Fifo`] has two lanes for each pair of nodes, one
//! each way, which make up a session:
//!
//! ```text
//!   Rising --receiver told up--> Up --break, peer crashes--> Broken
//!      ^                          |                             |
//!      |                     own crash                 receiver told down
//!      |                          v                             |
//!      +---both lanes are down--- Down <------------------------+
//! ```
//!
//! A broken lane still delivers what it holds, until the receiver is told; so
//! any suffix of what was sent may be lost, and what arrives is a prefix. A
//! node sends on a session from the time that it was told of it until it is
//! told of its end; what it sends after the break is lost. A crash breaks all
//! sessions of the node, and its next incarnation hears nothing of them.
//! Once both ends know of the end, a new session rises.

use std::cmp::Ordering;
use std::fmt;

use smallvec::SmallVec;
use tribunal_protocol::NodeId;
use tribunal_protocol::machine::{Channel, Clock, Machine};

use crate::shared::Shared;

/// A message on its way.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Envelope<M: Machine> {
    /// Who sent it.
    pub from: NodeId,
    /// To whom.
    pub to: NodeId,
    /// What it says.
    pub message: M::Message,
    /// What the sender's clock showed when it left; zero where no bound of
    /// time depends on it ([`crate::ModelSystem::synchrony`]), so that
    /// messages that say the same are equal.
    pub sent: Clock,
}

/// Everything under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Network<M: Machine> {
    /// Messages in a fixed order, each as often as it is under way.
    Bag(Envelopes<M>),
    /// Sessions: the lane from `a` to `b` stands at `(a - 1) * nodes + b - 1`.
    Lanes {
        /// How many nodes there are.
        nodes: u8,
        /// Every lane; one from a node to itself is never used.
        lanes: Vec<Lane<M>>,
    },
}

/// Messages under way; seldom more than fit in place.
type Envelopes<M> = SmallVec<[Shared<Envelope<M>>; 8]>;

/// One direction of a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lane<M: Machine> {
    /// What its receiver knows of the session.
    pub state: LaneState,
    /// What it holds, the next to arrive first.
    pub queue: SmallVec<[Shared<Envelope<M>>; 2]>,
}

/// What the receiver of a lane knows of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LaneState {
    /// There is a session; the receiver has not been told yet.
    Rising,
    /// There is a session and the receiver knows.
    Up,
    /// The session is over; the receiver does not know.
    Broken,
    /// The receiver knows of no session.
    Down,
}

impl<M: Machine> Network<M> {
    /// An empty network of `nodes`, every session up.
    pub fn new(nodes: u8) -> Self {
        match M::CHANNEL {
            Channel::Unordered => Network::Bag(Envelopes::<M>::new()),
            Channel::Fifo => {
                let lane = Lane {
                    state: LaneState::Up,
                    queue: SmallVec::new(),
                };
                let lanes = vec![lane; usize::from(nodes) * usize::from(nodes)];
                Network::Lanes { nodes, lanes }
            }
        }
    }

    /// How many messages are under way.
    pub fn len(&self) -> usize {
        match self {
            Network::Bag(bag) => bag.len(),
            Network::Lanes { lanes, .. } => lanes.iter().map(|lane| lane.queue.len()).sum(),
        }
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether messages travel in a bag, and not on sessions.
    pub fn is_bag(&self) -> bool {
        matches!(self, Network::Bag(_))
    }

    /// Every message under way, in a bag once for all its copies.
    pub fn messages(&self) -> impl Iterator<Item = &Envelope<M>> + '_ {
        let bag = self.different().map(|(_, envelope)| &**envelope);
        let lanes = self.pairs().flat_map(|(from, to)| {
            let queue = self.lane(from, to).queue.iter();
            queue.map(|envelope| &**envelope)
        });
        bag.chain(lanes)
    }

    /// The messages that may arrive next, with their slots.
    pub(crate) fn deliverable(&self) -> impl Iterator<Item = (u16, &Shared<Envelope<M>>)> + '_ {
        let heads = self.pairs().filter_map(move |(from, to)| {
            let lane = self.lane(from, to);
            let arrives = matches!(lane.state, LaneState::Up | LaneState::Broken);
            let head = lane.queue.first().filter(|_| arrives)?;
            Some((self.slot(from, to) as u16, head))
        });
        self.different().chain(heads)
    }

    /// The messages of a bag, one of equal ones, with their slots.
    pub(crate) fn different(&self) -> impl Iterator<Item = (u16, &Shared<Envelope<M>>)> + '_ {
        let bag = match self {
            Network::Bag(bag) => bag.as_slice(),
            Network::Lanes { .. } => &[],
        };
        let first = |(slot, _): &(usize, _)| *slot == 0 || bag[*slot] != bag[*slot - 1];
        let slots = bag.iter().enumerate().filter(first);
        slots.map(|(slot, envelope)| (slot as u16, envelope))
    }

    /// The same, with other handles of the messages.
    pub(crate) fn holding(
        &self,
        hold: impl Fn(&Shared<Envelope<M>>) -> Shared<Envelope<M>>,
    ) -> Self {
        match self {
            Network::Bag(bag) => {
                let mut held = Network::Bag(Envelopes::<M>::new());
                bag.iter().for_each(|envelope| held.send(hold(envelope)));
                held
            }
            Network::Lanes { nodes, lanes } => {
                let held = |lane: &Lane<M>| Lane {
                    state: lane.state,
                    queue: lane.queue.iter().map(&hold).collect(),
                };
                Network::Lanes {
                    nodes: *nodes,
                    lanes: lanes.iter().map(held).collect(),
                }
            }
        }
    }

    /// Ends of sessions that may be told next: who, about which peer, and
    /// whether the session is up.
    pub(crate) fn tellable(&self) -> impl Iterator<Item = (NodeId, NodeId, bool)> + '_ {
        self.pairs()
            .filter_map(|(from, to)| match self.lane(from, to).state {
                LaneState::Rising => Some((to, from, true)),
                LaneState::Broken => Some((to, from, false)),
                LaneState::Up | LaneState::Down => None,
            })
    }

    /// Pairs of nodes whose session may break.
    pub(crate) fn breakable(&self) -> impl Iterator<Item = (NodeId, NodeId)> + '_ {
        let alive = |state| matches!(state, LaneState::Rising | LaneState::Up);
        self.pairs().filter(move |(a, b)| {
            a < b && alive(self.lane(*a, *b).state) && alive(self.lane(*b, *a).state)
        })
    }

    /// The message in a slot.
    pub(crate) fn at(&self, slot: u16) -> &Shared<Envelope<M>> {
        match self {
            Network::Bag(bag) => &bag[usize::from(slot)],
            Network::Lanes { lanes, .. } => &lanes[usize::from(slot)].queue[0],
        }
    }

    /// Whether a message that leaves now is under way, and not lost.
    pub(crate) fn accepts(&self, from: NodeId, to: NodeId) -> bool {
        match self {
            Network::Bag(_) => true,
            Network::Lanes { .. } => {
                let alive = matches!(self.lane(from, to).state, LaneState::Rising | LaneState::Up);
                alive && self.lane(to, from).state == LaneState::Up
            }
        }
    }

    /// Puts a message under way, if there is a way.
    pub(crate) fn send(&mut self, envelope: Shared<Envelope<M>>) {
        if !self.accepts(envelope.from, envelope.to) {
            return;
        }
        match self {
            Network::Bag(bag) => {
                let before = |other: &Shared<Envelope<M>>| in_bag(other, &envelope).is_lt();
                bag.insert(bag.partition_point(before), envelope);
            }
            Network::Lanes { .. } => {
                let lane = self.lane_mut(envelope.from, envelope.to);
                lane.queue.push(envelope);
            }
        }
    }

    /// Takes one copy of the message in a slot out.
    pub(crate) fn take(&mut self, slot: u16) {
        let slot = usize::from(slot);
        match self {
            Network::Bag(bag) => bag.remove(slot),
            Network::Lanes { lanes, .. } => lanes[slot].queue.remove(0),
        };
    }

    /// Takes every copy of the messages out that `dead` says so of.
    pub(crate) fn remove_if(&mut self, mut dead: impl FnMut(&Envelope<M>) -> bool) {
        if let Network::Bag(bag) = self
            && bag.iter().any(|envelope| dead(envelope))
        {
            bag.retain(|envelope| !dead(envelope));
        }
    }

    /// Everything in a bag is lost. What is under way on a session is lost only
    /// with the session.
    pub(crate) fn lose_all(&mut self) {
        if let Network::Bag(bag) = self {
            bag.clear();
        }
    }

    /// A node is told of the begin or the end of its session with a peer.
    pub(crate) fn tell(&mut self, node: NodeId, peer: NodeId, up: bool) {
        let lane = self.lane_mut(peer, node);
        if up {
            lane.state = LaneState::Up;
        } else {
            lane.state = LaneState::Down;
            lane.queue.clear();
        }
        self.rise(node, peer);
    }

    /// The session of a pair breaks.
    pub(crate) fn cut(&mut self, a: NodeId, b: NodeId) {
        self.end(a, b);
        self.end(b, a);
        self.rise(a, b);
    }

    /// A node crashes: its sessions break, and its next incarnation knows of
    /// none.
    pub(crate) fn crash(&mut self, node: NodeId) {
        let Network::Lanes { nodes, .. } = self else {
            return; // Messages in a bag do not know.
        };
        for peer in (1..=*nodes).map(NodeId).filter(|peer| *peer != node) {
            let inward = self.lane_mut(peer, node);
            inward.state = LaneState::Down;
            inward.queue.clear();
            self.end(node, peer);
            self.rise(node, peer);
        }
    }

    /// A node stops for good: nothing reaches it any more, and its peers will
    /// be told that their sessions with it are over.
    pub(crate) fn halt(&mut self, node: NodeId) {
        self.remove_if(|envelope| envelope.to == node);
        self.crash(node);
    }

    /// The session is over; the lane's receiver does not know yet, unless it
    /// never knew of the session.
    fn end(&mut self, from: NodeId, to: NodeId) {
        let lane = self.lane_mut(from, to);
        match lane.state {
            LaneState::Up => lane.state = LaneState::Broken,
            LaneState::Rising => {
                lane.state = LaneState::Down;
                lane.queue.clear();
            }
            LaneState::Broken | LaneState::Down => {}
        }
    }

    /// Once both ends know of no session, there is a new one.
    fn rise(&mut self, a: NodeId, b: NodeId) {
        let down = |lane: &Lane<M>| lane.state == LaneState::Down;
        if down(self.lane(a, b)) && down(self.lane(b, a)) {
            self.lane_mut(a, b).state = LaneState::Rising;
            self.lane_mut(b, a).state = LaneState::Rising;
        }
    }

    fn pairs(&self) -> impl Iterator<Item = (NodeId, NodeId)> + use<M> {
        let nodes = match self {
            Network::Bag(_) => 0,
            Network::Lanes { nodes, .. } => *nodes,
        };
        let all = move || (1..=nodes).map(NodeId);
        all()
            .flat_map(move |from| all().map(move |to| (from, to)))
            .filter(|(from, to)| from != to)
    }

    fn slot(&self, from: NodeId, to: NodeId) -> usize {
        match self {
            Network::Bag(_) => unreachable!("a bag has no lanes"),
            Network::Lanes { nodes, .. } => {
                usize::from(from.0 - 1) * usize::from(*nodes) + usize::from(to.0 - 1)
            }
        }
    }

    fn lane(&self, from: NodeId, to: NodeId) -> &Lane<M> {
        let slot = self.slot(from, to);
        match self {
            Network::Bag(_) => unreachable!("a bag has no lanes"),
            Network::Lanes { lanes, .. } => &lanes[slot],
        }
    }

    fn lane_mut(&mut self, from: NodeId, to: NodeId) -> &mut Lane<M> {
        let slot = self.slot(from, to);
        match self {
            Network::Bag(_) => unreachable!("a bag has no lanes"),
            Network::Lanes { lanes, .. } => &mut lanes[slot],
        }
    }
}

/// The order of a bag: of interned messages by the hash of their content,
/// which costs less than to compare the content.
fn in_bag<M: Machine>(one: &Shared<Envelope<M>>, other: &Shared<Envelope<M>>) -> Ordering {
    let content = |envelope: &Envelope<M>| (envelope.to, envelope.from, envelope.sent);
    let by_content = || {
        content(one)
            .cmp(&content(other))
            .then_with(|| one.message.cmp(&other.message))
    };
    let by_hash = one.content_hash().cmp(&other.content_hash());
    by_hash.then_with(by_content)
}

impl<M: Machine> fmt::Debug for Envelope<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {} {:?}", self.from, self.to, self.message)
    }
}

#[cfg(test)]
mod tests {
    use tribunal_protocol::examples::coordinator::{Message, TwoPhase};
    use tribunal_protocol::examples::single_decree::{self, SingleDecree};

    use super::*;

    const A: NodeId = NodeId(1);
    const B: NodeId = NodeId(2);

    fn send(network: &mut Network<TwoPhase>, from: NodeId, to: NodeId) {
        let message = Message::Prepare;
        network.send(envelope(from, to, message));
    }

    fn envelope<M: Machine>(from: NodeId, to: NodeId, message: M::Message) -> Shared<Envelope<M>> {
        let sent = Clock(0);
        Shared::from(Envelope {
            from,
            to,
            message,
            sent,
        })
    }

    fn tellable(network: &Network<TwoPhase>) -> Vec<(NodeId, NodeId, bool)> {
        network.tellable().collect()
    }

    #[test]
    fn a_broken_session_delivers_a_prefix_and_then_tells_both_ends() {
        let mut network: Network<TwoPhase> = Network::new(2);
        send(&mut network, A, B);
        send(&mut network, A, B);
        network.cut(A, B);
        send(&mut network, A, B);
        assert_eq!(network.len(), 2, "what is sent after the break is lost");
        let (slot, ..) = network.deliverable().next().expect("a message");
        network.take(slot);
        assert_eq!(tellable(&network), [(B, A, false), (A, B, false)]);
        network.tell(B, A, false);
        assert!(network.is_empty(), "what did not arrive is lost");
        network.tell(A, B, false);
        assert_eq!(tellable(&network), [(B, A, true), (A, B, true)]);
    }

    #[test]
    fn nothing_is_sent_on_a_session_before_the_sender_is_told_of_it() {
        let mut network: Network<TwoPhase> = Network::new(2);
        network.crash(A);
        assert_eq!(
            tellable(&network),
            [(B, A, false)],
            "a new incarnation hears of no old end"
        );
        network.tell(B, A, false);
        send(&mut network, A, B);
        assert!(network.is_empty());
        network.tell(A, B, true);
        send(&mut network, A, B);
        assert_eq!(network.len(), 1);
        assert_eq!(
            network.deliverable().count(),
            0,
            "the receiver is told first"
        );
        network.tell(B, A, true);
        assert_eq!(network.deliverable().count(), 1);
    }

    #[test]
    fn a_bag_counts_copies_and_does_not_know_who_came_first() {
        let message = |round| single_decree::Message::Prepare((round, A));
        let filled = |rounds: &[u64]| {
            let mut network: Network<SingleDecree> = Network::new(2);
            for round in rounds {
                let (from, to, message) = (A, B, message(*round));
                network.send(envelope(from, to, message));
            }
            network
        };
        assert_eq!(filled(&[1, 2, 1]), filled(&[2, 1, 1]));
        assert_ne!(filled(&[1, 2, 1]), filled(&[2, 1]));
        let mut network = filled(&[1, 1]);
        network.take(0);
        assert_eq!(network, filled(&[1]));
    }
}
