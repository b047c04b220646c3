//! Runs the scripts under `testdata/`: whole clusters, step by step, with
//! comments that carry the argument and the output beside each command.
//!
//! A script is a list of commands; four dashes and the output follow each.
//! `UPDATE_EXPECT=1 cargo test -p tribunal-protocol` writes the output anew.
//!
//! | command | does |
//! |---|---|
//! | `cluster COUNT [pre-vote] [check-quorum] [batch N] [chunk N] [spares N] [sessions N] [bug NAME]` | starts nodes 1 to COUNT; the last ones, the spares, are no members |
//! | `timeout NODE election\|heartbeat\|quorum\|transfer` | lets a timer expire that is set |
//! | `persist NODE [COUNT]` | completes all, or the oldest, outstanding persists |
//! | `deliver [FROM TO]` | delivers the messages now under way, in order |
//! | `drop [FROM TO]` | loses them |
//! | `repeat FROM TO` | delivers the oldest message and keeps it |
//! | `settle` | persists and delivers until nothing is left to do |
//! | `request NODE ID register \| read KEY \| write KEY VALUE \| cas KEY OLD NEW [as SESSION.SERIAL]` | asks a node |
//! | `request NODE ID compact \| add PEER \| promote PEER \| remove PEER \| transfer PEER` | asks it as an operator does |
//! | `crash NODE [KEPT]` | crashes it with the oldest KEPT outstanding persists done, and recovers it |
//! | `show` | shows every node |

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use tribunal_protocol::object::{Call, Operation, SessionId, Ticket};
use tribunal_protocol::raft::{
    Change, Config, Durable, Message, Raft, Record, Request, Timer, Wrong,
};
use tribunal_protocol::{Context, Gate, Input, Machine, NodeId, Output, Outputs, RequestId};

#[test]
fn scripts_do_what_they_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata/raft");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder of scripts")
        .map(|entry| entry.expect("a script").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
        let script = std::fs::read_to_string(&path).expect("a readable script");
        expect_test::expect_file![&path].assert_eq(&run(&script));
    }
}

/// The script with its output written anew.
fn run(script: &str) -> String {
    let mut cluster = Cluster::default();
    let mut shown = String::new();
    let mut in_output = false;
    for line in script.lines() {
        if line.is_empty() {
            in_output = false;
            shown.push('\n');
        } else if line.starts_with('#') {
            shown += &format!("{line}\n");
        } else if !in_output {
            in_output = true;
            let words: Vec<&str> = line.split_whitespace().collect();
            cluster.command(&words);
            let said = std::mem::take(&mut cluster.said);
            shown += &format!("{line}\n----\n{said}");
        }
    }
    shown
}

struct Node {
    config: Config,
    machine: Raft,
    durable: Durable,
    outstanding: Vec<Vec<Record>>,
    /// What has not left yet: `None` stands for a persist that goes first.
    held: Vec<Option<Output<Raft>>>,
    timers: BTreeSet<Timer>,
}

#[derive(Default)]
struct Cluster {
    nodes: BTreeMap<NodeId, Node>,
    network: Vec<(NodeId, NodeId, Message)>,
    said: String,
}

impl Cluster {
    fn command(&mut self, words: &[&str]) {
        match *words {
            ["cluster", count, ref options @ ..] => self.start(number(count), options),
            ["timeout", at, timer] => self.expire(node(at), timer),
            ["persist", at] => self.persist(node(at), usize::MAX),
            ["persist", at, count] => self.persist(node(at), number(count) as usize),
            ["deliver"] => self.deliver(|_, _| true),
            ["deliver", from, to] => self.deliver(between(from, to)),
            ["drop"] => self.lose(|_, _| true),
            ["drop", from, to] => self.lose(between(from, to)),
            ["repeat", from, to] => self.repeat(node(from), node(to)),
            ["settle"] => self.settle(),
            ["request", at, id, ref request @ ..] => {
                let input = Input::Request {
                    id: RequestId(number(id)),
                    request: parse_request(request),
                };
                self.step(node(at), input);
            }
            ["crash", at] => self.crash(node(at), 0),
            ["crash", at, kept] => self.crash(node(at), number(kept) as usize),
            ["show"] => self.show(),
            _ => panic!("no such command: {words:?}"),
        }
    }

    fn start(&mut self, count: u64, mut options: &[&str]) {
        let voters: Vec<NodeId> = (1..=count).map(|id| NodeId(id as u8)).collect();
        let mut common = Config::new(voters[0], voters.clone());
        (common.pre_vote, common.check_quorum) = (false, false);
        while let [option, rest @ ..] = options {
            options = rest;
            let mut argument = || {
                let (first, rest) = options.split_first().expect("an argument");
                options = rest;
                *first
            };
            match *option {
                "pre-vote" => common.pre_vote = true,
                "check-quorum" => common.check_quorum = true,
                "chunk" => common.chunk_max = number(argument()) as usize,
                "spares" => {
                    let members = count - number(argument());
                    common.voters.retain(|voter| u64::from(voter.0) <= members);
                }
                "batch" => common.batch_max = number(argument()) as usize,
                "sessions" => common.sessions_founding = number(argument()),
                "bug" => common.bug = Some(Wrong::named(argument()).expect("a known bug")),
                _ => panic!("no such option: {option}"),
            }
        }
        for id in voters {
            let config = Config {
                id,
                ..common.clone()
            };
            let node = recover(config, Durable::default());
            self.nodes.insert(id, node);
        }
    }

