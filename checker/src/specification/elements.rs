//! Elements without an order: what sets and multisets share.
//!
//! An element is neither null nor true or false: those are what an answer has
//! to say. States are lists of elements in the order of values.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::marker::PhantomData;

use tribunal_histories::Value;

use super::reading::{known, list, natural, unknown};
use super::{Asked, Effect, Recorded, Specification};
use crate::bytes;

/// A kind of elements without an order.
pub trait Kind: Clone + Debug + Send + Sync + 'static {
    /// Whether an element can be there more than once.
    const REPEATS: bool;
    /// The operations.
    const FUNCTIONS: &'static [&'static str];
}

/// Elements without an order.
#[derive(Clone, Debug)]
pub struct Elements<K> {
    /// What is there at first, in order.
    initial: Vec<Value>,
    /// The only element that is asked about, if there is one only.
    only: Option<Value>,
    kind: PhantomData<K>,
}

impl<K> Elements<K> {
    /// Whether only one element is asked about.
    pub(crate) fn is_part(&self) -> bool {
        self.only.is_some()
    }
}

/// What is asked of elements.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ElementsCall {
    /// Let this be there; once more, if elements repeat.
    Add(Value),
    /// Let this not be there; once less, if elements repeat.
    Remove(Value),
    /// Is this there?
    Contains(Value),
    /// How many times is this there?
    Count(Value),
    /// What is there?
    Read,
    /// How many are there?
    Size,
}

/// What is answered of elements.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ElementsReturn {
    /// It was done, whatever it changed.
    Done,
    /// Whether an add or a remove changed something; whether the element is
    /// there.
    Whether(bool),
    /// So many.
    Number(u64),
    /// These, in order.
    All(Vec<Value>),
}

/// What elements are there: in order, to be kept, or in a tree, to be changed often.
trait There {
    fn count(&self, element: &Value) -> u64;
    fn put(&mut self, element: &Value);
    /// Takes out one that is there.
    fn take(&mut self, element: &Value);
    fn all(&self) -> u64;
    /// Whether these are there, in order.
    fn are(&self, listed: &[Value]) -> bool;
}

impl There for Vec<Value> {
    fn count(&self, element: &Value) -> u64 {
        let until = self.partition_point(|it| it <= element);
        (until - self.partition_point(|it| it < element)) as u64
    }

    fn put(&mut self, element: &Value) {
        let place = self.partition_point(|it| it < element);
        self.insert(place, element.clone());
    }

    fn take(&mut self, element: &Value) {
        let place = self.partition_point(|it| it < element);
        self.remove(place);
    }

    fn all(&self) -> u64 {
        self.len() as u64
    }

    fn are(&self, listed: &[Value]) -> bool {
        self == listed
    }
}

/// How often each element is there, and how many there are.
#[derive(Default)]
struct Tree {
    counts: BTreeMap<Value, u64>,
    all: u64,
}

impl There for Tree {
    fn count(&self, element: &Value) -> u64 {
        self.counts.get(element).copied().unwrap_or(0)
    }

    fn put(&mut self, element: &Value) {
        self.all += 1;
        match self.counts.get_mut(element) {
            Some(count) => *count += 1,
            None => {
                self.counts.insert(element.clone(), 1);
            }
        }
    }

    fn take(&mut self, element: &Value) {
        self.all -= 1;
        match self.counts.get_mut(element) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                self.counts.remove(element);
            }
        }
    }

    fn all(&self) -> u64 {
        self.all
    }

    fn are(&self, listed: &[Value]) -> bool {
        self.all == listed.len() as u64 && self.listed().eq(listed)
    }
}

impl Tree {
    fn listed(&self) -> impl Iterator<Item = &Value> {
        let counts = self.counts.iter();
        counts.flat_map(|(element, &count)| (0..count).map(move |_| element))
    }
}

