//! One node's trace against its machine.
//!
//! ```text
//!   start    what was found is a prefix of the persists handed over, and holds
//!            all that were durable; the incarnation is higher than the last
//!   step     a timer that fires was set; outputs and state hash as recorded
//!   leaves   the next output in the machine's order, and every persist before
//!            a gated one is durable
//!   handed   the oldest persists that were asked for
//!   durable  the frame in flight
//! ```
//!
//! Written apart from the runtime's own gate on purpose: a mistake that both
//! shared would be invisible.

use std::collections::VecDeque;

use tribunal_protocol::{Clock, Context, Gate, Input, Machine, NodeId, Output, Outputs, RequestId};

use super::line::{Fingerprint, Line, Role, Start, Step, Taken, VERSION, departure, hash_of, sent};

/// Follows one node through its trace.
pub struct Replay<'a, M: Machine> {
    config: &'a dyn Fn(&Role) -> Result<M::Config, String>,
    running: Option<Running<M>>,
    incarnation: u64,
    disk: Disk<M>,
    /// Messages in the order in which they left: to whom, and which.
    pub(super) sent: Vec<(NodeId, Fingerprint)>,
    /// Messages in the order in which they were delivered: of whom, which, and
    /// in which line.
    pub(super) delivered: Vec<(NodeId, Fingerprint, usize)>,
    pub(super) tally: Tally,
}

/// How much of a node was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Starts of the node.
    pub starts: usize,
    /// Steps of the machine.
    pub steps: usize,
    /// Of them, how many were compared by the machine's whole state.
    pub states: usize,
    /// Outputs that left.
    pub outputs: usize,
    /// Persists that became durable.
    pub persists: usize,
}

/// What a disk must hold and what it may.
struct Disk<M: Machine> {
    /// The fold of everything that is durable.
    durable: M::Durable,
    /// What was handed over since, oldest first.
    handed: VecDeque<Vec<M::Record>>,
}

/// One incarnation of a node.
struct Running<M: Machine> {
    role: Role,
    config: M::Config,
    machine: M,
    timers: Vec<M::Timer>,
    /// Outputs that have not left: what each is, and how many of the persists
    /// asked for must be durable first.
    held: VecDeque<(Fingerprint, Option<NodeId>, u64)>,
    /// Persists that were not handed over.
    pending: VecDeque<Vec<M::Record>>,
    asked: u64,
    durable: u64,
    /// Persists that are durable and of which the machine was not told.
    untold: usize,
    clock: Clock,
}

/// What is wrong, in a sentence.
type Wrong = String;

