//! The witness that a history is not linearizable: as data, and in words.

use std::fmt;

use rustc_hash::FxHashSet;
use serde::Serialize;
use tribunal_histories::Value;

use super::lanes::{draw, draw_evidence};
use crate::spec::Spec;

/// Why one key is not linearizable.
///
/// The shortest prefix of the history that is refuted, and how far an order
/// of its operations comes. Who wants to check it: no order of the operations
/// on `key` up to the event `prefix.last` exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Witness {
    /// The refutation in a sentence.
    pub explanation: String,
    /// Which key; none if the history has one object only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Value>,
    /// Which part of it, if each is judged by itself: an element of a set, a
    /// register of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Value>,
    /// What the object is.
    #[serde(skip)]
    pub spec: Spec,
    /// The prefix that has no order.
    pub prefix: Prefix,
    /// The part of it in which the evidence lies.
    pub window: Window,
    /// The operations without which there would be an order, by invocation; none
    /// are shown if there are too many of these or of the optional ones, or if a
    /// limit was met.
    pub needed: Vec<Shown>,
    /// The operations that may have taken effect or not: with whichever of them,
    /// the needed ones have no order. All others make no difference.
    pub optional: Vec<Shown>,
    /// If there are any, the needed operations have no order for what they say of
    /// these elements alone; no others are shown of what they read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub elements: Vec<Value>,
    /// Whether these have no order, by a check of all orders that shares nothing
    /// with the search.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rechecked: Option<bool>,
    /// Why there was no such check, if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_rechecked: Option<String>,
    /// The operation that no order of it has a place for.
    pub refuted: Option<Shown>,
    /// Whether what that operation saw was never written to the key, or put
    /// into the container.
    pub never_written: bool,
    /// The operation that would have done so, had it not failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_writer: Option<Shown>,
    /// What the key holds after the orders that come furthest, at most eight
    /// values.
    pub states: Vec<Value>,
    /// The operations that are open where the prefix ends.
    pub open: Vec<Shown>,
    /// The faults that began in the prefix, as far as the history tells of them.
    #[serde(skip)]
    pub faults: Vec<Fault>,
    /// How many operations of the furthest order stand before `steps`; none if no
    /// order was found in time.
    pub skipped: usize,
    /// What the key holds after those.
    pub before: Value,
    /// The end of the furthest order.
    pub steps: Vec<Step>,
    /// Orders that come as far, that one first; they leave different values. None if
    /// none was found in time.
    pub orders: Vec<Order>,
}

/// A fault, in a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What it was, and whom it hit: `partition isolate-leader n1`.
    pub label: String,
    /// Index of the event that began it.
    pub first: u64,
    /// Index of the event that ended it; none if none did, or if the history does not
    /// tell.
    pub last: Option<u64>,
    /// Whether it is one event of which no end is known.
    pub is_moment: bool,
}

/// A part of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Window {
    /// Index of its first event.
    pub first: u64,
    /// Index of its last event.
    pub last: u64,
    /// Whether it is known that no later window has no order, and that each
    /// needed operation is.
    pub smallest: bool,
    /// Whether there is no order whatever the key held before; else there is
    /// none from what it held at first.
    pub from_any_state: bool,
}

/// An order of operations that comes as far as any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Order {
    /// How many of its operations stand before `steps`.
    pub skipped: usize,
    /// What the key holds after those.
    pub before: Value,
    /// Its end.
    pub steps: Vec<Step>,
    /// What the key holds then.
    pub state: Value,
    /// What the refuted operation needs it to hold, if that is one value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<Value>,
    /// The operations that it has no place for.
    pub missing: Vec<Shown>,
    /// Operations that are open and could come next, at most eight.
    pub next: Vec<Shown>,
}

/// A prefix of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Prefix {
    /// Index of its last event.
    pub last: u64,
    /// How many operations on the key complete in it.
    pub completed: usize,
    /// Whether every shorter one is known to have an order.
    pub shortest: bool,
}

/// One operation of an order, and what the key holds after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The operation.
    pub operation: Shown,
    /// What the key holds then.
    pub state: Value,
}

/// An operation, as far as the prefix knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The client.
    pub process: u64,
    /// What was done.
    pub f: String,
    /// With which value.
    pub value: Value,
    /// How it ended.
    #[serde(rename = "type")]
    pub ending: Ending,
    /// What it was answered, where that says more than that it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    /// Index of the event that began it.
    pub invoked: u64,
    /// Index of the event that ended it, if it ended in the prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed: Option<u64>,
    /// The node that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

