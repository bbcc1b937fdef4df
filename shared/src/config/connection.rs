use std::{path::PathBuf, time::Duration};

use chrono::{NaiveDate, TimeDelta};
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::report::{Report, Section};
use super::urls::{self, Plain};
use super::{credentials::Auth, names, secret};

/// The longest transaction of an instance (its REST quota), in seconds: what a call may still do after we stopped
/// waiting for it (wire contract 11).
const TRANSACTION_QUOTA_SECONDS: u64 = 60;

/// `[connections.<name>]`: one ServiceNow instance.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["base_url"]))]
pub struct ConnectionSettings {
    /// `https://acme.service-now.com`.
    pub base_url: String,
    /// Permit `http://` to other machines than this one (simulator, tests).
    pub allow_http: bool,
    /// How the bridge logs in; says which of the keys below are needed.
    pub auth: Auth,
    /// OAuth client.
    pub client_id: Option<String>,
    /// Its secret.
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub client_secret: Option<SecretString>,
    /// A file that holds it and nothing else.
    pub client_secret_file: Option<PathBuf>,
    /// User of `basic` and `password`.
    pub user: Option<String>,
    /// Their password.
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub password: Option<SecretString>,
    /// A file that holds it and nothing else.
    pub password_file: Option<PathBuf>,
    /// The refresh token of an authorization code flow.
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub refresh_token: Option<SecretString>,
    /// A file that holds it and nothing else.
    pub refresh_token_file: Option<PathBuf>,
    /// How long a refresh token lives, in days, as the registry entry of the instance says.
    #[schemars(range(min = 1, max = 3650))]
    pub refresh_token_days: u32,
    /// The API key.
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub api_key: Option<SecretString>,
    /// A file that holds it and nothing else.
    pub api_key_file: Option<PathBuf>,
    /// The header that carries the API key.
    pub api_key_header: String,
    /// The day when the credential dies, where somebody knows it: `2027-03-31`.
    pub credential_expires_on: Option<NaiveDate>,
    /// How long an answer may take, in seconds; above the instance's 60 s transaction quota.
    #[schemars(range(min = 1, max = 600))]
    pub request_timeout_seconds: u64,
    /// How long connecting may take, in seconds.
    #[schemars(range(min = 1, max = 120))]
    pub connect_timeout_seconds: u64,
    /// Calls at a time, over all workers; halved while the instance is full.
    #[schemars(range(min = 1, max = 256))]
    pub max_in_flight: usize,
    /// Percent of an hourly limit kept for open tickets: creates and reconciliation stop there.
    #[schemars(range(min = 0, max = 90))]
    pub reserve_percent: u32,
    /// How often changed tickets are asked for, per table, in seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub poll_seconds: u64,
    /// How far each poll reaches back behind its cursor, in seconds.
    #[schemars(range(min = 0, max = 86_400))]
    pub overlap_seconds: u64,
    /// Rows of one page.
    #[schemars(range(min = 1, max = 1000))]
    pub page_size: u32,
    /// How often all open tickets are read by id, in minutes.
    #[schemars(range(min = 1, max = 10_080))]
    pub reconcile_minutes: u64,
    /// How often a table is compared with the instance's own count, in minutes. 0: never.
    #[schemars(range(min = 0, max = 10_080))]
    pub drift_minutes: u64,
    /// Tickets updated within so many days are compared.
    #[schemars(range(min = 1, max = 3650))]
    pub drift_days: u32,
    /// How often the choice lists of a table are compared with the state maps, in hours. 0: never.
    #[schemars(range(min = 0, max = 720))]
    pub choices_hours: u64,
    /// Orders and comments: seconds of silence before a second one may be sent.
    #[schemars(range(min = 1, max = 86_400))]
    pub quiet_seconds: u64,
    /// How long a found person is remembered, in hours.
    #[schemars(range(min = 0, max = 8760))]
    pub person_cache_hours: u64,
}

impl Default for ConnectionSettings {
    fn default() -> Self {
        Self {
            base_url: String::new(),
            allow_http: false,
            auth: Auth::ClientCredentials,
            client_id: None,
            client_secret: None,
            client_secret_file: None,
            user: None,
            password: None,
            password_file: None,
            refresh_token: None,
            refresh_token_file: None,
            refresh_token_days: 100,
            api_key: None,
            api_key_file: None,
            api_key_header: "x-sn-apikey".to_owned(),
            credential_expires_on: None,
            request_timeout_seconds: 70,
            connect_timeout_seconds: 10,
            max_in_flight: 4,
            reserve_percent: 10,
            poll_seconds: 30,
            overlap_seconds: 120,
            page_size: 200,
            reconcile_minutes: 30,
            drift_minutes: 60,
            drift_days: 30,
            choices_hours: 24,
            quiet_seconds: 150,
            person_cache_hours: 24,
        }
    }
}

