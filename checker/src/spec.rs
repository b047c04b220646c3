//! The specifications by name, as the command line and headers take them.

use std::fmt;
use std::str::FromStr;

/// A specification for the operations of a recorded history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spec {
    /// Registers: read, write.
    Register,
    /// Registers with compare-and-set: read, write, cas.
    CasRegister,
    /// A key-value store: get, put, cas, delete, append.
    Kv,
}

impl Spec {
    /// All there are.
    pub const ALL: [Spec; 3] = [Spec::Register, Spec::CasRegister, Spec::Kv];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Spec::Register => "register",
            Spec::CasRegister => "cas-register",
            Spec::Kv => "kv",
        }
    }

    /// What it describes, in a line.
    pub const fn about(self) -> &'static str {
        match self {
            Spec::Register => "registers: read and write",
            Spec::CasRegister => "registers with compare-and-set: read, write and cas",
            Spec::Kv => "a key-value store: get, put, cas, delete and append",
        }
    }

    /// The specification of the histories that `workload` records.
    pub fn of_workload(workload: &str) -> Option<Spec> {
        match workload {
            // The workload register does cas as well.
            "register" | "cas-register" | "lin-kv" => Some(Spec::CasRegister),
            "kv" => Some(Spec::Kv),
            _ => None,
        }
    }

    /// The operations that it allows.
    pub(crate) fn functions(self) -> &'static [&'static str] {
        match self {
            Spec::Register => &["read", "write"],
            Spec::CasRegister => &["read", "write", "cas"],
            Spec::Kv => &["get", "put", "cas", "delete", "append"],
        }
    }

    /// What `f` is called by the checker, if it is allowed; a register's
    /// words and a store's are the same everywhere.
    pub(crate) fn function(self, f: &str) -> Option<&'static str> {
        let (here, register, store) = match f {
            "read" | "get" => ("read", "read", "get"),
            "write" | "put" => ("write", "write", "put"),
            "cas" => ("cas", "cas", "cas"),
            "delete" => ("delete", "delete", "delete"),
            "append" => ("append", "append", "append"),
            _ => return None,
        };
        let allowed = self.functions();
        (allowed.contains(&register) || allowed.contains(&store)).then_some(here)
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Spec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Spec::ALL.into_iter().find(|spec| spec.name() == text);
        named.ok_or_else(|| {
            let names: Vec<&str> = Spec::ALL.iter().map(|spec| spec.name()).collect();
            format!("expected one of {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_specification_is_found_by_its_name() {
        for spec in Spec::ALL {
            assert_eq!(spec.name().parse(), Ok(spec));
        }
        assert!("registers".parse::<Spec>().is_err());
    }

    #[test]
    fn only_the_operations_of_a_specification_are_its_own() {
        assert_eq!(Spec::Register.function("cas"), None);
        assert_eq!(Spec::CasRegister.function("get"), Some("read"));
        assert_eq!(Spec::CasRegister.function("append"), None);
        assert_eq!(Spec::Kv.function("write"), Some("write"));
    }
}
