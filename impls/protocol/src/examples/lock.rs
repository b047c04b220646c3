//! A lock that is leased by clock (Gray and Cheriton, "Leases", 1989).
//!
//! Node 1 grants the lock for a while; the others ask for it. The holder
//! trusts its own clock, the grantor waits longer by as much as clocks may
//! differ. So there are never two holders, as long as no two clocks differ by
//! more than [`DRIFT`].

use serde::{Deserialize, Serialize};

use crate::machine::{
    Channel, Clock, ClockUse, Context, Gate, Input, Machine, NodeId, Outcome, Outputs, RequestId,
    Span, View,
};

/// The node that grants the lock.
pub const GRANTOR: NodeId = NodeId(1);
/// How far clocks may differ.
pub const DRIFT: u64 = 1;
/// How long a lease lasts, by the grantor's clock.
pub const TERM: u64 = 1;

/// Who the node is.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its name; node 1 grants.
    pub id: NodeId,
    /// Wrong: a lease is granted before it is durable.
    pub hasty: bool,
}

/// What nodes say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Message {
    /// May I have the lock?
    Ask,
    /// You have it while your clock is below this.
    Granted(u64),
}

/// The latest lease: to whom, until when. One durable fact, and the only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Lease {
    /// Who holds it.
    pub holder: NodeId,
    /// Until its clock shows this.
    pub until: u64,
}

/// Beyond this time an asking node asks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskAgain;

/// The request to get the lock.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Acquire;

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Lock {
    /// Grants the lock.
    Grantor {
        /// The latest lease that it gave.
        lease: Option<Lease>,
    },
    /// Asks for it.
    Holder {
        /// Until when it has the lock, by its own clock.
        until: u64,
        /// Who wants to have it.
        asking: Vec<RequestId>,
    },
}

impl Lock {
    /// Whether the node has the lock when its clock shows this.
    pub fn holds(&self, clock: Clock) -> bool {
        matches!(self, Lock::Holder { until, .. } if clock.0 < *until)
    }

    fn on_ask(
        lease: &mut Option<Lease>,
        from: NodeId,
        context: Context<'_, Self>,
        outputs: &mut Outputs<Self>,
    ) {
        // The holder's clock may be behind by the drift.
        let is_over = |lease: Lease| context.clock.0 >= lease.until + DRIFT;
        if lease.is_some_and(|lease| !is_over(lease)) {
            return;
        }
        let until = context.clock.0 + TERM;
        *lease = Some(Lease {
            holder: from,
            until,
        });
        outputs.persist(lease.iter().copied().collect());
        let gate = if context.config.hasty {
            Gate::Now
        } else {
            Gate::Durable
        };
        outputs.send_gated(from, Message::Granted(until), gate);
    }
}

impl Machine for Lock {
    const NAME: &'static str = "lock";
    const FORMAT: u32 = 1;
    const CHANNEL: Channel = Channel::Unordered;
    const CLOCK: ClockUse = ClockUse::BoundedDrift { drift: DRIFT };
    type Config = Config;
    type Message = Message;
    type Timer = AskAgain;
    type Request = Acquire;
    type Response = u64;
    type Record = Lease;
    type Durable = Option<Lease>;

    fn apply(durable: &mut Option<Lease>, record: &Lease) {
        *durable = Some(*record);
    }

    fn recover(context: Context<'_, Self>, durable: &Option<Lease>, _: &mut Outputs<Self>) -> Self {
        match context.config.id {
            GRANTOR => Lock::Grantor { lease: *durable },
            _ => Lock::Holder {
                until: 0,
                asking: Vec::new(),
            },
        }
    }

    fn step(
        &mut self,
        context: Context<'_, Self>,
        input: Input<Self>,
        outputs: &mut Outputs<Self>,
    ) {
        match (self, input) {
            (
                Lock::Grantor { lease },
                Input::Message {
                    from,
                    message: Message::Ask,
                },
            ) => {
                Self::on_ask(lease, from, context, outputs);
            }
            (Lock::Grantor { .. }, Input::Request { id, .. }) => {
                outputs.answer(
                    id,
                    Outcome::Never("the grantor takes no lock".into()),
                    Gate::Durable,
                );
            }
            (Lock::Holder { asking, .. }, Input::Request { id, .. }) => {
                asking.push(id);
                outputs.send(GRANTOR, Message::Ask);
                outputs.set_timer(AskAgain, Span::Retry);
            }
            (Lock::Holder { asking, .. }, Input::Timer(AskAgain)) if !asking.is_empty() => {
                outputs.send(GRANTOR, Message::Ask);
                outputs.set_timer(AskAgain, Span::Retry);
            }
            (
                Lock::Holder { until, asking },
                Input::Message {
                    message: Message::Granted(granted),
                    ..
                },
            ) => {
                *until = granted.max(*until);
                outputs.cancel_timer(AskAgain);
                for id in std::mem::take(asking) {
                    outputs.answer(id, Outcome::Ok(granted), Gate::Durable);
                }
            }
            _ => {}
        }
    }

    fn view(&self, _: &Config) -> View {
        View {
            leads: matches!(self, Lock::Grantor { .. }),
            ..View::default()
        }
    }
}
