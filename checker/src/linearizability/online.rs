//! Judges a history while it is recorded.
//!
//! The frontier that judges whole histories goes over this one as it grows.
//! What an operation is to the object its completion says, so events wait
//! behind the oldest operation of their key that is open: what is judged lags
//! behind by the longest time that an operation takes, at most. What is kept is
//! the frontier, what waits, and the names of the calls and states that these
//! know; all other names are forgotten from time to time, so that a history can
//! go on for ever. Of calls of unknown outcome there is no end: each may take
//! effect at any time after it.
//!
//! Where the frontier grows too wide for that, a key is given up here. Nothing
//! is concluded of it then; the whole history is judged in the end as always.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use tribunal_histories::{Event, Header, Kind, Nil, Process, Value};

use super::dialect::{Answer, Class, Reading};
use super::frontier::{Frontier, Seen, Taken};
use super::guard::Guard;
use super::object::{Again, Numbers, State};
use crate::bytes;
use crate::spec::Spec;
use crate::specification::Asked;

/// So many calls of a key can be open at a time.
const SLOTS: u32 = 128;

/// So many configurations may be looked at for one completion, before a key is
/// given up.
const CONFIGURATIONS_MAX: u64 = 1 << 16;

/// After so many events it is looked whether one more key is idle.
const EVENTS_TO_REST: usize = 64;

/// Names are forgotten once they take so many bytes more than twice what those
/// took that were still known the last time. Few in tests, whose histories are
/// short.
const FORGOTTEN_BEYOND: usize = if cfg!(test) { 0 } else { 1 << 18 };

/// Judges a history while it is recorded.
pub struct Online {
    header: Header,
    spec: Spec,
    nil: Nil,
    places: FxHashMap<Option<Value>, usize>,
    keys: Vec<Key>,
    /// By process, the key of the operation that is open.
    open: FxHashMap<u64, usize>,
    given_up: usize,
    /// How many were taken.
    events: usize,
    judged: Judged,
}

/// How much was judged, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// How many ends of operations.
    pub ends: u64,
    /// The longest time from the record of an end until it was judged, in
    /// nanoseconds.
    pub lag: u64,
}

/// That no order of the operations on a key is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which key; none if the history has one object only.
    pub key: Option<Value>,
    /// Index of the event that ended the last order.
    pub event: u64,
}

impl Online {
    /// Judges what is recorded under `header` by `spec`.
    pub fn new(header: &Header, spec: Spec) -> Self {
        Online {
            header: header.clone(),
            spec,
            nil: header.nil,
            places: FxHashMap::default(),
            keys: Vec::new(),
            open: FxHashMap::default(),
            given_up: 0,
            judged: Judged::default(),
            events: 0,
        }
    }

    /// Takes the next event; the first violation that it shows.
    ///
    /// # Errors
    ///
    /// What was expected instead, if it is no event of such a history.
    pub fn event(&mut self, event: &Event) -> Result<Option<Violation>, String> {
        let Process::Client(process) = event.process else {
            return Ok(None);
        };
        self.events += 1;
        if self.events.is_multiple_of(EVENTS_TO_REST) && !self.keys.is_empty() {
            let looked_at = self.events / EVENTS_TO_REST % self.keys.len();
            self.keys[looked_at].rest_if_idle();
        }
        let place = match event.kind {
            Kind::Invoke => {
                let place = self.key(event.key.as_ref())?;
                if self.open.insert(process, place).is_some() {
                    return Err(format!(
                        "process {process} to complete its operation before it invokes again"
                    ));
                }
                let f = self.spec.f(&event.f)?;
                self.keys[place].invoke(process, f, event);
                return Ok(None);
            }
            Kind::Ok | Kind::Fail | Kind::Info => self.open.remove(&process).ok_or_else(|| {
                format!("an invocation by process {process} before its completion")
            })?,
        };
        let key = &mut self.keys[place];
        let was_given_up = key.is_given_up();
        key.complete(process, event)?;
        let refuted = key.go_on(event.time, &mut self.judged);
        key.forget_names();
        let gives_up = !was_given_up && key.is_given_up() && refuted.is_none();
        self.given_up += usize::from(gives_up);
        Ok(refuted.map(|event| Violation {
            key: self.keys[place].key.clone(),
            event,
        }))
    }

    /// How much was judged.
    pub fn judged(&self) -> Judged {
        self.judged
    }

    /// How many ends of operations wait for one that is open.
    pub fn waiting(&self) -> usize {
        self.keys.iter().map(|key| key.waiting.len()).sum()
    }

