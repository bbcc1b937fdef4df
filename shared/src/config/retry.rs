use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::retry::{RetryPolicy, Waits};

use super::report::Report;

/// `[retry]`: how often and how long jobs that call ServiceNow are tried.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetrySettings {
    /// Attempts before the job is dead.
    #[schemars(range(min = 1, max = 1000))]
    pub max_attempts: u32,
    /// Hours since the first attempt after which the job is dead, whatever the count.
    #[schemars(range(min = 1, max = 8760))]
    pub give_up_after_hours: u64,
    /// First wait, in milliseconds; doubles each time.
    #[schemars(range(min = 10, max = 3_600_000))]
    pub first_wait_ms: u64,
    /// Longest wait, in seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub longest_wait_seconds: u64,
}

impl RetrySettings {
    /// The policy these settings describe.
    pub fn policy(&self) -> RetryPolicy {
        RetryPolicy {
            max_attempts: self.max_attempts,
            give_up_after: Duration::from_hours(self.give_up_after_hours),
            waits: Waits::Exponential {
                first: Duration::from_millis(self.first_wait_ms),
                longest: Duration::from_secs(self.longest_wait_seconds),
            },
        }
    }

    pub(super) fn check(&self, report: &mut Report) {
        if self.first_wait_ms > self.longest_wait_seconds * 1000 {
            report.section("retry").add(
                "first_wait_ms",
                "the first wait is longer than retry.longest_wait_seconds",
                "make it smaller, or the longest wait longer",
            );
        }
    }
}
