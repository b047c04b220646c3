//! Values as small numbers, so that a search compares and copies four bytes.
//!
//! A list is named by the list without its last element and that element:
//! appending costs one look-up however long the list is.

use rustc_hash::FxHashMap;
use tribunal_histories::Value;

use crate::bytes;

/// Whole numbers from 0 up to this are looked up without hashing.
const SMALL: usize = 64;

/// A value's number in a [`Symbols`] table. Equal values have equal numbers, but for
/// what was named as the beginning of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(u32);

impl Symbol {
    /// The name of [`Value::Null`] in every table.
    pub const NULL: Symbol = Symbol(0);
    /// The number itself.
    pub(crate) const fn number(self) -> u32 {
        self.0
    }

    /// The symbol with this number, which is one.
    pub(crate) const fn numbered(number: u32) -> Symbol {
        Symbol(number)
    }

    /// The name of the empty list in every table.
    const EMPTY: Symbol = Symbol(1);
}

/// What there is of symbols at some time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    count: usize,
    /// How many bytes the values take that are beside the tables.
    beside: usize,
    /// How many bytes all take.
    pub(crate) bytes: usize,
}

/// Gives values their numbers.
#[derive(Clone, Debug)]
pub struct Symbols {
    entries: Vec<Entry>,
    /// The numbers of small whole numbers.
    small: Vec<Option<Symbol>>,
    plain: FxHashMap<Value, Symbol>,
    lists: FxHashMap<(Symbol, Symbol), Symbol>,
    texts: FxHashMap<(Symbol, Symbol), Symbol>,
    /// How many bytes the plain values hold on the heap.
    beside: usize,
}

/// How many bytes a symbol takes at least.
pub(crate) const SYMBOL_BYTES: usize = size_of::<Entry>();

#[derive(Clone, Debug)]
enum Entry {
    Plain(Value),
    EmptyList,
    List {
        front: Symbol,
        last: Symbol,
    },
    /// What a plain text begins with.
    Begin {
        of: Symbol,
        bytes: u32,
    },
}

impl Known {
    /// Whether there was this one.
    pub(crate) fn includes(&self, symbol: Symbol) -> bool {
        (symbol.0 as usize) < self.count
    }
}

impl Default for Symbols {
    fn default() -> Self {
        Symbols {
            entries: vec![Entry::Plain(Value::Null), Entry::EmptyList],
            small: Vec::new(),
            plain: FxHashMap::from_iter([(Value::Null, Symbol::NULL)]),
            lists: FxHashMap::default(),
            texts: FxHashMap::default(),
            beside: 0,
        }
    }
}

