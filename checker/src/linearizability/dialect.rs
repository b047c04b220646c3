//! From what a history records to calls of single objects.
//!
//! Here is decided what an outcome means: what never took effect and what
//! says nothing is left out, and calls and values become numbers. Keys do not
//! influence each other and are judged apart; so are the parts of an object
//! that has such.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use tribunal_histories::{
    Event, FailedCas, Header, History, HistoryError, Kind, Nil, Pair, Process, Value,
};

use super::anywhere;
use super::bounded::Counting;
use super::kv::KvNaming;
use super::monitored::{self, Monitored};
use super::object::{self, Again, Call, Does, Hooks, NEVER, Naming, Numbers, Object, State};
use crate::spec::{Spec, by_type};
use crate::specification::reading::{done, done_or_refused};
use crate::specification::{Asked, Effect, KvCall, RegisterCall, RegisterReturn};

/// No class.
const NONE: u32 = u32::MAX;

/// What happened on one key.
pub(crate) struct KeyHistory {
    pub(crate) spec: Spec,
    pub(crate) key: Option<Value>,
    /// Which part of it, if each is judged by itself.
    pub(crate) part: Option<Value>,
    pub(crate) object: Arc<Object>,
    /// All operations on the key, in the order of invocation.
    pub(crate) operations: Vec<Done>,
}

/// One operation on the key. Its ends are places among all events.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    /// Its place among the operations of the whole history.
    pub(crate) operation: u32,
    /// What is asked and answered; [`NONE`] if it says nothing about the object
    /// and does nothing to it.
    class: u32,
    pub(crate) invoked: u32,
    /// [`NEVER`] if it has not completed.
    pub(crate) completed: u32,
    ending: Ending,
}

/// What a completion says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// The answer, or that the call took effect.
    Answered,
    /// That it never took effect, and never will.
    Failed,
    /// Nothing.
    Unknown,
}

impl Done {
    /// What is asked and answered, if it says or does anything.
    pub(crate) fn class(&self) -> Option<u32> {
        (self.class != NONE).then_some(self.class)
    }
}

impl KeyHistory {
    /// The calls in the prefix of the history up to the event `until`, with
    /// the operation that each one is. What completes later is open.
    pub(crate) fn calls(&self, until: u32) -> (Vec<Call>, Vec<u32>) {
        let begun = self.operations.iter().take_while(|it| it.invoked <= until);
        let mut calls = Vec::with_capacity(self.operations.len());
        let mut whose = Vec::with_capacity(self.operations.len());
        for done in begun {
            if let Some(call) = self.call(done, until) {
                calls.push(call);
                whose.push(done.operation);
            }
        }
        (calls, whose)
    }

    /// The calls in the whole history.
    pub(crate) fn all_calls(&self) -> impl Iterator<Item = Call> {
        let operations = self.operations.iter();
        operations.filter_map(|done| self.call(done, NEVER - 1))
    }

    /// The call that an operation is in the prefix up to the event `until`, if it
    /// is one.
    fn call(&self, done: &Done, until: u32) -> Option<Call> {
        let has_completed = done.completed != NEVER && done.completed <= until;
        if done.class == NONE || has_completed && done.ending == Ending::Failed {
            return None;
        }
        let is_answered = has_completed && done.ending == Ending::Answered;
        Some(match is_answered {
            true => Call {
                class: done.class,
                invoked: done.invoked,
                completed: done.completed,
            },
            false => Call {
                class: self.object.classes[done.class as usize].unknown,
                invoked: done.invoked,
                completed: NEVER,
            },
        })
    }
}

/// Takes a history apart into its keys, in the order in which they first
/// occur.
///
/// # Errors
///
/// If it holds what is no operation of `spec`.
pub(crate) fn keys(
    history: &History,
    pairs: &[Pair],
    spec: Spec,
    nil: Nil,
) -> Result<Vec<KeyHistory>, HistoryError> {
    let header = &history.header;
    let mut keys: Vec<Key> = Vec::new();
    let mut places: FxHashMap<Option<&Value>, usize> = FxHashMap::default();
    for (number, &pair) in (0..).zip(pairs) {
        let invocation = &history.events[pair.invoked as usize];
        let key = invocation.key.as_ref();
        let place = match places.get(&key) {
            Some(&place) => place,
            None => {
                keys.push(Key {
                    key,
                    reading: spec.reading(header, nil).map_err(|expected| {
                        history.malformed_header(format!("initial to be {expected}"))
                    })?,
                    operations: Vec::new(),
                });
                places.insert(key, keys.len() - 1);
                keys.len() - 1
            }
        };
        let completion = pair.completed.map(|place| &history.events[place as usize]);
        let key = &mut keys[place];
        let (class, ending) = key
            .read(spec, invocation, completion)
            .map_err(|unexpected| {
                // Where it completes, if it was read there.
                let place = pair.completed.filter(|_| unexpected.is_answer);
                history.malformed_at(place.unwrap_or(pair.invoked) as usize, unexpected.expected)
            })?;
        key.operations.push(Done {
            operation: number,
            class,
            invoked: pair.invoked,
            completed: pair.completed.unwrap_or(NEVER),
            ending,
        });
    }
    Ok(keys.into_iter().flat_map(|key| key.parts(spec)).collect())
}

