//! Registers whose every value is written once, by a write or a cas: decided by
//! sorting.
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
//! have, and is left out. And there are cas: one from `a` to `b` puts the cluster
//! of `b` right behind that of `a`, so that clusters form chains, and a chain has
//! a zone as a cluster has. Within it the order is given: no cluster may end
//! before one that stands further ahead begins.
//!
//! Calls that avoid a value, as a cas does that fails, are left out first: what
//! is refuted without them is refuted. Where there is an order they are put in
//! ([`super::avoiding`]).
//!
//! This judges alone only what is refuted: of what is valid it gives an order,
//! which is replayed.

use std::iter::successors;

use super::avoiding::Avoiding;
use super::guard::Guard;
use super::object::{Call, NEVER, Object, State};
use crate::bytes;
use crate::specification::Effect;

/// What the zones show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Zones {
    /// There is no order, and this is the last call to complete of those that
    /// show it.
    Refuted(Option<u32>),
    /// There is this one.
    Order(Vec<u32>),
}

/// A place in time; the beginning of all time stands before the first.
type Place = i64;

const BEGINNING: Place = -1;
const NO_END: Place = i64::MAX;

/// So many bytes a cluster takes among the zones and the moments.
const ZONE: usize = size_of::<(Place, Place, u32)>() + size_of::<(Place, bool, u32)>();

/// No call.
const NONE: u32 = u32::MAX;

/// A write, or a cas, and the reads that saw it.
#[derive(Clone, Copy)]
struct Cluster {
    /// The write; none of what the register holds at first.
    write: u32,
    /// The cluster that a cas changes; none of a write.
    parent: u32,
    /// The cluster of the cas that changes this one.
    child: u32,
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
    /// The clusters of cas, with the value that each must find.
    cas: Vec<(u32, State)>,
    /// Whether there are calls that avoid a value.
    avoids: bool,
}

/// A chain of clusters.
struct Chain {
    /// The first completion.
    finish: Place,
    /// The last invocation.
    start: Place,
    /// How many clusters.
    length: usize,
}

