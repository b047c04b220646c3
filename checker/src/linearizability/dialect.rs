//! From what a history records to calls of single objects.
//!
//! Here is decided what an outcome means: what never took effect and what
//! says nothing is left out, and a value becomes a small number. Keys do not
//! influence each other and are judged apart.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use tribunal_histories::{
    FailedCas, Header, History, HistoryError, Nil, Operation, Outcome, Value,
};

use crate::spec::Spec;
use crate::specification::{Kv, KvCall, RegisterCall, RegisterReturn, TimedCall, TimedCallOf};
use crate::symbols::{Symbol, Symbols};

/// What happened on one key.
pub(crate) struct KeyHistory {
    pub(crate) key: Option<Value>,
    initial: Symbol,
    symbols: Arc<Symbols>,
    failed_cas: FailedCas,
    /// All operations on the key, in the order of invocation.
    pub(crate) operations: Vec<Recorded>,
}

/// One operation on the key.
pub(crate) struct Recorded {
    /// Its place among the operations of the whole history.
    pub(crate) operation: usize,
    pub(crate) call: KvCall,
    invoked: u32,
    pub(crate) completed: Option<u32>,
    answer: Answer,
}

/// What a completion says.
#[derive(Clone, Copy)]
enum Answer {
    Returned(RegisterReturn<Symbol>),
    Failed,
    /// It completed and says nothing about the object.
    Nothing,
    Unknown,
}

impl KeyHistory {
    /// The calls in the prefix of the history up to the event `until`, with
    /// the operation that each one is. What completes later is open.
    pub(crate) fn calls(&self, until: u32) -> (Vec<TimedCallOf<Kv>>, Vec<usize>) {
        let begun = self.operations.iter().take_while(|it| it.invoked <= until);
        begun
            .filter_map(|recorded| {
                let call = recorded.timed(until, self.failed_cas)?;
                Some((call, recorded.operation))
            })
            .unzip()
    }

    /// What judges the key.
    pub(crate) fn specification(&self) -> Kv {
        Kv::new(self.initial, Arc::clone(&self.symbols))
    }
}

impl Recorded {
    fn timed(&self, until: u32, failed_cas: FailedCas) -> Option<TimedCallOf<Kv>> {
        let completed = self.completed.filter(|&completed| completed <= until);
        let is_cas = matches!(self.call, KvCall::Register(RegisterCall::Cas { .. }));
        let returned = match (completed, self.answer) {
            (None, _) | (Some(_), Answer::Unknown) => None,
            (Some(at), Answer::Returned(returned)) => Some((at, returned)),
            (Some(at), Answer::Failed) if is_cas && failed_cas == FailedCas::Observed => {
                Some((at, RegisterReturn::Mismatch))
            }
            (Some(_), Answer::Failed | Answer::Nothing) => return None,
        };
        Some(TimedCall {
            call: self.call,
            invoked: self.invoked,
            completed: returned,
        })
    }
}

/// Takes a history apart into its keys, in the order in which they first
/// occur.
pub(crate) fn keys(
    history: &History,
    operations: &[Operation],
    spec: Spec,
    nil: Nil,
) -> Result<Vec<KeyHistory>, HistoryError> {
    let mut keys: Vec<KeyHistory> = Vec::new();
    let mut places: FxHashMap<Option<&Value>, usize> = FxHashMap::default();
    for (number, operation) in operations.iter().enumerate() {
        let place = *places.entry(operation.key.as_ref()).or_insert_with(|| {
            keys.push(KeyHistory::new(operation.key.clone(), &history.header));
            keys.len() - 1
        });
        keys[place]
            .record(number, operation, spec, nil)
            .map_err(|expected| history.malformed(operation.invoked, expected))?;
    }
    Ok(keys)
}

impl KeyHistory {
    fn new(key: Option<Value>, header: &Header) -> Self {
        let mut symbols = Symbols::default();
        KeyHistory {
            key,
            initial: symbols.name(&header.initial),
            symbols: symbols.into(),
            failed_cas: header.failed_cas,
            operations: Vec::new(),
        }
    }

    fn record(
        &mut self,
        number: usize,
        operation: &Operation,
        spec: Spec,
        nil: Nil,
    ) -> Result<(), String> {
        let call = self.call(operation, spec, nil)?;
        let answer = match (&operation.outcome, call) {
            (Outcome::Fail, _) => Answer::Failed,
            (Outcome::Info, _) => Answer::Unknown,
            (Outcome::Ok(Value::Null), KvCall::Register(RegisterCall::Read))
                if nil == Nil::Unknown =>
            {
                Answer::Nothing
            }
            (Outcome::Ok(value), KvCall::Register(RegisterCall::Read)) => {
                Answer::Returned(RegisterReturn::Value(self.name(value, nil)))
            }
            (Outcome::Ok(_), _) => Answer::Returned(RegisterReturn::Done),
        };
        self.operations.push(Recorded {
            operation: number,
            call,
            invoked: place(operation.invoked)?,
            completed: operation.completed.map(place).transpose()?,
            answer,
        });
        Ok(())
    }

    fn call(&mut self, operation: &Operation, spec: Spec, nil: Nil) -> Result<KvCall, String> {
        let Some(function) = spec.function(&operation.f) else {
            return Err(format!(
                "an operation of {} ({}), found {:?}",
                spec.name(),
                spec.functions().join(", "),
                operation.f
            ));
        };
        let argument = &operation.argument;
        Ok(KvCall::Register(match function {
            "read" => RegisterCall::Read,
            "write" => RegisterCall::Write(self.name(argument, nil)),
            "delete" => RegisterCall::Write(self.name(&Value::Null, nil)),
            "append" => return Ok(KvCall::Append(self.name(argument, nil))),
            _ => match argument {
                Value::List(pair) if pair.len() == 2 => RegisterCall::Cas {
                    from: self.name(&pair[0], nil),
                    to: self.name(&pair[1], nil),
                },
                other => return Err(format!("a cas value [old, new], found {other}")),
            },
        }))
    }

    /// Nothing is what the key held at first, unless a read of it is said to
    /// mean nothing at all.
    fn name(&mut self, value: &Value, nil: Nil) -> Symbol {
        match (value, nil) {
            (Value::Null, Nil::Initial) => self.initial,
            _ => Arc::make_mut(&mut self.symbols).name(value),
        }
    }
}

fn place(index: u64) -> Result<u32, String> {
    u32::try_from(index)
        .ok()
        .filter(|&place| place < u32::MAX)
        .ok_or_else(|| format!("an index below {}, found {index}", u32::MAX))
}
