//! A cluster of any protocol, and the commands of a script that move it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Arguments;

use tribunal_protocol::object::{Operation, SessionId, Ticket};
use tribunal_protocol::{
    Channel, Clock, Context, Gate, Input, Machine, NodeId, Outcome, Output, Outputs, RequestId,
};

/// After so many rounds nobody waits any longer for messages to come to an end.
const ROUNDS_MAX: usize = 1000;

/// What a script needs to know of a protocol.
pub trait Scripted: Machine {
    /// What its timers are called, in small letters. What else tells them
    /// apart follows in parentheses.
    const TIMERS: &'static [&'static str];

    /// How each of `nodes` is configured, by the options of `cluster`.
    fn configs(nodes: &[NodeId], options: Words<'_>) -> Vec<Self::Config>;

    /// What `request` asks; `ticket` is what followed `as`.
    fn request(words: &[&str], ticket: Option<Ticket>) -> Self::Request;

    /// What `show` says of a node.
    fn shown(&self, config: &Self::Config, durable: &Self::Durable) -> String;
}

/// The options of `cluster`, word by word.
pub struct Words<'a>(&'a [&'a str]);

impl<'a> Words<'a> {
    /// The next option, if there is one.
    pub fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    /// The argument of the option before it.
    pub fn word(&mut self) -> &'a str {
        self.next().expect("an argument")
    }

    /// The argument of the option before it, a number.
    pub fn number(&mut self) -> u64 {
        number(self.word())
    }
}

struct Node<M: Machine> {
    config: M::Config,
    clock: Clock,
    machine: M,
    durable: M::Durable,
    outstanding: Vec<Vec<M::Record>>,
    /// What has not left yet: `None` stands for a persist that goes first.
    held: Vec<Option<Output<M>>>,
    timers: BTreeSet<M::Timer>,
}

/// What happened that a walk may want to judge.
pub enum Event<M: Machine> {
    /// A node has this on disk now.
    Durable(NodeId, M::Record),
    /// A client was answered.
    Answered(RequestId, Outcome<M::Response>),
}

/// Nodes, and the messages under way between them.
pub struct Cluster<M: Machine> {
    nodes: BTreeMap<NodeId, Node<M>>,
    network: Vec<(NodeId, NodeId, M::Message)>,
    /// The pairs that have a session, the lower node first. Only where the
    /// machine expects sessions.
    sessions: BTreeSet<(NodeId, NodeId)>,
    said: String,
    events: Vec<Event<M>>,
}

impl<M: Machine> Default for Cluster<M> {
    fn default() -> Self {
        Cluster {
            nodes: BTreeMap::new(),
            network: Vec::new(),
            sessions: BTreeSet::new(),
            said: String::new(),
            events: Vec::new(),
        }
    }
}

impl<M: Scripted> Cluster<M> {
    /// Does what a line of a script asks; gives what is to be seen of it.
    pub fn command(&mut self, words: &[&str]) -> String {
        match *words {
            ["cluster", count, ref options @ ..] => self.start(number(count), options),
            ["timeout", at, timer] => self.expire(node(at), timer),
            ["clock", at, time] => self.node(node(at)).clock = Clock(number(time)),
            ["persist", at] => self.persist(node(at), usize::MAX),
            ["persist", at, count] => self.persist(node(at), number(count) as usize),
            ["deliver"] => self.deliver(|_, _| true),
            ["deliver", from, to] => self.deliver(between(from, to)),
            ["deliver", from, to, nth] => self.deliver_nth(node(from), node(to), number(nth)),
            ["drop"] => self.lose(|_, _| true),
            ["drop", from, to] => self.lose(between(from, to)),
            ["repeat", from, to] => self.repeat(node(from), node(to)),
            ["break", a, b] => self.end_session(node(a), node(b)),
            ["break", a] => self.with_others(node(a), Self::end_session),
            ["connect", a, b] => self.begin_session(node(a), node(b)),
            ["connect", a] => self.with_others(node(a), Self::begin_session),
            ["settle"] => self.settle(),
            ["request", at, id, ref request @ ..] => {
                let input = Input::Request {
                    id: RequestId(number(id)),
                    request: request_of::<M>(request),
                };
                self.step(node(at), input);
            }
            ["crash", at] => self.crash(node(at), 0),
            ["crash", at, kept] => self.crash(node(at), number(kept) as usize),
            ["show"] => self.show(),
            _ => panic!("no such command: {words:?}"),
        }
        std::mem::take(&mut self.said)
    }

