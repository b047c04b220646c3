//! A register that counts its writes, as a key of etcd does.
//!
//! | operation | argument | answer |
//! |---|---|---|
//! | `read` | null or `[null, null]` | `[version, value]`; a version of null is not told; null: it was never written |
//! | `write` | the value, or `[null, value]` | `[version, value]`, the version that it has now; null, true, or the argument again, if that is not told |
//! | `cas` | `[expected version, value]`: write if it has this version | the version that it has now, alone or as `[version, value]`; null, true, or the argument again; false: it had another version |
//! | `cas` | `[null, [old, new]]`: write new if it holds old | `[version, [old, new]]`, or as above |
//!
//! Each write and each cas that writes raises the version by 1. At first it
//! has version 0 and holds null, or what the header says: `[version, value]`.
//! A value that is itself a list of null and something else is written as
//! `[null, value]`.
//!
//! The forms with null first are those of the workload `register` of Jepsen's
//! test of etcd. Versions, and 0 for a key that is not there, are etcd's API;
//! its revisions count writes of all keys, and are none.

use tribunal_histories::Value;

use super::reading::{natural, unknown};
use super::{Asked, Effect, Recorded, Specification};
use crate::bytes;

/// A register that counts its writes; see the module.
#[derive(Clone, Debug)]
pub struct VersionedRegister {
    /// What it holds at first.
    initial: Versioned,
}

/// What a versioned register holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Versioned {
    /// How many times it was written.
    pub version: u64,
    /// What was written last.
    pub value: Value,
}

/// What a versioned register is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum VersionedCall {
    /// What does it hold?
    Read,
    /// Let it hold this.
    Write(Value),
    /// Let it hold `to` if it has this version.
    CasVersion {
        /// What version it must have.
        version: u64,
        /// What it holds from now on.
        to: Value,
    },
    /// Let it hold `to` if it holds `from`.
    CasValue {
        /// What it must hold.
        from: Value,
        /// What it holds from now on.
        to: Value,
    },
}

/// What a versioned register answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum VersionedReturn {
    /// A write or a cas took effect.
    Done,
    /// A write or a cas took effect, and left this version.
    At(u64),
    /// A read found this.
    Seen {
        /// Its version, if that is told.
        version: Option<u64>,
        /// Its value.
        value: Value,
    },
    /// A cas found its condition not to hold, and changed nothing.
    Mismatch,
}

impl VersionedCall {
    /// What is written to `state`, if anything is.
    fn writes(&self, state: &Versioned) -> Option<Versioned> {
        let (holds, value) = match self {
            VersionedCall::Read => return None,
            VersionedCall::Write(value) => (true, value),
            VersionedCall::CasVersion { version, to } => (*version == state.version, to),
            VersionedCall::CasValue { from, to } => (*from == state.value, to),
        };
        holds.then(|| Versioned {
            version: state.version + 1,
            value: value.clone(),
        })
    }
}

impl Specification for VersionedRegister {
    type State = Versioned;
    type Call = VersionedCall;
    type Return = VersionedReturn;

    fn initial(&self) -> Versioned {
        self.initial.clone()
    }

    fn step(
        &self,
        state: &Versioned,
        call: &VersionedCall,
        returned: Option<&VersionedReturn>,
    ) -> Option<Versioned> {
        use VersionedCall::{CasValue, CasVersion, Read, Write};
        use VersionedReturn::{At, Done, Mismatch, Seen};
        let written = call.writes(state);
        match (call, returned) {
            (_, None) => Some(written.unwrap_or_else(|| state.clone())),
            (Read, Some(Seen { version, value })) => {
                let same = version.is_none_or(|version| version == state.version);
                (same && *value == state.value).then(|| state.clone())
            }
            (_, Some(Done)) => written,
            (_, Some(At(version))) => written.filter(|written| written.version == *version),
            (CasVersion { .. } | CasValue { .. }, Some(Mismatch)) => {
                written.is_none().then(|| state.clone())
            }
            (Read | Write(_), Some(Mismatch))
            | (Write(_) | CasVersion { .. } | CasValue { .. }, Some(Seen { .. })) => None,
        }
    }

    fn heap(&self, state: &Versioned) -> usize {
        bytes::value(&state.value)
    }

