//! Every node shows every other one that it is there, and suspects who does
//! not: what heartbeat detectors have in common.
//!
//! They differ in when silence is too long: [`Patience`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::hash::Hash;

use serde::{Deserialize, Serialize};

use super::{Beat, Nothing, Suspected, Suspects, Wrong, others};
use crate::machine::{
    Channel, ClockUse, Context, Gate, Input, Machine, NodeId, Outcome, Outputs, Span, View,
};

/// When the silence of one peer is too long.
pub trait Patience: Clone + Eq + Hash + Debug + Send + Sync + 'static {
    /// The name of the detector.
    const NAME: &'static str;
    /// What can be chosen.
    type Settings: Clone + Debug + PartialEq + Eq + Send + Sync + 'static;

    /// With a peer of which nothing is known.
    fn new(config: &Config<Self::Settings>) -> Self;

    /// Whether a silence of this length is too long.
    fn is_over(&self, silence: u64, config: &Config<Self::Settings>) -> bool;

    /// The peer, which was not suspected, was heard after such a silence.
    fn heard(&mut self, silence: u64, config: &Config<Self::Settings>);

    /// The peer was heard though it was suspected: that was a mistake, unless
    /// it had failed and is back.
    fn was_mistaken(&mut self, config: &Config<Self::Settings>);
}

/// What a node is told at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config<S> {
    /// Who it is.
    pub id: NodeId,
    /// Whom it watches.
    pub watched: BTreeSet<NodeId>,
    /// To whom it shows that it is there: who watches it.
    pub audience: BTreeSet<NodeId>,
    /// When silence is too long.
    pub patience: S,
    /// Which rule is broken, if any.
    pub bug: Option<Wrong>,
}

impl<S> Config<S> {
    /// One of these nodes, each of which watches every other one, with every
    /// rule kept.
    pub fn new(id: NodeId, nodes: impl IntoIterator<Item = NodeId>, patience: S) -> Self {
        let others = others(id, nodes);
        Config {
            id,
            watched: others.clone(),
            audience: others,
            patience,
            bug: None,
        }
    }

    pub(super) fn breaks(&self, rule: Wrong) -> bool {
        self.bug == Some(rule)
    }
}

/// What nodes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PulseMessage {
    /// I am there.
    Heartbeat,
}

/// One node's detector.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pulse<P> {
    peers: BTreeMap<NodeId, Peer<P>>,
    /// When it showed last that it is there.
    beaten: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Peer<P> {
    /// When it was heard last; when the node started, if never.
    heard: u64,
    suspected: bool,
    patience: P,
}

impl<P: Patience> Pulse<P> {
    /// Nobody is suspected, and whoever is not heard from now on will be.
    pub fn new(clock: u64, config: &Config<P::Settings>) -> Self {
        let known: &BTreeSet<NodeId> = match config.breaks(Wrong::UnheardNeverSuspected) {
            true => &BTreeSet::new(),
            false => &config.watched,
        };
        let peers = known.iter().map(|peer| (*peer, Peer::new(clock, config)));
        Pulse {
            peers: peers.collect(),
            beaten: clock,
        }
    }

    /// A peer gave a sign of life.
    pub fn hear(&mut self, from: NodeId, clock: u64, config: &Config<P::Settings>) {
        if !config.watched.contains(&from) {
            return;
        }
        let afresh = || Peer::new(clock, config);
        let peer = self.peers.entry(from).or_insert_with(afresh);
        let silence = clock.saturating_sub(peer.heard);
        peer.heard = clock;
        if !peer.suspected {
            peer.patience.heard(silence, config);
        } else if !config.breaks(Wrong::SuspicionNeverWithdrawn) {
            peer.suspected = false;
            peer.patience.was_mistaken(config);
        }
    }

    /// Looks who was silent for too long; gives those who are to be shown that
    /// this node is there.
    pub fn beat(&mut self, clock: u64, config: &Config<P::Settings>) -> BTreeSet<NodeId> {
        let away = clock.saturating_sub(self.beaten);
        self.beaten = clock;
        for peer in self.peers.values_mut().filter(|peer| !peer.suspected) {
            // While the node did not run, nobody could be heard.
            if peer.patience.is_over(away, config) {
                peer.heard = clock;
            }
            let silence = clock.saturating_sub(peer.heard);
            peer.suspected = peer.patience.is_over(silence, config);
        }
        let mut shown = config.audience.clone();
        if config.breaks(Wrong::SuspectsAreSentNothing) {
            shown.retain(|peer| !self.is_suspected(*peer));
        }
        shown
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

    /// When it showed last that it is there, by its clock.
    pub fn beaten(&self) -> u64 {
        self.beaten
    }

    fn beat_and_show(&mut self, context: Context<'_, Self>, out: &mut Outputs<Self>) {
        for peer in self.beat(context.clock.0, context.config) {
            out.send_gated(peer, PulseMessage::Heartbeat, Gate::Now);
        }
        out.set_timer(Beat, Span::Heartbeat);
    }
}

impl<P: Patience> Peer<P> {
    fn new(clock: u64, config: &Config<P::Settings>) -> Self {
        Peer {
            heard: clock,
            suspected: false,
            patience: P::new(config),
        }
    }
}

impl<P: Patience> Machine for Pulse<P> {
    const NAME: &'static str = P::NAME;
    const FORMAT: u32 = 1;
    const CHANNEL: Channel = Channel::Unordered;
    const CLOCK: ClockUse = ClockUse::BoundedDrift {
        drift: super::DRIFT,
    };
    type Config = Config<P::Settings>;
    type Message = PulseMessage;
    type Timer = Beat;
    type Request = Suspects;
    type Response = Suspected;
    type Record = Nothing;
    type Durable = ();

    fn apply(_: &mut (), record: &Nothing) {
        match *record {}
    }

    fn recover(context: Context<'_, Self>, _: &(), out: &mut Outputs<Self>) -> Self {
        let mut pulse = Pulse::new(context.clock.0, context.config);
        pulse.beat_and_show(context, out);
        pulse
    }

    fn step(&mut self, context: Context<'_, Self>, input: Input<Self>, out: &mut Outputs<Self>) {
        match input {
            Input::Message {
                from,
                message: PulseMessage::Heartbeat,
            } => self.hear(from, context.clock.0, context.config),
            Input::Timer(Beat) => self.beat_and_show(context, out),
            Input::Request {
                id,
                request: Suspects,
            } => out.answer(id, Outcome::Ok(self.suspects()), Gate::Now),
            Input::Link { .. } | Input::Persisted(_) => {}
        }
    }

    fn view(&self, _: &Self::Config) -> View {
        View {
            suspects: self.suspects(),
            ..View::default()
        }
    }
}
