//! Gives the calls of a register, or of one key of a store, their numbers.
//!
//! [`Naming`](super::object::Naming) does the same for any specification. Most
//! histories are of registers, and each of their calls is about one value or
//! two: they are found by that, without hashing.

use std::sync::atomic::{AtomicUsize, Ordering};

use rustc_hash::FxHashMap;
use tribunal_histories::Value;

use super::extended::Extended;
use super::object::{Again, Class, Does, ELSEWHERE, Numbers, Object, State, Steps};
use crate::bytes;
use crate::specification::{Effect, Kv, KvCall, RegisterCall, RegisterReturn, Specification};
use crate::symbols::{Known, Symbol, Symbols};

/// No class.
const NONE: u32 = u32::MAX;

/// What is asked and answered.
type Asked = (KvCall, Option<RegisterReturn<Symbol>>);

/// Gives calls their numbers.
#[derive(Debug)]
pub(crate) struct KvNaming {
    steps: KvSteps,
    classes: Vec<Class>,
    /// By value: a read that sees it, a write of it, each with a known answer;
    /// that of an unknown one comes next.
    by_value: Vec<[u32; 2]>,
    others: FxHashMap<Asked, u32>,
}

/// A key whose calls have numbers; a state has that of its symbol.
#[derive(Debug)]
struct KvSteps {
    kv: Kv,
    asked: Vec<Asked>,
    /// Whether there is an append among them.
    appends: bool,
    /// Which values others begin.
    extended: Extended,
    /// How many bytes the symbols took before any step.
    named: Known,
    /// How many more they take by now. That is asked before every move.
    grown: AtomicUsize,
}

impl KvNaming {
    /// A key that at first holds `initial`.
    pub(crate) fn new(initial: &Value) -> Self {
        let mut symbols = Symbols::default();
        let initial = symbols.name(initial);
        KvNaming {
            steps: KvSteps {
                kv: Kv::new(initial, symbols),
                asked: Vec::new(),
                appends: false,
                extended: Extended::Unknown,
                named: Known::default(),
                grown: AtomicUsize::new(0),
            },
            classes: Vec::new(),
            by_value: Vec::new(),
            others: FxHashMap::default(),
        }
    }

    /// What the key holds at first.
    pub(crate) fn initial(&self) -> Symbol {
        self.steps.kv.value_initial()
    }

    /// The symbol of a value.
    pub(crate) fn name(&mut self, value: &Value) -> Symbol {
        self.steps.kv.symbols_mut().name(value)
    }

    /// Names these calls and states alone.
    pub(crate) fn again(&self, numbers: Numbers<&[u32]>) -> Again<KvNaming> {
        let symbols = self.steps.kv.symbols();
        let mut named = KvNaming::new(&symbols.value(self.initial()));
        let again = |named: &mut KvNaming, symbol| named.name(&symbols.value(symbol));
        let mut class = |&class: &u32| {
            let (call, returned) = self.steps.asked[class as usize];
            let call = call.map(|symbol| again(&mut named, symbol));
            let returned = returned.map(|it| it.map(|symbol| again(&mut named, symbol)));
            named.class(call, returned)
        };
        let classes = numbers.classes.iter().map(&mut class).collect();
        let state = |&state: &State| again(&mut named, Symbol::numbered(state)).number();
        let states = numbers.states.iter().map(state).collect();
        Again {
            named,
            numbers: Numbers { classes, states },
        }
    }

    /// How many bytes the names take.
    pub(crate) fn bytes(&self) -> usize {
        self.steps.kv.symbols().bytes()
            + self.classes.capacity() * size_of::<Class>()
            + self.by_value.capacity() * size_of::<[u32; 2]>()
            + bytes::table::<(Asked, u32)>(self.others.capacity(), self.others.len())
            + self.steps.asked.capacity() * size_of::<Asked>()
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
            let known = match kind {
                0 => returned,
                _ => Some(RegisterReturn::Done),
            };
            let unknown = self.classes.len() as u32 + 1;
            self.by_value[value][kind] = self.add(call, known, unknown);
            self.add(call, None, unknown);
        }
        self.by_value[value][kind] + u32::from(returned.is_none())
    }

    fn other(&mut self, (call, returned): Asked) -> u32 {
        if let Some(&class) = self.others.get(&(call, returned)) {
            return class;
        }
        // However it is answered, it is the same call where that is not known.
        let unknown = match self.others.get(&(call, None)) {
            Some(&unknown) => unknown,
            None => self.add(call, None, self.classes.len() as u32),
        };
        self.others.insert((call, None), unknown);
        if returned.is_none() {
            return unknown;
        }
        let class = self.add(call, returned, unknown);
        self.others.insert((call, returned), class);
        class
    }

    /// A new class; that of the same call whose answer is not known is `unknown`.
    fn add(&mut self, call: KvCall, returned: Option<RegisterReturn<Symbol>>, unknown: u32) -> u32 {
        let number = self.classes.len() as u32;
        let effect = self.steps.kv.effect(&call, returned.as_ref());
        self.classes.push(Class {
            effect: effect.map(Symbol::number),
            is_known: returned.is_some(),
            unknown,
        });
        self.steps.asked.push((call, returned));
        self.steps.appends |= matches!(call, KvCall::Append(_));
        number
    }

    /// The object, once all its calls have their classes.
    pub(crate) fn object(mut self) -> Object {
        if self.appends_always() {
            for (class, (call, _)) in self.classes.iter_mut().zip(&self.steps.asked) {
                if matches!(call, KvCall::Append(_)) {
                    class.effect = Effect::Total;
                }
            }
            self.steps.extended = self.extended();
        }
        self.steps.named = self.steps.kv.symbols().known();
        Object {
            initial: self.initial().number(),
            is_anywhere: false,
            classes: self.classes,
            steps: Box::new(self.steps),
        }
    }

    /// Which values others begin, if no append can be refused.
    fn extended(&mut self) -> Extended {
        let (mut written, mut appended) = (vec![self.initial()], Vec::new());
        for (call, _) in &self.steps.asked {
            match *call {
                KvCall::Register(RegisterCall::Write(to) | RegisterCall::Cas { to, .. }) => {
                    written.push(to);
                }
                KvCall::Register(RegisterCall::Read) => {}
                KvCall::Append(last) => appended.push(last),
            }
        }
        let symbols = self.steps.kv.symbols_mut();
        match appended.first().map(|&last| symbols.is_text(last)) {
            None => Extended::Unknown,
            Some(true) => Extended::texts(symbols, &written, &appended),
            Some(false) => Extended::Lists,
        }
    }

    /// Whether no append can be refused: all that a key can hold are lists, or
    /// all are texts and texts are appended to them.
    fn appends_always(&self) -> bool {
        let symbols = self.steps.kv.symbols();
        let asked = &self.steps.asked;
        let mut lists = true;
        let mut texts = true;
        let mut left = |symbol: Symbol| {
            lists &= symbols.is_list(symbol) || symbol == Symbol::NULL;
            texts &= symbols.is_text(symbol) || symbol == Symbol::NULL;
        };
        left(self.initial());
        for (call, _) in asked {
            match *call {
                KvCall::Register(RegisterCall::Write(to) | RegisterCall::Cas { to, .. }) => {
                    left(to);
                }
                KvCall::Register(RegisterCall::Read) | KvCall::Append(_) => {}
            }
        }
        let appended = || {
            asked.iter().filter_map(|(call, _)| match *call {
                KvCall::Append(last) => Some(symbols.is_text(last)),
                KvCall::Register(_) => None,
            })
        };
        lists && appended().all(|text| !text) || texts && appended().all(|text| text)
    }
}

