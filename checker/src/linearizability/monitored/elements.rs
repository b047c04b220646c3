//! Sets, as long as nobody asks for all elements; sets that only grow, and multisets
//! that are used as such; and multisets of which one element is only counted, which
//! are counters.

use rustc_hash::FxHashSet;
use tribunal_histories::Value;

use super::translation::{Numbers, Translation, Word};
use super::{Exchange, Monitored, only};
use crate::linearizability::guard::Guard;
use crate::linearizability::object::About;
use crate::monitors::{Decided, Interval, counter, growing_set, set};
use crate::specification::elements::{
    Elements, ElementsCall as Call, ElementsReturn as Return, Kind,
};
use crate::specification::{Recorded, Specification};

impl<K: Kind> Monitored for Elements<K> {
    const SEEN_WHOLE: bool = true;

    fn monitor(
        &self,
        calls: &[Interval<Exchange<'_, Self>>],
        guard: &mut Guard<'_>,
    ) -> Option<Decided> {
        let initial = self.initial();
        let reads = |call: &Asked<'_>| *call.operation.0 == Call::Read;
        if calls
            .iter()
            .any(|call| reads(call) && call.completed.is_some())
        {
            return as_growing_set::<K>(&initial, calls, guard);
        }
        let decided = match K::REPEATS {
            false => as_set(&initial, calls, guard),
            true => as_counter(&initial, calls, guard),
        };
        decided.or_else(|| as_growing_set::<K>(&initial, calls, guard))
    }

    fn about(&self, call: &Call, returned: Option<&Return>) -> Option<About<Value>> {
        // What is there at first no call puts in.
        if self.is_part() || !self.initial().is_empty() {
            return None;
        }
        Some(match (call, returned) {
            (
                Call::Add(element)
                | Call::Remove(element)
                | Call::Contains(element)
                | Call::Count(element),
                _,
            ) => About::Element(element.clone()),
            (Call::Read, Some(Return::All(all))) => About::Listed(all.clone()),
            (Call::Read | Call::Size, _) => About::Whole,
        })
    }

    fn of_these(&self, elements: &[&Value]) -> Self {
        match elements {
            [one] => self.of_part(one),
            _ => self.clone(),
        }
    }

    fn of_elements(&self, returned: &Return, keeps: &dyn Fn(usize) -> bool) -> Return {
        match returned {
            Return::All(all) => Return::All(only(all, keeps)),
            Return::Done | Return::Whether(_) | Return::Number(_) => returned.clone(),
        }
    }
}

/// What is asked and answered of elements, and when.
type Asked<'a> = Interval<(&'a Call, Option<&'a Return>)>;

/// Whether something changed or was there, if that was told.
fn told(returned: Option<&Return>) -> Option<bool> {
    match returned {
        Some(Return::Whether(told)) => Some(*told),
        _ => None,
    }
}

fn as_set(initial: &[Value], calls: &[Asked<'_>], guard: &mut Guard<'_>) -> Option<Decided> {
    let mut numbers = Numbers::default();
    let inside: Vec<_> = initial
        .iter()
        .map(|value| set::Operation::Add {
            element: numbers.number(value),
            added: Some(true),
        })
        .collect();
    let translation = Translation::new(inside, calls, guard, |&(call, returned), completed| {
        let told = told(returned);
        match call {
            Call::Add(value) => Word::Is(set::Operation::Add {
                element: numbers.number(value),
                added: told,
            }),
            Call::Remove(value) => Word::Is(set::Operation::Remove {
                element: numbers.number(value),
                removed: told,
            }),
            Call::Contains(_) | Call::Count(_) | Call::Read | Call::Size if !completed => {
                Word::Nothing
            }
            Call::Contains(value) => told.map_or(Word::None, |present| {
                Word::Is(set::Operation::Contains {
                    element: numbers.number(value),
                    present,
                })
            }),
            Call::Count(_) | Call::Read | Call::Size => Word::None,
        }
    })?;
    translation.decide(guard, set::decide_within)
}

/// Nothing is removed, nor counted; if elements repeat, none is added twice.
fn as_growing_set<K: Kind>(
    initial: &[Value],
    calls: &[Asked<'_>],
    guard: &mut Guard<'_>,
) -> Option<Decided> {
    use growing_set::Operation::{Add, Contains, Read};
    let mut numbers = Numbers::default();
    let mut put = FxHashSet::default();
    let mut is_new = |element| !K::REPEATS || put.insert(element);
    let inside: Option<Vec<_>> = initial
        .iter()
        .map(|value| {
            let element = numbers.number(value);
            let added = Some(true);
            is_new(element).then_some(Add { element, added })
        })
        .collect();
    let translation = Translation::new(inside?, calls, guard, |&(call, returned), completed| {
        let told = told(returned);
        match (call, returned) {
            (Call::Contains(_) | Call::Count(_) | Call::Read | Call::Size, _) if !completed => {
                Word::Nothing
            }
            (Call::Add(_), Some(Return::Whether(false))) if K::REPEATS => Word::None,
            (Call::Add(value), _) => {
                let element = numbers.number(value);
                match is_new(element) {
                    true => Word::Is(Add {
                        element,
                        added: told,
                    }),
                    false => Word::None,
                }
            }
            (Call::Contains(value), Some(Return::Whether(present))) => Word::Is(Contains {
                element: numbers.number(value),
                present: *present,
            }),
            (Call::Read, Some(Return::All(all))) => {
                let (all, bytes) = numbers.list(all);
                Word::Long(Read(all), bytes)
            }
            _ => Word::None,
        }
    })?;
    translation.decide(guard, growing_set::decide_within)
}

/// One element that is added, and counted.
fn as_counter(initial: &[Value], calls: &[Asked<'_>], guard: &mut Guard<'_>) -> Option<Decided> {
    let mut about = None;
    let mut is_same = |value| *about.get_or_insert(value) == value;
    let translation = Translation::new([], calls, guard, |&(call, returned), completed| {
        match (call, returned) {
            (Call::Add(value), None | Some(Return::Done | Return::Whether(true)))
                if is_same(value) =>
            {
                Word::Is(counter::Operation::Add(1))
            }
            (Call::Contains(_) | Call::Count(_) | Call::Read | Call::Size, _) if !completed => {
                Word::Nothing
            }
            (Call::Count(value), Some(Return::Number(told))) if is_same(value) => {
                let told = i64::try_from(*told).unwrap_or(i64::MAX);
                Word::Is(counter::Operation::Read(told))
            }
            _ => Word::None,
        }
    })?;
    let there = initial.iter().filter(|it| Some(*it) == about).count();
    translation.decide(guard, |intervals, guard| {
        counter::decide_within(intervals, there as i64, guard)
    })
}
