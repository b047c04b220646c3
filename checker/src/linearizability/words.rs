//! Objects, calls and states in words.

use tribunal_histories::Value;

use super::witness::{Ending, Seen, Shown, Witness, brief};
use crate::spec::Spec;

/// What a kind of object is called, without an article.
fn noun(spec: Spec) -> &'static str {
    match spec {
        Spec::Register | Spec::CasRegister | Spec::Kv | Spec::VersionedRegister => "register",
        Spec::MultiRegister => "registers",
        Spec::Log => "log",
        Spec::Set => "set",
        Spec::Multiset => "multiset",
        Spec::Counter => "counter",
        Spec::Queue => "queue",
        Spec::Stack => "stack",
        Spec::Deque => "deque",
        Spec::PriorityQueue => "priority queue",
        Spec::Mutex | Spec::OwnedMutex | Spec::FencedLock => "lock",
        Spec::Lease => "lease",
        Spec::Semaphore => "semaphore",
    }
}

impl Witness {
    /// The object that has no order: `the queue`, `key 4 (a counter)`,
    /// `element 3 of the set`.
    pub(crate) fn object(&self) -> String {
        let noun = noun(self.spec);
        let whole = match &self.key {
            None => format!("the {noun}"),
            Some(key) if self.spec.is_register() => format!("key {key}"),
            Some(key) if self.spec == Spec::MultiRegister => format!("key {key} ({noun})"),
            Some(key) => format!("key {key} (a {noun})"),
        };
        match &self.part {
            None => whole,
            Some(part) if self.spec == Spec::MultiRegister && self.key.is_none() => {
                format!("register {part}")
            }
            Some(part) if self.spec == Spec::MultiRegister => format!("register {part} of {whole}"),
            Some(part) => format!("element {part} of {whole}"),
        }
    }

    /// What a client claims to have seen or done: `process 3's dequeue of the
    /// queue answered 7`.
    pub(crate) fn claim(&self, operation: &Shown) -> String {
        let (object, process) = (self.object(), operation.process);
        if self.spec.is_register() {
            return claim_of_register(operation, &object);
        }
        let asked = self.asked(operation);
        let answered = match (&operation.seen, operation.ending) {
            (Some(Seen(Value::Null)), _) => "found nothing".to_owned(),
            (Some(Seen(value)), _) => format!("answered {}", brief(value)),
            (None, Ending::Fail) => "was refused".to_owned(),
            (None, Ending::Ok | Ending::Info | Ending::Open) => "succeeded".to_owned(),
        };
        format!("process {process}'s {asked} of {object} {answered}")
    }

    /// What was asked: `enqueue 3`. What is said of the object anyway is left
    /// out.
    fn asked(&self, operation: &Shown) -> String {
        let Shown { f, value, seen, .. } = operation;
        let is_said =
            self.part.as_ref() == Some(value) || self.spec == Spec::MultiRegister && seen.is_some();
        match value {
            Value::Null => f.clone(),
            _ if is_said => f.clone(),
            _ => format!("{f} {}", brief(value)),
        }
    }

    /// An operation in a picture: `write 3`, `read 1`, `dequeue -> 3`.
    pub(crate) fn label(&self, operation: &Shown) -> String {
        let Shown { f, value, seen, .. } = operation;
        if !self.spec.is_register() {
            let asked = self.asked(operation);
            return match seen {
                Some(Seen(value)) => format!("{asked} -> {}", brief(value)),
                None => asked,
            };
        }
        match (seen, value) {
            (seen, Value::List(pair)) if f == "cas" && pair.len() == 2 => {
                let refused = seen.as_ref().map_or("", |_| " -> false");
                format!("{f} {}>{}{refused}", brief(&pair[0]), brief(&pair[1]))
            }
            (Some(seen), _) => format!("{f} {}", brief(&seen.0)),
            (None, Value::Null) => f.clone(),
            (None, value) => format!("{f} {}", brief(value)),
        }
    }

    /// That the object is in a state: `holds 3`, `is free`.
    pub(crate) fn is_in(&self, state: &Value) -> String {
        match self.is_how(state) {
            Some(how) => format!("is {how}"),
            None => format!("holds {}", self.holds(state)),
        }
    }

