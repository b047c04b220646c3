//! The task that owns the machine and steps it.
//!
//! ```text
//!   wait for inputs, an expiry, or the disk
//!     ─> step the machine with each; its outputs go to the gate
//!     ─> what waits for no persist leaves
//!     ─> if no frame is in flight, all pending persists become one
//!   the frame is durable
//!     ─> the machine is told; what waited for it leaves, in order
//! ```
//!
//! Nothing here waits for a peer, a client or the disk: their queues take
//! what leaves, or drop it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tribunal_protocol::{
    Clock, ClockUse, Context, Input, NodeId, Outcome, Output, Outputs, RequestId, View,
};

use super::NodeError;
use super::crash::{CrashAfter, CrashPoint};
use super::event::Event;
use super::framing;
use super::gate::{Gatekeeper, Left, Mark};
use super::mutant::Mutant;
use super::outbox::Outbox;
use super::peers::Peers;
use super::port::{self, Origin};
use super::process;
use super::timers::Timers;
use super::writer::Writer;
use crate::service::{Body, Code, Refusal, Service};
use crate::trace::Recorder;
use crate::trace::line::{Fingerprint, Role, answered, sent};

/// How many inputs are stepped before their outputs leave.
const INPUTS_MAX: usize = 256;

/// How many persists one frame carries.
const FRAME_PERSISTS_MAX: usize = 4096;

/// How long a node that is about to end waits for its last output to reach
/// the kernel.
const LAST_OUTPUT_LIMIT: Duration = Duration::from_millis(100);

/// A reading of the node's clock for machines that use one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockOptions {
    /// How long one of the protocol's time units is.
    pub unit: Duration,
    /// By how many milliseconds this node's clock is off.
    pub offset_ms: i64,
}

impl Default for ClockOptions {
    fn default() -> Self {
        ClockOptions {
            unit: Duration::from_millis(1),
            offset_ms: 0,
        }
    }
}

/// What leaves the machine through the gate.
enum Departure<M: Service> {
    Send {
        to: NodeId,
        message: M::Message,
        /// The session that was up when the machine asked.
        session: Option<u64>,
    },
    Answer {
        id: RequestId,
        outcome: Outcome<M::Response>,
    },
}

impl<M: Service> Departure<M> {
    fn fingerprint(&self) -> Fingerprint {
        match self {
            Departure::Send { to, message, .. } => sent::<M>(*to, message),
            Departure::Answer { id, outcome } => answered::<M>(id.0, outcome),
        }
    }
}

/// Somebody who asked how the node is, and what is to be said once all that
/// the machine had asked for until then has left.
struct Inquiry {
    after: Mark,
    origin: Origin,
    view: View,
}

pub(super) struct Host<M: Service> {
    node: NodeId,
    config: M::Config,
    incarnation: u64,
    machine: M,
    outputs: Outputs<M>,
    gate: Gatekeeper<M::Record, Departure<M>>,
    timers: Timers<M::Timer>,
    clock: ClockOptions,
    clock_latest: Clock,
    writer: Writer<M>,
    peers: Peers,
    /// The sessions that the machine knows of.
    sessions: BTreeMap<NodeId, u64>,
    /// Messages to itself.
    to_self: VecDeque<M::Message>,
    waiting: HashMap<RequestId, Origin>,
    request_next: u64,
    inquiries: VecDeque<Inquiry>,
    recorder: Recorder,
    mutant: Option<Mutant>,
    /// Where the node is to end.
    crash: Option<CrashPoint>,
    /// It is there; what must reach the kernel first.
    doomed: Option<Doom>,
}

/// The end of a node that has come to its place.
struct Doom {
    place: CrashPoint,
    last: Option<Arc<Outbox>>,
}

/// What a host is made of.
pub(super) struct Parts<M: Service> {
    pub(super) node: NodeId,
    pub(super) config: M::Config,
    pub(super) incarnation: u64,
    pub(super) durable: M::Durable,
    pub(super) timers: Timers<M::Timer>,
    pub(super) clock: ClockOptions,
    pub(super) writer: Writer<M>,
    pub(super) peers: Peers,
    pub(super) recorder: Recorder,
    /// Which wrong version of the protocol it plays, for the trace.
    pub(super) bug: Option<String>,
    pub(super) mutant: Option<Mutant>,
}

