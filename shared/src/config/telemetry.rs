use schemars::JsonSchema;
use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use super::report::Report;
use super::urls::{self, Plain};

/// `[telemetry]`: logs and traces.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TelemetrySettings {
    /// How log lines look.
    pub format: LogFormat,
    /// A tracing filter, such as `info,servicenow_client=debug`.
    pub filter: String,
    /// OTLP over HTTP, such as `http://127.0.0.1:4318/v1/traces`. Empty: off.
    pub otlp_endpoint: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
    /// Pretty on a terminal, else JSON.
    Auto,
}

impl TelemetrySettings {
    pub(super) fn check(&self, report: &mut Report) {
        let mut at = report.section("telemetry");
        if let Err(error) = EnvFilter::try_new(&self.filter) {
            at.add(
                "filter",
                format!("`{}` is not a tracing filter: {error}", self.filter),
                "write a level (error, warn, info, debug, trace), then target=level pairs: info,servicenow_client=debug",
            );
        }
        if !self.otlp_endpoint.is_empty() {
            urls::check(
                &mut at,
                "otlp_endpoint",
                &self.otlp_endpoint,
                Plain::HttpOrHttps,
            );
        }
    }
}
