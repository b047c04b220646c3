//! How stale reads are: the smallest k for which a history is k-atomic.
//!
//! It is so if there is an order of the operations in real time in which each
//! read returns one of the k newest values (Golab, Hurwitz and Li, "On the
//! k-Atomicity-Verification Problem", ICDCS 2013). One-atomic is linearizable,
//! and `linearizability` decides that, by zones where values are distinct. The
//! other k are decided key by key, which the paper shows to be enough:
//!
//! - a read is at least as stale as there are writes that lie entirely between
//!   it and the write that it saw;
//! - an order that is found, with whatever reads, is a bound from above;
//! - between the two, orders are tried write by write for each k. A read is
//!   placed as soon as it can be, a state is what is not placed and which of
//!   the k newest values still have reads, and none is visited twice. That is
//!   exponential only in how many writes overlap, and needs no distinct values.
//!
//! A search that runs into a limit leaves an interval. A cas must find the
//! newest value whatever k is, and one that failed one of the k newest that is
//! not its old one.

use std::fmt;

use serde::Serialize;

use super::acts::{Acts, Does, Slot};
use super::budget::Budget;
use super::sources::Sources;
use super::{Found, Property, witness};

mod search;

use search::{Progress, Search};

/// What is known of the smallest k.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Staleness {
    /// It is not smaller; none if no k is large enough.
    pub at_least: Option<usize>,
    /// It is not larger; none if that is not known.
    pub at_most: Option<usize>,
}

impl Staleness {
    /// Nothing but that reads return some value.
    pub(super) const UNKNOWN: Staleness = Staleness {
        at_least: Some(1),
        at_most: None,
    };
}

impl fmt::Display for Staleness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.at_least, self.at_most) {
            (None, _) => write!(f, "no k is large enough"),
            (Some(least), Some(most)) if least == most => write!(f, "the smallest k is {least}"),
            (Some(least), Some(most)) => write!(f, "the smallest k is between {least} and {most}"),
            (Some(1), None) => write!(f, "nothing is known of the smallest k"),
            (Some(least), None) => write!(f, "the smallest k is {least} or more"),
        }
    }
}

/// What is known of all keys, and what shows it.
pub(super) struct Judged {
    pub(super) staleness: Staleness,
    /// What shows that it is not smaller.
    proof: Option<Proof>,
}

/// What shows that k is not smaller, on one key; by places in the history.
enum Proof {
    /// A read that saw what had not been written.
    Impossible(u32),
    /// A read, what it saw, and the writes that lie between.
    Between(u32, Option<u32>, Vec<u32>),
    /// All orders were tried.
    Tried {
        /// Of how many operations.
        of: usize,
        /// In which reads return one of so many values; of any age, if none.
        k: Option<usize>,
        /// How many operations one has that comes furthest.
        placed: usize,
        /// What cannot follow there.
        next: Vec<u32>,
    },
}

impl Judged {
    /// Whether reads are no staler than is allowed.
    pub(super) fn concluded(&self, acts: &Acts<'_>, allowed: usize) -> Found {
        let Staleness { at_least, at_most } = self.staleness;
        if at_most.is_some_and(|most| most <= allowed) {
            return Found::Valid;
        }
        if at_least.is_some_and(|least| least <= allowed) {
            return Found::GaveUp;
        }
        // Nothing shows that k is at least one, and that is always allowed.
        let Some(proof) = &self.proof else {
            return Found::GaveUp;
        };
        let property = Property::KAtomicity;
        let mut witness = match proof {
            Proof::Impossible(read) => witness::thin_air_or_early(acts, property, *read),
            Proof::Between(read, source, between) => witness::stale(acts, *read, *source, between),
            Proof::Tried {
                of,
                k,
                placed,
                next,
            } => {
                let newest = match k {
                    Some(1) => " in which reads return the newest value".to_owned(),
                    Some(k) => format!(" in which reads return one of the {k} newest values"),
                    None => String::new(),
                };
                let of = format!("the {of} operations of the key{newest}");
                witness::stuck(acts, property, &of, *placed, next)
            }
        };
        witness.staleness = Some(self.staleness);
        Found::Invalid(witness)
    }
}

/// How stale reads are; `linearizable` says that it is known that they are not
/// at all.
pub(super) fn judge(acts: &Acts<'_>, linearizable: bool, budget: &Budget<'_>) -> Judged {
    let mut all = Judged {
        staleness: Staleness {
            at_least: Some(1),
            at_most: Some(1),
        },
        proof: None,
    };
    if linearizable {
        return all;
    }
    for (part, key) in acts.by_key().iter().zip(acts.acts_of_keys()) {
        if !budget.allows(0) {
            all.staleness.at_most = None;
            break;
        }
        let (staleness, proof) = Key::of(part).judge(budget);
        let most = all.staleness.at_most.zip(staleness.at_most);
        all.staleness.at_most = most.map(|(one, other)| one.max(other));
        let is_staler = match (staleness.at_least, all.staleness.at_least) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(one), Some(other)) => one > other,
        };
        if is_staler {
            all.staleness.at_least = staleness.at_least;
            all.proof = proof.map(|proof| proof.renamed(&key));
        }
    }
    if all.staleness.at_least.is_none() {
        all.staleness.at_most = None;
    }
    all
}

