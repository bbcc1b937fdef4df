//! The one owner of retry: what happens to a job after a run that did not end it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// How often and how long a job is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts before the job is dead.
    pub max_attempts: u32,
    /// Time since the first attempt after which the job is dead, whatever the count.
    pub give_up_after: Duration,
    /// What the waits between attempts are.
    pub waits: Waits,
}

/// The waits between attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waits {
    /// `first`, doubled each time, at most `longest`; plus up to a quarter of jitter.
    Exponential {
        /// Wait after the first attempt.
        first: Duration,
        /// Longest wait.
        longest: Duration,
    },
    /// A fixed list, one wait an attempt; plus up to a tenth of jitter. Attempts past its end are dead.
    Schedule(Vec<Duration>),
}

/// What is known after an attempt.
#[derive(Debug, Clone, Copy)]
pub struct Attempted {
    /// Attempts used up, this one included.
    pub attempts: u32,
    /// When the first attempt began.
    pub first_started_at: DateTime<Utc>,
    /// The present moment.
    pub now: DateTime<Utc>,
    /// `Retry-After`, or a wait that the handler knows to be needed.
    pub at_least: Option<Duration>,
    /// A number in 0..=1 from the caller's random source.
    pub jitter: f64,
}

/// What to do with the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Run it again at this time.
    Due(DateTime<Utc>),
    /// Stop, for this reason.
    Dead(String),
}

impl RetryPolicy {
    /// Decides after a failed attempt that may be repeated.
    pub fn after(&self, it: Attempted) -> Next {
        if it.attempts >= self.max_attempts {
            return Next::Dead(format!("gave up after {} attempts", it.attempts));
        }
        let Some(wait) = self.waits.after(it.attempts, it.jitter) else {
            return Next::Dead(format!(
                "gave up after {} attempts: the schedule has no further one",
                it.attempts
            ));
        };
        // Others say how long to wait: a moment that no clock shows is past every patience.
        let due = TimeDelta::from_std(wait.max(it.at_least.unwrap_or_default()))
            .ok()
            .and_then(|wait| it.now.checked_add_signed(wait))
            .filter(|due| *due - it.first_started_at <= delta(self.give_up_after));
        let Some(due) = due else {
            let hours = self.give_up_after.as_secs() / 3600;
            return Next::Dead(format!(
                "gave up: {hours} hours have passed since the first attempt"
            ));
        };
        Next::Due(due)
    }
}

impl Waits {
    fn after(&self, attempts: u32, jitter: f64) -> Option<Duration> {
        // What is no number would come out of `clamp` as it went in.
        let jitter = if jitter.is_nan() {
            0.0
        } else {
            jitter.clamp(0.0, 1.0)
        };
        match self {
            Self::Exponential { first, longest } => {
                let doubled = first.saturating_mul(
                    1_u32
                        .checked_shl(attempts.saturating_sub(1))
                        .unwrap_or(u32::MAX),
                );
                Some(lengthened(doubled.min(*longest), jitter / 4.0))
            }
            Self::Schedule(waits) => {
                let index = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
                waits
                    .get(index)
                    .map(|wait| lengthened(*wait, jitter / 10.0))
            }
        }
    }
}

