//! The vocabulary of faults: their names, whom they may hit, and what each one
//! promises.
//!
//! Everything a user can type is a closed set with one spelling, the same in
//! flags, campaign files, schedules, histories and reports.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::schedule::span;

/// A node of the cluster under test, by its place: 1 is `n1`.
pub type Node = u8;

/// The name of a node, as histories and reports have it.
pub fn node_name(node: Node) -> String {
    format!("n{node}")
}

/// The node that a name stands for; none if it is not of the form `n1`.
pub fn parse_node(name: &str) -> Option<Node> {
    let digits = name.strip_prefix('n')?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|_| plain)
}

/// A word that is not in the closed set it was taken for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {what}, one of {}; found {found:?}{}", known.join(", "), did_you_mean(nearest))]
pub struct UnknownWord {
    /// What was expected: `a fault`, `a shape`, …
    pub what: &'static str,
    /// What was found.
    pub found: String,
    /// All the words there are.
    pub known: Vec<&'static str>,
    /// The word that was probably meant.
    pub nearest: Option<&'static str>,
}

fn did_you_mean(nearest: &Option<&'static str>) -> String {
    nearest.map_or_else(String::new, |word| format!(" (did you mean {word}?)"))
}

/// Declares an enum whose variants each have one spelling.
macro_rules! words {
    ($(#[$about:meta])* $name:ident, $what:literal, { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// All there are, in the order in which they are listed.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];

            /// The one spelling.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                let found = Self::ALL.iter().find(|word| word.name() == text);
                found.copied().ok_or_else(|| {
                    let known: Vec<&'static str> = Self::ALL.iter().map(|word| word.name()).collect();
                    UnknownWord { what: $what, found: text.to_owned(), nearest: nearest(text, &known), known }
                })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

words! {
    /// A kind of fault.
    FaultKind, "a fault", {
        /// SIGKILL, restarted later over the same data.
        Kill = "kill",
        /// SIGSTOP, later SIGCONT.
        Pause = "pause",
        /// The links between two sides are cut, later healed.
        Partition = "partition",
        /// A node crashes itself between two outputs, restarted later.
        CrashAt = "crash-at",
        /// A member is taken out of the cluster, later added again.
        Membership = "membership",
        /// Leadership is moved to another node.
        Transfer = "transfer",
        /// Nodes drop what their logs need not hold any more.
        Compact = "compact",
    }
}

impl FaultKind {
    /// Those that every system stands whose processes and links are ours: what
    /// a campaign asks for unless it is told.
    pub const USUAL: &'static [FaultKind] =
        &[FaultKind::Kill, FaultKind::Pause, FaultKind::Partition];

    /// Those that hit processes.
    pub const ON_PROCESSES: &'static [FaultKind] =
        &[FaultKind::Kill, FaultKind::Pause, FaultKind::CrashAt];

    /// Whom it may hit; nobody for a partition, which has shapes.
    pub fn targets(self) -> &'static [Target] {
        match self {
            FaultKind::Kill | FaultKind::Pause | FaultKind::CrashAt | FaultKind::Compact => {
                Target::ALL
            }
            FaultKind::Membership => &[Target::One, Target::Leader],
            FaultKind::Transfer => &[Target::One],
            FaultKind::Partition => &[],
        }
    }

    /// Whether it takes a node's process away, so that no other such fault
    /// may hit the node.
    pub(crate) fn is_on_processes(self) -> bool {
        FaultKind::ON_PROCESSES.contains(&self)
    }
}

words! {
    /// After which kind of output a node crashes itself.
    CrashAfter, "an output", {
        /// A message to another node.
        Send = "send",
        /// An answer to a client that its request took effect.
        Answer = "answer",
        /// A message that leaves ahead of a persist that was asked for before.
        EarlySend = "early-send",
        /// Such an answer that leaves ahead of a persist that was asked for before.
        EarlyAnswer = "early-answer",
        /// A persist: durable, and nothing that waited for it has left.
        Persist = "persist",
        /// A persist that is asked for: not begun to be written, and what waits
        /// for no persist has left.
        PersistAsked = "persist-asked",
    }
}

impl CrashAfter {
    /// What an output of this kind is, by whose own kind it can be narrowed
    /// down; none for answers.
    pub fn is_a(self) -> Option<Carrier> {
        match self {
            CrashAfter::Send | CrashAfter::EarlySend => Some(Carrier::Message),
            CrashAfter::Persist | CrashAfter::PersistAsked => Some(Carrier::Record),
            CrashAfter::Answer | CrashAfter::EarlyAnswer => None,
        }
    }
}

/// What has a kind of its own, which the system on trial names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// A message between nodes.
    Message,
    /// A record; a persist is of the kind of any record in it.
    Record,
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Carrier::Message => "message",
            Carrier::Record => "record",
        })
    }
}

