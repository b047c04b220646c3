use expect_test::{Expect, expect};

use super::*;
use crate::machine::Output;
use crate::object::Operation;

const A: NodeId = NodeId(1);
const B: NodeId = NodeId(2);
const C: NodeId = NodeId(3);
const VOTERS: [NodeId; 3] = [A, B, C];

fn config(id: NodeId) -> Config {
    Config {
        settles_late: false,
        check_quorum: false,
        sessions_founding: 1,
        ..Config::new(id, VOTERS)
    }
}

fn zxid(epoch: Epoch, counter: u32) -> Zxid {
    Zxid { epoch, counter }
}

fn txn(epoch: Epoch, counter: u32) -> Txn {
    Txn {
        zxid: zxid(epoch, counter),
        call: write(i64::from(counter)),
    }
}

fn write(value: i64) -> Call {
    Call::Execute {
        ticket: None,
        operation: Operation::Write { key: 1, value },
    }
}

fn durable(accepted: Epoch, current: Epoch, zxids: &[(Epoch, u32)]) -> Durable {
    let mut durable = Durable {
        accepted: Promise {
            epoch: accepted,
            to: C,
        },
        current,
        ..Durable::default()
    };
    for (epoch, counter) in zxids {
        durable.history.extend(&[txn(*epoch, *counter)]);
    }
    durable
}

fn from(from: NodeId, message: Message) -> Input<Zab> {
    Input::Message { from, message }
}

fn ask(id: u64, call: Call) -> Input<Zab> {
    Input::Request {
        id: RequestId(id),
        request: Request::Call(call),
    }
}

fn link(peer: NodeId, up: bool) -> Input<Zab> {
    Input::Link { peer, up }
}

/// `from` votes for `leader`, with what wins against everybody here.
fn votes(from_node: NodeId, leader: NodeId) -> Input<Zab> {
    let vote = Vote {
        epoch: 9,
        zxid: zxid(9, 9),
        leader,
    };
    let told = Notification {
        round: 1,
        vote: Some(vote),
        standing: Standing::Looking,
        asks: false,
    };
    from(from_node, Message::Election(told))
}

/// What makes a node follow C.
fn following() -> Vec<Input<Zab>> {
    vec![link(A, true), link(B, true), link(C, true), votes(C, C)]
}

/// What makes C lead, whom B follows, with nothing in its history.
fn leading() -> Vec<Input<Zab>> {
    let vote = Vote {
        epoch: 0,
        zxid: zxid(0, 0),
        leader: C,
    };
    let told = Notification {
        round: 1,
        vote: Some(vote),
        standing: Standing::Looking,
        asks: false,
    };
    vec![
        link(A, true),
        link(B, true),
        from(B, Message::Election(told)),
        from(
            B,
            Message::FollowerInfo {
                accepted: 0,
                attempt: 1,
            },
        ),
    ]
}

fn promise(counts: bool, current: Epoch, last: Zxid) -> Input<Zab> {
    let message = Message::AckEpoch {
        current,
        last,
        counts,
    };
    from(B, message)
}

/// What makes that C an established leader.
fn established() -> Vec<Input<Zab>> {
    let mut inputs = leading();
    inputs.extend([
        Input::Persisted(1),
        promise(true, 0, zxid(0, 0)),
        Input::Persisted(1),
        from(B, Message::AckNewLeader { epoch: 1 }),
    ]);
    inputs
}

/// What makes a follower of C one that is up to date.
fn up_to_date(epoch: Epoch) -> Vec<Input<Zab>> {
    let committed = Zxid::default();
    let mut inputs = following();
    inputs.extend([
        from(C, Message::NewEpoch { epoch, attempt: 1 }),
        from(C, Message::NewLeader { epoch }),
        from(C, Message::UpToDate { committed }),
        Input::Persisted(2),
    ]);
    inputs
}

