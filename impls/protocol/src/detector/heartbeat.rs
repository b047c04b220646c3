//! The heartbeat detector: silence is too long when it is longer than a
//! timeout. The timeout of a peer that was suspected by mistake grows, so that
//! in the end no more mistakes are made, whatever the bounds are (Chandra and
//! Toueg 1996, Figure 10); or it is fixed.

use super::Wrong;
use super::pulse::{Config, Patience, Pulse};

/// One node of the heartbeat detector.
pub type Heartbeat = Pulse<Timeout>;

/// How long timeouts are, in units of the node's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// The first of each peer: no sign of life for longer than this, and the
    /// peer is suspected.
    pub first: u64,
    /// By how much a mistake makes it longer; 0 for a fixed timeout.
    pub step: u64,
    /// The longest.
    pub most: u64,
}

impl Timeouts {
    /// A timeout that never changes.
    pub fn fixed(timeout: u64) -> Self {
        Timeouts {
            first: timeout,
            step: 0,
            most: timeout,
        }
    }
}

/// The timeout of one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timeout(pub u64);

impl Patience for Timeout {
    const NAME: &'static str = "heartbeat";
    type Settings = Timeouts;

    fn new(config: &Config<Timeouts>) -> Self {
        Timeout(config.patience.first)
    }

    fn is_over(&self, silence: u64, config: &Config<Timeouts>) -> bool {
        match config.breaks(Wrong::SuspectsAtTheTimeout) {
            true => silence >= self.0,
            false => silence > self.0,
        }
    }

    fn heard(&mut self, _: u64, config: &Config<Timeouts>) {
        if config.breaks(Wrong::TimeoutGrowsWithoutMistake) {
            self.0 += config.patience.step;
        }
    }

    fn was_mistaken(&mut self, config: &Config<Timeouts>) {
        let Timeouts { step, most, .. } = config.patience;
        if !config.breaks(Wrong::MistakeNotLearnt) {
            self.0 = self.0.saturating_add(step).min(most);
        }
    }
}
