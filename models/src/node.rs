//! One node of the model: a machine and what its host keeps for it.
//!
//! Here the promise of every host (`tribunal_protocol::machine`) is kept, for
//! the model. A node reacts to one [`Stimulus`]; how it reacts depends on
//! nothing but the node, so that a reaction is computed once and remembered.
//!
//! # What a persist holds back
//!
//! Outputs wait in one queue. One with [`Gate::Durable`] waits for all
//! persists that were asked for before it, one with [`Gate::Now`] for none,
//! and nothing overtakes: the head of the queue leaves when its persists are
//! durable, then the next. Timers are set and cancelled at once.
//!
//! # When a persist completes at once
//!
//! With [`Granularity::Atomic`], always. With [`Granularity::Staged`] it
//! completes by an action of its own, any number of the oldest together (a
//! host writes several in one frame), unless all of these hold:
//!
//! 1. nothing else is outstanding and nothing waits to leave;
//! 2. the persist is the first output of its step, timers aside;
//! 3. at least one output of the step is gated behind it, none is `Now`, and
//!    none is an answer;
//! 4. handling `Persisted` for it does no more than
//!    [`Machine::forget_outstanding`]: the same machine, no output.
//!
//! Then, while the persist was outstanding, nothing could leave the node: a
//! later output would have queued behind the gated one. So a node that waits
//! for its disk cannot be told from one that got its next input later, and a
//! crash before the persist cannot be told from one before the input. A crash
//! behind the persist, before the messages leave, is like their loss; but a
//! client's answer is not lost on its way, hence the last part of 3.
//!
//! # What may be looked at
//!
//! A machine's memory runs ahead of its disk: a decision may stand there that
//! no one has heard of, and that a crash will undo. So the machine is shown
//! to invariants and hooks ([`Node::shown`]) only while no output waits to
//! leave. Everything that the machine concluded has then left, or had nothing
//! to tell anyone. What is never shown, because the node crashes first, never
//! happened for anybody else.
//!
//! # Crashes
//!
//! A crash and the recovery after it are one stimulus: a node that is down
//! cannot be told from one that receives nothing.

use std::collections::BTreeSet;
use std::fmt;

use tribunal_protocol::NodeId;
use tribunal_protocol::machine::{
    Clock, Context, Gate, Input, Machine, Outcome, Output, Outputs, RequestId, Span,
};

use crate::bounds::{Granularity, Reductions};
use crate::shared::Shared;

/// A machine and what its host keeps for it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Node<M: Machine> {
    machine: M,
    durable: Shared<M::Durable>,
    /// Persists asked for and not yet durable, oldest first.
    outstanding: Vec<Vec<M::Record>>,
    /// Outputs that have not left, in order.
    held: Vec<Held<M>>,
    timers: BTreeSet<M::Timer>,
    clock: Clock,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Held<M: Machine> {
    /// How many of the outstanding persists, from the oldest, it waits for.
    behind: usize,
    departure: Departure<M>,
}

/// An output that leaves the node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Departure<M: Machine> {
    /// To a peer.
    Send {
        /// Which.
        to: NodeId,
        /// What is said.
        message: M::Message,
    },
    /// To a client.
    Answer {
        /// To which request.
        id: RequestId,
        /// What became of it.
        outcome: Outcome<M::Response>,
    },
}

/// What can happen to a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Stimulus<M: Machine> {
    /// The machine takes an input; of a timer, its expiry.
    Input(Input<M>),
    /// So many of the oldest outstanding persists become durable.
    Complete(usize),
    /// A crash that keeps so many of the outstanding persists, and a recovery.
    Crash(usize),
    /// The clock advances by one.
    Tick,
}

/// A timer that a machine set, with its span, or cancelled.
pub type TimerRequest<M> = (<M as Machine>::Timer, Option<Span>);

