//! The observer detector: every node is watched by one other, its observer,
//! and watches that one in turn.
//!
//! ```text
//!   observer                                subject
//!     every beat ── Poll ──────────────────>  my observer is there
//!     it is there  <────────────── Alive ──
//!
//!     no reply for longer than the timeout:   no poll for longer than that:
//!     suspect the subject, tell everybody     suspect the observer, tell
//!                                             everybody, take another
//! ```
//!
//! So a beat costs two messages for each node, and not as many as there are
//! nodes. A subject has the next node after itself for its observer that it
//! does not suspect, in the order of names, the last being followed by the
//! first. So whoever is gone stands between a node that is there and its
//! observer, and has been suspected by that node.
//!
//! What everybody is told needs an order, since links keep none. Every node
//! counts its epochs: a suspicion is about an epoch, and a node that hears that
//! it is suspected begins a later one and says so (SWIM §4.2 calls it an
//! incarnation). Of what is known of a node the latest epoch counts, and in one
//! epoch the suspicion.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Beat, Nothing, Suspected, Suspects, Wrong, others};
use crate::machine::{
    Channel, ClockUse, Context, Gate, Input, Machine, NodeId, Outcome, Outputs, Span, View,
};

type Out = Outputs<Observer>;

/// What a node is told at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObserverConfig {
    /// Who it is.
    pub id: NodeId,
    /// Everybody else.
    pub peers: BTreeSet<NodeId>,
    /// Who is observed.
    pub subjects: BTreeSet<NodeId>,
    /// How long a subject may owe its reply, and an observer its poll, in units
    /// of the node's clock.
    pub timeout: u64,
    /// Which rule is broken, if any.
    pub bug: Option<Wrong>,
}

impl ObserverConfig {
    /// One of these nodes, all of which are observed, with every rule kept.
    pub fn new(id: NodeId, nodes: impl IntoIterator<Item = NodeId>, timeout: u64) -> Self {
        let peers = others(id, nodes);
        let subjects = peers.iter().copied().chain([id]).collect();
        ObserverConfig {
            id,
            peers,
            subjects,
            timeout,
            bug: None,
        }
    }

    fn breaks(&self, rule: Wrong) -> bool {
        self.bug == Some(rule)
    }

    /// Whom a node may have for its observer, in the order in which it takes
    /// them.
    fn observers(&self, node: NodeId) -> impl Iterator<Item = NodeId> + Clone + use<> {
        let mut all = self.peers.clone();
        all.insert(self.id);
        all.retain(|other| *other != node && self.subjects.contains(&node));
        let (before, behind): (Vec<_>, Vec<_>) = all.into_iter().partition(|other| *other < node);
        behind.into_iter().chain(before)
    }
}

/// What nodes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ObserverMessage {
    /// I observe you; are you there?
    Poll,
    /// I am there.
    Alive {
        /// In this epoch of mine.
        epoch: u64,
        /// Who observes me; none if nobody is to.
        observer: Option<NodeId>,
    },
    /// A node is suspected.
    Suspect {
        /// Which.
        node: NodeId,
        /// In which epoch of its.
        epoch: u64,
    },
}

/// One node's detector.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Observer {
    peers: BTreeMap<NodeId, Peer>,
    epoch: u64,
    observer: Option<NodeId>,
    /// When the observer polled last; when it was taken, if not since.
    polled: u64,
    /// When the node polled last.
    beaten: u64,
}

/// What is known of another node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Peer {
    epoch: u64,
    suspected: bool,
    /// Since when it owes a reply, if it is a subject of this node: when it
    /// replied last.
    replied: Option<u64>,
}

impl Observer {
    /// Nobody is suspected, and everybody is observed by the next one.
    pub fn new(clock: u64, config: &ObserverConfig) -> Self {
        let is_mine = |peer: NodeId| config.observers(peer).next() == Some(config.id);
        let peer = |peer: &NodeId| {
            let replied = is_mine(*peer).then_some(clock);
            let known = Peer {
                replied,
                ..Peer::default()
            };
            (*peer, known)
        };
        Observer {
            peers: config.peers.iter().map(peer).collect(),
            epoch: 0,
            observer: config.observers(config.id).next(),
            polled: clock,
            beaten: clock,
        }
    }

    /// Whom it suspects.
    pub fn suspects(&self) -> Suspected {
        let peers = self.peers.keys().copied();
        peers.filter(|peer| self.is_suspected(*peer)).collect()
    }

    /// Whether it suspects that peer.
    pub fn is_suspected(&self, peer: NodeId) -> bool {
        self.peers.get(&peer).is_some_and(|peer| peer.suspected)
    }

    /// Who observes it.
    pub fn observer(&self) -> Option<NodeId> {
        self.observer
    }