/// An output after which a node crashes itself: `send`, or only one that
/// carries a message or record of a kind, `send:vote-reply`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CrashOutput {
    /// Which kind of output.
    pub after: CrashAfter,
    /// Of which message or record, as the system on trial calls it; any if
    /// not given.
    pub of: Option<String>,
}

impl fmt::Display for CrashOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.of {
            Some(of) => write!(f, "{}:{of}", self.after),
            None => self.after.fmt(f),
        }
    }
}

impl FromStr for CrashOutput {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (after, of) = match text.split_once(':') {
            Some((after, of)) => (after, Some(of.to_owned())),
            None => (text, None),
        };
        let after: CrashAfter = after
            .parse()
            .map_err(|error: UnknownWord| error.to_string())?;
        match (after.is_a(), of) {
            (None, Some(of)) => Err(format!("{after} has no kinds: leave out :{of}")),
            (_, of) => Ok(CrashOutput { after, of }),
        }
    }
}

/// What crash-at may draw: an output, `persist`, and which of them, `persist#3`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CrashChoice {
    /// After which output.
    pub output: CrashOutput,
    /// After which of them, from 1; drawn if not given.
    pub ordinal: Option<u64>,
}

impl CrashChoice {
    /// Every kind of output, whatever it carries, and any of them.
    pub fn any() -> Vec<CrashChoice> {
        let all = CrashAfter::ALL.iter().copied();
        let output = |after| CrashOutput { after, of: None };
        all.map(|after| CrashChoice {
            output: output(after),
            ordinal: None,
        })
        .collect()
    }
}

impl fmt::Display for CrashChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ordinal {
            Some(ordinal) => write!(f, "{}#{ordinal}", self.output),
            None => self.output.fmt(f),
        }
    }
}

impl FromStr for CrashChoice {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (output, ordinal) = match text.split_once('#') {
            Some((output, ordinal)) => (output, Some(ordinal)),
            None => (text, None),
        };
        let counted = |text: &str| match text.parse() {
            Ok(0) | Err(_) => Err(format!(
                "expected a number from 1 behind #, found {text:?} (the third is {output}#3)"
            )),
            Ok(ordinal) => Ok(ordinal),
        };
        Ok(CrashChoice {
            output: output.parse()?,
            ordinal: ordinal.map(counted).transpose()?,
        })
    }
}

/// Written as it is typed.
macro_rules! as_typed {
    ($($name:ident),+) => { $(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+ };
}

as_typed!(CrashOutput, CrashChoice);

/// Where a node crashes itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrashPlace {
    /// After which output.
    pub after: CrashOutput,
    /// After which of them, from 1, counted from when the node is asked.
    pub ordinal: u64,
    /// How long after the first of several targets the others are taken with
    /// it.
    #[serde(with = "span", skip_serializing_if = "Duration::is_zero", default)]
    pub lag: Duration,
}

impl fmt::Display for CrashPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.after, self.ordinal)
    }
}

words! {
    /// What a node can be for a while, by its own word. Which node that is, is
    /// found out when a fault is installed.
    Role, "a role", {
        /// It leads; of several the one of the highest epoch.
        Leader = "leader",
        /// It coordinates an open transaction, one that is not decided; of
        /// several the one with most.
        Coordinator = "coordinator",
        /// It has prepared a transaction and not heard its decision; of
        /// several the one with most.
        Prepared = "prepared",
    }
}

impl Role {
    /// Whether what needs this role, if it needs one, can be where nodes have
    /// those.
    pub fn is_had(needed: Option<Role>, known: &[Role]) -> bool {
        needed.is_none_or(|role| known.contains(&role))
    }

