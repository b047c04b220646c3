//! What no single state of a Raft cluster tells: who led which term, what was
//! ever committed, what clients were told.

use std::collections::{BTreeMap, BTreeSet};

use tribunal_protocol::NodeId;
use tribunal_protocol::machine::Outcome;
use tribunal_protocol::object::Answer;
use tribunal_protocol::raft::{Entry, Raft};

use crate::system::{Broken, Draft, Seen};

/// What is remembered of the past.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ghost {
    /// Who led a term. Two leaders of one term need not lead it at once.
    pub leaders: BTreeMap<u64, NodeId>,
    /// The terms whose leader crashed since.
    pub fallen: BTreeSet<u64>,
    /// What was committed, by index from 1.
    pub committed: Vec<Committed>,
    /// Up to which index entries were committed when a client was last told
    /// that its command took effect.
    pub acknowledged: usize,
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
        } => {
            note_leader(ghost, node, after)?;
            compare_log(node, before, after)?;
            note_committed(ghost, node, after)
        }
        Seen::Answered {
            outcome: Outcome::Ok(Answer::Done),
            ..
        } => {
            if ghost.acknowledged < ghost.committed.len() {
                ghost.acknowledged = ghost.committed.len();
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
    if !leads_on || after.log().entries().starts_with(before.log().entries()) {
        return Ok(());
    }
    Err(Broken::new(
        "Leader Append-Only",
        format!("{node}, leader of term {}, changed its log", after.term()),
    ))
}

/// State Machine Safety: no two nodes apply different entries at one index
/// (§5.4.3).
fn note_committed(ghost: &mut Draft<'_, Ghost>, node: NodeId, after: &Raft) -> Result<(), Broken> {
    for index in 1..=after.commit() {
        let place = index as usize - 1;
        let Some(entry) = after.log().get(index) else {
            return Err(Broken::new(
                "State Machine Safety",
                format!("{node} applied index {index} and no longer has it"),
            ));
        };
        match ghost.committed.get(place) {
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
                ghost.committed.push(committed);
            }
        }
    }
    Ok(())
}
