//! What no single state of a two-phase commit tells: who has voted, who has
//! decided what, and what clients were told.
//!
//! A decision counts when it can no longer be taken back: as a record on the
//! disk of whoever carries it out, or as a word to a client. What nodes say to
//! each other is not judged: a late answer about what is over may say anything.

use std::collections::{BTreeMap, BTreeSet};

use tribunal_protocol::NodeId;
use tribunal_protocol::machine::Outcome;
use tribunal_protocol::two_phase::{
    Committed, Coordinated, Durable, Message, Reason, TwoPhase, TxnId, Value, Vote, Writes,
};

use super::{TwoPhaseSystem, planned};
use crate::system::{Broken, Draft, Seen};

/// What is remembered of the past; of transactions that write.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ghost {
    /// Which planned transaction each one carries out.
    pub of: BTreeMap<TxnId, usize>,
    /// What participants have voted first; a coordinator's own yes is on its disk.
    pub voted: BTreeMap<(TxnId, NodeId), Vote>,
    /// What somebody has voted no on, be it after a yes: who is asked once more,
    /// and has forgotten, does not know that it has agreed.
    pub denied: BTreeSet<TxnId>,
    /// What is prepared on disks, and what it writes.
    pub prepared: BTreeMap<(TxnId, NodeId), Writes>,
    /// Whether a node has committed or aborted it.
    pub decided: BTreeMap<(TxnId, NodeId), bool>,
    /// Whether a client was told that its transaction has committed.
    pub told: BTreeMap<usize, bool>,
}

/// Takes note of what happened, and judges it.
pub(super) fn observe(
    system: &TwoPhaseSystem,
    ghost: &mut Draft<'_, Ghost>,
    seen: Seen<'_, TwoPhase>,
    broken: &mut Vec<Broken>,
) {
    let mut notes = Notes {
        system,
        ghost,
        broken,
    };
    match seen {
        Seen::Persisted { node, durable } => notes.written(node, durable),
        Seen::Shown { after, .. } => {
            for (txn, coordinated) in after.coordinated() {
                if let Coordinated::Executing { operations, .. } = coordinated {
                    notes.names(*txn, planned(operations));
                }
            }
        }
        Seen::Sent { from, message, .. } => match message {
            Message::Execute { txn, operations } => notes.names(*txn, planned(operations)),
            Message::Voted { txn, vote } => notes.votes(*txn, from, *vote),
            _ => {}
        },
        Seen::Answered { operation, outcome } => notes.told(operation, outcome),
        Seen::Crashed { node, durable } => notes.crashed(node, durable),
    }
}

struct Notes<'a, 'g> {
    system: &'a TwoPhaseSystem,
    ghost: &'a mut Draft<'g, Ghost>,
    broken: &'a mut Vec<Broken>,
}

impl Notes<'_, '_> {
    fn breaks(&mut self, property: &'static str, why: String) {
        self.broken.push(Broken::new(property, why));
    }

    fn names(&mut self, txn: TxnId, operation: Option<usize>) {
        if let Some(operation) = operation
            && !self.ghost.of.contains_key(&txn)
        {
            self.ghost.of.insert(txn, operation);
        }
    }

