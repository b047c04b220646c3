//! Two-phase commit of one transaction (Gray, "Notes on Data Base Operating
//! Systems", 1978).
//!
//! Node 1 coordinates, the others take part. A participant may abort alone
//! until it has promised to commit. Links are sessions: whatever a broken one
//! swallowed is said again when the next one rises.
//!
//! ```text
//!   coordinator:  Idle --request--> Asking --all prepared--> Decided(commit)
//!                                     |_timer, own restart-> Decided(abort)
//!   participant:  Idle --asked--> Prepared --told--> Decided
//!                  |__timer-> Decided(abort)
//! ```

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::machine::{
    Channel, ClockUse, Context, Gate, Input, Machine, NodeId, Outcome, Outputs, RequestId, Span,
    View,
};

/// The node that coordinates.
pub const COORDINATOR: NodeId = NodeId(1);

/// Who takes part.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who the node is.
    pub id: NodeId,
    /// Everybody but the coordinator.
    pub participants: BTreeSet<NodeId>,
    /// Wrong: the decision is told before it is durable.
    pub hasty: bool,
}

/// What nodes say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Message {
    /// Can you commit?
    Prepare,
    /// I can, and I will if you say so.
    Prepared,
    /// I cannot.
    Refused,
    /// This was decided: whether to commit.
    Decided(bool),
}

/// One durable fact, and with it the state: the latest counts.
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

/// The request to commit the transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Commit;

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TwoPhase {
    phase: Phase,
    prepared: BTreeSet<NodeId>,
    waiting: Vec<RequestId>,
}

impl TwoPhase {
    /// Where the node stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    fn enter(&mut self, phase: Phase, outputs: &mut Outputs<Self>) {
        self.phase = phase;
        outputs.persist(vec![phase]);
    }

    fn decide(&mut self, commit: bool, config: &Config, outputs: &mut Outputs<Self>) {
        if matches!(self.phase, Phase::Decided(_)) {
            return;
        }
        self.enter(Phase::Decided(commit), outputs);
        outputs.cancel_timer(Impatience);
        // The decision must be on disk before anybody acts on it: after a
        // restart a coordinator that forgot it would abort.
        let gate = if config.hasty {
            Gate::Now
        } else {
            Gate::Durable
        };
        if config.id == COORDINATOR {
            for peer in &config.participants {
                outputs.send_gated(*peer, Message::Decided(commit), gate);
            }
        }
        for id in std::mem::take(&mut self.waiting) {
            outputs.answer(id, Outcome::Ok(commit), gate);
        }
    }

    fn on_request(&mut self, id: RequestId, config: &Config, outputs: &mut Outputs<Self>) {
        if config.id != COORDINATOR {
            return outputs.answer(id, Outcome::Redirect(COORDINATOR), Gate::Durable);
        }
        if let Phase::Decided(commit) = self.phase {
            return outputs.answer(id, Outcome::Ok(commit), Gate::Durable);
        }
        self.waiting.push(id);
        if self.phase == Phase::Idle {
            self.enter(Phase::Prepared, outputs);
            config
                .participants
                .iter()
                .for_each(|peer| outputs.send(*peer, Message::Prepare));
            outputs.set_timer(Impatience, Span::Election);
        }
    }

    fn on_message(
        &mut self,
        from: NodeId,
        message: Message,
        config: &Config,
        outputs: &mut Outputs<Self>,
    ) {
        match (message, self.phase) {
            (Message::Prepare, Phase::Idle) => {
                outputs.cancel_timer(Impatience);
                self.enter(Phase::Prepared, outputs);
                outputs.send(from, Message::Prepared);
            }
            (Message::Prepare, Phase::Prepared) => outputs.send(from, Message::Prepared),
            (Message::Prepare, Phase::Decided(commit)) if !commit => {
                outputs.send(from, Message::Refused)
            }
            (Message::Prepared, Phase::Prepared) => {
                self.prepared.insert(from);
                if self.prepared == config.participants {
                    self.decide(true, config, outputs);
                }
            }
            (Message::Refused, _) => self.decide(false, config, outputs),
            (Message::Decided(commit), _) => self.decide(commit, config, outputs),
            (Message::Prepare | Message::Prepared, _) => {}
        }
    }

    /// Says again what the last session may have swallowed.
    fn on_link_up(&mut self, peer: NodeId, config: &Config, outputs: &mut Outputs<Self>) {
        match self.phase {
            _ if config.id != COORDINATOR => {}
            Phase::Idle => {}
            Phase::Prepared => outputs.send(peer, Message::Prepare),
            Phase::Decided(commit) => outputs.send(peer, Message::Decided(commit)),
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

    fn recover(context: Context<'_, Self>, durable: &Phase, outputs: &mut Outputs<Self>) -> Self {
        let mut node = TwoPhase {
            phase: *durable,
            prepared: BTreeSet::new(),
            waiting: Vec::new(),
        };
        match (durable, context.config.id == COORDINATOR) {
            // Whatever it had collected is forgotten, and so is who asked.
            (Phase::Prepared, true) => node.decide(false, context.config, outputs),
            (Phase::Idle, false) => outputs.set_timer(Impatience, Span::Election),
            _ => {}
        }
        node
    }

    fn step(
        &mut self,
        context: Context<'_, Self>,
        input: Input<Self>,
        outputs: &mut Outputs<Self>,
    ) {
        match input {
            Input::Message { from, message } => {
                self.on_message(from, message, context.config, outputs)
            }
            Input::Request { id, .. } => self.on_request(id, context.config, outputs),
            Input::Timer(Impatience) => self.decide(false, context.config, outputs),
            Input::Link { peer, up: true } => self.on_link_up(peer, context.config, outputs),
            Input::Link { up: false, .. } | Input::Persisted(_) => {}
        }
    }

    fn view(&self, config: &Config) -> View {
        let committed = u64::from(matches!(self.phase, Phase::Decided(_)));
        let digest = u64::from(self.phase == Phase::Decided(true));
        View {
            leads: config.id == COORDINATOR,
            committed,
            applied: committed,
            digest,
            ..View::default()
        }
    }
}
