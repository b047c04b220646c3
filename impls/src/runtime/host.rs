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

mod leaving;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::pin::pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tribunal_protocol::{
    Clock, ClockUse, Context, Input, NodeId, Output, Outputs, RequestId, View,
};

use self::leaving::{Departure, Doom};
use super::NodeError;
use super::crash::{CrashAfter, CrashPoint};
use super::event::Event;
use super::gate::{Gatekeeper, Mark};
use super::mutant::Mutant;
use super::peers::Peers;
use super::port::Origin;
use super::timers::Timers;
use super::writer::Writer;
use crate::Compaction;
use crate::service::{Body, Service};
use crate::trace::Recorder;
use crate::trace::line::Role;

/// How many inputs are stepped before their outputs leave.
const INPUTS_MAX: usize = 256;

/// How many persists one frame carries.
const FRAME_PERSISTS_MAX: usize = 4096;

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
    /// Whether the frame in flight is of the kind that counts for that.
    writes_kind: bool,
    /// It is there; what must reach the kernel first.
    doomed: Option<Doom>,
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
    /// When it compacts its log by itself, for the trace.
    pub(super) compaction: Compaction,
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
            compaction: parts.compaction,
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
            writes_kind: false,
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
            let apart = self.crash.as_ref().is_some_and(CrashPoint::is_persist);
            let persists_max = if apart { 1 } else { FRAME_PERSISTS_MAX };
            if let Some(frame) = self.gate.take_frame(persists_max) {
                self.writes_kind = self.is_of_kind(&frame);
                if self.writes_kind && self.passes(CrashAfter::PersistAsked, false, None) {
                    continue;
                }
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
                    if self.writes_kind && self.passes(CrashAfter::Persist, false, None) {
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
                // A frame in flight is one that nobody looked at.
                self.writes_kind = point.as_ref().is_some_and(|point| !point.is_picky());
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
