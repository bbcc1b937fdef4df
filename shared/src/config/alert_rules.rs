use std::collections::BTreeMap;

use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::Deserialize;

use super::alert_destination::AlertDestination;
use super::report::Report;
use super::suggest::did_you_mean;
use crate::alert::{AlertName, Severity};

/// `[alerts.rules]`: what is looked at.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertRules {
    /// Dead jobs, of all lanes together.
    pub dead_jobs: AlertRule,
    /// Dead jobs of one lane.
    pub dead_jobs_in_lane: AlertRule,
    /// Seconds for which the oldest due job of a lane has waited.
    pub oldest_due: AlertRule,
    /// A lane has fewer live workers than the threshold.
    pub no_worker: AlertRule,
    /// Connections, or tables of one, that are held back until somebody mends something.
    pub connection_held: AlertRule,
    /// Percent of the runs on a connection that the limits of the instance have put off, within `window_minutes`.
    pub throttled_share: AlertRule,
    /// A credential lives for at most so many days more.
    pub credential_age: AlertRule,
    /// Log-ins that an instance has refused since it last accepted one.
    pub credential_refused: AlertRule,
    /// Requests whose ticket has a value that no map knows.
    pub unmapped_states: AlertRule,
    /// Creates of which nobody knows whether they have made a ticket.
    pub ambiguous_creates: AlertRule,
    /// Callbacks that their source has not taken.
    pub failed_callbacks: AlertRule,
    /// Differences that the last comparison of a table has found.
    pub drift_found: AlertRule,
    /// Entries of state maps that do not fit the choice lists of the instance.
    pub choice_drift: AlertRule,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertRule {
    /// Whether it is looked at.
    pub enabled: bool,
    /// From when on it holds; what is counted depends on the rule.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub threshold: u32,
    /// For how long it must hold before it is told, in seconds.
    #[schemars(range(min = 0, max = 86_400))]
    pub for_seconds: u32,
    /// How bad it is.
    pub severity: Severity,
    /// For how long it is not told again while it holds, in minutes.
    #[schemars(range(min = 1, max = 43_200))]
    pub quiet_minutes: u32,
    /// Who is told; empty: every destination.
    pub destinations: Vec<String>,
}

impl AlertRule {
    /// `for_seconds` as a duration.
    pub fn for_long(&self) -> TimeDelta {
        TimeDelta::seconds(i64::from(self.for_seconds))
    }

    /// `quiet_minutes` as a duration.
    pub fn quiet(&self) -> TimeDelta {
        TimeDelta::minutes(i64::from(self.quiet_minutes))
    }

    /// Whether this destination is told.
    pub fn tells(&self, destination: &str) -> bool {
        self.destinations.is_empty() || self.destinations.iter().any(|it| it == destination)
    }
}

impl AlertRules {
    /// The rule of a name.
    pub fn of(&self, name: AlertName) -> &AlertRule {
        match name {
            AlertName::DeadJobs => &self.dead_jobs,
            AlertName::DeadJobsInLane => &self.dead_jobs_in_lane,
            AlertName::OldestDue => &self.oldest_due,
            AlertName::NoWorker => &self.no_worker,
            AlertName::ConnectionHeld => &self.connection_held,
            AlertName::ThrottledShare => &self.throttled_share,
            AlertName::CredentialAge => &self.credential_age,
            AlertName::CredentialRefused => &self.credential_refused,
            AlertName::UnmappedStates => &self.unmapped_states,
            AlertName::AmbiguousCreates => &self.ambiguous_creates,
            AlertName::FailedCallbacks => &self.failed_callbacks,
            AlertName::DriftFound => &self.drift_found,
            AlertName::ChoiceDrift => &self.choice_drift,
        }
    }

    pub(super) fn check(
        &self,
        destinations: &BTreeMap<String, AlertDestination>,
        report: &mut Report,
    ) {
        for name in AlertName::ALL {
            let mut at = report.section(&format!("alerts.rules.{name}"));
            let rule = self.of(*name);
            if let Some((most, why)) = most(*name)
                && rule.threshold > most
            {
                at.add(
                    "threshold",
                    format!("{} would never be reached: {why}", rule.threshold),
                    format!("write a number from 1 to {most}"),
                );
            }
            for (index, destination) in rule.destinations.iter().enumerate() {
                if !destinations.contains_key(destination) {
                    let fix = if destinations.is_empty() {
                        format!("add a table [alerts.destinations.{destination}]")
                    } else {
                        did_you_mean(destination, destinations.keys().map(String::as_str))
                    };
                    let problem = format!("there is no destination `{destination}`");
                    at.add(&format!("destinations[{index}]"), problem, fix);
                }
            }
        }
    }
}

/// The highest threshold that can be reached, and why.
fn most(name: AlertName) -> Option<(u32, &'static str)> {
    match name {
        AlertName::ThrottledShare => Some((100, "it is a share in percent")),
        AlertName::CredentialAge => Some((3650, "no credential is known to live that long")),
        AlertName::DeadJobsInLane
        | AlertName::UnmappedStates
        | AlertName::AmbiguousCreates
        | AlertName::FailedCallbacks => Some((1000, "no more than 1,000 are counted")),
        AlertName::NoWorker => Some((1000, "no lane has that many workers")),
        AlertName::DeadJobs
        | AlertName::OldestDue
        | AlertName::ConnectionHeld
        | AlertName::CredentialRefused
        | AlertName::DriftFound
        | AlertName::ChoiceDrift => None,
    }
}