impl Proof {
    /// With the acts of all keys instead of those of one.
    fn renamed(self, acts: &[u32]) -> Self {
        let act = |act: u32| acts[act as usize];
        let all = |list: Vec<u32>| list.into_iter().map(act).collect();
        match self {
            Proof::Impossible(read) => Proof::Impossible(act(read)),
            Proof::Between(read, source, between) => {
                Proof::Between(act(read), source.map(act), all(between))
            }
            Proof::Tried {
                of,
                k,
                placed,
                next,
            } => Proof::Tried {
                of,
                k,
                placed,
                next: all(next),
            },
        }
    }
}

/// The end of what may never end.
pub(super) const NEVER: u64 = u64::MAX;

/// An operation on the key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Op {
    pub(super) act: u32,
    pub(super) does: Does,
    pub(super) invoked: u64,
    /// Before this; of a write also before what saw it ended.
    pub(super) completed: u64,
    /// Whether it must be placed.
    pub(super) needed: bool,
}

/// What happened on one key.
struct Key {
    ops: Vec<Op>,
    initial: Slot,
    slots: usize,
    /// Reads that tell what they saw, with that.
    sources: Vec<(usize, Option<usize>)>,
    /// An act that saw what nobody can have written.
    impossible: Option<u32>,
}

impl Key {
    fn of(acts: &Acts<'_>) -> Self {
        let known = Sources::of(acts);
        let mut ops: Vec<Op> = (0..)
            .zip(&acts.list)
            .map(|(number, act)| Op {
                act: number,
                does: act.does,
                invoked: act.invoked,
                completed: act.completed.unwrap_or(NEVER),
                needed: act.is_sure(),
            })
            .collect();
        let act = |node: u32| known.node(node).act as usize;
        let reads = known.reads();
        let mut sources: Vec<(usize, Option<usize>)> = reads
            .map(|(read, source)| (act(read), source.map(act)))
            .collect();
        // What is seen last is shortened first, so that a row of cas of
        // unknown outcome is shortened from its end.
        loop {
            let mut is_new = false;
            for &(read, source) in sources.iter().rev() {
                let Some(source) = source else { continue };
                let end = ops[read].completed;
                let write = &mut ops[source];
                is_new |= !write.needed || end < write.completed;
                write.needed = true;
                write.completed = write.completed.min(end);
            }
            if !is_new {
                break;
            }
        }
        let early = sources.iter().find(|(read, source)| {
            source.is_some_and(|source| ops[*read].completed < ops[source].invoked)
        });
        let early = early.map(|(read, _)| *read as u32);
        // What nobody can have seen need not have happened.
        let mut seen = vec![false; acts.key_of.len()];
        let mut any = false;
        for op in &ops {
            match op.does {
                Does::Read(slot) | Does::Cas { from: slot, .. } => seen[slot as usize] = true,
                Does::ReadOther(_) => any = true,
                Does::Write(_) => {}
            }
        }
        let may_matter = |op: &Op| match op.does {
            Does::Write(slot) | Does::Cas { to: slot, .. } => any || seen[slot as usize],
            Does::Read(_) | Does::ReadOther(_) => true,
        };
        let mut places = vec![0; ops.len()];
        let mut kept = Vec::with_capacity(ops.len());
        for (place, op) in ops.iter().enumerate() {
            places[place] = kept.len();
            if op.needed || may_matter(op) {
                kept.push(*op);
            }
        }
        for (read, source) in &mut sources {
            *read = places[*read];
            *source = source.map(|source| places[source]);
        }
        Key {
            ops: kept,
            initial: acts.initial[0],
            slots: acts.key_of.len(),
            sources,
            impossible: known.unexplained.or(early),
        }
    }

    fn judge(&self, budget: &Budget<'_>) -> (Staleness, Option<Proof>) {
        let none = Staleness {
            at_least: None,
            at_most: None,
        };
        if let Some(act) = self.impossible {
            return (none, Some(Proof::Impossible(act)));
        }
        let (mut least, mut proof) = self.least(budget);
        let mut most = None;
        let mut moves = MOVES_IN_FIRST_ROUND;
        loop {
            if most.is_none() {
                let mut search = Search::new(&self.ops, self.initial, self.slots, usize::MAX);
                match search.run(moves, budget) {
                    Progress::Found(stale) => most = Some(stale.max(least)),
                    Progress::Refuted => return (none, Some(self.tried(&search, None))),
                    Progress::Paused => {}
                }
            }
            let mut k = least;
            while most.is_none_or(|most| k < most) && k <= self.ops.len() && budget.allows(0) {
                let mut search = Search::new(&self.ops, self.initial, self.slots, k);
                match search.run(moves, budget) {
                    Progress::Found(_) => most = Some(k),
                    Progress::Refuted if k == least => {
                        least += 1;
                        proof = Some(self.tried(&search, Some(k)));
                    }
                    Progress::Refuted | Progress::Paused => {}
                }
                k += 1;
            }
            if most == Some(least) || !budget.allows(0) || moves == u64::MAX {
                let staleness = Staleness {
                    at_least: Some(least),
                    at_most: most,
                };
                return (staleness, proof);
            }
            moves = moves.saturating_mul(8);
        }
    }

