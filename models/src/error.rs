//! Why a system could not be checked.

/// Why a system could not be checked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// There is no such wrong version.
    #[error("unknown bug `{name}` of {system}; known: {known}")]
    UnknownBug {
        /// What was asked for.
        name: String,
        /// Of which system.
        system: &'static str,
        /// What there is.
        known: String,
    },
    /// There is no such prefix.
    #[error("unknown prefix `{name}` of {system}; known: {known}")]
    UnknownPrefix {
        /// What was asked for.
        name: String,
        /// Of which system.
        system: &'static str,
        /// What there is.
        known: String,
    },
    /// There is no such property.
    #[error("unknown property `{name}` of {system}; known: {known}")]
    UnknownProperty {
        /// What was asked for.
        name: String,
        /// Of which system.
        system: &'static str,
        /// What there is.
        known: String,
    },
    /// The bounds are too tight for a prefix.
    #[error("prefix `{prefix}` needs at least {what}")]
    PrefixNeeds {
        /// Which prefix.
        prefix: &'static str,
        /// What it needs.
        what: String,
    },
    /// A step of a prefix is not possible.
    #[error("step {number} of prefix `{prefix}` is not possible or has no effect: {cue}")]
    PrefixDoesNotFit {
        /// Which prefix.
        prefix: &'static str,
        /// Which of its cues.
        number: usize,
        /// What the cue says.
        cue: String,
    },
    /// A bound that no cluster can have.
    #[error("{0}")]
    Bounds(String),
    /// The system has no cluster that could be simulated.
    #[error(
        "{system} is a plain model with nothing to simulate; every state of it is visited by \
             `tribunal check {system}`"
    )]
    NotSimulated {
        /// Which system.
        system: &'static str,
    },
    /// The memory of the process is not known here.
    #[error("bound the memory: this system does not tell how much the process holds")]
    NoMemoryFigures,
    /// The address for the explorer cannot be used.
    #[error("serve the explorer on {address}: {source}; try a free address such as 127.0.0.1:3000")]
    Explorer {
        /// Which address.
        address: String,
        /// Why not.
        source: std::io::Error,
    },
    /// Our own side broke.
    #[error("explore the model: {0}")]
    Search(String),
}

impl CheckError {
    /// Whether somebody asked for something that there is not, rather than
    /// our own side having failed.
    pub fn is_usage(&self) -> bool {
        !matches!(
            self,
            CheckError::Search(_) | CheckError::PrefixDoesNotFit { .. }
        )
    }
}
