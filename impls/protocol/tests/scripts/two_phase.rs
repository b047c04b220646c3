//! What scripts of two-phase commit say beside the commands that all have.
//!
//! | command | |
//! |---|---|
//! | `cluster` | `operations N`, `bug NAME` |
//! | `timeout` | `votes`, `acks`, `held`, `doubt`, `remembered`, each of a transaction: `votes(STAMP.NODE.INCARNATION)` |
//! | `request` | one or more of `read KEY`, `write KEY VALUE`, `append KEY VALUE`, `add KEY AMOUNT [LEAST]`, with commas between them |
//!
//! A key belongs to the node whose number is one more than what is left when
//! the key is divided by the number of nodes.
//!
//! `show` gives what a node's keys hold, which locks are held, how far each
//! transaction is that it takes part in or coordinates, and which commits it
//! remembers; then what is on disk of that.

use tribunal_protocol::NodeId;
use tribunal_protocol::object::Ticket;
use tribunal_protocol::two_phase::{
    Config, Coordinated, Durable, Mode, Operation, Participation, Transaction, TwoPhase, Value,
    Wrong,
};

use crate::cluster::{Scripted, Words, number};

impl Scripted for TwoPhase {
    const TIMERS: &'static [&'static str] = &["votes", "acks", "held", "doubt", "remembered"];

    fn configs(nodes: &[NodeId], mut options: Words<'_>) -> Vec<Config> {
        let mut common = Config::new(nodes[0], nodes.iter().copied());
        while let Some(option) = options.next() {
            match option {
                "operations" => common.operations_max = options.number() as usize,
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

    fn request(words: &[&str], _: Option<Ticket>) -> Transaction {
        let operations = words.split(|word| *word == ",");
        let operations = operations.filter(|words| !words.is_empty());
        Transaction(operations.map(operation).collect())
    }

    fn shown(&self, _config: &Config, durable: &Durable) -> String {
        let values = self.store().values();
        let values: Vec<String> = values.map(|(key, value)| shown_value(key, value)).collect();
        let mut shown = format!("{{{}}}", values.join(", "));
        for (key, holders) in self.locks() {
            for (txn, mode) in holders {
                let mode = match mode {
                    Mode::Shared => "shared",
                    Mode::Exclusive => "exclusive",
                };
                shown += &format!(", {txn} locks {key} ({mode})");
            }
        }
        for (txn, participation) in self.participations() {
            let stage = match participation {
                Participation::Waiting { .. } => "waits",
                Participation::Executed { .. } => "executed",
                Participation::Prepared(_) => "prepared",
            };
            shown += &format!(", {txn} {stage}");
        }
        for (txn, coordinated) in self.coordinated() {
            let stage = match coordinated {
                Coordinated::Executing { .. } => "executing",
                Coordinated::Voting { .. } => "voting",
                Coordinated::Committed { .. } => "committed",
            };
            shown += &format!(", coordinates {txn} ({stage})");
        }
        if !self.remembered().is_empty() {
            shown += &format!(", remembers {:?}", self.remembered());
        }
        let prepared: Vec<_> = durable.prepared.keys().collect();
        let commits: Vec<_> = durable.commits.keys().collect();
        shown
            + &format!(
                "; on disk prepared {prepared:?}, committed {commits:?}, remembered {:?}",
                durable.remembered
            )
    }
}

fn shown_value(key: u64, value: &Value) -> String {
    match value {
        Value::Number(number) => format!("{key}: {number}"),
        Value::List(list) => format!("{key}: {list:?}"),
    }
}

fn operation(words: &[&str]) -> Operation {
    match *words {
        ["read", key] => Operation::Read { key: number(key) },
        ["write", key, value] => Operation::Write {
            key: number(key),
            value: signed(value),
        },
        ["append", key, value] => Operation::Append {
            key: number(key),
            value: signed(value),
        },
        ["add", key, amount, ref least @ ..] => Operation::Add {
            key: number(key),
            amount: signed(amount),
            at_least: least.first().map(|least| signed(least)),
        },
        _ => panic!("no such operation: {words:?}"),
    }
}

fn signed(word: &str) -> i64 {
    word.parse()
        .unwrap_or_else(|_| panic!("not a number: {word}"))
}
