//! What the provider says about itself: OpenID Connect Discovery 1.0.

use chrono::{DateTime, TimeDelta, Utc};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use shared::config::OidcSettings;
use url::Url;

use super::Provider;
use super::refusal::Refusal;

/// Believed for so long; addresses change rarely.
const FRESH: TimeDelta = TimeDelta::hours(1);

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Metadata {
    pub(super) issuer: String,
    #[serde(deserialize_with = "address")]
    pub(super) authorization_endpoint: Url,
    #[serde(deserialize_with = "address")]
    pub(super) token_endpoint: Url,
    #[serde(deserialize_with = "address")]
    pub(super) jwks_uri: Url,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(skip)]
    read_at: DateTime<Utc>,
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    let text = String::deserialize(deserializer)?;
    Url::parse(&text).map_err(D::Error::custom)
}

impl Metadata {
    /// Whether the secret goes into the body; the default, as in RFC 8414, is the header.
    pub(super) fn wants_secret_in_body(&self) -> bool {
        let methods = &self.token_endpoint_auth_methods_supported;
        let knows = |method: &str| methods.iter().any(|it| it == method);
        !methods.is_empty() && !knows("client_secret_basic") && knows("client_secret_post")
    }

    /// Refuses another provider, and addresses that would send secrets in the clear.
    fn check(&self, settings: &OidcSettings) -> Result<(), Refusal> {
        let bare = |issuer: &str| issuer.trim_end_matches('/').to_owned();
        if bare(&self.issuer) != bare(&settings.issuer) {
            return Err(Refusal::OtherIssuer {
                found: self.issuer.clone(),
                configured: settings.issuer.clone(),
            });
        }
        let may_be_plain = settings.issuer.starts_with("http://");
        for (name, url) in [
            ("authorization_endpoint", &self.authorization_endpoint),
            ("token_endpoint", &self.token_endpoint),
            ("jwks_uri", &self.jwks_uri),
        ] {
            if url.scheme() != "https" && !(may_be_plain && url.scheme() == "http") {
                return Err(Refusal::BadEndpoint(name));
            }
        }
        Ok(())
    }
}

impl Provider {
    /// From its discovery document, which is read once an hour.
    pub(super) async fn metadata(
        &self,
        settings: &OidcSettings,
        now: DateTime<Utc>,
    ) -> Result<Metadata, Refusal> {
        let mut kept = self.metadata.lock().await;
        if let Some(known) = kept.as_ref().filter(|it| now - it.read_at < FRESH) {
            return Ok(known.clone());
        }
        let issuer = settings.issuer.trim_end_matches('/');
        let url = format!("{issuer}/.well-known/openid-configuration");
        let mut read: Metadata = self.read("its configuration", &url).await?;
        read.check(settings)?;
        read.read_at = now;
        *kept = Some(read.clone());
        Ok(read)
    }
}
