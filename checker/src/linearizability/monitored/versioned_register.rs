//! Registers that count their writes. They have no monitor.

use super::Monitored;
use crate::linearizability::anywhere::Anywhere;
use crate::specification::VersionedRegister;
use crate::specification::versioned_register::{
    Versioned, VersionedCall as Call, VersionedReturn as Return,
};

impl Monitored for VersionedRegister {
    const ANYWHERE: Anywhere = Anywhere::Roughly;

    fn leaves(&self, call: &Call, returned: Option<&Return>) -> Option<Versioned> {
        let (version, value) = match (call, returned?) {
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
        };
        Some(Versioned {
            version,
            value: value.clone(),
        })
    }
}
