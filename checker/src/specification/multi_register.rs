//! Several registers, read and written by transactions that are each one
//! operation.
//!
//! | operation | argument | answer |
//! |---|---|---|
//! | `txn` | micro-operations in order: `["r", key, null]`, `["w", key, value]` | the same list with what each read found in the place of its null |
//!
//! `read` and `write` are taken for `r` and `w`. A transaction sees its own
//! writes. A read of null found what the register held at first.
//!
//! At first every register holds the header's initial value, null if there is
//! none; of a map the registers that it names hold what it says, and all
//! others null. States are shown as a map, too: of what is not as at first;
//! names that are no texts as a list of pairs.
//!
//! Knossos' `multi-register`. All that is asked of transactions here is an
//! order of single steps, strict serializability; without one
//! [`crate::transactions`] names what went wrong, and is much quicker on long
//! histories whose written values differ. Transactions of one register each
//! are judged register by register.

use std::collections::BTreeMap;

use tribunal_histories::Value;

use super::reading::unknown;
use super::{Asked, Effect, Recorded, Specification};
use crate::bytes;

/// Several registers; see the module.
#[derive(Clone, Debug)]
pub struct MultiRegister {
    /// What some registers hold at first.
    initial: Registers,
    /// What all others do.
    others: Value,
    /// Whether transactions are of one and the same register only.
    is_alone: bool,
}

/// What registers hold that do not hold the same as all others at first.
pub type Registers = BTreeMap<Value, Value>;

/// A transaction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Transaction(Vec<Micro>);

/// A step of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Micro {
    /// What does this register hold?
    Read(Value),
    /// Let this register hold that.
    Write(Value, Value),
}

/// What the reads of a transaction found, in order, as far as that is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Found(Vec<Option<Value>>);

impl MultiRegister {
    /// What a register holds at first.
    fn at_first(&self, key: &Value) -> &Value {
        self.initial.get(key).unwrap_or(&self.others)
    }

    /// What the reads of a transaction found; of null what a register held at
    /// first, or nothing that is known.
    fn found(
        &self,
        call: &Transaction,
        value: &Value,
        is_null_known: bool,
    ) -> Result<Option<Found>, String> {
        let told = list(value)?;
        if told.len() != call.0.len() {
            let count = call.0.len();
            return Err(format!("a completion with {count} micro-operations"));
        }
        let mut found = Vec::new();
        for (micro, told) in call.0.iter().zip(told) {
            let (does, key, value) = parts(told)?;
            let is_unknown = *value == Value::Null && !is_null_known;
            let value = match value {
                Value::Null => self.at_first(key),
                _ => value,
            };
            match (micro, does) {
                (Micro::Read(asked), Does::Read) if asked == key => {
                    found.push((!is_unknown).then(|| value.clone()));
                }
                (Micro::Write(asked, written), Does::Write) if asked == key && written == value => {
                }
                (Micro::Read(asked), _) => {
                    return Err(format!("a completion of the read of {asked}, found {told}"));
                }
                (Micro::Write(asked, written), _) => {
                    let expected = format!("a completion of the write of {written} to {asked}");
                    return Err(format!("{expected}, found {told}"));
                }
            }
        }
        Ok(Some(Found(found)))
    }

    /// What a transaction of the only register does; none if that is no more
    /// than can be said anyway.
    fn effect_alone(
        &self,
        call: &Transaction,
        returned: Option<&Found>,
    ) -> Option<Effect<Registers>> {
        let holding = |key: &Value, value: &Value| match *value == self.others {
            true => Registers::new(),
            false => Registers::from([(key.clone(), value.clone())]),
        };
        let from = match (call.0.first()?, returned) {
            (Micro::Write(..), _) => None,
            (Micro::Read(key), Some(Found(found))) => Some(holding(key, found.first()?.as_ref()?)),
            (Micro::Read(_), None) if call.0.iter().any(Micro::is_write) => None,
            (Micro::Read(_), None) => return None,
        };
        let before = from.as_ref().unwrap_or(&self.initial);
        let to = self.step(before, call, returned)?;
        Some(match from {
            None => Effect::Replace(to),
            Some(from) if from == to => Effect::Observe(Some(from)),
            Some(from) => Effect::Change { from, to },
        })
    }
}

impl Micro {
    fn is_write(&self) -> bool {
        matches!(self, Micro::Write(..))
    }
}

impl Transaction {
    /// Whether a read's answer depends on more than the transaction itself.
    fn looks_around(&self) -> bool {
        self.0.iter().enumerate().any(|(place, micro)| match micro {
            Micro::Write(..) => false,
            Micro::Read(key) => {
                let own = |it: &Micro| matches!(it, Micro::Write(of, _) if of == key);
                !self.0[..place].iter().any(own)
            }
        })
    }

