use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;

use super::{report::Report, report::Section, secret, urls};

/// `[redis]`: the server that carries doorbells between processes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RedisSettings {
    /// `redis://host:6379/0`, or `rediss://` for TLS. Secret, because it may hold a password;
    /// [`RedisSettings::shown_url`] does not.
    #[schemars(with = "String")]
    pub url: SecretString,
    /// The password, when the URL does not hold it.
    #[serde(default)]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub password: Option<SecretString>,
    /// A file that holds the password and nothing else.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Every key starts with this.
    pub prefix: String,
    /// Addresses (`host:port`) of the sentinels. Empty: the server of `url` is used directly.
    pub sentinel_nodes: Vec<String>,
    /// Name of the master that the sentinels watch.
    pub sentinel_master: String,
    /// How long an answer may take, in seconds.
    #[schemars(range(min = 1, max = 60))]
    pub response_timeout_seconds: u64,
}

impl RedisSettings {
    /// The URL to connect with, password included.
    pub fn connect_url(&self) -> SecretString {
        urls::with_password(&self.url, self.password.as_ref())
    }

    /// The URL to show: without user and password.
    pub fn shown_url(&self) -> String {
        urls::shown(&self.url)
    }

    /// `response_timeout_seconds` as a duration.
    pub fn response_timeout(&self) -> Duration {
        Duration::from_secs(self.response_timeout_seconds)
    }

    pub(super) fn resolve_secrets(&mut self, report: &mut Report) {
        let mut at = report.section("redis");
        secret::resolve(
            &mut at,
            "password",
            &mut self.password,
            self.password_file.as_deref(),
        );
    }

    pub(super) fn check(&self, report: &mut Report) {
        let mut at = report.section("redis");
        self.check_url(&mut at);
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
        if self.prefix.is_empty() || self.prefix.len() > 64 || !self.prefix.chars().all(allowed) {
            at.add(
                "prefix",
                format!("`{}` cannot start a key", self.prefix),
                "use 1 to 64 letters, digits, `_`, `-`, `.` or `:`",
            );
        }
        self.check_sentinel(&mut at);
    }

    fn check_url(&self, at: &mut Section<'_>) {
        let fix = "write redis://host:6379/0, or rediss://host:6379/0 for TLS";
        match Url::parse(self.url.expose_secret()) {
            Err(error) => at.add("url", format!("not a URL: {error}"), fix),
            Ok(url) if !matches!(url.scheme(), "redis" | "rediss") => {
                at.add(
                    "url",
                    format!("`{}:` is not a Redis address", url.scheme()),
                    fix,
                );
            }
            Ok(url) if url.host().is_none() => at.add("url", "no host is named", fix),
            Ok(url) if url.password().is_some() && self.password.is_some() => at.add(
                "password",
                "the password is given twice: here and in redis.url",
                "keep one of them",
            ),
            Ok(_) => {}
        }
    }

    fn check_sentinel(&self, at: &mut Section<'_>) {
        for (index, node) in self.sentinel_nodes.iter().enumerate() {
            let port = node.rsplit_once(':').and_then(|(host, port)| {
                let port: u16 = port.parse().ok()?;
                (!host.is_empty() && port > 0).then_some(port)
            });
            if port.is_none() {
                at.add(
                    &format!("sentinel_nodes[{index}]"),
                    format!("`{node}` is not a host and a port"),
                    "write it as sentinel-1.example.com:26379",
                );
            }
        }
        match (self.sentinel_nodes.is_empty(), self.sentinel_master.is_empty()) {
            (false, true) => at.add(
                "sentinel_master",
                "sentinels are named, but not the master they watch",
                "set it to the name after `sentinel monitor` in their configuration, often `mymaster`",
            ),
            (true, false) => at.add(
                "sentinel_nodes",
                "a Sentinel master is named, but no sentinel",
                "list the sentinels as host:port, or remove redis.sentinel_master",
            ),
            _ => {}
        }
    }
}
