//! The settings of the bridge: `config.default.toml` ← the operator's file ← `TICKETBRIDGE__…` ← command line.
//!
//! Everything is read and checked at once: [`Settings::load`] gives either settings that hold together or every
//! [`Problem`] with its place and its fix, and never a value that is secret. [`Settings::check_for`] adds what depends on
//! the process that is about to start.

mod alert_destination;
mod alert_rules;
mod alerts;
mod callbacks;
mod certificates;
mod connection;
mod console;
mod credential_age;
mod credentials;
mod database;
mod layers;
mod names;
mod oidc;
mod problem;
mod process_kind;
mod queue;
mod redis;
mod report;
mod retention;
mod retry;
mod route;
mod routes_check;
mod scheduler;
mod schema;
mod secret;
mod server;
mod shape;
mod source;
mod suggest;
mod telemetry;
mod urls;
mod worker;

use std::collections::BTreeMap;

use ::config::Map;
use schemars::JsonSchema;
use serde::Deserialize;

pub use alert_destination::{AlertDestination, DestinationKind, MailTls};
pub use alert_rules::{AlertRule, AlertRules};
pub use alerts::AlertSettings;
pub use callbacks::CallbackSettings;
pub use connection::ConnectionSettings;
pub use console::ConsoleSettings;
pub use credential_age::CredentialEnd;
pub use credentials::{Auth, Credentials};
pub use database::DatabaseSettings;
pub use layers::{Layers, environment};
pub use oidc::{OidcSettings, RoleValues};
pub use problem::{Problem, Problems};
pub use process_kind::ProcessKind;
pub use queue::{QueueKind, QueueSettings};
pub use redis::RedisSettings;
pub use retention::RetentionSettings;
pub use retry::RetrySettings;
pub use route::{PersonSettings, RouteSettings};
pub use scheduler::SchedulerSettings;
pub use schema::json_schema;
pub use server::ServerSettings;
pub use source::SourceSettings;
pub use telemetry::{LogFormat, TelemetrySettings};
pub use worker::WorkerSettings;

use report::{Origins, Report};

/// The manual: every key with its default. Compiled in, and the first layer.
pub const DEFAULTS: &str = include_str!("../../config.default.toml");

/// All settings of the bridge; `config.default.toml` describes each.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Name of the environment, shown to operators.
    pub environment: String,
    /// The name this bridge writes into `correlation_display`, and finds its tickets by.
    pub bridge_name: String,
    /// The HTTP API.
    pub server: ServerSettings,
    /// The web console and the operator API.
    pub console: ConsoleSettings,
    /// Where the truth lives.
    pub database: DatabaseSettings,
    /// How doorbells travel.
    pub queue: QueueSettings,
    /// The server that carries them between processes.
    pub redis: RedisSettings,
    /// Relay and sweeper.
    pub scheduler: SchedulerSettings,
    /// Who runs jobs.
    pub worker: WorkerSettings,
    /// How often and how long jobs are tried.
    pub retry: RetrySettings,
    /// Deliveries to the sources.
    pub callbacks: CallbackSettings,
    /// How long what has ended is kept.
    pub retention: RetentionSettings,
    /// Who is told when something is wrong.
    pub alerts: AlertSettings,
    /// Logs and traces.
    pub telemetry: TelemetrySettings,
    /// ServiceNow instances by name.
    #[serde(default)]
    pub connections: BTreeMap<String, ConnectionSettings>,
    /// Identity systems by name.
    #[serde(default)]
    pub sources: BTreeMap<String, SourceSettings>,
    /// Which ticket a category of a source becomes.
    #[serde(default)]
    pub routes: Vec<RouteSettings>,
    /// Where each value came from, for problems that show later.
    #[serde(skip)]
    origins: Origins,
}

impl Settings {
    /// Merges the layers, reads them, resolves the secrets and checks the whole.
    pub fn load(layers: &Layers) -> Result<Self, Problems> {
        let merged = layers.merge()?;
        let mut report = Report::new(layers.file.as_deref());
        let settings = Self::read(merged, &mut report);
        settings
            .filter(|_| report.is_clean())
            .ok_or_else(|| report.into_problems())
    }

    fn read(merged: Map<String, ::config::Value>, report: &mut Report) -> Option<Self> {
        let json = shape::read(merged, &schema::raw(), schema::defaults(), report);
        let mut settings: Self = match serde_path_to_error::deserialize(json) {
            Ok(settings) => settings,
            Err(error) => {
                report.add(
                    &error.path().to_string(),
                    error.inner().to_string(),
                    "see config.default.toml",
                );
                return None;
            }
        };
        settings.resolve_secrets(report);
        settings.check(report);
        settings.origins = report.origins();
        Some(settings)
    }

    fn resolve_secrets(&mut self, report: &mut Report) {
        self.console.oidc.resolve_secrets(report);
        self.database.resolve_secrets(report);
        self.redis.resolve_secrets(report);
        for (name, connection) in &mut self.connections {
            connection.resolve_secrets(name, report);
        }
        for (name, source) in &mut self.sources {
            source.resolve_secrets(name, report);
        }
        self.alerts.resolve_secrets(report);
    }

    fn check(&self, report: &mut Report) {
        names::check_bridge(&self.bridge_name, report);
        self.server.check(report);
        self.console.check(&self.server, report);
        self.database.check(report);
        self.redis.check(report);
        self.worker.check(report);
        self.retry.check(report);
        self.retention.check(report);
        self.alerts.check(report);
        self.telemetry.check(report);
        for (name, connection) in &self.connections {
            connection.check(name, report);
        }
        for (name, source) in &self.sources {
            source.check(name, report);
        }
        routes_check::check(self, report);
    }
}

#[cfg(test)]
mod tests;