    fn start(&mut self, count: u64, options: &[&str]) {
        let nodes: Vec<NodeId> = (1..=count).map(|id| NodeId(id as u8)).collect();
        let configs = M::configs(&nodes, Words(options));
        for (id, config) in nodes.iter().zip(configs) {
            self.recover(*id, config, Clock(0), M::Durable::default());
        }
        if M::CHANNEL == Channel::Fifo {
            let pairs = || nodes.iter().flat_map(|a| nodes.iter().map(|b| (*a, *b)));
            self.sessions = pairs().filter(|(a, b)| a < b).collect();
            for (node, peer) in pairs().filter(|(a, b)| a != b) {
                self.step(node, Input::Link { peer, up: true });
            }
        }
    }

    /// Does something to the sessions of a node with all others.
    fn with_others(&mut self, at: NodeId, act: impl Fn(&mut Self, NodeId, NodeId)) {
        let others: Vec<NodeId> = self.nodes.keys().copied().filter(|id| *id != at).collect();
        for other in others {
            act(self, at, other);
        }
    }

    /// A session begins, and both ends are told.
    fn begin_session(&mut self, a: NodeId, b: NodeId) {
        if self.sessions.insert((a.min(b), a.max(b))) {
            self.step(a, Input::Link { peer: b, up: true });
            self.step(b, Input::Link { peer: a, up: true });
        }
    }

    /// A session breaks, with all that is under way on it, and both ends are
    /// told.
    fn end_session(&mut self, a: NodeId, b: NodeId) {
        if self.sever(a, b) {
            self.step(a, Input::Link { peer: b, up: false });
            self.step(b, Input::Link { peer: a, up: false });
        }
    }

    /// Ends a session that nobody is told of yet; whether there was one.
    fn sever(&mut self, a: NodeId, b: NodeId) -> bool {
        if !self.sessions.remove(&(a.min(b), a.max(b))) {
            return false;
        }
        let of_pair = |from, to| (from, to) == (a, b) || (from, to) == (b, a);
        self.network.retain(|(from, to, _)| !of_pair(*from, *to));
        for (from, to) in [(a, b), (b, a)] {
            let is_lost = |output: &Option<Output<M>>| matches!(output, Some(Output::Send { to: peer, .. }) if *peer == to);
            self.node(from).held.retain(|output| !is_lost(output));
        }
        true
    }

    fn has_way(&self, a: NodeId, b: NodeId) -> bool {
        M::CHANNEL == Channel::Unordered || self.sessions.contains(&(a.min(b), a.max(b)))
    }

    fn expire(&mut self, at: NodeId, name: &str) {
        let kind = name.split('(').next().expect("the first part");
        assert!(M::TIMERS.contains(&kind), "no such timer: {name}");
        let is_meant = |timer: &M::Timer| named(timer) == name;
        let timers = &mut self.node(at).timers;
        if let Some(timer) = timers.extract_if(.., is_meant).next() {
            self.step(at, Input::Timer(timer));
        } else {
            self.say(format_args!("{at} has no such timer set"));
        }
    }

    fn step(&mut self, at: NodeId, input: Input<M>) {
        let node = self.node(at);
        let mut outputs = Outputs::new();
        let context = Context {
            config: &node.config,
            clock: node.clock,
        };
        node.machine.step(context, input, &mut outputs);
        self.take(at, outputs);
    }

    /// Starts a node from what it has on disk.
    fn recover(&mut self, at: NodeId, config: M::Config, clock: Clock, durable: M::Durable) {
        let mut outputs = Outputs::new();
        let context = Context {
            config: &config,
            clock,
        };
        let machine = M::recover(context, &durable, &mut outputs);
        let node = Node {
            config,
            clock,
            machine,
            durable,
            outstanding: Vec::new(),
            held: Vec::new(),
            timers: BTreeSet::new(),
        };
        self.nodes.insert(at, node);
        self.take(at, outputs);
    }

