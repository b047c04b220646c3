//! What the systems that replicate the store have in common: clients that use
//! one key of it as a register, and what they must be told.
//!
//! All clients use one key, so that their operations meet. Each operation has
//! a client of its own; where commands may be sent again each has a session of
//! its own too, open from the start.

use tribunal_checker::specification::{Register, RegisterCall, RegisterReturn};
use tribunal_protocol::NodeId;
use tribunal_protocol::machine::{Machine, Outcome};
use tribunal_protocol::object::{Answer, Call, Operation, SessionId, Ticket};
use tribunal_protocol::zab;

use crate::bounds::{Bounds, Limit};
use crate::cluster::Cluster;
use crate::object::Object;
use crate::system::{Check, Goal, Judgement, ModelSystem, Planned, Property, Response};

/// The key that all clients use.
pub const KEY: u64 = 1;

/// Why nodes cannot compact by themselves after so many decisions, 0 for never,
/// and keep so many: they would never have done.
pub fn refuses_compaction(after: u8, keep: u8) -> Option<String> {
    (after > 0 && keep >= after)
        .then(|| format!("expected keep to be less than compact-after, found {keep} and {after}"))
}

/// How many sessions the operations use: one each, where they may be asked
/// for again.
pub fn sessions_used(bounds: &Bounds) -> u64 {
    match bounds.get(Limit::Retries) {
        0 => 0,
        _ => u64::from(bounds.get(Limit::Operations)),
    }
}

/// A write of 1, a cas from 1 to 2, a write of 3, a cas from 3 to 4, …, so
/// that each value tells which operations took effect before it; then the
/// reads.
pub fn plan(bounds: &Bounds) -> Vec<Planned<Operation>> {
    let changes = (1..=i64::from(bounds.get(Limit::Operations))).map(|value| {
        let operation = match value % 2 {
            1 => Operation::Write { key: KEY, value },
            _ => Operation::Cas {
                key: KEY,
                from: Some(value - 1),
                to: value,
            },
        };
        (operation, false)
    });
    planned(bounds, changes)
}

/// A write of 1, a write of 2, …; then the reads. Writes differ in nothing but
/// their values, which are compared with nothing but what reads return: so
/// each follows the one before, and the other orders are the same with the
/// values exchanged.
pub fn plan_of_writes(bounds: &Bounds) -> Vec<Planned<Operation>> {
    let values = 1..=i64::from(bounds.get(Limit::Operations));
    let writes = values.map(|value| (Operation::Write { key: KEY, value }, value > 1));
    planned(bounds, writes)
}

/// Operations, each with whether it follows the one before, and the reads, a
/// client for each.
fn planned(
    bounds: &Bounds,
    changes: impl Iterator<Item = (Operation, bool)>,
) -> Vec<Planned<Operation>> {
    let change = |(operation, follows)| (operation, false, follows);
    let read = |index| (Operation::Read { key: KEY }, true, index > 0);
    let reads = (0..bounds.get(Limit::Reads)).map(read);
    let plan = changes.map(change).chain(reads).enumerate();
    plan.map(|(client, (operation, read, follows))| Planned {
        client,
        operation,
        read,
        follows: follows.then(|| client - 1),
    })
    .collect()
}

/// What the planned operation `index` asks of the object, with its ticket.
pub fn call(bounds: &Bounds, index: usize, operation: &Operation) -> Call {
    let ticket = (sessions_used(bounds) > 0).then(|| Ticket {
        session: SessionId(index as u64 + 1),
        serial: 1,
    });
    Call::Execute {
        ticket,
        operation: operation.clone(),
    }
}

/// What an operation asks of the object, as if it were never sent again.
pub fn unticketed(operation: &Operation) -> Call {
    Call::Execute {
        ticket: None,
        operation: operation.clone(),
    }
}

/// A response that says what the object answered, perhaps among other things.
pub trait Answered {
    /// The answer.
    fn answer(&self) -> &Answer;
}

