//! The φ accrual detector (Hayashibara, Défago, Yared and Katayama, SRDS
//! 2004): a peer is suspected when its silence has become unlikely.
//!
//! The silences between the latest signs of life are taken for a sample of a
//! normal distribution. With its mean μ and deviation σ, the likelihood that a
//! sign of life is still to come after a silence t is
//! `P(t) = 1 - Φ((t - μ) / σ)`, and `φ(t) = -log10 P(t)` (§IV-B). Who suspects at
//! φ = 1 is wrong about once in ten times that it does, at φ = 3 about once in
//! a thousand.
//!
//! A state holds whole numbers only, so φ is computed in thousandths, from a
//! table: the same on every machine.

use std::collections::VecDeque;

use super::Wrong;
use super::pulse::{Config, Patience, Pulse};

/// One node of the accrual detector.
pub type Accrual = Pulse<Window>;

/// When silence has become too unlikely. Lengths of time are in units of the
/// node's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Likelihood {
    /// The φ beyond which a peer is suspected, in thousandths; below
    /// [`PHI_MAX`].
    pub threshold: u64,
    /// How many of the latest silences are looked at; at least 1.
    pub window: usize,
    /// What stands for them while there are none: how long a silence is
    /// expected to be.
    pub expected: u64,
    /// What the deviation is taken for if it is less. Without it a peer that
    /// was ever so regular would be suspected for the least delay.
    pub deviation_min: u64,
    /// The longest silence that is not suspicious, however likely it may be:
    /// what bounds the time until a failure is noticed.
    pub most: u64,
}

/// The latest silences of a peer, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window(VecDeque<u64>);

/// One standard deviation, as all that follows counts.
const ONE: i128 = 1000;

/// φ in thousandths, by how many deviations a silence is longer than the mean:
/// from -4 to 8, by quarters.
const PHI: [u16; 49] = [
    0, 0, 0, 0, 1, 1, 3, 5, 10, 18, 30, 48, 75, 112, 160, 223, 301, 397, 511, 645, 800, 976, 1175,
    1397, 1643, 1913, 2207, 2526, 2870, 3239, 3633, 4053, 4499, 4971, 5469, 5993, 6543, 7119, 7721,
    8350, 9006, 9688, 10396, 11131, 11893, 12681, 13496, 14338, 15206,
];
const PHI_FROM: i128 = -4 * ONE;
const PHI_STEP: i128 = ONE / 4;

/// The greatest φ that is told apart from greater ones, in thousandths.
pub const PHI_MAX: u64 = PHI[PHI.len() - 1] as u64;

impl Window {
    /// How suspicious a silence is: φ, in thousandths.
    pub fn phi(&self, silence: u64, config: &Config<Likelihood>) -> u64 {
        let (mean, deviation) = self.mean_and_deviation(config);
        let late = i128::from(silence) * ONE - mean;
        if deviation == 0 {
            return if late > 0 { PHI_MAX } else { 0 };
        }
        phi(late * ONE / deviation)
    }

    /// Both in thousandths.
    fn mean_and_deviation(&self, config: &Config<Likelihood>) -> (i128, i128) {
        let count = self.0.len().max(1) as i128;
        let silences = self.0.iter().map(|silence| i128::from(*silence));
        let (sum, squares) = match self.0.is_empty() {
            true => (i128::from(config.patience.expected), None),
            false => {
                let squares: i128 = silences.clone().map(|silence| silence * silence).sum();
                (silences.sum(), Some(squares))
            }
        };
        let spread = squares.map_or(0, |squares| count * squares - sum * sum);
        let deviation = (spread * ONE * ONE / (count * count)).isqrt();
        let least = match config.breaks(Wrong::DeviationWithoutFloor) {
            true => 0,
            false => i128::from(config.patience.deviation_min) * ONE,
        };
        (sum * ONE / count, deviation.max(least))
    }
}

