use expect_test::{Expect, expect};

use super::*;
use crate::machine::Output;
use crate::object::{Operation, Part};

const A: NodeId = NodeId(1);
const B: NodeId = NodeId(2);
const C: NodeId = NodeId(3);
const MEMBERS: [NodeId; 3] = [A, B, C];

fn config(id: NodeId) -> Config {
    Config {
        check_quorum: false,
        sessions_founding: 1,
        ..Config::new(id, Quorums::majorities(MEMBERS))
    }
}

fn ballot(round: u64, node: NodeId) -> Ballot {
    Ballot { round, node }
}

fn write(value: i64) -> Command {
    Command::Call(Call::Execute {
        ticket: None,
        operation: Operation::Write { key: 1, value },
    })
}

fn from(from: NodeId, message: Message) -> Input<Paxos> {
    Input::Message { from, message }
}

fn ask(id: u64, value: i64) -> Input<Paxos> {
    let Command::Call(call) = write(value) else {
        unreachable!("a write is a call");
    };
    Input::Request {
        id: RequestId(id),
        request: Request::Call(call),
    }
}

fn prepare(ballot: Ballot) -> Input<Paxos> {
    from(ballot.node, Message::Prepare { ballot, from: 1 })
}

fn accept(ballot: Ballot, first: Slot, commands: Vec<Command>, decided: Slot) -> Input<Paxos> {
    let message = Message::Accept {
        ballot,
        first,
        commands,
        decided,
    };
    from(ballot.node, message)
}

fn heartbeat(ballot: Ballot, decided: Slot) -> Input<Paxos> {
    let message = Message::Heartbeat {
        ballot,
        decided,
        lease: 0,
    };
    from(ballot.node, message)
}

fn promise(by: NodeId, ballot: Ballot) -> Input<Paxos> {
    let message = Message::Promise {
        ballot,
        base: 0,
        accepted: BTreeMap::new(),
    };
    from(by, message)
}

fn accepted(by: NodeId, ballot: Ballot, first: Slot, count: u64) -> Input<Paxos> {
    let message = Message::Accepted {
        ballot,
        first,
        count,
    };
    from(by, message)
}

/// What a node has on its disk that promised a ballot and accepted values.
fn durable(promised: Ballot, accepted: &[(Slot, Ballot, Command)]) -> Durable {
    let mut durable = Durable {
        promised,
        ..Durable::default()
    };
    for (slot, ballot, command) in accepted {
        let command = std::slice::from_ref(command);
        durable.log.accept(*ballot, *slot, command);
    }
    durable
}

/// What makes A the leader of 1.n1.
fn elected() -> Vec<Input<Paxos>> {
    vec![
        Input::Timer(Timer::Election),
        Input::Persisted(1),
        promise(B, ballot(1, A)),
    ]
}

/// Recovers a node from `durable`, feeds it what makes it what it is, and then
/// `inputs`; shows what it asks for at each of those, one line an output.
fn check_after(
    config: &Config,
    durable: &Durable,
    before: Vec<Input<Paxos>>,
    inputs: Vec<Input<Paxos>>,
    expected: &Expect,
) {
    let context = Context::untimed(config);
    let mut outputs = Outputs::new();
    let mut node = Paxos::recover(context, durable, &mut outputs);
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
        node.promised(),
        node.log().last(),
        node.decided(),
    );
    shown += &format!("= {state:?}\n");
    expected.assert_eq(&shown);
}

fn check(config: &Config, durable: &Durable, inputs: Vec<Input<Paxos>>, expected: &Expect) {
    check_after(config, durable, Vec::new(), inputs, expected);
}

