//! What no single state of a Paxos cluster tells: what was ever proposed and
//! accepted, what anybody took for decided, what clients were told.

use std::collections::BTreeMap;

use tribunal_protocol::NodeId;
use tribunal_protocol::machine::Outcome;
use tribunal_protocol::object::Answer;
use tribunal_protocol::paxos::{Ballot, Command, Durable, Message, Paxos, Slot};

use super::PaxosSystem;
use crate::system::{Broken, Draft, Seen};
use crate::votes::Votes;

/// What is remembered of the past.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ghost {
    /// What was ever proposed, and who accepted it.
    pub votes: Votes<Ballot, Command>,
    /// What somebody took for decided, by slot.
    pub learned: BTreeMap<Slot, Command>,
    /// The last slot that somebody took for decided when a client was last
    /// told what its operation returned.
    pub acknowledged: Slot,
}

/// Takes note of what happened, and judges it.
pub(super) fn observe(
    system: &PaxosSystem,
    ghost: &mut Draft<'_, Ghost>,
    seen: Seen<'_, Paxos>,
) -> Result<(), Broken> {
    match seen {
        Seen::Shown {
            node,
            after,
            durable,
            ..
        } => {
            note_votes(system, ghost, node, durable)?;
            note_learned(system, ghost, node, after)
        }
        Seen::Sent { from, message, .. } => note_message(system, ghost, from, message),
        Seen::Answered { outcome, .. } => {
            note_answer(ghost, outcome);
            Ok(())
        }
        Seen::Crashed { .. } => Ok(()),
    }
}

fn note_message(
    system: &PaxosSystem,
    ghost: &mut Draft<'_, Ghost>,
    from: NodeId,
    message: &Message,
) -> Result<(), Broken> {
    match message {
        Message::Prepare { ballot, .. } | Message::Promise { ballot, .. } => {
            note_promise(ghost, from, *ballot);
            Ok(())
        }
        Message::Accept {
            ballot,
            first,
            commands,
            ..
        } => {
            note_promise(ghost, from, *ballot);
            note_proposals(system, ghost, *ballot, *first, commands)
        }
        Message::Accepted {
            ballot,
            first,
            count,
        } => {
            note_promise(ghost, from, *ballot);
            (*first..first + count).try_for_each(|slot| vote(system, ghost, slot, *ballot, from))
        }
        _ => Ok(()),
    }
}

fn note_promise(ghost: &mut Draft<'_, Ghost>, node: NodeId, ballot: Ballot) {
    if !ghost.votes.has_promised(node, ballot) {
        ghost.votes.promise(node, ballot);
    }
}

/// Validity: nothing is proposed that no client asked for, but for no-ops.
fn note_proposals(
    system: &PaxosSystem,
    ghost: &mut Draft<'_, Ghost>,
    ballot: Ballot,
    first: Slot,
    commands: &[Command],
) -> Result<(), Broken> {
    for (slot, command) in (first..).zip(commands) {
        let is_wanted = *command == Command::Noop || system.wanted.contains(command);
        if !is_wanted {
            let why = format!("{command:?} is proposed in slot {slot}, and nobody asked for it");
            return Err(Broken::new("Validity", why));
        }
        if ghost.votes.is_news(slot, ballot, command) {
            ghost.votes.propose(slot, ballot, command)?;
        }
    }
    Ok(())
}

/// What a node has accepted durably it has voted for, whether or not it says
/// so: a leader says so to nobody.
fn note_votes(
    system: &PaxosSystem,
    ghost: &mut Draft<'_, Ghost>,
    node: NodeId,
    durable: &Durable,
) -> Result<(), Broken> {
    for (slot, accepted) in durable.log.from(0) {
        if ghost
            .votes
            .is_news(slot, accepted.ballot, &accepted.command)
        {
            // A leader's own, which it has not sent to anybody.
            ghost
                .votes
                .propose(slot, accepted.ballot, &accepted.command)?;
        }
        vote(system, ghost, slot, accepted.ballot, node)?;
    }
    Ok(())
}

fn vote(
    system: &PaxosSystem,
    ghost: &mut Draft<'_, Ghost>,
    slot: Slot,
    ballot: Ballot,
    voter: NodeId,
) -> Result<(), Broken> {
    if ghost.votes.has_voted(slot, ballot, voter) {
        return Ok(());
    }
    ghost.votes.vote(slot, ballot, voter, &system.quorums)?;
    ghost.votes.judge_safety(slot, ballot, &system.quorums)
}

/// State Machine Safety: no two nodes apply different commands in one slot.
/// Integrity: and none that is not chosen.
fn note_learned(
    system: &PaxosSystem,
    ghost: &mut Draft<'_, Ghost>,
    node: NodeId,
    after: &Paxos,
) -> Result<(), Broken> {
    for slot in after.log().base() + 1..=after.decided() {
        let Some(accepted) = after.log().get(slot) else {
            let why = format!("{node} applied slot {slot} and no longer has it");
            return Err(Broken::new("State Machine Safety", why));
        };
        let command = &accepted.command;
        match ghost.learned.get(&slot) {
            Some(known) if known == command => {}
            Some(known) => {
                let why = format!(
                    "{node} applied {command:?} in slot {slot}, where {known:?} was applied before"
                );
                return Err(Broken::new("State Machine Safety", why));
            }
            None => {
                ghost
                    .votes
                    .judge_learned(slot, command, node, &system.quorums)?;
                ghost.learned.insert(slot, command.clone());
            }
        }
    }
    Ok(())
}

fn note_answer(ghost: &mut Draft<'_, Ghost>, outcome: &Outcome<Answer>) {
    let last = ghost.learned.last_key_value().map_or(0, |(slot, _)| *slot);
    if matches!(outcome, Outcome::Ok(_)) && ghost.acknowledged < last {
        ghost.acknowledged = last;
    }
}