    /// How many keys were given up, since they cannot be judged as quickly as
    /// they are recorded.
    pub fn given_up(&self) -> usize {
        self.given_up
    }

    /// How many bytes are held, about.
    pub fn bytes(&self) -> usize {
        self.keys.iter().map(Key::bytes).sum()
    }

    fn key(&mut self, key: Option<&Value>) -> Result<usize, String> {
        let key = key.cloned();
        if let Some(&place) = self.places.get(&key) {
            return Ok(place);
        }
        let place = self.keys.len();
        let reading = self.spec.reading(&self.header, self.nil)?;
        self.keys.push(Key::new(key.clone(), reading));
        self.places.insert(key, place);
        Ok(place)
    }
}

/// What is recorded on one key.
struct Key {
    key: Option<Value>,
    reading: Box<dyn Reading>,
    /// None once the key is given up, or refuted.
    frontier: Option<Frontier<u128>>,
    /// The ends of operations that are not judged yet, and when they were.
    waiting: VecDeque<(End, u64)>,
    /// The operations of which an end waits or that hold a slot.
    operations: Vec<Operation>,
    free_operations: Vec<u32>,
    /// By process, the operation that is open.
    open: FxHashMap<u64, u32>,
    slots: u32,
    free_slots: Vec<u32>,
    /// How many bytes names may take until some are forgotten.
    names_until: usize,
    /// Whether nothing happened to it since this was asked last.
    is_idle: bool,
    /// Whether it holds no more than it must.
    rests: bool,
}

/// One end of an operation.
#[derive(Clone, Copy)]
enum End {
    Begin(u32),
    /// With the index of its event.
    Complete(u32, u64),
}

struct Operation {
    f: &'static str,
    argument: Value,
    outcome: Outcome,
    slot: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Open,
    /// It took effect, as a call of this class.
    Known(u32),
    /// It may take effect, as a call of this class.
    Unknown(u32),
    /// It had no effect and says nothing.
    Nothing,
}

impl Outcome {
    fn class(self) -> Option<u32> {
        match self {
            Outcome::Known(class) | Outcome::Unknown(class) => Some(class),
            Outcome::Open | Outcome::Nothing => None,
        }
    }
}

impl Key {
    fn new(key: Option<Value>, reading: Box<dyn Reading>) -> Self {
        let initial = reading.initial();
        Key {
            key,
            reading,
            frontier: Some(Frontier::new(initial, Box::new(SeenForEver), false)),
            waiting: VecDeque::new(),
            operations: Vec::new(),
            free_operations: Vec::new(),
            open: FxHashMap::default(),
            slots: 0,
            free_slots: Vec::new(),
            names_until: FORGOTTEN_BEYOND,
            is_idle: false,
            rests: false,
        }
    }

    /// A key that is used no more holds little.
    fn rest_if_idle(&mut self) {
        let was_idle = std::mem::replace(&mut self.is_idle, true);
        if !was_idle || self.rests || !self.open.is_empty() || !self.waiting.is_empty() {
            return;
        }
        self.rests = true;
        self.names_until = 0;
        self.forget_names();
        if let Some(frontier) = &mut self.frontier {
            frontier.rest();
        }
        self.waiting = VecDeque::new();
        self.open = FxHashMap::default();
        if self.free_operations.len() == self.operations.len() {
            self.operations = Vec::new();
            self.free_operations = Vec::new();
        }
    }

    fn bytes(&self) -> usize {
        let arguments = self.operations.iter().map(|it| bytes::value(&it.argument));
        self.reading.bytes()
            + self.frontier.as_ref().map_or(0, Frontier::bytes)
            + self.waiting.capacity() * size_of::<(End, u64)>()
            + self.operations.capacity() * size_of::<Operation>()
            + arguments.sum::<usize>()
    }

    /// Forgets the names of what is not known any more, if names take much.
    fn forget_names(&mut self) {
        let Some(frontier) = &mut self.frontier else {
            return;
        };
        if self.reading.bytes() <= self.names_until {
            return;
        }
        let mut known = frontier.numbers();
        let waiting = self.operations.iter();
        known
            .classes
            .extend(waiting.filter_map(|it| it.outcome.class()));
        for numbers in [&mut known.classes, &mut known.states] {
            numbers.sort_unstable();
            numbers.dedup();
        }
        let Again { named, numbers } = self.reading.again(Numbers {
            classes: &known.classes,
            states: &known.states,
        });
        let again = |was: &[u32], is: &[u32], number| {
            let place = was.binary_search(&number);
            is[place.expect("what is known was named again")]
        };
        let class = |number| again(&known.classes, &numbers.classes, number);
        let state = |number| again(&known.states, &numbers.states, number);
        frontier.renumber(&*named, class, state);
        for operation in &mut self.operations {
            match &mut operation.outcome {
                Outcome::Known(number) | Outcome::Unknown(number) => *number = class(*number),
                Outcome::Open | Outcome::Nothing => {}
            }
        }
        self.reading = named;
        self.names_until = 2 * self.reading.bytes() + FORGOTTEN_BEYOND;
    }

