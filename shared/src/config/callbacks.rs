use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::retry::{RetryPolicy, Waits};

/// `[callbacks]`: deliveries to the sources.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallbackSettings {
    /// How long a delivery may take, in seconds.
    #[schemars(range(min = 1, max = 300))]
    pub timeout_seconds: u64,
    /// Waits between deliveries, in seconds; each is used once, then the callback is dead.
    #[schemars(length(min = 1, max = 100), inner(range(min = 1, max = 604_800)))]
    pub schedule_seconds: Vec<u64>,
}

impl CallbackSettings {
    /// `timeout_seconds` as a duration.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }

    /// The policy these settings describe. The schedule bounds it; the bound in time is only there for a bridge that was
    /// down in between, and leaves room for that.
    pub fn policy(&self) -> RetryPolicy {
        let waits: Vec<Duration> = self
            .schedule_seconds
            .iter()
            .copied()
            .map(Duration::from_secs)
            .collect();
        RetryPolicy {
            max_attempts: u32::try_from(waits.len())
                .unwrap_or(u32::MAX)
                .saturating_add(1),
            give_up_after: 2 * waits.iter().sum::<Duration>() + Duration::from_hours(24),
            waits: Waits::Schedule(waits),
        }
    }
}