/// What a node made of a stimulus.
#[derive(Clone, Debug)]
pub struct Reaction<M: Machine> {
    /// The node afterwards.
    pub node: Node<M>,
    /// What was durable for a while, in order: more than one persist completed.
    pub passed: Vec<Shared<M::Durable>>,
    /// What left it, in order.
    pub left: Vec<Departure<M>>,
    /// What it asked of its timers, in order. Setting one that is set already
    /// shows in no state, but who keeps time must know.
    pub timers: Vec<TimerRequest<M>>,
}

/// What a node's reactions depend on beside the node.
#[derive(Debug)]
pub struct Host<'a, M: Machine> {
    /// The machine's configuration.
    pub config: &'a M::Config,
    /// When persists complete.
    pub granularity: Granularity,
    /// Whether a persist may complete with its step.
    pub reductions: Reductions,
}

impl<M: Machine> Clone for Host<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: Machine> Copy for Host<'_, M> {}

impl<M: Machine> Node<M> {
    /// A node at its first start.
    pub fn start(host: Host<'_, M>) -> Reaction<M> {
        Self::recovered(M::Durable::default().into(), Clock::default(), false, host)
    }

    /// The machine, while everything it asked for has left.
    pub fn shown(&self) -> Option<&M> {
        self.held.is_empty().then_some(&self.machine)
    }

    /// The machine, even where what it concluded has not left. For printing
    /// and for asking what it would do, never for judging.
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// What a recovery would see, if nothing outstanding survived.
    pub fn durable(&self) -> &M::Durable {
        &self.durable
    }

    /// The same node, with what is durable held by another handle.
    pub(crate) fn holding(
        self,
        hold: impl FnOnce(Shared<M::Durable>) -> Shared<M::Durable>,
    ) -> Self {
        Node {
            durable: hold(self.durable),
            ..self
        }
    }

    /// Drops what waits to leave for a peer.
    fn forget_held(&mut self, peer: NodeId) {
        let is_to =
            |held: &Held<M>| matches!(held.departure, Departure::Send { to, .. } if to == peer);
        self.held.retain(|held| !is_to(held));
    }

    /// How many persists are outstanding.
    pub fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    /// How many outputs wait to leave.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// The timers that are set.
    pub fn timers(&self) -> &BTreeSet<M::Timer> {
        &self.timers
    }

    /// The node's clock.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Reacts to something that happens.
    pub fn react(&self, stimulus: &Stimulus<M>, host: Host<'_, M>) -> Reaction<M> {
        match stimulus {
            Stimulus::Input(input) => {
                let mut running = Running::new(self.clone(), host);
                match input {
                    Input::Timer(timer) => {
                        running.node.timers.remove(timer);
                    }
                    // What it said in that session leaves in no later one.
                    Input::Link { peer, up: false } => running.node.forget_held(*peer),
                    _ => {}
                }
                running.step(input.clone());
                running.finish()
            }
            Stimulus::Complete(count) => {
                let mut running = Running::new(self.clone(), host);
                running.complete(*count);
                running.finish()
            }
            Stimulus::Crash(kept) => {
                let mut durable = self.durable.clone();
                let passed = written::<M>(&mut durable, &self.outstanding[..*kept]);
                let mut recovered = Self::recovered(durable, self.clock, *kept > 0, host);
                recovered.passed.splice(..0, passed);
                recovered
            }
            Stimulus::Tick => {
                let mut node = self.clone();
                node.clock.0 += 1;
                Reaction {
                    node,
                    passed: Vec::new(),
                    left: Vec::new(),
                    timers: Vec::new(),
                }
            }
        }
    }

    /// A node that finds `durable`; whether that is news to others.
    fn recovered(
        durable: Shared<M::Durable>,
        clock: Clock,
        wrote: bool,
        host: Host<'_, M>,
    ) -> Reaction<M> {
        let mut outputs = Outputs::new();
        let config = host.config;
        let machine = M::recover(Context { config, clock }, &durable, &mut outputs);
        let node = Node {
            machine,
            durable,
            outstanding: Vec::new(),
            held: Vec::new(),
            timers: BTreeSet::new(),
            clock,
        };
        let mut running = Running::new(node, host);
        running.wrote = wrote;
        running.take(outputs.take());
        running.finish()
    }
}