#[test]
fn a_promise_is_durable_before_it_is_spoken() {
    check(
        &config(B),
        &durable(ballot(1, A), &[(2, ballot(1, A), write(5))]),
        vec![prepare(ballot(2, C))],
        &expect![[r#"
            > Message { from: n3, message: Prepare { ballot: 2.n3, from: 1 } }
              Persist([Promise(2.n3)])
              Send { to: n3, message: Promise { ballot: 2.n3, base: 0, accepted: {2: Accepted { ballot: 1.n1, command: Call(Execute { ticket: None, operation: Write { key: 1, value: 5 } }) }} }, gate: Durable }
            = ("follower", 2.n3, 2, 0)
        "#]],
    );
}

#[test]
fn a_promise_is_given_again_without_a_persist_and_no_lower_one_is() {
    let again = prepare(ballot(2, A));
    check_after(
        &config(B),
        &Durable::default(),
        vec![prepare(ballot(2, A)), Input::Persisted(1)],
        vec![again, prepare(ballot(1, C)), prepare(ballot(2, C))],
        &expect![[r#"
            > Message { from: n1, message: Prepare { ballot: 2.n1, from: 1 } }
              Send { to: n1, message: Promise { ballot: 2.n1, base: 0, accepted: {} }, gate: Durable }
            > Message { from: n3, message: Prepare { ballot: 1.n3, from: 1 } }
              Send { to: n3, message: Refused { promised: 2.n1 }, gate: Durable }
            > Message { from: n3, message: Prepare { ballot: 2.n3, from: 1 } }
              Persist([Promise(2.n3)])
              Send { to: n3, message: Promise { ballot: 2.n3, base: 0, accepted: {} }, gate: Durable }
            = ("follower", 2.n3, 0, 0)
        "#]],
    );
}

#[test]
fn what_is_accepted_is_durable_before_it_is_acknowledged() {
    check(
        &config(B),
        &durable(ballot(1, A), &[]),
        vec![accept(ballot(1, A), 1, vec![write(1), write(2)], 0)],
        &expect![[r#"
            > Message { from: n1, message: Accept { ballot: 1.n1, first: 1, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } }), Call(Execute { ticket: None, operation: Write { key: 1, value: 2 } })], decided: 0 } }
              Persist([Accept { ballot: 1.n1, first: 1, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } }), Call(Execute { ticket: None, operation: Write { key: 1, value: 2 } })] }])
              Send { to: n1, message: Accepted { ballot: 1.n1, first: 1, count: 2 }, gate: Durable }
            = ("follower", 1.n1, 2, 0)
        "#]],
    );
}

#[test]
fn an_acceptor_that_missed_phase_1_promises_what_it_accepts_in_one_fact() {
    check(
        &config(B),
        &durable(ballot(1, A), &[]),
        vec![
            accept(ballot(2, C), 1, vec![write(1)], 0),
            prepare(ballot(2, A)),
        ],
        &expect![[r#"
            > Message { from: n3, message: Accept { ballot: 2.n3, first: 1, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } })], decided: 0 } }
              Persist([Promise(2.n3), Accept { ballot: 2.n3, first: 1, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } })] }])
              Send { to: n3, message: Accepted { ballot: 2.n3, first: 1, count: 1 }, gate: Durable }
            > Message { from: n1, message: Prepare { ballot: 2.n1, from: 1 } }
              Send { to: n1, message: Refused { promised: 2.n3 }, gate: Durable }
            = ("follower", 2.n3, 1, 0)
        "#]],
    );
}

