//! What scripts of Multi-Paxos say beside the commands that all have.
//!
//! | command | |
//! |---|---|
//! | `cluster` | `check-quorum`, `phases ONE TWO`, `window N`, `waiting N`, `batch N`, `chunk N`, `lease N`, `compact-after N KEEP`, `sessions N`, `bug NAME` |
//! | `timeout` | `election`, `heartbeat`, `quorum` |
//! | `request` | `register`, `read KEY`, `write KEY VALUE`, `cas KEY OLD NEW`; as an operator does, `compact` |
//!
//! `show` gives a node's promise, what it has accepted in each slot and in
//! which ballot, how far its disk is, how far it knows decisions, and what the
//! object holds.

use tribunal_protocol::NodeId;
use tribunal_protocol::object::{Call, Operation, Part, Ticket};
use tribunal_protocol::paxos::{Command, Config, Durable, Log, Paxos, Request, Wrong};
use tribunal_protocol::quorum::{Quorums, Rule};

use crate::cluster::{Scripted, Words, number, operation};

impl Scripted for Paxos {
    const TIMERS: &'static [&'static str] = &["election", "heartbeat", "quorum"];

    fn configs(nodes: &[NodeId], mut options: Words<'_>) -> Vec<Config> {
        let members = || nodes.iter().copied();
        let mut common = Config::new(nodes[0], Quorums::majorities(members()));
        common.check_quorum = false;
        while let Some(option) = options.next() {
            match option {
                "check-quorum" => common.check_quorum = true,
                "phases" => {
                    let rule = Rule::Counts {
                        one: options.number() as usize,
                        two: options.number() as usize,
                    };
                    common.quorums = Quorums::new(members(), rule).expect("quorums that meet");
                }
                "window" => common.window = options.number(),
                "waiting" => common.waiting_max = options.number() as usize,
                "batch" => common.batch_max = options.number() as usize,
                "chunk" => common.chunk_max = options.number() as usize,
                "lease" => common.lease = Some(options.number()),
                "compact-after" => {
                    common.compact_after = Some(options.number());
                    common.compact_keep = options.number();
                }
                "sessions" => common.sessions_founding = options.number(),
                "bug" => common.bug = Some(Wrong::named(options.word()).expect("a known bug")),
                _ => panic!("no such option: {option}"),
            }
        }
        let config = |id: &NodeId| Config {
            id: *id,
            ..common.clone()
        };
        nodes.iter().map(config).collect()
    }

    fn request(words: &[&str], ticket: Option<Ticket>) -> Request {
        match *words {
            ["register"] => Request::Call(Call::Register),
            ["compact"] => Request::Compact,
            ["read", key] => Request::Read { key: number(key) },
            _ => Request::Call(Call::Execute {
                ticket,
                operation: operation(words),
            }),
        }
    }

    fn shown(&self, _config: &Config, durable: &Durable) -> String {
        let (role, promised, decided) = (self.role(), self.promised(), self.decided());
        let log = shown_log(self.log());
        let lags = durable.promised != promised || durable.log != *self.log();
        let disk = if lags {
            let log = shown_log(&durable.log);
            format!(", on disk {} {log}", durable.promised)
        } else {
            String::new()
        };
        let parts = self.store().parts().into_iter();
        let values = parts.filter_map(|part| match part {
            Part::Value(key, value) => Some(format!("{key}: {value}")),
            Part::Session(..) => None,
        });
        let values: Vec<String> = values.collect();
        let values = values.join(", ");
        format!("{role}, {promised} {log}{disk}, decided {decided}, object {{{values}}}")
    }
}

/// Such as `behind 1 [2: noop in 3.n1]`.
fn shown_log(log: &Log) -> String {
    let base = match log.base() {
        0 => String::new(),
        base => format!("behind {base} "),
    };
    let accepted = log.from(0).map(|(slot, accepted)| {
        let command = shown_command(&accepted.command);
        format!("{slot}: {command} in {}", accepted.ballot)
    });
    let accepted: Vec<String> = accepted.collect();
    format!("{base}[{}]", accepted.join(", "))
}

fn shown_command(command: &Command) -> String {
    match command {
        Command::Noop => "noop".into(),
        Command::Call(Call::Register) => "register".into(),
        Command::Call(Call::Execute { operation, .. }) => match operation {
            Operation::Read { key } => format!("read {key}"),
            Operation::Write { key, value } => format!("write {key} {value}"),
            Operation::Cas { key, from, to } => match from {
                Some(from) => format!("cas {key} {from} {to}"),
                None => format!("cas {key} nothing {to}"),
            },
        },
    }
}
