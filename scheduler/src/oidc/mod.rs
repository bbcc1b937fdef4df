//! Sign-in of operators through an identity provider: OpenID Connect Core 1.0, authorization code flow with PKCE (RFC 7636).
//!
//! The `openidconnect` crate was looked at and left out: it needs the `rsa` crate, whose timing leak has no remedy
//! (RUSTSEC-2023-0071), second versions of rand, sha2 and hmac, and looks at the clock of the system. What is left of its work here is
//! the check of one signature, which ring does, and of five claims.

mod claims;
mod examine;
mod flow;
mod id_token;
mod keys;
mod metadata;
mod refusal;
mod sign_in;
mod token_call;

use std::time::Duration;

use reqwest::Client;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

pub use examine::examine;
pub(crate) use sign_in::{begin, finish};

use keys::Keys;
use metadata::Metadata;
use refusal::Refusal;

/// Somebody waits in front of the page.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What is known of the identity provider, and how it is called.
pub(crate) struct Provider {
    http: Client,
    metadata: Mutex<Option<Metadata>>,
    keys: Mutex<Keys>,
}

impl Provider {
    pub(crate) fn new(http: Client) -> Self {
        Self {
            http,
            metadata: Mutex::default(),
            keys: Mutex::default(),
        }
    }

    /// Reads a document of the provider; `what` names it when that fails.
    async fn read<T: DeserializeOwned>(&self, what: &'static str, url: &str) -> Result<T, Refusal> {
        let unreachable = |source| Refusal::Unreachable { what, source };
        let answer = self.http.get(url).timeout(TIMEOUT).send().await;
        let answer = answer
            .and_then(reqwest::Response::error_for_status)
            .map_err(|error| unreachable(error.without_url()))?;
        let text = answer
            .text()
            .await
            .map_err(|error| unreachable(error.without_url()))?;
        serde_json::from_str(&text).map_err(|source| Refusal::Unreadable { what, source })
    }
}