/// Decides by zones, if all that there is are reads, and writes and cas of
/// distinct values other than the first, in the order of invocation; and if `guard`
/// allows it.
pub(crate) fn decide(object: &Object, calls: &[Call], guard: &mut Guard<'_>) -> Option<Zones> {
    // The reads of a value are ordered as they are given.
    if !calls.is_sorted_by_key(|call| call.invoked) {
        return None;
    }
    let mut clusters = Clusters::of_writes(object, calls, guard)?;
    // Beside them there are zones, moments and an order in the end.
    let order = calls.len() * size_of::<u32>();
    if !guard.holds(clusters.bytes() + clusters.list.len() * ZONE + order) {
        return None;
    }
    let mut goes_on = || guard.allows(|| 0);
    if let Err(read) = clusters.add_reads(object, calls, &mut goes_on)? {
        return Some(Zones::Refuted(Some(read)));
    }
    if !clusters.link() {
        return Some(Zones::Refuted(None));
    }
    let mut forward: Vec<(Place, Place, u32)> = Vec::new();
    let mut backward: Vec<(Place, Place, u32)> = Vec::new();
    let mut chained = 0;
    for (number, cluster) in (0..).zip(&clusters.list) {
        if !cluster.needed || cluster.parent != NONE {
            continue;
        }
        if !goes_on() {
            return None;
        }
        let Some(chain) = clusters.chain(number) else {
            return Some(Zones::Refuted(None));
        };
        chained += chain.length;
        match chain.finish < chain.start {
            true => forward.push((chain.finish, chain.start, number)),
            false => backward.push((chain.start, chain.finish, number)),
        }
    }
    // What no chain leads to hangs together in a circle.
    if chained < clusters.list.iter().filter(|it| it.needed).count() {
        return Some(Zones::Refuted(None));
    }
    forward.sort_unstable();
    if let Some(pair) = forward.windows(2).find(|pair| pair[1].0 < pair[0].1) {
        return Some(clusters.refuted_by(calls, [pair[0].2, pair[1].2]));
    }
    // When each cluster has its moment; at one moment what begins there comes
    // after what ends there.
    let mut moments: Vec<(Place, bool, u32)> = Vec::with_capacity(clusters.list.len());
    for (from, until, number) in backward {
        if !goes_on() {
            return None;
        }
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
    let order = clusters.order(&moments);
    match clusters.avoids {
        true => Avoiding::new(object, calls, order, clusters.spare(object, calls))?.decide(guard),
        false => Some(Zones::Order(order)),
    }
}

impl Clusters {
    /// The writes that never need to have taken effect, in the order of invocation.
    fn spare(&self, object: &Object, calls: &[Call]) -> Vec<u32> {
        let spare = |it: &&Cluster| !it.needed && it.write != NONE;
        let writes = self.list.iter().filter(spare).map(|it| it.write);
        let is_write = |&call: &u32| {
            matches!(
                object.effect(calls[call as usize].class),
                Effect::Replace(_)
            )
        };
        writes.filter(is_write).collect()
    }

    /// The clusters with their writes alone; none if a value is written twice,
    /// or something else is done.
    fn of_writes(object: &Object, calls: &[Call], guard: &mut Guard<'_>) -> Option<Self> {
        if !guard.holds(calls.len() * size_of::<u32>()) {
            return None;
        }
        let mut clusters = Clusters {
            list: Vec::new(),
            places: Vec::new(),
            next: vec![NONE; calls.len()],
            cas: Vec::new(),
            avoids: false,
        };
        clusters.add(object.initial, NONE, BEGINNING, BEGINNING, false);
        for (number, call) in (0..).zip(calls) {
            if !guard.allows(|| clusters.bytes()) {
                return None;
            }
            match object.effect(call.class) {
                Effect::Observe(Some(_)) => {}
                Effect::Avoid(_) => clusters.avoids = true,
                Effect::Observe(None) if call.is_unknown() => {}
                Effect::Replace(value) => {
                    if !clusters.add_write(value, number, call) {
                        return None;
                    }
                }
                Effect::Change { from, to } => {
                    clusters.cas.push((clusters.list.len() as u32, from));
                    if from == to || !clusters.add_write(to, number, call) {
                        return None;
                    }
                }
                Effect::Observe(None) | Effect::Total | Effect::Other => return None,
            }
        }
        Some(clusters)
    }

    /// Whether the value is new.
    fn add_write(&mut self, value: State, number: u32, call: &Call) -> bool {
        let begun = Place::from(call.invoked);
        let (finish, needed) = match call.completed {
            NEVER => (NO_END, false),
            completed => (Place::from(completed), true),
        };
        self.add(value, number, begun, finish, needed)
    }

    /// Whether the value is new.
    fn add(&mut self, value: State, write: u32, begun: Place, finish: Place, needed: bool) -> bool {
        let number = self.list.len() as u32;
        self.list.push(Cluster {
            write,
            parent: NONE,
            child: NONE,
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

    /// How many bytes are held of the clusters.
    fn bytes(&self) -> usize {
        bytes::list(&self.list) + bytes::list(&self.places) + bytes::list(&self.cas)
    }

    /// Adds the reads to what they saw; none if it does not go on.
    ///
    /// # Errors
    ///
    /// A read that ended before what it saw had begun to be written.
    fn add_reads(
        &mut self,
        object: &Object,
        calls: &[Call],
        goes_on: &mut impl FnMut() -> bool,
    ) -> Option<Result<(), u32>> {
        for (number, call) in (0..).zip(calls) {
            if !goes_on() {
                return None;
            }
            let Effect::Observe(Some(value)) = object.effect(call.class) else {
                continue;
            };
            let place = self.places.get(value as usize).copied().unwrap_or(NONE);
            let completed = Place::from(call.completed);
            let Some(cluster) = self.list.get_mut(place as usize) else {
                return Some(Err(number));
            };
            if completed < cluster.begun {
                return Some(Err(number));
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
        Some(Ok(()))
    }

    /// Links the clusters of cas to what they change. What must be changed must
    /// have been there, and no two cas change the same; whether that is so.
    fn link(&mut self) -> bool {
        let cas = std::mem::take(&mut self.cas);
        for &(number, from) in &cas {
            let parent = self.places.get(from as usize).copied().unwrap_or(NONE);
            let cluster = &mut self.list[number as usize];
            if parent == NONE && cluster.needed {
                return false;
            }
            cluster.parent = parent;
        }
        for &(number, _) in &cas {
            let mut number = number;
            while self.list[number as usize].needed {
                let parent = self.list[number as usize].parent;
                match self.list.get_mut(parent as usize) {
                    Some(parent) if !parent.needed => parent.needed = true,
                    _ => break,
                }
                number = parent;
            }
        }
        for &(number, _) in &cas {
            let Cluster { needed, parent, .. } = self.list[number as usize];
            if !needed {
                continue;
            }
            let Some(parent) = self.list.get_mut(parent as usize) else {
                return false;
            };
            if parent.child != NONE {
                return false;
            }
            parent.child = number;
        }
        true
    }

    /// The chain that begins with a cluster; none if one in it ends before one
    /// that stands further ahead begins.
    fn chain(&self, first: u32) -> Option<Chain> {
        let mut chain = Chain {
            finish: NO_END,
            start: BEGINNING,
            length: 0,
        };
        let mut next = first;
        while let Some(cluster) = self.list.get(next as usize) {
            if cluster.finish < chain.start {
                return None;
            }
            chain.finish = chain.finish.min(cluster.finish);
            chain.start = chain.start.max(cluster.start);
            chain.length += 1;
            next = cluster.child;
        }
        Some(chain)
    }

    /// The refutation by two chains whose zones exclude each other: it shows
    /// once what bounds these has completed.
    fn refuted_by(&self, calls: &[Call], chains: [u32; 2]) -> Zones {
        let mut last = 0;
        let mut shows = 0;
        for number in chains {
            // What a chain was like before it was whole is not known.
            let Some(chain) = self.chain(number).filter(|chain| chain.length == 1) else {
                return Zones::Refuted(None);
            };
            let bounds = |it: &&Call| {
                let (begun, ended) = (Place::from(it.invoked), Place::from(it.completed));
                !it.is_unknown() && (chain.start == begun || chain.finish == ended)
            };
            for call in self.of_chain(number) {
                if let Some(it) = calls.get(call as usize).filter(bounds)
                    && it.completed >= last
                {
                    (last, shows) = (it.completed, call);
                }
            }
        }
        Zones::Refuted(Some(shows))
    }

    /// The calls of a chain, in order.
    fn of_chain(&self, first: u32) -> impl Iterator<Item = u32> {
        let cluster = move |number: u32| self.list.get(number as usize);
        let clusters = successors(cluster(first), move |it| cluster(it.child));
        clusters.flat_map(move |it| {
            let write = (it.write != NONE).then_some(it.write);
            let read = |read: u32| (read != NONE).then_some(read);
            let reads = successors(read(it.first), move |&it| read(self.next[it as usize]));
            write.into_iter().chain(reads)
        })
    }

    /// The calls of one chain after the other.
    fn order(&self, moments: &[(Place, bool, u32)]) -> Vec<u32> {
        let mut order = Vec::with_capacity(self.next.len());
        for &(_, _, first) in moments {
            order.extend(self.of_chain(first));
        }
        order
    }
}