/// Recovers a node from `durable`, feeds it what makes it what it is, and then
/// `inputs`; shows what it asks for at each of those, one line an output.
fn check(
    config: &Config,
    durable: &Durable,
    before: Vec<Input<Zab>>,
    inputs: Vec<Input<Zab>>,
    expected: &Expect,
) {
    let context = Context::untimed(config);
    let mut outputs = Outputs::new();
    let mut node = Zab::recover(context, durable, &mut outputs);
    for input in before {
        node.step(context, input, &mut outputs);
    }
    outputs.take();
    let mut shown = String::new();
    for input in inputs {
        shown += &format!("> {input:?}\n");
        node.step(context, input, &mut outputs);
        for output in outputs.take() {
            if !matches!(output, Output::SetTimer { .. } | Output::CancelTimer(_)) {
                shown += &format!("  {output:?}\n");
            }
        }
    }
    let state = (
        node.role(),
        node.accepted().epoch,
        node.current(),
        node.history().last(),
        node.committed(),
    );
    shown += &format!("= {state:?}\n");
    expected.assert_eq(&shown);
}

#[test]
fn a_promise_is_durable_before_it_is_spoken() {
    check(
        &config(B),
        &durable(1, 1, &[(1, 1)]),
        following(),
        vec![from(
            C,
            Message::NewEpoch {
                epoch: 2,
                attempt: 1,
            },
        )],
        &expect![[r#"
            > Message { from: n3, message: NewEpoch { epoch: 2, attempt: 1 } }
              Persist([Promise(Promise { epoch: 2, to: n3 })])
              Send { to: n3, message: AckEpoch { current: 1, last: 1.1, counts: true }, gate: Durable }
            = ("following, synchronization", 2, 1, 1.1, 0.0)
        "#]],
    );
}

#[test]
fn an_epoch_that_was_promised_to_another_leader_does_not_count() {
    let promised_to_a = Durable {
        accepted: Promise { epoch: 2, to: A },
        ..durable(2, 1, &[])
    };
    check(
        &config(B),
        &promised_to_a,
        following(),
        vec![from(
            C,
            Message::NewEpoch {
                epoch: 2,
                attempt: 1,
            },
        )],
        &expect![[r#"
            > Message { from: n3, message: NewEpoch { epoch: 2, attempt: 1 } }
              Send { to: n3, message: AckEpoch { current: 1, last: 0.0, counts: false }, gate: Durable }
            = ("following, synchronization", 2, 1, 0.0, 0.0)
        "#]],
    );
}

#[test]
fn a_wrong_version_counts_a_promise_that_was_given_to_another_leader() {
    let config = Config {
        bug: Some(Wrong::EpochPromisedTwice),
        ..config(B)
    };
    let promised_to_a = Durable {
        accepted: Promise { epoch: 2, to: A },
        ..durable(2, 1, &[])
    };
    check(
        &config,
        &promised_to_a,
        following(),
        vec![from(
            C,
            Message::NewEpoch {
                epoch: 2,
                attempt: 1,
            },
        )],
        &expect![[r#"
            > Message { from: n3, message: NewEpoch { epoch: 2, attempt: 1 } }
              Send { to: n3, message: AckEpoch { current: 1, last: 0.0, counts: true }, gate: Durable }
            = ("following, synchronization", 2, 1, 0.0, 0.0)
        "#]],
    );
}

#[test]
fn a_node_keeps_its_word_over_a_restart() {
    check(
        &config(B),
        &durable(3, 1, &[]),
        following(),
        vec![
            from(
                C,
                Message::NewEpoch {
                    epoch: 2,
                    attempt: 1,
                },
            ),
            from(C, Message::NewLeader { epoch: 2 }),
        ],
        &expect![[r#"
            > Message { from: n3, message: NewEpoch { epoch: 2, attempt: 1 } }
              Send { to: n1, message: Election(Notification { round: 2, vote: Some(n2 with 0.0 in 1), standing: Looking, asks: true }), gate: Durable }
              Send { to: n2, message: Election(Notification { round: 2, vote: Some(n2 with 0.0 in 1), standing: Looking, asks: true }), gate: Durable }
              Send { to: n3, message: Election(Notification { round: 2, vote: Some(n2 with 0.0 in 1), standing: Looking, asks: true }), gate: Durable }
            > Message { from: n3, message: NewLeader { epoch: 2 } }
            = ("looking", 3, 1, 0.0, 0.0)
        "#]],
    );
}

#[test]
fn a_leader_makes_way_for_a_longer_history_and_for_a_promise_given_elsewhere() {
    for (promise, expected) in [
        (
            promise(true, 0, zxid(0, 1)),
            expect![[r#"
                > Message { from: n2, message: AckEpoch { current: 0, last: 0.1, counts: true } }
                  Send { to: n1, message: Election(Notification { round: 2, vote: Some(n3 with 0.0 in 0), standing: Looking, asks: true }), gate: Durable }
                  Send { to: n2, message: Election(Notification { round: 2, vote: Some(n3 with 0.0 in 0), standing: Looking, asks: true }), gate: Durable }
                = ("looking", 1, 0, 0.0, 0.0)
            "#]],
        ),
        (
            promise(false, 0, zxid(0, 0)),
            expect![[r#"
                > Message { from: n2, message: AckEpoch { current: 0, last: 0.0, counts: false } }
                  Send { to: n1, message: Election(Notification { round: 2, vote: Some(n3 with 0.0 in 0), standing: Looking, asks: true }), gate: Durable }
                  Send { to: n2, message: Election(Notification { round: 2, vote: Some(n3 with 0.0 in 0), standing: Looking, asks: true }), gate: Durable }
                = ("looking", 1, 0, 0.0, 0.0)
            "#]],
        ),
    ] {
        let mut before = leading();
        before.push(Input::Persisted(1));
        check(
            &config(C),
            &Durable::default(),
            before,
            vec![promise],
            &expected,
        );
    }
}

#[test]
fn a_leader_finds_an_epoch_above_all_that_were_promised() {
    let mut before = leading();
    before.pop();
    check(
        &config(C),
        &Durable::default(),
        before,
        vec![from(
            B,
            Message::FollowerInfo {
                accepted: 6,
                attempt: 1,
            },
        )],
        &expect![[r#"
            > Message { from: n2, message: FollowerInfo { accepted: 6, attempt: 1 } }
              Persist([Promise(Promise { epoch: 7, to: n3 })])
              Send { to: n2, message: NewEpoch { epoch: 7, attempt: 1 }, gate: Durable }
            = ("leading, discovery", 7, 0, 0.0, 0.0)
        "#]],
    );
}

#[test]
fn a_leader_makes_way_if_a_later_epoch_was_promised() {
    check(
        &config(C),
        &Durable::default(),
        established(),
        vec![from(
            A,
            Message::FollowerInfo {
                accepted: 4,
                attempt: 1,
            },
        )],
        &expect![[r#"
            > Message { from: n1, message: FollowerInfo { accepted: 4, attempt: 1 } }
              Send { to: n1, message: Election(Notification { round: 2, vote: Some(n3 with 0.0 in 1), standing: Looking, asks: true }), gate: Durable }
              Send { to: n2, message: Election(Notification { round: 2, vote: Some(n3 with 0.0 in 1), standing: Looking, asks: true }), gate: Durable }
            = ("looking", 1, 1, 0.0, 0.0)
        "#]],
    );
}

#[test]
fn what_answers_an_earlier_attempt_to_follow_is_not_heard() {
    let mut before = following();
    // It looks again, without a break, and finds the same leader.
    before.push(Input::Timer(Timer::Election));
    before.push(votes(C, C));
    let Some(Input::Message {
        message: Message::Election(told),
        ..
    }) = before.last_mut()
    else {
        unreachable!("a vote was just pushed");
    };
    told.round = 2;
    let new_epoch = |attempt| from(C, Message::NewEpoch { epoch: 1, attempt });
    check(
        &config(B),
        &Durable::default(),
        before,
        vec![
            new_epoch(1),
            from(C, Message::NewLeader { epoch: 1 }),
            new_epoch(2),
        ],
        &expect![[r#"
            > Message { from: n3, message: NewEpoch { epoch: 1, attempt: 1 } }
            > Message { from: n3, message: NewLeader { epoch: 1 } }
            > Message { from: n3, message: NewEpoch { epoch: 1, attempt: 2 } }
              Persist([Promise(Promise { epoch: 1, to: n3 })])
              Send { to: n3, message: AckEpoch { current: 0, last: 0.0, counts: true }, gate: Durable }
            = ("following, synchronization", 1, 0, 0.0, 0.0)
        "#]],
    );
}

#[test]
fn who_follows_before_the_leader_knows_is_not_forgotten() {
    let config = Config {
        settles_late: true,
        ..config(C)
    };
    check(
        &config,
        &Durable::default(),
        leading(),
        vec![Input::Timer(Timer::Settle)],
        &expect![[r#"
            > Timer(Settle)
              Persist([Promise(Promise { epoch: 1, to: n3 })])
              Send { to: n2, message: NewEpoch { epoch: 1, attempt: 1 }, gate: Durable }
            = ("leading, discovery", 1, 0, 0.0, 0.0)
        "#]],
    );
}

#[test]
fn history_and_epoch_are_one_fact_and_acknowledged_behind_it() {
    let mut before = following();
    before.push(from(
        C,
        Message::NewEpoch {
            epoch: 2,
            attempt: 1,
        },
    ));
    check(
        &config(B),
        &durable(1, 1, &[(1, 1), (1, 2)]),
        before,
        vec![
            from(C, Message::Trunc { to: zxid(1, 1) }),
            from(C, Message::Diff(vec![txn(1, 3)])),
            from(C, Message::NewLeader { epoch: 2 }),
        ],
        &expect![[r#"
            > Message { from: n3, message: Trunc { to: 1.1 } }
            > Message { from: n3, message: Diff([Txn { zxid: 1.3, call: Execute { ticket: None, operation: Write { key: 1, value: 3 } } }]) }
            > Message { from: n3, message: NewLeader { epoch: 2 } }
              Persist([Synchronized(Synchronized { epoch: 2, snapshot: None, keep: Some(1.1), txns: [Txn { zxid: 1.3, call: Execute { ticket: None, operation: Write { key: 1, value: 3 } } }] })])
              Send { to: n3, message: AckNewLeader { epoch: 2 }, gate: Durable }
            = ("following, synchronized", 2, 2, 1.3, 0.0)
        "#]],
    );
}

#[test]
fn a_session_that_breaks_takes_what_was_gathered_along() {
    let mut before = following();
    before.push(from(
        C,
        Message::NewEpoch {
            epoch: 2,
            attempt: 1,
        },
    ));
    check(
        &config(B),
        &durable(1, 1, &[(1, 1), (1, 2)]),
        before,
        vec![
            from(C, Message::Trunc { to: zxid(1, 1) }),
            link(C, false),
            from(A, Message::NewLeader { epoch: 2 }),
        ],
        &expect![[r#"
            > Message { from: n3, message: Trunc { to: 1.1 } }
            > Link { peer: n3, up: false }
              Send { to: n1, message: Election(Notification { round: 2, vote: Some(n2 with 1.2 in 1), standing: Looking, asks: true }), gate: Durable }
              Send { to: n2, message: Election(Notification { round: 2, vote: Some(n2 with 1.2 in 1), standing: Looking, asks: true }), gate: Durable }
            > Message { from: n1, message: NewLeader { epoch: 2 } }
            = ("looking", 2, 1, 1.2, 0.0)
        "#]],
    );
}

#[test]
fn a_proposal_is_durable_before_it_is_acknowledged_and_taken_once() {
    check(
        &config(B),
        &durable(1, 1, &[]),
        up_to_date(2),
        vec![
            from(C, Message::Propose(txn(2, 1))),
            from(C, Message::Propose(txn(2, 1))),
            from(C, Message::Commit { zxid: zxid(2, 1) }),
        ],
        &expect![[r#"
            > Message { from: n3, message: Propose(Txn { zxid: 2.1, call: Execute { ticket: None, operation: Write { key: 1, value: 1 } } }) }
              Persist([Append([Txn { zxid: 2.1, call: Execute { ticket: None, operation: Write { key: 1, value: 1 } } }])])
              Send { to: n3, message: Ack { zxid: 2.1 }, gate: Durable }
            > Message { from: n3, message: Propose(Txn { zxid: 2.1, call: Execute { ticket: None, operation: Write { key: 1, value: 1 } } }) }
              Send { to: n3, message: Ack { zxid: 2.1 }, gate: Durable }
            > Message { from: n3, message: Commit { zxid: 2.1 } }
            = ("following", 2, 2, 2.1, 2.1)
        "#]],
    );
}

#[test]
fn nothing_is_taken_from_a_node_that_is_not_followed() {
    check(
        &config(B),
        &durable(1, 1, &[]),
        up_to_date(2),
        vec![
            from(A, Message::Propose(txn(3, 1))),
            from(A, Message::Commit { zxid: zxid(3, 1) }),
            from(A, Message::NewLeader { epoch: 3 }),
        ],
        &expect![[r#"
            > Message { from: n1, message: Propose(Txn { zxid: 3.1, call: Execute { ticket: None, operation: Write { key: 1, value: 1 } } }) }
            > Message { from: n1, message: Commit { zxid: 3.1 } }
            > Message { from: n1, message: NewLeader { epoch: 3 } }
            = ("following", 2, 2, 0.0, 0.0)
        "#]],
    );
}

#[test]
fn the_leader_proposes_while_it_writes_and_counts_itself_when_that_is_durable() {
    check(
        &config(C),
        &Durable::default(),
        established(),
        vec![
            ask(7, write(5)),
            from(B, Message::Ack { zxid: zxid(1, 1) }),
            Input::Persisted(1),
        ],
        &expect![[r#"
            > Request { id: RequestId(7), request: Call(Execute { ticket: None, operation: Write { key: 1, value: 5 } }) }
              Persist([Append([Txn { zxid: 1.1, call: Execute { ticket: None, operation: Write { key: 1, value: 5 } } }])])
              Send { to: n2, message: Propose(Txn { zxid: 1.1, call: Execute { ticket: None, operation: Write { key: 1, value: 5 } } }), gate: Now }
            > Message { from: n2, message: Ack { zxid: 1.1 } }
            > Persisted(1)
              Answer { id: RequestId(7), outcome: Ok(Reply { zxid: 1.1, answer: Done }), gate: Now }
              Send { to: n2, message: Commit { zxid: 1.1 }, gate: Now }
            = ("leading", 1, 1, 1.1, 1.1)
        "#]],
    );
}

#[test]
fn a_leader_whose_quorum_is_gone_gives_up() {
    check(
        &config(C),
        &Durable::default(),
        established(),
        vec![ask(7, write(5)), link(B, false), ask(8, write(6))],
        &expect![[r#"
            > Request { id: RequestId(7), request: Call(Execute { ticket: None, operation: Write { key: 1, value: 5 } }) }
              Persist([Append([Txn { zxid: 1.1, call: Execute { ticket: None, operation: Write { key: 1, value: 5 } } }])])
              Send { to: n2, message: Propose(Txn { zxid: 1.1, call: Execute { ticket: None, operation: Write { key: 1, value: 5 } } }), gate: Now }
            > Link { peer: n2, up: false }
              Answer { id: RequestId(7), outcome: Unknown("the leader gave up before the outcome was known"), gate: Now }
              Send { to: n1, message: Election(Notification { round: 2, vote: Some(n3 with 1.1 in 1), standing: Looking, asks: true }), gate: Durable }
            > Request { id: RequestId(8), request: Call(Execute { ticket: None, operation: Write { key: 1, value: 6 } }) }
              Answer { id: RequestId(8), outcome: Never("no leader is known"), gate: Now }
            = ("looking", 1, 1, 1.1, 0.0)
        "#]],
    );
}

#[test]
fn a_follower_names_its_leader_and_answers_its_pings() {
    check(
        &config(B),
        &durable(1, 1, &[]),
        up_to_date(2),
        vec![ask(1, write(1)), from(C, Message::Ping)],
        &expect![[r#"
            > Request { id: RequestId(1), request: Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } }) }
              Answer { id: RequestId(1), outcome: Redirect(n3), gate: Now }
            > Message { from: n3, message: Ping }
              Send { to: n3, message: Pong, gate: Now }
            = ("following", 2, 2, 0.0, 0.0)
        "#]],
    );
}

#[test]
fn the_only_voter_leads_alone() {
    let config = Config {
        voters: [A].into(),
        ..config(A)
    };
    check(
        &config,
        &Durable::default(),
        Vec::new(),
        vec![
            Input::Timer(Timer::Election),
            Input::Persisted(1),
            Input::Persisted(1),
            ask(1, write(1)),
            Input::Persisted(1),
        ],
        &expect![[r#"
            > Timer(Election)
              Persist([Promise(Promise { epoch: 1, to: n1 })])
            > Persisted(1)
              Persist([Synchronized(Synchronized { epoch: 1, snapshot: None, keep: None, txns: [] })])
            > Persisted(1)
            > Request { id: RequestId(1), request: Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } }) }
              Persist([Append([Txn { zxid: 1.1, call: Execute { ticket: None, operation: Write { key: 1, value: 1 } } }])])
            > Persisted(1)
              Answer { id: RequestId(1), outcome: Ok(Reply { zxid: 1.1, answer: Done }), gate: Now }
            = ("leading", 1, 1, 1.1, 1.1)
        "#]],
    );
}

#[test]
fn a_step_asks_for_at_most_one_persist_and_asks_for_it_first() {
    let config = Config {
        compact_after: Some(1),
        compact_keep: 0,
        ..config(C)
    };
    let mut inputs = established();
    inputs.extend([
        ask(1, write(1)),
        ask(2, write(2)),
        // Commits both, and drops them.
        Input::Persisted(2),
        from(B, Message::Ack { zxid: zxid(1, 2) }),
        // Gives up, follows, promises, and takes another history over.
        link(B, false),
        link(B, true),
        votes(B, B),
        from(
            B,
            Message::NewEpoch {
                epoch: 4,
                attempt: 1,
            },
        ),
        from(B, Message::Diff(vec![txn(1, 3)])),
        from(B, Message::NewLeader { epoch: 4 }),
        from(
            B,
            Message::UpToDate {
                committed: zxid(1, 3),
            },
        ),
        from(B, Message::Propose(txn(4, 1))),
        from(B, Message::Inform(txn(4, 2))),
    ]);
    let context = Context::untimed(&config);
    let mut outputs = Outputs::new();
    let mut node = Zab::recover(context, &Durable::default(), &mut outputs);
    outputs.take();
    let mut shown = String::new();
    for input in inputs {
        node.step(context, input, &mut outputs);
        let outputs = outputs.take();
        let is_persist = |output: &&Output<Zab>| matches!(output, Output::Persist(_));
        let count = outputs.iter().filter(is_persist).count();
        let Some(Output::Persist(records)) = outputs.first() else {
            assert_eq!(count, 0, "{outputs:?}");
            continue;
        };
        assert_eq!(count, 1, "{outputs:?}");
        let words = records.iter().map(|record| match record {
            Record::Promise(_) => "promise",
            Record::Synchronized(_) => "synchronized",
            Record::Append(_) => "append",
            Record::Snapshot { .. } => "snapshot",
        });
        shown += &format!("{}\n", words.collect::<Vec<_>>().join(", "));
    }
    expect![[r#"
        promise
        synchronized
        append
        append
        snapshot
    "#]]
    .assert_eq(&shown);
}
