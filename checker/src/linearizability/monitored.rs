//! Which specifications have a monitor, and what their calls are to it.

use crate::monitors::{Decided, Interval};
use crate::specification::{
    Counter, Deque, FencedLock, Lease, Log, MultiRegister, Multiset, Mutex, OwnedMutex,
    PriorityQueue, Queue, Recorded, Semaphore, Set, Specification, Stack, VersionedRegister,
};

/// What is asked, and answered if that is known.
pub(crate) type Exchange<'a, S> = (
    &'a <S as Specification>::Call,
    Option<&'a <S as Specification>::Return>,
);

/// A specification that may have a monitor.
pub(crate) trait Monitored: Recorded {
    /// Decides without a search, if these calls allow that. A call that has
    /// completed took effect; one that has not may have.
    fn monitor(&self, calls: &[Interval<Exchange<'_, Self>>]) -> Option<Decided> {
        let _ = calls;
        None
    }
}

impl Monitored for VersionedRegister {}
impl Monitored for MultiRegister {}
impl Monitored for Log {}
impl Monitored for Set {}
impl Monitored for Multiset {}
impl Monitored for Counter {}
impl Monitored for Queue {}
impl Monitored for Stack {}
impl Monitored for Deque {}
impl Monitored for PriorityQueue {}
impl Monitored for Mutex {}
impl Monitored for OwnedMutex {}
impl Monitored for FencedLock {}
impl Monitored for Lease {}
impl Monitored for Semaphore {}