#[test]
fn what_was_accepted_already_is_acknowledged_again_and_only_the_rest_is_written() {
    let leader = ballot(1, A);
    check_after(
        &config(B),
        &durable(leader, &[]),
        vec![accept(leader, 2, vec![write(2)], 0), Input::Persisted(1)],
        vec![
            accept(leader, 2, vec![write(2)], 0),
            accept(leader, 2, vec![write(2), write(3)], 0),
            accept(leader, 1, vec![write(1), write(2)], 0),
        ],
        &expect![[r#"
            > Message { from: n1, message: Accept { ballot: 1.n1, first: 2, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 2 } })], decided: 0 } }
              Send { to: n1, message: Accepted { ballot: 1.n1, first: 2, count: 1 }, gate: Durable }
            > Message { from: n1, message: Accept { ballot: 1.n1, first: 2, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 2 } }), Call(Execute { ticket: None, operation: Write { key: 1, value: 3 } })], decided: 0 } }
              Persist([Accept { ballot: 1.n1, first: 3, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 3 } })] }])
              Send { to: n1, message: Accepted { ballot: 1.n1, first: 2, count: 2 }, gate: Durable }
            > Message { from: n1, message: Accept { ballot: 1.n1, first: 1, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } }), Call(Execute { ticket: None, operation: Write { key: 1, value: 2 } })], decided: 0 } }
              Persist([Accept { ballot: 1.n1, first: 1, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } }), Call(Execute { ticket: None, operation: Write { key: 1, value: 2 } })] }])
              Send { to: n1, message: Accepted { ballot: 1.n1, first: 1, count: 2 }, gate: Durable }
            = ("follower", 1.n1, 3, 0)
        "#]],
    );
}

#[test]
fn nothing_of_a_lower_ballot_is_accepted_or_followed() {
    check(
        &config(B),
        &durable(ballot(2, C), &[]),
        vec![
            accept(ballot(1, A), 1, vec![write(1)], 1),
            heartbeat(ballot(1, A), 1),
        ],
        &expect![[r#"
            > Message { from: n1, message: Accept { ballot: 1.n1, first: 1, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } })], decided: 1 } }
              Send { to: n1, message: Refused { promised: 2.n3 }, gate: Durable }
            > Message { from: n1, message: Heartbeat { ballot: 1.n1, decided: 1, lease: 0 } }
              Send { to: n1, message: Refused { promised: 2.n3 }, gate: Durable }
            = ("follower", 2.n3, 0, 0)
        "#]],
    );
}

#[test]
fn a_candidate_counts_its_own_promise_only_once_it_is_durable() {
    check(
        &config(A),
        &durable(Ballot::default(), &[(1, ballot(1, C), write(1))]),
        vec![
            Input::Timer(Timer::Election),
            promise(B, ballot(1, A)),
            Input::Persisted(1),
        ],
        &expect![[r#"
            > Timer(Election)
              Persist([Promise(1.n1)])
              Send { to: n2, message: Prepare { ballot: 1.n1, from: 1 }, gate: Durable }
              Send { to: n3, message: Prepare { ballot: 1.n1, from: 1 }, gate: Durable }
            > Message { from: n2, message: Promise { ballot: 1.n1, base: 0, accepted: {} } }
            > Persisted(1)
              Persist([Accept { ballot: 1.n1, first: 1, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } })] }])
              Send { to: n2, message: Accept { ballot: 1.n1, first: 1, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } })], decided: 0 }, gate: Now }
              Send { to: n3, message: Accept { ballot: 1.n1, first: 1, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } })], decided: 0 }, gate: Now }
            = ("leader", 1.n1, 1, 0)
        "#]],
    );
}

#[test]
fn the_leader_proposes_while_it_writes_and_counts_itself_when_that_is_durable() {
    check_after(
        &config(A),
        &Durable::default(),
        elected(),
        vec![
            ask(1, 1),
            accepted(B, ballot(1, A), 1, 1),
            Input::Persisted(1),
            ask(2, 2),
            Input::Persisted(1),
            accepted(C, ballot(1, A), 2, 1),
        ],
        &expect![[r#"
            > Request { id: RequestId(1), request: Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } }) }
              Persist([Accept { ballot: 1.n1, first: 1, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } })] }])
              Send { to: n2, message: Accept { ballot: 1.n1, first: 1, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } })], decided: 0 }, gate: Now }
              Send { to: n3, message: Accept { ballot: 1.n1, first: 1, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } })], decided: 0 }, gate: Now }
            > Message { from: n2, message: Accepted { ballot: 1.n1, first: 1, count: 1 } }
            > Persisted(1)
              Answer { id: RequestId(1), outcome: Ok(Done), gate: Now }
            > Request { id: RequestId(2), request: Call(Execute { ticket: None, operation: Write { key: 1, value: 2 } }) }
              Persist([Accept { ballot: 1.n1, first: 2, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 2 } })] }])
              Send { to: n2, message: Accept { ballot: 1.n1, first: 2, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 2 } })], decided: 1 }, gate: Now }
              Send { to: n3, message: Accept { ballot: 1.n1, first: 2, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 2 } })], decided: 1 }, gate: Now }
            > Persisted(1)
            > Message { from: n3, message: Accepted { ballot: 1.n1, first: 2, count: 1 } }
              Answer { id: RequestId(2), outcome: Ok(Done), gate: Now }
            = ("leader", 1.n1, 2, 2)
        "#]],
    );
}