    /// Whether it leaves something else than was there, if that is what it
    /// found.
    fn changes(&self, found: Option<&Found>) -> bool {
        let mut found = found.map(|Found(found)| found.iter());
        let (mut before, mut written) = (BTreeMap::new(), BTreeMap::new());
        for micro in &self.0 {
            match micro {
                Micro::Read(key) => {
                    let value = found.as_mut().and_then(Iterator::next);
                    let value = value.and_then(Option::as_ref);
                    if !written.contains_key(key) {
                        before.insert(key, value);
                    }
                }
                Micro::Write(key, value) => {
                    written.insert(key, value);
                }
            }
        }
        let same = |(key, value): (&&Value, &&Value)| before.get(key) == Some(&Some(*value));
        !written.iter().all(same)
    }
}

impl Specification for MultiRegister {
    type State = Registers;
    type Call = Transaction;
    type Return = Found;

    fn initial(&self) -> Registers {
        self.initial.clone()
    }

    fn step(
        &self,
        state: &Registers,
        call: &Transaction,
        returned: Option<&Found>,
    ) -> Option<Registers> {
        let mut after = state.clone();
        let mut found = returned.map(|Found(found)| found.iter());
        for micro in &call.0 {
            match micro {
                Micro::Read(key) => {
                    let holds = after.get(key).unwrap_or(&self.others);
                    if let Some(found) = &mut found
                        && found.next()?.as_ref().is_some_and(|found| found != holds)
                    {
                        return None;
                    }
                }
                Micro::Write(key, value) if *value == self.others => {
                    after.remove(key);
                }
                Micro::Write(key, value) => {
                    after.insert(key.clone(), value.clone());
                }
            }
        }
        Some(after)
    }

    fn heap(&self, state: &Registers) -> usize {
        let beside = state.iter().flat_map(|(key, it)| [key, it]);
        bytes::tree::<(Value, Value)>(state.len()) + beside.map(bytes::value).sum::<usize>()
    }

    fn effect(&self, call: &Transaction, returned: Option<&Found>) -> Effect<Registers> {
        if self.is_alone
            && let Some(effect) = self.effect_alone(call, returned)
        {
            return effect;
        }
        let possible_somewhere = || self.step(&self.initial, call, returned).is_some();
        match returned {
            _ if !call.changes(returned) => Effect::Observe(None),
            None => Effect::Total,
            Some(_) if !call.looks_around() && possible_somewhere() => Effect::Total,
            Some(_) => Effect::Other,
        }
    }
}

impl Recorded for MultiRegister {
    const FUNCTIONS: &'static [&'static str] = &["txn"];

    fn holding(initial: &Value) -> Result<Self, String> {
        let (initial, others) = match initial {
            Value::Map(map) => {
                let holds = map.iter().filter(|(_, value)| **value != Value::Null);
                let named = holds.map(|(key, value)| (key.as_str().into(), value.clone()));
                (named.collect(), Value::Null)
            }
            _ => (Registers::new(), initial.clone()),
        };
        Ok(MultiRegister {
            initial,
            others,
            is_alone: false,
        })
    }

    fn call(&self, asked: Asked<'_>) -> Result<Transaction, String> {
        if asked.f != "txn" {
            return Err(unknown(asked, Self::FUNCTIONS));
        }
        let micros = list(asked.argument)?.iter().map(|micro| {
            let (does, key, value) = parts(micro)?;
            Ok(match does {
                Does::Read => Micro::Read(key.clone()),
                Does::Write if *value == Value::Null => {
                    Micro::Write(key.clone(), self.at_first(key).clone())
                }
                Does::Write => Micro::Write(key.clone(), value.clone()),
            })
        });
        Ok(Transaction(micros.collect::<Result<_, String>>()?))
    }

    fn returned(&self, call: &Transaction, value: &Value) -> Result<Option<Found>, String> {
        self.found(call, value, true)
    }

    fn returned_or_unknown(
        &self,
        call: &Transaction,
        value: &Value,
    ) -> Result<Option<Found>, String> {
        self.found(call, value, false)
    }

    fn of_part(&self, part: &Value) -> Self {
        let holds = self.initial.get_key_value(part);
        MultiRegister {
            initial: holds
                .map(|(key, value)| (key.clone(), value.clone()))
                .into_iter()
                .collect(),
            others: self.others.clone(),
            is_alone: true,
        }
    }

    fn part(&self, call: &Transaction) -> Option<Value> {
        let key = |micro: &Micro| match micro {
            Micro::Read(key) | Micro::Write(key, _) => key.clone(),
        };
        let first = call.0.first().map(key)?;
        let all = call.0.iter().all(|micro| key(micro) == first);
        all.then_some(first)
    }

    fn show(&self, state: &Registers) -> Value {
        if state.is_empty() {
            return self.others.clone();
        }
        let named = state.iter().map(|(key, value)| match key {
            Value::Text(name) => Some((name.clone(), value.clone())),
            _ => None,
        });
        let pair = |(key, value): (&Value, &Value)| Value::List(vec![key.clone(), value.clone()]);
        named
            .collect::<Option<BTreeMap<_, _>>>()
            .map_or_else(|| Value::List(state.iter().map(pair).collect()), Value::Map)
    }
}

