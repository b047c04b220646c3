//! The wrong versions of Zab: which rule each breaks, where it was published,
//! and what shows it.
//!
//! Each is one guarded expression at the rule; search for its variant of
//! [`Wrong`] to find the place.

use crate::bugs::{Bug, entry, wrong_versions};

wrong_versions! {
    AckBeforeLogSync,
    AckNewleaderBeforeSync,
    CommitBeforeNewleaderAckLost,
    CommitLdCarriesAckedZxid,
    DedupTableNotInSnapshot,
    EpochBeforeHistory,
    EpochFromLogFilesOnly,
    EpochPromisedTwice,
    HoleInCommittedLog,
    LeaderCountsItselfBeforeSync,
    LeaderNeverGivesUp,
    LocalReadAtFollower,
    LocalReadAtLeader,
    NewleaderBeforeSnapshotComplete,
    ObserversInEpochQuorum,
    ProposeOnlyToAckedFollowers,
    ReadIgnoresSeenZxid,
    ReadReportsLoggedZxid,
    RetainMemoryBehindLog,
    RetryAppliedTwice,
    VoteOrderNotTotal,
}

const MODELS: &[&str] = &["atomic", "staged"];

/// Those that can be asked for and that no settings are known for.
const NOT_SHOWN_YET: &[&str] = &[];

/// The catalogue, by name.
pub const BUGS: &[Bug] = &[
    Bug {
        name: "ack-before-log-sync",
        about: "a follower acknowledges a proposal before that is durable",
        source: "ZOOKEEPER-4646 (apache/zookeeper#1993), the same of a proposal",
        property: "Committed Log Durability",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "ack-newleader-before-sync",
        about: "a follower acknowledges NEWLEADER before the leader's history is durable",
        source: "ZOOKEEPER-3911 (apache/zookeeper#1445); ZOOKEEPER-4646 (#1993)",
        property: "Committed Log Durability",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "commit-before-newleader-ack-lost",
        about: "a proposal that arrives between NEWLEADER and UPTODATE is applied and acknowledged, and never logged",
        source: "ZOOKEEPER-4394 (apache/zookeeper#2152); ZOOKEEPER-4785 (#2111)",
        property: "Committed Log Durability",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "commit-ld-carries-acked-zxid",
        about: "UPTODATE carries the zxid that the follower has acknowledged in place of the leader's last committed one",
        source: "Disalg-ICS-NJU/zookeeper-tla-spec, high-level-spec/issues.md, issue 3",
        property: "Agreement",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "dedup-table-not-in-snapshot",
        about: "what the sessions were last answered is not part of the snapshot, so a command that is sent again after a snapshot was installed takes effect twice",
        source: "databendlabs/openraft#2096 (states the rule)",
        property: "Linearizability",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "epoch-and-snapshot-not-atomic",
        about: "a snapshot and the epoch are written one after the other, and a node that crashed between the two refuses to start; not shown: no node here refuses to start, and both are one fact",
        source: "ZOOKEEPER-2354 (apache/zookeeper#1109); ZOOKEEPER-1653",
        property: "Restart",
        hosts: &[],
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "epoch-before-history",
        about: "at NEWLEADER a follower writes the epoch first and the leader's history afterwards",
        source: "ZOOKEEPER-4643 (apache/zookeeper#2028)",
        property: "Leader Log Completeness",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "epoch-from-log-files-only",
        about: "after a restart the epochs are those of the last transaction in the log, whatever was promised or stands in a snapshot",
        source: "ZOOKEEPER-582",
        property: "Committed Log Durability",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "epoch-only-in-zxid",
        about: "a would-be leader raises the epoch in its last zxid before anybody follows it; not shown: the two epochs are not kept in zxids here, and termination is not asked of these models",
        source: "ZOOKEEPER-3608",
        property: "Primary Integrity",
        hosts: &[],
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "epoch-promised-twice",
        about: "a promise of an epoch that was given to one would-be leader counts for another as well",
        source: "own: the acknowledgement with epoch -1 of ZooKeeper's Learner, left out",
        property: "Leadership",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "hole-in-committed-log",
        about: "what came with a synchronization is on disk and applied, but missing in the history that others are later sent",
        source: "ZOOKEEPER-4925 (apache/zookeeper#2254)",
        property: "Prefix Consistency",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "leader-counts-itself-before-sync",
        about: "a leader counts itself for a proposal that is not yet on its own disk",
        source: "etcd-io/etcd#14370 (in Raft); DSN 2011, §IV: stable storage",
        property: "Committed Log Durability",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "local-read-at-follower",
        about: "any node answers reads that should be linearizable from its own object",
        source: "xnnyygn/xraft#39, #40 (in Raft)",
        property: "Linearizability",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "local-read-at-leader",
        about: "a leader answers reads that should be linearizable from its own object, though another may lead by now",
        source: "Jepsen etcd 0.4.1 (in Raft); deventlab/d-engine#381",
        property: "Linearizability",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "newleader-before-snapshot-complete",
        about: "NEWLEADER is sent behind a snapshot and before the transactions that belong to it",
        source: "ZOOKEEPER-3104 (apache/zookeeper#685)",
        property: "Committed Log Durability",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "observers-in-epoch-quorum",
        about: "observers count towards the quorums that fix an epoch",
        source: "ZOOKEEPER-2959 (apache/zookeeper#438, #503)",
        property: "Leadership",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "partial-multi-in-snapshot",
        about: "a snapshot taken within a transaction of several parts shows only some of them; not shown: a transaction is applied in one step here",
        source: "ZOOKEEPER-3127 (apache/zookeeper#606)",
        property: "State Machine Safety",
        hosts: &[],
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "proposal-ack-before-newleader-ack",
        about: "a follower's acknowledgement of a proposal can leave before that of NEWLEADER, and the leader gives up; not shown: outputs do not overtake each other here",
        source: "ZOOKEEPER-4685 (named in apache/zookeeper#1993 and #2028)",
        property: "Termination",
        hosts: &[],
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "propose-only-to-acked-followers",
        about: "proposals go only to followers that have acknowledged NEWLEADER, so one that is made in between is missed",
        source: "Disalg-ICS-NJU/zookeeper-tla-spec, high-level-spec/issues.md, issue 1",
        property: "Total Order",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "read-ignores-seen-zxid",
        about: "a node answers a client that has seen a later zxid than the node has",
        source: "own: the rule by which a ZooKeeper server refuses such a client, left out",
        property: "Session Order",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "read-reports-logged-zxid",
        about: "a local read names the last zxid in the log in place of the one that its value reflects",
        source: "own: the two positions of a node that ZOOKEEPER-2845 mixed up, at a read",
        property: "Local Reads",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "retain-memory-behind-log",
        about: "a node that goes back to election tells of what it has applied, though its log holds more",
        source: "ZOOKEEPER-2845 (apache/zookeeper#310)",
        property: "Prefix Consistency",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "retry-applied-twice",
        about: "a command that is sent again is applied again",
        source: "ktoso/akka-raft#64; tidwall/summitdb#5; CurvineIO/curvine#676",
        property: "Linearizability",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "shutdown-leaves-sync-thread",
        about: "what a follower was still writing when it stopped following lands behind what it read of its log afterwards; not shown: persists complete in the order in which they were asked for, and nothing is read back",
        source: "ZOOKEEPER-4712 (apache/zookeeper#2032, #2154)",
        property: "Prefix Consistency",
        hosts: &[],
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "vote-order-not-total",
        about: "votes with equal zxids are compared by name whatever their epochs are",
        source: "ZOOKEEPER-1419 (through SandTable ZooKeeper#1)",
        property: "Leader Log Completeness",
        hosts: NOT_SHOWN_YET,
        check_args: &[],
        run_args: &[],
    },
    Bug {
        name: "wrong-trunc-from-readonly-start",
        about: "after a read-only start a leader's bounds are crossed, and it has committed transactions truncated; not shown: there is no read-only mode",
        source: "ZOOKEEPER-3526 (apache/zookeeper#1392)",
        property: "Committed Log Durability",
        hosts: &[],
        check_args: &[],
        run_args: &[],
    },
];