/// A key that is being read.
struct Key<'a> {
    key: Option<&'a Value>,
    reading: Box<dyn Reading>,
    operations: Vec<Done>,
}

impl Key<'_> {
    /// The class of an operation, and how it ended.
    fn read(
        &mut self,
        spec: Spec,
        invocation: &Event,
        completion: Option<&Event>,
    ) -> Result<(u32, Ending), Unexpected> {
        let f = spec.f(&invocation.f).map_err(Unexpected::asked)?;
        let process = match invocation.process {
            Process::Client(process) => process,
            Process::Nemesis => u64::MAX,
        };
        let asked = Asked {
            process,
            f,
            argument: &invocation.value,
        };
        let (answer, ending) = match completion.map(|event| (event.kind, &event.value)) {
            Some((Kind::Ok, value)) => (Answer::Ok(value), Ending::Answered),
            Some((Kind::Fail, _)) => (Answer::Failed, Ending::Failed),
            Some((Kind::Info | Kind::Invoke, _)) | None => (Answer::Unknown, Ending::Unknown),
        };
        Ok(match self.reading.class(asked, answer)? {
            Class::Said(class) => (class, Ending::Answered),
            Class::Unsaid(class) => (class, ending),
            Class::Nothing => (NONE, ending),
        })
    }

    /// The key as a whole, or its parts, if every call is about one.
    fn parts(self, spec: Spec) -> Vec<KeyHistory> {
        let Key {
            key,
            reading,
            operations,
        } = self;
        let part = |done: &Done| {
            let part = reading.parts().get(done.class as usize);
            part.and_then(Option::as_ref)
        };
        let said = || operations.iter().filter(|done| done.class != NONE);
        if said().next().is_none() || !said().all(|done| part(done).is_some()) {
            return vec![KeyHistory {
                spec,
                key: key.cloned(),
                part: None,
                object: reading.finish(),
                operations,
            }];
        }
        let mut places: FxHashMap<&Value, usize> = FxHashMap::default();
        let mut apart: Vec<(&Value, Vec<Done>)> = Vec::new();
        for done in said() {
            let Some(part) = part(done) else { continue };
            let place = *places.entry(part).or_insert_with(|| {
                apart.push((part, Vec::new()));
                apart.len() - 1
            });
            apart[place].1.push(*done);
        }
        let alone = |(part, mut operations): (&Value, Vec<Done>)| {
            let classes: Vec<u32> = operations.iter().map(|done| done.class).collect();
            let (object, classes) = reading.alone(part, &classes)?;
            for (done, class) in operations.iter_mut().zip(classes) {
                done.class = class;
            }
            Some(KeyHistory {
                spec,
                key: key.cloned(),
                part: Some(part.clone()),
                object,
                operations,
            })
        };
        apart.into_iter().filter_map(alone).collect()
    }
}

/// That an operation is none of the object's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unexpected {
    /// What value was expected instead.
    pub(crate) expected: String,
    /// Whether it is the answer.
    is_answer: bool,
}

impl Unexpected {
    fn asked(expected: String) -> Self {
        Unexpected {
            expected,
            is_answer: false,
        }
    }

    fn answered(expected: String) -> Self {
        Unexpected {
            expected,
            is_answer: true,
        }
    }
}

/// What a completion says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer<'a> {
    Ok(&'a Value),
    Failed,
    Unknown,
}

/// What an operation is to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// A call that was answered so.
    Said(u32),
    /// A call of this class, of which the completion says no more than how it
    /// ended.
    Unsaid(u32),
    /// Nothing.
    Nothing,
}