    /// The operation at this place is needed no more.
    fn free(&mut self, place: u32) {
        let operation = &mut self.operations[place as usize];
        operation.outcome = Outcome::Nothing;
        operation.argument = Value::Null;
        self.free_operations.push(place);
    }

    fn is_given_up(&self) -> bool {
        self.frontier.is_none()
    }

    fn give_up(&mut self) {
        self.frontier = None;
        self.waiting = VecDeque::new();
        self.operations = Vec::new();
    }

    fn invoke(&mut self, process: u64, f: &'static str, event: &Event) {
        (self.is_idle, self.rests) = (false, false);
        if self.is_given_up() {
            return;
        }
        let operation = Operation {
            f,
            argument: event.value.clone(),
            outcome: Outcome::Open,
            slot: 0,
        };
        let place = match self.free_operations.pop() {
            Some(place) => {
                self.operations[place as usize] = operation;
                place
            }
            None => {
                self.operations.push(operation);
                self.operations.len() as u32 - 1
            }
        };
        self.open.insert(process, place);
        self.waiting.push_back((End::Begin(place), event.time));
    }

    fn complete(&mut self, process: u64, event: &Event) -> Result<(), String> {
        let Some(place) = self.open.remove(&process).filter(|_| !self.is_given_up()) else {
            return Ok(());
        };
        let operation = &mut self.operations[place as usize];
        let asked = Asked {
            process,
            f: operation.f,
            argument: &operation.argument,
        };
        let answer = match event.kind {
            Kind::Ok => Answer::Ok(&event.value),
            Kind::Fail => Answer::Failed,
            Kind::Info | Kind::Invoke => Answer::Unknown,
        };
        let class = self
            .reading
            .class(asked, answer)
            .map_err(|it| it.expected)?;
        operation.outcome = match class {
            Class::Said(class) => Outcome::Known(class),
            Class::Unsaid(class) if event.kind == Kind::Info => Outcome::Unknown(class),
            Class::Unsaid(_) | Class::Nothing => Outcome::Nothing,
        };
        if matches!(operation.outcome, Outcome::Known(_)) {
            let end = End::Complete(place, event.index);
            self.waiting.push_back((end, event.time));
        }
        Ok(())
    }

    /// Judges what waits for nothing any more; the event that ended the last
    /// order, if there is one.
    fn go_on(&mut self, now: u64, judged: &mut Judged) -> Option<u64> {
        while let Some(&(end, time)) = self.waiting.front() {
            let (End::Begin(place) | End::Complete(place, _)) = end;
            if self.operations[place as usize].outcome == Outcome::Open {
                return None;
            }
            self.waiting.pop_front();
            judged.ends += 1;
            judged.lag = judged.lag.max(now.saturating_sub(time));
            let taken = match end {
                End::Begin(_) => self.begin(place),
                End::Complete(..) => self.end(place),
            };
            match (taken, end) {
                (Taken::Accounted, _) => {}
                (Taken::Refuted, End::Complete(_, event)) => {
                    self.give_up();
                    return Some(event);
                }
                (Taken::Refuted | Taken::Unfinished, _) => self.give_up(),
            }
        }
        None
    }

    fn begin(&mut self, place: u32) -> Taken {
        let Some(frontier) = &mut self.frontier else {
            return Taken::Accounted;
        };
        let operation = &mut self.operations[place as usize];
        match operation.outcome {
            Outcome::Known(class) => {
                let slot = self.free_slots.pop().unwrap_or_else(|| {
                    self.slots += 1;
                    self.slots - 1
                });
                if slot >= SLOTS {
                    return Taken::Unfinished;
                }
                operation.slot = slot;
                frontier.begin(&*self.reading, place, class, slot);
            }
            Outcome::Unknown(class) => {
                if !self.reading.effect(class).is_read_only() {
                    frontier.begin_unknown(&*self.reading, place, class);
                }
                self.free(place);
            }
            Outcome::Open | Outcome::Nothing => self.free(place),
        }
        Taken::Accounted
    }

