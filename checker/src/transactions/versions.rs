//! Which versions a key had, who wrote and who read each, and what that says
//! of the order of transactions.
//!
//! Of a list every read shows all versions up to the one that it saw, so that
//! the longest one shows the order of all that were ever read (Kingsbury &
//! Alvaro 2020, §3). What nobody read was appended later, or never.
//!
//! Of a register a read shows one version. That it came directly before
//! another is known only where somebody read the one and wrote the other, and
//! of the initial one that it came before all.

use rustc_hash::{FxHashMap, FxHashSet};
use tribunal_histories::Value;

use super::anomaly::{Anomaly, Findings};
use super::graph::{Builder, Graph, ON, RW, WR, WW};
use super::micro::{Does, Fate, Transactions, elements};

/// A micro-operation of a transaction.
type Act = (u32, u32);

/// What is known of the versions of every key.
pub(super) struct Versions<'a> {
    all: &'a Transactions<'a>,
    writes: Vec<Write>,
    keys: Vec<Key<'a>>,
    /// Which transactions took effect: those that committed, and those that
    /// somebody read.
    pub(super) took_effect: Vec<bool>,
    pub(super) findings: Findings,
    /// Whether the reads contradict each other so that no order of versions
    /// can be made of them.
    is_broken: bool,
}

#[derive(Clone, Copy)]
struct Write {
    txn: u32,
    place: u32,
    /// How many writes of the same key its transaction made before.
    ordinal: u32,
    is_final: bool,
    /// Whether somebody read it.
    is_read: bool,
}

#[derive(Default)]
struct Key<'a> {
    /// The writes, in the order of transactions.
    writes: Vec<u32>,
    by_value: FxHashMap<&'a Value, u32>,
    /// What transactions saw of the key that they had not made themselves.
    reads: Vec<Read<'a>>,
    /// The versions of a list that were read, in order.
    order: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Read<'a> {
    txn: u32,
    place: u32,
    seen: &'a [Value],
    /// Whether the transaction writes the key, too.
    updates: bool,
    /// Whether it saw what can be seen.
    is_sound: bool,
    version: Option<u32>,
}

impl<'a> Versions<'a> {
    /// Looks at every write and read; `Err` names the transaction that writes
    /// a value which is not new to its key.
    pub(super) fn of(all: &'a Transactions<'a>) -> Result<Self, u32> {
        let mut versions = Versions {
            all,
            writes: Vec::new(),
            keys: all.keys.iter().map(|_| Key::default()).collect(),
            took_effect: Vec::with_capacity(all.txns.len()),
            findings: Findings::default(),
            is_broken: false,
        };
        for txn in 0..all.txns.len() as u32 {
            versions.index_writes(txn)?;
            versions.took_effect.push(versions.is(Fate::Committed, txn));
        }
        let mut own = FxHashMap::default();
        for txn in 0..all.txns.len() as u32 {
            if versions.is(Fate::Committed, txn) {
                versions.read_by(txn, &mut own);
            }
        }
        for key in 0..all.keys.len() as u32 {
            match all.is_list(key) {
                true => versions.order_list(key),
                false => versions.find_versions(key),
            }
            versions.find_lost_updates(key);
        }
        Ok(versions)
    }

    /// Who must stand before whom; nothing where reads contradict each other.
    pub(super) fn graph(&self, in_real_time: bool) -> Option<Graph> {
        if self.is_broken {
            return None;
        }
        let mut builder = Builder::new(self.all.txns.len() as u32);
        for key in 0..self.all.keys.len() as u32 {
            match self.all.is_list(key) {
                true => self.relate_list(key, &mut builder),
                false => self.relate_register(key, &mut builder),
            }
        }
        if in_real_time {
            builder.real_time(self.all, &self.took_effect);
        }
        Some(builder.build())
    }

    /// How many registers have versions whose order cannot be told: two or
    /// more begin a line of known successors, since whoever wrote them had not
    /// read the key. One whose reads are not known counts for none.
    pub(super) fn unordered_keys(&self) -> usize {
        let keys = 0..self.all.keys.len() as u32;
        let is_unordered = |key: &u32| !self.all.is_list(*key) && self.lines_of_versions(*key) > 1;
        keys.filter(is_unordered).count()
    }

