//! Three small machines that show how to write one.
//!
//! | module | protocol | links | clocks |
//! |---|---|---|---|
//! | [`single_decree`] | Paxos for one value; every node proposes and accepts | unordered | untimed |
//! | [`coordinator`] | two-phase commit of one transaction | sessions that can break | untimed |
//! | [`lock`] | a lock that is leased by clock | unordered | bounded drift |
//!
//! Each has one wrong version that differs by a gate: what only a host that
//! tells a step from its persist can notice.

pub mod coordinator;
pub mod lock;
pub mod single_decree;