    fn end(&mut self, place: u32) -> Taken {
        let Some(frontier) = &mut self.frontier else {
            return Taken::Accounted;
        };
        let slot = self.operations[place as usize].slot;
        let mut left = CONFIGURATIONS_MAX;
        let taken = frontier.end(&*self.reading, slot, &mut left, &mut Guard::none());
        // Everything may be seen for ever: no moment differs from another, and a
        // count of them would end.
        frontier.set_at(0);
        self.free_slots.push(slot);
        self.free(place);
        taken
    }
}

/// Nobody knows yet what will not be seen.
struct SeenForEver;

impl Seen for SeenForEver {
    fn until(&mut self, _state: State) -> u32 {
        u32::MAX
    }

    fn avoided_until(&mut self, _state: State) -> u32 {
        u32::MAX
    }

    fn any_avoided_until(&mut self) -> u32 {
        u32::MAX
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tribunal_histories::History;
    use tribunal_histories::generate::{Object, Shape, linearizable, violating};

    use super::super::{Options, check};
    use super::*;
    use crate::Verdict;

    fn online(history: &History, spec: Spec) -> Option<Violation> {
        let mut online = Online::new(&history.header, spec);
        let mut events = history.events.iter();
        let violation = events.find_map(|event| online.event(event).expect("an event"));
        assert_eq!(online.given_up(), 0, "keys of few clients are not hard");
        violation
    }

    fn spec(object: Object) -> Spec {
        match object {
            Object::Register => Spec::Register,
            Object::CasRegister => Spec::CasRegister,
            Object::Kv => Spec::Kv,
        }
    }

    proptest! {
        #[test]
        fn what_is_judged_online_is_judged_as_a_whole(
            script in prop::collection::vec(any::<u32>(), 0..120),
            choice in 0_u32..1000,
            object in prop::sample::select(vec![Object::Register, Object::CasRegister, Object::Kv]),
        ) {
            let shape = Shape::small(object);
            for history in [linearizable(&shape, &script), violating(&shape, &script, choice)] {
                let options = Options::new(spec(object));
                let report = check(&history, &options).expect("a history");
                let violation = online(&history, spec(object));
                // What is open in the end was never judged; what refutes the
                // history needs no operation that is.
                match report.verdict {
                    Verdict::Valid => prop_assert_eq!(violation, None),
                    Verdict::Invalid(witness) => {
                        if let Some(violation) = violation {
                            prop_assert!(violation.event >= witness.prefix.last);
                        }
                    }
                    Verdict::Unknown(limit) => prop_assert!(false, "{limit}"),
                }
            }
        }
    }

    #[test]
    fn a_key_that_is_used_no_more_holds_little() {
        let shape = Shape::small(Object::CasRegister);
        let mut online = None;
        let keys = 2_000;
        for key in 0..keys {
            let script: Vec<u32> = (0..120_u32)
                .map(|n| (key + n).wrapping_mul(2_654_435_761) >> 7)
                .collect();
            let history = linearizable(&shape, &script);
            let online =
                online.get_or_insert_with(|| Online::new(&history.header, Spec::CasRegister));
            let mut open = rustc_hash::FxHashSet::default();
            for mut event in history.events {
                event.key = Some(i64::from(key).into());
                match event.kind {
                    Kind::Invoke => open.insert(event.process),
                    _ => open.remove(&event.process),
                };
                assert_eq!(online.event(&event).expect("an event"), None);
            }
            // Who is left open gives up.
            for process in open {
                let event = Event {
                    index: 0,
                    time: 0,
                    process,
                    kind: Kind::Info,
                    f: "read".to_owned(),
                    key: Some(i64::from(key).into()),
                    value: Value::Null,
                    error: None,
                    node: None,
                    fault: None,
                };
                assert_eq!(online.event(&event).expect("an event"), None);
            }
        }
        let online = online.expect("some keys");
        let each = online.bytes() / keys as usize;
        assert!(each < 4096, "{each} bytes a key");
    }

    #[test]
    fn a_stale_read_is_refuted_as_soon_as_nothing_before_it_is_open() {
        let shape = Shape::small(Object::CasRegister);
        let script: Vec<u32> = (0..4000_u32)
            .map(|n| n.wrapping_mul(2_654_435_761) >> 7)
            .collect();
        let history = violating(&shape, &script, 1);
        assert!(online(&history, Spec::CasRegister).is_some());
    }
}
