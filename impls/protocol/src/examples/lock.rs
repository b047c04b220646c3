//! A lock that is leased by clock (Gray and Cheriton, "Leases", 1989).
//!
//! Node 1 grants, the others ask. A holder trusts its own clock; the grantor
//! waits longer by as much as clocks may differ. So there are never two
//! holders, as long as no two clocks differ by more than [`DRIFT`].

use serde::{Deserialize, Serialize};

use crate::machine::*;

/// The node that grants the lock.
pub const GRANTOR: NodeId = NodeId(1);
/// How far clocks may differ.
pub const DRIFT: u64 = 1;
/// How long a lease lasts, by the grantor's clock.
pub const TERM: u64 = 1;
type Out = Outputs<Lock>;

/// Who the node is, and when a lease may be granted: once it is durable, or a
/// restart forgets it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "said above")]
pub struct Config {
    pub id: NodeId,
    pub grant: Gate,
}

/// What nodes say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Message {
    /// May I have the lock?
    Ask,
    /// You have it while your clock is below this.
    Granted(u64),
}

/// When the latest lease is over: the only durable fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Until(pub u64);

/// Patience with the grantor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskAgain;

/// The request to get the lock; answered by when it is over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Acquire;

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Lock {
    /// Grants the lock; the latest lease, if it gave any.
    Grantor(Option<Until>),
    /// Has the lock until its clock shows this, and who wants to have it.
    Holder(u64, Vec<RequestId>),
}

impl Lock {
    /// Whether the node has the lock when its clock shows this.
    pub fn holds(&self, clock: Clock) -> bool {
        matches!(self, Lock::Holder(until, _) if clock.0 < *until)
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
    type Record = Until;
    type Durable = Option<Until>;

    fn apply(durable: &mut Option<Until>, record: &Until) {
        *durable = Some(*record);
    }

    fn recover(context: Context<'_, Self>, durable: &Option<Until>, _: &mut Out) -> Self {
        match context.config.id {
            GRANTOR => Lock::Grantor(*durable),
            _ => Lock::Holder(0, Vec::new()),
        }
    }

    fn step(&mut self, context: Context<'_, Self>, input: Input<Self>, out: &mut Out) {
        let clock = context.clock.0;
        match (self, input) {
            // The holder's clock may be behind by the drift.
            (Lock::Grantor(lease), Input::Message { from, .. })
                if lease.is_none_or(|Until(until)| clock >= until + DRIFT) =>
            {
                *lease = Some(Until(clock + TERM));
                out.persist(vec![Until(clock + TERM)]);
                out.send_gated(from, Message::Granted(clock + TERM), context.config.grant);
            }
            (Lock::Grantor(_), Input::Request { id, .. }) => {
                out.answer(
                    id,
                    Outcome::Never("the grantor asks nobody".into()),
                    Gate::Now,
                );
            }
            (Lock::Holder(_, asking), Input::Request { id, .. }) => {
                asking.push(id);
                out.send(GRANTOR, Message::Ask);
                out.set_timer(AskAgain, Span::Retry);
            }
            (Lock::Holder(..), Input::Timer(AskAgain)) => {
                out.send(GRANTOR, Message::Ask);
                out.set_timer(AskAgain, Span::Retry);
            }
            (
                Lock::Holder(has, asking),
                Input::Message {
                    message: Message::Granted(until),
                    ..
                },
            ) => {
                *has = until.max(*has);
                out.cancel_timer(AskAgain);
                asking
                    .drain(..)
                    .for_each(|id| out.answer(id, Outcome::Ok(until), Gate::Now));
            }
            _ => {}
        }
    }

    fn view(&self, _: &Config) -> View {
        View {
            leads: matches!(self, Lock::Grantor(_)),
            ..View::default()
        }
    }
}