    /// How many lines of known successors the versions of a register form.
    fn lines_of_versions(&self, key: u32) -> usize {
        let reads = &self.keys[key as usize].reads;
        let updates = reads.iter().filter(|read| read.updates && read.is_sound);
        let follows: FxHashMap<u32, Option<u32>> =
            updates.map(|read| (read.txn, read.version)).collect();
        let begins = |txn: u32| match follows.get(&txn) {
            Some(version) => version.is_none(),
            None => self.is(Fate::Committed, txn),
        };
        let writers = self.writers(key, |write| write.is_final);
        writers.iter().filter(|(txn, _)| begins(*txn)).count()
    }

    fn is(&self, fate: Fate, txn: u32) -> bool {
        self.all.txns[txn as usize].fate == fate
    }

    fn index_writes(&mut self, txn: u32) -> Result<(), u32> {
        for (place, micro) in self.all.micros_of(txn) {
            let Does::Write(value) = micro.does else {
                continue;
            };
            let key = &mut self.keys[micro.key as usize];
            let before = key.writes.last().map(|&it| &mut self.writes[it as usize]);
            let before = before.filter(|before| before.txn == txn);
            let ordinal = before.map_or(0, |before| {
                before.is_final = false;
                before.ordinal + 1
            });
            let number = self.writes.len() as u32;
            let is_new = key.by_value.insert(value, number).is_none();
            let is_initial = !self.all.is_list(micro.key) && value == self.all.initial;
            if !is_new || is_initial {
                return Err(txn);
            }
            key.writes.push(number);
            self.writes.push(Write {
                txn,
                place,
                ordinal,
                is_final: true,
                is_read: false,
            });
        }
        Ok(())
    }

    /// What a transaction saw of others, and whether that fits what it did
    /// itself.
    fn read_by(&mut self, txn: u32, own: &mut FxHashMap<u32, Own<'a>>) {
        own.clear();
        for (place, micro) in self.all.micros_of(txn) {
            let mine = own.entry(micro.key).or_default();
            let value = match micro.does {
                Does::Write(value) => {
                    mine.written.push(value);
                    continue;
                }
                Does::Read(None) => continue,
                Does::Read(Some(value)) => value,
            };
            let seen = match self.all.is_list(micro.key) {
                true => elements(value).and_then(|list| mine.list(list)),
                false if *value == Value::Null => mine.register(self.all.initial),
                false => mine.register(value),
            };
            match (seen, mine.seen) {
                (None, _) => self.contradicts(txn, micro.key, value),
                (Some(Some(seen)), None) => mine.seen = Some((place, seen)),
                (Some(Some(seen)), Some((_, before))) if seen != before => {
                    self.contradicts(txn, micro.key, value);
                }
                _ => {}
            }
        }
        for (key, mine) in own.drain() {
            if let Some((place, seen)) = mine.seen {
                self.keys[key as usize].reads.push(Read {
                    txn,
                    place,
                    seen,
                    updates: !mine.written.is_empty(),
                    is_sound: true,
                    version: None,
                });
            }
        }
    }

    fn contradicts(&mut self, txn: u32, key: u32, value: &Value) {
        let name = self.name(key);
        self.findings.add(Anomaly::Internal, &[txn], || {
            format!("T1 read {value} of key {name}, against what it had itself read or written")
        });
    }

