//! What no single state of a Zab cluster tells: who led which epoch, what was
//! ever broadcast and delivered.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included};

use tribunal_protocol::NodeId;
use tribunal_protocol::machine::Outcome;
use tribunal_protocol::object::{Answer, Call, Store};
use tribunal_protocol::zab::{Epoch, History, Message, Reply, Snapshot, Txn, Zab, Zxid};

use super::{Aspect, ZabModel};
use crate::register::KEY;
use crate::system::{Broken, Draft, ModelSystem as _, Seen};

/// What is remembered of the past.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ghost {
    /// Who was established as the leader of an epoch.
    pub primaries: BTreeMap<Epoch, Primary>,
    /// What a leader proposed.
    pub broadcast: BTreeMap<Zxid, Call>,
    /// What somebody delivered.
    pub delivered: BTreeMap<Zxid, Call>,
    /// Up to where somebody delivered, and dropped before it was looked at,
    /// what nobody else had delivered.
    pub unseen: Zxid,
}

/// The leader of an epoch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Primary {
    /// Who.
    pub node: NodeId,
    /// Up to where its history was dropped when it was established.
    pub base: Zxid,
    /// What its history held then, of earlier epochs.
    pub initial: BTreeSet<Zxid>,
}

impl Primary {
    /// Whether its history had this when it was established.
    fn had(&self, zxid: Zxid) -> bool {
        zxid <= self.base || self.initial.contains(&zxid)
    }
}

/// Takes note of what happened, and judges it.
pub(super) fn observe<A: Aspect>(
    system: &ZabModel<A>,
    ghost: &mut Draft<'_, Ghost>,
    seen: Seen<'_, Zab>,
    broken: &mut Vec<Broken>,
) {
    let mut notes = Notes {
        system,
        ghost,
        broken,
    };
    match seen {
        Seen::Persisted { node, durable } => notes.proposals_of(node, &durable.history),
        Seen::Shown {
            node,
            before,
            after,
            ..
        } => {
            if after.is_established() {
                notes.established(node, after);
            }
            notes.proposals_of(node, after.history());
            notes.delivered(node, before.map(Zab::history), after);
            let has_changed = before.is_none_or(|before| {
                before.committed() != after.committed() || before.snapshot() != after.snapshot()
            });
            if has_changed {
                notes.object(node, after);
            }
        }
        Seen::Sent {
            message: Message::Propose(txn),
            ..
        } => notes.proposal(txn),
        Seen::Answered {
            outcome: Outcome::Ok(reply),
            ..
        } => notes.read(reply),
        Seen::Sent { .. } | Seen::Answered { .. } | Seen::Crashed { .. } => {}
    }
}

struct Notes<'a, 'g, A: Aspect> {
    system: &'a ZabModel<A>,
    ghost: &'a mut Draft<'g, Ghost>,
    broken: &'a mut Vec<Broken>,
}

impl<A: Aspect> Notes<'_, '_, A> {
    fn breaks(&mut self, property: &'static str, why: String) {
        self.broken.push(Broken::new(property, why));
    }

    /// Leadership: one leader an epoch. Leader Log Completeness: it has all
    /// that was delivered of earlier ones.
    fn established(&mut self, node: NodeId, after: &Zab) {
        let epoch = after.current();
        if let Some(primary) = self.ghost.primaries.get(&epoch) {
            if primary.node != node {
                let other = primary.node;
                let why = format!("{other} was established in epoch {epoch}, and {node} too");
                self.breaks("Leadership", why);
            }
            return;
        }
        let history = after.history();
        let earlier = history.txns().iter().map(|txn| txn.zxid);
        let primary = Primary {
            node,
            base: history.base(),
            initial: earlier.filter(|zxid| zxid.epoch < epoch).collect(),
        };
        let mut earlier = self.ghost.delivered.keys();
        let missing = earlier.find(|zxid| zxid.epoch < epoch && !primary.had(**zxid));
        if let Some(zxid) = missing.copied() {
            let why = format!("{node} is established in epoch {epoch} without {zxid}");
            self.breaks("Leader Log Completeness", why);
        }
        self.ghost.primaries.insert(epoch, primary);
    }

