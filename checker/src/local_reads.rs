//! Reads of what one node has, with the position that they reflect.
//!
//! Some systems answer reads from any replica and say how old the answer may
//! be, as ZooKeeper does by zxids. Nothing is linearizable then, but much is
//! promised (ZooKeeper programmer's guide, "Consistency Guarantees"):
//!
//! - **Local Reads**: a read returns what all writes up to its position made.
//! - **Session Order**: the positions that one client is told never fall.
//! - **Write Order**: a write that completed before another began stands
//!   before it, and no two stand at one position.
//!
//! # The histories
//!
//! `set` writes a value that nothing else writes to its key; completed, its
//! value is `[value, position]`. `get` reads; completed, its value is
//! `[value, position]` too, the value null where the key held nothing. Keys
//! hold nothing at first; positions are whole numbers, and those of writes are
//! above 0.
//!
//! Keys are judged one by one: that no open `set` of one key stands where one
//! of another does is not asked, nor that a position which was told of a read
//! comes before every `set` of another key that began later.
//!
//! Where a `set` stands that may or may not have taken effect is not known. The
//! `get`s that saw it say where it can stand, and must leave a place.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use serde::Serialize;
use tribunal_histories::{History, HistoryError, Operation, Outcome, Value};

use crate::Verdict;

/// The operation that writes.
pub const SET: &str = "set";
/// The operation that reads.
pub const GET: &str = "get";

/// What was judged, and how.
#[derive(Clone, Debug)]
pub struct Report {
    /// Valid or invalid: the check is linear, and never gives up.
    pub verdict: Verdict<Witness>,
    /// Operations of clients.
    pub operations: usize,
    /// How many of them took effect for certain.
    pub completed_ok: usize,
    /// Reads that completed.
    pub reads: usize,
    /// Reads that missed the next write, which had completed when they began.
    pub stale: usize,
    /// Keys.
    pub keys: usize,
}

/// Operations that cannot all be right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Witness {
    /// The broken property.
    pub property: &'static str,
    /// What contradicts it, in a sentence.
    pub why: String,
    /// The operations, by the indices of the events that began them.
    pub operations: Vec<u64>,
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let indices: Vec<String> = self.operations.iter().map(u64::to_string).collect();
        write!(
            f,
            "{}: {} (operations that began at index {})",
            self.property,
            self.why,
            indices.join(", ")
        )
    }
}

/// Judges a history.
///
/// # Errors
///
/// If an operation is none of those described, or its value is not as
/// described.
pub fn check(history: &History) -> Result<Report, HistoryError> {
    let operations = history.operations()?;
    let mut acts = Vec::new();
    for operation in &operations {
        let act = Act::of(operation).ok_or_else(|| {
            let expected = format!("expected `{GET}` or `{SET}`, with [value, position] where ok");
            history.malformed(operation.invoked, expected)
        })?;
        acts.push(act);
    }
    let keys = keys_of(&acts).map_err(|repeated| {
        let expected = "a value that nothing else writes to its key".to_owned();
        history.malformed(repeated, expected)
    })?;
    let stale = acts.iter().filter(|act| is_stale(act, &keys)).count();
    let found = write_order(&acts)
        .or_else(|| session_order(&acts))
        .or_else(|| local_reads(&acts, &keys));
    Ok(Report {
        verdict: found.map_or(Verdict::Valid, Verdict::Invalid),
        operations: acts.len(),
        completed_ok: acts.iter().filter(|act| act.position().is_some()).count(),
        reads: acts.iter().filter(|act| act.reads_ok()).count(),
        stale,
        keys: keys.len(),
    })
}

/// An operation as this checker sees it.
struct Act<'a> {
    process: u64,
    key: &'a Value,
    invoked: u64,
    completed: Option<u64>,
    does: Does<'a>,
}