#[test]
fn an_acknowledgement_of_an_earlier_ballot_decides_nothing() {
    let mut before = elected();
    before.extend([
        from(
            C,
            Message::Refused {
                promised: ballot(1, C),
            },
        ),
        Input::Timer(Timer::Election),
        Input::Persisted(1),
        promise(B, ballot(2, A)),
    ]);
    check_after(
        &config(A),
        &Durable::default(),
        before,
        vec![
            ask(1, 1),
            Input::Persisted(1),
            accepted(B, ballot(1, A), 1, 1),
            accepted(B, ballot(2, A), 1, 1),
        ],
        &expect![[r#"
            > Request { id: RequestId(1), request: Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } }) }
              Persist([Accept { ballot: 2.n1, first: 1, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } })] }])
              Send { to: n2, message: Accept { ballot: 2.n1, first: 1, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } })], decided: 0 }, gate: Now }
              Send { to: n3, message: Accept { ballot: 2.n1, first: 1, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } })], decided: 0 }, gate: Now }
            > Persisted(1)
            > Message { from: n2, message: Accepted { ballot: 1.n1, first: 1, count: 1 } }
            > Message { from: n2, message: Accepted { ballot: 2.n1, first: 1, count: 1 } }
              Answer { id: RequestId(1), outcome: Ok(Done), gate: Now }
            = ("leader", 2.n1, 1, 1)
        "#]],
    );
}

#[test]
fn a_follower_learns_only_what_it_accepted_in_the_ballot_that_says_so() {
    let accepted = [
        (1, ballot(2, C), write(1)),
        (2, ballot(1, A), write(2)),
        (3, ballot(2, C), write(3)),
    ];
    check(
        &config(B),
        &durable(ballot(2, C), &accepted),
        vec![heartbeat(ballot(2, C), 3)],
        &expect![[r#"
            > Message { from: n3, message: Heartbeat { ballot: 2.n3, decided: 3, lease: 0 } }
              Send { to: n3, message: Fetch { next: 2, arrived: None }, gate: Now }
              Send { to: n3, message: Following { ballot: 2.n3, lease: 0 }, gate: Durable }
            = ("follower", 2.n3, 3, 1)
        "#]],
    );
}

#[test]
fn a_leader_that_gives_up_answers_unknown_only_for_what_it_had_proposed() {
    let config = Config {
        window: 1,
        ..config(A)
    };
    check_after(
        &config,
        &Durable::default(),
        elected(),
        vec![ask(1, 1), ask(2, 2), prepare(ballot(2, C)), ask(3, 3)],
        &expect![[r#"
            > Request { id: RequestId(1), request: Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } }) }
              Persist([Accept { ballot: 1.n1, first: 1, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } })] }])
              Send { to: n2, message: Accept { ballot: 1.n1, first: 1, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } })], decided: 0 }, gate: Now }
              Send { to: n3, message: Accept { ballot: 1.n1, first: 1, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } })], decided: 0 }, gate: Now }
            > Request { id: RequestId(2), request: Call(Execute { ticket: None, operation: Write { key: 1, value: 2 } }) }
            > Message { from: n3, message: Prepare { ballot: 2.n3, from: 1 } }
              Persist([Promise(2.n3)])
              Answer { id: RequestId(1), outcome: Unknown("the leader gave up before the outcome was known"), gate: Now }
              Answer { id: RequestId(2), outcome: Never("the leader gave up before it was proposed"), gate: Now }
              Send { to: n3, message: Promise { ballot: 2.n3, base: 0, accepted: {1: Accepted { ballot: 1.n1, command: Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } }) }} }, gate: Durable }
            > Request { id: RequestId(3), request: Call(Execute { ticket: None, operation: Write { key: 1, value: 3 } }) }
              Answer { id: RequestId(3), outcome: Never("no leader is known"), gate: Now }
            = ("follower", 2.n3, 1, 0)
        "#]],
    );
}

