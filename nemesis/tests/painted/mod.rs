//! Links for tests that are about something else.

use std::time::Duration;

use tribunal_nemesis::links::{Counters, Link, LinkError, Probe, Settled};
use tribunal_nemesis::{Cut, Network, Pending};

/// A network that takes every cut and does nothing.
pub struct Painted;

impl Network for Painted {
    fn cut(&self, _: Link, _: Cut) -> Result<(), LinkError> {
        Ok(())
    }
    fn heal(&self, _: Link, _: Cut) -> Result<(), LinkError> {
        Ok(())
    }
    fn heal_all(&self) {}
    fn cut_of(&self, _: Link) -> Option<Cut> {
        None
    }
    fn counters(&self, _: Link) -> Counters {
        Counters::default()
    }
    fn probe(&self, _: Link, _: Duration) -> Pending<'_, Probe> {
        Box::pin(async { Probe::Passed })
    }
    fn settled(&self, _: Link, _: Duration) -> Pending<'_, Settled> {
        Box::pin(async { Settled::Delivered })
    }
}