    fn tried(&self, search: &Search<'_>, k: Option<usize>) -> Proof {
        let stuck = search.stuck.iter().map(|&op| self.ops[op as usize].act);
        Proof::Tried {
            of: self.ops.iter().filter(|op| op.needed).count(),
            k,
            placed: search.furthest,
            next: stuck.collect(),
        }
    }

    /// One more than the most writes that lie entirely between a read and what
    /// it saw.
    fn least(&self, budget: &Budget<'_>) -> (usize, Option<Proof>) {
        let is_write =
            |op: &&Op| op.needed && !matches!(op.does, Does::Read(_) | Does::ReadOther(_));
        let mut ended: Vec<&Op> = self.ops.iter().filter(is_write).collect();
        ended.sort_unstable_by_key(|op| op.completed);
        let mut least = 1;
        let mut proof = None;
        for &(read, source) in &self.sources {
            if !budget.allows(0) {
                break;
            }
            let read = &self.ops[read];
            let source = source.map(|source| &self.ops[source]);
            let after = source.map_or(0, |source| source.completed + 1);
            let before = ended.partition_point(|op| op.completed < read.invoked);
            let lately = ended[..before]
                .iter()
                .rev()
                .take_while(|op| op.completed >= after);
            let between = lately.filter(|op| op.invoked >= after);
            let count = between.clone().count();
            if count >= least {
                least = count + 1;
                let between = between.map(|op| op.act).collect();
                proof = Some(Proof::Between(read.act, source.map(|op| op.act), between));
            }
        }
        (least, proof)
    }
}

/// So many moves each search has at first; eight times as many every round.
const MOVES_IN_FIRST_ROUND: u64 = 1 << 14;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tribunal_histories::{Event, Header, History, Kind, Nil, Process, Value};

    use super::*;
    use crate::linearizability::Limits;

    /// Many clients at once that write few values and read them.
    fn hard() -> History {
        let mut events = Vec::new();
        for round in 0..50_u64 {
            for kind in [Kind::Invoke, Kind::Ok] {
                for client in 0..20_u64 {
                    let index = events.len() as u64;
                    let is_read = (client + round) % 3 == 0;
                    let value = match is_read && kind == Kind::Invoke {
                        true => Value::Null,
                        false => Value::Int(((client * 7 + round * 3) % 4) as i64),
                    };
                    events.push(Event {
                        index,
                        time: index,
                        process: Process::Client(client),
                        kind,
                        f: if is_read { "read" } else { "write" }.to_owned(),
                        key: None,
                        value,
                        error: None,
                        node: None,
                        fault: None,
                    });
                }
            }
        }
        History::new(Header::new("register"), events)
    }

    fn judged(limits: &Limits) -> (Staleness, u64) {
        let history = hard();
        let operations = history.operations().expect("a history");
        let acts = Acts::of(&history, &operations, Nil::Initial).expect("of registers");
        let budget = Budget::new(limits);
        let judged = Key::of(&acts).judge(&budget).0;
        (judged, budget.moves())
    }

    #[test]
    fn who_has_no_time_left_tries_nothing() {
        let limits = Limits {
            time: Some(Duration::ZERO),
            ..Limits::default()
        };
        assert_eq!(judged(&limits), (Staleness::UNKNOWN, 0));
    }

    #[test]
    fn many_searches_look_at_the_limits_as_often_as_one() {
        let limits = Limits {
            memory: Some(1),
            ..Limits::default()
        };
        // One for each k: none may try as much as a move.
        assert_eq!(judged(&limits).1, 0);
    }

    #[test]
    fn what_says_nothing_is_no_bound() {
        let bounds = |at_least, at_most| Staleness {
            at_least: Some(at_least),
            at_most,
        };
        assert_eq!(bounds(1, None), Staleness::UNKNOWN);
        let said = [(2, None), (1, Some(3)), (2, Some(2))].map(|(least, most)| bounds(least, most));
        assert_eq!(
            said.map(|it| it.to_string()),
            [
                "the smallest k is 2 or more",
                "the smallest k is between 1 and 3",
                "the smallest k is 2"
            ]
        );
    }
}