enum Does<'a> {
    /// Writes a value; where it stands, if that is known.
    Set { value: &'a Value, fate: Fate },
    /// Reads, if it completed: what, and as of where.
    Get(Option<(&'a Value, i64)>),
}

#[derive(Clone, Copy)]
enum Fate {
    At(i64),
    Never,
    Open,
}

impl<'a> Act<'a> {
    fn of(operation: &'a Operation) -> Option<Self> {
        let result = match &operation.outcome {
            Outcome::Ok(Value::List(pair)) => match pair.as_slice() {
                [value, Value::Int(position)] => Some((value, *position)),
                _ => return None,
            },
            Outcome::Ok(_) => return None,
            Outcome::Fail | Outcome::Info => None,
        };
        let does = match operation.f.as_str() {
            GET => Does::Get(result),
            SET => Does::Set {
                value: &operation.argument,
                fate: match (result, &operation.outcome) {
                    (Some((_, position)), _) => Fate::At(position),
                    (None, Outcome::Fail) => Fate::Never,
                    (None, _) => Fate::Open,
                },
            },
            _ => return None,
        };
        Some(Act {
            process: operation.process,
            key: operation.key.as_ref()?,
            invoked: operation.invoked,
            completed: operation.completed,
            does,
        })
    }

    fn reads_ok(&self) -> bool {
        matches!(self.does, Does::Get(Some(_)))
    }

    /// The position that the client was told.
    fn position(&self) -> Option<i64> {
        match self.does {
            Does::Set {
                fate: Fate::At(position),
                ..
            }
            | Does::Get(Some((_, position))) => Some(position),
            _ => None,
        }
    }
}

/// What was written to a key.
#[derive(Default)]
struct Key<'a> {
    /// The writes that are known to stand somewhere, by where.
    placed: BTreeMap<i64, &'a Act<'a>>,
    /// Every write, by its value.
    written: HashMap<&'a Value, &'a Act<'a>>,
}

impl<'a> Key<'a> {
    /// The last write that is known to stand at a position or before.
    fn last_at(&self, position: i64) -> Option<(i64, &'a Act<'a>)> {
        let (at, act) = self.placed.range(..=position).next_back()?;
        Some((*at, act))
    }
}

/// What was written to each key; the beginning of a write that repeats a value
/// if there is one.
fn keys_of<'a>(acts: &'a [Act<'a>]) -> Result<BTreeMap<&'a Value, Key<'a>>, u64> {
    let mut keys: BTreeMap<&Value, Key<'_>> = BTreeMap::new();
    for act in acts {
        let key = keys.entry(act.key).or_default();
        if let Does::Set { value, fate } = act.does {
            if key.written.insert(value, act).is_some() {
                return Err(act.invoked);
            }
            if let Fate::At(position) = fate {
                key.placed.insert(position, act);
            }
        }
    }
    Ok(keys)
}

/// Whether a read missed the next write, which had completed when it began.
fn is_stale(act: &Act<'_>, keys: &BTreeMap<&Value, Key<'_>>) -> bool {
    let Does::Get(Some((_, position))) = act.does else {
        return false;
    };
    let next = keys[act.key].placed.range(position + 1..).next();
    next.and_then(|(_, write)| write.completed)
        .is_some_and(|at| at < act.invoked)
}

fn witness<const N: usize>(property: &'static str, why: String, acts: [&Act<'_>; N]) -> Witness {
    let mut operations: Vec<u64> = acts.iter().map(|act| act.invoked).collect();
    operations.sort_unstable();
    operations.dedup();
    Witness {
        property,
        why,
        operations,
    }
}

/// A write that completed before another began stands before it.
fn write_order(acts: &[Act<'_>]) -> Option<Witness> {
    let is_placed = |act: &&Act<'_>| {
        matches!(
            act.does,
            Does::Set {
                fate: Fate::At(_),
                ..
            }
        )
    };
    let mut begun: Vec<&Act<'_>> = acts.iter().filter(is_placed).collect();
    let mut ended = begun.clone();
    begun.sort_unstable_by_key(|act| act.invoked);
    ended.sort_unstable_by_key(|act| act.completed);
    let mut ended = ended.into_iter().peekable();
    let mut last: Option<&Act<'_>> = None;
    let mut at: HashMap<i64, &Act<'_>> = HashMap::new();
    for write in begun {
        while let Some(before) = ended.next_if(|act| act.completed < Some(write.invoked)) {
            if last.is_none_or(|last| last.position() < before.position()) {
                last = Some(before);
            }
        }
        let position = write.position()?;
        if let Some(other) = at.insert(position, write) {
            let why = format!("two writes stand at {position}");
            return Some(witness("Write Order", why, [other, write]));
        }
        if let Some(before) = last.filter(|before| before.position() > Some(position)) {
            let why = format!(
                "a write stands at {position}, and one that had completed before it began at {}",
                before.position()?
            );
            return Some(witness("Write Order", why, [before, write]));
        }
    }
    None
}

