use std::path::PathBuf;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use super::report::{Report, Section};
use super::urls::{self, Plain};
use super::{names, secret};

/// `[sources.<name>]`: one identity system.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SourceSettings {
    /// Where signed callbacks go. Empty: no callbacks, the source reads the event feed.
    pub callback_url: String,
    /// Standard Webhooks secret: `whsec_` and 24 to 64 bytes in base64.
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub callback_secret: Option<SecretString>,
    /// A file that holds it and nothing else.
    pub callback_secret_file: Option<PathBuf>,
    /// Hosts that a request's own `callback_url` may name.
    pub callback_hosts: Vec<String>,
    /// Permit `http://` callbacks (tests, private networks).
    pub allow_http: bool,
}

impl SourceSettings {
    /// Whether requests of this source can have callbacks.
    pub fn has_callbacks(&self) -> bool {
        !self.callback_url.is_empty() || !self.callback_hosts.is_empty()
    }

    pub(super) fn resolve_secrets(&mut self, name: &str, report: &mut Report) {
        let mut at = report.section(&format!("sources.{name}"));
        let file = self.callback_secret_file.as_deref();
        secret::resolve(&mut at, "callback_secret", &mut self.callback_secret, file);
    }

    pub(super) fn check(&self, name: &str, report: &mut Report) {
        names::check(&mut report.section("sources"), name, name);
        let mut at = report.section(&format!("sources.{name}"));
        if !self.callback_url.is_empty() {
            let allowed = if self.allow_http {
                Plain::HttpOrHttps
            } else {
                Plain::HttpsOnly
            };
            urls::check(&mut at, "callback_url", &self.callback_url, allowed);
        }
        self.check_hosts(&mut at);
        self.check_secret(&mut at);
    }

    fn check_hosts(&self, at: &mut Section<'_>) {
        for (index, host) in self.callback_hosts.iter().enumerate() {
            if url::Host::parse(host)
                .map(|parsed| parsed.to_string())
                .as_ref()
                != Ok(host)
            {
                at.add(
                    &format!("callback_hosts[{index}]"),
                    format!("`{host}` is not a host name"),
                    "write the name alone, in lower case: idm.example.com, without https://, port or path",
                );
            }
        }
    }

    fn check_secret(&self, at: &mut Section<'_>) {
        match &self.callback_secret {
            Some(secret) => secret::check_signing(at, "callback_secret", secret),
            None if self.has_callbacks() => at.add(
                "callback_secret",
                "not given, but callbacks are always signed",
                secret::SIGNING_FIX,
            ),
            None => {}
        }
    }
}