impl<'a, M: Machine> Replay<'a, M> {
    /// A node of which nothing has happened yet. `config` makes its
    /// configuration from its role.
    pub fn new(config: &'a dyn Fn(&Role) -> Result<M::Config, String>) -> Self {
        Replay {
            config,
            running: None,
            incarnation: 0,
            disk: Disk {
                durable: M::Durable::default(),
                handed: VecDeque::new(),
            },
            sent: Vec::new(),
            delivered: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Follows the node through the line of that number.
    pub fn line(&mut self, number: usize, line: &Line) -> Result<(), Wrong> {
        if let Line::Start(start) = line {
            return self.start(start);
        }
        let Some(running) = &mut self.running else {
            return Err("it does something without having started".to_owned());
        };
        match line {
            Line::Start(_) => {}
            Line::Step(step) => {
                let delivered = running.step(step)?;
                let delivered = delivered.map(|(from, message)| (from, message, number));
                self.delivered.extend(delivered);
                self.tally.steps += 1;
                self.tally.states += usize::from(step.state.is_some());
            }
            Line::Leaves(outputs) => {
                for output in outputs {
                    let to = running.leaves(*output)?;
                    self.sent.extend(to.map(|to| (to, *output)));
                }
                self.tally.outputs += outputs.len();
            }
            Line::Handed(count) => {
                let frame = running.handed(*count)?;
                self.disk.handed.extend(frame);
            }
            Line::Durable(count) => {
                self.disk.sync(*count)?;
                running.durable += *count as u64;
                running.untold += count;
                self.tally.persists += count;
            }
            Line::Stop {} | Line::Crash(_) => self.running = None,
        }
        Ok(())
    }

    fn start(&mut self, start: &Start) -> Result<(), Wrong> {
        if (start.version, start.machine.as_str()) != (VERSION, M::NAME) {
            return Err(format!(
                "a trace of {} in version {}, not of {} in version {VERSION}",
                start.machine,
                start.version,
                M::NAME
            ));
        }
        if start.incarnation <= self.incarnation {
            return Err(format!(
                "incarnation {} starts, after incarnation {} has",
                start.incarnation, self.incarnation
            ));
        }
        self.incarnation = start.incarnation;
        self.disk.recover(start.found)?;
        let config = (self.config)(&start.role)?;
        let clock = Clock(start.clock);
        let context = Context {
            config: &config,
            clock,
        };
        let mut outputs = Outputs::new();
        let machine = M::recover(context, &self.disk.durable, &mut outputs);
        compare("outputs", hash_of(outputs.as_slice()), start.outputs)?;
        compare("state", hash_of(&machine), start.state)?;
        let mut running = Running {
            role: start.role.clone(),
            config,
            machine,
            timers: Vec::new(),
            held: VecDeque::new(),
            pending: VecDeque::new(),
            asked: 0,
            durable: 0,
            untold: 0,
            clock,
        };
        running.collect(outputs);
        self.running = Some(running);
        self.tally.starts += 1;
        self.tally.states += 1;
        Ok(())
    }
}

impl<M: Machine> Disk<M> {
    /// What is found must be what was durable, with a prefix of what was
    /// handed over since.
    fn recover(&mut self, found: Fingerprint) -> Result<(), Wrong> {
        let count = self.handed.len();
        loop {
            if hash_of(&self.durable) == found {
                self.handed.clear();
                return Ok(());
            }
            let Some(persist) = self.handed.pop_front() else {
                return Err(format!(
                    "what it found ({found}) is neither what was durable nor that with the first \
                     of {count} persists that had been handed to the disk"
                ));
            };
            apply::<M>(&mut self.durable, &persist);
        }
    }

    fn sync(&mut self, count: usize) -> Result<(), Wrong> {
        if count > self.handed.len() {
            return Err("more persists are durable than were handed to the disk".to_owned());
        }
        for persist in self.handed.drain(..count) {
            apply::<M>(&mut self.durable, &persist);
        }
        Ok(())
    }
}

fn apply<M: Machine>(durable: &mut M::Durable, persist: &[M::Record]) {
    for record in persist {
        M::apply(durable, record);
    }
}

impl<M: Machine> Running<M> {
    /// Takes one step; gives the message that was delivered, if it was one.
    fn step(&mut self, step: &Step) -> Result<Option<(NodeId, Fingerprint)>, Wrong> {
        if step.clock < self.clock.0 {
            return Err("its clock goes back".to_owned());
        }
        self.clock = Clock(step.clock);
        let input = self.input(&step.input)?;
        let delivered = match &input {
            Input::Message { from, message } => Some((*from, sent::<M>(self.role.node, message))),
            _ => None,
        };
        let context = Context {
            config: &self.config,
            clock: self.clock,
        };
        let shown = input.clone();
        let mut outputs = Outputs::new();
        self.machine.step(context, input, &mut outputs);
        let after = |wrong: Wrong| format!("{wrong} after {shown:?}");
        compare("outputs", hash_of(outputs.as_slice()), step.outputs).map_err(after)?;
        if let Some(state) = step.state {
            compare("state", hash_of(&self.machine), state).map_err(after)?;
        }
        self.collect(outputs);
        Ok(delivered)
    }

    /// The input that a line speaks of, if it can have happened.
    fn input(&mut self, taken: &Taken) -> Result<Input<M>, Wrong> {
        let unknown = |error| format!("an input that cannot be read: {error}");
        Ok(match taken {
            Taken::Message { from, message } => Input::Message {
                from: *from,
                message: message.read().map_err(unknown)?,
            },
            Taken::Link { peer, up } => Input::Link {
                peer: *peer,
                up: *up,
            },
            Taken::Timer { timer, name } => {
                let set = self.timers.iter().position(|set| hash_of(set) == *timer);
                let set = set.ok_or_else(|| format!("timer {name} expires and is not set"))?;
                Input::Timer(self.timers.swap_remove(set))
            }
            Taken::Request { id, request } => Input::Request {
                id: RequestId(*id),
                request: request.read().map_err(unknown)?,
            },
            Taken::Persisted(count) => {
                let left = self.untold.checked_sub(*count);
                self.untold = left.ok_or("it is told of persists that are not durable")?;
                Input::Persisted(*count)
            }
        })
    }

    fn collect(&mut self, mut outputs: Outputs<M>) {
        for output in outputs.take() {
            let which = departure(&output);
            match output {
                Output::Persist(records) => {
                    self.pending.push_back(records);
                    self.asked += 1;
                }
                Output::SetTimer { timer, .. } => {
                    self.timers.retain(|set| *set != timer);
                    self.timers.push(timer);
                }
                Output::CancelTimer(timer) => self.timers.retain(|set| *set != timer),
                Output::Send { gate, .. } | Output::Answer { gate, .. } => {
                    let to = match output {
                        Output::Send { to, .. } => Some(to),
                        _ => None,
                    };
                    let behind = match gate {
                        Gate::Durable => self.asked,
                        Gate::Now => 0,
                    };
                    self.held.extend(which.map(|which| (which, to, behind)));
                }
            }
        }
    }

    /// An output leaves; gives the node to which, if it is a message.
    fn leaves(&mut self, output: Fingerprint) -> Result<Option<NodeId>, Wrong> {
        let Some((expected, to, behind)) = self.held.pop_front() else {
            return Err(format!("output {output} leaves, and none was asked for"));
        };
        if output != expected {
            let place = self.held.iter().position(|(which, ..)| *which == output);
            return Err(match place {
                Some(_) => {
                    format!("output {output} overtakes {expected}, which was asked for before")
                }
                None => format!("output {output} leaves, where {expected} is the next"),
            });
        }
        if behind > self.durable {
            return Err(format!(
                "output {output} leaves behind {behind} persists of which {} are durable",
                self.durable
            ));
        }
        Ok(to)
    }

    fn handed(&mut self, count: usize) -> Result<Vec<Vec<M::Record>>, Wrong> {
        if count > self.pending.len() {
            return Err("more persists go to the disk than were asked for".to_owned());
        }
        Ok(self.pending.drain(..count).collect())
    }
}

fn compare(what: &str, replayed: Fingerprint, recorded: Fingerprint) -> Result<(), Wrong> {
    match replayed == recorded {
        true => Ok(()),
        false => Err(format!(
            "its {what}: {recorded} recorded, {replayed} by the machine"
        )),
    }
}