impl ConnectionSettings {
    /// `request_timeout_seconds` as a duration.
    pub fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.request_timeout_seconds)
    }

    /// `connect_timeout_seconds` as a duration.
    pub fn connect_timeout(&self) -> Duration {
        Duration::from_secs(self.connect_timeout_seconds)
    }

    /// `poll_seconds` as a duration.
    pub fn poll(&self) -> Duration {
        Duration::from_secs(self.poll_seconds)
    }

    /// `overlap_seconds` as a duration.
    pub fn overlap(&self) -> Duration {
        Duration::from_secs(self.overlap_seconds)
    }

    /// `reconcile_minutes` as a duration.
    pub fn reconcile(&self) -> Duration {
        Duration::from_mins(self.reconcile_minutes)
    }

    /// `drift_minutes` as a duration; `None` when the check is off.
    pub fn drift(&self) -> Option<Duration> {
        (self.drift_minutes > 0).then(|| Duration::from_mins(self.drift_minutes))
    }

    /// `drift_days` as a duration.
    pub fn drift_reach(&self) -> TimeDelta {
        TimeDelta::days(i64::from(self.drift_days))
    }

    /// `choices_hours` as a duration; `None` when the comparison is off.
    pub fn choices(&self) -> Option<Duration> {
        (self.choices_hours > 0).then(|| Duration::from_hours(self.choices_hours))
    }

    /// `quiet_seconds` as a duration.
    pub fn quiet(&self) -> Duration {
        Duration::from_secs(self.quiet_seconds)
    }

    /// `person_cache_hours` as a duration.
    pub fn person_cache(&self) -> Duration {
        Duration::from_hours(self.person_cache_hours)
    }

    /// `base_url` as it may be shown: without user, password, query and fragment, which nobody should have put there.
    pub fn shown_url(&self) -> String {
        match Url::parse(&self.base_url) {
            Ok(url) => format!(
                "{}{}",
                url.origin().ascii_serialization(),
                url.path().trim_end_matches('/')
            ),
            Err(_) => "no URL".to_owned(),
        }
    }

    pub(super) fn resolve_secrets(&mut self, name: &str, report: &mut Report) {
        let mut at = report.section(&format!("connections.{name}"));
        let at = &mut at;
        secret::resolve(
            at,
            "client_secret",
            &mut self.client_secret,
            self.client_secret_file.as_deref(),
        );
        secret::resolve(
            at,
            "password",
            &mut self.password,
            self.password_file.as_deref(),
        );
        secret::resolve(
            at,
            "refresh_token",
            &mut self.refresh_token,
            self.refresh_token_file.as_deref(),
        );
        secret::resolve(
            at,
            "api_key",
            &mut self.api_key,
            self.api_key_file.as_deref(),
        );
    }

    pub(super) fn check(&self, name: &str, report: &mut Report) {
        names::check(&mut report.section("connections"), name, name);
        let mut at = report.section(&format!("connections.{name}"));
        let allowed = if self.allow_http {
            Plain::HttpOrHttps
        } else {
            Plain::HttpsOrLocal
        };
        urls::check(&mut at, "base_url", &self.base_url, allowed);
        let more = |url: Url| !matches!(url.path(), "" | "/") || url.query().is_some();
        if Url::parse(&self.base_url).is_ok_and(more) {
            let fix = "give the address of the instance only: https://acme.service-now.com";
            at.add("base_url", "has a path or a query", fix);
        }
        self.check_credentials(&mut at);
        let token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if self.api_key_header.is_empty() || !self.api_key_header.chars().all(token) {
            let problem = format!("`{}` is not the name of a header", self.api_key_header);
            at.add(
                "api_key_header",
                problem,
                "use letters, digits, `-` and `_`; usually x-sn-apikey",
            );
        }
        let longest = self.request_timeout_seconds + TRANSACTION_QUOTA_SECONDS;
        if self.quiet_seconds <= longest {
            at.add(
                "quiet_seconds",
                format!(
                    "after {} s an order or a comment may still be under way: a call may take {} s, and the instance may go on for {} s",
                    self.quiet_seconds, self.request_timeout_seconds, TRANSACTION_QUOTA_SECONDS
                ),
                format!("make it more than {longest}, so that nothing is sent twice"),
            );
        }
    }

    fn check_credentials(&self, at: &mut Section<'_>) {
        let Err(missing) = self.credentials() else {
            return;
        };
        for key in missing {
            let problem = format!("not given, but auth = \"{}\" needs it", self.auth.as_str());
            let fix = match key {
                "client_id" | "user" => format!("set {}", at.key(key)),
                _ => format!(
                    "set {}, or name a file in {}",
                    at.key(key),
                    at.key(&format!("{key}_file"))
                ),
            };
            at.add(key, problem, fix);
        }
    }
}