impl<M: Service> Host<M> {
    /// Recovers the machine from what survived.
    pub(super) fn new(parts: Parts<M>) -> Self {
        let clock_latest = read_clock::<M>(parts.clock);
        let context = Context {
            config: &parts.config,
            clock: clock_latest,
        };
        let mut outputs = Outputs::new();
        let machine = M::recover(context, &parts.durable, &mut outputs);
        let role = || Role {
            node: parts.node,
            peers: parts.peers.numbers().collect(),
            bug: parts.bug.clone(),
        };
        let made = (&machine, outputs.as_slice());
        let (incarnation, durable) = (parts.incarnation, &parts.durable);
        parts
            .recorder
            .start(role, incarnation, durable, clock_latest, made);
        let mut host = Host {
            node: parts.node,
            config: parts.config,
            incarnation: parts.incarnation,
            machine,
            outputs,
            gate: Gatekeeper::new(parts.mutant),
            timers: parts.timers,
            clock: parts.clock,
            clock_latest,
            writer: parts.writer,
            peers: parts.peers,
            sessions: BTreeMap::new(),
            to_self: VecDeque::new(),
            waiting: HashMap::new(),
            request_next: 0,
            inquiries: VecDeque::new(),
            recorder: parts.recorder,
            mutant: parts.mutant,
            crash: None,
            doomed: None,
        };
        host.collect();
        host
    }

    /// Runs the machine until `stop`, or until the disk fails.
    pub(super) async fn run(
        mut self,
        mut events: mpsc::Receiver<Event<M>>,
        stop: impl Future<Output = ()>,
    ) -> Result<(), NodeError> {
        let mut stop = pin!(stop);
        let mut batch = Vec::with_capacity(INPUTS_MAX);
        let mut alarm = pin!(sleep_until(Instant::now()));
        loop {
            if self.doomed.is_none() {
                self.depart()?;
            }
            if let Some(doom) = self.doomed.take() {
                self.end(doom).await;
            }
            let apart = self.crash.is_some_and(|place| place.is_persist());
            let persists_max = if apart { 1 } else { FRAME_PERSISTS_MAX };
            if let Some(frame) = self.gate.take_frame(persists_max) {
                self.writer.write(frame);
            }
            let deadline = self.timers.next();
            if let Some(deadline) = deadline
                && deadline != alarm.deadline()
            {
                alarm.as_mut().reset(deadline);
            }
            tokio::select! {
                biased;
                () = &mut stop => break,
                done = self.writer.done() => {
                    done?;
                    let count = self.gate.frame_durable();
                    if self.passes(CrashAfter::Persist, false, None) {
                        continue;
                    }
                    self.step(Input::Persisted(count));
                }
                _ = events.recv_many(&mut batch, INPUTS_MAX) => {}
                () = &mut alarm, if deadline.is_some() => {}
            }
            for event in batch.drain(..) {
                self.on_event(event);
            }
            while let Some(timer) = self.timers.pop(Instant::now()) {
                self.step(Input::Timer(timer));
            }
        }
        self.writer.stop();
        Ok(self.recorder.stop()?)
    }

    fn on_event(&mut self, event: Event<M>) {
        match event {
            Event::Message { from, message } => self.step(Input::Message { from, message }),
            Event::Link { peer, session } => {
                match session {
                    Some(session) => self.sessions.insert(peer, session),
                    None => self.sessions.remove(&peer),
                };
                let up = session.is_some();
                self.step(Input::Link { peer, up });
            }
            Event::Request { origin, request } => {
                let id = RequestId(self.request_next);
                self.request_next += 1;
                self.waiting.insert(id, origin);
                self.step(Input::Request { id, request });
            }
            Event::Status { origin } => self.inquiries.push_back(Inquiry {
                after: self.gate.mark(),
                origin,
                view: self.machine.view(&self.config),
            }),
            Event::CrashAt { origin, point } => {
                self.crash = point;
                origin.reply(Ok(Body::new()));
            }
        }
    }

    fn step(&mut self, input: Input<M>) {
        // A clock may be set back; the machine's never goes back.
        self.clock_latest = self.clock_latest.max(read_clock::<M>(self.clock));
        let context = Context {
            config: &self.config,
            clock: self.clock_latest,
        };
        let taken = self.recorder.taken(&input);
        self.machine.step(context, input, &mut self.outputs);
        let outputs = self.outputs.as_slice();
        self.recorder
            .step(taken, self.clock_latest, &self.machine, outputs);
        self.collect();
    }

    /// Takes what the machine asked for: timers at once, the rest to the gate.
    fn collect(&mut self) {
        for output in self.outputs.take() {
            match output {
                Output::Persist(records) => self.gate.persist(records),
                Output::Send { to, message, gate } => {
                    let session = self.sessions.get(&to).copied();
                    let send = Departure::Send {
                        to,
                        message,
                        session,
                    };
                    self.gate.push(send, gate);
                }
                Output::Answer { id, outcome, gate } => {
                    self.gate.push(Departure::Answer { id, outcome }, gate);
                }
                Output::SetTimer { timer, span } => self.timers.set(timer, span, Instant::now()),
                Output::CancelTimer(timer) => self.timers.cancel(timer),
            }
        }
    }