/// Makes persists durable, one after the other; gives what was durable in
/// between.
fn written<M: Machine>(
    durable: &mut Shared<M::Durable>,
    persists: &[Vec<M::Record>],
) -> Vec<Shared<M::Durable>> {
    let mut passed = Vec::new();
    for (place, records) in persists.iter().enumerate() {
        let mut next = (**durable).clone();
        for record in records {
            M::apply(&mut next, record);
        }
        let before = std::mem::replace(durable, next.into());
        if place > 0 {
            passed.push(before);
        }
    }
    passed
}

/// A node in the middle of a reaction.
struct Running<'a, M: Machine> {
    node: Node<M>,
    /// Whether a persist has completed.
    wrote: bool,
    passed: Vec<Shared<M::Durable>>,
    left: Vec<Departure<M>>,
    timers: Vec<TimerRequest<M>>,
    host: Host<'a, M>,
}

impl<'a, M: Machine> Running<'a, M> {
    fn new(node: Node<M>, host: Host<'a, M>) -> Self {
        Running {
            node,
            wrote: false,
            passed: Vec::new(),
            left: Vec::new(),
            timers: Vec::new(),
            host,
        }
    }

    fn finish(self) -> Reaction<M> {
        Reaction {
            node: self.node,
            passed: self.passed,
            left: self.left,
            timers: self.timers,
        }
    }

    fn step(&mut self, input: Input<M>) {
        let mut outputs = Outputs::new();
        let context = Context {
            config: self.host.config,
            clock: self.node.clock,
        };
        self.node.machine.step(context, input, &mut outputs);
        self.take(outputs.take());
    }

    /// Takes the outputs of one step.
    fn take(&mut self, outputs: Vec<Output<M>>) {
        let at_once = match self.host.granularity {
            Granularity::Atomic => true,
            Granularity::Staged => self.may_complete_at_once(&outputs),
        };
        for output in outputs {
            self.take_one(output);
        }
        match self.host.granularity {
            Granularity::Atomic => {
                while !self.node.outstanding.is_empty() {
                    self.complete(1);
                }
            }
            Granularity::Staged if at_once => self.complete(1),
            Granularity::Staged => {}
        }
    }

    fn take_one(&mut self, output: Output<M>) {
        match output {
            Output::Persist(records) => self.node.outstanding.push(records),
            Output::Send { to, message, gate } => {
                self.leave(gate, Departure::Send { to, message });
            }
            Output::Answer { id, outcome, gate } => {
                self.leave(gate, Departure::Answer { id, outcome });
            }
            Output::SetTimer { timer, span } => {
                self.timers.push((timer, Some(span)));
                self.node.timers.insert(timer);
            }
            Output::CancelTimer(timer) => {
                self.timers.push((timer, None));
                self.node.timers.remove(&timer);
            }
        }
    }

    fn leave(&mut self, gate: Gate, departure: Departure<M>) {
        let behind = match gate {
            Gate::Durable => self.node.outstanding.len(),
            Gate::Now => 0,
        };
        if behind == 0 && self.node.held.is_empty() {
            self.left.push(departure);
        } else {
            self.node.held.push(Held { behind, departure });
        }
    }

    /// The oldest `count` persists become durable: what waited for them
    /// leaves, then the machine is told.
    fn complete(&mut self, count: usize) {
        let done: Vec<_> = self.node.outstanding.drain(..count).collect();
        if std::mem::replace(&mut self.wrote, true) {
            self.passed.push(self.node.durable.clone());
        }
        let passed = written::<M>(&mut self.node.durable, &done);
        self.passed.extend(passed);
        for held in &mut self.node.held {
            held.behind = held.behind.saturating_sub(count);
        }
        let free = self.node.held.iter().take_while(|held| held.behind == 0);
        let free = free.count();
        let leaving = self.node.held.drain(..free);
        self.left.extend(leaving.map(|held| held.departure));
        self.step(Input::Persisted(count));
    }