    /// What whoever has it does, in words: `leads`.
    pub(crate) fn does(self) -> &'static str {
        match self {
            Role::Leader => "leads",
            Role::Coordinator => "coordinates an open transaction",
            Role::Prepared => "has prepared a transaction and not heard its decision",
        }
    }
}

words! {
    /// Whom a fault hits that is no partition.
    Target, "a target", {
        /// Any one node.
        One = "one",
        /// Some nodes, fewer than half of them.
        Minority = "minority",
        /// Some nodes, more than half of them.
        Majority = "majority",
        /// The node that has [`Role::Leader`] when the fault is installed.
        Leader = "leader",
        /// The node that has [`Role::Coordinator`] then.
        Coordinator = "coordinator",
        /// The node that has [`Role::Prepared`] then.
        Prepared = "prepared",
        /// Every node.
        All = "all",
    }
}

words! {
    /// How a partition divides the cluster.
    Shape, "a shape", {
        /// One node on one side.
        IsolateOne = "isolate-one",
        /// The leader on one side.
        IsolateLeader = "isolate-leader",
        /// The coordinator of an open transaction on one side.
        IsolateCoordinator = "isolate-coordinator",
        /// Fewer than half of the nodes on one side, more than half on the other.
        MajorityMinority = "majority-minority",
        /// Half of the nodes on one side; with an odd number, one fewer than on the other.
        Halves = "halves",
        /// One node keeps all its links; between it, those of the others are
        /// cut in halves, in the order of their names.
        Bridge = "bridge",
    }
}

words! {
    /// How a link is cut.
    Cut, "a cut", {
        /// Nothing passes; what is sent waits and is delivered after the heal.
        Hold = "hold",
        /// Connections are reset, and new ones as soon as they are made.
        Reset = "reset",
    }
}

impl Shape {
    /// The role of the node on one side, where that says which node it is.
    pub fn role(self) -> Option<Role> {
        match self {
            Shape::IsolateLeader => Some(Role::Leader),
            Shape::IsolateCoordinator => Some(Role::Coordinator),
            Shape::IsolateOne | Shape::MajorityMinority | Shape::Halves | Shape::Bridge => None,
        }
    }

    /// How many of `nodes` may be on the smaller side; none if the shape does
    /// not fit so few.
    pub fn side_sizes(self, nodes: usize) -> Option<std::ops::RangeInclusive<usize>> {
        match self {
            Shape::IsolateOne | Shape::IsolateLeader | Shape::IsolateCoordinator if nodes >= 2 => {
                Some(1..=1)
            }
            Shape::Bridge if nodes >= 3 => Some(1..=1),
            Shape::MajorityMinority if nodes >= 3 => Some(1..=(nodes - 1) / 2),
            Shape::Halves if nodes >= 2 => Some(nodes / 2..=nodes / 2),
            _ => None,
        }
    }
}

impl Target {
    /// The role of the node that is hit, where that says which node it is.
    pub fn role(self) -> Option<Role> {
        match self {
            Target::Leader => Some(Role::Leader),
            Target::Coordinator => Some(Role::Coordinator),
            Target::Prepared => Some(Role::Prepared),
            Target::One | Target::Minority | Target::Majority | Target::All => None,
        }
    }

    /// How many of `nodes` may be hit; none if the target does not fit so few.
    pub fn sizes(self, nodes: usize) -> Option<std::ops::RangeInclusive<usize>> {
        match self {
            Target::One | Target::Leader | Target::Coordinator | Target::Prepared if nodes >= 1 => {
                Some(1..=1)
            }
            Target::Minority if nodes >= 3 => Some(1..=(nodes - 1) / 2),
            // All of them is a target of its own, except where there is no
            // majority short of it.
            Target::Majority if nodes >= 3 => Some(nodes / 2 + 1..=nodes - 1),
            Target::Majority | Target::All if nodes >= 1 => Some(nodes..=nodes),
            _ => None,
        }
    }
}

/// What a fault is and what it promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FaultInfo {
    /// Its name.
    #[serde(rename = "name")]
    pub fault: FaultKind,
    /// What it is, in a line.
    pub about: &'static str,
    /// What happens when it is installed.
    pub install: &'static str,
    /// What shows that it took effect.
    pub evidence: &'static str,
    /// What undoes it, and how that is verified.
    pub heal: &'static str,
}

/// Every fault there is, with its documented semantics.
pub fn faults() -> &'static [FaultInfo] {
    &FAULTS
}

