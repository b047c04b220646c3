//! Nodes and messages of a two-phase commit in words.

use tribunal_protocol::two_phase::{
    Coordinated, Durable, Message, Operation, Participation, Seen, TwoPhase, Value, Vote,
};

/// A node in a line.
pub(super) fn node(machine: &TwoPhase, durable: &Durable) -> String {
    let mut said = vec![format!("life {}", machine.incarnation())];
    for (txn, coordinated) in machine.coordinated() {
        said.push(match coordinated {
            Coordinated::Executing { executed, .. } => {
                format!("coordinates {txn}: executed by {:?}", executed.keys())
            }
            Coordinated::Voting { awaited, .. } => {
                format!("coordinates {txn}: awaits the votes of {awaited:?}")
            }
            Coordinated::Committed { unacked, .. } => {
                format!("has committed {txn}: unacknowledged by {unacked:?}")
            }
        });
    }
    for (txn, participation) in machine.participations() {
        let stage = match participation {
            Participation::Waiting { .. } => "waits for locks",
            Participation::Executed { .. } => "has executed",
            Participation::Prepared(_) => "is prepared",
        };
        said.push(format!("{stage}: {txn}"));
    }
    if !machine.remembered().is_empty() {
        said.push(format!("remembers {:?}", machine.remembered()));
    }
    let store = machine.store().values();
    said.extend(store.map(|(key, value)| format!("{key} = {}", shown(Some(value)))));
    if !durable.prepared.is_empty() {
        said.push(format!("on disk prepared {:?}", durable.prepared.keys()));
    }
    said.join("; ")
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::List(list)) => format!("{list:?}"),
    }
}

/// A message in a line.
pub(super) fn message(message: &Message) -> String {
    match message {
        Message::Execute {
            txn,
            operations: of,
        } => format!("Execute {txn}: {}", operations(of)),
        Message::Executed {
            txn,
            execution,
            seen,
        } => {
            let saw = seen.iter().filter_map(|seen| match seen {
                Seen::Done => None,
                Seen::Value(value) => Some(shown(value.as_ref())),
            });
            let saw: Vec<_> = saw.collect();
            match saw.is_empty() {
                true => format!("Executed {txn} as {execution:?}"),
                false => format!("Executed {txn} as {execution:?}, saw {}", saw.join(", ")),
            }
        }
        Message::Refused { txn, reason } => format!("Refused {txn}: {reason}"),
        Message::Prepare { txn, execution, .. } => {
            format!("Prepare {txn}, execution {execution:?}")
        }
        Message::Voted { txn, vote } => {
            let vote = match vote {
                Vote::Yes => "yes",
                Vote::ReadOnly => "read only",
                Vote::No => "no",
            };
            format!("Voted {vote} on {txn}")
        }
        Message::Decided { txn, commit: true } => format!("Commit {txn}"),
        Message::Decided { txn, commit: false } => format!("Abort {txn}"),
        Message::Acked { txn } => format!("Acked {txn}"),
        Message::Settled { txn } => format!("Settled {txn}"),
        Message::Inquire { txn } => format!("Inquire {txn}"),
    }
}

/// Operations in a few words.
pub(super) fn operations(operations: &[Operation]) -> String {
    let words = operations.iter().map(|operation| match operation {
        Operation::Read { key } => format!("read {key}"),
        Operation::Write { key, value } => format!("write {value} to {key}"),
        Operation::Append { key, value } => format!("append {value} to {key}"),
        Operation::Add { key, amount, .. } => format!("add {amount} to {key}"),
    });
    words.collect::<Vec<_>>().join(", ")
}