    /// The first vote counts.
    #[expect(
        clippy::map_entry,
        reason = "an entry would copy the ghost in any case"
    )]
    fn votes(&mut self, txn: TxnId, node: NodeId, vote: Vote) {
        let key = (txn, node);
        if vote == Vote::No && !self.ghost.denied.contains(&txn) {
            self.ghost.denied.insert(txn);
        }
        if !self.ghost.voted.contains_key(&key) {
            self.ghost.voted.insert(key, vote);
        }
    }

    /// What a disk holds now tells what was prepared and what was decided.
    #[expect(
        clippy::map_entry,
        reason = "an entry would copy the ghost in any case"
    )]
    fn written(&mut self, node: NodeId, durable: &Durable) {
        for (txn, prepared) in &durable.prepared {
            let key = (*txn, node);
            self.names(*txn, appended(&prepared.writes));
            if node == txn.coordinator {
                // It says so to nobody but itself.
                self.votes(*txn, node, Vote::Yes);
            }
            if self.ghost.decided.contains_key(&key) {
                let why = format!("{node} has decided {txn}, and prepares it again");
                self.breaks("AC2", why);
            } else if !self.ghost.prepared.contains_key(&key) {
                self.ghost.prepared.insert(key, prepared.writes.clone());
            }
        }
        for txn in durable.commits.keys() {
            self.decides(*txn, node, true);
        }
        let mine = self.ghost.prepared.iter();
        let gone: Vec<(TxnId, bool)> = mine
            .filter(|((txn, at), _)| *at == node && !durable.prepared.contains_key(txn))
            .map(|((txn, _), writes)| (*txn, is_written(durable, writes)))
            .collect();
        for (txn, commit) in gone {
            self.ghost.prepared.remove(&(txn, node));
            self.decides(txn, node, commit);
        }
    }

    /// Who has voted yes and knows nothing of it has aborted it.
    fn crashed(&mut self, node: NodeId, durable: &Durable) {
        let votes = self.ghost.voted.iter();
        let lost: Vec<TxnId> = votes
            .filter(|((_, at), vote)| *at == node && **vote == Vote::Yes)
            .map(|((txn, _), _)| *txn)
            .filter(|txn| !durable.prepared.contains_key(txn))
            .filter(|txn| !self.ghost.decided.contains_key(&(*txn, node)))
            .collect();
        for txn in lost {
            self.decides(txn, node, false);
        }
    }

    /// AC1: all that decide decide the same. AC2: nothing else than a client
    /// was told. AC3: commit only if all voted yes.
    fn decides(&mut self, txn: TxnId, node: NodeId, commit: bool) {
        let known = self.ghost.decided.get(&(txn, node));
        if known == Some(&commit) {
            return;
        }
        if known.is_some() {
            let why = format!("{node} has decided {txn} otherwise before");
            self.breaks("AC2", why);
        }
        let other = self.otherwise(txn, commit).find(|other| *other != node);
        if let Some(other) = other {
            let said = |commit| if commit { "committed" } else { "aborted" };
            let why = format!(
                "{node} has {} {txn}, which {other} has {}",
                said(commit),
                said(!commit)
            );
            self.breaks("AC1", why);
        }
        self.ghost.decided.insert((txn, node), commit);
        let Some(operation) = self.ghost.of.get(&txn).copied() else {
            return;
        };
        if self.ghost.told.get(&operation) == Some(&!commit) {
            let why = format!("{node} decides {txn} otherwise than its client was told");
            self.breaks("AC2", why);
        }
        if commit {
            self.judge_votes(txn, operation);
        }
    }

    /// Who has decided otherwise.
    fn otherwise(&self, txn: TxnId, commit: bool) -> impl Iterator<Item = NodeId> {
        let decided = self.ghost.decided.iter();
        decided
            .filter(move |((of, _), decided)| *of == txn && **decided != commit)
            .map(|((_, node), _)| *node)
    }

    fn judge_votes(&mut self, txn: TxnId, operation: usize) {
        let [all, _] = self.system.participants(operation);
        let missing = all.into_iter().find(|node| !self.has_agreed(txn, *node));
        if let Some(node) = missing {
            let why = format!("{txn} has committed, and {node} has not voted yes");
            self.breaks("AC3", why);
        }
    }

    /// Whether a participant has voted yes; a coordinator that only reads says
    /// so to nobody but itself.
    fn has_agreed(&self, txn: TxnId, node: NodeId) -> bool {
        let key = (txn, node);
        let vote = self.ghost.voted.get(&key);
        let only_reads = || {
            self.ghost.of.get(&txn).is_some_and(|operation| {
                let [_, writers] = self.system.participants(*operation);
                !writers.contains(&node)
            })
        };
        matches!(vote, Some(Vote::Yes | Vote::ReadOnly)) || node == txn.coordinator && only_reads()
    }

    /// AC2: a client is told what was decided. AC3 as above. AC4: a transaction
    /// to which all have agreed, and nobody has said no as well, is not aborted,
    /// unless patience has ended. Who crashed does not answer any more.
    fn told(&mut self, operation: usize, outcome: &Outcome<Committed>) {
        let commit = match outcome {
            Outcome::Ok(_) => true,
            Outcome::Never(_) => false,
            Outcome::Unknown(_) | Outcome::Redirect(_) => return,
        };
        let txns = self.ghost.of.iter();
        let mine: Vec<TxnId> = txns
            .filter(|(_, of)| **of == operation)
            .map(|(txn, _)| *txn)
            .collect();
        if mine.is_empty() {
            return;
        }
        if self.ghost.told.get(&operation) == Some(&!commit) {
            let why = "a client is told otherwise than before".to_owned();
            return self.breaks("AC2", why);
        }
        self.ghost.told.insert(operation, commit);
        let late = Reason::Late.told();
        let is_late = matches!(outcome, Outcome::Never(why) if *why == late);
        let [all, _] = self.system.participants(operation);
        for txn in mine {
            let other = self.otherwise(txn, commit).next();
            if let Some(node) = other {
                let why = format!("a client is told otherwise than {node} has decided {txn}");
                self.breaks("AC2", why);
            }
            if commit {
                self.judge_votes(txn, operation);
            } else if !is_late
                && !self.ghost.denied.contains(&txn)
                && all.iter().all(|node| self.has_agreed(txn, *node))
            {
                let why = format!("{txn} is aborted, and all have voted yes");
                self.breaks("AC4", why);
            }
        }
    }
}

/// Which planned transaction writes this, by what it appended last.
fn appended(writes: &Writes) -> Option<usize> {
    writes.values().find_map(|value| match value {
        Value::List(list) => usize::try_from(*list.last()?).ok()?.checked_sub(1),
        Value::Number(_) => None,
    })
}

/// Whether the disk shows what the transaction writes.
fn is_written(durable: &Durable, writes: &Writes) -> bool {
    let mut writes = writes.iter();
    writes.all(|(key, value)| durable.store.get(*key) == Some(value))
}
