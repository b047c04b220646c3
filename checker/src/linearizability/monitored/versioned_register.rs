//! Registers that count their writes: refuted if a version is told out of bounds, or
//! two tell that it holds different values.

use rustc_hash::FxHashMap;
use tribunal_histories::Value;

use super::{Exchange, Monitored, out_of_bounds};
use crate::linearizability::anywhere::Anywhere;
use crate::linearizability::guard::Guard;
use crate::linearizability::object::AskedOf;
use crate::monitors::{Decided, Interval, bounds};
use crate::specification::versioned_register::{
    Versioned, VersionedCall as Call, VersionedReturn as Return,
};
use crate::specification::{Specification, VersionedRegister};

impl Monitored for VersionedRegister {
    const ANYWHERE: Anywhere = Anywhere::Roughly;

    fn monitor(
        &self,
        calls: &[Interval<Exchange<'_, Self>>],
        guard: &mut Guard<'_>,
    ) -> Option<Decided> {
        // With what is found by version, in tables.
        let each = size_of::<Telling<'_>>() + 96;
        if !guard.holds(calls.len() * each) {
            return None;
        }
        if let Some(blame) = contradiction(calls, &self.initial()) {
            return Some(Decided::refuted(blame));
        }
        out_of_bounds(self, calls, guard)
    }

    fn may_become(&self, from: &Versioned, to: &Versioned) -> bool {
        from.version < to.version
    }

    fn is_foreign(&self, told: &AskedOf<Self>, all: &[AskedOf<Self>]) -> bool {
        let Some(Return::Seen { value, .. }) = &told.returned else {
            return false;
        };
        let writes = |asked: &AskedOf<Self>| match &asked.call {
            Call::Read => false,
            Call::Write(to) | Call::CasVersion { to, .. } | Call::CasValue { to, .. } => {
                to == value
            }
        };
        self.initial().value != *value && !all.iter().any(writes)
    }

    fn counts_from(&self) -> Option<i128> {
        Some(self.initial().version.into())
    }

    fn counted(
        &self,
        call: &Call,
        returned: Option<&Return>,
        completes: bool,
    ) -> Option<bounds::Operation> {
        let told = returned.and_then(|returned| told(call, returned));
        let adds = match (call, returned) {
            (Call::Read, _) | (_, Some(Return::Mismatch)) => 0,
            // It may not have found what it asked for.
            (Call::CasVersion { .. } | Call::CasValue { .. }, None) if completes => return None,
            _ => 1,
        };
        Some(bounds::Operation {
            adds,
            leaves: told.map(|(version, _)| version.into()),
        })
    }

    fn leaves(&self, call: &Call, returned: Option<&Return>) -> Option<Versioned> {
        let (version, value) = told(call, returned?)?;
        Some(Versioned {
            version,
            value: value.clone(),
        })
    }
}

/// The version and the value that are held after a call, if its answer tells both.
fn told<'a>(call: &'a Call, returned: &'a Return) -> Option<(u64, &'a Value)> {
    Some(match (call, returned) {
        (
            Call::Read,
            Return::Seen {
                version: Some(version),
                value,
            },
        ) => (*version, value),
        (Call::CasVersion { version, to }, Return::Done) => (version.checked_add(1)?, to),
        (
            Call::Write(value)
            | Call::CasVersion { to: value, .. }
            | Call::CasValue { to: value, .. },
            Return::At(version),
        ) => (*version, value),
        _ => return None,
    })
}

/// When a call completed that tells what is held after it, its number, and that.
type Telling<'a> = (u32, u32, &'a Call, (u64, &'a Value));

/// Calls that tell different values of one version, or each that it wrote it; the first
/// of which all have completed.
fn contradiction(
    calls: &[Interval<Exchange<'_, VersionedRegister>>],
    initial: &Versioned,
) -> Option<Vec<u32>> {
    let tell = (0_u32..).zip(calls).filter_map(|(number, interval)| {
        let (call, returned) = interval.operation;
        let told = told(call, returned?)?;
        Some((interval.completed?, number, call, told))
    });
    let mut tell: Vec<Telling<'_>> = tell.collect();
    tell.sort_unstable_by_key(|&(completed, ..)| completed);
    let mut values = FxHashMap::from_iter([(initial.version, (&initial.value, None))]);
    let mut writers = FxHashMap::default();
    for (_, number, call, (version, value)) in tell {
        let (held, by) = *values.entry(version).or_insert((value, Some(number)));
        if held != value {
            return Some([by, Some(number)].into_iter().flatten().collect());
        }
        if !matches!(call, Call::Read)
            && let Some(other) = writers.insert(version, number)
        {
            return Some(vec![other, number]);
        }
    }
    None
}
