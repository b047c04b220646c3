//! Counting majorities.

/// How many of `voters` are more than half of them.
pub fn majority(voters: usize) -> usize {
    voters / 2 + 1
}

/// The greatest position that a majority has reached, given each voter's.
///
/// Zero for no voters.
pub fn majority_position(mut positions: Vec<u64>) -> u64 {
    if positions.is_empty() {
        return 0;
    }
    positions.sort_unstable_by(|a, b| b.cmp(a));
    positions[majority(positions.len()) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_majority_is_more_than_half() {
        assert_eq!([1, 2, 2, 3, 3], [1, 2, 3, 4, 5].map(majority));
    }

    #[test]
    fn the_position_is_the_one_that_a_majority_has_reached() {
        assert_eq!(majority_position(vec![5, 1, 3]), 3);
        assert_eq!(majority_position(vec![5, 1, 3, 9]), 3);
        assert_eq!(majority_position(vec![7]), 7);
        assert_eq!(majority_position(vec![]), 0);
    }
}
