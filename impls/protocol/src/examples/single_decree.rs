//! Paxos for a single value (Lamport, "Paxos Made Simple", 2001, §2.2). Every
//! node accepts, and proposes while its client wants a value to be chosen.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::bugs::Bug;
use crate::machine::*;
use crate::quorum::majority;

/// A proposal number; no two nodes ever use the same one.
pub type Ballot = (u64, NodeId);
type Out = Outputs<SingleDecree>;

/// The wrong versions.
pub const BUGS: &[Bug] = &[Bug {
    name: "hasty",
    about: "a promise is spoken before it is durable",
    source: "own: the smallest mistake that only a host with a separate disk notices",
    property: "Agreement",
    hosts: &["staged"],
    check_args: &[
        "--operations",
        "2",
        "--crashes",
        "1",
        "--property",
        "Agreement",
    ],
    run_args: &[],
}];

/// What a node is told at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who it is.
    pub id: NodeId,
    /// Who takes part, itself included.
    pub nodes: BTreeSet<NodeId>,
    /// When a promise may be spoken: once it is durable, or it is worth nothing.
    pub promise: Gate,
}

/// What nodes say; the paper's messages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Message {
    /// Promise me this ballot (1a).
    Prepare(Ballot),
    /// I do; this is what I accepted last (1b).
    Promise(Ballot, Option<(Ballot, u64)>),
    /// Accept this value (2a).
    Accept(Ballot, u64),
    /// I have (2b).
    Accepted(Ballot),
}

/// What an acceptor must remember. Every durable fact is the whole of it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Acceptor {
    /// No ballot below this one is accepted.
    pub promised: Ballot,
    /// What was accepted last, if anything.
    pub accepted: Option<(Ballot, u64)>,
}

/// The patience of a proposer; then it tries a higher ballot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Retry;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
enum Proposer {
    #[default]
    Idle,
    Preparing(BTreeMap<NodeId, Option<(Ballot, u64)>>),
    Accepting(u64, BTreeSet<NodeId>),
    Chosen(u64),
}

/// One node: an acceptor, and a proposer with its ballot and its client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SingleDecree {
    acceptor: Acceptor,
    proposer: Proposer,
    ballot: Ballot,
    wanted: Option<(RequestId, u64)>,
}

impl SingleDecree {
    /// The value that the node knows to be chosen.
    pub fn chosen(&self) -> Option<u64> {
        let Proposer::Chosen(value) = self.proposer else {
            return None;
        };
        Some(value)
    }

    /// Promised by itself, durably: so no ballot is used twice.
    fn prepare(&mut self, config: &Config, out: &mut Out) {
        self.ballot = (self.acceptor.promised.0 + 1, config.id);
        self.acceptor.promised = self.ballot;
        self.proposer = Proposer::Preparing([(config.id, self.acceptor.accepted)].into());
        self.send_all(Message::Prepare(self.ballot), config, out);
        out.set_timer(Retry, Span::Election);
    }

    fn send_all(&self, message: Message, config: &Config, out: &mut Out) {
        out.persist(vec![self.acceptor]);
        let peers = config.nodes.iter().filter(|peer| **peer != config.id);
        peers.for_each(|peer| out.send(*peer, message.clone()));
    }

    fn on_message(&mut self, from: NodeId, message: Message, config: &Config, out: &mut Out) {
        match (message, &mut self.proposer) {
            (Message::Prepare(ballot), _) if ballot > self.acceptor.promised => {
                self.acceptor.promised = ballot;
                out.persist(vec![self.acceptor]);
                let promise = Message::Promise(ballot, self.acceptor.accepted);
                out.send_gated(from, promise, config.promise);
            }
            (Message::Accept(promised, value), _) if promised >= self.acceptor.promised => {
                let accepted = Some((promised, value));
                self.acceptor = Acceptor { promised, accepted };
                out.persist(vec![self.acceptor]);
                out.send(from, Message::Accepted(promised));
            }
            (Message::Promise(b, last), Proposer::Preparing(all)) if b == self.ballot => {
                all.insert(from, last);
                if all.len() >= majority(config.nodes.len()) && self.acceptor.promised == b {
                    // "The value of the highest-numbered proposal among the
                    // responses, or any value if there are none."
                    let wanted = self.wanted.map(|(_, value)| (b, value));
                    let (_, value) = all
                        .values()
                        .flatten()
                        .max()
                        .copied()
                        .or(wanted)
                        .expect("a value is wanted");
                    self.proposer = Proposer::Accepting(value, [config.id].into());
                    self.acceptor.accepted = Some((b, value));
                    self.send_all(Message::Accept(b, value), config, out);
                }
            }
            (Message::Accepted(b), Proposer::Accepting(value, all)) if b == self.ballot => {
                all.insert(from);
                if all.len() >= majority(config.nodes.len()) {
                    let (id, _) = self.wanted.take().expect("a client waits");
                    out.answer(id, Outcome::Ok(*value), Gate::Durable);
                    self.proposer = Proposer::Chosen(*value);
                    out.cancel_timer(Retry);
                }
            }
            _ => {}
        }
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
    type Request = u64;
    type Response = u64;
    type Record = Acceptor;
    type Durable = Acceptor;

    fn apply(durable: &mut Acceptor, record: &Acceptor) {
        *durable = *record;
    }

    fn recover(_: Context<'_, Self>, durable: &Acceptor, _: &mut Out) -> Self {
        SingleDecree {
            acceptor: *durable,
            ..SingleDecree::default()
        }
    }

    fn step(&mut self, context: Context<'_, Self>, input: Input<Self>, out: &mut Out) {
        let config = context.config;
        match (input, self.chosen()) {
            (Input::Message { from, message }, _) => self.on_message(from, message, config, out),
            (Input::Request { id, .. }, Some(v)) => out.answer(id, Outcome::Ok(v), Gate::Now),
            (Input::Request { id, .. }, None) if self.wanted.is_some() => {
                out.answer(id, Outcome::Never("already proposing".into()), Gate::Now);
            }
            (Input::Request { id, request }, None) => {
                self.wanted = Some((id, request));
                self.prepare(config, out);
            }
            (Input::Timer(Retry), None) => self.prepare(config, out),
            _ => {}
        }
    }

    fn view(&self, _: &Config) -> View {
        View {
            digest: Some(self.chosen().unwrap_or(0)),
            ..View::default()
        }
    }
}