const FAULTS: [FaultInfo; 7] = [
    FaultInfo {
        fault: FaultKind::Kill,
        about: "SIGKILL to node processes, restarted later over the same data; targets one, minority, \
                majority, all and, where the system has it, leader, coordinator, prepared",
        install: "SIGKILL to the process group of each target. What the node had not handed to \
                  the kernel is lost; what it had written survives, synced or not.",
        evidence: "the wait status of each process: dead by signal 9",
        heal: "the same command line over the same data folder, verified by the node's own \
               readiness; a node that exits again is not healed",
    },
    FaultInfo {
        fault: FaultKind::Pause,
        about: "SIGSTOP to node processes, continued later; targets one, minority, majority, all and, \
                where the system has it, leader, coordinator, prepared",
        install: "SIGSTOP to the process group of each target. Its sockets stay open and its \
                  peers' bytes pile up in the kernel; its clocks go on without it.",
        evidence: "the kernel's report that the group has stopped, and state T of every thread",
        heal: "SIGCONT, verified by the kernel's report that it runs again and no thread in state T",
    },
    FaultInfo {
        fault: FaultKind::Partition,
        about: "links between two sides cut, both ways; shapes isolate-one, majority-minority, halves, \
                bridge and, where the system has it, isolate-leader, isolate-coordinator; cut by hold or \
                reset",
        install: "every link from one side to the other is cut; of a bridge, whose target is on \
                  neither side, those between the halves of the other nodes. Hold: no byte passes and new \
                  connections wait, nothing is lost. Reset: connections are reset, new ones too. \
                  Links between nodes of one side, and clients, are untouched.",
        evidence: "a probe through each cut link that is held or reset; bytes and connections \
                   held or reset on the way",
        heal: "every link carries again unless another fault cuts it too, verified by all held \
               bytes delivered (or waiting for the receiving node alone, or gone with their \
               connection) and by a probe that passes each link",
    },
    FaultInfo {
        fault: FaultKind::CrashAt,
        about: "a node crashes itself between two outputs, restarted later over the same data; targets one, \
                minority, majority, all and, where the system has it, leader, coordinator, prepared; after send, answer, early-send, early-answer, persist, \
                persist-asked; send:KIND, persist:KIND and the like for messages or records of a kind",
        install: "each target is asked to end itself after its n-th output of a kind, counted from \
                  then: once that output is with the kernel, and before anything else leaves or \
                  begins to be written; after persist-asked, before that persist begins to be \
                  written. The first of several targets to come to its place takes the others with \
                  it by SIGKILL, at once or after a lag. What it had written survives, synced or not. Only for systems whose nodes can be asked; they name \
                  the kinds of their messages and records.",
        evidence: "the wait status of the process: the exit code that stands for just this crash",
        heal: "as for kill; a node that did not come to its place in time is told to forget it",
    },
    FaultInfo {
        fault: FaultKind::Membership,
        about: "a member is taken out of the cluster, later added again; targets one, leader; for \
                systems whose membership can change",
        install: "the leader is asked to remove the target, again until the fault's time is over. \
                  Not before most of those who stay run and two voters stay; the target's process \
                  and links are untouched.",
        evidence: "the status of the leader of the highest epoch: the target is no member at a \
                   committed position",
        heal: "the leader is asked to add it: as a learner, then, once it has caught up, as a \
               voter; verified by the leader's status, at a committed position with no change \
               under way",
    },
    FaultInfo {
        fault: FaultKind::Transfer,
        about: "leadership is moved to a node; target one; for systems that can transfer it",
        install: "the leader is asked to make way for the target (for the node after it, if the \
                  target leads already), again until the fault's time is over",
        evidence: "the status of that node: it leads a higher epoch than the one that was left",
        heal: "nothing: it is over as soon as it took effect",
    },
    FaultInfo {
        fault: FaultKind::Compact,
        about: "nodes drop what their logs need not hold; targets one, minority, majority, all and, \
                where the system has it, leader, coordinator, prepared; for systems with a log that can be compacted",
        install: "each target is asked to compact its log as far as it goes, again until the \
                  fault's time is over; a follower that lags behind needs a snapshot from then on",
        evidence: "each target's answer that it was done, and its status: the log begins at a \
                   later position than before",
        heal: "nothing: what was dropped is not missed",
    },
];