impl Symbols {
    /// The number of `value`, a new one if it has none yet.
    pub fn name(&mut self, value: &Value) -> Symbol {
        if let Value::List(values) = value {
            return values.iter().fold(Symbol::EMPTY, |front, last| {
                let last = self.name(last);
                self.push(front, last)
            });
        }
        let small = match *value {
            Value::Int(number) => usize::try_from(number).ok(),
            _ => None,
        };
        if let Some(&Some(symbol)) = small.and_then(|place| self.small.get(place)) {
            return symbol;
        }
        if let Some(&symbol) = self.plain.get(value) {
            return symbol;
        }
        let symbol = self.add(Entry::Plain(value.clone()));
        self.beside += bytes::value(value);
        // As long as the table stays about as large as what it holds.
        match small.filter(|&place| place < SMALL + 4 * self.entries.len()) {
            Some(place) => {
                if self.small.len() <= place {
                    self.small.resize(place + 1, None);
                }
                self.small[place] = Some(symbol);
            }
            None => {
                self.plain.insert(value.clone(), symbol);
                self.beside += bytes::value(value);
            }
        }
        symbol
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What there is of them now.
    pub(crate) fn known(&self) -> Known {
        Known {
            count: self.entries.len(),
            beside: self.beside,
            bytes: self.bytes(),
        }
    }

    /// Forgets all that came since; nobody may know one of their numbers any more.
    pub(crate) fn keep_only(&mut self, known: Known) {
        if self.entries.len() == known.count {
            return;
        }
        let is_known = |symbol: Symbol| known.includes(symbol);
        self.entries.truncate(known.count);
        self.entries.shrink_to_fit();
        for small in &mut self.small {
            *small = small.filter(|&symbol| is_known(symbol));
        }
        self.plain.retain(|_, symbol| is_known(*symbol));
        self.plain.shrink_to_fit();
        for pairs in [&mut self.lists, &mut self.texts] {
            pairs.retain(|_, symbol| is_known(*symbol));
            pairs.shrink_to_fit();
        }
        self.beside = known.beside;
    }

    /// How many bytes they take.
    pub(crate) fn bytes(&self) -> usize {
        let pairs = |table: &FxHashMap<(Symbol, Symbol), Symbol>| {
            bytes::table::<((Symbol, Symbol), Symbol)>(table.capacity(), table.len())
        };
        self.entries.capacity() * size_of::<Entry>()
            + self.small.capacity() * size_of::<Option<Symbol>>()
            + bytes::table::<(Value, Symbol)>(self.plain.capacity(), self.plain.len())
            + pairs(&self.lists)
            + pairs(&self.texts)
            + self.beside
    }

    /// What `symbol` stands for.
    pub fn value(&self, symbol: Symbol) -> Value {
        match &self.entries[symbol.0 as usize] {
            Entry::Plain(value) => value.clone(),
            Entry::EmptyList => Value::List(Vec::new()),
            Entry::List { .. } => Value::List(self.elements(symbol)),
            Entry::Begin { .. } => Value::Text(self.text(symbol).unwrap_or_default().to_owned()),
        }
    }

    /// The text that it stands for, if it does for one.
    pub(crate) fn text(&self, symbol: Symbol) -> Option<&str> {
        match &self.entries[symbol.0 as usize] {
            Entry::Plain(Value::Text(text)) => Some(text),
            &Entry::Begin { of, bytes } => self.text(of)?.get(..bytes as usize),
            _ => None,
        }
    }

    /// A name for the first `bytes` of a plain text, which have none.
    pub(crate) fn begin(&mut self, of: Symbol, bytes: usize) -> Option<Symbol> {
        let bytes = u32::try_from(bytes).ok()?;
        Some(self.add(Entry::Begin { of, bytes }))
    }

    /// The symbol of a text, if it has one.
    pub(crate) fn find_text(&self, text: &str) -> Option<Symbol> {
        self.plain.get(&Value::Text(text.to_owned())).copied()
    }

    /// Whether it stands for a text.
    pub(crate) fn is_text(&self, symbol: Symbol) -> bool {
        self.text(symbol).is_some()
    }

    /// Whether it stands for a list.
    pub(crate) fn is_list(&self, symbol: Symbol) -> bool {
        let entry = &self.entries[symbol.0 as usize];
        matches!(entry, Entry::EmptyList | Entry::List { .. })
    }

    /// All lists but the empty one, each with what it is without its last element,
    /// those that came last first; then the empty one, with nothing.
    pub(crate) fn fronts(&self) -> impl Iterator<Item = (Symbol, Symbol)> {
        let all = self.entries.iter().enumerate().rev();
        let fronts = all.filter_map(|(number, entry)| match *entry {
            Entry::List { front, .. } => Some((Symbol(number as u32), front)),
            Entry::Plain(_) | Entry::EmptyList | Entry::Begin { .. } => None,
        });
        fronts.chain([(Symbol::EMPTY, Symbol::NULL)])
    }

    /// All texts.
    pub(crate) fn texts(&self) -> Vec<(String, Symbol)> {
        let all = (0..).zip(&self.entries);
        let texts = all.filter_map(|(number, entry)| match entry {
            Entry::Plain(Value::Text(text)) => Some((text.clone(), Symbol(number))),
            _ => None,
        });
        texts.collect()
    }

    /// `state` with `last` added at its end; nothing if it has no end.
    pub fn append(&mut self, state: Symbol, last: Symbol) -> Option<Symbol> {
        let text = match (
            &self.entries[state.0 as usize],
            &self.entries[last.0 as usize],
        ) {
            (Entry::EmptyList | Entry::List { .. }, _) => return Some(self.push(state, last)),
            (Entry::Plain(Value::Null), Entry::Plain(Value::Text(_))) => return Some(last),
            (Entry::Plain(Value::Null), _) => return Some(self.push(Symbol::EMPTY, last)),
            (_, Entry::Plain(Value::Text(back))) => {
                let front = self.text(state)?;
                if let Some(&symbol) = self.texts.get(&(state, last)) {
                    return Some(symbol);
                }
                format!("{front}{back}")
            }
            _ => return None,
        };
        let symbol = self.name(&Value::Text(text));
        self.texts.insert((state, last), symbol);
        Some(symbol)
    }

    /// The list that `front` is with `last` added, if it has a number; `front` is a
    /// list or nothing.
    pub(crate) fn pushed(&self, front: Symbol, last: Symbol) -> Option<Symbol> {
        let front = match front {
            Symbol::NULL => Symbol::EMPTY,
            list => list,
        };
        self.lists.get(&(front, last)).copied()
    }

    fn push(&mut self, front: Symbol, last: Symbol) -> Symbol {
        if let Some(&symbol) = self.lists.get(&(front, last)) {
            return symbol;
        }
        let symbol = self.add(Entry::List { front, last });
        self.lists.insert((front, last), symbol);
        symbol
    }

    fn add(&mut self, entry: Entry) -> Symbol {
        let number = u32::try_from(self.entries.len()).expect("fewer than 2^32 values");
        self.entries.push(entry);
        Symbol(number)
    }

    fn elements(&self, mut list: Symbol) -> Vec<Value> {
        let mut elements = Vec::new();
        while let Entry::List { front, last } = self.entries[list.0 as usize] {
            elements.push(self.value(last));
            list = front;
        }
        elements.reverse();
        elements
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_comes_back_as_it_went_in() {
        let values = [
            Value::Null,
            Value::Int(-3),
            Value::Bool(true),
            Value::List(vec![]),
            Value::List(vec![1.into(), Value::List(vec![2.into()]), "x".into()]),
            Value::Text("null".into()),
        ];
        let mut symbols = Symbols::default();
        let names: Vec<Symbol> = values.iter().map(|value| symbols.name(value)).collect();
        let again: Vec<Symbol> = values.iter().map(|value| symbols.name(value)).collect();
        assert_eq!(names, again);
        let back: Vec<Value> = names.iter().map(|&symbol| symbols.value(symbol)).collect();
        assert_eq!(back, values);
    }
}