/// What a micro-operation does.
#[derive(Clone, Copy)]
enum Does {
    Read,
    Write,
}

const EXPECTED: &str = "a list of [\"r\", key, null] and [\"w\", key, value]";

fn list(value: &Value) -> Result<&[Value], String> {
    match value {
        Value::List(micros) => Ok(micros),
        _ => Err(format!("{EXPECTED}, found {value}")),
    }
}

fn parts(micro: &Value) -> Result<(Does, &Value, &Value), String> {
    let refused = || format!("{EXPECTED}, found {micro}");
    let Value::List(parts) = micro else {
        return Err(refused());
    };
    let [Value::Text(f), key, value] = parts.as_slice() else {
        return Err(refused());
    };
    match f.as_str() {
        "r" | "read" => Ok((Does::Read, key, value)),
        "w" | "write" => Ok((Does::Write, key, value)),
        _ => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specification::laws::{check, holds, judge, refusals};

    #[test]
    fn registers_keep_the_laws() {
        check::<MultiRegister>(
            &["null", "{\"x\":1,\"y\":2}", "7"],
            &[
                (
                    0,
                    "txn",
                    r#"[["r","x",null]]"#,
                    r#"[[["r","x",null]],[["r","x",1]]]"#,
                ),
                (
                    0,
                    "txn",
                    r#"[["read","y",null],["r","x",null]]"#,
                    r#"[[["r","y",2],["r","x",1]],[["r","y",null],["r","x",null]]]"#,
                ),
                (0, "txn", r#"[["w","x",1]]"#, r#"[[["w","x",1]]]"#),
                (0, "txn", r#"[["w","y",2]]"#, r#"[[["write","y",2]]]"#),
                (
                    0,
                    "txn",
                    r#"[["w","y",3],["r","y",null]]"#,
                    r#"[[["w","y",3],["r","y",3]],[["w","y",3],["r","y",2]]]"#,
                ),
                (
                    0,
                    "txn",
                    r#"[["r","x",null],["w","x",null]]"#,
                    r#"[[["r","x",1],["w","x",null]]]"#,
                ),
                (0, "txn", r#"[["w","z",1]]"#, r#"[[["w","z",1]]]"#),
                (0, "txn", "[]", "[[]]"),
            ],
        );
    }

    #[test]
    fn a_register_may_have_any_name() {
        let registers = holds::<MultiRegister>("null").expect("registers");
        let state = Registers::from([(1.into(), 5.into()), ("x".into(), 6.into())]);
        let shown = registers.show(&state).to_string();
        assert_eq!(shown, r#"[[1,5],["x",6]]"#);
    }

    #[test]
    fn a_transaction_is_seen_whole() {
        let seen = |x, y| {
            let text = format!(
                r#"
                0 invoke txn [["w","x",1],["w","y",1]]
                1 invoke txn [["r","x",null],["r","y",null]]
                0 ok txn [["w","x",1],["w","y",1]]
                1 ok txn [["r","x",{x}],["r","y",{y}]]"#
            );
            judge::<MultiRegister>("0", &text)
        };
        assert!(seen("0", "0"));
        assert!(seen("1", "1"));
        assert!(!seen("1", "0"));
        assert!(!seen("0", "1"));
    }

    #[test]
    fn what_is_no_transaction_is_refused() {
        refusals::<MultiRegister>(
            &[
                "txn null",
                "txn [[\"cas\",1,2]]",
                "txn [[\"r\",1,null]] -> []",
                "txn [[\"r\",1,null]] -> [[\"r\",2,5]]",
                "txn [[\"w\",1,4]] -> [[\"w\",1,5]]",
            ],
            r#"
            txn null: expected a list of ["r", key, null] and ["w", key, value], found null
            txn [["cas",1,2]]: expected a list of ["r", key, null] and ["w", key, value], found ["cas",1,2]
            txn [["r",1,null]] -> []: expected a completion with 1 micro-operations
            txn [["r",1,null]] -> [["r",2,5]]: expected a completion of the read of 1, found ["r",2,5]
            txn [["w",1,4]] -> [["w",1,5]]: expected a completion of the write of 4 to 1, found ["w",1,5]"#,
        );
    }
}