/// Gives the operations on one key their classes, and knows what calls of these
/// do as soon as it has.
pub(crate) trait Reading: Does + Send {
    /// What an operation is to the object.
    ///
    /// # Errors
    ///
    /// What was expected instead.
    fn class(&mut self, asked: Asked<'_>, answer: Answer<'_>) -> Result<Class, Unexpected>;
    /// What the object holds at first.
    fn initial(&self) -> State;
    /// By class, the part of the object that a call is about.
    fn parts(&self) -> &[Option<Value>] {
        &[]
    }
    /// A part as an object by itself, and what each of these classes is to it,
    /// if the object has parts.
    fn alone(&self, part: &Value, classes: &[u32]) -> Option<(Arc<Object>, Vec<u32>)> {
        let _ = (part, classes);
        None
    }
    /// What reads on with the names of these calls and states alone.
    fn again(&self, numbers: Numbers<&[u32]>) -> Again<Box<dyn Reading>>;
    /// How many bytes the names take, about.
    fn bytes(&self) -> usize;
    /// The object.
    fn finish(self: Box<Self>) -> Arc<Object>;
}

impl Spec {
    /// What `f` is called by the checker.
    ///
    /// # Errors
    ///
    /// What is allowed instead.
    pub(crate) fn f(self, f: &str) -> Result<&'static str, String> {
        self.function(f).ok_or_else(|| {
            let all = self.functions().join(", ");
            format!("an operation of {self} ({all}), found {f:?}")
        })
    }

    /// What reads the operations on a key.
    ///
    /// # Errors
    ///
    /// What it can hold at first, if not what the header says.
    pub(crate) fn reading(self, header: &Header, nil: Nil) -> Result<Box<dyn Reading>, String> {
        by_type!(
            self,
            Ok(Box::new(KvReading::new(header, nil))),
            recorded,
            header,
            nil
        )
    }
}

fn recorded<S: Monitored>(header: &Header, nil: Nil) -> Result<Box<dyn Reading>, String> {
    Ok(Box::new(RecordedReading::<S>::new(header, nil)?))
}

/// Registers, and stores.
struct KvReading {
    naming: KvNaming,
    nil: Nil,
    failed_cas: FailedCas,
}

impl KvReading {
    fn new(header: &Header, nil: Nil) -> Self {
        KvReading {
            naming: KvNaming::new(&header.initial),
            nil,
            failed_cas: header.failed_cas,
        }
    }

    fn call(&mut self, asked: Asked<'_>) -> Result<KvCall, String> {
        let argument = asked.argument;
        Ok(KvCall::Register(match asked.f {
            "read" => RegisterCall::Read,
            "write" => RegisterCall::Write(self.name(argument)),
            "delete" => RegisterCall::Write(self.name(&Value::Null)),
            "append" => return Ok(KvCall::Append(self.name(argument))),
            _ => match argument {
                Value::List(pair) if pair.len() == 2 => RegisterCall::Cas {
                    from: self.name(&pair[0]),
                    to: self.name(&pair[1]),
                },
                other => return Err(format!("a cas value [old, new], found {other}")),
            },
        }))
    }

    /// Nothing is what the key held at first, unless a read of it is said to
    /// mean nothing at all.
    fn name(&mut self, value: &Value) -> crate::symbols::Symbol {
        match (value, self.nil) {
            (Value::Null, Nil::Initial) => self.naming.initial(),
            _ => self.naming.name(value),
        }
    }
}

impl Reading for KvReading {
    fn class(&mut self, asked: Asked<'_>, answer: Answer<'_>) -> Result<Class, Unexpected> {
        use RegisterReturn::{Done, Mismatch};
        let call = self.call(asked).map_err(Unexpected::asked)?;
        let is_read = call == KvCall::Register(RegisterCall::Read);
        let is_cas = matches!(call, KvCall::Register(RegisterCall::Cas { .. }));
        let returned = match answer {
            Answer::Ok(Value::Null) if is_read && self.nil == Nil::Unknown => {
                return Ok(Class::Nothing);
            }
            Answer::Ok(value) if is_read => RegisterReturn::Value(self.name(value)),
            Answer::Ok(value) if is_cas => {
                match done_or_refused(value, asked.argument).map_err(Unexpected::answered)? {
                    true => Done,
                    false => Mismatch,
                }
            }
            Answer::Ok(value) => {
                done(value, asked.argument).map_err(Unexpected::answered)?;
                Done
            }
            Answer::Failed if is_cas && self.failed_cas == FailedCas::Observed => Mismatch,
            Answer::Failed | Answer::Unknown => {
                return Ok(Class::Unsaid(self.naming.class(call, None)));
            }
        };
        Ok(Class::Said(self.naming.class(call, Some(returned))))
    }

    fn initial(&self) -> State {
        self.naming.initial().number()
    }