    fn effect(
        &self,
        call: &VersionedCall,
        returned: Option<&VersionedReturn>,
    ) -> Effect<Versioned> {
        use VersionedCall::{CasValue, CasVersion, Read, Write};
        use VersionedReturn::{At, Done, Mismatch, Seen};
        match (call, returned) {
            (Read, Some(Seen { version, value })) => {
                let seen = |version| Versioned {
                    version,
                    value: value.clone(),
                };
                Effect::Observe(version.map(seen))
            }
            (Read, _) | (CasVersion { .. } | CasValue { .. }, Some(Mismatch)) => {
                Effect::Observe(None)
            }
            (_, None) | (Write(_), Some(Done)) => Effect::Total,
            (CasValue { from, to }, Some(At(version @ 1..))) => Effect::Change {
                from: Versioned {
                    version: version - 1,
                    value: from.clone(),
                },
                to: Versioned {
                    version: *version,
                    value: to.clone(),
                },
            },
            (Write(_), Some(At(_) | Seen { .. } | Mismatch))
            | (CasVersion { .. } | CasValue { .. }, Some(_)) => Effect::Other,
        }
    }
}

impl Recorded for VersionedRegister {
    const FUNCTIONS: &'static [&'static str] = &["read", "write", "cas"];

    fn holding(initial: &Value) -> Result<Self, String> {
        let initial = match initial {
            Value::Null => Versioned::default(),
            _ => {
                let (version, value) = pair(initial, "null or [version, value] at first")?;
                Versioned {
                    version: natural(version, "a version from 0")?,
                    value: value.clone(),
                }
            }
        };
        Ok(VersionedRegister { initial })
    }

    fn call(&self, asked: Asked<'_>) -> Result<VersionedCall, String> {
        match asked.f {
            "read" => Ok(VersionedCall::Read),
            "write" => Ok(VersionedCall::Write(match asked.argument {
                Value::List(pair) if pair.len() == 2 && pair[0] == Value::Null => pair[1].clone(),
                value => value.clone(),
            })),
            "cas" => {
                let expected = "a cas value [expected version, new] or [null, [old, new]]";
                let (version, to) = pair(asked.argument, expected)?;
                if *version == Value::Null {
                    let (from, to) = pair(to, "[old, new] after null")?;
                    return Ok(VersionedCall::CasValue {
                        from: from.clone(),
                        to: to.clone(),
                    });
                }
                Ok(VersionedCall::CasVersion {
                    version: natural(version, "an expected version from 0, or null")?,
                    to: to.clone(),
                })
            }
            _ => Err(unknown(asked, Self::FUNCTIONS)),
        }
    }

    fn returned(
        &self,
        call: &VersionedCall,
        value: &Value,
    ) -> Result<Option<VersionedReturn>, String> {
        use VersionedCall::{CasValue, CasVersion, Read, Write};
        Ok(Some(match call {
            Read => self.seen(value)?,
            Write(written) => written_at(value, written, None)?,
            CasVersion { .. } | CasValue { .. } if *value == Value::Bool(false) => {
                VersionedReturn::Mismatch
            }
            CasVersion { version, to } => written_at(value, to, Some(*version))?,
            CasValue { from, to } => {
                let both = Value::List(vec![from.clone(), to.clone()]);
                written_at(value, &both, None)?
            }
        }))
    }

    fn refused(&self, call: &VersionedCall) -> Option<VersionedReturn> {
        match call {
            VersionedCall::Read | VersionedCall::Write(_) => None,
            VersionedCall::CasVersion { .. } | VersionedCall::CasValue { .. } => {
                Some(VersionedReturn::Mismatch)
            }
        }
    }

    fn returned_or_unknown(
        &self,
        call: &VersionedCall,
        value: &Value,
    ) -> Result<Option<VersionedReturn>, String> {
        let seen = match value {
            Value::List(pair) if pair.len() == 2 => &pair[1],
            _ => value,
        };
        match (call, seen) {
            (VersionedCall::Read, Value::Null) => Ok(None),
            _ => self.returned(call, value),
        }
    }

    fn show(&self, state: &Versioned) -> Value {
        let version = i64::try_from(state.version).unwrap_or(i64::MAX);
        Value::List(vec![version.into(), state.value.clone()])
    }
}

impl VersionedRegister {
    /// What a read answered.
    fn seen(&self, value: &Value) -> Result<VersionedReturn, String> {
        if *value == Value::Null {
            let Versioned { version, value } = self.initial.clone();
            let version = Some(version);
            return Ok(VersionedReturn::Seen { version, value });
        }
        let (version, value) = pair(value, "null or [version, value]")?;
        let version = match version {
            Value::Null => None,
            _ => Some(natural(version, "a version from 0, or null")?),
        };
        Ok(VersionedReturn::Seen {
            version,
            value: value.clone(),
        })
    }
}

