//! Nodes and messages in words, for paths.

use tribunal_protocol::object::{Call, Operation};
use tribunal_protocol::paxos::{Command, Durable, Log, Message, Paxos};

use crate::register::KEY;

/// A node in a line.
pub(super) fn node(machine: &Paxos, durable: &Durable) -> String {
    let role = match machine.role() {
        "follower" => "follower, promised",
        role => role,
    };
    let mut told = vec![format!("{role} {}", machine.promised())];
    told.push(format!("accepted {}", log(machine.log())));
    told.push(format!("decided {}", machine.decided()));
    if let Some(value) = machine.store().read(KEY) {
        told.push(format!("value {value}"));
    }
    if durable.promised != machine.promised() {
        told.push(format!("on disk promised {}", durable.promised));
    }
    if durable.log != *machine.log() {
        told.push(format!("on disk accepted {}", log(&durable.log)));
    }
    told.join(", ")
}

fn log(log: &Log) -> String {
    let slots = log.from(0).map(|(slot, accepted)| {
        format!(
            "{slot}:{} in {}",
            command(&accepted.command),
            accepted.ballot
        )
    });
    let slots: Vec<String> = slots.collect();
    match log.base() {
        0 => format!("[{}]", slots.join(", ")),
        base => format!("behind {base} [{}]", slots.join(", ")),
    }
}

fn command(command: &Command) -> String {
    match command {
        Command::Noop => "nothing".to_owned(),
        Command::Call(Call::Register) => "register".to_owned(),
        Command::Call(Call::Execute { operation, .. }) => match operation {
            Operation::Read { .. } => "read".to_owned(),
            Operation::Write { value, .. } => format!("write {value}"),
            Operation::Cas { from, to, .. } => {
                let from = from.map_or("nothing".to_owned(), |from| from.to_string());
                format!("cas {from} to {to}")
            }
        },
    }
}

/// A message in a line.
pub(super) fn message(message: &Message) -> String {
    match message {
        Message::Prepare { ballot, from } => format!("prepare {ballot} from slot {from} on (1a)"),
        Message::Promise {
            ballot,
            base,
            accepted,
        } => {
            let reported = accepted.iter().map(|(slot, value)| {
                format!("{slot}:{} in {}", command(&value.command), value.ballot)
            });
            let reported: Vec<String> = reported.collect();
            let behind = match base {
                0 => String::new(),
                base => format!(" behind {base}"),
            };
            format!(
                "promise {ballot}, accepted{behind} [{}] (1b)",
                reported.join(", ")
            )
        }
        Message::Accept {
            ballot,
            first,
            commands,
            decided,
        } => {
            let commands: Vec<String> = commands.iter().map(command).collect();
            let commands = commands.join(", ");
            format!("accept in {ballot} from slot {first} on: {commands}; decided {decided} (2a)")
        }
        Message::Accepted {
            ballot,
            first,
            count,
        } => format!("accepted in {ballot}: {count} from slot {first} on (2b)"),
        Message::Refused { promised } => format!("refused: promised {promised}"),
        Message::Heartbeat {
            ballot,
            decided,
            lease,
        } => match lease {
            0 => format!("heartbeat of {ballot}, decided {decided}"),
            lease => format!("heartbeat of {ballot}, decided {decided}, lease until {lease}"),
        },
        Message::Following { ballot, lease } => match lease {
            0 => format!("following {ballot}"),
            lease => format!("following {ballot}, lease granted until {lease}"),
        },
        Message::Fetch { next, arrived } => match arrived {
            None => format!("fetch from slot {next} on"),
            Some((head, count)) => {
                format!("fetch from slot {next} on; has {count} parts of the snapshot up to {head}")
            }
        },
        Message::Install { chunk } => {
            let (first, count) = (chunk.offset + 1, chunk.parts.len() as u64);
            let last = if chunk.is_last { ", the last" } else { "" };
            format!(
                "install a snapshot up to slot {}: parts {first} to {}{last}",
                chunk.head,
                chunk.offset + count
            )
        }
    }
}
