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
        pre_vote: false,
        check_quorum: false,
        sessions_founding: 1,
        ..Config::new(id, VOTERS)
    }
}

fn entry(term: u64) -> Entry {
    Entry {
        term,
        command: Command::Noop,
    }
}

fn log(terms: &[u64]) -> Log {
    let mut log = Log::default();
    log.extend(&terms.iter().map(|term| entry(*term)).collect::<Vec<_>>());
    log
}

fn at(term: u64, index: u64) -> Position {
    Position { term, index }
}

fn write(key: u64, value: i64) -> Request {
    Request::Call(Call::Execute {
        ticket: None,
        operation: Operation::Write { key, value },
    })
}

fn from(from: NodeId, message: Message) -> Input<Raft> {
    Input::Message { from, message }
}

fn ask(id: u64, request: Request) -> Input<Raft> {
    Input::Request {
        id: RequestId(id),
        request,
    }
}

fn append(term: u64, previous: Position, entries: &[u64], commit: u64) -> Message {
    Message::Append {
        term,
        previous,
        entries: entries.iter().map(|term| entry(*term)).collect(),
        commit,
        round: 0,
    }
}

fn matched(term: u64, index: u64) -> Message {
    Message::AppendReply {
        term,
        round: 0,
        result: Appended::Matched(index),
    }
}

/// Recovers a node from `durable`, feeds it `inputs`, and shows what it asks
/// for, one line an output under each input.
fn check(config: &Config, durable: &Durable, inputs: Vec<Input<Raft>>, expected: &Expect) {
    let context = Context::untimed(config);
    let mut outputs = Outputs::new();
    let mut node = Raft::recover(context, durable, &mut outputs);
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
        node.term(),
        node.log().last_index(),
        node.commit(),
    );
    shown += &format!("= {state:?}\n");
    expected.assert_eq(&shown);
}

fn durable(term: u64, vote: Option<NodeId>, terms: &[u64]) -> Durable {
    Durable {
        term,
        vote,
        log: log(terms),
        ..Durable::default()
    }
}

/// What makes A the leader of term 1.
fn elected() -> Vec<Input<Raft>> {
    let granted = Message::VoteReply {
        term: 1,
        granted: true,
    };
    vec![
        Input::Timer(Timer::Election),
        Input::Persisted(1),
        from(B, granted),
    ]
}