    fn name(&self, key: u32) -> &'a Value {
        self.all.keys[key as usize].name
    }

    /// The order of a list's versions, by its longest read.
    fn order_list(&mut self, key: u32) {
        let mut reads = std::mem::take(&mut self.keys[key as usize].reads);
        let Some(&longest) = reads.iter().max_by_key(|read| read.seen.len()) else {
            return;
        };
        self.keys[key as usize].order = self.order_shown(key, &longest);
        for read in &reads {
            if !longest.seen.starts_with(read.seen) {
                self.order_shown(key, read);
                self.differ(key, read, &longest);
            }
        }
        let order = std::mem::take(&mut self.keys[key as usize].order);
        if !self.is_broken {
            for read in &mut reads {
                let ends_with = read.seen.len().checked_sub(1);
                read.version = ends_with.map(|at| order[at]);
                let mine = order[..read.seen.len()]
                    .iter()
                    .find(|write| read.updates && self.writes[**write as usize].txn == read.txn);
                read.is_sound = self.is_seen_rightly(key, read, mine.copied());
            }
        }
        let key = &mut self.keys[key as usize];
        (key.order, key.reads) = (order, reads);
    }

    /// The writes that a read shows, and what is wrong with them.
    fn order_shown(&mut self, key: u32, read: &Read<'_>) -> Vec<u32> {
        let mut order = Vec::with_capacity(read.seen.len());
        let mut met: FxHashSet<u32> = FxHashSet::default();
        let mut counts: FxHashMap<u32, u32> = FxHashMap::default();
        for value in read.seen {
            let Some(&number) = self.keys[key as usize].by_value.get(value) else {
                self.is_broken = true;
                self.garbage(key, read.txn, value);
                continue;
            };
            let name = self.name(key);
            if !met.insert(number) {
                self.is_broken = true;
                self.findings
                    .add(Anomaly::DuplicateElements, &[read.txn], || {
                        format!("T1 read a list of key {name} in which {value} stands twice")
                    });
                continue;
            }
            order.push(number);
            let write = self.see(number);
            if self.is(Fate::Aborted, write.txn) {
                self.aborted(key, read.txn, number);
            }
            let count = counts.entry(write.txn).or_default();
            if *count != write.ordinal {
                let named = &[read.txn, write.txn];
                self.findings.add(Anomaly::IncompatibleOrder, named, || {
                    format!(
                        "T1 read a list of key {name} in which {value} stands without what T2 \
                         had appended before it"
                    )
                });
            }
            *count += 1;
        }
        order
    }

    fn see(&mut self, number: u32) -> Write {
        let write = &mut self.writes[number as usize];
        write.is_read = true;
        self.took_effect[write.txn as usize] |=
            self.all.txns[write.txn as usize].fate == Fate::Open;
        *write
    }

    fn garbage(&mut self, key: u32, txn: u32, value: &Value) {
        let name = self.name(key);
        self.findings.add(Anomaly::GarbageRead, &[txn], || {
            format!("T1 read {value} of key {name}, which nobody wrote")
        });
    }

    fn aborted(&mut self, key: u32, txn: u32, write: u32) {
        let (name, write) = (self.name(key), self.writes[write as usize]);
        let value = self.all.written(write.place);
        self.findings
            .add(Anomaly::AbortedRead, &[txn, write.txn], || {
                format!("T1 read {value} of key {name}, written by T2, which failed")
            });
    }

    fn differ(&mut self, key: u32, one: &Read<'_>, other: &Read<'_>) {
        self.is_broken = true;
        let name = self.name(key);
        let pairs = || one.seen.iter().zip(other.seen);
        let at = pairs().take_while(|(one, other)| one == other).count();
        let named = &[one.txn, other.txn];
        self.findings.add(Anomaly::IncompatibleOrder, named, || {
            format!(
                "T1 and T2 read lists of key {name} that differ in place {}: {} and {}",
                at + 1,
                one.seen[at],
                other.seen[at]
            )
        });
    }

    /// Whether a read saw the end of what another transaction wrote; `mine` is
    /// a write of its own that it saw before it was made.
    fn is_seen_rightly(&mut self, key: u32, read: &Read<'_>, mine: Option<u32>) -> bool {
        let name = self.name(key);
        if let Some(mine) = mine {
            let value = self.all.written(self.writes[mine as usize].place);
            self.findings.add(Anomaly::FutureRead, &[read.txn], || {
                format!("T1 read {value} of key {name} before it wrote that itself")
            });
            return false;
        }
        if let Some(number) = read.version {
            let write = self.writes[number as usize];
            if !write.is_final {
                let value = self.all.written(write.place);
                let named = &[read.txn, write.txn];
                self.findings.add(Anomaly::IntermediateRead, named, || {
                    format!("T1 read {value} of key {name}, after which T2 wrote the key again")
                });
            }
        }
        true
    }

    /// The version that each read of a register saw.
    fn find_versions(&mut self, key: u32) {
        let mut reads = std::mem::take(&mut self.keys[key as usize].reads);
        for read in &mut reads {
            let value = &read.seen[0];
            read.version = self.keys[key as usize].by_value.get(value).copied();
            let Some(number) = read.version else {
                if !self.is_initial(value) {
                    read.is_sound = false;
                    self.garbage(key, read.txn, value);
                }
                continue;
            };
            let write = self.see(number);
            if self.is(Fate::Aborted, write.txn) {
                self.aborted(key, read.txn, number);
            }
            let mine = Some(number).filter(|_| write.txn == read.txn);
            read.is_sound = self.is_seen_rightly(key, read, mine);
        }
        self.keys[key as usize].reads = reads;
    }

    /// Whether this is what a key holds before anybody writes. A key that
    /// nobody writes may be a list.
    fn is_initial(&self, value: &Value) -> bool {
        value == self.all.initial || elements(value).is_some_and(<[Value]>::is_empty)
    }

    fn find_lost_updates(&mut self, key: u32) {
        // Without an order of versions nobody can say who saw the same one.
        if self.is_broken && self.all.is_list(key) {
            return;
        }
        let updates = self.keys[key as usize].reads.iter();
        let mut updates: Vec<_> = updates
            .filter(|read| read.updates && read.is_sound)
            .map(|read| (read.version, read.txn))
            .collect();
        updates.sort_unstable();
        let lost = updates.windows(2).find(|pair| pair[0].0 == pair[1].0);
        let Some(&[(version, one), (_, other)]) = lost else {
            return;
        };
        let name = self.name(key);
        let shown = self.shown(key, version);
        self.findings.add(Anomaly::LostUpdate, &[one, other], || {
            format!("T1 and T2 both read key {name} as of {shown}, and both wrote it")
        });
    }

    fn shown(&self, key: u32, version: Option<u32>) -> String {
        match version {
            Some(write) => self
                .all
                .written(self.writes[write as usize].place)
                .to_string(),
            None if self.all.is_list(key) => "its beginning".to_owned(),
            None => self.all.initial.to_string(),
        }
    }

    fn act(&self, write: u32) -> Act {
        let Write { txn, place, .. } = self.writes[write as usize];
        (txn, place)
    }

    fn relate_list(&self, key: u32, builder: &mut Builder) {
        let Key { order, reads, .. } = &self.keys[key as usize];
        for pair in order.windows(2) {
            self.relate(builder, WW, self.act(pair[0]), self.act(pair[1]));
        }
        let mut last = Vec::new();
        for read in reads.iter().filter(|read| read.is_sound) {
            let act = (read.txn, read.place);
            if let Some(version) = read.version {
                self.relate(builder, WR, self.act(version), act);
            }
            match order.get(read.seen.len()) {
                Some(&next) => self.relate(builder, RW, act, self.act(next)),
                None => last.push(act),
            }
        }
        let unread = self.writers(key, |write| !write.is_read);
        self.precede(
            builder,
            order.last().map(|&it| self.act(it)),
            &last,
            &unread,
        );
    }

    fn relate_register(&self, key: u32, builder: &mut Builder) {
        let reads = self.keys[key as usize].reads.iter();
        let mut reads: Vec<&Read<'_>> = reads.filter(|read| read.is_sound).collect();
        reads.sort_by_key(|read| read.version);
        for same in reads.chunk_by(|one, other| one.version == other.version) {
            let readers: Vec<Act> = same.iter().map(|read| (read.txn, read.place)).collect();
            let Some(version) = same[0].version else {
                let writers = self.writers(key, |write| write.is_final);
                self.precede(builder, None, &readers, &writers);
                continue;
            };
            for &reader in &readers {
                self.relate(builder, WR, self.act(version), reader);
            }
            // Two are as wrong as many.
            let updating = same.iter().filter(|read| read.updates).take(2);
            for writer in updating.filter_map(|read| self.final_write(key, read.txn)) {
                self.relate(builder, WW, self.act(version), writer);
                for &reader in &readers {
                    self.relate(builder, RW, reader, writer);
                }
            }
        }
    }

    /// An edge between two transactions that took effect.
    fn relate(&self, builder: &mut Builder, kind: u8, front: Act, back: Act) {
        if self.took_effect[front.0 as usize] && self.took_effect[back.0 as usize] {
            builder.add(kind, front, back);
        }
    }

    /// One write of each transaction that took effect, of those that fit.
    fn writers(&self, key: u32, fits: impl Fn(&Write) -> bool) -> Vec<Act> {
        let writes = self.keys[key as usize].writes.iter();
        let mut writers: Vec<Act> = writes
            .map(|&number| &self.writes[number as usize])
            .filter(|write| fits(write) && self.took_effect[write.txn as usize])
            .map(|write| (write.txn, write.place))
            .collect();
        writers.dedup_by_key(|(txn, _)| *txn);
        writers
    }

    fn final_write(&self, key: u32, txn: u32) -> Option<Act> {
        let writes = &self.keys[key as usize].writes;
        let end = writes.partition_point(|&it| self.writes[it as usize].txn <= txn);
        let act = self.act(writes[end.checked_sub(1)?]);
        Some(act).filter(|act| act.0 == txn)
    }

    /// Whoever wrote or read a version stands before those who wrote any later
    /// one.
    fn precede(&self, builder: &mut Builder, wrote: Option<Act>, read: &[Act], later: &[Act]) {
        if later.is_empty() {
            return;
        }
        let place_of = |txn: u32| later.binary_search_by_key(&txn, |act| act.0).ok();
        let between = builder.between();
        let has_effect = |act: &Act| self.took_effect[act.0 as usize];
        if let Some(wrote) = wrote.filter(|act| has_effect(act) && place_of(act.0).is_none()) {
            builder.add(WW, wrote, between);
        }
        let (both, readers): (Vec<Act>, Vec<Act>) =
            read.iter().partition(|act| place_of(act.0).is_some());
        for act in readers {
            builder.add(RW, act, between);
        }
        for &writer in later {
            builder.add(ON, between, writer);
        }
        // Who read the version and wrote a later one stands before all others
        // that did, and not before itself.
        let Some(&first) = both.first() else { return };
        for (place, &act) in both.iter().enumerate() {
            let next = both[(place + 1) % both.len()].0;
            if let Some(write) = place_of(next) {
                builder.add(RW, act, later[write]);
            }
        }
        let behind = builder.between();
        builder.add(RW, first, behind);
        for &writer in later {
            if both.binary_search_by_key(&writer.0, |act| act.0).is_err() {
                builder.add(ON, behind, writer);
            }
        }
    }
}

/// What a transaction has done with a key so far.
#[derive(Default)]
struct Own<'a> {
    /// What it saw of others, and where.
    seen: Option<(u32, &'a [Value])>,
    written: Vec<&'a Value>,
}

impl<'a> Own<'a> {
    /// What a read of a list shows of others: all but its own elements, which
    /// must be the last. Nothing if they are not.
    fn list(&self, list: &'a [Value]) -> Option<Option<&'a [Value]>> {
        let others = list.len().checked_sub(self.written.len())?;
        let (others, own) = list.split_at(others);
        own.iter()
            .eq(self.written.iter().copied())
            .then_some(Some(others))
    }

    /// What a read of a register shows of others: nothing once it was written
    /// to, when only its own value is right.
    fn register(&self, value: &'a Value) -> Option<Option<&'a [Value]>> {
        match self.written.last() {
            None => Some(Some(std::slice::from_ref(value))),
            Some(own) => (*own == value).then_some(None),
        }
    }
}
