use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::Deserialize;

use super::alert_destination::AlertDestination;
use super::alert_rules::AlertRules;
use super::report::Report;
use super::urls::{self, Plain};

/// `[alerts]`: who is told when something is wrong. Nothing is looked at while there is no destination.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertSettings {
    /// How often the rules are looked at, in seconds.
    #[schemars(range(min = 1, max = 3600))]
    pub interval_seconds: u64,
    /// How far `throttled_share` looks back, in minutes.
    #[schemars(range(min = 1, max = 1440))]
    pub window_minutes: u32,
    /// How long an attempt to send may take, in seconds.
    #[schemars(range(min = 1, max = 60))]
    pub timeout_seconds: u64,
    /// Where those who get messages read docs/operating.md; messages link to its headings. Empty: they name the heading.
    pub runbook_url: String,
    /// What is looked at.
    pub rules: AlertRules,
    /// Where messages go, by name.
    #[serde(default)]
    pub destinations: BTreeMap<String, AlertDestination>,
}

impl AlertSettings {
    /// Whether anything is looked at: there is somebody to tell.
    pub fn is_on(&self) -> bool {
        !self.destinations.is_empty()
    }

    /// `interval_seconds` as a duration.
    pub fn interval(&self) -> Duration {
        Duration::from_secs(self.interval_seconds)
    }

    /// `window_minutes` as a duration.
    pub fn window(&self) -> TimeDelta {
        TimeDelta::minutes(i64::from(self.window_minutes))
    }

    /// `timeout_seconds` as a duration.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }

    pub(super) fn resolve_secrets(&mut self, report: &mut Report) {
        for (name, destination) in &mut self.destinations {
            destination.resolve_secrets(name, report);
        }
    }

    pub(super) fn check(&self, report: &mut Report) {
        if !self.runbook_url.is_empty() {
            let mut at = report.section("alerts");
            urls::check(
                &mut at,
                "runbook_url",
                &self.runbook_url,
                Plain::HttpOrHttps,
            );
        }
        self.rules.check(&self.destinations, report);
        for (name, destination) in &self.destinations {
            destination.check(name, report);
        }
    }
}