/// φ for so many thousandths of a deviation beyond the mean, between the two
/// nearest of the table.
fn phi(deviations: i128) -> u64 {
    let last = PHI.len() as i128 - 1;
    let from = (deviations - PHI_FROM).clamp(0, last * PHI_STEP);
    let (place, rest) = (from / PHI_STEP, from % PHI_STEP);
    let at = |place: i128| i128::from(PHI[place.min(last) as usize]);
    let phi = at(place) + (at(place + 1) - at(place)) * rest / PHI_STEP;
    phi as u64
}

/// Longer than any silence that a sum of squares could not hold.
const SILENCE_MAX: u64 = 1 << 40;

impl Patience for Window {
    const NAME: &'static str = "accrual";
    type Settings = Likelihood;

    fn new(_: &Config<Likelihood>) -> Self {
        Window(VecDeque::new())
    }

    fn is_over(&self, silence: u64, config: &Config<Likelihood>) -> bool {
        let Likelihood {
            threshold, most, ..
        } = config.patience;
        let too_long = silence > most && !config.breaks(Wrong::NoLongestSilence);
        too_long || self.phi(silence.min(SILENCE_MAX), config) > threshold
    }

    fn heard(&mut self, silence: u64, config: &Config<Likelihood>) {
        self.0.push_back(silence.min(SILENCE_MAX));
        while self.0.len() > config.patience.window.max(1) {
            self.0.pop_front();
        }
    }

    /// The silence of a peer that had failed says nothing of how it is when it
    /// is well.
    fn was_mistaken(&mut self, _: &Config<Likelihood>) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::NodeId;

    fn config(deviation_min: u64) -> Config<Likelihood> {
        let patience = Likelihood {
            threshold: 1000,
            window: 4,
            expected: 10,
            deviation_min,
            most: 1000,
        };
        Config::new(NodeId(1), [NodeId(1), NodeId(2)], patience)
    }

    fn window(silences: &[u64]) -> Window {
        Window(silences.iter().copied().collect())
    }

    /// The paper's formula: the density of the normal distribution, integrated
    /// from the silence on by Simpson's rule.
    fn formula(silence: f64, mean: f64, deviation: f64) -> f64 {
        let density = |t: f64| {
            let z = (t - mean) / deviation;
            (-z * z / 2.0).exp() / (deviation * std::f64::consts::TAU.sqrt())
        };
        let (steps, to) = (20_000, mean + 14.0 * deviation);
        let step = (to - silence) / f64::from(steps);
        let inner = (1..steps).map(|at| {
            let weight = if at % 2 == 1 { 4.0 } else { 2.0 };
            weight * density(silence + f64::from(at) * step)
        });
        let sum: f64 = density(silence) + inner.sum::<f64>() + density(to);
        -(sum * step / 3.0).log10()
    }

    #[test]
    fn phi_is_what_the_paper_says() {
        let config = config(0);
        let window = window(&[90, 110, 80, 120]);
        let (mean, deviation) = (100.0, 250f64.sqrt());
        for silence in 40..=220 {
            let phi = window.phi(silence, &config) as f64 / 1000.0;
            let expected = formula(silence as f64, mean, deviation);
            assert!((phi - expected).abs() < 0.01, "{silence}: {phi} {expected}");
        }
    }

    #[test]
    fn phi_grows_with_silence_and_ends_at_the_greatest() {
        let config = config(3);
        let window = window(&[10, 10, 10]);
        let phis: Vec<u64> = (0..60).map(|t| window.phi(t, &config)).collect();
        assert!(phis.is_sorted());
        assert_eq!(
            phis[10], 301,
            "half of all silences are longer than the mean"
        );
        assert_eq!(phis[59], PHI_MAX);
    }

    #[test]
    fn the_expected_silence_stands_for_those_that_are_not_known() {
        let config = config(2);
        assert_eq!(window(&[]).phi(10, &config), 301);
        assert_eq!(window(&[30]).phi(30, &config), 301);
    }

    #[test]
    fn only_the_latest_silences_are_looked_at() {
        let config = config(1);
        let mut window = window(&[]);
        (0..9).for_each(|silence| window.heard(silence, &config));
        assert_eq!(window.0, [5, 6, 7, 8]);
        window.heard(u64::MAX, &config);
        assert!(window.is_over(u64::MAX, &config));
    }
}
