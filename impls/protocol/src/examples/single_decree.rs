//! Paxos for a single value (Lamport, "Paxos Made Simple", 2001).
//!
//! Every node is an acceptor, and a proposer while it has something to
//! propose. Phase 1 and 2 are the paper's §2.2.
//!
//! ```text
//!   Idle --request--> Preparing --majority promises--> Accepting --majority accepts--> Chosen
//!                      ^   ^_________timer: a higher ballot_________|
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::machine::{
    Channel, ClockUse, Context, Gate, Input, Machine, NodeId, Outcome, Outputs, RequestId, Span,
    View,
};
use crate::quorum::majority;

/// A proposal number; no two nodes ever use the same one.
pub type Ballot = (u64, NodeId);
/// What is proposed.
pub type Value = u64;

/// Who takes part.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who the node is.
    pub id: NodeId,
    /// Everybody, itself included.
    pub nodes: BTreeSet<NodeId>,
    /// Wrong: promises are spoken before they are durable.
    pub hasty: bool,
}

/// What nodes say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the paper's messages, by the paper's names")]
pub enum Message {
    Prepare(Ballot),
    Promise(Ballot, Option<(Ballot, Value)>),
    Accept(Ballot, Value),
    Accepted(Ballot),
}

/// What becomes durable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the paper's words")]
pub enum Record {
    Promised(Ballot),
    Accepted(Ballot, Value),
}

/// What an acceptor must remember (§2.2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Acceptor {
    /// No ballot below this one is accepted.
    pub promised: Ballot,
    /// The highest-numbered proposal accepted.
    pub accepted: Option<(Ballot, Value)>,
}

/// Beyond this time a proposer tries a higher ballot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Retry;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Proposer {
    Idle,
    Preparing(BTreeMap<NodeId, Option<(Ballot, Value)>>),
    Accepting(Value, BTreeSet<NodeId>),
    Chosen(Value),
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SingleDecree {
    acceptor: Acceptor,
    proposer: Proposer,
    ballot: Ballot,
    wanted: Option<(RequestId, Value)>,
}

impl SingleDecree {
    /// The value that the node knows to be chosen.
    pub fn chosen(&self) -> Option<Value> {
        match self.proposer {
            Proposer::Chosen(value) => Some(value),
            _ => None,
        }
    }

    fn persist(&mut self, record: Record, outputs: &mut Outputs<Self>) {
        Self::apply(&mut self.acceptor, &record);
        outputs.persist(vec![record]);
    }

    fn prepare(&mut self, config: &Config, outputs: &mut Outputs<Self>) {
        self.ballot = (self.acceptor.promised.0 + 1, config.id);
        // Its own promise makes sure that no ballot is used twice, even after
        // a restart.
        self.persist(Record::Promised(self.ballot), outputs);
        self.proposer = Proposer::Preparing([(config.id, self.acceptor.accepted)].into());
        send_all(config, &Message::Prepare(self.ballot), outputs);
        outputs.set_timer(Retry, Span::Election);
    }

    fn on_promise(
        &mut self,
        from: NodeId,
        last: Option<(Ballot, Value)>,
        config: &Config,
        outputs: &mut Outputs<Self>,
    ) {
        let (Proposer::Preparing(promises), Some((_, wanted))) = (&mut self.proposer, self.wanted)
        else {
            return;
        };
        promises.insert(from, last);
        if promises.len() < majority(config.nodes.len()) || self.acceptor.promised > self.ballot {
            return;
        }
        // §2.2: the value of the highest-numbered proposal among the
        // responses, or any value if there is none.
        let value = promises
            .values()
            .flatten()
            .max()
            .map_or(wanted, |(_, value)| *value);
        self.proposer = Proposer::Accepting(value, [config.id].into());
        self.persist(Record::Accepted(self.ballot, value), outputs);
        send_all(config, &Message::Accept(self.ballot, value), outputs);
    }

