//! What judges a recorded history: by its name, as the command line takes it.

use serde_json::Value as Json;
use tribunal_checker::linearizability::witness::Witness;
use tribunal_checker::transactions::{self, Level, bank};
use tribunal_checker::weaker::{self, Property, Staleness};
use tribunal_checker::{Engine, Limits, Options, Resource, Spec, Verdict, check, local_reads};
use tribunal_histories::{History, HistoryError, Nil};

use crate::exit::Conclusion;

/// What judges a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oracle {
    /// Whether some order of the operations agrees with their times and fits
    /// this specification.
    Order(Spec),
    /// Whether registers have a property that is weaker than an order that
    /// agrees with the times.
    Weaker {
        /// Which.
        property: Property,
        /// Of how many values, the newest ones, a read may return any, where
        /// that is what is asked.
        staleness: usize,
    },
    /// Whether reads of single nodes are what they say they are.
    LocalReads,
    /// Whether some order of the transactions explains what they read.
    Level(Level),
    /// Whether every read of all accounts finds the total that there was at
    /// first, and none that is overdrawn unless that is allowed.
    Bank {
        /// Whether an account may be overdrawn.
        overdrafts: bool,
    },
}

/// What an oracle says of a history.
pub struct Judged {
    /// What it concluded; that nothing was judged is for others to see.
    pub verdict: Conclusion,
    /// Why that is not known.
    pub reason: Option<String>,
    /// The proof, as data and as text.
    pub witness: Option<(Json, String)>,
    /// The proof that there is no order, for a page of it.
    pub unordered: Option<Box<Witness>>,
    /// What was judged, in a few words.
    pub about: String,
    /// Operations of clients.
    pub operations: usize,
    /// How many of them took effect for certain.
    pub completed_ok: usize,
    /// On how many keys.
    pub keys: usize,
    /// Whether it is not known since a limit was met.
    pub limited: bool,
    /// Of which, if that is known.
    pub ran_out: Option<Resource>,
    /// How stale reads are, where that is asked.
    pub staleness: Option<Staleness>,
}

impl Oracle {
    /// Those that say what a key is, or several together.
    pub const SPECS: &[Oracle] = &{
        let (orders, weaker) = (Spec::ALL.len(), Property::ALL.len());
        let mut all = [Oracle::BANK; Spec::ALL.len() + Property::ALL.len() + 2];
        let mut place = 0;
        while place < orders {
            all[place] = Oracle::Order(Spec::ALL[place]);
            place += 1;
        }
        while place < orders + weaker {
            all[place] = Oracle::weaker(Property::ALL[place - orders]);
            place += 1;
        }
        all[place] = Oracle::LocalReads;
        all
    };

    /// That of accounts that must not be overdrawn.
    pub const BANK: Oracle = Oracle::Bank { overdrafts: false };

    /// That of a property of registers; of `k-atomicity` with the smallest k.
    pub const fn weaker(property: Property) -> Oracle {
        Oracle::Weaker {
            property,
            staleness: 1,
        }
    }

    /// Those that say what transactions may see of each other.
    pub const LEVELS: &[Oracle] = &[
        Oracle::Level(Level::Serializable),
        Oracle::Level(Level::StrictSerializable),
    ];

