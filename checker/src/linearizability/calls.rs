//! Calls of one object that were made rather than recorded.

use std::sync::Arc;

use super::judge::Judge;
use super::object::Object;
use super::rounds::Meter;
use super::search::Progress;
use super::{Limits, unknown_reason};
use crate::specification::{Specification, TimedCallOf};
use crate::verdict::Limit;

/// What was concluded of calls; they are named by their places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// There is this one: every call that completed, and of the others those
    /// that had to take effect. It was carried out again, call by call.
    Found(Vec<usize>),
    /// There is none. A call that no order accounts for, where one alone is to
    /// blame.
    None(Option<usize>),
    /// That is not known.
    Unknown(Limit),
}

/// Looks for an order of calls of one object that `specification` allows and in
/// which none stands before another that had completed when it was invoked.
///
/// Their places in time may come from one clock or count events; two ends in one
/// place overlap.
pub fn check_calls<S: Specification>(
    specification: &S,
    calls: &[TimedCallOf<S>],
    limits: &Limits,
) -> Order {
    let meter = Meter::new(limits);
    let (object, numbered) = Object::of_calls(specification.clone(), calls);
    let mut judge = Judge::new(&Arc::new(object), numbered, None);
    let mut share = meter.share();
    let progress = judge.decide(u64::MAX, |bytes| share.goes_on(bytes));
    let place = |call: u32| call as usize;
    let order = match progress {
        Progress::Refuted => return Order::None(judge.blamed().map(place)),
        Progress::Explained => judge.order(),
        Progress::Paused => None,
    };
    match order {
        Some(order) => Order::Found(order.into_iter().map(place).collect()),
        None => Order::Unknown(Limit {
            reason: unknown_reason(&meter, progress == Progress::Explained, None),
            resource: meter.met(),
            checked: 0,
        }),
    }
}