/// The word nearest to `found`, if it is near enough to be a slip.
fn nearest(found: &str, known: &[&'static str]) -> Option<&'static str> {
    let near = known
        .iter()
        .map(|word| (distance(found, word), *word))
        .min()?;
    (near.0 <= 2.max(near.1.len() / 3) && near.0 < near.1.len()).then_some(near.1)
}

/// Levenshtein's distance between two words.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_fault_names_the_known_ones_and_the_nearest() {
        let error = "partion".parse::<FaultKind>().unwrap_err().to_string();
        let expected = "expected a fault, one of kill, pause, partition, crash-at, membership, transfer, compact; found \"partion\" (did you mean partition?)";
        assert_eq!(error, expected);
        let error = "flood".parse::<FaultKind>().unwrap_err().to_string();
        assert_eq!(
            error,
            "expected a fault, one of kill, pause, partition, crash-at, membership, transfer, compact; found \"flood\""
        );
    }

    #[test]
    fn an_output_may_name_the_kind_of_what_it_carries() {
        for text in ["send", "early-send:vote-reply", "persist-asked:append"] {
            assert_eq!(text.parse::<CrashOutput>().unwrap().to_string(), text);
        }
        let choice: CrashChoice = "send:vote-reply#3".parse().unwrap();
        assert_eq!(
            (choice.to_string().as_str(), choice.ordinal),
            ("send:vote-reply#3", Some(3))
        );
        for wrong in ["persist#0", "persist#", "persist#first"] {
            let error = wrong.parse::<CrashChoice>().unwrap_err();
            assert!(error.contains("from 1 behind #"), "{error}");
        }
        let error = "answer:write".parse::<CrashOutput>().unwrap_err();
        assert_eq!(error, "answer has no kinds: leave out :write");
        let error = "sends:vote".parse::<CrashOutput>().unwrap_err();
        assert!(error.contains("did you mean send?"), "{error}");
    }

    #[test]
    fn every_fault_is_documented() {
        let listed: Vec<FaultKind> = faults().iter().map(|info| info.fault).collect();
        assert_eq!(listed, FaultKind::ALL);
    }

    #[test]
    fn every_target_and_shape_is_listed_with_its_fault() {
        for info in faults() {
            let targets = info.fault.targets().iter().map(|target| target.name());
            let shapes = Shape::ALL.iter().map(|shape| shape.name());
            let words: Vec<&str> = match info.fault {
                FaultKind::Partition => shapes.collect(),
                _ => targets.collect(),
            };
            let listed = info.about.split([' ', ',', ';']).collect::<Vec<_>>();
            for word in words {
                assert!(listed.contains(&word), "{}: {word}", info.fault);
            }
        }
    }

    #[test]
    fn a_role_is_a_target_by_its_own_name() {
        let of_targets: Vec<Role> = Target::ALL.iter().filter_map(|t| t.role()).collect();
        assert_eq!(of_targets, Role::ALL);
        for target in Target::ALL {
            let Some(role) = target.role() else { continue };
            assert_eq!(target.name(), role.name());
        }
        for shape in Shape::ALL {
            let Some(role) = shape.role() else { continue };
            assert_eq!(shape.name(), format!("isolate-{role}"));
        }
    }

    #[test]
    fn node_names_are_read_as_they_are_written() {
        for node in 1..=Node::MAX {
            assert_eq!(parse_node(&node_name(node)), Some(node));
        }
        for wrong in ["", "n", "n0", "n01", "n256", "n-1", "n+1", "3", "m3"] {
            assert_eq!(parse_node(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sides_and_targets_are_what_their_names_say() {
        assert_eq!(Shape::MajorityMinority.side_sizes(5), Some(1..=2));
        assert_eq!(Shape::Halves.side_sizes(5), Some(2..=2));
        assert_eq!(Shape::Halves.side_sizes(4), Some(2..=2));
        assert_eq!(Shape::IsolateOne.side_sizes(1), None);
        assert_eq!(Target::Minority.sizes(4), Some(1..=1));
        assert_eq!(Target::Minority.sizes(2), None);
        assert_eq!(Target::Majority.sizes(5), Some(3..=4));
        assert_eq!(Target::Majority.sizes(1), Some(1..=1));
    }
}