#[test]
fn a_leader_that_is_refused_stands_above_what_it_was_told() {
    let refused = |round| {
        let promised = ballot(round, C);
        from(C, Message::Refused { promised })
    };
    check_after(
        &config(A),
        &Durable::default(),
        elected(),
        vec![
            refused(1),
            refused(7),
            refused(5),
            Input::Timer(Timer::Election),
        ],
        &expect![[r#"
            > Message { from: n3, message: Refused { promised: 1.n3 } }
            > Message { from: n3, message: Refused { promised: 7.n3 } }
            > Message { from: n3, message: Refused { promised: 5.n3 } }
            > Timer(Election)
              Persist([Promise(8.n1)])
              Send { to: n2, message: Prepare { ballot: 8.n1, from: 1 }, gate: Durable }
              Send { to: n3, message: Prepare { ballot: 8.n1, from: 1 }, gate: Durable }
            = ("preparing", 8.n1, 0, 0)
        "#]],
    );
}

#[test]
fn a_leader_that_hears_no_quorum_gives_up() {
    let config = Config {
        check_quorum: true,
        ..config(A)
    };
    let following = Message::Following {
        ballot: ballot(1, A),
        lease: 0,
    };
    check_after(
        &config,
        &Durable::default(),
        elected(),
        vec![
            ask(1, 1),
            from(B, following),
            Input::Timer(Timer::Quorum),
            Input::Timer(Timer::Quorum),
        ],
        &expect![[r#"
            > Request { id: RequestId(1), request: Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } }) }
              Persist([Accept { ballot: 1.n1, first: 1, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } })] }])
              Send { to: n2, message: Accept { ballot: 1.n1, first: 1, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } })], decided: 0 }, gate: Now }
              Send { to: n3, message: Accept { ballot: 1.n1, first: 1, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } })], decided: 0 }, gate: Now }
            > Message { from: n2, message: Following { ballot: 1.n1, lease: 0 } }
            > Timer(Quorum)
            > Timer(Quorum)
              Answer { id: RequestId(1), outcome: Unknown("the leader gave up before the outcome was known"), gate: Now }
            = ("follower", 1.n1, 1, 0)
        "#]],
    );
}