    fn expire(&mut self, at: NodeId, timer: &str) {
        let timer = match timer {
            "election" => Timer::Election,
            "heartbeat" => Timer::Heartbeat,
            "quorum" => Timer::Quorum,
            "transfer" => Timer::Transfer,
            _ => panic!("no such timer: {timer}"),
        };
        if self.node(at).timers.remove(&timer) {
            self.step(at, Input::Timer(timer));
        } else {
            self.say(format_args!("{at} has no such timer set"));
        }
    }

    fn step(&mut self, at: NodeId, input: Input<Raft>) {
        let node = self.node(at);
        let mut outputs = Outputs::new();
        let context = Context::untimed(&node.config);
        node.machine.step(context, input, &mut outputs);
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

    fn leave(&mut self, at: NodeId, output: Output<Raft>) {
        match output {
            Output::Send { to, message, .. } => {
                self.say(format_args!("{at}->{to} {message:?}"));
                self.network.push((at, to, message));
            }
            Output::Answer { id, outcome, .. } => {
                self.say(format_args!("{at} answers {}: {outcome:?}", id.0));
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
                Raft::apply(&mut node.durable, record);
            }
            let place = node.held.iter().position(Option::is_none);
            node.held
                .remove(place.expect("a mark for each outstanding persist"));
            self.say(format_args!("{at} made durable {records:?}"));
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
        loop {
            for id in &ids {
                self.persist(*id, usize::MAX);
            }
            if self.network.is_empty() {
                return;
            }
            self.deliver(|_, _| true);
        }
    }

    fn crash(&mut self, at: NodeId, kept: usize) {
        let node = self.node(at);
        let mut durable = node.durable.clone();
        for record in node.outstanding.iter().take(kept).flatten() {
            Raft::apply(&mut durable, record);
        }
        let config = node.config.clone();
        self.nodes.insert(at, recover(config, durable));
    }

    fn show(&mut self) {
        let mut shown = String::new();
        for (id, node) in &self.nodes {
            let machine = &node.machine;
            let terms: Vec<u64> = machine.log().entries().iter().map(|e| e.term).collect();
            let (role, term, commit) = (machine.role(), machine.term(), machine.commit());
            let durable = node.durable.log.last_index();
            let base = match machine.log().base().index {
                0 => String::new(),
                index => format!("behind {index} "),
            };
            let membership = machine.membership();
            let founding = membership.voters == node.config.voters;
            let members = if founding && membership.learners.is_empty() {
                String::new()
            } else {
                let (voters, learners) = (&membership.voters, &membership.learners);
                format!(", voters {voters:?}, learners {learners:?}")
            };
            writeln!(
                shown,
                "  {id} {role} of term {term}, log {base}{terms:?}, durable {durable}, \
                 commit {commit}{members}"
            )
            .expect("writing to a string");
        }
        self.said += &shown;
    }

    fn say(&mut self, what: std::fmt::Arguments<'_>) {
        self.said += &format!("  {what}\n");
    }

    fn node(&mut self, id: NodeId) -> &mut Node {
        self.nodes.get_mut(&id).expect("a node of the cluster")
    }
}

fn recover(config: Config, durable: Durable) -> Node {
    let mut outputs = Outputs::new();
    let machine = Raft::recover(Context::untimed(&config), &durable, &mut outputs);
    let timers = outputs
        .take()
        .into_iter()
        .filter_map(|output| match output {
            Output::SetTimer { timer, .. } => Some(timer),
            _ => None,
        });
    Node {
        timers: timers.collect(),
        config,
        machine,
        durable,
        outstanding: Vec::new(),
        held: Vec::new(),
    }
}

fn gate(output: &Output<Raft>) -> Gate {
    match output {
        Output::Send { gate, .. } | Output::Answer { gate, .. } => *gate,
        _ => Gate::Now,
    }
}

fn between(from: &str, to: &str) -> impl Fn(NodeId, NodeId) -> bool {
    let (from, to) = (node(from), node(to));
    move |f, t| (f, t) == (from, to)
}

fn node(word: &str) -> NodeId {
    NodeId(number(word.trim_start_matches('n')) as u8)
}

fn number(word: &str) -> u64 {
    word.parse()
        .unwrap_or_else(|_| panic!("not a number: {word}"))
}

fn parse_request(words: &[&str]) -> Request {
    let (words, ticket) = match words {
        [words @ .., "as", ticket] => {
            let (session, serial) = ticket.split_once('.').expect("SESSION.SERIAL");
            let ticket = Ticket {
                session: SessionId(number(session)),
                serial: number(serial),
            };
            (words, Some(ticket))
        }
        words => (words, None),
    };
    let operation = match *words {
        ["register"] => return Request::Call(Call::Register),
        ["compact"] => return Request::Compact,
        ["add", peer] => return Request::Reconfigure(Change::AddLearner(node(peer))),
        ["promote", peer] => return Request::Reconfigure(Change::Promote(node(peer))),
        ["remove", peer] => return Request::Reconfigure(Change::Remove(node(peer))),
        ["transfer", peer] => return Request::Transfer(node(peer)),
        ["read", key] => return Request::Read { key: number(key) },
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
    };
    Request::Call(Call::Execute { ticket, operation })
}
