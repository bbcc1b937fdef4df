use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

/// `[scheduler]`: relay and sweeper.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SchedulerSettings {
    /// How often the relay looks for due jobs when nothing wakes it, in milliseconds.
    #[schemars(range(min = 10, max = 60_000))]
    pub relay_interval_ms: u64,
    /// A doorbell nobody answered is rung again after this many seconds.
    #[schemars(range(min = 1, max = 3600))]
    pub ring_again_seconds: u64,
    /// How often expired leases are looked for, in milliseconds.
    #[schemars(range(min = 50, max = 60_000))]
    pub sweep_interval_ms: u64,
    /// Days for which idempotency keys are remembered.
    #[schemars(range(min = 1, max = 3650))]
    pub idempotency_days: u64,
}

impl SchedulerSettings {
    /// `relay_interval_ms` as a duration.
    pub fn relay_interval(&self) -> Duration {
        Duration::from_millis(self.relay_interval_ms)
    }

    /// `ring_again_seconds` as a duration.
    pub fn ring_again(&self) -> Duration {
        Duration::from_secs(self.ring_again_seconds)
    }

    /// `sweep_interval_ms` as a duration.
    pub fn sweep_interval(&self) -> Duration {
        Duration::from_millis(self.sweep_interval_ms)
    }

    /// `idempotency_days` as a duration.
    pub fn idempotency(&self) -> Duration {
        Duration::from_hours(24 * self.idempotency_days)
    }
}
