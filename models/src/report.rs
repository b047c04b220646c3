//! What a check established.

use std::time::Duration;

use crate::bounds::{Granularity, Limit};
use crate::tally::Kind;

/// What a check established, of the bounds that it was made within.
#[derive(Clone, Debug)]
pub struct Report {
    /// Which system.
    pub system: &'static str,
    /// Which wrong version, if one.
    pub bug: Option<&'static str>,
    /// Granularity.
    pub host: Granularity,
    /// Every bound, by name.
    pub bounds: Vec<(&'static str, u64)>,
    /// The prefix that it started from, if not from the first state.
    pub from: Option<&'static str>,
    /// What fingerprints were salted with.
    pub salt: u64,
    /// The conclusion.
    pub verdict: Verdict,
    /// States generated, the same ones counted each time.
    pub states_generated: u64,
    /// Different states.
    pub states_unique: u64,
    /// Different states that were met on ways that some property asks for.
    pub states_on_ways: u64,
    /// States on the longest path that was followed.
    pub depth: u64,
    /// How long it took.
    pub time: Duration,
    /// The most memory that the process was seen to hold, where that can be
    /// known.
    pub memory_peak: Option<u64>,
    /// Budgets that disabled an action.
    pub limits_hit: Vec<Limit>,
    /// How often each kind of action was taken.
    pub actions: Vec<(Kind, u64)>,
    /// Every property and every goal that was asked.
    pub properties: Vec<PropertyReport>,
}

/// The conclusion of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every state within the bounds was judged and found right, and every
    /// goal was reached.
    Valid,
    /// A property is violated, or a goal cannot be reached.
    Invalid,
    /// A limit was met first; says which.
    Unknown(String),
}

/// What is known of one property or goal.
#[derive(Clone, Debug)]
pub struct PropertyReport {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub about: &'static str,
    /// Whether it must hold always or be reached sometimes.
    pub kind: PropertyKind,
    /// What is known.
    pub result: PropertyResult,
    /// Of a goal, in how many different states it was reached; of a property of
    /// ways, from how many one was asked for.
    pub count: Option<u64>,
    /// What contradicts it, where something does.
    pub why: Option<String>,
    /// How to get there, where it is violated.
    pub path: Vec<PathStep>,
    /// Whether there is certainly no shorter path within the bounds.
    pub is_shortest: bool,
}

/// What kind of property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PropertyKind {
    /// Must hold in every state.
    Always,
    /// Must be reached in some state: a goal.
    Sometimes,
}

/// What is known of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PropertyResult {
    /// It holds in every state.
    Holds,
    /// It does not hold in the last state of the path.
    Violated,
    /// The goal is reached.
    Reached,
    /// The goal is reached in no state.
    NotReached,
    /// The search ended before this was known.
    Unknown,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathStep {
    /// Its number, from 1.
    pub number: usize,
    /// Whether it is part of the prefix that the search started from.
    pub prefix: bool,
    /// What happens.
    pub action: String,
    /// What changes by it, one line each.
    pub changes: Vec<String>,
}

impl PropertyKind {
    /// The word in reports.
    pub fn word(self) -> &'static str {
        match self {
            PropertyKind::Always => "always",
            PropertyKind::Sometimes => "sometimes",
        }
    }
}

impl PropertyResult {
    /// The word in reports.
    pub fn word(self) -> &'static str {
        match self {
            PropertyResult::Holds => "holds",
            PropertyResult::Violated => "violated",
            PropertyResult::Reached => "reached",
            PropertyResult::NotReached => "not reached",
            PropertyResult::Unknown => "unknown",
        }
    }
}

impl PropertyReport {
    /// Says that it is violated at the end of a path.
    pub(crate) fn violate(&mut self, why: String, path: Vec<PathStep>, is_shortest: bool) {
        self.result = PropertyResult::Violated;
        self.why = Some(why);
        self.path = path;
        self.is_shortest = is_shortest;
    }
}

impl Report {
    /// The chance that two different states were taken for one, and what lies
    /// behind the second was missed: n² / 2⁶⁵ for ideal fingerprints of 64
    /// bits. A collision can only hide a violation, never invent one.
    pub fn collision_probability(&self) -> f64 {
        let states = (self.states_unique + self.states_on_ways) as f64;
        (states * states / 2_f64.powi(65)).min(1.0)
    }

    /// The properties that are violated.
    pub fn violated(&self) -> impl Iterator<Item = &PropertyReport> {
        self.properties
            .iter()
            .filter(|property| property.result == PropertyResult::Violated)
    }
}