/// The positions that a client is told never fall.
fn session_order(acts: &[Act<'_>]) -> Option<Witness> {
    let mut told: HashMap<u64, &Act<'_>> = HashMap::new();
    let mut ended: Vec<&Act<'_>> = acts.iter().filter(|act| act.position().is_some()).collect();
    ended.sort_unstable_by_key(|act| act.completed);
    for act in ended {
        let Some(before) = told.insert(act.process, act) else {
            continue;
        };
        if before.position() > act.position() {
            let why = format!(
                "client {} was told of {} and then of {}",
                act.process,
                before.position()?,
                act.position()?
            );
            return Some(witness("Session Order", why, [before, act]));
        }
    }
    None
}

/// A read returns what all writes up to its position made.
fn local_reads(acts: &[Act<'_>], keys: &BTreeMap<&Value, Key<'_>>) -> Option<Witness> {
    let mut reads: BTreeMap<&Value, Vec<Read<'_>>> = BTreeMap::new();
    for act in acts {
        if let Does::Get(Some((value, position))) = act.does {
            let read = Read {
                value,
                position,
                act,
            };
            reads.entry(act.key).or_default().push(read);
        }
    }
    reads.into_iter().find_map(|(key, mut reads)| {
        reads.sort_unstable_by_key(|read| (read.position, read.act.invoked));
        reads_of_key(&keys[key], &reads)
    })
}

/// A read that completed.
#[derive(Clone, Copy)]
struct Read<'a> {
    value: &'a Value,
    position: i64,
    act: &'a Act<'a>,
}

/// Judges the reads of a key in the order of their positions: each value is
/// there from its write to the next one, and never again.
fn reads_of_key(key: &Key<'_>, reads: &[Read<'_>]) -> Option<Witness> {
    let mut over: HashSet<&Value> = HashSet::new();
    let mut first = reads.first()?;
    let mut before: Option<&Read<'_>> = None;
    for read in reads {
        let Read {
            value, position, ..
        } = *read;
        if first.value != value {
            over.insert(first.value);
            first = read;
        }
        let found = match before.filter(|before| before.value != value) {
            Some(before) if before.position == position => {
                let other = shown(before.value);
                let why = format!("{} and {other} were read as of {position}", shown(value));
                Some((why, before.act))
            }
            Some(before) if over.contains(value) || *value == Value::Null => {
                let why = format!(
                    "{} was read as of {position}, though {} had been read as of {}",
                    shown(value),
                    shown(before.value),
                    before.position
                );
                Some((why, before.act))
            }
            before => wrong_at(key, read, first, before),
        };
        if let Some((why, other)) = found {
            return Some(witness("Local Reads", why, [other, first.act, read.act]));
        }
        before = Some(read);
    }
    None
}