    /// What judges a history of transactions whose header says that it was
    /// recorded from this workload, if we have none of that name ourselves.
    pub fn of_transactions(workload: &str) -> Option<Oracle> {
        (workload == "rw-register").then_some(Oracle::Level(Level::StrictSerializable))
    }

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Oracle::Order(spec) => spec.name(),
            Oracle::Weaker { property, .. } => property.name(),
            Oracle::LocalReads => "local-reads",
            Oracle::Level(level) => level.name(),
            Oracle::Bank { .. } => "bank",
        }
    }

    /// What it describes, in a line.
    pub const fn about(self) -> &'static str {
        match self {
            Oracle::Order(spec) => spec.about(),
            Oracle::Weaker { property, .. } => property.about(),
            Oracle::LocalReads => {
                "registers that any node reads: set and get, each with the position it reflects"
            }
            Oracle::Level(level) => level.about(),
            Oracle::Bank { .. } => {
                "accounts: transfers between two, and reads of all, which have one total"
            }
        }
    }

    /// Where what it decides is defined, if it is named after that.
    pub const fn source(self) -> Option<&'static str> {
        match self {
            Oracle::Weaker { property, .. } => Some(property.source()),
            _ => None,
        }
    }

    /// Whether judging by it can meet a limit.
    pub const fn is_limited(self) -> bool {
        match self {
            Oracle::Order(_) => true,
            Oracle::Weaker { property, .. } => property.is_limited(),
            Oracle::LocalReads | Oracle::Level(_) | Oracle::Bank { .. } => false,
        }
    }

    /// The property that it decides.
    pub const fn checker(self) -> &'static str {
        match self {
            Oracle::Order(_) => "linearizability",
            Oracle::Weaker { property, .. } => property.name(),
            Oracle::LocalReads => "local-reads",
            Oracle::Level(_) => "isolation",
            Oracle::Bank { .. } => "bank",
        }
    }

    /// Whether a check of that name is one of a history.
    pub fn is_checker(name: &str) -> bool {
        let mut all = Oracle::SPECS.iter().chain(Oracle::LEVELS);
        all.any(|oracle| oracle.checker() == name)
    }

    /// Judges a history. `nil` says what a read of nothing means, if not what
    /// the header says; `engine` looks for an order alone, if it is given.
    ///
    /// # Errors
    ///
    /// If it is no history, or not one for this oracle.
    pub fn judge(
        self,
        history: &History,
        nil: Option<Nil>,
        engine: Option<Engine>,
        limits: Limits,
    ) -> Result<Judged, HistoryError> {
        match self {
            Oracle::Order(spec) => {
                let options = Options {
                    spec,
                    nil,
                    engine,
                    limits,
                };
                by_order(history, &options)
            }
            Oracle::Weaker {
                property,
                staleness,
            } => {
                let options = weaker::Options {
                    nil,
                    limits,
                    staleness,
                };
                by_property(history, property, &options)
            }
            Oracle::LocalReads => by_position(history),
            Oracle::Level(level) => by_cycles(history, level, nil),
            Oracle::Bank { overdrafts } => by_totals(history, overdrafts),
        }
    }
}

fn by_order(history: &History, options: &Options) -> Result<Judged, HistoryError> {
    let judged = check(history, options)?;
    let (verdict, reason, witness) = concluded(&judged.verdict, ToString::to_string);
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
        limited: verdict == Conclusion::Unknown,
        ran_out: match &judged.verdict {
            Verdict::Unknown(limit) => limit.resource,
            Verdict::Valid | Verdict::Invalid(_) => None,
        },
        staleness: None,
        unordered: match judged.verdict {
            Verdict::Invalid(witness) => Some(witness),
            Verdict::Valid | Verdict::Unknown(_) => None,
        },
    })
}

fn by_property(
    history: &History,
    property: Property,
    options: &weaker::Options,
) -> Result<Judged, HistoryError> {
    let judged = weaker::check(history, property, options)?;
    let (verdict, _, witness) = concluded(&judged.verdict, ToString::to_string);
    let reason = match &judged.verdict {
        Verdict::Unknown(limit) => Some(limit.reason.clone()),
        Verdict::Valid | Verdict::Invalid(_) => None,
    };
    let staleness = judged
        .staleness
        .map_or_else(String::new, |it| format!("; {it}"));
    Ok(Judged {
        verdict,
        reason,
        witness,
        about: format!(
            "{} operations on {} keys in {} sessions, {property}{staleness}",
            judged.operations, judged.keys, judged.sessions
        ),
        operations: judged.operations,
        completed_ok: judged.completed_ok,
        keys: judged.keys,
        limited: judged.limited,
        ran_out: None,
        staleness: judged.staleness,
        unordered: None,
    })
}