#[test]
fn a_vote_is_durable_before_it_is_spoken_and_given_once_a_term() {
    let ask_b = |from_node, term| {
        from(
            from_node,
            Message::Vote {
                term,
                last: at(0, 0),
            },
        )
    };
    check(
        &config(B),
        &Durable::default(),
        vec![ask_b(A, 1), ask_b(C, 1), ask_b(A, 1)],
        &expect![[r#"
            > Message { from: n1, message: Vote { term: 1, last: Position { term: 0, index: 0 } } }
              Persist([Vote { term: 1, vote: Some(n1) }])
              Send { to: n1, message: VoteReply { term: 1, granted: true }, gate: Durable }
            > Message { from: n3, message: Vote { term: 1, last: Position { term: 0, index: 0 } } }
            > Message { from: n1, message: Vote { term: 1, last: Position { term: 0, index: 0 } } }
              Send { to: n1, message: VoteReply { term: 1, granted: true }, gate: Durable }
            = ("follower", 1, 0, 0)
        "#]],
    );
}

#[test]
fn a_candidate_counts_its_own_vote_only_once_it_is_durable() {
    let mut inputs = elected();
    inputs.remove(1);
    inputs.push(Input::Persisted(1));
    check(
        &config(A),
        &Durable::default(),
        inputs,
        &expect![[r#"
        > Timer(Election)
          Persist([Vote { term: 1, vote: Some(n1) }])
          Send { to: n2, message: Vote { term: 1, last: Position { term: 0, index: 0 } }, gate: Durable }
          Send { to: n3, message: Vote { term: 1, last: Position { term: 0, index: 0 } }, gate: Durable }
        > Message { from: n2, message: VoteReply { term: 1, granted: true } }
        > Persisted(1)
          Persist([Append([Entry { term: 1, command: Noop }])])
          Send { to: n2, message: Append { term: 1, previous: Position { term: 0, index: 0 }, entries: [Entry { term: 1, command: Noop }], commit: 0, round: 0 }, gate: Now }
          Send { to: n3, message: Append { term: 1, previous: Position { term: 0, index: 0 }, entries: [Entry { term: 1, command: Noop }], commit: 0, round: 0 }, gate: Now }
        = ("leader", 1, 1, 0)
    "#]],
    );
}

#[test]
fn a_log_that_ends_in_an_earlier_term_gets_no_vote() {
    let stale = Message::Vote {
        term: 3,
        last: at(1, 9),
    };
    check(
        &config(B),
        &durable(2, None, &[1, 2]),
        vec![from(A, stale)],
        &expect![[r#"
            > Message { from: n1, message: Vote { term: 3, last: Position { term: 1, index: 9 } } }
              Persist([Vote { term: 3, vote: None }])
            = ("follower", 3, 2, 0)
        "#]],
    );
}

#[test]
fn the_leader_replicates_while_it_writes_and_commits_when_a_majority_is_durable() {
    let mut inputs = elected();
    inputs.extend([
        ask(7, write(1, 5)),
        // B holds the no-op; A's own copy is not durable yet.
        from(B, matched(1, 1)),
        Input::Persisted(2),
        from(B, matched(1, 2)),
    ]);
    check(
        &config(A),
        &Durable::default(),
        inputs,
        &expect![[r#"
            > Timer(Election)
              Persist([Vote { term: 1, vote: Some(n1) }])
              Send { to: n2, message: Vote { term: 1, last: Position { term: 0, index: 0 } }, gate: Durable }
              Send { to: n3, message: Vote { term: 1, last: Position { term: 0, index: 0 } }, gate: Durable }
            > Persisted(1)
            > Message { from: n2, message: VoteReply { term: 1, granted: true } }
              Persist([Append([Entry { term: 1, command: Noop }])])
              Send { to: n2, message: Append { term: 1, previous: Position { term: 0, index: 0 }, entries: [Entry { term: 1, command: Noop }], commit: 0, round: 0 }, gate: Now }
              Send { to: n3, message: Append { term: 1, previous: Position { term: 0, index: 0 }, entries: [Entry { term: 1, command: Noop }], commit: 0, round: 0 }, gate: Now }
            > Request { id: RequestId(7), request: Call(Execute { ticket: None, operation: Write { key: 1, value: 5 } }) }
              Persist([Append([Entry { term: 1, command: Call(Execute { ticket: None, operation: Write { key: 1, value: 5 } }) }])])
            > Message { from: n2, message: AppendReply { term: 1, round: 0, result: Matched(1) } }
              Send { to: n2, message: Append { term: 1, previous: Position { term: 1, index: 1 }, entries: [Entry { term: 1, command: Call(Execute { ticket: None, operation: Write { key: 1, value: 5 } }) }], commit: 0, round: 0 }, gate: Now }
            > Persisted(2)
            > Message { from: n2, message: AppendReply { term: 1, round: 0, result: Matched(2) } }
              Answer { id: RequestId(7), outcome: Ok(Done), gate: Now }
            = ("leader", 1, 2, 2)
        "#]],
    );
}

#[test]
fn an_entry_of_an_earlier_term_is_committed_only_behind_one_of_the_leaders_own() {
    let granted = Message::VoteReply {
        term: 3,
        granted: true,
    };
    let inputs = vec![
        Input::Timer(Timer::Election),
        Input::Persisted(1),
        from(B, granted),
        Input::Persisted(1),
        from(B, matched(3, 1)),
        from(B, matched(3, 2)),
    ];
    check(
        &config(A),
        &durable(2, None, &[1]),
        inputs,
        &expect![[r#"
        > Timer(Election)
          Persist([Vote { term: 3, vote: Some(n1) }])
          Send { to: n2, message: Vote { term: 3, last: Position { term: 1, index: 1 } }, gate: Durable }
          Send { to: n3, message: Vote { term: 3, last: Position { term: 1, index: 1 } }, gate: Durable }
        > Persisted(1)
        > Message { from: n2, message: VoteReply { term: 3, granted: true } }
          Persist([Append([Entry { term: 3, command: Noop }])])
          Send { to: n2, message: Append { term: 3, previous: Position { term: 1, index: 1 }, entries: [Entry { term: 3, command: Noop }], commit: 0, round: 0 }, gate: Now }
          Send { to: n3, message: Append { term: 3, previous: Position { term: 1, index: 1 }, entries: [Entry { term: 3, command: Noop }], commit: 0, round: 0 }, gate: Now }
        > Persisted(1)
        > Message { from: n2, message: AppendReply { term: 3, round: 0, result: Matched(1) } }
        > Message { from: n2, message: AppendReply { term: 3, round: 0, result: Matched(2) } }
        = ("leader", 3, 2, 2)
    "#]],
    );
}

#[test]
fn a_late_append_does_not_shorten_the_log() {
    let inputs = vec![
        from(A, append(1, at(0, 0), &[1, 1], 0)),
        from(A, append(1, at(0, 0), &[1], 0)),
        from(A, append(1, at(0, 0), &[], 0)),
    ];
    check(
        &config(B),
        &Durable::default(),
        inputs,
        &expect![[r#"
        > Message { from: n1, message: Append { term: 1, previous: Position { term: 0, index: 0 }, entries: [Entry { term: 1, command: Noop }, Entry { term: 1, command: Noop }], commit: 0, round: 0 } }
          Persist([Vote { term: 1, vote: None }, Append([Entry { term: 1, command: Noop }, Entry { term: 1, command: Noop }])])
          Send { to: n1, message: AppendReply { term: 1, round: 0, result: Matched(2) }, gate: Durable }
        > Message { from: n1, message: Append { term: 1, previous: Position { term: 0, index: 0 }, entries: [Entry { term: 1, command: Noop }], commit: 0, round: 0 } }
          Send { to: n1, message: AppendReply { term: 1, round: 0, result: Matched(1) }, gate: Durable }
        > Message { from: n1, message: Append { term: 1, previous: Position { term: 0, index: 0 }, entries: [], commit: 0, round: 0 } }
          Send { to: n1, message: AppendReply { term: 1, round: 0, result: Matched(0) }, gate: Durable }
        = ("follower", 1, 2, 0)
    "#]],
    );
}

#[test]
fn a_conflicting_suffix_is_replaced_in_the_same_persist() {
    check(
        &config(B),
        &durable(2, None, &[1, 2, 2]),
        vec![from(A, append(3, at(1, 1), &[3], 2))],
        &expect![[r#"
            > Message { from: n1, message: Append { term: 3, previous: Position { term: 1, index: 1 }, entries: [Entry { term: 3, command: Noop }], commit: 2, round: 0 } }
              Persist([Vote { term: 3, vote: None }, TruncateFrom(2), Append([Entry { term: 3, command: Noop }])])
              Send { to: n1, message: AppendReply { term: 3, round: 0, result: Matched(2) }, gate: Durable }
            = ("follower", 3, 2, 2)
        "#]],
    );
}

#[test]
fn a_heartbeat_commits_no_further_than_what_it_compared() {
    check(
        &config(B),
        &durable(1, None, &[1, 1]),
        vec![from(A, append(2, at(1, 1), &[], 9))],
        &expect![[r#"
            > Message { from: n1, message: Append { term: 2, previous: Position { term: 1, index: 1 }, entries: [], commit: 9, round: 0 } }
              Persist([Vote { term: 2, vote: None }])
              Send { to: n1, message: AppendReply { term: 2, round: 0, result: Matched(1) }, gate: Durable }
            = ("follower", 2, 2, 1)
        "#]],
    );
}

#[test]
fn a_refused_append_says_where_to_look_instead() {
    check(
        &config(B),
        &durable(3, None, &[1, 2, 2, 2]),
        vec![
            from(A, append(4, at(3, 4), &[4], 0)),
            from(A, append(4, at(3, 9), &[4], 0)),
        ],
        &expect![[r#"
            > Message { from: n1, message: Append { term: 4, previous: Position { term: 3, index: 4 }, entries: [Entry { term: 4, command: Noop }], commit: 0, round: 0 } }
              Persist([Vote { term: 4, vote: None }])
              Send { to: n1, message: AppendReply { term: 4, round: 0, result: Rejected { previous: 4, next: 2 } }, gate: Durable }
            > Message { from: n1, message: Append { term: 4, previous: Position { term: 3, index: 9 }, entries: [Entry { term: 4, command: Noop }], commit: 0, round: 0 } }
              Send { to: n1, message: AppendReply { term: 4, round: 0, result: Rejected { previous: 9, next: 5 } }, gate: Durable }
            = ("follower", 4, 4, 0)
        "#]],
    );
}

#[test]
fn a_read_waits_for_a_round_and_for_an_entry_of_the_leaders_own_term() {
    let answer = |round| {
        from(
            B,
            Message::AppendReply {
                term: 1,
                round,
                result: Appended::Matched(0),
            },
        )
    };
    let mut inputs = elected();
    inputs.extend([
        ask(1, Request::Read { key: 4 }),
        // Shares the next round, since one is being asked.
        ask(2, Request::Read { key: 4 }),
        answer(1),
        Input::Persisted(1),
        from(B, matched(1, 1)),
        answer(2),
    ]);
    check(
        &config(A),
        &Durable::default(),
        inputs,
        &expect![[r#"
        > Timer(Election)
          Persist([Vote { term: 1, vote: Some(n1) }])
          Send { to: n2, message: Vote { term: 1, last: Position { term: 0, index: 0 } }, gate: Durable }
          Send { to: n3, message: Vote { term: 1, last: Position { term: 0, index: 0 } }, gate: Durable }
        > Persisted(1)
        > Message { from: n2, message: VoteReply { term: 1, granted: true } }
          Persist([Append([Entry { term: 1, command: Noop }])])
          Send { to: n2, message: Append { term: 1, previous: Position { term: 0, index: 0 }, entries: [Entry { term: 1, command: Noop }], commit: 0, round: 0 }, gate: Now }
          Send { to: n3, message: Append { term: 1, previous: Position { term: 0, index: 0 }, entries: [Entry { term: 1, command: Noop }], commit: 0, round: 0 }, gate: Now }
        > Request { id: RequestId(1), request: Read { key: 4 } }
          Send { to: n2, message: Append { term: 1, previous: Position { term: 0, index: 0 }, entries: [], commit: 0, round: 1 }, gate: Now }
          Send { to: n3, message: Append { term: 1, previous: Position { term: 0, index: 0 }, entries: [], commit: 0, round: 1 }, gate: Now }
        > Request { id: RequestId(2), request: Read { key: 4 } }
        > Message { from: n2, message: AppendReply { term: 1, round: 1, result: Matched(0) } }
        > Persisted(1)
        > Message { from: n2, message: AppendReply { term: 1, round: 0, result: Matched(1) } }
          Answer { id: RequestId(1), outcome: Ok(Value(None)), gate: Now }
          Send { to: n2, message: Append { term: 1, previous: Position { term: 1, index: 1 }, entries: [], commit: 1, round: 2 }, gate: Now }
          Send { to: n3, message: Append { term: 1, previous: Position { term: 0, index: 0 }, entries: [], commit: 1, round: 2 }, gate: Now }
        > Message { from: n2, message: AppendReply { term: 1, round: 2, result: Matched(0) } }
          Answer { id: RequestId(2), outcome: Ok(Value(None)), gate: Now }
        = ("leader", 1, 1, 1)
    "#]],
    );
}

#[test]
fn a_leader_that_steps_down_answers_what_it_had_accepted_with_unknown() {
    let mut inputs = elected();
    inputs.extend([
        ask(1, write(4, 4)),
        ask(2, Request::Read { key: 4 }),
        from(C, append(2, at(0, 0), &[2], 0)),
        ask(3, write(4, 4)),
    ]);
    check(
        &config(A),
        &Durable::default(),
        inputs,
        &expect![[r#"
            > Timer(Election)
              Persist([Vote { term: 1, vote: Some(n1) }])
              Send { to: n2, message: Vote { term: 1, last: Position { term: 0, index: 0 } }, gate: Durable }
              Send { to: n3, message: Vote { term: 1, last: Position { term: 0, index: 0 } }, gate: Durable }
            > Persisted(1)
            > Message { from: n2, message: VoteReply { term: 1, granted: true } }
              Persist([Append([Entry { term: 1, command: Noop }])])
              Send { to: n2, message: Append { term: 1, previous: Position { term: 0, index: 0 }, entries: [Entry { term: 1, command: Noop }], commit: 0, round: 0 }, gate: Now }
              Send { to: n3, message: Append { term: 1, previous: Position { term: 0, index: 0 }, entries: [Entry { term: 1, command: Noop }], commit: 0, round: 0 }, gate: Now }
            > Request { id: RequestId(1), request: Call(Execute { ticket: None, operation: Write { key: 4, value: 4 } }) }
              Persist([Append([Entry { term: 1, command: Call(Execute { ticket: None, operation: Write { key: 4, value: 4 } }) }])])
            > Request { id: RequestId(2), request: Read { key: 4 } }
              Send { to: n2, message: Append { term: 1, previous: Position { term: 0, index: 0 }, entries: [], commit: 0, round: 1 }, gate: Now }
              Send { to: n3, message: Append { term: 1, previous: Position { term: 0, index: 0 }, entries: [], commit: 0, round: 1 }, gate: Now }
            > Message { from: n3, message: Append { term: 2, previous: Position { term: 0, index: 0 }, entries: [Entry { term: 2, command: Noop }], commit: 0, round: 0 } }
              Persist([Vote { term: 2, vote: None }, TruncateFrom(1), Append([Entry { term: 2, command: Noop }])])
              Answer { id: RequestId(1), outcome: Unknown("the leader stepped down before the outcome was known"), gate: Now }
              Answer { id: RequestId(2), outcome: Unknown("the leader stepped down before the outcome was known"), gate: Now }
              Send { to: n3, message: AppendReply { term: 2, round: 0, result: Matched(1) }, gate: Durable }
            > Request { id: RequestId(3), request: Call(Execute { ticket: None, operation: Write { key: 4, value: 4 } }) }
              Answer { id: RequestId(3), outcome: Redirect(n3), gate: Now }
            = ("follower", 2, 1, 0)
        "#]],
    );
}

#[test]
fn a_node_without_a_leader_refuses_for_good() {
    check(
        &config(B),
        &Durable::default(),
        vec![ask(1, write(4, 4))],
        &expect![[r#"
            > Request { id: RequestId(1), request: Call(Execute { ticket: None, operation: Write { key: 4, value: 4 } }) }
              Answer { id: RequestId(1), outcome: Never("no leader is known"), gate: Now }
            = ("follower", 0, 0, 0)
        "#]],
    );
}

#[test]
fn a_pre_vote_changes_no_term_and_is_refused_while_a_leader_is_heard() {
    let config = Config {
        pre_vote: true,
        ..config(B)
    };
    let ask = |asked| {
        from(
            C,
            Message::PreVote {
                asked,
                last: at(1, 1),
            },
        )
    };
    check(
        &config,
        &durable(1, None, &[1]),
        vec![
            ask(2),
            from(A, append(1, at(1, 1), &[], 0)),
            ask(2),
            Input::Timer(Timer::Election),
            ask(2),
        ],
        &expect![[r#"
            > Message { from: n3, message: PreVote { asked: 2, last: Position { term: 1, index: 1 } } }
              Send { to: n3, message: PreVoteReply { term: 1, asked: 2, granted: true }, gate: Durable }
            > Message { from: n1, message: Append { term: 1, previous: Position { term: 1, index: 1 }, entries: [], commit: 0, round: 0 } }
              Send { to: n1, message: AppendReply { term: 1, round: 0, result: Matched(1) }, gate: Durable }
            > Message { from: n3, message: PreVote { asked: 2, last: Position { term: 1, index: 1 } } }
            > Timer(Election)
              Send { to: n1, message: PreVote { asked: 2, last: Position { term: 1, index: 1 } }, gate: Durable }
              Send { to: n3, message: PreVote { asked: 2, last: Position { term: 1, index: 1 } }, gate: Durable }
            > Message { from: n3, message: PreVote { asked: 2, last: Position { term: 1, index: 1 } } }
              Send { to: n3, message: PreVoteReply { term: 1, asked: 2, granted: true }, gate: Durable }
            = ("pre-candidate", 1, 1, 0)
        "#]],
    );
}

#[test]
fn a_leader_that_hears_no_majority_steps_down() {
    let config = Config {
        check_quorum: true,
        ..config(A)
    };
    let mut inputs = elected();
    inputs.extend([
        from(B, matched(1, 1)),
        Input::Timer(Timer::Quorum),
        Input::Timer(Timer::Quorum),
    ]);
    check(
        &config,
        &Durable::default(),
        inputs,
        &expect![[r#"
        > Timer(Election)
          Persist([Vote { term: 1, vote: Some(n1) }])
          Send { to: n2, message: Vote { term: 1, last: Position { term: 0, index: 0 } }, gate: Durable }
          Send { to: n3, message: Vote { term: 1, last: Position { term: 0, index: 0 } }, gate: Durable }
        > Persisted(1)
        > Message { from: n2, message: VoteReply { term: 1, granted: true } }
          Persist([Append([Entry { term: 1, command: Noop }])])
          Send { to: n2, message: Append { term: 1, previous: Position { term: 0, index: 0 }, entries: [Entry { term: 1, command: Noop }], commit: 0, round: 0 }, gate: Now }
          Send { to: n3, message: Append { term: 1, previous: Position { term: 0, index: 0 }, entries: [Entry { term: 1, command: Noop }], commit: 0, round: 0 }, gate: Now }
        > Message { from: n2, message: AppendReply { term: 1, round: 0, result: Matched(1) } }
        > Timer(Quorum)
        > Timer(Quorum)
        = ("follower", 1, 1, 0)
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
        vec![
            Input::Timer(Timer::Election),
            Input::Persisted(1),
            Input::Persisted(1),
            ask(1, write(1, 1)),
            Input::Persisted(1),
            ask(2, Request::Read { key: 1 }),
        ],
        &expect![[r#"
            > Timer(Election)
              Persist([Vote { term: 1, vote: Some(n1) }])
            > Persisted(1)
              Persist([Append([Entry { term: 1, command: Noop }])])
            > Persisted(1)
            > Request { id: RequestId(1), request: Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } }) }
              Persist([Append([Entry { term: 1, command: Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } }) }])])
            > Persisted(1)
              Answer { id: RequestId(1), outcome: Ok(Done), gate: Now }
            > Request { id: RequestId(2), request: Read { key: 1 } }
              Answer { id: RequestId(2), outcome: Ok(Value(Some(1))), gate: Now }
            = ("leader", 1, 2, 2)
        "#]],
    );
}
