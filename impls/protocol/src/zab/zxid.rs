//! Names of transactions: who proposed it, and as how manieth.

use std::fmt::{self, Debug, Display};

use serde::{Deserialize, Serialize};

/// Numbers the leaders that a quorum has promised to follow, one after the
/// other. 0 before the first.
pub type Epoch = u32;

/// Names a transaction, and orders all of them: by the epoch of the leader
/// that proposed it, then by the leader's counter (Junqueira et al., §III-C).
/// Shown as `2.5`; `0.0` is before the first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Zxid {
    /// The epoch of its leader.
    pub epoch: Epoch,
    /// Its place among that leader's proposals, from 1.
    pub counter: u32,
}

impl Zxid {
    /// One number, in the same order.
    pub fn number(self) -> u64 {
        u64::from(self.epoch) << u32::BITS | u64::from(self.counter)
    }

    /// The zxid that has this number.
    pub fn numbered(number: u64) -> Self {
        Zxid {
            epoch: (number >> u32::BITS) as Epoch,
            counter: number as u32,
        }
    }
}

impl Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.counter)
    }
}

impl Debug for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zxid_and_its_number_stand_in_the_same_order() {
        let zxid = |epoch, counter| Zxid { epoch, counter };
        let ordered = [zxid(0, 0), zxid(1, 1), zxid(1, u32::MAX), zxid(2, 0)];
        assert!(ordered.is_sorted());
        assert!(ordered.map(Zxid::number).is_sorted());
        assert_eq!(ordered.map(|zxid| Zxid::numbered(zxid.number())), ordered);
    }
}
