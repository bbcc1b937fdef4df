//! What was done in a span of time, in numbers that can be added up, without I/O.

use serde::{Deserialize, Serialize};

/// Upper ends of the buckets, in milliseconds; what is longer goes into one more.
const BOUNDS: [u64; 17] = [
    5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000, 900_000,
    3_600_000, 14_400_000,
];

/// Durations, so far as means and quantiles need them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durations {
    /// How many.
    pub count: u64,
    /// All of them together, in milliseconds.
    pub sum_ms: u64,
    /// The longest, in milliseconds.
    pub max_ms: u64,
    /// How many of each length; without those at the end that are empty.
    buckets: Vec<u64>,
}

impl Durations {
    /// Adds one.
    pub fn note(&mut self, ms: u64) {
        let place = BOUNDS.partition_point(|bound| *bound < ms);
        self.count += 1;
        self.sum_ms = self.sum_ms.saturating_add(ms);
        self.max_ms = self.max_ms.max(ms);
        self.bucket(place, 1);
    }

    /// Adds those of another span.
    pub fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.sum_ms = self.sum_ms.saturating_add(other.sum_ms);
        self.max_ms = self.max_ms.max(other.max_ms);
        for (place, count) in other.buckets.iter().enumerate() {
            self.bucket(place, *count);
        }
    }

    fn bucket(&mut self, place: usize, more: u64) {
        if self.buckets.len() <= place {
            self.buckets.resize(place + 1, 0);
        }
        self.buckets[place] += more;
    }

    /// Their mean, in milliseconds. `None` when there is none.
    pub fn mean_ms(&self) -> Option<u64> {
        self.sum_ms.checked_div(self.count)
    }

    /// So many of a thousand are no longer than this, in milliseconds: right to the width of a bucket, within it by equal parts, and never
    /// more than the longest.
    pub fn quantile_ms(&self, of_a_thousand: u64) -> Option<u64> {
        let rank = (self.count * of_a_thousand).div_ceil(1_000).max(1);
        let mut below = 0;
        for (place, count) in self.buckets.iter().enumerate() {
            if below + count >= rank {
                let low = place.checked_sub(1).map_or(0, |before| BOUNDS[before]);
                let high = BOUNDS.get(place).copied().unwrap_or(self.max_ms);
                let high = high.min(self.max_ms).max(low);
                return Some(low + (high - low) * (rank - below) / count);
            }
            below += count;
        }
        None
    }
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Jobs that were stored.
    pub created: u64,
    /// Requests that got their ticket: creates that asked the instance and ended well.
    pub tickets: u64,
    /// Runs that ended, however.
    pub attempts: u64,
    /// Jobs that ended well.
    pub done: u64,
    /// Jobs that were given up.
    pub dead: u64,
    /// Jobs that were cancelled before a worker had them.
    pub cancelled: u64,
    /// Runs after which the job was parked.
    pub parked: u64,
    /// Runs after which the job runs again.
    pub retried: u64,
    /// From the moment a job was stored to its end.
    pub latency: Durations,
    /// Of each HTTP call.
    pub calls: Durations,
}

impl Figures {
    /// Adds those of another span.
    pub fn add(&mut self, other: &Self) {
        self.created += other.created;
        self.tickets += other.tickets;
        self.attempts += other.attempts;
        self.done += other.done;
        self.dead += other.dead;
        self.cancelled += other.cancelled;
        self.parked += other.parked;
        self.retried += other.retried;
        self.latency.add(&other.latency);
        self.calls.add(&other.calls);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(all: &[u64]) -> Durations {
        let mut durations = Durations::default();
        for ms in all {
            durations.note(*ms);
        }
        durations
    }

    #[test]
    fn what_is_added_up_is_as_if_it_had_been_noted_together() {
        let mut sum = of(&[1, 40, 700]);
        sum.add(&of(&[3, 90_000_000]));
        assert_eq!(sum, of(&[1, 3, 40, 700, 90_000_000]));
        assert_eq!(sum.mean_ms(), Some(18_000_148));
        let stored = serde_json::to_value(&sum).unwrap();
        assert_eq!(serde_json::from_value::<Durations>(stored).unwrap(), sum);
    }

    #[test]
    fn quantiles_are_right_to_a_bucket() {
        let none = Durations::default();
        assert_eq!((none.mean_ms(), none.quantile_ms(500)), (None, None));
        assert_eq!(of(&[7]).quantile_ms(500), Some(7));
        assert_eq!(of(&[0]).quantile_ms(950), Some(0));
        let even: Vec<u64> = (1..=1_000).collect();
        let even = of(&even);
        for (of_a_thousand, right) in [(500, 500), (900, 900), (950, 950), (1_000, 1_000)] {
            let told = even.quantile_ms(of_a_thousand).unwrap();
            assert!(told.abs_diff(right) <= 2, "{of_a_thousand}: {told}");
        }
        // The longest bounds what has no end.
        assert_eq!(of(&[20_000_000]).quantile_ms(950), Some(20_000_000));
    }
}
