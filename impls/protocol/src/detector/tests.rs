//! The detectors, input by input.

use super::*;
use crate::machine::{
    Clock, Context, Gate, Input, Machine, Outcome, Output, Outputs, RequestId, Span,
};

const A: NodeId = NodeId(1);
const B: NodeId = NodeId(2);
const C: NodeId = NodeId(3);

/// A node with its clock.
struct Node<M: Machine> {
    machine: M,
    config: M::Config,
    clock: u64,
    said: Vec<(NodeId, M::Message)>,
}

impl<M: Machine<Timer = Beat, Request = Suspects, Response = Suspected, Durable = ()>> Node<M> {
    fn new(config: M::Config) -> Self {
        let mut outputs = Outputs::new();
        let clock = Clock(0);
        let context = Context {
            config: &config,
            clock,
        };
        let machine = M::recover(context, &(), &mut outputs);
        let mut node = Node {
            machine,
            config,
            clock: 0,
            said: Vec::new(),
        };
        node.take(outputs);
        node
    }

    fn give(&mut self, input: Input<M>) -> Vec<Output<M>> {
        let mut outputs = Outputs::new();
        let context = Context {
            config: &self.config,
            clock: Clock(self.clock),
        };
        self.machine.step(context, input, &mut outputs);
        self.take(outputs)
    }

    fn take(&mut self, mut outputs: Outputs<M>) -> Vec<Output<M>> {
        let all = outputs.take();
        self.said = all
            .iter()
            .filter_map(|output| match output {
                Output::Send { to, message, .. } => Some((*to, message.clone())),
                _ => None,
            })
            .collect();
        all
    }

    fn hear(&mut self, from: NodeId, message: M::Message) {
        self.give(Input::Message { from, message });
    }

    /// Beats once each unit up to this time.
    fn beat_until(&mut self, clock: u64) {
        while self.clock < clock {
            self.clock += 1;
            let outputs = self.give(Input::Timer(Beat));
            let again = Output::SetTimer {
                timer: Beat,
                span: Span::Heartbeat,
            };
            assert!(outputs.contains(&again));
        }
    }

    fn suspects(&self) -> Vec<NodeId> {
        self.machine
            .view(&self.config)
            .suspects
            .into_iter()
            .collect()
    }
}

fn heartbeat(timeouts: Timeouts, bug: Option<Wrong>) -> Node<Heartbeat> {
    Node::new(Config {
        bug,
        ..Config::new(A, [A, B, C], timeouts)
    })
}

fn observer(timeout: u64) -> Node<Observer> {
    Node::new(ObserverConfig::new(A, [A, B, C], timeout))
}

#[test]
fn silence_longer_than_the_timeout_is_suspected_and_a_sign_of_life_ends_that() {
    let mut node = heartbeat(Timeouts::fixed(3), None);
    assert_eq!(node.said.len(), 2, "it shows at once that it is there");
    node.beat_until(2);
    node.hear(B, PulseMessage::Heartbeat);
    node.beat_until(3);
    assert_eq!(node.suspects(), []);
    node.beat_until(4);
    assert_eq!(node.suspects(), [C]);
    assert_eq!(node.said.len(), 2, "who is suspected is shown so as well");
    node.beat_until(6);
    assert_eq!(node.suspects(), [B, C]);
    node.hear(C, PulseMessage::Heartbeat);
    assert_eq!(node.suspects(), [B]);
}

#[test]
fn whoever_asks_is_told_whom_the_node_suspects() {
    let mut node = heartbeat(Timeouts::fixed(1), None);
    node.beat_until(2);
    let id = RequestId(7);
    let outputs = node.give(Input::Request {
        id,
        request: Suspects,
    });
    let answer = Output::Answer {
        id,
        outcome: Outcome::Ok(Suspected::from([B, C])),
        gate: Gate::Now,
    };
    assert_eq!(outputs, [answer]);
}

#[test]
fn a_mistake_makes_the_timeout_longer_up_to_the_longest() {
    let timeouts = Timeouts {
        first: 1,
        step: 2,
        most: 4,
    };
    let mut node = heartbeat(timeouts, None);
    for (mistakes, timeout) in [(1, 3), (2, 4), (3, 4)] {
        let begun = node.clock;
        while !node.suspects().contains(&B) {
            node.beat_until(node.clock + 1);
        }
        node.hear(B, PulseMessage::Heartbeat);
        let heard = node.clock;
        node.beat_until(heard + timeout);
        assert!(!node.suspects().contains(&B), "{mistakes} {begun}");
    }
}

#[test]
fn a_node_that_did_not_run_suspects_nobody_for_that() {
    let mut node = heartbeat(Timeouts::fixed(3), None);
    node.beat_until(2);
    node.clock = 50;
    node.give(Input::Timer(Beat));
    assert_eq!(node.suspects(), []);
    node.beat_until(54);
    assert_eq!(node.suspects(), [B, C]);
}

#[test]
fn a_subject_polls_and_is_polled_by_its_neighbours() {
    let mut node = observer(3);
    assert_eq!(node.machine.observer(), Some(B));
    assert_eq!(node.machine.subjects().collect::<Vec<_>>(), [C]);
    assert_eq!(node.said, [(C, ObserverMessage::Poll)]);
    node.hear(B, ObserverMessage::Poll);
    let alive = ObserverMessage::Alive {
        epoch: 0,
        observer: Some(B),
    };
    assert_eq!(node.said, [(B, alive)]);
}

#[test]
fn a_silent_observer_is_suspected_and_another_one_taken() {
    let mut node = observer(3);
    let there = ObserverMessage::Alive {
        epoch: 0,
        observer: Some(A),
    };
    node.beat_until(3);
    node.hear(C, there);
    node.beat_until(4);
    assert_eq!(node.suspects(), [B]);
    assert_eq!(node.machine.observer(), Some(C));
    let taken = ObserverMessage::Alive {
        epoch: 1,
        observer: Some(C),
    };
    assert!(node.said.contains(&(C, taken)) && node.said.contains(&(B, taken)));
    let suspicion = ObserverMessage::Suspect { node: B, epoch: 0 };
    assert!(node.said.contains(&(C, suspicion)));
}

#[test]
fn a_suspicion_is_refuted_in_a_later_epoch_and_in_no_other() {
    let mut node = observer(3);
    node.hear(A, ObserverMessage::Poll);
    node.hear(C, ObserverMessage::Suspect { node: A, epoch: 4 });
    let refuted = ObserverMessage::Alive {
        epoch: 5,
        observer: Some(B),
    };
    assert_eq!(node.said, [(B, refuted), (C, refuted)]);
    node.hear(B, ObserverMessage::Suspect { node: C, epoch: 2 });
    assert_eq!(node.suspects(), [C]);
    let alive = |epoch| ObserverMessage::Alive {
        epoch,
        observer: Some(A),
    };
    node.hear(C, alive(2));
    assert_eq!(node.suspects(), [C]);
    node.hear(C, alive(3));
    assert_eq!(node.suspects(), []);
    node.hear(B, ObserverMessage::Suspect { node: C, epoch: 2 });
    assert_eq!(node.suspects(), [], "what is old says nothing");
}

#[test]
fn who_has_forgotten_its_epochs_is_told() {
    let mut node = observer(3);
    let alive = |epoch| ObserverMessage::Alive {
        epoch,
        observer: Some(A),
    };
    node.hear(C, alive(3));
    node.hear(C, alive(0));
    let told = ObserverMessage::Suspect { node: C, epoch: 3 };
    assert_eq!(node.said, [(C, told)]);
    assert_eq!(node.suspects(), []);
}
