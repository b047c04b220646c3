//! The wrong versions of Raft: which rule each breaks, where it was
//! published, and what shows it.
//!
//! Each is one guarded expression at the rule; search for its variant of
//! [`Wrong`] to find the place.

use crate::bugs::Bug;

/// A rule that a wrong version breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the catalogue below says what each one is")]
pub enum Wrong {
    AckAboveDurableIndex,
    AppendAckClaimsWholeLog,
    ChunksOfTwoSnapshotsJoined,
    CommitEarlierTermByCounting,
    CommitPastMatchedPrefix,
    ConfigEffectiveOnApply,
    DedupTableNotInSnapshot,
    EmptyLogAcceptsAnyOffset,
    FollowerAcksBeforeSync,
    LeaderCountsItselfBeforeSync,
    LocalReadAtFollower,
    LocalReadAtLeader,
    PrevIndexZeroAlwaysMatches,
    PrevoteClearsVote,
    PrevoteReplyCountedAsVote,
    ReadIndexBeforeOwnCommit,
    RemovedLeaderCountsItself,
    RetryAppliedTwice,
    SingleServerChangeBeforeNoop,
    SnapshotForgetsLastTerm,
    SnapshotLowersTerm,
    StaleAppendTruncatesSuffix,
    StaleVoteReplyCounted,
    TruncateThenRewriteWindow,
    VoteClearedBeforeTermWritten,
    VoteClearedBySameTermAppend,
    VoteComparesIndexOnly,
    VoteNotPersisted,
    VoteReplyBeforePersist,
}

impl Wrong {
    /// Every one.
    const ALL: &[Wrong] = &[
        Wrong::AckAboveDurableIndex,
        Wrong::AppendAckClaimsWholeLog,
        Wrong::ChunksOfTwoSnapshotsJoined,
        Wrong::CommitEarlierTermByCounting,
        Wrong::CommitPastMatchedPrefix,
        Wrong::ConfigEffectiveOnApply,
        Wrong::DedupTableNotInSnapshot,
        Wrong::EmptyLogAcceptsAnyOffset,
        Wrong::FollowerAcksBeforeSync,
        Wrong::LeaderCountsItselfBeforeSync,
        Wrong::LocalReadAtFollower,
        Wrong::LocalReadAtLeader,
        Wrong::PrevIndexZeroAlwaysMatches,
        Wrong::PrevoteClearsVote,
        Wrong::PrevoteReplyCountedAsVote,
        Wrong::ReadIndexBeforeOwnCommit,
        Wrong::RemovedLeaderCountsItself,
        Wrong::RetryAppliedTwice,
        Wrong::SingleServerChangeBeforeNoop,
        Wrong::SnapshotForgetsLastTerm,
        Wrong::SnapshotLowersTerm,
        Wrong::StaleAppendTruncatesSuffix,
        Wrong::StaleVoteReplyCounted,
        Wrong::TruncateThenRewriteWindow,
        Wrong::VoteClearedBeforeTermWritten,
        Wrong::VoteClearedBySameTermAppend,
        Wrong::VoteComparesIndexOnly,
        Wrong::VoteNotPersisted,
        Wrong::VoteReplyBeforePersist,
    ];

    /// The one whose variant a name in the catalogue spells.
    pub fn named(name: &str) -> Option<Wrong> {
        let mut all = Self::ALL.iter().copied();
        all.find(|wrong| wrong.name() == name)
    }

    /// `VoteNotPersisted` as the catalogue writes it: `vote-not-persisted`.
    fn name(self) -> String {
        let mut name = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.push(letter.to_ascii_lowercase());
        }
        name
    }
}

const MODELS: &[&str] = &["atomic", "staged"];
const EVERYWHERE: &[&str] = &["atomic", "staged", "run"];

