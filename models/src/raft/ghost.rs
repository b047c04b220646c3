//! What no single state of a Raft cluster tells: who led which term, what was
//! ever committed, what clients were told.

use std::collections::{BTreeMap, BTreeSet};

use tribunal_protocol::NodeId;
use tribunal_protocol::machine::Outcome;
use tribunal_protocol::object::Store;
use tribunal_protocol::raft::{
    Command, Entry, Head, Log, Membership, Message, Position, Raft, Snapshot,
};

use super::{Aspect, RaftModel};
use crate::system::{Broken, Draft, ModelSystem as _, Seen};

/// What is remembered of the past.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ghost {
    /// Who led a term. Two leaders of one term need not lead it at once.
    pub leaders: BTreeMap<u64, NodeId>,
    /// The terms whose leader crashed, before any of its entries was committed
    /// in a later term.
    pub fallen: BTreeSet<u64>,
    /// The terms whose leader told another node to stand.
    pub made_way: BTreeSet<u64>,
    /// What was committed, by index.
    pub committed: BTreeMap<u64, Committed>,
    /// Up to which index entries were committed when a client was last told
    /// what became of its operation, or what it read.
    pub acknowledged: u64,
    /// Whom a node said to vote for in a term, by term and node; empty where
    /// votes are not judged ([`Aspect::JUDGES_VOTES`]).
    pub votes: BTreeMap<(u64, NodeId), NodeId>,
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

    /// What all that is committed up to an index makes, if every entry is known:
    /// one that is committed and dropped in a single step may not be.
    fn made_of<A: Aspect>(
        &self,
        last: u64,
        system: &RaftModel<A>,
        node: NodeId,
    ) -> Option<Snapshot> {
        let config = system.config(node);
        let mut store = Store::new(config.sessions_founding);
        let mut head = Head {
            membership: Membership::of_voters(&config.voters),
            ..Head::default()
        };
        for index in 1..=last {
            let entry = &self.committed.get(&index)?.entry;
            let term = entry.term;
            head.last = Position { term, index };
            match &entry.command {
                Command::Noop => {}
                Command::Configure(membership) => {
                    head.membership = membership.clone();
                    head.membership_index = index;
                }
                Command::Call(call) => {
                    store.call(call, index, config.sessions_max);
                }
            }
        }
        let parts = store.parts();
        Some(Snapshot { head, parts })
    }

    /// Whether something else than what stands at `position` was committed at
    /// its index.
    fn contradicts(&self, position: Position) -> bool {
        let committed = self.committed.get(&position.index);
        committed.is_some_and(|committed| committed.entry.term != position.term)
    }

    /// Whether an entry of that term was committed in a later one.
    fn has_outlived(&self, term: u64) -> bool {
        let mut committed = self.committed.values();
        committed.any(|each| each.entry.term == term && each.term > term)
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
pub(super) fn observe<A: Aspect>(
    system: &RaftModel<A>,
    ghost: &mut Draft<'_, Ghost>,
    seen: Seen<'_, Raft>,
    broken: &mut Vec<Broken>,
) {
    match seen {
        Seen::Shown {
            node,
            before,
            after,
            ..
        } => {
            broken.extend(note_leader(ghost, node, after).err());
            broken.extend(compare_log(node, before, after).err());
            broken.extend(note_committed(ghost, node, before, after).err());
            broken.extend(judge_snapshot(system, ghost, node, after).err());
        }
        // Also a cas that failed and a read show what was committed.
        Seen::Answered {
            outcome: Outcome::Ok(_),
            ..
        } => {
            let commit = ghost.commit();
            if ghost.acknowledged < commit {
                ghost.acknowledged = commit;
            }
        }
        Seen::Crashed { node, .. } => {
            let led = ghost
                .leaders
                .iter()
                .rev()
                .find(|(_, leader)| **leader == node);
            if let Some(term) = led.map(|(term, _)| *term)
                && !ghost.fallen.contains(&term)
                && !ghost.has_outlived(term)
            {
                ghost.fallen.insert(term);
            }
        }
        Seen::Sent {
            message: Message::TimeoutNow { term },
            ..
        } => {
            if !ghost.made_way.contains(term) {
                ghost.made_way.insert(*term);
            }
        }
        Seen::Sent { from, to, message } if A::JUDGES_VOTES => {
            broken.extend(note_vote(ghost, from, to, message).err());
        }
        Seen::Persisted { .. } | Seen::Sent { .. } | Seen::Answered { .. } => {}
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

/// One Vote a Term: a node votes for one candidate in a term, itself included
/// (§5.2).
fn note_vote(
    ghost: &mut Draft<'_, Ghost>,
    from: NodeId,
    to: NodeId,
    message: &Message,
) -> Result<(), Broken> {
    let (term, candidate) = match *message {
        Message::Vote { term, .. } => (term, from),
        Message::VoteReply {
            term,
            granted: true,
        } => (term, to),
        _ => return Ok(()),
    };
    match ghost.votes.get(&(term, from)) {
        Some(known) if *known == candidate => Ok(()),
        Some(known) => Err(Broken::new(
            "One Vote a Term",
            format!("{from} voted for {known} in term {term}, and for {candidate} too"),
        )),
        None => {
            ghost.votes.insert((term, from), candidate);
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
fn note_committed(
    ghost: &mut Draft<'_, Ghost>,
    node: NodeId,
    before: Option<&Raft>,
    after: &Raft,
) -> Result<(), Broken> {
    let base = after.log().base();
    // What was committed and dropped in one step stands in the log before.
    let dropped = before.map(Raft::log).filter(|log| log.holds(base));
    let first = dropped.map_or(base.index, |log| log.base().index) + 1;
    for index in first..=after.commit() {
        let entry = match dropped {
            Some(log) if index <= base.index => log.get(index),
            _ => after.log().get(index),
        };
        let Some(entry) = entry else {
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

/// Snapshot Integrity: a snapshot shows what was committed up to its end, and
/// the log begins there or before it (§7).
fn judge_snapshot<A: Aspect>(
    system: &RaftModel<A>,
    ghost: &Ghost,
    node: NodeId,
    after: &Raft,
) -> Result<(), Broken> {
    let (snapshot, base) = (after.snapshot(), after.log().base());
    let last = snapshot.head.last;
    let differs = || {
        let made = ghost.made_of(last.index, system, node);
        last.index > 0 && made.is_some_and(|made| made != *snapshot)
    };
    let wrong = if base.index > last.index {
        "its log begins behind that"
    } else if last.index > after.commit() {
        "it has not committed all of that"
    } else if ghost.contradicts(last) || ghost.contradicts(base) {
        "another entry was committed at its end, or where the log begins"
    } else if differs() {
        "what was committed makes another one"
    } else {
        return Ok(());
    };
    Err(Broken::new(
        "Snapshot Integrity",
        format!(
            "{node} has a snapshot up to index {}, and {wrong}",
            last.index
        ),
    ))
}

#[cfg(test)]
mod tests {
    use tribunal_protocol::raft::Durable;

    use super::super::RaftSystem;
    use super::*;
    use crate::bounds::Bounds;

    /// The terms whose leader has fallen, once n1, which led term 1, crashes.
    fn fallen_after(committed: BTreeMap<u64, Committed>) -> BTreeSet<u64> {
        let ghost = Ghost {
            leaders: BTreeMap::from([(1, NodeId(1))]),
            committed,
            ..Ghost::default()
        };
        let system = RaftSystem::new(&Bounds::of(3), None);
        let mut draft = Draft::new(&ghost);
        let crash = Seen::Crashed {
            node: NodeId(1),
            durable: &Durable::default(),
        };
        let mut broken = Vec::new();
        observe(&system, &mut draft, crash, &mut broken);
        assert!(broken.is_empty(), "{broken:?}");
        draft.fallen.clone()
    }

    #[test]
    fn a_leader_whose_entry_was_taken_over_before_falls_too_late() {
        let entry = Entry {
            term: 1,
            command: Command::Noop,
        };
        let committed_in = |term| {
            let entry = entry.clone();
            BTreeMap::from([(1, Committed { entry, term })])
        };
        assert_eq!(fallen_after(BTreeMap::new()), [1].into());
        assert_eq!(fallen_after(committed_in(1)), [1].into());
        assert_eq!(fallen_after(committed_in(2)), [].into());
    }
}
