//! Registers whose every value is written once: decided by sorting.
//!
//! A read then names the write that it saw. A write and the reads of it form a
//! cluster, and each cluster has a zone: the time between the first of its
//! completions and the last of its invocations (Gibbons and Korach, "Testing
//! Shared Memories", 1997, §4). Where a completion comes before an invocation
//! the zone is forward: the register must hold the value all the while.
//! Otherwise it is backward: some moment in between is enough. There is an
//! order exactly if
//!
//! - no read ends before the write that it names begins,
//! - no two forward zones overlap, and
//! - no backward zone lies within a forward one.
//!
//! Beyond the paper there are writes of unknown outcome. One that was read
//! took effect, and completes at no time; one that was not read never needs to
//! have, and is left out.
//!
//! This judges alone only what is refuted: of what is valid it gives an order,
//! which is replayed.

use super::object::{Call, NEVER, Object, State};
use crate::specification::Effect;

/// What the zones show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Zones {
    /// There is no order, and this is the last call to complete of those that
    /// show it.
    Refuted(u32),
    /// There is this one.
    Order(Vec<u32>),
}

/// A place in time; the beginning of all time stands before the first.
type Place = i64;

const BEGINNING: Place = -1;
const NO_END: Place = i64::MAX;

/// No call.
const NONE: u32 = u32::MAX;

/// A write and the reads that saw it.
struct Cluster {
    /// The write; none of what the register holds at first.
    write: u32,
    /// When the write began.
    begun: Place,
    /// The first completion.
    finish: Place,
    /// The last invocation.
    start: Place,
    /// The reads, first to last, linked by `Clusters::next`.
    first: u32,
    last: u32,
    /// Whether it must have a place: the write completed, or was read.
    needed: bool,
}

struct Clusters {
    list: Vec<Cluster>,
    /// By state, the cluster of what was written.
    places: Vec<u32>,
    /// By call, the next read of the same cluster.
    next: Vec<u32>,
}

/// Decides by zones, if all that there is are reads, and writes of distinct
/// values other than the first.
pub(crate) fn decide(object: &Object, calls: &[Call]) -> Option<Zones> {
    let mut clusters = Clusters::of_writes(object, calls)?;
    if let Err(read) = clusters.add_reads(object, calls) {
        return Some(Zones::Refuted(read));
    }
    let mut forward: Vec<(Place, Place, u32)> = Vec::new();
    let mut backward: Vec<(Place, Place, u32)> = Vec::new();
    for (number, cluster) in (0..).zip(&clusters.list) {
        let Cluster { finish, start, .. } = *cluster;
        match cluster.needed {
            false => {}
            true if finish < start => forward.push((finish, start, number)),
            true => backward.push((start, finish, number)),
        }
    }
    forward.sort_unstable();
    if let Some(pair) = forward.windows(2).find(|pair| pair[1].0 < pair[0].1) {
        return Some(clusters.refuted_by(calls, [pair[0].2, pair[1].2]));
    }
    // When each cluster has its moment; at one moment what begins there comes
    // after what ends there.
    let mut moments: Vec<(Place, bool, u32)> = Vec::with_capacity(clusters.list.len());
    for (from, until, number) in backward {
        let before = forward.partition_point(|zone| zone.0 < from);
        let around = before.checked_sub(1).map(|last| forward[last]);
        match around.filter(|zone| from < zone.1) {
            None => moments.push((from, false, number)),
            Some((_, end, _)) if end <= until => moments.push((end, false, number)),
            Some((.., around)) => return Some(clusters.refuted_by(calls, [around, number])),
        }
    }
    moments.extend(
        forward
            .iter()
            .map(|&(from, _, number)| (from, true, number)),
    );
    moments.sort_unstable();
    Some(Zones::Order(clusters.order(&moments)))
}

impl Clusters {
    /// The clusters with their writes alone; none if a value is written twice,
    /// or something else is done.
    fn of_writes(object: &Object, calls: &[Call]) -> Option<Self> {
        let mut clusters = Clusters {
            list: Vec::new(),
            places: Vec::new(),
            next: vec![NONE; calls.len()],
        };
        clusters.add(object.initial, NONE, BEGINNING, BEGINNING, false);
        for (number, call) in (0..).zip(calls) {
            match object.effect(call.class) {
                Effect::Observe(Some(_)) => {}
                Effect::Observe(None) if call.is_unknown() => {}
                Effect::Replace(value) => {
                    let begun = Place::from(call.invoked);
                    let (finish, needed) = match call.completed {
                        NEVER => (NO_END, false),
                        completed => (Place::from(completed), true),
                    };
                    if !clusters.add(value, number, begun, finish, needed) {
                        return None;
                    }
                }
                Effect::Observe(None) | Effect::Change { .. } | Effect::Total | Effect::Other => {
                    return None;
                }
            }
        }
        Some(clusters)
    }

    /// Whether the value is new.
    fn add(&mut self, value: State, write: u32, begun: Place, finish: Place, needed: bool) -> bool {
        let number = self.list.len() as u32;
        self.list.push(Cluster {
            write,
            begun,
            finish,
            start: begun,
            first: NONE,
            last: NONE,
            needed,
        });
        let value = value as usize;
        if self.places.len() <= value {
            self.places.resize(value + 1, NONE);
        }
        std::mem::replace(&mut self.places[value], number) == NONE
    }

    /// Adds the reads to what they saw.
    ///
    /// # Errors
    ///
    /// A read that ended before what it saw had begun to be written.
    fn add_reads(&mut self, object: &Object, calls: &[Call]) -> Result<(), u32> {
        for (number, call) in (0..).zip(calls) {
            let Effect::Observe(Some(value)) = object.effect(call.class) else {
                continue;
            };
            let place = self.places.get(value as usize).copied().unwrap_or(NONE);
            let completed = Place::from(call.completed);
            let Some(cluster) = self.list.get_mut(place as usize) else {
                return Err(number);
            };
            if completed < cluster.begun {
                return Err(number);
            }
            cluster.finish = cluster.finish.min(completed);
            cluster.start = cluster.start.max(call.invoked.into());
            cluster.needed = true;
            match cluster.last {
                NONE => cluster.first = number,
                last => self.next[last as usize] = number,
            }
            cluster.last = number;
        }
        Ok(())
    }

    /// The refutation by two clusters whose zones exclude each other: it shows
    /// once what bounds these has completed.
    fn refuted_by(&self, calls: &[Call], clusters: [u32; 2]) -> Zones {
        let mut last = 0;
        let mut shows = 0;
        for number in clusters {
            let cluster = &self.list[number as usize];
            let mut call = cluster.write;
            let mut next = cluster.first;
            loop {
                let bounds = |it: &&Call| {
                    let (begun, ended) = (Place::from(it.invoked), Place::from(it.completed));
                    !it.is_unknown() && (cluster.start == begun || cluster.finish == ended)
                };
                if let Some(it) = calls.get(call as usize).filter(bounds)
                    && it.completed >= last
                {
                    (last, shows) = (it.completed, call);
                }
                if next == NONE {
                    break;
                }
                call = next;
                next = self.next[next as usize];
            }
        }
        Zones::Refuted(shows)
    }

    /// The calls of one cluster after the other.
    fn order(&self, moments: &[(Place, bool, u32)]) -> Vec<u32> {
        let mut order = Vec::with_capacity(self.next.len());
        for &(_, _, number) in moments {
            let cluster = &self.list[number as usize];
            order.extend((cluster.write != NONE).then_some(cluster.write));
            let mut read = cluster.first;
            while read != NONE {
                order.push(read);
                read = self.next[read as usize];
            }
        }
        order
    }
}
