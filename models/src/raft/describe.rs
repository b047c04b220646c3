//! Nodes and messages in words, for paths.

use std::collections::BTreeSet;

use tribunal_protocol::NodeId;
use tribunal_protocol::raft::{Appended, Durable, Entry, Message, Position, Raft, Receipt};

use crate::register::KEY;

/// A node in a line.
pub(super) fn node(founding: &BTreeSet<NodeId>, machine: &Raft, durable: &Durable) -> String {
    let log = machine.log();
    let mut told = vec![format!("{} of term {}", machine.role(), machine.term())];
    told.push(match log.base() {
        Position { index: 0, .. } => format!("log {}", terms(log.entries())),
        base => format!("log behind {} {}", place(base), terms(log.entries())),
    });
    told.push(format!("commit {}", machine.commit()));
    if let Some(value) = machine.store().read(KEY) {
        told.push(format!("value {value}"));
    }
    let membership = machine.membership();
    if membership.voters != *founding {
        told.push(format!("voters {}", names(&membership.voters)));
    }
    if !membership.learners.is_empty() {
        told.push(format!("learners {}", names(&membership.learners)));
    }
    if durable.log != *log {
        told.push(format!(
            "on disk entries up to {}",
            durable.log.last_index()
        ));
    }
    if (durable.term, durable.vote) != (machine.term(), machine.vote()) {
        let nobody = || "nobody".to_owned();
        let vote = durable.vote.map_or_else(nobody, |vote| vote.to_string());
        let term = durable.term;
        told.push(format!("on disk term {term} with a vote for {vote}"));
    }
    told.join(", ")
}

/// A message in a line.
pub(super) fn message(message: &Message) -> String {
    match message {
        Message::PreVote { asked, last } => {
            format!("pre-vote for term {asked}? log ends at {}", place(*last))
        }
        Message::PreVoteReply {
            term,
            asked,
            granted,
        } => format!("pre-vote for term {asked}: {} (term {term})", yes(*granted)),
        Message::Vote { term, last } => {
            format!("vote in term {term}? log ends at {}", place(*last))
        }
        Message::VoteReply { term, granted } => format!("vote in term {term}: {}", yes(*granted)),
        Message::Append {
            term,
            previous,
            entries,
            commit,
            round,
        } => {
            let (behind, entries) = (place(*previous), terms(entries));
            format!(
                "append in term {term} behind {behind}: {entries}, commit {commit}, round {round}"
            )
        }
        Message::AppendReply {
            term,
            round,
            result: Appended::Matched(index),
        } => format!("append in term {term}: matched up to {index}, round {round}"),
        Message::AppendReply {
            term,
            round,
            result: Appended::Rejected { previous, next },
        } => format!("append in term {term}: nothing behind {previous}, try {next}, round {round}"),
        Message::Install { term, round, chunk } => {
            let (first, count) = (chunk.offset + 1, chunk.parts.len() as u64);
            let last = if chunk.is_last { ", the last" } else { "" };
            let of = place(chunk.head.last);
            format!(
                "install in term {term} a snapshot up to {of}: parts {first} to {}{last}, round {round}",
                chunk.offset + count
            )
        }
        Message::InstallReply {
            term,
            round,
            receipt: Receipt { of, arrived, .. },
        } => {
            let of = place(*of);
            format!(
                "install in term {term}: {arrived} parts of the snapshot up to {of}, round {round}"
            )
        }
        Message::TimeoutNow { term } => format!("stand at once, behind term {term}"),
    }
}

fn terms(entries: &[Entry]) -> String {
    let terms: Vec<String> = entries.iter().map(|entry| entry.term.to_string()).collect();
    format!("[{}]", terms.join(" "))
}

fn names(nodes: &BTreeSet<NodeId>) -> String {
    let names: Vec<String> = nodes.iter().map(NodeId::to_string).collect();
    names.join(" ")
}

fn place(position: Position) -> String {
    format!("index {} of term {}", position.index, position.term)
}

fn yes(granted: bool) -> &'static str {
    if granted { "yes" } else { "no" }
}
