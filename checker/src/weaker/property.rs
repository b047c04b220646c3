//! The properties by name.

use std::fmt;
use std::str::FromStr;

/// What a history can be judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Property {
    /// One order of everything that respects each session.
    Sequential,
    /// The same of each key apart.
    PerKeySequential,
    /// Every read is explained by what comes before it causally, and all by
    /// one order of the writes.
    CausalConvergence,
    /// What each session read is explained by one order of what comes before
    /// it causally.
    CausalMemory,
    /// Every read is explained by what comes before it causally.
    Causal,
    /// A session that saw a write sees no older one later.
    MonotonicReads,
    /// Who sees a write of a session sees those before it.
    MonotonicWrites,
    /// A session sees what it wrote.
    ReadYourWrites,
    /// Who sees a write sees what its session had seen.
    WritesFollowReads,
    /// Reads return one of the last k values.
    KAtomicity,
    /// Reads return the last value, or one that is being written.
    Regular,
    /// Reads beside no write return the last value.
    Safe,
}

impl Property {
    /// All there are, the stronger first where one implies the other.
    pub const ALL: [Property; 12] = [
        Property::Sequential,
        Property::PerKeySequential,
        Property::CausalConvergence,
        Property::CausalMemory,
        Property::Causal,
        Property::MonotonicWrites,
        Property::WritesFollowReads,
        Property::MonotonicReads,
        Property::ReadYourWrites,
        Property::KAtomicity,
        Property::Regular,
        Property::Safe,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Property::Sequential => "sequential",
            Property::PerKeySequential => "per-key-sequential",
            Property::CausalConvergence => "causal-convergence",
            Property::CausalMemory => "causal-memory",
            Property::Causal => "causal",
            Property::MonotonicReads => "monotonic-reads",
            Property::MonotonicWrites => "monotonic-writes",
            Property::ReadYourWrites => "read-your-writes",
            Property::WritesFollowReads => "writes-follow-reads",
            Property::KAtomicity => "k-atomicity",
            Property::Regular => "regular",
            Property::Safe => "safe",
        }
    }

    /// What it says, in a line.
    pub const fn about(self) -> &'static str {
        match self {
            Property::Sequential => {
                "registers: one order of all operations respects every session, whatever the times"
            }
            Property::PerKeySequential => {
                "registers: each key alone has an order that respects every session"
            }
            Property::CausalConvergence => {
                "registers: causal, and all sessions agree on one order of writes"
            }
            Property::CausalMemory => {
                "registers: causal, and each session sticks to one order of what it has seen"
            }
            Property::Causal => "registers: no read misses what it causally depends on",
            Property::MonotonicReads => "registers: no session reads backwards",
            Property::MonotonicWrites => {
                "registers: whoever sees a session's write sees its earlier ones, reading forwards"
            }
            Property::ReadYourWrites => "registers: no session misses what it wrote itself",
            Property::WritesFollowReads => {
                "registers: whoever sees a write sees what its session had seen, reading forwards"
            }
            Property::KAtomicity => {
                "registers: an order in real time in which reads return one of the last k values"
            }
            Property::Regular => {
                "registers: reads return the last value, or one that is being written"
            }
            Property::Safe => "registers: reads that overlap no write return the last value",
        }
    }

    /// Where it is defined.
    pub const fn source(self) -> &'static str {
        match self {
            Property::Sequential => {
                "Lamport, How to Make a Multiprocessor Computer That Correctly Executes \
                 Multiprocess Programs, 1979"
            }
            Property::PerKeySequential => {
                "Goodman, Cache Consistency and Sequential Consistency, 1989; Cantin, Lipasti and \
                 Smith, The Complexity of Verifying Memory Coherence, 2003"
            }
            Property::CausalConvergence => {
                "Bouajjani, Enea, Guerraoui and Hamza, On Verifying Causal Consistency, POPL 2017: CCv"
            }
            Property::CausalMemory => {
                "Ahamad, Neiger, Burns, Kohli and Hutto, Causal Memory, 1995; Bouajjani, Enea, \
                 Guerraoui and Hamza, On Verifying Causal Consistency, POPL 2017: CM"
            }
            Property::Causal => {
                "Bouajjani, Enea, Guerraoui and Hamza, On Verifying Causal Consistency, POPL 2017: CC"
            }
            Property::MonotonicReads
            | Property::MonotonicWrites
            | Property::ReadYourWrites
            | Property::WritesFollowReads => {
                "Terry, Demers, Petersen, Spreitzer, Theimer and Welch, Session Guarantees for \
                 Weakly Consistent Replicated Data, 1994"
            }
            Property::KAtomicity => {
                "Golab, Hurwitz and Li, On the k-Atomicity-Verification Problem, ICDCS 2013"
            }
            Property::Regular => {
                "Lamport, On Interprocess Communication, 1986; with several writers MWRegWeak of \
                 Shao, Welch, Pierce and Lee, Multiwriter Consistency Conditions for Shared Memory \
                 Registers, 2011"
            }
            Property::Safe => "Lamport, On Interprocess Communication, 1986",
        }
    }

    /// Whether judging it takes long, so that it is worth while to look whether
    /// the history is linearizable first.
    pub(super) const fn is_searched(self) -> bool {
        matches!(
            self,
            Property::Sequential | Property::PerKeySequential | Property::CausalMemory
        )
    }

    /// Whether judging it can meet a limit.
    pub const fn is_limited(self) -> bool {
        !matches!(self, Property::Regular | Property::Safe)
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Property {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut all = Property::ALL.into_iter();
        all.find(|property| property.name() == text).ok_or_else(|| {
            let names: Vec<&str> = Property::ALL.iter().map(|it| it.name()).collect();
            format!("expected one of {}", names.join(", "))
        })
    }
}
