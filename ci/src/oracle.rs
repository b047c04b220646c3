//! What judges a recorded history: by its name, as the command line takes it.

use serde_json::Value as Json;
use tribunal_checker::{Limits, Options, Spec, Verdict, check, local_reads};
use tribunal_histories::{History, HistoryError, Nil};

use crate::exit::Conclusion;

/// What judges a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oracle {
    /// Whether some order of the operations agrees with their times and fits
    /// this specification.
    Order(Spec),
    /// Whether reads of single nodes are what they say they are.
    LocalReads,
}

/// What an oracle says of a history.
pub struct Judged {
    /// What it concluded; that nothing was judged is for others to see.
    pub verdict: Conclusion,
    /// Why that is not known.
    pub reason: Option<String>,
    /// The proof, as data and as text.
    pub witness: Option<(Json, String)>,
    /// What was judged, in a few words.
    pub about: String,
    /// Operations of clients.
    pub operations: usize,
    /// How many of them took effect for certain.
    pub completed_ok: usize,
    /// On how many keys.
    pub keys: usize,
}

impl Oracle {
    /// All there are.
    pub const ALL: &[Oracle] = &[
        Oracle::Order(Spec::Register),
        Oracle::Order(Spec::CasRegister),
        Oracle::Order(Spec::Kv),
        Oracle::LocalReads,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Oracle::Order(spec) => spec.name(),
            Oracle::LocalReads => "local-reads",
        }
    }

    /// What it describes, in a line.
    pub const fn about(self) -> &'static str {
        match self {
            Oracle::Order(spec) => spec.about(),
            Oracle::LocalReads => {
                "registers that any node reads: set and get, each with the position it reflects"
            }
        }
    }

    /// The property that it decides.
    pub const fn checker(self) -> &'static str {
        match self {
            Oracle::Order(_) => "linearizability",
            Oracle::LocalReads => "local-reads",
        }
    }

    /// Whether a check of that name is one of a history.
    pub fn is_checker(name: &str) -> bool {
        Oracle::ALL.iter().any(|oracle| oracle.checker() == name)
    }

    /// Judges a history. `nil` says what a read of nothing means, if not what
    /// the header says.
    ///
    /// # Errors
    ///
    /// If it is no history, or not one for this oracle.
    pub fn judge(
        self,
        history: &History,
        nil: Option<Nil>,
        limits: Limits,
    ) -> Result<Judged, HistoryError> {
        match self {
            Oracle::Order(spec) => by_order(history, &Options { spec, nil, limits }),
            Oracle::LocalReads => by_position(history),
        }
    }
}

fn by_order(history: &History, options: &Options) -> Result<Judged, HistoryError> {
    let judged = check(history, options)?;
    let (verdict, reason, witness) = match judged.verdict {
        Verdict::Valid => (Conclusion::Valid, None, None),
        Verdict::Unknown(limit) => (Conclusion::Unknown, Some(limit.to_string()), None),
        Verdict::Invalid(witness) => {
            let proof = (json(&witness), witness.to_string());
            (Conclusion::Invalid, None, Some(proof))
        }
    };
    Ok(Judged {
        verdict,
        reason,
        witness,
        about: format!(
            "{} operations on {} keys, {}",
            judged.operations, judged.keys, options.spec
        ),
        operations: judged.operations,
        completed_ok: judged.completed_ok,
        keys: judged.keys,
    })
}

fn by_position(history: &History) -> Result<Judged, HistoryError> {
    let judged = local_reads::check(history)?;
    let witness = match judged.verdict {
        Verdict::Invalid(witness) => Some((json(&witness), format!("{witness}\n"))),
        Verdict::Valid | Verdict::Unknown(_) => None,
    };
    Ok(Judged {
        verdict: match witness {
            Some(_) => Conclusion::Invalid,
            None => Conclusion::Valid,
        },
        reason: None,
        witness,
        about: format!(
            "{} operations on {} keys; of {} reads {} missed a write that had completed",
            judged.operations, judged.keys, judged.reads, judged.stale
        ),
        operations: judged.operations,
        completed_ok: judged.completed_ok,
        keys: judged.keys,
    })
}

fn json(witness: &impl serde::Serialize) -> Json {
    serde_json::to_value(witness).expect("a witness is plain data")
}