impl<K: Kind> Elements<K> {
    /// Carries a call out, if it can have `returned` that; whether it can.
    fn carry(
        there: &mut impl There,
        call: &ElementsCall,
        returned: Option<&ElementsReturn>,
    ) -> bool {
        use ElementsCall::{Add, Contains, Count, Read, Remove, Size};
        use ElementsReturn::{All, Done, Number, Whether};
        let count = match call {
            Add(element) | Remove(element) | Contains(element) | Count(element) => {
                there.count(element)
            }
            Read | Size => 0,
        };
        let is_changed = match call {
            Add(_) => K::REPEATS || count == 0,
            Remove(_) => count > 0,
            Contains(_) | Count(_) | Read | Size => false,
        };
        let is_possible = match (call, returned) {
            (_, None) | (Add(_) | Remove(_), Some(Done)) => true,
            (Add(_) | Remove(_), Some(Whether(told))) => *told == is_changed,
            (Contains(_), Some(Whether(told))) => *told == (count > 0),
            (Count(_), Some(Number(told))) => *told == count,
            (Size, Some(Number(told))) => *told == there.all(),
            (Read, Some(All(told))) => there.are(told),
            (Add(_) | Remove(_), Some(Number(_) | All(_)))
            | (Contains(_), Some(Done | Number(_) | All(_)))
            | (Count(_) | Size, Some(Done | Whether(_) | All(_)))
            | (Read, Some(Done | Whether(_) | Number(_))) => false,
        };
        match call {
            Add(element) if is_changed => there.put(element),
            Remove(element) if is_changed => there.take(element),
            _ => {}
        }
        is_possible
    }
}

/// So many times an element is there at most in a state that an effect names.
const COUNT_MAX: u64 = 1 << 10;

/// What a call does if nothing is there but so many times the element that it
/// is about; none if that is no more than can be said anyway.
fn effect_alone<K: Kind>(
    call: &ElementsCall,
    returned: Option<&ElementsReturn>,
) -> Option<Effect<Vec<Value>>> {
    use ElementsCall::{Add, Contains, Count, Read, Remove, Size};
    use ElementsReturn::{Done, Number, Whether};
    let element = match call {
        Add(element) | Remove(element) | Contains(element) | Count(element) => element,
        Read | Size => return None,
    };
    let gone = Vec::new;
    let there = || vec![element.clone()];
    Some(match (call, returned) {
        (Remove(_) | Contains(_), Some(Whether(false))) => Effect::Observe(Some(gone())),
        (Count(_), Some(Number(told @ ..=COUNT_MAX))) => {
            Effect::Observe(Some(vec![element.clone(); *told as usize]))
        }
        _ if K::REPEATS => return None,
        (Add(_), None | Some(Done)) => Effect::Replace(there()),
        (Remove(_), None | Some(Done)) => Effect::Replace(gone()),
        (Add(_), Some(Whether(true))) => Effect::Change {
            from: gone(),
            to: there(),
        },
        (Remove(_), Some(Whether(true))) => Effect::Change {
            from: there(),
            to: gone(),
        },
        (Add(_), Some(Whether(false))) | (Contains(_), Some(Whether(true))) => {
            Effect::Observe(Some(there()))
        }
        _ => return None,
    })
}

impl<K: Kind> Specification for Elements<K> {
    type State = Vec<Value>;
    type Call = ElementsCall;
    type Return = ElementsReturn;

    fn initial(&self) -> Vec<Value> {
        self.initial.clone()
    }

    fn step(
        &self,
        state: &Vec<Value>,
        call: &ElementsCall,
        returned: Option<&ElementsReturn>,
    ) -> Option<Vec<Value>> {
        self.advance(state.clone(), call, returned)
    }

    fn advance(
        &self,
        mut state: Vec<Value>,
        call: &ElementsCall,
        returned: Option<&ElementsReturn>,
    ) -> Option<Vec<Value>> {
        Self::carry(&mut state, call, returned).then_some(state)
    }

    fn carry_out<'a>(
        &self,
        state: Vec<Value>,
        calls: &mut dyn Iterator<Item = (&'a ElementsCall, Option<&'a ElementsReturn>)>,
    ) -> Option<Vec<Value>> {
        let mut tree = Tree::default();
        for element in &state {
            tree.put(element);
        }
        for (call, returned) in calls {
            if !Self::carry(&mut tree, call, returned) {
                return None;
            }
        }
        Some(tree.listed().cloned().collect())
    }

    fn heap(&self, state: &Vec<Value>) -> usize {
        bytes::values(state)
    }

    fn effect(&self, call: &ElementsCall, returned: Option<&ElementsReturn>) -> Effect<Vec<Value>> {
        use ElementsCall::{Add, Contains, Count, Read, Remove, Size};
        use ElementsReturn::{All, Done, Number, Whether};
        let alone = self.only.as_ref();
        if let Some(effect) = alone.and_then(|_| effect_alone::<K>(call, returned)) {
            return effect;
        }
        match (call, returned) {
            (Add(_) | Remove(_), None | Some(Done)) => Effect::Total,
            (Add(_), Some(Whether(true))) if K::REPEATS => Effect::Total,
            (Add(_) | Remove(_), Some(Whether(false))) => Effect::Observe(None),
            (Size, Some(Number(0))) => Effect::Observe(Some(Vec::new())),
            (Read, Some(All(all))) if K::REPEATS || all.is_sorted_by(|one, next| one < next) => {
                Effect::Observe(Some(all.clone()))
            }
            (Contains(_) | Count(_) | Read | Size, _) => Effect::Observe(None),
            (Add(_) | Remove(_), Some(_)) => Effect::Other,
        }
    }
}

