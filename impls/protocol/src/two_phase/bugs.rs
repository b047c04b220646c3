//! The wrong versions of two-phase commit: which rule each breaks, where it
//! was published, and what shows it.
//!
//! Each is one guarded expression at the rule; search for its variant of
//! [`Wrong`] to find the place.
//!
//! AC1 to AC5 are the rules of atomic commitment (BHG §7.3): all that decide
//! decide the same; a decision is final; a commit takes the yes of all; with
//! the yes of all and no failure it is a commit; and all decide once failures
//! are repaired.

use crate::bugs::{Bug, wrong_versions};

wrong_versions! {
    AckBeforeDecisionDurable,
    AckBeforeParticipantsApplied,
    AnswerBeforeDecisionDurable,
    CommitOfUnknownAnswersOk,
    CommitOnTimeout,
    DecisionNotLogged,
    DecisionSentBeforeLogged,
    EndedBeforeAllAcks,
    LocksLetGoAtVote,
    LocksNotTakenAgain,
    NoWaitDie,
    PrepareTrustsAnyExecution,
    PreparedDroppedOnRestart,
    PresumedCommit,
    ReadLocksLetGoAtExecution,
    ReadersAreAsked,
    RecoveryAbortsUndecidedInFlight,
    TransactionNamesReused,
    UncertainParticipantDecides,
    UnknownMeansAbortAfterForgetting,
    VoteYesBeforePreparedDurable,
}

/// Those that can be asked for and that no settings are known for.
const NOT_SHOWN_YET: &[&str] = &[];

