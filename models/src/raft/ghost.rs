//! What no single state of a Raft cluster tells: who led which term, what was
//! ever committed, what clients were told.

use std::collections::{BTreeMap, BTreeSet};

use tribunal_protocol::NodeId;
use tribunal_protocol::machine::Outcome;
use tribunal_protocol::object::Answer;
use tribunal_protocol::raft::{Command, Entry, Log, Membership, Message, Raft};

use crate::system::{Broken, Draft, Seen};

/// What is remembered of the past.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ghost {
    /// Who led a term. Two leaders of one term need not lead it at once.
    pub leaders: BTreeMap<u64, NodeId>,
    /// The terms whose leader crashed since.
    pub fallen: BTreeSet<u64>,
    /// The terms whose leader told another node to stand.
    pub made_way: BTreeSet<u64>,
    /// What was committed, by index.
    pub committed: BTreeMap<u64, Committed>,
    /// Up to which index entries were committed when a client was last told
    /// that its command took effect.
    pub acknowledged: u64,
}

impl Ghost {
    /// Up to which index entries are committed.
    fn commit(&self) -> u64 {
        let last = self.committed.last_key_value();
        last.map_or(0, |(index, _)| *index)
    }

    /// The latest membership that was committed, if one but the founding was.
    pub fn membership(&self) -> Option<&Membership> {
        let mut latest = self.committed.values().rev();
        latest.find_map(|each| match &each.entry.command {
            Command::Configure(membership) => Some(membership),
            _ => None,
        })
    }
}

/// An entry that some node took for committed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Committed {
    /// The entry.
    pub entry: Entry,
    /// The term in which it was committed; leaders of later ones must have it.
    /// The entry's own term would not do: an entry of term 1 that is committed
    /// in term 3 need not be in the log of term 2's leader.
    pub term: u64,
}

/// Takes note of what happened, and judges it.
pub fn observe(ghost: &mut Draft<'_, Ghost>, seen: Seen<'_, Raft>) -> Result<(), Broken> {
    match seen {
        Seen::Shown {
            node,
            before,
            after,
            ..
        } => {
            note_leader(ghost, node, after)?;
            compare_log(node, before, after)?;
            note_committed(ghost, node, after)
        }
        Seen::Answered {
            outcome: Outcome::Ok(Answer::Done),
            ..
        } => {
            let commit = ghost.commit();
            if ghost.acknowledged < commit {
                ghost.acknowledged = commit;
            }
            Ok(())
        }
        Seen::Crashed { node, .. } => {
            let led = ghost
                .leaders
                .iter()
                .rev()
                .find(|(_, leader)| **leader == node);
            if let Some(term) = led.map(|(term, _)| *term)
                && !ghost.fallen.contains(&term)
            {
                ghost.fallen.insert(term);
            }
            Ok(())
        }
        Seen::Sent {
            message: Message::TimeoutNow { term },
            ..
        } => {
            if !ghost.made_way.contains(term) {
                ghost.made_way.insert(*term);
            }
            Ok(())
        }
        Seen::Sent { .. } | Seen::Answered { .. } => Ok(()),
    }
}

/// Election Safety: at most one leader is elected in a term (§5.2).
fn note_leader(ghost: &mut Draft<'_, Ghost>, node: NodeId, after: &Raft) -> Result<(), Broken> {
    if !after.leads() {
        return Ok(());
    }
    let term = after.term();
    match ghost.leaders.get(&term) {
        Some(leader) if *leader == node => Ok(()),
        Some(leader) => Err(Broken::new(
            "Election Safety",
            format!("{leader} was elected in term {term}, and {node} too"),
        )),
        None => {
            ghost.leaders.insert(term, node);
            Ok(())
        }
    }
}

/// Leader Append-Only: a leader never overwrites or deletes entries (§5.3).
fn compare_log(node: NodeId, before: Option<&Raft>, after: &Raft) -> Result<(), Broken> {
    let Some(before) = before else {
        return Ok(());
    };
    let leads_on = before.leads() && after.leads() && before.term() == after.term();
    if !leads_on || keeps(before.log(), after.log()) {
        return Ok(());
    }
    Err(Broken::new(
        "Leader Append-Only",
        format!("{node}, leader of term {}, changed its log", after.term()),
    ))
}

/// Whether a log still has what another had, but for what a snapshot holds.
fn keeps(before: &Log, after: &Log) -> bool {
    let dropped = after.base().index;
    let mut held = before.indexed().filter(|(index, _)| *index > dropped);
    held.all(|(index, entry)| after.get(index) == Some(entry))
}

/// State Machine Safety: no two nodes apply different entries at one index
/// (§5.4.3).
fn note_committed(ghost: &mut Draft<'_, Ghost>, node: NodeId, after: &Raft) -> Result<(), Broken> {
    for index in after.log().base().index + 1..=after.commit() {
        let Some(entry) = after.log().get(index) else {
            return Err(Broken::new(
                "State Machine Safety",
                format!("{node} applied index {index} and no longer has it"),
            ));
        };
        match ghost.committed.get(&index) {
            Some(committed) if committed.entry == *entry => {}
            Some(committed) => {
                let (was, is) = (committed.entry.term, entry.term);
                return Err(Broken::new(
                    "State Machine Safety",
                    format!(
                        "{node} applied an entry of term {is} at index {index}, where one of term {was} was applied before"
                    ),
                ));
            }
            None => {
                let committed = Committed {
                    entry: entry.clone(),
                    term: after.term(),
                };
                ghost.committed.insert(index, committed);
            }
        }
    }
    Ok(())
}