impl Answered for Answer {
    fn answer(&self) -> &Answer {
        self
    }
}

impl Answered for zab::Reply {
    fn answer(&self) -> &Answer {
        &self.answer
    }
}

/// What an answer means to a client: without its session it knows nothing.
pub fn outcome<R: Answered>(outcome: Outcome<R>) -> Outcome<R> {
    let is_gone = matches!(
        &outcome,
        Outcome::Ok(response)
            if matches!(response.answer(), Answer::NoSession | Answer::Superseded)
    );
    match is_gone {
        true => Outcome::Unknown("the session is gone".into()),
        false => outcome,
    }
}

/// The store's one key is a register.
#[derive(Clone, Copy, Debug)]
pub enum OneKey {}

impl<S> Object<S> for OneKey
where
    S: ModelSystem<Operation = Operation>,
    S::Machine: Machine<Response: Answered>,
{
    type Specification = Register<Option<i64>>;

    fn specification() -> Self::Specification {
        Register { initial: None }
    }

    fn call(_: &S, operation: &Operation) -> Option<RegisterCall<Option<i64>>> {
        Some(match *operation {
            Operation::Read { .. } => RegisterCall::Read,
            Operation::Write { value, .. } => RegisterCall::Write(Some(value)),
            Operation::Cas { from, to, .. } => RegisterCall::Cas { from, to: Some(to) },
        })
    }

    fn returned(response: &Response<S>) -> RegisterReturn<Option<i64>> {
        match *response.answer() {
            Answer::Value(value) => RegisterReturn::Value(value),
            Answer::Mismatch | Answer::Missing => RegisterReturn::Mismatch,
            _ => RegisterReturn::Done,
        }
    }
}

/// What clients may rely on, and that replicas agree.
pub fn properties<S: ModelSystem>() -> [Property<S>; 3] {
    [
        Property {
            name: "Replica Agreement",
            about: "nodes that have applied equally much hold the same object",
            check: Check::Pair(replica_agreement),
        },
        Property {
            name: "Fail Means Never",
            about: "an operation that failed never takes effect",
            check: Check::FailMeansNever,
        },
        Property {
            name: "Linearizability",
            about: "the clients' history fits a register",
            check: Check::Linearizable,
        },
    ]
}

fn replica_agreement<S: ModelSystem>(
    system: &S,
    cluster: &Cluster<S>,
    one: NodeId,
    other: NodeId,
) -> Judgement {
    let (Some(left), Some(right)) = (cluster.shown(one), cluster.shown(other)) else {
        return Ok(());
    };
    let left = left.view(&system.config(one));
    let right = right.view(&system.config(other));
    if left.applied == right.applied && left.digest != right.digest {
        return Err(format!(
            "{one} and {other} have applied everything up to {}, and their objects differ",
            left.applied
        ));
    }
    Ok(())
}

/// That operations and reads come to an end.
pub fn goals<S>() -> [Goal<S>; 2]
where
    S: ModelSystem,
    S::Machine: Machine<Response: Answered>,
{
    [
        Goal {
            name: "an operation commits",
            about: "a client is told that its command took effect",
            needs: &[(Limit::Elections, 1), (Limit::Operations, 1)],
            reached: |_, cluster| any_result(cluster, |answer| *answer == Answer::Done),
        },
        Goal {
            name: "a read is answered",
            about: "a client is told what the key holds",
            needs: &[(Limit::Elections, 1), (Limit::Reads, 1)],
            reached: |_, cluster| any_result(cluster, |answer| matches!(answer, Answer::Value(_))),
        },
    ]
}

fn any_result<S>(cluster: &Cluster<S>, fits: impl Fn(&Answer) -> bool) -> bool
where
    S: ModelSystem,
    S::Machine: Machine<Response: Answered>,
{
    (0..cluster.operations().len()).any(|index| {
        cluster
            .result(index)
            .is_some_and(|response| fits(response.answer()))
    })
}