    /// In which states an order leaves the object: `leave 3 or 4 there`,
    /// `leave it free`.
    pub(crate) fn left(&self) -> Option<String> {
        let how: Option<Vec<String>> = self.states.iter().map(|it| self.is_how(it)).collect();
        let (words, is_how) = match how {
            Some(how) => (how, true),
            None => (self.states.iter().map(|it| self.holds(it)).collect(), false),
        };
        let said = match words.split_last()? {
            (last, []) => last.clone(),
            (last, others) => format!("{} or {last}", others.join(", ")),
        };
        Some(match is_how {
            true => format!("leave it {said}"),
            false => format!("leave {said} there"),
        })
    }

    /// What the object is like in a state, where that says more than a value.
    fn is_how(&self, state: &Value) -> Option<String> {
        let by = |holder: &Value| format!("held by process {holder}");
        Some(match (self.spec, state) {
            (Spec::Mutex, Value::Bool(true)) => "held".to_owned(),
            (Spec::Mutex, _) | (Spec::OwnedMutex, Value::Null) => "free".to_owned(),
            (Spec::OwnedMutex, holder) => by(holder),
            (Spec::FencedLock | Spec::Lease, Value::List(pair)) if pair.len() == 2 => {
                format!("{} under {}", by(&pair[1]), pair[0])
            }
            (Spec::FencedLock | Spec::Lease, last) => format!("free after {last}"),
            (Spec::Set, Value::List(elements)) if self.part.is_some() => {
                let is_there = !elements.is_empty();
                if is_there { "there" } else { "absent" }.to_owned()
            }
            _ => return None,
        })
    }

    /// What the object holds in a state.
    fn holds(&self, state: &Value) -> String {
        match (self.spec, state) {
            (Spec::Semaphore, Value::Int(1)) => "1 permit".to_owned(),
            (Spec::Semaphore, permits) => format!("{permits} permits"),
            (Spec::Multiset, Value::List(same)) if self.part.is_some() => {
                format!("{} of it", same.len())
            }
            (spec, Value::List(all)) if all.is_empty() && !spec.is_register() => {
                "nothing".to_owned()
            }
            (_, Value::Map(map)) if self.part.is_some() && map.len() == 1 => {
                map.values().next().map_or_else(String::new, brief)
            }
            _ => brief(state),
        }
    }
}

fn claim_of_register(operation: &Shown, key: &str) -> String {
    let process = operation.process;
    match (operation.f.as_str(), &operation.seen, &operation.value) {
        ("cas", seen, Value::List(pair)) if pair.len() == 2 => {
            let (old, new) = (brief(&pair[0]), brief(&pair[1]));
            let said = match operation.ending == Ending::Fail || seen.is_some() {
                true => "found another value",
                false => "succeeded",
            };
            format!("process {process}'s cas of {key} from {old} to {new} {said}")
        }
        (_, Some(Seen(value)), _) => format!("process {process} read {} from {key}", brief(value)),
        (f, ..) => format!("process {process}'s {f} of {key} succeeded"),
    }
}

impl Spec {
    /// Whether an operation that took effect was told more than that it did.
    pub(crate) fn tells(self, f: &str, argument: &Value, answer: &Value) -> bool {
        let reads = |micro: &Value| match micro {
            Value::List(parts) => {
                matches!(parts.first(), Some(Value::Text(f)) if f.starts_with('r'))
            }
            _ => false,
        };
        let looks = match (f, answer) {
            ("txn", Value::List(micros)) => micros.iter().any(reads),
            _ => matches!(
                f,
                "read" | "get" | "count" | "size" | "add-and-get" | "get-and-add"
            ),
        };
        if self.is_register() {
            return looks || f == "cas" && *answer == Value::Bool(false);
        }
        let takes = ["dequeue", "pop", "peek", "poll"];
        let takes = takes.iter().any(|word| f.starts_with(word));
        let changes = matches!(self, Spec::Set | Spec::Multiset);
        match answer {
            Value::Null | Value::Bool(true) if self == Spec::Counter => f == "read",
            Value::Null => looks || takes,
            Value::Bool(true) => looks || takes || changes,
            _ => looks || takes || answer != argument,
        }
    }
}