    /// Conditions 1 to 4 of the module's header.
    fn may_complete_at_once(&self, outputs: &[Output<M>]) -> bool {
        let idle = self.node.outstanding.is_empty() && self.node.held.is_empty();
        if !self.host.reductions.at_once || !idle {
            return false;
        }
        let mut visible = outputs
            .iter()
            .filter(|output| !matches!(output, Output::SetTimer { .. } | Output::CancelTimer(_)));
        if !matches!(visible.next(), Some(Output::Persist(_))) {
            return false;
        }
        let gated = |output: &Output<M>| {
            matches!(output, Output::Persist(_))
                || matches!(
                    output,
                    Output::Send {
                        gate: Gate::Durable,
                        ..
                    }
                )
        };
        let sends = outputs
            .iter()
            .any(|output| matches!(output, Output::Send { .. }));
        sends && visible.all(gated) && self.only_forgets()
    }

    fn only_forgets(&self) -> bool {
        let mut told = self.node.machine.clone();
        let mut forgot = self.node.machine.clone();
        let mut outputs = Outputs::new();
        let context = Context {
            config: self.host.config,
            clock: self.node.clock,
        };
        told.step(context, Input::Persisted(1), &mut outputs);
        forgot.forget_outstanding(1);
        outputs.is_empty() && told == forgot
    }
}

impl<M: Machine> fmt::Debug for Node<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Node");
        shown.field("machine", &self.machine);
        shown.field("durable", &self.durable);
        if !self.outstanding.is_empty() {
            shown.field("outstanding", &self.outstanding);
        }
        for held in &self.held {
            shown.field("held", &held.departure);
        }
        shown.field("timers", &self.timers);
        if self.clock.0 > 0 {
            shown.field("clock", &self.clock.0);
        }
        shown.finish()
    }
}

#[cfg(test)]
mod tests {
    use tribunal_protocol::machine::{Channel, ClockUse, Span, View};

    use super::*;

    const ID: RequestId = RequestId(0);
    const PEER: NodeId = NodeId(2);

