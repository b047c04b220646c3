//! The engines by name, as the command line takes them.

use std::fmt;
use std::str::FromStr;

/// What looks for an order, or for the proof that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Engine {
    /// Sorting, of registers, and of parts of other objects, that never come to
    /// hold the same twice.
    Zones,
    /// Sorting, of containers, counters and logs; see [`crate::monitors`].
    Monitor,
    /// All orders at once, moment by moment.
    Frontier,
    /// The most promising orders at once: finds an order, or nothing, unless it
    /// never had to give one up.
    Beam,
    /// One order after the other.
    DepthFirst,
    /// The same, with calls of unknown outcome in any number: refutes, or
    /// finds nothing.
    Relaxation,
    /// Short stretches of the history that have no order wherever they start:
    /// refutes, or finds nothing.
    Windows,
}

impl Engine {
    /// All there are.
    pub const ALL: [Engine; 7] = [
        Engine::Zones,
        Engine::Monitor,
        Engine::Frontier,
        Engine::Beam,
        Engine::DepthFirst,
        Engine::Relaxation,
        Engine::Windows,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Engine::Zones => "zones",
            Engine::Monitor => "monitor",
            Engine::Frontier => "frontier",
            Engine::Beam => "beam",
            Engine::DepthFirst => "depth-first",
            Engine::Relaxation => "relaxation",
            Engine::Windows => "windows",
        }
    }

    /// What it does, in a line.
    pub const fn about(self) -> &'static str {
        match self {
            Engine::Zones => {
                "sorting; what never holds the same twice, as registers of distinct values"
            }
            Engine::Monitor => "sorting; containers, counters and logs, mostly of distinct values",
            Engine::Frontier => "all orders at once, moment by moment",
            Engine::Beam => {
                "the most promising orders at once; refutes only if that was all of them"
            }
            Engine::DepthFirst => "one order after the other",
            Engine::Relaxation => {
                "depth first, unknown outcomes in any number; refutes, or finds nothing"
            }
            Engine::Windows => {
                "stretches without an order from any start; refutes, or finds nothing"
            }
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Engine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Engine::ALL.into_iter().find(|engine| engine.name() == text);
        named.ok_or_else(|| {
            let names: Vec<&str> = Engine::ALL.iter().map(|engine| engine.name()).collect();
            format!("expected one of {}", names.join(", "))
        })
    }
}