/// The catalogue, by name.
pub const BUGS: &[Bug] = &[
    Bug {
        name: "ack-before-decision-durable",
        about: "a participant acknowledges a commit before its own record of it is durable; after a restart it is in doubt about what the coordinator has forgotten",
        source: "own: MLO §3, with the acknowledgement before the force-write",
        property: "AC1",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "ack-before-participants-applied",
        about: "reads take no locks, so they do not wait for what is prepared, and one that follows a commit misses it where the decision has not arrived",
        source: "citusdata/citus#3780",
        property: "Strict Serializability",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "answer-before-decision-durable",
        about: "the client is told of a commit before that is durable",
        source: "own: the client's form of decision-sent-before-logged",
        property: "AC2",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "commit-of-unknown-answers-ok",
        about: "a participant has lost what it had prepared, and acknowledges the commit of what it does not know",
        source: "vitessio/vitess#16576",
        property: "AC1",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "commit-on-timeout",
        about: "a coordinator whose patience ends commits with votes missing",
        source: "own: the timeout of MLO §2, with the other decision",
        property: "AC3",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "decision-not-logged",
        about: "the coordinator never stores that it has decided to commit",
        source: "MartinKalema/horizontal-scaling-convex#101; rule restated in infinispan/infinispan#18143",
        property: "AC1",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "decision-sent-before-logged",
        about: "the coordinator sends COMMIT before its decision is durable",
        source: "MartinKalema/horizontal-scaling-convex#101; rule restated in infinispan/infinispan#18143",
        property: "AC1",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "ended-before-all-acks",
        about: "the coordinator forgets a commit at the first acknowledgement, and presumes that it was an abort when another participant asks",
        source: "own: MLO §3, the end record",
        property: "AC1",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "implicit-commit-rolled-back",
        about: "all writes are in place, so others take the transaction for committed, yet its coordinator gives up and aborts it; not shown: nobody but the coordinator decides to commit here",
        source: "cockroachdb/cockroach#75601 (issue 48301); pingcap/tidb#33641",
        property: "AC1",
        hosts: &[],
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "locks-let-go-at-vote",
        about: "a participant lets exclusive locks go when it votes yes",
        source: "own: BHG §3, strictness",
        property: "Serializability",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "locks-not-taken-again",
        about: "a participant that restarts remembers what it has prepared and leaves it unlocked",
        source: "own: MLO §4, the restart of a participant",
        property: "Serializability",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "no-wait-die",
        about: "whoever finds a lock taken waits for it, whatever its age",
        source: "own: Rosenkrantz, Stearns & Lewis 1978",
        property: "Deadlock Freedom",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "prepare-trusts-any-execution",
        about: "a participant votes yes for whatever it has executed, though it may have lost its locks since and taken them again",
        source: "own: two-phase locking over a restart",
        property: "Serializability",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "prepared-dropped-on-restart",
        about: "prepared transactions do not survive a restart",
        source: "MySQL bug 75204, of an orderly shutdown",
        property: "AC1",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "presumed-commit",
        about: "who asks about what the coordinator does not know is told that it was committed, though no record of its beginning was forced",
        source: "own: MLO §4, presumed commit without its collecting record",
        property: "AC1",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "read-locks-let-go-at-execution",
        about: "shared locks are let go before the transaction has all its locks, so that two transactions may each miss what the other writes",
        source: "own: BHG §3, the two phases; write skew of Berenson et al. 1995",
        property: "Serializability",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "readers-are-asked",
        about: "participants that only read are among those that one in doubt asks; they have forgotten, and say that it was aborted",
        source: "own: the read-only optimization of MLO §3 beside cooperative termination",
        property: "AC1",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "recovery-aborts-undecided-in-flight",
        about: "a coordinator that is asked takes a transaction without a decision for aborted, while it is still collecting votes",
        source: "citusdata/citus#1030; citusdata/citus#2095",
        property: "AC1",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "recovery-of-foreign-transactions",
        about: "a node that has taken over another's name aborts what that one has committed; not shown: a node's disk belongs to one name for good",
        source: "citusdata/citus#8855",
        property: "AC1",
        hosts: &[],
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "retry-after-implicit-commit",
        about: "a coordinator asks participants to prepare again what others may have resolved as committed; not shown: nothing is sent again before the decision",
        source: "cockroachdb/cockroach#46596",
        property: "AC1",
        hosts: &[],
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "rollback-mark-overwritten",
        about: "what tells a late request to prepare from a current one is shared with other transactions; not shown: that is the name of one execution here",
        source: "tikv/tikv#7364; tikv/tikv#16620; tikv/tikv#8439",
        property: "AC1",
        hosts: &[],
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "rollback-overtakes-prepare",
        about: "a rollback finds no record of what is prepared in memory, and the record is written behind it; not shown: records are written in order, and whoever finds a transaction prepared asks about it",
        source: "vitessio/vitess#20647",
        property: "AC1",
        hosts: &[],
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "termination-by-timeout-3pc",
        about: "participants that have pre-committed commit when nothing more is heard, and others abort; not shown: there is no third phase here",
        source: "Skeen 1981; Keidar & Dolev 1998",
        property: "AC1",
        hosts: &[],
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "transaction-names-reused",
        about: "a restarted coordinator names transactions as it did before, so that what is said of old ones is heard of new ones",
        source: "own: MLO §2, names of transactions are never used twice",
        property: "Serializability",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "uncertain-participant-decides",
        about: "a participant that has voted yes aborts by itself when no decision comes",
        source: "JBoss Transactions Guide 17.8 (heuristic outcomes); XA specification",
        property: "AC1",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "unknown-means-abort-after-forgetting",
        about: "a participant forgets a commit when it has carried it out, and tells others that what it does not know was aborted",
        source: "own: BHG §7.4, cooperative termination",
        property: "AC1",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "vote-yes-before-prepared-durable",
        about: "a participant votes yes before what it has prepared is durable",
        source: "MartinKalema/horizontal-scaling-convex#101",
        property: "AC1",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_that_can_be_broken_is_in_the_catalogue_once() {
        assert!(BUGS.is_sorted_by(|a, b| a.name < b.name));
        let can_be_broken = BUGS
            .iter()
            .filter(|bug| !bug.about.contains("; not shown: "));
        let can_be_broken: Vec<&str> = can_be_broken.map(|bug| bug.name).collect();
        let rules: Vec<String> = Wrong::ALL.iter().map(|rule| rule.name()).collect();
        assert_eq!(rules, can_be_broken);
        for (rule, name) in Wrong::ALL.iter().zip(&rules) {
            assert_eq!(Wrong::named(name), Some(*rule));
        }
        assert_eq!(Wrong::named("no-such-bug"), None);
    }
}