    /// Whom it observes.
    pub fn subjects(&self) -> impl Iterator<Item = NodeId> + '_ {
        let mine = self.peers.iter().filter(|(_, peer)| peer.replied.is_some());
        mine.map(|(id, _)| *id)
    }

    /// In which of its epochs it is.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// When it polled last, by its clock.
    pub fn beaten(&self) -> u64 {
        self.beaten
    }

    fn alive(&self) -> ObserverMessage {
        ObserverMessage::Alive {
            epoch: self.epoch,
            observer: self.observer,
        }
    }

    fn tell_everybody(&self, message: ObserverMessage, out: &mut Out) {
        for peer in self.peers.keys() {
            out.send_gated(*peer, message, Gate::Now);
        }
    }

    fn beat(&mut self, context: Context<'_, Self>, out: &mut Out) {
        let clock = context.clock.0;
        let is_over = |since: u64| clock.saturating_sub(since) > context.config.timeout;
        let away = is_over(self.beaten);
        self.beaten = clock;
        if away {
            self.begin_anew(clock);
        }
        let silent = |peer: &Peer| !peer.suspected && peer.replied.is_some_and(is_over);
        for peer in self.peers.values_mut().filter(|peer| silent(peer)) {
            peer.suspected = true;
        }
        if let Some(observer) = self.observer
            && is_over(self.polled)
            && !context.config.breaks(Wrong::SilentObserverTrusted)
        {
            self.suspect(observer);
        }
        self.look_for_observer(context, out);
        for subject in self.subjects() {
            out.send_gated(subject, ObserverMessage::Poll, Gate::Now);
        }
        for (node, peer) in self.peers.iter().filter(|(_, peer)| peer.suspected) {
            let suspicion = ObserverMessage::Suspect {
                node: *node,
                epoch: peer.epoch,
            };
            self.tell_everybody(suspicion, out);
        }
        out.set_timer(Beat, Span::Heartbeat);
    }

    /// While the node did not run, nobody could be heard.
    fn begin_anew(&mut self, clock: u64) {
        self.polled = clock;
        let owing = self
            .peers
            .values_mut()
            .filter_map(|peer| peer.replied.as_mut());
        owing.for_each(|replied| *replied = clock);
    }

    fn suspect(&mut self, node: NodeId) {
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.suspected = true;
        }
    }

    /// Has the first for its observer that it does not suspect; the first of
    /// all, if it suspects everybody.
    fn look_for_observer(&mut self, context: Context<'_, Self>, out: &mut Out) {
        let mut order = context.config.observers(context.config.id);
        let first = order.clone().find(|node| !self.is_suspected(*node));
        let next = first.or_else(|| order.next());
        if next == self.observer {
            return;
        }
        self.observer = next;
        if !context.config.breaks(Wrong::PatienceNotRenewed) {
            self.polled = context.clock.0;
        }
        self.epoch += 1;
        self.tell_everybody(self.alive(), out);
    }

    fn on_message(
        &mut self,
        context: Context<'_, Self>,
        from: NodeId,
        message: ObserverMessage,
        out: &mut Out,
    ) {
        match message {
            ObserverMessage::Poll => {
                if self.observer == Some(from) {
                    self.polled = context.clock.0;
                }
                out.send_gated(from, self.alive(), Gate::Now);
            }
            ObserverMessage::Alive { epoch, observer } => {
                self.on_alive(context, (from, epoch), observer, out);
            }
            ObserverMessage::Suspect { node, epoch } if node == context.config.id => {
                self.on_own_suspicion(context, from, epoch, out);
            }
            ObserverMessage::Suspect { node, epoch } => {
                if let Some(peer) = self.peers.get_mut(&node)
                    && (epoch, true) > (peer.epoch, peer.suspected)
                {
                    (peer.epoch, peer.suspected) = (epoch, true);
                    self.look_for_observer(context, out);
                }
            }
        }
    }

    fn on_alive(
        &mut self,
        context: Context<'_, Self>,
        (from, epoch): (NodeId, u64),
        observer: Option<NodeId>,
        out: &mut Out,
    ) {
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        if epoch < peer.epoch {
            // It has forgotten its later epochs, or says what it said before.
            let node = from;
            let epoch = peer.epoch;
            out.send_gated(from, ObserverMessage::Suspect { node, epoch }, Gate::Now);
            return;
        }
        if epoch > peer.epoch {
            (peer.epoch, peer.suspected) = (epoch, false);
        }
        let is_mine = observer == Some(context.config.id);
        peer.replied = is_mine.then_some(context.clock.0);
        self.look_for_observer(context, out);
    }

    /// Somebody suspects this node, which knows better.
    fn on_own_suspicion(
        &mut self,
        context: Context<'_, Self>,
        from: NodeId,
        epoch: u64,
        out: &mut Out,
    ) {
        if epoch < self.epoch {
            out.send_gated(from, self.alive(), Gate::Now);
            return;
        }
        if !context.config.breaks(Wrong::RefutesInTheSameEpoch) {
            self.epoch = epoch + 1;
        }
        self.tell_everybody(self.alive(), out);
    }
}

impl Machine for Observer {
    const NAME: &'static str = "observer";
    const FORMAT: u32 = 1;
    const CHANNEL: Channel = Channel::Unordered;
    const CLOCK: ClockUse = ClockUse::BoundedDrift {
        drift: super::DRIFT,
    };
    type Config = ObserverConfig;
    type Message = ObserverMessage;
    type Timer = Beat;
    type Request = Suspects;
    type Response = Suspected;
    type Record = Nothing;
    type Durable = ();

    fn apply(_: &mut (), record: &Nothing) {
        match *record {}
    }

    fn recover(context: Context<'_, Self>, _: &(), out: &mut Out) -> Self {
        let mut observer = Observer::new(context.clock.0, context.config);
        observer.beat(context, out);
        observer
    }

    fn step(&mut self, context: Context<'_, Self>, input: Input<Self>, out: &mut Out) {
        match input {
            Input::Message { from, message } => self.on_message(context, from, message, out),
            Input::Timer(Beat) => self.beat(context, out),
            Input::Request {
                id,
                request: Suspects,
            } => out.answer(id, Outcome::Ok(self.suspects()), Gate::Now),
            Input::Link { .. } | Input::Persisted(_) => {}
        }
    }

    fn view(&self, _: &ObserverConfig) -> View {
        View {
            suspects: self.suspects(),
            ..View::default()
        }
    }
}
