//! Two-phase commit of one transaction (Gray, "Notes on Data Base Operating
//! Systems", 1978). Node 1 coordinates, the others take part and may abort
//! alone until they have promised to commit. Links are sessions: what a broken
//! one may have swallowed is said again when the next one rises.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::machine::*;

/// The node that coordinates.
pub const COORDINATOR: NodeId = NodeId(1);
type Out = Outputs<TwoPhase>;

/// Who the node is, everybody but the coordinator, and when a decision may be
/// told: once it is durable, since a coordinator that forgot it would abort.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "said above")]
pub struct Config {
    pub id: NodeId,
    pub participants: BTreeSet<NodeId>,
    pub decision: Gate,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "the paper's messages; a decision says whether to commit"
)]
pub enum Message {
    Prepare,
    Prepared,
    Decided(bool),
}

/// How far a node is. Every durable fact is the whole of it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Phase {
    /// Nothing was asked.
    #[default]
    Idle,
    /// The coordinator has asked; a participant has promised.
    Prepared,
    /// Decided: whether to commit.
    Decided(bool),
}

/// Patience with the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Impatience;

/// The request to commit; answered by whether it was.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Commit;

/// One node; who has promised and who waits are the coordinator's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TwoPhase {
    /// How far the node is.
    pub phase: Phase,
    prepared: BTreeSet<NodeId>,
    waiting: Vec<RequestId>,
}

impl TwoPhase {
    fn enter(&mut self, phase: Phase, out: &mut Out) {
        self.phase = phase;
        out.persist(vec![phase]);
    }

    fn decide(&mut self, commit: bool, config: &Config, out: &mut Out) {
        self.enter(Phase::Decided(commit), out);
        out.cancel_timer(Impatience);
        for peer in config
            .participants
            .iter()
            .filter(|_| config.id == COORDINATOR)
        {
            out.send_gated(*peer, Message::Decided(commit), config.decision);
        }
        for id in self.waiting.drain(..) {
            out.answer(id, Outcome::Ok(commit), config.decision);
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message, config: &Config, out: &mut Out) {
        match (message, self.phase) {
            (Message::Prepare, Phase::Decided(_)) => self.say(from, out),
            (_, Phase::Decided(_)) => {}
            (Message::Prepare, _) => {
                self.enter(Phase::Prepared, out);
                out.cancel_timer(Impatience);
                out.send(from, Message::Prepared);
            }
            (Message::Prepared, _) => {
                self.prepared.insert(from);
                if self.prepared == config.participants {
                    self.decide(true, config, out);
                }
            }
            (Message::Decided(commit), _) => self.decide(commit, config, out),
        }
    }

    /// What the coordinator has to say; or a participant that is asked too
    /// late.
    fn say(&self, peer: NodeId, out: &mut Out) {
        match self.phase {
            Phase::Idle => {}
            Phase::Prepared => out.send(peer, Message::Prepare),
            Phase::Decided(commit) => out.send(peer, Message::Decided(commit)),
        }
    }
}

impl Machine for TwoPhase {
    const NAME: &'static str = "coordinator";
    const FORMAT: u32 = 1;
    const CHANNEL: Channel = Channel::Fifo;
    const CLOCK: ClockUse = ClockUse::Untimed;
    type Config = Config;
    type Message = Message;
    type Timer = Impatience;
    type Request = Commit;
    type Response = bool;
    type Record = Phase;
    type Durable = Phase;

    fn apply(durable: &mut Phase, record: &Phase) {
        *durable = *record;
    }

    fn recover(context: Context<'_, Self>, durable: &Phase, out: &mut Out) -> Self {
        let (prepared, waiting) = (BTreeSet::new(), Vec::new());
        let mut node = TwoPhase {
            phase: *durable,
            prepared,
            waiting,
        };
        match (durable, context.config.id) {
            (Phase::Prepared, COORDINATOR) => node.decide(false, context.config, out),
            (Phase::Idle, id) if id != COORDINATOR => out.set_timer(Impatience, Span::Election),
            _ => {}
        }
        node
    }

    fn step(&mut self, context: Context<'_, Self>, input: Input<Self>, out: &mut Out) {
        let config = context.config;
        match (input, self.phase) {
            (Input::Message { from, message }, _) => self.on_message(from, message, config, out),
            (Input::Request { id, .. }, _) if config.id != COORDINATOR => {
                out.answer(id, Outcome::Redirect(COORDINATOR), Gate::Now);
            }
            (Input::Request { id, .. }, Phase::Decided(commit)) => {
                out.answer(id, Outcome::Ok(commit), Gate::Durable);
            }
            (Input::Request { id, .. }, phase) => {
                self.waiting.push(id);
                if phase == Phase::Idle {
                    self.enter(Phase::Prepared, out);
                    config
                        .participants
                        .iter()
                        .for_each(|peer| self.say(*peer, out));
                    out.set_timer(Impatience, Span::Election);
                }
            }
            (Input::Timer(Impatience), _) => self.decide(false, config, out),
            (Input::Link { peer, up: true }, _) if config.id == COORDINATOR => self.say(peer, out),
            _ => {}
        }
    }

    fn view(&self, _: &Config) -> View {
        let committed = u64::from(matches!(self.phase, Phase::Decided(_)));
        View {
            committed,
            ..View::default()
        }
    }
}
