//! Two figures of a list of sizes.

/// The middle and the size that nine of ten do not exceed (nearest rank).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Spread {
    pub(super) median: usize,
    pub(super) p90: usize,
    pub(super) largest: usize,
}

/// The spread of sizes in any order; zero throughout when there are none.
pub(super) fn spread(mut sizes: Vec<usize>) -> Spread {
    sizes.sort_unstable();
    Spread {
        median: rank(&sizes, 50),
        p90: rank(&sizes, 90),
        largest: rank(&sizes, 100),
    }
}

fn rank(sorted: &[usize], percent: usize) -> usize {
    let position = (sorted.len() * percent).div_ceil(100);
    sorted
        .get(position.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Spread, spread};

    #[test]
    fn figures_are_members_of_the_list() {
        let ten = spread((1..=10).rev().collect());
        let expected = Spread {
            median: 5,
            p90: 9,
            largest: 10,
        };
        assert_eq!(ten, expected);
    }

    #[test]
    fn one_is_its_own_spread_and_none_is_zero() {
        assert_eq!(spread(vec![7]).p90, 7);
        assert_eq!(spread(Vec::new()).largest, 0);
    }
}