/// The catalogue of elections alone, by name: wrong versions of Zab that show
/// there, and those that only Termination tells from the right one.
pub const ELECTION_BUGS: &[Bug] = &[
    Bug {
        property: "Leadership",
        hosts: MODELS,
        check_args: &["--crashes", "1"],
        run_args: &[],
        ..entry(BUGS, "epoch-from-log-files-only")
    },
    Bug {
        name: "leader-never-gives-up",
        about: "a would-be leader waits for a quorum without a limit, while the others look for another and have no quorum without it",
        source: "own: the limit that ZooKeeper calls initLimit, left out at the leader",
        property: "Termination",
        hosts: MODELS,
        check_args: &["--nodes", "2", "--crashes", "1", "--set", "rounds=1"],
        run_args: &[],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_rule_that_can_be_broken_is_in_the_catalogue_once() {
        assert!(BUGS.is_sorted_by(|a, b| a.name < b.name));
        let can_be_broken = BUGS
            .iter()
            .filter(|bug| !bug.about.contains("; not shown: "));
        let can_be_broken = can_be_broken.map(|bug| bug.name);
        let of_elections = ELECTION_BUGS.iter().map(|bug| bug.name);
        let can_be_broken: BTreeSet<&str> = can_be_broken.chain(of_elections).collect();
        let can_be_broken = Vec::from_iter(can_be_broken);
        assert!(ELECTION_BUGS.is_sorted_by(|a, b| a.name < b.name));
        let rules: Vec<String> = Wrong::ALL.iter().map(|rule| rule.name()).collect();
        assert_eq!(rules, can_be_broken);
        for (rule, name) in Wrong::ALL.iter().zip(&rules) {
            assert_eq!(Wrong::named(name), Some(*rule));
        }
        assert_eq!(Wrong::named("no-such-bug"), None);
    }
}
