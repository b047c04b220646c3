//! The specifications by name, as the command line and headers take them.

use std::fmt;
use std::str::FromStr;

use crate::specification::Recorded;

/// A specification for the operations of a recorded history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spec {
    /// Registers: read, write.
    Register,
    /// Registers with compare-and-set: read, write, cas.
    CasRegister,
    /// A key-value store: get, put, cas, delete, append.
    Kv,
    /// Registers that count their writes, as etcd does: read, write and cas on the version.
    VersionedRegister,
    /// Several registers that transactions read and write at once: txn.
    MultiRegister,
    /// A list that only grows: append and read.
    Log,
    /// A set: add, remove, contains, read and size.
    Set,
    /// A multiset: add, remove, contains, count, read and size.
    Multiset,
    /// A counter: add, increment, decrement and read.
    Counter,
    /// A FIFO queue: enqueue, dequeue and peek.
    Queue,
    /// A stack: push, pop and peek.
    Stack,
    /// A double-ended queue: push, pop and peek at either end.
    Deque,
    /// A priority queue: insert, poll and peek, the largest first.
    PriorityQueue,
    /// A lock without owners: acquire and release.
    Mutex,
    /// A lock that only the process that holds it releases: acquire and release.
    OwnedMutex,
    /// A lock that gives out growing tokens: acquire and release.
    FencedLock,
    /// A lock that may be lost at any time: acquire, renew and release, with terms.
    Lease,
    /// Permits: acquire and release; how many there are at first is --initial.
    Semaphore,
}

/// Calls a generic function with the type behind a specification, unless it is
/// one of registers.
macro_rules! by_type {
    ($spec:expr, $registers:expr, $function:ident $(, $argument:expr)*) => {
        match $spec {
            Spec::Register | Spec::CasRegister | Spec::Kv => $registers,
            Spec::VersionedRegister => $function::<crate::specification::VersionedRegister>($($argument),*),
            Spec::MultiRegister => $function::<crate::specification::MultiRegister>($($argument),*),
            Spec::Log => $function::<crate::specification::Log>($($argument),*),
            Spec::Set => $function::<crate::specification::Set>($($argument),*),
            Spec::Multiset => $function::<crate::specification::Multiset>($($argument),*),
            Spec::Counter => $function::<crate::specification::Counter>($($argument),*),
            Spec::Queue => $function::<crate::specification::Queue>($($argument),*),
            Spec::Stack => $function::<crate::specification::Stack>($($argument),*),
            Spec::Deque => $function::<crate::specification::Deque>($($argument),*),
            Spec::PriorityQueue => $function::<crate::specification::PriorityQueue>($($argument),*),
            Spec::Mutex => $function::<crate::specification::Mutex>($($argument),*),
            Spec::OwnedMutex => $function::<crate::specification::OwnedMutex>($($argument),*),
            Spec::FencedLock => $function::<crate::specification::FencedLock>($($argument),*),
            Spec::Lease => $function::<crate::specification::Lease>($($argument),*),
            Spec::Semaphore => $function::<crate::specification::Semaphore>($($argument),*),
        }
    };
}
pub(crate) use by_type;