    /// Takes what a node asks for.
    fn take(&mut self, at: NodeId, mut outputs: Outputs<M>) {
        let node = self.node(at);
        for output in outputs.take() {
            match output {
                Output::SetTimer { timer, .. } => {
                    node.timers.insert(timer);
                }
                Output::CancelTimer(timer) => {
                    node.timers.remove(&timer);
                }
                Output::Persist(records) => {
                    node.outstanding.push(records);
                    node.held.push(None);
                }
                output => node.held.push(Some(output)),
            }
        }
        self.release(at);
    }

    /// Lets leave what may: what waits for no persist, in order.
    fn release(&mut self, at: NodeId) {
        let mut waiting = false;
        let mut kept = Vec::new();
        for output in std::mem::take(&mut self.node(at).held) {
            match output {
                None => kept.push(None),
                Some(output) => {
                    let behind_persist = kept.iter().any(Option::is_none);
                    waiting |= behind_persist && gate(&output) == Gate::Durable;
                    if waiting {
                        kept.push(Some(output));
                    } else {
                        self.leave(at, output);
                    }
                }
            }
        }
        self.node(at).held = kept;
    }

    fn leave(&mut self, at: NodeId, output: Output<M>) {
        match output {
            Output::Send { to, .. } if !self.has_way(at, to) => {}
            Output::Send { to, message, .. } => {
                self.say(format_args!("{at}->{to} {message:?}"));
                self.network.push((at, to, message));
            }
            Output::Answer { id, outcome, .. } => {
                self.say(format_args!("{at} answers {}: {outcome:?}", id.0));
                self.events.push(Event::Answered(id, outcome));
            }
            _ => unreachable!("only sends and answers leave"),
        }
    }

    fn persist(&mut self, at: NodeId, count: usize) {
        for _ in 0..count {
            let node = self.node(at);
            if node.outstanding.is_empty() {
                return;
            }
            let records = node.outstanding.remove(0);
            for record in &records {
                M::apply(&mut node.durable, record);
            }
            let place = node.held.iter().position(Option::is_none);
            node.held
                .remove(place.expect("a mark for each outstanding persist"));
            self.say(format_args!("{at} made durable {records:?}"));
            self.note_durable(at, records);
            self.release(at);
            self.step(at, Input::Persisted(1));
        }
    }

    fn deliver(&mut self, chosen: impl Fn(NodeId, NodeId) -> bool) {
        let (now, later) = std::mem::take(&mut self.network)
            .into_iter()
            .partition(|(from, to, _)| chosen(*from, *to));
        self.network = later;
        for (from, to, message) in now {
            self.step(to, Input::Message { from, message });
        }
    }

    /// Delivers one of the messages under way between two nodes; the oldest is
    /// the first.
    fn deliver_nth(&mut self, from: NodeId, to: NodeId, nth: u64) {
        let places = 0..self.network.len();
        let mut lane = places.filter(|place| {
            let (f, t, _) = &self.network[*place];
            (*f, *t) == (from, to)
        });
        if let Some(place) = lane.nth(nth as usize - 1) {
            let (from, to, message) = self.network.remove(place);
            self.step(to, Input::Message { from, message });
        }
    }

    fn note_durable(&mut self, at: NodeId, records: Vec<M::Record>) {
        let records = records.into_iter();
        let events = records.map(|record| Event::Durable(at, record));
        self.events.extend(events);
    }

    /// What happened since the last time.
    pub fn take_events(&mut self) -> Vec<Event<M>> {
        std::mem::take(&mut self.events)
    }