    fn on_accepted(&mut self, from: NodeId, config: &Config, outputs: &mut Outputs<Self>) {
        if let Proposer::Accepting(value, accepted) = &mut self.proposer {
            accepted.insert(from);
            if accepted.len() >= majority(config.nodes.len()) {
                let value = *value;
                self.proposer = Proposer::Chosen(value);
                outputs.cancel_timer(Retry);
                if let Some((id, _)) = self.wanted.take() {
                    outputs.answer(id, Outcome::Ok(value), Gate::Durable);
                }
            }
        }
    }

    fn on_message(
        &mut self,
        from: NodeId,
        message: Message,
        config: &Config,
        outputs: &mut Outputs<Self>,
    ) {
        match message {
            Message::Prepare(ballot) if ballot > self.acceptor.promised => {
                self.persist(Record::Promised(ballot), outputs);
                let gate = if config.hasty {
                    Gate::Now
                } else {
                    Gate::Durable
                };
                outputs.send_gated(from, Message::Promise(ballot, self.acceptor.accepted), gate);
            }
            Message::Accept(ballot, value) if ballot >= self.acceptor.promised => {
                self.persist(Record::Accepted(ballot, value), outputs);
                outputs.send(from, Message::Accepted(ballot));
            }
            Message::Promise(ballot, last) if ballot == self.ballot => {
                self.on_promise(from, last, config, outputs)
            }
            Message::Accepted(ballot) if ballot == self.ballot => {
                self.on_accepted(from, config, outputs)
            }
            _ => {}
        }
    }
}

fn send_all(config: &Config, message: &Message, outputs: &mut Outputs<SingleDecree>) {
    for peer in config.nodes.iter().filter(|peer| **peer != config.id) {
        outputs.send(*peer, message.clone());
    }
}

impl Machine for SingleDecree {
    const NAME: &'static str = "single-decree";
    const FORMAT: u32 = 1;
    const CHANNEL: Channel = Channel::Unordered;
    const CLOCK: ClockUse = ClockUse::Untimed;
    type Config = Config;
    type Message = Message;
    type Timer = Retry;
    type Request = Value;
    type Response = Value;
    type Record = Record;
    type Durable = Acceptor;

    fn apply(durable: &mut Acceptor, record: &Record) {
        match record {
            Record::Promised(ballot) => durable.promised = *ballot,
            Record::Accepted(ballot, value) => {
                *durable = Acceptor {
                    promised: *ballot,
                    accepted: Some((*ballot, *value)),
                };
            }
        }
    }

    fn recover(_: Context<'_, Self>, durable: &Acceptor, _: &mut Outputs<Self>) -> Self {
        SingleDecree {
            acceptor: durable.clone(),
            proposer: Proposer::Idle,
            ballot: Ballot::default(),
            wanted: None,
        }
    }

    fn step(
        &mut self,
        context: Context<'_, Self>,
        input: Input<Self>,
        outputs: &mut Outputs<Self>,
    ) {
        match (input, self.chosen()) {
            (Input::Message { from, message }, _) => {
                self.on_message(from, message, context.config, outputs)
            }
            (Input::Request { id, .. }, Some(value)) => {
                outputs.answer(id, Outcome::Ok(value), Gate::Durable)
            }
            (Input::Request { id, .. }, None) if self.wanted.is_some() => {
                outputs.answer(
                    id,
                    Outcome::Never("another value is being proposed".into()),
                    Gate::Durable,
                );
            }
            (Input::Request { id, request }, None) => {
                self.wanted = Some((id, request));
                self.prepare(context.config, outputs);
            }
            (Input::Timer(Retry), None) => self.prepare(context.config, outputs),
            (Input::Timer(_) | Input::Persisted(_) | Input::Link { .. }, _) => {}
        }
    }

    fn view(&self, _: &Config) -> View {
        let committed = u64::from(self.chosen().is_some());
        View {
            epoch: self.ballot.0,
            committed,
            applied: committed,
            digest: self.chosen().unwrap_or(0),
            ..View::default()
        }
    }
}
