use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::Deserialize;

use super::oidc::OidcSettings;
use super::report::Report;
use super::server::ServerSettings;

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
    /// Whether operators may sign in with a password.
    pub password_login: bool,
    /// Sign-in through an identity provider.
    pub oidc: OidcSettings,
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

    pub(super) fn check(&self, server: &ServerSettings, report: &mut Report) {
        if !self.password_login && !self.oidc.is_on() {
            report.section("console").add(
                "password_login",
                "is off, and no identity provider is set: nobody could sign in",
                "switch it on, or set console.oidc",
            );
        }
        self.oidc.check(server, report);
    }
}
