use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;

use super::{report::Report, secret, urls};

/// `[database]`: where the truth lives.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    /// `sqlite://ticketbridge.db` (one process) or `postgres://user@host/name` (any number). Secret, because it may hold a
    /// password; [`DatabaseSettings::shown_url`] does not.
    #[schemars(with = "String")]
    pub url: SecretString,
    /// The password, when the URL does not hold it.
    #[serde(default)]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub password: Option<SecretString>,
    /// A file that holds the password and nothing else.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Connections kept at most.
    #[schemars(range(min = 1, max = 1000))]
    pub max_connections: u32,
    /// How long a caller waits for a free connection, in seconds.
    #[schemars(range(min = 1, max = 300))]
    pub acquire_timeout_seconds: u64,
    /// Whether pending migrations are applied at start.
    pub migrate_at_start: bool,
}

impl DatabaseSettings {
    /// The URL to connect with, password included.
    pub fn connect_url(&self) -> SecretString {
        urls::with_password(&self.url, self.password.as_ref())
    }

    /// The URL to show: without user and password.
    pub fn shown_url(&self) -> String {
        urls::shown(&self.url)
    }

    /// Whether the URL names a SQLite file, which serves one process.
    pub fn is_sqlite(&self) -> bool {
        self.url.expose_secret().starts_with("sqlite:")
    }

    /// `acquire_timeout_seconds` as a duration.
    pub fn acquire_timeout(&self) -> Duration {
        Duration::from_secs(self.acquire_timeout_seconds)
    }

    pub(super) fn resolve_secrets(&mut self, report: &mut Report) {
        let mut at = report.section("database");
        secret::resolve(
            &mut at,
            "password",
            &mut self.password,
            self.password_file.as_deref(),
        );
    }

    pub(super) fn check(&self, report: &mut Report) {
        let mut at = report.section("database");
        let fix = "write sqlite://ticketbridge.db for one process, or postgres://user@host:5432/name for several";
        let url = self.url.expose_secret();
        if self.is_sqlite() {
            let file = url.trim_start_matches("sqlite:").trim_start_matches("//");
            if file.is_empty() {
                at.add("url", "no file is named", fix);
            }
            if self.password.is_some() {
                at.add(
                    "password",
                    "SQLite has no password",
                    "remove it, or use PostgreSQL",
                );
            }
            return;
        }
        match Url::parse(url) {
            Err(error) => at.add("url", format!("not a URL: {error}"), fix),
            Ok(url) if !matches!(url.scheme(), "postgres" | "postgresql") => {
                at.add(
                    "url",
                    format!("`{}:` is not a database this program knows", url.scheme()),
                    fix,
                );
            }
            Ok(url) if url.host().is_none() => at.add("url", "no host is named", fix),
            Ok(url) if url.path().len() < 2 => at.add("url", "no database is named", fix),
            Ok(url) if url.password().is_some() && self.password.is_some() => at.add(
                "password",
                "the password is given twice: here and in database.url",
                "keep one of them",
            ),
            Ok(_) => {}
        }
    }
}