    /// What stands in a leader's history, of its own epoch, it has proposed:
    /// where nobody follows it tells nobody.
    fn proposals_of(&mut self, node: NodeId, history: &History) {
        for txn in history.txns() {
            let primary = self.ghost.primaries.get(&txn.zxid.epoch);
            if primary.is_some_and(|primary| primary.node == node) {
                self.proposal(txn);
            }
        }
    }

    /// Integrity: one transaction a zxid, and one that a client asked for.
    fn proposal(&mut self, txn: &Txn) {
        let Txn { zxid, call } = txn;
        match self.ghost.broadcast.get(zxid) {
            Some(known) if known == call => {}
            Some(known) => {
                let why = format!("{known:?} was broadcast as {zxid}, and {call:?} too");
                self.breaks("Integrity", why);
            }
            None => {
                if !self.system.wanted.contains(call) {
                    let why = format!("{call:?} is broadcast as {zxid}, and nobody asked for it");
                    self.breaks("Integrity", why);
                }
                self.ghost.broadcast.insert(*zxid, call.clone());
            }
        }
    }

    /// What a node has delivered is a beginning of what everybody delivers.
    fn delivered(&mut self, node: NodeId, before: Option<&History>, after: &Zab) {
        let (base, committed) = (after.history().base(), after.committed());
        let mine = after.history().between(base, committed);
        if base > self.last_delivered() {
            self.dropped(node, before, base);
        }
        let range = (Excluded(base), Included(committed.max(base)));
        let others = self.ghost.delivered.range(range).map(|(zxid, _)| *zxid);
        let skipped: Vec<Zxid> = others
            .filter(|zxid| !mine.iter().any(|txn| txn.zxid == *zxid))
            .collect();
        for zxid in skipped {
            let why = format!("{node} has delivered up to {committed} without {zxid}");
            self.breaks("Total Order", why);
        }
        for txn in mine {
            self.follows_its_leader(node, txn.zxid, base, mine);
            self.delivery(node, txn);
        }
    }

    /// Local Primary Order: a leader's transactions are delivered in order,
    /// and none is left out.
    fn follows_its_leader(&mut self, node: NodeId, zxid: Zxid, base: Zxid, mine: &[Txn]) {
        let has = |other: Zxid| other <= base || mine.iter().any(|txn| txn.zxid == other);
        let first = Zxid { counter: 0, ..zxid };
        let mut earlier = self.ghost.broadcast.range(first..zxid);
        if let Some((skipped, _)) = earlier.find(|(other, _)| !has(**other)) {
            let why = format!("{node} delivered {zxid} and not {skipped} of the same leader");
            self.breaks("Local Primary Order", why);
        }
    }

    /// What a node delivered and dropped in one step stood in its history before.
    fn dropped(&mut self, node: NodeId, before: Option<&History>, base: Zxid) {
        let gone = before.map_or(&[][..], |before| before.between(before.base(), base));
        if gone.last().is_none_or(|txn| txn.zxid != base) {
            self.ghost.unseen = base;
            return;
        }
        let began = before.map_or(Zxid::default(), History::base);
        for txn in gone {
            self.follows_its_leader(node, txn.zxid, began, gone);
            self.delivery(node, txn);
        }
    }

    fn last_delivered(&self) -> Zxid {
        let last = self.ghost.delivered.last_key_value();
        last.map_or(Zxid::default(), |(zxid, _)| *zxid)
            .max(self.ghost.unseen)
    }