    /// Every node: its machine, and what is durable of it.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &M, &M::Durable)> {
        let nodes = self.nodes.iter();
        nodes.map(|(id, node)| (*id, &node.machine, &node.durable))
    }

    /// Who has something under way to whom.
    pub fn lanes(&self) -> Vec<(NodeId, NodeId)> {
        let lanes = self.network.iter().map(|(from, to, _)| (*from, *to));
        let lanes: BTreeSet<_> = lanes.collect();
        lanes.into_iter().collect()
    }

    /// How many messages are under way between two nodes.
    pub fn under_way(&self, from: NodeId, to: NodeId) -> usize {
        let of_lane = |(f, t, _): &&(NodeId, NodeId, M::Message)| (*f, *t) == (from, to);
        self.network.iter().filter(of_lane).count()
    }

    /// How many persists of a node are outstanding.
    pub fn outstanding(&self, at: NodeId) -> usize {
        self.nodes[&at].outstanding.len()
    }

    /// The timers of a node that are set, as scripts write them.
    pub fn timers(&self, at: NodeId) -> Vec<String> {
        self.nodes[&at].timers.iter().map(named).collect()
    }

    fn lose(&mut self, chosen: impl Fn(NodeId, NodeId) -> bool) {
        let before = self.network.len();
        self.network.retain(|(from, to, _)| !chosen(*from, *to));
        let lost = before - self.network.len();
        self.say(format_args!("lost {lost}"));
    }

    fn repeat(&mut self, from: NodeId, to: NodeId) {
        let oldest = self.network.iter().find(|(f, t, _)| (*f, *t) == (from, to));
        let message = oldest.expect("a message to repeat").2.clone();
        self.step(to, Input::Message { from, message });
    }

    fn settle(&mut self) {
        let ids: Vec<NodeId> = self.nodes.keys().copied().collect();
        for _ in 0..ROUNDS_MAX {
            for id in &ids {
                self.persist(*id, usize::MAX);
            }
            if self.network.is_empty() {
                return;
            }
            self.deliver(|_, _| true);
        }
        self.say(format_args!("never settles"));
    }

    fn crash(&mut self, at: NodeId, kept: usize) {
        let others: Vec<NodeId> = self.nodes.keys().copied().filter(|id| *id != at).collect();
        let severed = others.into_iter().filter(|other| self.sever(at, *other));
        let told: Vec<NodeId> = severed.collect();
        let node = self.node(at);
        let (config, clock, mut durable) = (node.config.clone(), node.clock, node.durable.clone());
        let kept: Vec<M::Record> = node.outstanding.drain(..).take(kept).flatten().collect();
        for record in &kept {
            M::apply(&mut durable, record);
        }
        self.note_durable(at, kept);
        self.recover(at, config, clock, durable);
        for other in told {
            let down = Input::Link {
                peer: at,
                up: false,
            };
            self.step(other, down);
        }
    }

    fn show(&mut self) {
        for (id, node) in &self.nodes {
            let shown = node.machine.shown(&node.config, &node.durable);
            self.said += &format!("  {id} {shown}\n");
        }
    }

    fn say(&mut self, what: Arguments<'_>) {
        self.said += &format!("  {what}\n");
    }

    fn node(&mut self, id: NodeId) -> &mut Node<M> {
        self.nodes.get_mut(&id).expect("a node of the cluster")
    }
}

/// A timer, as scripts write it.
fn named(timer: &impl std::fmt::Debug) -> String {
    format!("{timer:?}").to_lowercase()
}

fn gate<M: Machine>(output: &Output<M>) -> Gate {
    match output {
        Output::Send { gate, .. } | Output::Answer { gate, .. } => *gate,
        _ => Gate::Now,
    }
}

fn between(from: &str, to: &str) -> impl Fn(NodeId, NodeId) -> bool {
    let (from, to) = (node(from), node(to));
    move |f, t| (f, t) == (from, to)
}

/// The node that a word names, such as `n1`.
pub fn node(word: &str) -> NodeId {
    NodeId::named(word).unwrap_or_else(|| panic!("not a node: {word}"))
}

/// The number that a word stands for.
pub fn number(word: &str) -> u64 {
    word.parse()
        .unwrap_or_else(|_| panic!("not a number: {word}"))
}

/// The operation that the words of a request ask for.
pub fn operation(words: &[&str]) -> Operation {
    match *words {
        ["read", key] => Operation::Read { key: number(key) },
        ["write", key, value] => Operation::Write {
            key: number(key),
            value: number(value) as i64,
        },
        ["cas", key, old, new] => Operation::Cas {
            key: number(key),
            from: Some(number(old) as i64),
            to: number(new) as i64,
        },
        _ => panic!("no such request: {words:?}"),
    }
}

fn request_of<M: Scripted>(words: &[&str]) -> M::Request {
    let [words @ .., "as", ticket] = words else {
        return M::request(words, None);
    };
    let (session, serial) = ticket.split_once('.').expect("SESSION.SERIAL");
    let ticket = Ticket {
        session: SessionId(number(session)),
        serial: number(serial),
    };
    M::request(words, Some(ticket))
}