#[test]
fn a_leader_refuses_for_good_what_finds_no_place_to_wait() {
    let config = Config {
        window: 1,
        waiting_max: 1,
        ..config(A)
    };
    check_after(
        &config,
        &Durable::default(),
        elected(),
        vec![
            ask(1, 1),
            ask(2, 2),
            ask(3, 3),
            Input::Persisted(1),
            accepted(B, ballot(1, A), 1, 1),
            ask(4, 4),
        ],
        &expect![[r#"
            > Request { id: RequestId(1), request: Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } }) }
              Persist([Accept { ballot: 1.n1, first: 1, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } })] }])
              Send { to: n2, message: Accept { ballot: 1.n1, first: 1, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } })], decided: 0 }, gate: Now }
              Send { to: n3, message: Accept { ballot: 1.n1, first: 1, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } })], decided: 0 }, gate: Now }
            > Request { id: RequestId(2), request: Call(Execute { ticket: None, operation: Write { key: 1, value: 2 } }) }
            > Request { id: RequestId(3), request: Call(Execute { ticket: None, operation: Write { key: 1, value: 3 } }) }
              Answer { id: RequestId(3), outcome: Never("too many requests wait for a slot"), gate: Now }
            > Persisted(1)
            > Message { from: n2, message: Accepted { ballot: 1.n1, first: 1, count: 1 } }
              Persist([Accept { ballot: 1.n1, first: 2, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 2 } })] }])
              Answer { id: RequestId(1), outcome: Ok(Done), gate: Now }
              Send { to: n2, message: Accept { ballot: 1.n1, first: 2, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 2 } })], decided: 1 }, gate: Now }
              Send { to: n3, message: Accept { ballot: 1.n1, first: 2, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 2 } })], decided: 1 }, gate: Now }
            > Request { id: RequestId(4), request: Call(Execute { ticket: None, operation: Write { key: 1, value: 4 } }) }
            = ("leader", 1.n1, 2, 1)
        "#]],
    );
}

#[test]
fn a_node_that_knows_no_leader_refuses_for_good_and_another_redirects() {
    check(
        &config(B),
        &Durable::default(),
        vec![ask(1, 1), heartbeat(ballot(1, A), 0), ask(2, 1)],
        &expect![[r#"
            > Request { id: RequestId(1), request: Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } }) }
              Answer { id: RequestId(1), outcome: Never("no leader is known"), gate: Now }
            > Message { from: n1, message: Heartbeat { ballot: 1.n1, decided: 0, lease: 0 } }
              Persist([Promise(1.n1)])
              Send { to: n1, message: Following { ballot: 1.n1, lease: 0 }, gate: Durable }
            > Request { id: RequestId(2), request: Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } }) }
              Answer { id: RequestId(2), outcome: Redirect(n1), gate: Now }
            = ("follower", 1.n1, 0, 0)
        "#]],
    );
}

/// A disk on which the log begins a slot before the snapshot ends.
fn compacted() -> Durable {
    let mut durable = Durable::default();
    let records = [
        Record::Promise(ballot(3, C)),
        Record::Accept {
            ballot: ballot(3, C),
            first: 1,
            commands: vec![write(1), write(2), write(3), write(4)],
        },
        Record::Snapshot {
            snapshot: Snapshot {
                head: 3,
                parts: vec![Part::Value(1, 3)],
            },
            base: 2,
        },
    ];
    for record in &records {
        Paxos::apply(&mut durable, record);
    }
    durable
}

#[test]
fn a_node_that_recovers_knows_what_its_snapshot_shows_and_waits_for_a_leader() {
    let config = config(B);
    let mut outputs = Outputs::new();
    let node = Paxos::recover(Context::untimed(&config), &compacted(), &mut outputs);
    assert_eq!((node.decided(), node.store().read(1)), (3, Some(3)));
    assert_eq!((node.log().base(), node.log().last()), (2, 4));
    let patience = Output::SetTimer {
        timer: Timer::Election,
        span: Span::Election,
    };
    assert_eq!(outputs.take(), [patience]);
}

#[test]
fn a_node_that_recovers_keeps_its_word() {
    check(
        &config(B),
        &compacted(),
        vec![
            prepare(ballot(2, A)),
            accept(ballot(2, A), 4, vec![write(5)], 0),
            prepare(ballot(4, A)),
            Input::Timer(Timer::Election),
        ],
        &expect![[r#"
            > Message { from: n1, message: Prepare { ballot: 2.n1, from: 1 } }
              Send { to: n1, message: Refused { promised: 3.n3 }, gate: Durable }
            > Message { from: n1, message: Accept { ballot: 2.n1, first: 4, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 5 } })], decided: 0 } }
              Send { to: n1, message: Refused { promised: 3.n3 }, gate: Durable }
            > Message { from: n1, message: Prepare { ballot: 4.n1, from: 1 } }
              Persist([Promise(4.n1)])
              Send { to: n1, message: Promise { ballot: 4.n1, base: 2, accepted: {3: Accepted { ballot: 3.n3, command: Call(Execute { ticket: None, operation: Write { key: 1, value: 3 } }) }, 4: Accepted { ballot: 3.n3, command: Call(Execute { ticket: None, operation: Write { key: 1, value: 4 } }) }} }, gate: Durable }
            > Timer(Election)
              Persist([Promise(5.n2)])
              Send { to: n1, message: Prepare { ballot: 5.n2, from: 4 }, gate: Durable }
              Send { to: n3, message: Prepare { ballot: 5.n2, from: 4 }, gate: Durable }
            = ("preparing", 5.n2, 4, 3)
        "#]],
    );
}