/// The catalogue, by name.
pub const BUGS: &[Bug] = &[
    Bug {
        name: "append-ack-claims-whole-log",
        about: "a follower answers an append with its own last index, though the suffix was \
                never compared, and the leader counts it",
        source: "ravendb/ravendb#9330; apache/ratis#1519",
        property: "Leader Completeness",
        hosts: MODELS,
        check_args: &[
            "--elections",
            "1",
            "--timers",
            "1",
            "--operations",
            "0",
            "--crashes",
            "0",
            "--from",
            "rivals",
        ],
        run_args: &[],
    },
    Bug {
        name: "commit-earlier-term-by-counting",
        about: "the leader commits any index that a majority holds, of whatever term \
                (the paper's Figure 8)",
        source: "logcabin/logcabin#44; bakwc/PySyncObj#169; microsoft/CCF#4472; goraft/raft#27",
        property: "Leader Completeness",
        hosts: MODELS,
        check_args: &[
            "--elections",
            "1",
            "--operations",
            "0",
            "--crashes",
            "0",
            "--set",
            "batch=1",
            "--from",
            "figure-8",
        ],
        run_args: &[],
    },
    Bug {
        name: "commit-past-matched-prefix",
        about: "a follower commits up to the end of its log, past the entries that this append \
                compared",
        source: "atomix/copycat#265; scylladb/scylladb#9965; etcd-io/raft#139",
        property: "State Machine Safety",
        hosts: MODELS,
        check_args: &[
            "--elections",
            "0",
            "--timers",
            "1",
            "--operations",
            "0",
            "--crashes",
            "0",
            "--from",
            "rivals",
        ],
        run_args: &[],
    },
    Bug {
        name: "follower-acks-before-sync",
        about: "a follower acknowledges entries before they are durable",
        source: "Jepsen NATS 2.12.1; raft-tlaplus RaftFsync.tla (FollowerFsyncBeforeReply)",
        property: "Durability of Acknowledged Writes",
        hosts: &["staged", "run"],
        check_args: &["--elections", "1", "--crashes", "0"],
        run_args: &[
            "--nodes",
            "3",
            "--time",
            "12s",
            "--faults",
            "kill",
            "--targets",
            "kill:all",
            "--fault-interval",
            "1s",
            "--fault-lasts",
            "200ms",
            "--disk-delay",
            "30ms",
            "--concurrency",
            "20",
        ],
    },
    Bug {
        name: "leader-counts-itself-before-sync",
        about: "the leader counts itself in the majority for entries that it has not made durable",
        source: "etcd-io/etcd#14370; raft-tlaplus RaftFsync.tla (LeaderFsyncBeforeIncludeInQuorum)",
        property: "Durability of Acknowledged Writes",
        hosts: &["staged"],
        check_args: &["--elections", "1", "--crashes", "0"],
        run_args: &[],
    },
    Bug {
        name: "local-read-at-follower",
        about: "any node answers reads from its own object",
        source: "xnnyygn/xraft#39, #40",
        property: "Linearizability",
        hosts: EVERYWHERE,
        check_args: &["--elections", "1", "--reads", "1", "--crashes", "0"],
        run_args: &["--time", "6s", "--faults", "none"],
    },
    Bug {
        name: "local-read-at-leader",
        about: "a leader answers reads without asking a majority whether it still leads",
        source: "Jepsen etcd 0.4.1; deventlab/d-engine#381",
        property: "Linearizability",
        hosts: EVERYWHERE,
        check_args: &[
            "--elections",
            "1",
            "--reads",
            "1",
            "--crashes",
            "0",
            "--from",
            "elected",
        ],
        run_args: &[
            "--time",
            "12s",
            "--faults",
            "partition",
            "--shapes",
            "isolate-leader",
            "--fault-interval",
            "2s",
            "--fault-lasts",
            "1s",
            "--concurrency",
            "20",
        ],
    },
    Bug {
        name: "prevote-clears-vote",
        about: "opening a pre-vote round forgets the vote of the current term",
        source: "canonical/raft#196",
        property: "Election Safety",
        hosts: MODELS,
        check_args: &[
            "--elections",
            "1",
            "--operations",
            "0",
            "--crashes",
            "0",
            "--set",
            "pre-vote=1",
            "--from",
            "contest",
        ],
        run_args: &[],
    },
    Bug {
        name: "prevote-reply-counted-as-vote",
        about: "a late grant of a pre-vote is counted as a vote",
        source: "canonical/raft#196 (comment of 2021-04-30)",
        property: "Election Safety",
        hosts: MODELS,
        check_args: &["--operations", "0", "--crashes", "0", "--set", "pre-vote=1"],
        run_args: &[],
    },
    Bug {
        name: "read-index-before-own-commit",
        about: "a new leader serves reads before an entry of its own term is committed",
        source: "etcd-io/etcd#7331; tikv/tikv#9239",
        property: "Linearizability",
        hosts: MODELS,
        check_args: &[
            "--elections",
            "1",
            "--reads",
            "1",
            "--crashes",
            "0",
            "--from",
            "elected",
        ],
        run_args: &[],
    },
    Bug {
        name: "retry-applied-twice",
        about: "a command that is sent again is applied again",
        source: "ktoso/akka-raft#64; tidwall/summitdb#5; CurvineIO/curvine#676",
        property: "Linearizability",
        hosts: EVERYWHERE,
        check_args: &[
            "--nodes",
            "2",
            "--elections",
            "1",
            "--operations",
            "2",
            "--reads",
            "1",
            "--retries",
            "1",
            "--crashes",
            "0",
        ],
        run_args: &[
            "--time",
            "12s",
            "--faults",
            "pause",
            "--targets",
            "pause:leader",
            "--fault-interval",
            "1500ms",
            "--fault-lasts",
            "900ms",
            "--disk-delay",
            "20ms",
            "--rate",
            "2000",
            "--concurrency",
            "30",
            "--keys",
            "12",
            "--ops-per-key",
            "1000",
            "--retry",
        ],
    },
    Bug {
        name: "stale-append-truncates-suffix",
        about: "a follower cuts its log behind the previous entry of every append, conflict or not",
        source: "zhebrak/raftos#26; microsoft/CCF#5991; hashicorp/raft#113",
        property: "Leader Completeness",
        hosts: MODELS,
        check_args: &[
            "--elections",
            "1",
            "--operations",
            "0",
            "--crashes",
            "0",
            "--from",
            "leading",
        ],
        run_args: &[],
    },
    Bug {
        name: "stale-vote-reply-counted",
        about: "a candidate counts a granted vote of an earlier term",
        source: "xnnyygn/xraft#33; andreev-io/little-raft#44",
        property: "Election Safety",
        hosts: MODELS,
        check_args: &[
            "--elections",
            "1",
            "--operations",
            "0",
            "--crashes",
            "0",
            "--from",
            "late-grant",
        ],
        run_args: &[],
    },
    Bug {
        name: "vote-cleared-by-same-term-append",
        about: "an append of the node's own term clears its vote",
        source: "etcd-io/etcd#2461; KanishJebaMathewM/Truxify#6843; microsoft/CCF#8094",
        property: "Election Safety",
        hosts: MODELS,
        check_args: &[
            "--elections",
            "1",
            "--operations",
            "0",
            "--crashes",
            "0",
            "--from",
            "leading",
        ],
        run_args: &[],
    },
    Bug {
        name: "vote-compares-index-only",
        about: "a voter compares how long the logs are and not first their last terms",
        source: "sile/noraft#22; jgroups-extras/jgroups-raft#14; ktoso/akka-raft#30",
        property: "Leader Completeness",
        hosts: MODELS,
        check_args: &[
            "--elections",
            "1",
            "--operations",
            "0",
            "--crashes",
            "0",
            "--from",
            "rivals",
        ],
        run_args: &[],
    },
    Bug {
        name: "vote-not-persisted",
        about: "term and vote live in memory only and are forgotten in a restart",
        source: "ongardie/raft.tla#5; stateIs0/lu-raft-kv#33",
        property: "Election Safety",
        hosts: EVERYWHERE,
        check_args: &["--operations", "0"],
        run_args: &[
            "--time",
            "12s",
            "--rate",
            "3000",
            "--concurrency",
            "40",
            "--faults",
            "kill,partition",
            "--targets",
            "kill:all",
            "--shapes",
            "isolate-leader",
            "--fault-interval",
            "800ms",
            "--fault-lasts",
            "300ms",
        ],
    },
    Bug {
        name: "vote-reply-before-persist",
        about: "a vote is answered before it is durable",
        source: "valkey-io/valkey#3887; etcd-io/etcd#2431",
        property: "Election Safety",
        hosts: &["staged"],
        check_args: &["--operations", "0"],
        run_args: &[],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_version_stands_in_the_catalogue_under_its_name() {
        let named: Vec<String> = Wrong::ALL.iter().map(|wrong| wrong.name()).collect();
        let shown = BUGS.iter().filter(|bug| !bug.hosts.is_empty());
        let shown: Vec<&str> = shown.map(|bug| bug.name).collect();
        assert_eq!(named, shown);
        for (wrong, name) in Wrong::ALL.iter().zip(&named) {
            assert_eq!(Wrong::named(name), Some(*wrong));
        }
        assert_eq!(Wrong::named("no-such-bug"), None);
    }

    #[test]
    fn every_entry_says_what_where_and_what_shows_it() {
        for bug in BUGS {
            assert!(
                !bug.about.is_empty() && !bug.source.is_empty(),
                "{}",
                bug.name
            );
            let known = |host: &&str| ["atomic", "staged", "run"].contains(host);
            assert!(bug.hosts.iter().all(known), "{}", bug.name);
            assert!(!bug.hosts.is_empty(), "{}", bug.name);
        }
    }
}