/// The wait and a share of it, exact where the share is none.
fn lengthened(wait: Duration, share: f64) -> Duration {
    let more = Duration::try_from_secs_f64(wait.as_secs_f64() * share);
    wait.saturating_add(more.unwrap_or(Duration::MAX))
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policy() -> RetryPolicy {
        RetryPolicy {
            max_attempts: 12,
            give_up_after: Duration::from_hours(48),
            waits: Waits::Exponential {
                first: Duration::from_secs(1),
                longest: Duration::from_mins(15),
            },
        }
    }

    fn attempted(attempts: u32, at_least: Option<u64>, jitter: f64) -> Attempted {
        let start = DateTime::UNIX_EPOCH;
        let at_least = at_least.map(Duration::from_secs);
        Attempted {
            attempts,
            first_started_at: start,
            now: start,
            at_least,
            jitter,
        }
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let waits: Vec<i64> = (1..12)
            .map(|n| match policy().after(attempted(n, None, 0.0)) {
                Next::Due(due) => due.timestamp(),
                Next::Dead(why) => panic!("{why}"),
            })
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900]);
    }

    #[test]
    fn a_schedule_is_used_once_and_then_the_job_is_dead() {
        let waits = Waits::Schedule(vec![Duration::from_secs(5), Duration::from_mins(5)]);
        let policy = RetryPolicy { waits, ..policy() };
        assert_eq!(
            policy.after(attempted(2, None, 0.0)),
            Next::Due(DateTime::UNIX_EPOCH + TimeDelta::seconds(300))
        );
        assert!(matches!(
            policy.after(attempted(3, None, 0.0)),
            Next::Dead(_)
        ));
    }

    /// Any wait that can be written down.
    fn any_wait() -> impl Strategy<Value = Duration> {
        prop_oneof![
            Just(Duration::ZERO),
            Just(Duration::MAX),
            (0_u64..100_000).prop_map(Duration::from_millis),
            any::<u64>().prop_map(Duration::from_secs),
        ]
    }

    fn any_policy() -> impl Strategy<Value = RetryPolicy> {
        let waits = prop_oneof![
            (any_wait(), any_wait())
                .prop_map(|(first, longest)| Waits::Exponential { first, longest }),
            prop::collection::vec(any_wait(), 0..8).prop_map(Waits::Schedule),
        ];
        (0_u32..40, any_wait(), waits).prop_map(|(max_attempts, give_up_after, waits)| {
            RetryPolicy {
                max_attempts,
                give_up_after,
                waits,
            }
        })
    }

    /// The wait that a policy names before an attempt, without jitter.
    fn bare_wait(policy: &RetryPolicy, attempts: u32) -> Duration {
        match &policy.waits {
            Waits::Exponential { first, longest } => (1..attempts)
                .fold(*first, |wait, _| wait.saturating_mul(2))
                .min(*longest),
            Waits::Schedule(waits) => waits[attempts as usize - 1],
        }
    }

    proptest! {
        #[test]
        fn the_policy_always_ends_and_never_runs_early(
            policy in any_policy(),
            at_least in prop::collection::vec(prop::option::of(any_wait()), 50),
            runs in prop::collection::vec(0_i64..100_000, 50),
            jitter in prop_oneof![-1.0..2.0_f64, Just(f64::NAN), Just(f64::INFINITY)],
        ) {
            let first_started_at = DateTime::UNIX_EPOCH;
            let mut now = first_started_at;
            let mut attempts = 0;
            for (at_least, run) in at_least.into_iter().zip(runs) {
                now += TimeDelta::milliseconds(run);
                attempts += 1;
                let it = Attempted { attempts, first_started_at, now, at_least, jitter };
                let due = match policy.after(it) {
                    Next::Dead(_) => break,
                    Next::Due(due) => due,
                };
                prop_assert!(attempts < policy.max_attempts);
                let waited = (due - now).to_std().unwrap();
                let bare = bare_wait(&policy, attempts);
                prop_assert!(waited >= at_least.unwrap_or_default(), "not before it was asked for");
                prop_assert!(waited >= bare, "{waited:?} {bare:?}");
                prop_assert!(waited <= bare.saturating_mul(2).max(at_least.unwrap_or_default()));
                prop_assert!((due - first_started_at).to_std().unwrap() <= policy.give_up_after, "not after its time");
                now = due;
            }
            prop_assert!(attempts <= policy.max_attempts.max(1), "it ends");
        }

        #[test]
        fn jitter_only_makes_waits_longer(policy in any_policy(), attempts in 1_u32..12, jitter in 0.0..1.0_f64) {
            let after = |jitter| policy.after(attempted(attempts, None, jitter));
            if let (Next::Due(bare), Next::Due(later)) = (after(0.0), after(jitter)) {
                prop_assert!(later >= bare);
            }
        }

        #[test]
        fn time_bounds_the_attempts(hours in 49_i64..1000) {
            let mut it = attempted(1, None, 0.0);
            it.now = it.first_started_at + TimeDelta::hours(hours);
            prop_assert!(matches!(policy().after(it), Next::Dead(_)), "48 hours have passed");
        }
    }
}
