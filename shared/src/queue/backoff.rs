use std::time::Duration;

/// Waits between attempts that double up to a cap, with jitter, so that many processes do not come back in step.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    cap: Duration,
    failures: u32,
}

impl Backoff {
    pub(super) const fn new(first: Duration, cap: Duration) -> Self {
        Self {
            first,
            cap,
            failures: 0,
        }
    }

    /// How long to wait after one more failure: between half of the doubled wait and all of it.
    pub(super) fn after_failure(&mut self) -> Duration {
        let doubled = self.first.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        doubled.min(self.cap).mul_f64(rand::random_range(0.5..=1.0))
    }

    /// Starts over after a success.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_wait_never_exceeds_the_cap_and_never_vanishes(failures in 0_u32..200) {
            let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
            backoff.failures = failures;
            let wait = backoff.after_failure();
            prop_assert!(wait >= Duration::from_millis(25));
            prop_assert!(wait <= Duration::from_secs(2));
        }
    }

    #[test]
    fn waits_grow_until_a_success() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_mins(1));
        let first = backoff.after_failure();
        assert!(first <= Duration::from_millis(100), "{first:?}");
        backoff.after_failure();
        let third = backoff.after_failure();
        assert!(third >= Duration::from_millis(200), "{third:?}");
        backoff.reset();
        assert!(backoff.after_failure() <= Duration::from_millis(100));
    }
}