/// What is wrong with a read, seen beside what is known to be written, the
/// first read of the same value, and the last read of another one.
fn wrong_at<'a>(
    key: &Key<'a>,
    read: &Read<'a>,
    first: &Read<'a>,
    before: Option<&Read<'a>>,
) -> Option<(String, &'a Act<'a>)> {
    let (value, position) = (shown(read.value), read.position);
    let last = key.last_at(position);
    if *read.value == Value::Null {
        let (at, write) = last?;
        return Some((
            format!("nothing was read as of {position}, and something was written at {at}"),
            write,
        ));
    }
    let Some(write) = key.written.get(read.value).copied() else {
        return Some((format!("{value} was read, and never written"), read.act));
    };
    let Does::Set { fate, .. } = write.does else {
        return None;
    };
    if read.act.completed < Some(write.invoked) {
        return Some((format!("{value} was read before its write began"), write));
    }
    // Where its write can stand at the latest.
    let most = match fate {
        Fate::Never => return Some((format!("{value} was read, and its write had failed"), write)),
        Fate::At(at) if at > position => {
            let why = format!("{value} was read as of {position}, and was written at {at}");
            return Some((why, write));
        }
        Fate::At(at) => at,
        Fate::Open => first.position,
    };
    let is_later = |(at, other): &(i64, &Act<'_>)| !std::ptr::eq(*other, write) && *at >= most;
    if let Some((at, other)) = last.filter(is_later) {
        let why = format!(
            "{value} was read as of {position}, though another value was written at {at}, \
             behind it"
        );
        return Some((why, other));
    }
    if let Some(before) = before.filter(|before| before.position >= most) {
        let why = format!(
            "{value} was written at {most} or before, and {} was read as of {}",
            shown(before.value),
            before.position
        );
        return Some((why, before.act));
    }
    let why = || format!("{value} was read as of {most}, before anything was written");
    (most <= 0).then(|| (why(), write))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tribunal_histories::{Event, Header, Kind, Process};

    use super::*;

    /// One operation of a history in which each ends before the next begins.
    type Told = (u64, &'static str, i64, Outcome);

    fn history(told: &[Told]) -> History {
        let mut events = Vec::new();
        for (process, f, argument, outcome) in told {
            let argument = match *f {
                SET => Value::Int(*argument),
                _ => Value::Null,
            };
            let (kind, value) = match outcome {
                Outcome::Ok(value) => (Kind::Ok, value.clone()),
                Outcome::Fail => (Kind::Fail, argument.clone()),
                Outcome::Info => (Kind::Info, argument.clone()),
            };
            for (kind, value) in [(Kind::Invoke, argument.clone()), (kind, value)] {
                let index = events.len() as u64;
                events.push(Event {
                    index,
                    time: index,
                    process: Process::Client(*process),
                    kind,
                    f: (*f).to_owned(),
                    key: Some(Value::Int(1)),
                    value,
                    error: None,
                    node: None,
                    fault: None,
                });
            }
        }
        History::new(Header::new("local-reads"), events)
    }

    fn at(value: Option<i64>, position: i64) -> Outcome {
        let value = value.map_or(Value::Null, Value::Int);
        Outcome::Ok(Value::List(vec![value, Value::Int(position)]))
    }

    fn broken(told: &[Told]) -> Option<&'static str> {
        match check(&history(told)).expect("a history").verdict {
            Verdict::Invalid(witness) => Some(witness.property),
            _ => None,
        }
    }

    fn set(process: u64, value: i64, position: i64) -> Told {
        (process, SET, value, at(Some(value), position))
    }

    fn get(process: u64, value: Option<i64>, position: i64) -> Told {
        (process, GET, 0, at(value, position))
    }

    #[test]
    fn an_old_read_is_right_as_of_its_position() {
        let told = [
            set(1, 7, 1),
            set(1, 8, 3),
            get(2, Some(7), 2),
            get(2, Some(8), 3),
            get(3, None, 0),
        ];
        assert_eq!(broken(&told), None);
        let report = check(&history(&told)).unwrap();
        assert_eq!((report.reads, report.stale), (3, 2));
    }

    #[test]
    fn each_property_can_be_broken() {
        let written = [set(1, 7, 1), set(1, 8, 3)];
        let then = |told: Told| broken(&[written.clone().to_vec(), vec![told]].concat());
        for wrong in [
            get(2, Some(7), 3),
            get(2, Some(8), 2),
            get(2, None, 1),
            get(2, Some(9), 9),
        ] {
            assert_eq!(then(wrong.clone()), Some("Local Reads"), "{wrong:?}");
        }
        assert_eq!(then(get(1, Some(7), 2)), Some("Session Order"));
        assert_eq!(then(set(2, 9, 2)), Some("Write Order"));
        assert_eq!(then(set(2, 9, 3)), Some("Write Order"));
        let failed = (1, SET, 5, Outcome::Fail);
        let read_all_the_same = [failed, get(2, Some(5), 1)];
        assert_eq!(broken(&read_all_the_same), Some("Local Reads"));
    }

    #[test]
    fn an_open_write_stands_where_all_reads_let_it() {
        let open = (9, SET, 5, Outcome::Info);
        let fine = [
            open.clone(),
            set(1, 7, 1),
            set(1, 8, 4),
            get(2, Some(7), 1),
            get(2, Some(5), 2),
            get(2, Some(5), 3),
        ];
        assert_eq!(broken(&fine), None);
        let torn = [
            open,
            set(1, 7, 1),
            set(1, 8, 4),
            get(2, Some(5), 2),
            get(2, Some(5), 6),
        ];
        assert_eq!(broken(&torn), Some("Local Reads"));
    }

    #[test]
    fn what_cannot_be_judged_is_refused() {
        let twice = [set(1, 7, 1), set(1, 7, 2)];
        assert!(check(&history(&twice)).is_err());
        let bare = [(1, GET, 0, Outcome::Ok(Value::Int(7)))];
        assert!(check(&history(&bare)).is_err());
    }

    /// Whether open writes can be put somewhere so that every read is right:
    /// by trying all places.
    fn reads_fit(told: &[Told]) -> bool {
        let open: Vec<usize> = (0..told.len())
            .filter(|place| told[*place].1 == SET && told[*place].3 == Outcome::Info)
            .collect();
        let mut chosen = vec![0; open.len()];
        loop {
            if fits(told, &open, &chosen) {
                return true;
            }
            let Some(next) = chosen.iter().position(|place| *place < PLACES) else {
                return false;
            };
            chosen[next] += 1;
            chosen[..next].fill(0);
        }
    }

    /// Positions are spread by this, so that open writes fit between them.
    const SPREAD: i64 = 4;
    const POSITIONS: i64 = 6;
    /// Places of an open write; the last stands for none.
    const PLACES: i64 = (POSITIONS + 1) * SPREAD;

    fn fits(told: &[Told], open: &[usize], chosen: &[i64]) -> bool {
        let mut stands: Vec<(i64, i64)> = Vec::new();
        for (place, (_, f, value, outcome)) in told.iter().enumerate() {
            match outcome {
                Outcome::Ok(Value::List(pair)) if *f == SET => {
                    let Value::Int(position) = pair[1] else {
                        continue;
                    };
                    stands.push((position * SPREAD, *value));
                }
                Outcome::Info if *f == SET => {
                    let at = open.iter().position(|open| *open == place);
                    let at = chosen[at.expect("an open write")];
                    if at < PLACES && at % SPREAD > 0 {
                        stands.push((at, *value));
                    }
                }
                _ => {}
            }
        }
        let mut places: Vec<i64> = stands.iter().map(|(at, _)| *at).collect();
        places.sort_unstable();
        places.dedup();
        if places.len() < stands.len() {
            return false;
        }
        told.iter().enumerate().all(|(place, (_, f, _, outcome))| {
            let (GET, Outcome::Ok(Value::List(pair))) = (*f, outcome) else {
                return true;
            };
            let Value::Int(position) = pair[1] else {
                return false;
            };
            let seen = stands.iter().filter(|(at, _)| *at <= position * SPREAD);
            let last = seen.max_by_key(|(at, _)| *at).map(|(_, value)| *value);
            let is_begun = |value: i64| {
                let write = told
                    .iter()
                    .position(|(_, f, of, _)| *f == SET && *of == value);
                write.is_some_and(|write| write < place)
            };
            let expected = last.map_or(Value::Null, Value::Int);
            expected == pair[0] && last.is_none_or(is_begun)
        })
    }

    fn outcome() -> impl Strategy<Value = u8> {
        0..6_u8
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        /// Each operation has a client of its own, so that reads alone decide.
        #[test]
        fn verdicts_on_reads_agree_with_brute_force(
            drawn in prop::collection::vec((any::<bool>(), outcome(), 0..=POSITIONS, 0..6_i64), 1..7)
        ) {
            let mut told: Vec<Told> = Vec::new();
            let mut position = 0;
            let mut open = 0;
            for (place, (writes, outcome, drawn, value)) in drawn.into_iter().enumerate() {
                let process = place as u64;
                let own = place as i64 + 1;
                told.push(match (writes, outcome) {
                    (true, 0) => (process, SET, own, Outcome::Fail),
                    (true, 1 | 2) if open < 2 => {
                        open += 1;
                        (process, SET, own, Outcome::Info)
                    }
                    (true, _) => {
                        position += 1;
                        set(process, own, position)
                    }
                    (false, _) => get(process, (value > 0).then_some(value), drawn),
                });
            }
            prop_assert_eq!(broken(&told).is_none(), reads_fit(&told), "{:?}", told);
        }
    }
}