impl Does for KvNaming {
    fn effect(&self, class: u32) -> Effect<State> {
        self.classes[class as usize].effect
    }

    fn step(&self, class: u32, state: State) -> Option<State> {
        self.classes[class as usize].step(class, state, &self.steps)
    }
}

impl KvSteps {
    fn note_growth(&self) {
        let bytes = self.kv.symbols().bytes();
        let grown = bytes.saturating_sub(self.named.bytes);
        self.grown.store(grown, Ordering::Relaxed);
    }
}

impl Steps for KvSteps {
    /// Where it is known which values others begin, all have names that can lead to
    /// one that a call tells; appending to another leads to another.
    fn step(&self, state: State, class: u32) -> Option<State> {
        let (KvCall::Append(last), true) = (self.asked[class as usize].0, self.extended.is_known())
        else {
            return self.step_exactly(state, class);
        };
        if state == ELSEWHERE {
            return Some(ELSEWHERE);
        }
        let state = Symbol::numbered(state);
        let next = self.extended.append(&self.kv.symbols(), state, last);
        // A name that came later tells nothing.
        let next = next.filter(|&next| self.named.includes(next));
        Some(next.map_or(ELSEWHERE, Symbol::number))
    }

    fn step_exactly(&self, state: State, class: u32) -> Option<State> {
        let (call, returned) = &self.asked[class as usize];
        let next = self
            .kv
            .step(&Symbol::numbered(state), call, returned.as_ref())?;
        if matches!(call, KvCall::Append(_)) {
            self.note_growth();
        }
        Some(next.number())
    }

    /// A text that is appended to grows where it is.
    fn carry_out(&self, state: State, classes: &mut dyn Iterator<Item = u32>) -> Option<State> {
        let mut held = state;
        let mut growing: Option<String> = None;
        for class in classes {
            if let (KvCall::Append(last), Extended::Texts(_)) =
                (self.asked[class as usize].0, &self.extended)
            {
                let symbols = self.kv.symbols();
                let text = |symbol| symbols.text(symbol).unwrap_or_default();
                let front = || text(Symbol::numbered(held)).to_owned();
                growing.get_or_insert_with(front).push_str(text(last));
                continue;
            }
            let is_seen = !matches!(
                self.asked[class as usize].0,
                KvCall::Register(RegisterCall::Write(_))
            );
            if let Some(text) = growing.as_ref().filter(|_| is_seen) {
                let named = self.kv.symbols().find_text(text);
                held = named.map_or(ELSEWHERE, Symbol::number);
            }
            held = self.step_exactly(held, class)?;
            growing = growing.filter(|_| held == ELSEWHERE);
        }
        match growing {
            Some(text) => {
                let named = self.kv.symbols().name(&Value::Text(text));
                self.note_growth();
                Some(named.number())
            }
            None => Some(held),
        }
    }

    /// It differs from every symbol, and only an append asks for more.
    fn knows_elsewhere(&self) -> bool {
        !self.appends
    }

    fn spread(&self, lasts: &mut Vec<u32>) -> bool {
        self.extended.spread(&self.kv.symbols(), lasts)
    }

    fn bytes(&self) -> usize {
        self.grown.load(Ordering::Relaxed)
    }

    fn forget(&self) {
        self.kv.symbols().keep_only(self.named);
        self.note_growth();
    }

    fn show(&self, state: State) -> Value {
        self.kv.symbols().value(Symbol::numbered(state))
    }
}
