use schemars::JsonSchema;
use serde::Deserialize;

use super::report::Report;

/// `[retention]`: how long what has ended is kept. 0: for ever.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetentionSettings {
    /// Days after their end for which jobs are kept.
    #[schemars(range(max = 36_500))]
    pub jobs_days: u32,
    /// Whole months for which runs and their HTTP calls are kept.
    #[schemars(range(max = 1200))]
    pub attempts_months: u32,
    /// Days for which events of the feed are kept.
    #[schemars(range(max = 36_500))]
    pub events_days: u32,
    /// Days after their last change for which requests that have ended are kept.
    #[schemars(range(max = 36_500))]
    pub requests_days: u32,
    /// Whole months for which audit entries are kept.
    #[schemars(range(max = 1200))]
    pub audit_months: u32,
    /// Days for which reports of comparisons with the instances are kept; the newest of each table stays.
    #[schemars(range(max = 36_500))]
    pub drift_days: u32,
}

impl RetentionSettings {
    pub(super) fn check(&self, report: &mut Report) {
        let events_stay = self.events_days == 0 || self.events_days > self.requests_days;
        if self.requests_days > 0 && events_stay {
            report.section("retention").add(
                "requests_days",
                "events go with their requests, before retention.events_days",
                "set retention.events_days to at most as many days, or this one to 0",
            );
        }
    }
}
