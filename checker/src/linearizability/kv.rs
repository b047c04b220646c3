//! Gives the calls of a register, or of one key of a store, their numbers.
//!
//! [`Naming`](super::object::Naming) does the same for any specification. Most
//! histories are of registers, and each of their calls is about one value or
//! two: they are found by that, without hashing.

use rustc_hash::FxHashMap;
use tribunal_histories::Value;

use super::object::{Class, Object, State, Steps};
use crate::specification::{Effect, Kv, KvCall, RegisterCall, RegisterReturn, Specification};
use crate::symbols::{Symbol, Symbols};

/// No class.
const NONE: u32 = u32::MAX;

/// What is asked and answered.
type Asked = (KvCall, Option<RegisterReturn<Symbol>>);

/// Gives calls their numbers.
#[derive(Debug)]
pub(crate) struct KvNaming {
    pub(crate) symbols: Symbols,
    pub(crate) initial: Symbol,
    asked: Vec<Asked>,
    /// By value: a read that sees it, a write of it, each with a known answer;
    /// that of an unknown one comes next.
    by_value: Vec<[u32; 2]>,
    others: FxHashMap<Asked, u32>,
}

impl KvNaming {
    /// A key that at first holds `initial`.
    pub(crate) fn new(initial: &Value) -> Self {
        let mut symbols = Symbols::default();
        KvNaming {
            initial: symbols.name(initial),
            symbols,
            asked: Vec::new(),
            by_value: Vec::new(),
            others: FxHashMap::default(),
        }
    }

    /// The class of a call with this answer.
    pub(crate) fn class(&mut self, call: KvCall, returned: Option<RegisterReturn<Symbol>>) -> u32 {
        use RegisterCall::{Read, Write};
        let about = match (call, returned) {
            (KvCall::Register(Read), Some(RegisterReturn::Value(seen))) => Some((seen, 0)),
            (KvCall::Register(Write(value)), Some(RegisterReturn::Done) | None) => Some((value, 1)),
            _ => None,
        };
        let Some((value, kind)) = about else {
            return self.other((call, returned));
        };
        let value = value.number() as usize;
        if self.by_value.len() <= value {
            self.by_value.resize(value + 1, [NONE; 2]);
        }
        if self.by_value[value][kind] == NONE {
            self.by_value[value][kind] = self.asked.len() as u32;
            let known = match kind {
                0 => returned,
                _ => Some(RegisterReturn::Done),
            };
            self.asked.extend([(call, known), (call, None)]);
        }
        self.by_value[value][kind] + u32::from(returned.is_none())
    }

    fn other(&mut self, (call, returned): Asked) -> u32 {
        if let Some(&class) = self.others.get(&(call, returned)) {
            return class;
        }
        let class = self.asked.len() as u32;
        let known = returned.or(Some(RegisterReturn::Done));
        self.asked.extend([(call, known), (call, None)]);
        self.others.insert((call, known), class);
        self.others.entry((call, None)).or_insert(class + 1);
        class + u32::from(returned.is_none())
    }

    /// The object, once all its calls have their classes.
    pub(crate) fn object(self) -> Object {
        let always = self.appends_always();
        let kv = Kv::new(self.initial, self.symbols);
        let class = |(number, (call, returned)): (u32, &Asked)| Class {
            effect: match kv.effect(call, returned.as_ref()) {
                Effect::Other if always && matches!(call, KvCall::Append(_)) => Effect::Total,
                effect => effect.map(Symbol::number),
            },
            is_known: returned.is_some(),
            unknown: number | 1,
        };
        let classes = (0..).zip(&self.asked).map(class).collect();
        Object {
            initial: self.initial.number(),
            classes,
            steps: Box::new(KvSteps {
                kv,
                asked: self.asked,
            }),
        }
    }

    /// Whether no append can be refused: all that a key can hold are lists, or
    /// all are texts and texts are appended to them.
    fn appends_always(&self) -> bool {
        let mut lists = true;
        let mut texts = true;
        let mut left = |symbol: Symbol| {
            let is_text = self.symbols.is_text(symbol);
            let is_list = self.symbols.is_list(symbol);
            lists &= is_list || symbol == Symbol::NULL;
            texts &= is_text || symbol == Symbol::NULL;
        };
        left(self.initial);
        for (call, _) in &self.asked {
            match *call {
                KvCall::Register(RegisterCall::Write(to) | RegisterCall::Cas { to, .. }) => {
                    left(to)
                }
                KvCall::Register(RegisterCall::Read) | KvCall::Append(_) => {}
            }
        }
        let appended = || {
            self.asked.iter().filter_map(|(call, _)| match *call {
                KvCall::Append(last) => Some(self.symbols.is_text(last)),
                KvCall::Register(_) => None,
            })
        };
        lists && appended().all(|text| !text) || texts && appended().all(|text| text)
    }
}

/// A key whose calls have numbers; a state has that of its symbol.
#[derive(Debug)]
struct KvSteps {
    kv: Kv,
    asked: Vec<Asked>,
}

impl Steps for KvSteps {
    fn step(&self, state: State, class: u32) -> Option<State> {
        let (call, returned) = &self.asked[class as usize];
        let next = self
            .kv
            .step(&Symbol::numbered(state), call, returned.as_ref())?;
        Some(next.number())
    }

    /// It differs from every symbol, and only an append asks for more.
    fn knows_elsewhere(&self) -> bool {
        let is_append = |(call, _): &Asked| matches!(call, KvCall::Append(_));
        !self.asked.iter().any(is_append)
    }

    fn show(&self, state: State) -> Value {
        self.kv.symbols().value(Symbol::numbered(state))
    }
}