    /// Asks for whatever it is told to ask for, and remembers how many
    /// persists it was told of.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Script {
        told: usize,
        counts: bool,
    }

    /// What a request makes it ask for.
    type Asked = Vec<(u8, bool)>;
    const PERSIST: u8 = 0;
    const SEND: u8 = 1;
    const ANSWER: u8 = 2;
    const TIMER: u8 = 3;

    impl Machine for Script {
        const NAME: &'static str = "script";
        const FORMAT: u32 = 1;
        const CHANNEL: Channel = Channel::Unordered;
        const CLOCK: ClockUse = ClockUse::Untimed;
        type Config = bool;
        type Message = usize;
        type Timer = ();
        type Request = Asked;
        type Response = ();
        type Record = usize;
        type Durable = Vec<usize>;

        fn apply(durable: &mut Vec<usize>, record: &usize) {
            durable.push(*record);
        }

        fn recover(context: Context<'_, Self>, _: &Vec<usize>, _: &mut Outputs<Self>) -> Self {
            let counts = *context.config;
            Script { told: 0, counts }
        }

        fn step(&mut self, _: Context<'_, Self>, input: Input<Self>, out: &mut Outputs<Self>) {
            match input {
                Input::Request { request, .. } => {
                    for (place, (kind, now)) in request.into_iter().enumerate() {
                        let gate = if now { Gate::Now } else { Gate::Durable };
                        match kind {
                            PERSIST => out.persist(vec![place]),
                            SEND => out.send_gated(PEER, place, gate),
                            ANSWER => out.answer(ID, Outcome::Ok(()), gate),
                            _ => out.set_timer((), Span::Retry),
                        }
                    }
                }
                Input::Persisted(count) if self.counts => self.told += count,
                _ => {}
            }
        }

        fn view(&self, _: &bool) -> View {
            View::default()
        }
    }

    fn host(granularity: Granularity, counts: &bool) -> Host<'_, Script> {
        Host {
            config: counts,
            granularity,
            reductions: Reductions::ALL,
        }
    }

    /// Has a fresh node ask for something.
    fn asked(request: &[(u8, bool)], host: Host<'_, Script>) -> Reaction<Script> {
        let input = Input::Request {
            id: ID,
            request: request.to_vec(),
        };
        Node::start(host).node.react(&Stimulus::Input(input), host)
    }

    /// The places in their step of the messages that left.
    fn sent(reaction: &Reaction<Script>) -> Vec<usize> {
        let place = |departure: &Departure<Script>| match departure {
            Departure::Send { message, .. } => Some(*message),
            Departure::Answer { .. } => None,
        };
        reaction.left.iter().filter_map(place).collect()
    }

    #[test]
    fn nothing_overtakes_and_only_what_is_gated_waits() {
        let host = host(Granularity::Staged, &true);
        let steps = [
            (SEND, false),
            (PERSIST, false),
            (SEND, true),
            (SEND, false),
            (SEND, true),
        ];
        let first = asked(&steps, host);
        assert_eq!(sent(&first), [0, 2]);
        assert_eq!(first.node.shown(), None);
        let second = first.node.react(&Stimulus::Complete(1), host);
        assert_eq!(sent(&second), [3, 4]);
        assert_eq!(second.node.durable(), &[1]);
        assert_eq!(second.node.shown().map(|machine| machine.told), Some(1));
    }

    #[test]
    fn a_crash_keeps_a_prefix_of_the_persists_and_loses_what_waits() {
        let host = host(Granularity::Staged, &true);
        let steps = [
            (PERSIST, false),
            (PERSIST, false),
            (SEND, false),
            (TIMER, false),
        ];
        let node = asked(&steps, host).node;
        assert_eq!(
            (node.outstanding(), node.held(), node.timers().len()),
            (2, 1, 1)
        );
        for kept in 0..=2 {
            let crashed = node.react(&Stimulus::Crash(kept), host);
            assert_eq!(crashed.node.durable(), &[0, 1][..kept]);
            let passed: Vec<_> = crashed.passed.iter().map(|durable| durable.len()).collect();
            assert_eq!(passed, [[].as_slice(), &[], &[1]][kept]);
            assert!(crashed.left.is_empty() && crashed.node.timers().is_empty());
        }
    }

    #[test]
    fn a_persist_completes_at_once_only_where_that_hides_nothing() {
        let completes = |steps: &[(u8, bool)], counts: bool| {
            let node = asked(steps, host(Granularity::Staged, &counts)).node;
            node.outstanding() == 0
        };
        assert!(completes(&[(PERSIST, false), (SEND, false)], false));
        assert!(completes(
            &[(TIMER, false), (PERSIST, false), (SEND, false)],
            false
        ));
        assert!(!completes(&[(PERSIST, false)], false), "nothing is gated");
        assert!(!completes(
            &[(SEND, false), (PERSIST, false), (SEND, false)],
            false
        ));
        assert!(!completes(
            &[(PERSIST, false), (SEND, false), (SEND, true)],
            false
        ));
        assert!(
            !completes(&[(PERSIST, false), (ANSWER, false)], false),
            "an answer"
        );
        assert!(
            !completes(&[(PERSIST, false), (SEND, false)], true),
            "it is noticed"
        );
        let second_waits = [(PERSIST, false), (SEND, false), (PERSIST, false)];
        let node = asked(&second_waits, host(Granularity::Staged, &false)).node;
        assert_eq!(
            (node.durable().as_slice(), node.outstanding()),
            (&[0][..], 1)
        );
    }

    #[test]
    fn the_atomic_host_completes_everything() {
        let host = host(Granularity::Atomic, &true);
        let steps = [
            (PERSIST, false),
            (SEND, false),
            (PERSIST, false),
            (ANSWER, false),
        ];
        let reaction = asked(&steps, host);
        assert_eq!(reaction.node.durable(), &[0, 2]);
        assert_eq!(reaction.passed, [Shared::from(vec![0])]);
        assert_eq!((reaction.left.len(), reaction.node.outstanding()), (2, 0));
        assert_eq!(reaction.node.machine().told, 2);
    }
}
