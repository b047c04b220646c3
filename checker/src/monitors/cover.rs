//! When a container cannot have been empty.
//!
//! A value is inside from the last moment at which it can be put to the first
//! at which it can be taken. At any other moment all that is done to it lies
//! before, or all after; a moment outside of all such stretches cuts the
//! history in two, and the container may have been empty then.
//!
//! Stretches are open: at either end of one the value may just not be there.

use super::Place;

/// The time in between, without its ends, in which something is inside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub after: Place,
    pub before: Place,
    /// What is.
    pub of: usize,
}

/// The union of stretches.
pub(super) struct Cover {
    /// Disjoint, in time.
    merged: Vec<(Place, Place)>,
}

impl Cover {
    pub(super) fn new(stretches: impl Iterator<Item = Stretch>) -> Self {
        let mut all: Vec<(Place, Place)> = stretches
            .map(|stretch| (stretch.after, stretch.before))
            .filter(|(after, before)| after < before)
            .collect();
        all.sort_unstable();
        let mut merged: Vec<(Place, Place)> = Vec::new();
        for (after, before) in all {
            match merged.last_mut() {
                Some(last) if after < last.1 => last.1 = last.1.max(before),
                _ => merged.push((after, before)),
            }
        }
        Cover { merged }
    }

    /// The first place not before `from` that is not covered.
    pub(super) fn gap(&self, from: Place) -> Place {
        let begun = self.merged.partition_point(|(after, _)| *after < from);
        let around = begun.checked_sub(1).map(|last| self.merged[last].1);
        around.map_or(from, |before| before.max(from))
    }
}

/// As few of the stretches as cover all places `from..=until`, which together
/// they do.
pub(super) fn chain(mut stretches: Vec<Stretch>, from: Place, until: Place) -> Vec<usize> {
    stretches.sort_unstable_by_key(|stretch| stretch.after);
    let mut chain = Vec::new();
    let mut next = stretches.iter().peekable();
    let (mut reached, mut best) = (from, None::<&Stretch>);
    while reached <= until {
        while let Some(stretch) = next.next_if(|stretch| stretch.after < reached) {
            if best.is_none_or(|best| best.before < stretch.before) {
                best = Some(stretch);
            }
        }
        match best {
            Some(best) if best.before > reached => {
                chain.push(best.of);
                reached = best.before;
            }
            _ => break,
        }
    }
    chain
}