impl Shown {
    /// The same, of what it listed these elements alone; all of it if there are none.
    pub(crate) fn of_elements(mut self, elements: &FxHashSet<&Value>) -> Self {
        if let Some(Seen(Value::List(listed))) = &mut self.seen
            && self.f == "read"
            && !elements.is_empty()
        {
            listed.retain(|element| elements.contains(element));
        }
        self
    }
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Seen(pub Value);

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// It took effect.
    Ok,
    /// It had no effect.
    Fail,
    /// Its outcome is not known.
    Info,
    /// It has not ended yet.
    Open,
}

impl Witness {
    /// The refutation in a sentence.
    pub(crate) fn sentence(&self) -> String {
        match &self.refuted {
            Some(refuted) => format!("{}, {}", self.claim(refuted), self.reason()),
            None => format!("the operations on {} have no order", self.object()),
        }
    }

    fn reason(&self) -> String {
        if let Some(writer) = &self.failed_writer {
            let Shown { process, f, .. } = writer;
            let did = match self.spec.is_container() {
                true => "put in",
                false => "wrote",
            };
            return format!("a value that only process {process}'s {f} {did}, and that failed");
        }
        if self.never_written {
            return match self.spec.is_container() {
                true => "an element that was never put in".to_owned(),
                false => "a value that was never written to it".to_owned(),
            };
        }
        match self.left() {
            None => "and no order of the operations before allows that".to_owned(),
            Some(left) => format!("but the orders that come furthest {left}"),
        }
    }
}

impl Witness {
    /// The operations that have no order by themselves, if they are few.
    fn write_evidence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DRAWN_MAX: usize = 12;
        if self.needed.is_empty()
            && let Some(why) = &self.not_rechecked
        {
            writeln!(f, "Which few operations are enough is not shown: {why}.")?;
        }
        if self.needed.is_empty() || self.needed.len() > DRAWN_MAX {
            return Ok(());
        }
        let is_drawn = self.needed.len() + self.optional.len() <= DRAWN_MAX;
        match self.needed.len() {
            1 => write!(f, "This operation alone has no place")?,
            needed => write!(f, "These {needed} operations alone have no order")?,
        }
        if !self.elements.is_empty() {
            let elements: Vec<String> = self.elements.iter().map(brief).collect();
            write!(f, ", for what is said of {}", and(&elements))?;
        }
        if self.window.from_any_state {
            write!(f, ", whatever came before")?;
        }
        match self.optional.len() {
            0 => {}
            others if !is_drawn => write!(f, ", with or without any of {others} others")?,
            1 => write!(f, ", with or without the one marked ?")?,
            _ => write!(f, ", with or without any of those marked ?")?,
        }
        writeln!(f, ":\n")?;
        f.write_str(&draw_evidence(self, is_drawn))?;
        match self.orders.is_empty() {
            true => Ok(()),
            false => writeln!(f, "\nAn order that comes furthest:"),
        }
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}.", self.explanation)?;
        let Prefix {
            last,
            completed,
            shortest,
        } = self.prefix;
        let key = match self.spec.is_register() {
            true => "the key".to_owned(),
            false => self.object(),
        };
        let least = if shortest { "shortest " } else { "" };
        writeln!(
            f,
            "The {least}prefix without an order ends at event {last}; {completed} operations on \
             {key} complete in it."
        )?;
        self.write_evidence(f)?;
        writeln!(f)?;
        f.write_str(&draw(self))
    }
}

/// These as they are enumerated.
fn and(all: &[String]) -> String {
    match all {
        [others @ .., last] if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        all => all.concat(),
    }
}

/// A value in few characters.
pub(crate) fn brief(value: &Value) -> String {
    const CHARACTERS_MAX: usize = 24;
    let text = match value {
        Value::Null => "nothing".to_owned(),
        other => other.to_string(),
    };
    if text.chars().count() <= CHARACTERS_MAX {
        return text;
    }
    // The end of a long list tells more than its beginning.
    let tail: Vec<char> = text.chars().rev().take(CHARACTERS_MAX - 2).collect();
    format!("..{}", tail.into_iter().rev().collect::<String>())
}