    fn delivery(&mut self, node: NodeId, txn: &Txn) {
        let zxid = txn.zxid;
        match self.ghost.delivered.get(&zxid) {
            Some(known) if *known == txn.call => return,
            Some(known) => {
                let why = format!(
                    "{node} delivered {:?} as {zxid}, and others {known:?}",
                    txn.call
                );
                return self.breaks("Agreement", why);
            }
            None => {}
        }
        let last = self.last_delivered();
        if zxid < last && zxid > self.ghost.unseen {
            let why = format!("{node} delivered {zxid}, and others {last} without it");
            self.breaks("Agreement", why.clone());
            if zxid.epoch < last.epoch {
                self.breaks("Global Primary Order", why);
            }
        }
        if self.ghost.broadcast.get(&zxid) != Some(&txn.call) {
            let why = format!("{node} delivered {zxid}, which no leader broadcast");
            self.breaks("Integrity", why);
        }
        self.judge_primaries(node, zxid);
        self.ghost.delivered.insert(zxid, txn.call.clone());
    }

    /// Primary Integrity: who broadcasts in an epoch has delivered before all
    /// that anybody delivers of earlier ones. Leader Log Completeness: who is
    /// established has it, whether or not it broadcasts.
    fn judge_primaries(&mut self, node: NodeId, zxid: Zxid) {
        let later = self.ghost.primaries.range(zxid.epoch + 1..);
        let lacking = later.filter(|(_, primary)| !primary.had(zxid));
        let lacking: Vec<(Epoch, NodeId)> = lacking
            .map(|(epoch, primary)| (*epoch, primary.node))
            .collect();
        for (epoch, leader) in lacking {
            let why = format!(
                "{node} delivered {zxid}, which {leader} did not have when it was established in \
                 epoch {epoch}"
            );
            let own = Zxid { epoch, counter: 0 };
            let next = Zxid {
                epoch: epoch + 1,
                counter: 0,
            };
            let broadcasts = self.ghost.broadcast.range(own..next).next().is_some();
            if broadcasts {
                self.breaks("Primary Integrity", why.clone());
            }
            self.breaks("Leader Log Completeness", why);
        }
    }

    /// Prefix Consistency: a node's object is what the common beginning makes.
    /// Snapshot Integrity: so is its snapshot.
    fn object(&mut self, node: NodeId, after: &Zab) {
        if self.ghost.unseen > Zxid::default() {
            return;
        }
        let committed = after.committed();
        if self.made_of(committed).parts() != after.store().parts() {
            let why =
                format!("{node} has not made of {committed} what all that was delivered makes");
            self.breaks("Prefix Consistency", why);
        }
        let Snapshot { head, parts } = after.snapshot();
        let wrong = if *head == Zxid::default() {
            return;
        } else if after.history().base() > *head {
            "its history begins behind that"
        } else if *head > committed {
            "it has not delivered all of that"
        } else if self.made_of(*head).parts() != *parts {
            "what was delivered makes another one"
        } else {
            return;
        };
        let why = format!("{node} has a snapshot up to {head}, and {wrong}");
        self.breaks("Snapshot Integrity", why);
    }

    /// Local Reads: what was read is what all that was delivered up to the zxid
    /// makes. Whoever says what nobody shows to have delivered yet may be
    /// ahead of that.
    fn read(&mut self, reply: &Reply) {
        let Reply { zxid, answer } = reply;
        let Answer::Value(value) = answer else {
            return;
        };
        if self.ghost.unseen > Zxid::default() || *zxid > self.last_delivered() {
            return;
        }
        let there = self.made_of(*zxid).read(KEY);
        if there != *value {
            let why = format!(
                "{} was read as of {zxid}, where it was {}",
                shown(*value),
                shown(there)
            );
            self.breaks("Local Reads", why);
        }
    }

    /// The object that all deliveries up to a zxid make.
    fn made_of(&self, last: Zxid) -> Store {
        let config = self.system.config(NodeId(1));
        let mut store = Store::new(config.sessions_founding);
        for (zxid, call) in self.ghost.delivered.range(..=last) {
            store.call(call, zxid.number(), config.sessions_max);
        }
        store
    }
}

fn shown(value: Option<i64>) -> String {
    value.map_or("nothing".to_owned(), |value| value.to_string())
}
