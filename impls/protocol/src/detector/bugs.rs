//! The wrong versions of the detectors: which rule each breaks and what shows
//! it.
//!
//! Each is one guarded expression at the rule; search for its variant of
//! [`Wrong`] to find the place.

use crate::bugs::{Bug, entry, wrong_versions};

wrong_versions! {
    DeviationWithoutFloor,
    MistakeNotLearnt,
    NoLongestSilence,
    PatienceNotRenewed,
    RefutesInTheSameEpoch,
    SilentObserverTrusted,
    SuspectsAreSentNothing,
    SuspectsAtTheTimeout,
    SuspicionNeverWithdrawn,
    TimeoutGrowsWithoutMistake,
    UnheardNeverSuspected,
}

const MODELS: &[&str] = &["atomic", "staged"];
const EVERYWHERE: &[&str] = &["atomic", "staged", "run"];

/// The catalogue of the heartbeat detector, by name.
pub const HEARTBEAT_BUGS: &[Bug] = &[
    Bug {
        name: "mistake-not-learnt",
        about: "the timeout of a peer that was suspected by mistake stays as it is",
        source: "own: the step of Chandra and Toueg's Figure 10 without which a timeout that is too short is too short for ever",
        property: "Eventual Strong Accuracy",
        hosts: MODELS,
        check_args: &[
            "--nodes",
            "2",
            "--ticks",
            "30",
            "--halts",
            "0",
            "--set",
            "timeout=2",
            "--set",
            "step=1",
            "--set",
            "most=3",
            "--property",
            "Eventual Strong Accuracy",
        ],
        run_args: &[],
    },
    Bug {
        name: "suspects-are-sent-nothing",
        about: "no heartbeat goes to a peer that is suspected, so that two who suspect each other do so for ever",
        source: "own: the saving that looks free, since who has failed hears nothing anyway",
        property: "Eventual Strong Accuracy",
        hosts: MODELS,
        check_args: &[
            "--nodes",
            "2",
            "--ticks",
            "14",
            "--in-flight",
            "4",
            "--halts",
            "0",
            "--set",
            "stable-from=3",
        ],
        run_args: &[],
    },
    Bug {
        name: "suspects-at-the-timeout",
        about: "a silence as long as the timeout is too long already",
        source: "own: off by one at the bound that the timeout was derived from",
        property: "Strong Accuracy",
        hosts: MODELS,
        check_args: &["--halts", "0"],
        run_args: &[],
    },
    Bug {
        name: "suspicion-never-withdrawn",
        about: "a suspected peer that is heard stays suspected",
        source: "own: eventually perfect detectors may err for a while, this one errs for good",
        property: "Eventual Strong Accuracy",
        hosts: EVERYWHERE,
        check_args: &[
            "--nodes",
            "2",
            "--ticks",
            "14",
            "--in-flight",
            "4",
            "--halts",
            "0",
            "--set",
            "stable-from=3",
            "--set",
            "watchers=1",
        ],
        run_args: &["--faults", "kill"],
    },
    Bug {
        name: "timeout-grows-without-mistake",
        about: "every heartbeat makes its sender's timeout longer, not only one that finds a mistake out",
        source: "own: the adaptive timeout that is tied to nothing, and grows for as long as nothing fails",
        property: "Strong Completeness",
        hosts: MODELS,
        check_args: &[
            "--nodes", "2", "--ticks", "30", "--set", "step=1", "--set", "most=3",
        ],
        run_args: &[],
    },
    Bug {
        name: "unheard-never-suspected",
        about: "only peers that were heard since the start are looked at",
        source: "own: a table of peers that is filled by their first heartbeat has no row for one that failed before",
        property: "Strong Completeness",
        hosts: MODELS,
        check_args: &["--crashes", "1", "--nodes", "2", "--ticks", "24"],
        run_args: &[],
    },
];

/// The catalogue of the accrual detector, by name.
pub const ACCRUAL_BUGS: &[Bug] = &[
    Bug {
        name: "deviation-without-floor",
        about: "heartbeats that came at equal intervals leave no deviation, so that the least delay is suspicious",
        source: "own: what the lower limits of the deviation are for in the detectors of Akka and Cassandra",
        property: "Strong Accuracy",
        hosts: MODELS,
        check_args: &["--halts", "0", "--nodes", "2"],
        run_args: &[],
    },
    Bug {
        name: "no-longest-silence",
        about: "no silence is too long in itself, so that a window of long ones delays the suspicion of a failed peer",
        source: "own: a likelihood alone promises no time",
        property: "Strong Completeness",
        hosts: MODELS,
        check_args: &["--nodes", "2", "--ticks", "15", "--set", "deviation=6"],
        run_args: &[],
    },
    entry(HEARTBEAT_BUGS, "suspicion-never-withdrawn"),
];

/// The catalogue of the observer detector, by name.
pub const OBSERVER_BUGS: &[Bug] = &[
    Bug {
        name: "patience-not-renewed",
        about: "a subject that takes another observer counts its silence from the last poll of the one before",
        source: "own: the new observer is suspected before it can know that it is one",
        property: "Strong Accuracy",
        hosts: MODELS,
        check_args: &["--ticks", "11"],
        run_args: &[],
    },
    Bug {
        name: "refutes-in-the-same-epoch",
        about: "a node that hears that it is suspected says that it is there, in the epoch in which it is suspected",
        source: "own: SWIM's incarnation numbers (Das, Gupta and Motivala 2002, §4.2) without their increment",
        property: "Eventual Strong Accuracy",
        hosts: EVERYWHERE,
        check_args: &[
            "--nodes",
            "2",
            "--ticks",
            "21",
            "--in-flight",
            "3",
            "--halts",
            "0",
            "--set",
            "stable-from=3",
            "--set",
            "subjects=1",
        ],
        run_args: &["--faults", "kill"],
    },
    Bug {
        name: "silent-observer-trusted",
        about: "a subject does not notice that its observer polls no more",
        source: "own: of two that fail together nobody is left to notice the second",
        property: "Strong Completeness",
        hosts: EVERYWHERE,
        check_args: &["--nodes", "2", "--ticks", "16", "--set", "subjects=1"],
        run_args: &[
            "--faults",
            "partition",
            "--fault-lasts",
            "5s",
            "--fault-interval",
            "8s",
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogues_and_the_rules_are_of_one_mind() {
        let rules: Vec<String> = Wrong::ALL.iter().map(|rule| rule.name()).collect();
        let mut named = Vec::new();
        for bugs in [HEARTBEAT_BUGS, ACCRUAL_BUGS, OBSERVER_BUGS] {
            let names: Vec<String> = bugs.iter().map(|bug| bug.name.to_owned()).collect();
            crate::bugs::check_catalogue(bugs, &names);
            named.extend(names);
        }
        named.sort_unstable();
        named.dedup();
        assert_eq!(named, rules);
        for (rule, name) in Wrong::ALL.iter().zip(&rules) {
            assert_eq!(Wrong::named(name), Some(*rule));
        }
        assert_eq!(Wrong::named("no-such-bug"), None);
    }
}