    /// Lets out whatever may leave.
    fn depart(&mut self) -> Result<(), NodeError> {
        loop {
            let leaving = self.leaving()?;
            let nothing = leaving.is_empty();
            for Left { output, early } in leaving {
                self.dispatch(output, early);
            }
            if self.doomed.is_some() {
                return Ok(());
            }
            match self.to_self.pop_front() {
                Some(message) => {
                    let from = self.node;
                    self.step(Input::Message { from, message });
                }
                None if nothing => break,
                None => {}
            }
        }
        while let Some(inquiry) = self
            .inquiries
            .pop_front_if(|i| self.gate.has_passed(i.after))
        {
            inquiry
                .origin
                .reply(Ok(port::status(&inquiry.view, self.incarnation)));
        }
        Ok(())
    }

    fn dispatch(&mut self, departure: Departure<M>, early: bool) {
        let (kind, last) = match departure {
            Departure::Send { to, message, .. } if to == self.node => {
                self.to_self.push_back(message);
                return;
            }
            Departure::Send {
                to,
                message,
                session,
            } => {
                self.send(to, &message, session);
                (CrashAfter::Send, self.peers.outbox(to))
            }
            Departure::Answer { id, outcome } => {
                let promises = matches!(outcome, Outcome::Ok(_));
                let last = self.answer(id, outcome);
                if !promises {
                    return;
                }
                (CrashAfter::Answer, last)
            }
        };
        self.passes(kind, early, last);
    }

    /// An output has left; whether the node is to end here.
    fn passes(&mut self, output: CrashAfter, early: bool, last: Option<Arc<Outbox>>) -> bool {
        let Some(place) = &mut self.crash else {
            return false;
        };
        if !place.passes(output, early) {
            return false;
        }
        let place = *place;
        self.doomed = Some(Doom { place, last });
        true
    }

    /// Ends the process as a crash does, as soon as what has left is with the
    /// kernel; a peer that takes nothing is not waited for.
    async fn end(&self, doom: Doom) -> ! {
        self.writer.halt();
        if let Some(last) = doom.last {
            let _ = timeout(LAST_OUTPUT_LIMIT, last.drained()).await;
        }
        let mark = format!(
            "{} crashes after {}, as it was asked",
            self.node, doom.place
        );
        // What it could not write is missing from its end, as in any crash.
        let _ = self.recorder.crash(&mark);
        process::crash(&mark)
    }

    /// What leaves now, in order; its trace is with the kernel. One by one for
    /// a node that is to end between two.
    fn leaving(&mut self) -> Result<Vec<Left<Departure<M>>>, NodeError> {
        let count_max = if self.crash.is_some() { 1 } else { usize::MAX };
        let leaving = std::iter::from_fn(|| self.gate.pop()).take(count_max);
        let mut leaving: Vec<_> = leaving.collect();
        if leaving.is_empty() {
            return Ok(leaving);
        }
        if self.mutant == Some(Mutant::OutputsReordered) {
            leaving.reverse();
        }
        let outputs = leaving.iter().map(|left| left.output.fingerprint());
        self.recorder.leaves(outputs);
        self.recorder.flush()?;
        Ok(leaving)
    }

    fn send(&self, to: NodeId, message: &M::Message, session: Option<u64>) {
        match framing::encode(message) {
            Ok(frame) => self.peers.send(to, session, frame),
            Err(error) => tracing::error!(%to, %error, "a message could not be sent"),
        }
    }

    /// Gives where the answer waits for its connection.
    fn answer(&mut self, id: RequestId, outcome: Outcome<M::Response>) -> Option<Arc<Outbox>> {
        let Some(origin) = self.waiting.remove(&id) else {
            tracing::error!(
                ?id,
                "the machine answers a request twice, or one that nobody made"
            );
            return None;
        };
        let outbox = origin.outbox();
        let result = in_words::<M>(origin.kind(), outcome);
        origin.reply(result);
        Some(outbox)
    }
}

fn in_words<M: Service>(kind: &str, outcome: Outcome<M::Response>) -> Result<Body, Refusal> {
    match outcome {
        Outcome::Ok(response) => M::reply(kind, response),
        Outcome::Never(why) => Err(Refusal::new(Code::TEMPORARILY_UNAVAILABLE, why)),
        Outcome::Unknown(why) => Err(Refusal::new(Code::CRASH, why)),
        Outcome::Redirect(leader) => Err(Refusal::redirect(leader)),
    }
}

/// The node's own clock, in the protocol's units since 1970; zero for a
/// machine that uses none.
fn read_clock<M: Service>(options: ClockOptions) -> Clock {
    if M::CLOCK == ClockUse::Untimed {
        return Clock(0);
    }
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let milliseconds = since.as_millis() as i64 + options.offset_ms;
    let unit = options.unit.as_millis().max(1) as i64;
    Clock((milliseconds.max(0) / unit) as u64)
}