impl Spec {
    /// All there are.
    pub const ALL: [Spec; 18] = [
        Spec::Register,
        Spec::CasRegister,
        Spec::Kv,
        Spec::VersionedRegister,
        Spec::MultiRegister,
        Spec::Log,
        Spec::Set,
        Spec::Multiset,
        Spec::Counter,
        Spec::Queue,
        Spec::Stack,
        Spec::Deque,
        Spec::PriorityQueue,
        Spec::Mutex,
        Spec::OwnedMutex,
        Spec::FencedLock,
        Spec::Lease,
        Spec::Semaphore,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Spec::Register => "register",
            Spec::CasRegister => "cas-register",
            Spec::Kv => "kv",
            Spec::VersionedRegister => "versioned-register",
            Spec::MultiRegister => "multi-register",
            Spec::Log => "log",
            Spec::Set => "set",
            Spec::Multiset => "multiset",
            Spec::Counter => "counter",
            Spec::Queue => "queue",
            Spec::Stack => "stack",
            Spec::Deque => "deque",
            Spec::PriorityQueue => "priority-queue",
            Spec::Mutex => "mutex",
            Spec::OwnedMutex => "owned-mutex",
            Spec::FencedLock => "fenced-lock",
            Spec::Lease => "lease",
            Spec::Semaphore => "semaphore",
        }
    }

    /// What it describes, in a line.
    pub const fn about(self) -> &'static str {
        match self {
            Spec::Register => "registers: read and write",
            Spec::CasRegister => "registers with compare-and-set: read, write and cas",
            Spec::Kv => "a key-value store: get, put, cas, delete and append",
            Spec::VersionedRegister => {
                "registers that count their writes, as etcd does: read, write and cas on the version"
            }
            Spec::MultiRegister => {
                "several registers that transactions read and write at once: txn"
            }
            Spec::Log => "a list that only grows: append and read",
            Spec::Set => "a set: add, remove, contains, read and size",
            Spec::Multiset => "a multiset: add, remove, contains, count, read and size",
            Spec::Counter => "a counter: add, increment, decrement and read",
            Spec::Queue => "a FIFO queue: enqueue, dequeue and peek",
            Spec::Stack => "a stack: push, pop and peek",
            Spec::Deque => "a double-ended queue: push, pop and peek at either end",
            Spec::PriorityQueue => "a priority queue: insert, poll and peek, the largest first",
            Spec::Mutex => "a lock without owners: acquire and release",
            Spec::OwnedMutex => {
                "a lock that only the process that holds it releases: acquire and release"
            }
            Spec::FencedLock => "a lock that gives out growing tokens: acquire and release",
            Spec::Lease => {
                "a lock that may be lost at any time: acquire, renew and release, with terms"
            }
            Spec::Semaphore => {
                "permits: acquire and release; how many there are at first is --initial"
            }
        }
    }

    /// The specification of the histories that `workload` records.
    pub fn of_workload(workload: &str) -> Option<Spec> {
        match workload {
            // The workload register does cas as well.
            "register" | "cas-register" | "lin-kv" => Some(Spec::CasRegister),
            name => name.parse().ok(),
        }
    }

    /// The operations that it allows.
    pub(crate) fn functions(self) -> &'static [&'static str] {
        match self {
            Spec::Register => &["read", "write"],
            Spec::CasRegister => &["read", "write", "cas"],
            Spec::Kv => &["get", "put", "cas", "delete", "append"],
            _ => by_type!(self, &[], functions),
        }
    }

    /// Whether keys are registers, whose words are those of a store as well.
    pub(crate) const fn is_register(self) -> bool {
        matches!(self, Spec::Register | Spec::CasRegister | Spec::Kv)
    }

    /// Whether elements are put in and come out again, one by one.
    pub(crate) const fn is_container(self) -> bool {
        matches!(
            self,
            Spec::Queue | Spec::Stack | Spec::Deque | Spec::PriorityQueue
        )
    }

    /// Whether `nil` can say that a value which is null is not known; of all
    /// others null says that there was nothing, or that something was done.
    pub const fn has_unknown_values(self) -> bool {
        matches!(
            self,
            Spec::Register
                | Spec::CasRegister
                | Spec::Kv
                | Spec::VersionedRegister
                | Spec::MultiRegister
                | Spec::Counter
        )
    }

    /// Whether an operation can find its condition not to hold, as a cas does,
    /// so that one which failed may be said to have seen that.
    pub const fn has_conditions(self) -> bool {
        matches!(
            self,
            Spec::CasRegister
                | Spec::Kv
                | Spec::VersionedRegister
                | Spec::Mutex
                | Spec::OwnedMutex
                | Spec::FencedLock
                | Spec::Lease
                | Spec::Semaphore
        )
    }

    /// What `f` is called by the checker, if it is allowed; a register's
    /// words and a store's are the same everywhere.
    pub(crate) fn function(self, f: &str) -> Option<&'static str> {
        let allowed = self.functions();
        if !self.is_register() {
            return allowed.iter().copied().find(|name| *name == f);
        }
        let (here, register, store) = match f {
            "read" | "get" => ("read", "read", "get"),
            "write" | "put" => ("write", "write", "put"),
            "cas" => ("cas", "cas", "cas"),
            "delete" => ("delete", "delete", "delete"),
            "append" => ("append", "append", "append"),
            _ => return None,
        };
        (allowed.contains(&register) || allowed.contains(&store)).then_some(here)
    }
}

fn functions<S: Recorded>() -> &'static [&'static str] {
    S::FUNCTIONS
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
