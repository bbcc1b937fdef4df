use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::Deserialize;

/// `[console]`: the web console and the operator API.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsoleSettings {
    /// Hours after which a session ends, whatever is done.
    #[schemars(range(min = 1, max = 720))]
    pub session_hours: u32,
    /// Minutes without a call after which a session ends.
    #[schemars(range(min = 1, max = 43_200))]
    pub idle_minutes: u32,
    /// Reverse proxies of our own in front, each of which adds to `X-Forwarded-For`.
    #[schemars(range(max = 10))]
    pub trusted_proxies: usize,
}

impl ConsoleSettings {
    /// `session_hours` as a duration.
    pub fn session(&self) -> TimeDelta {
        TimeDelta::hours(i64::from(self.session_hours))
    }

    /// `idle_minutes` as a duration.
    pub fn idle(&self) -> TimeDelta {
        TimeDelta::minutes(i64::from(self.idle_minutes))
    }
}
