//! Nodes and messages in words, for paths.

use tribunal_protocol::zab::{Durable, History, Message, Txn, Zab};

use crate::register::KEY;

/// A node in a line.
pub(super) fn node(machine: &Zab, durable: &Durable) -> String {
    let mut told = vec![machine.role().to_owned()];
    if let Some(leader) = machine.leader() {
        told.push(format!("of {leader}"));
    }
    let accepted = machine.accepted();
    told.push(format!(
        "epoch {}, promised {}",
        machine.current(),
        accepted.epoch
    ));
    told.push(history(machine.history()));
    told.push(format!("committed {}", machine.committed()));
    if let Some(value) = machine.store().read(KEY) {
        told.push(format!("value {value}"));
    }
    let election = machine.election();
    if let Some(vote) = election.vote() {
        told.push(format!("round {}, votes for {vote:?}", election.round()));
    }
    if durable.accepted != accepted || durable.current != machine.current() {
        told.push(format!(
            "on disk epoch {}, promised {}",
            durable.current, durable.accepted.epoch
        ));
    }
    if durable.history != *machine.history() {
        told.push(format!("on disk {}", history(&durable.history)));
    }
    told.join(", ")
}

/// A message in a line.
pub(super) fn message(message: &Message) -> String {
    match message {
        Message::Election(told) => {
            let asks = if told.asks { ", and you?" } else { "" };
            let vote = told
                .vote
                .map_or("nobody".to_owned(), |vote| format!("{vote:?}"));
            format!(
                "{:?}, round {}, for {vote}{asks}",
                told.standing, told.round
            )
        }
        Message::FollowerInfo { accepted, attempt } => {
            format!("FOLLOWERINFO: promised {accepted}, attempt {attempt}")
        }
        Message::NewEpoch { epoch, attempt } => format!("NEWEPOCH {epoch}, attempt {attempt}"),
        Message::AckEpoch {
            current,
            last,
            counts,
        } => {
            let counts = if *counts { "" } else { ", promised to another" };
            format!("ACKEPOCH: epoch {current}, history ends at {last}{counts}")
        }
        Message::Trunc { to } => format!("TRUNC behind {to}"),
        Message::Snap(chunk) => {
            let last = if chunk.is_last { ", the last" } else { "" };
            let (first, count) = (chunk.offset + 1, chunk.parts.len() as u64);
            let end = chunk.offset + count;
            format!("SNAP up to {}: parts {first} to {end}{last}", chunk.head)
        }
        Message::Diff(txns) => format!("DIFF {}", zxids(txns)),
        Message::NewLeader { epoch } => format!("NEWLEADER {epoch}"),
        Message::AckNewLeader { epoch } => format!("ACK of NEWLEADER {epoch}"),
        Message::UpToDate { committed } => format!("UPTODATE, committed {committed}"),
        Message::Propose(txn) => format!("PROPOSE {}", txn.zxid),
        Message::Ack { zxid } => format!("ACK {zxid}"),
        Message::Commit { zxid } => format!("COMMIT {zxid}"),
        Message::Inform(txn) => format!("INFORM {}", txn.zxid),
        Message::Ping => "PING".to_owned(),
        Message::Pong => "PONG".to_owned(),
    }
}

fn history(history: &History) -> String {
    let txns = zxids(history.txns());
    match history.base().number() {
        0 => format!("history {txns}"),
        _ => format!("history behind {} {txns}", history.base()),
    }
}

fn zxids(txns: &[Txn]) -> String {
    let zxids: Vec<String> = txns.iter().map(|txn| txn.zxid.to_string()).collect();
    format!("[{}]", zxids.join(" "))
}