fn by_position(history: &History) -> Result<Judged, HistoryError> {
    let judged = local_reads::check(history)?;
    let (verdict, reason, witness) = concluded(&judged.verdict, |witness| format!("{witness}\n"));
    Ok(Judged {
        verdict,
        reason,
        witness,
        unordered: None,
        about: format!(
            "{} operations on {} keys; of {} reads {} missed a write that had completed",
            judged.operations, judged.keys, judged.reads, judged.stale
        ),
        operations: judged.operations,
        completed_ok: judged.completed_ok,
        keys: judged.keys,
        limited: false,
        ran_out: None,
        staleness: None,
    })
}

fn by_cycles(history: &History, level: Level, nil: Option<Nil>) -> Result<Judged, HistoryError> {
    let judged = transactions::check(history, &transactions::Options { level, nil })?;
    let others = judged.anomalies.iter().skip(1);
    let others: Vec<&str> = others.map(|anomaly| anomaly.name()).collect();
    let (verdict, reason, witness) = concluded(&judged.verdict, |witness| {
        let others = match others.is_empty() {
            true => String::new(),
            false => format!("; also found: {}", others.join(", ")),
        };
        format!("{witness}{others}\n")
    });
    let unordered = judged.unordered_keys;
    let (verdict, reason) = match verdict {
        Conclusion::Valid if unordered > 0 => {
            let keys = match unordered {
                1 => "1 key".to_owned(),
                _ => format!("{unordered} keys"),
            };
            let reason = format!(
                "the order of versions cannot be told of {keys}, which transactions wrote without \
                 having read; no anomaly shows (--spec multi-register searches for one order of \
                 all: strict serializability)"
            );
            (Conclusion::Unknown, Some(reason))
        }
        verdict => (verdict, reason),
    };
    Ok(Judged {
        verdict,
        reason,
        witness,
        unordered: None,
        about: format!(
            "{} transactions on {} keys, {} reads, {level}",
            judged.operations, judged.keys, judged.reads
        ),
        operations: judged.operations,
        completed_ok: judged.completed_ok,
        keys: judged.keys,
        limited: false,
        ran_out: None,
        staleness: None,
    })
}

fn by_totals(history: &History, overdrafts: bool) -> Result<Judged, HistoryError> {
    let options = bank::Options {
        negative_balances: overdrafts,
        initial: None,
    };
    let judged = bank::check(history, &options)?;
    let wrong = judged.wrong_totals.iter();
    let wrong: Vec<String> = wrong
        .map(|(total, reads)| format!("{total} ({reads} times)"))
        .collect();
    let (verdict, reason, witness) = concluded(&judged.verdict, |witness| match wrong.is_empty() {
        true => format!("{witness}\n"),
        false => format!("{witness}\ntotals that were read: {}\n", wrong.join(", ")),
    });
    let (verdict, reason) = match verdict {
        Conclusion::Valid if judged.reads == 0 => {
            let reason = "no read of all accounts completed, so there was nothing to judge";
            (Conclusion::Unknown, Some(reason.to_owned()))
        }
        verdict => (verdict, reason),
    };
    Ok(Judged {
        verdict,
        reason,
        witness,
        unordered: None,
        about: format!(
            "totals of {} reads of {} accounts, {} in all",
            judged.reads, judged.accounts, judged.total
        ),
        operations: judged.operations,
        completed_ok: judged.completed_ok,
        keys: judged.accounts,
        limited: false,
        ran_out: None,
        staleness: None,
    })
}

/// What was concluded, why that is not known, and the proof as data and as
/// text.
type Concluded = (Conclusion, Option<String>, Option<(Json, String)>);

fn concluded<W: serde::Serialize>(
    verdict: &Verdict<W>,
    shown: impl FnOnce(&W) -> String,
) -> Concluded {
    match verdict {
        Verdict::Valid => (Conclusion::Valid, None, None),
        Verdict::Unknown(limit) => (Conclusion::Unknown, Some(limit.to_string()), None),
        Verdict::Invalid(witness) => {
            let proof = (json(witness), shown(witness));
            (Conclusion::Invalid, None, Some(proof))
        }
    }
}

fn json(witness: &impl serde::Serialize) -> Json {
    serde_json::to_value(witness).expect("a witness is plain data")
}
