//! Three small machines that show how to write one.
//!
//! | module | protocol | links | clocks |
//! |---|---|---|---|
//! | [`single_decree`] | Paxos for one value; every node proposes and accepts | unordered | untimed |
//! | [`coordinator`] | two-phase commit of one transaction | sessions that can break | untimed |
//! | [`lock`] | a lock that is leased by clock | unordered | bounded drift |
//!
//! Each names one gate in its configuration. With [`Gate::Durable`] it is
//! right; with [`Gate::Now`] it is wrong in a way that only a host notices
//! which tells a step from its persist.
//!
//! [`Gate::Durable`]: crate::Gate::Durable
//! [`Gate::Now`]: crate::Gate::Now

pub mod coordinator;
pub mod lock;
pub mod single_decree;