/// What a call answered that writes; `asked` is what it may repeat, alone or
/// behind the version that it expected.
fn written_at(
    value: &Value,
    asked: &Value,
    expects: Option<u64>,
) -> Result<VersionedReturn, String> {
    let version = "a version from 0";
    Ok(match value {
        Value::Null | Value::Bool(true) => VersionedReturn::Done,
        _ if value == asked && expects.is_none() => VersionedReturn::Done,
        Value::List(pair) if pair.len() == 2 && pair[1] == *asked => {
            if pair[0] == Value::Null {
                return Ok(VersionedReturn::Done);
            }
            let told = natural(&pair[0], version)?;
            match expects == Some(told) {
                true => VersionedReturn::Done,
                false => VersionedReturn::At(told),
            }
        }
        // It cannot be what was asked.
        Value::Int(_) if expects.is_some() || !matches!(asked, Value::Int(_)) => {
            VersionedReturn::At(natural(value, version)?)
        }
        _ => {
            let expected = format!("null, true or [version, {asked}]");
            return Err(format!("{expected}, found {value}"));
        }
    })
}

fn pair<'a>(value: &'a Value, expected: &str) -> Result<(&'a Value, &'a Value), String> {
    match value {
        Value::List(pair) if pair.len() == 2 => Ok((&pair[0], &pair[1])),
        _ => Err(format!("{expected}, found {value}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specification::laws::{cannot_hold, check, judge, refusals};

    #[test]
    fn a_versioned_register_keeps_the_laws() {
        check::<VersionedRegister>(
            &["null", "[3,7]"],
            &[
                (0, "read", "null", "[null,[0,null],[1,1],[null,2],[4,2]]"),
                (0, "write", "1", "[null,1,[1,1],[null,1],[4,1]]"),
                (0, "write", "[null,2]", "[true,[2,2]]"),
                (0, "cas", "[1,2]", "[null,2,[1,2],[2,2],false]"),
                (0, "cas", "[3,1]", "[true,4,5]"),
                (
                    0,
                    "cas",
                    "[null,[1,2]]",
                    "[null,[1,2],[2,[1,2]],[0,[1,2]],false]",
                ),
                (0, "cas", "[null,[2,2]]", "[[3,[2,2]]]"),
            ],
        );
    }

    #[test]
    fn versions_count_writes() {
        let written = "0 write 5 -> [1,5]\n1 write 6 -> ";
        assert!(judge::<VersionedRegister>(
            "null",
            &format!("{written}[2,6]")
        ));
        assert!(!judge::<VersionedRegister>(
            "null",
            &format!("{written}[3,6]")
        ));
        let lost = "
            0 invoke write 5
            1 invoke write 6
            0 ok write [1,5]
            1 ok write ";
        assert!(judge::<VersionedRegister>("null", &format!("{lost}[2,6]")));
        assert!(!judge::<VersionedRegister>("null", &format!("{lost}[1,6]")));
    }

    #[test]
    fn a_cas_finds_its_version_or_value() {
        let cas = "0 write 5 -> null\n1 cas [1,6] -> 2\n1 read null -> ";
        assert!(judge::<VersionedRegister>("null", &format!("{cas}[2,6]")));
        assert!(!judge::<VersionedRegister>("null", &format!("{cas}[1,5]")));
        assert!(!judge::<VersionedRegister>("null", "1 cas [1,6] -> 2"));
        assert!(judge::<VersionedRegister>(
            "[4,5]",
            "1 cas [null,[5,6]] -> [5,[5,6]]"
        ));
        assert!(!judge::<VersionedRegister>(
            "[4,5]",
            "1 cas [null,[6,5]] -> null"
        ));
        let failed = "1 invoke cas [4,6]\n1 fail cas [4,6]";
        assert!(judge::<VersionedRegister>("[3,5]", failed));
        assert!(!judge::<VersionedRegister>("[4,5]", failed));
    }

    #[test]
    fn what_is_no_versioned_register_is_refused() {
        assert_eq!(
            cannot_hold::<VersionedRegister>("7"),
            "null or [version, value] at first, found 7"
        );
        refusals::<VersionedRegister>(
            &[
                "read null -> 3",
                "read null -> [\"x\",3]",
                "write 1 -> 2",
                "cas 1",
                "cas [null,1]",
                "cas [-1,1]",
                "cas [1,2] -> \"x\"",
            ],
            "
            read null -> 3: expected null or [version, value], found 3
            read null -> [\"x\",3]: expected a version from 0, or null, found \"x\"
            write 1 -> 2: expected null, true or [version, 1], found 2
            cas 1: expected a cas value [expected version, new] or [null, [old, new]], found 1
            cas [null,1]: expected [old, new] after null, found 1
            cas [-1,1]: expected an expected version from 0, or null, found -1
            cas [1,2] -> \"x\": expected null, true or [version, 2], found \"x\"",
        );
    }
}