impl<K: Kind> Recorded for Elements<K> {
    const FUNCTIONS: &'static [&'static str] = K::FUNCTIONS;

    fn holding(initial: &Value) -> Result<Self, String> {
        let elements = list(initial)?.iter().map(element);
        let mut initial = elements.collect::<Result<Vec<Value>, String>>()?;
        initial.sort_unstable();
        match initial.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) if !K::REPEATS => {
                let twice = &pair[0];
                Err(format!("each element once, found {twice} twice"))
            }
            _ => Ok(Elements {
                initial,
                only: None,
                kind: PhantomData,
            }),
        }
    }

    fn call(&self, asked: Asked<'_>) -> Result<ElementsCall, String> {
        if !K::FUNCTIONS.contains(&asked.f) {
            return Err(unknown(asked, K::FUNCTIONS));
        }
        Ok(match asked.f {
            "add" | "insert" => ElementsCall::Add(element(asked.argument)?),
            "remove" => ElementsCall::Remove(element(asked.argument)?),
            "contains" => ElementsCall::Contains(element(asked.argument)?),
            "count" => ElementsCall::Count(element(asked.argument)?),
            "read" => ElementsCall::Read,
            "size" => ElementsCall::Size,
            _ => return Err(unknown(asked, K::FUNCTIONS)),
        })
    }

    fn returned(
        &self,
        call: &ElementsCall,
        value: &Value,
    ) -> Result<Option<ElementsReturn>, String> {
        use ElementsCall::{Add, Contains, Count, Read, Remove, Size};
        Ok(Some(match (call, value) {
            (Add(_) | Remove(_) | Contains(_), Value::Bool(told)) => ElementsReturn::Whether(*told),
            (Add(_) | Remove(_), Value::Null) => ElementsReturn::Done,
            (Add(element) | Remove(element), _) if value == element => ElementsReturn::Done,
            (Add(element) | Remove(element), _) => {
                return Err(format!("true, false, null or {element}, found {value}"));
            }
            (Contains(_), _) => return Err(format!("true or false, found {value}")),
            (Count(_) | Size, _) => {
                ElementsReturn::Number(natural(value, "how many there are, from 0")?)
            }
            (Read, _) => {
                let mut all = list(value)?.to_vec();
                all.sort_unstable();
                ElementsReturn::All(all)
            }
        }))
    }

    /// Elements do not influence each other; only what is asked of all of them
    /// has no part.
    fn part(&self, call: &ElementsCall) -> Option<Value> {
        use ElementsCall::{Add, Contains, Count, Read, Remove, Size};
        match call {
            Add(element) | Remove(element) | Contains(element) | Count(element) => {
                Some(element.clone())
            }
            Read | Size => None,
        }
    }

    fn of_part(&self, part: &Value) -> Self {
        let there = self.initial.iter().filter(|it| *it == part);
        Elements {
            initial: there.cloned().collect(),
            only: Some(part.clone()),
            kind: PhantomData,
        }
    }

    fn returned_or_unknown(
        &self,
        call: &ElementsCall,
        value: &Value,
    ) -> Result<Option<ElementsReturn>, String> {
        if *call == ElementsCall::Read {
            known(value)?;
        }
        self.returned(call, value)
    }

    fn show(&self, state: &Vec<Value>) -> Value {
        Value::List(state.clone())
    }
}

fn element(value: &Value) -> Result<Value, String> {
    match value {
        Value::Null | Value::Bool(_) => {
            let expected = "an element that is neither null nor true or false";
            Err(format!("{expected}, found {value}"))
        }
        _ => Ok(value.clone()),
    }
}