#[test]
fn the_only_member_leads_alone() {
    let config = Config {
        quorums: Quorums::majorities([A]),
        ..config(A)
    };
    check(
        &config,
        &Durable::default(),
        vec![
            Input::Timer(Timer::Election),
            Input::Persisted(1),
            ask(1, 1),
            Input::Persisted(1),
        ],
        &expect![[r#"
            > Timer(Election)
              Persist([Promise(1.n1)])
            > Persisted(1)
            > Request { id: RequestId(1), request: Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } }) }
              Persist([Accept { ballot: 1.n1, first: 1, commands: [Call(Execute { ticket: None, operation: Write { key: 1, value: 1 } })] }])
            > Persisted(1)
              Answer { id: RequestId(1), outcome: Ok(Done), gate: Now }
            = ("leader", 1.n1, 1, 1)
        "#]],
    );
}

/// Every kind of step that writes, and those that write several facts: each
/// asks for one persist, before anything else that waits for it.
#[test]
fn a_step_asks_for_at_most_one_persist_and_asks_for_it_first() {
    let config = Config {
        window: 1,
        compact_after: Some(1),
        compact_keep: 0,
        ..config(A)
    };
    let chunk = Chunk {
        head: 9,
        offset: 0,
        parts: vec![Part::Value(1, 9)],
        is_last: true,
    };
    let own = ballot(1, A);
    let mut inputs = elected();
    inputs.extend([
        ask(1, 1),
        ask(2, 2),
        Input::Persisted(1),
        // Decides a slot, drops it, and proposes in the next.
        accepted(B, own, 1, 1),
        Input::Persisted(1),
        accepted(B, own, 2, 1),
        // Promises, accepts, learns and drops what it learnt.
        accept(ballot(2, C), 3, vec![write(3)], 3),
        accept(ballot(2, C), 4, vec![write(4)], 4),
        from(C, Message::Install { chunk }),
        prepare(ballot(3, B)),
        Input::Timer(Timer::Election),
    ]);
    let context = Context::untimed(&config);
    let mut outputs = Outputs::new();
    let mut node = Paxos::recover(context, &Durable::default(), &mut outputs);
    outputs.take();
    let mut shown = String::new();
    for input in inputs {
        node.step(context, input, &mut outputs);
        let outputs = outputs.take();
        let is_persist = |output: &&Output<Paxos>| matches!(output, Output::Persist(_));
        let count = outputs.iter().filter(is_persist).count();
        let Some(Output::Persist(records)) = outputs.first() else {
            assert_eq!(count, 0, "{outputs:?}");
            continue;
        };
        assert_eq!(count, 1, "{outputs:?}");
        let words = records.iter().map(|record| match record {
            Record::Promise(_) => "promise",
            Record::Accept { .. } => "accept",
            Record::Snapshot { .. } => "snapshot",
        });
        shown += &format!("{}\n", words.collect::<Vec<_>>().join(", "));
    }
    expect![[r#"
        promise
        accept
        snapshot, accept
        snapshot
        promise, accept, snapshot
        accept, snapshot
        snapshot
        promise
        promise
    "#]]
    .assert_eq(&shown);
}
