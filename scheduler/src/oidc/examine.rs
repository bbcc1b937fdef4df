//! Tries the identity provider without signing in, for `ticketbridge doctor`: its configuration, its name, its keys.

use chrono::{DateTime, Utc};
use reqwest::Client;
use shared::checkup::{Step, Verdict};
use shared::config::OidcSettings;

use super::Provider;
use super::keys::Keys;
use super::refusal::{Refusal, in_short};

const PART: &str = "identity provider";
const DISCOVERY: &str = "discovery";
const KEYS: &str = "keys";

/// Each step with its fix. `http` is the client that the scheduler calls it with.
pub async fn examine(settings: &OidcSettings, http: Client, now: DateTime<Utc>) -> Vec<Step> {
    let provider = Provider::new(http);
    let metadata = match provider.metadata(settings, now).await {
        Ok(metadata) => metadata,
        Err(refusal) => {
            let skipped = Step::new(PART, KEYS, Verdict::Skipped, "a step before it failed", "");
            return vec![failed(DISCOVERY, &refusal), skipped];
        }
    };
    let found = format!("it answers, and calls itself {}", metadata.issuer);
    let discovery = Step::new(PART, DISCOVERY, Verdict::Good, found, "");
    let mut keys = Keys::default();
    let keys = match keys.read(&provider, &metadata, now).await {
        Err(refusal) => failed(KEYS, &refusal),
        Ok(()) if keys.is_empty() => Step::new(
            PART,
            KEYS,
            Verdict::Bad,
            "it publishes none that the bridge can check a signature with",
            "have it sign ID tokens for this client with RS256 or ES256",
        ),
        Ok(()) => Step::new(
            PART,
            KEYS,
            Verdict::Good,
            "it publishes keys that the bridge can use",
            "",
        ),
    };
    vec![discovery, keys]
}

/// In short, for somebody who administers the bridge; a refusal is worded for whoever wants in.
fn failed(tried: &str, refusal: &Refusal) -> Step {
    let right_issuer =
        "set console.oidc.issuer to the `issuer` that its /.well-known/openid-configuration shows";
    let (found, fix) = match refusal {
        Refusal::Unreachable { what, source } if source.is_status() => (
            format!("asked for {what}, {}", in_short(source)),
            right_issuer,
        ),
        Refusal::Unreachable { what, source } => (
            format!(
                "asked for {what}, it does not answer ({})",
                in_short(source)
            ),
            "see whether this machine reaches console.oidc.issuer: its name, proxies and firewalls between, its certificate; operators with \
             a password can sign in all the same",
        ),
        Refusal::Unreadable { what, source } => (
            format!("asked for {what}, it answers what does not read ({source})"),
            right_issuer,
        ),
        Refusal::OtherIssuer { found, configured } => (
            format!("it calls itself `{found}`, and console.oidc.issuer says `{configured}`"),
            "make them the same: an ID token of another issuer is not taken",
        ),
        Refusal::BadEndpoint(name) => (
            format!("its {name} does not begin with https://"),
            "have it named with https:// at the provider; the bridge sends secrets there",
        ),
        other => (other.to_string(), "see the message"),
    };
    Step::new(PART, tried, Verdict::Bad, found, fix)
}