    fn again(&self, numbers: Numbers<&[u32]>) -> Again<Box<dyn Reading>> {
        let Again { named, numbers } = self.naming.again(numbers);
        let reading = KvReading {
            naming: named,
            ..*self
        };
        Again {
            named: Box::new(reading),
            numbers,
        }
    }

    fn bytes(&self) -> usize {
        self.naming.bytes()
    }

    fn finish(self: Box<Self>) -> Arc<Object> {
        Arc::new(self.naming.object())
    }
}

impl Does for KvReading {
    fn effect(&self, class: u32) -> Effect<State> {
        self.naming.effect(class)
    }

    fn step(&self, class: u32, state: State) -> Option<State> {
        self.naming.step(class, state)
    }
}

/// Objects of any other kind.
struct RecordedReading<S: Monitored> {
    naming: Naming<S>,
    parts: Vec<Option<Value>>,
    nil: Nil,
    failed_cas: FailedCas,
}

impl<S: Monitored> RecordedReading<S> {
    /// # Errors
    ///
    /// What it can hold at first, if not what the header says.
    fn new(header: &Header, nil: Nil) -> Result<Self, String> {
        Ok(RecordedReading {
            naming: Naming::new(
                S::holding(&header.initial)?,
                Hooks {
                    show: S::show,
                    monitor: S::monitor,
                    about: S::about,
                    anywhere: anywhere::object,
                    use_of_anywhere: S::ANYWHERE,
                    may_follow: monitored::may_follow,
                    is_foreign: S::is_foreign,
                    counting: Counting::of,
                    is_seen_whole: S::SEEN_WHOLE,
                    of_these: S::of_these,
                    of_elements: S::of_elements,
                },
            ),
            parts: Vec::new(),
            nil,
            failed_cas: header.failed_cas,
        })
    }
}

impl<S: Monitored> Reading for RecordedReading<S> {
    fn class(&mut self, asked: Asked<'_>, answer: Answer<'_>) -> Result<Class, Unexpected> {
        let specification = self.naming.specification();
        let call = specification.call(asked).map_err(Unexpected::asked)?;
        let returned = match answer {
            Answer::Ok(value) => match self.nil {
                Nil::Initial => specification.returned(&call, value),
                Nil::Unknown => specification.returned_or_unknown(&call, value),
            }
            .map_err(Unexpected::answered)?,
            Answer::Failed if self.failed_cas == FailedCas::Observed => {
                specification.refused(&call)
            }
            Answer::Failed | Answer::Unknown => None,
        };
        let part = specification.part(&call);
        let completes = matches!(answer, Answer::Ok(_)) || returned.is_some();
        let class = self.naming.class(object::Asked {
            call,
            returned,
            completes,
        });
        self.parts.resize(self.naming.len(), None);
        self.parts[class as usize] = part;
        Ok(match completes {
            true => Class::Said(class),
            false => Class::Unsaid(class),
        })
    }

    fn initial(&self) -> State {
        0
    }

    fn parts(&self) -> &[Option<Value>] {
        &self.parts
    }

    fn alone(&self, part: &Value, classes: &[u32]) -> Option<(Arc<Object>, Vec<u32>)> {
        let this = self.naming.specification().of_part(part);
        let whose = Numbers {
            classes,
            states: &[],
        };
        let Again { named, numbers } = self.naming.again(this, whose);
        Some((Arc::new(named.object()), numbers.classes))
    }

    fn again(&self, numbers: Numbers<&[u32]>) -> Again<Box<dyn Reading>> {
        let this = self.naming.specification().clone();
        let was = numbers.classes;
        let Again { named, numbers } = self.naming.again(this, numbers);
        let mut parts = vec![None; named.len()];
        for (&was, &class) in was.iter().zip(&numbers.classes) {
            parts[class as usize].clone_from(&self.parts[was as usize]);
        }
        let reading = RecordedReading {
            naming: named,
            parts,
            nil: self.nil,
            failed_cas: self.failed_cas,
        };
        Again {
            named: Box::new(reading),
            numbers,
        }
    }

    fn bytes(&self) -> usize {
        self.naming.bytes() + self.parts.capacity() * size_of::<Option<Value>>()
    }

    fn finish(self: Box<Self>) -> Arc<Object> {
        Arc::new(self.naming.object())
    }
}

impl<S: Monitored> Does for RecordedReading<S> {
    fn effect(&self, class: u32) -> Effect<State> {
        self.naming.effect(class)
    }

    fn step(&self, class: u32, state: State) -> Option<State> {
        self.naming.step(class, state)
    }
}
